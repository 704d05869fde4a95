//! One day of half-days: a map from pupil to morning and afternoon, handed on entry by entry.
//!
//! The whole school comes in one answer, those who were there included, and all of it is handed on: that a pupil was
//! there is what takes back an absence that was a mistake. Every letter goes on as the school writes it, for its
//! meaning is the tenant's; `null`, which says that there was no school that half-day, goes on as the letter `null`
//! and is no deletion.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use chrono::NaiveDate;
use hub_entities::time::{HalfDay, Part};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::envelope::Flaw;
use super::pieces::Piece;
use crate::absences::AbsenceRow;
use crate::contract::{Gap, Sink};

/// The largest entry: a name and two half-days with their labels.
pub(super) const MOST_ENTRY: usize = 16 * 1024;
/// The most pupils of one day: more are no school.
const MOST_PUPILS: usize = 100_000;
/// The most entries of one day that are put off until the day has been read.
const MOST_PUT_OFF: usize = 10_000;
/// What a half-day without school is called among the letters.
const NO_SCHOOL: &str = "null";

/// What one half-day says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Half<'a> {
    /// `null`.
    NoSchool,
    /// A letter.
    Letter(Cow<'a, str>),
    /// A letter and its label, where the answer has them. Apart, for few answers do: what is moved about is small.
    Labelled(Box<(Cow<'a, str>, Cow<'a, str>)>),
    /// Neither.
    Unreadable,
}

impl<'de> Deserialize<'de> for Half<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(HalfVisitor)
    }
}

struct HalfVisitor;

impl<'de> Visitor<'de> for HalfVisitor {
    type Value = Half<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a letter, null, or a letter with its label")
    }

    fn visit_unit<E>(self) -> Result<Half<'de>, E> {
        Ok(Half::NoSchool)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Half<'de>, E> {
        Ok(Half::Letter(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Half<'de>, E> {
        Ok(Half::Letter(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Half<'de>, E> {
        Ok(Half::Unreadable)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Half<'de>, E> {
        Ok(Half::Unreadable)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Half<'de>, E> {
        Ok(Half::Unreadable)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Half<'de>, E> {
        Ok(Half::Unreadable)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Half<'de>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Half::Unreadable)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Half<'de>, A::Error> {
        let (mut letter, mut label) = (None, None);
        while let Some(Text(name)) = entries.next_key()? {
            // `officialcode` by date, `code` by pupil (school-apis §1.4).
            if name.eq_ignore_ascii_case("officialcode") || name.eq_ignore_ascii_case("code") {
                letter = Some(entries.next_value::<Option<Text<'de>>>()?);
            } else if name.eq_ignore_ascii_case("alias") {
                label = entries.next_value::<Option<Text<'de>>>()?;
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(match (letter, label) {
            (Some(Some(Text(letter))), Some(Text(label))) => Half::Labelled(Box::new((letter, label))),
            (Some(Some(Text(letter))), None) => Half::Letter(letter),
            (Some(None), _) => Half::NoSchool,
            (None, _) => Half::Unreadable,
        })
    }
}

/// A string, borrowed where it can be.
#[derive(Debug)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(TextVisitor)
    }
}

/// Both, with which is which.
type Halves<'a> = [(Part, Option<Half<'a>>); 2];

/// Morning and afternoon of one pupil.
#[derive(Debug, Default)]
struct Day<'a> {
    am: Option<Half<'a>>,
    pm: Option<Half<'a>>,
}

impl<'de> Deserialize<'de> for Day<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct DayVisitor;
        impl<'de> Visitor<'de> for DayVisitor {
            type Value = Day<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a morning and an afternoon")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Day<'de>, A::Error> {
                let mut day = Day::default();
                while let Some(Text(name)) = entries.next_key()? {
                    if name.eq_ignore_ascii_case("am") {
                        day.am = Some(entries.next_value()?);
                    } else if name.eq_ignore_ascii_case("pm") {
                        day.pm = Some(entries.next_value()?);
                    } else {
                        entries.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(day)
            }
        }
        from.deserialize_map(DayVisitor)
    }
}

