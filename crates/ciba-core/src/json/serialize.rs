//! JSON that was received, written by a serializer of the caller's choice.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap as _, SerializeSeq as _},
};

use super::{JsonObject, Raw};

/// Serializes as an object. Integers that fit into 64 bits stay what they are, other numbers become
/// an `f64`, and a number or a string that Rust cannot hold (out of range, half of a surrogate
/// pair) becomes a string of its JSON text. [`JsonObject::as_json`] is the text as received.
impl Serialize for JsonObject {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Raw(self.as_json()).serialize(to)
    }
}

/// Recursive: the nesting was bounded when the text was read.
impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if let Some(members) = self.members() {
            let mut map = to.serialize_map(None)?;
            for (name, value) in members {
                map.serialize_entry(&*name, &value)?;
            }
            return map.end();
        }
        if let Some(items) = self.items() {
            let mut list = to.serialize_seq(None)?;
            for item in items {
                list.serialize_element(&item)?;
            }
            return list.end();
        }
        if let Some(number) = self.number() {
            // "-0" is no integer: it would lose its sign.
            return match (number.parse::<u64>(), number.parse::<i64>(), number.parse::<f64>()) {
                (Ok(number), ..) => to.serialize_u64(number),
                (_, Ok(number), _) if number != 0 => to.serialize_i64(number),
                (.., Ok(number)) if number.is_finite() => to.serialize_f64(number),
                _ => to.serialize_str(number),
            };
        }
        match (self.boolean(), self.is_null()) {
            (Some(boolean), _) => to.serialize_bool(boolean),
            (None, true) => to.serialize_unit(),
            (None, false) => match self.text() {
                Some(text) => to.serialize_str(&text),
                // A lone surrogate. Its escape is kept as text.
                None => to.serialize_str(self.json().trim_matches('"')),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn received_json_is_serialized_with_the_same_meaning() {
        let table = [
            ("{}", "{}"),
            (
                r#"{"b":[1,-2,{"a":null,"$serde_json::private::Number":"1"}],"a":true,"t":"\u00e9\n"}"#,
                r#"{"b":[1,-2,{"a":null,"$serde_json::private::Number":"1"}],"a":true,"t":"é\n"}"#,
            ),
            (
                r#"{"n":[18446744073709551615,-9223372036854775808,-0,0.5,1e2,18446744073709551616]}"#,
                r#"{"n":[18446744073709551615,-9223372036854775808,-0.0,0.5,100.0,1.8446744073709552e+19]}"#,
            ),
            (r#"{"n":1e999,"t":"\ud800"}"#, r#"{"n":"1e999","t":"\\ud800"}"#),
        ];
        for (received, expected) in table {
            let object = JsonObject::from_json(received).unwrap();
            assert_eq!(serde_json::to_string(&object).unwrap(), expected);
        }
    }
}
