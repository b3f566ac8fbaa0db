//! The challenge of a protected resource (RFC 6750 section 3, RFC 9449 section 7.1).

use alloc::string::String;

use crate::{bounds::TEXT_BYTES, text::plain_at_most, wire::Headers};

/// The schemes whose challenges have an `error` parameter.
const SCHEMES: [&str; 2] = ["bearer", "dpop"];

/// Returns the `error` parameter of the first `Bearer` or `DPoP` challenge that has one.
///
/// A challenge grants nothing, so it is read leniently: what cannot be read is skipped.
pub(crate) fn error(headers: &Headers) -> Option<String> {
    headers.all("www-authenticate").find_map(error_in)
}

/// Reads one field, which may contain several challenges (RFC 9110 section 11.6.1).
fn error_in(field: &str) -> Option<String> {
    let field = field.get(..TEXT_BYTES).unwrap_or(field);
    let mut is_known = false;
    for part in Parts(field) {
        // The first parameter of a challenge follows the scheme and a space.
        let (scheme, parameter) = match part.trim().split_once([' ', '\t']) {
            Some((scheme, rest)) if !scheme.contains('=') && !rest.trim().starts_with('=') => {
                (Some(scheme), rest)
            }
            Some(_) => (None, part),
            None if part.contains('=') => (None, part),
            None => (Some(part.trim()), ""),
        };
        if let Some(scheme) = scheme {
            is_known = SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme));
        }
        let Some((name, value)) = parameter.split_once('=') else { continue };
        if is_known && name.trim().eq_ignore_ascii_case("error") {
            let value = value.trim().trim_matches('"');
            return Some(plain_at_most(value, TEXT_BYTES)).filter(|value| !value.is_empty());
        }
    }
    None
}

/// The parts of a field between its commas, except those inside of quotes.
struct Parts<'a>(&'a str);

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let (mut is_quoted, mut is_escaped) = (false, false);
        let end = self.0.find(|c| {
            let is_comma = c == ',' && !is_quoted;
            match c {
                _ if is_escaped => is_escaped = false,
                '\\' if is_quoted => is_escaped = true,
                '"' => is_quoted = !is_quoted,
                _ => {}
            }
            is_comma
        });
        let (part, rest) = match end {
            Some(end) => self.0.split_at(end),
            None => (self.0, ""),
        };
        self.0 = rest.strip_prefix(',').unwrap_or(rest);
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_challenge_is_found_among_others() {
        let long = alloc::format!("Bearer {}, error=\"late\"", "x".repeat(2 * TEXT_BYTES));
        for (field, expected) in [
            (r#"Bearer error="invalid_token""#, Some("invalid_token")),
            (r#"bearer realm="a, error=b", ERROR = "invalid_token""#, Some("invalid_token")),
            (r#"DPoP algs="ES256", error="use_dpop_nonce""#, Some("use_dpop_nonce")),
            (r#"Basic realm="x", error="no", Bearer error=invalid_token"#, Some("invalid_token")),
            (r#"Bearer realm="\", error=\"no", scope="s""#, None),
            (r#"Basic error="no""#, None),
            ("Bearer", None),
            ("Bearer error=", None),
            ("", None),
            (",,=,\"", None),
            (&*long, None),
        ] {
            let headers: Headers = [("WWW-Authenticate", field)].into_iter().collect();
            assert_eq!(error(&headers).as_deref(), expected, "{field}");
        }
    }
}
