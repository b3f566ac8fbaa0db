//! What a phase can use in a step.

use core::time::Duration;

use super::questions::Questions;
use crate::{
    bounds,
    client::ClientConfig,
    crypto::entropy::{Entropy, Purpose},
    elapsed::Moment,
    secret::NotificationToken,
    time::Timestamp,
};

/// What a phase can use in a step: the configuration and the time.
pub(super) struct Context<'a> {
    pub(super) config: &'a ClientConfig,
    /// The wall clock, for times in tokens.
    pub(super) now: Timestamp,
    /// The moment on the machine's time line, for spacing and deadlines.
    pub(super) moment: Moment,
}

/// The context of a poll, with the caller's entropy and the source of tickets.
pub(super) struct Poll<'a> {
    pub(super) tick: Context<'a>,
    /// The notification token, in ping and push mode.
    pub(super) token: Option<&'a NotificationToken>,
    pub(super) entropy: &'a Entropy,
    pub(super) questions: &'a mut Questions,
}

impl Poll<'_> {
    /// Derives the jitter of the next wait from the entropy of this poll. It is less than
    /// [`bounds::JITTER`] and never negative.
    pub(super) fn jitter(&self) -> Duration {
        let bytes = self.entropy.expand(&*self.tick.config.verifier, Purpose::Jitter);
        let mut wide = [0_u8; 8];
        for (slot, byte) in wide.iter_mut().zip(bytes) {
            *slot = byte;
        }
        let most = u64::try_from(bounds::JITTER.as_millis()).unwrap_or(0);
        Duration::from_millis(u64::from_le_bytes(wide).checked_rem(most).unwrap_or(0))
    }
}
