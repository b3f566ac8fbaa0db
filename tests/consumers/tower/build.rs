fn main() {
    blocks::write("../../../crates/ciba-reqwest/README.md", 1, Some("ISSUER_KEY"), "own_page");
}
