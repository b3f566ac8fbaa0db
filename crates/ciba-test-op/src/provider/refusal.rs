//! The OAuth error that refuses a request.

use ciba_core::http::Response;
use serde_json::json;

use super::json_answer::answer;
use crate::judge::Rule;

/// An OAuth error, and the rule that the client broke, if any.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) rule: Option<Rule>,
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) reason: String,
    /// An additional header field.
    field: Option<(&'static str, &'static str)>,
}

impl Refusal {
    /// The method is not this one.
    pub(super) fn method(taken: &'static str) -> Self {
        let refusal =
            Self::new(Rule::Method, 405, "invalid_request", "the method is not supported here");
        Self { field: Some(("allow", taken)), ..refusal }
    }

    /// The client broke a rule.
    pub(super) fn new(rule: Rule, status: u16, code: &'static str, reason: &str) -> Self {
        Self { rule: Some(rule), status, code, reason: reason.to_owned(), field: None }
    }

    /// The client broke a rule, which leads to `invalid_request`.
    pub(super) fn bad(rule: Rule, reason: &str) -> Self {
        Self::new(rule, 400, "invalid_request", reason)
    }

    /// The client broke a rule, which leads to `invalid_client`.
    pub(super) fn client(rule: Rule, reason: &str) -> Self {
        Self::new(rule, 401, "invalid_client", reason)
    }

    /// A request for a resource without a token: its challenge has no error (RFC 6750 3.1).
    pub(super) fn no_token(rule: Rule, reason: &str) -> Self {
        let field = Some(("www-authenticate", "Bearer realm=\"test provider\""));
        Self { field, ..Self::new(rule, 401, "invalid_token", reason) }
    }

    /// An error that breaks no rule.
    pub(super) fn error(status: u16, code: &'static str, reason: &str) -> Self {
        Self { rule: None, status, code, reason: reason.to_owned(), field: None }
    }

    pub(super) fn response(&self) -> Response {
        let mut response =
            answer(self.status, &json!({ "error": self.code, "error_description": self.reason }));
        // Every 401 needs a challenge, with or without an `Authorization` field in the request (RFC
        // 9110 section 15.5.2).
        let challenge = match self.code {
            "invalid_token" => "Bearer realm=\"test provider\", error=\"invalid_token\"",
            _ => "Basic realm=\"test provider\"",
        };
        let challenge = (self.status == 401).then_some(("www-authenticate", challenge));
        if let Some((name, value)) = self.field.or(challenge) {
            response.headers.push(name, value);
        }
        response
    }
}
