//! Lists: pages, order, counts and filters, compared with the seed and never with each other.

use serde_json::{Value, json};

use crate::support::database::both_databases;
use crate::support::look::list;
use crate::support::town::Town;

/// The ids of a page, its total, whether there is more, and where to go on.
type Page = (Vec<String>, i64, bool, Option<String>);

async fn page(town: &Town, viewer: &hub_entities::operation::Actor, field: &str, arguments: &str) -> Page {
    let question = format!(
        "{{ {field}({arguments}) {{ totalCount pageInfo {{ hasNextPage endCursor }} edges {{ node {{ id }} }} }} }}"
    );
    let answer = &town.ask(viewer, &question).await[field];
    let ids = answer["edges"].as_array().unwrap().iter();
    let info = &answer["pageInfo"];
    (
        ids.map(|edge| edge["node"]["id"].as_str().unwrap().to_owned())
            .collect(),
        answer["totalCount"].as_i64().unwrap(),
        info["hasNextPage"].as_bool().unwrap(),
        info["endCursor"].as_str().map(str::to_owned),
    )
}

/// Walks a list one row at a time.
async fn walked(town: &Town, viewer: &hub_entities::operation::Actor, field: &str, arguments: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut after = String::new();
    loop {
        let (ids, _, more, end) = page(town, viewer, field, &format!("first: 1 {arguments} {after}")).await;
        assert!(ids.len() <= 1 && all.len() < 50);
        all.extend(ids);
        if !more {
            return all;
        }
        after = format!("after: \"{}\"", end.unwrap());
    }
}

/// As the viewer sees the pupils, whole and one by one.
async fn pupils(town: &Town, viewer: &hub_entities::operation::Actor, arguments: &str, expected: &[String]) {
    let (ids, total, more, _) = page(town, viewer, "pupils", &format!("first: 200 {arguments}")).await;
    assert_eq!(ids, expected, "{arguments}");
    assert_eq!(
        (total, more),
        (i64::try_from(expected.len()).unwrap(), false),
        "{arguments}"
    );
    assert_eq!(walked(town, viewer, "pupils", arguments).await, expected, "{arguments}");
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

both_databases!(
    signals_and_changes_are_those_of_the_viewer,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let v = &town.viewers;
        // Raised: Ada 5; Bo 5, withdrawn; Ella 5, and 6 once carried in; Dre 5 and 30. All at the same instant.
        let total =
            async |viewer, filter: &str| page(&town, viewer, "signals", &format!("first: 200 {filter}")).await.1;
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
            let (whole, ..) = page(&town, viewer, "signals", "first: 200").await;
            assert_eq!(walked(&town, viewer, "signals", "").await, whole);
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
        let (.., cursor) = page(&town, &v.second, "pupils", "first: 1").await;
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
