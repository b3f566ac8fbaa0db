//! A person named by a national id is compared with the person in the ID Token, however the request
//! was built (rulings 24 and 25): the rule belongs to the configuration.

use ciba_core::{
    AuthRequest, Hint, Person,
    evidence::{ComparedBy, NotCompared},
    expect::Presence,
    jose::JwsAlgorithm,
    providers::{
        self,
        idura::{
            CallInitiator, Check, FREJA_ID, FreeForm, NORWEGIAN_BANKID, NorwegianBankId,
            NorwegianNationalId, SWEDISH_BANKID, SwedishBankId, SwedishPersonalNumber,
        },
    },
    request::AuthorizationDetail,
    secret::LoginHint,
};
use ciba_test_op::{IdTokenEdit, ProviderConfig, Script};
use ciba_tests::{
    drivers::{core, run},
    scenario::{Auth, Requests, Scenario, polls},
};

const SWEDE: &str = "196802020575";
const NORWEGIAN: &str = "01010750160";
const REFUSED: &str = "untrusted another-person";

/// A way to build a request: its name, the number in it, its constructor, and whether a token without
/// `ssn` is refused.
struct Way {
    name: &'static str,
    number: &'static str,
    build: fn() -> AuthRequest,
    needs_ssn: bool,
}

fn hint(number: &str) -> LoginHint {
    LoginHint::new(format!("sub:ssn:{number}"))
}

fn phone_auth() -> AuthorizationDetail {
    AuthorizationDetail::new("phoneAuth").with("callInitiator", "RP")
}

fn plain(eid: &str, number: &str) -> AuthRequest {
    AuthRequest::new(Hint::Login(hint(number))).acr_values([eid])
}

fn swedish() -> SwedishBankId {
    let person = SwedishPersonalNumber::parse(SWEDE).expect("a personal number");
    SwedishBankId::phone_authentication(person, CallInitiator::Company, "Order 4711")
}

fn norwegian() -> NorwegianBankId {
    NorwegianBankId::caller_authentication(
        NorwegianNationalId::parse(NORWEGIAN).expect("a national id"),
    )
}

/// Every way to name a person by number with Idura.
fn ways() -> Vec<Way> {
    let way = |name, number, build, needs_ssn| Way { name, number, build, needs_ssn };
    vec![
        way("Swedish", SWEDE, || swedish().into_request(), true),
        way(
            "Swedish, relaxed",
            SWEDE,
            || swedish().person_check(Check::IfPresent).into_request(),
            false,
        ),
        way("Swedish, off", SWEDE, || swedish().person_check(Check::Off).into_request(), false),
        way(
            "Swedish, required",
            SWEDE,
            || swedish().person_check(Check::Require).into_request(),
            true,
        ),
        way("Norwegian", NORWEGIAN, || norwegian().into_request(), false),
        way(
            "Norwegian, off",
            NORWEGIAN,
            || norwegian().person_check(Check::Off).into_request(),
            false,
        ),
        way("FrejaID", SWEDE, || FreeForm::freja_id(hint(SWEDE)).into_request(), false),
        way(
            "refined",
            SWEDE,
            || FreeForm::new("urn:grn:authn:se:bankid:phone", hint(SWEDE)).into_request(),
            true,
        ),
        way(
            "refined twice",
            SWEDE,
            || plain("urn:grn:authn:se:bankid:another-device:qr", SWEDE),
            true,
        ),
        way(
            "refined Norwegian",
            NORWEGIAN,
            || plain("urn:grn:authn:no:bankid:high", NORWEGIAN),
            false,
        ),
        way("an eID of tomorrow", SWEDE, || plain("urn:grn:authn:xx:new", SWEDE), false),
        way("plain, FrejaID", SWEDE, || plain(FREJA_ID, SWEDE), false),
        way(
            "plain, Swedish",
            SWEDE,
            || plain(SWEDISH_BANKID, SWEDE).binding_message("m").authorization_detail(phone_auth()),
            true,
        ),
        way(
            "plain, Swedish, relaxed",
            SWEDE,
            || {
                let request = plain(SWEDISH_BANKID, SWEDE)
                    .binding_message("m")
                    .authorization_detail(phone_auth());
                request.person_check(Presence::IfPresent)
            },
            false,
        ),
        way(
            "plain, Norwegian",
            NORWEGIAN,
            || {
                plain(NORWEGIAN_BANKID, NORWEGIAN)
                    .authorization_detail(AuthorizationDetail::new("customerServiceCall.v1"))
            },
            false,
        ),
    ]
}

