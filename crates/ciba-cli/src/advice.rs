//! What to do about a failure: the option that helps, in half a sentence.

use std::time::Duration;

use ciba_core::{
    Failure,
    answer::{ErrorCode, Misbehaviour, ServerAnswer},
    error::{Indeterminacy, LostAnswer, UnreachableTarget},
    fault::{
        Cause, CertificateProblem, ExchangeProblem, Expected, Fault, Found, Rejection, TlsAlert,
        Untrusted,
    },
    http::Endpoint,
};

use crate::awaited::Awaited;

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
    /// What ended it early: `--timeout`, or Ctrl-C.
    pub(crate) given_up: Option<&'static str>,
    /// What the flow waits for.
    pub(crate) awaited: Awaited,
}

/// Advice if no option of this command helps.
const PROVIDER: &str = "only the provider can fix that";

/// Advice on a failure, if there is any.
pub(crate) fn on(failure: &Failure, known: &Known) -> Option<String> {
    match failure {
        Failure::Untrusted(rejection) => on_check(rejection),
        Failure::Unreachable(unreachable) => {
            let endpoint = match unreachable.target {
                UnreachableTarget::Endpoint(endpoint) => Some(endpoint),
                _ => None,
            };
            match unreachable.problem {
                Some(ExchangeProblem::Unanswered(cause)) => {
                    on_cause(cause, endpoint, known).or_else(|| nothing_came(cause))
                }
                Some(ExchangeProblem::Unusable { fault, .. }) => on_fault(fault, Endpoint::KeySet),
                _ => unreachable.answer.as_deref().and_then(|answer| on_answer(answer, known)),
            }
        }
        Failure::Indeterminate(indeterminacy) => Some(on_unknown_outcome(indeterminacy, known)),
        Failure::ProviderMisbehaved(misbehaviour) => {
            Some(on_misbehaviour(misbehaviour, failure, known))
        }
        Failure::Expired(_) => Some(
            "try again when the person is available, perhaps with a longer --requested-expiry"
                .to_owned(),
        ),
        Failure::Refused(answer) => on_answer(answer, known),
        _ => None,
    }
}

/// The person may have been prompted, so advice about the cause comes second.
fn on_unknown_outcome(indeterminacy: &Indeterminacy, known: &Known) -> String {
    let next = match indeterminacy.lost {
        LostAnswer::AuthenticationRequest => {
            "ask the person before you try again: another try may prompt them twice"
        }
        LostAnswer::Tokens => "the tokens are given once: start a new authentication",
        LostAnswer::KeySet(problem) => {
            let advice = match problem {
                ExchangeProblem::Unanswered(cause) => {
                    on_cause(cause, Some(Endpoint::KeySet), known)
                }
                ExchangeProblem::Unusable { fault: Fault::Status, status } => {
                    on_status(Some(status), Endpoint::KeySet)
                }
                ExchangeProblem::Unusable { fault, .. } => on_fault(fault, Endpoint::KeySet),
                _ => None,
            };
            return advice.unwrap_or_else(|| {
                "check --jwks-uri, and whether the provider is well".to_owned()
            });
        }
        _ => "ask the person what they answered before you try again",
    };
    let cause = indeterminacy.cause.filter(|cause| *cause != Cause::Unknown);
    match cause.and_then(|cause| on_cause(cause, Some(indeterminacy.endpoint()), known)) {
        Some(advice) => format!("{next}; {advice}"),
        None => next.to_owned(),
    }
}

fn on_misbehaviour(misbehaviour: &Misbehaviour, failure: &Failure, known: &Known) -> String {
    let Misbehaviour { fault, endpoint, .. } = *misbehaviour;
    let status = failure.server_answer().map(ServerAnswer::status);
    let by_status = || (fault == Fault::Status).then(|| on_status(status, endpoint)).flatten();
    let by_answer = || {
        failure
            .server_answer()
            .filter(|_| fault == Fault::Status)
            .and_then(|answer| on_answer(answer, known))
    };
    let advice = on_fault(fault, endpoint)
        .or_else(by_status)
        .or_else(by_answer)
        .unwrap_or_else(|| PROVIDER.to_owned());
    // It accepted the request, whatever is wrong with its answer.
    match (endpoint, status) {
        (Endpoint::BackchannelAuthentication, Some(200..=299)) => {
            format!("the person may still be prompted; {advice}")
        }
        _ => advice,
    }
}

