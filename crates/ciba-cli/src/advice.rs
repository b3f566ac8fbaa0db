//! What a person at a terminal can do about a failure: the option that helps, in half a sentence.

use ciba_core::{
    Cause, CertificateProblem, Endpoint, ErrorCode, Expected, Failure, Fault, Found, Rejection, ServerAnswer, TlsAlert,
    Trouble, Untrusted,
};

/// What the command knows about itself beyond the failure.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// How the client authenticates itself.
    pub(crate) method: Option<&'static str>,
    /// HTTP Basic with an id or a secret that form-encoding changes.
    pub(crate) basic_changes: bool,
    /// A client certificate was given.
    pub(crate) has_certificate: bool,
    /// The proxy through which the provider is reached.
    pub(crate) proxy: Option<String>,
    /// The provider acknowledged the authentication request.
    pub(crate) is_acknowledged: bool,
    /// `--timeout` ended it.
    pub(crate) timed_out: bool,
}

/// Advice on a failure, if there is some.
pub(crate) fn on(failure: &Failure, known: &Known) -> Option<String> {
    match failure {
        Failure::Untrusted(rejection) => on_check(rejection),
        Failure::Unreachable(unreachable) => match unreachable.trouble {
            Some(Trouble::Unanswered(cause)) => on_cause(cause, known),
            Some(Trouble::Unusable { fault, .. }) => on_fault(fault, Endpoint::KeySet),
            _ => unreachable.answer.as_deref().and_then(|answer| on_answer(answer, known)),
        },
        Failure::Indeterminate(indeterminacy) => {
            indeterminacy.cause.filter(|cause| *cause != Cause::Unknown).and_then(|cause| on_cause(cause, known))
        }
        Failure::ProviderMisbehaved(misbehaviour) => {
            on_fault(misbehaviour.fault, misbehaviour.endpoint).or_else(|| {
                let status = failure.server_answer().map(ServerAnswer::status);
                (misbehaviour.fault == Fault::Status).then(|| on_status(status, misbehaviour.endpoint)).flatten()
            })
        }
        _ => failure.server_answer().and_then(|answer| on_answer(answer, known)),
    }
}

/// Advice on an exchange without an answer.
pub(crate) fn on_cause(cause: Cause, known: &Known) -> Option<String> {
    let through = || known.proxy.as_ref().map(|proxy| format!("the way leads through the proxy {proxy}"));
    match cause {
        Cause::Certificate(CertificateProblem::UnknownIssuer) => {
            Some("if the provider has an authority of its own, trust it with --ca-cert FILE".to_owned())
        }
        Cause::Certificate(CertificateProblem::CaAsEndEntity) => Some(
            "the server has to present a certificate that an authority signed; trust that authority with --ca-cert FILE"
                .to_owned(),
        ),
        Cause::Certificate(CertificateProblem::Expired | CertificateProblem::NotYetValid) => {
            Some("if the certificate is in order, the clock of this machine is wrong".to_owned())
        }
        Cause::Certificate(CertificateProblem::WrongName) => {
            Some("check the host name in the address of the provider".to_owned())
        }
        Cause::ClientCertificate(TlsAlert(116)) if !known.has_certificate => {
            Some("give the client certificate with --cert FILE and --cert-key FILE".to_owned())
        }
        Cause::ClientCertificate(_) => {
            Some("check that --cert is the certificate that is registered at the provider, with its chain".to_owned())
        }
        Cause::Name => through().or_else(|| Some("check the host name in the address of the provider".to_owned())),
        Cause::Tls => through().or_else(|| Some("perhaps nothing speaks TLS at that port".to_owned())),
        Cause::Proxy | Cause::Refused | Cause::NoRoute | Cause::ConnectTimeout => through(),
        _ => None,
    }
}

