//! The part of JOSE that a CIBA client needs: compact JWS and JWE, JWK and key sets. A token never chooses
//! an algorithm or a key source.

mod alg;
pub(crate) mod base64url;
pub(crate) mod compact;
pub(crate) mod der;
pub(crate) mod header;
pub(crate) mod jwe;
pub(crate) mod jwk;
mod key_set;
pub(crate) mod scalar;
mod signature;
pub(crate) mod unsigned;
mod unusable;

pub use alg::{Curve, JwsAlgorithm};
pub use compact::verify_signature_only;
pub use jwe::{ContentEncryption, KeyManagement};
pub use jwk::{certificate_thumbprint, thumbprint};
pub use key_set::{KeySet, PublishedKey};
pub use signature::{NotEcdsaDer, SignatureLength, ecdsa_from_der};
pub use unusable::{KeyMemberFault, UnusableKey};
