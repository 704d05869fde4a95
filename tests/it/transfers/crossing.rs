//! The one transaction that names two CLBs: whole or not at all, everything that is sealed sealed anew, and neither CLB within
//! reach of the other's rows before or after.

use std::collections::{BTreeMap, BTreeSet};

use clb_hub::keys::seal::sealed_with;
use clb_hub::store::secret::carrying;
use hub_entities::id::{ClbId, PupilId};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, Statement, TransactionTrait as _};
use uuid::Uuid;

use super::{goes, mover, round, transfers};
use crate::dossier::rights::take;
use crate::dossier::{Staff, brought_out_by, step};
use crate::support::coverage::Door;
use crate::support::database::{Backend, TestDatabase, both_databases};
use crate::support::look::{list, meddle, number};
use crate::support::schema::columns;
use crate::support::town::Town;
use crate::support::world::at;

const ADA: (&str, Option<&str>) = ("ada", Some("2012-05-01"));

fn quoted(backend: Backend, id: Uuid) -> String {
    match backend {
        Backend::Sqlite => format!("x'{}'", id.simple()),
        Backend::Postgres => format!("'{id}'"),
    }
}

/// A town in which Ada's dossier at the first CLB has all that a dossier may have, and is due to go to the second.
async fn due(database: &TestDatabase) -> (Town, Staff) {
    let mut town = Town::new(database).await;
    let staff = {
        let mut door = Door::new(&town, &[]);
        brought_out_by(&mut door).await
    };
    // What a parent asked about her and was declined.
    let ask = format!(
        "idempotencyKey: \"ada\" text: \"words\" pupilId: \"{}\" askedBy: PARENT",
        town.ada
    );
    let asked = format!(
        "mutation {{ submitGuidanceRequest(input: {{ {ask} }}) {{ ... on GuidanceRequestReceived {{ requestId }} }} }}"
    );
    let asked = take(&town, &staff.anchor, &asked).await;
    let input = format!("requestId: {} version: 1 reason: \"words\"", asked["requestId"]);
    let declined = step("declineGuidanceRequest", "GuidanceRequestAnswered { version }", &input);
    assert_eq!(take(&town, &staff.anchor, &declined).await["version"], 2);
    town.world.keeps_dossiers(town.second).await;
    goes(&town, ADA, "2026-10-01").await;
    assert_eq!(round(&town).await.announced, 1);
    town.world.now = at("2026-10-16T10:00:00Z");
    (town, staff)
}

/// How many rows of each table of the secrecy store are of this CLB and about this pupil.
async fn rows(
    database: &TestDatabase,
    apart: &DatabaseConnection,
    (clb, pupil): (ClbId, PupilId),
) -> BTreeMap<String, i64> {
    let (clb, pupil) = (quoted(database.backend, clb.0), quoted(database.backend, pupil.0));
    let mut all = BTreeMap::new();
    for (table, columns) in columns(database).await {
        let Some(table) = table.strip_prefix("secrecy.") else {
            continue;
        };
        let about = match table {
            "entry_text" => format!("entry_id in (select id from entry where pupil_id = {pupil})"),
            _ if columns.contains("pupil_id") => format!("pupil_id = {pupil}"),
            _ => continue,
        };
        let count = format!("select count(*) from {table} where clb_id = {clb} and {about}");
        all.insert(table.to_owned(), number(apart, &count).await);
    }
    all
}

/// From now on each change of this table fails.
async fn breaks(apart: &DatabaseConnection, backend: Backend, table: &str) {
    if backend == Backend::Sqlite {
        for what in ["insert", "update", "delete"] {
            let fails =
                format!("create trigger fails_{what} before {what} on {table} begin select raise(abort, 'no'); end");
            meddle(apart, &fails).await;
        }
        return;
    }
    let function = "create or replace function secrecy.fails() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$";
    meddle(apart, function).await;
    let fails = format!(
        "create trigger fails before insert or update or delete on {table} for each row execute function secrecy.fails()"
    );
    meddle(apart, &fails).await;
}

async fn mends(apart: &DatabaseConnection, backend: Backend, table: &str) {
    if backend == Backend::Postgres {
        meddle(apart, &format!("drop trigger fails on {table}")).await;
        return;
    }
    for what in ["insert", "update", "delete"] {
        meddle(apart, &format!("drop trigger fails_{what}")).await;
    }
}

