//! Compact JWS: composed so that every part can be wrong, and parsed independently of the code under
//! test.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciba_core::{
    crypto::{Hash, PublicKey},
    jose::{Curve, JwsAlgorithm},
};
use serde_json::{Map, Value, json};

use crate::{
    backend::verifier,
    keys::TestKey,
    script::{IdTokenEdit, MacKey, TokenShape},
};

/// The content of a token before it is edited.
pub(crate) struct Draft<'a> {
    pub(crate) claims: Map<String, Value>,
    pub(crate) key: TestKey,
    pub(crate) algorithm: JwsAlgorithm,
    pub(crate) issued: u64,
    pub(crate) secret: Option<&'a str>,
    pub(crate) seed: [u8; 32],
}

/// Chooses the provider's key for an algorithm.
pub(crate) type KeyChoice<'a> = &'a dyn Fn(JwsAlgorithm) -> TestKey;

enum Signer {
    Key(TestKey, JwsAlgorithm),
    /// A MAC with the client's secret, as registered.
    Secret(JwsAlgorithm),
    Unsigned,
    Mac(MacKey),
}

/// Creates a token in compact serialization, with edits.
pub(crate) fn compose(draft: Draft<'_>, choose: KeyChoice<'_>, edits: &[IdTokenEdit]) -> String {
    let Draft { mut claims, key, algorithm, issued, secret, seed } = draft;
    let mut signer = Signer::Key(key, algorithm);
    let (mut raw_header, mut raw_claims) = (String::new(), String::new());
    let mut header = Map::new();
    header.insert("typ".into(), "JWT".into());
    header.insert("alg".into(), algorithm.name().into());
    if algorithm.is_symmetric() {
        signer = Signer::Secret(algorithm);
    } else {
        header.insert("kid".into(), key.key_id().into());
    }
    for edit in edits {
        match edit {
            IdTokenEdit::Set(name, value) => _ = claims.insert(name.clone(), value.clone()),
            IdTokenEdit::SetTime(name, offset) => {
                _ = claims.insert(name.clone(), issued.saturating_add_signed(*offset).into());
            }
            IdTokenEdit::Append(name, text) => {
                if let Some(Value::String(value)) = claims.get_mut(name) {
                    value.push_str(text);
                }
            }
            IdTokenEdit::Array(name, more) => {
                let first = claims.remove(name).into_iter();
                let all: Vec<Value> =
                    first.chain(more.iter().map(|text| text.as_str().into())).collect();
                claims.insert(name.clone(), all.into());
            }
            IdTokenEdit::Remove(name) => _ = claims.remove(name),
            IdTokenEdit::RawClaims(text) => raw_claims.push_str(text),
            IdTokenEdit::Algorithm(algorithm) => {
                let key = choose(*algorithm);
                header.insert("alg".into(), algorithm.name().into());
                header.insert("kid".into(), key.key_id().into());
                signer = Signer::Key(key, *algorithm);
            }
            IdTokenEdit::Key(key, algorithm) => {
                header.insert("alg".into(), algorithm.name().into());
                header.insert("kid".into(), key.key_id().into());
                signer = Signer::Key(*key, *algorithm);
            }
            IdTokenEdit::Unsigned(name) => {
                header.insert("alg".into(), name.clone().into());
                signer = Signer::Unsigned;
            }
            IdTokenEdit::Mac(mac_key) => {
                header.insert("alg".into(), "HS256".into());
                signer = Signer::Mac(mac_key.clone());
            }
            IdTokenEdit::RawHeader(text) => raw_header.push_str(text),
            _ => {}
        }
    }
    // Header members come last, because they may contradict the key.
    for edit in edits {
        match edit {
            IdTokenEdit::Header(name, value) => _ = header.insert(name.clone(), value.clone()),
            IdTokenEdit::RemoveHeader(name) => _ = header.remove(name),
            _ => {}
        }
    }
    let segment = |raw: &str, object: Map<String, Value>| {
        let text = Value::Object(object).to_string();
        URL_SAFE_NO_PAD.encode(format!("{{{raw}{}", &text[1..]))
    };
    let mut segments = [segment(&raw_header, header), segment(&raw_claims, claims), String::new()];
    let input = format!("{}.{}", segments[0], segments[1]);
    let mut signature = match signer {
        Signer::Key(key, algorithm) => key.sign(algorithm, input.as_bytes(), seed),
        Signer::Secret(algorithm) => {
            let secret = secret.unwrap_or_default().as_bytes();
            verifier().hmac(algorithm.hash(), secret, input.as_bytes()).as_bytes().to_vec()
        }
        Signer::Unsigned => Vec::new(),
        Signer::Mac(mac_key) => {
            let bytes = mac_bytes(&mac_key, key, algorithm, secret);
            verifier().hmac(Hash::Sha256, &bytes, input.as_bytes()).as_bytes().to_vec()
        }
    };
    let mut flips = Vec::new();
    for edit in edits {
        match edit {
            IdTokenEdit::XorSignature(mask) => signature.iter_mut().for_each(|byte| *byte ^= mask),
            IdTokenEdit::Signature(bytes) => signature.clone_from(bytes),
            IdTokenEdit::DerSignature => signature = der(&signature),
            IdTokenEdit::CutSignature(length) => signature.truncate(*length),
            IdTokenEdit::FlipBit(at) => flips.push(*at),
            _ => {}
        }
    }
    segments[2] = URL_SAFE_NO_PAD.encode(&signature);
    for at in flips {
        if let Some(segment) = segments.get_mut(at) {
            flip(segment);
        }
    }
    let mut token = segments.join(".");
    for edit in edits {
        if let IdTokenEdit::Shape(shape) = edit {
            token = reshape(&token, &segments, shape);
        }
    }
    token
}

