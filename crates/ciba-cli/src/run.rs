//! `ciba authenticate` and `ciba resume`: one flow, from the command line to the exit code.

use std::{sync::Arc, time::Duration};

use ciba_core::{
    ClientConfig, Discovery, Failure, Flow, ProviderMetadata,
    http::Endpoint,
    machine::ResumeError,
    tokens::{CallFailure, UserInfoRequest},
};
use ciba_std::CallError;
use tokio::time::Instant;

use crate::{
    args,
    client::Prepared,
    exit::{self, Stop},
    listen::{Listening, Serving},
    output::{Reporter, Started},
    signals::Signals,
    signer::KeyRing,
    start::{rehearse_userinfo, start},
    state_file::{Saved, StateFile},
    time::now,
    transport::{self, Drive, Driven, Halted, HttpLibrary, Settings},
    watcher::{Kept, Watcher},
    wording::{quoted, reason},
};

/// How long an exchange that is under way may still take after Ctrl-C if the flow is kept: its
/// answer may be the only copy of the tokens.
const LAST_ANSWER: Duration = Duration::from_secs(5);

pub(crate) async fn authenticate(options: args::Authenticate) -> Result<u8, Stop> {
    let args::Authenticate { client, request, run, state, report } = options;
    let client = client.complete()?;
    let auth_request = request.build(client.provider.unwrap_or_default())?;
    let prepared = Prepared::new(&client)?.with_user_codes(request.user_code.is_some());
    prepared.rehearse(&auth_request)?;
    if run.userinfo && request.no_openid {
        return Err(Stop::usage(
            "--userinfo and --no-openid exclude each other: without an ID Token, nothing says whose claims they have to be",
        ));
    }
    let at_hand = prepared.metadata_at_hand(&client)?;
    let http = Settings::of(&client, report.trace)?.open(client.transport.unwrap_or_default())?;
    let state = state.map(|path| StateFile::new(&path, &client)).transpose()?;
    let listening = listen(&prepared).await?;
    let reporter = Reporter::new(report, run.show_tokens, client.notifications.mode());
    let mut attempt = Attempt::begin(reporter, run.timeout)?.keeping(state, Kept::Nothing);
    let serving = attempt.listen(listening, &http);

    attempt.reporter().know(prepared.known(&client));
    attempt.reporter().hold();
    attempt.reporter().started(&started(&client, false));
    for option in prepared.provider.stands_for() {
        attempt
            .reporter()
            .detail(&format!("--provider {} sets: {option}", prepared.provider.name()));
    }
    let metadata = match attempt.metadata(prepared.discovery(), at_hand, &*http).await {
        Ok(metadata) => metadata,
        Err(code) => return Ok(code),
    };
    let assumption = prepared.assumption(&metadata);
    let config = prepared.configure(metadata)?;
    if run.userinfo {
        rehearse_userinfo(&config)?;
    }
    let flow = start(&config, auth_request)?;
    if let Some(assumption) = assumption {
        attempt.reporter().say(&format!("ciba: warning: {assumption}"));
    }
    attempt.reporter().release();
    let userinfo = run.userinfo;
    attempt.drive(Tools { http, keys: prepared.keys, serving, userinfo }, config, flow).await
}

/// Opens the notification endpoint, if there is one: before anything is sent, so that no notification
/// is lost.
async fn listen(prepared: &Prepared) -> Result<Option<Listening>, Stop> {
    match &prepared.notifications {
        Some(endpoint) => Listening::open(endpoint).await.map(Some),
        None => Ok(None),
    }
}

fn started(client: &args::Client, resumed: bool) -> Started<'_> {
    Started { issuer: client.issuer.as_deref(), client_id: client.client_id.as_deref(), resumed }
}

pub(crate) async fn resume(options: args::Resume) -> Result<u8, Stop> {
    let args::Resume { state, client, run, report } = options;
    let Saved { file: state, client, snapshot } = StateFile::open(&state, client.complete()?)?;
    let prepared = Prepared::new(&client)?;
    let at_hand = prepared.metadata_at_hand(&client)?;
    let http = Settings::of(&client, report.trace)?.open(client.transport.unwrap_or_default())?;
    let listening = listen(&prepared).await?;
    let place = state.path().display().to_string();
    let reporter = Reporter::new(report, run.show_tokens, client.notifications.mode());
    let mut attempt = Attempt::begin(reporter, run.timeout)?.keeping(Some(state), Kept::Flow);
    let serving = attempt.listen(listening, &http);

    attempt.reporter().know(prepared.known(&client));
    attempt.reporter().hold();
    attempt.reporter().started(&started(&client, true));
    let metadata = match attempt.metadata(prepared.discovery(), at_hand, &*http).await {
        Ok(metadata) => metadata,
        Err(code) => return Ok(code),
    };
    let config = prepared.configure(metadata)?;
    if run.userinfo {
        rehearse_userinfo(&config)?;
    }
    let flow = Flow::resume(Arc::clone(&config), &snapshot, now()).map_err(|error| {
        let why = match error {
            ResumeError::AnotherClient => "it belongs to another issuer or client".to_owned(),
            ResumeError::UserCodeGone => {
                "the request had a user code, which is never saved, and was not sent yet; start a new one with `ciba authenticate`".to_owned()
            }
            other => other.to_string(),
        };
        Stop::usage(format!("the flow in the state file {place} cannot be resumed: {why}"))
    })?;
    attempt.reporter().release();
    attempt.reporter().expires(flow.expires_at());
    if let Some(acknowledged) = flow.acknowledgement() {
        attempt.reporter().acknowledged(acknowledged);
    }
    let userinfo = run.userinfo;
    attempt.drive(Tools { http, keys: prepared.keys, serving, userinfo }, config, flow).await
}

