//! The cryptography this provider runs on.

use ciba_core::crypto::{KeyImporter, Verifier};

#[allow(clippy::todo)]
pub(crate) fn importer() -> &'static dyn KeyImporter {
    todo!()
}

#[allow(clippy::todo)]
pub(crate) fn verifier() -> &'static dyn Verifier {
    todo!()
}
