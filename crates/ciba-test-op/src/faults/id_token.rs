//! ID Tokens: F-18 to F-20.

use ciba_core::jose::JwsAlgorithm;
use serde_json::{Value, json};

use super::entry::{Fault, fault};
use crate::{
    keys::TestKey,
    script::{IdTokenEdit, MacKey, Script, TokenShape},
};

const WEEK: i64 = 7 * 86_400;

pub(super) fn faults() -> Vec<Fault> {
    let mut faults = claims();
    faults.extend(times());
    faults.extend(header());
    faults.extend(bytes());
    faults
}

fn one(name: &'static str, menu: &'static str, summary: &'static str, edit: IdTokenEdit) -> Fault {
    fault(name, menu, summary, Script::new().id_token(edit))
}

fn claims() -> Vec<Fault> {
    let set = |name, summary, claim, value: Value| {
        one(name, "F-18", summary, IdTokenEdit::set(claim, value))
    };
    let remove = |name, summary, claim| one(name, "F-18", summary, IdTokenEdit::remove(claim));
    vec![
        set("id-token-other-iss", "iss is another issuer", "iss", json!("https://op.example/x")),
        one(
            "id-token-slash-iss",
            "F-18",
            "iss with an additional slash",
            IdTokenEdit::append("iss", "/"),
        ),
        remove("id-token-no-iss", "no iss", "iss"),
        set("id-token-other-aud", "aud is another client", "aud", json!("another-client")),
        remove("id-token-no-aud", "no aud", "aud"),
        one(
            "id-token-list-aud",
            "F-18",
            "aud is an array of the client",
            IdTokenEdit::array("aud", &[]),
        ),
        one(
            "id-token-wider-aud",
            "F-18",
            "aud also names another client",
            IdTokenEdit::array("aud", &["another-client"]),
        ),
        set(
            "id-token-foreign-aud",
            "aud is an array of another client",
            "aud",
            json!(["another-client"]),
        ),
        set("id-token-empty-aud", "aud is an empty array", "aud", json!([])),
        set("id-token-number-aud", "aud is an array of numbers", "aud", json!([1, null])),
        remove("id-token-no-sub", "no sub", "sub"),
        set("id-token-empty-sub", "sub is empty", "sub", json!("")),
        set("id-token-number-sub", "sub is a number", "sub", json!(7)),
        set("id-token-other-azp", "azp is another client", "azp", json!("another-client")),
        set("id-token-nonce", "an unrequested nonce", "nonce", json!("unsolicited")),
        set(
            "id-token-other-at-hash",
            "at_hash of another access token",
            "at_hash",
            json!("AAAAAAAAAAAAAAAAAAAAAA"),
        ),
        remove("id-token-no-at-hash", "no at_hash", "at_hash"),
        set(
            "id-token-other-auth-req-id",
            "the claim auth_req_id of another request",
            "urn:openid:params:jwt:claim:auth_req_id",
            json!("another"),
        ),
        set("id-token-other-acr", "acr is another one", "acr", json!("another")),
        remove("id-token-no-acr", "no acr", "acr"),
        one(
            "id-token-duplicate-claim",
            "F-18",
            "two subjects",
            IdTokenEdit::RawClaims("\"sub\":\"somebody\",".into()),
        ),
    ]
}

fn times() -> Vec<Fault> {
    let time = |name, summary, claim, offset| {
        one(name, "F-18", summary, IdTokenEdit::set_time(claim, offset))
    };
    let set = |name, summary, claim, value: Value| {
        one(name, "F-18", summary, IdTokenEdit::set(claim, value))
    };
    let raw = |name, summary, claim: &str, text: &str| {
        let edits = Script::new()
            .id_token(IdTokenEdit::remove(claim))
            .id_token(IdTokenEdit::RawClaims(text.to_owned()));
        fault(name, "F-18", summary, edits)
    };
    vec![
        time("id-token-expired", "exp six minutes ago", "exp", -360),
        one("id-token-no-exp", "F-18", "no exp", IdTokenEdit::remove("exp")),
        set("id-token-text-exp", "exp is a string", "exp", json!("9999999999")),
        raw("id-token-huge-exp", "exp is 1e400", "exp", "\"exp\":1e400,"),
        time("id-token-old-iat", "iat a week ago", "iat", -WEEK),
        time("id-token-future-iat", "iat in an hour", "iat", 3600),
        one("id-token-no-iat", "F-18", "no iat", IdTokenEdit::remove("iat")),
        set("id-token-text-iat", "iat is a string", "iat", json!("1893456000")),
        time("id-token-future-nbf", "nbf in an hour", "nbf", 3600),
        time("id-token-old-auth-time", "auth_time a week ago", "auth_time", -WEEK),
        one("id-token-no-auth-time", "F-18", "no auth_time", IdTokenEdit::remove("auth_time")),
    ]
}

