//! Applies scripts: the steps that match a message, and their effect on the answer.

use ciba_core::{Timestamp, http::Response};
use serde_json::Value;

use crate::{
    message::{Endpoint, Reply},
    notification::NotificationEdit,
    script::{Act, Amendment, Decision, IdTokenEdit, KeySetEdit, Script, ScriptedAnswer},
};

/// Everything the scripts say about one message.
#[derive(Debug, Clone, Default)]
pub(super) struct Acts {
    pub(super) answer: Option<ScriptedAnswer>,
    pub(super) amendments: Vec<Amendment>,
    pub(super) id_token: Vec<IdTokenEdit>,
    pub(super) keys: Vec<KeySetEdit>,
    pub(super) notification: Vec<NotificationEdit>,
    pub(super) decide: Option<Decision>,
    pub(super) drop_before: bool,
    pub(super) hold_forever: bool,
    /// How the answer is sent, in the order of the script.
    pub(super) deliveries: Vec<Act>,
}

impl Acts {
    /// Adds the acts of every step that matches the `count`-th message of an endpoint.
    pub(super) fn take(&mut self, script: &Script, endpoint: Endpoint, count: u32) {
        let fitting = script
            .steps
            .iter()
            .filter(|step| step.endpoint == endpoint && step.which.includes(count));
        for step in fitting {
            match &step.act {
                Act::Answer(answer) => self.answer = Some(answer.clone()),
                Act::Amend(amendment) => self.amendments.push(amendment.clone()),
                Act::IdToken(edit) => self.id_token.push(edit.clone()),
                Act::Keys(edit) => self.keys.push(edit.clone()),
                Act::Notification(edit) => self.notification.push(edit.clone()),
                Act::Decide(decision) => self.decide = Some(*decision),
                Act::DropBefore => self.drop_before = true,
                Act::HoldForever => self.hold_forever = true,
                delivery => self.deliveries.push(delivery.clone()),
            }
        }
    }

    /// The answer with all amendments.
    pub(super) fn amended(&self, mut response: Response) -> Response {
        for amendment in &self.amendments {
            response = amend(response, amendment);
        }
        response
    }

    /// Whether a notification is changed in more than additional members.
    pub(super) fn changes_more_than_members(&self, is_push: bool) -> bool {
        self.amendments.iter().any(|amendment| {
            let own = [
                "auth_req_id",
                "error",
                "access_token",
                "refresh_token",
                "id_token",
                "token_type",
                "expires_in",
            ];
            // A ping client may refuse tokens or ignore them.
            let of_ping = ["auth_req_id", "access_token", "refresh_token", "id_token"];
            let is_own =
                |name: &String| if is_push { &own[..] } else { &of_ping }.contains(&name.as_str());
            let further = Amendment { set: Vec::new(), ..amendment.clone() };
            further != Amendment::new() || amendment.set.iter().any(|(name, _)| is_own(name))
        })
    }

    /// Whether the client never receives the whole answer.
    pub(super) fn lose_the_answer(&self) -> bool {
        let loses = |act: &Act| matches!(act, Act::DropAfter | Act::DropInside(_) | Act::Endless);
        self.drop_before || self.hold_forever || self.deliveries.iter().any(loses)
    }

    /// How it is sent, apart from delays.
    pub(super) fn delivered(&self, response: Response) -> Reply {
        let mut reply = Reply::Answer(response);
        for act in &self.deliveries {
            let response = match reply {
                Reply::Answer(response) => response,
                other => return other,
            };
            reply = match act {
                Act::DropAfter => Reply::Drop,
                Act::DropInside(sent) => Reply::DropInside { response, sent: *sent },
                Act::Drip { bytes_per_second } => {
                    Reply::Drip { response, bytes_per_second: *bytes_per_second }
                }
                Act::Endless => Reply::Endless(response),
                Act::Close(closing) => Reply::Close { response, closing: *closing },
                _ => Reply::Answer(response),
            };
        }
        reply
    }

    /// When the answer is sent.
    pub(super) fn leaves_at(&self, now: Timestamp) -> Timestamp {
        let delay = |at: Timestamp, act: &Act| match act {
            Act::Delay(delay) => at.saturating_add(*delay),
            _ => at,
        };
        self.deliveries.iter().fold(now, delay)
    }
}

impl ScriptedAnswer {
    pub(super) fn response(&self) -> Response {
        Response::new(self.status, self.headers.iter().cloned().collect(), self.body.clone())
    }
}

fn amend(response: Response, amendment: &Amendment) -> Response {
    let mut body = response.body.expose().to_vec();
    let changes_members = !amendment.set.is_empty()
        || !amendment.append_to.is_empty()
        || !amendment.remove.is_empty();
    if changes_members && let Ok(Value::Object(mut members)) = serde_json::from_slice(&body) {
        for (name, value) in &amendment.set {
            members.insert(name.clone(), value.clone());
        }
        for (name, text) in &amendment.append_to {
            if let Some(Value::String(value)) = members.get_mut(name) {
                value.push_str(text);
            }
        }
        for name in &amendment.remove {
            members.remove(name);
        }
        body = Value::Object(members).to_string().into_bytes();
    }
    if let Some(raw) = amendment.raw_members.as_ref().filter(|_| body.first() == Some(&b'{')) {
        body.splice(1..1, raw.bytes());
    }
    body.extend(&amendment.append);
    if let Some(length) = amendment.truncate {
        body.truncate(length);
    }
    let mut headers: Vec<(String, String)> =
        response.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    if let Some(media_type) = &amendment.media_type {
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        if !media_type.is_empty() {
            headers.push(("content-type".to_owned(), media_type.clone()));
        }
    }
    headers.extend(amendment.headers.iter().cloned());
    Response::new(amendment.status.unwrap_or(response.status), headers.into_iter().collect(), body)
}
