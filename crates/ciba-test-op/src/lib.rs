#![doc = include_str!("../README.md")]
mod backend;
mod client;
mod config;
mod date;
pub mod faults;
mod form;
mod ids;
mod judge;
mod jws;
mod keys;
mod message;
mod notification;
mod phone;
mod provider;
mod script;
mod server;

pub use client::{AudienceMode, Client, ClientAuthentication};
pub use config::{
    Behaviour, ConfigError, Personality, ProviderConfig, RequestedExpiry, SpeedReference, TooEarly, User,
};
pub use judge::{Exchange, Report, Rule, Violation};
pub use keys::TestKey;
pub use message::{Endpoint, ExchangeId, FOREVER, Incoming, Reply};
pub use notification::{Bearer, Moment, NotificationEdit, NotificationId, Notified, Outbound};
pub use provider::{Provider, Transaction, TransactionState};
pub use script::{
    Act, Amendment, Decision, IdTokenEdit, KeySetEdit, MacKey, Script, ScriptedAnswer, Step, TokenShape, Which,
};
pub use server::{Clock, RunningServer, Server, SystemClock, VirtualClock};
