//! Pupils whom no number ties: a person makes two of them one, and two again, and nothing is lost or doubled by it (design
//! §3, issue 3 point 5).

use clb_hub::store::ledger::Judge;
use clb_hub::store::tie::{NewTie, Tied, Undo, tie, untie};
use futures::future::{join, join3};
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::id::{Ids as _, MergeId, PupilId, RecordId};
use hub_entities::operation::{Actor, Role};
use hub_entities::policy::{Action, Scope};
use hub_entities::time::{HalfDay, Part, SchoolYear};
use serde_json::{Value, json};

use crate::support::database::{Backend, TestDatabase, both_databases};
use crate::support::door::Hub;
use crate::support::look::{everything, list, number, standing, totals};
use crate::support::region::sync;
use crate::support::world::{School, World, born, day};

const NOW: &str = "2026-10-01T10:00:00Z";
const B: Reading = Reading::Absent(Code::B);

/// The first half-days with lessons of the school year.
fn half_days(count: usize) -> Vec<HalfDay> {
    use chrono::{Datelike as _, Weekday};
    let days = day("2026-09-01").iter_days();
    let open = days.filter(|day| !matches!(day.weekday(), Weekday::Sat | Weekday::Sun));
    let halves = open.flat_map(|day| [HalfDay::new(day, Part::Am), HalfDay::new(day, Part::Pm)]);
    let lessons = halves.filter(|at| at.day.weekday() != Weekday::Wed || at.part == Part::Am);
    lessons.take(count).collect()
}

fn all_b(record: RecordId, of: &[HalfDay]) -> Vec<(RecordId, HalfDay, Reading)> {
    of.iter().map(|at| (record, *at, B)).collect()
}

/// A school, its data manager, and many pupils of it.
struct Scene {
    world: World,
    school: School,
    scope: Scope,
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        let world = World::new(database, NOW).await;
        let clb = world.clb("114711").await;
        let school = world.school("123456", clb, Categories::all()).await;
        let manager = world.someone(Role::SchoolDataManager, Some(school.id), None).await;
        let scope = world.decided(manager, Action::TiePupils).await;
        Self { world, school, scope }
    }

    async fn pupils<const N: usize>(&self, keys: [&str; N]) -> [(RecordId, PupilId); N] {
        let said = keys.map(|key| (key, born("2012-05-01")));
        let found = self.world.pupils(self.school, &said).await;
        found.try_into().unwrap()
    }

    fn judge(&self) -> Judge<'_> {
        Judge {
            book: &self.world.book,
            ids: &*self.world.ids,
            now: self.world.now,
        }
    }

    async fn tie(&self, from: PupilId, into: PupilId) -> Tied {
        let new = NewTie {
            id: MergeId(self.world.ids.next(self.world.now)),
            from,
            into,
            reason: "the same child".to_owned(),
        };
        tie(&self.world.db, &self.scope, &self.judge(), new).await.unwrap()
    }

    /// Ties two that can be; its id.
    async fn tied(&self, from: PupilId, into: PupilId) -> MergeId {
        match self.tie(from, into).await {
            Tied::Done(made) => made.id,
            other => panic!("{other:?}"),
        }
    }

    async fn untie(&self, merge: MergeId) -> Tied {
        let undo = Undo {
            merge,
            version: 1,
            reason: "another child".to_owned(),
        };
        untie(&self.world.db, &self.scope, &self.judge(), undo).await.unwrap()
    }

    async fn is_apart(&self, merge: MergeId) {
        let undone = self.untie(merge).await;
        assert!(matches!(&undone, Tied::Done(made) if made.version == 2), "{undone:?}");
    }
}

