//! A provider, and a flow that is driven with it and notified.
#![allow(dead_code, missing_docs, unreachable_pub, missing_debug_implementations)]

use std::{sync::Arc, time::Duration};

use ciba_reqwest::{
    Clock, DriveError, Driver, DriverBuilder, HttpClient, Inbox, Keys, Reqwest, SharedFlow,
    ciba_core::{
        ClientConfig, DeliveryMode, Entropy, Event, Flow, Policy, Timestamp, http::Headers,
        jose::KeySet, notification::NotificationReply,
    },
    http::platform_roots,
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinHandle,
};

use crate::{
    client::{fields, notification_token, notified, request},
    support::{Act, Server},
};

pub const START: Timestamp = Timestamp::from_unix_secs(1_800_000_000);

/// A clock that stands still: what waits for it waits for ever.
pub struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        START
    }

    fn idle(&self, _: Timestamp) -> Duration {
        Duration::MAX
    }
}

/// A provider, and a flow with it.
pub struct Party {
    pub server: Arc<Server>,
    pub config: Arc<ClientConfig>,
    pub inbox: Inbox,
    pub driver: Driver,
    pub flow: SharedFlow,
}

impl Party {
    pub fn new(acts: impl IntoIterator<Item = Act>, mode: DeliveryMode) -> Self {
        Self::at(&Inbox::default(), 1, acts, mode, SharedFlow::new)
    }

    pub fn at(
        inbox: &Inbox,
        number: u8,
        acts: impl IntoIterator<Item = Act>,
        mode: DeliveryMode,
        share: impl FnOnce(Flow) -> SharedFlow,
    ) -> Self {
        let server = Arc::new(Server::start(acts));
        let config = notified(&server.url(""), mode, Policy::default());
        let entropy = Entropy::from_bytes([number; 32]);
        let flow = share(Flow::start(Arc::clone(&config), request(), entropy, START).unwrap());
        let driver = driver(&config).inbox(inbox).build().unwrap();
        Self { server, config, inbox: inbox.clone(), driver, flow }
    }

    pub fn drive(&self) -> Drive {
        let (sender, events) = unbounded_channel();
        let (driver, flow) = (self.driver.clone(), self.flow.clone());
        let task = tokio::spawn(async move {
            let mut tell = |event: &Event| drop(sender.send(event.clone()));
            driver.drive(&flow, &mut tell).await
        });
        Drive { task, events }
    }

    /// Returns when so many requests have come.
    pub async fn requests(&self, count: usize) {
        let server = Arc::clone(&self.server);
        tokio::task::spawn_blocking(move || server.wait_for(count)).await.unwrap();
    }

    pub async fn token(&self) -> String {
        self.requests(1).await;
        notification_token(&self.server.requests()[0])
    }

    pub async fn call(&self, method: &str, headers: &Headers, body: &str) -> NotificationReply {
        self.inbox.receive(method, headers, body.into(), START).await
    }

    pub async fn post(&self, token: &str, body: &str) -> u16 {
        self.call("POST", &fields(token), body).await.status
    }
}

pub fn driver(config: &Arc<ClientConfig>) -> DriverBuilder<Reqwest> {
    let http = HttpClient::new(|| platform_roots().no_proxy()).unwrap();
    // The servers here answer what a flow asks in one order, so no keys are fetched while it waits.
    let keys = KeySet::pinned(config.issuer(), br#"{"keys":[]}"#, &**config.verifier()).unwrap();
    Driver::builder(Arc::clone(config), http).keys(Keys::pinned(keys)).clock(Standing)
}

pub struct Drive {
    task: JoinHandle<Result<(), DriveError>>,
    pub events: UnboundedReceiver<Event>,
}

impl Drive {
    pub async fn waits(&mut self) {
        while !matches!(self.events.recv().await.expect("the drive ended"), Event::Waiting(_)) {}
    }

    pub async fn ends(self) -> Result<(), DriveError> {
        // Less than the longest pause of a drive that is not woken.
        tokio::time::timeout(Duration::from_secs(8), self.task)
            .await
            .expect("the drive was not woken")
            .unwrap()
    }

    pub async fn dropped(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}
