//! Handling a notification: the verdict of the flow, and the save before the reply.

use super::{
    context::Context,
    machine::Flow,
    notify::{Notification, NotificationKey, NotificationVerdict},
    phase::Phase,
};
use crate::{ask::Save, time::Timestamp};

impl Flow {
    /// Returns the key of the flow's notifications, which is known from the start, or `None` in poll
    /// mode.
    #[must_use]
    pub fn notification_key(&self) -> Option<NotificationKey> {
        self.notifications.as_ref()?.key()
    }

    /// Handles a notification. Afterwards, [`Self::acknowledge`] returns what to answer. A flow in
    /// poll mode accepts no notifications and is not changed by them.
    ///
    /// If the [receipt](Receipt::is_news) contains news, poll the flow, whatever happens to the
    /// answer: the next polls verify what was accepted, or start a token request.
    ///
    /// `now` may be somewhat older than the last reading that the flow has seen, because a caller
    /// may read the clock before it locks the flow.
    pub fn notify(&mut self, notification: &Notification, now: Timestamp) -> Receipt {
        // Anyone can call the endpoint, so an older reading must not count as a clock that was set
        // back, and the time since then must not count twice.
        self.observe(now.max(self.clock.wall()));
        let verdict = self.take_in(notification, now);
        if matches!(verdict, NotificationVerdict::Accepted | NotificationVerdict::Unusable) {
            self.touch();
            if let Some(notifications) = &mut self.notifications {
                notifications.has_news = true;
            }
        }
        Receipt::new(verdict, self.revision)
    }

    /// Returns whether a notification was accepted since the last call.
    pub(crate) fn take_news(&mut self) -> bool {
        self.notifications
            .as_mut()
            .is_some_and(|notifications| core::mem::take(&mut notifications.has_news))
    }

    fn take_in(&mut self, notification: &Notification, now: Timestamp) -> NotificationVerdict {
        let context = Context::new(&self.config, now, self.clock.moment());
        let is_superseded = self.is_superseded();
        let Some(notifications) = &mut self.notifications else {
            return NotificationVerdict::Unauthorized;
        };
        let Some(phase) = self.phase.take() else { return NotificationVerdict::Unauthorized };
        let (phase, verdict) = match notifications.admit(notification, context.moment) {
            Err(refused) => (phase, refused),
            // A flow that another process continues takes nothing in.
            Ok(_) if is_superseded && matches!(phase, Phase::Settled(_)) => {
                (phase, NotificationVerdict::Known)
            }
            Ok(body) => notifications.take(phase, body, notification, &context),
        };
        self.phase = Some(phase);
        verdict
    }

    /// Returns how to answer a notification that [`Self::notify`] handled. A durable flow is saved
    /// first.
    pub fn acknowledge(&mut self, receipt: &mut Receipt, now: Timestamp) -> Receiving {
        self.observe(now.max(self.clock.wall()));
        let moment = self.clock.moment();
        // A stranger must not be able to cause a save.
        let is_authentic = receipt.is_news() || receipt.verdict == NotificationVerdict::Known;
        let revision = self.revision;
        let Some(saving) = self.saving.as_mut().filter(|_| is_authentic) else {
            return Receiving::Reply(receipt.verdict);
        };
        saving.notice_drop(moment);
        if saving.is_superseded && receipt.verdict != NotificationVerdict::Unusable {
            // The provider may repeat it to the process that continues the flow.
            return Receiving::Reply(NotificationVerdict::Unsaved);
        }
        match &saving.open {
            // The state with this notification is in the store, or the flow is over and saved for
            // good.
            _ if saving.is_over || saving.kept.is_some_and(|kept| kept >= receipt.revision) => {
                Receiving::Reply(receipt.verdict)
            }
            // Saves of a flow never overlap, and the one in progress may have been started before
            // this notification.
            Some((open, _)) => Receiving::Wait(self.clock.wall_at(open.limit)),
            // One save for each receipt: the provider repeats the notification if it gets a 503.
            None if receipt.was_tried => Receiving::Reply(NotificationVerdict::Unsaved),
            None => {
                receipt.was_tried = true;
                debug_assert!(revision >= receipt.revision, "revisions only rise");
                self.save().map_or(Receiving::Reply(receipt.verdict), Receiving::Save)
            }
        }
    }
}

/// A notification that was handled and must be answered; see [`Flow::acknowledge`].
#[must_use = "pass it to Flow::acknowledge to learn the reply"]
#[derive(Debug)]
pub struct Receipt {
    verdict: NotificationVerdict,
    /// The revision of the state that contains the notification.
    revision: u64,
    /// Whether a save was attempted for it.
    was_tried: bool,
}

impl Receipt {
    pub(super) const fn new(verdict: NotificationVerdict, revision: u64) -> Self {
        Self { verdict, revision, was_tried: false }
    }

    /// Returns the verdict of the flow.
    pub const fn verdict(&self) -> NotificationVerdict {
        self.verdict
    }

    /// Returns `true` if the notification contains news, so that the flow must be polled.
    #[must_use]
    pub const fn is_news(&self) -> bool {
        matches!(self.verdict, NotificationVerdict::Accepted | NotificationVerdict::Unusable)
    }
}

/// The next step in answering a notification.
#[must_use = "the provider waits for the reply"]
#[derive(Debug)]
pub enum Receiving {
    /// Send the [`reply`](NotificationVerdict::reply) of this verdict.
    Reply(NotificationVerdict),
    /// Save this state, pass the outcome to the flow, and ask again.
    Save(Save),
    /// Another save is in progress. Ask again when it has ended, at this instant at the latest.
    Wait(Timestamp),
}
