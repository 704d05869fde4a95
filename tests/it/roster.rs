//! Rosters: the same twice changes nothing, endings are guarded, and two records of one person become one
//! pupil without losing or doubling a signal (R08, R41, R43).

use std::sync::atomic::{AtomicBool, Ordering};

use clb_hub::store::roster::{Ending, PupilSaid, ending};
use futures::future::join;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::id::{PupilId, RecordId};
use hub_entities::source::RunKind;
use hub_entities::time::HalfDay;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement, TransactionTrait};

use crate::support::database::{Backend, TestDatabase, both_databases, run_test};
use crate::support::look::{events, everything, list, number, standing, totals};
use crate::support::world::{School, World, am, at, born, day, pm};

const NOW: &str = "2026-10-01T10:00:00Z";
const B: Reading = Reading::Absent(Code::B);

/// What is said of a pupil whose number has this blind index.
fn indexed(birth: &str, index: u8) -> PupilSaid {
    PupilSaid {
        national_index: Some(vec![index; 32]),
        ..born(birth)
    }
}

/// Rows of text: what the statement selects, as one line each.
async fn lines(look: &DatabaseConnection, text: &str) -> Vec<String> {
    list(look, text).await
}

/// Every enrolment, by school number: from and until.
async fn enrolments(look: &DatabaseConnection) -> Vec<String> {
    lines(
        look,
        "select s.institution_number || ' ' || e.begins_on || ' ' || coalesce(cast(e.ends_on as text), '-')
         from enrolment e join school s on s.id = e.school_id order by 1",
    )
    .await
}

/// Every tie to a CLB, by its number: why, from and until.
async fn ties(look: &DatabaseConnection) -> Vec<String> {
    lines(
        look,
        "select c.institution_number || ' ' || t.ground || ' ' || t.begins_on || ' ' ||
                coalesce(cast(t.ends_on as text), '-')
         from competence t join clb c on c.id = t.clb_id order by t.begins_on, c.institution_number",
    )
    .await
}

/// Into which pupil this one was merged.
async fn merged_into(look: &DatabaseConnection, pupil: PupilId) -> Option<PupilId> {
    let asked = Statement::from_sql_and_values(
        look.get_database_backend(),
        "select merged_into from pupil where id = $1",
        [pupil.into()],
    );
    let found = look.query_one_raw(asked).await.unwrap().unwrap();
    found.try_get_by_index(0).unwrap()
}

/// The first so many half-days of September with lessons on Thursday and Friday, mornings first.
fn half_days(count: usize) -> Vec<HalfDay> {
    let days = [
        "2026-09-03",
        "2026-09-04",
        "2026-09-10",
        "2026-09-11",
        "2026-09-17",
        "2026-09-18",
    ];
    days.iter().flat_map(|day| [am(day), pm(day)]).take(count).collect()
}

fn all_b(record: RecordId, at: &[HalfDay]) -> Vec<(RecordId, HalfDay, Reading)> {
    at.iter().map(|at| (record, *at, B)).collect()
}

async fn two_schools(world: &World) -> [School; 2] {
    let (red, blue) = (world.clb("114711").await, world.clb("114728").await);
    [
        world.school("111111", red, Categories::all()).await,
        world.school("222222", blue, Categories::all()).await,
    ]
}

both_databases!(
    the_same_roster_twice_changes_nothing,
    async |database: &TestDatabase| {
        let world = World::new(database, NOW).await;
        let [school, _] = two_schools(&world).await;
        let leaving = PupilSaid {
            ends_on: Some(day("2026-12-24")),
            ..born("2013-02-02")
        };
        let left = PupilSaid {
            ends_on: Some(day("2026-09-15")),
            ..born("2013-03-03")
        };
        let unknown_begin = PupilSaid {
            begins_on: None,
            ..born("2014-04-04")
        };
        let said = [
            ("a", indexed("2012-05-01", 1)),
            ("b", leaving),
            ("c", left),
            ("d", unknown_begin),
        ];
        let first = world.roster(school, &said).await;
        assert_eq!((first.changed, first.unchanged), (4, 0));
        let before = everything(database, &world.look).await;
        assert_eq!(
            enrolments(&world.look).await,
            [
                "111111 2026-09-01 -",
                "111111 2026-09-01 2026-09-15",
                "111111 2026-09-01 2026-12-24",
                "111111 2026-10-01 -",
            ]
        );
        for _ in 0..2 {
            let again = world.roster(school, &said).await;
            assert_eq!((again.changed, again.unchanged), (0, 4));
            assert_eq!(everything(database, &world.look).await, before);
        }
    }
);

