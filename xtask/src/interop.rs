//! Runs both adapters against providers of other projects; see `interop/README.md`.
mod go_oidc;
mod keycloak;
mod oidc_provider;
mod process;

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

use process::Process;
use xshell::{Shell, cmd};

use crate::{
    gate::{Gate, Outcome, Stop},
    source, test,
};

pub(crate) const INTEROP: Gate = Gate { name: "interop", run: all };

struct Provider {
    /// The name on the command line and, with underscores, the module of its cases.
    name: &'static str,
    /// Fetches and builds what it needs, starts it and waits until it listens. It creates the
    /// directory of its run with [`certificates`], and writes `env` there: lines
    /// `CIBA_INTEROP_…=value` for the test program.
    start: fn(&Shell, &Path) -> Result<Vec<Process>, Stop>,
}

/// The last one takes longest to start. It starts while the cases of the others wait for their
/// intervals.
const PROVIDERS: [Provider; 3] = [
    Provider { name: "go-oidc", start: go_oidc::start },
    Provider { name: "oidc-provider", start: oidc_provider::start },
    Provider { name: "keycloak", start: keycloak::start },
];

/// Finds a provider by its name.
fn named(name: &str) -> Result<&'static Provider, Stop> {
    let names = PROVIDERS.map(|provider| provider.name);
    PROVIDERS
        .iter()
        .find(|provider| provider.name == name)
        .ok_or_else(|| Stop::Red(format!("there is no provider {name}, only {}", names.join(", "))))
}

fn all(sh: &Shell) -> Outcome {
    let built = build(sh);
    let [first, second, last] = &PROVIDERS;
    let outcomes = thread::scope(|scope| {
        // A shell cannot be shared between threads.
        let starting = scope.spawn(|| begin(&Shell::new()?, last));
        let others = [first, second]
            .map(|provider| begin(sh, provider).and_then(|running| check(sh, provider, running)));
        let started = starting
            .join()
            .unwrap_or_else(|_| Err(Stop::Red(format!("{} could not be started", last.name))));
        let [one, two] = others;
        [one, two, started.and_then(|running| check(sh, last, running))]
    });
    built?;
    together(PROVIDERS.iter().map(|provider| provider.name).zip(outcomes))
}

/// Runs the cases of one provider.
pub(crate) fn one(sh: &Shell, name: &str) -> Outcome {
    let provider = named(name)?;
    build(sh)?;
    let running = begin(sh, provider)?;
    check(sh, provider, running)
}

/// Starts a provider, prints how to reach it, and waits until it is stopped.
pub(crate) fn serve(sh: &Shell, name: Option<&str>) -> Outcome {
    let provider = named(name.unwrap_or("oidc-provider"))?;
    let mut running = begin(sh, provider)?;
    println!("{}", sh.read_file(directory(provider).join("env"))?);
    running.iter_mut().try_for_each(Process::wait)
}

/// Starts an oidc-provider for each scheme, and returns it with the directory of its run. It keeps
/// idle connections for as long as nginx does: with the 5 s of Node, a client on a busy machine may
/// write to a connection that is just being closed, and then the flows are not comparable.
pub(crate) fn providers_for_flows(
    sh: &Shell,
    schemes: &[&str],
) -> Result<Vec<(PathBuf, Process)>, Stop> {
    oidc_provider::install(sh)?;
    let start = |scheme: &&str| {
        let run = fresh(&format!("flows-{scheme}"))?;
        let running = oidc_provider::start_with(sh, &run, &[*scheme, "65"])?;
        Ok((run, running))
    };
    schemes.iter().map(start).collect()
}

/// Builds the test program and the command before anything else needs the processor. It uses the
/// features of the workspace, with which the tests are already compiled. The test `usage` builds the
/// command.
fn build(sh: &Shell) -> Outcome {
    cmd!(sh, "cargo test --locked --workspace --test interop --test usage --no-run")
        .quiet()
        .run()?;
    Ok(())
}

/// Returns the directory of the run: certificates, logs, and the variables of the tests.
fn directory(provider: &Provider) -> PathBuf {
    source::root().join("interop/.run").join(provider.name)
}

