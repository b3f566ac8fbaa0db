//! The options about what one provider does otherwise than the specifications say.

use clap::Args;
use serde::{Deserialize, Serialize};

/// Kept beside a saved flow, so that `ciba resume` reads its answer in the same way.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Exceptions {
    /// An audience that may stand beside the client id in ID Tokens; repeatable.
    #[arg(long, value_name = "AUD", value_parser = super::text, help_heading = "Exceptions")]
    pub(crate) trusted_audience: Vec<String>,
    /// How far the clocks of the provider and this machine may differ, at most 300 [default: 60].
    #[arg(long, value_name = "SECONDS", value_parser = tolerance, help_heading = "Exceptions")]
    pub(crate) clock_skew: Option<u64>,
    /// Skip a check against the provider's metadata, where that is known to be wrong; repeatable.
    /// The rules are delivery-mode, authentication-method, authentication-algorithm,
    /// id-token-algorithm, request-algorithm, certificate-bound-tokens, user-codes and
    /// internal-address.
    #[arg(long, value_name = "RULE", value_parser = crate::client::metadata_rule, help_heading = "Exceptions")]
    pub(crate) ignore_metadata: Vec<String>,
    /// Take tokens without a `token_type` for Bearer.
    #[arg(long, help_heading = "Exceptions")]
    pub(crate) assume_bearer: bool,
    /// What the provider writes as `token_type` where it means Bearer; repeatable.
    #[arg(long, value_name = "WORD", value_parser = super::text, help_heading = "Exceptions")]
    pub(crate) bearer_word: Vec<String>,
    /// Take a `scope` that is a list.
    #[arg(long, help_heading = "Exceptions")]
    pub(crate) scope_lists: bool,
    /// Send `client_id` in the body beside an assertion or Basic.
    #[arg(long, help_heading = "Exceptions")]
    pub(crate) body_client_id: bool,
    /// A further header field of every request, metadata and keys included; repeatable.
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Exceptions")]
    pub(crate) header: Vec<String>,
}

impl Exceptions {
    /// These options, and those of a saved flow where nothing else is said now.
    pub(super) fn or(self, saved: Self) -> Self {
        let list = |now: Vec<String>, saved: Vec<String>| if now.is_empty() { saved } else { now };
        Self {
            trusted_audience: list(self.trusted_audience, saved.trusted_audience),
            clock_skew: self.clock_skew.or(saved.clock_skew),
            ignore_metadata: list(self.ignore_metadata, saved.ignore_metadata),
            assume_bearer: self.assume_bearer || saved.assume_bearer,
            bearer_word: list(self.bearer_word, saved.bearer_word),
            scope_lists: self.scope_lists || saved.scope_lists,
            body_client_id: self.body_client_id || saved.body_client_id,
            header: list(self.header, saved.header),
        }
    }
}

/// Reads a number of seconds that may be zero, for clap.
fn tolerance(text: &str) -> Result<u64, &'static str> {
    text.parse()
        .ok()
        .filter(|seconds| *seconds <= 300)
        .ok_or("it is a whole number of seconds, at most 300")
}
