use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciba_core::crypto::Hash;

use super::*;
use crate::{
    backend::verifier,
    faults,
    notification::{Bearer, Moment, NotificationEdit, Outbound},
    provider::TransactionState,
    script::{Act, KeySetEdit, Script},
};

const ENDPOINT: &str = "https://app.example/cb";
const TOKEN: &str = "Gc2hbWVsZXNzLXN0YW5kaW4tc2VjcmV0LWZvci10ZXN0cy0wMTIzNDU2Nzg5";

fn ping_bench() -> Bench {
    bench_with(|config| config.client(post_client("pinged").ping(ENDPOINT)))
}

fn push_bench(algorithm: JwsAlgorithm) -> Bench {
    bench_with(|config| config.client(post_client("pushed").push(ENDPOINT).id_token_alg(algorithm)))
}

impl Bench {
    fn ask_as(&mut self, client: &str, hint: &str) -> String {
        let scope = ("scope", "openid offline_access");
        let (status, body) = self.ask(&[
            ("client_id", client),
            ("login_hint", hint),
            ("client_notification_token", TOKEN),
            scope,
        ]);
        assert_eq!(status, 200, "{body}");
        body["auth_req_id"].as_str().unwrap().to_owned()
    }

    fn due(&mut self) -> Vec<Outbound> {
        self.provider.notifications(self.now)
    }

    /// Moves to when the next one is due and takes it.
    fn next(&mut self) -> Outbound {
        self.now = self.provider.next_notification().expect("one is foreseen");
        let mut due = self.due();
        assert_eq!(due.len(), 1);
        due.remove(0)
    }

    fn poll_as(&mut self, client: &str, id: &str) -> (u16, Value) {
        let parameters = [
            ("client_id", client),
            ("client_secret", SECRET),
            ("grant_type", GRANT),
            ("auth_req_id", id),
        ];
        self.post(Endpoint::Token, &parameters)
    }
}

fn body(outbound: &Outbound) -> Value {
    serde_json::from_slice(outbound.body.expose()).unwrap_or_default()
}

