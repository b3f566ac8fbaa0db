//! Monotonic time derived from wall-clock readings that may go backwards.
// Ruling 18.

use core::time::Duration;

use crate::time::Timestamp;

/// A point on the time line of a machine, in milliseconds of elapsed time.
///
/// Spacing and deadlines are kept on this line, so that setting the clock back makes waits longer
/// and never shorter. A step forward is believed, because it cannot be distinguished from a
/// suspended machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    pub(crate) const START: Self = Self(0);
    /// A moment after every deadline.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    pub(crate) const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    pub(crate) const fn millis(self) -> u64 {
        self.0
    }

    pub(crate) fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    pub(crate) fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    pub(crate) const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Relates the time line of a machine to the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clock {
    wall: Timestamp,
    moment: Moment,
}

impl Clock {
    pub(crate) const fn starting(now: Timestamp) -> Self {
        Self { wall: now, moment: Moment::START }
    }

    pub(crate) const fn restored(wall: Timestamp, moment: Moment) -> Self {
        Self { wall, moment }
    }

    /// Records a reading of the wall clock. Returns by how much the clock was set back, if it was.
    pub(crate) fn observe(&mut self, now: Timestamp) -> Option<Duration> {
        // Saturating: one of the two differences is always zero.
        let set_back = self.wall.since(now);
        self.moment = self.moment.plus(now.since(self.wall));
        // Also after a step back, so that only real progress counts from there.
        self.wall = now;
        (!set_back.is_zero()).then_some(set_back)
    }

    pub(crate) const fn wall(&self) -> Timestamp {
        self.wall
    }

    pub(crate) const fn moment(&self) -> Moment {
        self.moment
    }

    /// Returns what the wall clock shows at a moment, past or future, provided that it is not set.
    pub(crate) fn wall_at(&self, moment: Moment) -> Timestamp {
        self.wall
            .saturating_add(moment.since(self.moment))
            .saturating_sub(self.moment.since(moment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// REQ-POLL-28
    #[test]
    fn a_clock_set_back_adds_no_elapsed_time_and_a_step_forward_does() {
        let mut clock = Clock::starting(Timestamp::from_unix_secs(1000));
        let due = clock.moment().plus(Duration::from_secs(5));
        assert_eq!(clock.observe(Timestamp::from_unix_secs(1002)), None);
        assert_eq!(clock.observe(Timestamp::from_unix_secs(400)), Some(Duration::from_secs(602)));
        assert_eq!(clock.wall_at(due), Timestamp::from_unix_secs(403));
        assert_eq!(clock.observe(Timestamp::from_unix_secs(403)), None);
        assert_eq!(clock.moment(), due);
        assert_eq!(clock.wall_at(Moment::START), Timestamp::from_unix_secs(398));
    }
}
