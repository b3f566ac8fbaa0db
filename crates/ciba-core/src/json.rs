//! JSON objects of the protocol: UTF-8, exactly one object, no member name twice (rulings 6, 7 and
//! 28).

use alloc::{borrow::Cow, string::String, vec::Vec};
use core::{cmp::Ordering, fmt, ops::Range};

use zeroize::Zeroizing;

use crate::fault::Fault;

mod members;
mod raw;
mod saved;
mod scan;
#[cfg(test)]
mod tests;

pub(crate) use members::read;
pub use members::{JsonError, JsonObject};
pub(crate) use raw::Raw;
pub(crate) use saved::{SavedJson, SavedJsonObject};
use scan::{Scanner, unescape};

/// A protocol object while its members are being taken out. Its text is wiped on drop: it may hold
/// tokens or the numbers of a private key (REQ-SEC-04).
pub(crate) struct Object {
    text: Zeroizing<String>,
    /// In the order of the text. Those that were taken are gone.
    members: Vec<Member>,
}

/// Where a member stands in the text. Narrow, because an object can consist of members of five
/// bytes.
#[derive(Clone)]
struct Member {
    name: Range<u32>,
    value: Range<u32>,
}

impl Object {
    /// Reads one object: [`Fault::NotJson`] or [`Fault::DuplicateMember`] otherwise. What its
    /// values hold is not looked at, only whether it is JSON: a lone surrogate or a number out of
    /// range spoils only the member it stands in.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let text = core::str::from_utf8(bytes).map_err(|_| Fault::NotJson)?;
        let members = members(Scanner::new(text)).ok_or(Fault::NotJson)?;
        let object = Self { text: Zeroizing::new(text.into()), members };
        let mut sorted: Vec<&Member> = object.members.iter().collect();
        sorted.sort_unstable_by(|a, b| object.compare(a, b));
        match sorted.windows(2).any(|pair| matches!(pair, [a, b] if object.compare(a, b).is_eq())) {
            true => Err(Fault::DuplicateMember),
            false => Ok(object),
        }
    }

    /// Reads the object of an error, which grants nothing (ruling 36): behind a byte order mark, in
    /// a text that is not quite UTF-8, and with names twice, of which the first counts.
    pub(crate) fn parse_leniently(bytes: &[u8]) -> Result<Self, Fault> {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_start_matches('\u{feff}');
        let members = members(Scanner::new(text)).ok_or(Fault::NotJson)?;
        let mut object = Self { text: Zeroizing::new(text.into()), members };
        let mut members = core::mem::take(&mut object.members);
        members.sort_by(|a, b| object.compare(a, b));
        members.dedup_by(|b, a| object.compare(a, b).is_eq());
        members.sort_unstable_by_key(|member| member.name.start);
        object.members = members;
        Ok(object)
    }

    fn compare(&self, a: &Member, b: &Member) -> Ordering {
        let (a, b) = (self.part(&a.name), self.part(&b.name));
        match a.contains('\\') || b.contains('\\') {
            false => a.cmp(b),
            true => unescape(a).cmp(&unescape(b)),
        }
    }

    fn part(&self, range: &Range<u32>) -> &str {
        let wide = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        self.text.get(wide(range.start)..wide(range.end)).unwrap_or_default()
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.members
            .iter()
            .position(|member| unescape(self.part(&member.name)).is_some_and(|known| known == name))
    }

    /// Takes a member out; JSON `null` counts as absent (ruling 33).
    pub(crate) fn take(&mut self, name: &str) -> Option<Raw<'_>> {
        let member = self.members.remove(self.position(name)?);
        Some(Raw(self.part(&member.value))).filter(|value| !value.is_null())
    }

    /// A member, which stays.
    pub(crate) fn get(&self, name: &str) -> Option<Raw<'_>> {
        let member = self.members.get(self.position(name)?)?;
        Some(Raw(self.part(&member.value)))
    }

    /// Whether a member is there and `null`.
    pub(crate) fn is_null(&self, name: &str) -> bool {
        self.get(name).is_some_and(Raw::is_null)
    }

    /// Takes a text out: [`Fault::WrongType`] when it is of another type.
    pub(crate) fn take_text(&mut self, name: &'static str) -> Result<Option<String>, Fault> {
        match self.take(name).map(Raw::text) {
            None => Ok(None),
            Some(Some(text)) => Ok(Some(text.into_owned())),
            Some(None) => Err(Fault::WrongType(name)),
        }
    }

    /// The members that were not read.
    pub(crate) fn rest(self) -> JsonObject {
        let members =
            self.members.iter().map(|member| (self.part(&member.name), self.part(&member.value)));
        JsonObject::of(members, self.rest_length())
    }

    /// The members that were not read, without those names.
    pub(crate) fn rest_without(mut self, names: &[&str]) -> JsonObject {
        self.members = core::mem::take(&mut self.members)
            .into_iter()
            .filter(|member| {
                unescape(self.part(&member.name)).is_none_or(|name| !names.contains(&&*name))
            })
            .collect();
        self.rest()
    }

    /// The longest the text of the members that were not read can get: two quotes, a colon, and a
    /// comma or a bracket for each member.
    fn rest_length(&self) -> usize {
        let length = |range: &Range<u32>| range.len();
        self.members
            .iter()
            .map(|member| length(&member.name) + length(&member.value) + 4)
            .sum::<usize>()
            + 1
    }
}

/// The members of a text that is one object and nothing else.
fn members(mut scanner: Scanner<'_>) -> Option<Vec<Member>> {
    let mut members = Vec::new();
    let mut has_more = scanner.open(b'{')?;
    while has_more {
        scanner.name()?;
        let name = scanner.last()?;
        scanner.value()?;
        members.push(Member { name, value: scanner.last()? });
        has_more = scanner.more(b'{')?;
    }
    scanner.is_done().then_some(members)
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.members.iter().map(|member| self.part(&member.name))).finish()
    }
}

/// The name and the JSON text of each member of a text that is known to be an object.
pub(crate) fn fields(object: &str) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
    Raw(object).members().into_iter().flatten().map(|(name, value)| (name, value.json()))
}

/// The members of an object of a token, in one pass: each name with its value. `None` unless the
/// text is one object with no name twice, and everything in it can be read by everybody
/// (REQ-IDT-31, REQ-SEC-24).
pub(crate) fn strict_members<'a>(
    text: &'a str,
    mut each: impl FnMut(&Cow<'a, str>, Raw<'a>),
) -> Option<()> {
    let mut scanner = Scanner::strict(text);
    let mut names = Names::new();
    let mut has_more = scanner.open(b'{')?;
    while has_more {
        let name = unescape(scanner.name()?)?;
        let value = scanner.value()?;
        each(&name, Raw(value));
        names.0.push(name);
        has_more = scanner.more(b'{')?;
    }
    (scanner.is_done() && names.are_unique()).then_some(())
}

/// The names of one object. In the order they came they would have to be compared each with each,
/// which a long object makes expensive; sorted, every size is cheap.
struct Names<'a>(Vec<Cow<'a, str>>);

impl Names<'_> {
    fn new() -> Self {
        Self(Vec::with_capacity(32))
    }

    /// Whether no name came twice, escaped spellings included (ruling 7).
    fn are_unique(mut self) -> bool {
        self.0.sort_unstable_by(|a, b| {
            a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes()))
        });
        !self.0.windows(2).any(|pair| pair.first() == pair.last())
    }
}
