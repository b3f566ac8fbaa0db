//! Every stored vector that poll mode touches, against both backends.
//!
//! A case *agrees* if our verdict is that of the file, is *unsupported* if we reject it on purpose
//! (with the reason), and is *contradicted* otherwise. Cases that a file calls acceptable must be
//! rejected. `tests/data/vectors/README.md` says which rule applies where.

use std::{collections::BTreeMap, fs, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciba_core::{
    Entropy, Issuer, SoftwareKey,
    crypto::{
        AwsLcRs, Hash, KeyImporter, OwnedPublicKey, PrivateKey, PublicKey, RustCrypto, Verifier,
    },
    fault::{Rejection, Untrusted},
    jose::{ContentEncryption, Curve, JwsAlgorithm, KeyManagement, KeySet, verify_signature_only},
    keys::SoftwareDecryptionKey,
};
use serde_json::{Value, json};

/// The results of the cases of one file with one backend.
#[derive(Default)]
struct Count {
    agree: usize,
    unsupported: BTreeMap<&'static str, usize>,
    contradicted: Vec<String>,
}

impl Count {
    fn judge(&mut self, case: impl std::fmt::Display, ours: bool, theirs: bool) {
        match ours == theirs {
            true => self.agree += 1,
            false => self.contradicted.push(format!("{case}: accepted {ours}, expected {theirs}")),
        }
    }

    fn unsupported(&mut self, reason: &'static str) {
        *self.unsupported.entry(reason).or_default() += 1;
    }

    fn cases(&self) -> usize {
        self.agree + self.unsupported.values().sum::<usize>() + self.contradicted.len()
    }
}

/// Judges the cases of one file with one backend.
type Judge = fn(&Value, &dyn KeyImporter, &mut Count);

/// Every file, the number of its cases and its judge.
const FILES: &[(&str, usize, Judge)] = &[
    ("derived/half-hash.json", 25, half_hash),
    ("jose-cookbook/curve25519/ecdh-es.json", 1, encrypted),
    ("jose-cookbook/jwe/5_2.key_encryption_using_rsa-oaep_with_aes-gcm.json", 1, encrypted),
    ("jose-cookbook/jwe/5_5.key_agreement_using_ecdh-es_with_aes-cbc-hmac-sha2.json", 1, encrypted),
    ("jose-cookbook/jwe/5_6.direct_encryption_using_aes-gcm.json", 1, encrypted),
    ("jose-cookbook/jwe/5_8.key_wrap_using_aes-keywrap_with_aes-gcm.json", 1, encrypted),
    ("jose-cookbook/jwk/3_1.ec_public_key.json", 1, jwk),
    ("jose-cookbook/jwk/3_2.ec_private_key.json", 1, jwk),
    ("jose-cookbook/jwk/3_3.rsa_public_key.json", 1, jwk),
    ("jose-cookbook/jwk/3_4.rsa_private_key.json", 1, jwk),
    ("jose-cookbook/jwk/3_5.symmetric_key_mac_computation.json", 1, jwk),
    ("jose-cookbook/jwk/3_6.symmetric_key_encryption.json", 1, jwk),
    ("jose-cookbook/jws/4_1.rsa_v15_signature.json", 4, jws),
    ("jose-cookbook/jws/4_3.ecdsa_signature.json", 4, jws),
    ("jose-cookbook/jws/4_5.signature_with_detached_content.json", 2, jws),
    ("jose-cookbook/jws/4_7.protecting_content_only.json", 2, jws),
    ("jose-cookbook/rfc7797/4.2.hmac-sha2_b64_false.json", 1, unencoded),
    ("wycheproof/ecdsa_secp256r1_sha256_p1363_test.json", 262, wycheproof),
    ("wycheproof/ed25519_test.json", 151, wycheproof),
    ("wycheproof/json_web_encryption_test.json", 139, encrypted),
    ("wycheproof/json_web_key_test.json", 26, json_web_key),
    ("wycheproof/rsa_pss_2048_sha256_mgf1_32_test.json", 108, wycheproof),
    ("wycheproof/rsa_pss_3072_sha256_mgf1_32_test.json", 108, wycheproof),
    ("wycheproof/rsa_pss_4096_sha256_mgf1_32_test.json", 108, wycheproof),
    ("wycheproof/rsa_signature_2048_sha256_test.json", 259, wycheproof),
    ("wycheproof/rsa_signature_3072_sha256_test.json", 259, wycheproof),
    ("wycheproof/rsa_signature_4096_sha256_test.json", 258, wycheproof),
];

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "data", "vectors"].iter().collect()
}

