//! Client authentication, parameters of requests, and ID Tokens with every algorithm.

use ciba_core::jose::JwsAlgorithm;
use ciba_core::{AuthRequest, Hint};
use ciba_test_op::Endpoint;
use ciba_tests::drivers::run;
use ciba_tests::scenario::{Auth, Requests};
use std::time::Duration;

use crate::plain;

/// OPM-REQ-01
/// OPM-REQ-10
/// OPM-REQ-11
/// OPM-REQ-13
/// OPM-POL-28
#[test]
fn every_client_authentication_is_accepted_and_no_assertion_is_sent_twice() {
    use JwsAlgorithm::{EdDsa, Es256, Es384, Es512, Hs256, Hs384, Hs512, Ps256, Rs256};
    let keys = [Es256, Es384, Es512, EdDsa, Rs256, Ps256].map(Auth::Key);
    let macs = [Hs256, Hs384, Hs512].map(Auth::SecretJwt);
    let others = [Auth::Basic, Auth::Post, Auth::None];
    let all = keys.into_iter().chain(macs).chain(others);
    let mut rows: Vec<_> = all.map(|auth| plain(format!("{auth:?}")).auth(auth)).collect();
    rows.push(
        plain("client_id beside the assertion").client(|builder| builder.body_client_id()).check(
            |provider, _| {
                let named = |exchange: &&ciba_test_op::Exchange| {
                    exchange.parameter("client_id").as_deref() == Some("client-1")
                };
                assert_eq!(
                    provider.exchanges().iter().filter(named).count(),
                    4,
                    "in every request, and always the same"
                );
            },
        ),
    );
    run(rows);
}

#[test]
fn id_tokens_of_every_algorithm_are_verified() {
    use JwsAlgorithm::{EdDsa, Es256, Es384, Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    let all = [Rs256, Rs384, Rs512, Ps256, Ps384, Ps512, Es256, Es384, Es512, EdDsa];
    run(all.map(|algorithm| plain(format!("{algorithm}")).id_token_alg(algorithm)).into());
}

/// OPM-REQ-02
/// OPM-REQ-03
/// OPM-REQ-08
/// OPM-REQ-14
#[test]
fn requests_satisfy_the_checks_of_the_provider() {
    let base = || AuthRequest::new(Hint::Login("approve".into()));
    run(vec![
        plain("scopes").request(move || base().scope("profile").scope("email")).check(|provider, _| {
            let begun = provider.exchanges().iter().find(|exchange| exchange.endpoint == Endpoint::Backchannel);
            let begun = begun.expect("there is one");
            let scope = begun.parameter("scope").unwrap_or_default();
            let mut scopes: Vec<_> = scope.split(' ').collect();
            scopes.sort_unstable();
            assert_eq!(scopes, ["email", "openid", "profile"]);
            let hints = ["login_hint", "login_hint_token", "id_token_hint"];
            assert_eq!(hints.iter().filter(|hint| begun.parameter(hint).is_some()).count(), 1);
        }),
        plain("requested_expiry").request(move || base().requested_expiry(Duration::from_secs(60))).check(
            |provider, _| {
                let begun = provider.exchanges().iter().find(|exchange| exchange.endpoint == Endpoint::Backchannel);
                assert_eq!(begun.and_then(|begun| begun.parameter("requested_expiry")).as_deref(), Some("60"));
            },
        ),
        plain("requested_expiry 0")
            .request(move || base().requested_expiry(Duration::ZERO))
            .ends("request: requested_expiry cannot be sent: it is not a positive whole number of seconds", Requests::NONE),
    ]);
}
