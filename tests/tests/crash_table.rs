//! A process that dies at any output, and another one that resumes: each flow ends as the crash
//! table of `docs/flow.md` promises. Also the snapshots of the first version, which must always
//! resume.
#![allow(missing_docs)]

use std::{collections::BTreeSet, fs, path::PathBuf, sync::Arc};

use ciba_core::{
    Authentication, DeliveryMode, Entropy, Failure, Flow, Output, Stage, Timestamp,
    error::LostAnswer,
    http::{Endpoint, Headers, Response},
    jose::KeySet,
    machine::{KeyTask, MisuseReason, ResumeError},
    notification::NotificationVerdict,
    secret::UserCode,
};
use ciba_tests::{
    callback::Callback,
    fake_crypto::{self, FakeCrypto},
    model::{CLIENT_KEY, Forgery, ISSUER, Provider, Say},
    sim::{Question, START, Said, Setup, Sim, client, request},
};

const SCRIPT: [Say; 4] = [
    Say::Pending(None, None),
    Say::SlowDown(None, None),
    Say::Busy(503, None),
    Say::Tokens(Forgery::None),
];

/// How far a process gets with its last output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    /// It was saved but not performed.
    Saved,
    /// It was performed, and the answer was lost.
    CarriedOut,
}

struct Life {
    died_at: Option<Said>,
    died_in: Stage,
    /// The answer that the last output before the death would have had.
    script: Say,
    sim: Sim,
}

/// Runs a flow and kills the process at one output. Returns `None` if the flow has fewer outputs.
fn live(die_at: usize, death: Death) -> Life {
    let mut sim = Sim::new(Setup::new(5, 600));
    let (mut died_at, mut died_in, mut script) = (None, Stage::Settled, SCRIPT[0]);
    for output in 0.. {
        let said = sim.poll();
        let say = SCRIPT[usize::try_from(sim.op.token_requests).expect("few").min(3)];
        if output == die_at {
            (died_in, script) = (sim.flow.stage(), say);
            let wake_at = sim.flow.wake_at();
            if death == Death::CarriedOut {
                sim.perform(say);
            }
            sim.advance(700);
            sim.crash();
            if matches!(said, Said::Wait(_)) {
                // The new process requests the keys first.
                let _ = sim.poll();
                assert_eq!(
                    (sim.flow.stage(), sim.flow.wake_at()),
                    (died_in, wake_at),
                    "the same due time"
                );
            }
            died_at = Some(said);
            continue;
        }
        match said {
            Said::Wait(wait) => sim.advance_to(wait.until()),
            Said::Save => panic!("nothing fails here"),
            Said::Done => break,
            Said::Key | Said::KeySet | Said::Transmit(_) => {
                sim.perform(say);
                let asked = sim.open.take().expect("just asked");
                match asked.question {
                    Question::Transmit(_) | Question::Sent { .. } => sim.deliver(asked),
                    Question::Key(_) => sim.sign(asked),
                    Question::KeySet(_) => sim.find_keys(asked, true),
                }
            }
        }
    }
    Life { died_at, died_in, script, sim }
}

fn lost(result: &Result<Box<Authentication>, Failure>, what: LostAnswer) -> bool {
    matches!(result, Err(Failure::Indeterminate(why)) if why.lost == what)
}

