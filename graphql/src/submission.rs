//! What a school's software brings in by itself, call by call, each record with what came of it.

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject, Union};
use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::delivery::{Outcome, Told, Why};
use hub_entities::id::RunId;
use hub_entities::source::{KeyKind, RunState as Stage};
use hub_entities::time::{HalfDay, Part};

use crate::absence::PartOfDay;
use crate::asked::Asked;
use crate::category::Category;
use crate::hub::{AbsenceSaid, Submission};
use crate::operations::RunState;
use crate::outcome::{Invalid, NotPossible};
use crate::problem::Problem;
use crate::scalar::Gid;

/// The longest name of a call, in characters.
const LONGEST_NAME: usize = 128;

/// By which number records name a pupil.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "KeyKind")]
pub enum PupilKey {
    /// The roster's own key.
    #[graphql(tag = "class:operations")]
    SourceKey,
    /// The school's number for the pupil.
    #[graphql(tag = "class:operations")]
    Identifier,
    /// Registration number (stamnummer), unique within the school.
    #[graphql(name = "REGISTRATION_NUMBER", tag = "class:operations")]
    Stamnummer,
}

/// What came of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Outcome")]
pub enum DeliveryOutcome {
    /// It is taken over, evaluated and committed.
    #[graphql(tag = "class:operations")]
    Accepted,
    /// It was known already.
    #[graphql(tag = "class:operations")]
    Unchanged,
    /// It cannot be taken over; nothing of it is kept.
    #[graphql(tag = "class:operations")]
    Refused,
    /// It is put aside until a person or a later call decides.
    #[graphql(tag = "class:operations")]
    Held,
    /// It waits until a roster names its pupil.
    #[graphql(tag = "class:operations")]
    Quarantined,
}

/// Why, or what else is to be known of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Why")]
pub enum DeliveryReason {
    /// No agreement in force lets the hub keep anything of this kind.
    #[graphql(tag = "class:operations")]
    NotAgreed,
    /// Its key is empty or too long.
    #[graphql(tag = "class:operations")]
    Key,
    /// The same call has spoken of it already.
    #[graphql(tag = "class:operations")]
    Repeated,
    /// No roster of the school has named this pupil.
    #[graphql(tag = "class:operations")]
    UnknownPupil,
    /// It names a class or a pupil that no roster of the school has named.
    #[graphql(tag = "class:operations")]
    UnknownPlace,
    /// It ends before it begins.
    #[graphql(tag = "class:operations")]
    Days,
    /// It waits for the call that closes its snapshot.
    #[graphql(tag = "class:operations")]
    AwaitsClosing,
    /// Its snapshot would end so many pupils that a person must look first: all of it is held, and nothing was changed.
    #[graphql(tag = "class:operations")]
    TooManyGone,
    /// Another snapshot took the place of the one that it waited in.
    #[graphql(tag = "class:operations")]
    Superseded,
    /// The table of the connection does not know this code: the half-day is pending, and not B.
    #[graphql(tag = "class:operations")]
    UnknownCode,
    /// There is no lesson then: it is kept and does not count.
    #[graphql(tag = "class:operations")]
    NotALesson,
}

/// What came of one record of a call.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(serial)]
pub struct DeliveryResult {
    /// What came of it.
    #[graphql(tag = "class:operations")]
    pub outcome: DeliveryOutcome,
    /// Why, or what else is to be known.
    #[graphql(tag = "class:operations")]
    pub reason: Option<DeliveryReason>,
    /// Categories that were in it and not agreed: dropped before anything was kept.
    #[graphql(tag = "class:operations")]
    pub dropped_categories: Vec<Category>,
}

impl From<Told> for DeliveryResult {
    fn from(told: Told) -> Self {
        Self {
            outcome: told.outcome.into(),
            reason: told.why.map(Into::into),
            dropped_categories: told.dropped.into_iter().map(Into::into).collect(),
        }
    }
}

