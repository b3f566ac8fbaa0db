//! Compiles every fuzz target, and the program that writes seeds, and runs the targets on their
//! committed corpus.
use std::{
    fs,
    sync::{Mutex, PoisonError},
    thread,
};

use xshell::{Shell, cmd};

use crate::{
    gate::{Gate, Outcome, Stop},
    source, tools,
};

pub(crate) const FUZZ: Gate = Gate { name: "fuzz", run: |sh| fuzz(sh, SMOKE_SECONDS, None) };

/// The time for each target in `cargo xtask ci`.
pub(crate) const SMOKE_SECONDS: u64 = 10;

/// Runs every target, or only the named one, for this many seconds.
pub(crate) fn fuzz(sh: &Shell, seconds: u64, only: Option<&str>) -> Outcome {
    let manifest = sh.read_file("fuzz/Cargo.toml")?;
    let mut targets = targets(&manifest);
    targets.retain(|target| only.is_none_or(|only| only == *target));
    if targets.is_empty() {
        return Err(Stop::Red("fuzz/Cargo.toml has no such target".into()));
    }
    for target in &targets {
        let seeds = source::root().join("fuzz/corpus").join(target);
        if fs::read_dir(&seeds).map_or(0, Iterator::count) == 0 {
            return Err(Stop::Red(format!("fuzz/corpus/{target}: there is no committed corpus")));
        }
    }
    tools::CARGO_FUZZ.ensure(sh)?;
    tools::toolchain(sh, "nightly").map_err(|stop| match stop {
        Stop::NotRun(why) => Stop::Missing(why),
        other => other,
    })?;
    cmd!(sh, "rustup run nightly cargo fuzz build").run()?;
    // `cargo fuzz build` leaves out the program that writes the seeds.
    cmd!(sh, "rustup run nightly cargo check --locked --manifest-path fuzz/Cargo.toml --examples")
        .run()?;
    // Each target uses one processor.
    let next = Mutex::new(targets.into_iter());
    let work = || -> Outcome {
        let sh = Shell::new()?;
        sh.change_dir(source::root());
        loop {
            let target = next.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(target) = target else { return Ok(()) };
            run(&sh, target, seconds)?;
        }
    };
    thread::scope(|scope| {
        let other = scope.spawn(work);
        let outcome = work();
        other
            .join()
            .unwrap_or_else(|_| Err(Stop::Red("a thread that ran targets panicked".into())))
            .and(outcome)
    })
}

fn run(sh: &Shell, target: &str, seconds: u64) -> Outcome {
    // libFuzzer writes new inputs to the first directory, which git ignores. The committed corpus
    // does not change.
    let grown = format!("fuzz/target/corpus/{target}");
    sh.create_dir(&grown)?;
    let seeds = format!("fuzz/corpus/{target}");
    let seconds = format!("-max_total_time={seconds}");
    cmd!(sh, "rustup run nightly cargo fuzz run {target} {grown} {seeds} -- {seconds} -timeout=10 -rss_limit_mb=2048 -verbosity=0")
        .run()
        .map_err(|_| Stop::Red(format!("{target} failed: the input is in fuzz/artifacts/{target}")))
}

fn targets(manifest: &str) -> Vec<&str> {
    manifest
        .split("[[bin]]")
        .skip(1)
        .filter_map(|bin| bin.split("name = \"").nth(1)?.split('"').next())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_binaries() {
        let manifest = "[package]\nname = \"x\"\n[[bin]]\nname = \"a\"\npath = \"a.rs\"\n[[bin]]\nname = \"b\"\n";
        assert_eq!(targets(manifest), ["a", "b"]);
    }

    #[test]
    fn every_target_file_is_in_the_manifest_and_states_its_invariant() {
        let root = source::root().join("fuzz");
        let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
        let declared = targets(&manifest);
        for path in source::files(&root.join("fuzz_targets"), "rs") {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let text = fs::read_to_string(&path).unwrap();
            assert!(declared.contains(&name), "{name} is not in fuzz/Cargo.toml");
            assert!(
                text.starts_with("//! Invariant: "),
                "{name} does not start with its invariant"
            );
        }
    }
}
