//! The options of the test provider.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, ValueEnum};

use super::Delivery;

#[derive(Debug, Args)]
pub(crate) struct Op {
    /// The loopback address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Serve https with a certificate of its own (see --client-dir for its ca.pem); client
    /// certificates and --profile fapi-ciba imply it.
    #[arg(long)]
    pub(crate) tls: bool,
    /// How the provider behaves.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) personality: Personality,
    /// The rules that the provider enforces.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) profile: OpProfile,
    /// Also register the clients of this JSON file: one client or an array of clients, each with
    /// the members of OpenID Connect client metadata, such as client_id, client_secret and
    /// backchannel_client_notification_endpoint.
    #[arg(long, value_name = "FILE")]
    pub(crate) clients: Option<PathBuf>,
    /// At the end, write the judge's report to standard output as one line of JSON, and exit with
    /// 18 if a client made a mistake.
    #[arg(long)]
    pub(crate) judge: bool,
    /// Trust the certificate authorities of this PEM file when notifications are sent to https
    /// endpoints.
    #[arg(long, value_name = "FILE")]
    pub(crate) notification_ca: Option<PathBuf>,
    /// Write a ready client into this directory: client.json, its key or secret, its certificates,
    /// and ca.pem.
    #[arg(long, value_name = "DIR")]
    pub(crate) client_dir: Option<PathBuf>,
    /// The delivery mode of the ready client.
    #[arg(long, value_enum, default_value_t, value_name = "MODE", help_heading = "Ready client")]
    pub(crate) delivery: Delivery,
    /// The authentication method of the ready client.
    #[arg(long, value_enum, default_value_t, value_name = "METHOD", help_heading = "Ready client")]
    pub(crate) client_auth: ReadyAuth,
    /// Sign the authentication requests of the ready client [default: ES256 with --profile
    /// fapi-ciba, otherwise not signed].
    #[arg(long, value_name = "ALG", value_parser = super::values::algorithm, help_heading = "Ready client")]
    pub(crate) signed_request: Option<ciba_core::jose::JwsAlgorithm>,
    /// Let the ready client send user codes; the hint `user-code:1234` is a person with that code.
    #[arg(long, help_heading = "Ready client")]
    pub(crate) user_codes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Personality {
    /// An OpenID provider that follows the specifications.
    #[default]
    Generic,
    /// Answers as Idura Verify does.
    Idura,
}

/// What the provider holds its clients to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum OpProfile {
    /// CIBA Core 1.0.
    #[default]
    Plain,
    /// FAPI-CIBA, Implementer's Draft 1.
    FapiCiba,
}

/// What a client can be made ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ReadyAuth {
    #[default]
    #[value(name = "private_key_jwt")]
    PrivateKeyJwt,
    #[value(name = "client_secret_basic")]
    ClientSecretBasic,
    #[value(name = "client_secret_post")]
    ClientSecretPost,
    #[value(name = "client_secret_jwt")]
    ClientSecretJwt,
    #[value(name = "tls_client_auth")]
    TlsClientAuth,
    #[value(name = "self_signed_tls_client_auth")]
    SelfSignedTlsClientAuth,
    #[value(name = "none")]
    None,
}

impl ReadyAuth {
    /// Whether the method needs a client secret.
    pub(crate) const fn by_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost | Self::ClientSecretJwt)
    }

    /// Whether the method is a client certificate.
    pub(crate) const fn by_certificate(self) -> bool {
        matches!(self, Self::TlsClientAuth | Self::SelfSignedTlsClientAuth)
    }
}
