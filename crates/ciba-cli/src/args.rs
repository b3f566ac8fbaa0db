//! The command line: commands and options.

mod by_name;
mod choices;
mod exceptions;
mod notifications;
mod op;
mod provider;
mod values;

use std::path::PathBuf;

use ciba_core::{
    Profile,
    config::{AuthMethod, BasicEncoding},
    expect::AcrRule,
    jose::JwsAlgorithm,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::exit::Stop;

pub(crate) use self::{
    choices::{FAPI_CIBA, by_name, needs_certificate, needs_secret},
    exceptions::Exceptions,
    notifications::Notifications,
    op::Op,
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
    /// Run a complete authentication with a provider, a phone and a client on this machine.
    Demo(Demo),
    /// Run an OpenID provider for tests, with a page that stands for the phone and a judge of its clients.
    Op(Op),
    /// Generate a private key, or show the public keys to register.
    #[command(subcommand, arg_required_else_help = false)]
    Key(Key),
    /// Show what a provider offers for CIBA, and what would not work with the given client.
    Discover(Box<Discover>),
    /// Authenticate one person at any OpenID provider that supports CIBA.
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
    /// The HTTP library to use.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) transport: Transport,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Generate a private key and write it as a JWK that only its owner can read.
    New {
        /// The signature algorithm the key is for.
        #[arg(long, value_parser = choices::among(choices::KEY_ALGORITHMS))]
        alg: JwsAlgorithm,
        /// The file to write (never overwritten); without it the key goes to standard output.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Print the public JWK Set of private keys, to register at the provider.
    Public {
        /// Private keys: JWK, or PEM in PKCS#8, PKCS#1 or SEC1.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The algorithm to register for, if the file does not say (RSA in PEM: RS256).
        #[arg(long, value_name = "ALG", value_parser = choices::any::<JwsAlgorithm>())]
        alg: Option<JwsAlgorithm>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Discover {
    /// The issuer whose metadata is fetched.
    #[arg(value_name = "ISSUER", required_unless_present_any = ["issuer", "client_file"])]
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
    /// Keep the flow in this file (mode 0600; it holds secrets), so that `ciba resume` can continue
    /// it.
    #[arg(long, value_name = "FILE", help_heading = "Running")]
    pub(crate) state: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) report: Report,
}

#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// The state file of an interrupted `ciba authenticate --state FILE`; it also holds the
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

/// The client and its provider. Stored with a saved flow; the secrets stay in their files.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Client {
    /// The provider's issuer identifier.
    #[arg(long, value_name = "URL", help_heading = "Provider")]
    pub(crate) issuer: Option<String>,
    /// The preset of a provider that deviates from the specifications.
    #[arg(long, value_enum, help_heading = "Provider")]
    pub(crate) provider: Option<Provider>,
    /// Read the provider's metadata from this file instead of fetching it.
    #[arg(long, value_name = "FILE", help_heading = "Provider")]
    #[serde(serialize_with = "absolute")]
    pub(crate) metadata: Option<PathBuf>,
    /// The backchannel authentication endpoint; takes precedence over the metadata.
    #[arg(long, value_name = "URL", help_heading = "Provider")]
    pub(crate) backchannel_endpoint: Option<String>,
    /// The token endpoint; takes precedence over the metadata.
    #[arg(long, value_name = "URL", help_heading = "Provider")]
    pub(crate) token_endpoint: Option<String>,
    /// The URL of the provider's public keys; takes precedence over the metadata.
    #[arg(long, value_name = "URL", help_heading = "Provider")]
    pub(crate) jwks_uri: Option<String>,
    /// The UserInfo endpoint, for --userinfo; takes precedence over the metadata.
    #[arg(long, value_name = "URL", help_heading = "Provider")]
    pub(crate) userinfo_endpoint: Option<String>,
    /// Trust the certificate authorities of this PEM file instead of the platform's.
    #[arg(long, value_name = "FILE", help_heading = "Provider")]
    #[serde(serialize_with = "absolute")]
    pub(crate) ca_cert: Option<PathBuf>,
    /// Accept http addresses on the loopback interface, and use no proxy; for tests.
    #[arg(long, help_heading = "Provider")]
    pub(crate) allow_http_loopback: bool,
    /// The HTTP library to use [default: reqwest].
    #[arg(long, value_enum, help_heading = "Provider")]
    pub(crate) transport: Option<Transport>,

    /// Read the options that are not given here from this file: the `client.json` of `ciba op
    /// --client-dir`, or a client registration.
    #[arg(long = "client", value_name = "FILE", help_heading = "Client")]
    #[serde(skip)]
    pub(crate) client_file: Option<PathBuf>,
    /// The registered client id.
    #[arg(long, value_name = "ID", help_heading = "Client")]
    pub(crate) client_id: Option<String>,
    /// The client authentication method [default: private_key_jwt with --key, client_secret_basic
    /// with a secret].
    #[arg(long, value_parser = choices::any::<AuthMethod>(), value_name = "METHOD", help_heading = "Client")]
    #[serde(with = "by_name")]
    pub(crate) client_auth: Option<AuthMethod>,
    /// The private key: a JWK, or PEM in PKCS#8, PKCS#1 or SEC1.
    #[arg(long, value_name = "FILE", help_heading = "Client")]
    #[serde(serialize_with = "absolute")]
    pub(crate) key: Option<PathBuf>,
    /// The key id to send [default: the JWK's kid, otherwise its RFC 7638 thumbprint].
    #[arg(long, value_name = "KID", help_heading = "Client")]
    pub(crate) key_id: Option<String>,
    /// The algorithm to sign with [default: that of the key].
    #[arg(long, value_name = "ALG", value_parser = choices::any::<JwsAlgorithm>(), help_heading = "Client")]
    #[serde(with = "by_name")]
    pub(crate) alg: Option<JwsAlgorithm>,
    /// A file with the client secret [default: the environment variable CIBA_CLIENT_SECRET].
    #[arg(long, value_name = "FILE", help_heading = "Client")]
    #[serde(serialize_with = "absolute")]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// How client_secret_basic encodes id and secret [default: encoded].
    #[arg(long, value_parser = choices::any::<BasicEncoding>(), help_heading = "Client")]
    #[serde(with = "by_name")]
    pub(crate) basic: Option<BasicEncoding>,
    /// The audience of client assertions: `issuer`, `endpoint` or a fixed string [default: issuer].
    #[arg(long, value_name = "AUD", help_heading = "Client")]
    pub(crate) audience: Option<String>,
    /// The audience at the token endpoint [default: that of --audience].
    #[arg(long, value_name = "AUD", help_heading = "Client")]
    pub(crate) token_audience: Option<String>,
    /// The registered signature algorithm of ID Tokens [default: RS256].
    #[arg(long, value_name = "ALG", value_parser = choices::any::<JwsAlgorithm>(), help_heading = "Client")]
    #[serde(with = "by_name")]
    pub(crate) id_token_alg: Option<JwsAlgorithm>,
    /// The registered signature algorithm of the answers of the UserInfo endpoint [default: not
    /// signed].
    #[arg(long, value_name = "ALG", value_parser = choices::any::<JwsAlgorithm>(), help_heading = "Client")]
    #[serde(with = "by_name")]
    pub(crate) userinfo_alg: Option<JwsAlgorithm>,
    /// Sign authentication requests with --key and this algorithm [default: not signed].
    #[arg(long, value_name = "ALG", value_parser = choices::any::<JwsAlgorithm>(), help_heading = "Client")]
    #[serde(with = "by_name")]
    pub(crate) signed_request: Option<JwsAlgorithm>,
    /// The client certificate of mutual TLS with its chain, in PEM. Unless --client-auth is one
    /// of the two methods of mutual TLS, access tokens are bound to it.
    #[arg(long, value_name = "FILE", requires = "cert_key", help_heading = "Client")]
    #[serde(serialize_with = "absolute")]
    pub(crate) cert: Option<PathBuf>,
    /// The private key of the client certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "Client")]
    #[serde(serialize_with = "absolute")]
    pub(crate) cert_key: Option<PathBuf>,
    /// The security profile to enforce; a client that violates it is refused before anything is sent
    /// [default: plain].
    #[arg(long, value_parser = choices::any::<Profile>(), help_heading = "Client")]
    #[serde(with = "by_name")]
    pub(crate) profile: Option<Profile>,

    /// Bind the tokens to this private key with DPoP (RFC 9449): a JWK, or PEM in PKCS#8, PKCS#1 or
    /// SEC1. It need not be registered, and `ciba key new` makes one; keep it for as long as the
    /// tokens are used.
    #[arg(long, value_name = "FILE", help_heading = "Client")]
    #[serde(serialize_with = "absolute")]
    pub(crate) dpop: Option<PathBuf>,
    /// Registered for DPoP-bound access tokens; can only be set by a file.
    #[arg(skip)]
    pub(crate) dpop_bound: bool,

    /// Registered for certificate-bound access tokens; can only be set by a file.
    #[arg(skip)]
    pub(crate) certificate_bound: bool,

    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) notifications: Notifications,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) exceptions: Exceptions,
}

