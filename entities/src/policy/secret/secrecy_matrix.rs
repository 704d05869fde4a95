//! The policy of secrecy, cell by cell against a table written by hand (R03, R23).
//!
//! The table is `secrecy_matrix.txt`. A new persona, class, part or step without a row or column of its
//! own fails here, and so does a secret field that nobody may read.

#![expect(
    clippy::disallowed_methods,
    reason = "a table of hand-made viewers: no row of a person is decided on"
)]

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::matrix::{Persona, personas, tables, word};
use super::{
    Asked, Class, Code, EntryFacts, Facts, Field, Part, Place, RULES, Reader, Rows, Says, Step, TieRows, Ties, Verdict,
    decide_batch,
};
use crate::dossier::Domain;
use crate::dossier::entry::{About, ClosedGround, ClosedGrounds};
use crate::id::{ClbId, PrincipalId, PupilId, TrajectoryId};
use crate::operation::{Actor, Discipline, Operation, Purpose, Role};
use crate::policy::Relations;
use crate::time::Period;
use crate::{agreement, principal};

const TABLE: &str = include_str!("secrecy_matrix.txt");

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// What the columns of the second table stand for.
fn steps(column: &str) -> Vec<(Step, Class)> {
    let in_learning = |steps: &[Step]| steps.iter().map(|step| (*step, Class::Learning)).collect();
    match column {
        "intake" => in_learning(&[Step::OpenTrajectory]),
        "assign" => in_learning(&[Step::AssignTeam]),
        "team" => in_learning(&[
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
        ]),
        "ask" => in_learning(&[Step::AskAccess]),
        "urgency" => in_learning(&[Step::OpenInUrgency]),
        "guidance" => vec![(Step::RequestGuidance, Class::Case)],
        "intake-health" => vec![(Step::OpenTrajectory, Class::Health)],
        "write-medical" => vec![(Step::WriteEntry, Class::Medical), (Step::Release, Class::Medical)],
        "open-medical" => vec![(Step::OpenAccess, Class::Medical)],
        "urgency-medical" => vec![(Step::OpenInUrgency, Class::Medical)],
        "answer" => vec![
            (Step::AnswerGuidance, Class::Intake),
            (Step::AnswerRequest, Class::Intake),
        ],
        "follow" => vec![(Step::FollowRequest, Class::Intake)],
        "correct" => in_learning(&[Step::AskCorrection]),
        "correct-medical" => vec![(Step::AskCorrection, Class::Medical)],
        "export" => vec![(Step::Export, Class::Case)],
        "export-medical" => vec![(Step::Export, Class::Medical)],
        "review" => vec![(Step::ReviewLog, Class::Audit)],
        "object" => vec![(Step::ObjectToTransfer, Class::Intake)],
        "record" => vec![(Step::RecordObjection, Class::Intake)],
        "hold" => vec![(Step::PutHold, Class::Audit), (Step::LiftHold, Class::Audit)],
        other => panic!("`{other}` is no column"),
    }
}

/// What a column of the first table stands for, with the expected word for each field.
fn fields(column: &str, cell: &str) -> Vec<(Field, String)> {
    let custody = Field::new(Class::Intake, Part::Custody).unwrap();
    if column == "custody" {
        return vec![(custody, cell.to_owned())];
    }
    let class: Class = if column == "medical" { "secret.medical" } else { column }
        .parse()
        .unwrap();
    let words: Vec<&str> = cell.split('/').collect();
    let expected = |part: Part| match (part, words.as_slice()) {
        (_, [one]) => (*one).to_owned(),
        (Part::Lines, [first, _] | [first, _, _]) | (Part::Trajectories, [first, _, _]) => (*first).to_owned(),
        (Part::Emergencies | Part::Holds, [_, second]) | (Part::Emergencies | Part::Entries, [_, second, _]) => {
            (*second).to_owned()
        }
        (_, [_, _, third]) => (*third).to_owned(),
        _ => panic!("`{cell}` has one word, two or three"),
    };
    let of_class = Field::all().filter(|field| field.class() == class && *field != custody);
    of_class.map(|field| (field, expected(field.part()))).collect()
}

