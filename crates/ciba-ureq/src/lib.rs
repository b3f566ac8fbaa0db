#![doc = include_str!("../README.md")]
//!
//! # What is in here
//!
//! | piece | does |
//! |---|---|
//! | [`Client`] | everything below, set up in one expression |
//! | [`HttpClient`] | one exchange with the promises the protocol needs: nothing is sent twice, nothing is followed |
//! | [`Signer`] | the private key: in memory ([`ciba_core::SoftwareKey`]), in a KMS, in an HSM |
//! | [`Keys`] | the provider's public keys, shared by all flows of one configuration |
//! | [`Driver`] | the common case: one flow to its end, in the calling thread |
//! | [`SharedFlow`], [`Saver`] | the flow being driven, and what keeps it over a restart; [`FileSaver`] is one for a file |
//! | [`Inbox`] | where notifications arrive, in ping and push mode |
//! | [`PromptGuard`] | one running flow for each person |
//! | [`http::discover`], [`http::discover_with`] | the provider's metadata |
//!
//! This crate decides nothing about the protocol; [`ciba_core::Flow`] does. Who has a loop already
//! takes the pieces and leaves the [`Driver`].

mod adapter;
mod bell;
mod cause;
#[cfg(feature = "rustls-no-provider")]
mod certificate;
mod client;
mod connector;
mod discover;
mod drive;
pub mod http;
mod inbox;
mod shared;
mod signer;
#[cfg(feature = "rustls-no-provider")]
mod tls;
#[cfg(feature = "rustls-no-provider")]
mod wire;

pub use ciba_core;
pub use ciba_core::{
    AuthRequest, Authentication, DeliveryMode, Event, Failure, SoftwareKey, providers::idura,
};
#[cfg(feature = "rustls-no-provider")]
pub use ciba_std::ClientCertificate;
pub use ciba_std::{
    AuthenticateError, ClientBuilder, Clock, ConnectError, DiscoverError, DriveError, EntropyError,
    EntropySource, FileSaver, GUARD_CAPACITY, Origin, PromptGuard, SystemClock, SystemEntropy,
};
pub use ureq;

pub use adapter::Ureq;
pub use ciba_std::Keys;
pub use client::Client;
pub use drive::{Driver, Watch, on_event};
pub use http::HttpClient;
pub use inbox::Inbox;
pub use shared::{Saver, SharedFlow};
pub use signer::{Signer, SignerError};

/// Where random bytes come from.
pub mod entropy {
    pub use ciba_std::{EntropyError, EntropySource, SystemEntropy};
}

/// How much is kept in memory unless told otherwise.
pub mod limits {
    pub use crate::inbox::INBOX_CAPACITY;
    pub use ciba_std::GUARD_CAPACITY;
}
