//! The cryptography of the provider.

use std::sync::Arc;

use ciba_core::crypto::{KeyImporter, RustCrypto, Verifier};

pub(crate) fn importer() -> &'static dyn KeyImporter {
    &RustCrypto
}

pub(crate) fn verifier() -> &'static dyn Verifier {
    &RustCrypto
}

/// The same verifier, shared.
pub(crate) fn shared() -> Arc<dyn Verifier> {
    Arc::new(RustCrypto)
}
