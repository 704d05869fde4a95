//! Lists: pages, order, counts and filters, compared with the seed and never with each other.

use clb_hub::store::roster::MembershipSaid;
use hub_entities::category::Categories;
use hub_entities::id::{AgreementId, ClassId, RunId};
use hub_entities::operation::Actor;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::database::both_databases;
use crate::support::look::{list, meddle};
use crate::support::town::Town;
use crate::support::world::{day, place};

/// The ids of a page, its total, whether there is more, and where to go on.
type Page = (Vec<String>, i64, bool, Option<String>);

/// A list: the field it is, of what, and what is asked of each row to know it by.
struct List<'a> {
    /// The object it hangs under, as it is asked for, and its name in the answer; none for a root.
    under: Option<(String, &'static str)>,
    field: &'a str,
    row: &'static str,
}

impl<'a> From<&'a str> for List<'a> {
    fn from(field: &'a str) -> Self {
        Self {
            under: None,
            field,
            row: "id",
        }
    }
}

async fn page(town: &Town, viewer: &Actor, list: &List<'_>, arguments: &str) -> Page {
    let List { under, field, row } = list;
    let asked = format!(
        "{field}({arguments}) {{ totalCount pageInfo {{ hasNextPage endCursor }} edges {{ node {{ {row} }} }} }}"
    );
    let question = match under {
        Some((object, _)) => format!("{{ {} }}", object.replace("{}", &asked)),
        None => format!("{{ {asked} }}"),
    };
    let mut answer = town.ask(viewer, &question).await;
    if let Some((_, name)) = under {
        answer = answer[name].take();
        if answer.is_null() {
            return (Vec::new(), 0, false, None);
        }
    }
    let answer = &answer[*field];
    let id = |edge: &Value| {
        let node = &edge["node"];
        let id = node.get("id").unwrap_or(&node["pupil"]["id"]);
        id.as_str().unwrap().to_owned()
    };
    let info = &answer["pageInfo"];
    (
        answer["edges"].as_array().unwrap().iter().map(id).collect(),
        answer["totalCount"].as_i64().unwrap(),
        info["hasNextPage"].as_bool().unwrap(),
        info["endCursor"].as_str().map(str::to_owned),
    )
}

/// Walks a list one row at a time.
async fn walked(town: &Town, viewer: &Actor, list: &List<'_>, arguments: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut after = String::new();
    loop {
        let (ids, _, more, end) = page(town, viewer, list, &format!("first: 1 {arguments} {after}")).await;
        assert!(ids.len() <= 1 && all.len() < 50);
        all.extend(ids);
        if !more {
            return all;
        }
        after = format!("after: \"{}\"", end.unwrap());
    }
}

/// As the viewer sees a list, whole and one by one.
async fn exactly(town: &Town, viewer: &Actor, list: &List<'_>, arguments: &str, expected: &[String]) {
    let (ids, total, more, _) = page(town, viewer, list, &format!("first: 200 {arguments}")).await;
    let which = format!("{} {arguments} {viewer:?}", list.field);
    assert_eq!(ids, expected, "{which}");
    assert_eq!(
        (total, more),
        (i64::try_from(expected.len()).unwrap(), false),
        "{which}"
    );
    assert_eq!(walked(town, viewer, list, arguments).await, expected, "{which}");
}

async fn pupils(town: &Town, viewer: &Actor, arguments: &str, expected: &[String]) {
    exactly(town, viewer, &"pupils".into(), arguments, expected).await;
}

