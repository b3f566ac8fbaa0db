//! What both libraries are set up with.

use std::path::Path;

use ciba_std::ClientCertificate;

use crate::{
    exit::Stop,
    files::{Pair, no_certificate},
    stdio::put_error,
};

/// The files of the settings, read.
pub(super) struct Files<'a> {
    pub(super) ca: Option<(&'a Path, Vec<u8>)>,
    pub(super) certificate: Option<ClientPem>,
}

/// Both files of the client certificate.
pub(super) struct ClientPem {
    pub(super) certificate: ClientCertificate,
    shown: String,
}

impl ClientPem {
    pub(super) fn read((certificate, key): (&Path, &Path)) -> Result<Self, Stop> {
        let shown = format!("{} with {}", certificate.display(), key.display());
        let pair = Pair::read((certificate, "--cert"), (key, "--cert-key"))?;
        match ClientCertificate::from_pem(&pair.chain, &pair.key) {
            Ok(certificate) => Ok(Self { certificate, shown }),
            Err(error) => Err(unusable(&shown, &error)),
        }
    }

    pub(super) fn unusable(&self, error: &dyn std::error::Error) -> Stop {
        unusable(&self.shown, error)
    }
}

fn unusable(shown: &str, error: &dyn std::error::Error) -> Stop {
    Stop::usage(format!("the client certificate {shown} cannot be used: {error}"))
}

pub(super) fn unusable_ca(path: &Path, pem: &[u8]) -> Stop {
    Stop::usage(format!(
        "the file of --ca-cert cannot be used: {} {}",
        path.display(),
        no_certificate(pem)
    ))
}

pub(super) fn no_tls() -> Stop {
    Stop::bug("TLS cannot be set up on this machine")
}

pub(super) fn show(exchange: &ciba_core::http::Exchange<'_>) {
    put_error(&format!("ciba: trace: {exchange}"));
}
