//! A signal (melding): raised when a threshold is crossed, withdrawn when a correction takes it back.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Enum, ID, InputObject, Lookahead, Object, SimpleObject, Union};
use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::category::{Categories, Category};
use hub_entities::id::{PrincipalId, PupilId, SignalId};
use hub_entities::law::threshold::SignalKind as Rule;
use hub_entities::signal::{SignalState as Standing, Track as Step};
use hub_entities::time::SchoolYear;
use uuid::Uuid;

use crate::asked::{Asked, counted, id};
use crate::batch::Batch;
use crate::hub::Stepped;
use crate::outcome::{Conflict, Invalid, NotPossible, Reason};
use crate::page::{Slice, connection};
use crate::problem::Problem;
use crate::pupil::{self, Pupil, PupilRow};
use crate::scalar::{Gid, Year};
use crate::school::SchoolRow;

/// Who took a step, for which party, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofRow {
    /// Which track.
    pub track: Step,
    /// Who.
    pub by: PrincipalId,
    /// For which school or CLB, as its id outside.
    pub party: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// What the hub answers of one signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalRow {
    /// The signal.
    pub id: SignalId,
    /// Which rule raised it.
    pub kind: String,
    /// Whether it stands.
    pub state: Standing,
    /// 1, and one more each time it is raised again.
    pub generation: i32,
    /// The school year.
    pub year: SchoolYear,
    /// Half-days as last counted while it stood.
    pub count: i32,
    /// When the threshold was reached.
    pub reached_on: Option<NaiveDate>,
    /// When it was raised.
    pub raised_at: DateTime<Utc>,
    /// When it was withdrawn.
    pub withdrawn_at: Option<DateTime<Utc>>,
    /// Whether it came of older data.
    pub backfill: bool,
    /// Rises with every change.
    pub version: i32,
    /// About whom.
    pub pupil: Option<PupilId>,
    /// The steps that this viewer may know of.
    pub proofs: Vec<ProofRow>,
}

/// What an obligatory report carries whatever an agreement lists: its legal minimum. What the school's system
/// did not give, or was not kept, is null.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(name = "ReportedPupil")]
pub struct ReportedRow {
    /// Given name (voornaam).
    #[graphql(tag = "class:case")]
    pub given_name: Option<String>,
    /// Family name (naam).
    #[graphql(tag = "class:case")]
    pub family_name: Option<String>,
    /// Date of birth.
    #[graphql(tag = "class:case")]
    pub birth_date: Option<NaiveDate>,
    /// The school that must report.
    #[graphql(tag = "class:case")]
    pub school: SchoolRow,
    /// The classes of that school in which the pupil sits today, by name.
    #[graphql(tag = "class:case")]
    pub classes: Vec<String>,
    /// Half-days as last counted.
    #[graphql(tag = "class:case")]
    pub count: i32,
}

/// The categories of the columns that are asked for below `reportedPupil`.
fn reported(look: &Lookahead<'_>) -> Categories {
    const FIELDS: [(&str, Category); 6] = [
        ("givenName", Category::Identity),
        ("familyName", Category::Identity),
        ("birthDate", Category::Birth),
        ("school", Category::Enrolment),
        ("classes", Category::Enrolment),
        ("count", Category::Truancy),
    ];
    let asked = FIELDS.into_iter().filter(|(field, _)| look.field(field).exists());
    asked.map(|(_, category)| category).collect()
}

/// Whether a signal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Standing")]
pub enum SignalState {
    /// It stands.
    #[graphql(tag = "class:case")]
    Raised,
    /// A correction took it back.
    #[graphql(tag = "class:case")]
    Withdrawn,
}

/// The rule that raises a signal, as a filter names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Rule")]
pub enum SignalKind {
    /// `truancy.early`: a warning that both parties of an agreement asked for.
    #[graphql(name = "TRUANCY_EARLY", tag = "class:case")]
    TruancyEarly,
    /// `truancy.5`: from five half-days the school must report to the CLB.
    #[graphql(name = "TRUANCY_5", tag = "class:case")]
    Truancy5,
    /// `truancy.10`: the same duty before 2016-2017, from ten.
    #[graphql(name = "TRUANCY_10", tag = "class:case")]
    Truancy10,
    /// `truancy.30`: problematically absent in the official figures (problematisch afwezig).
    #[graphql(name = "TRUANCY_30", tag = "class:case")]
    Truancy30,
}

