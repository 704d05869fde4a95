//! The committed corpus of the fuzz target, replayed; and answers that were gone over with a hammer.

use std::path::Path;

use proptest::prelude::*;

use super::*;

const TARGET: &str = "oneroster_page";

/// What the target does with some bytes, in pieces of this size; whether they could be read. The first byte says
/// which list it is.
fn read(bytes: &[u8], step: usize) -> bool {
    let Some((which, answer)) = bytes.split_first() else {
        return false;
    };
    let name = LISTS[usize::from(*which) % LISTS.len()].list;
    pages("s1", [(name, answer.chunks(step))]).is_ok()
}

fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(TARGET);
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
fn the_corpus_ends_as_it_should_however_it_is_cut() {
    // What is right in it; everything else is refused.
    let right = [
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
    ];
    let corpus = corpus();
    for step in [1, 7, 64, usize::MAX] {
        let readable: Vec<&str> = corpus
            .iter()
            .filter(|(_, bytes)| read(bytes, step))
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(readable, right, "in steps of {step}");
    }
    assert!(corpus.len() > right.len(), "it has something to refuse");
}

#[test]
fn the_corpus_has_its_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
    assert!(folder.join(format!("fuzz_targets/{TARGET}.rs")).exists());
    assert!(manifest.contains(&format!("name = \"{TARGET}\"")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Some bytes are changed, some left out, some said twice: an error or a reading, never a panic.
    #[test]
    fn a_damaged_page_is_refused_or_read(
        from in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..12),
        step in 1_usize..200,
    ) {
        let corpus = corpus();
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
        let _either = read(&bytes, step);
    }
}
