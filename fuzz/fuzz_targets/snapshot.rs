//! Invariant: bytes that claim to be a snapshot are refused, or give a flow that can go on and, saved, is the same again.
#![no_main]
use std::time::Duration;

use ciba_core::{Flow, Output};
use ciba_fuzz::{START, config, entropy};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let config = config();
    let mut now = START.saturating_add(Duration::from_secs(7));
    let Ok(mut flow) = Flow::resume(config.clone(), data, now) else { return };
    let saved = flow.snapshot();
    let again = Flow::resume(config, saved.as_bytes(), now).expect("what was saved can be resumed");
    assert_eq!(
        (flow.stage(), flow.wake_at(), flow.revision()),
        (again.stage(), again.wake_at(), again.revision()),
        "saving is not stable"
    );
    for turn in 0..20 {
        match flow.poll(now, entropy(turn)) {
            Output::Wait(wait) => {
                assert!(wait.until() > now, "a wait that is over is a busy loop");
                now = wait.until();
            }
            Output::Done => return drop(flow.finish()),
            // Left unanswered: the flow has to notice by itself.
            Output::Transmit(_) | Output::Key(_) | Output::KeySet(_) => {}
        }
    }
});