/// All that stands of a pupil, but for the ids of what is derived and what was told on the way.
async fn stands(database: &TestDatabase, world: &World, pupil: PupilId) -> Vec<String> {
    let id = match database.backend {
        Backend::Sqlite => format!("x'{}'", pupil.0.simple()),
        Backend::Postgres => format!("'{}'", pupil.0),
    };
    let row = |columns: &[&str]| -> String {
        let texts = columns.iter().map(|column| match database.backend {
            Backend::Sqlite => format!("quote({column})"),
            Backend::Postgres => format!("coalesce(cast({column} as text), '-')"),
        });
        texts.collect::<Vec<_>>().join(" || ' ' || ")
    };
    let mut all = Vec::new();
    for (table, columns) in [
        ("record", &["id", "source_key", "school_id"][..]),
        ("enrolment", &["id", "record_id", "begins_on", "ends_on"]),
        ("membership", &["id", "record_id", "class_id", "ends_on"]),
        ("carried_in", &["record_id", "half_days", "begins_on"]),
        (
            "absence",
            &["record_id", "day", "part", "mark", "revision", "school_year"],
        ),
        ("absence_count", &["school_year", "school_id", "mark", "half_days"]),
        ("competence", &["clb_id", "ground", "begins_on", "ends_on"]),
        ("clb_tally", &["clb_id", "school_year", "half_days"]),
    ] {
        let text = format!(
            "select '{table} ' || {} from {table} where pupil_id = {id}",
            row(columns)
        );
        all.extend(list::<String>(&world.look, &text).await);
    }
    all.sort_unstable();
    let signals = standing(&world.look, pupil).await;
    all.extend(signals.iter().map(|(kind, _, count)| format!("signal {kind} {count}")));
    all.push(format!("tally {:?}", totals(&world.look, pupil, 2026).await));
    all
}

/// Raised and not withdrawn, as it was told.
async fn told_to_stand(world: &World) -> i64 {
    let of = |kind: &str| format!("select count(*) from outbox where kind = '{kind}'");
    number(&world.look, &of("signal.raised")).await - number(&world.look, &of("signal.withdrawn")).await
}

/// What follows from so many half-days.
fn due(half_days: usize) -> Vec<(String, i32)> {
    let due = (half_days >= 5).then(|| ("truancy.5".to_owned(), i32::try_from(half_days).unwrap()));
    due.into_iter().collect()
}

async fn signals_of(world: &World, pupil: PupilId) -> Vec<(String, i32)> {
    let standing = standing(&world.look, pupil).await;
    standing.into_iter().map(|(kind, _, count)| (kind, count)).collect()
}

// For every pair of counts on either side of the threshold: one is what both were, and two again are what each was.
both_databases!(
    tied_and_taken_apart_each_is_as_before,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let world = &scene.world;
        let days = half_days(16);
        for (place, (of_one, of_other)) in [0, 3, 5, 6]
            .into_iter()
            .flat_map(|one| [0, 2, 4, 5, 7].map(|other| (one, other)))
            .enumerate()
        {
            let (one, other) = (format!("a{place}"), format!("b{place}"));
            let [(here, from), (there, into)] = scene.pupils([one.as_str(), other.as_str()]).await;
            world.say(scene.school, &all_b(here, &days[..of_one])).await;
            world.say(scene.school, &all_b(there, &days[8..8 + of_other])).await;
            let before = (stands(database, world, from).await, stands(database, world, into).await);

            let merge = scene.tied(from, into).await;
            let both = of_one + of_other;
            assert_eq!(signals_of(world, into).await, due(both), "{of_one} and {of_other}");
            assert_eq!(totals(&world.look, into, 2026).await, (i64::try_from(both).unwrap(), 0));
            assert_eq!(stands(database, world, from).await, ["tally (0, 0)"]);

            scene.is_apart(merge).await;
            let after = (stands(database, world, from).await, stands(database, world, into).await);
            assert_eq!(after, before, "{of_one} and {of_other}");
        }
        let standing = number(&world.look, "select count(*) from signal where state = 'raised'").await;
        assert_eq!(told_to_stand(world).await, standing, "told once for each that stands");
        // Nothing is left to put right.
        let checked = sync(world).recheck(SchoolYear(2026), None, false).await.unwrap();
        assert_eq!(checked.unsettled, 0);
    }
);

