fn main() {
    blocks::write("../../../README.md", 0, Some("IDURA_DOMAIN"), "idura");
    blocks::write("../../../README.md", 1, Some("ISSUER_KEY"), "front_page");
    blocks::write("../../../crates/ciba-reqwest/README.md", 0, Some("ISSUER_SECRET"), "own_page");
}
