//! Whole flows against a running provider: `flows ADAPTER FOLDER`, where the adapter is `reqwest` or
//! `ureq` and the folder is that of a run of `interop/server.mjs`.
//!
//! Reads commands from standard input, one a line, and answers each with one line of JSON: the
//! processor time that this process spent on it, user and system, in microseconds (`cpu_us`), and
//! how many token requests it sent (`token_requests`).
//!
//! | command | does |
//! |---|---|
//! | `flows COUNT AT_ONCE` | whole flows; each has to end with the right person |
//! | `pending COUNT SECONDS` | starts flows that no person answers, spread over a time |
//! | `wait SECONDS` | lets the flows that were started run |
//! | `abandon` | gives those flows up |
//!
//! `interop/openid-client.mjs` takes the same commands; `ureq` takes `flows` alone. Metadata and keys are fetched once; each
//! adapter has the TLS and JOSE backends of its default features.

use std::{
    error::Error,
    fs,
    io::BufRead,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use ciba_core::{
    AuthRequest, Authentication, ClientAuth, ClientConfig, ClientId, ClientSecret, Discovery,
    Event, Hint, Issuer, ProviderMetadata, SoftwareKey,
    config::BasicEncoding,
    crypto::{AwsLcRs, KeyImporter, RustCrypto, Verifier},
    http::{Endpoint, LoopbackHttp},
    jose::JwsAlgorithm,
    metadata::DiscoveryAddress,
};
use ciba_reqwest::http::Authorities;
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};
use serde::Deserialize;
use tokio::task::JoinSet;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// The person who approves after two pending answers.
const APPROVES: &str = "approve-third";
/// The person who does not react.
const NEVER: &str = "never";

/// What the provider's program says about a client that it registered.
#[derive(Deserialize)]
struct Known {
    client_id: String,
    id_token_alg: String,
    key: Option<serde_json::Value>,
    secret: Option<String>,
}

/// One of the two adapters, with the configuration that all flows share.
trait Client {
    fn flows(&self, count: usize, at_once: usize) -> Outcome;

    /// A blocking client would want a thread for each of these flows.
    fn pending(&mut self, _count: usize, _spread: Duration) -> Outcome {
        Err("not with this adapter".into())
    }

    fn wait(&self, _time: Duration) {}

    fn abandon(&mut self) {}
}

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [adapter, folder] = &arguments[..] else {
        return Err("usage: flows ADAPTER FOLDER".into());
    };
    let folder = Path::new(folder);
    let mut client: Box<dyn Client> = match &**adapter {
        "reqwest" => Box::new(Reqwest::new(folder)?),
        "ureq" => Box::new(Ureq::new(folder)?),
        other => return Err(format!("there is no adapter {other}").into()),
    };
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let before = (processor_time()?, TOKEN_REQUESTS.load(Ordering::Relaxed));
        match words[..] {
            ["flows", count, at_once] => client.flows(count.parse()?, at_once.parse()?)?,
            ["pending", count, seconds] => {
                client.pending(count.parse()?, Duration::from_secs(seconds.parse()?))?
            }
            ["wait", seconds] => client.wait(Duration::from_secs(seconds.parse()?)),
            ["abandon"] => client.abandon(),
            _ => return Err(format!("not a command: {line}").into()),
        }
        let cpu = processor_time()? - before.0;
        let requests = TOKEN_REQUESTS.load(Ordering::Relaxed) - before.1;
        println!(r#"{{"cpu_us":{cpu},"token_requests":{requests}}}"#);
    }
    Ok(())
}

/// User and system time of this process so far, in microseconds.
fn processor_time() -> Outcome<i64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok(usage.user_time().num_microseconds() + usage.system_time().num_microseconds())
}

/// By all flows of this process.
static TOKEN_REQUESTS: AtomicUsize = AtomicUsize::new(0);

fn count(event: &Event) {
    if matches!(event, Event::Requesting { endpoint: Endpoint::Token, .. }) {
        TOKEN_REQUESTS.fetch_add(1, Ordering::Relaxed);
    }
}

fn request(hint: &str) -> AuthRequest {
    AuthRequest::new(Hint::Login(hint.into())).binding_message("W4SCT")
}

fn is_right(authentication: &Authentication) -> Outcome {
    if authentication.subject()? == APPROVES { Ok(()) } else { Err("another person".into()) }
}

fn authorities(folder: &Path) -> Outcome<Authorities> {
    Ok(Authorities::Only(fs::read(folder.join("ca.pem"))?))
}

fn discovery(folder: &Path) -> Outcome<Discovery> {
    let env = fs::read_to_string(folder.join("env"))?;
    let issuer = env
        .lines()
        .find_map(|line| line.strip_prefix("CIBA_INTEROP_ISSUER="))
        .ok_or("no issuer")?;
    let issuer = Issuer::parse_with(issuer, LoopbackHttp::DangerouslyAllowed)?;
    Ok(Discovery::new(issuer, DiscoveryAddress::OpenId))
}

