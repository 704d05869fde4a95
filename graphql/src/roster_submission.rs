//! Rosters that a school's software brings in by itself.

use async_graphql::{Context, Enum, InputObject, Object, Union};
use chrono::NaiveDate;

use crate::asked::Asked;
use crate::hub::{RosterSaid, Telling};
use crate::outcome::{Invalid, NotPossible};
use crate::problem::Problem;
use crate::scalar::Year;
use crate::submission::{Delivered, NameTaken, TryLater, named, submitted};

/// What a roster tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum RosterMode {
    /// All there is on the reference date: what it does not hold is gone.
    #[graphql(tag = "class:operations")]
    Snapshot,
    /// What has changed; the rest stays as it was.
    #[graphql(tag = "class:operations")]
    Changes,
}

/// Sex, as the school's system has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum Sex {
    /// Male.
    #[graphql(tag = "class:agreed.identity")]
    Male,
    /// Female.
    #[graphql(tag = "class:agreed.identity")]
    Female,
    /// Other.
    #[graphql(tag = "class:agreed.identity")]
    Other,
    /// Not said.
    #[graphql(tag = "class:agreed.identity")]
    Unspecified,
}

/// Which part of a snapshot a call is. Until the closing part has come, nothing of it is taken over.
#[derive(Debug, Clone, InputObject)]
pub struct RosterPartInput {
    /// What the parts of one snapshot call it.
    #[graphql(tag = "class:operations")]
    pub snapshot: String,
    /// Which part it is, from 1, one after the other: a snapshot of which a part is missing is not closed.
    #[graphql(tag = "class:operations")]
    pub number: i32,
    /// Whether this is the last part.
    #[graphql(tag = "class:operations")]
    pub closing: bool,
}

/// A class (klas).
#[derive(Debug, Clone, InputObject)]
pub struct RosterClassInput {
    /// Its key in the school's system.
    #[graphql(tag = "class:agreed.enrolment")]
    pub key: String,
    /// Its name, such as `1A`.
    #[graphql(tag = "class:agreed.enrolment")]
    pub name: String,
    /// Its grade (leerjaar).
    #[graphql(tag = "class:agreed.enrolment")]
    pub grade: Option<String>,
    /// The school year it exists in; that of the reference date if left out.
    #[graphql(tag = "class:agreed.enrolment")]
    pub school_year: Option<Year>,
}

/// A parent or guardian as the school lists them. A contact is no authority.
#[derive(Debug, Clone, InputObject)]
pub struct RosterContactInput {
    /// What they are to the pupil: `parent`, `guardian` or `relative`.
    #[graphql(tag = "class:agreed.contact")]
    pub role: String,
    /// Given name (voornaam).
    #[graphql(tag = "class:agreed.contact", default)]
    pub given_name: String,
    /// Family name (naam).
    #[graphql(tag = "class:agreed.contact", default)]
    pub family_name: String,
    /// Telephone.
    #[graphql(tag = "class:agreed.contact")]
    pub phone: Option<String>,
    /// E-mail address.
    #[graphql(tag = "class:agreed.contact")]
    pub email: Option<String>,
}

/// A pupil (leerling). What is left out is said to be unknown; what was not agreed is dropped and named in the answer.
#[derive(Debug, Clone, InputObject)]
pub struct RosterPupilInput {
    /// The pupil's key in the school's system.
    #[graphql(tag = "class:agreed.enrolment")]
    pub key: String,
    /// Whether the pupil has left.
    #[graphql(tag = "class:agreed.enrolment", default = false)]
    pub deleted: bool,
    /// The school's own number for the pupil.
    #[graphql(tag = "class:agreed.enrolment")]
    pub identifier: Option<String>,
    /// Registration number (stamnummer), unique within the school.
    #[graphql(tag = "class:agreed.enrolment")]
    pub registration_number: Option<String>,
    /// National or BIS number (rijksregisternummer): never kept as such.
    #[graphql(tag = "class:agreed.nationalNumber")]
    pub national_number: Option<String>,
    /// Given name (voornaam).
    #[graphql(tag = "class:agreed.identity", default)]
    pub given_name: String,
    /// Family name (naam).
    #[graphql(tag = "class:agreed.identity", default)]
    pub family_name: String,
    /// Sex.
    #[graphql(tag = "class:agreed.identity")]
    pub sex: Option<Sex>,
    /// Date of birth.
    #[graphql(tag = "class:agreed.birth")]
    pub birth_date: Option<NaiveDate>,
    /// The first day at the school.
    #[graphql(tag = "class:agreed.enrolment")]
    pub begins: Option<NaiveDate>,
    /// The first day no longer there.
    #[graphql(tag = "class:agreed.enrolment")]
    pub ends: Option<NaiveDate>,
    /// Street and number.
    #[graphql(tag = "class:agreed.address")]
    pub street: Option<String>,
    /// Postal code.
    #[graphql(tag = "class:agreed.address")]
    pub postal_code: Option<String>,
    /// Municipality (gemeente).
    #[graphql(tag = "class:agreed.address")]
    pub city: Option<String>,
    /// Language at home.
    #[graphql(tag = "class:agreed.language")]
    pub language: Option<String>,
    /// The pupil's own telephone.
    #[graphql(tag = "class:agreed.contact")]
    pub phone: Option<String>,
    /// The pupil's own e-mail address.
    #[graphql(tag = "class:agreed.contact")]
    pub email: Option<String>,
    /// Parents and guardians.
    #[graphql(tag = "class:agreed.contact", default)]
    pub contacts: Vec<RosterContactInput>,
}

