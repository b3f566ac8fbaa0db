//! Ping and push: when a notification is due, its content, and the judgement of the client's answer.

// Sections 8 and 9 of spec/provider-side.md.

use core::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciba_core::{
    DeliveryMode, Timestamp,
    http::{Headers, Response},
};
use serde_json::{Value, json};

use super::{
    acts::Acts, parameters::Parameters, plan::Plan, refusal::Refusal, state::Provider,
    transaction::Record,
};
use crate::{
    backend::verifier,
    client::Client,
    entropy,
    judge::{Rule, Severity, Violation},
    message::Endpoint,
    notification::{
        Bearer, Expected, Moment, NotificationEdit, NotificationId, Notified, Outbound,
    },
    script::Decision,
};

/// The delay before a failed delivery is repeated, if it is.
const RETRY: Duration = Duration::from_secs(5);
/// The most notifications of one transaction.
const MOST_COPIES: u32 = 1_000;
/// The entropy that CIBA 7.1 requires of a notification token.
const WANTED_BITS: f64 = 128.0;
/// An `auth_req_id` that no client was given.
const NEVER_ISSUED: &str = "this-auth-req-id-was-never-issued";

impl Provider {
    /// Returns the notifications that are due, in that order. Each is returned once; report its
    /// answer to [`Self::notification_answered`].
    pub fn notifications(&mut self, now: Timestamp) -> Vec<Outbound> {
        self.settle(now);
        let mut due = Vec::new();
        for (at, record) in self.transactions.places_mut() {
            let is_due = |plan: &mut Plan| plan.due.is_some_and(|due| due <= now);
            due.extend(record.plans.extract_if(.., is_due).map(|plan| (at, plan)));
        }
        due.sort_by_key(|(_, plan)| plan.due);
        due.into_iter().map(|(at, plan)| self.notification(at, &plan, now)).collect()
    }

    /// Returns when the next notification is due, which may be in the past. `None` if none is
    /// planned.
    #[must_use]
    pub fn next_notification(&self) -> Option<Timestamp> {
        let waits = |record: &&Record| {
            record.acknowledged.is_some()
                && record.plans.iter().any(|plan| plan.moment == Moment::Decided)
        };
        let decisions =
            self.transactions.iter().filter(waits).filter_map(|record| record.scheduled);
        let decisions = decisions.map(|(at, _)| at);
        let plans =
            self.transactions.iter().flat_map(|record| &record.plans).filter_map(|plan| plan.due);
        plans.chain(decisions).min()
    }

    /// Reports the client's answer to a notification: its status, or `None` if there was no answer.
    pub fn notification_answered(
        &mut self,
        id: NotificationId,
        status: Option<u16>,
        now: Timestamp,
    ) {
        let at = id.0.checked_sub(1).and_then(|at| usize::try_from(at).ok());
        let Some(known) =
            at.and_then(|at| self.notified.get_mut(at)).filter(|known| known.answered.is_none())
        else {
            return;
        };
        (known.answered, known.status) = (Some(now), status);
        let (expected, retries, number) =
            (known.expected, known.retries, known.outbound.transaction);
        self.revision += 1;
        self.judge_answer(number, expected, status, now);
        let is_good = expected == Expected::Accepted;
        let Some(record) = self.transactions.get_mut(number - 1) else { return };
        let accepted = matches!(status, Some(200 | 204));
        if is_good && record.client.delivery == DeliveryMode::Push {
            record.delivered = Some(accepted || record.delivered == Some(true));
        }
        // Neither after a redirect nor after 401 (OP-55).
        let again = is_good && !accepted && !matches!(status, Some(300..=399 | 401));
        if again && retries > 0 {
            let mut plan = Plan::new(Acts::default(), retries - 1);
            plan.fall_due(now.saturating_add(RETRY));
            record.plans.push(plan);
        }
    }

    /// Returns whether a notification is under way, or due and not sent yet. Do not move a shared
    /// clock in that case.
    #[must_use]
    pub fn is_notifying(&self, now: Timestamp) -> bool {
        self.notifications_under_way() > 0 || self.next_notification().is_some_and(|due| due <= now)
    }

