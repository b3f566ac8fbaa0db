fn main() {
    blocks::write("../../../README.md", 5, Some("ISSUER_KEY"), "front_page");
    blocks::write("../../../crates/ciba-reqwest/README.md", 1, Some("ISSUER_KEY"), "own_page");
}
