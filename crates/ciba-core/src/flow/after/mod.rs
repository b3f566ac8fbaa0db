//! Calls with tokens that a client already holds.

mod call;
mod failure;
mod refresh;
mod revocation;
#[cfg(all(test, feature = "rustcrypto"))]
mod tests;
mod userinfo;

pub use call::{Call, CallRequest};
pub use failure::{CallFailure, NotPossible};
pub use refresh::{RefreshRequest, Refreshed};
pub use revocation::Revocable;
pub use userinfo::UserInfoRequest;
