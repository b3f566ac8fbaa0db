//! How much memory a flow takes that waits for a person, counted by the allocator.
//!
//! Ends with status 1 when a figure misses its target.

use std::{process::ExitCode, sync::Arc};

use ciba_bench::{Backend, config, flow};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

fn main() -> ExitCode {
    let config = config(Backend::RustCrypto);
    let _profiler = dhat::Profiler::builder().testing().build();
    let before = dhat::HeapStats::get();
    let waiting = flow::pending_with(&Arc::clone(&config));
    let after = dhat::HeapStats::get();
    let snapshot = waiting.snapshot().as_bytes().len();
    let mut missed = false;
    println!("{:<45} {:>9} {:>9}", "figure", "measured", "target");
    for (name, value, target) in [
        ("size of a flow, bytes", size_of::<ciba_core::Flow>(), 256),
        ("heap of a pending flow, bytes", after.curr_bytes - before.curr_bytes, 1024),
        ("snapshot of a pending flow, bytes", snapshot, 1024),
    ] {
        let ok = value <= target;
        missed |= !ok;
        println!("{name:<45} {value:>9} {target:>9} {}", if ok { "met" } else { "MISSED" });
    }
    if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
