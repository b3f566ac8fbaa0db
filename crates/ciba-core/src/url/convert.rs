//! Conversions to and from the `Url` of the crate `url`.

use super::{Url, UrlError};

/// Like [`Url::parse`], this rejects a URL that is not https or that two parsers could read
/// differently.
impl TryFrom<&url::Url> for Url {
    type Error = UrlError;

    fn try_from(url: &url::Url) -> Result<Self, UrlError> {
        Self::parse(url.as_str())
    }
}

impl TryFrom<url::Url> for Url {
    type Error = UrlError;

    fn try_from(url: url::Url) -> Result<Self, UrlError> {
        Self::try_from(&url)
    }
}

impl TryFrom<&Url> for url::Url {
    type Error = url::ParseError;

    fn try_from(url: &Url) -> Result<Self, url::ParseError> {
        Self::parse(url.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_round_trips_and_a_lenient_one_is_refused() {
        for text in ["https://op.example", "https://op.example:8443/a%20b?c=d"] {
            let ours = Url::parse(text).unwrap();
            let theirs = url::Url::try_from(&ours).unwrap();
            assert_eq!(Url::try_from(theirs).unwrap().host(), ours.host());
        }
        let loose = url::Url::parse("https://me:pw@op.example/").unwrap();
        assert_eq!(Url::try_from(&loose), Err(UrlError::UserInfo));
        let plain = url::Url::parse("http://127.0.0.1/").unwrap();
        assert_eq!(Url::try_from(plain), Err(UrlError::Scheme));
    }
}
