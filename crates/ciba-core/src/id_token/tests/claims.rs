//! Tests of the claims, in the order of the checks.

use super::*;

/// REQ-IDT-38
/// REQ-IDT-28
/// REQ-IDT-30a
/// OPM-IDT-19
#[test]
fn a_valid_token_is_accepted_and_its_claims_are_readable() {
    let token = token()
        .set("amr", json!(["mfa", "hwk"]))
        .set("acr", json!("urn:x"))
        .set("auth_time", json!(NOW - 5));
    let id_token = token.verdict().unwrap();
    assert_eq!(id_token.compact().expose(), token.signed());
    assert_eq!((id_token.issuer(), id_token.subject()), (ISSUER, "248289761001"));
    assert_eq!(id_token.audiences().collect::<Vec<_>>(), ["client-1"]);
    assert_eq!((id_token.issued_at(), id_token.expires_at()), (at(NOW), at(NOW + 300)));
    assert_eq!((id_token.auth_time(), id_token.acr()), (Some(at(NOW - 5)), Some("urn:x")));
    assert_eq!(id_token.amr().collect::<Vec<_>>(), ["mfa", "hwk"]);
    let claims: Value = id_token.claims().unwrap();
    assert_eq!(claims, Value::Object(token.claims));
    assert_eq!(serde_json::from_str::<Value>(id_token.claims_text()).unwrap(), claims);
}

/// REQ-IDT-32
#[test]
fn a_malformed_amr_counts_as_absent() {
    for amr in [json!("mfa"), json!(["mfa", 1]), json!({}), json!(null)] {
        assert_eq!(token().set("amr", amr).verdict().unwrap().amr().count(), 0);
    }
}

/// REQ-IDT-37
#[test]
fn debug_and_errors_do_not_contain_the_token() {
    #[derive(serde::Deserialize, Debug)]
    struct Numeric {
        #[serde(rename = "sub")]
        _sub: u64,
    }
    let id_token = token().verdict().unwrap();
    let error = id_token.claims::<Numeric>().unwrap_err();
    let shown = format!("{id_token:?} {error:?} {error}");
    assert!(!shown.contains("248289761001") && !shown.contains("eyJ"), "{shown}");
}

/// REQ-IDT-33
#[test]
fn a_logout_token_is_not_an_id_token() {
    let events = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    refused(token().set("events", events).verdict(), Untrusted::TokenKind);
    assert!(token().set("events", json!(null)).verdict().is_ok(), "null is absence (ruling 33)");
}

/// REQ-IDT-11
/// OPM-IDT-01
#[test]
fn the_issuer_is_compared_byte_for_byte() {
    refused(token().without("iss").verdict(), Untrusted::Issuer);
    for iss in [
        json!(format!("{ISSUER}x")),
        json!(ISSUER.trim_end_matches('/')),
        json!([ISSUER]),
        json!(null),
        json!(1),
    ] {
        refused(token().set("iss", iss).verdict(), Untrusted::Issuer);
    }
}

