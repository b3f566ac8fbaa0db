//! Reads and creates the files that options name.

mod certificates;
mod key;
mod private;
mod read;
mod secret;

pub(crate) use self::{
    certificates::{Pair, no_certificate, unescaped},
    key::private_key,
    private::private_file,
    read::{read, read_secret, warn_of_detour},
    secret::{secret, secret_file},
};
