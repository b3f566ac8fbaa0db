//! Why a client could not be connected.

use std::{error::Error, fmt, io, path::PathBuf};

use ciba_core::{
    config::{ConfigErrors, Lacking},
    fault::ExchangeProblem,
    http::{Unanswered, UrlError},
    keys::KeyFileError,
    named,
    request::RequestError,
};

use crate::DiscoverError;

/// Why a client could not be connected. No person was prompted.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The issuer or the notification endpoint is not a valid URL.
    Url(UrlError),
    /// A header field is invalid.
    Header(RequestError),
    /// A file could not be read.
    File {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A private key could not be read.
    Key(KeyFileError),
    /// The HTTP client could not be set up: the trusted certificates, the client certificate, or
    /// the settings of the HTTP library.
    Http(Box<dyn Error + Send + Sync>),
    /// The provider's metadata could not be fetched or is unusable.
    Discover(DiscoverError),
    /// The configuration is invalid or does not match the provider. Lists everything that is wrong.
    Config(ConfigErrors),
    /// The configuration needs a client certificate, a private key or an inbox that is not there.
    Lacking(Lacking),
    /// The provider's keys could not be fetched or are unusable.
    Keys(ExchangeProblem),
}

named! {
    /// Where the cause of an error lies.
    #[non_exhaustive]
    pub enum Origin {
        /// In the program, its configuration, or the registration of the client. Trying again does
        /// not help.
        Configuration = "configuration",
        /// Between the program and the provider: there was no answer.
        Network = "network",
        /// In the provider: its answer is unusable.
        Provider = "provider",
    }
}

impl ConnectError {
    /// Creates an error of the setup of the HTTP client.
    pub fn http(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Http(source.into())
    }

    /// Returns where the cause lies.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        match self {
            Self::Url(_)
            | Self::Header(_)
            | Self::File { .. }
            | Self::Key(_)
            | Self::Http(_)
            | Self::Config(_)
            | Self::Lacking(_) => Origin::Configuration,
            Self::Discover(DiscoverError::Unreachable { how, .. }) => match how {
                Unanswered::NotSent(cause) | Unanswered::Lost(cause) => of_cause(*cause),
            },
            Self::Keys(ExchangeProblem::Unanswered(cause)) => of_cause(*cause),
            Self::Discover(DiscoverError::Metadata(_)) | Self::Keys(_) => Origin::Provider,
        }
    }
}

const fn of_cause(cause: ciba_core::fault::Cause) -> Origin {
    match cause {
        ciba_core::fault::Cause::Local => Origin::Configuration,
        _ => Origin::Network,
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(_) => f.write_str("the issuer or the notification endpoint cannot be used"),
            Self::Header(_) => f.write_str("a header field cannot be sent"),
            Self::File { path, .. } => write!(f, "cannot read {}", path.display()),
            Self::Key(_) => f.write_str("cannot read the private key"),
            Self::Http(_) => f.write_str("cannot set up the HTTP client"),
            Self::Discover(_) => f.write_str("cannot discover the provider"),
            Self::Config(_) => f.write_str("the client and the provider do not fit together"),
            Self::Lacking(_) => f.write_str("the client is not complete"),
            Self::Keys(problem) => write!(f, "cannot fetch the provider's keys: {problem}"),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Url(error) => Some(error),
            Self::Header(error) => Some(error),
            Self::File { source, .. } => Some(source),
            Self::Key(error) => Some(error),
            Self::Http(error) => Some(&**error),
            Self::Discover(error) => Some(error),
            Self::Config(error) => Some(error),
            Self::Lacking(error) => Some(error),
            Self::Keys(_) => None,
        }
    }
}

impl From<UrlError> for ConnectError {
    fn from(error: UrlError) -> Self {
        Self::Url(error)
    }
}

impl From<KeyFileError> for ConnectError {
    fn from(error: KeyFileError) -> Self {
        Self::Key(error)
    }
}

impl From<DiscoverError> for ConnectError {
    fn from(error: DiscoverError) -> Self {
        Self::Discover(error)
    }
}

impl From<ConfigErrors> for ConnectError {
    fn from(errors: ConfigErrors) -> Self {
        Self::Config(errors)
    }
}

impl From<Lacking> for ConnectError {
    fn from(lacking: Lacking) -> Self {
        Self::Lacking(lacking)
    }
}

impl From<ExchangeProblem> for ConnectError {
    fn from(problem: ExchangeProblem) -> Self {
        Self::Keys(problem)
    }
}
