//! Live sources over the years: a pupil who changes school in the middle of one (R44), and past years that are read
//! after the fact (R46).

use std::sync::Arc;

use chrono::{Datelike as _, Weekday};
use clb_hub::sync::Sync;
use hub_connectors::contract::Stream;
use hub_connectors::smartschool::fake::{Platform, Pupil};
use hub_entities::category::Categories;
use hub_entities::id::PupilId;
use hub_entities::number::national::BlindIndexKey;
use hub_entities::operation::Role;
use hub_entities::time::{HalfDay, Part};
use serde_json::json;

use crate::support::database::both_databases;
use crate::support::door::Hub;
use crate::support::look::{list, number, totals};
use crate::support::tenant::{CODE, Scene, pupil};
use crate::support::world::{World, am, at, day, pm};

/// A tenant of this school with a class and so many pupils who stay that one may leave and nobody must look.
fn of(school: &str, today: &str, since: &str) -> Platform {
    let mut platform = Platform::new(CODE, day(today));
    platform.add_class("1A", school);
    for number in 1..11 {
        platform.add_pupil(pupil(number), "1A", day(since));
    }
    platform
}

/// The one who moves, as both schools know her.
fn mover() -> Pupil {
    Pupil {
        born: Some(day("2011-03-05")),
        national_number: "11030512407".to_owned(),
        ..pupil(0)
    }
}

async fn pull_all(scene: &Scene) {
    let tied = Sync {
        national_numbers: Some(Arc::new(BlindIndexKey::new([7; 32]))),
        ..scene.sync(|_, _| {})
    };
    for stream in [Stream::Roster, Stream::Absences] {
        scene.pull_with(&tied, stream).await.unwrap();
    }
}

/// Who serves a pupil of this school, and whether still.
async fn clbs(world: &World) -> Vec<String> {
    list(
        &world.look,
        "select c.institution_number || case when o.ends_on is null then ' serves' else ' served' end
         from competence o join clb c on c.id = o.clb_id join record r on r.pupil_id = o.pupil_id
         where r.identifier = '0' and o.ground = 'enrolment'
         group by c.institution_number, o.ends_on order by c.institution_number",
    )
    .await
}

both_databases!(who_changes_school_is_one_pupil, async |database: &TestDatabase| {
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    let mut north = of("111111", "2026-10-01", "2026-09-01");
    north.add_pupil(mover(), "1A", day("2026-09-01"));
    for half_day in [am("2026-09-28"), am("2026-09-29"), am("2026-09-30")] {
        north.mark("pupil.0", half_day, "B");
    }
    let mut north = Scene::of(world, "111111", Categories::all(), north).await;
    pull_all(&north).await;
    let raised = "select count(*) from signal where state = 'raised'";
    assert_eq!(number(&north.world.look, raised).await, 0);

    // On 5 October she goes to a school of another CLB; two more half-days without a reason follow there.
    let now = "2026-10-08T10:00:00Z";
    north.world.now = at(now);
    north.tenant.fake.change(|platform| {
        platform.today = day("2026-10-08");
        platform.moves("pupil.0", None, day("2026-10-05"));
    });
    let mut south = of("222222", "2026-10-08", "2026-09-01");
    south.add_pupil(mover(), "1A", day("2026-10-05"));
    south.mark("pupil.0", am("2026-10-06"), "B");
    south.mark("pupil.0", am("2026-10-07"), "B");
    let other = World {
        db: database.open().await,
        look: sea_orm::Database::connect(&database.url).await.unwrap(),
        book: Arc::clone(&north.world.book),
        ids: Arc::clone(&north.world.ids),
        now: at(now),
    };
    let south = Scene::served_by(other, "222222", "114712", Categories::all(), south).await;
    pull_all(&south).await;
    pull_all(&north).await;

    let look = &north.world.look;
    let hers = "select count(distinct pupil_id) from record where identifier = '0'";
    assert_eq!(number(look, hers).await, 1, "two records, one pupil");
    assert_eq!(number(look, raised).await, 1, "three there and two here are five");
    assert_eq!(clbs(&north.world).await, ["114711 served", "114712 serves"]);
    // The same again tells nothing new.
    let events = number(look, "select count(*) from outbox").await;
    pull_all(&north).await;
    pull_all(&south).await;
    assert_eq!(number(look, "select count(*) from outbox").await, events);

    // The signal is of the CLB that serves her now, and so is she; the former one finds neither.
    let hers = list::<PupilId>(look, "select pupil_id from record where identifier = '0'").await[0];
    let question = format!(
        "{{ pupil(id: \"{hers}\") {{ id }} signals(first: 9) {{ totalCount edges {{ node {{ kind count }} }} }} }}"
    );
    let world = north.world;
    let [former, present] = [world.clb("114711").await, world.clb("114712").await];
    let former = world.someone(Role::ClbWorker, None, Some(former)).await;
    let present = world.someone(Role::ClbWorker, None, Some(present)).await;
    let hub = Hub::over(world);
    let nothing = json!({ "pupil": null, "signals": { "totalCount": 0, "edges": [] } });
    assert_eq!(hub.ask(&former, &question).await, nothing);
    let found = json!({ "pupil": { "id": hers.to_string() },
        "signals": { "totalCount": 1, "edges": [{ "node": { "kind": "truancy.5", "count": 5 } }] } });
    assert_eq!(hub.ask(&present, &question).await, found);
});