/// The two steps of an obligatory signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Step")]
pub enum Track {
    /// The school reported it to the CLB.
    #[graphql(tag = "class:case")]
    Report,
    /// The CLB took it up.
    #[graphql(tag = "class:case")]
    Accept,
}

/// Who did it and when: proof for the file of either party. It is never purged.
#[derive(Debug, Clone, SimpleObject)]
pub struct Proof {
    /// Which step.
    #[graphql(tag = "class:case")]
    pub track: Track,
    /// Who: the principal's id.
    #[graphql(tag = "class:case")]
    pub by: Gid<PrincipalId>,
    /// For which school or CLB: its id.
    #[graphql(tag = "class:case")]
    pub party: ID,
    /// When.
    #[graphql(tag = "class:case")]
    pub at: DateTime<Utc>,
}

impl From<ProofRow> for Proof {
    fn from(row: ProofRow) -> Self {
        Self {
            track: row.track.into(),
            by: Gid(row.by),
            party: ID(row.party),
            at: row.at,
        }
    }
}

/// The signals of one list level, and what was loaded for all of them.
#[derive(Default)]
pub(crate) struct Level {
    ids: Vec<SignalId>,
    pupils: Vec<PupilId>,
    reported: Batch<Categories, SignalId, ReportedRow>,
    rows: Batch<i32, PupilId, (PupilRow, Arc<pupil::Level>)>,
}

/// A signal (melding). At 5 problematic half-days the school must report to the CLB; at 30 it informs.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct Signal {
    /// The same on every replica and in every delivery.
    #[graphql(tag = "class:case")]
    pub id: Gid<SignalId>,
    /// Which rule raised it: `truancy.5`, `truancy.30`; `truancy.early` where an agreement wants a warning.
    #[graphql(tag = "class:case")]
    pub kind: String,
    /// Whether it stands.
    #[graphql(tag = "class:case")]
    pub state: SignalState,
    /// 1, and one more each time it is raised again.
    #[graphql(tag = "class:case")]
    pub generation: i32,
    /// The school year.
    #[graphql(tag = "class:case")]
    pub school_year: Year,
    /// Half-days as last counted while it stood.
    #[graphql(tag = "class:case")]
    pub count: i32,
    /// The day on which the threshold was reached.
    #[graphql(tag = "class:case")]
    pub reached_on: Option<NaiveDate>,
    /// When it was raised.
    #[graphql(tag = "class:case")]
    pub raised_at: DateTime<Utc>,
    /// When it was withdrawn. The reason is never told.
    #[graphql(tag = "class:case")]
    pub withdrawn_at: Option<DateTime<Utc>>,
    /// Whether it came of data older than the import that brought it.
    #[graphql(tag = "class:case")]
    pub backfill: bool,
    /// Rises with every change: drop what is older than what you have.
    #[graphql(tag = "class:case")]
    pub version: i32,
    /// That a school reported it to the CLB, and when.
    #[graphql(tag = "class:case")]
    pub report: Option<Proof>,
    /// That the CLB took it up, and when.
    #[graphql(tag = "class:case")]
    pub acceptance: Option<Proof>,
    #[graphql(skip)]
    about: Option<PupilId>,
    #[graphql(skip)]
    level: Arc<Level>,
}

impl Level {
    /// The level of these signals.
    pub(crate) fn of<'a>(rows: impl Iterator<Item = &'a SignalRow>) -> Arc<Self> {
        let (ids, pupils): (Vec<SignalId>, Vec<Option<PupilId>>) = rows.map(|row| (row.id, row.pupil)).unzip();
        let mut pupils: Vec<PupilId> = pupils.into_iter().flatten().collect();
        pupils.sort_unstable();
        pupils.dedup();
        Arc::new(Self {
            ids,
            pupils,
            ..Self::default()
        })
    }
}

/// The signals of one list level: they know each other as siblings.
pub(crate) fn siblings(rows: Vec<SignalRow>) -> Vec<Signal> {
    let level = Level::of(rows.iter());
    at_level(rows, &level)
}

