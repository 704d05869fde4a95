//! Reading: who sees which rows and which columns. The expected sets are written by hand from the
//! world below, never taken from another reading.

use std::collections::BTreeSet;
use std::time::Duration;

use clb_hub::store::lease::Lease;
use clb_hub::store::outbox::{SEQUENCER, sequence};
use clb_hub::store::read::pupil::{After, Filter, Order, Pupil, by_id, count, page};
use clb_hub::store::read::{absence, enrolment, event, signal};
use clb_hub::store::roster::PupilSaid;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::absence::mark::Mark;
use hub_entities::category::{Categories, Category};
use hub_entities::id::{PupilId, RecordId};
use hub_entities::ledger::{clb_tally, tally};
use hub_entities::operation::Role;
use hub_entities::policy::{Action, Reach, Scope};
use hub_entities::time::{HalfDay, SchoolYear};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
use uuid::Uuid;

use crate::support::database::{TestDatabase, both_databases};
use crate::support::world::{School, World, am, born, pm};

const B: Reading = Reading::Absent(Code::B);
const Z: Reading = Reading::Absent(Code::Z);
const YEAR: SchoolYear = SchoolYear(2026);

/// Two CLBs. The first serves `lime` for everything and `oak` for enrolment and birth alone; the second
/// serves `elm`. One pupil of `lime`, Dora, was at `elm` before.
struct Flanders {
    world: World,
    lime: School,
    oak: School,
    elm: School,
    /// The reader of the first CLB, of the second, and of the schools `lime` and `elm`.
    first: Scope,
    second: Scope,
    of_lime: Scope,
    of_elm: Scope,
    anna: (RecordId, PupilId),
    bram: (RecordId, PupilId),
    dora: (RecordId, PupilId),
    odo: (RecordId, PupilId),
    elsa: (RecordId, PupilId),
}

fn named(given: &str, family: &str) -> PupilSaid {
    PupilSaid {
        given_name: Some(given.to_owned()),
        family_name: Some(family.to_owned()),
        sort_name: Some(family.to_lowercase()),
        sex: Some("female".to_owned()),
        street: Some("Straat 1".to_owned()),
        language: Some("nl".to_owned()),
        ..born("2012-05-01")
    }
}

async fn flanders(database: &TestDatabase) -> Flanders {
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    let (one, two) = (world.clb("114711").await, world.clb("114728").await);
    let some = [Category::Enrolment, Category::Birth].into_iter().collect();
    let lime = world.school("123456", one, Categories::all()).await;
    let oak = world.school("123457", one, some).await;
    let elm = world.school("123458", two, Categories::all()).await;
    let at_lime = [
        ("a", named("Anna", "Zwaan")),
        ("b", named("Bram", "Arend")),
        (
            "d",
            PupilSaid {
                national_index: Some(vec![7; 32]),
                ..named("Dora", "Mees")
            },
        ),
    ];
    let [anna, bram, dora] = world.pupils(lime, &at_lime).await[..] else {
        panic!("three pupils")
    };
    // What was not agreed is not stored by a sync; here it is stored, to see that it is not read.
    let odo = world.pupils(oak, &[("o", named("Odo", "Specht"))]).await[0];
    let at_elm = [
        ("e", named("Elsa", "Fazant")),
        (
            "x",
            PupilSaid {
                national_index: Some(vec![7; 32]),
                begins_on: Some("2025-09-01".parse().unwrap()),
                ends_on: Some("2026-09-01".parse().unwrap()),
                ..named("Dora", "Elders")
            },
        ),
    ];
    let elsa = world.pupils(elm, &at_elm).await[0];
    let reader = async |role, school: Option<School>, clb| {
        let actor = world.someone(role, school.map(|school| school.id), clb).await;
        world.decided(actor, Action::ReadPupils).await
    };
    let first = reader(Role::ClbWorker, None, Some(one)).await;
    let second = reader(Role::ClbWorker, None, Some(two)).await;
    let of_lime = reader(Role::SchoolCareTeam, Some(lime), None).await;
    let of_elm = reader(Role::SchoolClient, Some(elm), None).await;
    Flanders {
        world,
        lime,
        oak,
        elm,
        first,
        second,
        of_lime,
        of_elm,
        anna,
        bram,
        dora,
        odo,
        elsa,
    }
}

fn all(order: Order) -> Filter {
    Filter {
        school: None,
        class: None,
        at_least: None,
        year: YEAR,
        order,
    }
}

/// So many half-days of B, from 1 September on, lesson days alone.
fn truant(record: RecordId, half_days: usize) -> Vec<(RecordId, HalfDay, Reading)> {
    let days = ["2026-09-01", "2026-09-03", "2026-09-04", "2026-09-07", "2026-09-08"];
    let halves = days.into_iter().flat_map(|day| [am(day), pm(day)]);
    halves.take(half_days).map(|at| (record, at, B)).collect()
}

