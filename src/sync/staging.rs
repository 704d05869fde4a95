//! Half-days on their way to the staging tables: read by the tenant's letters, filtered, matched, and, where they are
//! read again and again, compared with what stands.

use std::collections::{BTreeMap, HashMap, HashSet};

use hub_connectors::absences::AbsenceRow;
use hub_entities::absence::letters::{LetterTable, Reading};
use hub_entities::absence::mark::Mark;
use hub_entities::absence::minimise::minimise;
use hub_entities::id::{PupilId, RecordId};
use hub_entities::policy::{Reach, Scope};
use hub_entities::source::KeyKind;
use hub_entities::time::{HalfDay, SchoolYear};

use super::{Sync, filter, half_day};
use crate::store::loss::{Gap, Unmatched};
use crate::store::run::Join;

/// Half-days by pupil and record, packed.
pub(super) type Packs = BTreeMap<(PupilId, RecordId), Vec<u8>>;

/// A row, filtered and matched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    /// Whose it is; nobody's that is known when there is none.
    pub(super) record: Option<RecordId>,
    /// What it says, as far as that was agreed.
    pub(super) reading: Reading,
    /// Whether its code was not agreed and was dropped.
    pub(super) is_narrowed: bool,
    /// Whether there is a lesson then, or nothing is said that could count.
    pub(super) is_lesson: bool,
}

/// Rows on their way.
pub(super) struct Staging<'a> {
    sync: &'a Sync,
    scope: &'a Scope,
    letters: &'a LetterTable,
    by_key: &'a HashMap<String, (RecordId, PupilId)>,
    packs: Packs,
    /// How many bytes are in them.
    pub(super) bytes: usize,
    pub(super) unmatched: BTreeMap<String, Vec<u8>>,
    gaps: BTreeMap<(&'static str, String), i64>,
    /// The last letter read, and what it said: files repeat themselves.
    last_letter: (String, SchoolYear, Reading),
    pub(super) rows: i64,
    pub(super) quarantined: i64,
    /// What stands, where rows that say no more than that are left out.
    stands: Option<HashMap<(RecordId, HalfDay), Mark>>,
    /// Rows that were left out for it.
    pub(super) known: i64,
    /// Records that rows were found for.
    found: HashSet<RecordId>,
}

impl<'a> Staging<'a> {
    pub(super) fn new(
        sync: &'a Sync,
        scope: &'a Scope,
        letters: &'a LetterTable,
        by_key: &'a HashMap<String, (RecordId, PupilId)>,
    ) -> Self {
        Self {
            sync,
            scope,
            letters,
            by_key,
            packs: BTreeMap::new(),
            bytes: 0,
            unmatched: BTreeMap::new(),
            gaps: BTreeMap::new(),
            last_letter: (String::new(), SchoolYear(0), Reading::Unknown),
            rows: 0,
            quarantined: 0,
            stands: None,
            known: 0,
            found: HashSet::new(),
        }
    }

    /// Leaves out what says no more than what stands.
    pub(super) fn beside(self, stands: HashMap<(RecordId, HalfDay), Mark>) -> Self {
        Self {
            stands: Some(stands),
            ..self
        }
    }

    /// Hands over what was gathered and begins anew.
    pub(super) fn empty(&mut self) -> Packs {
        self.bytes = 0;
        std::mem::take(&mut self.packs)
    }

    /// How many pupils the rows name, and how many of them are known.
    pub(super) fn join(&self) -> Join {
        let count = |of: usize| i64::try_from(of).unwrap_or(i64::MAX);
        let found = count(self.found.len());
        Join {
            named: found.saturating_add(count(self.unmatched.len())),
            found,
        }
    }