/// The call is committed. The same call under the same name gets the same answer.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
pub struct Delivered {
    /// The run that it is or belongs to.
    #[graphql(tag = "class:operations")]
    pub run_id: Gid<RunId>,
    /// How far that had come with this call.
    #[graphql(tag = "class:operations")]
    pub run_state: RunState,
    /// What came of each record, in the order of the call.
    #[graphql(tag = "class:operations")]
    pub results: Vec<DeliveryResult>,
}

/// The name of the call stands for another one: nothing was changed. A call that says something else needs a name of its
/// own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SimpleObject)]
pub struct NameTaken {
    /// When that one came.
    #[graphql(tag = "class:operations")]
    pub received_at: DateTime<Utc>,
}

/// Not now: the same connection is being worked on, or too many calls are under way. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SimpleObject)]
pub struct TryLater {
    /// Seconds after which the same call may be made again, under the same name.
    #[graphql(tag = "class:public")]
    pub retry_after_seconds: i32,
}

/// What a call may hold, told before one is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SimpleObject)]
pub struct DeliveryLimits {
    /// The most half-days of one `submitAbsences`.
    #[graphql(tag = "class:public")]
    pub absences_per_call: i32,
    /// The most rows of one `submitRoster`: classes, pupils and places in classes together.
    #[graphql(tag = "class:public")]
    pub roster_rows_per_call: i32,
    /// The most rows of one snapshot, over all its parts.
    #[graphql(tag = "class:public")]
    pub roster_rows_per_snapshot: i32,
    /// The longest key of a record, in characters.
    #[graphql(tag = "class:public")]
    pub key_length: i32,
    /// The most calls that are worked on at once; of one connection, one.
    #[graphql(tag = "class:public")]
    pub calls_at_once: i32,
}

/// One half-day of absence, or its taking back.
#[derive(Debug, Clone, InputObject)]
pub struct AbsenceInput {
    /// The pupil, by the kind of number that the call says.
    #[graphql(tag = "class:agreed.truancy")]
    pub pupil: String,
    /// The date in Brussels.
    #[graphql(tag = "class:agreed.truancy")]
    pub day: NaiveDate,
    /// Morning or afternoon.
    #[graphql(tag = "class:agreed.truancy")]
    pub part: PartOfDay,
    /// The code, in the letters of the connection; what is left out is its empty letter.
    #[graphql(tag = "class:agreed.truancy")]
    pub code: Option<String>,
    /// Whether it is taken back: the pupil was there.
    #[graphql(tag = "class:agreed.truancy", default = false)]
    pub deleted: bool,
}

/// Half-days of absence of one school.
#[derive(Debug, Clone, InputObject)]
pub struct SubmitAbsencesInput {
    /// The sender's name of this call, never used for another.
    #[graphql(tag = "class:operations")]
    pub idempotency_key: String,
    /// Institution number (instellingsnummer) of the school.
    #[graphql(tag = "class:public")]
    pub institution_number: String,
    /// By which number pupils are named.
    #[graphql(tag = "class:operations", default_with = "PupilKey::SourceKey")]
    pub pupil_key: PupilKey,
    /// The half-days.
    #[graphql(tag = "class:agreed.truancy")]
    pub absences: Vec<AbsenceInput>,
}

/// What came of `submitAbsences`.
#[derive(Union)]
pub enum SubmitAbsencesPayload {
    /// It is committed.
    Delivered(Box<Delivered>),
    /// The input cannot be right.
    Invalid(Invalid),
    /// The name of the call stands for another one.
    NameTaken(NameTaken),
    /// The school is not the sender's to speak for.
    NotPossible(NotPossible),
    /// Not now.
    TryLater(TryLater),
}

/// A call that is committed.
pub(crate) fn delivered(run: RunId, state: Stage, told: Vec<Told>) -> Delivered {
    Delivered {
        run_id: Gid(run),
        run_state: state.into(),
        results: told.into_iter().map(Into::into).collect(),
    }
}

