//! A provider, and a flow that is driven in a separate thread and notified.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};

use ciba_core::{
    ClientConfig, DeliveryMode, Entropy, Event, Flow, Policy, http::Headers,
    notification::NotificationReply,
};
use ciba_tests::adapters::{Adapter, Driver, Inbox, Saver, SharedFlow, Stop};
use ciba_ureq::DriveError;

use crate::{
    START, Standing,
    client::{fields, notification_token, notified, request},
    driver,
    support::{Act, Server},
};

/// A provider with a flow.
pub(super) struct Party {
    pub(super) server: Arc<Server>,
    pub(super) config: Arc<ClientConfig>,
    pub(super) inbox: Inbox,
    pub(super) driver: Driver,
    pub(super) flow: SharedFlow,
}

impl Party {
    pub(super) fn new(
        adapter: Adapter,
        acts: impl IntoIterator<Item = Act>,
        mode: DeliveryMode,
    ) -> Self {
        Self::at(adapter, &adapter.inbox(), 1, acts, mode)
    }

    /// Uses an inbox that other flows share.
    pub(super) fn at(
        adapter: Adapter,
        inbox: &Inbox,
        number: u8,
        acts: impl IntoIterator<Item = Act>,
        mode: DeliveryMode,
    ) -> Self {
        Self::with(adapter, inbox, number, acts, mode, |flow| adapter.flow(flow))
    }

    /// Uses a store.
    pub(super) fn saved(
        adapter: Adapter,
        saver: impl Saver,
        acts: impl IntoIterator<Item = Act>,
        mode: DeliveryMode,
    ) -> Self {
        let share = |flow| adapter.saved_flow(flow, saver);
        Self::with(adapter, &adapter.inbox(), 1, acts, mode, share)
    }

    pub(super) fn with(
        adapter: Adapter,
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
        let driver = driver(adapter, &config).with_clock(Standing).with_inbox(inbox);
        Self { server, config, inbox: inbox.clone(), driver, flow }
    }

    pub(super) fn drive(&self) -> Drive {
        let (sender, events) = channel();
        let (over, end) = channel();
        let stop = Stop::default();
        let (driver, flow, stops) = (self.driver.clone(), self.flow.clone(), stop.clone());
        let mut tell = move |event: &Event| drop(sender.send(event.clone()));
        thread::spawn(move || {
            let driven = driver.drive_until(&flow, &mut tell, &stops);
            drop(flow);
            let _ = over.send(driven);
        });
        Drive { events, end, stop }
    }

    /// Returns after this many requests.
    pub(super) fn requests(&self, count: usize) {
        self.server.wait_for(count);
    }

    pub(super) fn token(&self) -> String {
        self.requests(1);
        notification_token(&self.server.requests()[0])
    }

    pub(super) fn call(&self, method: &str, headers: &Headers, body: &str) -> NotificationReply {
        self.inbox.receive(method, headers, body.into(), START)
    }

    pub(super) fn post(&self, token: &str, body: &str) -> u16 {
        self.call("POST", &fields(token), body).status
    }
}

/// A drive in a separate thread.
pub(super) struct Drive {
    pub(super) events: Receiver<Event>,
    end: Receiver<Result<(), DriveError>>,
    stop: Stop,
}

impl Drive {
    pub(super) fn waits(&mut self) {
        while !matches!(self.events.recv().expect("the drive ended"), Event::Waiting(_)) {}
    }

    pub(super) fn ends(&self) -> Result<(), DriveError> {
        // Less than the maximum pause of a drive that is not woken.
        self.end.recv_timeout(Duration::from_secs(8)).expect("the drive was not woken")
    }

    pub(super) fn stopped(self) {
        self.stop.stop();
        assert!(matches!(self.ends(), Err(DriveError::Stopped)));
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        self.stop.stop();
    }
}
