//! The `ciba` command as a separate process, which can be killed.
use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{self, Child, Stdio},
    thread,
};

use serde_json::Value;

use crate::{
    clients::{Client, in_run, port, variable},
    party::{ADAPTERS, Adapter},
};

/// Kills the command of these clients while it waits for the person, and lets another one resume
/// the flow. `hint` is given the adapter and the name of the client; the person must answer later
/// than that.
pub(crate) fn killed_and_resumed(clients: &[&str], hint: impl Fn(Adapter, &str) -> String + Sync) {
    thread::scope(|scope| {
        for name in clients {
            for adapter in ADAPTERS {
                let hint = &hint;
                scope.spawn(move || {
                    let hint = hint(adapter, name);
                    let command = Command::new(&Client::named(name, adapter.name()), adapter);
                    command.killed_when(&hint, |event| event["event"] == "waiting");
                    let last = command.resumed();
                    assert_eq!(
                        (&last["event"], &last["subject"]),
                        (&"authenticated".into(), &hint.into()),
                        "{last}"
                    );
                    println!("{adapter:?}: {name}: command killed and resumed: as expected");
                });
            }
        }
    });
}

/// Readable only for its owner from the beginning.
fn write_private(file: &Path, text: &str) {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(file).expect("a file");
    file.write_all(text.as_bytes()).expect("a file");
}

/// A client with a secret or a key, over one transport. A client in ping mode has no other
/// listener.
pub(crate) struct Command {
    options: Vec<String>,
    secret: Option<String>,
    state: PathBuf,
}

/// Killed when dropped, whatever the test does.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _gone_already = self.0.wait();
    }
}

impl Command {
    pub(crate) fn new(client: &Client, adapter: Adapter) -> Self {
        let state = in_run(&format!("{}-{}.json", client.client_id, adapter.name()));
        let text = |path: PathBuf| path.into_os_string().into_string().expect("a path in UTF-8");
        let mut options = vec![
            ("--transport", adapter.name().to_owned()),
            ("--issuer", client.issuer()),
            ("--ca-cert", text(in_run("ca.pem"))),
            ("--client-id", client.client_id.clone()),
            ("--client-auth", client.method.clone()),
            ("--id-token-alg", client.id_token_alg.clone()),
            ("--state", text(state.clone())),
            ("--output", "json".into()),
        ];
        options.extend(client.preset.clone().map(|name| ("--provider", name)));
        if let Some(key) = &client.key {
            let file = state.with_extension("jwk");
            write_private(&file, &key.to_string());
            options.extend([
                ("--key", text(file)),
                ("--alg", client.alg.clone().expect("an algorithm")),
            ]);
        } else {
            options.push(("--basic", if client.raw_basic { "raw" } else { "encoded" }.into()));
        }
        if let Some(endpoint) = &client.notification_endpoint {
            let path = endpoint.splitn(4, '/').nth(3).expect("a path");
            options.extend([
                ("--delivery", "ping".into()),
                ("--listen", format!("127.0.0.1:{}", port(endpoint))),
                ("--notification-path", format!("/{path}")),
                ("--listen-cert", text(in_run("notify.pem"))),
                ("--listen-key", text(in_run("notify.key"))),
            ]);
        }
        Self {
            options: options
                .into_iter()
                .flat_map(|(name, value)| [name.to_owned(), value])
                .collect(),
            secret: client.secret().map(str::to_owned),
            state,
        }
    }

    /// Authenticates and is killed, without warning, right after the first event that `last`
    /// selects.
    pub(crate) fn killed_when(&self, hint: &str, last: fn(&Value) -> bool) {
        let _absent = fs::remove_file(&self.state);
        let mut events = self.start(&["authenticate", "--login-hint", hint]);
        assert!(events.any(|event| last(&event)), "the command ended before it could be killed");
        assert!(self.state.exists(), "nothing is kept");
    }

    /// Returns the last event of a flow, and whether the flow is kept.
    pub(crate) fn authenticated(&self, hint: &str) -> (Value, bool) {
        let _absent = fs::remove_file(&self.state);
        let last = self.start(&["authenticate", "--login-hint", hint]).last().expect("an event");
        (last, self.state.exists())
    }

    /// Returns the last event of the resumed flow.
    pub(crate) fn resumed(&self) -> Value {
        self.start(&["resume"]).last().expect("an event")
    }

    fn start(&self, arguments: &[&str]) -> impl Iterator<Item = Value> + use<> {
        let mut child = process::Command::new(variable("CIBA_INTEROP_COMMAND"))
            .args(arguments)
            .args(&self.options)
            .envs(self.secret.iter().map(|secret| ("CIBA_CLIENT_SECRET", secret)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the command");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let running = Running(child);
        lines.map_while(move |line| {
            let _until_the_end = &running;
            line.ok().map(|line| serde_json::from_str(&line).expect("an event"))
        })
    }
}
