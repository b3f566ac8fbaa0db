#![doc = include_str!("../README.md")]
mod backend;
mod client;
mod config;
mod entropy;
pub mod faults;
mod findings;
mod form;
mod habits;
mod ids;
mod judge;
mod jws;
mod keys;
mod likeness;
mod message;
mod notification;
mod phone;
mod provider;
mod report;
mod script;
mod server;
mod store;

pub use ciba_std::{Clock, SystemClock};
pub use client::{AudienceMode, Client, ClientAuthentication};
pub use config::{
    Behaviour, ConfigError, DpopNonces, Personality, ProviderConfig, RequestedExpiry,
    SpeedReference, TooEarly, User,
};
pub use findings::Unlisted;
pub use habits::{Habits, RequestAudience};
pub use judge::{Exchange, Rule, Severity, Violation};
pub use keys::TestKey;
pub use message::{Closing, Endpoint, ExchangeId, FOREVER, Incoming, PeerCertificate, Reply};
pub use notification::{Bearer, Moment, NotificationEdit, NotificationId, Notified, Outbound};
pub use provider::{Provider, Transaction, TransactionState};
pub use report::Report;
pub use script::{
    Act, Amendment, Decision, IdTokenEdit, KeySetEdit, MacKey, Script, ScriptedAnswer, Step,
    TokenShape, Which,
};
#[cfg(feature = "tls")]
pub use server::{ClientCertificate, NamedAuthorities};
pub use server::{RunningServer, Server, ServerClock, VirtualClock};
pub use store::{StoreCase, StoreFault, store_cases};
