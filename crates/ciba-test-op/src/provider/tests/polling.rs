use super::*;
use crate::{
    config::{SpeedReference, TooEarly},
    judge::Severity,
    provider::TransactionState,
    script::{Act, Amendment, Decision, Script, ScriptedAnswer},
};

/// OP-39
/// OP-43
/// OP-49
#[test]
fn the_hint_decides_what_the_person_does() {
    for (hint, answers) in [
        ("approve", vec!["authorization_pending", "authorization_pending", "none"]),
        ("approve-after:1:anybody", vec!["authorization_pending", "none"]),
        ("deny", vec!["authorization_pending", "authorization_pending", "access_denied"]),
        ("deny-after:0", vec!["access_denied"]),
        ("never", vec!["authorization_pending"; 10]),
    ] {
        let mut bench = bench();
        let id = bench.begin(hint);
        for (n, expected) in answers.iter().enumerate() {
            let (status, body) = bench.poll(&id, 5);
            let error = body["error"].as_str().unwrap_or("none");
            assert_eq!(
                (error, status),
                (*expected, if *expected == "none" { 200 } else { 400 }),
                "{hint} {n}"
            );
        }
        assert_eq!(bench.broken(), []);
    }
}

/// OP-37
#[test]
fn an_id_expires_at_the_exact_millisecond_and_is_evicted_later() {
    let mut bench = bench();
    let id = bench.begin("never");
    bench.now = START.saturating_add(Duration::from_millis(119_999));
    assert_eq!(bench.poll_error(&id, 0), "authorization_pending");
    assert_eq!(bench.broken(), []);
    assert_eq!(bench.poll_error(&id, 5), "expired_token");
    assert_eq!(bench.broken(), [], "it learns what it could not know");
    assert_eq!(bench.poll_error(&id, 5), "expired_token");
    assert_eq!(bench.broken(), [Rule::AfterTerminalAnswer]);
    assert_eq!(bench.poll_error(&id, 600), "invalid_grant");
    let id = bench.begin("manual");
    let number = 2;
    assert!(bench.provider.approve(number, bench.now));
    assert_eq!(bench.poll_error(&id, 120), "expired_token", "approved, and never fetched");
    assert!(!bench.provider.approve(number, bench.now));
}

/// OP-38
/// OP-50
/// OP-62
/// OP-63
/// OP-65
#[test]
fn tokens_are_issued_once_and_are_valid() {
    for algorithm in JwsAlgorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()) {
        let mut bench =
            bench_with(|config| config.client(post_client("signed").id_token_alg(algorithm)));
        let (_, ack) = bench.ask(&[
            ("client_id", "signed"),
            ("login_hint", "approve-after:0"),
            ("acr_values", "gold"),
        ]);
        bench.pass(5);
        let id = ack["auth_req_id"].as_str().unwrap();
        let poll = [
            ("client_id", "signed"),
            ("client_secret", SECRET),
            ("grant_type", GRANT),
            ("auth_req_id", id),
        ];
        let request = Incoming::post("/token", poll);
        let answer = bench.send(request.clone());
        assert_eq!(answer.headers.get("cache-control"), Some("no-store"));
        let (status, tokens) = read(&answer);
        assert_eq!(
            (status, &tokens["token_type"], &tokens["expires_in"]),
            (200, &json!("Bearer"), &json!(600))
        );
        let parsed = jws::parse(tokens["id_token"].as_str().unwrap()).unwrap();
        assert_eq!(parsed.algorithm(), Some(algorithm));
        let published = bench.provider.keys.published();
        let key = published.iter().find(|key| key["kid"] == parsed.header["kid"]).unwrap();
        assert!(parsed.signed_by(key, algorithm), "{algorithm}");
        let claims = claims_of(&tokens);
        let issued = bench.now.unix_secs();
        assert_eq!(claims["iss"], ISSUER);
        assert_eq!(claims["aud"], "signed");
        assert_eq!((&claims["iat"], &claims["exp"]), (&json!(issued), &json!(issued + 300)));
        assert_eq!(claims["acr"], "gold");
        assert!(claims.contains_key("at_hash") && !claims.contains_key("nonce"));

        let user_info = |bench: &mut Bench, token: &str| {
            let header = format!("Bearer {token}");
            read(&bench.send(Incoming::get("/userinfo").header("authorization", &header)))
        };
        assert_eq!(
            user_info(&mut bench, tokens["access_token"].as_str().unwrap()).1["sub"],
            claims["sub"]
        );
        assert_eq!(bench.broken(), []);
        assert_eq!(user_info(&mut bench, "guessed").0, 401);
        assert_eq!(bench.broken(), [Rule::AccessToken]);
        bench.pass(5);
        assert_eq!(read(&bench.send(request)).1["error"], "invalid_grant");
        assert_eq!(bench.broken(), [Rule::AfterSuccess]);
    }
}