fn mac_bytes(
    choice: &MacKey,
    key: TestKey,
    algorithm: JwsAlgorithm,
    secret: Option<&str>,
) -> Vec<u8> {
    let jwk =
        key.public_jwk(if algorithm.is_symmetric() { key.usual_algorithm() } else { algorithm });
    match choice {
        MacKey::PublicJwk => jwk.to_string().into_bytes(),
        MacKey::PublicNumbers => {
            let number =
                |name: &str| jwk[name].as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
            number("n").or_else(|| number("x")).unwrap_or_default()
        }
        MacKey::ClientSecret => secret.unwrap_or_default().as_bytes().to_vec(),
        MacKey::Bytes(bytes) => bytes.clone(),
    }
}

/// Encodes the two halves of an ECDSA signature as a DER sequence of integers.
fn der(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let integer = |half: &[u8]| {
        let mut number: Vec<u8> = half.iter().copied().skip_while(|byte| *byte == 0).collect();
        if number.first().is_none_or(|byte| byte & 0x80 != 0) {
            number.insert(0, 0);
        }
        let mut out = vec![0x02, u8::try_from(number.len()).unwrap_or(0)];
        out.append(&mut number);
        out
    };
    let body = [integer(r), integer(s)].concat();
    let length = u8::try_from(body.len()).unwrap_or(0);
    // The signatures of P-521 are too long for the short form of the length.
    let head = if length < 0x80 { vec![0x30, length] } else { vec![0x30, 0x81, length] };
    [head, body].concat()
}

/// Replaces a character in the middle by another one, of which it differs in one bit.
fn flip(segment: &mut String) {
    let at = segment.len() / 2;
    let old = segment.as_bytes().get(at).copied();
    let new = if old == Some(b'A') { "B" } else { "A" };
    if old.is_some() {
        segment.replace_range(at..=at, new);
    }
}

fn reshape(token: &str, segments: &[String; 3], shape: &TokenShape) -> String {
    match shape {
        TokenShape::TwoSegments => segments[..2].join("."),
        TokenShape::ExtraSegments(count) => format!("{token}{}", ".e30".repeat(*count)),
        TokenShape::TrailingDot => format!("{token}."),
        TokenShape::Padded => {
            let pad = |text: &String| format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4));
            segments.iter().map(pad).collect::<Vec<_>>().join(".")
        }
        TokenShape::LineBreak => {
            let (front, back) = segments[1].split_at(segments[1].len() / 2);
            format!("{}.{front}\n{back}.{}", segments[0], segments[2])
        }
        TokenShape::TrailingSpace => format!("{token} "),
        TokenShape::JsonSerialization => {
            json!({ "protected": segments[0], "payload": segments[1], "signature": segments[2] })
                .to_string()
        }
        TokenShape::Raw(text) => text.clone(),
    }
}

