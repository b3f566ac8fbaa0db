//! One running flow for each person.

use std::sync::Arc;

use ciba_core::{
    AuthRequest, ClientAuth, ClientConfig, Entropy, Event, Failure, Flow, Hint,
    prompts::PromptRefused, secret::LoginHint,
};
use ciba_tests::adapters::{Driver, SharedFlow, Stop, each};
use ciba_ureq::{AuthenticateError, DriveError, PromptGuard};

use crate::{
    START, Standing,
    client::{ACKNOWLEDGED, config},
    support::{Act, Server, answer},
};

const NOBODY: &str = r#"{"error":"unknown_user_id"}"#;

fn asks_for(person: &str) -> AuthRequest {
    AuthRequest::new(Hint::Login(LoginHint::new(person)))
}

fn flow(config: &Arc<ClientConfig>) -> Flow {
    let entropy = Entropy::from_bytes([7; 32]);
    Flow::start(Arc::clone(config), asks_for("somebody"), entropy, START).unwrap()
}

/// One acknowledgement, then refusals.
fn server() -> Server {
    let refusals = std::iter::repeat_n(answer(400, "", NOBODY), 8);
    Server::start([answer(200, "", ACKNOWLEDGED)].into_iter().chain(refusals).collect::<Vec<Act>>())
}

/// Returns whether the provider received an authentication request.
fn is_asked(driver: &Driver, person: &str) -> Result<(), PromptRefused> {
    match driver.authenticate(asks_for(person), &mut ()) {
        Err(AuthenticateError::Failed(Failure::Refused(_))) => Ok(()),
        Err(AuthenticateError::Drive(DriveError::PromptRefused(refused))) => Err(refused),
        other => panic!("{other:?}"),
    }
}

/// Drives until the flow waits for the person, then stops.
fn prompts(driver: &Driver, flow: &SharedFlow) {
    let stop = Stop::default();
    let mut watch = |event: &Event| {
        if let Event::Waiting(_) = event {
            stop.stop();
        }
    };
    let stopped = driver.drive_until(flow, &mut watch, &stop);
    assert!(matches!(stopped, Err(DriveError::Stopped)), "{stopped:?}");
}

/// REQ-SEC-12b
#[test]
fn a_person_with_a_running_flow_is_not_prompted_again_until_it_is_over_or_dropped() {
    each(|adapter| {
        let guard = PromptGuard::new().unwrap();
        let server = server();
        let config = config(&server.url(""), ClientAuth::None);
        let driver =
            crate::driver(adapter, &config).with_clock(Standing).with_prompt_guard(guard.clone());
        let first = adapter.flow(flow(&config));
        prompts(&driver, &first);
        assert_eq!(server.requests().len(), 1);

        // Another driver of the same process, and a flow between two drives.
        let another = driver.clone();
        match is_asked(&another, "somebody") {
            Err(PromptRefused::Running { remaining }) => assert_eq!(remaining.as_secs(), 120),
            other => panic!("{other:?}"),
        }
        assert_eq!(server.requests().len(), 1, "nothing was sent");
        assert_eq!(is_asked(&another, "another person"), Ok(()));
        let unguarded = crate::driver(adapter, &config).with_clock(Standing);
        assert_eq!(is_asked(&unguarded, "somebody"), Ok(()), "it is off by default");

        drop(first);
        assert_eq!(is_asked(&another, "somebody"), Ok(()), "it was dropped");
        let ended = adapter.flow(flow(&config));
        driver.drive(&ended, &mut ()).unwrap();
        assert_eq!(
            is_asked(&another, "somebody"),
            Ok(()),
            "it is over, although there is still a reference"
        );
        assert!(!format!("{guard:?} {driver:?}").contains("somebody"));
    });
}

/// REQ-SEC-12b
#[test]
fn a_cancelled_flow_frees_its_place_even_if_it_is_not_driven() {
    each(|adapter| {
        let server = server();
        let config = config(&server.url(""), ClientAuth::None);
        let driver = crate::driver(adapter, &config)
            .with_clock(Standing)
            .with_prompt_guard(PromptGuard::new().unwrap());
        let first = adapter.flow(flow(&config));
        prompts(&driver, &first);
        assert!(is_asked(&driver, "somebody").is_err());
        first.cancel(START);
        assert_eq!(is_asked(&driver, "somebody"), Ok(()));
        assert!(first.finish().is_err());
    });
}

/// REQ-SEC-12b
#[test]
fn a_guard_that_is_full_refuses() {
    each(|adapter| {
        let server = server();
        let config = config(&server.url(""), ClientAuth::None);
        let guard = PromptGuard::with_capacity(0, Entropy::from_bytes([1; 32]));
        let driver =
            crate::driver(adapter, &config).with_clock(Standing).with_prompt_guard(guard.clone());
        assert_eq!(is_asked(&driver, "somebody"), Err(PromptRefused::Full));
        assert_eq!(server.connections(), 0);
    });
}
