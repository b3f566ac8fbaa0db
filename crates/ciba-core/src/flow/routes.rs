//! The routing table of a notification endpoint: which flows are known, which are evicted, and what
//! remains of those that are over.

use alloc::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    vec::Vec,
};
use core::fmt;

use super::{
    notify::{Notification, NotificationKey, NotificationReply, NotificationVerdict},
    receiving::Receipt,
    spent::{SpentKey, SpentKeys},
};
use crate::{secret::Body, time::Timestamp, wire::Headers};

/// The flows of a notification endpoint, by the key of their notification token. `T` is the type by
/// which a driver shares a flow.
///
/// The table holds flows by weak references. It remembers flows that are over until notifications
/// for them can no longer be expected, so that a late or repeated one is acknowledged instead of
/// rejected. Keep the table behind a lock that is held only briefly.
pub struct Routes<T> {
    capacity: usize,
    flows: BTreeMap<NotificationKey, Slot<T>>,
    spent: SpentKeys,
    /// The number of drives that have ended.
    ended: u64,
    /// Whether saved flows are still being loaded.
    is_loading: bool,
}

struct Slot<T> {
    flow: Weak<T>,
    /// The number of drives of the flow. It is zero between two drives, and more than one only if
    /// the flow is driven several times at once.
    drives: usize,
    /// The number of the end of its last drive: of two idle flows, the lower one is idle for longer.
    idle_since: u64,
    /// Answers notifications after the flow is gone, if it is over but its end could not be saved.
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

/// The error of a table in which every flow is being driven, so that none can be evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoutesFull;

impl fmt::Display for RoutesFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all flows that the notification endpoint has room for are being driven")
    }
}

impl core::error::Error for RoutesFull {}

impl<T> Routes<T> {
    /// Creates a table for a number of flows, and for as many that are over.
    #[must_use]
    pub const fn with_capacity(flows: usize) -> Self {
        Self {
            capacity: flows,
            flows: BTreeMap::new(),
            spent: SpentKeys::with_capacity(flows),
            ended: 0,
            is_loading: false,
        }
    }

    /// Sets whether saved flows are still being loaded. While they are, a notification for an
    /// unknown flow is answered with 503 instead of 401, so that the provider repeats it.
    pub const fn set_loading(&mut self, is_loading: bool) {
        self.is_loading = is_loading;
    }

    /// Returns the number of flows, and the number of remembered flows that are over.
    #[must_use]
    pub fn len(&self) -> (usize, usize) {
        (self.flows.len(), self.spent.len())
    }