fn header() -> Vec<Fault> {
    let header = |name, summary, member, value: Value| {
        one(name, "F-19", summary, IdTokenEdit::header(member, value))
    };
    let unsigned =
        |name, alg: &str| one(name, "F-19", "no signature", IdTokenEdit::Unsigned(alg.to_owned()));
    let mac = |name, summary, key| one(name, "F-19", summary, IdTokenEdit::Mac(key));
    let stranger = TestKey::StrangerRsa.public_jwk(JwsAlgorithm::Rs256);
    let embedded = Script::new()
        .id_token(IdTokenEdit::Key(TestKey::StrangerRsa, JwsAlgorithm::Rs256))
        .id_token(IdTokenEdit::header("jwk", stranger));
    vec![
        unsigned("id-token-none", "none"),
        unsigned("id-token-none-capital", "None"),
        unsigned("id-token-none-mixed", "nOnE"),
        mac("id-token-mac-public-jwk", "HS256 keyed with the public JWK", MacKey::PublicJwk),
        mac(
            "id-token-mac-public-numbers",
            "HS256 keyed with the public numbers",
            MacKey::PublicNumbers,
        ),
        mac("id-token-mac-secret", "HS256 keyed with the client secret", MacKey::ClientSecret),
        one(
            "id-token-other-alg",
            "F-19",
            "a published key with an unregistered algorithm",
            IdTokenEdit::Algorithm(JwsAlgorithm::Es384),
        ),
        one("id-token-no-kid", "F-19", "no kid", IdTokenEdit::remove_header("kid")),
        header("id-token-unknown-kid", "an unpublished kid", "kid", json!("unknown")),
        header("id-token-number-kid", "kid is a number", "kid", json!(1)),
        fault("id-token-embedded-key", "F-19", "signed by the key in its own header", embedded),
        header("id-token-jku", "jku names a URL", "jku", json!("https://op.example/trap")),
        header("id-token-x5u", "x5u names a URL", "x5u", json!("https://op.example/trap")),
        header("id-token-crit", "crit names an extension", "crit", json!(["exp"])),
        one(
            "id-token-b64",
            "F-19",
            "b64 is false",
            IdTokenEdit::RawHeader("\"b64\":false,\"crit\":[\"b64\"],".into()),
        ),
        header("id-token-other-typ", "typ is logout+jwt", "typ", json!("logout+jwt")),
        one(
            "id-token-duplicate-header",
            "F-19",
            "two algorithms",
            IdTokenEdit::RawHeader("\"alg\":\"none\",".into()),
        ),
    ]
}

fn bytes() -> Vec<Fault> {
    let byte = |name, summary, edit| one(name, "F-20", summary, edit);
    let shape = |name, summary, shape| one(name, "F-20", summary, IdTokenEdit::Shape(shape));
    vec![
        byte(
            "id-token-flipped-header",
            "a changed character in the header",
            IdTokenEdit::FlipBit(0),
        ),
        byte(
            "id-token-flipped-claims",
            "a changed character in the claims",
            IdTokenEdit::FlipBit(1),
        ),
        byte(
            "id-token-flipped-signature",
            "a changed character in the signature",
            IdTokenEdit::FlipBit(2),
        ),
        byte(
            "id-token-xored-signature",
            "every signature byte changed",
            IdTokenEdit::XorSignature(0x5a),
        ),
        byte(
            "id-token-zero-signature",
            "a signature of zeros",
            IdTokenEdit::Signature(vec![0; 64]),
        ),
        byte("id-token-empty-signature", "an empty signature", IdTokenEdit::Signature(Vec::new())),
        byte("id-token-short-signature", "half a signature", IdTokenEdit::CutSignature(32)),
        fault(
            "id-token-der-signature",
            "F-20",
            "an ES256 signature in DER",
            Script::new()
                .id_token(IdTokenEdit::Algorithm(JwsAlgorithm::Es256))
                .id_token(IdTokenEdit::DerSignature),
        ),
        shape("id-token-two-segments", "no signature segment", TokenShape::TwoSegments),
        shape("id-token-four-segments", "one additional segment", TokenShape::ExtraSegments(1)),
        shape("id-token-six-segments", "three additional segments", TokenShape::ExtraSegments(3)),
        shape("id-token-trailing-dot", "a dot at the end", TokenShape::TrailingDot),
        shape("id-token-padded", "padding characters", TokenShape::Padded),
        shape("id-token-line-break", "a line break in the claims", TokenShape::LineBreak),
        shape("id-token-trailing-blank", "a space at the end", TokenShape::TrailingSpace),
        shape("id-token-json", "the JSON serialization", TokenShape::JsonSerialization),
    ]
}
