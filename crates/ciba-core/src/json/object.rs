//! One object of the protocol, read member by member.

use alloc::{string::String, vec::Vec};
use core::{cmp::Ordering, fmt, ops::Range};

use zeroize::Zeroizing;

use super::{
    members::JsonObject,
    raw::Raw,
    scan::{Scanner, unescape},
};
use crate::fault::Fault;

/// A protocol object whose members are being extracted. Its text is wiped on drop, because it may
/// hold tokens or the numbers of a private key.
// REQ-SEC-04
pub(crate) struct Object {
    text: Zeroizing<String>,
    /// In the order of the text, without the members that were taken.
    members: Vec<Member>,
}

/// The position of a member in the text.
// `u32`, because an object can consist of members of only five bytes each.
#[derive(Clone)]
struct Member {
    name: Range<u32>,
    value: Range<u32>,
}

impl Object {
    /// Parses exactly one object.
    ///
    /// Fails with [`Fault::NotJson`] or [`Fault::DuplicateMember`]. Values only have to be
    /// well-formed: a lone surrogate or a number out of range makes only its own member unreadable.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let text = core::str::from_utf8(bytes).map_err(|_| Fault::NotJson)?;
        let members = members(Scanner::new(text)).ok_or(Fault::NotJson)?;
        let object = Self { text: Zeroizing::new(text.into()), members };
        // Sorted and not compared pairwise: an object may have hundreds of thousands of members.
        let mut sorted: Vec<&Member> = object.members.iter().collect();
        sorted.sort_unstable_by(|a, b| object.compare(a, b));
        match sorted.windows(2).any(|pair| matches!(pair, [a, b] if object.compare(a, b).is_eq())) {
            true => Err(Fault::DuplicateMember),
            false => Ok(object),
        }
    }

    /// Parses the object of an error response leniently: a byte order mark and invalid UTF-8 are
    /// accepted, and the first of several members with the same name is used.
    // Ruling 36: an error grants nothing.
    pub(crate) fn parse_leniently(bytes: &[u8]) -> Result<Self, Fault> {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_start_matches('\u{feff}');
        let members = members(Scanner::new(text)).ok_or(Fault::NotJson)?;
        let mut object = Self { text: Zeroizing::new(text.into()), members };
        let mut members = core::mem::take(&mut object.members);
        members.sort_by(|a, b| object.compare(a, b));
        members.dedup_by(|b, a| object.compare(a, b).is_eq());
        // Restores the order of the text.
        members.sort_unstable_by_key(|member| member.name.start);
        object.members = members;
        Ok(object)
    }

    fn compare(&self, a: &Member, b: &Member) -> Ordering {
        let (a, b) = (self.part(&a.name), self.part(&b.name));
        // Names are rarely escaped, so unescaping is avoided if possible.
        match a.contains('\\') || b.contains('\\') {
            false => a.cmp(b),
            true => unescape(a).cmp(&unescape(b)),
        }
    }

    fn part(&self, range: &Range<u32>) -> &str {
        let wide = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        // The ranges are those of the scanner, so they are always valid.
        self.text.get(wide(range.start)..wide(range.end)).unwrap_or_default()
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.members
            .iter()
            .position(|member| unescape(self.part(&member.name)).is_some_and(|known| known == name))
    }

    /// Removes and returns a member. JSON `null` counts as absent.
    // Ruling 33.
    pub(crate) fn take(&mut self, name: &str) -> Option<Raw<'_>> {
        let member = self.members.remove(self.position(name)?);
        Some(Raw(self.part(&member.value))).filter(|value| !value.is_null())
    }

    /// Returns a member without removing it.
    pub(crate) fn get(&self, name: &str) -> Option<Raw<'_>> {
        let member = self.members.get(self.position(name)?)?;
        Some(Raw(self.part(&member.value)))
    }

    /// Whether a member is present with the value `null`.
    pub(crate) fn is_null(&self, name: &str) -> bool {
        self.get(name).is_some_and(Raw::is_null)
    }

    /// Removes and returns a string. Fails with [`Fault::WrongType`] if the member has another type.
    pub(crate) fn take_text(&mut self, name: &'static str) -> Result<Option<String>, Fault> {
        match self.take(name).map(Raw::text) {
            None => Ok(None),
            Some(Some(text)) => Ok(Some(text.into_owned())),
            Some(None) => Err(Fault::WrongType(name)),
        }
    }

    /// Returns the members that were not taken.
    pub(crate) fn rest(self) -> JsonObject {
        let members =
            self.members.iter().map(|member| (self.part(&member.name), self.part(&member.value)));
        JsonObject::of(members, self.rest_length())
    }

    /// Returns the members that were not taken and are not named in `names`.
    pub(crate) fn rest_without(mut self, names: &[&str]) -> JsonObject {
        self.members = core::mem::take(&mut self.members)
            .into_iter()
            .filter(|member| {
                unescape(self.part(&member.name)).is_none_or(|name| !names.contains(&&*name))
            })
            .collect();
        self.rest()
    }

    /// Upper bound for the length of the remaining members as JSON: two quotes, a colon and a comma
    /// or bracket for each member.
    fn rest_length(&self) -> usize {
        // Exact enough to never reallocate, which would leave a copy of personal data behind.
        let length = |range: &Range<u32>| range.len();
        self.members
            .iter()
            .map(|member| length(&member.name) + length(&member.value) + 4)
            .sum::<usize>()
            + 1
    }
}

/// Returns the members of a text that is exactly one object.
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

impl JsonObject {
    /// Reads the members of a JSON object.
    ///
    /// # Errors
    ///
    /// Returns [`Fault::NotJson`] if the text is not exactly one JSON object or is nested more than
    /// 64 levels deep, and [`Fault::DuplicateMember`] if a name occurs twice at the top level.
    pub fn from_json(text: &str) -> Result<Self, Fault> {
        Ok(Object::parse(text.as_bytes())?.rest())
    }
}