// Two have seven half-days in each of four years, and a third four in the running one.
both_databases!(past_years_raise_nothing, async |database: &TestDatabase| {
    let world = World::new(database, "2026-11-05T10:00:00Z").await;
    let mut platform = of("111111", "2026-11-05", "2023-09-01");
    platform.add_pupil(pupil(0), "1A", day("2023-09-01"));
    // Monday to Thursday of a week of September, Wednesday in the morning only: seven half-days.
    let week = |monday: &str| -> Vec<HalfDay> {
        let days = day(monday).iter_days().take(4);
        let halves = days.flat_map(|day| [am(&day.to_string()), pm(&day.to_string())]);
        let lessons = halves.filter(|at| at.day.weekday() != Weekday::Wed || at.part == Part::Am);
        lessons.collect()
    };
    for monday in ["2023-09-18", "2024-09-16", "2025-09-15", "2026-09-14"] {
        for half_day in week(monday) {
            platform.mark("pupil.0", half_day, "B");
            platform.mark("pupil.1", half_day, "B");
        }
    }
    for half_day in week("2026-09-14").into_iter().take(4) {
        platform.mark("pupil.2", half_day, "B");
    }
    let scene = Scene::of(world, "111111", Categories::all(), platform).await;
    scene.pull(Stream::Roster).await;
    scene.pull_since(day("2023-09-01")).await;
    let look = &scene.world.look;
    for (identifier, running, past) in [("0", 7, 7), ("1", 7, 7), ("2", 4, 0)] {
        let of_pupil = format!("select pupil_id from record where identifier = '{identifier}'");
        let pupil = list::<PupilId>(look, &of_pupil).await[0];
        for year in 2023..=2025 {
            assert_eq!(totals(look, pupil, year).await, (past, 0), "{identifier} in {year}");
        }
        assert_eq!(totals(look, pupil, 2026).await, (running, 0), "{identifier}");
    }
    let raised = list::<String>(
        look,
        "select r.identifier || ' ' || kind || ' ' || school_year || case when backfill then ' backfill' else '' end
         from signal s join record r on r.pupil_id = s.pupil_id order by 1",
    );
    assert_eq!(raised.await, ["0 truancy.5 2026 backfill", "1 truancy.5 2026 backfill"]);
    let told = list::<String>(look, "select kind from outbox").await;
    assert_eq!(told, ["signal.raised", "signal.raised"]);
});
