//! The secrecy store as a place: who reaches it (R25, R26), and that its keys are rotated and destroyed for good
//! (R29, R30).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use clb_hub::custody::{Custody, Rotated};
use clb_hub::keys::file_vault::FileVault;
use clb_hub::keys::shredded::ShredList;
use clb_hub::keys::vault::{Owner, Wrapped};
use clb_hub::keys::{DataKey, KeyId, KeyVault as _};
use clb_hub::register::operator;
use clb_hub::store::secret::key;
use clb_hub::store::secret::wrapped::{self, Stores};
use clb_hub::store::{Db, DbError, Options, SecretDb};
use hub_entities::id::{ClbId, PupilId};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement, TransactionTrait as _, Value};
use uuid::Uuid;

use crate::support::database::{APP, SECRECY, TestDatabase, both_databases};
use crate::support::look::{meddle, number};
use crate::support::process::{Folder, Provider};
use crate::support::schema;
use crate::support::world::World;

const NOW: &str = "2026-10-01T10:00:00Z";

both_databases!(empty its_schema_goes_up_down_and_up_again, async |database: &TestDatabase| {
    database.open().await.close().await.unwrap(); // makes the file
    // As the owner of both, where there are roles.
    let url = if database.backend == Backend::Sqlite { &database.apart } else { &database.url };
    let mut replicas = Vec::new();
    for _ in 0..4 {
        replicas.push(SecretDb::open(&SecretDb::options(url.as_str())).await.unwrap());
    }
    let apart = replicas[0].clone();
    assert!(!apart.is_current().await.unwrap());
    // Four at once: one works, the others wait.
    let started: Vec<_> = replicas.into_iter().map(|one| tokio::spawn(async move { one.migrate().await })).collect();
    for one in started {
        one.await.unwrap().unwrap();
    }
    let first = schema::everything(database).await;
    assert!(first.iter().any(|line| line.contains("dossier_key")), "the schema was read: {first:?}");
    let there = schema::columns(database).await;
    assert!(there.keys().all(|table| table.starts_with("secrecy.")), "{there:?}");
    assert!(apart.is_current().await.unwrap());
    apart.migrate_down().await.unwrap();
    assert_eq!(schema::columns(database).await.len(), 0);
    apart.migrate().await.unwrap();
    assert_eq!(schema::everything(database).await, first);
    apart.close().await.unwrap();
});

/// Puts a wrapped key into the store, past every rule.
async fn put_key(look: &DatabaseConnection, owner: &Owner, wrapped: &Wrapped) {
    let values: Vec<Value> = vec![
        owner.key.0.into(),
        owner.clb.into(),
        owner.dossier.into(),
        wrapped.version.into(),
        wrapped.bytes.clone().into(),
    ];
    let text = "insert into dossier_key (id, clb_id, pupil_id, kek_version, wrapped) values ($1, $2, $3, $4, $5)";
    let statement = Statement::from_sql_and_values(look.get_database_backend(), text, values);
    look.execute_raw(statement).await.unwrap();
}

fn owner(clb: ClbId, number: u128) -> Owner {
    Owner {
        clb,
        dossier: PupilId(Uuid::from_u128(number)),
        key: KeyId(Uuid::from_u128(number)),
    }
}

/// A key for each of so many dossiers of this CLB; what it wraps.
async fn keys(look: &DatabaseConnection, vault: &FileVault, clb: ClbId, count: u128) -> Vec<Owner> {
    let mut owners = Vec::new();
    for number in 1..=count {
        let owner = owner(clb, number);
        let data = DataKey::generate(owner.key).unwrap();
        put_key(look, &owner, &vault.wrap(&data, &owner).await.unwrap()).await;
        owners.push(owner);
    }
    owners
}