/// OP-20
#[test]
fn ping_and_push_clients_send_a_bearer_token_for_their_notifications() {
    let long = "a9".repeat(513);
    for (token, rule) in [
        ("", Some(Rule::NotificationToken)),
        ("a=b", Some(Rule::NotificationToken)),
        ("====", Some(Rule::NotificationToken)),
        ("with a blank, and long enough otherwise", Some(Rule::NotificationToken)),
        (long.as_str(), Some(Rule::NotificationToken)),
        ("x", Some(Rule::NotificationToken)),
        ("7", Some(Rule::NotificationToken)),
        ("twenty-characters-xx", Some(Rule::NotificationToken)),
        (TOKEN, None),
        // 16 and 20 random bytes.
        ("3q2-7wVtTnqXm0eZlB8RaQ", None),
        ("9f86d081884c7d659a2feaa0c55ad015", None),
        ("nVbZ0rX2kq7t5yJm1wHc3oEdPgU", None),
        ("mzxw6ytboi2gk3tbovwheylbnq", None),
    ] {
        let mut bench = ping_bench();
        let (status, answer) =
            bench.ask(&[("client_id", "pinged"), ("client_notification_token", token)]);
        assert_eq!(status, if rule.is_some() { 400 } else { 200 }, "{token}: {answer}");
        assert_eq!(bench.broken(), Vec::from_iter(rule), "{token}");
    }
    let mut bench = ping_bench();
    let weak = [
        ("client_id", "pinged"),
        ("client_notification_token", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ];
    assert_eq!(bench.ask(&weak).0, 200);
    assert_eq!(bench.broken(), [Rule::NotificationToken], "guessable");
    let digits = "0123456789".repeat(6);
    let counted = [("client_id", "pinged"), ("client_notification_token", digits.as_str())];
    assert_eq!(bench.ask(&counted).0, 200);
    assert_eq!(bench.broken(), [Rule::NotificationToken], "so is this");
    assert_eq!(
        bench.ask(&[("client_notification_token", "a=b")]).0,
        200,
        "a poll client's is ignored"
    );
}

/// OP-07
/// OP-53
/// OP-54
/// OP-56
#[test]
fn a_ping_is_sent_at_the_decision_for_every_outcome() {
    for (hint, status) in [("approve", 200), ("deny", 400)] {
        let mut bench = ping_bench();
        let id = bench.ask_as("pinged", hint);
        assert_eq!(
            bench.provider.next_notification(),
            Some(START.saturating_add(Duration::from_secs(10)))
        );
        assert!(bench.due().is_empty());
        let ping = bench.next();
        assert_eq!((ping.method.as_str(), ping.url.as_str()), ("POST", ENDPOINT));
        assert_eq!(
            ping.headers.all("authorization").collect::<Vec<_>>(),
            [format!("Bearer {TOKEN}")]
        );
        assert_eq!(ping.headers.get("content-type"), Some("application/json"));
        assert_eq!(body(&ping), json!({ "auth_req_id": id }));
        assert!(bench.due().is_empty() && bench.provider.next_notification().is_none());
        bench.provider.notification_answered(ping.id, Some(204), bench.now);
        assert_eq!(bench.poll_as("pinged", &id).0, status, "{hint}");
        assert_eq!(bench.broken(), []);
        assert!(!format!("{ping:?}").contains(TOKEN));
    }
    let mut bench = ping_bench();
    bench.ask_as("pinged", "never");
    bench.begin("approve");
    bench.pass(1000);
    assert!(bench.due().is_empty(), "none is owed for an expiry, and none to a poll client");
}

#[test]
fn a_decision_made_by_hand_is_notified_at_once() {
    let mut bench = ping_bench();
    bench.ask_as("pinged", "manual");
    assert_eq!(bench.provider.next_notification(), None);
    bench.pass(3);
    assert!(bench.provider.approve(1, bench.now));
    assert_eq!(bench.provider.next_notification(), Some(bench.now));
    assert_eq!(bench.due().len(), 1);
}

/// OP-51
#[test]
fn a_ping_allows_exactly_one_token_request_before_the_interval() {
    let mut bench = ping_bench();
    let id = bench.ask_as("pinged", "manual");
    bench.pass(5);
    bench.poll_as("pinged", &id);
    bench.pass(1);
    assert!(bench.provider.notify(1, &[], bench.now));
    assert!(bench.provider.notify(1, &[], bench.now));
    assert_eq!(bench.due().len(), 2);
    bench.poll_as("pinged", &id);
    assert_eq!(bench.broken(), []);
    bench.pass(1);
    bench.poll_as("pinged", &id);
    assert_eq!(bench.broken(), [Rule::TooEarly]);
    bench.pass(1);
    bench.provider.notify(1, &[NotificationEdit::Bearer(Bearer::Appended)], bench.now);
    bench.due();
    bench.poll_as("pinged", &id);
    assert_eq!(bench.broken(), [Rule::TooEarly], "a forged one allows nothing");
}

/// OP-20
/// OP-51
#[test]
fn the_provider_can_require_the_interval_after_a_ping_as_keycloak_does() {
    let strict = |config| ProviderConfig {
        ping_skips_interval: false,
        refuses_needless_notification_token: true,
        ..config
    };
    let mut bench =
        bench_with(|config| strict(config).client(post_client("pinged").ping(ENDPOINT)));
    assert_eq!(bench.ask(&[("client_notification_token", TOKEN)]).1["error"], "invalid_request");
    let id = bench.ask_as("pinged", "manual");
    bench.pass(5);
    bench.poll_as("pinged", &id);
    bench.pass(1);
    bench.provider.notify(1, &[], bench.now);
    assert!(bench.provider.is_notifying(bench.now));
    let ping = bench.due().remove(0);
    assert!(bench.provider.is_notifying(bench.now));
    bench.provider.notification_answered(ping.id, Some(204), bench.now);
    assert!(!bench.provider.is_notifying(bench.now));
    bench.poll_as("pinged", &id);
    assert_eq!(bench.broken(), [Rule::TooEarly]);
}

/// OP-57
/// OP-58
/// OP-41
#[test]
fn a_push_carries_tokens_with_all_binding_claims() {
    for algorithm in JwsAlgorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()) {
        let mut bench = push_bench(algorithm);
        let id = bench.ask_as("pushed", "approve");
        let push = bench.next();
        let tokens = body(&push);
        assert_eq!((&tokens["auth_req_id"], &tokens["token_type"]), (&json!(id), &json!("Bearer")));
        let claims = claims_of(&tokens);
        let hash = match algorithm.name() {
            "EdDSA" => Hash::Sha512,
            name if name.ends_with("256") => Hash::Sha256,
            name if name.ends_with("384") => Hash::Sha384,
            _ => Hash::Sha512,
        };
        let half = |name: &str| {
            let whole = verifier().digest(hash, tokens[name].as_str().unwrap().as_bytes());
            URL_SAFE_NO_PAD.encode(&whole.as_bytes()[..whole.as_bytes().len() / 2])
        };
        assert_eq!(claims["at_hash"], half("access_token"), "{algorithm}");
        assert_eq!(
            claims["urn:openid:params:jwt:claim:rt_hash"],
            half("refresh_token"),
            "{algorithm}"
        );
        assert_eq!(claims["urn:openid:params:jwt:claim:auth_req_id"], id);
        assert_eq!(bench.provider.transactions(bench.now)[0].state, TransactionState::Approved);
        bench.provider.notification_answered(push.id, Some(204), bench.now);
        assert_eq!(bench.provider.transactions(bench.now)[0].state, TransactionState::Delivered);
        assert_eq!(bench.provider.report().redeemed, 1);
        assert_eq!(bench.broken(), []);
        assert_eq!(bench.poll_as("pushed", &id).1["error"], "unauthorized_client");
        assert_eq!(bench.broken(), [Rule::PushClientPolls]);
    }
}

