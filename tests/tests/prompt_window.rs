//! An authentication request is sent while the person still expects the prompt, or never: ruling
//! 27, at every step that could send it.
#![allow(missing_docs)]

use std::{
    cell::Cell,
    io::Read as _,
    net::{Ipv4Addr, TcpListener},
    sync::Arc,
    thread,
    time::Duration,
};

use ciba_core::{
    ClientAuth, ClientConfig, ClientId, ClientSecret, DeliveryMode, Entropy, Failure, Flow, Issuer,
    JwksCache, Policy, ProviderMetadata, Stage, Timestamp,
    error::UnreachableTarget,
    http::{Endpoint, LoopbackHttp, Url},
};
use ciba_tests::{
    fake_crypto::FakeCrypto,
    model::Say,
    sim::{Fails, START, Said, Setup, Sim},
    toy,
};

const BACKCHANNEL: Said = Said::Transmit(Endpoint::BackchannelAuthentication);
const PENDING: Say = Say::Pending(None, None);
const WITHIN: u64 = 90_000;

/// In every delivery mode, with signed and unsigned requests.
fn each(check: impl Fn(Sim)) {
    for mode in DeliveryMode::ALL {
        for signed in [false, true] {
            let mut setup = Setup::new(5, 600).delivered(mode);
            setup.signed_requests = signed;
            check(Sim::new(setup));
        }
    }
}

fn sign(sim: &mut Sim) {
    let asked = sim.open.take().expect("a signature");
    sim.sign(asked);
}

/// Signs until the request is ready.
fn at_request(sim: &mut Sim) {
    while sim.poll() != BACKCHANNEL {
        sign(sim);
    }
}

/// Checks that the person was not and will not be prompted, and that a new flow may succeed.
#[track_caller]
fn is_too_late(mut sim: Sim, target: UnreachableTarget) {
    assert_eq!((sim.poll(), sim.op.prompts), (Said::Done, 0));
    let failure = sim.finish().expect_err("no request was sent");
    assert!(failure.may_start_over());
    assert!(
        matches!(&failure, Failure::Unreachable(found) if found.target == target),
        "{failure:?}"
    );
}

/// REQ-AREQ-33a
/// REQ-AREQ-33e
#[test]
fn a_flow_that_starts_too_late_sends_no_request() {
    each(|mut sim| {
        sim.advance(WITHIN - 1);
        at_request(&mut sim);
        sim.answer(PENDING);
        assert_eq!((sim.flow.stage(), sim.op.prompts), (Stage::Pending, 1));
    });
    for late in [WITHIN, 86_400_000] {
        each(|mut sim| {
            sim.advance(late);
            is_too_late(sim, UnreachableTarget::Person);
        });
    }
}

/// REQ-AREQ-33c
#[test]
fn no_request_is_sent_if_its_signature_arrives_too_late() {
    for late in [WITHIN, 50_000_000] {
        // A signed request has two signatures, each of which may be late.
        each(|mut sim| {
            let mut signatures = 0;
            while sim.poll() != BACKCHANNEL {
                signatures += 1;
                sign(&mut sim);
            }
            for slow in 1..=signatures {
                let mut sim = Sim::with(
                    sim.setup().clone(),
                    Arc::clone(&sim.config),
                    ciba_tests::sim::request(),
                );
                for _ in 1..slow {
                    assert_eq!(sim.poll(), Said::Key);
                    sign(&mut sim);
                }
                assert_eq!(sim.poll(), Said::Key);
                sim.advance(late);
                sign(&mut sim);
                is_too_late(sim, UnreachableTarget::Person);
            }
        });
    }
}

/// REQ-AREQ-33c
#[test]
fn no_request_is_sent_after_a_slow_save_or_a_suspension() {
    for late in [WITHIN, 30_000_000] {
        each(|mut sim| {
            at_request(&mut sim);
            sim.advance(late);
            sim.begin();
            is_too_late(sim, UnreachableTarget::Person);
        });
        // Nothing signed is stale yet, and with a client secret nothing is signed.
        each(|mut sim| {
            sim.advance(WITHIN - 10);
            at_request(&mut sim);
            sim.advance(10);
            sim.begin();
            is_too_late(sim, UnreachableTarget::Person);
        });
        for (late, leaves) in [(WITHIN - 1, true), (late, false)] {
            let auth = ClientAuth::ClientSecretPost {
                secret: ClientSecret::new("a secret of the client"),
            };
            let config = ciba_tests::sim::client(ciba_tests::model::ISSUER)
                .client_auth(auth)
                .build()
                .expect("valid");
            let mut sim = Sim::with(Setup::new(5, 600), config, ciba_tests::sim::request());
            assert_eq!(sim.poll(), BACKCHANNEL);
            sim.advance(late);
            sim.begin();
            assert_eq!(sim.open.is_some(), leaves, "{late}");
        }
        // Only the clock shows that the machine was suspended.
        each(|mut sim| {
            at_request(&mut sim);
            sim.set_clock(i64::try_from(late).expect("short"));
            sim.begin();
            is_too_late(sim, UnreachableTarget::Person);
        });
    }
}