/// R25, of every table there is, as PostgreSQL itself tells: under forced row-level security, with nothing of ours
/// between.
#[test]
fn without_a_named_clb_nothing_is_there() {
    use crate::support::database::{Backend, run_test};
    run_test(
        TestDatabase::migrated(Backend::Postgres),
        async |database: &TestDatabase| {
            let look = database.look_apart().await;
            let (one, other) = (ClbId(Uuid::from_u128(0xa)), ClbId(Uuid::from_u128(0xb)));
            let wrapped = Wrapped {
                version: 1,
                bytes: vec![1],
            };
            put_key(&look, &owner(one, 1), &wrapped).await;
            put_key(&look, &owner(other, 2), &wrapped).await;
            put_key(&look, &owner(other, 3), &wrapped).await;

            let tables = crate::support::look::list::<String>(
                &look,
                "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = 'secrecy' and c.relkind in ('r', 'p') and c.relname <> 'seaql_migrations'",
            )
            .await;
            assert!(tables.contains(&"dossier_key".to_owned()), "{tables:?}");
            let forced = "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = 'secrecy' and c.relrowsecurity and c.relforcerowsecurity";
            assert_eq!(number(&look, forced).await, i64::try_from(tables.len()).unwrap());

            let role = sea_orm::Database::connect(
                sea_orm::ConnectOptions::new(&database.apart)
                    .set_schema_search_path("secrecy")
                    .max_connections(1)
                    .clone(),
            )
            .await
            .unwrap();
            for table in &tables {
                assert_eq!(
                    number(&role, &format!("select count(*) from {table}")).await,
                    0,
                    "{table}"
                );
            }
            // The control: whoever names a CLB finds its rows, in that transaction and not after it.
            for (clbs, expected) in [(vec![one], 1), (vec![other], 2), (vec![one, other], 3), (vec![], 0)] {
                let tx = role.begin().await.unwrap();
                let ids: Vec<String> = clbs.iter().map(|clb: &ClbId| clb.0.to_string()).collect();
                let text = format!("select set_config('clb_hub.clbs', '{}', true)", ids.join(","));
                tx.execute_unprepared(&text).await.unwrap();
                let found = tx.query_one_raw(Statement::from_string(
                    tx.get_database_backend(),
                    "select count(*) from dossier_key",
                ));
                let found: i64 = found.await.unwrap().unwrap().try_get_by_index(0).unwrap();
                assert_eq!(found, expected, "{clbs:?}");
                // Nor may it write for another.
                let insert = "insert into dossier_key (id, clb_id, pupil_id, kek_version, wrapped)
                 values ('00000000-0000-4000-8000-00000000000c', '00000000-0000-0000-0000-00000000000c',
                         '00000000-0000-4000-8000-00000000000c', 1, '')";
                assert!(tx.execute_unprepared(insert).await.is_err(), "{clbs:?}");
                tx.rollback().await.unwrap();
                assert_eq!(
                    number(&role, "select count(*) from dossier_key").await,
                    0,
                    "after {clbs:?}"
                );
            }
            // Lines of the log are written for several at once, and for none that is not named.
            for (clbs, of, may) in [
                (vec![one], one, true),
                (vec![one, other], other, true),
                (vec![one], other, false),
                (vec![], one, false),
            ] {
                let tx = role.begin().await.unwrap();
                let ids: Vec<String> = clbs.iter().map(|clb: &ClbId| clb.0.to_string()).collect();
                let text = format!("select set_config('clb_hub.clbs', '{}', true)", ids.join(","));
                tx.execute_unprepared(&text).await.unwrap();
                let of = of.0;
                let line = format!(
                    "insert into access_line (id, clb_id, at, principal_id, role, assured, pupil_id, action, granted, withheld,
                       request_id)
                     values ('{of}', '{of}', now(), '{of}', 'clb_worker', true, '{of}', 'read', '', '', '{of}')"
                );
                assert_eq!(tx.execute_unprepared(&line).await.is_ok(), may, "{clbs:?}");
                tx.rollback().await.unwrap();
            }
            role.close().await.unwrap();
        },
    );
}

