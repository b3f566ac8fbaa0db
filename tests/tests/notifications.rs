//! What a flow does with what arrives at the notification endpoint, rule by rule (CIBA 9, 10.2, 10.3, 12).
#![allow(missing_docs)]

use std::{sync::Arc, time::Duration};

use ciba_core::{
    Acknowledgement, AuthRequest, BadNotification, Because, Body, ClientAuth, ClientConfig, ClientId, DeliveryMode,
    Endpoint, Entropy, Failure, Flow, Headers, Hint, Issuer, LostAnswer, Notification, Output, Policy,
    ProviderMetadata, Request, Response, Stage, Timestamp, TransmitTicket, Unanswered, Untrusted, Url,
    jose::{JwsAlgorithm, KeySet},
};
use ciba_tests::cheap::{self, Cheap};
use serde_json::{Value, json};

const START: Timestamp = Timestamp::from_unix_secs(1_893_456_000);
const ISSUER: &str = "https://op.example";
const ID: &str = "id-of-this-request-0123456789";
const OTHER_ID: &str = "id-of-another-request-01234567";

fn config(mode: DeliveryMode, policy: Policy) -> Arc<ClientConfig> {
    let url = |path: &str| Url::parse(&format!("{ISSUER}{path}")).unwrap();
    let mut provider = ProviderMetadata::by_hand(Issuer::parse(ISSUER).unwrap());
    provider.backchannel_authentication_endpoint = Some(url("/ciba"));
    provider.token_endpoint = Some(url("/token"));
    provider.jwks_uri = Some(url("/jwks"));
    let mut builder = ClientConfig::builder(provider, ClientId::new("client-1").unwrap())
        .client_auth(ClientAuth::ClientSecretPost { secret: "a secret of the client".into() })
        .delivery(mode)
        .id_token_algorithm(JwsAlgorithm::EdDsa)
        .verifier(Arc::new(Cheap))
        .policy(policy);
    if mode != DeliveryMode::Poll {
        builder = builder.notification_endpoint(Url::parse("https://client.example/notify").unwrap());
    }
    builder.build().unwrap()
}

/// One flow, its clock, and the token it handed out.
struct Case {
    flow: Flow,
    now: Timestamp,
    seed: u8,
    token: String,
}

impl Case {
    fn with(mode: DeliveryMode, policy: Policy, request: AuthRequest) -> Self {
        let flow = Flow::start(config(mode, policy), request, Entropy::from_bytes([1; 32]), START).unwrap();
        Self { flow, now: START, seed: 1, token: String::new() }
    }

    fn new(mode: DeliveryMode) -> Self {
        Self::with(mode, Policy::default(), AuthRequest::new(Hint::Login("somebody".into())))
    }

    /// The authentication request is out.
    fn asked(mode: DeliveryMode) -> (Self, TransmitTicket) {
        let mut case = Self::new(mode);
        let (request, ticket) = case.next_request().expect("the authentication request");
        case.token = parameter(&request, "client_notification_token").expect("a token is handed out");
        (case, ticket)
    }

    /// The acknowledgement is there: five minutes, an interval of five seconds.
    fn acknowledged(mode: DeliveryMode) -> Self {
        let (mut case, ticket) = Self::asked(mode);
        case.acknowledge(ticket, ID);
        case
    }

    fn acknowledge(&mut self, ticket: TransmitTicket, id: &str) {
        let body = json!({"auth_req_id": id, "expires_in": 300, "interval": 5}).to_string();
        self.answer(ticket, 200, &body);
    }

    fn answer(&mut self, ticket: TransmitTicket, status: u16, body: &str) {
        self.flow.handle(ticket.answered(Response::json(status, body)), self.now).unwrap();
    }

    fn poll(&mut self) -> Output {
        self.seed = self.seed.wrapping_add(1);
        self.flow.poll(self.now, Entropy::from_bytes([self.seed; 32]))
    }

    /// The next request, waits waited for; `None` when the flow ends without one.
    fn next_request(&mut self) -> Option<(Request, TransmitTicket)> {
        loop {
            match self.poll() {
                Output::Transmit(transmit) => return Some(transmit.into_parts()),
                Output::Wait(wait) => self.now = wait.until(),
                Output::KeySet(request) => {
                    let keys = json!({"keys": [cheap::jwk("k", &cheap::key(1))]}).to_string();
                    let keys = KeySet::pinned(&Issuer::parse(ISSUER).unwrap(), keys.as_bytes(), &Cheap).unwrap();
                    self.flow.handle(request.found(keys), self.now).unwrap();
                }
                Output::Key(_) | Output::Done => return None,
            }
        }
    }