// Half-days that are written while two are tied, and while they are taken apart: none is lost and none counts twice.
both_databases!(
    half_days_written_meanwhile_count_once,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let world = &scene.world;
        let second = world.another_source(scene.school, "second").await;
        let days = half_days(12);
        for place in 0..6 {
            let (one, other) = (format!("a{place}"), format!("b{place}"));
            let [(here, from), (there, into)] = scene.pupils([one.as_str(), other.as_str()]).await;
            world.say(scene.school, &all_b(here, &days[..2])).await;
            world.say(scene.school, &all_b(there, &days[6..8])).await;
            // The fifth comes from either side.
            let (said, more) = (all_b(here, &days[2..3]), all_b(there, &days[8..9]));
            let (merge, _, _) = join3(
                scene.tied(from, into),
                world.say(scene.school, &said),
                world.say(second, &more),
            )
            .await;
            assert_eq!(signals_of(world, into).await, due(6));
            assert_eq!(signals_of(world, from).await, []);
            // What is said now is said of the one.
            world.say(scene.school, &all_b(here, &days[3..4])).await;
            assert_eq!(signals_of(world, into).await, due(7));
            let (said, more) = (all_b(here, &days[4..5]), all_b(there, &days[9..10]));
            join3(
                scene.is_apart(merge),
                world.say(scene.school, &said),
                world.say(second, &more),
            )
            .await;
            assert_eq!(
                (signals_of(world, from).await, signals_of(world, into).await),
                (due(5), due(4))
            );
        }
        let standing = number(&world.look, "select count(*) from signal where state = 'raised'").await;
        assert_eq!((standing, told_to_stand(world).await), (6, 6));
        let checked = sync(world).recheck(SchoolYear(2026), None, false).await.unwrap();
        assert_eq!(checked.unsettled, 0);
    }
);

// Two people tie the same two at once, each the other way round: one of them does, and the other is told.
both_databases!(tied_both_ways_at_once_is_tied_once, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    let world = &scene.world;
    let days = half_days(6);
    for place in 0..8 {
        let (one, other) = (format!("a{place}"), format!("b{place}"));
        let [(here, a), (there, b)] = scene.pupils([one.as_str(), other.as_str()]).await;
        world.say(scene.school, &all_b(here, &days[..3])).await;
        world.say(scene.school, &all_b(there, &days[3..])).await;
        let (first, second) = join(scene.tie(a, b), scene.tie(b, a)).await;
        let (into, from, told) = match (first, second) {
            (Tied::Done(_), told) => (b, a, told),
            (told, Tied::Done(_)) => (a, b, told),
            neither => panic!("{neither:?}"),
        };
        assert_eq!(told, Tied::Changed(1));
        assert_eq!(
            (signals_of(world, into).await, signals_of(world, from).await),
            (due(6), due(0))
        );
    }
    assert_eq!(number(&world.look, "select count(*) from pupil_merge").await, 8);
});

// One that was tied to one that was tied: the last is taken apart first.
both_databases!(what_was_tied_last_comes_apart_first, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    let world = &scene.world;
    let days = half_days(9);
    let [(of_a, a), (of_b, b), (of_c, c)] = scene.pupils(["a", "b", "c"]).await;
    for (record, some) in [(of_a, 0..2), (of_b, 2..5), (of_c, 5..9)] {
        world.say(scene.school, &all_b(record, &days[some])).await;
    }
    let before = [
        stands(database, world, a).await,
        stands(database, world, b).await,
        stands(database, world, c).await,
    ];
    let first = scene.tied(a, b).await;
    let one = stands(database, world, b).await;
    let second = scene.tied(b, c).await;
    assert_eq!(signals_of(world, c).await, due(9));
    let then = everything(database, &world.look).await;
    assert_eq!(scene.untie(first).await, Tied::State);
    assert_eq!(scene.tie(a, c).await, Tied::Changed(1), "they are one already");
    assert_eq!(everything(database, &world.look).await, then);
    scene.is_apart(second).await;
    assert_eq!(stands(database, world, b).await, one);
    assert_eq!(scene.untie(second).await, Tied::Changed(2), "apart already");
    scene.is_apart(first).await;
    let after = [
        stands(database, world, a).await,
        stands(database, world, b).await,
        stands(database, world, c).await,
    ];
    assert_eq!(after, before);
    // And once more the other way.
    let again = scene.tied(c, a).await;
    assert_eq!(signals_of(world, a).await, due(6));
    scene.is_apart(again).await;
    assert_eq!(stands(database, world, a).await, before[0]);
});