/// REQ-AREQ-33b
/// A store that never works delays the request, but the flow still ends in time.
#[test]
fn a_flow_whose_saves_all_fail_sends_no_request_and_ends() {
    each(|mut sim| {
        sim.fail(Fails::From(1));
        for _ in 0..1000 {
            match sim.poll() {
                Said::Save => {}
                Said::Key => sign(&mut sim),
                Said::Wait(wait) => sim.advance_to(wait.until()),
                Said::Transmit(_) | Said::KeySet => panic!("nothing is kept: {:?}", sim.flow),
                Said::Done => return is_too_late(sim, UnreachableTarget::Person),
            }
        }
        panic!("the flow does not end: {:?}", sim.flow);
    });
}

#[test]
fn a_clock_set_back_does_not_extend_the_prompt_window() {
    each(|mut sim| {
        sim.advance(WITHIN - 10);
        assert_eq!(sim.poll(), Said::Key);
        sim.set_clock(-3_600_000);
        sign(&mut sim);
        sim.advance(10);
        is_too_late(sim, UnreachableTarget::Person);
    });
}

/// REQ-AREQ-33c
#[test]
fn an_unsent_request_is_not_retried_after_the_prompt_window() {
    // The next attempt would be a second later.
    for (at, is_tried) in [(WITHIN - 1_500, true), (WITHIN - 1_000, false), (WITHIN - 1, false)] {
        each(|mut sim| {
            sim.advance(at);
            at_request(&mut sim);
            sim.not_sent();
            if is_tried {
                let Said::Wait(wait) = sim.poll() else { panic!("it is retried") };
                sim.advance_to(wait.until());
                at_request(&mut sim);
                sim.answer(PENDING);
                assert_eq!(sim.op.prompts, 1);
            } else {
                is_too_late(sim, UnreachableTarget::Endpoint(Endpoint::BackchannelAuthentication));
            }
        });
    }
    // Suspended before the next attempt.
    each(|mut sim| {
        at_request(&mut sim);
        sim.not_sent();
        assert!(matches!(sim.poll(), Said::Wait(_)));
        sim.advance(WITHIN);
        is_too_late(sim, UnreachableTarget::Person);
    });
}

#[test]
fn a_key_unavailable_until_the_end_of_the_window_is_the_reported_failure() {
    each(|mut sim| {
        let until = loop {
            match sim.poll() {
                Said::Wait(wait) => sim.advance_to(wait.until()),
                Said::Key => {}
                Said::Done => break sim.elapsed(),
                said => panic!("{said:?}"),
            }
        };
        assert_eq!(until, WITHIN);
        is_too_late(sim, UnreachableTarget::PrivateKey);
    });
}

/// REQ-AREQ-33b
#[test]
fn a_flow_resumed_too_late_sends_no_request() {
    for late in [WITHIN, 86_400_000, 40 * 86_400_000] {
        // Saved at the start, and with the request in flight.
        for steps in 0..2 {
            each(|mut sim| {
                for _ in 0..steps {
                    assert_eq!(sim.poll(), Said::Key);
                }
                sim.save();
                sim.advance(late);
                sim.crash();
                is_too_late(sim, UnreachableTarget::Person);
            });
        }
    }
    each(|mut sim| {
        sim.advance(WITHIN - 1);
        sim.crash();
        at_request(&mut sim);
    });
}

fn after(millis: u64) -> Timestamp {
    Timestamp::from_unix_millis(START + millis)
}

/// Polls a resumed flow and returns whether it is over.
fn is_over(config: &Arc<ciba_core::ClientConfig>, snapshot: &str, at: u64) -> bool {
    let mut flow =
        Flow::resume(Arc::clone(config), snapshot.as_bytes(), after(at)).expect("it resumes");
    let _ = flow.poll(after(at), ciba_core::Entropy::from_bytes([7; 32]));
    flow.stage() == Stage::Settled
}

