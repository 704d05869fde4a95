//! The rules, readable by a lawyer: each a sentence, its ground, and when it applies.
//!
//! They are read from the top. Denials stand before grants, so a denial wins; the first that applies
//! decides, and what none decides is denied. A reason tells nothing of a dossier: it follows from
//! role, class, kind of relation and the request alone, never from what is there.

use super::case::Case;
use super::field::{Class, Step};
use super::verdict::{Code, Reader};
use crate::operation::{Discipline, Role};

/// What a rule says when it applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// As if there were nothing: no relation, or a realm that has no such thing.
    Nothing,
    /// A relation, but not this: the reason, and whether one may ask for access.
    Withhold(Code, bool),
    /// It may be read or done, in this capacity.
    Grant(Reader),
}

/// One rule.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Its name, for explanations and the access log. It never changes.
    pub name: &'static str,
    /// The rule as a sentence.
    pub sentence: &'static str,
    /// What it rests on.
    pub ground: &'static str,
    /// What it says.
    pub says: Says,
    pub(super) applies: fn(&Case<'_>) -> bool,
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rule")
            .field("name", &self.name)
            .field("says", &self.says)
            .finish_non_exhaustive()
    }
}

/// The steps of a team in its own trajectory.
const TEAM_STEPS: &[Step] = &[
    Step::WriteEntry,
    Step::RecordConsent,
    Step::Refer,
    Step::Release,
    Step::WriteReport,
    Step::MoveTrajectory,
    Step::JudgeCapability,
    Step::OpenAccess,
    Step::AnswerRequest,
    Step::Export,
    Step::HoldLog,
    Step::RecordObjection,
];

