//! The policy as a table: for `clb-hub policy matrix`, `policy explain`, and the reviewers of both.
//!
//! Each persona is one viewer in one relation to one pupil. The test `secrecy_matrix` holds the
//! cells against a table written by hand.

use chrono::{DateTime, Duration, NaiveDate, Utc};
use uuid::Uuid;

use super::case::{Case, Viewer};
use super::field::{Asked, Class, Field, Part, Step};
use super::rules::{RULES, Rule};
use super::ties::{Access, Lent, Place, Posted, TieRows, Ties, Urgency};
use super::verdict::{Code, Explained, Reader, Verdict};
use crate::dossier::{Domain, Post};
use crate::id::{PrincipalId, PupilId, TrajectoryId};
use crate::law::consent::Decides;
use crate::operation::{Discipline, Purpose, Role};
use crate::time::{Period, brussels_day};

/// One viewer in one relation to one pupil.
#[derive(Debug, Clone)]
pub struct Persona {
    /// What it is called.
    pub name: &'static str,
    /// Who asks.
    pub viewer: Viewer,
    ties: Ties,
}

const PUPIL: PupilId = PupilId(Uuid::from_u128(0xb1));
const WHO: PrincipalId = PrincipalId(Uuid::from_u128(0xa1));

/// Noon in Brussels on Wednesday 7 October 2026.
const NOON: DateTime<Utc> = match DateTime::from_timestamp(1_791_367_200, 0) {
    Some(noon) => noon,
    None => DateTime::UNIX_EPOCH,
};

fn days(offset: i64) -> NaiveDate {
    let day = brussels_day(NOON);
    day.checked_add_signed(Duration::days(offset)).unwrap_or(day)
}

/// From a month ago, without an end.
fn holds() -> Period {
    Period {
        begins: days(-30),
        ends: None,
    }
}

/// Over since today.
fn past() -> Period {
    Period {
        begins: days(-30),
        ends: Some(days(0)),
    }
}

/// From tomorrow on.
fn future() -> Period {
    Period {
        begins: days(1),
        ends: None,
    }
}

fn viewer(role: Role) -> Viewer {
    let purpose = match role {
        Role::ClbWorker => Some(Purpose::Guidance),
        Role::ClbDirector | Role::ClbAdministration => Some(Purpose::Administration),
        _ => None,
    };
    Viewer {
        role,
        discipline: None,
        purpose,
        assured: true,
        now: NOON,
        day: brussels_day(NOON),
    }
}

/// A worker of this discipline in the competent CLB, and what more there is between it and the pupil.
fn worker(name: &'static str, discipline: Discipline, more: impl FnOnce(&mut Viewer, &mut TieRows)) -> Persona {
    of_role(name, Role::ClbWorker, |viewer, rows| {
        viewer.discipline = Some(discipline);
        rows.competent.push(holds());
        more(viewer, rows);
    })
}

fn of_role(name: &'static str, role: Role, more: impl FnOnce(&mut Viewer, &mut TieRows)) -> Persona {
    let (mut viewer, mut rows) = (viewer(role), TieRows::none());
    more(&mut viewer, &mut rows);
    #[expect(
        clippy::disallowed_methods,
        reason = "a table for reviewers: no row of a person is decided on"
    )]
    let ties = Ties::of_rows(PUPIL, rows);
    Persona { name, viewer, ties }
}

fn place(domain: Domain, period: Period) -> Place {
    Place {
        trajectory: TrajectoryId(Uuid::from_u128(0x71)),
        domain,
        period,
    }
}

fn access(class: Class) -> Access {
    Access {
        class,
        trajectory: TrajectoryId(Uuid::from_u128(0x73)),
        through_doctor: false,
        pupil_consents: false,
        pupil_objects: false,
        period: holds(),
    }
}

fn lent(class: Class, until: i64) -> Lent {
    let Urgency { class, from, until } = urgency(class, until);
    Lent {
        class,
        trajectory: TrajectoryId(Uuid::from_u128(0x72)),
        from,
        until,
    }
}

