//! One running flow for each person.
#![allow(missing_docs)]

#[path = "../../ciba-reqwest/tests/support/client.rs"]
mod client;
#[path = "../../ciba-reqwest/tests/support/mod.rs"]
mod support;

use std::sync::Arc;

use ciba_ureq::{
    AuthenticateError, Clock, DriveError, Driver, HttpClient, Keys, PromptGuard, SharedFlow,
    ciba_core::{
        AuthRequest, ClientAuth, ClientConfig, Entropy, Failure, Flow, Hint, LoginHint,
        PromptRefused, Timestamp, jose::KeySet,
    },
    platform_roots,
};
use client::{ACKNOWLEDGED, config};
use support::{Act, Server, answer};

const START: Timestamp = Timestamp::from_unix_secs(1_800_000_000);
const NOBODY: &str = r#"{"error":"unknown_user_id"}"#;

/// A clock that stands still: what waits for it waits until the bell rings.
struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        START
    }

    fn idle(&self, _: Timestamp) -> std::time::Duration {
        std::time::Duration::from_millis(20)
    }
}

fn driver(config: &Arc<ClientConfig>) -> Driver {
    let http = HttpClient::new(platform_roots().proxy(None)).unwrap();
    // The servers here count what is asked about a person, so no keys are fetched while a flow
    // waits.
    let keys = KeySet::pinned(config.issuer(), br#"{"keys":[]}"#, &**config.verifier()).unwrap();
    Driver::new(Arc::clone(config), http).with_keys(Keys::pinned(keys)).with_clock(Standing)
}

fn asks_for(person: &str) -> AuthRequest {
    AuthRequest::new(Hint::Login(LoginHint::new(person)))
}

fn flow(config: &Arc<ClientConfig>) -> SharedFlow {
    let entropy = Entropy::from_bytes([7; 32]);
    SharedFlow::new(Flow::start(Arc::clone(config), asks_for("somebody"), entropy, START).unwrap())
}

/// One acknowledgement, then refusals.
fn server() -> Server {
    let refusals = std::iter::repeat_n(answer(400, "", NOBODY), 8);
    Server::start([answer(200, "", ACKNOWLEDGED)].into_iter().chain(refusals).collect::<Vec<Act>>())
}

/// Whether the provider was asked for the person.
fn is_asked(driver: &Driver, person: &str) -> Result<(), PromptRefused> {
    match driver.authenticate(asks_for(person), &mut ()) {
        Err(AuthenticateError::Failed(Failure::Refused(_))) => Ok(()),
        Err(AuthenticateError::Drive(DriveError::PromptRefused(refused))) => Err(refused),
        other => panic!("{other:?}"),
    }
}

/// Stops once so many requests have come.
struct Stops<'a>(&'a Server, usize);

impl ciba_ureq::Watch for Stops<'_> {
    fn stop(&mut self, _: Timestamp) -> bool {
        self.0.requests().len() >= self.1
    }
}

/// REQ-SEC-12b
#[test]
fn a_person_with_a_running_flow_is_not_prompted_again_until_it_is_over_or_dropped() {
    let guard = PromptGuard::new().unwrap();
    let server = server();
    let config = config(&server.url(""), ClientAuth::None);
    let driver = driver(&config).with_prompt_guard(guard.clone());
    let first = flow(&config);
    let stopped = driver.drive(&first, &mut Stops(&server, 1));
    assert!(matches!(stopped, Err(DriveError::Stopped)), "{stopped:?}");
    assert_eq!(server.requests().len(), 1);

    // Another driver of the same process, and a flow between two drives.
    let another = driver.clone();
    match is_asked(&another, "somebody") {
        Err(PromptRefused::Running { remaining }) => assert_eq!(remaining.as_secs(), 120),
        other => panic!("{other:?}"),
    }
    assert_eq!(server.requests().len(), 1, "nothing was sent");
    assert_eq!(is_asked(&another, "somebody else"), Ok(()));
    let unguarded = crate::driver(&config);
    assert_eq!(is_asked(&unguarded, "somebody"), Ok(()), "it is off by default");

    drop(first);
    assert_eq!(is_asked(&another, "somebody"), Ok(()), "it was dropped");
    let ended = flow(&config);
    driver.drive(&ended, &mut ()).unwrap();
    assert_eq!(is_asked(&another, "somebody"), Ok(()), "it is over, though somebody keeps it");
    assert!(!format!("{guard:?} {driver:?}").contains("somebody"));
}

/// REQ-SEC-12b
#[test]
fn a_flow_that_is_cancelled_leaves_its_place_though_nobody_drives_it() {
    let server = server();
    let config = config(&server.url(""), ClientAuth::None);
    let driver = driver(&config).with_prompt_guard(PromptGuard::new().unwrap());
    let first = flow(&config);
    assert!(driver.drive(&first, &mut Stops(&server, 1)).is_err());
    assert!(is_asked(&driver, "somebody").is_err());
    first.cancel(START);
    assert_eq!(is_asked(&driver, "somebody"), Ok(()));
    assert!(first.finish().is_err());
}

/// REQ-SEC-12b
#[test]
fn a_guard_that_is_full_refuses() {
    let server = server();
    let config = config(&server.url(""), ClientAuth::None);
    let guard = PromptGuard::with_capacity(0, Entropy::from_bytes([1; 32]));
    let driver = driver(&config).with_prompt_guard(guard);
    assert_eq!(is_asked(&driver, "somebody"), Err(PromptRefused::Full));
    assert_eq!(server.connections(), 0);
}
