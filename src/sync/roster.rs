//! Rosters: filtered by the agreement, put aside, merged class by class and pupil by pupil, and only
//! after a complete read the endings, of pupils and of places in classes, unless they are so many that a person must look
//! first (R08).

use std::collections::HashMap;

use chrono::NaiveDate;
use hub_connectors::roster::{ClassRow, MembershipRow, PupilRow, Roster, Status};
use hub_entities::category::{Categories, Category};
use hub_entities::number::national::{BlindIndexKey, NationalNumber, NationalNumberError};
use hub_entities::policy::{Reach, Scope};
use hub_entities::source::{RunKind, RunState, run};
use hub_entities::time::SchoolYear;
use serde::de::DeserializeOwned;

use super::news::{Filtered, News, REPORT_CLASS, REPORT_PLACE};
use super::{Source, Sync, SyncError, filter, traced};
use crate::store::DbError;
use crate::store::lease::Lease;
use crate::store::loss::note_gaps;
use crate::store::roster::{
    ClassSaid, MembershipSaid, Presumed, PupilSaid, Unsaid, end_missing, end_missing_memberships,
    end_missing_report_places, ending, forget_reports, merge_classes, merge_memberships, merge_pupils,
    merge_report_classes, merge_report_places,
};
use crate::store::run as runs;
use crate::store::staging::{next_rows, put_rows};

/// Rows merged in one transaction.
const CHUNK: u32 = 200;

impl Sync {
    /// Imports a roster of one school. `content_hash` names the content, so that the same import
    /// again is known for the same.
    pub async fn roster(
        &self,
        source: Source,
        school_key: &str,
        roster: Roster,
        content_hash: Vec<u8>,
    ) -> Result<run::Model, SyncError> {
        let lease = self.lease(source).await?;
        let import = async {
            let merged = self.roster_under(&lease, source, school_key, roster, Some(content_hash));
            // Only what comes over the wire, without a hash, may need no run.
            let none = SyncError::Store(DbError::Unreadable { column: "sync_run.id" });
            merged.await?.1.ok_or(none)
        };
        let import = Box::pin(traced(RunKind::Roster, source, import));
        let outcome = self.until_stopped(import).await;
        lease.release(&self.db).await?;
        outcome
    }

    /// As [`Sync::roster`] under a lease. What comes without a hash of its own, over the wire, is pulled again and again:
    /// when it says nothing new there is no run.
    pub(super) async fn roster_under(
        &self,
        lease: &Lease,
        source: Source,
        school_key: &str,
        roster: Roster,
        content_hash: Option<Vec<u8>>,
    ) -> Result<(News, Option<run::Model>), SyncError> {
        let scope = self.scope(source).await?;
        let filtered = self.filtered(school_key, roster, agreed(&scope)?, scope.day());
        let may_be_quiet = content_hash.is_none();
        let content_hash = match content_hash {
            Some(hash) => hash,
            None => filtered.hash()?,
        };
        let mut latest = runs::latest(&self.db, &scope, RunKind::Roster).await?;
        // A run that was killed while merging other data is finished first. What its places in classes leave out
        // stays: whether they were all is not known any more, and this roster says.
        if let Some(cut_off) = latest.take_if(|run| run.state == RunState::Merging && run.content_hash != content_hash)
        {
            self.merge_roster(&scope, lease, cut_off, false).await?;
        }
        let complete = filtered.complete;
        let mut news = self.news(&scope, filtered).await?;
        let same = latest.as_ref().is_some_and(|run| run.content_hash == content_hash);
        let under_way = latest.is_some_and(|run| run.finished_at.is_none());
        if may_be_quiet && !under_way && news.is_nothing(same) {
            self.work_off(&scope, lease, source).await?;
            return Ok((news, None));
        }
        let run = self
            .begin(&scope, lease, source, RunKind::Roster, content_hash, complete.pupils)
            .await?;
        let run = match run.state {
            RunState::Staging => self.stage_roster(&scope, lease, run, &mut news).await?,
            _ => run,
        };
        if run.state == RunState::Held {
            return Ok((news, Some(run)));
        }
        let run = self.merge_roster(&scope, lease, run, complete.memberships).await?;
        // What waited for its pupil may have found one; half-days of a run that was killed come first.
        self.finish_cut_off(&scope, lease, source).await?;
        self.work_off(&scope, lease, source).await?;
        Ok((news, Some(run)))
    }

