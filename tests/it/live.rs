//! A live source: pulled over a socket, whatever befalls it on the way (R09, R41, R42, design §5).

use std::os::unix::fs::PermissionsExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::Days;
use clb_hub::register::EXAMPLE;
use clb_hub::runtime::SystemClock;
use clb_hub::sync::SyncError;
use futures::FutureExt;
use hub_connectors::contract::Stream;
use hub_connectors::fake::{Host, Trouble};
use hub_connectors::smartschool::fake::{Fake, Pupil};
use hub_entities::category::Categories;
use hub_entities::source::RunState;
use hub_entities::time::{Clock, HalfDay, Part, brussels_day};

use crate::support::database::{TestDatabase, both_databases};
use crate::support::look::{everything, list, meddle, number};
use crate::support::process::Folder;
use crate::support::tenant::{CODE, Scene, platform, pupil};
use crate::support::world::{World, am, at, day, pm};

const SCHOOL: &str = "123456";
/// Thursday.
const TODAY: &str = "2026-10-01";

/// Thirty pupils on Thursday 1 October; the first has five half-days without a reason, four of them in the days that
/// are read again.
async fn scene(database: &TestDatabase) -> Scene {
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    let mut platform = platform(SCHOOL, TODAY, 0..30);
    for at in [
        am("2026-09-15"),
        am("2026-09-29"),
        pm("2026-09-29"),
        am("2026-10-01"),
        pm("2026-10-01"),
    ] {
        platform.mark("pupil.0", at, "B");
    }
    platform.mark("pupil.1", am("2026-09-30"), "Z");
    Scene::of(world, SCHOOL, Categories::default_agreement(), platform).await
}

/// Everything but when it was last read.
async fn kept(database: &TestDatabase, scene: &Scene) -> std::collections::BTreeMap<String, Vec<String>> {
    let mut all = everything(database, &scene.world.look).await;
    all.remove("pull");
    all
}

async fn enrolled(scene: &Scene) -> i64 {
    number(
        &scene.world.look,
        "select count(*) from enrolment where ends_on is null",
    )
    .await
}

async fn raised(scene: &Scene) -> i64 {
    number(&scene.world.look, "select count(*) from signal where state = 'raised'").await
}

/// Where each stream stands.
async fn states(scene: &Scene) -> Vec<String> {
    list(
        &scene.world.look,
        "select kind || ' ' || cast(state as text) from pull order by kind",
    )
    .await
}

both_databases!(the_same_pull_twice_changes_nothing, async |database: &TestDatabase| {
    let scene = scene(database).await;
    let [roster, absences] = scene.pull_all().await;
    // One class, thirty pupils, thirty places.
    assert_eq!((roster.records, roster.known, roster.left), (61, 0, 0));
    assert_eq!((enrolled(&scene).await, raised(&scene).await), (30, 1));
    assert_eq!((absences.named, absences.found), (30, 30));
    // 23 days of lessons since 1 September, five of them Wednesdays with a morning only said as no school.
    assert_eq!(absences.records, 23 * 2 * 30);
    assert_eq!(
        absences.known,
        absences.records - 5,
        "who was there is no news, and sickness is not kept"
    );

    let before = kept(database, &scene).await;
    let runs = number(&scene.world.look, "select count(*) from sync_run").await;
    let [roster, absences] = scene.pull_all().await;
    assert_eq!((roster.records, roster.known), (61, 61));
    assert_eq!(absences.records, absences.known);
    assert!(roster.run.is_none() && absences.run.is_none());
    assert_eq!(
        kept(database, &scene).await,
        before,
        "0 rows changed, 0 events, 0 signals"
    );
    assert_eq!(number(&scene.world.look, "select count(*) from sync_run").await, runs);
    let all = format!("{:?}", everything(database, &scene.world.look).await);
    assert!(!all.contains(CODE), "the access code stands in the database");
});

