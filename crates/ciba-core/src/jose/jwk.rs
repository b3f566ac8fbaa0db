//! JSON Web Keys (RFC 7517, RFC 7518 6, RFC 8037 2) and their thumbprints (RFC 7638).

use alloc::{format, string::String, vec::Vec};

use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{
    crypto::{Hash, OwnedPublicKey, PublicKey, Verifier},
    jose::{Curve, JwsAlgorithm, base64url},
    json::{Object, wipe},
};

/// A public key from a set, with what its members say it may be used for.
pub(crate) struct PublicJwk {
    pub(crate) key: OwnedPublicKey,
    pub(crate) key_id: Option<String>,
    /// Whether `use` is there (and `sig`).
    pub(crate) has_use: bool,
    /// Every algorithm it may verify.
    pub(crate) algorithms: Vec<JwsAlgorithm>,
}

/// The members that make a key private or symmetric (RFC 7518 6.2.2, 6.3.2, 6.4, RFC 8037 2).
pub(crate) const SECRET_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// What one key of a set is.
pub(crate) enum Found {
    /// Good for checking signatures.
    Signing(PublicJwk),
    /// Marked for encryption.
    Encryption,
    /// Of no use here: an unknown kind, malformed, or contradicting itself (REQ-JWKS-03).
    Unusable,
}

/// Reads one key of a set, and says whether it shows a secret. Secret members serve no other purpose (REQ-JWKS-04);
/// certificates are no source of trust (REQ-JWKS-18).
pub(crate) fn read(text: &str) -> (Found, bool) {
    let Ok(mut jwk) = Object::parse(text.as_bytes()) else { return (Found::Unusable, false) };
    let mut shows_secret = false;
    for name in SECRET_MEMBERS {
        if let Some(mut secret) = jwk.take(name) {
            shows_secret = true;
            wipe(&mut secret);
        }
    }
    (read_members(&mut jwk).unwrap_or(Found::Unusable), shows_secret)
}