/// OP-40
/// OP-41
/// OP-42
#[test]
fn a_token_request_must_be_a_ciba_grant_for_an_id_of_the_same_client() {
    let mut bench =
        bench_with(|config| config.client(post_client("push").push("https://app.example/cb")));
    let id = bench.begin("never");
    for (change, code, rule) in [
        (("grant_type", ""), "invalid_request", Rule::GrantType),
        (("grant_type", "authorization_code"), "unsupported_grant_type", Rule::GrantType),
        (("auth_req_id", ""), "invalid_request", Rule::AuthReqId),
        (("auth_req_id", "unknown"), "invalid_grant", Rule::AuthReqId),
        (("client_id", "other"), "invalid_grant", Rule::AuthReqId),
        (("client_id", "push"), "unauthorized_client", Rule::PushClientPolls),
    ] {
        let usual = [
            ("client_id", "app"),
            ("client_secret", SECRET),
            ("grant_type", GRANT),
            ("auth_req_id", &id),
        ];
        let parameters: Vec<_> =
            usual.map(|pair| if pair.0 == change.0 { change } else { pair }).to_vec();
        let (status, body) = bench.post(Endpoint::Token, &parameters);
        assert_eq!((status, &body["error"]), (400, &json!(code)), "{change:?}");
        assert_eq!(bench.broken(), [rule], "{change:?}");
    }
}

/// OP-44
#[test]
fn an_early_poll_is_reported_and_answered_slow_down_if_configured() {
    let mut bench = bench_with(|config| ProviderConfig { too_early: TooEarly::Recorded, ..config });
    let id = bench.begin("never");
    bench.poll(&id, 5);
    bench.pass(4);
    bench.now = bench.now.saturating_add(Duration::from_millis(999));
    assert_eq!(bench.poll_error(&id, 0), "authorization_pending");
    assert_eq!(bench.broken(), [Rule::TooEarly]);
    bench.poll(&id, 5);
    assert_eq!(bench.broken(), []);

    let mut bench = self::bench();
    let id = bench.begin("never");
    bench.poll(&id, 5);
    assert_eq!(bench.poll_error(&id, 4), "slow_down");
    assert_eq!(bench.broken(), [Rule::TooEarly]);
    assert_eq!(
        bench.poll_error(&id, 9),
        "slow_down",
        "the interval has grown to ten seconds for good"
    );
    assert_eq!(bench.poll_error(&id, 15), "authorization_pending");
}

/// OP-44
#[test]
fn a_poll_early_by_the_allowed_jitter_is_not_reported() {
    for (early, expected) in [(100, "authorization_pending"), (101, "slow_down")] {
        let tolerance = Duration::from_millis(100);
        let mut bench =
            bench_with(|config| ProviderConfig { interval_tolerance: tolerance, ..config });
        let id = bench.begin("never");
        bench.poll(&id, 5);
        bench.now = bench.now.saturating_add(Duration::from_millis(5_000 - early));
        assert_eq!(bench.poll_error(&id, 0), expected);
        assert_eq!(bench.broken().len(), usize::from(early > 100));
    }
}

/// OP-44
/// OP-47
#[test]
fn an_early_poll_of_one_transaction_does_not_affect_a_held_one() {
    let mut bench = bench_with(|config| ProviderConfig {
        long_polling: Some(Duration::from_secs(30)),
        ..config
    });
    let (held_id, hasty) = (bench.begin("manual"), bench.begin("never"));
    bench.pass(5);
    let (exchange, until) = held(&bench.provider.handle(bench.poll_request(&held_id), bench.now));
    let (other, _) = held(&bench.provider.handle(bench.poll_request(&hasty), bench.now));
    bench.provider.end(other, bench.now);
    assert_eq!(bench.poll_error(&hasty, 1), "slow_down");
    let answer = bench.provider.resume(exchange, until).into_answer().unwrap();
    assert_eq!(read(&answer).1["error"], "authorization_pending");
    assert_eq!(bench.broken(), [Rule::TooEarly]);
}

/// OP-44
#[test]
fn the_interval_may_count_from_the_end_of_the_last_response() {
    let habits = |config| ProviderConfig {
        speed_reference: SpeedReference::PreviousReply,
        too_early: TooEarly::Recorded,
        ..config
    };
    let mut bench = bench_with(habits);
    let id = bench.begin("never");
    assert_eq!(bench.poll_error(&id, 4), "authorization_pending");
    assert_eq!(bench.broken(), [Rule::TooEarly], "the acknowledgement is a reply");
    bench.pass(5);
    let request = bench.poll_request(&id);
    let (exchange, reply) = bench.provider.begin(request, bench.now);
    assert!(matches!(reply, Reply::Answer(_)));
    bench.pass(3);
    bench.provider.end(exchange, bench.now);
    bench.poll(&id, 4);
    assert_eq!(bench.broken(), [Rule::TooEarly]);
    bench.poll(&id, 5);
    assert_eq!(bench.broken(), []);
}

