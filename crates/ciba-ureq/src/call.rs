//! Calls with the tokens of an authentication, in the calling thread.

use ciba_core::tokens::{
    CallRequest, RefreshRequest, Refreshed, Revocable, UserInfo, UserInfoRequest,
};
use ciba_std::{CallDrive, CallError, CallStep, Signing};

use crate::{Client, Driver};

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
        self.driver().call(request.into())
    }

    /// Revokes a token: `client.revoke(refresh_token)`. Revoking the refresh token usually ends all
    /// tokens of an authentication.
    ///
    /// # Errors
    ///
    /// [`CallError`]. The token is still valid.
    pub fn revoke(&self, token: impl Into<Revocable>) -> Result<(), CallError> {
        self.driver().call(token.into())
    }

    /// Asks for the claims about the authenticated person: `client.userinfo(&authentication)`.
    ///
    /// # Errors
    ///
    /// [`CallError`]; [`CallError::is_invalid_token`] if the access token is not valid any more.
    pub fn userinfo(&self, request: impl Into<UserInfoRequest>) -> Result<UserInfo, CallError> {
        self.driver().call(request.into())
    }
}

impl Driver {
    /// Makes a call with the tokens of an authentication: pass a [`RefreshRequest`], a
    /// [`UserInfoRequest`] or a [`Revocable`] token.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn call<R: CallRequest>(&self, request: R) -> Result<R::Answer, CallError> {
        let mut call = CallDrive::begin(self, request)?;
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
