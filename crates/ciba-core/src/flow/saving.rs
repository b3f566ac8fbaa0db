//! The saves of a durable flow: a state is saved before anything that depends on it happens, saves
//! never overlap, and nothing is saved after the end.
// Ruling 26.

use alloc::boxed::Box;
use core::time::Duration;

use super::{
    effect::{Effect, PlannedWait},
    machine::Flow,
    phase::Phase,
    settled::Settled,
};
use crate::{
    ask::{Output, Save, SaveOutcome, Wait, WaitReason},
    bounds,
    elapsed::Moment,
    error::{Failure, Setback},
    time::Timestamp,
};

/// How many revisions are set aside for each millisecond of a flow, which is more than any process
/// can count in it.
const REVISIONS_PER_MILLI: u64 = 1 << 20;

/// The longest age that counts, which is longer than any flow can be resumed.
const LONGEST_AGE: Duration = Duration::from_secs(1 << 21);

/// Returns the revision of a flow that is resumed at a moment. The saves of the resumed flow are newer
/// than all saves of earlier processes, including writes that were still in progress when those ended.
// It depends on the moment and not only on the snapshot, because an earlier process may have resumed
// the same snapshot and died before it could save. If its writes arrived now, they would replace the
// state of this process, which may have prompted the person.
pub(super) fn resumed_revision(saved: u64, moment: Moment) -> u64 {
    let age = moment.since(Moment::START).min(LONGEST_AGE);
    // If the clock was set back, the moment is that of the snapshot.
    let millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    saved.saturating_add(REVISIONS_PER_MILLI).max(millis.saturating_mul(REVISIONS_PER_MILLI))
}

/// What a driver that stops has to do for the store, returned by [`Flow::unsaved`].
#[derive(Debug)]
#[must_use = "the flow may have the only copy of the last answer"]
pub enum Unsaved {
    /// The state is saved.
    Nothing,
    /// This state has to be saved.
    Save(Save),
    /// A save is in progress, for a notification. Ask again when it has ended, and at this time at the
    /// latest.
    Wait(Timestamp),
}

impl Flow {
    /// Makes the flow durable: it requests a save ([`Output::Save`]) before anything that depends
    /// on its state happens, and before a notification is acknowledged. A
    /// [resumed](Self::resume) flow is durable.
    pub fn durable(mut self) -> Self {
        if self.saving.is_none() {
            self.saving = Some(Box::default());
            // The caller may have saved the state so far, and a store refuses the same revision.
            self.advance_revision();
        }
        self
    }

    /// Makes the flow non-durable: it requests no saves.
    pub fn in_memory(mut self) -> Self {
        self.saving = None;
        self
    }

    /// Returns what is left to do for the store when a driver stops between two steps. The flow may
    /// have the only copy of the last answer.
    ///
    /// [`Unsaved::Nothing`] if the state is saved or the flow is not durable.
    pub fn unsaved(&mut self, now: Timestamp) -> Unsaved {
        self.observe(now);
        let moment = self.clock.moment();
        let revision = self.revision;
        let Some(saving) = &mut self.saving else { return Unsaved::Nothing };
        saving.notice_drop(moment);
        if let Some((open, _)) = &saving.open {
            let until = open.wake_at();
            return Unsaved::Wait(self.clock.wall_at(until));
        }
        if saving.lacks(revision) {
            return self.save().map_or(Unsaved::Nothing, Unsaved::Save);
        }
        Unsaved::Nothing
    }

    /// Returns the output that was held back for a save, or what to do before it.
    pub(super) fn delayed_output(&mut self, now: Timestamp) -> Option<Output> {
        let moment = self.clock.moment();
        let saving = self.saving.as_mut()?;
        saving.notice_drop(moment);
        // Nothing overtakes a save, so that a write of an older state cannot arrive after a newer
        // one.
        if let Some((open, _)) = &saving.open {
            let wait = PlannedWait::new(open.limit, WaitReason::InFlight);
            return Some(self.wait(wait, now));
        }
        let delayed = saving.delayed.take()?;
        if self.phase.as_ref().is_some_and(|phase| phase.still_asks(&delayed, moment)) {
            let output = self.keep_first(*delayed, now);
            if let (Output::Transmit(_), Some(phase)) = (&output, &mut self.phase) {
                phase.hand_out(moment);
            }
            return Some(output);
        }
        // A store that was slow, or that keeps failing, must not keep the flow from its next step.
        // The output has not begun.
        drop(delayed);
        self.notice_drop(now);
        None
    }

    /// Requests a save before an effect, if its state has to be saved first. A wait is computed
    /// again after the save.
    #[expect(clippy::result_large_err, reason = "an output is moved once for each poll anyway")]
    pub(super) fn saves_first(&mut self, effect: Effect, now: Timestamp) -> Result<Effect, Output> {
        let (revision, moment, is_precious) =
            (self.revision, self.clock.moment(), self.is_precious());
        let Some(saving) = self.saving.as_mut().filter(|saving| saving.lacks(revision)) else {
            return Ok(effect);
        };
        match effect {
            // Even an output that is harmless by itself waits: the state before it may contain an
            // answer that exists nowhere else.
            Effect::Do { output, .. } => Err(self.keep_first(output, now)),
            Effect::Wait(_) | Effect::Done
                if saving.continues_without(revision, moment, is_precious) =>
            {
                Ok(effect)
            }
            Effect::Wait(_) | Effect::Done => Err(self.save().map_or(Output::Done, Output::Save)),
        }
    }

