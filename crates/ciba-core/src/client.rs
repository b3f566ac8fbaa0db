//! The configuration of one client at one provider, which all flows share and which is checked once
//! when it is built.

mod addresses;
mod auth;
mod binding_message;
mod build;
mod builder;
mod certificate;
mod check;
mod config;
mod config_error;
mod document;
mod dpop;
mod equipment;
mod fapi;
mod headers;
mod id;
mod metadata_rule;
mod options;
mod registration;
mod request_rules;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use auth::{Audience, AuthMethod, BasicEncoding, ClientAuth};
pub use binding_message::BindingMessageRule;
pub(crate) use binding_message::MessageRule;
pub use builder::ClientConfigBuilder;
pub use certificate::CertificateSubject;
pub use config::ClientConfig;
pub use config_error::{ConfigError, ConfigErrors};
pub use document::{Credentials, Registration};
pub(crate) use dpop::DpopRules;
pub use equipment::{Equipment, Lacking};
pub(crate) use headers::header_fault;
pub use id::ClientId;
pub use metadata_rule::MetadataRule;
pub(crate) use request_rules::{RequestObjectOptions, RequestObjectRules, RequestStyle};
