//! Signers in front of a key service: in which form a signature comes, and in which it is sent.
#![allow(missing_docs)]

#[path = "support/client.rs"]
mod client;
mod support;

use std::sync::Arc;

use async_trait::async_trait;
use ciba_reqwest::{
    AuthenticateError, Clock, Driver, HttpClient, Keys, Signer, SignerError,
    ciba_core::{
        ClientAuth, ClientConfig, Entropy, Failure, KeyOperation, KeyTask, Timestamp,
        jose::{JwsAlgorithm, KeySet, ecdsa_from_der},
    },
    platform_roots,
};
use client::{ACKNOWLEDGED, DENIED, Jumping, config, request};
use support::{Server, answer};

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        self.read()
    }

    fn idle(&self, until: Timestamp) -> std::time::Duration {
        self.jump(until);
        std::time::Duration::ZERO
    }
}

fn driver(config: &Arc<ClientConfig>) -> Driver {
    let http = HttpClient::new(platform_roots().no_proxy()).unwrap();
    // The servers here answer what a flow asks in one order, so no keys are fetched while it waits.
    let keys = KeySet::pinned(config.issuer(), br#"{"keys":[]}"#, &**config.verifier()).unwrap();
    Driver::new(Arc::clone(config), http).with_keys(Keys::pinned(keys)).with_clock(Jumping::new())
}

fn key_jwt() -> ClientAuth {
    ClientAuth::PrivateKeyJwt { algorithm: JwsAlgorithm::Es256, key_id: Some("one".into()) }
}

/// A service that signs with ES256, in one of the two forms there are.
#[derive(Clone)]
struct Service {
    form: fn(&[u8]) -> Vec<u8>,
    converts: bool,
}

/// R and S as DER writes them.
fn der(fixed: &[u8]) -> Vec<u8> {
    let number = |octets: &[u8]| {
        let digits: Vec<u8> = octets.iter().copied().skip_while(|octet| *octet == 0).collect();
        let digits = if digits[0] >= 0x80 { [&[0], &digits[..]].concat() } else { digits };
        [&[2, u8::try_from(digits.len()).unwrap()], &digits[..]].concat()
    };
    let content = [number(&fixed[..32]), number(&fixed[32..])].concat();
    [&[0x30, u8::try_from(content.len()).unwrap()], &content[..]].concat()
}

/// The examples of `Signer`.
#[async_trait]
impl Signer for Service {
    async fn sign(&self, operation: &KeyOperation, _: Entropy) -> Result<Vec<u8>, SignerError> {
        let KeyTask::Sign(task) = operation.task() else {
            return Err("this key only signs".into());
        };
        let fixed: Vec<u8> =
            (0..64).map(|at| if at % 32 == 0 { 0 } else { 0x80 | task.message()[at] }).collect();
        let answer = (self.form)(&fixed);
        if self.converts { Ok(ecdsa_from_der(&answer, task.algorithm())?) } else { Ok(answer) }
    }
}

/// Both forms of a signature reach the provider as R and S of fixed width; one in the wrong form
/// reaches nobody.
///
/// REQ-AUTH-20b
#[tokio::test]
async fn a_signature_in_der_is_converted_or_refused_before_it_is_sent() {
    let fixed_width = Service { form: <[u8]>::to_vec, converts: false };
    let converted = Service { form: der, converts: true };
    for service in [fixed_width, converted] {
        let server = Server::start([answer(200, "", ACKNOWLEDGED), answer(400, "", DENIED)]);
        let config = config(&server.url(""), key_jwt());
        let error = driver(&config)
            .with_signer(service)
            .authenticate(request(), &mut ())
            .await
            .unwrap_err();
        assert!(matches!(error, AuthenticateError::Failed(Failure::Denied(_))), "{error:?}");
        for request in server.requests() {
            let assertion =
                request.split("client_assertion=").nth(1).unwrap().split('&').next().unwrap();
            assert_eq!(assertion.rsplit('.').next().unwrap().len(), 86, "64 octets in base64url");
        }
    }
    let raw = Service { form: der, converts: false };
    let twice = Service { form: <[u8]>::to_vec, converts: true };
    for (service, reason) in [
        (
            raw,
            "a signature of ES256 must have 64 bytes, but has 70; it is in DER, convert it with `jose::ecdsa_from_der`",
        ),
        (twice, "the signature is not an ECDSA signature in DER, or is on another curve"),
    ] {
        let server = Server::start([answer(200, "", ACKNOWLEDGED)]);
        let config = config(&server.url(""), key_jwt());
        let error = driver(&config)
            .with_signer(service)
            .authenticate(request(), &mut ())
            .await
            .unwrap_err();
        let mut chain =
            std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
        assert!(chain.any(|error| error.to_string() == reason), "{error:?}");
        assert_eq!(server.connections(), 0, "nobody is prompted");
    }
}
