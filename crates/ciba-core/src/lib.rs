#![doc = include_str!("../README.md")]
#![no_std]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::unreachable
    )
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod ask;
mod authentication;
#[cfg_attr(
    not(test),
    warn(clippy::as_conversions, clippy::arithmetic_side_effects, clippy::wildcard_enum_match_arm)
)]
mod bounds;
mod client;
mod credential;
pub mod crypto;
mod discovery;
#[cfg_attr(
    not(test),
    warn(clippy::as_conversions, clippy::arithmetic_side_effects, clippy::wildcard_enum_match_arm)
)]
mod elapsed;
mod endpoint;
mod error;
mod event;
mod expect;
mod fault;
#[cfg_attr(
    not(test),
    warn(clippy::as_conversions, clippy::arithmetic_side_effects, clippy::wildcard_enum_match_arm)
)]
mod flow;
mod granted;
mod id_token;
mod issuer;
pub mod jose;
mod json;
#[cfg_attr(
    not(test),
    warn(clippy::as_conversions, clippy::arithmetic_side_effects, clippy::wildcard_enum_match_arm)
)]
mod jwks;
mod person;
mod policy;
mod profile;
pub mod providers;
mod request;
mod request_object;
mod saved;
mod secret;
mod serialize;
mod snapshot;
mod software_keys;
#[cfg_attr(
    not(test),
    warn(clippy::as_conversions, clippy::arithmetic_side_effects, clippy::wildcard_enum_match_arm)
)]
pub mod text;
mod time;
mod url;
#[cfg_attr(
    not(test),
    warn(clippy::as_conversions, clippy::arithmetic_side_effects, clippy::wildcard_enum_match_arm)
)]
mod wire;

pub use ask::{
    Input, KeyOperation, KeyPurpose, KeySetRequest, KeyTask, Misuse, MisuseReason, Output, Save,
    Sending, SendingId, SigningTask, Transmit, Unanswered, Wait, WaitReason,
};
pub use authentication::{Authentication, NoIdToken};
pub use client::{
    Audience, BasicEncoding, BindingMessageRule, CertificateSubject, ClientAuth, ClientConfig,
    ClientConfigBuilder, ClientId, ConfigError, ConfigErrors, Credentials, Equipment, Lacking,
    MetadataRule, Registration,
};
pub use crypto::entropy::Entropy;
pub use discovery::{Discovery, DiscoveryAddress};
pub use endpoint::Endpoint;
pub use error::{
    Failure, Indeterminacy, KeyProblem, LostAnswer, Setback, Unreachable, UnreachableTarget,
};
pub use event::{Event, Events};
pub use expect::{AcrRule, Check, Expectations, ExpectedClaim, Matching, Presence};
pub use fault::{
    Cause, CertificateProblem, Expected, Fault, Found, Rejection, TlsAlert, Trouble, Untrusted,
};
pub use flow::{
    BadNotification, Flow, Notification, NotificationKey, NotificationReply, NotificationVerdict,
    PromptPlace, PromptRefused, Receipt, Receiving, Routes, RoutesFull, RunningPrompts, SpentKey,
    SpentKeys, Stage,
};
pub use granted::Difference;
pub use id_token::{ClaimsError, IdToken, IdTokenContext};
pub use issuer::Issuer;
pub use jwks::{JwksCache, KeySetDocument, Lookup};
pub use person::{ComparedBy, NotCompared, Person};
pub use policy::{IntervalReference, Policy};
pub use profile::{FapiCiba, Profile};
pub use request::{AuthRequest, AuthorizationDetail, Hint, RequestError, binding_code};
pub use secret::{
    AccessToken, AuthReqId, Body, ClientSecret, CompactIdToken, LoginHint, LoginHintToken,
    NotificationToken, PrivateJwk, RefreshToken, UserCode,
};
pub use snapshot::{ResumeError, Snapshot};
pub use software_keys::{KeyFileError, SoftwareKey, SoftwareKeyError};
pub use time::{Timestamp, TimestampError};
pub use url::{LoopbackHttp, Url, UrlError};
pub use wire::{
    Deviation, ErrorCode, Exchange, ExchangeObserver, Headers, JsonError, JsonObject, Method,
    Misbehaviour, Request, Response, ServerAnswer, UnknownCode,
    authorize::Acknowledgement,
    metadata::{DeliveryMode, MetadataError, MtlsEndpointAliases, ProviderMetadata},
    token::PendingError,
};
