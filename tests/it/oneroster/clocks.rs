//! A system whose clock is another, and that changes while it is read (R42).

use super::*;

/// The system says another family name of a pupil.
fn rename(system: &mut System, number: u32, name: &str) {
    system.edit("users", &format!("p{number:02}"), |record| {
        drop(record.insert("familyName".to_owned(), json!(name)));
    });
}

impl Scene {
    /// Every pupil that the system has, with the family name and the places in classes; and every one that the hub has.
    async fn both_sides(&self) -> [BTreeMap<String, (String, usize)>; 2] {
        let of_system = self.fake.change(|system| {
            let places = system.texts("enrollments");
            let pupils = system.texts("users");
            let pupils = pupils
                .iter()
                .map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap());
            let text = |record: &serde_json::Value, name: &str| record[name].as_str().unwrap().to_owned();
            let pupil = |record: serde_json::Value| {
                let own = format!("\"{}\"", text(&record, "sourcedId"));
                let places = places.iter().filter(|place| place.contains(&own)).count();
                (text(&record, "identifier"), (text(&record, "familyName"), places))
            };
            pupils.map(pupil).collect()
        });
        let look = &self.hub.world.look;
        let names = "select r.identifier || '/' || r.family_name from record r
             join enrolment e on e.record_id = r.id and e.ends_on is null";
        let places =
            "select r.identifier from membership m join record r on r.id = m.record_id where m.ends_on is null";
        let places = list::<String>(look, places).await;
        let pupil = |line: String| {
            let (number, name) = line.split_once('/').unwrap();
            let places = places.iter().filter(|place| *place == number).count();
            (number.to_owned(), (name.to_owned(), places))
        };
        let of_hub = list::<String>(look, names).await.into_iter().map(pupil).collect();
        [of_system, of_hub]
    }
}

// R42: the clock of the system is ten minutes ahead of that of the hub or behind it, all records of a list are of the same
// moment, so that each page ends among ties, and something changes on a page that was turned already. Whatever a read of changes
// misses comes with the next one, and in the end both have the same.
both_databases!(
    a_system_with_another_clock_loses_nothing,
    async |database: &TestDatabase| {
        let mut scene = Scene::new(database).await;
        for (round, skew) in [10, -10].into_iter().enumerate() {
            // A whole read in between: by the clock of the day it would come by itself.
            scene.becomes(&format!("2026-10-0{}T10:00:00Z", round + 1));
            let hub = scene.hub.world.now;
            let at = |minutes: i64| hub + chrono::TimeDelta::minutes(minutes);
            scene.fake.change(|system| system.now = at(skew));
            scene.try_pull(true).await.unwrap();
            for step in 1..=4_u32 {
                let minutes = i64::from(step) * 5;
                scene.hub.world.now = at(minutes);
                let base = u32::try_from(round).unwrap() * 40 + 30 + step * 5;
                scene.fake.change(|system| {
                    system.now = at(minutes + skew);
                    rename(system, step, &format!("Eerst {round} {step}"));
                    for number in base..base + 3 {
                        put(system, number);
                    }
                });
                // While pages are turned, one that was on the first of them changes, and somebody comes.
                let name = format!("Later {round} {step}");
                let change = move |system: &mut System| {
                    rename(system, 0, &name);
                    put(system, base + 3);
                };
                scene.fake.plan(Plan::at("users", 5, Instead::change(change)));
                scene.pull().await;
                scene.fake.heal();
            }
            // Nothing happens any more, and the next read of changes is the last one that is needed.
            scene.hub.world.now = at(25);
            scene.fake.change(|system| system.now = at(25 + skew));
            scene.fake.calls();
            scene.pull().await;
            let calls = scene.fake.calls();
            assert!(
                calls.iter().any(|call| call.contains("filter=dateLastModified")),
                "{calls:?}"
            );
            let [of_system, of_hub] = scene.both_sides().await;
            assert_eq!(of_system.len(), 30 + (round + 1) * 16);
            assert_eq!(of_hub, of_system, "{skew} minutes");
        }
    }
);
