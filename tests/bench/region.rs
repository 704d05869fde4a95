//! Writes a region to measure with: 300 schools, 120,000 pupils, 6,000,000 absences of 2025-2026.
//!
//! `target/release/examples/region FOLDER [--schools N | --rows N]`
//!
//! The numbers per school, class and pupil are those of the performance anchors the hub is
//! measured against (12 CLBs of 25 schools, classes of 50, an exponential number of absences per
//! pupil, every hundredth pupil exactly 200), with two differences: identifiers are well-formed,
//! and letters that mean no absence (L, G) or have no certain meaning (O, Q) are replaced, so that
//! every row is an absence. `--schools` writes the first so many of them, with 20,000 absences each, to try
//! something out; `--rows` one school with 20,000 pupils and so many absences, at most 5,000,000.

use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use clb_hub::demo::absences::Absence;
use clb_hub::demo::dice::Dice;
use clb_hub::demo::files::{self, FilesError, Manifest};
use clb_hub::demo::population::{Population, Pupil};
use clb_hub::demo::schools::{Level, SchoolPlan, Shape};
use hub_entities::law::{LawError, Laws};
use hub_entities::time::SchoolYear;
use serde::Serialize;

const USAGE: &str = "usage: region FOLDER [--schools N | --rows N], with 1 to 300 schools, 20000 to 5000000 rows";

const SEED: u64 = 2025;
const SCHOOLS: usize = 300;
const CLASS: usize = 50;
/// What every hundredth pupil has: the fourth question reads them all.
const FIXED: u16 = 200;
const MOST: u16 = 300;

/// Streams of dice, apart from those of the demo.
const PLAN: u64 = 101;
const LETTERS: u64 = 102;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut folder = None;
    let mut rows = None;
    let mut schools = SCHOOLS;
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = |among: std::ops::RangeInclusive<usize>| {
            let number = arguments.next().and_then(|number| number.to_str()?.parse().ok());
            number.filter(|number| among.contains(number)).ok_or(USAGE)
        };
        if argument == "--rows" {
            rows = Some(number(20_000..=5_000_000)?);
        } else if argument == "--schools" {
            schools = number(1..=SCHOOLS)?;
        } else {
            folder = Some(PathBuf::from(argument));
        }
    }
    let folder = folder.ok_or(USAGE)?;
    let (shape, total) = match rows {
        Some(rows) => (one_large_school(), rows),
        None => (region(schools), schools * 20_000),
    };
    let manifest = Region::new(shape, total)?.write(&folder)?;
    let (pupils, rows) = manifest.schools.iter().fold((0, 0), |(pupils, rows), school| {
        (pupils + school.pupils, rows + school.absences)
    });
    writeln!(
        std::io::stdout(),
        "{} schools, {pupils} pupils, {rows} absences",
        manifest.schools.len()
    )?;
    Ok(())
}

/// The first so many schools of 12 CLBs of 25; 200 classes per CLB, 2 to 14 per school.
fn region(schools: usize) -> Shape {
    let classes = |clb: usize, nth: usize| {
        let spread = (nth / 2 * 5 + clb) % 7;
        match nth {
            24 => 8,
            _ if nth.is_multiple_of(2) => 8 + spread,
            _ => 8 - spread,
        }
    };
    shape(
        schools.div_ceil(25),
        (0..schools)
            .map(|school| classes(school / 25 + 1, school % 25))
            .collect(),
    )
}

fn one_large_school() -> Shape {
    shape(1, vec![400])
}

fn shape(clbs: usize, classes: Vec<usize>) -> Shape {
    Shape {
        clbs,
        schools: classes
            .into_iter()
            .map(|classes| SchoolPlan {
                level: Level::Secundair,
                pupils: classes * CLASS,
                classes,
            })
            .collect(),
        first_institution: 980_001,
        movers_per_mille: 0,
        arrivals_per_mille: 0,
        local_days_off: false,
    }
}

/// The population and how many absences each pupil has.
struct Region {
    population: Population,
    counts: Vec<u16>,
}

impl Region {
    /// A population with exactly `total` absences.
    fn new(shape: Shape, total: usize) -> Result<Self, LawError> {
        let calendar = Laws::embedded()?.calendar(SchoolYear(2025));
        let today = NaiveDate::from_ymd_opt(2026, 6, 30).unwrap_or_default();
        let population = Population::new(shape, SEED, today, &calendar);
        let counts = counts(population.len(), total);
        Ok(Self { population, counts })
    }

    fn write(&self, folder: &Path) -> Result<Manifest, FilesError> {
        let manifest = files::write_with(&self.population, folder, &|pupil| self.absences(pupil))?;
        let mut file = std::fs::File::create(folder.join("load.json"))?;
        serde_json::to_writer(&mut file, &self.load(&manifest))?;
        file.write_all(b"\n")?;
        Ok(manifest)
    }

    /// A pupil's half-days lie a fixed step apart, round the year: steps have no divisor in common
    /// with 327, so none comes twice.
    fn absences(&self, pupil: &Pupil) -> Vec<Absence> {
        const STEPS: [usize; 6] = [1, 1, 1, 2, 5, 7];
        const OTHERS: [&str; 16] = [
            "Z", "Z", "Z", "Z", "D", "D", "D", "D", "D", "R", "R", "P", "M", "R", "P", "P",
        ];
        let mut dice = Dice::of(SEED, LETTERS, pupil.index);
        let lessons = &self.population.lessons;
        let from = dice.below(lessons.len());
        let step = dice.pick(&STEPS, 1);
        // 70 % never play truant, 25 % now and then, 5 % every other time.
        let problematic = match dice.below(100) {
            0..70 => 0,
            70..95 => 60,
            _ => 500,
        };
        let count = usize::from(self.counts.get(pupil.index).copied().unwrap_or_default());
        let mut absences: Vec<_> = (0..count)
            .filter_map(|nth| lessons.get((from + nth * step) % lessons.len()))
            .map(|at| Absence {
                stay: 0,
                at: *at,
                letter: if dice.chance(problematic) {
                    "B"
                } else {
                    dice.pick(&OTHERS, "Z")
                },
            })
            .collect();
        absences.sort_unstable_by_key(|absence| absence.at);
        absences
    }

