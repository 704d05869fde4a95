//! How long a school year takes through the tally: the cost of a full re-evaluation.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use hub_entities::absence::mark::Mark;
use hub_entities::absence::tally::{HalfDayMark, Rules, TallyInput, due, tally};
use hub_entities::id::RecordId;
use hub_entities::law::Laws;
use hub_entities::law::compulsory::Settings;
use hub_entities::time::{HalfDay, SchoolYear};
use uuid::Uuid;

/// A large school: 2,000 pupils with 50 half-days each, the density of 6 million on 120,000 pupils.
const PUPILS: u64 = 2_000;
const HALF_DAYS: u64 = 50;

/// One pupil in ten is absent without reason on about one of five of those half-days.
fn pupil(number: u64, lessons: &[HalfDay]) -> Vec<HalfDayMark> {
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut draw = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let truant = number.is_multiple_of(10);
    (0..HALF_DAYS)
        .filter_map(|_| {
            let at = usize::try_from(draw(u64::try_from(lessons.len()).ok()?)).ok()?;
            let stored = match draw(5) {
                0 if truant => 2,
                1 => 5,
                2 => 6,
                _ => 7,
            };
            Some(HalfDayMark {
                record: RecordId(Uuid::from_u64_pair(0, number)),
                at: *lessons.get(at)?,
                mark: Mark::from_i16(stored)?,
                enrolled: true,
            })
        })
        .collect()
}

fn year_of_a_school(criterion: &mut Criterion) {
    let year = SchoolYear(2026);
    let Ok(laws) = Laws::embedded() else {
        return;
    };
    let calendar = laws.calendar(year);
    let thresholds = laws.thresholds(year);
    let counts = laws.compulsory().counting(year, None, &[], Settings::default());
    let lessons: Vec<HalfDay> = calendar.iter().collect();
    let pupils: Vec<_> = (0..PUPILS).map(|number| pupil(number, &lessons)).collect();
    let rules = Rules {
        thresholds: &thresholds,
        counts,
    };
    let mut group = criterion.benchmark_group("tally");
    group.throughput(Throughput::Elements(PUPILS * HALF_DAYS));
    group.bench_function("a year of a large school", |bencher| {
        bencher.iter(|| {
            pupils
                .iter()
                .map(|marks| {
                    let result = tally(&TallyInput {
                        marks: black_box(marks),
                        calendar: &calendar,
                        carried_in: &[],
                        rules,
                    });
                    due(&result, &rules).len()
                })
                .sum::<usize>()
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    year_of_a_school(&mut criterion);
    criterion.final_summary();
}
