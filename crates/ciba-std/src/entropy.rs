//! Sources of random bytes.

use std::{error::Error, fmt};

use ciba_core::Entropy;

/// A source of random bytes. Only tests need a source other than [`SystemEntropy`].
pub trait EntropySource: Send + Sync {
    /// Returns 32 bytes from a cryptographically secure generator, never the same twice.
    ///
    /// # Errors
    ///
    /// [`EntropyError`] if the generator fails. Never return a weaker value instead.
    fn draw(&self) -> Result<Entropy, EntropyError>;
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl EntropySource for SystemEntropy {
    fn draw(&self) -> Result<Entropy, EntropyError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(EntropyError::new)?;
        Ok(Entropy::from_bytes(bytes))
    }
}

/// The error of a random generator. There is no fallback.
// REQ-SEC-05
#[derive(Debug)]
pub struct EntropyError(Box<dyn Error + Send + Sync>);

impl EntropyError {
    /// Wraps the generator's own error.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl fmt::Display for EntropyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no random bytes available")
    }
}

impl Error for EntropyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
