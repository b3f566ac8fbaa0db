//! An operation with the private key, with what its signer needs.

use std::{fmt, time::Duration};

use ciba_core::{Entropy, KeyOperation};

use crate::Adapter;

/// An operation with the private key.
pub struct Signing<'a, A: Adapter> {
    /// The key.
    pub signer: &'a A::Signer,
    /// The operation.
    pub operation: KeyOperation,
    /// For a signer without randomness of its own.
    pub entropy: Entropy,
    /// How long the operation may take.
    pub limit: Duration,
}

impl<A: Adapter> fmt::Debug for Signing<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signing").field("operation", &self.operation).finish_non_exhaustive()
    }
}
