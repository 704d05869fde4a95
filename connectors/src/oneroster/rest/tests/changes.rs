//! Reads that follow on another: only what has changed, and everything once a day.

use chrono::TimeDelta;

use super::*;
use crate::roster::Status;

/// As the next read is asked for, so much later.
fn next(brought: &Brought, later: TimeDelta) -> Ask {
    Ask {
        state: brought.finished.state.clone(),
        now: now() + later,
        ..ask()
    }
}

const MINUTE: TimeDelta = TimeDelta::minutes(1);

async fn begun() -> (Running, Brought) {
    let running = run(school(Version::V1_2)).await;
    let brought = running.whole().await;
    running.fake.calls();
    running.fake.change(|system| system.now += MINUTE);
    (running, brought)
}

#[tokio::test]
async fn a_source_that_filters_is_asked_for_changes() {
    let (running, first) = begun().await;
    assert_eq!(
        first.finished.state.0,
        json!({
            "since": "2026-11-20T11:00:00Z", "whole": "2026-11-20T11:00:00Z",
            "can": {"filter": true, "sort": true, "fields": true},
        })
    );
    let second = running.read(&next(&first, MINUTE)).await;
    assert!(!second.finished.complete, "who is not said is not gone");
    assert_eq!(
        second.roster.complete,
        Complete {
            pupils: false,
            classes: true,
            memberships: false
        }
    );
    assert_eq!((second.pupils().len(), second.roster.memberships.len()), (0, 0));
    let calls = running.fake.calls();
    let of = |list: &str| {
        calls
            .iter()
            .filter(|call| call.starts_with(list))
            .cloned()
            .collect::<Vec<_>>()
    };
    let question = "limit=3&offset=0&sort=sourcedId&orderBy=asc&filter=dateLastModified>='2026-11-20T10:45:00.000Z'";
    assert_eq!(of("users"), [format!("users?{question}")], "from a while before");
    assert_eq!(of("enrollments"), [format!("enrollments?{question}")]);
    assert_eq!(of("demographics"), [format!("demographics?{question}")]);
    assert_eq!(
        calls.iter().filter(|call| call.contains("2999")).count(),
        0,
        "what it can do is known"
    );
    assert_eq!(second.finished.state.0["since"], json!("2026-11-20T11:01:00Z"));
}

#[tokio::test]
async fn a_change_comes_alone_unless_contacts_stand_with_others() {
    let (running, first) = begun().await;
    running.fake.change(|system| {
        system.leaves("e2", day("2026-11-21"));
        system.delete("enrollments", "e3");
        system.put(
            "demographics",
            json!({"sourcedId": "canary-3", "birthDate": "2011-03-06"}),
        );
        system.edit("users", "canary-t", |record| {
            drop(record.insert("givenName".to_owned(), json!("x")));
        });
    });
    let second = running.read(&next(&first, MINUTE)).await;
    let memberships: Vec<_> = second
        .roster
        .memberships
        .iter()
        .map(|one| (one.source_key.as_str(), one.ends, one.status))
        .collect();
    assert_eq!(
        memberships,
        [
            ("e2", Some(day("2026-11-21")), Status::Active),
            ("e3", None, Status::Gone)
        ]
    );
    let born = &second.roster.pupils[0];
    assert_eq!(
        (second.pupils(), born.birth_date),
        (vec!["canary-3"], Some(day("2011-03-06")))
    );
    assert!(born.only_if_known && born.says.birth && !born.says.person && !born.says.schools);
    assert_eq!(
        running.lists().iter().filter(|list| *list == "users").count(),
        2,
        "a teacher is nobody's contact"
    );
    // A mother has another number: her child is said anew, with her.
    running.fake.change(|system| {
        system.now += MINUTE;
        system.edit("users", "canary-m", |record| {
            drop(record.insert("phone".to_owned(), json!("0470000002")));
        });
    });
    let third = running.read(&next(&second, MINUTE * 2)).await;
    assert_eq!(third.pupils(), ["canary-1", "canary-2", "canary-3"]);
    assert_eq!(third.roster.pupils[0].contacts[0].phone.as_deref(), Some("0470000002"));
    assert!(third.roster.complete.pupils && !third.finished.complete);
    // A pupil has: what a parent's own record says of him comes with him.
    running.fake.change(|system| {
        system.now += MINUTE;
        system.edit("users", "canary-1", |record| {
            drop(record.insert("phone".to_owned(), json!("016000002")));
        });
    });
    let fourth = running.read(&next(&third, MINUTE * 3)).await;
    let one = &fourth.roster.pupils[0];
    assert_eq!((one.phone.as_deref(), one.contacts.len()), (Some("016000002"), 1));
}