    async fn stage_roster(
        &self,
        scope: &Scope,
        lease: &Lease,
        run: run::Model,
        news: &mut News,
    ) -> Result<run::Model, SyncError> {
        runs::discard(&self.db, lease, run.id).await?;
        for some in news.aside() {
            let (kind, rows) = some?;
            put_rows(&self.db, lease, run.id, kind, rows).await?;
        }
        note_gaps(&self.db, self.work(scope, lease, run.id), news.gaps.clone()).await?;
        let next = run::Model {
            staged: news.read,
            quarantined: news.waiting,
            dropped: serde_json::json!(news.dropped),
            ..run
        };
        let too_many = next.complete && ending(&self.db, scope, next.id).await?.must_be_held();
        let held = too_many || news.ending_places.must_be_held();
        let state = if held { RunState::Held } else { RunState::Merging };
        Ok(runs::staged(&self.db, lease, run::Model { state, ..next }, news.known).await?)
    }

    /// Merges what was put aside, from where the run stands.
    pub(super) async fn merge_roster(
        &self,
        scope: &Scope,
        lease: &Lease,
        run: run::Model,
        complete_memberships: bool,
    ) -> Result<run::Model, SyncError> {
        let total = u64::try_from(run.staged).unwrap_or_default();
        let mut done = u64::try_from(run.changed.saturating_add(run.unchanged)).unwrap_or_default();
        let (mut phase, mut after) = Phase::of_cursor(run.cursor.as_deref());
        let mut quarantined = run.quarantined;
        while let Some(kind) = phase.kind() {
            let rows = next_rows(&self.db, run.id, kind, &after, CHUNK).await?;
            let Some((last, _)) = rows.last() else {
                (phase, after) = (phase.next(), String::new());
                continue;
            };
            after.clone_from(last);
            let count = rows.len();
            let cursor = Some(phase.cursor(&after));
            let work = self.work(scope, lease, run.id);
            match phase {
                Phase::Classes => {
                    merge_classes(&self.db, work, &parsed::<ClassSaid>(rows)?, cursor).await?;
                }
                Phase::Pupils => {
                    merge_pupils(&self.db, work, &parsed::<PupilSaid>(rows)?, cursor).await?;
                }
                Phase::Memberships | Phase::Endings => {
                    let said = parsed::<MembershipSaid>(rows)?;
                    let progress = merge_memberships(&self.db, work, &said, cursor).await?;
                    quarantined = quarantined.saturating_add(progress.quarantined);
                }
            }
            done = done.saturating_add(u64::try_from(count).unwrap_or_default());
            (self.progress)(done.min(total), total);
        }
        // Last of all; whom a read did not hold is put aside only when it was complete.
        while end_missing(&self.db, self.work(scope, lease, run.id), CHUNK).await? > 0 {}
        while end_missing_memberships(&self.db, self.work(scope, lease, run.id), CHUNK).await? > 0 {}
        self.merge_reported(scope, lease, &run, complete_memberships).await?;
        self.finish(lease, run::Model { quarantined, ..run }).await
    }

