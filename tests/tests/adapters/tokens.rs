//! What an application does with the tokens of an authentication.

use std::net::Ipv4Addr;

use ciba_core::{
    AuthRequest, ClientAuth, SoftwareKey, Timestamp,
    answer::ErrorCode,
    fault::{Fault, Untrusted},
    http::Endpoint,
    jose::JwsAlgorithm,
    secret::{AccessToken, RefreshToken},
    tokens::{CallFailure, RefreshRequest, UserInfoRequest},
};
use ciba_std::{ClientBuilder, Connect};
use ciba_test_op::{
    Behaviour, Client, Provider, ProviderConfig, RunningServer, Server, TestKey, User, VirtualClock,
};
use ciba_tests::adapters::each;
use ciba_ureq::CallError;

use crate::{
    client::config,
    driver,
    support::{Act as Answer, Server as RawServer, answer},
};

const PERSON: &str = "+46700000000";

/// A provider over TLS with one client, and a virtual clock.
struct Place {
    server: RunningServer,
    clock: VirtualClock,
}

impl Place {
    fn new(change: impl FnOnce(Client) -> Client) -> Self {
        let pem = TestKey::ClientP256.private_pem();
        let registered = SoftwareKey::from_pem(pem).unwrap().public_jwk();
        let client = Client::with_key("client", serde_json::from_str(&registered).unwrap());
        let client = change(client.id_token_alg(JwsAlgorithm::Es256));
        let clock = VirtualClock::jumping(Timestamp::from_unix_secs(1_893_456_000));
        let provider = |issuer: &str| {
            let user = User::new(PERSON, Behaviour::Approve(Some(1)));
            let config = ProviderConfig::generic(issuer).user(user).client(client);
            Provider::new(config).unwrap()
        };
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let server = Server::start_tls(address, clock.clone(), provider).unwrap();
        Self { server, clock }
    }

    fn client<A: Connect>(&self, signed: bool) -> ClientBuilder<A> {
        let key = SoftwareKey::from_pem(TestKey::ClientP256.private_pem()).unwrap();
        ClientBuilder::new(self.server.issuer(), "client")
            .private_key(key)
            .configure(move |client| {
                let client = client.id_token_algorithm(JwsAlgorithm::Es256);
                if signed { client.userinfo_algorithm(JwsAlgorithm::Es256) } else { client }
            })
            .only_authorities(self.server.ca_pem().unwrap())
            .clock(self.clock.clone())
    }
}

fn request() -> AuthRequest {
    AuthRequest::login(PERSON).scope("openid offline_access").binding_message("W4SCT")
}

fn is_invalid_token<T>(result: Result<T, CallError>) -> bool {
    result.err().is_some_and(|error| error.is_invalid_token())
}

/// REQ-TOK-33
/// REQ-TOK-34a
/// REQ-TOK-34b
/// REQ-TOK-34c
/// REQ-FAPI-17
/// OPM-REF-05
#[test]
fn claims_are_fetched_with_the_tokens_of_an_authentication_until_they_are_revoked() {
    for signed in [false, true] {
        let place = Place::new(|client| match signed {
            true => client.userinfo_alg(JwsAlgorithm::Es256),
            false => client,
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = place.client::<ciba_reqwest::Reqwest>(signed).connect().await.unwrap();
            let authentication = client.authenticate(request()).await.unwrap();
            let user_info = client.userinfo(&*authentication).await.unwrap();
            assert_eq!(Ok(user_info.subject()), authentication.subject());
            assert_eq!(user_info.is_signed(), signed);
            client.revoke(authentication.refresh_token().unwrap()).await.unwrap();
            assert!(is_invalid_token(client.userinfo(&*authentication).await));
            // A token that is revoked already is no error.
            client.revoke(authentication.access_token()).await.unwrap();
        });
        let client = place.client::<ciba_ureq::Ureq>(signed).connect().unwrap();
        let authentication = client.authenticate(request()).unwrap();
        let user_info = client.userinfo(&*authentication).unwrap();
        assert_eq!(Ok(user_info.subject()), authentication.subject());
        assert_eq!(user_info.is_signed(), signed);
        client.revoke(authentication.refresh_token().unwrap()).unwrap();
        assert!(is_invalid_token(client.userinfo(&*authentication)));
        client.revoke(authentication.access_token()).unwrap();
        let broken = place.server.provider().report();
        // The provider counts the use of a revoked token against the client.
        assert_eq!(broken.violations.len(), 2, "{broken}");
    }
}

/// The provider replaces the refresh token at each use, and revokes everything if an old one is used.
///
/// REQ-TOK-31a
/// REQ-TOK-31b
/// REQ-TOK-31c
/// REQ-FAPI-20
/// OPM-REF-01
#[test]
fn a_refresh_token_that_is_replaced_is_used_once_and_works_twice_in_a_row() {
    let place = Place::new(|client| client);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = place.client::<ciba_reqwest::Reqwest>(false).connect().await.unwrap();
        let authentication = client.authenticate(request()).await.unwrap();
        let first = client.refresh(&*authentication).await.unwrap();
        let second = client.refresh(&first).await.unwrap();
        assert!(first.is_rotated() && second.is_rotated());
        assert_ne!(first.refresh_token(), second.refresh_token());
        let subject = second.id_token().unwrap().subject();
        assert_eq!(Ok(subject), authentication.subject());
        assert_eq!(client.userinfo(&second).await.unwrap().subject(), subject);
    });
    let client = place.client::<ciba_ureq::Ureq>(false).connect().unwrap();
    let authentication = client.authenticate(request()).unwrap();
    let first = client.refresh(&*authentication).unwrap();
    let second = client.refresh(&first).unwrap();
    assert!(first.is_rotated() && second.is_rotated());
    assert_ne!(first.refresh_token(), second.refresh_token());
    let subject = second.id_token().unwrap().subject();
    assert_eq!(Ok(subject), authentication.subject());
    assert_eq!(client.userinfo(&second).unwrap().subject(), subject);
    let report = place.server.provider().report();
    assert!(report.is_clean(), "{report}");
}

