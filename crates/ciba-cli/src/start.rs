//! Starts a flow, and checks before it what is to be done after it.

use std::sync::Arc;

use ciba_core::{
    AuthRequest, ClientConfig, Flow,
    secret::AccessToken,
    tokens::{CallRequest as _, UserInfoRequest},
};

use crate::{entropy::entropy, exit::Stop, time::now};

/// Starts a flow; what core finds wrong with the request is a mistake in the options.
pub(crate) fn start(config: &Arc<ClientConfig>, request: AuthRequest) -> Result<Flow, Stop> {
    Flow::start(Arc::clone(config), request, entropy()?, now())
        .map_err(|error| Stop::usage(format!("this request cannot be sent: {error}")))
}

/// Checks whether the claims of `--userinfo` can be requested, by preparing a request that is not
/// sent: the person should not be prompted in vain.
pub(crate) fn rehearse_userinfo(config: &Arc<ClientConfig>) -> Result<(), Stop> {
    let request = UserInfoRequest::new(AccessToken::new("rehearsal"), "rehearsal");
    match request.call(Arc::clone(config), entropy()?, now()) {
        Ok(_) => Ok(()),
        Err(error) => Err(Stop::usage(format!("--userinfo cannot be used: {error}"))),
    }
}
