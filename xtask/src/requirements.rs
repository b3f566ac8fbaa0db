//! Counts which rules of the specification are tested, waived with a reason, or open.
//!
//! A rule with several clauses marks them `(a)`, `(b)`, … in its text. Each clause needs its own test,
//! and a test claims `REQ-SEC-12b`, not the whole rule. A MUST with more than one sentence and no mark
//! is red, so that the division into clauses is a decision.
//!
//! A test claims a clause with a doc-comment line that is only the id, directly above its attributes.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use xshell::Shell;

use crate::{
    gate::{Gate, Outcome, Stop},
    source,
};

pub(crate) const REQUIREMENTS: Gate =
    Gate { name: "requirements", run: |sh| print(sh, STRICT, false) };

/// Whether an open rule of [`OWED`] makes `cargo xtask ci` red.
const STRICT: bool = true;

/// The sections in which every MUST, or every row about misbehaving providers, needs a test.
const OWED: [&str; 24] = [
    "REQ-META", "REQ-DISC", "REQ-AUTH", "REQ-AREQ", "REQ-SIGN", "REQ-PING", "REQ-PUSH", "REQ-FAPI",
    "REQ-ACK", "REQ-AERR", "REQ-POLL", "REQ-TOK", "REQ-IDT", "REQ-JWKS", "REQ-POP", "REQ-SEC",
    "OPM-DSC", "OPM-ACK", "OPM-POL", "OPM-IDT", "OPM-PNG", "OPM-PSH", "OPM-REQ", "OPM-TLS",
];

/// The shortest accepted reason of a waiver, in bytes.
const REASON: usize = 20;

/// A rule, or a clause of one.
#[derive(Debug, PartialEq, Eq)]
struct Rule {
    id: String,
    must: bool,
}

/// A test and the rule that it claims to test.
#[derive(Debug, PartialEq, Eq)]
struct Claim {
    id: String,
    test: String,
}

/// Prints the table. Red if a claim or waiver is contradictory and, with `strict`, if a rule that needs
/// a test has none.
pub(crate) fn print(sh: &Shell, strict: bool, list: bool) -> Outcome {
    let requirements = sh.read_file("spec/requirements.md")?;
    let mut rules = catalogue(&requirements);
    rules.extend(misbehaviour(&sh.read_file("spec/misbehaving-op.md")?));
    let (waivers, mut wrong) = waivers(&sh.read_file("spec/waivers.toml")?);
    wrong.extend(undivided(&requirements));
    let mut claims = Vec::new();
    for directory in ["crates", "tests"] {
        for path in source::files(&source::root().join(directory), "rs") {
            let (found, bad) = claims_of(&fs::read_to_string(&path).unwrap_or_default());
            claims.extend(found);
            wrong.extend(bad.into_iter().map(|what| format!("{}:{what}", source::shown(&path))));
        }
    }
    let coverage = Coverage::new(&rules, &claims, &waivers);
    wrong.extend(coverage.contradictions());
    for line in coverage.table() {
        println!("{line}");
    }
    let owed = coverage.owed();
    println!("\nwithout the test they need: {}", owed.len());
    if list {
        let all: Vec<_> =
            rules.iter().filter(|rule| coverage.open(rule)).map(|rule| rule.id.as_str()).collect();
        println!("open: {}", all.join(" "));
    } else if !owed.is_empty() {
        println!("{}", owed.join(" "));
    }
    if strict && !owed.is_empty() {
        wrong.push(format!("{} rules need a test: {}", owed.len(), owed.join(" ")));
    }
    if wrong.is_empty() { Ok(()) } else { Err(Stop::Red(wrong.join("\n"))) }
}

struct Coverage<'a> {
    rules: &'a [Rule],
    claimed: BTreeMap<&'a str, Vec<&'a str>>,
    waivers: &'a BTreeMap<String, String>,
}

impl<'a> Coverage<'a> {
    fn new(rules: &'a [Rule], claims: &'a [Claim], waivers: &'a BTreeMap<String, String>) -> Self {
        let mut claimed = BTreeMap::<&str, Vec<&str>>::new();
        for claim in claims {
            claimed.entry(&claim.id).or_default().push(&claim.test);
        }
        Self { rules, claimed, waivers }
    }

    fn open(&self, rule: &Rule) -> bool {
        !self.claimed.contains_key(rule.id.as_str()) && !self.is_waived(rule)
    }

    /// A waiver of a rule waives all its clauses.
    fn is_waived(&self, rule: &Rule) -> bool {
        self.waivers.contains_key(&rule.id) || self.waivers.contains_key(whole(&rule.id))
    }

