//! What a worker has to do next for the consent that a trajectory needs: derived each time, kept nowhere.

use chrono::NaiveDate;

use super::{ConsentLaw, Decides, Minor, Standing};
use crate::dossier::consent::{Consent, ConsentTo, Giver, Reply};
use crate::dossier::trajectory::Obligation;
use crate::operation::closed_enum;

closed_enum! {
    /// What the worker is asked to do, so that guidance rests on consent (domain facts §3.4, §4.4; issue 4.2).
    NextStep {
        /// Ask the parents: they decide, and have not answered.
        AskTheParents = "ask_the_parents",
        /// Ask the pupil, who decides and has not answered.
        AskThePupil = "ask_the_pupil",
        /// Ask the pupil too, who decides by now; what the parents began continues meanwhile.
        AskThePupilToo = "ask_the_pupil_too",
        /// Decide with the team whether the pupil is able to judge: the birth date is not known.
        JudgeCapability = "judge_capability",
        /// Nothing obliges any more: obtain consent, or close.
        AskOrClose = "ask_or_close",
        /// Close: whoever decides said no, or took it back.
        Close = "close",
    }
}

/// A course of guidance, as far as consent depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    /// Whether guidance is given.
    pub open: bool,
    /// Why it could not be refused when it began.
    pub obligation: Option<Obligation>,
    /// Whether what obliged has been taken back since.
    pub lapsed: bool,
}

impl Course {
    /// Why it cannot be refused now.
    pub const fn obliges(self) -> Option<Obligation> {
        if self.lapsed { None } else { self.obligation }
    }
}

impl ConsentLaw {
    /// What the worker has to do on this day under these answers about the course; none when it rests on what it needs.
    pub fn next(&self, course: Course, minor: Minor<'_>, answers: &[Consent], day: NaiveDate) -> Option<NextStep> {
        if !course.open {
            return None;
        }
        match self.guidance(course.obliges(), minor, answers, day) {
            Standing::NotNeeded | Standing::Given => None,
            Standing::AskThePupil => Some(NextStep::AskThePupilToo),
            Standing::Waits => Some(NextStep::JudgeCapability),
            Standing::Missing => {
                let (by, ask) = match self.decides(minor, day) {
                    Decides::Parents => (Giver::Parent, NextStep::AskTheParents),
                    Decides::Pupil | Decides::Unknown => (Giver::Pupil, NextStep::AskThePupil),
                };
                Some(match () {
                    () if is_no(by, answers, day) => NextStep::Close,
                    () if course.lapsed => NextStep::AskOrClose,
                    () => ask,
                })
            }
        }
    }
}

/// Whether the last word on guidance of who decides is a no, or a yes that was taken back.
fn is_no(by: Giver, answers: &[Consent], day: NaiveDate) -> bool {
    let said = answers
        .iter()
        .filter(|one| one.to == ConsentTo::Guidance && one.by == by && one.given_on <= day);
    let last = said.max_by_key(|one| (one.given_on, one.reply == Reply::Refused));
    last.is_some_and(|one| one.reply == Reply::Refused || one.revoked_on.is_some_and(|revoked| revoked <= day))
}
