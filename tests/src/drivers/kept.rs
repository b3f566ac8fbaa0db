//! Stores that fail on demand and check that each state is newer than the one before: one for the
//! adapters, and one for the core.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use ciba_core::{
    ClientConfig, Flow, Snapshot, Timestamp,
    machine::Save,
    notification::{NotificationVerdict, Receipt, Receiving},
};

use crate::sim::Fails;

/// How often a drive is started again after its store stopped it.
pub(super) const DRIVES: usize = 3;
/// The result of a row whose store prevented every request.
pub const STOPPED: &str = "stopped by its store";

/// A store for the adapters. Clones are the same store.
#[derive(Clone, Default)]
pub(super) struct Store {
    fails: Fails,
    saves: Arc<AtomicUsize>,
    revision: Arc<Mutex<Option<u64>>>,
}

impl Store {
    pub(super) fn new(fails: Fails) -> Self {
        Self { fails, ..Self::default() }
    }

    fn keep(&self, snapshot: &Snapshot) -> io::Result<()> {
        if self.fails.fails(self.saves.fetch_add(1, Ordering::Relaxed) + 1) {
            return Err(io::Error::other("told to fail"));
        }
        let mut revision = self.revision.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(*revision < Some(snapshot.revision()), "a state that is not newer is saved");
        *revision = Some(snapshot.revision());
        Ok(())
    }
}

impl ciba_ureq::Saver for Store {
    fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        self.keep(snapshot)
    }
}

#[async_trait::async_trait]
impl ciba_reqwest::Saver for Store {
    async fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        self.keep(snapshot)
    }
}

/// When the process of the core is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dies {
    Never,
    /// At the first save that fails.
    Before,
    /// After the step that follows that save.
    After,
}

/// The store of the core.
pub(super) struct Kept {
    fails: Fails,
    pub(super) dies: Dies,
    pub(super) saves: usize,
    revision: Option<u64>,
    snapshot: Option<Vec<u8>>,
}

impl Kept {
    pub(super) const fn new(fails: Fails) -> Self {
        Self { fails, dies: Dies::Never, saves: 0, revision: None, snapshot: None }
    }

    /// Whether the store contains the flow's current state.
    pub(super) fn is_current(&self, flow: &Flow) -> bool {
        self.revision == Some(flow.revision())
    }

    /// Carries out a save. Returns false if it failed.
    pub(super) fn keep(&mut self, save: Save, flow: &mut Flow, now: Timestamp) -> bool {
        self.saves += 1;
        let is_kept = !self.fails.fails(self.saves);
        if is_kept {
            let snapshot = save.snapshot();
            assert!(
                self.revision < Some(snapshot.revision()),
                "a state that is not newer is saved"
            );
            self.revision = Some(snapshot.revision());
            self.snapshot = Some(snapshot.as_bytes().to_vec());
        }
        flow.handle(if is_kept { save.saved() } else { save.failed() }, now)
            .expect("the input belongs to this flow");
        is_kept
    }

    /// Answers a notification once it is saved, or cannot be saved.
    pub(super) fn acknowledge(
        &mut self,
        mut receipt: Receipt,
        flow: &mut Flow,
        now: Timestamp,
    ) -> NotificationVerdict {
        loop {
            match flow.acknowledge(&mut receipt, now) {
                Receiving::Reply(verdict) => return verdict,
                Receiving::Save(save) => {
                    self.keep(save, flow, now);
                }
                Receiving::Wait(_) => panic!("no other save is under way"),
            }
        }
    }

    /// Whether the process is killed now, and when exactly.
    pub(super) fn kills(&mut self, is_saved: bool) -> Option<Dies> {
        (!is_saved && self.dies != Dies::Never)
            .then(|| std::mem::replace(&mut self.dies, Dies::Never))
    }

    /// Another process resumes from the store, which works again.
    pub(super) fn resume(
        &mut self,
        config: &Arc<ClientConfig>,
        now: Timestamp,
    ) -> Result<Flow, String> {
        self.fails = Fails::Never;
        let snapshot = self.snapshot.as_deref().ok_or("nothing was saved")?;
        let flow = Flow::resume(Arc::clone(config), snapshot, now)
            .map_err(|error| format!("resume: {error}"))?;
        self.revision = None;
        Ok(flow)
    }
}