/// OP-59
#[test]
fn a_push_of_a_failure_names_the_error() {
    for (hint, edits, code) in [
        ("deny", vec![], "access_denied"),
        (
            "approve",
            vec![NotificationEdit::Error("transaction_failed".into())],
            "transaction_failed",
        ),
    ] {
        let mut bench = push_bench(JwsAlgorithm::Rs256);
        let script = edits.into_iter().fold(Script::new(), Script::notification);
        bench.provider.script(script);
        let id = bench.ask_as("pushed", hint);
        assert_eq!(body(&bench.next()), json!({ "error": code, "auth_req_id": id }));
    }
}

/// OP-55
/// OP-60
#[test]
fn responses_to_notifications_are_judged_by_what_was_sent() {
    use NotificationEdit::{Bearer as Says, Body, Method, UnknownId};
    let wrong = || Says(Bearer::Appended);
    for (edit, good, bad) in [
        (
            None,
            vec![200, 204, 503],
            vec![(401, Rule::NotificationAnswer), (202, Rule::NotificationAnswer)],
        ),
        (
            Some(wrong()),
            vec![401],
            vec![(204, Rule::ForgedNotification), (404, Rule::NotificationAnswer)],
        ),
        (Some(Method("GET".into())), vec![405], vec![(204, Rule::NotificationAnswer)]),
        (Some(Body(b"[]".to_vec())), vec![400], vec![(204, Rule::NotificationAnswer)]),
        (Some(UnknownId), vec![204, 401], vec![(500, Rule::NotificationAnswer)]),
        (Some(Says(Bearer::LowerCase)), vec![204], vec![(401, Rule::NotificationAnswer)]),
    ] {
        let good = good.into_iter().map(|status| (status, None));
        let bad = bad
            .into_iter()
            .chain([(308, Rule::NotificationRedirect)])
            .map(|(status, rule)| (status, Some(rule)));
        for (status, rule) in good.chain(bad) {
            let mut bench = ping_bench();
            bench
                .provider
                .script(edit.clone().into_iter().fold(Script::new(), Script::notification));
            bench.ask_as("pinged", "approve");
            let id = bench.next().id;
            bench.provider.notification_answered(id, Some(status), bench.now);
            // Only what CIBA 10.2 forbids is a mistake: a redirect, a wrong token taken for right,
            // a good one not taken.
            let forbids = match (&edit, status) {
                (_, 308) => true,
                (None | Some(Says(Bearer::LowerCase)), 400..) => rule.is_some(),
                (Some(Says(_)), status) => status == 204 && rule.is_some(),
                _ => false,
            };
            assert_eq!(bench.provider.report().is_clean(), !forbids, "{edit:?} {status}");
            assert_eq!(bench.broken(), Vec::from_iter(rule), "{edit:?} {status}");
        }
    }
}

