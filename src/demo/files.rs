//! The files that the schools of a population would send: rosters, absences, carried-in numbers.
//!
//! A folder holds `manifest.json` and one folder per school, named by its institution number, with
//! `roster.zip`, `absences.csv` and, where somebody came in with one, `carried-in.csv`. Everything
//! is written row by row: memory does not grow with the number of pupils.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use chrono::NaiveDate;
use hub_entities::time::{HalfDay, Part};
use serde::Serialize;

use super::absences::Absence;
use super::population::{Origin, Population, Pupil, Stay};
use super::{absences, package};

/// Something went wrong while writing; the files are incomplete.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The file system refused.
    #[error("the files cannot be written: {0}")]
    Io(#[from] io::Error),
    /// A row could not be written.
    #[error("a row cannot be written: {0}")]
    Csv(#[from] csv::Error),
    /// The package could not be written.
    #[error("the package cannot be written: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// The manifest could not be written.
    #[error("the manifest cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    /// The population has no school at this position.
    #[error("the population has no school at position {position}")]
    NoSuchSchool {
        /// The position asked for.
        position: usize,
    },
}

/// The mark in the `code` column that takes a half-day back as if it had never been sent.
pub const DELETED: &str = "deleted";

/// What the manifest says of one school.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SchoolFiles {
    /// Institution number (instellingsnummer), and the name of its folder.
    pub institution_number: String,
    /// Its name.
    pub name: String,
    /// Its municipality.
    pub city: String,
    /// The institution number of its CLB.
    pub clb: String,
    /// Its local days off.
    pub days_off: Vec<NaiveDate>,
    /// Pupils in its roster.
    pub pupils: usize,
    /// Keys of its classes.
    pub classes: Vec<String>,
    /// Rows in its absence file.
    pub absences: usize,
    /// Rows in its file of carried-in numbers.
    pub carried_in: usize,
}

/// What the manifest says of one CLB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClbFiles {
    /// Institution number (instellingsnummer).
    pub institution_number: String,
    /// Its name.
    pub name: String,
}

/// The list of everything in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The school year, such as `2026-2027`.
    pub school_year: String,
    /// The day on which the schools were asked.
    pub today: NaiveDate,
    /// The CLBs.
    pub clbs: Vec<ClbFiles>,
    /// The schools.
    pub schools: Vec<SchoolFiles>,
}

/// Where the absences of a pupil come from.
pub type AbsencesOf<'a> = dyn Fn(&Pupil) -> Vec<Absence> + 'a;

/// Writes the demo's population to the folder.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(population: &Population, folder: &Path) -> Result<Manifest, FilesError> {
    write_with(population, folder, &|pupil| absences::of(population, pupil))
}

/// Writes a population with other absences than the demo's.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_with(
    population: &Population,
    folder: &Path,
    absences_of: &AbsencesOf<'_>,
) -> Result<Manifest, FilesError> {
    fs::create_dir_all(folder)?;
    let schools = (0..population.schools.len())
        .map(|position| write_school(population, position, folder, absences_of))
        .collect::<Result<Vec<_>, _>>()?;
    let manifest = Manifest {
        school_year: population.year.to_string(),
        today: population.today,
        clbs: population
            .clbs
            .iter()
            .map(|clb| ClbFiles {
                institution_number: clb.institution_number.clone(),
                name: clb.name.clone(),
            })
            .collect(),
        schools,
    };
    let mut file = BufWriter::new(File::create(folder.join("manifest.json"))?);
    serde_json::to_writer_pretty(&mut file, &manifest)?;
    file.write_all(b"\n")?;
    file.flush()?;
    Ok(manifest)
}

