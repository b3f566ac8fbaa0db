//! Reading key sets: every usable key is imported, and an unusable key does not affect the others.
#![allow(missing_docs)]

use std::sync::LazyLock;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use ciba_core::{
    ClientAuth, Entropy, Issuer, SoftwareKey,
    crypto::{AwsLcRs, KeyImporter, KeyRejected, OwnedPublicKey, RustCrypto, Verifier as _},
    fault::{Fault, Untrusted},
    jose::{
        JwsAlgorithm, KeyMemberFault, KeySet, PublishedKey, UnusableKey, verify_signature_only,
    },
};
use ciba_tests::sim::client;
use serde_json::{Value, json};

const BACKENDS: [&dyn KeyImporter; 2] = [&RustCrypto, &AwsLcRs];

fn generated(algorithm: JwsAlgorithm, seed: u8) -> (SoftwareKey, String) {
    let (key, jwk) = SoftwareKey::generate(algorithm, Entropy::from_bytes([seed; 32]), &RustCrypto)
        .expect("a key");
    (key, jwk.expose().into())
}

static RSA: LazyLock<(SoftwareKey, String)> = LazyLock::new(|| generated(JwsAlgorithm::Rs256, 1));
static OTHER_RSA: LazyLock<(SoftwareKey, String)> =
    LazyLock::new(|| generated(JwsAlgorithm::Rs256, 2));
static P256: LazyLock<(SoftwareKey, String)> = LazyLock::new(|| generated(JwsAlgorithm::Es256, 3));
static P384: LazyLock<(SoftwareKey, String)> = LazyLock::new(|| generated(JwsAlgorithm::Es384, 4));
// Its x uses all 521 bits, so leaving out the first octet changes it.
static P521: LazyLock<(SoftwareKey, String)> = LazyLock::new(|| generated(JwsAlgorithm::Es512, 9));
static ED25519: LazyLock<(SoftwareKey, String)> =
    LazyLock::new(|| generated(JwsAlgorithm::EdDsa, 5));

/// Returns the public JWK with these members added, replaced or, for null, removed.
fn jwk(key: &SoftwareKey, changes: Value) -> Value {
    let mut jwk: Value = serde_json::from_str(&key.public_jwk()).expect("a JWK");
    let members = jwk.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("changes") {
        match value {
            Value::Null => drop(members.remove(name)),
            value => drop(members.insert(name.clone(), value.clone())),
        }
    }
    jwk
}

/// Returns a key as most providers publish it: its numbers, `kid` and `use`, without `alg`.
fn plain(key: &SoftwareKey, kid: &str) -> Value {
    jwk(key, json!({"kid": kid, "alg": null}))
}