/// REQ-IDT-12
/// REQ-IDT-13a
/// REQ-IDT-13b
/// REQ-IDT-14
/// OPM-IDT-02
/// OPM-IDT-03
/// OPM-IDT-04
/// OPM-IDT-05
/// OPM-IDT-06
#[test]
fn the_audience_must_be_the_client_and_trusted_parties_only() {
    refused(token().without("aud").verdict(), Untrusted::Audience);
    for (aud, azp, verdict) in [
        (json!("client-1"), None, None),
        (json!(["client-1"]), None, None),
        (json!("client-1"), Some(json!("client-1")), None),
        (json!("client-1"), Some(json!(null)), None),
        // A repeated audience counts once.
        (json!(["client-1", "client-1"]), None, None),
        (json!(["client-1", "api"]), Some(json!("client-1")), None),
        (json!("client-1x"), None, Some(Untrusted::Audience)),
        (json!(["client-2"]), None, Some(Untrusted::Audience)),
        (json!([]), None, Some(Untrusted::Audience)),
        (json!(["client-1", 5]), None, Some(Untrusted::Audience)),
        (json!(["client-1", null]), None, Some(Untrusted::Audience)),
        (json!([["client-1"]]), None, Some(Untrusted::Audience)),
        (json!({"client-1": 1}), None, Some(Untrusted::Audience)),
        (json!(null), None, Some(Untrusted::Audience)),
        (json!(["client-1", "other"]), None, Some(Untrusted::ExtraAudience)),
        (json!(["client-1", "other"]), Some(json!("client-1")), Some(Untrusted::ExtraAudience)),
        (json!(["client-1", "api"]), None, Some(Untrusted::AuthorizedParty)),
        (json!("client-1"), Some(json!("other")), Some(Untrusted::AuthorizedParty)),
        (json!("client-1"), Some(json!(["client-1"])), Some(Untrusted::AuthorizedParty)),
    ] {
        let mut token = token().set("aud", aud.clone());
        if let Some(azp) = &azp {
            token = token.set("azp", azp.clone());
        }
        let config = builder()
            .verifier(Arc::new(Backend))
            .id_token_algorithm(JwsAlgorithm::Es256)
            .trusted_audience("api")
            .build()
            .unwrap();
        let expectations = Expectations::default();
        let context = IdTokenContext::new(&expectations, at(NOW));
        let result = config.validate_id_token(&token.signed(), Some(&key_set()), &context);
        assert_eq!(
            result.err().map(|rejection| rejection.check()),
            verdict,
            "aud {aud}, azp {azp:?}"
        );
    }
}

/// REQ-IDT-15
/// REQ-IDT-17
/// OPM-IDT-11
#[test]
fn the_subject_must_be_present_and_the_expected_one() {
    refused(token().without("sub").verdict(), Untrusted::Subject);
    for sub in [json!(""), json!(5), json!(null), json!(["a"])] {
        refused(token().set("sub", sub).verdict(), Untrusted::Subject);
    }
    assert!(expecting(&token(), Expectations::new().subject("248289761001")).is_ok());
    for other in ["248289761002", "", "248289761001 "] {
        refused(
            expecting(&token(), Expectations::new().subject(other)),
            Untrusted::ExpectedSubject,
        );
    }
}

/// REQ-IDT-18
/// REQ-IDT-36
/// OPM-IDT-07
#[test]
fn an_expired_token_is_refused_to_the_second() {
    refused(token().without("exp").verdict(), Untrusted::Expiry);
    for (exp, iat, verdict) in [
        (NOW + 1, NOW, None),
        (NOW - 59, NOW - 100, None),
        (NOW - 60, NOW - 100, Some(Untrusted::Expiry)),
        (NOW - 360, NOW - 400, Some(Untrusted::Expiry)),
        (NOW, NOW, Some(Untrusted::Expiry)),
        (NOW, NOW + 1, Some(Untrusted::Expiry)),
    ] {
        let result = token().set("exp", json!(exp)).set("iat", json!(iat)).verdict();
        assert_eq!(result.err(), verdict, "exp {exp}, iat {iat}");
    }
}

/// REQ-IDT-19
/// OPM-IDT-08
/// OPM-IDT-09
/// OPM-IDT-10
#[test]
fn a_token_must_be_issued_recently_and_not_before_the_request() {
    refused(token().without("iat").verdict(), Untrusted::IssuedAt);
    for (iat, accepted) in [
        (NOW + 60, true),
        (NOW + 61, false),
        (NOW + 3600, false),
        (NOW - 660, true),
        (NOW - 661, false),
        (NOW - 604_800, false),
    ] {
        let result = token().set("iat", json!(iat)).set("exp", json!(NOW + 7200)).verdict();
        assert_eq!(result.err(), (!accepted).then_some(Untrusted::IssuedAt), "iat {iat}");
    }
    assert!(
        within(&token(), IdTokenContext { started_at: Some(at(NOW + 60)), ..context() }).is_ok()
    );
    refused(
        within(&token(), IdTokenContext { started_at: Some(at(NOW + 61)), ..context() }),
        Untrusted::IssuedAt,
    );
    let same_second = at(NOW + 60).saturating_add(Duration::from_millis(900));
    assert!(
        within(&token(), IdTokenContext { started_at: Some(same_second), ..context() }).is_ok()
    );
}

