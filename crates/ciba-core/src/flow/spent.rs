//! What remains of a flow that is over: it answers late and repeated notifications until none can be
//! expected any more.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::fmt;

use super::{
    machine::Flow,
    notifications::Notifications,
    notify::{Notification, NotificationKey, NotificationVerdict},
    phase::Phase,
};
use crate::{bounds, elapsed::Moment, time::Timestamp};

impl Flow {
    /// Returns what answers notifications once the flow is over.
    ///
    /// Returns `None` in poll mode, before the end, and if the provider never accepted the request,
    /// unless another process continues the flow and may have sent it.
    // REQ-AERR-19
    #[must_use]
    pub fn spent_key(&self) -> Option<SpentKey> {
        let (Some(notifications), Some(Phase::Settled(_))) = (&self.notifications, &self.phase)
        else {
            return None;
        };
        let is_superseded = self.is_superseded();
        let until = match (&notifications.auth_req_id, notifications.until) {
            (Some(_), Some(until)) => until,
            // The other process may have sent the request since.
            _ if is_superseded => self.clock.moment().plus(bounds::ADRIFT).plus(bounds::GRACE),
            // Without an id the provider never accepted the request, so nothing can be expected
            // from it.
            _ => return None,
        };
        Some(SpentKey {
            // On the wall clock, because the key outlives the flow and its time line.
            until: self.clock.wall_at(until),
            notifications: Notifications {
                mode: notifications.mode,
                token: notifications.token.clone(),
                auth_req_id: notifications.auth_req_id.clone(),
                until: None,
                // Nothing is delivered any more, so the tokens in them are not kept either.
                early: Vec::new(),
                has_news: false,
            },
            is_kept: !self.owes_a_save(),
            is_superseded,
        })
    }
}

/// The remainder of a flow that is over. It answers late and repeated notifications until none can
/// be expected any more.
#[must_use = "keep it until its time is up"]
pub struct SpentKey {
    notifications: Notifications,
    until: Timestamp,
    /// Whether the end was saved. Until then, the flow itself answers notifications of a durable
    /// flow, so that its end is saved.
    pub(super) is_kept: bool,
    /// Whether another process continues the flow.
    is_superseded: bool,
}

impl SpentKey {
    /// Returns the key of its notifications.
    #[must_use]
    pub fn key(&self) -> Option<NotificationKey> {
        self.notifications.key()
    }

    /// Returns until when to keep it, which is 60 seconds after the deadline of the flow.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        self.until
    }

    /// Returns the verdict on a notification, which has no further effect.
    // REQ-PING-10, REQ-PUSH-18
    pub fn notify(&self, notification: &Notification, now: Timestamp) -> NotificationVerdict {
        if now > self.until {
            return NotificationVerdict::Unauthorized;
        }
        // The expiry was checked above on the wall clock, so any moment will do.
        match self.notifications.admit(notification, Moment::START) {
            // The provider may repeat it to the process that continues the flow.
            Ok(_) if self.is_superseded => NotificationVerdict::Unsaved,
            Ok(_) => NotificationVerdict::Known,
            Err(refused) => refused,
        }
    }
}

impl fmt::Debug for SpentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpentKey").field("until", &self.until).finish_non_exhaustive()
    }
}

/// A bounded set of spent keys; the one that expires first is evicted first.
pub struct SpentKeys {
    most: usize,
    keys: BTreeMap<NotificationKey, SpentKey>,
    /// The keys ordered by the time at which they can be forgotten.
    ends: BTreeSet<(Timestamp, NotificationKey)>,
}

impl SpentKeys {
    /// Creates a set of at most this many keys.
    #[must_use]
    pub const fn with_capacity(most: usize) -> Self {
        Self { most, keys: BTreeMap::new(), ends: BTreeSet::new() }
    }

    /// Adds a key, replacing an earlier one of the same flow.
    pub fn remember(&mut self, spent: SpentKey) {
        let Some(key) = spent.key() else { return };
        if let Some(before) = self.keys.remove(&key) {
            self.ends.remove(&(before.until, key));
        }
        self.ends.insert((spent.until, key));
        self.keys.insert(key, spent);
        // Evicting the one that ends first loses the least: its repetitions are the most likely to
        // be over.
        if self.keys.len() > self.most {
            self.forget_first();
        }
    }

    /// Removes the keys whose time is up.
    pub fn forget_old(&mut self, now: Timestamp) {
        while self.ends.first().is_some_and(|(until, _)| *until < now) {
            self.forget_first();
        }
    }

    /// Returns `true` if the set contains a flow with this key.
    #[must_use]
    pub fn contains(&self, key: &NotificationKey) -> bool {
        self.keys.contains_key(key)
    }

    /// Whether the set contains a flow with this key whose end was saved.
    pub(super) fn is_kept(&self, key: &NotificationKey) -> bool {
        self.keys.get(key).is_some_and(|spent| spent.is_kept)
    }

    /// Returns the number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns `true` if the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the verdict on a notification.
    pub fn notify(&self, notification: &Notification, now: Timestamp) -> NotificationVerdict {
        let spent = notification.key().and_then(|key| self.keys.get(&key));
        spent.map_or(NotificationVerdict::Unauthorized, |spent| spent.notify(notification, now))
    }

    fn forget_first(&mut self) {
        if let Some((_, key)) = self.ends.pop_first() {
            self.keys.remove(&key);
        }
    }
}

impl fmt::Debug for SpentKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpentKeys").field("len", &self.len()).finish_non_exhaustive()
    }
}