both_databases!(pupils_are_exactly_those_of_the_seed, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let v = &town.viewers;
    let [ada, bo, cas, dre, ella] = [town.ada, town.bo, town.cas, town.dre, town.ella].map(|id| id.to_string());

    // By id: the order in which the hub first heard of them; Ella came with north, before Cas.
    pupils(&town, &v.north, "", &[ada.clone(), bo.clone()]).await;
    pupils(&town, &v.east, "", std::slice::from_ref(&cas)).await;
    pupils(&town, &v.south, "", &[ella.clone(), cas.clone(), dre.clone()]).await;
    pupils(&town, &v.first, "", &[ada.clone(), bo.clone(), cas.clone()]).await;
    pupils(&town, &v.second, "", &[ella.clone(), cas.clone(), dre.clone()]).await;
    pupils(&town, &v.chat, "", &[]).await;

    // By name: Baert, Claes, Daems, Ende, Zeger.
    let by_name = "orderBy: FAMILY_NAME";
    pupils(&town, &v.first, by_name, &[cas.clone(), bo.clone(), ada.clone()]).await;
    pupils(&town, &v.second, by_name, &[cas.clone(), dre.clone(), ella.clone()]).await;

    // By count: Dre 30, Ella 6, Ada 5, Bo 4, Cas 2. The first CLB has no `truancy` with the school of Cas.
    let by_count = "orderBy: TRUANCY_COUNT";
    pupils(&town, &v.second, by_count, &[dre.clone(), ella.clone(), cas.clone()]).await;
    pupils(&town, &v.first, by_count, &[ada.clone(), bo.clone(), cas.clone()]).await;
    pupils(&town, &v.north, by_count, &[ada.clone(), bo.clone()]).await;

    let at_least = |n: i32| format!("filter: {{ truancyCountAtLeast: {n} }}");
    pupils(&town, &v.second, &at_least(3), &[ella.clone(), dre.clone()]).await;
    pupils(&town, &v.second, &at_least(31), &[]).await;
    pupils(&town, &v.first, &at_least(5), std::slice::from_ref(&ada)).await;
    pupils(&town, &v.first, &at_least(1), &[ada.clone(), bo.clone()]).await;
    let last_year = "filter: { truancyCountAtLeast: 1, schoolYear: \"2025-2026\" }";
    pupils(&town, &v.second, last_year, &[]).await;

    let at = |school: &crate::support::world::School| format!("filter: {{ school: \"{}\" }}", school.id);
    pupils(&town, &v.first, &at(&town.north), &[ada.clone(), bo.clone()]).await;
    pupils(&town, &v.first, &at(&town.east), std::slice::from_ref(&cas)).await;
    pupils(&town, &v.first, &at(&town.south), &[]).await;
    pupils(&town, &v.north, &at(&town.east), &[]).await;

    let class: Vec<uuid::Uuid> = list(&town.world.look, "select id from class_group where name = '1A'").await;
    let class = format!("filter: {{ class: \"{}\" }}", hub_entities::id::ClassId(class[0]));
    pupils(&town, &v.first, &class, &[ada.clone(), bo.clone()]).await;
    pupils(&town, &v.second, &class, &[]).await;
});

both_databases!(
    a_count_that_was_not_agreed_neither_sorts_nor_shows_in_a_cursor,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        // East lets the first CLB know that Cas is there and no more; south registers 30 of the B.
        let scope = town.world.source_scope(town.south).await;
        let known = clb_hub::store::roster::keys(&town.world.db, &scope, hub_entities::source::KeyKind::SourceKey);
        let known = known.await.unwrap();
        let (record, _) = known["cas"];
        let calendar = town.world.book.laws().calendar(hub_entities::time::SchoolYear(2026));
        let b = hub_entities::absence::letters::Reading::Absent(hub_entities::absence::code::Code::B);
        let said: Vec<_> = calendar.iter().take(30).map(|at| (record, at, b)).collect();
        town.world.say(town.south, &said).await;

        let [ada, bo, cas] = [town.ada, town.bo, town.cas].map(|id| id.to_string());
        let by_count = "orderBy: TRUANCY_COUNT";
        pupils(&town, &town.viewers.first, by_count, &[ada, bo, cas]).await;
        let question =
            "{ pupils(first: 9, orderBy: TRUANCY_COUNT) { edges { cursor node { id truancy { count } } } } }";
        let answer = town.ask(&town.viewers.first, question).await;
        let last = &answer["pupils"]["edges"][2];
        assert_eq!(last["node"]["truancy"], Value::Null);
        let cursor = last["cursor"].as_str().unwrap();
        let body = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, cursor).unwrap();
        assert!(!String::from_utf8_lossy(&body).contains("30"));
    }
);

/// The one id that is found so.
async fn id(town: &Town, text: &str) -> Uuid {
    let [found] = list::<Uuid>(&town.world.look, text).await[..] else {
        panic!("not one: {text}")
    };
    found
}

