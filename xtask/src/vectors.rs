//! Runs the JOSE vectors and prints their table: agree, unsupported (with a reason), contradicted.
use xshell::Shell;

use crate::{
    gate::{Gate, Outcome, Stop},
    test,
};

pub(crate) const VECTORS: Gate = Gate { name: "vectors", run: vectors };

fn vectors(sh: &Shell) -> Outcome {
    // With the features of the workspace, with which the tests are already compiled.
    test::shown(sh, &["--workspace", "--test", "vectors"], &[])
        .map_err(|_| Stop::Red("a vector is contradicted, or none ran".into()))
}
