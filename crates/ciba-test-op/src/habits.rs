//! What real providers do beyond the specifications, written independently of the client's presets.

// The source is spec/providers.md, part B.

use core::time::Duration;

use ciba_core::DeliveryMode;

use crate::config::{ProviderConfig, TooEarly};

/// Deviations of real providers from the specifications. There are none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Habits {
    /// Whether a request without `binding_message` is refused.
    pub wants_message: bool,
    /// The characters that a binding message may contain besides letters and digits; `None` for any.
    pub message_characters: Option<&'static str>,
    /// Characters that a binding message must not contain.
    pub refused_characters: &'static str,
    /// The parameter that replaces `requested_expiry`, which is then ignored.
    pub expiry_parameter: Option<&'static str>,
    /// Whether a `requested_expiry` longer than the provider's own lifetime is refused.
    pub refuses_longer_expiry: bool,
    /// Whether `client_id` is required in every body and every signed request.
    pub wants_client_id: bool,
    /// Whether `grant_type` is required in the authentication request.
    pub wants_grant_type: bool,
    /// Whether unsigned requests are refused.
    pub signed_requests_only: bool,
    /// The required `aud` of signed requests.
    pub request_audience: RequestAudience,
    /// Whether token responses lack `token_type`.
    pub omits_token_type: bool,
    /// Whether `scope` of a token response is an array.
    pub scope_list: bool,
    /// The `error` and `error_description` sent in place of `authorization_pending`.
    pub pending: Option<(&'static str, &'static str)>,
}

/// The `aud` that signed requests need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RequestAudience {
    /// The issuer.
    #[default]
    Issuer,
    /// The issuer with its port, even if it is the default port.
    IssuerWithPort,
    /// The backchannel authentication endpoint.
    Endpoint,
}

impl Habits {
    /// Whether a binding message is accepted.
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
    /// Creates a provider that behaves like a real one, as far as its behaviour is known: `auth0`,
    /// `camara`, `connectid`, `duende`, `idpyoidc`, `idura`, `keycloak`, `node-oidc-provider`, `okta`,
    /// `pingam`, `pingfederate`, `signaturgruppen` or `wso2`. Returns `None` for other names.
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