both_databases!(
    cut_off_at_any_table_nothing_has_gone,
    async |database: &TestDatabase| {
        let (town, staff) = due(database).await;
        let apart = database.look_apart().await;
        let (of_first, of_second) = ((town.first, town.ada), (town.second, town.ada));
        let before = rows(database, &apart, of_first).await;
        let there = rows(database, &apart, of_second).await;
        // The control: there is something of everything.
        let empty: Vec<&String> = before
            .iter()
            .filter(|(_, count)| **count == 0)
            .map(|(table, _)| table)
            .collect();
        assert_eq!(empty, Vec::<&String>::new(), "of these Ada has nothing");
        // The log has lines of what is announced, of which none tells of what was cut off.
        let lines = |of: &BTreeMap<String, i64>| of["access_line"];
        let (first, second) = (lines(&before), lines(&there));
        let mover = mover(&town, "2026-10-16T10:00:00Z").await;
        let touched: BTreeSet<&str> = [
            "access_lent",
            "access_line",
            "access_request",
            "capability",
            "consent",
            "consent_said",
            "correction_request",
            "dossier_access",
            "dossier_key",
            "dossier_request",
            "entry",
            "entry_text",
            "guidance_request",
            "log_hold",
            "referral",
            "referral_said",
            "release_intent",
            "school_release",
            "team_member",
            "trajectory",
            "transfer",
        ]
        .into();
        for table in &touched {
            breaks(&apart, database.backend, table).await;
            let failed = mover.round().await;
            mends(&apart, database.backend, table).await;
            assert!(failed.is_err(), "{table} is a step of it");
            assert_eq!(rows(database, &apart, of_first).await, before, "{table}");
            assert_eq!(rows(database, &apart, of_second).await, there, "{table}");
        }
        // Two at once: it is done once.
        let other = super::mover(&town, "2026-10-16T10:00:00Z").await;
        let (one, two) = futures::future::join(mover.round(), other.round()).await;
        let whole = [one.unwrap(), two.unwrap()]
            .into_iter()
            .flatten()
            .map(|moved| moved.whole)
            .sum::<u64>();
        assert_eq!(whole, 1);
        assert_eq!(mover.round().await.unwrap().unwrap().whole, 0, "and not again");

        // Every row is with one of them, and each that went is there once.
        let (left, came) = (
            rows(database, &apart, of_first).await,
            rows(database, &apart, of_second).await,
        );
        for (table, count) in &before {
            let (left, came) = (left[table], came[table]);
            let expected = match table.as_str() {
                // The old CLB answers for what it did in emergencies, held back and reviewed; its key stays for that.
                "emergency" | "legal_hold" | "log_review" => (*count, 0),
                "dossier_key" | "transfer" => (1, 1),
                // Over with the old CLB's guidance.
                "access_lent" | "access_request" | "dossier_access" => (0, 0),
                "access_line" => (first + 1, second + 1),
                // Taken back from the school, by the CLB that had released it.
                "release_intent" => (left, 0),
                _ => (0, *count),
            };
            assert_eq!((left, came), expected, "{table}");
        }
        let team = format!(
            "select count(*) from team_member where (ends_on is null or ends_on > '2026-10-16') and clb_id = {}",
            quoted(database.backend, town.second.0)
        );
        assert_eq!(
            number(&apart, &team).await,
            0,
            "the new CLB's director assigns its team"
        );
        assert_eq!(transfers(&town, &staff.director).await[0]["custody"], "TRANSFERRED");
        apart.close().await.unwrap();
    }
);