fn token(key: &SoftwareKey, header: Value) -> String {
    let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", encode(header), encode(json!({"sub": "somebody"})));
    let signature =
        key.sign_message(input.as_bytes(), Entropy::from_bytes([9; 32])).expect("it signs");
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Returns a token of this key that names the key `kid`.
fn signed(key: &SoftwareKey, kid: &str) -> String {
    token(key, json!({"alg": key.algorithm().name(), "kid": kid}))
}

fn read(document: &str, backend: &dyn KeyImporter) -> Result<KeySet, Fault> {
    let issuer = Issuer::parse("https://op.example").expect("an issuer");
    KeySet::pinned(&issuer, document.as_bytes(), backend)
}

/// Returns the verdict on a token, which must be the same with both backends.
fn verdict(document: &str, algorithm: JwsAlgorithm, token: &str) -> Result<(), Untrusted> {
    let [one, other] = BACKENDS.map(|backend| {
        let keys = read(document, backend).expect("a key set");
        verify_signature_only(token, algorithm, &keys).map(drop)
    });
    assert_eq!(one, other, "backends disagree about {document}");
    one.map_err(|rejection| rejection.check())
}

fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn finds(keys: &[Value], signer: &SoftwareKey, kid: &str) -> Result<(), Untrusted> {
    verdict(&set(keys), signer.algorithm(), &signed(signer, kid))
}

/// REQ-JWKS-02
#[test]
fn a_key_set_must_be_an_object_with_an_array_of_keys() {
    let key = plain(&P256.0, "a");
    let extra = json!({"x": 1, "keys": [key], "issuer": "https://elsewhere.example"}).to_string();
    assert_eq!(verdict(&extra, JwsAlgorithm::Es256, &signed(&P256.0, "a")), Ok(()));
    let others = [plain(&RSA.0, "r"), plain(&ED25519.0, "e")];
    assert_eq!(finds(&[others[0].clone(), key.clone(), others[1].clone()], &P256.0, "a"), Ok(()));
    assert_eq!(finds(&[key.clone(), others[1].clone(), others[0].clone()], &P256.0, "a"), Ok(()));
    for (document, fault) in [
        (json!({}).to_string(), Fault::MissingMember("keys")),
        (json!({"keys": key}).to_string(), Fault::WrongType("keys")),
        (json!({"keys": null}).to_string(), Fault::MissingMember("keys")),
        (json!({"keys": "none"}).to_string(), Fault::WrongType("keys")),
        (json!([key]).to_string(), Fault::NotJson),
        (format!(r#"{{"keys":[],"keys":[{key}]}}"#), Fault::DuplicateMember),
        (format!(r#"{{"keys":[],"key\u0073":[{key}]}}"#), Fault::DuplicateMember),
        (String::new(), Fault::NotJson),
    ] {
        for backend in BACKENDS {
            assert_eq!(read(&document, backend).err(), Some(fault), "{document}");
        }
    }
}

/// REQ-JWKS-03
/// OPM-DSC-09
#[test]
fn each_unusable_key_is_skipped_separately() {
    let good = plain(&RSA.0, "good");
    let x = "A".repeat(43);
    for useless in [
        json!({"kty": "AKP", "alg": "ML-DSA-65", "pub": "AAAA", "kid": "good"}),
        json!({"kty": "XYZ", "kid": "good"}),
        json!({"kid": "good"}),
        json!({"kty": 1}),
        json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "kid": "good"}),
        json!({"kty": "EC", "crv": "P-521", "x": x, "y": x, "kid": "good"}),
        json!({"kty": "EC", "crv": "brainpoolP256r1", "x": x, "y": x}),
        json!({"kty": "EC", "crv": "P-256", "x": x}),
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": 7}),
        json!({"kty": "OKP", "crv": "X25519", "x": x}),
        json!({"kty": "OKP", "crv": "Ed25519"}),
        json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "good"}),
        json!({"kty": "RSA", "n": "not base64url!", "e": "AQAB"}),
        json!({"kty": "RSA", "e": "AQAB"}),
        jwk(&RSA.0, json!({"kid": "good", "alg": "RS1"})),
        jwk(&RSA.0, json!({"kid": "good", "alg": 256})),
        json!({"kty": "oct", "k": "AAAA"}),
        json!({}),
        json!([]),
        json!(null),
        json!("key"),
        json!(1e300),
    ] {
        for keys in [[useless.clone(), good.clone()], [good.clone(), useless.clone()]] {
            assert_eq!(finds(&keys, &RSA.0, "good"), Ok(()), "{useless}");
        }
        // A key that is published under this id is not reported as "not published".
        let is_meant = useless.get("kid").is_some_and(|kid| kid == "good");
        let verdict = if is_meant { Untrusted::UnusableKey } else { Untrusted::UnknownKey };
        assert_eq!(finds(&[useless], &RSA.0, "good"), Err(verdict));
    }
    let huge = format!(r#"{{"keys":[{{"kty":"RSA","n":1e999}},{good}]}}"#);
    assert_eq!(verdict(&huge, JwsAlgorithm::Rs256, &signed(&RSA.0, "good")), Ok(()));
}

/// REQ-JWKS-03
#[test]
fn a_repeated_member_name_drops_only_that_key() {
    let twice =
        plain(&OTHER_RSA.0, "twice").to_string().replacen("\"kid\"", "\"e\":\"AQAB\",\"kid\"", 1);
    let document = format!(r#"{{"keys":[{twice},{}]}}"#, plain(&RSA.0, "good"));
    assert_eq!(verdict(&document, JwsAlgorithm::Rs256, &signed(&RSA.0, "good")), Ok(()));
    let lost = verdict(&document, JwsAlgorithm::Rs256, &signed(&OTHER_RSA.0, "twice"));
    assert_eq!(lost, Err(Untrusted::UnusableKey));
}

/// REQ-JWKS-04
#[test]
fn a_private_key_is_used_as_its_public_half_and_a_symmetric_key_is_skipped() {
    for (key, private) in [&*RSA, &*P256, &*P384, &*P521, &*ED25519] {
        let private: Value = serde_json::from_str(private).expect("a JWK");
        assert_eq!(finds(std::slice::from_ref(&private), key, key.key_id()), Ok(()));
        for (keys, shows_secrets) in [
            (vec![jwk(key, json!({})), private], true),
            (vec![jwk(key, json!({}))], false),
            (vec![], false),
        ] {
            for backend in BACKENDS {
                assert_eq!(
                    read(&set(&keys), backend).expect("a set").shows_secrets(),
                    shows_secrets
                );
            }
        }
    }
    let secret = b"0123456789abcdef0123456789abcdef";
    let input = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","kid":"s"}"#),
        URL_SAFE_NO_PAD.encode(r#"{"sub":"somebody"}"#)
    );
    let mac = RustCrypto.hmac(JwsAlgorithm::Hs256.hash(), secret, input.as_bytes());
    let mac = URL_SAFE_NO_PAD.encode(mac.as_bytes());
    let document = set(&[
        json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(secret), "kid": "s", "alg": "HS256"}),
    ]);
    let verdict = verdict(&document, JwsAlgorithm::Hs256, &format!("{input}.{mac}"));
    assert_eq!(verdict, Err(Untrusted::UnusableKey));
    assert!(read(&document, &RustCrypto).expect("a set").shows_secrets());
}

/// REQ-JWKS-05
/// REQ-JWKS-17
#[test]
fn a_key_is_used_only_for_what_its_members_allow() {
    for (members, serves) in [
        (json!({}), true),
        (json!({"alg": null}), true),
        (json!({"alg": null, "use": null}), true),
        (json!({"use": "sig", "key_ops": ["verify"]}), true),
        (json!({"use": "sig", "key_ops": ["verify", "sign"]}), true),
        (json!({"use": null, "key_ops": ["verify"]}), true),
        (json!({"use": "enc"}), false),
        (json!({"use": "SIG"}), false),
        (json!({"use": ["sig"]}), false),
        (json!({"use": "enc", "key_ops": ["verify"]}), false),
        (json!({"use": "sig", "key_ops": ["encrypt"]}), false),
        (json!({"use": "sig", "key_ops": ["verify", "wrapKey"]}), false),
        (json!({"use": null, "key_ops": []}), true),
        (json!({"use": "sig", "key_ops": []}), true),
        (json!({"x5c": []}), true),
        (json!({"use": null, "key_ops": ["sign"]}), false),
        (json!({"use": null, "key_ops": ["verify", "verify"]}), false),
        (json!({"use": null, "key_ops": "verify"}), false),
        (json!({"alg": "RS512"}), false),
        (json!({"alg": "PS256"}), false),
        (json!({"alg": "RSA-OAEP"}), false),
        (json!({"alg": "rs256"}), false),
        (json!({"kty": "EC"}), false),
    ] {
        let key = jwk(&RSA.0, members.clone());
        let expected = if serves { Ok(()) } else { Err(Untrusted::UnusableKey) };
        assert_eq!(finds(&[key], &RSA.0, RSA.0.key_id()), expected, "{members}");
    }
}

/// REQ-JWKS-06
#[test]
fn a_key_with_alg_serves_only_that_algorithm_and_one_without_every_algorithm_of_its_type() {
    let algorithms = JwsAlgorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric());
    for algorithm in algorithms {
        let (key, private) = match algorithm {
            JwsAlgorithm::Es256 => &*P256,
            JwsAlgorithm::Es384 => &*P384,
            JwsAlgorithm::Es512 => &*P521,
            JwsAlgorithm::EdDsa => &*ED25519,
            _ => &*RSA,
        };
        let signer = SoftwareKey::import_jwk(private, Some(algorithm), &AwsLcRs).expect("it fits");
        for (named, serves) in
            [(Value::Null, true), (json!(algorithm.name()), true), (json!("RS1"), false)]
        {
            let published = jwk(key, json!({"alg": named, "kid": "a"}));
            assert_eq!(
                finds(&[published], &signer, "a").is_ok(),
                serves,
                "{algorithm} with alg {named}"
            );
        }
        // A key of another kind with the same id is not a candidate.
        let strangers: Vec<Value> = [&RSA.0, &P256.0, &P384.0, &P521.0, &ED25519.0]
            .into_iter()
            .filter(|other| other.public_key() != key.public_key())
            .map(|other| plain(other, "a"))
            .collect();
        assert_eq!(finds(&strangers, &signer, "a"), Err(Untrusted::UnusableKey), "{algorithm}");
    }
    let renamed = jwk(&ED25519.0, json!({"alg": "Ed25519", "kid": "a"}));
    assert_eq!(finds(&[renamed], &ED25519.0, "a"), Ok(()));
}

