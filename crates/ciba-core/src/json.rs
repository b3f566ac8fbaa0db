//! JSON objects of the protocol: UTF-8, one object and nothing behind it, no member name twice (rulings 6 and 7).

use alloc::{string::String, vec::Vec};
use core::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value, value::RawValue};
use zeroize::Zeroize as _;

use crate::error::Fault;

/// Members of a JSON object that the protocol does not define, as received, in order. `Debug` shows the names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Members(Vec<(String, Value)>);

impl Members {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One member.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Takes one out; JSON `null` counts as absent (ruling 15).
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1).filter(|value| !value.is_null())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl IntoIterator for Members {
    type Item = (String, Value);
    type IntoIter = alloc::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<(String, Value)> for Members {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(members: I) -> Self {
        Self(members.into_iter().collect())
    }
}

/// The deepest nesting that is read: deeper documents are refused before anything recursive sees them (REQ-SEC-24).
const DEEPEST: usize = 64;

/// Overwrites every text in a value. The recursion is bounded because nesting was counted when it was read.
pub(crate) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A protocol object while its members are being taken out. Those nobody took are wiped on drop: they may be tokens or the
/// numbers of a private key (REQ-SEC-04).
#[derive(Debug)]
pub(crate) struct Object {
    members: Members,
    /// The names of those that are numbers out of range and so kept as text.
    out_of_range: Vec<String>,
}

impl Object {
    /// Reads one object: [`Fault::NotJson`] or [`Fault::DuplicateMember`] otherwise.
    ///
    /// A number no 64-bit number can hold is kept as a string of the same characters, so that it is never taken for a
    /// usable one and does not make the rest of the document unreadable.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let mut object = Self { members: Members::default(), out_of_range: Vec::new() };
        for (name, raw) in raw_members(bytes)? {
            let value = value(raw.get()).ok_or(Fault::NotJson)?;
            if value.is_string() && !raw.get().starts_with('"') {
                object.out_of_range.push(name.clone());
            }
            object.members.0.push((name, value));
        }
        Ok(object)
    }

    /// Takes a member out; JSON `null` counts as absent (ruling 15).
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.members.take(name)
    }

    /// A member, which stays.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// Whether a member is there and `null`.
    pub(crate) fn is_null(&self, name: &str) -> bool {
        self.members.get(name).is_some_and(Value::is_null)
    }

    /// Takes a text out: [`Fault::BadMember`] when it is of another type.
    pub(crate) fn take_text(&mut self, name: &'static str) -> Result<Option<String>, Fault> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) if !self.out_of_range.iter().any(|number| number == name) => Ok(Some(text)),
            Some(_) => Err(Fault::BadMember(name)),
        }
    }

    /// What nobody took.
    pub(crate) fn rest(mut self) -> Members {
        core::mem::take(&mut self.members)
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        self.members.0.iter_mut().for_each(|(_, value)| wipe(value));
    }
}

/// The members of one object, their values still as text. Whoever needs duplicates refused further inside calls this
/// again, or [`Object::parse`], with a value's text.
pub(crate) fn raw_members(bytes: &[u8]) -> Result<Vec<(String, &RawValue)>, Fault> {
    let text = core::str::from_utf8(bytes).map_err(|_| Fault::NotJson)?;
    if nests_too_deeply(text) {
        return Err(Fault::NotJson);
    }
    let RawMembers(members) = serde_json::from_str(text).map_err(|_| Fault::NotJson)?;
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).any(|pair| pair.first() == pair.last()) {
        true => Err(Fault::DuplicateMember),
        false => Ok(members),
    }
}

/// The items of an array, still as text; `None` when it is none. The text comes from [`raw_members`].
pub(crate) fn raw_items(array: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(array.get()).ok()
}

struct RawMembers<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for RawMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = RawMembers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(RawMembers(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// Counts brackets outside strings; whether they match is for the parser to find out.
fn nests_too_deeply(text: &str) -> bool {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_string = !in_string,
            // What a backslash escapes ends no string.
            b'\\' if in_string => drop(bytes.next()),
            b'[' | b'{' if !in_string => depth = depth.saturating_add(1),
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return true;
        }
    }
    false
}

/// One value. `serde_json` refuses one with a number out of range anywhere inside, which is then read piece by piece.
fn value(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().or_else(|| piecewise(text))
}