    /// Returns `true` if there are none of either.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == (0, 0)
    }

    /// Registers a drive of a flow, to which its notifications are routed from now on.
    ///
    /// If there is no room, flows without any other reference are evicted. If there are none, the
    /// flow whose last drive ended first is evicted: its notifications are answered with 401 until
    /// it is driven again.
    ///
    /// # Errors
    ///
    /// Returns [`RoutesFull`] if there is still no room. The table is then unchanged.
    pub fn begin(
        &mut self,
        key: NotificationKey,
        flow: &Arc<T>,
        now: Timestamp,
    ) -> Result<(), RoutesFull> {
        // Done here, because core has no timer.
        self.spent.forget_old(now);
        match self.flows.get_mut(&key) {
            Some(slot) if slot.is_of(flow) => slot.drives = slot.drives.saturating_add(1),
            known => {
                if known.is_none() {
                    self.make_room()?;
                }
                // A flow that was resumed has the key of the one before, which it replaces.
                let flow = Arc::downgrade(flow);
                self.flows.insert(key, Slot { flow, drives: 1, idle_since: 0, spent: None });
            }
        }
        Ok(())
    }

    /// Unregisters a drive of a flow. `spent` is its [`spent_key`](crate::Flow::spent_key).
    ///
    /// A flow that is not over stays in the table, because it may be driven again. A flow whose end
    /// has not been saved also stays while something refers to it, because a repeated notification
    /// causes another save.
    pub fn end(&mut self, key: &NotificationKey, flow: &Arc<T>, spent: Option<SpentKey>) {
        // Another flow may have been resumed with this key in the meantime.
        let Some(slot) = self.flows.get_mut(key).filter(|slot| slot.is_of(flow)) else { return };
        slot.drives = slot.drives.saturating_sub(1);
        self.ended = self.ended.saturating_add(1);
        slot.idle_since = self.ended;
        if let (0, Some(spent)) = (slot.drives, spent) {
            let is_kept = spent.is_kept;
            slot.spent = Some(spent);
            if is_kept {
                self.retire(key);
            }
        }
    }

    /// Checks a request before its body is read.
    ///
    /// # Errors
    ///
    /// Returns the reply to a request that is rejected whatever its body is: because of the method,
    /// the `Authorization` header, or a token that no flow in the table has.
    pub fn first_look(&self, method: &str, headers: &Headers) -> Result<(), NotificationReply> {
        // Judged with an empty body, so that a stranger cannot make the server read one.
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

    /// Returns the flow of a notification, if it still exists.
    #[must_use]
    pub fn find(&self, notification: &Notification) -> Option<Arc<T>> {
        self.flows.get(&notification.key()?)?.flow.upgrade()
    }

    /// Returns the verdict on a notification that no flow handled.
    pub fn without_flow(
        &mut self,
        notification: &Notification,
        now: Timestamp,
    ) -> NotificationVerdict {
        let key = notification.key();
        // The flow may have been dropped since its last drive ended.
        if let Some(key) = &key {
            self.retire(key);
        }
        match key.filter(|key| self.spent.contains(key)) {
            Some(_) => self.spent.notify(notification, now),
            None => self.to_a_stranger(key.as_ref()),
        }
    }

    /// Returns the verdict on a notification that a flow handled, if the flow was finished, by another
    /// thread, before it acknowledged the notification.
    // The flow may have ended because of this very notification. An unusable one is refused in any
    // case, and a usable one is accepted only if the end was saved: 204 says that it was.
    pub fn after_flow(
        &mut self,
        receipt: &Receipt,
        notification: &Notification,
        now: Timestamp,
    ) -> NotificationVerdict {
        if receipt.verdict() == NotificationVerdict::Unusable {
            return NotificationVerdict::Unusable;
        }
        let verdict = self.without_flow(notification, now);
        let is_kept = notification.key().is_some_and(|key| self.spent.is_kept(&key));
        if verdict == NotificationVerdict::Known && receipt.is_news() && !is_kept {
            return NotificationVerdict::Unsaved;
        }
        verdict
    }

    /// Returns the verdict on an unknown token, which may belong to a flow that is still being
    /// loaded.
    const fn to_a_stranger(&self, key: Option<&NotificationKey>) -> NotificationVerdict {
        if self.is_loading && key.is_some() {
            NotificationVerdict::NotReady
        } else {
            NotificationVerdict::Unauthorized
        }
    }

    /// Removes a flow that is over and remembers its spent key.
    fn retire(&mut self, key: &NotificationKey) {
        if let Some(spent) = self.flows.get_mut(key).and_then(|slot| slot.spent.take()) {
            self.flows.remove(key);
            self.spent.remember(spent);
        }
    }

    fn make_room(&mut self) -> Result<(), RoutesFull> {
        if self.flows.len() < self.capacity {
            return Ok(());
        }
        // Flows that nothing refers to any more cannot be driven again, so they are evicted first.
        let gone: Vec<_> =
            self.flows.iter().filter(|(_, slot)| slot.is_gone()).map(|(key, _)| *key).collect();
        gone.iter().for_each(|key| self.evict(key));
        if self.flows.len() >= self.capacity {
            // Only one, and never one that is being driven, because its notifications would be
            // rejected from then on.
            let idle = self.flows.iter().filter(|(_, slot)| slot.drives == 0);
            let longest = idle.min_by_key(|(_, slot)| slot.idle_since).map(|(key, _)| *key);
            self.evict(&longest.ok_or(RoutesFull)?);
        }
        Ok(())
    }

    fn evict(&mut self, key: &NotificationKey) {
        if let Some(spent) = self.flows.remove(key).and_then(|slot| slot.spent) {
            self.spent.remember(spent);
        }
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
