//! The store of a flow. It may fail, and writes may land late.

use std::sync::Arc;

use serde_json::Value;

use ciba_core::{
    DeliveryMode, Flow, Output, Snapshot, Stage, Timestamp, Wait,
    error::Setback,
    http::Endpoint,
    machine::{ResumeError, Save, Unsaved, WaitReason},
};

use super::{
    Caller, Question, Sim,
    mirror::{Kind, Mirror, Outcome},
};

/// More than any flow here needs. Neither the provider nor a stranger can make a state grow.
const LARGEST_SNAPSHOT: usize = 16 * 1024;
/// The maximum number of abandoned writes that may still land.
const MOST_LATE: usize = 3;

/// Which saves fail, counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fails {
    /// None.
    #[default]
    Never,
    /// This one.
    Once(usize),
    /// This one and every later one.
    From(usize),
}

impl Fails {
    /// Whether a save fails.
    #[must_use]
    pub fn fails(self, save: usize) -> bool {
        match self {
            Self::Never => false,
            Self::Once(one) => save == one,
            Self::From(first) => save >= first,
        }
    }
}

/// A state of the flow, with what the simulation knew at that time.
#[derive(Debug, Clone)]
struct State {
    snapshot: Vec<u8>,
    revision: u64,
    mirror: Mirror,
    not_before: u64,
    ended: Option<u64>,
    skips: u32,
}

/// The store.
#[derive(Debug)]
pub(super) struct Store {
    kept: State,
    /// The highest revision that was written.
    newest: Option<u64>,
    /// The revision of the last save that failed, and the moment from which it counts as failed. A
    /// save that was abandoned does at its limit.
    failed: Option<(u64, u64)>,
    /// The revision with which the flow went on after a save that failed, and until when it does not
    /// ask the store again.
    gone_without: Option<u64>,
    paused: u64,
    /// Writes whose caller was dropped. They land later or never.
    late: Vec<State>,
    fails: Fails,
    saves: usize,
    /// Whether nothing was written yet, so that the store holds the initial state.
    is_empty: bool,
    /// On the client's clock: when the process started.
    started: u64,
    /// Whether it accepts older states as well, which no store may do.
    is_careless: bool,
    /// Whether a token request was sent of which the store knows nothing.
    pub(super) is_behind: bool,
}

impl Store {
    pub(super) fn new(snapshot: &Snapshot, mirror: &Mirror) -> Self {
        let kept = State {
            snapshot: snapshot.as_bytes().to_vec(),
            revision: snapshot.revision(),
            mirror: mirror.clone(),
            not_before: 0,
            ended: None,
            skips: 0,
        };
        Self {
            kept,
            newest: None,
            failed: None,
            gone_without: None,
            paused: 0,
            late: Vec::new(),
            fails: Fails::Never,
            saves: 0,
            is_empty: true,
            started: 0,
            is_careless: false,
            is_behind: false,
        }
    }

    /// The contract of every store: only newer states are written.
    fn write(&mut self, state: State) -> bool {
        let is_newer = self.is_empty || state.revision > self.kept.revision || self.is_careless;
        if is_newer {
            self.is_empty = false;
            self.newest = self.newest.max(Some(state.revision));
            self.kept = state;
        }
        is_newer
    }
}

/// Whether a wait ends when a failed save is repeated.
pub(super) fn is_for_the_store(wait: &Wait) -> bool {
    matches!(wait.reason(), WaitReason::Setback(Setback::NotSaved))
}

/// Whether a snapshot says that a request may have been sent.
pub(super) fn is_in_flight(snapshot: &Value) -> bool {
    ["authorizing", "pending"].iter().any(|phase| snapshot["phase"][phase]["in_flight"] == true)
}

/// Returns a snapshot without the parts that resuming changes: counters that jump, and the
/// possibility that an earlier process made a token request.
fn lasting(snapshot: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(snapshot).expect("JSON");
    let mut text = text.replace("\"maybe_redeemed\":false", "\"maybe_redeemed\":true");
    for member in ["\"counter\":", "\"revision\":"] {
        let at = text.find(member).expect("it counts") + member.len();
        let digits = text[at..].bytes().take_while(u8::is_ascii_digit).count();
        text.replace_range(at..at + digits, "0");
    }
    text.into_bytes()
}

impl Sim {
    /// Makes saves fail, counted from now.
    pub fn fail(&mut self, fails: Fails) {
        (self.store.fails, self.store.saves) = (fails, 0);
    }

