//! The rules of a provider for binding messages.
// DV-28

use core::fmt;

use crate::named::named;

/// The rule of a provider for `binding_message`, which is checked before anything is sent.
///
/// A message is never truncated or cleaned up: a person compares it on two devices, so only its
/// author may change it.
///
/// # Examples
/// ```
/// use ciba_core::config::BindingMessageRule;
///
/// const KEYCLOAK: BindingMessageRule = BindingMessageRule::ANY.at_most(50).only("-._+/!?#");
/// # let _ = KEYCLOAK;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use]
pub struct BindingMessageRule {
    presence: MessageRule,
    /// The maximum length in characters.
    longest: Option<usize>,
    /// The allowed characters in addition to ASCII letters and digits; `None` allows all.
    only: Option<&'static str>,
    without: &'static str,
}

impl BindingMessageRule {
    /// Any message without control characters, or none. This is the rule of [CIBA Core 7.1] and the
    /// default.
    ///
    /// [CIBA Core 7.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.1
    pub const ANY: Self =
        Self { presence: MessageRule::Free, longest: None, only: None, without: "" };

    /// Requires a message.
    pub const fn required(mut self) -> Self {
        self.presence = MessageRule::Required;
        self
    }

    /// Rejects any message.
    pub const fn refused(mut self) -> Self {
        self.presence = MessageRule::Refused;
        self
    }

    /// Sets the maximum length in characters (Unicode scalar values).
    pub const fn at_most(mut self, characters: usize) -> Self {
        self.longest = Some(characters);
        self
    }

    /// Allows only ASCII letters, digits and the given characters.
    pub const fn only(mut self, characters: &'static str) -> Self {
        self.only = Some(characters);
        self
    }

    /// Rejects the given characters.
    pub const fn without(mut self, characters: &'static str) -> Self {
        self.without = characters;
        self
    }

    /// Returns what is wrong with a message. An empty message counts as absent.
    pub(crate) fn against(&self, message: Option<&str>) -> Option<&'static str> {
        let Some(message) = message else {
            return (self.presence == MessageRule::Required).then_some("the provider requires one");
        };
        let is_listed =
            |c: char| self.only.is_none_or(|only| c.is_ascii_alphanumeric() || only.contains(c));
        if self.presence == MessageRule::Refused {
            return Some("the provider accepts none");
        }
        if self.longest.is_some_and(|longest| message.chars().count() > longest) {
            return Some("it is longer than the provider accepts");
        }
        let fits = |c: char| is_listed(c) && !self.without.contains(c);
        (!message.chars().all(fits))
            .then_some("it has a character that the provider does not accept")
    }
}

impl fmt::Display for BindingMessageRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.presence {
            MessageRule::Free => "is optional",
            MessageRule::Required => "is required",
            MessageRule::Refused => "is not accepted",
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

named! {
    /// Whether a request may have a binding message.
    #[derive(Default)]
    pub(crate) enum MessageRule {
        #[default]
        Free = "free",
        Required = "required",
        Refused = "refused",
    }
}

#[cfg(test)]
mod tests {
    use super::BindingMessageRule;

    #[test]
    fn a_binding_message_outside_the_rules_of_the_provider_is_refused() {
        const RULE: BindingMessageRule = BindingMessageRule::ANY;
        for (rule, taken, refused) in [
            (RULE, [None, Some("Överföring 12:30 <b>")].as_slice(), [].as_slice()),
            (RULE.required(), &[Some("x")], &[None]),
            (RULE.refused(), &[None], &[Some("x")]),
            // The length is counted in characters, not bytes.
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
