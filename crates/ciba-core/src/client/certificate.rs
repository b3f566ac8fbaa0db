//! Client certificates as the provider's registration knows them (RFC 8705 2).

use alloc::{format, string::String, vec::Vec};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    crypto::{Hash, OwnedPublicKey, Verifier},
    jose::{base64url, der, jwk},
    json::{JsonObject, Object, Raw},
};

/// By what the provider knows the certificate of `tls_client_auth`: exactly one value, kept as it
/// is (RFC 8705 2.1.2,
/// REQ-META-19).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateSubject {
    /// `tls_client_auth_subject_dn`: order and escaping of a distinguished name differ between
    /// providers.
    Dn(String),
    /// `tls_client_auth_san_dns`.
    SanDns(String),
    /// `tls_client_auth_san_uri`.
    SanUri(String),
    /// `tls_client_auth_san_ip`.
    SanIp(String),
    /// `tls_client_auth_san_email`.
    SanEmail(String),
}

impl CertificateSubject {
    /// The member of the client metadata.
    #[must_use]
    pub const fn member(&self) -> &'static str {
        match self {
            Self::Dn(_) => "tls_client_auth_subject_dn",
            Self::SanDns(_) => "tls_client_auth_san_dns",
            Self::SanUri(_) => "tls_client_auth_san_uri",
            Self::SanIp(_) => "tls_client_auth_san_ip",
            Self::SanEmail(_) => "tls_client_auth_san_email",
        }
    }

    /// The text.
    #[must_use]
    pub fn value(&self) -> &str {
        match self {
            Self::Dn(value)
            | Self::SanDns(value)
            | Self::SanUri(value)
            | Self::SanIp(value)
            | Self::SanEmail(value) => value,
        }
    }
}

/// A certificate as a JWK: its key, and itself as the only item of `x5c` in standard base64 (RFC
/// 7517 4.7, REQ-META-18).
pub(super) fn jwk(certificate: &[u8], verifier: &dyn Verifier) -> Option<JsonObject> {
    let key = der::read_certificate_key(certificate)?;
    let print = base64url::encode(verifier.digest(Hash::Sha256, certificate).as_bytes());
    let members = jwk::required_members(key.borrow());
    let open = members.strip_suffix('}').unwrap_or(&members);
    let x5c = STANDARD.encode(certificate);
    let text =
        format!(r#"{open},"kid":"{print}","use":"sig","x5t#S256":"{print}","x5c":["{x5c}"]}}"#);
    JsonObject::from_json(&text).ok()
}

/// The numbers of a JWK.
pub(super) fn key(members: &JsonObject) -> Option<OwnedPublicKey> {
    jwk::public_key(&mut Object::parse(members.as_json().as_bytes()).ok()?).ok()
}

/// Whether `x5c`, when there, holds certificates in standard base64, the first of them of this very
/// key (REQ-META-18).
pub(super) fn fits(members: &JsonObject) -> bool {
    let Some(chain) = members.find("x5c") else { return true };
    let decoded = |item: Raw<'_>| STANDARD.decode(&*item.text()?).ok();
    let chain: Option<Vec<Vec<u8>>> = chain.items().and_then(|items| items.map(decoded).collect());
    let leaf = chain.as_ref().and_then(|chain| der::read_certificate_key(chain.first()?));
    leaf.is_some_and(|found| Some(found) == key(members))
}