both_databases!(a_correction_changes_what_it_says, async |database: &TestDatabase| {
    let world = World::new(database, NOW).await;
    let [school, _] = two_schools(&world).await;
    world
        .roster(school, &[("a", born("2012-05-01")), ("b", born("2012-06-01"))])
        .await;
    let corrected = PupilSaid {
        family_name: Some("Anders".to_owned()),
        begins_on: Some(day("2026-09-14")),
        ..born("2012-05-01")
    };
    let progress = world
        .roster(school, &[("a", corrected), ("b", born("2012-06-01"))])
        .await;
    assert_eq!((progress.changed, progress.unchanged), (1, 1));
    let names = "select source_key || ' ' || family_name || ' ' || revision from record order by 1";
    assert_eq!(lines(&world.look, names).await, ["a Anders 2", "b Leerling 1"]);
    assert_eq!(
        enrolments(&world.look).await,
        ["111111 2026-09-01 -", "111111 2026-09-14 -"]
    );
});

#[test]
fn the_guard_holds_what_would_end_too_many() {
    // Enrolled, missing, held: more than a tenth, of however few (R08).
    let cases = [
        (1_000, 100, false),
        (1_000, 101, true),
        (1_000, 1_000, true),
        (2_009, 200, false),
        (2_009, 201, true),
        (199, 19, false),
        (199, 20, true),
        (40, 4, false),
        (40, 5, true),
        (31, 3, false),
        (30, 3, false),
        (29, 3, true),
        (10, 1, false),
        (9, 1, true),
        (3, 3, true),
        (1, 1, true),
        (1, 0, false),
        (0, 0, false),
    ];
    for (enrolled, missing, held) in cases {
        let ending = Ending { enrolled, missing };
        assert_eq!(ending.must_be_held(), held, "{missing} of {enrolled}");
    }
}

both_databases!(
    what_would_be_ended_is_counted_before,
    async |database: &TestDatabase| {
        let mut world = World::new(database, NOW).await;
        let [school, neighbour] = two_schools(&world).await;
        let keys: Vec<String> = (10..40).map(|n| format!("p{n}")).collect();
        let pupils: Vec<_> = keys
            .iter()
            .enumerate()
            .map(|(n, key)| {
                // A known last day far away does not hide a pupil from the guard.
                let ends_on = (n % 2 == 0).then(|| day("2027-06-30"));
                (
                    key.as_str(),
                    PupilSaid {
                        ends_on,
                        ..born("2012-05-01")
                    },
                )
            })
            .collect();
        world.roster(school, &pupils).await;
        world.roster(neighbour, &pupils).await;
        world.now = at("2026-11-16T10:00:00Z");

        let scope = world.source_scope(school).await;
        let (lease, run) = world.run(school, &scope, RunKind::Roster).await;
        let mut missing = 0;
        let mut after: Vec<Ending> = Vec::new();
        for more in [0, 9, 1, 20] {
            let keys: Vec<&str> = keys.iter().skip(missing).take(more).map(String::as_str).collect();
            // What was held is put aside too, and is not missing for that.
            world.stage(&lease, run.id, "pupil", &keys).await;
            after.push(ending(&world.db, &scope, run.id).await.unwrap());
            world.stage(&lease, run.id, "left", &keys).await;
            missing += more;
            after.push(ending(&world.db, &scope, run.id).await.unwrap());
        }
        let counted = [0, 0, 0, 9, 9, 10, 10, 30].map(|missing| Ending { enrolled: 30, missing });
        assert_eq!(after, counted);
        world.done(&lease, run).await;

        // Ten are kept; the neighbour's pupils of the same keys are none of its business.
        let ten: Vec<&str> = keys.iter().take(10).map(String::as_str).collect();
        assert_eq!(world.complete(school, &ten).await, 20);
        assert_eq!(world.complete(school, &ten).await, 0, "the same again ends no one");
        let open = "select count(*) from enrolment e join school s on s.id = e.school_id
                where s.institution_number = '111111' and e.ends_on = '2026-11-16'";
        assert_eq!(number(&world.look, open).await, 20);
        let theirs = "select count(*) from enrolment e join school s on s.id = e.school_id
                  where s.institution_number = '222222' and e.ends_on = '2026-11-16'";
        assert_eq!(number(&world.look, theirs).await, 0);
        // Who was ended does not vanish: the last CLB stays competent.
        let last = "select count(*) from competence where ground = 'last_enrolment' and begins_on = '2026-11-16'";
        assert_eq!(number(&world.look, last).await, 20);
    }
);