/// A deleted account keeps its name behind the moment of its deletion: `20240916_104204_jane.roe`.
pub(super) fn deleted(key: &str) -> Option<(&str, &str)> {
    let (stamp, name) = key.split_at_checked(16)?;
    let shape = stamp.bytes().enumerate().all(|(at, byte)| match at {
        8 | 15 => byte == b'_',
        _ => byte.is_ascii_digit(),
    });
    (shape && !name.is_empty()).then_some((stamp, name))
}

/// Whose half-days are handed on, and under which key.
#[derive(Default)]
pub(super) enum Whose {
    /// Everyone's, as the answer names them: the platform is of one school.
    #[default]
    All,
    /// By the key of the answer: the pupil's own, or none for a pupil of another school of the platform.
    Listed(HashMap<String, Option<String>>),
}

/// An entry that waits for the end of its day.
struct PutOff {
    line: u64,
    /// When the account was deleted; empty for one that no class lists.
    stamp: String,
    halves: Vec<(Part, String)>,
}

/// Reads one day.
pub(super) struct DayReader<'a> {
    day: NaiveDate,
    whose: &'a Whose,
    /// What a label says instead of the official letter, as the connection has it.
    labels: &'a BTreeMap<String, String>,
    sink: &'a mut dyn Sink,
    lines: u64,
    /// Half-days that could be read, whoever's.
    readable: u64,
    /// Half-days of this school that could not.
    unreadable: u64,
    /// The keys met, hashed: whether a deleted account has come to life again.
    met: Vec<u64>,
    put_off: BTreeMap<String, PutOff>,
    /// Entries of deleted accounts whose name another account bears.
    doubtful: u64,
}

fn hash(key: &str) -> u64 {
    let mut hash = DefaultHasher::new();
    key.hash(&mut hash);
    hash.finish()
}

impl<'a> DayReader<'a> {
    pub(super) fn new(
        day: NaiveDate,
        whose: &'a Whose,
        labels: &'a BTreeMap<String, String>,
        sink: &'a mut dyn Sink,
    ) -> Self {
        Self {
            day,
            whose,
            labels,
            sink,
            lines: 0,
            readable: 0,
            unreadable: 0,
            met: Vec::new(),
            put_off: BTreeMap::new(),
            doubtful: 0,
        }
    }

    /// Forgets what came so far: the answer begins again. What was handed on is said again, and the same.
    pub(super) fn begin(&mut self) {
        self.lines = 0;
        self.readable = 0;
        self.unreadable = 0;
        self.doubtful = 0;
        self.met.clear();
        self.put_off.clear();
    }

    /// How many entries there were.
    pub(super) const fn entries(&self) -> u64 {
        self.lines
    }