/// Advice on an exchange without an answer.
pub(crate) fn on_cause(cause: Cause, endpoint: Option<Endpoint>, known: &Known) -> Option<String> {
    let through =
        || known.proxy.as_ref().map(|proxy| format!("the way leads through the proxy {proxy}"));
    let shows_certificate = !matches!(endpoint, Some(Endpoint::Discovery | Endpoint::KeySet));
    let advice = match cause {
        Cause::Certificate(CertificateProblem::UnknownIssuer) => {
            "if the provider has an authority of its own, trust it with --ca-cert FILE"
        }
        Cause::Certificate(CertificateProblem::CaAsEndEntity) => {
            "the server has to present a certificate that an authority signed; trust that authority with --ca-cert FILE"
        }
        Cause::Certificate(CertificateProblem::Expired | CertificateProblem::NotYetValid) => {
            "if the certificate is in order, the clock of this machine is wrong"
        }
        Cause::Certificate(CertificateProblem::WrongName) => {
            "check the host name in the address of the provider"
        }
        Cause::Certificate(CertificateProblem::Revoked) => {
            "only its owner can fix that: do not continue"
        }
        Cause::Certificate(_) => {
            "it is malformed, or not for servers: if it is the server's own and you trust it, --ca-cert FILE"
        }
        Cause::ClientCertificate(_) if !shows_certificate => {
            "no client certificate is shown for documents: give the metadata with --metadata FILE"
        }
        Cause::ClientCertificate(TlsAlert(116)) if !known.has_certificate => {
            "give the client certificate with --cert FILE and --cert-key FILE"
        }
        Cause::ClientCertificate(_) => {
            "check that --cert is the certificate that is registered at the provider, with its chain"
        }
        Cause::TlsAlert(TlsAlert(40)) if !known.has_certificate => {
            "perhaps the server wants a client certificate (--cert FILE and --cert-key FILE), or knows only old ciphers"
        }
        Cause::TlsAlert(TlsAlert(40)) => {
            "perhaps the server does not take the client certificate, or knows only old ciphers"
        }
        Cause::TlsAlert(TlsAlert(112)) => "check the address of the provider",
        Cause::ProxyCredentials => {
            let way = through().map(|way| format!("{way}; ")).unwrap_or_default();
            return Some(format!(
                "{way}user and password belong into its URL, as http://USER:PASSWORD@HOST:PORT"
            ));
        }
        Cause::Name => {
            return through()
                .or_else(|| Some("check the host name in the address of the provider".to_owned()));
        }
        Cause::Tls => {
            return through()
                .or_else(|| Some("perhaps nothing speaks TLS at that port".to_owned()));
        }
        Cause::NotHttp => {
            return through()
                .or_else(|| Some("something else than HTTP answers at that port".to_owned()));
        }
        Cause::Proxy | Cause::Refused | Cause::NoRoute | Cause::ConnectTimeout => return through(),
        _ => return None,
    };
    Some(advice.to_owned())
}

/// Advice if no person was prompted and there is no other.
fn nothing_came(cause: Cause) -> Option<String> {
    let advice = match cause {
        Cause::Refused => "check host and port in the address of the provider, and whether it runs",
        Cause::NoRoute | Cause::ConnectTimeout => {
            "check the address of the provider, and whether a firewall or a proxy stands between"
        }
        Cause::Closed | Cause::Timeout => {
            "try again later; if it stays so, check the address of the provider"
        }
        _ => return None,
    };
    Some(advice.to_owned())
}

