mod disagreeing;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::absence::code::Code;
use crate::law::of_tests;
use crate::time::{Part, Period, SchoolYear};

const B: Mark = Mark::Code(Code::B);
const Z: Mark = Mark::Code(Code::Z);
const YEAR: SchoolYear = SchoolYear(2026);

/// A world of one pupil: the laws of 2026-2027, where every half-day counts unless said otherwise.
#[derive(Debug)]
struct World {
    calendar: Calendar,
    thresholds: Vec<Threshold>,
    counts: Option<Period>,
}

impl World {
    fn new() -> Self {
        let laws = of_tests();
        Self {
            calendar: laws.calendar(YEAR),
            thresholds: laws.thresholds(YEAR),
            counts: Some(Period {
                begins: YEAR.first_day(),
                ends: None,
            }),
        }
    }

    fn rules(&self) -> Rules<'_> {
        Rules {
            thresholds: &self.thresholds,
            counts: self.counts.map_or_else(Counting::never, Counting::within),
        }
    }

    fn tally(&self, marks: &[HalfDayMark], carried_in: &[CarriedIn]) -> Tally {
        tally(&TallyInput {
            marks,
            calendar: &self.calendar,
            carried_in,
            rules: self.rules(),
        })
    }

    fn due(&self, marks: &[HalfDayMark], carried_in: &[CarriedIn]) -> Vec<(SignalKind, String, u16)> {
        due(&self.tally(marks, carried_in), &self.rules())
            .into_iter()
            .map(|due| (due.kind, due.reached_on.to_string(), due.count))
            .collect()
    }
}

