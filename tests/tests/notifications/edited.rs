//! Snapshots that were edited or damaged: whatever they contain, a flow ends in time and no check
//! is skipped. A writable store cannot be protected against the replacement by a complete older
//! state.

use super::*;

const TWO_DAYS: Duration = Duration::from_secs(2 * 86_400);
/// The replacements of a number.
const NUMBERS: [u64; 8] = [0, 1, 4999, 1 << 31, 1 << 53, 1 << 62, u64::MAX - 1, u64::MAX];
/// The replacements of a string.
const TEXTS: [&str; 6] = ["", "x", OTHER_ID, "ping", "push", "\u{e9}\u{0}\n"];

fn saved(case: &Case) -> Value {
    serde_json::from_slice(case.flow.snapshot().as_bytes()).unwrap()
}

/// Returns the notification by which the provider of this mode reports the result.
fn genuine(mode: DeliveryMode, at: Timestamp) -> Value {
    if mode == DeliveryMode::Push { push(at) } else { json!({"auth_req_id": ID}) }
}

/// Returns a flow at every stage.
fn stages(mode: DeliveryMode) -> Vec<Case> {
    let mut all = vec![Case::new(mode), Case::asked(mode).0, Case::acknowledged(mode)];
    for how in [Unanswered::NotSent(Cause::Unknown), Unanswered::Lost(Cause::Unknown)] {
        let (mut case, ticket) = Case::asked(mode);
        case.flow.handle(ticket.unanswered(how), case.now).unwrap();
        all.push(case);
    }
    for mut case in [Case::asked(mode).0, Case::acknowledged(mode)] {
        let body = genuine(mode, case.now);
        assert_eq!(case.notify(&body), NotificationVerdict::Accepted);
        all.push(case);
    }
    if mode == DeliveryMode::Ping {
        for is_answered in [false, true] {
            let mut case = Case::acknowledged(mode);
            let (_, ticket) = case.next_request().unwrap();
            if is_answered {
                let body = tokens(case.now);
                case.answer(ticket, 200, &body);
            }
            all.push(case);
        }
    }
    let mut case = Case::acknowledged(mode);
    case.flow.cancel(case.now);
    all.push(case);
    all
}

/// Returns the JSON pointers of everything in a value.
fn places(value: &Value, here: &str, all: &mut Vec<String>) {
    let mut within = |name: &str, value: &Value| {
        let place = format!("{here}/{name}");
        places(value, &place, all);
        all.push(place);
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| within(name, value)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| within(&at.to_string(), value))
        }
        _ => {}
    }
}

/// Returns the value with one part changed, in every way.
fn edits(value: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    places(value, "", &mut all);
    let mut edited = Vec::new();
    for place in all {
        let instead: Vec<Value> = match value.pointer(&place).unwrap() {
            Value::Number(_) => NUMBERS.iter().map(|number| json!(number)).collect(),
            Value::Bool(flag) => vec![json!(!flag)],
            Value::String(_) => TEXTS.iter().map(|text| json!(text)).collect(),
            _ => vec![Value::Null, json!([]), json!({})],
        };
        for new in instead {
            let mut changed = value.clone();
            let what = format!("{place} = {new}");
            *changed.pointer_mut(&place).unwrap() = new;
            edited.push((what, changed));
        }
        let (parent, name) = place.rsplit_once('/').unwrap();
        let mut changed = value.clone();
        if let Some(Value::Object(members)) = changed.pointer_mut(parent) {
            members.remove(name);
            edited.push((format!("no {place}"), changed));
        }
    }
    for flag in ["was_pinged", "owes_request", "asked_ahead"] {
        let mut changed = value.clone();
        if let Some(grant) = changed.pointer_mut("/phase/pending/grant") {
            grant[flag] = json!(true);
            edited.push((flag.to_owned(), changed));
        }
    }
    edited
}