/// Signals of a level that is known.
pub(crate) fn at_level(rows: Vec<SignalRow>, level: &Arc<Level>) -> Vec<Signal> {
    let signal = |row: SignalRow| {
        let proof = |track| {
            row.proofs
                .iter()
                .find(|proof| proof.track == track)
                .cloned()
                .map(Proof::from)
        };
        Signal {
            report: proof(Step::Report),
            acceptance: proof(Step::Accept),
            id: Gid(row.id),
            kind: row.kind,
            state: row.state.into(),
            generation: row.generation,
            school_year: Year(row.year),
            count: row.count,
            reached_on: row.reached_on,
            raised_at: row.raised_at,
            withdrawn_at: row.withdrawn_at,
            backfill: row.backfill,
            version: row.version,
            about: row.pupil,
            level: Arc::clone(level),
        }
    };
    rows.into_iter().map(signal).collect()
}

#[ComplexObject]
impl Signal {
    /// The pupil it is about.
    #[graphql(tag = "class:case")]
    async fn pupil(&self, context: &Context<'_>) -> Result<Option<Pupil>, Problem> {
        let asked = Asked::of(context)?;
        let Some(about) = self.about else { return Ok(None) };
        let columns = crate::pupil::columns(&context.look_ahead());
        let load = || async {
            let found = asked
                .hub
                .pupils_by_id(asked.operation, &self.level.pupils, columns)
                .await?;
            // What hangs under these pupils is loaded for all of them too.
            let level = pupil::Level::among(found.iter().map(|(id, row)| row.id.unwrap_or(*id)));
            let level = Arc::new(level);
            let with_level = |(id, row)| (id, (row, Arc::clone(&level)));
            Ok(found.into_iter().map(with_level).collect())
        };
        let found = self.level.rows.get(columns.bits(), &about, load).await?;
        Ok(found.map(|(row, level)| pupil::at_level(about, row, &level)))
    }

    /// What the report of an obligatory signal carries whatever an agreement lists, while the signal stands: to
    /// the competent CLB, and to the school what it said itself. Null for any other signal.
    #[graphql(tag = "class:case")]
    async fn reported_pupil(&self, context: &Context<'_>) -> Result<Option<ReportedRow>, Problem> {
        let asked = Asked::of(context)?;
        let columns = reported(&context.look_ahead());
        let load = || asked.hub.reported(asked.operation, &self.level.ids, columns);
        self.level.reported.get(columns, &self.id.0, load).await
    }
}

connection!(
    /// A page of signals.
    SignalConnection,
    SignalEdge,
    Signal,
    "class:case"
);

/// Which signals.
#[derive(Debug, Clone, Default, InputObject)]
#[graphql(name = "SignalFilter")]
pub struct SignalFilterInput {
    /// Standing or withdrawn.
    #[graphql(tag = "class:case")]
    pub state: Option<SignalState>,
    /// Raised by this rule.
    #[graphql(tag = "class:case")]
    pub kind: Option<SignalKind>,
    /// Of this school year.
    #[graphql(tag = "class:public")]
    pub school_year: Option<Year>,
}

/// Which signals, in our own words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignalFilter {
    /// Standing or withdrawn.
    pub state: Option<Standing>,
    /// Raised by this rule.
    pub kind: Option<Rule>,
    /// Of this school year.
    pub year: Option<SchoolYear>,
}

/// The roots about signals.
#[derive(Default)]
pub struct SignalRoot;

#[Object]
impl SignalRoot {
    /// One signal; null if unknown or about a pupil without relation to the viewer.
    #[graphql(tag = "class:case")]
    async fn signal(
        &self,
        context: &Context<'_>,
        #[graphql(name = "id", tag = "class:public", desc = "The signal's id.")] signal: ID,
    ) -> Result<Option<Signal>, Problem> {
        let asked = Asked::of(context)?;
        let Some(signal) = id::<SignalId>(&signal) else {
            return Ok(None);
        };
        let found = asked.hub.signals_by_id(asked.operation, &[signal]).await?;
        Ok(siblings(found.into_values().collect()).pop())
    }

