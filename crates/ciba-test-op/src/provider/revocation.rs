//! The revocation endpoint (RFC 7009).

use ciba_core::{
    Timestamp,
    http::{Headers, Response},
};

use super::{parameters::Parameters, refusal::Refusal, state::Provider};
use crate::{
    judge::Rule,
    message::{Endpoint, Incoming},
};

impl Provider {
    /// Revokes a token of the client that sends the request. With a refresh token, every token of the
    /// same authentication ends. A token that is not known is no error (RFC 7009 section 2.2).
    pub(super) fn revoke(
        &mut self,
        request: &Incoming,
        now: Timestamp,
    ) -> Result<Response, Refusal> {
        let parameters = Parameters::read(request)?;
        let client = self.authenticate(request, &parameters, Endpoint::Revocation, now)?;
        let token = parameters
            .get("token")
            .ok_or_else(|| Refusal::bad(Rule::RefreshToken, "token is missing"))?;
        let family = self
            .refresh_tokens
            .iter()
            .find(|known| known.token == token && known.grant.client.id == client.id)
            .map(|known| known.grant.number);
        self.refresh_tokens.retain(|known| Some(known.grant.number) != family);
        self.access_tokens.retain(|known| {
            known.client_id != client.id
                || (known.token != token && Some(known.authentication) != family)
        });
        Ok(Response::new(200, Headers::new(), ""))
    }
}
