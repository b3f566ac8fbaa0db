//! A conformance test for stores of saved flows: a sequence of saves to try.

use std::{error::Error, fmt, io, sync::Arc};

use ciba_core::{
    AuthRequest, ClientAuth, ClientConfig, ClientId, Entropy, Flow, Hint, Input, Issuer, Output,
    ProviderMetadata, Snapshot, Timestamp,
    http::{Response, Url},
};
use ciba_std::Superseded;

use crate::backend;

const NOW: Timestamp = Timestamp::from_unix_secs(1_893_456_000);
/// Contains what stores have problems with: a null character, characters outside the basic plane,
/// and more text than fits into a short column.
const ACKNOWLEDGEMENT: &str = r#"{"auth_req_id":"1c266114-a1be-4252-8ad1-04986c5b9ac1","expires_in":600,"note":"\u0000 'é' \"𝄞\" \\ %s","#;

/// One save to try on a store of saved flows; see [`store_cases`].
pub struct StoreCase {
    snapshot: Snapshot,
    replaces: bool,
    /// What the store has to contain after it.
    kept: Vec<u8>,
    config: Arc<ClientConfig>,
}

/// Returns saves of one flow, to be tried in this order on an empty store.
///
/// The drivers' `Saver` must write a state only if it replaces the stored one, by
/// [`Snapshot::replaces`]. Otherwise it must change nothing and return
/// [`Superseded`](ciba_std::Superseded). If a store lets an older state win, or the state of a
/// second process that resumed the flow, a user may be prompted twice.
///
/// ```
/// # use std::io;
/// # use ciba_core::Snapshot;
/// # #[derive(Default)] struct MyStore(Option<(u64, Vec<u8>)>);
/// # impl MyStore {
/// #     fn save(&mut self, snapshot: &Snapshot) -> io::Result<()> {
/// #         if !snapshot.replaces(self.0.as_ref().map(|(revision, _)| *revision)) {
/// #             return Err(ciba_std::Superseded.into());
/// #         }
/// #         self.0 = Some((snapshot.revision(), snapshot.as_bytes().to_vec()));
/// #         Ok(())
/// #     }
/// #     fn load(&self) -> Vec<u8> { self.0.as_ref().map(|(_, bytes)| bytes.clone()).unwrap_or_default() }
/// # }
/// let mut store = MyStore::default();
/// for case in ciba_test_op::store_cases() {
///     let saved = store.save(case.snapshot());
///     case.check(&saved, &store.load())?;
/// }
/// # Ok::<(), ciba_test_op::StoreFault>(())
/// ```
///
/// # Panics
///
/// Never panics: the states it creates are valid.
#[must_use]
pub fn store_cases() -> Vec<StoreCase> {
    let config = config();
    let states = states(&config);
    // The states by number, and whether the store has to take them.
    let tried = [
        (1, true),
        (0, false),
        (1, false),
        (3, true),
        (2, false),
        (1, false),
        (3, false),
        (4, true),
        (5, false),
        (6, true),
    ];
    let mut held = 0;
    tried
        .into_iter()
        .map(|(state, replaces)| {
            if replaces {
                held = state;
            }
            let (snapshot, kept) = (states[state].clone(), states[held].as_bytes().to_vec());
            StoreCase { snapshot, replaces, kept, config: Arc::clone(&config) }
        })
        .collect()
}

impl StoreCase {
    /// Returns the state to save.
    #[must_use]
    pub const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Checks the result of the save: what the store's `save` returned, and the bytes that it
    /// contains now.
    ///
    /// A store may change the form of a state, such as the whitespace of JSON, as long as the same
    /// flow resumes from it.
    ///
    /// # Errors
    ///
    /// [`StoreFault`].
    pub fn check(&self, saved: &io::Result<()>, kept: &[u8]) -> Result<(), StoreFault> {
        match (saved, self.replaces) {
            (Err(_), true) => return Err(StoreFault::RefusedNewer),
            (Ok(()), false) => return Err(StoreFault::TookOlder),
            (Err(error), false) if !Superseded::is_in(error) => {
                return Err(StoreFault::NotSuperseded);
            }
            (Ok(()), true) | (Err(_), false) => {}
        }
        let resumed = |bytes: &[u8]| {
            let flow = Flow::resume(Arc::clone(&self.config), bytes, NOW).ok()?;
            Some(flow.snapshot().as_bytes().to_vec())
        };
        match resumed(kept) {
            Some(flow) if Some(&flow) == resumed(&self.kept).as_ref() => Ok(()),
            Some(_) | None => Err(StoreFault::Changed),
        }
    }
}

impl fmt::Debug for StoreCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { snapshot, replaces, .. } = self;
        let mut shown = f.debug_struct("StoreCase");
        shown
            .field("revision", &snapshot.revision())
            .field("replaces", replaces)
            .finish_non_exhaustive()
    }
}

/// A violation of the contract of the drivers' `Saver`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreFault {
    /// The store refused a state that replaces the stored one.
    RefusedNewer,
    /// The store reported success for a state that does not replace the stored one.
    TookOlder,
    /// The store refused a state with another error than
    /// [`Superseded`](ciba_std::Superseded), so that a second process with the same flow goes on.
    NotSuperseded,
    /// The store does not contain the newest state that it accepted, or contains it changed.
    Changed,
}

impl fmt::Display for StoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RefusedNewer => "the store refused a state that replaces the stored one",
            Self::TookOlder => {
                "the store reported success for a state that does not replace the stored one"
            }
            Self::NotSuperseded => "the store refused a state with another error than `Superseded`",
            Self::Changed => "the store does not contain the newest state that it accepted",
        })
    }
}

impl Error for StoreFault {}

