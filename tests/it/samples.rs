//! The sample packages of others (`connectors/fixtures/LICENSES.md`) through the real path, as a zip and as a folder: what is
//! kept has exactly the counts that came with them, written here by hand.

use std::fs::File;
use std::path::{Path, PathBuf};

use clb_hub::sync::{Source, SyncError};
use hub_connectors::oneroster::Settings;
use hub_entities::category::Categories;
use hub_entities::source::{RunState, run};

use crate::support::database::{TestDatabase, both_databases};
use crate::support::look::{list, number};
use crate::support::region::sync;
use crate::support::world::{School, World};

/// In the second term of the school year that the samples are of, the day after the small deltas were made.
const NOW: &str = "2022-03-02T10:00:00Z";

/// 156 classes, 321 pupils and 2,568 places of pupils: what the hub keeps of a whole package.
const WHOLE: i64 = 3_045;

/// Rows that changed, were known, and wait in quarantine.
type Counted = (i64, i64, i64);

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("connectors/fixtures/oneroster")
        .join(format!("{name}.zip"))
}

/// The same files in a folder.
fn unpacked(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let zip = zip::ZipArchive::new(File::open(sample(name)).unwrap());
    zip.unwrap().extract(folder.path()).unwrap();
    folder
}

struct Scene {
    world: World,
    school: School,
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        let world = World::new(database, NOW).await;
        let clb = world.clb("114711").await;
        let school = world.school("034512", clb, Categories::default_agreement()).await;
        Self { world, school }
    }

    /// From now on another school imports.
    async fn next_school(&mut self, number: i64) {
        let clb = self.world.clb("114711").await;
        let institution = format!("11111{number}");
        let agreed = Categories::default_agreement();
        self.school = self.world.school(&institution, clb, agreed).await;
    }

    async fn import(&self, path: &Path, called: Option<&str>) -> Result<run::Model, SyncError> {
        let source = Source {
            id: self.school.source,
            school: self.school.id,
        };
        let settings = Settings {
            school: called.map(str::to_owned),
            ..Settings::default()
        };
        let sync = sync(&self.world);
        sync.roster_package(source, "034512", path, &settings).await
    }

    async fn counted(&self, path: &Path) -> Counted {
        let run = self.import(path, Some("255901001")).await.unwrap();
        let counted = (run.changed, run.unchanged, run.quarantined);
        assert_eq!((run.state, run.ended), (RunState::Done, 0));
        assert_eq!(run.staged, counted.0 + counted.1 + counted.2, "a row fell to the floor");
        counted
    }

    async fn number(&self, text: &str) -> i64 {
        number(&self.world.look, text).await
    }

    /// What a whole package leaves behind.
    async fn holds_the_whole(&self) {
        let count = async |what: &str| self.number(&format!("select count(*) from {what}")).await;
        assert_eq!(count("class_group where school_year = 2021").await, 156);
        assert_eq!(count("record").await, 321);
        assert_eq!(count("record where birth_date is not null").await, 321);
        assert_eq!(count("enrolment where ends_on is null").await, 321);
        assert_eq!(count("membership").await, 2_568);
        assert_eq!(count("gap").await, 0);
        // One school, of the two organisations of the package.
        assert_eq!(count("school").await, 1);
    }
}

both_databases!(
    whole_packages_have_exactly_their_counts,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        assert_eq!(scene.counted(&sample("or-1.1-bulk")).await, (WHOLE, 0, 0));
        scene.holds_the_whole().await;
        // The same again, in a folder, in the other version, and as a delta of everything: nobody and nothing is new.
        let folder = unpacked("or-1.1-bulk");
        assert_eq!(scene.counted(&sample("or-1.1-bulk")).await, (0, WHOLE, 0));
        assert_eq!(scene.counted(folder.path()).await, (0, WHOLE, 0));
        for name in ["or-1.2-bulk", "or-1.2-delta-full"] {
            let folder = unpacked(name);
            assert_eq!(scene.counted(&sample(name)).await, (0, WHOLE, 0), "{name}");
            assert_eq!(scene.counted(folder.path()).await, (0, WHOLE, 0), "{name}");
        }
        scene.holds_the_whole().await;
    }
);

