//! What came of a question: nothing, withheld or granted; and the grant, which only the rules make.

use super::field::{Asked, Field};
use super::rules::Rule;
use crate::id::{PrincipalId, PupilId, TrajectoryId};
use crate::operation::closed_enum;

closed_enum! {
    /// Why a field was withheld: all that the viewer is told. A function of role, class, kind of
    /// relation and request; never of what is in a dossier (design §3).
    Code {
        /// Under professional secrecy (beroepsgeheim).
        Secrecy = "SECRECY",
        /// For the team of the pupil.
        NotInTeam = "NOT_IN_TEAM",
        /// For another discipline.
        OtherDiscipline = "OTHER_DISCIPLINE",
        /// Through the doctor of the CLB.
        ThroughDoctor = "THROUGH_DOCTOR",
        /// For a purpose that was not given.
        NeedsPurpose = "NEEDS_PURPOSE",
        /// With a stronger or fresher sign-in.
        NeedsStepUp = "NEEDS_STEP_UP",
    }
}

closed_enum! {
    /// In which capacity something was granted: it decides which rows are there.
    Reader {
        /// As a member of the team of a trajectory.
        Team = "team",
        /// As a colleague to whom the team opened it for a time.
        Lent = "lent",
        /// As the anchor of the school that asks.
        Anchor = "anchor",
        /// To assign and to plan, without content.
        Planner = "planner",
        /// In an emergency.
        Urgency = "urgency",
        /// As the pupil.
        Pupil = "pupil",
        /// As a parent.
        Parent = "parent",
        /// As a parent, of entries about that parent alone.
        ParentOfSelf = "parent_of_self",
        /// As the care team of the school it was released to.
        School = "school",
        /// As a party to a report or request.
        Published = "published",
        /// As the person in the log.
        Person = "person",
        /// As the data protection officer of the controller.
        Officer = "officer",
        /// As who answers for what is done in emergencies, and for how long dossiers are kept.
        Responsible = "responsible",
        /// As who asks for something.
        Asker = "asker",
    }
}

/// Why and how one may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Withheld {
    code: Code,
    can_ask: bool,
}

impl Withheld {
    pub(super) const fn new(code: Code, can_ask: bool) -> Self {
        Self { code, can_ask }
    }

    /// The reason.
    pub const fn code(self) -> Code {
        self.code
    }

    /// Whether `requestAccess` makes sense.
    pub const fn can_ask(self) -> bool {
        self.can_ask
    }
}

/// Which rows of a field were granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    /// Those of these trajectories.
    Of(Vec<TrajectoryId>),
    /// All of the class, as far as the capacity lets them be seen.
    All,
}

/// The right to open one field of one pupil.
///
/// It has no public constructor and cannot be read from outside data: a decision is the only thing
/// that makes one. The forging tests show that nothing else compiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pupil: PupilId,
    viewer: PrincipalId,
    asked: Asked,
    reader: Reader,
    rows: Rows,
    rule: &'static str,
}

impl Grant {
    pub(super) const fn new(
        (pupil, viewer): (PupilId, PrincipalId),
        asked: Asked,
        reader: Reader,
        rows: Rows,
        rule: &'static str,
    ) -> Self {
        Self {
            pupil,
            viewer,
            asked,
            reader,
            rows,
            rule,
        }
    }

    /// Of whom.
    pub const fn pupil(&self) -> PupilId {
        self.pupil
    }

    /// To whom.
    pub const fn viewer(&self) -> PrincipalId {
        self.viewer
    }

    /// What was granted.
    pub const fn asked(&self) -> Asked {
        self.asked
    }

    /// The field, where reading was granted.
    pub const fn field(&self) -> Option<Field> {
        match self.asked {
            Asked::Read(field) => Some(field),
            Asked::Do(..) => None,
        }
    }

    /// In which capacity.
    pub const fn reader(&self) -> Reader {
        self.reader
    }

    /// Which rows.
    pub const fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Whether it reaches this trajectory of its pupil.
    pub fn reaches(&self, trajectory: TrajectoryId) -> bool {
        match &self.rows {
            Rows::Of(own) => own.contains(&trajectory),
            Rows::All => true,
        }
    }

    /// By which rule: the basis in the access log.
    pub const fn rule(&self) -> &'static str {
        self.rule
    }
}

/// The outcome for one pupil and one field or step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As if the pupil were unknown.
    Nothing,
    /// Not this; the pupil is known to the viewer.
    Withheld(Withheld),
    /// It may be opened or done.
    Granted(Grant),
}

/// A verdict with the rule that decided, where one did: for explanations and the matrix.
#[derive(Debug, Clone)]
pub struct Explained {
    /// What came of it.
    pub verdict: Verdict,
    /// The rule that decided; none when no rule did, and so it was denied.
    pub by: Option<&'static Rule>,
}
