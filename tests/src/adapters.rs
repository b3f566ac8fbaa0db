//! Both adapters behind one blocking interface, so that a test is written once and runs with both.
//! What only one of them has is tested in its own crate.
//!
//! Calls of the asynchronous adapter run in the calling thread, on a runtime of that thread.

mod http;
mod inbox;
mod supplied;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use ciba_core::{
    Acknowledgement, AuthRequest, Authentication, ClientConfig, Failure, Flow, Stage, Timestamp,
    config::Lacking,
    tokens::{RefreshRequest, Refreshed, Revocable, UserInfo, UserInfoRequest},
};
pub use ciba_std::Watch;
use ciba_std::{
    AuthenticateError, CallError, Clock, DriveError, DriverBuilder, PromptGuard,
    entropy::EntropySource,
};
use tokio::runtime::{Builder, Runtime};

use self::supplied::{Supplied, Watching};
pub use self::{
    http::{HttpBuilder, HttpClient, Roots},
    inbox::{Inbox, Keys},
    supplied::{Saver, Signer, Stop},
};

/// An adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adapter {
    /// The asynchronous adapter, `ciba-reqwest`.
    Reqwest,
    /// The blocking adapter, `ciba-ureq`.
    Ureq,
}

/// A value of either adapter.
#[derive(Debug, Clone)]
pub enum Of<R, U> {
    /// Of `ciba-reqwest`.
    Reqwest(R),
    /// Of `ciba-ureq`.
    Ureq(U),
}

impl<R, U> Of<R, U> {
    /// Combines two values of the same adapter.
    ///
    /// # Panics
    ///
    /// Panics if they belong to different adapters.
    fn and<R2, U2>(self, other: Of<R2, U2>) -> Of<(R, R2), (U, U2)> {
        match (self, other) {
            (Self::Reqwest(one), Of::Reqwest(two)) => Of::Reqwest((one, two)),
            (Self::Ureq(one), Of::Ureq(two)) => Of::Ureq((one, two)),
            _ => panic!("pieces of different adapters"),
        }
    }

    fn as_ref(&self) -> Of<&R, &U> {
        match self {
            Self::Reqwest(piece) => Of::Reqwest(piece),
            Self::Ureq(piece) => Of::Ureq(piece),
        }
    }
}

/// Runs a test with each adapter.
///
/// # Panics
///
/// Panics with the names of the adapters with which the test failed.
pub fn each(test: impl Fn(Adapter)) {
    let failed: Vec<_> = [Adapter::Reqwest, Adapter::Ureq]
        .into_iter()
        .filter(|adapter| catch_unwind(AssertUnwindSafe(|| test(*adapter))).is_err())
        .map(Adapter::name)
        .collect();
    assert!(failed.is_empty(), "failed over {}", failed.join(" and "));
}

impl Adapter {
    /// Returns the name of its crate.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reqwest => "ciba-reqwest",
            Self::Ureq => "ciba-ureq",
        }
    }

    /// Calls `wait` while the connections of this thread continue.
    ///
    /// # Panics
    ///
    /// Panics if `wait` does.
    pub fn meanwhile<T: Send + 'static>(self, wait: impl FnOnce() -> T + Send + 'static) -> T {
        match self {
            Self::Reqwest => {
                block_on(async { tokio::task::spawn_blocking(wait).await.expect("it came") })
            }
            Self::Ureq => wait(),
        }
    }

    /// Creates a flow that is kept in memory.
    #[must_use]
    pub fn flow(self, flow: Flow) -> SharedFlow {
        SharedFlow(match self {
            Self::Reqwest => Of::Reqwest(ciba_reqwest::SharedFlow::new(flow)),
            Self::Ureq => Of::Ureq(ciba_ureq::SharedFlow::new(flow)),
        })
    }

    /// Creates a flow that is saved.
    #[must_use]
    pub fn saved_flow(self, flow: Flow, saver: impl Saver) -> SharedFlow {
        let saver = Supplied(saver);
        SharedFlow(match self {
            Self::Reqwest => Of::Reqwest(ciba_reqwest::SharedFlow::with_saver(flow, saver)),
            Self::Ureq => Of::Ureq(ciba_ureq::SharedFlow::with_saver(flow, saver)),
        })
    }
}