    /// Merges what only a report may carry, all of it each time the run comes here, and forgets what none can need.
    async fn merge_reported(
        &self,
        scope: &Scope,
        lease: &Lease,
        run: &run::Model,
        complete: bool,
    ) -> Result<(), SyncError> {
        for kind in [REPORT_CLASS, REPORT_PLACE] {
            let mut after = String::new();
            loop {
                let rows = next_rows(&self.db, run.id, kind, &after, CHUNK).await?;
                let Some((last, _)) = rows.last() else { break };
                after.clone_from(last);
                let work = self.work(scope, lease, run.id);
                if kind == REPORT_CLASS {
                    merge_report_classes(&self.db, work, parsed::<ClassSaid>(rows)?).await?;
                } else {
                    merge_report_places(&self.db, work, parsed::<MembershipSaid>(rows)?).await?;
                }
            }
        }
        if complete {
            end_missing_report_places(&self.db, self.work(scope, lease, run.id)).await?;
        }
        forget_reports(&self.db, scope).await?;
        Ok(())
    }

    /// What may be put aside of a roster: the school's own rows, with the agreed categories. Each row gives way to what is
    /// kept of it.
    pub(super) fn filtered(&self, school_key: &str, roster: Roster, agreed: Categories, today: NaiveDate) -> Filtered {
        let (roster, unkeyed) = self.keyed(roster);
        let Roster {
            sessions,
            classes,
            pupils,
            mut memberships,
            complete,
            ..
        } = roster;
        let mut filtered = Filtered {
            complete,
            unkeyed,
            ..Filtered::default()
        };
        let running = sessions
            .iter()
            .find(|session| session.begins <= today && today < session.ends);
        let latest = running.or_else(|| sessions.iter().max_by_key(|session| session.begins));
        let year = latest.map_or_else(|| SchoolYear::of(today), |session| session.school_year);
        let year_begins = latest.map(|session| session.begins);
        let enrolment = agreed.has(Category::Enrolment);
        let of_report = filter::places_for_report(agreed);
        if !enrolment && !classes.is_empty() {
            filtered.dropped = filtered.dropped.with(Category::Enrolment);
        }
        let own = classes.into_iter().filter(|class| class.school_key == school_key);
        let own = own.map(|class| class_said(class, year));
        if enrolment {
            filtered.classes.extend(own);
        } else if of_report {
            filtered.report_classes.extend(own);
        }
        let first_days = first_days(&memberships);
        filtered.pupils.reserve_exact(pupils.len());
        for pupil in pupils {
            // In a delta the school of a row may be left out: it is the connection's own.
            let place = pupil.schools.iter().find(|place| place.school_key == school_key);
            if place.is_none() && !pupil.schools.is_empty() {
                continue;
            }
            let mut said = self.pupil_said(&pupil, agreed, &mut filtered.dropped);
            if let Some(wrong) = self.bad_number(&pupil, agreed) {
                let rows = filtered.bad_numbers.entry(wrong.name()).or_default();
                *rows = rows.saturating_add(1);
            }
            said.begins_on = place.and_then(|place| place.begins);
            if said.begins_on.is_none() {
                let by_class = first_days.get(pupil.source_key.as_str()).copied();
                let on = by_class.or(year_begins).filter(|begins| *begins <= today);
                said.presumed = on.map(|on| Presumed {
                    on,
                    of_all: by_class.is_some() && complete.memberships && enrolment,
                });
            }
            said.ends_on = place.and_then(|place| place.ends);
            said.gone |= place.is_some_and(|place| place.status == Status::Gone);
            filtered.pupils.push((pupil.source_key, said));
        }
        memberships.retain(|one| one.school_key == school_key);
        let places = memberships.into_iter().map(membership_said);
        if enrolment {
            filtered.memberships.extend(places);
        } else if of_report {
            filtered.report_places.extend(places);
        }
        filtered
    }

