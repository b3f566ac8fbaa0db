//! The name of this adapter among types.

/// This adapter, as the type parameter of the builders of `ciba-std`.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Ureq;
