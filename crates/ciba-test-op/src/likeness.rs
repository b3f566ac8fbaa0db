//! Providers in the field, as far as their habits are known.

use core::time::Duration;

use ciba_core::DeliveryMode;

use crate::{
    config::{ProviderConfig, TooEarly},
    habits::RequestAudience,
};

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
