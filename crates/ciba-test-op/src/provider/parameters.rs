//! The parameters of a request.

use super::refusal::Refusal;
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
