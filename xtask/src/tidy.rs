//! Rules that a program can check: floors, import cycles, equal lines in the adapters, file sizes,
//! protocol words in adapters, internal ids in documentation, leftovers, package metadata.
use std::{fs, path::Path};

use xshell::Shell;

use crate::{
    cycles, floors,
    gate::{Gate, Outcome, findings},
    source::{self, PUBLISHED, Strings},
    twins,
};

pub(crate) const TIDY: Gate = Gate { name: "tidy", run: tidy };

/// The length limit of a file, in lines.
const LINES: usize = 600;

/// Words that an adapter never needs, because core makes the decisions: parameters, and the error
/// codes of CIBA 11, 12 and 13 and RFC 6749 5.2.
const PROTOCOL_WORDS: &[&str] = &[
    "access_denied",
    "auth_req_id",
    "authorization_pending",
    "client_assertion",
    "expired_login_hint_token",
    "expired_token",
    "grant_type",
    "invalid_binding_message",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "invalid_user_code",
    "missing_user_code",
    "slow_down",
    "transaction_failed",
    "unauthorized_client",
    "unknown_user_id",
    "unsupported_grant_type",
];

/// Written with `concat!`, so that this file passes its own check.
const LEFTOVERS: &[&str] =
    &[concat!("todo", "!("), concat!("unimplemented", "!("), concat!("dbg", "!(")];

/// The beginnings of paths that exist on one machine only.
const MACHINE_PATHS: &[&str] = &[
    concat!("/", "work/"),
    concat!("/", "tmp/"),
    concat!("/", "root/"),
    concat!("/", "home/"),
    concat!("/", "Users/"),
];

/// The beginnings of internal ids. Users cannot look these up, so they belong in `//` comments.
const INTERNAL_IDS: &[&str] =
    &["REQ-", "OPM-", "DV-", "ruling ", "Ruling ", "rulings ", "Rulings "];

fn tidy(_: &Shell) -> Outcome {
    let root = source::root();
    let mut found = floors::check(&root.join("crates/ciba-core/src"));
    let cycles = cycles::check(root);
    println!("{}", cycles.result);
    found.extend(cycles.forbidden);
    let (figures, equal) = twins::check(root);
    println!("{}", figures.join("\n"));
    found.extend(equal);
    for path in source::files(root, "rs") {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let name = source::shown(&path);
        found.extend(rust_file(&name, &text));
        if name.starts_with("crates/") && name.contains("/src/") {
            found.extend(documentation(&name, &text));
        }
        if ["crates/ciba-reqwest/src", "crates/ciba-ureq/src"]
            .iter()
            .any(|adapter| name.starts_with(adapter))
        {
            found.extend(adapter_file(&name, &text));
        }
    }
    for extension in ["rs", "md", "toml", "json", "mjs", "go", "yml", "txt"] {
        for path in source::files(root, extension) {
            let text = fs::read_to_string(&path).unwrap_or_default();
            found.extend(any_file(&source::shown(&path), &text));
        }
    }
    for package in PUBLISHED {
        let directory = root.join("crates").join(package);
        let manifest = fs::read_to_string(directory.join("Cargo.toml")).unwrap_or_default();
        found.extend(
            manifest_lacks(&manifest)
                .into_iter()
                .map(|what| format!("{package}: Cargo.toml lacks {what}")),
        );
        let readme = fs::read_to_string(directory.join("README.md")).unwrap_or_default();
        if readme.lines().count() < 5 {
            found.push(format!("{package}: README.md has fewer than 5 lines"));
        }
    }
    found.extend(lock_files(root));
    findings(found)
}

fn rust_file(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lines = text.lines().count();
    if lines > LINES {
        found.push(format!("{name}: {lines} lines, at most {LINES} are allowed: split it"));
    }
    let code = source::code(text, Strings::Drop);
    for (number, line) in code.lines().enumerate() {
        for word in LEFTOVERS.iter().filter(|word| line.contains(**word)) {
            found.push(format!("{name}:{}: {word}…)", number + 1));
        }
    }
    found
}

/// Finds internal ids in documentation. A line that is only an id, above a test, is a claim for
/// `cargo xtask requirements`.
fn documentation(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let Some(doc) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) else {
            continue;
        };
        let doc = doc.trim();
        let is_claim = !doc.contains(' ') && ["REQ-", "OPM-"].iter().any(|id| doc.starts_with(id));
        if is_claim {
            continue;
        }
        for id in INTERNAL_IDS.iter().filter(|id| doc.contains(**id)) {
            found.push(format!(
                "{name}:{}: internal id {id:?} in documentation: name the clause of the public \
                 specification, and put the id in a // comment",
                number + 1
            ));
        }
    }
    found
}