/// OP-55
#[test]
fn a_refused_delivery_is_retried_if_configured_except_after_401_or_a_redirect() {
    for (status, again) in [
        (Some(503), true),
        (None, true),
        (Some(401), false),
        (Some(307), false),
        (Some(204), false),
    ] {
        let mut bench = bench_with(|config| {
            ProviderConfig { notification_retries: 1, ..config }
                .client(post_client("pushed").push(ENDPOINT))
        });
        bench.ask_as("pushed", "approve");
        let first = bench.next();
        bench.provider.notification_answered(first.id, status, bench.now);
        assert_eq!(bench.provider.next_notification().is_some(), again, "{status:?}");
        if again {
            let second = bench.next();
            assert_eq!(second.body, first.body);
            bench.provider.notification_answered(second.id, Some(500), bench.now);
            assert_eq!(bench.provider.next_notification(), None);
            assert_eq!(
                bench.provider.transactions(bench.now)[0].state,
                TransactionState::DeliveryFailed
            );
        }
    }
}

/// OP-35
#[test]
fn a_notification_can_overtake_the_acknowledgement() {
    for client in ["pinged", "pushed"] {
        let mut bench = bench_with(|config| {
            config
                .client(post_client("pinged").ping(ENDPOINT))
                .client(post_client("pushed").push(ENDPOINT))
        });
        let fault = faults::named("notification-overtakes").unwrap();
        bench.provider.script(fault.script);
        let parameters = [
            ("client_id", client),
            ("client_secret", SECRET),
            ("scope", "openid"),
            ("login_hint", "approve"),
            ("client_notification_token", TOKEN),
        ];
        let request = Incoming::post("/backchannel", parameters);
        let (exchange, until) = held(&bench.provider.handle(request, bench.now));
        assert_eq!(bench.provider.next_notification(), Some(bench.now));
        let due = bench.due();
        assert_eq!(due.len(), 1, "{client}");
        let ack = bench.provider.resume(exchange, until).into_answer().unwrap();
        bench.now = until;
        assert_eq!(read(&ack).1["auth_req_id"], body(&due[0])["auth_req_id"]);
        assert_eq!(body(&due[0]).get("access_token").is_some(), client == "pushed");
        if client == "pinged" {
            let id = read(&ack).1["auth_req_id"].as_str().unwrap().to_owned();
            assert_eq!(bench.poll_as(client, &id).0, 200, "approved before it was acknowledged");
        }
        assert!(bench.due().is_empty() && bench.broken().is_empty());
    }
}

#[test]
fn no_notification_precedes_the_acknowledgement_unless_a_script_says_so() {
    let mut bench = ping_bench();
    bench
        .provider
        .script(Script::new().every(Endpoint::Backchannel, Act::Delay(Duration::from_secs(7))));
    let parameters = [
        ("client_id", "pinged"),
        ("client_secret", SECRET),
        ("scope", "openid"),
        ("login_hint", "approve-after:1"),
        ("client_notification_token", TOKEN),
    ];
    let (exchange, until) =
        held(&bench.provider.handle(Incoming::post("/backchannel", parameters), bench.now));
    bench.pass(6);
    assert!(bench.due().is_empty(), "decided after five seconds, and not acknowledged");
    let _ = bench.provider.resume(exchange, until);
    assert_eq!(bench.provider.next_notification(), Some(until));
}

