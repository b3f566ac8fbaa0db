//! Invariant: bytes that claim to be a snapshot are refused, or give a flow of one delivery mode
//! that can go on and, saved, is the same again; a push client asks for no tokens, whatever they
//! say.
#![no_main]
use std::time::Duration;

use ciba_core::{DeliveryMode, Flow, Output, http::Endpoint};
use ciba_fuzz::{START, config_for, entropy};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut now = START.saturating_add(Duration::from_secs(7));
    let mut resumed = [DeliveryMode::Poll, DeliveryMode::Ping, DeliveryMode::Push]
        .into_iter()
        .filter_map(|delivery| {
            let config = config_for(delivery);
            Flow::resume(config.clone(), data, now).ok().map(|flow| (config, flow))
        });
    let Some((config, mut flow)) = resumed.next() else { return };
    assert!(resumed.next().is_none(), "resumed with two delivery modes");
    let is_push = config.delivery() == DeliveryMode::Push;
    let saved = flow.snapshot();
    let again = Flow::resume(config, saved.as_bytes(), now).expect("what was saved can be resumed");
    assert_eq!(
        (flow.stage(), flow.wake_at()),
        (again.stage(), again.wake_at()),
        "saving is not stable"
    );
    assert!(
        again.revision() >= flow.revision(),
        "a resumed flow is older than what it was resumed from"
    );
    for turn in 0..20 {
        match flow.poll(now, entropy(turn)) {
            Output::Wait(wait) => {
                assert!(wait.until() > now, "a wait that is over is a busy loop");
                now = wait.until();
            }
            Output::Done => return drop(flow.finish()),
            // A save that is dropped is asked for again, so only some are.
            Output::Save(save) if turn % 3 != 0 => {
                flow.handle(save.saved(), now).expect("it is the flow's own");
            }
            // Left unanswered: the flow has to notice by itself.
            Output::Transmit(transmit) => {
                assert!(
                    !is_push || transmit.endpoint() != Endpoint::Token,
                    "a token request in push mode"
                );
            }
            Output::Save(_) | Output::Key(_) | Output::KeySet(_) => {}
        }
    }
});