/// REQ-IDT-07a
/// REQ-JWE-04
/// REQ-JWE-05
/// REQ-JWE-06
/// REQ-JWE-13
#[test]
fn no_vector_is_contradicted() {
    let backends: [(&str, &dyn KeyImporter); 2] =
        [("RustCrypto", &RustCrypto), ("aws-lc-rs", &AwsLcRs)];
    println!(
        "{:<84} {:<10} {:>5} {:>11} {:>12}",
        "file", "backend", "agree", "unsupported", "contradicted"
    );
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    let mut contradicted = Vec::new();
    for (file, cases, judge) in FILES {
        let text = fs::read_to_string(folder().join(file)).expect("the file is in the repository");
        let document: Value = serde_json::from_str(&text).expect("vectors are JSON");
        for (backend, importer) in backends {
            let mut count = Count::default();
            judge(&document, importer, &mut count);
            let unsupported: usize = count.unsupported.values().sum();
            println!(
                "{file:<84} {backend:<10} {:>5} {unsupported:>11} {:>12}",
                count.agree,
                count.contradicted.len()
            );
            assert_eq!(count.cases(), *cases, "{file}: every case is counted");
            for (reason, cases) in count.unsupported {
                *reasons.entry(reason).or_default() += cases;
            }
            contradicted.extend(
                count.contradicted.into_iter().map(|case| format!("{file} {backend} {case}")),
            );
        }
    }
    for (reason, cases) in reasons {
        println!("unsupported, {cases} cases: {reason}");
    }
    println!("contradicted = {}", contradicted.len());
    assert_eq!(contradicted, Vec::<String>::new());
}

