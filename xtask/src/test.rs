//! Runs tests.
use xshell::{Shell, cmd};

use crate::gate::{Gate, Outcome, Stop};

pub(crate) const TEST: Gate = Gate { name: "test", run: test };

fn test(sh: &Shell) -> Outcome {
    cmd!(sh, "cargo test --locked --workspace --no-fail-fast").run().map_err(|_| {
        Stop::Red("a test failed, see above: run one alone with cargo test -p <package> <name> -- --nocapture".into())
    })
}

/// Runs some tests and shows their output. Red if no test ran: cargo accepts a filter that matches
/// nothing.
pub(crate) fn shown(sh: &Shell, select: &[&str], harness: &[&str]) -> Outcome {
    let output =
        cmd!(sh, "cargo test --locked {select...} -- --nocapture --test-threads=1 {harness...}")
            .ignore_status()
            .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    if output.status.success() && ran(&text) {
        Ok(())
    } else {
        Err(Stop::Red("a test failed, no test ran, or the tests do not compile".into()))
    }
}

fn ran(output: &str) -> bool {
    output.lines().any(|line| line.starts_with("test result: ok.") && !line.contains(" 0 passed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_tests_fails() {
        assert!(ran("test result: ok. 3 passed; 0 failed"));
        assert!(!ran("test result: ok. 0 passed; 0 failed"));
        assert!(!ran(""));
    }
}
