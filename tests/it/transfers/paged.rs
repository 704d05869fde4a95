//! However many dossiers go at once, as they do in September, each is told to whom it concerns.

use chrono::{DateTime, TimeDelta, Utc};
use hub_entities::id::PupilId;
use hub_entities::operation::Actor;
use sea_orm::{ConnectionTrait as _, DatabaseBackend, DatabaseConnection, Statement, Value as Bound};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{TRANSFERS, goes, guided_by, nodes, round, take};
use crate::dossier::{GUIDANCE, Staff};
use crate::support::database::both_databases;
use crate::support::look::number;
use crate::support::town::Town;
use crate::support::world::at;

/// Transfers of the CLB at which this one is announced, like it, of pupils who are nobody else's.
async fn like_it(look: &DatabaseConnection, pupil: PupilId, announced: impl Iterator<Item = DateTime<Utc>>) {
    let places = match look.get_database_backend() {
        DatabaseBackend::Postgres => ["$1", "$2", "$3", "$4"],
        _ => ["?", "?", "?", "?"],
    };
    let [id, other, when, like] = places;
    let text = format!(
        "insert into transfer (id, clb_id, pupil_id, other_clb_id, arrives, custody, enrolled_on, announced_at,
             objection_until, goes_on, version)
         select {id}, clb_id, {other}, other_clb_id, arrives, custody, enrolled_on, {when}, objection_until, goes_on, version
         from transfer where pupil_id = {like} and not arrives"
    );
    for (nth, at) in (1_u128..).zip(announced) {
        let values: [Bound; 4] = [
            Uuid::from_u128(nth).into(),
            Uuid::from_u128(nth << 64).into(),
            at.into(),
            pupil.into(),
        ];
        let statement = Statement::from_sql_and_values(look.get_database_backend(), &text, values);
        assert_eq!(look.execute_raw(statement).await.unwrap().rows_affected(), 1);
    }
}

async fn page(town: &Town, by: &Actor, first: u32, after: &Value) -> Value {
    let fields = "edges { node { id pupilId announcedAt } } pageInfo { hasNextPage endCursor } totalCount";
    take(
        town,
        by,
        &format!("{{ transfers(first: {first} after: {after}) {{ {fields} }} }}"),
    )
    .await
}

both_databases!(
    among_many_transfers_each_is_told_its_own,
    async |database: &TestDatabase| {
        let mut town = Town::new(database).await;
        let staff = Staff::anchored(&town).await;
        let gus = ("gus", Some("2012-05-01"));
        let pupil = guided_by(&town, &staff.anchor, gus).await.pupil;
        goes(&town, gus, "2026-10-01").await;
        assert_eq!(round(&town).await.announced, 1);
        let now = town.world.now;
        // Two were announced before, 203 after: one look does not find it.
        let around = (-2_i64..=203).filter(|nth| *nth != 0);
        let apart = database.look_apart().await;
        like_it(&apart, pupil, around.map(|nth| now + TimeDelta::seconds(nth))).await;
        town.world.now = at("2026-10-08T10:00:00Z");

        let lines = "select count(*) from access_line where action = 'read'";
        let before = number(&apart, lines).await;
        let own = page(&town, &staff.anchor, 1, &Value::Null).await;
        let told = nodes(&own);
        assert_eq!(told.len(), 1, "{own}");
        assert_eq!(told[0]["pupilId"], pupil.to_string());
        assert_eq!(
            own["totalCount"], 1,
            "of the others nothing is told, not even that there are any"
        );
        assert_eq!(own["pageInfo"]["hasNextPage"], false);
        assert_eq!(
            number(&apart, lines).await - before,
            1,
            "a line about the one it was told of"
        );
        let behind = page(&town, &staff.anchor, 1, &own["pageInfo"]["endCursor"]).await;
        assert_eq!((nodes(&behind), &behind["totalCount"]), (Vec::new(), &json!(1)));

        // Refused for all of them alike, nothing is told, and one line says why.
        let refused = "select count(*) from access_line where withheld = 'secret.intake/custody=NEEDS_STEP_UP'";
        let weakly = town.ask_for(&staff.director, GUIDANCE, false, TRANSFERS).await;
        assert_eq!(nodes(&weakly["transfers"]), Vec::<Value>::new());
        assert_eq!(number(&apart, refused).await, 1);

        // Who plans is told of all, page by page, and of each once.
        let (mut all, mut after, mut sizes) = (Vec::new(), Value::Null, Vec::new());
        loop {
            let some = page(&town, &staff.director, 103, &after).await;
            assert_eq!(some["totalCount"], 206);
            let told = nodes(&some);
            sizes.push((told.len(), some["pageInfo"]["hasNextPage"] == true));
            all.extend(told);
            after = some["pageInfo"]["endCursor"].clone();
            if some["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(sizes, [(103, true), (103, false)]);
        let at_once: Vec<&str> = all.iter().map(|one| one["announcedAt"].as_str().unwrap()).collect();
        assert!(
            at_once.windows(2).all(|two| two[0] > two[1]),
            "the last one first, each once: {at_once:?}"
        );
        assert_eq!(
            all.iter().position(|one| one["pupilId"] == pupil.to_string()),
            Some(203)
        );
    }
);
