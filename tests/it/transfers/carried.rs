//! What goes to the new CLB, and what stays.

use hub_entities::absence::code::Code;
use hub_entities::id::{ClbId, PupilId};
use hub_entities::operation::{Discipline, Role};
use hub_entities::signal::{signal_id, truancy_key};
use hub_entities::time::SchoolYear;
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};

use super::{
    Moved, OBLIGED, REST, SAID, comes_back, goes, guided_by, in_words, nothing, object, own, round, round_at, transfers,
};
use crate::dossier::rights::take;
use crate::dossier::{FROM_NOW, GUIDANCE, Staff, all_of, assign, assign_post, id_of, told};
use crate::intents::{accept, fifth};
use crate::support::database::{Backend, both_databases};
use crate::support::look::{list, number};
use crate::support::town::Town;
use crate::support::world::at;

/// The id of a CLB as this database writes it.
fn quoted(backend: Backend, clb: ClbId) -> String {
    match backend {
        Backend::Sqlite => format!("x'{}'", clb.0.simple()),
        Backend::Postgres => format!("'{}'", clb.0),
    }
}

/// Of which CLB the courses of guidance are now, by domain.
async fn kept(apart: &DatabaseConnection, of: PupilId, backend: Backend) -> Vec<(String, ClbId)> {
    let pupil = quoted(backend, ClbId(of.0));
    let domains = format!("select domain from trajectory where pupil_id = {pupil} order by domain");
    let clbs = format!("select clb_id from trajectory where pupil_id = {pupil} order by domain");
    let domains: Vec<String> = list(apart, &domains).await;
    domains.into_iter().zip(list(apart, &clbs).await).collect()
}

