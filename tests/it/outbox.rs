//! The outbox: a position is given after the commit, so a reader that goes by it skips nothing (R07).
//!
//! A reader that goes by the id is committed beside it, to show that the danger is real: ids are
//! given before the commit, and what commits late is behind such a reader already.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clb_hub::deliver::follower::Follower;
use clb_hub::demo::dice::Dice;
use clb_hub::store::lease::Lease;
use clb_hub::store::outbox::{Head, SEQUENCER, sequence};
use futures::future::{join, join_all};
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::evaluation::Said;
use hub_entities::id::{ClbId, EventId, Ids, PupilId, SignalId};
use hub_entities::operation::{Actor, Role};
use hub_entities::signal::{EventKind, outbox, row};
use hub_entities::source::RunKind;
use hub_entities::time::SchoolYear;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseConnection, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, TransactionTrait,
};
use uuid::Uuid;

use crate::support::database::{Backend, both_databases};
use crate::support::door::Hub;
use crate::support::look::{list, meddle, number};
use crate::support::world::{World, am, born, pm};

const NOW: &str = "2026-10-01T10:00:00Z";
const WRITERS: usize = 8;
const EVENTS: usize = 5_200;
const EPOCH: Uuid = Uuid::from_u128(7);
const B: Reading = Reading::Absent(Code::B);

/// A pupil with a standing signal: what the events are about.
async fn standing_signal(world: &World) -> (PupilId, SignalId) {
    let clb = world.clb("114711").await;
    let school = world.school("123456", clb, Categories::all()).await;
    let (record, pupil) = world.pupils(school, &[("a", born("2012-05-01"))]).await[0];
    let five = [
        am("2026-09-01"),
        pm("2026-09-01"),
        am("2026-09-03"),
        pm("2026-09-03"),
        am("2026-09-04"),
    ];
    assert_eq!(
        world
            .say(school, &five.map(|half_day| (record, half_day, B)))
            .await
            .raised,
        1
    );
    let signal = row::Entity::find().one(&world.look).await.unwrap().unwrap();
    (pupil, signal.id)
}

/// A writer that holds its transaction open. PostgreSQL has all eight open at once; SQLite has one
/// write lock, so there a writer has its ids and keeps its rows until it commits.
struct Writer<'a> {
    look: &'a DatabaseConnection,
    tx: Option<DatabaseTransaction>,
    rows: Vec<outbox::Model>,
}

impl Writer<'_> {
    async fn write(&mut self, event: outbox::Model, backend: Backend) {
        if backend == Backend::Postgres {
            if self.tx.is_none() {
                self.tx = Some(self.look.begin().await.unwrap());
            }
            insert(&event, self.tx.as_ref().unwrap()).await;
        }
        self.rows.push(event);
    }

    /// Commits what it wrote, and says what that was.
    async fn commit(&mut self) -> Vec<EventId> {
        let tx = if let Some(open) = self.tx.take() {
            open
        } else {
            let tx = self.look.begin().await.unwrap();
            for event in &self.rows {
                insert(event, &tx).await;
            }
            tx
        };
        tx.commit().await.unwrap();
        self.rows.drain(..).map(|event| event.id).collect()
    }

    async fn roll_back(&mut self) {
        if let Some(open) = self.tx.take() {
            open.rollback().await.unwrap();
        }
        self.rows.clear();
    }
}

async fn insert(event: &outbox::Model, tx: &DatabaseTransaction) {
    event.clone().into_active_model().insert(tx).await.unwrap();
}

/// A reader with a cursor: by position as the product reads, or by id as it must not.
#[derive(Default)]
struct Reader {
    last_position: i64,
    last_id: Option<EventId>,
    by_position: Vec<EventId>,
    by_id: BTreeSet<EventId>,
}

impl Reader {
    async fn read(&mut self, look: &DatabaseConnection) {
        let new = outbox::Entity::find()
            .filter(outbox::Column::Position.gt(self.last_position))
            .order_by_asc(outbox::Column::Position);
        for event in new.all(look).await.unwrap() {
            let position = event.position.unwrap();
            assert_eq!(position, self.last_position + 1, "a gap in the positions");
            self.last_position = position;
            self.by_position.push(event.id);
        }
        let new = outbox::Entity::find().order_by_asc(outbox::Column::Id);
        let new = match self.last_id {
            Some(last) => new.filter(outbox::Column::Id.gt(last)),
            None => new,
        };
        for event in new.all(look).await.unwrap() {
            self.last_id = Some(event.id);
            self.by_id.insert(event.id);
        }
    }
}

