//! Keys by which sources name pupils: where one is a national number, an index stands in its place.

use std::path::Path;

use clb_hub::sync::files::AbsenceFile;
use clb_hub::sync::push::{Named, Pushed, PushedAbsence};
use clb_hub::sync::{Source, Sync};
use hub_connectors::absences::{AbsenceFormat, ColumnMap, PupilKey};
use hub_connectors::roster::{ClassRow, Complete, MembershipRow, Roster, Status};
use hub_entities::category::Categories;
use hub_entities::delivery::{Outcome, Why};
use hub_entities::operation::Role;
use hub_entities::policy::Action;
use hub_entities::source::{KeyKind, RunState, connection};
use hub_entities::time::SchoolYear;
use sea_orm::EntityTrait as _;

use super::{Written, dotted, roster, telling, told_of};
use crate::support::database::both_databases;
use crate::support::door::Hub;
use crate::support::look::number;
use crate::support::region::sync;
use crate::support::world::{World, am};

/// A system that takes the number for a key: of the pupil itself, of the register, or of whom it has no pupil.
const AS_KEY: &str = "41050101309";
const AS_REGISTER: &str = "41050101408";
const AS_NOBODY: &str = "41050101606";
const AS_CALLED: &str = "41050101705";

/// What a school's software says of a pupil by its own key.
fn absent(pupil: &str) -> PushedAbsence {
    PushedAbsence {
        pupil: pupil.to_owned(),
        at: am("2026-09-01"),
        code: "B".to_owned(),
        deleted: false,
    }
}

fn named(key: &str) -> Named {
    Named {
        key: key.to_owned(),
        institution_number: "123456".to_owned(),
    }
}

/// A pupil with this key, whose number in the register is that; in a class.
fn keyed(key: &str, register: &str) -> Roster {
    let mut roster = roster(0..1, &[]);
    let pupil = &mut roster.pupils[0];
    pupil.source_key = key.to_owned();
    pupil.identifier = Some(register.to_owned());
    pupil.user_ids = vec![("stamnummer".to_owned(), register.to_owned())];
    roster.classes = vec![ClassRow {
        source_key: "k".to_owned(),
        school_key: "s".to_owned(),
        title: "1A".to_owned(),
        code: None,
        grade: Some("07".to_owned()),
        school_year: Some(SchoolYear(2026)),
        homeroom: true,
        status: Status::default(),
    }];
    roster.memberships = vec![MembershipRow {
        // As the connector of Smartschool names it.
        source_key: format!("{key}/k"),
        class_key: "k".to_owned(),
        school_key: "s".to_owned(),
        pupil_key: key.to_owned(),
        begins: None,
        ends: None,
        status: Status::default(),
    }];
    roster
}

/// The half-days of a file, by this number of a pupil.
fn by(key: PupilKey, folder: &Path, name: &str, pupils: &[&str]) -> AbsenceFile {
    let rows: Vec<String> = pupils
        .iter()
        .map(|pupil| format!("{pupil},2026-09-03,AM,B\r\n"))
        .collect();
    let path = folder.join(name);
    std::fs::write(&path, format!("pupil,date,part,code\r\n{}", rows.concat())).unwrap();
    let map = ColumnMap {
        key,
        ..ColumnMap::default()
    };
    AbsenceFile::new(path, AbsenceFormat::Csv(Box::new(map))).unwrap()
}

