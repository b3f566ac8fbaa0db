//! The flows that notifications can reach.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ciba_core::{
    Timestamp,
    http::{Body, Headers},
    notification::{
        BadNotification, Notification, NotificationKey, NotificationReply, NotificationVerdict,
        Receipt, Receiving, Routes,
    },
};

use crate::{Adapter, Attachment, DriveError, LockedFlow, Saving, SharedFlow};

/// The number of flows an inbox serves at once unless its `with_capacity` says otherwise.
pub const INBOX_CAPACITY: usize = 65_536;

/// The flows that notifications can reach, behind a lock that is held for a moment only and never
/// together with a flow. Clones are the same table.
///
/// The `Inbox` of an adapter dereferences to it.
pub struct Routing<A: Adapter>(Arc<Mutex<Routes<LockedFlow<A::Attachment>>>>);

impl<A: Adapter> Routing<A> {
    /// Creates a table for this many flows at once, and for as many that are over.
    #[must_use]
    pub fn with_capacity(flows: usize) -> Self {
        Self(Arc::new(Mutex::new(Routes::with_capacity(flows))))
    }

    /// Answers notifications for unknown flows with 503 instead of 401 from now on, because saved
    /// flows are still being loaded.
    pub fn not_ready(&self) {
        self.lock().set_loading(true);
    }

    /// Refuses notifications for unknown flows from now on: all saved flows are registered.
    pub fn ready(&self) {
        self.lock().set_loading(false);
    }

    /// Checks a call of the notification endpoint before its body is read. A call is refused
    /// whatever its body says for its method, its `Authorization` field, or a token that belongs to
    /// no flow here.
    ///
    /// A server that reads bodies only after this check cannot be held up by callers who announce a
    /// body and send none.
    ///
    /// # Errors
    ///
    /// The answer to a call that is refused.
    pub fn first_look(&self, method: &str, headers: &Headers) -> Result<(), NotificationReply> {
        self.lock().first_look(method, headers)
    }

    /// Lets notifications reach a flow that is not driven yet. What they bring is kept and saved,
    /// and the first drive begins with it. Does nothing for a flow in poll mode or one that is
    /// registered already. Does not keep the flow alive.
    ///
    /// # Errors
    ///
    /// [`DriveError::InboxFull`] if the table is full of flows that are being driven.
    pub fn register(
        &self,
        flow: &SharedFlow<A::Attachment>,
        now: Timestamp,
    ) -> Result<(), DriveError> {
        // Dropped at once, it leaves a flow whose drives have all ended.
        self.begin(flow, now).map(drop)
    }

    /// Parses a call of the notification endpoint and looks up its flow.
    ///
    /// # Errors
    ///
    /// [`BadNotification`] if the call is refused before its flow is looked up.
    pub fn route(
        &self,
        method: &str,
        headers: &Headers,
        body: Body,
        now: Timestamp,
    ) -> Result<Routed<A>, BadNotification> {
        let notification = Notification::receive(method, headers, body)?;
        let flow = self.lock().find(&notification);
        Ok(Routed { routing: self.clone(), flow, notification, now })
    }

    /// Returns the verdict on a notification whose flow is gone.
    fn without_flow(&self, notification: &Notification, now: Timestamp) -> NotificationVerdict {
        self.lock().without_flow(notification, now)
    }

    /// Adds a flow, if it wants notifications. It counts as driven as long as the returned value
    /// exists.
    pub(crate) fn begin(
        &self,
        flow: &SharedFlow<A::Attachment>,
        now: Timestamp,
    ) -> Result<Option<Registration<A>>, DriveError> {
        let key = flow.look(|flow| flow.notification_key()).flatten();
        let Some(key) = key else { return Ok(None) };
        self.lock().begin(key, flow.locked(), now).map_err(|_| DriveError::InboxFull)?;
        Ok(Some(Registration { routing: self.clone(), key, flow: flow.clone() }))
    }

