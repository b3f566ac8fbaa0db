//! `ciba authenticate` and `ciba resume`: one flow, from the command line to the exit code.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use ciba_core::{AuthRequest, ClientConfig, Failure, Flow, Issuer, ProviderMetadata, ResumeError};
use tokio::time::Instant;

use crate::{
    args,
    client::Prepared,
    exit::{self, Stop},
    listen::Listening,
    output::{Reporter, quoted},
    signals::Signals,
    signer::KeyRing,
    state_file::{self, Saved, StateFile},
    time::now,
    transport::{self, Halted, Http, Watcher},
};

/// How long an exchange that is under way may still take after Ctrl-C: its answer may be the only copy of the tokens.
const LAST_ANSWER: Duration = Duration::from_secs(5);

pub(crate) async fn authenticate(options: args::Authenticate) -> Result<u8, Stop> {
    let args::Authenticate { client, request, run, state, report } = options;
    let auth_request = request.build(client.provider.unwrap_or_default())?;
    let prepared = Prepared::new(&client)?.with_user_codes(request.user_code.is_some());
    let at_hand = prepared.metadata_at_hand(&client)?;
    let http = Http::of(&client)?;
    let state = state.map(|path| StateFile::new(&path, &client)).transpose()?;
    let listening = prepared.listen().await?;
    let mut attempt = Attempt::begin(Reporter::new(report, run.show_tokens), run.timeout)?;

    attempt.reporter().comes_by(client.notifications.mode());
    attempt.reporter().hold();
    attempt.reporter().started(client.issuer.as_deref(), client.client_id.as_deref(), false);
    let metadata = match attempt.metadata(prepared.issuer.clone(), at_hand, &http).await {
        Ok(metadata) => metadata,
        Err(code) => return Ok(code),
    };
    let config = prepared.configure(metadata)?;
    let flow = start(&config, auth_request)?;
    attempt.reporter().release();
    attempt.drive(Tools { http, keys: prepared.keys, listening }, config, flow, state, false).await
}

/// Begins a flow; what core finds wrong with the request is a mistake in the options.
pub(crate) fn start(config: &Arc<ClientConfig>, request: AuthRequest) -> Result<Flow, Stop> {
    Flow::start(Arc::clone(config), request, transport::entropy()?, now())
        .map_err(|error| Stop::usage(format!("this request cannot be sent: {error}")))
}

pub(crate) async fn resume(options: args::Resume) -> Result<u8, Stop> {
    let args::Resume { state, client, run, report } = options;
    let Saved { file: state, client, asked_at, snapshot } = StateFile::open(&state, client)?;
    let prepared = Prepared::new(&client)?;
    let at_hand = prepared.metadata_at_hand(&client)?;
    let http = Http::of(&client)?;
    let listening = prepared.listen().await?;
    let mut attempt = Attempt::begin(Reporter::new(report, run.show_tokens), run.timeout)?;

    attempt.reporter().comes_by(client.notifications.mode());
    attempt.reporter().hold();
    attempt.reporter().remember(asked_at);
    attempt.reporter().started(client.issuer.as_deref(), client.client_id.as_deref(), true);
    let metadata = match attempt.metadata(prepared.issuer.clone(), at_hand, &http).await {
        Ok(metadata) => metadata,
        Err(code) => return Ok(code),
    };
    let config = prepared.configure(metadata)?;
    let flow = Flow::resume(Arc::clone(&config), &snapshot, now()).map_err(|error| {
        let why = match error {
            ResumeError::AnotherClient => "it belongs to another issuer or client".to_owned(),
            ResumeError::UserCodeGone => {
                "the request had a user code, which is never saved, and was not sent yet; start anew".to_owned()
            }
            other => other.to_string(),
        };
        Stop::usage(format!("the flow in the state file {} cannot be gone on with: {why}", state.path().display()))
    })?;
    attempt.reporter().release();
    if let Some(acknowledged) = flow.acknowledged() {
        attempt.reporter().acknowledged(acknowledged);
    }
    attempt.drive(Tools { http, keys: prepared.keys, listening }, config, flow, Some(state), true).await
}

/// What a drive works with.
pub(crate) struct Tools {
    pub(crate) http: Http,
    pub(crate) keys: KeyRing,
    pub(crate) listening: Option<Listening>,
}

/// One run of the command with its clock and its ears.
pub(crate) struct Attempt {
    reporter: Arc<Mutex<Reporter>>,
    signals: Signals,
    give_up: Option<Instant>,
}

/// Why waiting for something ended before it was there.
enum Cut {
    Interrupted,
    TimedOut,
}

impl Attempt {
    pub(crate) fn begin(reporter: Reporter, timeout: Option<u64>) -> Result<Self, Stop> {
        let signals = Signals::new().map_err(|_| Stop::bug("signals cannot be listened to"))?;
        let give_up = timeout.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
        Ok(Self { reporter: Arc::new(Mutex::new(reporter)), signals, give_up })
    }

