//! A store for the adapters: it fails when told, and takes nothing that is not newer.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use ciba_core::Snapshot;

use crate::sim::Fails;

/// How often a drive is begun again that its store stopped.
pub(super) const DRIVES: usize = 3;
/// The result of a row whose store let nothing leave.
pub const STOPPED: &str = "stopped by its store";

/// Clones are the same store.
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
