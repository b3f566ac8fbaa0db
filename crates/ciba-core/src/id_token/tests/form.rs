//! Tests of serialization, header and signature.

use super::*;

/// REQ-IDT-01a
/// REQ-IDT-01b
/// OPM-IDT-22
#[test]
fn a_token_must_have_three_parts_in_strict_base64url() {
    let good = token().signed();
    let (input, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = input.split_once('.').unwrap();
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        input.into(),
        format!("{good}."),
        format!("{good}.e30"),
        format!("{good}.e30.e30.e30"),
        format!("{good}="),
        format!("{good}=="),
        format!("{good} "),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{header}.{payload}\n.{signature}"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}+.{signature}"),
        format!("{header}.{payload}.{}é", signature),
        format!(r#"{{"protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#),
        format!("{}.{payload}.{signature}", "e30_".repeat(20_000)),
    ] {
        refused(validate(&bad, &Expectations::default()), Untrusted::TokenForm);
    }
    // The last character of 64 encoded octets has four bits that must be zero. Setting one gives
    // another encoding of the same signature.
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let next = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
    let respelt = format!("{input}.{}{next}", &signature[..signature.len() - 1]);
    refused(validate(&respelt, &Expectations::default()), Untrusted::TokenForm);
}

/// REQ-IDT-35
/// OPM-IDT-26
#[test]
fn an_encrypted_token_is_refused_as_such() {
    let jwe = format!(
        "{}.a2V5.aXY.Y2lwaGVy.dGFn",
        base64url::encode(r#"{"alg":"RSA-OAEP","enc":"A128GCM"}"#)
    );
    refused(validate(&jwe, &Expectations::default()), Untrusted::UnexpectedEncryption);
}

/// REQ-IDT-02a
/// REQ-IDT-02b
/// REQ-SEC-24a
#[test]
fn a_header_must_be_one_json_object_with_unique_names() {
    let headers: [&[u8]; 10] = [
        b"",
        b"[]",
        b"\"alg\"",
        b"{",
        br#"{"alg":"ES256","kid":"k1"}x"#,
        br#"{"alg":"ES256","alg":"ES256","kid":"k1"}"#,
        br#"{"alg":"ES256","kid":"k1","x":1,"\u0078":2}"#,
        b"\xef\xbb\xbf{\"alg\":\"ES256\",\"kid\":\"k1\"}",
        b"{\"alg\":\"ES256\",\"x\":\"\xff\"}",
        br#"{"alg":"ES256","kid":5}"#,
    ];
    for header in headers {
        refused(
            validate(&signed(header, b"{}", 1), &Expectations::default()),
            Untrusted::TokenForm,
        );
    }
    let utf_16: Vec<u8> = r#"{"alg":"ES256"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    refused(validate(&signed(utf_16, b"{}", 1), &Expectations::default()), Untrusted::TokenForm);
    let long = format!(r#"{{"alg":"ES256","kid":"k1","x":"{}"}}"#, "x".repeat(50_000));
    refused(token().header(&long).verdict(), Untrusted::TokenForm);
    let deep = format!(r#"{{"alg":"ES256","x":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    refused(validate(&signed(deep, b"{}", 1), &Expectations::default()), Untrusted::TokenForm);
    assert!(
        token().header(r#"{"alg":"ES256","kid":"k1","x":{"y":[1,2]},"z":null}"#).verdict().is_ok()
    );
}

/// REQ-IDT-03
/// REQ-IDT-04
/// REQ-META-11a
/// OPM-IDT-12
/// OPM-IDT-14
#[test]
fn any_algorithm_but_the_registered_one_is_refused() {
    for alg in [
        r#""RS256""#,
        r#""es256""#,
        r#""ES384""#,
        r#""none""#,
        r#""None""#,
        r#""nOnE""#,
        r#""""#,
        "5",
        "null",
    ] {
        let header = format!(r#"{{"alg":{alg},"kid":"k1"}}"#);
        refused(token().header(&header).verdict(), Untrusted::Algorithm);
        let unsigned =
            format!("{}.", signing_input(&header, Value::Object(token().claims).to_string()));
        refused(validate(&unsigned, &Expectations::default()), Untrusted::Algorithm);
    }
    refused(token().header(r#"{"kid":"k1"}"#).verdict(), Untrusted::Algorithm);
    let unset = builder().verifier(Arc::new(Backend)).build().unwrap();
    let context = Expectations::default();
    let verdict = unset.validate_id_token(
        &token().signed(),
        Some(&key_set()),
        &IdTokenContext::new(&context, at(NOW)),
    );
    refused(verdict, Untrusted::Algorithm);
}

/// REQ-IDT-05a
/// REQ-IDT-05b
/// REQ-IDT-05c
/// REQ-IDT-05d
/// OPM-IDT-15
#[test]
fn a_mac_is_accepted_only_if_registered_and_only_under_the_client_secret() {
    let expectations = Expectations::default();
    let context = IdTokenContext::new(&expectations, at(NOW));
    let header = r#"{"alg":"HS256","kid":"k1"}"#;
    let payload = Value::Object(token().claims).to_string();
    let point = key(1).verifying_key().to_sec1_point(false);
    for secret in [SECRET.as_bytes(), point.as_bytes(), b""] {
        refused(validate(&mac(header, &payload, secret), &expectations), Untrusted::Algorithm);
    }

    let config = secret_config(SECRET);
    let check = |compact: &str| config.validate_id_token(compact, None, &context);
    assert!(check(&mac(header, &payload, SECRET.as_bytes())).is_ok());
    refused(check(&mac(header, &payload, point.as_bytes())), Untrusted::Signature);
    refused(check(&format!("{}.", signing_input(header, &payload))), Untrusted::Signature);
    refused(check(&token().signed()), Untrusted::Algorithm);
    let several = Value::Object(token().set("aud", json!(["client-1", "api"])).claims).to_string();
    refused(check(&mac(header, several, SECRET.as_bytes())), Untrusted::ExtraAudience);
    let twice =
        Value::Object(token().set("aud", json!(["client-1", "client-1"])).claims).to_string();
    assert!(check(&mac(header, twice, SECRET.as_bytes())).is_ok(), "one audience");
}

/// A backend whose outputs have this many octets once the configuration is built.
#[derive(Debug)]
struct Short(usize, core::sync::atomic::AtomicBool);

impl Short {
    fn cut(&self, whole: Digest) -> Digest {
        let built = self.1.load(core::sync::atomic::Ordering::Relaxed);
        if built { Digest::new(&whole.as_bytes()[..self.0]) } else { whole }
    }
}

impl Verifier for Short {
    fn import(
        &self,
        key: PublicKey<'_>,
        algorithm: JwsAlgorithm,
    ) -> Result<Arc<dyn VerificationKey>, KeyRejected> {
        Backend.import(key, algorithm)
    }

    fn digest(&self, hash: Hash, data: &[u8]) -> Digest {
        self.cut(Backend.digest(hash, data))
    }

    fn hmac(&self, hash: Hash, key: &[u8], data: &[u8]) -> Digest {
        self.cut(Backend.hmac(hash, key, data))
    }
}

/// REQ-IDT-05b
/// REQ-IDT-26a
#[test]
fn a_truncated_mac_or_digest_is_refused() {
    let header = r#"{"alg":"HS256","kid":"k1"}"#;
    for length in [0, 1, 16, 31] {
        let short = Arc::new(Short(length, false.into()));
        let auth = ClientAuth::ClientSecretPost { secret: SECRET.into() };
        let config = builder()
            .client_auth(auth)
            .verifier(Arc::clone(&short) as Arc<dyn Verifier>)
            .id_token_algorithm(JwsAlgorithm::Hs256)
            .build()
            .unwrap();
        short.1.store(true, core::sync::atomic::Ordering::Relaxed);
        let input = signing_input(header, Value::Object(token().claims).to_string());
        let mac = Backend.hmac(Hash::Sha256, SECRET.as_bytes(), input.as_bytes());
        for given in [&mac.as_bytes()[..length], mac.as_bytes()] {
            let token = with_signature(&input, given);
            refused(config.validate_id_token(&token, None, &context()), Untrusted::Signature);
        }

        let half =
            base64url::encode(&Backend.digest(Hash::Sha256, b"access").as_bytes()[..length / 2]);
        let claims = Value::Object(token().set("at_hash", half.into()).claims).to_string();
        let token = signed(r#"{"alg":"ES256","kid":"k1"}"#, claims, 1);
        let config = builder()
            .verifier(Arc::new(Short(length, true.into())))
            .id_token_algorithm(JwsAlgorithm::Es256);
        assert!(config.build().is_err(), "a backend of {length} octets");
        let short = Arc::new(Short(length, false.into()));
        let verifier = Arc::clone(&short) as Arc<dyn Verifier>;
        let config =
            builder().verifier(verifier).id_token_algorithm(JwsAlgorithm::Es256).build().unwrap();
        short.1.store(true, core::sync::atomic::Ordering::Relaxed);
        let access_token = AccessToken::new("access");
        let context = IdTokenContext { access_token: Some(&access_token), ..context() };
        refused(
            config.validate_id_token(&token, Some(&key_set()), &context),
            Untrusted::AccessTokenHash,
        );
    }
}

/// REQ-IDT-06
/// OPM-IDT-13
#[test]
fn a_changed_bit_anywhere_is_refused() {
    let good = token().signed();
    let compact = Compact::split(&good).unwrap();
    let (payload, signature) = (compact.payload.clone(), compact.signature.clone());
    for at in [0, payload.len() / 2, payload.len() - 1] {
        let mut payload = payload.clone();
        payload[at] ^= 1;
        let changed = with_signature(&signing_input(&compact.header, payload), &signature);
        refused(validate(&changed, &Expectations::default()), Untrusted::Signature);
    }
    let spaced =
        with_signature(&signing_input(br#"{"alg":"ES256", "kid":"k1"}"#, &payload), &signature);
    refused(validate(&spaced, &Expectations::default()), Untrusted::Signature);
    for at in 0..signature.len() {
        let mut signature = signature.clone();
        signature[at] ^= 1;
        let changed = with_signature(compact.signing_input, &signature);
        refused(validate(&changed, &Expectations::default()), Untrusted::Signature);
    }
    let xored: Vec<u8> = signature.iter().map(|byte| byte ^ 0x5a).collect();
    refused(
        validate(&with_signature(compact.signing_input, &xored), &Expectations::default()),
        Untrusted::Signature,
    );
}

/// OPM-IDT-23
#[test]
fn a_malformed_signature_is_refused() {
    let good = token().signed();
    let compact = Compact::split(&good).unwrap();
    let signature = Signature::from_slice(&compact.signature).unwrap();
    let der = signature.to_der().as_bytes().to_vec();
    for form in [
        der,
        vec![0; 64],
        vec![],
        compact.signature[..63].to_vec(),
        [&compact.signature[..], &[0]].concat(),
    ] {
        refused(
            validate(&with_signature(compact.signing_input, &form), &Expectations::default()),
            Untrusted::Signature,
        );
    }
}

/// REQ-IDT-08a
/// REQ-IDT-08b
/// OPM-IDT-17
#[test]
fn a_token_with_a_critical_extension_is_refused() {
    for member in [
        r#""crit":["exp"]"#,
        r#""crit":[]"#,
        r#""crit":"b64""#,
        r#""crit":null"#,
        r#""crit":["b64"],"b64":true"#,
        r#""crit":["b64"],"b64":false"#,
        r#""b64":false"#,
        r#""b64":"true""#,
        r#""cr\u0069t":["exp"]"#,
    ] {
        let header = format!(r#"{{"alg":"ES256","kid":"k1",{member}}}"#);
        refused(token().header(&header).verdict(), Untrusted::CriticalHeader);
    }
}

/// REQ-IDT-09
/// OPM-IDT-16
#[test]
fn keys_in_the_header_are_never_used() {
    let header = r#"{"alg":"ES256","kid":"k1","jwk":{"kty":"EC"},"jku":"https://evil.example","x5u":"https://evil.example","x5c":["AA"],"x5t":"AA"}"#;
    assert!(token().header(header).verdict().is_ok());
    let payload = Value::Object(token().claims).to_string();
    refused(validate(&signed(header, payload, 2), &Expectations::default()), Untrusted::Signature);
}

/// REQ-IDT-10
#[test]
fn tokens_of_another_type_are_refused() {
    for (typ, accepted) in [
        (r#""JWT""#, true),
        (r#""jwt""#, true),
        (r#""application/JWT""#, true),
        (r#""at+jwt""#, false),
        (r#""application/at+jwt""#, false),
        (r#""logout+jwt""#, false),
        (r#""dpop+jwt""#, false),
        (r#""secevent+jwt""#, false),
        (r#""oauth-authz-req+jwt""#, false),
        (r#""client-authentication+jwt""#, false),
        (r#""""#, false),
        ("5", false),
    ] {
        let verdict =
            token().header(&format!(r#"{{"alg":"ES256","kid":"k1","typ":{typ}}}"#)).verdict();
        match accepted {
            true => assert!(verdict.is_ok(), "{typ}"),
            false => refused(verdict, Untrusted::TokenType),
        }
    }
}

/// OPM-IDT-24
/// REQ-IDT-34
/// REQ-SEC-07
#[test]
fn only_suitable_keys_of_the_issuer_are_tried() {
    let expectations = Expectations::default();
    let context = IdTokenContext::new(&expectations, at(NOW));
    let compact = token().signed();
    let check = |keys: Option<&KeySet>| config().validate_id_token(&compact, keys, &context);
    refused(check(None), Untrusted::UnknownKey);
    for (set, why) in [
        (KeySet::of(ISSUER, vec![]), "no key"),
        (KeySet::of(ISSUER, vec![(Some("K1"), JwsAlgorithm::Es256, public(1))]), "another key id"),
        (KeySet::of(ISSUER, vec![(None, JwsAlgorithm::Es256, public(1))]), "no key id"),
        (
            KeySet::of("https://other.example", vec![(Some("k1"), JwsAlgorithm::Es256, public(1))]),
            "another issuer",
        ),
    ] {
        assert_eq!(
            check(Some(&set)).err().map(|rejection| rejection.check()),
            Some(Untrusted::UnknownKey),
            "{why}"
        );
    }
    let other_algorithm = KeySet::of(ISSUER, vec![(Some("k1"), JwsAlgorithm::Es384, public(1))]);
    refused(check(Some(&other_algorithm)), Untrusted::UnusableKey);
    refused(
        check(Some(&KeySet::of(ISSUER, vec![(Some("k1"), JwsAlgorithm::Es256, public(2))]))),
        Untrusted::Signature,
    );
}

/// REQ-JWKS-07
/// REQ-JWKS-08b
#[test]
fn with_several_candidates_at_most_eight_are_tried() {
    let expectations = Expectations::default();
    let context = IdTokenContext::new(&expectations, at(NOW));
    let anonymous = token().header(r#"{"alg":"ES256"}"#).signed();
    for (others, verdict) in [(0, None), (7, None), (8, Some(Untrusted::Signature))] {
        let mut keys: Vec<_> =
            (0..others).map(|_| (Some("k1"), JwsAlgorithm::Es256, public(2))).collect();
        keys.push((Some("k1"), JwsAlgorithm::Es256, public(1)));
        let set = KeySet::of(ISSUER, keys);
        for compact in [&anonymous, &token().signed()] {
            let result = config().validate_id_token(compact, Some(&set), &context);
            assert_eq!(
                result.err().map(|rejection| rejection.check()),
                verdict,
                "after {others} other keys"
            );
        }
    }
}

/// REQ-IDT-31
/// REQ-SEC-24a
/// REQ-SEC-11
#[test]
fn claims_must_be_one_json_object_with_unique_names() {
    let good = Value::Object(token().claims).to_string();
    let with = |members: &str| format!("{},{members}}}", &good[..good.len() - 1]);
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let many: Vec<String> = (0..1000).map(|at| format!(r#""x{at}":1"#)).collect();
    for payload in [
        String::new(),
        "[]".into(),
        "null".into(),
        format!("{good}x"),
        format!("{good}{good}"),
        format!("\u{feff}{good}"),
        with(r#""aud":"client-1""#),
        with(r#""a\u0075d":"client-1""#),
        with(r#""new":1,"n\u0065w":2"#),
        with(&format!(r#"{},"x500":1"#, many.join(","))),
        with(r#""lone":"\ud800""#),
        with(r#""\ud800":1"#),
        with(&format!(r#""deep":{deep}"#)),
        with(r#""huge":1e400"#),
        with(r#""nan":NaN"#),
    ] {
        let verdict = validate(
            &signed(r#"{"alg":"ES256","kid":"k1"}"#, payload, 1),
            &Expectations::default(),
        );
        refused(verdict, Untrusted::ClaimsForm);
    }
    let not_utf_8 = [&good.as_bytes()[..good.len() - 1], b",\"x\":\"\xff\"}"].concat();
    let verdict =
        validate(&signed(r#"{"alg":"ES256","kid":"k1"}"#, not_utf_8, 1), &Expectations::default());
    refused(verdict, Untrusted::ClaimsForm);
    let verdict = validate(
        &signed(r#"{"alg":"ES256","kid":"k1"}"#, with(&many.join(",")), 1),
        &Expectations::default(),
    );
    assert!(verdict.is_ok());
}

#[test]
fn a_compact_jws_is_checked_like_an_id_token() {
    let keys = key_set();
    let compact = signed(r#"{"alg":"ES256","kid":"k1","typ":"other"}"#, b"any octets \xff", 1);
    assert_eq!(
        verify_signature_only(&compact, JwsAlgorithm::Es256, &keys).as_deref(),
        Ok(&b"any octets \xff"[..])
    );
    refused_payload(
        verify_signature_only(&compact, JwsAlgorithm::Rs256, &keys),
        Untrusted::Algorithm,
    );
    let other = signed(r#"{"alg":"ES256","kid":"k1"}"#, b"x", 2);
    refused_payload(
        verify_signature_only(&other, JwsAlgorithm::Es256, &keys),
        Untrusted::Signature,
    );
    let mac = mac(r#"{"alg":"HS256"}"#, b"x", b"k");
    refused_payload(verify_signature_only(&mac, JwsAlgorithm::Hs256, &keys), Untrusted::UnknownKey);
}

#[track_caller]
fn refused_payload(result: Result<Vec<u8>, Rejection>, check: Untrusted) {
    assert_eq!(result.map_err(|rejection| rejection.check()), Err(check));
}
