//! The judge's report, as text and as JSON.

use core::fmt;

use serde_json::{Value, json};

use crate::{
    findings::Unlisted,
    judge::{Severity, Violation},
    message::Endpoint,
};

/// What the provider's clients did, and which rules they broke.
///
/// [`Self::to_json`] is for scripts; `Display` gives the same as text.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// The findings, mistakes and advice, in order.
    pub violations: Vec<Violation>,
    /// The findings after these, which were only counted.
    pub unlisted: Vec<Unlisted>,
    /// The number of requests that each endpoint received, without the phone page and the report.
    pub requests: Vec<(Endpoint, usize)>,
    /// The number of transactions that were begun.
    pub transactions: usize,
    /// The number of transactions that ended with tokens issued.
    pub redeemed: usize,
}

impl Report {
    /// Returns whether no client made a mistake. There may be advice.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.count(Severity::Mistake) == 0
    }

    /// Iterates over the mistakes: what a specification forbids.
    pub fn mistakes(&self) -> impl Iterator<Item = &Violation> {
        self.of(Severity::Mistake)
    }

    /// Iterates over the advice: what is allowed but better done differently.
    pub fn advice(&self) -> impl Iterator<Item = &Violation> {
        self.of(Severity::Advice)
    }

    /// The number of findings, including those that are only counted.
    fn count(&self, severity: Severity) -> usize {
        self.of(severity).count() + self.unlisted_of(Some(severity))
    }

    fn unlisted_of(&self, severity: Option<Severity>) -> usize {
        let fits = |some: &&Unlisted| severity.is_none_or(|severity| some.severity == severity);
        self.unlisted.iter().filter(fits).map(|some| some.count).sum()
    }

    fn of(&self, severity: Severity) -> impl Iterator<Item = &Violation> {
        self.violations.iter().filter(move |violation| violation.severity == severity)
    }

    /// Returns the report as JSON: `clean` (whether there is no mistake), `mistakes` and `advice`
    /// (how many), `unlisted` (how many of them are only counted), `transactions`, `redeemed`,
    /// `requests` (the number for each endpoint), and `findings`, an array of objects with `severity`
    /// (`mistake` or `advice`), `client_id` (or null), `rule`, `clause`, `reason`, `endpoint`,
    /// `request` (its number) and `at` (RFC 3339).
    #[must_use]
    pub fn to_json(&self) -> Value {
        let finding = |violation: &Violation| {
            json!({
                "severity": violation.severity.name(),
                "client_id": violation.client_id,
                "rule": violation.rule.name(),
                "clause": violation.rule.clause(),
                "reason": violation.reason,
                "endpoint": violation.endpoint.name(),
                "request": violation.exchange.0,
                "at": violation.at.to_string(),
            })
        };
        let requests = self
            .requests
            .iter()
            .map(|(endpoint, count)| (endpoint.name().to_owned(), Value::from(*count)));
        json!({
            "clean": self.is_clean(),
            "mistakes": self.count(Severity::Mistake),
            "advice": self.count(Severity::Advice),
            "unlisted": self.unlisted_of(None),
            "transactions": self.transactions,
            "redeemed": self.redeemed,
            "requests": Value::Object(requests.collect()),
            "findings": self.violations.iter().map(finding).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "transactions: {}, redeemed: {}", self.transactions, self.redeemed)?;
        for (at, (endpoint, count)) in self.requests.iter().enumerate() {
            write!(
                f,
                "{}{} {}",
                if at == 0 { "; requests: " } else { ", " },
                endpoint.name(),
                count
            )?;
        }
        match self.count(Severity::Mistake) {
            0 => f.write_str("\nthe client broke no rule")?,
            1 => f.write_str("\nthe client broke a rule:")?,
            count => write!(f, "\nthe client broke {count} rules:")?,
        }
        for violation in self.mistakes() {
            write!(f, "\n  {violation}")?;
        }
        for violation in self.advice() {
            write!(f, "\n  advice, {violation}")?;
        }
        let unlisted = self.unlisted_of(None);
        if unlisted > 0 {
            write!(f, "\n  and {unlisted} more, which are not listed")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ciba_core::Timestamp;

    use super::*;
    use crate::{judge::Rule, message::ExchangeId};

    fn violation(rule: Rule) -> Violation {
        Violation {
            rule,
            severity: rule.usual_severity(),
            client_id: Some("app\u{1b}".to_owned()),
            exchange: ExchangeId(7),
            endpoint: Endpoint::Token,
            at: Timestamp::from_unix_millis(1_893_456_000_250),
            reason: "a reason".to_owned(),
        }
    }

    fn report(rules: &[Rule]) -> Report {
        let violations = rules.iter().copied().map(violation).collect();
        Report {
            violations,
            unlisted: vec![],
            requests: vec![(Endpoint::Token, 2)],
            transactions: 1,
            redeemed: 1,
        }
    }

    #[test]
    fn the_first_line_of_a_report_names_the_endpoints_that_were_called() {
        let first = |requests| {
            Report { requests, ..report(&[]) }.to_string().lines().next().map(str::to_owned)
        };
        let both = first(vec![(Endpoint::Discovery, 1), (Endpoint::Token, 2)]);
        assert_eq!(
            both.as_deref(),
            Some("transactions: 1, redeemed: 1; requests: discovery 1, token 2")
        );
        assert_eq!(first(vec![]).as_deref(), Some("transactions: 1, redeemed: 1"));
    }

    #[test]
    fn the_json_report_and_the_text_report_agree() {
        let of_both = report(&[Rule::TooEarly, Rule::RequestObjectStyle]);
        assert!(!of_both.is_clean());
        let finding = |severity, rule, clause| {
            json!({
                "severity": severity, "client_id": "app\u{1b}", "rule": rule, "clause": clause, "reason": "a reason",
                "endpoint": "token", "request": 7, "at": "2030-01-01T00:00:00.250Z",
            })
        };
        let expected = json!({
            "clean": false, "mistakes": 1, "advice": 1, "unlisted": 0, "transactions": 1, "redeemed": 1, "requests": { "token": 2 },
            "findings": [
                finding("mistake", "too-early", "CIBA 7.3"),
                finding("advice", "request-object-style", "RFC 9101 4, 10.8"),
            ],
        });
        assert_eq!(of_both.to_json(), expected);
        let text = of_both.to_string();
        assert!(
            text.contains("broke a rule:\n  request 7 (token, client \"app\\u{1b}\"): too-early"),
            "{text}"
        );
        assert!(text.contains("\n  advice, request 7"), "{text}");

        let advice = report(&[Rule::RequestObjectStyle]);
        assert!(
            advice.is_clean() && advice.to_string().contains("the client broke no rule\n  advice")
        );
    }

    #[test]
    fn every_rule_has_a_unique_name_and_a_clause() {
        let mut names: Vec<&str> = Rule::ALL.into_iter().map(Rule::name).collect();
        assert!(
            names
                .iter()
                .all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'))
        );
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Rule::ALL.len());
        let sources = ["CIBA ", "RFC ", "OpenID Connect Core ", "FAPI-CIBA "];
        for rule in Rule::ALL {
            let known = |part: &str| sources.iter().any(|source| part.starts_with(source));
            assert!(rule.clause().split("; ").all(known), "{}: {}", rule.name(), rule.clause());
        }
    }
}
