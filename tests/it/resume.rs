//! Runs that are killed, held, refused or too early: nothing is lost, nothing is doubled, and the
//! end is the one of an undisturbed run (design §5, R08).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;

use clb_hub::demo::absences::Absence;
use clb_hub::demo::population::{Population, Pupil};
use clb_hub::demo::schools::{Level, SchoolPlan, Shape};
use clb_hub::sync::absences::Rows;
use clb_hub::sync::files::AbsenceFile;
use clb_hub::sync::stop::Stop;
use clb_hub::sync::{Sync, SyncError};
use hub_connectors::absences::AbsenceRow;
use hub_connectors::report::Report;
use hub_entities::source::{KeyKind, RunState};
use sea_orm::DatabaseConnection;
use tokio::sync::watch;

use crate::support::database::{Backend, TestDatabase, both_databases, run_test};
use crate::support::look::{everything, list, meddle, number, until};
use crate::support::region::{Region, absence_format};
use crate::support::world::World;
use crate::timeouts::{ENDLESS, SOON, is_locked, until_a_write_is_under_way};

const NOW: &str = "2026-11-20T10:00:00Z";

/// One secondary school: the first so many of always the same pupils.
fn shape(pupils: usize) -> Shape {
    Shape {
        clbs: 1,
        schools: vec![SchoolPlan {
            level: Level::Secundair,
            pupils,
            classes: 6,
        }],
        movers_per_mille: 0,
        arrivals_per_mille: 0,
        ..Shape::demo()
    }
}

/// Everyone is away for forty half-days, so that a file is merged in more than one transaction; every
/// seventh pupil is truant on some of them.
fn absences_of(population: &Population, pupil: &Pupil) -> Vec<Absence> {
    let truant = if pupil.index.is_multiple_of(7) {
        pupil.index % 40
    } else {
        0
    };
    let at = population.lessons.iter().take(40).enumerate();
    at.map(|(place, at)| Absence {
        stay: 0,
        at: *at,
        letter: if place < truant { "B" } else { "Z" },
    })
    .collect()
}

async fn school(world: &World, pupils: usize) -> Region {
    Region::new(world, shape(pupils), 5, absences_of).await
}

/// What came of it, by the source's keys and without ids: two hubs that were told the same give the same.
async fn picture(look: &DatabaseConnection) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for text in [
        "select r.source_key || ' ' || e.begins_on || ' ' || coalesce(cast(e.ends_on as text), '-')
         from enrolment e join record r on r.id = e.record_id order by 1",
        "select r.source_key || ' ' || c.name || ' ' || coalesce(cast(m.ends_on as text), '-')
         from membership m join record r on r.id = m.record_id join class_group c on c.id = m.class_id order by 1",
        "select r.source_key || ' ' || a.day || ' ' || a.part || ' ' || a.mark || ' ' || a.revision
         from absence a join record r on r.id = a.record_id order by 1",
        "select r.source_key || ' ' || t.half_days || ' ' || t.pending from tally t
         join record r on r.pupil_id = t.pupil_id order by 1",
        "select r.source_key || ' ' || g.kind || ' ' || g.generation || ' ' || g.state || ' ' || g.half_days
         from signal g join record r on r.pupil_id = g.pupil_id order by 1",
        "select r.source_key || ' ' || o.kind || ' ' || o.signal_kind || ' ' || o.half_days
         from outbox o join record r on r.pupil_id = o.pupil_id order by 1",
        "select c.mark || ' ' || sum(c.half_days) from absence_count c group by c.mark order by 1",
    ] {
        all.push(list(look, text).await);
    }
    all
}

/// What is left of runs that changed something, and that nothing of them lies about. A run killed between its end
/// and its answer is followed by one that changes nothing.
async fn runs(look: &DatabaseConnection) -> Vec<String> {
    assert_eq!(number(look, "select count(*) from staged_row").await, 0);
    assert_eq!(number(look, "select count(*) from staged_half_days").await, 0);
    list(
        look,
        "select kind || ' ' || state || ' ' || staged || ' ' || changed || ' ' || unchanged || ' ' || raised
         from sync_run where changed > 0 order by started_at, id",
    )
    .await
}

