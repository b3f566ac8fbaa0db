//! The part of JOSE this client needs, written for it: compact JWS, JWK, key sets, and nothing chosen by a token.

mod alg;
pub(crate) mod base64url;
mod key_set;

pub use alg::{Curve, JwsAlgorithm};
pub use key_set::KeySet;
