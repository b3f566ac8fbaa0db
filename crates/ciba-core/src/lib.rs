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
mod binding;
#[cfg_attr(
    not(test),
    warn(clippy::as_conversions, clippy::arithmetic_side_effects, clippy::wildcard_enum_match_arm)
)]
mod bounds;
mod client;
mod credential;
pub mod crypto;
mod discovery;
mod dpop;
#[cfg_attr(
    not(test),
    warn(clippy::as_conversions, clippy::arithmetic_side_effects, clippy::wildcard_enum_match_arm)
)]
mod elapsed;
mod endpoint;
pub mod error;
mod event;
pub mod expect;
pub mod fault;
#[cfg_attr(
    not(test),
    warn(clippy::as_conversions, clippy::arithmetic_side_effects, clippy::wildcard_enum_match_arm)
)]
mod flow;
mod granted;
mod id_token;
mod issuer;
pub mod jose;
pub mod json;
#[cfg_attr(
    not(test),
    warn(clippy::as_conversions, clippy::arithmetic_side_effects, clippy::wildcard_enum_match_arm)
)]
mod jwks;
// Public for the macro, which the other crates of the workspace use too.
#[doc(hidden)]
pub mod named;
mod person;
mod policy;
mod profile;
pub mod providers;
pub mod request;
mod request_object;
mod saved;
pub mod secret;
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
mod userinfo;
#[cfg_attr(
    not(test),
    warn(clippy::as_conversions, clippy::arithmetic_side_effects, clippy::wildcard_enum_match_arm)
)]
mod wire;

pub use ask::{Input, KeyOperation, KeySetRequest, Output, Sending, Transmit, Wait};
pub use authentication::Authentication;
pub use client::{ClientAuth, ClientConfig, ClientConfigBuilder, ClientId};
pub use crypto::entropy::Entropy;
pub use discovery::Discovery;
pub use error::Failure;
pub use event::Event;
pub use flow::{Flow, Stage};
pub use issuer::Issuer;
pub use jwks::{JwksCache, Lookup};
pub use person::Person;
pub use policy::Policy;
pub use profile::Profile;
pub use request::{AuthRequest, Hint};
pub use secret::ClientSecret;
pub use snapshot::Snapshot;
pub use software_keys::SoftwareKey;
pub use time::{Timestamp, TimestampError};
pub use wire::{
    authorize::Acknowledgement,
    metadata::{DeliveryMode, ProviderMetadata},
};

/// What a provider answers beyond what was asked for: error codes, deviations, unusable answers.
pub mod answer {
    pub use crate::wire::{
        Deviation, ErrorCode, Misbehaviour, ServerAnswer, UnknownCode, token::PendingError,
    };
}

/// The details of a configuration, and what can be wrong with it.
pub mod config {
    pub use crate::{
        client::{
            Audience, AuthMethod, BasicEncoding, BindingMessageRule, CertificateSubject,
            ConfigError, ConfigErrors, Credentials, Equipment, Lacking, MetadataRule, Registration,
        },
        policy::IntervalReference,
        profile::FapiCiba,
    };
}

/// What an [`Authentication`] says in detail.
pub mod evidence {
    pub use crate::{
        authentication::NoIdToken,
        binding::{Binding, NotConfirmed},
        granted::Difference,
        id_token::{ClaimsError, IdToken, IdTokenContext},
        person::{ComparedBy, NotCompared},
    };
}

/// The messages that are exchanged, independent of any HTTP library.
pub mod http {
    pub use crate::{
        ask::Unanswered,
        endpoint::Endpoint,
        secret::Body,
        url::{LoopbackHttp, Url, UrlError},
        wire::{Exchange, ExchangeObserver, Headers, Method, Request, Response},
    };
}

/// Private keys in memory, and key sets outside of a flow.
pub mod keys {
    pub use crate::{
        jwks::KeySetDocument,
        secret::PrivateJwk,
        software_keys::{KeyFileError, SoftwareDecryptionKey, SoftwareKeyError},
    };
}

/// What a [`Flow`] asks and answers in detail, for an event loop of your own.
pub mod machine {
    pub use crate::{
        ask::{
            KeyPurpose, KeyTask, Misuse, MisuseReason, Save, SendingId, SigningTask, WaitReason,
        },
        event::Events,
        flow::Unsaved,
        snapshot::ResumeError,
    };
}

/// The provider's metadata: where it is, and what can be wrong with it.
pub mod metadata {
    pub use crate::{
        discovery::DiscoveryAddress,
        wire::metadata::{MetadataError, MtlsEndpointAliases},
    };
}

/// Notifications in ping and push mode ([CIBA Core 10.2,
/// 10.3](https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.10.2)).
pub mod notification {
    pub use crate::{
        flow::{
            BadNotification, Notification, NotificationKey, NotificationReply, NotificationVerdict,
            Receipt, Receiving, Routes, RoutesFull, SpentKey, SpentKeys,
        },
        secret::NotificationToken,
    };
}

/// Using tokens after an authentication: refresh, the claims of the UserInfo endpoint, and
/// revocation.
pub mod tokens {
    pub use crate::{
        flow::{
            Call, CallFailure, CallRequest, NotPossible, RefreshRequest, Refreshed, Revocable,
            UserInfoRequest,
        },
        userinfo::UserInfo,
    };
}

/// One running flow for each person.
pub mod prompts {
    pub use crate::flow::{PromptPlace, PromptRefused, RunningPrompts};
}
