//! A blocking program, with `ciba-ureq` alone. The code is that of the READMEs, and the examples
//! are compiled with what a user of the crate has.

mod front_page {
    include!(concat!(env!("OUT_DIR"), "/front_page.rs"));

    pub fn run() -> Result<(), ciba_ureq::Report> {
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

    pub fn run() -> Result<(), ciba_ureq::Report> {
        main()
    }
}

mod own_page {
    include!(concat!(env!("OUT_DIR"), "/own_page.rs"));

    pub fn run() -> Result<(), ciba_ureq::Report> {
        main()
    }
}

fn main() -> Result<(), ciba_ureq::Report> {
    front_page::run()?;
    idura::run()?;
    own_page::run()
}