/// OP-45
#[test]
fn too_many_early_polls_end_the_transaction() {
    let mut bench = bench_with(|config| ProviderConfig { too_early: TooEarly::Death(1), ..config });
    let id = bench.begin("approve-after:9");
    bench.poll(&id, 5);
    assert_eq!(bench.poll_error(&id, 1), "authorization_pending");
    assert_eq!(bench.poll_error(&id, 1), "invalid_request");
    assert_eq!(bench.provider.transactions(bench.now)[0].state, TransactionState::Dead);
    assert_eq!(bench.broken(), [Rule::TooEarly]);
    bench.poll(&id, 5);
    assert_eq!(bench.broken(), [Rule::AfterTerminalAnswer]);
}

/// OP-46
#[test]
fn two_concurrent_polls_are_reported() {
    let mut bench = bench();
    let id = bench.begin("never");
    bench.pass(5);
    let (first, _) = bench.provider.begin(bench.poll_request(&id), bench.now);
    bench.pass(5);
    let (second, _) = bench.provider.begin(bench.poll_request(&id), bench.now);
    assert_eq!(bench.broken(), [Rule::Overlap]);
    bench.provider.end(first, bench.now);
    bench.provider.end(second, bench.now);
    bench.poll(&id, 5);
    assert_eq!(bench.broken(), []);
}

/// OP-47
#[test]
fn a_long_poll_is_answered_at_the_decision_or_at_its_time_out() {
    let mut bench = bench_with(|config| ProviderConfig {
        long_polling: Some(Duration::from_secs(30)),
        ..config
    });
    let id = bench.begin("manual");
    bench.pass(5);
    let (exchange, until) = held(&bench.provider.handle(bench.poll_request(&id), bench.now));
    assert_eq!(until, bench.now.saturating_add(Duration::from_secs(30)));
    bench.pass(10);
    let before = bench.provider.revision();
    assert!(matches!(bench.provider.resume(exchange, bench.now), Reply::Hold { .. }));
    assert!(bench.provider.approve(1, bench.now));
    assert_ne!(bench.provider.revision(), before);
    assert_eq!(bench.provider.resume(exchange, bench.now).into_answer().unwrap().status, 200);

    let id = bench.begin("manual");
    bench.pass(5);
    let (exchange, until) = held(&bench.provider.handle(bench.poll_request(&id), bench.now));
    bench.now = until;
    let answer = bench.provider.resume(exchange, bench.now).into_answer().unwrap();
    assert_eq!(read(&answer).1["error"], "authorization_pending");
    assert_eq!(bench.broken(), []);
}

/// OP-48
#[test]
fn a_poll_before_retry_after_is_reported() {
    // The first poll comes at 00:00:05.
    for field in ["12", "Tue, 01 Jan 2030 00:00:17 GMT"] {
        for (wait, broken) in [(11, vec![Rule::BeforeRetryAfter]), (12, vec![])] {
            let mut bench = bench();
            let busy = ScriptedAnswer::status(503).header("retry-after", field);
            bench.provider.script(Script::new().nth(Endpoint::Token, 1, Act::Answer(busy)));
            let id = bench.begin("never");
            assert_eq!(bench.poll(&id, 5).0, 503);
            bench.poll(&id, wait);
            assert_eq!(bench.broken(), broken, "{field} {wait}");
        }
    }
}

#[test]
fn scripted_responses_set_the_pace_that_polls_are_judged_by() {
    for (code, after) in
        [("access_denied", Rule::AfterTerminalAnswer), ("slow_down", Rule::TooEarly)]
    {
        let mut bench = bench();
        let answer = Act::Answer(ScriptedAnswer::error(400, code));
        bench.provider.script(Script::new().nth(Endpoint::Token, 2, answer));
        let id = bench.begin("never");
        bench.poll(&id, 5);
        assert_eq!(bench.poll_error(&id, 5), code);
        bench.poll(&id, 9);
        assert_eq!(bench.broken(), [after], "{code}");
    }
}

#[test]
fn a_request_that_is_never_answered_is_still_judged() {
    for act in [Act::DropBefore, Act::DropAfter] {
        let mut bench = bench();
        bench.provider.script(Script::new().nth(Endpoint::Token, 1, act));
        let id = bench.begin("never");
        bench.pass(5);
        assert_eq!(bench.provider.handle(bench.poll_request(&id), bench.now), Reply::Drop);
        bench.poll(&id, 1);
        assert_eq!(bench.broken(), [Rule::TooEarly]);
    }
}

