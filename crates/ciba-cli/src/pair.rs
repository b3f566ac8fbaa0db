//! `NAME=VALUE` in an option.

use crate::exit::Stop;

/// Splits the value of an option at its first `=`.
pub(crate) fn pair_of<'a>(option: &str, text: &'a str) -> Result<(&'a str, &'a str), Stop> {
    text.split_once('=')
        .ok_or_else(|| Stop::usage(format!("{option} takes NAME=VALUE, and there is no `=`")))
}
