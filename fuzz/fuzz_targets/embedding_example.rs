//! Invariant: every flow of this embedding ends, whatever the network does, and logs nothing that
//! is secret.
//!
//! A target to copy. An embedding is the code that carries out outputs: an event loop, an FFI
//! layer, a job queue. Because [`Flow`] is a function of state, time, entropy and answers,
//! fuzzing it needs no mocks: let the fuzzer play the network, the clock and the key store, and
//! state what has to hold for your users. Replace `Embedding` by your code, keep the loop, and run
//! `cargo fuzz run embedding_example`.
#![no_main]
use std::{fmt::Write as _, time::Duration};

use ciba_core::{
    Authentication, Failure, Flow, Input, Output, Timestamp,
    fault::Cause,
    http::{Response, Unanswered},
};
use ciba_fuzz::{Bytes, START, config, entropy, flow, keys};
use libfuzzer_sys::fuzz_target;

/// Stands for the code under test: one flow, its clock, and a log.
struct Embedding {
    flow: Flow,
    now: Timestamp,
    turn: u64,
    log: String,
}

impl Embedding {
    /// One turn of the loop; false when the flow is over.
    fn turn(&mut self, network: &mut Bytes<'_>) -> bool {
        self.turn += 1;
        let output = self.flow.poll(self.now, entropy(self.turn));
        let _infallible = writeln!(self.log, "{output:?}");
        let input = match output {
            Output::Transmit(transmit) => {
                let timeout = transmit.timeout();
                let Some(sending) = self.flow.begin(transmit, self.now) else { return true };
                match network.byte() {
                    0 => sending.unanswered(Unanswered::NotSent(Cause::Unknown)),
                    1 => {
                        self.now = self.now.saturating_add(timeout);
                        sending.unanswered(Unanswered::Lost(Cause::Unknown))
                    }
                    status => sending.answered(Response::json(
                        if status % 2 == 0 { 200 } else { 400 },
                        network.some().to_vec(),
                    )),
                }
            }
            Output::Key(operation) => operation.unavailable(),
            Output::KeySet(request) => request.found(keys()),
            Output::Wait(wait) => {
                self.now = wait.until();
                return true;
            }
            Output::Save(save) => save.saved(),
            Output::Done => return false,
        };
        self.answer(input);
        true
    }

    fn answer(&mut self, input: Input) {
        self.now = self.now.saturating_add(Duration::from_millis(20));
        // Only an answer to another flow is misuse, and this embedding has one flow.
        self.flow.handle(input, self.now).expect("the answer is this flow's");
    }

    fn finish(self) -> Result<Box<Authentication>, Failure> {
        self.flow.finish()
    }
}

fuzz_target!(|data: &[u8]| {
    let mut network = Bytes(data);
    let mut embedding = Embedding { flow: flow(config()), now: START, turn: 1, log: String::new() };
    let mut turns = 0;
    while embedding.turn(&mut network) {
        turns += 1;
        assert!(turns < 100_000, "this flow does not end");
    }
    assert!(
        !embedding.log.contains("a secret of no consequence"),
        "the client secret is in the log"
    );
    assert!(!embedding.log.contains("alice"), "the hint is in the log");
    drop(embedding.finish());
});
