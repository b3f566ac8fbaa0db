//! Invariant: under any operations no poll is early, late or doubled, no person is prompted twice or
//! late, every wait is ahead, a notification skips one wait and six do at most, and a push client
//! asks for no tokens.
#![no_main]
use std::time::Duration;

use ciba_core::{
    DeliveryMode, Flow, Input, Output, Sending, Stage, Timestamp,
    fault::Cause,
    http::{Body, Endpoint, Headers, Response, Unanswered},
    notification::{Notification, NotificationVerdict},
};
use ciba_fuzz::{
    Bytes, START, config_for, config_with_key, entropy, flow, is_final, keys, notification_token,
};
use libfuzzer_sys::fuzz_target;

/// A request the flow gave up meanwhile: its answer comes late, and the spacing counts from the
/// giving up.
fn is_late(flow: &Flow) -> bool {
    flow.stage() == Stage::Pending
}

/// An acknowledgement counts until something else named the request.
fn names(flow: &Flow) -> bool {
    matches!(flow.stage(), Stage::Authorizing | Stage::Adrift)
}

fn unanswered(
    flow: &mut Flow,
    judge: &mut Judge,
    endpoint: Endpoint,
    sending: Sending,
    how: Unanswered,
    now: Timestamp,
) {
    let counts = !is_late(flow) && (names(flow) || endpoint == Endpoint::Token);
    if endpoint == Endpoint::BackchannelAuthentication && matches!(how, Unanswered::NotSent(_)) {
        judge.prompts = 0;
    }
    let _late = flow.handle(sending.unanswered(how), now);
    if counts {
        judge.last_answer = Some(now);
    }
}

/// How long a flow whose acknowledgement was lost lives, and its interval.
const ADRIFT: (Duration, Duration) = (Duration::from_secs(600), Duration::from_secs(5));

/// The wait that the first notification skips, and five more.
const MOST_SKIPS: u32 = 6;
/// How long after its start a flow may prompt a person.
const PROMPT_WITHIN: Duration = Duration::from_secs(90);

