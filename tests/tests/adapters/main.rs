//! What both adapters do around the state machine: every test runs with each of them. What only one
//! of them has (futures that are dropped, a `tower` service) is tested in its own crate.
#![allow(missing_docs)]

mod drive;
mod exchange;
mod inbox;
mod keys;
mod party;
mod prompt_guard;
mod restarted;
mod saves;
mod signer;
mod stop;
mod tls;
mod tokens;

#[path = "../../../crates/ciba-reqwest/tests/support/client.rs"]
mod client;
#[path = "../../../crates/ciba-reqwest/tests/support/tls.rs"]
mod server;
#[path = "../../../crates/ciba-reqwest/tests/support/mod.rs"]
mod support;

use std::{sync::Arc, time::Duration};

use ciba_core::{ClientAuth, ClientConfig, Entropy, Flow, Timestamp, jose::JwsAlgorithm};
use ciba_tests::adapters::{Adapter, Driver};
use ciba_ureq::{
    Clock,
    entropy::{EntropyError, EntropySource},
};
use client::{Counting, Jumping, request};

const START: Timestamp = Timestamp::from_unix_secs(1_800_000_000);

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        self.read()
    }

    fn idle(&self, until: Timestamp) -> Duration {
        self.jump(until);
        Duration::ZERO
    }
}

/// A clock that does not advance: a drive that waits for it waits for a notification, or until it
/// is stopped.
struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        START
    }

    fn idle(&self, _: Timestamp) -> Duration {
        Duration::MAX
    }
}

impl EntropySource for Counting {
    fn draw(&self) -> Result<Entropy, EntropyError> {
        self.next().ok_or_else(|| EntropyError::new("told to fail"))
    }
}

/// Returns a driver whose waits take no time. The servers here answer requests in a fixed order, so
/// no keys are fetched while it waits.
fn driver(adapter: Adapter, config: &Arc<ClientConfig>) -> Driver {
    Driver::new(config, adapter.http())
        .with_keys(adapter.no_keys(config))
        .with_clock(Jumping::new())
        .with_entropies(Counting::default())
}

fn flow(config: &Arc<ClientConfig>) -> Flow {
    Flow::start(Arc::clone(config), request(), Entropy::from_bytes([7; 32]), START)
        .expect("it can be sent")
}

fn key_jwt() -> ClientAuth {
    ClientAuth::PrivateKeyJwt { algorithm: JwsAlgorithm::Es256, key_id: Some("one".into()) }
}
