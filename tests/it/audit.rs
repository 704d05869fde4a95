//! The access log as evidence: whatever is done to it past the hub is found, at its first bad line (R21).

use chrono::{DateTime, Utc};
use clb_hub::custody::Custody;
use clb_hub::custody::log::{Sealer, Verified, Wrong};
use clb_hub::keys::heads::{Head, HeadError, Heads};
use clb_hub::register::operator;
use clb_hub::store::secret::chain;
use hub_entities::id::ClbId;
use hub_entities::operation::{Discipline, Role};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::database::{APP, Backend, TestDatabase, both_databases, run_test};
use crate::support::look::{list, meddle, number, until};
use crate::support::process::{Folder, Provider, subject};
use crate::support::town::Town;
use crate::support::world::{World, born};

/// A log with so many lines, and where its heads are signed.
struct Log {
    town: Town,
    look: DatabaseConnection,
    folder: TempDir,
}

impl Log {
    async fn of(database: &TestDatabase, lines: usize) -> Self {
        let town = Box::pin(Town::new(database)).await;
        town.world.keeps_dossiers(town.first).await;
        let folder = tempfile::tempdir().unwrap();
        Heads::make(folder.path(), &folder.path().join("heads")).unwrap();
        let log = Self {
            town,
            look: database.look_apart().await,
            folder,
        };
        log.ask(lines).await;
        log
    }

    /// A worker who is told nothing asks so many times: each time a line.
    async fn ask(&self, times: usize) {
        let worker = &self.town.viewers.first;
        let question = format!(
            "{{ dossier(pupilId: \"{}\") {{ medical {{ __typename }} }} }}",
            self.town.ada
        );
        for _ in 0..times {
            self.town.ask(worker, &question).await;
        }
    }

    fn heads(&self) -> Heads {
        Heads::open(self.folder.path(), &self.folder.path().join("heads")).unwrap()
    }

    async fn custody(&self) -> Custody {
        Custody::open(&self.town.world.db, &self.town.apart, self.town.world.now)
            .await
            .unwrap()
    }

    async fn sealer(&self) -> Sealer {
        Sealer::new(self.custody().await, self.heads())
    }

    async fn verified(&self) -> Vec<Verified> {
        self.custody().await.verify(&self.heads()).await.unwrap()
    }

    /// What is wrong with the only log there is.
    async fn wrong(&self) -> Option<(i64, Wrong)> {
        let mut all = self.verified().await;
        assert_eq!(all.len(), 1);
        all.remove(0).wrong
    }

    fn whole(&self, lines: i64, waiting: Option<i64>) -> Vec<Verified> {
        let now: DateTime<Utc> = self.town.world.now;
        vec![Verified {
            clb: self.town.first,
            whole: lines,
            wrong: None,
            waiting: waiting.map(|count| (count, now)),
            signed: lines,
        }]
    }
}

both_databases!(lines_are_linked_behind_their_commit, async |database: &TestDatabase| {
    let log = Log::of(database, 12).await;
    assert_eq!(
        log.verified().await[0].waiting,
        Some((12, log.town.world.now)),
        "they wait for nobody"
    );
    let mut sealer = log.sealer().await;
    assert_eq!(sealer.round().await.unwrap(), 12);
    assert_eq!(log.verified().await, log.whole(12, None));
    log.ask(3).await;
    assert_eq!(log.verified().await, log.whole(12, Some(3)));
    // Four replicas at once: each line is linked once.
    let mut replicas = Vec::new();
    for _ in 0..4 {
        let mut sealer = log.sealer().await;
        replicas.push(tokio::spawn(async move { sealer.round().await.unwrap() }));
    }
    let mut linked = 0;
    for replica in replicas {
        linked += replica.await.unwrap();
    }
    assert_eq!(linked, 3);
    assert_eq!(log.verified().await, log.whole(15, None));
    assert_eq!(sealer.round().await.unwrap(), 0);
});

