//! That a "no" tells nothing, that nothing leaves without a line, and that what was written lies nowhere in the open
//! (R04, R05, R11, R17, R25, R59).

use clb_hub::custody::Custody;
use clb_hub::custody::log::Sealer;
use clb_hub::keys::heads::Heads;
use hub_entities::id::{DecisionId, PrincipalId, PupilId, TrajectoryId};
use hub_entities::operation::Actor;
use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use serde_json::json;
use uuid::Uuid;

use super::asking::{self, WHY};
use super::consents::{self, NOTES};
use super::corrections::{self, SAID_OF_ENTRIES};
use super::emergencies::{self, NEED};
use super::exports;
use super::holds::{self, HELD};
use super::parents_log::{self, DANGER};
use super::referrals::{self, REFERRED};
use super::releases::{self, RELEASED};
use super::rights::{self, SAID_OF_RIGHTS};
use super::{CANARIES, GUIDANCE, Guided, all_of, correct, id_of, open, told, write};
use crate::guidance::SAID;
use crate::support::coverage::Door;
use crate::support::database::{Backend, TestDatabase, both_databases};
use crate::support::look::{list, meddle, number};
use crate::support::town::Town;

/// The answer and what it cost: statements of the main store and of the secrecy store.
pub(crate) async fn cost(town: &Town, viewer: &Actor, question: &str) -> (String, u64, u64) {
    // Who signs in is known already: what is read at a first sign-in tells of the viewer alone.
    town.ask(viewer, "{ viewer { role } }").await;
    let before = (town.world.db.statements(), town.apart.statements());
    let answer = town.answer_for(viewer, GUIDANCE, true, question).await;
    let after = (town.world.db.statements(), town.apart.statements());
    (answer.to_string(), after.0 - before.0, after.1 - before.1)
}

/// The answer with every decision's id replaced: they are random, and of one length.
pub(super) fn without_decisions(answer: &str) -> String {
    let mut parts = answer.split("dcn_");
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        assert!(part.as_bytes()[..32].iter().all(u8::is_ascii_hexdigit));
        out.push_str("dcn_");
        out.push_str(&part[32..]);
    }
    out
}

