//! From one store to the other: what the main store decided is done in the secrecy store once in effect, in its order,
//! wherever it is cut off (design §4, across stores). First of it: a signal that obliges, and the guidance it begins.

use clb_hub::custody::intents::Applier;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::id::{PrincipalId, PupilId, RecordId, SignalId};
use hub_entities::operation::Actor;
use hub_entities::signal::{signal_id, truancy_key};
use hub_entities::time::SchoolYear;
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};

use crate::dossier::{AT, GUIDANCE, Staff, go_on, id_of};
use crate::support::coverage::Door;
use crate::support::database::{Backend, both_databases};
use crate::support::look::{list, meddle, number};
use crate::support::town::Town;
use crate::support::world::am;

const WELLBEING: &str = "wellbeing {
    trajectories { __typename ... on GrantedTrajectories { value { id domain phase state askedBy obligation lapsedAt openedAt
        closedAt version team { workerId begins ends } } } }
    consents { ... on GrantedConsents { guidance { trajectoryId standing next } } } }";

fn raised(kind: &str, pupil: PupilId, generation: i32) -> SignalId {
    signal_id(&truancy_key(kind, pupil, SchoolYear(2026)), generation)
}

/// A worker takes a signal up.
pub(crate) async fn accept(town: &Town, by: &Actor, signal: SignalId) {
    let question = format!("mutation {{ acceptSignal(input: {{ signal: \"{signal}\" }}) {{ __typename }} }}");
    let answer = town.ask(by, &question).await;
    assert_eq!(answer["acceptSignal"]["__typename"], "SignalStepped", "{signal}");
}

/// North says otherwise of the fifth half-day of a pupil: with another code the signal is withdrawn, with B raised again.
pub(crate) async fn fifth(town: &Town, key: &str, code: Code) {
    let records: Vec<RecordId> = list(
        &town.world.look,
        &format!("select id from record where source_key = '{key}' and school_id in (select id from school where institution_number = '123456')"),
    )
    .await;
    town.world
        .say(town.north, &[(records[0], am("2026-09-04"), Reading::Absent(code))])
        .await;
}

async fn wellbeing(town: &Town, by: &Actor, pupil: PupilId) -> Value {
    let question = format!("{{ dossier(pupilId: \"{pupil}\") {{ {WELLBEING} }} }}");
    town.ask_for(by, GUIDANCE, true, &question).await["dossier"]["wellbeing"].take()
}

/// What obliged and was taken back is brought out.
pub(crate) async fn brought_out(door: &mut Door<'_>, staff: &Staff) {
    let town = door.town;
    fifth(town, "bo", Code::B).await;
    accept(town, &town.viewers.first, raised("truancy.5", town.bo, 2)).await;
    fifth(town, "bo", Code::Z).await;
    assert_eq!(town.applier().await.round().await.unwrap(), 2);
    let question = format!("{{ dossier(pupilId: \"{}\") {{ {WELLBEING} }} }}", town.bo);
    let answer = door.ask_for(&staff.anchor, GUIDANCE, &question).await;
    assert_eq!(
        answer["dossier"]["wellbeing"]["trajectories"]["value"][0]["lapsedAt"],
        AT
    );
}

/// How many intents wait.
async fn waiting(town: &Town) -> i64 {
    number(&town.world.look, "select count(*) from intent where applied_at is null").await
}