fn urgency(class: Class, until: i64) -> Urgency {
    Urgency {
        class,
        from: NOON.checked_sub_signed(Duration::minutes(20)).unwrap_or(NOON),
        until: NOON.checked_add_signed(Duration::minutes(until)).unwrap_or(NOON),
    }
}

fn of_pupil(name: &'static str, decides: Decides, accesses: Vec<Access>) -> Persona {
    of_role(name, Role::Pupil, |_, rows| {
        rows.is_the_pupil.push(holds());
        rows.decides = decides;
        rows.accesses = accesses;
    })
}

fn of_parent(name: &'static str, decides: Decides, accesses: Vec<Access>) -> Persona {
    of_role(name, Role::Parent, |_, rows| {
        rows.authority.push(holds());
        rows.decides = decides;
        rows.accesses = accesses;
    })
}

/// Everyone the table has a row for.
pub fn personas() -> Vec<Persona> {
    [
        schools(),
        workers(),
        medics(),
        others_of_the_clb(),
        pupils(),
        parents(),
        outside(),
    ]
    .concat()
}

fn schools() -> Vec<Persona> {
    let at_school = |name, role| of_role(name, role, |_, rows| rows.enrolled.push(holds()));
    vec![
        at_school("school_client", Role::SchoolClient),
        of_role("school_client_agreed", Role::SchoolClient, |_, rows| {
            rows.enrolled.push(holds());
            rows.machines_agreed = true;
        }),
        at_school("school_care_team", Role::SchoolCareTeam),
        of_role("school_care_team_pupil_left", Role::SchoolCareTeam, |_, rows| {
            rows.enrolled.push(past());
        }),
        of_role("school_care_team_of_another", Role::SchoolCareTeam, |_, _| {}),
        at_school("school_data_manager", Role::SchoolDataManager),
    ]
}

fn workers() -> Vec<Persona> {
    use Discipline::{Psychologist, SocialWorker};
    let learning = |period| place(Domain::Learning, period);
    vec![
        of_role("worker_of_another_clb", Role::ClbWorker, |viewer, rows| {
            viewer.discipline = Some(Psychologist);
            rows.places.push(learning(holds()));
        }),
        of_role("worker_clb_no_longer_competent", Role::ClbWorker, |viewer, rows| {
            viewer.discipline = Some(Psychologist);
            rows.competent.push(past());
            rows.places.push(learning(holds()));
        }),
        of_role("worker_clb_not_yet_competent", Role::ClbWorker, |viewer, rows| {
            viewer.discipline = Some(Psychologist);
            rows.competent.push(future());
            rows.places.push(learning(holds()));
        }),
        of_role("team_where_it_goes_from", Role::ClbWorker, |viewer, rows| {
            viewer.discipline = Some(Psychologist);
            rows.competent.push(past());
            rows.places.push(learning(holds()));
            rows.controls = true;
        }),
        of_role("worker_where_it_goes_from", Role::ClbWorker, |viewer, rows| {
            viewer.discipline = Some(Psychologist);
            rows.competent.push(past());
            rows.controls = true;
        }),
        worker("worker", Psychologist, |_, _| {}),
        worker("anchor", SocialWorker, |_, rows| {
            rows.posts.push(Posted {
                post: Post::Anchor,
                period: holds(),
            });
        }),
        worker("anchor_of_before", SocialWorker, |_, rows| {
            rows.posts.push(Posted {
                post: Post::Anchor,
                period: past(),
            });
        }),
        worker("team_learning", Psychologist, |_, rows| {
            rows.places.push(learning(holds()));
        }),
        worker("team_learning_of_before", Psychologist, |_, rows| {
            rows.places.push(learning(past()));
        }),
        worker("team_learning_from_tomorrow", Psychologist, |_, rows| {
            rows.places.push(learning(future()));
        }),
        worker("team_learning_no_purpose", Psychologist, |viewer, rows| {
            viewer.purpose = None;
            rows.places.push(learning(holds()));
        }),
        worker("team_learning_other_purpose", Psychologist, |viewer, rows| {
            viewer.purpose = Some(Purpose::Prophylaxis);
            rows.places.push(learning(holds()));
        }),
        worker("team_learning_weak_sign_in", Psychologist, |viewer, rows| {
            viewer.assured = false;
            rows.places.push(learning(holds()));
        }),
        worker("team_career", Discipline::Pedagogue, |_, rows| {
            rows.places.push(place(Domain::Career, holds()));
        }),
        worker("team_wellbeing", SocialWorker, |_, rows| {
            rows.places.push(place(Domain::Wellbeing, holds()));
        }),
        worker("lent_learning", Psychologist, |_, rows| {
            rows.lent.push(lent(Class::Learning, 10));
        }),
        worker("lent_medical", Psychologist, |_, rows| {
            rows.lent.push(lent(Class::Medical, 10));
        }),
        worker("lent_over", Psychologist, |_, rows| {
            rows.lent.push(lent(Class::Learning, 0));
        }),
        worker("urgency_wellbeing", Psychologist, |_, rows| {
            rows.urgencies.push(urgency(Class::Wellbeing, 10));
        }),
        worker("urgency_medical", Psychologist, |_, rows| {
            rows.urgencies.push(urgency(Class::Medical, 10));
            rows.places.push(learning(holds()));
        }),
        worker("urgency_over", Psychologist, |_, rows| {
            rows.urgencies.push(urgency(Class::Wellbeing, 0));
        }),
    ]
}

