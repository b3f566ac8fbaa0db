//! The JSON answers of the endpoints.

use ciba_core::http::{Headers, Response};
use serde_json::Value;

/// A JSON answer that must not be cached (OP-31, OP-50).
pub(super) fn answer(status: u16, body: &Value) -> Response {
    let headers: Headers =
        [("content-type", "application/json"), ("cache-control", "no-store")].into_iter().collect();
    Response::new(status, headers, body.to_string())
}
