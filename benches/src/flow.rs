//! A flow like the Idura example, brought to the moment that is measured.

use std::sync::Arc;

use ciba_core::{
    AuthRequest, ClientConfig, Entropy, Flow, Hint, Output, Timestamp,
    http::{Body, Response},
    machine::KeyTask,
    request::AuthorizationDetail,
    secret::LoginHint,
};

use crate::{Backend, NOW, config};

/// Entropy for one call; benchmarks need it cheap, not random.
#[must_use]
pub fn entropy() -> Entropy {
    Entropy::from_bytes([42; 32])
}

/// The instant everything starts.
#[must_use]
pub fn start_time() -> Timestamp {
    Timestamp::from_unix_secs(NOW)
}

/// A flow that was started and not polled.
pub fn started(config: &Arc<ClientConfig>) -> Flow {
    let request = AuthRequest::new(Hint::Login(LoginHint::new("sub:ssn:196802020575")))
        .acr_values(["urn:grn:authn:se:bankid"])
        .binding_message("Confirm that you are calling Example Bank")
        .authorization_detail(AuthorizationDetail::new("phoneAuth").with("callInitiator", "RP"));
    Flow::start(Arc::clone(config), request, entropy(), start_time()).expect("a valid request")
}

/// A flow that waits for the person.
///
/// # Panics
///
/// When the machine does not ask for what it should ask for.
pub fn pending(backend: Backend) -> Flow {
    pending_with(&config(backend))
}

/// As [`pending`], with a configuration that exists already.
///
/// # Panics
///
/// When the machine does not ask for what it should ask for.
pub fn pending_with(config: &Arc<ClientConfig>) -> Flow {
    acknowledged(
        config,
        r#"{"auth_req_id":"3857f8ff-21b9-48ae-a732-a3bd8128a7ae","expires_in":120}"#,
    )
}

/// As [`pending_with`], with any acknowledgement.
///
/// # Panics
///
/// When the machine does not ask for what it should ask for.
pub fn acknowledged(config: &Arc<ClientConfig>, acknowledgement: &str) -> Flow {
    let mut flow = started(config);
    let now = start_time();
    let Output::Key(operation) = flow.poll(now, entropy()) else {
        panic!("a key operation comes first")
    };
    assert!(matches!(operation.task(), KeyTask::Sign(_)));
    flow.handle(operation.answered(vec![1; 64]), now).expect("its own answer");
    let Output::Transmit(transmit) = flow.poll(now, entropy()) else { panic!("then the request") };
    let sending = flow.begin(transmit, now).expect("it is in time");
    flow.handle(sending.answered(Response::json(200, Body::from(acknowledgement))), now)
        .expect("its own answer");
    flow
}
