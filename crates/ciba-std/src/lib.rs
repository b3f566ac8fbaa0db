#![doc = include_str!("../README.md")]

mod cause;
#[cfg(feature = "rustls")]
mod certificate;
mod client;
mod clock;
mod entropy;
mod error;
mod file_saver;
mod flow;
mod gate;
mod kept;
mod keys;
mod prompts;
mod routing;
#[cfg(feature = "rustls")]
mod tls;

pub use ciba_core;

pub use cause::{io_cause, sources};
#[cfg(feature = "rustls")]
pub use certificate::{CertificateError, ClientCertificate};
pub use client::{Adapter, ClientBuilder, ConnectError, NewSaver, OnEvent, Origin, Parts, Setup};
pub use clock::{Clock, SystemClock};
pub use entropy::{EntropyError, EntropySource, SystemEntropy};
pub use error::{AuthenticateError, DiscoverError, DriveError};
pub use file_saver::{FileSaver, FileSaverError, SavedFlow};
pub use flow::LockedFlow;
pub use gate::{Gate, Withheld};
pub use kept::{KEPT_IDLE, KEPT_PER_HOST, KeptConnections};
pub use keys::{KeyStep, Keys};
pub use prompts::{GUARD_CAPACITY, PromptGuard, Prompting};
pub use routing::{Registration, Routed, Routing};
#[cfg(feature = "rustls")]
pub use tls::{CaError, read_authorities, tls_cause};
