//! What depends on the HTTP library and on the way to wait.

use crate::Attachment;

/// An adapter: the types that depend on its HTTP library and on its way to wait.
pub trait Adapter: Sized + 'static {
    /// Performs exchanges.
    type HttpClient;
    /// The trait object of private keys.
    type Signer: ?Sized + Send + Sync + 'static;
    /// What the adapter keeps beside a shared flow.
    type Attachment: Attachment;

    /// Returns whether the HTTP client has a client certificate.
    fn has_certificate(http: &Self::HttpClient) -> bool;
}
