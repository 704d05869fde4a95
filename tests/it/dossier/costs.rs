//! What a dossier costs is what it holds, however many others the CLB keeps and the worker guides: on PostgreSQL, which
//! counts the rows it reads.

use sea_orm::{ConnectionTrait as _, DatabaseConnection, TransactionTrait as _};

use super::consents::{answer, record};
use super::{GUIDANCE, Staff, all_of, open, told, write};
use crate::support::database::{Backend, SECRECY, TestDatabase, run_test};
use crate::support::look::{number, until};
use crate::support::town::Town;

const OTHERS: i64 = 5_000;
const TIMES: i64 = 10;

/// The server knows nothing of its tables yet and does not read them to know them meanwhile, has one plan for whatever is
/// asked, and looks nothing up in a table by reading all of it because that is small.
const UNKNOWING: &str = "do $$ declare plan text; known regclass; begin
     for known in select c.oid from pg_class c where c.relnamespace = 'secrecy'::regnamespace and c.relkind = 'r' loop
       execute format('alter table %s set (autovacuum_enabled = off)', known);
     end loop;
     foreach plan in array array['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin', 'enable_bitmapscan'] loop
       execute format('alter database %I set %I = off', current_database(), plan);
     end loop;
     execute format('alter database %I set plan_cache_mode = force_generic_plan', current_database());
   end $$";

/// So many dossiers like the one there is, of other pupils, with the same team.
const LIKE_IT: &str = "create temp table other on commit drop as
     select gen_random_uuid() pupil, gen_random_uuid() trajectory, gen_random_uuid() entry, gen_random_uuid() consent
     from generate_series(1, 5000);
   insert into trajectory select (jsonb_populate_record(t, jsonb_build_object('id', o.trajectory, 'pupil_id', o.pupil))).*
     from trajectory t, other o;
   insert into team_member select (jsonb_populate_record(m, jsonb_build_object('id', gen_random_uuid(),
     'pupil_id', o.pupil, 'trajectory_id', o.trajectory))).* from team_member m, other o;
   insert into entry select (jsonb_populate_record(e, jsonb_build_object('id', o.entry, 'pupil_id', o.pupil,
     'trajectory_id', o.trajectory))).* from entry e, other o;
   insert into entry_text select (jsonb_populate_record(x, jsonb_build_object('id', gen_random_uuid(),
     'entry_id', o.entry))).* from entry_text x, other o;
   insert into consent select (jsonb_populate_record(c, jsonb_build_object('id', o.consent, 'pupil_id', o.pupil,
     'trajectory_id', o.trajectory))).* from consent c, other o;
   insert into consent_said select (jsonb_populate_record(x, jsonb_build_object('id', gen_random_uuid(),
     'consent_id', o.consent))).* from consent_said x, other o";

/// How many rows and pages were read in the secrecy store, as far as the server was told; what was asked over this connection
/// itself is told now. An index that is read from its beginning shows in the pages alone.
async fn read(look: &DatabaseConnection) -> (i64, i64) {
    look.execute_unprepared("select pg_stat_force_next_flush()")
        .await
        .unwrap();
    let rows = "select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint from pg_stat_user_tables
         where schemaname = 'secrecy'";
    let pages = "select sum(heap_blks_hit + heap_blks_read + coalesce(idx_blks_hit + idx_blks_read, 0))::bigint
         from pg_statio_user_tables where schemaname = 'secrecy'";
    (number(look, rows).await, number(look, pages).await)
}

#[test]
fn a_dossier_is_read_by_what_it_holds() {
    run_test(TestDatabase::migrated(Backend::Postgres), async |database| {
        let look = database.look_apart().await;
        look.execute_unprepared(UNKNOWING).await.unwrap();
        let town = Town::new(database).await;
        let staff = Staff::anchored(&town).await;
        let by = &staff.anchor;
        let begun = town.ask_for(by, GUIDANCE, true, &open(town.ada, "LEARNING")).await;
        let trajectory = begun["openTrajectory"]["trajectoryId"].as_str().unwrap();
        let consent = record(trajectory, &answer("GUIDANCE", "PUPIL", "GIVEN", "2026-09-20"));
        let written = write(trajectory, "", "canary-of-learning");
        for step in [consent, written] {
            town.ask_for(by, GUIDANCE, true, &step).await;
        }
        let others = look.begin().await.unwrap();
        others.execute_unprepared(LIKE_IT).await.unwrap();
        others.commit().await.unwrap();
        let before = read(&look).await;
        for _ in 0..TIMES {
            let dossier = &town.ask_for(by, GUIDANCE, true, &all_of(town.ada)).await["dossier"];
            assert_eq!(told(dossier)[0], "1 [canary-of-learning]");
            assert_eq!(dossier["learning"]["consents"]["value"].as_array().unwrap().len(), 1);
        }
        // Closed, it has told the server of all it asked; what made the town and the one dossier is among it.
        town.apart.clone().close().await.unwrap();
        let open = format!(
            "select count(*) from pg_stat_activity where datname = current_database() and usename = '{SECRECY}'"
        );
        until("the server counts", async || number(&look, &open).await == 0).await;
        let after = read(&look).await;
        let (rows, pages) = (after.0 - before.0, after.1 - before.1);
        let of = format!("{rows} rows and {pages} pages were read {TIMES} times of one dossier beside {OTHERS} others");
        println!("{of}");
        assert!(rows > 5 * TIMES, "what is read is counted: {of}");
        assert!(rows < 40 * TIMES && pages < 120 * TIMES, "{of}");
    });
}

/// What relations are made of; the id of a place in a team is read with the team alone.
const OF_RELATIONS: &str = "clb_id, pupil_id, trajectory_id, principal_id, begins_on, ends_on";

#[test]
fn a_team_is_read_where_it_is_asked() {
    run_test(TestDatabase::migrated(Backend::Postgres), async |database| {
        let look = database.look_apart().await;
        let town = Town::new(database).await;
        let staff = Staff::anchored(&town).await;
        let by = &staff.anchor;
        town.ask_for(by, GUIDANCE, true, &open(town.ada, "LEARNING")).await;
        let taken = format!(
            "revoke select on team_member from {SECRECY}; grant select ({OF_RELATIONS}) on team_member to {SECRECY}"
        );
        look.execute_unprepared(&taken).await.unwrap();
        let of = |what: &str| {
            format!(
                "{{ dossier(pupilId: \"{}\") {{ learning {{ trajectories {{
                     ... on GrantedTrajectories {{ value {{ state {what} }} }} }} }} }} }}",
                town.ada
            )
        };
        let told = town.ask_for(by, GUIDANCE, true, &of("")).await;
        assert_eq!(told["dossier"]["learning"]["trajectories"]["value"][0]["state"], "OPEN");
        let whole = town.answer_for(by, GUIDANCE, true, &of("team { begins }")).await;
        assert_eq!(whole["errors"][0]["extensions"]["code"], "UNAVAILABLE");
    });
}