fn row(way: &Way, name: &str, edits: &[(&str, Option<&str>)]) -> Scenario {
    let script = edits.iter().fold(Script::new(), |script, (claim, value)| {
        script.id_token(match value {
            Some(value) => IdTokenEdit::set(claim, *value),
            None => IdTokenEdit::remove(claim),
        })
    });
    let mut row = Scenario::new(format!("{}: {name}", way.name), script)
        .auth(Auth::Key(JwsAlgorithm::Rs256))
        .provider(|issuer| ProviderConfig::idura(issuer))
        .request(way.build)
        .ends(REFUSED, polls(4).keys(1));
    row.preset = Some(providers::IDURA);
    row
}

/// Runs every row with the core, and only some with the adapters, because the verdict is core's.
fn run_many(mut rows: Vec<Scenario>) {
    for row in &rows {
        let outcome = core(row);
        assert_eq!(
            (outcome.result.as_str(), outcome.requests()),
            (row.expected.as_str(), row.requests),
            "{}",
            row.name
        );
        assert!(outcome.report.violations.is_empty(), "{}: {}", row.name, outcome.report);
    }
    let mut counter = 0;
    rows.retain(|_| {
        counter += 1;
        counter % 10 == 1
    });
    run(rows);
}

/// The row succeeds, and the result says this about the person.
fn accepted(row: Scenario, number: &'static str, person: Person) -> Scenario {
    let subject = match number {
        SWEDE => "authenticated {bb9c2364-dfae-44f3-bcfd-999053d94f9e}",
        _ => "authenticated {e85974c5-bb48-4118-8d4f-fddd215df918}",
    };
    row.ends(subject, polls(4).keys(1))
        .check(move |_, found| assert_eq!(found.map(|found| found.person()), Some(person)))
}

#[test]
fn another_national_id_is_refused_however_the_request_was_built() {
    let mut rows = Vec::new();
    for way in ways() {
        // Another last digit; a person of the other country.
        let other = if way.number == SWEDE { "196802020576" } else { "01010750161" };
        for claim in ["ssn", "socialno"] {
            for number in [other, if way.number == SWEDE { NORWEGIAN } else { SWEDE }] {
                rows.push(row(&way, &format!("another {claim}"), &[(claim, Some(number))]));
            }
        }
        rows.push(row(&way, "one of two", &[("ssn", Some(way.number)), ("socialno", Some(other))]));
        let both = [("ssn", Some(way.number)), ("socialno", Some(way.number))];
        let compared = Person::Compared(ComparedBy::NationalId);
        rows.push(accepted(row(&way, "the same twice", &both), way.number, compared));
    }
    run_many(rows);
}

#[test]
fn a_token_without_a_person_is_refused_if_the_eid_always_names_the_person_and_reported_otherwise() {
    let mut rows = Vec::new();
    for way in ways() {
        let silent = row(&way, "no person", &[("ssn", None), ("socialno", None)]);
        rows.push(match way.needs_ssn {
            true => silent,
            false => accepted(silent, way.number, Person::NotCompared(NotCompared::NotInToken)),
        });
        let build = way.build;
        rows.push(
            row(&way, "no person, and required", &[("ssn", None), ("socialno", None)])
                .request(move || build().require_person()),
        );
        rows.push(
            row(&way, "no person, and required of all", &[("ssn", None), ("socialno", None)])
                .client(|builder| builder.require_person()),
        );
    }
    run_many(rows);
}

