use alloc::{format, string::ToString, vec::Vec};

use serde_json::{Value, json};

use super::*;
use crate::{
    client::{RequestStyle, testing},
    expect::{AcrRule, Expectations, SavedExpectations},
    id_token::Claims,
    issuer::Issuer,
    jose::compact::Compact,
    request::{AuthRequest, Hint, SavedRequest},
    secret::LoginHint,
    time::Timestamp,
    url::{LoopbackHttp, Url},
    wire::form::Form,
};

const SAMPLE: &str = include_str!("../../../../../tests/data/idura/id-token.jwt");

fn person() -> SwedishPersonalNumber {
    SwedishPersonalNumber::parse("196802020575").unwrap()
}

fn form(request: &AuthRequest) -> Vec<(String, String)> {
    let mut form = Form::default();
    request.write(&RequestStyle::default(), &mut form, None);
    let body = form.into_body();
    url::form_urlencoded::parse(body.expose()).into_owned().collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// The verdict of a request on the claims of a token.
fn verdict(request: &AuthRequest, claims: &Value) -> Result<(), crate::fault::Untrusted> {
    let config = testing::builder().build().unwrap();
    let expectations: Expectations = request.effective_expectations(&config);
    // As built, and as restored from a snapshot.
    let saved = serde_json::to_string(&SavedExpectations::save(&expectations)).unwrap();
    let loaded = serde_json::from_str::<SavedExpectations<'_>>(&saved).unwrap().load();
    assert_eq!(loaded, expectations);
    let saved = serde_json::to_string(&SavedRequest::save(request)).unwrap();
    let again = serde_json::from_str::<SavedRequest<'_>>(&saved).unwrap().load();
    assert_eq!(again.effective_expectations(&config), expectations);
    let text = claims.to_string();
    let claims = Claims::parse(&text, &expectations).unwrap();
    expectations
        .check(|name| claims.get(name), Timestamp::from_unix_secs(1_780_000_000))
        .map(drop)
        .map_err(|rejection| rejection.check())
}

#[test]
fn the_sample_token_reads_into_the_typed_claims() {
    let token = Compact::split(SAMPLE.trim_end()).unwrap();
    let claims: IdTokenClaims = serde_json::from_slice(&token.payload).unwrap();
    assert_eq!(claims.sub.as_deref(), Some("{bb9c2364-dfae-44f3-bcfd-999053d94f9e}"));
    assert_eq!(claims.identity_scheme.as_deref(), Some("sebankid"));
    assert_eq!(claims.authentication_type.as_deref(), Some(SWEDISH_BANKID));
    assert_eq!(claims.authentication_instant.as_deref(), Some("2024-05-22T10:41:41.361Z"));
    assert_eq!(claims.ssn.as_deref(), Some(person().expose()));
    assert_eq!((claims.first_names(), claims.last_names()), (Some("Terne"), Some("Paulsen")));
    assert_eq!((claims.country.as_deref(), claims.socialno), (Some("SE"), None));
}

/// REQ-IDT-30b
#[test]
fn a_claim_of_another_type_counts_as_absent() {
    let claims = json!({"sub": "{a}", "age": 44, "birthdate": null, "name": ["x"], "country": {"a": [1]}, "new": 1});
    let claims: IdTokenClaims = serde_json::from_value(claims).unwrap();
    assert_eq!(claims, IdTokenClaims { sub: Some("{a}".into()), ..IdTokenClaims::default() });
}

#[test]
fn the_swedish_request_is_the_documented_one() {
    for (initiator, name) in [(CallInitiator::Company, "RP"), (CallInitiator::Customer, "user")] {
        let request =
            SwedishBankId::phone_authentication(person(), initiator, "Ärende 4711").into_request();
        let details = format!(r#"[{{"type":"phoneAuth","callInitiator":"{name}"}}]"#);
        let sent = form(&request);
        let (details_sent, others): (Vec<_>, Vec<_>) =
            sent.into_iter().partition(|(name, _)| name == "authorization_details");
        assert_eq!(
            others,
            pairs(&[
                ("scope", "openid"),
                ("login_hint", "sub:ssn:196802020575"),
                ("acr_values", "urn:grn:authn:se:bankid"),
                ("binding_message", "Ärende 4711"),
            ])
        );
        let [(_, text)] = &details_sent[..] else { panic!("one parameter") };
        assert!(!text.contains(' '), "compact");
        assert_eq!(
            serde_json::from_str::<Value>(text).unwrap(),
            serde_json::from_str::<Value>(&details).unwrap()
        );
    }
}

#[test]
fn the_norwegian_request_has_no_message() {
    let person = NorwegianNationalId::parse("01010750160").unwrap();
    let request = NorwegianBankId::caller_authentication(person).into_request();
    assert_eq!(
        form(&request),
        pairs(&[
            ("scope", "openid"),
            ("login_hint", "sub:ssn:01010750160"),
            ("acr_values", "urn:grn:authn:no:bankid"),
            ("authorization_details", r#"[{"type":"customerServiceCall.v1"}]"#),
        ])
    );
    assert!(request.headers().is_empty());
}

/// Swedish BankID requires a message and Norwegian BankID accepts none, whatever is set on the
/// request afterwards, and after a restart as well.
// ID-24
#[test]
fn swedish_bankid_requires_a_binding_message_and_norwegian_bankid_refuses_one() {
    let swedish = |message: &str| {
        SwedishBankId::phone_authentication(person(), CallInitiator::Company, message)
            .into_request()
    };
    let norwegian = || {
        NorwegianBankId::caller_authentication(NorwegianNationalId::parse("01010750160").unwrap())
            .into_request()
    };
    let verdict = |request: &AuthRequest| {
        request.check(&testing::builder().build().unwrap(), Timestamp::EPOCH)
    };
    for (request, is_refused) in [
        (swedish("Order 4711"), false),
        (swedish(""), true),
        (swedish("Order 4711").binding_message(""), true),
        (norwegian(), false),
        (norwegian().binding_message(""), false),
        (norwegian().binding_message("m"), true),
    ] {
        let refused =
            verdict(&request).is_err_and(|error| error.to_string().contains("binding_message"));
        assert_eq!(refused, is_refused, "{request:?}");
        let saved = serde_json::to_string(&SavedRequest::save(&request)).unwrap();
        let again = serde_json::from_str::<SavedRequest<'_>>(&saved).unwrap().load();
        assert_eq!(verdict(&again), verdict(&request), "after a restart");
    }
}

#[test]
fn a_free_form_request_accepts_any_parameter() {
    let request =
        FreeForm::freja_id(LoginHint::new("sub:email:a@example.org")).trace_id().into_request();
    assert_eq!(request.headers(), pairs(&[("Prefer", "return-trace-id")]));
    let request = request.authorization_details_json(r#"[{"type":"x"}]"#).binding_message("m");
    assert_eq!(
        form(&request),
        pairs(&[
            ("scope", "openid"),
            ("login_hint", "sub:email:a@example.org"),
            ("acr_values", FREJA_ID),
            ("binding_message", "m"),
            ("authorization_details", r#"[{"type":"x"}]"#),
        ])
    );
    let Hint::Login(hint) = request.hint() else { panic!("a login hint") };
    assert_eq!(hint.expose(), "sub:email:a@example.org");
}

#[test]
fn the_person_in_the_token_must_be_the_requested_one() {
    let request = |check| {
        SwedishBankId::phone_authentication(person(), CallInitiator::Company, "m")
            .person_check(check)
            .into_request()
    };
    let (same, other, absent) =
        (json!({"ssn": "196802020575"}), json!({"ssn": "196802020576"}), json!({}));
    for (check, claims, accepted) in [
        (Check::IfPresent, &same, true),
        (Check::IfPresent, &other, false),
        (Check::IfPresent, &json!({"ssn": "196802020575:1"}), false),
        (Check::IfPresent, &absent, true),
        (Check::Require, &same, true),
        (Check::Require, &other, false),
        (Check::Require, &absent, false),
        (Check::Off, &other, true),
        (Check::Off, &absent, true),
    ] {
        let expected = if accepted { Ok(()) } else { Err(crate::fault::Untrusted::AnotherPerson) };
        assert_eq!(verdict(&request(check), claims), expected, "{check:?} {claims}");
        // Other expectations of the caller do not disable the check.
        let besides = request(check).expecting(Expectations::new().require_auth_time());
        assert_eq!(verdict(&besides, claims), expected, "{check:?} {claims}");
    }
    // By default Swedish BankID must show the number.
    let by_default =
        SwedishBankId::phone_authentication(person(), CallInitiator::Company, "m").into_request();
    for (claims, accepted) in [(&same, true), (&other, false), (&absent, false)] {
        let expected = if accepted { Ok(()) } else { Err(crate::fault::Untrusted::AnotherPerson) };
        assert_eq!(verdict(&by_default, claims), expected, "{claims}");
    }
    let norwegian =
        NorwegianBankId::caller_authentication(NorwegianNationalId::parse("01010750160").unwrap());
    let norwegian = norwegian.into_request();
    assert_eq!(verdict(&norwegian, &json!({"socialno": "01010750160"})), Ok(()));
    assert_eq!(
        verdict(&norwegian, &json!({"socialno": "01010750161"})),
        Err(crate::fault::Untrusted::AnotherPerson)
    );
}

#[test]
fn the_eid_in_the_token_must_equal_or_refine_the_requested_one() {
    let request = |check| {
        let person = NorwegianNationalId::parse("01010750160").unwrap();
        NorwegianBankId::caller_authentication(person).eid_check(check).into_request()
    };
    let eid = |eid: &str| json!({ "authenticationtype": eid });
    for (check, claims, accepted) in [
        (Check::IfPresent, eid(NORWEGIAN_BANKID), true),
        (Check::IfPresent, eid("urn:grn:authn:no:bankid:substantial"), true),
        (Check::IfPresent, eid("urn:grn:authn:no:bankidx"), false),
        (Check::IfPresent, eid(SWEDISH_BANKID), false),
        (Check::IfPresent, json!({}), true),
        (Check::IfPresent, json!({"acr": "urn:grn:authn:no:bankid:high"}), true),
        (Check::IfPresent, json!({ "acr": SWEDISH_BANKID }), false),
        (Check::Require, eid("urn:grn:authn:no:bankid:high"), true),
        (Check::Require, json!({}), false),
        (Check::Off, eid(FREJA_ID), true),
    ] {
        let expected = if accepted { Ok(()) } else { Err(crate::fault::Untrusted::AnotherEid) };
        assert_eq!(verdict(&request(check), &claims), expected, "{check:?} {claims}");
    }
    // Other expectations do not require a refined `acr` to equal the requested one.
    let config = testing::builder().build().unwrap();
    let besides = request(Check::IfPresent).expecting(Expectations::new().subject("s"));
    let expectations = besides.effective_expectations(&config);
    assert_eq!(
        (expectations.acr, expectations.subject.as_deref()),
        (Some(AcrRule::Report), Some("s"))
    );
}

#[test]
fn the_preset_only_adds_endpoints_that_discovery_lacks() {
    let bare =
        ProviderMetadata::by_hand(Issuer::parse("https://example.test.idura.broker").unwrap());
    let completed = complete(bare.clone()).unwrap();
    let text = |url: &Option<Url>| url.as_ref().unwrap().to_string();
    assert_eq!(
        text(&completed.backchannel_authentication_endpoint),
        "https://example.test.idura.broker/ciba/bc-authorize"
    );
    assert_eq!(text(&completed.token_endpoint), "https://example.test.idura.broker/oauth2/token");
    let mut published = bare.clone();
    published.token_endpoint = Some(Url::parse("https://other.example/token").unwrap());
    assert_eq!(text(&complete(published).unwrap().token_endpoint), "https://other.example/token");
    let loopback =
        Issuer::parse_with("http://127.0.0.1:8080", LoopbackHttp::DangerouslyAllowed).unwrap();
    let loopback = complete(ProviderMetadata::by_hand(loopback)).unwrap();
    assert_eq!(text(&loopback.token_endpoint), "http://127.0.0.1:8080/oauth2/token");

    let mut metadata = bare;
    metadata.jwks_uri =
        Some(Url::parse("https://example.test.idura.broker/.well-known/jwks").unwrap());
    for auth in [private_key_jwt("kid"), client_secret("secret".into())] {
        let client_id = ClientId::new("urn:my:application:identifier:4711").unwrap();
        let builder = client(metadata.clone(), client_id).unwrap().client_auth(auth);
        let built = builder.verifier(alloc::sync::Arc::new(testing::ToyVerifier)).build();
        assert!(built.is_ok(), "{built:?}");
    }
}

#[test]
fn swedish_numbers_have_a_date_and_a_luhn_digit() {
    for (number, verdict) in [
        ("196802020575", None),
        ("198112189876", None),
        ("196408233234", None),
        ("197010632391", None), // a coordination number
        ("196802020576", Some(NationalIdError::CheckDigit)),
        ("196802020755", Some(NationalIdError::CheckDigit)),
        ("196802300574", Some(NationalIdError::Date)),
        ("196813020575", Some(NationalIdError::Date)),
        ("196800020575", Some(NationalIdError::Date)),
        ("196802000575", Some(NationalIdError::Date)),
        ("196802600575", Some(NationalIdError::Date)),
        ("196802920575", Some(NationalIdError::Date)),
        ("006802020575", Some(NationalIdError::Date)),
        ("6802020575", Some(NationalIdError::Length { expected: 12 })),
        ("1968020205751", Some(NationalIdError::Length { expected: 12 })),
        ("", Some(NationalIdError::Length { expected: 12 })),
        ("19680202-0575", Some(NationalIdError::NotDigits)),
        ("19680202057٥", Some(NationalIdError::NotDigits)),
        (" 19680202057", Some(NationalIdError::NotDigits)),
    ] {
        assert_eq!(SwedishPersonalNumber::parse(number).err(), verdict, "{number}");
    }
}

#[test]
fn norwegian_numbers_have_a_date_and_two_check_digits() {
    for (number, verdict, synthetic) in [
        ("01010750160", None, false),
        ("01010750161", Some(NationalIdError::CheckDigit), false),
        ("01010750170", Some(NationalIdError::CheckDigit), false),
        ("10010750160", Some(NationalIdError::CheckDigit), false),
        ("00010750160", Some(NationalIdError::Date), false),
        ("32010750160", Some(NationalIdError::Date), false),
        ("01130750160", Some(NationalIdError::Date), false),
        ("01400750160", Some(NationalIdError::Date), false),
        ("29020750160", Some(NationalIdError::Date), false),
        ("0101075016", Some(NationalIdError::Length { expected: 11 }), false),
        ("010107501600", Some(NationalIdError::Length { expected: 11 }), false),
        ("010107 5016", Some(NationalIdError::NotDigits), false),
    ] {
        let parsed = NorwegianNationalId::parse(number);
        assert_eq!(parsed.clone().err(), verdict, "{number}");
        assert!(
            parsed.is_err() || parsed.is_ok_and(|id| id.is_synthetic() == synthetic),
            "{number}"
        );
    }
    // The second check digit fits, the first does not.
    let number = completed("010107501", 1).unwrap();
    assert_eq!(NorwegianNationalId::parse(&number).err(), Some(NationalIdError::CheckDigit));
    // D-numbers and both kinds of synthetic numbers, completed with the check digits as the rule
    // defines them.
    for (start, synthetic) in [
        ("010107501", false),
        ("410107500", false),
        ("014107500", true),
        ("018107500", true),
        ("719296500", true),
    ] {
        let number = completed(start, 0).unwrap();
        assert_eq!(
            NorwegianNationalId::parse(&number).map(|id| id.is_synthetic()),
            Ok(synthetic),
            "{number}"
        );
    }
}

/// Completes nine digits with their two check digits as defined: eleven minus the remainder. A
/// result of ten means that no such number exists. The first is off by `wrong_by`, and the second
/// matches the wrong one.
fn completed(start: &str, wrong_by: u32) -> Option<String> {
    let mut digits: Vec<u32> = start.chars().map(|digit| digit.to_digit(10).unwrap()).collect();
    for weights in [&[3, 7, 6, 1, 8, 9, 4, 5, 2][..], &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]] {
        let sum: u32 = digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum();
        digits.push(match 11 - sum % 11 {
            11 => 0,
            10 => return None,
            digit => digit,
        });
        if let (9, Some(first)) = (weights.len(), digits.get_mut(9)) {
            *first = (*first + wrong_by) % 10;
        }
    }
    Some(digits.iter().map(u32::to_string).collect())
}

/// REQ-SEC-03
#[test]
fn national_ids_are_not_shown_in_debug() {
    let person = person();
    let request = SwedishBankId::phone_authentication(person.clone(), CallInitiator::Company, "m");
    let shown = format!("{person:?} {request:?} {:?}", request.clone().into_request());
    let claims = IdTokenClaims { ssn: Some(person.expose().into()), ..IdTokenClaims::default() };
    assert!(!format!("{shown} {claims:?}").contains("0575"), "{shown}");
    assert_eq!(
        format!("{:?}", NorwegianNationalId::parse("01010750160")),
        "Ok(NorwegianNationalId(..))"
    );
    for error in [NationalIdError::CheckDigit, NationalIdError::Length { expected: 11 }] {
        assert!(!error.to_string().contains("0575"));
    }
}

/// REQ-SEC-15
#[test]
fn texts_of_the_provider_are_read_as_documented() {
    let acknowledged = |extra: Value| Acknowledgement {
        expires_in: Duration::from_secs(900),
        interval: Duration::from_secs(3),
        extra: crate::json::JsonObject::from_json(&extra.to_string()).unwrap(),
        deviations: Vec::new(),
    };
    let words =
        words_to_read_out(&acknowledged(json!({"bindingMessage": "BLÅ\u{202e} HEST\u{1b}"})));
    assert_eq!(words.as_deref(), Some("BLÅ  HEST "));
    assert_eq!(words_to_read_out(&acknowledged(json!({"bindingMessage": 5}))), None);
    assert_eq!(words_to_read_out(&acknowledged(json!({}))), None);

    for (text, progress) in [
        ("awaiting first user interaction", Some(Progress::AwaitingFirstInteraction)),
        ("awaiting user request acknowledgement", Some(Progress::AwaitingAcknowledgement)),
        ("awaiting user identification", Some(Progress::AwaitingIdentification)),
        ("User has not yet granted authorization", None),
    ] {
        assert_eq!(Progress::from_text(text), progress);
    }
    assert!(!binding_message_may_be_too_long(&"å".repeat(562)));
    assert!(binding_message_may_be_too_long(&"å".repeat(563)));
}