/// REQ-AREQ-30a
/// REQ-POLL-11
/// REQ-POLL-29
#[test]
fn a_flow_killed_at_any_output_ends_as_the_crash_table_says() {
    let mut seen = BTreeSet::new();
    for death in [Death::Saved, Death::CarriedOut] {
        for die_at in 0.. {
            let Life { died_at, died_in, script, sim } = live(die_at, death);
            let Some(died_at) = died_at else {
                assert!(die_at > 15, "only {die_at} outputs");
                break;
            };
            let (prompts, requests) = (sim.op.prompts, sim.op.token_requests);
            let sends = sim.sends.clone();
            let result = sim.finish();
            let row = match died_at {
                Said::Transmit(Endpoint::BackchannelAuthentication) => {
                    assert!(lost(&result, LostAnswer::AuthenticationRequest));
                    assert_eq!((prompts, requests), (u32::from(death == Death::CarriedOut), 0));
                    "authentication request sent"
                }
                Said::Transmit(_) => {
                    let redeemed = death == Death::CarriedOut && script == SCRIPT[3];
                    assert_eq!(lost(&result, LostAnswer::Tokens), redeemed);
                    assert_eq!(result.is_ok(), !redeemed);
                    let gaps =
                        sends.windows(2).map(|pair| pair[1] - pair[0]).min().expect("asked again");
                    assert!(gaps >= 5_000);
                    "token request sent"
                }
                Said::Key if died_in == Stage::Authorizing => "start",
                Said::Key => "pending, about to ask",
                Said::Wait(_) => "pending",
                Said::KeySet => "tokens received",
                Said::Save => panic!("nothing fails here"),
                Said::Done => "verified, not yet taken",
            };
            if !matches!(died_at, Said::Transmit(_)) {
                let authentication = result.expect("nothing was lost");
                assert_eq!((prompts, requests), (1, 4), "{row}");
                assert!(
                    authentication.received_at() < Timestamp::from_unix_millis(START + 60_000),
                    "{row}"
                );
            }
            seen.insert((row, death == Death::Saved));
        }
    }
    assert_eq!(seen.len(), 14, "every row occurred, before and after: {seen:?}");
}

/// A token request that was in flight is repeated one interval after resuming, not earlier and not
/// much later.
#[test]
fn a_token_request_in_flight_is_repeated_one_interval_after_resuming() {
    let mut sim = Sim::new(Setup::new(5, 600));
    assert_eq!(sim.run(), Said::Transmit(Endpoint::Token));
    sim.advance(100_000);
    sim.crash();
    let resumed = sim.elapsed();
    assert_eq!(sim.run(), Said::Transmit(Endpoint::Token));
    assert!((5_000..=5_250).contains(&(sim.elapsed() - resumed)));
}

/// The time of receipt counts: a token that expired while no process ran is still accepted.
#[test]
fn tokens_are_verified_against_the_instant_they_were_received() {
    let mut sim = Sim::new(Setup::new(5, 600));
    assert_eq!(sim.run(), Said::Transmit(Endpoint::Token));
    sim.answer(SCRIPT[3]);
    assert_eq!(sim.poll(), Said::KeySet);
    let received_at = sim.now();
    sim.advance(86_400_000);
    sim.crash();
    assert_eq!(sim.run(), Said::Done);
    assert_eq!(sim.finish().expect("it was valid on receipt").received_at(), received_at);
}

/// Ruling 16.
#[test]
fn a_request_with_a_user_code_is_not_resumed_before_it_was_sent() {
    let config = client(ISSUER).user_codes().build().expect("valid");
    let with_code = request().user_code(UserCode::new("user-code-sentinel"));
    let mut sim = Sim::with(Setup::new(5, 600), Arc::clone(&config), with_code);
    assert_eq!(sim.poll(), Said::Key);
    let asked = sim.open.take().expect("a signature");
    let resume = |sim: &Sim| {
        let snapshot = sim.flow.snapshot();
        assert!(!String::from_utf8_lossy(snapshot.as_bytes()).contains("user-code-sentinel"));
        Flow::resume(Arc::clone(&config), snapshot.as_bytes(), sim.now()).map(|flow| flow.stage())
    };
    let before = sim.flow.snapshot();
    assert_eq!(resume(&sim).expect_err("the code is gone"), ResumeError::UserCodeGone);
    assert_eq!(before.as_bytes(), sim.flow.snapshot().as_bytes());
    sim.flow.handle(signed(asked.question), Timestamp::from_unix_millis(START)).expect("its own");
    let Output::Save(save) = sim.flow.poll(sim.now(), Entropy::from_bytes([9; 32])) else {
        panic!("it is saved first")
    };
    sim.flow.handle(save.saved(), sim.now()).expect("its own");
    let Output::Transmit(transmit) = sim.flow.poll(sim.now(), Entropy::from_bytes([9; 32])) else {
        panic!("a request")
    };
    assert_eq!(resume(&sim), Ok(Stage::Settled), "it may have been sent");
    let sending = sim.flow.begin(transmit, sim.now()).expect("it is in time");
    let response = sim.op.authenticate(sending.request());
    assert_eq!(response.status, 200);
}