/// OPM-DSC-10
/// OPM-DSC-11
#[test]
fn every_suitable_key_is_tried_if_the_token_has_no_key_id() {
    let nameless = token(&RSA.0, json!({"alg": "RS256"}));
    let encryption = jwk(&OTHER_RSA.0, json!({"use": "enc", "alg": null}));
    for (keys, expected) in [
        (vec![plain(&RSA.0, "a")], Ok(())),
        (vec![plain(&P256.0, "e"), plain(&RSA.0, "a"), plain(&ED25519.0, "o")], Ok(())),
        (vec![encryption.clone(), plain(&RSA.0, "a")], Ok(())),
        (vec![plain(&OTHER_RSA.0, "b"), plain(&RSA.0, "a")], Ok(())),
        (vec![plain(&RSA.0, "a"), plain(&OTHER_RSA.0, "b")], Ok(())),
        (vec![plain(&OTHER_RSA.0, "b")], Err(Untrusted::Signature)),
        (vec![plain(&P256.0, "e"), encryption], Err(Untrusted::UnusableKey)),
        (vec![plain(&P256.0, "e")], Err(Untrusted::UnknownKey)),
    ] {
        for _ in 0..3 {
            assert_eq!(
                verdict(&set(&keys), JwsAlgorithm::Rs256, &nameless),
                expected,
                "{}",
                set(&keys)
            );
        }
    }
}