// Whatever befalls the k-th answer and all after it, for every k: nothing is changed, and the next read that comes to
// its end brings everything.
both_databases!(a_cut_anywhere_changes_nothing, async |database: &TestDatabase| {
    let scene = scene(database).await;
    scene.pull_all().await;
    scene.tenant.fake.change(|platform| {
        platform.moves("pupil.7", None, day(TODAY));
        platform.add_pupil(pupil(30), "1A", day(TODAY));
        platform.unmark("pupil.0", am("2026-09-29"));
        platform.mark("pupil.30", am(TODAY), "B");
    });
    let before = kept(database, &scene).await;
    let stood = states(&scene).await;
    let mut cut = 0;
    for stream in [Stream::Roster, Stream::Absences] {
        scene.tenant.site.calm();
        scene.preview(stream).await;
        let answers = scene.tenant.site.answered();
        assert!(answers > 4, "{stream:?}: {answers} answers");
        for trouble in Trouble::ALL {
            // Every place is cut in the conformance suite by every trouble; here each place once, and each trouble.
            for k in (1..=answers).filter(|k| *k == answers || (k + cut) % Trouble::ALL.len() == 0) {
                scene.tenant.site.from(k, trouble);
                let fault = scene.pull_hastily(stream).await.unwrap_err();
                assert!(matches!(fault, SyncError::Source(_)), "{trouble:?} at {k}: {fault}");
            }
            cut += 1;
        }
        scene.tenant.site.calm();
    }
    assert_eq!(kept(database, &scene).await, before, "something was changed");
    assert_eq!(states(&scene).await, stood, "the watermark has moved");

    scene.pull_all().await;
    let here = "select count(*) from enrolment e join record r on r.id = e.record_id
         where e.ends_on is null and r.identifier in ('7', '30')";
    assert_eq!((enrolled(&scene).await, number(&scene.world.look, here).await), (30, 1));
    assert_eq!(raised(&scene).await, 0, "one of five was taken back");
    let marks = "select count(*) from absence a join record r on r.id = a.record_id where r.identifier = '30'";
    assert_eq!(number(&scene.world.look, marks).await, 1);
});

// R47: a source that answers, but never comes to its end, has no more than its budget. Its lease is free then.
both_databases!(a_read_ends_with_its_budget, async |database: &TestDatabase| {
    let scene = scene(database).await;
    scene.pull_all().await;
    scene
        .tenant
        .fake
        .change(|platform| platform.mark("pupil.2", am(TODAY), "B"));
    let before = kept(database, &scene).await;
    let stood = states(&scene).await;
    for stream in [Stream::Roster, Stream::Absences] {
        scene.tenant.site.from(1, Trouble::Late(Duration::from_mins(5)));
        let pull = scene.pull_within(Duration::from_millis(50), stream);
        let given_up = tokio::time::timeout(Duration::from_secs(20), pull).await;
        let fault = given_up.expect("it waits for a source that never ends").unwrap_err();
        let told = "the source did not answer: it took longer than a read may";
        assert_eq!(fault.to_string(), told, "{stream:?}");
    }
    assert_eq!(kept(database, &scene).await, before, "something was changed");
    assert_eq!(states(&scene).await, stood, "the watermark has moved");
    scene.tenant.site.calm();
    let [_, absences] = scene.pull_all().await;
    assert_eq!(absences.records - absences.known, 1, "the next read brings it");
});

// A school that answers the first day and then with an empty class: R08 holds over the wire too.
both_databases!(a_school_that_empties_itself_is_held, async |database: &TestDatabase| {
    let scene = scene(database).await;
    scene.pull_all().await;
    let stood = states(&scene).await;
    let before = scene.tenant.fake.change(|platform| {
        let before = platform.clone();
        for number in 1..30 {
            platform.moves(&format!("pupil.{number}"), None, day(TODAY));
        }
        before
    });
    let held = scene.pull(Stream::Roster).await;
    assert_eq!(held.run.unwrap().state, RunState::Held);
    assert_eq!((held.left, enrolled(&scene).await), (29, 30));
    assert_eq!(states(&scene).await, stood);
    // Once the school has put it right, to the letter, what waited is not to be let go on by anyone.
    scene.tenant.fake.change(|platform| *platform = before);
    scene.pull(Stream::Roster).await;
    let states = list::<String>(
        &scene.world.look,
        "select state from sync_run where kind = 'roster' order by state",
    );
    assert_eq!(states.await, ["done", "done", "refused"]);
    assert_eq!(enrolled(&scene).await, 30);
});

// Killed after each step in turn: the next start brings the rest, once, and the watermark moves last.
both_databases!(a_killed_pull_goes_on, async |database: &TestDatabase| {
    let scene = scene(database).await;
    for stream in [Stream::Roster, Stream::Absences] {
        let mut killed = 0;
        loop {
            let told = Arc::new(AtomicU64::new(0));
            let sync = scene.sync(move |_, _| {
                assert!(told.fetch_add(1, Ordering::SeqCst) < killed, "killed here");
            });
            let outcome = AssertUnwindSafe(scene.pull_with(&sync, stream)).catch_unwind().await;
            if let Ok(finished) = outcome {
                finished.unwrap();
                break;
            }
            killed += 1;
            let done = usize::from(stream != Stream::Roster);
            assert_eq!(states(&scene).await.len(), done, "the watermark is not last");
            // The lease of the dead runs out.
            meddle(
                &scene.world.look,
                "update lease set expires_at = '2020-01-01T00:00:00.000Z'",
            )
            .await;
        }
        assert!(killed > 2, "{killed}");
    }
    assert_eq!((enrolled(&scene).await, raised(&scene).await), (30, 1));
    assert_eq!(number(&scene.world.look, "select count(*) from absence").await, 5);
    assert_eq!(number(&scene.world.look, "select count(*) from staged_row").await, 0);
    assert_eq!(
        number(
            &scene.world.look,
            "select count(*) from outbox where kind = 'signal.raised'"
        )
        .await,
        1
    );
});

