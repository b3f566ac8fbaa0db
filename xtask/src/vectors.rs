//! The JOSE vectors and their table: agree, unsupported (with a reason), contradicted.
use xshell::Shell;

use crate::{
    gate::{Gate, Outcome, Stop},
    test,
};

pub(crate) const VECTORS: Gate = Gate { name: "vectors", run: vectors };

fn vectors(sh: &Shell) -> Outcome {
    // Of the whole workspace, as the tests were compiled.
    test::shown(sh, &["--workspace", "--test", "vectors"], &[])
        .map_err(|_| Stop::Red("a vector is contradicted, or none was tried".into()))
}