/// The lease of a process that is gone ends by itself; here, at once.
async fn forget_leases(look: &DatabaseConnection) {
    meddle(look, "update lease set expires_at = '2000-01-01T00:00:00+00:00'").await;
}

/// Cuts a future off once it was polled so often, wherever it is then; its answer if it was quicker.
async fn cut_off<T>(work: impl Future<Output = T>, polls: u32) -> Option<T> {
    let mut work = Box::pin(work);
    let mut left = polls;
    std::future::poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

both_databases!(
    a_run_killed_anywhere_ends_as_an_undisturbed_one,
    async |database: &TestDatabase| {
        let other = TestDatabase::migrated(database.backend).await.unwrap();
        let undisturbed = World::new(&other, NOW).await;
        let calm = school(&undisturbed, 230).await;
        calm.import(0).await;

        let world = World::new(database, NOW).await;
        let region = school(&world, 230).await;
        let mut seen = BTreeSet::new();
        let mut kills = 0;
        for file in ["roster.zip", "absences.csv"] {
            // One step further each time, and soon further than that: a kill in every state.
            let mut polls = 1;
            loop {
                let import = async {
                    match file {
                        "roster.zip" => region.try_roster(0, &region.file(0, file)).await,
                        _ => region.try_absences(0, &region.file(0, file)).await,
                    }
                };
                match cut_off(import, polls).await {
                    // A statement of the one that was killed came after all, and took its lease.
                    Some(Err(SyncError::Busy)) => {}
                    Some(done) => {
                        assert_eq!(done.unwrap().state, RunState::Done);
                        break;
                    }
                    None => kills += 1,
                }
                forget_leases(&world.look).await;
                let standing: Vec<String> = list(&world.look, "select kind || ' ' || state from sync_run").await;
                seen.extend(standing);
                polls += 1 + polls / 4;
            }
        }
        assert!(kills > 10, "only {kills} kills");
        for state in [
            "roster staging",
            "roster merging",
            "absences staging",
            "absences merging",
        ] {
            assert!(seen.contains(state), "never killed while {state}: {seen:?}");
        }
        let (ours, calms) = (picture(&world.look).await, picture(&undisturbed.look).await);
        assert!(calms.iter().all(|part| !part.is_empty()), "nothing to compare");
        assert_eq!(ours, calms);
        // What was committed before a kill is counted once.
        assert_eq!(runs(&world.look).await, runs(&undisturbed.look).await);
        undisturbed.db.close().await.unwrap();
        other.remove().await;
    }
);

/// Kills the process that imports once this many chunks of a file are merged.
async fn killed_after(region: &Region, chunks: u32, path: &Path) {
    let left = AtomicU32::new(chunks);
    let mut sync = region.sync.clone();
    sync.progress = Arc::new(move |_, _| {
        assert!(left.fetch_sub(1, Ordering::Relaxed) > 1, "killed, as the test wants it");
    });
    let (source, connection, path) = (region.source(0), region.connections[0].clone(), path.to_owned());
    let killed = tokio::spawn(async move {
        let mut file = AbsenceFile::new(path, absence_format()).unwrap();
        sync.absences(source, &connection, &mut file).await.map(|_| ())
    });
    assert!(killed.await.unwrap_err().is_panic());
}

/// Rows of a file that tell the import to stop once so many were handed over; it counts on.
struct Told<'a> {
    rows: AbsenceFile,
    after: u32,
    handed: u32,
    stop: &'a watch::Sender<bool>,
}

impl Rows for Told<'_> {
    fn content_hash(&mut self) -> Result<Vec<u8>, SyncError> {
        self.rows.content_hash()
    }

    fn read(&mut self, each: &mut dyn FnMut(AbsenceRow<'_>) -> Result<(), SyncError>) -> Result<Report, SyncError> {
        self.rows.read(&mut |row| {
            self.handed += 1;
            if self.handed == self.after {
                self.stop.send_replace(true);
            }
            each(row)
        })
    }

    fn key_kind(&self) -> KeyKind {
        self.rows.key_kind()
    }
}

