//! The stages of a flow, as its caller sees them.

use crate::named::named;

named! {
    /// The stage of a flow.
    #[non_exhaustive]
    pub enum Stage {
        /// The authentication request has not been acknowledged yet.
        Authorizing = "authorizing",
        /// The acknowledgement was lost. In ping or push mode a notification may still arrive.
        Adrift = "adrift",
        /// The request was acknowledged, and the person has not decided yet.
        Pending = "pending",
        /// A token request is being made.
        Redeeming = "redeeming",
        /// Tokens were received and are being verified.
        Verifying = "verifying",
        /// The flow is over.
        Settled = "settled",
    }
}
