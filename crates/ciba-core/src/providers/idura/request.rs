//! A request builder for each eID.

use alloc::{format, string::String};

use super::{
    FREJA_ID, NORWEGIAN_BANKID, NorwegianNationalId, SWEDISH_BANKID, SwedishPersonalNumber,
};
use crate::{
    client::MessageRule,
    expect::{Check, Presence},
    request::{AuthRequest, AuthorizationDetail, Hint},
    secret::LoginHint,
};

/// The party that made the call, which determines the question that the app asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallInitiator {
    /// The company (`RP`).
    Company,
    /// The customer (`user`).
    Customer,
}

impl CallInitiator {
    const fn name(self) -> &'static str {
        match self {
            Self::Company => "RP",
            Self::Customer => "user",
        }
    }
}

/// The settings that all eIDs share.
#[derive(Debug, Clone)]
struct Common {
    acr: String,
    eid: Check,
    /// `None` if it was not set.
    person: Option<Check>,
    trace_id: bool,
}

impl Common {
    fn new(acr: impl Into<String>) -> Self {
        Self { acr: acr.into(), eid: Check::default(), person: None, trace_id: false }
    }

    // These checks apply under any configuration. Under that of Idura they also apply to every
    // other request.
    fn into_request(self, hint: LoginHint) -> AuthRequest {
        let request = AuthRequest::new(Hint::Login(hint))
            .acr_values([self.acr])
            .named_by_number(self.person != Some(Check::Off))
            .eid_check(self.eid);
        let request = match self.person {
            None => request,
            Some(Check::Require) => request.person_check(Presence::Required),
            // Also for `Off`: without this, Swedish BankID would have to repeat the number.
            Some(Check::IfPresent | Check::Off) => request.person_check(Presence::IfPresent),
        };
        match self.trace_id {
            true => request.header("Prefer", "return-trace-id"),
            false => request,
        }
    }
}

/// Declares the setters of the shared settings.
macro_rules! common_settings {
    () => {
        /// Sets how the eID in the token (`authenticationtype`) is compared with the requested one.
        /// It may refine the requested one.
        pub const fn eid_check(mut self, check: Check) -> Self {
            self.common.eid = check;
            self
        }

        /// Requests a `Trace-Id` header field in the response (`Prefer: return-trace-id`).
        pub const fn trace_id(mut self) -> Self {
            self.common.trace_id = true;
            self
        }
    };
}

/// A request for Swedish BankID during a phone call. The app shows the binding message and a
/// question about the call.
#[derive(Debug, Clone)]
#[must_use = "make an authentication request of it"]
pub struct SwedishBankId {
    common: Common,
    person: SwedishPersonalNumber,
    initiator: CallInitiator,
    message: String,
}

impl SwedishBankId {
    /// Creates a request. The app shows the message; a request with an empty message is rejected
    /// when the flow is started.
    pub fn phone_authentication(
        person: SwedishPersonalNumber,
        initiator: CallInitiator,
        binding_message: impl Into<String>,
    ) -> Self {
        Self {
            common: Common::new(SWEDISH_BANKID),
            person,
            initiator,
            message: binding_message.into(),
        }
    }

    /// Sets how the `ssn` in the token is compared with the requested number. By default it is
    /// required.
    ///
    /// With [`Check::Off`] the request itself demands no comparison, but a client of
    /// [`client`](super::client) still compares a claim that is present.
    pub const fn person_check(mut self, check: Check) -> Self {
        self.common.person = Some(check);
        self
    }

    common_settings!();

    /// Returns the authentication request.
    pub fn into_request(self) -> AuthRequest {
        let number = self.person.expose();
        let detail =
            AuthorizationDetail::new("phoneAuth").with("callInitiator", self.initiator.name());
        self.common
            .into_request(LoginHint::new(format!("sub:ssn:{number}")))
            .authorization_detail(detail)
            .binding_message(self.message)
            .message_rule(MessageRule::Required)
    }
}

/// A request for Norwegian BankID caller authentication.
///
/// It has no binding message. The acknowledgement contains two words to read to the person; see
/// [`words_to_read_out`](super::words_to_read_out).
#[derive(Debug, Clone)]
#[must_use = "make an authentication request of it"]
pub struct NorwegianBankId {
    common: Common,
    person: NorwegianNationalId,
}

impl NorwegianBankId {
    /// Creates a request.
    pub fn caller_authentication(person: NorwegianNationalId) -> Self {
        Self { common: Common::new(NORWEGIAN_BANKID), person }
    }

    /// Sets how the `socialno` in the token is compared with the requested number. By default it is
    /// compared if it is present.
    ///
    /// It is present only with the scope `ssn`, which must be enabled for the application. With
    /// [`Check::Off`] the request itself demands no comparison, but a client of
    /// [`client`](super::client) still compares a claim that is present.
    pub const fn person_check(mut self, check: Check) -> Self {
        self.common.person = Some(check);
        self
    }

    common_settings!();

    /// Returns the authentication request.
    pub fn into_request(self) -> AuthRequest {
        let number = self.person.expose();
        self.common
            .into_request(LoginHint::new(format!("sub:ssn:{number}")))
            .authorization_detail(AuthorizationDetail::new("customerServiceCall.v1"))
            // Two words of the acknowledgement take the place of a message (ID-24).
            .message_rule(MessageRule::Refused)
    }
}

/// A request for an eID without documented parameters, such as FrejaID, with any `acr_values` and
/// hint. `authorization_details`, the binding message and so on are set on the returned request.
///
/// It is not documented which claim identifies the person. `ssn` and `socialno` are compared with a
/// hint `sub:ssn:N` if they are present, and the result tells whether they were. If you know another
/// claim, set it with [`AuthRequest::expecting`](crate::AuthRequest::expecting).
#[derive(Debug, Clone)]
#[must_use = "make an authentication request of it"]
pub struct FreeForm {
    common: Common,
    hint: LoginHint,
}

impl FreeForm {
    /// Creates a request for any eID.
    pub fn new(acr: impl Into<String>, hint: LoginHint) -> Self {
        Self { common: Common::new(acr), hint }
    }

    /// Creates a request for FrejaID.
    pub fn freja_id(hint: LoginHint) -> Self {
        Self::new(FREJA_ID, hint)
    }

    common_settings!();

    /// Returns the authentication request.
    pub fn into_request(self) -> AuthRequest {
        self.common.into_request(self.hint)
    }
}

impl From<SwedishBankId> for AuthRequest {
    fn from(request: SwedishBankId) -> Self {
        request.into_request()
    }
}

impl From<NorwegianBankId> for AuthRequest {
    fn from(request: NorwegianBankId) -> Self {
        request.into_request()
    }
}

impl From<FreeForm> for AuthRequest {
    fn from(request: FreeForm) -> Self {
        request.into_request()
    }
}

/// Returns `true` if a binding message may be longer than Swedish BankID accepts: 1500 characters in
/// base64, which is 1125 bytes of UTF-8.
///
/// The limit is documented for the redirect flow only, so this library does not enforce it.
#[must_use]
pub const fn binding_message_may_be_too_long(message: &str) -> bool {
    message.len() > 1125
}
