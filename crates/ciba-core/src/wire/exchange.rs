//! The form in which an HTTP exchange may be shown for diagnosis: everything except the values that
//! are secrets or personal data.

use alloc::sync::Arc;
use core::{fmt, time::Duration};

use super::{
    form,
    message::{Request, Response},
};
use crate::{fault::Cause, json::Object, text::plain_at_most};

/// Parameters whose values describe how a request was made and contain no personal data. The values
/// of all other parameters are hidden: hints, messages, request ids, secrets, assertions, and
/// parameters that an application adds.
const SHOWN_PARAMETERS: [&str; 6] =
    ["grant_type", "client_assertion_type", "client_id", "scope", "acr_values", "requested_expiry"];
/// Header fields whose values may be shown.
const SHOWN_FIELDS: [&str; 4] = ["accept", "content-type", "user-agent", "retry-after"];
/// Replaces a value that is not shown.
const HIDDEN: &str = "…";
/// The maximum length of a value that is shown, in bytes.
const LONGEST: usize = 256;

/// An HTTP exchange that was completed or abandoned.
///
/// `Display` writes one line: method and URL, the names of header fields and parameters, the outcome
/// and the duration in milliseconds. Values are shown only for names that are known to be harmless.
/// Of a response it shows the status, the media type, the names of the members, and for a failure
/// `error` and `error_description`.
#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    /// The request that was to be sent.
    pub request: &'a Request,
    /// The response, if one was received.
    pub response: Option<&'a Response>,
    /// The reason for which no response was received.
    pub cause: Option<Cause>,
    /// The duration of the exchange.
    pub took: Duration,
}

impl fmt::Display for Exchange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Request { method, url, headers, body } = self.request;
        // A query may contain secrets.
        let address = url.as_str().split('?').next().unwrap_or_default();
        write!(f, "{} {address}", method.name())?;
        if url.query().is_some() {
            write!(f, "?{HIDDEN}")?;
        }
        for (name, value) in headers.iter() {
            write!(f, " {name}: {}", shown(&SHOWN_FIELDS, name, value))?;
        }
        for (name, value) in form::pairs(body.expose()) {
            write!(
                f,
                " {}={}",
                plain_at_most(&name, LONGEST),
                shown(&SHOWN_PARAMETERS, &name, &value)
            )?;
        }
        f.write_str(" -> ")?;
        match (self.response, self.cause) {
            (Some(response), _) => answer(response, f)?,
            (None, Some(cause)) => write!(f, "no answer: {cause}")?,
            (None, None) => f.write_str("no answer")?,
        }
        write!(f, " ({} ms)", self.took.as_millis())
    }
}

fn answer(response: &Response, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{}", response.status)?;
    if let Some(media_type) = response.media_type() {
        write!(f, " {}", plain_at_most(&media_type, LONGEST))?;
    }
    for (name, value) in
        // The only field that explains what the flow does next.
        response.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("retry-after"))
    {
        write!(f, " {name}: {}", plain_at_most(value, LONGEST))?;
    }
    // Names of members are shown, values are not: they may be tokens.
    let Ok(mut object) = Object::parse(response.body.expose()) else {
        return write!(f, " {} bytes, not a JSON object", response.body.expose().len());
    };
    // A successful response may contain tokens under any name, even under `error`.
    let is_failure = !(200..300).contains(&response.status);
    let mut says_why = false;
    for name in ["error", "error_description"].iter().filter(|_| is_failure) {
        if let Ok(Some(text)) = object.take_text(name) {
            says_why = true;
            write!(f, " {name}: {}", plain_at_most(&text, LONGEST))?;
        }
    }
    let others = object.rest();
    if says_why && others.is_empty() {
        return Ok(());
    }
    f.write_str(" {")?;
    for (at, (name, _)) in others.iter().enumerate() {
        write!(f, "{}{}", if at == 0 { "" } else { ", " }, plain_at_most(&name, LONGEST))?;
    }
    f.write_str("}")
}