/// REQ-IDT-20
/// OPM-IDT-10
#[test]
fn a_token_that_is_not_valid_yet_is_refused() {
    for (nbf, accepted) in
        [(NOW - 5, true), (NOW + 60, true), (NOW + 61, false), (NOW + 3600, false)]
    {
        let result = token().set("nbf", json!(nbf)).verdict();
        assert_eq!(result.err(), (!accepted).then_some(Untrusted::NotBefore), "nbf {nbf}");
    }
}

/// REQ-IDT-21
/// OPM-IDT-21
#[test]
fn dates_must_be_numbers_in_range() {
    assert!(token().set("iat", json!(1_899_999_999.5)).set("nbf", json!(0)).verdict().is_ok());
    for text in [
        "\"1900000300\"",
        "null",
        "true",
        "-1",
        "-0.5",
        "1e30",
        "9007199254740993",
        "253402300800",
        "[1900000300]",
        "{}",
    ] {
        let bad: Value = serde_json::from_str(text).unwrap();
        for (name, check) in [
            ("exp", Untrusted::Expiry),
            ("iat", Untrusted::IssuedAt),
            ("nbf", Untrusted::NotBefore),
            ("auth_time", Untrusted::AuthTime),
        ] {
            let asked = Expectations::new().max_age(Duration::from_secs(60));
            let result = expecting(&token().set(name, bad.clone()), asked);
            // `null` counts as absent (ruling 33).
            if (name, text) == ("nbf", "null") {
                assert_eq!(result.err(), Some(Untrusted::AuthTime));
                continue;
            }
            assert_eq!(result.err(), Some(check), "{name} {bad}");
        }
    }
    // An object is not a number, even if a JSON library gives it that meaning.
    let private = json!({"$serde_json::private::Number": "1900000300"});
    assert_eq!(token().set("exp", private).verdict().err(), Some(Untrusted::Expiry));
}

/// REQ-IDT-22
#[test]
fn one_clock_skew_applies_to_all_times() {
    let config = builder()
        .verifier(Arc::new(Backend))
        .id_token_algorithm(JwsAlgorithm::Es256)
        .clock_skew(Duration::from_secs(10))
        .build()
        .unwrap();
    let expectations = Expectations::new().require_auth_time();
    let context = IdTokenContext::new(&expectations, at(NOW));
    for (name, value, check) in [
        ("exp", NOW - 10, Untrusted::Expiry),
        ("iat", NOW + 11, Untrusted::IssuedAt),
        ("nbf", NOW + 11, Untrusted::NotBefore),
        ("auth_time", NOW + 11, Untrusted::AuthTime),
    ] {
        let edge = if name == "exp" { value + 1 } else { value - 1 };
        for (value, verdict) in [(value, Some(check)), (edge, None)] {
            let mut token = token()
                .set("exp", json!(NOW + 300))
                .set("iat", json!(NOW - 100))
                .set("auth_time", json!(0));
            token = token.set(name, json!(value));
            let result = config.validate_id_token(&token.signed(), Some(&key_set()), &context);
            assert_eq!(result.err().map(|rejection| rejection.check()), verdict, "{name} {value}");
        }
    }
}

/// REQ-IDT-23
#[test]
fn a_nonce_must_be_the_one_sent_or_absent() {
    let sent = || Expectations::new().nonce("n-1");
    assert!(expecting(&token().set("nonce", json!("n-1")), sent()).is_ok());
    assert!(token().set("nonce", json!(null)).verdict().is_ok());
    refused(token().set("nonce", json!("n-1")).verdict(), Untrusted::Nonce);
    refused(token().set("nonce", json!("")).verdict(), Untrusted::Nonce);
    refused(expecting(&token(), sent()), Untrusted::Nonce);
    for other in [json!("n-2"), json!(null), json!(["n-1"])] {
        refused(expecting(&token().set("nonce", other), sent()), Untrusted::Nonce);
    }
}