// What a number ties stays together, whatever a person ties beside it.
both_databases!(a_number_is_stronger_than_a_person, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    let world = &scene.world;
    let other = world
        .school("222222", world.clb("114712").await, Categories::all())
        .await;
    let numbered = |number: u8| clb_hub::store::roster::PupilSaid {
        national_index: Some(vec![number; 32]),
        ..born("2012-05-01")
    };
    let [(_, a), (_, b)] = scene.pupils(["a", "b"]).await;
    let merge = scene.tied(a, b).await;
    // Another school brings her by her number, and so does her own from now on.
    world.pupils(other, &[("z", numbered(1))]).await;
    world.roster(scene.school, &[("a", numbered(1))]).await;
    let of_one = "select count(distinct pupil_id) from record";
    assert_eq!(number(&world.look, of_one).await, 1);
    scene.is_apart(merge).await;
    let of = |key: &str| format!("select pupil_id from record where source_key = '{key}'");
    let whose = async |key: &str| list::<PupilId>(&world.look, &of(key)).await[0];
    assert_eq!((whose("a").await, whose("z").await), (a, a), "the number goes with her");
    let rest = whose("b").await;
    assert_ne!(rest, a);

    // Where the number says that both are one, nobody takes them apart.
    let merge = scene.tied(a, rest).await;
    world.roster(scene.school, &[("b", numbered(1))]).await;
    let then = everything(database, &world.look).await;
    assert_eq!(scene.untie(merge).await, Tied::State);
    assert_eq!(everything(database, &world.look).await, then);
});

const MERGE: &str = "id pupilId formerId reason mergedBy mergedAt undoneReason undoneBy undoneAt version";

fn merging(pupil: &str, into: &str, reason: &str) -> String {
    format!(
        "mutation {{ mergePupils(input: {{ pupil: \"{pupil}\", into: \"{into}\", reason: \"{reason}\" }}) {{ __typename
         ... on PupilMergeDecided {{ merge {{ {MERGE} }} }} ... on Invalid {{ field }} ... on Conflict {{ version }}
         ... on NotPossible {{ reason }} }} }}"
    )
}

fn unmerging(merge: &Value, version: i32, reason: &str) -> String {
    format!(
        "mutation {{ unmergePupils(input: {{ merge: {merge}, version: {version}, reason: \"{reason}\" }}) {{ __typename
         ... on PupilMergeDecided {{ merge {{ {MERGE} }} }} ... on Invalid {{ field }} ... on Conflict {{ version }}
         ... on NotPossible {{ reason }} }} }}"
    )
}

