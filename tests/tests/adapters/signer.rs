//! Signers that call a key service: the form in which a signature arrives, and that in which it is
//! sent.

use ciba_core::{Failure, KeyOperation, jose::ecdsa_from_der, machine::KeyTask};
use ciba_tests::adapters::{Signer, each};
use ciba_ureq::{AuthenticateError, SignerError};

use crate::{
    client::{ACKNOWLEDGED, DENIED, config, request},
    driver, key_jwt,
    support::{Server, answer},
};

/// A service that signs with ES256, in one of the two forms.
#[derive(Clone)]
struct Service {
    form: fn(&[u8]) -> Vec<u8>,
    converts: bool,
}

/// Encodes R and S in DER.
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
impl Signer for Service {
    fn sign(&self, operation: &KeyOperation) -> Result<Vec<u8>, SignerError> {
        let KeyTask::Sign(task) = operation.task() else {
            return Err("this key only signs".into());
        };
        let fixed: Vec<u8> =
            (0..64).map(|at| if at % 32 == 0 { 0 } else { 0x80 | task.message()[at] }).collect();
        let answer = (self.form)(&fixed);
        if self.converts { Ok(ecdsa_from_der(&answer, task.algorithm())?) } else { Ok(answer) }
    }
}

/// Both forms of a signature reach the provider as R and S of fixed width; one in the wrong form is
/// not sent.
///
/// REQ-AUTH-20b
#[test]
fn a_signature_in_der_is_converted_or_refused_before_it_is_sent() {
    each(|adapter| {
        let fixed_width = Service { form: <[u8]>::to_vec, converts: false };
        let converted = Service { form: der, converts: true };
        for service in [fixed_width, converted] {
            let server = Server::start([answer(200, "", ACKNOWLEDGED), answer(400, "", DENIED)]);
            let config = config(&server.url(""), key_jwt());
            let error = driver(adapter, &config)
                .with_signer(service)
                .authenticate(request(), &mut ())
                .unwrap_err();
            assert!(matches!(error, AuthenticateError::Failed(Failure::Denied(_))), "{error:?}");
            for request in server.requests() {
                let assertion =
                    request.split("client_assertion=").nth(1).unwrap().split('&').next().unwrap();
                assert_eq!(
                    assertion.rsplit('.').next().unwrap().len(),
                    86,
                    "64 octets in base64url"
                );
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
            let error = driver(adapter, &config)
                .with_signer(service)
                .authenticate(request(), &mut ())
                .unwrap_err();
            let AuthenticateError::Failed(failure) = error else { panic!("{error:?}") };
            let mut chain =
                std::iter::successors(Some(&failure as &dyn std::error::Error), |error| {
                    error.source()
                });
            assert!(chain.any(|error| error.to_string() == reason), "{failure:?}");
            assert_eq!(server.connections(), 0, "the person is not prompted");
        }
    });
}