/// A function that an HTTP client calls after every exchange. The default does nothing. `Debug`
/// shows only whether a function is set.
#[derive(Clone, Default)]
pub struct ExchangeObserver(Option<Arc<Observe>>);

type Observe = dyn Fn(&Exchange<'_>) + Send + Sync;

impl ExchangeObserver {
    /// Creates an observer that calls the given function.
    #[must_use]
    pub fn new(observe: impl Fn(&Exchange<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(observe)))
    }

    /// Reports a completed exchange, with its response or the cause of its failure.
    pub fn tell(&self, request: &Request, outcome: Result<&Response, Cause>, took: Duration) {
        if let Some(observe) = &self.0 {
            observe(&Exchange { request, response: outcome.ok(), cause: outcome.err(), took });
        }
    }
}

impl fmt::Debug for ExchangeObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "ExchangeObserver(..)" } else { "ExchangeObserver" })
    }
}

/// Returns a value, or its placeholder.
fn shown(harmless: &[&str], name: &str, value: &str) -> alloc::string::String {
    match harmless.iter().any(|known| name.eq_ignore_ascii_case(known)) {
        true => plain_at_most(value, LONGEST),
        false => HIDDEN.into(),
    }
}

impl fmt::Debug for Exchange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString as _};

    use super::*;
    use crate::{secret::Body, url::Url, wire::Headers};

    fn request() -> Request {
        let mut request = Request::post_form(
            Url::parse("https://op.example/token?tenant=SECRET").unwrap(),
            Body::from(
                "grant_type=urn%3Aopenid%3Aparams%3Agrant-type%3Aciba&auth_req_id=SECRET&client_assertion=SECRET\
                 &login_hint=SECRET&binding_message=SECRET&x=SECRET&scope=openid+a"
                    .to_string(),
            ),
        );
        request.headers.push("authorization", "Basic SECRET");
        request.headers.push("x-api-key", "SECRET");
        request
    }

    fn line(response: Option<&Response>, cause: Option<Cause>) -> alloc::string::String {
        format!(
            "{}",
            Exchange { request: &request(), response, cause, took: Duration::from_millis(12) }
        )
    }

    /// REQ-SEC-03
    #[test]
    fn an_exchange_is_displayed_by_names_without_private_values() {
        let sent = "POST https://op.example/token?… accept: application/json content-type: application/x-www-form-urlencoded \
                    authorization: … x-api-key: … grant_type=urn:openid:params:grant-type:ciba auth_req_id=… \
                    client_assertion=… login_hint=… binding_message=… x=… scope=openid a -> ";
        let tokens = Response::json(
            200,
            r#"{"access_token":"SECRET","id_token":"SECRET","error":"SECRET"}"#.to_string(),
        );
        assert_eq!(
            line(Some(&tokens), None),
            format!("{sent}200 application/json {{access_token, id_token, error}} (12 ms)")
        );
        let pending = Response::json(
            400,
            r#"{"error":"authorization_pending","error_description":"a\u202eb","x":"SECRET"}"#
                .to_string(),
        );
        let said = line(Some(&pending), None);
        assert!(
            said.contains(
                "-> 400 application/json error: authorization_pending error_description: a"
            ),
            "{said}"
        );
        assert!(said.ends_with("{x} (12 ms)") && !said.contains('\u{202e}'), "{said}");
        let page = Response::new(502, Headers::new(), b"<html>SECRET</html>".to_vec());
        assert_eq!(
            line(Some(&page), None),
            format!("{sent}502 19 bytes, not a JSON object (12 ms)")
        );
        let refused = Cause::Refused;
        assert_eq!(line(None, Some(refused)), format!("{sent}no answer: {refused} (12 ms)"));
        for said in [line(Some(&tokens), None), said, line(Some(&page), None)] {
            assert!(!said.contains("SECRET"), "{said}");
        }
    }
}
