//! Starts a flow.

use std::sync::Arc;

use ciba_core::{AuthRequest, ClientConfig, Flow};

use crate::{entropy::entropy, exit::Stop, time::now};

/// Starts a flow; what core finds wrong with the request is a mistake in the options.
pub(crate) fn start(config: &Arc<ClientConfig>, request: AuthRequest) -> Result<Flow, Stop> {
    Flow::start(Arc::clone(config), request, entropy()?, now())
        .map_err(|error| Stop::usage(format!("this request cannot be sent: {error}")))
}
