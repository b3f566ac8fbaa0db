//! From options to one authentication request.

use std::{io::Read as _, path::Path, time::Duration};

use ciba_core::{
    AuthRequest, Hint,
    expect::Expectations,
    providers::{
        self,
        idura::{
            self, CallInitiator, FreeForm, NorwegianBankId, NorwegianNationalId, SwedishBankId,
            SwedishPersonalNumber,
        },
    },
    secret::{CompactIdToken, LoginHint, LoginHintToken, UserCode},
};
use serde_json::{Value, json};

use crate::{
    args::{self, Provider},
    exit::Stop,
    files::{read, read_secret},
    pair::pair_of,
    wording::reason,
};

impl args::Request {
    /// The request these options describe. Its values are checked by core when a flow is started
    /// with it.
    pub(crate) fn build(&self, provider: Provider) -> Result<AuthRequest, Stop> {
        self.one_from_standard_input()?;
        let mut request = match provider.0 {
            Some(preset) if preset == providers::IDURA => self.idura()?,
            Some(_) | None => self.generic()?,
        };
        if let Some(scope) = &self.scope {
            request = request.scope(scope);
        }
        if self.no_openid {
            request = request.without_openid();
        }
        if let Some(code) = &self.user_code {
            request = request.user_code(UserCode::new(given_by(read_secret, code, "--user-code")?));
        }
        if let Some(seconds) = self.requested_expiry {
            request = request.requested_expiry(Duration::from_secs(seconds));
        }
        for resource in &self.resource {
            request = request.resource(resource);
        }
        for pair in &self.param {
            let (name, value) = pair_of("--param", pair)?;
            request = request.extra(name, value);
        }
        if self.unique_context {
            request = request.unique_context();
        }
        if let Some(rule) = self.acr_rule {
            request = request.expecting(Expectations::new().acr(rule));
        }
        if self.require_granted {
            request = request.require_granted();
        }
        if self.require_person {
            request = request.require_person();
        }
        for claim in &self.expect_present {
            request = request.expecting(Expectations::new().claim_present(claim));
        }
        if let Some(name) = &self.trust_framework {
            request = request.expecting(Expectations::new().trust_framework(name));
        }
        if self.expect.is_empty() {
            return Ok(request);
        }
        let mut expectations = Expectations::new();
        for pair in &self.expect {
            let (claim, value) = pair_of("--expect", pair)?;
            expectations = if claim == "sub" {
                expectations.subject(value)
            } else {
                expectations.claim(claim, value)
            };
        }
        Ok(request.expecting(expectations))
    }

    /// Standard input can be read only once.
    fn one_from_standard_input(&self) -> Result<(), Stop> {
        let options = [
            &self.login_hint,
            &self.login_hint_token,
            &self.id_token_hint,
            &self.user_code,
            &self.authorization_details,
        ];
        match options.into_iter().flatten().filter(|text| *text == "-").count() {
            0 | 1 => Ok(()),
            _ => Err(Stop::usage("only one option can be read from standard input, with `-`")),
        }
    }

    /// The request to a provider without a request type of its own.
    fn generic(&self) -> Result<AuthRequest, Stop> {
        let mut request = AuthRequest::new(self.hint()?);
        if let Some(values) = &self.acr_values {
            request = request.acr_values(values.split_ascii_whitespace());
        }
        self.message_and_details(request)
    }

    fn message_and_details(&self, mut request: AuthRequest) -> Result<AuthRequest, Stop> {
        if let Some(message) = &self.binding_message {
            request = request.binding_message(message);
        }
        if let Some(details) = &self.authorization_details {
            request = request.authorization_details_json(authorization_details(details)?);
        }
        Ok(request)
    }

