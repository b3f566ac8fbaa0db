//! Ping and push: F-09, F-22 and F-23.

use std::time::Duration;

use ciba_core::jose::JwsAlgorithm;
use serde_json::json;

use super::entry::{Fault, fault};
use crate::{
    keys::TestKey,
    message::Endpoint::{Backchannel, Notification, Token},
    notification::{Bearer, Moment, NotificationEdit},
    script::{Act, Amendment, IdTokenEdit, KeySetEdit, Script, ScriptedAnswer},
};

const AUTH_REQ_ID: &str = "urn:openid:params:jwt:claim:auth_req_id";
const RT_HASH: &str = "urn:openid:params:jwt:claim:rt_hash";

/// What ping and push have in common.
pub(super) fn both() -> Vec<Fault> {
    let mut faults = moments();
    faults.extend(bearers());
    faults.extend(shapes());
    faults
}

pub(super) fn ping() -> Vec<Fault> {
    let extra = Amendment::new()
        .set("access_token", "smuggled-access-token")
        .set("token_type", "Bearer")
        .set("id_token", "e30.e30.e30");
    let early = Script::new().notification(NotificationEdit::At(Moment::Acknowledgement));
    vec![
        fault(
            "ping-with-tokens",
            "F-22",
            "a ping with token members",
            Script::new().payload(extra),
        ),
        fault("ping-before-decision", "F-22", "a ping that finds the request pending", early),
        fault(
            "ping-then-denied",
            "F-22",
            "a correct ping, and access_denied at the token endpoint",
            Script::new().every(Token, Act::Answer(ScriptedAnswer::error(400, "access_denied"))),
        ),
    ]
}

pub(super) fn push() -> Vec<Fault> {
    let token =
        |name, summary, edit| fault(name, "F-23", summary, Script::new().pushed_id_token(edit));
    let payload =
        |name, summary, amendment| fault(name, "F-23", summary, Script::new().payload(amendment));
    let error = |name, summary, code: &str| {
        fault(
            name,
            "F-23",
            summary,
            Script::new().notification(NotificationEdit::Error(code.into())),
        )
    };
    let twice = Script::new().notification(NotificationEdit::Copies(2)).nth(
        Notification,
        2,
        Act::Amend(Amendment::new().set("access_token", "another-access-token")),
    );
    vec![
        token(
            "push-no-auth-req-id-claim",
            "no claim auth_req_id",
            IdTokenEdit::remove(AUTH_REQ_ID),
        ),
        token(
            "push-other-auth-req-id-claim",
            "the claim auth_req_id of another request",
            IdTokenEdit::set(AUTH_REQ_ID, "other"),
        ),
        token("push-no-at-hash", "no at_hash", IdTokenEdit::remove("at_hash")),
        token(
            "push-other-at-hash",
            "at_hash of another access token",
            IdTokenEdit::set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
        ),
        token("push-no-rt-hash", "no rt_hash", IdTokenEdit::remove(RT_HASH)),
        token(
            "push-other-rt-hash",
            "rt_hash of another refresh token",
            IdTokenEdit::set(RT_HASH, "AAAAAAAAAAAAAAAAAAAAAA"),
        ),
        token(
            "push-other-aud",
            "the ID Token of another client",
            IdTokenEdit::set("aud", "another-client"),
        ),
        token(
            "push-wrong-signature",
            "a signature that does not verify",
            IdTokenEdit::XorSignature(0x5a),
        ),
        token(
            "push-unsigned",
            "an ID Token without signature",
            IdTokenEdit::Unsigned("none".into()),
        ),
        token(
            "push-stranger-key",
            "signed by an unpublished key",
            IdTokenEdit::Key(TestKey::StrangerRsa, JwsAlgorithm::Rs256),
        ),
        payload(
            "push-other-access-token",
            "another access token",
            Amendment::new().set("access_token", "another-access-token"),
        ),
        payload(
            "push-other-refresh-token",
            "another refresh token",
            Amendment::new().set("refresh_token", "another-refresh-token"),
        ),
        payload(
            "push-no-refresh-token",
            "the refresh token taken out",
            Amendment::new().remove("refresh_token"),
        ),
        payload("push-no-access-token", "no access token", Amendment::new().remove("access_token")),
        payload("push-no-id-token", "no ID Token", Amendment::new().remove("id_token")),
        payload(
            "push-error-and-tokens",
            "both an error and tokens",
            Amendment::new().set("error", "access_denied"),
        ),
        payload(
            "push-bare",
            "an auth_req_id and nothing else, as in a ping",
            ["access_token", "token_type", "expires_in", "id_token", "refresh_token"]
                .into_iter()
                .fold(Amendment::new(), Amendment::remove),
        ),
        payload(
            "push-no-auth-req-id",
            "no auth_req_id in the body",
            Amendment::new().remove("auth_req_id"),
        ),
        error("push-denied", "a push of access_denied", "access_denied"),
        error("push-expired", "a push of expired_token", "expired_token"),
        error("push-failed", "a push of transaction_failed", "transaction_failed"),
        error("push-unknown-error", "a push with an undefined error code", "out_of_coffee"),
        fault(
            "push-twice-with-other-tokens",
            "F-23",
            "a second push with another access token",
            twice,
        ),
    ]
}

