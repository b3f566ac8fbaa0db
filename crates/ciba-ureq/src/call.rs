//! Calls with the tokens of an authentication, in the calling thread.

use ciba_core::tokens::{RefreshRequest, Refreshed, Revocable, UserInfo, UserInfoRequest};
use ciba_std::{CallDrive, CallError, CallStep, Signing};

use crate::{Client, Driver, Ureq};

impl Client {
    /// Exchanges a refresh token for new tokens: `client.refresh(&authentication)`, and then
    /// `client.refresh(&refreshed)`. Store the new refresh token before you use the other tokens, and
    /// keep the old one until then.
    ///
    /// # Errors
    ///
    /// [`CallError`]; [`CallFailure::RefreshLost`](ciba_core::tokens::CallFailure::RefreshLost) if the
    /// provider may have replaced the refresh token and the answer was lost.
    pub fn refresh(&self, request: impl Into<RefreshRequest>) -> Result<Refreshed, CallError> {
        self.driver().refresh(request)
    }

    /// Revokes a token: `client.revoke(refresh_token)`. Revoking the refresh token usually ends all
    /// tokens of an authentication.
    ///
    /// # Errors
    ///
    /// [`CallError`]. The token is still valid.
    pub fn revoke(&self, token: impl Into<Revocable>) -> Result<(), CallError> {
        self.driver().revoke(token)
    }

    /// Asks for the claims about the authenticated person: `client.userinfo(&authentication)`.
    ///
    /// # Errors
    ///
    /// [`CallError`]; [`CallError::is_invalid_token`] if the access token is not valid any more.
    pub fn userinfo(&self, request: impl Into<UserInfoRequest>) -> Result<UserInfo, CallError> {
        self.driver().userinfo(request)
    }
}

impl Driver {
    /// Exchanges a refresh token for new tokens, as [`Client::refresh`].
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn refresh(&self, request: impl Into<RefreshRequest>) -> Result<Refreshed, CallError> {
        self.call(CallDrive::refresh(self, request)?)
    }

    /// Revokes a token, as [`Client::revoke`].
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn revoke(&self, token: impl Into<Revocable>) -> Result<(), CallError> {
        self.call(CallDrive::revoke(self, token)?)
    }

    /// Asks for the claims about the authenticated person, as [`Client::userinfo`].
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn userinfo(&self, request: impl Into<UserInfoRequest>) -> Result<UserInfo, CallError> {
        self.call(CallDrive::userinfo(self, request)?)
    }

    fn call<R>(&self, mut call: CallDrive<'_, Ureq, R>) -> Result<R, CallError> {
        loop {
            match call.step()? {
                CallStep::Send(sending) => call.answered(self.http().perform(sending))?,
                CallStep::Sign(Signing { signer, operation, entropy, .. }) => {
                    let outcome = signer.sign(&operation, entropy);
                    call.signed(operation, outcome)?;
                }
                CallStep::FindKeys(request) => {
                    let (keys, clock) = (self.keys(), self.clock());
                    call.answered(self.http().find_keys(keys, request, clock, &mut |_| {}))?;
                }
                CallStep::Wait(length) => std::thread::sleep(length),
                CallStep::Done => return call.finish(),
            }
        }
    }
}
