//! What can be asked: the classes beyond basic pupil data, and the fields in them.

use crate::dossier::Domain;
use crate::operation::{Purpose, closed_enum};

closed_enum! {
    /// A class of design §3 that a relation to the pupil opens, not an agreement.
    Class {
        /// Dossier, domain learning and studying.
        Learning = "secret.learning",
        /// Dossier, domain school career.
        Career = "secret.career",
        /// Dossier, domain preventive health care.
        Health = "secret.health",
        /// Dossier, domain psychological and social functioning.
        Wellbeing = "secret.wellbeing",
        /// Health data of any domain: kept apart (domain facts §4.1).
        Medical = "secret.medical",
        /// What comes to a CLB and no trajectory has taken in: what it is asked, and where the dossier goes (overdracht).
        Intake = "secret.intake",
        /// What a worker released to the school, as a copy.
        Shared = "shared",
        /// The state of a report or a request, as far as it was published to the school.
        Case = "case",
        /// The access log.
        Audit = "audit",
    }
}

impl Class {
    /// The class of a domain.
    pub const fn of(domain: Domain) -> Self {
        match domain {
            Domain::Learning => Self::Learning,
            Domain::Career => Self::Career,
            Domain::Health => Self::Health,
            Domain::Wellbeing => Self::Wellbeing,
        }
    }

    /// The domain of a class that has one.
    pub const fn domain(self) -> Option<Domain> {
        match self {
            Self::Learning => Some(Domain::Learning),
            Self::Career => Some(Domain::Career),
            Self::Health => Some(Domain::Health),
            Self::Wellbeing => Some(Domain::Wellbeing),
            Self::Medical | Self::Intake | Self::Shared | Self::Case | Self::Audit => None,
        }
    }

    /// Whether it is under professional secrecy: a school cannot even name it.
    pub const fn is_secret(self) -> bool {
        match self {
            Self::Learning | Self::Career | Self::Health | Self::Wellbeing | Self::Medical | Self::Intake => true,
            Self::Shared | Self::Case | Self::Audit => false,
        }
    }

    /// Whether it is the medical part, which a person reads through the doctor.
    pub const fn is_medical(self) -> bool {
        matches!(self, Self::Health | Self::Medical)
    }

    /// Whether a team asks for it with this purpose (doelbinding). The psychosocial part serves guidance
    /// and compulsory education, the medical part guidance, contact moments and prophylaxis.
    pub const fn serves(self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Guidance => true,
            Purpose::CompulsoryEducation => !self.is_medical(),
            Purpose::SystematicContact | Purpose::Prophylaxis => self.is_medical(),
            Purpose::Administration | Purpose::RightsOfThePerson | Purpose::Operations => false,
        }
    }
}

closed_enum! {
    /// One field, or list that is opened whole.
    Part {
        /// That there is guidance: domain, phase, period and team of each trajectory. What one plans by.
        Trajectories = "trajectories",
        /// The entries.
        Entries = "entries",
        /// That there is a request for guidance, without what was said in it. What one plans by.
        Requests = "requests",
        /// Who consented to what, and who refused.
        Consents = "consents",
        /// Partners outside.
        Referrals = "referrals",
        /// Formal reports (verslagen).
        Reports = "reports",
        /// Releases to the school.
        Releases = "releases",
        /// How far a report or request has come.
        States = "states",
        /// Lines of the access log.
        Lines = "lines",
        /// What was opened in emergencies.
        Emergencies = "emergencies",
        /// In whose keeping the dossier is, and to which CLB it goes. What one plans by.
        Custody = "custody",
        /// Legal holds on dossiers.
        Holds = "holds",
    }
}

impl Part {
    /// Whether it is what one plans by, without content.
    pub const fn is_plan(self) -> bool {
        matches!(self, Self::Trajectories | Self::Requests | Self::Custody)
    }
}

/// A field that exists: a part in a class. Nothing else can be asked, decided or logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field {
    class: Class,
    part: Part,
}