/// Drives a flow to its end, with a provider that reports nothing.
fn goes_on(mut case: Case, mode: DeliveryMode, is_notified: bool, what: &str) {
    let start = case.now;
    if is_notified {
        let _ = case.poll();
        let body = genuine(mode, case.now);
        let _ = case.notify(&body);
    }
    for _ in 0..40_000 {
        match case.poll() {
            Output::Transmit(transmit) => {
                let is_token = transmit.endpoint() == Endpoint::Token;
                assert!(
                    !is_token || mode == DeliveryMode::Ping,
                    "{what}: a token request in push mode"
                );
                let ticket = case.flow.begin(transmit, case.now).expect("it is in time");
                if is_token {
                    case.answer(ticket, 400, PENDING);
                } else {
                    case.flow
                        .handle(ticket.unanswered(Unanswered::Lost(Cause::Unknown)), case.now)
                        .unwrap();
                }
            }
            Output::Wait(wait) => {
                assert!(wait.until() > case.now, "{what}: a wait that is over");
                case.now = wait.until();
                assert!(case.now.since(start) < TWO_DAYS, "{what}: it never ends");
            }
            Output::KeySet(request) => {
                let keys =
                    json!({"keys": [fake_crypto::jwk("k", &fake_crypto::key(1))]}).to_string();
                let keys =
                    KeySet::pinned(&Issuer::parse(ISSUER).unwrap(), keys.as_bytes(), &FakeCrypto)
                        .unwrap();
                case.flow.handle(request.found(keys), case.now).unwrap();
            }
            Output::Key(operation) => panic!("{what}: {operation:?}"),
            Output::Save(_) | Output::Done => {
                if let Some(spent) = case.flow.spent_key() {
                    assert!(
                        spent.until().since(case.now) < TWO_DAYS,
                        "{what}: what is left of it is kept forever"
                    );
                }
                let ended = case.flow.finish();
                assert!(
                    ended.is_err() || ended.unwrap().subject() == Ok("person"),
                    "{what}: no person was authenticated"
                );
                return;
            }
        }
    }
    panic!("{what}: it asks forever");
}

/// REQ-PUSH-19
#[test]
fn a_flow_from_an_edited_snapshot_ends_and_skips_no_check() {
    for mode in [DeliveryMode::Ping, DeliveryMode::Push] {
        for case in stages(mode) {
            for (what, edited) in edits(&saved(&case)) {
                for is_notified in [false, true] {
                    let bytes = edited.to_string();
                    let Ok(flow) =
                        Flow::resume(Arc::clone(case.flow.config()), bytes.as_bytes(), case.now)
                    else {
                        continue;
                    };
                    let token = if case.token.is_empty() {
                        "unknown".to_owned()
                    } else {
                        case.token.clone()
                    };
                    goes_on(
                        Case { flow: flow.in_memory(), now: case.now, seed: 7, token },
                        mode,
                        is_notified,
                        &what,
                    );
                }
            }
        }
    }
}

fn resumed(case: &Case, edit: impl FnOnce(&mut Value)) -> Case {
    let mut edited = saved(case);
    edit(&mut edited);
    let flow =
        Flow::resume(Arc::clone(case.flow.config()), edited.to_string().as_bytes(), case.now)
            .unwrap()
            .in_memory();
    Case { flow, now: case.now, seed: 7, token: case.token.clone() }
}

#[test]
fn a_snapshot_without_its_id_token_authenticates_no_person() {
    for mode in [DeliveryMode::Poll, DeliveryMode::Ping, DeliveryMode::Push] {
        let mut case = Case::new(mode);
        let (request, ticket) = case.next_request().unwrap();
        case.token = parameter(&request, "client_notification_token").unwrap_or_default();
        case.acknowledge(ticket, ID);
        if mode == DeliveryMode::Push {
            let body = push(case.now);
            assert_eq!(case.notify(&body), NotificationVerdict::Accepted);
        } else {
            let (_, ticket) = case.next_request().unwrap();
            let body = tokens(case.now);
            case.answer(ticket, 200, &body);
        }
        assert_eq!(case.flow.stage(), Stage::Verifying);
        let case = resumed(&case, |saved| {
            let tokens = &mut saved["phase"]["verifying"]["tokens"];
            tokens["access_token"] = json!("stolen");
            tokens.as_object_mut().unwrap().remove("id_token");
        });
        assert_eq!(
            case.verdict().expect_err("forged").check(),
            Some(Untrusted::TokenForm),
            "{mode:?}"
        );
    }
}

#[test]
fn a_different_push_is_not_treated_as_a_repetition() {
    let case = Case::acknowledged(DeliveryMode::Push);
    let mut case =
        resumed(&case, |saved| saved["phase"]["pending"]["grant"]["was_pinged"] = json!(true));
    let body = push(case.now);
    assert_eq!(case.notify(&body), NotificationVerdict::Accepted);
    assert_eq!(case.verdict(), Ok(()));

    let (mut case, ticket) = Case::asked(DeliveryMode::Push);
    let body = push(case.now);
    assert_eq!(case.notify(&body), NotificationVerdict::Accepted);
    drop(ticket);
    let mut case = resumed(&case, |saved| {
        saved["mailbox"]["early"][0].as_object_mut().unwrap().remove("delivery");
    });
    assert_eq!(case.notify(&body), NotificationVerdict::Accepted);
    assert_eq!(case.verdict(), Ok(()));
}
