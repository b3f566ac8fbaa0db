//! Where notifications arrive: from a notification endpoint to the flow that is driven.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ciba_core::{
    Acknowledgement, BadNotification, Body, Headers, Notification, NotificationKey, NotificationReply, SpentKey,
    SpentKeys, Timestamp,
};

use crate::{DriveError, SharedFlow, shared::WeakFlow};

/// How many flows an [`Inbox`] serves at once unless [`Inbox::with_capacity`] says otherwise.
pub const INBOX_CAPACITY: usize = 65_536;

/// Hands the provider's notifications to the flows they are for. Clones are the same inbox; one serves every
/// [`Driver`](crate::Driver) of a process, whatever provider it is for.
///
/// A flow is in it from [`Inbox::register`] or its first drive on, between two drives too, for as long as its [`SharedFlow`]
/// exists; when the inbox is full, flows that are not being driven are evicted. Flows that are over are remembered until no
/// notification for them can be expected any more, so that a late or second one is acknowledged and not refused.
///
/// A provider may not repeat a notification that was refused. After a restart, open the endpoint with an inbox that is not
/// ready, load the saved flows and register them, and then say that it is:
///
/// ```
/// # use ciba_reqwest::{Clock as _, DriveError, Inbox, SharedFlow, SystemClock};
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
pub struct Inbox(Arc<Table>);

struct Table {
    capacity: usize,
    /// Locked for a moment only, never across an await, and never together with a flow.
    slots: Mutex<Slots>,
}

struct Slots {
    flows: HashMap<NotificationKey, Slot>,
    spent: SpentKeys,
    /// Not all flows are in it yet.
    is_loading: bool,
}

struct Slot {
    flow: WeakFlow,
    /// How many drives of it there are: one, or none between two, unless a flow is driven twice at once.
    drives: usize,
    /// Answers in its place once it is gone, when it is over and its end could not be saved.
    spent: Option<SpentKey>,
}

