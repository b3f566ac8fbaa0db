//! The core with the provider in one function, in simulated time.

use std::time::Duration;

use ciba_core::{
    Cause, Flow, Input, JwksCache, Lookup, Notification, Output, Request, Response, Timestamp, Transmit, Unanswered,
};
use ciba_test_op::{ClientCertificate, FOREVER, Incoming, PeerCertificate, Provider, Reply};

use super::{
    Ended, Numbers, QUIET, START, discovery,
    kept::{DRIVES, Dies, Kept, STOPPED},
    outcome, start, summary,
};
use crate::{
    scenario::{Auth, CLIENT, Outcome, Place, Protection, Scenario, of_failure},
    sim::Fails,
};

/// Where mutual TLS would be spoken.
const ALIAS: &str = "https://mtls.op.example";

struct World {
    place: Place,
    /// Whether calls of the notification endpoint fail at the handshake.
    is_closed: bool,
    provider: Provider,
    now: Timestamp,
    /// What the client shows when an exchange presents a certificate.
    certificate: Option<PeerCertificate>,
    store: Kept,
}

impl World {
    fn new(row: &Scenario) -> Self {
        let mut place = Place {
            origin: "https://op.example".into(),
            notification_endpoint: "https://client.example/ciba".into(),
            self_signed: Vec::new(),
        };
        let mut certificate = None;
        if row.shows_certificate() {
            // An authority's name under it makes no difference here: the listener's word is taken for whether it is trusted.
            let made = ClientCertificate::self_signed(CLIENT).expect("a certificate");
            certificate = Some(PeerCertificate::new(made.der.clone(), matches!(row.auth, Auth::Certificate)));
            place.self_signed = made.der;
        }
        let mut provider = row.op(&place);
        if certificate.is_some() {
            provider.offer_mutual_tls(ALIAS);
        }
        let is_closed = row.protection == Protection::MutualTls;
        Self { place, is_closed, provider, now: START, certificate, store: Kept::new(Fails::Never) }
    }

    /// Carries every notification that is due.
    fn deliver(&mut self, flow: &mut Option<&mut Flow>) {
        for outbound in self.provider.notifications(self.now) {
            if self.is_closed {
                self.provider.notification_answered(outbound.id, None, self.now);
                continue;
            }
            // What is behind another path is no notification endpoint.
            let status = if outbound.url.split('?').next() != Some(&self.place.notification_endpoint) {
                404
            } else {
                match (Notification::receive(&outbound.method, &outbound.headers, outbound.body), &mut *flow) {
                    (Err(bad), _) => bad.reply().status,
                    (Ok(_), None) => 401,
                    (Ok(notification), Some(flow)) => match flow.spent_key() {
                        Some(spent) if self.store.is_current(flow) => {
                            spent.notify(&notification, self.now).reply().status
                        }
                        _ => self.store.acknowledge(flow.notify(&notification, self.now), flow).reply().status,
                    },
                }
            };
            self.provider.notification_answered(outbound.id, Some(status), self.now);
        }
    }

    /// Moves on, at most to `until`, and only to the next notification when one falls due before.
    fn step(&mut self, until: Timestamp, flow: &mut Option<&mut Flow>) {
        let next = self.provider.next_notification().filter(|next| *next <= until);
        self.now = self.now.max(next.unwrap_or(until));
        self.deliver(flow);
    }

