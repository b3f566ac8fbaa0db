//! The core and the provider in one function, in simulated time.

use std::time::Duration;

use ciba_core::{
    Flow, Input, JwksCache, KeySetRequest, Lookup, Output, Sending, Timestamp,
    fault::Cause,
    http::{Request, Response, Unanswered},
    notification::Notification,
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

/// The origin that would use mutual TLS.
const ALIAS: &str = "https://mtls.op.example";

struct World {
    place: Place,
    /// Whether the handshake with the notification endpoint fails.
    is_closed: bool,
    provider: Provider,
    now: Timestamp,
    /// The certificate of exchanges that present one.
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
            // The provider relies on the listener for whether the issuer is trusted.
            let made = ClientCertificate::self_signed(CLIENT).expect("a certificate");
            certificate =
                Some(PeerCertificate::new(made.der.clone(), matches!(row.auth, Auth::Certificate)));
            place.self_signed = made.der;
        }
        let mut provider = row.op(&place);
        if certificate.is_some() {
            provider.offer_mutual_tls(ALIAS);
        }
        let is_closed = row.protection == Protection::MutualTls;
        Self { place, is_closed, provider, now: START, certificate, store: Kept::new(Fails::Never) }
    }

    /// Delivers the notifications that are due.
    fn deliver(&mut self, flow: &mut Option<&mut Flow>) {
        for outbound in self.provider.notifications(self.now) {
            if self.is_closed {
                self.provider.notification_answered(outbound.id, None, self.now);
                continue;
            }
            // There is no notification endpoint at another path.
            let status =
                if outbound.url.split('?').next() != Some(&self.place.notification_endpoint) {
                    404
                } else {
                    match (
                        Notification::receive(&outbound.method, &outbound.headers, outbound.body),
                        &mut *flow,
                    ) {
                        (Err(bad), _) => bad.reply().status,
                        (Ok(_), None) => 401,
                        (Ok(notification), Some(flow)) => match flow.spent_key() {
                            Some(spent) if self.store.is_current(flow) => {
                                spent.notify(&notification, self.now).reply().status
                            }
                            _ => {
                                let receipt = flow.notify(&notification, self.now);
                                self.store.acknowledge(receipt, flow, self.now).reply().status
                            }
                        },
                    }
                };
            self.provider.notification_answered(outbound.id, Some(status), self.now);
        }
    }

    /// Moves time to `until`, or to the next notification if that is due before.
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
                Reply::Answer(response) | Reply::Close { response, .. } => break Ok(response),
                Reply::Drop | Reply::DropInside { .. } => {
                    break Err(Unanswered::Lost(Cause::Unknown));
                }
                Reply::Drip { response, bytes_per_second } => {
                    let seconds = response.body.expose().len().div_ceil(bytes_per_second.max(1));
                    let until = self.now.saturating_add(Duration::from_secs(seconds as u64));
                    self.now = until.min(gives_up);
                    break if until > gives_up {
                        Err(Unanswered::Lost(Cause::Unknown))
                    } else {
                        Ok(response)
                    };
                }
                Reply::Endless(response) => {
                    let body: Vec<u8> =
                        response.body.expose().iter().copied().cycle().take(most + 1).collect();
                    break Ok(Response::new(response.status, response.headers, body));
                }
            }
        };
        self.provider.end(id, self.now);
        answer.map(|response| {
            let body = response.body.expose();
            let mut cut = Response::new(
                response.status,
                response.headers.clone(),
                body[..body.len().min(most)].to_vec(),
            );
            cut.truncated = body.len() > most;
            cut
        })
    }

    fn perform(&mut self, sending: Sending, flow: &mut Flow) -> Input {
        let transmit = sending.transmit();
        let shown = self.certificate.clone().filter(|_| transmit.presents_certificate());
        let limits = (transmit.timeout(), transmit.max_response());
        let request = Incoming { certificate: shown, ..Incoming::from(sending.request()) };
        match self.exchange(request, limits, Some(flow)) {
            Ok(response) => sending.answered(response),
            Err(how) => sending.unanswered(how),
        }
    }

    fn find_keys(
        &mut self,
        mut request: KeySetRequest,
        cache: &mut JwksCache,
        flow: &mut Flow,
    ) -> Input {
        loop {
            match cache.lookup(&mut request, self.now) {
                Lookup::Ready(keys) => return request.found(keys),
                Lookup::Later(until) => return request.later(until),
                Lookup::Unavailable(why) => return request.unavailable(why),
                Lookup::Fetch(transmit) => {
                    let sending =
                        cache.begin(transmit, self.now).expect("it was requested just now");
                    let input = self.perform(sending, flow);
                    cache.handle(input, self.now).expect("the ticket belongs to the cache");
                }
            }
        }
    }
}

