//! The inbox: notifications on their way from the endpoint to their flows.

use std::ops::Deref;

use ciba_core::{
    Timestamp,
    http::{Body, Headers},
    notification::{BadNotification, NotificationReply, NotificationVerdict},
};
use ciba_std::Routing;

use crate::{Reqwest, shared::reply};

/// Passes the provider's notifications to their flows. Clones are the same inbox; one inbox serves
/// every [`Driver`](crate::Driver) of a process, for any number of providers.
///
/// It dereferences to [`Routing`], which registers flows, says whether it is ready and takes the
/// first look at a call. The default one is for
/// [`INBOX_CAPACITY`](crate::limits::INBOX_CAPACITY) flows at once.
///
/// A flow is in the inbox from its registration or its first drive on, between two drives too, for
/// as long as its [`SharedFlow`](crate::SharedFlow) exists. When the inbox is full, flows that are
/// not being driven are evicted. Flows that are over are remembered until no notification for them
/// is expected any more, so that a late or repeated one is acknowledged and not refused.
///
/// A provider may not repeat a notification that was refused. After a restart, open the endpoint
/// with an inbox that is not ready, load and register the saved flows, and then make it ready:
///
/// ```
/// # use ciba_reqwest::{Clock as _, DriveError, Inbox, SharedFlow, SystemClock};
/// # fn restarted(inbox: &Inbox, saved: Vec<SharedFlow>) -> Result<(), DriveError> {
/// inbox.not_ready(); // before the endpoint is opened: unknown flows are answered with 503
/// for flow in &saved {
///     inbox.register(flow, SystemClock.now())?; // a notification is kept for the first drive
/// }
/// inbox.ready();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Inbox(Routing<Reqwest>);

impl Inbox {
    /// Creates an inbox for this many flows at once, which remembers as many that are over.
    #[must_use]
    pub fn with_capacity(flows: usize) -> Self {
        Self(Routing::with_capacity(flows))
    }

    /// Takes a call of the notification endpoint and returns the reply. Waits only for the flow's
    /// [`Saver`](crate::Saver), never for the provider; the drive of the flow is woken and does the
    /// rest.
    ///
    /// Pass every call of the endpoint, whatever its method. Read at most one byte more of its body
    /// than [`Notification::MAX_BODY`](ciba_core::notification::Notification::MAX_BODY); a longer
    /// body is then refused as too large.
    pub async fn receive(
        &self,
        method: &str,
        headers: &Headers,
        body: Body,
        now: Timestamp,
    ) -> NotificationReply {
        let verdict = self.acknowledge(method, headers, body, now).await;
        verdict.map_or_else(BadNotification::reply, NotificationVerdict::reply)
    }

    /// Takes a call as [`Inbox::receive`] does, and returns the verdict on it. It is meant for a
    /// log: a reply must not say more than its status does.
    ///
    /// # Errors
    ///
    /// [`BadNotification`] if the call is refused before its flow is looked up.
    pub async fn acknowledge(
        &self,
        method: &str,
        headers: &Headers,
        body: Body,
        now: Timestamp,
    ) -> Result<NotificationVerdict, BadNotification> {
        let routed = self.route(method, headers, body, now)?;
        Ok(reply(&routed).await)
    }
}

impl Deref for Inbox {
    type Target = Routing<Reqwest>;

    fn deref(&self) -> &Routing<Reqwest> {
        &self.0
    }
}
