//! Options for the specifics of one provider, most of which a preset sets.

use alloc::string::String;

use super::ClientConfigBuilder;
use crate::{expect::AcrRule, jose::JwsAlgorithm};

impl ClientConfigBuilder {
    /// Binds the tokens to a key of the client with DPoP ([RFC 9449]). Every token request then
    /// carries a proof, and a token response with another `token_type` than `DPoP` is rejected.
    ///
    /// `public_jwk` is the public key as a JWK. It does not have to be registered, and it may be
    /// another key than the one that authenticates the client. The driver needs the private key,
    /// which signs with `algorithm`; keep it for as long as the tokens are used.
    ///
    /// In push mode the authentication request carries a proof, because it is the only request.
    ///
    /// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
    // REQ-POP-07, REQ-POP-16
    pub fn dpop(mut self, algorithm: JwsAlgorithm, public_jwk: impl Into<String>) -> Self {
        self.dpop.key = Some((algorithm, public_jwk.into()));
        self
    }

    /// Sends a proof with the authentication request in poll and ping mode as well. This is not
    /// standardized; some providers bind the tokens at this point.
    // REQ-POP-16
    pub fn dpop_with_authentication_request(mut self) -> Self {
        self.dpop.on_authentication = true;
        self
    }

    /// Declares that the client is registered with `dpop_bound_access_tokens`
    /// ([RFC 9449 section 5.2]), so that a configuration without [`Self::dpop`] is rejected.
    ///
    /// [RFC 9449 section 5.2]: https://www.rfc-editor.org/rfc/rfc9449#section-5.2
    pub fn dpop_bound_tokens(mut self) -> Self {
        self.dpop.is_registered = true;
        self
    }

    /// Adds a header field to every request of this client: authentication and token requests, and
    /// fetches of the key set. A gateway may require one, for example. Fields that belong to the
    /// protocol or to HTTP are rejected. Can be called repeatedly.
    ///
    /// A field with the same name on one [`AuthRequest`](crate::AuthRequest::header) replaces it.
    /// Metadata is fetched before there is a configuration; see
    /// [`Discovery::header`](crate::Discovery::header).
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Declares that a `login_hint` of the form `sub:ssn:N` names a person whose national id the ID
    /// Token repeats: `ssn` and `socialno`, if present, must be N for every request of this client.
    ///
    /// Ten digits, twelve digits and a sign before the last four are spellings of the same Swedish
    /// number. `ssn` is required if Swedish BankID is requested or was used;
    /// [`Expectations::person`](crate::expect::Expectations::person) changes this for one request. Hints
    /// with white space are rejected.
    pub fn persons_by_number(mut self) -> Self {
        self.persons.by_number = true;
        self
    }

    /// Declares that the claim `authenticationtype` names the eID that was used. If present, it must
    /// be one of the requested `acr_values` or refine one. `acr` may also refine a requested value.
    pub fn eid_claim(mut self) -> Self {
        self.persons.eid_claim = true;
        self
    }

    /// Declares that the binding message depends on the eID in `acr_values`: Swedish BankID
    /// (`urn:grn:authn:se:bankid`) requires one, and Norwegian BankID (`urn:grn:authn:no:bankid` and
    /// its refinements) accepts none. Other requests are rejected before they are sent.
    pub fn eid_messages(mut self) -> Self {
        self.persons.eid_messages = true;
        self
    }

    /// Rejects every response that does not show that the named person approved; see
    /// [`Expectations::person`](crate::expect::Expectations::person), which cannot relax this.
    pub fn require_person(mut self) -> Self {
        self.persons.required = true;
        self
    }

    /// Sets how the `acr` claim is compared with the requested `acr_values`, unless a request sets
    /// it; see [`Expectations::acr`](crate::expect::Expectations::acr).
    pub fn acr_rule(mut self, rule: AcrRule) -> Self {
        self.id_token.acr = Some(rule);
        self
    }

    /// Declares that the provider signs HS256, HS384 and HS512 with a key that no client has, so
    /// that ID Tokens of this client cannot use these algorithms.
    pub fn no_mac_id_tokens(mut self) -> Self {
        self.id_token.macs_refused = true;
        self
    }

    /// Declares that the provider accepts public clients
    /// ([`ClientAuth::None`](crate::ClientAuth::None)) although its metadata does not list `none`.
    pub fn public_clients(mut self) -> Self {
        self.public_clients = true;
        self
    }

    /// Declares that a `requested_expiry` less than the `expires_in` of the acknowledgement limits
    /// the time in which the person can approve, although the provider keeps answering that nothing
    /// is decided. The flow ends after the shorter of the two.
    pub fn requested_expiry_counts(mut self) -> Self {
        self.request_style.requested_expiry_counts = true;
        self
    }

    /// Declares that `authorization_details` only control how this provider prompts the person. Its
    /// responses grant none, so they are not compared with the requested ones.
    pub fn details_are_not_granted(mut self) -> Self {
        self.request_style.details_are_not_granted = true;
        self
    }

    /// Rejects every response that grants something other than what was requested; see
    /// [`Difference`](crate::evidence::Difference).
    pub fn require_granted(mut self) -> Self {
        self.request_style.require_granted = true;
        self
    }
}