/// Runs a call of the asynchronous adapter to completion, on the runtime of the calling thread.
fn block_on<T>(call: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: Runtime =
            Builder::new_current_thread().enable_all().build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(call))
}

/// A flow that can be driven.
#[derive(Debug, Clone)]
pub struct SharedFlow(Of<ciba_reqwest::SharedFlow, ciba_ureq::SharedFlow>);

impl SharedFlow {
    /// Returns its stage.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match &self.0 {
            Of::Reqwest(flow) => flow.stage(),
            Of::Ureq(flow) => flow.stage(),
        }
    }

    /// Returns its acknowledgement, once there is one.
    #[must_use]
    pub fn acknowledgement(&self) -> Option<Acknowledgement> {
        match &self.0 {
            Of::Reqwest(flow) => flow.acknowledgement(),
            Of::Ureq(flow) => flow.acknowledgement(),
        }
    }

    /// Cancels it.
    pub fn cancel(&self, now: Timestamp) {
        match &self.0 {
            Of::Reqwest(flow) => flow.cancel(now),
            Of::Ureq(flow) => flow.cancel(now),
        }
    }

    /// Returns its result.
    ///
    /// # Errors
    ///
    /// Returns the failure of the flow.
    pub fn finish(self) -> Result<Box<Authentication>, Failure> {
        match self.0 {
            Of::Reqwest(flow) => flow.finish(),
            Of::Ureq(flow) => flow.finish(),
        }
    }
}

/// A driver of one configuration. It is built for each drive, so that a test can change it.
#[derive(Debug, Clone)]
pub struct Driver(Builders);

type Builders = Of<DriverBuilder<ciba_reqwest::Reqwest>, DriverBuilder<ciba_ureq::Ureq>>;

impl Driver {
    /// Creates a driver with the system clock, the random generator of the system, and the keys
    /// that the provider publishes.
    #[must_use]
    pub fn new(config: &Arc<ClientConfig>, http: HttpClient) -> Self {
        // One cache for all its drives.
        let (keys, config) = (ciba_ureq::Keys::new(config), Arc::clone(config));
        Self(match http.0 {
            Of::Reqwest(http) => Of::Reqwest(DriverBuilder::new(config, http).keys(keys)),
            Of::Ureq(http) => Of::Ureq(DriverBuilder::new(config, http).keys(keys)),
        })
    }

    /// Sets the keys of the provider.
    #[must_use]
    pub fn with_keys(self, keys: Keys) -> Self {
        Self(match self.0.and(keys.0) {
            Of::Reqwest((driver, keys)) => Of::Reqwest(driver.keys(keys)),
            Of::Ureq((driver, keys)) => Of::Ureq(driver.keys(keys)),
        })
    }

