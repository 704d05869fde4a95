//! What of a roster is not known yet: only that is put aside, so that the same roster again costs next to nothing (R41).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::BufWriter;

use hub_connectors::roster::{Complete, Roster};
use hub_entities::category::{Categories, Category};
use hub_entities::policy::Scope;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::roster::agreed;
use super::{Sync, SyncError, filter};
use crate::store::DbError;
use crate::store::loss::Gap;
use crate::store::roster::{ClassSaid, Ending, MembershipSaid, PupilSaid, standing};

/// How rows that only a report may carry are put aside.
pub(super) const REPORT_CLASS: &str = "report_class";
pub(super) const REPORT_PLACE: &str = "report_place";

/// How whom a complete read did not hold is put aside, and which places in classes.
pub(super) const LEFT: &str = "left";
pub(super) const LEFT_PLACE: &str = "left_place";

/// A roster of one school, as far as it may be put aside.
#[derive(Debug, Default, Serialize)]
pub(super) struct Filtered {
    pub(super) classes: Vec<(String, ClassSaid)>,
    pub(super) pupils: Vec<(String, PupilSaid)>,
    pub(super) memberships: Vec<(String, MembershipSaid)>,
    /// Classes and places that only a report may name.
    pub(super) report_classes: Vec<(String, ClassSaid)>,
    pub(super) report_places: Vec<(String, MembershipSaid)>,
    #[serde(skip)]
    pub(super) dropped: Categories,
    /// Which of these are all there are.
    #[serde(skip)]
    pub(super) complete: Complete,
    /// How many national numbers are none, by what is wrong with them.
    #[serde(skip)]
    pub(super) bad_numbers: BTreeMap<&'static str, i64>,
    /// How many rows have a key that is a national number, and can be kept under none.
    #[serde(skip)]
    pub(super) unkeyed: i64,
}

impl Filtered {
    /// SHA-256 of all of it.
    pub(super) fn hash(&self) -> Result<Vec<u8>, SyncError> {
        let mut hash = BufWriter::new(Sha256::new());
        serde_json::to_writer(&mut hash, self).map_err(|_never| unreadable())?;
        let hash = hash.into_inner().map_err(|_never| unreadable())?;
        Ok(hash.finalize().to_vec())
    }

    /// What could not be taken over. Whose number it was is not told, nor any digit of it.
    pub(super) fn gaps(&self) -> Vec<Gap> {
        let gap = |(wrong, rows): (&&'static str, &i64)| Gap {
            rule: "roster.bad_national_number",
            detail: (*wrong).to_owned(),
            rows: *rows,
        };
        let unkeyed = (self.unkeyed > 0).then(|| Gap {
            rule: "roster.national_number_as_key",
            detail: String::new(),
            rows: self.unkeyed,
        });
        self.bad_numbers.iter().map(gap).chain(unkeyed).collect()
    }
}

/// Rows by their key in the source.
pub(super) type Rows = Vec<(String, serde_json::Value)>;

/// How many rows are put aside at once; no more of them are made ready beforehand.
const AT_ONCE: usize = 1_000;

/// What of a roster is not known yet, and whom it did not hold.
#[derive(Debug, Default)]
pub(super) struct News {
    /// What says something new.
    new: Filtered,
    /// Keys of enrolled pupils that were not held.
    gone: BTreeSet<String>,
    /// Keys of places in classes that were not held.
    gone_places: BTreeSet<String>,
    /// Rows of classes, pupils and places.
    pub(super) read: i64,
    /// Of those, the ones that say what is known.
    pub(super) known: i64,
    /// Of those, places that wait in quarantine already, and go on waiting.
    pub(super) waiting: i64,
    /// Pupils that are enrolled and were not held.
    pub(super) left: i64,
    /// How many places in classes it would end.
    pub(super) ending_places: Ending,
    /// What was in it and not agreed.
    pub(super) dropped: Vec<&'static str>,
    /// What could not be taken over.
    pub(super) gaps: Vec<Gap>,
}

impl News {
    /// Whether nothing is to be merged. Rows for reports are not compared: they are news unless the `same` roster was
    /// merged last.
    pub(super) fn is_nothing(&self, same: bool) -> bool {
        let Filtered {
            classes,
            pupils,
            memberships,
            report_classes,
            report_places,
            ..
        } = &self.new;
        let for_reports = !report_classes.is_empty() || !report_places.is_empty();
        let new = !classes.is_empty() || !pupils.is_empty() || !memberships.is_empty();
        let gone = !self.gone.is_empty() || !self.gone_places.is_empty();
        !new && !gone && (same || !for_reports)
    }

