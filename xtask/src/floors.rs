//! The floors of core: a file may use its own floor and those below it.
//!
//! This table is the only one; `ARCHITECTURE.md` describes it in words.
use std::path::Path;

use crate::{
    imports,
    source::{self, Strings},
};

/// A module and its floor. The longest matching path decides.
const FLOORS: &[(&str, u8)] = &[
    // 0: vocabulary
    ("bounds", 0),
    ("elapsed", 0),
    ("endpoint", 0),
    ("fault", 0),
    ("issuer", 0),
    ("json", 0),
    ("named", 0),
    ("secret", 0),
    ("text", 0),
    ("time", 0),
    ("url", 0),
    // 1: JOSE and cryptography
    ("crypto", 1),
    ("jose", 1),
    // 2: the wire formats
    ("wire", 2),
    // 3: configuration, requests and checks
    ("authentication", 3),
    ("binding", 3),
    ("client", 3),
    ("credential", 3),
    ("dpop", 3),
    ("expect", 3),
    ("granted", 3),
    ("id_token", 3),
    ("person", 3),
    ("policy", 3),
    ("profile", 3),
    ("providers", 3),
    ("request", 3),
    ("request_object", 3),
    ("userinfo", 3),
    // 4: state machines, their inputs and outputs, and snapshots
    ("ask", 4),
    ("discovery", 4),
    ("error", 4),
    ("event", 4),
    ("flow", 4),
    ("jwks", 4),
    ("saved", 4),
    ("serialize", 4),
    ("snapshot", 4),
    ("software_keys", 4),
];

/// Finds every use of a higher floor in the files of core.
pub(crate) fn check(core: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for path in source::files(core, "rs") {
        let module = imports::module(core, &path);
        // The root re-exports everything, and unit tests may use any module.
        if module.is_empty() || module.split("::").any(|part| part == "tests") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        found.extend(
            check_file(&module, &text)
                .into_iter()
                .map(|line| format!("{}: {line}", source::shown(&path))),
        );
    }
    found
}

fn check_file(module: &str, text: &str) -> Vec<String> {
    let Some(own) = floor(module) else {
        return vec![format!("module {module} has no floor: add it to xtask/src/floors.rs")];
    };
    let code = source::code(source::without_tests(text), Strings::Drop);
    let mut found = Vec::new();
    for used in paths(&code) {
        match floor(&used) {
            Some(theirs) if theirs > own => {
                found.push(format!("a file of floor {own} uses crate::{used} of floor {theirs}"))
            }
            Some(_) => {}
            None => found.push(format!(
                "crate::{used} is on no floor: import the item from its module, not from the root"
            )),
        }
    }
    found
}

fn floor(path: &str) -> Option<u8> {
    FLOORS
        .iter()
        .filter(|(known, _)| {
            path == *known || path.strip_prefix(known).is_some_and(|rest| rest.starts_with("::"))
        })
        .max_by_key(|(known, _)| known.len())
        .map(|(_, floor)| *floor)
}

/// Returns every `crate::…` path, with `use` trees expanded.
fn paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("crate::") {
        let named = !rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
        rest = &rest[at + "crate::".len()..];
        if named {
            tree(rest, "", &mut found);
        }
    }
    found
}

/// Reads one tree and returns the text after it.
fn tree<'a>(text: &'a str, prefix: &str, found: &mut Vec<String>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            }
            let after = tree(rest, prefix, found).trim_start();
            let after = after.strip_prefix(',').unwrap_or(after);
            if after.len() == rest.len() || after.is_empty() {
                return after;
            }
            rest = after;
        }
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return rest.strip_prefix('*').unwrap_or(rest);
    }
    let path = match name {
        "self" => prefix.to_owned(),
        _ if prefix.is_empty() => name.to_owned(),
        _ => format!("{prefix}::{name}"),
    };
    if let Some(deeper) = rest.strip_prefix("::") {
        if deeper.trim_start().starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '{') {
            return tree(deeper, &path, found);
        }
        found.push(path);
        return deeper.strip_prefix('*').unwrap_or(deeper);
    }
    found.push(path);
    // `name as other`
    match rest.trim_start().strip_prefix("as ") {
        Some(renamed) => {
            let renamed = renamed.trim_start();
            &renamed[renamed
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(renamed.len())..]
        }
        None => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_trees_are_expanded() {
        let code = "use crate::{a::{self, B as C, d::E}, f};\nfn x() -> crate::g::H { crate::i::J::new() }\nuse crate::k::*;";
        assert_eq!(paths(code), ["a", "a::B", "a::d::E", "f", "g::H", "i::J::new", "k"]);
    }

    #[test]
    fn a_use_of_a_higher_floor_is_found() {
        assert_eq!(
            check_file("wire::form", "use crate::{client::ClientId, secret::Body};").len(),
            1
        );
        assert_eq!(
            check_file("wire::form", "fn f() { let _ = crate::flow::Flow::start(); }").len(),
            1
        );
        assert_eq!(check_file("client", "use crate::wire::JsonObject;"), Vec::<String>::new());
        assert_eq!(check_file("wire", "use crate::endpoint::Endpoint;"), Vec::<String>::new());
        assert_eq!(check_file("wire", "use crate::ask::Output;").len(), 1);
    }

    #[test]
    fn a_use_through_the_root_and_an_unknown_module_are_found() {
        assert_eq!(check_file("client", "use crate::Entropy;").len(), 1);
        assert_eq!(check_file("attic", "").len(), 1);
    }

    #[test]
    fn comments_and_tests_do_not_count() {
        let text = "// use crate::flow::Flow;\n#[cfg(test)]\nmod tests { use crate::flow::Flow; }";
        assert_eq!(check_file("url", text), Vec::<String>::new());
    }
}