    /// Returns an output if the state is saved or need not be, and otherwise holds it back.
    fn keep_first(&mut self, output: Output, now: Timestamp) -> Output {
        let (revision, moment) = (self.revision, self.clock.moment());
        let (is_needed, is_precious) = (self.must_be_saved(), self.is_precious());
        let Some(saving) = self.saving.as_mut().filter(|saving| saving.lacks(revision)) else {
            return output;
        };
        // The store has failed with exactly this state, and no prompt depends on it, so the flow
        // continues without it (ruling 26).
        if !is_needed && saving.continues_without(revision, moment, is_precious) {
            return output;
        }
        saving.delayed = Some(Box::new(output));
        match saving.retry.filter(|retry| is_needed && moment < *retry) {
            Some(retry) => {
                self.wait(PlannedWait::new(retry, WaitReason::Setback(Setback::NotSaved)), now)
            }
            None => self.save().map_or(Output::Done, Output::Save),
        }
    }

    /// Whether the state contains what exists nowhere else and does not come again: tokens, or the
    /// end.
    const fn is_precious(&self) -> bool {
        matches!(&self.phase, Some(Phase::Verifying(_) | Phase::Settled(_)))
    }

    fn wait(&self, wait: PlannedWait, now: Timestamp) -> Output {
        Output::Wait(Wait::new(self.clock.wall_at(wait.until), now, wait.because, wait.progress))
    }

    pub(super) fn save(&mut self) -> Option<Save> {
        if self.saving.as_ref()?.is_uncertain {
            // The store may already contain this revision, and it accepts only newer ones.
            self.advance_revision();
        }
        let is_needed = self.must_be_saved();
        let local = self.config.policy.local_timeout;
        // A store that hangs must not delay a login that does not depend on it.
        let limit = if is_needed { local } else { local.min(bounds::UNNEEDED_SAVE) };
        let (ticket, open) = self.questions.ask(self.clock.moment().plus(limit));
        let save = Save::new(self.snapshot(), limit, is_needed, ticket);
        let revision = self.revision;
        let saving = self.saving.as_mut()?;
        // Uncertain until the store answers: a process that dies now may have written it.
        (saving.open, saving.is_uncertain) = (Some((open, revision)), true);
        Some(save)
    }

    /// Retries a failed save immediately, because a new drive begins.
    pub(crate) fn tries_the_store_again(&mut self) {
        if let Some(saving) = &mut self.saving {
            (saving.retry, saving.gone_without) = (None, None);
        }
    }

    /// Handles the answer of the store.
    pub(super) fn saved(&mut self, counter: u64, outcome: SaveOutcome) {
        let (is_needed, is_settled) =
            (self.must_be_saved(), matches!(self.phase, Some(Phase::Settled(_))));
        let retry = self.clock.moment().plus(bounds::STORE_RETRY);
        let revision = self.revision;
        let Some(saving) = &mut self.saving else { return };
        let Some((_, written)) = saving.open.take_if(|(open, _)| open.counter == counter) else {
            return;
        };
        match outcome {
            SaveOutcome::Saved => {
                (saving.kept, saving.is_uncertain) = (Some(written), false);
                (saving.retry, saving.gone_without) = (None, None);
                // A save that was started before the end does not contain it.
                saving.is_over |= is_settled && written == revision;
            }
            SaveOutcome::Failed => {
                saving.gone_without = Some(written);
                if is_needed {
                    saving.retry = Some(retry);
                }
            }
            SaveOutcome::Superseded => {
                // Nothing of this process belongs into the store any more.
                (saving.is_superseded, saving.is_over) = (true, true);
                self.stop_if_superseded();
            }
        }
    }

    /// Whether another process continues this flow.
    pub(super) fn is_superseded(&self) -> bool {
        self.saving.as_ref().is_some_and(|saving| saving.is_superseded)
    }

    /// Ends a flow that another process continues, unless it has what that process cannot get:
    /// tokens, or a request whose answer may be tokens.
    // Ruling 44.
    pub(super) fn stop_if_superseded(&mut self) {
        if self.is_superseded() && self.phase.as_ref().is_some_and(Phase::gives_way) {
            self.phase = Some(Settled::failed(Failure::Superseded));
            self.touch();
        }
    }

    /// Whether the end still has to be saved, so that the flow itself answers notifications.
    pub(super) fn owes_a_save(&self) -> bool {
        self.saving.as_ref().is_some_and(|saving| !saving.is_over)
    }

    /// Returns when there is something to do for the store, if anything.
    pub(super) fn saving_wakes_at(&self) -> Option<Moment> {
        self.saving.as_ref()?.wake_at(self.must_be_saved())
    }
}
