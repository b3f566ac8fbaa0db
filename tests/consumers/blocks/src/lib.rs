//! Takes the code blocks out of a README, for build scripts.

use std::{env, fs, path::Path};

/// Writes the `nth` Rust block (from 0) of a README as `name.rs` into `OUT_DIR`. With `issuer`, the
/// provider that the block names is replaced by the one in that environment variable; hidden stubs
/// that only panic are left out, the package brings functions of the same names that work.
///
/// # Panics
///
/// When the README has no such block: the build fails.
pub fn write(readme: &str, nth: usize, issuer: Option<&str>, name: &str) {
    println!("cargo::rerun-if-changed={readme}");
    let text = fs::read_to_string(readme).unwrap_or_else(|error| panic!("{readme}: {error}"));
    let block =
        rust_blocks(&text).nth(nth).unwrap_or_else(|| panic!("{readme} has no Rust block {nth}"));
    let out =
        Path::new(&env::var_os("OUT_DIR").expect("run by cargo")).join(name).with_extension("rs");
    fs::write(out, program(&block, issuer)).expect("OUT_DIR can be written");
}

fn rust_blocks(text: &str) -> impl Iterator<Item = String> {
    text.split("```rust").skip(1).filter_map(|rest| {
        let (_, rest) = rest.split_once('\n')?;
        Some(rest.split_once("```")?.0.to_owned())
    })
}

fn program(block: &str, issuer: Option<&str>) -> String {
    let shown = |line: &str| {
        line.strip_prefix("# ").or_else(|| (line == "#").then_some("")).unwrap_or(line).to_owned()
    };
    let code: Vec<String> = block
        .lines()
        .map(shown)
        .filter(|line| !(line.starts_with("fn ") && line.contains("{ panic!() }")))
        .collect();
    let mut code = code.join("\n");
    if let Some(variable) = issuer {
        let named = format!("&std::env::var({variable:?})?");
        code = code.replace("\"https://op.example\"", &named);
        code = code.replace("\"example.test.idura.broker\"", &named);
    }
    // Statements without a function around them are included as one expression.
    if code.contains("fn example") || code.contains("fn main") {
        code
    } else {
        format!("{{\n{code}\n}}")
    }
}