/// A compact JWS that is parsed but not verified.
pub(crate) struct Parsed {
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
    input: String,
    signature: Vec<u8>,
}

pub(crate) fn parse(token: &str) -> Option<Parsed> {
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>().try_into().ok()?;
    let object =
        |text: &str| match serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()? {
            Value::Object(object) => Some(object),
            _ => None,
        };
    Some(Parsed {
        header: object(header)?,
        claims: object(claims)?,
        input: format!("{header}.{claims}"),
        signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
    })
}

impl Parsed {
    pub(crate) fn algorithm(&self) -> Option<JwsAlgorithm> {
        JwsAlgorithm::from_name(self.header.get("alg")?.as_str()?)
    }

    pub(crate) fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    pub(crate) fn seconds(&self, claim: &str) -> Option<u64> {
        let value = self.claims.get(claim)?;
        value
            .as_u64()
            .or_else(|| value.as_f64().filter(|number| *number >= 0.0).map(|number| number as u64))
    }

    pub(crate) fn signed_by(&self, jwk: &Value, algorithm: JwsAlgorithm) -> bool {
        let number =
            |name: &str| jwk.get(name)?.as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let key_id = self.header.get("kid").and_then(Value::as_str);
        if key_id.is_some()
            && jwk.get("kid").and_then(Value::as_str).is_some_and(|known| Some(known) != key_id)
        {
            return false;
        }
        let check = || {
            let (n, e, x, y) = (number("n"), number("e"), number("x"), number("y"));
            let public = match (jwk.get("kty")?.as_str()?, jwk.get("crv").and_then(Value::as_str)) {
                ("RSA", _) => PublicKey::Rsa { n: n.as_deref()?, e: e.as_deref()? },
                ("EC", Some("P-256")) => {
                    PublicKey::Ec { curve: Curve::P256, x: x.as_deref()?, y: y.as_deref()? }
                }
                ("EC", Some("P-384")) => {
                    PublicKey::Ec { curve: Curve::P384, x: x.as_deref()?, y: y.as_deref()? }
                }
                ("EC", Some("P-521")) => {
                    PublicKey::Ec { curve: Curve::P521, x: x.as_deref()?, y: y.as_deref()? }
                }
                ("OKP", Some("Ed25519")) => PublicKey::Ed25519 { x: x.as_deref()? },
                _ => return None,
            };
            let key = verifier().import(public, algorithm).ok()?;
            key.verify(self.input.as_bytes(), &self.signature).ok()
        };
        check().is_some()
    }

    pub(crate) fn maced_by(&self, secret: &[u8], algorithm: JwsAlgorithm) -> bool {
        verifier().hmac(algorithm.hash(), secret, self.input.as_bytes()).as_bytes()
            == self.signature
    }
}

/// The algorithms of a public JWK: its `alg`, or else those of its kind.
pub(crate) fn algorithms_of(jwk: &Value) -> Vec<JwsAlgorithm> {
    use JwsAlgorithm::{EdDsa, Es256, Es384, Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    if let Some(name) = jwk.get("alg").and_then(Value::as_str) {
        return JwsAlgorithm::from_name(name).into_iter().collect();
    }
    match (jwk.get("kty").and_then(Value::as_str), jwk.get("crv").and_then(Value::as_str)) {
        (Some("RSA"), _) => vec![Rs256, Rs384, Rs512, Ps256, Ps384, Ps512],
        (Some("EC"), Some("P-256")) => vec![Es256],
        (Some("EC"), Some("P-384")) => vec![Es384],
        (Some("EC"), Some("P-521")) => vec![Es512],
        (Some("OKP"), Some("Ed25519")) => vec![EdDsa],
        _ => Vec::new(),
    }
}
