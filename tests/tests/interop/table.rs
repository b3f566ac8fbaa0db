//! A table of cases: flows that run in each adapter, and their expected ends.
use std::{thread, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciba_core::{AuthRequest, Authentication, DeliveryMode, Hint, secret::LoginHint};
use serde_json::Value;

use crate::{
    clients::Client,
    party::{ADAPTERS, Adapter, Deviations, NONE, Outcome, Party},
};

/// The end of a flow.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ends {
    Verified,
    Denied,
    Expired,
    /// By the provider, with this error code.
    Refused(&'static str),
    /// The outcome is unknown; the provider sent this code.
    Unknown(&'static str),
    /// The outcome is unknown; no push arrived.
    Silence,
    /// Nothing was sent.
    Unreachable,
    /// The answer failed a check.
    Untrusted,
}

impl Ends {
    /// Returns the name of the failure and its error code.
    const fn failure(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Verified => ("none", None),
            Self::Denied => ("denied", Some("access_denied")),
            Self::Expired => ("expired", None),
            Self::Refused(code) => ("refused", Some(code)),
            Self::Unknown(code) => ("indeterminate", Some(code)),
            Self::Silence => ("indeterminate", None),
            Self::Unreachable => ("unreachable", None),
            Self::Untrusted => ("untrusted", None),
        }
    }
}

/// The person who answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Person {
    /// The one named by the hint.
    Hinted,
    /// A person without another flow: the hint is followed by a number and the adapter.
    OfTheirOwn(usize),
}

/// One flow, in each adapter.
#[derive(Clone)]
pub(crate) struct Case {
    /// The name of the client; `*` stands for the name of the adapter.
    pub(crate) client: String,
    pub(crate) hint: &'static str,
    pub(crate) person: Person,
    /// What the request contains in addition to its hint.
    pub(crate) asks: fn(AuthRequest) -> AuthRequest,
    pub(crate) deviates: Deviations,
    pub(crate) ends: Ends,
    /// What the result must satisfy in addition to being verified.
    pub(crate) checks: fn(&Authentication),
}

pub(crate) fn case(client: impl Into<String>, hint: &'static str, ends: Ends) -> Case {
    Case {
        client: client.into(),
        hint,
        person: Person::Hinted,
        asks: |request| request,
        deviates: NONE,
        ends,
        checks: |_| {},
    }
}

impl Case {
    /// The login hint.
    pub(crate) fn hint(&self, adapter: Adapter) -> String {
        match self.person {
            Person::Hinted => self.hint.into(),
            Person::OfTheirOwn(number) => format!("{}.{number}.{}", self.hint, adapter.name()),
        }
    }
}

/// Runs all cases in both adapters concurrently, and reports all of them before the first failure
/// fails the test.
pub(crate) fn run(cases: impl IntoIterator<Item = Case>) {
    thread::scope(|scope| {
        for case in cases {
            for adapter in ADAPTERS {
                let case = case.clone();
                scope.spawn(move || {
                    let client = Client::named(&case.client, adapter.name());
                    let party = Party::new(&client, adapter, case.deviates);
                    let hint = case.hint(adapter);
                    let outcome = party.authenticate((case.asks)(request(&hint)));
                    check(&case, &client, &hint, outcome);
                    println!("{adapter:?}: {}: {hint}: {:?}: as expected", case.client, case.ends);
                });
            }
        }
    });
}

pub(crate) fn check(case: &Case, client: &Client, hint: &str, outcome: Outcome) {
    let Case { client: name, ends, .. } = case;
    let told =
        matches!(ends, Ends::Verified | Ends::Denied | Ends::Untrusted) && case.hint != "lost";
    match client.delivery() {
        // Neither before the ping nor again after it, and never in push mode.
        DeliveryMode::Ping if told => {
            assert_eq!((outcome.notified, outcome.token_requests), (true, 1), "{name}: {hint}")
        }
        DeliveryMode::Push => {
            assert_eq!((outcome.notified, outcome.token_requests), (told, 0), "{name}: {hint}")
        }
        _ => assert!(!outcome.notified, "{name}: {hint} was notified"),
    }
    match (ends, outcome.result) {
        (Ends::Verified, Ok(authentication)) => {
            assert_eq!(authentication.subject(), Ok(hint));
            if let Some(thumbprint) = &client.thumbprint {
                assert_eq!(access_token(&authentication)["cnf"]["x5t#S256"], **thumbprint);
            }
            (case.checks)(&authentication);
        }
        (ends, Err(failure)) => {
            let code = failure
                .server_answer()
                .and_then(|answer| answer.code())
                .map(|code| code.name().to_owned());
            let (expected, said) = ends.failure();
            assert!(
                failure.name() == expected && (said.is_none() || said == code.as_deref()),
                "{name}: {hint} should end as {ends:?}, ended as {failure:?}",
            );
        }
        (ends, Ok(_)) => panic!("{name}: {hint} should end as {ends:?} and was verified"),
    }
}

/// Requests a short lifetime for a person who never answers.
pub(crate) fn request(hint: &str) -> AuthRequest {
    let request = AuthRequest::new(Hint::Login(LoginHint::new(hint))).binding_message("INTEROP");
    if hint.starts_with("never") {
        request.requested_expiry(Duration::from_secs(8))
    } else {
        request
    }
}

/// Returns the claims of an access token that is a JWT.
pub(crate) fn access_token(authentication: &Authentication) -> Value {
    let claims = authentication.access_token().expose().split('.').nth(1).expect("a JWT");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("claims")
}
