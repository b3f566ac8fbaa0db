//! The effects of notifications on a flow.

use ciba_core::{
    DeliveryMode, Stage,
    notification::{NotificationVerdict, Receipt, Receiving},
};
use serde_json::Value;

use super::{Kind, START, Sim, mirror::Delivered};
use crate::{
    callback::{Bearer, Callback, Content},
    model::Forgery,
};

/// The number of notifications that a flow keeps before it knows its id.
const EARLY: usize = 4;

impl Sim {
    /// Delivers a notification: its effect is saved if the store allows it, and it is answered.
    ///
    /// # Panics
    ///
    /// Panics if a rule is broken.
    pub fn notify(&mut self, callback: Callback) -> NotificationVerdict {
        let mut receipt = self.take(callback);
        loop {
            let now = self.now();
            match self.flow.acknowledge(&mut receipt, now) {
                Receiving::Reply(verdict) => return verdict,
                Receiving::Save(save) => {
                    self.keep(save);
                }
                Receiving::Wait(_) => panic!("no other save is under way"),
            }
        }
    }

    /// Delivers a notification and kills the process before anything is saved or answered.
    pub fn notify_and_die(&mut self, callback: Callback) {
        let _ = self.take(callback);
        self.crash();
    }

    fn take(&mut self, callback: Callback) -> Receipt {
        let token = self.token.clone().unwrap_or_else(|| "C".repeat(65));
        let notification = callback.send(&mut self.op, &token, (START + self.elapsed) / 1000);
        let (before, revision, now) = (self.flow.stage(), self.flow.revision(), self.now());
        // A notification may carry an older reading of the clock than the last one, and does not
        // count as a clock that was set back.
        if self.wall >= self.mirror.wall {
            self.observe();
        }
        // A rejected notification changes nothing but the time that the flow has seen, so one is
        // delivered first.
        let stranger =
            Callback { bearer: Bearer::OtherFlow, ..callback }.send(&mut self.op, &token, 0);
        assert_eq!(self.flow.notify(&stranger, now).verdict(), NotificationVerdict::Unauthorized);
        let unchanged = self.flow.snapshot();
        let (expected, delivered) = self.expected(callback, before);
        let receipt = self.flow.notify(&notification, now);
        let verdict = receipt.verdict();
        assert_eq!(verdict, expected, "{callback:?} at {before:?}");
        let after = self.flow.stage();
        if verdict == NotificationVerdict::Accepted {
            self.op.named.insert(callback.auth_req_id());
            assert!(self.flow.revision() > revision, "an accepted notification is worth a save");
            match delivered {
                Some(delivered) => {
                    self.is_delivered(delivered);
                    let expected: &[Stage] = match (delivered, before) {
                        (Delivered::Ping, Stage::Redeeming) => &[Stage::Redeeming],
                        (Delivered::Ping, _) => &[Stage::Pending],
                        // Some tokens are rejected before any key is looked up.
                        (Delivered::Tokens, _) => &[Stage::Verifying, Stage::Settled],
                        (Delivered::Error, _) => &[Stage::Settled],
                    };
                    assert!(expected.contains(&after), "{callback:?}: {before:?} to {after:?}");
                }
                None => assert_eq!(before, after),
            }
        } else if verdict == NotificationVerdict::Unusable {
            assert!(self.flow.revision() > revision, "the end is worth a save");
            assert_eq!(after, Stage::Settled);
        } else {
            assert_eq!(
                unchanged.as_bytes(),
                self.flow.snapshot().as_bytes(),
                "{callback:?} changed something"
            );
        }
        receipt
    }