fn signed(question: Question) -> ciba_core::Input {
    let Question::Key(operation) = question else { panic!("a signature") };
    let KeyTask::Sign(task) = operation.task() else { panic!("a signature") };
    let signature = fake_crypto::sign(&fake_crypto::key(CLIENT_KEY), task.message());
    operation.answered(signature)
}

/// An answer to a question that this flow never asked is returned, and nothing changes.
#[test]
fn an_answer_to_an_output_from_before_a_restart_is_stale() {
    let mut sim = Sim::new(Setup::new(5, 600));
    let snapshot = sim.flow.snapshot();
    let now = sim.now();
    let resume = || {
        Flow::resume(sim.config.clone(), snapshot.as_bytes(), now).expect("it resumes").in_memory()
    };
    let mut lives = [resume(), resume()];
    let [one, other] = &mut lives;
    let Output::Key(first) = one.poll(now, Entropy::from_bytes([1; 32])) else {
        panic!("a signature")
    };
    let misuse = sim.flow.handle(first.unavailable(), now).expect_err("of another life");
    assert_eq!(misuse.reason, MisuseReason::StaleTicket);
    assert_eq!(sim.flow.snapshot().as_bytes(), snapshot.as_bytes());
    // Two processes that resume from one snapshot are not confused with each other either.
    let Output::Key(second) = other.poll(now, Entropy::from_bytes([2; 32])) else {
        panic!("a signature")
    };
    let _ = other.handle(*misuse.input, now);
    assert_eq!(other.stage(), Stage::Authorizing, "the key is not unavailable here");
    let waiting = other.wake_at();
    other.handle(second.unavailable(), now).expect("its own");
    assert!(other.wake_at() < waiting, "it was told so, and retries soon");
    assert_eq!(sim.poll(), Said::Key);
}

/// Ruling 11. Tokens that were issued to another process of the flow are accepted, because no other
/// process has them.
#[test]
fn tokens_requested_before_a_restart_are_accepted() {
    let mut sim = Sim::new(Setup::new(5, 600));
    assert_eq!(sim.run(), Said::Transmit(Endpoint::Token));
    let snapshot = sim.flow.snapshot();
    let mut now = sim.now();
    let mut life =
        Flow::resume(sim.config.clone(), snapshot.as_bytes(), now).expect("it resumes").in_memory();
    let response = loop {
        let answer = match life.poll(now, Entropy::from_bytes([1; 32])) {
            Output::Wait(wait) => {
                now = wait.until();
                continue;
            }
            Output::Key(operation) => signed(Question::Key(operation)),
            Output::KeySet(request) => request.later(now),
            Output::Transmit(transmit) => {
                let sending = life.begin(transmit, now).expect("it is in time");
                let response =
                    sim.op.token(sending.request(), Say::Tokens(Forgery::None), START / 1000);
                break sending.answered(response);
            }
            Output::Save(_) | Output::Done => panic!("it waits for the person"),
        };
        life.handle(answer, now).expect("its own");
    };
    sim.flow.handle(response, now).expect("of another process of this flow");
    assert_eq!(sim.flow.stage(), Stage::Verifying);
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/snapshots")
}

