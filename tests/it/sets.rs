//! Rosters and half-days are merged in sets: the statements of a transaction are as many for a hundred pupils as for ten.

use clb_hub::store::roster::{ClassSaid, MembershipSaid, PupilSaid, Unsaid, merge_classes, merge_memberships};
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::source::RunKind;
use hub_entities::time::SchoolYear;

use crate::support::database::both_databases;
use crate::support::look::number;
use crate::support::world::{School, World, am, born, day, pm};

/// Pupils of one transaction. Eight times as many go into statements of as many texts on SQLite, which takes rows by powers
/// of two.
const SIZES: [usize; 2] = [12, 96];

/// One school, and another that the same pupils went to; what each step took.
struct Steps<'a> {
    world: &'a World,
    school: School,
    other: School,
    size: usize,
    counted: Vec<(&'static str, u64)>,
}

impl Steps<'_> {
    async fn count(&mut self, what: &'static str, step: impl Future<Output = ()>) {
        let before = self.world.db.statements();
        step.await;
        self.counted.push((what, self.world.db.statements() - before));
    }

    /// What is said of every pupil.
    fn said(&self, of: impl Fn(PupilSaid, usize) -> PupilSaid) -> Vec<(String, PupilSaid)> {
        let one = |place: usize| {
            let mut index = vec![u8::try_from(self.size).unwrap(); 32];
            index[0] = u8::try_from(place).unwrap();
            let said = PupilSaid {
                national_index: Some(index),
                // Of some a last day is known.
                ends_on: place.is_multiple_of(2).then(|| day("2027-06-30")),
                ..born("2012-05-01")
            };
            (format!("p{place}"), of(said, place))
        };
        (0..self.size).map(one).collect()
    }

    async fn roster(&mut self, what: &'static str, said: Vec<(String, PupilSaid)>) {
        let (world, school) = (self.world, self.school);
        let step = async {
            let said: Vec<_> = said.iter().map(|(key, said)| (key.as_str(), said.clone())).collect();
            world.roster(school, &said).await;
        };
        self.count(what, step).await;
    }

    /// Every pupil of a school on these half-days.
    async fn say(&mut self, what: &'static str, school: School, days: &[&str], reading: Reading) {
        let world = self.world;
        let scope = world.source_scope(school).await;
        let keys = clb_hub::store::roster::keys(&world.db, &scope, hub_entities::source::KeyKind::SourceKey);
        let mut said = Vec::new();
        for (record, _) in keys.await.unwrap().values() {
            said.extend(
                days.iter()
                    .flat_map(|day| [am(day), pm(day)])
                    .map(|at| (*record, at, reading)),
            );
        }
        self.count(what, async {
            world.say(school, &said).await;
        })
        .await;
    }

    async fn all(mut self) -> Vec<(&'static str, u64)> {
        let (school, other) = (self.school, self.other);
        let everyone = self.said(|said, _| said);
        self.roster("new", everyone.clone()).await;
        self.roster("known", everyone.clone()).await;
        let named = |said, place| PupilSaid {
            family_name: Some(format!("Name {place}")),
            birth_date: Some(day("2012-06-01")),
            ..said
        };
        let renamed = self.said(named);
        self.roster("changed", renamed).await;
        let delta = |said, place| PupilSaid {
            street: Some(format!("Straat {place}")),
            unsaid: Unsaid {
                birth: true,
                schools: true,
                ..Unsaid::default()
            },
            ..named(said, place)
        };
        let delta = self.said(delta);
        self.roster("a delta", delta).await;
        // The same pupils at another school.
        let world = self.world;
        let there = self.said(named);
        let step = async {
            let said: Vec<_> = there.iter().map(|(key, said)| (key.as_str(), said.clone())).collect();
            world.roster(other, &said).await;
        };
        self.count("at another school", step).await;

        let b = Reading::Absent(Code::B);
        let days = ["2026-09-03", "2026-09-04", "2026-09-07"];
        self.say("raised", school, &days, b).await;
        self.say("contradicted", other, &days[..1], Reading::Absent(Code::Z))
            .await;
        self.say("agreed", other, &days[..1], Reading::Present).await;
        self.say("withdrawn", school, &days, Reading::Present).await;
        self.say("raised again", school, &days, b).await;
        self.classes_and_places().await;

        let gone = self.said(|_, _| PupilSaid {
            gone: true,
            ..PupilSaid::default()
        });
        self.roster("gone", gone).await;
        self.roster("back", everyone).await;
        let held: Vec<String> = (0..self.size / 3).map(|place| format!("p{place}")).collect();
        self.count("not held any more", async {
            let held: Vec<&str> = held.iter().map(String::as_str).collect();
            world.complete(school, &held).await;
        })
        .await;
        self.counted
    }

    async fn classes_and_places(&mut self) {
        let (world, school) = (self.world, self.school);
        let scope = world.source_scope(school).await;
        let (lease, run) = world.run(school, &scope, RunKind::Roster).await;
        let work = || world.work(&scope, &lease, run.id);
        let class = |place: usize, name: &str| {
            let said = ClassSaid {
                name: format!("{name}{place}"),
                grade: place.is_multiple_of(2).then(|| "01".to_owned()),
                school_year: SchoolYear(2026),
            };
            (format!("c{place}"), said)
        };
        let places = |class: &str| -> Vec<(String, MembershipSaid)> {
            let one = |place: usize| {
                let said = MembershipSaid {
                    gone: false,
                    class_key: format!("{class}{place}"),
                    pupil_key: format!("p{place}"),
                    begins_on: Some(day("2026-09-01")),
                    ends_on: place.is_multiple_of(2).then(|| day("2027-06-30")),
                };
                (format!("m{place}"), said)
            };
            (0..self.size).map(one).collect()
        };
        let size = self.size;
        let (unknown, known) = (places("x"), places("c"));
        for (what, name) in [("classes", "A"), ("known classes", "A"), ("renamed classes", "B")] {
            let said: Vec<_> = (0..size).map(|place| class(place, name)).collect();
            self.count(what, async {
                merge_classes(&world.db, work(), &said, None).await.unwrap();
            })
            .await;
        }
        for (what, said) in [
            ("places that wait", &unknown),
            ("places", &known),
            ("known places", &known),
        ] {
            self.count(what, async {
                merge_memberships(&world.db, work(), said, None).await.unwrap();
            })
            .await;
        }
        // The key of each names another class: of some from the first day on, of some from later on.
        let moved: Vec<_> = known
            .into_iter()
            .enumerate()
            .map(|(place, (key, said))| {
                let said = MembershipSaid {
                    class_key: format!("c{}", (place + 1) % size),
                    begins_on: Some(day(if place.is_multiple_of(2) {
                        "2026-09-01"
                    } else {
                        "2026-09-15"
                    })),
                    ..said
                };
                (key, said)
            })
            .collect();
        self.count("places that move", async {
            merge_memberships(&world.db, work(), &moved, None).await.unwrap();
        })
        .await;
        world.done(&lease, run).await;
    }
}

