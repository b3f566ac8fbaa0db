//! Runs gates one after the other and prints a table.
use std::time::{Duration, Instant};

use xshell::Shell;

/// A check that every change has to pass.
#[derive(Clone, Copy)]
pub(crate) struct Gate {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Shell) -> Outcome,
}

/// Why a gate did not pass.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A rule is broken, or a tool failed.
    Red(String),
    /// A tool that the gate needs is not installed and could not be installed.
    Missing(String),
    /// The gate needs a download by rustup, which failed. The parts that need no download passed.
    NotRun(String),
}

pub(crate) type Outcome = Result<(), Stop>;

impl From<xshell::Error> for Stop {
    fn from(error: xshell::Error) -> Self {
        Self::Red(error.to_string())
    }
}

/// Returns red with one finding per line, or `Ok` if there is none.
pub(crate) fn findings(found: Vec<String>) -> Outcome {
    if found.is_empty() { Ok(()) } else { Err(Stop::Red(found.join("\n"))) }
}

/// Runs every gate, even after a red one, and prints a table. Returns true if none is red.
pub(crate) fn run(sh: &Shell, gates: &[Gate], allow_missing: bool) -> bool {
    let began = Instant::now();
    let mut table = Vec::new();
    for gate in gates {
        eprintln!("\n== {}", gate.name);
        let began = Instant::now();
        let outcome = (gate.run)(sh);
        if let Err(Stop::Red(why) | Stop::Missing(why) | Stop::NotRun(why)) = &outcome {
            eprintln!("{}: {why}", gate.name);
        }
        table.push((gate.name, began.elapsed(), outcome));
    }
    println!();
    let (lines, green) = summary(&table, allow_missing);
    for line in lines {
        println!("{line}");
    }
    if gates.len() > 1 {
        println!("{:14} {:>6}", "all", minutes(began.elapsed()));
    }
    // Printed last, because a gate that did not run leaves the table green.
    for (name, _, outcome) in &table {
        if let Err(Stop::NotRun(why)) = outcome {
            println!("not run: {name}: {}", first_line(why));
        }
    }
    green
}

/// Reports one gate without a table.
pub(crate) fn report(name: &str, outcome: Outcome) -> bool {
    match outcome {
        Ok(()) => true,
        Err(Stop::Red(why) | Stop::Missing(why) | Stop::NotRun(why)) => {
            eprintln!("{name}: {why}");
            false
        }
    }
}

fn summary(table: &[(&str, Duration, Outcome)], allow_missing: bool) -> (Vec<String>, bool) {
    let mut green = true;
    let lines = table.iter().map(|(name, took, outcome)| {
        let word = match outcome {
            Ok(()) => "ok".to_owned(),
            Err(Stop::Red(why)) => {
                green = false;
                format!("RED      {}", first_line(why))
            }
            Err(Stop::Missing(why)) => {
                green &= allow_missing;
                format!("missing  {}", first_line(why))
            }
            Err(Stop::NotRun(why)) => format!("not run  {}", first_line(why)),
        };
        format!("{name:14} {:>6}  {word}", minutes(*took))
    });
    (lines.collect(), green)
}

fn minutes(took: Duration) -> String {
    format!("{:.1} min", took.as_secs_f64() / 60.0)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_fails_the_gate_unless_allowed() {
        let red = || Err(Stop::Red("x".into()));
        let missing = || Err(Stop::Missing("x".into()));
        let cases = [
            (vec![("a", Duration::ZERO, Ok(()))], false, true),
            (vec![("a", Duration::ZERO, red()), ("b", Duration::ZERO, Ok(()))], true, false),
            (vec![("a", Duration::ZERO, missing())], false, false),
            (vec![("a", Duration::ZERO, missing())], true, true),
            (vec![("a", Duration::ZERO, Err(Stop::NotRun("x".into())))], false, true),
        ];
        for (table, allow_missing, green) in cases {
            assert_eq!(summary(&table, allow_missing).1, green, "{table:?}");
        }
    }
}
