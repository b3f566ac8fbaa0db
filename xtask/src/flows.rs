//! Measures the processor time of whole flows: both adapters and npm `openid-client` against the
//! provider of `interop/`, in one run.
//!
//! Each client is one process per scheme. It reads commands line by line and answers with the
//! processor time of each, so that the clients take turns at the same provider. Startup and the
//! compilation of JavaScript are over before the measurement begins.
use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use xshell::{Shell, cmd};

use crate::{
    gate::{Outcome, Stop},
    interop, source,
};

/// Plain HTTP with Basic, and HTTPS with `private_key_jwt` by ES256.
const SCHEMES: [&str; 2] = ["http", "https"];
const PEER: &str = "openid-client";
const CLIENTS: [&str; 3] = [PEER, "ciba-reqwest", "ciba-ureq"];

/// The flows of the warm-up: enough for V8 to compile everything (later rounds are not faster), and
/// for our clients to open their connections and fetch the keys.
const WARM_UP: [u32; 3] = [768, 64, 64];
const AT_ONCE: u32 = 64;
const ROUNDS: u32 = 7;
/// A flow alone takes three intervals of one second.
const ALONE: u32 = 6;
const ROUNDS_ALONE: u32 = 3;
/// The provider answers twice that the request is pending, then with the tokens.
const TOKEN_REQUESTS: u32 = 3;
/// The flows per additional token request that are tolerated: on a busy machine an answer may come
/// too late, and the request is repeated.
const FLOWS_FOR_A_RETRY: u32 = 8;

/// The number of pending flows, and their interval in seconds.
const PENDING: u32 = 1000;
const INTERVAL: u32 = 5;
/// How often the clients take turns, and how many intervals are measured in each turn.
const TURNS: u32 = 2;
const WINDOWS: u32 = 3;

/// The targets as fractions of the processor time of openid-client: client, http, https.
const TARGETS: [(&str, [f64; 2]); 2] =
    [("ciba-reqwest", [1.0 / 10.0, 1.0 / 7.0]), ("ciba-ureq", [1.0 / 5.0, 1.0 / 3.0])];
const PENDING_TARGET: f64 = 1.0 / 5.0;

/// Runs the measurement, shows the tables and adds them to the page. Red if a target is missed.
pub(crate) fn flows(sh: &Shell, page: &mut String) -> Outcome {
    const MANIFEST: &str = "benches/Cargo.toml";
    cmd!(sh, "cargo build --release --manifest-path {MANIFEST} --bin flows").run()?;
    let providers = interop::providers_for_flows(sh, &SCHEMES)?;
    let mut clients = providers
        .iter()
        .map(|(run, _)| CLIENTS.iter().map(|name| Client::start(name, run)).collect())
        .collect::<Result<Vec<Vec<_>>, _>>()?;
    let mut figures = Figures::default();
    for (name, flows) in CLIENTS.into_iter().zip(WARM_UP) {
        together(&mut clients, &[name], &format!("flows {flows} {AT_ONCE}"))?;
    }
    for round in 0..ROUNDS {
        let mut turns = CLIENTS;
        turns.rotate_left(round as usize % CLIENTS.len());
        for name in turns {
            let answers = together(&mut clients, &[name], &format!("flows {AT_ONCE} {AT_ONCE}"))?;
            figures.add(&format!("{AT_ONCE} at a time"), AT_ONCE, answers)?;
        }
    }
    for _ in 0..ROUNDS_ALONE {
        // The clients wait most of the time, so they can run at once.
        let answers = together(&mut clients, &CLIENTS, &format!("flows {ALONE} 1"))?;
        figures.add("one at a time", ALONE, answers)?;
    }
    let [_, https] = &mut clients[..] else { unreachable!("one for each scheme") };
    let pending = pending(https)?;
    let (text, missed) = report(&figures, &pending);
    print!("{text}");
    let _ = writeln!(page, "`cargo xtask bench --flows`:\n\n```text\n{}\n```\n", text.trim_end());
    if missed { Err(Stop::Red("whole flows miss a target".into())) } else { Ok(()) }
}

