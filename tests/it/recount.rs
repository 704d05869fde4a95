//! The whole path against the naive recount in Python: any order, any batches, any repetition,
//! corrections both ways, two schools, carried-in numbers, borders of the school year (R06, R44, R45).

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use clb_hub::demo::dice::Dice;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::id::{PupilId, RecordId};
use hub_entities::time::HalfDay;

use crate::support::database::both_databases;
use crate::support::look::{standing, totals};
use crate::support::world::{School, World, am, born, pm};

const PUPILS: usize = 24;
const WORDS: usize = 60;

/// Days that are worth trying: borders of the year, Wednesdays, holidays, the turn of summer time.
const DAYS: [&str; 16] = [
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
    "2026-10-26",
    "2026-11-02",
    "2026-11-11",
    "2026-11-12",
];

const BIRTHS: [&str; 5] = ["2012-05-01", "2008-10-15", "2008-06-30", "2021-03-03", "2020-12-31"];

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

/// What two schools say of each pupil, in an order.
fn words(dice: &mut Dice) -> Vec<Word> {
    let mut words = Vec::new();
    for pupil in 0..PUPILS {
        for _ in 0..WORDS {
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

/// The recount's answers: count, pending, signals, by pupil.
fn recounted(said: &[Word]) -> Vec<(i64, i64, BTreeSet<String>)> {
    let mut input = String::new();
    for pupil in 0..PUPILS {
        let half_days: Vec<_> = said
            .iter()
            .filter(|word| word.0 == pupil)
            .map(|(_, school, at, _, mark)| {
                let part = if at.part.to_i16() == 0 { "AM" } else { "PM" };
                serde_json::json!({"record": format!("r{school}"), "day": at.day, "part": part, "mark": mark})
            })
            .collect();
        let case = serde_json::json!({
            "id": pupil, "year": 2026, "birth": BIRTHS[pupil % BIRTHS.len()],
            "days_off": [], "half_days": half_days, "carried": [],
        });
        input.push_str(&case.to_string());
        input.push('\n');
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/recount.py");
    let mut python = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs the naive recount");
    python.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "the recount failed");
    let lines = String::from_utf8(output.stdout).unwrap();
    let answer = |line: &str| {
        let answer: serde_json::Value = serde_json::from_str(line).unwrap();
        let signals = answer["signals"].as_array().unwrap();
        let signals = signals
            .iter()
            .map(|signal| signal.as_str().unwrap().to_owned())
            .collect();
        (
            answer["count"].as_i64().unwrap(),
            answer["pending"].as_i64().unwrap(),
            signals,
        )
    };
    lines.lines().map(answer).collect()
}

async fn two_schools(world: &World) -> ([School; 2], Vec<[RecordId; 2]>, Vec<PupilId>) {
    let clb = world.clb("114711").await;
    let first = world.school("123456", clb, Categories::all()).await;
    let second = world.school("123457", clb, Categories::all()).await;
    let keys: Vec<String> = (0..PUPILS).map(|n| format!("p{n}")).collect();
    let pupils: Vec<_> = keys
        .iter()
        .enumerate()
        .map(|(n, key)| {
            // The same blind index ties the two records to one pupil.
            let index = Some(vec![u8::try_from(n).unwrap(); 32]);
            let said = clb_hub::store::roster::PupilSaid {
                national_index: index,
                ..born(BIRTHS[n % BIRTHS.len()])
            };
            (key.as_str(), said)
        })
        .collect();
    let here = world.pupils(first, &pupils).await;
    let there = world.pupils(second, &pupils).await;
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
        let mut history: Vec<Word> = Vec::new();
        for seed in 1..=3 {
            let mut dice = Dice::of(seed, 7, 0);
            let said = words(&mut dice);
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
            }
            // What was said before this seed still stands unless it was said again.
            history.extend(said);
            for (pupil, (count, pending, signals)) in recounted(&history).into_iter().enumerate() {
                let stored = totals(&world.look, pupils[pupil], 2026).await;
                assert_eq!(stored, (count, pending), "seed {seed}, pupil {pupil}");
                let stands: BTreeMap<String, i32> = standing(&world.look, pupils[pupil])
                    .await
                    .into_iter()
                    .map(|(kind, _, n)| (kind, n))
                    .collect();
                assert_eq!(
                    stands.keys().cloned().collect::<BTreeSet<_>>(),
                    signals,
                    "seed {seed}, pupil {pupil}"
                );
                assert!(
                    stands.values().all(|n| i64::from(*n) == count),
                    "a standing signal tells another count"
                );
            }
        }
    }
);
