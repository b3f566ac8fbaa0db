//! The checks of the claims, made after the signature was verified, in the order of
//! OIDC Core 3.1.3.7. Numbers in comments are the steps of that list.

use alloc::{string::String, vec, vec::Vec};

use subtle::ConstantTimeEq;

use super::{Claims, IdTokenContext};
use crate::{
    client::ClientConfig,
    expect::AcrRule,
    fault::{Expected, Found, Rejection, Untrusted},
    jose::{base64url, scalar::Scalar},
    person::Person,
    time::Timestamp,
    wire::Deviation,
};

/// What the checks extract from the claims.
pub(super) struct Verdict<'a> {
    pub(super) subject: &'a str,
    pub(super) audiences: Vec<&'a str>,
    pub(super) issued_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) auth_time: Option<Timestamp>,
    pub(super) person: Person,
    pub(super) deviations: Vec<Deviation>,
}

/// Runs every check of the claims and returns the rejection of the first that fails.
pub(super) fn check<'a>(
    config: &ClientConfig,
    claims: &'a Claims<'_>,
    context: &IdTokenContext<'_>,
) -> Result<Verdict<'a>, Rejection> {
    // First, because a logout token has valid `iss`, `aud` and `iat`.
    kind(claims)?;
    issuer(config, claims)?;
    let audiences = audiences(config, claims)?;
    authorized_party(config, claims, &audiences)?;
    let subject = subject(claims, context)?;
    let (issued_at, expires_at) = lifetime(config, claims, context)?;
    not_before(config, claims, context)?;
    nonce(claims, context)?;
    acr(claims, context)?;
    let auth_time = auth_time(config, claims, context)?;
    // After the claims about the token itself, so that an expired token is reported as expired.
    bindings(config, claims, context)?;
    // Last: only a token that passed everything else says something about a person.
    let person = context.expectations.check(|name| claims.get(name), context.received_at)?;
    let deviations = deviations(claims, auth_time);
    Ok(Verdict { subject, audiences, issued_at, expires_at, auth_time, person, deviations })
}

/// Reports the claims that were not requested and cannot be read. They count as absent.
// Ruling 33. If a check needed one of these claims, it has already failed.
fn deviations(claims: &Claims<'_>, auth_time: Option<Timestamp>) -> Vec<Deviation> {
    let is_no_text =
        |claim: Option<&Scalar<'_>>| optional(claim).is_some_and(|claim| claim.text().is_none());
    let is_no_list = |claim: &Scalar<'_>| !matches!(claim, Scalar::Texts(_));
    [
        (
            optional(claims.auth_time.as_ref()).is_some() && auth_time.is_none(),
            Deviation::AuthTimeUnusable,
        ),
        (is_no_text(claims.acr.as_ref()), Deviation::AcrUnusable),
        (optional(claims.amr.as_ref()).is_some_and(is_no_list), Deviation::AmrUnusable),
        (is_no_text(claims.at_hash.as_ref()), Deviation::AtHashUnusable),
        (is_no_text(claims.rt_hash.as_ref()), Deviation::RtHashUnusable),
        (is_no_text(claims.auth_req_id.as_ref()), Deviation::AuthReqIdClaimUnusable),
    ]
    .into_iter()
    .filter_map(|(is_odd, deviation)| is_odd.then_some(deviation))
    .collect()
}

/// Filters out `null`, which some providers write for an optional claim that is absent.
// Ruling 33.
fn optional<'a, 'b>(claim: Option<&'a Scalar<'b>>) -> Option<&'a Scalar<'b>> {
    claim.filter(|value| !matches!(value, Scalar::Null))
}

/// Rejects logout tokens and security event tokens, which have an `events` claim.
// REQ-IDT-33
fn kind(claims: &Claims<'_>) -> Result<(), Rejection> {
    match optional(claims.events.as_ref()) {
        None => Ok(()),
        Some(_) => Err(Untrusted::TokenKind.into()),
    }
}

/// Step 2: `iss` equals the configured issuer, byte for byte.
// REQ-IDT-11
fn issuer(config: &ClientConfig, claims: &Claims<'_>) -> Result<(), Rejection> {
    // Not normalized: two spellings of a URL can be two tenants of a provider.
    match claims.iss.as_ref().and_then(Scalar::text) {
        Some(issuer) if issuer == config.issuer.as_str() => Ok(()),
        _ => {
            let expected = Expected::text(config.issuer.as_str());
            Err(Untrusted::Issuer
                .at("iss", Scalar::open_text(claims.iss.as_ref()))
                .expecting(expected))
        }
    }
}