    fn owed(&self) -> Vec<&str> {
        let owed = |rule: &&Rule| rule.must && OWED.contains(&section(&rule.id)) && self.open(rule);
        self.rules.iter().filter(owed).map(|rule| rule.id.as_str()).collect()
    }

    /// Finds ids without a rule, and waivers of rules that are tested.
    fn contradictions(&self) -> Vec<String> {
        let known: BTreeSet<&str> = self.rules.iter().map(|rule| rule.id.as_str()).collect();
        let mut wrong = Vec::new();
        for (id, tests) in &self.claimed {
            if known.contains(format!("{id}a").as_str()) {
                wrong.push(format!(
                    "{id} has several clauses: {} must say which one it tests ({id}a, …)",
                    tests.join(", ")
                ));
            } else if !known.contains(id) {
                wrong.push(format!(
                    "{id} is claimed by {} but is in no table of spec/",
                    tests.join(", ")
                ));
            }
        }
        for id in self.waivers.keys() {
            let covers = |clause: &str| clause == id || whole(clause) == id;
            if !known.iter().any(|clause| covers(clause)) {
                wrong.push(format!("spec/waivers.toml: {id} is in no table of spec/"));
            }
            for (clause, tests) in self.claimed.iter().filter(|(clause, _)| covers(clause)) {
                wrong.push(format!(
                    "spec/waivers.toml: {id} is waived, but {} tests {clause}",
                    tests.join(", ")
                ));
            }
        }
        wrong
    }

    fn table(&self) -> Vec<String> {
        let mut sections: Vec<&str> = self.rules.iter().map(|rule| section(&rule.id)).collect();
        sections.dedup();
        let mut lines = vec![format!(
            "{:10} {:>7} {:>7} {:>7} {:>5}  of them MUST",
            "section", "clauses", "tested", "waived", "open"
        )];
        let mut sum = [0; 5];
        for name in sections {
            let rules: Vec<_> =
                self.rules.iter().filter(|rule| section(&rule.id) == name).collect();
            let tested =
                rules.iter().filter(|rule| self.claimed.contains_key(rule.id.as_str())).count();
            let waived = rules.iter().filter(|rule| self.is_waived(rule)).count();
            let open = rules.iter().filter(|rule| self.open(rule)).count();
            let must = rules.iter().filter(|rule| rule.must && self.open(rule)).count();
            let row = [rules.len(), tested, waived, open, must];
            sum.iter_mut().zip(row).for_each(|(sum, n)| *sum += n);
            lines.push(row_text(name, row));
        }
        lines.push(row_text("all", sum));
        for (id, reason) in self.waivers {
            lines.push(format!("waived {id}: {reason}"));
        }
        lines
    }
}

/// `REQ-SEC-12` of `REQ-SEC-12b`.
fn whole(id: &str) -> &str {
    id.trim_end_matches(|c: char| c.is_ascii_lowercase())
}

fn row_text(name: &str, [rules, tested, waived, open, must]: [usize; 5]) -> String {
    format!("{name:10} {rules:7} {tested:7} {waived:7} {open:5}  {must}")
}

/// `REQ-ACK` of `REQ-ACK-04`.
fn section(id: &str) -> &str {
    id.rsplit_once('-').map_or(id, |(section, _)| section)
}

fn catalogue(text: &str) -> Vec<Rule> {
    rows(text)
        .filter(|cells| is_id(cells[0], "REQ-"))
        .flat_map(|cells| {
            let must = cells[1].starts_with("MUST");
            let rule = |mark: &str| Rule { id: format!("{}{mark}", cells[0]), must };
            match clauses(cells[2]) {
                0 | 1 => vec![rule("")],
                several => MARKS[..several].iter().map(|mark| rule(mark)).collect(),
            }
        })
        .collect()
}

const MARKS: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

/// Returns the number of clauses that the text of a rule marks with `(a)`, `(b)` and so on.
fn clauses(text: &str) -> usize {
    MARKS.iter().take_while(|mark| text.contains(&format!("({mark}) "))).count()
}

/// Finds MUSTs with more than one sentence and no marked clause.
fn undivided(text: &str) -> Vec<String> {
    rows(text)
        .filter(|cells| is_id(cells[0], "REQ-") && cells[1].starts_with("MUST"))
        .filter(|cells| {
            let words = cells[2].split_once("** ").map_or(cells[2], |(_title, rest)| rest);
            clauses(cells[2]) == 0
                && (words.contains("; ") || words.trim_end_matches('.').contains(". "))
        })
        .map(|cells| format!("{}: more than one sentence, and no clause is marked (a)", cells[0]))
        .collect()
}