/// The server does not look at the log of its own accord, and has one plan for whatever is asked, as of a hub that serves.
const UNWATCHED: &str = "do $$ begin
     alter table access_line set (autovacuum_enabled = off);
     execute format('alter database %I set plan_cache_mode = force_generic_plan', current_database());
   end $$";

/// Lines like the one that is there: many that were linked, and then some that wait.
const LINKED: &str = "insert into access_line
     select (jsonb_populate_record(l, jsonb_build_object('id', gen_random_uuid(), 'seq', 1000000 + nth))).*
     from access_line l, generate_series(1, 20000) nth";
const WAITING: &str = "insert into access_line
     select (jsonb_populate_record(l, jsonb_build_object('id', gen_random_uuid(), 'seq', null, 'hash', null))).*
     from access_line l, generate_series(1, 1200) where l.seq = 1";

/// The server knows the log as one whose lines are all linked, as they nearly always are. Those that wait now are not sought
/// among all that ever waited: that took a third of a processor beside readers.
#[test]
fn a_line_is_linked_by_its_id() {
    run_test(TestDatabase::migrated(Backend::Postgres), async |database| {
        let look = database.look_apart().await;
        look.execute_unprepared(UNWATCHED).await.unwrap();
        let log = Log::of(database, 1).await;
        let mut sealer = log.sealer().await;
        assert_eq!(sealer.round().await.unwrap(), 1);
        meddle(&look, LINKED).await;
        look.execute_unprepared("vacuum analyze access_line").await.unwrap();
        meddle(&look, WAITING).await;
        assert_eq!(sealer.round().await.unwrap(), 1_200, "in one round, however many wait");
        // Closed, it has told the server of all it asked.
        log.town.apart.clone().close().await.unwrap();
        let sought = "select idx_scan from pg_stat_user_indexes
             where schemaname = 'secrecy' and indexrelname = 'access_line_pkey'";
        until("each line was sought by its id", async || {
            number(&look, sought).await >= 1_200
        })
        .await;
    });
}

/// A line like the first waits in the log of each CLB.
const WAITING_EVERYWHERE: &str = "insert into access_line
     select (jsonb_populate_record(l, jsonb_build_object('id', gen_random_uuid(), 'clb_id', c.id, 'seq', null, 'hash', null))).*
     from access_line l, public.clb c where l.id = (select id from access_line where seq = 1 limit 1)";

/// The hub links for a whole region, twice a second: of one more CLB only its lines are asked.
#[test]
fn one_more_log_is_one_more_way() {
    run_test(TestDatabase::migrated(Backend::Postgres), async |database| {
        let look = database.look_apart().await;
        let log = Log::of(database, 1).await;
        let mut sealer = log.sealer().await;
        assert_eq!(sealer.round().await.unwrap(), 1);
        let mut asked = Vec::new();
        // Three logs with the two of the town, then four, then five; each has had a line before it is counted.
        for more in ["114721", "114722", "114723"] {
            log.town.world.clb(more).await;
            for counted in [false, true] {
                let waits = meddle(&look, WAITING_EVERYWHERE).await;
                let before = log.town.apart.statements();
                let linked = sealer.round().await.unwrap();
                assert_eq!(u64::try_from(linked).unwrap(), waits);
                if counted {
                    asked.push(log.town.apart.statements() - before);
                }
            }
        }
        assert!(log.verified().await.iter().all(|log| log.wrong.is_none()));
        // Who waits, where the logs end, the two that write, and where they end now: five, and one for the lines of each.
        assert_eq!(asked, [8, 9, 10]);
    });
}