/// Step 3: `aud` contains the client id and only audiences that are trusted.
// REQ-IDT-12, REQ-IDT-13
fn audiences<'a>(config: &ClientConfig, claims: &'a Claims<'_>) -> Result<Vec<&'a str>, Rejection> {
    let ours = config.client_id.as_str();
    let refused = |check: Untrusted, found| check.at("aud", found).expecting(Expected::text(ours));
    let audiences: Vec<&str> = match &claims.aud {
        Some(Scalar::Text(audience)) => vec![audience],
        Some(Scalar::Texts(audiences)) => each_once(audiences.iter().map(AsRef::as_ref)),
        other => return Err(refused(Untrusted::Audience, Scalar::open(other.as_ref()))),
    };
    // Checked before strangers, because it is the more telling error.
    if !audiences.contains(&ours) {
        return Err(refused(Untrusted::Audience, Scalar::open(claims.aud.as_ref())));
    }
    let trusted = |audience: &&str| {
        *audience == ours || config.id_token.trusted_audiences.iter().any(|t| t == audience)
    };
    if !audiences.iter().all(&trusted) {
        let strangers = audiences.iter().copied().filter(|audience| !trusted(audience));
        return Err(refused(Untrusted::ExtraAudience, Found::texts(strangers)));
    }
    // Step 8: a MAC with a secret shared with one audience proves nothing to the other audiences
    // (REQ-IDT-05).
    if config.id_token.algorithm.is_symmetric() && audiences.len() > 1 {
        return Err(refused(Untrusted::ExtraAudience, Found::texts(audiences)));
    }
    Ok(audiences)
}

/// Removes repeated audiences. Some providers list the same audience twice, which still counts as
/// one and does not require `azp`.
fn each_once<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    texts.fold(Vec::new(), |mut once, text| {
        if !once.contains(&text) {
            once.push(text);
        }
        once
    })
}

/// Steps 4 and 5: `azp` is the client id, and is required if there are several audiences.
// REQ-IDT-14
fn authorized_party(
    config: &ClientConfig,
    claims: &Claims<'_>,
    audiences: &[&str],
) -> Result<(), Rejection> {
    let ours = config.client_id.as_str();
    match optional(claims.azp.as_ref()) {
        // With a single audience, which is this client, there is no other party.
        None if audiences.len() <= 1 => Ok(()),
        Some(party) if party.text() == Some(ours) => Ok(()),
        other => Err(Untrusted::AuthorizedParty
            .at("azp", Scalar::open_text(other))
            .expecting(Expected::text(ours))),
    }
}

/// `sub` is a non-empty string, and equals the expected subject if there is one.
// REQ-IDT-15 to REQ-IDT-17
fn subject<'a>(claims: &'a Claims<'_>, context: &IdTokenContext<'_>) -> Result<&'a str, Rejection> {
    let subject = claims.sub.as_ref().and_then(Scalar::text).filter(|subject| !subject.is_empty());
    let subject =
        subject.ok_or_else(|| Untrusted::Subject.at("sub", Scalar::closed(claims.sub.as_ref())))?;
    match &context.expectations.subject {
        // The value that was found is not kept, because it identifies a person.
        Some(expected) if expected != subject => {
            Err(Untrusted::ExpectedSubject.at("sub", Found::AnotherValue))
        }
        _ => Ok(subject),
    }
}

