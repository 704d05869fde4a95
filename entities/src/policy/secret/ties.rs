//! The facts about one viewer and one pupil that a decision rests on, as rows with a begin and an end.

use chrono::{DateTime, NaiveDate, Utc};

use super::field::Class;
use crate::dossier::{Domain, Post};
use crate::id::{PupilId, TrajectoryId};
use crate::law::consent::Decides;
use crate::time::Period;

/// A viewer's place in the team of one trajectory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The trajectory.
    pub trajectory: TrajectoryId,
    /// Its domain.
    pub domain: Domain,
    /// From when until when.
    pub period: Period,
}

/// A viewer's post at a school where the pupil is enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posted {
    /// Which.
    pub post: Post,
    /// While the worker has the post and the pupil is enrolled there.
    pub period: Period,
}

/// What a worker opened to the viewer of one trajectory, after the talk (`DossierAccess`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// To which class.
    pub class: Class,
    /// Of which trajectory.
    pub trajectory: TrajectoryId,
    /// Whether a doctor opened it: health data go through the doctor (domain facts §4.4, 5).
    pub through_doctor: bool,
    /// Whether the pupil consents, where the pupil decides.
    pub pupil_consents: bool,
    /// Whether the pupil expressly objects, where the parents decide.
    pub pupil_objects: bool,
    /// From when until when.
    pub period: Period,
}

/// What the team of a trajectory lets the viewer read for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lent {
    /// Of which class.
    pub class: Class,
    /// Of which trajectory.
    pub trajectory: TrajectoryId,
    /// From which instant.
    pub from: DateTime<Utc>,
    /// Until which instant.
    pub until: DateTime<Utc>,
}

/// An opening in an emergency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Urgency {
    /// Of which class.
    pub class: Class,
    /// From which instant.
    pub from: DateTime<Utc>,
    /// Until which instant.
    pub until: DateTime<Utc>,
}

/// The rows about one viewer and one pupil, for [`Ties::of_rows`].
#[derive(Debug, Clone)]
pub struct TieRows {
    /// While the viewer's CLB is competent for the pupil.
    pub competent: Vec<Period>,
    /// While the pupil is enrolled at the viewer's school.
    pub enrolled: Vec<Period>,
    /// While the viewer is this pupil.
    pub is_the_pupil: Vec<Period>,
    /// While the viewer is a parent of this pupil with verified authority.
    pub authority: Vec<Period>,
    /// The viewer's posts at the pupil's schools.
    pub posts: Vec<Posted>,
    /// The viewer's places in the teams of the pupil.
    pub places: Vec<Place>,
    /// What was opened to the viewer.
    pub accesses: Vec<Access>,
    /// What teams let the viewer read for a time.
    pub lent: Vec<Lent>,
    /// What the viewer opened in an emergency.
    pub urgencies: Vec<Urgency>,
    /// Who decides for the pupil today.
    pub decides: Decides,
    /// Whether the viewer's CLB or school is the controller of the access log asked for, of what was done in an emergency, of a
    /// dossier that is held back, or of one that goes to another CLB or came from one.
    pub controls: bool,
    /// Whether something of the access log was reviewed for this parent, and no safety hold stands.
    pub log_reviewed: bool,
    /// Whether school and CLB agreed that software of the school may read releases.
    pub machines_agreed: bool,
}

impl TieRows {
    /// No relation at all.
    pub const fn none() -> Self {
        Self {
            competent: Vec::new(),
            enrolled: Vec::new(),
            is_the_pupil: Vec::new(),
            authority: Vec::new(),
            posts: Vec::new(),
            places: Vec::new(),
            accesses: Vec::new(),
            lent: Vec::new(),
            urgencies: Vec::new(),
            decides: Decides::Unknown,
            controls: false,
            log_reviewed: false,
            machines_agreed: false,
        }
    }
}

/// The relations of one viewer to one pupil.
///
/// Only the store builds them, from rows it just read; a lint keeps [`Ties::of_rows`] out of every
/// other place.
#[derive(Debug, Clone)]
pub struct Ties {
    pupil: PupilId,
    rows: TieRows,
}

impl Ties {
    /// The relations in these rows.
    pub const fn of_rows(pupil: PupilId, rows: TieRows) -> Self {
        Self { pupil, rows }
    }

    /// The pupil.
    pub const fn pupil(&self) -> PupilId {
        self.pupil
    }

    /// The rows.
    pub(super) const fn rows(&self) -> &TieRows {
        &self.rows
    }
}

/// Whether one of the periods has the day in it.
pub(super) fn holds(periods: &[Period], day: NaiveDate) -> bool {
    periods.iter().any(|period| period.contains(day))
}
