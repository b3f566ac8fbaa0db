//! One situation: a command line and whom it talks to.

use std::{fmt::Write as _, fs::Permissions, os::unix::fs::PermissionsExt as _, sync::Arc, thread};

use serde_json::Value;

use super::{
    support::{Ended, Folder, Op, Port, Say, arguments, command, ended},
    tls::TlsServer,
};

type Answer = Arc<dyn Fn(&str, &str, usize) -> Option<Say> + Send + Sync>;
type Own = Box<dyn Fn(&str) -> (Ended, Vec<(String, &'static str)>) + Send + Sync>;

enum Peer {
    Nobody,
    Script(Answer),
    Tls(Arc<TlsServer>),
    /// Runs the command by itself; gets the transport.
    Own(Own),
}

pub(crate) struct Case {
    title: &'static str,
    base: &'static str,
    options: Vec<&'static str>,
    files: Vec<(&'static str, Vec<u8>)>,
    environment: Vec<(&'static str, &'static str)>,
    transports: &'static [&'static str],
    peer: Peer,
}

/// The file that others can read.
pub(crate) const OPEN: &str = "open.pem";

/// The options for client authentication, `none` included.
const PROOFS: [&str; 4] = ["--client-auth", "--key", "--client-secret-file", "--cert"];

impl Case {
    fn new(title: &'static str, base: &'static str, options: &[&'static str]) -> Self {
        let options = options.to_vec();
        Self {
            title,
            base,
            options,
            files: vec![],
            environment: vec![],
            transports: &["reqwest"],
            peer: Peer::Nobody,
        }
    }

    /// `ciba authenticate` with the options that the head of the file names.
    pub(crate) fn authenticate(title: &'static str, options: &[&'static str]) -> Self {
        Self::new(title, "authenticate", options)
    }

    /// `ciba discover` with the issuer.
    pub(crate) fn discover(title: &'static str, options: &[&'static str]) -> Self {
        Self::new(title, "discover", options)
    }

    /// A command line as it stands.
    pub(crate) fn line(title: &'static str, options: &[&'static str]) -> Self {
        Self::new(title, "", options)
    }

    /// The provider; it gets its issuer, the path and how often it was asked for before.
    pub(crate) fn with(
        mut self,
        answer: impl Fn(&str, &str, usize) -> Option<Say> + Send + Sync + 'static,
    ) -> Self {
        self.peer = Peer::Script(Arc::new(answer));
        self
    }

    pub(crate) fn over_tls(mut self, server: TlsServer) -> Self {
        self.peer = Peer::Tls(Arc::new(server));
        self
    }

    pub(crate) fn by(
        mut self,
        run: impl Fn(&str) -> (Ended, Vec<(String, &'static str)>) + Send + Sync + 'static,
    ) -> Self {
        self.peer = Peer::Own(Box::new(run));
        self
    }

    /// A file in DIR.
    pub(crate) fn file(mut self, name: &'static str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name, content.into()));
        self
    }

    pub(crate) fn environment(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self
    }

    /// Over both transports; they are shown apart only where they differ.
    pub(crate) fn both(mut self) -> Self {
        self.transports = &["reqwest", "ureq"];
        self
    }

    /// The situation in the file.
    pub(crate) fn text(&self) -> String {
        let line = match self.base {
            "" => self.options.join(" "),
            base => format!("{base} … {}", self.options.join(" ")),
        };
        let mut text = format!("# {}\n$ ", self.title);
        for (name, value) in &self.environment {
            let _ = write!(text, "{name}={value} ");
        }
        let _ = writeln!(text, "ciba {}", line.trim_end());
        let said: Vec<String> = thread::scope(|scope| {
            let runs: Vec<_> = self
                .transports
                .iter()
                .map(|transport| scope.spawn(move || self.said(transport)))
                .collect();
            runs.into_iter().map(|run| run.join().expect("it ends")).collect()
        });
        match said.as_slice() {
            [one, other] if one == other => {
                let _ = write!(text, "{one}");
            }
            [one] => {
                let _ = write!(text, "{one}");
            }
            all => {
                for (transport, said) in self.transports.iter().zip(all) {
                    let _ = write!(text, "over {transport}:\n{said}");
                }
            }
        }
        text
    }

    fn said(&self, transport: &str) -> String {
        // A port that was free may be another test's by the time it is listened at.
        let is_taken = |run: &Ended| run.stderr.contains("address already in use");
        let mut runs = (0..5).map(|_| self.run(transport)).skip_while(|(run, _)| is_taken(run));
        let (run, replaced) = runs.next().expect("five ports are not all taken");
        let text = |text: &str| {
            let text =
                replaced.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
            let text = without_number(&normalised(&text), " is ", " s too ");
            let pairs = [
                (" (", " attempts)"),
                (" (", " ms)"),
                (", ", " s left"),
                ("(at most ", " s more"),
                ("(next request in ", " s"),
            ];
            pairs.iter().fold(text, |text, (before, after)| without_number(&text, before, after))
        };
        let mut said = format!("exit {}\n{}", run.code, text(&run.stderr));
        let lines =
            || run.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        for refused in lines().filter(|line| line["event"] == "notification_refused") {
            let _ = writeln!(
                said,
                "notification_refused {{\"status\": {}, \"reason\": {}}}",
                refused["status"], refused["reason"]
            );
        }
        let last = lines().next_back();
        if let Some(Value::Object(last)) = last {
            const SHOWN: [&str; 11] = [
                "failure", "check", "claim", "member", "cause", "found", "expected", "error",
                "status", "endpoint", "problems",
            ];
            let members = SHOWN
                .iter()
                .filter_map(|name| last.get(*name).map(|value| format!("\"{name}\": {value}")));
            let members: Vec<String> = members.collect();
            if !members.is_empty() {
                let _ = writeln!(said, "{{{}}}", text(&members.join(", ")));
            }
        }
        said
    }

    fn run(&self, transport: &str) -> (Ended, Vec<(String, &'static str)>) {
        let folder = Folder::new();
        let (mut ca, mut op) = (None, None);
        let issuer = match &self.peer {
            Peer::Own(run) => return run(transport),
            Peer::Nobody => "http://127.0.0.1:1".to_owned(),
            Peer::Script(answer) => {
                let answer = Arc::clone(answer);
                let started =
                    Op::knowing_itself(move |issuer, path, before| answer(issuer, path, before));
                op.insert(started).issuer.clone()
            }
            Peer::Tls(server) => {
                ca = Some(folder.write("ca.pem", &server.ca));
                folder.write("stranger.pem", &server.stranger.0);
                folder.write("stranger-key.pem", &server.stranger.1);
                server.issuer.clone()
            }
        };
        for (name, content) in &self.files {
            let content = match std::str::from_utf8(content) {
                Ok(text) if name.ends_with(".json") => text.replace("OP", &issuer).into_bytes(),
                _ => content.clone(),
            };
            std::fs::write(folder.path(name), content).expect("the test's folder can be written");
            let mode = if *name == OPEN { 0o644 } else { 0o600 };
            std::fs::set_permissions(folder.path(name), Permissions::from_mode(mode))
                .expect("it is ours");
        }
        let dir = folder.text("");
        let dir = dir.trim_end_matches('/').to_owned();
        let says = |names: &[&str]| self.options.iter().any(|option| names.contains(option));
        let mut all: Vec<String> = match self.base {
            "authenticate" => {
                let mut all = arguments(&issuer);
                if says(&PROOFS) {
                    all.retain(|word| word != "--client-auth" && word != "none");
                }
                if says(&["--issuer"]) {
                    all.retain(|word| word != "--issuer" && *word != issuer);
                }
                all
            }
            "discover" => ["discover", &issuer, "--allow-http-loopback", "--output", "json"]
                .map(str::to_owned)
                .to_vec(),
            _ => vec![],
        };
        if !self.base.is_empty() {
            all.extend(["--transport".to_owned(), transport.to_owned()]);
        }
        if ca.is_some() && !says(&["--ca-cert"]) && self.title != super::before::UNKNOWN {
            all.extend(["--ca-cert".to_owned(), ca.unwrap_or_default()]);
        }
        let port = Port::new();
        let free = port.to_string();
        all.extend(self.options.iter().map(|word| {
            word.replace("127.0.0.1:PORT", &free).replace("DIR", &dir).replace("OP", &issuer)
        }));
        let mut command = command();
        for name in [
            "HTTPS_PROXY",
            "https_proxy",
            "HTTP_PROXY",
            "http_proxy",
            "ALL_PROXY",
            "all_proxy",
            "NO_PROXY",
            "no_proxy",
        ] {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().copied()).args(all);
        (
            ended(command.spawn().expect("the command starts")),
            vec![
                (issuer, if self.base.is_empty() { "http://127.0.0.1:1" } else { "OP" }),
                (dir, "DIR"),
            ],
        )
    }
}

/// Without what differs from run to run.
pub(crate) fn normalised(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_-:.".contains(c);
    let (mut out, mut rest) = (String::new(), text);
    while let Some(c) = rest.chars().next() {
        let length = if is_word(c) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else {
            c.len_utf8()
        };
        let (word, left) = rest.split_at(length);
        out.push_str(&one_word(word));
        rest = left;
    }
    out
}

fn one_word(word: &str) -> String {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (bare, end) = match word.strip_suffix(['.', ':']) {
        Some(bare) => (bare, &word[bare.len()..]),
        None => (word, ""),
    };
    let is_time =
        bare.len() >= 20 && bare.starts_with("20") && bare.ends_with('Z') && bare.contains('T');
    if is_time {
        return format!("TIME{end}");
    }
    let (start, number) = bare.strip_prefix(':').map_or(("", bare), |number| (":", number));
    if digits(number) && number.len() >= 10 {
        return format!("{start}NUMBER{end}");
    }
    if let Some((host @ ("127.0.0.1" | "localhost"), port)) = bare.split_once(':')
        && digits(port)
        && port.len() > 1
    {
        return format!("{host}:PORT{end}");
    }
    if bare.len() == 43 && !bare.contains(['.', ':']) {
        return format!("KID{end}");
    }
    word.to_owned()
}

/// `text` with the number between the two replaced, wherever it stands.
fn without_number(text: &str, before: &str, after: &str) -> String {
    let mut parts = text.split(before);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(before);
        let number = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        match part.split_at(number) {
            (digits, rest) if !digits.is_empty() && rest.starts_with(after) => {
                out.push('N');
                out.push_str(rest);
            }
            _ => out.push_str(part),
        }
    }
    out
}
