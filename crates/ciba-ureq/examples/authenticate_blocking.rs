//! Authenticates a person, in the calling thread:
//! `cargo run --example authenticate_blocking -- ISSUER CLIENT_ID LOGIN_HINT`, with a private key
//! (a JWK or PEM) in the file that `CLIENT_KEY` names.

use std::{env, fs, io};

use ciba_ureq::{AuthRequest, Client, Report, SoftwareKey};

fn main() -> Result<(), Report> {
    let mut arguments = env::args().skip(1);
    let (Some(issuer), Some(client_id), Some(hint)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err(
            io::Error::other("usage: authenticate_blocking ISSUER CLIENT_ID LOGIN_HINT").into()
        );
    };

    // Once per process: the provider, and who we are there.
    let client = Client::builder(issuer, client_id)
        .private_key(SoftwareKey::from_file(&fs::read(env::var("CLIENT_KEY")?)?)?)
        .watch(|event| println!("{event:?}"))
        .connect()?;

    // Once per person.
    let request = AuthRequest::login(hint).binding_message("W4SCT");
    let authentication = client.authenticate(request)?;
    println!("authenticated: {}", authentication.subject()?);
    Ok(())
}