/// What must hold, told independently of the flow.
#[derive(Default)]
struct Judge {
    is_push: bool,
    /// A notification was accepted and skipped no wait yet.
    may_skip: bool,
    skips: u32,
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
                assert!(
                    self.clock_stepped || now.since(START) < PROMPT_WITHIN,
                    "a person is prompted late"
                );
                self.sent = Some(now);
            }
            Endpoint::Token => {
                assert!(!self.redeemed, "asked again after tokens");
                assert!(!self.is_push, "a token request in push mode");
                if self.clock_stepped {
                    return;
                }
                if let Some(last) = self.last_answer {
                    let due = last.saturating_add(self.interval);
                    // An interval that reaches past the deadline gives one poll shortly before
                    // that.
                    let is_early =
                        now < due && self.deadline.is_some_and(|deadline| due < deadline);
                    assert!(!is_early || self.may_skip, "early");
                    if is_early {
                        (self.may_skip, self.skips) = (false, self.skips + 1);
                        assert!(self.skips <= MOST_SKIPS, "notifications make it hammer");
                    }
                }
                assert!(
                    self.deadline.is_none_or(|deadline| now < deadline),
                    "at or after the deadline"
                );
            }
            other => panic!("a flow does not send to {other:?}"),
        }
    }

    /// What the flow asked to send leaves later than it asked.
    fn goes_out_now(&mut self, endpoint: Endpoint, now: Timestamp) {
        assert!(!self.redeemed, "asked again after tokens");
        if endpoint == Endpoint::BackchannelAuthentication {
            assert!(
                self.clock_stepped || now.since(START) < PROMPT_WITHIN,
                "a person is prompted late"
            );
            self.sent = Some(now);
        } else if !self.clock_stepped {
            assert!(
                self.deadline.is_none_or(|deadline| now < deadline),
                "at or after the deadline"
            );
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let kind = bytes.byte();
    let delivery = match kind / 2 % 3 {
        0 => DeliveryMode::Poll,
        1 => DeliveryMode::Ping,
        _ => DeliveryMode::Push,
    };
    let config = if kind % 2 == 0 { config_for(delivery) } else { config_with_key(delivery) };
    let mut flow = flow(config.clone());
    let mut judge = Judge { is_push: delivery == DeliveryMode::Push, ..Judge::default() };
    let mut now = START;
    let mut open: Option<(Endpoint, Sending)> = None;
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
                // Killed and resumed; what was in flight is never answered.
                let saved = flow.snapshot();
                flow = Flow::resume(config.clone(), saved.as_bytes(), now)
                    .expect("a snapshot resumes");
                judge.in_flight = None;
                // A restart may lose when the last answer came, never the deadline.
                judge.last_answer = None;
                if let Some((_, sending)) = open.take() {
                    late.push(sending.unanswered(Unanswered::Lost(Cause::Unknown)));
                }
            }
            5 if open.is_some() => {
                // The connection took its time.
                let (endpoint, sending) = open.as_ref().expect("just looked");
                if flow.may_send(sending.id(), now) {
                    judge.goes_out_now(*endpoint, now);
                } else {
                    let (endpoint, sending) = open.take().expect("just looked");
                    judge.in_flight = None;
                    unanswered(
                        &mut flow,
                        &mut judge,
                        endpoint,
                        sending,
                        Unanswered::NotSent(Cause::Unknown),
                        now,
                    );
                }
            }
            4 if open.is_some() => {
                let (endpoint, sending) = open.take().expect("just looked");
                judge.in_flight = None;
                answer(&mut flow, &mut judge, endpoint, sending, &mut bytes, now);
            }
            6 => {
                if let Some(input) = late.pop() {
                    let before = flow.snapshot();
                    if flow.handle(input, now).is_err() {
                        assert_eq!(
                            before.as_bytes(),
                            flow.snapshot().as_bytes(),
                            "misuse changed something"
                        );
                    }
                }
            }
            7 if bytes.byte() == 0 => flow.cancel(now),
            9 => notify(&mut flow, &mut judge, &mut bytes, now),
            _ => match flow.poll(now, entropy(turn)) {
                Output::Transmit(transmit) => {
                    if let Some((_, sending)) = open.take() {
                        // The flow gave it up; its answer, if any, comes late.
                        judge.in_flight = None;
                        late.push(sending.unanswered(Unanswered::Lost(Cause::Unknown)));
                    }
                    judge.sends(transmit.endpoint(), now);
                    let endpoint = transmit.endpoint();
                    open = Some((
                        endpoint,
                        flow.begin(transmit, now).expect("it was asked for just now"),
                    ));
                    if endpoint == Endpoint::BackchannelAuthentication {
                        judge.prompts += 1;
                    }
                }
                Output::Key(operation) => {
                    let input = match bytes.byte() {
                        0 => operation.unavailable(),
                        1 => {
                            drop(operation);
                            continue;
                        }
                        _ => operation.answered(vec![2; 64]),
                    };
                    flow.handle(input, now).expect("the answer is this flow's");
                }
                Output::KeySet(request) => {
                    let input = match bytes.byte() % 3 {
                        0 => request.unavailable(Cause::Unknown.into()),
                        1 => request.later(now.saturating_add(Duration::from_secs(5))),
                        _ => request.found(keys()),
                    };
                    flow.handle(input, now).expect("the answer is this flow's");
                }
                Output::Wait(wait) => {
                    assert!(wait.until() > now, "a wait that is over is a busy loop")
                }
                Output::Save(save) => {
                    let input = if bytes.byte() % 4 == 0 { save.failed() } else { save.saved() };
                    flow.handle(input, now).expect("the answer is this flow's");
                }
                Output::Done => {
                    assert_eq!(flow.stage(), Stage::Settled);
                    break;
                }
            },
        }
    }
});

