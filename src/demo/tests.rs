//! The population against the published figures and the rules of its identifiers.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate, Weekday};
use hub_entities::law::Laws;
use hub_entities::number::institution::InstitutionNumber;
use hub_entities::number::national::NationalNumber;
use hub_entities::time::{HalfDay, Part, SchoolYear};

use super::feed::Feed;
use super::files::{self, DELETED};
use super::population::{Origin, Population};
use super::schools::{Level, Shape};
use super::{absences, package};

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

/// The half-days of 2026-2027, written out by hand: autumn from 2 November, Christmas from 21
/// December, crocus from 8 February, Easter from 29 March; 329 in all (`domain.md` §6.3).
fn lessons() -> Vec<HalfDay> {
    let closed = [
        ("2026-11-02", "2026-11-08"),
        ("2026-11-11", "2026-11-11"),
        ("2026-12-21", "2027-01-03"),
        ("2027-02-08", "2027-02-14"),
        ("2027-03-29", "2027-04-11"),
        ("2027-05-06", "2027-05-07"),
        ("2027-05-17", "2027-05-17"),
    ];
    let mut lessons = Vec::new();
    for at in day("2026-09-01").iter_days().take_while(|at| *at <= day("2027-06-30")) {
        let off = closed.iter().any(|(from, to)| (day(from)..=day(to)).contains(&at));
        if off || matches!(at.weekday(), Weekday::Sat | Weekday::Sun) {
            continue;
        }
        lessons.push(HalfDay::new(at, Part::Am));
        if at.weekday() != Weekday::Wed {
            lessons.push(HalfDay::new(at, Part::Pm));
        }
    }
    assert_eq!(lessons.len(), 329);
    lessons
}

fn seeded(seed: u64, today: &str) -> Population {
    let calendar = Laws::embedded().expect("the laws").calendar(SchoolYear(2026));
    Population::new(Shape::demo(), seed, day(today), &calendar)
}

fn on(today: &str) -> Population {
    seeded(42, today)
}

#[test]
fn two_clbs_twelve_schools_four_thousand_pupils() {
    let population = on("2026-11-22");
    assert_eq!((population.clbs.len(), population.schools.len()), (2, 12));
    assert_eq!(population.len(), 4000);
    let numbers: BTreeSet<_> = population
        .schools
        .iter()
        .map(|school| &school.institution_number)
        .chain(population.clbs.iter().map(|clb| &clb.institution_number))
        .collect();
    assert_eq!(numbers.len(), 14);
    for number in numbers {
        assert!(
            number.parse::<InstitutionNumber>().is_ok() && number.starts_with("99"),
            "{number}"
        );
    }
    assert_eq!(population.schools.iter().filter(|school| school.clb == 0).count(), 6);
}

#[test]
fn numbers_are_valid_and_nobody_shares_one() {
    let population = on("2026-11-22");
    let mut seen = BTreeSet::new();
    let (mut none, mut bis, mut undated) = (0, 0, 0);
    for index in 0..population.len() {
        let pupil = population.pupil(index);
        let Some(number) = &pupil.national_number else {
            none += 1;
            continue;
        };
        assert_eq!(number.len(), 11);
        let digits = |range: std::ops::Range<usize>| number.get(range).expect("eleven digits");
        // The rule of domain.md §6.1, all pupils being born after 1999.
        let checked: u64 = format!("2{}", digits(0..9)).parse().expect("digits");
        let checksum: u64 = digits(9..11).parse().expect("digits");
        assert_eq!(checksum, 97 - checked % 97, "pupil {index}");
        let read: NationalNumber = number.parse().expect("a national number");
        assert_eq!(read.birth_date(), pupil.birth_date, "pupil {index}");
        let sequence: u16 = digits(6..9).parse().expect("digits");
        assert_eq!(sequence % 2 == 1, pupil.sex == "male", "pupil {index}");
        assert!((1..=998).contains(&sequence), "pupil {index}");
        match digits(2..4) {
            "00" => {
                undated += 1;
                assert_eq!(pupil.birth_date, None);
            }
            month if month > "12" => bis += 1,
            _ => {}
        }
        assert!(seen.insert(number.clone()), "pupil {index} shares a number");
    }
    assert!(none > 20 && bis > 20 && undated > 10, "{none} {bis} {undated}");
}

#[test]
fn a_pupil_is_the_same_whenever_asked() {
    let (once, again) = (on("2026-11-22"), on("2026-11-22"));
    for index in (0..4000).rev().step_by(7) {
        assert_eq!(once.pupil(index), again.pupil(index));
    }
    let other = seeded(43, "2026-11-22");
    assert!((0..50).any(|index| once.pupil(index) != other.pupil(index)));
}