fn on_fault(fault: Fault, endpoint: Endpoint) -> Option<String> {
    let option = match endpoint {
        Endpoint::Discovery => "the issuer, or give the document itself with --metadata FILE",
        Endpoint::KeySet => "--jwks-uri",
        Endpoint::BackchannelAuthentication => "--backchannel-endpoint",
        Endpoint::Token => "--token-endpoint",
        _ => "",
    };
    Some(match (fault, endpoint) {
        (Fault::Redirect, Endpoint::Discovery) => {
            "give the issuer it leads to, or the document itself with --metadata FILE".to_owned()
        }
        (Fault::Redirect, Endpoint::KeySet) => "give the address it leads to with --jwks-uri URL".to_owned(),
        (Fault::Redirect, _) => {
            format!("it is not followed: if the address it leads to is the provider's, give it with {option} URL")
        }
        (Fault::MediaType | Fault::NotJson, Endpoint::Notification) => PROVIDER.to_owned(),
        (Fault::MediaType | Fault::NotJson, _) => format!("perhaps something else answers there: check {option}"),
        (Fault::ContentCoding, _) => "turn that off at the provider, or at the gateway before it".to_owned(),
        (Fault::MissingMember("token_type"), _) => "where the provider means Bearer, use --assume-bearer".to_owned(),
        (Fault::BadMember("token_type"), _) => {
            "where that is the provider's own word for Bearer, give it with --bearer-word WORD".to_owned()
        }
        (Fault::MissingMember("id_token"), Endpoint::Notification) => {
            "a push is bound to its request by its ID Token alone: the provider has to send it".to_owned()
        }
        (Fault::MissingMember("id_token"), _) => {
            "check that the client is registered for OpenID Connect, or use --no-openid where no ID Token is due"
                .to_owned()
        }
        (Fault::MissingMember("access_token"), Endpoint::Notification) => {
            "it looks like a ping: check that the client is registered for push, or use --delivery ping".to_owned()
        }
        (Fault::AnotherMode, _) => "check the delivery mode of this client, or use --delivery push".to_owned(),
        (Fault::MissingMember("issuer"), Endpoint::Discovery) => {
            "that is the metadata of no OpenID provider: check the issuer".to_owned()
        }
        (Fault::WrongType(_) | Fault::BadMember(_) | Fault::DuplicateMember, Endpoint::Discovery) => {
            format!("{PROVIDER}; meanwhile, give a corrected copy of the document with --metadata FILE")
        }
        _ => return None,
    })
}

/// Advice on a status that no error code explains.
fn on_status(status: Option<u16>, endpoint: Endpoint) -> Option<String> {
    let option = match endpoint {
        Endpoint::BackchannelAuthentication => "--backchannel-endpoint",
        Endpoint::Token => "--token-endpoint",
        Endpoint::KeySet => "--jwks-uri",
        Endpoint::Discovery => "the issuer",
        _ => return None,
    };
    match status? {
        403 => {
            Some("perhaps it is the answer of a firewall or gateway before the provider".to_owned())
        }
        404 if endpoint == Endpoint::Discovery => Some("perhaps the issuer is mistyped".to_owned()),
        404 | 405 | 410 | 421 => Some(format!("perhaps the address is wrong: see {option}")),
        408 | 425 | 429 | 500.. => Some("try again later".to_owned()),
        400 => Some("--trace shows what was sent; ask the provider why it was refused".to_owned()),
        _ => None,
    }
}

/// A difference between two times that may be explained by clocks that differ.
const CLOCKS: Duration = Duration::from_secs(26 * 3600);

