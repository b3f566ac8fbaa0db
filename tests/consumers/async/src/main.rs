//! An async service, with `ciba-reqwest` alone. The code is that of the READMEs, and the example is
//! compiled with what a user of the crate has.

mod front_page {
    include!(concat!(env!("OUT_DIR"), "/front_page.rs"));

    pub fn run() -> Result<(), Box<dyn std::error::Error>> {
        main()
    }
}

#[cfg(feature = "default")]
#[allow(dead_code)]
#[path = "../../../../crates/ciba-reqwest/examples/authenticate.rs"]
mod example;

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
