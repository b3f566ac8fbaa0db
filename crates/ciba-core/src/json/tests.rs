use alloc::{
    borrow::ToOwned as _,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::fault::Fault;

fn fault(text: &str) -> Option<Fault> {
    Object::parse(text.as_bytes()).err()
}

/// REQ-SEC-24a
/// REQ-SEC-11
#[test]
fn only_exactly_one_utf_8_object_is_accepted() {
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
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,}",
        "{,\"a\":1}",
        "{\"a\" 1}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1} x",
        "{\"a\":1}{}",
        "{\"a\":1}\0",
        "\u{feff}{\"a\":1}",
        "{\"a\":NaN}",
        "{\"a\":nul}",
        "{\"a\":True}",
        "{\"a\":01}",
        "{\"a\":-}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":5.}",
        "{\"a\":1e}",
        "{\"a\":1e+}",
        "{\"a\":0x1}",
        "{\"a\":[1,]}",
        "{\"a\":[,1]}",
        "{\"a\":[1 2]}",
        "{\"a\":[1}}",
        "{\"a\":{]}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"\\u+123\"}",
        "{\"a\":\"\\\"}",
        "{\"\\ud800\":1}",
        "{\"a\":{\"\\udc00\":1}}",
        "{\"a\":\"\n\"}",
        "{\"a\u{1}\":1}",
        "{/**/}",
        "{\"a\":\u{a0}1}",
    ] {
        assert_eq!(fault(text), Some(Fault::NotJson), "{text}");
    }
    let utf_16: Vec<u8> = "{\"a\":1}".encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [&utf_16[..], b"{\"a\":\"\xff\"}", b"\xef\xbb\xbf{}", b"{\"a\":\"\xed\xa0\x80\"}"]
    {
        assert_eq!(Object::parse(bytes).err(), Some(Fault::NotJson));
    }
    for text in [
        " {\"a\" : \"\\ud83d\\ude00 å\"}\r\n",
        "{}",
        "\t{ }",
        "{\"\":-0.0e-0}",
        "{\"a\":[ ],\"b\":{ }}",
    ] {
        assert_eq!(fault(text), None, "{text}");
    }
}

/// REQ-SEC-24a
#[test]
fn the_nesting_depth_is_bounded() {
    let most = usize::try_from(scan::DEEPEST).unwrap();
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let full =
        |depth: usize| format!("{{\"a\":{}1{}}}", "{\"a\":[".repeat(depth), "]}".repeat(depth));
    for text in
        [nested(most - 1), full(most / 2 - 1), format!("{{\"a\":\"\\\"{}\"}}", "[".repeat(10_000))]
    {
        assert_eq!(fault(&text), None);
        assert_eq!(JsonObject::from_json(&text).unwrap().as_json(), text);
    }
    for text in
        [nested(most), nested(10_000), full(most / 2), "{\"a\":".repeat(10_000), "[".repeat(10_000)]
    {
        assert_eq!(fault(&text), Some(Fault::NotJson));
    }
    assert_eq!(fault(&format!("{{\"a\":[{}]}}", "[],".repeat(1000) + "{}")), None);
}

