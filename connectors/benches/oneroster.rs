//! How fast the lists of a OneRoster source are read from its answers, and that memory does not grow with them.

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, Throughput};
use hub_connectors::oneroster::rest::decode::pages;
use hub_connectors::roster::Roster;

/// A page of the size that is asked for.
const RECORDS: u64 = 500;
/// What a socket gives at a time.
const PIECE: usize = 16 * 1024;
/// How far memory may grow over [`MUCH`] pages, in bytes.
const GROWTH: u64 = 8 * 1024 * 1024;
/// A hundred megabytes of pages, and more.
const MUCH: u64 = 400;

/// A page of users of 1.2, as the recorded answers write them: three of ten are pupils, six are parents.
fn users() -> Vec<u8> {
    let mut page = String::from("{\"users\":[");
    for number in 0..RECORDS {
        let (role, kind) = match number % 10 {
            0..3 => ("student", "studentUniqueId"),
            3..9 => ("parent", "contactUniqueId"),
            _ => ("teacher", "staffUniqueId"),
        };
        // Writing to a string cannot fail.
        let _written = write!(
            page,
            "{}{{\"sourcedId\":\"{number:032x}\",\"status\":\"active\",\"dateLastModified\":\"2026-11-22T04:02:30.244Z\",\
             \"username\":\"\",\"userIds\":[{{\"type\":\"{kind}\",\"identifier\":\"{}\"}}],\"enabledUser\":\"true\",\
             \"givenName\":\"Lotte\",\"familyName\":\"Janssens\",\"roles\":[{{\"roleType\":\"primary\",\"role\":\"{role}\",\
             \"org\":{{\"href\":\"/orgs/5643e68db2cfe9bf142de280d85599f9\",\
             \"sourcedId\":\"5643e68db2cfe9bf142de280d85599f9\",\"type\":\"org\"}}}}],\"identifier\":\"{}\",\
             \"metadata\":{{\"edfi\":{{\"resource\":\"{role}s\",\"naturalKey\":{{\"{kind}\":\"{}\"}},\
             \"educationOrganizationId\":255901}}}}}}",
            if number == 0 { "" } else { "," },
            600_000 + number,
            600_000 + number,
            600_000 + number,
        );
    }
    page.push_str("]}");
    page.into_bytes()
}

/// A page of enrollments, all of pupils of one school.
fn enrollments() -> Vec<u8> {
    let mut page = String::from("{\"enrollments\":[");
    for number in 0..RECORDS {
        let class = number / 25;
        let _written = write!(
            page,
            "{}{{\"sourcedId\":\"{number:032x}\",\"status\":\"active\",\"dateLastModified\":\"2026-11-22T04:02:30.244Z\",\
             \"class\":{{\"href\":\"/classes/{class:032x}\",\"sourcedId\":\"{class:032x}\",\"type\":\"class\"}},\
             \"user\":{{\"href\":\"/users/{number:032x}\",\"sourcedId\":\"{number:032x}\",\"type\":\"user\"}},\
             \"school\":{{\"href\":\"/orgs/5643e68db2cfe9bf142de280d85599f9\",\
             \"sourcedId\":\"5643e68db2cfe9bf142de280d85599f9\",\"type\":\"org\"}},\"role\":\"student\",\
             \"primary\":\"false\",\"beginDate\":\"2026-09-01\",\"endDate\":\"2027-06-30\"}}",
            if number == 0 { "" } else { "," },
        );
    }
    page.push_str("]}");
    page.into_bytes()
}

/// The classes that the enrollments are in.
fn classes() -> Vec<u8> {
    let class = |number: u64| {
        format!(
            "{{\"sourcedId\":\"{number:032x}\",\"title\":\"3LAT\",\
             \"school\":{{\"sourcedId\":\"5643e68db2cfe9bf142de280d85599f9\"}}}}"
        )
    };
    let classes: Vec<String> = (0..RECORDS / 25).map(class).collect();
    format!("{{\"classes\":[{}]}}", classes.join(",")).into_bytes()
}

/// The roster that some pages come to.
fn read(of: &[(&str, Vec<u8>)]) -> Roster {
    let pieces = of.iter().map(|(name, page)| (*name, page.chunks(PIECE)));
    let read = pages("5643e68db2cfe9bf142de280d85599f9", pieces);
    let (records, roster) = read.unwrap_or_default();
    assert!(records >= RECORDS, "it is read");
    roster
}

/// The most memory this process has held so far; none where the system does not say.
fn most_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

fn lists(criterion: &mut Criterion) {
    let of_users = [("users", users())];
    let of_enrollments = [("classes", classes()), ("enrollments", enrollments())];
    assert_eq!(read(&of_users).pupils.len(), 150);
    assert_eq!(read(&of_enrollments).memberships.len(), 500);
    let before = most_memory();
    for _ in 0..MUCH {
        black_box((read(&of_users), read(&of_enrollments)));
    }
    if let (Some(before), Some(after)) = (before, most_memory()) {
        assert!(after - before <= GROWTH, "it grew by {} bytes", after - before);
    }
    let mut group = criterion.benchmark_group("oneroster");
    let names = [("users", &of_users[..]), ("enrollments", &of_enrollments[..])];
    for (name, pages) in names {
        let bytes: usize = pages.iter().map(|(_, page)| page.len()).sum();
        group.throughput(Throughput::Bytes(u64::try_from(bytes).unwrap_or(u64::MAX)));
        group.bench_function(format!("{name}, a page of {RECORDS}"), |bencher| {
            bencher.iter(|| read(black_box(pages)));
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    lists(&mut criterion);
    criterion.final_summary();
}
