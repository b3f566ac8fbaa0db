//! The cryptography this provider runs on.

use std::sync::Arc;

use ciba_core::crypto::{KeyImporter, RustCrypto, Verifier};

pub(crate) fn importer() -> &'static dyn KeyImporter {
    &RustCrypto
}

pub(crate) fn verifier() -> &'static dyn Verifier {
    &RustCrypto
}

/// The same, to hand on.
pub(crate) fn shared() -> Arc<dyn Verifier> {
    Arc::new(RustCrypto)
}