async fn ids(world: &World, scope: &Scope, filter: &Filter) -> Vec<PupilId> {
    let found = page(&world.db, scope, filter, None, 200, Categories::all())
        .await
        .unwrap();
    let counted = count(&world.db, scope, filter).await.unwrap();
    assert_eq!(
        usize::try_from(counted).unwrap(),
        found.len(),
        "the count is of the same rows"
    );
    found.into_iter().map(|pupil| pupil.id).collect()
}

fn set(of: &[(RecordId, PupilId)]) -> BTreeSet<PupilId> {
    of.iter().map(|(_, pupil)| *pupil).collect()
}

both_databases!(each_reader_finds_its_own_pupils, async |database: &TestDatabase| {
    let f = flanders(database).await;
    let readers = [
        ("the first CLB", &f.first, set(&[f.anna, f.bram, f.dora, f.odo])),
        ("the second CLB", &f.second, set(&[f.elsa])),
        ("lime", &f.of_lime, set(&[f.anna, f.bram, f.dora])),
        ("elm", &f.of_elm, set(&[f.elsa])),
    ];
    let everyone: Vec<PupilId> = [f.anna, f.bram, f.dora, f.odo, f.elsa].map(|(_, pupil)| pupil).to_vec();
    for (who, scope, expected) in readers {
        for order in [Order::Id, Order::Name, Order::HalfDays] {
            let found: BTreeSet<_> = ids(&f.world, scope, &all(order)).await.into_iter().collect();
            assert_eq!(found, expected, "{who}, {order:?}");
        }
        let found = by_id(&f.world.db, scope, &everyone, Categories::all()).await.unwrap();
        assert_eq!(found.into_keys().collect::<BTreeSet<_>>(), expected, "{who}, by id");
        // Nothing else of a pupil is told where the pupil is not.
        let tallies = absence::tallies(&f.world.db, scope, &everyone, YEAR).await.unwrap();
        assert!(
            tallies.into_keys().all(|pupil| expected.contains(&pupil)),
            "{who}, tallies"
        );
        let enrolled = enrolment::of_pupils(&f.world.db, scope, &everyone).await.unwrap();
        assert!(
            enrolled.into_keys().all(|pupil| expected.contains(&pupil)),
            "{who}, enrolments"
        );
    }
});

both_databases!(what_was_not_agreed_is_not_read, async |database: &TestDatabase| {
    let f = flanders(database).await;
    let one = async |scope: &Scope, wanted, of: (RecordId, PupilId)| -> Pupil {
        let found = by_id(&f.world.db, scope, &[of.1], wanted).await.unwrap();
        found.into_values().next().unwrap()
    };
    let odo = one(&f.first, Categories::all(), f.odo).await;
    assert_eq!(odo.birth_date, Some("2012-05-01".parse().unwrap()));
    assert_eq!(
        (odo.given_name, odo.family_name, odo.sex, odo.sort_name),
        (None, None, None, None)
    );
    assert_eq!((odo.street, odo.language), (None, None));
    let withheld: Vec<&str> = odo.withheld.iter().map(Category::name).collect();
    let expected = [
        "identity",
        "address",
        "contact",
        "truancy",
        "language",
        "attendance",
        "nationalNumber",
    ];
    assert_eq!(withheld, expected);

    let anna = one(&f.first, Categories::all(), f.anna).await;
    assert_eq!(
        (anna.given_name.as_deref(), anna.language.as_deref()),
        (Some("Anna"), Some("nl"))
    );
    assert!(anna.withheld.is_empty());
    // What was not asked for is not fetched.
    let anna = one(&f.first, Categories::NONE.with(Category::Birth), f.anna).await;
    assert_eq!((anna.given_name, anna.birth_date.is_some()), (None, true));

    // Each sees what its own school said of Dora.
    let dora = one(&f.first, Categories::all(), f.dora).await;
    assert_eq!(
        (dora.family_name.as_deref(), dora.school),
        (Some("Mees"), Some(f.lime.id))
    );
    let enrolled = enrolment::of_pupils(&f.world.db, &f.first, &[f.dora.1]).await.unwrap();
    let schools: Vec<_> = enrolled[&f.dora.1].iter().map(|one| one.school.id).collect();
    assert_eq!(
        schools,
        [f.lime.id],
        "the enrolment at a school of another CLB is not this one's"
    );
});

