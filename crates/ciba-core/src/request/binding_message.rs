//! What a provider takes as binding message (DV-28).

use core::fmt;

use super::MessageRule;

/// What a provider takes as `binding_message`, checked before anything is sent. Nothing is cut or
/// cleaned up: a person compares the message on two devices, so only its author may change it.
///
/// ```
/// use ciba_core::BindingMessageRule;
///
/// const KEYCLOAK: BindingMessageRule = BindingMessageRule::ANY.at_most(50).only("-._+/!?#");
/// # let _ = KEYCLOAK;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use]
pub struct BindingMessageRule {
    presence: MessageRule,
    /// In characters.
    longest: Option<usize>,
    /// Beside ASCII letters and digits; `None` where all characters are taken.
    only: Option<&'static str>,
    without: &'static str,
}

impl BindingMessageRule {
    /// Any message without control characters, or none: the rule of CIBA 7.1, and the default.
    pub const ANY: Self =
        Self { presence: MessageRule::Free, longest: None, only: None, without: "" };

    /// There has to be one.
    pub const fn required(mut self) -> Self {
        self.presence = MessageRule::Required;
        self
    }

    /// There must be none.
    pub const fn refused(mut self) -> Self {
        self.presence = MessageRule::Refused;
        self
    }

    /// It has at most so many characters (Unicode scalar values).
    pub const fn at_most(mut self, characters: usize) -> Self {
        self.longest = Some(characters);
        self
    }

    /// It has ASCII letters and digits and these characters, and no others.
    pub const fn only(mut self, characters: &'static str) -> Self {
        self.only = Some(characters);
        self
    }

    /// It has none of these characters.
    pub const fn without(mut self, characters: &'static str) -> Self {
        self.without = characters;
        self
    }

    /// What speaks against a message. An empty one is none.
    pub(super) fn against(&self, message: Option<&str>) -> Option<&'static str> {
        let Some(message) = message else {
            return (self.presence == MessageRule::Required)
                .then_some("the provider takes no request without one");
        };
        let is_listed =
            |c: char| self.only.is_none_or(|only| c.is_ascii_alphanumeric() || only.contains(c));
        if self.presence == MessageRule::Refused {
            return Some("the provider takes no request with one");
        }
        if self.longest.is_some_and(|longest| message.chars().count() > longest) {
            return Some("it is longer than the provider takes");
        }
        let fits = |c: char| is_listed(c) && !self.without.contains(c);
        (!message.chars().all(fits)).then_some("it has a character that the provider does not take")
    }
}

impl fmt::Display for BindingMessageRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.presence {
            MessageRule::Free => "may be there",
            MessageRule::Required => "has to be there",
            MessageRule::Refused => "must not be there",
        })?;
        if let Some(longest) = self.longest {
            write!(f, ", at most {longest} characters")?;
        }
        if let Some(only) = self.only {
            write!(f, ", only letters, digits and `{only}`")?;
        }
        if !self.without.is_empty() {
            write!(f, ", without `{}`", self.without)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::BindingMessageRule;

    #[test]
    fn a_message_is_what_the_provider_takes_or_is_not_sent() {
        const RULE: BindingMessageRule = BindingMessageRule::ANY;
        for (rule, taken, refused) in [
            (RULE, [None, Some("Överföring 12:30 <b>")].as_slice(), [].as_slice()),
            (RULE.required(), &[Some("x")], &[None]),
            (RULE.refused(), &[None], &[Some("x")]),
            // Characters are counted, not bytes.
            (RULE.at_most(3), &[None, Some("åäö")], &[Some("abcd")]),
            (RULE.only("-#"), &[Some("Ab-9#")], &[Some("a b"), Some("å"), Some("a.b")]),
            (RULE.only(" "), &[Some("a b")], &[Some("a\u{a0}b")]),
            (RULE.without("<>"), &[Some("a b")], &[Some("a<b"), Some(">")]),
            (RULE.required().at_most(2).only("."), &[Some("a.")], &[None, Some("a.b"), Some("a,")]),
        ] {
            for message in taken {
                assert_eq!(rule.against(*message), None, "{rule:?} {message:?}");
            }
            for message in refused {
                assert!(rule.against(*message).is_some(), "{rule:?} {message:?}");
            }
        }
    }
}