// Issue 4.2: a signal that the CLB takes up begins guidance that cannot be refused; withdrawn, the worker is asked to
// obtain consent or to close; raised and taken up again, it obliges again.
both_databases!(an_accepted_signal_begins_guidance, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let staff = Staff::anchored(&town).await;
    let (worker, anchor, applier) = (&town.viewers.first, &staff.anchor, town.applier().await);
    accept(&town, worker, raised("truancy.5", town.ada, 1)).await;
    let before = wellbeing(&town, anchor, town.ada).await;
    assert_eq!(before["trajectories"]["__typename"], "Withheld");
    assert_eq!(applier.round().await.unwrap(), 1);
    assert_eq!((applier.round().await.unwrap(), waiting(&town).await), (0, 0));

    let began = wellbeing(&town, anchor, town.ada).await;
    let id = began["trajectories"]["value"][0]["id"].clone();
    let expected = |version: i32, lapsed: Value| {
        json!([{
            "id": id, "domain": "WELLBEING", "phase": "EXTENDED_CARE", "state": "OPEN", "askedBy": "SCHOOL",
            "obligation": "COMPULSORY_EDUCATION", "lapsedAt": lapsed, "openedAt": AT, "closedAt": null,
            "version": version, "team": [{ "workerId": id_of(anchor).to_string(), "begins": "2026-10-01", "ends": null }],
        }])
    };
    let next = |standing: &str, next: Value| json!([{ "trajectoryId": id, "standing": standing, "next": next }]);
    assert_eq!(began["trajectories"]["value"], expected(1, Value::Null));
    assert_eq!(began["consents"]["guidance"], next("NOT_NEEDED", Value::Null));
    let look = database.look_apart().await;
    let line = "select granted from access_line where action = 'open_trajectory' and purpose = 'compulsory_education'";
    assert_eq!(list::<String>(&look, line).await, ["secret.wellbeing=accepted-signal"]);
    let by: Vec<PrincipalId> = list(
        &look,
        "select principal_id from access_line where action = 'open_trajectory'",
    )
    .await;
    assert_eq!(by, [id_of(worker)], "who took it up stands in the log");

    // The school was mistaken: nothing obliges any more, so it cannot go on without consent.
    fifth(&town, "ada", Code::Z).await;
    assert_eq!(applier.round().await.unwrap(), 1);
    let lapsed = wellbeing(&town, anchor, town.ada).await;
    assert_eq!(lapsed["trajectories"]["value"], expected(2, json!(AT)));
    assert_eq!(lapsed["consents"]["guidance"], next("MISSING", json!("ASK_OR_CLOSE")));
    let id_text = id.as_str().unwrap();
    let moved = go_on(id_text, 2, "phase: ADAPTED_CURRICULUM");
    let moved = town.ask_for(anchor, GUIDANCE, true, &moved).await;
    assert_eq!(
        moved["moveTrajectory"],
        json!({ "__typename": "NotPossible", "reason": "STATE" })
    );
    // And right after all: the same course, obligatory again.
    fifth(&town, "ada", Code::B).await;
    accept(&town, worker, raised("truancy.5", town.ada, 2)).await;
    assert_eq!(applier.round().await.unwrap(), 1);
    let again = wellbeing(&town, anchor, town.ada).await;
    assert_eq!(again["trajectories"]["value"], expected(3, Value::Null));
    assert_eq!(again["consents"]["guidance"], next("NOT_NEEDED", Value::Null));

    // What was closed stays closed: the next one begins anew.
    let closed = town
        .ask_for(anchor, GUIDANCE, true, &go_on(id_text, 3, "close: true"))
        .await;
    assert_eq!(closed["moveTrajectory"]["version"], 4);
    fifth(&town, "ada", Code::Z).await;
    fifth(&town, "ada", Code::B).await;
    accept(&town, worker, raised("truancy.5", town.ada, 3)).await;
    assert_eq!(applier.round().await.unwrap(), 2, "lapsed, and begun");
    let anew = wellbeing(&town, anchor, town.ada).await;
    let states: Vec<&str> = anew["trajectories"]["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["CLOSED", "OPEN"]);
    look.close().await.unwrap();
});

