//! The Go library go-oidc: every authentication method in every delivery mode, and failures after
//! the prompt.

use std::{fs, thread, time::Duration};

use ciba_core::{AuthRequest, Authentication, request::AuthorizationDetail};
use serde_json::{Value, json};

use crate::{
    clients::{Client, in_run},
    command::{Command, killed_and_resumed},
    party::{ADAPTERS, Deviations, NONE, Party},
    table::{Case, Ends, access_token, case, check, request, run},
};

const METHODS: [&str; 8] =
    ["basic", "post", "secret-jwt", "key", "key-es512", "tls", "self-signed", "public"];
const ACCOUNTS: &str = "https://accounts.example/";

#[test]
#[ignore = "needs a provider: cargo xtask interop go-oidc"]
fn every_client_authentication_works_in_poll_and_ping_mode() {
    let polls = METHODS.map(|method| case(method, "approve", Ends::Verified));
    let pings = METHODS.map(|method| case(format!("ping-{method}-*"), "approve", Ends::Verified));
    run(polls.into_iter().chain(pings));
}

#[test]
#[ignore = "needs a provider: cargo xtask interop go-oidc"]
fn every_decision_of_a_person_leads_to_its_outcome() {
    let answers = [
        ("deny", Ends::Denied),
        ("never", Ends::Expired),
        ("nobody", Ends::Refused("unknown_user_id")),
    ];
    let cases =
        ["key", "ping-key-*"].map(|client| answers.map(|(hint, ends)| case(client, hint, ends)));
    let lost = Case {
        // Polled without a ping when half of the time is over.
        asks: |request| request.requested_expiry(Duration::from_secs(10)),
        ..case("ping-basic-*", "lost", Ends::Verified)
    };
    run(cases.into_iter().flatten().chain([
        case("key", "approve-later", Ends::Verified),
        case("ping-key-*", "approve-at-once", Ends::Verified),
        case("ping-key-*", "deny-at-once", Ends::Denied),
        lost,
    ]));
}

#[test]
#[ignore = "needs a provider: cargo xtask interop go-oidc"]
fn pushed_tokens_are_verified_and_bound_to_the_request() {
    run([
        case("push-basic-*", "approve", Ends::Verified),
        case("push-key-*", "approve", Ends::Verified),
        case("push-key-*", "approve-at-once", Ends::Verified),
        case("push-key-*", "deny", Ends::Denied),
        // A push client learns that its time is over only from its own clock, including a minute of
        // grace.
        Case {
            deviates: Deviations { pace: 12, ..NONE },
            ..case("push-key-*", "never", Ends::Silence)
        },
        Case {
            checks: |authentication| assert!(authentication.refresh_token().is_some()),
            ..case("push-refresh-*", "approve", Ends::Verified)
        },
        // By default the library omits at_hash.
        case("push-bare-*", "approve", Ends::Untrusted),
    ]);
}

#[test]
#[ignore = "needs a provider: cargo xtask interop go-oidc"]
fn impostors_are_refused_before_any_prompt() {
    let strange = |client| Case {
        deviates: Deviations { shows: Some("stranger"), ..NONE },
        ..case(client, "approve", Ends::Refused("invalid_client"))
    };
    run([
        case("wrong-secret", "approve", Ends::Refused("invalid_client")),
        case("wrong-key", "approve", Ends::Refused("invalid_client")),
        case("signed-wrong-key", "approve", Ends::Refused("invalid_request")),
        strange("tls"),
        strange("self-signed"),
        // Rejected in the handshake with TLS 1.3: nothing was sent, although the handshake was
        // complete for the client.
        Case {
            deviates: Deviations { shows: Some("self-signed"), ..NONE },
            ..case("strict-tls", "approve", Ends::Unreachable)
        },
    ]);
}

#[test]
#[ignore = "needs a provider: cargo xtask interop go-oidc"]
fn signed_requests_with_every_parameter_are_accepted() {
    let signed = Client::names(|name| name.starts_with("signed-") && name != "signed-wrong-key");
    let whole = Case {
        asks: |request| {
            request.scope("accounts").resource(ACCOUNTS).authorization_detail(payment())
        },
        checks: |authentication| {
            assert_eq!(access_token(authentication)["aud"], ACCOUNTS);
            assert_eq!(authentication.granted_scope(), Some("openid accounts"));
            amount_granted(authentication, 120);
        },
        ..case("signed-ES256", "approve", Ends::Verified)
    };
    run(signed.into_iter().map(|name| case(name, "approve", Ends::Verified)).chain([whole]));
}