/// REQ-JWKS-08a
/// REQ-JWKS-08b
#[test]
fn keys_with_the_same_id_are_filtered_by_type_and_then_tried() {
    let keys =
        [plain(&P256.0, "a"), plain(&OTHER_RSA.0, "a"), plain(&RSA.0, "a"), plain(&ED25519.0, "a")];
    for signer in [&RSA.0, &OTHER_RSA.0, &P256.0, &ED25519.0] {
        assert_eq!(finds(&keys, signer, "a"), Ok(()));
    }
    assert_eq!(finds(&keys[..2], &RSA.0, "a"), Err(Untrusted::Signature));
    let twice = [jwk(&RSA.0, json!({"alg": "RS512"})), jwk(&RSA.0, json!({}))];
    assert_eq!(finds(&twice, &RSA.0, RSA.0.key_id()), Ok(()));
}

/// REQ-JWKS-13b
#[test]
fn numbers_with_leading_zero_octets_are_accepted() {
    let padded = |name: &str| {
        let jwk = plain(&RSA.0, "a");
        let number =
            URL_SAFE_NO_PAD.decode(jwk[name].as_str().expect("a number")).expect("base64url");
        URL_SAFE_NO_PAD.encode([&[0], &number[..]].concat())
    };
    let key = jwk(&RSA.0, json!({"kid": "a", "n": padded("n"), "e": padded("e")}));
    assert_eq!(finds(&[key], &RSA.0, "a"), Ok(()));
    let short = URL_SAFE_NO_PAD.encode([&[0, 0], &[0xff; 255][..]].concat());
    let key = jwk(&RSA.0, json!({"kid": "a", "n": short}));
    assert_eq!(
        finds(&[key], &RSA.0, "a"),
        Err(Untrusted::UnusableKey),
        "zeros do not make 2040 bits long enough"
    );
    for e in ["AQ", "Ag", "AA", "AQAA", ""] {
        let key = jwk(&RSA.0, json!({"kid": "a", "e": e}));
        assert_eq!(finds(&[key], &RSA.0, "a"), Err(Untrusted::UnusableKey), "e {e}");
    }
}

/// Returns a key with a leading zero octet in one of its numbers, which one in 128 keys on a curve
/// has.
fn with_a_zero(algorithm: JwsAlgorithm) -> SoftwareKey {
    let generated = (0..=255).map(|seed| generated(algorithm, seed).0);
    let has_zero = |key: &SoftwareKey| match key.public_key() {
        OwnedPublicKey::Ec { x, y, .. } => x[0] == 0 || y[0] == 0,
        _ => true,
    };
    generated.into_iter().find(has_zero).expect("one in 128")
}

