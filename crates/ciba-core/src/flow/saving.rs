//! What a durable flow asks of its store, and what waits for it: a state is kept before anything is
//! done that follows from it, saves come one after the other, and nothing is saved after the end
//! (ruling 26).

use alloc::boxed::Box;

use super::{
    Flow,
    notify::NotificationVerdict,
    phase::{Effect, Open, Phase, PlannedWait},
};
use crate::{
    ask::{Output, Save, Wait, WaitReason},
    bounds,
    elapsed::Moment,
    error::Setback,
    time::Timestamp,
};

/// What is known of the store.
#[derive(Default)]
pub(super) struct Saving {
    /// The revision that is kept.
    kept: Option<u64>,
    /// The last save failed or was given up: what it wrote may be there, or may still come.
    is_uncertain: bool,
    /// The save under way and the revision it writes.
    open: Option<(Open, u64)>,
    /// What is done once the state is kept.
    held: Option<Box<Output>>,
    /// The store failed with this revision, and the flow goes on without it for one step.
    gone_without: Option<u64>,
    /// When a store that failed is tried again, where the flow goes no further without it.
    retry: Option<Moment>,
    /// The end is kept: nothing is saved any more, so that whoever waited for it decides what
    /// becomes of the kept state.
    is_over: bool,
}

impl Saving {
    /// Whether this state has still to be kept.
    fn lacks(&self, revision: u64) -> bool {
        !self.is_over && self.kept != Some(revision)
    }

    /// The save under way was given up, or took too long.
    fn hear_of_a_drop(&mut self, moment: Moment) {
        let Some((open, written)) = &self.open else { return };
        let is_over = open.is_over(moment);
        if is_over || open.dropped().is_some() {
            self.gone_without = is_over.then_some(*written);
            self.open = None;
        }
    }

    /// When there is something to do, if that is not what the phase says.
    fn wake_at(&self, is_needed: bool) -> Option<Moment> {
        match (&self.open, &self.held) {
            (Some((open, _)), _) => Some(open.wake_at()),
            (None, Some(_)) => Some(self.retry.filter(|_| is_needed).unwrap_or(Moment::START)),
            (None, None) => None,
        }
    }
}

/// A notification that was taken and has to be acknowledged: see [`Flow::acknowledge`].
#[must_use = "ask the flow what to answer"]
#[derive(Debug)]
pub struct Receipt {
    said: NotificationVerdict,
    /// The state that holds what it brought.
    revision: u64,
    /// A save was tried for it.
    was_tried: bool,
}

impl Receipt {
    pub(super) const fn new(said: NotificationVerdict, revision: u64) -> Self {
        Self { said, revision, was_tried: false }
    }

    /// What the flow made of it.
    pub const fn verdict(&self) -> NotificationVerdict {
        self.said
    }

    /// Whether it says something new, so that the flow has to be polled.
    #[must_use]
    pub const fn is_news(&self) -> bool {
        matches!(self.said, NotificationVerdict::Accepted | NotificationVerdict::Unusable)
    }
}

/// How to go on with a notification that was received.
#[must_use = "the provider waits for an answer"]
#[derive(Debug)]
pub enum Receiving {
    /// This is what was made of it; answer its [`reply`](NotificationVerdict::reply).
    Reply(NotificationVerdict),
    /// Save this first, give the flow the outcome, ask again.
    Save(Save),
    /// Another save is under way: ask again when it ended, at this instant at the latest.
    Wait(Timestamp),
}

