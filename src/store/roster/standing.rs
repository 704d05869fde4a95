//! What stands of a school's roster: to put aside only what a read changes, and to know whom it did not hold.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::NaiveDate;
use hub_entities::id::ClassId;
use hub_entities::policy::Scope;
use hub_entities::time::SchoolYear;

use super::records::{KnownRecord, all_records, completed};
use super::waiting::waiting_places;
use super::{ClassSaid, Ending, MembershipSaid, PupilSaid, school_of};
use crate::store::sql::rows;
use crate::store::{Db, DbError};

/// Pupils whose rows are completed at once.
const AT_ONCE: usize = 500;

/// The roster of a school as the hub knows it.
#[derive(Debug, Default)]
pub struct Standing {
    pupils: HashMap<String, KnownRecord>,
    /// By key and school year: name and grade.
    classes: HashMap<(String, SchoolYear), (String, Option<String>)>,
    class_keys: HashSet<String>,
    /// By class and pupil, of the latest class with that key: from when until when.
    places: HashMap<(String, String), (Option<NaiveDate>, Option<NaiveDate>)>,
    /// Places that have not ended.
    open_places: Vec<OpenPlace>,
    /// Places that wait for their class or their pupil, by their own key.
    waiting: HashMap<String, MembershipSaid>,
    today: NaiveDate,
}

/// A place in a class that is taken today.
#[derive(Debug)]
struct OpenPlace {
    key: String,
    class: String,
    pupil: String,
    ends_on: Option<NaiveDate>,
    /// Whether the class is one of the running school year: on 1 September all others are new.
    is_running: bool,
}

/// What a read holds of places. A source may give a place another key each time: it is the same while class and pupil
/// are.
struct Held<'a> {
    keys: HashSet<&'a str>,
    places: HashSet<(&'a str, &'a str)>,
}

impl<'a> Held<'a> {
    fn of(held: impl Iterator<Item = (&'a str, &'a MembershipSaid)>) -> Self {
        let (mut keys, mut places) = (HashSet::new(), HashSet::new());
        for (key, said) in held {
            keys.insert(key);
            places.insert((said.class_key.as_str(), said.pupil_key.as_str()));
        }
        Self { keys, places }
    }

    fn has(&self, place: &OpenPlace) -> bool {
        self.keys.contains(place.key.as_str()) || self.places.contains(&(place.class.as_str(), place.pupil.as_str()))
    }
}

/// What a read moves: it gives the key of a place that is taken to another class of the same pupil.
#[derive(Debug, Default)]
pub struct Moved {
    keys: HashSet<String>,
    /// By class and pupil: where they were.
    places: HashSet<(String, String)>,
}

impl Moved {
    /// Whether a row is of what moves: of a key that moves, or of the place that it leaves, which may be there under
    /// another key.
    pub fn concerns(&self, key: &str, said: &MembershipSaid) -> bool {
        let left = || (said.class_key.clone(), said.pupil_key.clone());
        self.keys.contains(key) || (!self.places.is_empty() && self.places.contains(&left()))
    }
}

