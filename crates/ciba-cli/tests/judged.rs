//! `ciba op` and other people's clients: what it takes from them, what it says about them, and how
//! scripts learn it.

mod support;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use support::{Ended, Folder, ciba, command, ended, signal};

const SECRET: &str = "a secret of thirty-two bytes and more";

/// `ciba op --judge`, running.
struct Judged {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    issuer: String,
    folder: Folder,
}

impl Judged {
    fn start(clients: &Value, more: &[&str]) -> Self {
        let folder = Folder::new();
        let file = folder.write("clients.json", &clients.to_string());
        let mut child =
            command().args(["op", "--judge", "--clients", &file]).args(more).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        stdout.read_line(&mut first).unwrap();
        let issuer =
            first.strip_prefix("READY ").unwrap_or_else(|| panic!("{first:?}")).trim().to_owned();
        Self { child, stdout, issuer, folder }
    }

    fn host(&self) -> &str {
        self.issuer.strip_prefix("http://").unwrap()
    }

    /// Sends bytes on a connection of their own: the status, the head and the body of the answer.
    fn send(&self, request: &str) -> (u16, String, Value) {
        let mut wire = TcpStream::connect(self.host()).unwrap();
        wire.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        wire.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_owned(), serde_json::from_str(body).unwrap_or_default())
    }

    fn get(&self, path: &str) -> (u16, String, Value) {
        self.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.host()
        ))
    }

    /// A form in two chunks.
    fn post(&self, path: &str, form: &str) -> (u16, String, Value) {
        let (front, back) = form.split_at(form.len() / 2);
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\
             Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n\r\n\
             {:x}\r\n{front}\r\n{:x};part=2\r\n{back}\r\n0\r\nX-Checksum: none\r\n\r\n",
            self.host(),
            front.len(),
            back.len(),
        ))
    }

    /// Ends it: the exit status, the report, and what people read.
    fn end(mut self) -> (i32, Value, String) {
        signal(&self.child, "TERM");
        let (mut last, mut said) = (String::new(), String::new());
        self.stdout.read_to_string(&mut last).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let report =
            serde_json::from_str(&last).unwrap_or_else(|_| panic!("one line of JSON: {last:?}"));
        (self.child.wait().unwrap().code().unwrap(), report, said)
    }
}