// Design §3: {foreign, unknown} are null, {nothing there, refused, never asked} one and the same Withheld.
both_databases!(a_no_tells_nothing, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let mut door = Door::new(&town, &[]);
    let guided = Guided::ada(&mut door).await;
    let staff = &guided.staff;
    // Bo is the CLB's too, and nobody ever wrote a word about him.
    for reader in [
        &staff.pedagogue,
        &staff.paramedic,
        &staff.psychologist,
        &staff.administration,
    ] {
        // What the reader is granted is told apart; the rest must not differ.
        let question = |pupil: PupilId| match id_of(reader) {
            id if id == id_of(&staff.psychologist) => format!(
                "{{ dossier(pupilId: \"{pupil}\") {{ wellbeing {{ entries {{ ... on Withheld {{ code canAsk decisionId }} }} }} }} }}"
            ),
            id if id == id_of(&staff.administration) => format!(
                "{{ dossier(pupilId: \"{pupil}\") {{ learning {{ entries {{ ... on Withheld {{ code canAsk decisionId }} }} }} }} }}"
            ),
            _ => all_of(pupil).replace("pupilId\n", ""),
        };
        let there = cost(&town, reader, &question(town.ada)).await;
        let nothing = cost(&town, reader, &question(town.bo)).await;
        assert!(there.0.contains("\"code\""), "{there:?}");
        assert_ne!(there.0, nothing.0, "each decision has an id of its own");
        assert_eq!(
            (without_decisions(&there.0), there.1, there.2),
            (without_decisions(&nothing.0), nothing.1, nothing.2),
            "{reader:?}"
        );
    }
    // Dre is another CLB's; nobody knows the other one. Of Ada the second CLB and the chat know as little.
    let nobody = PupilId(Uuid::from_u128(7));
    for (reader, foreign) in [
        (&staff.psychologist, town.dre),
        (&staff.director, town.dre),
        (&town.viewers.second_director, town.ada),
        (&town.viewers.chat, town.ada),
    ] {
        let of_foreign = cost(&town, reader, &all_of(foreign)).await;
        let of_nobody = cost(&town, reader, &all_of(nobody)).await;
        assert_eq!(of_foreign, of_nobody, "{reader:?}");
        assert_eq!(of_foreign.0, r#"{"data":{"dossier":null}}"#);
    }
    // Nor do steps tell: a trajectory of another team, of another CLB, of nobody.
    let unknown = TrajectoryId(Uuid::from_u128(9)).to_string();
    for (by, trajectory) in [
        (&staff.paramedic, &guided.learning),
        (&town.viewers.second, &guided.learning),
    ] {
        let of_foreign = cost(&town, by, &write(trajectory, "", "x")).await;
        let of_unknown = cost(&town, by, &write(&unknown, "", "x")).await;
        assert_eq!(of_foreign, of_unknown, "{by:?}");
        assert!(of_foreign.0.contains("UNKNOWN"), "{of_foreign:?}");
    }
    let foreign = cost(&town, &staff.anchor, &open(town.dre, "LEARNING")).await;
    assert_eq!(foreign, cost(&town, &staff.anchor, &open(nobody, "LEARNING")).await);
    // A CLB that keeps its dossiers elsewhere, or nowhere, has none here.
    let elsewhere = cost(&town, &town.viewers.second_director, &all_of(town.dre)).await;
    assert_eq!(elsewhere.0, r#"{"data":{"dossier":null}}"#);
});

/// The lines of the log, oldest first: who, about whom, what, granted, withheld.
async fn lines(look: &DatabaseConnection) -> Vec<(PrincipalId, PupilId, String, String, String)> {
    let text =
        "select principal_id, pupil_id, action, granted, withheld, clb_id from access_line order by at, request_id, id";
    let asked = sea_orm::Statement::from_string(look.get_database_backend(), text);
    let found = look.query_all_raw(asked).await.unwrap();
    let row = |row: &sea_orm::QueryResult| {
        (
            row.try_get_by_index(0).unwrap(),
            row.try_get_by_index(1).unwrap(),
            row.try_get_by_index(2).unwrap(),
            row.try_get_by_index(3).unwrap(),
            row.try_get_by_index(4).unwrap(),
        )
    };
    found.iter().map(row).collect()
}

// R04: one line per request and pupil, refusals, foreign and unknown ones included, in the asker's own log.
both_databases!(every_question_has_its_line, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let mut door = Door::new(&town, &[]);
    let guided = Guided::ada(&mut door).await;
    let staff = &guided.staff;
    let look = database.look_apart().await;
    let before = lines(&look).await;
    let steps: Vec<(&str, &str)> = before.iter().map(|line| (line.2.as_str(), line.3.as_str())).collect();
    for expected in [
        ("open_trajectory", "secret.learning=intake"),
        ("open_trajectory", "secret.health=intake"),
        ("assign_team", "secret.learning=planning"),
        ("write_entry", "secret.learning=team"),
        ("write_entry", "secret.medical=team"),
    ] {
        assert!(steps.contains(&expected), "{expected:?} {steps:?}");
    }
    assert_eq!(steps.len(), 5, "{steps:?}");
    let unknown = PupilId(Uuid::from_u128(7));
    let part = |pupil: PupilId| {
        format!(
            "{{ dossier(pupilId: \"{pupil}\") {{ learning {{ entries {{ ... on Withheld {{ decisionId }} ... on GrantedEntries {{ value {{ text }} }} }} }} medical {{ ... on Withheld {{ decisionId }} }} }} }}"
        )
    };
    for (reader, pupil, granted, withheld) in [
        (
            &staff.psychologist,
            town.ada,
            "secret.learning/entries=team",
            "secret.medical/entries=OTHER_DISCIPLINE",
        ),
        (
            &staff.director,
            town.bo,
            "",
            "secret.learning/entries=SECRECY secret.medical/entries=SECRECY",
        ),
        (
            &staff.nurse,
            town.dre,
            "",
            "secret.learning/entries=nothing secret.medical/entries=nothing",
        ),
        (
            &staff.nurse,
            unknown,
            "",
            "secret.learning/entries=nothing secret.medical/entries=nothing",
        ),
    ] {
        let earlier = lines(&look).await;
        let answer = town.answer_for(reader, GUIDANCE, true, &part(pupil)).await;
        let mut new = lines(&look).await;
        new.retain(|line| !earlier.contains(line));
        let expected = (
            id_of(reader),
            pupil,
            "read".to_owned(),
            granted.to_owned(),
            withheld.to_owned(),
        );
        assert_eq!(new, [expected]);
        // What a withheld field names is this very line.
        if let Some(decision) = answer["data"]["dossier"]["medical"]["decisionId"].as_str() {
            let decision: DecisionId = decision.parse().unwrap();
            let of: Vec<Uuid> = list(&look, "select id from access_line").await;
            assert!(of.contains(&decision.0));
        }
    }
    // All of it stands in the log of the asker's own CLB, and no line holds a value.
    let of: Vec<Uuid> = list(&look, "select distinct clb_id from access_line").await;
    assert_eq!(of, [town.first.0]);
    let said = format!("{:?}", lines(&look).await);
    assert!(!CANARIES.iter().any(|canary| said.contains(canary)), "{said}");
    look.close().await.unwrap();
});