/// The authentication request.
#[derive(Debug, Default, Args)]
pub(crate) struct Request {
    /// The person to authenticate, in the provider's notation (exactly one of the three hints).
    /// With @FILE or -, it does not appear on the command line, which other users of this machine
    /// can read.
    #[arg(long, value_name = "TEXT|@FILE|-", value_parser = values::text, help_heading = "Request")]
    pub(crate) login_hint: Option<String>,
    /// A token that identifies the person to authenticate.
    #[arg(long, value_name = "TEXT|@FILE|-", value_parser = values::text, help_heading = "Request")]
    pub(crate) login_hint_token: Option<String>,
    /// An earlier ID Token of the person.
    #[arg(long, value_name = "TEXT|@FILE|-", value_parser = values::text, help_heading = "Request")]
    pub(crate) id_token_hint: Option<String>,
    /// The scope; `openid` is added unless --no-openid.
    #[arg(long, value_name = "TEXT", value_parser = values::text, help_heading = "Request")]
    pub(crate) scope: Option<String>,
    /// Plain OAuth: do not request `openid`, and accept an answer without an ID Token.
    #[arg(long, help_heading = "Request")]
    pub(crate) no_openid: bool,
    /// The authentication context classes, space-separated.
    #[arg(long, value_name = "TEXT", value_parser = values::text, help_heading = "Request")]
    pub(crate) acr_values: Option<String>,
    /// A short message that the person sees on both devices.
    #[arg(long, value_name = "TEXT", value_parser = values::text, help_heading = "Request")]
    pub(crate) binding_message: Option<String>,
    /// The person's user code, which prevents unwanted prompts.
    #[arg(long, value_name = "TEXT|@FILE|-", value_parser = values::text, help_heading = "Request")]
    pub(crate) user_code: Option<String>,
    /// The requested lifetime of the request.
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds, allow_negative_numbers = true, help_heading = "Request")]
    pub(crate) requested_expiry: Option<u64>,
    /// A JSON array of authorization details (RFC 9396).
    #[arg(long, value_name = "JSON|@FILE|-", help_heading = "Request")]
    pub(crate) authorization_details: Option<String>,
    /// A resource the access token is for (RFC 8707); repeatable.
    #[arg(long, value_name = "URI", help_heading = "Request")]
    pub(crate) resource: Vec<String>,
    /// A further form parameter; repeatable.
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Request")]
    pub(crate) param: Vec<String>,
    /// A claim that the ID Token must have, with this value; repeatable.
    #[arg(long, value_name = "CLAIM=VALUE", help_heading = "Request")]
    pub(crate) expect: Vec<String>,
    /// A claim that the ID Token must have, whatever its value is; repeatable.
    #[arg(long, value_name = "CLAIM", help_heading = "Request")]
    pub(crate) expect_present: Vec<String>,
    /// The trust framework that the `verified_claims` of the ID Token must name.
    #[arg(long, value_name = "NAME", value_parser = values::text, help_heading = "Request")]
    pub(crate) trust_framework: Option<String>,
    /// Refuse an ID Token that does not show that the person of the hint was authenticated. Needs
    /// something to compare it with: --id-token-hint, --login-hint sub:ssn:N with --provider idura,
    /// or --expect sub=VALUE.
    #[arg(long, help_heading = "Request")]
    pub(crate) require_person: bool,
    /// Refuse an answer whose scope, authorization details or resources differ from those
    /// requested.
    #[arg(long, help_heading = "Request")]
    pub(crate) require_granted: bool,
    /// How the `acr` of the ID Token is compared with --acr-values [default: if-present].
    #[arg(long, value_parser = choices::any::<AcrRule>(), value_name = "RULE", help_heading = "Request")]
    pub(crate) acr_rule: Option<AcrRule>,
    /// State that the parameters of this request distinguish it from every other one, so that
    /// FAPI-CIBA requires no binding message.
    #[arg(long, help_heading = "Request")]
    pub(crate) unique_context: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Give up after this many seconds (exit 17). The state file is removed then, unless it holds
    /// tokens that wait for the provider's keys.
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds, allow_negative_numbers = true, help_heading = "Running")]
    pub(crate) timeout: Option<u64>,
    /// Show the tokens in the result.
    #[arg(long, help_heading = "Running")]
    pub(crate) show_tokens: bool,
    /// Then fetch the person's claims from the UserInfo endpoint with the access token. They are
    /// shown only if they are about the person of the ID Token (otherwise exit 20).
    #[arg(long, help_heading = "Running")]
    pub(crate) userinfo: bool,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Report {
    /// `text` for people, `json` for scripts: one object per line on standard output, and nothing
    /// else there.
    #[arg(long, value_enum, default_value_t, help_heading = "Running")]
    pub(crate) output: Format,
    /// Write more to standard error.
    #[arg(short, long, help_heading = "Running")]
    pub(crate) verbose: bool,
    /// Write each HTTP exchange to standard error as one line: method, address, names of header
    /// fields and parameters, status, names of the members of the answer, milliseconds. Values that
    /// could be secret or personal are not shown.
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

impl Client {
    /// These options, and those of `rest` (a file, or a saved flow) that are not given here. An
    /// option that is given is one that serializes as something.
    pub(crate) fn or(self, rest: Self) -> Result<Self, Stop> {
        let is_given = |value: &Value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::Array(values) => !values.is_empty(),
            _ => true,
        };
        let merged = || {
            let (Value::Object(given), Value::Object(mut merged)) =
                (serde_json::to_value(&self).ok()?, serde_json::to_value(&rest).ok()?)
            else {
                return None;
            };
            merged.extend(given.into_iter().filter(|(_, value)| is_given(value)));
            serde_json::from_value(merged.into()).ok()
        };
        merged().ok_or_else(|| Stop::bug("the options of the client cannot be merged"))
    }
}

