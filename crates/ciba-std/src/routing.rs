//! The routing table of a driver's inbox.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ciba_core::{
    Timestamp,
    http::{Body, Headers},
    notification::{
        BadNotification, Notification, NotificationKey, NotificationReply, NotificationVerdict,
        Routes,
    },
};

use crate::{DriveError, LockedFlow};

/// The flows that notifications can reach, behind a lock that is held for a moment only and never
/// together with a flow. `T` is the type by which a driver shares a flow. Clones are the same table.
///
/// The `Inbox` of a driver dereferences to it.
pub struct Routing<T>(Arc<Mutex<Routes<T>>>);

/// How a notification goes on after its first look.
#[derive(Debug)]
pub enum Routed<T> {
    /// To this flow; if its result was taken, to [`Routing::without_flow`].
    Flow(Arc<T>, Notification),
    /// Nowhere; this is what was made of it.
    Verdict(NotificationVerdict),
}

impl<T> Routing<T> {
    /// A table for a number of flows at once, and for as many that are over.
    #[must_use]
    pub fn with_capacity(flows: usize) -> Self {
        Self(Arc::new(Mutex::new(Routes::with_capacity(flows))))
    }

    /// From now on, answers notifications for flows it does not know with 503 in place of 401:
    /// saved flows are still being loaded.
    pub fn not_ready(&self) {
        self.lock().set_loading(true);
    }

    /// All flows are in it: from now on, a notification for any other flow is refused.
    pub fn ready(&self) {
        self.lock().set_loading(false);
    }

    /// The first look at a call of the notification endpoint, before its body is read: `Err` is the
    /// answer to a call that is refused whatever its body says (method, `Authorization`, or a token
    /// that no flow here has handed out).
    ///
    /// A server that reads bodies only after this cannot be held up by callers who announce a body
    /// and send none.
    ///
    /// # Errors
    ///
    /// The answer to give.
    pub fn first_look(&self, method: &str, headers: &Headers) -> Result<(), NotificationReply> {
        self.lock().first_look(method, headers)
    }

    /// Reads a call of the notification endpoint and finds its flow.
    ///
    /// # Errors
    ///
    /// [`BadNotification`] when the call was refused before any flow was looked at.
    pub fn route(
        &self,
        method: &str,
        headers: &Headers,
        body: Body,
        now: Timestamp,
    ) -> Result<Routed<T>, BadNotification> {
        let notification = Notification::receive(method, headers, body)?;
        let flow = self.lock().find(&notification);
        Ok(match flow {
            Some(flow) => Routed::Flow(flow, notification),
            None => Routed::Verdict(self.without_flow(&notification, now)),
        })
    }

    /// Returns what is made of a notification whose flow is gone.
    pub fn without_flow(&self, notification: &Notification, now: Timestamp) -> NotificationVerdict {
        self.lock().without_flow(notification, now)
    }

    /// A panic elsewhere while the lock was held leaves a table that is whole.
    fn lock(&self) -> MutexGuard<'_, Routes<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: AsRef<LockedFlow>> Routing<T> {
    /// Puts a flow in, if it wants notifications; it counts as driven as long as the returned value
    /// lives.
    ///
    /// # Errors
    ///
    /// [`DriveError::InboxFull`].
    pub fn begin(
        &self,
        flow: &Arc<T>,
        now: Timestamp,
    ) -> Result<Option<Registration<T>>, DriveError> {
        let key = (**flow).as_ref().look(|flow| flow.notification_key()).flatten();
        let Some(key) = key else { return Ok(None) };
        self.lock().begin(key, flow, now).map_err(|_| DriveError::InboxFull)?;
        Ok(Some(Registration { routing: self.clone(), key, flow: Arc::clone(flow) }))
    }
}

impl<T> Clone for Routing<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Routing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Routing").field(&*self.lock()).finish()
    }
}

/// A flow's place in a [`Routing`] while it is driven.
#[must_use = "the flow counts as driven as long as this lives"]
pub struct Registration<T: AsRef<LockedFlow>> {
    routing: Routing<T>,
    key: NotificationKey,
    flow: Arc<T>,
}

impl<T: AsRef<LockedFlow>> fmt::Debug for Registration<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registration(..)")
    }
}

impl<T: AsRef<LockedFlow>> Drop for Registration<T> {
    fn drop(&mut self) {
        let spent = (*self.flow).as_ref().spent_key();
        self.routing.lock().end(&self.key, &self.flow, spent);
    }
}