/// The server looked at the log while nearly all of it waited, as it does where one was just set up. What waits later is read in its
/// order from what waits, and the log of the CLB is not read for that order: this took longer with every line it had.
#[test]
fn lines_that_wait_are_read_without_those_that_do_not() {
    run_test(TestDatabase::migrated(Backend::Postgres), async |database| {
        let look = database.look_apart().await;
        look.execute_unprepared(UNWATCHED).await.unwrap();
        let log = Log::of(database, 1).await;
        let mut sealer = log.sealer().await;
        assert_eq!(sealer.round().await.unwrap(), 1);
        meddle(&look, WAITING).await;
        look.execute_unprepared("vacuum analyze access_line").await.unwrap();
        assert_eq!(sealer.round().await.unwrap(), 1_200);
        log.ask(2).await;
        assert_eq!(sealer.round().await.unwrap(), 2);
        // Closed, it has told the server of all it asked.
        log.town.apart.clone().close().await.unwrap();
        let read = |index: &str| {
            format!(
                "select idx_tup_read from pg_stat_user_indexes where schemaname = 'secrecy' and indexrelname = 'access_line_{index}'"
            )
        };
        let waited = read("waiting");
        until("the server counts", async || number(&look, &waited).await >= 1_202).await;
        assert_eq!(number(&look, &read("by_time")).await, 0);
    });
}

/// A number below `most`, from a seed: the same run after run.
fn dice(seed: &mut u64, most: i64) -> i64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    i64::try_from((*seed >> 33) % u64::try_from(most).unwrap()).unwrap()
}

/// Does one thing to a log of so many lines; what must be found.
async fn edit(look: &DatabaseConnection, kind: i64, seed: &mut u64, lines: i64) -> (i64, Wrong) {
    let at = 1 + dice(seed, lines);
    match kind {
        0..=7 => {
            let sets = [
                "granted = 'secret.medical/entries=team'",
                "withheld = ''",
                "role = 'clb_director'",
                "action = 'write_entry'",
                "purpose = 'operations'",
                "assured = not assured",
                "principal_id = pupil_id",
                "facts = 'decides=pupil competent place=health'",
            ];
            let set = sets[usize::try_from(kind).unwrap()];
            assert_eq!(
                meddle(look, &format!("update access_line set {set} where seq = {at}")).await,
                1
            );
            (at, Wrong::Changed)
        }
        8 => {
            meddle(look, &format!("delete from access_line where seq = {at}")).await;
            (at, if at == lines { Wrong::Cut } else { Wrong::Missing })
        }
        9 => {
            // Two lines change places, hashes and all.
            let other = 1 + (at % lines);
            for (from, to) in [(at, -1), (other, at), (-1, other)] {
                meddle(look, &format!("update access_line set seq = {to} where seq = {from}")).await;
            }
            (at.min(other), Wrong::Changed)
        }
        // The last ones are cut, and the head in the database moved along: only the second place knows.
        _ => {
            meddle(look, &format!("delete from access_line where seq >= {at}")).await;
            let back = format!("update chain_head set seq = {}", at - 1);
            meddle(look, &back).await;
            let hash = "update chain_head set hash = (select l.hash from access_line l where l.seq = chain_head.seq)";
            if at > 1 {
                meddle(look, hash).await;
            }
            (at, Wrong::Cut)
        }
    }
}

