//! Invariant: whatever calls the notification endpoint, the reply is one of seven statuses, what is
//! refused changes nothing, and only the whole token and the right id get further; a push client
//! asks for no tokens.
#![no_main]
use std::time::Duration;

use ciba_core::{
    DeliveryMode, Flow, Output, Sending, Stage, Timestamp,
    fault::Cause,
    http::{Body, Endpoint, Headers, Response, Unanswered},
    notification::{Notification, NotificationVerdict},
};
use ciba_fuzz::{START, config_for, entropy, flow, keys, notification_token};
use libfuzzer_sys::fuzz_target;

const ACKNOWLEDGEMENT: &str = r#"{"auth_req_id":"a","expires_in":120}"#;

/// An input is a digit for the state of the flow, then a call as it would be on the wire: the
/// method, header lines, an empty line, the body. `$TOKEN` in a header stands for the flow's token.
struct Call<'a> {
    state: u8,
    method: String,
    headers: Headers,
    body: &'a [u8],
}

impl<'a> Call<'a> {
    fn read(data: &'a [u8], token: &str) -> Option<Self> {
        let (state, rest) = data.split_first()?;
        let end = rest.windows(2).position(|pair| pair == b"\n\n").unwrap_or(rest.len());
        let body = rest.get(end + 2..).unwrap_or_default();
        let head = String::from_utf8_lossy(&rest[..end]).replace("$TOKEN", token);
        let mut lines = head.split('\n');
        let method = lines.next().unwrap_or_default().to_owned();
        let mut headers = Headers::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            headers.push(name, value);
        }
        Some(Self { state: *state, method, headers, body })
    }

    fn receive(&self) -> Result<Notification, u16> {
        Notification::receive(&self.method, &self.headers, Body::from(self.body.to_vec()))
            .map_err(|refused| refused.reply().status)
    }

    /// Whether it carries the token of the flow, in the one place where it counts.
    fn bears(&self, token: &str) -> bool {
        let mut fields = self.headers.all("authorization");
        let field = fields.next().unwrap_or_default();
        fields.next().is_none() && field.rsplit(' ').next() == Some(token)
    }
}

/// A flow whose request is in flight, acknowledged, or lost.
fn at(state: u8) -> (Flow, Timestamp, Option<Sending>) {
    let delivery = if state % 2 == 0 { DeliveryMode::Ping } else { DeliveryMode::Push };
    let mut flow = flow(config_for(delivery));
    let Output::Transmit(transmit) = flow.poll(START, entropy(2)) else {
        panic!("the request is next")
    };
    let now = START.saturating_add(Duration::from_secs(1));
    let sending = flow.begin(transmit, START).expect("it was asked for just now");
    let input = match state / 2 % 3 {
        0 => {
            // It sees the time, so that nothing else can change when a call is refused.
            assert!(matches!(flow.poll(now, entropy(3)), Output::Wait(_)), "in flight");
            return (flow, now, Some(sending));
        }
        1 => sending.answered(Response::json(200, ACKNOWLEDGEMENT)),
        _ => sending.unanswered(Unanswered::Lost(Cause::Unknown)),
    };
    flow.handle(input, now).expect("the answer is this flow's");
    (flow, now, None)
}

fuzz_target!(|data: &[u8]| {
    let Some(first) = data.first() else { return };
    let (mut flow, mut now, _in_flight) = at(first.wrapping_sub(b'0'));
    let token = notification_token(&flow);
    let Some(call) = Call::read(data, &token) else { return };
    let is_push = call.state.wrapping_sub(b'0') % 2 == 1;
    let notification = match call.receive() {
        Ok(notification) => notification,
        Err(status) => return assert!(matches!(status, 401 | 405 | 413), "{status}"),
    };
    let (before, stage) = (flow.snapshot(), flow.stage());
    let said = flow.notify(&notification, now).verdict();
    assert!(matches!(said.reply().status, 204 | 400 | 401 | 413 | 415), "{said:?}");
    if said == NotificationVerdict::Accepted {
        assert!(call.bears(&token), "accepted without the token");
        assert_eq!(notification.key(), flow.notification_key());
        assert!(
            !matches!(flow.notify(&notification, now).verdict(), NotificationVerdict::Accepted),
            "twice something new"
        );
    } else if said == NotificationVerdict::Unusable {
        assert!(call.bears(&token), "ended without the token");
        assert_eq!(flow.stage(), Stage::Settled);
    } else {
        assert_ne!(said, NotificationVerdict::Known, "nothing came before it");
        let is_unchanged = stage == flow.stage() && before.as_bytes() == flow.snapshot().as_bytes();
        assert!(is_unchanged, "{said:?} changed something");
    }
    // What was accepted survives a restart, and the flow ends although its outputs are not answered
    // any more.
    flow = Flow::resume(flow.config().clone(), flow.snapshot().as_bytes(), now)
        .expect("a snapshot resumes")
        .in_memory();
    for turn in 3..400 {
        let input = match flow.poll(now, entropy(turn)) {
            Output::Transmit(transmit) => {
                assert!(!is_push && transmit.endpoint() == Endpoint::Token, "{transmit:?}");
                let sending = flow.begin(transmit, now).expect("it was asked for just now");
                sending.unanswered(Unanswered::Lost(Cause::Unknown))
            }
            Output::KeySet(request) => request.found(keys()),
            Output::Wait(wait) => {
                assert!(wait.until() > now, "a wait that is over is a busy loop");
                now = wait.until();
                continue;
            }
            Output::Key(operation) => panic!("no private key here: {operation:?}"),
            Output::Save(_) => panic!("the flow is in memory"),
            Output::Done => break,
        };
        flow.handle(input, now).expect("the answer is this flow's");
    }
    assert_eq!(flow.stage(), Stage::Settled, "it never ends");
    let is_authenticated = flow.finish().is_ok();
    assert!(
        !is_authenticated || is_push && said == NotificationVerdict::Accepted,
        "authenticated by nothing"
    );
});