    /// Signals about the viewer's pupils, latest raised first.
    #[graphql(tag = "class:case")]
    async fn signals(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "How many, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor of the same list.")] after: Option<String>,
        #[graphql(tag = "class:case", desc = "Which ones.")] filter: Option<SignalFilterInput>,
    ) -> Result<SignalConnection, Problem> {
        let asked = Asked::of(context)?;
        let filter = filter.unwrap_or_default();
        let filter = SignalFilter {
            state: filter.state.map(Standing::from),
            kind: filter.kind.map(Rule::from),
            year: filter.school_year.map(|year| year.0),
        };
        let list = format!("signals {filter:?}");
        let page = asked.page(&list, first, after.as_deref(), counted(context))?;
        let found = asked.hub.signals(asked.operation, &filter, &page).await?;
        let (marks, rows): (Vec<_>, Vec<_>) = found.rows.into_iter().unzip();
        let slice = Slice {
            rows: marks.into_iter().zip(siblings(rows)).collect(),
            more: found.more,
            total: found.total,
        };
        Ok(SignalConnection::of(&list, slice))
    }
}

/// A step on a signal.
#[derive(Debug, Clone, InputObject)]
pub struct SignalStepInput {
    /// Which signal.
    #[graphql(tag = "class:case")]
    pub signal: ID,
    /// The version that was read; left out, any will do.
    #[graphql(tag = "class:case")]
    pub version: Option<i32>,
}

/// It is done; asked again, the proof stays the first one.
#[derive(SimpleObject)]
pub struct SignalStepped {
    /// The signal as it is now.
    #[graphql(tag = "class:case")]
    pub signal: Signal,
    /// Who and when.
    #[graphql(tag = "class:case")]
    pub proof: Proof,
}

macro_rules! payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Union)]
        pub enum $name {
            /// It is done.
            Stepped(Box<SignalStepped>),
            /// The input cannot be right.
            Invalid(Invalid),
            /// It changed since it was read.
            Conflict(Conflict),
            /// Not now, or not by this viewer.
            NotPossible(NotPossible),
        }

        impl From<Stepped> for $name {
            fn from(stepped: Stepped) -> Self {
                match stepped {
                    Stepped::Done(row, proof) => match siblings(vec![*row]).pop() {
                        Some(signal) => Self::Stepped(Box::new(SignalStepped { signal, proof: proof.into() })),
                        None => Self::NotPossible(Reason::Unknown.into()),
                    },
                    Stepped::Changed(version) => Self::Conflict(Conflict { version }),
                    Stepped::Withdrawn => Self::NotPossible(Reason::Withdrawn.into()),
                    Stepped::Unknown => Self::NotPossible(Reason::Unknown.into()),
                }
            }
        }
    };
}

payload!(
    /// What came of `reportSignal`.
    ReportSignalPayload
);
payload!(
    /// What came of `acceptSignal`.
    AcceptSignalPayload
);

/// What a school does with a signal.
#[derive(Default)]
pub struct ReportMutation;

#[Object]
impl ReportMutation {
    /// Reports a signal to the CLB, for the school.
    #[graphql(tag = "class:case")]
    async fn report_signal(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:case", desc = "Which one.")] input: SignalStepInput,
    ) -> Result<ReportSignalPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(signal) = id(&input.signal) else {
            return Ok(ReportSignalPayload::Invalid(Invalid::of("signal")));
        };
        Ok(asked.hub.report(asked.operation, signal, input.version).await?.into())
    }
}

/// What a CLB does with a signal.
#[derive(Default)]
pub struct AcceptMutation;

#[Object]
impl AcceptMutation {
    /// Takes a signal up, for the CLB.
    #[graphql(tag = "class:case")]
    async fn accept_signal(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:case", desc = "Which one.")] input: SignalStepInput,
    ) -> Result<AcceptSignalPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(signal) = id(&input.signal) else {
            return Ok(AcceptSignalPayload::Invalid(Invalid::of("signal")));
        };
        Ok(asked.hub.accept(asked.operation, signal, input.version).await?.into())
    }
}

/// The party's id outside, from the number of its id.
pub fn party_of(track: Step, party: Uuid) -> String {
    match track {
        Step::Report => hub_entities::id::SchoolId(party).to_string(),
        Step::Accept => hub_entities::id::ClbId(party).to_string(),
    }
}