/// Runs a row with the core.
#[must_use]
pub fn core(row: &Scenario) -> Outcome {
    let mut world = World::new(row);
    let ended = in_simulated_time(row, &mut world);
    outcome(row, &ended, &world.provider)
}

/// Runs a row with the core twice at one provider, the second time with the same entropy, as on a
/// virtual machine that was cloned. Returns the outcome of the second run.
#[must_use]
pub fn copied(row: &Scenario) -> Outcome {
    let mut world = World::new(row);
    drop(in_simulated_time(row, &mut world));
    world.store = Kept::new(Fails::Never);
    let ended = in_simulated_time(row, &mut world);
    outcome(row, &ended, &world.provider)
}

/// Runs a row with the core and a store that fails: without a crash, or with a process that is killed
/// at the first failing save and resumed from the store.
#[must_use]
pub(super) fn core_at(row: &Scenario, fails: Fails, dies: Dies) -> (Outcome, usize) {
    let mut world = World::new(row);
    world.store = Kept::new(fails);
    world.store.dies = dies;
    let ended = in_simulated_time(row, &mut world);
    let saves = world.store.saves;
    (
        if dies == Dies::Never {
            outcome(row, &ended, &world.provider)
        } else {
            summary(&ended, &world.provider)
        },
        saves,
    )
}

fn in_simulated_time(row: &Scenario, world: &mut World) -> Ended {
    let discovery = discovery(row, &world.place);
    let request: Request = discovery.request();
    let answer = world.exchange(&request, (discovery.timeout(), discovery.max_response()), None);
    let answer = answer.map_err(|how| format!("discovery: {how:?}"))?;
    let config = row.configure(&world.place, discovery.process(&answer))?;
    let numbers = Numbers::default();
    let mut cache = JwksCache::new(&config);
    let mut flow = start(row, &config, &numbers, world.now)?.durable();
    let (mut stops, mut dies) = (0, false);
    loop {
        let input = match flow.poll(world.now, numbers.draw()) {
            Output::Save(save) => {
                let is_needed = save.is_needed();
                let is_kept = world.store.keep(save, &mut flow, world.now);
                if !is_kept && is_needed {
                    // Nothing is sent, so a crash would make no difference.
                    stops += 1;
                    if stops == DRIVES {
                        return Err(STOPPED.into());
                    }
                    continue;
                }
                match world.store.kills(is_kept) {
                    Some(Dies::Before) => flow = world.store.resume(&config, world.now)?,
                    Some(_) => dies = true,
                    None => {}
                }
                continue;
            }
            Output::Done if !dies => break,
            Output::Done => None,
            Output::Wait(wait) => {
                world.step(wait.until(), &mut Some(&mut flow));
                None
            }
            Output::Transmit(transmit) => {
                let sending = flow.begin(transmit, world.now);
                sending.map(|sending| world.perform(sending, &mut flow))
            }
            Output::Key(operation) => Some(row.sign(operation, numbers.draw())),
            Output::KeySet(request) => Some(world.find_keys(request, &mut cache, &mut flow)),
        };
        if std::mem::take(&mut dies) {
            // The result is lost with the process.
            flow = world.store.resume(&config, world.now)?;
        } else if let Some(input) = input {
            flow.handle(input, world.now).expect("the input belongs to this flow");
        }
    }
    while let Some(next) = world.provider.next_notification() {
        world.step(next, &mut Some(&mut flow));
    }
    // A flow that is over stays over, however late it is polled.
    world.now = world.now.saturating_add(QUIET);
    let mut flow = flow.in_memory();
    assert!(
        matches!(flow.poll(world.now, numbers.draw()), Output::Done),
        "a flow that is over stays over"
    );
    flow.finish().map_err(|failure| of_failure(&failure))
}