    /// Returns every notification that was sent, in that order.
    #[must_use]
    pub fn notified(&self) -> &[Notified] {
        &self.notified
    }

    /// Returns the number of notifications that were sent and have no answer yet.
    #[must_use]
    pub fn notifications_under_way(&self) -> usize {
        self.notified.iter().filter(|notified| notified.answered.is_none()).count()
    }

    /// Schedules another notification of a transaction, with these edits, for now. Returns whether
    /// there is such a transaction in ping or push mode.
    pub fn notify(
        &mut self,
        transaction: usize,
        edits: &[NotificationEdit],
        now: Timestamp,
    ) -> bool {
        let record = transaction.checked_sub(1).and_then(|at| self.transactions.get_mut(at));
        let Some(record) = record.filter(|record| record.client.delivery != DeliveryMode::Poll)
        else {
            return false;
        };
        let mut plan = Plan::new(Acts { notification: edits.to_vec(), ..Acts::default() }, 0);
        plan.fall_due(now);
        record.plans.push(plan);
        true
    }

    /// Takes every scheduled decision that is due.
    pub(super) fn settle(&mut self, now: Timestamp) {
        for (_, record) in self.transactions.places_mut() {
            let Some((at, decision)) = record.scheduled.filter(|(at, _)| *at <= now) else {
                continue;
            };
            record.scheduled = None;
            if record.decided.is_none() && at < record.expires {
                record.decided = Some(decision);
                record.decided_at(at);
                self.revision += 1;
            }
        }
    }

    /// Plans the notifications of a transaction that begins (OP-53).
    pub(super) fn plan(&self, record: &mut Record) {
        if record.client.delivery == DeliveryMode::Poll {
            return;
        }
        let acts = |copy| {
            let mut acts = Acts::default();
            acts.take(&self.script, Endpoint::Notification, copy);
            acts.take(&record.script, Endpoint::Notification, copy);
            acts
        };
        let copies = acts(1).notification.iter().rev().find_map(|edit| match edit {
            NotificationEdit::Copies(count) => Some(*count),
            _ => None,
        });
        let plans: Vec<Plan> = (1..=copies.unwrap_or(1).min(MOST_COPIES))
            .map(acts)
            .filter(|acts| !acts.notification.contains(&NotificationEdit::Withhold))
            .map(|acts| Plan::new(acts, self.config.notification_retries))
            .collect();
        let brings_forward = |plan: &Plan| plan.moment == Moment::Overtaking && !plan.is_forged();
        if let Some((_, decision)) = record.scheduled.filter(|_| plans.iter().any(brings_forward)) {
            record.scheduled = None;
            record.decided = Some(decision);
            record.decision_came = Some(record.started);
        }
        record.plans = plans;
        for plan in &mut record.plans {
            match plan.moment {
                Moment::Overtaking => plan.fall_due(record.started),
                Moment::Expired => plan.fall_due(record.expires),
                Moment::Acknowledgement | Moment::Decided => {}
            }
        }
    }

