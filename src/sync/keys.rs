//! The keys by which sources name pupils. Some systems take the national number (rijksregisternummer) for one, and that is never
//! written (design §3): in its place stands a keyed index, under which the same key is found again in whatever comes next.

use std::borrow::Cow;

use hub_connectors::roster::Roster;
use hub_entities::number::national::NationalNumber;

use super::Sync;

/// What a replaced key begins with.
const REPLACED: &str = "nn-";

impl Sync {
    /// A key as it is kept: as it is, unless it is a national number. Empty where that could be kept under no key at all,
    /// because none is configured for an index of it.
    pub fn pupil_key<'a>(&self, key: &'a str) -> Cow<'a, str> {
        let Ok(number) = key.parse::<NationalNumber>() else {
            return Cow::Borrowed(key);
        };
        let index = self.national_numbers.as_deref().map(|by| number.key_index(by));
        Cow::Owned(index.map_or_else(String::new, |index| {
            let halves = index.iter().flat_map(|byte| [byte >> 4, byte & 15]);
            let digits = halves.filter_map(|half| char::from_digit(u32::from(half), 16));
            REPLACED.chars().chain(digits).collect()
        }))
    }

    /// The key of a place in a class, or of a record that was brought in, as it is kept: these hold the key of a pupil between
    /// slashes, be it that a system names places so or that we do. Empty as [`Sync::pupil_key`].
    pub fn record_key<'a>(&self, key: &'a str) -> Cow<'a, str> {
        let parts: Vec<Cow<'_, str>> = match self.pupil_key(key) {
            Cow::Owned(kept) => return Cow::Owned(kept),
            Cow::Borrowed(_) => key.split('/').map(|part| self.pupil_key(part)).collect(),
        };
        if parts.iter().all(|part| matches!(part, Cow::Borrowed(_))) {
            return Cow::Borrowed(key);
        }
        let is_lost = parts
            .iter()
            .any(|part| matches!(part, Cow::Owned(kept) if kept.is_empty()));
        Cow::Owned(if is_lost { String::new() } else { parts.join("/") })
    }

    /// A roster with keys as they are kept, and how many rows had one that could not be: they are left out, or kept without
    /// where it is one number of several.
    pub(super) fn keyed(&self, mut roster: Roster) -> (Roster, i64) {
        let mut lost = 0_i64;
        let mut put = |key: &mut String, kept: Option<String>| {
            if let Some(kept) = kept {
                lost = lost.saturating_add(i64::from(kept.is_empty()));
                *key = kept;
            }
            !key.is_empty()
        };
        let mut keep = |key: &mut String| put(key, other(self.pupil_key(key)));
        roster.pupils.retain_mut(|row| {
            row.identifier.take_if(|identifier| !keep(identifier));
            row.user_ids
                .retain_mut(|(of_type, id)| !of_type.eq_ignore_ascii_case("stamnummer") || keep(id));
            keep(&mut row.source_key)
        });
        roster.memberships.retain_mut(|row| keep(&mut row.pupil_key));
        roster.memberships.retain_mut(|row| {
            let kept = other(self.record_key(&row.source_key));
            put(&mut row.source_key, kept)
        });
        // Who is left out is not gone: such a read ends nobody.
        roster.complete.pupils &= lost == 0;
        roster.complete.memberships &= lost == 0;
        (roster, lost)
    }
}

/// What stands in the place of a key, if anything does.
fn other(kept: Cow<'_, str>) -> Option<String> {
    match kept {
        Cow::Owned(kept) => Some(kept),
        Cow::Borrowed(_) => None,
    }
}
