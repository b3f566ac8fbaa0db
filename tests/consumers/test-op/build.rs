fn main() {
    for (nth, name) in ["simulated", "server", "notifications", "sans_io"].into_iter().enumerate() {
        blocks::write("../../../crates/ciba-test-op/README.md", nth, None, name);
    }
}