/// All of them, in the order in which they are read.
pub const RULES: &[Rule] = &[
    // ------------------------------------------------------------------ who has no relation at all
    Rule {
        name: "chat-has-no-pupil",
        sentence: "A CLBch@t worker sees no pupil at all, not even basic data.",
        ground: "design §3; domain facts §4.4 (H)",
        says: Says::Nothing,
        applies: |case| case.is(&[Role::ClbChatWorker]),
    },
    Rule {
        name: "operator-has-no-pupil",
        sentence: "Who runs the hub sees no pupil content.",
        ground: "design §1",
        says: Says::Nothing,
        applies: |case| case.is(&[Role::Operator]),
    },
    Rule {
        name: "school-has-no-dossier",
        sentence: "A school has no access to the dossier; it cannot even name it.",
        ground: "domain facts §3.4 and §4.4 (H); design §3",
        says: Says::Nothing,
        applies: |case| case.is_school() && case.class().is_secret(),
    },
    Rule {
        name: "not-a-pupil-of-this-school",
        sentence: "A school sees what concerns the pupils enrolled there today.",
        ground: "design §3",
        says: Says::Nothing,
        applies: |case| case.is_school() && !case.school_has_pupil(),
    },
    Rule {
        name: "not-competent",
        sentence: "A CLB sees what concerns the pupils it is competent for today; rights end with the relation.",
        ground: "design §3; domain facts §4.2 (M)",
        says: Says::Nothing,
        applies: |case| {
            case.is_clb() && !case.clb_is_competent() && !case.is_told() && !case.is_party() && !case.keeps_back()
        },
    },
    Rule {
        name: "not-this-person",
        sentence: "A pupil or parent asks about no one else; a parent only with verified authority in force.",
        ground: "design §3; domain facts §4.4 (H)",
        says: Says::Nothing,
        applies: |case| case.is(&[Role::Pupil, Role::Parent]) && !case.is_the_pupil() && !case.is_a_parent(),
    },
    Rule {
        name: "officer-has-no-dossier",
        sentence: "A data protection officer sees the access log of the own controller, and no dossier.",
        ground: "design §3, class audit",
        says: Says::Nothing,
        applies: |case| {
            case.is(&[Role::DataProtectionOfficer]) && (case.class() != Class::Audit || !case.rows.controls)
        },
    },
    // ------------------------------------------------------------------------------- the CLB, denied
    Rule {
        name: "director-sees-no-content",
        sentence: "The director assigns teams, is told of emergencies, holds dossiers back, and sees no content.",
        ground: "issue 4.1; design §3 (need to know)",
        says: Says::Withhold(Code::Secrecy, false),
        applies: |case| {
            let steps = [Step::AssignTeam, Step::RecordObjection];
            let leads = case.reads_plan() || case.does(&steps) || case.is_told() || case.keeps_back();
            case.is(&[Role::ClbDirector]) && case.class() != Class::Case && !leads
        },
    },
    Rule {
        name: "administration-sees-no-content",
        sentence: "The administration plans and sees no content.",
        ground: "issue 4.1; domain facts §3.5 (H: it is bound by secrecy too, so it may plan)",
        says: Says::Withhold(Code::Secrecy, false),
        applies: |case| case.is(&[Role::ClbAdministration]) && case.class() != Class::Case && !case.reads_plan(),
    },
    Rule {
        name: "log-is-not-for-colleagues",
        sentence: "The access log is for the person in it and for the controller's data protection officer.",
        ground: "design §3, class audit; CJEU C-579/21",
        says: Says::Withhold(Code::Secrecy, false),
        applies: |case| case.is_clb() && case.class() == Class::Audit && !case.is_told() && !case.keeps_back(),
    },
    Rule {
        name: "director-assigns",
        sentence: "Who is in a team is decided by the director, not by the worker.",
        ground: "issue 4.1",
        says: Says::Withhold(Code::Secrecy, false),
        applies: |case| case.is_worker() && case.does(&[Step::AssignTeam]),
    },
    Rule {
        name: "discipline",
        sentence: "Health data are read and written by doctor and nurse, the domain of preventive health by them and paramedics.",
        ground: "design §3; domain facts §4.1 (H: health data are kept apart) and §5.1",
        says: Says::Withhold(Code::OtherDiscipline, true),
        applies: |case| {
            let anyone = case.does(&[Step::AskAccess, Step::OpenInUrgency]);
            let urgent = case.reads() && (case.in_urgency() || case.is_lent());
            case.is_worker() && case.class().is_secret() && !case.discipline_fits() && !anyone && !urgent
        },
    },
    Rule {
        name: "intake-by-post",
        sentence: "Guidance in a domain is begun by the anchor, or for health by doctor or nurse, of the pupil's school.",
        ground: "design §3 (worker ↔ school); domain facts §4.1 (H)",
        says: Says::Withhold(Code::NotInTeam, true),
        applies: |case| case.is_worker() && case.does(&[Step::OpenTrajectory]) && !case.takes_in(),
    },
    Rule {
        name: "requests-by-post",
        sentence: "What a CLB is asked is read and answered by the anchor of the school, and by no other colleague.",
        ground: "domain facts §2.3, §3.5 (H: need to know); issue 4.1 (intake by the anchor) and 4.2",
        says: Says::Withhold(Code::NotInTeam, false),
        applies: |case| {
            let of_team = case.is_of_transfer() && case.in_team();
            case.is_worker() && case.class() == Class::Intake && !case.is_for_the_anchor() && !of_team
        },
    },
    Rule {
        name: "need-to-know",
        sentence: "A dossier is read and written by the team of the trajectory, inside its domain, and by no other colleague.",
        ground: "domain facts §3.5 and §4.4 (H)",
        says: Says::Withhold(Code::NotInTeam, true),
        applies: |case| {
            let any = [Step::OpenTrajectory, Step::AskAccess, Step::OpenInUrgency];
            let urgent = case.reads() && (case.in_urgency() || case.is_lent());
            let of_team = !matches!(case.class(), Class::Case | Class::Intake);
            case.is_worker() && of_team && !case.in_team() && !case.does(&any) && !urgent
        },
    },
    Rule {
        name: "health-is-opened-by-the-doctor",
        sentence: "Health data are opened to a person by the doctor.",
        ground: "domain facts §4.4, 5 (H)",
        says: Says::Withhold(Code::OtherDiscipline, true),
        applies: |case| {
            let doctor = case.has_discipline(&[Discipline::Doctor]);
            case.is_worker() && case.class().is_medical() && case.does(&[Step::OpenAccess]) && !doctor
        },
    },
    Rule {
        name: "purpose",
        sentence: "What is under secrecy is opened for a purpose that it serves.",
        ground: "GDPR art. 5(1)(b); design §3",
        says: Says::Withhold(Code::NeedsPurpose, false),
        applies: |case| {
            let asks = case.does(&[Step::AskAccess]);
            case.is_clb() && case.class() != Class::Case && !asks && !case.purpose_fits()
        },
    },
    // ---------------------------------------------------------------------------- the person, denied
    Rule {
        name: "not-yet-capable",
        sentence: "A pupil who is not presumed able to judge has no own access to the dossier or its log.",
        ground: "domain facts §4.4 (H); decreet rechtspositie art. 4 and 22",
        says: Says::Withhold(Code::Secrecy, false),
        applies: |case| case.is_the_pupil() && case.parents_decide() && !case.does(&[Step::RequestGuidance]),
    },
    Rule {
        name: "age-unknown",
        sentence: "While the birth date is unknown, rights by age wait for the team.",
        ground: "issue 4.2",
        says: Says::Withhold(Code::Secrecy, true),
        applies: |case| {
            let person = case.is_the_pupil() || case.is_a_parent();
            person && case.reads_or_corrects() && !case.pupil_decides() && !case.parents_decide()
        },
    },
    Rule {
        name: "through-the-doctor",
        sentence: "Health data are open to the person, but through the doctor of the CLB.",
        ground: "domain facts §4.4, 5 (H); patients' rights law",
        says: Says::Withhold(Code::ThroughDoctor, true),
        applies: |case| {
            let person = case.is_the_pupil() || case.is_a_parent();
            person
                && case.reads_or_corrects()
                && case.class().is_medical()
                && !case.opened(|access| access.through_doctor)
        },
    },
    Rule {
        name: "after-the-talk",
        sentence: "A person reads the dossier only as far and as long as a worker has opened it, after the talk.",
        ground: "domain facts §4.4 (H: always with an explaining talk); design §3",
        says: Says::Withhold(Code::Secrecy, true),
        applies: |case| {
            let person = case.is_the_pupil() || case.is_a_parent();
            person && case.reads_or_corrects() && case.class().is_secret() && !case.opened(|_| true)
        },
    },
    Rule {
        name: "pupil-decides",
        sentence: "A parent of a pupil who decides reads with that pupil's consent; without it only entries about the parent.",
        ground: "domain facts §4.4 (H)",
        says: Says::Withhold(Code::Secrecy, true),
        applies: |case| {
            let reads = case.is_a_parent() && case.reads_or_corrects() && case.class().is_secret();
            let consents = case.opened(|access| access.pupil_consents);
            reads && case.pupil_decides() && !consents && !case.is_of_entries()
        },
    },
    Rule {
        name: "pupil-objects",
        sentence: "A parent of a younger pupil does not read what the pupil expressly objects to.",
        ground: "domain facts §4.4 (H: only in the pupil's interest and if the pupil does not expressly object)",
        says: Says::Withhold(Code::Secrecy, true),
        applies: |case| {
            let reads = case.is_a_parent() && case.reads_or_corrects() && case.class().is_secret();
            reads && case.parents_decide() && !case.opened(|access| !access.pupil_objects)
        },
    },
    Rule {
        name: "who-decides-objects",
        sentence: "Where the dossier goes is told to who may object to it: the pupil who decides, else the parents.",
        ground: "domain facts §4.2 (H)",
        says: Says::Withhold(Code::Secrecy, true),
        applies: |case| {
            let objects = case.reads() || case.does(&[Step::ObjectToTransfer]);
            case.is_a_parent() && case.is_of_transfer() && objects && !case.may_object()
        },
    },
    Rule {
        name: "log-after-review",
        sentence: "Parents see the access log after a review, and not while a safety hold stands.",
        ground: "design §3, class audit",
        says: Says::Withhold(Code::Secrecy, true),
        applies: |case| {
            let free = case.rows.log_reviewed && case.parents_decide();
            case.is_a_parent() && case.reads() && case.class() == Class::Audit && !free
        },
    },
    Rule {
        name: "step-up",
        sentence: "What is under secrecy, the log of it, and whatever is taken along need a strong and fresh sign-in.",
        ground: "R24; RFC 9470",
        says: Says::Withhold(Code::NeedsStepUp, false),
        applies: |case| {
            let asks = case.does(&[Step::AskAccess]);
            let secret = case.class().is_secret() || case.class() == Class::Audit || case.does(&[Step::Export]);
            secret && !asks && !case.viewer.assured
        },
    },
    // --------------------------------------------------------------------------------------- granted
    Rule {
        name: "anyone-may-ask-for-guidance",
        sentence: "Guidance works on demand: pupil, parent, school and CLB may ask for it.",
        ground: "domain facts §2.3, §5.1; issue 4.2 (vraaggestuurd)",
        says: Says::Grant(Reader::Asker),
        applies: |case| {
            let machine = case.is(&[Role::SchoolClient]);
            case.does(&[Step::RequestGuidance]) && case.class() == Class::Case && !machine
        },
    },
    Rule {
        name: "may-ask-for-access",
        sentence: "A worker, and a person whose age allows it, may ask for access to what was withheld.",
        ground: "design §3 (requestAccess)",
        says: Says::Grant(Reader::Asker),
        applies: |case| {
            let person = case.class().is_secret() && (case.is_a_parent() || case.is_the_pupil());
            let worker = case.is_worker() && (case.class().is_secret() || case.class() == Class::Shared);
            case.does(&[Step::AskAccess]) && (worker || person)
        },
    },
    Rule {
        name: "follows-own-request",
        sentence: "A person whose age allows it reads what was asked in the own name, and what was answered.",
        ground: "GDPR art. 12(3) and (4); design §3 (requestAccess)",
        says: Says::Grant(Reader::Asker),
        applies: |case| {
            let person = case.is_a_parent() || case.is_the_pupil();
            case.does(&[Step::FollowRequest]) && case.class() == Class::Intake && person
        },
    },
    Rule {
        name: "intake",
        sentence: "The worker posted at the pupil's school opens a first trajectory and is in its team.",
        ground: "issue 4.1; design §3",
        says: Says::Grant(Reader::Team),
        applies: |case| case.is_worker() && case.does(&[Step::OpenTrajectory]) && case.takes_in(),
    },
    Rule {
        name: "anchor-takes-in",
        sentence: "The anchor reads what the CLB is asked for the own school, and takes it in or declines it.",
        ground: "issue 4.1 and 4.2; domain facts §2.3",
        says: Says::Grant(Reader::Anchor),
        applies: |case| case.is_worker() && case.class() == Class::Intake && case.is_for_the_anchor(),
    },
    Rule {
        name: "team",
        sentence: "A worker in the team, of a discipline that fits, reads, writes, exports and holds the log back in the own trajectories.",
        ground: "domain facts §3.5 and §4.4 (H); design §3",
        says: Says::Grant(Reader::Team),
        applies: |case| {
            let of_team = case.class().is_secret() || case.class() == Class::Shared;
            let does = case.reads() || case.does(TEAM_STEPS);
            case.is_worker() && of_team && case.discipline_fits() && case.in_team() && does
        },
    },
    Rule {
        name: "lent",
        sentence: "A worker reads what the team of a trajectory opened to that worker for a time.",
        ground: "design §3 (requestAccess); domain facts §3.5 (H: sharing inside the team when it helps the client)",
        says: Says::Grant(Reader::Lent),
        applies: |case| {
            let of_team = case.class().is_secret() || case.class() == Class::Shared;
            case.is_worker() && of_team && case.is_lent()
        },
    },
    Rule {
        name: "urgency",
        sentence: "In an emergency a worker reads for minutes, never what a third person asked to keep confidential.",
        ground: "R34; domain facts §3.5 (H: danger to life)",
        says: Says::Grant(Reader::Urgency),
        applies: |case| {
            let opens = case.does(&[Step::OpenInUrgency]);
            case.is_worker() && case.class().is_secret() && (opens || (case.reads() && case.in_urgency()))
        },
    },
    Rule {
        name: "planning",
        sentence: "Director and administration see who is guided by whom and which requests wait, to assign and to plan.",
        ground: "issue 4.1; domain facts §3.5 (H)",
        says: Says::Grant(Reader::Planner),
        applies: |case| {
            let plans = case.is(&[Role::ClbDirector, Role::ClbAdministration]) && case.reads_plan();
            plans || (case.is(&[Role::ClbDirector]) && case.does(&[Step::AssignTeam, Step::RecordObjection]))
        },
    },
    Rule {
        name: "objects-to-transfer",
        sentence: "Who decides, the pupil or else the parents, reads where the dossier goes and objects to it; where nobody knows, both may.",
        ground: "domain facts §4.2 (H)",
        says: Says::Grant(Reader::Asker),
        applies: |case| {
            let objects = case.reads() || case.does(&[Step::ObjectToTransfer]);
            case.class() == Class::Intake && case.is_of_transfer() && objects && case.may_object()
        },
    },
    Rule {
        name: "pupil-reads",
        sentence: "A pupil who decides reads own and context data that were opened.",
        ground: "domain facts §4.4 (H)",
        says: Says::Grant(Reader::Pupil),
        applies: |case| case.is_the_pupil() && case.reads() && case.class().is_secret() && case.pupil_decides(),
    },
    Rule {
        name: "parent-reads",
        sentence: "A parent reads what was opened, while the parents decide or the pupil consents.",
        ground: "domain facts §4.4 (H)",
        says: Says::Grant(Reader::Parent),
        applies: |case| {
            let may = case.parents_decide() || case.opened(|access| access.pupil_consents);
            case.is_a_parent() && case.reads() && case.class().is_secret() && may
        },
    },
    Rule {
        name: "parent-reads-of-self",
        sentence: "A parent reads entries about that parent that were opened, whoever decides.",
        ground: "domain facts §4.4 (H)",
        says: Says::Grant(Reader::ParentOfSelf),
        applies: |case| case.is_a_parent() && case.reads() && case.class().is_secret(),
    },
    Rule {
        name: "pupil-corrects",
        sentence: "A pupil who decides asks to correct, to add to or to leave out what was opened.",
        ground: "domain facts §4.1 (H); GDPR art. 16 and 17",
        says: Says::Grant(Reader::Pupil),
        applies: |case| {
            let corrects = case.does(&[Step::AskCorrection]) && case.class().is_secret();
            case.is_the_pupil() && corrects && case.pupil_decides()
        },
    },
    Rule {
        name: "parent-corrects",
        sentence: "A parent asks the same of what that parent reads, while the parents decide or the pupil consents.",
        ground: "domain facts §4.1 (H) and §4.4 (H); GDPR art. 16 and 17",
        says: Says::Grant(Reader::Parent),
        applies: |case| {
            let corrects = case.does(&[Step::AskCorrection]) && case.class().is_secret();
            let may = case.parents_decide() || case.opened(|access| access.pupil_consents);
            case.is_a_parent() && corrects && may
        },
    },
    Rule {
        name: "parent-corrects-of-self",
        sentence: "A parent asks the same of entries about that parent that were opened, whoever decides.",
        ground: "domain facts §4.4 (H); GDPR art. 16 and 17",
        says: Says::Grant(Reader::ParentOfSelf),
        applies: |case| case.is_a_parent() && case.does(&[Step::AskCorrection]) && case.class().is_secret(),
    },
    Rule {
        name: "pupil-exports",
        sentence: "A pupil who decides takes along what schools say of that pupil, and what was counted and signalled of it.",
        ground: "GDPR art. 15 and 20; R62; domain facts §4.4 (H: context is open to the pupil)",
        says: Says::Grant(Reader::Person),
        applies: |case| {
            let exports = case.does(&[Step::Export]) && case.class() == Class::Case;
            case.is_the_pupil() && exports && case.pupil_decides()
        },
    },
    Rule {
        name: "parent-exports",
        sentence: "While the parents decide a parent takes the same along, without what concerns the other parent.",
        ground: "GDPR art. 15 and 20; R62; domain facts §4.4 (H: from twelve only with the pupil's consent)",
        says: Says::Grant(Reader::Parent),
        applies: |case| {
            let exports = case.does(&[Step::Export]) && case.class() == Class::Case;
            case.is_a_parent() && exports && case.parents_decide()
        },
    },
    Rule {
        name: "school-reads-releases",
        sentence: "The school care team reads what was released to its school; its software only where that was agreed.",
        ground: "design §3, class shared; domain facts §3.4 (H)",
        says: Says::Grant(Reader::School),
        applies: |case| {
            let machine = case.is(&[Role::SchoolClient]) && case.rows.machines_agreed;
            case.reads() && case.class() == Class::Shared && (case.is(&[Role::SchoolCareTeam]) || machine)
        },
    },
    Rule {
        name: "published-state",
        sentence: "School and CLB see how far a report or request has come, as far as it was published.",
        ground: "design §3, class case; domain facts §2.1 (H)",
        says: Says::Grant(Reader::Published),
        applies: |case| case.reads() && case.class() == Class::Case && (case.is_school() || case.is_clb()),
    },
    Rule {
        name: "emergency-is-told",
        sentence: "Director and data protection officer of the CLB read of each opening in an emergency, and why.",
        ground: "R34; issue 4.8",
        says: Says::Grant(Reader::Responsible),
        applies: |case| case.is_told(),
    },
    Rule {
        name: "legal-hold",
        sentence: "The director puts, lifts and reads legal holds on the dossiers that the own CLB keeps, competent or not.",
        ground: "R62; issue 4.9; GDPR art. 17(3)",
        says: Says::Grant(Reader::Responsible),
        applies: |case| case.keeps_back(),
    },
    Rule {
        name: "own-log",
        sentence: "A pupil who decides sees who looked: roles, organisation, time and purpose.",
        ground: "design §3, class audit; GDPR art. 15; CJEU C-579/21; R32",
        says: Says::Grant(Reader::Person),
        applies: |case| case.reads_lines() && case.is_the_pupil() && case.pupil_decides(),
    },
    Rule {
        name: "reviewed-log",
        sentence: "While the parents decide a parent sees the same as far as it was reviewed.",
        ground: "design §3, class audit; domain facts §4.4 (H: only in the pupil's interest); GDPR art. 15(4)",
        says: Says::Grant(Reader::Parent),
        applies: |case| case.reads_lines() && case.is_a_parent(),
    },
    Rule {
        name: "officer-reviews-the-log",
        sentence: "The data protection officer of the controller reviews the log for parents, and sees when it was held back.",
        ground: "design §3, class audit (parents after review, safety hold); GDPR art. 39",
        says: Says::Grant(Reader::Officer),
        applies: |case| {
            let reviews = case.does(&[Step::ReviewLog]) && case.class() == Class::Audit;
            case.is(&[Role::DataProtectionOfficer]) && reviews
        },
    },
    Rule {
        name: "officer-reads-the-log",
        sentence: "The data protection officer reads the access log of the own controller; that is logged too.",
        ground: "design §3, class audit; R33",
        says: Says::Grant(Reader::Officer),
        applies: |case| case.reads() && case.is(&[Role::DataProtectionOfficer]) && case.class() == Class::Audit,
    },
];
