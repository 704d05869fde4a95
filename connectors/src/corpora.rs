//! The committed corpora of the fuzz targets (`connectors/fuzz`), replayed on stable; and what is in them gone over with a
//! hammer.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use proptest::prelude::*;

use crate::absences::{AbsenceFormat, AbsenceReader, AbsenceRow};
use crate::archive::Package;
use crate::contract::{Gap, Sink};
use crate::oneroster::rest::decode as oneroster;
use crate::report::Report;
use crate::roster::Roster;
use crate::smartschool::decode as smartschool;

/// A fuzz target as it is driven here.
struct Target {
    name: &'static str,
    /// What it does with some bytes, in pieces of this size; whether they could be read.
    read: fn(&[u8], usize) -> bool,
    /// What is right in its corpus; everything else is refused.
    right: &'static [&'static str],
}

const TARGETS: [Target; 12] = [
    Target {
        name: "absences_csv",
        read: |bytes, step| absences(bytes, step, &AbsenceFormat::default()),
        right: &["bare_cr", "half_days", "header", "semicolons", "utf_16", "windows_1252"],
    },
    Target {
        name: "absences_informat",
        read: |bytes, step| absences(bytes, step, &AbsenceFormat::InformatText),
        right: &["blocks", "empty", "head_alone", "letters", "no_letter", "other_hour"],
    },
    Target {
        name: "archive",
        read: |bytes, _| archive(bytes),
        right: &["plain", "stored", "top_folder"],
    },
    Target {
        name: "oauth_token",
        read: |bytes, _| token(bytes),
        right: &["given", "no_lifetime", "scopes"],
    },
    Target {
        name: "oneroster_package",
        read: |bytes, _| package(bytes),
        right: &["or_1_1_delta_small", "or_1_2_delta_small"],
    },
    Target {
        name: "oneroster_page",
        read: page,
        right: &[
            "classes",
            "demographics",
            "empty",
            "enrollments",
            "nothings",
            "orgs",
            "sessions",
            "status_beside",
            "types",
            "users_1_1",
            "users_1_2",
        ],
    },
    Target {
        name: "smartschool_accounts",
        read: |bytes, step| smartschool::accounts(bytes.chunks(step)).is_ok(),
        right: &["capitals", "code", "map", "nothing", "pupil"],
    },
    Target {
        name: "smartschool_career",
        read: |bytes, step| smartschool::career(bytes.chunks(step)).is_ok(),
        right: &["code", "none", "rows", "types"],
    },
    Target {
        name: "smartschool_codes",
        read: |bytes, step| smartschool::result_codes(bytes.chunks(step)).is_ok(),
        right: &["lacks", "otherwise", "table", "twice"],
    },
    Target {
        name: "smartschool_half_days",
        read: |bytes, step| smartschool::half_days(bytes.chunks(step), NaiveDate::MIN, &mut Nothing).is_ok(),
        right: &["code", "day", "empty_list", "escaped", "fault", "labels", "twice"],
    },
    Target {
        name: "smartschool_plain",
        read: |bytes, step| smartschool::plain(bytes.chunks(step)).is_ok(),
        right: &["int", "number", "quoted", "reference", "username"],
    },
    Target {
        name: "smartschool_tree",
        read: |bytes, step| smartschool::tree(bytes.chunks(step)).is_ok(),
        right: &["lines", "tree"],
    },
];

struct Nothing;

impl Sink for Nothing {
    fn roster(&mut self, _: Roster) {}
    fn absence(&mut self, _: AbsenceRow<'_>) {}
    fn gap(&mut self, _: Gap) {}
    fn progress(&mut self, _: u64, _: Option<u64>) {}
}

/// Gives a few bytes at a time.
struct Dribble<'b>(&'b [u8], usize);

impl Read for Dribble<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let most = self.1.min(into.len());
        self.0.read(&mut into[..most])
    }
}

fn absences(bytes: &[u8], step: usize, format: &AbsenceFormat) -> bool {
    let mut reader = AbsenceReader::new(Dribble(bytes, step), "corpus", format);
    let report = reader.read::<Infallible>(&mut |row| {
        assert!(!row.pupil_key.is_empty());
        Ok(())
    });
    report.is_ok_and(|report| report.usable())
}

