//! The options of expectations, as enums.

use crate::named::named;

named! {
    /// How the `acr` claim is compared with the requested values ([OIDC Core 3.1.3.7], step 12).
    ///
    /// [OIDC Core 3.1.3.7]: https://openid.net/specs/openid-connect-core-1_0.html#rfc.section.3.1.3.7
    // REQ-IDT-24
    #[derive(Default)]
    pub enum AcrRule {
        /// If the claim is present, it must be one of them.
        #[default]
        IfPresent = "if_present",
        /// The claim must be present and one of them.
        Require = "require",
        /// If the claim is present, it must be one of them, and it must be absent if none was
        /// requested.
        RequestedOnly = "requested_only",
        /// The claim is reported but never a reason for rejection.
        Report = "report",
    }
}

/// Whether a claim is required.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Presence {
    /// The claim is checked if it is present.
    IfPresent,
    /// The claim must be present.
    Required,
}

named! {
    /// Whether a value of the ID Token is compared with the requested one.
    #[derive(Default)]
    pub enum Check {
        /// If it is present, it must match.
        #[default]
        IfPresent = "if_present",
        /// It must be present and match.
        Require = "require",
        /// It is not compared.
        Off = "off",
    }
}

/// How the value of a claim is compared.
///
/// A number or boolean is compared in its JSON form. An array or object never matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Matching {
    /// Equal, byte for byte.
    Equal,
    /// Equal, or the expected value followed by `:` and more. For example,
    /// `urn:grn:authn:no:bankid:high` refines `urn:grn:authn:no:bankid`.
    EqualOrRefined,
    /// Any number, boolean, or string that is not empty. There is nothing to compare.
    Any,
}

/// Whether a string equals the expected one, or continues it after a `:`.
pub(crate) fn is_or_refines(text: &str, expected: &str) -> bool {
    // The separator keeps `urn:example:id` from matching `urn:example:idx`.
    text.strip_prefix(expected).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}
