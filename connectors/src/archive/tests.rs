use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

fn build(with: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    with(&mut zip);
    zip.finish().expect("a zip").into_inner()
}

fn files(names: &[&str]) -> Vec<u8> {
    build(|zip| {
        for name in names {
            zip.start_file(*name, SimpleFileOptions::default()).expect("a name");
            zip.write_all(b"a,b\n").expect("room");
        }
    })
}

fn open(bytes: Vec<u8>) -> (Result<Package, &'static str>, Report) {
    let mut report = Report::default();
    let package = Package::zip(Cursor::new(bytes), &mut report);
    (package.map_err(|refused| refused.faults[0].rule), report)
}

fn refusal(bytes: Vec<u8>) -> &'static str {
    open(bytes).0.expect_err("a refusal")
}

/// Replaces a name in both directories by one of the same length, as an attacker would.
fn renamed(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = files(&[from, "b.csv"]);
    while let Some(at) = memchr::memmem::find(&bytes, from.as_bytes()) {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

/// Writes over a field of every record that begins with this mark.
fn patched(mut bytes: Vec<u8>, mark: [u8; 4], offset: usize, value: &[u8]) -> Vec<u8> {
    let places: Vec<usize> = memchr::memmem::find_iter(&bytes, &mark).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at + offset..at + offset + value.len()].copy_from_slice(value);
    }
    bytes
}

const LOCAL: [u8; 4] = *b"PK\x03\x04";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const LAST: [u8; 4] = *b"PK\x05\x06";

#[test]
fn names_that_point_outside_are_refused() {
    for (from, to) in [
        ("aaaaaaaa.csv", "../../aa.csv"),
        ("aaaaaaaa.csv", "/etc/aaa.csv"),
        ("aaaaaaaa.csv", "C:\\aaaaa.csv"),
        ("aaaaaaaa.csv", "a/../aaa.csv"),
    ] {
        assert_eq!(refusal(renamed(from, to)), "package.name", "{to}");
    }
}

#[test]
fn two_files_of_one_name_are_refused() {
    assert_eq!(refusal(renamed("a.csv", "b.csv")), "package.duplicate_name");
    assert_eq!(refusal(files(&["users.csv", "USERS.csv"])), "package.duplicate_name");
}

#[test]
fn symlinks_nested_archives_and_deep_folders_are_refused() {
    let link = build(|zip| {
        zip.add_symlink("users.csv", "/etc/passwd", SimpleFileOptions::default())
            .expect("a link");
    });
    assert_eq!(refusal(link), "package.symlink");
    assert_eq!(refusal(files(&["a.csv", "more.zip"])), "package.nested_archive");
    assert_eq!(refusal(files(&["a.csv", "x/b.csv"])), "package.depth");
    assert_eq!(refusal(files(&["x/y/b.csv"])), "package.depth");
}

#[test]
fn encrypted_files_are_refused() {
    let bytes = patched(files(&["a.csv"]), LOCAL, 6, &[1, 0]);
    assert_eq!(refusal(patched(bytes, CENTRAL, 8, &[1, 0])), "package.encrypted");
}

#[test]
fn zeros_by_the_gigabyte_are_refused_by_their_ratio() {
    let bomb = build(|zip| {
        zip.start_file("a.csv", SimpleFileOptions::default()).expect("a name");
        for _ in 0..64 {
            zip.write_all(&vec![0; 1024 * 1024]).expect("room");
        }
    });
    assert!(bomb.len() < 100_000);
    assert_eq!(refusal(bomb), "package.ratio");
}

#[test]
fn more_than_may_come_out_is_refused() {
    // Six stored files that say 100 MB each, both sizes, in a small archive.
    let bytes = build(|zip| {
        for name in ["a.csv", "b.csv", "c.csv", "d.csv", "e.csv", "f.csv"] {
            zip.start_file(
                name,
                SimpleFileOptions::default().compression_method(CompressionMethod::Stored),
            )
            .expect("a name");
            zip.write_all(b"a,b\n").expect("room");
        }
    });
    let large = 100_000_000_u32.to_le_bytes();
    let bytes = patched(patched(bytes, CENTRAL, 20, &large), CENTRAL, 24, &large);
    assert_eq!(refusal(bytes), "package.too_large");
}