/// The table under a heading: per persona its cells, by column.
fn table(heading: &str) -> (Vec<&'static str>, BTreeMap<&'static str, Vec<&'static str>>) {
    let mut lines = TABLE
        .lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| !line.starts_with('#'))
        .filter(|line| !line.is_empty());
    let columns: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    let mut rows = BTreeMap::new();
    for line in lines {
        let mut cells = line.split_whitespace();
        let name = cells.next().unwrap();
        let cells: Vec<&str> = cells.collect();
        assert_eq!(cells.len(), columns.len(), "`{name}` has a cell for each column");
        assert!(rows.insert(name, cells).is_none(), "`{name}` stands there twice");
    }
    (columns, rows)
}

fn compare(heading: &str, of: impl Fn(&str, &str) -> Vec<(Asked, String)>) -> BTreeSet<String> {
    let (columns, mut rows) = table(heading);
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for persona in personas() {
        let cells = rows
            .remove(persona.name)
            .unwrap_or_else(|| panic!("`{}` has no row in the table", persona.name));
        for (column, cell) in columns.iter().zip(cells) {
            for (asked, expected) in of(column, cell) {
                seen.insert(asked.to_string());
                let decided = word(&persona.explain(asked).verdict);
                if decided != expected {
                    wrong.push(format!(
                        "{} {asked}: the table says {expected}, the policy {decided}",
                        persona.name
                    ));
                }
            }
        }
    }
    assert!(rows.is_empty(), "rows of nobody: {:?}", rows.keys());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    seen
}

#[test]
fn every_cell_of_reading_is_as_written_by_hand() {
    let seen = compare("READING", |column, cell| {
        let each = fields(column, cell).into_iter();
        each.map(|(field, word)| (Asked::Read(field), word)).collect()
    });
    let all: BTreeSet<String> = Field::all().map(|field| Asked::Read(field).to_string()).collect();
    assert_eq!(seen, all, "each field has a column");
}

#[test]
fn every_cell_of_doing_is_as_written_by_hand() {
    let seen = compare("STEPS", |column, cell| {
        let each = steps(column).into_iter();
        each.map(|(step, class)| (Asked::Do(step, class), cell.to_owned()))
            .collect()
    });
    for step in Step::ALL {
        let named = seen.iter().any(|asked| asked.starts_with(&format!("{step} ")));
        assert!(named, "`{step}` has no column");
    }
}

/// A field that nobody may read would pass every test that only looks for leaks.
#[test]
fn somebody_reads_each_field_and_does_each_step() {
    let personas = personas();
    let granted = |asked: Asked| {
        let mut each = personas.iter();
        each.any(|persona| matches!(persona.explain(asked).verdict, Verdict::Granted(_)))
    };
    for field in Field::all() {
        assert!(granted(Asked::Read(field)), "{field}");
    }
    for step in Step::ALL {
        let class = match step {
            Step::RequestGuidance => Class::Case,
            Step::AnswerGuidance | Step::FollowRequest | Step::ObjectToTransfer | Step::RecordObjection => {
                Class::Intake
            }
            Step::ReviewLog | Step::PutHold | Step::LiftHold => Class::Audit,
            _ => Class::Learning,
        };
        assert!(granted(Asked::Do(*step, class)), "{step}");
    }
}

/// Denials stand before grants, each rule has a ground, and names are told apart.
#[test]
fn the_rules_can_be_read_from_the_top() {
    let first_grant = RULES
        .iter()
        .position(|rule| matches!(rule.says, Says::Grant(_)))
        .unwrap();
    let denies = |rule: &&super::Rule| !matches!(rule.says, Says::Grant(_));
    assert_eq!(
        RULES.iter().skip(first_grant).filter(denies).count(),
        0,
        "a denial wins"
    );
    let names: BTreeSet<&str> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), RULES.len());
    for rule in RULES {
        assert!(rule.sentence.ends_with('.') && !rule.ground.is_empty(), "{}", rule.name);
    }
}