fn config() -> Arc<ClientConfig> {
    let url = |path: &str| {
        Url::parse(format!("https://op.example{path}").as_str()).expect("it is well-formed")
    };
    let mut provider =
        ProviderMetadata::by_hand(Issuer::parse("https://op.example").expect("it is well-formed"));
    provider.backchannel_authentication_endpoint = Some(url("/ciba"));
    provider.token_endpoint = Some(url("/token"));
    provider.jwks_uri = Some(url("/jwks"));
    let auth = ClientAuth::ClientSecretPost { secret: "a secret of no consequence".into() };
    let id = ClientId::new("client").expect("it is well-formed");
    let builder = ClientConfig::builder(provider, id).client_auth(auth).verifier(backend::shared());
    builder.build().expect("it is valid")
}

/// The states of a flow, from its start on, each newer than the one before. The last two belong to
/// processes that resumed the first state, from which a request may still be sent, and the fifth.
fn states(config: &Arc<ClientConfig>) -> [Snapshot; 7] {
    let entropy = |number: u8| Entropy::from_bytes([number; 32]);
    let request = AuthRequest::new(Hint::Login("somebody".into()));
    let mut flow =
        Flow::start(Arc::clone(config), request, entropy(0), NOW).expect("it can be sent");
    let mut now = NOW;
    let started = flow.snapshot();
    let answered = |flow: &mut Flow, now: &mut Timestamp, response: Response| {
        let mut input: Option<Input> = None;
        let mut asked = None;
        for number in 1.. {
            match flow.poll(*now, entropy(number)) {
                Output::Transmit(transmit) => {
                    asked = Some(flow.snapshot());
                    let sending = flow.begin(transmit, *now).expect("it is in time");
                    input = Some(sending.answered(response.clone()));
                }
                Output::Wait(wait) => *now = wait.until(),
                Output::Save(_) | Output::KeySet(_) | Output::Key(_) | Output::Done => {}
            }
            if input.is_some() {
                break;
            }
        }
        flow.handle(input.take().expect("it asks"), *now).expect("its own ticket");
        (asked.take().expect("it asks"), flow.snapshot())
    };
    let acknowledgement = format!("{ACKNOWLEDGEMENT}\"long\":\"{}\"}}", "x".repeat(20_000));
    let (in_flight, acknowledged) =
        answered(&mut flow, &mut now, Response::json(200, acknowledgement));
    let pending = Response::json(400, r#"{"error":"authorization_pending"}"#);
    let (asking, undecided) = answered(&mut flow, &mut now, pending);
    let resumed = |state: &Snapshot| {
        let flow = Flow::resume(Arc::clone(config), state.as_bytes(), now);
        flow.expect("it is its own").snapshot()
    };
    let (again, next) = (resumed(&started), resumed(&undecided));
    [started, in_flight, acknowledged, asking, undecided, again, next]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a store does with a state, given what it contains.
    type Rule = fn(&mut Option<(u64, Vec<u8>)>, &Snapshot) -> io::Result<()>;

    fn verdict(rule: Rule) -> Result<(), StoreFault> {
        let mut held = None;
        store_cases().iter().try_for_each(|case| {
            let saved = rule(&mut held, case.snapshot());
            case.check(&saved, held.as_ref().map(|(_, bytes)| bytes.as_slice()).unwrap_or_default())
        })
    }

    fn keep(held: &mut Option<(u64, Vec<u8>)>, snapshot: &Snapshot) {
        *held = Some((snapshot.revision(), snapshot.as_bytes().to_vec()));
    }

    fn right(held: &mut Option<(u64, Vec<u8>)>, snapshot: &Snapshot) -> io::Result<()> {
        if !snapshot.replaces(held.as_ref().map(|(revision, _)| *revision)) {
            return Err(Superseded.into());
        }
        keep(held, snapshot);
        Ok(())
    }

    #[test]
    fn the_store_check_accepts_the_newest_state_and_explains_each_failure() {
        assert_eq!(verdict(right), Ok(()));
        let careless: Rule = |held, snapshot| {
            keep(held, snapshot);
            Ok(())
        };
        let trusting: Rule = |held, snapshot| {
            if held.as_ref().is_some_and(|(revision, _)| *revision >= snapshot.revision()) {
                return Err(Superseded.into());
            }
            keep(held, snapshot);
            Ok(())
        };
        let silent: Rule = |held, snapshot| {
            let _ = right(held, snapshot);
            Ok(())
        };
        let angry: Rule = |held, snapshot| {
            let said = right(held, snapshot);
            keep(held, snapshot);
            said
        };
        let deaf: Rule = |held, snapshot| match held {
            Some((revision, _)) if *revision < snapshot.revision() => {
                Err(io::Error::other("there is one"))
            }
            _ => right(held, snapshot),
        };
        let forgetful: Rule = |held, snapshot| {
            right(held, snapshot)?;
            *held = Some((snapshot.revision(), Vec::new()));
            Ok(())
        };
        let short: Rule = |held, snapshot| {
            right(held, snapshot)?;
            held.iter_mut().for_each(|(_, bytes)| bytes.truncate(10_000));
            Ok(())
        };
        let curt: Rule = |held, snapshot| {
            right(held, snapshot).map_err(|_| io::Error::from(io::ErrorKind::AlreadyExists))
        };
        for (rule, fault) in [
            (curt, StoreFault::NotSuperseded),
            (careless, StoreFault::TookOlder),
            (trusting, StoreFault::TookOlder),
            (silent, StoreFault::TookOlder),
            (angry, StoreFault::Changed),
            (deaf, StoreFault::RefusedNewer),
            (forgetful, StoreFault::Changed),
            (short, StoreFault::Changed),
        ] {
            assert_eq!(verdict(rule), Err(fault));
        }
    }
}
