//! The cryptography this provider runs on.

use ciba_core::crypto::{KeyImporter, RustCrypto, Verifier};

pub(crate) fn importer() -> &'static dyn KeyImporter {
    &RustCrypto
}

pub(crate) fn verifier() -> &'static dyn Verifier {
    &RustCrypto
}
