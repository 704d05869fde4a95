//! Signals: never lost, never doubled.

use clb_hub::store::ledger::merge_half_days;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::evaluation::Said;
use hub_entities::id::RecordId;
use hub_entities::source::RunKind;
use hub_entities::time::HalfDay;
use sea_orm::ConnectionTrait;

use crate::support::database::{TestDatabase, both_databases};
use crate::support::look::{events, everything, meddle, signals, standing};
use crate::support::world::{World, am, born, pm};

const B: Reading = Reading::Absent(Code::B);
const Z: Reading = Reading::Absent(Code::Z);

/// Four half-days of B in the first days of the school year 2026-2027: Tuesday 1 and Thursday 3 September.
fn four(record: RecordId) -> Vec<(RecordId, HalfDay, Reading)> {
    ["2026-09-01", "2026-09-03"]
        .into_iter()
        .flat_map(|day| [(record, am(day), B), (record, pm(day), B)])
        .collect()
}

async fn one_school(database: &TestDatabase) -> (World, crate::support::world::School) {
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    let clb = world.clb("114711").await;
    let school = world.school("123456", clb, Categories::all()).await;
    (world, school)
}

both_databases!(
    the_fifth_raises_and_a_correction_withdraws,
    async |database: &TestDatabase| {
        let (world, school) = one_school(database).await;
        let (record, pupil) = world.pupils(school, &[("a", born("2012-05-01"))]).await[0];

        assert_eq!(world.say(school, &four(record)).await.raised, 0);
        assert_eq!(standing(&world.look, pupil).await, []);

        let fifth = am("2026-09-04");
        assert_eq!(world.say(school, &[(record, fifth, B)]).await.raised, 1);
        assert_eq!(standing(&world.look, pupil).await, [("truancy.5".to_owned(), 1, 5)]);

        // The same again changes nothing.
        let again = world.say(school, &[(record, fifth, B)]).await;
        assert_eq!((again.changed, again.raised, again.withdrawn), (0, 0, 0));

        assert_eq!(world.say(school, &[(record, fifth, Z)]).await.withdrawn, 1);
        assert_eq!(standing(&world.look, pupil).await, []);

        // Back to B: the next generation, with an id of its own.
        assert_eq!(world.say(school, &[(record, fifth, B)]).await.raised, 1);
        assert_eq!(standing(&world.look, pupil).await, [("truancy.5".to_owned(), 2, 5)]);
        assert_eq!(signals(&world.look, pupil).await, 2);
        let told = events(&world.look, pupil).await;
        assert_eq!(
            told,
            [("signal.raised", 5), ("signal.withdrawn", 5), ("signal.raised", 5)]
        );

        // A deletion withdraws as a correction does.
        assert_eq!(
            world.say(school, &[(record, fifth, Reading::Present)]).await.withdrawn,
            1
        );
        assert_eq!(standing(&world.look, pupil).await, []);
    }
);

// The last line of defence: whatever the code believes, two standing signals of one key cannot be written.
both_databases!(
    the_database_refuses_a_second_standing_signal,
    async |database: &TestDatabase| {
        let (world, school) = one_school(database).await;
        let (record, pupil) = world.pupils(school, &[("a", born("2012-05-01"))]).await[0];
        world.say(school, &four(record)).await;
        world.say(school, &[(record, am("2026-09-04"), B)]).await;
        let second = |state: &str| {
            format!(
                "insert into signal (id, kind, subject, pupil_id, school_year, key, generation, state, half_days,
             reached_on, raised_at, backfill, version)
             select record.id, kind, subject, signal.pupil_id, school_year, key, 2, '{state}', half_days,
             reached_on, raised_at, backfill, version from signal, record"
            )
        };
        let refused = world.look.execute_unprepared(&second("raised")).await;
        assert!(refused.is_err(), "two signals of one key stand");
        assert_eq!(signals(&world.look, pupil).await, 1);
        // The control: it is the standing that is refused, not the statement.
        world.look.execute_unprepared(&second("withdrawn")).await.unwrap();
        assert_eq!(signals(&world.look, pupil).await, 2);
    }
);

// A signal that evaluation does not see, of the same key and generation: to swallow the second would be to tell
// of a signal that is not there. All of the transaction goes, the half-day included.
both_databases!(
    a_second_signal_of_a_key_is_never_swallowed,
    async |database: &TestDatabase| {
        let (world, school) = one_school(database).await;
        let (record, pupil) = world.pupils(school, &[("a", born("2012-05-01"))]).await[0];
        world.say(school, &four(record)).await;
        world.say(school, &[(record, am("2026-09-04"), B)]).await;
        meddle(&world.look, "update signal set pupil_id = null").await;
        let before = everything(database, &world.look).await;

        let scope = world.source_scope(school).await;
        let (lease, run) = world.run(school, &scope, RunKind::Absences).await;
        let said = Said {
            record,
            at: pm("2026-09-04"),
            reading: B,
        };
        let answer = merge_half_days(&world.db, world.work(&scope, &lease, run.id), &[said], None).await;
        assert!(answer.is_err(), "{answer:?}");
        assert_eq!(everything(database, &world.look).await, before);
        assert_eq!(events(&world.look, pupil).await, [("signal.raised", 5)]);
    }
);
