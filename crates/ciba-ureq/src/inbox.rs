//! Where notifications arrive: from a notification endpoint to the flow that is driven.

use std::{fmt, ops::Deref};

use ciba_core::{
    Timestamp,
    http::{Body, Headers},
    notification::{BadNotification, NotificationReply, NotificationVerdict},
};
use ciba_std::{Routed, Routing};

use crate::{DriveError, SharedFlow, shared::Shared};

/// How many flows an [`Inbox`] serves at once unless [`Inbox::with_capacity`] says otherwise.
pub const INBOX_CAPACITY: usize = 65_536;

/// Hands the provider's notifications to the flows they are for. Clones are the same inbox; one
/// serves every [`Driver`](crate::Driver) of a process, whatever provider it is for. It dereferences
/// to [`Routing`], which says whether it is ready and takes the first look at a call.
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
pub struct Inbox(Routing<Shared>);

impl Inbox {
    /// An inbox for [`INBOX_CAPACITY`] flows at once.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(INBOX_CAPACITY)
    }

    /// An inbox for so many flows at once, which remembers as many that are over.
    #[must_use]
    pub fn with_capacity(flows: usize) -> Self {
        Self(Routing::with_capacity(flows))
    }

    /// Takes a call of the notification endpoint, and says what to answer. Waits only for the
    /// flow's [`Saver`](crate::Saver), never for the provider; the drive of the flow is woken and
    /// does the rest.
    ///
    /// Give it every call that comes to the endpoint, whatever the method. Of the body read no more
    /// than [`Notification::MAX_BODY`](ciba_core::notification::Notification::MAX_BODY) bytes and one; a body that is longer is answered as too
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
        let (flow, notification) = match self.route(method, headers, body, now)? {
            Routed::Verdict(verdict) => return Ok(verdict),
            Routed::Flow(flow, notification) => (SharedFlow::of_shared(flow), notification),
        };
        let verdict = flow.notify(&notification, now);
        Ok(verdict.unwrap_or_else(|| self.without_flow(&notification, now)))
    }

    /// Lets notifications reach a flow that is not driven yet. What they bring is kept and saved,
    /// and its first drive begins with it. Does nothing for a flow in poll mode, or one that is in
    /// it already. It does not keep the flow alive.
    ///
    /// # Errors
    ///
    /// [`DriveError::InboxFull`].
    pub fn register(&self, flow: &SharedFlow, now: Timestamp) -> Result<(), DriveError> {
        // A flow whose drives have all ended is what this leaves.
        self.begin(flow.shared(), now).map(drop)
    }
}

impl Deref for Inbox {
    type Target = Routing<Shared>;

    fn deref(&self) -> &Routing<Shared> {
        &self.0
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Inbox").field(&self.0).finish()
    }
}