// A key that is a number is not written either: an index stands in its place, and the same key in files of absences, in numbers
// carried in, in calls and in questions still finds the pupil, however it is spelled.
both_databases!(
    a_key_that_is_a_number_is_not_written,
    async |database: &TestDatabase| {
        let world = World::new(database, "2026-10-01T10:00:00Z").await;
        let clb = world.clb("114711").await;
        let school = world.school("123456", clb, Categories::all()).await;
        let source = Source {
            id: school.source,
            school: school.id,
        };
        let client = world.someone(Role::SchoolClient, Some(school.id), None).await;
        let scope = world.decided(client, Action::SubmitAbsences).await;
        let connections = connection::Entity::find().all(&world.look).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let here = sync(&world);
        here.roster(source, "s", keyed(AS_KEY, AS_REGISTER), vec![1; 32])
            .await
            .unwrap();
        // By each of its numbers; and of one whom no roster names.
        for (key, name, pupils) in [
            (PupilKey::SourcedId, "a.csv", &[dotted(AS_KEY).as_str(), AS_NOBODY][..]),
            (PupilKey::Stamnummer, "b.csv", &[AS_REGISTER]),
            (PupilKey::Identifier, "c.csv", &[AS_REGISTER]),
        ] {
            let mut file = by(key, folder.path(), name, pupils);
            let run = here.absences(source, &connections[0], &mut file).await.unwrap();
            assert_eq!(
                (run.found, run.named),
                (Some(1), i64::try_from(pupils.len()).ok()),
                "{name}"
            );
        }
        let carried = folder.path().join("carried.csv");
        let lines = format!("pupil,halfDays,begins,former\r\n{AS_KEY},3,2026-09-14,\r\n");
        std::fs::write(&carried, lines).unwrap();
        let run = here.carried_file(source, &carried).await.unwrap();
        assert_eq!((run.found, run.named), (Some(1), Some(1)));
        let rows = [absent(AS_KEY), absent(AS_CALLED)];
        let pushed = here
            .push_absences(&scope, &named("call"), KeyKind::SourceKey, &rows)
            .await;
        let Ok(Pushed::Answered(_, _, told)) = pushed else {
            panic!("not answered")
        };
        let outcomes: Vec<Outcome> = told.iter().map(|one| one.outcome).collect();
        assert_eq!(outcomes, [Outcome::Accepted, Outcome::Quarantined]);
        // One record, with two half-days and a number carried in; its place in the class; and what waits.
        for (expected, text) in [
            (1, "select count(*) from record"),
            (2, "select count(*) from absence"),
            (3, "select sum(half_days) from carried_in"),
            (
                1,
                "select count(*) from membership m join record r on r.id = m.record_id",
            ),
            (2, "select count(*) from quarantine where resolved_at is null"),
            (2, "select count(*) from delivery"),
        ] {
            assert_eq!(
                number(
                    &world.look,
                    &text.replace("sum(half_days)", "cast(sum(half_days) as bigint)")
                )
                .await,
                expected,
                "{text}"
            );
        }
        let place = format!(
            "select count(*) from membership where source_key = '{}'",
            here.record_key(&format!("{AS_KEY}/k"))
        );
        assert_eq!(number(&world.look, &place).await, 1);
        // The same roster again is no news, and the sender finds what became of its records by its own keys.
        let again = here
            .roster(source, "s", keyed(&dotted(AS_KEY), AS_REGISTER), vec![2; 32])
            .await
            .unwrap();
        assert_eq!((again.changed, again.ended), (0, 0));
        let of_record = format!("{AS_CALLED}/2026-09-01/AM");
        for asked in [here.record_key(&of_record), here.record_key(AS_KEY)] {
            assert!(asked.starts_with("nn-"), "{asked}");
            let kept = format!("select count(*) from delivery where record_key = '{asked}' or pupil_key = '{asked}'");
            assert_eq!(number(&world.look, &kept).await, 1, "{asked}");
        }

        let written = Written::of(database, &world.look).await;
        assert!(written.finds("nn-").is_some(), "no index is anywhere");
        for digits in [AS_KEY, AS_REGISTER, AS_NOBODY, AS_CALLED] {
            for part in telling(digits) {
                assert_eq!(written.finds(&part), None, "{digits} is written as {part:?}");
            }
        }
    }
);

