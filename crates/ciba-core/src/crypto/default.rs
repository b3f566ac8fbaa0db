//! The default backend for private keys.

#[cfg(feature = "aws-lc-rs")]
use super::aws_lc_rs::AwsLcRs;
#[cfg(all(feature = "rustcrypto", not(feature = "aws-lc-rs")))]
use super::rustcrypto::RustCrypto;
use super::sign::KeyImporter;

/// Returns the backend that imports private keys unless another one is named: `AwsLcRs` with the
/// feature `aws-lc-rs`, otherwise `RustCrypto` with the feature `rustcrypto`.
///
/// Both import the same keys. aws-lc-rs signs faster, and with RSA in constant time.
#[must_use]
pub fn default_importer() -> Option<&'static dyn KeyImporter> {
    #[cfg(feature = "aws-lc-rs")]
    return Some(&AwsLcRs);
    #[cfg(all(feature = "rustcrypto", not(feature = "aws-lc-rs")))]
    return Some(&RustCrypto);
    #[cfg(not(any(feature = "rustcrypto", feature = "aws-lc-rs")))]
    return None;
}