both_databases!(
    schools_and_agreements_are_those_of_the_seed,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let v = &town.viewers;
        let [north, east, south] = [town.north, town.east, town.south].map(|school| school.id.to_string());
        let everyone = [
            &v.north,
            &v.north_manager,
            &v.east,
            &v.south,
            &v.first,
            &v.second,
            &v.chat,
            &v.operator,
        ];
        for viewer in everyone {
            exactly(
                &town,
                viewer,
                &"schools".into(),
                "",
                &[north.clone(), east.clone(), south.clone()],
            )
            .await;
        }

        // Each school has one, and north has agreed with the other CLB too, from tomorrow.
        town.world
            .signed(town.north, town.second, Categories::default_agreement(), "2026-10-02")
            .await;
        let agreed = async |school: &str, begins: &str| {
            let text = format!(
                "select a.id from agreement a join school s on s.id = a.school_id
             where s.institution_number = '{school}' and a.begins_on = '{begins}'"
            );
            AgreementId(id(&town, &text).await).to_string()
        };
        let long_since = "2020-09-01";
        let of_north = agreed("123456", long_since).await;
        let (of_east, of_south) = (agreed("123457", long_since).await, agreed("123458", long_since).await);
        let tomorrow = agreed("123456", "2026-10-02").await;
        // The one that begins last comes first.
        for (viewer, expected) in [
            (&v.north, vec![&tomorrow, &of_north]),
            (&v.north_manager, vec![&tomorrow, &of_north]),
            (&v.east, vec![&of_east]),
            (&v.south, vec![&of_south]),
            (&v.first, vec![&of_north, &of_east]),
            (&v.first_administration, vec![&of_north, &of_east]),
            (&v.second, vec![&tomorrow, &of_south]),
            (&v.second_director, vec![&tomorrow, &of_south]),
            (&v.chat, vec![]),
            (&v.operator, vec![&tomorrow, &of_north, &of_east, &of_south]),
        ] {
            let expected: Vec<String> = expected.into_iter().cloned().collect();
            exactly(&town, viewer, &"agreements".into(), "", &expected).await;
        }
    }
);

both_databases!(
    sources_runs_and_gaps_are_those_of_the_seed,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let v = &town.viewers;
        let held = town.world.held(town.north).await;
        let other = town.world.held(town.south).await;
        let q = town.world.gap(town.north, held, "Q", 3).await.to_string();
        let w = town.world.gap(town.south, other, "W", 4).await.to_string();
        let [north, east, south] = [town.north, town.east, town.south].map(|school| school.source.to_string());

        // Of north: its roster, its half-days and a correction, its classes, and a roster that waits.
        let runs_of = async |school: &str, kinds: &[&str]| {
            let of = format!(
                "from sync_run r join source o on o.id = r.source_id join school s on s.id = o.school_id
             where s.institution_number = '{school}' order by r.id"
            );
            let look = &town.world.look;
            assert_eq!(
                list::<String>(look, &format!("select r.kind {of}")).await,
                kinds,
                "{school}"
            );
            let ids: Vec<Uuid> = list(look, &format!("select r.id {of}")).await;
            ids.into_iter().map(|id| RunId(id).to_string()).collect::<Vec<_>>()
        };
        let of_north = runs_of("123456", &["roster", "absences", "absences", "roster", "roster"]).await;
        assert_eq!(of_north[4], held.to_string());
        let of_east = runs_of("123457", &["roster"]).await;
        let of_south = runs_of("123458", &["roster", "absences", "carried_in", "roster"]).await;
        // All began at the same instant: by id, which is the order in which they began.
        let mut all = [of_north.clone(), of_east, of_south].concat();
        all.sort_by_key(|id| id.parse::<RunId>().unwrap());

        for (viewer, sources, runs, gaps) in [
            (&v.north_manager, vec![&north], of_north, vec![&q]),
            (&v.operator, vec![&north, &east, &south], all, vec![&q, &w]),
            (&v.north, vec![], vec![], vec![]),
            (&v.east, vec![], vec![], vec![]),
            (&v.south, vec![], vec![], vec![]),
        ] {
            let sources: Vec<String> = sources.into_iter().cloned().collect();
            let gaps: Vec<String> = gaps.into_iter().cloned().collect();
            exactly(&town, viewer, &"sources".into(), "", &sources).await;
            exactly(&town, viewer, &"syncRuns".into(), "", &runs).await;
            exactly(&town, viewer, &"gaps".into(), "", &gaps).await;
        }
    }
);