    /// The request to Idura. `--acr-values` names the eID, which decides what else is allowed.
    fn idura(&self) -> Result<AuthRequest, Stop> {
        let Hint::Login(hint) = self.hint()? else {
            return Err(Stop::usage("Idura takes --login-hint and no other hint"));
        };
        let eid = self.acr_values.as_deref().unwrap_or_default();
        let details =
            self.authorization_details.as_deref().map(authorization_details).transpose()?;
        let details: Option<Value> = details
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|_| Stop::usage("--authorization-details is not JSON"))?;
        let number = || {
            hint.expose().strip_prefix("sub:ssn:").ok_or_else(|| {
                Stop::usage("--login-hint for this eID is `sub:ssn:` and the national id")
            })
        };
        let wrong_number = |error: idura::NationalIdError| {
            Stop::usage(format!("--login-hint cannot be used: {error}"))
        };
        match eid {
            "" => Err(Stop::usage(format!(
                "Idura needs --acr-values, which names the eID: {} or {}, for example",
                idura::SWEDISH_BANKID,
                idura::NORWEGIAN_BANKID
            ))),
            idura::SWEDISH_BANKID => {
                let person = SwedishPersonalNumber::parse(number()?).map_err(wrong_number)?;
                let message = self.binding_message.as_deref().filter(|message| !message.is_empty());
                let message = message.ok_or_else(|| {
                    Stop::usage("Swedish BankID needs --binding-message: the text the person sees in the app")
                })?;
                let initiator = match details {
                    None => CallInitiator::Company,
                    Some(details)
                        if details == json!([{"type": "phoneAuth", "callInitiator": "RP"}]) =>
                    {
                        CallInitiator::Company
                    }
                    Some(details)
                        if details == json!([{"type": "phoneAuth", "callInitiator": "user"}]) =>
                    {
                        CallInitiator::Customer
                    }
                    Some(_) => {
                        return Err(Stop::usage(
                            "--authorization-details of Swedish BankID are [{\"type\":\"phoneAuth\",\"callInitiator\":\"RP\"}], or \"user\" when the person dialled",
                        ));
                    }
                };
                Ok(SwedishBankId::phone_authentication(person, initiator, message).into_request())
            }
            idura::NORWEGIAN_BANKID => {
                let person = NorwegianNationalId::parse(number()?).map_err(wrong_number)?;
                if self.binding_message.is_some() {
                    return Err(Stop::usage(
                        "Norwegian BankID takes no --binding-message: it sends two words to read to the person instead",
                    ));
                }
                if details
                    .is_some_and(|details| details != json!([{"type": "customerServiceCall.v1"}]))
                {
                    return Err(Stop::usage(
                        "--authorization-details of Norwegian BankID are [{\"type\":\"customerServiceCall.v1\"}]",
                    ));
                }
                Ok(NorwegianBankId::caller_authentication(person).into_request())
            }
            eid => self.message_and_details(FreeForm::new(eid, hint).into_request()),
        }
    }

    /// Exactly one hint (CIBA 7.1).
    fn hint(&self) -> Result<Hint, Stop> {
        const THREE: &str = "--login-hint, --login-hint-token or --id-token-hint";
        match (&self.login_hint, &self.login_hint_token, &self.id_token_hint) {
            (Some(hint), None, None) => {
                Ok(Hint::Login(LoginHint::new(given(hint, "--login-hint")?)))
            }
            (None, Some(token), None) => {
                Ok(Hint::LoginToken(LoginHintToken::new(given(token, "--login-hint-token")?)))
            }
            (None, None, Some(token)) => {
                Ok(Hint::IdToken(CompactIdToken::new(given(token, "--id-token-hint")?)))
            }
            (None, None, None) => Err(Stop::usage(format!("no person is named: give {THREE}"))),
            _ => {
                Err(Stop::usage(format!("more than one hint is given: only one of {THREE} may be")))
            }
        }
    }
}

/// The JSON itself, or the content of a file or of standard input.
fn authorization_details(text: &str) -> Result<String, Stop> {
    given(text, "--authorization-details")
}

/// The value of an option: the text itself, the content of the file for `@FILE`, or standard input
/// for `-`. A text that begins with `@` is written with `@@`. Other users of the machine can read a
/// command line, but not a private file.
fn given(text: &str, option: &str) -> Result<String, Stop> {
    given_by(read, text, option)
}

/// As [`given`], with a function that reads a file.
fn given_by(
    read: fn(&Path, &str) -> Result<Vec<u8>, Stop>,
    text: &str,
    option: &str,
) -> Result<String, Stop> {
    let (place, bytes) = match text.strip_prefix('@') {
        Some(literal) if literal.starts_with('@') => return Ok(literal.to_owned()),
        Some(path) => ("the file", read(Path::new(path), option)?),
        None if text == "-" => ("standard input", standard_input(option)?),
        None => return Ok(text.to_owned()),
    };
    let wrong = |why| Stop::usage(format!("{option} cannot be read from {place}: {why}"));
    let read = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8"))?;
    match read.strip_prefix('\u{feff}').unwrap_or(&read).trim() {
        "" => Err(wrong("it is empty")),
        read => Ok(read.to_owned()),
    }
}

fn standard_input(option: &str) -> Result<Vec<u8>, Stop> {
    const MOST: u64 = 1024 * 1024;
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes);
    let read =
        read.map_err(|error| Stop::usage(format!("{option} cannot be read: {}", reason(&error))))?;
    if u64::try_from(read).is_ok_and(|read| read > MOST) {
        return Err(Stop::usage(format!(
            "{option} cannot be used: standard input is larger than a megabyte"
        )));
    }
    Ok(bytes)
}
