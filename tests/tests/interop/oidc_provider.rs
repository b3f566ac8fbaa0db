//! npm `oidc-provider`: every authentication method, every algorithm, everything in a request.

use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ciba_core::{AuthRequest, Authentication, request::AuthorizationDetail};
use serde_json::{Value, json};

use crate::{
    clients::{Client, in_run},
    party::{ADAPTERS, Deviations, NONE, Party},
    table::{Case, Ends, access_token, case, check, request, run},
};

const USER_CODE: &str = "2468";
const ACCOUNTS: &str = "https://accounts.example/";
const PAYMENTS: &str = "https://payments.example/v1";
/// The number of pings that are timed, for each adapter.
const TIMED: usize = 21;

#[test]
#[ignore = "needs a provider: cargo xtask interop"]
fn every_client_authentication_and_algorithm_ends_in_verified_claims() {
    let plain = |name: &str| {
        ["private-key-jwt-", "client-secret-", "public"].iter().any(|start| name.starts_with(start))
    };
    run(Client::names(plain).into_iter().map(|name| case(name, "approve", Ends::Verified)));
}

#[test]
#[ignore = "needs a provider: cargo xtask interop"]
fn every_decision_of_a_person_leads_to_its_outcome() {
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
fn a_ping_leads_to_the_outcome_at_once_even_if_it_overtakes_the_acknowledgement() {
    let answers = [
        ("approve", Ends::Verified),
        ("approve-at-once", Ends::Verified),
        ("deny", Ends::Denied),
        ("deny-at-once", Ends::Denied),
        ("never", Ends::Expired),
    ];
    let cases = ["ping-*", "ping-secret-*"]
        .map(|client| answers.map(|(hint, ends)| case(client, hint, ends)));
    run(cases.into_iter().flatten());
}

#[test]
#[ignore = "needs a provider: cargo xtask interop"]
fn signed_requests_with_every_parameter_are_accepted_in_every_algorithm() {
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
    let bound =
        ["tls-client-auth", "self-signed-tls-client-auth", "bound-private-key-jwt"].map(|client| {
            Case {
                asks: |request| request.scope("accounts").resource(ACCOUNTS),
                ..case(client, "approve", Ends::Verified)
            }
        });
    let impostor = |client, shows| Case {
        deviates: Deviations { shows: Some(shows), ..NONE },
        ..case(client, "approve", Ends::Refused("invalid_client"))
    };
    run(bound.into_iter().chain([
        impostor("tls-client-auth", "stranger"),
        impostor("tls-client-auth", "self-signed"),
        impostor("self-signed-tls-client-auth", "client"),
    ]));
}

#[test]
#[ignore = "needs a provider: cargo xtask interop"]
fn user_codes_are_sent_and_their_errors_reported() {
    let with = |client, ends, asks| Case { asks, ..case(client, "approve", ends) };
    let cases = ["user-code", "signed-user-code"].map(|client| {
        [
            with(client, Ends::Verified, |request| request.user_code(USER_CODE.into())),
            with(client, Ends::Refused("invalid_user_code"), |request| {
                request.user_code("1357".into())
            }),
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
        with(
            Ends::Refused("invalid_target"),
            |request| request.resource("https://unknown.example/"),
            |_| {},
        ),
        with(
            Ends::Refused("invalid_authorization_details"),
            |request| request.authorization_detail(AuthorizationDetail::new("payment")),
            |_| {},
        ),
    ]);
}

#[test]
#[ignore = "needs a provider: cargo xtask interop"]
fn the_fapi_profile_works_with_ping_signed_requests_and_bound_tokens() {
    let asks: fn(AuthRequest) -> AuthRequest =
        |request| request.scope("accounts").resource(ACCOUNTS);
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
            let client = Client::named(name, adapter.name());
            let party = Party::new(&client, adapter, NONE);
            // The first flow fills the cache with keys that no longer exist when the second one
            // needs one.
            for hint in ["approve", "rotate"] {
                check(
                    &case(name, hint, Ends::Verified),
                    &client,
                    hint,
                    party.authenticate(request(hint)),
                );
            }
            println!("{adapter:?}: {name}: rotate: as expected");
        }
    }
}

/// Prints figures. Limits for them belong to the benchmarks.
#[test]
#[ignore = "needs a provider: cargo xtask interop"]
fn tokens_arrive_soon_after_the_ping_was_sent() {
    for adapter in ADAPTERS {
        let client = Client::named("ping-*", adapter.name());
        let party = Party::new(&client, adapter, NONE);
        // Fetches the provider's keys.
        check(
            &case("ping-*", "approve", Ends::Verified),
            &client,
            "approve",
            party.authenticate(request("approve")),
        );
        let mut took: Vec<f64> = (0..TIMED)
            .map(|_| {
                let before = pings().len();
                let outcome = party.authenticate(request("approve"));
                let now =
                    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs_f64()
                        * 1000.0;
                check(&case("ping-*", "approve", Ends::Verified), &client, "approve", outcome);
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

/// Returns when the provider sent each ping so far, in Unix milliseconds.
fn pings() -> Vec<f64> {
    let text = fs::read_to_string(in_run("sent")).expect("the provider sends it");
    text.lines().map(|line| line.parse().expect("milliseconds")).collect()
}

fn payment() -> AuthorizationDetail {
    AuthorizationDetail::new("payment").with("amount", 120).with("to", "Østre & sønn")
}

/// The payment of [`payment`], as changed by the provider.
fn was_granted(authentication: &Authentication) {
    let granted =
        json!([{"type": "payment", "amount": 120, "to": "Østre & sønn", "from": "savings"}]);
    let details: Option<Value> = authentication.extra().get("authorization_details").expect("JSON");
    assert_eq!(details, Some(granted));
}