/// In whichever form a publisher writes the numbers of a key, it is read as the same key and
/// verifies only what that key signed.
///
/// REQ-JWKS-13b
/// REQ-JWKS-14a
#[test]
fn numbers_are_read_in_every_spelling_and_padded_to_their_width() {
    let without_zeros =
        |bytes: &[u8]| bytes[bytes.iter().take_while(|byte| **byte == 0).count()..].to_vec();
    type Spell<'a> = &'a dyn Fn(&[u8]) -> String;
    let spellings: [(&str, Spell<'_>); 7] = [
        ("as it should be", &|bytes| URL_SAFE_NO_PAD.encode(bytes)),
        ("padded", &|bytes| URL_SAFE.encode(bytes)),
        ("standard alphabet", &|bytes| STANDARD_NO_PAD.encode(bytes)),
        ("standard alphabet, padded", &|bytes| STANDARD.encode(bytes)),
        ("leading zeros lost", &|bytes| URL_SAFE_NO_PAD.encode(without_zeros(bytes))),
        ("a leading zero", &|bytes| URL_SAFE_NO_PAD.encode([&[0], bytes].concat())),
        ("leading zeros, padded", &|bytes| STANDARD.encode([&[0, 0], bytes].concat())),
    ];
    let [es256, es384, es512] =
        [JwsAlgorithm::Es256, JwsAlgorithm::Es384, JwsAlgorithm::Es512].map(with_a_zero);
    for signer in [&es256, &es384, &es512, &P256.0, &P521.0, &RSA.0] {
        let good = plain(signer, "a");
        for (how, spell) in spellings {
            let mut key = good.clone();
            for name in ["n", "e", "x", "y"] {
                if let Some(number) = key.get_mut(name) {
                    let bytes = URL_SAFE_NO_PAD
                        .decode(number.as_str().expect("a number"))
                        .expect("base64url");
                    *number = spell(&bytes).into();
                }
            }
            assert_eq!(
                finds(std::slice::from_ref(&key), signer, "a"),
                Ok(()),
                "{} {how}",
                signer.algorithm()
            );
            let other =
                if signer.algorithm() == JwsAlgorithm::Rs256 { &OTHER_RSA.0 } else { &P256.0 };
            if other.algorithm() == signer.algorithm() && other.public_key() != signer.public_key()
            {
                assert_eq!(
                    finds(&[key], other, "a"),
                    Err(Untrusted::Signature),
                    "{} {how}",
                    signer.algorithm()
                );
            }
        }
    }
}

/// REQ-JWKS-14b
#[test]
fn coordinates_that_are_not_a_point_on_the_curve_are_refused() {
    for (key, _) in [&*P256, &*P384, &*P521, &*ED25519] {
        let good = plain(key, "a");
        let x = URL_SAFE_NO_PAD.decode(good["x"].as_str().expect("a number")).expect("base64url");
        assert_eq!(finds(&[good], key, "a"), Ok(()));
        for x in [&x[1..], &[&[1], &x[..]].concat(), &vec![0xff; x.len()], &vec![0; x.len()], &[]] {
            let key_set = [jwk(key, json!({"kid": "a", "x": URL_SAFE_NO_PAD.encode(x)}))];
            assert_eq!(
                finds(&key_set, key, "a"),
                Err(Untrusted::UnusableKey),
                "{}",
                key.algorithm()
            );
        }
    }
    // The coordinate of an Ed25519 key is an octet string and not a number.
    let x = jwk(&ED25519.0, json!({}))["x"]
        .as_str()
        .map(|x| URL_SAFE_NO_PAD.decode(x).expect("base64url"));
    let key = jwk(
        &ED25519.0,
        json!({"kid": "a", "x": URL_SAFE_NO_PAD.encode([&[0], &x.expect("x")[..]].concat())}),
    );
    assert_eq!(finds(&[key], &ED25519.0, "a"), Err(Untrusted::UnusableKey));
}

/// Every key of a set is listed, each skipped one with its reason.
///
/// REQ-JWKS-03
#[test]
fn each_key_of_a_set_is_listed_as_usable_or_with_the_reason_why_not() {
    let enc = jwk(&OTHER_RSA.0, json!({"use": "enc", "kid": "enc", "alg": null}));
    let wide = |x: &[u8]| jwk(&P521.0, json!({"x": URL_SAFE_NO_PAD.encode(x)}));
    let keys = [
        (jwk(&P256.0, json!({"kid": "good"})), "EC P-256", Ok(vec![JwsAlgorithm::Es256])),
        (enc, "RSA", Err(UnusableKey::Encryption)),
        (jwk(&P384.0, json!({"use": null})), "EC P-384", Err(UnusableKey::Unmarked)),
        (jwk(&P384.0, json!({"use": "SIG"})), "EC P-384", Err(UnusableKey::Use)),
        (jwk(&P384.0, json!({"key_ops": ["sign"]})), "EC P-384", Err(UnusableKey::Operations)),
        (jwk(&P384.0, json!({"alg": "ES256"})), "EC P-384", Err(UnusableKey::Algorithm)),
        (json!({"kty": "EC", "crv": "secp256k1"}), "EC secp256k1", Err(UnusableKey::Curve)),
        (jwk(&P521.0, json!({})), "EC P-521", Ok(vec![JwsAlgorithm::Es512])),
        (jwk(&P521.0, json!({"alg": "ES256"})), "EC P-521", Err(UnusableKey::Algorithm)),
        (wide(&[1; 67]), "EC P-521", member("x", KeyMemberFault::Length)),
        (wide(&[2; 66]), "EC P-521", Err(UnusableKey::Rejected(KeyRejected::Malformed))),
        (json!({"kty": "AKP", "pub": "AA"}), "AKP", Err(UnusableKey::Kind)),
        (json!({"kty": "oct", "k": "AAAA"}), "oct", Err(UnusableKey::Symmetric)),
        (jwk(&RSA.0, json!({"e": 65537})), "RSA", member("e", KeyMemberFault::NotText)),
        (jwk(&RSA.0, json!({"e": null})), "RSA", member("e", KeyMemberFault::Missing)),
        (jwk(&RSA.0, json!({"n": "ä"})), "RSA", member("n", KeyMemberFault::NotBase64)),
        (
            jwk(&P256.0, json!({"y": "A".repeat(44)})),
            "EC P-256",
            member("y", KeyMemberFault::Length),
        ),
        (jwk(&P256.0, json!({"kid": 7})), "EC P-256", member("kid", KeyMemberFault::NotText)),
        (
            jwk(&RSA.0, json!({"n": "-_8"})),
            "RSA",
            Err(UnusableKey::Rejected(KeyRejected::OutOfRange)),
        ),
        (json!("key"), "", Err(UnusableKey::NotAnObject)),
    ];
    let document = set(&keys.iter().map(|(key, ..)| key.clone()).collect::<Vec<_>>());
    for backend in BACKENDS {
        let read = read(&document, backend).expect("a set");
        let listed: Vec<_> =
            read.keys().map(|key| (key.kind(), key.algorithms().map(Iterator::collect))).collect();
        let expected: Vec<(&str, Result<Vec<_>, _>)> =
            keys.iter().map(|(_, kind, why)| (*kind, why.clone())).collect();
        assert_eq!(listed, expected);
        assert_eq!(read.keys().next().and_then(PublishedKey::key_id), Some("good"));
    }
}

fn member(name: &'static str, fault: KeyMemberFault) -> Result<Vec<JwsAlgorithm>, UnusableKey> {
    Err(UnusableKey::Member { name, fault })
}

/// REQ-JWKS-15
#[test]
fn a_key_id_is_compared_byte_for_byte() {
    let long = "k".repeat(1000);
    for kid in
        ["a", "A", "", "a/b?c=d", "../../etc/passwd", "' OR 1=1 --", "ключ", "a\u{0}b", &long]
    {
        let keys = [plain(&P256.0, kid)];
        assert_eq!(finds(&keys, &P256.0, kid), Ok(()), "{kid:?}");
        for other in ["b", " a", "a ", "%61", "á"] {
            assert_eq!(
                finds(&keys, &P256.0, other),
                Err(Untrusted::UnknownKey),
                "{kid:?} for {other:?}"
            );
        }
    }
    assert_eq!(finds(&[plain(&P256.0, "A")], &P256.0, "a"), Err(Untrusted::UnknownKey));
    for kid in [json!(1), json!(true), json!(["1"]), json!({})] {
        let keys = [jwk(&P256.0, json!({"kid": kid}))];
        for token in [signed(&P256.0, "1"), token(&P256.0, json!({"alg": "ES256"}))] {
            let verdict = verdict(&set(&keys), JwsAlgorithm::Es256, &token);
            // If the token names no key, the only published key may be meant.
            let is_named = token.starts_with(&signed(&P256.0, "1")[..30]);
            let expected = if is_named { Untrusted::UnknownKey } else { Untrusted::UnusableKey };
            assert_eq!(verdict, Err(expected), "{kid}");
        }
    }
}

/// REQ-JWKS-16
#[test]
fn in_a_set_with_encryption_keys_only_keys_marked_for_signatures_are_used() {
    let encryption = jwk(&OTHER_RSA.0, json!({"use": "enc", "alg": null, "kid": "enc"}));
    let unmarked = jwk(&RSA.0, json!({"use": null}));
    let marked = jwk(&RSA.0, json!({}));
    let kid = RSA.0.key_id();
    assert_eq!(finds(&[encryption.clone(), marked.clone()], &RSA.0, kid), Ok(()));
    assert_eq!(finds(&[marked, encryption.clone()], &RSA.0, kid), Ok(()));
    assert_eq!(finds(std::slice::from_ref(&unmarked), &RSA.0, kid), Ok(()));
    assert_eq!(
        finds(&[unmarked.clone(), encryption.clone()], &RSA.0, kid),
        Err(Untrusted::UnusableKey)
    );
    assert_eq!(finds(&[encryption, unmarked], &OTHER_RSA.0, "enc"), Err(Untrusted::UnusableKey));
}

/// REQ-JWKS-18
#[test]
fn certificates_in_a_key_are_ignored() {
    for certificate in
        [json!(["AAAA"]), json!([]), json!("garbage"), json!([OTHER_RSA.0.public_jwk()])]
    {
        let keys = [jwk(
            &RSA.0,
            json!({
                "kid": "a", "x5c": certificate, "x5t": "AAAA", "x5t#S256": 1, "x5u": "https://elsewhere.example/"
            }),
        )];
        assert_eq!(finds(&keys, &RSA.0, "a"), Ok(()), "{certificate}");
        assert_eq!(finds(&keys, &OTHER_RSA.0, "a"), Err(Untrusted::Signature), "{certificate}");
    }
}

/// REQ-JWKS-19
#[test]
fn at_most_two_hundred_keys_are_read_and_eight_tried() {
    let stranger = |kid: String| plain(&P256.0, &kid);
    let filled = |before: usize| {
        let mut keys: Vec<Value> = (0..before).map(|at| stranger(format!("k{at}"))).collect();
        keys.push(plain(&ED25519.0, "last"));
        keys
    };
    assert_eq!(finds(&filled(199), &ED25519.0, "last"), Ok(()));
    assert_eq!(finds(&filled(200), &ED25519.0, "last"), Err(Untrusted::UnusableKey));
    let repeated = |others: usize| {
        let mut keys = vec![plain(&OTHER_RSA.0, "same"); others];
        keys.push(plain(&RSA.0, "same"));
        keys
    };
    assert_eq!(finds(&repeated(7), &RSA.0, "same"), Ok(()));
    assert_eq!(finds(&repeated(8), &RSA.0, "same"), Err(Untrusted::Signature));
}

/// REQ-JWKS-21
#[test]
fn own_keys_have_unique_ids_and_an_old_one_stays_registered_with_the_new_one() {
    let keys = [&*RSA, &*OTHER_RSA, &*P256, &*P384, &*P521, &*ED25519];
    for (at, (key, private)) in keys.iter().enumerate() {
        assert_eq!(key.key_id().len(), 43, "a SHA-256 thumbprint");
        for backend in BACKENDS {
            let again = SoftwareKey::import_jwk(private, Some(key.algorithm()), backend)
                .expect("it is read back");
            assert_eq!(again.key_id(), key.key_id());
        }
        assert!(keys[..at].iter().all(|(other, _)| other.key_id() != key.key_id()));
    }
    let (old, new) = (&P256.0, &P384.0);
    let auth =
        ClientAuth::PrivateKeyJwt { algorithm: new.algorithm(), key_id: Some(new.key_id().into()) };
    let config = client("https://op.example")
        .public_key(old.public_jwk())
        .public_key(new.public_jwk())
        .client_auth(auth)
        .build()
        .expect("it is valid");
    let document: Value =
        serde_json::from_str(&config.registration_document().expect("complete")).expect("JSON");
    let registered = document["jwks"]["keys"].as_array().expect("keys").iter();
    let registered: Vec<Option<&str>> = registered.map(|key| key["kid"].as_str()).collect();
    assert_eq!(registered, [Some(old.key_id()), Some(new.key_id())]);
}
