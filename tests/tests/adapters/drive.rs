//! Driving a flow: the order of steps, and the state after an interrupted drive.

use std::{
    collections::HashSet,
    io,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use ciba_core::{
    ClientAuth, Event, Failure, KeyOperation, Policy, Snapshot, Stage, Timestamp,
    config::{IntervalReference, Lacking},
    error::UnreachableTarget,
    fault::Fault,
    http::Endpoint,
    jose::JwsAlgorithm,
    machine::KeyTask,
};
use ciba_tests::adapters::{Saver, SharedFlow, Signer, Watch, each};
use ciba_ureq::{AuthenticateError, Clock, DriveError, SignerError};

use crate::{
    client::{ACKNOWLEDGED, Counting, DENIED, Jumping, PENDING, config, jti, polling, request},
    driver, flow, key_jwt,
    support::{Act, Server, answer, closed_port},
};

/// Records its events.
#[derive(Clone, Default)]
struct Notes {
    lines: Arc<Mutex<Vec<String>>>,
}

impl Notes {
    fn add(&self, line: impl Into<String>) {
        self.lines.lock().unwrap().push(line.into());
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

impl Watch for Notes {
    fn event(&mut self, event: &Event) {
        self.add(match event {
            Event::Requesting { endpoint, attempt } => format!("{} {attempt}", endpoint.name()),
            Event::Acknowledgement(acknowledged) => {
                format!("acknowledged {}", acknowledged.expires_in.as_secs())
            }
            Event::Waiting(wait) => format!("waiting {}", wait.reason().name()),
            _ => "?".to_owned(),
        });
    }

    fn key_unavailable(&mut self, error: &SignerError) {
        self.add(format!("key unavailable: {error}"));
    }
}

impl Saver for Notes {
    fn save(&self, _: &Snapshot) -> io::Result<()> {
        self.add("save");
        Ok(())
    }
}

/// A disk that is full until it is repaired.
#[derive(Clone, Default)]
struct Failing(Arc<AtomicBool>);

impl Failing {
    fn mend(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Saver for Failing {
    fn save(&self, _: &Snapshot) -> io::Result<()> {
        if self.0.load(Ordering::SeqCst) { Ok(()) } else { Err(io::Error::other("disk full")) }
    }
}

#[test]
fn every_step_is_saved_before_it_is_taken_and_reported_once() {
    each(|adapter| {
        let server = Server::start([
            answer(200, "", ACKNOWLEDGED),
            answer(400, "", PENDING),
            answer(400, "", DENIED),
        ]);
        let config = config(&server.url(""), ClientAuth::None);
        let mut notes = Notes::default();
        let flow = adapter.saved_flow(flow(&config), notes.clone());
        driver(adapter, &config).drive(&flow, &mut notes).unwrap();
        assert_eq!(flow.stage(), Stage::Settled);
        assert!(matches!(flow.finish(), Err(Failure::Denied(_))));
        assert_eq!(
            notes.lines(),
            [
                "save",
                "backchannel_authentication 1",
                "acknowledged 120",
                "save",
                "waiting interval",
                "save",
                "token 1",
                "save",
                "waiting interval",
                "save",
                "token 2",
                "save",
            ]
        );
        assert_eq!(server.requests().len(), 3);
    });
}

/// REQ-SEC-05b
#[test]
fn without_random_bytes_nothing_is_sent() {
    each(|adapter| {
        let server = Server::start([answer(200, "", ACKNOWLEDGED)]);
        let config = config(&server.url(""), ClientAuth::None);
        for limit in [0, 1] {
            let driver = driver(adapter, &config).with_entropies(Counting::failing_after(limit));
            let error = driver.authenticate(request(), &mut ()).unwrap_err();
            assert!(matches!(error, AuthenticateError::Drive(DriveError::Entropy(_))), "{error:?}");
        }
        assert_eq!(server.connections(), 0);
    });
}

#[test]
fn a_state_that_cannot_be_saved_stops_before_the_step_and_can_be_driven_on() {
    each(|adapter| {
        let server = Server::start([answer(200, "", ACKNOWLEDGED), answer(400, "", DENIED)]);
        let config = config(&server.url(""), ClientAuth::None);
        let disk = Failing::default();
        let flow = adapter.saved_flow(flow(&config), disk.clone());
        let error = driver(adapter, &config).drive(&flow, &mut ()).unwrap_err();
        assert!(matches!(error, DriveError::Save(_)), "{error:?}");
        assert_eq!((server.connections(), flow.stage()), (0, Stage::Authorizing));
        disk.mend();
        driver(adapter, &config).drive(&flow, &mut ()).unwrap();
        assert!(matches!(flow.finish(), Err(Failure::Denied(_))));
        assert_eq!(server.requests().len(), 2);
    });
}

/// A wall clock that is set back by an hour during the first wait.
struct SetBack {
    clock: Jumping,
    by: Mutex<Duration>,
}

impl Clock for SetBack {
    fn now(&self) -> Timestamp {
        self.clock.read().saturating_sub(*self.by.lock().unwrap())
    }

    fn idle(&self, until: Timestamp) -> Duration {
        let mut by = self.by.lock().unwrap();
        if by.is_zero() {
            *by = Duration::from_secs(3600);
        } else {
            self.clock.jump(until.saturating_add(*by));
        }
        Duration::ZERO
    }
}

/// REQ-POLL-28
#[test]
fn a_clock_set_back_during_a_wait_does_not_prolong_it_by_the_same_amount() {
    each(|adapter| {
        let server = Server::start([answer(200, "", ACKNOWLEDGED), answer(400, "", DENIED)]);
        let config = config(&server.url(""), ClientAuth::None);
        let clock = Jumping::new();
        let start = clock.read();
        let driver = driver(adapter, &config)
            .with_clock(SetBack { clock: clock.clone(), by: Mutex::default() });
        let error = driver.authenticate(request(), &mut ()).unwrap_err();
        assert!(matches!(error, AuthenticateError::Failed(Failure::Denied(_))), "{error:?}");
        assert_eq!(clock.read().since(start).as_secs(), 5, "the interval and no more");
    });
}

/// REQ-AREQ-30a
/// OPM-ACK-16
#[test]
fn an_authentication_request_that_may_have_arrived_is_not_sent_again() {
    each(|adapter| {
        for act in [
            Act::Reset,
            Act::Answer(Vec::new()),
            answer(503, "", ""),
            answer(429, "", ""),
            answer(500, "", ""),
        ] {
            let server = Server::start([act, answer(200, "", ACKNOWLEDGED)]);
            let config = config(&server.url(""), ClientAuth::None);
            let error = driver(adapter, &config).authenticate(request(), &mut ()).unwrap_err();
            let is_typed = matches!(
                error,
                AuthenticateError::Failed(Failure::Indeterminate(_) | Failure::Refused(_))
            );
            assert!(is_typed, "{error:?}");
            assert_eq!((server.requests().len(), server.connections()), (1, 1));
        }
    });
}

/// OPM-POL-17
/// OPM-ACK-17
#[test]
fn a_redirect_ends_the_flow() {
    each(|adapter| {
        for status in [302, 307, 308] {
            let other = Server::start([answer(200, "", "{}")]);
            let redirect = answer(status, &format!("location: {}\r\n", other.url("/other")), "{}");
            for acts in
                [vec![redirect.clone()], vec![answer(200, "", ACKNOWLEDGED), redirect.clone()]]
            {
                let sent = acts.len();
                let server = Server::start(acts);
                let config = config(&server.url(""), ClientAuth::None);
                let error = driver(adapter, &config).authenticate(request(), &mut ()).unwrap_err();
                let AuthenticateError::Failed(Failure::ProviderMisbehaved(misbehaviour)) = error
                else {
                    panic!("{error:?}")
                };
                assert_eq!(misbehaviour.fault, Fault::Redirect);
                assert_eq!((server.requests().len(), other.connections()), (sent, 0));
            }
        }
    });
}

/// OPM-POL-29
#[test]
fn an_endless_answer_ends_the_flow() {
    each(|adapter| {
        let head =
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"
                .to_vec();
        let server = Server::start([
            answer(200, "", ACKNOWLEDGED),
            Act::Flood { head, most: 50 * 1024 * 1024 },
        ]);
        let config = config(&server.url(""), ClientAuth::None);
        let error = driver(adapter, &config).authenticate(request(), &mut ()).unwrap_err();
        let AuthenticateError::Failed(Failure::ProviderMisbehaved(misbehaviour)) = error else {
            panic!("{error:?}")
        };
        assert_eq!(misbehaviour.fault, Fault::TooLarge);
    });
}

/// A key in another machine: counts its operations and never signs one `jti` twice.
#[derive(Clone, Default)]
struct Kms {
    signed: Arc<Mutex<HashSet<String>>>,
    is_down: bool,
}

impl Signer for Kms {
    fn sign(&self, operation: &KeyOperation) -> Result<Vec<u8>, SignerError> {
        if self.is_down {
            return Err("the HSM does not answer".into());
        }
        let KeyTask::Sign(task) = operation.task() else {
            return Err("this key only signs".into());
        };
        assert_eq!((task.algorithm(), operation.key_id()), (JwsAlgorithm::Es256, Some("one")));
        if !self.signed.lock().unwrap().insert(jti(task.message())) {
            return Err("asked to sign the same assertion again".into());
        }
        Ok(vec![1; 64])
    }
}

/// REQ-AUTH-12b
#[test]
fn a_kms_signs_each_request_separately() {
    each(|adapter| {
        let acts = [
            answer(200, "", ACKNOWLEDGED),
            answer(400, "", PENDING),
            answer(400, "", PENDING),
            answer(400, "", DENIED),
        ];
        let server = Server::start(acts);
        let config = config(&server.url(""), key_jwt());
        let kms = Kms::default();
        let driver = driver(adapter, &config).with_signer(kms.clone());
        let error = driver.authenticate(request(), &mut ()).unwrap_err();
        assert!(matches!(error, AuthenticateError::Failed(Failure::Denied(_))), "{error:?}");
        assert_eq!((kms.signed.lock().unwrap().len(), server.requests().len()), (4, 4));
    });
}

/// REQ-AREQ-30a
/// REQ-AREQ-30b
#[test]
fn an_unsent_request_is_retried_with_a_new_signature() {
    each(|adapter| {
        let config = config(&format!("http://{}", closed_port()), key_jwt());
        let kms = Kms::default();
        let driver = driver(adapter, &config).with_signer(kms.clone());
        let mut notes = Notes::default();
        let error = driver.authenticate(request(), &mut notes).unwrap_err();
        let AuthenticateError::Failed(Failure::Unreachable(unreachable)) = error else {
            panic!("{error:?}")
        };
        assert!(matches!(unreachable.target, UnreachableTarget::Endpoint(_)));
        let attempts = notes.lines().iter().filter(|line| line.starts_with("backchannel")).count();
        assert!((2..=4).contains(&attempts), "{attempts}");
        assert_eq!(kms.signed.lock().unwrap().len(), attempts);
    });
}

#[test]
fn a_key_that_cannot_be_used_ends_the_flow_and_says_why() {
    each(|adapter| {
        let server = Server::start([answer(200, "", ACKNOWLEDGED)]);
        let config = config(&server.url(""), key_jwt());
        let down = driver(adapter, &config).with_signer(Kms { is_down: true, ..Kms::default() });
        let mut notes = Notes::default();
        let error = down.authenticate(request(), &mut notes).unwrap_err();
        let AuthenticateError::Failed(Failure::Unreachable(unreachable)) = error else {
            panic!("{error:?}")
        };
        assert_eq!(unreachable.target, UnreachableTarget::PrivateKey);
        let reason = "the HSM does not answer";
        assert!(
            notes.lines().contains(&format!("key unavailable: {reason}")),
            "{:?}",
            notes.lines()
        );
        let source = std::error::Error::source(&unreachable).expect("the signer's own words");
        assert_eq!(source.to_string(), reason);
        assert_eq!(driver(adapter, &config).lacks(), Some(Lacking::Signer));
        assert_eq!(server.connections(), 0);
    });
}

/// Runs a function during one of its saves.
#[derive(Clone)]
struct During {
    at: usize,
    saves: Arc<AtomicUsize>,
    act: Arc<dyn Fn() + Send + Sync>,
}

impl During {
    fn save(at: usize, act: impl Fn() + Send + Sync + 'static) -> Self {
        Self { at, saves: Arc::default(), act: Arc::new(act) }
    }
}

impl Saver for During {
    fn save(&self, _: &Snapshot) -> io::Result<()> {
        if self.saves.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            (self.act)();
        }
        Ok(())
    }
}

/// REQ-POLL-18a
#[test]
fn a_request_cancelled_during_its_save_is_not_sent() {
    each(|adapter| {
        // Cancelled before the prompt. The deadline is before the first token request, so the
        // answer is unknown.
        for (at, cancels, sent) in [(1, true, 0), (3, false, 1)] {
            let server = Server::start([answer(200, "", ACKNOWLEDGED), answer(400, "", DENIED)]);
            let config = config(&server.url(""), ClientAuth::None);
            let clock = Jumping::new();
            let flow_of = Arc::new(OnceLock::<SharedFlow>::new());
            let (cancelled, slow) = (Arc::clone(&flow_of), clock.clone());
            let saver = During::save(at, move || match cancelled.get() {
                Some(flow) if cancels => flow.cancel(slow.read()),
                _ => slow.jump(slow.read().saturating_add(Duration::from_secs(130))),
            });
            let flow = adapter.saved_flow(flow(&config), saver);
            flow_of.set(flow.clone()).unwrap();
            driver(adapter, &config).with_clock(clock).drive(&flow, &mut ()).unwrap();
            let ended = flow.finish();
            let is_right = if cancels {
                matches!(ended, Err(Failure::Abandoned))
            } else {
                matches!(ended, Err(Failure::Indeterminate(_)))
            };
            assert!(is_right, "{ended:?}");
            assert_eq!(server.requests().len(), sent);
        }
    });
}

/// REQ-POLL-03
#[test]
fn the_interval_counts_from_the_sending_and_not_from_before_a_slow_save() {
    each(|adapter| {
        let acts =
            [answer(200, "", ACKNOWLEDGED), answer(400, "", PENDING), answer(400, "", DENIED)];
        let server = Server::start(acts);
        let mut policy = Policy::default();
        policy.interval_reference = IntervalReference::Send;
        let config = polling(&server.url(""), policy);
        let clock = Jumping::new();
        let slow = clock.clone();
        let saver =
            During::save(3, move || slow.jump(slow.read().saturating_add(Duration::from_secs(3))));
        let flow = adapter.saved_flow(flow(&config), saver);
        let (sent, reading) = (Mutex::new(Vec::new()), clock.clone());
        let mut watch = |event: &Event| {
            if let Event::Requesting { endpoint: Endpoint::Token, .. } = event {
                sent.lock().unwrap().push(reading.read());
            }
        };
        driver(adapter, &config).with_clock(clock).drive(&flow, &mut watch).unwrap();
        let sent = sent.into_inner().unwrap();
        assert!(sent[1].since(sent[0]) >= Duration::from_secs(5), "{sent:?}");
    });
}

/// The store is unavailable when the first assertion is to be signed; then there is no randomness
/// for the signer.
#[test]
fn a_drive_that_ends_before_the_key_is_used_is_not_a_failure_of_the_key() {
    each(|adapter| {
        for store_fails in [true, false] {
            let server = Server::start([answer(200, "", ACKNOWLEDGED), answer(400, "", DENIED)]);
            let config = config(&server.url(""), key_jwt());
            let clock = Jumping::new();
            let disk = Failing::default();
            let flow = if store_fails {
                adapter.saved_flow(flow(&config), disk.clone())
            } else {
                adapter.flow(flow(&config))
            };
            let driver =
                driver(adapter, &config).with_clock(clock.clone()).with_signer(Kms::default());
            for _ in 0..4 {
                let entropies =
                    if store_fails { Counting::default() } else { Counting::failing_after(1) };
                let error =
                    driver.clone().with_entropies(entropies).drive(&flow, &mut ()).unwrap_err();
                assert!(matches!(error, DriveError::Save(_) | DriveError::Entropy(_)), "{error:?}");
            }
            disk.mend();
            let start = clock.read();
            let mut sent = None;
            let reading = clock.clone();
            let mut watch = |event: &Event| {
                if let Event::Requesting { .. } = event {
                    sent.get_or_insert(reading.read());
                }
            };
            driver.drive(&flow, &mut watch).unwrap();
            assert!(matches!(flow.finish(), Err(Failure::Denied(_))));
            assert_eq!(sent, Some(start), "the request waited for a key that was available");
        }
    });
}

/// REQ-AREQ-30a
#[test]
fn a_watcher_that_panics_before_a_request_leaves_one_that_was_not_sent() {
    each(|adapter| {
        let server = Server::start([answer(200, "", ACKNOWLEDGED), answer(400, "", DENIED)]);
        let config = config(&server.url(""), ClientAuth::None);
        let flow = adapter.flow(flow(&config));
        let (driver_of, driven) = (driver(adapter, &config), flow.clone());
        let panicked = std::thread::spawn(move || {
            let mut watch = |_: &Event| panic!("an error of the caller");
            driver_of.drive(&driven, &mut watch)
        });
        assert!(panicked.join().is_err());
        assert_eq!(server.connections(), 0);
        driver(adapter, &config).drive(&flow, &mut ()).unwrap();
        assert!(matches!(flow.finish(), Err(Failure::Denied(_))));
        assert_eq!(server.requests().len(), 2);
    });
}

#[test]
fn a_closure_can_watch_the_progress() {
    each(|adapter| {
        let server = Server::start([answer(400, "", r#"{"error":"unknown_user_id"}"#)]);
        let config = config(&server.url(""), ClientAuth::None);
        let mut seen = 0;
        let error = driver(adapter, &config).authenticate(request(), &mut |_: &Event| seen += 1);
        assert!(matches!(error, Err(AuthenticateError::Failed(Failure::Refused(_)))));
        assert_eq!(seen, 1);
    });
}
