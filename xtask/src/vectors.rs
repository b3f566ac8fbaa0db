//! The JOSE vectors and their table: agree, unsupported (with a reason), contradicted.
use xshell::{Shell, cmd};

use crate::gate::{Gate, Outcome, Stop};

pub(crate) const VECTORS: Gate = Gate { name: "vectors", run: vectors };

fn vectors(sh: &Shell) -> Outcome {
    let output = cmd!(sh, "cargo test --locked -p ciba-tests --test vectors -- --nocapture --test-threads=1")
        .ignore_status()
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        return Err(Stop::Red("a vector is contradicted, or the test did not compile".into()));
    }
    if ran(&text) { Ok(()) } else { Err(Stop::Red("no vector test ran".into())) }
}

/// A filter that matches nothing is green for cargo, not for us.
fn ran(output: &str) -> bool {
    output.lines().any(|line| line.starts_with("test result: ok.") && !line.contains(" 0 passed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_run_is_not_green() {
        assert!(ran("test result: ok. 3 passed; 0 failed"));
        assert!(!ran("test result: ok. 0 passed; 0 failed"));
        assert!(!ran(""));
    }
}
