//! The trait of the three formats of output.

use std::{fmt::Debug, io, path::Path};

use ciba_core::{Authentication, ClientConfig, Event, Failure, tokens::UserInfo};
use ciba_std::CallError;
use serde::Serialize;

use super::terminal::Terminal;
use crate::listen::Refusal;

/// A format of output.
pub(super) trait Voice: Debug + Send {
    fn started(&mut self, to: &mut Terminal, started: &Started<'_>);

    fn event(&mut self, to: &mut Terminal, event: &Event);

    /// A call of the notification endpoint was refused.
    fn notification_refused(&mut self, to: &mut Terminal, status: u16, refusal: Refusal);

    /// The person was authenticated. Fails if standard output cannot be written.
    fn authenticated(
        &mut self,
        to: &mut Terminal,
        authentication: &Authentication,
        config: &ClientConfig,
    ) -> io::Result<()>;

    /// The UserInfo endpoint returned these claims. Fails if standard output cannot be written.
    fn userinfo(&mut self, to: &mut Terminal, user_info: &UserInfo) -> io::Result<()>;

    /// The person was authenticated, but there are no claims of the UserInfo endpoint. The sentence
    /// about it is the reporter's.
    fn userinfo_failed(&mut self, to: &mut Terminal, error: &CallError);

    /// A flow ended without an authentication. The sentence about it is the reporter's. `state` is
    /// the file from which it can be resumed.
    fn failed(&mut self, to: &mut Terminal, failure: &Failure, state: Option<&Path>);

    /// The test provider's verdict at the end of a demonstration.
    fn judged(&mut self, _report: &str, _clean: bool) {}
}

/// A flow that is about to start, or to be resumed.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Started<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) resumed: bool,
}