    pub(super) fn pupil_said(&self, row: &PupilRow, agreed: Categories, dropped: &mut Categories) -> PupilSaid {
        let gone = row.status == Status::Gone;
        if gone {
            return PupilSaid {
                gone,
                ..PupilSaid::default()
            };
        }
        let mut keep = |value: Option<String>, category| filter::keep(value, category, agreed, dropped);
        let given_name = keep(some(&row.given_name), Category::Identity);
        let family_name = keep(some(&row.family_name), Category::Identity);
        let sex = keep(row.sex.map(str::to_owned), Category::Identity);
        let sort_name = family_name
            .as_deref()
            .map(|family| sort_name(family, given_name.as_deref()));
        let street = keep(row.street.clone(), Category::Address);
        let postal_code = keep(row.postal_code.clone(), Category::Address);
        let city = keep(row.city.clone(), Category::Address);
        let language = keep(row.language.clone(), Category::Language);
        let national = user_id(row, "nationalNumber");
        let national = keep(national, Category::NationalNumber);
        let birth_date = filter::keep(row.birth_date, Category::Birth, agreed, dropped);
        let contacts = contacts(row);
        let contacts = filter::keep(contacts, Category::Contact, agreed, dropped);
        PupilSaid {
            gone,
            identifier: row.identifier.clone(),
            stamnummer: user_id(row, "stamnummer"),
            given_name,
            family_name,
            sex,
            sort_name,
            birth_date,
            street,
            postal_code,
            city,
            contacts,
            language,
            report: filter::minimum(row, agreed),
            national_index: national.and_then(|number| self.blind_index(&number)),
            unsaid: Unsaid {
                person: !row.says.person,
                birth: !row.says.birth,
                schools: !row.says.schools,
            },
            only_if_known: row.only_if_known,
            ..PupilSaid::default()
        }
    }

    /// What is wrong with a pupil's national number, where it may be used and is none: the pupil is kept without.
    fn bad_number(&self, row: &PupilRow, agreed: Categories) -> Option<NationalNumberError> {
        let is_used = self.national_numbers.is_some() && agreed.has(Category::NationalNumber);
        if !is_used || row.status == Status::Gone {
            return None;
        }
        user_id(row, "nationalNumber")?.parse::<NationalNumber>().err()
    }

    /// The blind index of a national number; the number itself goes no further. Only where an authorisation is
    /// configured, and only for a number whose checksum holds.
    pub(super) fn blind_index(&self, number: &str) -> Option<Vec<u8>> {
        let key: &BlindIndexKey = self.national_numbers.as_deref()?;
        let number: NationalNumber = number.parse().ok()?;
        Some(number.blind_index(key).as_bytes().to_vec())
    }
}

/// What is merged when, and what the cursor says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Classes,
    Pupils,
    Memberships,
    Endings,
}

impl Phase {
    const fn kind(self) -> Option<&'static str> {
        match self {
            Self::Classes => Some("class"),
            Self::Pupils => Some("pupil"),
            Self::Memberships => Some("membership"),
            Self::Endings => None,
        }
    }

    const fn next(self) -> Self {
        match self {
            Self::Classes => Self::Pupils,
            Self::Pupils => Self::Memberships,
            Self::Memberships | Self::Endings => Self::Endings,
        }
    }

    fn cursor(self, after: &str) -> String {
        format!("{}/{after}", self.kind().unwrap_or("ending"))
    }

    /// Where a run stands: the phase, and the last key merged in it.
    fn of_cursor(cursor: Option<&str>) -> (Self, String) {
        let (phase, after) = cursor
            .and_then(|cursor| cursor.split_once('/'))
            .unwrap_or(("class", ""));
        let phase = match phase {
            "pupil" => Self::Pupils,
            "membership" => Self::Memberships,
            "ending" => Self::Endings,
            _ => Self::Classes,
        };
        (phase, after.to_owned())
    }
}

/// A number of the pupil of this type.
fn user_id(row: &PupilRow, of_type: &str) -> Option<String> {
    row.user_ids
        .iter()
        .find(|(found, _)| found.eq_ignore_ascii_case(of_type))
        .map(|(_, id)| id.clone())
}

