//! How clap reads the values of options.

/// Reads a string that is not empty: an empty one would silently be left out of the request.
pub(super) fn text(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("it is empty") } else { Ok(text.to_owned()) }
}

/// Reads a number of seconds.
pub(super) fn seconds(text: &str) -> Result<u64, &'static str> {
    text.parse()
        .ok()
        .filter(|seconds| *seconds > 0)
        .ok_or("it is a whole number of seconds, at least 1")
}

/// Reads a number of seconds from 0 to 300.
pub(super) fn tolerance(text: &str) -> Result<u64, &'static str> {
    text.parse()
        .ok()
        .filter(|seconds| *seconds <= 300)
        .ok_or("it is a whole number of seconds, at most 300")
}
