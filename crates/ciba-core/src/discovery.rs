//! Discovery of a provider's metadata: the location of the document and its validation (OIDC
//! Discovery 4, RFC 8414 section 3).

use alloc::format;
use core::time::Duration;

use crate::{
    client::header_fault,
    fault::Fault,
    issuer::Issuer,
    request::RequestError,
    url::Url,
    wire::{
        Headers, Request, Response,
        metadata::{MetadataError, ProviderMetadata},
    },
};

/// A fetch of a metadata document.
///
/// It never falls back from one location to the other by itself.
#[derive(Debug, Clone)]
pub struct Discovery {
    issuer: Issuer,
    address: DiscoveryAddress,
    headers: Headers,
}

/// The location of the metadata document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum DiscoveryAddress {
    /// The issuer followed by `/.well-known/openid-configuration` ([OIDC Discovery 4]).
    ///
    /// [OIDC Discovery 4]: https://openid.net/specs/openid-connect-discovery-1_0.html#rfc.section.4
    // REQ-DISC-01
    #[default]
    OpenId,
    /// `/.well-known/oauth-authorization-server` inserted between the host and the path of the
    /// issuer ([RFC 8414 section 3]).
    ///
    /// [RFC 8414 section 3]: https://www.rfc-editor.org/rfc/rfc8414#section-3
    // REQ-DISC-02
    OAuth,
}

impl Discovery {
    /// Prepares the fetch of the metadata of an issuer.
    #[must_use]
    pub fn new(issuer: Issuer, address: DiscoveryAddress) -> Self {
        Self { issuer, address, headers: Headers::new() }
    }

    /// Adds a header field, like
    /// [`ClientConfigBuilder::header`](crate::ClientConfigBuilder::header) for later requests.
    ///
    /// # Errors
    ///
    /// Returns [`RequestError::Header`] if the field is not valid in HTTP or set by this library.
    pub fn header(
        mut self,
        name: impl AsRef<str>,
        value: impl AsRef<str>,
    ) -> Result<Self, RequestError> {
        let (name, value) = (name.as_ref(), value.as_ref());
        // The profile is not known before there is a configuration.
        if let Some(reason) = header_fault(name, value, false) {
            return Err(RequestError::Header { name: name.into(), reason });
        }
        self.headers.push(name, value);
        Ok(self)
    }

    /// Returns the request to send.
    #[must_use]
    #[cfg_attr(not(test), expect(clippy::expect_used, reason = "the invariant is stated"))]
    pub fn request(&self) -> Request {
        let (origin, path) = self.issuer.without_slash();
        let address = match self.address {
            DiscoveryAddress::OpenId => format!("{origin}{path}/.well-known/openid-configuration"),
            DiscoveryAddress::OAuth => {
                format!("{origin}/.well-known/oauth-authorization-server{path}")
            }
        };
        let url = Url::parse_with(&address, self.issuer.loopback())
            .expect("an issuer is a URL that is short enough, and the suffix has nothing a URL must not have");
        let mut request = Request::get(url);
        for (name, value) in self.headers.iter() {
            request.headers.push(name, value);
        }
        request
    }

    /// Returns the timeout of the request.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// Returns the maximum length of the response in bytes.
    #[must_use]
    pub const fn max_response(&self) -> usize {
        crate::bounds::METADATA_BYTES
    }

