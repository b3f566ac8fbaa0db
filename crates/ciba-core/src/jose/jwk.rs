//! JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037 section 2) and their thumbprints
//! (RFC 7638).

use alloc::{borrow::Cow, format, string::String, vec::Vec};

use zeroize::Zeroizing;

use crate::{
    crypto::{Hash, OwnedPublicKey, PublicKey, Verifier},
    jose::{Curve, JwsAlgorithm, UnusableKey, base64url, unsigned::JsonWriter},
    json::{Object, Raw},
    text,
};

/// A public key of a set, with the uses that its members allow.
pub(crate) struct PublicJwk {
    pub(crate) key: OwnedPublicKey,
    /// Whether `use` is present. Its value is then `sig`.
    pub(crate) has_use: bool,
    /// The algorithms that the key may verify.
    pub(crate) algorithms: Vec<JwsAlgorithm>,
}

/// The members that make a key private or symmetric (RFC 7518 sections 6.2.2, 6.3.2 and 6.4,
/// RFC 8037 section 2).
pub(crate) const SECRET_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// One key of a set, as read.
pub(crate) struct Entry {
    pub(crate) key_id: Option<String>,
    /// `kty` and `crv`, as far as they are present, for display.
    pub(crate) kind: String,
    /// The key, or why it cannot be used.
    // REQ-JWKS-03
    pub(crate) key: Result<PublicJwk, UnusableKey>,
    /// Whether it contains a member that must be kept secret.
    pub(crate) shows_secret: bool,
}

/// The maximum length in bytes of a `kty` or `crv` kept for display.
const LONGEST_NAME: usize = 64;

/// Reads one key of a set.
// Secret members are reported but never used (REQ-JWKS-04). Certificates are not a source of trust
// (REQ-JWKS-18).
pub(crate) fn read(text: &str) -> Entry {
    // Only this key is dropped, not the set (ruling 7).
    let Ok(mut jwk) = Object::parse(text.as_bytes()) else {
        let key_id = Raw::parse(text)
            .and_then(|jwk| jwk.member("kid"))
            .and_then(Raw::text)
            .map(Cow::into_owned);
        return Entry {
            key_id,
            kind: String::new(),
            key: Err(UnusableKey::NotAnObject),
            shows_secret: false,
        };
    };
    let mut shows_secret = false;
    for name in SECRET_MEMBERS {
        // Removed here, so that no later code can use them.
        shows_secret |= jwk.take(name).is_some();
    }
    let name = |name| {
        jwk.get(name).and_then(Raw::text).map(|text| text::plain_at_most(&text, LONGEST_NAME))
    };
    let kind = [name("kty"), name("crv")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    // RFC 7517 section 4.5: a `kid` that is not a string cannot be named by any token.
    let (key_id, key) = match jwk.take_text("kid") {
        Ok(key_id) => (key_id, read_members(&mut jwk)),
        Err(_) => (None, Err(UnusableKey::not_text("kid"))),
    };
    Entry { key_id, kind, key, shows_secret }
}

fn read_members(jwk: &mut Object) -> Result<PublicJwk, UnusableKey> {
    let has_use = match jwk.take_text("use").map_err(|_| UnusableKey::Use)?.as_deref() {
        None => false,
        Some("sig") => true,
        // Told apart, because one such key changes how keys without `use` are read.
        Some("enc") => return Err(UnusableKey::Encryption),
        Some(_) => return Err(UnusableKey::Use),
    };
    if let Some(operations) = operations(jwk) {
        let names: Option<Vec<_>> =
            operations.items().and_then(|items| items.map(Raw::text).collect());
        let is_good = names
            .is_some_and(|names| may_verify(names.iter().map(AsRef::as_ref).collect(), has_use));
        is_good.then_some(()).ok_or(UnusableKey::Operations)?;
    }
    let named = jwk.take_text("alg").map_err(|_| UnusableKey::Algorithm)?;
    let key = public_key(jwk)?;
    // It agrees on keys and verifies nothing.
    if matches!(key, OwnedPublicKey::X25519 { .. }) {
        return Err(UnusableKey::Curve);
    }
    // A key without `alg` may serve every algorithm of its kind; the token does not choose, the
    // configuration does.
    let algorithms = match named {
        None => fitting(&key).to_vec(),
        Some(name) => {
            let algorithm =
                JwsAlgorithm::from_name(&name).filter(|named| fitting(&key).contains(named));
            [algorithm.ok_or(UnusableKey::Algorithm)?].to_vec()
        }
    };
    Ok(PublicJwk { key, has_use, algorithms })
}

/// Returns `key_ops`. An empty list counts as absent.
// Ruling 32.
fn operations(jwk: &mut Object) -> Option<Raw<'_>> {
    jwk.take("key_ops")
        .filter(|operations| operations.items().is_none_or(|mut list| list.next().is_some()))
}

/// Whether `key_ops` allow a key to verify signatures: `verify` is listed, no value is listed twice
/// (RFC 7517 section 4.3), and if `use` is `sig`, all values concern signatures.
// REQ-JWKS-17
fn may_verify(mut names: Vec<&str>, has_use: bool) -> bool {
    let count = names.len();
    let is_for_signatures = !has_use || names.iter().all(|name| ["sign", "verify"].contains(name));
    names.sort_unstable();
    names.dedup();
    names.contains(&"verify") && names.len() == count && is_for_signatures
}

