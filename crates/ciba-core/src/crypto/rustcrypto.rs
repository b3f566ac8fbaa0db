//! The RustCrypto backend: pure Rust, `no_std`.

/// The RustCrypto backend.
#[derive(Debug, Clone, Copy, Default)]
pub struct RustCrypto;
