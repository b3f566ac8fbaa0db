//! Lines on standard output and standard error.

use std::io::{self, Write as _};

/// Writes a line to standard output and ignores errors: the reader may be gone, which is no reason to
/// end an authentication.
pub(crate) fn put(line: &str) {
    let _ = try_put(line);
}

/// Writes a line to standard output. For results, which must not be lost.
pub(crate) fn try_put(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush())
}

/// Writes a line to standard error. `eprintln` panics if standard error is closed.
pub(crate) fn put_error(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