/// Whether `use` and `key_ops` of a private JWK allow it to sign.
pub(crate) fn may_sign(jwk: &mut Object) -> bool {
    let fits_use = jwk.take("use").is_none_or(|r#use| r#use.text().as_deref() == Some("sig"));
    let is_signing = |operation: Raw<'_>| operation.text().as_deref() == Some("sign");
    let fits_operations =
        |operations: Raw<'_>| operations.items().is_some_and(|mut all| all.any(is_signing));
    fits_use && operations(jwk).is_none_or(fits_operations)
}

/// Reads an ephemeral public key of ECDH-ES: coordinates of full width in strict base64url.
// REQ-JWE-08a. Unlike a published key, it is a part of a token, which has one encoding only.
pub(crate) fn exact_curve_point(jwk: &mut Object) -> Option<OwnedPublicKey> {
    let (kind, name) = (text(jwk, "kty").ok()?, text(jwk, "crv").ok()?);
    let mut coordinate = |name, width| {
        let bytes = base64url::decode(text(jwk, name).ok()?)?;
        (bytes.len() == width).then_some(bytes)
    };
    match (kind.as_str(), name.as_str()) {
        ("EC", name) => {
            let curve = Curve::from_name(name)?;
            let (x, y) = (coordinate("x", curve.width())?, coordinate("y", curve.width())?);
            Some(OwnedPublicKey::Ec { curve, x, y })
        }
        ("OKP", "X25519") => Some(OwnedPublicKey::X25519 { x: coordinate("x", 32)? }),
        _ => None,
    }
}

/// Whether `use` and `key_ops` of a private JWK allow it to decrypt.
// REQ-JWE-07a
pub(crate) fn may_decrypt(jwk: &mut Object) -> bool {
    let fits_use = jwk.take("use").is_none_or(|r#use| r#use.text().as_deref() == Some("enc"));
    let is_decrypting = |operation: Raw<'_>| {
        operation.text().is_some_and(|name| {
            ["decrypt", "unwrapKey", "deriveKey", "deriveBits"].contains(&&*name)
        })
    };
    let fits_operations =
        |operations: Raw<'_>| operations.items().is_some_and(|mut all| all.any(is_decrypting));
    fits_use && operations(jwk).is_none_or(fits_operations)
}

/// Reads the numbers of a public key, ignoring the other members of the JWK.
///
/// Numbers are accepted in the forms in which publishers write them and brought to width: a
/// coordinate that lacks its leading zero octets or has one too many, and a modulus with its sign
/// octet. This hides no errors: a wrong key still fails to verify the signature.
// Ruling 32, REQ-JWKS-13.
pub(crate) fn public_key(jwk: &mut Object) -> Result<OwnedPublicKey, UnusableKey> {
    let kind = text(jwk, "kty")?;
    match kind.as_str() {
        "RSA" => {
            let mut number = |name| {
                let digits = bytes(jwk, name)?;
                let digits = without_zeros(&digits);
                if digits.is_empty() { Err(UnusableKey::length(name)) } else { Ok(digits.to_vec()) }
            };
            Ok(OwnedPublicKey::Rsa { n: number("n")?, e: number("e")? })
        }
        "EC" => {
            let curve = Curve::from_name(&text(jwk, "crv")?).ok_or(UnusableKey::Curve)?;
            let mut coordinate =
                |name| scalar(jwk, name, curve).map(|mut bytes| core::mem::take(&mut *bytes));
            Ok(OwnedPublicKey::Ec { curve, x: coordinate("x")?, y: coordinate("y")? })
        }
        "OKP" => {
            let name = text(jwk, "crv")?;
            if !["Ed25519", "X25519"].contains(&name.as_str()) {
                return Err(UnusableKey::Curve);
            }
            // An octet string and not a number (RFC 8037 section 2), so nothing may be padded or stripped.
            let mut x = bytes(jwk, "x")?;
            if x.len() != 32 {
                return Err(UnusableKey::length("x"));
            }
            let x = core::mem::take(&mut *x);
            Ok(match name.as_str() {
                "Ed25519" => OwnedPublicKey::Ed25519 { x },
                _ => OwnedPublicKey::X25519 { x },
            })
        }
        // A MAC is verified with the client secret, and a published secret is none.
        "oct" => Err(UnusableKey::Symmetric),
        _ => Err(UnusableKey::Kind),
    }
}

fn text(jwk: &mut Object, name: &'static str) -> Result<String, UnusableKey> {
    jwk.take_text(name).map_err(|_| UnusableKey::not_text(name))?.ok_or(UnusableKey::missing(name))
}

/// Decodes a member in base64. The result is wiped on drop.
pub(crate) fn bytes(
    jwk: &mut Object,
    name: &'static str,
) -> Result<Zeroizing<Vec<u8>>, UnusableKey> {
    let text = Zeroizing::new(text(jwk, name)?);
    base64url::decode_number(&text).ok_or(UnusableKey::not_base64(name))
}

/// Decodes a scalar of the given curve and pads it to the width of the curve.
pub(crate) fn scalar(
    jwk: &mut Object,
    name: &'static str,
    curve: Curve,
) -> Result<Zeroizing<Vec<u8>>, UnusableKey> {
    let bytes = bytes(jwk, name)?;
    let digits = without_zeros(&bytes);
    let zeros = curve.width().checked_sub(digits.len()).filter(|zeros| *zeros < curve.width());
    let zeros = zeros.ok_or(UnusableKey::length(name))?;
    // The full capacity at once: a reallocation would leave a copy of a private key behind.
    let mut scalar = Zeroizing::new(Vec::with_capacity(curve.width()));
    scalar.resize(zeros, 0);
    scalar.extend_from_slice(digits);
    Ok(scalar)
}

fn without_zeros(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    bytes.get(start..).unwrap_or_default()
}

/// Returns the algorithms that a key fits.
// REQ-JWKS-06
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
        OwnedPublicKey::Ec { curve: Curve::P521, .. } => &[JwsAlgorithm::Es512],
        OwnedPublicKey::Ed25519 { .. } => &[JwsAlgorithm::EdDsa],
        OwnedPublicKey::X25519 { .. } => &[],
    }
}

