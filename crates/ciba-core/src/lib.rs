#![doc = include_str!("../README.md")]
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod ask;
mod authentication;
mod bounds;
mod client;
mod client_auth;
pub mod crypto;
mod discovery;
mod elapsed;
mod entropy;
mod error;
mod event;
mod expect;
mod flow;
mod id_token;
mod issuer;
pub mod jose;
mod json;
mod jwks;
mod policy;
pub mod providers;
mod request;
mod saved;
mod secret;
mod software_keys;
mod time;
mod url;
mod wire;

pub use ask::{
    Because, Endpoint, Input, KeyOperation, KeyPurpose, KeySetRequest, KeyTask, Output, SigningTask, Transmit,
    TransmitTicket, Unanswered, Wait,
};
pub use authentication::Authentication;
pub use client::{ClientConfig, ClientConfigBuilder, ClientId, ConfigError, ConfigErrors, MetadataRule};
pub use client_auth::{Audience, BasicEncoding, ClientAuth};
pub use discovery::{Discovery, DiscoveryAddress};
pub use entropy::Entropy;
pub use error::{
    Class, Failure, Fault, Indeterminacy, LostAnswer, Misbehaviour, Misuse, MisuseReason, Setback, Unreachable,
    UnreachableTarget, Untrusted,
};
pub use event::Event;
pub use expect::{AcrRule, Expectations, ExpectedClaim, Matching, Presence};
pub use flow::{Acknowledgement, BadNotification, Flow, Notification, ResumeError, Snapshot, Stage};
pub use id_token::{ClaimsError, IdToken, IdTokenContext};
pub use issuer::Issuer;
pub use jwks::{JwksCache, Lookup};
pub use policy::{IntervalReference, Policy};
pub use request::{AuthRequest, AuthorizationDetail, Hint, RequestError, binding_code};
pub use secret::{
    AccessToken, AuthReqId, Body, ClientSecret, CompactIdToken, LoginHint, LoginHintToken, PrivateJwk, RefreshToken,
    UserCode,
};
pub use software_keys::{KeyFileError, SoftwareKey};
pub use time::Timestamp;
pub use url::{LoopbackHttp, Url, UrlError};
pub use wire::{
    ErrorCode, Headers, Members, Method, Request, Response, ServerAnswer, UnknownCode,
    authorize::{Acknowledged, Oddity},
    metadata::{DeliveryMode, MetadataError, ProviderMetadata},
};
