//! What a driver consists of.

use std::{fmt, ops::Deref, sync::Arc};

use ciba_core::{
    AuthRequest, ClientConfig, Entropy, Flow, KeyOperation,
    config::{Equipment, Lacking},
    machine::{KeyPurpose, ResumeError},
};

use crate::{
    Adapter, AuthenticateError, Clock, DriveError, Keys, PromptGuard, Routing, Signing,
    SystemClock,
    entropy::{EntropyError, EntropySource, SystemEntropy},
};

/// An [`Adapter`] with a driver.
pub trait Driving: Adapter {
    /// The driver.
    type Driver: From<DriverBase<Self>> + Deref<Target = DriverBase<Self>> + Clone;
}

/// Collects what a driver needs; [`Self::build`] checks that nothing is missing.
///
/// The type parameter is the adapter, whose `Driver::builder` creates it.
#[must_use = "build() makes the driver"]
pub struct DriverBuilder<A: Driving> {
    config: Arc<ClientConfig>,
    http: A::HttpClient,
    keys: Option<Arc<Keys>>,
    kit: Kit<A>,
}

/// What a driver works with, apart from its configuration and its HTTP client.
pub(crate) struct Kit<A: Adapter> {
    pub(crate) signer: Option<Arc<A::Signer>>,
    pub(crate) dpop_signer: Option<Arc<A::Signer>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropies: Arc<dyn EntropySource>,
    pub(crate) inbox: Option<Routing<A>>,
    pub(crate) guard: Option<PromptGuard>,
}

impl<A: Driving> DriverBuilder<A> {
    /// Begins a driver for flows of this configuration, with the system's clock and random
    /// generator, the keys that the provider publishes, and no private key.
    pub fn new(config: Arc<ClientConfig>, http: A::HttpClient) -> Self {
        Self { config, http, keys: None, kit: Kit::default() }
    }

    pub(crate) fn with_kit(self, kit: Kit<A>) -> Self {
        Self { kit, ..self }
    }

    /// Takes the provider's keys from here: pinned keys, or a cache that other drivers share.
    pub fn keys(self, keys: impl Into<Arc<Keys>>) -> Self {
        Self { keys: Some(keys.into()), ..self }
    }

    /// Signs with this private key.
    pub fn signer(mut self, signer: Arc<A::Signer>) -> Self {
        self.kit.signer = Some(signer);
        self
    }

    /// Makes DPoP proofs with this private key, for a configuration that
    /// [binds tokens to it](ciba_core::ClientConfigBuilder::dpop).
    pub fn dpop_key(mut self, signer: Arc<A::Signer>) -> Self {
        self.kit.dpop_signer = Some(signer);
        self
    }

    /// Takes the time from this clock.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.kit.clock = Arc::new(clock);
        self
    }

    /// Takes random bytes from this source.
    pub fn entropies(mut self, entropies: impl EntropySource + 'static) -> Self {
        self.kit.entropies = Arc::new(entropies);
        self
    }

    /// Receives notifications through this inbox. Push mode needs one, and so does ping mode unless
    /// the policy also polls without a ping
    /// ([`Policy::ping_backstop`](ciba_core::Policy::ping_backstop)).
    pub fn inbox(mut self, inbox: &Routing<A>) -> Self {
        self.kit.inbox = Some(inbox.clone());
        self
    }

    /// Allows one running flow for each person. Without a guard there is no limit.
    pub fn prompt_guard(mut self, guard: PromptGuard) -> Self {
        self.kit.guard = Some(guard);
        self
    }

    /// Builds the driver.
    ///
    /// # Errors
    ///
    /// [`Lacking`] if the configuration needs a client certificate, a private key or an inbox that
    /// is not there.
    pub fn build(self) -> Result<A::Driver, Lacking> {
        let equipment = Equipment {
            certificate: A::has_certificate(&self.http),
            signer: self.kit.signer.is_some(),
            dpop_key: self.kit.dpop_signer.is_some(),
            inbox: self.kit.inbox.is_some(),
        };
        if let Some(lacking) = self.config.lacks(equipment) {
            return Err(lacking);
        }
        let keys = self.keys.unwrap_or_else(|| Arc::new(Keys::new(&self.config)));
        Ok(DriverBase { config: self.config, http: self.http, keys, kit: self.kit }.into())
    }
}

