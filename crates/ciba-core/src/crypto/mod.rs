//! The interface to cryptography backends: [`Verifier`] for what the client checks, [`SigningKey`]
//! for what it signs, [`DecryptionKey`] and [`Decrypter`] for what it decrypts.
//!
//! A backend receives numbers and bytes, never JSON or tokens. All rules about tokens are therefore
//! in the core and the same for every backend.

#[cfg(feature = "aws-lc-rs")]
mod aws_lc_rs;
#[cfg(feature = "aws-lc-rs")]
mod aws_lc_rs_decrypt;
mod cipher;
mod decrypt;
mod default;
pub(crate) mod entropy;
mod hash;
mod keys;
#[cfg(any(feature = "rustcrypto", feature = "aws-lc-rs"))]
mod rules;
#[cfg(feature = "rustcrypto")]
mod rustcrypto;
#[cfg(feature = "rustcrypto")]
mod rustcrypto_decrypt;
#[cfg(feature = "rustcrypto-rsa")]
mod rustcrypto_rsa;
mod sign;
mod verify;

#[cfg(feature = "aws-lc-rs")]
pub use self::aws_lc_rs::AwsLcRs;
pub(crate) use self::entropy::{Entropy, Purpose};
pub(crate) use self::keys::bit_length;
#[cfg(feature = "rustcrypto")]
pub use self::rustcrypto::RustCrypto;
pub use self::{
    cipher::{Decrypter, DecryptionFailed},
    decrypt::DecryptionKey,
    default::default_importer,
    hash::{Digest, Hash},
    keys::{KeyRejected, OwnedPublicKey, PrivateKey, PublicKey},
    sign::{KeyImporter, SigningFailed, SigningKey},
    verify::{BadSignature, VerificationKey, Verifier},
};
