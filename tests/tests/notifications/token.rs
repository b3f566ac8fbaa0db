//! The authentication of notifications, and the answers to unauthenticated ones.

use super::*;

/// REQ-AREQ-12
/// REQ-AREQ-14
/// REQ-AREQ-15
/// REQ-AREQ-17
/// REQ-FAPI-28
/// OPM-REQ-09
#[test]
fn every_request_has_a_unique_bearer_token_of_more_than_128_random_bits() {
    let (case, _) = Case::asked(DeliveryMode::Ping);
    assert!((22 + 43..=1024).contains(&case.token.len()));
    assert!(case.token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    let other = |seed| {
        let request = AuthRequest::new(Hint::Login("somebody".into()));
        let config = config(DeliveryMode::Push, Policy::default());
        let mut flow =
            Flow::start(config, request, Entropy::from_bytes([seed; 32]), START).unwrap();
        let Output::Transmit(transmit) = flow.poll(START, Entropy::from_bytes([9; 32])) else {
            panic!()
        };
        let sending = flow.begin(transmit, START).unwrap();
        (
            parameter(sending.request(), "client_notification_token").unwrap(),
            flow.notification_key().unwrap(),
        )
    };
    let ((token, key), (same_token, same_key), (another, another_key)) =
        (other(1), other(1), other(2));
    assert_eq!(
        (&token, key),
        (&same_token, same_key),
        "derived only from the entropy of the start"
    );
    assert_ne!(token, another);
    assert_ne!(key, another_key);
}

/// REQ-SEC-05a
/// REQ-AREQ-16
#[test]
fn ten_thousand_tokens_are_all_different() {
    let config = config(DeliveryMode::Ping, Policy::default());
    let mut seen = std::collections::HashSet::new();
    for number in 0..10_000_u32 {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        let request = AuthRequest::new(Hint::Login("somebody".into()));
        let mut flow =
            Flow::start(Arc::clone(&config), request, Entropy::from_bytes(bytes), START).unwrap();
        let Output::Transmit(transmit) = flow.poll(START, Entropy::from_bytes([9; 32])) else {
            panic!()
        };
        let sending = flow.begin(transmit, START).unwrap();
        let token = parameter(sending.request(), "client_notification_token").unwrap();
        assert!(seen.insert(token[22..].to_owned()), "the secret part alone");
    }
}

/// REQ-AREQ-18
#[test]
fn the_token_is_in_the_snapshot_before_the_request_leaves() {
    let mut case = Case::new(DeliveryMode::Push);
    let saved = case.flow.snapshot();
    let (request, ticket) = case.next_request().unwrap();
    drop(ticket);
    let mut again =
        Flow::resume(Arc::clone(case.flow.config()), saved.as_bytes(), START).unwrap().in_memory();
    assert_eq!(again.notification_key(), case.flow.notification_key());
    let Output::Transmit(transmit) = again.poll(START, Entropy::from_bytes([77; 32])) else {
        panic!()
    };
    let token = |request: &Request| parameter(request, "client_notification_token");
    let sending = again.begin(transmit, START).unwrap();
    assert_eq!(
        token(sending.request()),
        token(&request),
        "no new one, because the first would be lost"
    );
}

/// REQ-AERR-19
#[test]
fn the_token_of_a_refused_request_is_not_accepted() {
    let (mut case, ticket) = Case::asked(DeliveryMode::Ping);
    case.answer(ticket, 400, r#"{"error":"unknown_user_id"}"#);
    assert!(case.flow.spent_key().is_none());
    assert_eq!(case.ping(), NotificationVerdict::Unauthorized);
    assert!(matches!(case.verdict(), Err(Failure::Refused(_))));
}

/// REQ-PING-06
/// REQ-FAPI-29
/// REQ-SEC-17
#[test]
fn no_reply_to_a_notification_redirects_or_reveals_what_was_wrong() {
    let acknowledgements = [
        NotificationVerdict::Accepted,
        NotificationVerdict::Known,
        NotificationVerdict::Unauthorized,
        NotificationVerdict::AnotherRequest,
        NotificationVerdict::UnsupportedMediaType,
        NotificationVerdict::TooLarge,
        NotificationVerdict::Malformed,
        NotificationVerdict::Unusable,
        NotificationVerdict::Unsaved,
    ]
    .map(NotificationVerdict::reply);
    let refusals =
        [BadNotification::Method, BadNotification::Authorization, BadNotification::TooLarge]
            .map(BadNotification::reply);
    for reply in acknowledgements.iter().chain(&refusals) {
        assert!(matches!(reply.status, 204 | 400 | 401 | 405 | 413 | 415 | 503), "{reply:?}");
        assert!(
            reply.header.is_none_or(|(name, _)| matches!(name, "www-authenticate" | "allow")),
            "{reply:?}"
        );
    }
}

/// REQ-META-01b
/// REQ-META-05
/// REQ-PING-19b
/// REQ-AREQ-13
#[test]
fn a_poll_client_sends_no_notification_token_and_accepts_no_notification() {
    let mut case = Case::new(DeliveryMode::Poll);
    let (request, ticket) = case.next_request().unwrap();
    assert_eq!(parameter(&request, "client_notification_token"), None);
    assert_eq!(case.flow.notification_key(), None);
    case.acknowledge(ticket, ID);
    let revision = case.flow.revision();
    case.token = "any".into();
    assert_eq!(case.ping(), NotificationVerdict::Unauthorized);
    assert_eq!((case.flow.stage(), case.flow.revision()), (Stage::Pending, revision));
}

/// REQ-PING-02a
/// REQ-PING-03
/// REQ-PING-13a
/// REQ-PING-13b
/// REQ-PING-13c
/// REQ-PUSH-01
/// REQ-PUSH-05
/// OPM-PNG-02
/// OPM-PNG-04
/// OPM-PNG-15
/// OPM-PSH-05
#[test]
fn a_wrong_token_and_a_wrong_id_get_the_same_reply_and_change_nothing() {
    for mode in [DeliveryMode::Ping, DeliveryMode::Push] {
        let mut case = Case::acknowledged(mode);
        let good =
            if mode == DeliveryMode::Ping { json!({"auth_req_id": ID}) } else { push(case.now) };
        let mut wrong = good.clone();
        wrong["auth_req_id"] = OTHER_ID.into();
        let token = case.token.clone();
        let swapped: String = token
            .chars()
            .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c })
            .collect();
        let last = if token.ends_with('A') { "B" } else { "A" };
        let changed = format!("{}{last}", &token[..token.len() - 1]);
        let before = (case.flow.revision(), case.flow.stage());
        for (token, body, said) in [
            (format!("{token}x"), &good, NotificationVerdict::Unauthorized),
            (token[..token.len() - 1].to_owned(), &good, NotificationVerdict::Unauthorized),
            (token[..22].to_owned(), &good, NotificationVerdict::Unauthorized),
            (swapped, &good, NotificationVerdict::Unauthorized),
            (changed.clone(), &good, NotificationVerdict::Unauthorized),
            (changed, &wrong, NotificationVerdict::Unauthorized),
            ("foreign".into(), &good, NotificationVerdict::Unauthorized),
            (token, &wrong, NotificationVerdict::AnotherRequest),
        ] {
            let call = case.call(&token, "application/json", &body.to_string());
            let answer = case.flow.notify(&call, case.now).verdict();
            assert_eq!(answer, said, "{mode:?} {token}");
            assert_eq!(
                answer.reply(),
                BadNotification::Authorization.reply(),
                "not to be told apart"
            );
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
fn a_body_that_is_not_a_notification_is_refused_and_changes_nothing() {
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
    for value in [Value::Null, json!(""), json!(5)] {
        let mut body = push(START);
        body["auth_req_id"] = value;
        pushes.push(body);
    }
    pushes.push(json!({"error": "access_denied"}));
    for mode in [DeliveryMode::Ping, DeliveryMode::Push] {
        let mut case = Case::acknowledged(mode);
        let revision = case.flow.revision();
        let refused = |case: &mut Case, body: &str| {
            let call = case.call(&case.token, "application/json", body);
            assert_eq!(
                case.flow.notify(&call, case.now).verdict(),
                NotificationVerdict::Malformed,
                "{mode:?} {body}"
            );
        };
        ping.iter().for_each(|body| refused(&mut case, body));
        if mode == DeliveryMode::Push {
            pushes.iter().for_each(|body| refused(&mut case, &body.to_string()));
        }
        let call = case.call(&case.token, "text/plain", &json!({"auth_req_id": ID}).to_string());
        assert_eq!(
            case.flow.notify(&call, case.now).verdict(),
            NotificationVerdict::UnsupportedMediaType
        );
        assert_eq!((case.flow.revision(), case.flow.stage()), (revision, Stage::Pending));
    }
}

/// A provider delivers once, so after an unusable delivery the flow does not wait until it expires,
/// and the person is not blamed.
///
/// REQ-PUSH-02
/// REQ-PUSH-04
/// REQ-PUSH-15
#[test]
fn an_authentic_push_that_cannot_be_used_ends_the_flow_with_its_reason() {
    let mut pushes = vec![
        (json!({"auth_req_id": ID}), Fault::MissingMember("access_token")),
        // An empty error counts as absent (ruling 33), so this is a bare id as well.
        (json!({"auth_req_id": ID, "error": ""}), Fault::MissingMember("access_token")),
    ];
    for member in ["access_token", "token_type", "id_token"] {
        let mut body = push(START);
        body[member] = Value::Null;
        pushes.push((body.clone(), Fault::MissingMember(member)));
        body[member] = json!(5);
        pushes.push((body, Fault::WrongType(member)));
    }
    let mut both = push(START);
    both["error"] = "access_denied".into();
    pushes.push((both, Fault::BadMember("error")));
    for (body, fault) in pushes {
        let mut case = Case::acknowledged(DeliveryMode::Push);
        let revision = case.flow.revision();
        let said = case.notify(&body);
        assert_eq!((said, said.reply().status), (NotificationVerdict::Unusable, 400), "{body}");
        assert!(case.flow.revision() > revision, "the end is worth a save");
        assert_eq!(case.notify(&push(case.now)), NotificationVerdict::Known, "it is over");
        let Err(Failure::ProviderMisbehaved(why)) = case.verdict() else { panic!("{body}") };
        assert_eq!((why.fault, why.endpoint), (fault, Endpoint::Notification), "{body}");

        // Nothing shows yet that it is about this request.
        let (mut early, _ticket) = Case::asked(DeliveryMode::Push);
        assert_eq!(early.notify(&body), NotificationVerdict::Malformed, "{body}");
        assert_eq!(early.flow.stage(), Stage::Authorizing);
    }
}

/// REQ-PING-09
/// OPM-PNG-14
#[test]
fn a_ping_does_not_imply_success() {
    let mut case = Case::acknowledged(DeliveryMode::Ping);
    assert_eq!(case.ping(), NotificationVerdict::Accepted);
    let (_, ticket) = case.next_request().unwrap();
    case.answer(ticket, 400, r#"{"error":"access_denied"}"#);
    assert!(matches!(case.verdict(), Err(Failure::Denied(_))));
}

/// REQ-PING-10
#[test]
fn a_ping_after_the_deadline_is_answered_204_without_a_token_request() {
    let mut case = Case::acknowledged(DeliveryMode::Ping);
    case.advance(Duration::from_secs(300));
    assert_eq!(case.ping().reply().status, 204);
    // The provider had something to report, and was not asked.
    assert!(
        matches!(case.verdict(), Err(Failure::Indeterminate(why)) if why.lost == LostAnswer::Outcome)
    );
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
        let body =
            if mode == DeliveryMode::Ping { json!({"auth_req_id": ID}) } else { push(case.now) };
        assert_eq!(case.notify(&body), NotificationVerdict::Accepted);
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
            assert_eq!(case.notify(body), NotificationVerdict::Known, "{mode:?}");
            let call = case.call(&case.token, "application/json", &body.to_string());
            assert_eq!(spent.notify(&call, spent.until()), NotificationVerdict::Known);
            let late = spent.until().saturating_add(Duration::from_millis(1));
            assert_eq!(spent.notify(&call, late), NotificationVerdict::Unauthorized);
        }
        let call = case.call(&format!("{}x", case.token), "application/json", &body.to_string());
        assert_eq!(spent.notify(&call, case.now), NotificationVerdict::Unauthorized);
        let call = case.call(
            &case.token,
            "application/json",
            &json!({"auth_req_id": OTHER_ID}).to_string(),
        );
        assert_eq!(spent.notify(&call, case.now), NotificationVerdict::AnotherRequest);
        assert_eq!(
            case.flow.finish().unwrap().access_token().expose(),
            "access",
            "as first delivered"
        );
    }
}

/// Ruling 10: the only exception, which does not cover `at_hash`.
///
/// REQ-PUSH-08
/// REQ-PUSH-09
/// REQ-PUSH-10
#[test]
fn two_bindings_may_be_missing_if_configured_but_must_not_be_wrong() {
    let mut policy = Policy::default();
    policy.dangerously_allow_missing_push_bindings = true;
    for (claims, verdict) in [
        (json!({AUTH_REQ_ID_CLAIM: null, RT_HASH_CLAIM: null}), Ok(())),
        (json!({AUTH_REQ_ID_CLAIM: OTHER_ID}), Err(Untrusted::AuthReqId)),
        (json!({RT_HASH_CLAIM: fake_crypto::half_hash("other")}), Err(Untrusted::RefreshTokenHash)),
        (json!({"at_hash": null}), Err(Untrusted::AccessTokenHash)),
    ] {
        let request = AuthRequest::new(Hint::Login("somebody".into()));
        let mut case = Case::with(DeliveryMode::Push, policy.clone(), request);
        let (request, ticket) = case.next_request().unwrap();
        case.token = parameter(&request, "client_notification_token").unwrap();
        case.acknowledge(ticket, ID);
        let body = push_with(case.now, &claims);
        assert_eq!(case.notify(&body), NotificationVerdict::Accepted);
        assert_eq!(
            case.verdict().map_err(|failure| failure.check()),
            verdict.map_err(Some),
            "{claims}"
        );
    }
}

#[test]
fn debug_shows_nothing_of_a_notification_or_its_key() {
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

#[test]
fn expired_spent_keys_are_removed_and_the_first_to_expire_is_evicted() {
    // Flows with different tokens that end at once; each deadline is one second later than the
    // previous one.
    let ended = |number: u8| {
        let request = AuthRequest::new(Hint::Login("somebody".into()));
        let config = config(DeliveryMode::Ping, Policy::default());
        let mut flow =
            Flow::start(config, request, Entropy::from_bytes([number; 32]), START).unwrap();
        let Output::Transmit(transmit) = flow.poll(START, Entropy::from_bytes([99; 32])) else {
            panic!()
        };
        let sending = flow.begin(transmit, START).unwrap();
        let token = parameter(sending.request(), "client_notification_token").unwrap();
        let body = json!({"auth_req_id": ID, "expires_in": 100 + u64::from(number)}).to_string();
        flow.handle(sending.answered(Response::json(200, Body::from(body.as_str()))), START)
            .unwrap();
        flow.cancel(START);
        (token, flow.spent_key().unwrap())
    };
    let call = |token: &str| {
        let headers: Headers = [
            ("authorization", format!("Bearer {token}")),
            ("content-type", "application/json".into()),
        ]
        .into_iter()
        .collect();
        Notification::receive("POST", &headers, Body::from(format!(r#"{{"auth_req_id":"{ID}"}}"#)))
            .unwrap()
    };
    let mut keys = SpentKeys::with_capacity(2);
    let tokens: Vec<String> = (1..=3)
        .map(|number| {
            let (token, spent) = ended(number);
            keys.remember(spent);
            token
        })
        .collect();
    keys.remember(ended(3).1);
    assert_eq!(keys.len(), 2, "the third replaced only itself");
    let said = |keys: &SpentKeys| {
        tokens.iter().map(|token| keys.notify(&call(token), START)).collect::<Vec<_>>()
    };
    let (known, nobody) = (NotificationVerdict::Known, NotificationVerdict::Unauthorized);
    assert_eq!(said(&keys), [nobody, known, known]);
    keys.forget_old(START.saturating_add(Duration::from_secs(162)));
    assert_eq!(said(&keys), [nobody, known, known], "until exactly this instant");
    keys.forget_old(START.saturating_add(Duration::from_secs(163)));
    assert_eq!(said(&keys), [nobody, nobody, known]);
    assert!(!keys.contains(&call(&tokens[1]).key().unwrap()));
}

/// A server may read the clock before it reads a slow body. The token need not even be right.
///
/// REQ-POLL-03
#[test]
fn a_notification_with_an_older_time_causes_no_early_request() {
    let mut case = Case::acknowledged(DeliveryMode::Ping);
    assert_eq!(case.ping(), NotificationVerdict::Accepted);
    let (_, ticket) = case.next_request().unwrap();
    // No ping skips the wait after this one.
    case.answer(ticket, 503, "");
    let answered = case.now;
    assert!(matches!(case.poll(), Output::Wait(_)));
    for token in [case.token.clone(), format!("{}x", case.token)] {
        let call = case.call(&token, "application/json", &json!({"auth_req_id": ID}).to_string());
        let _ = case.flow.notify(&call, answered.saturating_sub(Duration::from_secs(4)));
    }
    let (_, _ticket) = case.next_request().unwrap();
    assert!(
        case.now.since(answered) >= Duration::from_secs(5),
        "{:?} after the last answer",
        case.now.since(answered)
    );
}