impl<A: Driving> Clone for DriverBuilder<A>
where
    A::HttpClient: Clone,
{
    fn clone(&self) -> Self {
        Self {
            config: Arc::clone(&self.config),
            http: self.http.clone(),
            keys: self.keys.clone(),
            kit: self.kit.clone(),
        }
    }
}

impl<A: Driving> fmt::Debug for DriverBuilder<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriverBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<A: Adapter> Default for Kit<A> {
    fn default() -> Self {
        Self {
            signer: None,
            dpop_signer: None,
            clock: Arc::new(SystemClock),
            entropies: Arc::new(SystemEntropy),
            inbox: None,
            guard: None,
        }
    }
}

impl<A: Adapter> Clone for Kit<A> {
    fn clone(&self) -> Self {
        Self {
            signer: self.signer.clone(),
            dpop_signer: self.dpop_signer.clone(),
            clock: Arc::clone(&self.clock),
            entropies: Arc::clone(&self.entropies),
            inbox: self.inbox.clone(),
            guard: self.guard.clone(),
        }
    }
}

/// A driver without its I/O: it has everything that its configuration needs, and starts and resumes
/// flows.
///
/// The `Driver` of an adapter dereferences to it.
pub struct DriverBase<A: Adapter> {
    config: Arc<ClientConfig>,
    http: A::HttpClient,
    keys: Arc<Keys>,
    kit: Kit<A>,
}

impl<A: Adapter> DriverBase<A> {
    /// Starts a flow, to be driven by the driver's `drive`. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`AuthenticateError::Request`] if this client cannot send the request to its provider, and
    /// [`AuthenticateError::Drive`] if there are no random bytes.
    pub fn start(&self, request: AuthRequest) -> Result<Flow, AuthenticateError> {
        let entropy = self.draw().map_err(DriveError::from)?;
        Ok(Flow::start(Arc::clone(&self.config), request, entropy, self.clock().now())?)
    }

    /// Resumes a saved flow, to be driven by the driver's `drive`.
    ///
    /// # Errors
    ///
    /// [`ResumeError`] if the snapshot is malformed or belongs to another client.
    pub fn resume(&self, snapshot: &[u8]) -> Result<Flow, ResumeError> {
        Flow::resume(Arc::clone(&self.config), snapshot, self.clock().now())
    }

    /// Returns the configuration of the driver's flows.
    #[must_use]
    pub const fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    /// Returns the HTTP client.
    #[must_use]
    pub const fn http(&self) -> &A::HttpClient {
        &self.http
    }

    /// Returns the provider's keys.
    #[must_use]
    pub const fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    /// Returns the clock.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.kit.clock
    }

    /// Returns whether flows fetch keys that the provider publishes.
    #[must_use]
    pub fn fetches_keys(&self) -> bool {
        !self.config.id_token_algorithm().is_symmetric() && self.config.jwks_uri().is_some()
    }

    pub(crate) fn draw(&self) -> Result<Entropy, EntropyError> {
        self.kit.entropies.draw()
    }

    /// Returns the signer with the key for a purpose.
    pub(crate) fn signer(&self, purpose: KeyPurpose) -> Option<&A::Signer> {
        match purpose {
            KeyPurpose::DpopProof => self.kit.dpop_signer.as_deref(),
            // All other purposes use the key that authenticates the client.
            _ => self.kit.signer.as_deref(),
        }
    }

    /// Completes an operation with the private key.
    pub(crate) fn signing<'a>(
        &self,
        signer: &'a A::Signer,
        operation: KeyOperation,
    ) -> Result<Signing<'a, A>, DriveError> {
        let (entropy, limit) = (self.draw()?, self.config.policy().local_timeout);
        Ok(Signing { signer, operation, entropy, limit })
    }

    pub(crate) const fn inbox(&self) -> Option<&Routing<A>> {
        self.kit.inbox.as_ref()
    }

    pub(crate) const fn prompt_guard(&self) -> Option<&PromptGuard> {
        self.kit.guard.as_ref()
    }

    pub(crate) fn clock_handle(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.kit.clock)
    }
}

impl<A: Adapter> fmt::Debug for DriverBase<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriverBase").field("config", &self.config).finish_non_exhaustive()
    }
}
