//! One entry of the catalogue.

use crate::script::Script;

/// One entry of the catalogue.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Fault {
    /// A kebab-case name, stable.
    pub name: &'static str,
    /// Its number in the list of faults, for example `F-04`.
    pub menu: &'static str,
    /// What the provider does, in a few words.
    pub summary: &'static str,
    /// The script that makes the provider do it.
    pub script: Script,
}

pub(super) fn fault(
    name: &'static str,
    menu: &'static str,
    summary: &'static str,
    script: Script,
) -> Fault {
    Fault { name, menu, summary, script }
}