/// Steps 9 and 10: `exp` and `iat`.
// REQ-IDT-18, REQ-IDT-19, REQ-IDT-36
fn lifetime(
    config: &ClientConfig,
    claims: &Claims<'_>,
    context: &IdTokenContext<'_>,
) -> Result<(Timestamp, Timestamp), Rejection> {
    let rules = &config.id_token;
    let now = context.received_at;
    let (exp, iat) = (claims.exp.as_ref(), claims.iat.as_ref());
    let expires_at = exp
        .and_then(Scalar::date)
        .ok_or_else(|| Untrusted::Expiry.at("exp", Scalar::no_date(exp, now)))?;
    // Against the time of receipt, so that a token does not expire while keys are fetched or after
    // a crash.
    if expires_at.saturating_add(rules.skew) <= now {
        return Err(Untrusted::Expiry
            .at("exp", Found::Time(expires_at))
            .expecting(Expected::NotBefore(now)));
    }
    let issued_at = iat
        .and_then(Scalar::date)
        .ok_or_else(|| Untrusted::IssuedAt.at("iat", Scalar::no_date(iat, now)))?;
    // A clock that is ahead of ours by up to the skew is tolerated.
    let in_the_future = issued_at > now.saturating_add(rules.skew);
    // A token from the future is reported below as an `iat` error. Reporting `exp` here would blame
    // a claim that is correct.
    if expires_at <= issued_at && !in_the_future {
        return Err(Untrusted::Expiry
            .at("exp", Found::Time(expires_at))
            .expecting(Expected::LaterThan("iat")));
    }
    let too_old = issued_at.saturating_add(rules.max_age).saturating_add(rules.skew) < now;
    // Providers write whole seconds, so the start is rounded down to a second: a token issued
    // within the same second is not older than the request.
    let earliest =
        |start: Timestamp| Timestamp::from_unix_secs(start.saturating_sub(rules.skew).unix_secs());
    // A token that is older than the request cannot be its result.
    let before_the_request = context.started_at.is_some_and(|start| issued_at < earliest(start));
    if in_the_future || too_old || before_the_request {
        let oldest = context.started_at.map_or(now.saturating_sub(rules.max_age), earliest);
        let expected =
            if in_the_future { Expected::NotAfter(now) } else { Expected::NotBefore(oldest) };
        return Err(Untrusted::IssuedAt.at("iat", Found::Time(issued_at)).expecting(expected));
    }
    Ok((issued_at, expires_at))
}

/// `nbf` is not in the future.
// REQ-IDT-20
fn not_before(
    config: &ClientConfig,
    claims: &Claims<'_>,
    context: &IdTokenContext<'_>,
) -> Result<(), Rejection> {
    let Some(claim) = optional(claims.nbf.as_ref()) else { return Ok(()) };
    let now = context.received_at;
    match claim.date() {
        Some(date) if date <= now.saturating_add(config.id_token.skew) => Ok(()),
        Some(date) => Err(Untrusted::NotBefore
            .at("nbf", Found::Time(date))
            .expecting(Expected::NotAfter(now))),
        // Unlike `auth_time`, it restricts the token even if it was not requested.
        None => Err(Untrusted::NotBefore.at("nbf", Scalar::no_date(Some(claim), now))),
    }
}

/// Step 11: `nonce` is the one that was sent, or absent if none was sent.
// REQ-IDT-23
fn nonce(claims: &Claims<'_>, context: &IdTokenContext<'_>) -> Result<(), Rejection> {
    match (&context.expectations.nonce, optional(claims.nonce.as_ref())) {
        (None, None) => Ok(()),
        (Some(sent), Some(claim)) if claim.text() == Some(sent) => Ok(()),
        // A nonce that was not sent belongs to another request.
        (_, claim) => Err(Untrusted::Nonce.at("nonce", Scalar::closed(claim))),
    }
}

/// Step 12: `acr` is one of the requested values, as far as the caller's rule demands.
// REQ-IDT-24
fn acr(claims: &Claims<'_>, context: &IdTokenContext<'_>) -> Result<(), Rejection> {
    let wanted = &context.expectations.acr_values;
    match (context.expectations.acr.unwrap_or_default(), optional(claims.acr.as_ref())) {
        (AcrRule::Report, _) | (AcrRule::IfPresent | AcrRule::RequestedOnly, None) => Ok(()),
        (AcrRule::Require, None) => Err(another_acr(None, wanted)),
        // No values were requested, so there is nothing to compare with.
        (AcrRule::IfPresent, Some(_)) if wanted.is_empty() => Ok(()),
        (rule, Some(claim)) => match claim.text() {
            Some(_) if wanted.is_empty() && rule == AcrRule::Require => Ok(()),
            Some(acr) if wanted.iter().any(|value| value == acr) => Ok(()),
            _ => Err(another_acr(Some(claim), wanted)),
        },
    }
}

fn another_acr(claim: Option<&Scalar<'_>>, wanted: &[String]) -> Rejection {
    let rejection = Untrusted::Acr.at("acr", Scalar::open_text(claim));
    if wanted.is_empty() {
        return rejection;
    }
    rejection.expecting(Expected::one_of(wanted.iter().map(String::as_str)))
}

