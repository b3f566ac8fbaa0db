//! The drive of one call with tokens, without its I/O.

use std::{error::Error, fmt, time::Duration};

use ciba_core::{
    Input, KeyOperation, KeySetRequest, Output, Sending,
    tokens::{Call, CallFailure, CallRequest, NotPossible},
};

use crate::{Adapter, DriveError, DriverBase, SignerError, Signing, drive::pause};

/// A call that is being made: a refresh, a request for claims, or a revocation.
///
/// An adapter calls [`step`](Self::step), performs the I/O of the returned [`CallStep`] and reports
/// the outcome, until the call is over. Dropping it abandons the call.
#[derive(Debug)]
pub struct CallDrive<'a, A: Adapter, R> {
    driver: &'a DriverBase<A>,
    call: Call<R>,
}

/// The I/O that a call needs next.
#[must_use = "the call waits for it"]
pub enum CallStep<'a, A: Adapter> {
    /// Send a request at once, and report the outcome to [`CallDrive::answered`].
    Send(Sending),
    /// Use the private key and report the outcome to [`CallDrive::signed`].
    Sign(Signing<'a, A>),
    /// Find the provider's keys and report the answer to [`CallDrive::answered`].
    FindKeys(KeySetRequest),
    /// Wait this long, which is never more than ten seconds, and take the next step.
    Wait(Duration),
    /// The call is over.
    Done,
}

impl<'a, A: Adapter, R> CallDrive<'a, A, R> {
    /// Begins a call.
    ///
    /// # Errors
    ///
    /// [`CallError::NotPossible`], and [`CallError::Drive`] if there are no random bytes.
    pub fn begin(
        driver: &'a DriverBase<A>,
        request: impl CallRequest<Answer = R>,
    ) -> Result<Self, CallError> {
        let (config, now) = (driver.config().clone(), driver.clock().now());
        let call = request.call(config, driver.draw().map_err(DriveError::from)?, now)?;
        Ok(Self { driver, call })
    }

    /// Returns the I/O that the call needs next.
    ///
    /// # Errors
    ///
    /// [`CallError::Drive`] if there are no random bytes.
    pub fn step(&mut self) -> Result<CallStep<'a, A>, CallError> {
        let clock = self.driver.clock();
        loop {
            let entropy = self.driver.draw().map_err(DriveError::from)?;
            match self.call.poll(clock.now(), entropy) {
                Output::Transmit(transmit) => {
                    // `None`: it is too late, and the call knows.
                    if let Some(sending) = self.call.begin(transmit, clock.now()) {
                        return Ok(CallStep::Send(sending));
                    }
                }
                Output::Key(operation) => match self.driver.signer(operation.purpose()) {
                    Some(signer) => {
                        return Ok(CallStep::Sign(self.driver.signing(signer, operation)?));
                    }
                    None => self.signed(operation, Err("the driver has no signer".into()))?,
                },
                Output::KeySet(request) => return Ok(CallStep::FindKeys(request)),
                Output::Wait(wait) => return Ok(CallStep::Wait(pause(clock, wait.until()))),
                // Calls are not saved.
                Output::Save(_) | Output::Done => return Ok(CallStep::Done),
            }
        }
    }

    /// Takes the signature, or the reason why there is none.
    ///
    /// # Errors
    ///
    /// [`CallError::Drive`] if the operation is another call's.
    pub fn signed(
        &mut self,
        operation: KeyOperation,
        outcome: Result<Vec<u8>, SignerError>,
    ) -> Result<(), CallError> {
        self.answered(match outcome {
            Ok(signature) => operation.answered(signature),
            Err(error) => operation.failed(&*error),
        })
    }

    /// Takes any other answer.
    ///
    /// # Errors
    ///
    /// [`CallError::Drive`] if the answer is another call's, for example because the driver was
    /// given another issuer's keys.
    pub fn answered(&mut self, answer: Input) -> Result<(), CallError> {
        let handled = self.call.handle(answer, self.driver.clock().now());
        Ok(handled.map_err(|misuse| DriveError::Misuse(misuse.reason))?)
    }

    /// Returns the result.
    ///
    /// # Errors
    ///
    /// [`CallError::Failed`].
    pub fn finish(self) -> Result<R, CallError> {
        self.call.finish().map_err(CallError::Failed)
    }
}

impl<A: Adapter> fmt::Debug for CallStep<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(sending) => f.debug_tuple("Send").field(sending).finish(),
            Self::Sign(signing) => f.debug_tuple("Sign").field(signing).finish(),
            Self::FindKeys(request) => f.debug_tuple("FindKeys").field(request).finish(),
            Self::Wait(length) => f.debug_tuple("Wait").field(length).finish(),
            Self::Done => f.write_str("Done"),
        }
    }
}

/// Why a call with tokens has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError {
    /// The call cannot be made. Nothing was sent.
    NotPossible(NotPossible),
    /// The call ended without a result.
    Failed(CallFailure),
    /// The call could not be driven to its end.
    Drive(DriveError),
}

impl CallError {
    /// Returns `true` if the access token has expired, was revoked or is otherwise invalid.
    #[must_use]
    pub fn is_invalid_token(&self) -> bool {
        matches!(self, Self::Failed(failure) if failure.is_invalid_token())
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotPossible(_) => "the call cannot be made",
            Self::Failed(_) => "the call failed",
            Self::Drive(_) => "the call could not be driven to its end",
        })
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotPossible(error) => Some(error),
            Self::Failed(error) => Some(error),
            Self::Drive(error) => Some(error),
        }
    }
}

impl From<NotPossible> for CallError {
    fn from(error: NotPossible) -> Self {
        Self::NotPossible(error)
    }
}

impl From<DriveError> for CallError {
    fn from(error: DriveError) -> Self {
        Self::Drive(error)
    }
}