/// Writes the members that define a public key, in the order that thumbprints require.
// REQ-JWKS-22
pub(crate) fn required_members(key: PublicKey<'_>) -> String {
    let text = |bytes: &[u8]| base64url::encode(bytes);
    match key {
        PublicKey::Rsa { n, e } => {
            format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(e), text(n))
        }
        PublicKey::Ec { curve, x, y } => {
            format!(
                r#"{{"crv":"{}","kty":"EC","x":"{}","y":"{}"}}"#,
                curve.name(),
                text(x),
                text(y)
            )
        }
        PublicKey::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(x)),
        PublicKey::X25519 { x } => format!(r#"{{"crv":"X25519","kty":"OKP","x":"{}"}}"#, text(x)),
    }
}

/// Computes the SHA-256 thumbprint of a public key ([RFC 7638 section 3]), in base64url.
///
/// [RFC 7638 section 3]: https://www.rfc-editor.org/rfc/rfc7638#section-3
// REQ-JWKS-22
#[must_use]
pub fn thumbprint(key: PublicKey<'_>, verifier: &dyn Verifier) -> String {
    base64url::encode(verifier.digest(Hash::Sha256, required_members(key).as_bytes()).as_bytes())
}

/// Computes the SHA-256 thumbprint of a certificate in DER, in base64url: `x5t#S256`
/// ([RFC 8705 section 3.1]).
///
/// [RFC 8705 section 3.1]: https://www.rfc-editor.org/rfc/rfc8705#section-3.1
// REQ-POP-19
#[must_use]
pub fn certificate_thumbprint(der: &[u8], verifier: &dyn Verifier) -> String {
    base64url::encode(verifier.digest(Hash::Sha256, der).as_bytes())
}

/// Writes a public JWK for registration: the numbers of the key, `kid`, `alg` and `use`, without
/// any private member.
// REQ-META-15
pub(crate) fn write_public(key: PublicKey<'_>, algorithm: JwsAlgorithm, key_id: &str) -> String {
    write_public_for(key, algorithm.name(), "sig", key_id)
}

/// Writes a public JWK with the name of its algorithm and its `use`.
// REQ-META-16
pub(crate) fn write_public_for(
    key: PublicKey<'_>,
    algorithm: &str,
    r#use: &str,
    key_id: &str,
) -> String {
    let members = required_members(key);
    let open = members.strip_suffix('}').unwrap_or(&members);
    let mut named = JsonWriter::new();
    named.text("kid", key_id);
    named.text("alg", algorithm);
    named.text("use", r#use);
    format!("{open},{}", named.finish().trim_start_matches('{'))
}

#[cfg(test)]
#[cfg(feature = "rustcrypto")]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::crypto::RustCrypto;

    fn print(jwk: &str) -> String {
        let key = public_key(&mut Object::parse(jwk.as_bytes()).unwrap()).unwrap();
        thumbprint(key.borrow(), &RustCrypto)
    }

    /// REQ-JWKS-22
    #[test]
    fn the_thumbprints_of_appendix_b_5_and_rfc_7638_match() {
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
    fn a_written_public_key_is_read_back_and_has_no_other_members() {
        let x = [7_u8; 32];
        let text = write_public(PublicKey::Ed25519 { x: &x }, JwsAlgorithm::EdDsa, "a\"b");
        let value: Value = serde_json::from_str(&text).unwrap();
        let names: Vec<&String> = value.as_object().unwrap().keys().collect();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"]);
        let Entry { key_id, kind, key: Ok(jwk), shows_secret: false } = read(&text) else {
            panic!("a signing key")
        };
        assert_eq!((key_id.as_deref(), kind.as_str()), (Some("a\"b"), "OKP Ed25519"));
        assert_eq!(jwk.key, OwnedPublicKey::Ed25519 { x: x.to_vec() });
    }
}