/// The recursion is bounded because nesting was counted before.
fn piecewise(text: &str) -> Option<Value> {
    match text.as_bytes().first()? {
        b'{' => {
            let RawMembers(members) = serde_json::from_str(text).ok()?;
            let member = |(name, raw): (String, &RawValue)| Some((name, piecewise(raw.get())?));
            members.into_iter().map(member).collect::<Option<_>>().map(Value::Object)
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            items.into_iter().map(|raw| piecewise(raw.get())).collect::<Option<_>>().map(Value::Array)
        }
        // The text is a number, for it was read as one value before.
        b'-' | b'0'..=b'9' => Some(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.into()))),
        _ => serde_json::from_str(text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString as _};

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn fault(text: &str) -> Option<Fault> {
        Object::parse(text.as_bytes()).err()
    }

    /// REQ-SEC-24
    /// REQ-SEC-11
    #[test]
    fn only_one_whole_utf_8_object_is_read() {
        for text in [
            "",
            " ",
            "[]",
            "null",
            "true",
            "\"x\"",
            "17",
            "<html>",
            "{",
            "{\"a\":1",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":1} x",
            "{\"a\":1}{}",
            "{\"a\":1}\0",
            "\u{feff}{\"a\":1}",
            "{\"a\":NaN}",
            "{\"a\":01}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\\udc00\\ud800\"}",
            "{\"a\":[\"\\ud800x\"]}",
            "{\"\\ud800\":1}",
            "{\"a\":\"\n\"}",
            "{/**/}",
        ] {
            assert_eq!(fault(text), Some(Fault::NotJson), "{text}");
        }
        let utf_16: Vec<u8> = "{\"a\":1}".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [&utf_16[..], b"{\"a\":\"\xff\"}", b"\xef\xbb\xbf{}", b"{\"a\":\"\xed\xa0\x80\"}"] {
            assert_eq!(Object::parse(bytes).err(), Some(Fault::NotJson));
        }
        assert_eq!(fault(" {\"a\" : \"\\ud83d\\ude00 å\"}\r\n"), None);
    }

    /// REQ-SEC-24
    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(fault(&nested(DEEPEST - 1)), None);
        assert_eq!(fault(&nested(DEEPEST)), Some(Fault::NotJson));
        assert_eq!(fault(&nested(10_000)), Some(Fault::NotJson));
        assert_eq!(fault(&"{\"a\":".repeat(10_000)), Some(Fault::NotJson));
        assert_eq!(fault(&format!("{{\"a\":\"\\\"{}\"}}", "[".repeat(10_000))), None);
        assert_eq!(fault(&format!("{{\"a\":[{}]}}", "[],".repeat(1000) + "{}")), None);
    }

    /// REQ-ACK-22
    /// REQ-SEC-24
    #[test]
    fn a_member_name_occurs_once_however_it_is_spelled() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"\u0061":1}"#,
            r#"{"unknown":null,"b":2,"unknown":null}"#,
            r#"{"":1,"":2}"#,
        ] {
            assert_eq!(fault(text), Some(Fault::DuplicateMember), "{text}");
        }
        assert_eq!(fault(r#"{"a":{"x":1,"x":2},"A":1}"#), None);
        let many: String = (0..100_000).map(|n| format!("\"{n}\":1,")).collect();
        assert_eq!(fault(&format!("{{{many}\"x\":1}}")), None);
    }

    /// REQ-SEC-24
    #[test]
    fn numbers_out_of_range_stay_text_and_spoil_nothing() {
        let mut object =
            Object::parse(br#"{"a":1e400,"b":[1,{"c":-1e999,"d":1}],"e":123456789012345678901234567890,"f":"x"}"#)
                .unwrap();
        assert_eq!(object.take("a"), Some(json!("1e400")));
        assert_eq!(object.take("b"), Some(json!([1, {"c": "-1e999", "d": 1}])));
        assert!(object.take("e").unwrap().is_f64());
        assert_eq!(object.take("f"), Some(json!("x")));
    }

    /// REQ-TOK-10
    /// REQ-ACK-18
    #[test]
    fn null_counts_as_absent_and_the_rest_is_kept_in_order() {
        let mut object = Object::parse(br#"{"z":null,"b":null,"a":[1],"c":"t"}"#).unwrap();
        assert_eq!(object.take("b"), None);
        assert_eq!(object.take("missing"), None);
        assert_eq!(object.take_text("c"), Ok(Some("t".to_string())));
        assert_eq!(object.take_text("b"), Ok(None));
        let rest = object.rest();
        assert_eq!(rest.iter().collect::<Vec<_>>(), [("z", &json!(null)), ("a", &json!([1]))]);
        assert_eq!(format!("{rest:?}"), r#"["z", "a"]"#);
        assert_eq!(Object::parse(br#"{"c":1}"#).unwrap().take_text("c"), Err(Fault::BadMember("c")));
    }

    /// REQ-SEC-04
    #[test]
    fn wiping_reaches_every_text_of_a_value() {
        let mut value = json!({"a": "one", "b": ["two", {"c": "three", "d": 1, "e": null}]});
        wipe(&mut value);
        assert_eq!(value, json!({"a": "", "b": ["", {"c": "", "d": 1, "e": null}]}));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// REQ-SEC-24
        #[test]
        fn an_object_is_read_as_the_json_library_reads_it(members in prop::collection::btree_map(".*", any_json(), 0..6)) {
            let text = Value::Object(members.into_iter().collect()).to_string();
            let ours = Object::parse(text.as_bytes()).unwrap().rest();
            let read: Value = ours.iter().map(|(name, value)| (String::from(name), value.clone())).collect();
            prop_assert_eq!(read, serde_json::from_str::<Value>(&text).unwrap());
        }

        /// REQ-SEC-24
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, text in r#"[\[\]{}",:0-9eE\\u+.-]{0,40}"#) {
            let _ = Object::parse(&bytes);
            let _ = Object::parse(text.as_bytes());
            let _ = Object::parse(format!("{{\"a\":{text}}}").as_bytes());
        }
    }
}