/// REQ-AREQ-33b
#[test]
fn a_snapshot_keeps_its_prompt_window_and_one_without_has_the_default() {
    let within = |seconds| {
        let mut policy = Policy::default();
        policy.prompt_within = Duration::from_secs(seconds);
        Setup { policy, ..Setup::new(5, 600) }
    };
    let sim = Sim::new(within(10));
    let kept = String::from_utf8(sim.flow.snapshot().as_bytes().to_vec()).expect("UTF-8");
    // Another configuration does not give the flow more time later.
    let generous = within(3600).config();
    assert!(!is_over(&generous, &kept, 9_999));
    assert!(is_over(&generous, &kept, 10_000));
    let member = "\"not_after\":10000,";
    assert!(kept.contains(member), "{kept}");
    // As written by earlier releases: the flow started at the beginning of its time line.
    let old = kept.replace(member, "");
    let usual = Setup::new(5, 600).config();
    assert!(!is_over(&usual, &old, WITHIN - 1));
    assert!(is_over(&usual, &old, WITHIN));
    // A modified one has at most a day.
    let damaged = kept.replace(member, &format!("\"not_after\":{},", u64::MAX));
    assert!(is_over(&within(u64::MAX / 2000).config(), &damaged, 86_400_000));
    assert!(is_over(&within(u64::MAX / 2000).config(), &old, 86_400_000));
    assert!(!is_over(&within(0).config(), &old, 999), "a second at least");
}

/// What happens while the toy adapter connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    Passes(u64),
    Cancelled,
}

/// Drives a flow with the toy adapter and the given event while it connects. Returns how the flow
/// ended and the number of bytes received.
fn toy_meets(meanwhile: Meanwhile, delivery: DeliveryMode) -> (Failure, usize) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback socket");
    let base = format!("http://{}", listener.local_addr().expect("it is bound"));
    let came = thread::spawn(move || {
        let mut bytes = [0; 4096];
        // The connection is closed instead of answering.
        listener.accept().and_then(|(mut stream, _)| stream.read(&mut bytes)).unwrap_or_default()
    });
    let url = |path: &str| {
        Url::parse_with(&format!("{base}{path}"), LoopbackHttp::DangerouslyAllowed).expect("good")
    };
    let issuer = Issuer::parse_with(base.as_str(), LoopbackHttp::DangerouslyAllowed).expect("good");
    let mut metadata = ProviderMetadata::by_hand(issuer);
    metadata.backchannel_authentication_endpoint = Some(url("/ciba"));
    metadata.token_endpoint = Some(url("/token"));
    metadata.jwks_uri = Some(url("/jwks"));
    let auth = ClientAuth::ClientSecretPost { secret: ClientSecret::new("a secret of the client") };
    let builder =
        ClientConfig::builder(metadata, ClientId::new("client-1").expect("good")).client_auth(auth);
    let mut builder = builder.verifier(Arc::new(FakeCrypto)).delivery(delivery);
    if delivery != DeliveryMode::Poll {
        builder = builder.notification_endpoint(
            Url::parse("https://client.example/notifications").expect("good"),
        );
    }
    let config = builder.build().expect("valid");
    let entropy = || Entropy::from_bytes([7; 32]);
    let flow = Flow::start(Arc::clone(&config), ciba_tests::sim::request(), entropy(), after(0))
        .expect("valid");
    let shared = toy::Shared::new(flow);
    // The first reading is for the poll, the second immediately before sending; then nothing waits.
    let (readings, elapsed) = (Cell::new(0), Cell::new(0));
    let now = || {
        readings.set(readings.get() + 1);
        match meanwhile {
            Meanwhile::Passes(millis) if readings.get() == 2 => elapsed.set(millis),
            Meanwhile::Cancelled if readings.get() == 2 => shared.cancel(after(0)),
            Meanwhile::Nothing | Meanwhile::Passes(_) | Meanwhile::Cancelled => {}
        }
        after(elapsed.get())
    };
    let sleep = |until: Timestamp| elapsed.set(until.unix_millis() - START);
    let http = toy::ToyHttp::new(None, None);
    let ended = shared.drive(
        &http,
        &mut JwksCache::new(&config),
        |asked, _| asked.unavailable(),
        entropy,
        now,
        sleep,
    );
    (ended.expect_err("there is no answer"), came.join().expect("it reads"))
}

/// A custom loop asks once the connection is established, and then sends nothing that is too late
/// or was cancelled.
///
/// REQ-AREQ-33d
#[test]
fn a_custom_loop_that_uses_begin_sends_nothing_too_late() {
    for delivery in DeliveryMode::ALL {
        for on_time in [Meanwhile::Nothing, Meanwhile::Passes(WITHIN - 1)] {
            let (failure, bytes) = toy_meets(on_time, delivery);
            assert!(
                bytes > 0 && matches!(failure, Failure::Indeterminate(_)),
                "{on_time:?} {failure:?}"
            );
        }
        for late in [WITHIN, 86_400_000] {
            let (failure, bytes) = toy_meets(Meanwhile::Passes(late), delivery);
            let is_person = matches!(&failure, Failure::Unreachable(found) if found.target == UnreachableTarget::Person);
            assert!(bytes == 0 && is_person, "{bytes} bytes, {failure:?}");
        }
        assert_eq!(toy_meets(Meanwhile::Cancelled, delivery), (Failure::Abandoned, 0));
    }
}
