//! The claims of Idura's ID Tokens, as a type.

use alloc::string::String;
use core::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

macro_rules! claims {
    ($($(#[$doc:meta])* $field:ident = $name:literal;)*) => {
        /// The claims of an ID Token of Idura, for
        /// [`Authentication::claims`](crate::Authentication::claims).
        ///
        /// Which claims are present depends on the eID and on the settings of the application. A
        /// claim that is not a string counts as absent, so that an unused claim never causes an
        /// error. `Debug` shows no values.
        // REQ-IDT-30
        #[derive(Clone, Default, PartialEq, Eq, Deserialize)]
        #[serde(default)]
        #[non_exhaustive]
        pub struct IdTokenClaims {
            $(
                $(#[$doc])*
                #[serde(rename = $name, deserialize_with = "text")]
                pub $field: Option<String>,
            )*
        }
    };
}

claims! {
    /// The pairwise identifier of the person at this tenant, including the braces around it.
    sub = "sub";
    /// For example `sebankid`, `nobankid-oidc` or `sefrejaid`.
    identity_scheme = "identityscheme";
    /// The eID that was used: a value of `acr_values`, possibly refined, for example
    /// `urn:grn:authn:no:bankid:substantial`.
    authentication_type = "authenticationtype";
    /// A SAML authentication context class.
    authentication_method = "authenticationmethod";
    /// When the person was authenticated, in ISO 8601 format.
    authentication_instant = "authenticationinstant";
    /// The identifier of `sub` without dashes and braces.
    name_identifier = "nameidentifier";
    /// The id of the session at Idura.
    session_index = "sessionindex";
    /// The Swedish personal number, 12 digits.
    ssn = "ssn";
    /// The Norwegian national id, 11 digits. Requires the scope `ssn`.
    socialno = "socialno";
    /// The full name.
    name = "name";
    /// First names, under the name that OIDC defines.
    given_name = "given_name";
    /// First names, under an older name.
    given_name_legacy = "givenname";
    /// Last names, under the name that OIDC defines.
    family_name = "family_name";
    /// Last names, under an older name.
    surname_legacy = "surname";
    /// The date of birth.
    birthdate = "birthdate";
    /// The country of the eID.
    country = "country";
    /// The IP address of the person's device.
    ip_address = "ipaddress";
    /// Norwegian BankID: the permanent id of the person.
    unique_user_id = "uniqueuserid";
    /// Norwegian BankID: the issuer of the certificate.
    cert_issuer = "certissuer";
    /// Norwegian BankID: the subject of the certificate, absent with biometrics.
    cert_subject = "certsubject";
    /// FrejaID: the reference of the authentication.
    auth_ref = "authRef";
    /// FrejaID: how the person was registered.
    registration_level = "registrationLevel";
    /// FrejaID: the person's id at the relying party.
    relying_party_user_id = "relyingPartyUserId";
    /// FrejaID: the person's id at the integrator.
    integrator_specific_user_id = "integratorSpecificUserId";
    /// FrejaID: the age, as a string.
    age = "age";
    /// FrejaID: the e-mail address.
    email_address = "emailaddress";
    /// The telephone number.
    phone_number = "phone_number";
}

impl IdTokenClaims {
    /// Returns the first names under either name of the claim.
    #[must_use]
    pub fn first_names(&self) -> Option<&str> {
        self.given_name.as_deref().or(self.given_name_legacy.as_deref())
    }

    /// Returns the last names under either name of the claim.
    #[must_use]
    pub fn last_names(&self) -> Option<&str> {
        self.family_name.as_deref().or(self.surname_legacy.as_deref())
    }
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(Text)
}

/// Reads a string, and skips any other value.
struct Text;

impl<'de> Visitor<'de> for Text {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(text.into()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        // Read to its end, because a deserializer rejects a value that was left half read.
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

impl fmt::Debug for IdTokenClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdTokenClaims").finish_non_exhaustive()
    }
}
