//! A synthetic region: files as schools send them, and the sync that brings them in.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use clb_hub::demo::absences::Absence;
use clb_hub::demo::files::{self, DELETED, Manifest};
use clb_hub::demo::parties::parties;
use clb_hub::demo::population::{Population, Pupil};
use clb_hub::demo::schools::Shape;
use clb_hub::register::{self, Register};
use clb_hub::sync::files::AbsenceFile;
use clb_hub::sync::stop::Stop;
use clb_hub::sync::{Source, Sync, SyncError};
use hub_connectors::absences::{AbsenceFormat, ColumnMap, DeleteMarker, PupilKey};
use hub_connectors::connection::Connection;
use hub_connectors::oneroster::Settings;
use hub_entities::category::{Categories, Category};
use hub_entities::number::national::BlindIndexKey;
use hub_entities::source::{connection, run};
use hub_entities::time::{FixedClock, SchoolYear, brussels_day};

use super::world::World;

/// What brings files in, at the world's own time.
pub(crate) fn sync(world: &World) -> Sync {
    Sync {
        db: world.db.clone(),
        book: world.book.clone(),
        clock: Arc::new(FixedClock(world.now)),
        ids: world.ids.clone(),
        national_numbers: Some(Arc::new(BlindIndexKey::new([7; 32]))),
        progress: Arc::new(|_, _| {}),
        stop: Stop::never(),
    }
}

/// The name of each school's source.
const SOURCE: &str = "files";

/// How the schools of a region write their absences.
pub(crate) fn absence_format() -> AbsenceFormat {
    AbsenceFormat::Csv(Box::new(ColumnMap {
        key: PupilKey::SourcedId,
        delete: Some(DeleteMarker {
            column: "code".to_owned(),
            value: DELETED.to_owned(),
        }),
        ..ColumnMap::default()
    }))
}

/// A source of files for each school.
fn sources(population: &Population) -> Vec<register::Source> {
    let source = |number: &String| register::Source {
        school: number.clone(),
        name: SOURCE.to_owned(),
        letters: "school".to_owned(),
        files: Connection {
            absences: absence_format(),
            ..Connection::default()
        },
        ..register::Source::default()
    };
    let schools = population.schools.iter();
    schools.map(|school| source(&school.institution_number)).collect()
}

/// Where the absences of a pupil come from.
type AbsencesOf = fn(&Population, &Pupil) -> Vec<Absence>;

/// A region whose files lie in a folder of their own, with a source for each of its schools.
pub(crate) struct Region {
    pub(crate) population: Population,
    pub(crate) manifest: Manifest,
    pub(crate) connections: Vec<connection::Model>,
    pub(crate) sync: Sync,
    /// The places whose systems write the day of an absence as a moment.
    pub(crate) in_moments: BTreeSet<usize>,
    folder: tempfile::TempDir,
}

impl Region {
    /// Writes the files and registers the schools; nothing is imported yet.
    pub(crate) async fn new(world: &World, shape: Shape, seed: u64, absences: AbsencesOf) -> Self {
        // Every other school sends all codes, so that minimisation is part of what is compared.
        Self::agreeing(world, shape, seed, absences, |place| {
            let usual = Categories::default_agreement().with(Category::NationalNumber);
            if place % 2 == 0 {
                usual
            } else {
                usual.with(Category::Attendance)
            }
        })
        .await
    }

    /// As [`Self::new`], where the school at a place agreed on these categories.
    pub(crate) async fn agreeing(
        world: &World,
        shape: Shape,
        seed: u64,
        absences: AbsencesOf,
        agreed: fn(usize) -> Categories,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let today = brussels_day(world.now);
        let calendar = world.book.laws().calendar(SchoolYear::of(today));
        let population = Population::new(shape, seed, today, &calendar);
        let manifest = files::write_with(&population, folder.path(), &|pupil| absences(&population, pupil)).unwrap();
        let clock = Arc::new(FixedClock(world.now));
        let register = Register::open(&world.db, clock, world.ids.clone()).await.unwrap();
        let parties = parties(&population, sources(&population), "https://issuer.example", agreed);
        register.apply(&parties, false).await.unwrap();
        let mut connections = Vec::new();
        for school in &manifest.schools {
            let found = register.find_source(&school.institution_number, SOURCE).await;
            connections.push(found.unwrap().unwrap());
        }
        Self {
            population,
            manifest,
            connections,
            sync: sync(world),
            in_moments: BTreeSet::new(),
            folder,
        }
    }

    /// Where the files are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file of the school at this place.
    pub(crate) fn file(&self, place: usize, name: &str) -> PathBuf {
        self.folder()
            .join(&self.manifest.schools[place].institution_number)
            .join(name)
    }

    /// Whom the sync of the school at this place works for.
    pub(crate) fn source(&self, place: usize) -> Source {
        let connection = &self.connections[place];
        Source {
            id: connection.id,
            school: connection.school_id,
        }
    }

    /// Imports the roster of the school at this place.
    pub(crate) async fn roster(&self, place: usize) -> run::Model {
        self.try_roster(place, &self.file(place, "roster.zip")).await.unwrap()
    }

    /// Imports this package for the school at this place.
    pub(crate) async fn try_roster(&self, place: usize, path: &Path) -> Result<run::Model, SyncError> {
        let number = &self.manifest.schools[place].institution_number;
        let source = self.source(place);
        let settings = Settings::default();
        self.sync.roster_package(source, number, path, &settings).await
    }

    /// Imports a file of absences of the school at this place.
    pub(crate) async fn absences(&self, place: usize, name: &str) -> run::Model {
        self.try_absences(place, &self.file(place, name)).await.unwrap()
    }

    /// Imports this file of absences for the school at this place.
    pub(crate) async fn try_absences(&self, place: usize, path: &Path) -> Result<run::Model, SyncError> {
        let mut format = absence_format();
        if let (AbsenceFormat::Csv(map), true) = (&mut format, self.in_moments.contains(&place)) {
            "%Y-%m-%dT%H:%M:%S%z".clone_into(&mut map.date_format);
        }
        let mut file = AbsenceFile::new(path, format).unwrap();
        let (source, connection) = (self.source(place), &self.connections[place]);
        self.sync.absences(source, connection, &mut file).await
    }

    /// Imports all that the school at this place sent at first: what came of each file.
    pub(crate) async fn import(&self, place: usize) -> Vec<run::Model> {
        let mut runs = vec![self.roster(place).await, self.absences(place, "absences.csv").await];
        let carried = self.file(place, "carried-in.csv");
        if carried.exists() {
            runs.push(self.sync.carried_file(self.source(place), &carried).await.unwrap());
        }
        runs
    }

    /// The naive recount of the folder: an answer per pupil of a school.
    pub(crate) fn recounted(&self) -> Vec<serde_json::Value> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/recount.py");
        let output = Command::new("python3")
            .arg(script)
            .arg("path")
            .arg(self.folder())
            .output();
        let output = output.expect("python3 runs the naive recount");
        assert!(output.status.success(), "the recount failed");
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
