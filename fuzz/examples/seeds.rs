//! Writes the seeds of the target `snapshot`: a flow saved at every step of its life. Run it after the format changed.
use std::{fs, path::Path, time::Duration};

use ciba_core::{Flow, Output, Response};
use ciba_fuzz::{START, config, entropy, flow};

fn main() -> std::io::Result<()> {
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
        (200, r#"{"access_token":"t","token_type":"Bearer","expires_in":60,"id_token":"e30.e30.AA"}"#),
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
        flow.handle(transmit.into_parts().1.answered(Response::json(status, body)), now).expect("this flow's answer");
        save(&format!("{step}-answered"), &flow)?;
    }
    flow.cancel(now);
    save("abandoned", &flow)
}
