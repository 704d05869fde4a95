//! Rosters that software brings in by itself: changes, or a snapshot in one call or several.

use std::collections::{BTreeSet, HashMap};

use chrono::NaiveDate;
use hub_connectors::roster::{ClassRow, MembershipRow, PupilRow, Roster};
use hub_entities::category::{Categories, Category};
use hub_entities::delivery::{Outcome, RecordKind, Told, Why};
use hub_entities::policy::{Reach, Scope};
use hub_entities::source::{RunKind, RunState, run};

use super::{LONGEST_KEY, Named, Pushed, begun_or, hash_of};
use crate::store::intake::{Begun, Changed, Intake, Record};
use crate::store::loss::Gap;
use crate::store::roster::{Ending, forget_reports, standing};
use crate::sync::news::{LEFT, LEFT_PLACE, REPORT_CLASS, REPORT_PLACE, rows};
use crate::sync::{Source, Sync, SyncError, filter};

/// The most rows of one call: classes, pupils and places in classes together.
pub const MOST_ROWS: usize = 500;

/// The most rows of one snapshot.
pub const MOST_OF_SNAPSHOT: usize = 20_000;

/// What a call tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// What has changed; the rest stays.
    Changes,
    /// All there is, or a part of it.
    Snapshot {
        /// What its parts call it.
        name: String,
        /// Which part this is, from 1: a snapshot of which a part is missing is never closed.
        number: i64,
        /// Whether this is the last part: what none of them held is gone.
        closing: bool,
    },
}

/// A roster, or a part of one, as software says it.
#[derive(Debug, Clone)]
pub struct PushedRoster {
    /// What it tells.
    pub mode: Mode,
    /// The day of which it tells.
    pub reference: NaiveDate,
    /// Classes.
    pub classes: Vec<ClassRow>,
    /// Pupils.
    pub pupils: Vec<PupilRow>,
    /// Places in classes.
    pub memberships: Vec<MembershipRow>,
}

impl PushedRoster {
    /// Each row: its kind, its key, and whether its days are in order; in the order in which they are answered.
    fn rows(&self) -> impl Iterator<Item = (&'static str, &str, bool)> {
        let in_order = |begins: Option<NaiveDate>, ends: Option<NaiveDate>| {
            begins.zip(ends).is_none_or(|(begins, ends)| begins <= ends)
        };
        let classes = self.classes.iter().map(|row| ("class", row.source_key.as_str(), true));
        let pupils = self.pupils.iter().map(move |row| {
            let days = row.schools.iter().all(|place| in_order(place.begins, place.ends));
            ("pupil", row.source_key.as_str(), days)
        });
        let places = self.memberships.iter().map(move |row| {
            // One that names its pupil by no key that may be kept has none itself.
            let key = if row.pupil_key.is_empty() {
                ""
            } else {
                row.source_key.as_str()
            };
            ("membership", key, in_order(row.begins, row.ends))
        });
        classes.chain(pupils).chain(places)
    }
}

impl PushedRoster {
    /// Each row by the sender's own key, in the order in which they are answered.
    fn records(&self) -> Vec<Record> {
        let of = |kind, key: &str, pupil: &str| Record {
            kind,
            key: key.to_owned(),
            pupil: pupil.to_owned(),
        };
        let classes = self
            .classes
            .iter()
            .map(|row| of(RecordKind::Class, &row.source_key, ""));
        let pupils = self
            .pupils
            .iter()
            .map(|row| of(RecordKind::Pupil, &row.source_key, &row.source_key));
        let places = self.memberships.iter();
        let places = places.map(|row| of(RecordKind::Membership, &row.source_key, &row.pupil_key));
        classes.chain(pupils).chain(places).collect()
    }
}