/// Rows of a file that is another one when it is opened to be read.
struct Replaced<'a> {
    rows: AbsenceFile,
    path: &'a Path,
    by: &'a str,
}

impl Rows for Replaced<'_> {
    fn content_hash(&mut self) -> Result<Vec<u8>, SyncError> {
        self.rows.content_hash()
    }

    fn read(&mut self, each: &mut dyn FnMut(AbsenceRow<'_>) -> Result<(), SyncError>) -> Result<Report, SyncError> {
        std::fs::write(self.path, self.by)?;
        self.rows.read(each)
    }

    fn key_kind(&self) -> KeyKind {
        self.rows.key_kind()
    }
}

// Else what is read would be known by the hash of what it replaced, and that one, when it comes, for done already.
both_databases!(
    a_file_that_is_replaced_while_it_is_read_is_refused,
    async |database: &TestDatabase| {
        let world = World::new(database, NOW).await;
        let region = school(&world, 30).await;
        region.roster(0).await;
        let (source, connection) = (region.source(0), &region.connections[0]);
        let path = region.file(0, "absences.csv");
        let first = std::fs::read_to_string(&path).unwrap();
        // Without the last half-day that counts.
        let counts = first.lines().rfind(|line| line.contains(",B")).unwrap();
        let second = first.replace(counts, "").replace("\n\n", "\n");
        let mut rows = Replaced {
            rows: AbsenceFile::new(&path, absence_format()).unwrap(),
            path: &path,
            by: &second,
        };
        let before = everything(database, &world.look).await;
        let refused = region.sync.absences(source, connection, &mut rows).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the file was replaced or changed while it was read; nothing was changed: the same again, once it lies still"
        );
        assert_eq!(everything(database, &world.look).await, before);

        // Each of the two is another import, and none is known already.
        let brought = region.absences(0, "absences.csv").await;
        std::fs::write(&path, &first).unwrap();
        let rest = region.absences(0, "absences.csv").await;
        assert_eq!((rest.changed, rest.staged), (1, brought.staged + 1));
    }
);

both_databases!(
    an_import_that_is_told_to_stop_gives_its_lease_back_and_goes_on,
    async |database: &TestDatabase| {
        let other = TestDatabase::migrated(database.backend).await.unwrap();
        let undisturbed = World::new(&other, NOW).await;
        school(&undisturbed, 230).await.import(0).await;

        let world = World::new(database, NOW).await;
        let region = school(&world, 230).await;
        region.roster(0).await;
        let (source, connection) = (region.source(0), &region.connections[0]);
        let file = || AbsenceFile::new(region.file(0, "absences.csv"), absence_format()).unwrap();

        // While it reads: no row behind that word.
        let stop = watch::Sender::new(false);
        let told = Sync {
            stop: Stop::by(&stop),
            ..region.sync.clone()
        };
        let mut rows = Told {
            rows: file(),
            after: 7,
            handed: 0,
            stop: &stop,
        };
        let stopped = told.absences(source, connection, &mut rows).await;
        assert!(matches!(stopped, Err(SyncError::Stopped)));
        assert_eq!(rows.handed, 7);

        // While it merges. Nobody forgets a lease here: it was given back.
        let stop = Arc::new(watch::Sender::new(false));
        let teller = Arc::clone(&stop);
        let told = Sync {
            stop: Stop::by(&stop),
            progress: Arc::new(move |_, _| {
                teller.send_replace(true);
            }),
            ..region.sync.clone()
        };
        let stopped = told.absences(source, connection, &mut file()).await;
        assert!(matches!(stopped, Err(SyncError::Stopped)));
        let half = "select count(*) from sync_run where kind = 'absences' and state = 'merging' and changed > 0";
        assert_eq!(number(&world.look, half).await, 1);

        assert_eq!(region.absences(0, "absences.csv").await.state, RunState::Done);
        assert_eq!(picture(&world.look).await, picture(&undisturbed.look).await);
        assert_eq!(runs(&world.look).await, runs(&undisturbed.look).await);
        undisturbed.db.close().await.unwrap();
        other.remove().await;
    }
);

