//! Rows whose pupil no roster has named yet: they wait under the very kind of number that names him, and go to
//! nobody else (design §5).

use std::path::Path;

use clb_hub::store::roster::PupilSaid;
use clb_hub::sync::Source;
use clb_hub::sync::files::AbsenceFile;
use hub_connectors::absences::{AbsenceFormat, ColumnMap, PupilKey};
use hub_entities::category::Categories;
use hub_entities::id::SourceId;
use hub_entities::source::{RunState, connection, run};
use sea_orm::EntityTrait;

use crate::support::database::{TestDatabase, both_databases};
use crate::support::look::{list, number, totals};
use crate::support::region::sync;
use crate::support::world::{School, World, born};

const NOW: &str = "2026-10-01T10:00:00Z";
const WAITING: &str = "select count(*) from quarantine where resolved_at is null";

/// A school and what it sends.
struct Scene {
    world: World,
    school: School,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        let world = World::new(database, NOW).await;
        let clb = world.clb("114711").await;
        let school = world.school("123456", clb, Categories::all()).await;
        let folder = tempfile::tempdir().unwrap();
        Self { world, school, folder }
    }

    fn source(&self) -> Source {
        Source {
            id: self.school.source,
            school: self.school.id,
        }
    }

    fn file(&self, text: &str) -> std::path::PathBuf {
        let path = self.folder.path().join("rows.csv");
        std::fs::write(&path, text).unwrap();
        path
    }

    async fn connection(&self, id: SourceId) -> connection::Model {
        let found = connection::Entity::find_by_id(id).one(&self.world.look).await;
        found.unwrap().unwrap()
    }

    async fn absences(&self, key: PupilKey, text: &str) -> run::Model {
        let map = ColumnMap {
            key,
            ..ColumnMap::default()
        };
        let mut file = AbsenceFile::new(self.file(text), AbsenceFormat::Csv(Box::new(map))).unwrap();
        let connection = self.connection(self.school.source).await;
        let run = sync(&self.world).absences(self.source(), &connection, &mut file).await;
        run.unwrap()
    }

    async fn carried(&self, path: &Path) -> run::Model {
        sync(&self.world).carried_file(self.source(), path).await.unwrap()
    }
}

fn numbered(identifier: &str, stamnummer: &str) -> PupilSaid {
    PupilSaid {
        identifier: Some(identifier.to_owned()),
        stamnummer: Some(stamnummer.to_owned()),
        ..born("2012-05-01")
    }
}

const TWO_B: &str = "pupil,date,part,code\r\n77,2026-09-03,AM,B\r\n77,2026-09-03,PM,B\r\n";

both_databases!(
    half_days_go_to_the_pupil_of_the_number_they_name,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let early = scene.absences(PupilKey::Stamnummer, TWO_B).await;
        assert_eq!((early.state, early.quarantined), (RunState::Done, 2));

        // Ada's identifier and Bo's own key are what the rows call somebody's stamnummer.
        let ada = scene.world.pupils(scene.school, &[("a", numbered("77", "1"))]).await[0].1;
        let bo = scene.world.pupils(scene.school, &[("77", numbered("2", "2"))]).await[0].1;
        let nothing = scene.absences(PupilKey::Stamnummer, "pupil,date,part,code\r\n").await;
        assert_eq!(nothing.state, RunState::Done);
        assert_eq!(number(&scene.world.look, WAITING).await, 1);
        for other in [ada, bo] {
            assert_eq!(totals(&scene.world.look, other, 2026).await, (0, 0));
        }

        let cas = scene.world.pupils(scene.school, &[("c", numbered("3", "77"))]).await[0].1;
        scene
            .absences(PupilKey::Stamnummer, "pupil,date,part,code\r\n1,2026-09-04,AM,B\r\n")
            .await;
        assert_eq!(number(&scene.world.look, WAITING).await, 0);
        assert_eq!(totals(&scene.world.look, cas, 2026).await, (2, 0));
        assert_eq!(totals(&scene.world.look, ada, 2026).await, (1, 0));
        assert_eq!(totals(&scene.world.look, bo, 2026).await, (0, 0));
    }
);

both_databases!(
    a_number_that_two_pupils_share_names_neither,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let twins = [("a", numbered("77", "1")), ("b", numbered("77", "2"))];
        let twins = scene.world.pupils(scene.school, &twins).await;
        let run = scene.absences(PupilKey::Identifier, TWO_B).await;
        assert_eq!((run.staged, run.quarantined, run.changed), (2, 2, 0));
        for (_, pupil) in &twins {
            assert_eq!(totals(&scene.world.look, *pupil, 2026).await, (0, 0));
        }
        // Once the school has put it right, what waited goes where it belongs.
        scene.world.roster(scene.school, &[("b", numbered("78", "2"))]).await;
        scene.absences(PupilKey::Identifier, "pupil,date,part,code\r\n").await;
        assert_eq!(totals(&scene.world.look, twins[0].1, 2026).await, (2, 0));
        assert_eq!(totals(&scene.world.look, twins[1].1, 2026).await, (0, 0));
    }
);

both_databases!(
    a_carried_in_number_waits_for_its_pupil,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let first = scene.file("pupil,halfDays,begins,former\r\na,4,2026-09-15,111111\r\n");
        let early = scene.carried(&first).await;
        assert_eq!((early.state, early.staged, early.quarantined), (RunState::Done, 1, 1));
        // The same file again does not pile up; a correction is the last word.
        scene.carried(&first).await;
        assert_eq!(number(&scene.world.look, WAITING).await, 1);
        let second = scene.file("pupil,halfDays,begins,former\r\na,6,2026-09-15,111111\r\n");
        scene.carried(&second).await;
        assert_eq!(number(&scene.world.look, "select count(*) from carried_in").await, 0);

        let ada = scene.world.pupils(scene.school, &[("a", born("2012-05-01"))]).await[0].1;
        scene.absences(PupilKey::Identifier, "pupil,date,part,code\r\n").await;
        assert_eq!(number(&scene.world.look, WAITING).await, 0);
        assert_eq!(totals(&scene.world.look, ada, 2026).await, (6, 0));
        assert_eq!(
            number(&scene.world.look, "select count(*) from signal where state = 'raised'").await,
            1
        );
        let left = "select count(*) from quarantine where length(body) > 0";
        assert_eq!(number(&scene.world.look, left).await, 0);
    }
);

// Half-days that wait are filtered as all others are, before they are put aside (design §3): without `attendance`
// nothing tells which code it was that is no B.
both_databases!(what_was_not_agreed_does_not_wait, async |database: &TestDatabase| {
    let mut scene = Scene::new(database).await;
    let clb = scene.world.clb("114711").await;
    for (number_of_school, agreed, apart) in [
        ("111111", Categories::all(), 3),
        ("222222", Categories::default_agreement(), 2),
    ] {
        scene.school = scene.world.school(number_of_school, clb, agreed).await;
        for (key, letter) in [("sick", "Z"), ("rehab", "R"), ("unfounded", "B")] {
            let rows = format!("pupil,date,part,code\r\n{key},2026-09-03,AM,{letter}\r\n");
            scene.absences(PupilKey::SourcedId, &rows).await;
        }
        let bodies = format!(
            "select distinct body from quarantine
             where school_id = (select id from school where institution_number = '{number_of_school}')"
        );
        let bodies: Vec<Vec<u8>> = list(&scene.world.look, &bodies).await;
        assert_eq!(bodies.len(), apart, "{number_of_school}");
    }
});
