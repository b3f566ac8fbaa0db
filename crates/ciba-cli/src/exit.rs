//! How the command ends: exit codes, and the one sentence that goes with them.

use std::fmt::Write as _;

use ciba_core::{
    Failure,
    answer::{ErrorCode, ServerAnswer},
    fault::Untrusted,
    http::Endpoint,
    text::plain,
    tokens::CallFailure,
};
use ciba_std::CallError;

use crate::advice::{self, Known};

/// Why the command ends without the result of a flow: one sentence for standard error, and the exit
/// code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) code: u8,
    pub(crate) sentence: String,
}

impl Stop {
    /// Usage or configuration: nothing was sent.
    pub(crate) fn usage(sentence: impl Into<String>) -> Self {
        Self { code: USAGE, sentence: sentence.into() }
    }

    /// The result could not be written.
    pub(crate) fn untold(error: &std::io::Error) -> Self {
        Self::bug(format!("standard output cannot be written: {}", crate::wording::reason(error)))
    }

    /// A bug of this command, or a machine that does not work.
    pub(crate) fn bug(sentence: impl Into<String>) -> Self {
        Self { code: BUG, sentence: sentence.into() }
    }
}

pub(crate) const BUG: u8 = 1;
pub(crate) const USAGE: u8 = 2;
pub(crate) const TIMEOUT: u8 = 17;
/// The exit code of `ciba op --judge` if a client made a mistake.
pub(crate) const MISTAKES: u8 = 18;
/// The exit code of a call with the tokens that failed after the person was authenticated.
pub(crate) const CALL: u8 = 20;
pub(crate) const INTERRUPTED: u8 = 130;

/// One row of the table of failures: its name, exit code and meaning.
const FAILURES: [(&str, u8, &str); 9] = [
    ("denied", 10, "the person refused"),
    ("expired", 11, "no answer came in time"),
    ("refused", 12, "the provider refused the request, the client or the hint"),
    ("untrusted", 13, "the answer failed a check (named below)"),
    ("provider_misbehaved", 14, "the provider sent an answer that cannot be used"),
    (
        "indeterminate",
        15,
        "the outcome is unknown: an answer was lost, none said how it ended, or keys could not be fetched",
    ),
    (
        "unreachable",
        16,
        "no person was prompted: nothing could be sent, or metadata could not be fetched",
    ),
    ("abandoned", TIMEOUT, "--timeout was over (exit 17), or Ctrl-C (exit 130)"),
    ("superseded", 19, "another process resumed the flow and continues it"),
];

/// The exit code of a failed flow. An abandoned flow has two, and the caller chooses.
pub(crate) fn code(failure: &Failure) -> u8 {
    let name = failure.name();
    FAILURES.iter().find(|(known, ..)| *known == name).map_or(BUG, |(_, code, _)| *code)
}

/// The exit codes, for the help.
pub(crate) fn exit_codes() -> String {
    let mut text = String::from(
        "Exit codes:\n    0  authenticated\n    1  a bug of this command, or standard output could not take the result\n    2  usage or configuration; no person was prompted\n",
    );
    for (name, code, meaning) in FAILURES {
        let _ = writeln!(text, "   {code:2}  {name}: {meaning}");
    }
    let _ = writeln!(text, "   {MISTAKES}  a client of `ciba op --judge` made a mistake");
    let _ = writeln!(
        text,
        "   {CALL}  the person was authenticated, but the claims of --userinfo were not obtained"
    );
    text.push_str("  130  interrupted (with --state the flow is kept for `ciba resume`)");
    text
}

/// The exit codes and the names of the checks, for the help of the commands that run a flow.
pub(crate) fn failures_and_checks() -> String {
    let mut text = exit_codes();
    text.push_str("\n\nWith --output json the last line is `authenticated` or `failed`, with --userinfo after `authenticated` also\n`userinfo` or `userinfo_failed`; `failed` names its `failure` as above, and for\n`untrusted` the `check`:\n");
    for check in Untrusted::ALL {
        let _ = writeln!(text, "  {:22} {check}", check.name());
    }
    text
}

