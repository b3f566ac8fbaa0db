//! Finds equal lines in the two adapters, and counts the lines of each. Common code belongs in
//! `ciba-core` or `ciba-std`.
use std::{collections::BTreeMap, path::Path};

use crate::source::{self, Strings};

const ADAPTERS: [&str; 2] = ["ciba-reqwest", "ciba-ureq"];

/// The length at which a run of equal lines is reported.
const RUN: usize = 8;

/// The limit for one adapter, in lines of code without `service.rs`, which only one of them has.
const LIMIT: usize = 1_150;

/// Returns the figures, one line each, and the violations.
pub(crate) fn check(root: &Path) -> (Vec<String>, Vec<String>) {
    let [reqwest, ureq] =
        ADAPTERS.map(|adapter| lines(&root.join("crates").join(adapter).join("src")));
    let mut shown = Vec::new();
    let mut found = Vec::new();
    for (adapter, files) in ADAPTERS.iter().zip([&reqwest, &ureq]) {
        let count = code_lines(files);
        shown.push(format!("{adapter}: {count} lines of code of at most {LIMIT}"));
        if count > LIMIT {
            found.push(format!("{adapter}: {count} lines of code, {} too many", count - LIMIT));
        }
    }
    let runs = equal_runs(&without_uses(&reqwest), &without_uses(&ureq));
    let total: usize = runs.iter().map(|run| run.length).sum();
    shown.push(format!("equal runs of {RUN} or more lines: {}, {total} lines", runs.len()));
    found.extend(runs.iter().map(|run| {
        let [(first, one), (second, other)] = &run.places;
        format!(
            "{} equal lines: {}/src/{first}:{one} and {}/src/{second}:{other}",
            run.length, ADAPTERS[0], ADAPTERS[1]
        )
    }));
    (shown, found)
}

/// The lines of each file, with their numbers.
type Files = BTreeMap<String, Vec<(usize, String)>>;

/// Reads the files without blank lines, comments and unit tests, each line trimmed.
fn lines(src: &Path) -> Files {
    source::files(src, "rs")
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let name = path.strip_prefix(src).unwrap_or(&path).display().to_string();
            (name, code(&text))
        })
        .collect()
}

fn code(text: &str) -> Vec<(usize, String)> {
    source::code(source::without_tests(text), Strings::Keep)
        .lines()
        .enumerate()
        .map(|(number, line)| (number + 1, line.trim().to_owned()))
        .filter(|(_, line)| !line.is_empty())
        .collect()
}

fn code_lines(files: &Files) -> usize {
    files.iter().filter(|(name, _)| *name != "service.rs").map(|(_, lines)| lines.len()).sum()
}

/// Returns the lines without imports and re-exports. A list of names is not logic: the adapters use
/// and re-export the same names because the types behind them exist once.
fn without_uses(files: &Files) -> Files {
    let kept = |lines: &[(usize, String)]| {
        let mut is_use = false;
        let mut kept = Vec::new();
        for (number, line) in lines {
            is_use |=
                ["use ", "pub use ", "pub(crate) use "].iter().any(|begin| line.starts_with(begin));
            if is_use {
                is_use = !line.ends_with(';');
            } else {
                kept.push((*number, line.clone()));
            }
        }
        kept
    };
    files.iter().map(|(name, lines)| (name.clone(), kept(lines))).collect()
}

struct Run {
    length: usize,
    /// The file and line at which it begins, in each adapter.
    places: [(String, usize); 2],
}

/// Returns the longest runs of equal lines. Each line of the first adapter is in at most one run.
fn equal_runs(first: &Files, second: &Files) -> Vec<Run> {
    let mut found = Vec::new();
    for (name, lines) in first {
        let mut at = 0;
        while at < lines.len() {
            let longest = second
                .iter()
                .flat_map(|(other, theirs)| {
                    (0..theirs.len()).map(move |start| (other, theirs, start))
                })
                .map(|(other, theirs, start)| {
                    let equal = lines[at..]
                        .iter()
                        .zip(&theirs[start..])
                        .take_while(|((_, ours), (_, theirs))| ours == theirs)
                        .count();
                    (equal, (other.clone(), theirs[start].0))
                })
                .max_by_key(|(equal, _)| *equal);
            match longest {
                Some((length, place)) if length >= RUN => {
                    found.push(Run { length, places: [(name.clone(), lines[at].0), place] });
                    at += length;
                }
                _ => at += 1,
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> Files {
        [("a.rs".to_owned(), code(text))].into()
    }

    fn numbered(from: usize, to: usize) -> String {
        (from..to).map(|number| format!("    line({number});\n")).collect()
    }

    #[test]
    fn eight_equal_lines_are_a_run_and_seven_are_not() {
        let ours = files(&format!("ours();\n{}ours();\n", numbered(0, 8)));
        let theirs = files(&format!("x();\ny();\n{}theirs();\n", numbered(0, 8)));
        let runs = equal_runs(&ours, &theirs);
        assert_eq!(runs.len(), 1);
        assert_eq!(runs[0].length, 8);
        assert_eq!(runs[0].places, [("a.rs".to_owned(), 2), ("a.rs".to_owned(), 3)]);
        assert_eq!(equal_runs(&files(&numbered(0, 7)), &files(&numbered(0, 7))).len(), 0);
    }

    #[test]
    fn comments_blank_lines_and_indentation_do_not_hide_a_run() {
        let theirs = format!("// x\n{}\n\n/// y\n        {}", numbered(0, 5), numbered(5, 8));
        assert_eq!(equal_runs(&files(&numbered(0, 8)), &files(&theirs)).len(), 1);
    }

    #[test]
    fn a_list_of_names_is_not_a_run_but_the_code_around_it_is() {
        let names: String = (0..9).map(|number| format!("    Name{number},\n")).collect();
        let list = files(&format!("pub use std::{{\n{names}}};\nuse x::Y;\nfn f() {{}}\n"));
        assert_eq!(equal_runs(&list, &list).len(), 1);
        assert_eq!(equal_runs(&without_uses(&list), &without_uses(&list)).len(), 0);
        let around = format!("{}use x::{{\n    Y,\n}};\n{}", numbered(0, 4), numbered(4, 8));
        let around = without_uses(&files(&around));
        assert_eq!(equal_runs(&around, &files(&numbered(0, 8))).len(), 1);
    }

    #[test]
    fn code_is_counted_without_comments_tests_and_the_service() {
        let text = "//! x\n\nfn f() {\n    g() // y\n}\n\n#[cfg(test)]\nmod tests {\n    x\n}\n";
        let mut counted = files(text);
        assert_eq!(code_lines(&counted), 3);
        counted.insert("service.rs".to_owned(), code(text));
        assert_eq!(code_lines(&counted), 3);
    }
}
