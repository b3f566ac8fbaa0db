//! An async service, with `ciba-reqwest` alone. The code is that of the READMEs.

/// The front page's example signs with aws-lc-rs, the default.
#[cfg(feature = "default")]
mod front_page {
    include!(concat!(env!("OUT_DIR"), "/front_page.rs"));

    pub async fn run() -> Result<(), Box<dyn std::error::Error>> {
        example().await
    }
}

mod own_page {
    include!(concat!(env!("OUT_DIR"), "/own_page.rs"));

    pub async fn run() -> Result<(), Box<dyn std::error::Error>> {
        example().await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    #[cfg(feature = "default")]
    front_page::run().await?;
    own_page::run().await
}