// On SQLite nobody else ends what a stopped import is at: it would hold the one lock there is to write, and so its lease.
#[test]
fn a_stopped_import_gives_the_lock_back() {
    run_test(TestDatabase::migrated(Backend::Sqlite), async |database| {
        let world = World::new(database, NOW).await;
        let region = school(&world, 30).await;
        region.roster(0).await;
        let endless = format!("create trigger endless after insert on absence begin {ENDLESS}; end");
        meddle(&world.look, &endless).await;
        let stop = watch::Sender::new(false);
        let told = Sync {
            stop: Stop::by(&stop),
            ..region.sync.clone()
        };
        let mut rows = AbsenceFile::new(region.file(0, "absences.csv"), absence_format()).unwrap();
        let importing = told.absences(region.source(0), &region.connections[0], &mut rows);
        let stopping = async {
            until_a_write_is_under_way(&database.url).await;
            stop.send_replace(true);
            until("the lock is free", async || !is_locked(&database.url).await).await
        };
        let (stopped, took) = tokio::join!(importing, stopping);
        assert!(matches!(stopped, Err(SyncError::Stopped)));
        println!("an import that was stopped: the lock was free after {took:?}");
        assert!(took < SOON, "{took:?}");
        meddle(&world.look, "drop trigger endless").await;
        assert_eq!(region.absences(0, "absences.csv").await.state, RunState::Done);
    });
}

both_databases!(
    a_run_killed_before_its_last_pupils_came_ends_all_the_same,
    async |database: &TestDatabase| {
        let other = TestDatabase::migrated(database.backend).await.unwrap();
        let undisturbed = World::new(&other, NOW).await;
        school(&undisturbed, 230).await.import(0).await;

        // The school's first roster lacks thirty pupils, whose half-days wait; the run that brings the others is
        // killed after its first chunk; the whole roster comes; the absences are imported again.
        let world = World::new(database, NOW).await;
        let part = school(&world, 200).await;
        let region = school(&world, 230).await;
        part.roster(0).await;
        let absences = region.file(0, "absences.csv");
        killed_after(&region, 1, &absences).await;
        forget_leases(&world.look).await;
        assert_eq!(number(&world.look, "select count(*) from quarantine").await, 30);
        assert_eq!(
            number(&world.look, "select count(*) from sync_run where state = 'merging'").await,
            1
        );
        region.roster(0).await;
        let run = region.absences(0, "absences.csv").await;
        assert_eq!(run.state, RunState::Done);
        assert_eq!(picture(&world.look).await, picture(&undisturbed.look).await);
        let waiting = "select count(*) from quarantine where resolved_at is null";
        assert_eq!(number(&world.look, waiting).await, 0);
        undisturbed.db.close().await.unwrap();
        other.remove().await;
    }
);

both_databases!(
    half_days_that_come_before_their_pupils_wait,
    async |database: &TestDatabase| {
        let other = TestDatabase::migrated(database.backend).await.unwrap();
        let undisturbed = World::new(&other, NOW).await;
        school(&undisturbed, 40).await.import(0).await;

        let world = World::new(database, NOW).await;
        let region = school(&world, 40).await;
        let early = region.absences(0, "absences.csv").await;
        assert_eq!((early.staged, early.quarantined, early.changed), (1600, 1600, 0));
        assert_eq!(number(&world.look, "select count(*) from signal").await, 0);
        region.roster(0).await;
        assert_eq!(picture(&world.look).await, picture(&undisturbed.look).await);
        assert!(number(&world.look, "select count(*) from signal").await > 0);
        // The copy that waited is gone, the line stays.
        let left = "select count(*) from quarantine where resolved_at is null or length(body) > 0";
        assert_eq!(number(&world.look, left).await, 0);
        assert_eq!(number(&world.look, "select count(*) from quarantine").await, 40);
        undisturbed.db.close().await.unwrap();
        other.remove().await;
    }
);

