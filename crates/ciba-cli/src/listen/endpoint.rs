//! The notification endpoint as the options describe it.

use std::{net::SocketAddr, path::Path, sync::Arc};

use ciba_core::{
    DeliveryMode,
    http::{LoopbackHttp, Url},
};
use rustls::{ServerConfig, crypto::aws_lc_rs};

use crate::{args::Notifications, exit::Stop, files::Pair};

/// The path of the notification endpoint unless an option names another.
const USUAL_PATH: &str = "/ciba/notify";

/// The options of the notification endpoint; no socket is open yet.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) url: Url,
    pub(super) address: SocketAddr,
    pub(super) tls: Option<Arc<ServerConfig>>,
}

impl Endpoint {
    /// Reads the options. `None` in poll mode, and if the mode needs an endpoint and no option
    /// describes one.
    pub(crate) fn of(
        options: &Notifications,
        loopback: LoopbackHttp,
    ) -> Result<Option<Self>, Stop> {
        let Notifications { listen, notification_path, listen_cert, listen_key, .. } = options;
        if options.mode() == DeliveryMode::Poll {
            let given = [
                ("--listen", listen.is_some()),
                ("--notification-path", notification_path.is_some()),
                ("--listen-cert", listen_cert.is_some()),
                ("--listen-key", listen_key.is_some()),
            ];
            return match given.into_iter().find(|(_, is_given)| *is_given) {
                Some((option, _)) => Err(Stop::usage(format!(
                    "{option} is for --delivery ping or push: in poll mode no notifications arrive"
                ))),
                None => Ok(None),
            };
        }
        let Some(address) = *listen else { return Ok(None) };
        if address.port() == 0 {
            return Err(Stop::usage(
                "--listen needs a port that is not 0: that of the registered notification endpoint",
            ));
        }
        let tls = match (listen_cert, listen_key) {
            (Some(certificate), Some(key)) => Some(tls(certificate, key)?),
            (None, None)
                if address.ip().is_loopback() && loopback == LoopbackHttp::DangerouslyAllowed =>
            {
                None
            }
            (None, None) => {
                return Err(Stop::usage(
                    "--listen needs --listen-cert FILE and --listen-key FILE: plain http is for a loopback address with --allow-http-loopback",
                ));
            }
            (Some(_), None) => {
                return Err(Stop::usage("--listen-key is missing: --listen-cert needs it"));
            }
            (None, Some(_)) => {
                return Err(Stop::usage("--listen-cert is missing: --listen-key needs it"));
            }
        };
        let path = notification_path.as_deref().unwrap_or(USUAL_PATH);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let unusable =
            |why: &str| Stop::usage(format!("--notification-path cannot be used: {why}"));
        if !path.starts_with('/') {
            return Err(unusable("it does not begin with a slash"));
        }
        let url = Url::parse_with(&format!("{scheme}://{address}{path}"), loopback);
        let url = url.map_err(|error| unusable(&error.to_string()))?;
        if url.query().is_some() {
            return Err(unusable("it has a query"));
        }
        Ok(Some(Self { url, address, tls }))
    }
}

fn tls(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, Stop> {
    let pair = Pair::read((certificate, "--listen-cert"), (key, "--listen-key"))?;
    let unusable = || {
        let (certificate, key) = (certificate.display(), key.display());
        Stop::usage(format!(
            "TLS cannot be set up with the certificate {certificate} and the key {key}"
        ))
    };
    let (chain, private) = pair.decoded().ok_or_else(unusable)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| Stop::bug("TLS cannot be set up on this machine"))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|_| unusable())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
