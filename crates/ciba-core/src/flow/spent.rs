//! What remains of flows that are over: it answers late and repeated notifications until none can
//! be expected any more.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::fmt;

use super::{
    Flow,
    notifications::{NotificationKey, Notifications},
    notify::{Notification, NotificationVerdict},
    phase::Phase,
};
use crate::{elapsed::Moment, time::Timestamp};

impl Flow {
    /// What is left to answer notifications with once the flow is over. `None` in poll mode, before
    /// the end, and when the provider never took the request: then nothing remains of it
    /// (REQ-AERR-19).
    #[must_use]
    pub fn spent_key(&self) -> Option<SpentKey> {
        let (Some(mailbox), Some(Phase::Settled(_))) = (&self.mailbox, &self.phase) else {
            return None;
        };
        let auth_req_id = mailbox.auth_req_id.clone()?;
        Some(SpentKey {
            until: self.clock.wall_at(mailbox.until?),
            mailbox: Notifications {
                mode: mailbox.mode,
                token: mailbox.token.clone(),
                auth_req_id: Some(auth_req_id),
                until: None,
                early: Vec::new(),
                has_news: false,
            },
            is_kept: !self.owes_a_save(),
        })
    }
}

/// What remains of a flow that is over: it answers late and repeated notifications until none can
/// be expected any more.
#[must_use = "keep it until its time is up"]
pub struct SpentKey {
    mailbox: Notifications,
    until: Timestamp,
    /// The end is saved, where the flow is durable: until then the flow itself answers, so that its
    /// end is kept.
    pub(super) is_kept: bool,
}

impl SpentKey {
    /// The key its notifications are found by.
    #[must_use]
    pub fn key(&self) -> Option<NotificationKey> {
        self.mailbox.key()
    }

    /// Until when to keep it: 60 s after the deadline of the flow.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        self.until
    }

    /// Answers a notification; nothing comes of it (REQ-PING-10, REQ-PUSH-18).
    pub fn notify(&self, notification: &Notification, now: Timestamp) -> NotificationVerdict {
        if now > self.until {
            return NotificationVerdict::Unauthorized;
        }
        match self.mailbox.admit(notification, Moment::START) {
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
    /// The keys by when they can be forgotten.
    ends: BTreeSet<(Timestamp, NotificationKey)>,
}

impl SpentKeys {
    /// Keeps this many at most.
    #[must_use]
    pub const fn with_capacity(most: usize) -> Self {
        Self { most, keys: BTreeMap::new(), ends: BTreeSet::new() }
    }

    /// Keeps one, replacing an earlier one of the same flow.
    pub fn remember(&mut self, spent: SpentKey) {
        let Some(key) = spent.key() else { return };
        if let Some(before) = self.keys.remove(&key) {
            self.ends.remove(&(before.until, key));
        }
        self.ends.insert((spent.until, key));
        self.keys.insert(key, spent);
        if self.keys.len() > self.most {
            self.forget_first();
        }
    }

    /// Forgets those whose time is up.
    pub fn forget_old(&mut self, now: Timestamp) {
        while self.ends.first().is_some_and(|(until, _)| *until < now) {
            self.forget_first();
        }
    }

    /// Whether a flow of this key is remembered.
    #[must_use]
    pub fn contains(&self, key: &NotificationKey) -> bool {
        self.keys.contains_key(key)
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Answers a notification for a flow that is over, or for none.
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