// Where no key is configured for an index, nothing can stand in its place: such rows are left out, and the school is told.
both_databases!(
    without_an_index_such_a_key_is_refused,
    async |database: &TestDatabase| {
        let world = World::new(database, "2026-10-01T10:00:00Z").await;
        let clb = world.clb("114711").await;
        let school = world.school("123456", clb, Categories::all()).await;
        let source = Source {
            id: school.source,
            school: school.id,
        };
        let client = world.someone(Role::SchoolClient, Some(school.id), None).await;
        let scope = world.decided(client, Action::SubmitAbsences).await;
        let connections = connection::Entity::find().all(&world.look).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let without = Sync {
            national_numbers: None,
            ..sync(&world)
        };
        let mut whole = keyed(AS_KEY, "2600001");
        let other = keyed("h1", AS_REGISTER);
        whole.pupils.extend(other.pupils);
        without.roster(source, "s", whole, vec![1; 32]).await.unwrap();
        let mut file = by(PupilKey::SourcedId, folder.path(), "a.csv", &[AS_KEY, "h1"]);
        let run = without.absences(source, &connections[0], &mut file).await.unwrap();
        assert_eq!((run.found, run.named), (Some(1), Some(1)));
        let carried = folder.path().join("carried.csv");
        std::fs::write(&carried, format!("pupil,halfDays,begins\r\n{AS_KEY},3,2026-09-14\r\n")).unwrap();
        without.carried_file(source, &carried).await.unwrap();
        let rows = [absent(AS_CALLED), absent("h1")];
        let pushed = without
            .push_absences(&scope, &named("call"), KeyKind::SourceKey, &rows)
            .await;
        let Ok(Pushed::Answered(_, _, told)) = pushed else {
            panic!("not answered")
        };
        let outcomes: Vec<_> = told.iter().map(|one| (one.outcome, one.why)).collect();
        assert_eq!(
            outcomes,
            [(Outcome::Refused, Some(Why::Key)), (Outcome::Accepted, None)]
        );
        assert_eq!(number(&world.look, "select count(*) from record").await, 1);
        assert_eq!(number(&world.look, "select count(*) from quarantine").await, 0);
        assert_eq!(number(&world.look, "select count(*) from delivery").await, 1);

        let written = Written::of(database, &world.look).await;
        for digits in [AS_KEY, AS_REGISTER, AS_CALLED] {
            for part in telling(digits) {
                assert_eq!(written.finds(&part), None, "{digits} is written as {part:?}");
            }
        }
        let manager = world.someone(Role::SchoolDataManager, Some(school.id), None).await;
        let hub = Hub::over(world);
        let gap = |what: &str, rows| (format!("{what}.national_number_as_key"), String::new(), rows);
        // The pupil, its place in the class, and two numbers of the other one.
        let expected = [gap("absence", 1), gap("carriedin", 1), gap("roster", 4)];
        assert_eq!(told_of(&hub, &manager).await, expected);
    }
);

// Who was left out because of a key is not gone, and whoever else is missing is not gone either.
both_databases!(a_read_that_lost_a_key_ends_nobody, async |database: &TestDatabase| {
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    let clb = world.clb("114711").await;
    let school = world.school("123456", clb, Categories::all()).await;
    let source = Source {
        id: school.source,
        school: school.id,
    };
    let without = Sync {
        national_numbers: None,
        ..sync(&world)
    };
    let whole = |keys: &[(&str, &str)]| {
        let mut whole = keyed("h1", "2600001");
        whole
            .pupils
            .extend(keys.iter().flat_map(|(key, register)| keyed(key, register).pupils));
        whole.complete = Complete {
            pupils: true,
            classes: true,
            memberships: true,
        };
        whole
    };
    let known = whole(&[("h2", "2600002")]);
    without.roster(source, "s", known, vec![1; 32]).await.unwrap();
    let lost = whole(&[(AS_KEY, "2600003")]);
    let run = without.roster(source, "s", lost, vec![2; 32]).await.unwrap();
    assert_eq!((run.state, run.ended), (RunState::Done, 0));
    let enrolled = "select count(*) from enrolment where ends_on is null";
    assert_eq!(number(&world.look, enrolled).await, 2);
});
