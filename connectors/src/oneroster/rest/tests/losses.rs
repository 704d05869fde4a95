//! What cannot be read is a loss, told by its rule; and whatever it may have been is not taken to be gone.

use serde_json::Map;

use super::*;

type Change = fn(&mut Map<String, serde_json::Value>);

/// What a read says when one record was changed so: the gap, and what is complete.
async fn changed(list: &str, key: &str, change: Change) -> (Vec<String>, bool, Roster) {
    let mut system = school(Version::V1_2);
    system.edit("demographics", "canary-2", |record| drop(record.remove("sex")));
    system.edit(list, key, change);
    let brought = run(system).await.whole().await;
    (brought.gaps, brought.finished.complete, brought.roster)
}

fn set(record: &mut Map<String, serde_json::Value>, name: &str, value: serde_json::Value) {
    record.insert(name.to_owned(), value);
}

/// Records that mean nothing, or nothing without a guess.
const USELESS: [(&str, &str, Change, &str); 16] = [
    (
        "users",
        "canary-2",
        |r| drop(r.remove("familyName")),
        "oneroster.missing_field users.familyName 1",
    ),
    (
        "users",
        "canary-2",
        |r| set(r, "familyName", json!(["x"])),
        "oneroster.wrong_type users.familyName 1",
    ),
    (
        "users",
        "canary-2",
        |r| drop(r.remove("sourcedId")),
        "oneroster.missing_field users.sourcedId 1",
    ),
    (
        "users",
        "canary-2",
        |r| set(r, "sourcedId", json!("a b")),
        "oneroster.key users.sourcedId 1",
    ),
    (
        "users",
        "canary-2",
        |r| set(r, "status", json!("inactive")),
        "oneroster.status users.status 1",
    ),
    (
        "users",
        "canary-2",
        |r| drop(r.remove("roles")),
        "oneroster.user_without_role users 1",
    ),
    (
        "users",
        "canary-2",
        |r| set(r, "roles", json!([{"roleType": "primary", "role": "student"}])),
        "oneroster.user_without_school users 1",
    ),
    (
        "classes",
        "c2",
        |r| drop(r.remove("school")),
        "oneroster.missing_field classes.school 1",
    ),
    (
        "classes",
        "c2",
        |r| {
            r.remove("title");
            r.remove("classCode");
        },
        "oneroster.missing_field classes.title 1",
    ),
    (
        "orgs",
        "s2",
        |r| set(r, "status", json!("x")),
        "oneroster.status orgs.status 1",
    ),
    (
        "enrollments",
        "e2",
        |r| drop(r.remove("class")),
        "oneroster.missing_field enrollments.class 1",
    ),
    (
        "enrollments",
        "e2",
        |r| set(r, "user", json!("canary-2")),
        "oneroster.wrong_type enrollments.user 1",
    ),
    (
        "enrollments",
        "e2",
        |r| drop(r.remove("school")),
        "oneroster.missing_field enrollments.school 1",
    ),
    (
        "enrollments",
        "e2",
        |r| drop(r.remove("role")),
        "oneroster.missing_field enrollments.role 1",
    ),
    (
        "enrollments",
        "e2",
        |r| set(r, "endDate", json!("31-12-2026")),
        "oneroster.date enrollments.endDate 1",
    ),
    (
        "enrollments",
        "e2",
        |r| set(r, "endDate", json!("2026-08-31")),
        "oneroster.end_before_begin enrollments.endDate 1",
    ),
];

#[tokio::test]
async fn a_record_that_cannot_be_used_makes_a_roster_incomplete() {
    for (list, key, change, gap) in USELESS {
        let (gaps, complete, _) = changed(list, key, change).await;
        assert!(gaps.contains(&gap.to_owned()), "{gap}: {gaps:?}");
        assert!(!complete, "{gap}");
    }
}

#[tokio::test]
async fn a_school_without_pupils_is_one_and_is_told() {
    let mut system = school(Version::V1_2);
    for key in ["canary-1", "canary-2", "canary-3"] {
        system.remove("users", key);
    }
    let brought = run(system).await.whole().await;
    assert!(
        brought.finished.complete,
        "whether they have left is for a person to say"
    );
    assert!(
        brought
            .gaps
            .contains(&"oneroster.school_without_pupils users 1".to_owned())
    );
}