both_databases!(
    a_roster_that_would_end_too_many_waits_for_a_person,
    async |database: &TestDatabase| {
        let world = World::new(database, NOW).await;
        let region = school(&world, 60).await;
        region.import(0).await;
        let mut before = everything(database, &world.look).await;
        before.remove("staged_row");
        // 7 of 60 are missing: more than a tenth.
        let fewer = school(&world, 53).await;
        let held = region.try_roster(0, &fewer.file(0, "roster.zip")).await.unwrap();
        assert_eq!((held.state, held.ended), (RunState::Held, 0));
        // The same again is held again.
        let again = region.try_roster(0, &fewer.file(0, "roster.zip")).await.unwrap();
        assert_eq!((again.state, again.id), (RunState::Held, held.id));
        let mut after = everything(database, &world.look).await;
        after.remove("staged_row");
        assert_eq!(after, before);

        assert!(region.sync.approve(region.source(0)).await.unwrap());
        let done = region.try_roster(0, &fewer.file(0, "roster.zip")).await.unwrap();
        assert_eq!((done.state, done.ended, done.id), (RunState::Done, 7, held.id));
        assert!(!region.sync.approve(region.source(0)).await.unwrap());
        let today = "select count(*) from enrolment where ends_on is null or ends_on > '2026-11-20'";
        assert_eq!(number(&world.look, today).await, 53);

        // 5 of 53 are not too many.
        let fewer = school(&world, 48).await;
        let done = region.try_roster(0, &fewer.file(0, "roster.zip")).await.unwrap();
        assert_eq!((done.state, done.ended), (RunState::Done, 5));
        // Nobody at all is, however few they were; and what the school puts right passes it by.
        let nobody = school(&world, 0).await;
        let held = region.try_roster(0, &nobody.file(0, "roster.zip")).await.unwrap();
        assert_eq!(held.state, RunState::Held);
        let done = region.try_roster(0, &fewer.file(0, "roster.zip")).await.unwrap();
        assert_eq!((done.state, done.changed, done.ended), (RunState::Done, 0, 0));
        assert!(!region.sync.approve(region.source(0)).await.unwrap());
        assert_eq!(number(&world.look, today).await, 48);
        runs(&world.look).await;
    }
);

both_databases!(a_faulty_file_changes_nothing, async |database: &TestDatabase| {
    let world = World::new(database, NOW).await;
    let region = school(&world, 40).await;
    region.import(0).await;
    let before = everything(database, &world.look).await;
    let key = region.population.pupil(0).stays[0].source_key.clone();
    let path = region.folder().join("faulty.csv");
    let rows = format!("pupil,date,part,code\r\n{key},2026-09-01,AM,B\r\n{key},2026-13-77,AM,B\r\n");
    std::fs::write(&path, rows).unwrap();
    let Err(SyncError::Faulty(report)) = region.try_absences(0, &path).await else {
        panic!("a date that is none was let through")
    };
    let fault = report.faults.iter().max_by_key(|fault| fault.severity).unwrap();
    assert_eq!((fault.file.as_str(), fault.line, fault.column), ("faulty.csv", 3, 2));
    assert!(!fault.rule.is_empty());
    assert_eq!(everything(database, &world.look).await, before);
    let kept: Vec<String> = list(
        &world.look,
        "select cast(report as text) from sync_run where state = 'refused'",
    )
    .await;
    assert_eq!(kept.len(), 1);
    assert!(kept[0].contains("faulty.csv") && kept[0].contains(fault.rule));
    // Neither the value nor the pupil is in what is kept or said.
    for told in [kept[0].clone(), SyncError::Faulty(report).to_string()] {
        assert!(!told.contains("2026-13-77") && !told.contains(&key), "{told}");
    }

    // A package with a row that cannot be read: the same.
    let path = region.folder().join("faulty.zip");
    std::fs::write(&path, b"PK no archive").unwrap();
    let refused = region.try_roster(0, &path).await;
    assert!(matches!(refused, Err(SyncError::Faulty(_))));
    assert_eq!(everything(database, &world.look).await, before);
    let refused = "select count(*) from sync_run where kind = 'roster' and state = 'refused'";
    assert_eq!(
        number(&world.look, refused).await,
        1,
        "the school can read what was refused"
    );
});
