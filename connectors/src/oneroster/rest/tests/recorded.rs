//! Answers that others recorded from running servers: the whole of one school, and every odd one.

use std::collections::VecDeque;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use async_trait::async_trait;
use serde_json::Value;

use super::*;
use crate::fake::{Answer, Request, Site};
use crate::oneroster::rest::can;
use crate::roster::Counts;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/oneroster")
}

/// The school of the recorded answers, in a system that pages as its server does.
fn recorded(version: Version) -> System {
    let mut system = System::new(version, "hub", SECRET, now());
    system.quirks = [Quirk::Uncounted].into();
    system.page_cap = Some(500);
    let file = std::fs::File::open(fixtures().join("or-1.2-rest.zip")).expect("a fixture");
    let mut zip = zip::ZipArchive::new(file).expect("a zip");
    let names: Vec<String> = zip
        .file_names()
        .map(|name| name.expect("a name").into_owned())
        .collect();
    for name in names {
        let mut text = String::new();
        let mut file = zip.by_name(&name).expect("a file");
        file.read_to_string(&mut text).expect("text");
        let mut answer: Value = serde_json::from_str(&text).expect("json");
        let list = name.strip_suffix(".json").expect("a list");
        for record in answer[list].as_array_mut().expect("records") {
            system.load(list, record.take());
        }
    }
    system
}

/// The same school was written as packages too: what comes over the wire is what stands in them.
#[tokio::test]
async fn the_recorded_school_comes_to_what_its_packages_say() {
    for (version, package) in [(Version::V1_1, "or-1.1-bulk.zip"), (Version::V1_2, "or-1.2-bulk.zip")] {
        let running = run_with(recorded(version), |settings| {
            settings.school = Some("5643e68db2cfe9bf142de280d85599f9".to_owned());
            // As most are configured; the server gives 500 at most.
            settings.page_size = 1_000;
        })
        .await;
        let brought = running.whole().await;
        let path = fixtures().join(package);
        let written = crate::oneroster::read_path(&path, &crate::oneroster::Settings::default()).expect("a package");
        assert_eq!(brought.roster.pupils, written.pupils, "{package}");
        assert_eq!(brought.roster.classes, written.classes, "{package}");
        assert_eq!(brought.roster.sessions, written.sessions, "{package}");
        assert_eq!(brought.roster.memberships, written.memberships, "{package}");
        // The school has the number that it was asked for by.
        let mut schools = written.schools;
        schools[0].identifier = Some(SCHOOL.to_owned());
        assert_eq!(brought.roster.schools, schools, "{package}");
        assert_eq!(brought.roster.complete, written.complete, "{package}");
        // The district and the courses are not asked for here.
        let counts = Counts {
            orgs: 1,
            courses: 0,
            ..written.counts
        };
        assert_eq!(brought.roster.counts, counts, "{package}");
        assert_eq!(brought.gaps, [""; 0], "{package}");
        assert!(brought.finished.complete);
        let users = running.fake.calls();
        let pages = users
            .iter()
            .filter(|call| call.starts_with("users?") && !call.contains("fields="));
        assert_eq!(
            pages.count(),
            3,
            "500, 469, none: a short page is no end, and a full one neither"
        );
    }
}

/// Gives tokens, and then recorded answers in this order.
struct Replay(Mutex<VecDeque<Answer>>);

#[async_trait]
impl Site for Replay {
    async fn answer(&self, request: Request) -> Answer {
        if !Fake::is_for_data(&request) {
            return Answer::json(200, r#"{"access_token":"t","token_type":"bearer"}"#);
        }
        let next = self.0.lock().expect("not poisoned").pop_front();
        next.unwrap_or_else(|| Answer::status(500))
    }
}

/// A recorded answer, with the headers that say something.
fn answer(path: &str) -> Answer {
    let text = std::fs::read_to_string(fixtures().join(path))
        .expect("a fixture")
        .replace("\r\n", "\n");
    let (_asked, answer) = text.split_once("\n\n").expect("a question");
    let (head, body) = answer.split_once("\n\n").unwrap_or((answer, ""));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status");
    let mut answer = Answer::status(status.parse().expect("a number"));
    answer.body = body.trim_end().to_owned().into();
    for line in lines {
        let (name, value) = line.split_once(':').expect("a header");
        for kept in ["content-type", "link", "x-total-count", "date"] {
            if name.eq_ignore_ascii_case(kept) {
                answer = answer.with(kept, value.trim());
            }
        }
    }
    answer
}

async fn replay(answers: &[&str]) -> (Host, Source) {
    let answers = answers.iter().map(|path| answer(path)).collect();
    let host = Host::start(Arc::new(Replay(Mutex::new(answers))))
        .await
        .expect("a port");
    let token = oauth::Settings {
        token_url: Fake::token_url(&host),
        ..oauth::Settings::default()
    };
    let url = format!("{}/ims/oneroster/v1p1", host.origin());
    let settings = Settings::of(url, Credentials::Token(token.clone()));
    let tokens = Tokens::new(http(), token, SecretString::from(SECRET)).expect("an address");
    let source = Source::new(&settings, Proof::Token(Box::new(tokens)), http()).expect("an address");
    (host, source)
}

const ALL: Query<'static> = Query {
    since: None,
    sort: true,
    fields: None,
    first: None,
};

