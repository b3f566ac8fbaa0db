//! Finds and reads the files of the workspace.
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The published packages.
pub(crate) const PUBLISHED: [&str; 6] =
    ["ciba-core", "ciba-std", "ciba-reqwest", "ciba-ureq", "ciba-test-op", "ciba-cli"];

/// Returns the root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in a directory below the root")
}

/// Returns every file with this extension below a directory, sorted, except what builds and package
/// managers create.
pub(crate) fn files(below: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(below, extension, &mut found);
    found.sort();
    found
}

fn collect(directory: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    const GENERATED: [&str; 7] =
        ["target", "node_modules", ".run", ".keycloak", ".git", "corpus", "artifacts"];
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if !GENERATED.iter().any(|generated| name == *generated) {
                collect(&path, extension, found);
            }
        } else if path.extension().is_some_and(|end| end == extension) {
            found.push(path);
        }
    }
}

/// Returns a path for messages, relative to the root.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Removes comments and, on request, string literals. Line numbers do not change.
pub(crate) fn code(text: &str, strings: Strings) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, keep) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), false)
        } else if rest.starts_with("/*") {
            (block_comment(rest), false)
        } else if let Some(length) = raw_string(rest, &out) {
            (length, strings == Strings::Keep)
        } else if first == '"' {
            (plain_string(rest), strings == Strings::Keep)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            (rest[1..].find("'").map_or(1, |at| at + 2), true)
        } else {
            (first.len_utf8(), true)
        };
        let (piece, tail) = rest.split_at(length);
        if keep {
            out.push_str(piece);
        } else {
            out.extend(piece.chars().filter(|&c| c == '\n'));
        }
        rest = tail;
    }
    out
}

/// What [`code`] does with string literals.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strings {
    Keep,
    Drop,
}

/// Returns a file without its unit tests, which are the last item and behind `cfg(test)`.
pub(crate) fn without_tests(text: &str) -> &str {
    ["#[cfg(test)]\nmod ", "#[cfg(test)]\npub(crate) mod "]
        .iter()
        .filter_map(|mark| text.find(mark))
        .min()
        .map_or(text, |at| &text[..at])
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        if rest.is_empty() {
            break;
        } else if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn raw_string(text: &str, before: &str) -> Option<usize> {
    if before.ends_with(|c: char| c.is_alphanumeric() || c == '_') && !before.ends_with('b') {
        return None;
    }
    let after = text.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let body = 1 + hashes + 1;
    Some(text[body..].find(&close).map_or(text.len(), |at| body + at + close.len()))
}

fn plain_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_removed_and_lines_stay() {
        let text = "a /* x /* y */ \n z */ b // c\n\"d // e\\\" f\" '\"' r#\"g\"# h";
        assert_eq!(code(text, Strings::Drop), "a \n b \n '\"'  h");
        assert_eq!(code(text, Strings::Keep), "a \n b \n\"d // e\\\" f\" '\"' r#\"g\"# h");
    }

    #[test]
    fn unit_tests_are_removed() {
        assert_eq!(without_tests("a\n#[cfg(test)]\nmod tests {}\n"), "a\n");
        assert_eq!(without_tests("a\n"), "a\n");
    }
}