fn moments() -> Vec<Fault> {
    let at = |moment| Script::new().notification(NotificationEdit::At(moment));
    let copies = |count| Script::new().notification(NotificationEdit::Copies(count));
    let overtaking = at(Moment::Overtaking).every(Backchannel, Act::Delay(Duration::from_secs(2)));
    let lost = at(Moment::Overtaking).every(Backchannel, Act::DropAfter);
    vec![
        fault("notification-overtakes", "F-09", "it comes before the acknowledgement", overtaking),
        fault(
            "notification-overtakes-lost",
            "F-09",
            "it comes, and the acknowledgement never does",
            lost,
        ),
        fault(
            "acknowledgement-lost",
            "F-09",
            "the acknowledgement is lost; the notification comes",
            Script::new().every(Backchannel, Act::DropAfter),
        ),
        fault(
            "notification-at-once",
            "F-09",
            "it is sent with the acknowledgement",
            at(Moment::Acknowledgement),
        ),
        fault(
            "notification-withheld",
            "F-22",
            "it never comes",
            Script::new().notification(NotificationEdit::Withhold),
        ),
        fault(
            "notification-late",
            "F-09",
            "it comes five minutes after the end",
            at(Moment::Expired).every(Notification, Act::Delay(Duration::from_secs(300))),
        ),
        fault("notification-twice", "F-22", "it comes twice", copies(2)),
        fault("notification-five-times", "F-22", "it comes five times", copies(5)),
        fault(
            "notification-again-later",
            "F-22",
            "it comes again half a minute later",
            copies(2).nth(Notification, 2, Act::Delay(Duration::from_secs(30))),
        ),
        fault(
            "notification-key-rotated",
            "F-03",
            "the keys are rotated just before it is created",
            Script::new().every(Notification, Act::Keys(KeySetEdit::RotateAtOnce)),
        ),
    ]
}

/// A forged notification first, and the correct one at the decision.
fn forged(bearer: Bearer) -> Script {
    Script::new()
        .notification(NotificationEdit::Copies(2))
        .nth_notification(1, NotificationEdit::At(Moment::Acknowledgement))
        .nth_notification(1, NotificationEdit::Bearer(bearer))
}