/// R25, of the log: what one transaction links is of several CLBs, and of none that it does not name.
#[test]
fn lines_are_there_for_whom_their_clb_is_named_alone() {
    use crate::support::database::{Backend, run_test};
    run_test(
        TestDatabase::migrated(Backend::Postgres),
        async |database: &TestDatabase| {
            let look = database.look_apart().await;
            let [one, other] = ["0000000a", "0000000b"].map(|of| format!("{of}-0000-4000-8000-000000000000"));
            for (at, clb) in [&one, &other, &other].into_iter().enumerate() {
                let line = format!(
                    "insert into access_line (id, clb_id, at, principal_id, role, assured, pupil_id, action, granted, withheld,
                       request_id)
                     values (gen_random_uuid(), '{clb}', '2026-11-2{at}T10:00:00Z', '{clb}', 'clb_worker', true, '{clb}', 'read',
                       '', '', '{clb}')"
                );
                look.execute_unprepared(&line).await.unwrap();
            }
            let apart = sea_orm::ConnectOptions::new(&database.apart)
                .set_schema_search_path("secrecy")
                .clone();
            let role = sea_orm::Database::connect(apart).await.unwrap();
            let both = format!("{one},{other}");
            for (named, there) in [(one.as_str(), 1), (&other, 2), (&both, 3), ("", 0)] {
                let tx = role.begin().await.unwrap();
                let text = format!("set local clb_hub.clbs = '{named}'");
                tx.execute_unprepared(&text).await.unwrap();
                for all in [
                    "select * from access_line",
                    "update access_line set seq = extract(day from at)::bigint",
                ] {
                    let done = tx.execute_unprepared(all).await.unwrap();
                    assert_eq!(done.rows_affected(), there, "{named:?}: {all}");
                }
                tx.rollback().await.unwrap();
            }
            role.close().await.unwrap();
        },
    );
}

// R26: many take turns on few connections, some of them cut off or failing, and each finds its own alone.
both_databases!(a_connection_carries_nothing_over, async |database: &TestDatabase| {
    let world = World::new(database, NOW).await;
    let look = database.look_apart().await;
    let mut clbs = Vec::new();
    for count in 1..=5_i64 {
        let clb = world.clb(&format!("11471{count}")).await;
        for number in 0..count {
            let number = u128::try_from(count * 100 + number).unwrap();
            let wrapped = Wrapped {
                version: 1,
                bytes: vec![1],
            };
            put_key(&look, &owner(clb, number), &wrapped).await;
        }
        clbs.push((clb, count));
    }
    let few = Options {
        connections: 4,
        ..SecretDb::options(database.apart.as_str())
    };
    let apart = SecretDb::open(&few).await.unwrap();
    let scope = operator(&world.db, world.now).await.unwrap();
    let rounds = if database.backend == Backend::Sqlite {
        200
    } else {
        1_000
    };
    let mut turns = Vec::new();
    for turn in 0..8_usize {
        let (db, apart, scope, clbs) = (world.db.clone(), apart.clone(), scope.clone(), clbs.clone());
        turns.push(tokio::spawn(async move {
            for round in 0..rounds / 8 {
                let (clb, count) = clbs[(turn + round) % clbs.len()];
                let of = |clbs| Stores {
                    db: &db,
                    apart: &apart,
                    clbs,
                };
                let of_one = of(std::slice::from_ref(&clb));
                let asked = of_one.behind(&scope, 9);
                if round % 7 == 3 {
                    // Cut off somewhere in the middle.
                    let _ = tokio::time::timeout(std::time::Duration::from_micros(300), asked).await;
                } else {
                    assert_eq!(asked.await.unwrap(), count);
                }
                assert_eq!(of(&[]).behind(&scope, 9).await.unwrap(), 0);
            }
        }));
    }
    for turn in turns {
        turn.await.unwrap();
    }
    apart.close().await.unwrap();
});

/// R26: what names the CLBs ends with its transaction, wherever it is said.
#[test]
fn clbs_are_named_for_one_transaction() {
    let said: Vec<String> = crate::support::source::below("src")
        .iter()
        .flat_map(|source| source.text.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter(|line| line.contains("set_config(") || line.contains("{CLBS}"))
        .collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("\"set local {CLBS} = '{}'\""), "{said:?}");
}

