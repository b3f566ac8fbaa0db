//! The `ciba` command: authenticate a person over OpenID Connect CIBA from a terminal.

mod access;
mod advice;
mod args;
mod awaited;
mod backend;
mod client;
mod client_file;
mod demo;
mod discover;
mod entropy;
mod exit;
mod files;
mod finding;
mod key;
mod listen;
mod op;
mod output;
mod pair;
mod proxies;
mod request;
mod run;
mod signals;
mod signer;
mod start;
mod state_file;
mod stdio;
mod time;
mod transport;
mod usage;
mod watcher;
mod wording;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{
    args::{Cli, Command},
    exit::Stop,
    usage::Unread,
};

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(|place| format!(" ({}:{})", place.file(), place.line()))
            .unwrap_or_default();
        stdio::put_error(&format!(
            "ciba: this is a bug in the ciba command{place}; please report it"
        ));
        std::process::exit(i32::from(exit::BUG));
    }));
    let done = match Cli::try_parse() {
        Ok(cli) => dispatch(cli.command),
        Err(error) => match usage::unread(&error) {
            Unread::Shown(text) => {
                stdio::put(text.trim_end());
                Ok(0)
            }
            Unread::Wrong(stop) => Err(stop),
        },
    };
    ExitCode::from(done.unwrap_or_else(|stop| {
        stdio::put_error(&format!("ciba: {}", stop.sentence));
        stop.code
    }))
}

fn dispatch(command: Command) -> Result<u8, Stop> {
    match command {
        Command::Key(command) => key::run(command),
        Command::Op(options) => block_on(op::run(options)),
        Command::Demo(options) => block_on(demo::run(options)),
        Command::Discover(options) => block_on(discover::run(*options)),
        Command::Authenticate(options) => block_on(run::authenticate(*options)),
        Command::Resume(options) => block_on(run::resume(*options)),
    }
}

/// Runs everything on one thread, except the blocking library, which uses threads of its own.
fn block_on(work: impl Future<Output = Result<u8, Stop>>) -> Result<u8, Stop> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|_| Stop::bug("the runtime cannot be started"))?;
    let done = runtime.block_on(work);
    // Does not wait for an exchange of the blocking library.
    runtime.shutdown_background();
    done
}