/// Reads the roster of the scope's school.
pub async fn standing(db: &Db, scope: &Scope) -> Result<Standing, DbError> {
    let school = school_of(scope)?;
    let mut standing = Standing {
        pupils: all_records(db.reader(), school).await?,
        waiting: waiting_places(db.reader(), scope).await?,
        today: scope.day(),
        ..Standing::default()
    };
    // Two years may use one key: the latest is meant.
    let text =
        "select source_key, school_year, name, grade, id from class_group where school_id = ? order by school_year";
    let mut latest: HashMap<String, ClassId> = HashMap::new();
    for row in rows(db.reader(), text, vec![school.into()]).await? {
        let key: String = row.try_get_by_index(0)?;
        let said = (row.try_get_by_index(2)?, row.try_get_by_index(3)?);
        latest.insert(key.clone(), row.try_get_by_index(4)?);
        standing.class_keys.insert(key.clone());
        standing
            .classes
            .insert((key, SchoolYear(row.try_get_by_index(1)?)), said);
    }
    // By way of its classes: places have no index by school, and those of all schools are many.
    let text = "select m.source_key, c.source_key, r.source_key, m.begins_on, m.ends_on, m.class_id, c.school_year
         from class_group c join membership m on m.class_id = c.id join record r on r.id = m.record_id
         where c.school_id = ?";
    for row in rows(db.reader(), text, vec![school.into()]).await? {
        let place: (String, String) = (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
        let ends: Option<NaiveDate> = row.try_get_by_index(4)?;
        if ends.is_none_or(|ends| ends > scope.day()) {
            standing.open_places.push(OpenPlace {
                key: row.try_get_by_index(0)?,
                class: place.0.clone(),
                pupil: place.1.clone(),
                ends_on: ends,
                is_running: SchoolYear(row.try_get_by_index(6)?) == SchoolYear::of(scope.day()),
            });
        }
        let class: ClassId = row.try_get_by_index(5)?;
        if latest.get(&place.0) == Some(&class) {
            standing.places.insert(place, (row.try_get_by_index(3)?, ends));
        }
    }
    Ok(standing)
}

impl Standing {
    /// Whether what is said of a class is known.
    pub fn has_class(&self, key: &str, said: &ClassSaid) -> bool {
        let known = self.classes.get(&(key.to_owned(), said.school_year));
        known.is_some_and(|(name, grade)| *name == said.name && *grade == said.grade)
    }

    /// Of each of these pupils, whether what is said is known: the very row, with what it does not speak of as it stands,
    /// and the enrolment that follows from it.
    pub async fn has_pupils(&self, db: &Db, said: &[(String, PupilSaid)]) -> Result<Vec<bool>, DbError> {
        let mut known = Vec::with_capacity(said.len());
        for some in said.chunks(AT_ONCE) {
            let completed = completed(db.reader(), some, &self.pupils).await?;
            for (key, pupil) in some {
                let pupil = completed.get(key).unwrap_or(pupil);
                known.push(match self.pupils.get(key) {
                    Some(record) => record.knows(pupil, self.today)?,
                    None => pupil.needs_no_record(),
                });
            }
        }
        Ok(known)
    }

    /// Whether what is said of a place in a class is known. What waits under its key has not had its last word.
    pub fn has_place(&self, key: &str, said: &MembershipSaid) -> bool {
        if self.waiting.contains_key(key) {
            return false;
        }
        let place = (said.class_key.clone(), said.pupil_key.clone());
        match self.places.get(&place) {
            Some((_, ends)) if said.gone => ends.is_some_and(|ends| ends <= self.today),
            Some(known) => *known == (said.begins_on, said.ends_on),
            None => said.gone,
        }
    }

    /// What a read that holds these moves.
    pub fn moved<'a>(&self, held: impl Iterator<Item = (&'a str, &'a MembershipSaid)>) -> Moved {
        let held: HashMap<&str, &MembershipSaid> = held.collect();
        let mut moved = Moved::default();
        for place in &self.open_places {
            let Some(said) = held.get(place.key.as_str()) else {
                continue;
            };
            let lasts = place.ends_on.is_none_or(|ends| ends > said.over_from(self.today));
            if lasts && said.pupil_key == place.pupil && said.class_key != place.class {
                moved.keys.insert(place.key.clone());
                moved.places.insert((place.class.clone(), place.pupil.clone()));
            }
        }
        moved
    }

    /// Whether a place waits already with these very words, and neither its class nor its pupil is known or coming.
    pub fn still_waits(
        &self,
        key: &str,
        said: &MembershipSaid,
        (classes, pupils): (&HashSet<&str>, &HashSet<&str>),
    ) -> bool {
        let has_class = |key: &str| classes.contains(key) || self.class_keys.contains(key);
        let has_pupil = |key: &str| pupils.contains(key) || self.pupils.contains_key(key);
        self.waiting.get(key) == Some(said) && !(has_class(&said.class_key) && has_pupil(&said.pupil_key))
    }

    /// The enrolled pupils that a read did not hold.
    pub fn left<'a>(&self, held: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
        let held: HashSet<&str> = held.collect();
        let enrolled = self.pupils.iter().filter(|(_, pupil)| pupil.is_open(self.today));
        let left = enrolled.filter(|(key, _)| !held.contains(key.as_str()));
        left.map(|(key, _)| key.clone()).collect()
    }

    /// The places in classes that a read did not hold, those that wait among them, by their own keys.
    pub fn left_places<'a>(&self, held: impl Iterator<Item = (&'a str, &'a MembershipSaid)>) -> BTreeSet<String> {
        let held = Held::of(held);
        let left = self.open_places.iter().filter(|place| !held.has(place));
        let waiting = self.waiting.keys().filter(|key| !held.keys.contains(key.as_str()));
        left.map(|place| &place.key).chain(waiting).cloned().collect()
    }

    /// How many of the places in classes of the running school year a read would end that holds these.
    pub fn ending_of<'a>(&self, held: impl Iterator<Item = (&'a str, &'a MembershipSaid)>) -> Ending {
        let held = Held::of(held.filter(|(_, said)| !said.gone));
        let running = || self.open_places.iter().filter(|place| place.is_running);
        let count = |of: usize| i64::try_from(of).unwrap_or(i64::MAX);
        Ending {
            enrolled: count(running().count()),
            missing: count(running().filter(|place| !held.has(place)).count()),
        }
    }
}
