//! What a caller supplies to a driver, written once for both adapters.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use ciba_core::{Entropy, Event, KeyOperation, Snapshot, Timestamp};
use ciba_std::{SignerError, Watch};

/// Saves the state of a flow.
pub trait Saver: Send + Sync + 'static {
    /// Saves a state.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be saved.
    fn save(&self, snapshot: &Snapshot) -> io::Result<()>;
}

/// A private key.
pub trait Signer: Send + Sync + 'static {
    /// Signs an input.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be used.
    fn sign(&self, operation: &KeyOperation) -> Result<Vec<u8>, SignerError>;
}

/// Stops a drive. Clones stop the same drive.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<(AtomicBool, tokio::sync::Notify)>);

impl Stop {
    /// Stops the drive.
    pub fn stop(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        self.0.1.notify_one();
    }

    fn is_stopped(&self) -> bool {
        self.0.0.load(Ordering::SeqCst)
    }

    pub(super) async fn stopped(&self) {
        self.0.1.notified().await;
    }
}

/// Adapts what a test supplies to the interfaces of both adapters.
pub(super) struct Supplied<T>(pub(super) T);

#[async_trait::async_trait]
impl<T: Saver> ciba_reqwest::Saver for Supplied<T> {
    async fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        self.0.save(snapshot)
    }
}

impl<T: Saver> ciba_ureq::Saver for Supplied<T> {
    fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        self.0.save(snapshot)
    }
}

#[async_trait::async_trait]
impl<T: Signer> ciba_reqwest::Signer for Supplied<T> {
    async fn sign(&self, operation: &KeyOperation, _: Entropy) -> Result<Vec<u8>, SignerError> {
        self.0.sign(operation)
    }
}

impl<T: Signer> ciba_ureq::Signer for Supplied<T> {
    fn sign(&self, operation: &KeyOperation, _: Entropy) -> Result<Vec<u8>, SignerError> {
        self.0.sign(operation)
    }
}

/// A watcher, and the stop signal of the drive that it watches.
pub(super) struct Watching<'a> {
    watch: &'a mut (dyn Watch + Send),
    stop: Stop,
}

impl<'a> Watching<'a> {
    pub(super) fn new(watch: &'a mut (dyn Watch + Send), stop: Stop) -> Self {
        Self { watch, stop }
    }
}

impl Watch for Watching<'_> {
    fn event(&mut self, event: &Event) {
        self.watch.event(event);
    }

    fn stop(&mut self, now: Timestamp) -> bool {
        self.stop.is_stopped() || self.watch.stop(now)
    }

    fn save_failed(&mut self, error: &io::Error) {
        self.watch.save_failed(error);
    }

    fn key_unavailable(&mut self, error: &SignerError) {
        self.watch.key_unavailable(error);
    }
}
