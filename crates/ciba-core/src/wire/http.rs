//! Conversions between the messages of this crate and those of the `http` crate.

use alloc::string::String;

use http::{HeaderName, HeaderValue, header::AUTHORIZATION};

use crate::{
    secret::Body,
    wire::{Method, Request, Response},
};

impl TryFrom<Request> for http::Request<Body> {
    type Error = http::Error;

    /// Fails only if the public fields of the request were changed to values that HTTP does not
    /// allow.
    fn try_from(request: Request) -> Result<Self, Self::Error> {
        let mut message = http::Request::new(request.body);
        *message.method_mut() = match request.method {
            Method::Get => http::Method::GET,
            Method::Post => http::Method::POST,
        };
        *message.uri_mut() = request.url.as_str().parse()?;
        for (name, value) in request.headers.iter() {
            let name: HeaderName = name.parse()?;
            let mut value: HeaderValue = value.parse()?;
            // Libraries neither print such a value nor add it to the table of HPACK. A DPoP proof is
            // different in every request.
            value.set_sensitive(name == AUTHORIZATION || name == "dpop");
            message.headers_mut().append(name, value);
        }
        Ok(message)
    }
}

impl Response {
    /// Creates a response from its head and body. `truncated` says whether the body exceeded the
    /// limit and was cut off.
    #[must_use]
    pub fn from_http(head: &http::response::Parts, body: impl Into<Body>, truncated: bool) -> Self {
        // The fields that are read are ASCII. Others are only displayed.
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Self {
            status: head.status.as_u16(),
            headers: head
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), text(value)))
                .collect(),
            body: body.into(),
            truncated,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;
    use crate::url::Url;

    /// REQ-AREQ-01
    /// REQ-AREQ-02
    #[test]
    fn an_http_request_is_converted_completely() {
        let url = Url::parse("https://op.example:8443/ciba?tenant=a").unwrap();
        let mut request = Request::post_form(url, Body::from("a=b"));
        request.headers.push("authorization", "Basic YTpi");
        request.headers.push("prefer", "return-trace-id");
        let message = http::Request::try_from(request).unwrap();
        assert_eq!(
            (message.method().as_str(), message.uri().to_string()),
            ("POST", "https://op.example:8443/ciba?tenant=a".into())
        );
        assert_eq!(message.body().expose(), b"a=b");
        assert_eq!(message.headers()["content-type"], "application/x-www-form-urlencoded");
        assert_eq!(message.headers()["accept"], "application/json");
        assert!(
            message.headers()["authorization"].is_sensitive()
                && !message.headers()["prefer"].is_sensitive()
        );
    }

    /// REQ-SEC-11
    #[test]
    fn an_http_response_keeps_every_header_field() {
        let message = http::Response::builder()
            .status(503)
            .header("Retry-After", "7")
            .header("x-a", "1")
            .header("x-a", &b"\xff2"[..])
            .body(())
            .unwrap();
        let response = Response::from_http(&message.into_parts().0, "body", true);
        assert_eq!(
            (response.status, response.headers.get("retry-after"), response.truncated),
            (503, Some("7"), true)
        );
        assert_eq!(response.headers.all("X-A").collect::<alloc::vec::Vec<_>>(), ["1", "\u{fffd}2"]);
        assert_eq!(response.body.expose(), b"body");
    }
}