// A letter that is changed days later comes with the next read; what lies before the window, with a full one.
both_databases!(
    a_late_letter_comes_with_the_next_read,
    async |database: &TestDatabase| {
        let mut scene = scene(database).await;
        scene.pull_all().await;
        scene.world.now = at("2026-10-02T10:00:00Z");
        scene.tenant.fake.change(|platform| {
            platform.today = day("2026-10-02");
            platform.mark("pupil.2", am("2026-09-29"), "B");
            platform.mark("pupil.2", am("2026-09-10"), "B");
        });
        let of_two = "select count(*) from absence a join record r on r.id = a.record_id where r.identifier = '2'";
        scene.pull(Stream::Absences).await;
        assert_eq!(number(&scene.world.look, of_two).await, 1);
        scene.pull(Stream::Absences).await;
        assert_eq!(number(&scene.world.look, of_two).await, 1);
        let sync = scene.sync(|_, _| {});
        scene.pull_full(&sync, Stream::Absences).await;
        assert_eq!(number(&scene.world.look, of_two).await, 2);
    }
);

// Whom the roster does not know yet waits, once, however often the window is read again; the last word is kept.
both_databases!(who_is_not_known_yet_waits_once, async |database: &TestDatabase| {
    let scene = scene(database).await;
    let waiting = async || {
        number(
            &scene.world.look,
            "select sum(rows) from quarantine where resolved_at is null",
        )
        .await
    };
    let first = scene.pull(Stream::Absences).await;
    assert_eq!((first.named, first.found), (30, 0));
    let waits = waiting().await;
    assert_eq!(waits, 23 * 2 * 30);
    let before = kept(database, &scene).await;
    let again = scene.pull(Stream::Absences).await;
    assert!(again.run.is_none(), "the same again");
    assert_eq!(kept(database, &scene).await, before);
    scene
        .tenant
        .fake
        .change(|platform| platform.unmark("pupil.0", pm("2026-09-29")));
    scene.pull(Stream::Absences).await;
    assert_eq!(waiting().await, waits, "another word on a half-day that waits already");
    // The roster comes, and what waited goes where it belongs.
    scene.pull(Stream::Roster).await;
    let left = "select count(*) from quarantine where resolved_at is null";
    assert_eq!(number(&scene.world.look, left).await, 0);
    let marks = "select count(*) from absence a join record r on r.id = a.record_id where r.identifier = '0'";
    assert_eq!((number(&scene.world.look, marks).await, raised(&scene).await), (4, 0));
});

both_databases!(a_dry_run_changes_nothing, async |database: &TestDatabase| {
    let scene = scene(database).await;
    let before = everything(database, &scene.world.look).await;
    let roster = scene.preview(Stream::Roster).await;
    assert_eq!((roster.records, roster.known), (61, 0));
    let absences = scene.preview(Stream::Absences).await;
    assert_eq!((absences.named, absences.found), (30, 0));
    assert_eq!(everything(database, &scene.world.look).await, before);
    scene.pull_all().await;
    scene
        .tenant
        .fake
        .change(|platform| platform.moves("pupil.7", None, day(TODAY)));
    let roster = scene.preview(Stream::Roster).await;
    assert_eq!((roster.left, enrolled(&scene).await), (1, 30));
});