fn adapter_file(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    // Strings are kept, because a protocol word would be in one.
    let text = source::code(source::without_tests(text), Strings::Keep);
    for (number, line) in text.lines().enumerate() {
        for word in PROTOCOL_WORDS.iter().filter(|word| line.contains(**word)) {
            found.push(format!(
                "{name}:{}: protocol word {word}: the decision belongs in ciba-core",
                number + 1
            ));
        }
    }
    found
}

fn any_file(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for place in MACHINE_PATHS.iter().filter(|place| names_place(line, place)) {
            found.push(format!(
                "{name}:{}: a path that exists on one machine only: {place}",
                number + 1
            ));
        }
    }
    found
}

/// Whether a path begins there. `https://op.example/home/` is not a path of a machine.
fn names_place(line: &str, place: &str) -> bool {
    line.match_indices(place)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-}".contains(c)))
}

fn manifest_lacks(manifest: &str) -> Vec<&'static str> {
    ["description", "license", "repository", "readme", "keywords", "categories", "rust-version"]
        .into_iter()
        .filter(|key| {
            !manifest
                .lines()
                .any(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with([' ', '.'])))
        })
        .collect()
}

fn lock_files(root: &Path) -> Vec<String> {
    let text = fs::read_to_string(root.join("interop/package-lock.json")).unwrap_or_default();
    registry_addresses("interop/package-lock.json", &text)
}

fn registry_addresses(name: &str, text: &str) -> Vec<String> {
    let found = text.lines().filter(|line| line.trim_start().starts_with("\"resolved\"")).count();
    if found == 0 {
        Vec::new()
    } else {
        vec![format!("{name}: {found} registry addresses: remove the members \"resolved\"")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found() {
        assert_eq!(rust_file("a.rs", &"x\n".repeat(LINES)), Vec::<String>::new());
        assert_eq!(rust_file("a.rs", &"x\n".repeat(LINES + 1)).len(), 1);
    }

    #[test]
    fn leftovers_are_found_in_code_only() {
        for word in LEFTOVERS {
            assert_eq!(rust_file("a.rs", &format!("fn f() {{ {word}) }}")).len(), 1, "{word}");
            assert_eq!(rust_file("a.rs", &format!("// {word})")), Vec::<String>::new());
        }
    }

    #[test]
    fn a_protocol_word_in_an_adapter_is_found() {
        assert_eq!(adapter_file("a.rs", "if code == \"slow_down\" {}").len(), 1);
        assert_eq!(adapter_file("a.rs", "let auth_req_id = 1;").len(), 1);
        assert_eq!(
            adapter_file("a.rs", "/// Never sees an auth_req_id.\nfn f() {}"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn an_internal_id_in_documentation_is_found() {
        for id in INTERNAL_IDS {
            for mark in ["///", "//!", "    ///"] {
                let line = format!("{mark} Checks it ({id}1).");
                assert_eq!(documentation("a.rs", &line).len(), 1, "{line}");
            }
            for line in [format!("// {id}1"), format!("    let a = 1; // {id}1")] {
                assert_eq!(documentation("a.rs", &line), Vec::<String>::new(), "{line}");
            }
        }
        let claims = "    /// REQ-ACK-04\n    /// OPM-ACK-07b\n    #[test]\n";
        assert_eq!(documentation("a.rs", claims), Vec::<String>::new());
    }

    #[test]
    fn a_machine_path_is_found() {
        for place in MACHINE_PATHS {
            assert_eq!(any_file("a.md", &format!("see {place}x")).len(), 1, "{place}");
            assert_eq!(
                any_file("a.md", &format!("https://op.example{place}x")),
                Vec::<String>::new()
            );
        }
    }

    #[test]
    fn missing_metadata_is_found() {
        let whole = "description = \"x\"\nlicense.workspace = true\nrepository.workspace = true\nreadme = \"README.md\"\n\
                     keywords.workspace = true\ncategories.workspace = true\nrust-version.workspace = true\n";
        assert_eq!(manifest_lacks(whole), Vec::<&str>::new());
        assert_eq!(manifest_lacks(&whole.replace("readme", "x")), ["readme"]);
    }

    #[test]
    fn a_registry_address_is_found() {
        assert_eq!(
            registry_addresses("p", "  \"resolved\": \"https://registry.example/x\",\n").len(),
            1
        );
        assert_eq!(
            registry_addresses("p", "  \"integrity\": \"sha512-x\"\n"),
            Vec::<String>::new()
        );
    }
}
