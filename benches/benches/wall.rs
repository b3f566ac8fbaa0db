//! Wall-clock times for people. The ratios that count are formed inside one run by the `figures`
//! binary.

use ciba_bench::{Backend, config, flow, peers, token};
use ciba_core::{Timestamp, expect::Expectations};
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

#[divan::bench(args = Backend::ALL)]
fn bare_rs256_verification(bencher: Bencher, backend: Backend) {
    let fixture = token::fixture();
    let key = fixture.bare(backend);
    bencher.bench(|| key.verify(black_box(&fixture.signing_input), black_box(&fixture.signature)));
}

#[divan::bench(args = Backend::ALL)]
fn id_token_validation(bencher: Bencher, backend: Backend) {
    let fixture = token::fixture();
    let (config, keys, expectations) =
        (config(backend), fixture.keys(backend), Expectations::default());
    bencher.bench(|| {
        config
            .validate_id_token(
                black_box(&fixture.compact),
                Some(&keys),
                &token::context(&expectations),
            )
            .is_ok()
    });
}

#[divan::bench]
fn jsonwebtoken_validation(bencher: Bencher) {
    let fixture = token::fixture();
    let peer = peers::JsonWebToken::new(&fixture);
    bencher.bench(|| peer.validate(black_box(&fixture.compact)));
}

#[divan::bench]
fn openidconnect_validation(bencher: Bencher) {
    let fixture = token::fixture();
    let peer = peers::OpenIdConnect::new(&fixture);
    bencher.bench(|| peer.validate(black_box(&fixture.compact)));
}

#[divan::bench(args = Backend::ALL)]
fn client_assertion_without_signature(bencher: Bencher, backend: Backend) {
    let config = config(backend);
    bencher
        .with_inputs(|| flow::started(&config))
        .bench_refs(|flow| flow.poll(flow::start_time(), flow::entropy()));
}

#[divan::bench(args = Backend::ALL)]
fn idle_poll(bencher: Bencher, backend: Backend) {
    let mut flow = flow::pending(backend);
    let now: Timestamp = flow::start_time();
    bencher.bench_local(move || flow.poll(black_box(now), flow::entropy()));
}
