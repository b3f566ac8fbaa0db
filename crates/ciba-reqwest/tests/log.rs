//! Nothing secret reaches a log, however much of it is wanted.
#![allow(missing_docs)]

#[path = "support/client.rs"]
mod client;
mod support;

use std::sync::{Arc, Mutex};

use ciba_reqwest::{
    Clock, Driver, HttpClient,
    ciba_core::{ClientAuth, Timestamp},
    http::platform_roots,
};
use client::{ACKNOWLEDGED, AUTH_REQ_ID, Jumping, config, request};
use support::{Server, answer};

/// Keeps every line.
struct Capture {
    lines: Mutex<Vec<String>>,
}

impl log::Log for Capture {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            self.lines.lock().unwrap().push(format!("{} {}", record.target(), record.args()));
        }
    }

    fn flush(&self) {}
}

static CAPTURE: Capture = Capture { lines: Mutex::new(Vec::new()) };

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        self.read()
    }

    fn idle(&self, until: Timestamp) -> std::time::Duration {
        self.jump(until);
        std::time::Duration::ZERO
    }
}

/// REQ-SEC-03
#[tokio::test]
async fn a_verbose_builder_logs_no_secret() {
    log::set_logger(&CAPTURE).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let tokens = r#"{"access_token":"sentinel-access","token_type":"Bearer","id_token":"a.b.c"}"#;
    let server = Server::start([answer(200, "", ACKNOWLEDGED), answer(200, "", tokens)]);
    let config =
        config(&server.url(""), ClientAuth::ClientSecretPost { secret: "sentinel-secret".into() });
    let http = HttpClient::new(|| platform_roots().no_proxy().connection_verbose(true)).unwrap();
    let driver = Driver::builder(Arc::clone(&config), http).clock(Jumping::new()).build().unwrap();
    let _ = driver.authenticate(request(), &mut ()).await;
    assert_eq!(server.requests().len(), 2);
    let lines = CAPTURE.lines.lock().unwrap().clone();
    assert!(!lines.is_empty(), "the logger hears nothing");
    for secret in ["sentinel-secret", "sentinel-access", AUTH_REQ_ID, "somebody"] {
        assert!(!lines.iter().any(|line| line.contains(secret)), "{secret}");
    }
}
