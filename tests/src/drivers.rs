//! Four ways to run a row, all in simulated time: the core without sockets, and both adapters and the
//! toy over loopback sockets.

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
    Authentication, ClientConfig, Discovery, Entropy, Flow, Issuer, Timestamp, http::LoopbackHttp,
    metadata::DiscoveryAddress,
};
use ciba_test_op::{Endpoint, Provider, Transaction};

use self::kept::Dies;
pub use self::{
    kept::STOPPED,
    served::{reqwest, reqwest_at, toy_adapter, ureq, ureq_at},
    simulated::{copied, core},
};
use crate::{
    scenario::{Outcome, Place, Requests, Scenario, authenticated},
    sim::Fails,
};

/// 2030-01-01, a Tuesday.
const START: Timestamp = Timestamp::from_unix_secs(1_893_456_000);
/// How long the provider waits for stray requests after the end, in simulated time.
const QUIET: Duration = Duration::from_secs(60);

type Driver = fn(&Scenario) -> Outcome;
type Ended = Result<Box<Authentication>, String>;

/// Runs rows on all four drivers and compares the outcomes.
///
/// # Panics
///
/// Panics with a list of the differences from what the rows expect.
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
        // Over the whole table, many rows fail at each save, with both adapters and with a process
        // that is killed there. Only `cargo xtask deep` runs `at_every_save` with every row.
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

/// Runs rows with a store that fails at each of their saves in turn, once and from then on: with the
/// core, also in a process that is killed there, and with both adapters.
///
/// # Panics
///
/// Panics with a list of the differences.
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
            // The two kinds alternate: an adapter does the same after each save that failed.
            let forms = [Fails::Once(save), Fails::From(save)];
            let forms = if is_deep() { &forms[..] } else { &forms[save % 2..][..1] };
            wrong.extend(forms.iter().flat_map(|fails| at_a_failing_store(row, *fails)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether every row fails at every save, as in `cargo xtask deep`.
fn is_deep() -> bool {
    std::env::var_os("CIBA_DEEP_STORES").is_some()
}

/// Kills the process of a row at a save that fails, resumes from the store, and returns what is wrong
/// with the outcome: there must be no second prompt, and the row must end as without the crash or as
/// indeterminate.
fn survives(row: &Scenario, save: usize, dies: Dies) -> Option<String> {
    let told = |why: &str| Some(format!("{} [core, {save}, {dies:?}]: {why}", row.name));
    let run = || simulated::core_at(row, Fails::From(save), dies);
    let Ok((outcome, _)) = catch_unwind(AssertUnwindSafe(run)) else { return told("panicked") };
    let (prompts, result) = (outcome.requests().prompts, outcome.result.as_str());
    let is_told =
        result == row.expected || result == STOPPED || result.starts_with("indeterminate");
    // A script may answer something only once, and that answer was lost with the process. But a row
    // must not end with the refusal of an id that the dead process redeemed.
    let is_another = !row.expected.starts_with("authenticated")
        && !result.contains("invalid_grant")
        || row.repeats_as == Some(result);
    let is_right = prompts <= row.requests.prompts.max(1) && (is_told || is_another);
    if is_right {
        None
    } else {
        told(&format!("got {result:?}, {prompts} prompts; {}", outcome.report))
    }
}

/// The numbers of requests. Keys are prefetched while the user decides, so one fetch is correct where
/// a row expects none.
fn needed(row: &Scenario, outcome: &Outcome) -> Requests {
    match outcome.requests() {
        requests @ Requests { keys: 1, .. } if row.requests.keys == 0 => requests.keys(0),
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
    /// Runs a row with a store that fails, and returns what differs.
    fn differs(&self, row: &Scenario, fails: Fails) -> Option<String> {
        match catch_unwind(AssertUnwindSafe(|| (self.run)(row, Some(fails)))) {
            Ok(outcome) => differs(row, self.name, fails, &outcome),
            Err(_) => Some(format!("{} [{}, {fails:?}]: panicked", row.name, self.name)),
        }
    }
}

/// Returns what differs with a store that failed: a row has to end as it does without a store, or
/// without any request sent (ruling 26).
fn differs(row: &Scenario, name: &str, fails: Fails, outcome: &Outcome) -> Option<String> {
    let requests = needed(row, outcome);
    // A notification that could not be saved is refused and repeated, which may lead to another token
    // request.
    let asked =
        if row.answers.is_empty() { requests } else { row.requests.prompts(requests.prompts) };
    let is_same = outcome.result == row.expected && asked == row.requests;
    // The flow is saved with its first output, and before its request is sent. A request that was
    // refused before it was processed is saved before it is repeated, and nobody was prompted yet.
    let may_stop = match fails {
        Fails::From(save) => save <= 2 || row.requests.prompts > 1,
        _ => false,
    };
    let is_stopped = outcome.result == STOPPED
        && requests.polls == 0
        && requests.prompts < row.requests.prompts.max(1)
        && outcome.report.transactions == 0;
    let is_right = is_same || may_stop && is_stopped;
    (!is_right).then(|| {
        format!(
            "{} [{name}, {fails:?}]: got {:?}, {requests:?}; {}",
            row.name, outcome.result, outcome.report
        )
    })
}

/// Runs a row with both adapters and a store that fails, and returns what differs.
fn at_a_failing_store(row: &Scenario, fails: Fails) -> Vec<String> {
    STORED.iter().filter_map(|stored| stored.differs(row, fails)).collect()
}

/// Unique bytes in place of random ones.
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
    Issuer::parse_with(issuer, LoopbackHttp::DangerouslyAllowed).expect("the row is valid")
}

fn discovery(row: &Scenario, place: &Place) -> Discovery {
    Discovery::new(issuer(row, place), DiscoveryAddress::OpenId)
}

/// Checks what no specification requires of a client: an `iat` in every assertion (REQ-AUTH-14), and
/// no poll at or after the deadline (REQ-POLL-18).
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

/// The outcome, without the additional check of the row.
fn summary(ended: &Ended, provider: &Provider) -> Outcome {
    let result = match ended {
        Ok(authentication) => authenticated(authentication),
        Err(result) => result.clone(),
    };
    let answers = provider.notified().iter().map(|notified| notified.status).collect();
    Outcome { result, report: provider.report(), answers }
}
