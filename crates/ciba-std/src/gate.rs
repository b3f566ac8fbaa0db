//! The last check before a request is sent.

use std::{error::Error, fmt, sync::Arc};

/// Decides whether a request may be sent, once its connection is established and only the request
/// is left to write. Making a connection takes time, and the machine may be suspended meanwhile.
#[derive(Clone)]
pub struct Gate(Arc<dyn Fn() -> bool + Send + Sync>);

impl Gate {
    /// Creates a gate from a function, usually [`Flow::may_send`](ciba_core::Flow::may_send).
    pub fn new(may_send: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(may_send))
    }

    /// Calls the function.
    ///
    /// # Errors
    ///
    /// [`Withheld`] if the request must not be sent any more.
    pub fn pass(&self) -> Result<(), Withheld> {
        if (self.0)() { Ok(()) } else { Err(Withheld) }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate(..)")
    }
}

/// The error of a request that was not sent because it was too late or its flow was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Withheld;

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it was too late to send the request")
    }
}

impl Error for Withheld {}
