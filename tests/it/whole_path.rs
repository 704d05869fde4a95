//! The whole path, from the files of schools to standing signals, against the naive recount in
//! Python that reads the same files: two versions of OneRoster, school changes with carried-in
//! numbers, local days off, a system that writes days as moments, then a feed of corrections and deletions (design §4,
//! §5; R06, R45, R46).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use chrono::{FixedOffset, TimeDelta};
use clb_hub::demo::absences::{self, Absence};
use clb_hub::demo::feed::{Change, Feed};
use clb_hub::demo::files::AbsenceRows;
use clb_hub::demo::population::{Population, Pupil};
use clb_hub::demo::schools::{Level, SchoolPlan, Shape};
use hub_entities::source::RunState;
use hub_entities::time::{HalfDay, brussels_midnight};
use sea_orm::{ConnectionTrait, Statement};

use crate::support::database::both_databases;
use crate::support::look::number;
use crate::support::region::Region;
use crate::support::world::{World, day};

/// A part of the demo's region, with more moving about than is usual.
fn shape() -> Shape {
    let plan = |level, pupils| SchoolPlan {
        level,
        pupils,
        classes: 6,
    };
    Shape {
        schools: vec![
            plan(Level::Basis, 60),
            plan(Level::Secundair, 150),
            plan(Level::Basis, 60),
            plan(Level::Secundair, 150),
        ],
        movers_per_mille: 120,
        arrivals_per_mille: 60,
        ..Shape::demo()
    }
}

/// The demo's absences; and some pupils are away on every local day off of their school, which must
/// not count, and some for weeks.
fn absences_of(population: &Population, pupil: &Pupil) -> Vec<Absence> {
    let mut absences = absences::of(population, pupil);
    let mut say = |stay, at: HalfDay| {
        absences.retain(|absence| absence.at != at);
        absences.push(Absence { stay, at, letter: "B" });
    };
    for (place, stay) in pupil.stays.iter().enumerate() {
        let off = &population.schools[stay.school].days_off;
        let known = population
            .lessons
            .iter()
            .filter(|at| at.day <= population.today && stay.holds(at.day));
        let (off, on): (Vec<&HalfDay>, Vec<&HalfDay>) = known.partition(|at| off.contains(&at.day));
        if pupil.index.is_multiple_of(5) {
            for at in off {
                say(place, *at);
            }
        }
        if pupil.index.is_multiple_of(20) {
            on.into_iter().skip(7).take(33).for_each(|at| say(place, *at));
        }
    }
    absences.sort_by_key(|absence| absence.at);
    absences
}

/// What is known of one pupil of a school: count, pending, carried, standing signals.
type Known = (i64, i64, i64, BTreeSet<String>);

/// What the database says, by institution number and key.
async fn stored(world: &World) -> BTreeMap<(String, String), Known> {
    let text = "select s.institution_number, r.source_key, coalesce(t.half_days, 0), coalesce(t.pending, 0),
                coalesce(t.carried, 0), g.kind, g.half_days
         from record r join school s on s.id = r.school_id
         left join tally t on t.pupil_id = r.pupil_id and t.school_year = 2026
         left join signal g on g.pupil_id = r.pupil_id and g.state = 'raised' and g.school_year = 2026";
    let asked = Statement::from_string(world.look.get_database_backend(), text);
    let mut found: BTreeMap<(String, String), Known> = BTreeMap::new();
    for row in world.look.query_all_raw(asked).await.unwrap() {
        let key = (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap());
        let number = |at| i64::from(row.try_get_by_index::<i32>(at).unwrap());
        let count = number(2);
        let known = found
            .entry(key)
            .or_insert((count, number(3), number(4), BTreeSet::new()));
        let kind: Option<String> = row.try_get_by_index(5).unwrap();
        if let Some(kind) = kind {
            assert_eq!(number(6), count, "a standing signal tells another count");
            known.3.insert(kind);
        }
    }
    found
}

/// What the recount says, in the same words.
fn recounted(region: &Region) -> BTreeMap<(String, String), Known> {
    let number = |answer: &serde_json::Value, name: &str| answer[name].as_i64().unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let answers = region.recounted();
    let known = answers.iter().map(|answer| {
        let signals = answer["signals"].as_array().unwrap().iter().map(text).collect();
        let known = (
            number(answer, "count"),
            number(answer, "pending"),
            number(answer, "carried"),
            signals,
        );
        ((text(&answer["school"]), text(&answer["pupil"])), known)
    });
    known.collect()
}