/// What `serve` refuses: a role that row-level security does not hold, a role for basic data that reaches further, and
/// a table without it (design §3).
#[test]
fn a_role_that_looks_past_the_rules_is_refused() {
    use crate::support::database::{Backend, run_test};
    run_test(
        TestDatabase::migrated(Backend::Postgres),
        async |database: &TestDatabase| {
            let look = database.look_apart().await;
            let apart = database.open_apart().await;
            let app = Db::open(&Options::new(database.as_role(APP))).await.unwrap();
            apart.check_role().await.unwrap();
            app.check_role().await.unwrap();
            let may = |refused: Result<(), DbError>| match refused {
                Err(DbError::Role { may, .. }) => may,
                other => panic!("not refused: {other:?}"),
            };
            let superuser = SecretDb::open(&SecretDb::options(database.url.as_str())).await.unwrap();
            assert_eq!(may(superuser.check_role().await), "is a superuser, whom no rule holds");
            assert_eq!(
                may(database.open().await.check_role().await),
                "is a superuser, whom no rule holds"
            );

            // Roles are the server's: what is tried on them is undone in the same breath.
            let of_this_test = format!("clb_hub_test_bypass_{}", std::process::id());
            meddle(&look, &format!("create role {of_this_test} login bypassrls")).await;
            let bypass = SecretDb::open(&SecretDb::options(database.as_role(&of_this_test)))
                .await
                .unwrap();
            let outcome = bypass.check_role().await;
            bypass.close().await.unwrap();
            meddle(&look, &format!("alter role {of_this_test} nobypassrls")).await;
            meddle(
                &look,
                &format!(
                    "create table public.its_own (id integer); alter table public.its_own owner to {of_this_test}"
                ),
            )
            .await;
            let owning = SecretDb::open(&SecretDb::options(database.as_role(&of_this_test)))
                .await
                .unwrap();
            let owns = owning.check_role().await;
            owning.close().await.unwrap();
            meddle(&look, &format!("drop table public.its_own; drop role {of_this_test}")).await;
            assert_eq!(may(outcome), "may bypass row-level security");
            assert_eq!(may(owns), "owns tables, or is a member of a role that does");

            meddle(&look, &format!("grant usage on schema secrecy to {APP}")).await;
            assert_eq!(may(app.check_role().await), "reaches the schema of the secrecy store");
            meddle(&look, "alter table dossier_key no force row level security").await;
            assert_eq!(
                may(apart.check_role().await),
                "finds a table there without forced row-level security"
            );
            app.close().await.unwrap();
            apart.close().await.unwrap();
        },
    );
}

// A table that came and was forgotten by the rotation could be opened no more once the old version is gone.
both_databases!(
    a_rotation_knows_every_table_with_keys,
    async |database: &TestDatabase| {
        let columns = schema::columns(database).await;
        let wrapped = columns.iter().filter(|(_, columns)| columns.contains("kek_version"));
        let wrapped: Vec<&str> = wrapped.map(|(table, _)| table.as_str()).collect();
        assert_eq!(
            wrapped,
            ["intent", "released", "secrecy.dossier_key", "secrecy.release_intent"]
        );
        let mut known = wrapped::tables();
        known.sort();
        assert_eq!(known, wrapped);
    }
);

// R29: a table that came and was forgotten by the erasure would keep what is said of the pupil, or hinder all of it.
both_databases!(
    an_erasure_knows_every_table_of_a_pupil,
    async |database: &TestDatabase| {
        // The log stays; the key goes first, and what is on its way to a school by an intent that takes it back.
        let kept = ["access_line", "dossier_key", "release_intent"];
        let columns = schema::columns(database).await;
        let of_pupils = columns.iter().filter_map(|(table, columns)| {
            let table = table.strip_prefix("secrecy.")?;
            (columns.contains("pupil_id") && !kept.contains(&table)).then_some(table)
        });
        let mut known = key::ERASED.to_vec();
        known.sort_unstable();
        assert_eq!(of_pupils.collect::<Vec<_>>(), known);
    }
);