both_databases!(
    statements_grow_with_chunks_and_not_with_pupils,
    async |database: &TestDatabase| {
        let world = World::new(database, "2026-10-01T10:00:00Z").await;
        let clb = world.clb("114711").await;
        let mut all = Vec::new();
        for (place, size) in SIZES.into_iter().enumerate() {
            let school = world.school(&format!("11111{place}"), clb, Categories::all()).await;
            let other = world.school(&format!("22222{place}"), clb, Categories::all()).await;
            let steps = Steps {
                world: &world,
                school,
                other,
                size,
                counted: Vec::new(),
            };
            all.push(steps.all().await);
        }
        assert_eq!(all[0], all[1], "of {} pupils, and of {}", SIZES[0], SIZES[1]);
        // All of it came about: nothing was counted that did nothing.
        let both = 12 + 96;
        for (what, expected) in [
            ("record", 2 * both),
            ("pupil where merged_into is null", both),
            // Withdrawn by the other school's word, then by the own one.
            (
                "signal where kind = 'truancy.5' and generation = 3 and state = 'raised'",
                both,
            ),
            ("conflict where resolved_at is not null", 2 * both),
            // One of each pupil that left, and of every second one that which it had before.
            ("membership where ends_on <= '2026-10-01'", both + both / 2),
            ("membership where ends_on = '2026-09-15'", both / 2),
            ("quarantine where resolved_at is not null", both),
            // Whose pupil left is told of the two that were withdrawn and of the one that stands; when it leaves again, of
            // the one that stands.
            ("outbox where kind = 'signal.no_longer_yours'", 3 * both + both * 2 / 3),
        ] {
            let found = number(&world.look, &format!("select count(*) from {what}")).await;
            assert_eq!(found, expected, "{what}");
        }
    }
);