    fn notification(&mut self, at: usize, plan: &Plan, now: Timestamp) -> Outbound {
        plan.acts.keys.iter().for_each(|edit| self.keys.edit(edit.clone()));
        let others = |record: &&Record| record.number != at + 1 && now < record.expires;
        let other = self
            .transactions
            .iter()
            .filter(others)
            .find(|record| record.notification_token.is_some());
        let other =
            other.map(|record| (record.auth_req_id.clone(), record.notification_token.clone()));
        let (other_id, other_token) = other.unwrap_or_else(|| (NEVER_ISSUED.to_owned(), None));
        let other_token = other_token.unwrap_or_else(|| self.ids.token());
        let record = &self.transactions[at];
        let mut auth_req_id = record.auth_req_id.clone();
        let token = record.notification_token.clone().unwrap_or_default();
        let (mut url, mut method) =
            (record.client.notification_endpoint.clone().unwrap_or_default(), "POST".to_owned());
        let (mut raw, mut error) = (None, None);
        for edit in &plan.acts.notification {
            match edit {
                NotificationEdit::UnknownId => NEVER_ISSUED.clone_into(&mut auth_req_id),
                NotificationEdit::OtherId => auth_req_id.clone_from(&other_id),
                NotificationEdit::Method(name) => method.clone_from(name),
                NotificationEdit::UrlSuffix(text) => url.push_str(text),
                NotificationEdit::Body(bytes) => raw = Some(bytes.clone()),
                NotificationEdit::Error(code) => error = Some(code.clone()),
                NotificationEdit::Withhold
                | NotificationEdit::At(_)
                | NotificationEdit::Copies(_)
                | NotificationEdit::Bearer(_) => {}
            }
        }
        if plan.bearer() == Some(Bearer::InQuery) {
            url = format!("{url}?access_token={token}");
        }
        let mut payload = match (record.client.delivery, record.decision(now), error) {
            (DeliveryMode::Poll | DeliveryMode::Ping, _, _) => json!({}),
            (DeliveryMode::Push, _, Some(code)) => json!({ "error": code }),
            (DeliveryMode::Push, Some(Decision::Deny), None) => json!({ "error": "access_denied" }),
            (DeliveryMode::Push, Some(Decision::Approve) | None, None) => {
                self.pushed(at, plan, now)
            }
        };
        payload["auth_req_id"] = auth_req_id.into();
        let json: Headers = [("content-type", "application/json")].into_iter().collect();
        let made = plan.acts.amended(Response::new(
            200,
            json,
            raw.unwrap_or_else(|| payload.to_string().into_bytes()),
        ));
        let authorization = Bearer::fields(plan.bearer(), &token, &other_token);
        let mut headers: Headers =
            authorization.into_iter().map(|value| ("authorization", value)).collect();
        for (name, value) in made.headers.iter() {
            headers.push(name, value);
        }
        let expected = self.expected(at, plan, now);
        let record = &mut self.transactions[at];
        let is_ping = record.client.delivery == DeliveryMode::Ping;
        if expected == Expected::Accepted && is_ping && self.config.ping_skips_interval {
            record.pace.pinged();
        }
        let id = NotificationId(u64::try_from(self.notified.len()).unwrap_or(u64::MAX) + 1);
        let due = plan.due.unwrap_or(now);
        let outbound =
            Outbound { id, transaction: at + 1, method, url, headers, body: made.body, due };
        self.notified.push(Notified {
            outbound: outbound.clone(),
            sent: now,
            answered: None,
            status: None,
            expected,
            retries: plan.retries,
        });
        outbound
    }

    /// The token response of a push. Repeated deliveries are identical (OP-57).
    fn pushed(&mut self, at: usize, plan: &Plan, now: Timestamp) -> Value {
        let kept = self.transactions[at].pushed.clone().filter(|_| plan.acts.id_token.is_empty());
        if let Some(kept) = kept {
            return kept;
        }
        let record = self.transactions[at].clone();
        let payload = self.token_set(&record, &plan.acts.id_token, now);
        self.keep_refresh_token(&payload, &record, now);
        if plan.acts.id_token.is_empty() {
            self.transactions[at].pushed = Some(payload.clone());
        }
        payload
    }

    fn expected(&self, at: usize, plan: &Plan, now: Timestamp) -> Expected {
        let record = &self.transactions[at];
        let edits = &plan.acts.notification;
        let is_push = record.client.delivery == DeliveryMode::Push;
        let lies = |edit: &NotificationEdit| {
            matches!(edit, NotificationEdit::UnknownId | NotificationEdit::OtherId)
        };
        if edits.iter().any(|edit| matches!(edit, NotificationEdit::Method(_))) {
            Expected::MethodNotAllowed
        } else if plan.bearer().is_some_and(|bearer| !bearer.is_right()) {
            Expected::Unauthorized
        } else if edits.iter().any(lies) || plan.bearer() == Some(Bearer::TwoSpaces) {
            Expected::NoMatter
        } else if edits.iter().any(|edit| matches!(edit, NotificationEdit::Body(_))) {
            Expected::Refused
        } else if now >= record.expires
            || !plan.acts.id_token.is_empty()
            || edits.iter().any(|edit| matches!(edit, NotificationEdit::UrlSuffix(_)))
            || plan.acts.changes_more_than_members(is_push)
        {
            Expected::NoMatter
        } else {
            Expected::Accepted
        }
    }

