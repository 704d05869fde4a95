//! Pages as servers give them, and what befalls them.

use std::time::Duration;

use super::*;
use crate::fake::Delivery;

/// Whatever a system does differently, the roster is the same.
#[tokio::test]
async fn every_quirk_comes_to_the_same_roster() {
    let sets: [&[Quirk]; 12] = [
        &[Quirk::Uncounted],
        &[
            Quirk::NextBeyondTheEnd,
            Quirk::Numbers,
            Quirk::NoContent,
            Quirk::SortInPage,
        ],
        &[Quirk::NextElsewhere],
        &[Quirk::Nothings],
        &[Quirk::StatusBeside],
        &[Quirk::FilterIgnored],
        &[Quirk::FilterToNothing],
        &[Quirk::FilterRefused],
        &[Quirk::FieldsBeforeFilter],
        &[Quirk::FieldsIgnored, Quirk::Uncounted],
        &[Quirk::SortRefused, Quirk::Uncounted],
        &[Quirk::FormOnly, Quirk::ScopeNeeded],
    ];
    for version in VERSIONS {
        let usual = run(school(version)).await.whole().await;
        for quirks in sets {
            for page_cap in [None, Some(1), Some(2)] {
                let mut system = school(version);
                system.quirks = quirks.iter().copied().collect();
                system.page_cap = page_cap;
                let odd = run(system).await.whole().await;
                let roster = |brought: &Brought| Roster {
                    counts: crate::roster::Counts::default(),
                    ..brought.roster.clone()
                };
                assert_eq!(roster(&odd), roster(&usual), "{version:?} {quirks:?} {page_cap:?}");
                assert!(odd.finished.complete, "{version:?} {quirks:?} {page_cap:?}");
            }
        }
    }
}

/// A page that is shorter than asked is no end, wherever it comes.
#[tokio::test]
async fn a_short_page_is_no_end() {
    for k in 1..=2 {
        let running = run(school(Version::V1_2)).await;
        running.fake.plan(Plan::at("users", k, Instead::Short));
        assert_eq!(running.whole().await.pupils(), ["canary-1", "canary-2", "canary-3"]);
    }
}

/// A total that is wrong ends nothing and loses nothing; a second look says that nobody is missing.
#[tokio::test]
async fn a_wrong_total_is_told_and_not_believed() {
    for miscounts in [-3, 5] {
        let mut system = school(Version::V1_2);
        system.miscounts = miscounts;
        let running = run(system).await;
        let brought = running.whole().await;
        assert_eq!(brought.pupils(), ["canary-1", "canary-2", "canary-3"]);
        assert!(brought.finished.complete);
        let told = format!("oneroster.wrong_total users {}", miscounts.abs());
        assert!(brought.gaps.contains(&told), "{:?}", brought.gaps);
    }
}

/// A record that goes away while pages are turned moves another one out of sight: nobody has left for that.
#[tokio::test]
async fn a_list_that_moves_while_it_is_read_is_not_complete() {
    for quirks in [vec![], vec![Quirk::Uncounted]] {
        let mut system = school(Version::V1_2);
        system.quirks = quirks.iter().copied().collect();
        let running = run(system).await;
        // Behind the first page, of three; so that the next begins one too far.
        running.fake.plan(Plan::at(
            "users",
            2,
            Instead::change(|system| system.remove("users", "canary-1")),
        ));
        let brought = running.whole().await;
        assert!(
            !brought.finished.complete && !brought.roster.complete.pupils,
            "{quirks:?}"
        );
        assert!(
            brought
                .gaps
                .contains(&"oneroster.changed_while_read users 1".to_owned()),
            "{quirks:?} {:?}",
            brought.gaps
        );
        // In the next read everything stands still.
        running.fake.heal();
        let again = running.whole().await;
        assert_eq!(again.pupils(), ["canary-2", "canary-3"]);
        assert!(again.finished.complete);
    }
}

/// One that comes in between moves another one onto the next page: it is there twice, and once in the roster.
#[tokio::test]
async fn a_record_on_two_pages_is_one_record() {
    for instead in [
        Instead::Again,
        Instead::change(|system| system.put_pupil(&pupil("0"), "s1", None)),
    ] {
        let running = run(school(Version::V1_2)).await;
        running.fake.plan(Plan::at("users", 2, instead));
        let brought = running.whole().await;
        let mut pupils = brought.pupils();
        pupils.retain(|pupil| *pupil != "canary-0");
        assert_eq!(pupils, ["canary-1", "canary-2", "canary-3"]);
        assert_eq!((brought.roster.counts.teachers, brought.roster.counts.parents), (1, 1));
        assert_eq!(brought.roster.memberships.len(), 3);
    }
}

#[tokio::test]
async fn a_source_that_does_not_look_at_the_offset_is_no_source() {
    let running = run(school(Version::V1_2)).await;
    let page = r#"{"classes":[{"sourcedId":"c1","title":"x","school":{"sourcedId":"s1"}}]}"#;
    running.fake.plan(Plan::always("classes", Instead::Body(page.into())));
    let broken = Fault::Broken {
        stream: "classes",
        record: 2,
        rule: "paging.no_progress",
    };
    assert_eq!(running.fault().await, broken);
}