both_databases!(a_reader_by_position_misses_nothing, async |database: &TestDatabase| {
    let world = World::new(database, NOW).await;
    let (pupil, signal) = standing_signal(&world).await;
    let clb = ClbId(list::<Uuid>(&world.look, "select id from clb").await[0]);
    let worker = world.someone(Role::ClbWorker, None, Some(clb)).await;
    let hub = Hub::over(world);
    let world = &hub.world;
    // And one who asks the hub itself, while others have not committed yet.
    let (mut cursor, mut told) = (None, Vec::new());
    let lease = Lease::acquire(&world.db, SEQUENCER, "a", Duration::from_mins(10))
        .await
        .unwrap()
        .unwrap();
    let mut writers: Vec<Writer<'_>> = (0..WRITERS)
        .map(|_| Writer {
            look: &world.look,
            tx: None,
            rows: Vec::new(),
        })
        .collect();
    let mut reader = Reader::default();
    let mut dice = Dice::of(7, 7, 7);
    let mut committed: BTreeSet<EventId> = list::<EventId>(&world.look, "select id from outbox")
        .await
        .into_iter()
        .collect();

    while committed.len() < EVENTS {
        let writer = &mut writers[dice.below(WRITERS)];
        if writer.rows.is_empty() || dice.chance(960) {
            let event = outbox::Model {
                id: EventId(world.ids.next(world.now)),
                position: None,
                kind: EventKind::Changed,
                signal_id: signal,
                signal_kind: "truancy.5".to_owned(),
                pupil_id: Some(pupil),
                school_year: SchoolYear(2026),
                half_days: 5,
                version: 1,
                occurred_at: world.now,
                party: None,
            };
            writer.write(event, database.backend).await;
        } else if dice.chance(100) {
            writer.roll_back().await;
        } else {
            committed.extend(writer.commit().await);
            if dice.chance(500) {
                sequence(&world.db, &lease, EPOCH).await.unwrap();
            }
            reader.read(&world.look).await;
            follow(&hub, &worker, &mut cursor, &mut told).await;
        }
    }
    for writer in &mut writers {
        committed.extend(writer.commit().await);
    }
    sequence(&world.db, &lease, EPOCH).await.unwrap();
    reader.read(&world.look).await;
    follow(&hub, &worker, &mut cursor, &mut told).await;

    assert_eq!(
        told, reader.by_position,
        "changes(after) misses nothing and repeats nothing"
    );
    assert_eq!(reader.by_position.len(), committed.len(), "nothing twice");
    let by_position: BTreeSet<EventId> = reader.by_position.into_iter().collect();
    assert_eq!(by_position, committed, "nothing missed, nothing made up");
    // The comparison: had it gone by id, it would have lost a good part of them.
    let lost = committed.difference(&reader.by_id).count();
    assert!(lost > committed.len() / 10, "a reader by id lost only {lost}");
});

/// Goes on reading what `changes(after)` tells a worker, in small pages, until there is no more now.
async fn follow(hub: &Hub, worker: &Actor, cursor: &mut Option<String>, told: &mut Vec<EventId>) {
    loop {
        let after = cursor
            .as_ref()
            .map_or_else(String::new, |cursor| format!("after: \"{cursor}\""));
        let question = format!("{{ changes(first: 7 {after}) {{ hasMore endCursor changes {{ id }} }} }}");
        let page = hub.ask(worker, &question).await["changes"].take();
        let changes = page["changes"].as_array().unwrap();
        told.extend(
            changes
                .iter()
                .map(|change| change["id"].as_str().unwrap().parse::<EventId>().unwrap()),
        );
        *cursor = Some(page["endCursor"].as_str().unwrap().to_owned());
        if page["hasMore"] == false {
            return;
        }
    }
}

