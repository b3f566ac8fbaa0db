//! The findings of the judge. Only the first ones are kept and the rest is counted, so that no client
//! can fill the memory.

use std::collections::BTreeMap;

use crate::judge::{Severity, Violation};

/// The number of findings that are kept.
const MOST: usize = 10_000;
/// The number of clients that are counted by name once no more findings are kept. An unauthenticated
/// caller may send any client id.
const MOST_CLIENTS: usize = 1_000;
/// The longest client id that is kept, in bytes.
const LONGEST_ID: usize = 256;

/// Findings that were counted but not kept, because there were too many.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unlisted {
    /// The client, as in [`Violation::client_id`].
    pub client_id: Option<String>,
    /// How severe they are.
    pub severity: Severity,
    /// Their number.
    pub count: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) kept: Vec<Violation>,
    unlisted: BTreeMap<(Option<String>, Severity), usize>,
}

impl Findings {
    pub(crate) fn push(&mut self, mut violation: Violation) {
        if let Some(id) = violation.client_id.as_mut().filter(|id| id.len() > LONGEST_ID) {
            let end = (0..=LONGEST_ID).rev().find(|at| id.is_char_boundary(*at));
            id.truncate(end.unwrap_or_default());
        }
        if self.kept.len() < MOST {
            return self.kept.push(violation);
        }
        let mut key = (violation.client_id, violation.severity);
        if self.unlisted.len() >= MOST_CLIENTS && !self.unlisted.contains_key(&key) {
            key.0 = None;
        }
        *self.unlisted.entry(key).or_default() += 1;
    }

    pub(crate) fn unlisted(&self) -> Vec<Unlisted> {
        let one = |((client_id, severity), count): (&(Option<String>, Severity), &usize)| {
            Unlisted { client_id: client_id.clone(), severity: *severity, count: *count }
        };
        self.unlisted.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use ciba_core::Timestamp;

    use super::*;
    use crate::{
        judge::Rule,
        message::{Endpoint, ExchangeId},
    };

    #[test]
    fn findings_past_the_limit_are_counted_and_not_kept() {
        let mut findings = Findings::default();
        let finding = |client_id: String| Violation {
            rule: Rule::TooEarly,
            severity: Severity::Mistake,
            client_id: Some(client_id),
            exchange: ExchangeId(1),
            endpoint: Endpoint::Token,
            at: Timestamp::EPOCH,
            reason: String::new(),
        };
        for _ in 0..MOST {
            findings.push(finding("app".into()));
        }
        assert!(findings.unlisted().is_empty());
        for _ in 0..3 {
            findings.push(finding("app".into()));
        }
        for number in 0..2 * MOST_CLIENTS {
            findings.push(finding(format!("{number}{}", "\u{e9}".repeat(LONGEST_ID))));
        }
        assert_eq!(findings.kept.len(), MOST);
        let unlisted = findings.unlisted();
        assert!(unlisted.len() <= MOST_CLIENTS + 1, "{}", unlisted.len());
        assert_eq!(unlisted.iter().map(|some| some.count).sum::<usize>(), 3 + 2 * MOST_CLIENTS);
        assert!(
            unlisted.iter().any(|some| some.client_id.as_deref() == Some("app") && some.count == 3)
        );
        assert!(unlisted.iter().flat_map(|some| &some.client_id).all(|id| id.len() <= LONGEST_ID));
    }
}