impl Flow {
    /// The same flow, kept by a store: it asks for its state to be saved ([`Output::Save`]) before
    /// it lets anything happen that follows from it, and before a notification is acknowledged. A
    /// flow that is [resumed](Self::resume) is durable.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.saving.get_or_insert_default();
        self
    }

    /// The same flow, kept in memory only: it asks for no save.
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.saving = None;
        self
    }

    /// The state to save when a driver stops between two steps: what was answered since the last
    /// one may be the only copy of it. `None` when it is saved already, when a save is under way,
    /// or when the flow is not durable.
    #[must_use]
    pub fn unsaved(&mut self) -> Option<Save> {
        let saving = self.saving.as_ref()?;
        if saving.open.is_none() && saving.lacks(self.revision) { self.save() } else { None }
    }

    /// How to answer a notification that [`Self::notify`] took: a durable flow is saved first.
    pub fn acknowledge(&mut self, receipt: &mut Receipt, now: Timestamp) -> Receiving {
        self.observe(now.max(self.clock.wall()));
        let moment = self.clock.moment();
        let is_authentic = receipt.is_news() || receipt.said == NotificationVerdict::Known;
        let revision = self.revision;
        let Some(saving) = self.saving.as_mut().filter(|_| is_authentic) else {
            return Receiving::Reply(receipt.said);
        };
        saving.hear_of_a_drop(moment);
        match &saving.open {
            _ if saving.is_over || saving.kept.is_some_and(|kept| kept >= receipt.revision) => {
                Receiving::Reply(receipt.said)
            }
            Some((open, _)) => Receiving::Wait(self.clock.wall_at(open.limit)),
            None if receipt.was_tried => Receiving::Reply(NotificationVerdict::Unsaved),
            None => {
                receipt.was_tried = true;
                debug_assert!(revision >= receipt.revision, "revisions only rise");
                self.save().map_or(Receiving::Reply(receipt.said), Receiving::Save)
            }
        }
    }

    /// Before the phases are asked: what was held back, or what is waited for in its place.
    pub(super) fn held_back(&mut self, now: Timestamp) -> Option<Output> {
        let moment = self.clock.moment();
        let is_too_late = matches!(&self.phase, Some(Phase::Authorizing(authorizing))
            if authorizing.is_too_late(moment));
        let open = self.phase.as_ref().and_then(Phase::open).map(|open| open.counter);
        let saving = self.saving.as_mut()?;
        saving.hear_of_a_drop(moment);
        if is_too_late && saving.open.is_none() && saving.held.take().is_some() {
            // A store that fails for good must not keep the flow from its end.
            self.hear_of_a_drop(now);
            return None;
        }
        if let Some((open, _)) = &saving.open {
            let pause = PlannedWait::new(open.limit, WaitReason::InFlight);
            return Some(self.wait(pause, now));
        }
        // Cancelled, expired or answered meanwhile: what is dropped here was not begun.
        let held = saving
            .held
            .take()
            .filter(|held| held.counter().is_none_or(|held| Some(held) == open))?;
        Some(self.keep_first(*held, now))
    }

    /// Before something is said: whether its state has to be saved first. A wait is computed again
    /// after the save, and the end stays.
    pub(super) fn saves_first(&mut self, say: Effect, now: Timestamp) -> Result<Effect, Output> {
        let revision = self.revision;
        let Some(saving) = self.saving.as_mut().filter(|saving| saving.lacks(revision)) else {
            return Ok(say);
        };
        match say {
            Effect::Do { output, .. } => Err(self.keep_first(output, now)),
            Effect::Wait(_) | Effect::Done if saving.gone_without.take() == Some(revision) => {
                Ok(say)
            }
            Effect::Wait(_) | Effect::Done => Err(self.save().map_or(Output::Done, Output::Save)),
        }
    }

    /// Hands an output out once the state is saved, or need not be.
    fn keep_first(&mut self, output: Output, now: Timestamp) -> Output {
        let (revision, moment, is_needed) =
            (self.revision, self.clock.moment(), self.must_be_saved());
        let Some(saving) = self.saving.as_mut().filter(|saving| saving.lacks(revision)) else {
            return output;
        };
        if !is_needed && saving.gone_without.take() == Some(revision) {
            return output;
        }
        saving.held = Some(Box::new(output));
        match saving.retry.filter(|retry| is_needed && moment < *retry) {
            Some(retry) => {
                self.wait(PlannedWait::new(retry, WaitReason::Setback(Setback::NotSaved)), now)
            }
            None => self.save().map_or(Output::Done, Output::Save),
        }
    }

    fn wait(&self, pause: PlannedWait, now: Timestamp) -> Output {
        Output::Wait(Wait::new(self.clock.wall_at(pause.until), now, pause.because, pause.progress))
    }

    fn save(&mut self) -> Option<Save> {
        if self.saving.as_ref()?.is_uncertain {
            // The same revision may have been written, and a store takes only newer ones.
            self.advance_revision();
        }
        let is_needed = self.must_be_saved();
        let local = self.config.policy.local_timeout;
        let limit = if is_needed { local } else { local.min(bounds::UNNEEDED_SAVE) };
        let (ticket, open) = self.questions.ask(self.clock.moment().plus(limit));
        let save = Save::new(self.snapshot(), limit, is_needed, ticket);
        let revision = self.revision;
        let saving = self.saving.as_mut()?;
        (saving.open, saving.is_uncertain) = (Some((open, revision)), true);
        Some(save)
    }

    /// A new drive begins, and the store may work again.
    pub(crate) fn tries_the_store_again(&mut self) {
        if let Some(saving) = &mut self.saving {
            (saving.retry, saving.gone_without) = (None, None);
        }
    }

    /// Takes the answer of the store.
    pub(super) fn saved(&mut self, counter: u64, is_saved: bool) {
        let (is_needed, is_settled) =
            (self.must_be_saved(), matches!(self.phase, Some(Phase::Settled(_))));
        let retry = self.clock.moment().plus(bounds::STORE_RETRY);
        let revision = self.revision;
        let Some(saving) = &mut self.saving else { return };
        let Some((_, written)) = saving.open.take_if(|(open, _)| open.counter == counter) else {
            return;
        };
        if is_saved {
            (saving.kept, saving.is_uncertain) = (Some(written), false);
            (saving.retry, saving.gone_without) = (None, None);
            saving.is_over |= is_settled && written == revision;
        } else {
            saving.gone_without = Some(written);
            saving.retry = is_needed.then_some(retry);
        }
    }

    /// Whether the end has still to be kept, so that the flow itself answers notifications.
    pub(super) fn owes_a_save(&self) -> bool {
        self.saving.as_ref().is_some_and(|saving| !saving.is_over)
    }

    /// When there is something to do for the store, if anything is.
    pub(super) fn saving_wakes_at(&self) -> Option<Moment> {
        self.saving.as_ref()?.wake_at(self.must_be_saved())
    }
}
