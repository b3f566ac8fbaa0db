//! RS* and PS* for the RustCrypto backend.
