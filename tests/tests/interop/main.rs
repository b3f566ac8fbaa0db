//! A provider that we did not write, through both adapters. `cargo xtask interop` starts it and runs these tests.
//!
//! Every case runs in a thread of its own, because those that poll have to wait at least one real interval.

mod clients;
mod endpoint;
mod party;

use std::{
    fs, thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciba_core::{AuthRequest, Authentication, AuthorizationDetail, Failure, Hint, LoginHint};
use clients::{Client, in_run};
use party::{ADAPTERS, Outcome, Party};
use serde_json::{Value, json};

const USER_CODE: &str = "2468";
const ACCOUNTS: &str = "https://accounts.example/";
const PAYMENTS: &str = "https://payments.example/v1";
/// How many pings are timed, for each adapter.
const TIMED: usize = 21;

#[derive(Clone, Copy, Debug)]
enum Ends {
    Verified,
    Denied,
    Expired,
    /// By the provider, with this error code.
    Refused(&'static str),
}

/// One flow, in each adapter.
#[derive(Clone)]
struct Case {
    /// What the client is called; `*` stands for the adapter's name.
    client: String,
    hint: &'static str,
    /// What the request has besides its hint.
    asks: fn(AuthRequest) -> AuthRequest,
    /// The certificate to show in place of the client's own.
    shows: Option<&'static str>,
    ends: Ends,
    /// What the result has to be besides verified.
    checks: fn(&Authentication),
}

fn case(client: impl Into<String>, hint: &'static str, ends: Ends) -> Case {
    Case { client: client.into(), hint, asks: |request| request, shows: None, ends, checks: |_| {} }
}

#[test]
#[ignore = "needs a provider: cargo xtask interop"]
fn every_client_authentication_and_algorithm_ends_in_verified_claims() {
    let plain =
        |name: &str| ["private-key-jwt-", "client-secret-", "public"].iter().any(|start| name.starts_with(start));
    run(Client::names(plain).into_iter().map(|name| case(name, "approve", Ends::Verified)));
}

#[test]
#[ignore = "needs a provider: cargo xtask interop"]
fn every_answer_of_a_person_ends_the_flow_as_it_should() {
    let cases = [
        ("approve-later", Ends::Verified),
        ("deny", Ends::Denied),
        ("never", Ends::Expired),
        ("nobody", Ends::Refused("unknown_user_id")),
    ];
    run(cases.map(|(hint, ends)| case("private-key-jwt-es256", hint, ends)));
}

#[test]
#[ignore = "needs a provider: cargo xtask interop"]
fn a_ping_brings_the_outcome_at_once_also_one_that_overtakes_the_acknowledgement() {
    let answers = [
        ("approve", Ends::Verified),
        ("approve-at-once", Ends::Verified),
        ("deny", Ends::Denied),
        ("deny-at-once", Ends::Denied),
        ("never", Ends::Expired),
    ];
    let cases = ["ping-*", "ping-secret-*"].map(|client| answers.map(|(hint, ends)| case(client, hint, ends)));
    run(cases.into_iter().flatten());
}

#[test]
#[ignore = "needs a provider: cargo xtask interop"]
fn signed_requests_are_taken_in_every_algorithm_and_with_everything_in_them() {
    let signed = Client::names(|name| name.starts_with("signed-") && name != "signed-user-code");
    let whole = Case {
        asks: |request| {
            request
                .scope("accounts")
                .acr_values(["urn:example:high"])
                .user_code(USER_CODE.into())
                .requested_expiry(Duration::from_secs(60))
                .resource(ACCOUNTS)
                .resource(PAYMENTS)
                .authorization_detail(payment())
                .extra("nonce", "n-0S6_WzA2Mj")
        },
        checks: |authentication| {
            was_granted(authentication);
            assert_eq!(access_token(authentication)["aud"], PAYMENTS);
        },
        ..case("signed-user-code", "approve", Ends::Verified)
    };
    run(signed.into_iter().map(|name| case(name, "approve", Ends::Verified)).chain([whole]));
}

#[test]
#[ignore = "needs a provider: cargo xtask interop"]
fn certificates_authenticate_the_client_and_bind_its_tokens() {
    let bound = ["tls-client-auth", "self-signed-tls-client-auth", "bound-private-key-jwt"].map(|client| Case {
        asks: |request| request.scope("accounts").resource(ACCOUNTS),
        ..case(client, "approve", Ends::Verified)
    });
    let impostor =
        |client, shows| Case { shows: Some(shows), ..case(client, "approve", Ends::Refused("invalid_client")) };
    run(bound.into_iter().chain([
        impostor("tls-client-auth", "stranger"),
        impostor("tls-client-auth", "self-signed"),
        impostor("self-signed-tls-client-auth", "client"),
    ]));
}

#[test]
#[ignore = "needs a provider: cargo xtask interop"]
fn user_codes_are_sent_and_their_errors_told() {
    let with = |client, ends, asks| Case { asks, ..case(client, "approve", ends) };
    let cases = ["user-code", "signed-user-code"].map(|client| {
        [
            with(client, Ends::Verified, |request| request.user_code(USER_CODE.into())),
            with(client, Ends::Refused("invalid_user_code"), |request| request.user_code("1357".into())),
            with(client, Ends::Refused("missing_user_code"), |request| request),
        ]
    });
    run(cases.into_iter().flatten());
}

#[test]
#[ignore = "needs a provider: cargo xtask interop"]
fn authorization_details_and_resources_come_back_as_granted() {
    const CLIENT: &str = "private-key-jwt-es256";
    let with = |ends, asks, checks| Case { asks, checks, ..case(CLIENT, "approve", ends) };
    run([
        with(Ends::Verified, |request| request.authorization_detail(payment()), was_granted),
        with(
            Ends::Verified,
            |request| request.scope("accounts").resource(ACCOUNTS),
            |authentication| {
                assert_eq!(authentication.granted_scope(), Some("accounts"));
                assert_eq!(access_token(authentication)["aud"], ACCOUNTS);
            },
        ),
        with(
            Ends::Verified,
            |request| request.resource(ACCOUNTS).resource(PAYMENTS),
            |authentication| assert_eq!(access_token(authentication)["aud"], PAYMENTS),
        ),
        with(Ends::Refused("invalid_target"), |request| request.resource("https://unknown.example/"), |_| {}),
        with(
            Ends::Refused("invalid_authorization_details"),
            |request| request.authorization_detail(AuthorizationDetail::new("payment")),
            |_| {},
        ),
    ]);
}

#[test]
#[ignore = "needs a provider: cargo xtask interop"]
fn the_fapi_profile_holds_with_ping_signed_requests_and_bound_tokens() {
    let asks: fn(AuthRequest) -> AuthRequest = |request| request.scope("accounts").resource(ACCOUNTS);
    let with_code: fn(AuthRequest) -> AuthRequest =
        |request| request.scope("accounts").resource(ACCOUNTS).user_code(USER_CODE.into());
    let cases = [("fapi-jwt-*", asks), ("fapi-tls-*", with_code)].map(|(client, asks)| {
        [("approve", Ends::Verified), ("approve-at-once", Ends::Verified), ("deny", Ends::Denied)]
            .map(|(hint, ends)| Case { asks, ..case(client, hint, ends) })
    });
    run(cases.into_iter().flatten());
}

#[test]
#[ignore = "needs a provider: cargo xtask interop"]
fn a_flow_survives_new_keys_of_the_provider() {
    for name in ["private-key-jwt-es256", "ping-secret-*"] {
        for adapter in ADAPTERS {
            let party = Party::new(&Client::named(name, adapter.name()), adapter, None);
            // The first flow fills the cache with keys that are gone when the second one needs one.
            for hint in ["approve", "rotate"] {
                check(&case(name, hint, Ends::Verified), party.authenticate(request(hint)));
            }
            println!("{adapter:?}: {name}: rotate: as expected");
        }
    }
}

/// Prints figures; what is too long is for benchmarks to say.
#[test]
#[ignore = "needs a provider: cargo xtask interop"]
fn tokens_are_in_hand_soon_after_the_ping_was_sent() {
    for adapter in ADAPTERS {
        let party = Party::new(&Client::named("ping-*", adapter.name()), adapter, None);
        // Fetches the provider's keys.
        check(&case("ping-*", "approve", Ends::Verified), party.authenticate(request("approve")));
        let mut took: Vec<f64> = (0..TIMED)
            .map(|_| {
                let before = pings().len();
                let outcome = party.authenticate(request("approve"));
                let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs_f64() * 1000.0;
                check(&case("ping-*", "approve", Ends::Verified), outcome);
                let sent = pings();
                assert_eq!(sent.len(), before + 1, "pings for one flow");
                now - sent[before]
            })
            .collect();
        took.sort_by(f64::total_cmp);
        println!(
            "{adapter:?}: from the ping being sent to tokens in hand: median {:.1} ms of {TIMED}, {:.1} to {:.1} ms",
            took[TIMED / 2],
            took[0],
            took[TIMED - 1],
        );
    }
}

/// When the provider sent each ping so far, in Unix milliseconds.
fn pings() -> Vec<f64> {
    let text = fs::read_to_string(in_run("sent")).expect("the provider writes it");
    text.lines().map(|line| line.parse().expect("milliseconds")).collect()
}

fn run(cases: impl IntoIterator<Item = Case>) {
    thread::scope(|scope| {
        for case in cases {
            for adapter in ADAPTERS {
                let case = case.clone();
                scope.spawn(move || {
                    let client = Client::named(&case.client, adapter.name());
                    let party = Party::new(&client, adapter, case.shows.or(client.certificate.as_deref()));
                    let outcome = party.authenticate((case.asks)(request(case.hint)));
                    if let (Ok(authentication), Some(thumbprint)) = (&outcome.result, &client.thumbprint) {
                        assert_eq!(access_token(authentication)["cnf"]["x5t#S256"], **thumbprint);
                    }
                    check(&case, outcome);
                    println!("{adapter:?}: {}: {}: {:?}: as expected", client.client_id, case.hint, case.ends);
                });
            }
        }
    });
}

fn check(case: &Case, outcome: Outcome) {
    let Case { client, hint, ends, .. } = case;
    if client.contains('*') && !matches!(ends, Ends::Expired) {
        // Neither before the ping nor again after it.
        assert_eq!((outcome.notified, outcome.token_requests), (true, 1), "{client}: {hint}");
    }
    match (ends, outcome.result) {
        (Ends::Verified, Ok(authentication)) => {
            assert_eq!(authentication.subject(), Ok(*hint));
            (case.checks)(&authentication);
        }
        (Ends::Denied, Err(Failure::Denied(_))) | (Ends::Expired, Err(Failure::Expired(_))) => {}
        (Ends::Refused(code), Err(Failure::Refused(answer))) => {
            assert_eq!(answer.code().map(|code| code.name()), Some(*code), "{client}: {hint}");
        }
        (ends, result) => panic!("{client}: {hint} should end as {ends:?}, ended as {result:?}"),
    }
}

fn request(hint: &str) -> AuthRequest {
    let request = AuthRequest::new(Hint::Login(LoginHint::new(hint))).binding_message("INTEROP");
    if hint == "never" { request.requested_expiry(Duration::from_secs(8)) } else { request }
}

fn payment() -> AuthorizationDetail {
    AuthorizationDetail::new("payment").with("amount", 120).with("to", "Østre & sønn")
}

/// The payment of [`payment`], as the provider changes it.
fn was_granted(authentication: &Authentication) {
    let granted = json!([{"type": "payment", "amount": 120, "to": "Østre & sønn", "from": "savings"}]);
    let details: Option<serde_json::Value> = authentication.extra().get("authorization_details").unwrap();
    assert_eq!(details, Some(granted));
}

/// What is in an access token that is a JWT.
fn access_token(authentication: &Authentication) -> Value {
    let claims = authentication.access_token().expose().split('.').nth(1).expect("a JWT");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("claims")
}
