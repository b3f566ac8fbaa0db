//! The grant types and algorithms that the metadata announces and the endpoints accept.

use ciba_core::jose::JwsAlgorithm;

/// The grant type of CIBA 10.1.
pub(super) const CIBA_GRANT: &str = "urn:openid:params:grant-type:ciba";
/// The grant type that exchanges a refresh token.
pub(super) const REFRESH_GRANT: &str = "refresh_token";
/// Every algorithm of assertions, for the metadata.
pub(super) const ASSERTION_ALGORITHMS: [JwsAlgorithm; 13] = JwsAlgorithm::ALL;
/// The algorithms of signed requests and assertions that FAPI-CIBA allows (FAPI 1 Advanced 8.6).
pub(super) const FAPI_ALGORITHMS: [JwsAlgorithm; 2] = [JwsAlgorithm::Ps256, JwsAlgorithm::Es256];
