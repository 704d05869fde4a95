//! The whole path against the naive recount in Python: any order, any batches, any repetition,
//! corrections both ways, two schools, numbers carried in, enrolments that end, five-year-olds in lager, borders of the school
//! year, the turn of the clocks (R06, R44, R45).

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use chrono::NaiveDate;
use clb_hub::demo::dice::Dice;
use clb_hub::store::carried::CarriedSaid;
use clb_hub::store::roster::PupilSaid;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::id::{PupilId, RecordId};
use hub_entities::ledger::tally;
use hub_entities::time::{HalfDay, SchoolYear};
use sea_orm::EntityTrait as _;

use crate::support::database::both_databases;
use crate::support::look::standing;
use crate::support::world::{School, World, am, born, day, place, pm};

const PUPILS: usize = 24;
const WORDS: usize = 60;
/// Of one pupil in four, who stays below the threshold or is brought over it by a number.
const FEW_WORDS: usize = 4;
const NUMBERS: [&str; 2] = ["123456", "123457"];

/// Days that are worth trying: borders of the year, Wednesdays, holidays, both Sundays on which the clocks change and the
/// school days around them. (In 2027 the second is Easter, and the Monday after it a holiday.)
const DAYS: [&str; 20] = [
    "2026-08-31",
    "2026-09-01",
    "2026-09-02",
    "2026-09-03",
    "2026-09-04",
    "2026-09-05",
    "2026-09-07",
    "2026-09-08",
    "2026-09-09",
    "2026-09-10",
    "2026-09-11",
    "2026-10-23",
    "2026-10-25",
    "2026-10-26",
    "2026-11-02",
    "2026-11-11",
    "2026-11-12",
    "2027-03-26",
    "2027-03-28",
    "2027-03-29",
];

const BIRTHS: [&str; 5] = ["2012-05-01", "2008-10-15", "2008-06-30", "2021-03-03", "2020-12-31"];

/// The day on which some of the pupils that two schools speak of go from the first to the second.
const MOVES: &str = "2026-09-08";

/// Whether this pupil does.
const fn moves(pupil: usize) -> bool {
    pupil.is_multiple_of(6)
}

/// The grade of the class that this pupil is in, all year.
fn grade(pupil: usize) -> Option<&'static str> {
    [Some("KG"), Some("01"), None, Some("01"), Some("1")][pupil / BIRTHS.len() % 5]
}

