fn main() {
    blocks::write("../../../crates/ciba-core/README.md", 1, None, "front_page");
    blocks::write("../../../crates/ciba-core/README.md", 0, None, "own_page");
}