both_databases!(what_went_is_sealed_anew, async |database: &TestDatabase| {
    let (town, _) = due(database).await;
    let apart = database.look_apart().await;
    let key = async |clb: ClbId| -> Uuid {
        let (clb, pupil) = (quoted(database.backend, clb.0), quoted(database.backend, town.ada.0));
        let text = format!("select id from dossier_key where clb_id = {clb} and pupil_id = {pupil}");
        list(&apart, &text).await[0]
    };
    let old = key(town.first).await;
    let envelopes = async |clb: ClbId, table: &str, column: &str| -> Vec<Vec<u8>> {
        let (clb, pupil) = (quoted(database.backend, clb.0), quoted(database.backend, town.ada.0));
        let about = match table {
            "entry_text" => format!("entry_id in (select id from entry where pupil_id = {pupil})"),
            _ => format!("pupil_id = {pupil}"),
        };
        let text = format!("select {column} from {table} where clb_id = {clb} and {about} and {column} is not null");
        list(&apart, &text).await
    };
    let mut before = BTreeMap::new();
    let (sealed, _) = carrying::sealed();
    for (table, column) in &sealed {
        let all = envelopes(town.first, table, column).await;
        assert!(!all.is_empty(), "{table}.{column}: there is nothing to see");
        assert!(
            all.iter().all(|one| sealed_with(one).unwrap().0 == old),
            "{table}.{column}"
        );
        before.insert((*table, *column), all);
    }
    assert_eq!(round(&town).await.whole, 1);
    let new = key(town.second).await;
    assert_ne!(new, old);
    for ((table, column), former) in before {
        let all = envelopes(town.second, table, column).await;
        assert_eq!(all.len(), former.len(), "{table}.{column}");
        assert!(
            all.iter().all(|one| sealed_with(one).unwrap().0 == new),
            "{table}.{column}"
        );
        assert!(all.iter().all(|one| !former.contains(one)), "{table}.{column}");
    }
    apart.close().await.unwrap();
});

/// As PostgreSQL itself tells: what holds something sealed with the key of a dossier goes or stays by name. A column that came
/// and was forgotten here would be lost to both.
#[test]
fn a_transfer_knows_every_sealed_column() {
    use crate::support::database::run_test;
    run_test(
        TestDatabase::migrated(Backend::Postgres),
        async |database: &TestDatabase| {
            let apart = database.look_apart().await;
            let text = "select table_name || '.' || column_name from information_schema.columns
                 where table_schema = 'secrecy' and data_type = 'bytea'
                   and table_name not in ('dossier_key', 'access_line', 'chain_head', 'release_intent')";
            let there: BTreeSet<String> = list::<String>(&apart, text).await.into_iter().collect();
            let (goes, stays) = carrying::sealed();
            let named: BTreeSet<String> = goes.iter().map(|(table, column)| format!("{table}.{column}")).collect();
            let rest = there
                .difference(&named)
                .filter(|one| !stays.iter().any(|table| one.starts_with(&format!("{table}."))));
            assert_eq!(
                rest.collect::<Vec<_>>(),
                Vec::<&String>::new(),
                "neither goes nor stays"
            );
            assert_eq!(named.difference(&there).count(), 0);
            apart.close().await.unwrap();
        },
    );
}

/// R25, R26: before and after, whoever names one of the two CLBs finds its own alone.
#[test]
fn neither_clb_reaches_the_others_rows() {
    use crate::support::database::run_test;
    run_test(
        TestDatabase::migrated(Backend::Postgres),
        async |database: &TestDatabase| {
            let (town, _) = due(database).await;
            let role = Database::connect(
                ConnectOptions::new(&database.apart)
                    .set_schema_search_path("secrecy")
                    .max_connections(1)
                    .clone(),
            )
            .await
            .unwrap();
            let tables = [
                "trajectory",
                "entry",
                "consent_said",
                "referral_said",
                "correction_request",
                "school_release",
            ];
            let found = async |clb: ClbId, table: &str| -> i64 {
                let tx = role.begin().await.unwrap();
                tx.execute_unprepared(&format!("select set_config('clb_hub.clbs', '{}', true)", clb.0))
                    .await
                    .unwrap();
                let text = format!("select count(*) from {table} where pupil_id = '{}'", town.ada.0);
                let found = tx
                    .query_one_raw(Statement::from_string(tx.get_database_backend(), text))
                    .await
                    .unwrap();
                tx.rollback().await.unwrap();
                found.unwrap().try_get_by_index(0).unwrap()
            };
            for table in tables {
                assert!(found(town.first, table).await > 0, "{table}");
                assert_eq!(found(town.second, table).await, 0, "{table}");
            }
            assert_eq!(round(&town).await.whole, 1);
            for table in tables {
                assert_eq!(found(town.first, table).await, 0, "{table}");
                assert!(found(town.second, table).await > 0, "{table}");
                let unnamed = format!("select count(*) from {table}");
                assert_eq!(number(&role, &unnamed).await, 0, "{table}");
            }
            role.close().await.unwrap();
        },
    );
}