/// What a drive needs.
pub(crate) struct Tools {
    pub(crate) http: Arc<dyn HttpLibrary>,
    pub(crate) keys: KeyRing,
    /// The notification endpoint.
    pub(crate) serving: Option<Serving>,
    /// Fetch the claims of the UserInfo endpoint afterwards.
    pub(crate) userinfo: bool,
}

/// One run of the command: its watcher, its signals, and when it gives up.
pub(crate) struct Attempt {
    watcher: Watcher,
    signals: Signals,
    give_up: Option<Instant>,
}

/// Why waiting for something ended early.
enum Cut {
    Interrupted,
    TimedOut,
}

impl Attempt {
    pub(crate) fn begin(reporter: Reporter, timeout: Option<u64>) -> Result<Self, Stop> {
        let signals = Signals::new().map_err(|_| Stop::bug("signals cannot be listened to"))?;
        let give_up =
            timeout.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
        Ok(Self { watcher: Watcher::new(reporter), signals, give_up })
    }

    /// With a state file, and what it holds.
    fn keeping(self, state: Option<StateFile>, kept: Kept) -> Self {
        Self { watcher: self.watcher.keeping(state, kept), ..self }
    }

    pub(crate) fn reporter(&self) -> std::sync::MutexGuard<'_, Reporter> {
        self.watcher.reporter()
    }

    /// Serves the notification endpoint: the provider may call as soon as a flow is resumed, and
    /// need not call twice.
    fn listen(&self, listening: Option<Listening>, http: &Arc<dyn HttpLibrary>) -> Option<Serving> {
        Some(listening?.serve(Arc::clone(http), self.watcher.clone()))
    }

    /// The provider's metadata, or the exit code if it cannot be fetched.
    pub(crate) async fn metadata(
        &mut self,
        discovery: Option<Discovery>,
        at_hand: Option<Result<ProviderMetadata, ciba_core::metadata::MetadataError>>,
        http: &dyn HttpLibrary,
    ) -> Result<ProviderMetadata, u8> {
        let found = match (at_hand, discovery) {
            (Some(read), _) => read.map_err(transport::failure_of),
            (None, Some(discovery)) => {
                self.reporter().requesting(Endpoint::Discovery);
                let fetched = http.discover(discovery);
                match self.wait_for(fetched).await {
                    Ok(found) => found,
                    Err(Cut::TimedOut) => return Err(self.timed_out()),
                    Err(Cut::Interrupted) => return Err(self.interrupted()),
                }
            }
            (None, None) => Err(Failure::Abandoned),
        };
        found.map_err(|failure| {
            let code = self.failed(&failure);
            if let Some(fate) = self.fate() {
                self.reporter().stopped(&fate);
            }
            code
        })
    }

    /// Drives a flow to its end and tells the outcome.
    pub(crate) async fn drive(
        &mut self,
        tools: Tools,
        config: Arc<ClientConfig>,
        flow: Flow,
    ) -> Result<u8, Stop> {
        let watcher = self.watcher.clone();
        let Tools { http, keys, serving, userinfo } = tools;
        let mut drive = http.drive(Drive {
            config: Arc::clone(&config),
            keys,
            flow,
            watcher: watcher.clone(),
            is_notified: serving.is_some(),
        });
        let driven = match self.wait_for(drive.as_mut()).await {
            Ok(driven) => driven,
            Err(Cut::TimedOut) => {
                watcher.stop();
                return Ok(self.timed_out());
            }
            // Without a state file a late answer would be lost.
            Err(Cut::Interrupted) if watcher.state().is_none() => {
                watcher.stop();
                return Ok(self.interrupted());
            }
            Err(Cut::Interrupted) => {
                let leave = Instant::now() + LAST_ANSWER;
                if watcher.in_flight() {
                    self.reporter().say(&format!(
                        "ciba: interrupted; waiting up to {} s for the answer to the request under way, to keep it (Ctrl-C again \
                         ends at once)",
                        LAST_ANSWER.as_secs()
                    ));
                }
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
                watcher.stop();
                match over {
                    Some(Ok(driven)) if driven.is_over => Ok(driven),
                    _ => return Ok(self.interrupted()),
                }
            }
        };
        // The provider may still wait for the answer to its notification.
        if let Some(serving) = serving {
            serving.close().await;
        }
        let Driven { keeps_tokens, outcome, .. } = match driven {
            Ok(driven) => driven,
            Err(Halted::Save(error)) => {
                let shown = watcher
                    .state()
                    .map(|state| state.path().display().to_string())
                    .unwrap_or_default();
                self.reporter().left(None);
                return Err(Stop::usage(format!(
                    "the state file {shown} cannot be written: {}",
                    reason(&error)
                )));
            }
            Err(Halted::Broken(why)) => {
                self.reporter().left(watcher.kept_at());
                return Err(Stop::bug(why));
            }
        };
        let code = match outcome {
            Ok(authentication) => {
                let told = self.reporter().authenticated(&authentication, &config);
                told.map_err(|error| self.untold(&error))?;
                self.forget();
                if userinfo {
                    return self.userinfo(&*http, UserInfoRequest::from(&*authentication)).await;
                }
                return Ok(0);
            }
            Err(failure) => {
                if let Some(kept) = watcher.kept_at().filter(|_| keeps_tokens) {
                    self.reporter().release();
                    self.reporter().unverified(&failure, kept);
                    return Ok(exit::code(&failure));
                }
                let code = self.failed(&failure);
                // The state file is the other process's now.
                if failure == Failure::Superseded {
                    return Ok(code);
                }
                code
            }
        };
        self.forget();
        Ok(code)
    }

    /// Fetches the claims about the person, who is authenticated whatever becomes of the request.
    async fn userinfo(
        &mut self,
        http: &dyn HttpLibrary,
        request: UserInfoRequest,
    ) -> Result<u8, Stop> {
        self.reporter().requesting(Endpoint::UserInfo);
        let fetched = http.userinfo(request);
        let (fetched, code) = match self.wait_for(fetched).await {
            Ok(fetched) => (fetched, exit::CALL),
            Err(Cut::TimedOut) => {
                self.reporter().timed_out();
                (Err(CallError::Failed(CallFailure::Abandoned)), exit::CALL)
            }
            Err(Cut::Interrupted) => {
                self.reporter().interrupted();
                (Err(CallError::Failed(CallFailure::Abandoned)), exit::INTERRUPTED)
            }
        };
        match fetched {
            Ok(user_info) => {
                let told = self.reporter().userinfo(&user_info);
                told.map(|()| 0).map_err(|error| Stop::untold(&error))
            }
            Err(error) => {
                self.reporter().userinfo_failed(&error);
                Ok(code)
            }
        }
    }

    /// Waits for something until it is there, Ctrl-C, or the end of `--timeout`.
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
                _ = frames.tick() => self.watcher.reporter().tick(),
            }
        }
    }

    fn failed(&mut self, failure: &Failure) -> u8 {
        self.reporter().release();
        self.reporter().failed(failure);
        exit::code(failure)
    }

    /// `--timeout` is over: the flow is given up.
    fn timed_out(&mut self) -> u8 {
        self.reporter().timed_out();
        // Tokens are issued once and are not thrown away (ruling 42).
        if let Some(kept) = self.watcher.tokens_at() {
            self.reporter().release();
            self.reporter().unverified(&Failure::Abandoned, kept);
            return exit::TIMEOUT;
        }
        self.failed(&Failure::Abandoned);
        self.forget();
        exit::TIMEOUT
    }

    /// Ctrl-C: every state was saved before the next step, so there is nothing left to write.
    fn interrupted(&mut self) -> u8 {
        match self.fate() {
            Some(fate) => {
                self.reporter().release();
                self.reporter().left(self.watcher.kept_at());
                self.reporter().stopped(&format!("interrupted; {fate}"));
            }
            None => {
                self.reporter().interrupted();
                self.failed(&Failure::Abandoned);
            }
        }
        exit::INTERRUPTED
    }

    /// The person was authenticated and the result cannot be written: the saved flow stays, because
    /// tokens are issued once.
    fn untold(&self, error: &std::io::Error) -> Stop {
        let why = reason(error);
        let fate = self.fate().map(|fate| format!("; {fate}")).unwrap_or_default();
        Stop::bug(format!(
            "the person was authenticated, but standard output cannot be written: {why}{fate}"
        ))
    }

    /// What becomes of a flow when the command ends early; `None` without a state file or a saved
    /// flow.
    fn fate(&self) -> Option<String> {
        let path = self.watcher.state()?.path().display().to_string();
        match self.watcher.kept() {
            Kept::Nothing => None,
            Kept::Flow => Some(format!(
                "the flow is kept, continue it with: ciba resume --state {}",
                quoted(&path)
            )),
            Kept::Earlier => Some(format!(
                "the flow could not be kept: the state file {path} holds an earlier state of it, if any"
            )),
        }
    }

    /// Removes the state file.
    fn forget(&self) {
        let Some(state) = self.watcher.state() else { return };
        if let Err(error) = state.remove() {
            let (shown, why) = (state.path().display(), reason(&error));
            self.reporter().say(&format!(
                "ciba: warning: the state file {shown}, which holds secrets, stays: {why}"
            ));
        }
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
