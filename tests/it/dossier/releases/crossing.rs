//! From the secrecy store to the main store: a copy comes once and goes for good, wherever it is cut off; it opens in its own
//! place alone; and it goes with the dossier and its keys (design §4; R17, R29, R30).

use clb_hub::custody::Custody;
use clb_hub::keys::file_vault::FileVault;
use clb_hub::register::operator;
use clb_hub::store::Secrets;
use clb_hub::store::secret::wrapped::Stores;
use sea_orm::DatabaseConnection;

use super::{AT_SCHOOL, GUIDANCE, RELEASED, care_team, guided, kept, made, revoke, titles};
use crate::support::database::{Backend, both_databases};
use crate::support::look::{list, meddle, number};
use crate::support::town::Town;

/// From now on rows of this table are not written.
pub(in crate::dossier) async fn break_writes(look: &DatabaseConnection, backend: Backend, (when, table): (&str, &str)) {
    if backend == Backend::Sqlite {
        let trigger = format!("create trigger fails before {when} on {table} begin select raise(abort, 'no'); end");
        meddle(look, &trigger).await;
    } else {
        let function = "create or replace function fails() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$";
        meddle(look, function).await;
        let trigger = format!("create trigger fails before {when} on {table} for each row execute function fails()");
        meddle(look, &trigger).await;
    }
}

pub(in crate::dossier) async fn mend_writes(look: &DatabaseConnection, backend: Backend, table: &str) {
    let drop = if backend == Backend::Sqlite {
        "drop trigger fails".to_owned()
    } else {
        format!("drop trigger fails on {table}")
    };
    meddle(look, &drop).await;
}

/// How many of what the main store has to follow wait, and how many of them hold a copy.
async fn waiting(apart: &DatabaseConnection) -> (i64, i64) {
    let wait = number(apart, "select count(*) from release_intent where applied_at is null").await;
    let hold = "select count(*) from release_intent where sealed is not null or wrapped is not null";
    (wait, number(apart, hold).await)
}

// Cut off on either side it comes once, and goes for good.
both_databases!(
    a_copy_cut_off_comes_once_and_goes_for_good,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let (guided, _) = guided(&town).await;
        let (care, apart, look) = (care_team(&town).await, database.look_apart().await, &town.world.look);
        let applier = town.applier().await;
        let id = made(&town, &guided, RELEASED, "").await;
        assert_eq!(waiting(&apart).await, (1, 1));
        // The main store fails: nothing is shown, and the secrecy store still waits.
        break_writes(look, database.backend, ("insert", "released")).await;
        applier.round().await.unwrap_err();
        mend_writes(look, database.backend, "released").await;
        assert_eq!((waiting(&apart).await, kept(&town).await.len()), ((1, 1), 0));
        // It has committed, and the secrecy store is not told of it; whoever takes over finds it done.
        break_writes(&apart, database.backend, ("update", "release_intent")).await;
        applier.round().await.unwrap_err();
        assert_eq!(titles(&town, &care).await, [RELEASED[0]]);
        mend_writes(&apart, database.backend, "release_intent").await;
        meddle(&apart, "create table before_intent as select * from release_intent").await;
        assert_eq!(town.applier().await.round().await.unwrap(), 1);
        assert_eq!(
            (kept(&town).await, waiting(&apart).await),
            (vec!["there".to_owned()], (0, 0))
        );

        // The same of taking it back; several replicas at it do it once.
        town.ask_for(&guided.staff.psychologist, GUIDANCE, true, &revoke(&id, 1))
            .await;
        break_writes(&apart, database.backend, ("update", "release_intent")).await;
        applier.round().await.unwrap_err();
        assert_eq!(kept(&town).await, ["gone"]);
        mend_writes(&apart, database.backend, "release_intent").await;
        let (one, other) = (town.applier().await, town.applier().await);
        let (first, second) = futures::future::join(one.round(), other.round()).await;
        assert_eq!(first.unwrap() + second.unwrap(), 1);
        // A copy that comes late, as one that another process had read before, does not come back.
        meddle(&apart, "delete from release_intent where kind = 'show'").await;
        meddle(&apart, "insert into release_intent select * from before_intent").await;
        assert_eq!(waiting(&apart).await, (1, 1));
        assert_eq!(town.applier().await.round().await.unwrap(), 1);
        assert_eq!(
            (titles(&town, &care).await.len(), kept(&town).await),
            (0, vec!["gone".to_owned()])
        );
        // Nor does one that was taken back before it set out.
        let id = made(&town, &guided, RELEASED, "").await;
        town.ask_for(&guided.staff.psychologist, GUIDANCE, true, &revoke(&id, 1))
            .await;
        assert_eq!(waiting(&apart).await, (1, 0), "the copy is gone from here at once");
        assert_eq!(town.applier().await.round().await.unwrap(), 1);
        assert_eq!(kept(&town).await, ["gone", "gone"]);
        apart.close().await.unwrap();
    }
);