both_databases!(a_pupil_leaves_and_comes_back, async |database: &TestDatabase| {
    let mut world = World::new(database, NOW).await;
    let [school, _] = two_schools(&world).await;
    let here = [("a", born("2012-05-01"))];
    world.roster(school, &here).await;
    world.now = at("2026-10-20T10:00:00Z");
    let gone = [(
        "a",
        PupilSaid {
            gone: true,
            ..PupilSaid::default()
        },
    )];
    let left = world.roster(school, &gone).await;
    assert_eq!((left.changed, left.unchanged), (1, 0));
    let again = world.roster(school, &gone).await;
    assert_eq!((again.changed, again.unchanged), (0, 1));
    assert_eq!(enrolments(&world.look).await, ["111111 2026-09-01 2026-10-20"]);

    world.now = at("2026-11-09T10:00:00Z");
    assert_eq!(world.roster(school, &gone).await.changed, 0, "it left once");
    assert_eq!(world.roster(school, &here).await.changed, 1);
    assert_eq!(world.roster(school, &here).await.changed, 0);
    assert_eq!(
        enrolments(&world.look).await,
        ["111111 2026-09-01 2026-10-20", "111111 2026-11-09 -"]
    );
    assert_eq!(
        ties(&world.look).await,
        [
            "114711 enrolment 2026-09-01 2026-10-20",
            "114711 last_enrolment 2026-10-20 2026-11-09",
            "114711 enrolment 2026-11-09 -",
        ]
    );
    assert_eq!(number(&world.look, "select count(*) from record").await, 1);
});

both_databases!(
    an_enrolment_is_not_corrected_over_an_earlier_one,
    async |database: &TestDatabase| {
        let mut world = World::new(database, NOW).await;
        let [school, _] = two_schools(&world).await;
        let since = |begins: &str| {
            let said = PupilSaid {
                begins_on: Some(day(begins)),
                ..born("2012-05-01")
            };
            [("a", said)]
        };
        let left = PupilSaid {
            gone: true,
            ends_on: Some(day("2026-09-10")),
            ..PupilSaid::default()
        };
        world.roster(school, &since("2026-09-01")).await;
        world.roster(school, &[("a", left)]).await;
        world.now = at("2026-10-02T10:00:00Z");
        world.roster(school, &since("2026-09-14")).await;
        let twice = ["111111 2026-09-01 2026-09-10", "111111 2026-09-14 -"];
        assert_eq!(enrolments(&world.look).await, twice);
        // The source tells of its first day alone: what is known of a gap between stays known, and nothing has changed.
        assert_eq!(world.roster(school, &since("2026-09-01")).await.changed, 0);
        assert_eq!(enrolments(&world.look).await, twice);
    }
);

