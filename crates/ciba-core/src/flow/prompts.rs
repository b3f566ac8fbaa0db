//! Which persons are being prompted, so that no person gets a second prompt while the first is open
//! (REQ-SEC-12).

use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::{fmt, time::Duration};

use zeroize::Zeroizing;

use super::{Flow, adrift::Adrift, phase::Phase};
use crate::{crypto::Hash, entropy::Entropy, time::Timestamp};

/// The flows that are running, by the person they prompt: at most one for each hint and issuer.
///
/// Offer every flow to [`Self::enter`] before its authentication request is sent, keep the
/// [`PromptPlace`] as long as the flow runs, and give it back to [`Self::leave`]. The table knows
/// persons only by an HMAC under a key that never leaves it, so nothing in it tells who they are,
/// and it cannot be compared with the table of another process.
pub struct RunningPrompts {
    key: Zeroizing<[u8; 32]>,
    most: usize,
    running: BTreeMap<Box<[u8]>, Running>,
    /// Numbers the places.
    count: u64,
}

struct Running {
    number: u64,
    until: Timestamp,
}

/// A flow's place in [`RunningPrompts`].
#[must_use = "the place is taken until it is given back or its time is over"]
pub struct PromptPlace {
    tag: Box<[u8]>,
    number: u64,
}

/// Why a flow must not prompt its person now. Nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PromptRefused {
    /// Another flow for the same hint at the same issuer is running.
    Running {
        /// How long it may still run.
        remaining: Duration,
    },
    /// As many flows are running as the table holds.
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
            Self::Full => f.write_str("the prompt guard holds as many running flows as it may"),
        }
    }
}

impl core::error::Error for PromptRefused {}

impl RunningPrompts {
    /// An empty table for at most this many running flows. `entropy` becomes the key of the HMAC.
    #[must_use]
    pub fn with_capacity(flows: usize, entropy: Entropy) -> Self {
        Self {
            key: Zeroizing::new(entropy.into_bytes()),
            most: flows,
            running: BTreeMap::new(),
            count: 0,
        }
    }

    /// Takes the place of the person a flow is about to prompt.
    ///
    /// Returns `None` for a flow that is over or whose request was acknowledged: it sends no
    /// further prompt, and it no longer knows the hint.
    ///
    /// A flow holds its place until [`Self::leave`], or until it must have expired: for the
    /// requested lifetime, or ten minutes, until [`Self::keep`] tells the deadline that the
    /// provider granted.
    ///
    /// # Errors
    ///
    /// [`PromptRefused`]; nothing changed.
    pub fn enter(
        &mut self,
        flow: &Flow,
        now: Timestamp,
    ) -> Result<Option<PromptPlace>, PromptRefused> {
        let (Some(tag), Some(until)) = (self.tag(flow, now), flow.prompts_until(now)) else {
            return Ok(None);
        };
        if let Some(other) = self.running.get(&tag)
            && other.until > now
        {
            return Err(PromptRefused::Running { remaining: other.until.since(now) });
        }
        if self.running.len() >= self.most && !self.running.contains_key(&tag) {
            self.running.retain(|_, running| running.until > now);
            if self.running.len() >= self.most {
                return Err(PromptRefused::Full);
            }
        }
        self.count = self.count.wrapping_add(1);
        let number = self.count;
        self.running.insert(tag.clone(), Running { number, until });
        Ok(Some(PromptPlace { tag, number }))
    }

    /// Brings a place up to date with its flow: the provider may have granted more or less time
    /// than was asked for.
    pub fn keep(&mut self, place: &PromptPlace, flow: &Flow, now: Timestamp) {
        let Some(running) =
            self.running.get_mut(&place.tag).filter(|running| running.number == place.number)
        else {
            return;
        };
        // What is not known more precisely counts from the start.
        if !matches!(flow.phase, Some(Phase::Authorizing(_)))
            && let Some(until) = flow.prompts_until(now)
        {
            running.until = until;
        }
    }

    /// Gives a place back; one whose time was over may belong to another flow by now, and that one
    /// keeps it.
    pub fn leave(&mut self, place: PromptPlace) {
        if self.running.get(&place.tag).is_some_and(|running| running.number == place.number) {
            self.running.remove(&place.tag);
        }
    }

    /// How many places are taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Whether no place is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    fn tag(&self, flow: &Flow, now: Timestamp) -> Option<Box<[u8]>> {
        let Some(Phase::Authorizing(authorizing)) = &flow.phase else { return None };
        let config = &flow.config;
        let (kind, person) = authorizing.request.person(config, now);
        let issuer = config.issuer.as_str().as_bytes();
        // The length keeps an issuer and a hint from being cut at another place.
        let mut message = Zeroizing::new(Vec::new());
        message.push(kind);
        message.extend_from_slice(&u64::try_from(issuer.len()).unwrap_or(u64::MAX).to_le_bytes());
        message.extend_from_slice(issuer);
        message.extend_from_slice(person.as_bytes());
        Some(config.verifier.hmac(Hash::Sha256, &*self.key, &message).as_bytes().into())
    }
}

impl Flow {
    /// Until when its prompt may be open; `None` when the flow is over.
    fn prompts_until(&self, now: Timestamp) -> Option<Timestamp> {
        Some(match self.phase.as_ref()? {
            Phase::Authorizing(authorizing) => {
                let moment = self.clock.moment();
                let life =
                    Adrift::until(moment, authorizing.request.requested_lifetime()).since(moment);
                now.saturating_add(life)
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