    /// OP-55, OP-60 and the list of section 15.
    fn judge_answer(
        &mut self,
        number: usize,
        expected: Expected,
        status: Option<u16>,
        now: Timestamp,
    ) {
        let Some(status) = status else { return };
        // What CIBA 10.2 recommends, or leaves open, is advice.
        use Severity::{Advice, Mistake};
        let answer = Rule::NotificationAnswer;
        let (rule, severity, what) = match (expected, status) {
            (_, 300..=399) => {
                (Rule::NotificationRedirect, Mistake, "a notification was answered with a redirect")
            }
            (Expected::Accepted, 200 | 204 | 503)
            | (Expected::Unauthorized, 401)
            | (Expected::MethodNotAllowed, 405)
            | (Expected::Refused | Expected::NoMatter, 400..=499)
            | (Expected::NoMatter, 200..=299) => return,
            (Expected::Accepted, 201..=299) => {
                (answer, Advice, "a good notification was not answered with 204")
            }
            (Expected::Accepted, _) => (answer, Mistake, "a good notification was not accepted"),
            (Expected::Unauthorized, 200..=299) => {
                (Rule::ForgedNotification, Mistake, "a wrong bearer token was accepted")
            }
            (Expected::Unauthorized, _) => {
                (answer, Advice, "a wrong bearer token was not answered with 401")
            }
            (Expected::MethodNotAllowed, _) => {
                (answer, Advice, "another method was not answered with 405")
            }
            (Expected::Refused, _) => (answer, Advice, "a malformed notification was not refused"),
            (Expected::NoMatter, _) => (answer, Advice, "a notification led to a server error"),
        };
        let Some(record) = self.transactions.get(number - 1) else { return };
        let (exchange, client_id) = (record.asked, Some(record.client.id.clone()));
        let (reason, endpoint) = (format!("{what}, but with {status}"), Endpoint::Notification);
        self.findings.push(Violation {
            rule,
            severity,
            client_id,
            exchange,
            endpoint,
            at: now,
            reason,
        });
    }

    /// Checks the token that a ping or push client sends for its notifications (OP-20).
    pub(super) fn notification_token(
        &mut self,
        client: &Client,
        parameters: &Parameters,
    ) -> Result<Option<String>, Refusal> {
        if client.delivery == DeliveryMode::Poll {
            let refused = self.config.refuses_needless_notification_token;
            return match parameters.get("client_notification_token").filter(|_| refused) {
                None => Ok(None),
                Some(_) => Err(Refusal::error(
                    400,
                    "invalid_request",
                    "a poll client must not send client_notification_token",
                )),
            };
        }
        let bad = |reason| Err(Refusal::bad(Rule::NotificationToken, reason));
        let Some(token) = parameters.get("client_notification_token") else {
            return bad("client_notification_token is missing");
        };
        if token.len() > 1024 {
            return bad("client_notification_token is longer than 1024 characters");
        }
        let body = token.trim_end_matches('=');
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        if body.is_empty() || !body.bytes().all(fits) {
            return bad("client_notification_token is not a bearer token");
        }
        if entropy::most_bits(token) < WANTED_BITS {
            return bad("client_notification_token is too short for 128 bits");
        }
        if entropy::likely_bits(token) < WANTED_BITS {
            self.broke(
                Rule::NotificationToken,
                "client_notification_token appears to have less than 128 bits of entropy",
            );
        }
        Ok(Some(token.to_owned()))
    }

    /// The hash of a token for an ID Token: the left half of its digest, with the hash of the ID
    /// Token's algorithm (OP-58).
    pub(super) fn token_hash(client: &Client, token: &str) -> String {
        URL_SAFE_NO_PAD
            .encode(verifier().digest(client.id_token_alg.hash(), token.as_bytes()).left_half())
    }
}