both_databases!(
    competence_follows_a_change_of_school,
    async |database: &TestDatabase| {
        let mut world = World::new(database, NOW).await;
        let [first, second] = two_schools(&world).await;
        let (_, pupil) = world.pupils(first, &[("a", indexed("2012-05-01", 1))]).await[0];
        assert_eq!(ties(&world.look).await, ["114711 enrolment 2026-09-01 -"]);

        let gone = PupilSaid {
            gone: true,
            ends_on: Some(day("2026-10-15")),
            ..PupilSaid::default()
        };
        world.roster(first, &[("a", gone)]).await;
        assert_eq!(
            ties(&world.look).await,
            [
                "114711 enrolment 2026-09-01 2026-10-15",
                "114711 last_enrolment 2026-10-15 -",
            ]
        );

        world.now = at("2026-11-02T10:00:00Z");
        let there = PupilSaid {
            begins_on: Some(day("2026-11-02")),
            ..indexed("2012-05-01", 1)
        };
        let (_, same) = world.pupils(second, &[("z", there)]).await[0];
        assert_eq!(same, pupil, "the blind index says that it is the same person");
        assert_eq!(
            ties(&world.look).await,
            [
                "114711 enrolment 2026-09-01 2026-10-15",
                "114711 last_enrolment 2026-10-15 2026-11-02",
                "114728 enrolment 2026-11-02 -",
            ]
        );
    }
);

both_databases!(
    two_records_of_one_index_that_come_together_are_one_pupil,
    async |database: &TestDatabase| {
        let world = World::new(database, NOW).await;
        let [first, _] = two_schools(&world).await;
        // A change of programme half-way the year: the school keeps a second record.
        let twice = [("a", indexed("2012-05-01", 1)), ("b", indexed("2012-05-01", 1))];
        let known = world.pupils(first, &twice).await;
        assert_ne!(known[0].0, known[1].0);
        assert_eq!(known[0].1, known[1].1);
        assert_eq!(number(&world.look, "select count(*) from pupil").await, 1);
        // One that was known without an index gets it in the very rows that bring another record of it.
        world.roster(first, &[("c", born("2011-05-01"))]).await;
        let twice = [("c", indexed("2011-05-01", 2)), ("d", indexed("2011-05-01", 2))];
        let known = world.pupils(first, &twice).await;
        assert_eq!(known[0].1, known[1].1);
        let twice = [("e", indexed("2010-05-01", 3)), ("g", born("2010-05-01"))];
        world.roster(first, &twice[1..]).await;
        let known = world
            .pupils(
                first,
                &[("e", indexed("2010-05-01", 3)), ("g", indexed("2010-05-01", 3))],
            )
            .await;
        assert_eq!(known[0].1, known[1].1);
    }
);

both_databases!(
    two_records_of_one_index_are_counted_together,
    async |database: &TestDatabase| {
        let world = World::new(database, NOW).await;
        let [first, second] = two_schools(&world).await;
        let (here, pupil) = world.pupils(first, &[("a", indexed("2012-05-01", 1))]).await[0];
        let (there, same) = world.pupils(second, &[("z", indexed("2012-05-01", 1))]).await[0];
        let (_, other) = world.pupils(second, &[("y", indexed("2012-05-01", 2))]).await[0];
        assert_eq!(same, pupil);
        assert_ne!(other, pupil);
        let days = half_days(5);
        assert_eq!(world.say(first, &all_b(here, &days[..3])).await.raised, 0);
        assert_eq!(world.say(second, &all_b(there, &days[3..])).await.raised, 1);
        assert_eq!(standing(&world.look, pupil).await, [("truancy.5".to_owned(), 1, 5)]);
    }
);