impl Sync {
    /// Takes in a roster, or a part of one, that software brings: all of the call or nothing. What waited for its pupils
    /// is worked off behind it.
    pub async fn push_roster(&self, scope: &Scope, named: &Named, said: &PushedRoster) -> Result<Pushed, SyncError> {
        let Reach::Source { source, school, agreed } = scope.reach() else {
            return Ok(Pushed::AnotherSchool);
        };
        let source = Source {
            id: *source,
            school: *school,
        };
        let said = &self.keyed_roster(said);
        let hash = hash_of(&("roster", &named.institution_number, format!("{:?}", self.blinded(said))))?;
        let closes = !matches!(said.mode, Mode::Snapshot { closing: false, .. });
        let call = || {
            let mut call = self.call(named, RunKind::Roster, &hash);
            call.reference = closes.then_some(said.reference);
            call
        };
        loop {
            let intake = begun_or!(Intake::begin(&self.db, scope, call()).await?);
            if intake
                .latest_reference()
                .await?
                .is_some_and(|latest| said.reference < latest)
            {
                return Ok(Pushed::Stale);
            }
            let name = match &said.mode {
                Mode::Changes => hash.clone(),
                Mode::Snapshot { name, .. } => hash_of(&("snapshot", name))?,
            };
            let whole = matches!(said.mode, Mode::Snapshot { .. });
            let Some(run) = intake.open_run(name, whole).await? else {
                drop(intake);
                match self.catch_up(scope, source).await {
                    Ok(()) => continue,
                    Err(SyncError::Busy) => return Ok(Pushed::Busy),
                    Err(fault) => return Err(fault),
                }
            };
            // A snapshot that gave way to another in between, or of which a part was lost, would end whom it held.
            if let Mode::Snapshot { number, .. } = said.mode
                && intake.parts(&run).await?.saturating_add(1) != number
            {
                return Ok(Pushed::Stale);
            }
            let pushed = self.take_in_roster(scope, intake, run, said, *agreed, closes).await?;
            if matches!(pushed, Pushed::Answered(_, RunState::Done, _)) {
                forget_reports(&self.db, scope).await?;
                match self.catch_up(scope, source).await {
                    Ok(()) | Err(SyncError::Busy) => {}
                    Err(fault) => return Err(fault),
                }
            }
            return Ok(pushed);
        }
    }

    async fn take_in_roster(
        &self,
        scope: &Scope,
        intake: Box<Intake>,
        run: run::Model,
        said: &PushedRoster,
        agreed: Categories,
        closes: bool,
    ) -> Result<Pushed, SyncError> {
        let mut taken = self.taken(said, agreed, &intake.connection().school_id.to_string())?;
        let staged = run
            .staged
            .saturating_add(i64::try_from(taken.told.len()).unwrap_or(i64::MAX));
        if staged > i64::try_from(MOST_OF_SNAPSHOT).unwrap_or(i64::MAX) {
            return Ok(Pushed::TooMuch);
        }
        for (kind, rows) in std::mem::take(&mut taken.aside) {
            intake.put_aside(&run, kind, rows).await?;
        }
        let lease = intake.lease().clone();
        let work = self.work(scope, &lease, run.id);
        intake.lose(&work, std::mem::take(&mut taken.gaps), Vec::new()).await?;
        let run = run::Model { staged, ..run };
        let mut places = Ending::default();
        if closes && run.complete {
            places = self.put_aside_who_left(scope, &intake, &run, agreed).await?;
        }
        let held = closes && run.complete && (intake.must_be_held(scope, &run).await? || places.must_be_held());
        let waits = match (closes, held) {
            (false, _) => Some((RunState::Staging, Why::AwaitsClosing)),
            (true, true) => Some((RunState::Held, Why::TooManyGone)),
            (true, false) => None,
        };
        let (state, progress) = if let Some((state, why)) = waits {
            taken.hold(why);
            (state, crate::store::run::Progress::default())
        } else {
            let (progress, changed) = intake.merge_roster(&work, &run).await?;
            taken.merged(&changed);
            (RunState::Done, progress)
        };
        let id = run.id;
        let dropped = taken.dropped(&run);
        intake.settle(run::Model { state, dropped, ..run }, progress).await?;
        let records = said.records();
        let told = intake.answer(scope, (id, state), records, taken.told).await?;
        Ok(Pushed::Answered(id, state, told))
    }

