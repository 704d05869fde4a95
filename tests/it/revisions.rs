//! Provenance: what stood there before a correction, which run replaced it, and when.

use chrono::{DateTime, Utc};
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::absence::mark::Mark;
use hub_entities::category::Categories;
use hub_entities::id::RunId;
use hub_entities::ledger::{absence, revision};
use sea_orm::{DatabaseConnection, EntityTrait, QueryOrder};

use crate::support::database::both_databases;
use crate::support::look::{list, number};
use crate::support::world::{World, am, at, born};

const B: Reading = Reading::Absent(Code::B);
const Z: Reading = Reading::Absent(Code::Z);

/// The runs that had brought the former states, in their order.
async fn brought_by(look: &DatabaseConnection) -> Vec<Option<RunId>> {
    let found = revision::Entity::find().order_by_asc(revision::Column::EndedAt);
    let found = found.all(look).await.unwrap();
    found.into_iter().map(|one| one.brought_by).collect()
}

/// Former states in their order: revision, mark, the run that replaced it, when.
async fn former(look: &DatabaseConnection) -> Vec<(i32, i16, RunId, DateTime<Utc>)> {
    let found = revision::Entity::find().order_by_asc(revision::Column::EndedAt);
    let found = found.all(look).await.unwrap();
    found
        .into_iter()
        .map(|one| (one.revision, one.mark, one.run_id, one.ended_at))
        .collect()
}

/// What stands there now: revision, mark, the run that said so.
async fn now(look: &DatabaseConnection) -> Vec<(i32, i16, RunId)> {
    let found = absence::Entity::find().all(look).await.unwrap();
    found
        .into_iter()
        .map(|one| (one.revision, one.mark, one.run_id))
        .collect()
}

async fn last_run(look: &DatabaseConnection) -> RunId {
    list(look, "select id from sync_run order by started_at desc").await[0]
}

both_databases!(a_correction_keeps_what_stood_there, async |database: &TestDatabase| {
    let mut world = World::new(database, "2026-10-01T10:00:00Z").await;
    let clb = world.clb("114711").await;
    let school = world.school("123456", clb, Categories::all()).await;
    let (record, _) = world.pupils(school, &[("a", born("2012-05-01"))]).await[0];
    let (b, z) = (Mark::Code(Code::B).to_i16(), Mark::Code(Code::Z).to_i16());
    let mut runs = Vec::new();
    let mut times = Vec::new();
    for (hour, reading) in [(11, B), (12, Z), (13, Z), (14, B), (15, Reading::Unresolved)] {
        world.now = at(&format!("2026-10-01T{hour}:00:00Z"));
        world.say(school, &[(record, am("2026-09-03"), reading)]).await;
        runs.push(last_run(&world.look).await);
        times.push(world.now);
    }
    // The third run said what stood there already: it left no trace of its own.
    let expected = [
        (1, b, runs[1], times[1]),
        (2, z, runs[3], times[3]),
        (3, b, runs[4], times[4]),
    ];
    assert_eq!(former(&world.look).await, expected);
    assert_eq!(brought_by(&world.look).await, [0, 1, 3].map(|run| Some(runs[run])));
    assert_eq!(now(&world.look).await, [(4, Mark::Unresolved.to_i16(), runs[4])]);
    // The numbers beside the rows count what stands there, and no former state.
    let counts = "select count(*) from absence_count where half_days <> case mark when 20 then 1 else 0 end";
    assert_eq!(number(&world.look, counts).await, 0);
});

both_databases!(a_deletion_keeps_what_stood_there, async |database: &TestDatabase| {
    let mut world = World::new(database, "2026-10-01T10:00:00Z").await;
    let clb = world.clb("114711").await;
    let school = world.school("123456", clb, Categories::all()).await;
    let (record, _) = world.pupils(school, &[("a", born("2012-05-01"))]).await[0];
    let z = Mark::Code(Code::Z).to_i16();
    world.say(school, &[(record, am("2026-09-03"), Z)]).await;
    world.now = at("2026-10-01T11:00:00Z");
    world.say(school, &[(record, am("2026-09-03"), Reading::Present)]).await;
    let removed = last_run(&world.look).await;
    assert_eq!(now(&world.look).await, []);
    assert_eq!(former(&world.look).await, [(1, z, removed, world.now)]);
    assert_eq!(number(&world.look, "select count(*) from absence_count").await, 0);

    // Said again, and deleted again: both deletions are known.
    world.now = at("2026-10-01T12:00:00Z");
    world.say(school, &[(record, am("2026-09-03"), Z)]).await;
    world.now = at("2026-10-01T13:00:00Z");
    world.say(school, &[(record, am("2026-09-03"), Reading::Present)]).await;
    assert_eq!(former(&world.look).await.len(), 2);
});