/// Serializes a path so that it means the same from any directory.
fn absolute<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    path.as_ref().map(absolute).serialize(to)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use serde_json::Value;

    use super::*;

    #[derive(clap::Parser)]
    struct Alone {
        #[command(flatten)]
        client: Client,
    }

    /// `ciba resume` may be called in another directory. The file of `--client` is not kept; what it
    /// says is.
    #[test]
    fn a_state_file_keeps_every_path_absolute() {
        let command = Alone::command();
        let files = command.get_arguments().filter(|argument| {
            let names = argument.get_value_names().unwrap_or_default();
            names.iter().any(|name| name == "FILE")
        });
        let options: Vec<_> = files.filter_map(clap::Arg::get_long).collect();
        assert!(options.contains(&"dpop") && options.len() >= 9, "{options:?}");
        let words = options.iter().flat_map(|option| [format!("--{option}"), "a/file".into()]);
        let given =
            <Alone as clap::Parser>::parse_from(["ciba".to_owned()].into_iter().chain(words));
        let kept = serde_json::to_value(&given.client).expect("options can be written");
        let absolute = std::path::absolute("a/file").expect("there is a current directory");
        let count = count_of(&kept, &absolute.display().to_string());
        assert_eq!((count_of(&kept, "a/file"), count), (0, options.len() - 1), "{kept}");
    }

    fn count_of(value: &Value, text: &str) -> usize {
        match value {
            Value::String(found) => usize::from(found == text),
            Value::Object(members) => members.values().map(|value| count_of(value, text)).sum(),
            _ => 0,
        }
    }
}
