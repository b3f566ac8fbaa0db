//! Reading the files that options name: who may touch them, and which formats they are not in.

use std::{
    fs, io,
    io::Read as _,
    path::Path,
    sync::{Mutex, PoisonError},
};

use ciba_core::{KeyFileError, SoftwareKey, jose::JwsAlgorithm};
use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};

use crate::{
    access::{self, Exposure},
    client::backend,
    exit::Stop,
    output::{put_error, quoted},
    state_file::reason,
};

/// The longest file that is read, in bytes.
const MOST: u64 = 1024 * 1024;

/// Reads a text file that an option names, without its byte order mark. What cannot be read may be
/// no path but the secret itself, and is not repeated.
pub(crate) fn read(path: &Path, option: &str) -> Result<Vec<u8>, Stop> {
    let (_, bytes) = open(path, option)?;
    text(bytes, path, option)
}

/// As [`read`], for a file that holds a secret: refused when others can change it, with a warning
/// when they can read it.
pub(crate) fn read_secret(path: &Path, option: &str) -> Result<Vec<u8>, Stop> {
    let bytes = secret(path, option)?;
    text(bytes, path, option)
}

/// Reads a private key: a JWK when it looks like one, else PEM.
pub(crate) fn private_key(
    path: &Path,
    option: &str,
    algorithm: Option<JwsAlgorithm>,
) -> Result<SoftwareKey, Stop> {
    let shown = path.display();
    SoftwareKey::import_file(&secret(path, option)?, algorithm, &backend()).map_err(|error| {
        Stop::usage(format!("the key file {shown} cannot be used: {}", why(error)))
    })
}

/// What keeps a key file from being used.
fn why(error: KeyFileError) -> String {
    match error {
        KeyFileError::Rejected(why) => why.to_string(),
        other => other.to_string(),
    }
}

/// A certificate, the chain above it and its private key, all in PEM.
pub(crate) struct Pair {
    pub(crate) chain: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

impl Pair {
    /// Reads both files, and finds out whether they belong together.
    pub(crate) fn read(
        (certificate, certificate_option): (&Path, &str),
        (key, key_option): (&Path, &str),
    ) -> Result<Self, Stop> {
        let (_, bytes) = open(certificate, certificate_option)?;
        let chain = unescaped(bytes);
        let private = unescaped(secret(key, key_option)?);
        let unusable = |option: &str, path: &Path, why: &str| {
            Stop::usage(format!("the file of {option} cannot be used: {} {why}", path.display()))
        };
        let certificates =
            certificates(&chain).map_err(|why| unusable(certificate_option, certificate, &why))?;
        let read = PrivateKeyDer::from_pem_slice(&private);
        let read = read.map_err(|_| unusable(key_option, key, &no_key(&private)))?;
        pairs(&certificates, &read)
            .map_err(|why| unusable(certificate_option, certificate, why))?;
        Ok(Self { chain, key: private })
    }

    /// The certificates and the key, decoded.
    pub(crate) fn decoded(&self) -> Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        Some((certificates(&self.chain).ok()?, PrivateKeyDer::from_pem_slice(&self.key).ok()?))
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(no_certificate(pem)),
    }
}

/// What a file is that holds no certificate in PEM.
pub(crate) fn no_certificate(bytes: &[u8]) -> String {
    match SoftwareKey::import_file(bytes, None, &backend()) {
        Err(KeyFileError::Certificate) if !has_pem(bytes) => {
            "is a certificate in DER, but PEM is required (openssl x509 -inform DER -in FILE -out NEW)".to_owned()
        }
        Err(KeyFileError::KeyStore) => {
            "is a key store, and its certificate is needed in PEM (openssl pkcs12 -in FILE -nokeys -out NEW)".to_owned()
        }
        Err(KeyFileError::Utf16) => "is in UTF-16, and UTF-8 is needed".to_owned(),
        Ok(_) | Err(KeyFileError::Encrypted | KeyFileError::OpenSsh | KeyFileError::Der) => {
            "holds a private key and no certificate".to_owned()
        }
        Err(_) => "holds no certificate in PEM".to_owned(),
    }
}

/// What a file is that holds no private key in PEM.
fn no_key(bytes: &[u8]) -> String {
    match SoftwareKey::import_file(bytes, None, &backend()) {
        Ok(_) => "is a JWK, and PEM is needed".to_owned(),
        Err(KeyFileError::Malformed | KeyFileError::Rejected(_)) => {
            "holds no private key in PEM (PKCS#8, PKCS#1 or SEC1, not encrypted)".to_owned()
        }
        Err(error) => format!("holds no private key in PEM: {}", why(error)),
    }
}