// R04: no line, no secret: whether it cannot be written, or cannot be committed.
both_databases!(without_a_line_nothing_leaves, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let mut door = Door::new(&town, &[]);
    let guided = Guided::ada(&mut door).await;
    let reader = &guided.staff.psychologist;
    let look = database.look_apart().await;
    let ask = all_of(town.ada);
    let whole = town.answer_for(reader, GUIDANCE, true, &ask).await.to_string();
    assert!(whole.contains(CANARIES[0]), "the control: {whole}");
    let refused = json!({ "data": null, "errors": [{ "message": "the hub cannot answer now", "extensions": { "code": "UNAVAILABLE" } }] });
    let nothing = async |why: &str| {
        let mut answer = town.answer_for(reader, GUIDANCE, true, &ask).await;
        let written = town
            .answer_for(reader, GUIDANCE, true, &write(&guided.learning, "", "unlogged"))
            .await;
        for answer in [&mut answer, &mut written.clone()] {
            let error = answer["errors"][0].as_object_mut().unwrap();
            error.retain(|key, _| key == "message" || key == "extensions");
            assert_eq!(*answer, refused, "{why}");
        }
    };
    meddle(&look, "alter table access_line rename to access_line_gone").await;
    nothing("not written").await;
    meddle(&look, "alter table access_line_gone rename to access_line").await;
    // At the commit, and not before: the line and the values were read by then.
    if database.backend == Backend::Sqlite {
        meddle(&look, "create table nobody (id integer primary key)").await;
        meddle(
            &look,
            "create table due (id integer references nobody deferrable initially deferred)",
        )
        .await;
        meddle(
            &look,
            "create trigger fails after insert on access_line begin insert into due values (1); end",
        )
        .await;
    } else {
        let function =
            "create function fails() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$";
        meddle(&look, function).await;
        let trigger = "create constraint trigger fails after insert on access_line deferrable initially deferred
             for each row execute function fails()";
        meddle(&look, trigger).await;
    }
    nothing("not committed").await;
    assert_eq!(
        number(&look, "select count(*) from entry").await,
        2,
        "nothing was written without a line"
    );
    let drop = if database.backend == Backend::Sqlite {
        "drop trigger fails"
    } else {
        "drop trigger fails on access_line"
    };
    meddle(&look, drop).await;
    assert_eq!(
        told(&town.ask_for(reader, GUIDANCE, true, &ask).await["dossier"])[0],
        "1 [canary-of-learning]"
    );
    look.close().await.unwrap();
});

// R17: what was moved to another row opens nothing.
both_databases!(a_moved_value_opens_nothing, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let mut door = Door::new(&town, &[]);
    let guided = Guided::ada(&mut door).await;
    let staff = &guided.staff;
    door.ask_for(&staff.anchor, GUIDANCE, &write(&guided.learning, "", "another"))
        .await;
    let look = database.look_apart().await;
    let ask = all_of(town.ada);
    let taken = "update entry_text set text = (select o.text from entry_text o join entry e on e.id = o.entry_id
         where e.medical) where entry_id in (select id from entry where not medical)";
    assert_eq!(meddle(&look, taken).await, 2);
    let answer = town.answer_for(&staff.anchor, GUIDANCE, true, &ask).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAVAILABLE");
    assert!(answer["data"].is_null());
    look.close().await.unwrap();
});

/// Whether these bytes hold this text, as it is or in hex.
pub(crate) fn has(bytes: &[u8], what: &str) -> bool {
    let hex: Vec<String> = what.bytes().map(|byte| format!("{byte:02x}")).collect();
    let hex = hex.concat();
    [what, hex.as_str()]
        .iter()
        .any(|what| bytes.windows(what.len()).any(|window| window == what.as_bytes()))
}

/// Every byte of the secrecy store and of the main store, as their databases keep them.
pub(crate) async fn every_byte(database: &TestDatabase, town: &Town) -> Vec<(String, Vec<u8>)> {
    if database.backend == Backend::Sqlite {
        let folder = std::path::PathBuf::from(database.apart.trim_start_matches("sqlite://"));
        let files = std::fs::read_dir(folder.parent().unwrap()).unwrap();
        let files = files.map(|file| file.unwrap().path());
        return files
            .map(|file| (file.display().to_string(), std::fs::read(&file).unwrap()))
            .collect();
    }
    let mut all = Vec::new();
    for table in crate::support::schema::columns(database).await.into_keys() {
        let rows: Vec<String> = list(&town.world.look, &format!("select t::text from {table} t")).await;
        // What is binary is told in hex: a canary in it is looked for as such.
        all.push((table, rows.join("\n").into_bytes()));
    }
    all
}

