//! The options about how the result comes, and where notifications arrive.

use std::{net::SocketAddr, path::PathBuf};

use ciba_core::DeliveryMode;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

/// How the result reaches this client. Kept beside a saved flow, so that `ciba resume` listens
/// again.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Notifications {
    /// The registered delivery mode [default: poll].
    #[arg(long, value_enum, value_name = "MODE", help_heading = "Notifications")]
    pub(crate) delivery: Option<Delivery>,
    /// Listen here for notifications (ping and push); https with --listen-cert and --listen-key,
    /// plain http only on loopback with --allow-http-loopback.
    #[arg(long, value_name = "ADDR:PORT", help_heading = "Notifications")]
    pub(crate) listen: Option<SocketAddr>,
    /// The path of the registered notification endpoint [default: /ciba/notify].
    #[arg(long, value_name = "PATH", help_heading = "Notifications")]
    pub(crate) notification_path: Option<String>,
    /// The certificate of the notification endpoint and the chain above it, PEM.
    #[arg(long, value_name = "FILE", help_heading = "Notifications")]
    pub(crate) listen_cert: Option<PathBuf>,
    /// The private key of that certificate, PEM.
    #[arg(long, value_name = "FILE", help_heading = "Notifications")]
    pub(crate) listen_key: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Delivery {
    /// The provider is asked until there is an answer.
    #[default]
    Poll,
    /// The provider says when to ask.
    Ping,
    /// The provider delivers the tokens.
    Push,
}

impl From<Delivery> for DeliveryMode {
    fn from(delivery: Delivery) -> Self {
        match delivery {
            Delivery::Poll => Self::Poll,
            Delivery::Ping => Self::Ping,
            Delivery::Push => Self::Push,
        }
    }
}

impl Notifications {
    /// The registered mode.
    pub(crate) fn mode(&self) -> DeliveryMode {
        self.delivery.unwrap_or_default().into()
    }

    /// These options, and those of a saved flow where nothing else is said now.
    pub(super) fn or(self, saved: Self) -> Self {
        Self {
            delivery: self.delivery.or(saved.delivery),
            listen: self.listen.or(saved.listen),
            notification_path: self.notification_path.or(saved.notification_path),
            listen_cert: self.listen_cert.or(saved.listen_cert),
            listen_key: self.listen_key.or(saved.listen_key),
        }
    }

    pub(super) fn absolute(self) -> Self {
        Self {
            listen_cert: super::absolute(self.listen_cert),
            listen_key: super::absolute(self.listen_key),
            ..self
        }
    }
}
