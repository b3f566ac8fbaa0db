//! Compares the number of crates in the dependency tree of each feature set with a committed file, so
//! that a tree grows only on purpose.
use std::collections::BTreeSet;

use xshell::{Shell, cmd};

use crate::gate::{Gate, Outcome, Stop, findings};

pub(crate) const CRATES: Gate = Gate { name: "crates", run: crates };

const FILE: &str = "xtask/crate-counts.txt";

/// The name in the file, the package, and the arguments for cargo.
const SETS: [(&str, &str, &str); 9] = [
    ("ciba-core, bare", "ciba-core", "--no-default-features"),
    ("ciba-core, aws-lc-rs only", "ciba-core", "--no-default-features --features aws-lc-rs"),
    (
        "ciba-core, RustCrypto without rsa",
        "ciba-core",
        "--no-default-features --features std,rustcrypto",
    ),
    ("ciba-core, default", "ciba-core", ""),
    ("ciba-core, all features", "ciba-core", "--all-features"),
    ("ciba-std, with rustls", "ciba-std", "--features rustls"),
    ("ciba-reqwest, default", "ciba-reqwest", ""),
    ("ciba-reqwest, with tower", "ciba-reqwest", "--features tower"),
    ("ciba-ureq, default", "ciba-ureq", ""),
];

/// A package, a crate that must not be in its tree of normal dependencies, and the reason.
/// `deny.toml` has one graph of the whole workspace, so it cannot express this.
const KEPT_OUT: [(&str, &str, &str); 2] = [
    ("ciba-cli", "ring", "it would be a second, unused TLS provider beside aws-lc-rs"),
    ("ciba-reqwest", "ring", "its TLS provider is aws-lc-rs"),
];

fn crates(sh: &Shell) -> Outcome {
    let file = sh.read_file(FILE)?;
    let counted = count(sh)?;
    let mut found = compare(&file, &counted);
    for (package, name, why) in KEPT_OUT {
        let tree =
            cmd!(sh, "cargo tree --locked -p {package} -e normal --target all --prefix none")
                .quiet()
                .read()?;
        found.extend(kept_out(&tree, package, name, why));
    }
    findings(found)
}

fn kept_out(tree: &str, package: &str, name: &str, why: &str) -> Option<String> {
    let is_there = distinct(tree).iter().any(|(found, _)| *found == name);
    is_there.then(|| {
        format!("{name} is in the dependency tree of {package} (cargo tree -p {package} -e normal -i {name}): {why}")
    })
}

/// Writes the file.
pub(crate) fn bless(sh: &Shell) -> Outcome {
    let mut text = String::from(
        "# Crates in the normal dependency tree on x86_64 Linux, proc macros included, the package itself excluded.\n\
         # `cargo xtask crates` compares, `cargo xtask crates --bless` writes; growth needs a reason in the commit.\n",
    );
    for (name, found) in count(sh)? {
        text.push_str(&format!("{found:4}  {name}\n"));
    }
    sh.write_file(FILE, text)?;
    Ok(())
}

fn count(sh: &Shell) -> Result<Vec<(&'static str, usize)>, Stop> {
    let mut counted = Vec::new();
    for (name, package, features) in SETS {
        let features = features.split_whitespace();
        let tree = cmd!(
            sh,
            "cargo tree --locked -p {package} {features...} -e normal --target x86_64-unknown-linux-gnu --prefix none"
        )
        .quiet()
        .read()?;
        counted.push((name, distinct(&tree).len().saturating_sub(1)));
    }
    Ok(counted)
}

/// Returns the name and version of every package in the output of `cargo tree --prefix none`.
pub(crate) fn distinct(tree: &str) -> BTreeSet<(&str, &str)> {
    tree.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        })
        .collect()
}

fn compare(file: &str, counted: &[(&str, usize)]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, count) in counted {
        let allowed = file.lines().find_map(|line| {
            let (number, rest) = line.trim().split_once("  ")?;
            (rest == *name).then(|| number.parse::<usize>().ok()).flatten()
        });
        match allowed {
            None => found.push(format!("{FILE} has no line for {name}")),
            Some(allowed) if allowed != *count => {
                found.push(format!(
                    "{name}: {count} crates, {FILE} says {allowed} (cargo xtask crates --bless)"
                ));
            }
            Some(_) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_and_a_missing_line_are_found() {
        let file = "# x\n  14  core, bare\n";
        assert_eq!(compare(file, &[("core, bare", 14)]), Vec::<String>::new());
        assert_eq!(compare(file, &[("core, bare", 15)]).len(), 1);
        assert_eq!(compare(file, &[("core, full", 14)]).len(), 1);
    }

    #[test]
    fn a_banned_crate_is_found() {
        assert_eq!(
            kept_out("ciba-cli v0.1.0\nrustls v0.23.0\n", "ciba-cli", "ring", "twice"),
            None
        );
        assert!(kept_out("ciba-cli v0.1.0\nring v0.17.0\n", "ciba-cli", "ring", "twice").is_some());
    }

    #[test]
    fn a_package_is_counted_once_per_version() {
        let tree = "a v1 (/x)\nsyn v2\nsyn v2 (*)\nsyn v3 (proc-macro)\n";
        assert_eq!(distinct(tree).len(), 3);
    }
}
