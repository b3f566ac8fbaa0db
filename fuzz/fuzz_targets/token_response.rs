//! Invariant: a 200 of the token endpoint that names no error is the last answer asked of it, and
//! authenticates only with a token that passed.
#![no_main]
use std::time::Duration;

use ciba_core::{
    Output,
    http::{Endpoint, Response},
};
use ciba_fuzz::{Bytes, START, config, entropy, flow, is_final, keys};
use libfuzzer_sys::fuzz_target;

const ACKNOWLEDGEMENT: &str =
    r#"{"auth_req_id":"KVHkC2HPxE6EYDzLj5Nk02mTLSmt1UgM4rNG8tMBPcz","expires_in":120}"#;

fuzz_target!(|data: &[u8]| {
    // A leading digit picks the status; the rest is the body.
    let mut bytes = Bytes(data);
    let status = match bytes.byte() {
        b'4' => 400,
        b'5' => 503,
        b'3' => 302,
        _ => 200,
    };
    let mut flow = flow(config());
    let mut now = START;
    let mut redeemed = false;
    for turn in 2..200 {
        match flow.poll(now, entropy(turn)) {
            Output::Transmit(transmit) => {
                let endpoint = transmit.endpoint();
                let sending = flow.begin(transmit, now).expect("it was asked for just now");
                let response = if endpoint == Endpoint::Token {
                    assert!(!redeemed, "asked again after a final answer");
                    redeemed = is_final(status, bytes.0);
                    Response::json(status, bytes.0.to_vec())
                } else {
                    Response::json(200, ACKNOWLEDGEMENT)
                };
                flow.handle(sending.answered(response), now).expect("the answer is this flow's");
            }
            Output::KeySet(request) => {
                assert!(
                    redeemed || request.within().is_some(),
                    "keys without tokens, and not ahead of time"
                );
                flow.handle(request.found(keys()), now).expect("the keys are this issuer's");
            }
            Output::Wait(wait) => {
                assert!(wait.until() > now, "a wait that is over is a busy loop");
                now = wait.until();
            }
            Output::Key(operation) => panic!("no private key here: {operation:?}"),
            Output::Save(_) => panic!("the flow is in memory"),
            Output::Done => break,
        }
        now = now.saturating_add(Duration::from_millis(1));
    }
    if let Ok(authentication) = flow.finish() {
        assert!(redeemed && authentication.subject().is_ok(), "authenticated without an ID Token");
    }
});
