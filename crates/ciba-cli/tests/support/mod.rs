//! What the tests of the command share: the command itself, run to its end or interrupted, and a
//! provider that says whatever a test wants it to say.
#![allow(dead_code, reason = "each test file uses a part of it")]

#[path = "../../../ciba-reqwest/tests/support/port.rs"]
mod port;
pub(crate) mod wired;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use ciba_core::{Entropy, SoftwareKey, crypto::AwsLcRs, jose::JwsAlgorithm};
use serde_json::{Value, json};

pub(crate) use port::Port;

/// A run of the command that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Standard output as JSON lines; fails on anything else there.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let object = |line: &str| match serde_json::from_str(line) {
            Ok(value @ Value::Object(_)) => value,
            _ => panic!("not one JSON object on a line: {line:?}"),
        };
        self.stdout.lines().map(object).collect()
    }

    pub(crate) fn last(&self) -> Value {
        self.lines().pop().unwrap_or_else(|| panic!("nothing on standard output: {self:?}"))
    }

    /// The names of the events, in order.
    pub(crate) fn events(&self) -> Vec<String> {
        self.lines()
            .iter()
            .map(|line| line["event"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// The last line says `failed` with these members and no others beside `event` and `at`.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32, members: &Value) {
        assert_eq!(self.code, code, "{self:?}");
        let mut last = self.last();
        let last = last.as_object_mut().expect("an object");
        assert_eq!(last.remove("event"), Some(json!("failed")), "{self:?}");
        assert!(
            last.remove("at").is_some_and(|at| at.as_str().is_some_and(|at| at.ends_with('Z')))
        );
        assert_eq!(Value::Object(last.clone()), *members);
        assert!(self.sentence().len() > 10);
    }

    /// The whole of standard error, when it is one sentence of the command.
    #[track_caller]
    pub(crate) fn sentence(&self) -> &str {
        let text = self.stderr.strip_suffix('\n').unwrap_or(&self.stderr);
        assert!(
            !text.contains('\n') && text.starts_with("ciba: "),
            "not one sentence: {:?}",
            self.stderr
        );
        text
    }

    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ciba"));
    command
        .env_remove("CIBA_CLIENT_SECRET")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) fn ciba<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ended {
    ended(command().args(arguments).spawn().expect("the command starts"))
}

pub(crate) fn ended(child: Child) -> Ended {
    let output = child.wait_with_output().expect("the command ends");
    Ended {
        code: output.status.code().expect("it exits by itself"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// Sends a signal through the system's own command: this workspace forbids what the call itself
/// would need.
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
    assert!(status.expect("kill runs").success());
}

/// A folder of a test, removed at its end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A path as an argument.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("UTF-8").to_owned()
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> String {
        std::fs::write(self.path(name), content).expect("the test's folder can be written");
        self.protect(name, 0o600)
    }

    /// Gives a file another mode.
    pub(crate) fn protect(&self, name: &str, mode: u32) -> String {
        #[cfg(unix)]
        std::fs::set_permissions(
            self.path(name),
            std::os::unix::fs::PermissionsExt::from_mode(mode),
        )
        .expect("the test's folder can be written");
        self.text(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// What a provider says to one request.
pub(crate) enum Say {
    Json(u16, Value),
    Raw(u16, &'static str, String),
    /// Nothing: the connection is closed.
    Nothing,
    /// Nothing, and the connection stays open for a while.
    Silence(Duration),
}

/// A provider on a free loopback port that answers by a script of the test.
pub(crate) struct Op {
    pub(crate) issuer: String,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
}

impl Op {
    /// `answer` gets the path and how often it was asked for before.
    pub(crate) fn start(
        answer: impl Fn(&str, usize) -> Option<Say> + Send + Sync + 'static,
    ) -> Self {
        Self::knowing_itself(move |_, path, before| answer(path, before))
    }

    /// As [`Self::start`]; `answer` also gets the issuer.
    pub(crate) fn knowing_itself(
        answer: impl Fn(&str, &str, usize) -> Option<Say> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let issuer = format!("http://{}", listener.local_addr().expect("it is bound"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, own, answer) = (Arc::clone(&seen), issuer.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, own, answer) = (Arc::clone(&log), own.clone(), Arc::clone(&answer));
                thread::spawn(move || serve(stream, &log, &own, &*answer));
            }
        });
        Self { issuer, seen }
    }

    pub(crate) fn count(&self, path: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|seen| seen.path == path).count()
    }

    /// `authenticate` as a public client, with a hint.
    pub(crate) fn arguments(&self) -> Vec<String> {
        arguments(&self.issuer)
    }

    pub(crate) fn run(&self, more: &[&str]) -> Ended {
        ciba(self.arguments().into_iter().chain(more.iter().map(|&text| text.to_owned())))
    }
}

pub(crate) fn arguments(issuer: &str) -> Vec<String> {
    [
        "authenticate",
        "--issuer",
        issuer,
        "--allow-http-loopback",
        "--client-id",
        "the-client",
        "--client-auth",
        "none",
        "--login-hint",
        "the-person",
        "--output",
        "json",
    ]
    .map(str::to_owned)
    .to_vec()
}

pub(crate) fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "backchannel_authentication_endpoint": format!("{issuer}/bc"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "backchannel_token_delivery_modes_supported": ["poll"],
        "token_endpoint_auth_methods_supported": [
            "none", "private_key_jwt", "client_secret_basic", "client_secret_post", "client_secret_jwt"
        ],
    })
}

/// An acknowledgement with an interval of one second.
pub(crate) fn acknowledgement(expires_in: u64) -> Say {
    Say::Json(
        200,
        json!({ "auth_req_id": "0123456789abcdefghijklmnop", "expires_in": expires_in, "interval": 1 }),
    )
}

pub(crate) fn error(code: &str) -> Say {
    Say::Json(400, json!({ "error": code, "error_description": "in the provider's words" }))
}

fn serve(
    stream: TcpStream,
    log: &Mutex<Vec<Seen>>,
    issuer: &str,
    answer: &(dyn Fn(&str, &str, usize) -> Option<Say> + Send + Sync),
) {
    let Some(seen) = read(&stream) else { return };
    let path = seen.path.clone();
    let before = {
        let mut log = log.lock().unwrap();
        let before = log.iter().filter(|earlier| earlier.path == path).count();
        log.push(seen);
        before
    };
    let said = answer(issuer, &path, before).unwrap_or_else(|| match path.as_str() {
        "/.well-known/openid-configuration" => Say::Json(200, metadata(issuer)),
        "/jwks" => Say::Json(200, json!({ "keys": [] })),
        _ => Say::Json(404, json!({})),
    });
    let (status, kind, body) = match said {
        Say::Json(status, body) => (status, "application/json", body.to_string()),
        Say::Raw(status, kind, body) => (status, kind, body),
        Say::Nothing => return,
        Say::Silence(time) => return thread::sleep(time),
    };
    let mut stream = stream;
    let _ = write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
}

fn read(stream: &TcpStream) -> Option<Seen> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Seen { path, head, body: String::from_utf8(body).ok()? })
}

