//! Named misbehaviour, for tables of tests and for the command line.
//!
//! Give the script of one to [`Provider::script`](crate::Provider::script), or let the hint of a request choose it:
//! `login_hint=fault:token-proxy-error` begins a transaction in which the person approves and this fault strikes. (Faults
//! of discovery strike before there is a hint; only a script reaches them.)

mod acknowledgement;
mod documents;
mod id_token;
mod polling;
mod token_response;

use crate::script::Script;

/// One entry of the catalogue.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Fault {
    /// A kebab-case name, stable.
    pub name: &'static str,
    /// The row of the fault menu of `spec/provider-side.md`, `F-04`.
    pub menu: &'static str,
    /// What the provider does, in a clause.
    pub summary: &'static str,
    /// How it does it.
    pub script: Script,
}

/// Every fault, in the order of the menu.
#[must_use]
pub fn all() -> Vec<Fault> {
    let mut faults = documents::faults();
    faults.extend(acknowledgement::faults());
    faults.extend(polling::faults());
    faults.extend(token_response::faults());
    faults.extend(id_token::faults());
    faults.sort_by_key(|fault| fault.menu);
    faults
}

/// The fault of that name.
#[must_use]
pub fn named(name: &str) -> Option<Fault> {
    all().into_iter().find(|fault| fault.name == name)
}

fn fault(name: &'static str, menu: &'static str, summary: &'static str, script: Script) -> Fault {
    Fault { name, menu, summary, script }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_kebab_case_and_every_script_does_something() {
        let faults = all();
        let mut names: Vec<&str> = faults.iter().map(|fault| fault.name).collect();
        assert!(
            names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'))
        );
        assert!(faults.iter().all(|fault| !fault.script.steps().is_empty() && !fault.summary.is_empty()));
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(named("never-heard-of").is_none());
    }

    #[test]
    fn every_row_of_the_menu_that_poll_mode_meets_is_served() {
        let served: Vec<&str> = all().iter().map(|fault| fault.menu).collect();
        // F-09 and F-22 to F-27 are about ping, push, sender constraint, encryption and refreshing.
        for row in (1..=21).filter(|row| *row != 9).chain([28]) {
            let menu = format!("F-{row:02}");
            assert!(served.contains(&menu.as_str()), "{menu}");
        }
    }
}
