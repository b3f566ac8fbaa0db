#![doc = include_str!("../README.md")]
//!
//! # What is in here
//!
//! | piece | does |
//! |---|---|
//! | [`Client`] | all of the following, set up in one expression |
//! | [`HttpClient`] | performs one exchange: nothing is sent twice, no redirect is followed |
//! | [`Signer`] | holds the private key: in memory ([`ciba_core::SoftwareKey`]), in a KMS, in an HSM |
//! | [`Keys`] | the provider's public keys, shared by all flows of one configuration |
//! | [`Driver`] | drives one flow to its end, in the calling thread |
//! | [`SharedFlow`], [`Saver`] | the flow being driven, and what saves it; [`FileSaver`] saves to a file |
//! | [`Inbox`] | receives notifications, in ping and push mode |
//! | [`PromptGuard`] | allows one running flow for each person |
//! | [`http::discover`] | fetches the provider's metadata |
//!
//! This crate decides nothing about the protocol; [`ciba_core::Flow`] does. If you already have an
//! event loop, use these building blocks without the [`Driver`].

mod adapter;
mod call;
mod cause;
#[cfg(feature = "rustls-no-provider")]
mod certificate;
mod client;
mod connector;
mod counter;
mod details;
mod discover;
mod drive;
pub mod http;
mod inbox;
mod progress;
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
    AuthenticateError, CallError, ClientBuilder, Clock, ConnectError, DiscoverError, DriveError,
    DriverBuilder, FileSaver, Keys, Origin, PromptGuard, Report, SaverError, SignerError,
    Superseded, SystemClock, Watch, entropy, limits, on_event,
};
pub use ureq;

pub use adapter::Ureq;
pub use client::Client;
pub use drive::Driver;
pub use http::HttpClient;
pub use inbox::Inbox;
pub use shared::{Saver, SharedFlow};
pub use signer::Signer;
