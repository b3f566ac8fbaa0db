//! What a caller expects of the ID Token beyond the specification's own checks. Data, so that a snapshot can hold it.

use alloc::{string::String, vec::Vec};
use core::{fmt, time::Duration};

use crate::error::Untrusted;

/// Expectations of one request; part of the snapshot until the flow is settled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectations {
    /// The `acr` values asked for, and how strictly they are held to.
    pub(crate) acr_values: Vec<String>,
    pub(crate) acr: AcrRule,
    /// The oldest acceptable `auth_time`; makes the claim mandatory (REQ-IDT-25).
    pub(crate) max_age: Option<Duration>,
    /// Whether `auth_time` has to be there (REQ-META-22).
    pub(crate) auth_time_required: bool,
    /// The only acceptable `sub` (REQ-IDT-16, REQ-IDT-17).
    pub(crate) subject: Option<String>,
    /// The `nonce` that was sent as an extension parameter (REQ-IDT-23).
    pub(crate) nonce: Option<String>,
    pub(crate) claims: Vec<ExpectedClaim>,
}

/// How the `acr` claim is held to the values asked for (REQ-IDT-24).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AcrRule {
    /// When present it must be one of them.
    #[default]
    IfPresent,
    /// It must be present and one of them.
    Require,
    /// It is reported and never a reason to refuse.
    Report,
}

/// Whether a claim has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Presence {
    /// Checked when it is there.
    IfPresent,
    /// It has to be there.
    Required,
}

/// One claim and the text it has to have. `Debug` does not show the text: it may be a national id.
#[derive(Clone, PartialEq, Eq)]
pub struct ExpectedClaim {
    pub(crate) name: String,
    pub(crate) text: crate::secret::ExpectedText,
    pub(crate) matching: Matching,
    pub(crate) presence: Presence,
    /// The check that fails.
    pub(crate) check: Untrusted,
}

/// How a claim's text is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Matching {
    /// Equal, byte for byte.
    Equal,
    /// Equal, or the expected text followed by `:` and more: `urn:grn:authn:no:bankid:high` refines `urn:grn:authn:no:bankid`.
    EqualOrRefined,
}

impl fmt::Debug for ExpectedClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpectedClaim").field("name", &self.name).field("check", &self.check).finish_non_exhaustive()
    }
}
