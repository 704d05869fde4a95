//! The national number (rijksregisternummer) is never written: whatever way a roster comes in, no digits of one are in the
//! database, in the files that it lies in, in a log or in a metric (R61, domain facts §6.1). Of a number that is none the
//! school learns that there was one, not whose; the pupil is kept without.

mod keys;

use std::path::Path;
use std::sync::Arc;

use clb_hub::sync::{Source, Sync};
use hub_connectors::contract::Stream;
use hub_connectors::roster::{PupilRow, Roster, Says, SchoolLink, Status};
use hub_connectors::smartschool::fake::Pupil;
use hub_entities::category::Categories;
use hub_entities::number::national::BlindIndexKey;
use hub_entities::operation::{Actor, Role};
use hub_entities::source::RunState;
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::database::{Backend, TestDatabase, both_databases};
use crate::support::door::Hub;
use crate::support::look::{list, number};
use crate::support::package::Package;
use crate::support::process::{Folder, Provider, subject};
use crate::support::region::sync;
use crate::support::schema::columns;
use crate::support::tenant::{self, Scene, platform};
use crate::support::world::{World, day};

const NAME: &str = "https://issuer.example";
const AUDIENCE: &str = "https://hub.example/graphql";

/// Stands where a number would, and is found: eleven digits, and a name.
const CANARY: &str = "99887766554";
const PERSON: &str = "Kanariepiet";

/// Numbers of people born in 2041, whom nobody is, with the two digits that 97 less the remainder gives; a BIS number and
/// one without month and day among them. Each way in has its own, so that one that is found tells where it came in.
const OF_FILE: [&str; 4] = ["41050100121", "41050100319", "41450101395", "41000001403"];
const OF_CALL: [&str; 2] = ["41050100418", "41050100616"];
const OF_PART: [&str; 1] = ["41050100715"];
const OF_PULL: [&str; 1] = ["41050100814"];
const OF_WAITING: [&str; 1] = ["41050101012"];

/// And some that are none: a last digit that is another, a number that is not given out, a digit too few.
const WRONG: [&str; 5] = ["41050101112", "41050101211", "41050101508", "41050199990", "4105010170"];

/// The same number with its dots.
fn dotted(digits: &str) -> String {
    format!(
        "{}.{}.{}-{}.{}",
        &digits[..2],
        &digits[2..4],
        &digits[4..6],
        &digits[6..9],
        &digits[9..]
    )
}

/// Everything that tells this number: in the spellings that people write, its first nine digits, and as a whole number
/// of eight bytes, either end first, of which a database may leave out the zeros.
fn telling(digits: &str) -> Vec<String> {
    let (date, rest, check) = (&digits[..6], &digits[6..9], &digits[9..]);
    let texts = [
        digits[..9].to_owned(),
        dotted(digits),
        format!("{date}-{rest}.{check}"),
        format!("{date}-{rest}-{check}"),
        format!("{date} {rest} {check}"),
        format!("{}/{}/{}", &date[..2], &date[2..4], &date[4..]),
    ];
    let whole: u64 = digits.parse().unwrap();
    let bytes = [&whole.to_be_bytes()[3..], &whole.to_le_bytes()[..5]];
    texts.into_iter().chain(bytes.map(letters)).collect()
}

