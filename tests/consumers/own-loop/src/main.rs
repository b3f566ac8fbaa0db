//! An event loop of one's own, with `ciba-core` alone: HTTP over the standard library. The code of
//! the loop is that of the front page; what a program has to bring along is below.

mod http;

#[expect(unused_imports, reason = "of the stubs, which are left out")]
mod front_page {
    use crate::{entropy, http, key_set, now, sign, sleep_until};

    include!(concat!(env!("OUT_DIR"), "/front_page.rs"));

    pub fn run(
        config: Arc<ClientConfig>,
        request: AuthRequest,
    ) -> Result<(), Box<dyn std::error::Error>> {
        example(config, request)
    }
}

mod own_page {
    include!(concat!(env!("OUT_DIR"), "/own_page.rs"));

    pub fn run() -> Result<(), Box<dyn std::error::Error>> {
        main()
    }
}

use std::{
    cell::RefCell,
    fs::File,
    io::Read as _,
    thread,
    time::{Duration, SystemTime},
};

use ciba_core::{
    AuthRequest, ClientAuth, ClientConfig, ClientId, Discovery, Entropy, Hint, Input, Issuer,
    JwksCache, KeyOperation, KeySetRequest, Lookup, Timestamp, config::BasicEncoding, fault::Cause,
    http::LoopbackHttp, metadata::DiscoveryAddress,
};

use crate::http::http;

thread_local! {
    static KEYS: RefCell<Option<JwksCache>> = const { RefCell::new(None) };
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let issuer =
        Issuer::parse_with(std::env::var("ISSUER_HTTP")?, LoopbackHttp::DangerouslyAllowed)?;
    let discovery = Discovery::new(issuer, DiscoveryAddress::OpenId);
    let provider =
        discovery.process(&http::exchange(&discovery.request(), discovery.max_response())?)?;
    let auth = ClientAuth::ClientSecretBasic {
        secret: "a secret of the test".into(),
        encoding: BasicEncoding::Encoded,
    };
    let config =
        ClientConfig::builder(provider, ClientId::new("my-client")?).client_auth(auth).build()?;
    KEYS.set(Some(JwksCache::new(&config)));
    front_page::run(config, AuthRequest::new(Hint::Login("+46700000000".into())))?;
    own_page::run()
}

fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

fn entropy() -> Entropy {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .expect("the system has randomness");
    Entropy::from_bytes(bytes)
}

/// The provider's keys, from a cache that a program with many flows shares between them.
fn key_set(mut request: KeySetRequest) -> Input {
    KEYS.with_borrow_mut(|keys| {
        let Some(cache) = keys else { return request.unavailable(Cause::Local.into()) };
        loop {
            match cache.lookup(&mut request, now()) {
                Lookup::Ready(keys) => return request.found(keys),
                Lookup::Later(until) => return request.later(until),
                Lookup::Unavailable(why) => return request.unavailable(why),
                Lookup::Fetch(transmit) => {
                    if let Some(sending) = cache.begin(transmit, now()) {
                        cache.handle(http(sending), now()).expect("it is the cache's own");
                    }
                }
            }
        }
    })
}

/// Nothing to sign: the client has a secret.
fn sign(operation: KeyOperation) -> Input {
    operation.unavailable()
}

fn sleep_until(instant: Timestamp) {
    thread::sleep(instant.since(now()).min(Duration::from_secs(10)));
}
