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
//! | [`Driver`] | drives one flow to its end; the future can be dropped at any await |
//! | [`SharedFlow`], [`Saver`] | the flow being driven, and what saves it; [`FileSaver`] saves to a file |
//! | [`Inbox`] | receives notifications, in ping and push mode |
//! | `NotificationService` (feature `tower`) | the notification endpoint as a service for axum, hyper and others |
//! | [`PromptGuard`] | allows one running flow for each person |
//! | [`http::discover`] | fetches the provider's metadata |
//!
//! This crate decides nothing about the protocol; [`ciba_core::Flow`] does. If you already have an
//! event loop, use these building blocks without the [`Driver`].

mod adapter;
mod address;
mod call;
mod cause;
mod client;
mod discover;
mod drive;
mod gate;
pub mod http;
mod inbox;
#[cfg(feature = "tower")]
mod service;
mod shared;
mod signer;
#[cfg(feature = "rustls-no-provider")]
mod tls;

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
pub use reqwest;

pub use adapter::Reqwest;
pub use client::Client;
pub use drive::Driver;
pub use http::HttpClient;
pub use inbox::Inbox;
#[cfg(feature = "tower")]
pub use service::NotificationService;
pub use shared::{Saver, SharedFlow};
pub use signer::Signer;
