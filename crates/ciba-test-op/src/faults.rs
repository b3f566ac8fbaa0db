//! Named misbehaviour, for tables of tests and for the command line.

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
    Vec::new()
}

/// The fault of that name.
#[must_use]
pub fn named(name: &str) -> Option<Fault> {
    all().into_iter().find(|fault| fault.name == name)
}