/// What came of a call, as the payload of its mutation.
macro_rules! submitted {
    ($name:ident) => {
        impl From<$crate::hub::Submitted> for $name {
            fn from(submitted: $crate::hub::Submitted) -> Self {
                use $crate::hub::Submitted;
                match submitted {
                    Submitted::Done(run, state, told) => {
                        Self::Delivered(Box::new($crate::submission::delivered(run, state, told)))
                    }
                    Submitted::NameTaken(received_at) => Self::NameTaken($crate::submission::NameTaken { received_at }),
                    Submitted::State => Self::NotPossible($crate::outcome::Reason::State.into()),
                    Submitted::Unknown => Self::NotPossible($crate::outcome::Reason::Unknown.into()),
                    Submitted::Later(seconds) => Self::TryLater($crate::submission::TryLater {
                        retry_after_seconds: seconds,
                    }),
                }
            }
        }
    };
}
pub(crate) use submitted;

submitted!(SubmitAbsencesPayload);

/// The name of a call, or the field that cannot be right.
pub(crate) fn named(key: &str, institution_number: String) -> Result<Submission, Invalid> {
    if key.is_empty() || key.chars().count() > LONGEST_NAME {
        return Err(Invalid::of("idempotencyKey"));
    }
    Ok(Submission {
        key: key.to_owned(),
        institution_number,
    })
}

/// The half-days as they are asked on, or the field that cannot be right.
fn absences(absences: Vec<AbsenceInput>, most: i32) -> Result<Vec<AbsenceSaid>, Invalid> {
    let count = i32::try_from(absences.len()).unwrap_or(i32::MAX);
    if count == 0 || count > most {
        return Err(Invalid::of("absences"));
    }
    let said = absences.into_iter().map(|one| AbsenceSaid {
        pupil: one.pupil,
        at: HalfDay::new(one.day, one.part.into()),
        code: one.code.unwrap_or_default(),
        deleted: one.deleted,
    });
    Ok(said.collect())
}

impl From<PartOfDay> for Part {
    fn from(part: PartOfDay) -> Self {
        match part {
            PartOfDay::Am => Self::Am,
            PartOfDay::Pm => Self::Pm,
        }
    }
}

/// The root about what may be submitted.
#[derive(Default)]
pub struct SubmissionRoot;

#[Object]
#[expect(
    clippy::unused_async,
    reason = "resolvers are asynchronous, whether or not they wait"
)]
impl SubmissionRoot {
    /// What a call of `submitAbsences` or `submitRoster` may hold. It must also fit the largest body that the hub takes.
    #[graphql(tag = "class:public")]
    async fn delivery_limits(&self, context: &Context<'_>) -> Result<DeliveryLimits, Problem> {
        Ok(Asked::of(context)?.hub.delivery_limits())
    }
}

/// What software brings in by itself.
#[derive(Default)]
pub struct SubmissionMutation;

#[Object]
impl SubmissionMutation {
    /// Takes in half-days of absence: all of the call in one transaction, with the signals that follow.
    #[graphql(tag = "class:operations")]
    async fn submit_absences(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:agreed.truancy", desc = "The half-days.")] input: SubmitAbsencesInput,
    ) -> Result<SubmitAbsencesPayload, Problem> {
        let asked = Asked::of(context)?;
        let most = asked.hub.delivery_limits().absences_per_call;
        let named = named(&input.idempotency_key, input.institution_number);
        let said = named.and_then(|named| Ok((named, absences(input.absences, most)?)));
        match said {
            Ok((named, said)) => {
                let submitted = asked
                    .hub
                    .submit_absences(asked.operation, named, input.pupil_key.into(), said);
                Ok(submitted.await?.into())
            }
            Err(invalid) => Ok(SubmitAbsencesPayload::Invalid(invalid)),
        }
    }
}
