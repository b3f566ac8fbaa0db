//! ID Tokens (IDT).

use ciba_core::{
    AuthRequest, Hint,
    expect::{AcrRule, Expectations},
    jose::JwsAlgorithm,
};
use ciba_test_op::{Amendment, IdTokenEdit, KeySetEdit, MacKey, Script, TestKey, TokenShape};
use ciba_tests::drivers::run;
use ciba_tests::scenario::{Auth, Scenario, polls};
use serde_json::{Value, json};

use crate::{APPROVED, AUTH_REQ_ID, Elsewhere, id_token, keys, row};

/// The keys may have changed under the same id, so they are fetched once more, but nothing else.
fn refreshed(row: Scenario, check: &str) -> Scenario {
    row.ends(&format!("untrusted {check}"), polls(3).keys(2))
}

fn untrusted(row: Scenario, check: &str) -> Scenario {
    row.ends(&format!("untrusted {check}"), polls(3).keys(1))
}

/// OPM-IDT-01
/// OPM-IDT-02
/// OPM-IDT-03
/// OPM-IDT-05
/// OPM-IDT-06
/// OPM-IDT-07
/// OPM-IDT-08
/// OPM-IDT-09
/// OPM-IDT-10
/// OPM-IDT-11
/// OPM-IDT-18
/// OPM-IDT-20
/// OPM-IDT-21
#[test]
fn id_tokens_with_wrong_claims_are_rejected_and_no_request_follows() {
    let edit =
        |check: &str, edit: IdTokenEdit| untrusted(id_token(&format!("{edit:?}"), edit), check);
    let set = |check: &str, claim: &str, value: Value| edit(check, IdTokenEdit::set(claim, value));
    let raw = |check: &str, claim: &str, text: &str| {
        let script = Script::new()
            .id_token(IdTokenEdit::remove(claim))
            .id_token(IdTokenEdit::RawClaims(format!("\"{claim}\":{text},")));
        untrusted(row(format!("{claim} {text}"), script), check)
    };
    run(vec![
        set("issuer", "iss", json!("https://op.examplex")),
        edit("issuer", IdTokenEdit::append("iss", "/")),
        set("audience", "aud", json!("client-1x")),
        edit("audience", IdTokenEdit::remove("aud")),
        edit("extra-audience", IdTokenEdit::array("aud", &["stranger"])),
        set("extra-audience", "aud", json!(["stranger", "client-1"])),
        set("audience", "aud", json!(["stranger"])),
        set("audience", "aud", json!(["stranger", "another"])),
        set("audience", "aud", json!([])),
        set("audience", "aud", json!([1, null])),
        edit("expiry", IdTokenEdit::set_time("exp", -360)),
        edit("issued-at", IdTokenEdit::set_time("iat", -604_800)),
        edit("issued-at", IdTokenEdit::remove("iat")),
        untrusted(
            row(
                "iat in an hour",
                Script::new()
                    .id_token(IdTokenEdit::set_time("iat", 3600))
                    .id_token(IdTokenEdit::set_time("exp", 7200)),
            ),
            "issued-at",
        ),
        edit("not-before", IdTokenEdit::set_time("nbf", 3600)),
        edit("subject", IdTokenEdit::remove("sub")),
        set("subject", "sub", json!("")),
        set("access-token-hash", "at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA")),
        set("auth-req-id", AUTH_REQ_ID, json!("another")),
        set("expiry", "exp", json!("1893456300")),
        set("expiry", "exp", json!(true)),
        raw("claims-form", "exp", "1e400"),
        raw("claims-form", "exp", "NaN"),
        set("issued-at", "iat", json!("1893456000")),
    ]);
}

/// OPM-IDT-04
/// OPM-IDT-19
#[test]
fn id_tokens_with_an_audience_list_or_without_optional_claims_are_accepted() {
    run(vec![
        id_token("aud list", IdTokenEdit::array("aud", &[])),
        id_token("no at_hash", IdTokenEdit::remove("at_hash")),
    ]);
}

