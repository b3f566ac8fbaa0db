//! The last question before a request leaves.

use std::{error::Error, fmt, sync::Arc};

/// Whether a request may leave, asked when the connection stands and nothing but the request is
/// left to write: making a connection takes time, and the machine may be suspended meanwhile.
#[derive(Clone)]
pub struct Gate(Arc<dyn Fn() -> bool + Send + Sync>);

impl Gate {
    /// Makes a gate of a question, usually [`Flow::may_send`](ciba_core::Flow::may_send).
    pub fn new(may_send: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(may_send))
    }

    /// Asks.
    ///
    /// # Errors
    ///
    /// [`Withheld`] when the request must not leave any more.
    pub fn pass(&self) -> Result<(), Withheld> {
        if (self.0)() { Ok(()) } else { Err(Withheld) }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate(..)")
    }
}

/// It was too late to send a request, or its flow was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Withheld;

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it was too late to send the request")
    }
}

impl Error for Withheld {}