fn bearers() -> Vec<Fault> {
    let wrong = |name, summary, bearer| fault(name, "F-22", summary, forged(bearer));
    let right = |name, summary, bearer| {
        fault(name, "F-22", summary, Script::new().notification(NotificationEdit::Bearer(bearer)))
    };
    let only = Script::new().notification(NotificationEdit::Bearer(Bearer::Appended));
    vec![
        wrong(
            "bearer-appended",
            "a forged one whose token is one character longer, then the correct one",
            Bearer::Appended,
        ),
        wrong(
            "bearer-truncated",
            "a forged one whose token is one character shorter, then the correct one",
            Bearer::Truncated,
        ),
        wrong(
            "bearer-other-case",
            "a forged one with a letter in the other case, then the correct one",
            Bearer::OtherCase,
        ),
        wrong("bearer-missing", "one without Authorization, then the correct one", Bearer::Missing),
        wrong(
            "bearer-other-transaction",
            "one with another transaction's token, then the correct one",
            Bearer::OtherTransaction,
        ),
        wrong("bearer-empty", "one with an empty token, then the correct one", Bearer::Empty),
        wrong("bearer-basic", "one in the Basic scheme, then the correct one", Bearer::Basic),
        wrong(
            "bearer-twice",
            "one with two Authorization fields, then the correct one",
            Bearer::Twice,
        ),
        wrong(
            "bearer-in-query",
            "one with its token in the query, then the correct one",
            Bearer::InQuery,
        ),
        right("bearer-lower-case", "the scheme is written bearer", Bearer::LowerCase),
        right("bearer-upper-case", "the scheme is written BEARER", Bearer::UpperCase),
        wrong(
            "bearer-two-blanks",
            "the right token after two spaces, then after one",
            Bearer::TwoSpaces,
        ),
        fault("bearer-only-forged", "F-22", "a forged one, and never the correct one", only),
    ]
}

/// A malformed notification first, and the correct one at the decision.
fn first(act: impl Fn(Script) -> Script) -> Script {
    let script = Script::new().notification(NotificationEdit::Copies(2));
    act(script.nth_notification(1, NotificationEdit::At(Moment::Acknowledgement)))
}

fn shapes() -> Vec<Fault> {
    let edit = |name, summary, edit: NotificationEdit| {
        fault(name, "F-22", summary, first(|script| script.nth_notification(1, edit.clone())))
    };
    let body =
        |name, summary, text: &[u8]| edit(name, summary, NotificationEdit::Body(text.to_vec()));
    let amend = |name, summary, amendment: Amendment| {
        fault(
            name,
            "F-22",
            summary,
            first(|script| script.nth(Notification, 1, Act::Amend(amendment.clone()))),
        )
    };
    vec![
        edit(
            "notification-unknown-id",
            "an auth_req_id that was never issued, then the correct one",
            NotificationEdit::UnknownId,
        ),
        edit(
            "notification-other-id",
            "another transaction's auth_req_id, then the correct one",
            NotificationEdit::OtherId,
        ),
        edit(
            "notification-get",
            "a GET, then the correct one",
            NotificationEdit::Method("GET".into()),
        ),
        edit(
            "notification-put",
            "a PUT, then the correct one",
            NotificationEdit::Method("PUT".into()),
        ),
        edit(
            "notification-head",
            "a HEAD, then the correct one",
            NotificationEdit::Method("HEAD".into()),
        ),
        fault(
            "notification-extra-members",
            "F-22",
            "undefined members",
            Script::new().payload(Amendment::new().set("extra", json!({ "deep": [1, 2, null] }))),
        ),
        body(
            "notification-not-json",
            "a body that is not JSON, then the correct one",
            b"auth_req_id=1",
        ),
        body("notification-array", "an array, then the correct one", br#"[{"auth_req_id":"1"}]"#),
        body("notification-empty", "an empty body, then the correct one", b""),
        body("notification-no-id", "no auth_req_id, then the correct one", b"{}"),
        body(
            "notification-empty-id",
            "an empty auth_req_id, then the correct one",
            br#"{"auth_req_id":""}"#,
        ),
        body(
            "notification-number-id",
            "a numeric auth_req_id, then the correct one",
            br#"{"auth_req_id":1}"#,
        ),
        body(
            "notification-huge",
            "a megabyte of brackets, then the correct one",
            &[b'['; 1024 * 1024],
        ),
        amend(
            "notification-form-type",
            "a body with the media type of a form, then the correct one",
            Amendment::new().media_type("application/x-www-form-urlencoded"),
        ),
        amend(
            "notification-no-type",
            "no content type, then the correct one",
            Amendment::new().media_type(""),
        ),
        amend(
            "notification-duplicate-id",
            "two auth_req_id members, then the correct one",
            Amendment::new().raw_members("\"auth_req_id\":\"other\","),
        ),
        edit(
            "notification-trailing-slash",
            "a slash after the path, then the correct one",
            NotificationEdit::UrlSuffix("/".into()),
        ),
    ]
}
