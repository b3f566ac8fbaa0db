//! The state machine of one authentication, from the request to the verified result.
//!
//! ```text
//!  Authorizing --sign?, transmit--> Pending --due or pinged--> Redeeming --200--> Verifying --keys--> Settled
//!    |   ^                           |   ^                        |                 ^   |
//!    |   '- not sent: wait           |   '-- pending, slow_down, -'                 |   '- unknown key: refresh,
//!    | answer lost                   |       5xx, 429, no answer                    |      wait, ask again
//!    v                               '---------- push: the tokens themselves -------'
//!  poll: Settled(Indeterminate)      any phase: cancel, refusal, expiry --> Settled(Failure)
//!  ping, push: Adrift --a notification with the flow's token--> Pending or Verifying
//! ```

mod adrift;
mod after;
mod authorizing;
mod context;
mod effect;
mod exchange;
mod grant;
mod machine;
mod nonce;
mod notifications;
mod notify;
mod pending;
mod phase;
mod prompts;
mod questions;
mod receiving;
mod redeeming;
mod routes;
mod saved_terms;
mod saving;
mod settled;
mod snapshot;
mod spacing;
mod spent;
mod stage;
mod store;
mod token_answers;
mod verifying;

pub use after::{
    Call, CallFailure, CallRequest, NotPossible, RefreshRequest, Refreshed, Revocable,
    UserInfoRequest,
};
pub use machine::Flow;
pub use notify::{
    BadNotification, Notification, NotificationKey, NotificationReply, NotificationVerdict,
};
pub use prompts::{PromptPlace, PromptRefused, RunningPrompts};
pub use receiving::{Receipt, Receiving};
pub use routes::{Routes, RoutesFull};
pub use saving::Unsaved;
pub use spent::{SpentKey, SpentKeys};
pub use stage::Stage;
