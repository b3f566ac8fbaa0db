//! `application/x-www-form-urlencoded`, parsed and written independently of the client under test.

/// The body is not a valid form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Parses a form: its parameters in order, decoded.
pub(crate) fn parse(body: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    body.split(|byte| *byte == b'&')
        // Empty pairs, as in `a=1&` and `a=1&&b=2`, are allowed.
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &[][..]),
            };
            Ok((decode(name)?, decode(value)?))
        })
        .collect()
}

/// Decodes a name or value: `+` is a space, `%` needs two hexadecimal digits, and the result has to
/// be UTF-8.
pub(crate) fn decode(text: &[u8]) -> Result<String, Malformed> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || {
                    rest.next().and_then(|digit| char::from(*digit).to_digit(16)).ok_or(Malformed)
                };
                let value = digit()? * 16 + digit()?;
                u8::try_from(value).map_err(|_| Malformed)?
            }
            0x21..=0x7e => *byte,
            _ => return Err(Malformed),
        });
    }
    String::from_utf8(out).map_err(|_| Malformed)
}

/// Encodes a form body.
pub(crate) fn encode<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs =
        parameters.into_iter().map(|(name, value)| format!("{}={}", escape(name), escape(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
                char::from(byte).to_string()
            }
            b' ' => "+".to_owned(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
