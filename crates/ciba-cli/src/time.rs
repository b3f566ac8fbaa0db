//! The wall clock.

use std::time::SystemTime;

use ciba_core::Timestamp;

/// Reads the wall clock.
pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}
