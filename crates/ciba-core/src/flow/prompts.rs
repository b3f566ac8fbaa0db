//! A table of the persons who are being prompted, so that no person gets a second prompt
//! while the first is open.
// REQ-SEC-12

use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::{fmt, time::Duration};

use zeroize::Zeroizing;

use super::{adrift::Adrift, machine::Flow, phase::Phase};
use crate::{
    crypto::{Hash, entropy::Entropy},
    time::Timestamp,
};

/// The running flows by the person they prompt, at most one for each hint and issuer.
///
/// Pass every flow to [`Self::enter`] before its authentication request is sent, keep the
/// [`PromptPlace`] while the flow runs, and pass it to [`Self::leave`] afterwards. The table stores
/// only an HMAC of each person, under a key that never leaves it. Its contents therefore do not
/// identify anyone and cannot be compared with the table of another process.
pub struct RunningPrompts {
    key: Zeroizing<[u8; 32]>,
    most: usize,
    running: BTreeMap<Box<[u8]>, Running>,
    /// The number of the last place.
    count: u64,
}

struct Running {
    number: u64,
    until: Timestamp,
}

/// The place of a flow in [`RunningPrompts`].
#[must_use = "the place is taken until it is returned or expires"]
pub struct PromptPlace {
    tag: Box<[u8]>,
    number: u64,
}

/// The reason for which a flow must not prompt its person now. Nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PromptRefused {
    /// Another flow for the same hint and issuer is running.
    Running {
        /// The maximum time for which it can still run.
        remaining: Duration,
    },
    /// The table is full.
    Full,
}

impl fmt::Display for PromptRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running { remaining } => {
                let seconds = remaining.as_millis().div_ceil(1000);
                write!(
                    f,
                    "another flow for the same person is running, for at most {seconds} s more"
                )
            }
            Self::Full => f.write_str("the maximum number of flows is already running"),
        }
    }
}

impl core::error::Error for PromptRefused {}

impl RunningPrompts {
    /// Creates an empty table for at most this many running flows. `entropy` becomes the key of the
    /// HMAC.
    #[must_use]
    pub fn with_capacity(flows: usize, entropy: Entropy) -> Self {
        Self {
            key: Zeroizing::new(entropy.into_bytes()),
            most: flows,
            running: BTreeMap::new(),
            count: 0,
        }
    }

    /// Takes the place of the person whom a flow is about to prompt.
    ///
    /// Returns `None` for a flow that is over or whose request was acknowledged. Such a flow sends
    /// no further prompt and no longer knows the hint.
    ///
    /// A flow holds its place until [`Self::leave`], or until it must have expired. That is the
    /// requested lifetime, or ten minutes, after the last instant at which it may prompt the person
    /// ([`Policy::prompt_within`](crate::Policy::prompt_within)), until [`Self::keep`] sets the
    /// deadline granted by the provider.
    ///
    /// # Errors
    ///
    /// Returns [`PromptRefused`] if the place is taken or the table is full. The table is then
    /// unchanged.
    pub fn enter(
        &mut self,
        flow: &Flow,
        now: Timestamp,
    ) -> Result<Option<PromptPlace>, PromptRefused> {
        let (Some(tag), Some(until)) = (self.tag(flow, now), flow.prompts_until()) else {
            return Ok(None);
        };
        if let Some(other) = self.running.get(&tag)
            && other.until > now
        {
            return Err(PromptRefused::Running { remaining: other.until.since(now) });
        }
        // A place of this person that has expired is replaced and needs no room.
        if self.running.len() >= self.most && !self.running.contains_key(&tag) {
            // Expired places are removed only when room is needed, so that entering is cheap.
            self.running.retain(|_, running| running.until > now);
            if self.running.len() >= self.most {
                return Err(PromptRefused::Full);
            }
        }
        // Numbered, so that a place that has expired cannot remove its successor.
        self.count = self.count.wrapping_add(1);
        let number = self.count;
        self.running.insert(tag.clone(), Running { number, until });
        Ok(Some(PromptPlace { tag, number }))
    }

    /// Updates the expiry of a place from its flow, because the provider may have granted more or
    /// less time than was requested.
    pub fn keep(&mut self, place: &PromptPlace, flow: &Flow) {
        let Some(running) =
            self.running.get_mut(&place.tag).filter(|running| running.number == place.number)
        else {
            return;
        };
        // Without an acknowledgement, the time set by `enter` applies.
        if !matches!(flow.phase, Some(Phase::Authorizing(_)))
            && let Some(until) = flow.prompts_until()
        {
            running.until = until;
        }
    }

    /// Returns a place. If it has expired and belongs to another flow by now, that flow keeps it.
    pub fn leave(&mut self, place: PromptPlace) {
        if self.running.get(&place.tag).is_some_and(|running| running.number == place.number) {
            self.running.remove(&place.tag);
        }
    }

    /// Returns the number of places that are taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Returns `true` if no place is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    fn tag(&self, flow: &Flow, now: Timestamp) -> Option<Box<[u8]>> {
        let Some(Phase::Authorizing(authorizing)) = &flow.phase else { return None };
        let config = &flow.config;
        let (kind, person) = authorizing.request.person(config, now);
        let issuer = config.issuer.as_str().as_bytes();
        // The length prefix separates issuer and hint unambiguously.
        let mut message = Zeroizing::new(Vec::new());
        // The kind of hint is part of the message, so that equal strings in different hints are
        // different persons.
        message.push(kind);
        message.extend_from_slice(&u64::try_from(issuer.len()).unwrap_or(u64::MAX).to_le_bytes());
        message.extend_from_slice(issuer);
        message.extend_from_slice(person.as_bytes());
        Some(config.verifier.hmac(Hash::Sha256, &*self.key, &message).as_bytes().into())
    }
}

impl Flow {
    /// Returns until when the prompt may be open, or `None` if the flow is over.
    fn prompts_until(&self) -> Option<Timestamp> {
        Some(match self.phase.as_ref()? {
            Phase::Authorizing(authorizing) => {
                // The request may be sent, again or late, until the last of its instants.
                let last = authorizing.last_instant();
                self.clock.wall_at(Adrift::until(last, authorizing.request.requested_lifetime()))
            }
            Phase::Adrift(adrift) => self.clock.wall_at(adrift.until),
            Phase::Pending(pending) => self.clock.wall_at(pending.grant.deadline),
            Phase::Redeeming(redeeming) => self.clock.wall_at(redeeming.grant.deadline),
            Phase::Verifying(verifying) => self.clock.wall_at(verifying.window_end()),
            Phase::Settled(_) => return None,
        })
    }
}

impl fmt::Debug for RunningPrompts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningPrompts")
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PromptPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PromptPlace(..)")
    }
}
