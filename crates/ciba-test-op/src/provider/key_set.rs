//! The provider's key set, as scripts change it.

// Section 1 of spec/provider-side.md.

use ciba_core::{
    http::{Headers, Response},
    jose::JwsAlgorithm,
};
use serde_json::{Value, json};

use crate::{keys::TestKey, script::KeySetEdit};

/// The keys that are published, and those that sign.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    publishes_old: bool,
    publishes_next: bool,
    signs_with_next: bool,
    /// Permanent edits.
    edits: Vec<KeySetEdit>,
}

impl Keys {
    pub(super) const fn new() -> Self {
        Self {
            publishes_old: true,
            publishes_next: false,
            signs_with_next: false,
            edits: Vec::new(),
        }
    }

    /// Applies an edit permanently.
    pub(super) fn edit(&mut self, edit: KeySetEdit) {
        match edit {
            KeySetEdit::PublishNext => self.publishes_next = true,
            KeySetEdit::SignWithNext => self.signs_with_next = true,
            KeySetEdit::RetireOld => self.publishes_old = false,
            KeySetEdit::RotateAtOnce => {
                (self.publishes_old, self.publishes_next, self.signs_with_next) =
                    (false, true, true);
            }
            other => self.edits.push(other),
        }
    }

    pub(super) const fn signing(&self, algorithm: JwsAlgorithm) -> TestKey {
        match (algorithm, self.signs_with_next) {
            (JwsAlgorithm::Es256, false) => TestKey::ProviderP256,
            (JwsAlgorithm::Es256, true) => TestKey::ProviderP256Next,
            (JwsAlgorithm::Es384, false) => TestKey::ProviderP384,
            (JwsAlgorithm::Es384, true) => TestKey::ProviderP384Next,
            (JwsAlgorithm::Es512, false) => TestKey::ProviderP521,
            (JwsAlgorithm::Es512, true) => TestKey::ProviderP521Next,
            (JwsAlgorithm::EdDsa, false) => TestKey::ProviderEd25519,
            (JwsAlgorithm::EdDsa, true) => TestKey::ProviderEd25519Next,
            (_, false) => TestKey::ProviderRsa,
            (_, true) => TestKey::ProviderRsaNext,
        }
    }

    pub(super) fn published(&self) -> Vec<Value> {
        use TestKey::{
            ProviderEd25519, ProviderEd25519Next, ProviderP256, ProviderP256Next, ProviderP384,
            ProviderP384Next, ProviderP521, ProviderP521Next, ProviderRsa, ProviderRsaNext,
        };
        let mut keys = Vec::new();
        if self.publishes_old {
            keys.extend([ProviderRsa, ProviderP256, ProviderP384, ProviderP521, ProviderEd25519]);
        }
        if self.publishes_next {
            keys.extend([ProviderRsaNext, ProviderP256Next, ProviderP384Next]);
            keys.extend([ProviderP521Next, ProviderEd25519Next]);
        }
        let jwk = |key: TestKey| {
            let mut jwk = key.public_jwk(key.usual_algorithm());
            // The RSA key is for all six algorithms, so it has no `alg`.
            if jwk["kty"] == "RSA" {
                jwk.as_object_mut().map(|members| members.remove("alg"));
            }
            jwk
        };
        keys.into_iter().map(jwk).collect()
    }

    /// The key set document, with the permanent edits and those for this answer only.
    pub(super) fn document(&self, once: &[KeySetEdit]) -> Response {
        let mut keys = self.published();
        let mut whole = None;
        for edit in self.edits.iter().chain(once) {
            match edit {
                KeySetEdit::Replace(values) => keys.clone_from(values),
                KeySetEdit::Prepend(values) => keys = values.iter().cloned().chain(keys).collect(),
                KeySetEdit::SetMembers(members) => {
                    for key in keys.iter_mut().filter_map(Value::as_object_mut) {
                        key.extend(members.clone());
                    }
                }
                KeySetEdit::RemoveMember(name) => {
                    for key in keys.iter_mut().filter_map(Value::as_object_mut) {
                        key.remove(name);
                    }
                }
                KeySetEdit::Document(bytes) => whole = Some(bytes.clone()),
                KeySetEdit::PublishNext
                | KeySetEdit::SignWithNext
                | KeySetEdit::RetireOld
                | KeySetEdit::RotateAtOnce => {}
            }
        }
        let body = whole.unwrap_or_else(|| json!({ "keys": keys }).to_string().into_bytes());
        let headers: Headers = [("content-type", "application/json")].into_iter().collect();
        Response::new(200, headers, body)
    }
}
