//! The stages of a flow, as its caller sees them.

/// The stage of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The authentication request has not been acknowledged yet.
    Authorizing,
    /// The acknowledgement was lost. In ping or push mode a notification may still arrive.
    Adrift,
    /// The request was acknowledged, and the person has not decided yet.
    Pending,
    /// A token request is being made.
    Redeeming,
    /// Tokens were received and are being verified.
    Verifying,
    /// The flow is over.
    Settled,
}

impl Stage {
    pub(crate) const ALL: [Self; 6] = [
        Self::Authorizing,
        Self::Adrift,
        Self::Pending,
        Self::Redeeming,
        Self::Verifying,
        Self::Settled,
    ];

    /// Returns the lower-case name, for machine-readable output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authorizing => "authorizing",
            Self::Adrift => "adrift",
            Self::Pending => "pending",
            Self::Redeeming => "redeeming",
            Self::Verifying => "verifying",
            Self::Settled => "settled",
        }
    }
}
