//! Faults in a snapshot.

use alloc::{collections::BTreeMap, string::String};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap as _};

use crate::fault::Fault;

/// A fault as its name, or as `{"name": "member"}` if it is about a member.
// The JSON of a `Failure` has name and member side by side instead, so `Fault` itself cannot
// serialize like this.
#[derive(Deserialize)]
#[serde(try_from = "Stored")]
pub(crate) struct SavedFault(pub(crate) Fault);

#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Name(String),
    OfMember(BTreeMap<String, String>),
}

impl TryFrom<Stored> for SavedFault {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let fault = match &stored {
            Stored::Name(name) => Fault::from_name(name, None),
            Stored::OfMember(map) if map.len() == 1 => {
                map.iter().next().and_then(|(name, member)| Fault::from_name(name, Some(member)))
            }
            Stored::OfMember(_) => None,
        };
        fault.map(Self).ok_or("unknown fault")
    }
}

impl Serialize for SavedFault {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Some(member) = self.0.member() else { return self.0.serialize(to) };
        let mut map = to.serialize_map(Some(1))?;
        map.serialize_entry(self.0.name(), member)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, SavedFault};

    #[test]
    fn a_fault_is_saved_as_a_name_or_with_its_member() {
        for (fault, json) in [
            (Fault::NotJson, r#""not_json""#),
            (Fault::AnotherMode, r#""another_mode""#),
            (Fault::MissingMember("interval"), r#"{"missing_member":"interval"}"#),
            (Fault::WrongType("scope"), r#"{"wrong_type":"scope"}"#),
            (Fault::BadMember("error"), r#"{"bad_member":"error"}"#),
        ] {
            assert_eq!(serde_json::to_string(&SavedFault(fault)).unwrap(), json);
            assert_eq!(serde_json::from_str::<SavedFault>(json).unwrap().0, fault);
        }
        let later = serde_json::from_str::<SavedFault>(r#"{"bad_member":"new"}"#).unwrap();
        assert_eq!(later.0, Fault::BadMember("a member"));
        for json in [
            r#""bad_member""#,
            r#""else""#,
            "{}",
            r#"{"not_json":"scope"}"#,
            r#"{"bad_member":"scope","wrong_type":"scope"}"#,
        ] {
            assert!(serde_json::from_str::<SavedFault>(json).is_err(), "{json}");
        }
    }
}
