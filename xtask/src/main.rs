//! The project's own tasks. `cargo xtask help` lists them; `CONTRIBUTING.md` says what
//! each gate guards.
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
        /// The project's own tasks.
        cmd xtask {
            /// All tests of the workspace.
            cmd test {}
            /// Every gate; a gate that could not run is red.
            cmd ci {
                /// For people: a gate that could not run is reported, not red.
                optional --allow-missing
                /// The tests have run already.
                optional --without-test
            }
            /// Many random operations, benchmarks and long fuzzing; writes docs/figures.md.
            cmd deep {
                /// Random operations for each property (default 1000000).
                optional --ops ops: u64
                /// Seconds for each fuzz target (default 300).
                optional --fuzz-seconds seconds: u64
            }
            /// Formatting.
            cmd fmt {}
            /// Clippy, warnings denied: everything at once, then each package with its default
            /// features.
            cmd clippy {}
            /// Documentation, warnings denied.
            cmd docs {}
            /// Core with every pair of its features.
            cmd features {}
            /// The published crates with the oldest supported compiler.
            cmd msrv {}
            /// Forbidden crates, licences, sources.
            cmd deny {}
            /// Floors, import cycles, equal lines of the adapters, file sizes, protocol words, leftovers,
            /// metadata.
            cmd tidy {}
            /// Core has no clock, no randomness, no sockets.
            cmd purity {}
            /// The number of crates each feature set brings, against crate-counts.txt.
            cmd crates {
                /// Writes the file instead of comparing.
                optional --bless
            }
            /// Programs outside the workspace, built from the READMEs' code and run.
            cmd consumers {}
            /// Which rule of the specification has a test.
            cmd requirements {
                /// Fails when a rule that is owed a test by now is open.
                optional --strict
                /// Names every open rule, not only those owed by now.
                optional --list
            }
            /// The JOSE test vectors, with their table.
            cmd vectors {}
            /// Every fuzz target, compiled and run on its corpus.
            cmd fuzz {
                /// Seconds for each target (default 10).
                optional --seconds seconds: u64
                /// This target only.
                optional --target target: String
            }
            /// Real providers that we did not write, through both adapters.
            cmd interop {
                /// This one only: go-oidc, oidc-provider or keycloak.
                optional provider: String
                /// Starts the provider (oidc-provider unless named) and leaves it running, for
                /// trying things.
                optional --serve
            }
            /// Benchmarks.
            cmd bench {
                /// Only whole flows against npm openid-client.
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

/// Every gate but the tests, cheapest first, so that a red run is red early.
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

/// A shell in the root of the workspace.
fn shell() -> xshell::Result<Shell> {
    let sh = Shell::new()?;
    sh.change_dir(source::root());
    Ok(sh)
}
