fn main() {
    blocks::write("../../../README.md", 4, None, "front_page");
    blocks::write("../../../crates/ciba-core/README.md", 0, None, "own_page");
}
