//! The tally against the naive recount, which is written in Python and shares nothing with it.
//!
//! A thousand made-up school years, most of them on the edges: 31 August and 1 September,
//! Wednesdays, holidays, the days on which the clocks change, 30 June, the eighteenth birthday, two schools,
//! corrections both ways, carried-in numbers, school changes that bring one, enrolments that end, five-year-olds in kleuter
//! and in lager. The recount hears every word in order; the tally gets what the hub would
//! have stored of them, shuffled.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use chrono::{Datelike, Days, NaiveDate, Weekday};
use clb_hub::demo::dice::Dice;
use hub_entities::absence::code::Code;
use hub_entities::absence::mark::Mark;
use hub_entities::absence::tally::{CarriedIn, HalfDayMark, Rules, TallyInput, due, tally};
use hub_entities::id::RecordId;
use hub_entities::law::Laws;
use hub_entities::law::compulsory::{Place, Settings};
use hub_entities::time::{HalfDay, Part, Period, SchoolYear};
use serde_json::{Value, json};
use uuid::Uuid;

const SEED: u64 = 20_190_901;

/// One pupil's year as it was told, and as the hub keeps it.
struct Case {
    year: SchoolYear,
    birth: Option<NaiveDate>,
    days_off: Vec<NaiveDate>,
    /// Every word in the order in which it was said.
    told: Vec<(usize, HalfDay, &'static str)>,
    carried: Vec<(usize, u16, NaiveDate, Vec<usize>)>,
    /// Whether the pupil goes from the first school to the second, which is told of a number.
    moves: bool,
    /// When the pupil is at each school; all year at one of which it is not said.
    enrolled: Vec<Option<Period>>,
    /// Classes, by the grade that is said of them.
    classes: Vec<(Period, Option<&'static str>)>,
}

fn made_up(number: usize) -> Case {
    let mut dice = Dice::of(SEED, 0, number);
    let year = SchoolYear(i16::try_from(dice.between(2018, 2028)).unwrap());
    let birth = birth(year, &mut dice);
    let days = interesting_days(year, birth, &mut dice);
    let schools = dice.between(1, 3);
    // Some pupils are mostly truant, or nothing would ever reach thirty.
    let truant = dice.pick(&[20, 50, 95], 50);
    let words = dice.pick(&[3, 8, 12, 40, 120], 12);
    let mut told: Vec<(usize, HalfDay, &'static str)> = Vec::new();
    for _ in 0..words {
        let (record, at) = match told.get(dice.below(told.len())) {
            // A correction, or another school that speaks of the same half-day.
            Some((record, at, _)) if dice.chance(200) => {
                (if dice.chance(300) { dice.below(schools) } else { *record }, *at)
            }
            _ => {
                let part = if dice.chance(500) { Part::Am } else { Part::Pm };
                (
                    dice.below(schools),
                    HalfDay::new(dice.pick(&days, year.first_day()), part),
                )
            }
        };
        let word = if dice.below(100) < truant {
            "B"
        } else {
            dice.pick(
                &[
                    "B",
                    "Z",
                    "Z",
                    "R",
                    "P",
                    "A",
                    "H",
                    "M",
                    "N",
                    "X",
                    "unresolved",
                    "unknown",
                    "noLongerB",
                ],
                "Z",
            )
        };
        told.push((record, at, word));
    }
    let mut carried: Vec<(usize, u16, NaiveDate, Vec<usize>)> = (0..dice.pick(&[0, 0, 1, 2], 0))
        .map(|_| {
            let former = if schools > 1 { dice.pick(&[0, 0, 1, 1, 2], 0) } else { 0 };
            let former = (0..former).map(|_| dice.below(schools)).collect();
            let half_days = u16::try_from(dice.below(34)).unwrap();
            (
                dice.below(schools),
                half_days,
                dice.pick(&days, year.first_day()),
                former,
            )
        })
        .collect();
    let mut enrolled = vec![None; schools];
    let moves = schools > 1 && dice.chance(400);
    if moves {
        carried.retain(|number| number.0 != 1);
        let day = dice.pick(&days, year.first_day());
        carried.push(moving(&mut told, day, &mut dice));
        enrolled[0] = Some(Period {
            begins: year.first_day(),
            ends: Some(day),
        });
        enrolled[1] = Some(Period {
            begins: day,
            ends: None,
        });
        // Afterwards the first school speaks of days that are no longer its own: of those of the second, too.
        for _ in 0..dice.pick(&[0, 0, 1, 4], 0) {
            let at = told.get(dice.below(told.len())).map(|(_, at, _)| *at);
            let at = at.unwrap_or(HalfDay::new(dice.pick(&days, year.first_day()), Part::Am));
            told.push((0, at, dice.pick(&["B", "Z", "unresolved"], "Z")));
        }
    } else {
        for period in &mut enrolled {
            *period = dice.chance(150).then(|| some_days(&days, year, &mut dice));
        }
    }
    let grades = [
        Some("KG"),
        Some("01"),
        Some("01"),
        Some("02"),
        Some("1"),
        Some("PK"),
        None,
    ];
    let classes = (0..dice.pick(&[0, 1, 1, 2], 1)).map(|_| {
        let during = if dice.chance(600) {
            Period {
                begins: year.first_day(),
                ends: None,
            }
        } else {
            some_days(&days, year, &mut dice)
        };
        (during, dice.pick(&grades, None))
    });
    let classes = classes.collect();
    Case {
        year,
        birth,
        days_off: (0..dice.below(4)).map(|_| dice.pick(&days, year.first_day())).collect(),
        told,
        carried,
        moves,
        enrolled,
        classes,
    }
}

/// From one of the days on, and up to another or without end.
fn some_days(days: &[NaiveDate], year: SchoolYear, dice: &mut Dice) -> Period {
    let (one, other) = (dice.pick(days, year.first_day()), dice.pick(days, year.first_day()));
    Period {
        begins: one.min(other),
        ends: dice.chance(700).then(|| one.max(other)),
    }
}

/// From this day on the pupil is at the second school: until then the first one speaks, from then on the second. It is
/// told of about as many half-days as there were, by a school that it may name.
fn moving(
    told: &mut Vec<(usize, HalfDay, &'static str)>,
    day: NaiveDate,
    dice: &mut Dice,
) -> (usize, u16, NaiveDate, Vec<usize>) {
    told.retain(|(record, at, _)| match record {
        0 => at.day < day,
        1 => at.day >= day,
        _ => true,
    });
    let before = told
        .iter()
        .filter(|(record, _, word)| *record == 0 && *word == "B")
        .count();
    let told_of = (before + dice.below(4)).saturating_sub(dice.below(3));
    let former = if dice.chance(700) { vec![0] } else { Vec::new() };
    (1, u16::try_from(told_of).unwrap(), day, former)
}

/// The days on which the clocks change: the last Sundays of October and of March.
fn clocks_change(year: SchoolYear) -> [NaiveDate; 2] {
    [(0, 10), (1, 3)].map(|(after, month)| {
        let last = NaiveDate::from_ymd_opt(i32::from(year.0) + after, month, 31).unwrap();
        last - Days::new(u64::from(last.weekday().num_days_from_sunday()))
    })
}

/// Days around everything that a wrong calendar would get wrong, and days in between.
fn interesting_days(year: SchoolYear, birth: Option<NaiveDate>, dice: &mut Dice) -> Vec<NaiveDate> {
    let first = year.first_day();
    let mut days = Vec::new();
    // The eighteenth birthday and the days around it, or what comes in its place on 29 February.
    if let Some(birth) = birth.filter(|birth| birth.year() + 18 > first.year()) {
        let eighteenth = birth + chrono::Months::new(18 * 12);
        days.extend(
            (0..4)
                .map(|after| eighteenth - Days::new(1) + Days::new(after))
                .filter(|day| year.contains(*day)),
        );
    }
    for edge in [
        first,
        year.last_day(),
        NaiveDate::from_ymd_opt(first.year(), 11, 1).unwrap(),
        NaiveDate::from_ymd_opt(first.year(), 12, 22).unwrap(),
        NaiveDate::from_ymd_opt(first.year() + 1, 4, 5).unwrap(),
        NaiveDate::from_ymd_opt(first.year() + 1, 6, 30).unwrap(),
    ] {
        let near = u64::try_from(dice.below(7)).unwrap();
        days.push(edge);
        days.push(edge - Days::new(near));
        days.push(edge + Days::new(near));
    }
    for sunday in clocks_change(year) {
        days.extend([sunday - Days::new(2), sunday, sunday + Days::new(1)]);
    }
    for _ in 0..dice.between(5, 60) {
        days.push(first + Days::new(u64::try_from(dice.below(303)).unwrap()));
    }
    days
}

fn birth(year: SchoolYear, dice: &mut Dice) -> Option<NaiveDate> {
    let age = dice.pick(&[4, 5, 5, 6, 12, 12, 12, 12, 17, 17, 17, 18, 19], 12);
    let in_year = NaiveDate::from_ymd_opt(i32::from(year.0) - age, 1, 1).unwrap();
    let any = in_year + Days::new(u64::try_from(dice.below(365)).unwrap());
    let leap = (2000..2024)
        .step_by(4)
        .filter_map(|leap| NaiveDate::from_ymd_opt(leap, 2, 29))
        .find(|day| day.year() == in_year.year());
    let turns = NaiveDate::from_ymd_opt(in_year.year(), 7, 1)?;
    match dice.below(10) {
        0 => None,
        1 => Some(turns),
        2 | 3 => turns.pred_opt(),
        4 => leap.or(Some(any)),
        _ => Some(any),
    }
}

fn record(number: usize) -> RecordId {
    RecordId(Uuid::from_u128(u128::try_from(number).unwrap() + 1))
}

fn mark(word: &str) -> Mark {
    match word {
        "A" => Mark::Code(Code::A),
        "B" => Mark::Code(Code::B),
        "H" => Mark::Code(Code::H),
        "M" => Mark::Code(Code::M),
        "P" => Mark::Code(Code::P),
        "R" => Mark::Code(Code::R),
        "Z" => Mark::Code(Code::Z),
        "N" => Mark::Code(Code::N),
        "X" => Mark::Code(Code::X),
        "unresolved" => Mark::Unresolved,
        "unknown" => Mark::UnknownLetter,
        "noLongerB" => Mark::NoLongerB,
        other => panic!("no such mark: {other}"),
    }
}

impl Case {
    fn for_the_recount(&self, number: usize) -> Value {
        let part = |part| if part == Part::Am { "AM" } else { "PM" };
        let name = |record: usize| format!("r{record}");
        let enrolled = self.enrolled.iter().enumerate().filter_map(|(record, period)| {
            let period = period.as_ref()?;
            Some((name(record), json!([[period.begins, period.ends]])))
        });
        json!({
            "enrolled": enrolled.collect::<serde_json::Map<_, _>>(),
            "classes": self.classes.iter().map(|(during, grade)| json!([during.begins, during.ends, grade])).collect::<Vec<_>>(),
            "id": number,
            "year": self.year.0,
            "birth": self.birth,
            "days_off": self.days_off,
            "half_days": self.told.iter().map(|(record, at, word)| json!({
                "record": name(*record), "day": at.day, "part": part(at.part), "mark": word,
            })).collect::<Vec<_>>(),
            "carried": self.carried.iter().map(|(record, half_days, begin, former)| json!({
                "record": name(*record), "half_days": half_days, "begin": begin,
                "former": former.iter().copied().map(name).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        })
    }

    fn tallied(&self, laws: &Laws, number: usize) -> Value {
        let mut stored = BTreeMap::new();
        for (by, at, word) in &self.told {
            stored.insert((*by, *at), mark(word));
        }
        let mut marks: Vec<_> = stored
            .into_iter()
            .map(|((by, at), mark)| HalfDayMark {
                record: record(by),
                at,
                mark,
                enrolled: self.enrolled[by].is_none_or(|period| period.contains(at.day)),
            })
            .collect();
        let mut dice = Dice::of(SEED, 1, number);
        for last in (1..marks.len()).rev() {
            marks.swap(last, dice.below(last + 1));
        }
        let carried_in: Vec<_> = self
            .carried
            .iter()
            .map(|(by, half_days, begin, former)| CarriedIn {
                record: record(*by),
                half_days: *half_days,
                from_begin: *begin,
                former: former.iter().copied().map(record).collect(),
            })
            .collect();
        let calendar = laws.calendar(self.year).without_days(self.days_off.iter().copied());
        let thresholds = laws.thresholds(self.year);
        let places: Vec<Place> = self
            .classes
            .iter()
            .map(|(during, grade)| Place {
                during: *during,
                level: grade.and_then(|grade| laws.level(grade, self.year)),
            })
            .collect();
        let rules = Rules {
            thresholds: &thresholds,
            counts: laws
                .compulsory()
                .counting(self.year, self.birth, &places, Settings::default()),
        };
        let result = tally(&TallyInput {
            marks: &marks,
            calendar: &calendar,
            carried_in: &carried_in,
            rules,
        });
        let reached = |half_days| {
            let reached = result
                .reached
                .iter()
                .find(|reached| reached.threshold.half_days == half_days);
            reached.map(|reached| reached.on)
        };
        json!({
            "id": number,
            "count": result.count,
            "carried": result.carried,
            "pending": result.pending,
            "conflicts": result.conflicts.len(),
            "reached": { "5": reached(5), "30": reached(30) },
            "signals": due(&result, &rules).iter().map(|due| due.kind.name()).collect::<Vec<_>>(),
        })
    }
}

fn recounted(cases: &[Case]) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a folder");
    let questions = folder.path().join("cases.jsonl");
    let mut file = File::create(&questions).expect("a file");
    for (number, case) in cases.iter().enumerate() {
        writeln!(file, "{}", case.for_the_recount(number)).expect("a line");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/recount.py");
    let run = Command::new("python3")
        .arg(script)
        .stdin(File::open(&questions).expect("the questions"))
        .stderr(Stdio::inherit())
        .output()
        .expect("python3 is needed for the recount");
    assert!(run.status.success());
    let answers = String::from_utf8(run.stdout).expect("text");
    answers
        .lines()
        .map(|line| serde_json::from_str(line).expect("an answer"))
        .collect()
}

#[test]
fn the_tally_and_the_naive_recount_agree() {
    agree(1000);
}

/// `./tests/run --long`.
#[test]
#[ignore = "takes minutes"]
fn the_tally_and_the_naive_recount_agree_at_length() {
    agree(50_000);
}

fn agree(number_of_cases: usize) {
    let laws = Laws::embedded().expect("the laws");
    let cases: Vec<_> = (0..number_of_cases).map(made_up).collect();
    let answers = recounted(&cases);
    assert_eq!(answers.len(), number_of_cases);
    let (mut five, mut thirty, mut conflicts, mut carried, mut pending) = (0, 0, 0, 0, 0);
    let (mut moved, mut clocks, mut five_in_lager) = (0, 0, 0);
    for (number, (case, answer)) in cases.iter().zip(&answers).enumerate() {
        assert_eq!(&case.tallied(&laws, number), answer, "{}", case.for_the_recount(number));
        let said = |what: &str| usize::from(answer[what].as_u64().unwrap_or_default() > 0);
        let signal = |kind: &str| usize::from(answer["signals"].as_array().unwrap().iter().any(|it| it == kind));
        five += signal("truancy.5");
        thirty += signal("truancy.30");
        conflicts += said("conflicts");
        carried += said("carried");
        pending += said("pending");
        let turns_five = |born: NaiveDate| born.year() + 5 == i32::from(case.year.0);
        five_in_lager += usize::from(case.birth.is_some_and(turns_five)) * said("count");
        moved += usize::from(case.moves) * said("carried");
        let near = clocks_change(case.year).map(|sunday| sunday - Days::new(2)..=sunday + Days::new(1));
        let counts = |day: NaiveDate| near.iter().any(|days| days.contains(&day)) && day.weekday() != Weekday::Sun;
        clocks += usize::from(case.told.iter().any(|(_, at, word)| *word == "B" && counts(at.day)));
    }
    // Agreement on nothing would prove nothing.
    assert!(five_in_lager > number_of_cases / 100, "{five_in_lager}");
    for often in [five, thirty, conflicts, carried, pending, moved, clocks] {
        assert!(
            often > number_of_cases / 20,
            "{five} {thirty} {conflicts} {carried} {pending} {moved} {clocks}"
        );
    }
}