#[test]
fn every_stored_vector_file_is_listed() {
    let mut stored = Vec::new();
    let mut folders = vec![folder()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("the directory is in the repository") {
            let path = entry.expect("the directory is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                let name = path.strip_prefix(folder()).expect("found below it");
                stored.push(name.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    stored.sort();
    assert_eq!(stored, FILES.iter().map(|(file, ..)| *file).collect::<Vec<_>>());
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is a text in {value}"))
}

fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal"))
        .collect()
}

fn pinned(keys: &[&Value], verifier: &dyn Verifier) -> KeySet {
    let issuer = Issuer::parse("https://op.example").expect("an https URL");
    KeySet::pinned(&issuer, json!({ "keys": keys }).to_string().as_bytes(), verifier)
        .expect("a key set")
}

/// Judges raw signatures with a key imported for one algorithm, as in every JWS.
fn wycheproof(document: &Value, importer: &dyn KeyImporter, count: &mut Count) {
    for group in document["testGroups"].as_array().expect("groups") {
        let public = &group["publicKey"];
        let (algorithm, numbers) = match text(group, "type") {
            "EcdsaP1363Verify" => {
                let point = hex(text(public, "uncompressed"));
                (JwsAlgorithm::Es256, [point[1..33].to_vec(), point[33..].to_vec()])
            }
            "EddsaVerify" => (JwsAlgorithm::EdDsa, [hex(text(public, "pk")), Vec::new()]),
            scheme => {
                let algorithm = if scheme == "RsassaPssVerify" {
                    JwsAlgorithm::Ps256
                } else {
                    JwsAlgorithm::Rs256
                };
                let number = |name| {
                    hex(text(public, name)).into_iter().skip_while(|octet| *octet == 0).collect()
                };
                (algorithm, [number("modulus"), number("publicExponent")])
            }
        };
        let [first, second] = &numbers;
        let key = importer.import(
            match algorithm {
                JwsAlgorithm::Es256 => PublicKey::Ec { curve: Curve::P256, x: first, y: second },
                JwsAlgorithm::EdDsa => PublicKey::Ed25519 { x: first },
                _ => PublicKey::Rsa { n: first, e: second },
            },
            algorithm,
        );
        for test in group["tests"].as_array().expect("tests") {
            let verdict = key.as_ref().is_ok_and(|key| {
                key.verify(&hex(text(test, "msg")), &hex(text(test, "sig"))).is_ok()
            });
            count.judge(&test["tcId"], verdict, text(test, "result") == "valid");
        }
    }
}

/// Judges whole tokens against a key set, as a client reads the keys of an OP.
fn json_web_key(document: &Value, importer: &dyn KeyImporter, count: &mut Count) {
    for group in document["testGroups"].as_array().expect("groups") {
        let document = group.get("public").unwrap_or(&group["private"]);
        let keys: Vec<&Value> = document["keys"]
            .as_array()
            .map_or_else(|| vec![document], |keys| keys.iter().collect());
        let is_symmetric = keys.iter().all(|key| key["kty"] == "oct");
        let keys = pinned(&keys, importer);
        for test in group["tests"].as_array().expect("tests") {
            let jws = text(test, "jws");
            let header = URL_SAFE_NO_PAD
                .decode(jws.split('.').next().expect("a header"))
                .expect("base64url");
            let header: Value = serde_json::from_slice(&header).expect("JSON");
            let algorithm =
                JwsAlgorithm::from_name(text(&header, "alg")).expect("a known algorithm");
            let verdict = verify_signature_only(jws, algorithm, &keys).is_ok();
            match text(test, "result") == "valid" {
                true if is_symmetric && !verdict => {
                    count.unsupported("a symmetric key never comes from a key set (REQ-JWKS-04)");
                }
                valid => count.judge(&test["tcId"], verdict, valid),
            }
        }
    }
}

/// Judges encrypted tokens. The configured pair of algorithms is that of the key and the token; a
/// token of an algorithm that is not supported must be refused under every supported pair.
fn encrypted(document: &Value, importer: &dyn KeyImporter, count: &mut Count) {
    let Some(groups) = document["testGroups"].as_array() else {
        let (key, compact) = (&document["input"]["key"], text(&document["output"], "compact"));
        let plaintext = text(&document["input"], "plaintext").as_bytes();
        return decrypted("the token", key, compact, Some(plaintext), importer, count);
    };
    for group in groups {
        for test in group["tests"].as_array().expect("tests") {
            let plaintext = (text(test, "result") == "valid").then(|| hex(text(test, "pt")));
            let compact = text(test, "jwe");
            let case = test["tcId"].to_string();
            decrypted(&case, &group["private"], compact, plaintext.as_deref(), importer, count);
        }
    }
}

fn decrypted(
    case: &str,
    key: &Value,
    compact: &str,
    expected: Option<&[u8]>,
    importer: &dyn KeyImporter,
    count: &mut Count,
) {
    let header = URL_SAFE_NO_PAD.decode(compact.split('.').next().expect("a part"));
    let header: Value =
        header.ok().and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default();
    let named = |name: &str| header[name].as_str().unwrap_or_default();
    let configured = key["alg"].as_str().unwrap_or(named("alg"));
    let entropy = || Entropy::from_bytes([9; 32]);
    // The algorithm of the key and the one of the token, so that a token cannot choose.
    let mut opened = Vec::new();
    for algorithm in KeyManagement::ALL {
        let jwk = key.to_string();
        let imported = SoftwareDecryptionKey::import_jwk(&jwk, Some(algorithm), importer);
        let fits = match key["kty"].as_str() {
            Some("RSA") => algorithm.is_rsa(),
            Some("EC" | "OKP") => !algorithm.is_rsa(),
            _ => false,
        };
        assert_eq!(imported.is_ok(), fits, "{case}: {algorithm} {imported:?}");
        let Ok(imported) = imported else { continue };
        for content in ContentEncryption::ALL {
            if let Ok(plaintext) = imported.open(compact, content, entropy(), importer) {
                opened.push((algorithm.name(), content.name()));
                assert_eq!(Some(plaintext.expose()), expected, "{case}");
            }
        }
    }
    let algorithms = KeyManagement::ALL.map(KeyManagement::name);
    let contents = ContentEncryption::ALL.map(ContentEncryption::name);
    let is_supported = algorithms.contains(&configured) && contents.contains(&named("enc"));
    match expected {
        Some(_) if !is_supported => {
            assert_eq!(opened, [], "{case}");
            count.unsupported(match configured {
                "RSA1_5" => "RSA1_5 is never decrypted (REQ-JWE-04)",
                _ if key["kty"] == "oct" => "no symmetric key decrypts (REQ-JWE-04, REQ-JWE-17)",
                "ECDH-ES+A192KW" => "keys are not wrapped with AES-192 (REQ-JWE-04)",
                _ => "content is not encrypted with AES-192 (REQ-JWE-05)",
            });
        }
        // Under its own pair and no other.
        Some(_) => count.judge(case, opened == [(configured, named("enc"))], true),
        None => count.judge(case, !opened.is_empty(), false),
    }
}

/// REQ-JWE-16a
#[test]
fn every_failure_of_a_decryption_looks_the_same() {
    let backends: [&dyn KeyImporter; 2] = [&RustCrypto, &AwsLcRs];
    for (file, algorithm, content) in [
        (
            "jose-cookbook/jwe/5_2.key_encryption_using_rsa-oaep_with_aes-gcm.json",
            KeyManagement::RsaOaepSha1,
            ContentEncryption::A256Gcm,
        ),
        (
            "jose-cookbook/jwe/5_5.key_agreement_using_ecdh-es_with_aes-cbc-hmac-sha2.json",
            KeyManagement::EcdhEs,
            ContentEncryption::A128CbcHs256,
        ),
    ] {
        let document = fs::read_to_string(folder().join(file)).expect("stored");
        let document: Value = serde_json::from_str(&document).expect("JSON");
        let key = document["input"]["key"].to_string();
        let compact = text(&document["output"], "compact");
        for importer in backends {
            let open = |key: &SoftwareDecryptionKey, compact: &str| {
                key.open(compact, content, Entropy::from_bytes([5; 32]), importer)
            };
            let import = |algorithm| {
                SoftwareDecryptionKey::import_jwk(&key, Some(algorithm), importer).expect("a key")
            };
            let key = import(algorithm);
            open(&key, compact).expect("the token as it is");
            let failed = |opened: Result<_, Rejection>, what: &str| {
                let rejection = opened.expect_err(what);
                assert_eq!(rejection, Untrusted::Decryption.into(), "{file}: {what}");
            };
            // The first character of each part but the header; an empty part stays empty.
            let parts: Vec<&str> = compact.split('.').collect();
            for at in 1..5 {
                let mut parts = parts.clone();
                let Some(rest) = parts[at].get(1..) else { continue };
                let other = format!("{}{rest}", if parts[at].starts_with('A') { 'B' } else { 'A' });
                parts[at] = &other;
                failed(open(&key, &parts.join(".")), &format!("part {at}"));
            }
            let other =
                SoftwareDecryptionKey::generate(algorithm, Entropy::from_bytes([6; 32]), importer);
            let (other, jwk) = other.expect("a key");
            failed(open(&other.with_key_id("another"), compact), "a key of another name");
            let nameless = jwk.expose().replace("\"kid\"", "\"not-a-kid\"");
            let other = SoftwareDecryptionKey::import_jwk(&nameless, None, importer).expect("it");
            failed(open(&other, compact), "another key");
            let strange = open(
                &import(match algorithm {
                    KeyManagement::RsaOaepSha1 => KeyManagement::RsaOaep256,
                    _ => KeyManagement::EcdhEsA128Kw,
                }),
                compact,
            );
            assert_eq!(strange.expect_err("another algorithm").check(), Untrusted::Encryption);
        }
    }
}

fn stored(file: &str) -> Value {
    serde_json::from_slice(&fs::read(folder().join(file)).expect("stored")).expect("JSON")
}

/// Judges keys: a public key must verify the example of the cookbook, and a private one must sign
/// it. With RSA the signature is that of the cookbook; with ECDSA the public key must verify it.
fn jwk(document: &Value, importer: &dyn KeyImporter, count: &mut Count) {
    match (text(document, "kty"), document["crv"].as_str()) {
        ("oct", _) => {
            let refused = SoftwareKey::import_jwk(&document.to_string(), None, importer).is_err();
            assert!(refused, "a symmetric key is not a key pair");
            count.unsupported(
                "a symmetric key is neither an OP's key nor a client's key pair (REQ-JWKS-04)",
            );
        }
        (_, Some("P-521")) => {
            let example = stored("jose-cookbook/jws/4_3.ecdsa_signature.json");
            let compact = text(&example["output"], "compact");
            let public = stored("jose-cookbook/jwk/3_1.ec_public_key.json");
            let verdict = if document.get("d").is_some() {
                let key = SoftwareKey::import_jwk(&document.to_string(), None, importer);
                key.is_ok_and(|key| {
                    let (input, _) = compact.rsplit_once('.').expect("three parts");
                    let signature = key
                        .sign_message(input.as_bytes(), Entropy::from_bytes([7; 32]))
                        .expect("it signs");
                    let own = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature));
                    let keys = pinned(&[&public], importer);
                    verify_signature_only(&own, JwsAlgorithm::Es512, &keys).is_ok()
                })
            } else {
                let keys = pinned(&[document], importer);
                verify_signature_only(compact, JwsAlgorithm::Es512, &keys).is_ok()
            };
            count.judge("the key", verdict, true);
        }
        _ => {
            let example = stored("jose-cookbook/jws/4_1.rsa_v15_signature.json");
            let verdict = if document.get("d").is_some() {
                let key = SoftwareKey::import_jwk(
                    &document.to_string(),
                    Some(JwsAlgorithm::Rs256),
                    importer,
                );
                key.is_ok_and(|key| {
                    let input = text(&example["signing"], "sig-input");
                    let signature = key
                        .sign_message(input.as_bytes(), Entropy::from_bytes([7; 32]))
                        .expect("it signs");
                    URL_SAFE_NO_PAD.encode(signature) == text(&example["signing"], "sig")
                })
            } else {
                let keys = pinned(&[document], importer);
                verify_signature_only(
                    text(&example["output"], "compact"),
                    JwsAlgorithm::Rs256,
                    &keys,
                )
                .is_ok()
            };
            count.judge("the key", verdict, true);
        }
    }
}

fn jws(document: &Value, importer: &dyn KeyImporter, count: &mut Count) {
    let (input, signing) = (&document["input"], &document["signing"]);
    match JwsAlgorithm::from_name(text(input, "alg")).expect("a known algorithm") {
        JwsAlgorithm::Hs256 => {
            let key = URL_SAFE_NO_PAD.decode(text(&input["key"], "k")).expect("base64url");
            let mac = importer.hmac(Hash::Sha256, &key, text(signing, "sig-input").as_bytes());
            count.judge(
                "the MAC",
                URL_SAFE_NO_PAD.encode(mac.as_bytes()) == text(signing, "sig"),
                true,
            );
            if let Some(compact) = document["output"]["compact"].as_str() {
                let keys = pinned(&[&input["key"]], importer);
                assert!(
                    verify_signature_only(compact, JwsAlgorithm::Hs256, &keys).is_err(),
                    "a detached payload is refused"
                );
            }
            count.unsupported(
                "a JWS of this project is compact, with its payload and a protected header",
            );
        }
        algorithm => {
            let keys = pinned(&[&input["key"]], importer);
            let compact = text(&document["output"], "compact");
            let payload = verify_signature_only(compact, algorithm, &keys);
            count.judge(
                "the token",
                payload.as_deref() == Ok(text(input, "payload").as_bytes()),
                true,
            );
            let (start, end) = compact.split_at(compact.len() - 40);
            let altered =
                format!("{start}{}{}", if end.starts_with('A') { 'B' } else { 'A' }, &end[1..]);
            count.judge(
                "an altered signature",
                verify_signature_only(&altered, algorithm, &keys).is_ok(),
                false,
            );
            count.judge(
                "another algorithm",
                verify_signature_only(compact, JwsAlgorithm::Ps256, &keys).is_ok(),
                false,
            );
            let strangers = pinned(&[], importer);
            let verdict = verify_signature_only(compact, algorithm, &strangers);
            count.judge(
                "no key",
                !matches!(
                    verdict.map_err(|rejection| rejection.check()),
                    Err(Untrusted::UnknownKey | Untrusted::UnusableKey)
                ),
                false,
            );
        }
    }
}

fn unencoded(document: &Value, importer: &dyn KeyImporter, count: &mut Count) {
    let flat = &document["output"]["json_flat"];
    let compact = format!(
        "{}.{}.{}",
        text(flat, "protected"),
        text(flat, "payload"),
        text(flat, "signature")
    );
    let keys = pinned(&[&document["input"]["key"]], importer);
    assert!(
        verify_signature_only(&compact, JwsAlgorithm::Hs256, &keys).is_err(),
        "an unencoded payload is refused"
    );
    count.unsupported("an unencoded payload (RFC 7797) is no JWT");
}

fn half_hash(document: &Value, importer: &dyn KeyImporter, count: &mut Count) {
    for test in document["tests"].as_array().expect("tests") {
        let hash = match text(test, "hash") {
            "SHA-256" => Hash::Sha256,
            "SHA-384" => Hash::Sha384,
            _ => Hash::Sha512,
        };
        for algorithm in
            test["algs"].as_array().expect("algorithms").iter().filter_map(Value::as_str)
        {
            assert!(
                JwsAlgorithm::from_name(algorithm).is_none_or(|algorithm| algorithm.hash() == hash),
                "{algorithm}"
            );
        }
        let half = importer.digest(hash, text(test, "input").as_bytes());
        let ours = URL_SAFE_NO_PAD.encode(half.left_half());
        count.judge(&test["id"], ours == text(test, "value"), text(test, "result") == "valid");
    }
}

/// REQ-JWE-08a
/// REQ-JWE-08b
#[test]
fn an_ephemeral_key_must_be_a_point_of_the_curve_of_the_private_key() {
    let zero = [0; 32];
    let backends: [&dyn KeyImporter; 2] = [&RustCrypto, &AwsLcRs];
    for importer in backends {
        let own = |key| {
            importer.import_decryption(key, KeyManagement::EcdhEs).expect("the backend has it")
        };
        let ec = own(PrivateKey::Ec { curve: Curve::P256, d: &[7; 32] });
        let OwnedPublicKey::Ec { x, y, .. } = ec.public_key() else { panic!("a key on P-256") };
        let on = |curve, x, y| PublicKey::Ec { curve, x, y };
        assert!(ec.agree(on(Curve::P256, &x, &y)).is_ok_and(|z| z.expose().len() == 32));
        let mut off = y.clone();
        off[31] ^= 1;
        let longer = [&[0][..], &x].concat();
        for ephemeral in [
            on(Curve::P256, &x, &off),
            on(Curve::P256, &zero, &zero),
            on(Curve::P256, &longer, &y),
            on(Curve::P256, &x[1..], &y),
            on(Curve::P384, &x, &y),
            PublicKey::X25519 { x: &x },
            PublicKey::Ed25519 { x: &x },
        ] {
            assert!(ec.agree(ephemeral).is_err(), "{ephemeral:?}");
        }
        let montgomery = own(PrivateKey::X25519(&[7; 32]));
        let OwnedPublicKey::X25519 { x } = montgomery.public_key() else { panic!("X25519") };
        assert!(montgomery.agree(PublicKey::X25519 { x: &x }).is_ok());
        let one = [&[1][..], &zero[1..]].concat();
        // The secret is zero with the points of small order.
        for x in [&zero[..], &one, &x[1..], &[]] {
            assert!(montgomery.agree(PublicKey::X25519 { x }).is_err(), "{x:?}");
        }
        let seed = Entropy::from_bytes([7; 32]);
        assert!(montgomery.unwrap_key(&zero, seed).is_err(), "it unwraps nothing");
        for (key, algorithm) in [
            (PrivateKey::Ed25519(&zero), KeyManagement::EcdhEs),
            (PrivateKey::Ec { curve: Curve::P256, d: &[7; 32] }, KeyManagement::RsaOaep256),
            (PrivateKey::Ec { curve: Curve::P256, d: &zero }, KeyManagement::EcdhEs),
            (PrivateKey::Ec { curve: Curve::P256, d: &zero[1..] }, KeyManagement::EcdhEs),
            (PrivateKey::X25519(&zero[1..]), KeyManagement::EcdhEs),
        ] {
            assert!(importer.import_decryption(key, algorithm).is_err(), "{algorithm}");
        }
    }
}