    /// Hands over all that is to be put aside, some at a time, and keeps none of it.
    pub(super) fn aside(&mut self) -> impl Iterator<Item = Result<(&'static str, Rows), SyncError>> {
        let new = std::mem::take(&mut self.new);
        let keys = |kind, keys: BTreeSet<String>| some(kind, keys.into_iter().map(|key| (key, Nothing {})));
        some("class", new.classes.into_iter())
            .chain(some("pupil", new.pupils.into_iter()))
            .chain(some("membership", new.memberships.into_iter()))
            .chain(keys(LEFT, std::mem::take(&mut self.gone)))
            .chain(keys(LEFT_PLACE, std::mem::take(&mut self.gone_places)))
            .chain(some(REPORT_CLASS, new.report_classes.into_iter()))
            .chain(some(REPORT_PLACE, new.report_places.into_iter()))
    }
}

/// What is put aside of whom a read did not hold: the key alone.
#[derive(Serialize)]
struct Nothing {}

/// Rows of a kind, some at a time.
fn some<T: Serialize>(
    kind: &'static str,
    mut said: impl Iterator<Item = (String, T)>,
) -> impl Iterator<Item = Result<(&'static str, Rows), SyncError>> {
    let next = move || {
        let some = said.by_ref().take(AT_ONCE);
        let some: Result<Rows, SyncError> = some.map(|(key, said)| Ok((key, body(&said)?))).collect();
        match some {
            Ok(none) if none.is_empty() => None,
            some => Some(some.map(|some| (kind, some))),
        }
    };
    std::iter::from_fn(next)
}

impl Sync {
    /// What a roster says that is not known yet; nothing is changed.
    pub(super) async fn preview_roster(
        &self,
        scope: &Scope,
        school_key: &str,
        roster: Roster,
    ) -> Result<News, SyncError> {
        let filtered = self.filtered(school_key, roster, agreed(scope)?, scope.day());
        self.news(scope, filtered).await
    }

    pub(super) async fn news(&self, scope: &Scope, mut new: Filtered) -> Result<News, SyncError> {
        let stands = standing(&self.db, scope).await?;
        let size = |of: &Filtered| -> i64 {
            let sizes = [of.classes.len(), of.pupils.len(), of.memberships.len()];
            sizes.into_iter().map(count).sum()
        };
        let read = size(&new);
        let coming = (keys(&new.classes), keys(&new.pupils));
        let coming = (&coming.0, &coming.1);
        let waits: HashSet<String> = new
            .memberships
            .iter()
            .filter(|(key, said)| stands.still_waits(key, said, coming))
            .map(|(key, _)| key.clone())
            .collect();
        let waiting = new.memberships.iter().filter(|(key, _)| waits.contains(key));
        let waiting = count(waiting.count());
        let (mut gone, mut gone_places) = (BTreeSet::new(), BTreeSet::new());
        if new.complete.pupils {
            gone = stands.left(new.pupils.iter().map(|(key, _)| key.as_str()));
        }
        let mut ending_places = Ending::default();
        if new.complete.memberships {
            let held = || new.memberships.iter().map(|(key, said)| (key.as_str(), said));
            gone_places = stands.left_places(held());
            // What is not agreed any more may go without a look.
            if filter::keeps_places(scope) {
                ending_places = stands.ending_of(held());
            }
        }
        new.classes.retain(|(key, said)| !stands.has_class(key, said));
        let mut known = stands.has_pupils(&self.db, &new.pupils).await?.into_iter();
        new.pupils.retain(|_| known.next() != Some(true));
        let moved = stands.moved(new.memberships.iter().map(|(key, said)| (key.as_str(), said)));
        new.memberships
            .retain(|(key, said)| (!stands.has_place(key, said) || moved.concerns(key, said)) && !waits.contains(key));
        Ok(News {
            read,
            known: read.saturating_sub(size(&new)).saturating_sub(waiting),
            waiting,
            left: count(gone.len()),
            ending_places,
            gaps: new.gaps(),
            dropped: new.dropped.iter().map(Category::name).collect(),
            new,
            gone,
            gone_places,
        })
    }
}

fn keys<T>(rows: &[(String, T)]) -> HashSet<&str> {
    rows.iter().map(|(key, _)| key.as_str()).collect()
}

fn count(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}

pub(super) fn rows<'a, T: Serialize + 'a>(said: impl Iterator<Item = &'a (String, T)>) -> Result<Rows, SyncError> {
    said.map(|(key, said)| Ok((key.clone(), body(said)?))).collect()
}

fn body<T: Serialize>(said: &T) -> Result<serde_json::Value, SyncError> {
    serde_json::to_value(said).map_err(|_never| unreadable())
}

fn unreadable() -> SyncError {
    SyncError::Store(DbError::Unreadable {
        column: "staged_row.body",
    })
}
