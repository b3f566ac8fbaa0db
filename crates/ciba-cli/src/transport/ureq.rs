//! `--transport ureq`: blocking, each call on a thread of its own.

use std::{
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use ciba_core::{
    Discovery, Failure, ProviderMetadata, Snapshot,
    fault::Cause,
    http::{Body, Headers, Request, Response, Unanswered},
    notification::{BadNotification, NotificationReply, NotificationVerdict},
    tokens::{CallFailure, UserInfo, UserInfoRequest},
};
use ciba_ureq::{CallError, Driver, HttpClient, Inbox, Saver, SharedFlow, http::Authorities};
use tokio::task::spawn_blocking;

use super::{
    failure::{undiscovered, unobtainable},
    library::{Drive, Driven, Halted, HttpLibrary},
    setup::{Files, no_tls, show, unusable_ca},
};
use crate::{exit::Stop, proxies::Proxies, signer::KeyRing, time::now, watcher::Watcher};

pub(super) struct Ureq {
    http: HttpClient,
    inbox: Inbox,
    /// The driver of the one flow.
    driver: OnceLock<Arc<Driver>>,
}

impl Ureq {
    pub(super) fn new(files: &Files<'_>, proxies: Proxies, trace: bool) -> Result<Self, Stop> {
        let http = match &files.ca {
            Some((path, pem)) => HttpClient::new(
                ciba_ureq::http::trusting(&Authorities::Only(pem.clone()))
                    .map_err(|_| unusable_ca(path, pem))?,
            ),
            None => HttpClient::new(ciba_ureq::http::platform_roots),
        };
        let mut http = http.map_err(|_| no_tls())?.with_proxies(move |url| proxies.for_ureq(url));
        if let Some(pem) = &files.certificate {
            let certificate = pem.certificate.clone();
            http = http.with_certificate(certificate).map_err(|error| pem.unusable(&error))?;
        }
        if trace {
            http = http.with_observer(show);
        }
        Ok(Self { http, inbox: Inbox::with_capacity(1), driver: OnceLock::new() })
    }
}

#[async_trait]
impl HttpLibrary for Ureq {
    async fn discover(&self, discovery: Discovery) -> Result<ProviderMetadata, Failure> {
        let http = self.http.clone();
        let found = spawn_blocking(move || ciba_ureq::http::discover(&http, &discovery)).await;
        found.map_err(|_| unobtainable(None))?.map_err(undiscovered)
    }

    async fn exchange(
        &self,
        request: Request,
        timeout: Duration,
        max_response: usize,
    ) -> Result<Response, Unanswered> {
        let http = self.http.clone();
        let sent = spawn_blocking(move || http.exchange(&request, timeout, max_response)).await;
        sent.unwrap_or(Err(Unanswered::Lost(Cause::Unknown)))
    }

    async fn drive(&self, drive: Drive) -> Result<Driven, Halted> {
        let Drive { config, keys, flow, mut watcher, is_notified } = drive;
        // The key ring has the key for each purpose.
        let keys: Arc<KeyRing> = Arc::new(keys);
        let mut driver =
            Driver::builder(config, self.http.clone()).signer(keys.clone()).dpop_key(keys);
        if is_notified {
            driver = driver.inbox(&self.inbox);
        }
        let driver = driver.build().map_err(|lacking| Halted::Broken(lacking.to_string()))?;
        let driver = Arc::clone(self.driver.get_or_init(|| Arc::new(driver)));
        let flow = SharedFlow::with_saver(flow, watcher.clone());
        let thread = spawn_blocking(move || {
            driver.drive(&flow, &mut watcher)?;
            Ok(Driven::new(flow.stage(), flow.keeps_tokens(), flow.finish()))
        });
        match thread.await {
            Ok(driven) => driven,
            // The panic hook ends the process before, and the task is never aborted.
            Err(_) => std::process::abort(),
        }
    }

    async fn userinfo(&self, request: UserInfoRequest) -> Result<UserInfo, CallError> {
        // There are no tokens before a flow was driven.
        let Some(driver) = self.driver.get().cloned() else {
            return Err(CallError::Failed(CallFailure::Abandoned));
        };
        match spawn_blocking(move || driver.call(request)).await {
            Ok(answered) => answered,
            // The panic hook ends the process before, and the task is never aborted.
            Err(_) => std::process::abort(),
        }
    }

    fn first_look(&self, method: &str, headers: &Headers) -> Result<(), NotificationReply> {
        self.inbox.first_look(method, headers)
    }

    async fn acknowledge(
        &self,
        method: &str,
        headers: Headers,
        body: Body,
    ) -> Result<NotificationVerdict, BadNotification> {
        let (inbox, method) = (self.inbox.clone(), method.to_owned());
        let said = spawn_blocking(move || inbox.acknowledge(&method, &headers, body, now())).await;
        // The panic hook ends the process before; a runtime that shuts down answers no calls.
        said.unwrap_or(Ok(NotificationVerdict::Unsaved))
    }
}

impl Saver for Watcher {
    fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        self.save(snapshot)
    }
}