/// Shares of a whole year in per mille: at least 5 and at least 30 half-days B.
fn shares(population: &Population, level: Option<Level>, least_age: i32) -> (usize, usize) {
    let (mut all, mut five, mut thirty) = (0, 0, 0);
    for index in 0..population.len() {
        let pupil = population.pupil(index);
        let Some(stay) = pupil.stays.first() else { continue };
        let right_level = level.is_none_or(|level| population.schools[stay.school].level == level);
        if !right_level || 2026 - pupil.birth_year < least_age {
            continue;
        }
        let count = absences::of(population, &pupil)
            .iter()
            .filter(|absence| absence.letter == "B")
            .count();
        all += 1;
        five += usize::from(count >= 5);
        thirty += usize::from(count >= 30);
    }
    (five * 1000 / all, thirty * 1000 / all)
}

#[test]
fn a_year_of_absences_looks_like_the_published_figures() {
    // domain.md §5.5, in per mille; four thousand pupils leave room for chance.
    let population = on("2027-06-30");
    let (five, _) = shares(&population, None, 0);
    assert!((45..=75).contains(&five), "{five} per mille reach five");
    let (_, basis) = shares(&population, Some(Level::Basis), 6);
    assert!((3..=12).contains(&basis), "{basis} per mille of basis reach thirty");
    let (_, secundair) = shares(&population, Some(Level::Secundair), 0);
    assert!(
        (24..=40).contains(&secundair),
        "{secundair} per mille of secundair reach thirty"
    );

    let mut letters: BTreeMap<&str, usize> = BTreeMap::new();
    for index in 0..population.len() {
        for absence in absences::of(&population, &population.pupil(index)) {
            *letters.entry(absence.letter).or_default() += 1;
        }
    }
    let total: usize = letters.values().sum();
    // 3 to 6 % of 329 half-days for 4,000 pupils.
    assert!((39_000..=80_000).contains(&total), "{total} absences");
    let of = |letters_of: &[&str]| {
        letters_of
            .iter()
            .map(|letter| letters.get(letter).copied().unwrap_or(0))
            .sum::<usize>()
    };
    assert!(of(&["Z", "D", "R", "P", "A"]) * 10 > total * 7, "{letters:?}");
}

#[test]
fn absences_fall_on_lessons_of_a_school_the_pupil_goes_to() {
    let population = on("2027-02-22");
    assert_eq!(population.lessons, lessons());
    let open: BTreeSet<_> = lessons().into_iter().collect();
    for index in 0..population.len() {
        let pupil = population.pupil(index);
        let mut seen = BTreeSet::new();
        for absence in absences::of(&population, &pupil) {
            let stay = &pupil.stays[absence.stay];
            assert!(open.contains(&absence.at) && absence.at.day <= day("2027-02-22"));
            assert!(stay.holds(absence.at.day));
            assert!(!population.schools[stay.school].days_off.contains(&absence.at.day));
            assert!(seen.insert(absence.at), "pupil {index} twice absent");
        }
    }
}

#[test]
fn what_happened_stays_when_the_year_goes_on() {
    let (earlier, later) = (on("2026-10-16"), on("2027-01-29"));
    // What is more than a week old has been explained; nothing older changes.
    let settled = day("2026-10-05");
    for index in (0..4000).step_by(5) {
        let known = |population: &Population| {
            absences::of(population, &population.pupil(index))
                .into_iter()
                .filter(|absence| absence.at.day < settled)
                .collect::<Vec<_>>()
        };
        assert_eq!(known(&earlier), known(&later), "pupil {index}");
    }
}

#[test]
fn some_change_school_and_bring_their_number() {
    let population = on("2027-06-30");
    let (mut moved, mut came, mut carried) = (0, 0, 0);
    for index in 0..population.len() {
        let pupil = population.pupil(index);
        if let [first, second] = pupil.stays.as_slice() {
            moved += 1;
            assert_eq!(second.from, Some(Origin::Population));
            assert_eq!(first.last_day.and_then(|last| last.succ_opt()), Some(second.begins));
            assert_ne!(first.school, second.school);
            assert_ne!(first.source_key, second.source_key);
        } else if pupil.stays[0].from.is_some() {
            came += 1;
        }
        carried += absences::carried(&population, &pupil).len();
    }
    assert!((40..=80).contains(&moved), "{moved} moved");
    assert!((18..=50).contains(&came), "{came} came");
    assert!(carried > 10, "{carried} numbers");
}