#[test]
fn files_that_overlap_are_refused() {
    let bytes = build(|zip| {
        zip.start_file(
            "a.csv",
            SimpleFileOptions::default().compression_method(CompressionMethod::Stored),
        )
        .expect("a name");
        zip.write_all(b"a,b\n").expect("room");
    });
    let large = 100_000_u32.to_le_bytes();
    let bytes = patched(patched(bytes, CENTRAL, 20, &large), CENTRAL, 24, &large);
    assert_eq!(refusal(bytes), "package.overlap");
}

#[test]
fn a_lying_size_ends_the_stream() {
    let honest = build(|zip| {
        zip.start_file("a.csv", SimpleFileOptions::default()).expect("a name");
        for _ in 0..64 {
            zip.write_all(&vec![0; 1024 * 1024]).expect("room");
        }
    });
    // It says 1,000 bytes and would give 64 MiB.
    let bytes = patched(honest, CENTRAL, 24, &1_000_u32.to_le_bytes());
    let mut package = open(bytes).0.expect("its directory looks sound");
    let mut stream = package.read("a.csv").expect("a stream").expect("a file");
    let read = io::copy(&mut stream, &mut io::sink());
    assert!(read.is_err());
}

#[test]
fn a_million_entries_are_refused_before_they_are_loaded() {
    let names: Vec<String> = (0..1_001).map(|n| format!("{n}.csv")).collect();
    let many = files(&names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(refusal(many), "package.too_many_entries");
    // The same with a count that lies, and with a second directory of ZIP64.
    assert_eq!(
        refusal(patched(files(&["a.csv", "b.csv"]), LAST, 10, &[1, 0])),
        "package.malformed"
    );
    let mut bytes = files(&["a.csv"]);
    let at = bytes.len() - 22;
    let mut pointer = b"PK\x06\x07".to_vec();
    pointer.resize(20, 0);
    bytes.splice(at..at, pointer);
    assert_eq!(refusal(bytes), "package.too_many_entries");
}

#[test]
fn a_top_folder_and_what_a_mac_adds_are_told() {
    let (package, report) = open(files(&[
        "Export/a.csv",
        "Export/b.csv",
        "__MACOSX/Export/._a.csv",
        "Export/.DS_Store",
    ]));
    let package = package.expect("readable");
    assert_eq!(package.names().collect::<Vec<_>>(), ["a.csv", "b.csv"]);
    assert!(report.names("package.top_folder") && report.names("package.system_files_ignored"));
}

#[test]
fn a_folder_has_the_same_guards() {
    let place = tempfile::tempdir().expect("a folder");
    fs::create_dir(place.path().join("x")).expect("room");
    fs::write(place.path().join("x/a.csv"), "a,b\n").expect("room");
    let mut report = Report::default();
    let mut package = Package::open(place.path(), &mut report).expect("readable");
    let mut text = String::new();
    package
        .read("a.csv")
        .expect("a stream")
        .expect("a file")
        .read_to_string(&mut text)
        .expect("text");
    assert_eq!(text, "a,b\n");
    std::os::unix::fs::symlink("/etc/passwd", place.path().join("x/users.csv")).expect("room");
    let refused = Package::open(place.path(), &mut report).expect_err("a link");
    assert_eq!(refused.faults[0].rule, "package.symlink");
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_refused_or_opened(mut bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400), at in 0_usize..300, with in proptest::prelude::any::<u8>()) {
        let _noise = open(bytes.clone());
        let mut sound = files(&["a.csv", "b.csv"]);
        let place = at % sound.len();
        sound[place] = with;
        if let Ok(mut package) = open(sound).0 {
            for name in ["a.csv", "b.csv"] {
                if let Ok(Some(mut stream)) = package.read(name) {
                    let _read = io::copy(&mut stream, &mut io::sink());
                }
            }
        }
        bytes.clear();
    }
}