    /// Takes one entry.
    pub(super) fn piece(&mut self, piece: Piece<'_>) -> Result<(), Flaw> {
        let Piece::Entry(name, value) = piece else {
            return Err("absences.list");
        };
        self.lines = self.lines.saturating_add(1);
        if self.met.len() >= MOST_PUPILS {
            return Err("absences.too_many_pupils");
        }
        let Text(key) = serde_json::from_slice(name).map_err(|_malformed| "json.malformed")?;
        // Judged once as a whole, and not string by string.
        let value = std::str::from_utf8(value).map_err(|_other_encoding| "json.malformed")?;
        let day = match serde_json::from_str::<Day<'_>>(value) {
            Ok(day) => day,
            // What is JSON and no day is a loss of two half-days; what is not JSON breaks the answer.
            Err(error) if error.is_data() => Day::default(),
            Err(_malformed) => return Err("json.malformed"),
        };
        let (key, halves) = (key.trim(), [(Part::Am, day.am), (Part::Pm, day.pm)]);
        if key.is_empty() {
            self.unreadable = self.unreadable.saturating_add(2);
            return Ok(());
        }
        let whose = self.whose;
        if let Some((stamp, name)) = deleted(key) {
            return self.put_off(name, stamp, &halves);
        }
        self.met.push(hash(key));
        match whose {
            Whose::All => self.hand_on(key, &halves),
            Whose::Listed(listed) => match listed.get(key) {
                Some(Some(pupil)) => self.hand_on(pupil, &halves),
                Some(None) => self.readable = self.readable.saturating_add(1),
                None => return self.put_off(key, "", &halves),
            },
        }
        Ok(())
    }

    /// The letter of each half-day that can be read.
    fn letters<'h>(&mut self, halves: &'h Halves<'_>) -> [Option<(Part, &'h str)>; 2]
    where
        'a: 'h,
    {
        let labels: &'a BTreeMap<String, String> = self.labels;
        let letters = halves.each_ref().map(|(part, half)| match half {
            Some(Half::NoSchool) => Some((*part, NO_SCHOOL)),
            Some(Half::Letter(letter)) => Some((*part, letter.trim())),
            Some(Half::Labelled(both)) => {
                let (letter, label) = &**both;
                let by_label = labels.get(label.trim());
                Some((*part, by_label.map_or_else(|| letter.trim(), String::as_str)))
            }
            Some(Half::Unreadable) | None => None,
        });
        for letter in &letters {
            let count = if letter.is_some() {
                &mut self.readable
            } else {
                &mut self.unreadable
            };
            *count = count.saturating_add(1);
        }
        letters
    }

    fn hand_on(&mut self, key: &str, halves: &Halves<'_>) {
        for (part, letter) in self.letters(halves).into_iter().flatten() {
            self.say(key, self.lines, part, letter);
        }
    }

    fn say(&mut self, key: &str, line: u64, part: Part, letter: &str) {
        self.sink.absence(AbsenceRow {
            line,
            pupil_key: key,
            at: HalfDay::new(self.day, part),
            letter,
            deleted: false,
        });
    }

    fn put_off(&mut self, name: &str, stamp: &str, halves: &Halves<'_>) -> Result<(), Flaw> {
        if self.put_off.len() >= MOST_PUT_OFF {
            return Err("absences.too_many_deleted_accounts");
        }
        let letters = self.letters(halves).into_iter().flatten();
        let next = PutOff {
            line: self.lines,
            stamp: stamp.to_owned(),
            halves: letters.map(|(part, letter)| (part, letter.to_owned())).collect(),
        };
        let Some(other) = self.put_off.get_mut(name) else {
            self.put_off.insert(name.to_owned(), next);
            return Ok(());
        };
        // Of two accounts of one name the one that lived longer is taken for the pupil's.
        self.doubtful = self.doubtful.saturating_add(1);
        if !other.stamp.is_empty() && (stamp.is_empty() || stamp > other.stamp.as_str()) {
            *other = next;
        }
        Ok(())
    }

    /// Leaves out deleted accounts whose name another account bears that is in this answer.
    fn settle(&mut self) {
        if self.put_off.is_empty() {
            return;
        }
        let met: HashSet<u64> = self.met.drain(..).collect();
        let doubtful = &mut self.doubtful;
        self.put_off.retain(|name, entry| {
            let lives = !entry.stamp.is_empty() && met.contains(&hash(name));
            *doubtful = doubtful.saturating_add(u64::from(lives));
            !lives
        });
    }

    /// The day has been read. The keys that no class lists: whether they were of this school, only their careers say.
    pub(super) fn unlisted(&mut self) -> Vec<String> {
        self.settle();
        match self.whose {
            Whose::All => Vec::new(),
            Whose::Listed(_) => self.put_off.keys().cloned().collect(),
        }
    }

    /// The day has been read: hands on what was put off, under the key that `pupil` finds for it.
    pub(super) fn finish(mut self, pupil: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Gap>, Flaw> {
        self.settle();
        let mut unknown = 0_u64;
        for (name, entry) in std::mem::take(&mut self.put_off) {
            let key = match self.whose {
                Whose::All => Some(name),
                Whose::Listed(_) => pupil(&name),
            };
            let Some(key) = key else {
                unknown = unknown.saturating_add(1);
                continue;
            };
            for (part, letter) in &entry.halves {
                self.say(&key, entry.line, *part, letter);
            }
        }
        // One half-day that cannot be read is a loss; an answer of nothing else is another answer.
        if self.unreadable > 0 && self.readable == 0 {
            return Err("absences.shape");
        }
        let gap = |rule, records| Gap {
            rule,
            detail: String::new(),
            records,
        };
        let gaps = [
            gap("smartschool.unreadable_half_day", self.unreadable),
            gap("smartschool.deleted_account_in_doubt", self.doubtful),
            gap("smartschool.absence_of_unknown_pupil", unknown),
        ];
        Ok(gaps.into_iter().filter(|gap| gap.records > 0).collect())
    }
}

#[cfg(test)]
mod tests;
