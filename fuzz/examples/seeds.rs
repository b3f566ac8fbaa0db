//! Writes the seeds of the targets `snapshot`, a flow saved at every step of its life, and
//! `notification`, calls of the notification endpoint that are right and wrong. Run it after a
//! format changed.
use std::{fs, path::Path, time::Duration};

use ciba_core::{
    DeliveryMode, Flow, Output,
    crypto::{Hash, Verifier as _},
    fault::Cause,
    http::{Body, Headers, Response, Unanswered},
    notification::Notification,
};
use ciba_fuzz::{
    ISSUER, Lenient, START, config, config_for, entropy, flow, keys, notification_token,
};

fn main() -> std::io::Result<()> {
    snapshots()?;
    notifications()
}

fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        let letters =
            (0..=chunk.len()).map(|at| char::from(ALPHABET[(word >> (18 - 6 * at) & 63) as usize]));
        text.extend(letters);
    }
    text
}

/// A push of tokens that pass for request `a`, as far as the backend of the targets can tell.
fn push() -> String {
    let now = START.unix_secs();
    let at_hash = base64url(Lenient.digest(Hash::Sha256, b"t").left_half());
    let claims = format!(
        r#"{{"iss":"{ISSUER}","aud":"poll-pkjwt-es256","sub":"alice","iat":{now},"exp":{},"at_hash":"{at_hash}",
        "urn:openid:params:jwt:claim:auth_req_id":"a"}}"#,
        now + 300
    );
    let header = base64url(br#"{"alg":"ES256","kid":"op-g1-es256"}"#);
    let id_token = format!("{header}.{}.{}", base64url(claims.as_bytes()), base64url(&[2; 64]));
    format!(
        r#"{{"auth_req_id":"a","access_token":"t","token_type":"Bearer","expires_in":60,"id_token":"{id_token}"}}"#
    )
}

/// The first digit is the state of the flow: even for ping, odd for push; in flight, acknowledged,
/// lost.
fn notifications() -> std::io::Result<()> {
    const HEAD: &str = "POST\nauthorization: Bearer $TOKEN\ncontent-type: application/json\n\n";
    const PING: &str = r#"{"auth_req_id":"a"}"#;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/notification");
    fs::create_dir_all(&folder)?;
    let save = |name: &str, text: String| fs::write(folder.join(name), text);
    for (state, name) in ["in-flight", "acknowledged", "adrift"].into_iter().enumerate() {
        save(&format!("ping-{name}"), format!("{}{HEAD}{PING}", 2 * state))?;
        save(&format!("push-{name}"), format!("{}{HEAD}{}", 2 * state + 1, push()))?;
    }
    save("push-error", format!("3{HEAD}{}", r#"{"auth_req_id":"a","error":"access_denied"}"#))?;
    save(
        "push-both",
        format!("3{HEAD}{}", push().replacen('{', r#"{"error":"access_denied","#, 1)),
    )?;
    save("ping-other-id", format!("2{HEAD}{}", r#"{"auth_req_id":"b"}"#))?;
    save("ping-no-id", format!("2{HEAD}{{}}"))?;
    save("ping-other-token", format!("2{}{PING}", HEAD.replace("$TOKEN", "$TOKENA")))?;
    save(
        "ping-two-tokens",
        format!("2{}{PING}", HEAD.replacen('\n', "\nAuthorization: Bearer x\n", 1)),
    )?;
    save("ping-form", format!("2{}{PING}", HEAD.replace("json", "x-www-form-urlencoded")))?;
    save("get", format!("2{}", HEAD.replace("POST", "GET")))
}

/// A push flow that holds a notification from before the acknowledgement.
fn early() -> Flow {
    let mut flow = flow(config_for(DeliveryMode::Push));
    let bearer = format!("Bearer {}", notification_token(&flow));
    let headers: Headers =
        [("authorization", bearer.as_str()), ("content-type", "application/json")]
            .into_iter()
            .collect();
    let notification =
        Notification::receive("POST", &headers, Body::from(push().into_bytes())).expect("a push");
    assert_eq!(flow.notify(&notification, START).verdict().reply().status, 204);
    flow
}

/// The tokens of the seeds pass, so that the fuzzer starts from where an authentication ends.
fn passes(mut flow: Flow) -> bool {
    for turn in 10..14 {
        let input = match flow.poll(START, entropy(turn)) {
            Output::Transmit(transmit) => {
                let sending = flow.begin(transmit, START).expect("it was asked for just now");
                sending.answered(Response::json(200, r#"{"auth_req_id":"a","expires_in":120}"#))
            }
            Output::KeySet(request) => request.found(keys()),
            _ => break,
        };
        flow.handle(input, START).expect("this flow's answer");
    }
    flow.finish().is_ok()
}

fn snapshots() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/snapshot");
    fs::create_dir_all(&folder)?;
    let save = |name: &str, flow: &Flow| fs::write(folder.join(name), flow.snapshot().as_bytes());
    let mut flow = flow(config());
    let mut now = START;
    save("started", &flow)?;
    for (step, (status, body)) in [
        (200, r#"{"auth_req_id":"a","expires_in":120,"bindingMessage":"KOBLE FISK"}"#),
        (400, r#"{"error":"authorization_pending","error_description":"waiting"}"#),
        (503, ""),
        (
            200,
            r#"{"access_token":"t","token_type":"Bearer","expires_in":60,"id_token":"e30.e30.AA"}"#,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let transmit = loop {
            match flow.poll(now, entropy(step as u64 + 2)) {
                Output::Transmit(transmit) => break transmit,
                Output::Wait(wait) => now = wait.until(),
                other => panic!("{other:?}"),
            }
        };
        save(&format!("{step}-in-flight"), &flow)?;
        now = now.saturating_add(Duration::from_millis(100));
        let sending = flow.begin(transmit, now).expect("it is in time");
        flow.handle(sending.answered(Response::json(status, body)), now)
            .expect("this flow's answer");
        save(&format!("{step}-answered"), &flow)?;
    }
    flow.cancel(now);
    save("abandoned", &flow)?;
    assert!(passes(early()));
    let mut flow = early();
    save("push-early", &flow)?;
    let Output::Transmit(transmit) = flow.poll(START, entropy(9)) else {
        panic!("the request is next")
    };
    save("push-early-in-flight", &flow)?;
    drop(transmit);
    let mut adrift = self::flow(config_for(DeliveryMode::Ping));
    let Output::Transmit(transmit) = adrift.poll(START, entropy(9)) else {
        panic!("the request is next")
    };
    let lost = adrift
        .begin(transmit, START)
        .expect("it was asked for just now")
        .unanswered(Unanswered::Lost(Cause::Unknown));
    adrift.handle(lost, START).expect("this flow's answer");
    save("ping-adrift", &adrift)
}