/// A letter for each byte, whatever the bytes are.
fn letters(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Bytes as the database shows them.
fn hex(letters: &str) -> String {
    let digits = letters.chars().map(|letter| format!("{:02x}", u32::from(letter)));
    digits.collect::<Vec<_>>().concat()
}

/// Where things may have been written down.
struct Written(Vec<(String, String)>);

impl Written {
    /// All that the database holds, and the files it lies in.
    async fn of(database: &TestDatabase, look: &DatabaseConnection) -> Self {
        let mut places = Vec::new();
        match database.backend {
            Backend::Sqlite => {
                let folder = Path::new(database.url.trim_start_matches("sqlite://"))
                    .parent()
                    .unwrap();
                for file in std::fs::read_dir(folder).unwrap() {
                    let path = file.unwrap().path();
                    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                    places.push((name, letters(&std::fs::read(path).unwrap())));
                }
            }
            Backend::Postgres => {
                // Each row of each table as text, its bytes as digits; and the pages, where what was deleted still lies.
                for table in columns(database).await.into_keys() {
                    let rows: Vec<String> = list(look, &format!("select t::text from {table} t")).await;
                    places.push((table, rows.join("\n")));
                }
                sea_orm::ConnectionTrait::execute_unprepared(look, "checkpoint")
                    .await
                    .unwrap();
                let pages = "select pg_read_binary_file(path, 0, 100000000, true) from (
                         select pg_relation_filepath(c.oid) as path from pg_class c
                         join pg_namespace n on n.oid = c.relnamespace
                         where n.nspname in ('public', 'secrecy', 'pg_toast') and c.relkind in ('r', 'i', 't')) as files
                     where path is not null";
                let pages: Vec<Option<Vec<u8>>> = list(look, pages).await;
                places.extend(
                    pages
                        .into_iter()
                        .flatten()
                        .map(|page| ("pages".to_owned(), letters(&page))),
                );
            }
        }
        Self(places)
    }

    /// Where this stands, as letters or as the digits of their bytes.
    fn finds(&self, part: &str) -> Option<&str> {
        let digits = hex(part);
        let found = |text: &str| text.contains(part) || text.contains(&digits);
        let place = self.0.iter().find(|(_, text)| found(text));
        place.map(|(place, _)| place.as_str())
    }
}

/// A pupil of a package: key, numbers as the package has them, first name.
fn user(key: &str, ids: &str, name: &str) -> String {
    format!("{key},,,true,s1,student,{key},\"{ids}\",{name},Leerling,,{CANARY}{key},,,,,,")
}

/// A package of pupils with these numbers, each in a class.
fn package(pupils: &[(&str, String)]) -> Package {
    let each = |row: fn(&str) -> String| pupils.iter().map(|(key, _)| row(key)).collect();
    Package {
        users: pupils
            .iter()
            .map(|(key, number)| {
                user(
                    key,
                    &format!("{{stamnummer:2600001}},{{nationalNumber:{number}}}"),
                    PERSON,
                )
            })
            .collect(),
        demographics: each(|key| format!("{key},,,2012-05-01,female,,,,,,,,,,,")),
        enrollments: each(|key| format!("e-{key},,,k,s1,{key},student,,2026-09-01,")),
        ..Package::default()
    }
}

/// A roster as a pull hands it over: every pupil there is, each with its number.
fn roster(keys: std::ops::Range<usize>, numbers: &[&str]) -> Roster {
    let pupil = |key: usize| PupilRow {
        source_key: format!("h{key}"),
        says: Says {
            person: true,
            schools: true,
            birth: true,
        },
        schools: vec![SchoolLink {
            school_key: "s".to_owned(),
            begins: Some(day("2026-09-01")),
            ends: None,
            status: Status::default(),
        }],
        user_ids: numbers
            .get(key)
            .map(|number| ("nationalNumber".to_owned(), (*number).to_owned()))
            .into_iter()
            .collect(),
        given_name: "Test".to_owned(),
        family_name: "Leerling".to_owned(),
        ..PupilRow::default()
    };
    let mut roster = Roster {
        pupils: keys.map(pupil).collect(),
        ..Roster::default()
    };
    roster.complete.pupils = true;
    roster
}

