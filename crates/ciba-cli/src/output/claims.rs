//! Parts of an authentication that several formats show.

use std::{borrow::Cow, time::Duration};

use ciba_core::Authentication;

/// The verified claims, without the one that only ties a pushed token to its request. Each is a
/// name and JSON text, as it was signed.
pub(super) fn claims(
    authentication: &Authentication,
) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
    let claims = authentication.id_token().into_iter().flat_map(|token| token.iter_claims());
    claims.filter(|(name, _)| *name != "urn:openid:params:jwt:claim:auth_req_id")
}

/// The access token's lifetime, counted from its arrival.
pub(super) fn lifetime(authentication: &Authentication) -> Option<Duration> {
    authentication.expires_at().map(|end| end.since(authentication.received_at()))
}
