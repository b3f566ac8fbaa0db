//! Keeps a person from being prompted twice at once.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ciba_core::{
    Entropy, Flow, Timestamp,
    prompts::{PromptPlace, PromptRefused, RunningPrompts},
};

use crate::entropy::{EntropyError, EntropySource as _, SystemEntropy};

/// The number of running flows a [`PromptGuard`] holds unless [`PromptGuard::with_capacity`] says
/// otherwise.
pub const GUARD_CAPACITY: usize = 65_536;

/// Allows one running flow for each hint and issuer; a second one is refused before anything is
/// sent.
///
/// Give the same guard to every driver of a process
/// ([`DriverBuilder::prompt_guard`](crate::DriverBuilder::prompt_guard)); clones are the same
/// guard. A flow holds its place from its first drive until it is over, its `SharedFlow` is
/// dropped, or its time is up.
///
/// The guard is kept in memory and knows the flows of one process only. If several machines serve
/// the same persons, add a shared guard in front of it. A flow that is resumed after its request
/// was acknowledged is not in it, because a saved flow no longer holds the hint.
#[derive(Clone)]
pub struct PromptGuard(Arc<Mutex<RunningPrompts>>);

impl PromptGuard {
    /// Creates a guard for [`GUARD_CAPACITY`] running flows, with a random key.
    ///
    /// # Errors
    ///
    /// [`EntropyError`] if the system has no random bytes.
    pub fn new() -> Result<Self, EntropyError> {
        Ok(Self::with_capacity(GUARD_CAPACITY, SystemEntropy.draw()?))
    }

    /// Creates a guard for this many running flows. `entropy` becomes the key of the hashes by
    /// which it identifies persons.
    #[must_use]
    pub fn with_capacity(flows: usize, entropy: Entropy) -> Self {
        Self(Arc::new(Mutex::new(RunningPrompts::with_capacity(flows, entropy))))
    }

    /// Takes the place of the person whom a flow is about to prompt. `None` if the flow will not
    /// prompt a person any more.
    ///
    /// # Errors
    ///
    /// [`PromptRefused`] if another flow has that place.
    pub fn enter(&self, flow: &Flow, now: Timestamp) -> Result<Option<Prompting>, PromptRefused> {
        let place = self.lock().enter(flow, now)?;
        Ok(place.map(|place| Prompting { guard: self.clone(), place: Some(place) }))
    }

    /// A panic elsewhere while the lock was held leaves a consistent table.
    fn lock(&self) -> MutexGuard<'_, RunningPrompts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for PromptGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PromptGuard").field(&*self.lock()).finish()
    }
}

/// A flow's place in a [`PromptGuard`], given back on drop.
#[must_use = "the place is given back when this is dropped"]
pub struct Prompting {
    guard: PromptGuard,
    place: Option<PromptPlace>,
}

impl Prompting {
    /// Extends the place to the time that the flow may still run. Call it after every step.
    pub fn keep(&self, flow: &Flow) {
        if let Some(place) = &self.place {
            self.guard.lock().keep(place, flow);
        }
    }
}

impl fmt::Debug for Prompting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prompting(..)")
    }
}

impl Drop for Prompting {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.guard.lock().leave(place);
        }
    }
}
