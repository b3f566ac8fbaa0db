//! A watcher that stops a drive.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use ciba_core::{ClientAuth, Failure, Flow, Snapshot, Stage, Timestamp};
use ciba_tests::adapters::{Saver, Watch, each};
use ciba_ureq::DriveError;

use crate::{
    START,
    client::{ACKNOWLEDGED, DENIED, PENDING, config},
    driver, flow,
    support::{Server, answer},
};

/// Stops at a time.
struct Stopping {
    at: Timestamp,
    asked: usize,
}

impl Watch for Stopping {
    fn stop(&mut self, now: Timestamp) -> bool {
        self.asked += 1;
        now >= self.at
    }
}

#[test]
fn a_drive_that_is_stopped_leaves_a_flow_that_can_be_driven_on() {
    each(|adapter| {
        let server = Server::start([
            answer(200, "", ACKNOWLEDGED),
            answer(400, "", PENDING),
            answer(400, "", DENIED),
        ]);
        let config = config(&server.url(""), ClientAuth::None);
        let flow = adapter.flow(flow(&config));
        let driver = driver(adapter, &config);
        for (at, sent) in [(START, 0), (START.saturating_add(Duration::from_secs(5)), 1)] {
            let mut watch = Stopping { at, asked: 0 };
            let stopped = driver.drive(&flow, &mut watch);
            assert!(matches!(stopped, Err(DriveError::Stopped)), "{stopped:?}");
            assert_eq!(server.requests().len(), sent);
            assert!(watch.asked > 0);
        }
        driver.drive(&flow, &mut ()).unwrap();
        assert!(matches!(flow.finish(), Err(Failure::Denied(_))));
        assert_eq!(server.requests().len(), 3);
    });
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
fn an_answer_is_saved_before_a_stop() {
    each(|adapter| {
        let server = Server::start([answer(200, "", ACKNOWLEDGED)]);
        let config = config(&server.url(""), ClientAuth::None);
        let kept = Kept::default();
        let flow = adapter.saved_flow(flow(&config), kept.clone());
        let stopped = driver(adapter, &config).drive(&flow, &mut StopsAnswered { server: &server });
        assert!(matches!(stopped, Err(DriveError::Stopped)), "{stopped:?}");
        let resumed = Flow::resume(Arc::clone(&config), kept.last().as_bytes(), START).unwrap();
        assert_eq!((resumed.stage(), flow.stage()), (Stage::Pending, Stage::Pending));
    });
}
