//! The table of the README: every operation interleaved in one run, in shuffled order; medians over
//! the rounds, and ratios formed inside each round, so that a slow moment of the machine cancels
//! out.
//!
//! `figures [--check]`: with `--check` it ends with status 1 when a figure misses its target.

use std::{hint::black_box, process::ExitCode, time::Instant};

use ciba_bench::{Backend, config, flow, peers, token};
use ciba_core::{Flow, expect::Expectations};

const ROUNDS: usize = 41;

struct Operation {
    name: &'static str,
    run: Box<dyn FnMut(usize)>,
    /// Repetitions a round.
    batch: usize,
    /// Nanoseconds each, by round.
    nanos: Vec<f64>,
}

fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    let mut operations = operations();
    let mut seed = 1_u64;
    for _ in 0..ROUNDS {
        let mut order: Vec<usize> = (0..operations.len()).collect();
        for at in (1..order.len()).rev() {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            order.swap(at, (seed >> 33) as usize % (at + 1));
        }
        for at in order {
            let operation = &mut operations[at];
            let start = Instant::now();
            (operation.run)(operation.batch);
            operation.nanos.push(start.elapsed().as_nanos() as f64 / operation.batch as f64);
        }
    }
    report(&operations, check)
}

fn repeat<R>(mut once: impl FnMut() -> R + 'static) -> Box<dyn FnMut(usize)> {
    Box::new(move |times| {
        for _ in 0..times {
            black_box(once());
        }
    })
}

fn operations() -> Vec<Operation> {
    let mut all = Vec::new();
    let mut add = |name, batch, run| all.push(Operation { name, run, batch, nanos: Vec::new() });
    for (backend, bare_name, name) in [
        (
            Backend::RustCrypto,
            "bare RS256 verification, RustCrypto",
            "ID Token validation, RustCrypto",
        ),
        (Backend::AwsLcRs, "bare RS256 verification, aws-lc-rs", "ID Token validation, aws-lc-rs"),
    ] {
        let fixture = token::fixture();
        let key = fixture.bare(backend);
        add(
            bare_name,
            50,
            repeat(move || key.verify(&fixture.signing_input, &fixture.signature).expect("valid")),
        );
        let fixture = token::fixture();
        let (config, keys, expectations) =
            (config(backend), fixture.keys(backend), Expectations::default());
        let validate = move || {
            let context = token::context(&expectations);
            config.validate_id_token(&fixture.compact, Some(&keys), &context).expect("valid")
        };
        add(name, 50, repeat(validate));
    }
    let fixture = token::fixture();
    let peer = peers::JsonWebToken::new(&fixture);
    add("jsonwebtoken", 50, repeat(move || peer.validate(&fixture.compact)));
    let fixture = token::fixture();
    let peer = peers::OpenIdConnect::new(&fixture);
    add("openidconnect", 20, repeat(move || peer.validate(&fixture.compact)));

    let base = config(Backend::RustCrypto);
    add("client assertion without its signature", 200, assertions(base));
    let mut waiting = flow::pending(Backend::RustCrypto);
    add("idle poll", 2000, repeat(move || waiting.poll(flow::start_time(), flow::entropy())));
    all
}

/// Each repetition needs a flow that was just started; they are made outside the time that counts,
/// which is why this one measures itself by making them first.
fn assertions(config: std::sync::Arc<ciba_core::ClientConfig>) -> Box<dyn FnMut(usize)> {
    let mut flows: Vec<Flow> = (0..200 * (ROUNDS + 1)).map(|_| flow::started(&config)).collect();
    Box::new(move |times| {
        for _ in 0..times {
            let mut flow = flows.pop().expect("one for each repetition");
            let _ = black_box(flow.poll(flow::start_time(), flow::entropy()));
            std::mem::forget(flow);
        }
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn report(operations: &[Operation], check: bool) -> ExitCode {
    let of = |name: &str| {
        &operations.iter().find(|operation| operation.name == name).expect("measured").nanos
    };
    println!(
        "peers: jsonwebtoken on {}, openidconnect on its only backend\n",
        peers::JSONWEBTOKEN_BACKEND
    );
    println!("{:<45} {:>12}", "operation (median of rounds)", "µs");
    for operation in operations {
        println!("{:<45} {:>12.3}", operation.name, median(operation.nanos.clone()) / 1000.0);
    }
    println!("\n{:<60} {:>9} {:>9}", "figure", "measured", "target");
    let mut missed = false;
    let mut figure = |name: String, value: f64, target: f64, unit: &str| {
        let ok = value <= target;
        missed |= !ok;
        println!(
            "{name:<60} {value:>9.3} {target:>9.3} {unit} {}",
            if ok { "met" } else { "MISSED" }
        );
    };
    for (backend, ratio) in [("RustCrypto", 1.15), ("aws-lc-rs", 1.35)] {
        let bare = of(&format!("bare RS256 verification, {backend}"));
        let ours = of(&format!("ID Token validation, {backend}"));
        let above = ours.iter().zip(bare).map(|(ours, bare)| (ours - bare) / 1000.0).collect();
        let times = ours.iter().zip(bare).map(|(ours, bare)| ours / bare).collect();
        figure(format!("ID Token validation above bare, {backend}"), median(above), 7.0, "µs");
        figure(format!("ID Token validation over bare, {backend}"), median(times), ratio, "x ");
        for peer in ["jsonwebtoken", "openidconnect"] {
            if peer == "jsonwebtoken" && peers::JSONWEBTOKEN_BACKEND != backend {
                continue;
            }
            let times = ours.iter().zip(of(peer)).map(|(ours, peer)| ours / peer).collect();
            figure(format!("ID Token validation over {peer}, {backend}"), median(times), 1.0, "x ");
        }
    }
    let micros = |name| median(of(name).clone()) / 1000.0;
    figure(
        "client assertion without its signature".into(),
        micros("client assertion without its signature"),
        1.6,
        "µs",
    );
    figure("idle poll".into(), micros("idle poll"), 0.1, "µs");
    if check && missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
