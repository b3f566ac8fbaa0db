//! The cryptography of the command.

use ciba_core::crypto::AwsLcRs;

/// The backend for all cryptography: TLS brings it along, it is fast, and its RSA signing is
/// constant-time.
pub(crate) const fn backend() -> AwsLcRs {
    AwsLcRs
}
