//! Four ways to run a row: the core in simulated time, the two adapters and the toy over loopback
//! sockets with a shared clock that jumps to where it is waited for. Nobody sleeps.

mod kept;
mod served;
mod simulated;

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciba_core::{
    Authentication, ClientConfig, Discovery, DiscoveryAddress, Entropy, Flow, Issuer, LoopbackHttp,
    Timestamp,
};
use ciba_test_op::{Endpoint, Provider, Transaction};

use self::kept::Dies;
pub use self::{
    kept::STOPPED,
    served::{reqwest, reqwest_at, toy_adapter, ureq, ureq_at},
    simulated::{copied, core},
};
use crate::{
    scenario::{Outcome, Place, Scenario, authenticated},
    sim::Fails,
};

/// 2030-01-01, a Tuesday.
const START: Timestamp = Timestamp::from_unix_secs(1_893_456_000);
/// How long everybody listens for strays after the end, on the shared clock.
const QUIET: Duration = Duration::from_secs(60);

type Driver = fn(&Scenario) -> Outcome;
type Ended = Result<Box<Authentication>, String>;

/// Runs rows on all four drivers and compares.
///
/// # Panics
///
/// With the list of everything that differs from what the rows expect.
pub fn run(rows: Vec<Scenario>) {
    let drivers: [(&str, Driver); 4] =
        [("core", core), ("reqwest", reqwest), ("ureq", ureq), ("toy", toy_adapter)];
    let mut wrong = Vec::new();
    for row in &rows {
        for (driver, run) in drivers {
            let outcome = match catch_unwind(AssertUnwindSafe(|| run(row))) {
                Ok(outcome) => outcome,
                Err(_) => {
                    wrong.push(format!("{} [{driver}]: panicked", row.name));
                    continue;
                }
            };
            let expected = (row.expected.clone(), row.requests, row.answers.clone());
            let got = (outcome.result.clone(), needed(row, &outcome), outcome.answers.clone());
            let broken: Vec<_> =
                outcome.report.violations.iter().map(|violation| violation.rule).collect();
            if expected != got || broken != row.breaks {
                wrong.push(format!(
                    "{} [{driver}]: expected {expected:?}, got {got:?}; {}",
                    row.name, outcome.report
                ));
            }
        }
    }
    if is_deep() {
        at_every_save(&rows);
    }
    for (number, row) in rows.iter().enumerate() {
        // Over the table, every save is met by many rows, over both adapters and with a process
        // that dies there; `at_every_save` is for the kinds of row here, and for every row in
        // `cargo xtask deep`.
        let save = number / 2 % 9 + 1;
        let fails = if number % 2 == 0 { Fails::Once(save) } else { Fails::From(save) };
        wrong.extend(STORED[number / 18 % 2].differs(row, fails));
        if number % 3 == 0 {
            wrong.extend(survives(
                row,
                save,
                if number % 2 == 0 { Dies::Before } else { Dies::After },
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} runs differ:\n{}",
        wrong.len(),
        rows.len() * 6,
        wrong.join("\n")
    );
}

/// Runs rows at a store that fails at each of their saves in turn, and from each on: the core in
/// simulated time, also with a process that dies there, and both adapters.
///
/// # Panics
///
/// With the list of everything that differs.
pub fn at_every_save(rows: &[Scenario]) {
    let mut wrong = Vec::new();
    for row in rows {
        for save in 1.. {
            let mut saves = 0;
            for fails in [Fails::Once(save), Fails::From(save)] {
                match catch_unwind(AssertUnwindSafe(|| simulated::core_at(row, fails, Dies::Never)))
                {
                    Ok((outcome, made)) => {
                        saves = made;
                        wrong.extend(differs(row, "core", fails, &outcome));
                    }
                    Err(_) => wrong.push(format!("{} [core, {fails:?}]: panicked", row.name)),
                }
            }
            if saves < save {
                break;
            }
            for dies in [Dies::Before, Dies::After] {
                wrong.extend(survives(row, save, dies));
            }
            // The forms in turn: what an adapter does after a save that failed, it does after the
            // next one.
            let forms = [Fails::Once(save), Fails::From(save)];
            let forms = if is_deep() { &forms[..] } else { &forms[save % 2..][..1] };
            wrong.extend(forms.iter().flat_map(|fails| at_a_failing_store(row, *fails)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether every row meets every save, as `cargo xtask deep` wants it.
fn is_deep() -> bool {
    std::env::var_os("CIBA_DEEP_STORES").is_some()
}

/// What is wrong with how a row ends whose process dies at a save that fails, and is resumed from
/// what the store holds: nobody is prompted twice, and it ends as it would have, or says that it
/// does not know.
fn survives(row: &Scenario, save: usize, dies: Dies) -> Option<String> {
    let told = |why: &str| Some(format!("{} [core, {save}, {dies:?}]: {why}", row.name));
    let run = || simulated::core_at(row, Fails::From(save), dies);
    let Ok((outcome, _)) = catch_unwind(AssertUnwindSafe(run)) else { return told("panicked") };
    let ([backchannel, ..], result) = (outcome.requests(), outcome.result.as_str());
    let is_told =
        result == row.expected || result == STOPPED || result.starts_with("indeterminate");
    // A script says something once, and the process that heard it is dead: the next answer may be
    // another. An id that was redeemed by that process is not refused to this one.
    let is_another = !row.expected.starts_with("authenticated")
        && !result.contains("invalid_grant")
        || row.repeats_as == Some(result);
    let is_right = backchannel <= row.requests[0].max(1) && (is_told || is_another);
    if is_right {
        None
    } else {
        told(&format!("got {result:?}, {backchannel} prompts; {}", outcome.report))
    }
}

/// How many requests there were. Keys are fetched while the person decides, whether they are needed
/// in the end or not: the one fetch is no difference where a row wants none.
fn needed(row: &Scenario, outcome: &Outcome) -> [usize; 3] {
    match outcome.requests() {
        [backchannel, token, 1] if row.requests[2] == 0 => [backchannel, token, 0],
        requests => requests,
    }
}

/// An adapter with a store.
struct Stored {
    name: &'static str,
    run: fn(&Scenario, Option<Fails>) -> Outcome,
}

const STORED: [Stored; 2] =
    [Stored { name: "reqwest", run: reqwest_at }, Stored { name: "ureq", run: ureq_at }];

impl Stored {
    /// Runs a row at a store that fails, and says what differs.
    fn differs(&self, row: &Scenario, fails: Fails) -> Option<String> {
        match catch_unwind(AssertUnwindSafe(|| (self.run)(row, Some(fails)))) {
            Ok(outcome) => differs(row, self.name, fails, &outcome),
            Err(_) => Some(format!("{} [{}, {fails:?}]: panicked", row.name, self.name)),
        }
    }
}

/// What differs at a store that failed (ruling 26): a row ends as it does without a store, or
/// nothing left.
fn differs(row: &Scenario, name: &str, fails: Fails, outcome: &Outcome) -> Option<String> {
    let requests = needed(row, outcome);
    // A notification that could not be saved is refused and sent again, which may make one more
    // token request.
    let asked = if row.answers.is_empty() {
        requests
    } else {
        [requests[0], row.requests[1], row.requests[2]]
    };
    let is_same = outcome.result == row.expected && asked == row.requests;
    // The flow is saved with its first output, and again when its request is to leave.
    let may_stop = matches!(fails, Fails::From(1 | 2));
    let is_stopped = outcome.result == STOPPED && requests[..2] == [0, 0];
    let is_right = is_same || may_stop && is_stopped;
    (!is_right).then(|| {
        format!(
            "{} [{name}, {fails:?}]: got {:?}, {requests:?}; {}",
            row.name, outcome.result, outcome.report
        )
    })
}

/// Runs a row with both adapters at a store that fails, and says what differs.
fn at_a_failing_store(row: &Scenario, fails: Fails) -> Vec<String> {
    STORED.iter().filter_map(|stored| stored.differs(row, fails)).collect()
}

/// Random bytes for tests: never the same twice, and no secret.
#[derive(Default)]
struct Numbers(AtomicU64);

impl Numbers {
    fn draw(&self) -> Entropy {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        Entropy::from_bytes(bytes)
    }
}

fn start(
    row: &Scenario,
    config: &Arc<ClientConfig>,
    numbers: &Numbers,
    now: Timestamp,
) -> Result<Flow, String> {
    let flow = Flow::start(Arc::clone(config), (row.request)(), numbers.draw(), now);
    flow.map_err(|error| format!("request: {error}"))
}

fn issuer(row: &Scenario, place: &Place) -> Issuer {
    let issuer = format!("{}{}", place.origin, row.issuer_path);
    Issuer::parse_with(issuer, LoopbackHttp::DangerouslyAllowed).expect("the row makes sense")
}

fn discovery(row: &Scenario, place: &Place) -> Discovery {
    Discovery::new(issuer(row, place), DiscoveryAddress::OpenId)
}

/// What no specification demands of a client, and ours does all the same: an `iat` in every
/// assertion (REQ-AUTH-14), and no poll at or after the deadline (REQ-POLL-18).
fn keeps_our_own_rules(provider: &Provider) {
    let transactions = provider.transactions(START);
    for exchange in provider.exchanges() {
        if let Some(assertion) = exchange.parameter("client_assertion") {
            let claims =
                assertion.split('.').nth(1).and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok());
            let claims: serde_json::Value =
                serde_json::from_slice(&claims.unwrap_or_default()).unwrap_or_default();
            assert!(claims["iat"].is_u64(), "an assertion without iat");
        }
        let of_exchange =
            |transaction: &&Transaction| Some(transaction.number) == exchange.transaction;
        let transaction =
            transactions.iter().find(of_exchange).filter(|_| exchange.endpoint == Endpoint::Token);
        assert!(
            transaction.is_none_or(|it| exchange.arrived < it.told_expires),
            "a poll after the deadline"
        );
    }
}

fn outcome(row: &Scenario, ended: &Ended, provider: &Provider) -> Outcome {
    if ended.as_ref().err().is_none_or(|result| result != STOPPED) {
        (row.check)(provider, ended.as_ref().ok().map(|authentication| &**authentication));
    }
    keeps_our_own_rules(provider);
    asks_on_fresh_connections(provider);
    summary(ended, provider)
}

/// An authentication request never goes over a kept connection, which may have been closed without
/// the client's knowledge: it would be lost, and must not be repeated.
fn asks_on_fresh_connections(provider: &Provider) {
    let mut used = BTreeSet::new();
    for exchange in provider.exchanges() {
        let Some(connection) = exchange.connection else { continue };
        let is_fresh = used.insert(connection);
        assert!(
            is_fresh || exchange.endpoint != Endpoint::Backchannel,
            "an authentication request on a kept connection"
        );
    }
}

/// The outcome without a look at anything that a row asks for besides.
fn summary(ended: &Ended, provider: &Provider) -> Outcome {
    let result = match ended {
        Ok(authentication) => authenticated(authentication),
        Err(result) => result.clone(),
    };
    let answers = provider.notified().iter().map(|notified| notified.status).collect();
    Outcome { result, report: provider.report(), answers }
}