    fn advance(&mut self, by: Duration) {
        self.now = self.now.saturating_add(by);
    }

    fn call(&self, token: &str, media_type: &str, body: &str) -> Notification {
        let authorization = format!("Bearer {token}");
        let headers: Headers =
            [("Authorization", authorization.as_str()), ("Content-Type", media_type)].into_iter().collect();
        Notification::receive("POST", &headers, Body::from(body)).unwrap()
    }

    fn notify(&mut self, body: &Value) -> Acknowledgement {
        let call = self.call(&self.token, "application/json", &body.to_string());
        self.flow.notify(&call, self.now)
    }

    fn ping(&mut self) -> Acknowledgement {
        self.notify(&json!({"auth_req_id": ID}))
    }

    fn verdict(mut self) -> Result<(), Failure> {
        assert!(self.next_request().is_none(), "no further request");
        self.flow.finish().map(|_| ())
    }
}

fn parameter(request: &Request, name: &str) -> Option<String> {
    let body = std::str::from_utf8(request.body.expose()).unwrap();
    let pair = body.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")))?;
    Some(pair.to_owned())
}

fn id_token(at: Timestamp, more: &Value) -> String {
    let mut claims = json!({
        "iss": ISSUER, "sub": "person", "aud": "client-1", "iat": at.unix_secs(), "exp": at.unix_secs() + 300,
    });
    for (name, value) in more.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    cheap::jws(&json!({"alg": "EdDSA", "kid": "k"}), &claims, &cheap::key(1))
}

const AUTH_REQ_ID_CLAIM: &str = "urn:openid:params:jwt:claim:auth_req_id";
const RT_HASH_CLAIM: &str = "urn:openid:params:jwt:claim:rt_hash";

/// A push in which everything is bound, with changes of the ID Token's claims.
fn push_with(at: Timestamp, claims: &Value) -> Value {
    let mut bound = json!({
        AUTH_REQ_ID_CLAIM: ID, "at_hash": cheap::half_hash("access"), RT_HASH_CLAIM: cheap::half_hash("refresh"),
    });
    bound.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    json!({
        "auth_req_id": ID, "access_token": "access", "token_type": "Bearer", "refresh_token": "refresh",
        "expires_in": 3600, "id_token": id_token(at, &bound), "unknown": {"kept": true},
    })
}

fn push(at: Timestamp) -> Value {
    push_with(at, &json!({}))
}

const PENDING: &str = r#"{"error":"authorization_pending"}"#;

fn tokens(at: Timestamp) -> String {
    json!({"access_token": "access", "token_type": "Bearer", "id_token": id_token(at, &json!({}))}).to_string()
}

