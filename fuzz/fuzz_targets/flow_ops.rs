//! Invariant: under any operations no poll is early, late or doubled, nobody is prompted twice, and every wait is ahead.
#![no_main]
use std::time::Duration;

use ciba_core::{Endpoint, Flow, Input, Output, Response, Stage, Timestamp, TransmitTicket, Unanswered};
use ciba_fuzz::{Bytes, START, config, config_with_key, entropy, flow, keys};
use libfuzzer_sys::fuzz_target;

/// What must hold, told independently of the flow.
#[derive(Default)]
struct Judge {
    prompts: u32,
    sent: Option<Timestamp>,
    deadline: Option<Timestamp>,
    /// The acknowledged one; `slow_down` only adds to it.
    interval: Duration,
    last_answer: Option<Timestamp>,
    in_flight: Option<Endpoint>,
    redeemed: bool,
    clock_stepped: bool,
}

impl Judge {
    fn sends(&mut self, endpoint: Endpoint, now: Timestamp) {
        assert!(self.in_flight.is_none(), "two requests in flight");
        self.in_flight = Some(endpoint);
        match endpoint {
            Endpoint::BackchannelAuthentication => {
                assert_eq!(self.prompts, 0, "a person is prompted twice");
                self.sent = Some(now);
            }
            Endpoint::Token => {
                assert!(!self.redeemed, "asked again after tokens");
                if self.clock_stepped {
                    return;
                }
                if let Some(last) = self.last_answer {
                    let due = last.saturating_add(self.interval);
                    // An interval that reaches past the deadline gives one poll shortly before that.
                    assert!(now >= due || self.deadline.is_none_or(|deadline| due >= deadline), "early");
                }
                assert!(self.deadline.is_none_or(|deadline| now < deadline), "at or after the deadline");
            }
            other => panic!("a flow does not send to {other:?}"),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let config = if bytes.byte() % 2 == 0 { config() } else { config_with_key() };
    let mut flow = flow(config.clone());
    let mut judge = Judge::default();
    let mut now = START;
    let mut open: Option<(Endpoint, TransmitTicket)> = None;
    let mut late: Vec<Input> = Vec::new();
    let mut turn = 2;
    while !bytes.is_empty() {
        turn += 1;
        match bytes.byte() % 10 {
            0 => now = now.saturating_add(Duration::from_millis(bytes.number())),
            1 => now = now.saturating_add(Duration::from_secs(bytes.number() % 200)),
            2 => {
                judge.clock_stepped = true;
                now = now.saturating_sub(Duration::from_secs(bytes.number() % 300));
            }
            3 => {
                // Killed and resumed; what was in flight is answered by nobody.
                let saved = flow.snapshot();
                flow = Flow::resume(config.clone(), saved.as_bytes(), now).expect("a snapshot resumes");
                judge.in_flight = None;
                // A restart may lose when the last answer came, never the deadline.
                judge.last_answer = None;
                if let Some((_, ticket)) = open.take() {
                    late.push(ticket.unanswered(Unanswered::Lost));
                }
            }
            4 | 5 if open.is_some() => {
                let (endpoint, ticket) = open.take().expect("just looked");
                judge.in_flight = None;
                answer(&mut flow, &mut judge, endpoint, ticket, &mut bytes, now);
            }
            6 => {
                if let Some(input) = late.pop() {
                    let before = flow.snapshot();
                    if flow.handle(input, now).is_err() {
                        assert_eq!(before.as_bytes(), flow.snapshot().as_bytes(), "misuse changed something");
                    }
                }
            }
            7 if bytes.byte() == 0 => flow.cancel(now),
            _ => match flow.poll(now, entropy(turn)) {
                Output::Transmit(transmit) => {
                    if let Some((_, ticket)) = open.take() {
                        // The flow gave it up; its answer, if any, comes late.
                        judge.in_flight = None;
                        late.push(ticket.unanswered(Unanswered::Lost));
                    }
                    judge.sends(transmit.endpoint(), now);
                    let endpoint = transmit.endpoint();
                    open = Some((endpoint, transmit.into_parts().1));
                    if endpoint == Endpoint::BackchannelAuthentication {
                        judge.prompts += 1;
                    }
                }
                Output::Key(operation) => {
                    let input =
                        if bytes.byte() == 0 { operation.unavailable() } else { operation.answered(vec![2; 64]) };
                    flow.handle(input, now).expect("the answer is this flow's");
                }
                Output::KeySet(request) => {
                    let input = match bytes.byte() % 3 {
                        0 => request.unavailable(),
                        1 => request.later(now.saturating_add(Duration::from_secs(5))),
                        _ => request.found(keys()),
                    };
                    flow.handle(input, now).expect("the answer is this flow's");
                }
                Output::Wait(wait) => assert!(wait.until() > now, "a wait that is over is a busy loop"),
                Output::Done => {
                    assert_eq!(flow.stage(), Stage::Settled);
                    break;
                }
            },
        }
    }
});

fn answer(
    flow: &mut Flow,
    judge: &mut Judge,
    endpoint: Endpoint,
    ticket: TransmitTicket,
    bytes: &mut Bytes<'_>,
    now: Timestamp,
) {
    const ACKNOWLEDGEMENTS: [&str; 4] = [
        r#"{"auth_req_id":"a","expires_in":120}"#,
        r#"{"auth_req_id":"a","expires_in":30,"interval":2}"#,
        r#"{"auth_req_id":"a","expires_in":"600","interval":31}"#,
        r#"{"auth_req_id":"a","expires_in":3,"interval":5}"#,
    ];
    const LIFETIMES: [u64; 4] = [120, 30, 600, 3];
    const INTERVALS: [u64; 4] = [5, 2, 31, 5];
    const TOKEN_ANSWERS: [(u16, &str); 8] = [
        (400, r#"{"error":"authorization_pending"}"#),
        (400, r#"{"error":"slow_down"}"#),
        (503, ""),
        (429, "{}"),
        (400, r#"{"error":"access_denied"}"#),
        (400, r#"{"error":"expired_token"}"#),
        (400, r#"{"error":"invalid_grant"}"#),
        (200, r#"{"access_token":"t","token_type":"Bearer"}"#),
    ];
    // A request the flow gave up meanwhile: its answer comes late, and the spacing counts from the giving up.
    let is_late = flow.stage() == Stage::Pending;
    let choice = bytes.byte();
    if choice % 5 == 4 {
        let how = if choice % 2 == 0 { Unanswered::NotSent } else { Unanswered::Lost };
        if endpoint == Endpoint::BackchannelAuthentication && how == Unanswered::NotSent {
            judge.prompts = 0;
        }
        let _late = flow.handle(ticket.unanswered(how), now);
        if !is_late {
            judge.last_answer = Some(now);
        }
        return;
    }
    let response = match endpoint {
        Endpoint::BackchannelAuthentication => {
            let which = usize::from(choice % 4);
            judge.interval = Duration::from_secs(INTERVALS[which]);
            judge.deadline = judge.sent.map(|sent| sent.saturating_add(Duration::from_secs(LIFETIMES[which])));
            Response::json(200, ACKNOWLEDGEMENTS[which])
        }
        _ => {
            let (status, body) = TOKEN_ANSWERS[usize::from(choice % 8)];
            judge.redeemed |= status == 200;
            if choice % 16 == 15 { Response::json(200, bytes.some().to_vec()) } else { Response::json(status, body) }
        }
    };
    judge.redeemed |= endpoint == Endpoint::Token && response.status == 200;
    // A flow that gave the request up meanwhile takes the answer or leaves it; both are right.
    let _late = flow.handle(ticket.answered(response), now);
    if !is_late {
        judge.last_answer = Some(now);
    }
}
