//! Instruction counts under callgrind: exact, whatever else the machine is doing. Valgrind hides
//! AVX-512, so the counts of aws-lc-rs describe another code path than production; only the
//! RustCrypto backend is counted.

use ciba_bench::{Backend, config, flow, token};
use ciba_core::{ClientConfig, Flow, expect::Expectations, jose::KeySet};
use gungraun::{library_benchmark, library_benchmark_group, main};
use std::{hint::black_box, sync::Arc};

type Validation = (Arc<ClientConfig>, KeySet, token::Fixture, Expectations);

fn validation() -> Validation {
    let fixture = token::fixture();
    (
        config(Backend::RustCrypto),
        fixture.keys(Backend::RustCrypto),
        fixture,
        Expectations::default(),
    )
}

fn bare() -> (Arc<dyn ciba_core::crypto::VerificationKey>, token::Fixture) {
    let fixture = token::fixture();
    (fixture.bare(Backend::RustCrypto), fixture)
}

#[library_benchmark]
#[bench::rs256(setup = validation)]
fn id_token_validation((config, keys, fixture, expectations): Validation) -> bool {
    black_box(
        config
            .validate_id_token(
                black_box(&fixture.compact),
                Some(&keys),
                &token::context(&expectations),
            )
            .is_ok(),
    )
}

#[library_benchmark]
#[bench::rs256(setup = bare)]
fn bare_verification(
    (key, fixture): (Arc<dyn ciba_core::crypto::VerificationKey>, token::Fixture),
) -> bool {
    black_box(key.verify(black_box(&fixture.signing_input), black_box(&fixture.signature)).is_ok())
}

fn started() -> Flow {
    flow::started(&config(Backend::RustCrypto))
}

fn pending() -> Flow {
    flow::pending(Backend::RustCrypto)
}

#[library_benchmark]
#[bench::es256(setup = started)]
fn client_assertion_without_signature(mut flow: Flow) -> Flow {
    let _ = black_box(flow.poll(flow::start_time(), flow::entropy()));
    flow
}

#[library_benchmark]
#[bench::pending(setup = pending)]
fn idle_poll(mut flow: Flow) -> Flow {
    let _ = black_box(flow.poll(flow::start_time(), flow::entropy()));
    flow
}

library_benchmark_group!(
    name = figures;
    benchmarks = id_token_validation, bare_verification, client_assertion_without_signature, idle_poll
);
main!(library_benchmark_groups = figures);