const OF_A_DOMAIN: [Part; 5] = [
    Part::Trajectories,
    Part::Entries,
    Part::Consents,
    Part::Referrals,
    Part::Reports,
];

impl Field {
    /// The field of this part in this class, if there is one.
    pub fn new(class: Class, part: Part) -> Option<Self> {
        let parts: &[Part] = match class {
            Class::Learning | Class::Career | Class::Health | Class::Wellbeing => &OF_A_DOMAIN,
            Class::Medical => &[Part::Entries],
            Class::Intake => &[Part::Requests, Part::Entries, Part::Custody],
            Class::Shared => &[Part::Releases],
            Class::Case => &[Part::States],
            Class::Audit => &[Part::Lines, Part::Emergencies, Part::Holds],
        };
        parts.contains(&part).then_some(Self { class, part })
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        let classes = Class::ALL.iter();
        classes.flat_map(|class| Part::ALL.iter().filter_map(|part| Self::new(*class, *part)))
    }

    /// Its class.
    pub const fn class(self) -> Class {
        self.class
    }

    /// Which part.
    pub const fn part(self) -> Part {
        self.part
    }
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.class, self.part)
    }
}

impl std::str::FromStr for Field {
    type Err = crate::operation::NotInList;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::all()
            .find(|field| field.to_string() == text)
            .ok_or(crate::operation::NotInList)
    }
}

closed_enum! {
    /// A step in a dossier. Writing is no right to read: a step echoes only what its author may read.
    Step {
        /// Open a first trajectory (intake).
        OpenTrajectory = "open_trajectory",
        /// Put a worker in a team, or take one out.
        AssignTeam = "assign_team",
        /// Write or correct an entry; what was written stays.
        WriteEntry = "write_entry",
        /// Note a consent or a refusal.
        RecordConsent = "record_consent",
        /// Refer to a partner outside.
        Refer = "refer",
        /// Release a copy to the school, or take it back.
        Release = "release",
        /// Add a formal report.
        WriteReport = "write_report",
        /// Set the phase, or close a trajectory.
        MoveTrajectory = "move_trajectory",
        /// Decide that a minor is able to judge, or not yet.
        JudgeCapability = "judge_capability",
        /// Open the dossier to the pupil or a parent, after the talk.
        OpenAccess = "open_access",
        /// Answer a colleague or a person who asked for access.
        AnswerRequest = "answer_request",
        /// Ask for access where a field was withheld.
        AskAccess = "ask_access",
        /// Ask that an entry be corrected, added to or left out.
        AskCorrection = "ask_correction",
        /// See what one asked in one's own name, and what was answered.
        FollowRequest = "follow_request",
        /// Take along what is kept, as one document (uitvoer): basic data as the person, a dossier as its team.
        Export = "export",
        /// Ask for guidance (aanmelding).
        RequestGuidance = "request_guidance",
        /// Take in or decline a request for guidance.
        AnswerGuidance = "answer_guidance",
        /// Open in an emergency, for minutes (noodtoegang).
        OpenInUrgency = "open_in_urgency",
        /// Hold the access log back from parents for the pupil's safety, or let it go again.
        HoldLog = "hold_log",
        /// Review the access log for parents.
        ReviewLog = "review_log",
        /// Object, as the person, to a transfer to another CLB (verzet).
        ObjectToTransfer = "object_to_transfer",
        /// Record an objection that came on paper.
        RecordObjection = "record_objection",
        /// Put a legal hold on a dossier (bewaringsplicht).
        PutHold = "put_hold",
        /// Lift one.
        LiftHold = "lift_hold",
    }
}

/// What a decision is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asked {
    /// Reading a field.
    Read(Field),
    /// A step, in a class.
    Do(Step, Class),
}

impl Asked {
    /// The class it is in.
    pub const fn class(self) -> Class {
        match self {
            Self::Read(field) => field.class(),
            Self::Do(_, class) => class,
        }
    }
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read(field) => write!(f, "read {field}"),
            Self::Do(step, class) => write!(f, "{step} {class}"),
        }
    }
}