/// REQ-IDT-24
#[test]
fn acr_is_checked_against_the_request_as_strictly_as_configured() {
    let absent = None;
    for (rule, acr, accepted) in [
        (AcrRule::IfPresent, absent, true),
        (AcrRule::IfPresent, Some(json!("b")), true),
        (AcrRule::IfPresent, Some(json!("c")), false),
        (AcrRule::IfPresent, Some(json!("a b")), false),
        (AcrRule::IfPresent, Some(json!(5)), false),
        (AcrRule::Require, None, false),
        (AcrRule::Require, Some(json!(null)), false),
        (AcrRule::Require, Some(json!("a")), true),
        (AcrRule::Require, Some(json!("c")), false),
        (AcrRule::RequestedOnly, None, true),
        (AcrRule::RequestedOnly, Some(json!("a")), true),
        (AcrRule::RequestedOnly, Some(json!("c")), false),
        (AcrRule::Report, None, true),
        (AcrRule::Report, Some(json!("c")), true),
    ] {
        let token = acr.iter().fold(token(), |token, acr| token.set("acr", acr.clone()));
        let result = expecting(&token, Expectations::new().acr_values(["a", "b"]).acr(rule));
        assert_eq!(result.err(), (!accepted).then_some(Untrusted::Acr), "{rule:?} {acr:?}");
    }
    assert!(token().set("acr", json!(5)).verdict().is_ok(), "nothing was asked for");
    let only = || Expectations::new().acr(AcrRule::RequestedOnly);
    assert!(expecting(&token(), only()).is_ok());
    for unasked in [json!("a"), json!(5)] {
        refused(expecting(&token().set("acr", unasked), only()), Untrusted::Acr);
    }
    refused(expecting(&token(), Expectations::new().acr(AcrRule::Require)), Untrusted::Acr);
}

/// REQ-IDT-25a
/// REQ-IDT-25b
/// REQ-META-22a
#[test]
fn auth_time_must_be_present_and_recent_if_max_age_was_requested() {
    let required = || Expectations::new().require_auth_time();
    let fresh = || Expectations::new().max_age(Duration::from_secs(100));
    refused(expecting(&token(), required()), Untrusted::AuthTime);
    refused(expecting(&token(), fresh()), Untrusted::AuthTime);
    for (auth_time, expectations, accepted) in [
        (NOW - 100_000, required(), true),
        (NOW - 100_000, Expectations::new(), true),
        (NOW + 60, required(), true),
        (NOW + 61, required(), false),
        // It was not requested, so it restricts nothing (ruling 33).
        (NOW + 61, Expectations::new(), true),
        (NOW - 160, fresh(), true),
        (NOW - 161, fresh(), false),
    ] {
        let result = expecting(&token().set("auth_time", json!(auth_time)), expectations);
        assert_eq!(
            result.err(),
            (!accepted).then_some(Untrusted::AuthTime),
            "auth_time {auth_time}"
        );
    }
}

/// REQ-IDT-26a
/// REQ-IDT-26b
/// OPM-IDT-18
#[test]
fn at_hash_must_match_the_access_token_of_the_same_response() {
    let access_token = AccessToken::new("G5kXH2wHvUra0sHlDy1iTkDJgsgUO1bN");
    let check = |at_hash: &str, access_token: Option<&AccessToken>| {
        within(
            &token().set("at_hash", json!(at_hash)),
            IdTokenContext { access_token, ..context() },
        )
        .err()
    };
    let good = "Wt0kVFXMacqvnHeyU0001w";
    let whole = base64url::encode(sha2::Sha256::digest(access_token.expose()));
    let other = AccessToken::new("G5kXH2wHvUra0sHlDy1iTkDJgsgUO1bM");
    assert_eq!(check(good, Some(&access_token)), None);
    assert_eq!(check(good, Some(&other)), Some(Untrusted::AccessTokenHash));
    assert_eq!(check(good, None), Some(Untrusted::AccessTokenHash));
    for bad in
        ["", &format!("{good}="), &whole, &good.to_lowercase(), "3MK7nafWnzoWUKXRhKHqKx5-pyR63dV6"]
    {
        assert_eq!(check(bad, Some(&access_token)), Some(Untrusted::AccessTokenHash), "{bad}");
    }
    let beside = IdTokenContext { access_token: Some(&access_token), ..context() };
    // A claim of another type counts as absent, where it may be absent (ruling 33).
    for unusable in [json!(5), json!([good]), json!({}), json!(false)] {
        let token = token().set("at_hash", unusable);
        assert_eq!(within(&token, beside).unwrap().deviations(), [Deviation::AtHashUnusable]);
        let pushed = IdTokenContext { is_pushed: true, ..beside };
        refused(within(&token, pushed), Untrusted::AccessTokenHash);
    }
}

