fn main() {
    blocks::write("../../../README.md", 2, Some("ISSUER_KEY"), "front_page");
    blocks::write("../../../crates/ciba-ureq/README.md", 1, Some("IDURA_DOMAIN"), "idura");
    blocks::write("../../../crates/ciba-ureq/README.md", 0, Some("ISSUER_SECRET"), "own_page");
}
