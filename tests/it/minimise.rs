//! Not agreed is not stored: without `attendance`, no code but B is anywhere in the database, and without `address` and
//! `language` nothing of where and how a pupil lives is (design §3).

use clb_hub::demo::schools::{Level, SchoolPlan, Shape};
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::absence::mark::Mark;
use hub_entities::category::{Categories, Category};
use hub_entities::id::RecordId;
use hub_entities::time::HalfDay;
use sea_orm::DatabaseConnection;

use crate::support::database::{TestDatabase, both_databases};
use crate::support::look::{everything, number, standing};
use crate::support::region::Region;
use crate::support::schema::columns;
use crate::support::world::{World, am, at, born, pm};

const B: Reading = Reading::Absent(Code::B);

/// In how many rows of each table that has marks one of these stands.
async fn rows_with(database: &TestDatabase, look: &DatabaseConnection, codes: &[Code]) -> Vec<(String, i64)> {
    let marks: Vec<String> = codes
        .iter()
        .map(|code| Mark::Code(*code).to_i16().to_string())
        .collect();
    let mut found = Vec::new();
    for (table, columns) in columns(database).await {
        if columns.contains("mark") {
            let text = format!("select count(*) from {table} where mark in ({})", marks.join(", "));
            found.push((table, number(look, &text).await));
        }
    }
    found
}

fn others() -> Vec<Code> {
    Code::ALL.into_iter().filter(|code| *code != Code::B).collect()
}

/// Every code on a half-day of its own, then over a B, over an unresolved half-day, and back.
fn history(record: RecordId) -> Vec<Vec<(RecordId, HalfDay, Reading)>> {
    let days = [
        "2026-09-03",
        "2026-09-04",
        "2026-09-07",
        "2026-09-08",
        "2026-09-10",
        "2026-09-11",
        "2026-09-14",
        "2026-09-15",
    ];
    let codes = others();
    let on = |reading: fn(Code) -> Reading| -> Vec<_> {
        let each = codes.iter().zip(days);
        each.flat_map(|(code, day)| {
            [
                (record, am(day), reading(*code)),
                (record, pm(day), Reading::Absent(*code)),
            ]
        })
        .collect()
    };
    vec![
        on(Reading::Absent),
        on(|_| B),
        on(Reading::Absent),
        on(|_| Reading::Unresolved),
        on(Reading::Absent),
        on(|_| Reading::Present),
        on(Reading::Absent),
    ]
}

both_databases!(
    without_attendance_no_other_code_is_stored,
    async |database: &TestDatabase| {
        let world = World::new(database, "2026-10-01T10:00:00Z").await;
        let clb = world.clb("114711").await;
        let school = world.school("123456", clb, Categories::default_agreement()).await;
        let (record, pupil) = world.pupils(school, &[("a", born("2012-05-01"))]).await[0];
        for said in history(record) {
            world.say(school, &said).await;
            for (table, rows) in rows_with(database, &world.look, &others()).await {
                assert_eq!(rows, 0, "{table} knows why a pupil was absent");
            }
        }
        // The eight B were seen, and went when they were corrected: the signal all the same.
        assert_eq!(number(&world.look, "select count(*) from signal").await, 1);
        assert_eq!(standing(&world.look, pupil).await, []);
        let no_longer = format!("select count(*) from absence where mark = {}", Mark::NoLongerB.to_i16());
        assert_eq!(number(&world.look, &no_longer).await, 8);
    }
);

// The control: where attendance is agreed, the same search finds the codes in every one of these tables.
both_databases!(with_attendance_every_code_is_stored, async |database: &TestDatabase| {
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    let clb = world.clb("114711").await;
    let school = world.school("123456", clb, Categories::all()).await;
    let (record, _) = world.pupils(school, &[("a", born("2012-05-01"))]).await[0];
    for said in history(record) {
        world.say(school, &said).await;
    }
    let found = rows_with(database, &world.look, &others()).await;
    let tables: Vec<&str> = found.iter().map(|one| one.0.as_str()).collect();
    assert_eq!(tables, ["absence", "absence_count", "absence_revision"]);
    assert!(found.iter().all(|one| one.1 > 0), "{found:?}");
});

// Narrowed: what is stored waits for the purge, but a correction writes no new copy of what is agreed no more.
both_databases!(
    a_correction_after_narrowing_copies_no_code,
    async |database: &TestDatabase| {
        let mut world = World::new(database, "2026-10-01T10:00:00Z").await;
        let clb = world.clb("114711").await;
        let school = world.school("123456", clb, Categories::all()).await;
        let (record, _) = world.pupils(school, &[("a", born("2012-05-01"))]).await[0];
        let z = Reading::Absent(Code::Z);
        world
            .say(school, &[(record, am("2026-09-03"), z), (record, pm("2026-09-03"), B)])
            .await;
        world
            .signed(school, clb, Categories::default_agreement(), "2026-10-05")
            .await;
        world.now = at("2026-10-06T10:00:00Z");
        world
            .say(school, &[(record, am("2026-09-03"), B), (record, pm("2026-09-03"), z)])
            .await;
        for (table, rows) in rows_with(database, &world.look, &others()).await {
            assert_eq!(rows, 0, "{table} knows why a pupil was absent");
        }
        assert_eq!(
            number(&world.look, "select count(*) from absence_revision").await,
            1,
            "the B that was"
        );
    }
);

/// Two schools that send the same columns: the first agreed on neither address nor language, the second on both.
fn two_schools() -> Shape {
    let plan = SchoolPlan {
        level: Level::Basis,
        pupils: 30,
        classes: 6,
    };
    Shape {
        clbs: 1,
        schools: vec![plan, plan],
        movers_per_mille: 0,
        arrivals_per_mille: 0,
        ..Shape::demo()
    }
}

both_databases!(
    homes_and_languages_are_stored_where_agreed,
    async |database: &TestDatabase| {
        let world = World::new(database, "2026-10-01T10:00:00Z").await;
        let region = Region::agreeing(
            &world,
            two_schools(),
            3,
            |_, _| Vec::new(),
            |place| match place {
                0 => Categories::default_agreement().without(Categories::NONE.with(Category::Address)),
                _ => Categories::default_agreement().with(Category::Language),
            },
        )
        .await;
        let homes = |place: usize| -> Vec<String> {
            let pupils = region.population.pupils_of(place);
            pupils.map(|(pupil, _)| pupil.street.clone()).collect()
        };

        let run = region.roster(0).await;
        assert_eq!(
            run.dropped,
            serde_json::json!(["address", "language", "nationalNumber"])
        );
        assert_eq!(number(&world.look, "select count(*) from record").await, 30);
        let kept = "select count(*) from record where street is not null or postal_code is not null
            or city is not null or language is not null";
        assert_eq!(number(&world.look, kept).await, 0);
        // In no column of any table.
        let stored = format!("{:?}", everything(database, &world.look).await);
        for home in homes(0) {
            assert!(!stored.contains(&home), "{home} is stored");
        }

        // The control: the same columns, agreed.
        let run = region.roster(1).await;
        assert_eq!(run.dropped, serde_json::json!(["nationalNumber"]));
        let kept = "select count(*) from record where street is not null and postal_code is not null
            and city is not null and language is not null";
        assert_eq!(number(&world.look, kept).await, 30);
        let stored = format!("{:?}", everything(database, &world.look).await);
        for home in homes(1) {
            assert!(stored.contains(&home), "{home} is not stored");
        }
    }
);