/// REQ-IDT-27a
/// REQ-IDT-27b
/// OPM-IDT-20
#[test]
fn rt_hash_and_auth_req_id_must_match_this_request() {
    let (rt_hash, auth_req_id) =
        ("urn:openid:params:jwt:claim:rt_hash", "urn:openid:params:jwt:claim:auth_req_id");
    let refresh_token = RefreshToken::new("4bwc0ESC_IAhflf-ACC_vjD_ltc11ne-8gFPfA2Kx16");
    let id = AuthReqId::new("1c266114-a1be-4252-8ad1-04986c5b9ac1");
    for (name, value, verdict) in [
        (rt_hash, json!("sHahCuSpXCRg5mkDDvvr4w"), None),
        (rt_hash, json!("sHahCuSpXCRg5mkDDvvr4x"), Some(Untrusted::RefreshTokenHash)),
        (rt_hash, json!(""), Some(Untrusted::RefreshTokenHash)),
        (auth_req_id, json!(id.expose()), None),
        (auth_req_id, json!("1c266114-a1be-4252-8ad1-04986c5b9ac2"), Some(Untrusted::AuthReqId)),
        (auth_req_id, json!(""), Some(Untrusted::AuthReqId)),
    ] {
        let beside = IdTokenContext {
            refresh_token: Some(&refresh_token),
            auth_req_id: Some(&id),
            ..context()
        };
        let result = within(&token().set(name, value.clone()), beside);
        assert_eq!(result.err(), verdict, "{name} {value}");
        refused(
            within(&token().set(name, value), context()),
            if name == rt_hash { Untrusted::RefreshTokenHash } else { Untrusted::AuthReqId },
        );
    }
    // A claim of another type counts as absent (ruling 33), and in a push it is required.
    let access_token = AccessToken::new("G5kXH2wHvUra0sHlDy1iTkDJgsgUO1bN");
    let beside = IdTokenContext {
        access_token: Some(&access_token),
        refresh_token: Some(&refresh_token),
        auth_req_id: Some(&id),
        ..context()
    };
    let pushed = || {
        let token = token().set("at_hash", json!("Wt0kVFXMacqvnHeyU0001w"));
        token.set(rt_hash, json!("sHahCuSpXCRg5mkDDvvr4w")).set(auth_req_id, json!(id.expose()))
    };
    let in_a_push = IdTokenContext { is_pushed: true, ..beside };
    assert!(within(&pushed(), in_a_push).is_ok());
    for (name, deviation, check) in [
        (rt_hash, Deviation::RtHashUnusable, Untrusted::RefreshTokenHash),
        (auth_req_id, Deviation::AuthReqIdClaimUnusable, Untrusted::AuthReqId),
    ] {
        for unusable in [json!(5), json!([id.expose()]), json!({}), json!(true)] {
            let polled = within(&token().set(name, unusable.clone()), beside).unwrap();
            assert_eq!(polled.deviations(), [deviation], "{name} {unusable}");
            refused(within(&pushed().set(name, unusable), in_a_push), check);
        }
    }
}

