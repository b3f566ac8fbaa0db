//! The members of a configuration file.

/// The members that are used. The last ones name the provider, its rules and files, and are read by
/// adapters.
const USED: [&str; 34] = [
    "backchannel_authentication_request_signing_alg",
    "backchannel_client_notification_endpoint",
    "backchannel_token_delivery_mode",
    "backchannel_user_code_parameter",
    "client_id",
    "client_secret",
    "client_secret_expires_at",
    "default_acr_values",
    "default_max_age",
    "dpop_bound_access_tokens",
    "id_token_signed_response_alg",
    "issuer",
    "jwks",
    "require_auth_time",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_email",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_uri",
    "tls_client_auth_subject_dn",
    "tls_client_certificate_bound_access_tokens",
    "token_endpoint_auth_method",
    "token_endpoint_auth_signing_alg",
    "use_mtls_endpoint_aliases",
    "userinfo_signed_response_alg",
    "provider",
    "profile",
    "key_file",
    "dpop_key_file",
    "client_secret_file",
    "ca_file",
    "cert_file",
    "cert_key_file",
    "listen_cert_file",
    "listen_key_file",
];

/// Registered client metadata that has no effect on a client that only uses CIBA. What would change
/// how answers have to be checked, such as encryption, is not in the list.
const WITHOUT_EFFECT: [&str; 31] = [
    "application_type",
    "authorization_details_types",
    "backchannel_logout_session_required",
    "backchannel_logout_uri",
    "client_id_issued_at",
    "client_name",
    "client_uri",
    "contacts",
    "frontchannel_logout_session_required",
    "frontchannel_logout_uri",
    "grant_types",
    "initiate_login_uri",
    "jwks_uri",
    "logo_uri",
    "policy_uri",
    "post_logout_redirect_uris",
    "redirect_uris",
    "registration_access_token",
    "registration_client_uri",
    "request_object_signing_alg",
    "request_uris",
    "require_pushed_authorization_requests",
    "require_signed_request_object",
    "response_types",
    "scope",
    "sector_identifier_uri",
    "software_id",
    "software_statement",
    "software_version",
    "subject_type",
    "tos_uri",
];

/// Whether a configuration file may have this member.
pub(super) fn is_known(name: &str) -> bool {
    // The prefix is free for other programs.
    USED.contains(&name) || WITHOUT_EFFECT.contains(&name) || name.starts_with("x_")
}