/// Advice on a check that failed.
fn on_check(rejection: &Rejection) -> Option<String> {
    const AHEAD: &str = "the clock of this machine is slow, or the provider's fast: set it";
    const BEHIND: &str = "the clock of this machine may be fast: set it";
    /// The maximum of `--clock-skew`.
    const MOST_SKEW: Duration = Duration::from_secs(300);
    let or_allow = |by: Duration, clock: &str| match by <= MOST_SKEW {
        true => format!("{clock}, or allow for it with --clock-skew SECONDS"),
        false => clock.to_owned(),
    };
    let advice = match (rejection.check(), rejection.found(), rejection.expected()) {
        (Untrusted::DiscoveryIssuer, Some(Found::Text(named)), expected) => {
            let wanted = match expected {
                Some(Expected::Text(wanted)) => wanted.trim_end_matches('/'),
                _ => "",
            };
            return Some(if named.trim_end_matches('/') == wanted {
                format!("the two differ by a slash at the end: use --issuer {named}")
            } else {
                format!(
                    "if that is the provider, perhaps behind another address, use --issuer {named}"
                )
            });
        }
        (Untrusted::Algorithm, Some(Found::Text(named)), _)
            if ciba_core::jose::JwsAlgorithm::from_name(named).is_some() =>
        {
            return Some(format!("if the client is registered for it, use --id-token-alg {named}"));
        }
        (Untrusted::UnexpectedEncryption, ..) => {
            "register the client without encryption of ID Tokens"
        }
        (Untrusted::Issuer, Some(Found::Text(_)), _) => {
            "the provider names itself otherwise in its metadata: check the issuer, or ask the provider"
        }
        (Untrusted::Audience, Some(Found::Text(_) | Found::Texts(_)), _) => "check --client-id",
        (Untrusted::AuthorizedParty, Some(Found::Text(_)), _) => "check --client-id",
        (Untrusted::ExtraAudience, Some(Found::Texts(strangers)), _) => {
            let stranger = strangers.first()?;
            return Some(format!("if it may use the token too, add --trusted-audience {stranger}"));
        }
        (_, Some(Found::Time(found)), Some(Expected::NotAfter(limit))) => {
            return Some(or_allow(found.since(*limit), AHEAD));
        }
        (_, Some(Found::Time(found)), Some(Expected::NotBefore(limit)))
            if limit.since(*found) <= CLOCKS =>
        {
            return Some(or_allow(limit.since(*found), BEHIND));
        }
        (
            Untrusted::Expiry | Untrusted::IssuedAt,
            Some(Found::Time(_)),
            Some(Expected::NotBefore(_)),
        ) => "it is an old token: the provider has to issue a new one for each request",
        (
            Untrusted::AccessTokenHash | Untrusted::RefreshTokenHash | Untrusted::AuthReqId,
            Some(Found::Missing),
            _,
        ) => {
            "a push is bound to its request by this claim: the provider has to add it (CIBA 10.3.1)"
        }
        (
            Untrusted::AccessTokenHash | Untrusted::RefreshTokenHash | Untrusted::AuthReqId,
            Some(Found::AnotherValue),
            _,
        ) => "the provider mixed up two requests, or another party made the answer: do not use it",
        (Untrusted::Signature, ..) => {
            "check --jwks-uri; if it is right, the token was changed on its way, or signed with another key than the one published"
        }
        (Untrusted::UnknownKey, ..) => {
            "check --jwks-uri; if it is right, the provider has not published the key yet"
        }
        (Untrusted::UnusableKey, ..) => {
            "the provider has to publish the key so that it can be used"
        }
        (Untrusted::Acr, ..) => {
            "check --acr-values; where the provider always issues the same, use --acr-rule report"
        }
        (Untrusted::AuthTime, Some(Found::Time(_)), _) => "the person must authenticate again",
        (Untrusted::ExpectedSubject | Untrusted::ExpectedClaim, ..) => {
            "if the answer is the right one, check --expect"
        }
        (Untrusted::NotGranted, ..) => {
            "ask for what the provider grants, or leave --require-granted out and look at the answer"
        }
        (Untrusted::AnotherPerson | Untrusted::AnotherEid, ..) => "do not let this person in",
        _ => PROVIDER,
    };
    Some(advice.to_owned())
}

