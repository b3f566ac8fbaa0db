//! What the judge notes about requests, whatever the provider answers.

use ciba_core::http::Response;

use super::{refusal::Refusal, state::Provider};
use crate::{
    judge::{Rule, Severity, Violation},
    message::{Endpoint, Incoming},
};

/// Parameters that no URL may have.
const SECRET_PARAMETERS: [&str; 10] = [
    "access_token",
    "refresh_token",
    "token",
    "client_secret",
    "client_assertion",
    "client_notification_token",
    "auth_req_id",
    "login_hint",
    "login_hint_token",
    "id_token_hint",
];

impl Provider {
    pub(super) fn refused(&mut self, refusal: &Refusal) -> Response {
        if let Some(rule) = refusal.rule {
            self.broke(rule, &refusal.reason);
        }
        refusal.response()
    }

    /// Protocol parameters do not belong into a URL. Where documents are fetched, a query of another
    /// kind is harmless.
    pub(super) fn look_at_query(&mut self, endpoint: Endpoint, request: &Incoming) {
        let Some(query) = &request.query else { return };
        let secret =
            |pair: &str| SECRET_PARAMETERS.contains(&pair.split('=').next().unwrap_or_default());
        let broken = match endpoint {
            Endpoint::Backchannel | Endpoint::Token => true,
            Endpoint::Phone | Endpoint::Report | Endpoint::Unknown | Endpoint::Notification => {
                false
            }
            _ => query.split('&').any(secret),
        };
        if broken {
            self.broke(Rule::ParametersInUrl, "the URL has parameters");
        }
    }

    /// Following a redirect to a document is not a mistake; sending a form or credentials there is.
    pub(super) fn trapped(&mut self, request: &Incoming) {
        let carries = request.method != "GET" || request.headers.get("authorization").is_some();
        let severity = if carries { Severity::Mistake } else { Severity::Advice };
        self.say(Rule::Trap, severity, "only a followed redirect or key URL leads here");
    }

    /// Records that the current request broke a rule.
    pub(super) fn broke(&mut self, rule: Rule, reason: &str) {
        self.say(rule, rule.usual_severity(), reason);
    }

    pub(super) fn say(&mut self, rule: Rule, severity: Severity, reason: &str) {
        if let Some(exchange) = self.exchanges.last() {
            let (exchange, endpoint, at) = (exchange.id, exchange.endpoint, exchange.arrived);
            let (client_id, reason) = (self.caller.clone(), reason.to_owned());
            self.findings.push(Violation {
                rule,
                severity,
                client_id,
                exchange,
                endpoint,
                at,
                reason,
            });
        }
    }
}
