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
