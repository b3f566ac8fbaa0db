//! Values that must not appear in logs: strings and bodies that are wiped on drop and redacted in
//! `Debug`.

use alloc::{string::String, vec::Vec};
use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// Makes room for more bytes, by hand: a `String` that grows itself leaves its old buffer unwiped.
pub(crate) fn make_room(text: &mut Zeroizing<String>, more: usize) {
    let needed = text.len().saturating_add(more);
    if needed > text.capacity() {
        // Twice as much as needed, so that few additions cause a copy.
        let mut larger = Zeroizing::new(String::with_capacity(needed.saturating_mul(2)));
        larger.push_str(text);
        // The old buffer is wiped when it is dropped.
        *text = larger;
    }
}

/// Declares newtypes over `String` whose content is accessible only through `expose`.
macro_rules! secret_string {
    ($($(#[$doc:meta])* pub struct $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// `Debug` prints only the name of the type, comparison takes constant time for strings of
        /// equal length, and the memory is wiped on drop.
        // REQ-SEC-03, REQ-SEC-04
        #[derive(Clone)]
        pub struct $name(String);

        impl $name {
            /// Wraps a value.
            #[must_use]
            pub fn new(value: impl Into<String>) -> Self {
                Self(value.into())
            }

            /// Returns the value. It must not be logged.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                bool::from(self.0.as_bytes().ct_eq(other.0.as_bytes()))
            }
        }

        impl Eq for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                self.0.zeroize();
            }
        }

        impl From<String> for $name {
            fn from(value: String) -> Self {
                Self(value)
            }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                Self(value.into())
            }
        }
    )*};
}

secret_string! {
    /// The `auth_req_id` of an acknowledgement ([CIBA Core 7.3]), opaque and kept byte for byte.
    ///
    /// [CIBA Core 7.3]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.3
    // REQ-ACK-04
    pub struct AuthReqId;
    /// An access token ([RFC 6749 section 1.4]), which is opaque to the client.
    ///
    /// [RFC 6749 section 1.4]: https://www.rfc-editor.org/rfc/rfc6749#section-1.4
    pub struct AccessToken;
    /// A refresh token ([RFC 6749 section 1.5]), which is opaque to the client.
    ///
    /// [RFC 6749 section 1.5]: https://www.rfc-editor.org/rfc/rfc6749#section-1.5
    pub struct RefreshToken;
    /// A client secret as issued by the provider ([RFC 6749 section 2.3.1]).
    ///
    /// [RFC 6749 section 2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
    pub struct ClientSecret;
    /// A `login_hint` ([CIBA Core 7.1]), often a national id or a phone number.
    ///
    /// [CIBA Core 7.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.1
    pub struct LoginHint;
    /// A `login_hint_token` ([CIBA Core 7.1]), which is opaque to the client.
    ///
    /// [CIBA Core 7.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.1
    pub struct LoginHintToken;
    /// A signed ID Token in compact form, as received or as an `id_token_hint` ([CIBA Core 7.1]).
    ///
    /// [CIBA Core 7.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.1
    pub struct CompactIdToken;
    /// A `user_code` that the person enters ([CIBA Core 7.1.2]). It is never part of a snapshot.
    ///
    /// [CIBA Core 7.1.2]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.1.2
    pub struct UserCode;
    /// A private key as a JWK ([RFC 7517]). Write it only to a file that no other user can read.
    ///
    /// [RFC 7517]: https://www.rfc-editor.org/rfc/rfc7517
    pub struct PrivateJwk;
    /// The `client_notification_token` of one request: the bearer token that authenticates its
    /// notifications ([CIBA Core 7.1], [CIBA Core 9]).
    ///
    /// [CIBA Core 7.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.1
    /// [CIBA Core 9]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.9
    pub struct NotificationToken;
    /// A string with which a claim is compared. It may be a national id.
    pub struct ExpectedText;
}

/// Text that contains personal data.
#[derive(Clone, Default)]
pub(crate) struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes ownership of the bytes without copying them. Returns `None` unless they are UTF-8.
    pub(crate) fn from_utf8(mut bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        let text = String::from_utf8(core::mem::take(&mut *bytes));
        text.map(|text| Self(Zeroizing::new(text)))
            // The bytes of a failed conversion are personal data as well, so they are wiped.
            .map_err(|error| drop(Zeroizing::new(error.into_bytes())))
            .ok()
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for SecretText {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.into()))
    }
}

/// Secret bytes, for example a content encryption key or what it decrypts. They are wiped on drop,
/// and `Debug` prints only the name of the type.
#[derive(Clone, Default)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Wraps bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// Returns the bytes. They must not be logged.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn expose_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(..)")
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

/// The body of an HTTP message. It is wiped on drop, and `Debug` prints only its length.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Body(Vec<u8>);

impl Body {
    /// Creates a body from bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Returns the bytes. They may contain secrets and must not be logged.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Returns the number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns `true` if the body is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    /// REQ-SEC-03
    #[test]
    fn debug_of_a_secret_is_its_type_name() {
        assert_eq!(format!("{:?}", AuthReqId::new("sentinel")), "AuthReqId(..)");
        assert_eq!(format!("{:?}", Body::from("sentinel")), "Body(8 bytes)");
    }
}
