//! Where notifications arrive: from a notification endpoint to the flow that is driven.

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

use crate::{DriveError, SharedFlow, shared::Shared};

/// How many flows an [`Inbox`] serves at once unless [`Inbox::with_capacity`] says otherwise.
pub const INBOX_CAPACITY: usize = 65_536;

/// Hands the provider's notifications to the flows they are for. Clones are the same inbox; one
/// serves every [`Driver`](crate::Driver) of a process, whatever provider it is for.
///
/// A flow is in it from [`Inbox::register`] or its first drive on, between two drives too, for as
/// long as its [`SharedFlow`] exists; when the inbox is full, flows that are not being driven are
/// evicted. Flows that are over are remembered until no notification for them can be expected any
/// more, so that a late or second one is acknowledged and not refused.
///
/// A provider may not repeat a notification that was refused. After a restart, open the endpoint
/// with an inbox that is not ready, load the saved flows and register them, and then say that it
/// is:
///
/// ```
/// # use ciba_ureq::{Clock as _, DriveError, Inbox, SharedFlow, SystemClock};
/// # fn restarted(inbox: &Inbox, saved: Vec<SharedFlow>) -> Result<(), DriveError> {
/// inbox.not_ready(); // before the endpoint is opened: what it does not know is answered with 503
/// for flow in &saved {
///     inbox.register(flow, SystemClock.now())?; // a notification that comes now is kept for the first drive
/// }
/// inbox.ready();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Inbox(Arc<Mutex<Routes<Shared>>>);

impl Inbox {
    /// An inbox for [`INBOX_CAPACITY`] flows at once.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(INBOX_CAPACITY)
    }

    /// An inbox for so many flows at once, which remembers as many that are over.
    #[must_use]
    pub fn with_capacity(flows: usize) -> Self {
        Self(Arc::new(Mutex::new(Routes::with_capacity(flows))))
    }

    /// Takes a call of the notification endpoint, and says what to answer. Waits only for the
    /// flow's [`Saver`](crate::Saver), never for the provider; the drive of the flow is woken and
    /// does the rest.
    ///
    /// Give it every call that comes to the endpoint, whatever the method. Of the body read no more
    /// than [`Notification::MAX_BODY`] bytes and one; a body that is longer is answered as too
    /// large by that.
    pub fn receive(
        &self,
        method: &str,
        headers: &Headers,
        body: Body,
        now: Timestamp,
    ) -> NotificationReply {
        match self.acknowledge(method, headers, body, now) {
            Ok(said) => said.reply(),
            Err(bad) => bad.reply(),
        }
    }

    /// Takes a call as [`Inbox::receive`] does, and says what was made of it in place of what to
    /// answer. For a log: the answer must not tell more than its status does.
    ///
    /// # Errors
    ///
    /// [`BadNotification`] when the call was refused before any flow was looked at.
    pub fn acknowledge(
        &self,
        method: &str,
        headers: &Headers,
        body: Body,
        now: Timestamp,
    ) -> Result<NotificationVerdict, BadNotification> {
        let notification = Notification::receive(method, headers, body)?;
        let flow = self.lock().find(&notification).map(SharedFlow::of_shared);
        if let Some(flow) = flow
            && let Some(said) = flow.notify(&notification, now)
        {
            return Ok(said);
        }
        Ok(self.lock().without_flow(&notification, now))
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

    /// Lets notifications reach a flow that is not driven yet. What they bring is kept and saved,
    /// and its first drive begins with it. Does nothing for a flow in poll mode, or one that is in
    /// it already. It does not keep the flow alive.
    ///
    /// # Errors
    ///
    /// [`DriveError::InboxFull`].
    pub fn register(&self, flow: &SharedFlow, now: Timestamp) -> Result<(), DriveError> {
        let key = flow.look(|flow| flow.notification_key()).flatten();
        // A flow whose drives have all ended is what this leaves.
        key.map_or(Ok(()), |key| self.begin(key, flow, now).map(drop))
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

    /// Puts a flow in; it is driven as long as the returned value lives.
    pub(crate) fn begin(
        &self,
        key: NotificationKey,
        flow: &SharedFlow,
        now: Timestamp,
    ) -> Result<Registration, DriveError> {
        self.lock().begin(key, flow.shared(), now).map_err(|_| DriveError::InboxFull)?;
        Ok(Registration { inbox: self.clone(), key, flow: flow.clone() })
    }

    /// A panic elsewhere while the lock was held leaves a table that is whole. Never locked
    /// together with a flow.
    fn lock(&self) -> MutexGuard<'_, Routes<Shared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Inbox").field(&*self.lock()).finish()
    }
}

/// A flow's place in an inbox while it is driven.
pub(crate) struct Registration {
    inbox: Inbox,
    key: NotificationKey,
    flow: SharedFlow,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let spent = self.flow.spent_key();
        self.inbox.lock().end(&self.key, self.flow.shared(), spent);
    }
}