    /// What the load test asks for: everything of the third CLB, or of the first where there are
    /// fewer.
    fn load(&self, manifest: &Manifest) -> Load {
        let clb = self.population.clbs.len().min(3) - 1;
        let mut load = Load {
            clb: manifest
                .clbs
                .get(clb)
                .map(|clb| clb.institution_number.clone())
                .unwrap_or_default(),
            ..Load::default()
        };
        for (position, school) in self.population.schools.iter().enumerate() {
            if school.clb != clb {
                continue;
            }
            load.schools.push(school.institution_number.clone());
            load.classes
                .extend(school.classes.iter().map(|class| class.source_key.clone()));
            for (pupil, _) in self.population.pupils_of(position) {
                let Some(stay) = pupil.stays.first() else { continue };
                if self.counts.get(pupil.index) == Some(&FIXED) && has_fixed(pupil.index) {
                    load.pupils_with_200.push(stay.source_key.clone());
                }
                load.pupils.push(stay.source_key.clone());
            }
        }
        load
    }
}

/// Keys for the load test, as the schools' packages spell them.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Load {
    /// The institution number of the CLB whose worker asks.
    clb: String,
    /// Institution numbers of its schools.
    schools: Vec<String>,
    /// Keys of its classes (second question).
    classes: Vec<String>,
    /// Keys of its pupils (first question).
    pupils: Vec<String>,
    /// Keys of the pupils that have exactly 200 absences (fourth question).
    pupils_with_200: Vec<String>,
}

const fn has_fixed(pupil: usize) -> bool {
    pupil % 100 == 7
}

/// How many absences each pupil has: exponential with mean 50, brought to the total by adding or
/// taking one at a time, spread over everybody.
fn counts(pupils: usize, total: usize) -> Vec<u16> {
    let mut counts: Vec<u16> = (0..pupils)
        .map(|pupil| {
            if has_fixed(pupil) {
                FIXED
            } else {
                let mean = Dice::of(SEED, PLAN, pupil).waiting(50, usize::from(MOST));
                u16::try_from(mean).unwrap_or(MOST)
            }
        })
        .collect();
    let mut sum: usize = counts.iter().map(|count| usize::from(*count)).sum();
    let mut changed = true;
    while sum != total && changed {
        changed = false;
        for (pupil, count) in counts.iter_mut().enumerate() {
            if sum < total && *count < MOST && !has_fixed(pupil) {
                *count += 1;
                sum += 1;
                changed = true;
            } else if sum > total && *count > 1 && !has_fixed(pupil) {
                *count -= 1;
                sum -= 1;
                changed = true;
            }
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn the_region_has_the_sizes_of_the_anchors() {
        let shape = region(SCHOOLS);
        assert_eq!((shape.clbs, shape.schools.len()), (12, 300));
        for clb in shape.schools.chunks(25) {
            assert_eq!(clb.iter().map(|school| school.classes).sum::<usize>(), 200);
            assert!(clb.iter().all(|school| (2..=14).contains(&school.classes)));
        }
        let counts = counts(120_000, 6_000_000);
        assert_eq!(counts.iter().map(|count| usize::from(*count)).sum::<usize>(), 6_000_000);
        assert!(counts.iter().all(|count| (1..=300).contains(count)));
        assert_eq!(counts.get(20_007), Some(&200));
    }

    #[test]
    fn no_half_day_comes_twice() {
        let region = Region::new(shape(1, vec![2]), 5_000).unwrap();
        assert_eq!(region.population.lessons.len(), 327);
        for index in 0..region.population.len() {
            let absences = region.absences(&region.population.pupil(index));
            assert!(absences.windows(2).all(|pair| pair[0].at < pair[1].at), "pupil {index}");
        }
    }

    /// Every byte that a reader of the folder would see, packages unpacked.
    fn hash(folder: &Path) -> String {
        let mut hash = Sha256::new();
        let mut folders: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        folders.sort();
        for path in folders {
            if path.is_file() {
                hash.update(std::fs::read(&path).unwrap());
                continue;
            }
            hash.update(std::fs::read(path.join("absences.csv")).unwrap());
            let mut zip = zip::ZipArchive::new(std::fs::File::open(path.join("roster.zip")).unwrap()).unwrap();
            for at in 0..zip.len() {
                let mut file = zip.by_index(at).unwrap();
                let name = file.name().unwrap().into_owned();
                hash.update(name);
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
                hash.update(bytes);
            }
        }
        hash.finalize().iter().fold(String::new(), |mut text, byte| {
            std::fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}")).unwrap();
            text
        })
    }

    #[test]
    fn the_same_region_every_time() {
        let write = || {
            let folder = tempfile::tempdir().unwrap();
            Region::new(shape(2, vec![2, 3, 1, 2]), 20_000)
                .unwrap()
                .write(folder.path())
                .unwrap();
            hash(folder.path())
        };
        let first = write();
        assert_eq!(first, write());
        // Figures of two days can only be compared when this stays the same: a new hash means a
        // new region, and the figures begin anew.
        assert_eq!(
            first,
            "02092c873540ecee1a268444ce13fa28e7dea3330ad3e965d847582c561db246"
        );
    }
}