/// REQ-IDT-39
/// OPM-IDT-27
#[test]
fn claims_the_caller_expects_are_checked_after_all_others() {
    let refined = |presence| {
        Expectations::new().claim_with("eid", "no:bankid", Matching::EqualOrRefined, presence)
    };
    for (name, value, expectations, accepted) in [
        ("txn", json!("t-1"), Expectations::new().claim("txn", "t-1"), true),
        ("txn", json!("t-2"), Expectations::new().claim("txn", "t-1"), false),
        ("txn", json!(null), Expectations::new().claim("txn", "t-1"), false),
        ("txn", json!(["t-1"]), Expectations::new().claim("txn", "t-1"), false),
        ("other", json!("t-1"), Expectations::new().claim("txn", "t-1"), false),
        ("t\u{e9}", json!("t-1"), Expectations::new().claim("t\u{e9}", "t-1"), true),
        ("email_verified", json!(true), Expectations::new().claim("email_verified", "true"), true),
        ("age", json!(18), Expectations::new().claim("age", "18"), true),
        ("sub", json!("s"), Expectations::new().claim("sub", "s"), true),
        ("sub", json!("s"), Expectations::new().claim("sub", "t"), false),
        ("eid", json!("no:bankid"), refined(Presence::Required), true),
        ("eid", json!("no:bankid:high"), refined(Presence::Required), true),
        ("eid", json!("no:bankidx"), refined(Presence::Required), false),
        ("eid", json!("no"), refined(Presence::IfPresent), false),
        ("other", json!(1), refined(Presence::Required), false),
        ("other", json!(1), refined(Presence::IfPresent), true),
    ] {
        let result = expecting(&token().set(name, value.clone()), expectations.clone());
        assert_eq!(result.err(), (!accepted).then_some(Untrusted::ExpectedClaim), "{name} {value}");
        let expired = expecting(&token().set(name, value).set("exp", json!(1)), expectations);
        refused(expired, Untrusted::Expiry);
    }
}

#[test]
fn expected_values_are_not_shown_in_debug_or_errors() {
    let expectations =
        Expectations::new().subject("sentinel").nonce("sentinel").claim("ssn", "sentinel");
    assert!(!format!("{expectations:?}").contains("sentinel"));
}

/// REQ-IDT-21
/// REQ-IDT-25a
/// REQ-IDT-25c
/// REQ-IDT-30b
/// REQ-IDT-32
#[test]
fn an_unreadable_claim_that_was_not_requested_counts_as_absent_and_is_reported() {
    for (name, deviation, unusable) in [
        (
            "auth_time",
            Deviation::AuthTimeUnusable,
            [json!("yesterday"), json!([1]), json!({}), json!(true), json!(-1)],
        ),
        // In milliseconds, and in the future.
        (
            "auth_time",
            Deviation::AuthTimeUnusable,
            [
                json!(NOW * 1000),
                json!(NOW + 61),
                json!(NOW + 86_400),
                json!(1_u64 << 53),
                json!(1e300),
            ],
        ),
        (
            "acr",
            Deviation::AcrUnusable,
            [json!(2), json!(["a"]), json!({}), json!(true), json!(-1)],
        ),
        (
            "amr",
            Deviation::AmrUnusable,
            [json!(2), json!("pwd"), json!({}), json!(true), json!(["a", 1])],
        ),
    ] {
        for value in unusable {
            let id_token = token().set(name, value.clone()).verdict().unwrap();
            assert_eq!(id_token.deviations(), [deviation], "{name} {value}");
            assert_eq!(
                (id_token.auth_time(), id_token.acr(), id_token.amr().count()),
                (None, None, 0)
            );
        }
        assert_eq!(token().set(name, json!(null)).verdict().unwrap().deviations(), [], "{name}");
    }
    for name in ["nbf", "azp", "nonce", "events", "at_hash", "acr", "amr", "auth_time"] {
        assert!(token().set(name, json!(null)).verdict().is_ok(), "{name}: null is absence");
    }
    for header in [
        r#"{"alg":"ES256","kid":null}"#,
        r#"{"alg":"ES256","kid":"k1","typ":null}"#,
        r#"{"alg":"ES256","kid":"k1","b64":null}"#,
    ] {
        assert!(token().header(header).verdict().is_ok(), "{header}");
    }
    assert!(token().header(r#"{"alg":"ES256","kid":"k1","crit":null}"#).verdict().is_err());
    // Claims that restrict the token or were requested are read strictly.
    let asked = Expectations::new().max_age(Duration::from_secs(60));
    for bad in [json!("yesterday"), json!(NOW * 1000), json!(NOW + 61)] {
        assert!(expecting(&token().set("auth_time", bad), asked.clone()).is_err());
    }
    for name in ["exp", "iat", "nbf", "aud", "iss", "sub", "azp"] {
        assert!(token().set(name, json!({})).verdict().is_err(), "{name}");
    }
}
