//! Calls with the tokens of an authentication.

use ciba_core::tokens::{
    CallRequest, RefreshRequest, Refreshed, Revocable, UserInfo, UserInfoRequest,
};
use ciba_std::{CallDrive, CallError, CallStep};

use crate::{Client, Driver, drive};

impl Client {
    /// Exchanges a refresh token for new tokens: `client.refresh(&authentication)`, and then
    /// `client.refresh(&refreshed)`. Store the new refresh token before you use the other tokens, and
    /// keep the old one until then.
    ///
    /// # Errors
    ///
    /// [`CallError`]; [`CallFailure::RefreshLost`](ciba_core::tokens::CallFailure::RefreshLost) if the
    /// provider may have replaced the refresh token and the answer was lost. So do not drop
    /// the future, and do not limit its time.
    pub async fn refresh(
        &self,
        request: impl Into<RefreshRequest>,
    ) -> Result<Refreshed, CallError> {
        self.driver().call(request.into()).await
    }

    /// Revokes a token: `client.revoke(refresh_token)`. Revoking the refresh token usually ends all
    /// tokens of an authentication.
    ///
    /// # Errors
    ///
    /// [`CallError`]. The token is still valid.
    pub async fn revoke(&self, token: impl Into<Revocable>) -> Result<(), CallError> {
        self.driver().call(token.into()).await
    }

    /// Asks for the claims about the authenticated person: `client.userinfo(&authentication)`.
    ///
    /// # Errors
    ///
    /// [`CallError`]; [`CallError::is_invalid_token`] if the access token is not valid any more.
    pub async fn userinfo(
        &self,
        request: impl Into<UserInfoRequest>,
    ) -> Result<UserInfo, CallError> {
        self.driver().call(request.into()).await
    }
}

impl Driver {
    /// Makes a call with the tokens of an authentication: pass a [`RefreshRequest`], a
    /// [`UserInfoRequest`] or a [`Revocable`] token.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn call<R: CallRequest>(&self, request: R) -> Result<R::Answer, CallError> {
        let mut call = CallDrive::begin(self, request)?;
        loop {
            match call.step()? {
                CallStep::Send(sending) => call.answered(self.http().perform(sending).await)?,
                CallStep::Sign(signing) => {
                    let (operation, outcome) = drive::sign(signing).await;
                    call.signed(operation, outcome)?;
                }
                CallStep::FindKeys(request) => {
                    let (keys, clock) = (self.keys(), self.clock());
                    let found = self.http().find_keys(keys, request, clock, &mut |_| {}).await;
                    call.answered(found)?;
                }
                CallStep::Wait(length) => drive::pause(length).await,
                CallStep::Done => return call.finish(),
            }
        }
    }
}
