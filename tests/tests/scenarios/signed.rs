//! Signed requests, FAPI-CIBA and user codes.

use ciba_core::{AuthRequest, DeliveryMode, Hint, jose::JwsAlgorithm};
use ciba_test_op::{Endpoint, Exchange, Provider, Script};
use ciba_tests::{
    drivers::run,
    scenario::{Auth, Scenario, polls},
};

use crate::{plain, row};

/// The backchannel request.
fn begun(provider: &Provider) -> &Exchange {
    provider
        .exchanges()
        .iter()
        .find(|exchange| exchange.endpoint == Endpoint::Backchannel)
        .expect("there is one")
}

/// OPM-REQ-04
/// OPM-REQ-05
/// OPM-REQ-06
/// OPM-REQ-07
/// OPM-REQ-09
#[test]
fn signed_requests_of_every_algorithm_are_accepted_in_every_mode() {
    use JwsAlgorithm::{EdDsa, Es256, Es384, Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    let mut rows = Vec::new();
    for algorithm in [Rs256, Rs384, Rs512, Ps256, Ps384, Ps512, Es256, Es384, Es512, EdDsa] {
        rows.push(
            row(format!("{algorithm}"), Script::new()).auth(Auth::Key(algorithm)).signed(algorithm),
        );
    }
    for mode in DeliveryMode::ALL {
        for auth in
            [Auth::Basic, Auth::Post, Auth::SecretJwt(JwsAlgorithm::Hs256), Auth::Certificate]
        {
            rows.push(
                row(format!("{auth:?} in {mode:?} mode"), Script::new())
                    .mode(mode)
                    .auth(auth)
                    .signed(Es256),
            );
        }
    }
    let rows = rows.into_iter().map(|row| {
        row.check(|provider, _| {
            let begun = begun(provider);
            assert!(begun.parameter("request").is_some());
            for inside in ["scope", "login_hint", "binding_message", "client_notification_token"] {
                assert_eq!(begun.parameter(inside), None, "{inside} stands outside of the request");
            }
        })
    });
    run(rows.collect());
}

/// OPM-REQ-09
#[test]
fn the_notification_token_is_fresh_long_and_absent_in_poll_mode() {
    run(DeliveryMode::ALL
        .map(|mode| {
            row(format!("{mode:?}"), Script::new()).mode(mode).check(move |provider, _| {
                let token = begun(provider).parameter("client_notification_token");
                let length = token.map(|token| token.len());
                assert_eq!(length, (mode != DeliveryMode::Poll).then_some(65));
            })
        })
        .into());
}

/// OPM-REQ-04
/// OPM-REQ-06
/// OPM-REQ-12
#[test]
fn flows_under_fapi_ciba_follow_the_profile_with_keys_and_certificates() {
    use JwsAlgorithm::{Es256, Ps256};
    let mut rows = Vec::new();
    for mode in [DeliveryMode::Poll, DeliveryMode::Ping] {
        for algorithm in [Es256, Ps256] {
            for auth in [Auth::Key(algorithm), Auth::Certificate, Auth::SelfSigned] {
                let row = row(format!("{algorithm} {auth:?} in {mode:?} mode"), Script::new());
                rows.push(row.mode(mode).auth(auth).fapi(algorithm).check(|provider, _| {
                    let polls = provider
                        .exchanges()
                        .iter()
                        .filter(|exchange| exchange.endpoint == Endpoint::Token);
                    assert!(
                        polls.into_iter().all(|poll| poll.certificate.is_some()),
                        "tokens are bound"
                    );
                }));
            }
        }
    }
    run(rows);
}

#[test]
fn a_user_code_is_sent_if_set_and_a_wrong_one_is_reported() {
    let coded = |name: &str, code: Option<&'static str>| -> Scenario {
        plain(name)
            .registered(|client| client.user_code())
            .client(|builder| builder.user_codes())
            .request(move || {
                let request = AuthRequest::new(Hint::Login("user-code:1234".into()));
                match code {
                    Some(code) => request.user_code(code.into()),
                    None => request,
                }
            })
    };
    let mut rows = Vec::new();
    for mode in DeliveryMode::ALL {
        let name = |what: &str| format!("{what} in {mode:?} mode");
        let mut right = coded(&name("right"), Some("1234")).mode(mode);
        right.expected = "authenticated user-user-code:1234".into();
        rows.push(right);
        let refused = |what, code, error: &str| {
            coded(&name(what), code)
                .mode(mode)
                .ends(&format!("refused 400 {error}"), polls(0))
                .answers(&[])
        };
        rows.push(refused("wrong", Some("4321"), "invalid_user_code"));
        rows.push(refused("missing", None, "missing_user_code"));
    }
    rows.push(
        coded("signed", Some("1234"))
            .signed(JwsAlgorithm::Es256)
            .ends("authenticated user-user-code:1234", polls(3).keys(1)),
    );
    run(rows);
}

/// OPM-REQ-15
#[test]
fn a_url_in_a_binding_message_is_sent_unchanged() {
    let message = "See https://bank.example/consents/7";
    let request = move || AuthRequest::new(Hint::Login("approve".into())).binding_message(message);
    run(vec![plain("a URL in a binding message").request(request).check(move |provider, _| {
        assert_eq!(begun(provider).parameter("binding_message").as_deref(), Some(message));
    })]);
}