/// A link is never followed, so that nothing is asked anywhere else (R19).
#[tokio::test]
async fn no_link_leads_elsewhere() {
    let mut system = school(Version::V1_2);
    system.quirks = [Quirk::NextElsewhere].into();
    let running = run(system).await;
    running.whole().await;
    let calls = running.fake.calls();
    let offsets: Vec<&str> = calls
        .iter()
        .filter(|call| call.starts_with("users?"))
        .filter_map(|call| call.split('&').find(|part| part.starts_with("offset=")))
        .collect();
    assert_eq!(offsets, ["offset=0", "offset=3", "offset=6"], "by what was received");
    assert!(calls.iter().all(|call| call == "token" || !call.contains("169.254")));
}

/// A token that is taken back in the middle is asked for anew, once.
#[tokio::test]
async fn a_token_that_ends_in_the_middle_is_renewed() {
    let usual = run(school(Version::V1_1)).await.whole().await;
    let running = run(school(Version::V1_1)).await;
    for (list, k) in [("orgs", 1), ("users", 2), ("enrollments", 1)] {
        running.fake.plan(Plan::at(list, k, Instead::Expired));
    }
    assert_eq!(running.whole().await.roster, usual.roster);
    let tokens = running.lists().iter().filter(|call| *call == "token").count();
    assert_eq!(tokens, 4);
    running.fake.heal();
    running.fake.plan(Plan::always("users", Instead::Expired));
    assert_eq!(Kind::of(&running.fault().await), Kind::Refused);
}

#[tokio::test]
async fn what_befalls_a_page_ends_the_read_and_loses_nothing() {
    let cases = [
        (Instead::Status(500), Kind::Transient),
        (Instead::Status(503), Kind::Transient),
        (Instead::Status(403), Kind::Refused),
        (Instead::Status(404), Kind::Config),
        (Instead::Status(400), Kind::Config),
        (Instead::Status(418), Kind::Broken),
        (Instead::Status(302), Kind::Config),
        (Instead::Delivered(Delivery::Endless), Kind::Broken),
        (Instead::Delivered(Delivery::Cut(5)), Kind::Transient),
        (Instead::Delivered(Delivery::Stall(5)), Kind::Transient),
        // A length that lies: too long, too short, beyond all measure.
        (Instead::Delivered(Delivery::Announced(1_000_000)), Kind::Transient),
        (Instead::Delivered(Delivery::Announced(5)), Kind::Broken),
        (Instead::Delivered(Delivery::Announced(1 << 50)), Kind::Broken),
        (Instead::Body("{\"users\":{}}".into()), Kind::Broken),
        (Instead::Body("[]".into()), Kind::Broken),
        (Instead::Body("".into()), Kind::Broken),
        (Instead::Body("{\"error\":\"canary\"}".into()), Kind::Broken),
        (Instead::Body("{\"users\":[7]}".into()), Kind::Broken),
    ];
    for (instead, kind) in cases {
        for k in 1..=3 {
            let running = run(school(Version::V1_2)).await;
            let plan = Plan {
                times: u64::MAX,
                ..Plan::at("users", k, instead.clone())
            };
            running.fake.plan(plan);
            let fault = running.fault().await;
            assert_eq!(Kind::of(&fault), kind, "{instead:?} at page {k}: {fault}");
            assert!(!format!("{fault} {fault:?}").contains("canary"), "{fault}");
        }
    }
    // One that comes in crumbs is whole in the end.
    let running = run(school(Version::V1_2)).await;
    let crumbs = Delivery::Slow(16, Duration::from_millis(1));
    running.fake.plan(Plan::at("users", 1, Instead::Delivered(crumbs)));
    assert_eq!(running.whole().await.pupils().len(), 3);
}

/// Deep, doubled, beyond numbers, half letters, without end (R54): the record is named, its content is not.
#[tokio::test]
async fn hostile_json_breaks_the_read_and_nothing_else() {
    let record = |text: &str| format!("{{\"users\":[{{\"sourcedId\":\"a\"}},{text}]}}");
    let cases = [
        (2, "json.depth", record(&"[".repeat(10_000))),
        (
            2,
            "json.depth",
            record(&format!("{{\"metadata\":{}", "{\"a\":".repeat(10_000))),
        ),
        (2, "json.syntax", record("{\"sourcedId\":1e400}")),
        (2, "json.syntax", record("{\"sourcedId\":\"\\ud800\"}")),
        (2, "json.type", record("\"canary\"")),
        (2, "json.type", record("null")),
        (
            2,
            "json.duplicate_key",
            record("{\"sourcedId\":\"b\",\"sourcedId\":\"c\"}"),
        ),
        (
            2,
            "json.duplicate_key",
            record("{\"sourcedId\":\"b\",\"metadata\":{\"a\":1,\"a\":2}}"),
        ),
        (
            2,
            "json.record_too_large",
            record(&format!("{{\"sourcedId\":\"{}\"}}", "x".repeat(2_000_000))),
        ),
        (2, "json.type", {
            let fields: Vec<String> = (0..1_000).map(|at| format!("\"f{at}\":1")).collect();
            record(&format!(
                "{{\"sourcedId\":\"b\",\"metadata\":{{{}}}}}",
                fields.join(",")
            ))
        }),
        (0, "json.duplicate_key", "{\"users\":[],\"users\":[]}".to_owned()),
    ];
    for (at, expected, body) in cases {
        let running = run(school(Version::V1_2)).await;
        running.fake.plan(Plan::always("users", Instead::Body(body.into())));
        match running.fault().await {
            Fault::Broken { stream, record, rule } => assert_eq!((stream, record, rule), ("users", at, expected)),
            other => panic!("{expected}: {other}"),
        }
    }
}