fn record(number: u128) -> RecordId {
    RecordId(Uuid::from_u128(number))
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn at(text: &str) -> HalfDay {
    let (date, part) = text.split_once(' ').expect("a date and a part");
    HalfDay::new(day(date), if part == "AM" { Part::Am } else { Part::Pm })
}

fn said(by: u128, when: &str, mark: Mark) -> HalfDayMark {
    HalfDayMark {
        record: record(by),
        at: at(when),
        mark,
        enrolled: true,
    }
}

/// Four half-days of truancy in the first two weeks, at school 1.
fn four() -> Vec<HalfDayMark> {
    ["2026-09-01 AM", "2026-09-01 PM", "2026-09-09 AM", "2026-09-10 PM"]
        .map(|when| said(1, when, B))
        .to_vec()
}

fn carried(by: u128, half_days: u16, from_begin: &str, former: Option<u128>) -> CarriedIn {
    CarriedIn {
        record: record(by),
        half_days,
        from_begin: day(from_begin),
        former: former.into_iter().map(record).collect(),
    }
}

#[test]
fn the_fifth_half_day_is_due_on_its_day() {
    let world = World::new();
    let mut marks = four();
    assert_eq!(world.due(&marks, &[]), []);
    marks.push(said(1, "2026-10-06 AM", B));
    let expected = (SignalKind::Truancy5, "2026-10-06".to_owned(), 5);
    assert_eq!(world.due(&marks, &[]), [expected]);
}

#[test]
fn thirty_half_days_are_due_too() {
    let world = World::new();
    let all: Vec<_> = world.calendar.iter().collect();
    let marks: Vec<_> = all[..30]
        .iter()
        .map(|at| HalfDayMark {
            record: record(1),
            at: *at,
            mark: B,
            enrolled: true,
        })
        .collect();
    // Seven half-days in the first week (from Tuesday), then nine a week: 7 + 9 + 9 = 25 until
    // Friday 18 September; the 30th is the fifth of the week of the 21st: Wednesday morning.
    let expected = [
        (SignalKind::Truancy5, "2026-09-03".to_owned(), 30),
        (SignalKind::Truancy30, "2026-09-23".to_owned(), 30),
    ];
    assert_eq!(world.due(&marks, &[]), expected);
    assert_eq!(world.due(&marks[..29], &[]).len(), 1);
}

#[test]
fn two_schools_that_say_b_of_one_half_day_say_it_once() {
    let world = World::new();
    let mut marks = four();
    marks.push(said(2, "2026-09-10 PM", B));
    let tally = world.tally(&marks, &[]);
    assert_eq!((tally.count, tally.conflicts.len()), (4, 0));
    marks.push(said(2, "2026-10-06 AM", B));
    assert_eq!(
        world.tally(&marks, &[]).count,
        5,
        "a half-day of the second school counts"
    );
}

#[test]
fn what_is_not_known_yet_is_pending() {
    let world = World::new();
    let mut marks = four();
    marks.push(said(1, "2026-10-06 AM", Mark::Unresolved));
    marks.push(said(1, "2026-10-06 PM", Mark::UnknownLetter));
    let tally = world.tally(&marks, &[]);
    assert_eq!((tally.count, tally.pending), (4, 2));
    assert_eq!(tally.conflicts, []);
}

#[test]
fn where_there_are_no_lessons_nothing_counts() {
    let world = World::new();
    let off = [
        ("2026-08-31 AM", "the day before the school year"),
        ("2026-09-02 PM", "a Wednesday afternoon"),
        ("2026-09-05 AM", "a Saturday"),
        ("2026-11-02 AM", "the autumn holidays"),
        ("2027-07-01 AM", "the summer holidays"),
        ("2027-09-01 AM", "the first day of the next school year"),
    ];
    for (when, why) in off {
        let mut marks = four();
        marks.push(said(1, when, B));
        marks.push(said(2, when, Mark::Unresolved));
        let tally = world.tally(&marks, &[]);
        assert_eq!((tally.count, tally.pending), (4, 0), "{why}");
        assert_eq!(tally.off_calendar, [at(when)], "{why}");
    }
    let mut marks = four();
    marks.push(said(1, "2026-11-02 AM", Z));
    assert_eq!(
        world.tally(&marks, &[]).off_calendar,
        [],
        "sickness in the holidays is no matter"
    );
    let first_and_last = [said(1, "2026-09-01 AM", B), said(1, "2027-06-30 AM", B)];
    assert_eq!(world.tally(&first_and_last, &[]).count, 2);
}

#[test]
fn half_days_count_in_their_period_only() {
    let mut world = World::new();
    world.counts = Some(Period {
        begins: day("2026-09-01"),
        ends: Some(day("2026-09-10")),
    });
    let tally = world.tally(&four(), &[]);
    assert_eq!((tally.count, tally.off_calendar.len()), (3, 0));
    let later = carried(1, 9, "2026-09-10", None);
    assert_eq!(world.tally(&[], &[later]).count, 0);
    world.counts = None;
    let never = world.tally(&four(), &[carried(1, 9, "2026-09-01", None)]);
    assert_eq!((never.count, never.pending, never.reached.len()), (0, 0, 0));
}

#[test]
fn a_carried_in_number_counts_from_its_enrolment() {
    let world = World::new();
    let marks = [said(2, "2026-10-06 AM", B), said(2, "2026-10-06 PM", B)];
    let number = [carried(2, 3, "2026-10-01", None)];
    let tally = world.tally(&marks, &number);
    assert_eq!((tally.count, tally.carried), (5, 3));
    let expected = [(SignalKind::Truancy5, "2026-10-06".to_owned(), 5)];
    assert_eq!(world.due(&marks, &number), expected);
    let alone = [carried(2, 6, "2026-10-01", None)];
    let expected = [(SignalKind::Truancy5, "2026-10-01".to_owned(), 6)];
    assert_eq!(world.due(&[], &alone), expected);
}

#[test]
fn a_carried_in_number_is_never_counted_twice() {
    let world = World::new();
    let mut marks = four();
    marks.push(said(2, "2026-10-06 AM", B));
    let total = |marks: &[HalfDayMark], number: CarriedIn| {
        let tally = world.tally(marks, &[number]);
        (tally.count, tally.carried)
    };
    let all_four = carried(2, 4, "2026-10-01", Some(1));
    assert_eq!(total(&marks, all_four), (5, 0), "all four are known here");
    assert_eq!(
        total(&marks, carried(2, 6, "2026-10-01", Some(1))),
        (7, 2),
        "two more than are known here"
    );
    assert_eq!(
        total(&marks, carried(2, 3, "2026-10-01", Some(1))),
        (5, 0),
        "never less than what is known here"
    );
    assert_eq!(
        total(&marks, carried(2, 6, "2026-10-01", None)),
        (7, 2),
        "any other school may be the former one"
    );
    assert_eq!(
        total(&marks, carried(2, 6, "2026-10-01", Some(3))),
        (11, 6),
        "the former one is a third school"
    );
    assert_eq!(
        total(&marks, carried(2, 4, "2026-09-09", Some(1))),
        (7, 2),
        "two came before this enrolment"
    );
    assert_eq!(
        total(&marks, carried(2, 4, "2020-09-01", Some(1))),
        (9, 4),
        "an enrolment of an earlier year"
    );
    assert_eq!(
        total(&marks, carried(2, 4, "2027-09-01", Some(1))),
        (5, 0),
        "an enrolment of the next year"
    );
    // The former school has given the pupil another key: two of the six half-days under the new one.
    marks.extend([said(3, "2026-09-14 AM", B), said(3, "2026-09-15 PM", B)]);
    let under_both = CarriedIn {
        former: vec![record(1), record(3)],
        ..carried(2, 7, "2026-10-01", None)
    };
    assert_eq!(total(&marks, under_both), (8, 1), "six of the seven are known here");
    let own = world.tally(&[said(2, "2026-09-09 AM", B)], &[carried(2, 4, "2026-10-01", None)]);
    assert_eq!(
        (own.count, own.carried),
        (5, 4),
        "what the receiving school says itself is not the former one's"
    );
}

#[test]
fn of_two_carried_in_numbers_the_larger_remainder_counts() {
    let world = World::new();
    let marks = [said(2, "2026-10-06 AM", B), said(2, "2026-10-06 PM", B)];
    // School 2 was told of 3; school 3, in December, of 5: those 3 and the 2 dated ones.
    let numbers = [carried(2, 3, "2026-10-01", None), carried(3, 5, "2026-12-01", Some(2))];
    let tally = world.tally(&marks, &numbers);
    assert_eq!((tally.count, tally.carried), (5, 3));
    let expected = [(SignalKind::Truancy5, "2026-10-06".to_owned(), 5)];
    assert_eq!(world.due(&marks, &numbers), expected);
    let late = [carried(2, 1, "2026-10-01", None), carried(3, 6, "2026-12-01", Some(2))];
    let expected = [(SignalKind::Truancy5, "2026-12-01".to_owned(), 6)];
    assert_eq!(
        world.due(&marks, &late),
        expected,
        "the 5th is known with the second number"
    );
}

#[test]
fn a_correction_takes_it_back() {
    let world = World::new();
    let mut marks = four();
    marks.push(said(1, "2026-10-06 AM", B));
    assert_eq!(world.due(&marks, &[]).len(), 1);
    for away in Mark::ALL.into_iter().filter(|mark| *mark != B) {
        marks[4].mark = away;
        assert_eq!(world.due(&marks, &[]), [], "{away:?}");
    }
    marks[4].mark = B;
    assert_eq!(world.due(&marks, &[]).len(), 1, "and raised again");
}

#[test]
fn evidence_is_per_reader() {
    let world = World::new();
    let mut marks = four();
    marks.push(said(2, "2026-09-10 PM", B));
    marks.push(said(2, "2026-10-06 AM", B));
    let tally = world.tally(&marks, &[carried(2, 6, "2026-10-01", Some(1))]);
    assert_eq!(tally.count, 7, "five dated, two carried in");
    let own = tally.evidence(&[record(2)]);
    assert_eq!(own.own_dated, [at("2026-09-10 PM"), at("2026-10-06 AM")]);
    assert_eq!(own.elsewhere, 5);
    let both = tally.evidence(&[record(1), record(2)]);
    assert_eq!(
        (both.own_dated.len(), both.elsewhere),
        (5, 2),
        "a half-day of both is shown once"
    );
    assert_eq!(
        tally.evidence(&[]),
        Evidence {
            own_dated: vec![],
            elsewhere: 7
        }
    );
}

#[test]
fn an_early_warning_is_due_when_it_is_agreed() {
    let mut world = World::new();
    world.thresholds.extend(Threshold::early(3));
    let expected = [(SignalKind::TruancyEarly, "2026-09-09".to_owned(), 4)];
    assert_eq!(world.due(&four(), &[]), expected);
    let statistic = Threshold {
        half_days: 1,
        kind: SignalKind::Truancy10,
        effect: Effect::Statistic,
    };
    world.thresholds.push(statistic);
    assert_eq!(world.due(&four(), &[]), expected, "a statistic is no signal");
}

/// What the tally should say, counted the slow way: with maps, one half-day after the other.
fn recount(
    world: &World,
    marks: &[HalfDayMark],
    carried_in: &[CarriedIn],
) -> (usize, usize, usize, Vec<(u16, NaiveDate)>) {
    let mut said: BTreeMap<HalfDay, BTreeSet<(RecordId, i16, bool)>> = BTreeMap::new();
    for mark in marks.iter().filter(|mark| world.calendar.is_lesson(mark.at)) {
        said.entry(mark.at)
            .or_default()
            .insert((mark.record, mark.mark.to_i16(), mark.enrolled));
    }
    let counts = |day: NaiveDate| {
        let period = world.counts.as_ref();
        period.is_some_and(|period| day >= period.begins && period.ends.is_none_or(|ends| day < ends))
    };
    let (mut days, mut pending) = (Vec::new(), 0);
    for (at, by) in said.iter().filter(|(at, _)| counts(at.day)) {
        let enrolled = by.iter().any(|(.., enrolled)| *enrolled);
        let heard = by.iter().filter(|one| one.2 == enrolled);
        let numbers: BTreeSet<i16> = heard.map(|(_, number, _)| *number).collect();
        if numbers == BTreeSet::from([2]) {
            days.push(at.day);
        } else if numbers.contains(&2) || numbers.contains(&20) || numbers.contains(&22) {
            pending += 1;
        }
    }
    let mut remainders = Vec::new();
    for number in carried_in {
        let from = number.from_begin.max(day("2026-09-01"));
        let seen = said
            .iter()
            .filter(|(at, _)| at.day < number.from_begin)
            .filter(|(_, by)| {
                by.iter().any(|(of, number_said, _)| {
                    let is_former = match number.former.as_slice() {
                        [] => *of != number.record,
                        former => former.contains(of),
                    };
                    *number_said == 2 && is_former
                })
            })
            .count();
        if number.from_begin <= day("2027-08-31") && counts(from) {
            remainders.push((from, usize::from(number.half_days).saturating_sub(seen)));
        }
    }
    let until = |last: NaiveDate| {
        let carried = remainders
            .iter()
            .filter(|(from, _)| *from <= last)
            .map(|(_, n)| *n)
            .max();
        days.iter().filter(|day| **day <= last).count() + carried.unwrap_or(0)
    };
    let carried = remainders.iter().map(|(_, n)| *n).max().unwrap_or(0);
    let reached = [5_u16, 30]
        .into_iter()
        .filter_map(|at| {
            let mut calendar_days = YEAR.first_day().iter_days().take(365);
            calendar_days
                .find(|day| until(*day) >= usize::from(at))
                .map(|day| (at, day))
        })
        .collect();
    (days.len() + carried, carried, pending, reached)
}

fn any_mark() -> impl Strategy<Value = Mark> {
    prop_oneof![4 => Just(B), 1 => proptest::sample::select(Mark::ALL.to_vec())]
}

fn another_mark() -> impl Strategy<Value = Mark> {
    let others: Vec<_> = Mark::ALL.into_iter().filter(|mark| *mark != B).collect();
    proptest::sample::select(others)
}

/// Half-days of three records, dense enough to meet, reaching over both ends of the school year.
fn any_said() -> impl Strategy<Value = HalfDayMark> {
    let days = prop_oneof![3 => 0_u64..40, 1 => 55_u64..75, 1 => 0_u64..400];
    let enrolled = prop_oneof![3 => Just(true), 1 => Just(false)];
    (1_u128..4, days, any::<bool>(), any_mark(), enrolled).prop_map(|(by, days, pm, mark, enrolled)| HalfDayMark {
        record: record(by),
        at: HalfDay::new(
            day("2026-08-28") + chrono::Days::new(days),
            if pm { Part::Pm } else { Part::Am },
        ),
        mark,
        enrolled,
    })
}

fn any_carried() -> impl Strategy<Value = CarriedIn> {
    let former = proptest::collection::vec(1_u128..5, 0..3);
    (1_u128..4, 0_u16..40, 0_u64..420, former).prop_map(|(by, half_days, days, former)| CarriedIn {
        record: record(by),
        half_days,
        from_begin: day("2026-08-01") + chrono::Days::new(days),
        former: former.into_iter().map(record).collect(),
    })
}

fn any_world() -> impl Strategy<Value = World> {
    (0_u64..400, any::<bool>()).prop_map(|(ends, open)| {
        let mut world = World::new();
        if !open {
            world.counts = Some(Period {
                begins: YEAR.first_day(),
                ends: Some(YEAR.first_day() + chrono::Days::new(ends)),
            });
        }
        world
    })
}

fn many_said() -> impl Strategy<Value = Vec<HalfDayMark>> {
    proptest::collection::vec(any_said(), 0..90)
}

fn some_carried() -> impl Strategy<Value = Vec<CarriedIn>> {
    proptest::collection::vec(any_carried(), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn it_agrees_with_a_slow_recount(world in any_world(), marks in many_said(), carried in some_carried()) {
        let tally = world.tally(&marks, &carried);
        let (count, carried, pending, reached) = recount(&world, &marks, &carried);
        prop_assert_eq!(usize::from(tally.count), count);
        prop_assert_eq!(usize::from(tally.carried), carried);
        prop_assert_eq!(usize::from(tally.pending), pending);
        let told: Vec<_> = tally.reached.iter().map(|one| (one.threshold.half_days, one.on)).collect();
        prop_assert_eq!(told, reached);
    }

    #[test]
    fn order_and_repetition_do_not_matter(
        marks in many_said(), carried in some_carried(),
        (order, again) in (any::<u64>(), 0_usize..90),
    ) {
        let world = World::new();
        let expected = world.tally(&marks, &carried);
        let mut shuffled = marks.clone();
        shuffled.extend(marks.iter().take(again).copied());
        shuffled.sort_by_key(|said| {
            let value = said.at.day.signed_duration_since(YEAR.first_day()).num_days().unsigned_abs() + 1;
            value.wrapping_mul(order | 1).rotate_left(17) ^ u64::from(said.mark.to_i16().unsigned_abs())
        });
        let mut numbers = carried.clone();
        numbers.reverse();
        numbers.extend(carried);
        prop_assert_eq!(&world.tally(&shuffled, &numbers), &expected);
        shuffled.reverse();
        prop_assert_eq!(&world.tally(&shuffled, &numbers), &expected);
    }

    /// The current half-days after any batches are those after one batch: last word wins per record
    /// and half-day, and the tally knows nothing else.
    #[test]
    fn batches_do_not_matter(marks in many_said(), cut in 0_usize..90) {
        let world = World::new();
        let current = |said: &[HalfDayMark]| {
            let of: BTreeMap<_, _> = said.iter().map(|said| ((said.at, said.record), *said)).collect();
            of.into_values().collect::<Vec<_>>()
        };
        let (first, second) = marks.split_at(cut.min(marks.len()));
        let mut batched = current(first);
        batched.extend_from_slice(second);
        prop_assert_eq!(world.tally(&current(&batched), &[]), world.tally(&current(&marks), &[]));
    }

    #[test]
    fn one_more_b_never_lowers_the_count(marks in many_said(), carried in some_carried(), more in any_said()) {
        let world = World::new();
        let before = world.tally(&marks, &carried);
        let more = HalfDayMark { mark: B, ..more };
        let after = world.tally(&[marks.as_slice(), &[more]].concat(), &carried);
        // One that turns out to be known in a carried-in number takes the place of one of that number.
        let known_already = u16::from(!carried.is_empty());
        prop_assert!(after.count + known_already >= before.count);
        prop_assert!(after.count <= before.count + 1);
    }

    #[test]
    fn a_correction_of_one_half_day_takes_one_back(marks in many_said(), at in any::<proptest::sample::Index>(), to in another_mark()) {
        let world = World::new();
        // One record, one word per half-day.
        let of: BTreeMap<_, _> = marks.iter().map(|said| (said.at, HalfDayMark { record: record(1), ..*said })).collect();
        let mut marks: Vec<_> = of.into_values().filter(|said| said.mark == B && world.calendar.is_lesson(said.at)).collect();
        if marks.is_empty() {
            return Ok(());
        }
        let before = world.tally(&marks, &[]);
        let at = at.index(marks.len());
        marks[at].mark = to;
        let after = world.tally(&marks, &[]);
        prop_assert_eq!(after.count, before.count - 1);
        marks[at].mark = B;
        prop_assert_eq!(world.tally(&marks, &[]), before);
    }

    #[test]
    fn what_does_not_meet_adds_up(marks in many_said(), cut in 0_u64..300) {
        let world = World::new();
        let border = YEAR.first_day() + chrono::Days::new(cut);
        let (before, after): (Vec<_>, Vec<_>) = marks.iter().partition(|said| said.at.day < border);
        let (whole, before, after) = (world.tally(&marks, &[]), world.tally(&before, &[]), world.tally(&after, &[]));
        prop_assert_eq!(whole.count, before.count + after.count);
        prop_assert_eq!(whole.pending, before.pending + after.pending);
    }

    #[test]
    fn evidence_adds_up_to_the_count(marks in many_said(), carried in some_carried(), own in 1_u128..5) {
        let tally = World::new().tally(&marks, &carried);
        let evidence = tally.evidence(&[record(own)]);
        prop_assert_eq!(usize::from(tally.count), evidence.own_dated.len() + usize::from(evidence.elsewhere));
        for at in evidence.own_dated {
            prop_assert!(marks.iter().any(|said| (said.record, said.at, said.mark) == (record(own), at, B)));
        }
    }

    #[test]
    fn any_input_has_a_tally(
        year in any::<i16>(), days in proptest::collection::vec(any::<i32>(), 0..20),
        numbers in proptest::collection::vec((any::<u16>(), any::<i32>()), 0..4), half_days in any::<u16>(),
    ) {
        let laws = of_tests();
        let date = |days: i32| NaiveDate::from_num_days_from_ce_opt(days).unwrap_or(NaiveDate::MAX);
        let marks: Vec<_> = days.into_iter().map(|days| HalfDayMark { record: record(1), at: HalfDay::new(date(days), Part::Am), mark: B, enrolled: true }).collect();
        let carried_in: Vec<_> = numbers.into_iter().map(|(half_days, days)| CarriedIn { record: record(2), half_days, from_begin: date(days), former: vec![] }).collect();
        let thresholds = [Threshold { half_days, kind: SignalKind::Truancy5, effect: Effect::Obligatory }];
        let calendar = laws.calendar(SchoolYear(year));
        let rules = Rules { thresholds: &thresholds, counts: Counting::within(Period { begins: NaiveDate::MIN, ends: None }) };
        let tally = tally(&TallyInput { marks: &marks, calendar: &calendar, carried_in: &carried_in, rules });
        prop_assert!(due(&tally, &rules).len() <= 1);
    }
}