both_databases!(
    classes_and_their_members_are_those_of_the_seed,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let v = &town.viewers;
        // East has one as well, and north one of the year before.
        town.world.classes(town.east, &[("2C", Some("09"))]).await;
        town.world.classes(town.north, &[("9Z", Some("09"))]).await;
        meddle(
            &town.world.look,
            "update class_group set school_year = 2025 where name = '9Z'",
        )
        .await;
        // Ella had a place in 1A until she left, and Ada, who is still there, one in 1B; Bo has one in 1B too.
        let left = MembershipSaid {
            ends_on: Some(day("2026-09-15")),
            ..place("k1", "ella")
        };
        let moved = MembershipSaid {
            ends_on: Some(day("2026-09-15")),
            ..place("k2", "ada")
        };
        town.world
            .places(town.north, &[("m3", left), ("m4", place("k2", "bo")), ("m5", moved)])
            .await;
        let class =
            async |name: &str| ClassId(id(&town, &format!("select id from class_group where name = '{name}'")).await);
        let [first, second, east, former] = [
            class("1A").await,
            class("1B").await,
            class("2C").await,
            class("9Z").await,
        ];

        let of_school = |id: String| List {
            under: Some((format!("school(id: \"{id}\") {{ {{}} }}"), "school")),
            field: "classes",
            row: "id",
        };
        let names = [first, second, east, former].map(|class| class.to_string());
        for (viewer, of_north, of_east) in [
            (&v.north, &names[..2], &names[..0]),
            (&v.north_manager, &names[..2], &names[..0]),
            (&v.east, &names[..0], &names[2..3]),
            (&v.south, &names[..0], &names[..0]),
            (&v.first, &names[..2], &names[2..3]),
            (&v.second, &names[..0], &names[..0]),
            (&v.chat, &names[..0], &names[..0]),
        ] {
            exactly(&town, viewer, &of_school(town.north.id.to_string()), "", of_north).await;
            exactly(&town, viewer, &of_school(town.east.id.to_string()), "", of_east).await;
            exactly(&town, viewer, &of_school(town.south.id.to_string()), "", &[]).await;
            let before = if of_north.is_empty() { &names[..0] } else { &names[3..] };
            let last_year = "schoolYear: \"2025-2026\"";
            exactly(&town, viewer, &of_school(town.north.id.to_string()), last_year, before).await;
        }

        let members = |class: ClassId| List {
            under: Some((
                format!("node(id: \"{class}\") {{ ... on ClassGroup {{ {{}} }} }}"),
                "node",
            )),
            field: "members",
            row: "pupil { id }",
        };
        let [ada, bo] = [town.ada, town.bo].map(|id| id.to_string());
        for viewer in [&v.north, &v.north_manager, &v.first] {
            exactly(&town, viewer, &members(first), "", &[ada.clone(), bo.clone()]).await;
            exactly(&town, viewer, &members(second), "", std::slice::from_ref(&bo)).await;
        }
        for viewer in [&v.east, &v.south, &v.second, &v.chat] {
            exactly(&town, viewer, &members(first), "", &[]).await;
        }
        exactly(&town, &v.east, &members(east), "", &[]).await;
    }
);

