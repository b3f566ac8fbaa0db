//! No secret appears in `Debug` or `Display`, from the configuration to the result; and which types
//! may cross threads and unwinding.
#![allow(missing_docs)]

use std::{
    fmt::Debug,
    panic::{RefUnwindSafe, UnwindSafe},
};

use ciba_core::{
    AuthRequest, Authentication, ClientAuth, ClientConfig, ClientSecret, Entropy, Failure, Flow,
    Hint, Input, JwksCache, KeyOperation, KeySetRequest, Output, Sending, Snapshot, SoftwareKey,
    Transmit, Wait,
    config::BasicEncoding,
    error::Setback,
    expect::{AcrRule, Expectations},
    http::Endpoint,
    jose::KeySet,
    machine::{KeyTask, Misuse},
    notification::Notification,
    secret::UserCode,
};
use ciba_tests::{
    fake_crypto::{self, FakeCrypto},
    model::{CLIENT_KEY, FORGERIES, Forgery, ISSUER, Provider, Say},
    sim::{START, client},
};

/// Everything that was printed, checked once at the end.
#[derive(Default)]
struct Printed(Vec<String>);

impl Printed {
    fn debug(&mut self, value: &dyn Debug) {
        self.0.push(format!("{value:?} {value:#?}"));
    }

    fn error(&mut self, error: &dyn std::error::Error) {
        self.0.push(format!("{error} {error:?}"));
        if let Some(source) = error.source() {
            self.error(source);
        }
    }

    fn check(&self) {
        assert!(self.0.len() > 20);
        for text in &self.0 {
            // The hint, ids, tokens and secrets of this test contain the first string; every JWS
            // begins with the second.
            assert!(!text.contains("sentinel") && !text.contains("eyJhbGciOi"), "{text}");
        }
    }
}

fn request() -> AuthRequest {
    let expectations = Expectations::new()
        .acr_values(["acr"])
        .acr(AcrRule::Report)
        .subject(ciba_tests::model::SUBJECT)
        .claim_with(
            "ssn",
            "ssn-sentinel",
            ciba_core::expect::Matching::Equal,
            ciba_core::expect::Presence::IfPresent,
        );
    AuthRequest::new(Hint::Login("login-hint-sentinel".into())).expecting(expectations)
}

/// Drives a flow to its end and prints everything on the way.
fn drive(config: &std::sync::Arc<ClientConfig>, script: &[Say], printed: &mut Printed) {
    let mut op = Provider::new(5.into(), 600.into());
    let mut script = script.iter();
    let mut now = ciba_core::Timestamp::from_unix_millis(START);
    let request = request();
    printed.debug(&request);
    let mut flow = Flow::start(config.clone(), request, Entropy::from_bytes([7; 32]), now)
        .expect("it can be sent");
    let keys =
        KeySet::pinned(config.issuer(), op.keys().as_bytes(), &FakeCrypto).expect("a key set");
    let mut earlier: Option<Input> = None;
    for count in 1_u8.. {
        let entropy = Entropy::from_bytes([count; 32]);
        printed.debug(&entropy);
        let output = flow.poll(now, entropy);
        printed.debug(&output);
        printed.debug(&flow);
        printed.debug(&flow.snapshot());
        printed.debug(&flow.acknowledgement());
        let input = match output {
            Output::Wait(wait) => {
                if let ciba_core::machine::WaitReason::Setback(setback) = wait.reason() {
                    printed.error(setback);
                }
                now = wait.until();
                continue;
            }
            Output::Save(_) | Output::Done => break,
            Output::Key(operation) => {
                let KeyTask::Sign(task) = operation.task() else { panic!("a signature") };
                let signature = fake_crypto::sign(&fake_crypto::key(CLIENT_KEY), task.message());
                operation.answered(signature)
            }
            Output::KeySet(request) => request.found(keys.clone()),
            Output::Transmit(transmit) => {
                let endpoint = transmit.endpoint();
                let sending = flow.begin(transmit, now).expect("it is in time");
                printed.debug(&sending);
                let request = sending.request();
                printed.debug(request);
                let response = match endpoint {
                    Endpoint::Token => {
                        op.token(request, *script.next().expect("long enough"), now.unix_secs())
                    }
                    _ => op.authenticate(request),
                };
                printed.debug(&response);
                sending.answered(response)
            }
        };
        printed.debug(&input);
        // The question before the last is no longer open, and that of another flow never was.
        if let Some(input) = earlier.take() {
            let mut other =
                Flow::start(config.clone(), self::request(), Entropy::from_bytes([8; 32]), now)
                    .expect("sent");
            let misuse: Misuse = other.handle(input, now).expect_err("it is foreign");
            printed.error(&misuse);
        }
        flow.handle(input, now).expect("its own");
        printed.debug(&flow);
    }
    match flow.finish() {
        Ok(authentication) => {
            printed.debug(&authentication);
            printed.debug(&authentication.id_token());
        }
        Err(failure) => printed.error(&failure),
    }
}