/// Snapshots of every kind: name, how to obtain it, and how a flow resumed from it ends.
fn kinds() -> Vec<(&'static str, Sim, &'static str)> {
    let fresh = || Sim::new(Setup::new(5, 600));
    let token = || {
        let mut sim = fresh();
        assert_eq!(sim.run(), Said::Transmit(Endpoint::Token));
        sim
    };
    let answered = |say| {
        let mut sim = token();
        sim.answer(say);
        sim
    };
    let settled = |say| {
        let mut sim = answered(say);
        assert_eq!(sim.run(), Said::Done);
        sim
    };
    let authentication = || {
        let mut sim = fresh();
        assert_eq!(sim.poll(), Said::Key);
        let asked = sim.open.take().expect("a signature");
        sim.sign(asked);
        assert_eq!(sim.poll(), Said::Transmit(Endpoint::BackchannelAuthentication));
        sim
    };
    let mut lost = authentication();
    lost.lose();
    let mut unsent = authentication();
    unsent.not_sent();
    let mut acknowledged = authentication();
    acknowledged.answer(SCRIPT[0]);
    let mut abandoned = token();
    abandoned.cancel();
    let mut no_key = fresh();
    while no_key.flow.stage() != Stage::Settled {
        match no_key.poll() {
            Said::Wait(wait) => no_key.advance_to(wait.until()),
            said => assert_eq!(said, Said::Key),
        }
        if let Some(asked) = no_key.open.take() {
            no_key.key_unavailable(asked);
        }
    }
    let mut expired = fresh();
    while expired.run() != Said::Done {
        expired.answer(SCRIPT[0]);
    }
    let mut kinds = vec![
        ("started", fresh(), "authenticated"),
        ("authentication-not-sent", unsent, "authenticated"),
        ("authentication-in-flight", authentication(), "indeterminate"),
        ("acknowledged", acknowledged, "authenticated"),
        ("pending-slow-down", answered(SCRIPT[1]), "authenticated"),
        ("pending-unavailable", answered(SCRIPT[2]), "authenticated"),
        ("token-in-flight", token(), "authenticated"),
        ("tokens-received", answered(SCRIPT[3]), "authenticated"),
        ("verified", settled(SCRIPT[3]), "authenticated"),
        ("denied", settled(Say::Error("access_denied")), "denied"),
        ("expired", expired, "expired"),
        ("expired-token", settled(Say::Error("expired_token")), "expired"),
        ("refused", settled(Say::Error("invalid_request")), "refused"),
        ("untrusted", settled(Say::Tokens(Forgery::Audience)), "untrusted"),
        ("provider-misbehaved", settled(Say::Garbage), "provider_misbehaved"),
        ("indeterminate", lost, "indeterminate"),
        ("unreachable", no_key, "unreachable"),
        ("abandoned", abandoned, "abandoned"),
        // With the members that later releases write: until when the request may be sent, the
        // answers of the token endpoint, until when the tokens are accepted.
        ("started-within", fresh(), "authenticated"),
        ("pending-heard-trouble", answered(Say::Busy(500, Some(9))), "authenticated"),
        ("tokens-with-deadline", answered(SCRIPT[3]), "authenticated"),
    ];
    kinds.extend(notified_kinds());
    kinds
}

