//! Pages for users and scripts on this machine: the phone, with pending transactions and buttons to
//! decide, and the judge's report.

use core::fmt::Write as _;
use std::net::SocketAddr;

use ciba_core::{
    Timestamp,
    http::{Headers, Response},
};

use crate::{
    form,
    message::Incoming,
    provider::{Provider, Transaction, TransactionState},
};

/// The interval at which the page reloads itself, in seconds.
const REFRESH: u32 = 2;

const STYLE: &str = "\
:root{color-scheme:light dark}\
*{box-sizing:border-box}\
body{font:1.05rem/1.45 system-ui,sans-serif;margin:0;background:#eef1f5;color:#16202c}\
main{max-width:26rem;margin:0 auto;padding:1.25rem 1rem 3rem}\
h1{font-size:1.1rem;font-weight:600;margin:.5rem 0 1.25rem;color:#55637a}\
article{background:#fff;border-radius:1rem;padding:1.25rem;margin:0 0 1rem;box-shadow:0 1px 6px #0b1b3324}\
h2{font-size:1rem;margin:0;overflow-wrap:anywhere}\
p{margin:.6rem 0;overflow-wrap:anywhere}\
.message{font-size:1.35rem;font-weight:600;white-space:pre-wrap;margin:.9rem 0}\
.quiet{color:#55637a;font-size:.95rem}\
form{display:grid;gap:.6rem;margin:1rem 0 0}\
.two{grid-template-columns:1fr 1fr}\
button{font:inherit;font-weight:600;padding:.85rem;border:0;border-radius:.7rem;background:#dde4ee;color:#16202c}\
button.yes{background:#12724a;color:#fff}\
button:focus-visible{outline:3px solid #3b82f6;outline-offset:2px}\
@media(prefers-color-scheme:dark){body{background:#10161f;color:#e8edf4}article{background:#1b2431}\
h1,.quiet{color:#9fb0c6}button{background:#33415a;color:#e8edf4}button.yes{background:#1b8a5b}}";

/// Answers requests for these pages, only from this machine.
#[derive(Debug)]
pub(crate) struct Phone {
    scheme: &'static str,
    /// The allowed values of `Host`.
    hosts: Vec<String>,
    /// The path of the page.
    path: String,
    /// The path of the report.
    report: String,
}

impl Phone {
    pub(crate) fn new(scheme: &'static str, address: SocketAddr, issuer: &str) -> Self {
        let port = address.port();
        let hosts = vec![address.to_string(), format!("localhost:{port}")];
        let behind_scheme = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
        let below = behind_scheme.find('/').map_or("", |at| &behind_scheme[at..]);
        let below = below.trim_end_matches('/');
        Self { scheme, hosts, path: format!("{below}/phone"), report: format!("{below}/report") }
    }

    /// Whether a request is for one of these pages.
    pub(crate) fn is_for(&self, request: &Incoming) -> bool {
        let is_of_page = |rest: &str| rest.is_empty() || rest.starts_with('/');
        request.path == self.report || request.path.strip_prefix(&self.path).is_some_and(is_of_page)
    }

    pub(crate) fn answer(
        &self,
        provider: &mut Provider,
        request: &Incoming,
        now: Timestamp,
    ) -> Response {
        if !self.is_from_here(&request.headers) {
            return notice(403, "This page is only available on this machine.");
        }
        if request.path == self.report {
            return report(provider, request);
        }
        let below = request.path.strip_prefix(&self.path).unwrap_or_default();
        match (below, request.method.as_str()) {
            ("" | "/", "GET" | "HEAD") => self.page(provider, now),
            ("/approve", "POST") => self.decide(provider, request, true, now),
            ("/deny", "POST") => self.decide(provider, request, false, now),
            ("" | "/", _) => with(notice(405, "This page only supports GET."), "allow", "GET"),
            ("/approve" | "/deny", _) => {
                with(notice(405, "Decisions have to be sent by POST."), "allow", "POST")
            }
            _ => notice(404, "There is no such page."),
        }
    }

    /// Refuses DNS rebinding, which shows in `Host`, and requests of other sites' pages, which show in
    /// `Origin`. Clients that are not browsers send no `Origin`.
    fn is_from_here(&self, headers: &Headers) -> bool {
        let known = |host: &str| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
        let host = headers.all("host").all(known) && headers.get("host").is_some();
        let origin = headers.all("origin").all(|origin| {
            origin
                .split_once("://")
                .is_some_and(|(scheme, host)| scheme == self.scheme && known(host))
        });
        let site = headers.all("sec-fetch-site").all(|site| matches!(site, "same-origin" | "none"));
        host && origin && site
    }

