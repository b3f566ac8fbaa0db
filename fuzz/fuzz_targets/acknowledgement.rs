//! Invariant: whatever answers the authentication request, it is sent once, the first poll waits as
//! agreed, and the flow can be saved and gone on with.
#![no_main]
use std::time::Duration;

use ciba_core::{
    Output, Stage,
    http::{Endpoint, Response},
};
use ciba_fuzz::{Bytes, START, config, entropy, flow, keys, resumes_alike};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // A leading digit picks the status; the rest is the body.
    let mut bytes = Bytes(data);
    let status = match bytes.byte() {
        b'4' => 400,
        b'5' => 503,
        b'3' => 302,
        _ => 200,
    };
    let config = config();
    let mut flow = flow(config.clone());
    let Output::Transmit(transmit) = flow.poll(START, entropy(2)) else {
        panic!("the request comes first")
    };
    assert_eq!(transmit.endpoint(), Endpoint::BackchannelAuthentication);
    let sending = flow.begin(transmit, START).expect("it was asked for just now");
    let answered = START.saturating_add(Duration::from_millis(250));
    flow.handle(sending.answered(Response::json(status, bytes.0.to_vec())), answered)
        .expect("the answer is this flow's");
    resumes_alike(&flow, config, answered);
    let mut output = flow.poll(answered, entropy(3));
    if let Output::KeySet(request) = output {
        assert!(request.within().is_some(), "keys without tokens, and not ahead of time");
        flow.handle(request.found(keys()), answered).expect("the keys are this issuer's");
        output = flow.poll(answered, entropy(4));
    }
    match output {
        Output::Wait(wait) => {
            assert_eq!(flow.stage(), Stage::Pending);
            let acknowledged = flow.acknowledgement().expect("a pending flow was acknowledged");
            assert!(
                acknowledged.interval >= Duration::from_secs(1)
                    && !acknowledged.expires_in.is_zero()
            );
            // An interval that reaches past the deadline gives one poll shortly before that.
            let due = answered.saturating_add(acknowledged.interval);
            let deadline = START.saturating_add(acknowledged.expires_in);
            assert!(
                wait.until() > answered && (wait.until() >= due || due >= deadline),
                "polled too early"
            );
        }
        Output::Done => assert!(flow.finish().is_err(), "authenticated without tokens"),
        other => panic!("{other:?}"),
    }
});
