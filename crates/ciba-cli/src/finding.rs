//! What is wrong with a client at a provider, and the option that changes it.

use ciba_core::config::ConfigError;

/// One finding in words.
pub(crate) fn text(finding: &ConfigError) -> String {
    match option(finding) {
        Some(option) => format!("{finding}; see {option}"),
        None => finding.to_string(),
    }
}

/// The option that changes it: for a member of the client's registration, the option of that
/// member; for a list of the metadata, an option to choose a listed value or to ignore the list.
fn option(finding: &ConfigError) -> Option<&'static str> {
    Some(match finding.member() {
        "issuer" => "--issuer",
        "backchannel_authentication_endpoint" => "--backchannel-endpoint",
        "token_endpoint" => "--token-endpoint",
        "jwks_uri" => "--jwks-uri",
        "token_endpoint_auth_method" => "--client-auth",
        "token_endpoint_auth_signing_alg" => "--key and --alg",
        "token_endpoint_auth_methods_supported" => {
            "--client-auth, or --ignore-metadata authentication-method"
        }
        "token_endpoint_auth_signing_alg_values_supported" => {
            "--alg, or --ignore-metadata authentication-algorithm"
        }
        "id_token_signed_response_alg" => "--id-token-alg",
        "id_token_signing_alg_values_supported" => {
            "--id-token-alg, or --ignore-metadata id-token-algorithm"
        }
        "backchannel_authentication_request_signing_alg" => "--signed-request",
        "backchannel_authentication_request_signing_alg_values_supported" => {
            "--signed-request, or --ignore-metadata request-algorithm"
        }
        "backchannel_token_delivery_mode" => "--delivery",
        "backchannel_token_delivery_modes_supported" => {
            "--delivery, or --ignore-metadata delivery-mode"
        }
        "backchannel_client_notification_endpoint" => "--listen",
        "backchannel_user_code_parameter_supported" => {
            "--user-code, or --ignore-metadata user-codes"
        }
        "tls_client_certificate_bound_access_tokens" => match finding {
            ConfigError::NotListed { .. } => "--ignore-metadata certificate-bound-tokens",
            _ => "--cert and --cert-key",
        },
        "dpop_key" | "dpop_signing_alg" => "--dpop",
        "dpop_signing_alg_values_supported" => "--dpop, or --ignore-metadata dpop-algorithm",
        "backchannel_audience" => "--audience, or --backchannel-endpoint",
        "token_audience" => "--token-audience, or --token-endpoint",
        "client_id" => "--client-id, or --basic",
        "client_secret" => "--client-secret-file",
        "clock_skew" => "--clock-skew",
        "assume_bearer" => "--assume-bearer",
        "bearer_words" => "--bearer-word",
        "dangerously_ignore_metadata" => "--ignore-metadata",
        "header" => "--header",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_names_the_option_that_changes_it() {
        let finding = ConfigError::Missing { member: "id_token_signed_response_alg" };
        assert_eq!(text(&finding), "id_token_signed_response_alg is missing; see --id-token-alg");
        let finding = ConfigError::Invalid { member: "assertion_typ", reason: "r" };
        assert_eq!(text(&finding), "assertion_typ cannot be used: r");
    }
}