fn notify(flow: &mut Flow, judge: &mut Judge, bytes: &mut Bytes<'_>, now: Timestamp) {
    const BODIES: [&str; 7] = [
        r#"{"auth_req_id":"a"}"#,
        r#"{"auth_req_id":"b"}"#,
        r#"{"auth_req_id":"a","error":"access_denied"}"#,
        r#"{"auth_req_id":"a","access_token":"t","token_type":"Bearer","id_token":"e30.e30.AA"}"#,
        r#"{"auth_req_id":"b","access_token":"t","token_type":"Bearer","id_token":"e30.e30.AA"}"#,
        r#"{"auth_req_id":"a","access_token":"t","id_token":"e30.e30.AA","error":"access_denied"}"#,
        "{}",
    ];
    let choice = bytes.byte();
    let mut bearer = notification_token(flow);
    if bearer.is_empty() || choice >= 0xf0 {
        bearer.push('A');
    }
    let body = BODIES
        .get(usize::from(choice % 8))
        .map_or_else(|| bytes.some().to_vec(), |body| body.as_bytes().to_vec());
    let receive = |bearer: &str| {
        let headers: Headers = [
            ("authorization", format!("Bearer {bearer}").as_str()),
            ("content-type", "application/json"),
        ]
        .into_iter()
        .collect();
        Notification::receive("POST", &headers, Body::from(body.clone()))
            .expect("a POST with a bearer token")
    };
    // A stranger's does nothing but show the flow the time.
    assert_eq!(flow.notify(&receive("stranger"), now).verdict(), NotificationVerdict::Unauthorized);
    let (before, was_adrift) = (flow.snapshot(), flow.stage() == Stage::Adrift);
    match flow.notify(&receive(&bearer), now).verdict() {
        NotificationVerdict::Accepted => {
            assert!(choice < 0xf0, "accepted with another token");
            judge.may_skip = true;
            if was_adrift {
                judge.deadline = judge.sent.map(|sent| sent.saturating_add(ADRIFT.0));
                judge.interval = ADRIFT.1;
            }
        }
        NotificationVerdict::Unusable => {
            assert!(choice < 0xf0, "believed with another token");
            assert_eq!(flow.stage(), Stage::Settled, "an unusable delivery is the end");
        }
        _ => assert_eq!(
            before.as_bytes(),
            flow.snapshot().as_bytes(),
            "a refused notification changed something"
        ),
    }
    assert!(flow.snapshot().as_bytes().len() < 16 * 1024, "notifications pile up");
}

fn answer(
    flow: &mut Flow,
    judge: &mut Judge,
    endpoint: Endpoint,
    sending: Sending,
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
    const TOKEN_ANSWERS: [(u16, &[u8]); 8] = [
        (400, br#"{"error":"authorization_pending"}"#),
        (400, br#"{"error":"slow_down"}"#),
        (503, b""),
        (429, b"{}"),
        (400, br#"{"error":"access_denied"}"#),
        (400, br#"{"error":"expired_token"}"#),
        (400, br#"{"error":"invalid_grant"}"#),
        (200, br#"{"access_token":"t","token_type":"Bearer"}"#),
    ];
    let choice = bytes.byte();
    if choice % 5 == 4 {
        let how = if choice % 2 == 0 {
            Unanswered::NotSent(Cause::Unknown)
        } else {
            Unanswered::Lost(Cause::Unknown)
        };
        return unanswered(flow, judge, endpoint, sending, how, now);
    }
    let (is_late, names) = (is_late(flow), names(flow));
    let response = match endpoint {
        Endpoint::BackchannelAuthentication => {
            let which = usize::from(choice % 4);
            if names {
                judge.interval = Duration::from_secs(INTERVALS[which]);
                judge.deadline = judge
                    .sent
                    .map(|sent| sent.saturating_add(Duration::from_secs(LIFETIMES[which])));
            }
            Response::json(200, ACKNOWLEDGEMENTS[which])
        }
        _ => {
            let (status, body) = match choice % 16 {
                15 => (200, bytes.some()),
                _ => TOKEN_ANSWERS[usize::from(choice % 8)],
            };
            judge.redeemed |= is_final(status, body);
            Response::json(status, body.to_vec())
        }
    };
    // A flow that gave the request up meanwhile takes the answer or leaves it; both are right.
    let _late = flow.handle(sending.answered(response), now);
    if !is_late && (names || endpoint == Endpoint::Token) {
        judge.last_answer = Some(now);
    }
}
