//! Several schools at one tenant: each gets its own, and nothing of the others.

use super::*;

/// The school, and another one at the same tenant.
pub(super) fn shared() -> Platform {
    let mut platform = school();
    platform.add_class("1A", OTHER);
    platform.add_pupil(pupil("200001", "ander"), "1A", day("2026-09-01"));
    platform
}

#[tokio::test]
async fn of_several_schools_only_the_asked_one_is_read() {
    let running = run(shared()).await;
    running.fake.change(|platform| {
        platform.mark("canary.ander", half("2026-11-16", Part::Am), "B");
        platform.mark("canary.een", half("2026-11-16", Part::Am), "B");
    });
    let (complete, roster, _) = running.roster().await;
    assert!(complete);
    assert!(roster.pupils.iter().all(|pupil| pupil.source_key != "200001"));
    assert!(roster.classes.iter().all(|class| class.source_key != "1A"));
    let (_, taken) = running.read(&ask(Stream::Absences)).await;
    let pupils: std::collections::BTreeSet<&str> = taken.absences.iter().map(|(pupil, ..)| pupil.as_str()).collect();
    assert_eq!(pupils, ["119940", "119975", "120004"].into());
    assert_eq!(taken.gaps, []);
    let other = Ask {
        school: OTHER.to_owned(),
        ..ask(Stream::Absences)
    };
    let (_, taken) = running.read(&other).await;
    assert!(
        taken.absences.iter().all(|(pupil, ..)| pupil == "200001"),
        "and the other its own"
    );
    assert_eq!(said(&taken)["200001 2026-11-16 Am"], "B");
    let discovery = running.connector.discover().await.expect("it can be looked at");
    assert_eq!(discovery.schools, [SCHOOL, OTHER]);
}

#[tokio::test]
async fn who_has_left_one_of_several_schools_is_found_by_the_career() {
    let running = run(shared()).await;
    running.fake.change(|platform| {
        platform.mark("canary.twee", half("2026-11-16", Part::Am), "B");
        platform.moves("canary.twee", None, day("2026-11-18"));
        platform.add_pupil(pupil("200002", "weg"), "1A", day("2026-09-01"));
        platform.mark("canary.weg", half("2026-11-16", Part::Am), "B");
        platform.moves("canary.weg", None, day("2026-11-18"));
        // Nobody can be asked about a deleted account.
        platform.add_pupil(pupil("200003", "gewist"), "3LAT", day("2026-09-01"));
        platform.delete("canary.gewist", "20261119_120000");
    });
    let (_, taken) = running.read(&ask(Stream::Absences)).await;
    let said = said(&taken);
    assert_eq!(said["119975 2026-11-16 Am"], "B", "it was this school's pupil then");
    assert!(!said.contains_key("119975 2026-11-18 Am"));
    assert!(said.keys().all(|row| !row.starts_with("2000")), "{said:?}");
    // Of who left the other school two days, of the deleted one five.
    let gaps: Vec<_> = taken.gaps.iter().map(|gap| (gap.rule, gap.records)).collect();
    assert_eq!(gaps, [("smartschool.absence_of_unknown_pupil", 2 + 5)]);
    let careers = running
        .fake
        .calls()
        .iter()
        .filter(|call| *call == "getStudentCareer")
        .count();
    assert_eq!(careers, 3, "each is asked about once");
}

#[tokio::test]
async fn whose_half_days_they_are_is_remembered_for_an_hour() {
    let running = run(shared()).await;
    let calls = || {
        running
            .fake
            .calls()
            .iter()
            .filter(|call| *call == "getAllGroupsAndClasses")
            .count()
    };
    let first = ask(Stream::Absences);
    running.read(&first).await;
    assert_eq!(calls(), 1);
    let soon = Ask {
        now: now() + TimeDelta::minutes(59),
        ..first.clone()
    };
    running
        .fake
        .change(|platform| platform.add_pupil(pupil("120005", "nieuw"), "3LAT", day("2026-11-20")));
    let (_, taken) = running.read(&soon).await;
    assert_eq!((calls(), taken.gaps.len()), (0, 0));
    // A pupil who came since then is found by the career all the same.
    assert_eq!(said(&taken)["120005 2026-11-20 Am"], "|");
    let later = Ask {
        now: now() + TimeDelta::minutes(61),
        ..first.clone()
    };
    running.read(&later).await;
    assert_eq!(calls(), 1);
    let full = Ask { full: true, ..later };
    running.read(&full).await;
    assert_eq!(calls(), 1, "and whenever everything is asked for");
}

#[tokio::test]
async fn a_school_that_the_tenant_does_not_have_is_a_setting_to_change() {
    let running = run(school()).await;
    for school in ["999999", "", "nummer"] {
        let asked = Ask {
            school: school.to_owned(),
            ..ask(Stream::Roster)
        };
        assert_eq!(Kind::of(&running.fault(&asked).await), Kind::Config, "{school}");
        let asked = Ask {
            stream: Stream::Absences,
            ..asked
        };
        assert_eq!(Kind::of(&running.fault(&asked).await), Kind::Config, "{school}");
    }
    let mut bare = school();
    for class in &mut bare.classes {
        class.school = String::new();
    }
    let fault = run(bare.clone()).await.fault(&ask(Stream::Roster)).await;
    assert_eq!(
        fault,
        Fault::Config("no official class of the tenant carries an institution number")
    );
    // Unless the connection says that the tenant is of this school alone.
    let alone = run_with(bare, |settings| settings.single_school = true).await;
    let (complete, roster, _) = alone.roster().await;
    assert_eq!((complete, roster.pupils.len()), (true, 3));
    alone.fake.calls();
    alone.read(&ask(Stream::Absences)).await;
    assert!(
        !alone.fake.calls().contains(&"getAllGroupsAndClasses".to_owned()),
        "then no class need be read"
    );
}