#[test]
fn the_same_swedish_person_in_another_spelling_is_the_same_person() {
    let compared = Person::Compared(ComparedBy::NationalId);
    let mut rows = Vec::new();
    for way in ways().into_iter().filter(|way| way.number == SWEDE) {
        for spelling in ["6802020575", "680202-0575", "19680202-0575"] {
            rows.push(accepted(row(&way, spelling, &[("ssn", Some(spelling))]), SWEDE, compared));
        }
        // Another century; additional characters.
        for spelling in
            ["186802020575", "680202+0575", "206802020575", "680202 0575", "196802020575x", ""]
        {
            rows.push(row(&way, spelling, &[("ssn", Some(spelling))]));
        }
    }
    run_many(rows);
}

#[test]
fn another_eid_is_refused_however_the_request_was_built() {
    let mut rows = Vec::new();
    for way in ways() {
        for claim in ["authenticationtype", "acr"] {
            rows.push(
                row(&way, claim, &[(claim, Some("urn:grn:authn:dk:mitid"))])
                    .ends("untrusted another-eid", polls(4).keys(1)),
            );
        }
    }
    run_many(rows);
}

#[test]
fn an_ambiguous_national_id_is_not_sent() {
    let mut rows = Vec::new();
    for number in [
        "",
        " 196802020575",
        "196802020575 ",
        "19680202 0575",
        "19680202\u{a0}0575",
        "1\u{200b}",
        "1 sub:ssn:2",
    ] {
        let refused = row(&ways()[0], number, &[]).request(move || plain(FREJA_ID, number));
        let why = match number {
            "" => "it has no number after sub:ssn:",
            _ => {
                "it has a space, or another character that no national id contains, after sub:ssn:"
            }
        };
        rows.push(
            refused.ends(&format!("request: login_hint cannot be sent: {why}"), Requests::NONE),
        );
    }
    run(rows);
}

/// ID-24: the rules of an eID for binding messages belong to the configuration, too.
#[test]
fn a_binding_message_that_the_eid_refuses_is_not_sent_however_the_request_was_built() {
    const NONE: &str = "request: binding_message cannot be sent: Norwegian BankID accepts none; its acknowledgement contains two words to read to the person";
    const ONE: &str = "request: binding_message cannot be sent: Swedish BankID requires one";
    let mut rows = Vec::new();
    for way in ways() {
        let build = way.build;
        let exactly_swedish =
            way.name.starts_with("Swedish") || way.name.starts_with("plain, Swedish");
        let both = [("ssn", Some(way.number)), ("socialno", Some(way.number))];
        let with = row(&way, "with a message", &both)
            .request(move || build().binding_message("Order 4711"));
        rows.push(match way.number {
            NORWEGIAN => with.ends(NONE, Requests::NONE),
            _ => accepted(with, way.number, Person::Compared(ComparedBy::NationalId)),
        });
        if exactly_swedish {
            rows.push(
                row(&way, "without", &[])
                    .request(move || build().binding_message(""))
                    .ends(ONE, Requests::NONE),
            );
        }
    }
    // The eID is configured for all requests instead of named by each.
    let registered = |eid: &'static str, message: &'static str, why| {
        row(&ways()[0], eid, &[])
            .client(move |builder| builder.default_acr_values([eid]))
            .request(move || AuthRequest::new(Hint::Login(hint(SWEDE))).binding_message(message))
            .ends(why, Requests::NONE)
    };
    rows.push(registered(NORWEGIAN_BANKID, "Order 4711", NONE));
    rows.push(registered(SWEDISH_BANKID, "", ONE));
    run_many(rows);
}

#[test]
fn the_compared_person_is_reported_for_other_hints_too() {
    let generic = |name: &str, request: fn() -> AuthRequest, person| {
        Scenario::new(name, Script::new())
            .request(request)
            .check(move |_, found| assert_eq!(found.map(|found| found.person()), Some(person)))
    };
    run(vec![
        generic(
            "nothing to compare",
            || AuthRequest::new(Hint::Login("approve".into())).binding_message("W4SCT"),
            Person::NotCompared(NotCompared::NothingToCompare),
        ),
        generic(
            "a subject",
            || {
                AuthRequest::new(Hint::Login("approve".into()))
                    .binding_message("W4SCT")
                    .expecting(ciba_core::expect::Expectations::new().subject("user-approve"))
                    .require_person()
            },
            Person::Compared(ComparedBy::Subject),
        ),
    ]);
}
