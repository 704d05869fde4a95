//! Leases: a job has one holder, and who has lost it commits nothing (design §4).
//!
//! No test waits for a lease to run out: its end is moved in the table, as time would.

use std::time::Duration;

use clb_hub::store::lease::Lease;
use clb_hub::store::ledger::{Work, merge_half_days};
use clb_hub::store::loss::{Gap, Unmatched, note_gaps, put_in_quarantine, resolve};
use clb_hub::store::outbox::{SEQUENCER, sequence};
use clb_hub::store::roster::{
    ClassSaid, MembershipSaid, end_missing, end_missing_memberships, end_missing_report_places, merge_classes,
    merge_memberships, merge_pupils, merge_report_classes, merge_report_places,
};
use clb_hub::store::run::{Coming, begin, discard, set_state};
use clb_hub::store::staging::{Pack, put_packs, put_rows};
use clb_hub::store::{Db, DbError};
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::evaluation::Said;
use hub_entities::id::{Ids, RunId};
use hub_entities::policy::Scope;
use hub_entities::source::{KeyKind, RunKind, RunState, run};
use hub_entities::time::SchoolYear;
use sea_orm::DatabaseConnection;

use crate::support::database::{TestDatabase, both_databases};
use crate::support::look::{everything, list, meddle, number};
use crate::support::world::{School, World, am, born};

const NOW: &str = "2026-10-01T10:00:00Z";
const TEN_MINUTES: Duration = Duration::from_mins(10);

async fn take(db: &Db, holder: &str) -> Option<Lease> {
    Lease::acquire(db, "job", holder, TEN_MINUTES).await.unwrap()
}

/// Every lease has run out a moment ago, on the clock of the database.
async fn run_out(look: &DatabaseConnection) {
    meddle(look, "update lease set expires_at = '2020-01-01T00:00:00.000Z'").await;
}

both_databases!(a_job_has_one_holder, async |database: &TestDatabase| {
    let world = World::new(database, NOW).await;
    let first = take(&world.db, "a").await.unwrap();
    assert_eq!(take(&world.db, "b").await, None, "it is taken");
    assert!(
        Lease::acquire(&world.db, "another job", "b", TEN_MINUTES)
            .await
            .unwrap()
            .is_some()
    );
    first.release(&world.db).await.unwrap();
    let second = take(&world.db, "b").await.unwrap();
    assert_eq!(take(&world.db, "a").await, None);
    run_out(&world.look).await;
    assert!(take(&world.db, "a").await.is_some(), "it ran out");
    // Giving back what another has taken over changes nothing.
    second.release(&world.db).await.unwrap();
    assert_eq!(take(&world.db, "b").await, None);
    assert_eq!(
        list::<i64>(&world.look, "select epoch from lease where name = 'job'").await,
        [3],
        "the epoch rises each time it changes hands"
    );
});

// The clock of a host that is years off moves no lease: the database tells the time.
both_databases!(a_lease_goes_by_the_database, async |database: &TestDatabase| {
    for now in ["1999-01-01T00:00:00Z", "2099-01-01T00:00:00Z"] {
        let world = World::new(database, now).await;
        let held = Lease::acquire(&world.db, now, "a", Duration::ZERO).await.unwrap();
        assert!(held.is_some());
        // At least a second: one that ended as it began would fence nobody out.
        let again = Lease::acquire(&world.db, now, "b", TEN_MINUTES).await.unwrap();
        let of_table = number(
            &world.look,
            "select count(*) from lease where expires_at between '2020-01-01T00:00:00.000Z' and '2090-01-01T00:00:00.000Z'",
        );
        assert!(of_table.await > 0);
        assert_eq!(again, None);
    }
});