/// The kinds that ping and push add.
fn notified_kinds() -> Vec<(&'static str, Sim, &'static str)> {
    let sent = |delivery| {
        let mut sim = Sim::new(Setup::new(5, 600).delivered(delivery));
        while sim.poll() != Said::Transmit(Endpoint::BackchannelAuthentication) {
            let asked = sim.open.take().expect("a signature");
            sim.sign(asked);
        }
        sim.perform(SCRIPT[0]);
        sim
    };
    let acknowledged = |mut sim: Sim| {
        let asked = sim.open.take().expect("in flight");
        sim.deliver(asked);
        sim
    };
    let notified = |mut sim: Sim, callback| {
        assert_eq!(sim.notify(callback), NotificationVerdict::Accepted);
        sim
    };
    let (ping, push) = (|| sent(DeliveryMode::Ping), || sent(DeliveryMode::Push));
    let tokens = Callback::tokens(Forgery::None);
    let mut adrift = ping();
    adrift.lose();
    // A gateway answered instead of the provider.
    let mut adrift_answered = push();
    adrift_answered.begin();
    let Some(Question::Sent { sending, .. }) =
        adrift_answered.open.take().map(|asked| asked.question)
    else {
        panic!("in flight")
    };
    let answer = Response::new(502, Headers::new(), "<p>busy</p>");
    adrift_answered
        .flow
        .handle(sending.answered(answer), Timestamp::from_unix_millis(START))
        .expect("its own");
    // Pinged while a token request is in flight, so that another one follows.
    let mut owing = acknowledged(ping());
    assert_eq!(owing.run(), Said::Transmit(Endpoint::Token));
    let mut pinged = notified(acknowledged(ping()), Callback::PING);
    assert_eq!(pinged.run(), Said::Transmit(Endpoint::Token));
    pinged.answer(SCRIPT[0]);
    assert_eq!(adrift_answered.flow.stage(), Stage::Adrift);
    vec![
        ("ping-adrift", adrift, "indeterminate"),
        ("push-adrift-answered", adrift_answered, "indeterminate"),
        (
            "ping-early",
            notified(notified(ping(), Callback::PING), Callback { id: 3, ..Callback::PING }),
            "authenticated",
        ),
        ("push-early-tokens", notified(push(), tokens), "authenticated"),
        ("push-early-error", notified(push(), Callback::error("access_denied")), "denied"),
        ("ping-acknowledged", acknowledged(ping()), "authenticated"),
        ("ping-pinged", pinged, "authenticated"),
        ("ping-owing", notified(owing, Callback::PING), "authenticated"),
        ("push-acknowledged", acknowledged(push()), "indeterminate"),
        ("push-tokens-received", notified(acknowledged(push()), tokens), "authenticated"),
        (
            "push-error",
            notified(acknowledged(push()), Callback::error("transaction_failed")),
            "refused",
        ),
    ]
}

/// Drives a resumed flow to its end; the provider issues tokens immediately.
fn end(flow: Flow, mut now: Timestamp) -> &'static str {
    let mut flow = flow.in_memory();
    let mut op = Provider::new(5.into(), 600.into());
    let keys = KeySet::pinned(flow.config().issuer(), op.keys().as_bytes(), &FakeCrypto)
        .expect("a key set");
    for count in 1..50 {
        let input = match flow.poll(now, Entropy::from_bytes([count; 32])) {
            Output::Wait(wait) => {
                now = wait.until();
                continue;
            }
            Output::Save(_) => panic!("it is in memory"),
            Output::Done => {
                return match flow.finish() {
                    Ok(authentication) => {
                        assert_eq!(authentication.subject(), Ok(ciba_tests::model::SUBJECT));
                        "authenticated"
                    }
                    Err(failure) => failure.name(),
                };
            }
            Output::Key(operation) => signed(Question::Key(operation)),
            Output::KeySet(request) => request.found(keys.clone()),
            Output::Transmit(transmit) => {
                let sending = flow.begin(transmit, now).expect("it is in time");
                let response = match sending.transmit().endpoint() {
                    Endpoint::Token => op.token(sending.request(), SCRIPT[3], now.unix_secs()),
                    _ => op.authenticate(sending.request()),
                };
                sending.answered(response)
            }
        };
        flow.handle(input, now).expect("its own");
    }
    panic!("it does not end");
}

