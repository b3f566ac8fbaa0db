//! Options for what one provider does differently from others, most of them set by a preset.

use alloc::string::String;

use super::ClientConfigBuilder;
use crate::expect::AcrRule;

impl ClientConfigBuilder {
    /// Adds a header field to every request of this client: authentication and token requests, and
    /// fetches of the key set. For gateways that require a key of their own, for example. It cannot
    /// be one that the protocol or HTTP needs. Repeatable.
    ///
    /// A field of the same name on one [`AuthRequest`](crate::AuthRequest::header) takes its place.
    /// Metadata is fetched before there is a configuration: see
    /// [`Discovery::header`](crate::Discovery::header).
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// A `login_hint` of the form `sub:ssn:N` names a person whose national id the ID Token
    /// repeats: `ssn` and `socialno`, each when present, have to be N for every request of this
    /// client. Ten digits, twelve digits and a sign before the last four are spellings of the same
    /// Swedish person. `ssn` has to be present when Swedish BankID is asked for or was used;
    /// [`Expectations::person`](crate::Expectations::person) changes that for one request. Hints
    /// with white space are refused.
    pub fn persons_by_number(mut self) -> Self {
        self.persons.by_number = true;
        self
    }

    /// The claim `authenticationtype` says which eID was used: when present it has to be one of the
    /// `acr_values` that were asked for, or refine it. `acr` may refine what was asked for, too.
    pub fn eid_claim(mut self) -> Self {
        self.persons.eid_claim = true;
        self
    }

    /// The binding message depends on the eID in `acr_values`: Swedish BankID
    /// (`urn:grn:authn:se:bankid`) needs one, and Norwegian BankID (`urn:grn:authn:no:bankid` and
    /// what refines it) takes none. Any other request is refused before it is sent.
    pub fn eid_messages(mut self) -> Self {
        self.persons.eid_messages = true;
        self
    }

    /// Refuses every answer that does not show the person whom the request named; see
    /// [`Expectations::person`](crate::Expectations::person), which cannot relax this.
    pub fn require_person(mut self) -> Self {
        self.persons.required = true;
        self
    }

    /// Sets how the `acr` claim is compared with the `acr_values` that were asked for, unless a
    /// request says otherwise; see [`Expectations::acr`](crate::Expectations::acr).
    pub fn acr_rule(mut self, rule: AcrRule) -> Self {
        self.id_token.acr = Some(rule);
        self
    }

    /// The provider signs HS256, HS384 and HS512 with a key that no client has, so no ID Token of
    /// this client is signed so.
    pub fn no_mac_id_tokens(mut self) -> Self {
        self.id_token.macs_refused = true;
        self
    }

    /// The provider takes public clients ([`ClientAuth::None`](crate::ClientAuth::None)) although
    /// its metadata does not list `none`.
    pub fn public_clients(mut self) -> Self {
        self.public_clients = true;
        self
    }

    /// A `requested_expiry` below the `expires_in` of the acknowledgement is when the person's
    /// chance ends, although the provider goes on saying that nothing is decided: the flow ends
    /// with the shorter of the two.
    pub fn requested_expiry_counts(mut self) -> Self {
        self.request_style.requested_expiry_counts = true;
        self
    }

    /// `authorization_details` of this provider say how the person is asked; its answers grant
    /// none, so that they are not compared with what was asked for.
    pub fn details_are_not_granted(mut self) -> Self {
        self.request_style.details_are_not_granted = true;
        self
    }

    /// Refuses every answer that grants something other than what was asked for; see
    /// [`Difference`](crate::Difference).
    pub fn require_granted(mut self) -> Self {
        self.request_style.require_granted = true;
        self
    }
}
