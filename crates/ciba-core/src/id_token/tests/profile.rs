//! What national profiles demand of an ID Token.

use super::*;
use crate::expect::SavedExpectations;

/// REQ-IDT-39
/// OPM-IDT-27
#[test]
fn a_claim_can_be_required_whatever_its_value_is() {
    let present = || Expectations::new().claim_present("txn");
    for (value, accepted) in [
        (json!("t-1"), true),
        (json!(7), true),
        (json!(-7), true),
        (json!(7.5), true),
        (json!(false), true),
        (json!(""), false),
        (json!(null), false),
        (json!(["t-1"]), false),
        (json!({"t": 1}), false),
    ] {
        let result = expecting(&token().set("txn", value.clone()), present());
        assert_eq!(result.err(), (!accepted).then_some(Untrusted::ExpectedClaim), "{value}");
    }
    refused(expecting(&token(), present()), Untrusted::ExpectedClaim);
}

/// REQ-IDT-39
/// OPM-IDT-27
#[test]
fn the_trust_framework_of_verified_claims_can_be_required() {
    let by = |name: &str| json!({"verification": {"trust_framework": name}, "claims": {"a": 1}});
    let wanted = || Expectations::new().trust_framework("au_connectid");
    for (value, accepted) in [
        (by("au_connectid"), true),
        (json!([by("au_connectid"), by("au_connectid")]), true),
        (by("au_connectid2"), false),
        (by(""), false),
        (json!([by("au_connectid"), by("another")]), false),
        (json!([by("au_connectid"), {}]), false),
        (json!([]), false),
        (json!({"verification": {"trust_framework": null}}), false),
        (json!({"verification": {"trust_framework": ["au_connectid"]}}), false),
        (json!({"verification": "au_connectid"}), false),
        (json!({"trust_framework": "au_connectid"}), false),
        (json!("au_connectid"), false),
        (json!(["au_connectid"]), false),
        (json!(null), false),
    ] {
        let result = expecting(&token().set("verified_claims", value.clone()), wanted());
        assert_eq!(result.err(), (!accepted).then_some(Untrusted::ExpectedClaim), "{value}");
    }
    refused(expecting(&token(), wanted()), Untrusted::ExpectedClaim);
    // A claim of this name is not that member.
    let named = token().set("verified_claims/verification/trust_framework", json!("au_connectid"));
    refused(expecting(&named, wanted()), Untrusted::ExpectedClaim);
    // Of two members with one name, another reader might take the other one.
    let twice = token().set("verified_claims", by("au_connectid"));
    let payload = Value::Object(twice.claims).to_string();
    let named = r#""trust_framework":"au_connectid""#;
    let (before, after) = (r#""trust_framework":"x","#, r#","trust_framework":"x""#);
    let whole = r#""verification":{"trust_framework":"au_connectid"}"#;
    let (earlier, later) = (r#""verification":{},"#, r#","verification":{}"#);
    for (member, doubled) in [
        (named, [before, named].concat()),
        (named, [named, after].concat()),
        (whole, [earlier, whole].concat()),
        (whole, [whole, later].concat()),
    ] {
        assert!(payload.contains(member), "{payload}");
        let payload = payload.replace(member, &doubled);
        let result = validate(&signed(&twice.header, payload, 1), &wanted());
        refused(result, Untrusted::ExpectedClaim);
    }
    // Nothing is read unless it is expected.
    assert!(token().set("verified_claims", json!(5)).verdict().is_ok());
}

/// An expectation that a snapshot lost would be a check less.
#[test]
fn what_a_profile_demands_survives_a_restart() {
    let demanded = Expectations::new()
        .claim_present("txn")
        .trust_framework("au_connectid")
        .acr(AcrRule::RequestedOnly);
    let saved = serde_json::to_string(&SavedExpectations::save(&demanded)).unwrap();
    let loaded: SavedExpectations<'_> = serde_json::from_str(&saved).unwrap();
    assert_eq!(loaded.load(), demanded);
}
