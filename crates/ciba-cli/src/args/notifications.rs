//! The options for the delivery mode and the notification endpoint.

use std::{net::SocketAddr, path::PathBuf};

use ciba_core::DeliveryMode;
use clap::Args;
use serde::{Deserialize, Serialize};

use super::{by_name, choices};

/// How the result reaches this client. Stored with a saved flow, so that `ciba resume` listens
/// again.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Notifications {
    /// The registered delivery mode [default: poll].
    #[arg(long, value_parser = choices::any::<DeliveryMode>(), value_name = "MODE", help_heading = "Notifications")]
    #[serde(with = "by_name")]
    pub(crate) delivery: Option<DeliveryMode>,
    /// Listen here for notifications (ping and push); https with --listen-cert and --listen-key,
    /// plain http only on loopback with --allow-http-loopback.
    #[arg(long, value_name = "ADDR:PORT", help_heading = "Notifications")]
    pub(crate) listen: Option<SocketAddr>,
    /// The path of the registered notification endpoint [default: /ciba/notify].
    #[arg(long, value_name = "PATH", help_heading = "Notifications")]
    pub(crate) notification_path: Option<String>,
    /// The certificate of the notification endpoint with its chain, in PEM.
    #[arg(long, value_name = "FILE", help_heading = "Notifications")]
    #[serde(serialize_with = "super::absolute")]
    pub(crate) listen_cert: Option<PathBuf>,
    /// The private key of that certificate, in PEM.
    #[arg(long, value_name = "FILE", help_heading = "Notifications")]
    #[serde(serialize_with = "super::absolute")]
    pub(crate) listen_key: Option<PathBuf>,
}

impl Notifications {
    /// The registered mode.
    pub(crate) fn mode(&self) -> DeliveryMode {
        self.delivery.unwrap_or(DeliveryMode::Poll)
    }
}
