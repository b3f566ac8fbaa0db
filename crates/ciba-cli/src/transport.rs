//! The two HTTP libraries of `--transport`, behind one trait.

mod failure;
mod library;
mod reqwest;
mod setup;
mod ureq;

use std::{path::Path, sync::Arc};

pub(crate) use self::{
    failure::failure_of,
    library::{Drive, Driven, Halted, HttpLibrary},
};
use self::{
    reqwest::Reqwest,
    setup::{ClientPem, Files},
    ureq::Ureq,
};
use crate::{
    args::{Client, Transport},
    exit::Stop,
    files::{read, unescaped},
    proxies::Proxies,
};

/// How a library is set up.
#[derive(Debug, Default)]
pub(crate) struct Settings<'a> {
    /// The file of certificate authorities to trust instead of the platform's.
    pub(crate) ca: Option<&'a Path>,
    pub(crate) proxies: Proxies,
    /// The client certificate and its key, shown where a flow asks for it.
    pub(crate) certificate: Option<(&'a Path, &'a Path)>,
    /// Show each exchange on standard error.
    pub(crate) trace: bool,
}

impl<'a> Settings<'a> {
    /// For the provider of these options.
    pub(crate) fn of(options: &'a Client, trace: bool) -> Result<Self, Stop> {
        let proxies = if options.allow_http_loopback {
            Proxies::default()
        } else {
            Proxies::of_environment()?
        };
        let certificate = options.cert.as_deref().zip(options.cert_key.as_deref());
        Ok(Self { ca: options.ca_cert.as_deref(), proxies, certificate, trace })
    }

    /// Sets up one of the two libraries.
    pub(crate) fn open(self, transport: Transport) -> Result<Arc<dyn HttpLibrary>, Stop> {
        let files = Files {
            ca: self
                .ca
                .map(|path| read(path, "--ca-cert").map(|pem| (path, unescaped(pem))))
                .transpose()?,
            certificate: self.certificate.map(ClientPem::read).transpose()?,
        };
        Ok(match transport {
            Transport::Reqwest => Arc::new(Reqwest::new(&files, &self.proxies, self.trace)?),
            Transport::Ureq => Arc::new(Ureq::new(&files, self.proxies, self.trace)?),
        })
    }
}
