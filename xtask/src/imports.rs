//! Finds out which file of a crate uses which other file, from the paths in the code.
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::source::{self, Strings};

/// The source files of one crate, with what each defines and imports.
pub(crate) struct Crate {
    files: BTreeMap<String, File>,
}

/// One use of a file by another: both modules, and the name that is used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Use {
    pub(crate) by: String,
    pub(crate) of: String,
    pub(crate) name: String,
}

/// The contents of one file, without its unit tests.
#[derive(Default)]
struct File {
    defined: BTreeSet<String>,
    imports: Vec<Import>,
    /// Paths such as `a::b` outside of `use`.
    paths: Vec<Vec<String>>,
    /// The identifiers outside of `use`.
    words: BTreeSet<String>,
    /// Modules that exist for unit tests only.
    test_modules: BTreeSet<String>,
}

/// One leaf of a `use` tree.
struct Import {
    path: Vec<String>,
    /// The name in this file; `*` for a glob.
    name: String,
    /// A re-export (`pub use`), which alone is no use.
    handed_on: bool,
}

impl Crate {
    /// Reads every Rust file below a crate's `src`.
    pub(crate) fn read(src: &Path) -> Self {
        let texts = source::files(src, "rs").into_iter().map(|path| {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            (module(src, &path), text)
        });
        Self::new(texts.collect())
    }

    fn new(texts: Vec<(String, String)>) -> Self {
        let mut files: BTreeMap<_, _> =
            texts.into_iter().map(|(module, text)| (module, file(&text))).collect();
        let tests: Vec<_> = files
            .iter()
            .flat_map(|(module, file)| file.test_modules.iter().map(|name| join(module, name)))
            .collect();
        files.retain(|module, _| !tests.iter().any(|test| is_below(module, test)));
        Self { files }
    }

    /// Returns every use of one file by another, once for each name.
    pub(crate) fn uses(&self) -> BTreeSet<Use> {
        let mut found = BTreeSet::new();
        for (by, file) in &self.files {
            let mut add = |of: Option<Target>, name: &str| {
                // Naming a module alone is no use; the paths through it are.
                if let Some(Target { module, item: true }) = of
                    && module != *by
                {
                    found.insert(Use { by: by.clone(), of: module, name: name.to_owned() });
                }
            };
            for import in &file.imports {
                if import.name == "*" {
                    if !import.handed_on {
                        for word in &file.words {
                            add(self.in_glob(by, import, word, 0), word);
                        }
                    }
                } else if !import.handed_on || file.words.contains(&import.name) {
                    add(self.resolve(by, &import.path, 0), &import.name);
                }
            }
            for path in &file.paths {
                if let Some(name) = path.last() {
                    add(self.resolve(by, path, 0), name);
                }
            }
        }
        found
    }

    /// Returns the file that defines the item of a path in a module; `None` for another crate.
    fn resolve(&self, module: &str, path: &[String], depth: u8) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.walk("", rest, depth),
            "self" => self.walk(module, rest, depth),
            "super" => match rest.first().map(String::as_str) {
                Some("super") => self.resolve(parent(module), rest, depth),
                _ => self.walk(parent(module), rest, depth),
            },
            _ => self.known(module, path, depth),
        }
    }

    /// As [`Self::known`], but an unknown name counts as an item of the module's own file.
    fn walk(&self, module: &str, path: &[String], depth: u8) -> Option<Target> {
        if path.is_empty() {
            return Some(Target { module: module.to_owned(), item: false });
        }
        let is_imported = || {
            let file = self.files.get(module);
            file.is_some_and(|file| file.imports.iter().any(|import| import.name == path[0]))
        };
        match self.known(module, path, depth) {
            // An import from another crate is not an item of the module.
            None if is_imported() => None,
            None => Some(Target { module: module.to_owned(), item: true }),
            found => found,
        }
    }

    fn known(&self, module: &str, path: &[String], depth: u8) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let file = self.files.get(module)?;
        let child = join(module, first);
        if self.files.contains_key(&child) {
            return self.walk(&child, rest, depth);
        }
        if file.defined.contains(first) {
            return Some(Target { module: module.to_owned(), item: true });
        }
        // Circular re-exports do not compile, and must not hang the gate.
        if depth > 8 {
            return None;
        }
        if let Some(import) = file.imports.iter().find(|import| import.name == *first) {
            let whole = [&import.path, rest].concat();
            return self.resolve(module, &whole, depth + 1);
        }
        file.imports
            .iter()
            .filter(|import| import.name == "*")
            .find_map(|glob| self.in_glob(module, glob, first, depth))
    }

    fn in_glob(&self, module: &str, glob: &Import, name: &str, depth: u8) -> Option<Target> {
        match self.resolve(module, &glob.path, depth + 1)? {
            Target { module, item: false } => self.known(&module, &[name.to_owned()], depth + 1),
            Target { item: true, .. } => None,
        }
    }
}