/// Measures microseconds per poll, by window. The clients take turns, because one provider cannot
/// serve the flows of both at once.
fn pending(clients: &mut [Client]) -> Result<[Vec<f64>; 2], Stop> {
    let [peer, ours, ..] = clients else { unreachable!("openid-client and ciba-reqwest") };
    let mut polls = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for (client, polls) in [&mut *peer, &mut *ours].into_iter().zip(&mut polls) {
            client.does(&format!("pending {PENDING} {INTERVAL}"))?;
            // Every flow has made its first poll by then.
            client.does(&format!("wait {}", INTERVAL + 1))?;
            for _ in 0..WINDOWS {
                let answer = client.does(&format!("wait {INTERVAL}"))?;
                // If the provider cannot keep up, the figure would be its speed.
                if answer.token_requests < PENDING * 8 / 10 {
                    return Err(Stop::Red(format!(
                        "{}: {} polls of {PENDING} flows in {INTERVAL} s",
                        client.name, answer.token_requests
                    )));
                }
                polls.push(answer.cpu_us / f64::from(answer.token_requests));
            }
            client.does("abandon")?;
        }
    }
    Ok(polls)
}

/// Sends one command to the clients with these names, over both schemes, and reads their answers.
fn together<'a>(
    clients: &mut [Vec<Client>],
    names: &[&'a str],
    line: &str,
) -> Result<Vec<(&'static str, &'a str, Answer)>, Stop> {
    let chosen = || names.iter().map(|name| CLIENTS.iter().position(|other| other == name));
    for of_scheme in clients.iter_mut() {
        for at in chosen().flatten() {
            of_scheme[at].tell(line)?;
        }
    }
    let mut answers = Vec::new();
    for (scheme, of_scheme) in SCHEMES.iter().zip(clients) {
        for (at, name) in chosen().flatten().zip(names) {
            answers.push((*scheme, *name, of_scheme[at].answer()?));
        }
    }
    Ok(answers)
}

/// Microseconds per flow, by scheme, number of flows at a time, and client; one value per round.
#[derive(Default)]
struct Figures(Vec<(String, &'static str, Vec<f64>)>);

impl Figures {
    fn add(
        &mut self,
        how_many: &str,
        flows: u32,
        answers: Vec<(&'static str, &'static str, Answer)>,
    ) -> Outcome {
        for (scheme, name, answer) in answers {
            let due = flows * TOKEN_REQUESTS;
            if !(due..=due + flows.div_ceil(FLOWS_FOR_A_RETRY)).contains(&answer.token_requests) {
                return Err(Stop::Red(format!(
                    "{name} sent {} token requests for {flows} flows over {scheme}: the flows of \
                     the clients are not alike",
                    answer.token_requests
                )));
            }
            let each = answer.cpu_us / f64::from(flows);
            let case = format!("{scheme}, {how_many}");
            match self.0.iter_mut().find(|(known, client, _)| *known == case && *client == name) {
                Some((_, _, all)) => all.push(each),
                None => self.0.push((case, name, vec![each])),
            }
        }
        Ok(())
    }

    fn of(&self, case: &str, name: &str) -> &[f64] {
        let found = self.0.iter().find(|(known, client, _)| known == case && *client == name);
        found.map(|(_, _, all)| &all[..]).unwrap_or_default()
    }
}

/// Returns the tables, and whether a target is missed. A ratio is the median over the rounds, so that
/// a slow moment of the machine has no effect.
fn report(figures: &Figures, pending: &[Vec<f64>; 2]) -> (String, bool) {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:<45} {:>15} {:>15} {:>15}",
        "processor time of the client (median)", CLIENTS[0], CLIENTS[1], CLIENTS[2]
    );
    let cases = ["one at a time".to_owned(), format!("{AT_ONCE} at a time")];
    let cases: Vec<_> = SCHEMES
        .iter()
        .enumerate()
        .flat_map(|(at, scheme)| cases.iter().map(move |many| (at, format!("{scheme}, {many}"))))
        .collect();
    for (_, case) in &cases {
        let _ = write!(text, "{:<45}", format!("a flow over {case}, µs"));
        for name in CLIENTS {
            let _ = write!(text, " {:>15.0}", median(figures.of(case, name).to_vec()));
        }
        text.push('\n');
    }
    let [peer, ours] = pending;
    let _ = writeln!(
        text,
        "{:<45} {:>15.0} {:>15.0}",
        format!("a poll of {PENDING} pending flows, https, µs"),
        median(peer.clone()),
        median(ours.clone())
    );
    let _ = writeln!(text, "\n{:<60} {:>9} {:>9}", "figure", "measured", "target");
    let mut missed = false;
    let mut figure = |name: String, ours: &[f64], peer: &[f64], target: f64| {
        let value = median(ours.iter().zip(peer).map(|(ours, peer)| ours / peer).collect());
        let ok = value <= target;
        missed |= !ok;
        let word = if ok { "met" } else { "MISSED" };
        let _ = writeln!(text, "{name:<60} {value:>9.3} {target:>9.3} x  {word}");
    };
    for (name, targets) in TARGETS {
        for (scheme, case) in &cases {
            let what = format!("{name} over {PEER}, {case}");
            figure(what, figures.of(case, name), figures.of(case, PEER), targets[*scheme]);
        }
    }
    figure(
        format!("ciba-reqwest over {PEER}, a poll of {PENDING} pending, https"),
        ours,
        peer,
        PENDING_TARGET,
    );
    (text, missed)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The process of a client, which ends on drop.
struct Client {
    name: &'static str,
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    log: std::path::PathBuf,
}

impl Client {
    fn start(name: &'static str, run: &Path) -> Result<Self, Stop> {
        let root = source::root();
        let mut command = match name.strip_prefix("ciba-") {
            Some(adapter) => {
                let program = format!("flows{}", std::env::consts::EXE_SUFFIX);
                let mut command = Command::new(root.join("benches/target/release").join(program));
                command.arg(adapter);
                command
            }
            None => {
                let mut command = Command::new("node");
                command.arg(root.join("interop/openid-client.mjs"));
                command.env("NODE_EXTRA_CA_CERTS", run.join("ca.pem"));
                command
            }
        };
        let log = run.join(format!("{name}.log"));
        let failed = |error: std::io::Error| Stop::Red(format!("{name}: {error}"));
        let mut child = command
            .arg(run)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).map_err(failed)?)
            .spawn()
            .map_err(failed)?;
        let (Some(commands), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both are pipes")
        };
        Ok(Self { name, child, commands, answers: BufReader::new(answers), log })
    }

    fn tell(&mut self, line: &str) -> Outcome {
        writeln!(self.commands, "{line}").map_err(|_| self.ended())
    }

    fn answer(&mut self) -> Result<Answer, Stop> {
        let mut line = String::new();
        let _ended = self.answers.read_line(&mut line);
        Answer::parse(&line).ok_or_else(|| self.ended())
    }

    fn does(&mut self, line: &str) -> Result<Answer, Stop> {
        self.tell(line)?;
        self.answer()
    }

    fn ended(&self) -> Stop {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        Stop::Red(format!("{} ended\n{log}", self.name))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _gone_already = self.child.wait();
    }
}

