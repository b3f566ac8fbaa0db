//! Named faults, for tables of tests and for the command line.
//!
//! Install the script of a fault with [`Provider::script`](crate::Provider::script), or let the hint
//! of a request choose it: `login_hint=fault:token-proxy-error` begins a transaction in which the
//! user approves and this fault occurs. Faults of metadata and key sets occur before there is a
//! hint, so they need a script.

mod acknowledgement;
mod documents;
mod dpop;
mod entry;
mod id_token;
mod notification;
mod polling;
mod token_response;

pub use entry::Fault;

/// Returns every fault of poll mode, sorted by number. Most of them also occur in ping mode.
#[must_use]
pub fn all() -> Vec<Fault> {
    let mut faults = documents::faults();
    faults.extend(acknowledgement::faults());
    faults.extend(polling::faults());
    faults.extend(token_response::faults());
    faults.extend(id_token::faults());
    sorted(faults)
}

/// Returns every fault of pings, sorted by number.
#[must_use]
pub fn ping() -> Vec<Fault> {
    sorted([notification::both(), notification::ping()].concat())
}

/// Returns every fault of pushes, sorted by number. Those of refresh tokens need the scope
/// `offline_access`.
#[must_use]
pub fn push() -> Vec<Fault> {
    sorted([notification::both(), notification::push()].concat())
}

/// Returns every fault that concerns DPoP. They need a client with proofs.
#[must_use]
pub fn dpop() -> Vec<Fault> {
    dpop::faults()
}

fn sorted(mut faults: Vec<Fault>) -> Vec<Fault> {
    faults.sort_by_key(|fault| fault.menu);
    faults
}

/// Returns the fault with this name.
#[must_use]
pub fn named(name: &str) -> Option<Fault> {
    let all = all().into_iter().chain(ping()).chain(notification::push()).chain(dpop());
    all.into_iter().find(|fault| fault.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_kebab_case_and_every_script_does_something() {
        let faults = [all(), ping(), notification::push(), dpop()].concat();
        let mut names: Vec<&str> = faults.iter().map(|fault| fault.name).collect();
        assert!(names.iter().all(|name| {
            name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        }));
        assert!(
            faults
                .iter()
                .all(|fault| !fault.script.steps().is_empty() && !fault.summary.is_empty())
        );
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(named("never-heard-of").is_none());
    }

    #[test]
    fn every_listed_fault_up_to_push_is_implemented() {
        let served: Vec<&str> =
            [all(), ping(), push(), dpop()].concat().iter().map(|fault| fault.menu).collect();
        // F-25 to F-27 are about TLS, encryption and refreshing.
        for row in (1..=24).chain([28, 29]) {
            let menu = format!("F-{row:02}");
            assert!(served.contains(&menu.as_str()), "{menu}");
        }
    }
}