/// Links the lines there are, so that the log has a head.
pub(crate) async fn sealed(town: &Town) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("heads");
    Heads::make(folder.path(), &place).unwrap();
    let custody = Custody::open(&town.world.db, &town.apart, town.world.now)
        .await
        .unwrap();
    let heads = Heads::open(folder.path(), &place).unwrap();
    assert_ne!(Sealer::new(custody, heads).round().await.unwrap(), 0);
}

// R05: what was written under secrecy is on the disk in no form, and in no answer to anyone who may not.
both_databases!(canaries_are_nowhere_else, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let mut door = Door::new(&town, &[]);
    let guided = Guided::ada(&mut door).await;
    let staff = &guided.staff;
    door.ask_for(&staff.psychologist, GUIDANCE, &correct(&guided.entry, 1, CANARIES[1]))
        .await;
    consents::noted(&mut door, &guided).await;
    referrals::noted(&mut door, &guided).await;
    releases::noted(&mut door, &guided).await;
    asking::brought_out(&mut door, &guided).await;
    emergencies::brought_out(&mut door, &guided).await;
    holds::brought_out(&mut door, &guided).await;
    rights::brought_out(&mut door, &guided, &[]).await;
    corrections::brought_out(&mut door, &guided).await;
    parents_log::brought_out(&mut door, &guided).await;
    crate::intents::brought_out(&mut door, staff).await;
    crate::guidance::brought_out(&mut door, staff).await;
    crate::transfers::brought_out(&mut door, staff).await;
    let all = every_byte(database, &town).await;
    for canary in CANARIES
        .into_iter()
        .chain(NOTES)
        .chain(REFERRED)
        .chain(SAID)
        .chain(RELEASED)
        .chain(SAID_OF_RIGHTS)
        .chain(SAID_OF_ENTRIES)
        .chain(HELD)
        .chain([WHY, NEED, DANGER])
        .chain(crate::transfers::CANARIES)
    {
        let found: Vec<&String> = all
            .iter()
            .filter(|(_, bytes)| has(bytes, canary))
            .map(|(place, _)| place)
            .collect();
        assert_eq!(found, Vec::<&String>::new(), "{canary}");
    }
    // The control: the same search finds what is not sealed, in either store.
    assert!(all.iter().any(|(_, bytes)| has(bytes, "Zeger")), "a name");
    assert!(
        all.iter().any(|(_, bytes)| has(bytes, "secret.learning=team")),
        "a line"
    );

    let ask = all_of(town.ada);
    let everyone = [
        &staff.director,
        &staff.administration,
        &staff.paramedic,
        &town.viewers.second,
        &town.viewers.second_director,
        &town.viewers.chat,
    ];
    for reader in everyone {
        let mut answer = town.answer_for(reader, GUIDANCE, true, &ask).await.to_string();
        answer += &town
            .answer_for(reader, GUIDANCE, true, &exports::export(town.ada))
            .await
            .to_string();
        let mut canaries = CANARIES
            .iter()
            .chain(&NOTES)
            .chain(&REFERRED)
            .chain(&SAID)
            .chain(&RELEASED)
            .chain(&SAID_OF_RIGHTS)
            .chain(&SAID_OF_ENTRIES)
            .chain(&HELD)
            .chain(&[WHY, NEED, DANGER]);
        assert!(!canaries.any(|canary| answer.contains(canary)), "{reader:?}");
    }
    // A school and an operator cannot even ask.
    for reader in [&town.viewers.north, &town.viewers.operator] {
        let answer = town.answer_for(reader, GUIDANCE, true, &ask).await;
        assert!(answer["data"].is_null() && answer["errors"][0]["message"].as_str().unwrap().contains("dossier"));
        assert!(!answer.to_string().contains("Did you mean"));
    }
    let own = town
        .answer_for(&staff.psychologist, GUIDANCE, true, &ask)
        .await
        .to_string();
    assert!(
        [CANARIES[1], NOTES[0], NOTES[1]]
            .iter()
            .all(|own_one| has(own.as_bytes(), own_one))
            && !has(own.as_bytes(), CANARIES[2]),
        "the control: {own}"
    );

    // R25 again, with a row in each table: without a named CLB none of them is there.
    if database.backend == Backend::Postgres {
        let mut options = sea_orm::ConnectOptions::new(&database.apart);
        let role = sea_orm::Database::connect(options.set_schema_search_path("secrecy").clone())
            .await
            .unwrap();
        let look = database.look_apart().await;
        sealed(&town).await;
        for table in crate::support::schema::columns(database).await.into_keys() {
            let Some(table) = table.strip_prefix("secrecy.") else {
                continue;
            };
            let count = format!("select count(*) from {table}");
            assert_ne!(number(&look, &count).await, 0, "{table}: the control");
            assert_eq!(number(&role, &count).await, 0, "{table}");
        }
        look.close().await.unwrap();
        role.close().await.unwrap();
    }
});