fn on_fault(fault: Fault, endpoint: Endpoint) -> Option<String> {
    match (fault, endpoint) {
        (Fault::Redirect, Endpoint::Discovery) => {
            Some("give the issuer it leads to, or the document itself with --metadata FILE".to_owned())
        }
        (Fault::Redirect, Endpoint::KeySet) => Some("give the address it leads to with --jwks-uri URL".to_owned()),
        (Fault::Redirect, Endpoint::BackchannelAuthentication) => Some(
            "it is not followed: if the address it leads to is the provider's, give it with --backchannel-endpoint URL"
                .to_owned(),
        ),
        (Fault::Redirect, Endpoint::Token) => Some(
            "it is not followed: if the address it leads to is the provider's, give it with --token-endpoint URL"
                .to_owned(),
        ),
        (Fault::MissingMember("token_type"), _) => {
            Some("where the provider means Bearer, use --assume-bearer".to_owned())
        }
        (Fault::BadMember("token_type"), _) => {
            Some("where that is the provider's own word for Bearer, give it with --bearer-word WORD".to_owned())
        }
        (Fault::MissingMember("id_token"), Endpoint::Notification) => {
            Some("a push is bound to its request by its ID Token alone: the provider has to send it".to_owned())
        }
        (Fault::MissingMember("id_token"), _) => Some(
            "check that the client is registered for OpenID Connect, or use --no-openid where no ID Token is due"
                .to_owned(),
        ),
        (Fault::MissingMember("access_token"), Endpoint::Notification) => Some(
            "it looks like a ping: check that the client is registered for push, or use --delivery ping".to_owned(),
        ),
        _ => None,
    }
}

/// Advice on a status that no error code explains.
fn on_status(status: Option<u16>, endpoint: Endpoint) -> Option<String> {
    let option = match endpoint {
        Endpoint::BackchannelAuthentication => "--backchannel-endpoint",
        Endpoint::Token => "--token-endpoint",
        Endpoint::KeySet => "--jwks-uri",
        _ => return None,
    };
    match status {
        Some(403) => Some("perhaps it is the answer of a firewall or gateway before the provider".to_owned()),
        Some(404 | 405 | 410) => Some(format!("perhaps the address is wrong: see {option}")),
        _ => None,
    }
}

/// Advice on a check that failed.
fn on_check(rejection: &Rejection) -> Option<String> {
    let is_ahead =
        matches!((rejection.found(), rejection.expected()), (Some(Found::Time(_)), Some(Expected::NotAfter(_))));
    match (rejection.check(), rejection.found()) {
        (Untrusted::DiscoveryIssuer, Some(Found::Text(named))) => {
            let wanted = match rejection.expected() {
                Some(Expected::Text(wanted)) => wanted.trim_end_matches('/'),
                _ => "",
            };
            Some(if named.trim_end_matches('/') == wanted {
                format!("the two differ by a slash at the end: use --issuer {named}")
            } else {
                format!("if that is the provider, perhaps behind another address, use --issuer {named}")
            })
        }
        (Untrusted::Algorithm, Some(Found::Text(named))) => {
            let is_known = ciba_core::jose::JwsAlgorithm::from_name(named).is_some();
            is_known.then(|| format!("if the client is registered for it, use --id-token-alg {named}"))
        }
        (Untrusted::UnexpectedEncryption, _) => {
            Some("register the client without encryption of ID Tokens".to_owned())
        }
        (Untrusted::Audience, Some(Found::Text(_) | Found::Texts(_))) => Some("check --client-id".to_owned()),
        (Untrusted::ExtraAudience, Some(Found::Texts(strangers))) => {
            strangers.first().map(|stranger| format!("if it may use the token too, add --trusted-audience {stranger}"))
        }
        (Untrusted::IssuedAt | Untrusted::NotBefore | Untrusted::AuthTime, _) if is_ahead => {
            Some("the clock of this machine is slow, or the provider's fast: set it, or allow for it with --clock-skew SECONDS".to_owned())
        }
        (Untrusted::Expiry | Untrusted::IssuedAt, Some(Found::Time(_))) => {
            Some("the clock of this machine may be fast: set it, or allow for it with --clock-skew SECONDS".to_owned())
        }
        (Untrusted::AccessTokenHash | Untrusted::RefreshTokenHash | Untrusted::AuthReqId, Some(Found::Missing)) => {
            Some("a push is bound to its request by this claim: the provider has to add it (CIBA 10.3.1)".to_owned())
        }
        _ => None,
    }
}

