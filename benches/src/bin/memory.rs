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
    let worst = worst_acknowledgements().map(|acknowledgement| {
        let before = dhat::HeapStats::get().curr_bytes;
        let waiting = flow::acknowledged(&config, &acknowledgement);
        let heap = dhat::HeapStats::get().curr_bytes - before;
        drop(waiting);
        heap * 100 / acknowledgement.len()
    });
    let mut missed = false;
    println!("{:<45} {:>9} {:>9}", "figure", "measured", "target");
    for (name, value, target) in [
        ("size of a flow, bytes", size_of::<ciba_core::Flow>(), 256),
        ("heap of a pending flow, bytes", after.curr_bytes - before.curr_bytes, 1024),
        ("snapshot of a pending flow, bytes", snapshot, 1024),
        (
            "heap, percent of the worst acknowledgement",
            worst.into_iter().max().unwrap_or_default(),
            400,
        ),
    ] {
        let ok = value <= target;
        missed |= !ok;
        println!("{name:<45} {value:>9} {target:>9} {}", if ok { "met" } else { "MISSED" });
    }
    if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Acknowledgements as long as they may be, of members that cost most if each is kept for itself.
fn worst_acknowledgements() -> [String; 4] {
    const MOST: usize = 256 * 1024;
    let fill = |member: &dyn Fn(usize) -> String| {
        let mut text = String::from(
            r#"{"auth_req_id":"3857f8ff-21b9-48ae-a732-a3bd8128a7ae","expires_in":120"#,
        );
        for n in 0.. {
            let member = member(n);
            if text.len() + member.len() + 1 > MOST {
                break;
            }
            text.push_str(&member);
        }
        text.push('}');
        text
    };
    [
        fill(&|n| format!(",\"{n:x}\":1")),
        fill(&|n| format!(",\"{n:x}\":[]")),
        fill(&|n| format!(",\"{n:x}\":{{\"\":[[],{{}},\"\",null,0]}}")),
        fill(&|n| format!(",\"{n:x}\":\"{}\"", "\\\"".repeat(1000))),
    ]
}
