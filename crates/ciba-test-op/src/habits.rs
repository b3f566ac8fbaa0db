//! What providers in the field do and want beside what the specifications say (`spec/providers.md`
//! part B), told independently of the client's presets.

use core::time::Duration;

use ciba_core::DeliveryMode;

use crate::config::{ProviderConfig, TooEarly};

/// Habits that no specification knows. None by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Habits {
    /// A request without `binding_message` is refused.
    pub wants_message: bool,
    /// The characters a binding message may have beside letters and digits; `None` for any.
    pub message_characters: Option<&'static str>,
    /// Characters that a binding message must not have.
    pub refused_characters: &'static str,
    /// The parameter that is read as `requested_expiry`; that one itself is then ignored.
    pub expiry_parameter: Option<&'static str>,
    /// A `requested_expiry` above the provider's own lifetime is refused.
    pub refuses_longer_expiry: bool,
    /// `client_id` has to stand in every body, and in signed requests too.
    pub wants_client_id: bool,
    /// `grant_type` has to stand in the authentication request.
    pub wants_grant_type: bool,
    /// Requests that are not signed are refused.
    pub signed_requests_only: bool,
    /// Whom signed requests have to be for.
    pub request_audience: RequestAudience,
    /// Token responses have no `token_type`.
    pub omits_token_type: bool,
    /// `scope` of a token response is a list.
    pub scope_list: bool,
    /// What is said in place of `authorization_pending`: `error` and `error_description`.
    pub pending: Option<(&'static str, &'static str)>,
}

/// Whom signed requests have to be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RequestAudience {
    /// The issuer.
    #[default]
    Issuer,
    /// The issuer with its port, also when that is the usual one.
    IssuerWithPort,
    /// The backchannel authentication endpoint.
    Endpoint,
}

impl Habits {
    /// Whether a binding message is taken.
    pub(crate) fn take_message(&self, message: Option<&str>) -> bool {
        let Some(message) = message else { return !self.wants_message };
        let fits = |c: char| {
            let listed = self
                .message_characters
                .is_none_or(|listed| c.is_ascii_alphanumeric() || listed.contains(c));
            listed && !self.refused_characters.contains(c)
        };
        message.chars().all(fits)
    }
}

impl ProviderConfig {
    /// A provider that behaves like the named one as far as it is known; `None` for a name that is
    /// not.
    #[must_use]
    pub fn like(name: &str, issuer: &str) -> Option<Self> {
        let mut config = Self { delivery_modes: vec![DeliveryMode::Poll], ..Self::generic(issuer) };
        let seconds = Duration::from_secs;
        let habits = &mut config.habits;
        let (expires_in, interval) = match name {
            "auth0" => {
                habits.wants_message = true;
                habits.message_characters = Some("+-_.,:#");
                habits.wants_client_id = true;
                habits.omits_token_type = true;
                config.too_early = TooEarly::SlowDown;
                (300, Some(5))
            }
            "camara" => {
                habits.request_audience = RequestAudience::Endpoint;
                (120, Some(2))
            }
            "connectid" => {
                habits.wants_message = true;
                habits.signed_requests_only = true;
                (300, None)
            }
            "duende" => {
                habits.refuses_longer_expiry = true;
                config.binding_message_limit = 100;
                config.too_early = TooEarly::SlowDown;
                config.request_object_error = "invalid_request_object";
                (300, Some(5))
            }
            "idpyoidc" => {
                habits.pending = Some(("invalid_request", "No authentication found"));
                habits.scope_list = true;
                (120, Some(2))
            }
            "idura" => return Some(Self::idura(issuer)),
            "keycloak" => {
                habits.message_characters = Some("-._+/!?#");
                config.binding_message_limit = 50;
                config.delivery_modes.push(DeliveryMode::Ping);
                config.ping_skips_interval = false;
                config.refuses_needless_notification_token = true;
                config.too_early = TooEarly::SlowDown;
                (120, Some(5))
            }
            "node-oidc-provider" => {
                habits.message_characters = Some("-._+/!?#");
                config.binding_message_limit = 20;
                config.delivery_modes.push(DeliveryMode::Ping);
                (600, None)
            }
            "okta" => {
                habits.expiry_parameter = Some("request_expiry");
                (300, Some(5))
            }
            "pingam" => {
                habits.signed_requests_only = true;
                habits.request_audience = RequestAudience::IssuerWithPort;
                config.binding_message_limit = 100;
                (600, Some(2))
            }
            "pingfederate" => {
                habits.wants_client_id = true;
                config.delivery_modes.push(DeliveryMode::Ping);
                (120, None)
            }
            "signaturgruppen" => {
                habits.wants_grant_type = true;
                (300, Some(3))
            }
            "wso2" => {
                habits.refused_characters = "<>";
                config.too_early = TooEarly::SlowDown;
                (3600, Some(2))
            }
            _ => return None,
        };
        config.expires_in = seconds(expires_in);
        config.interval = interval.map(seconds);
        Some(config)
    }
}