// Only what obliges begins anything, and only where the hub keeps the dossiers of the CLB that took it up.
both_databases!(nothing_else_begins_guidance, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let (second, look) = (&town.viewers.second, &town.world.look);
    let count = "select count(*) from intent";
    accept(&town, second, raised("truancy.5", town.dre, 1)).await;
    assert_eq!(number(look, count).await, 0, "its dossiers are kept elsewhere");
    town.world.keeps_dossiers(town.second).await;
    accept(&town, second, raised("truancy.30", town.dre, 1)).await;
    assert_eq!(number(look, count).await, 0, "it informs, and does not oblige");
    // The school reports what its CLB has yet to take up.
    let report = format!(
        "mutation {{ reportSignal(input: {{ signal: \"{}\" }}) {{ __typename }} }}",
        raised("truancy.5", town.ella, 1)
    );
    assert_eq!(
        town.ask(&town.viewers.south, &report).await["reportSignal"]["__typename"],
        "SignalStepped"
    );
    assert_eq!(number(look, count).await, 0, "the school does not begin it");
    accept(&town, second, raised("truancy.5", town.ella, 1)).await;
    assert_eq!(number(look, count).await, 1, "the control");
    // Without an anchor it begins all the same: the director sees it and puts a worker in its team.
    assert_eq!(town.applier().await.round().await.unwrap(), 1);
    let seen = wellbeing(&town, &town.viewers.second_director, town.ella).await;
    assert_eq!(seen["trajectories"]["value"][0]["team"], json!([]), "{seen}");
});

/// From now on this fails in the database.
async fn break_updates(look: &DatabaseConnection, backend: Backend) {
    if backend == Backend::Sqlite {
        let trigger = "create trigger fails before update on intent begin select raise(abort, 'no'); end";
        meddle(look, trigger).await;
    } else {
        let function =
            "create function fails() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$";
        meddle(look, function).await;
        meddle(
            look,
            "create trigger fails before update on intent for each row execute function fails()",
        )
        .await;
    }
}

async fn mend_updates(look: &DatabaseConnection, backend: Backend) {
    let drop = if backend == Backend::Sqlite {
        "drop trigger fails"
    } else {
        "drop trigger fails on intent"
    };
    meddle(look, drop).await;
}

// Design §4: cut off between the two stores on either side, it is done when it is tried again, and done once.
both_databases!(
    cut_off_on_either_side_it_is_done_once,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        Staff::anchored(&town).await;
        let (applier, apart) = (town.applier().await, database.look_apart().await);
        let counted = async || {
            let mut counts = Vec::new();
            for table in ["trajectory", "team_member", "intent_done", "access_line"] {
                counts.push(number(&apart, &format!("select count(*) from {table}")).await);
            }
            counts
        };
        accept(&town, &town.viewers.first, raised("truancy.5", town.ada, 1)).await;

        // The secrecy store fails half-way: nothing of it is there, and the main store still waits.
        meddle(&apart, "alter table team_member rename to team_member_gone").await;
        applier.round().await.unwrap_err();
        meddle(&apart, "alter table team_member_gone rename to team_member").await;
        assert_eq!((counted().await, waiting(&town).await), (vec![0, 0, 0, 0], 1));

        // The secrecy store has committed, and the main store is not told of it.
        break_updates(&town.world.look, database.backend).await;
        applier.round().await.unwrap_err();
        assert_eq!((counted().await, waiting(&town).await), (vec![1, 1, 1, 1], 1));
        // Whoever takes over finds it done: another process, as this one is gone.
        mend_updates(&town.world.look, database.backend).await;
        let other = town.applier().await;
        assert_eq!(other.round().await.unwrap(), 0, "it was done before");
        assert_eq!((counted().await, waiting(&town).await), (vec![1, 1, 1, 1], 0));
        apart.close().await.unwrap();
    }
);

