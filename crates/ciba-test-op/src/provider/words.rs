//! The word pairs of Norwegian BankID: the agent reads one out, and the user chooses it.

use super::state::Provider;

/// The words of the pairs that Norwegian agents read out.
const WORDS: [&str; 16] = [
    "RED", "BLUE", "QUICK", "CALM", "BRIGHT", "OLD", "SMALL", "WILD", "FOX", "BIRD", "STONE",
    "RIVER", "LAMP", "BOAT", "CLOUD", "TREE",
];

impl Provider {
    /// Returns the word pairs that the user chooses from, one of them the right one. Empty for a
    /// transaction without words.
    #[must_use]
    pub fn word_choices(&self, transaction: usize) -> Vec<String> {
        let record = transaction.checked_sub(1).and_then(|at| self.transactions.get(at));
        record.and_then(|record| record.words.as_deref()).map(choices).unwrap_or_default()
    }

    /// Two words that the user has to recognize.
    pub(super) fn words(&mut self) -> String {
        let (first, second) = (self.ids.below(8), 8 + self.ids.below(8));
        format!("{} {}", WORDS[first], WORDS[second])
    }
}

/// Three pairs to choose from, one of them the right one.
fn choices(words: &str) -> Vec<String> {
    let at = |offset: usize| {
        let index = words.bytes().map(usize::from).sum::<usize>() + offset;
        format!("{} {}", WORDS[index % 8], WORDS[8 + index / 8 % 8])
    };
    let mut choices = vec![words.to_owned()];
    choices.extend((1..).map(at).filter(|pair| pair != words).take(2));
    choices.rotate_left(words.len() % 3);
    choices
}
