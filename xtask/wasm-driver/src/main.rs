//! Calls core the way a host without clock, randomness and sockets would, so that `cargo xtask purity` can look at
//! what the finished module imports.
use std::hint::black_box;

fn main() {
    black_box(ciba_core::Entropy::from_bytes([7; 32]));
}
