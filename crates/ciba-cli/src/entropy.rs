//! Random bytes of the operating system.

use ciba_core::Entropy;
use ciba_std::entropy::{EntropySource as _, SystemEntropy};

use crate::exit::Stop;

/// Returns 32 bytes from the generator of the operating system. If it fails, no flow is started.
// REQ-SEC-05
pub(crate) fn entropy() -> Result<Entropy, Stop> {
    SystemEntropy.draw().map_err(|_| Stop::bug("the operating system gives no random bytes"))
}