/// OP-38
#[test]
fn tokens_whose_response_was_lost_are_not_issued_again() {
    let mut bench = bench();
    bench.provider.script(Script::new().nth(Endpoint::Token, 1, Act::DropAfter));
    let id = bench.begin("approve-after:0");
    bench.pass(5);
    assert_eq!(bench.provider.handle(bench.poll_request(&id), bench.now), Reply::Drop);
    assert_eq!(bench.poll_error(&id, 5), "invalid_grant");
    assert_eq!(bench.broken(), [], "the client could not know");
}

#[test]
fn scripts_can_delay_and_change_responses_and_decide() {
    let mut bench = bench();
    let script = Script::new()
        .nth(Endpoint::Token, 1, Act::Decide(Decision::Approve))
        .nth(Endpoint::Token, 1, Act::Delay(Duration::from_secs(29)))
        .token_response(
            Amendment::new()
                .remove("id_token")
                .set("scope", "openid")
                .raw_members("\"expires_in\":1e1,"),
        );
    bench.provider.script(script);
    let id = bench.begin("never");
    bench.pass(5);
    let (exchange, until) = held(&bench.provider.handle(bench.poll_request(&id), bench.now));
    assert_eq!(until.since(bench.now), Duration::from_secs(29));
    let answer = bench.provider.resume(exchange, until).into_answer().unwrap();
    let text = std::str::from_utf8(answer.body.expose()).unwrap().to_owned();
    assert!(text.starts_with("{\"expires_in\":1e1,") && text.contains("\"scope\":\"openid\""));
    assert!(!text.contains("id_token"));
}

#[test]
fn the_report_counts_and_names_each_finding() {
    let mut bench = bench();
    let id = bench.begin("approve-after:1");
    bench.poll(&id, 5);
    assert!(bench.provider.report().is_clean());
    assert_eq!(bench.poll_error(&id, 2), "slow_down");
    assert_eq!(bench.poll(&id, 10).0, 200);
    let report = bench.provider.report();
    assert_eq!((report.transactions, report.redeemed, report.violations.len()), (1, 1, 1));
    assert_eq!(report.violations[0].client_id.as_deref(), Some("app"));
    let text = report.to_string();
    assert!(text.contains("too-early: 3000 ms before the interval was over"), "{text}");
    assert!(!text.contains(&id) && !format!("{:?}", bench.provider.exchanges()).contains(&id));
}

/// A last poll shortly before the deadline may save a login. It comes before the interval is over,
/// but a report must not fail because of it.
#[test]
fn one_last_poll_before_the_deadline_is_advice_and_others_are_mistakes() {
    let severities = |bench: &Bench| -> Vec<Severity> {
        bench.provider.violations().iter().map(|violation| violation.severity).collect()
    };
    let mut bench = bench();
    let id = bench.begin("never");
    // It lives for 120 s.
    bench.poll(&id, 113);
    assert_eq!(bench.poll_error(&id, 3), "slow_down");
    assert_eq!(severities(&bench), [Severity::Advice], "{}", bench.provider.report());
    assert!(bench.provider.violations()[0].reason.contains("CIBA 7.3"));
    assert!(bench.provider.report().is_clean());
    bench.poll(&id, 1);
    assert_eq!(severities(&bench), [Severity::Advice, Severity::Mistake], "one of them");

    let mut bench = self::bench();
    let id = bench.begin("never");
    bench.poll(&id, 100);
    bench.poll(&id, 3);
    assert_eq!(severities(&bench), [Severity::Mistake], "long before");
}

/// RFC 9110 9.1, 9.3.7
#[test]
fn requests_without_a_body_such_as_get_and_head_break_no_rule() {
    let mut bench = bench();
    for path in ["/.well-known/openid-configuration", "/jwks"] {
        let head = Incoming { method: "HEAD".into(), ..Incoming::get(path) };
        assert_eq!(bench.send(head).status, 200, "{path}");
    }
    for path in ["/.well-known/openid-configuration", "/backchannel", "/token", "/userinfo"] {
        let options = Incoming { method: "OPTIONS".into(), ..Incoming::get(path) };
        let answer = bench.send(options);
        assert!(answer.status == 204 && answer.headers.get("allow").is_some(), "{path}");
    }
    assert!(bench.provider.violations().is_empty(), "{}", bench.provider.report());
    let delete = Incoming { method: "DELETE".into(), ..Incoming::get("/token") };
    assert_eq!(bench.send(delete).status, 405);
    assert_eq!(bench.provider.violations().len(), 1);
}
