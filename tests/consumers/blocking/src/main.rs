//! A blocking program, with `ciba-ureq` alone. The code is that of the READMEs, and the examples
//! are compiled with what a user of the crate has.

mod front_page {
    include!(concat!(env!("OUT_DIR"), "/front_page.rs"));

    pub fn run() -> Result<(), Box<dyn std::error::Error>> {
        main()
    }
}

#[cfg(feature = "default")]
#[allow(dead_code)]
#[path = "../../../../crates/ciba-ureq/examples/authenticate_blocking.rs"]
mod example;

#[cfg(feature = "default")]
#[allow(dead_code)]
#[path = "../../../../crates/ciba-ureq/examples/own_loop.rs"]
mod own_loop;

mod idura {
    include!(concat!(env!("OUT_DIR"), "/idura.rs"));

    pub fn run() -> Result<(), Box<dyn std::error::Error>> {
        main()
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
    idura::run()?;
    own_page::run()
}