#[test]
fn scripts_can_withhold_repeat_delay_and_forge_notifications() {
    let due = |script: Script, hint: &str, seconds: u64| {
        let mut bench = ping_bench();
        bench.provider.script(script);
        bench.ask_as("pinged", hint);
        bench.pass(seconds);
        bench.due()
    };
    let edit = |edit| Script::new().notification(edit);
    assert!(due(edit(NotificationEdit::Withhold), "approve", 600).is_empty());
    let five = due(edit(NotificationEdit::Copies(5)), "approve", 10);
    assert!(
        five.len() == 5
            && five.iter().all(|copy| copy.body == five[0].body && copy.headers == five[0].headers)
    );
    assert_eq!(due(edit(NotificationEdit::At(Moment::Acknowledgement)), "never", 0).len(), 1);
    let late = || faults::named("notification-late").unwrap().script;
    assert!(due(late(), "approve", 419).is_empty() && due(late(), "approve", 420).len() == 1);
    let fields = |bearer| {
        let sent = due(edit(NotificationEdit::Bearer(bearer)), "approve", 10);
        sent[0].headers.all("authorization").map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(fields(Bearer::Appended), [format!("Bearer {TOKEN}A")]);
    assert_eq!(fields(Bearer::Missing), Vec::<String>::new());
    assert_eq!(fields(Bearer::Twice).len(), 2);
    assert_eq!(fields(Bearer::LowerCase), [format!("bearer {TOKEN}")]);
    assert_ne!(fields(Bearer::OtherTransaction), [format!("Bearer {TOKEN}")]);
}

#[test]
fn scripts_can_swap_ids_and_bearer_tokens_of_two_transactions() {
    let mut bench = ping_bench();
    let first = bench.ask_as("pinged", "manual");
    let (_, second) = bench.ask(&[
        ("client_id", "pinged"),
        ("login_hint", "manual"),
        ("client_notification_token", &TOKEN[1..]),
    ]);
    bench.provider.notify(1, &[NotificationEdit::OtherId], bench.now);
    bench.provider.notify(1, &[NotificationEdit::Bearer(Bearer::OtherTransaction)], bench.now);
    let sent = bench.due();
    assert_eq!(body(&sent[0])["auth_req_id"], second["auth_req_id"]);
    assert_eq!(sent[0].headers.get("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert_eq!(body(&sent[1])["auth_req_id"], first);
    assert_eq!(
        sent[1].headers.get("authorization"),
        Some(format!("Bearer {}", &TOKEN[1..]).as_str())
    );
}

#[test]
fn scripts_can_push_other_tokens_after_a_key_rotation() {
    let mut bench = push_bench(JwsAlgorithm::Es256);
    bench.provider.script(faults::named("push-twice-with-other-tokens").unwrap().script);
    bench.ask_as("pushed", "approve-after:0");
    let sent = bench.due();
    assert_eq!(sent.len(), 2);
    assert_ne!(body(&sent[0])["access_token"], body(&sent[1])["access_token"]);
    assert_eq!(body(&sent[0])["id_token"], body(&sent[1])["id_token"]);

    let mut bench = push_bench(JwsAlgorithm::Es256);
    bench
        .provider
        .script(Script::new().every(Endpoint::Notification, Act::Keys(KeySetEdit::RotateAtOnce)));
    bench.ask_as("pushed", "approve");
    let push = bench.next();
    let parsed = jws::parse(body(&push)["id_token"].as_str().unwrap()).unwrap();
    assert_eq!(parsed.header["kid"], json!(TestKey::ProviderP256Next.key_id()));
}

#[test]
fn every_fault_of_a_push_sends_a_value_that_is_really_wrong() {
    let honest = {
        let mut bench = push_bench(JwsAlgorithm::Rs256);
        bench.ask_as("pushed", "approve-after:0");
        body(&bench.due()[0])
    };
    for fault in faults::push().into_iter().filter(|fault| fault.menu == "F-23") {
        let mut bench = push_bench(JwsAlgorithm::Rs256);
        bench.provider.script(fault.script);
        bench.ask_as("pushed", "approve-after:0");
        let sent = bench.due();
        assert!(sent.iter().any(|sent| body(sent) != honest), "{}", fault.name);
    }
    let mut bench = push_bench(JwsAlgorithm::Rs256);
    bench.ask_as("pushed", "fault:push-no-at-hash");
    assert!(!claims_of(&body(&bench.next())).contains_key("at_hash"), "the hint chooses it");
}

/// OP-47
#[test]
fn a_long_poll_in_ping_mode_is_answered_at_the_decision() {
    let mut bench = bench_with(|config| {
        ProviderConfig { long_polling: Some(Duration::from_secs(30)), ..config }
            .client(post_client("pinged").ping(ENDPOINT))
    });
    let id = bench.ask_as("pinged", "approve");
    bench.pass(5);
    let parameters = [
        ("client_id", "pinged"),
        ("client_secret", SECRET),
        ("grant_type", GRANT),
        ("auth_req_id", &id),
    ];
    let (exchange, until) =
        held(&bench.provider.handle(Incoming::post("/token", parameters), bench.now));
    assert_eq!(until, START.saturating_add(Duration::from_secs(10)));
    assert_eq!(bench.provider.resume(exchange, until).into_answer().unwrap().status, 200);
}
