//! Where a flow is kept: a store that may fail, and to which writes come late.

use std::sync::Arc;

use ciba_core::{DeliveryMode, Endpoint, Flow, Snapshot, Stage, Timestamp};

use super::{
    Question, Sim,
    mirror::{Kind, Mirror, Outcome},
};

/// More than any flow here needs: nothing a provider or a stranger does makes it grow.
const LARGEST_SNAPSHOT: usize = 16 * 1024;
/// How many abandoned writes may still be on their way.
const MOST_LATE: usize = 3;

/// Which saves fail; they count from one.
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

/// One state of the flow, and what was true beside it.
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
    /// Writes whose caller was dropped; they land later or never.
    late: Vec<State>,
    fails: Fails,
    saves: usize,
    /// The last save failed or was abandoned.
    is_uncertain: bool,
    /// Takes whatever comes, as no store may.
    is_careless: bool,
    /// A token request left that the store knows nothing of.
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
            late: Vec::new(),
            fails: Fails::Never,
            saves: 0,
            is_uncertain: false,
            is_careless: false,
            is_behind: false,
        }
    }

    /// The contract of every store: only what is newer is written.
    fn write(&mut self, state: State) -> bool {
        let is_newer = state.revision > self.kept.revision || self.is_careless;
        if is_newer {
            self.kept = state;
        }
        is_newer
    }
}

/// A snapshot without what resuming changes: counters that jump, and that the earlier life may have asked for tokens.
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

    /// How many saves were tried since [`Self::fail`].
    #[must_use]
    pub const fn saves(&self) -> usize {
        self.store.saves
    }

    /// From now on, the store writes what is older over what is newer.
    pub const fn become_careless(&mut self) {
        self.store.is_careless = true;
    }

    /// What the store holds.
    #[must_use]
    pub fn kept(&self) -> &[u8] {
        &self.store.kept.snapshot
    }

    pub(super) fn is_saved(&self) -> bool {
        self.flow.revision() == self.store.kept.revision
    }

    /// Saves what changed. False when that failed and the caller may go no further.
    pub(super) fn save_if_changed(&mut self) -> bool {
        if self.try_save() {
            return true;
        }
        let stops = self.flow.must_be_saved();
        assert!(!stops || !self.prompted || self.mirror.open.is_some(), "a login is held back by its store");
        !stops
    }

    /// Saves what changed. False when that failed.
    pub(super) fn try_save(&mut self) -> bool {
        if self.is_saved() {
            return true;
        }
        if self.store.is_uncertain {
            self.flow.advance_revision();
        }
        self.store.saves += 1;
        if self.store.fails.fails(self.store.saves) {
            self.store.is_uncertain = true;
            return false;
        }
        self.save();
        true
    }

    /// The caller stops where it is: what is open is answered with what is true then.
    pub(super) fn stop(&mut self) {
        match self.open.take() {
            Some(asked) if matches!(asked.question, super::Question::Key(_)) => self.interrupt(asked),
            other => {
                self.open = other;
                self.not_sent();
            }
        }
    }

    /// Polls, and the caller is dropped while the state is being saved: the write may still land, much later.
    pub fn poll_and_abandon(&mut self) {
        let fails = std::mem::replace(&mut self.store.fails, Fails::From(0));
        self.poll();
        self.store.fails = fails;
        if !self.is_saved() && self.store.late.len() < MOST_LATE {
            let state = self.state();
            self.store.late.push(state);
        }
        self.stop();
    }

    /// An abandoned write lands.
    pub fn land(&mut self) {
        if !self.store.late.is_empty() {
            let late = self.store.late.remove(0);
            self.store.write(late);
        }
    }

    fn state(&self) -> State {
        State {
            snapshot: self.flow.snapshot().as_bytes().to_vec(),
            revision: self.flow.revision(),
            mirror: self.mirror.clone(),
            not_before: self.not_before,
            ended: self.ended,
            skips: self.skips,
        }
    }

    /// Saves the flow if it changed; whatever can be resumed from it is the same every time.
    ///
    /// # Panics
    ///
    /// When a snapshot does not survive a round trip.
    pub fn save(&mut self) {
        let state = self.state();
        assert!(state.snapshot.len() < LARGEST_SNAPSHOT, "{} bytes", state.snapshot.len());
        let now = Timestamp::from_unix_millis(self.mirror.wall);
        let resume = |bytes: &[u8]| Flow::resume(Arc::clone(&self.config), bytes, now).expect("it resumes");
        let once = resume(&state.snapshot).snapshot();
        assert!(once.revision() > state.revision, "what a resumed flow saves is newer");
        let is_in_flight =
            matches!(self.mirror.open, Some(open) if matches!(open.kind, Kind::Authentication | Kind::Token));
        // In ping mode a flow that is resumed asks sooner than it would have; tokens of an old request end it.
        let changes = is_in_flight || self.setup.delivery == DeliveryMode::Ping || self.is_too_old();
        let before =
            if changes { resume(once.as_bytes()).snapshot().as_bytes().to_vec() } else { state.snapshot.clone() };
        assert_eq!(lasting(&before), lasting(once.as_bytes()), "a snapshot changes by being resumed");
        if self.store.write(state) {
            (self.store.is_uncertain, self.store.is_behind) = (false, false);
        }
    }

    /// The process dies, and another one goes on from what the store holds.
    ///
    /// # Panics
    ///
    /// When the snapshot cannot be resumed.
    pub fn crash(&mut self) {
        self.lives += 1;
        self.left.extend(self.open.take());
        // Whatever the store knows: a request that nobody said to have stayed here may have left.
        self.prompted |= self
            .left
            .iter()
            .any(|asked| matches!(asked.question, Question::Transmit { endpoint, .. } if endpoint != Endpoint::Token));
        let kept = self.store.kept.clone();
        if std::mem::take(&mut self.store.is_behind) {
            // Nobody can keep an interval from what was not written.
            (self.not_before, self.skips) = (self.not_before.min(kept.not_before), self.skips.min(kept.skips));
            self.ended = self.ended.min(kept.ended);
        }
        self.store.is_uncertain = false;
        self.mirror = kept.mirror;
        self.observe();
        self.flow = Flow::resume(Arc::clone(&self.config), &kept.snapshot, self.now()).expect("it resumes");
        (self.mirror.unsigned, self.mirror.draft) = (0, None);
        // A flow that was over before stays as it ended.
        if let Some(grant) = self.mirror.grant.as_mut().filter(|_| self.flow.stage() != Stage::Settled) {
            (grant.undecided, grant.maybe_lost) = (None, true);
        }
        self.mirror.is_resumed = true;
        let line = self.mirror.line;
        match self.mirror.open.take().map(|open| open.kind) {
            Some(Kind::Token) => self.ended(&Outcome::Resumed, line),
            Some(Kind::Authentication) => {
                let sent = self.mirror.first_sent.map_or(line, |sent| sent.min(line));
                self.acknowledgement_is_lost(sent);
            }
            Some(Kind::Signature | Kind::Keys) | None => {
                if let (DeliveryMode::Ping, Some(grant)) = (self.setup.delivery, &mut self.mirror.grant) {
                    grant.restarted(line);
                    self.last_request_waits_for_none();
                }
            }
        }
        self.polls_without_time = 0;
    }
}
