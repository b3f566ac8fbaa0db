//! The checks themselves, after the signature, in the order of OIDC Core 3.1.3.7.

use alloc::{vec, vec::Vec};

use subtle::ConstantTimeEq;

use super::{Claims, IdTokenContext};
use crate::{
    client::ClientConfig,
    error::Untrusted,
    expect::AcrRule,
    jose::{base64url, scalar::Scalar},
    person::Person,
    time::Timestamp,
};

/// What the checks found out on their way.
pub(super) struct Verdict<'a> {
    pub(super) subject: &'a str,
    pub(super) audiences: Vec<&'a str>,
    pub(super) issued_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) auth_time: Option<Timestamp>,
    pub(super) person: Person,
}

/// Every check on claims. The first that fails is the answer.
pub(super) fn check<'a>(
    config: &ClientConfig,
    claims: &'a Claims<'_>,
    context: &IdTokenContext<'_>,
) -> Result<Verdict<'a>, Untrusted> {
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
    bindings(config, claims, context)?;
    let person = context.expectations.check(|name| claims.get(name), context.received_at)?;
    Ok(Verdict { subject, audiences, issued_at, expires_at, auth_time, person })
}

/// A claim that may be left out. Some providers write `null` then (ruling 15).
fn optional<'a, 'b>(claim: Option<&'a Scalar<'b>>) -> Option<&'a Scalar<'b>> {
    claim.filter(|value| !matches!(value, Scalar::Null))
}

/// A logout or security event token has `events` and is no ID Token (REQ-IDT-33).
fn kind(claims: &Claims<'_>) -> Result<(), Untrusted> {
    match claims.events {
        None => Ok(()),
        Some(_) => Err(Untrusted::TokenKind),
    }
}

/// 2: `iss` is the issuer, byte for byte (REQ-IDT-11).
fn issuer(config: &ClientConfig, claims: &Claims<'_>) -> Result<(), Untrusted> {
    match claims.iss.as_ref().and_then(Scalar::text) {
        Some(issuer) if issuer == config.issuer.as_str() => Ok(()),
        _ => Err(Untrusted::Issuer),
    }
}

/// 3: `aud` has the client id, and nobody who is not trusted (REQ-IDT-12, REQ-IDT-13).
fn audiences<'a>(config: &ClientConfig, claims: &'a Claims<'_>) -> Result<Vec<&'a str>, Untrusted> {
    let audiences: Vec<&str> = match &claims.aud {
        Some(Scalar::Text(audience)) => vec![audience],
        Some(Scalar::Texts(audiences)) => audiences.iter().map(AsRef::as_ref).collect(),
        _ => return Err(Untrusted::Audience),
    };
    let ours = config.client_id.as_str();
    if !audiences.contains(&ours) {
        return Err(Untrusted::Audience);
    }
    let trusted =
        |audience: &&str| *audience == ours || config.id_token.trusted_audiences.iter().any(|t| t == audience);
    if !audiences.iter().all(trusted) {
        return Err(Untrusted::ExtraAudience);
    }
    // 8: a secret shared with one audience proves nothing to several (REQ-IDT-05).
    if config.id_token.algorithm.is_symmetric() && audiences.len() > 1 {
        return Err(Untrusted::ExtraAudience);
    }
    Ok(audiences)
}

/// 4, 5: `azp` is the client id; it has to be there with several audiences (REQ-IDT-14).
fn authorized_party(config: &ClientConfig, claims: &Claims<'_>, audiences: &[&str]) -> Result<(), Untrusted> {
    match optional(claims.azp.as_ref()) {
        None if audiences.len() > 1 => Err(Untrusted::AuthorizedParty),
        None => Ok(()),
        Some(party) if party.text() == Some(config.client_id.as_str()) => Ok(()),
        Some(_) => Err(Untrusted::AuthorizedParty),
    }
}

/// `sub` is a text, and the one expected if one is (REQ-IDT-15 to REQ-IDT-17).
fn subject<'a>(claims: &'a Claims<'_>, context: &IdTokenContext<'_>) -> Result<&'a str, Untrusted> {
    let subject = claims.sub.as_ref().and_then(Scalar::text).filter(|subject| !subject.is_empty());
    let subject = subject.ok_or(Untrusted::Subject)?;
    match &context.expectations.subject {
        Some(expected) if expected != subject => Err(Untrusted::ExpectedSubject),
        _ => Ok(subject),
    }
}

/// 9, 10: `exp` and `iat` (REQ-IDT-18, REQ-IDT-19, REQ-IDT-36).
fn lifetime(
    config: &ClientConfig,
    claims: &Claims<'_>,
    context: &IdTokenContext<'_>,
) -> Result<(Timestamp, Timestamp), Untrusted> {
    let rules = &config.id_token;
    let now = context.received_at;
    let expires_at = claims.exp.as_ref().and_then(Scalar::date).ok_or(Untrusted::Expiry)?;
    if expires_at.saturating_add(rules.skew) <= now {
        return Err(Untrusted::Expiry);
    }
    let issued_at = claims.iat.as_ref().and_then(Scalar::date).ok_or(Untrusted::IssuedAt)?;
    if expires_at <= issued_at {
        return Err(Untrusted::Expiry);
    }
    let in_the_future = issued_at > now.saturating_add(rules.skew);
    let too_old = issued_at.saturating_add(rules.max_age).saturating_add(rules.skew) < now;
    // Providers write whole seconds, so a token of the same second is not older than the request.
    let earliest = |start: Timestamp| Timestamp::from_unix_secs(start.saturating_sub(rules.skew).unix_secs());
    let before_the_request = context.started_at.is_some_and(|start| issued_at < earliest(start));
    if in_the_future || too_old || before_the_request {
        return Err(Untrusted::IssuedAt);
    }
    Ok((issued_at, expires_at))
}