/// Whether the key is that of the first certificate. Nothing is said about pairs of a kind that is
/// not known here.
fn pairs(
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
) -> Result<(), &'static str> {
    let provider = aws_lc_rs::default_provider();
    let pair = |certificates: &[CertificateDer<'static>]| {
        CertifiedKey::from_der(certificates.to_vec(), key.clone_key(), &provider)
    };
    match pair(chain) {
        Err(rustls::Error::InconsistentKeys(_)) => {}
        _ => return Ok(()),
    }
    let is_further_down = chain.iter().skip(1).any(|one| pair(std::slice::from_ref(one)).is_ok());
    Err(match is_further_down {
        true => {
            "begins with the certificate of an authority: the client's own has to come first, the chain above it after it"
        }
        false => "is the certificate of another key than the one that is given with it",
    })
}

fn has_pem(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"-----BEGIN ")
}

/// PEM on one line with its line ends written out, as environment variables and JSON hold it, in
/// lines; and without a byte order mark.
pub(crate) fn unescaped(bytes: Vec<u8>) -> Vec<u8> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(bytes);
    match std::str::from_utf8(&bytes) {
        Ok(text) if has_pem(&bytes) && text.contains("\\n") => text
            .replace("\\r\\n", "\n")
            .replace("\\n", "\n")
            .trim_matches(['"', '\''])
            .as_bytes()
            .to_vec(),
        _ => bytes,
    }
}

/// What is in a file, or `None` when that is more than so many bytes. The length a file claims is
/// not relied on: pipes and devices claim none.
pub(crate) fn read_at_most(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    take(fs::File::open(path)?, most)
}

fn take(file: fs::File, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let read = file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(u64::try_from(read).is_ok_and(|read| read <= most).then_some(bytes))
}

fn open(path: &Path, option: &str) -> Result<(fs::Metadata, Vec<u8>), Stop> {
    let unreadable = |error: io::Error| {
        Stop::usage(format!("the file of {option} cannot be read: {}", reason(&error)))
    };
    let file = fs::File::open(path).map_err(unreadable)?;
    // Of the file that is read, whatever is at the path by then.
    let found = file.metadata().map_err(unreadable)?;
    let bytes = take(file, MOST).map_err(unreadable)?.ok_or_else(|| {
        Stop::usage(format!(
            "the file of {option} cannot be used: {} is larger than a megabyte",
            path.display()
        ))
    })?;
    Ok((found, bytes))
}

fn secret(path: &Path, option: &str) -> Result<Vec<u8>, Stop> {
    let (found, bytes) = open(path, option)?;
    let shown = path.display().to_string();
    match access::exposure(&found) {
        None => {}
        Some(Exposure::Owned(owner)) => {
            return Err(Stop::usage(format!(
                "the file of {option} is not used, because {shown} belongs to another user (id {owner}), who can change it: give one of your own"
            )));
        }
        Some(Exposure::Changeable(how)) => {
            return Err(Stop::usage(format!(
                "the file of {option} is not used, because others can change it ({how}): protect {shown} with `chmod 600 {}`",
                quoted(&shown)
            )));
        }
        Some(Exposure::Readable(how)) => warn_once(format!(
            "ciba: warning: the file of {option} can be read by others ({how}): protect it with `chmod 600 {}`",
            quoted(&shown)
        )),
    }
    if found.is_file() {
        warn_of_detour(path, &format!("the file of {option}"));
    }
    Ok(bytes)
}

/// A folder is often shared on purpose, or made by a system that knows no other way: it is told,
/// and the file is used.
pub(crate) fn warn_of_detour(path: &Path, what: &str) {
    if let Some(why) = access::detour(path) {
        warn_once(format!(
            "ciba: warning: others can put another file in the place of {what}: {why}"
        ));
    }
}

/// A key that authenticates and signs requests is read twice, and its file warned about once.
fn warn_once(warning: String) {
    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if !told.contains(&warning) {
        put_error(&warning);
        told.push(warning);
    }
}

/// Without its byte order mark; UTF-16 is named, since a shell on Windows writes it.
fn text(bytes: Vec<u8>, path: &Path, option: &str) -> Result<Vec<u8>, Stop> {
    match bytes.as_slice() {
        [0xef, 0xbb, 0xbf, rest @ ..] => Ok(rest.to_vec()),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Err(Stop::usage(format!(
            "the file of {option} cannot be used: {} is in UTF-16, and UTF-8 is needed",
            path.display()
        ))),
        _ => Ok(bytes),
    }
}
