//! How fast the half-days of a day are read from the answer of a tenant, and that memory does not grow with them.

use std::hint::black_box;

use chrono::NaiveDate;
use criterion::{Criterion, Throughput};
use hub_connectors::absences::AbsenceRow;
use hub_connectors::contract::{Gap, Sink};
use hub_connectors::roster::Roster;
use hub_connectors::smartschool::decode::half_days;

/// A large platform.
const PUPILS: u64 = 5_000;
/// What a socket gives at a time.
const PIECE: usize = 16 * 1024;
/// How far memory may grow over [`MUCH`] answers, in bytes.
const GROWTH: u64 = 8 * 1024 * 1024;
/// A hundred megabytes of answers.
const MUCH: u64 = 500;

/// Counts what it is handed.
#[derive(Default)]
struct Count {
    rows: u64,
    absent: u64,
}

impl Sink for Count {
    fn roster(&mut self, _: Roster) {}

    fn absence(&mut self, row: AbsenceRow<'_>) {
        self.rows += 1;
        self.absent += u64::from(black_box(row.letter) != "|");
    }

    fn gap(&mut self, _: Gap) {}

    fn progress(&mut self, _: u64, _: Option<u64>) {}
}

/// An answer as PHP writes it: nine of ten were there, some afternoons have no school.
fn answer() -> Vec<u8> {
    let entry = |number: u64| {
        let (am, pm) = match number % 40 {
            0 => ("\"B\"", "\"B\""),
            1 => ("\"Z\"", "\"|\""),
            2 => ("\"D\"", "null"),
            3 => ("\"L\"", "\"|\""),
            _ => ("\"|\"", "\"|\""),
        };
        format!("\"{}\":{{\"am\":{am},\"pm\":{pm}}}", 100_000 + number)
    };
    let entries: Vec<String> = (0..PUPILS).map(entry).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<SOAP-ENV:Envelope \
         xmlns:SOAP-ENV=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:ns1=\"https://demo.example/Webservices/V3\">\
         <SOAP-ENV:Body><ns1:getAbsentsWithInternalNumberByDateResponse><return xsi:type=\"xsd:string\">{{{}}}</return>\
         </ns1:getAbsentsWithInternalNumberByDateResponse></SOAP-ENV:Body></SOAP-ENV:Envelope>\n",
        entries.join(",")
    )
    .into_bytes()
}

fn read(answer: &[u8]) -> Count {
    let mut count = Count::default();
    let read = half_days(answer.chunks(PIECE), NaiveDate::MIN, &mut count);
    assert_eq!(read, Ok(PUPILS));
    count
}

/// The most memory this process has held so far; none where the system does not say.
fn most_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

fn day_of_a_platform(criterion: &mut Criterion) {
    let answer = answer();
    let count = read(&answer);
    assert_eq!((count.rows, count.absent), (PUPILS * 2, PUPILS / 40 * 6));
    let before = most_memory();
    for _ in 0..MUCH {
        black_box(read(&answer));
    }
    if let (Some(before), Some(after)) = (before, most_memory()) {
        assert!(after - before <= GROWTH, "it grew by {} bytes", after - before);
    }
    let mut group = criterion.benchmark_group("smartschool");
    group.throughput(Throughput::Bytes(u64::try_from(answer.len()).unwrap_or(u64::MAX)));
    group.bench_function("half-days of a day, 5,000 pupils", |bencher| {
        bencher.iter(|| read(black_box(&answer)));
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    day_of_a_platform(&mut criterion);
    criterion.final_summary();
}
