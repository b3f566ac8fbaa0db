//! The options of the test provider.

use std::{net::SocketAddr, path::PathBuf};

use ciba_core::{DeliveryMode, Profile, config::AuthMethod, jose::JwsAlgorithm};
use ciba_test_op::{DpopNonces, Personality};
use clap::Args;

use super::choices;

#[derive(Debug, Args)]
pub(crate) struct Op {
    /// The loopback address to listen on; with port 0, a free port is used.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Serve https with a generated certificate (see --client-dir for its ca.pem); client
    /// certificates and --profile fapi-ciba imply it.
    #[arg(long)]
    pub(crate) tls: bool,
    /// How the provider behaves.
    #[arg(long, value_parser = choices::any::<Personality>(), default_value = "generic")]
    pub(crate) personality: Personality,
    /// The rules that the provider enforces.
    #[arg(long, value_parser = choices::among(choices::OP_PROFILES), default_value = "plain")]
    pub(crate) profile: Profile,
    /// The nonces that DPoP proofs must contain.
    #[arg(long, value_parser = choices::any::<DpopNonces>(), default_value = "none", value_name = "NONCES")]
    pub(crate) dpop_nonces: DpopNonces,
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
    #[arg(long, value_parser = choices::any::<DeliveryMode>(), default_value = "poll", value_name = "MODE", help_heading = "Ready client")]
    pub(crate) delivery: DeliveryMode,
    /// The authentication method of the ready client.
    #[arg(long, value_parser = choices::any::<AuthMethod>(), default_value = "private_key_jwt", value_name = "METHOD", help_heading = "Ready client")]
    pub(crate) client_auth: AuthMethod,
    /// Sign the authentication requests of the ready client [default: ES256 with --profile
    /// fapi-ciba, otherwise not signed].
    #[arg(long, value_name = "ALG", value_parser = choices::any::<JwsAlgorithm>(), help_heading = "Ready client")]
    pub(crate) signed_request: Option<JwsAlgorithm>,
    /// Let the ready client send user codes; the hint `user-code:1234` is a person with that code.
    #[arg(long, help_heading = "Ready client")]
    pub(crate) user_codes: bool,
}
