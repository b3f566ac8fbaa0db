//! What the provider forgets, and what it does not.

use super::*;
use crate::{
    provider::TransactionState,
    script::{Act, Script},
};

const MEMORY: u64 = 600;

fn small(limit: usize) -> Bench {
    bench_with(|config| ProviderConfig { record_limit: limit, ..config })
}

/// OP-37
#[test]
fn finished_transactions_are_evicted_but_findings_are_kept() {
    let mut bench = bench();
    let redeemed = bench.begin("approve-after:0");
    let expired = bench.begin("never");
    let tokens = bench.poll(&redeemed, 5).1;
    let token = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let user_info = |bench: &mut Bench| {
        bench.send(Incoming::get("/userinfo").header("authorization", &token)).status
    };
    bench.poll(&redeemed, 5);
    assert_eq!(bench.provider.violations().len(), 1, "a second redemption");

    // The transactions end at 120 s, the access token at 605 s.
    bench.now = START.saturating_add(Duration::from_secs(120 + MEMORY - 1));
    assert_eq!(bench.poll_error(&expired, 0), "expired_token");
    assert_eq!((bench.provider.transactions(bench.now).len(), user_info(&mut bench)), (2, 401));
    assert_eq!(
        bench.provider.violations().len(),
        1,
        "an access token that has expired breaks no rule"
    );

    bench.now = START.saturating_add(Duration::from_secs(605 + MEMORY));
    assert_eq!(user_info(&mut bench), 401);
    assert!(
        bench.provider.transactions(bench.now).is_empty()
            && bench.provider.access_tokens.is_empty()
    );
    assert_eq!(bench.poll_error(&expired, 0), "invalid_grant");
    let report = bench.provider.report();
    assert_eq!((report.transactions, report.redeemed, report.requests[1].1), (2, 1, 4));
    let rules: Vec<Rule> = report.violations.iter().map(|violation| violation.rule).collect();
    assert_eq!(rules, [Rule::AfterSuccess, Rule::AccessToken, Rule::AuthReqId]);

    let next = bench.begin("approve-after:0");
    assert_eq!(bench.provider.transactions(bench.now)[0].number, 3, "numbers are not given twice");
    assert_eq!(bench.poll(&next, 5).0, 200);
}

#[test]
fn the_newest_and_the_open_requests_are_kept_with_every_finding() {
    let mut bench = small(8);
    let id = bench.begin("never");
    bench.pass(5);
    let (open, _) = bench.provider.begin(bench.poll_request(&id), bench.now);
    for _ in 0..100 {
        bench.post(Endpoint::Backchannel, &[("scope", "openid")]);
        assert!(bench.provider.exchanges().len() <= 8);
    }
    assert_eq!(bench.provider.exchanges()[0].id, open, "it is not over");
    assert_eq!(bench.provider.exchanges().last().unwrap().id, ExchangeId(102));
    let report = bench.provider.report();
    assert_eq!(
        (report.violations.len(), &report.requests[..]),
        (100, &[(Endpoint::Backchannel, 101), (Endpoint::Token, 1)][..])
    );
    bench.provider.findings.kept.clear();
    bench.provider.end(open, bench.now);
    bench.poll(&id, 5);
    assert_eq!(bench.broken(), [], "the first poll was over");
}

#[test]
fn open_requests_past_the_limit_are_evicted() {
    let mut bench = small(4);
    bench.provider.script(Script::new().every(Endpoint::Discovery, Act::HoldForever));
    for _ in 0..20 {
        let (_, reply) =
            bench.provider.begin(Incoming::get("/.well-known/openid-configuration"), bench.now);
        held(&reply);
    }
    assert!(bench.provider.exchanges.len() <= 4 && bench.provider.held.len() <= 4);
}

#[test]
fn finished_transactions_are_evicted_before_running_ones() {
    let mut bench = small(2);
    let first = bench.begin("approve-after:0");
    bench.begin("never");
    let (status, body) = bench.ask(&[]);
    assert_eq!((status, &body["error"]), (503, &json!("temporarily_unavailable")));
    let token = bench.poll(&first, 5).1["access_token"].clone();
    let third = bench.begin("approve-after:0");
    let states: Vec<_> = bench
        .provider
        .transactions(bench.now)
        .iter()
        .map(|known| (known.number, known.state))
        .collect();
    assert_eq!(states, [(2, TransactionState::Pending), (3, TransactionState::Approved)]);
    assert_eq!(bench.poll(&third, 5).0, 200);
    let fourth = bench.begin("approve-after:0");
    bench.poll(&fourth, 5);
    assert_eq!(bench.provider.access_tokens.len(), 2);
    assert!(
        bench.provider.access_tokens.iter().all(|known| known.token != token),
        "the oldest went"
    );
    assert_eq!(bench.broken(), []);
}

#[test]
fn a_held_request_keeps_its_transaction() {
    let mut bench = bench();
    let long = Duration::from_secs(3_600);
    bench.provider.script(Script::new().every(Endpoint::Token, Act::Delay(long)));
    let id = bench.begin("approve-after:0");
    bench.pass(5);
    let (exchange, until) = held(&bench.provider.handle(bench.poll_request(&id), bench.now));
    bench.now = until;
    bench.begin("never");
    assert_eq!(bench.provider.resume(exchange, until).into_answer().unwrap().status, 200);
}

#[test]
fn a_lost_authentication_request_is_forgotten_after_a_time() {
    let mut bench = bench();
    bench.provider.script(Script::new().nth(Endpoint::Backchannel, 1, Act::DropAfter));
    let parameters = [
        ("client_id", "app"),
        ("client_secret", SECRET),
        ("scope", "openid"),
        ("login_hint", "approve"),
    ];
    let request = Incoming::post(&bench.path(Endpoint::Backchannel), parameters);
    assert_eq!(bench.provider.handle(request, bench.now), Reply::Drop);
    bench.pass(120 + MEMORY);
    bench.begin("approve");
    assert_eq!(bench.broken(), []);
    assert!(bench.provider.lost_requests.is_empty());
}
