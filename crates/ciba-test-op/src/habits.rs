//! What real providers do beyond the specifications, written independently of the client's presets.

// The source is spec/providers.md, part B.

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
