//! What the command does while a flow is driven: it tells what happens, saves, and says when to
//! stop. Both drivers call the same methods.

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use ciba_core::{Event, Snapshot, Timestamp, http::Endpoint};
use ciba_std::{SignerError, Watch};

use crate::{output::Reporter, state_file::StateFile, wording::reason};

/// Watches one drive: tells what happens, saves, and says when to stop.
#[derive(Clone)]
pub(crate) struct Watcher {
    reporter: Arc<Mutex<Reporter>>,
    state: Option<Arc<StateFile>>,
    shared: Arc<Shared>,
}

/// What the state file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kept {
    /// Nothing: no flow was saved, or there is no state file.
    #[default]
    Nothing,
    /// The flow, as it is.
    Flow,
    /// An earlier state at best: a later save failed.
    Earlier,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    in_flight: AtomicBool,
    /// The last state saved holds tokens.
    holds_tokens: AtomicBool,
    /// The person was warned that the file cannot be written.
    is_warned: AtomicBool,
    kept: Mutex<Kept>,
    /// The flow is driven, so that notifications reach it.
    driven: tokio::sync::watch::Sender<bool>,
}

impl Watcher {
    pub(crate) fn new(reporter: Reporter) -> Self {
        Self { reporter: Arc::new(Mutex::new(reporter)), state: None, shared: Arc::default() }
    }

    /// With a file for the flow, and what is in it.
    pub(crate) fn keeping(self, state: Option<StateFile>, kept: Kept) -> Self {
        let shared = Shared { kept: Mutex::new(kept), ..Shared::default() };
        Self { state: state.map(Arc::new), shared: Arc::new(shared), ..self }
    }

    /// A panic elsewhere ends the process, so that a poisoned lock does not matter.
    pub(crate) fn reporter(&self) -> MutexGuard<'_, Reporter> {
        self.reporter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self) -> Option<&StateFile> {
        self.state.as_deref()
    }

    /// What the state file holds.
    pub(crate) fn kept(&self) -> Kept {
        *self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file from which the flow can be resumed.
    pub(crate) fn kept_at(&self) -> Option<&Path> {
        self.state().filter(|_| self.kept() == Kept::Flow).map(StateFile::path)
    }

    /// The file, if it holds tokens that are not verified yet.
    pub(crate) fn tokens_at(&self) -> Option<&Path> {
        self.kept_at().filter(|_| self.shared.holds_tokens.load(Ordering::Relaxed))
    }

    fn keeps(&self, now: Kept) -> Kept {
        std::mem::replace(
            &mut *self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner),
            now,
        )
    }

    /// Asks the drive to end before its next step.
    pub(crate) fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    /// Whether a request is under way.
    pub(crate) fn in_flight(&self) -> bool {
        self.shared.in_flight.load(Ordering::Relaxed)
    }

    /// Returns when the drive has begun.
    pub(crate) async fn driven(&self) {
        // `self` holds the sender, so the channel is never closed.
        let _ = self.shared.driven.subscribe().wait_for(|is_driven| *is_driven).await;
    }

    pub(crate) fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        let Some(state) = &self.state else { return Ok(()) };
        let saved = state.save(snapshot);
        match &saved {
            Ok(()) => {
                self.keeps(Kept::Flow);
                self.shared.holds_tokens.store(snapshot.holds_tokens(), Ordering::Relaxed);
                self.shared.is_warned.store(false, Ordering::Relaxed);
            }
            Err(_) if self.kept() == Kept::Flow => {
                self.keeps(Kept::Earlier);
            }
            Err(_) => {}
        }
        saved
    }
}

impl Watch for Watcher {
    fn event(&mut self, event: &Event) {
        self.shared.driven.send_replace(true);
        // Nothing is lost with a key set request.
        let requesting =
            matches!(event, Event::Requesting { endpoint, .. } if *endpoint != Endpoint::KeySet);
        // A notification may come while a request is under way.
        if !matches!(event, Event::Notified) {
            self.shared.in_flight.store(requesting, Ordering::Relaxed);
        }
        self.reporter().event(event);
    }

    fn stop(&mut self, _: Timestamp) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    /// Warns that the login continues without the file, once for each time that it stops working.
    fn save_failed(&mut self, error: &io::Error) {
        let Some(state) = &self.state else { return };
        if !self.shared.is_warned.swap(true, Ordering::Relaxed) {
            let shown = state.path().display();
            self.reporter().say(&format!(
                "ciba: warning: the state file {shown} cannot be written any more ({}); continuing without saving",
                reason(error)
            ));
        }
    }

    fn key_unavailable(&mut self, error: &SignerError) {
        self.reporter().detail(&format!("The private key could not be used: {error}."));
    }
}