#[tokio::test]
async fn who_is_taken_away_is_said_and_who_vanishes_is_missing_from_the_next_whole_read() {
    let (running, first) = begun().await;
    running.fake.change(|system| {
        system.delete("users", "canary-2");
        system.edit("users", "canary-2", |record| {
            drop(record.insert(
                "roles".to_owned(),
                json!([
                    {"roleType": "primary", "role": "student", "org": {"sourcedId": "s9"}},
                ]),
            ));
        });
    });
    let second = running.read(&next(&first, MINUTE)).await;
    let gone: Vec<_> = second
        .roster
        .pupils
        .iter()
        .filter(|one| one.status == Status::Gone)
        .map(|one| (one.source_key.as_str(), one.only_if_known))
        .collect();
    assert_eq!(gone, [("canary-2", true)], "his school is not the source's any more");
    // An hour later that is no news any more.
    running.fake.change(|system| system.now += TimeDelta::hours(1));
    let second = running.read(&next(&second, TimeDelta::hours(1))).await;
    running.fake.change(|system| {
        for (list, key) in [
            ("users", "canary-3"),
            ("demographics", "canary-3"),
            ("enrollments", "e3"),
        ] {
            system.remove(list, key);
        }
    });
    let third = running.read(&next(&second, TimeDelta::hours(19))).await;
    assert_eq!(
        third.pupils(),
        [""; 0],
        "nothing has changed, as far as the source says"
    );
    for ask in [
        next(&third, TimeDelta::hours(20)),
        Ask {
            full: true,
            ..next(&third, MINUTE)
        },
        // A clock that was put back.
        next(&third, -MINUTE),
    ] {
        let whole = running.read(&ask).await;
        assert!(whole.finished.complete && whole.roster.complete.pupils);
        assert!(!whole.pupils().contains(&"canary-3"));
    }
}

/// Clocks differ by ten minutes, either way; a change at the border, and one while pages are turned (R42).
#[tokio::test]
async fn clocks_that_differ_lose_no_change() {
    // The other clock may be the one that answers too, or stand behind a machine that has the hub's.
    let clocks = [-10, 0, 10].map(|skew| [(skew, None), (skew, Some(now()))]);
    for (skew, date) in clocks.into_iter().flatten() {
        let mut system = school(Version::V1_2);
        system.date = date;
        system.now = now() + MINUTE * skew;
        let running = run(system).await;
        // While the users are read, on the page that is read already.
        let changed = Instead::change(|system| {
            system.edit("enrollments", "e1", |record| {
                drop(record.insert("endDate".to_owned(), json!("2026-11-30")));
            });
        });
        running.fake.plan(Plan::at("enrollments", 2, changed));
        let first = running.whole().await;
        running.fake.heal();
        let second = running.read(&next(&first, MINUTE)).await;
        let ends: Vec<_> = second.roster.memberships.iter().map(|one| one.ends).collect();
        assert_eq!(ends, [Some(day("2026-11-30"))], "{skew} minutes");
        running.fake.change(|system| {
            system.now = now() + MINUTE * (skew + 1);
            system.leaves("e2", day("2026-12-01"));
        });
        let third = running.read(&next(&second, MINUTE * 2)).await;
        assert!(
            third
                .roster
                .memberships
                .iter()
                .any(|one| one.ends == Some(day("2026-12-01"))),
            "{skew} minutes"
        );
    }
}

/// A filter that is not kept is found out, and everything is read each time.
#[tokio::test]
async fn a_filter_that_is_not_kept_is_not_used() {
    for quirk in [Quirk::FilterIgnored, Quirk::FilterToNothing, Quirk::FilterRefused] {
        let mut system = school(Version::V1_1);
        system.quirks = [quirk].into();
        let running = run(system).await;
        let first = running.whole().await;
        assert_eq!(first.finished.state, State::default(), "{quirk:?}");
        running.fake.change(|system| system.remove("users", "canary-3"));
        let second = running.read(&next(&first, MINUTE)).await;
        assert!(second.finished.complete, "{quirk:?}");
        assert_eq!(second.pupils(), ["canary-1", "canary-2"], "{quirk:?}");
    }
    // So is one without a moment of change to filter by.
    let mut system = school(Version::V1_1);
    system.load(
        "enrollments",
        json!({"sourcedId": "e5", "role": "teacher", "status": "active"}),
    );
    assert_eq!(run(system).await.whole().await.finished.state, State::default());
}

/// A source that kept a filter yesterday and does not today is read whole at once.
#[tokio::test]
async fn a_filter_that_is_not_kept_any_more_costs_no_change() {
    let (running, first) = begun().await;
    running.fake.change(|system| {
        system.quirks = [Quirk::FilterRefused].into();
        system.leaves("e1", day("2026-11-30"));
    });
    let second = running.read(&next(&first, MINUTE)).await;
    assert!(second.finished.complete);
    assert_eq!(second.roster.memberships[0].ends, Some(day("2026-11-30")));
    assert_eq!(second.finished.state, State::default());
}

/// What moved while it was read is asked for again.
#[tokio::test]
async fn changes_that_move_while_they_are_read_are_asked_for_again() {
    let (running, first) = begun().await;
    running.fake.change(|system| {
        system.page_cap = Some(1);
        system.leaves("e1", day("2026-11-30"));
        system.leaves("e2", day("2026-11-30"));
        system.leaves("e3", day("2026-11-30"));
    });
    let vanishes = Instead::change(|system| system.remove("enrollments", "e1"));
    running.fake.plan(Plan::at("enrollments", 2, vanishes));
    let second = running.read(&next(&first, MINUTE)).await;
    let ended = |brought: &Brought| {
        brought
            .roster
            .memberships
            .iter()
            .map(|one| one.source_key.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ended(&second), ["e1", "e3"]);
    assert_eq!(
        second.finished.state.0["since"],
        json!("2026-11-20T11:00:00Z"),
        "it stays where it was"
    );
    running.fake.heal();
    let third = running.read(&next(&second, MINUTE * 30)).await;
    assert_eq!(ended(&third), ["e2", "e3"]);
}