both_databases!(
    signals_and_changes_are_those_of_the_viewer,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let v = &town.viewers;
        // Raised: Ada 5; Bo 5, withdrawn; Ella 5, and 6 once carried in; Dre 5 and 30. All at the same instant.
        let total = async |viewer, filter: &str| {
            page(&town, viewer, &"signals".into(), &format!("first: 200 {filter}"))
                .await
                .1
        };
        for (viewer, all, raised, thirty) in [
            (&v.north, 2, 1, 0),
            (&v.east, 0, 0, 0),
            (&v.south, 3, 3, 1),
            (&v.first, 2, 1, 0),
            (&v.second, 3, 3, 1),
            (&v.chat, 0, 0, 0),
        ] {
            assert_eq!(total(viewer, "").await, all);
            assert_eq!(total(viewer, "filter: { state: RAISED }").await, raised);
            assert_eq!(total(viewer, "filter: { state: WITHDRAWN }").await, all - raised);
            assert_eq!(total(viewer, "filter: { kind: TRUANCY_30 }").await, thirty);
            assert_eq!(total(viewer, "filter: { schoolYear: \"2025-2026\" }").await, 0);
            let (whole, ..) = page(&town, viewer, &"signals".into(), "first: 200").await;
            assert_eq!(walked(&town, viewer, &"signals".into(), "").await, whole);
        }

        let told = async |viewer, after: &str| {
            let question =
                format!("{{ changes(first: 2 {after}) {{ hasMore endCursor changes {{ kind pupilId count }} }} }}");
            town.ask(viewer, &question).await["changes"].take()
        };
        let change = |kind: &str, pupil: hub_entities::id::PupilId, count: i32| json!({ "kind": kind, "pupilId": pupil.to_string(), "count": count });
        for (viewer, mut expected) in [
            (
                &v.first,
                vec![
                    change("RAISED", town.ada, 5),
                    change("RAISED", town.bo, 5),
                    change("WITHDRAWN", town.bo, 5),
                ],
            ),
            (
                &v.south,
                vec![
                    change("RAISED", town.ella, 5),
                    change("RAISED", town.dre, 30),
                    change("RAISED", town.dre, 30),
                    change("CHANGED", town.ella, 6),
                ],
            ),
            (&v.chat, vec![]),
        ] {
            let mut seen = Vec::new();
            let mut after = String::new();
            loop {
                let answer = told(viewer, &after).await;
                seen.extend(answer["changes"].as_array().unwrap().clone());
                after = format!("after: \"{}\"", answer["endCursor"].as_str().unwrap());
                if answer["hasMore"] == json!(false) {
                    break;
                }
            }
            // Within one transaction the order is that of the pupils' ids and kinds; between them, of time.
            let key = |one: &Value| one.to_string();
            assert_eq!(seen.last(), expected.last());
            seen.sort_by_key(key);
            expected.sort_by_key(key);
            assert_eq!(seen, expected);
            // Nothing new behind the end.
            assert_eq!(told(viewer, &after).await["changes"], json!([]));
        }
    }
);

both_databases!(
    a_cursor_belongs_to_its_viewer_and_its_list,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let v = &town.viewers;
        let (.., cursor) = page(&town, &v.second, &"pupils".into(), "first: 1").await;
        let cursor = cursor.unwrap();
        let code = async |viewer, arguments: String| {
            let answer = town
                .answer(viewer, &format!("{{ pupils(first: 1 {arguments}) {{ totalCount }} }}"))
                .await;
            assert_eq!(
                answer["data"],
                if answer.get("errors").is_some() {
                    Value::Null
                } else {
                    answer["data"].clone()
                }
            );
            answer["errors"][0]["extensions"]["code"].clone()
        };
        let after = format!("after: \"{cursor}\"");
        assert_eq!(code(&v.second, after.clone()).await, Value::Null);
        assert_eq!(code(&v.first, after.clone()).await, "CURSOR_INVALID");
        assert_eq!(code(&v.second_director, after.clone()).await, "CURSOR_INVALID");
        assert_eq!(
            code(&v.second, format!("{after} orderBy: FAMILY_NAME")).await,
            "CURSOR_INVALID"
        );
        assert_eq!(
            code(&v.second, format!("{after} filter: {{ truancyCountAtLeast: 1 }}")).await,
            "CURSOR_INVALID"
        );
        let altered = format!("after: \"{}A\"", &cursor[..cursor.len() - 1]);
        let other = format!("after: \"{}B\"", &cursor[..cursor.len() - 1]);
        let codes = [code(&v.second, altered).await, code(&v.second, other).await];
        assert!(codes.contains(&json!("CURSOR_INVALID")));
        assert_eq!(code(&v.second, "after: \"\"".to_owned()).await, "CURSOR_INVALID");
        for first in ["0", "-1", "201"] {
            let answer = town
                .answer(&v.second, &format!("{{ pupils(first: {first}) {{ totalCount }} }}"))
                .await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "PAGE_INVALID");
        }
    }
);
