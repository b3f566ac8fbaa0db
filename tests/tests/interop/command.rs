//! The `ciba` command as a process of its own, which can be killed.
use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{self, Child, Stdio},
};

use serde_json::Value;

use crate::{
    clients::{Client, in_run, variable},
    party::Adapter,
};

/// A client with a secret, polling over one transport.
pub(crate) struct Command {
    options: Vec<String>,
    secret: String,
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
        let basic = if client.raw_basic { "raw" } else { "encoded" };
        let options = [
            ("--transport", adapter.name().to_owned()),
            ("--issuer", client.issuer()),
            ("--ca-cert", text(in_run("ca.pem"))),
            ("--client-id", client.client_id.clone()),
            ("--client-auth", "client_secret_basic".into()),
            ("--basic", basic.into()),
            ("--id-token-alg", client.id_token_alg.clone()),
            ("--state", text(state.clone())),
            ("--output", "json".into()),
        ];
        Self {
            options: options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect(),
            secret: client.secret().expect("a client with a secret").into(),
            state,
        }
    }

    /// Authenticates and is killed, without being told, right after the first event that `last` picks.
    pub(crate) fn killed_when(&self, hint: &str, last: fn(&Value) -> bool) {
        let _absent = fs::remove_file(&self.state);
        let mut events = self.start(&["authenticate", "--login-hint", hint]);
        assert!(events.any(|event| last(&event)), "the command ended before it could be killed");
        assert!(self.state.exists(), "nothing is kept");
    }

    /// The last event of a flow, and whether it is kept.
    pub(crate) fn authenticated(&self, hint: &str) -> (Value, bool) {
        let _absent = fs::remove_file(&self.state);
        let last = self.start(&["authenticate", "--login-hint", hint]).last().expect("an event");
        (last, self.state.exists())
    }

    /// The last event of the flow that was kept.
    pub(crate) fn resumed(&self) -> Value {
        self.start(&["resume"]).last().expect("an event")
    }

    fn start(&self, arguments: &[&str]) -> impl Iterator<Item = Value> + use<> {
        let mut child = process::Command::new(variable("CIBA_INTEROP_COMMAND"))
            .args(arguments)
            .args(&self.options)
            .env("CIBA_CLIENT_SECRET", &self.secret)
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
