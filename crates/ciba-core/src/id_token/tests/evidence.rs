//! Tests of the evidence of failed checks: what was found and what was expected, but no personal data
//! of the token.

use alloc::string::ToString as _;

use super::*;

/// The rejection of a token.
fn rejection(token: &Token) -> Rejection {
    let expectations = Expectations::new().subject("248289761001").claim("ssn", "19800101-1234");
    let config = config();
    let context =
        IdTokenContext { is_pushed: false, ..IdTokenContext::new(&expectations, at(NOW)) };
    config.validate_id_token(&token.signed(), Some(&key_set()), &context).expect_err("it is spoilt")
}

fn good() -> Token {
    token().set("ssn", json!("19800101-1234"))
}

/// A missing claim, a claim of another type and a claim out of range have different messages.
///
/// REQ-META-11a
#[test]
fn a_failed_check_says_what_was_found_and_what_was_expected() {
    const MILLIS: u64 = NOW * 1000;
    for (token, said) in [
        (
            good().header(r#"{"alg":"RS256","kid":"k1"}"#),
            "the ID Token is not signed with the registered algorithm: alg is RS256, expected ES256",
        ),
        (good().header(r#"{"kid":"k1"}"#), "the ID Token has no alg"),
        (
            good().header(r#"{"alg":"ES256","kid":"k9"}"#),
            "the ID Token is signed with a key that the issuer does not publish: kid is k9",
        ),
        (
            good().header(r#"{"alg":"ES256","typ":"at+jwt"}"#),
            "the token is of another type: typ is at+jwt, expected JWT",
        ),
        (
            good().set("iss", json!("https://op.example/")),
            "the ID Token is from another issuer: iss is https://op.example/, expected https://op.example/t1/",
        ),
        (good().without("iss"), "the ID Token has no iss"),
        (
            good().set("aud", json!(["a", "b"])),
            "the ID Token is for another client: aud is a, b, expected client-1",
        ),
        (
            good().set("aud", json!(["client-1", "b"])),
            "the ID Token is also for an audience that is not trusted: aud is b, expected client-1",
        ),
        (good().set("aud", json!(5)), "aud of the ID Token has the wrong type: number"),
        (good().without("exp"), "the ID Token has no exp"),
        (
            good().set("exp", json!((NOW + 300).to_string())),
            "exp of the ID Token has the wrong type: string",
        ),
        (
            good().set("exp", json!(NOW - 90)).set("iat", json!(NOW - 100)),
            "the ID Token has expired or has no usable expiry: exp is 90 s too early",
        ),
        (
            good().set("iat", json!(NOW + 200)),
            "the ID Token was not issued recently: iat is 200 s too late",
        ),
        (
            good().set("iat", json!(MILLIS)).set("exp", json!(MILLIS + 300_000)),
            &alloc::format!(
                "exp of the ID Token is in milliseconds ({}), but must be in seconds",
                MILLIS + 300_000
            ),
        ),
        // Read as seconds, it would make a token that practically never expires.
        (
            good().set("exp", json!(MILLIS + 300_000)),
            &alloc::format!(
                "exp of the ID Token is in milliseconds ({}), but must be in seconds",
                MILLIS + 300_000
            ),
        ),
        (
            good().set("iat", json!(MILLIS)),
            &alloc::format!(
                "iat of the ID Token is in milliseconds ({MILLIS}), but must be in seconds"
            ),
        ),
        (
            good().set("nbf", json!(MILLIS)),
            &alloc::format!(
                "nbf of the ID Token is in milliseconds ({MILLIS}), but must be in seconds"
            ),
        ),
        (
            good().set("exp", json!(MILLIS * 1000)),
            "exp of the ID Token is out of range: it is not a time in seconds",
        ),
        (
            good().set("iat", json!(MILLIS * 1000)),
            "iat of the ID Token is out of range: it is not a time in seconds",
        ),
        (
            good().set("exp", json!(-5)),
            "exp of the ID Token is out of range: it is not a time in seconds",
        ),
        (
            good().set("exp", json!(1e30)),
            "exp of the ID Token is out of range: it is not a time in seconds",
        ),
        (
            good().set("exp", json!(NOW - 10)).set("iat", json!(NOW - 10)),
            "the ID Token has expired or has no usable expiry: exp is not later than iat",
        ),
        (
            good().set("exp", json!(NOW + 100)).set("iat", json!(NOW + 200)),
            "the ID Token was not issued recently: iat is 200 s too late",
        ),
        (good().set("iss", json!(null)), "the ID Token has no iss"),
        (good().set("aud", json!(null)), "the ID Token has no aud"),
        (good().set("sub", json!(null)), "the ID Token has no sub"),
        (good().set("exp", json!(null)), "the ID Token has no exp"),
        (good().set("iat", json!(null)), "the ID Token has no iat"),
        (good().set("ssn", json!(null)), "the ID Token has no ssn"),
        (
            good().set("iss", json!(["https://op.example/t1/"])),
            "iss of the ID Token has the wrong type: array of strings",
        ),
        (
            good().set("azp", json!(["client-1"])),
            "azp of the ID Token has the wrong type: array of strings",
        ),
        (
            good().set("iss", json!("")),
            "the ID Token is from another issuer: iss is empty, expected https://op.example/t1/",
        ),
        (
            good().set("aud", json!([])),
            "the ID Token is for another client: aud is an empty list, expected client-1",
        ),
        (
            good().set("nbf", json!(NOW + 400)),
            "the ID Token is not valid yet: nbf is 400 s too late",
        ),
        (good().without("sub"), "the ID Token has no sub"),
        (good().set("sub", json!("another-person")), "the ID Token is about another subject (sub)"),
        (good().set("nonce", json!("n-0S6")), "the ID Token has an unexpected nonce (nonce)"),
        (good().without("ssn"), "the ID Token has no ssn"),
        (
            good().set("ssn", json!("20000101-9876")),
            "a claim that the application expects is missing or different (ssn)",
        ),
    ] {
        assert_eq!(rejection(&token).to_string(), said);
    }
}

/// REQ-TOK-11
#[test]
fn no_rejection_repeats_personal_data_of_a_token() {
    for (name, value) in [("sub", "another-person"), ("ssn", "20000101-9876"), ("nonce", "n-0S6")] {
        let rejection = rejection(&good().set(name, json!(value)));
        assert_eq!(
            (rejection.member(), rejection.found()),
            (Some(name), Some(&Found::AnotherValue))
        );
        assert!(!alloc::format!("{rejection} {rejection:?}").contains(value));
    }
}

/// All evidence that is kept is bounded.
#[test]
fn evidence_has_a_bounded_length() {
    let long = "x".repeat(5000);
    let many: Vec<String> = (0..50).map(|n| alloc::format!("{n}{long}\u{1b}")).collect();
    for token in [
        good().set("iss", json!(long)),
        good().set("aud", json!(many)),
        good().header(&alloc::format!(r#"{{"alg":"{long}"}}"#)),
    ] {
        assert!(rejection(&token).to_string().len() < 3000);
        assert!(!rejection(&token).to_string().contains('\u{1b}'));
    }
}