// R17: made another's, another school's or prolonged, it opens nothing.
both_databases!(a_copy_opens_in_its_own_place, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let (guided, _) = guided(&town).await;
    let (care, look) = (care_team(&town).await, &town.world.look);
    made(&town, &guided, RELEASED, "").await;
    made(&town, &guided, ["other", "advice", "purpose"], "endsOn: \"2026-11-01\"").await;
    town.applier().await.round().await.unwrap();
    assert_eq!(titles(&town, &care).await.len(), 2, "the control");
    meddle(look, "create table before_released as select * from released").await;
    let question = format!("{{ releases(first: 9) {{ {AT_SCHOOL} }} }}");
    let swapped = |columns: &str| {
        let set: Vec<String> = columns
            .split(' ')
            .map(|column| format!("{column} = (select o.{column} from before_released o where o.id <> released.id)"))
            .collect();
        format!("update released set {}", set.join(", "))
    };
    let bo = match database.backend {
        Backend::Sqlite => format!("x'{}'", town.bo.0.simple()),
        Backend::Postgres => format!("'{}'", town.bo.0),
    };
    for changed in [
        // Another release's words, with their key.
        swapped("sealed text_key kek_version wrapped"),
        swapped("sealed"),
        swapped("wrapped"),
        // Prolonged.
        "update released set ends_on = '2027-01-01'".to_owned(),
        // About another pupil of the school.
        format!("update released set pupil_id = {bo}"),
    ] {
        assert_eq!(meddle(look, &changed).await, 2, "{changed}");
        let answer = town.answer(&care, &question).await;
        assert!(answer["data"].is_null(), "{changed} {answer}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{changed}");
        let back =
            |column: &str| format!("{column} = (select o.{column} from before_released o where o.id = released.id)");
        let columns = [
            "sealed",
            "text_key",
            "kek_version",
            "wrapped",
            "ends_on",
            "pupil_id",
            "school_id",
        ];
        let back: Vec<String> = columns.into_iter().map(back).collect();
        meddle(look, &format!("update released set {}", back.join(", "))).await;
        assert_eq!(titles(&town, &care).await.len(), 2, "{changed}");
    }
    // Another school's, where the pupil is too: what is sealed says whose it is.
    let other = "update released set school_id = (select id from school where institution_number = '123458')";
    meddle(look, other).await;
    let enrolled = "update enrolment set school_id = (select id from school where institution_number = '123458')
         where record_id in (select id from record where source_key = 'ada')";
    meddle(look, enrolled).await;
    let south = town
        .world
        .someone(hub_entities::operation::Role::SchoolCareTeam, Some(town.south.id), None)
        .await;
    let answer = town.answer(&south, &question).await;
    assert!(
        answer["data"].is_null() && !answer.to_string().contains(RELEASED[0]),
        "{answer}"
    );
});

// R29: what was erased is hidden and gone at once, on its way too; a backup of the main store brings it back seen. R30: a
// rotation reaches copies wherever they are.
both_databases!(
    a_copy_goes_with_the_dossier_and_its_keys,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let (guided, _) = guided(&town).await;
        let (care, look, apart) = (care_team(&town).await, &town.world.look, database.look_apart().await);
        made(&town, &guided, RELEASED, "").await;
        town.applier().await.round().await.unwrap();
        made(&town, &guided, ["on its way", "advice", "purpose"], "").await;
        let custody = Custody::open(&town.world.db, &town.apart, town.world.now)
            .await
            .unwrap();
        // Of the dossier, of the copy that is there, and of the one on its way. Cut off after the first, the rotation goes on
        // and makes no further version.
        let scope = operator(&town.world.db, town.world.now).await.unwrap();
        assert_eq!(FileVault::make_next(&town.keys).unwrap(), 2);
        let stores = Stores {
            db: &town.world.db,
            apart: &town.apart,
            clbs: &[town.first],
        };
        let vault = FileVault::open(&town.keys).unwrap();
        assert_eq!(stores.wrap_some(&scope, &vault, 2, 1).await.unwrap(), 1);
        let rotated = custody.rotate(&town.keys).await.unwrap();
        assert_eq!((rotated.version, rotated.keys, rotated.resumed), (2, 2, true));
        std::fs::remove_file(town.keys.join("kek-1")).unwrap();
        assert_eq!(list::<i32>(look, "select kek_version from released").await, [2]);
        let vault = FileVault::open(&town.keys).unwrap();
        let secrets = Secrets::new(town.apart.clone(), std::sync::Arc::new(vault));
        let applier = town.applier_with(secrets).await;
        assert_eq!(titles(&town, &care).await, [RELEASED[0]]);

        meddle(look, "create table before_released as select * from released").await;
        let erased = custody
            .shred(&town.keys, town.first, town.ada, &*town.world.ids)
            .await
            .unwrap();
        assert!(erased);
        // Before anything else had its turn.
        assert_eq!(titles(&town, &care).await, Vec::<String>::new());
        assert_eq!(
            (kept(&town).await, waiting(&apart).await),
            (vec!["gone".to_owned()], (2, 0))
        );
        assert_eq!(number(&apart, "select count(*) from school_release").await, 0);
        assert_eq!(
            number(
                &apart,
                "select count(*) from release_intent where kind = 'show' or pupil_id is not null"
            )
            .await,
            0
        );
        assert_eq!(applier.round().await.unwrap(), 2);
        assert_eq!(kept(&town).await, ["gone", "gone"]);
        assert_eq!(custody.restored(&town.keys).await.unwrap(), 0);
        // Yesterday's backup of the main store is put back: it is seen, and erased again.
        let back = "update released set pupil_id = b.pupil_id, school_id = b.school_id, released_at = b.released_at,
         ends_on = b.ends_on, text_key = b.text_key, kek_version = b.kek_version, wrapped = b.wrapped, sealed = b.sealed,
         gone_at = null from before_released b where b.id = released.id";
        assert_eq!(meddle(look, back).await, 1);
        assert_eq!(custody.restored(&town.keys).await.unwrap(), 1);
        let again = custody
            .shred(&town.keys, town.first, town.ada, &*town.world.ids)
            .await
            .unwrap();
        assert!(again);
        assert_eq!(
            (custody.restored(&town.keys).await.unwrap(), kept(&town).await),
            (0, vec!["gone".to_owned(); 2])
        );
        assert!(
            !custody
                .shred(&town.keys, town.first, town.ada, &*town.world.ids)
                .await
                .unwrap(),
            "nothing is left"
        );
        apart.close().await.unwrap();
    }
);