#[tokio::test]
async fn a_field_that_cannot_be_read_is_lost_alone() {
    let cases: [(&str, &str, Change, &str); 8] = [
        (
            "users",
            "canary-2",
            |r| set(r, "phone", json!({"a": 1})),
            "oneroster.wrong_type users.phone 1",
        ),
        (
            "users",
            "canary-2",
            |r| set(r, "metadata", json!({"street": ["x"]})),
            "oneroster.wrong_type users.metadata 1",
        ),
        (
            "users",
            "canary-2",
            |r| {
                let role = json!({"role": "student", "org": {"sourcedId": "s1"}, "beginDate": "x"});
                set(r, "roles", json!([role]));
            },
            "oneroster.date users.roles 1",
        ),
        (
            "demographics",
            "canary-2",
            |r| set(r, "birthDate", json!("5/3/2011")),
            "oneroster.date demographics.birthDate 1",
        ),
        (
            "demographics",
            "canary-2",
            |r| set(r, "sex", json!("v")),
            "oneroster.sex demographics.sex 1",
        ),
        (
            "academicSessions",
            "y",
            |r| set(r, "schoolYear", json!("26-27")),
            "oneroster.year academicSessions.schoolYear 1",
        ),
        (
            "enrollments",
            "e2",
            |r| set(r, "user", json!({"sourcedId": "canary-9"})),
            "oneroster.enrollment_without_pupil enrollments.user 1",
        ),
        (
            "enrollments",
            "e2",
            |r| set(r, "class", json!({"sourcedId": "c9"})),
            "oneroster.enrollment_without_class enrollments.class 1",
        ),
    ];
    for (list, key, change, gap) in cases {
        let (gaps, complete, roster) = changed(list, key, change).await;
        assert_eq!(gaps, [gap]);
        assert!(complete, "{gap}");
        assert_eq!(roster.pupils.len(), 3, "{gap}");
        let two = &roster.pupils[1];
        assert_eq!(
            two.says.birth,
            !gap.contains("birthDate"),
            "what was known of a birth stays"
        );
    }
}

/// Numbers and booleans as they are, a time behind a date, words whatever their case, a title that is only a code.
#[tokio::test]
async fn what_can_be_read_without_doubt_is_read() {
    let mut system = school(Version::V1_2);
    system.edit("users", "canary-1", |record| {
        set(record, "identifier", json!(771));
        set(record, "status", json!("Active"));
        set(record, "enabledUser", json!(false));
    });
    system.edit("demographics", "canary-1", |record| {
        set(record, "birthDate", json!("2011-03-05T00:00:00.000Z"));
        set(record, "sex", json!("Female"));
    });
    system.edit("classes", "c1", |record| set(record, "title", json!("  ")));
    system.edit("enrollments", "e1", |record| {
        set(record, "role", json!("Student"));
        set(record, "primary", json!(0));
    });
    system.edit("demographics", "canary-2", |record| drop(record.remove("sex")));
    let odd = run(system).await.whole().await;
    let mut usual = run(school(Version::V1_2)).await.whole().await;
    usual.roster.report = odd.roster.report.clone();
    assert_eq!(odd.roster.pupils[0], usual.roster.pupils[0]);
    assert_eq!(odd.roster.classes, usual.roster.classes);
    assert_eq!(odd.roster.memberships, usual.roster.memberships);
    assert_eq!(odd.gaps, [""; 0]);
}

/// A key twice on one page names two records, of which one is lost.
#[tokio::test]
async fn a_key_that_is_there_twice_is_a_loss() {
    let running = run(school(Version::V1_2)).await;
    let class = r#"{"sourcedId":"c1","title":"x","school":{"sourcedId":"s1"}}"#;
    let page = format!("{{\"classes\":[{class},{class}]}}");
    running.fake.plan(Plan::at("classes", 1, Instead::Body(page.into())));
    let brought = running.whole().await;
    assert!(
        brought
            .gaps
            .contains(&"oneroster.duplicate_key classes.sourcedId 1".to_owned()),
        "{:?}",
        brought.gaps
    );
}

/// Dates of birth are a right of their own (standards §1.3), and some have none.
#[tokio::test]
async fn without_demographics_there_are_pupils_without_a_date_of_birth() {
    let mut refused = school(Version::V1_2);
    refused.scopes.remove("roster-demographics.readonly");
    let mut none = school(Version::V1_1);
    none.quirks = [Quirk::NoDemographics].into();
    for system in [refused, none] {
        let brought = run(system).await.whole().await;
        assert_eq!(brought.gaps, ["oneroster.no_demographics demographics 1"]);
        assert!(brought.finished.complete);
        assert!(
            brought
                .roster
                .pupils
                .iter()
                .all(|pupil| pupil.birth_date.is_none() && !pupil.says.birth)
        );
    }
    // But not when they end in the middle.
    let running = run(school(Version::V1_2)).await;
    running.fake.plan(Plan {
        times: u64::MAX,
        ..Plan::at("demographics", 2, Instead::Status(403))
    });
    assert_eq!(Kind::of(&running.fault().await), Kind::Refused);
    let mut core = school(Version::V1_2);
    core.scopes.remove("roster-core.readonly");
    assert_eq!(Kind::of(&run(core).await.fault().await), Kind::Refused);
}