/// How many records come of a list that answers so.
async fn walked(table: &'static Table, answers: &[&str]) -> Result<u64, Kind> {
    let (_host, source) = replay(answers).await;
    let mut met = 0;
    let mut tally = Tally::default();
    let reply = source.walk(table, ALL, &mut tally, &mut |_, _| met += 1).await;
    let walked = reply.and_then(Reply::answered).map_err(|fault| Kind::of(&fault))?;
    assert_eq!(walked.keys.count(), met);
    Ok(met)
}

#[tokio::test]
async fn a_list_ends_at_the_empty_page_whatever_is_said_of_a_next_one() {
    use super::super::record::{ENROLLMENTS, ORGS, USERS};
    let (libre, edfi) = ("answers-1.1-libre", "answers-1.2-edfi");
    let path = |folder: &str, name: &str| format!("{folder}/{name}.http");
    // Two records on the last page, with a link; then one page beyond with a link, or without.
    for empty in ["users-past-end-still-next", "users-empty"] {
        let pages = [path(libre, "users-last-page"), path(libre, empty)];
        let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
        assert_eq!(walked(&USERS, &pages).await, Ok(2), "{empty}");
    }
    let empty = path(edfi, "empty-page");
    assert_eq!(walked(&USERS, &[&empty]).await, Ok(0));
    // An empty collection without a word; 204 is said of an unknown key too.
    let nothing = path(libre, "unknown-id-204");
    assert_eq!(walked(&USERS, &[&nothing]).await, Ok(0));
    for (table, page, records) in [
        (&ENROLLMENTS, path(libre, "enrollments-page"), 3),
        (&ORGS, path(libre, "orgs-page"), 2),
        (&ORGS, path(edfi, "page-orgs"), 1),
    ] {
        assert_eq!(walked(table, &[&page, &nothing]).await, Ok(records), "{page}");
        // Nothing behind it: the source broke, and what it gave is not taken for all.
        assert_eq!(walked(table, &[&page]).await, Err(Kind::Transient), "{page}");
    }
}

#[tokio::test]
async fn a_recorded_refusal_is_judged_by_its_status() {
    use super::super::record::USERS;
    for (name, kind) in [
        ("answers-1.1-libre/bad-filter-400", Kind::Config),
        ("answers-1.1-libre/limit-not-a-number-400", Kind::Config),
        ("answers-1.1-libre/demographics-404", Kind::Config),
        ("answers-1.1-libre/no-token-401", Kind::Refused),
        ("answers-1.2-edfi/bad-field-400", Kind::Config),
        ("answers-1.2-edfi/bad-filter-400", Kind::Config),
        ("answers-1.2-edfi/bad-limit-400", Kind::Config),
        ("answers-1.2-edfi/no-token-401", Kind::Refused),
        ("answers-1.2-edfi/one-user-404", Kind::Config),
    ] {
        let path = format!("{name}.http");
        // A token that is not taken is asked for anew, once.
        assert_eq!(walked(&USERS, &[&path, &path]).await, Err(kind), "{name}");
    }
    // A token that another one was good for.
    let again = [
        "answers-1.1-libre/no-token-401.http",
        "answers-1.1-libre/users-empty.http",
    ];
    assert_eq!(walked(&USERS, &again).await, Ok(0));
}

/// What cannot be asked is done without: three questions of five are refused here.
#[tokio::test]
async fn a_recorded_refusal_of_a_question_is_an_answer_to_it() {
    let page = "answers-1.2-edfi/page-orgs.http";
    let (filter, field) = (
        "answers-1.2-edfi/bad-filter-400.http",
        "answers-1.2-edfi/bad-field-400.http",
    );
    let (_host, source) = replay(&[page, filter, filter, page, field]).await;
    let can = can::probe(&source).await.expect("it answers");
    assert_eq!((can.filter, can.sort, can.fields), (false, true, false));
}

/// Every recorded answer is looked at by one of these tests.
#[test]
fn no_recorded_answer_is_left_out() {
    let this = include_str!("recorded.rs");
    for folder in ["answers-1.1-libre", "answers-1.2-edfi"] {
        for file in std::fs::read_dir(fixtures().join(folder)).expect("fixtures") {
            let name = file.expect("a file").file_name().to_string_lossy().into_owned();
            let name = name.strip_suffix(".http").expect("an answer");
            assert!(this.contains(name), "{folder}/{name}");
        }
    }
}
