//! The name of this adapter among types.

/// The adapter, as a [`ClientBuilder`](ciba_std::ClientBuilder) knows it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Reqwest;