/// REQ-SEC-03
#[test]
fn no_secret_is_shown_over_whole_flows() {
    let mut printed = Printed::default();
    let config = client(ISSUER).build().expect("valid");
    printed.debug(&config);
    let tokens =
        |forgery| vec![Say::Pending(None, None), Say::Busy(503, None), Say::Tokens(forgery)];
    for forgery in FORGERIES.into_iter().chain([Forgery::None]) {
        drive(&config, &tokens(forgery), &mut printed);
    }
    for say in [Say::Error("access_denied"), Say::Error("foo"), Say::Garbage, Say::Redirect] {
        drive(&config, &[say], &mut printed);
    }
    printed.check();
}

/// REQ-SEC-03
#[test]
fn no_secret_of_the_configuration_or_the_request_is_shown() {
    let secret = || ClientSecret::new("client-secret-sentinel-0123456789-0123456789");
    let mut printed = Printed::default();
    for auth in [
        ClientAuth::ClientSecretBasic { secret: secret(), encoding: BasicEncoding::Encoded },
        ClientAuth::ClientSecretPost { secret: secret() },
        ClientAuth::ClientSecretJwt {
            secret: secret(),
            algorithm: ciba_core::jose::JwsAlgorithm::Hs256,
        },
    ] {
        let builder = client(ISSUER).client_auth(auth).user_codes();
        printed.debug(&builder);
        let config = builder.build().expect("valid");
        printed.debug(&config);
        for hint in
            [Hint::Login("login-sentinel".into()), Hint::LoginToken("login-token-sentinel".into())]
        {
            let request = AuthRequest::new(hint)
                .user_code(UserCode::new("user-code-sentinel"))
                .binding_message("binding-sentinel")
                .authorization_details_json(r#"[{"type":"t","ssn":"sentinel"}]"#)
                .extra("extra", "extra-sentinel")
                .header("X-Extra", "header-sentinel");
            printed.debug(&request);
            let now = ciba_core::Timestamp::from_unix_millis(START);
            let mut flow = Flow::start(config.clone(), request, Entropy::from_bytes([7; 32]), now)
                .expect("sent");
            let output = flow.poll(now, Entropy::from_bytes([9; 32]));
            assert!(matches!(output, Output::Transmit(_)));
            printed.debug(&output);
            if let Output::Transmit(transmit) = output {
                printed.debug(&flow.begin(transmit, now));
            }
            printed.debug(&flow);
        }
    }
    printed.check();
}

/// Everything may move between threads and survive a caught panic.
#[test]
fn public_types_are_send_sync_and_unwind_safe() {
    fn pin<T: Send + Sync + UnwindSafe + RefUnwindSafe>() {}
    pin::<Authentication>();
    pin::<AuthRequest>();
    pin::<ClientConfig>();
    pin::<Entropy>();
    pin::<Failure>();
    pin::<Flow>();
    pin::<Input>();
    pin::<JwksCache>();
    pin::<KeyOperation>();
    pin::<KeySet>();
    pin::<KeySetRequest>();
    pin::<Misuse>();
    pin::<Notification>();
    pin::<Output>();
    pin::<Setback>();
    pin::<Snapshot>();
    pin::<SoftwareKey>();
    pin::<Transmit>();
    pin::<Sending>();
    pin::<Wait>();
}

/// A claim about a person, and its masked form for another process, so that the plain form is not
/// in the memory of that process.
#[cfg(target_os = "linux")]
const CLAIM: &str = "1968-02-02/zqxjkvwy";
#[cfg(target_os = "linux")]
const MASK: u8 = 0x55;

/// Counts the occurrences of a string in the writable memory of this process, including freed
/// blocks.
#[cfg(target_os = "linux")]
fn in_memory(masked: &[u8]) -> usize {
    use std::{
        fs::{File, read_to_string},
        io::{Read as _, Seek as _, SeekFrom},
    };

    let mut memory = File::open("/proc/self/mem").expect("Linux");
    let mut piece = vec![0; 256 * 1024];
    let mut found = 0;
    for line in read_to_string("/proc/self/maps")
        .expect("Linux")
        .lines()
        .filter(|line| line.contains(" rw"))
    {
        let (start, end) = line
            .split_whitespace()
            .next()
            .and_then(|range| range.split_once('-'))
            .expect("a range");
        let [mut start, end] =
            [start, end].map(|text| u64::from_str_radix(text, 16).expect("hexadecimal"));
        while end - start >= masked.len() as u64 {
            let length = piece.len().min((end - start) as usize);
            // Memory that cannot be read is not ordinary memory.
            let read = memory
                .seek(SeekFrom::Start(start))
                .and_then(|_| memory.read_exact(&mut piece[..length]));
            // Masked immediately, so that the copy is not found where it was read to.
            piece[..length].iter_mut().for_each(|byte| *byte ^= MASK);
            if read.is_err() {
                break;
            }
            let firsts = piece[..length].iter().enumerate().filter(|(_, byte)| **byte == masked[0]);
            found += firsts.filter(|(at, _)| piece[*at..length].starts_with(masked)).count();
            // A string across the end of a piece is complete in the next one.
            start += (length - masked.len() + 1) as u64;
        }
    }
    found
}

/// Runs in a separate process, which has the claims in plain form only by verifying an ID Token.
#[cfg(target_os = "linux")]
fn verify_and_forget(id_token: &str, masked: &[u8]) {
    use ciba_core::{Timestamp, http::Response};

    let config = client(ISSUER).build().expect("valid");
    let keys = KeySet::pinned(
        config.issuer(),
        Provider::new(5.into(), 600.into()).keys().as_bytes(),
        &FakeCrypto,
    );
    let keys = keys.expect("a key set");
    let mut now = Timestamp::from_unix_millis(START);
    let key = Signs;
    for is_resumed in [false, true] {
        let request = AuthRequest::new(Hint::Login("somebody".into()));
        let mut flow = Flow::start(config.clone(), request, Entropy::from_bytes([7; 32]), now)
            .expect("it can be sent");
        let (mut count, mut was_resumed) = (0, false);
        let ended = loop {
            count += 1;
            let input = match flow.poll(now, Entropy::from_bytes([count; 32])) {
                Output::Transmit(transmit) if transmit.endpoint() == Endpoint::Token => {
                    let body = format!(
                        r#"{{"access_token":"a","token_type":"Bearer","id_token":"{id_token}"}}"#
                    );
                    flow.begin(transmit, now)
                        .expect("it is in time")
                        .answered(Response::json(200, body))
                }
                Output::Transmit(transmit) => {
                    let body = r#"{"auth_req_id":"1c266114-a1be-4252-8ad1-04986c5b9ac1","expires_in":600}"#;
                    flow.begin(transmit, now)
                        .expect("it is in time")
                        .answered(Response::json(200, body))
                }
                Output::Key(operation) => key.answer(operation),
                Output::KeySet(request) => request.found(keys.clone()),
                Output::Wait(wait) => {
                    now = wait.until();
                    continue;
                }
                Output::Save(_) | Output::Done => break flow.finish(),
            };
            flow.handle(input, now).expect("the ticket belongs to it");
            // Once the tokens have arrived: a verified flow that is resumed verifies again.
            if is_resumed
                && flow.stage() == ciba_core::Stage::Verifying
                && !std::mem::replace(&mut was_resumed, true)
            {
                let saved = flow.snapshot();
                flow = Flow::resume(config.clone(), saved.as_bytes(), now)
                    .expect("it resumes")
                    .in_memory();
            }
        };
        let authentication = ended.expect("genuine");
        let id_token = authentication.id_token().expect("there is one");
        assert!(id_token.iter_claims().count() > 5 && !format!("{authentication:?}").is_empty());
        assert!(in_memory(masked) > 0, "it looks in the right place");
        drop(authentication);
        assert_eq!(in_memory(masked), 0, "resumed: {is_resumed}");
    }
}

#[cfg(target_os = "linux")]
struct Signs;

#[cfg(target_os = "linux")]
impl Signs {
    fn answer(&self, operation: KeyOperation) -> Input {
        let KeyTask::Sign(task) = operation.task() else { return operation.unavailable() };
        let signature = fake_crypto::sign(&fake_crypto::key(CLIENT_KEY), task.message());
        operation.answered(signature)
    }
}

/// The claims about a person are wiped when the authentication is dropped. (Without the wiping in
/// `SecretText`, this test finds the claims.)
#[cfg(target_os = "linux")]
#[test]
fn the_claims_of_a_person_are_wiped_from_memory() {
    const TOKEN: &str = "CIBA_TEST_ID_TOKEN";
    let masked: Vec<u8> = CLAIM.bytes().map(|byte| byte ^ MASK).collect();
    if let Ok(id_token) = std::env::var(TOKEN) {
        return verify_and_forget(&id_token, &masked);
    }
    let seconds = START / 1000;
    // A copy without the escape is longer than what an allocator writes over the beginning of a
    // freed block.
    let escaped = format!("\\u0070{}{CLAIM}", "p".repeat(60));
    let header = serde_json::json!({"alg": "EdDSA", "kid": "op-1"});
    let claims = format!(
        r#"{{"iss":"{ISSUER}","aud":"{}","sub":"{escaped}","iat":{seconds},"exp":{},"ssn":"{CLAIM}","name":"{escaped}","address":{{"street":"{CLAIM}"}}}}"#,
        ciba_tests::model::CLIENT_ID,
        seconds + 300,
    );
    let encode = |text: &str| {
        base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text)
    };
    let input = format!("{}.{}", encode(&header.to_string()), encode(&claims));
    let signature = base64::Engine::encode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        fake_crypto::sign(&fake_crypto::key(1), input.as_bytes()),
    );
    let child = std::process::Command::new(std::env::current_exe().expect("a file"))
        .args(["--exact", "the_claims_of_a_person_are_wiped_from_memory", "--test-threads", "1"])
        .env(TOKEN, format!("{input}.{signature}"))
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}
