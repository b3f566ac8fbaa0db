//! What a driver is given by its caller: written once for a test, handed to either adapter.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use ciba_core::{Entropy, Event, KeyOperation, Snapshot, Timestamp};
use ciba_ureq::SignerError;

/// Keeps the state of a flow.
pub trait Saver: Send + Sync + 'static {
    /// Saves it.
    ///
    /// # Errors
    ///
    /// When it cannot be saved.
    fn save(&self, snapshot: &Snapshot) -> io::Result<()>;
}

/// A private key.
pub trait Signer: Send + Sync + 'static {
    /// Signs what is to be signed.
    ///
    /// # Errors
    ///
    /// When it cannot be used.
    fn sign(&self, operation: &KeyOperation) -> Result<Vec<u8>, SignerError>;
}

/// Watches a flow being driven; a closure watches its events.
pub trait Watch: Send {
    /// Something is about to happen, or did.
    fn event(&mut self, event: &Event) {
        let _ = event;
    }

    /// The state could not be saved.
    fn save_failed(&mut self, error: &io::Error) {
        let _ = error;
    }

    /// The signer failed.
    fn key_unavailable(&mut self, error: &SignerError) {
        let _ = error;
    }
}

impl Watch for () {}

impl<F: FnMut(&Event) + Send> Watch for F {
    fn event(&mut self, event: &Event) {
        self(event);
    }
}

/// Stops a drive. Clones stop the same one.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<(AtomicBool, tokio::sync::Notify)>);

impl Stop {
    /// Stops it.
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

/// What a test supplies, as each adapter wants it.
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

/// A watcher, and what stops the drive it watches.
pub(super) struct Watching<'a> {
    watch: &'a mut dyn Watch,
    stop: Stop,
}

impl<'a> Watching<'a> {
    pub(super) fn new(watch: &'a mut dyn Watch, stop: Stop) -> Self {
        Self { watch, stop }
    }
}

impl ciba_reqwest::Watch for Watching<'_> {
    fn event(&mut self, event: &Event) {
        self.watch.event(event);
    }

    fn save_failed(&mut self, error: &io::Error) {
        self.watch.save_failed(error);
    }

    fn key_unavailable(&mut self, error: &SignerError) {
        self.watch.key_unavailable(error);
    }
}

impl ciba_ureq::Watch for Watching<'_> {
    fn event(&mut self, event: &Event) {
        self.watch.event(event);
    }

    fn stop(&mut self, _: Timestamp) -> bool {
        self.stop.is_stopped()
    }

    fn save_failed(&mut self, error: &io::Error) {
        self.watch.save_failed(error);
    }

    fn key_unavailable(&mut self, error: &SignerError) {
        self.watch.key_unavailable(error);
    }
}
