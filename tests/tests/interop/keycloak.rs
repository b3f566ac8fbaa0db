//! Unmodified Keycloak, with our authentication entity that answers for the person.

use std::{collections::BTreeMap, sync::Mutex};

use ciba_core::{AuthRequest, request::AuthorizationDetail};

use crate::{
    command::killed_and_resumed,
    party::{Deviations, NONE},
    table::{self, Case, Ends, Person, run},
};

/// Each case has a separate person: two simultaneous first logins of one person at one client break
/// Keycloak.
fn case(client: &str, hint: &'static str, ends: Ends) -> Case {
    Case { person: Person::OfTheirOwn(next(hint)), ..table::case(client, hint, ends) }
}

/// The number of the next person of a kind.
fn next(kind: &'static str) -> usize {
    static NEXT: Mutex<BTreeMap<&str, usize>> = Mutex::new(BTreeMap::new());
    let mut all = NEXT.lock().expect("no case failed while it counted");
    let next = all.entry(kind).or_default();
    *next += 1;
    *next - 1
}

#[test]
#[ignore = "needs a provider: cargo xtask interop keycloak"]
fn every_client_authentication_ends_in_verified_claims() {
    // The public client as well, although Keycloak does not list it.
    run(["basic", "post", "secret-jwt", "key", "public", "tls", "signed-es256", "signed-ps256"]
        .map(|client| case(client, "approve", Ends::Verified)));
}

#[test]
#[ignore = "needs a provider: cargo xtask interop keycloak"]
fn every_decision_of_a_person_leads_to_its_outcome() {
    run([
        case("key", "approve-later", Ends::Verified),
        case("key", "deny", Ends::Denied),
        case("basic", "cancel", Ends::Denied),
        case("key", "never", Ends::Expired),
        Case { person: Person::Hinted, ..case("key", "nobody", Ends::Refused("invalid_request")) },
        case("ping-*", "approve", Ends::Verified),
        case("ping-basic-*", "approve", Ends::Verified),
        case("ping-*", "deny", Ends::Denied),
    ]);
}

#[test]
#[ignore = "needs a provider: cargo xtask interop keycloak"]
fn the_fapi_policies_of_keycloak_accept_requests_of_the_profile() {
    run([
        case("fapi-jwt", "approve", Ends::Verified),
        case("fapi-jwt", "deny", Ends::Denied),
        case("fapi-tls-*", "approve", Ends::Verified),
    ]);
}

#[test]
#[ignore = "needs a provider: cargo xtask interop keycloak"]
fn each_failure_is_reported_with_its_reason() {
    let deviating =
        |deviates, client| Case { deviates, ..case(client, "approve", Ends::Unreachable) };
    run([
        case("wrong-secret", "approve", Ends::Refused("unauthorized_client")),
        // The entity takes longer than Keycloak waits: the person may have been asked.
        case("key", "slow", Ends::Unknown("server_error")),
        // The provider's certificate is not trusted.
        deviating(Deviations { trusts: "self-signed", ..NONE }, "key"),
        // The client's certificate is not trusted, which Keycloak reports in the handshake with TLS
        // 1.3.
        deviating(Deviations { shows: Some("self-signed"), ..NONE }, "tls"),
        // The client's certificate belongs to another client.
        Case {
            deviates: Deviations { shows: Some("stranger"), ..NONE },
            ..case("tls", "approve", Ends::Refused("invalid_client"))
        },
    ]);
}

#[test]
#[ignore = "needs a provider: cargo xtask interop keycloak"]
fn parameters_that_keycloak_ignores_are_reported_and_can_be_a_failure() {
    fn payment(request: AuthRequest) -> AuthRequest {
        let detail = AuthorizationDetail::new("payment").with("amount", 120);
        request.authorization_detail(detail).resource("https://accounts.example/")
    }
    run([
        Case {
            asks: payment,
            checks: |authentication| {
                // The person did not see the amount.
                let difference = authentication.difference();
                assert_eq!(
                    (difference.authorization_details.len(), difference.resources.len()),
                    (1, 1),
                    "{difference:?}"
                );
                assert!(difference.scope.is_empty(), "{difference:?}");
            },
            ..case("key", "approve", Ends::Verified)
        },
        Case {
            asks: |request| payment(request).require_granted(),
            ..case("key", "approve", Ends::Untrusted)
        },
    ]);
}

#[test]
#[ignore = "needs a provider: cargo xtask interop keycloak"]
fn a_killed_command_is_resumed_and_authenticates() {
    killed_and_resumed(&["basic", "key", "ping-command-*"], |adapter, _| {
        format!("approve-later.{}.{}", next("approve-later"), adapter.name())
    });
}
