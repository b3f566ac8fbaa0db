//! What the endpoints share: parameters, refusals and answers.

use ciba_core::http::{Headers, Response};
use serde_json::{Value, json};

use crate::{form, judge::Rule, message::Incoming};

/// The parameters of a form: each name once, without empty values (OP-15).
#[derive(Debug, Clone, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Parses the form of a POST request (OP-14, OP-15).
    pub(super) fn read(request: &Incoming) -> Result<Self, Refusal> {
        if request.method != "POST" {
            return Err(Refusal::method("POST"));
        }
        let media_type = request.headers.get("content-type").unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Refusal::bad(Rule::MediaType, "the body is not a form"));
        }
        // The judge has already noted the query; it is not read as protocol parameters.
        if request.query.is_some() {
            return Err(Refusal::error(400, "invalid_request", "parameters must be in the body"));
        }
        let all = form::parse(request.body.expose())
            .map_err(|_| Refusal::bad(Rule::MalformedForm, "the form cannot be decoded"))?;
        let mut names: Vec<&String> =
            all.iter().map(|(name, _)| name).filter(|name| *name != "resource").collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Refusal::bad(Rule::DuplicateParameter, "a parameter occurs twice"));
        }
        Ok(Self(all.into_iter().filter(|(_, value)| !value.is_empty()).collect()))
    }

    /// Creates parameters that do not come from a form.
    pub(super) fn new(parameters: Vec<(String, String)>) -> Self {
        Self(parameters.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

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

/// A JSON answer that must not be cached (OP-31, OP-50).
pub(super) fn answer(status: u16, body: &Value) -> Response {
    let headers: Headers =
        [("content-type", "application/json"), ("cache-control", "no-store")].into_iter().collect();
    Response::new(status, headers, body.to_string())
}