/// How the pupil and those the school lists for them are reached. No authority follows from it.
fn contacts(row: &PupilRow) -> Option<serde_json::Value> {
    if row.contacts.is_empty() && row.email.is_none() && row.phone.is_none() {
        return None;
    }
    let others: Vec<serde_json::Value> = row
        .contacts
        .iter()
        .map(|one| {
            serde_json::json!({
                "role": one.role, "givenName": one.given_name, "familyName": one.family_name,
                "email": one.email, "phone": one.phone,
            })
        })
        .collect();
    Some(serde_json::json!({ "email": row.email, "phone": row.phone, "others": others }))
}

/// What a source may bring in today; an error when it is nothing.
pub(super) fn agreed(scope: &Scope) -> Result<Categories, SyncError> {
    match scope.reach() {
        Reach::Source { agreed, .. } if !agreed.is_empty() => Ok(*agreed),
        _ => Err(SyncError::NotAgreed),
    }
}

fn parsed<T: DeserializeOwned>(rows: Vec<(String, serde_json::Value)>) -> Result<Vec<(String, T)>, SyncError> {
    let parse = |(key, body): (String, serde_json::Value)| {
        let said = serde_json::from_value(body);
        Ok((
            key,
            said.map_err(|_unreadable| DbError::Unreadable {
                column: "staged_row.body",
            })?,
        ))
    };
    rows.into_iter().map(parse).collect()
}

fn class_said(class: ClassRow, year: SchoolYear) -> (String, ClassSaid) {
    let said = ClassSaid {
        name: class.title,
        grade: class.grade,
        school_year: class.school_year.unwrap_or(year),
    };
    (class.source_key, said)
}

fn membership_said(row: MembershipRow) -> (String, MembershipSaid) {
    let said = MembershipSaid {
        gone: row.status == Status::Gone,
        class_key: row.class_key,
        pupil_key: row.pupil_key,
        begins_on: row.begins,
        ends_on: row.ends,
    };
    (row.source_key, said)
}

/// The first day each pupil was in any class: what OneRoster 1.1 has for a begin at the school.
fn first_days(memberships: &[MembershipRow]) -> HashMap<&str, NaiveDate> {
    let mut first: HashMap<&str, NaiveDate> = HashMap::new();
    for row in memberships {
        if let Some(begins) = row.begins {
            let day = first.entry(row.pupil_key.as_str()).or_insert(begins);
            *day = begins.min(*day);
        }
    }
    first
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Family and given name, folded so that a list sorts the same on both databases: capitals and accents do not count.
fn sort_name(family: &str, given: Option<&str>) -> String {
    let fold = |text: &str| -> String { text.chars().flat_map(char::to_lowercase).map(plain).collect() };
    format!("{}\u{1f}{}", fold(family), given.map(fold).unwrap_or_default())
}

/// The letter under the accents that occur in names here.
const fn plain(letter: char) -> char {
    match letter {
        'à' | 'á' | 'â' | 'ä' | 'ã' | 'å' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'è' | 'é' | 'ê' | 'ë' | 'ę' => 'e',
        'ì' | 'í' | 'î' | 'ï' | 'ı' => 'i',
        'ñ' | 'ń' => 'n',
        'ò' | 'ó' | 'ô' | 'ö' | 'õ' | 'ø' => 'o',
        'ş' | 'š' | 'ś' => 's',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        'ý' | 'ÿ' => 'y',
        'ğ' => 'g',
        'ł' => 'l',
        'ž' | 'ź' | 'ż' => 'z',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_names_phase_and_key() {
        assert_eq!(Phase::of_cursor(None), (Phase::Classes, String::new()));
        let cursor = Phase::Pupils.cursor("a/b");
        assert_eq!(Phase::of_cursor(Some(&cursor)), (Phase::Pupils, "a/b".to_owned()));
        assert_eq!(Phase::of_cursor(Some("ending/")), (Phase::Endings, String::new()));
    }

    #[test]
    fn names_sort_without_capitals_and_accents() {
        assert_eq!(sort_name("Yılmaz", Some("Çağla")), "yilmaz\u{1f}cagla");
        assert!(sort_name("De Smet", Some("An")) < sort_name("De Smet", Some("Bo")));
    }
}