#[test]
#[ignore = "needs a provider: cargo xtask interop go-oidc"]
fn the_granted_scope_is_reported_even_if_it_is_smaller() {
    fn whole(request: AuthRequest) -> AuthRequest {
        request.scope("accounts").resource(ACCOUNTS).authorization_detail(payment())
    }
    run([
        Case {
            asks: |request| whole(request).require_granted(),
            checks: |authentication| amount_granted(authentication, 120),
            ..case("key", "approve", Ends::Verified)
        },
        Case {
            asks: whole,
            checks: |authentication| {
                let difference = authentication.difference();
                assert_eq!(
                    (&difference.scope[..], difference.resources.len()),
                    (&["accounts"][..], 0),
                    "{difference:?}"
                );
                assert_eq!(difference.authorization_details.len(), 1, "{difference:?}");
                amount_granted(authentication, 1);
            },
            ..case("key", "approve-less", Ends::Verified)
        },
        Case {
            asks: |request| whole(request).require_granted(),
            ..case("key", "approve-less", Ends::Untrusted)
        },
        Case {
            checks: |authentication| assert!(authentication.refresh_token().is_some()),
            ..case("refresh", "approve", Ends::Verified)
        },
    ]);
}

#[test]
#[ignore = "needs a provider: cargo xtask interop go-oidc"]
fn a_failure_after_the_prompt_is_an_unknown_outcome() {
    run([
        // The person was prompted, then the provider could not store the request and answered 500.
        case("key", "store-fails", Ends::Unknown("internal_error")),
        Case {
            // Until then a notification could still tell how it ended.
            asks: |request| request.requested_expiry(Duration::from_secs(8)),
            ..case("ping-key-*", "store-fails", Ends::Unknown("internal_error"))
        },
        // The person approved, and every token request is answered 500.
        Case {
            asks: |request| request.requested_expiry(Duration::from_secs(8)),
            ..case("key", "tokens-fail", Ends::Unknown("internal_error"))
        },
    ]);
}

#[test]
#[ignore = "needs a provider: cargo xtask interop go-oidc"]
fn the_fapi_profile_works_with_signed_requests_and_bound_tokens_over_tls_1_2() {
    let cases = ["fapi-key", "fapi-tls", "ping-fapi-key-*", "ping-fapi-tls-*"].map(|client| {
        [("approve", Ends::Verified), ("deny", Ends::Denied)]
            .map(|(hint, ends)| case(client, hint, ends))
    });
    run(cases.into_iter().flatten());
}

#[test]
#[ignore = "needs a provider: cargo xtask interop go-oidc"]
fn a_flow_survives_new_keys_of_the_provider() {
    for name in ["key", "ping-basic-*", "push-key-*"] {
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

#[test]
#[ignore = "needs a provider: cargo xtask interop go-oidc"]
fn a_killed_command_is_resumed_and_authenticates() {
    killed_and_resumed(&["basic", "key", "ping-key-command-*"], |_, _| "approve-later".into());
}

#[test]
#[ignore = "needs a provider: cargo xtask interop go-oidc"]
fn tokens_without_keys_are_kept_and_verified_when_there_are_keys() {
    let commands =
        ADAPTERS.map(|adapter| Command::new(&Client::named("keyless", adapter.name()), adapter));
    thread::scope(|scope| {
        for command in &commands {
            scope.spawn(|| {
                let (last, is_kept) = command.authenticated("approve");
                assert_eq!(last["event"], "failed", "{last}");
                assert!(is_kept, "the tokens were discarded: {last}");
            });
        }
    });
    fs::write(in_run("keys-published"), "").expect("a file");
    for (command, adapter) in commands.iter().zip(ADAPTERS) {
        let last = command.resumed();
        assert_eq!(
            (&last["event"], &last["subject"]),
            (&"authenticated".into(), &"approve".into()),
            "{last}"
        );
        println!("{adapter:?}: command: tokens kept until there were keys: as expected");
    }
}

fn payment() -> AuthorizationDetail {
    AuthorizationDetail::new("payment").with("amount", 120).with("to", "Østre & sønn")
}

fn amount_granted(authentication: &Authentication, amount: u32) {
    let granted = json!([{"type": "payment", "amount": amount, "to": "Østre & sønn"}]);
    let details: Option<Value> = authentication.extra().get("authorization_details").expect("JSON");
    assert_eq!(details, Some(granted));
}
