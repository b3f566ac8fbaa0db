//! Keeps a person from being prompted twice at once.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ciba_core::{Entropy, Flow, PromptPlace, PromptRefused, RunningPrompts, Timestamp};

use crate::{EntropyError, EntropySource as _, SystemEntropy};

/// How many running flows a [`PromptGuard`] holds unless [`PromptGuard::with_capacity`] says
/// otherwise.
pub const GUARD_CAPACITY: usize = 65_536;

/// Allows one running flow for each hint and issuer; a second one is refused before anything is
/// sent.
///
/// Give it to every [`Driver`](crate::Driver) of a process
/// ([`Driver::with_prompt_guard`](crate::Driver::with_prompt_guard)). Clones are the same guard. A
/// flow holds its place from its first drive until it is over, its
/// [`SharedFlow`](crate::SharedFlow) is dropped, or its time is up.
///
/// The guard is in memory and knows the flows of one process: machines that serve the same persons
/// and share nothing need a guard of their own in front of it. A flow that is resumed after its
/// request was acknowledged is not in it, because a saved flow no longer holds the hint.
#[derive(Clone)]
pub struct PromptGuard(Arc<Mutex<RunningPrompts>>);

impl PromptGuard {
    /// A guard for [`GUARD_CAPACITY`] running flows, with a random key.
    ///
    /// # Errors
    ///
    /// [`EntropyError`] when the system has no random bytes.
    pub fn new() -> Result<Self, EntropyError> {
        Ok(Self::with_capacity(GUARD_CAPACITY, SystemEntropy.draw()?))
    }

    /// A guard for this many running flows; `entropy` becomes the key under which it knows persons.
    #[must_use]
    pub fn with_capacity(flows: usize, entropy: Entropy) -> Self {
        Self(Arc::new(Mutex::new(RunningPrompts::with_capacity(flows, entropy))))
    }

    pub(crate) fn enter(
        &self,
        flow: &Flow,
        now: Timestamp,
    ) -> Result<Option<Prompting>, PromptRefused> {
        let place = self.lock().enter(flow, now)?;
        Ok(place.map(|place| Prompting { guard: self.clone(), place: Some(place) }))
    }

    /// A panic elsewhere while the lock was held leaves a table that is whole.
    fn lock(&self) -> MutexGuard<'_, RunningPrompts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for PromptGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PromptGuard").field(&*self.lock()).finish()
    }
}

/// A flow's place in a guard, given back on drop.
pub(crate) struct Prompting {
    guard: PromptGuard,
    place: Option<PromptPlace>,
}

impl Prompting {
    pub(crate) fn keep(&self, flow: &Flow, now: Timestamp) {
        if let Some(place) = &self.place {
            self.guard.lock().keep(place, flow, now);
        }
    }
}

impl Drop for Prompting {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.guard.lock().leave(place);
        }
    }
}