/// Each rule decides something: one that never does is text.
#[test]
fn each_rule_decides_somewhere() {
    let everything: Vec<Asked> = Field::all()
        .map(Asked::Read)
        .chain(
            Step::ALL
                .iter()
                .flat_map(|step| Class::ALL.iter().map(|class| Asked::Do(*step, *class))),
        )
        .collect();
    let decided: BTreeSet<&str> = personas()
        .iter()
        .flat_map(|persona| everything.iter().map(|asked| persona.explain(*asked)))
        .filter_map(|explained| explained.by.map(|rule| rule.name))
        .collect();
    let all: BTreeSet<&str> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(decided, all);
}

/// `canAsk` is no empty promise: who is told so may ask, and who is not may not.
#[test]
fn who_is_told_to_ask_may_ask() {
    for persona in personas() {
        // Of what was released to a school a colleague asks the team too.
        let of_team = |field: &Field| field.class() == Class::Shared && persona.viewer.role == Role::ClbWorker;
        for field in Field::all().filter(|field| field.class().is_secret() || of_team(field)) {
            let Verdict::Withheld(why) = persona.explain(Asked::Read(field)).verdict else {
                continue;
            };
            if matches!(why.code(), Code::NeedsPurpose | Code::NeedsStepUp) {
                assert!(
                    !why.can_ask(),
                    "{} {field}: it is in the viewer's own hand",
                    persona.name
                );
                continue;
            }
            let asked = persona.explain(Asked::Do(Step::AskAccess, field.class())).verdict;
            let may = matches!(asked, Verdict::Granted(_));
            assert_eq!(may, why.can_ask(), "{} {field}", persona.name);
        }
    }
}

/// What one asks for is under secrecy, or was released to a school and a colleague asks; for anything else nobody can ask.
#[test]
fn access_is_asked_to_what_is_withheld_alone() {
    for persona in personas() {
        for class in [Class::Case, Class::Audit, Class::Shared] {
            let asked = persona.explain(Asked::Do(Step::AskAccess, class)).verdict;
            let may = persona.viewer.role == Role::ClbWorker && class == Class::Shared;
            assert!(may || !matches!(asked, Verdict::Granted(_)), "{} {class}", persona.name);
        }
    }
}

/// What `policy explain` shows is how it was decided: every rule that was read, and the last of them applied.
#[test]
fn what_is_explained_is_what_decided() {
    for persona in personas() {
        for asked in Field::all().map(Asked::Read) {
            let read = persona.read(asked);
            let applied: Vec<&str> = read
                .iter()
                .filter(|(_, applies)| *applies)
                .map(|(rule, _)| rule.name)
                .collect();
            let by = persona.explain(asked).by.map(|rule| rule.name);
            assert_eq!(applied, by.into_iter().collect::<Vec<_>>(), "{} {asked}", persona.name);
            let names: Vec<&str> = read.iter().map(|(rule, _)| rule.name).collect();
            let all: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
            let until = by.map_or(all.len(), |by| all.iter().position(|name| *name == by).unwrap() + 1);
            assert_eq!(names, all[..until], "{} {asked}", persona.name);
        }
    }
}

/// Nobody of a school, nobody outside: whatever the relation, no secret class is ever named as withheld.
#[test]
fn a_school_cannot_even_name_a_secret() {
    let outside = |persona: &&Persona| {
        let role = persona.viewer.role;
        matches!(
            role,
            Role::SchoolClient
                | Role::SchoolCareTeam
                | Role::SchoolDataManager
                | Role::ClbChatWorker
                | Role::Operator
                | Role::DataProtectionOfficer
        )
    };
    let personas = personas();
    let outside: Vec<&Persona> = personas.iter().filter(outside).collect();
    assert!(outside.len() > 6);
    for persona in outside {
        for field in Field::all().filter(|field| field.class().is_secret()) {
            assert_eq!(
                persona.explain(Asked::Read(field)).verdict,
                Verdict::Nothing,
                "{} {field}",
                persona.name
            );
        }
    }
}