fn read_members(jwk: &mut Object) -> Option<Found> {
    let has_use = match jwk.take("use") {
        None => false,
        Some(Value::String(r#use)) if r#use == "sig" => true,
        Some(Value::String(r#use)) if r#use == "enc" => return Some(Found::Encryption),
        Some(_) => return None,
    };
    if let Some(operations) = jwk.take("key_ops") {
        may_verify(operations.as_array()?, has_use).then_some(())?;
    }
    let key_id = jwk.take_text("kid").ok()?;
    let named = jwk.take_text("alg").ok()?;
    let key = public_key(jwk)?;
    let algorithms = match named {
        None => fitting(&key).to_vec(),
        Some(name) => {
            let algorithm = JwsAlgorithm::from_name(&name)?;
            fitting(&key).contains(&algorithm).then(|| [algorithm].to_vec())?
        }
    };
    Some(Found::Signing(PublicJwk { key, key_id, has_use, algorithms }))
}

/// Whether `key_ops` let a key check signatures: `verify` is among them, none occurs twice (RFC 7517 4.3), and where `use`
/// says `sig`, none is for anything else (REQ-JWKS-17).
fn may_verify(operations: &[Value], has_use: bool) -> bool {
    let mut names: Vec<&str> = operations.iter().filter_map(Value::as_str).collect();
    let count = names.len();
    let is_for_signatures = !has_use || names.iter().all(|name| ["sign", "verify"].contains(name));
    names.sort_unstable();
    names.dedup();
    names.contains(&"verify") && names.len() == count && count == operations.len() && is_for_signatures
}

/// Whether `use` and `key_ops` of a private JWK let it sign.
pub(crate) fn may_sign(jwk: &mut Object) -> bool {
    let fits_use = jwk.take("use").is_none_or(|r#use| r#use == "sig");
    let operations = jwk.take("key_ops");
    let fits_operations = |operations: &Value| operations.as_array().is_some_and(|all| all.contains(&json!("sign")));
    fits_use && operations.as_ref().is_none_or(fits_operations)
}

/// Whether a key is of a kind and on a curve that are read here, as far as it names them.
pub(crate) fn is_supported(jwk: &Object) -> bool {
    let text = |name| jwk.get(name).and_then(Value::as_str);
    match text("kty") {
        None | Some("RSA") => true,
        Some("EC") => text("crv").is_none_or(|name| curve(name).is_some()),
        Some("OKP") => text("crv").is_none_or(|name| name == "Ed25519"),
        Some(_) => false,
    }
}

/// The numbers of a public key, whatever else the JWK says.
pub(crate) fn public_key(jwk: &mut Object) -> Option<OwnedPublicKey> {
    let kind = jwk.take_text("kty").ok()??;
    match kind.as_str() {
        "RSA" => {
            // Some publishers keep the sign octet of their big numbers (REQ-JWKS-13).
            let mut number = |name| {
                let digits = bytes(jwk, name)?;
                let start = digits.iter().position(|byte| *byte != 0)?;
                digits.get(start..).map(<[u8]>::to_vec)
            };
            Some(OwnedPublicKey::Rsa { n: number("n")?, e: number("e")? })
        }
        "EC" => {
            let curve = curve(&jwk.take_text("crv").ok()??)?;
            let mut coordinate = |name| bytes(jwk, name).filter(|bytes| bytes.len() == curve.width());
            Some(OwnedPublicKey::Ec { curve, x: coordinate("x")?, y: coordinate("y")? })
        }
        "OKP" => {
            let is_ed25519 = jwk.take_text("crv").ok()?? == "Ed25519";
            let x = bytes(jwk, "x").filter(|x| is_ed25519 && x.len() == 32)?;
            Some(OwnedPublicKey::Ed25519 { x })
        }
        _ => None,
    }
}

pub(crate) fn curve(name: &str) -> Option<Curve> {
    [Curve::P256, Curve::P384].into_iter().find(|curve| curve.name() == name)
}

fn bytes(jwk: &mut Object, name: &'static str) -> Option<Vec<u8>> {
    base64url::decode(jwk.take_text(name).ok()??)
}

/// A secret member, wiped on drop.
pub(crate) fn secret_bytes(jwk: &mut Object, name: &'static str) -> Option<Zeroizing<Vec<u8>>> {
    let text = Zeroizing::new(jwk.take_text(name).ok()??);
    base64url::decode(text.as_str()).map(Zeroizing::new)
}

/// The algorithms a key fits (REQ-JWKS-06).
pub(crate) const fn fitting(key: &OwnedPublicKey) -> &'static [JwsAlgorithm] {
    match key {
        OwnedPublicKey::Rsa { .. } => &[
            JwsAlgorithm::Rs256,
            JwsAlgorithm::Rs384,
            JwsAlgorithm::Rs512,
            JwsAlgorithm::Ps256,
            JwsAlgorithm::Ps384,
            JwsAlgorithm::Ps512,
        ],
        OwnedPublicKey::Ec { curve: Curve::P256, .. } => &[JwsAlgorithm::Es256],
        OwnedPublicKey::Ec { curve: Curve::P384, .. } => &[JwsAlgorithm::Es384],
        OwnedPublicKey::Ed25519 { .. } => &[JwsAlgorithm::EdDsa],
    }
}

/// The members that make up a public key, in the order thumbprints want (REQ-JWKS-22).
pub(crate) fn required_members(key: PublicKey<'_>) -> String {
    let text = |bytes: &[u8]| base64url::encode(bytes);
    match key {
        PublicKey::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(e), text(n)),
        PublicKey::Ec { curve, x, y } => {
            format!(r#"{{"crv":"{}","kty":"EC","x":"{}","y":"{}"}}"#, curve.name(), text(x), text(y))
        }
        PublicKey::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(x)),
    }
}

/// The SHA-256 thumbprint of a public key (RFC 7638 3, REQ-JWKS-22).
#[must_use]
pub fn thumbprint(key: PublicKey<'_>, verifier: &dyn Verifier) -> String {
    base64url::encode(verifier.digest(Hash::Sha256, required_members(key).as_bytes()).as_bytes())
}

/// A public JWK to register: the key's numbers, `kid`, `alg` and `use`, nothing private (REQ-META-15).
pub(crate) fn write_public(key: PublicKey<'_>, algorithm: JwsAlgorithm, key_id: &str) -> String {
    let members = required_members(key);
    let open = members.strip_suffix('}').unwrap_or(&members);
    format!(r#"{open},"kid":{},"alg":"{algorithm}","use":"sig"}}"#, json!(key_id))
}

#[cfg(test)]
#[cfg(feature = "rustcrypto")]
mod tests {
    use super::*;
    use crate::crypto::RustCrypto;

    fn print(jwk: &str) -> String {
        let key = public_key(&mut Object::parse(jwk.as_bytes()).unwrap()).unwrap();
        thumbprint(key.borrow(), &RustCrypto)
    }

    /// REQ-JWKS-22
    #[test]
    fn thumbprints_of_appendix_b_5_and_of_rfc_7638() {
        for (jwk, expected) in [
            (
                concat!(
                    r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB"#,
                    "ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9",
                    "c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44",
                    r#"-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#,
                ),
                "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
            ),
            (
                r#"{"kid":"other","kty":"EC","crv":"P-256","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs"}"#,
                "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
            ),
            (
                r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
                "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            ),
            (
                r#"{"kty":"EC","crv":"P-256","x":"YPczq3aBrd8PjtFsXX_HPZNwnzp89vAGjgQXm4cOgdQ","y":"eqE4OZu0V07qXi9ojhQAeqKndWp0QwUfB3aNp4dYYPQ"}"#,
                "tvhJlV7mBd8kqGP3VNTvA7mFqSiPigYRVW_ufr9PHbQ",
            ),
        ] {
            assert_eq!(print(jwk), expected);
        }
    }

    /// REQ-META-15
    #[test]
    fn a_written_public_key_is_read_again_and_holds_nothing_else() {
        let x = [7_u8; 32];
        let text = write_public(PublicKey::Ed25519 { x: &x }, JwsAlgorithm::EdDsa, "a\"b");
        let value: Value = serde_json::from_str(&text).unwrap();
        let names: Vec<&String> = value.as_object().unwrap().keys().collect();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"]);
        let (Found::Signing(jwk), false) = read(&text) else { panic!("a signing key") };
        assert_eq!(jwk.key_id.as_deref(), Some("a\"b"));
        assert_eq!(jwk.key, OwnedPublicKey::Ed25519 { x: x.to_vec() });
    }
}