fn medics() -> Vec<Persona> {
    use Discipline::{Doctor, Nurse, Paramedic, SocialWorker};
    let in_health = |name, discipline| {
        worker(name, discipline, |_, rows| {
            rows.places.push(place(Domain::Health, holds()));
        })
    };
    vec![
        worker("doctor_of_the_school", Doctor, |_, rows| {
            rows.posts.push(Posted {
                post: Post::Doctor,
                period: holds(),
            });
        }),
        in_health("doctor_team_health", Doctor),
        in_health("nurse_team_health", Nurse),
        in_health("paramedic_team_health", Paramedic),
        in_health("social_worker_team_health", SocialWorker),
        worker("doctor_team_learning", Doctor, |_, rows| {
            rows.places.push(place(Domain::Learning, holds()));
        }),
    ]
}

fn others_of_the_clb() -> Vec<Persona> {
    let competent = |name, role| of_role(name, role, |_, rows| rows.competent.push(holds()));
    vec![
        of_role("director", Role::ClbDirector, |_, rows| {
            rows.competent.push(holds());
            rows.controls = true;
        }),
        of_role("director_no_purpose", Role::ClbDirector, |viewer, rows| {
            viewer.purpose = None;
            rows.competent.push(holds());
            rows.controls = true;
        }),
        of_role("director_of_another_clb", Role::ClbDirector, |_, _| {}),
        of_role("director_where_it_goes_from", Role::ClbDirector, |_, rows| {
            rows.competent.push(past());
            rows.controls = true;
        }),
        competent("administration", Role::ClbAdministration),
        of_role(
            "administration_where_it_goes_from",
            Role::ClbAdministration,
            |_, rows| {
                rows.competent.push(past());
                rows.controls = true;
            },
        ),
        competent("chat_worker", Role::ClbChatWorker),
    ]
}

fn pupils() -> Vec<Persona> {
    let learning = || access(Class::Learning);
    let doctor = || Access {
        through_doctor: true,
        ..access(Class::Medical)
    };
    vec![
        of_pupil("pupil_11", Decides::Parents, Vec::new()),
        of_pupil("pupil_11_opened", Decides::Parents, vec![learning(), doctor()]),
        of_pupil("pupil_15", Decides::Pupil, Vec::new()),
        of_pupil(
            "pupil_15_opened",
            Decides::Pupil,
            vec![learning(), access(Class::Medical)],
        ),
        of_pupil("pupil_15_opened_by_doctor", Decides::Pupil, vec![doctor()]),
        of_pupil(
            "pupil_15_opened_before",
            Decides::Pupil,
            vec![Access {
                period: past(),
                ..learning()
            }],
        ),
        of_pupil(
            "pupil_of_unknown_age_opened",
            Decides::Unknown,
            vec![learning(), doctor()],
        ),
        of_role("pupil_asks_about_another", Role::Pupil, |_, rows| {
            rows.decides = Decides::Pupil;
            rows.accesses = vec![learning()];
        }),
    ]
}

