//! The last question before a request leaves: asked when the connection stands, with nothing but
//! the request left to write.

use std::{
    cell::RefCell,
    error::Error,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use ciba_std::{Gate, Withheld};
use tower_layer::Layer;
use tower_service::Service;

thread_local! {
    /// Of the exchange that is being polled. reqwest hands nothing of a request down to its
    /// connector, but the connection is made in the task of the exchange, because there are no kept
    /// connections that it could race with.
    static GATE: RefCell<Option<Gate>> = const { RefCell::new(None) };
}

/// Carries out an exchange whose request leaves only if the gate says so right before its first
/// byte: a connection that takes its time, or a machine that is suspended during it, must not make
/// a request late that was in time when it was begun.
pub(crate) async fn while_allowed<F: Future>(gate: Gate, exchange: F) -> F::Output {
    let mut exchange = pin!(exchange);
    std::future::poll_fn(|context| {
        let _within = Within(GATE.replace(Some(gate.clone())));
        exchange.as_mut().poll(context)
    })
    .await
}

/// Puts back what was there before, also when something panics.
struct Within(Option<Gate>);

impl Drop for Within {
    fn drop(&mut self) {
        GATE.set(self.0.take());
    }
}

/// Asks the gate, which is not held meanwhile.
fn pass() -> Result<(), Withheld> {
    GATE.with_borrow(Clone::clone).map_or(Ok(()), |gate| gate.pass())
}

/// Asks the gate whenever a connection was made.
#[derive(Clone)]
pub(crate) struct GateLayer;

impl<S> Layer<S> for GateLayer {
    type Service = Gated<S>;

    fn layer(&self, connector: S) -> Gated<S> {
        Gated(connector)
    }
}

#[derive(Clone)]
pub(crate) struct Gated<S>(S);

type BoxError = Box<dyn Error + Send + Sync>;

impl<S, R> Service<R> for Gated<S>
where
    S: Service<R, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, to: R) -> Self::Future {
        let connecting = self.0.call(to);
        Box::pin(async move {
            let connection = connecting.await?;
            pass()?;
            Ok(connection)
        })
    }
}
