//! Values that must not reach a log: strings and bodies that are wiped on drop and redacted in
//! `Debug`.

use alloc::{string::String, vec::Vec};
use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// Declares newtypes over `String` whose content is only reachable through `expose`.
macro_rules! secret_string {
    ($($(#[$doc:meta])* pub struct $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// `Debug` prints the type's name only, equality takes constant time for equal lengths, and
        /// the memory is wiped on drop (REQ-SEC-03, REQ-SEC-04).
        #[derive(Clone)]
        pub struct $name(String);

        impl $name {
            /// Wraps a value.
            #[must_use]
            pub fn new(value: impl Into<String>) -> Self {
                Self(value.into())
            }

            /// The value itself. Keep it out of logs.
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
    /// The `auth_req_id` of an acknowledgement, opaque and kept byte for byte (CIBA 7.3,
    /// REQ-ACK-04).
    pub struct AuthReqId;
    /// An access token, opaque (RFC 6749 1.4).
    pub struct AccessToken;
    /// A refresh token, opaque (RFC 6749 1.5).
    pub struct RefreshToken;
    /// A client secret as the provider issued it (RFC 6749 2.3.1).
    pub struct ClientSecret;
    /// A `login_hint`: often a national id or a phone number (CIBA 7.1).
    pub struct LoginHint;
    /// A `login_hint_token`, opaque to the client (CIBA 7.1).
    pub struct LoginHintToken;
    /// A signed ID Token in compact form: as it was received, or as an `id_token_hint` (CIBA 7.1).
    pub struct CompactIdToken;
    /// A `user_code` the person types (CIBA 7.1.2); never part of a snapshot.
    pub struct UserCode;
    /// A private key as a JWK (RFC 7517): write it to a file only its owner reads.
    pub struct PrivateJwk;
    /// The `client_notification_token` of one request: the bearer token of its notifications (CIBA
    /// 7.1, 9).
    pub struct NotificationToken;
    /// A text a claim is compared with; may be a national id.
    pub struct ExpectedText;
}

/// What was read about a person.
#[derive(Clone, Default)]
pub(crate) struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes the bytes over without copying them; `None` unless they are UTF-8.
    pub(crate) fn from_utf8(mut bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        let text = String::from_utf8(core::mem::take(&mut *bytes));
        text.map(|text| Self(Zeroizing::new(text)))
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

/// The body of an HTTP message: bounded by the code that makes it, wiped on drop, printed as its
/// length.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Body(Vec<u8>);

impl Body {
    /// A body of these bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes. They may hold secrets: keep them out of logs.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes.
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