    fn decide(
        &self,
        provider: &mut Provider,
        request: &Incoming,
        yes: bool,
        now: Timestamp,
    ) -> Response {
        let media_type = request.headers.get("content-type").unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return notice(415, "Decisions have to be sent as a form.");
        }
        let parameters = form::parse(request.body.expose()).unwrap_or_default();
        let one = |name: &str| {
            let mut values = parameters
                .iter()
                .filter(|(known, _)| known == name)
                .map(|(_, value)| value.as_str());
            values.next().filter(|_| values.next().is_none())
        };
        let Some(number) = one("transaction").and_then(|number| number.parse::<usize>().ok())
        else {
            return notice(400, "The form does not name a transaction.");
        };
        let waiting =
            waiting(provider, now).into_iter().find(|transaction| transaction.number == number);
        let Some(transaction) = waiting else {
            return notice(409, "That transaction is not waiting for a decision.");
        };
        // The wrong pair of words denies (Norwegian BankID).
        let yes = match (&transaction.words, one("words")) {
            (Some(right), Some(picked)) => yes && right == picked,
            (Some(_), None) if yes => return notice(400, "Choose a pair of words."),
            _ => yes,
        };
        if yes {
            provider.approve(number, now);
        } else {
            provider.deny(number, now);
        }
        with(notice(303, "Decided."), "location", &self.path)
    }

    fn page(&self, provider: &Provider, now: Timestamp) -> Response {
        let waiting = waiting(provider, now);
        let mut page = String::new();
        if waiting.is_empty() {
            page.push_str(
                "<article><p>Nothing is waiting for you.</p><p class=quiet>This page reloads by itself.</p></article>",
            );
        }
        for transaction in &waiting {
            self.card(&mut page, transaction, &provider.word_choices(transaction.number), now);
        }
        let page = document(
            "What waits for you",
            &format!("<meta http-equiv=refresh content={REFRESH}>"),
            &page,
        );
        html(200, page)
    }

    fn card(&self, page: &mut String, transaction: &Transaction, words: &[String], now: Timestamp) {
        let Transaction { number, client_id, binding_message, expires, .. } = transaction;
        let seconds = expires.since(now).as_millis().div_ceil(1000);
        let _ =
            write!(page, "<article><h2><bdi>{}</bdi> asks you to log in.</h2>", escape(client_id));
        if let Some(message) = binding_message {
            let _ = write!(page, "<p class=message><bdi>{}</bdi></p>", escape(message));
        }
        let path = escape(&self.path);
        let form = |target: &str, class: &str, buttons: &str| {
            format!(
                "<form method=post action=\"{path}/{target}\" class={class}>\
                 <input type=hidden name=transaction value={number}>{buttons}</form>"
            )
        };
        if transaction.words.is_some() {
            page.push_str("<p>Which words did you hear on the telephone?</p>");
            let button = |pair: &String| {
                format!("<button name=words value=\"{0}\">{0}</button>", escape(pair))
            };
            let buttons: String = words.iter().map(button).collect();
            page.push_str(&form("approve", "words", &buttons));
            page.push_str(&form("deny", "no", "<button>Deny</button>"));
        } else {
            let buttons = format!(
                "<button class=yes>Approve</button><button formaction=\"{path}/deny\">Deny</button>"
            );
            page.push_str(&form("approve", "two", &buttons));
        }
        let _ =
            write!(page, "<p class=quiet>Number {number}, {seconds} seconds left.</p></article>");
    }
}

/// The report, optionally about one client only.
fn report(provider: &Provider, request: &Incoming) -> Response {
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return with(notice(405, "The report only supports GET."), "allow", "GET");
    }
    let mut report = provider.report();
    let query =
        form::parse(request.query.as_deref().unwrap_or_default().as_bytes()).unwrap_or_default();
    if let Some((_, client)) = query.iter().find(|(name, _)| name == "client_id") {
        report.violations.retain(|violation| violation.client_id.as_ref() == Some(client));
        report.unlisted.retain(|some| some.client_id.as_ref() == Some(client));
    }
    let headers = [
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ];
    Response::new(200, headers.into_iter().collect(), report.to_json().to_string())
}

/// The transactions that wait for a decision.
fn waiting(provider: &Provider, now: Timestamp) -> Vec<Transaction> {
    let pending = |transaction: &Transaction| transaction.state == TransactionState::Pending;
    provider.transactions(now).into_iter().filter(pending).collect()
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

fn document(title: &str, head: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=en><head><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width,initial-scale=1\">{head}<title>{title}</title>\
         <style>{STYLE}</style></head><body><main><h1>A phone of the test provider</h1>{body}</main></body></html>"
    )
}

fn notice(status: u16, sentence: &str) -> Response {
    html(
        status,
        document(
            "A phone of the test provider",
            "",
            &format!("<article><p>{sentence}</p></article>"),
        ),
    )
}

fn html(status: u16, page: String) -> Response {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let headers = [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("content-security-policy", policy),
        ("x-content-type-options", "nosniff"),
        // Not `no-referrer`: browsers would send `Origin: null` with the page's own forms.
        ("referrer-policy", "same-origin"),
    ];
    Response::new(status, headers.into_iter().collect(), page)
}

fn with(mut response: Response, name: &str, value: &str) -> Response {
    response.headers.push(name, value);
    response
}