// Those about one pupil keep their order, whatever fails of them; and one that fails keeps no other pupil's waiting.
both_databases!(each_pupil_keeps_its_order, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    Staff::anchored(&town).await;
    let (worker, applier, apart) = (&town.viewers.first, town.applier().await, database.look_apart().await);
    accept(&town, worker, raised("truancy.5", town.ada, 1)).await;
    fifth(&town, "ada", Code::Z).await;
    fifth(&town, "bo", Code::B).await;
    accept(&town, worker, raised("truancy.5", town.bo, 2)).await;
    let seqs = "select seq from intent where kind = 'obligation.lapses' and seq = 2";
    assert_eq!(list::<i32>(&town.world.look, seqs).await, [2]);
    // Nothing of Ada can be begun; what was begun for her could lapse.
    let mine = match database.backend {
        Backend::Sqlite => format!("x'{}'", town.ada.0.simple()),
        Backend::Postgres => format!("'{}'", town.ada.0),
    };
    let refuse = match database.backend {
        Backend::Sqlite => format!(
            "create trigger fails before insert on access_line when new.pupil_id = {mine} and new.action = 'open_trajectory' begin select raise(abort, 'no'); end"
        ),
        Backend::Postgres => format!(
            "create function secrecy.fails() returns trigger language plpgsql as $$ begin
             if new.pupil_id = {mine} and new.action = 'open_trajectory' then raise exception 'no'; end if; return new; end $$"
        ),
    };
    meddle(&apart, &refuse).await;
    if database.backend == Backend::Postgres {
        meddle(
            &apart,
            "create trigger fails before insert on access_line for each row execute function secrecy.fails()",
        )
        .await;
    }
    let mut failures = 0;
    for _ in 0..3 {
        failures += i32::from(applier.round().await.is_err());
    }
    assert_eq!(failures, 3, "Ada's is tried each time");
    assert_eq!(waiting(&town).await, 2);
    let of: Vec<PupilId> = list(&apart, "select pupil_id from trajectory").await;
    assert_eq!(of, [town.bo], "Bo's did not wait for it");
    let drop = if database.backend == Backend::Sqlite {
        "drop trigger fails"
    } else {
        "drop trigger fails on access_line"
    };
    meddle(&apart, drop).await;
    assert_eq!(applier.round().await.unwrap(), 2);
    let lapsed = "select count(*) from trajectory where lapsed_at is not null";
    assert_eq!(number(&apart, lapsed).await, 1, "begun, and then lapsed");
    apart.close().await.unwrap();
});

// Several replicas serve: one applies, and what it does is done once.
both_databases!(two_appliers_do_it_once, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    Staff::anchored(&town).await;
    let apart = database.look_apart().await;
    accept(&town, &town.viewers.first, raised("truancy.5", town.ada, 1)).await;
    let (one, other): (Applier, Applier) = (town.applier().await, town.applier().await);
    let (first, second) = futures::future::join(one.round(), other.round()).await;
    assert_eq!(first.unwrap() + second.unwrap(), 1);
    assert_eq!(number(&apart, "select count(*) from trajectory").await, 1);
    assert_eq!(waiting(&town).await, 0);
    apart.close().await.unwrap();
});

// A dossier stays with the pupil it was begun for: so does what lapses in it.
both_databases!(what_lapses_follows_what_began, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    Staff::anchored(&town).await;
    let (applier, apart) = (town.applier().await, database.look_apart().await);
    accept(&town, &town.viewers.first, raised("truancy.5", town.ada, 1)).await;
    assert_eq!(applier.round().await.unwrap(), 1);
    let tie = format!(
        "mutation {{ mergePupils(input: {{ pupil: \"{}\", into: \"{}\", reason: \"same\" }}) {{ __typename }} }}",
        town.ada, town.bo
    );
    let tied = town.ask(&town.viewers.north_manager, &tie).await;
    assert_eq!(tied["mergePupils"]["__typename"], "PupilMergeDecided");
    // The signal of Ada's own key is gone with her: the one of both is another.
    assert_eq!(applier.round().await.unwrap(), 1);
    let of: Vec<PupilId> = list(&apart, "select pupil_id from trajectory where lapsed_at is not null").await;
    assert_eq!(of, [town.ada]);
    apart.close().await.unwrap();
});
