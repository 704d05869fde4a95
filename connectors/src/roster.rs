//! What the hub takes over from a package. What is not here is not kept: there is no field for it.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use hub_entities::category::{Categories, Category};
use hub_entities::time::SchoolYear;

use crate::report::Report;

/// Whether a row is there or taken away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// There (`active`, or blank in a bulk file).
    #[default]
    Active,
    /// Taken away (`tobedeleted`).
    Gone,
}

/// A school. Districts and other organisations are counted and left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgRow {
    /// `sourcedId`.
    pub source_key: String,
    /// The name.
    pub name: String,
    /// `identifier`: in Flanders the institution number (instellingsnummer).
    pub identifier: Option<String>,
    /// Whether it is taken away.
    pub status: Status,
}

/// A school year, term or grading period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// `sourcedId`.
    pub source_key: String,
    /// The title.
    pub title: String,
    /// The first day.
    pub begins: NaiveDate,
    /// The first day that no longer belongs to it.
    pub ends: NaiveDate,
    /// The school year; the standard writes the year in which it ends.
    pub school_year: SchoolYear,
    /// Whether it is taken away.
    pub status: Status,
}

/// A class (klas or lesgroep).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassRow {
    /// `sourcedId`.
    pub source_key: String,
    /// The school's `sourcedId`.
    pub school_key: String,
    /// The title.
    pub title: String,
    /// `classCode`.
    pub code: Option<String>,
    /// The first of `grades`.
    pub grade: Option<String>,
    /// The school year of its first term; none when a delta refers to a term outside the package.
    pub school_year: Option<SchoolYear>,
    /// Whether it is a class of its own (`homeroom`, klas) and not a lesson group.
    pub homeroom: bool,
    /// Whether it is taken away.
    pub status: Status,
}

/// That a pupil is at a school.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchoolLink {
    /// The school's `sourcedId`.
    pub school_key: String,
    /// The first day, where the source says it (1.2).
    pub begins: Option<NaiveDate>,
    /// The first day after it, where the source says it (1.2).
    pub ends: Option<NaiveDate>,
    /// Whether it is taken away.
    pub status: Status,
}

/// Someone to reach for a pupil. No authority over the pupil follows from it (design §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// `sourcedId`.
    pub source_key: String,
    /// `parent`, `guardian` or `relative`.
    pub role: String,
    /// First name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Telephone, or the number for text messages where that is the only one.
    pub phone: Option<String>,
}

/// Which parts of a [`PupilRow`] this package states. What it does not state stays as it was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Says {
    /// Name, identifiers, reachability.
    pub person: bool,
    /// The schools. In a delta of 1.2 only those that changed.
    pub schools: bool,
    /// Date of birth and sex.
    pub birth: bool,
}

/// A pupil as one package tells of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PupilRow {
    /// `sourcedId`.
    pub source_key: String,
    /// Which parts follow.
    pub says: Says,
    /// The package does not say that this is a pupil (a delta without roles): apply it only to one
    /// that is already known, and drop it otherwise.
    pub only_if_known: bool,
    /// The schools.
    pub schools: Vec<SchoolLink>,
    /// `identifier`.
    pub identifier: Option<String>,
    /// `userIds` as (type, id).
    pub user_ids: Vec<(String, String)>,
    /// First name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// Date of birth.
    pub birth_date: Option<NaiveDate>,
    /// Sex, as the source spells it: `male female unspecified other`.
    pub sex: Option<&'static str>,
    /// E-mail address.
    pub email: Option<String>,
    /// Telephone, or the number for text messages where that is the only one.
    pub phone: Option<String>,
    /// Street and number, from a column of the sender's own.
    pub street: Option<String>,
    /// Postal code, from a column of the sender's own.
    pub postal_code: Option<String>,
    /// Municipality, from a column of the sender's own.
    pub city: Option<String>,
    /// Language at home, from a column of the sender's own.
    pub language: Option<String>,
    /// Parents and guardians that the pupil's row refers to, as far as they are in the package.
    pub contacts: Vec<Contact>,
    /// Whether the pupil is taken away.
    pub status: Status,
}

/// That a pupil is in a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipRow {
    /// `sourcedId`.
    pub source_key: String,
    /// The class's `sourcedId`.
    pub class_key: String,
    /// The school's `sourcedId`.
    pub school_key: String,
    /// The pupil's `sourcedId`.
    pub pupil_key: String,
    /// The first day.
    pub begins: Option<NaiveDate>,
    /// The first day after it.
    pub ends: Option<NaiveDate>,
    /// Whether it is taken away.
    pub status: Status,
}

/// Which lists are the whole truth, so that what is missing from them is gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Complete {
    /// `users` is bulk, and in 1.2 `roles` too.
    pub pupils: bool,
    /// `classes` is bulk.
    pub classes: bool,
    /// `enrollments` is bulk.
    pub memberships: bool,
}

/// How much was read, kept or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Organisations of every type.
    pub orgs: u64,
    /// Academic sessions of every type.
    pub sessions: u64,
    /// Courses.
    pub courses: u64,
    /// Classes.
    pub classes: u64,
    /// Users that are pupils, or for all the package says may be: see `users_without_role`.
    pub pupils: u64,
    /// Of those, taken away.
    pub pupils_gone: u64,
    /// Parents, guardians and relatives.
    pub parents: u64,
    /// Teachers.
    pub teachers: u64,
    /// Users of other roles.
    pub other_users: u64,
    /// Among `pupils`: those of whom the package does not say what they are.
    pub users_without_role: u64,
    /// Enrollments of pupils.
    pub pupil_enrollments: u64,
    /// Of those, taken away.
    pub pupil_enrollments_gone: u64,
    /// Enrollments of teachers.
    pub teacher_enrollments: u64,
    /// Enrollments of others.
    pub other_enrollments: u64,
    /// Rows of demographics.
    pub demographics: u64,
}

/// One package, read whole and without faults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    /// Schools.
    pub schools: Vec<OrgRow>,
    /// Sessions.
    pub sessions: Vec<SessionRow>,
    /// Classes.
    pub classes: Vec<ClassRow>,
    /// Pupils, by `sourcedId`.
    pub pupils: Vec<PupilRow>,
    /// Who is in which class, in the order of the file.
    pub memberships: Vec<MembershipRow>,
    /// Which of these are the whole truth.
    pub complete: Complete,
    /// How much was read.
    pub counts: Counts,
    /// Columns that held something and were not taken over, as `file.column`. A column of the
    /// sender's own is called by its position.
    pub dropped: BTreeSet<String>,
    /// The leniencies that were needed.
    pub report: Report,
}

impl Roster {
    /// The categories of which the package holds something, to compare with the agreement.
    pub fn categories_present(&self) -> Categories {
        let any = |test: fn(&PupilRow) -> bool| self.pupils.iter().any(test);
        [
            (
                Category::Identity,
                any(|pupil| pupil.says.person || pupil.sex.is_some()),
            ),
            (Category::Birth, any(|pupil| pupil.birth_date.is_some())),
            (
                Category::Address,
                any(|pupil| pupil.street.is_some() || pupil.postal_code.is_some() || pupil.city.is_some()),
            ),
            (Category::Language, any(|pupil| pupil.language.is_some())),
            (
                Category::Contact,
                any(|pupil| pupil.email.is_some() || pupil.phone.is_some() || !pupil.contacts.is_empty()),
            ),
            (
                Category::Enrolment,
                !self.memberships.is_empty() || any(|pupil| !pupil.schools.is_empty()),
            ),
        ]
        .into_iter()
        .filter_map(|(category, present)| present.then_some(category))
        .collect()
    }
}