both_databases!(
    a_name_that_is_withheld_does_not_order,
    async |database: &TestDatabase| {
        let f = flanders(database).await;
        // Arend, Mees, Zwaan; Specht was not agreed and comes last.
        let expected = [f.bram, f.dora, f.anna, f.odo].map(|(_, pupil)| pupil);
        assert_eq!(ids(&f.world, &f.first, &all(Order::Name)).await, expected);
        // Page by page is the same list.
        for order in [Order::Name, Order::Id, Order::HalfDays] {
            let whole = ids(&f.world, &f.first, &all(order)).await;
            let (mut paged, mut after) = (Vec::new(), None::<After>);
            loop {
                let rows = page(&f.world.db, &f.first, &all(order), after.as_ref(), 1, Categories::NONE)
                    .await
                    .unwrap();
                let Some(row) = rows.first() else { break };
                paged.push(row.id);
                after = Some(After {
                    name: row.sort_name.clone(),
                    half_days: row.half_days,
                    id: row.id,
                });
            }
            assert_eq!(paged, whole, "{order:?}");
        }
    }
);

both_databases!(
    a_count_that_is_withheld_neither_orders_nor_filters,
    async |database: &TestDatabase| {
        let f = flanders(database).await;
        f.world.say(f.lime, &truant(f.anna.0, 2)).await;
        f.world.say(f.lime, &truant(f.bram.0, 6)).await;
        // What was not agreed is not kept; a count from before an agreement was narrowed may still stand.
        f.world.say(f.oak, &truant(f.odo.0, 9)).await;
        let kept = tally::Model {
            pupil_id: f.odo.1,
            school_year: YEAR,
            half_days: 9,
            carried: 0,
            pending: 0,
            reached_5: None,
            reached_30: None,
        };
        tally::Entity::delete_by_id((f.odo.1, YEAR))
            .exec(&f.world.look)
            .await
            .unwrap();
        kept.into_active_model().insert(&f.world.look).await.unwrap();
        let Reach::Clb { clb, .. } = f.first.reach() else {
            panic!("a reader of a CLB")
        };
        let way = clb_tally::Model {
            pupil_id: f.odo.1,
            clb_id: *clb,
            school_year: YEAR,
            half_days: 9,
        };
        way.into_active_model().insert(&f.world.look).await.unwrap();
        f.world.say(f.elm, &truant(f.elsa.0, 7)).await;
        let rows = page(
            &f.world.db,
            &f.first,
            &all(Order::HalfDays),
            None,
            200,
            Categories::all(),
        )
        .await
        .unwrap();
        let told: Vec<_> = rows.iter().map(|row| (row.id, row.half_days)).collect();
        let (none_first, none_last) = if f.dora.1 < f.odo.1 {
            (f.dora, f.odo)
        } else {
            (f.odo, f.dora)
        };
        let expected = [(f.bram, 6), (f.anna, 2), (none_first, 0), (none_last, 0)];
        assert_eq!(told, expected.map(|((_, pupil), half_days)| (pupil, Some(half_days))));
        for (at_least, expected) in [(1, set(&[f.anna, f.bram])), (5, set(&[f.bram])), (7, set(&[]))] {
            let filter = Filter {
                at_least: Some(at_least),
                ..all(Order::HalfDays)
            };
            let found: BTreeSet<_> = ids(&f.world, &f.first, &filter).await.into_iter().collect();
            assert_eq!(found, expected, "at least {at_least}");
        }
        let tallies = absence::tallies(&f.world.db, &f.first, &[f.bram.1, f.odo.1], YEAR)
            .await
            .unwrap();
        assert_eq!(tallies.keys().copied().collect::<Vec<_>>(), [f.bram.1]);
        assert_eq!(tallies[&f.bram.1].half_days, 6);
        // Another CLB's school is not a filter of this one.
        let filter = Filter {
            school: Some(f.elm.id),
            ..all(Order::Id)
        };
        assert_eq!(ids(&f.world, &f.first, &filter).await, []);
    }
);

both_databases!(
    a_count_leads_no_former_clb_to_the_pupil,
    async |database: &TestDatabase| {
        let f = flanders(database).await;
        f.world.say(f.lime, &truant(f.dora.0, 8)).await;
        f.world.say(f.elm, &truant(f.elsa.0, 6)).await;
        let filter = Filter {
            at_least: Some(5),
            ..all(Order::HalfDays)
        };
        assert_eq!(ids(&f.world, &f.first, &filter).await, [f.dora.1]);
        assert_eq!(ids(&f.world, &f.second, &filter).await, [f.elsa.1]);
        assert_eq!(count(&f.world.db, &f.second, &filter).await.unwrap(), 1);
    }
);

