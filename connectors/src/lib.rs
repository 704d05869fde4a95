#![doc = include_str!("../README.md")]

pub mod absences;
pub mod archive;
#[cfg(test)]
pub(crate) mod conformance;
pub mod connection;
pub mod contract;
#[cfg(test)]
mod corpora;
pub mod csv;
pub mod fake;
pub mod fault;
pub mod http;
pub mod json;
pub mod live;
pub mod oauth;
pub mod oneroster;
pub mod report;
pub mod roster;
pub mod signature;
pub mod smartschool;

#[cfg(test)]
mod spec {
    use std::collections::BTreeSet;
    use std::path::Path;

    const TEXT: &str = include_str!("../SPEC.md");

    fn names(folder: &Path, into: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).expect("our own sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                names(&path, into);
            } else {
                let text = std::fs::read_to_string(&path).expect("text");
                let mut armed = false;
                for line in text.lines().map(str::trim) {
                    armed |= line == "#[test]" || line.starts_with("#[tokio::test");
                    let declared = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
                    if let Some(name) = declared.and_then(|rest| rest.split('(').next())
                        && std::mem::take(&mut armed)
                    {
                        into.insert(name.to_owned());
                    }
                }
            }
        }
    }

    #[test]
    fn every_must_names_a_test_that_exists() {
        let mut tests = BTreeSet::new();
        names(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut tests);
        let mut named = 0;
        for line in TEXT.lines().filter(|line| line.starts_with("- ")) {
            let cited: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
            assert!(
                !line.contains("MUST") || !cited.is_empty(),
                "no test is named in: {line}"
            );
            for test in cited {
                assert!(tests.contains(test), "`{test}` is named in SPEC.md and does not exist");
                named += 1;
            }
        }
        assert!(named > 20);
    }
}
