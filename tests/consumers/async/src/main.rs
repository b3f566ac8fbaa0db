//! An async service, with `ciba-reqwest` alone. The code is that of the READMEs, and the example is
//! compiled with what a user of the crate has.

mod front_page {
    include!(concat!(env!("OUT_DIR"), "/front_page.rs"));

    pub fn run() -> Result<(), ciba_reqwest::Report> {
        main()
    }
}

#[cfg(feature = "default")]
#[allow(dead_code)]
#[path = "../../../../crates/ciba-reqwest/examples/authenticate.rs"]
mod example;

mod idura {
    include!(concat!(env!("OUT_DIR"), "/idura.rs"));

    pub fn run() -> Result<(), ciba_reqwest::Report> {
        main()
    }
}

mod own_page {
    include!(concat!(env!("OUT_DIR"), "/own_page.rs"));

    pub fn run() -> Result<(), ciba_reqwest::Report> {
        main()
    }
}

fn main() -> Result<(), ciba_reqwest::Report> {
    front_page::run()?;
    idura::run()?;
    own_page::run()
}