/// Writes the folder of one school.
///
/// # Errors
/// When the folder cannot be written, or the population has no such school.
pub fn write_school(
    population: &Population,
    position: usize,
    folder: &Path,
    absences_of: &AbsencesOf<'_>,
) -> Result<SchoolFiles, FilesError> {
    let school = population
        .schools
        .get(position)
        .ok_or(FilesError::NoSuchSchool { position })?;
    let folder = folder.join(&school.institution_number);
    fs::create_dir_all(&folder)?;
    package::write(
        population,
        position,
        BufWriter::new(File::create(folder.join("roster.zip"))?),
    )?
    .flush()?;

    let mut pupils = 0;
    let mut rows = 0;
    let mut absences = AbsenceRows::new(BufWriter::with_capacity(
        1 << 16,
        File::create(folder.join("absences.csv"))?,
    ))?;
    for (pupil, stay) in population.pupils_of(position) {
        pupils += 1;
        let Some(here) = pupil.stays.get(stay) else { continue };
        for absence in absences_of(&pupil).into_iter().filter(|absence| absence.stay == stay) {
            absences.row(&here.source_key, absence.at, absence.letter)?;
            rows += 1;
        }
    }
    absences.finish()?;
    let carried_in = write_carried(population, position, &folder.join("carried-in.csv"), |stay| {
        stay.source_key.clone()
    })?;
    Ok(SchoolFiles {
        institution_number: school.institution_number.clone(),
        name: school.name.clone(),
        city: school.city.clone(),
        clb: population
            .clbs
            .get(school.clb)
            .map(|clb| clb.institution_number.clone())
            .unwrap_or_default(),
        days_off: school.days_off.clone(),
        pupils,
        classes: school.classes.iter().map(|class| class.source_key.clone()).collect(),
        absences: rows,
        carried_in,
    })
}

/// Writes the numbers that former schools passed on to the pupils of a school, by the `key` of each: no file where there
/// are none. Says how many there are.
///
/// # Errors
/// When the file cannot be written.
pub fn write_carried(
    population: &Population,
    position: usize,
    path: &Path,
    key: impl Fn(&Stay) -> String,
) -> Result<usize, FilesError> {
    let came = population.pupils_of(position).filter(|(pupil, stay)| {
        let here = pupil.stays.get(*stay);
        here.is_some_and(|here| here.from.is_some())
    });
    let carried: Vec<_> = came
        .flat_map(|(pupil, stay)| carried_rows(population, &pupil, stay, &key))
        .collect();
    if !carried.is_empty() {
        let mut file = csv::Writer::from_path(path)?;
        file.write_record(["pupil", "halfDays", "begins", "former"])?;
        for row in &carried {
            file.write_record(row)?;
        }
        file.flush()?;
    }
    Ok(carried.len())
}

/// The carried-in numbers that arrived with one stay: pupil key, half-days, begin and, when it is
/// known, the institution number of the former school.
fn carried_rows(
    population: &Population,
    pupil: &Pupil,
    stay: usize,
    key: impl Fn(&Stay) -> String,
) -> Vec<[String; 4]> {
    let Some(here) = pupil.stays.get(stay) else {
        return Vec::new();
    };
    let former = match here.from {
        Some(Origin::Population) => stay
            .checked_sub(1)
            .and_then(|before| pupil.stays.get(before))
            .and_then(|before| population.schools.get(before.school))
            .map(|school| school.institution_number.clone())
            .unwrap_or_default(),
        _ => String::new(),
    };
    absences::carried(population, pupil)
        .into_iter()
        .filter(|carried| carried.stay == stay)
        .map(|carried| {
            [
                key(here),
                carried.half_days.to_string(),
                here.begins.to_string(),
                former.clone(),
            ]
        })
        .collect()
}

/// A half-day absence file: `pupil,date,part,code`, a row per half-day.
#[derive(Debug)]
pub struct AbsenceRows<W: Write> {
    to: W,
}

impl<W: Write> AbsenceRows<W> {
    /// Begins a file with its header.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn new(mut to: W) -> Result<Self, FilesError> {
        to.write_all(b"pupil,date,part,code\r\n")?;
        Ok(Self { to })
    }

    /// One half-day. `code` is a letter of the `school` table or [`DELETED`]; keys and letters hold
    /// no comma and no quote, so nothing needs quoting.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn row(&mut self, pupil_key: &str, at: HalfDay, code: &str) -> Result<(), FilesError> {
        let part = match at.part {
            Part::Am => "AM",
            Part::Pm => "PM",
        };
        Ok(write!(self.to, "{pupil_key},{},{part},{code}\r\n", at.day)?)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(mut self) -> Result<W, FilesError> {
        self.to.flush()?;
        Ok(self.to)
    }
}
