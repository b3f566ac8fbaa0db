//! The command line: what can be asked of the command, and nothing about how it is done.

mod by_name;
mod exceptions;
mod notifications;
mod op;
mod provider;

use std::path::PathBuf;

use ciba_core::{AcrRule, FapiCiba, jose::JwsAlgorithm};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

pub(crate) use self::{
    exceptions::Exceptions,
    notifications::{Delivery, Notifications},
    op::{Op, OpProfile, Personality, ReadyAuth},
    provider::Provider,
};

/// Authenticate a person on their phone with OpenID Connect CIBA, from a terminal.
#[derive(Debug, Parser)]
#[command(name = "ciba", version, max_term_width = 100, arg_required_else_help = false, after_help = crate::exit::exit_codes())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch a whole authentication: a provider, a phone and a client on this machine.
    Demo(Demo),
    /// Run an OpenID provider for trying things, with a phone page to tap on and a judge of its
    /// clients.
    Op(Op),
    /// Make a private key, or show the public keys to register.
    #[command(subcommand, arg_required_else_help = false)]
    Key(Key),
    /// Show what a provider offers for CIBA, and what of it would not work with the given client.
    Discover(Box<Discover>),
    /// Authenticate one person at any OpenID provider that speaks CIBA.
    #[command(after_help = crate::exit::failures_and_checks())]
    Authenticate(Box<Authenticate>),
    /// Continue an authentication that was interrupted.
    #[command(after_help = crate::exit::failures_and_checks())]
    Resume(Box<Resume>),
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    #[command(flatten)]
    pub(crate) report: Report,
    /// The HTTP library that carries the requests.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) transport: Transport,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a private key and write it as a JWK only its owner can read.
    New {
        /// The signature algorithm the key is for.
        #[arg(long, value_enum)]
        alg: KeyAlgorithm,
        /// The file to write (never overwritten); without it the key goes to standard output.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Print the public JWK Set of private keys: what is registered at the provider.
    Public {
        /// Private keys: JWK, or PEM of PKCS#8, PKCS#1 or SEC1.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The algorithm to register for, where the file does not say (RSA in PEM: RS256).
        #[arg(long, value_name = "ALG", value_parser = crate::client::algorithm)]
        alg: Option<JwsAlgorithm>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyAlgorithm {
    #[value(name = "ES256")]
    Es256,
    #[value(name = "ES384")]
    Es384,
    #[value(name = "EdDSA")]
    EdDsa,
    #[value(name = "RS256")]
    Rs256,
    #[value(name = "PS256")]
    Ps256,
}

#[derive(Debug, Args)]
pub(crate) struct Discover {
    /// The issuer whose metadata is fetched.
    #[arg(value_name = "ISSUER", required_unless_present = "issuer")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) client: Client,
    #[command(flatten)]
    pub(crate) report: Report,
}

#[derive(Debug, Args)]
pub(crate) struct Authenticate {
    #[command(flatten)]
    pub(crate) client: Client,
    #[command(flatten)]
    pub(crate) request: Request,
    #[command(flatten)]
    pub(crate) run: Run,
    /// Keep the flow in this file (mode 0600; it holds secrets), so that `ciba resume` can go on
    /// with it.
    #[arg(long, value_name = "FILE", help_heading = "Running")]
    pub(crate) state: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) report: Report,
}

#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// The file an interrupted `ciba authenticate --state FILE` left; it also remembers the
    /// client's options.
    #[arg(long, value_name = "FILE")]
    pub(crate) state: PathBuf,
    #[command(flatten)]
    pub(crate) client: Client,
    #[command(flatten)]
    pub(crate) run: Run,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// Who we are and where the provider is. Kept beside a saved flow; the secrets stay in their files.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Client {
    /// The provider's issuer identifier.
    #[arg(long, value_name = "URL", help_heading = "Provider")]
    pub(crate) issuer: Option<String>,
    /// The rules of a provider beyond the specification.
    #[arg(long, value_enum, help_heading = "Provider")]
    pub(crate) provider: Option<Provider>,
    /// Read the provider's metadata from this file instead of fetching it.
    #[arg(long, value_name = "FILE", help_heading = "Provider")]
    pub(crate) metadata: Option<PathBuf>,
    /// The backchannel authentication endpoint; wins over the metadata.
    #[arg(long, value_name = "URL", help_heading = "Provider")]
    pub(crate) backchannel_endpoint: Option<String>,
    /// The token endpoint; wins over the metadata.
    #[arg(long, value_name = "URL", help_heading = "Provider")]
    pub(crate) token_endpoint: Option<String>,
    /// Where the provider's public keys are; wins over the metadata.
    #[arg(long, value_name = "URL", help_heading = "Provider")]
    pub(crate) jwks_uri: Option<String>,
    /// Trust the certificate authorities of this PEM file instead of the platform's.
    #[arg(long, value_name = "FILE", help_heading = "Provider")]
    pub(crate) ca_cert: Option<PathBuf>,
    /// Accept http addresses on this machine's loopback interface, and use no proxy; for tests.
    #[arg(long, help_heading = "Provider")]
    pub(crate) allow_http_loopback: bool,
    /// The HTTP library that carries the requests [default: reqwest].
    #[arg(long, value_enum, help_heading = "Provider")]
    pub(crate) transport: Option<Transport>,

    /// The client id as registered.
    #[arg(long, value_name = "ID", help_heading = "Client")]
    pub(crate) client_id: Option<String>,
    /// How the client proves who it is [default: private_key_jwt with --key, client_secret_basic
    /// with a secret].
    #[arg(long, value_enum, value_name = "METHOD", help_heading = "Client")]
    pub(crate) client_auth: Option<AuthMethod>,
    /// The private key: a JWK, or PEM of PKCS#8, PKCS#1 or SEC1.
    #[arg(long, value_name = "FILE", help_heading = "Client")]
    pub(crate) key: Option<PathBuf>,
    /// The key id to name [default: the JWK's kid, else its RFC 7638 thumbprint].
    #[arg(long, value_name = "KID", help_heading = "Client")]
    pub(crate) key_id: Option<String>,
    /// The algorithm to sign with [default: what the key is for].
    #[arg(long, value_name = "ALG", value_parser = crate::client::algorithm, help_heading = "Client")]
    #[serde(with = "by_name")]
    pub(crate) alg: Option<JwsAlgorithm>,
    /// A file with the client secret; else the environment variable CIBA_CLIENT_SECRET is read.
    #[arg(long, value_name = "FILE", help_heading = "Client")]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// How client_secret_basic encodes id and secret [default: encoded].
    #[arg(long, value_enum, help_heading = "Client")]
    pub(crate) basic: Option<Basic>,
    /// The audience of client assertions: `issuer`, `endpoint` or a fixed text [default: issuer].
    #[arg(long, value_name = "AUD", help_heading = "Client")]
    pub(crate) audience: Option<String>,
    /// The audience at the token endpoint, if it differs.
    #[arg(long, value_name = "AUD", help_heading = "Client")]
    pub(crate) token_audience: Option<String>,
    /// The registered signature algorithm of ID Tokens [default: RS256].
    #[arg(long, value_name = "ALG", value_parser = crate::client::algorithm, help_heading = "Client")]
    #[serde(with = "by_name")]
    pub(crate) id_token_alg: Option<JwsAlgorithm>,
    /// Sign authentication requests with --key and this algorithm [default: not signed].
    #[arg(long, value_name = "ALG", value_parser = crate::client::algorithm, help_heading = "Client")]
    #[serde(with = "by_name")]
    pub(crate) signed_request: Option<JwsAlgorithm>,
    /// The client certificate of mutual TLS and the chain above it, PEM; with another --client-auth
    /// than the two of mutual TLS it is shown for certificate-bound access tokens.
    #[arg(long, value_name = "FILE", requires = "cert_key", help_heading = "Client")]
    pub(crate) cert: Option<PathBuf>,
    /// The private key of the client certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "Client")]
    pub(crate) cert_key: Option<PathBuf>,
    /// The rules beyond CIBA Core that are kept; what breaks them is refused before anything is
    /// sent [default: plain].
    #[arg(long, value_enum, help_heading = "Client")]
    pub(crate) profile: Option<Profile>,

    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) notifications: Notifications,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) exceptions: Exceptions,
}