both_databases!(
    an_index_that_comes_later_makes_two_pupils_one,
    async |database: &TestDatabase| {
        let world = World::new(database, NOW).await;
        let [first, second] = two_schools(&world).await;
        let (here, from) = world.pupils(first, &[("a", born("2012-05-01"))]).await[0];
        let (there, into) = world.pupils(second, &[("z", indexed("2012-05-01", 1))]).await[0];
        assert_ne!(from, into, "never by name or birth date");
        let days = half_days(6);
        world.say(first, &all_b(here, &days[..3])).await;
        // Both schools registered the third half-day: it is one half-day.
        world.say(second, &all_b(there, &days[2..5])).await;
        assert_eq!(standing(&world.look, from).await, []);

        let progress = world.roster(first, &[("a", indexed("2012-05-01", 1))]).await;
        assert_eq!((progress.changed, progress.raised, progress.withdrawn), (1, 1, 0));
        assert_eq!(standing(&world.look, into).await, [("truancy.5".to_owned(), 1, 5)]);
        assert_eq!(totals(&world.look, into, 2026).await, (5, 0));
        assert_eq!(totals(&world.look, from, 2026).await, (0, 0));
        assert_eq!(merged_into(&world.look, from).await, Some(into));
        assert_eq!(merged_into(&world.look, into).await, None);
        // Nothing of either is left at the old id, and the two schools keep their own records.
        for table in [
            "record",
            "enrolment",
            "absence",
            "absence_count",
            "signal",
            "competence",
            "tally",
        ] {
            let of_both = format!("select count(*) from {table}");
            let of_one = format!(
                "select count(*) from {table} where pupil_id in (select id from pupil where merged_into is null)"
            );
            assert_eq!(
                number(&world.look, &of_both).await,
                number(&world.look, &of_one).await,
                "{table}"
            );
        }
        assert_eq!(number(&world.look, "select count(*) from record").await, 2);
        assert_eq!(number(&world.look, "select sum(half_days) from absence_count").await, 6);
        assert_eq!(
            ties(&world.look).await,
            ["114711 enrolment 2026-09-01 -", "114728 enrolment 2026-09-01 -"]
        );

        // Absences go on under the new pupil, from either school.
        world.say(first, &all_b(here, &days[5..])).await;
        assert_eq!(standing(&world.look, into).await, [("truancy.5".to_owned(), 1, 6)]);
        let again = world.roster(first, &[("a", indexed("2012-05-01", 1))]).await;
        assert_eq!((again.changed, again.raised, again.withdrawn), (0, 0, 0));
    }
);

both_databases!(
    two_pupils_with_a_signal_each_keep_one,
    async |database: &TestDatabase| {
        let world = World::new(database, NOW).await;
        let [first, second] = two_schools(&world).await;
        let (here, from) = world.pupils(first, &[("a", born("2012-05-01"))]).await[0];
        let (there, into) = world.pupils(second, &[("z", indexed("2012-05-01", 1))]).await[0];
        let days = half_days(12);
        assert_eq!(world.say(first, &all_b(here, &days[..6])).await.raised, 1);
        assert_eq!(world.say(second, &all_b(there, &days[6..])).await.raised, 1);

        let progress = world.roster(first, &[("a", indexed("2012-05-01", 1))]).await;
        assert_eq!((progress.raised, progress.withdrawn), (0, 1));
        assert_eq!(standing(&world.look, into).await, [("truancy.5".to_owned(), 1, 12)]);
        assert_eq!(standing(&world.look, from).await, []);
        assert_eq!(number(&world.look, "select count(*) from signal").await, 2);
        let told: Vec<&str> = events(&world.look, into).await.into_iter().map(|one| one.0).collect();
        assert_eq!(told[..2], ["signal.raised", "signal.raised"]);
        let mut then = told[2..4].to_vec();
        then.sort_unstable();
        assert_eq!(then, ["signal.changed", "signal.withdrawn"]);
        // The school and the CLB that had not been told of the one that stands.
        assert_eq!(told[4..], ["signal.now_yours", "signal.now_yours"]);
    }
);