fn parents() -> Vec<Persona> {
    let learning = || access(Class::Learning);
    vec![
        of_parent("parent_of_11", Decides::Parents, Vec::new()),
        of_parent("parent_of_11_opened", Decides::Parents, vec![learning()]),
        of_parent(
            "parent_of_11_pupil_objects",
            Decides::Parents,
            vec![Access {
                pupil_objects: true,
                ..learning()
            }],
        ),
        of_role("parent_of_11_log_reviewed", Role::Parent, |_, rows| {
            rows.authority.push(holds());
            rows.decides = Decides::Parents;
            rows.log_reviewed = true;
        }),
        of_parent("parent_of_15", Decides::Pupil, Vec::new()),
        of_role("parent_of_15_log_reviewed", Role::Parent, |_, rows| {
            rows.authority.push(holds());
            rows.decides = Decides::Pupil;
            rows.log_reviewed = true;
        }),
        of_parent("parent_of_15_opened", Decides::Pupil, vec![learning()]),
        of_parent(
            "parent_of_15_pupil_consents",
            Decides::Pupil,
            vec![Access {
                pupil_consents: true,
                ..learning()
            }],
        ),
        of_parent("parent_of_unknown_age_opened", Decides::Unknown, vec![learning()]),
        of_role("parent_authority_ended", Role::Parent, |_, rows| {
            rows.authority.push(past());
            rows.decides = Decides::Parents;
            rows.accesses = vec![learning()];
            rows.log_reviewed = true;
        }),
    ]
}

fn outside() -> Vec<Persona> {
    vec![
        of_role("dpo", Role::DataProtectionOfficer, |_, rows| rows.controls = true),
        of_role("dpo_of_another", Role::DataProtectionOfficer, |_, _| {}),
        of_role("operator", Role::Operator, |_, _| {}),
    ]
}

impl Persona {
    /// What the rules say of this.
    pub fn explain(&self, asked: Asked) -> Explained {
        super::explain(&self.viewer, WHO, &self.ties, asked)
    }

    /// Who it is, and the relations.
    #[cfg(test)]
    pub(super) const fn case(&self) -> (&Viewer, &Ties) {
        (&self.viewer, &self.ties)
    }

    /// Every rule that was read until one decided, and whether it applied.
    pub fn read(&self, asked: Asked) -> Vec<(&'static Rule, bool)> {
        let case = Case {
            viewer: &self.viewer,
            rows: self.ties.rows(),
            asked,
        };
        let mut read = Vec::new();
        for rule in RULES {
            let applies = (rule.applies)(&case);
            read.push((rule, applies));
            if applies {
                break;
            }
        }
        read
    }
}

/// The steps that a team does in its own trajectory are decided alike, and stand in one column.
const TEAM: &[Step] = &[
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
];

/// The columns of the second table: steps, each in the class in which it means most.
const STEPS: &[(&str, &[Step], Class)] = &[
    ("intake", &[Step::OpenTrajectory], Class::Learning),
    ("assign", &[Step::AssignTeam], Class::Learning),
    ("team", TEAM, Class::Learning),
    ("ask", &[Step::AskAccess], Class::Learning),
    ("guidance", &[Step::RequestGuidance], Class::Case),
    ("answer", &[Step::AnswerGuidance, Step::AnswerRequest], Class::Intake),
    ("urgency", &[Step::OpenInUrgency], Class::Learning),
    ("intake-health", &[Step::OpenTrajectory], Class::Health),
    ("write-medical", &[Step::WriteEntry, Step::Release], Class::Medical),
    ("open-medical", &[Step::OpenAccess], Class::Medical),
    ("urgency-medical", &[Step::OpenInUrgency], Class::Medical),
    ("follow", &[Step::FollowRequest], Class::Intake),
    ("correct", &[Step::AskCorrection], Class::Learning),
    ("correct-medical", &[Step::AskCorrection], Class::Medical),
    ("export", &[Step::Export], Class::Case),
    ("export-medical", &[Step::Export], Class::Medical),
    ("review", &[Step::ReviewLog], Class::Audit),
    ("object", &[Step::ObjectToTransfer], Class::Intake),
    ("record", &[Step::RecordObjection], Class::Intake),
    ("hold", &[Step::PutHold, Step::LiftHold], Class::Audit),
];