    pub(crate) fn reporter(&self) -> std::sync::MutexGuard<'_, Reporter> {
        transport::lock(&self.reporter)
    }

    /// The provider's metadata, or the exit code when it cannot be had.
    pub(crate) async fn metadata(
        &mut self,
        issuer: Option<Issuer>,
        at_hand: Option<Result<ProviderMetadata, ciba_core::MetadataError>>,
        http: &Http,
    ) -> Result<ProviderMetadata, u8> {
        let found = match (at_hand, issuer) {
            (Some(read), _) => read.map_err(transport::failure_of),
            (None, Some(issuer)) => {
                self.reporter().requesting(ciba_core::Endpoint::Discovery, 1);
                let fetched = http.discover(issuer);
                match self.wait_for(fetched).await {
                    Ok(found) => found,
                    Err(cut) => return Err(self.abandoned(&cut)),
                }
            }
            (None, None) => Err(Failure::Abandoned),
        };
        found.map_err(|failure| self.failed(&failure))
    }

    /// Drives a flow to its end and tells the outcome.
    pub(crate) async fn drive(
        &mut self,
        tools: Tools,
        config: Arc<ClientConfig>,
        flow: Flow,
        state: Option<StateFile>,
        resumed: bool,
    ) -> Result<u8, Stop> {
        let watcher = Watcher::new(Arc::clone(&self.reporter), state, resumed);
        let Tools { http, keys, listening } = tools;
        let inbox = listening.as_ref().map(|_| http.inbox());
        let serving = listening.zip(inbox.clone()).map(|(listening, inbox)| {
            let watcher = watcher.clone();
            listening.serve(inbox, async move { watcher.driven().await })
        });
        let drive = http.drive(Arc::clone(&config), keys, flow, watcher.clone(), inbox);
        let mut drive = std::pin::pin!(drive);
        let (flow, halted) = match self.wait_for(drive.as_mut()).await {
            Ok(driven) => driven,
            Err(Cut::TimedOut) => {
                watcher.stop();
                forget(&watcher);
                return Ok(self.abandoned(&Cut::TimedOut));
            }
            Err(Cut::Interrupted) => {
                watcher.stop();
                let leave = Instant::now() + LAST_ANSWER;
                let over = loop {
                    tokio::select! {
                        biased;
                        driven = drive.as_mut() => break Some(driven),
                        () = self.signals.next() => break None,
                        () = tokio::time::sleep(Duration::from_millis(50)) => {
                            if !watcher.in_flight() || Instant::now() >= leave {
                                break None;
                            }
                        }
                    }
                };
                match over {
                    Some((flow, Ok(()))) if flow.stage() == ciba_core::Stage::Settled => (flow, Ok(())),
                    _ => return Ok(self.interrupted(&watcher)),
                }
            }
        };
        // The provider still waits for the answer to what it delivered.
        if let Some(serving) = serving {
            serving.close().await;
        }
        match halted {
            Ok(()) => {}
            Err(Halted::Save(error)) => {
                let shown = watcher.state().map(|state| state.path().display().to_string()).unwrap_or_default();
                self.reporter().left(None);
                return Err(Stop::usage(format!(
                    "the state file {shown} cannot be written: {}",
                    state_file::reason(&error)
                )));
            }
            Err(Halted::Broken(why)) => {
                self.reporter().left(watcher.state().map(StateFile::path));
                return Err(Stop::bug(why));
            }
        }
        let outcome = flow.finish();
        let code = match outcome {
            Ok(authentication) => {
                let told = self.reporter().authenticated(&authentication, &config);
                told.map_err(|error| untold(&error, &watcher))?;
                0
            }
            Err(failure) => self.failed(&failure),
        };
        forget(&watcher);
        Ok(code)
    }

    /// Waits for something, as long as the person at the terminal and `--timeout` allow.
    async fn wait_for<T>(&mut self, something: impl Future<Output = T>) -> Result<T, Cut> {
        let mut something = std::pin::pin!(something);
        let mut frames = tokio::time::interval(Duration::from_millis(125));
        let give_up = self.give_up;
        loop {
            tokio::select! {
                biased;
                there = something.as_mut() => return Ok(there),
                () = self.signals.next() => return Err(Cut::Interrupted),
                () = until(give_up) => return Err(Cut::TimedOut),
                _ = frames.tick() => transport::lock(&self.reporter).tick(),
            }
        }
    }

    fn failed(&mut self, failure: &Failure) -> u8 {
        self.reporter().release();
        self.reporter().failed(failure);
        exit::code(failure)
    }

    /// The caller gave up; the flow is not gone on with.
    fn abandoned(&mut self, cut: &Cut) -> u8 {
        self.failed(&Failure::Abandoned);
        match cut {
            Cut::TimedOut => exit::TIMEOUT,
            Cut::Interrupted => exit::INTERRUPTED,
        }
    }

    /// Ctrl-C: what is saved was saved before every step, so there is nothing left to write.
    fn interrupted(&mut self, watcher: &Watcher) -> u8 {
        match watcher.state() {
            Some(state) => {
                self.reporter().left(Some(state.path()));
                self.reporter()
                    .stopped(&format!("interrupted; the flow is kept, go on with it by: {}", resume_by(state)));
                exit::INTERRUPTED
            }
            None => self.abandoned(&Cut::Interrupted),
        }
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// The person was authenticated and nobody knows: what is saved stays, because tokens are given once.
fn untold(error: &std::io::Error, watcher: &Watcher) -> Stop {
    let mut sentence =
        format!("the person was authenticated, but standard output cannot be written: {}", state_file::reason(error));
    if let Some(state) = watcher.state() {
        sentence += &format!("; the flow is kept, go on with it by: {}", resume_by(state));
    }
    Stop::bug(sentence)
}

fn resume_by(state: &StateFile) -> String {
    format!("ciba resume --state {}", quoted(&state.path().display().to_string()))
}

/// The outcome was told, so nothing has to be kept.
fn forget(watcher: &Watcher) {
    if let Some(state) = watcher.state() {
        state.remove();
    }
}