/// A team reads its own trajectories; health data of any trajectory are one part.
#[test]
fn a_team_reads_its_own_trajectories() {
    let all = personas();
    let rows = |name: &str, class, part| {
        let persona = all.iter().find(|persona| persona.name == name).unwrap();
        match persona.explain(Asked::Read(Field::new(class, part).unwrap())).verdict {
            Verdict::Granted(grant) => grant.rows().clone(),
            other => panic!("{name}: {other:?}"),
        }
    };
    for part in [Part::Trajectories, Part::Entries, Part::Reports] {
        assert!(matches!(rows("team_learning", Class::Learning, part), Rows::Of(own) if own.len() == 1));
    }
    assert!(matches!(rows("team_learning", Class::Shared, Part::Releases), Rows::Of(own) if own.len() == 1));
    assert_eq!(rows("doctor_team_learning", Class::Medical, Part::Entries), Rows::All);
    assert_eq!(rows("director", Class::Wellbeing, Part::Trajectories), Rows::All);
    // A person reads what was opened, and nothing else of the class.
    for (name, class) in [
        ("pupil_15_opened", Class::Learning),
        ("pupil_15_opened_by_doctor", Class::Medical),
        ("parent_of_11_opened", Class::Learning),
        ("parent_of_15_opened", Class::Learning),
        ("parent_of_15_pupil_consents", Class::Learning),
        // So does a colleague to whom it was lent.
        ("lent_learning", Class::Learning),
        ("lent_medical", Class::Medical),
    ] {
        let rows = rows(name, class, Part::Entries);
        assert!(matches!(&rows, Rows::Of(own) if own.len() == 1), "{name}: {rows:?}");
    }
}

/// Domain facts §4.4, row by row: which entries are there for whom.
#[test]
fn closed_entries_are_not_there_for_the_person() {
    use ClosedGround::{Agogic, Court, ThirdPartyConfidential, ThirdPartyOnly};
    let entry = |about, about_the_viewer, closed: &[ClosedGround]| EntryFacts {
        about,
        about_the_viewer,
        closed: closed.iter().copied().collect::<ClosedGrounds>(),
    };
    let there = |facts: EntryFacts| {
        let readers = [
            Reader::Team,
            Reader::Urgency,
            Reader::Pupil,
            Reader::Parent,
            Reader::ParentOfSelf,
        ];
        readers.map(|reader| facts.is_there_for(reader))
    };
    //                                                                  team   urgency pupil parent of self
    assert_eq!(there(entry(About::Pupil, false, &[])), [true, true, true, true, false]);
    // Who lives with the pupil is context, thus open to the pupil; a parent reads of that parent alone.
    assert_eq!(
        there(entry(About::Context, false, &[])),
        [true, true, true, false, false]
    );
    assert_eq!(there(entry(About::Context, true, &[])), [true, true, true, true, true]);
    assert_eq!(
        there(entry(About::ThirdParty, false, &[])),
        [true, true, false, false, false]
    );
    for closed in [ThirdPartyOnly, Court, Agogic] {
        assert_eq!(
            there(entry(About::Pupil, false, &[closed])),
            [true, true, false, false, false],
            "{closed}"
        );
        assert_eq!(
            there(entry(About::Context, true, &[closed])),
            [true, true, false, false, false],
            "{closed}"
        );
    }
    let confidential = [ThirdPartyConfidential];
    assert_eq!(
        there(entry(About::Pupil, false, &confidential)),
        [true, false, false, false, false]
    );
    assert_eq!(
        there(entry(About::Pupil, false, &[Court, ThirdPartyConfidential])),
        [true, false, false, false, false]
    );
    // A colleague to whom it was opened reads as in an emergency: never what a third person asked to keep confidential.
    assert!(entry(About::Pupil, false, &[Court]).is_there_for(Reader::Lent));
    assert!(!entry(About::Pupil, false, &confidential).is_there_for(Reader::Lent));
    for reader in [
        Reader::Anchor,
        Reader::Planner,
        Reader::School,
        Reader::Officer,
        Reader::Responsible,
        Reader::Person,
        Reader::Published,
        Reader::Asker,
    ] {
        assert!(!entry(About::Pupil, true, &[]).is_there_for(reader), "{reader}");
    }
}

