//! The pace that a client has to keep, and whether it does.

// Section 6 of spec/provider-side.md.

use core::time::Duration;

use ciba_core::{Timestamp, http::Response};
use serde_json::Value;

use crate::{
    config::SpeedReference,
    judge::{Rule, Severity},
    message::ExchangeId,
};

/// What the client was told about its pace, and whether it complied.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    pub(super) interval: Duration,
    /// The time from which the interval counts; `None` before the first poll if arrivals count.
    reference: Option<Timestamp>,
    /// The reference and the pass before the open request, which a demanded nonce restores.
    before: (Option<Timestamp>, bool),
    not_before: Option<Timestamp>,
    /// When the transaction expires, according to the acknowledgement.
    pub(super) deadline: Timestamp,
    /// A token request whose answer was not sent yet.
    open: Option<(ExchangeId, Timestamp)>,
    over: Option<Over>,
    too_early: u32,
    /// Whether a ping was sent and the token request that it allows has not arrived yet.
    pass: bool,
    /// The time before the deadline within which one last poll is allowed, however long the interval
    /// is; `None` after that poll.
    last: Option<Duration>,
}

/// The reason why no further token request is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    Terminal,
    Success,
}

/// The number of seconds that `slow_down` adds to the interval (CIBA 11).
const STEP: Duration = Duration::from_secs(5);
/// A last poll shortly before the deadline saves a login that a long interval would lose.
const LAST: Duration = Duration::from_secs(5);
/// The client counts its deadline from the time at which it sent the request.
const LATENCY: Duration = Duration::from_secs(1);
/// A client may stop waiting for an answer after this time and poll again (CIBA 10.1).
const PATIENCE: Duration = Duration::from_secs(30);

impl Pace {
    /// The pace that an acknowledgement asks for. Interval and lifetime are read from the answer that
    /// is sent, which a script may have changed.
    pub(super) fn told(
        response: &Response,
        arrived: Timestamp,
        own_lifetime: Duration,
        counts: SpeedReference,
    ) -> Self {
        let body: Value = serde_json::from_slice(response.body.expose()).unwrap_or_default();
        let seconds = |name: &str| match &body[name] {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.parse::<f64>().ok(),
            _ => None,
        };
        let interval = seconds("interval")
            .filter(|seconds| *seconds > 0.0)
            .map_or(5.0, |seconds| seconds.ceil().max(1.0));
        let lifetime = seconds("expires_in").filter(|seconds| *seconds > 0.0 && *seconds < 1e9);
        let lifetime = lifetime.map_or(own_lifetime, Duration::from_secs_f64);
        Self {
            interval: Duration::from_secs_f64(interval.min(1e9)),
            reference: (counts == SpeedReference::PreviousReply).then_some(arrived),
            before: (None, false),
            not_before: None,
            deadline: arrived.saturating_add(lifetime),
            open: None,
            over: None,
            too_early: 0,
            pass: false,
            last: Some(LAST.min(lifetime / 10).saturating_add(LATENCY)),
        }
    }

    /// Judges a token request when it arrives. An early poll is the last finding, so that it can lead
    /// to `slow_down`. A poll after the end is correct until the client was told that it is over.
    pub(super) fn arrive(
        &mut self,
        id: ExchangeId,
        tolerance: Duration,
        now: Timestamp,
    ) -> Vec<(Rule, Severity, String)> {
        let mut broken = Vec::new();
        let mut say =
            |rule: Rule, reason: String| broken.push((rule, rule.usual_severity(), reason));
        match self.over {
            Some(Over::Terminal) => {
                say(Rule::AfterTerminalAnswer, "the last answer was final".into())
            }
            Some(Over::Success) => {
                say(Rule::AfterSuccess, "the tokens were already delivered".into())
            }
            None => {}
        }
        if let Some((_, since)) = self.open.filter(|(_, since)| now.since(*since) < PATIENCE) {
            say(
                Rule::Overlap,
                format!("another one is open for {} ms", now.since(since).as_millis()),
            );
        }
        if let Some(until) = self.not_before.filter(|until| now < *until) {
            say(Rule::BeforeRetryAfter, format!("{} ms too early", until.since(now).as_millis()));
        }
        self.before = (self.reference, self.pass);
        let due = self.reference.map(|reference| reference.saturating_add(self.interval));
        // A ping allows one token request at once (OP-51).
        let pass = core::mem::take(&mut self.pass);
        if let Some(due) = due.filter(|due| !pass && now.saturating_add(tolerance) < *due) {
            self.too_early += 1;
            let reason = format!("{} ms before the interval was over", due.since(now).as_millis());
            let is_last = now < self.deadline
                && self.last.is_some_and(|last| self.deadline.since(now) <= last);
            if is_last && self.over.is_none() {
                self.last = None;
                let reason = format!(
                    "{reason}, for one last poll before the deadline; CIBA 7.3 makes no exception for it"
                );
                broken.push((Rule::TooEarly, Severity::Advice, reason));
            } else {
                say(Rule::TooEarly, reason);
            }
        }
        self.reference = Some(now);
        self.open = Some((id, now));
        broken
    }

    /// A ping was sent.
    pub(super) const fn pinged(&mut self) {
        self.pass = true;
    }

    pub(super) const fn too_early(&self) -> u32 {
        self.too_early
    }

    /// Takes in what an answer of the token endpoint tells the client. `pending` is sent in place of
    /// `authorization_pending`.
    pub(super) fn answered(
        &mut self,
        response: &Response,
        pending: Option<(&str, &str)>,
        now: Timestamp,
    ) {
        let body: Value = serde_json::from_slice(response.body.expose()).unwrap_or_default();
        let (error, text) =
            (body["error"].as_str(), body["error_description"].as_str().unwrap_or_default());
        match (error, response.status) {
            (Some("slow_down"), _) => self.interval += STEP,
            // The request may be repeated at once (RFC 9449 section 8).
            (Some("use_dpop_nonce"), 400) if response.headers.get("dpop-nonce").is_some() => {
                (self.reference, self.pass) = self.before;
                self.open = None;
            }
            (Some(code), _) if pending.is_some_and(|known| known == (code, text)) => {}
            (Some("authorization_pending"), _) | (_, 408 | 425 | 429 | 500..=599) => {}
            // A success followed by `invalid_grant` stays a success.
            (Some(_), _) | (None, 300..=499) => self.over = self.over.or(Some(Over::Terminal)),
            (None, _) => self.over = Some(Over::Success),
        }
        self.not_before = response.headers.get("retry-after").map(str::trim).and_then(|text| {
            match text.parse() {
                Ok(seconds) => Some(now.saturating_add(Duration::from_secs(seconds))),
                Err(_) => httpdate::parse_http_date(text).ok().map(Timestamp::from),
            }
        });
    }

    /// The acknowledgement was sent.
    pub(super) fn acknowledged(&mut self, now: Timestamp, counts: SpeedReference) {
        if counts == SpeedReference::PreviousReply && self.open.is_none() {
            self.reference = Some(now);
        }
    }

    /// The answer was sent, or the connection was closed.
    pub(super) fn ended(&mut self, id: ExchangeId, now: Timestamp, counts: SpeedReference) {
        if self.open.is_some_and(|(open, _)| open == id) {
            self.open = None;
            if counts == SpeedReference::PreviousReply {
                self.reference = Some(now);
            }
        }
    }
}