/// Snapshots that were written once, by the first release that wrote any. If `CIBA_WRITE_SNAPSHOTS`
/// is set, missing ones are written; existing ones are never changed.
#[test]
fn golden_snapshots_always_resume() {
    let mut files = BTreeSet::new();
    for (name, sim, ending) in kinds() {
        let path = directory().join(format!("{name}.json"));
        if std::env::var_os("CIBA_WRITE_SNAPSHOTS").is_some() && !path.exists() {
            fs::create_dir_all(directory()).expect("writable");
            fs::write(&path, sim.flow.snapshot().as_bytes()).expect("writable");
        }
        let golden = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // The current form can be read as well.
        for bytes in [&golden[..], sim.flow.snapshot().as_bytes()] {
            let now = Timestamp::from_unix_millis(START + 20_000);
            let flow = Flow::resume(Arc::clone(&sim.config), bytes, now)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(end(flow, now), ending, "{name}");
        }
        files.insert(path);
    }
    let found = fs::read_dir(directory())
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .collect();
    assert_eq!(files, found, "every golden snapshot is resumed");
}

/// Results are accepted only through the delivery mode with which the flow was started, in every
/// stage.
///
/// REQ-META-01b
#[test]
fn a_snapshot_is_not_resumed_with_another_delivery_mode() {
    let modes = [DeliveryMode::Poll, DeliveryMode::Ping, DeliveryMode::Push];
    for (name, sim, _) in kinds() {
        for mode in modes {
            let config = Setup::new(5, 600).delivered(mode).config();
            let result = Flow::resume(config, sim.flow.snapshot().as_bytes(), sim.now())
                .map(|flow| flow.stage());
            match mode == sim.config.delivery() {
                true => assert!(result.is_ok(), "{name}: {result:?}"),
                false => {
                    assert_eq!(result, Err(ResumeError::AnotherDeliveryMode), "{name} as {mode:?}")
                }
            }
        }
    }
}

/// A snapshot that says that a token request is due causes none in push mode: the configuration
/// determines the mode.
///
/// REQ-PUSH-19
#[test]
fn a_damaged_snapshot_makes_no_token_request_in_push_mode() {
    let (_, sim, _) = notified_kinds()
        .into_iter()
        .find(|(name, ..)| *name == "push-acknowledged")
        .expect("a kind");
    let saved = String::from_utf8(sim.flow.snapshot().as_bytes().to_vec()).expect("UTF-8");
    let due = format!("\"due\":{},\"in_flight\":false", u64::MAX);
    assert!(saved.contains(&due), "{saved}");
    for damage in ["\"due\":0,\"in_flight\":false", "\"due\":0,\"in_flight\":true"] {
        let damaged = saved.replacen(&due, damage, 1);
        let flow = Flow::resume(Arc::clone(&sim.config), damaged.as_bytes(), sim.now())
            .expect("it can be read");
        assert_eq!(end(flow, sim.now()), "indeterminate", "{damage}");
    }
}

#[test]
fn anything_but_a_snapshot_of_this_client_is_refused() {
    let config = client(ISSUER).build().expect("valid");
    let now = Timestamp::from_unix_millis(START);
    let resume = |bytes: &[u8]| {
        Flow::resume(Arc::clone(&config), bytes, now).map(|_| ()).expect_err("refused")
    };
    let good = String::from_utf8(Sim::new(Setup::new(5, 600)).flow.snapshot().as_bytes().to_vec())
        .expect("UTF-8");
    assert_eq!(resume(b""), ResumeError::Malformed);
    assert_eq!(resume(&good.as_bytes()[..good.len() - 1]), ResumeError::Malformed);
    assert_eq!(
        resume(good.replacen("\"version\":1", "\"version\":2", 1).as_bytes()),
        ResumeError::UnknownVersion
    );
    assert_eq!(
        resume(good.replacen("op.example", "op.exampel", 1).as_bytes()),
        ResumeError::AnotherClient
    );
    assert_eq!(
        resume(good.replacen("client-1", "client-2", 1).as_bytes()),
        ResumeError::AnotherClient
    );
    assert_eq!(
        resume(good.replacen("\"revision\"", "\"surprise\":1,\"revision\"", 1).as_bytes()),
        ResumeError::Malformed
    );
}