// R30: rotated while others read, cut off and gone on with; then the old version may go.
both_databases!(the_key_is_rotated_while_others_read, async |database: &TestDatabase| {
    let world = World::new(database, NOW).await;
    let clb = world.clb("114711").await;
    let folder = tempfile::tempdir().unwrap();
    FileVault::make_first(folder.path()).unwrap();
    let vault = FileVault::open(folder.path()).unwrap();
    let look = database.look_apart().await;
    let owners = Arc::new(keys(&look, &vault, clb, 1_200).await);
    let apart = database.open_apart().await;

    // A reader opened the folder before there was a second version.
    let (over, read) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let reader = {
        let vault = FileVault::open(folder.path()).unwrap();
        let (over, read, owners) = (Arc::clone(&over), Arc::clone(&read), Arc::clone(&owners));
        let look = database.look_apart().await;
        tokio::spawn(async move {
            let mut next = owners.iter().cycle();
            while !over.load(Ordering::Relaxed) {
                let owner = next.next().unwrap();
                let text = "select kek_version, wrapped from dossier_key where id = $1";
                let asked = Statement::from_sql_and_values(look.get_database_backend(), text, [owner.key.0.into()]);
                let row = look.query_one_raw(asked).await.unwrap().unwrap();
                let wrapped = Wrapped {
                    version: row.try_get_by_index(0).unwrap(),
                    bytes: row.try_get_by_index(1).unwrap(),
                };
                vault.unwrap(&wrapped, owner).await.unwrap();
                read.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    while read.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    // Cut off after 100 of them.
    let scope = operator(&world.db, world.now).await.unwrap();
    assert_eq!(FileVault::make_next(folder.path()).unwrap(), 2);
    let stores = Stores {
        db: &world.db,
        apart: &apart,
        clbs: &[clb],
    };
    assert_eq!(stores.wrap_some(&scope, &vault, 2, 100).await.unwrap(), 100);
    let custody = Custody::open(&world.db, &apart, world.now).await.unwrap();
    let done = custody.rotate(folder.path()).await.unwrap();
    assert_eq!(
        done,
        Rotated {
            version: 2,
            keys: 1_100,
            resumed: true
        }
    );
    // Whatever it read before, it meets what was wrapped anew.
    let before = read.load(Ordering::Relaxed);
    while read.load(Ordering::Relaxed) < before + 10 && !reader.is_finished() {
        tokio::task::yield_now().await;
    }
    over.store(true, Ordering::Relaxed);
    reader.await.unwrap();
    assert_eq!(
        number(&look, "select count(*) from dossier_key where kek_version <> 2").await,
        0
    );
    // The next one makes a version of its own.
    let done = custody.rotate(folder.path()).await.unwrap();
    assert_eq!(
        done,
        Rotated {
            version: 3,
            keys: 1_200,
            resumed: false
        }
    );
    for old in ["kek-1", "kek-2"] {
        std::fs::remove_file(folder.path().join(old)).unwrap();
    }
    let alone = FileVault::open(folder.path()).unwrap();
    for owner in owners.iter() {
        let text = "select kek_version, wrapped from dossier_key where id = $1";
        let asked = Statement::from_sql_and_values(look.get_database_backend(), text, [owner.key.0.into()]);
        let row = look.query_one_raw(asked).await.unwrap().unwrap();
        let wrapped = Wrapped {
            version: row.try_get_by_index(0).unwrap(),
            bytes: row.try_get_by_index(1).unwrap(),
        };
        alone.unwrap(&wrapped, owner).await.unwrap();
    }
});

// R29: a backup of before an erasure was put back. The server sees it, and does not serve.
both_databases!(
    a_destroyed_key_that_came_back_is_not_served,
    async |database: &TestDatabase| {
        let world = World::new(database, NOW).await;
        let clb = world.clb("114711").await;
        let provider = Provider::new("https://issuer.example", "https://hub.example/graphql").await;
        let url = database.as_role(APP);
        let folder = Folder::installed(
            &url,
            "https://issuer.example",
            "https://hub.example/graphql",
            &provider.keys,
        );
        let secrecy = format!(
            "[secrecy]\nurl = \"{}\"\nkey_folder = \"keys\"\nhead_folder = \"heads\"\n",
            database.apart
        );
        let config = std::fs::read_to_string(folder.at("clb-hub.toml")).unwrap();
        std::fs::write(folder.at("clb-hub.toml"), format!("{config}{secrecy}")).unwrap();
        folder.run(&["keys", "--config", "clb-hub.toml"]);
        let vault = FileVault::open(&folder.at("keys")).unwrap();
        let owners = keys(&database.look_apart().await, &vault, clb, 3).await;
        drop(folder.serve(&[]));

        let mut list = ShredList::open(&folder.at("keys")).unwrap();
        list.add(owners[1].key).unwrap();
        // On an address that is taken: a hub that does not refuse ends here all the same.
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let mut serve = folder.command(&["serve", "--config", "clb-hub.toml"]);
        let refused = serve.env("CLB_HUB__SERVER__ADDRESS", address).output().unwrap();
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            !refused.status.success() && told.contains("holds 1 keys that were destroyed"),
            "{told}"
        );
        let doctor = folder.output(&["doctor", "--config", "clb-hub.toml"]);
        let told = String::from_utf8_lossy(&doctor.stdout).into_owned();
        assert!(
            told.contains("WRONG  secrecy store: the secrecy store holds 1 keys"),
            "{told}"
        );
        assert!(!told.contains(SECRECY), "{told}");
        let rotated = folder.run(&["keys", "rotate", "--config", "clb-hub.toml"]);
        assert!(rotated.contains("3 data keys wrapped anew by version 2"), "{rotated}");
    }
);
