//! The file of `--client`: what the options about the client do not say.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use ciba_core::{
    Issuer,
    config::{ConfigError, Registration},
    http::{LoopbackHttp, Url},
    jose::JwsAlgorithm,
    text::plain,
};
use serde::de::DeserializeOwned;

use crate::{
    args::{Client, Notifications, Provider, by_name},
    client::loopback,
    exit::Stop,
    files::read,
};

/// Members that the library uses and this command does not.
const UNSUPPORTED: [&str; 4] =
    ["default_acr_values", "default_max_age", "require_auth_time", "use_mtls_endpoint_aliases"];

impl Client {
    /// These options, completed by the file of `--client`.
    pub(crate) fn complete(self) -> Result<Self, Stop> {
        match self.client_file.clone() {
            Some(path) => {
                let file = File::read(&path, loopback(&self))?.options()?;
                let merged = self.or(file)?;
                // For options, the parser of the command line checks this.
                match merged.cert.is_some() == merged.cert_key.is_some() {
                    true => Ok(merged),
                    false => Err(unusable(&path, "cert_file and cert_key_file need each other")),
                }
            }
            None => Ok(self),
        }
    }
}

/// The file, read.
struct File<'a> {
    path: &'a Path,
    loopback: LoopbackHttp,
    registration: Registration,
}

impl<'a> File<'a> {
    fn read(path: &'a Path, loopback: LoopbackHttp) -> Result<Self, Stop> {
        let text = String::from_utf8(read(path, "--client")?)
            .map_err(|_| unusable(path, "it is not UTF-8"))?;
        let registration =
            Registration::from_json(&text).map_err(|error| unusable(path, &error.to_string()))?;
        let file = Self { path, loopback, registration };
        let members = &file.registration;
        members.check_members().map_err(|error| file.unusable(&error.to_string()))?;
        if members.members().contains("client_secret") {
            return Err(file.unusable(
                "client_secret is not read from it: name the file that holds the secret in \
                 client_secret_file",
            ));
        }
        match UNSUPPORTED.into_iter().find(|name| members.members().contains(name)) {
            None => Ok(file),
            Some(name) => {
                Err(file.unusable(&format!("this command does not support the member {name}")))
            }
        }
    }

    /// What the file says, as options.
    fn options(&self) -> Result<Client, Stop> {
        let provider = match self.get::<String>("provider")? {
            Some(name) => Some(
                Provider::try_from(name)
                    .map_err(|_| self.unusable("provider is not a known preset"))?,
            ),
            None => None,
        };
        let endpoint = self.endpoint("backchannel_client_notification_endpoint")?;
        Ok(Client {
            issuer: self.issuer()?,
            provider,
            ca_cert: self.file("ca_file")?,
            client_id: Some(self.registration.client_id().as_str().to_owned()),
            client_auth: self.named("token_endpoint_auth_method", by_name)?,
            key: self.file("key_file")?,
            alg: self.named("token_endpoint_auth_signing_alg", JwsAlgorithm::from_name)?,
            client_secret_file: self.file("client_secret_file")?,
            id_token_alg: self.named("id_token_signed_response_alg", JwsAlgorithm::from_name)?,
            userinfo_alg: self.named("userinfo_signed_response_alg", JwsAlgorithm::from_name)?,
            signed_request: self
                .named("backchannel_authentication_request_signing_alg", JwsAlgorithm::from_name)?,
            cert: self.file("cert_file")?,
            cert_key: self.file("cert_key_file")?,
            profile: self.named("profile", by_name)?,
            dpop: self.file("dpop_key_file")?,
            dpop_bound: self.get("dpop_bound_access_tokens")?.unwrap_or(false),
            certificate_bound: self
                .get("tls_client_certificate_bound_access_tokens")?
                .unwrap_or(false),
            notifications: Notifications {
                delivery: self.named("backchannel_token_delivery_mode", by_name)?,
                listen: endpoint.as_ref().and_then(address),
                notification_path: endpoint.as_ref().map(|url| url.path().to_owned()),
                listen_cert: self.file("listen_cert_file")?,
                listen_key: self.file("listen_key_file")?,
            },
            ..Client::default()
        })
    }