/// The answer of a client to one command.
#[derive(Debug, PartialEq)]
struct Answer {
    cpu_us: f64,
    token_requests: u32,
}

impl Answer {
    /// Parses one flat object with two numbers, in either order.
    fn parse(line: &str) -> Option<Self> {
        let member = |name: &str| {
            let (_, rest) = line.split_once(&format!("\"{name}\":"))?;
            rest.split([',', '}']).next()
        };
        Some(Self {
            cpu_us: member("cpu_us")?.parse().ok()?,
            token_requests: member("token_requests")?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_a_client_must_be_two_numbers() {
        let answer = Answer { cpu_us: 1500.0, token_requests: 3 };
        assert_eq!(Answer::parse(r#"{"cpu_us":1500,"token_requests":3}"#), Some(answer));
        assert_eq!(Answer::parse(r#"{"cpu_us":1500}"#), None);
        assert_eq!(Answer::parse(""), None);
    }

    #[test]
    fn a_missed_target_and_an_unmeasured_figure_are_both_failures() {
        let mut figures = Figures::default();
        for how_many in ["one at a time", "64 at a time"] {
            for (name, cpu_us) in CLIENTS.into_iter().zip([1000.0, 90.0, 190.0]) {
                for scheme in SCHEMES {
                    let answer = Answer { cpu_us, token_requests: 3 };
                    assert!(figures.add(how_many, 1, vec![(scheme, name, answer)]).is_ok());
                }
            }
        }
        let met = [vec![100.0], vec![19.0]];
        assert!(!report(&figures, &met).1);
        assert!(report(&figures, &[vec![100.0], vec![21.0]]).1);
        assert!(report(&figures, &[vec![], vec![]]).1);
        assert!(report(&Figures::default(), &met).1);
    }

    #[test]
    fn clients_that_poll_differently_are_not_compared() {
        let answer = Answer { cpu_us: 1.0, token_requests: 5 };
        assert!(Figures::default().add("one at a time", 1, vec![("http", PEER, answer)]).is_err());
    }
}