/// One sentence about a failed flow, with the server's error code and description if there are any.
pub(crate) fn sentence(failure: &Failure, known: &Known) -> String {
    let source = std::error::Error::source(failure);
    let mut text = match (failure, source) {
        (Failure::Abandoned, _) => {
            format!("{} {}", known.given_up.unwrap_or("stopped"), known.awaited.given_up())
        }
        // The source names what could not be reached, or used.
        (Failure::Unreachable(_) | Failure::ProviderMisbehaved(_), Some(source)) => {
            source.to_string()
        }
        (_, Some(source)) => format!("{failure}: {source}"),
        (_, None) => failure.to_string(),
    };
    // The message of a signer.
    if let Some(reason) = source.and_then(std::error::Error::source) {
        let _ = write!(text, ": {}", plain(&reason.to_string()));
    }
    if let Some(check) = failure.check() {
        let _ = write!(text, " (check {})", check.name());
    }
    if let Some(answer) = failure.server_answer() {
        // The sentence about a refusal has its registered code, or its status, already.
        let is_said = matches!(failure, Failure::Refused(_));
        match answer.code() {
            Some(code) if is_said && !matches!(code, ErrorCode::Unknown(_)) => {}
            Some(code) => {
                let _ = write!(text, ": {code}");
            }
            None if is_said => {}
            None => {
                if let Some(status) = status(answer) {
                    let _ = write!(text, " (status {status})");
                }
            }
        }
        if let Some(description) = answer.description() {
            let _ = write!(text, " ({})", plain(description));
        }
        if let Some(challenge) = answer.www_authenticate() {
            let _ = write!(text, ", WWW-Authenticate: {}", plain(challenge));
        }
        if !answer.excerpt().is_empty() {
            let _ = write!(text, ", the answer begins: {}", plain(answer.excerpt()));
        }
    }
    if let Some(advice) = advice::on(failure, known) {
        let _ = write!(text, "; {advice}");
    }
    plain(&text)
}

/// One sentence about a call with the tokens that failed, after the person was authenticated.
pub(crate) fn call_sentence(error: &CallError, known: &Known) -> String {
    let mut text =
        "the person was authenticated, but the claims of the UserInfo endpoint were not obtained: "
            .to_owned();
    let failure = match error {
        CallError::Failed(failure) => failure,
        CallError::NotPossible(error) => return plain(&format!("{text}{error}")),
        other => return plain(&format!("{text}{other}")),
    };
    match failure {
        CallFailure::Abandoned => text.push_str(known.given_up.unwrap_or("stopped")),
        failure => {
            let _ = write!(text, "{failure}");
        }
    }
    if let Some(description) = failure.answer().and_then(ServerAnswer::description) {
        let _ = write!(text, " ({description})");
    }
    plain(&text)
}

/// The status of an answer. A notification is a request and has none.
pub(crate) fn status(answer: &ServerAnswer) -> Option<u16> {
    (answer.endpoint() != Endpoint::Notification).then_some(answer.status())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_its_exit_code() {
        let codes: Vec<u8> = FAILURES.iter().map(|(_, code, _)| *code).collect();
        assert_eq!(codes, [10, 11, 12, 13, 14, 15, 16, 17, 19]);
        assert_eq!(code(&Failure::Untrusted(Untrusted::Audience.into())), 13);
        assert_eq!(code(&Failure::Abandoned), TIMEOUT);
        assert_eq!(code(&Failure::Expired(None)), 11);
    }

    #[test]
    fn a_failed_check_is_named_in_its_sentence() {
        assert_eq!(
            sentence(&Failure::Untrusted(Untrusted::Audience.into()), &Known::default()),
            "the provider's answer failed a check: the ID Token is for another client (check audience); only the provider can fix that"
        );
    }
}
