fn main() {
    blocks::write("../../../README.md", 1, Some("ISSUER_SECRET"), "front_page");
    blocks::write("../../../crates/ciba-ureq/README.md", 0, Some("ISSUER_SECRET"), "own_page");
}