    fn exchange(
        &mut self,
        request: impl Into<Incoming>,
        (timeout, most): (Duration, usize),
        mut flow: Option<&mut Flow>,
    ) -> Result<Response, Unanswered> {
        let gives_up = self.now.saturating_add(timeout);
        let (id, mut reply) = self.provider.begin(request, self.now);
        let answer = loop {
            match reply {
                Reply::Hold { exchange, until } => {
                    while self.now < until.min(gives_up) {
                        self.step(until.min(gives_up), &mut flow);
                    }
                    if until == FOREVER || until > gives_up {
                        break Err(Unanswered::Lost(Cause::Unknown));
                    }
                    reply = self.provider.proceed(exchange, self.now);
                }
                Reply::Answer(response) => break Ok(response),
                Reply::Drop | Reply::DropInside { .. } => break Err(Unanswered::Lost(Cause::Unknown)),
                Reply::Drip { response, bytes_per_second } => {
                    let seconds = response.body.expose().len().div_ceil(bytes_per_second.max(1));
                    let until = self.now.saturating_add(Duration::from_secs(seconds as u64));
                    self.now = until.min(gives_up);
                    break if until > gives_up { Err(Unanswered::Lost(Cause::Unknown)) } else { Ok(response) };
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

    fn perform(&mut self, transmit: Transmit, flow: &mut Flow) -> Input {
        let shown = self.certificate.clone().filter(|_| transmit.presents_certificate());
        let limits = (transmit.timeout(), transmit.max_response());
        let (request, ticket) = transmit.into_parts();
        let request = Incoming { certificate: shown, ..Incoming::from(&request) };
        match self.exchange(request, limits, Some(flow)) {
            Ok(response) => ticket.answered(response),
            Err(how) => ticket.unanswered(how),
        }
    }
}

/// The core with the provider in one function, in simulated time.
#[must_use]
pub fn core(row: &Scenario) -> Outcome {
    let mut world = World::new(row);
    let ended = in_simulated_time(row, &mut world);
    outcome(row, &ended, &world.provider)
}

/// The core twice at one provider, the second time with the same entropy, as on a machine that was copied while it ran.
/// What comes of the second is the outcome.
#[must_use]
pub fn copied(row: &Scenario) -> Outcome {
    let mut world = World::new(row);
    drop(in_simulated_time(row, &mut world));
    world.store = Kept::new(Fails::Never);
    let ended = in_simulated_time(row, &mut world);
    outcome(row, &ended, &world.provider)
}

/// The core at a store that fails: without a crash, or killed at its first failing save and resumed from what the store holds.
#[must_use]
pub(super) fn core_at(row: &Scenario, fails: Fails, dies: Dies) -> (Outcome, usize) {
    let mut world = World::new(row);
    world.store = Kept::new(fails);
    world.store.dies = dies;
    let ended = in_simulated_time(row, &mut world);
    let saves = world.store.saves;
    (if dies == Dies::Never { outcome(row, &ended, &world.provider) } else { summary(&ended, &world.provider) }, saves)
}

fn in_simulated_time(row: &Scenario, world: &mut World) -> Ended {
    let discovery = discovery(row, &world.place);
    let request: Request = discovery.request();
    let answer = world.exchange(&request, (discovery.timeout(), discovery.max_response()), None);
    let answer = answer.map_err(|how| format!("discovery: {how:?}"))?;
    let config = row.configure(&world.place, discovery.process(&answer))?;
    let numbers = Numbers::default();
    let key = row.key();
    let mut cache = JwksCache::new(&config);
    let mut flow = start(row, &config, &numbers, world.now)?;
    let mut stops = 0;
    loop {
        let output = flow.poll(world.now, numbers.draw());
        let is_saved = world.store.keep(&mut flow);
        if !is_saved && flow.must_be_saved() {
            stop(output, &mut flow, world.now);
            stops += 1;
            if stops == DRIVES {
                return Err(STOPPED.into());
            }
            continue;
        }
        let kills = world.store.kills(is_saved);
        if kills == Some(Dies::Before) {
            flow = world.store.resume(&config, world.now)?;
            continue;
        }
        let input = match output {
            Output::Done if kills.is_none() => break,
            Output::Done => None,
            Output::Wait(wait) => {
                world.step(wait.until(), &mut Some(&mut flow));
                None
            }
            Output::Transmit(transmit) if !flow.may_send(transmit.ticket(), world.now) => Some(transmit.withheld()),
            Output::Transmit(transmit) => Some(world.perform(transmit, &mut flow)),
            Output::Key(operation) => Some(match &key {
                Some(key) => key.answer(operation, numbers.draw()),
                None => operation.unavailable(),
            }),
            Output::KeySet(request) => {
                let mut found = cache.lookup(&request, world.now);
                if let Lookup::Fetch(transmit) = found {
                    let input = world.perform(transmit, &mut flow);
                    cache.handle(input, world.now).expect("the cache's own ticket");
                    found = cache.lookup(&request, world.now);
                }
                Some(match found {
                    Lookup::Ready(keys) => request.found(keys),
                    Lookup::Later(until) => request.later(until),
                    Lookup::Fetch(_) => request.unavailable(Cause::Unknown.into()),
                    Lookup::Unavailable(why) => request.unavailable(why),
                })
            }
        };
        if kills.is_some() {
            // Whatever came of it is gone with the process.
            flow = world.store.resume(&config, world.now)?;
        } else if let Some(input) = input {
            flow.handle(input, world.now).expect("the flow's own ticket");
        }
    }
    while let Some(next) = world.provider.next_notification() {
        world.step(next, &mut Some(&mut flow));
    }
    // The quiet rule: however late it is asked again, it has nothing to say.
    world.now = world.now.saturating_add(QUIET);
    assert!(matches!(flow.poll(world.now, numbers.draw()), Output::Done), "a flow that is over stays over");
    flow.finish().map_err(|failure| of_failure(&failure))
}

/// The drive ends here: what is open is answered with what is true then.
fn stop(output: Output, flow: &mut Flow, now: Timestamp) {
    let input = match output {
        Output::Transmit(transmit) => transmit.withheld(),
        Output::Key(operation) => operation.interrupted(),
        Output::KeySet(request) => request.later(now),
        Output::Wait(_) | Output::Done => return,
    };
    flow.handle(input, now).expect("the flow's own ticket");
}