/// A lost answer may have had a new refresh token, so the old one is not sent a second time.
///
/// REQ-FAPI-20
#[test]
fn a_refresh_whose_answer_is_lost_is_reported_and_not_repeated() {
    each(|adapter| {
        let asks = || RefreshRequest::new(RefreshToken::new("sentinel-refresh"), None);
        let tokens = r#"{"access_token":"sentinel-access","token_type":"Bearer"}"#;
        let server = RawServer::start([Answer::Reset, answer(200, "", tokens)]);
        let config = config(&server.url(""), ClientAuth::None);
        let error = driver(adapter, &config).refresh(asks()).unwrap_err();
        assert!(!format!("{error:?}").contains("sentinel"));
        assert!(matches!(error, CallError::Failed(CallFailure::RefreshLost(_))), "{error:?}");
        assert_eq!(server.requests().len(), 1);

        let server = RawServer::start([Answer::Reset, answer(200, "", tokens)]);
        let config = crate::client::config(&server.url(""), ClientAuth::None);
        let repeated = asks().dangerously_repeat_if_lost();
        let refreshed = driver(adapter, &config).refresh(repeated).unwrap();
        assert_eq!(refreshed.refresh_token().expose(), "sentinel-refresh");
        assert!(!refreshed.is_rotated());
        assert_eq!(server.requests().len(), 2);
    });
}

/// A client that registered signed answers takes no plain one, and the other way round.
///
/// REQ-TOK-34c
#[test]
fn an_answer_in_another_form_than_the_registered_one_is_refused() {
    for (registered, sent, fault) in
        [(true, false, Fault::NotSigned), (false, true, Fault::MediaType)]
    {
        let place = Place::new(|client| match sent {
            true => client.userinfo_alg(JwsAlgorithm::Es256),
            false => client,
        });
        let client = place.client::<ciba_ureq::Ureq>(registered).connect().unwrap();
        let authentication = client.authenticate(request()).unwrap();
        let error = client.userinfo(&*authentication).unwrap_err();
        let CallError::Failed(CallFailure::Misbehaved(found)) = error else { panic!("{error:?}") };
        assert_eq!((found.endpoint, found.fault), (Endpoint::UserInfo, fault));
    }
}

fn asks(subject: &str) -> UserInfoRequest {
    UserInfoRequest::new(AccessToken::new("sentinel-access"), subject)
}

/// OPM-REF-04
/// OPM-REF-05
#[test]
fn an_answer_about_another_person_is_refused() {
    each(|adapter| {
        let claims = r#"{"sub":"another","name":"sentinel-name"}"#;
        let server = RawServer::start([answer(200, "", claims)]);
        let config = config(&server.url(""), ClientAuth::None);
        let error = driver(adapter, &config).userinfo(asks("somebody")).unwrap_err();
        assert!(!format!("{error:?}").contains("sentinel"));
        let CallError::Failed(CallFailure::Untrusted(rejection)) = error else {
            panic!("{error:?}");
        };
        assert_eq!(rejection.check(), Untrusted::ExpectedSubject);
        let request = &server.requests()[0];
        assert!(request.starts_with("GET /userinfo HTTP/1.1\r\n"), "{request}");
        assert!(request.to_lowercase().contains("authorization: bearer sentinel-access\r\n"));
        assert_eq!(request.matches("sentinel-access").count(), 1);
    });
}

/// RFC 7009 section 2.2.1: a provider that is busy is asked again, and one that refuses is not.
#[test]
fn a_revocation_is_repeated_only_if_that_can_help() {
    each(|adapter| {
        let token = RefreshToken::new("sentinel-refresh");
        let busy = answer(503, "retry-after: 7\r\n", "{}");
        let lost = Answer::Reset;
        let server = RawServer::start([busy.clone(), lost, answer(200, "", "")]);
        let config = config(&server.url(""), ClientAuth::None);
        driver(adapter, &config).revoke(&token).unwrap();
        let requests = server.requests();
        assert_eq!(requests.len(), 3);
        // The server resets the second connection after the head of the request.
        for request in [&requests[0], &requests[2]] {
            assert!(request.starts_with("POST /revoke HTTP/1.1\r\n"), "{request}");
            let form = "token=sentinel-refresh&token_type_hint=refresh_token&client_id=client";
            assert!(request.ends_with(form), "{request}");
        }

        let refused = answer(400, "", r#"{"error":"unsupported_token_type"}"#);
        let server = RawServer::start([refused, answer(200, "", "")]);
        let config = crate::client::config(&server.url(""), ClientAuth::None);
        let error = driver(adapter, &config).revoke(&token).unwrap_err();
        let CallError::Failed(failure) = error else { panic!("{error:?}") };
        let code = failure.answer().and_then(|answer| answer.code());
        assert_eq!(code, Some(&ErrorCode::UnsupportedTokenType));
        assert_eq!(server.requests().len(), 1);

        let server = RawServer::start([busy.clone(), busy.clone(), busy]);
        let config = crate::client::config(&server.url(""), ClientAuth::None);
        let error = driver(adapter, &config).revoke(&token).unwrap_err();
        assert!(matches!(error, CallError::Failed(CallFailure::Unavailable(_))), "{error:?}");
        assert_eq!(server.requests().len(), 3);
    });
}
