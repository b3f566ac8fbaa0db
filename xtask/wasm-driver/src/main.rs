//! Drives a whole flow the way a host without clock, randomness and sockets would, so that
//! `cargo xtask purity` can look at what the finished module imports: nothing.
use std::hint::black_box;

use ciba_core::{
    AuthRequest, ClientAuth, ClientConfig, ClientId, Entropy, Flow, Hint, Issuer, JwksCache,
    Lookup, Output, ProviderMetadata, SoftwareKey, Timestamp,
    crypto::RustCrypto,
    http::{Response, Url},
    jose::JwsAlgorithm,
};

fn main() {
    let _ = black_box(drive());
}

/// From the request to the person's refusal; a module that is never run is linked all the same.
fn drive() -> Option<bool> {
    let url = |path| Url::parse(path).ok();
    let mut provider = ProviderMetadata::by_hand(Issuer::parse("https://op.example").ok()?);
    provider.backchannel_authentication_endpoint = url("https://op.example/bc-authorize");
    provider.token_endpoint = url("https://op.example/token");
    provider.jwks_uri = url("https://op.example/jwks");
    let entropy = || Entropy::from_bytes(black_box([7; 32]));
    let (key, _) = SoftwareKey::generate(JwsAlgorithm::Es256, entropy(), &RustCrypto).ok()?;
    let auth =
        ClientAuth::PrivateKeyJwt { algorithm: key.algorithm(), key_id: Some(key.key_id().into()) };
    let config = ClientConfig::builder(provider, ClientId::new("client").ok()?)
        .client_auth(auth)
        .build()
        .ok()?;
    let mut keys = JwksCache::new(&config);
    let mut now = Timestamp::from_unix_secs(black_box(1_893_456_000));
    let mut flow = Flow::start(
        config.clone(),
        AuthRequest::new(Hint::Login("someone".into())),
        entropy(),
        now,
    )
    .ok()?;
    flow = Flow::resume(config, flow.snapshot().as_bytes(), now).ok()?;
    loop {
        let input = match flow.poll(now, entropy()) {
            Output::Save(save) => save.saved(),
            Output::Transmit(transmit) => flow.begin(transmit, now)?.answered(black_box(answer())),
            Output::Key(operation) => key.answer(operation, entropy()),
            Output::KeySet(mut request) => match keys.lookup(&mut request, now) {
                Lookup::Ready(keys) => request.found(keys),
                _ => request.unavailable(ciba_core::fault::Cause::Unknown.into()),
            },
            Output::Wait(wait) => {
                now = wait.until();
                continue;
            }
            Output::Done => return Some(flow.finish().is_ok()),
        };
        flow.handle(input, now).ok()?;
    }
}

fn answer() -> Response {
    Response::json(
        200,
        r#"{"auth_req_id":"1c266114-a1be-4252-8ad1","expires_in":120,"id_token":"a.b.c"}"#,
    )
}