/// A school with one pupil of four B, and a run under way on it.
struct Scene {
    world: World,
    school: School,
    scope: Scope,
    lease: Lease,
    run: run::Model,
    said: Vec<Said>,
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        let world = World::new(database, NOW).await;
        let clb = world.clb("114711").await;
        let school = world.school("123456", clb, Categories::all()).await;
        let (record, _) = world.pupils(school, &[("a", born("2012-05-01"))]).await[0];
        let scope = world.source_scope(school).await;
        let (lease, run) = world.run(school, &scope, RunKind::Absences).await;
        let said = vec![Said {
            record,
            at: am("2026-09-04"),
            reading: Reading::Absent(Code::B),
        }];
        Self {
            world,
            school,
            scope,
            lease,
            run,
            said,
        }
    }

    fn work(&self) -> Work<'_> {
        self.world.work(&self.scope, &self.lease, self.run.id)
    }

    /// What every function that commits under a lease answers now, by its name.
    async fn all(&self) -> Vec<(&'static str, Result<(), DbError>)> {
        let (db, work, lease, run) = (&self.world.db, self.work(), &self.lease, self.run.id);
        let key = || "a".to_owned();
        let coming = Coming {
            id: RunId(self.world.ids.next(self.world.now)),
            source: self.school.source,
            kind: RunKind::Roster,
            content_hash: vec![1],
            complete: true,
            now: self.world.now,
        };
        let class = ClassSaid {
            name: "1A".to_owned(),
            grade: None,
            school_year: SchoolYear(2026),
        };
        let place = MembershipSaid {
            class_key: "1A".to_owned(),
            pupil_key: key(),
            begins_on: None,
            ends_on: None,
            gone: false,
        };
        let gap = Gap {
            rule: "absence.unknown_letter",
            detail: "q".to_owned(),
            rows: 1,
        };
        let pack = Pack {
            pupil: hub_entities::id::PupilId(uuid::Uuid::nil()),
            record: self.said[0].record,
            bytes: vec![0; 6],
        };
        let unmatched = Unmatched {
            key_kind: KeyKind::SourceKey,
            source_key: key(),
            rows: 1,
            body: vec![0; 6],
        };
        let finished = run::Model {
            state: RunState::Done,
            ..self.run.clone()
        };
        let epoch = uuid::Uuid::from_u128(1);
        vec![
            ("begin", begin(db, &self.scope, lease, coming).await.map(drop)),
            ("set_state", set_state(db, lease, finished).await.map(drop)),
            ("keep", lease.keep(db).await),
            ("discard", discard(db, lease, run).await),
            (
                "put_rows",
                put_rows(db, lease, run, "pupil", vec![(key(), serde_json::json!({}))]).await,
            ),
            ("put_packs", put_packs(db, lease, run, 1, vec![pack]).await),
            (
                "merge_classes",
                merge_classes(db, work, &[(key(), class.clone())], None).await.map(drop),
            ),
            (
                "merge_pupils",
                merge_pupils(db, work, &[("b".to_owned(), born("2013-01-01"))], None)
                    .await
                    .map(drop),
            ),
            (
                "merge_memberships",
                merge_memberships(db, work, &[(key(), place.clone())], None)
                    .await
                    .map(drop),
            ),
            (
                "merge_report_classes",
                merge_report_classes(db, work, vec![(key(), class.clone())]).await,
            ),
            (
                "merge_report_places",
                merge_report_places(db, work, vec![(key(), place.clone())]).await,
            ),
            ("end_missing_report_places", end_missing_report_places(db, work).await),
            ("end_missing", end_missing(db, work, 100).await.map(drop)),
            (
                "end_missing_memberships",
                end_missing_memberships(db, work, 100).await.map(drop),
            ),
            (
                "merge_half_days",
                merge_half_days(db, work, &self.said, None).await.map(drop),
            ),
            ("note_gaps", note_gaps(db, work, vec![gap]).await),
            (
                "put_in_quarantine",
                put_in_quarantine(db, work, RunKind::Absences, vec![unmatched]).await,
            ),
            ("resolve", resolve(db, lease, &[], self.world.now).await),
            ("sequence", sequence(db, lease, epoch).await.map(drop)),
        ]
    }

    /// All of it is refused, and nothing is left of it.
    async fn commits_nothing(&self, database: &TestDatabase) {
        let runs = "select count(*) from sync_run where state = 'staging' and changed = 0 and cursor is null";
        let (before, under_way) = (
            everything(database, &self.world.look).await,
            number(&self.world.look, runs).await,
        );
        for (name, answer) in self.all().await {
            assert!(matches!(answer, Err(DbError::LeaseLost { .. })), "{name}: {answer:?}");
        }
        assert_eq!(everything(database, &self.world.look).await, before);
        assert_eq!(number(&self.world.look, runs).await, under_way);
        assert_eq!(number(&self.world.look, "select count(*) from absence").await, 0);
    }
}

// The control: under a lease that holds, all of it is done.
both_databases!(who_holds_the_lease_commits, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    for (name, answer) in scene.all().await {
        assert!(answer.is_ok(), "{name}: {answer:?}");
    }
    assert_eq!(number(&scene.world.look, "select count(*) from absence").await, 1);
});

both_databases!(
    who_lost_the_lease_to_another_commits_nothing,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        run_out(&scene.world.look).await;
        let names: Vec<String> = list(&scene.world.look, "select name from lease").await;
        for name in names {
            let taken = Lease::acquire(&scene.world.db, &name, "another", TEN_MINUTES)
                .await
                .unwrap();
            assert!(taken.is_some());
        }
        scene.commits_nothing(database).await;
    }
);

both_databases!(
    who_let_the_lease_run_out_commits_nothing,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        run_out(&scene.world.look).await;
        scene.commits_nothing(database).await;
    }
);

// A holder that was restarted under its own name takes over from itself: what still runs of its former
// life is fenced out by the epoch alone.
both_databases!(
    a_former_life_of_the_holder_commits_nothing,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let names: Vec<String> = list(&scene.world.look, "select name from lease").await;
        for name in names {
            let again = Lease::acquire(&scene.world.db, &name, "test", TEN_MINUTES)
                .await
                .unwrap();
            assert!(again.is_some(), "its own name is no obstacle");
        }
        scene.commits_nothing(database).await;
    }
);

// Work lengthens the lease; the sequencer's is one of them.
both_databases!(work_lengthens_the_lease, async |database: &TestDatabase| {
    let world = World::new(database, NOW).await;
    let lease = Lease::acquire(&world.db, SEQUENCER, "a", TEN_MINUTES)
        .await
        .unwrap()
        .unwrap();
    let soon = match database.backend {
        Backend::Sqlite => "update lease set expires_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+60 seconds')",
        Backend::Postgres => "update lease set expires_at = clock_timestamp() + interval '60 seconds'",
    };
    meddle(&world.look, soon).await;
    sequence(&world.db, &lease, uuid::Uuid::from_u128(1)).await.unwrap();
    let later = match database.backend {
        Backend::Sqlite => {
            "select count(*) from lease where expires_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+300 seconds')"
        }
        Backend::Postgres => "select count(*) from lease where expires_at > clock_timestamp() + interval '300 seconds'",
    };
    assert_eq!(number(&world.look, later).await, 1);
});