/// Creates an empty directory for a run.
fn fresh(name: &str) -> Result<PathBuf, Stop> {
    let run = source::root().join("interop/.run").join(name);
    let _absent = fs::remove_dir_all(&run);
    fs::create_dir_all(&run).map_err(|error| Stop::Red(format!("interop/.run: {error}")))?;
    Ok(run)
}

fn begin(sh: &Shell, provider: &Provider) -> Result<Vec<Process>, Stop> {
    sh.change_dir(source::root());
    let run = fresh(provider.name)?;
    let began = Instant::now();
    let running = (provider.start)(sh, &run)?;
    println!("{} started after {:.0} s", provider.name, began.elapsed().as_secs_f64());
    Ok(running)
}

fn check(sh: &Shell, provider: &Provider, running: Vec<Process>) -> Outcome {
    let began = Instant::now();
    let ready = sh.read_file(directory(provider).join("env"))?;
    let command =
        source::root().join("target/debug").join(format!("ciba{}", std::env::consts::EXE_SUFFIX));
    let _command = sh.push_env("CIBA_INTEROP_COMMAND", command);
    let _variables: Vec<_> =
        variables(&ready).map(|(name, value)| sh.push_env(name, value)).collect();
    let module = format!("{}::", provider.name.replace('-', "_"));
    let outcome = test::shown(sh, &["--workspace", "--test", "interop"], &["--ignored", &module]);
    let memory: Vec<_> =
        running.iter().filter_map(Process::memory).map(|mib| format!("{mib} MiB")).collect();
    println!(
        "{}: {:.0} s, at most {} of memory",
        provider.name,
        began.elapsed().as_secs_f64(),
        memory.join(" and ")
    );
    outcome.map_err(|_| {
        Stop::Red(format!(
            "a case of {} failed, see above; its log is in interop/.run/{0}",
            provider.name
        ))
    })
}

/// Combines outcomes. One red outcome makes the result red; otherwise a missing tool is reported.
fn together<'a>(outcomes: impl Iterator<Item = (&'a str, Outcome)>) -> Outcome {
    let (mut red, mut missing) = (Vec::new(), Vec::new());
    for (name, outcome) in outcomes {
        match outcome {
            Ok(()) => {}
            Err(Stop::Red(why)) => red.push(format!("{name}: {why}")),
            Err(Stop::Missing(why) | Stop::NotRun(why)) => missing.push(format!("{name}: {why}")),
        }
    }
    match (red.is_empty(), missing.is_empty()) {
        (true, true) => Ok(()),
        (true, false) => Err(Stop::Missing(missing.join("; "))),
        (false, _) => Err(Stop::Red([red, missing].concat().join("\n"))),
    }
}

/// Creates a certificate authority for the run, and the certificates that it issues.
fn certificates(sh: &Shell, run: &Path) -> Outcome {
    node(sh)?;
    cmd!(sh, "node interop/tls.mjs {run}")
        .quiet()
        .run()
        .map_err(|_| Stop::Missing("the certificates could not be created: install openssl".into()))
}

fn node(sh: &Shell) -> Outcome {
    cmd!(sh, "node --version")
        .quiet()
        .ignore_stdout()
        .run()
        .map_err(|_| Stop::Missing("install Node.js 20 or newer (node and npm)".into()))
}

fn variables(ready: &str) -> impl Iterator<Item = (&str, &str)> {
    ready.lines().filter_map(|line| line.split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_line_by_line() {
        let read: Vec<_> = variables("A=https://x/?y=1\nnothing\n").collect();
        assert_eq!(read, [("A", "https://x/?y=1")]);
    }

    #[test]
    fn one_failed_or_missing_provider_fails_the_gate() {
        let red = || Err(Stop::Red("failed".into()));
        let missing = || Err(Stop::Missing("install it".into()));
        assert!(together([("a", Ok(())), ("b", Ok(()))].into_iter()).is_ok());
        assert!(
            matches!(together([("a", Ok(())), ("b", missing())].into_iter()), Err(Stop::Missing(why)) if why == "b: install it")
        );
        assert!(
            matches!(together([("a", red()), ("b", missing())].into_iter()), Err(Stop::Red(why)) if why == "a: failed\nb: install it")
        );
    }
}
