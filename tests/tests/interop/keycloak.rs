//! Keycloak, unmodified, with an authentication entity of ours that answers for the person.

use std::{collections::BTreeMap, sync::Mutex, thread};

use ciba_core::{AuthRequest, AuthorizationDetail, ClientConfigBuilder, MetadataRule};

use crate::{
    clients::Client,
    command::Command,
    party::{ADAPTERS, Deviations, NONE},
    table::{self, Case, Ends, Person, run},
};

/// Each case has a person of its own: two first logins of one person at one client at the same moment break Keycloak.
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
    let listed = ["basic", "post", "secret-jwt", "key", "tls", "signed-es256", "signed-ps256"]
        .map(|client| case(client, "approve", Ends::Verified));
    // It takes public clients and does not say so.
    let configures =
        |builder: ClientConfigBuilder| builder.dangerously_ignore_metadata(MetadataRule::AuthenticationMethod);
    let public = Case { deviates: Deviations { configures, ..NONE }, ..case("public", "approve", Ends::Verified) };
    run(listed.into_iter().chain([public]));
}

#[test]
#[ignore = "needs a provider: cargo xtask interop keycloak"]
fn every_answer_of_a_person_ends_the_flow_as_it_should() {
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
fn its_own_fapi_policies_take_what_the_profile_sends() {
    run([
        case("fapi-jwt", "approve", Ends::Verified),
        case("fapi-jwt", "deny", Ends::Denied),
        case("fapi-tls-*", "approve", Ends::Verified),
    ]);
}

#[test]
#[ignore = "needs a provider: cargo xtask interop keycloak"]
fn what_goes_wrong_ends_with_its_reason() {
    let details: fn(AuthRequest) -> AuthRequest =
        |request| request.authorization_detail(AuthorizationDetail::new("payment").with("amount", 120));
    let deviating = |deviates, client| Case { deviates, ..case(client, "approve", Ends::Unreachable) };
    run([
        case("wrong-secret", "approve", Ends::Refused("unauthorized_client")),
        // The provider's certificate is not trusted.
        deviating(Deviations { trusts: "self-signed", ..NONE }, "key"),
        // The client's is somebody else's.
        Case {
            deviates: Deviations { shows: Some("stranger"), ..NONE },
            ..case("tls", "approve", Ends::Refused("invalid_client"))
        },
        // Ignored by Keycloak, so that nobody saw the amount.
        Case {
            asks: details,
            checks: |authentication| assert!(!authentication.extra().contains("authorization_details")),
            ..case("key", "approve", Ends::Verified)
        },
    ]);
}

#[test]
#[ignore = "needs a provider: cargo xtask interop keycloak"]
fn a_killed_command_is_resumed_and_authenticates() {
    thread::scope(|scope| {
        for adapter in ADAPTERS {
            let number = next("approve-later");
            scope.spawn(move || {
                let hint = format!("approve-later.{number}.{}", adapter.name());
                let command = Command::new(&Client::named("basic", adapter.name()), adapter);
                command.killed_when(&hint, |event| event["event"] == "waiting");
                let last = command.resumed();
                assert_eq!((&last["event"], &last["subject"]), (&"authenticated".into(), &hint.into()), "{last}");
                println!("{adapter:?}: command killed and resumed: as expected");
            });
        }
    });
}