    /// Sets the clock.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock + 'static) -> Self {
        Self(match self.0 {
            Of::Reqwest(driver) => Of::Reqwest(driver.clock(clock)),
            Of::Ureq(driver) => Of::Ureq(driver.clock(clock)),
        })
    }

    /// Sets the source of random bytes.
    #[must_use]
    pub fn with_entropies(self, entropies: impl EntropySource + 'static) -> Self {
        Self(match self.0 {
            Of::Reqwest(driver) => Of::Reqwest(driver.entropies(entropies)),
            Of::Ureq(driver) => Of::Ureq(driver.entropies(entropies)),
        })
    }

    /// Sets the private key.
    #[must_use]
    pub fn with_signer(self, signer: impl Signer) -> Self {
        let signer = Arc::new(Supplied(signer));
        Self(match self.0 {
            Of::Reqwest(driver) => Of::Reqwest(driver.signer(signer)),
            Of::Ureq(driver) => Of::Ureq(driver.signer(signer)),
        })
    }

    /// Sets the inbox at which notifications arrive.
    #[must_use]
    pub fn with_inbox(self, inbox: &Inbox) -> Self {
        Self(match self.0.and(inbox.0.clone()) {
            Of::Reqwest((driver, inbox)) => Of::Reqwest(driver.inbox(&inbox)),
            Of::Ureq((driver, inbox)) => Of::Ureq(driver.inbox(&inbox)),
        })
    }

    /// Sets a guard against a second prompt of the same person.
    #[must_use]
    pub fn with_prompt_guard(self, guard: PromptGuard) -> Self {
        Self(match self.0 {
            Of::Reqwest(driver) => Of::Reqwest(driver.prompt_guard(guard)),
            Of::Ureq(driver) => Of::Ureq(driver.prompt_guard(guard)),
        })
    }

    /// What its configuration needs and it does not have.
    #[must_use]
    pub fn lacks(&self) -> Option<Lacking> {
        match self.0.clone() {
            Of::Reqwest(driver) => driver.build().err(),
            Of::Ureq(driver) => driver.build().err(),
        }
    }

    fn built(&self) -> Of<ciba_reqwest::Driver, ciba_ureq::Driver> {
        match self.0.clone() {
            Of::Reqwest(driver) => Of::Reqwest(driver.build().expect("nothing is missing")),
            Of::Ureq(driver) => Of::Ureq(driver.build().expect("nothing is missing")),
        }
    }

    /// Starts a flow and drives it to its result.
    ///
    /// # Errors
    ///
    /// Returns [`AuthenticateError`].
    pub fn authenticate(
        &self,
        request: AuthRequest,
        watch: &mut (dyn Watch + Send),
    ) -> Result<Box<Authentication>, AuthenticateError> {
        let mut watch = Watching::new(watch, Stop::default());
        match self.built() {
            Of::Reqwest(driver) => block_on(driver.authenticate(request, &mut watch)),
            Of::Ureq(driver) => driver.authenticate(request, &mut watch),
        }
    }

    /// Exchanges a refresh token for new tokens.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn refresh(&self, request: impl Into<RefreshRequest>) -> Result<Refreshed, CallError> {
        match self.built() {
            Of::Reqwest(driver) => block_on(driver.call(request.into())),
            Of::Ureq(driver) => driver.call(request.into()),
        }
    }

    /// Revokes a token.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn revoke(&self, token: impl Into<Revocable>) -> Result<(), CallError> {
        match self.built() {
            Of::Reqwest(driver) => block_on(driver.call(token.into())),
            Of::Ureq(driver) => driver.call(token.into()),
        }
    }

    /// Asks for the claims about a person.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn userinfo(&self, request: impl Into<UserInfoRequest>) -> Result<UserInfo, CallError> {
        match self.built() {
            Of::Reqwest(driver) => block_on(driver.call(request.into())),
            Of::Ureq(driver) => driver.call(request.into()),
        }
    }

    /// Drives a flow until it is over.
    ///
    /// # Errors
    ///
    /// [`DriveError`].
    pub fn drive(
        &self,
        flow: &SharedFlow,
        watch: &mut (dyn Watch + Send),
    ) -> Result<(), DriveError> {
        self.drive_until(flow, watch, &Stop::default())
    }

    /// Drives a flow until it is over or the drive is stopped: the future is dropped, or the
    /// watcher stops it.
    ///
    /// # Errors
    ///
    /// [`DriveError`].
    pub fn drive_until(
        &self,
        flow: &SharedFlow,
        watch: &mut (dyn Watch + Send),
        stop: &Stop,
    ) -> Result<(), DriveError> {
        match self.built().as_ref().and(flow.0.as_ref()) {
            Of::Reqwest((driver, flow)) => block_on(async {
                let mut watch = Watching::new(watch, Stop::default());
                tokio::select! {
                    driven = driver.drive(flow, &mut watch) => driven,
                    () = stop.stopped() => Err(DriveError::Stopped),
                }
            }),
            Of::Ureq((driver, flow)) => driver.drive(flow, &mut Watching::new(watch, stop.clone())),
        }
    }
}
