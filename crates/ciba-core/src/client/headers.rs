//! Header fields that a configuration or a request may add.

/// Returns why a header field of the caller cannot be sent.
pub(crate) fn header_fault(name: &str, value: &str, is_fapi: bool) -> Option<&'static str> {
    // The alphabet of field names (RFC 9110 section 5.6.2).
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Some("it is not a valid field name");
    }
    if RESERVED_HEADERS.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
        return Some("it belongs to the protocol");
    }
    if is_fapi && FAPI_DEVICE_HEADERS.iter().any(|known| name.eq_ignore_ascii_case(known)) {
        return Some("the consumption device is not the client's (FAPI-CIBA 6.2)");
    }
    // A line break in a value would end the field and begin another one.
    // White space around a value is not part of it (RFC 9110 section 5.5) and would be lost.
    if !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) || value.trim() != value {
        return Some("its value has a character that is not allowed");
    }
    None
}

/// Header fields that belong to the protocol, to the credential or to HTTP.
const RESERVED_HEADERS: [&str; 18] = [
    "authorization",
    "proxy-authorization",
    "accept",
    "accept-encoding",
    "content-type",
    "content-length",
    "content-encoding",
    "transfer-encoding",
    "host",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "cookie",
    "dpop",
    "forwarded",
];

/// Header fields about the device that shows this client, which a FAPI-CIBA client does not control.
// REQ-FAPI-18
const FAPI_DEVICE_HEADERS: [&str; 2] = ["x-fapi-customer-ip-address", "x-fapi-auth-date"];