/// HTTP Basic over plain HTTP, `private_key_jwt` with ES256 over TLS.
fn config(
    folder: &Path,
    provider: ProviderMetadata,
    verifier: Arc<dyn Verifier>,
    importer: &dyn KeyImporter,
) -> Outcome<(Arc<ClientConfig>, Option<SoftwareKey>)> {
    let is_plain = provider.issuer.as_str().starts_with("http://");
    let name = if is_plain { "client-secret-basic" } else { "private-key-jwt-es256" };
    let all: Vec<Known> = serde_json::from_slice(&fs::read(folder.join("clients.json"))?)?;
    let known = all.into_iter().find(|known| known.client_id == name).ok_or("no such client")?;
    let key = match known.key {
        Some(jwk) => {
            Some(SoftwareKey::import_jwk(&jwk.to_string(), Some(JwsAlgorithm::Es256), importer)?)
        }
        None => None,
    };
    let auth = match &key {
        Some(key) => ClientAuth::PrivateKeyJwt {
            algorithm: JwsAlgorithm::Es256,
            key_id: Some(key.key_id().into()),
        },
        None => ClientAuth::ClientSecretBasic {
            secret: ClientSecret::new(known.secret.ok_or("no secret")?),
            encoding: BasicEncoding::Encoded,
        },
    };
    let algorithm = JwsAlgorithm::from_name(&known.id_token_alg).ok_or("an unknown algorithm")?;
    let config = ClientConfig::builder(provider, ClientId::new(name)?)
        .client_auth(auth)
        .id_token_algorithm(algorithm)
        .verifier(verifier)
        .build()?;
    Ok((config, key))
}

/// In one thread, as openid-client.
struct Reqwest {
    runtime: tokio::runtime::Runtime,
    driver: ciba_reqwest::Driver,
    pending: JoinSet<()>,
}

impl Reqwest {
    fn new(folder: &Path) -> Outcome<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let http =
            ciba_reqwest::HttpClient::new(ciba_reqwest::http::trusting(&authorities(folder)?)?)?;
        let discovery = discovery(folder)?;
        let provider = runtime.block_on(ciba_reqwest::http::discover(&http, &discovery))?;
        let (config, key) = config(folder, provider, Arc::new(AwsLcRs), &AwsLcRs)?;
        let mut driver = ciba_reqwest::Driver::builder(config, http);
        if let Some(key) = key {
            driver = driver.signer(Arc::new(key));
        }
        let driver = driver.build()?;
        Ok(Self { runtime, driver, pending: JoinSet::new() })
    }
}

impl Client for Reqwest {
    fn flows(&self, count: usize, at_once: usize) -> Outcome {
        let left = Arc::new(AtomicUsize::new(count));
        self.runtime.block_on(async {
            let workers: Vec<_> = (0..at_once)
                .map(|_| {
                    let (left, driver) = (Arc::clone(&left), self.driver.clone());
                    tokio::spawn(async move {
                        while takes_one(&left) {
                            let mut watch = self::count;
                            let flow = driver.authenticate(request(APPROVES), &mut watch);
                            is_right(&*flow.await?)?;
                        }
                        Outcome::Ok(())
                    })
                })
                .collect();
            for worker in workers {
                worker.await??;
            }
            Ok(())
        })
    }

    fn pending(&mut self, count: usize, spread: Duration) -> Outcome {
        let each = spread / u32::try_from(count)?;
        self.runtime.block_on(async {
            for _ in 0..count {
                let driver = self.driver.clone();
                self.pending.spawn(async move {
                    let ended = driver.authenticate(request(NEVER), &mut self::count).await;
                    eprintln!("a flow that no person answers ended: {ended:?}");
                    std::process::exit(1);
                });
                tokio::time::sleep(each).await;
            }
        });
        Ok(())
    }

    fn wait(&self, time: Duration) {
        // The timer has to be made inside the runtime.
        self.runtime.block_on(async { tokio::time::sleep(time).await });
    }

    fn abandon(&mut self) {
        self.runtime.block_on(self.pending.shutdown());
    }
}

/// A thread for each flow at a time.
struct Ureq {
    driver: ciba_ureq::Driver,
}

impl Ureq {
    fn new(folder: &Path) -> Outcome<Self> {
        let http = ciba_ureq::HttpClient::new(ciba_ureq::http::trusting(&authorities(folder)?)?)?;
        let provider = ciba_ureq::http::discover(&http, &discovery(folder)?)?;
        let (config, key) = config(folder, provider, Arc::new(RustCrypto), &RustCrypto)?;
        let mut driver = ciba_ureq::Driver::builder(config, http);
        if let Some(key) = key {
            driver = driver.signer(Arc::new(key));
        }
        Ok(Self { driver: driver.build()? })
    }
}

impl Client for Ureq {
    fn flows(&self, count: usize, at_once: usize) -> Outcome {
        let left = AtomicUsize::new(count);
        let worker = || -> Outcome {
            while takes_one(&left) {
                is_right(&*self.driver.authenticate(request(APPROVES), &mut self::count)?)?;
            }
            Ok(())
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(worker)).collect();
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().expect("a worker does not panic"))
        })
    }
}

/// Whether there is one more flow to do.
fn takes_one(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}
