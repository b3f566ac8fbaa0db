//! A flow that one task drives while others tell it of notifications, and the saving of it.

use std::{
    fmt, io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use ciba_core::{
    Acknowledged, Acknowledgement, Authentication, Entropy, Failure, Flow, Input, Misuse, Notification, Output,
    PromptRefused, Snapshot, SpentKey, Stage, Timestamp, TransmitTicket,
};
use tokio::sync::Notify;

use crate::{Clock, PromptGuard, prompts::Prompting};

/// How long a save may take once the authentication request can no longer be sent. A store that hangs must not cost a login.
const UNNEEDED_SAVE: Duration = Duration::from_secs(10);

/// Keeps the state of one flow, so that the flow survives a restart.
#[async_trait]
pub trait Saver: Send + Sync {
    /// Saves the flow's state over the one before. Return when it is durable: the next step is taken, and a notification is
    /// acknowledged, only after that. The state holds secrets.
    ///
    /// Write it only if the store holds no state of this flow yet, or one with a lower [revision](Snapshot::revision). Otherwise
    /// change nothing and return an error: another process continues this flow.
    ///
    /// Saves of one flow are requested one after the other, never two at once. The future may be dropped before it completes,
    /// with the drive or the notification that needed it, or because it takes too long: a minute while the authentication
    /// request may still be sent, ten seconds after that. What it started may still reach the store later, and the revision
    /// keeps it from replacing a newer state.
    ///
    /// `ciba_test_op::store_cases` checks a store against this.
    ///
    /// # Errors
    ///
    /// While the authentication request may still be sent, the drive stops with [`DriveError::Save`](crate::DriveError::Save).
    /// After that it continues and reports the failure to [`Watch::save_failed`](crate::Watch::save_failed). A notification that
    /// could not be saved is answered with 503, so that the provider may send it again.
    async fn save(&self, snapshot: &Snapshot) -> io::Result<()>;
}

/// A flow being driven. Clones are the same flow.
#[derive(Clone)]
pub struct SharedFlow(Arc<Shared>);

struct Shared {
    /// Locked for a moment only, never across an await. Nothing is left in it when the result was taken.
    flow: Mutex<Option<Flow>>,
    saver: Option<Box<dyn Saver>>,
    saving: tokio::sync::Mutex<Saving>,
    bell: Notify,
    has_news: AtomicBool,
    /// Its place in a guard, from its first drive until it is over.
    prompting: Mutex<Option<Prompting>>,
}

/// Locked during a save, so that an older state never overwrites a newer one.
#[derive(Default)]
struct Saving {
    /// The revision that is kept.
    kept: Option<u64>,
    /// The last save failed or was abandoned: what it wrote may be there, or may still come.
    is_uncertain: bool,
    /// The drive came to its end: its caller decides what becomes of the kept state.
    is_over: bool,
}

impl SharedFlow {
    /// A flow that is not saved, fresh from [`Flow::start`] or [`Flow::resume`].
    #[must_use]
    pub fn new(flow: Flow) -> Self {
        Self::of(flow, None)
    }

    /// A flow that is saved whenever something worth saving changed: before every step, at the end, and before a
    /// notification is acknowledged.
    #[must_use]
    pub fn with_saver(flow: Flow, saver: impl Saver + 'static) -> Self {
        Self::of(flow, Some(Box::new(saver)))
    }

    fn of(flow: Flow, saver: Option<Box<dyn Saver>>) -> Self {
        Self(Arc::new(Shared {
            flow: Mutex::new(Some(flow)),
            saver,
            saving: tokio::sync::Mutex::default(),
            bell: Notify::new(),
            has_news: AtomicBool::new(false),
            prompting: Mutex::new(None),
        }))
    }

    /// Where the flow is.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.look(|flow| flow.stage()).unwrap_or(Stage::Settled)
    }

    /// The acknowledgement, once there is one.
    #[must_use]
    pub fn acknowledged(&self) -> Option<Acknowledged> {
        self.look(|flow| flow.acknowledged().cloned()).flatten()
    }

    /// When the authentication request expires, as [`Flow::expires_at`].
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.look(|flow| flow.expires_at()).flatten()
    }

    /// Gives up, as [`Flow::cancel`]; the drive ends. A request or a signature that is under way is not cut off: the drive
    /// ends after it.
    pub fn cancel(&self, now: Timestamp) {
        let mut prompting = self.prompting();
        self.look(|flow| flow.cancel(now));
        *prompting = None;
        drop(prompting);
        self.0.bell.notify_one();
    }

    /// Returns the result, as [`Flow::finish`]. A second call returns [`Failure::Abandoned`].
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub fn finish(self) -> Result<Box<Authentication>, Failure> {
        let flow = self.lock().take();
        self.prompts_nobody();
        flow.ok_or(Failure::Abandoned)?.finish()
    }

    /// Whether the flow ended for want of the issuer's keys and still holds the tokens, as [`Flow::keeps_tokens`]. Ask
    /// before [`Self::finish`]: what was saved can then be resumed, and asks for the keys again.
    #[must_use]
    pub fn keeps_tokens(&self) -> bool {
        self.look(|flow| flow.keeps_tokens()).unwrap_or(false)
    }

    /// `None` when the result was taken.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&mut Flow) -> T) -> Option<T> {
        self.lock().as_mut().map(at)
    }

    // The clock is read while the flow is held, so that no reading is older than one the flow has seen.

    pub(crate) fn poll(&self, clock: &dyn Clock, entropy: Entropy) -> Output {
        self.watched(clock, |flow| flow.poll(clock.now(), entropy)).unwrap_or(Output::Done)
    }

    pub(crate) fn may_send(&self, ticket: &TransmitTicket, clock: &dyn Clock) -> bool {
        self.look(|flow| flow.may_send(ticket, clock.now())).unwrap_or(false)
    }

    pub(crate) fn handle(&self, input: Input, clock: &dyn Clock) -> Result<(), Misuse> {
        self.watched(clock, |flow| flow.handle(input, clock.now())).unwrap_or(Ok(()))
    }

    /// What answers notifications once the flow is gone; `None` before the end.
    pub(crate) fn spent_key(&self) -> Option<SpentKey> {
        self.look(|flow| flow.spent_key()).flatten()
    }

    /// Whether the end has still to be saved, so that the flow itself answers notifications.
    pub(crate) fn owes_a_save(&self) -> bool {
        self.0.saver.is_some() && !self.0.saving.try_lock().is_ok_and(|saving| saving.is_over)
    }

    pub(crate) fn downgrade(&self) -> WeakFlow {
        WeakFlow(Arc::downgrade(&self.0))
    }

    /// Takes a place in the guard, unless the flow has one.
    pub(crate) fn prompts_by(&self, guard: &PromptGuard, clock: &dyn Clock) -> Result<(), PromptRefused> {
        let mut prompting = self.prompting();
        if prompting.is_none() {
            *prompting = self.look(|flow| guard.enter(flow, clock.now())).transpose()?.flatten();
        }
        Ok(())
    }

    /// A step of the flow, after which its place in the guard is brought up to date, or given back when the flow is over.
    fn watched<T>(&self, clock: &dyn Clock, step: impl FnOnce(&mut Flow) -> T) -> Option<T> {
        self.stepped(|flow| (step(flow), clock.now()))
    }

    /// As [`Self::watched`]; the step says when it happened.
    fn stepped<T>(&self, step: impl FnOnce(&mut Flow) -> (T, Timestamp)) -> Option<T> {
        let mut prompting = self.prompting();
        let (done, is_over) = self.look(|flow| {
            let (done, now) = step(flow);
            prompting.iter().for_each(|prompting| prompting.keep(flow, now));
            (done, flow.stage() == Stage::Settled)
        })?;
        if is_over {
            *prompting = None;
        }
        Some(done)
    }

    /// The flow is over.
    pub(crate) fn prompts_nobody(&self) {
        *self.prompting() = None;
    }

    /// Locked for a moment only, before the flow where both are.
    fn prompting(&self) -> MutexGuard<'_, Option<Prompting>> {
        self.0.prompting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// See [`Flow::must_be_saved`].
    pub(crate) fn must_be_saved(&self) -> bool {
        self.look(|flow| flow.must_be_saved()).unwrap_or(false)
    }

    /// Keeps the flow's state unless it is kept already.
    pub(crate) async fn save(&self) -> io::Result<()> {
        self.keep(&mut *self.0.saving.lock().await).await
    }

    /// Keeps the end, too: a notification that brought it is acknowledged in the belief that it is saved. Nothing is saved
    /// after this, unless it fails: then a notification that comes again is what the next save is for.
    pub(crate) async fn end_saving(&self) -> io::Result<()> {
        let mut saving = self.0.saving.lock().await;
        self.keep(&mut saving).await?;
        saving.is_over = true;
        Ok(())
    }

    async fn keep(&self, saving: &mut Saving) -> io::Result<()> {
        let Some(saver) = self.0.saver.as_ref().filter(|_| !saving.is_over) else { return Ok(()) };
        let (kept, is_uncertain) = (saving.kept, saving.is_uncertain);
        let newer = |flow: &mut Flow| {
            let is_newer = kept != Some(flow.revision());
            if is_newer && is_uncertain {
                flow.advance_revision();
            }
            is_newer.then(|| (flow.snapshot(), flow.config().policy().local_timeout))
        };
        if let Some((snapshot, local_timeout)) = self.look(newer).flatten() {
            saving.is_uncertain = true;
            let limit = if self.must_be_saved() { local_timeout } else { local_timeout.min(UNNEEDED_SAVE) };
            let saved = tokio::time::timeout(limit, saver.save(&snapshot)).await;
            saved
                .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "the store did not answer in time")))?;
            (saving.kept, saving.is_uncertain) = (Some(snapshot.revision()), false);
        }
        Ok(())
    }

    /// Takes a notification and wakes the drive. `None` when the result was taken.
    pub(crate) async fn notify(&self, notification: &Notification, now: Timestamp) -> Option<Acknowledgement> {
        let said = self.stepped(|flow| {
            let said = flow.notify(notification, now);
            if matches!(said, Acknowledgement::Accepted | Acknowledgement::Unusable) {
                self.0.has_news.store(true, Ordering::Release);
            }
            (said, now)
        })?;
        match said {
            // The drive goes on whatever becomes of the save, also when this future is dropped during it.
            Acknowledgement::Accepted | Acknowledgement::Unusable => self.0.bell.notify_one(),
            // It may have come before and not been saved then.
            Acknowledgement::Known => {}
            refused => return Some(refused),
        }
        Some(match self.save().await {
            Ok(()) => said,
            Err(_) => Acknowledgement::Unsaved,
        })
    }

    /// Whether a notification was taken since this was asked last.
    pub(crate) fn take_news(&self) -> bool {
        self.0.has_news.swap(false, Ordering::AcqRel)
    }

    /// Returns when there is something to look at, at once if that happened since the last return.
    pub(crate) async fn woken(&self) {
        self.0.bell.notified().await;
    }

    /// A panic elsewhere while the lock was held leaves a flow that answers `Done` to the next poll at worst.
    fn lock(&self) -> MutexGuard<'_, Option<Flow>> {
        self.0.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A [`SharedFlow`] that is kept elsewhere.
pub(crate) struct WeakFlow(Weak<Shared>);

impl WeakFlow {
    pub(crate) fn upgrade(&self) -> Option<SharedFlow> {
        self.0.upgrade().map(SharedFlow)
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }

    pub(crate) fn is(&self, flow: &SharedFlow) -> bool {
        std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(&flow.0))
    }
}

impl From<Flow> for SharedFlow {
    fn from(flow: Flow) -> Self {
        Self::new(flow)
    }
}

impl fmt::Debug for SharedFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedFlow").field(&self.stage()).finish()
    }
}