/// REQ-AREQ-14
/// REQ-FAPI-28
/// OPM-REQ-09
#[test]
fn every_request_hands_out_a_bearer_token_of_its_own_with_more_than_128_random_bits() {
    let (case, _) = Case::asked(DeliveryMode::Ping);
    assert!((22 + 43..=1024).contains(&case.token.len()));
    assert!(case.token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    let other = |seed| {
        let request = AuthRequest::new(Hint::Login("somebody".into()));
        let config = config(DeliveryMode::Push, Policy::default());
        let mut flow = Flow::start(config, request, Entropy::from_bytes([seed; 32]), START).unwrap();
        let Output::Transmit(transmit) = flow.poll(START, Entropy::from_bytes([9; 32])) else { panic!() };
        (parameter(&transmit.into_parts().0, "client_notification_token").unwrap(), flow.notification_key().unwrap())
    };
    let ((token, key), (same_token, same_key), (another, another_key)) = (other(1), other(1), other(2));
    assert_eq!((&token, key), (&same_token, same_key), "from the entropy of the start alone");
    assert_ne!(token, another);
    assert_ne!(key, another_key);
}

/// REQ-META-05
/// REQ-PING-19
#[test]
fn a_poll_client_hands_out_no_token_and_takes_no_notification() {
    let mut case = Case::new(DeliveryMode::Poll);
    let (request, ticket) = case.next_request().unwrap();
    assert_eq!(parameter(&request, "client_notification_token"), None);
    assert_eq!(case.flow.notification_key(), None);
    case.acknowledge(ticket, ID);
    let revision = case.flow.revision();
    case.token = "any".into();
    assert_eq!(case.ping(), Acknowledgement::Unauthorized);
    assert_eq!((case.flow.stage(), case.flow.revision()), (Stage::Pending, revision));
}

/// REQ-PING-02
/// REQ-PING-03
/// REQ-PING-13
/// REQ-PUSH-01
/// REQ-PUSH-05
/// OPM-PNG-02
/// OPM-PNG-04
/// OPM-PNG-15
/// OPM-PSH-05
#[test]
fn a_wrong_token_and_a_wrong_id_are_refused_alike_and_change_nothing() {
    for mode in [DeliveryMode::Ping, DeliveryMode::Push] {
        let mut case = Case::acknowledged(mode);
        let good = if mode == DeliveryMode::Ping { json!({"auth_req_id": ID}) } else { push(case.now) };
        let mut wrong = good.clone();
        wrong["auth_req_id"] = OTHER_ID.into();
        let token = case.token.clone();
        let swapped: String =
            token.chars().map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c }).collect();
        let last = if token.ends_with('A') { "B" } else { "A" };
        let changed = format!("{}{last}", &token[..token.len() - 1]);
        let before = (case.flow.revision(), case.flow.stage());
        for (token, body) in [
            (format!("{token}x"), &good),
            (token[..token.len() - 1].to_owned(), &good),
            (token[..22].to_owned(), &good),
            (swapped, &good),
            (changed, &good),
            ("foreign".into(), &good),
            (token, &wrong),
        ] {
            let call = case.call(&token, "application/json", &body.to_string());
            let answer = case.flow.notify(&call, case.now);
            assert_eq!(answer, Acknowledgement::Unauthorized, "{mode:?} {token}");
            assert_eq!(answer.reply(), BadNotification::Authorization.reply(), "not to be told apart");
        }
        assert_eq!((case.flow.revision(), case.flow.stage()), before);
    }
}

/// REQ-PING-12
/// REQ-PUSH-02
/// REQ-PUSH-03
/// REQ-PUSH-04
/// OPM-PNG-09
#[test]
fn a_body_that_is_no_notification_is_refused_and_changes_nothing() {
    let deep = "[".repeat(1000);
    let ping = [
        "",
        "x",
        "[]",
        "null",
        "{}",
        r#"{"auth_req_id":""}"#,
        r#"{"auth_req_id":7}"#,
        r#"{"auth_req_id":null}"#,
        r#"{"auth_req_id":"a","auth_req_id":"b"}"#,
        r#"{"auth_req_id":"a"} x"#,
        &deep,
    ];
    let mut pushes: Vec<Value> = Vec::new();
    for member in ["access_token", "token_type", "id_token", "auth_req_id"] {
        for value in [Value::Null, json!(""), json!(5)] {
            let mut body = push(START);
            body[member] = value;
            pushes.push(body);
        }
    }
    let mut both = push(START);
    both["error"] = "access_denied".into();
    pushes.push(both);
    pushes.push(json!({"error": "access_denied"}));
    pushes.push(json!({"error": "", "auth_req_id": ID}));
    for mode in [DeliveryMode::Ping, DeliveryMode::Push] {
        let mut case = Case::acknowledged(mode);
        let revision = case.flow.revision();
        let refused = |case: &mut Case, body: &str| {
            let call = case.call(&case.token, "application/json", body);
            assert_eq!(case.flow.notify(&call, case.now), Acknowledgement::Malformed, "{mode:?} {body}");
        };
        ping.iter().for_each(|body| refused(&mut case, body));
        if mode == DeliveryMode::Push {
            pushes.iter().for_each(|body| refused(&mut case, &body.to_string()));
        }
        let call = case.call(&case.token, "text/plain", &json!({"auth_req_id": ID}).to_string());
        assert_eq!(case.flow.notify(&call, case.now), Acknowledgement::UnsupportedMediaType);
        assert_eq!((case.flow.revision(), case.flow.stage()), (revision, Stage::Pending));
    }
}