    /// What could not be taken over, as far as it is new.
    pub(super) fn gaps(&self) -> Vec<Gap> {
        let gap = |((rule, detail), rows): (&(&'static str, String), &i64)| Gap {
            rule,
            detail: detail.clone(),
            rows: *rows,
        };
        self.gaps.iter().map(gap).collect()
    }

    /// What could not be taken over, and the rows that found no pupil by this kind of number.
    pub(super) fn losses(self, by: KeyKind) -> (Vec<Gap>, Vec<Unmatched>) {
        let gaps = self.gaps();
        let unmatched = self.unmatched.into_iter();
        let unmatched = unmatched.map(|(key, body)| Unmatched::of_half_days(key, by, body));
        (gaps, unmatched.collect())
    }

    /// Filters and matches a row, and puts it where it belongs; `None` when nothing of it was agreed, or it says what is
    /// known.
    pub(super) fn take(&mut self, row: &AbsenceRow<'_>) -> Option<Taken> {
        self.rows = self.rows.saturating_add(1);
        let said = if row.deleted {
            Reading::Present
        } else {
            self.read(row.letter, row.at)
        };
        let agreed = match self.scope.reach() {
            Reach::Source { agreed, .. } => *agreed,
            _ => return None,
        };
        let reading = filter::reading(said, agreed)?;
        let key = self.sync.pupil_key(row.pupil_key);
        if key.is_empty() {
            self.gap("absence.national_number_as_key", String::new());
            return None;
        }
        let place = self.by_key.get(key.as_ref()).copied();
        if let Some((record, _)) = place {
            self.found.insert(record);
        }
        if let (Some((record, _)), Some(stands)) = (place, &mut self.stands) {
            let at = (record, row.at);
            let before = stands.get(&at).copied();
            let after = minimise(reading, agreed, before);
            if after == before {
                self.known = self.known.saturating_add(1);
                return None;
            }
            // A later row of the same half-day is compared with this one.
            match after {
                Some(mark) => stands.insert(at, mark),
                None => stands.remove(&at),
            };
        }
        if said == Reading::Unknown {
            self.gap("absence.unknown_letter", shown(row.letter));
        }
        let counts = !matches!(reading, Reading::Present | Reading::NoSchool);
        let is_lesson = !counts
            || self
                .sync
                .book
                .year(SchoolYear::of(row.at.day))
                .calendar
                .is_lesson(row.at);
        if !is_lesson {
            self.gap("absence.not_a_lesson", row.at.day.to_string());
        }
        if let Some((record, pupil)) = place {
            half_day::push(self.packs.entry((pupil, record)).or_default(), row.at, reading);
            self.bytes = self.bytes.saturating_add(half_day::WIDTH);
        } else {
            self.quarantined = self.quarantined.saturating_add(1);
            let body = match self.unmatched.get_mut(key.as_ref()) {
                Some(body) => body,
                None => self.unmatched.entry(key.into_owned()).or_default(),
            };
            half_day::push(body, row.at, reading);
        }
        Some(Taken {
            record: place.map(|(record, _)| record),
            reading,
            is_narrowed: reading != said,
            is_lesson,
        })
    }

    fn read(&mut self, letter: &str, at: HalfDay) -> Reading {
        let year = SchoolYear::of(at.day);
        if self.last_letter.0 != letter || self.last_letter.1 != year {
            self.last_letter = (letter.to_owned(), year, self.letters.read(letter, year));
        }
        self.last_letter.2
    }

    fn gap(&mut self, rule: &'static str, detail: String) {
        let rows = self.gaps.entry((rule, detail)).or_default();
        *rows = rows.saturating_add(1);
    }
}

impl Unmatched {
    /// Half-days under a key that no record has.
    pub(super) fn of_half_days(source_key: String, key_kind: KeyKind, body: Vec<u8>) -> Self {
        Self {
            source_key,
            key_kind,
            rows: i32::try_from(body.len() / half_day::WIDTH).unwrap_or(i32::MAX),
            body,
        }
    }
}

/// A letter fit to be shown: what is longer than a code may be anything, and is not repeated.
fn shown(letter: &str) -> String {
    if letter.chars().count() <= 3 && letter.chars().all(|c| c.is_ascii_graphic()) {
        letter.to_owned()
    } else {
        "(longer than a code)".to_owned()
    }
}
