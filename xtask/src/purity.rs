//! Checks that core has no clock, no randomness and no sockets: in its dependency tree, in its
//! sources, and among the imports of a compiled module.
use std::fs;

use xshell::{Shell, cmd};

use crate::{
    crates,
    gate::{Gate, Outcome, Stop, findings},
    source::{self, Strings},
    tools, wasm,
};

pub(crate) const PURITY: Gate = Gate { name: "purity", run: purity };

const FORBIDDEN_CRATES: [&str; 6] = ["getrandom", "rand", "fastrand", "tokio", "mio", "socket2"];

/// The first is allowed in the one file that converts to and from the time types of the standard
/// library.
const FORBIDDEN_WORDS: [&str; 6] =
    ["std::time", "SystemTime::now", "Instant", "std::net", "std::thread", "std::env::var"];

const CONVERSIONS: &str = "crates/ciba-core/src/time.rs";

const TARGET: &str = "wasm32-unknown-unknown";

fn purity(sh: &Shell) -> Outcome {
    // Without the feature `aws-lc-rs`, whose documentation says that it uses its own randomness.
    let tree = cmd!(
        sh,
        "cargo tree --locked -p ciba-core --features http -e normal --target all --prefix none"
    )
    .quiet()
    .read()?;
    let mut found = forbidden_crates(&tree);
    for path in source::files(&source::root().join("crates/ciba-core/src"), "rs") {
        let text = fs::read_to_string(&path).unwrap_or_default();
        found.extend(forbidden_words(&source::shown(&path), &text));
    }
    findings(found)?;

    tools::target(sh, TARGET)?;
    cmd!(
        sh,
        "cargo build --locked -p ciba-core --lib --no-default-features --features rustcrypto-rsa --target {TARGET}"
    )
    .run()?;
    cmd!(sh, "cargo build --locked -p wasm-driver --target {TARGET}").run()?;
    let directory =
        sh.var_os("CARGO_TARGET_DIR").map_or_else(|| source::root().join("target"), Into::into);
    let module = fs::read(directory.join(TARGET).join("debug/wasm-driver.wasm"))
        .map_err(|error| Stop::Red(format!("the wasm driver was not built: {error}")))?;
    findings(imported(&module))
}

fn forbidden_crates(tree: &str) -> Vec<String> {
    crates::distinct(tree)
        .into_iter()
        .filter(|(name, _)| FORBIDDEN_CRATES.contains(name))
        .map(|(name, version)| format!("{name} {version} is in the dependency tree of ciba-core"))
        .collect()
}

fn forbidden_words(name: &str, text: &str) -> Vec<String> {
    let code = source::code(source::without_tests(text), Strings::Drop);
    let skip = usize::from(name == CONVERSIONS);
    let lines = code.lines().enumerate();
    lines
        .flat_map(|(number, line)| {
            let words = FORBIDDEN_WORDS.iter().skip(skip).filter(move |word| line.contains(**word));
            words.map(move |word| format!("{name}:{}: {word} is not allowed in core", number + 1))
        })
        .collect()
}

fn imported(module: &[u8]) -> Vec<String> {
    match wasm::imports(module) {
        Ok(imports) => {
            imports.into_iter().map(|what| format!("the wasm driver imports {what}")).collect()
        }
        Err(why) => vec![format!("the wasm driver: {why}")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_of_randomness_in_the_tree_is_found() {
        assert_eq!(forbidden_crates("ciba-core v0.1.0\nrand_core v0.10.1\n"), Vec::<String>::new());
        assert_eq!(forbidden_crates("ciba-core v0.1.0\ngetrandom v0.4.3 (*)\n").len(), 1);
    }

    #[test]
    fn a_clock_in_the_sources_is_found() {
        assert_eq!(forbidden_words("a.rs", "let now = std::time::Instant::now();").len(), 2);
        assert_eq!(
            forbidden_words(
                CONVERSIONS,
                "fn f(t: std::time::SystemTime) {} let now = SystemTime::now();"
            )
            .len(),
            1
        );
        assert_eq!(forbidden_words("a.rs", "/// like std::time::Instant"), Vec::<String>::new());
    }

    #[test]
    fn an_import_and_a_broken_module_are_found() {
        let module = b"\0asm\x01\0\0\0\x02\x0b\x01\x03env\x03now\x00\x05";
        assert_eq!(imported(module), ["the wasm driver imports env.now"]);
        assert_eq!(imported(b"").len(), 1);
        assert_eq!(imported(b"\0asm\x01\0\0\0"), Vec::<String>::new());
    }
}