/// `nbf` (REQ-IDT-20). A `null` here is no date (REQ-IDT-21).
fn not_before(config: &ClientConfig, claims: &Claims<'_>, context: &IdTokenContext<'_>) -> Result<(), Untrusted> {
    let Some(claim) = &claims.nbf else { return Ok(()) };
    match claim.date() {
        Some(date) if date <= context.received_at.saturating_add(config.id_token.skew) => Ok(()),
        _ => Err(Untrusted::NotBefore),
    }
}

/// 11: the `nonce` that was sent, and none if none was (REQ-IDT-23).
fn nonce(claims: &Claims<'_>, context: &IdTokenContext<'_>) -> Result<(), Untrusted> {
    match (&context.expectations.nonce, optional(claims.nonce.as_ref())) {
        (None, None) => Ok(()),
        (Some(sent), Some(claim)) if claim.text() == Some(sent) => Ok(()),
        _ => Err(Untrusted::Nonce),
    }
}

/// 12: `acr` (REQ-IDT-24).
fn acr(claims: &Claims<'_>, context: &IdTokenContext<'_>) -> Result<(), Untrusted> {
    let wanted = &context.expectations.acr_values;
    match (context.expectations.acr.unwrap_or_default(), optional(claims.acr.as_ref())) {
        (AcrRule::Report, _) | (AcrRule::IfPresent, None) => Ok(()),
        (AcrRule::Require, None) => Err(Untrusted::Acr),
        // Nothing was asked for, so there is nothing to compare with.
        (AcrRule::IfPresent, Some(_)) if wanted.is_empty() => Ok(()),
        (AcrRule::IfPresent | AcrRule::Require, Some(claim)) => match claim.text() {
            Some(acr) if wanted.is_empty() || wanted.iter().any(|value| value == acr) => Ok(()),
            _ => Err(Untrusted::Acr),
        },
    }
}

/// 13: `auth_time` (REQ-IDT-25, REQ-META-22).
fn auth_time(
    config: &ClientConfig,
    claims: &Claims<'_>,
    context: &IdTokenContext<'_>,
) -> Result<Option<Timestamp>, Untrusted> {
    let expectations = context.expectations;
    let Some(claim) = &claims.auth_time else {
        return match expectations.auth_time_required || expectations.max_age.is_some() {
            true => Err(Untrusted::AuthTime),
            false => Ok(None),
        };
    };
    let skew = config.id_token.skew;
    let date = claim.date().ok_or(Untrusted::AuthTime)?;
    let in_the_future = date > context.received_at.saturating_add(skew);
    let too_old = expectations
        .max_age
        .is_some_and(|max_age| date.saturating_add(max_age).saturating_add(skew) < context.received_at);
    if in_the_future || too_old {
        return Err(Untrusted::AuthTime);
    }
    Ok(Some(date))
}

/// What ties the token to its surroundings: `at_hash`, `rt_hash`, `auth_req_id`. From the token endpoint each counts if it is
/// there (REQ-IDT-26, REQ-IDT-27); in a push they are what the tokens are known by, so they have to be there (REQ-PUSH-08,
/// REQ-PUSH-09, REQ-PUSH-10).
fn bindings(config: &ClientConfig, claims: &Claims<'_>, context: &IdTokenContext<'_>) -> Result<(), Untrusted> {
    let may_lack = config.policy.dangerously_allow_missing_push_bindings;
    match optional(claims.at_hash.as_ref()) {
        Some(claim) if is_half_hash(config, claim, context.access_token.map(|token| token.expose())) => {}
        None if !context.is_pushed => {}
        Some(_) | None => return Err(Untrusted::AccessTokenHash),
    }
    match optional(claims.rt_hash.as_ref()) {
        Some(claim) if is_half_hash(config, claim, context.refresh_token.map(|token| token.expose())) => {}
        None if !context.is_pushed || may_lack || context.refresh_token.is_none() => {}
        Some(_) | None => return Err(Untrusted::RefreshTokenHash),
    }
    match optional(claims.auth_req_id.as_ref()) {
        Some(claim) if is_text(claim, context.auth_req_id.map(|id| id.expose())) => {}
        None if !context.is_pushed || may_lack => {}
        Some(_) | None => return Err(Untrusted::AuthReqId),
    }
    Ok(())
}

/// Whether a claim is this text, in constant time.
fn is_text(claim: &Scalar<'_>, text: Option<&str>) -> bool {
    let (Some(claim), Some(text)) = (claim.text(), text) else { return false };
    !text.is_empty() && bool::from(claim.as_bytes().ct_eq(text.as_bytes()))
}

/// Whether a claim is the left half of the hash of a token (OIDC Core 3.1.3.6), in constant time. Without a token there
/// is nothing it could be the hash of.
fn is_half_hash(config: &ClientConfig, claim: &Scalar<'_>, token: Option<&str>) -> bool {
    let (Some(claim), Some(token)) = (claim.text(), token) else { return false };
    let hash = config.id_token.algorithm.hash();
    let digest = config.verifier.digest(hash, token.as_bytes());
    digest.is_of(hash) && bool::from(base64url::encode(digest.left_half()).as_bytes().ct_eq(claim.as_bytes()))
}