both_databases!(each_whole_package_stands_on_its_own, async |database: &TestDatabase| {
    let mut scene = Scene::new(database).await;
    for (number, name) in [(1, "or-1.2-bulk"), (2, "or-1.2-delta-full"), (3, "or-1.1-bulk")] {
        scene.next_school(number).await;
        let folder = unpacked(name);
        // By its sourcedId this time.
        let run = scene
            .import(folder.path(), Some("5643e68db2cfe9bf142de280d85599f9"))
            .await;
        let run = run.unwrap();
        assert_eq!(
            (run.state, run.changed, run.quarantined),
            (RunState::Done, WHOLE, 0),
            "{name}"
        );
        assert_eq!(
            scene.number("select count(*) from membership").await,
            2_568 * number,
            "{name}"
        );
    }
});

both_databases!(
    small_deltas_change_what_they_say_and_no_more,
    async |database: &TestDatabase| {
        let mut scene = Scene::new(database).await;
        for (number, version) in [(1, "1.1"), (2, "1.2")] {
            scene.next_school(number).await;
            let name = format!("or-{version}-delta-small");
            scene.counted(&sample(&format!("or-{version}-bulk"))).await;
            // Of the 7 pupils 5 leave and 2 are said anew. Of the 43 places 3 end earlier; the 40 of those who leave are of two
            // terms: 20 had ended, and 20 end with their pupils.
            let folder = unpacked(&name);
            assert_eq!(scene.counted(&sample(&name)).await, (10, 40, 0), "{name}");
            assert_eq!(scene.counted(folder.path()).await, (0, 50, 0), "{name}");
            let left = "select count(*) from enrolment where ends_on = '2022-03-02'";
            assert_eq!(scene.number(left).await, 5 * number, "{name}");
            let ended = "select count(*) from membership where ends_on = '2022-03-02'";
            assert_eq!(scene.number(ended).await, 20 * number, "{name}");
            let earlier = "select count(*) from membership where ends_on = '2022-03-01'";
            assert_eq!(scene.number(earlier).await, 3 * number, "{name}");
        }
    }
);

both_databases!(a_small_delta_first_loses_nothing, async |database: &TestDatabase| {
    let waiting = "select count(*) from quarantine where resolved_at is null";
    let scene = Scene::new(database).await;
    // Without roles: who is not known is no pupil yet, and the 3 places that are there wait for theirs.
    assert_eq!(scene.counted(&sample("or-1.2-delta-small")).await, (0, 47, 3));
    // With roles: 2 pupils come, 5 were never there, 40 places neither, and the same 3 wait on.
    for changed in [2, 0] {
        let folder = unpacked("or-1.1-delta-small");
        let path = [sample("or-1.1-delta-small"), folder.path().to_owned()];
        let counted = scene.counted(&path[usize::from(changed == 0)]).await;
        assert_eq!(counted, (changed, 47 - changed, 3));
        assert_eq!(scene.number(waiting).await, 3);
        assert_eq!(scene.number("select count(*) from quarantine").await, 3);
        assert_eq!(scene.number("select count(*) from gap").await, 0);
    }
    // The whole brings their pupil and classes, and has the last word on them.
    let whole = scene.counted(&sample("or-1.1-bulk")).await;
    assert_eq!(whole, (WHOLE, 0, 0));
    assert_eq!(scene.number(waiting).await, 0);
    assert_eq!(
        scene
            .number("select count(*) from quarantine where length(body) > 0")
            .await,
        0
    );
    let ends: Vec<chrono::NaiveDate> = list(
        &scene.world.look,
        "select distinct ends_on from membership order by ends_on",
    )
    .await;
    assert_eq!(
        ends.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["2021-12-17", "2022-05-27"]
    );
    scene.holds_the_whole().await;
});

both_databases!(
    a_school_under_another_name_is_not_guessed,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        for called in [None, Some("255901")] {
            // The district is no school, and the institution number is not in the package.
            let refused = scene.import(&sample("or-1.1-bulk"), called).await;
            assert!(matches!(refused, Err(SyncError::NoSuchSchool(_))), "{refused:?}");
        }
        assert_eq!(scene.number("select count(*) from record").await, 0);
    }
);