both_databases!(whatever_is_done_to_the_log_is_found, async |database: &TestDatabase| {
    let lines = 30;
    let log = Log::of(database, 30).await;
    log.sealer().await.round().await.unwrap();
    let look = &log.look;
    meddle(look, "create table line_before as select * from access_line").await;
    meddle(look, "create table head_before as select * from chain_head").await;
    let rounds = if database.backend == Backend::Sqlite { 440 } else { 110 };
    let mut seed = 20_261_001_u64;
    for round in 0..rounds {
        let kind = round % 12;
        let found = if kind == 10 {
            // The unique number of a line keeps a copy out of its place; put behind the end it is found.
            let copy = if database.backend == Backend::Sqlite {
                "update line_copy set id = randomblob(16), seq = 31"
            } else {
                "update line_copy set id = gen_random_uuid(), seq = 31"
            };
            let at = 1 + dice(&mut seed, lines);
            meddle(
                look,
                &format!("create table line_copy as select * from line_before where seq = {at}"),
            )
            .await;
            meddle(look, copy).await;
            meddle(look, "insert into access_line select * from line_copy").await;
            meddle(look, "drop table line_copy").await;
            (31, Wrong::Changed)
        } else {
            edit(look, kind, &mut seed, lines).await
        };
        assert_eq!(log.wrong().await, Some(found), "round {round}, kind {kind}");
        meddle(look, "delete from access_line").await;
        meddle(look, "insert into access_line select * from line_before").await;
        meddle(look, "delete from chain_head").await;
        meddle(look, "insert into chain_head select * from head_before").await;
    }
    assert_eq!(log.verified().await, log.whole(30, None), "the control");

    // What a line was decided on is linked as all else of it.
    let with_facts = "select min(seq) from access_line where facts <> ''";
    let at = number(look, with_facts).await;
    meddle(
        look,
        &format!("update access_line set facts = facts || ' ' where seq = {at}"),
    )
    .await;
    assert_eq!(log.wrong().await, Some((at, Wrong::Changed)), "facts");
    meddle(look, "delete from access_line").await;
    meddle(look, "insert into access_line select * from line_before").await;

    // Whoever can compute hashes rewrites all of it; the signature is another's.
    meddle(look, "update access_line set withheld = '' where seq = 7").await;
    let scope = operator(&log.town.world.db, log.town.world.now).await.unwrap();
    let mut before = chain::BEGINNING;
    for (seq, _, line) in chain::linked(&log.town.apart, &scope, log.town.first, (0, 99))
        .await
        .unwrap()
    {
        before = chain::link(&before, seq, &line);
        let text = "update access_line set hash = $1 where seq = $2";
        let values = [before.to_vec().into(), seq.into()];
        look.execute_raw(Statement::from_sql_and_values(
            look.get_database_backend(),
            text,
            values,
        ))
        .await
        .unwrap();
    }
    let text = "update chain_head set hash = (select l.hash from access_line l where l.seq = chain_head.seq)";
    meddle(look, text).await;
    assert_eq!(log.wrong().await, Some((30, Wrong::NotSigned)));
});

/// No role that serves can change or remove a line: the database refuses it.
#[test]
fn a_line_is_only_ever_added() {
    use crate::support::database::run_test;
    run_test(
        TestDatabase::migrated(Backend::Postgres),
        async |database: &TestDatabase| {
            let log = Log::of(database, 2).await;
            log.sealer().await.round().await.unwrap();
            let mut options = sea_orm::ConnectOptions::new(&database.apart);
            let role = sea_orm::Database::connect(options.set_schema_search_path("secrecy").max_connections(1).clone())
                .await
                .unwrap();
            let clb = log.town.first.0;
            meddle(&role, &format!("select set_config('clb_hub.clbs', '{clb}', false)")).await;
            assert_eq!(
                number(&role, "select count(*) from access_line").await,
                2,
                "the control: they are in reach"
            );
            for change in [
                "update access_line set withheld = ''",
                "update access_line set at = now()",
                "delete from access_line",
                "truncate access_line",
            ] {
                assert!(role.execute_unprepared(change).await.is_err(), "{change}");
            }
            role.close().await.unwrap();
            assert_eq!(
                list::<String>(&log.look, "select distinct withheld from access_line")
                    .await
                    .len(),
                1
            );
        },
    );
}