// Two records of one school and one of another turn out to be the same person, in one roster.
both_databases!(
    three_records_become_one_pupil_at_once,
    async |database: &TestDatabase| {
        let world = World::new(database, NOW).await;
        let [first, second] = two_schools(&world).await;
        let here = world
            .pupils(first, &[("a", born("2012-05-01")), ("b", born("2012-05-01"))])
            .await;
        let (there, _) = world.pupils(second, &[("z", indexed("2012-05-01", 1))]).await[0];
        let days = half_days(6);
        world.say(first, &all_b(here[0].0, &days[..2])).await;
        world.say(first, &all_b(here[1].0, &days[2..4])).await;
        world.say(second, &all_b(there, &days[4..])).await;

        let same = indexed("2012-05-01", 1);
        let progress = world.roster(first, &[("a", same.clone()), ("b", same)]).await;
        assert_eq!((progress.raised, progress.withdrawn), (1, 0));
        assert_eq!(
            number(&world.look, "select count(distinct pupil_id) from record").await,
            1
        );
        let astray = "select count(*) from record r join pupil p on p.id = r.pupil_id where p.merged_into is not null";
        assert_eq!(
            number(&world.look, astray).await,
            0,
            "a record hangs at a pupil that is no more"
        );
        let chained =
            "select count(*) from pupil p join pupil q on q.id = p.merged_into where q.merged_into is not null";
        assert_eq!(number(&world.look, chained).await, 0, "an old id resolves in one step");
        assert_eq!(
            number(&world.look, "select count(*) from pupil where merged_into is null").await,
            1
        );
        assert_eq!(
            lines(
                &world.look,
                "select kind || ' ' || half_days from signal where state = 'raised'"
            )
            .await,
            ["truancy.5 6"]
        );
    }
);

// The second school knows the birth date, so the half-days of the first begin to count.
both_databases!(
    a_birth_date_from_another_school_counts_at_once,
    async |database: &TestDatabase| {
        let world = World::new(database, NOW).await;
        let [first, second] = two_schools(&world).await;
        let preschool = PupilSaid {
            birth_date: Some(day("2024-01-01")),
            ..indexed("2012-05-01", 1)
        };
        let (here, pupil) = world.pupils(first, &[("a", preschool)]).await[0];
        assert_eq!(
            world.say(first, &all_b(here, &half_days(5))).await.raised,
            0,
            "two years old"
        );
        let progress = world.roster(second, &[("z", indexed("2012-05-01", 1))]).await;
        assert_eq!(progress.raised, 1);
        assert_eq!(standing(&world.look, pupil).await, [("truancy.5".to_owned(), 1, 5)]);
    }
);

// Two schools bring the same new pupils at the same moment.
both_databases!(
    a_new_index_at_two_schools_at_once_is_one_pupil,
    async |database: &TestDatabase| {
        let world = World::new(database, NOW).await;
        let [first, second] = two_schools(&world).await;
        let bring = async |school: School| {
            for index in 0..40 {
                world
                    .roster(school, &[(format!("p{index}").as_str(), indexed("2012-05-01", index))])
                    .await;
            }
        };
        join(bring(first), bring(second)).await;
        assert_eq!(number(&world.look, "select count(*) from record").await, 80);
        assert_eq!(
            number(&world.look, "select count(distinct pupil_id) from record").await,
            40
        );
    }
);

// The same once, in slow motion: both have looked for the index before either has written its pupil down.
#[test]
fn a_new_index_in_slow_motion_is_one_pupil() {
    run_test(TestDatabase::migrated(Backend::Postgres), async |database| {
        let world = World::new(database, NOW).await;
        let [first, second] = two_schools(&world).await;
        let held_up = world.look.begin().await.unwrap();
        let table = "lock table enrolment in share row exclusive mode";
        held_up.execute_unprepared(table).await.unwrap();
        let written = AtomicBool::new(false);
        let bring = async |school: School| {
            world.roster(school, &[("a", indexed("2012-05-01", 1))]).await;
            written.store(true, Ordering::SeqCst);
        };
        let let_go = async {
            let waits = "select count(distinct l.pid) from pg_locks l join pg_stat_activity a on a.pid = l.pid
                         where not l.granted and a.datname = current_database()";
            while number(&world.look, waits).await < 2 && !written.load(Ordering::SeqCst) {
                tokio::task::yield_now().await;
            }
            held_up.commit().await.unwrap();
        };
        join(join(bring(first), bring(second)), let_go).await;
        assert_eq!(number(&world.look, "select count(*) from record").await, 2);
        let pupils = "select count(distinct pupil_id) from record";
        assert_eq!(number(&world.look, pupils).await, 1);
    });
}
