//! The presets of core as values of an option, each with what it stands for.

use ciba_core::providers::{self, Preset, Setting};
use clap::{ValueEnum, builder::PossibleValue};
use serde::{Deserialize, Serialize};

/// A preset of core, by its name, or none by the name `generic`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Provider(pub(crate) Option<Preset>);

impl Provider {
    const ALL: [Self; providers::ALL.len() + 1] = {
        let mut all = [Self(None); providers::ALL.len() + 1];
        let mut at = 0;
        while at < providers::ALL.len() {
            all[at + 1] = Self(Some(providers::ALL[at]));
            at += 1;
        }
        all
    };

    pub(crate) fn name(self) -> &'static str {
        self.0.map_or("generic", |preset| preset.name())
    }

    /// What the preset sets, in words, with the option that does the same where there is one.
    pub(crate) fn stands_for(self) -> Vec<String> {
        let settings = self.0.iter().flat_map(|preset| preset.facts()).map(|fact| fact.setting);
        settings
            .map(|setting| match option(setting) {
                Some(option) => format!("{setting} ({option})"),
                None => setting.to_string(),
            })
            .collect()
    }
}

/// The option by which one setting of a preset is chosen alone.
fn option(setting: Setting) -> Option<&'static str> {
    Some(match setting {
        Setting::BodyClientId => "--body-client-id",
        Setting::BackchannelAudienceIsEndpoint => "--audience endpoint",
        Setting::TokenAudienceIsEndpoint => "--token-audience endpoint",
        Setting::Endpoints { .. } => "--backchannel-endpoint, --token-endpoint",
        Setting::AcrReported => "--acr-rule report",
        Setting::PublicClients => "--ignore-metadata authentication-method",
        Setting::AssumeBearer => "--assume-bearer",
        Setting::ScopeLists => "--scope-lists",
        _ => return None,
    })
}

impl ValueEnum for Provider {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self.0 {
            None => "Nothing beyond the specification".to_owned(),
            Some(preset) => format!("{}: {}", preset.product(), self.stands_for().join("; ")),
        };
        Some(PossibleValue::new(self.name()).help(help))
    }
}

impl TryFrom<String> for Provider {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::from_str(&name, false)
    }
}

impl From<Provider> for String {
    fn from(provider: Provider) -> Self {
        provider.name().to_owned()
    }
}