/// Advice on an answer of the provider.
fn on_answer(answer: &ServerAnswer, known: &Known) -> Option<String> {
    let (endpoint, status) = (answer.endpoint(), answer.status());
    let later = || match answer.retry_after() {
        Some(time) => format!("try again in {} s", time.as_secs()),
        None => "try again later".to_owned(),
    };
    let is_first = endpoint == Endpoint::BackchannelAuthentication;
    let Some(code) = answer.code() else {
        return match (endpoint, status) {
            (Endpoint::BackchannelAuthentication | Endpoint::Token, 401) => {
                Some(unrecognised(known))
            }
            (_, 408 | 425 | 429 | 503) => Some(later()),
            (endpoint, status) => on_status(Some(status), endpoint),
        };
    };
    let advice = match code {
        ErrorCode::InvalidClient => return Some(unrecognised(known)),
        // Keycloak answers a wrong secret with this code, Auth0 with `access_denied`.
        ErrorCode::UnauthorizedClient
        | ErrorCode::InvalidRequest
        | ErrorCode::InvalidGrant
        | ErrorCode::AccessDenied
        | ErrorCode::Unknown(_)
            if status == 401 && endpoint != Endpoint::Notification =>
        {
            return Some(unrecognised(known));
        }
        ErrorCode::UnauthorizedClient if endpoint == Endpoint::Token || known.is_acknowledged => {
            "it took the authentication request, so CIBA is on: check that this client may poll (its delivery mode and grants)"
        }
        ErrorCode::UnauthorizedClient => "the client is not registered for CIBA at this provider",
        ErrorCode::UnknownUserId => {
            "the provider does not know the person the hint names: check the hint"
        }
        ErrorCode::MissingUserCode => "this person has a code: give it with --user-code",
        ErrorCode::InvalidUserCode => "the code given with --user-code is not this person's",
        ErrorCode::InvalidScope => "check --scope",
        ErrorCode::InvalidTarget => "check --resource",
        ErrorCode::InvalidAuthorizationDetails => "check --authorization-details",
        ErrorCode::ExpiredLoginHintToken => "give a fresh --login-hint-token",
        ErrorCode::InvalidRequestObject => {
            "check --signed-request, and that the key is registered for it"
        }
        ErrorCode::RequestNotSupported => {
            "the provider does not accept signed requests: omit --signed-request"
        }
        ErrorCode::InvalidBindingMessage => {
            "check --binding-message: some providers take few characters, and few kinds of them"
        }
        ErrorCode::InvalidRequest => {
            "something in the request is missing, malformed or not taken here: --trace shows what was sent"
        }
        ErrorCode::AccessDenied if is_first => {
            "the provider does not ask this person for this client"
        }
        ErrorCode::TemporarilyUnavailable | ErrorCode::ServerError | ErrorCode::SlowDown => {
            return Some(later());
        }
        ErrorCode::UnsupportedGrantType if endpoint == Endpoint::Token => {
            "it took the authentication request, so CIBA is on: check that --token-endpoint is this provider's"
        }
        ErrorCode::InvalidGrant if endpoint == Endpoint::Token => {
            "the request is over, was redeemed already, or is another client's: only one program may poll for it"
        }
        ErrorCode::TransactionFailed if !is_first => {
            "it failed at the provider: start a new authentication"
        }
        // These are answers of a token endpoint.
        ErrorCode::InvalidGrant
        | ErrorCode::UnsupportedGrantType
        | ErrorCode::AuthorizationPending
        | ErrorCode::ExpiredToken
        | ErrorCode::TransactionFailed
            if is_first =>
        {
            "that is an answer of a token endpoint: check --backchannel-endpoint"
        }
        ErrorCode::Unknown(_) => {
            "the code is the provider's own: its documentation says what it means"
        }
        _ => return None,
    };
    Some(advice.to_owned())
}

/// The client was not recognized.
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
    let other = if known.method.is_some() {
        ", and that this method is registered (--client-auth)"
    } else {
        ""
    };
    format!(
        "the provider does not recognise this client{method}: check --client-id, {proof}{other}{raw}"
    )
}
