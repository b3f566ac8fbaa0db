//! A blocking program, with `ciba-ureq` alone. The code is that of the READMEs.

mod front_page {
    include!(concat!(env!("OUT_DIR"), "/front_page.rs"));

    pub fn run() -> Result<(), Box<dyn std::error::Error>> {
        example()
    }
}

mod own_page {
    include!(concat!(env!("OUT_DIR"), "/own_page.rs"));

    pub fn run() -> Result<(), Box<dyn std::error::Error>> {
        main()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    front_page::run()?;
    own_page::run()
}