#[test]
fn a_head_never_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("heads");
    Heads::make(folder.path(), &place).unwrap();
    let heads = Heads::open(folder.path(), &place).unwrap();
    let clb = ClbId(uuid::Uuid::from_u128(0xc1b));
    let head = |seq: i64, byte: u8| Head {
        clb,
        seq,
        hash: [byte; 32],
    };
    assert_eq!(heads.last(clb).unwrap(), None);
    heads.put(&[head(5, 1)]).unwrap();
    heads.put(&[head(5, 1)]).unwrap();
    heads.put(&[head(9, 2)]).unwrap();
    for back in [head(8, 3), head(9, 3)] {
        assert!(matches!(heads.put(&[back]), Err(HeadError::Behind { signed: 9, .. })));
    }
    assert_eq!(heads.last(clb).unwrap(), Some(head(9, 2)));
    // By hand, or by another's key, or of another CLB: not believed.
    let file = place.join(format!("{}.head", clb.0.simple()));
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(" 9 ", " 8 ")).unwrap();
    assert!(matches!(heads.last(clb), Err(HeadError::Forged { .. })));
    let other = ClbId(uuid::Uuid::from_u128(0xc1c));
    std::fs::write(place.join(format!("{}.head", other.0.simple())), &text).unwrap();
    assert!(matches!(heads.last(other), Err(HeadError::Forged { .. })));
    std::fs::write(&file, &text).unwrap();
    let strange = tempfile::tempdir().unwrap();
    Heads::make(strange.path(), &place).unwrap();
    let strange = Heads::open(strange.path(), &place).unwrap();
    assert!(matches!(strange.last(clb), Err(HeadError::Forged { .. })));
}

pub(crate) async fn post(address: &str, token: &str, question: &str) -> Value {
    let body = json!({ "query": question }).to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         authorization: Bearer {token}\r\nclb-purpose: guidance\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

// The binary: it serves dossiers, links their log as it goes, and tells when somebody was at it.
both_databases!(a_hub_links_as_it_serves, async |database: &TestDatabase| {
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    let clb = world.clb("114711").await;
    let school = world
        .school("123456", clb, hub_entities::category::Categories::default_agreement())
        .await;
    let pupil = world.pupils(school, &[("a", born("2012-05-01"))]).await[0].1;
    world.keeps_dossiers(clb).await;
    let worker = world.worker(clb, Discipline::Psychologist).await;
    let director = world.someone(Role::ClbDirector, None, Some(clb)).await;
    let (name, audience) = ("https://issuer.example", "https://hub.example/graphql");
    let provider = Provider::new(name, audience).await;
    let folder = Folder::installed(&database.as_role(APP), name, audience, &provider.keys);
    let config = std::fs::read_to_string(folder.at("clb-hub.toml")).unwrap();
    let strong = "jwks_url = ";
    let config = config.replace(
        strong,
        &format!("assurance = [\"urn:be:vlaanderen:authmech:eid\"]\n{strong}"),
    );
    let secrecy = format!(
        "[secrecy]\nurl = \"{}\"\nkey_folder = \"keys\"\nhead_folder = \"heads\"\n",
        database.apart
    );
    std::fs::write(folder.at("clb-hub.toml"), format!("{config}{secrecy}")).unwrap();
    folder.run(&["keys", "--config", "clb-hub.toml"]);
    let serving = folder.serve(&[]);
    let question = format!(
        "{{ dossier(pupilId: \"{pupil}\") {{ learning {{ trajectories {{ ... on Withheld {{ code }} ... on GrantedTrajectories {{ value {{ id }} }} }} }} }} }}"
    );
    for (viewer, expected) in [
        (&worker, json!({ "code": "NOT_IN_TEAM" })),
        (&director, json!({ "value": [] })),
    ] {
        let answer = post(&serving.address, &provider.token(&subject(viewer)), &question).await;
        assert_eq!(
            answer["data"]["dossier"]["learning"]["trajectories"], expected,
            "{answer}"
        );
    }
    let verify = ["audit", "verify", "--config", "clb-hub.toml"];
    // Until it has linked them: within a second, while it serves.
    let told = loop {
        let told = String::from_utf8(folder.output(&verify).stdout).unwrap();
        if told.contains("2 lines, all whole; signed up to line 2; none waits") {
            break told;
        }
    };
    assert!(told.starts_with(&clb.to_string()), "{told}");
    drop(serving);
    let look = database.look_apart().await;
    meddle(&look, "update access_line set withheld = '' where seq = 1").await;
    look.close().await.unwrap();
    let output = folder.output(&verify);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.contains("WRONG: line 1 was changed") && !output.status.success(),
        "{told}"
    );
});
