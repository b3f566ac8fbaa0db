//! Authenticates a person, asynchronously:
//! `cargo run --example authenticate -- ISSUER CLIENT_ID LOGIN_HINT`, with a private key (a JWK or
//! PEM) in the file that `CLIENT_KEY` names.

use std::{env, fs, io};

use ciba_reqwest::{AuthRequest, Client, Report, SoftwareKey};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Report> {
    let mut arguments = env::args().skip(1);
    let (Some(issuer), Some(client_id), Some(hint)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err(io::Error::other("usage: authenticate ISSUER CLIENT_ID LOGIN_HINT").into());
    };

    // Once per process: the provider, and who we are there.
    let client = Client::builder(issuer, client_id)
        .private_key(SoftwareKey::from_file(&fs::read(env::var("CLIENT_KEY")?)?)?)
        .watch(|event| println!("{event:?}"))
        .connect()
        .await?;

    // Once per person.
    let request = AuthRequest::login(hint).binding_message("W4SCT");
    let authentication = client.authenticate(request).await?;
    println!("authenticated: {}", authentication.subject()?);
    Ok(())
}