// Only of one's own, only by whom it is to say, with a reason; and each of it is written down.
both_databases!(a_person_ties_only_its_own, async |database: &TestDatabase| {
    let world = World::new(database, NOW).await;
    let (clb, far) = (world.clb("114711").await, world.clb("114712").await);
    let ours = world.school("123456", clb, Categories::default_agreement()).await;
    let near = world.school("123457", clb, Categories::default_agreement()).await;
    let theirs = world.school("222222", far, Categories::default_agreement()).await;
    let two = [("a", born("2012-05-01")), ("b", born("2012-05-01"))];
    let [(_, a), (_, b)]: [(RecordId, PupilId); 2] = world.pupils(ours, &two).await.try_into().unwrap();
    let (_, next) = world.pupils(near, &[("n", born("2012-05-01"))]).await[0];
    let (_, foreign) = world.pupils(theirs, &[("z", born("2012-05-01"))]).await[0];
    let manager = world.someone(Role::SchoolDataManager, Some(ours.id), None).await;
    let other = world.someone(Role::SchoolDataManager, Some(near.id), None).await;
    let administration = world.someone(Role::ClbAdministration, None, Some(clb)).await;
    let far_away = world.someone(Role::ClbAdministration, None, Some(far)).await;
    let others = [
        world.someone(Role::SchoolCareTeam, Some(ours.id), None).await,
        world.someone(Role::SchoolClient, Some(ours.id), None).await,
        world.someone(Role::ClbWorker, None, Some(clb)).await,
        world.someone(Role::ClbDirector, None, Some(clb)).await,
        other.clone(),
        far_away.clone(),
    ];
    let hub = Hub::over(world);
    let world = &hub.world;
    let [a, b, next, foreign] = [a, b, next, foreign].map(|pupil| pupil.to_string());
    let before = everything(database, &world.look).await;
    let unknown = json!({ "__typename": "NotPossible", "reason": "UNKNOWN" });
    let ask = async |who: &Actor, question: &str, field: &str| hub.ask(who, question).await[field].clone();
    for (who, pupil, into) in [
        (&manager, &a, &next),
        (&manager, &foreign, &a),
        (&administration, &a, &foreign),
        (&far_away, &foreign, &b),
    ] {
        assert_eq!(
            ask(who, &merging(pupil, into, "sure"), "mergePupils").await,
            unknown,
            "{who:?}"
        );
    }
    let nobody = "pup_00000000000000000000000000000007";
    assert_eq!(
        ask(&manager, &merging(&a, nobody, "sure"), "mergePupils").await,
        unknown
    );
    for who in &others {
        assert_eq!(
            ask(who, &merging(&a, &b, "sure"), "mergePupils").await,
            unknown,
            "{who:?}"
        );
    }
    for (pupil, into, reason, field) in [
        ("a", b.as_str(), "sure", "pupil"),
        (&a, "b", "sure", "into"),
        (&a, &a, "sure", "into"),
        (&a, &b, " ", "reason"),
        (&a, &b, &"x".repeat(501), "reason"),
    ] {
        let invalid = json!({ "__typename": "Invalid", "field": field });
        assert_eq!(
            ask(&manager, &merging(pupil, into, reason), "mergePupils").await,
            invalid
        );
    }
    assert_eq!(
        everything(database, &world.look).await,
        before,
        "a refusal changes nothing"
    );

    let made = ask(&manager, &merging(&a, &b, "seen both papers"), "mergePupils").await["merge"].clone();
    assert_eq!(
        (
            &made["pupilId"],
            &made["formerId"],
            &made["reason"],
            &made["version"],
            &made["undoneAt"]
        ),
        (
            &json!(b),
            &json!(a),
            &json!("seen both papers"),
            &json!(1),
            &Value::Null
        )
    );
    let found = hub.ask(&manager, &format!("{{ pupil(id: \"{a}\") {{ id }} }}")).await;
    assert_eq!(found["pupil"]["id"], json!(b), "the former id leads to the other");
    let conflict = |version: i32| json!({ "__typename": "Conflict", "version": version });
    assert_eq!(
        ask(&administration, &merging(&b, &a, "again"), "mergePupils").await,
        conflict(1)
    );
    let listed = format!("{{ pupilMerges(first: 9) {{ totalCount edges {{ node {{ {MERGE} }} }} }} }}");
    for who in [&manager, &administration] {
        let expected = json!({ "totalCount": 1, "edges": [{ "node": made }] });
        assert_eq!(ask(who, &listed, "pupilMerges").await, expected);
    }
    for who in &others {
        let nothing = json!({ "totalCount": 0, "edges": [] });
        assert_eq!(ask(who, &listed, "pupilMerges").await, nothing, "{who:?}");
        assert_eq!(
            ask(who, &unmerging(&made["id"], 1, "no"), "unmergePupils").await,
            unknown,
            "{who:?}"
        );
    }
    assert_eq!(
        ask(&manager, &unmerging(&made["id"], 3, "no"), "unmergePupils").await,
        conflict(1)
    );
    let invalid = json!({ "__typename": "Invalid", "field": "reason" });
    assert_eq!(
        ask(&manager, &unmerging(&made["id"], 1, ""), "unmergePupils").await,
        invalid
    );
    let apart = ask(
        &administration,
        &unmerging(&made["id"], 1, "two after all"),
        "unmergePupils",
    )
    .await["merge"]
        .clone();
    assert_eq!(
        (&apart["undoneReason"], &apart["version"], &apart["mergedBy"]),
        (&json!("two after all"), &json!(2), &made["mergedBy"])
    );
    assert_eq!(
        ask(&manager, &unmerging(&made["id"], 1, "no"), "unmergePupils").await,
        conflict(2)
    );
    let found = hub.ask(&manager, &format!("{{ pupil(id: \"{a}\") {{ id }} }}")).await;
    assert_eq!(found["pupil"]["id"], json!(a));

    // Who tied, listed and took apart is in the access log, with both.
    let mut both = vec![a, b];
    both.sort();
    let mut lines = hub.lines().await;
    lines.retain(|line| line.pupils == 2);
    lines.sort_by_key(|line| line.id);
    let roles: Vec<Role> = lines.iter().map(|line| line.role).collect();
    let (school, centre) = (Role::SchoolDataManager, Role::ClbAdministration);
    assert_eq!(roles, [school, school, centre, centre]);
    for line in &lines {
        assert_eq!((&line.pupil_ids, line.categories), (&json!(both), Categories::NONE));
    }
});