/// What `clb-hub policy matrix` prints is committed, so that a change of the policy is read as a text.
#[test]
fn the_committed_tables_are_the_policy() {
    insta::assert_snapshot!(tables());
}

/// The batch decides for the viewer whose row holds now; for anybody else there is nothing, whatever the ties say.
#[test]
fn a_batch_decides_for_the_row_that_holds() {
    let pupils = [PupilId(Uuid::from_u128(1)), PupilId(Uuid::from_u128(2))];
    let trajectory = TrajectoryId(Uuid::from_u128(3));
    let since = Period {
        begins: day("2026-09-01"),
        ends: None,
    };
    let mut ours = TieRows::none();
    ours.competent.push(since);
    ours.places.push(Place {
        trajectory,
        domain: Domain::Learning,
        period: since,
    });
    let ties = [
        Ties::of_rows(pupils[0], ours),
        Ties::of_rows(pupils[1], TieRows::none()),
    ];
    let entries = Field::new(Class::Learning, Part::Entries).unwrap();
    let asked = [
        Asked::Read(entries),
        Asked::Read(Field::new(Class::Career, Part::Entries).unwrap()),
    ];
    let row = principal::Model {
        id: PrincipalId(Uuid::from_u128(0xa1)),
        issuer: "https://issuer.example".to_owned(),
        subject: "subject".to_owned(),
        role: Role::ClbWorker,
        school_id: None,
        clb_id: Some(ClbId(Uuid::from_u128(0xc1))),
        pupil_id: None,
        discipline: Some(Discipline::Psychologist),
        begins_at: at("2026-09-01T00:00:00Z"),
        ends_at: Some(at("2026-12-24T11:00:00Z")),
    };
    let asks = |row: Option<principal::Model>, role, now: &str| {
        let actor = Actor::Principal {
            id: PrincipalId(Uuid::from_u128(0xa1)),
            role,
            school: None,
            clb: None,
            pupil: None,
        };
        let operation = Operation {
            actor,
            purpose: Some(Purpose::Guidance),
            now: at(now),
            request: Uuid::nil(),
        };
        (operation, Relations::of_rows(row, Vec::<agreement::Binding>::new()))
    };
    let decide = |row: Option<principal::Model>, role, now: &str| {
        let (operation, relations) = asks(row, role, now);
        // What its line keeps of it: nothing of who decides nothing.
        let facts = Facts::of(&operation, &relations, &ties[0]).map(|facts| facts.to_string());
        (decide_batch(&operation, &relations, true, &ties, &asked), facts)
    };
    let (decided, facts) = decide(Some(row.clone()), Role::ClbWorker, "2026-10-07T10:00:00Z");
    let kept = "decides=unknown discipline=psychologist competent place=learning";
    assert_eq!(facts.as_deref(), Some(kept));
    let words: Vec<Vec<&str>> = decided.iter().map(|of| of.iter().map(word).collect()).collect();
    assert_eq!(words, [["team", "!team?"], ["-", "-"]]);
    let Verdict::Granted(grant) = &decided[0][0] else {
        panic!("not granted")
    };
    assert_eq!((grant.pupil(), grant.viewer()), (pupils[0], row.id));
    assert_eq!(
        (grant.field(), grant.reader(), grant.rule()),
        (Some(entries), Reader::Team, "team")
    );
    assert_eq!(*grant.rows(), Rows::Of(vec![trajectory]));
    let another = TrajectoryId(Uuid::from_u128(4));
    assert!(grant.reaches(trajectory) && !grant.reaches(another));

    let nothing = (vec![vec![Verdict::Nothing; 2]; 2], None);
    assert_eq!(decide(None, Role::ClbWorker, "2026-10-07T10:00:00Z"), nothing);
    assert_eq!(
        decide(Some(row.clone()), Role::ClbWorker, "2026-12-24T11:00:00Z"),
        nothing
    );
    assert_eq!(decide(Some(row), Role::ClbDirector, "2026-10-07T10:00:00Z"), nothing);
}