/// What is asked of the provider and the person.
#[derive(Debug, Default, Args)]
pub(crate) struct Request {
    /// Who is to be authenticated, in the provider's words (exactly one of the three hints).
    /// With @FILE or - it stays off the command line, which others on the machine can read.
    #[arg(long, value_name = "TEXT|@FILE|-", value_parser = text, help_heading = "Request")]
    pub(crate) login_hint: Option<String>,
    /// A token that says who is to be authenticated.
    #[arg(long, value_name = "TEXT|@FILE|-", value_parser = text, help_heading = "Request")]
    pub(crate) login_hint_token: Option<String>,
    /// An earlier ID Token of the person.
    #[arg(long, value_name = "TEXT|@FILE|-", value_parser = text, help_heading = "Request")]
    pub(crate) id_token_hint: Option<String>,
    /// The scope; `openid` is added unless --no-openid.
    #[arg(long, value_name = "TEXT", value_parser = text, help_heading = "Request")]
    pub(crate) scope: Option<String>,
    /// Plain OAuth: do not ask for `openid` and do without an ID Token.
    #[arg(long, help_heading = "Request")]
    pub(crate) no_openid: bool,
    /// The authentication context classes, space-separated.
    #[arg(long, value_name = "TEXT", value_parser = text, help_heading = "Request")]
    pub(crate) acr_values: Option<String>,
    /// A short message that the person sees on both devices.
    #[arg(long, value_name = "TEXT", value_parser = text, help_heading = "Request")]
    pub(crate) binding_message: Option<String>,
    /// The person's code against unwanted prompts.
    #[arg(long, value_name = "TEXT|@FILE|-", value_parser = text, help_heading = "Request")]
    pub(crate) user_code: Option<String>,
    /// How long the request should be valid.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true, help_heading = "Request")]
    pub(crate) requested_expiry: Option<u64>,
    /// A JSON array of authorization details (RFC 9396), or @FILE with one.
    #[arg(long, value_name = "JSON|@FILE|-", help_heading = "Request")]
    pub(crate) authorization_details: Option<String>,
    /// A resource the access token is for (RFC 8707); repeatable.
    #[arg(long, value_name = "URI", help_heading = "Request")]
    pub(crate) resource: Vec<String>,
    /// A further form parameter; repeatable.
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Request")]
    pub(crate) param: Vec<String>,
    /// A claim the ID Token must have with this value; repeatable.
    #[arg(long, value_name = "CLAIM=VALUE", help_heading = "Request")]
    pub(crate) expect: Vec<String>,
    /// Refuse an answer whose ID Token does not show that the person who answered is the one who
    /// was named. Needs a hint that can be compared (--id-token-hint, or sub:ssn:N with --provider
    /// idura), or --expect sub=VALUE.
    #[arg(long, help_heading = "Request")]
    pub(crate) require_person: bool,
    /// Refuse an answer that grants another scope, other authorization details or other resources
    /// than were asked for.
    #[arg(long, help_heading = "Request")]
    pub(crate) require_granted: bool,
    /// How the `acr` of the ID Token is held to --acr-values [default: if-present].
    #[arg(long, value_enum, value_name = "RULE", help_heading = "Request")]
    pub(crate) acr_rule: Option<HoldAcr>,
    /// State that the parameters of this request tell it apart from every other, so that FAPI-CIBA
    /// demands no binding message.
    #[arg(long, help_heading = "Request")]
    pub(crate) unique_context: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Give up after this many seconds (exit 17); a state file is removed then, and not kept as
    /// after Ctrl-C, unless tokens in it wait for the provider's keys.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true, help_heading = "Running")]
    pub(crate) timeout: Option<u64>,
    /// Show the tokens themselves at the end.
    #[arg(long, help_heading = "Running")]
    pub(crate) show_tokens: bool,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Report {
    /// `text` for people, `json` for scripts: one object a line on standard output, nothing else
    /// there.
    #[arg(long, value_enum, default_value_t, help_heading = "Running")]
    pub(crate) output: Format,
    /// Say more on standard error.
    #[arg(short, long, help_heading = "Running")]
    pub(crate) verbose: bool,
    /// Show each exchange on standard error, a line each: method, address, names of header fields
    /// and parameters, status, what is in the answer by name, milliseconds. Values that could be
    /// secret or personal are not shown.
    #[arg(long, help_heading = "Running")]
    pub(crate) trace: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Transport {
    /// Asynchronous.
    #[default]
    Reqwest,
    /// Blocking.
    Ureq,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AuthMethod {
    #[value(name = "private_key_jwt")]
    PrivateKeyJwt,
    #[value(name = "client_secret_jwt")]
    ClientSecretJwt,
    #[value(name = "client_secret_basic")]
    ClientSecretBasic,
    #[value(name = "client_secret_post")]
    ClientSecretPost,
    #[value(name = "tls_client_auth")]
    TlsClientAuth,
    #[value(name = "self_signed_tls_client_auth")]
    SelfSignedTlsClientAuth,
    #[value(name = "none")]
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Profile {
    /// CIBA Core 1.0.
    #[default]
    Plain,
    /// FAPI-CIBA, Implementer's Draft 1 of 2019, on FAPI 1.0 Advanced: what certification tests.
    #[value(alias = "fapi-ciba-id1")]
    FapiCiba,
    /// FAPI-CIBA, working draft -03, on FAPI 1.0 Advanced: requests may be unsigned.
    #[value(name = "fapi-ciba-03-on-fapi-1")]
    #[serde(rename = "fapi-ciba-03-on-fapi-1")]
    FapiCiba03OnFapi1,
    /// FAPI-CIBA, working draft -03, on the FAPI 2.0 Security Profile: EdDSA is allowed, assertions
    /// are for the issuer, and the metadata is discovered.
    #[value(name = "fapi-ciba-03-on-fapi-2")]
    #[serde(rename = "fapi-ciba-03-on-fapi-2")]
    FapiCiba03OnFapi2,
}

impl From<Profile> for ciba_core::Profile {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Plain => Self::Plain,
            Profile::FapiCiba => Self::FapiCiba(FapiCiba::Id1),
            Profile::FapiCiba03OnFapi1 => Self::FapiCiba(FapiCiba::Draft03OnFapi1),
            Profile::FapiCiba03OnFapi2 => Self::FapiCiba(FapiCiba::Draft03OnFapi2),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HoldAcr {
    /// When it is there it is one of them.
    IfPresent,
    /// It is there and one of them.
    Require,
    /// It is only reported, for providers that always send the same.
    Report,
}

impl From<HoldAcr> for AcrRule {
    fn from(rule: HoldAcr) -> Self {
        match rule {
            HoldAcr::IfPresent => Self::IfPresent,
            HoldAcr::Require => Self::Require,
            HoldAcr::Report => Self::Report,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Basic {
    /// As RFC 6749 2.3.1 says.
    #[default]
    Encoded,
    /// As they are, for servers that never decode.
    Raw,
}

/// Reads a text that is there, for clap. An empty one would be left out of the request without a
/// word.
fn text(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("it is empty") } else { Ok(text.to_owned()) }
}

/// Reads a number of seconds, for clap.
fn seconds(text: &str) -> Result<u64, &'static str> {
    text.parse()
        .ok()
        .filter(|seconds| *seconds > 0)
        .ok_or("it is a whole number of seconds, at least 1")
}

impl Client {
    /// These options, and those of a saved flow where nothing else is said now.
    pub(crate) fn or(self, saved: Self) -> Self {
        Self {
            issuer: self.issuer.or(saved.issuer),
            provider: self.provider.or(saved.provider),
            metadata: self.metadata.or(saved.metadata),
            backchannel_endpoint: self.backchannel_endpoint.or(saved.backchannel_endpoint),
            token_endpoint: self.token_endpoint.or(saved.token_endpoint),
            jwks_uri: self.jwks_uri.or(saved.jwks_uri),
            ca_cert: self.ca_cert.or(saved.ca_cert),
            allow_http_loopback: self.allow_http_loopback || saved.allow_http_loopback,
            transport: self.transport.or(saved.transport),
            client_id: self.client_id.or(saved.client_id),
            client_auth: self.client_auth.or(saved.client_auth),
            key: self.key.or(saved.key),
            key_id: self.key_id.or(saved.key_id),
            alg: self.alg.or(saved.alg),
            client_secret_file: self.client_secret_file.or(saved.client_secret_file),
            basic: self.basic.or(saved.basic),
            audience: self.audience.or(saved.audience),
            token_audience: self.token_audience.or(saved.token_audience),
            id_token_alg: self.id_token_alg.or(saved.id_token_alg),
            signed_request: self.signed_request.or(saved.signed_request),
            cert: self.cert.or(saved.cert),
            cert_key: self.cert_key.or(saved.cert_key),
            profile: self.profile.or(saved.profile),
            notifications: self.notifications.or(saved.notifications),
            exceptions: self.exceptions.or(saved.exceptions),
        }
    }

    /// With paths that mean the same from any folder.
    pub(crate) fn absolute(self) -> Self {
        Self {
            metadata: absolute(self.metadata),
            ca_cert: absolute(self.ca_cert),
            key: absolute(self.key),
            client_secret_file: absolute(self.client_secret_file),
            cert: absolute(self.cert),
            cert_key: absolute(self.cert_key),
            notifications: self.notifications.absolute(),
            ..self
        }
    }
}

fn absolute(path: Option<PathBuf>) -> Option<PathBuf> {
    path.map(|path| std::path::absolute(&path).unwrap_or(path))
}
