//! The claims Idura's ID Tokens carry, typed.

use alloc::string::String;
use core::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

macro_rules! claims {
    ($($(#[$doc:meta])* $field:ident = $name:literal;)*) => {
        /// What an ID Token of Idura says, for
        /// [`Authentication::claims`](crate::Authentication::claims). Which claims there are
        /// depends on the eID and on the application's settings. A claim of another type than text
        /// counts as absent, so that reading never fails because of a claim nobody uses
        /// (REQ-IDT-30).
        ///
        /// `Debug` prints nothing of it.
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
    /// A lasting pseudonym of the person at this tenant; the braces around it belong to it.
    sub = "sub";
    /// `sebankid`, `nobankid-oidc`, `sefrejaid`, …
    identity_scheme = "identityscheme";
    /// The eID that was used, as in `acr_values`, perhaps refined:
    /// `urn:grn:authn:no:bankid:substantial`.
    authentication_type = "authenticationtype";
    /// A SAML authentication context class.
    authentication_method = "authenticationmethod";
    /// When the person was authenticated (ISO 8601).
    authentication_instant = "authenticationinstant";
    /// The pseudonym of `sub` without dashes and braces.
    name_identifier = "nameidentifier";
    /// The session at Idura.
    session_index = "sessionindex";
    /// The Swedish personal number, 12 digits.
    ssn = "ssn";
    /// The Norwegian national id, 11 digits; only with the scope `ssn`.
    socialno = "socialno";
    /// The whole name.
    name = "name";
    /// First names, in the spelling of OIDC.
    given_name = "given_name";
    /// First names, in the older spelling.
    given_name_legacy = "givenname";
    /// Last names, in the spelling of OIDC.
    family_name = "family_name";
    /// Last names, in the older spelling.
    surname_legacy = "surname";
    /// Date of birth.
    birthdate = "birthdate";
    /// The country of the eID.
    country = "country";
    /// The address the person's device was seen at.
    ip_address = "ipaddress";
    /// Norwegian BankID: the person's lasting id there.
    unique_user_id = "uniqueuserid";
    /// Norwegian BankID: the issuer of the certificate.
    cert_issuer = "certissuer";
    /// Norwegian BankID: the subject of the certificate; missing with biometrics.
    cert_subject = "certsubject";
    /// FrejaID: the reference of the authentication.
    auth_ref = "authRef";
    /// FrejaID: how the person was registered.
    registration_level = "registrationLevel";
    /// FrejaID: the person's id at the relying party.
    relying_party_user_id = "relyingPartyUserId";
    /// FrejaID: the person's id at the integrator.
    integrator_specific_user_id = "integratorSpecificUserId";
    /// FrejaID: the age, as text.
    age = "age";
    /// FrejaID: the e-mail address.
    email_address = "emailaddress";
    /// The telephone number.
    phone_number = "phone_number";
}

impl IdTokenClaims {
    /// First names, whichever way they are spelt.
    #[must_use]
    pub fn first_names(&self) -> Option<&str> {
        self.given_name.as_deref().or(self.given_name_legacy.as_deref())
    }

    /// Last names, whichever way they are spelt.
    #[must_use]
    pub fn last_names(&self) -> Option<&str> {
        self.family_name.as_deref().or(self.surname_legacy.as_deref())
    }
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(Text)
}

/// A text, or something else, which is skipped.
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