impl Inbox {
    /// An inbox for [`INBOX_CAPACITY`] flows at once.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(INBOX_CAPACITY)
    }

    /// An inbox for so many flows at once, which remembers as many that are over.
    #[must_use]
    pub fn with_capacity(flows: usize) -> Self {
        let slots = Slots { flows: HashMap::new(), spent: SpentKeys::with_capacity(flows), is_loading: false };
        Self(Arc::new(Table { capacity: flows, slots: Mutex::new(slots) }))
    }

    /// Takes a call of the notification endpoint, and says what to answer. Waits only for the flow's
    /// [`Saver`](crate::Saver), never for the provider; the drive of the flow is woken and does the rest.
    ///
    /// Give it every call that comes to the endpoint, whatever the method. Of the body read no more than
    /// [`Notification::MAX_BODY`] bytes and one; a body that is longer is answered as too large by that.
    pub async fn receive(&self, method: &str, headers: &Headers, body: Body, now: Timestamp) -> NotificationReply {
        match self.acknowledge(method, headers, body, now).await {
            Ok(said) => said.reply(),
            Err(bad) => bad.reply(),
        }
    }

    /// Takes a call as [`Inbox::receive`] does, and says what was made of it in place of what to answer. For a log: the answer
    /// must not tell more than its status does.
    ///
    /// # Errors
    ///
    /// [`BadNotification`] when the call was refused before any flow was looked at.
    pub async fn acknowledge(
        &self,
        method: &str,
        headers: &Headers,
        body: Body,
        now: Timestamp,
    ) -> Result<Acknowledgement, BadNotification> {
        let notification = Notification::receive(method, headers, body)?;
        let Some(key) = notification.key() else { return Ok(Acknowledgement::Unauthorized) };
        let flow = self.lock().flows.get(&key).and_then(|slot| slot.flow.upgrade());
        if let Some(flow) = flow
            && let Some(said) = flow.notify(&notification, now).await
        {
            return Ok(said);
        }
        let mut slots = self.lock();
        slots.retire(&key);
        Ok(slots.is_unknown(&key).unwrap_or_else(|| slots.spent.notify(&notification, now)))
    }

    /// From now on, answers notifications for flows it does not know with 503 in place of 401: saved flows are still being loaded.
    pub fn not_ready(&self) {
        self.lock().is_loading = true;
    }

    /// All flows are in it: from now on, a notification for any other flow is refused.
    pub fn ready(&self) {
        self.lock().is_loading = false;
    }

    /// Lets notifications reach a flow that is not driven yet. What they bring is kept and saved, and its first drive begins
    /// with it. Does nothing for a flow in poll mode, or one that is in it already. It does not keep the flow
    /// alive.
    ///
    /// # Errors
    ///
    /// [`DriveError::InboxFull`].
    pub fn register(&self, flow: &SharedFlow, now: Timestamp) -> Result<(), DriveError> {
        let key = flow.look(|flow| flow.notification_key()).flatten();
        // A flow whose drives have all ended is what this leaves.
        key.map_or(Ok(()), |key| self.begin(key, flow, now).map(drop))
    }

    /// The first look at a call of the notification endpoint, before its body is read: `Err` is the answer to a call that is
    /// refused whatever its body says (method, `Authorization`, or a token that no flow here has handed out).
    ///
    /// A server that reads bodies only after this cannot be held up by callers who announce a body and send none.
    ///
    /// # Errors
    ///
    /// The answer to give.
    pub fn first_look(&self, method: &str, headers: &Headers) -> Result<(), NotificationReply> {
        let notification = Notification::receive(method, headers, Body::default()).map_err(|bad| bad.reply())?;
        if self.knows(&notification) {
            return Ok(());
        }
        let said = notification.key().and_then(|key| self.lock().is_unknown(&key));
        Err(said.unwrap_or(Acknowledgement::Unauthorized).reply())
    }

    /// Whether a notification's key is that of a flow: alive, or over and remembered.
    fn knows(&self, notification: &Notification) -> bool {
        let slots = self.lock();
        let lives = |key: &NotificationKey| {
            slots.flows.get(key).is_some_and(|slot| !slot.flow.is_gone() || slot.spent.is_some())
        };
        notification.key().is_some_and(|key| lives(&key) || slots.spent.contains(&key))
    }

    /// Puts a flow in; it is driven as long as the returned value lives.
    pub(crate) fn begin(
        &self,
        key: NotificationKey,
        flow: &SharedFlow,
        now: Timestamp,
    ) -> Result<Registration, DriveError> {
        let mut slots = self.lock();
        slots.spent.forget_old(now);
        match slots.flows.get_mut(&key) {
            Some(slot) if slot.flow.is(flow) => slot.drives += 1,
            known => {
                if known.is_none() {
                    slots.make_room(self.0.capacity)?;
                }
                slots.flows.insert(key, Slot { flow: flow.downgrade(), drives: 1, spent: None });
            }
        }
        Ok(Registration { inbox: self.clone(), key, flow: flow.clone() })
    }

    /// A panic elsewhere while the lock was held leaves a table that is whole.
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slots {
    /// What is said for a key of no flow here while not all flows are.
    fn is_unknown(&self, key: &NotificationKey) -> Option<Acknowledgement> {
        (self.is_loading && !self.spent.contains(key)).then_some(Acknowledgement::NotReady)
    }

    /// A flow that is over and gone leaves what answers in its place.
    fn retire(&mut self, key: &NotificationKey) {
        if let Some(spent) = self.flows.get_mut(key).and_then(|slot| slot.spent.take()) {
            self.flows.remove(key);
            self.spent.remember(spent);
        }
    }

    /// Evicts flows whose `SharedFlow` is gone first, then those that are not being driven.
    fn make_room(&mut self, capacity: usize) -> Result<(), DriveError> {
        for gives_way in [|slot: &Slot| slot.flow.is_gone(), |slot: &Slot| slot.drives == 0] {
            if self.flows.len() >= capacity {
                let leaving = self.flows.extract_if(|_, slot| gives_way(slot));
                leaving.filter_map(|(_, slot)| slot.spent).for_each(|spent| self.spent.remember(spent));
            }
        }
        if self.flows.len() < capacity { Ok(()) } else { Err(DriveError::InboxFull) }
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slots = self.lock();
        f.debug_struct("Inbox").field("flows", &slots.flows.len()).field("spent", &slots.spent.len()).finish()
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
        let (spent, owes_a_save) = (self.flow.spent_key(), self.flow.owes_a_save());
        let mut slots = self.inbox.lock();
        let Some(slot) = slots.flows.get_mut(&self.key).filter(|slot| slot.flow.is(&self.flow)) else { return };
        slot.drives -= 1;
        // One that is not over stays: it may be driven on, and what comes meanwhile is kept.
        if let (0, Some(spent)) = (slot.drives, spent) {
            slot.spent = Some(spent);
            if !owes_a_save {
                slots.retire(&self.key);
            }
        }
    }
}