/// The target of a path: a file, or an item in it.
struct Target {
    module: String,
    item: bool,
}

/// Returns the module of a file: `flow::pending` for `flow/pending.rs`; empty for the root.
pub(crate) fn module(src: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(src).unwrap_or(path).with_extension("");
    let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let parts: Vec<_> = parts
        .iter()
        .map(String::as_str)
        .filter(|part| !matches!(*part, "mod" | "lib" | "main"))
        .collect();
    parts.join("::")
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

fn parent(module: &str) -> &str {
    module.rsplit_once("::").map_or("", |(parent, _)| parent)
}

fn is_below(module: &str, above: &str) -> bool {
    module.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Reads a file. An inline module is an item of its file.
fn file(text: &str) -> File {
    let code = source::code(text, Strings::Drop);
    let tokens = tokens(&code);
    let mut file = File::default();
    let mut at = 0;
    let mut depth = 0_usize;
    while let Some(&token) = tokens.get(at) {
        let before = at.checked_sub(1).and_then(|before| tokens.get(before)).copied();
        if tokens[at..].starts_with(&["#", "[", "cfg", "(", "test", ")", "]"]) {
            at = test_item(&tokens, at + 7, &mut file);
        } else if token == "use" {
            let handed_on = matches!(before, Some("pub" | ")"));
            let end = end_of_use(&tokens, at);
            tree(&tokens[at + 1..end], &[], handed_on, &mut file.imports);
            at = end;
        } else if is_word(token) {
            let length = path_length(&tokens[at..]);
            let path: Vec<_> =
                tokens[at..at + length].iter().step_by(2).map(|&part| part.to_owned()).collect();
            // A declaration of a module is no use of it.
            if before != Some("mod") {
                file.words.insert(path[0].clone());
            }
            if depth == 0 && defines(&tokens[..at]) {
                file.defined.insert(path[0].clone());
            }
            if path.len() > 1 && before != Some("::") {
                file.paths.push(path);
            }
            at += length;
        } else {
            match token {
                "{" => depth += 1,
                "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            at += 1;
        }
    }
    file
}

/// Whether the name of an item follows. `mod` matters for inline modules only: the file of any other
/// module is found first.
fn defines(before: &[&str]) -> bool {
    match before {
        [.., "macro_rules", "!"] => true,
        [.., last] => ["fn", "struct", "enum", "trait", "type", "const", "static", "union", "mod"]
            .contains(last),
        [] => false,
    }
}

/// Skips one item that is for unit tests only.
fn test_item(tokens: &[&str], mut at: usize, file: &mut File) -> usize {
    let mut depth = 0_usize;
    let is_use = tokens[at..].iter().take(5).any(|token| *token == "use");
    while let Some(&token) = tokens.get(at) {
        at += 1;
        match token {
            "mod" if depth == 0 && tokens.get(at + 1) == Some(&";") => {
                file.test_modules.extend(tokens.get(at).map(|&name| name.to_owned()));
            }
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && !is_use {
                    return at;
                }
            }
            ";" if depth == 0 => return at,
            _ => {}
        }
    }
    at
}

fn end_of_use(tokens: &[&str], at: usize) -> usize {
    tokens[at..].iter().position(|token| *token == ";").map_or(tokens.len(), |end| at + end)
}

/// Reads the trees of a `use`, separated by commas.
fn tree(tokens: &[&str], prefix: &[String], handed_on: bool, found: &mut Vec<Import>) {
    let mut depth = 0_usize;
    for one in tokens.split(|token| {
        match *token {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        *token == "," && depth == 0
    }) {
        let mut path = prefix.to_vec();
        let mut at = 0;
        let mut name = None;
        while let Some(&token) = one.get(at) {
            at += 1;
            match token {
                "{" => {
                    let inside = one.len().saturating_sub(1).max(at);
                    tree(&one[at..inside], &path, handed_on, found);
                    path.clear();
                    break;
                }
                "self" if !path.is_empty() => name = path.last().cloned(),
                "as" => {
                    name = one.get(at).map(|&name| name.to_owned());
                    break;
                }
                "*" => name = Some("*".to_owned()),
                word if is_word(word) => {
                    path.push(word.to_owned());
                    name = Some(word.to_owned());
                }
                _ => {}
            }
        }
        if let (Some(name), false) = (name, path.is_empty()) {
            found.push(Import { path, name, handed_on });
        }
    }
}

/// The number of tokens in `a::b::c`.
fn path_length(tokens: &[&str]) -> usize {
    let mut length = 1;
    while tokens.get(length) == Some(&"::") && tokens.get(length + 1).is_some_and(|t| is_word(t)) {
        length += 2;
    }
    length
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Splits code into words, `::`, and single other characters.
fn tokens(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        if !first.is_whitespace() {
            found.push(&rest[..length]);
        }
        rest = &rest[length..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(files: &[(&str, &str)]) -> Vec<String> {
        let files = files.iter().map(|(module, text)| ((*module).into(), (*text).into()));
        Crate::new(files.collect())
            .uses()
            .into_iter()
            .map(|found| format!("{} {} {}", found.by, found.of, found.name))
            .collect()
    }

    #[test]
    fn a_use_leads_to_the_file_that_defines_the_name() {
        let files = [
            ("", "mod a; pub mod b;"),
            ("a", "use crate::b::{self, Deep as D, d::{self, other}};\nfn f() { b::g(); d::h() }"),
            ("b", "mod c; pub mod d; pub(crate) use c::Deep; pub fn g() {}"),
            ("b::c", "pub struct Deep;"),
            ("b::d", "pub fn h() {} pub fn other() {}"),
        ];
        assert_eq!(uses(&files), ["a b g", "a b::c D", "a b::d h", "a b::d other"]);
    }

    #[test]
    fn a_re_export_is_not_a_use_but_naming_it_is() {
        let child = ("a::b", "pub struct B;");
        assert_eq!(uses(&[("a", "mod b; pub use b::B;"), child]), Vec::<String>::new());
        assert_eq!(uses(&[("a", "mod b; pub use b::B; fn f(_: B) {}"), child]), ["a a::b B"]);
    }

    #[test]
    fn super_self_and_globs_are_followed() {
        let files = [
            ("", ""),
            ("a", "mod b; mod c; pub struct A; use c::C;"),
            ("a::b", "use super::*; fn f(_: A, _: C) {}"),
            ("a::c", "pub struct C(super::super::d::D); fn g() { self::h(); } fn h() {}"),
            ("d", "pub struct D;"),
        ];
        assert_eq!(uses(&files), ["a a::c C", "a::b a A", "a::b a::c C", "a::c d D"]);
    }

    #[test]
    fn a_method_with_the_name_of_a_module_hides_no_use() {
        let files = [
            ("", ""),
            ("a", "use crate::b; impl A { fn b(&self) -> bool { !b::f() } }"),
            ("b", "macro_rules! m {} pub fn f() {}"),
        ];
        assert_eq!(uses(&files), ["a b f"]);
    }

    #[test]
    fn another_crate_comments_strings_and_unit_tests_are_not_uses() {
        let files = [
            ("", "mod a; pub use other::Other;"),
            (
                "a",
                "use alloc::vec::Vec; use crate::Other; // crate::b::B\nconst X: &str = \"crate::b::B\";",
            ),
            (
                "b",
                "#[cfg(test)]\nuse crate::a::X;\n#[cfg(test)]\nmod tests { use crate::a::X; }\npub struct B;",
            ),
            ("c", "#[cfg(test)]\npub(crate) mod help;\n#[cfg(test)]\nmod tests;\npub struct C;"),
            ("c::help", "use crate::a::X;"),
            ("c::tests", "use crate::a::X;"),
            ("d", "#[cfg(test)]\npub(crate) fn f() { crate::a::X; }\nfn g() { crate::c::C; }"),
        ];
        assert_eq!(uses(&files), ["d c C"]);
    }
}