/// Fails with the pupils on whom the two do not agree, by key only.
async fn compare(world: &World, region: &Region, when: &str) {
    let (ours, theirs) = (stored(world).await, recounted(region));
    let keys: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let differ: Vec<_> = keys
        .into_iter()
        .filter(|key| ours.get(key) != theirs.get(key))
        .map(|key| (key, ours.get(key), theirs.get(key)))
        .collect();
    assert!(
        differ.is_empty(),
        "{when}: {} differ (ours, recount): {differ:#?}",
        differ.len()
    );
}

/// Writes what one school says in a step as an absence file.
fn write(changes: &[Change], school: usize, path: &Path) {
    let mut rows = AbsenceRows::new(File::create(path).unwrap()).unwrap();
    for change in changes.iter().filter(|change| change.school == school) {
        rows.row(&change.pupil_key, change.at, change.code).unwrap();
    }
    rows.finish().unwrap();
}

/// The place of the school whose system knows no days.
const IN_MOMENTS: usize = 1;

/// The same file from a system that keeps the day of an absence as a moment: somewhere between the first and the last
/// second of the day in Brussels, by a clock that hangs anywhere. Says which days were in it.
fn in_moments(path: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let mut written = vec![lines.next().unwrap().to_owned()];
    let mut days = BTreeSet::new();
    for (number, line) in lines.enumerate() {
        let [pupil, date, rest] = line.splitn(3, ',').collect::<Vec<_>>()[..] else {
            panic!("not a row: {line}")
        };
        days.insert(date.to_owned());
        let begins = brussels_midnight(day(date));
        let ends = brussels_midnight(day(date).succ_opt().unwrap());
        let moment = match number % 3 {
            0 => begins,
            1 => ends - TimeDelta::seconds(1),
            _ => begins + TimeDelta::hours(8),
        };
        let zone = FixedOffset::east_opt([0, 3_600, 7_200, -18_000, 46_800][number % 5]).unwrap();
        let moment = moment.with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S%:z");
        written.push(format!("{pupil},{moment},{rest}"));
    }
    written.push(String::new());
    std::fs::write(path, written.join("\r\n")).unwrap();
    days
}

both_databases!(files_give_what_the_recount_gives, async |database: &TestDatabase| {
    let world = World::new(database, "2026-11-20T10:00:00Z").await;
    let mut region = Region::new(&world, shape(), 11, absences_of).await;
    region.in_moments.insert(IN_MOMENTS);
    let days = in_moments(&region.file(IN_MOMENTS, "absences.csv"));
    // The school days around the Sunday on which summer time ends.
    assert!(days.contains("2026-10-23") && days.contains("2026-10-26"));
    let places = 0..region.connections.len();
    for place in places.clone() {
        for run in region.import(place).await {
            assert_eq!((run.state, run.quarantined), (RunState::Done, 0), "{:?}", run.kind);
        }
    }
    compare(&world, &region, "after the first import").await;

    // Nothing is shown by a region in which nothing happens.
    let known = recounted(&region);
    let such = |what: &dyn Fn(&Known) -> bool| known.values().filter(|known| what(known)).count();
    assert!(such(&|known| known.3.len() == 2) > 0, "nobody reaches 30");
    assert!(such(&|known| known.3.len() == 1) > 0, "nobody reaches 5");
    assert!(such(&|known| known.1 > 0) > 0, "nothing is pending");
    assert!(such(&|known| known.2 > 0) > 0, "nothing is carried in");

    let events = number(&world.look, "select count(*) from outbox").await;
    for place in places.clone() {
        for run in region.import(place).await {
            assert_eq!(
                (run.changed, run.raised, run.withdrawn, run.ended),
                (0, 0, 0, 0),
                "{:?}",
                run.kind
            );
        }
    }
    assert_eq!(number(&world.look, "select count(*) from outbox").await, events);

    let feed = Feed::new(&region.population);
    let (mut raised, mut withdrawn) = (0, 0);
    for step in 0..10 {
        let changes = feed.step(step);
        for place in places.clone() {
            if changes.iter().all(|change| change.school != place) {
                continue;
            }
            let name = format!("absences-{step:04}.csv");
            write(&changes, place, &region.file(place, &name));
            if place == IN_MOMENTS {
                in_moments(&region.file(place, &name));
            }
            let run = region.absences(place, &name).await;
            raised += run.raised;
            withdrawn += run.withdrawn;
        }
    }
    assert!(
        raised > 0 && withdrawn > 0,
        "the feed raised {raised} and withdrew {withdrawn}"
    );
    compare(&world, &region, "after the feed").await;
});
