//! The driver: one flow to its end, in the calling thread.

use std::{ops::Deref, sync::Arc, time::Duration};

use ciba_core::{AuthRequest, Authentication, ClientConfig, fault::ExchangeProblem};
use ciba_std::{Drive, DriverBase, DriverBuilder, Signing, Step};

use crate::{AuthenticateError, DriveError, HttpClient, SharedFlow, Ureq, Watch, shared::write};

/// The longest pause before a watcher that may stop the drive is asked again: short enough for a
/// person who pressed a key.
const STOP_INTERVAL: Duration = Duration::from_millis(200);

/// Drives any number of flows of one configuration at once. Clones are the same driver.
///
/// It dereferences to [`DriverBase`], which starts and resumes flows.
#[derive(Debug, Clone)]
pub struct Driver(Arc<DriverBase<Ureq>>);

impl Driver {
    /// Begins a driver for flows of this configuration.
    pub fn builder(config: Arc<ClientConfig>, http: HttpClient) -> DriverBuilder<Ureq> {
        DriverBuilder::new(config, http)
    }

    /// Starts a flow and drives it to its result.
    ///
    /// To save the flow, or to continue it later, use [`start`](DriverBase::start),
    /// [`resume`](DriverBase::resume) and [`Self::drive`].
    ///
    /// # Errors
    ///
    /// [`AuthenticateError`].
    pub fn authenticate(
        &self,
        request: AuthRequest,
        watch: &mut dyn Watch,
    ) -> Result<Box<Authentication>, AuthenticateError> {
        let flow = SharedFlow::new(self.start(request)?);
        self.drive(&flow, watch)?;
        flow.finish().map_err(AuthenticateError::Failed)
    }

    /// Drives a flow until it is over; take the result with
    /// [`finish`](ciba_std::LockedFlow::finish).
    ///
    /// Everything happens in the calling thread, waits included. The drive ends early only if
    /// [`Watch::stop`] returns `true` or something fails. Driving the flow again continues from
    /// there and repeats nothing that must not be repeated. Notifications reach a flow from its
    /// first drive on, for as long as its [`SharedFlow`] exists, between two drives too.
    ///
    /// # Errors
    ///
    /// [`DriveError`]; the flow is not over and can be driven again.
    pub fn drive(&self, flow: &SharedFlow, watch: &mut dyn Watch) -> Result<(), DriveError> {
        let mut drive = Drive::begin(&self.0, flow)?;
        loop {
            // Taken before the step looks at the flow: no change between the two is slept through.
            let wake_up = flow.attached().wake_ups.next();
            match drive.step(watch)? {
                Step::Save(saving) => {
                    let outcome = write(&saving);
                    drive.saved(saving, outcome, watch)?;
                }
                Step::Send(outgoing) => drive.answered(self.http().perform_if(outgoing))?,
                Step::Sign(Signing { signer, operation, entropy, .. }) => {
                    let outcome = signer.sign(&operation, entropy);
                    drive.signed(operation, outcome, watch)?;
                }
                Step::FindKeys(request) => {
                    let (keys, clock) = (self.keys(), self.clock());
                    let mut report = |event: &_| watch.event(event);
                    drive.answered(self.http().find_keys(keys, request, clock, &mut report))?;
                }
                Step::Wait(length) => {
                    let asked = if watch.may_stop() { STOP_INTERVAL } else { length };
                    wake_up.wait(length.min(asked));
                }
                Step::Done => return Ok(()),
            }
        }
    }

    /// Fetches the provider's keys, if flows need them.
    pub(crate) fn fetch_keys(&self) -> Result<(), ExchangeProblem> {
        if self.fetches_keys() {
            self.http().prefetch_keys(self.keys(), self.clock())?;
        }
        Ok(())
    }
}

impl Deref for Driver {
    type Target = DriverBase<Ureq>;

    fn deref(&self) -> &DriverBase<Ureq> {
        &self.0
    }
}

impl From<DriverBase<Ureq>> for Driver {
    fn from(base: DriverBase<Ureq>) -> Self {
        Self(Arc::new(base))
    }
}