    /// Puts aside whom no part of a snapshot held, and the places in classes that none did; how many places those are.
    async fn put_aside_who_left(
        &self,
        scope: &Scope,
        intake: &Intake,
        run: &run::Model,
        agreed: Categories,
    ) -> Result<Ending, SyncError> {
        let stands = standing(&self.db, scope).await?;
        let key_alone = |key: String| (key, serde_json::json!({}));
        let (pupils, places) = (intake.pupils(run).await?, intake.places(run).await?);
        let left = stands.left(pupils.iter().map(|(key, _)| key.as_str()));
        let left = left.into_iter().map(key_alone).collect();
        intake.put_aside(run, LEFT, left).await?;
        let left = stands.left_places(places.iter().map(|(key, said)| (key.as_str(), said)));
        let left = left.into_iter().map(key_alone).collect();
        intake.put_aside(run, LEFT_PLACE, left).await?;
        // What is not agreed any more may go without a look.
        if !agreed.has(Category::Enrolment) {
            return Ok(Ending::default());
        }
        Ok(stands.ending_of(places.iter().map(|(key, said)| (key.as_str(), said))))
    }

    /// Filters the rows, and says what cannot be taken over.
    fn taken(&self, said: &PushedRoster, agreed: Categories, school_key: &str) -> Result<Taken, SyncError> {
        let mut seen = BTreeSet::new();
        let mut told = Vec::new();
        let mut refused = BTreeSet::new();
        let mut keys = Vec::new();
        for (place, (kind, key, days)) in said.rows().enumerate() {
            let why = if key.trim().is_empty() || key.chars().count() > LONGEST_KEY {
                Some(Why::Key)
            } else if !days {
                Some(Why::Days)
            } else {
                (!seen.insert((kind, key.to_owned()))).then_some(Why::Repeated)
            };
            if why.is_some() {
                refused.insert(place);
            }
            keys.push((kind, key.to_owned()));
            told.push(Told {
                outcome: if why.is_some() { Outcome::Refused } else { Outcome::Held },
                why,
                dropped: Vec::new(),
            });
        }
        let mut roster = Roster::default();
        let mut place = 0_usize;
        let mut is_kept = || {
            let kept = !refused.contains(&place);
            place = place.saturating_add(1);
            kept
        };
        roster
            .classes
            .extend(said.classes.iter().filter(|_| is_kept()).cloned());
        roster.pupils.extend(said.pupils.iter().filter(|_| is_kept()).cloned());
        roster
            .memberships
            .extend(said.memberships.iter().filter(|_| is_kept()).cloned());
        for row in &mut roster.classes {
            school_key.clone_into(&mut row.school_key);
        }
        for place in roster.pupils.iter_mut().flat_map(|row| &mut row.schools) {
            school_key.clone_into(&mut place.school_key);
        }
        for row in &mut roster.memberships {
            school_key.clone_into(&mut row.school_key);
        }
        let of_pupils = self.dropped_of(&said.pupils, agreed);
        let places = !agreed.has(Category::Enrolment);
        let kept_for_report = filter::places_for_report(agreed);
        for ((kind, key), told) in keys.iter().zip(&mut told) {
            if told.outcome == Outcome::Refused {
                continue;
            }
            if *kind == "pupil" {
                told.dropped = of_pupils
                    .get(key.as_str())
                    .copied()
                    .unwrap_or_default()
                    .iter()
                    .collect();
            } else if places {
                told.dropped = vec![Category::Enrolment];
            }
            let nothing = agreed.is_empty() || (*kind != "pupil" && places && !kept_for_report);
            if nothing {
                (told.outcome, told.why) = (Outcome::Refused, Some(Why::NotAgreed));
            }
        }
        let (mut aside, mut gaps) = (Vec::new(), Vec::new());
        if !agreed.is_empty() {
            let filtered = self.filtered(school_key, roster, agreed, said.reference);
            gaps = filtered.gaps();
            aside = vec![
                ("class", rows(filtered.classes.iter())?),
                ("pupil", rows(filtered.pupils.iter())?),
                ("membership", rows(filtered.memberships.iter())?),
                (REPORT_CLASS, rows(filtered.report_classes.iter())?),
                (REPORT_PLACE, rows(filtered.report_places.iter())?),
            ];
        }
        Ok(Taken {
            keys,
            told,
            aside,
            gaps,
        })
    }

