#![doc = include_str!("../README.md")]

mod adapter;
mod call;
mod cause;
#[cfg(feature = "rustls")]
mod certificate;
mod client;
mod clock;
mod drive;
mod driver;
pub mod entropy;
mod error;
mod exchange;
mod file_saver;
mod files;
mod flow;
mod gate;
mod kept;
mod keys;
mod prompts;
mod report;
mod routing;
mod signing;
mod superseded;
#[cfg(feature = "rustls")]
mod tls;
mod watch;

pub use ciba_core;

pub use adapter::Adapter;
pub use call::{CallDrive, CallError, CallStep};
pub use cause::{io_cause, sources};
#[cfg(feature = "rustls")]
pub use certificate::{CertificateError, ClientCertificate};
pub use client::{
    Authorities, ClientBase, ClientBuilder, Connect, ConnectError, Origin, Parts, Setup,
};
pub use clock::{Clock, SystemClock};
pub use drive::{Drive, Outgoing, Step};
pub use driver::{DriverBase, DriverBuilder, Driving};
pub use error::{AuthenticateError, DiscoverError, DriveError, SaverError, Unverified};
pub use exchange::{CONNECT_TIMEOUT, ExchangeBegun, LineState, Lines, Terms, USER_AGENT, answer};
pub use file_saver::{FileSaver, FileSaverError, SavedFlow};
pub use flow::{Attachment, LockedFlow, Saving, SharedFlow};
pub use gate::{Gate, Withheld};
pub use kept::{KEPT_IDLE, KEPT_PER_HOST, KeptConnections};
pub use keys::{KeyStep, Keys};
pub use prompts::{PromptGuard, Prompting};
pub use report::Report;
pub use routing::{Delivery, ReplyStep, Routed, Routing};
pub use signing::Signing;
pub use superseded::Superseded;
#[cfg(feature = "rustls")]
pub use tls::{CaError, read_authorities, tls_cause};
pub use watch::{SignerError, Watch, on_event};

/// The default sizes of what is kept in memory.
pub mod limits {
    pub use crate::{prompts::GUARD_CAPACITY, routing::INBOX_CAPACITY};
}
