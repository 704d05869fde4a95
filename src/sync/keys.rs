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

    /// The key of a record that was brought in, by which its sender asks for it again: a pupil's own, or a pupil's with the
    /// half-day behind it.
    pub fn record_key(&self, key: &str) -> String {
        let own = self.pupil_key(key);
        if own != key {
            return own.into_owned();
        }
        match key.rsplitn(3, '/').collect::<Vec<_>>()[..] {
            [part, day, pupil] => format!("{}/{day}/{part}", self.pupil_key(pupil)),
            _ => key.to_owned(),
        }
    }

    /// A roster with keys as they are kept, and how many rows had one that could not be: they are left out, or kept without
    /// where it is one number of several.
    pub(super) fn keyed(&self, mut roster: Roster) -> (Roster, i64) {
        let mut lost = 0_i64;
        let mut keep = |key: &mut String| {
            let kept = self.pupil_key(key);
            if kept == key.as_str() {
                return !key.is_empty();
            }
            *key = kept.into_owned();
            if key.is_empty() {
                lost = lost.saturating_add(1);
            }
            !key.is_empty()
        };
        roster.pupils.retain_mut(|row| {
            row.identifier.take_if(|identifier| !keep(identifier));
            row.user_ids
                .retain_mut(|(of_type, id)| !of_type.eq_ignore_ascii_case("stamnummer") || keep(id));
            keep(&mut row.source_key)
        });
        roster.memberships.retain_mut(|row| keep(&mut row.pupil_key));
        (roster, lost)
    }
}