/// What the team of the new CLB reads: all that is there.
async fn read_there(town: &Town, pupil: PupilId) -> Value {
    let director = &town.viewers.second_director;
    let worker = town.world.worker(town.second, Discipline::Psychologist).await;
    let mut answer = take(town, director, &all_of(pupil)).await;
    for domain in ["learning", "career", "wellbeing"] {
        let all = answer[domain]["trajectories"]["value"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        for one in all {
            let version = i32::try_from(one["version"].as_i64().unwrap()).unwrap();
            let from = format!("begins: \"{}\"", hub_entities::time::brussels_day(town.world.now));
            let put = assign(one["id"].as_str().unwrap(), version, &worker, &from);
            let put = take(town, director, &put).await;
            assert_eq!(put["__typename"], "TrajectoryStepped", "{put}");
        }
    }
    answer = take(town, &worker, &all_of(pupil)).await;
    answer
}

both_databases!(a_dossier_goes_whole, async |database: &TestDatabase| {
    let mut town = Town::new(database).await;
    let staff = Staff::anchored(&town).await;
    let gus = ("gus", Some("2012-05-01"));
    let one = guided_by(&town, &staff.anchor, gus).await;
    let pupil = town.world.person(Role::Pupil, one.pupil).await;
    town.world.keeps_dossiers(town.second).await;
    goes(&town, gus, "2026-10-01").await;
    assert_eq!(round(&town).await.announced, 1);
    town.world.now = at("2026-10-16T10:00:00Z");
    assert_eq!(round(&town).await, Moved { whole: 1, ..nothing() });

    // The new CLB hears of it; who reads there its director says.
    let came = transfers(&town, &town.viewers.second_director).await;
    assert_eq!(
        (
            &came[0]["from"]["institutionNumber"],
            &came[0]["custody"],
            &came[0]["objectedBy"]
        ),
        (&json!("114711"), &json!("TRANSFERRED"), &Value::Null)
    );
    let other = town.world.worker(town.second, Discipline::Psychologist).await;
    let outside = take(&town, &other, &all_of(one.pupil)).await;
    assert_eq!(told(&outside)[0], "!NOT_IN_TEAM? !NOT_IN_TEAM?");
    let read = read_there(&town, one.pupil).await;
    assert_eq!(
        told(&read)[..2],
        [format!("1 [{REST}]"), format!("1 [{OBLIGED}]")],
        "{read}"
    );
    let learning = &read["learning"]["trajectories"]["value"][0];
    assert_eq!(learning["id"], one.learning, "it is the same one");
    // The old team stands there with the day it ended.
    let team = learning["team"].as_array().unwrap();
    let old = team
        .iter()
        .find(|member| member["workerId"] == id_of(&staff.anchor).to_string());
    assert_eq!(old.unwrap()["ends"], "2026-10-16", "{team:?}");
    let entry = &read["learning"]["entries"]["value"][0];
    assert_eq!(entry["authorId"], id_of(&staff.anchor).to_string());

    // The old CLB knows that it went, and reads nothing of it, not even when the pupil is there again.
    assert_eq!(transfers(&town, &staff.anchor).await, Vec::<Value>::new());
    assert_eq!(transfers(&town, &staff.director).await[0]["custody"], "TRANSFERRED");
    assert_eq!(own(&town, &pupil).await["value"].as_array().unwrap().len(), 1);
    let apart = database.look_apart().await;
    let first = quoted(database.backend, town.first);
    for table in ["trajectory", "entry", "entry_text", "team_member"] {
        let there = format!("select count(*) from {table} where clb_id = {first}");
        assert_eq!(number(&apart, &there).await, 0, "{table}");
    }
    // Both logs tell of it, and the pupil reads both.
    let lines = "select action from access_line where action in ('transfer_goes', 'transfer_arrives') order by action";
    assert_eq!(
        list::<String>(&apart, lines).await,
        ["transfer_arrives", "transfer_goes"]
    );
    let log = "{ accessLog(first: 100) { ... on GrantedAccessLog { value { edges { node { at role clb { institutionNumber } } } } } } }";
    let log = town.ask_for(&pupil, GUIDANCE, true, log).await;
    for clb in ["114711", "114712"] {
        let edges = log["accessLog"]["value"]["edges"].as_array().unwrap();
        let of = edges
            .iter()
            .filter(|edge| edge["node"]["role"] == "OPERATOR" && edge["node"]["clb"]["institutionNumber"] == clb);
        assert!(of.count() > 0, "{clb} {log}");
    }

    // Back at a school of the first, it goes back: announced by the second, and on its day.
    town.world.now = at("2026-10-19T10:00:00Z");
    comes_back(&town, gus, "2026-10-01").await;
    assert_eq!(
        round(&town).await,
        Moved {
            announced: 1,
            ..nothing()
        }
    );
    let dossier = take(&town, &staff.anchor, &all_of(one.pupil)).await;
    assert_eq!(
        told(&dossier)[0],
        "!NOT_IN_TEAM? !NOT_IN_TEAM?",
        "before that nothing is read"
    );
    assert_eq!(
        round_at(&town, "2026-11-03T10:00:00Z").await,
        Moved { whole: 1, ..nothing() }
    );
    let clbs: Vec<ClbId> = list(&apart, "select distinct clb_id from trajectory").await;
    assert_eq!(clbs, [town.first]);
    apart.close().await.unwrap();
});

both_databases!(
    after_an_objection_only_what_is_obligatory_goes,
    async |database: &TestDatabase| {
        let mut town = Town::new(database).await;
        let staff = Staff::anchored(&town).await;
        let gus = ("gus", Some("2012-05-01"));
        let one = guided_by(&town, &staff.anchor, gus).await;
        let pupil = town.world.person(Role::Pupil, one.pupil).await;
        town.world.keeps_dossiers(town.second).await;
        goes(&town, gus, "2026-10-01").await;
        assert_eq!(round(&town).await.announced, 1);
        let told_of = own(&town, &pupil).await;
        let objected = take(&town, &pupil, &object(&told_of["value"][0]["id"], &in_words())).await;
        assert_eq!(objected["__typename"], "TransferObjected");
        town.world.now = at("2026-10-16T10:00:00Z");
        assert_eq!(round(&town).await, Moved { partly: 1, ..nothing() });

        let apart = database.look_apart().await;
        let of = kept(&apart, one.pupil, database.backend).await;
        assert_eq!(
            of,
            [("career".to_owned(), town.second), ("learning".to_owned(), town.first)]
        );
        let read = read_there(&town, one.pupil).await;
        // There is no learning there: the worker is in no team of it.
        let none = "!NOT_IN_TEAM? !NOT_IN_TEAM?".to_owned();
        assert_eq!(told(&read)[..2], [none, format!("1 [{OBLIGED}]")]);
        // Of the rest no row, nor anything sealed with the new key.
        let second = quoted(database.backend, town.second);
        let entries = format!("select count(*) from entry_text where clb_id = {second}");
        assert_eq!(number(&apart, &entries).await, 1);
        // A copy of the objection, for who is in the team there.
        let anchor = town.world.worker(town.second, Discipline::SocialWorker).await;
        let director = &town.viewers.second_director;
        let post = assign_post(&anchor, &town, "ANCHOR", FROM_NOW)
            .replace(&town.north.id.to_string(), &town.south.id.to_string());
        assert_eq!(take(&town, director, &post).await["__typename"], "PostAssigned");
        let came = transfers(&town, &anchor).await;
        assert_eq!(
            (&came[0]["objection"], &came[0]["objectedBy"], &came[0]["custody"]),
            (&json!(SAID), &json!("PUPIL"), &json!("PARTLY"))
        );
        assert_eq!(transfers(&town, director).await[0]["objection"], Value::Null);

        // What stayed stays, and is not announced again; and there it is read when the pupil is there again.
        assert_eq!(round_at(&town, "2026-12-01T10:00:00Z").await, nothing());
        assert_eq!(take(&town, &staff.anchor, &all_of(one.pupil)).await, Value::Null);
        comes_back(&town, gus, "2026-10-01").await;
        let read = take(&town, &staff.anchor, &all_of(one.pupil)).await;
        assert_eq!(told(&read)[0], format!("1 [{REST}]"), "{read}");
        apart.close().await.unwrap();
    }
);

// What obliged and was taken back goes no more than the rest; taken back afterwards, it lapses where it is.
both_databases!(what_lapses_lapses_where_it_went, async |database: &TestDatabase| {
    let mut town = Town::new(database).await;
    Staff::anchored(&town).await;
    town.world.keeps_dossiers(town.second).await;
    fifth(&town, "bo", Code::B).await;
    let signal = signal_id(&truancy_key("truancy.5", town.bo, SchoolYear(2026)), 2);
    accept(&town, &town.viewers.first, signal).await;
    assert_eq!(town.applier().await.round().await.unwrap(), 1);
    let bo = ("bo", Some("2012-05-01"));
    goes(&town, bo, "2026-10-01").await;
    assert_eq!(round(&town).await.announced, 1);
    town.world.now = at("2026-10-16T10:00:00Z");
    assert_eq!(round(&town).await.whole, 1);
    let apart = database.look_apart().await;
    let of = kept(&apart, town.bo, database.backend).await;
    assert_eq!(of, [("wellbeing".to_owned(), town.second)]);
    let lapsed = "select count(*) from trajectory where lapsed_at is not null";
    assert_eq!(number(&apart, lapsed).await, 0);
    fifth(&town, "bo", Code::Z).await;
    assert_eq!(town.applier().await.round().await.unwrap(), 1);
    assert_eq!(number(&apart, lapsed).await, 1);
    let lines: Vec<ClbId> = list(
        &apart,
        "select clb_id from access_line where action = 'obligation_lapses' order by clb_id",
    )
    .await;
    let mut both = vec![town.first, town.second];
    both.sort_unstable();
    assert_eq!(lines, both);
    apart.close().await.unwrap();
});