/// A verdict as one word: `-` for nothing, `!…` for a reason (with `?` where one may ask), else the capacity.
pub fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Nothing => "-",
        Verdict::Withheld(why) => match (why.code(), why.can_ask()) {
            (Code::Secrecy, false) => "!secrecy",
            (Code::Secrecy, true) => "!secrecy?",
            (Code::NotInTeam, false) => "!team",
            (Code::NotInTeam, true) => "!team?",
            (Code::OtherDiscipline, false) => "!discipline",
            (Code::OtherDiscipline, true) => "!discipline?",
            (Code::ThroughDoctor, false) => "!doctor",
            (Code::ThroughDoctor, true) => "!doctor?",
            (Code::NeedsPurpose, false) => "!purpose",
            (Code::NeedsPurpose, true) => "!purpose?",
            (Code::NeedsStepUp, false) => "!step-up",
            (Code::NeedsStepUp, true) => "!step-up?",
        },
        Verdict::Granted(grant) => match grant.reader() {
            Reader::Team => "team",
            Reader::Lent => "lent",
            Reader::Anchor => "anchor",
            Reader::Planner => "planner",
            Reader::Urgency => "urgency",
            Reader::Pupil => "pupil",
            Reader::Parent => "parent",
            Reader::ParentOfSelf => "self",
            Reader::School => "school",
            Reader::Published => "published",
            Reader::Person => "person",
            Reader::Officer => "officer",
            Reader::Responsible => "responsible",
            Reader::Asker => "asker",
        },
    }
}

/// Both tables as text, for reviewers. Of a class with several parts all words stand in one cell,
/// unless they are the same.
pub fn tables() -> String {
    let reading: Vec<(String, Vec<Asked>)> = Class::ALL
        .iter()
        .map(|class| {
            let of_class = Field::all().filter(|field| field.class() == *class);
            (class.to_string(), of_class.map(Asked::Read).collect())
        })
        .collect();
    let steps: Vec<(String, Vec<Asked>)> = STEPS
        .iter()
        .map(|(name, steps, class)| {
            let each = steps.iter().map(|step| Asked::Do(*step, *class));
            ((*name).to_owned(), each.collect())
        })
        .collect();
    let parts: Vec<&str> = Part::ALL.iter().copied().map(Part::name).collect();
    format!(
        "-          as if there were no such pupil\n\
         !reason    a relation, but not this; with ? one may ask for access\n\
         otherwise  granted, in this capacity\n\
         a/b/…      by part, in the order {}\n\nREADING\n{}\nSTEPS\n{}",
        parts.join(" "),
        table(&reading),
        table(&steps)
    )
}

fn table(columns: &[(String, Vec<Asked>)]) -> String {
    let heads = columns.iter().map(|(name, _)| name.clone());
    let mut rows: Vec<Vec<String>> = vec![std::iter::once(String::new()).chain(heads).collect()];
    for persona in personas() {
        let cells = columns.iter().map(|(_, asked)| {
            let words: Vec<&str> = asked.iter().map(|one| word(&persona.explain(*one).verdict)).collect();
            match words.split_first() {
                Some((first, rest)) if rest.iter().all(|word| word == first) => (*first).to_owned(),
                _ => words.join("/"),
            }
        });
        rows.push(std::iter::once(persona.name.to_owned()).chain(cells).collect());
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(String::len).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..=columns.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let padded: Vec<String> = cells.map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