    fn get<T: DeserializeOwned>(&self, member: &'static str) -> Result<Option<T>, Stop> {
        self.registration.get(member).map_err(|error| self.unusable(&error.to_string()))
    }

    /// A member whose value is a name.
    fn named<T>(
        &self,
        member: &'static str,
        of: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Stop> {
        let Some(name) = self.get::<String>(member)? else { return Ok(None) };
        let invalid = ConfigError::Invalid { member, reason: "it is not a known name" };
        of(&name).map(Some).ok_or_else(|| self.unusable(&invalid.to_string()))
    }

    /// The name of a file, relative to the directory of this one.
    fn file(&self, member: &'static str) -> Result<Option<PathBuf>, Stop> {
        let directory = self.path.parent().unwrap_or(Path::new(""));
        Ok(self.get::<String>(member)?.map(|name| directory.join(name)))
    }

    fn issuer(&self) -> Result<Option<String>, Stop> {
        let Some(issuer) = self.get::<String>("issuer")? else { return Ok(None) };
        match Issuer::parse_with(issuer.as_str(), self.loopback) {
            Ok(_) => Ok(Some(issuer)),
            Err(error) => Err(self.not_an_address("issuer", &error)),
        }
    }

    fn endpoint(&self, member: &'static str) -> Result<Option<Url>, Stop> {
        let url = self.get::<String>(member)?.map(|url| Url::parse_with(&url, self.loopback));
        url.transpose().map_err(|error| self.not_an_address(member, &error))
    }

    fn not_an_address(&self, member: &str, error: &dyn std::error::Error) -> Stop {
        let advice = match self.loopback {
            LoopbackHttp::Refused => {
                " (for a provider on this machine there is --allow-http-loopback)"
            }
            _ => "",
        };
        self.unusable(&format!("{member} cannot be used: {error}{advice}"))
    }

    fn unusable(&self, why: &str) -> Stop {
        unusable(self.path, why)
    }
}

fn unusable(path: &Path, why: &str) -> Stop {
    Stop::usage(format!("the client file {} cannot be used: {}", path.display(), plain(why)))
}

/// Where to listen: only an address can be both registered and listened at.
fn address(endpoint: &Url) -> Option<SocketAddr> {
    let host = endpoint.host().trim_matches(['[', ']']);
    Some((host.parse::<IpAddr>().ok()?, endpoint.port()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_on_the_command_line_overrides_the_client_file() {
        let given = Client {
            client_id: Some("given".into()),
            allow_http_loopback: true,
            notifications: Notifications {
                listen: "127.0.0.1:1".parse().ok(),
                ..Default::default()
            },
            ..Client::default()
        };
        let mut rest = Client {
            client_id: Some("rest".into()),
            key: Some("key.jwk".into()),
            certificate_bound: true,
            notifications: Notifications {
                listen: "127.0.0.1:2".parse().ok(),
                ..Default::default()
            },
            ..Client::default()
        };
        rest.notifications.notification_path = Some("/n".into());
        rest.exceptions.header = vec!["a=b".into()];
        rest.provider = Provider::try_from("idura".to_owned()).ok();
        let merged = given.or(rest).expect("they can be merged");
        assert_eq!(merged.client_id.as_deref(), Some("given"));
        assert!(merged.allow_http_loopback && merged.certificate_bound);
        assert!(merged.key.is_some_and(|key| key.is_absolute() && key.ends_with("key.jwk")));
        assert_eq!(merged.notifications.listen, "127.0.0.1:1".parse().ok());
        assert_eq!(merged.notifications.notification_path.as_deref(), Some("/n"));
        assert_eq!(merged.exceptions.header, ["a=b"]);
        assert_eq!(merged.provider.map(Provider::name), Some("idura"));
    }
}
