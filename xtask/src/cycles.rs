//! Import cycles between the files of a crate. The files of a cycle are one file in pieces.
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use crate::{
    imports::{Crate, Use},
    source::PUBLISHED,
};

/// The phases of the flow, which refer to each other: a phase returns the next one.
const PHASES: [&str; 7] = [
    "flow::adrift",
    "flow::authorizing",
    "flow::pending",
    "flow::phase",
    "flow::redeeming",
    "flow::settled",
    "flow::verifying",
];

/// The result of [`check`].
pub(crate) struct Cycles {
    /// A summary in one line.
    pub(crate) result: String,
    pub(crate) forbidden: Vec<String>,
}

/// Checks every published crate.
pub(crate) fn check(root: &Path) -> Cycles {
    let mut results = Vec::new();
    let mut found = Vec::new();
    for package in PUBLISHED {
        let uses = Crate::read(&root.join("crates").join(package).join("src")).uses();
        let cycles = cycles(&uses);
        let (allowed, forbidden): (Vec<_>, Vec<_>) =
            cycles.iter().partition(|cycle| package == "ciba-core" && are_phases(cycle));
        results.push(match (allowed.len(), forbidden.len()) {
            (0, 0) => format!("{package} none"),
            (0, forbidden) => format!("{package} {forbidden}"),
            (_, 0) => format!("{package} the phases of the flow only"),
            (_, forbidden) => format!("{package} the phases of the flow and {forbidden}"),
        });
        found.extend(forbidden.into_iter().map(|cycle| shown(package, cycle, &uses)));
    }
    Cycles { result: format!("import cycles: {}", results.join(", ")), forbidden: found }
}

fn are_phases(cycle: &BTreeSet<String>) -> bool {
    cycle.iter().all(|module| PHASES.contains(&module.as_str()))
}

/// Returns the sets of files that reach each other.
fn cycles(uses: &BTreeSet<Use>) -> Vec<BTreeSet<String>> {
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for Use { by, of, .. } in uses {
        next.entry(by).or_default().insert(of);
    }
    let reached: BTreeMap<_, _> = next.keys().map(|from| (*from, reach(from, &next))).collect();
    let mut found: Vec<BTreeSet<String>> = Vec::new();
    for (from, theirs) in &reached {
        if !theirs.contains(from) || found.iter().any(|cycle| cycle.contains(*from)) {
            continue;
        }
        let returns = |module: &&&str| reached.get(**module).is_some_and(|own| own.contains(from));
        found.push(theirs.iter().filter(returns).map(|module| (*module).to_owned()).collect());
    }
    found
}

fn reach<'a>(from: &'a str, next: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open = vec![from];
    while let Some(module) = open.pop() {
        for of in next.get(module).into_iter().flatten() {
            if found.insert(*of) {
                open.push(*of);
            }
        }
    }
    found
}

fn shown(package: &str, cycle: &BTreeSet<String>, uses: &BTreeSet<Use>) -> String {
    let mut names: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for Use { by, of, name } in uses {
        if cycle.contains(by) && cycle.contains(of) {
            names.entry((by, of)).or_default().push(name);
        }
    }
    let root = |module: &str| if module.is_empty() { "the root" } else { module }.to_owned();
    let lines = names.into_iter().map(|((by, of), names)| {
        format!("\n    {} -> {}: {}", root(by), root(of), names.join(", "))
    });
    format!("{package}: a cycle of {} files{}", cycle.len(), lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(pairs: &[(&str, &str)]) -> BTreeSet<Use> {
        pairs
            .iter()
            .map(|(by, of)| Use { by: (*by).into(), of: (*of).into(), name: "X".into() })
            .collect()
    }

    #[test]
    fn files_that_reach_each_other_are_a_cycle() {
        let found = cycles(&uses(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("e", "a")]));
        assert_eq!(found, [["a", "b", "c"].map(str::to_owned).into()]);
        assert_eq!(cycles(&uses(&[("a", "b"), ("b", "c"), ("a", "c")])), []);
        let two = cycles(&uses(&[("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "c")]));
        assert_eq!(two.len(), 2);
    }

    #[test]
    fn a_cycle_is_allowed_only_among_phases() {
        let set = |modules: &[&str]| modules.iter().map(|&module| module.to_owned()).collect();
        assert!(are_phases(&set(&["flow::pending", "flow::phase"])));
        assert!(!are_phases(&set(&["flow", "flow::pending", "flow::phase"])));
    }

    #[test]
    fn a_cycle_is_shown_with_the_names_that_form_it() {
        let uses = uses(&[("a", ""), ("", "a"), ("a", "b")]);
        assert_eq!(
            shown("p", &cycles(&uses)[0], &uses),
            "p: a cycle of 2 files\n    the root -> a: X\n    a -> the root: X"
        );
    }
}