/// Asks the hub that serves.
async fn ask(address: &str, token: &str, question: &str) -> Value {
    let body = json!({ "query": question }).to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: hub\r\nconnection: close\r\ncontent-type: application/json\r\n\
         authorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = http(address, &request).await;
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

async fn http(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// A call of software: pupils by key and number.
fn submitting(name: &str, head: &str, pupils: &[(&str, String)]) -> String {
    let pupil = |(key, number): &(&str, String)| {
        format!(
            "{{ key: \"{key}\", givenName: \"{PERSON}\", familyName: \"Leerling\", identifier: \"{CANARY}{key}\",
                nationalNumber: \"{number}\" }} "
        )
    };
    let pupils: String = pupils.iter().map(pupil).collect();
    format!(
        "mutation {{ submitRoster(input: {{ idempotencyKey: \"{name}\", institutionNumber: \"123457\",
           referenceDate: \"2026-10-01\", {head}, pupils: [{pupils}],
           memberships: [{{ key: \"m-{name}\", classKey: \"9Z\", pupilKey: \"nobody\" }}] }}) {{
           __typename ... on Delivered {{ runState results {{ outcome reason }} }} ... on Invalid {{ field }} }} }}"
    )
}

/// What the school is told of numbers that are none.
async fn told_of(hub: &Hub, viewer: &Actor) -> Vec<(String, String, i64)> {
    let question = "{ gaps(first: 99) { edges { node { rule detail occurrences } } } }";
    let answer = hub.ask(viewer, question).await;
    let edges = answer["gaps"]["edges"].as_array().unwrap().clone();
    let of = |edge: &Value| {
        let text = |name: &str| edge["node"][name].as_str().unwrap().to_owned();
        (
            text("rule"),
            text("detail"),
            edge["node"]["occurrences"].as_i64().unwrap(),
        )
    };
    let mut gaps: Vec<_> = edges.iter().map(of).filter(|gap| gap.0.contains("national")).collect();
    gaps.sort();
    gaps
}

fn bad(what: &str, rows: i64) -> (String, String, i64) {
    ("roster.bad_national_number".to_owned(), what.to_owned(), rows)
}

/// Records of a school, and those of them that have an index.
async fn kept(look: &DatabaseConnection, school: &str) -> (i64, i64) {
    let count = |of: &str| {
        format!(
            "select count({of}) from record r join school s on s.id = r.school_id
             where s.institution_number = '{school}'"
        )
    };
    let all = number(look, &count("*")).await;
    (all, number(look, &count("national_index")).await)
}

both_databases!(no_way_in_writes_a_number, async |database: &TestDatabase| {
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    let clb = world.clb("114711").await;
    let of_files = world.school("123456", clb, Categories::all()).await;
    let of_calls = world.school("123457", clb, Categories::all()).await;
    let waiting = world.school("123458", clb, Categories::all()).await;
    let client = world.someone(Role::SchoolClient, Some(of_calls.id), None).await;
    let provider = Provider::new(NAME, AUDIENCE).await;
    let folder = Folder::installed(&database.url, NAME, AUDIENCE, &provider.keys);
    let told_all = [
        ("CLB_HUB__TELEMETRY__LEVEL", "trace"),
        ("CLB_HUB__KEYS__BLIND_INDEX_FILE", "blind-index.key"),
    ];
    let run = |arguments: &[&str], succeeds: bool| {
        let mut command = folder.command(arguments);
        let output = tokio::task::block_in_place(|| command.envs(told_all).output()).unwrap();
        let said = String::from_utf8([&output.stdout[..], &output.stderr].concat()).unwrap();
        assert_eq!(output.status.success(), succeeds, "{said}");
        said
    };
    let mut logged = run(&["keys", "--config", "clb-hub.toml"], true);

    // From files: plain and dotted, BIS, without a date; three that are none. And a package with a fault in each row.
    let numbers = [
        ("a", OF_FILE[0].to_owned()),
        ("b", dotted(OF_FILE[1])),
        ("c", OF_FILE[2].to_owned()),
        ("d", dotted(OF_FILE[3])),
        ("e", WRONG[0].to_owned()),
        ("f", dotted(WRONG[1])),
        ("g", WRONG[3].to_owned()),
    ];
    package(&numbers).write(&folder.at("whole"));
    let mut faulty = package(&numbers);
    faulty.demographics = numbers
        .iter()
        .map(|(key, _)| format!("{key},,,soon,female,,,,,,,,,,,"))
        .collect();
    faulty.write(&folder.at("faulty"));
    let import = |path| ["import", path, "--school", "123456", "--config", "clb-hub.toml"];
    logged.push_str(&run(&import("whole"), true));
    logged.push_str(&run(&import("faulty"), false));
    assert_eq!(kept(&world.look, "123456").await, (7, 4));

    // Brought by software: one call, and a part of a snapshot that is not closed yet.
    let serving = folder.serve(&told_all);
    let token = provider.token(&subject(&client));
    let calls = [
        (
            "call",
            "mode: CHANGES",
            vec![
                ("a", OF_CALL[0].to_owned()),
                ("b", dotted(OF_CALL[1])),
                ("a", OF_CALL[1].to_owned()),
                ("c", WRONG[2].to_owned()),
                ("d", WRONG[4].to_owned()),
            ],
        ),
        (
            "part",
            "mode: SNAPSHOT, part: { snapshot: \"s\", number: 1, closing: false }",
            vec![("a", OF_PART[0].to_owned()), ("e", dotted(WRONG[0]))],
        ),
        (
            "next",
            "mode: SNAPSHOT, part: { snapshot: \"s\", number: 2, closing: false }",
            vec![("f", WRONG[1].to_owned())],
        ),
    ];
    for (name, head, pupils) in calls {
        let answer = ask(&serving.address, &token, &submitting(name, head, &pupils)).await;
        assert_eq!(answer["data"]["submitRoster"]["__typename"], "Delivered", "{answer}");
    }
    // By its name it is the same call however the number is spelled, and another one with another number.
    for (number, expected) in [(dotted(OF_PART[0]), "Delivered"), (OF_CALL[0].to_owned(), "NameTaken")] {
        let head = "mode: SNAPSHOT, part: { snapshot: \"s\", number: 1, closing: false }";
        let again = submitting("part", head, &[("a", number), ("e", WRONG[0].to_owned())]);
        let answer = ask(&serving.address, &token, &again).await;
        assert_eq!(answer["data"]["submitRoster"]["__typename"], expected, "{answer}");
    }
    assert_eq!(kept(&world.look, "123457").await, (4, 2));
    assert!(number(&world.look, "select count(*) from staged_row").await > 0);
    let metrics = http(
        &serving.address,
        "GET /metrics HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n\r\n",
    )
    .await;
    serving.terminate();
    let (status, log) = tokio::task::block_in_place(|| serving.ended());
    assert!(status.success(), "{log}");
    logged.push_str(&log);

    // A roster that waits for a person, all of it put aside.
    let here = sync(&world);
    let source = Source {
        id: waiting.source,
        school: waiting.id,
    };
    here.roster(source, "s", roster(0..30, &[]), vec![1; 32]).await.unwrap();
    let few = roster(0..3, &[OF_WAITING[0], WRONG[2]]);
    let held = here.roster(source, "s", few, vec![2; 32]).await.unwrap();
    assert_eq!(held.state, RunState::Held);

    // And from a school's system.
    let mut tenant = platform("123459", "2026-10-01", 0..0);
    for (key, national_number) in [(1, OF_PULL[0].to_owned()), (2, dotted(WRONG[0]))] {
        let pupil = Pupil {
            national_number,
            given_name: PERSON.to_owned(),
            ..tenant::pupil(key)
        };
        tenant.add_pupil(pupil, "1A", day("2026-09-01"));
    }
    let scene = Scene::of(world, "123459", Categories::all(), tenant).await;
    let pulling = Sync {
        national_numbers: Some(Arc::new(BlindIndexKey::new([7; 32]))),
        ..scene.sync(|_, _| {})
    };
    scene.pull_with(&pulling, Stream::Roster).await.unwrap();
    let world = scene.world;
    assert_eq!(kept(&world.look, "123459").await, (2, 1));

    let written = Written::of(database, &world.look).await;
    // What was meant to be kept is found, so anything else would be.
    for canary in [CANARY, PERSON, "roster.bad_national_number"] {
        assert!(written.finds(canary).is_some(), "{canary} is nowhere");
    }
    for canary in ["done: 15 rows", "row.date", "answered"] {
        assert!(logged.contains(canary), "{canary} is not in {logged}");
    }
    assert!(metrics.contains("clb_hub_"), "{metrics}");
    let numbers = [&OF_FILE[..], &OF_CALL, &OF_PART, &OF_PULL, &OF_WAITING, &WRONG].concat();
    for digits in numbers {
        for part in telling(&format!("{digits:0<11}")) {
            assert_eq!(written.finds(&part), None, "{digits} is written as {part:?}");
            assert!(!logged.contains(&part), "{digits} was logged as {part:?}");
            assert!(!metrics.contains(&part), "{digits} was measured as {part:?}");
        }
    }

    // What the schools are told of those that are none.
    let mut managers = Vec::new();
    for school in [of_files, of_calls, waiting] {
        managers.push(world.someone(Role::SchoolDataManager, Some(school.id), None).await);
    }
    let operator = world.someone(Role::Operator, None, None).await;
    let hub = Hub::over(world);
    assert_eq!(
        told_of(&hub, &managers[0]).await,
        [bad("checksum", 2), bad("sequence", 1)]
    );
    assert_eq!(told_of(&hub, &managers[1]).await, [bad("checksum", 3), bad("form", 1)]);
    assert_eq!(told_of(&hub, &managers[2]).await, [bad("checksum", 1)]);
    assert_eq!(told_of(&hub, &operator).await.len(), 6);
});