/// Step 13: `auth_time` is present and recent enough, if it was requested.
// REQ-IDT-25, REQ-META-22
fn auth_time(
    config: &ClientConfig,
    claims: &Claims<'_>,
    context: &IdTokenContext<'_>,
) -> Result<Option<Timestamp>, Rejection> {
    let expectations = context.expectations;
    let was_asked_for = expectations.auth_time_required || expectations.max_age.is_some();
    let Some(claim) = optional(claims.auth_time.as_ref()) else {
        return match was_asked_for {
            true => Err(Untrusted::AuthTime.at("auth_time", Found::Missing)),
            false => Ok(None),
        };
    };
    let skew = config.id_token.skew;
    let now = context.received_at;
    // An unusable value that was not requested restricts nothing, so it is reported as a deviation
    // instead of rejected (ruling 33).
    if !was_asked_for {
        return Ok(claim.date().filter(|date| *date <= now.saturating_add(skew)));
    }
    let date = claim
        .date()
        .ok_or_else(|| Untrusted::AuthTime.at("auth_time", Scalar::no_date(Some(claim), now)))?;
    let in_the_future = date > now.saturating_add(skew);
    let too_old = expectations
        .max_age
        .is_some_and(|max_age| date.saturating_add(max_age).saturating_add(skew) < now);
    if in_the_future || too_old {
        let oldest = now.saturating_sub(expectations.max_age.unwrap_or_default());
        let expected =
            if in_the_future { Expected::NotAfter(now) } else { Expected::NotBefore(oldest) };
        return Err(Untrusted::AuthTime.at("auth_time", Found::Time(date)).expecting(expected));
    }
    Ok(Some(date))
}

/// The claims that bind the ID Token to the other tokens and to the request: `at_hash`, `rt_hash`
/// and `auth_req_id`.
///
/// In a response of the token endpoint, a binding is checked only if it is present as a string:
/// the TLS connection already ties the tokens together. In a push the bindings are the only link
/// between the tokens and the request, so they are required.
// REQ-IDT-26, REQ-IDT-27, REQ-PUSH-08 to REQ-PUSH-10. A claim of another type counts as absent
// (ruling 33).
fn bindings(
    config: &ClientConfig,
    claims: &Claims<'_>,
    context: &IdTokenContext<'_>,
) -> Result<(), Rejection> {
    let may_lack = config.policy.dangerously_allow_missing_push_bindings;
    let binding =
        |claim| optional(claim).filter(|claim| context.is_pushed || claim.text().is_some());
    match binding(claims.at_hash.as_ref()) {
        Some(claim)
            if is_half_hash(config, claim, context.access_token.map(|token| token.expose())) => {}
        None if !context.is_pushed => {}
        other => return Err(Untrusted::AccessTokenHash.at("at_hash", Scalar::closed(other))),
    }
    match binding(claims.rt_hash.as_ref()) {
        Some(claim)
            if is_half_hash(config, claim, context.refresh_token.map(|token| token.expose())) => {}
        None if !context.is_pushed || may_lack || context.refresh_token.is_none() => {}
        other => return Err(Untrusted::RefreshTokenHash.at("rt_hash", Scalar::closed(other))),
    }
    match binding(claims.auth_req_id.as_ref()) {
        Some(claim) if is_text(claim, context.auth_req_id.map(|id| id.expose())) => {}
        None if !context.is_pushed || may_lack => {}
        other => return Err(Untrusted::AuthReqId.at("auth_req_id", Scalar::closed(other))),
    }
    Ok(())
}

/// Compares a claim with a string in constant time.
fn is_text(claim: &Scalar<'_>, text: Option<&str>) -> bool {
    let (Some(claim), Some(text)) = (claim.text(), text) else { return false };
    // An empty claim must not match an empty value.
    !text.is_empty() && bool::from(claim.as_bytes().ct_eq(text.as_bytes()))
}

/// Compares a claim with the left half of a token's hash (OIDC Core 3.1.3.6) in constant time.
/// Returns `false` if there is no token.
fn is_half_hash(config: &ClientConfig, claim: &Scalar<'_>, token: Option<&str>) -> bool {
    let (Some(claim), Some(token)) = (claim.text(), token) else { return false };
    let hash = config.id_token.algorithm.hash();
    let digest = config.verifier.digest(hash, token.as_bytes());
    digest.is_of(hash)
        && bool::from(base64url::encode(digest.left_half()).as_bytes().ct_eq(claim.as_bytes()))
}
