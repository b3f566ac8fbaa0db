//! Client certificates as registered at the provider (RFC 8705 section 2).

use alloc::{format, string::String, vec::Vec};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    crypto::{Hash, OwnedPublicKey, Verifier},
    jose::{base64url, der, jwk},
    json::{JsonObject, Object, Raw},
};

/// Declares the kinds of [`CertificateSubject`] with the names of their members.
macro_rules! subjects {
    ($($(#[$doc:meta])* $Kind:ident = $member:literal,)+) => {
        /// The property by which the provider identifies the certificate of `tls_client_auth`
        /// ([RFC 8705 section 2.1.2]). There is exactly one, and it is kept unchanged.
        ///
        /// [RFC 8705 section 2.1.2]: https://www.rfc-editor.org/rfc/rfc8705#section-2.1.2
        // REQ-META-19
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum CertificateSubject {
            $($(#[$doc])* $Kind(String),)+
        }

        impl CertificateSubject {
            /// Each kind with its member.
            pub(super) const KINDS: [(&'static str, fn(String) -> Self); [$($member),+].len()] =
                [$(($member, Self::$Kind)),+];

            /// Returns the name of the member of the client metadata.
            #[must_use]
            pub const fn member(&self) -> &'static str {
                match self {
                    $(Self::$Kind(_) => $member,)+
                }
            }

            /// Returns the value.
            #[must_use]
            pub fn value(&self) -> &str {
                match self {
                    $(Self::$Kind(value))|+ => value,
                }
            }
        }
    };
}

subjects! {
    /// `tls_client_auth_subject_dn`. Providers differ in the order and escaping of distinguished
    /// names.
    Dn = "tls_client_auth_subject_dn",
    /// `tls_client_auth_san_dns`.
    SanDns = "tls_client_auth_san_dns",
    /// `tls_client_auth_san_uri`.
    SanUri = "tls_client_auth_san_uri",
    /// `tls_client_auth_san_ip`.
    SanIp = "tls_client_auth_san_ip",
    /// `tls_client_auth_san_email`.
    SanEmail = "tls_client_auth_san_email",
}

/// Makes a JWK of a certificate: its key, and the certificate as the only item of `x5c` in standard
/// base64 (RFC 7517 section 4.7).
// REQ-META-18
pub(super) fn jwk(certificate: &[u8], verifier: &dyn Verifier) -> Option<JsonObject> {
    let key = der::read_certificate_key(certificate)?;
    // As the key id too: derived from the certificate, so that no two entries share one. `use` is
    // stated because a set with encryption keys requires it for every key.
    let print = base64url::encode(verifier.digest(Hash::Sha256, certificate).as_bytes());
    let members = jwk::required_members(key.borrow());
    let open = members.strip_suffix('}').unwrap_or(&members);
    let x5c = STANDARD.encode(certificate);
    let text =
        format!(r#"{open},"kid":"{print}","use":"sig","x5t#S256":"{print}","x5c":["{x5c}"]}}"#);
    JsonObject::from_json(&text).ok()
}

/// Reads the numbers of a JWK.
pub(super) fn key(members: &JsonObject) -> Option<OwnedPublicKey> {
    jwk::public_key(&mut Object::parse(members.as_json().as_bytes()).ok()?).ok()
}

/// Whether `x5c` is absent, or holds certificates in standard base64 of which the first one has this
/// key.
// REQ-META-18
pub(super) fn fits(members: &JsonObject) -> bool {
    let Some(chain) = members.find("x5c") else { return true };
    let decoded = |item: Raw<'_>| STANDARD.decode(&*item.text()?).ok();
    let chain: Option<Vec<Vec<u8>>> = chain.items().and_then(|items| items.map(decoded).collect());
    // RFC 7517 section 4.7: the first certificate has the key, the others certify it.
    let leaf = chain.as_ref().and_then(|chain| der::read_certificate_key(chain.first()?));
    leaf.is_some_and(|found| Some(found) == key(members))
}