impl Drop for Judged {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client(id: &str, method: &str) -> Value {
    json!({
        "client_id": id, "client_secret": SECRET, "token_endpoint_auth_method": method,
        "grant_types": ["urn:openid:params:grant-type:ciba", "refresh_token"],
    })
}

#[test]
fn the_judgement_is_an_exit_status_and_one_line_of_json() {
    let op = Judged::start(
        &json!([client("careful", "client_secret_post"), client("hasty", "client_secret_post")]),
        &[],
    );
    let form = |id: &str, more: &str| {
        format!("client_id={id}&client_secret={}&{more}", SECRET.replace(' ', "+"))
    };
    let ask = form("careful", "scope=openid&login_hint=approve-after:0");
    let (status, _, acknowledged) = op.post("/backchannel", &ask);
    assert_eq!(status, 200, "{acknowledged}");
    let id = acknowledged["auth_req_id"].as_str().unwrap();
    let grant = "grant_type=urn:openid:params:grant-type:ciba";
    let (status, _, tokens) =
        op.post("/token", &form("careful", &format!("{grant}&auth_req_id={id}")));
    assert_eq!(
        (status, &tokens["token_type"]),
        (200, &json!("Bearer")),
        "the first poll may come at once"
    );
    let (_, _, report) = op.get("/report");
    assert_eq!((&report["clean"], &report["redeemed"]), (&json!(true), &json!(1)), "{report}");

    let (_, _, acknowledged) =
        op.post("/backchannel", &form("hasty", "scope=openid&login_hint=never"));
    let poll = form(
        "hasty",
        &format!("{grant}&auth_req_id={}", acknowledged["auth_req_id"].as_str().unwrap()),
    );
    assert_eq!(op.post("/token", &poll).2["error"], "authorization_pending");
    assert_eq!(op.post("/token", &poll).2["error"], "slow_down");
    let of = |client: &str| op.get(&format!("/report?client_id={client}")).2;
    assert_eq!((&of("careful")["mistakes"], &of("hasty")["mistakes"]), (&json!(0), &json!(1)));

    let (code, report, said) = op.end();
    assert_eq!(
        (code, &report["clean"], &report["mistakes"]),
        (18, &json!(false), &json!(1)),
        "{report}"
    );
    let finding = &report["findings"][0];
    for (member, value) in [
        ("client_id", "hasty"),
        ("rule", "too-early"),
        ("clause", "CIBA 7.3"),
        ("severity", "mistake"),
        ("endpoint", "token"),
    ] {
        assert_eq!(finding[member], value, "{report}");
    }
    assert!(
        finding["at"].as_str().unwrap().ends_with('Z')
            && finding["reason"].as_str().unwrap().contains(" ms ")
    );
    assert!(said.contains("the client broke a rule:") && said.contains("too-early"), "{said}");
}

#[test]
fn a_client_without_findings_exits_with_0_and_a_401_explains_how_to_authenticate() {
    let op = Judged::start(&client("app", "client_secret_basic"), &[]);
    let (status, _, document) = op.get("/.well-known/openid-configuration");
    assert_eq!(status, 200);
    for member in ["authorization_endpoint", "response_types_supported"] {
        assert!(!document[member].is_null(), "{member}");
    }
    let (code, report, said) = op.end();
    assert_eq!((code, &report["clean"], &report["findings"]), (0, &json!(true), &json!([])));
    assert!(said.contains("/report"), "{said}");

    let op = Judged::start(&client("app", "client_secret_basic"), &[]);
    let (status, head, _) = op.post("/token", "grant_type=authorization_code&client_id=app");
    assert_eq!(status, 401);
    assert!(head.to_ascii_lowercase().contains("\r\nwww-authenticate: basic realm="), "{head}");
    assert_eq!(op.end().0, 18);
}

#[test]
fn a_registration_with_a_probable_mistake_is_refused_with_a_suggestion() {
    let folder = Folder::new();
    let key = folder.text("key.jwk");
    ciba(["key", "new", "--alg", "ES256", "--out", &key]).expect_code(0);
    let private: Value = serde_json::from_str(&std::fs::read_to_string(&key).unwrap()).unwrap();
    let with = |name: &str, value: Value| {
        let mut whole = client("app", "client_secret_jwt");
        whole[name] = value;
        whole
    };
    let table = [
        (
            with("backchannel_token_delivery_modes", json!("poll")),
            "did you mean \"backchannel_token_delivery_mode\"?",
        ),
        (with("grant_type", json!([])), "did you mean \"grant_types\"?"),
        (with("client_nmae", json!("x")), "did you mean \"client_name\"?"),
        (
            with("token_endpoint_auth_method", json!("private_key_jwk")),
            "did you mean \"private_key_jwt\"?",
        ),
        (with("backchannel_token_delivery_mode", json!("pull")), "did you mean \"poll\"?"),
        (with("token_endpoint_auth_signing_alg", json!("HS265")), "did you mean \"HS256\"?"),
        (
            with("grant_types", json!(["authorization_code"])),
            "lacks urn:openid:params:grant-type:ciba",
        ),
        (
            with("grant_types", json!(["urn:openid:params:grant_type:ciba"])),
            "did you mean \"urn:openid:params:grant-type:ciba\"?",
        ),
        (with("grant_types", json!("urn:openid:params:grant-type:ciba")), "array of strings"),
        (with("subject_type", json!("pairwise")), "public subject identifiers only"),
        (with("id_token_encrypted_response_alg", json!("RSA-OAEP")), "encrypts nothing"),
        (with("jwks_uri", json!("https://app.example/jwks")), "fetches no keys"),
        (with("backchannel_user_code_parameter", json!("true")), "true or false"),
        (with("client_secret", json!("thirty-one bytes are not enough")), "RFC 7518 3.2"),
        (with("client_secret", json!(7)), "is a number and has to be a string"),
        (with("jwks", json!({ "keys": [private] })), "private key"),
        (with("jwks", json!([])), "JWK Set"),
        (
            with("backchannel_client_notification_endpoint", json!("http://app.example/cb")),
            "notification endpoint",
        ),
        (json!([client("app", "none"), 7]), "array of clients"),
        (json!({ "client_secret": SECRET }), "no client_id"),
    ];
    for (clients, needle) in table {
        let file = folder.write("clients.json", &clients.to_string());
        let run = ciba(["op", "--clients", &file]).expect_code(2);
        assert!(run.sentence().contains(needle), "{needle}: {run:?}");
        assert!(!run.stderr.contains("a secret of") && run.stdout.is_empty(), "{run:?}");
    }
    let twice = folder.write("clients.json", r#"{"client_id":"app","client_id":"other"}"#);
    assert!(ciba(["op", "--clients", &twice]).expect_code(2).sentence().contains("twice"));
    let broken = folder.write("clients.json", r#"{"client_secret":"a secret of mine"#);
    assert!(!ciba(["op", "--clients", &broken]).expect_code(2).stderr.contains("a secret of"));
}

#[test]
fn irrelevant_members_and_the_generated_client_file_are_accepted() {
    let mut described = client("app", "client_secret_post");
    described["client_name#de"] = json!("Bank");
    described["redirect_uris"] = json!(["https://app.example/cb"]);
    described["backchannel_client_notification_endpoint"] = json!("https://app.example/notify");
    described["jwks"] = Value::Null;
    let op = Judged::start(&described, &[]);
    let (code, _, said) = op.end();
    assert!(code == 0 && said.contains("no use of client_name, redirect_uris"), "{said}");

    let folder = Folder::new();
    let first =
        Judged::start(&client("app", "client_secret_post"), &["--client-dir", &folder.text("")]);
    drop(first);
    let ready: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path("client.json")).unwrap())
            .unwrap();
    let mut ready = ready;
    ready["client_id"] = json!("of another run");
    assert_eq!(Judged::start(&ready, &[]).end().0, 0);
}

/// Runs the client of another project, if it is installed, and returns its output.
fn foreign(mut program: Command, input: &str) -> Option<String> {
    let run = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match run {
        Ok(child) => child,
        Err(error) => {
            eprintln!("not run: {error}");
            return None;
        }
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    Some(text(&output.stdout))
}

/// A client of nothing but Python's standard library: `client_secret_jwt` without `iat`, polling
/// with `slow_down` and all, and a refresh.
#[test]
fn a_client_in_python_breaks_no_rule() {
    let op = Judged::start(&client("python", "client_secret_jwt"), &[]);
    let mut python = Command::new("python3");
    python.args(["-", &op.issuer, "python", SECRET]);
    if let Some(said) = foreign(python, include_str!("support/client.py")) {
        assert_eq!(said.trim(), "user-approve-after:1");
        let (code, report, said) = op.end();
        assert_eq!(
            (code, &report["redeemed"], &report["findings"]),
            (0, &json!(1), &json!([])),
            "{said}"
        );
    }
}

/// curl with chunked bodies and Basic.
#[test]
fn curl_breaks_no_rule() {
    let op = Judged::start(&client("curl", "client_secret_basic"), &[]);
    let encoded = format!("curl:{}", SECRET.replace(' ', "+"));
    let curl = |path: &str, form: &[&str]| {
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--noproxy",
            "*",
            "--user",
            &encoded,
            "--header",
            "Transfer-Encoding: chunked",
        ]);
        curl.args(form.iter().flat_map(|pair| ["--data-urlencode", *pair]));
        curl.arg(format!("{}{path}", op.issuer));
        foreign(curl, "").map(|said| serde_json::from_str::<Value>(&said).unwrap())
    };
    let Some(asked) = curl("/backchannel", &["scope=openid", "login_hint=approve-after:0"]) else {
        return;
    };
    let id = format!("auth_req_id={}", asked["auth_req_id"].as_str().unwrap());
    let tokens = curl("/token", &["grant_type=urn:openid:params:grant-type:ciba", &id]).unwrap();
    assert!(tokens["id_token"].is_string(), "{tokens}");
    assert!(op.folder.path("clients.json").exists());
    let (code, report, said) = op.end();
    assert_eq!((code, &report["findings"]), (0, &json!([])), "{said}");
}

