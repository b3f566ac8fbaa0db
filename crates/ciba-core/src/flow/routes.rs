//! From a notification endpoint to the flow a notification is for: which flows are known, which
//! give way, and what remains of those that are over.

use alloc::{
    collections::BTreeMap,
    sync::{Arc, Weak},
};
use core::fmt;

use super::{
    notifications::NotificationKey,
    notify::{Notification, NotificationReply, NotificationVerdict},
    spent::{SpentKey, SpentKeys},
};
use crate::{secret::Body, time::Timestamp, wire::Headers};

/// The flows of a notification endpoint, by the key in their notification token. `T` is what a
/// driver shares a flow by.
///
/// A flow is kept weakly, no longer than somebody else keeps it. Those that are over are remembered
/// until no notification for them can be expected any more, so that one that comes late, or again,
/// is acknowledged and not refused. Keep it under a lock that is held for a moment only.
pub struct Routes<T> {
    capacity: usize,
    flows: BTreeMap<NotificationKey, Slot<T>>,
    spent: SpentKeys,
    /// Not all flows are in it yet.
    is_loading: bool,
}

struct Slot<T> {
    flow: Weak<T>,
    /// How many drives of it there are: one, or none between two, unless somebody drives a flow
    /// twice.
    drives: usize,
    /// Answers in its place once it is gone, when it is over and its end could not be saved.
    spent: Option<SpentKey>,
}

impl<T> Slot<T> {
    fn is_gone(&self) -> bool {
        self.flow.strong_count() == 0
    }

    fn is_of(&self, flow: &Arc<T>) -> bool {
        core::ptr::eq(self.flow.as_ptr(), Arc::as_ptr(flow))
    }
}

/// All the flows there is room for are being driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoutesFull;

impl fmt::Display for RoutesFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("as many flows as the notification endpoint serves are being driven")
    }
}

impl core::error::Error for RoutesFull {}

impl<T> Routes<T> {
    /// For so many flows at once, and as many that are over.
    #[must_use]
    pub const fn with_capacity(flows: usize) -> Self {
        Self {
            capacity: flows,
            flows: BTreeMap::new(),
            spent: SpentKeys::with_capacity(flows),
            is_loading: false,
        }
    }

    /// Whether saved flows are still being loaded: then a notification for a flow that is not known
    /// is answered with 503 in place of 401, and comes again.
    pub const fn set_loading(&mut self, is_loading: bool) {
        self.is_loading = is_loading;
    }

    /// How many flows there are, and how many that are over.
    #[must_use]
    pub fn len(&self) -> (usize, usize) {
        (self.flows.len(), self.spent.len())
    }

    /// Whether there is none of either.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == (0, 0)
    }

    /// A drive of this flow begins: its notifications reach it from now on. When there is no room,
    /// flows that nobody keeps give way, then those that nobody drives.
    ///
    /// # Errors
    ///
    /// [`RoutesFull`]; nothing changed.
    pub fn begin(
        &mut self,
        key: NotificationKey,
        flow: &Arc<T>,
        now: Timestamp,
    ) -> Result<(), RoutesFull> {
        self.spent.forget_old(now);
        match self.flows.get_mut(&key) {
            Some(slot) if slot.is_of(flow) => slot.drives = slot.drives.saturating_add(1),
            known => {
                if known.is_none() {
                    self.make_room()?;
                }
                self.flows.insert(key, Slot { flow: Arc::downgrade(flow), drives: 1, spent: None });
            }
        }
        Ok(())
    }

    /// A drive of this flow ended; `spent` is its [`spent_key`](crate::Flow::spent_key). A flow
    /// that is not over stays, because it may be driven on. One whose end is not saved stays, too,
    /// as long as somebody keeps it: a notification that comes again has it saved.
    pub fn end(&mut self, key: &NotificationKey, flow: &Arc<T>, spent: Option<SpentKey>) {
        let Some(slot) = self.flows.get_mut(key).filter(|slot| slot.is_of(flow)) else { return };
        slot.drives = slot.drives.saturating_sub(1);
        if let (0, Some(spent)) = (slot.drives, spent) {
            let is_kept = spent.is_kept;
            slot.spent = Some(spent);
            if is_kept {
                self.retire(key);
            }
        }
    }

    /// The first look at a call, before its body is read.
    ///
    /// # Errors
    ///
    /// The answer to a call that is refused whatever its body says: method, `Authorization`, or a
    /// token that no flow here has handed out.
    pub fn first_look(&self, method: &str, headers: &Headers) -> Result<(), NotificationReply> {
        let notification =
            Notification::receive(method, headers, Body::default()).map_err(|bad| bad.reply())?;
        let key = notification.key();
        let lives = |key: &NotificationKey| {
            self.flows.get(key).is_some_and(|slot| !slot.is_gone() || slot.spent.is_some())
        };
        match key.is_some_and(|key| lives(&key) || self.spent.contains(&key)) {
            true => Ok(()),
            false => Err(self.to_a_stranger(key.as_ref()).reply()),
        }
    }

    /// The flow a notification is for, as long as somebody keeps it.
    #[must_use]
    pub fn find(&self, notification: &Notification) -> Option<Arc<T>> {
        self.flows.get(&notification.key()?)?.flow.upgrade()
    }

    /// What is said to a notification that no flow took.
    pub fn without_flow(
        &mut self,
        notification: &Notification,
        now: Timestamp,
    ) -> NotificationVerdict {
        let key = notification.key();
        if let Some(key) = &key {
            self.retire(key);
        }
        match key.filter(|key| self.spent.contains(key)) {
            Some(_) => self.spent.notify(notification, now),
            None => self.to_a_stranger(key.as_ref()),
        }
    }

    /// For a token of no flow here: it may be of one that is still being loaded.
    const fn to_a_stranger(&self, key: Option<&NotificationKey>) -> NotificationVerdict {
        if self.is_loading && key.is_some() {
            NotificationVerdict::NotReady
        } else {
            NotificationVerdict::Unauthorized
        }
    }

    /// A flow that is over and gone leaves what answers in its place.
    fn retire(&mut self, key: &NotificationKey) {
        if let Some(spent) = self.flows.get_mut(key).and_then(|slot| slot.spent.take()) {
            self.flows.remove(key);
            self.spent.remember(spent);
        }
    }

    fn make_room(&mut self) -> Result<(), RoutesFull> {
        for gives_way in [Slot::is_gone, |slot: &Slot<T>| slot.drives == 0] {
            if self.flows.len() >= self.capacity {
                self.flows.retain(|_, slot| {
                    let goes = gives_way(slot);
                    if goes && let Some(spent) = slot.spent.take() {
                        self.spent.remember(spent);
                    }
                    !goes
                });
            }
        }
        if self.flows.len() < self.capacity { Ok(()) } else { Err(RoutesFull) }
    }
}

impl<T> fmt::Debug for Routes<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routes")
            .field("flows", &self.flows.len())
            .field("spent", &self.spent.len())
            .finish()
    }
}