    /// Returns the expected answer, in the order of docs/flow.md, and what is delivered now.
    fn expected(
        &mut self,
        callback: Callback,
        stage: Stage,
    ) -> (NotificationVerdict, Option<Delivered>) {
        let (mode, moment) = (self.setup.delivery, self.mirror.moment);
        let refused = |acknowledgement| (acknowledgement, None);
        let is_late = self.mirror.notifications.until.is_some_and(|until| moment > until);
        if mode == DeliveryMode::Poll || callback.bearer != Bearer::Ours || is_late {
            return refused(NotificationVerdict::Unauthorized);
        }
        match callback.content {
            Content::Large if mode == DeliveryMode::Ping => {
                return refused(NotificationVerdict::TooLarge);
            }
            Content::MediaType => return refused(NotificationVerdict::UnsupportedMediaType),
            Content::NoId
            | Content::IdNotText
            | Content::IdEmpty
            | Content::NotJson
            | Content::Duplicate => {
                return refused(NotificationVerdict::Malformed);
            }
            Content::Ping
            | Content::Tokens(_)
            | Content::Error(_)
            | Content::Both
            | Content::Large => {}
        }
        if self.mirror.notifications.id.is_some_and(|id| id != callback.id) {
            return refused(NotificationVerdict::AnotherRequest);
        }
        // A request that ended before it was named has no further notifications.
        if stage == Stage::Settled && self.mirror.notifications.id.is_none() {
            return refused(NotificationVerdict::Unauthorized);
        }
        if matches!(stage, Stage::Verifying | Stage::Settled) {
            return refused(NotificationVerdict::Known);
        }
        let delivered = match (mode, callback.content) {
            // Tokens for a client in ping mode, whose own requests would no longer bring any.
            (DeliveryMode::Ping, Content::Tokens(_) | Content::Both) if stage == Stage::Pending => {
                return refused(NotificationVerdict::Unusable);
            }
            (DeliveryMode::Ping, _) => Delivered::Ping,
            (_, Content::Error(_)) => Delivered::Error,
            (_, Content::Tokens(forgery)) if forgery != Forgery::Missing => Delivered::Tokens,
            // A provider delivers once, so a waiting flow ends with the reason.
            _ if stage == Stage::Pending => return refused(NotificationVerdict::Unusable),
            _ => return refused(NotificationVerdict::Malformed),
        };
        match (stage, &self.mirror.grant) {
            (Stage::Authorizing, _) => {
                let early = &mut self.mirror.notifications.early;
                if early.iter().any(|(id, _)| *id == callback.id) {
                    return refused(NotificationVerdict::Known);
                }
                if early.len() >= EARLY {
                    return refused(NotificationVerdict::Unauthorized);
                }
                early.push((callback.id, delivered));
                if self
                    .mirror
                    .open
                    .is_some_and(|open| open.kind == Kind::Authentication && open.begun)
                {
                    return (NotificationVerdict::Accepted, None);
                }
                // Nothing is in flight, but the provider has the request. It is not sent again, and
                // a signature for it is no longer needed.
                (self.mirror.open, self.mirror.draft) = (None, None);
                let sent = self.mirror.first_sent.map_or(moment, |sent| sent.min(moment));
                let delivered = self.mirror.loses_acknowledgement(sent, &self.setup);
                self.spacing_begins();
                (NotificationVerdict::Accepted, delivered)
            }
            (Stage::Adrift, _) => {
                self.mirror.adopts(callback.id, &self.setup);
                self.spacing_begins();
                (NotificationVerdict::Accepted, Some(delivered))
            }
            (Stage::Pending, Some(grant)) if mode == DeliveryMode::Ping => {
                // Not `wake_at`, which may be earlier, for keys that are requested ahead of time.
                let saved: Value =
                    serde_json::from_slice(self.flow.snapshot().as_bytes()).expect("JSON");
                let due = saved["phase"]["pending"]["due"]
                    .as_u64()
                    .expect("a pending flow has a due time");
                match grant.heeds_ping(due.min(grant.deadline), moment) {
                    true => (NotificationVerdict::Accepted, Some(delivered)),
                    false => refused(NotificationVerdict::Known),
                }
            }
            (Stage::Redeeming, Some(grant)) if mode == DeliveryMode::Ping => {
                let in_flight =
                    self.mirror.open.is_some_and(|open| open.kind == Kind::Token && open.begun);
                match grant.heeds_ping_while_asking(in_flight) {
                    true => (NotificationVerdict::Accepted, Some(delivered)),
                    false => refused(NotificationVerdict::Known),
                }
            }
            _ => (NotificationVerdict::Accepted, Some(delivered)),
        }
    }

    /// Records what a notification delivered: a ping skips the wait, a push is the result.
    pub(super) fn is_delivered(&mut self, delivered: Delivered) {
        let (moment, stage) = (self.mirror.moment, self.flow.stage());
        match delivered {
            Delivered::Ping => {
                let is_asking = stage == Stage::Redeeming;
                let has_begun = self.mirror.open.is_some_and(|open| open.begun);
                if let Some(grant) = &mut self.mirror.grant {
                    grant.is_pinged((!is_asking).then_some(moment));
                    // A request that has not begun answers the ping itself.
                    grant.owes = !is_asking || has_begun;
                }
            }
            Delivered::Tokens => self.mirror.redeemed = true,
            Delivered::Error => {}
        }
    }
}
