//! The answer of a store that has a newer state of a flow.

use std::{error::Error, fmt, io};

/// The error of a `Saver` whose store has a state of this flow that the snapshot does not
/// [replace](ciba_core::Snapshot::replaces), because another process has resumed the flow and
/// continues it.
///
/// A saver returns it in an [`io::Error`]. The flow then makes no further request and ends with
/// [`Failure::Superseded`](ciba_core::Failure::Superseded). After any other error the flow tries
/// the store again.
///
/// ```
/// use std::io;
///
/// use ciba_core::Snapshot;
/// use ciba_std::Superseded;
///
/// fn check(stored_revision: Option<u64>, snapshot: &Snapshot) -> io::Result<()> {
///     if snapshot.replaces(stored_revision) { Ok(()) } else { Err(Superseded.into()) }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Superseded;

impl Superseded {
    /// Returns whether an error contains it.
    // Not the kind alone: a store may return `AlreadyExists` for a file of its own.
    #[must_use]
    pub fn is_in(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

impl fmt::Display for Superseded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the store has a newer state: another process continues the flow")
    }
}

impl Error for Superseded {}

/// An error of the kind [`io::ErrorKind::AlreadyExists`].
impl From<Superseded> for io::Error {
    fn from(superseded: Superseded) -> Self {
        Self::new(io::ErrorKind::AlreadyExists, superseded)
    }
}
