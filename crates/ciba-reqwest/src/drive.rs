//! The driver: one flow to its end.

use std::{ops::Deref, pin::pin, sync::Arc, task::Poll, time::Duration};

use ciba_core::{AuthRequest, Authentication, ClientConfig, KeyOperation, fault::ExchangeProblem};
use ciba_std::{Drive, DriverBase, DriverBuilder, SignerError, Signing, Step};
use tokio::time::timeout;

use crate::{AuthenticateError, DriveError, HttpClient, Reqwest, SharedFlow, Watch, shared::write};

/// Drives any number of flows of one configuration at once. Clones are the same driver.
///
/// It dereferences to [`DriverBase`], which starts and resumes flows.
#[derive(Debug, Clone)]
pub struct Driver(Arc<DriverBase<Reqwest>>);

impl Driver {
    /// Begins a driver for flows of this configuration.
    pub fn builder(config: Arc<ClientConfig>, http: HttpClient) -> DriverBuilder<Reqwest> {
        DriverBuilder::new(config, http)
    }

    /// Starts a flow and drives it to its result.
    ///
    /// Dropping the future abandons the flow. To save the flow, or to continue it later, use
    /// [`start`](DriverBase::start), [`resume`](DriverBase::resume) and [`Self::drive`].
    ///
    /// # Errors
    ///
    /// [`AuthenticateError`].
    pub async fn authenticate(
        &self,
        request: AuthRequest,
        watch: &mut (dyn Watch + Send),
    ) -> Result<Box<Authentication>, AuthenticateError> {
        let flow = SharedFlow::new(self.start(request)?);
        self.drive(&flow, watch).await?;
        flow.finish().map_err(AuthenticateError::Failed)
    }

    /// Drives a flow until it is over; take the result with
    /// [`finish`](ciba_std::LockedFlow::finish).
    ///
    /// The future may be dropped at any time, by a time-out or a `select`; nothing runs in the
    /// background. A request in progress then counts as lost, because it may have arrived. Driving
    /// the flow again continues from there and repeats nothing that must not be repeated. An
    /// operation with the private key that was in progress is requested again at once, and nothing
    /// counts against the key. Notifications reach a flow from its first drive on, for as long as
    /// its [`SharedFlow`] exists, between two drives too.
    ///
    /// # Errors
    ///
    /// [`DriveError`]; the flow is not over and can be driven again.
    pub async fn drive(
        &self,
        flow: &SharedFlow,
        watch: &mut (dyn Watch + Send),
    ) -> Result<(), DriveError> {
        let mut drive = Drive::begin(&self.0, flow)?;
        loop {
            match drive.step(watch)? {
                Step::Save(saving) => {
                    let outcome = write(&saving).await;
                    drive.saved(saving, outcome, watch)?;
                }
                Step::Send(outgoing) => {
                    let (sending, gate) = (outgoing.sending, Some(outgoing.gate));
                    drive.answered(self.http().perform_if(sending, gate).await)?;
                }
                Step::Sign(signing) => {
                    let (operation, outcome) = sign(signing).await;
                    drive.signed(operation, outcome, watch)?;
                }
                Step::FindKeys(request) => {
                    let (keys, clock) = (self.keys(), self.clock());
                    let mut report = |event: &_| watch.event(event);
                    let answer = self.http().find_keys(keys, request, clock, &mut report).await;
                    drive.answered(answer)?;
                }
                Step::Wait(length) => either(flow.attached().woken(), pause(length)).await,
                Step::Done => return Ok(()),
            }
        }
    }

    /// Fetches the provider's keys, if flows need them.
    pub(crate) async fn fetch_keys(&self) -> Result<(), ExchangeProblem> {
        if self.fetches_keys() {
            self.http().prefetch_keys(self.keys(), self.clock()).await?;
        }
        Ok(())
    }
}

impl Deref for Driver {
    type Target = DriverBase<Reqwest>;

    fn deref(&self) -> &DriverBase<Reqwest> {
        &self.0
    }
}

impl From<DriverBase<Reqwest>> for Driver {
    fn from(base: DriverBase<Reqwest>) -> Self {
        Self(Arc::new(base))
    }
}

/// Performs an operation with the private key, within its limit.
pub(crate) async fn sign(
    signing: Signing<'_, Reqwest>,
) -> (KeyOperation, Result<Vec<u8>, SignerError>) {
    let Signing { signer, operation, entropy, limit } = signing;
    let signed = timeout(limit, signer.sign(&operation, entropy)).await;
    (operation, signed.unwrap_or_else(|_| Err("the signer took too long".into())))
}

pub(crate) async fn pause(length: Duration) {
    if length.is_zero() {
        // Lets other tasks run, even under a clock with which nothing takes time.
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep(length).await;
    }
}

/// Waits for the first of two futures. The first one is polled first.
async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    std::future::poll_fn(|context| {
        if one.as_mut().poll(context).is_ready() {
            Poll::Ready(())
        } else {
            other.as_mut().poll(context)
        }
    })
    .await;
}
