//! The tasks of the project. `cargo xtask help` lists them, and `CONTRIBUTING.md` says what each gate
//! checks.
mod consumers;
mod crates;
mod cycles;
mod deep;
mod deny;
mod features;
mod floors;
mod flows;
mod fuzz;
mod gate;
mod imports;
mod interop;
mod lint;
mod msrv;
mod purity;
mod requirements;
mod source;
mod test;
mod tidy;
mod tools;
mod twins;
mod vectors;
mod wasm;

use std::process::ExitCode;

use gate::{Gate, run};
use xshell::Shell;

mod flags {
    #![allow(missing_docs, unreachable_pub)]

    xflags::xflags! {
        /// The tasks of the project.
        cmd xtask {
            /// Runs all tests of the workspace.
            cmd test {}
            /// Runs every gate; a gate that cannot run is red.
            cmd ci {
                /// Report a gate whose tool is missing instead of failing.
                optional --allow-missing
                /// Skip the tests.
                optional --without-test
            }
            /// Runs many random operations, long fuzzing and the benchmarks.
            cmd deep {
                /// The number of random operations for each property (default 1000000).
                optional --ops ops: u64
                /// The seconds for each fuzz target (default 300).
                optional --fuzz-seconds seconds: u64
            }
            /// Checks the formatting.
            cmd fmt {}
            /// Runs clippy with warnings denied: on the workspace, on each package with its default
            /// features, and on the benchmarks.
            cmd clippy {}
            /// Builds the documentation with warnings denied.
            cmd docs {}
            /// Compiles core with every pair of its features.
            cmd features {}
            /// Compiles the published crates with the oldest supported compiler.
            cmd msrv {}
            /// Checks crates, licences and sources of the dependencies.
            cmd deny {}
            /// Checks floors, import cycles, equal lines in the adapters, file sizes, protocol words,
            /// leftovers and package metadata.
            cmd tidy {}
            /// Checks that core has no clock, no randomness and no sockets.
            cmd purity {}
            /// Compares the number of dependencies of each feature set with crate-counts.txt.
            cmd crates {
                /// Write the file instead of comparing.
                optional --bless
            }
            /// Builds programs outside of the workspace from the code of the READMEs, and runs them.
            cmd consumers {}
            /// Prints how many rules of the specification have a test.
            cmd requirements {
                /// Fail if a rule that must have a test has none.
                optional --strict
                /// Name every rule without a test, not only those that must have one.
                optional --list
            }
            /// Runs the JOSE test vectors and prints their table.
            cmd vectors {}
            /// Compiles every fuzz target and runs it on its corpus.
            cmd fuzz {
                /// The seconds for each target (default 10).
                optional --seconds seconds: u64
                /// Run only this target.
                optional --target target: String
            }
            /// Runs both adapters against providers of other projects.
            cmd interop {
                /// Run only this one: go-oidc, oidc-provider or keycloak.
                optional provider: String
                /// Start the provider (default: oidc-provider) and leave it running.
                optional --serve
            }
            /// Runs the benchmarks and writes docs/figures.md.
            cmd bench {
                /// Run only whole flows, against npm openid-client.
                optional --flows
            }
        }
    }
}

fn main() -> ExitCode {
    use flags::XtaskCmd as Cmd;

    let flags = flags::Xtask::from_env_or_exit();
    let result = shell().map(|sh| match flags.subcommand {
        Cmd::Test(_) => run(&sh, &[test::TEST], false),
        Cmd::Ci(ci) => {
            let gates: Vec<Gate> =
                if ci.without_test { gates() } else { [vec![test::TEST], gates()].concat() };
            run(&sh, &gates, ci.allow_missing)
        }
        Cmd::Deep(deep) => {
            deep::deep(&sh, deep.ops.unwrap_or(1_000_000), deep.fuzz_seconds.unwrap_or(300))
        }
        Cmd::Fmt(_) => run(&sh, &[lint::FMT], false),
        Cmd::Clippy(_) => run(&sh, &[lint::CLIPPY], false),
        Cmd::Docs(_) => run(&sh, &[lint::DOCS], false),
        Cmd::Features(_) => run(&sh, &[features::FEATURES], false),
        Cmd::Msrv(_) => run(&sh, &[msrv::MSRV], false),
        Cmd::Deny(_) => run(&sh, &[deny::DENY], false),
        Cmd::Tidy(_) => run(&sh, &[tidy::TIDY], false),
        Cmd::Purity(_) => run(&sh, &[purity::PURITY], false),
        Cmd::Crates(crates) if crates.bless => gate::report("crates", crates::bless(&sh)),
        Cmd::Crates(_) => run(&sh, &[crates::CRATES], false),
        Cmd::Consumers(_) => run(&sh, &[consumers::CONSUMERS], false),
        Cmd::Requirements(asked) => {
            gate::report("requirements", requirements::print(&sh, asked.strict, asked.list))
        }
        Cmd::Vectors(_) => run(&sh, &[vectors::VECTORS], false),
        Cmd::Fuzz(asked) => gate::report(
            "fuzz",
            fuzz::fuzz(&sh, asked.seconds.unwrap_or(fuzz::SMOKE_SECONDS), asked.target.as_deref()),
        ),
        Cmd::Interop(asked) if asked.serve => {
            gate::report("interop", interop::serve(&sh, asked.provider.as_deref()))
        }
        Cmd::Interop(asked) => match asked.provider {
            Some(name) => gate::report("interop", interop::one(&sh, &name)),
            None => run(&sh, &[interop::INTEROP], false),
        },
        Cmd::Bench(asked) if asked.flows => {
            gate::report("bench", flows::flows(&sh, &mut String::new()))
        }
        Cmd::Bench(_) => gate::report("bench", deep::bench(&sh)),
    });
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Every gate except the tests. The cheapest come first, so that a run fails early.
fn gates() -> Vec<Gate> {
    vec![
        lint::FMT,
        tidy::TIDY,
        requirements::REQUIREMENTS,
        crates::CRATES,
        lint::CLIPPY,
        lint::DOCS,
        features::FEATURES,
        purity::PURITY,
        consumers::CONSUMERS,
        vectors::VECTORS,
        interop::INTEROP,
        deny::DENY,
        msrv::MSRV,
        fuzz::FUZZ,
    ]
}

/// Returns a shell in the root of the workspace.
fn shell() -> xshell::Result<Shell> {
    let sh = Shell::new()?;
    sh.change_dir(source::root());
    Ok(sh)
}