// The binary itself: its secret by a file, and what it says to a person.
both_databases!(the_verb_pulls_what_is_registered, async |database: &TestDatabase| {
    let today = brussels_day(SystemClock.now());
    // The binary goes by the real day: whatever that is, there was school in the two weeks before.
    let (began, since) = (today - Days::new(30), today - Days::new(14));
    let mut platform = platform("034512", &today.to_string(), 0..0);
    // As the register says of this source: its internal numbers are those of the school's register.
    for number in 0..3 {
        let register_number = format!("230000{number}");
        let one = Pupil {
            internal_number: register_number.clone(),
            register_number,
            ..pupil(number)
        };
        platform.add_pupil(one, "1A", began);
    }
    platform.mark("pupil.0", HalfDay::new(today, Part::Am), "B");
    // The school has not filled in by what the absences name this one.
    platform.pupil("pupil.2").unwrap().register_number.clear();
    let fake = Arc::new(Fake::new(platform));
    let host = Host::start(Arc::<Fake>::clone(&fake)).await.unwrap();
    let folder = Folder::new();
    // What stands on this machine itself is reached only where that is said.
    let shut = format!(
        "[database]\nurl = \"{}\"\n[sources]\nsecrets_folder = \"secrets\"\n",
        database.url
    );
    let config = format!("{shut}networks = [\"127.0.0.0/8\"]\n");
    std::fs::write(folder.at("clb-hub.toml"), &config).unwrap();
    let register = EXAMPLE
        .replace("https://voorbeeld.smartschool.be/Webservices/V3", &Fake::url(&host))
        .replace("pulls = [\"absences\"]\n", "")
        .replace("begins_on = 2026-09-01", "begins_on = 2020-09-01");
    std::fs::write(folder.at("register.toml"), register).unwrap();
    let with = ["--config", "clb-hub.toml"];
    folder.run(&[&["register", "register.toml"], with.as_slice()].concat());
    let output = |arguments: &[&str]| folder.output(&[&["sync"], arguments, with.as_slice()].concat());
    let told = |output: &std::process::Output| {
        format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    };

    let without = output(&[]);
    assert!(!without.status.success());
    assert!(told(&without).contains("034512/smartschool roster: the settings of the connection are wrong: its secret"));
    let secrets = folder.at("secrets");
    std::fs::create_dir(&secrets).unwrap();
    let secret = secrets.join("034512-smartschool");
    let write = |code: &str| {
        drop(std::fs::remove_file(&secret));
        std::fs::write(&secret, code).unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o400)).unwrap();
    };
    write("another-canary\n");
    let refused = output(&[]);
    assert!(
        !refused.status.success() && told(&refused).contains("roster: the source refuses: the access code is wrong")
    );
    assert!(!told(&refused).contains("canary"));

    write(&format!("{CODE}\n"));
    std::fs::write(folder.at("clb-hub.toml"), shut).unwrap();
    fake.calls();
    let refused = output(&[]);
    assert!(
        !refused.status.success() && fake.calls().is_empty(),
        "{}",
        told(&refused)
    );
    std::fs::write(folder.at("clb-hub.toml"), config).unwrap();
    let look = sea_orm::Database::connect(&database.url).await.unwrap();
    let dry = output(&["034512", "--dry-run"]);
    assert!(dry.status.success(), "{}", told(&dry));
    assert!(
        told(&dry).contains("034512/smartschool roster: 7 records, 7 of them new"),
        "{}",
        told(&dry)
    );
    assert_eq!(number(&look, "select count(*) from record").await, 0);
    let since = since.to_string();
    let first = output(&["034512/smartschool", "--since", &since]);
    assert!(first.status.success(), "{}", told(&first));
    assert_eq!(number(&look, "select count(*) from record").await, 3);
    let again = output(&[]);
    assert!(
        told(&again).contains("roster: 7 records, 0 of them new"),
        "{}",
        told(&again)
    );
    let one = told(&output(&["--only", "roster"]));
    assert!(one.contains(" roster: ") && !one.contains(" absences: "), "{one}");
    assert!(!output(&["111111"]).status.success(), "no such source");

    // What the doctor says of it, and what the school finds among its gaps.
    let doctor = told(&folder.output(&[&["doctor"], with.as_slice()].concat()));
    for line in [
        "ok     034512/smartschool: reachable",
        "ok     034512/smartschool: getStudentCareer: may be called",
        "ok     034512/smartschool: pulled: roster and absences",
        "ok     034512/smartschool: kept as agreed: identity birth address contact enrolment truancy language; \
         dropped: attendance nationalNumber",
        "WRONG  034512/smartschool: absences name 3 pupils, of whom the roster knows 2; the half-days of 1 wait: the \
         school must give them the same registration number (stamnummer) in both systems",
    ] {
        assert!(doctor.lines().any(|told| told == line), "{line}\n{doctor}");
    }
    let miss = "select count(*) from gap where rule = 'absence.unknown_pupil' and detail = 'stamnummer'";
    assert_eq!(number(&look, miss).await, 1);
    write("another-canary\n");
    let doctor = told(&folder.output(&[&["doctor"], with.as_slice()].concat()));
    let refused = "WRONG  034512/smartschool: the source refuses: the access code is wrong, or its profile may not call \
        what the hub needs; the school must grant or renew it";
    assert!(doctor.lines().any(|told| told == refused), "{doctor}");
});
