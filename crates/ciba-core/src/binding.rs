//! How an access token is bound to its client, and the confirmation that the token contains.

use alloc::sync::Arc;
use core::fmt;

use crate::{client::ClientConfig, json::Object};

/// How an access token is bound to the client, and therefore what must be shown with it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Binding {
    /// It is not bound: whoever has it can use it ([RFC 6750]).
    ///
    /// [RFC 6750]: https://www.rfc-editor.org/rfc/rfc6750
    Bearer,
    /// It is bound to a key, and every use needs a proof of that key ([RFC 9449 section 7]).
    ///
    /// [RFC 9449 section 7]: https://www.rfc-editor.org/rfc/rfc9449#section-7
    Dpop {
        /// The SHA-256 thumbprint of the public key ([RFC 7638]), in base64url.
        ///
        /// [RFC 7638]: https://www.rfc-editor.org/rfc/rfc7638
        thumbprint: Arc<str>,
    },
    /// It was requested with a client certificate for a client whose tokens are bound to it, and is
    /// used over connections with the same certificate ([RFC 8705 section 3]).
    ///
    /// [RFC 8705 section 3]: https://www.rfc-editor.org/rfc/rfc8705#section-3
    Certificate,
}

/// Why the claims of an access token do not confirm its binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotConfirmed {
    /// The claims are not one JSON object, or `cnf` has the wrong type.
    Malformed,
    /// The claims have no confirmation of the kind that the binding requires.
    Missing,
    /// The confirmation names another key or certificate.
    Different,
}

impl Binding {
    /// Returns the binding of tokens that a client requests.
    pub(crate) fn of(config: &ClientConfig) -> Self {
        match (&config.dpop, config.binds_to_certificate()) {
            (Some(rules), _) => Self::Dpop { thumbprint: Arc::clone(&rules.thumbprint) },
            (None, true) => Self::Certificate,
            (None, false) => Self::Bearer,
        }
    }

    /// Compares the binding with the `cnf` claim of the access token: `jkt`
    /// ([RFC 9449 section 6]) or `x5t#S256` ([RFC 8705 section 3.1]).
    ///
    /// `claims` are those of an access token that is a JWT, or the response of the introspection
    /// endpoint. The access token itself is opaque to a client, so nothing reads them from it.
    /// `certificate` is the thumbprint of the certificate that the client presents, which
    /// [`certificate_thumbprint`](crate::jose::certificate_thumbprint) computes; it only matters
    /// for [`Self::Certificate`].
    ///
    /// # Errors
    ///
    /// Returns [`NotConfirmed`] if the token is bound to something else, or not at all. A resource
    /// then rejects it, or accepts it from anyone.
    ///
    /// [RFC 9449 section 6]: https://www.rfc-editor.org/rfc/rfc9449#section-6
    /// [RFC 8705 section 3.1]: https://www.rfc-editor.org/rfc/rfc8705#section-3.1
    // REQ-POP-14, REQ-POP-19
    pub fn check(&self, claims: &str, certificate: Option<&str>) -> Result<(), NotConfirmed> {
        let claims = Object::parse(claims.as_bytes()).map_err(|_| NotConfirmed::Malformed)?;
        let cnf = claims.get("cnf").filter(|cnf| !cnf.is_null());
        if cnf.is_some_and(|cnf| cnf.members().is_none()) {
            return Err(NotConfirmed::Malformed);
        }
        let confirms = |name: &str, expected: &str| {
            let found = cnf.and_then(|cnf| cnf.member(name)).ok_or(NotConfirmed::Missing)?;
            match found.text().ok_or(NotConfirmed::Malformed)? == expected {
                true => Ok(()),
                false => Err(NotConfirmed::Different),
            }
        };
        match self {
            Self::Bearer if cnf.is_none() => Ok(()),
            Self::Bearer => Err(NotConfirmed::Different),
            Self::Dpop { thumbprint } => confirms("jkt", thumbprint),
            Self::Certificate => confirms("x5t#S256", certificate.ok_or(NotConfirmed::Different)?),
        }
    }
}

impl fmt::Display for NotConfirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the claims of the access token cannot be read",
            Self::Missing => {
                "the access token is not bound to the key or certificate of the client"
            }
            Self::Different => "the access token is bound to another key or certificate",
        })
    }
}

impl core::error::Error for NotConfirmed {}

#[cfg(test)]
mod tests {
    use super::*;

    /// REQ-POP-14
    /// REQ-POP-19
    #[test]
    fn a_confirmation_must_name_the_key_or_certificate_of_the_client() {
        use NotConfirmed::{Different, Malformed, Missing};
        // RFC 9449 section 6.1.
        const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        // RFC 8705 section 3.1.
        const X5T: &str = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2";
        let dpop = || Binding::Dpop { thumbprint: JKT.into() };
        for (binding, claims, certificate, expected) in [
            (
                dpop(),
                r#"{"cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}"#,
                None,
                Ok(()),
            ),
            (
                dpop(),
                r#"{"cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4J"}}"#,
                None,
                Err(Different),
            ),
            (dpop(), r#"{"cnf":{"jkt":"0zcococrznyy"}}"#, None, Err(Different)),
            (dpop(), r#"{"cnf":{"x5t#S256":"bwcK"}}"#, None, Err(Missing)),
            (dpop(), r#"{"sub":"a"}"#, None, Err(Missing)),
            (dpop(), r#"{"cnf":null}"#, None, Err(Missing)),
            (dpop(), r#"{"cnf":{"jkt":1}}"#, None, Err(Malformed)),
            (dpop(), r#"{"cnf":"jkt"}"#, None, Err(Malformed)),
            (dpop(), r#"{"cnf":{"jkt":"a"},"cnf":{}}"#, None, Err(Malformed)),
            (
                Binding::Certificate,
                r#"{"cnf":{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}}"#,
                Some(X5T),
                Ok(()),
            ),
            (
                Binding::Certificate,
                r#"{"cnf":{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}}"#,
                Some("bwcK"),
                Err(Different),
            ),
            (
                Binding::Certificate,
                r#"{"cnf":{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}}"#,
                None,
                Err(Different),
            ),
            (Binding::Certificate, r#"{"cnf":{"jkt":"a"}}"#, Some(X5T), Err(Missing)),
            (Binding::Bearer, r#"{"sub":"a"}"#, None, Ok(())),
            (Binding::Bearer, r#"{"cnf":{"jkt":"a"}}"#, None, Err(Different)),
        ] {
            assert_eq!(binding.check(claims, certificate), expected, "{binding:?} {claims}");
        }
    }
}