/// REQ-PING-20
#[test]
fn a_ping_has_16_kib_and_a_wrong_token_is_found_before_its_size() {
    let mut case = Case::acknowledged(DeliveryMode::Ping);
    let body = |length: usize| {
        let text = json!({"auth_req_id": ID, "more": ""}).to_string();
        text.replace("\"\"", &format!("\"{}\"", "x".repeat(length - text.len())))
    };
    let call = case.call(&case.token, "application/json", &body(16 * 1024 + 1));
    assert_eq!(case.flow.notify(&call, case.now), Acknowledgement::TooLarge);
    let call = case.call("foreign", "application/json", &body(16 * 1024 + 1));
    assert_eq!(case.flow.notify(&call, case.now), Acknowledgement::Unauthorized);
    let call = case.call(&case.token, "application/json", &body(16 * 1024));
    assert_eq!(case.flow.notify(&call, case.now), Acknowledgement::Accepted);
}

/// REQ-PING-01
/// REQ-PING-05
/// REQ-PING-08
/// REQ-PING-11
/// OPM-PNG-01
/// OPM-PNG-08
#[test]
fn a_ping_is_answered_204_and_the_token_request_follows_at_once() {
    let mut case = Case::acknowledged(DeliveryMode::Ping);
    case.advance(Duration::from_secs(1));
    let Output::Wait(wait) = case.poll() else { panic!("nothing is due") };
    assert_eq!(*wait.because(), Because::Notification);
    let body = json!({"auth_req_id": ID, "access_token": "ignored", "id_token": "ignored", "error": "ignored"});
    let answer = case.notify(&body);
    assert_eq!((answer, answer.reply().status, answer.reply().header), (Acknowledgement::Accepted, 204, None));
    let (at, (request, ticket)) = (case.now, case.next_request().unwrap());
    assert_eq!(case.now, at, "the rest of the interval need not be waited for");
    assert_eq!(request.url.as_str(), format!("{ISSUER}/token"));
    assert_eq!(parameter(&request, "auth_req_id").as_deref(), Some(ID));
    let body = tokens(case.now);
    case.answer(ticket, 200, &body);
    assert_eq!(case.verdict(), Ok(()));
}