#[test]
fn the_first_of_september_is_empty() {
    let population = on("2026-09-01");
    let rows: usize = (0..4000)
        .map(|index| absences::of(&population, &population.pupil(index)).len())
        .sum();
    assert!(rows < 600, "{rows} absences on the first day");
    assert!((0..4000).all(|index| population.pupil(index).stays.len() <= 1));
}

#[test]
fn a_package_holds_every_pupil_of_the_school() {
    let population = on("2026-11-22");
    for (position, users_header) in [
        (
            0,
            "sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,",
        ),
        (
            1,
            "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,",
        ),
    ] {
        let bytes = package::write(&population, position, std::io::Cursor::new(Vec::new())).expect("a package");
        let mut zip = zip::ZipArchive::new(bytes).expect("an archive");
        let mut read = |name: &str| {
            let mut text = String::new();
            std::io::Read::read_to_string(&mut zip.by_name(name).expect("the file"), &mut text).expect("text");
            text
        };
        let pupils = population.pupils_of(position).count();
        // 300 begin there, less the few who arrive after today, more the few who came in.
        assert!((290..320).contains(&pupils), "{pupils} pupils");
        assert!(read("users.csv").starts_with(users_header));
        assert_eq!(read("demographics.csv").lines().count(), pupils + 1);
        let enrolled = read("enrollments.csv")
            .lines()
            .filter(|line| line.contains(",student,"))
            .count();
        assert_eq!(enrolled, pupils);
        assert!(read("classes.csv").ends_with("\r\n"));
        assert_eq!(read("manifest.csv").contains("file.roles,bulk"), position == 0);
    }
}

#[test]
fn the_folder_says_what_it_holds() {
    let population = on("2026-11-22");
    let folder = tempfile::tempdir().expect("a folder");
    let manifest = files::write(&population, folder.path()).expect("the files");
    assert_eq!(manifest.schools.len(), 12);
    for school in &manifest.schools {
        let at = folder.path().join(&school.institution_number);
        let text = std::fs::read_to_string(at.join("absences.csv")).expect("absences");
        assert!(text.starts_with("pupil,date,part,code\r\n"));
        assert_eq!(text.lines().count(), school.absences + 1);
        assert_eq!(at.join("carried-in.csv").exists(), school.carried_in > 0);
        assert!(at.join("roster.zip").exists());
    }
}

#[test]
fn a_feed_of_the_last_half_days_changes_no_others() {
    let population = on("2027-03-26");
    let known: Vec<_> = population
        .lessons
        .iter()
        .filter(|half| half.day <= population.today)
        .collect();
    let first = known[known.len() - 18];
    let feed = Feed::of_last(&population, 18);
    let mut changes = 0;
    for step in 0..40 {
        for change in feed.step(step) {
            assert!(change.at >= *first, "{:?} in step {step}", change.at);
            changes += 1;
        }
    }
    assert!(changes > 100, "{changes} changes");
}

/// Replays the feed onto the counts of the first import: B of one pupil, and how often the
/// threshold of five was passed upwards and downwards.
#[test]
fn signals_come_and_go() {
    let population = on("2027-03-26");
    let mut codes: BTreeMap<(String, HalfDay), &str> = BTreeMap::new();
    for index in 0..population.len() {
        let pupil = population.pupil(index);
        for absence in absences::of(&population, &pupil) {
            codes.insert(
                (pupil.stays[absence.stay].source_key.clone(), absence.at),
                absence.letter,
            );
        }
    }
    let count = |codes: &BTreeMap<(String, HalfDay), &str>, pupil: &str| {
        codes
            .iter()
            .filter(|((key, _), code)| key == pupil && **code == "B")
            .count()
    };
    let feed = Feed::new(&population);
    let open: BTreeSet<_> = lessons().into_iter().collect();
    let (mut up, mut down, mut deleted) = (0, 0, 0);
    for step in 0..40 {
        let changes = feed.step(step);
        assert!(
            (3..=8).contains(&changes.len()),
            "{} changes in step {step}",
            changes.len()
        );
        assert_eq!(changes, Feed::new(&population).step(step));
        for change in changes {
            assert!(open.contains(&change.at) && change.at.day <= population.today);
            let before = count(&codes, &change.pupil_key);
            if change.code == DELETED {
                codes.remove(&(change.pupil_key.clone(), change.at));
                deleted += 1;
            } else {
                codes.insert((change.pupil_key.clone(), change.at), change.code);
            }
            let after = count(&codes, &change.pupil_key);
            up += usize::from(before < 5 && after >= 5);
            down += usize::from(before >= 5 && after < 5);
        }
    }
    assert!(
        up >= 20 && down >= 20 && deleted > 0,
        "{up} up, {down} down, {deleted} deleted"
    );
}