    /// What a call says, with the keys of pupils as they are kept. A row without one is refused.
    fn keyed_roster(&self, said: &PushedRoster) -> PushedRoster {
        let mut said = said.clone();
        for pupil in &mut said.pupils {
            pupil.source_key = self.pupil_key(&pupil.source_key).into_owned();
        }
        for place in &mut said.memberships {
            place.pupil_key = self.pupil_key(&place.pupil_key).into_owned();
            place.source_key = self.record_key(&place.source_key).into_owned();
        }
        said
    }

    /// What a call says, with the blind index in the place of each national number: by its hash a call is known again,
    /// and from a hash over the number itself, which has few digits, it could be found.
    fn blinded(&self, said: &PushedRoster) -> PushedRoster {
        let mut said = said.clone();
        for pupil in &mut said.pupils {
            pupil.identifier = pupil.identifier.take().map(|key| self.pupil_key(&key).into_owned());
            for (of_type, id) in &mut pupil.user_ids {
                *id = if of_type.eq_ignore_ascii_case("nationalNumber") {
                    format!("{:?}", self.blind_index(id))
                } else {
                    self.pupil_key(id).into_owned()
                };
            }
        }
        said
    }

    /// What is in each pupil's row and was not agreed.
    fn dropped_of<'a>(&self, pupils: &'a [PupilRow], agreed: Categories) -> HashMap<&'a str, Categories> {
        let of = |row: &'a PupilRow| {
            let mut dropped = Categories::NONE;
            self.pupil_said(row, agreed, &mut dropped);
            (row.source_key.as_str(), dropped)
        };
        pupils.iter().map(of).collect()
    }
}

/// The rows of a call on their way.
struct Taken {
    /// Kind and key of each.
    keys: Vec<(&'static str, String)>,
    /// What is told of each; held until something else is known.
    told: Vec<Told>,
    /// What is put aside of them.
    aside: Vec<(&'static str, Vec<(String, serde_json::Value)>)>,
    /// What could not be taken over.
    gaps: Vec<Gap>,
}

impl Taken {
    fn hold(&mut self, why: Why) {
        for told in self.told.iter_mut().filter(|told| told.outcome == Outcome::Held) {
            told.why = Some(why);
        }
    }

    fn merged(&mut self, changed: &Changed) {
        for (key, told) in self.keys.iter().zip(&mut self.told) {
            if told.outcome != Outcome::Held {
                continue;
            }
            told.outcome = match changed.get(key) {
                // What is kept for a report alone is written as it is said.
                None | Some(Some(true)) => Outcome::Accepted,
                Some(Some(false)) => Outcome::Unchanged,
                Some(None) => {
                    told.why = Some(Why::UnknownPlace);
                    Outcome::Refused
                }
            };
        }
    }

    /// The categories that the run has dropped by now, by name.
    fn dropped(&self, run: &run::Model) -> serde_json::Value {
        let before: BTreeSet<Category> = serde_json::from_value(run.dropped.clone()).unwrap_or_default();
        let now = self.told.iter().flat_map(|told| told.dropped.iter().copied());
        serde_json::json!(before.into_iter().chain(now).collect::<BTreeSet<_>>())
    }
}
