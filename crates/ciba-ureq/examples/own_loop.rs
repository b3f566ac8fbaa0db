//! The loop that the drivers hide, for programs that have one already: everything a flow asks for,
//! done in the open. `cargo run --example own_loop -- ISSUER CLIENT_ID LOGIN_HINT`, with a private
//! key (a JWK or PEM) in the file that `CLIENT_KEY` names.

use std::{
    env,
    error::Error,
    fs, thread,
    time::{Duration, SystemTime},
};

use ciba_ureq::{
    HttpClient, Keys, SystemClock,
    ciba_core::{
        AuthRequest, ClientAuth, ClientConfig, ClientId, Discovery, Flow, Issuer, Output,
        SoftwareKey, Timestamp, metadata::DiscoveryAddress,
    },
    entropy::{EntropySource as _, SystemEntropy},
    http::{discover, platform_roots},
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(issuer), Some(client_id), Some(hint)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: own_loop ISSUER CLIENT_ID LOGIN_HINT".into());
    };
    let http = HttpClient::new(platform_roots)?;
    let provider =
        discover(&http, &Discovery::new(Issuer::parse(issuer)?, DiscoveryAddress::OpenId))?;
    let key = SoftwareKey::from_file(&fs::read(env::var("CLIENT_KEY")?)?)?;
    let auth =
        ClientAuth::PrivateKeyJwt { algorithm: key.algorithm(), key_id: Some(key.key_id().into()) };
    let config =
        ClientConfig::builder(provider, ClientId::new(client_id)?).client_auth(auth).build()?;
    let keys = Keys::new(&config);

    let now = || Timestamp::from(SystemTime::now());
    let request = AuthRequest::login(hint);
    let mut flow = Flow::start(config, request, SystemEntropy.draw()?, now())?;
    let authentication = loop {
        let answer = match flow.poll(now(), SystemEntropy.draw()?) {
            // One HTTP exchange; any status is an answer. The flow gives the request out right
            // before it is sent, or not at all when that is too late.
            Output::Transmit(transmit) => match flow.begin(transmit, now()) {
                Some(sending) => http.perform(sending),
                None => continue,
            },
            // A use of the private key: here in memory, elsewhere in a KMS or an HSM.
            Output::Key(operation) => key.answer(operation, SystemEntropy.draw()?),
            // The provider's public keys, from a cache that all flows share.
            Output::KeySet(request) => http.find_keys(&keys, request, &SystemClock, &mut |_| {}),
            // Nothing to do yet: sleep, or turn to another flow.
            Output::Wait(wait) => {
                thread::sleep(wait.until().since(now()).min(Duration::from_secs(10)));
                continue;
            }
            // Only a flow that is `durable()` asks for that.
            Output::Save(save) => save.failed(),
            Output::Done => break flow.finish()?,
        };
        flow.handle(answer, now())?;
    };
    println!("authenticated: {}", authentication.subject()?);
    Ok(())
}