/// That a pupil sits in a class.
#[derive(Debug, Clone, InputObject)]
pub struct RosterMembershipInput {
    /// Its key in the school's system.
    #[graphql(tag = "class:agreed.enrolment")]
    pub key: String,
    /// The class.
    #[graphql(tag = "class:agreed.enrolment")]
    pub class_key: String,
    /// The pupil.
    #[graphql(tag = "class:agreed.enrolment")]
    pub pupil_key: String,
    /// The first day.
    #[graphql(tag = "class:agreed.enrolment")]
    pub begins: Option<NaiveDate>,
    /// The first day no longer.
    #[graphql(tag = "class:agreed.enrolment")]
    pub ends: Option<NaiveDate>,
    /// Whether the pupil sits there no longer.
    #[graphql(tag = "class:agreed.enrolment", default = false)]
    pub deleted: bool,
}

/// The roster of one school, or a part of it.
#[derive(Debug, Clone, InputObject)]
pub struct SubmitRosterInput {
    /// The sender's name of this call, never used for another.
    #[graphql(tag = "class:operations")]
    pub idempotency_key: String,
    /// Institution number (instellingsnummer) of the school.
    #[graphql(tag = "class:public")]
    pub institution_number: String,
    /// What it tells.
    #[graphql(tag = "class:operations")]
    pub mode: RosterMode,
    /// The day of which it tells: not after today, nor before that of a roster that came before.
    #[graphql(tag = "class:operations")]
    pub reference_date: NaiveDate,
    /// Which part of a snapshot it is; all of it if left out. Changes have no parts.
    #[graphql(tag = "class:operations")]
    pub part: Option<RosterPartInput>,
    /// Classes.
    #[graphql(tag = "class:agreed.enrolment", default)]
    pub classes: Vec<RosterClassInput>,
    /// Pupils.
    #[graphql(tag = "class:agreed.enrolment", default)]
    pub pupils: Vec<RosterPupilInput>,
    /// Places in classes.
    #[graphql(tag = "class:agreed.enrolment", default)]
    pub memberships: Vec<RosterMembershipInput>,
}

/// What came of `submitRoster`.
#[derive(Union)]
pub enum SubmitRosterPayload {
    /// It is committed. The results are those of the classes, then of the pupils, then of the places in classes.
    Delivered(Box<Delivered>),
    /// The input cannot be right.
    Invalid(Invalid),
    /// The name of the call stands for another one.
    NameTaken(NameTaken),
    /// The school is not the sender's to speak for; or it is of an earlier day than a roster that came before, a part
    /// before it is missing, or its snapshot would hold too much.
    NotPossible(NotPossible),
    /// Not now.
    TryLater(TryLater),
}

submitted!(SubmitRosterPayload);

/// The roster as it is asked on, or the field that cannot be right.
fn roster(input: SubmitRosterInput, today: NaiveDate, most: i32) -> Result<RosterSaid, Invalid> {
    if input.reference_date > today {
        return Err(Invalid::of("referenceDate"));
    }
    let rows = [input.classes.len(), input.pupils.len(), input.memberships.len()];
    let rows = rows.into_iter().fold(0, usize::saturating_add);
    if i32::try_from(rows).unwrap_or(i32::MAX) > most {
        return Err(Invalid::of("pupils"));
    }
    let telling = match (input.mode, input.part) {
        (RosterMode::Changes, None) => Telling::Changes,
        (RosterMode::Snapshot, None) => Telling::Snapshot {
            name: input.idempotency_key,
            number: 1,
            closing: true,
        },
        (RosterMode::Snapshot, Some(part)) if !part.snapshot.is_empty() && part.number > 0 => Telling::Snapshot {
            name: part.snapshot,
            number: part.number,
            closing: part.closing,
        },
        _ => return Err(Invalid::of("part")),
    };
    Ok(RosterSaid {
        telling,
        reference: input.reference_date,
        classes: input.classes,
        pupils: input.pupils,
        memberships: input.memberships,
    })
}

/// The roster that software brings in by itself.
#[derive(Default)]
pub struct RosterMutation;

#[Object]
impl RosterMutation {
    /// Takes in a roster, or a part of one: all of the call in one transaction.
    #[graphql(tag = "class:operations")]
    async fn submit_roster(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:agreed.enrolment", desc = "The roster.")] input: SubmitRosterInput,
    ) -> Result<SubmitRosterPayload, Problem> {
        let asked = Asked::of(context)?;
        let most = asked.hub.delivery_limits().roster_rows_per_call;
        let named = named(&input.idempotency_key, input.institution_number.clone());
        let said = named.and_then(|named| Ok((named, roster(input, asked.operation.today(), most)?)));
        match said {
            Ok((named, said)) => Ok(asked.hub.submit_roster(asked.operation, named, said).await?.into()),
            Err(invalid) => Ok(SubmitRosterPayload::Invalid(invalid)),
        }
    }
}