/// The provider verifies every proof, and the judge finds nothing.
/// REQ-POP-06
#[test]
fn tokens_are_bound_to_the_key_of_the_option_dpop() {
    let mut bound = client("bound", "client_secret_post");
    bound["dpop_bound_access_tokens"] = true.into();
    let op = Judged::start(&json!([bound]), &["--dpop-nonces", "every-answer"]);
    let secret = op.folder.write("secret", SECRET);
    let key = op.folder.text("dpop.jwk");
    ciba(["key", "new", "--alg", "ES256", "--out", &key]).expect_code(0);
    let ask = |more: &[&str]| -> Ended {
        let mut asking = command();
        asking.args(["authenticate", "--issuer", &op.issuer, "--allow-http-loopback"]);
        asking.args(["--client-auth", "client_secret_post", "--client-secret-file", &secret]);
        asking.args(["--login-hint", "approve-after:0", "--output", "json"]).args(more);
        ended(asking.spawn().unwrap())
    };
    let by_id = ["--client-id", "bound"];
    for transport in ["reqwest", "ureq"] {
        let options = ["--dpop", &key, "--transport", transport, "--trace"];
        let asked = ask(&[&by_id[..], &options].concat()).expect_code(0);
        assert!(asked.stderr.contains("use_dpop_nonce"), "{asked:?}");
    }
    let (_, _, report) = op.get("/report");
    assert_eq!((&report["clean"], &report["redeemed"]), (&json!(true), &json!(2)), "{report}");
    // Without the option, the provider refuses the token request.
    let refused = ask(&by_id).expect_code(12);
    assert!(refused.stdout.contains("invalid_dpop_proof"), "{refused:?}");
    // A registration that requires it is not ignored.
    let registered = json!({ "client_id": "bound", "dpop_bound_access_tokens": true });
    let file = op.folder.write("client.json", &registered.to_string());
    let missing = ask(&["--client", &file]).expect_code(2);
    assert!(missing.stderr.contains("--dpop FILE is missing"), "{missing:?}");
    // The file can name the key, relative to itself.
    let named = json!({
        "client_id": "bound", "dpop_bound_access_tokens": true, "dpop_key_file": "dpop.jwk",
    });
    let file = op.folder.write("client.json", &named.to_string());
    ask(&["--client", &file]).expect_code(0);
}