fn archive(bytes: &[u8]) -> bool {
    let Ok(mut package) = Package::zip(Cursor::new(bytes.to_vec()), &mut Report::default()) else {
        return false;
    };
    let names: Vec<String> = package.names().map(str::to_owned).collect();
    let mut whole = |name: &String| match package.read(name) {
        Ok(Some(mut file)) => file.read_to_end(&mut Vec::new()).is_ok(),
        _ => false,
    };
    !names.is_empty() && names.iter().all(&mut whole)
}

fn package(bytes: &[u8]) -> bool {
    let mut report = Report::default();
    let Ok(mut package) = Package::zip(Cursor::new(bytes.to_vec()), &mut report) else {
        return false;
    };
    crate::oneroster::read(&mut package, &crate::oneroster::Settings::default(), report).is_ok()
}

/// The first byte says with which status.
fn token(bytes: &[u8]) -> bool {
    let Some((which, body)) = bytes.split_first() else {
        return false;
    };
    let status = [200, 400, 401, 403][usize::from(*which) % 4];
    let given = crate::oauth::decode(status, "application/json", body).is_ok();
    assert!(!given || status == 200, "a token with a refusal");
    given
}

/// The first byte says which list it is.
fn page(bytes: &[u8], step: usize) -> bool {
    const LISTS: [&str; 6] = [
        "orgs",
        "academicSessions",
        "classes",
        "users",
        "demographics",
        "enrollments",
    ];
    let Some((which, answer)) = bytes.split_first() else {
        return false;
    };
    let name = LISTS[usize::from(*which) % LISTS.len()];
    oneroster::pages("s1", [(name, answer.chunks(step))]).is_ok()
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The names of what is in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a committed folder");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        let name = entry.expect("an entry").file_name();
        name.into_string().expect("a name")
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

fn corpus(target: &Target) -> Vec<(String, Vec<u8>)> {
    let folder = fuzz().join("corpus").join(target.name);
    let read = |name: String| {
        let bytes = std::fs::read(folder.join(&name)).expect("bytes");
        (name, bytes)
    };
    names(&folder).into_iter().map(read).collect()
}

#[test]
fn the_corpora_end_as_they_should_however_they_are_cut() {
    for step in [1, 7, 64, usize::MAX] {
        let mut read: Vec<(&str, Vec<String>)> = Vec::new();
        for target in &TARGETS {
            let mut corpus = corpus(target);
            let refuses = corpus.len() > target.right.len();
            assert!(refuses, "{} has something to refuse", target.name);
            corpus.retain(|(_, bytes)| (target.read)(bytes, step));
            read.push((target.name, corpus.into_iter().map(|(name, _)| name).collect()));
        }
        let right = TARGETS.iter().map(|target| {
            let right: Vec<String> = target.right.iter().map(|&name| name.to_owned()).collect();
            (target.name, right)
        });
        assert_eq!(read, right.collect::<Vec<_>>(), "in steps of {step}");
    }
}

// A corpus that nobody replays, or a target without one, shows nothing.
#[test]
fn every_corpus_has_its_target() {
    let ours: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let of = |folder: &str| names(&fuzz().join(folder)).into_iter().collect::<BTreeSet<String>>();
    assert_eq!(of("corpus"), ours);
    let files: BTreeSet<String> = ours.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(of("fuzz_targets"), files);
    let manifest = std::fs::read_to_string(fuzz().join("Cargo.toml")).expect("a manifest");
    let bins = manifest.lines().filter_map(|line| {
        let path = line.strip_prefix("path = \"fuzz_targets/")?;
        Some(path.strip_suffix('"').unwrap_or(path).to_owned())
    });
    assert_eq!(bins.collect::<BTreeSet<String>>(), files);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Some bytes are changed, some left out, some said twice: an error or a reading, never a panic.
    #[test]
    fn what_is_damaged_is_refused_or_read(
        which in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..12),
        step in 1_usize..200,
    ) {
        let target = &TARGETS[which.index(TARGETS.len())];
        let corpus = corpus(target);
        let mut bytes = corpus[from.index(corpus.len())].1.clone();
        bytes.push(b' ');
        for (at, byte, how) in damage {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at.max(1)),
                _ => bytes.extend_from_within(at..),
            }
            bytes.truncate(100_000);
        }
        let _either = (target.read)(&bytes, step);
    }
}
