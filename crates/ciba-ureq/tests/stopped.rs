//! A watcher that stops a drive: futures are dropped instead in the asynchronous adapter.
#![allow(missing_docs)]

#[path = "../../ciba-reqwest/tests/support/client.rs"]
mod client;
#[path = "../../ciba-reqwest/tests/support/mod.rs"]
mod support;

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use ciba_ureq::{
    Clock, DriveError, Driver, HttpClient, Keys, Saver, SharedFlow, Watch,
    ciba_core::{
        ClientAuth, ClientConfig, Entropy, Failure, Flow, Snapshot, Stage, Timestamp, jose::KeySet,
    },
    entropy::{EntropyError, EntropySource},
    http::platform_roots,
};
use client::{ACKNOWLEDGED, Counting, DENIED, Jumping, PENDING, config, request};
use support::{Server, answer};

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        self.read()
    }

    fn idle(&self, until: Timestamp) -> Duration {
        self.jump(until);
        Duration::ZERO
    }
}

impl EntropySource for Counting {
    fn draw(&self) -> Result<Entropy, EntropyError> {
        self.next().ok_or_else(|| EntropyError::new("told to fail"))
    }
}

fn driver(config: &Arc<ClientConfig>) -> Driver {
    let http = HttpClient::new(|| platform_roots().proxy(None)).unwrap();
    // The servers here answer what a flow asks in one order, so no keys are fetched while it waits.
    let keys = KeySet::pinned(config.issuer(), br#"{"keys":[]}"#, &**config.verifier()).unwrap();
    Driver::new(Arc::clone(config), http)
        .with_keys(Keys::pinned(keys))
        .with_clock(Jumping::new())
        .with_entropies(Counting::default())
}

fn flow(config: &Arc<ClientConfig>) -> Flow {
    let entropy = Entropy::from_bytes([7; 32]);
    Flow::start(Arc::clone(config), request(), entropy, Jumping::new().read()).unwrap()
}

/// Stops when told, at the first wait.
struct Stopping {
    at: Option<Timestamp>,
    asked: usize,
}

impl Watch for Stopping {
    fn stop(&mut self, now: Timestamp) -> bool {
        self.asked += 1;
        self.at.is_some_and(|at| now >= at)
    }
}

#[test]
fn a_drive_that_is_stopped_leaves_a_flow_that_can_be_driven_on() {
    let server = Server::start([
        answer(200, "", ACKNOWLEDGED),
        answer(400, "", PENDING),
        answer(400, "", DENIED),
    ]);
    let config = config(&server.url(""), ClientAuth::None);
    let flow = SharedFlow::new(flow(&config));
    let driver = driver(&config);
    let start = Jumping::new().read();
    for (at, sent) in [(start, 0), (start.saturating_add(Duration::from_secs(5)), 1)] {
        let mut watch = Stopping { at: Some(at), asked: 0 };
        let stopped = driver.drive(&flow, &mut watch);
        assert!(matches!(stopped, Err(DriveError::Stopped)), "{stopped:?}");
        assert_eq!(server.requests().len(), sent);
        assert!(watch.asked > 0);
    }
    driver.drive(&flow, &mut ()).unwrap();
    assert!(matches!(flow.finish(), Err(Failure::Denied(_))));
    assert_eq!(server.requests().len(), 3);
}

/// Keeps what it was given to save.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Option<Snapshot>>>);

impl Kept {
    fn last(&self) -> Snapshot {
        self.0.lock().unwrap().clone().unwrap()
    }
}

impl Saver for Kept {
    fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        *self.0.lock().unwrap() = Some(snapshot.clone());
        Ok(())
    }
}

/// Stops as soon as a first request was answered.
struct StopsAnswered<'a> {
    server: &'a Server,
}

impl Watch for StopsAnswered<'_> {
    fn stop(&mut self, _: Timestamp) -> bool {
        !self.server.requests().is_empty()
    }
}

/// The answer may be the only one there will ever be: it is saved before the drive stops.
#[test]
fn what_was_answered_is_saved_before_a_stop() {
    let server = Server::start([answer(200, "", ACKNOWLEDGED)]);
    let config = config(&server.url(""), ClientAuth::None);
    let kept = Kept::default();
    let flow = SharedFlow::with_saver(flow(&config), kept.clone());
    let stopped = driver(&config).drive(&flow, &mut StopsAnswered { server: &server });
    assert!(matches!(stopped, Err(DriveError::Stopped)), "{stopped:?}");
    let saved = kept.last();
    let resumed =
        Flow::resume(Arc::clone(&config), saved.as_bytes(), Jumping::new().read()).unwrap();
    assert_eq!((resumed.stage(), flow.stage()), (Stage::Pending, Stage::Pending));
}
