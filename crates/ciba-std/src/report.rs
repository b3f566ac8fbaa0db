//! An error for the end of a program.

use std::{error::Error, fmt};

use crate::sources;

/// Why a program ends: the return type of a `main` that uses `?`.
///
/// Rust prints the error of `main` with `Debug`. That of this type is the message of the error and
/// of each of its [sources](Error::source), separated by colons, without a line break or another
/// control character.
///
/// ```
/// use ciba_std::{AuthenticateError, Report, ciba_core::Failure};
///
/// let report = Report::from(AuthenticateError::Failed(Failure::Superseded));
/// assert!(format!("{report:?}").starts_with("the person was not authenticated: another process "));
/// ```
pub struct Report(Box<dyn Error + Send + Sync>);

impl<E: Error + Send + Sync + 'static> From<E> for Report {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for error in sources(&*self.0) {
            let words = error.to_string();
            // Some errors print their source themselves.
            if !text.ends_with(&words) {
                let colon = if text.is_empty() { "" } else { ": " };
                text = format!("{text}{colon}{words}");
            }
        }
        f.write_str(&ciba_core::text::plain(&text))
    }
}