/// OPM-IDT-12
/// OPM-IDT-13
/// OPM-IDT-14
/// OPM-IDT-15
/// OPM-IDT-16
/// OPM-IDT-17
/// OPM-IDT-22
/// OPM-IDT-23
/// OPM-IDT-24
/// OPM-IDT-26
#[test]
fn id_tokens_with_wrong_signatures_headers_or_shapes_are_rejected_and_no_request_follows() {
    use JwsAlgorithm::{Es256, Ps256, Rs256};
    let edit =
        |check: &str, edit: IdTokenEdit| untrusted(id_token(&format!("{edit:?}"), edit), check);
    let early = |check: &str, change: IdTokenEdit| {
        edit(check, change).ends(&format!("untrusted {check}"), polls(3))
    };
    let after_refresh =
        |change: IdTokenEdit| refreshed(id_token(&format!("{change:?}"), change), "signature");
    let shape = |shape: TokenShape| early("token-form", IdTokenEdit::Shape(shape));
    let es256 = |row: Scenario| row.id_token_alg(Es256);
    let stranger = TestKey::StrangerRsa.public_jwk(Rs256);
    let embedded = |member: &str, value: Value| {
        let name = format!("embedded {member} {value}");
        let script = Script::new()
            .id_token(IdTokenEdit::Key(TestKey::StrangerRsa, Rs256))
            .id_token(IdTokenEdit::header("kid", TestKey::ProviderRsa.key_id()))
            .id_token(IdTokenEdit::header(member, value));
        refreshed(row(name, script), "signature")
    };
    let elsewhere = Elsewhere::new();
    let narrowed = |alg: JwsAlgorithm, script: Script| {
        let listed =
            Amendment::new().set("id_token_signing_alg_values_supported", json!([alg.name()]));
        let name = format!("{alg} is listed: {script:?}");
        untrusted(row(name, script.metadata(listed)), "algorithm")
            .ends("untrusted algorithm", polls(3))
            .id_token_alg(alg)
    };
    let another_published = || {
        let other = KeySetEdit::Prepend(vec![TestKey::StrangerRsa.public_jwk(Rs256)]);
        Script::new().id_token(IdTokenEdit::Key(TestKey::StrangerRsa, Rs256)).keys(other)
    };
    let mut rows = vec![
        narrowed(Ps256, Script::new().id_token(IdTokenEdit::Algorithm(Rs256))),
        narrowed(Es256, Script::new().id_token(IdTokenEdit::Algorithm(Rs256))),
        narrowed(Ps256, another_published()),
        narrowed(Es256, another_published()),
        early("algorithm", IdTokenEdit::Unsigned("none".into())),
        early("algorithm", IdTokenEdit::Unsigned("nOnE".into())),
        after_refresh(IdTokenEdit::XorSignature(0x5a)),
        early("algorithm", IdTokenEdit::Algorithm(Rs256)).id_token_alg(Ps256),
        early("algorithm", IdTokenEdit::Mac(MacKey::PublicJwk)),
        early("algorithm", IdTokenEdit::Mac(MacKey::PublicNumbers)),
        early("algorithm", IdTokenEdit::Mac(MacKey::ClientSecret)).auth(Auth::Post),
        embedded("jwk", stranger),
        embedded("x5c", json!(["AAAA"])),
        early("critical-header", IdTokenEdit::header("crit", json!(["b64"]))),
        early("critical-header", IdTokenEdit::header("crit", json!(["exp"]))),
        shape(TokenShape::TwoSegments),
        shape(TokenShape::ExtraSegments(1)),
        shape(TokenShape::ExtraSegments(3)),
        shape(TokenShape::Padded),
        shape(TokenShape::LineBreak),
        shape(TokenShape::TrailingSpace),
        shape(TokenShape::TrailingDot),
        es256(after_refresh(IdTokenEdit::DerSignature)),
        es256(after_refresh(IdTokenEdit::CutSignature(63))),
        es256(after_refresh(IdTokenEdit::Signature(vec![0; 64]))),
        refreshed(
            keys("keys for encryption", KeySetEdit::SetMembers(member("use", json!("enc")))),
            "unusable-key",
        ),
        refreshed(
            keys("keys of another alg", KeySetEdit::SetMembers(member("alg", json!("RS512")))),
            "unusable-key",
        ),
    ];
    for (alg, enc) in [("RSA1_5", "A128CBC-HS256"), ("dir", "A256GCM"), ("RSA-OAEP-256", "A256GCM")]
    {
        let header = json!({"alg": alg, "enc": enc}).to_string();
        rows.push(early(
            "unexpected-encryption",
            IdTokenEdit::Shape(TokenShape::Raw(jwe(&header))),
        ));
    }
    for (member, scheme) in [("jku", "http"), ("jku", "https"), ("x5u", "http"), ("x5u", "https")] {
        rows.push(embedded(member, elsewhere.url(scheme, "/jwks").into()));
    }
    run(rows);
    assert_eq!(elsewhere.connections(), 0, "no key is fetched from where the token says");
}

fn jwe(header: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    format!("{}.AAAA.AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA", URL_SAFE_NO_PAD.encode(header))
}

fn member(name: &str, value: Value) -> serde_json::Map<String, Value> {
    [(name.to_owned(), value)].into_iter().collect()
}

/// What ConnectID demands of an ID Token: `txn`, the trust framework of `verified_claims`, and no
/// `acr` that was not requested.
///
/// OPM-IDT-27
#[test]
fn what_a_national_profile_demands_of_an_id_token_can_be_required() {
    let verified = |name: &str| json!({"verification": {"trust_framework": name}, "claims": {}});
    let row = |name: &str, txn: Option<&str>, framework: Option<&str>, acr: Option<&str>| {
        let edits = [
            txn.map(|txn| IdTokenEdit::set("txn", json!(txn))),
            framework.map(|name| IdTokenEdit::set("verified_claims", verified(name))),
            acr.map(|acr| IdTokenEdit::set("acr", json!(acr))),
        ];
        let script = edits.into_iter().flatten().fold(Script::new(), Script::id_token);
        row(format!("profile {name}"), script).request(|| {
            let demanded = Expectations::new()
                .claim_present("txn")
                .trust_framework("au_connectid")
                .acr(AcrRule::RequestedOnly);
            AuthRequest::new(Hint::Login("approve".into())).expecting(demanded)
        })
    };
    let (txn, framework) = (Some("t-1"), Some("au_connectid"));
    run(vec![
        row("met", txn, framework, None).ends(APPROVED, polls(3).keys(1)),
        untrusted(row("no txn", None, framework, None), "expected-claim"),
        untrusted(row("empty txn", Some(""), framework, None), "expected-claim"),
        untrusted(row("no framework", txn, None, None), "expected-claim"),
        untrusted(row("other framework", txn, Some("uk_tfida"), None), "expected-claim"),
        untrusted(row("unrequested acr", txn, framework, Some("urn:high")), "acr"),
    ]);
}
