#![doc = include_str!("../README.md")]
//!
//! # What is in here
//!
//! | piece | does |
//! |---|---|
//! | [`HttpClient`] | one exchange with the promises the protocol needs: nothing is sent twice, nothing is followed |
//! | [`Signer`] | the private key: in memory ([`ciba_core::SoftwareKey`]), in a KMS, in an HSM |
//! | [`Keys`] | the provider's public keys, shared by all flows of one configuration |
//! | [`Driver`] | the common case: one flow to its end, in the calling thread |
//! | [`discover`] | the provider's metadata |
//!
//! This crate decides nothing about the protocol; [`ciba_core::Flow`] does. Who has a loop already takes the
//! pieces and leaves the [`Driver`].

mod clock;
mod connector;
mod discover;
mod drive;
mod error;
mod http;
mod keys;
mod signer;
#[cfg(feature = "rustls-no-provider")]
mod tls;

pub use ciba_core;
pub use ureq;

pub use clock::{Clock, SystemClock};
pub use discover::discover;
pub use drive::{Driver, Watch};
pub use error::{AuthenticateError, DiscoverError, DriveError, EntropyError};
pub use http::{CONNECT_TIMEOUT, HttpClient, Unverified};
pub use keys::Keys;
pub use signer::{Entropies, Signer, SignerError, SystemEntropy};
#[cfg(feature = "rustls-no-provider")]
pub use tls::{CaError, platform_roots, with_ca};