/// Advice on an answer of the provider.
fn on_answer(answer: &ServerAnswer, known: &Known) -> Option<String> {
    let (endpoint, status) = (answer.endpoint(), answer.status());
    match answer.code() {
        None if (endpoint, status) == (Endpoint::Discovery, 404) => Some("perhaps the issuer is mistyped".to_owned()),
        None if status == 401 => Some(unrecognised(known)),
        Some(ErrorCode::InvalidClient) => Some(unrecognised(known)),
        // Keycloak says so to a wrong secret.
        Some(ErrorCode::UnauthorizedClient) if status == 401 => Some(unrecognised(known)),
        Some(ErrorCode::UnauthorizedClient) if endpoint == Endpoint::Token || known.is_acknowledged => Some(
            "it took the authentication request, so CIBA is on: check that this client may poll (its delivery mode and grants)"
                .to_owned(),
        ),
        Some(ErrorCode::UnauthorizedClient) => Some("the client is not registered for CIBA at this provider".to_owned()),
        Some(ErrorCode::UnknownUserId) => Some("the provider does not know the person the hint names".to_owned()),
        Some(ErrorCode::MissingUserCode) => Some("this person has a code: give it with --user-code".to_owned()),
        Some(ErrorCode::InvalidUserCode) => Some("the code given with --user-code is not this person's".to_owned()),
        Some(ErrorCode::InvalidScope) => Some("check --scope".to_owned()),
        Some(ErrorCode::InvalidTarget) => Some("check --resource".to_owned()),
        Some(ErrorCode::InvalidAuthorizationDetails) => Some("check --authorization-details".to_owned()),
        Some(ErrorCode::ExpiredLoginHintToken) => Some("give a fresh --login-hint-token".to_owned()),
        Some(ErrorCode::InvalidRequestObject) => {
            Some("check --signed-request, and that the key is registered for it".to_owned())
        }
        Some(ErrorCode::RequestNotSupported) => {
            Some("the provider takes no signed requests: leave --signed-request out".to_owned())
        }
        Some(ErrorCode::TemporarilyUnavailable) => Some("try again later".to_owned()),
        Some(ErrorCode::UnsupportedGrantType) => Some(
            "it took the authentication request, so CIBA is on: check that --token-endpoint is this provider's".to_owned(),
        ),
        Some(ErrorCode::InvalidBindingMessage) => Some("check --binding-message".to_owned()),
        _ => None,
    }
}

/// The client was not recognised.
fn unrecognised(known: &Known) -> String {
    if known.method == Some("none") {
        return "the provider does not recognise this client without a proof: check --client-id, and whether it is registered \
                as a public client (else give --key, --client-secret-file or --cert)"
            .to_owned();
    }
    let proof = match known.method {
        Some("private_key_jwt") => "--key and its key id, --alg and --audience",
        Some("client_secret_jwt") => "the secret, --alg and --audience",
        Some("tls_client_auth" | "self_signed_tls_client_auth") => "--cert",
        _ => "the secret",
    };
    let method = known.method.map(|method| format!(" by {method}")).unwrap_or_default();
    let raw = if known.basic_changes {
        "; id or secret have characters that Basic authentication encodes, and some providers want --basic raw"
    } else {
        ""
    };
    let other = if known.method.is_some() { ", and that this method is registered (--client-auth)" } else { "" };
    format!("the provider does not recognise this client{method}: check --client-id, {proof}{other}{raw}")
}
