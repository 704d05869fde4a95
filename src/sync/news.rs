//! What of a roster is not known yet: only that is put aside, so that the same roster again costs next to nothing (R41).

use std::collections::{BTreeMap, HashSet};

use hub_connectors::roster::Roster;
use hub_entities::category::{Categories, Category};
use hub_entities::policy::Scope;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::roster::agreed;
use super::{Sync, SyncError};
use crate::store::DbError;
use crate::store::loss::Gap;
use crate::store::roster::{ClassSaid, MembershipSaid, PupilSaid, standing};

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
    /// How many national numbers are none, by what is wrong with them.
    #[serde(skip)]
    pub(super) bad_numbers: BTreeMap<&'static str, i64>,
}

impl Filtered {
    /// SHA-256 of all of it.
    pub(super) fn hash(&self) -> Result<Vec<u8>, SyncError> {
        let bytes = serde_json::to_vec(self).map_err(|_never| unreadable())?;
        Ok(Sha256::digest(bytes).to_vec())
    }

    /// What could not be taken over. Whose number it was is not told, nor any digit of it.
    pub(super) fn gaps(&self) -> Vec<Gap> {
        let gap = |(wrong, rows): (&&'static str, &i64)| Gap {
            rule: "roster.bad_national_number",
            detail: (*wrong).to_owned(),
            rows: *rows,
        };
        self.bad_numbers.iter().map(gap).collect()
    }
}

/// Rows by their key in the source.
type Rows = Vec<(String, serde_json::Value)>;

/// What of a roster is not known yet, and whom it did not hold.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) rows: Vec<(&'static str, Rows)>,
    /// Rows of classes, pupils and places.
    pub(super) read: i64,
    /// Of those, the ones that say what is known.
    pub(super) known: i64,
    /// Of those, places that wait in quarantine already, and go on waiting.
    pub(super) waiting: i64,
    /// Pupils that are enrolled and were not held.
    pub(super) left: i64,
    /// What was in it and not agreed.
    pub(super) dropped: Vec<&'static str>,
    /// What could not be taken over.
    pub(super) gaps: Vec<Gap>,
}

impl News {
    /// Whether nothing is to be merged. Rows for reports are not compared: they are news unless the `same` roster was
    /// merged last.
    pub(super) fn is_nothing(&self, same: bool) -> bool {
        let for_reports = |kind: &str| kind == REPORT_CLASS || kind == REPORT_PLACE;
        let quiet = |(kind, rows): &(&str, Rows)| rows.is_empty() || (same && for_reports(kind));
        self.rows.iter().all(quiet)
    }
}

impl Sync {
    /// What a roster says that is not known yet; nothing is changed.
    pub(super) async fn preview_roster(
        &self,
        scope: &Scope,
        school_key: &str,
        roster: &Roster,
    ) -> Result<News, SyncError> {
        let filtered = self.filtered(school_key, roster, agreed(scope)?, scope.day());
        self.news(scope, &filtered, roster).await
    }

    pub(super) async fn news(&self, scope: &Scope, filtered: &Filtered, roster: &Roster) -> Result<News, SyncError> {
        let stands = standing(&self.db, scope).await?;
        let classes = filtered.classes.iter();
        let classes = rows(classes.filter(|(key, said)| !stands.has_class(key, said)))?;
        let mut pupils = Rows::new();
        for (key, said) in &filtered.pupils {
            if !stands.has_pupil(key, said)? {
                pupils.push((key.clone(), body(said)?));
            }
        }
        let coming = (keys(&filtered.classes), keys(&filtered.pupils));
        let coming = (&coming.0, &coming.1);
        let is_waiting = |(key, said): &&(String, MembershipSaid)| stands.still_waits(key, said, coming);
        let waiting = count(filtered.memberships.iter().filter(is_waiting).count());
        let is_new = |one: &&(String, MembershipSaid)| !stands.has_place(&one.0, &one.1) && !is_waiting(one);
        let places = rows(filtered.memberships.iter().filter(is_new))?;
        let read = [
            filtered.classes.len(),
            filtered.pupils.len(),
            filtered.memberships.len(),
        ];
        let read = read.into_iter().map(count).sum::<i64>();
        let new: i64 = [classes.len(), pupils.len(), places.len()].into_iter().map(count).sum();
        let mut news = News {
            read,
            known: read.saturating_sub(new).saturating_sub(waiting),
            waiting,
            dropped: filtered.dropped.iter().map(Category::name).collect(),
            gaps: filtered.gaps(),
            rows: vec![("class", classes), ("pupil", pupils), ("membership", places)],
            ..News::default()
        };
        let key_alone = |key: String| (key, serde_json::json!({}));
        if roster.complete.pupils {
            let left = stands.left(filtered.pupils.iter().map(|(key, _)| key.as_str()));
            news.left = count(left.len());
            news.rows.push((LEFT, left.into_iter().map(key_alone).collect()));
        }
        if roster.complete.memberships {
            let held = filtered.memberships.iter().map(|(key, said)| (key.as_str(), said));
            let left = stands.left_places(held);
            news.rows.push((LEFT_PLACE, left.into_iter().map(key_alone).collect()));
        }
        news.rows.push((REPORT_CLASS, rows(filtered.report_classes.iter())?));
        news.rows.push((REPORT_PLACE, rows(filtered.report_places.iter())?));
        Ok(news)
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
