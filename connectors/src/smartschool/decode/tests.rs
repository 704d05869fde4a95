//! The committed corpora of the fuzz targets, replayed; and answers that were gone over with a hammer.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::absences::AbsenceRow;
use crate::contract::Gap;
use crate::roster::Roster;

struct Nothing;

impl Sink for Nothing {
    fn roster(&mut self, _: Roster) {}
    fn absence(&mut self, _: AbsenceRow<'_>) {}
    fn gap(&mut self, _: Gap) {}
    fn progress(&mut self, _: u64, _: Option<u64>) {}
}

/// What each target does with some bytes, in pieces of this size; whether they could be read.
type Target = fn(&[u8], usize) -> bool;

const TARGETS: [(&str, Target); 4] = [
    ("smartschool_half_days", |bytes, step| {
        half_days(bytes.chunks(step), NaiveDate::MIN, &mut Nothing).is_ok()
    }),
    ("smartschool_accounts", |bytes, step| {
        accounts(bytes.chunks(step)).is_ok()
    }),
    ("smartschool_career", |bytes, step| career(bytes.chunks(step)).is_ok()),
    ("smartschool_tree", |bytes, step| tree(bytes.chunks(step)).is_ok()),
];

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = std::fs::read_dir(folder).expect("a committed corpus");
    let read = files.map(|file| {
        let path = file.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, std::fs::read(path).expect("bytes"))
    });
    let mut read: Vec<_> = read.collect();
    read.sort();
    read
}

#[test]
fn the_corpora_end_as_they_should_however_they_are_cut() {
    // What is right in each; everything else in it is refused.
    let right: [&[&str]; 4] = [
        &["code", "day", "empty_list", "escaped", "fault", "labels", "twice"],
        &["capitals", "code", "map", "nothing", "pupil"],
        &["code", "none", "rows", "types"],
        &["lines", "tree"],
    ];
    for ((target, read), right) in TARGETS.into_iter().zip(right) {
        let corpus = corpus(target);
        for step in [1, 7, 64, usize::MAX] {
            let readable: Vec<&str> = corpus
                .iter()
                .filter(|(_, bytes)| read(bytes, step))
                .map(|(name, _)| name.as_str())
                .collect();
            assert_eq!(readable, right, "{target} in steps of {step}");
        }
        assert!(corpus.len() > right.len(), "{target} has something to refuse");
    }
}

#[test]
fn every_corpus_has_its_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
    for (target, _) in TARGETS {
        assert!(folder.join(format!("fuzz_targets/{target}.rs")).exists(), "{target}");
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Some bytes are changed, some left out, some said twice: an error or a reading, never a panic.
    #[test]
    fn what_is_damaged_is_refused_or_read(
        which in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..12),
        step in 1_usize..200,
    ) {
        let (target, read) = TARGETS[which.index(TARGETS.len())];
        let corpus = corpus(target);
        let mut bytes = corpus[from.index(corpus.len())].1.clone();
        for (at, byte, how) in damage {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at.max(1)),
                _ => bytes.extend_from_within(at..),
            }
            bytes.truncate(100_000);
        }
        let _either = read(&bytes, step);
    }
}
