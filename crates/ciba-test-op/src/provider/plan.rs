//! A notification that is planned: when it is due, and what scripts do to it.

use core::time::Duration;

use ciba_core::Timestamp;

use super::acts::Acts;
use crate::notification::{Bearer, Moment, NotificationEdit};

/// One notification that was not sent yet.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) acts: Acts,
    pub(super) moment: Moment,
    pub(super) delay: Duration,
    pub(super) due: Option<Timestamp>,
    pub(super) retries: u32,
}

impl Plan {
    pub(super) fn new(acts: Acts, retries: u32) -> Self {
        let moment = acts.notification.iter().rev().find_map(|edit| match edit {
            NotificationEdit::At(moment) => Some(*moment),
            _ => None,
        });
        let delay =
            acts.leaves_at(Timestamp::from_unix_millis(0)).since(Timestamp::from_unix_millis(0));
        Self { moment: moment.unwrap_or_default(), delay, due: None, retries, acts }
    }

    pub(super) fn bearer(&self) -> Option<Bearer> {
        self.acts.notification.iter().rev().find_map(|edit| match edit {
            NotificationEdit::Bearer(bearer) => Some(*bearer),
            _ => None,
        })
    }

    pub(super) fn is_forged(&self) -> bool {
        self.bearer().is_some_and(|bearer| !bearer.is_right())
            || self.acts.notification.iter().any(|edit| {
                matches!(
                    edit,
                    NotificationEdit::UnknownId
                        | NotificationEdit::OtherId
                        | NotificationEdit::Method(_)
                )
            })
    }

    pub(super) fn fall_due(&mut self, at: Timestamp) {
        self.due = Some(at.saturating_add(self.delay));
    }
}
