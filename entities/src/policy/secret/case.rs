//! One question put to the rules, in the words they are written in.

use chrono::{DateTime, NaiveDate, Utc};

use super::field::{Asked, Class, Part, Step};
use super::ties::{Access, Lent, Place, TieRows, holds};
use super::verdict::Reader;
use crate::dossier::consent::Giver;
use crate::dossier::transfer::may_object;
use crate::dossier::{Domain, Post};
use crate::law::consent::Decides;
use crate::operation::{Discipline, Purpose, Role};

/// Who asks: what the principal's row and the token say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewer {
    /// The one acting role.
    pub role: Role,
    /// The discipline of a CLB worker.
    pub discipline: Option<Discipline>,
    /// Why it is asked.
    pub purpose: Option<Purpose>,
    /// Whether the sign-in is strong and fresh enough for secrets (R24).
    pub assured: bool,
    /// When.
    pub now: DateTime<Utc>,
    /// The date in Europe/Brussels.
    pub day: NaiveDate,
}

/// One question: this viewer, this pupil, this field or step.
pub(super) struct Case<'a> {
    pub(super) viewer: &'a Viewer,
    pub(super) rows: &'a TieRows,
    pub(super) asked: Asked,
}

impl Case<'_> {
    pub(super) const fn class(&self) -> Class {
        self.asked.class()
    }

    pub(super) fn is(&self, roles: &[Role]) -> bool {
        roles.contains(&self.viewer.role)
    }

    pub(super) fn does(&self, steps: &[Step]) -> bool {
        matches!(self.asked, Asked::Do(step, _) if steps.contains(&step))
    }

    pub(super) const fn reads(&self) -> bool {
        matches!(self.asked, Asked::Read(_))
    }

    /// What a person reads, or asks to be corrected: who may not read it may not ask that either.
    pub(super) fn reads_or_corrects(&self) -> bool {
        (self.reads() && !self.is_of_transfer()) || self.does(&[Step::AskCorrection])
    }

    /// Whether it is where the dossier goes that is read, or that somebody objects to.
    pub(super) fn is_of_transfer(&self) -> bool {
        let custody = matches!(self.asked, Asked::Read(field) if field.part() == Part::Custody);
        custody || self.does(&[Step::ObjectToTransfer, Step::RecordObjection])
    }

    /// Whether it is asked of a CLB from which the dossier goes, or to which it came.
    pub(super) fn is_party(&self) -> bool {
        self.is_clb() && self.rows.controls && self.is_of_transfer()
    }

    /// Whether this person may object to the transfer.
    pub(super) fn may_object(&self) -> bool {
        let decides = self.rows.decides;
        (self.is_the_pupil() && may_object(Giver::Pupil, decides))
            || (self.is_a_parent() && may_object(Giver::Parent, decides))
    }

    /// What one plans by, and nothing of what was said.
    pub(super) const fn reads_plan(&self) -> bool {
        matches!(self.asked, Asked::Read(field) if field.part().is_plan())
    }

    /// Whether it is entries that are read, or one of them that is to be corrected.
    pub(super) fn is_of_entries(&self) -> bool {
        self.does(&[Step::AskCorrection]) || matches!(self.asked, Asked::Read(field) if field.part() == Part::Entries)
    }

    /// Whether it is the list of emergencies that is read.
    fn reads_emergencies(&self) -> bool {
        matches!(self.asked, Asked::Read(field) if field.part() == Part::Emergencies)
    }

    /// Whether it is what happened in an emergency, read by who answers for it.
    pub(super) fn is_told(&self) -> bool {
        let answers = self.is(&[Role::ClbDirector, Role::DataProtectionOfficer]);
        answers && self.rows.controls && self.reads_emergencies()
    }

    /// Whether it is a legal hold that is put, lifted or read, by the director of the CLB that keeps the dossier: competent or
    /// not, as it is of who left that a dossier is erased.
    pub(super) fn keeps_back(&self) -> bool {
        let reads = matches!(self.asked, Asked::Read(field) if field.part() == Part::Holds);
        let does = self.does(&[Step::PutHold, Step::LiftHold]) && self.class() == Class::Audit;
        self.is(&[Role::ClbDirector]) && self.rows.controls && (reads || does)
    }

    /// Whether it is the access log itself that is read.
    pub(super) fn reads_lines(&self) -> bool {
        matches!(self.asked, Asked::Read(field) if field.part() == Part::Lines)
    }

    pub(super) fn is_school(&self) -> bool {
        self.is(&[Role::SchoolClient, Role::SchoolCareTeam, Role::SchoolDataManager])
    }

    pub(super) fn is_clb(&self) -> bool {
        self.is(&[Role::ClbWorker, Role::ClbDirector, Role::ClbAdministration])
    }

    pub(super) fn is_worker(&self) -> bool {
        self.is(&[Role::ClbWorker])
    }

    pub(super) fn has_discipline(&self, of: &[Discipline]) -> bool {
        self.viewer.discipline.is_some_and(|own| of.contains(&own))
    }

    pub(super) fn is_medic(&self) -> bool {
        self.has_discipline(&[Discipline::Doctor, Discipline::Nurse])
    }

    /// Whether this discipline works with what is asked.
    pub(super) fn discipline_fits(&self) -> bool {
        match self.class() {
            Class::Medical => self.is_medic(),
            Class::Health => self.is_medic() || self.has_discipline(&[Discipline::Paramedic]),
            _ => self.viewer.discipline.is_some(),
        }
    }

    pub(super) fn clb_is_competent(&self) -> bool {
        holds(&self.rows.competent, self.viewer.day)
    }

    pub(super) fn school_has_pupil(&self) -> bool {
        holds(&self.rows.enrolled, self.viewer.day)
    }

    pub(super) fn is_the_pupil(&self) -> bool {
        self.is(&[Role::Pupil]) && holds(&self.rows.is_the_pupil, self.viewer.day)
    }

    pub(super) fn is_a_parent(&self) -> bool {
        self.is(&[Role::Parent]) && holds(&self.rows.authority, self.viewer.day)
    }

    pub(super) fn pupil_decides(&self) -> bool {
        self.rows.decides == Decides::Pupil
    }

    pub(super) fn parents_decide(&self) -> bool {
        self.rows.decides == Decides::Parents
    }

    /// The viewer's places today in teams of this domain; in any, where the class has none of its own.
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        let domain = self.class().domain();
        let own = move |place: &&Place| domain.is_none_or(|domain| place.domain == domain);
        let day = self.viewer.day;
        self.rows
            .places
            .iter()
            .filter(own)
            .filter(move |place| place.period.contains(day))
    }

    pub(super) fn in_team(&self) -> bool {
        self.places().next().is_some()
    }

    /// Whether the viewer's post at the pupil's school begins guidance in this domain.
    pub(super) fn takes_in(&self) -> bool {
        let begins = |domain: Domain| {
            let mut posts = self.rows.posts.iter();
            posts.any(|one| one.post.takes_in(domain) && one.period.contains(self.viewer.day))
        };
        self.class().domain().is_some_and(begins)
    }

    /// Whether the viewer is the anchor of the school in question.
    pub(super) fn is_anchor(&self) -> bool {
        let mut posts = self.rows.posts.iter();
        posts.any(|one| one.post == Post::Anchor && one.period.contains(self.viewer.day))
    }

    /// What teams let the viewer read in this class, now.
    pub(super) fn lent(&self) -> impl Iterator<Item = &Lent> {
        let (class, now) = (self.class(), self.viewer.now);
        let mut lent = self.rows.lent.iter();
        std::iter::from_fn(move || lent.find(|one| one.class == class && one.from <= now && now < one.until))
    }

    pub(super) fn is_lent(&self) -> bool {
        self.reads() && self.lent().next().is_some()
    }

    pub(super) fn in_urgency(&self) -> bool {
        let now = self.viewer.now;
        let mut opened = self.rows.urgencies.iter();
        opened.any(|one| one.class == self.class() && one.from <= now && now < one.until)
    }

    /// What was opened to the viewer in this class and holds today.
    pub(super) fn accesses(&self) -> impl Iterator<Item = &Access> {
        let (class, day) = (self.class(), self.viewer.day);
        self.rows
            .accesses
            .iter()
            .filter(move |access| access.class == class && access.period.contains(day))
    }

    pub(super) fn opened(&self, also: impl Fn(&Access) -> bool) -> bool {
        self.accesses().any(also)
    }

    /// What was opened to this person and may be read in this capacity: health data where a doctor opened them; as a parent,
    /// where the pupil who decides consents, or the one who does not has not objected.
    pub(super) fn readable(&self, reader: Reader) -> impl Iterator<Item = &Access> {
        let medical = self.class().is_medical();
        let (as_parent, pupil_decides) = (reader == Reader::Parent, self.pupil_decides());
        self.accesses().filter(move |access| {
            let agreed = if pupil_decides {
                access.pupil_consents
            } else {
                !access.pupil_objects
            };
            (access.through_doctor || !medical) && (agreed || !as_parent)
        })
    }

    /// Whether it is what a CLB was asked, answered by the anchor of the school, for whom it waits.
    pub(super) fn is_for_the_anchor(&self) -> bool {
        let answers = self.does(&[Step::AnswerGuidance, Step::AnswerRequest]);
        self.is_anchor() && (self.reads() || answers)
    }

    pub(super) fn purpose_fits(&self) -> bool {
        let planning = self.is(&[Role::ClbDirector, Role::ClbAdministration]);
        self.viewer
            .purpose
            .is_some_and(|purpose| self.class().serves(purpose) || (planning && purpose == Purpose::Administration))
    }
}