// The product's own writers, at once, while the sequencer runs beside them.
both_databases!(
    real_writers_and_the_sequencer_at_once,
    async |database: &TestDatabase| {
        let world = World::new(database, NOW).await;
        let clb = world.clb("114711").await;
        let mut all = Vec::new();
        for number in 0..WRITERS {
            let school = world.school(&format!("12345{number}"), clb, Categories::all()).await;
            let keys: Vec<String> = (0..12).map(|pupil| format!("{number}-{pupil}")).collect();
            let pupils: Vec<_> = keys.iter().map(|key| (key.as_str(), born("2012-05-01"))).collect();
            all.push((school, world.pupils(school, &pupils).await));
        }
        let worker = world.someone(Role::ClbWorker, None, Some(clb)).await;
        let hub = Hub::over(world);
        let world = &hub.world;
        let writers = all.iter().map(async |(school, pupils)| {
            let scope = world.source_scope(*school).await;
            let (lease, run) = world.run(*school, &scope, RunKind::Absences).await;
            for (record, _) in pupils {
                for half_days in [
                    vec![
                        am("2026-09-01"),
                        pm("2026-09-01"),
                        am("2026-09-03"),
                        pm("2026-09-03"),
                        am("2026-09-04"),
                    ],
                    vec![pm("2026-09-04")],
                ] {
                    let said: Vec<Said> = half_days
                        .iter()
                        .map(|at| Said {
                            record: *record,
                            at: *at,
                            reading: B,
                        })
                        .collect();
                    let work = world.work(&scope, &lease, run.id);
                    clb_hub::store::ledger::merge_half_days(&world.db, work, &said, None)
                        .await
                        .unwrap();
                }
            }
        });
        let lease = Lease::acquire(&world.db, SEQUENCER, "a", Duration::from_mins(10))
            .await
            .unwrap()
            .unwrap();
        let writing = AtomicBool::new(true);
        let written = async {
            join_all(writers).await;
            writing.store(false, Ordering::SeqCst);
        };
        let sequenced = async {
            let mut reader = Reader::default();
            let (mut cursor, mut told) = (None, Vec::new());
            loop {
                // Asked before sequencing: what is committed by then must be read in this round.
                let last_round = !writing.load(Ordering::SeqCst);
                sequence(&world.db, &lease, EPOCH).await.unwrap();
                reader.read(&world.look).await;
                follow(&hub, &worker, &mut cursor, &mut told).await;
                if last_round {
                    return (reader, told);
                }
                tokio::task::yield_now().await;
            }
        };
        let ((reader, told), ()) = join(sequenced, written).await;
        // Each of 8 × 12 pupils is told of twice: raised at five, changed at six.
        assert_eq!(reader.last_position, 192);
        assert_eq!(reader.by_position.iter().collect::<BTreeSet<_>>().len(), 192);
        assert_eq!(number(&world.look, "select count(*) from outbox").await, 192);
        // Who asks the product is told each of them, once and in this order.
        assert_eq!(told, reader.by_position);
        // Of one pupil, what was committed first has the lower position.
        let upside_down = "select count(*) from outbox a join outbox b on a.signal_id = b.signal_id
                       where a.version < b.version and a.position > b.position";
        assert_eq!(number(&world.look, upside_down).await, 0);
    }
);

// The first epoch given stays; sequencing what is sequenced gives nothing.
both_databases!(positions_are_given_once, async |database: &TestDatabase| {
    let world = World::new(database, NOW).await;
    standing_signal(&world).await;
    let lease = Lease::acquire(&world.db, SEQUENCER, "a", Duration::from_mins(10))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(sequence(&world.db, &lease, EPOCH).await.unwrap(), 1);
    assert_eq!(sequence(&world.db, &lease, Uuid::from_u128(8)).await.unwrap(), 0);
    assert_eq!(list::<i64>(&world.look, "select position from outbox").await, [1]);
    assert_eq!(list::<Uuid>(&world.look, "select epoch from sequence").await, [EPOCH]);
    assert_eq!(number(&world.look, "select position from sequence").await, 1);
});

// R39: being woken is only the sooner of two ways to look. Here nobody wakes anybody, on either database, and whatever is given
// a position is found all the same. More than once: who begins to listen looks once for what was before.
both_databases!(whoever_follows_looks_by_itself, async |database: &TestDatabase| {
    let world = World::new(database, NOW).await;
    let lease = Lease::acquire(&world.db, SEQUENCER, "test", Duration::from_mins(10)).await;
    sequence(&world.db, &lease.unwrap().unwrap(), EPOCH).await.unwrap();
    let follower = Follower::new(world.db.clone(), Arc::default(), Arc::default());
    let mut head = follower.head();
    let given = async {
        for position in 1..=4 {
            let text = "update sequence set position = position + 1 where name = 'outbox'";
            assert_eq!(meddle(&world.look, text).await, 1);
            let expected = Some(Head { epoch: EPOCH, position });
            let seen = tokio::time::timeout(Duration::from_secs(15), head.wait_for(|head| *head == expected)).await;
            seen.expect("nobody looks").unwrap();
        }
    };
    follower.run(given).await;
});
