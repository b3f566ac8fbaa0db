//! Tests of the expectations of an ID Token: those of the caller, of the request and of the
//! registration.

use super::*;
use crate::{DeliveryMode, http::Url};

/// REQ-IDT-39
#[test]
fn an_expectation_that_needs_an_id_token_is_refused_if_none_is_required() {
    let nothing = Expectations::new;
    for (expectations, needs_a_token) in [
        (nothing(), false),
        (nothing().acr_values(["a"]).acr(AcrRule::IfPresent), true),
        (nothing().claim_with("c", "v", Matching::Equal, Presence::IfPresent), true),
        (nothing().person(Presence::IfPresent), true),
        (nothing().acr(AcrRule::Report), true),
        (nothing().claim("c", "v"), true),
        (nothing().claim_present("c"), true),
        (nothing().trust_framework("f"), true),
        (nothing().subject("s"), true),
        (nothing().nonce("n"), true),
        (nothing().max_age(Duration::ZERO), true),
        (nothing().require_auth_time(), true),
        (nothing().acr(AcrRule::Require), true),
    ] {
        let request = login("x").expecting(expectations);
        assert_eq!(refused(&request), None);
        assert_eq!(refused(&request.without_openid()).is_some(), needs_a_token);
    }
    // Parameters whose claims are checked, and comparisons of the person from any source.
    for request in [login("x").extra("nonce", "n"), login("x").extra("max_age", "7")] {
        assert_eq!(refused(&request), None);
        assert_refused(&request.without_openid(), "scope");
    }
    let numbered = builder().persons_by_number().build().unwrap();
    let required = builder().require_person().build().unwrap();
    let verdict = |config: &ClientConfig, request: AuthRequest| {
        request.check(config, Timestamp::EPOCH).is_ok()
    };
    assert!(verdict(&numbered, login("x").without_openid()));
    assert!(!verdict(&numbered, login("sub:ssn:1").without_openid()));
    assert!(!verdict(&required, login("x").expecting(nothing().subject("s")).without_openid()));
}

/// Only the ID Token ties pushed tokens to their request, so a request without one is rejected before
/// the person is prompted.
///
/// REQ-PUSH-02
#[test]
fn a_push_client_cannot_leave_openid_out() {
    let url = Url::parse("https://client.example/cb").unwrap();
    let pushed = builder().delivery(DeliveryMode::Push).notification_endpoint(url).build().unwrap();
    assert!(login("x").check(&pushed, Timestamp::EPOCH).is_ok());
    let refused = login("x").without_openid().check(&pushed, Timestamp::EPOCH);
    assert!(matches!(refused, Err(RequestError::Parameter { name, .. }) if name == "scope"));
}

// Ruling 25: if the person must be compared, the hint must be one that can be compared.
#[test]
fn a_request_without_a_comparable_person_is_refused_if_comparison_is_required() {
    let plain = builder().build().unwrap();
    let numbered = builder().persons_by_number().build().unwrap();
    let required = builder().require_person().build().unwrap();
    let verdict = |config: &ClientConfig, request: &AuthRequest| {
        request.check(config, Timestamp::EPOCH).is_ok()
    };
    for (request, comparable, comparable_by_number) in [
        (login("approve"), false, false),
        (login("sub:ssn:1"), false, true),
        (login("sub:email:a@example.org"), false, false),
        (login("approve").expecting(Expectations::new().subject("s")), true, true),
        (login("approve").expecting(Expectations::new().claim("email", "a")), false, false),
    ] {
        assert!(verdict(&plain, &request) && verdict(&numbered, &request));
        assert_eq!(verdict(&required, &request), comparable, "{request:?}");
        let strict = request.require_person();
        assert_eq!(verdict(&plain, &strict), comparable, "{strict:?}");
        assert_eq!(verdict(&numbered, &strict), comparable_by_number, "{strict:?}");
    }
}

/// REQ-META-22a
/// REQ-META-22b
/// REQ-AREQ-19b
/// REQ-IDT-23
/// REQ-IDT-25a
#[test]
fn requested_and_registered_values_are_expected_in_the_token() {
    let config = builder()
        .require_auth_time()
        .default_max_age(Duration::from_secs(60))
        .default_acr_values(["registered"])
        .build()
        .unwrap();
    let expected = login("x").effective_expectations(&config);
    assert_eq!(expected.acr_values, ["registered"]);
    assert_eq!(
        (expected.max_age, expected.auth_time_required),
        (Some(Duration::from_secs(60)), true)
    );
    assert_eq!((expected.nonce, expected.subject), (None, None));

    let asking = login("x").acr_values(["a", "b"]).extra("nonce", "n").extra("max_age", "7");
    let expected = asking.effective_expectations(&config);
    assert_eq!(expected.acr_values, ["a", "b"]);
    assert_eq!(
        (expected.max_age, expected.nonce.as_deref()),
        (Some(Duration::from_secs(7)), Some("n"))
    );

    let plain = login("x").effective_expectations(&builder().build().unwrap());
    assert_eq!(plain, Expectations::default());

    // The shortest of several ages applies, because the provider was asked for it as well.
    let lenient = || Expectations::new().max_age(Duration::from_secs(3600));
    let max_age = |request: AuthRequest| request.effective_expectations(&config).max_age;
    assert_eq!(max_age(login("x").expecting(lenient())), Some(Duration::from_secs(60)));
    assert_eq!(
        max_age(login("x").expecting(lenient()).extra("max_age", "7")),
        Some(Duration::from_secs(7))
    );
    assert_eq!(
        max_age(login("x").expecting(lenient()).extra("max_age", "99999")),
        Some(Duration::from_secs(3600))
    );
}

/// REQ-IDT-23
/// REQ-IDT-25a
/// REQ-IDT-25b
#[test]
fn a_nonce_or_max_age_that_cannot_be_checked_is_refused() {
    for max_age in ["60s", "-1", "+1", " 1", "1.5", "1e3", "never"] {
        assert_refused(&login("x").extra("max_age", max_age), "max_age");
    }
    let expecting =
        |nonce| login("x").extra("nonce", "n").expecting(Expectations::new().nonce(nonce));
    assert_refused(&expecting("m"), "nonce");
    assert_eq!(refused(&expecting("n")), None);
}

/// REQ-IDT-39
#[test]
fn later_expectations_are_merged_into_earlier_ones() {
    let config = builder().build().unwrap();
    let strict = Expectations::new()
        .acr_values(["a"])
        .acr(AcrRule::Require)
        .max_age(Duration::from_secs(60))
        .require_auth_time()
        .subject("s")
        .nonce("n")
        .trust_framework("f")
        .claim("c", "v");
    let request = || login("x").expecting(strict.clone());
    assert_eq!(request().expecting(Expectations::new()).effective_expectations(&config), strict);
    let later = Expectations::new()
        .acr_values(["b"])
        .acr(AcrRule::Report)
        .max_age(Duration::from_secs(9))
        .subject("t")
        .nonce("m")
        .trust_framework("g")
        .claim_present("d");
    let merged = request().expecting(later.clone()).effective_expectations(&config);
    let claims = strict.claims.iter().chain(&later.claims).cloned().collect();
    assert_eq!(merged, Expectations { auth_time_required: true, claims, ..later });
}