    /// Reads the response.
    ///
    /// # Errors
    ///
    /// Returns [`MetadataError`] if the response is not a valid metadata document of the issuer. In
    /// that case no part of it is used.
    pub fn process(&self, response: &Response) -> Result<ProviderMetadata, MetadataError> {
        let document = match response.status {
            200 if response.truncated => Err(Fault::TooLarge),
            // No encoding was requested, and a decoded body would need a limit of its own.
            200 if response.is_encoded() => Err(Fault::ContentCoding),
            // The document decides where credentials are sent, so it is read strictly (unlike a key
            // set, ruling 31).
            200 if response.media_type().as_deref() != Some("application/json") => {
                Err(Fault::MediaType)
            }
            200 => Ok(response.body.expose()),
            // Another host could choose the endpoints if this were followed.
            300..400 => Err(Fault::Redirect),
            _ => Err(Fault::Status),
        };
        let read = document.map_err(MetadataError::unusable);
        read.and_then(|document| ProviderMetadata::from_json(&self.issuer, document))
            .map_err(|error| error.answered(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        answer::Misbehaviour,
        fault::Untrusted,
        http::{Endpoint, LoopbackHttp},
    };

    fn address(issuer: &str, address: DiscoveryAddress) -> alloc::string::String {
        let issuer = Issuer::parse_with(issuer, LoopbackHttp::DangerouslyAllowed).unwrap();
        let request = Discovery::new(issuer, address).request();
        assert_eq!(
            (request.method.name(), request.headers.get("accept")),
            ("GET", Some("application/json"))
        );
        request.url.as_str().into()
    }

    /// REQ-DISC-01
    /// REQ-DISC-02
    /// OPM-DSC-02
    #[test]
    fn the_metadata_is_at_either_well_known_address_of_the_issuer() {
        for (issuer, openid, oauth) in [
            ("https://op.example", "https://op.example/{O}", "https://op.example/{A}"),
            ("https://op.example/", "https://op.example/{O}", "https://op.example/{A}"),
            ("https://op.example/t1", "https://op.example/t1/{O}", "https://op.example/{A}/t1"),
            ("https://op.example/t1/", "https://op.example/t1/{O}", "https://op.example/{A}/t1"),
            ("https://op.example/t1//", "https://op.example/t1//{O}", "https://op.example/{A}/t1/"),
            (
                "https://op.example:8443/a/b",
                "https://op.example:8443/a/b/{O}",
                "https://op.example:8443/{A}/a/b",
            ),
            ("http://[::1]:80/x", "http://[::1]:80/x/{O}", "http://[::1]:80/{A}/x"),
        ] {
            let openid = openid.replace("{O}", ".well-known/openid-configuration");
            let oauth = oauth.replace("{A}", ".well-known/oauth-authorization-server");
            assert_eq!(address(issuer, DiscoveryAddress::OpenId), openid);
            assert_eq!(address(issuer, DiscoveryAddress::OAuth), oauth);
        }
    }

    /// REQ-DISC-05
    #[test]
    fn the_metadata_address_of_the_longest_issuer_may_exceed_the_url_limit() {
        let issuer =
            format!("https://op.example/{}", "a".repeat(2048 - "https://op.example/".len()));
        assert!(address(&issuer, DiscoveryAddress::OpenId).len() > 2048);
        assert!(address(&issuer, DiscoveryAddress::OAuth).len() > 2048);
    }

    /// REQ-DISC-03
    /// REQ-DISC-04b
    /// REQ-DISC-22
    /// OPM-DSC-01
    /// OPM-DSC-08
    #[test]
    fn metadata_is_accepted_only_with_status_200_and_json_of_this_issuer() {
        const BODY: &str = r#"{"issuer":"https://op.example"}"#;
        let discovery =
            Discovery::new(Issuer::parse("https://op.example").unwrap(), DiscoveryAddress::OpenId);
        let with_type = |media_type| {
            Response::new(200, [("content-type", media_type)].into_iter().collect(), BODY)
        };
        assert!(discovery.process(&with_type("application/json;charset=UTF-8")).is_ok());

        let mut cut = Response::json(200, BODY);
        cut.truncated = true;
        for (response, fault) in [
            (Response::json(404, BODY), Fault::Status),
            (Response::json(500, BODY), Fault::Status),
            (Response::json(204, ""), Fault::Status),
            (Response::json(302, BODY), Fault::Redirect),
            (Response::json(307, BODY), Fault::Redirect),
            (with_type("text/html"), Fault::MediaType),
            (with_type("text/plain"), Fault::MediaType),
            (Response::json(200, "[]"), Fault::NotJson),
            (Response::json(200, "<html>"), Fault::NotJson),
            (cut, Fault::TooLarge),
        ] {
            let error = discovery.process(&response).unwrap_err();
            let MetadataError::Unusable(Misbehaviour { fault: found, endpoint, answer }) = error
            else {
                panic!("{error:?}")
            };
            let status = answer.map(|answer| answer.status());
            assert_eq!(
                (found, endpoint, status),
                (fault, Endpoint::Discovery, Some(response.status))
            );
        }
        let other = Response::json(200, r#"{"issuer":"https://op.example/"}"#);
        let MetadataError::Untrusted(rejection) = discovery.process(&other).unwrap_err() else {
            panic!()
        };
        assert_eq!(rejection.check(), Untrusted::DiscoveryIssuer);
    }
}