/// The provider's signing key and the tokens it makes.
pub(crate) struct Signer(SoftwareKey);

impl Signer {
    pub(crate) fn new() -> Self {
        let made = SoftwareKey::generate(JwsAlgorithm::Es256, entropy(), &AwsLcRs);
        Self(made.expect("P-256 is always there").0)
    }

    /// The key set to publish.
    pub(crate) fn key_set(&self) -> Value {
        let key: Value = serde_json::from_str(&self.0.public_jwk()).expect("it is JSON");
        json!({ "keys": [key] })
    }

    /// A token response with an ID Token for `the-client`; `claims` are added or replace, and
    /// `without` names one to leave out.
    pub(crate) fn tokens(&self, issuer: &str, claims: &Value) -> Say {
        self.tokens_with(issuer, &json!({}), claims)
    }

    /// The same; what `header` holds is added to the ID Token's header or replaces there.
    pub(crate) fn tokens_with(&self, issuer: &str, header: &Value, claims: &Value) -> Say {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970")
            .as_secs();
        let mut all = json!({
            "iss": issuer, "aud": "the-client", "sub": "the-person-s-id", "iat": now, "exp": now + 300,
            "name": "Terne Paulsen",
        });
        for (name, value) in claims.as_object().expect("an object") {
            all[name] = value.clone();
        }
        if let Some(absent) = claims["without"].as_str() {
            all.as_object_mut()
                .expect("an object")
                .retain(|name, _| name != absent && name != "without");
        }
        let mut head = json!({ "alg": "ES256", "kid": self.0.key_id() });
        for (name, value) in header.as_object().expect("an object") {
            head[name] = value.clone();
        }
        let input = format!(
            "{}.{}",
            base64url(head.to_string().as_bytes()),
            base64url(all.to_string().as_bytes())
        );
        let signature = self.0.sign_message(input.as_bytes(), entropy()).expect("it signs");
        Say::Json(
            200,
            json!({
                "access_token": "sentinel-access", "token_type": "Bearer", "expires_in": 120,
                "id_token": format!("{input}.{}", base64url(&signature)),
            }),
        )
    }
}

pub(crate) fn entropy() -> Entropy {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("random bytes");
    Entropy::from_bytes(bytes)
}

pub(crate) fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for place in 0..=group.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * place) & 63) as usize]));
        }
    }
    text
}