/// Its rows are named `REQ-01` and `ACK-04`. Tests write `OPM-REQ-01`, because `REQ-` is the prefix of
/// the catalogue.
fn misbehaviour(text: &str) -> Vec<Rule> {
    rows(text)
        .map(|cells| format!("OPM-{}", cells[0]))
        .filter(|id| is_id(id, "OPM-"))
        .map(|id| Rule { id, must: true })
        .collect()
}

fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines()
        .filter_map(|line| line.strip_prefix('|'))
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
        .filter(|cells| cells.len() > 2)
}

/// `REQ-`, capital letters, `-`, two digits, and optionally the letter of a clause.
fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).and_then(|rest| rest.split_once('-')).is_some_and(
        |(section, number)| {
            let number = number.strip_suffix(|c: char| c.is_ascii_lowercase()).unwrap_or(number);
            !section.is_empty()
                && section.bytes().all(|b| b.is_ascii_uppercase())
                && number.len() >= 2
                && number.bytes().all(|b| b.is_ascii_digit())
        },
    )
}

fn id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

/// One `"REQ-META-04" = "reason"` per line: a subset of TOML that needs no parser.
fn waivers(text: &str) -> (BTreeMap<String, String>, Vec<String>) {
    let mut found = BTreeMap::new();
    let mut wrong = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with('[') {
            continue;
        }
        let parsed = line.split_once(" = ").and_then(|(id, reason)| {
            Some((id.trim().trim_matches('"'), reason.trim().strip_prefix('"')?.strip_suffix('"')?))
        });
        match parsed {
            Some((id, reason)) if reason.len() >= REASON => {
                if found.insert(id.to_owned(), reason.to_owned()).is_some() {
                    wrong.push(format!("spec/waivers.toml:{}: {id} occurs twice", number + 1));
                }
            }
            Some((id, _)) => {
                wrong.push(format!("spec/waivers.toml:{}: {id} needs a longer reason", number + 1))
            }
            None => {
                wrong.push(format!("spec/waivers.toml:{}: not `\"ID\" = \"reason\"`", number + 1))
            }
        }
    }
    (found, wrong)
}

/// Returns the claims of one file, and the lines that look like a claim but are not above a test.
fn claims_of(text: &str) -> (Vec<Claim>, Vec<String>) {
    let mut claims = Vec::new();
    let mut wrong = Vec::new();
    let mut pending: Vec<(usize, &str)> = Vec::new();
    let (mut test, mut ignored, mut open) = (false, false, 0_usize);
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if open > 0 || line.starts_with("#[") {
            open = (open + line.matches('[').count()).saturating_sub(line.matches(']').count());
            test |= is_test(line);
            ignored |= line.starts_with("#[ignore");
        } else if let Some(doc) = line.strip_prefix("///") {
            let doc = doc.trim();
            if is_id(doc, "REQ-") || is_id(doc, "OPM-") {
                pending.push((number + 1, doc));
            } else if (doc.starts_with("REQ-") || doc.starts_with("OPM-"))
                && doc.bytes().all(id_byte)
            {
                wrong.push(format!("{}: {doc} is not an id", number + 1));
            }
        } else {
            let name = function(line);
            for (at, id) in pending.drain(..) {
                match name {
                    Some(_) if ignored => {
                        wrong.push(format!("{at}: {id} is above an ignored test"))
                    }
                    Some(name) if test => {
                        claims.push(Claim { id: id.to_owned(), test: name.to_owned() })
                    }
                    _ => wrong.push(format!("{at}: {id} is not above a test")),
                }
            }
            (test, ignored) = (false, false);
        }
    }
    (claims, wrong)
}

fn is_test(attribute: &str) -> bool {
    let inside = attribute.trim_start_matches("#[");
    let end =
        inside.find(|c: char| !c.is_alphanumeric() && c != ':' && c != '_').unwrap_or(inside.len());
    matches!(&inside[..end], "test" | "tokio::test")
}

fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("async ").unwrap_or(line);
    let rest = line.strip_prefix("fn ")?;
    Some(&rest[..rest.find(['(', '<']).unwrap_or(rest.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = "| ID | Lvl | Rule |\n| --- | --- | --- |\n| REQ-ACK-04 | MUST† | x |\n| REQ-ACK-05 | MAY | see REQ-ACK-04 |\n";

    fn owed(claims: &[Claim], waived: &str) -> Vec<String> {
        let rules = catalogue(SPEC);
        let (waivers, _) = waivers(waived);
        Coverage::new(&rules, claims, &waivers).owed().into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn the_requirement_tables_are_parsed() {
        let rules = catalogue(SPEC);
        assert_eq!(rules.len(), 2);
        assert!(rules[0].must && !rules[1].must);
        let rows = misbehaviour("| id | the OP does | x |\n| REQ-01 | a | b |\n");
        assert_eq!(rows, [Rule { id: "OPM-REQ-01".into(), must: true }]);
    }

    #[test]
    fn each_marked_clause_needs_its_own_test() {
        let spec = "| REQ-SEC-12 | MUST | **Title.** (a) Never this; (b) offer that. |\n";
        let rules = catalogue(spec);
        assert_eq!(
            rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(),
            ["REQ-SEC-12a", "REQ-SEC-12b"]
        );
        let claims =
            ["REQ-SEC-12a", "REQ-SEC-12"].map(|id| Claim { id: id.into(), test: "t".into() });
        let waivers = BTreeMap::new();
        assert_eq!(Coverage::new(&rules, &claims[..1], &waivers).owed(), ["REQ-SEC-12b"]);
        assert_eq!(Coverage::new(&rules, &claims, &waivers).contradictions().len(), 1);
        let (waivers, _) = super::waivers("\"REQ-SEC-12\" = \"all of it, for a good reason\"");
        assert_eq!(Coverage::new(&rules, &[], &waivers).owed(), Vec::<&str>::new());
        assert_eq!(Coverage::new(&rules, &claims[..1], &waivers).contradictions().len(), 1);
        assert_eq!(claims_of("/// REQ-SEC-12b\n#[test]\nfn a() {}\n").0.len(), 1);
    }

    #[test]
    fn a_must_of_several_sentences_has_marked_clauses() {
        for (row, found) in [
            ("| REQ-ACK-04 | MUST | **Title.** One thing. |", 0),
            ("| REQ-ACK-04 | MUST | **Title.** One thing; and another. |", 1),
            ("| REQ-ACK-04 | MUST NOT | One thing. Another. |", 1),
            ("| REQ-ACK-04 | MUST | **Title.** (a) One thing. That is so because. |", 0),
            ("| REQ-ACK-04 | SHOULD | **Title.** One thing. Another. |", 0),
        ] {
            assert_eq!(undivided(row).len(), found, "{row}");
        }
    }

    #[test]
    fn an_open_must_needs_a_test_or_a_waiver() {
        assert_eq!(owed(&[], ""), ["REQ-ACK-04"]);
        assert_eq!(
            owed(&[Claim { id: "REQ-ACK-04".into(), test: "t".into() }], ""),
            Vec::<String>::new()
        );
        assert_eq!(
            owed(&[], "\"REQ-ACK-04\" = \"needs something that is not there yet\""),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_claim_counts_only_on_its_own_line_above_a_test() {
        let good = "/// REQ-ACK-04\n/// OPM-ACK-07\n#[test]\n#[cfg(\n    unix\n)]\nfn a() {}\n\
                    /// REQ-ACK-05\n#[tokio::test(flavor = \"x\")]\nasync fn b() {}\n";
        let (claims, wrong) = claims_of(good);
        assert_eq!(
            claims.iter().map(|claim| claim.id.as_str()).collect::<Vec<_>>(),
            ["REQ-ACK-04", "OPM-ACK-07", "REQ-ACK-05"]
        );
        assert_eq!(wrong, Vec::<String>::new());
        for bad in [
            "/// REQ-ACK-04\nfn a() {}\n",
            "/// REQ-ACK-04\n#[derive(Debug)]\nstruct A;\n",
            "/// REQ-ACK-04\n\n#[test]\nfn a() {}\n",
            "/// REQ-ACK-04\n#[test]\n#[ignore]\nfn a() {}\n",
            "/// REQ-ACK-4\n#[test]\nfn a() {}\n",
        ] {
            let (claims, wrong) = claims_of(bad);
            assert_eq!((claims.len(), wrong.len()), (0, 1), "{bad}");
        }
        for prose in
            ["/// REQ-ACK-04 says so.\n#[test]\nfn a() {}\n", "// REQ-ACK-04\n#[test]\nfn a() {}\n"]
        {
            assert_eq!(claims_of(prose), (vec![], vec![]), "{prose}");
        }
    }

    #[test]
    fn an_unknown_id_and_a_needless_waiver_are_errors() {
        let rules = catalogue(SPEC);
        let claims = [
            Claim { id: "REQ-ACK-99".into(), test: "t".into() },
            Claim { id: "REQ-ACK-04".into(), test: "u".into() },
        ];
        let (waived, _) = waivers(
            "\"REQ-ACK-04\" = \"a reason that is long enough\"\n\"REQ-NO-01\" = \"a reason that is long enough\"",
        );
        assert_eq!(Coverage::new(&rules, &claims, &waived).contradictions().len(), 3);
    }

    #[test]
    fn a_waiver_needs_a_reason() {
        assert_eq!(waivers("\"REQ-ACK-04\" = \"\"").1.len(), 1);
        assert_eq!(waivers("REQ-ACK-04\n").1.len(), 1);
    }
}
