//! The options for deviations of one provider from the specifications.

use clap::Args;
use serde::{Deserialize, Serialize};

/// Stored with a saved flow, so that `ciba resume` reads the answer in the same way.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Exceptions {
    /// An audience that ID Tokens may have in addition to the client id; repeatable.
    #[arg(long, value_name = "AUD", value_parser = super::values::text, help_heading = "Exceptions")]
    pub(crate) trusted_audience: Vec<String>,
    /// How much the clocks of the provider and this machine may differ, at most 300 [default: 60].
    #[arg(long, value_name = "SECONDS", value_parser = super::values::tolerance, help_heading = "Exceptions")]
    pub(crate) clock_skew: Option<u64>,
    /// Skip a check against the provider's metadata, if that is known to be wrong; repeatable.
    #[arg(long, value_name = "RULE", value_parser = super::choices::metadata_rules(), help_heading = "Exceptions")]
    pub(crate) ignore_metadata: Vec<String>,
    /// Treat tokens without a `token_type` as Bearer.
    #[arg(long, help_heading = "Exceptions")]
    pub(crate) assume_bearer: bool,
    /// A `token_type` of the provider that means Bearer; repeatable.
    #[arg(long, value_name = "WORD", value_parser = super::values::text, help_heading = "Exceptions")]
    pub(crate) bearer_word: Vec<String>,
    /// Accept a `scope` that is a list.
    #[arg(long, help_heading = "Exceptions")]
    pub(crate) scope_lists: bool,
    /// Also send `client_id` in the body with an assertion or Basic.
    #[arg(long, help_heading = "Exceptions")]
    pub(crate) body_client_id: bool,
    /// An additional header field of every request, including those for metadata and keys;
    /// repeatable.
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Exceptions")]
    pub(crate) header: Vec<String>,
}
