//! One request builder for each eID.

use alloc::{format, string::String};

use super::{
    FREJA_ID, NORWEGIAN_BANKID, NorwegianNationalId, SWEDISH_BANKID, SwedishPersonalNumber,
};
use crate::{
    expect::{Check, Presence},
    request::{AuthRequest, AuthorizationDetail, Hint, MessageRule},
    secret::LoginHint,
};

/// Who dialled: it changes the question the app asks.
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

/// What all eIDs have in common.
#[derive(Debug, Clone)]
struct Common {
    acr: String,
    eid: Check,
    /// `None` where nothing was said.
    person: Option<Check>,
    trace_id: bool,
}

impl Common {
    fn new(acr: impl Into<String>) -> Self {
        Self { acr: acr.into(), eid: Check::default(), person: None, trace_id: false }
    }

    /// The checks hold under any configuration; under that of Idura they hold for every other
    /// request, too.
    fn into_request(self, hint: LoginHint) -> AuthRequest {
        let request = AuthRequest::new(Hint::Login(hint))
            .acr_values([self.acr])
            .named_by_number(self.person != Some(Check::Off))
            .eid_check(self.eid);
        let request = match self.person {
            None => request,
            Some(Check::Require) => request.person_check(Presence::Required),
            Some(Check::IfPresent | Check::Off) => request.person_check(Presence::IfPresent),
        };
        match self.trace_id {
            true => request.header("Prefer", "return-trace-id"),
            false => request,
        }
    }
}

/// The settings every request has.
macro_rules! common_settings {
    () => {
        /// How the eID in the token (`authenticationtype`) is compared with the one asked for; it
        /// may refine it.
        pub const fn eid_check(mut self, check: Check) -> Self {
            self.common.eid = check;
            self
        }

        /// Asks for a `Trace-Id` header field in the answer (`Prefer: return-trace-id`).
        pub const fn trace_id(mut self) -> Self {
            self.common.trace_id = true;
            self
        }
    };
}

/// Swedish BankID in telephone calls. The person sees the binding message and a question about the
/// call.
#[derive(Debug, Clone)]
#[must_use = "make an authentication request of it"]
pub struct SwedishBankId {
    common: Common,
    person: SwedishPersonalNumber,
    initiator: CallInitiator,
    message: String,
}

impl SwedishBankId {
    /// A request; the message is shown in the app. An empty one is refused when the flow is
    /// started.
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

    /// How the `ssn` in the token is compared with the number that was asked for; it has to be
    /// there by default. With [`Check::Off`] the request itself asks for no comparison; a client of
    /// [`client`](super::client) still compares what is there.
    pub const fn person_check(mut self, check: Check) -> Self {
        self.common.person = Some(check);
        self
    }

    common_settings!();

    /// The authentication request.
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

/// Norwegian BankID caller authentication. It takes no binding message: the acknowledgement brings
/// two words to read out, see [`words_to_read_out`](super::words_to_read_out).
#[derive(Debug, Clone)]
#[must_use = "make an authentication request of it"]
pub struct NorwegianBankId {
    common: Common,
    person: NorwegianNationalId,
}

impl NorwegianBankId {
    /// A request.
    pub fn caller_authentication(person: NorwegianNationalId) -> Self {
        Self { common: Common::new(NORWEGIAN_BANKID), person }
    }

    /// How the `socialno` in the token is compared with the number that was asked for; when it is
    /// there by default. It is there only with the scope `ssn`, which has to be switched on for the
    /// application. With [`Check::Off`] the request itself asks for no comparison; a client of
    /// [`client`](super::client) still compares what is there.
    pub const fn person_check(mut self, check: Check) -> Self {
        self.common.person = Some(check);
        self
    }

    common_settings!();

    /// The authentication request.
    pub fn into_request(self) -> AuthRequest {
        let number = self.person.expose();
        self.common
            .into_request(LoginHint::new(format!("sub:ssn:{number}")))
            .authorization_detail(AuthorizationDetail::new("customerServiceCall.v1"))
            .message_rule(MessageRule::Refused)
    }
}

/// An eID whose parameters are not documented, FrejaID first: any `acr_values`, any hint;
/// `authorization_details`, binding message and the rest are set on the request.
///
/// Which claim repeats the person is not documented: `ssn` and `socialno` are compared with a hint
/// `sub:ssn:N` when they are there, and the result says whether they were. If you know another
/// claim, say so with [`AuthRequest::expecting`](crate::AuthRequest::expecting).
#[derive(Debug, Clone)]
#[must_use = "make an authentication request of it"]
pub struct FreeForm {
    common: Common,
    hint: LoginHint,
}

impl FreeForm {
    /// A request for any eID.
    pub fn new(acr: impl Into<String>, hint: LoginHint) -> Self {
        Self { common: Common::new(acr), hint }
    }

    /// A request for FrejaID.
    pub fn freja_id(hint: LoginHint) -> Self {
        Self::new(FREJA_ID, hint)
    }

    common_settings!();

    /// The authentication request.
    pub fn into_request(self) -> AuthRequest {
        self.common.into_request(self.hint)
    }
}

/// Whether a binding message may be longer than Swedish BankID takes: more than 1500 characters in
/// base64, which are 1125 bytes of UTF-8. The limit is documented for the redirect flow only, so
/// nothing is refused or cut because of it.
#[must_use]
pub const fn binding_message_may_be_too_long(message: &str) -> bool {
    message.len() > 1125
}
