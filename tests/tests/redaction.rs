//! Nothing secret shows in `Debug` or `Display`, from the configuration to the result; and what crosses threads or unwinding
//! may.
#![allow(missing_docs)]

use std::{
    fmt::Debug,
    panic::{RefUnwindSafe, UnwindSafe},
};

use ciba_core::{
    AcrRule, AuthRequest, Authentication, BasicEncoding, ClientAuth, ClientConfig, ClientSecret, Endpoint, Entropy,
    Expectations, Failure, Flow, Hint, Input, JwksCache, KeyOperation, KeySetRequest, KeyTask, Misuse, Notification,
    Output, Setback, Snapshot, SoftwareKey, Transmit, TransmitTicket, UserCode, Wait, jose::KeySet,
};
use ciba_tests::{
    cheap::{self, Cheap},
    model::{CLIENT_KEY, FORGERIES, Forgery, ISSUER, Provider, Say},
    sim::{START, client},
};

/// Everything that was printed, looked at once at the end.
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
            // The hint, ids, tokens and secrets of this test hold the one, every JWS begins with the other.
            assert!(!text.contains("sentinel") && !text.contains("eyJhbGciOi"), "{text}");
        }
    }
}

fn request() -> AuthRequest {
    let expectations = Expectations::new()
        .acr_values(["acr"])
        .acr(AcrRule::Report)
        .subject(ciba_tests::model::SUBJECT)
        .claim_with("ssn", "ssn-sentinel", ciba_core::Matching::Equal, ciba_core::Presence::IfPresent);
    AuthRequest::new(Hint::Login("login-hint-sentinel".into())).expecting(expectations)
}

/// Drives a flow to its end and prints everything on the way.
fn drive(config: &std::sync::Arc<ClientConfig>, script: &[Say], printed: &mut Printed) {
    let mut op = Provider::new(5.into(), 600.into());
    let mut script = script.iter();
    let mut now = ciba_core::Timestamp::from_unix_millis(START);
    let request = request();
    printed.debug(&request);
    let mut flow = Flow::start(config.clone(), request, Entropy::from_bytes([7; 32]), now).expect("it can be sent");
    let keys = KeySet::pinned(config.issuer(), op.keys().as_bytes(), &Cheap).expect("a key set");
    let mut earlier: Option<Input> = None;
    for count in 1_u8.. {
        let entropy = Entropy::from_bytes([count; 32]);
        printed.debug(&entropy);
        let output = flow.poll(now, entropy);
        printed.debug(&output);
        printed.debug(&flow);
        printed.debug(&flow.snapshot());
        printed.debug(&flow.acknowledged());
        let input = match output {
            Output::Wait(wait) => {
                if let ciba_core::Because::Setback(setback) = wait.because() {
                    printed.error(setback);
                }
                now = wait.until();
                continue;
            }
            Output::Done => break,
            Output::Key(operation) => {
                let KeyTask::Sign(task) = operation.task() else { panic!("a signature") };
                let signature = cheap::sign(&cheap::key(CLIENT_KEY), task.message());
                operation.answered(signature)
            }
            Output::KeySet(request) => request.found(keys.clone()),
            Output::Transmit(transmit) => {
                let endpoint = transmit.endpoint();
                let (request, ticket) = transmit.into_parts();
                printed.debug(&request);
                printed.debug(&ticket);
                let response = match endpoint {
                    Endpoint::Token => op.token(&request, *script.next().expect("long enough"), now.unix_secs()),
                    _ => op.authenticate(&request),
                };
                printed.debug(&response);
                ticket.answered(response)
            }
        };
        printed.debug(&input);
        // The question before last is no longer open; another flow's never was.
        if let Some(input) = earlier.take() {
            let mut other =
                Flow::start(config.clone(), self::request(), Entropy::from_bytes([8; 32]), now).expect("sent");
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
fn nothing_secret_shows_over_whole_flows() {
    let mut printed = Printed::default();
    let config = client(ISSUER).build().expect("valid");
    printed.debug(&config);
    let tokens = |forgery| vec![Say::Pending(None, None), Say::Busy(503, None), Say::Tokens(forgery)];
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
fn no_secret_of_the_configuration_or_the_request_shows() {
    let secret = || ClientSecret::new("client-secret-sentinel-0123456789-0123456789");
    let mut printed = Printed::default();
    for auth in [
        ClientAuth::ClientSecretBasic { secret: secret(), encoding: BasicEncoding::Encoded },
        ClientAuth::ClientSecretPost { secret: secret() },
        ClientAuth::ClientSecretJwt { secret: secret(), algorithm: ciba_core::jose::JwsAlgorithm::Hs256 },
    ] {
        let builder = client(ISSUER).client_auth(auth).user_codes();
        printed.debug(&builder);
        let config = builder.build().expect("valid");
        printed.debug(&config);
        for hint in [Hint::Login("login-sentinel".into()), Hint::LoginToken("login-token-sentinel".into())] {
            let request = AuthRequest::new(hint)
                .user_code(UserCode::new("user-code-sentinel"))
                .binding_message("binding-sentinel")
                .authorization_details_json(r#"[{"type":"t","ssn":"sentinel"}]"#)
                .extra("extra", "extra-sentinel")
                .header("X-Extra", "header-sentinel");
            printed.debug(&request);
            let now = ciba_core::Timestamp::from_unix_millis(START);
            let mut flow = Flow::start(config.clone(), request, Entropy::from_bytes([7; 32]), now).expect("sent");
            let output = flow.poll(now, Entropy::from_bytes([9; 32]));
            assert!(matches!(output, Output::Transmit(_)));
            printed.debug(&output);
            if let Output::Transmit(transmit) = output {
                printed.debug(&transmit.into_parts());
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
    pin::<TransmitTicket>();
    pin::<Wait>();
}