fn readings() -> [(Reading, &'static str); 6] {
    [
        (Reading::Absent(Code::B), "B"),
        (Reading::Absent(Code::B), "B"),
        (Reading::Absent(Code::Z), "Z"),
        (Reading::Unresolved, "unresolved"),
        (Reading::Absent(Code::P), "P"),
        (Reading::Unknown, "unknown"),
    ]
}

type Word = (usize, usize, HalfDay, Reading, &'static str);

/// What a school was told that a pupil brought along.
#[derive(Debug, Clone)]
struct Number {
    pupil: usize,
    school: usize,
    half_days: i16,
    begins: NaiveDate,
    /// By institution number: the other school's, one that the hub does not know, or none.
    former: Option<&'static str>,
}

/// What was said up to now: the words in their order, and of the numbers the last one of each pupil, school and year.
#[derive(Default)]
struct History {
    words: Vec<Word>,
    numbers: BTreeMap<(usize, usize, SchoolYear), Number>,
}

/// What two schools say of each pupil, in an order.
fn words(dice: &mut Dice) -> Vec<Word> {
    let mut words = Vec::new();
    for pupil in 0..PUPILS {
        for _ in 0..if pupil % 4 == 2 { FEW_WORDS } else { WORDS } {
            let day = DAYS[dice.below(DAYS.len())];
            let half_day = if dice.chance(500) { am(day) } else { pm(day) };
            let (reading, mark) = readings()[dice.below(6)];
            // The second school speaks for one pupil in three.
            let school = if pupil % 3 == 0 { dice.below(2) } else { 0 };
            words.push((pupil, school, half_day, reading, mark));
        }
    }
    words
}

/// A number for every other pupil, mostly at the second school.
fn numbers(dice: &mut Dice) -> Vec<Number> {
    let of = |pupil| {
        let school = usize::from(dice.chance(800));
        Number {
            pupil,
            school,
            half_days: i16::try_from(dice.below(8)).unwrap(),
            begins: day(DAYS[dice.below(DAYS.len())]),
            former: dice.pick(&[Some(NUMBERS[1 - school]), Some("999999"), None], None),
        }
    };
    (0..PUPILS).step_by(2).map(of).collect()
}

/// What is known of a pupil: half-days, carried in, pending, when it came to 5 and to 30, signals.
type Known = (i64, i64, i64, [Option<NaiveDate>; 2], BTreeSet<String>);

impl History {
    fn of_pupil(&self, pupil: usize) -> serde_json::Value {
        let words = self.words.iter().filter(|word| word.0 == pupil);
        let half_days: Vec<_> = words
            .map(|(_, school, at, _, mark)| {
                let part = if at.part.to_i16() == 0 { "AM" } else { "PM" };
                serde_json::json!({"record": format!("r{school}"), "day": at.day, "part": part, "mark": mark})
            })
            .collect();
        let year = SchoolYear(2026);
        let carried: Vec<_> = [0, 1]
            .iter()
            .filter_map(|school| self.numbers.get(&(pupil, *school, year)))
            .map(|number| {
                let former = number
                    .former
                    .and_then(|former| NUMBERS.iter().position(|one| *one == former));
                let former: Vec<String> = former.iter().map(|school| format!("r{school}")).collect();
                serde_json::json!({
                    "record": format!("r{}", number.school), "half_days": number.half_days,
                    "begin": number.begins, "former": former,
                })
            })
            .collect();
        serde_json::json!({
            "id": pupil, "year": 2026, "birth": BIRTHS[pupil % BIRTHS.len()],
            "days_off": [], "half_days": half_days, "carried": carried,
            "enrolled": if moves(pupil) {
                serde_json::json!({"r0": [["2026-09-01", MOVES]], "r1": [[MOVES, null]]})
            } else {
                serde_json::json!({"r0": [["2026-09-01", null]], "r1": [["2026-09-01", null]]})
            },
            "classes": [["2026-09-01", null, grade(pupil)]],
        })
    }

    /// The recount's answers by pupil.
    fn recounted(&self) -> Vec<Known> {
        let questions: Vec<String> = (0..PUPILS).map(|pupil| format!("{}\n", self.of_pupil(pupil))).collect();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/recount.py");
        let mut python = Command::new("python3")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs the naive recount");
        let mut input = python.stdin.take().unwrap();
        input.write_all(questions.concat().as_bytes()).unwrap();
        drop(input);
        let output = python.wait_with_output().unwrap();
        assert!(output.status.success(), "the recount failed");
        let answer = |line: &str| {
            let answer: serde_json::Value = serde_json::from_str(line).unwrap();
            let signals = answer["signals"].as_array().unwrap();
            let signals = signals
                .iter()
                .map(|signal| signal.as_str().unwrap().to_owned())
                .collect();
            let number = |name: &str| answer[name].as_i64().unwrap();
            let reached = ["5", "30"].map(|at| answer["reached"][at].as_str().map(day));
            (number("count"), number("carried"), number("pending"), reached, signals)
        };
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().map(answer).collect()
    }
}

/// What the hub stores of a pupil.
async fn stored(world: &World, pupil: PupilId) -> Known {
    let found = tally::Entity::find_by_id((pupil, SchoolYear(2026)))
        .one(&world.look)
        .await;
    let tally = found.unwrap();
    let (half_days, carried, pending, reached) = tally.map_or((0, 0, 0, [None, None]), |tally| {
        let reached = [tally.reached_5, tally.reached_30];
        (tally.half_days, tally.carried, tally.pending, reached)
    });
    let stands = standing(&world.look, pupil).await;
    assert!(
        stands.iter().all(|(_, _, told)| *told == half_days),
        "a standing signal tells another count"
    );
    let signals = stands.into_iter().map(|(kind, ..)| kind).collect();
    (half_days.into(), carried.into(), pending.into(), reached, signals)
}

fn by_key(said: &[(String, PupilSaid)]) -> Vec<(&str, PupilSaid)> {
    said.iter().map(|(key, said)| (key.as_str(), said.clone())).collect()
}

async fn two_schools(world: &World) -> ([School; 2], Vec<[RecordId; 2]>, Vec<PupilId>) {
    let clb = world.clb("114711").await;
    let first = world.school(NUMBERS[0], clb, Categories::all()).await;
    let second = world.school(NUMBERS[1], clb, Categories::all()).await;
    let keys: Vec<String> = (0..PUPILS).map(|n| format!("p{n}")).collect();
    let said = |school: usize| {
        let one = |(n, key): (usize, &String)| {
            // The same blind index ties the two records to one pupil.
            let mut said = PupilSaid {
                national_index: Some(vec![u8::try_from(n).unwrap(); 32]),
                ..born(BIRTHS[n % BIRTHS.len()])
            };
            match school {
                0 if moves(n) => said.ends_on = Some(day(MOVES)),
                1 if moves(n) => said.begins_on = Some(day(MOVES)),
                _ => {}
            }
            (key.clone(), said)
        };
        keys.iter().enumerate().map(one).collect::<Vec<_>>()
    };
    let [at_first, at_second] = [said(0), said(1)];
    let here = world.pupils(first, &by_key(&at_first)).await;
    let there = world.pupils(second, &by_key(&at_second)).await;
    let grades: BTreeSet<Option<&str>> = (0..PUPILS).map(grade).collect();
    let class = |grade: Option<&str>| format!("k{}", grade.unwrap_or_default());
    let classes: Vec<(String, Option<&str>)> = grades.into_iter().map(|grade| (class(grade), grade)).collect();
    let classes: Vec<_> = classes.iter().map(|(key, grade)| (key.as_str(), *grade)).collect();
    let places = keys.iter().enumerate();
    let places: Vec<_> = places
        .map(|(n, key)| (key.as_str(), place(&class(grade(n)), key)))
        .collect();
    for school in [first, second] {
        world.classes(school, &classes).await;
        world.places(school, &places).await;
    }
    assert_eq!(
        here.iter().map(|one| one.1).collect::<Vec<_>>(),
        there.iter().map(|one| one.1).collect::<Vec<_>>()
    );
    let records = here.iter().zip(&there).map(|(a, b)| [a.0, b.0]).collect();
    ([first, second], records, here.iter().map(|one| one.1).collect())
}

both_databases!(
    any_history_gives_what_the_recount_gives,
    async |database: &TestDatabase| {
        let world = World::new(database, "2026-11-20T10:00:00Z").await;
        let (schools, records, pupils) = two_schools(&world).await;
        let mut history = History::default();
        let mut known = BTreeSet::new();
        for seed in 1..=3 {
            let mut dice = Dice::of(seed, 7, 0);
            let said = words(&mut dice);
            let mut told = numbers(&mut dice);
            // Batches of any size, each told a second time now and then, in the order that was drawn.
            let mut at = 0;
            while at < said.len() {
                let size = dice.between(1, 150).min(said.len() - at);
                let batch = &said[at..at + size];
                for (number, school) in schools.iter().enumerate() {
                    let of_school: Vec<_> = batch
                        .iter()
                        .filter(|word| word.1 == number)
                        .map(|(pupil, school, at, reading, _)| (records[*pupil][*school], *at, *reading))
                        .collect();
                    world.say(*school, &of_school).await;
                    if dice.chance(200) {
                        assert_eq!(
                            world.say(*school, &of_school).await.changed,
                            0,
                            "the same again changed something"
                        );
                    }
                }
                at += size;
                // Numbers arrive between the half-days, some with the first and the rest with the last of them.
                let some = told.split_off(if at < said.len() {
                    told.len().saturating_sub(2)
                } else {
                    0
                });
                for (number, school) in schools.iter().enumerate() {
                    let of_school: Vec<CarriedSaid> = some
                        .iter()
                        .filter(|one| one.school == number)
                        .map(|one| CarriedSaid {
                            record: records[one.pupil][number],
                            begins_on: one.begins,
                            half_days: one.half_days,
                            former_institution: one.former.map(str::to_owned),
                        })
                        .collect();
                    world.carry(*school, &of_school).await;
                    assert_eq!(
                        world.carry(*school, &of_school).await.changed,
                        0,
                        "the same number again"
                    );
                }
                let by_place = some.into_iter().map(|one| {
                    let year = SchoolYear::of(one.begins);
                    ((one.pupil, one.school, year), one)
                });
                history.numbers.extend(by_place);
            }
            // What was said before this seed still stands unless it was said again.
            history.words.extend(said);
            for (pupil, expected) in history.recounted().into_iter().enumerate() {
                let question = history.of_pupil(pupil);
                assert_eq!(
                    stored(&world, pupils[pupil]).await,
                    expected,
                    "seed {seed}, pupil {pupil}: {question}"
                );
                known.insert((expected.1 > 0, expected.2 > 0, expected.4.len()));
            }
        }
        // Agreement on nothing would prove nothing: with and without a number carried in, a signal and none.
        for carried in [false, true] {
            for signals in [0, 1] {
                let such = known.iter().any(|one| one.0 == carried && one.2 == signals);
                assert!(such, "carried in {carried}, {signals} signals: {known:?}");
            }
        }
    }
);

// The first school has given the pupil another key: the number that it passed on is of the half-days under both.
both_databases!(a_former_school_under_two_keys, async |database: &TestDatabase| {
    let world = World::new(database, "2026-11-20T10:00:00Z").await;
    let clb = world.clb("114711").await;
    let first = world.school(NUMBERS[0], clb, Categories::all()).await;
    let second = world.school(NUMBERS[1], clb, Categories::all()).await;
    let said = || PupilSaid {
        national_index: Some(vec![1; 32]),
        ..born("2012-05-01")
    };
    let both = world.pupils(first, &[("old", said()), ("new", said())]).await;
    let there = world.pupils(second, &[("p", said())]).await[0];
    assert!(both.iter().all(|one| one.1 == there.1), "one pupil");
    let b = |record, at| (record, at, Reading::Absent(Code::B));
    let under = [
        b(both[0].0, am("2026-09-01")),
        b(both[0].0, am("2026-09-02")),
        b(both[1].0, am("2026-09-03")),
        b(both[1].0, am("2026-09-04")),
    ];
    world.say(first, &under).await;
    let number = CarriedSaid {
        record: there.0,
        begins_on: day("2026-09-07"),
        half_days: 4,
        former_institution: Some(NUMBERS[0].to_owned()),
    };
    world.carry(second, &[number]).await;
    // Four, all of them with a date: no signal, and nothing without one.
    assert_eq!(stored(&world, there.1).await, (4, 0, 0, [None, None], BTreeSet::new()));
});