    /// A panic elsewhere while the lock was held leaves a consistent table.
    fn lock(&self) -> MutexGuard<'_, Routes<LockedFlow<A::Attachment>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A: Adapter> Clone for Routing<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A table for [`INBOX_CAPACITY`] flows.
impl<A: Adapter> Default for Routing<A> {
    fn default() -> Self {
        Self::with_capacity(INBOX_CAPACITY)
    }
}

impl<A: Adapter> fmt::Debug for Routing<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Routing").field(&*self.lock()).finish()
    }
}

/// A notification on its way to its flow.
pub struct Routed<A: Adapter> {
    routing: Routing<A>,
    /// `None` if no flow here waits for it.
    flow: Option<Arc<LockedFlow<A::Attachment>>>,
    notification: Notification,
    now: Timestamp,
}

impl<A: Adapter> Routed<A> {
    /// Passes the notification to its flow and wakes the flow's drive.
    pub fn deliver(&self) -> Delivery<'_, A> {
        let flow = self.flow.as_deref();
        // `None` if the result was taken.
        let received =
            flow.and_then(|flow| Some((flow, flow.receive(&self.notification, self.now)?)));
        Delivery { routed: self, received }
    }
}

impl<A: Adapter> fmt::Debug for Routed<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routed").field("flow", &self.flow).finish_non_exhaustive()
    }
}

/// A notification that was delivered and is not answered yet: what it brought has to be saved
/// first.
#[must_use = "the provider waits for the reply"]
pub struct Delivery<'a, A: Adapter> {
    routed: &'a Routed<A>,
    received: Option<(&'a LockedFlow<A::Attachment>, Receipt)>,
}

type SaveEnded<'a, A> = <<A as Adapter>::Attachment as Attachment>::SaveEnded<'a>;

/// The next step towards the reply to a notification.
#[must_use = "the provider waits for the reply"]
pub enum ReplyStep<'a, A: Adapter> {
    /// Reply with this verdict.
    Verdict(NotificationVerdict),
    /// Save a state, and report the outcome with [`Saving::finish`].
    Save(Saving<'a, A::Attachment>),
    /// Wait for the end of another save, at most this long.
    Wait(SaveEnded<'a, A>, Duration),
}

impl<'a, A: Adapter> Delivery<'a, A> {
    /// Returns the next step, `elapsed` after the notification was received.
    pub fn step(&mut self, elapsed: Duration) -> ReplyStep<'a, A> {
        let Routed { routing, notification, now, .. } = self.routed;
        let now = now.saturating_add(elapsed);
        let Some((flow, receipt)) = &mut self.received else {
            return ReplyStep::Verdict(routing.without_flow(notification, now));
        };
        // Before the flow is asked, so that the end of a save in between is not missed.
        let save_ended = flow.attached().listen();
        match flow.look(|flow| flow.acknowledge(receipt, now)) {
            Some(Receiving::Reply(verdict)) => ReplyStep::Verdict(verdict),
            Some(Receiving::Save(save)) => ReplyStep::Save(flow.saving_notification(save, now)),
            Some(Receiving::Wait(until)) => ReplyStep::Wait(save_ended, until.since(now)),
            // The result was taken meanwhile.
            None => {
                let verdict = routing.lock().after_flow(receipt, notification, now);
                ReplyStep::Verdict(verdict)
            }
        }
    }
}

impl<A: Adapter> fmt::Debug for Delivery<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("received", &self.received).finish_non_exhaustive()
    }
}

impl<A: Adapter> fmt::Debug for ReplyStep<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verdict(verdict) => f.debug_tuple("Verdict").field(verdict).finish(),
            Self::Save(saving) => f.debug_tuple("Save").field(saving).finish(),
            Self::Wait(_, at_most) => f.debug_tuple("Wait").field(at_most).finish_non_exhaustive(),
        }
    }
}

/// A flow's place in a [`Routing`] while it is driven.
#[must_use = "the flow counts as driven as long as this exists"]
pub(crate) struct Registration<A: Adapter> {
    routing: Routing<A>,
    key: NotificationKey,
    flow: SharedFlow<A::Attachment>,
}

impl<A: Adapter> Drop for Registration<A> {
    fn drop(&mut self) {
        let spent = self.flow.spent_key();
        self.routing.lock().end(&self.key, self.flow.locked(), spent);
    }
}