    /// Returns the number of saves since [`Self::fail`].
    #[must_use]
    pub const fn saves(&self) -> usize {
        self.store.saves
    }

    /// Makes the store overwrite newer states with older ones from now on.
    pub const fn become_careless(&mut self) {
        self.store.is_careless = true;
    }

    /// Returns the stored state.
    #[must_use]
    pub fn kept(&self) -> &[u8] {
        &self.store.kept.snapshot
    }

    pub(super) fn is_saved(&self) -> bool {
        self.flow.revision() == self.store.kept.revision
    }

    /// Checks that an output did not overtake the save of its state. Unless a prompt depends on it, a
    /// save that failed is enough, and for a second it need not be that of the last state, unless
    /// that has tokens or is the end.
    pub(super) fn was_saved_before(&mut self, output: &Output) {
        let may_prompt = match output {
            Output::Save(_) => return,
            Output::Wait(wait) if is_for_the_store(wait) => return,
            Output::Wait(_) | Output::Done => false,
            Output::Transmit(_) | Output::Key(_) | Output::KeySet(_) => {
                self.flow.stage() == Stage::Authorizing
            }
        };
        let (revision, moment) = (self.flow.revision(), self.mirror.moment);
        let store = &mut self.store;
        // The flow does not learn of an abandoned write that arrives.
        if store.failed.take_if(|(failed, since)| *failed == revision && moment >= *since).is_some()
        {
            (store.gone_without, store.paused) = (Some(revision), moment + 1000);
        }
        if store.newest == Some(revision) {
            return;
        }
        assert!(!may_prompt, "{output:?} overtakes the save of its state: {:?}", self.flow);
        let is_precious = matches!(self.flow.stage(), Stage::Verifying | Stage::Settled);
        assert!(
            moment < store.paused && (!is_precious || store.gone_without == Some(revision)),
            "{output:?} overtakes the save of its state: {:?}",
            self.flow
        );
    }

    /// The knowledge of the simulation belongs to the stored state.
    pub(super) fn stands_for_what_is_kept(&mut self) {
        let snapshot = std::mem::take(&mut self.store.kept.snapshot);
        self.store.kept = self.state(snapshot);
    }

    /// Performs a save and returns whether it succeeded. Checks that resuming the state is
    /// deterministic.
    ///
    /// # Panics
    ///
    /// Panics if a snapshot does not survive a round trip.
    pub fn keep(&mut self, save: Save) -> bool {
        self.store.saves += 1;
        let snapshot = save.snapshot().as_bytes().to_vec();
        assert!(snapshot.len() < LARGEST_SNAPSHOT, "{} bytes", snapshot.len());
        assert_eq!(save.snapshot().revision(), self.flow.revision());
        self.survives_a_round_trip(&snapshot);
        let fails = self.store.fails.fails(self.store.saves);
        let state = self.state(snapshot);
        let is_kept = !fails && self.store.write(state);
        if is_kept {
            self.store.is_behind = false;
            (self.store.failed, self.store.gone_without, self.store.paused) = (None, None, 0);
        } else {
            self.store.failed = Some((self.flow.revision(), self.mirror.moment));
            if save.is_needed() {
                self.store.paused = self.mirror.moment + 1000;
            }
        }
        let now = self.now();
        let answer = if is_kept { save.saved() } else { save.failed() };
        self.flow.handle(answer, now).expect("the input belongs to this flow");
        is_kept
    }

    fn survives_a_round_trip(&self, snapshot: &[u8]) {
        let now = Timestamp::from_unix_millis(self.mirror.wall);
        let resume =
            |bytes: &[u8]| Flow::resume(Arc::clone(&self.config), bytes, now).expect("it resumes");
        // A user code is not saved, and without it the request cannot be made again.
        if Flow::resume(Arc::clone(&self.config), snapshot, now).err()
            == Some(ResumeError::UserCodeGone)
        {
            return;
        }
        let once = resume(snapshot).snapshot();
        assert!(once.revision() > self.flow.revision(), "the saves of a resumed flow are newer");
        // A request in flight counts as lost. In ping mode a resumed flow polls sooner than it
        // would have, and tokens of an old request end it.
        let changes = matches!(self.flow.stage(), Stage::Authorizing | Stage::Redeeming)
            || self.setup.delivery == DeliveryMode::Ping
            || self.is_too_old();
        let before = if changes {
            resume(once.as_bytes()).snapshot().as_bytes().to_vec()
        } else {
            snapshot.to_vec()
        };
        assert_eq!(
            lasting(&before),
            lasting(once.as_bytes()),
            "a snapshot changes by being resumed"
        );
    }

