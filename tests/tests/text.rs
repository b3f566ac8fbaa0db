//! Which characters of other parties are shown unchanged.
#![allow(missing_docs)]

use ciba_core::text::{is_plain, plain};
use regex_syntax::hir::{Class, HirKind};

/// Returns the characters of a class according to the Unicode Character Database.
fn class(pattern: &str) -> Vec<(char, char)> {
    let parsed = regex_syntax::parse(pattern).expect("a class");
    match parsed.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().iter().map(|range| (range.start(), range.end())).collect()
        }
        other => panic!("no class: {other:?}"),
    }
}

/// REQ-AERR-15
#[test]
fn control_bidi_and_invisible_characters_are_exactly_those_that_are_not_plain() {
    let not_plain = class(
        r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]",
    );
    let mut wrong = Vec::new();
    for c in '\0'..=char::MAX {
        let expected = !not_plain.iter().any(|(first, last)| (*first..=*last).contains(&c));
        if is_plain(c) != expected {
            wrong.push(format!("{:04X}", u32::from(c)));
        }
    }
    assert!(wrong.is_empty(), "{} differ: {}", wrong.len(), wrong.join(" "));
}

/// REQ-AERR-15
#[test]
fn text_of_every_script_is_kept_and_deceptive_characters_become_spaces() {
    for text in [
        "Åsa Öberg-O’Neil",
        "Łukasz «Gdańsk»",
        "東京 太郎",
        "محمد علي",
        "שלום",
        "ไทย",
        "हिन्दी",
        "🙂 ✓ ½",
    ] {
        assert_eq!(plain(text), text);
    }
    for (text, shown) in [
        ("pay\u{202e}001", "pay 001"),
        ("a\u{61c}b\u{200b}c\u{2060}d\u{feff}e", "a b c d e"),
        ("\u{e0041}\u{e007f}x", "  x"),
        ("one\u{2028}two\u{2029}three\r\nfour\tfive", "one two three  four five"),
        ("\u{1b}[2J\u{9b}31m\u{7f}", " [2J 31m "),
        ("a\u{fe0f}\u{3164}\u{115f}\u{e000}\u{ffff}", "a     "),
    ] {
        assert_eq!(plain(text), shown);
    }
}
