//! Nothing secret reaches a log, however much of it is wanted.
#![allow(missing_docs)]

#[path = "../../ciba-reqwest/tests/support/client.rs"]
mod client;
#[path = "../../ciba-reqwest/tests/support/mod.rs"]
mod support;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use ciba_ureq::{
    AuthenticateError, Clock, Driver, HttpClient,
    ciba_core::{ClientAuth, Failure, Timestamp, config::BasicEncoding},
    http::platform_roots,
};
use client::{ACKNOWLEDGED, AUTH_REQ_ID, Jumping, config, request};
use support::{Server, answer};

/// Keeps every line of its targets.
struct Capture {
    lines: Mutex<Vec<String>>,
    /// Leaves out the target where ureq shows what it sends and receives.
    is_filtered: AtomicBool,
}

impl log::Log for Capture {
    fn enabled(&self, what: &log::Metadata<'_>) -> bool {
        what.target() != "ureq_proto::util" || !self.is_filtered.load(Ordering::SeqCst)
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            self.lines.lock().unwrap().push(format!("{} {}", record.target(), record.args()));
        }
    }

    fn flush(&self) {}
}

static CAPTURE: Capture =
    Capture { lines: Mutex::new(Vec::new()), is_filtered: AtomicBool::new(false) };

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
#[test]
fn no_request_is_sent_while_the_http_library_would_log_it() {
    log::set_logger(&CAPTURE).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let tokens = r#"{"access_token":"sentinel-access","token_type":"Bearer","id_token":"a.b.c"}"#;
    for (is_filtered, sent) in [(false, 0), (true, 2)] {
        CAPTURE.is_filtered.store(is_filtered, Ordering::SeqCst);
        let server = Server::start([answer(200, "", ACKNOWLEDGED), answer(200, "", tokens)]);
        let auth = ClientAuth::ClientSecretBasic {
            secret: "sentinel-secret".into(),
            encoding: BasicEncoding::Encoded,
        };
        let config = config(&server.url(""), auth);
        let http = HttpClient::new(|| platform_roots().proxy(None)).unwrap();
        let driver =
            Driver::builder(Arc::clone(&config), http).clock(Jumping::new()).build().unwrap();
        let ended = driver.authenticate(request(), &mut ()).unwrap_err();
        assert_eq!(
            matches!(ended, AuthenticateError::Failed(Failure::Unreachable(_))),
            !is_filtered,
            "{ended:?}"
        );
        assert_eq!(server.requests().len(), sent);
        let lines = std::mem::take(&mut *CAPTURE.lines.lock().unwrap());
        let says_why = lines
            .iter()
            .any(|line| line.starts_with("ciba_ureq") && line.contains("ureq_proto::util"));
        assert_eq!(says_why, !is_filtered, "{lines:?}");
        // The library shows sixteen octets a row.
        for secret in [
            "client:sentinel",
            "sentinel-",
            "Basic Y2",
            "access_token",
            &AUTH_REQ_ID[..6],
            "somebody",
        ] {
            assert!(!lines.iter().any(|line| line.contains(secret)), "{secret}");
        }
    }
}
