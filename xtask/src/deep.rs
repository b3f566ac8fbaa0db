//! Checks that take too long for every change: many random operations, every scenario with a store
//! that fails at each save, long fuzzing, benchmarks.
use std::fmt::Write as _;

use xshell::{Cmd, Shell, cmd};

use crate::{
    flows, fuzz,
    gate::{Outcome, Stop, report},
    test, tools,
};

const FIGURES: &str = "docs/figures.md";

/// Runs everything.
pub(crate) fn deep(sh: &Shell, ops: u64, fuzz_seconds: u64) -> bool {
    let all = [
        ("properties", properties(sh, ops)),
        ("stores", stores(sh)),
        ("fuzz", fuzz::fuzz(sh, fuzz_seconds, None)),
        ("bench", bench(sh)),
    ];
    all.into_iter().fold(true, |green, (name, outcome)| report(name, outcome) && green)
}

/// The property tests read `CIBA_DEEP_OPS`: how many random operations each of them performs.
fn properties(sh: &Shell, ops: u64) -> Outcome {
    let _ops = sh.push_env("CIBA_DEEP_OPS", ops.to_string());
    // Optimized, with the checks of a debug build.
    let _overflow = sh.push_env("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true");
    let _asserts = sh.push_env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true");
    test::shown(sh, &["--release", "-p", "ciba-tests", "--test", "flow_properties"], &[])
}

/// The scenarios read `CIBA_DEEP_STORES`: each row runs with a store that fails at each of its saves,
/// once or from then on, in core and over both adapters.
fn stores(sh: &Shell) -> Outcome {
    let _all = sh.push_env("CIBA_DEEP_STORES", "1");
    test::shown(sh, &["--release", "-p", "ciba-tests", "--test", "scenarios"], &[])
}

/// Compares the figures with their targets, for each backend of the peers, measures whole flows, wall
/// time and instruction counts, and writes all of it to the page, with the commit.
pub(crate) fn bench(sh: &Shell) -> Outcome {
    let mut page = header(sh);
    let outcome = bench_into(sh, &mut page);
    sh.write_file(FIGURES, page)?;
    outcome
}

/// Runs all benchmarks, so that one missed target does not hide another.
fn bench_into(sh: &Shell, page: &mut String) -> Outcome {
    const MANIFEST: &str = "benches/Cargo.toml";
    let mut outcomes = Vec::new();
    for peers in ["peers-rustcrypto", "peers-aws-lc-rs"] {
        let features = ["--no-default-features", "--features", peers];
        let figures = cmd!(
            sh,
            "cargo run --release --manifest-path {MANIFEST} {features...} --bin figures -- --check"
        );
        outcomes.push(keep(figures, page));
    }
    outcomes
        .push(keep(cmd!(sh, "cargo run --release --manifest-path {MANIFEST} --bin memory"), page));
    outcomes.push(flows::flows(sh, page));
    outcomes.push(keep(cmd!(sh, "cargo bench --manifest-path {MANIFEST} --bench wall"), page));
    outcomes.push(instructions(sh, page));
    outcomes.into_iter().collect()
}

fn instructions(sh: &Shell, page: &mut String) -> Outcome {
    tools::GUNGRAUN_RUNNER.ensure(sh)?;
    if cmd!(sh, "valgrind --version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        return Err(Stop::Missing(
            "valgrind is not installed, and instruction counts need it".into(),
        ));
    }
    keep(cmd!(sh, "cargo bench --manifest-path benches/Cargo.toml --bench instructions"), page)
}

/// Runs a command, shows its standard output and adds it to the page, also if a target is missed.
fn keep(command: Cmd<'_>, page: &mut String) -> Outcome {
    let said = command.to_string();
    let output = command.ignore_status().output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    let _ = writeln!(page, "`{said}`:\n\n```text\n{}\n```\n", text.trim_end());
    if output.status.success() { Ok(()) } else { Err(Stop::Red(format!("{said} failed"))) }
}

fn header(sh: &Shell) -> String {
    let commit = cmd!(sh, "git rev-parse HEAD").quiet().read().unwrap_or_else(|_| "unknown".into());
    let dirty = !cmd!(sh, "git status --porcelain").quiet().read().unwrap_or_default().is_empty();
    let changed = if dirty { ", with changes that are not committed" } else { "" };
    format!("# Figures\n\nWritten by `cargo xtask bench` at commit {commit}{changed}.\n\n")
}