// The other way round: the count is there before the CLB ever was competent.
both_databases!(
    a_pupil_brings_its_count_to_a_new_clb,
    async |database: &TestDatabase| {
        let f = flanders(database).await;
        let nele = PupilSaid {
            national_index: Some(vec![9; 32]),
            ..named("Nele", "Uil")
        };
        let at_lime = f.world.pupils(f.lime, &[("n", nele.clone())]).await[0];
        f.world.say(f.lime, &truant(at_lime.0, 8)).await;
        let filter = Filter {
            at_least: Some(5),
            ..all(Order::HalfDays)
        };
        assert_eq!(ids(&f.world, &f.second, &filter).await, []);
        let at_elm = f.world.pupils(f.elm, &[("n", nele)]).await[0];
        assert_eq!(at_elm.1, at_lime.1);
        for reader in [&f.first, &f.second] {
            assert_eq!(ids(&f.world, reader, &filter).await, [at_lime.1]);
        }
    }
);

both_databases!(
    half_days_are_read_by_whom_they_concern,
    async |database: &TestDatabase| {
        let f = flanders(database).await;
        f.world.say(f.lime, &truant(f.bram.0, 5)).await;
        f.world.say(f.lime, &[(f.bram.0, am("2026-09-10"), Z)]).await;
        let of = [f.bram.1, f.elsa.1, f.anna.1];
        let counts = async |scope: &Scope| absence::counts(&f.world.db, scope, &of, YEAR).await.unwrap();
        let count = |code, half_days| absence::Count {
            mark: Mark::Code(code),
            school: f.lime.id,
            half_days,
        };
        let expected = [(f.bram.1, vec![count(Code::B, 5), count(Code::Z, 1)])];
        assert_eq!(counts(&f.first).await.into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(counts(&f.of_lime).await.into_iter().collect::<Vec<_>>(), expected);
        assert!(counts(&f.second).await.is_empty() && counts(&f.of_elm).await.is_empty());

        let page = absence::page(&f.world.db, &f.first, &of, YEAR, None, 4).await.unwrap();
        let days: Vec<_> = page[&f.bram.1].iter().map(|one| (one.at, one.mark)).collect();
        let b = Mark::Code(Code::B);
        let first_days = [
            (am("2026-09-01"), b),
            (pm("2026-09-01"), b),
            (am("2026-09-03"), b),
            (pm("2026-09-03"), b),
        ];
        assert_eq!(days[..4], first_days);
        let last = page[&f.bram.1][3];
        let rest = absence::page(&f.world.db, &f.first, &of, YEAR, Some((last.at, last.school)), 200)
            .await
            .unwrap();
        let rest: Vec<_> = rest[&f.bram.1].iter().map(|one| (one.at, one.mark)).collect();
        assert_eq!(rest, [(am("2026-09-04"), b), (am("2026-09-10"), Mark::Code(Code::Z))]);

        for (scope, expected) in [(&f.first, 1), (&f.of_lime, 1), (&f.second, 0), (&f.of_elm, 0)] {
            let found = signal::of_pupils(&f.world.db, scope, &of).await.unwrap();
            assert_eq!(found.len(), expected);
            assert_eq!(
                signal::count(&f.world.db, scope, &signal::Filter::default())
                    .await
                    .unwrap(),
                i64::try_from(expected).unwrap()
            );
        }
    }
);

both_databases!(
    an_event_tells_no_school_of_another_clb,
    async |database: &TestDatabase| {
        let f = flanders(database).await;
        // One pupil is at lime and at elm, each served by another CLB; the latest enrolment is the one at elm.
        let twin = |begins: &str| PupilSaid {
            national_index: Some(vec![9; 32]),
            begins_on: Some(begins.parse().unwrap()),
            ..named("Twee", "Scholen")
        };
        let at_lime = f.world.pupils(f.lime, &[("t", twin("2026-09-01"))]).await[0];
        let at_elm = f.world.pupils(f.elm, &[("t", twin("2026-09-02"))]).await[0];
        assert_eq!(at_lime.1, at_elm.1, "one pupil");
        f.world.say(f.lime, &truant(at_lime.0, 5)).await;
        let lease = Lease::acquire(&f.world.db, SEQUENCER, "test", Duration::from_mins(1));
        let lease = lease.await.unwrap().unwrap();
        sequence(&f.world.db, &lease, Uuid::from_u128(1)).await.unwrap();
        let expected = [
            ("first", &f.first, f.lime.id),
            ("second", &f.second, f.elm.id),
            ("lime", &f.of_lime, f.lime.id),
            ("elm", &f.of_elm, f.elm.id),
        ];
        for (who, scope, school) in expected {
            let found = event::between(&f.world.db, scope, (0, 9), 200, Categories::all()).await;
            let told = found.unwrap().told;
            let schools: Vec<_> = told.iter().map(|event| event.told.as_ref().unwrap().school).collect();
            assert_eq!(schools, [Some(school)], "{who}");
        }
    }
);