/// REQ-PING-09
/// OPM-PNG-14
#[test]
fn a_ping_says_nothing_about_success() {
    let mut case = Case::acknowledged(DeliveryMode::Ping);
    assert_eq!(case.ping(), Acknowledgement::Accepted);
    let (_, ticket) = case.next_request().unwrap();
    case.answer(ticket, 400, r#"{"error":"access_denied"}"#);
    assert!(matches!(case.verdict(), Err(Failure::Denied(_))));
}

/// REQ-PING-15
/// REQ-PING-17
/// OPM-PNG-13
#[test]
fn only_the_first_ping_skips_the_wait_and_then_the_interval_counts() {
    let mut case = Case::acknowledged(DeliveryMode::Ping);
    assert_eq!(case.ping(), Acknowledgement::Accepted);
    let revision = case.flow.revision();
    for _ in 0..5 {
        assert_eq!(case.ping(), Acknowledgement::Known);
    }
    assert_eq!(case.flow.revision(), revision, "nothing to save");
    for _ in 0..3 {
        let (_, ticket) = case.next_request().unwrap();
        case.answer(ticket, 400, PENDING);
        let at = case.now;
        assert_eq!(case.ping(), Acknowledgement::Known);
        let (_, ticket) = case.next_request().unwrap();
        let waited = case.now.since(at);
        assert!((Duration::from_secs(5)..Duration::from_secs(6)).contains(&waited), "{waited:?}");
        case.answer(ticket, 400, PENDING);
    }
}

/// OPM-PNG-16
#[test]
fn a_ping_during_a_request_makes_one_more_after_a_pending_answer_and_never_two_at_once() {
    for (status, answer, at_once) in [(400, PENDING, true), (400, r#"{"error":"slow_down"}"#, false), (503, "", false)]
    {
        let mut case = Case::acknowledged(DeliveryMode::Ping);
        let (_, ticket) = case.next_request().expect("the backstop asks by itself");
        assert_eq!(case.ping(), Acknowledgement::Accepted);
        assert!(matches!(case.poll(), Output::Wait(wait) if *wait.because() == Because::InFlight));
        let at = case.now;
        case.answer(ticket, status, answer);
        let (_, ticket) = case.next_request().unwrap();
        assert_eq!(case.now == at, at_once, "{answer}");
        let at = case.now;
        case.answer(ticket, 400, PENDING);
        assert!(case.next_request().is_some());
        assert!(case.now.since(at) >= Duration::from_secs(5), "skipped once only");
    }
}

/// REQ-PING-16
/// REQ-POLL-24
/// OPM-PNG-06
#[test]
fn without_a_ping_a_flow_asks_every_minute_and_once_shortly_before_the_deadline() {
    let mut case = Case::acknowledged(DeliveryMode::Ping);
    let mut asked = Vec::new();
    while let Some((_, ticket)) = case.next_request() {
        asked.push(case.now.since(START).as_secs());
        case.answer(ticket, 400, PENDING);
    }
    assert_eq!(asked, [60, 120, 180, 240, 295]);
    assert!(matches!(case.flow.finish(), Err(Failure::Expired(None))));

    let mut policy = Policy::default();
    policy.ping_backstop = false;
    let mut case = Case::with(DeliveryMode::Ping, policy, AuthRequest::new(Hint::Login("somebody".into())));
    let (_, ticket) = case.next_request().unwrap();
    case.acknowledge(ticket, ID);
    assert!(case.next_request().is_none());
    assert!(matches!(case.flow.finish(), Err(Failure::Expired(None))));
}

/// REQ-PING-10
#[test]
fn a_ping_after_the_deadline_is_answered_204_and_nothing_is_asked() {
    let mut case = Case::acknowledged(DeliveryMode::Ping);
    case.advance(Duration::from_secs(300));
    assert_eq!(case.ping().reply().status, 204);
    assert!(matches!(case.verdict(), Err(Failure::Expired(None))));
}

/// REQ-PING-10
/// REQ-PING-15
/// REQ-PUSH-18
/// REQ-PUSH-26
/// OPM-PNG-05
#[test]
fn a_flow_that_is_over_answers_204_until_a_minute_after_its_deadline_and_401_then() {
    for mode in [DeliveryMode::Ping, DeliveryMode::Push] {
        let mut case = Case::acknowledged(mode);
        let body = if mode == DeliveryMode::Ping { json!({"auth_req_id": ID}) } else { push(case.now) };
        assert_eq!(case.notify(&body), Acknowledgement::Accepted);
        if mode == DeliveryMode::Ping {
            let (_, ticket) = case.next_request().unwrap();
            let body = tokens(case.now);
            case.answer(ticket, 200, &body);
        }
        assert!(case.next_request().is_none());
        assert_eq!(case.flow.stage(), Stage::Settled);
        let spent = case.flow.spent_key().expect("the flow is over");
        assert_eq!(spent.key(), case.flow.notification_key());
        assert_eq!(spent.until(), START.saturating_add(Duration::from_secs(360)));
        let mut other = body.clone();
        other["access_token"] = "another".into();
        for body in [&body, &other] {
            assert_eq!(case.notify(body), Acknowledgement::Known, "{mode:?}");
            let call = case.call(&case.token, "application/json", &body.to_string());
            assert_eq!(spent.notify(&call, spent.until()), Acknowledgement::Known);
            let late = spent.until().saturating_add(Duration::from_millis(1));
            assert_eq!(spent.notify(&call, late), Acknowledgement::Unauthorized);
        }
        let call = case.call(&format!("{}x", case.token), "application/json", &body.to_string());
        assert_eq!(spent.notify(&call, case.now), Acknowledgement::Unauthorized);
        let call = case.call(&case.token, "application/json", &json!({"auth_req_id": OTHER_ID}).to_string());
        assert_eq!(spent.notify(&call, case.now), Acknowledgement::Unauthorized);
        assert_eq!(case.flow.finish().unwrap().access_token().expose(), "access", "as first delivered");
    }
}

/// REQ-PING-14
#[test]
fn a_notification_that_overtakes_the_acknowledgement_counts_when_the_acknowledgement_names_the_same_request() {
    for restarted in [false, true] {
        for mode in [DeliveryMode::Ping, DeliveryMode::Push] {
            for id in [ID, OTHER_ID] {
                let (mut case, ticket) = Case::asked(mode);
                let body = if mode == DeliveryMode::Ping { json!({"auth_req_id": ID}) } else { push(case.now) };
                assert_eq!(case.notify(&body), Acknowledgement::Accepted);
                assert_eq!(case.notify(&body), Acknowledgement::Known);
                if restarted {
                    let saved = case.flow.snapshot();
                    case.flow = Flow::resume(Arc::clone(case.flow.config()), saved.as_bytes(), case.now).unwrap();
                } else {
                    case.advance(Duration::from_secs(1));
                    case.acknowledge(ticket, id);
                }
                let is_ours = restarted || id == ID;
                match (mode, is_ours) {
                    (DeliveryMode::Ping, true) => {
                        let at = case.now;
                        let (_, ticket) = case.next_request().expect("due at once");
                        assert_eq!(case.now, at);
                        let body = tokens(case.now);
                        case.answer(ticket, 200, &body);
                        assert_eq!(case.verdict(), Ok(()));
                    }
                    (_, true) => assert_eq!(case.verdict(), Ok(())),
                    (_, false) => {
                        assert_eq!(case.flow.stage(), Stage::Pending);
                        assert!(matches!(case.poll(), Output::Wait(wait) if *wait.because() == Because::Notification));
                    }
                }
            }
        }
    }
}

#[test]
fn a_few_early_notifications_with_different_ids_are_kept_and_no_more() {
    let (mut case, ticket) = Case::asked(DeliveryMode::Ping);
    for number in 0..3 {
        assert_eq!(case.notify(&json!({"auth_req_id": format!("{number}")})), Acknowledgement::Accepted);
    }
    assert_eq!(case.ping(), Acknowledgement::Accepted);
    for number in 3..100 {
        assert_eq!(case.notify(&json!({"auth_req_id": format!("{number}")})), Acknowledgement::Unauthorized);
    }
    case.acknowledge(ticket, ID);
    let at = case.now;
    assert!(case.next_request().is_some());
    assert_eq!(case.now, at, "ours was among them");
}

/// REQ-AREQ-30
#[test]
fn a_lost_acknowledgement_leaves_ping_and_push_adrift_until_a_notification_names_the_request() {
    for mode in [DeliveryMode::Ping, DeliveryMode::Push] {
        for restarted in [false, true] {
            let (mut case, ticket) = Case::asked(mode);
            if restarted {
                let saved = case.flow.snapshot();
                case.flow = Flow::resume(Arc::clone(case.flow.config()), saved.as_bytes(), case.now).unwrap();
            } else {
                case.flow.handle(ticket.unanswered(Unanswered::Lost), case.now).unwrap();
            }
            assert_eq!(case.flow.stage(), Stage::Adrift);
            assert!(matches!(case.poll(), Output::Wait(wait) if *wait.because() == Because::Adrift));
            case.advance(Duration::from_secs(599));
            let body = if mode == DeliveryMode::Ping { json!({"auth_req_id": ID}) } else { push(case.now) };
            assert_eq!(case.notify(&body), Acknowledgement::Accepted);
            assert_eq!(case.notify(&body), Acknowledgement::Known);
            assert_eq!(case.notify(&json!({"auth_req_id": OTHER_ID})).reply().status, 401);
            if mode == DeliveryMode::Ping {
                let (request, ticket) = case.next_request().unwrap();
                assert_eq!(parameter(&request, "auth_req_id").as_deref(), Some(ID));
                let body = tokens(case.now);
                case.answer(ticket, 200, &body);
            }
            assert_eq!(case.verdict(), Ok(()), "{mode:?}");
        }
    }
}

/// REQ-AREQ-30
#[test]
fn a_flow_adrift_ends_with_an_unknown_outcome_and_asks_nothing_again() {
    for (asked, lasts) in [(None, 600), (Some(90), 90)] {
        let mut request = AuthRequest::new(Hint::Login("somebody".into()));
        if let Some(seconds) = asked {
            request = request.requested_expiry(Duration::from_secs(seconds));
        }
        let mut case = Case::with(DeliveryMode::Ping, Policy::default(), request);
        let (_, ticket) = case.next_request().unwrap();
        // A gateway's own answer says as little as none.
        case.answer(ticket, 502, "");
        assert!(case.next_request().is_none());
        assert_eq!(case.now.since(START).as_secs(), lasts);
        let Err(Failure::Indeterminate(reason)) = case.flow.finish() else { panic!() };
        assert_eq!(reason.lost, LostAnswer::AuthenticationRequest);
        assert_eq!(reason.answer.unwrap().status(), 502);
    }
}

#[test]
fn an_acknowledgement_that_comes_late_ends_the_drifting() {
    let (mut case, ticket) = Case::asked(DeliveryMode::Push);
    case.advance(Duration::from_secs(31));
    assert!(matches!(case.poll(), Output::Wait(wait) if *wait.because() == Because::Adrift));
    case.acknowledge(ticket, ID);
    assert_eq!(case.flow.stage(), Stage::Pending);
    assert_eq!(case.flow.acknowledged().unwrap().expires_in, Duration::from_secs(300));
    assert_eq!(case.notify(&json!({"auth_req_id": OTHER_ID})), Acknowledgement::Unauthorized);
    let body = push(case.now);
    assert_eq!(case.notify(&body), Acknowledgement::Accepted);
    assert_eq!(case.verdict(), Ok(()));
}

/// REQ-PUSH-02
/// REQ-PUSH-06
/// REQ-PUSH-14
/// REQ-PUSH-19
/// REQ-PUSH-25
/// OPM-PSH-01
/// OPM-PSH-08
#[test]
fn a_push_is_answered_204_verified_and_delivered_once_without_a_token_request() {
    let mut case = Case::acknowledged(DeliveryMode::Push);
    let body = push(case.now);
    let answer = case.notify(&body);
    assert_eq!((answer, answer.reply().status), (Acknowledgement::Accepted, 204));
    assert_eq!(case.flow.stage(), Stage::Verifying);
    assert!(case.next_request().is_none());
    let authentication = case.flow.finish().unwrap();
    assert_eq!(authentication.access_token().expose(), "access");
    assert_eq!(authentication.refresh_token().unwrap().expose(), "refresh");
    assert!(authentication.extra().get("unknown").is_some());
}

/// REQ-POLL-23
/// REQ-META-03
/// REQ-PUSH-19
/// OPM-PSH-08
#[test]
fn a_push_client_never_calls_the_token_endpoint_and_expires_after_its_grace() {
    let mut case = Case::acknowledged(DeliveryMode::Push);
    assert!(case.next_request().is_none());
    assert_eq!(case.now.since(START).as_secs(), 360);
    assert!(matches!(case.flow.finish(), Err(Failure::Expired(None))));
}

/// REQ-PUSH-26
#[test]
fn a_push_is_taken_until_a_minute_after_the_deadline() {
    for (seconds, taken) in [(299, true), (359, true), (361, false)] {
        let mut case = Case::acknowledged(DeliveryMode::Push);
        case.advance(Duration::from_secs(seconds));
        let body = push(case.now);
        let answer = case.notify(&body);
        assert_eq!(answer == Acknowledgement::Accepted, taken, "{seconds}");
        assert_eq!(case.verdict().is_ok(), taken);
        assert_eq!(answer.reply().status, if taken { 204 } else { 401 });
    }
}

/// REQ-PUSH-06
/// REQ-PUSH-08
/// REQ-PUSH-09
/// REQ-PUSH-10
/// REQ-PUSH-11
/// REQ-PUSH-13
/// OPM-PSH-02
/// OPM-PSH-03
/// OPM-PSH-04
/// OPM-PSH-07
#[test]
fn a_push_whose_id_token_is_not_bound_to_it_ends_the_flow_untrusted() {
    let changed = |member: &str, value: Value| {
        let mut body = push(START);
        body[member] = value;
        body
    };
    let claim = |name: &str, value: Value| push_with(START, &json!({name: value}));
    let mut unsigned = push(START);
    let compact = unsigned["id_token"].as_str().unwrap().to_owned();
    unsigned["id_token"] = format!("{}.{}", compact.rsplit_once('.').unwrap().0, "AAAA").into();
    let full_hash = cheap::half_hash("access").repeat(2);
    for (body, check) in [
        (claim(AUTH_REQ_ID_CLAIM, Value::Null), Untrusted::AuthReqId),
        (claim(AUTH_REQ_ID_CLAIM, OTHER_ID.into()), Untrusted::AuthReqId),
        (claim(AUTH_REQ_ID_CLAIM, json!([ID])), Untrusted::AuthReqId),
        (claim("at_hash", Value::Null), Untrusted::AccessTokenHash),
        (claim("at_hash", cheap::half_hash("other").into()), Untrusted::AccessTokenHash),
        (claim("at_hash", full_hash.into()), Untrusted::AccessTokenHash),
        (changed("access_token", "accesS".into()), Untrusted::AccessTokenHash),
        (claim(RT_HASH_CLAIM, Value::Null), Untrusted::RefreshTokenHash),
        (claim(RT_HASH_CLAIM, cheap::half_hash("other").into()), Untrusted::RefreshTokenHash),
        (changed("refresh_token", "refresH".into()), Untrusted::RefreshTokenHash),
        // Somebody took the refresh token out.
        (changed("refresh_token", Value::Null), Untrusted::RefreshTokenHash),
        (claim("aud", "client-2".into()), Untrusted::Audience),
        (claim("iss", format!("{ISSUER}/").into()), Untrusted::Issuer),
        (claim("exp", (START.unix_secs() - 61).into()), Untrusted::Expiry),
        (unsigned, Untrusted::Signature),
    ] {
        let mut case = Case::acknowledged(DeliveryMode::Push);
        assert_eq!(case.notify(&body), Acknowledgement::Accepted, "it is owned first");
        let verdict = case.verdict();
        assert_eq!(verdict, Err(Failure::Untrusted(check)));
    }
}

/// Ruling 10: the one waiver, which has no part in `at_hash`.
///
/// REQ-PUSH-08
/// REQ-PUSH-09
/// REQ-PUSH-10
#[test]
fn a_provider_may_be_allowed_to_leave_two_bindings_out_but_not_to_get_them_wrong() {
    let mut policy = Policy::default();
    policy.dangerously_allow_missing_push_bindings = true;
    for (claims, verdict) in [
        (json!({AUTH_REQ_ID_CLAIM: null, RT_HASH_CLAIM: null}), Ok(())),
        (json!({AUTH_REQ_ID_CLAIM: OTHER_ID}), Err(Untrusted::AuthReqId)),
        (json!({RT_HASH_CLAIM: cheap::half_hash("other")}), Err(Untrusted::RefreshTokenHash)),
        (json!({"at_hash": null}), Err(Untrusted::AccessTokenHash)),
    ] {
        let request = AuthRequest::new(Hint::Login("somebody".into()));
        let mut case = Case::with(DeliveryMode::Push, policy.clone(), request);
        let (request, ticket) = case.next_request().unwrap();
        case.token = parameter(&request, "client_notification_token").unwrap();
        case.acknowledge(ticket, ID);
        let body = push_with(case.now, &claims);
        assert_eq!(case.notify(&body), Acknowledgement::Accepted);
        assert_eq!(case.verdict(), verdict.map_err(Failure::Untrusted), "{claims}");
    }
}

/// REQ-PUSH-03
/// REQ-PUSH-21
/// REQ-PUSH-22
/// REQ-PUSH-23
/// REQ-PUSH-24
/// OPM-PSH-06
#[test]
fn a_pushed_error_ends_the_flow_as_what_it_says() {
    for (code, name) in [
        ("access_denied", "denied"),
        ("expired_token", "expired"),
        ("transaction_failed", "refused"),
        ("invalid_grant", "refused"),
        ("made_up", "refused"),
    ] {
        let mut case = Case::acknowledged(DeliveryMode::Push);
        let body = json!({"error": code, "error_description": "words", "auth_req_id": ID});
        assert_eq!(case.notify(&body), Acknowledgement::Accepted);
        assert_eq!(case.notify(&body), Acknowledgement::Known);
        let failure = case.verdict().unwrap_err();
        assert_eq!(failure.name(), name, "{code}");
        let answer = failure.server_answer().expect("the provider's words are kept");
        assert_eq!((answer.endpoint(), answer.code().unwrap().name()), (Endpoint::Notification, code));
        assert_eq!(answer.description(), Some("words"));
        assert!(answer.extra().get("auth_req_id").is_none());
    }
}

/// REQ-PING-19
#[test]
fn a_push_client_does_not_take_a_ping_for_a_result() {
    let mut case = Case::acknowledged(DeliveryMode::Push);
    assert_eq!(case.ping(), Acknowledgement::Malformed);
    assert_eq!(case.flow.stage(), Stage::Pending);
}

#[test]
fn nothing_of_a_notification_or_its_key_shows_in_debug() {
    let mut case = Case::acknowledged(DeliveryMode::Push);
    let body = push(case.now);
    let call = case.call(&case.token, "application/json", &body.to_string());
    let key = call.key().unwrap();
    assert_eq!(case.flow.notification_key(), Some(key));
    let _ = case.flow.notify(&call, case.now);
    assert!(case.next_request().is_none());
    let shown = format!("{call:?} {key:?} {:?} {:?}", case.flow, case.flow.spent_key());
    for secret in [case.token.as_str(), &case.token[..22], ID, "access", "refresh"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
