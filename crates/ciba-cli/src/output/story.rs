//! The words of the demonstration: what each request is for, as it is made.

use std::{io, path::Path};

use ciba_core::{
    Authentication, ClientConfig, Event, Failure, http::Endpoint, machine::WaitReason, text::plain,
    tokens::UserInfo,
};
use ciba_std::CallError;

use super::{
    terminal::Terminal,
    text,
    voice::{Started, Voice},
};
use crate::{
    listen::Refusal,
    stdio::{put, try_put},
};

/// Tells one authentication as numbered steps.
#[derive(Debug)]
pub(crate) struct Story {
    issuer: String,
    client_id: &'static str,
    person: &'static str,
    message: &'static str,
    step: u32,
    polled: bool,
}

impl Voice for Story {
    fn started(&mut self, _: &mut Terminal, _: &Started<'_>) {
        put(&self.opening());
    }

    fn event(&mut self, to: &mut Terminal, event: &Event) {
        if let Some(told) = self.told(event) {
            to.line(told);
        }
        to.status(match event {
            Event::Waiting(_) => "waiting for the person",
            _ => "",
        });
    }

    fn notification_refused(&mut self, _: &mut Terminal, _: u16, _: Refusal) {}

    fn authenticated(
        &mut self,
        to: &mut Terminal,
        authentication: &Authentication,
        _: &ClientConfig,
    ) -> io::Result<()> {
        text::tolerated(to, authentication.deviations());
        try_put(&self.closing(&text::claims(authentication)))
    }

    // A demonstration fetches none.
    fn userinfo(&mut self, _: &mut Terminal, _: &UserInfo) -> io::Result<()> {
        Ok(())
    }

    fn userinfo_failed(&mut self, _: &mut Terminal, _: &CallError) {}

    fn failed(&mut self, _: &mut Terminal, _: &Failure, _: Option<&Path>) {}

    fn judged(&mut self, report: &str, clean: bool) {
        put(&Self::verdict(report, clean));
    }
}

impl Story {
    pub(crate) fn new(
        issuer: &str,
        client_id: &'static str,
        person: &'static str,
        message: &'static str,
    ) -> Self {
        Self { issuer: issuer.to_owned(), client_id, person, message, step: 0, polled: false }
    }

    /// Introduces the parties.
    fn opening(&self) -> String {
        format!(
            "A call centre calls a customer and has to know who answers. It asks their phone: OpenID Connect CIBA.\n\
             Everything here happens on this machine, for real, with three parties:\n\
             \n\
             \x20 the application  a program of the call centre, client {}\n\
             \x20 the provider     knows people and reaches their phones; here a test provider that behaves like\n\
             \x20                  Idura Verify, at {}\n\
             \x20 the person       made up, has Swedish BankID on a phone, and will say yes",
            self.client_id, self.issuer
        )
    }

    /// What an event means, if it is worth telling.
    fn told(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::Requesting { endpoint, .. } => self.requesting(*endpoint),
            Event::Acknowledgement(acknowledged) => Some(format!(
                "   The provider knows the client and the person, and is asking on the phone now. It gives the person\n\
                 \x20  {} s and wants to be asked for the result no more often than every {} s.",
                acknowledged.expires_in.as_secs(),
                acknowledged.interval.as_secs()
            )),
            Event::Waiting(wait) if *wait.reason() == WaitReason::InFlight => None,
            Event::Waiting(wait) => wait.progress().map(|progress| {
                format!("   Not yet. The provider says how far the person is: {}.", plain(progress))
            }),
            _ => None,
        }
    }

    fn requesting(&mut self, endpoint: Endpoint) -> Option<String> {
        match endpoint {
            Endpoint::Discovery => {
                Some(self.next("The application reads where the provider takes requests: its metadata document."))
            }
            Endpoint::BackchannelAuthentication => {
                let asked = self.next("The application asks the provider to authenticate the person. It sends");
                Some(format!(
                    "{asked}\n\
                     \x20    login_hint             sub:ssn:{}, who: the national id of the customer\n\
                     \x20    acr_values             urn:grn:authn:se:bankid, how: with Swedish BankID\n\
                     \x20    authorization_details  phoneAuth, callInitiator RP: in a call that the company made\n\
                     \x20    binding_message        \"{}\", shown on the phone\n\
                     \x20    client_assertion       a statement who the application is, signed with its private key (RS256),\n\
                     \x20                           good for this one request and for 60 s",
                    self.person, self.message
                ))
            }
            Endpoint::Token if !self.polled => {
                self.polled = true;
                Some(self.next("The application asks for the result, with a new signed statement each time."))
            }
            Endpoint::Token => Some("   It asks again.".to_owned()),
            Endpoint::KeySet => Some(self.next(
                "While the person looks at the phone, the application fetches the provider's public keys. It will\n   \
                 need them to check the answer.",
            )),
            _ => None,
        }
    }

    fn next(&mut self, sentence: &str) -> String {
        self.step += 1;
        format!("\n{}. {sentence}", self.step)
    }

    fn closing(&mut self, claims: &str) -> String {
        let sentence = self.next(
            "The person said yes, and the provider sent an ID Token. Before a word of it is believed, the\n   \
             application checks the signature, who issued the token, for whom, when, and that the person who\n   \
             answered is the person who was asked. Every check passed. This is the customer, by the verified\n   \
             claims of the ID Token:",
        );
        format!("{sentence}\n\n{}", claims.trim_end())
    }

    fn verdict(report: &str, clean: bool) -> String {
        if clean {
            "\nThe test provider watched whether the application kept the rules of the protocol: it broke none.\n\
             To try it yourself: `ciba op` starts the provider and prints the command that uses it."
                .to_owned()
        } else {
            format!("\nThe test provider says: {report}")
        }
    }
}
