//! The addresses that options name.

use ciba_core::{
    Issuer,
    config::Audience,
    http::{LoopbackHttp, Url},
    text::plain,
};

use crate::{args::Client, exit::Stop};

/// The issuer of the options, if they name one.
pub(crate) fn issuer(options: &Client) -> Result<Option<Issuer>, Stop> {
    let read = |text: &String| {
        if let Some((issuer, _)) = text.split_once("/.well-known/") {
            // The part before an @ may be a password.
            let instead = if issuer.contains('@') {
                String::new()
            } else {
                format!(": use --issuer {}", plain(issuer))
            };
            return Err(Stop::usage(format!(
                "--issuer is the issuer, not the address of its metadata document{instead}"
            )));
        }
        Issuer::parse_with(text.as_str(), loopback(options)).map_err(|error| {
            Stop::usage(format!(
                "--issuer cannot be used: {error}{}",
                loopback_advice(text, options)
            ))
        })
    };
    options.issuer.as_ref().map(read).transpose()
}

/// What to do about an address that is not https.
fn loopback_advice(text: &str, options: &Client) -> &'static str {
    if text.starts_with("http://") && !options.allow_http_loopback {
        " (for a provider on this machine there is --allow-http-loopback)"
    } else if !text.contains("://") {
        " (it begins with https://)"
    } else {
        ""
    }
}

pub(crate) fn loopback(options: &Client) -> LoopbackHttp {
    if options.allow_http_loopback {
        LoopbackHttp::DangerouslyAllowed
    } else {
        LoopbackHttp::Refused
    }
}

/// Parses the address of an option.
pub(super) fn url(option: &str, text: &str, loopback: LoopbackHttp) -> Result<Url, Stop> {
    Url::parse_with(text, loopback)
        .map_err(|error| Stop::usage(format!("{option} cannot be used: {error}")))
}

/// The audience that an option names.
pub(super) fn audience(text: &str) -> Audience {
    match text {
        "issuer" => Audience::Issuer,
        "endpoint" => Audience::Endpoint,
        text => Audience::Text(text.to_owned()),
    }
}