/// REQ-ACK-22
/// REQ-SEC-24a
#[test]
fn a_repeated_member_name_is_refused_even_if_escaped_differently() {
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"b":2,"\u0061":1}"#,
        r#"{"😀":1,"b":2,"\uD83D\ude00":1}"#,
        r#"{"unknown":null,"b":2,"unknown":null}"#,
        r#"{"":1,"":2}"#,
        r#"{"$serde_json::private::RawValue":1,"$serde_json::private::RawValue":"1"}"#,
        r#"{"$serde_json::private::Number":"1","\u0024serde_json::private::Number":1}"#,
    ] {
        assert_eq!(fault(text), Some(Fault::DuplicateMember), "{text}");
    }
    assert_eq!(fault(r#"{"a":{"x":1,"x":2},"A":1}"#), None);
    let many: String = (0..100_000).map(|n| format!("\"{n}\":1,")).collect();
    assert_eq!(fault(&format!("{{{many}\"x\":1}}")), None);
}

/// REQ-SEC-24b
/// REQ-TOK-09
#[test]
fn an_unreadable_value_stays_raw_text_and_does_not_affect_others() {
    let text = r#"{"a":1e400,"b":[1,{"c":-1e999,"d":1}],"e":123456789012345678901234567890,"f":"\ud83d","g":"x"}"#;
    let mut object = Object::parse(text.as_bytes()).unwrap();
    assert_eq!(object.take_text("f"), Err(Fault::WrongType("f")));
    assert_eq!(object.take_text("g"), Ok(Some("x".to_string())));
    let rest = object.rest();
    let expected = r#"{"a":1e400,"b":[1,{"c":-1e999,"d":1}],"e":123456789012345678901234567890}"#;
    assert_eq!(rest.as_json(), expected);
    assert_eq!(rest.json("b"), Some(r#"[1,{"c":-1e999,"d":1}]"#));
    assert!(rest.get::<f64>("a").is_err() || rest.get::<f64>("a") == Ok(Some(f64::INFINITY)));
}

/// REQ-TOK-10
/// REQ-ACK-18
#[test]
fn null_counts_as_absent_and_the_rest_is_kept_in_order() {
    let mut object =
        Object::parse(br#"{"z":null,"b":null, "a" : [1, " \" "] ,"c":"t","\u0064":{ "x" : 1 }}"#)
            .unwrap();
    assert!(object.take("b").is_none());
    assert!(object.take("missing").is_none());
    assert_eq!(object.take_text("c"), Ok(Some("t".to_string())));
    assert_eq!(object.take_text("b"), Ok(None));
    assert!(object.is_null("z") && object.get("a").is_some());
    let rest = object.rest();
    let members: Vec<_> = rest.iter().map(|(name, value)| (name.into_owned(), value)).collect();
    let expected = [("z", "null"), ("a", r#"[1," \" "]"#), ("d", r#"{"x":1}"#)];
    assert_eq!(members, expected.map(|(name, value)| (name.to_owned(), value)));
    assert_eq!(format!("{rest:?}"), r#"["z", "a", "d"]"#);
    assert_eq!(rest.get::<Value>("z"), Ok(None));
    assert_eq!(rest.get::<Value>("d"), Ok(Some(json!({"x": 1}))));
    assert_eq!(rest.get::<Vec<u8>>("d"), Err(JsonError::Shape { column: 0 }));
    assert!(rest.contains("z") && !rest.contains("b") && !rest.is_empty());
    assert_eq!(Object::parse(br#"{"c":1}"#).unwrap().take_text("c"), Err(Fault::WrongType("c")));
    assert_eq!((JsonObject::default().as_json(), JsonObject::default().is_empty()), ("{}", true));
    assert_eq!(JsonObject::from_json(" { } ").unwrap(), JsonObject::default());
}

#[test]
fn members_can_be_left_out() {
    let object = Object::parse(br#"{"a":1,"\u0062":2,"c":3}"#).unwrap();
    assert_eq!(object.rest_without(&["a", "b", "x"]).as_json(), r#"{"c":3}"#);
}

/// A feature that another crate enables never changes what was received: the value is either read
/// unchanged or not at all.
#[test]
fn member_names_that_are_special_to_serde_json_are_read_literally_or_refused() {
    for name in ["$serde_json::private::RawValue", "$serde_json::private::Number"] {
        for spelled in
            [name.to_owned(), name.replace('$', "\\u0024"), name.replace("json", "\\u006Ason")]
        {
            for value in [r#""1""#, r#""[[[""#, "17", r#"{"a":"{}"}"#, "null", r#""{\"a\":1}""#] {
                let object = format!(r#"{{"{spelled}":{value}}}"#);
                for (name, text) in
                    [("x", object.clone()), ("y", format!(r#"[1,{{"z":{object}}}]"#))]
                {
                    let members =
                        JsonObject::from_json(&format!(r#"{{"a":1,"{name}":{text}}}"#)).unwrap();
                    assert_eq!(members.json(name), Some(&*text));
                    assert_eq!(members.get::<u8>("a"), Ok(Some(1)));
                    match members.get::<Value>(name) {
                        Ok(Some(value)) => {
                            assert!(value.pointer("/1/z").unwrap_or(&value).is_object(), "{text}")
                        }
                        Ok(None) => panic!("{text} is there"),
                        Err(error) => assert_eq!(error, JsonError::ReservedName, "{text}"),
                    }
                }
                let top = JsonObject::from_json(&object).unwrap();
                assert_eq!(top.json(name), Some(value));
            }
        }
    }
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
            prop::collection::btree_map(".*", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// REQ-SEC-24a
    #[test]
    fn accepted_objects_are_read_as_serde_json_reads_them(members in prop::collection::btree_map(".*", any_json(), 0..6)) {
        let value = Value::Object(members.into_iter().collect());
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let ours = Object::parse(text.as_bytes()).unwrap().rest();
            let read: Value =
                ours.iter().map(|(name, _)| (name.to_string(), ours.get::<Value>(&name).unwrap().unwrap_or_default())).collect();
            prop_assert_eq!(&read, &serde_json::from_str::<Value>(&text).unwrap());
            prop_assert_eq!(ours.as_json(), value.to_string());
        }
    }

    /// REQ-SEC-24a
    #[test]
    fn a_string_is_decoded_as_serde_json_decodes_it(text in r#"([ -~]|\\["\\/bfnrt]|\\u(00[0-7][0-9a-f]|d8[0-9a-f]{2}|dC[0-9A-F]{2})){0,8}"#) {
        let text = format!("\"{text}\"");
        let read = serde_json::from_str::<String>(&text).ok();
        let ours = Raw::parse(&text).and_then(Raw::text).map(Cow::into_owned);
        prop_assert_eq!(ours, read);
    }

    /// REQ-SEC-24a
    #[test]
    fn no_input_causes_a_panic(bytes: Vec<u8>, text in r#"[\[\]{}",:0-9eE\\u+.-]{0,40}"#) {
        let _ = Object::parse(&bytes);
        let _ = Object::parse(text.as_bytes());
        let _ = Object::parse(format!("{{\"a\":{text}}}").as_bytes());
        let _ = strict_members(&format!("{{\"a\":{text}}}"), |_, _| {});
    }
}
