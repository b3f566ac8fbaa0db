//! What is wrong with a command line, in one sentence that repeats no value: a value may be a
//! secret.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::exit::Stop;

/// What became of a command line that asks for nothing to be done, or cannot be read.
pub(crate) enum Unread {
    /// The text of help or version, for standard output and exit code 0.
    Shown(String),
    /// A mistake.
    Wrong(Stop),
}

pub(crate) fn unread(error: &clap::Error) -> Unread {
    let option = option(error, ContextKind::InvalidArg);
    let named = option.as_deref().unwrap_or("an option");
    let sentence = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return Unread::Shown(error.render().to_string()),
        ErrorKind::MissingSubcommand => match error.get(ContextKind::ValidSubcommand) {
            Some(ContextValue::Strings(names)) => {
                let names: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != "help").collect();
                format!("a command is missing, one of {}", names.join(", "))
            }
            _ => "a command is missing".to_owned(),
        },
        ErrorKind::InvalidSubcommand => "there is no such command".to_owned(),
        // What looks like an option may be a value that begins with a dash.
        ErrorKind::UnknownArgument => match (&option, error.get(ContextKind::SuggestedArg)) {
            (Some(_), Some(ContextValue::String(similar))) => {
                format!("there is an option that is not known here; there is {similar}")
            }
            (Some(_), _) => {
                "there is an option that is not known here (a value that begins with a dash is given as --option=VALUE)"
                    .to_owned()
            }
            (None, _) => "there is an argument that belongs to no option".to_owned(),
        },
        ErrorKind::MissingRequiredArgument => format!("{named} is missing"),
        ErrorKind::ArgumentConflict => format!("{named} is given more than once, or with an option that excludes it"),
        ErrorKind::InvalidValue if value_is_missing(error) => format!("{named} needs a value"),
        ErrorKind::InvalidValue => match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(values)) => format!("{named} takes one of {}", values.join(", ")),
            _ => format!("{named} has a value that cannot be used"),
        },
        ErrorKind::ValueValidation => match std::error::Error::source(error) {
            Some(source) => format!("{named} cannot be used: {source}"),
            None => format!("{named} has a value that cannot be used"),
        },
        ErrorKind::TooManyValues => format!("{named} takes no value"),
        ErrorKind::InvalidUtf8 => "the command line is not UTF-8".to_owned(),
        _ => format!("{named} cannot be used like this"),
    };
    Unread::Wrong(Stop::usage(format!("{sentence} (see `ciba --help`)")))
}

/// The name of the option. A word that does not begin with a dash is a value and is left out.
fn option(error: &clap::Error, kind: ContextKind) -> Option<String> {
    let text = match error.get(kind)? {
        ContextValue::String(text) => text.clone(),
        ContextValue::Strings(texts) => texts.first()?.clone(),
        _ => return None,
    };
    if text.starts_with('<') {
        return Some(text.trim_end_matches("...").to_owned());
    }
    let name = text.split(['=', ' ']).next().unwrap_or_default();
    let plain = name.starts_with('-')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    plain.then(|| name.to_owned())
}

fn value_is_missing(error: &clap::Error) -> bool {
    matches!(error.get(ContextKind::InvalidValue), Some(ContextValue::String(value)) if value.is_empty())
}
