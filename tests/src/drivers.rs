//! Four ways to run a row: the core in simulated time, the two adapters and the toy over loopback sockets with a shared
//! clock that jumps to where it is waited for. Nobody sleeps.

use std::{
    net::{Ipv4Addr, SocketAddr},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use ciba_core::{
    Authentication, ClientConfig, Discovery, DiscoveryAddress, Entropy, Failure, Flow, Input, Issuer, JwksCache,
    Lookup, LoopbackHttp, Output, Request, Response, Timestamp, Transmit, Unanswered,
};
use ciba_test_op::{Clock as _, FOREVER, Provider, Reply, RunningServer, Server, VirtualClock};

use crate::{
    scenario::{Outcome, Scenario, authenticated, of_failure},
    toy,
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
    let drivers: [(&str, Driver); 4] = [("core", core), ("reqwest", reqwest), ("ureq", ureq), ("toy", toy_adapter)];
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
            let expected = (row.expected.clone(), row.requests);
            let got = (outcome.result.clone(), outcome.requests());
            let broken: Vec<_> = outcome.report.violations.iter().map(|violation| violation.rule).collect();
            if expected != got || broken != row.breaks {
                wrong.push(format!("{} [{driver}]: expected {expected:?}, got {got:?}; {}", row.name, outcome.report));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} runs differ:\n{}", wrong.len(), rows.len() * 4, wrong.join("\n"));
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

fn start(row: &Scenario, config: &Arc<ClientConfig>, numbers: &Numbers, now: Timestamp) -> Result<Flow, String> {
    let flow = Flow::start(Arc::clone(config), (row.request)(), numbers.draw(), now);
    flow.map_err(|error| format!("request: {error}"))
}

fn discovery(row: &Scenario, issuer: &str) -> Discovery {
    let issuer = Issuer::parse_with(format!("{issuer}{}", row.issuer_path), LoopbackHttp::DangerouslyAllowed);
    Discovery::new(issuer.expect("the row makes sense"), DiscoveryAddress::OpenId)
}

fn outcome(row: &Scenario, ended: &Ended, provider: &Provider) -> Outcome {
    (row.check)(provider, ended.as_ref().ok().map(|authentication| &**authentication));
    let result = match ended {
        Ok(authentication) => authenticated(authentication),
        Err(result) => result.clone(),
    };
    Outcome { result, report: provider.report() }
}

// ---- the core in simulated time

struct World {
    provider: Provider,
    now: Timestamp,
}

impl World {
    fn exchange(&mut self, request: &Request, timeout: Duration, most: usize) -> Result<Response, Unanswered> {
        let gives_up = self.now.saturating_add(timeout);
        let (id, mut reply) = self.provider.begin(request, self.now);
        let answer = loop {
            match reply {
                Reply::Hold { exchange, until } => {
                    self.now = until.min(gives_up);
                    if until == FOREVER || until > gives_up {
                        break Err(Unanswered::Lost);
                    }
                    reply = self.provider.proceed(exchange, self.now);
                }
                Reply::Answer(response) => break Ok(response),
                Reply::Drop | Reply::DropInside { .. } => break Err(Unanswered::Lost),
                Reply::Drip { response, bytes_per_second } => {
                    let seconds = response.body.expose().len().div_ceil(bytes_per_second.max(1));
                    let until = self.now.saturating_add(Duration::from_secs(seconds as u64));
                    self.now = until.min(gives_up);
                    break if until > gives_up { Err(Unanswered::Lost) } else { Ok(response) };
                }
                Reply::Endless(response) => {
                    let body: Vec<u8> = response.body.expose().iter().copied().cycle().take(most + 1).collect();
                    break Ok(Response::new(response.status, response.headers, body));
                }
            }
        };
        self.provider.end(id, self.now);
        answer.map(|response| {
            let body = response.body.expose();
            let mut cut =
                Response::new(response.status, response.headers.clone(), body[..body.len().min(most)].to_vec());
            cut.truncated = body.len() > most;
            cut
        })
    }

    fn perform(&mut self, transmit: Transmit) -> Input {
        let (timeout, most) = (transmit.timeout(), transmit.max_response());
        let (request, ticket) = transmit.into_parts();
        match self.exchange(&request, timeout, most) {
            Ok(response) => ticket.answered(response),
            Err(how) => ticket.unanswered(how),
        }
    }
}

/// The core with the provider in one function, in simulated time.
#[must_use]
pub fn core(row: &Scenario) -> Outcome {
    let issuer = "https://op.example";
    let mut world = World { provider: row.op(issuer), now: START };
    let ended = in_simulated_time(row, issuer, &mut world);
    outcome(row, &ended, &world.provider)
}

/// The core twice at one provider, the second time with the same entropy, as on a machine that was copied while it ran.
/// What comes of the second is the outcome.
#[must_use]
pub fn copied(row: &Scenario) -> Outcome {
    let issuer = "https://op.example";
    let mut world = World { provider: row.op(issuer), now: START };
    drop(in_simulated_time(row, issuer, &mut world));
    let ended = in_simulated_time(row, issuer, &mut world);
    outcome(row, &ended, &world.provider)
}

fn in_simulated_time(row: &Scenario, issuer: &str, world: &mut World) -> Ended {
    let discovery = discovery(row, issuer);
    let answer = world.exchange(&discovery.request(), discovery.timeout(), discovery.max_response());
    let answer = answer.map_err(|how| format!("discovery: {how:?}"))?;
    let config = row.configure(discovery.process(&answer))?;
    let numbers = Numbers::default();
    let key = row.key();
    let mut cache = JwksCache::new(&config);
    let mut flow = start(row, &config, &numbers, world.now)?;
    loop {
        let input = match flow.poll(world.now, numbers.draw()) {
            Output::Done => break,
            Output::Wait(wait) => {
                world.now = wait.until();
                continue;
            }
            Output::Transmit(transmit) => world.perform(transmit),
            Output::Key(operation) => match &key {
                Some(key) => key.answer(operation, numbers.draw()),
                None => operation.unavailable(),
            },
            Output::KeySet(request) => {
                let mut found = cache.lookup(&request, world.now);
                if let Lookup::Fetch(transmit) = found {
                    let input = world.perform(transmit);
                    cache.handle(input, world.now).expect("the cache's own ticket");
                    found = cache.lookup(&request, world.now);
                }
                match found {
                    Lookup::Ready(keys) => request.found(keys),
                    Lookup::Later(until) => request.later(until),
                    Lookup::Fetch(_) | Lookup::Unavailable => request.unavailable(),
                }
            }
        };
        flow.handle(input, world.now).expect("the flow's own ticket");
    }
    // The quiet rule: however late it is asked again, it has nothing to say.
    world.now = world.now.saturating_add(QUIET);
    assert!(matches!(flow.poll(world.now, numbers.draw()), Output::Done), "a flow that is over stays over");
    flow.finish().map_err(|failure| of_failure(&failure))
}

// ---- over sockets

/// The shared clock: whoever waits moves it.
#[derive(Clone)]
struct Jumping(Arc<VirtualClock>);

impl ciba_ureq::Clock for Jumping {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep_until(&self, until: Timestamp, _: &ciba_ureq::Bell) {
        self.0.advance_to(until);
    }
}

#[async_trait::async_trait]
impl ciba_reqwest::Clock for Jumping {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn sleep_until(&self, until: Timestamp) {
        self.0.advance_to(until);
    }
}

impl ciba_ureq::Entropies for Numbers {
    fn draw(&self) -> Result<Entropy, ciba_ureq::EntropyError> {
        Ok(Self::draw(self))
    }
}

impl ciba_reqwest::Entropies for Numbers {
    fn draw(&self) -> Result<Entropy, ciba_reqwest::EntropyError> {
        Ok(Self::draw(self))
    }
}

/// Serves the row's provider while `client` runs, moves the clock whenever the provider holds an answer, and listens for
/// strays afterwards.
fn served(row: &Scenario, client: impl FnOnce(&RunningServer, Jumping) -> Ended) -> Outcome {
    let clock = Arc::new(VirtualClock::new(START));
    let shared: Arc<dyn ciba_test_op::Clock> = Arc::<VirtualClock>::clone(&clock);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Server::start(address, shared, |issuer| row.op(issuer)).expect("a loopback socket");
    let over = AtomicBool::new(false);
    let ended = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Acquire) {
                if let Some(due) = server.next_due() {
                    clock.advance_to(due);
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        let ended = catch_unwind(AssertUnwindSafe(|| client(&server, Jumping(Arc::clone(&clock)))));
        over.store(true, Ordering::Release);
        ended
    });
    let ended = ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let before = server.provider().exchanges().len();
    clock.advance(QUIET);
    thread::sleep(Duration::from_millis(2));
    let provider = server.provider();
    assert_eq!(provider.exchanges().len(), before, "{}: something was sent after the end", row.name);
    outcome(row, &ended, &provider)
}

fn base(server: &RunningServer) -> String {
    format!("http://{}", server.address())
}

/// The blocking toy adapter.
#[must_use]
pub fn toy_adapter(row: &Scenario) -> Outcome {
    served(row, |server, clock| {
        let discovery = discovery(row, &base(server));
        let answer = toy::exchange(&discovery.request(), discovery.timeout(), discovery.max_response());
        let answer = answer.map_err(|how| format!("discovery: {how:?}"))?;
        let config = row.configure(discovery.process(&answer))?;
        let numbers = Numbers::default();
        let flow = start(row, &config, &numbers, clock.0.now())?;
        let (now, sleep) = (|| clock.0.now(), |until| clock.0.advance_to(until));
        let mut cache = JwksCache::new(&config);
        let ended = toy::drive(flow, &mut cache, row.key().as_ref(), || numbers.draw(), now, sleep);
        ended.map_err(|failure: Failure| of_failure(&failure))
    })
}

/// The blocking adapter.
#[must_use]
pub fn ureq(row: &Scenario) -> Outcome {
    use ciba_ureq::{AuthenticateError, DiscoverError, Driver, HttpClient, Keys, discover, ureq::Agent};

    served(row, |server, clock| {
        let http = HttpClient::new(Agent::config_builder()).expect("certificates are verified");
        let issuer = discovery_issuer(row, &base(server));
        let found = match discover(&http, issuer, DiscoveryAddress::OpenId) {
            Ok(metadata) => Ok(metadata),
            Err(DiscoverError::Metadata(error)) => Err(error),
            Err(DiscoverError::Unreachable(how)) => return Err(format!("discovery: {how:?}")),
            Err(error) => return Err(format!("discovery: {error}")),
        };
        let config = row.configure(found)?;
        let mut driver = Driver::new(http, Keys::new(&config)).with_clock(clock).with_entropies(Numbers::default());
        if let Some(key) = row.key() {
            driver = driver.with_signer(key);
        }
        driver.authenticate(&config, (row.request)(), &mut ()).map_err(|error| match error {
            AuthenticateError::Failed(failure) => of_failure(&failure),
            AuthenticateError::Request(error) => format!("request: {error}"),
            error => format!("{error}"),
        })
    })
}

/// The asynchronous adapter.
#[must_use]
pub fn reqwest(row: &Scenario) -> Outcome {
    use ciba_reqwest::{AuthenticateError, DiscoverError, Driver, HttpClient, Keys, discover, reqwest::Client};

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    served(row, |server, clock| {
        runtime.block_on(async {
            let http = HttpClient::new(Client::builder()).expect("a client");
            let issuer = discovery_issuer(row, &base(server));
            let found = match discover(&http, issuer, DiscoveryAddress::OpenId).await {
                Ok(metadata) => Ok(metadata),
                Err(DiscoverError::Metadata(error)) => Err(error),
                Err(DiscoverError::Unreachable(how)) => return Err(format!("discovery: {how:?}")),
                Err(error) => return Err(format!("discovery: {error}")),
            };
            let config = row.configure(found)?;
            let mut driver = Driver::new(http, Keys::new(&config)).with_clock(clock).with_entropies(Numbers::default());
            if let Some(key) = row.key() {
                driver = driver.with_signer(key);
            }
            driver.authenticate(&config, (row.request)(), &mut ()).await.map_err(|error| match error {
                AuthenticateError::Failed(failure) => of_failure(&failure),
                AuthenticateError::Request(error) => format!("request: {error}"),
                error => format!("{error}"),
            })
        })
    })
}

fn discovery_issuer(row: &Scenario, base: &str) -> Issuer {
    let issuer = Issuer::parse_with(format!("{base}{}", row.issuer_path), LoopbackHttp::DangerouslyAllowed);
    issuer.expect("the row makes sense")
}
