//! What a phase can use in a step.

use alloc::boxed::Box;
use core::time::Duration;

use super::questions::Questions;
use crate::{
    bounds,
    client::ClientConfig,
    crypto::entropy::{Entropy, Purpose},
    dpop::ServerNonce,
    elapsed::Moment,
    secret::NotificationToken,
    time::Timestamp,
    wire::authorize::Acknowledgement,
};

/// What a phase can use in a step: the configuration and the time. In return the phase reports what
/// it changed in addition to the phase it returns.
pub(super) struct Context<'a> {
    pub(super) config: &'a ClientConfig,
    /// The wall clock, for times in tokens.
    pub(super) now: Timestamp,
    /// The moment on the machine's time line, for spacing and deadlines.
    pub(super) moment: Moment,
    pub(super) changes: Changes,
}

/// What a step changed in addition to the phase.
#[derive(Default)]
pub(super) struct Changes {
    /// The acknowledgement, which the flow keeps whatever phase follows.
    pub(super) acknowledgement: Option<Box<Acknowledgement>>,
    /// Whether a late answer counts, so that the state is worth a save.
    pub(super) late_answer_counts: bool,
}

impl<'a> Context<'a> {
    pub(super) fn new(config: &'a ClientConfig, now: Timestamp, moment: Moment) -> Self {
        Self { config, now, moment, changes: Changes::default() }
    }
}

/// The context of a poll, with the caller's entropy and the source of tickets.
pub(super) struct Poll<'a> {
    pub(super) context: Context<'a>,
    /// The notification token, in ping and push mode.
    pub(super) token: Option<&'a NotificationToken>,
    /// The newest DPoP nonce.
    pub(super) nonce: Option<&'a ServerNonce>,
    pub(super) entropy: &'a Entropy,
    pub(super) questions: &'a mut Questions,
}

impl Poll<'_> {
    /// Derives the jitter of the next wait from the entropy of this poll. It is less than
    /// [`bounds::JITTER`] and never negative.
    pub(super) fn jitter(&self) -> Duration {
        let number = self.entropy.number(&*self.context.config.verifier, Purpose::Jitter);
        let most = u64::try_from(bounds::JITTER.as_millis()).unwrap_or(0);
        Duration::from_millis(number.checked_rem(most).unwrap_or(0))
    }
}
