//! Sizes and waits.

use std::time::Duration;

/// The largest head of a request or an answer, in bytes.
pub(super) const LARGEST_HEAD: usize = 64 * 1024;
/// The largest body of a request, in bytes.
pub(super) const LARGEST_BODY: usize = 1024 * 1024;
/// The most header fields of a request or an answer.
pub(super) const MOST_FIELDS: usize = 128;
/// How long a thread that holds an answer sleeps before it checks for a decision and for a client
/// that closed the connection.
pub(super) const REST: Duration = Duration::from_millis(10);
/// A short wait, for example to see whether a connection was closed.
pub(super) const GLANCE: Duration = Duration::from_millis(1);
