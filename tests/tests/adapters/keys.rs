//! The keys of the provider as flows request them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ciba_core::{ClientAuth, ClientConfig, Flow, KeySetRequest, Output, Timestamp};
use ciba_tests::adapters::{HttpClient, each};
use ciba_ureq::Clock;

use crate::{
    client::{ACKNOWLEDGED, Counting, Jumping, config, request},
    support::{Server, answer},
};

/// Advances five seconds with each reading.
#[derive(Default)]
struct Running(AtomicUsize);

impl Clock for Running {
    fn now(&self) -> Timestamp {
        let reads = u64::try_from(self.0.fetch_add(1, Ordering::SeqCst)).unwrap();
        Jumping::new().read().saturating_add(Duration::from_secs(5 * reads))
    }

    fn idle(&self, _: Timestamp) -> Duration {
        Duration::ZERO
    }
}

/// Returns the request for keys of a flow with tokens.
fn question(server: &Server, config: &Arc<ClientConfig>, http: &HttpClient) -> KeySetRequest {
    let (clock, random) = (Jumping::new(), Counting::default());
    let mut flow =
        Flow::start(Arc::clone(config), request(), random.next().unwrap(), clock.read()).unwrap();
    loop {
        match flow.poll(clock.read(), random.next().unwrap()) {
            Output::Transmit(transmit) => {
                let sending = flow.begin(transmit, clock.read()).unwrap();
                let input = http.perform(sending);
                flow.handle(input, clock.read()).unwrap();
            }
            Output::Wait(wait) => clock.jump(wait.until()),
            // Ahead of time: nothing waits for the answer.
            Output::KeySet(request) if request.within().is_some() => {}
            Output::KeySet(request) => return request,
            other => panic!("{other:?} after {:?}", server.requests()),
        }
    }
}

/// A fetch failed, and when that was noted the next one was due.
#[test]
fn a_key_fetch_that_is_never_sent_blocks_no_other_fetch() {
    each(|adapter| {
        let tokens = r#"{"access_token":"a","token_type":"Bearer","id_token":"eyJhbGciOiJSUzI1NiJ9.e30.AA"}"#;
        let acts = [answer(200, "", ACKNOWLEDGED), answer(200, "", tokens)];
        let server = Server::start(acts.clone().into_iter().chain(acts));
        let config = config(&server.url(""), ClientAuth::None);
        let http = adapter.http();
        let (keys, clock) = (adapter.keys(&config), Running::default());
        let questions = [question(&server, &config, &http), question(&server, &config, &http)];
        for (request, connections) in questions.into_iter().zip([5, 6]) {
            let _ = keys.answer(request, &http, &clock);
            assert_eq!(server.connections(), connections);
        }
    });
}
