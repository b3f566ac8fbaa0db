//! A store that fails: what it stops, and what it does not.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use ciba_core::{Failure, Flow, KeyOperation, Snapshot, Stage};
use ciba_std::Superseded;
use ciba_tests::adapters::{Driver, Saver, Signer, Watch, each};
use ciba_ureq::{DriveError, SignerError};

use crate::{
    START,
    client::{ACKNOWLEDGED, DENIED, Jumping, PENDING, config},
    flow, key_jwt,
    support::{Server, answer},
};

/// A key that signs everything.
struct Kms;

impl Signer for Kms {
    fn sign(&self, _: &KeyOperation) -> Result<Vec<u8>, SignerError> {
        Ok(vec![1; 64])
    }
}

/// Counts the reported failures.
#[derive(Default)]
struct Told(usize);

impl Watch for Told {
    fn save_failed(&mut self, error: &io::Error) {
        assert_eq!(error.to_string(), "disk full");
        self.0 += 1;
    }
}

/// Fails at one save, or from one on, and checks that every state is newer than the last.
struct Store {
    fails_at: usize,
    is_mended: bool,
    saves: AtomicUsize,
    revision: Mutex<Option<u64>>,
}

impl Saver for Store {
    fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        let last = self.revision.lock().unwrap().replace(snapshot.revision());
        assert!(last < Some(snapshot.revision()), "a state that is not newer");
        let count = self.saves.fetch_add(1, Ordering::SeqCst) + 1;
        let fails = if self.is_mended { count == self.fails_at } else { count >= self.fails_at };
        if fails { Err(io::Error::other("disk full")) } else { Ok(()) }
    }
}

/// Ruling 26, at each save in turn. Before and after the signature the person has not been
/// prompted; then follow the acknowledgement, two token requests with their answers, and the end.
/// Requesting keys ahead of time changes nothing that is saved, and if they are unavailable,
/// nothing stops and they are requested once more.
///
/// REQ-AREQ-30a
#[test]
fn a_save_that_fails_stops_before_the_prompt_and_loses_nothing_after_it() {
    each(|adapter| {
        for (fails_at, is_mended) in (1..=8).flat_map(|at| [(at, true), (at, false)]) {
            let keys = || answer(500, "", "");
            let (pending, denied) = (answer(400, "", PENDING), answer(400, "", DENIED));
            let acts = [answer(200, "", ACKNOWLEDGED), keys(), pending, keys(), denied];
            let server = Server::start(acts);
            let config = config(&server.url(""), key_jwt());
            let driver =
                Driver::new(&config, adapter.http()).with_clock(Jumping::new()).with_signer(Kms);
            let store = Store {
                fails_at,
                is_mended,
                saves: AtomicUsize::new(0),
                revision: Mutex::default(),
            };
            let flow = adapter.saved_flow(flow(&config), store);
            let mut told = Told::default();
            let mut driven = driver.drive(&flow, &mut told);
            let may_prompt = fails_at > 2;
            assert_eq!(driven.is_ok(), may_prompt, "{fails_at} {is_mended}: {driven:?}");
            if !may_prompt {
                assert!(matches!(driven, Err(DriveError::Save(_))), "{driven:?}");
                assert_eq!((server.connections(), flow.stage()), (0, Stage::Authorizing));
                driven = driver.drive(&flow, &mut told);
                assert_eq!(driven.is_ok(), is_mended, "{fails_at}: {driven:?}");
                if !is_mended {
                    assert_eq!(server.connections(), 0, "the person must not be prompted");
                    continue;
                }
            }
            // Later steps retry, but not those of the same instant.
            let expected = match (fails_at, is_mended) {
                (3..=7, true) => 1..=1,
                (3..=7, false) => 1..=usize::min(4, 8 - fails_at),
                _ => 0..=0,
            };
            assert!(expected.contains(&told.0), "{fails_at} {is_mended}: {}", told.0);
            assert!(matches!(flow.finish(), Err(Failure::Denied(_))));
            let paths: Vec<_> = server
                .requests()
                .iter()
                .map(|request| request.split(' ').nth(1).unwrap().to_owned())
                .collect();
            assert_eq!(paths, ["/authenticate", "/keys", "/token", "/keys", "/token"]);
        }
    });
}

/// Accepts newer states only, and keeps them all.
#[derive(Clone, Default)]
struct Checked(Arc<Mutex<Vec<Snapshot>>>);

impl Saver for Checked {
    fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        let mut states = self.0.lock().unwrap();
        if states.last().is_some_and(|last| last.revision() >= snapshot.revision()) {
            return Err(Superseded.into());
        }
        states.push(snapshot.clone());
        Ok(())
    }
}

/// Ruling 44: of two processes that resume the same state, the one that saves second ends. It sends
/// nothing, tries the store once, and does not count as a process with a broken store.
///
/// REQ-AREQ-30a
#[test]
fn a_flow_that_another_process_has_resumed_ends_without_a_request() {
    each(|adapter| {
        let (pending, denied) = (answer(400, "", PENDING), answer(400, "", DENIED));
        let keys = || answer(500, "", "");
        let acts = [answer(200, "", ACKNOWLEDGED), keys(), pending, keys(), denied];
        let server = Server::start(acts);
        let config = config(&server.url(""), key_jwt());
        let store = Checked::default();
        let driver =
            || Driver::new(&config, adapter.http()).with_clock(Jumping::new()).with_signer(Kms);
        driver().drive(&adapter.saved_flow(flow(&config), store.clone()), &mut ()).unwrap();
        let states = store.0.lock().unwrap().clone();
        assert!(states.len() >= 6, "{states:?}");
        let connections = server.connections();
        let mut ends = Vec::new();
        for state in &states {
            let resumed =
                || Flow::resume(Arc::clone(&config), state.as_bytes(), START).expect("it resumes");
            let store = Checked(Arc::new(Mutex::new(vec![resumed().snapshot()])));
            let (flow, mut told) = (adapter.saved_flow(resumed(), store.clone()), Told::default());
            driver().drive(&flow, &mut told).unwrap();
            assert_eq!((server.connections(), told.0), (connections, 0), "{state:?}");
            assert_eq!(store.0.lock().unwrap().len(), 1, "nothing replaces the other's state");
            ends.push(flow.finish().unwrap_err());
        }
        let end = ends.pop().expect("the last state is the end");
        assert!(matches!(end, Failure::Denied(_)), "what the provider said stays: {end:?}");
        assert!(ends.iter().all(|end| *end == Failure::Superseded), "{ends:?}");
    });
}