    /// Polls, and drops the caller while the state is being saved or while it holds the question.
    /// The write may land much later.
    pub fn poll_and_abandon(&mut self) {
        let _ = self.poll_as(Caller::Abandons);
        self.drop_open();
    }

    /// Drops the caller during this save.
    pub(super) fn abandon(&mut self, save: &Save) {
        let limit = u64::try_from(save.limit().as_millis()).expect("short");
        self.store.failed = Some((self.flow.revision(), self.mirror.moment + limit));
        if self.store.late.len() < MOST_LATE {
            let snapshot = save.snapshot().as_bytes().to_vec();
            let late = self.state(snapshot);
            self.store.late.push(late);
        }
    }

    /// Lets an abandoned write land.
    pub fn land(&mut self) {
        if !self.store.late.is_empty() {
            let late = self.store.late.remove(0);
            self.store.write(late);
        }
    }

    /// Returns a snapshot, with what the simulation knows.
    fn state(&self, snapshot: Vec<u8>) -> State {
        let saved: Value = serde_json::from_slice(&snapshot).expect("JSON");
        // The process that resumes it cannot know whether a request that was made was also sent.
        assert_eq!(
            is_in_flight(&saved),
            self.mirror.open.is_some_and(|open| open.is_request()),
            "a request is saved as in flight from the moment at which it is made"
        );
        State {
            revision: saved["revision"].as_u64().expect("a number"),
            snapshot,
            mirror: self.mirror.clone(),
            not_before: self.not_before,
            ended: self.ended,
            skips: self.skips,
        }
    }

    /// Stops the driver between two steps.
    pub fn save(&mut self) {
        self.observe();
        match self.flow.unsaved(self.now()) {
            Unsaved::Save(save) => {
                self.keep(save);
            }
            Unsaved::Nothing => {}
            Unsaved::Wait(until) => panic!("a save is in progress until {until}"),
        }
    }

    /// Kills the process and resumes in another one from the stored state.
    ///
    /// # Panics
    ///
    /// Panics if the snapshot cannot be resumed.
    pub fn crash(&mut self) {
        self.processes += 1;
        self.left.extend(self.open.take());
        // Independently of the store: a request that began and was not reported as unsent may have
        // been sent.
        self.prompted |= self.left.iter().any(|asked| {
            matches!(&asked.question, Question::Sent { sending, .. } if sending.transmit().endpoint() != Endpoint::Token)
        });
        let kept = self.store.kept.clone();
        // Only the clock orders the writes of processes that resume the same state. Without it, a
        // store has to wait for the writes of the dead process.
        let started = std::mem::replace(&mut self.store.started, self.wall);
        if self.wall <= started.max(kept.mirror.wall) {
            self.store.late.clear();
        }
        if std::mem::take(&mut self.store.is_behind) {
            // An interval that was not written cannot be kept.
            (self.not_before, self.skips) =
                (self.not_before.min(kept.not_before), self.skips.min(kept.skips));
            self.ended = self.ended.min(kept.ended);
        }
        self.mirror = kept.mirror;
        self.observe();
        self.flow =
            Flow::resume(Arc::clone(&self.config), &kept.snapshot, self.now()).expect("it resumes");
        (self.mirror.unsigned, self.mirror.draft, self.mirror.dropped) = (0, None, None);
        // A flow that was over stays as it ended.
        if let Some(grant) =
            self.mirror.grant.as_mut().filter(|_| self.flow.stage() != Stage::Settled)
        {
            (grant.undecided, grant.maybe_lost) = (None, true);
        }
        self.mirror.is_resumed = true;
        let moment = self.mirror.moment;
        match self.mirror.open.take().map(|open| open.kind) {
            Some(Kind::Token) => self.ended(&Outcome::Resumed, moment),
            Some(Kind::Authentication) => {
                let sent = self.mirror.first_sent.map_or(moment, |sent| sent.min(moment));
                self.acknowledgement_is_lost(sent);
            }
            Some(Kind::Signature | Kind::Keys) | None => {
                if let (DeliveryMode::Ping, Some(grant)) =
                    (self.setup.delivery, &mut self.mirror.grant)
                {
                    grant.restarted(moment);
                    self.last_request_waits_for_none();
                }
            }
        }
        (self.polls_without_time, self.keys_since) = (0, None);
        (self.store.failed, self.store.gone_without, self.store.paused) = (None, None, 0);
    }
}
