//! The transfer of a dossier to the CLB of the pupil's new school (overdracht), by hand from domain facts §4.2: who is told,
//! who objects until when, and when nothing goes. What goes, and how, is in [`carried`].

mod carried;
mod commanded;
mod crossing;
mod held;
mod paged;
mod waiting;

use std::sync::Arc;

use clb_hub::custody::transfers::{Moved, Mover};
use clb_hub::store::roster::PupilSaid;
use hub_entities::id::PupilId;
use hub_entities::operation::{Actor, Discipline, Role};
use hub_entities::time::FixedClock;
use serde_json::{Value, json};

use crate::dossier::rights::{RIGHTS, take};
use crate::dossier::{GUIDANCE, Staff, open, step, write};
use crate::support::coverage::Door;
use crate::support::database::both_databases;
use crate::support::look::{list, number};
use crate::support::town::Town;
use crate::support::world::{School, at, born, day};

/// What stands in the guidance that may stay, in that which is obligatory, and in the objection: nowhere else.
const REST: &str = "canary-of-the-rest";
const OBLIGED: &str = "canary-of-what-obliges";
const SAID: &str = "canary-of-an-objection";

/// All of them.
pub(crate) const CANARIES: [&str; 3] = [REST, OBLIGED, SAID];

pub(crate) const TRANSFERS: &str =
    "{ transfers(first: 200) { totalCount pageInfo { hasNextPage } edges { cursor node { id pupilId
    from { institutionNumber } to { institutionNumber } custody enrolledOn announcedAt objectionUntil goesOn waits
    objectedBy objectedOn objection overAt } } } }";

const OWN: &str = "{ ownTransfers { __typename ... on Withheld { code canAsk } ... on GrantedOwnTransfers { value { id
    from { institutionNumber } to { institutionNumber } custody enrolledOn objectionUntil goesOn objectedBy objectedOn overAt } } } }";

const OBJECTED: &str =
    "{ __typename ... on TransferObjected { transferId } ... on NotPossible { reason } ... on Invalid { field } }";

/// Two courses of guidance of one pupil of north: one that may stay, and one that is obligatory.
pub(crate) struct Guided {
    pub(crate) pupil: PupilId,
    pub(crate) learning: String,
    pub(crate) career: String,
}

/// A pupil of this key, born then if anybody knows.
fn said((key, birth): (&str, Option<&str>), begins: &str, ends: Option<&str>) -> PupilSaid {
    let number = key
        .bytes()
        .fold(100_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
    PupilSaid {
        national_index: Some(vec![number; 32]),
        birth_date: birth.map(day),
        begins_on: Some(day(begins)),
        ends_on: ends.map(day),
        ..born("2012-05-01")
    }
}

/// A school says since when and until when it has the pupil; by a source of its own, as another may be busy with a run.
async fn says(town: &Town, school: School, of: (&str, Option<&str>), begins: &str, ends: Option<&str>) -> PupilId {
    const SOURCE: &str = "transfers";
    let source = if ["ada", "bo"].contains(&of.0) {
        school
    } else {
        let known = town
            .world
            .registration()
            .await
            .find_source(school.id, SOURCE)
            .await
            .unwrap();
        match known {
            Some(known) => School {
                source: known.id,
                ..school
            },
            None => town.world.another_source(school, SOURCE).await,
        }
    };
    town.world.pupils(source, &[(of.0, said(of, begins, ends))]).await[0].1
}

/// The pupil at north, guided by this anchor.
pub(crate) async fn guided_by(town: &Town, anchor: &Actor, of: (&str, Option<&str>)) -> Guided {
    let pupil = says(town, town.north, of, "2026-09-01", None).await;
    let learning = take(town, anchor, &open(pupil, "LEARNING")).await;
    let obligatory = format!(
        "pupilId: \"{pupil}\" domain: CAREER phase: BASIC_CARE askedBy: SCHOOL obligation: COMPULSORY_EDUCATION"
    );
    let stepped = "TrajectoryStepped { trajectoryId version }";
    let career = take(town, anchor, &step("openTrajectory", stepped, &obligatory)).await;
    let id = |opened: &Value| opened["trajectoryId"].as_str().unwrap().to_owned();
    let guided = Guided {
        pupil,
        learning: id(&learning),
        career: id(&career),
    };
    for (trajectory, text) in [(&guided.learning, REST), (&guided.career, OBLIGED)] {
        let written = take(town, anchor, &write(trajectory, "", text)).await;
        assert_eq!(written["version"], 1, "{written}");
    }
    guided
}

/// The pupil leaves north and is enrolled at south, of the other CLB, from this day on.
pub(crate) async fn goes(town: &Town, of: (&str, Option<&str>), on: &str) {
    goes_to(town, of, town.south, on).await;
}

/// The same, to this school.
pub(crate) async fn goes_to(town: &Town, of: (&str, Option<&str>), school: School, on: &str) {
    says(town, town.north, of, "2026-09-01", Some(on)).await;
    says(town, school, of, on, None).await;
}

/// The pupil is at north again, and was never at south.
async fn comes_back(town: &Town, of: (&str, Option<&str>), on: &str) {
    says(town, town.south, of, on, Some(on)).await;
    says(town, town.north, of, "2026-09-01", None).await;
}

async fn mover(town: &Town, now: &str) -> Mover {
    let world = &town.world;
    let clock = Arc::new(FixedClock(at(now)));
    let mover = Mover::open(
        &world.db,
        town.secrets.clone(),
        world.book.clone(),
        clock,
        world.ids.clone(),
    );
    mover.await.unwrap()
}

/// What is done at this instant, and that it would have been said before.
async fn round_at(town: &Town, now: &str) -> Moved {
    let mover = mover(town, now).await;
    let would = mover.look().await.unwrap();
    let done = mover.round().await.unwrap().unwrap();
    assert_eq!(would, done, "{now}");
    done
}

/// What is done now.
pub(crate) async fn round(town: &Town) -> Moved {
    round_at(town, &town.world.now.to_rfc3339()).await
}

fn nothing() -> Moved {
    Moved::default()
}

async fn transfers(town: &Town, by: &Actor) -> Vec<Value> {
    nodes(&take(town, by, TRANSFERS).await)
}

/// What stands in a page.
pub(crate) fn nodes(page: &Value) -> Vec<Value> {
    let edges = page["edges"].as_array().unwrap();
    edges.iter().map(|edge| edge["node"].clone()).collect()
}

async fn own(town: &Town, person: &Actor) -> Value {
    town.ask_for(person, RIGHTS, true, OWN).await["ownTransfers"].take()
}

fn object(transfer: &Value, more: &str) -> String {
    format!("mutation {{ objectToTransfer(input: {{ transferId: {transfer} {more} }}) {OBJECTED} }}")
}

fn record(transfer: &Value, by: &str, on: &str, more: &str) -> String {
    format!(
        "mutation {{ recordTransferObjection(input: {{ transferId: {transfer} by: {by} receivedOn: \"{on}\" {more} }}) {OBJECTED} }}"
    )
}

fn not_possible(reason: &str) -> Value {
    json!({ "__typename": "NotPossible", "reason": reason })
}

fn invalid(field: &str) -> Value {
    json!({ "__typename": "Invalid", "field": field })
}

fn in_words() -> String {
    format!("text: \"{SAID}\"")
}

/// All of it is brought out: two go, one objects, one objects on paper; they wait, and then go in part.
pub(crate) async fn brought_out(door: &mut Door<'_>, staff: &Staff) {
    let town = door.town;
    let (gus, han) = (("gus", Some("2012-05-01")), ("han", Some("2012-05-01")));
    let one = guided_by(town, &staff.anchor, gus).await;
    let other = guided_by(town, &staff.anchor, han).await;
    for of in [gus, han] {
        goes(town, of, "2026-10-01").await;
    }
    assert_eq!(round(town).await.announced, 2);
    let pupil = town.world.person(Role::Pupil, one.pupil).await;
    let parent = town.world.person(Role::Parent, one.pupil).await;
    let told = door.ask_for(&staff.director, GUIDANCE, TRANSFERS).await;
    let all = nodes(&told["transfers"]);
    let of = |pupil: PupilId| {
        let own = all.iter().find(|one| one["pupilId"] == pupil.to_string());
        own.unwrap()["id"].clone()
    };
    let (first, second) = (of(one.pupil), of(other.pupil));
    assert_eq!(
        door.ask_for(&parent, RIGHTS, OWN).await["ownTransfers"]["__typename"],
        "Withheld"
    );
    for (question, expected) in [
        (object(&first, "text: \" \""), invalid("text")),
        (object(&json!("trf_0"), ""), not_possible("UNKNOWN")),
        (
            object(&first, &in_words()),
            json!({ "__typename": "TransferObjected", "transferId": first }),
        ),
    ] {
        assert_eq!(
            door.ask_for(&pupil, RIGHTS, &question).await["objectToTransfer"],
            expected
        );
    }
    for (question, expected) in [
        (record(&second, "PUPIL", "2026-10-02", ""), invalid("receivedOn")),
        (record(&first, "PUPIL", "2026-10-01", ""), not_possible("STATE")),
        (
            record(&second, "PUPIL", "2026-10-01", ""),
            json!({ "__typename": "TransferObjected", "transferId": second }),
        ),
    ] {
        let answer = door.ask_for(&staff.anchor, GUIDANCE, &question).await;
        assert_eq!(answer["recordTransferObjection"], expected);
    }
    assert_eq!(round_at(town, "2026-10-16T10:00:00Z").await.wait_for_receiver, 2);
    let waits = door.ask_for(&staff.anchor, GUIDANCE, TRANSFERS).await;
    let waits = nodes(&waits["transfers"]);
    assert!(waits.iter().all(|one| one["waits"] == "RECEIVER"), "{waits:?}");
    assert!(waits.iter().any(|one| one["objection"] == SAID), "{waits:?}");
    town.world.keeps_dossiers(town.second).await;
    assert_eq!(round_at(town, "2026-10-16T10:00:00Z").await.partly, 2);
    let gone = door.ask_for(&staff.director, GUIDANCE, TRANSFERS).await;
    assert_eq!(nodes(&gone["transfers"])[0]["custody"], "PARTLY", "{gone}");
    let own = door.ask_for(&pupil, RIGHTS, OWN).await;
    assert_eq!(
        own["ownTransfers"]["value"][0]["overAt"], "2026-10-16T10:00:00+00:00",
        "{own}"
    );
}

both_databases!(
    a_dossier_is_announced_and_goes_on_its_day,
    async |database: &TestDatabase| {
        let mut town = Town::new(database).await;
        let staff = Staff::anchored(&town).await;
        let gus = ("gus", Some("2012-05-01"));
        let one = guided_by(&town, &staff.anchor, gus).await;
        let away = guided_by(&town, &staff.anchor, ("ine", Some("2012-05-01"))).await;
        let within = guided_by(&town, &staff.anchor, ("jos", Some("2012-05-01"))).await;
        town.world.now = at("2026-10-28T10:00:00Z");
        assert_eq!(round(&town).await, nothing());
        // Enrolled nowhere since, and at another school of the same CLB: nothing goes.
        let ine = ("ine", Some("2012-05-01"));
        says(&town, town.north, ine, "2026-09-01", Some("2026-10-28")).await;
        let jos = ("jos", Some("2012-05-01"));
        says(&town, town.north, jos, "2026-09-01", Some("2026-10-28")).await;
        says(&town, town.east, jos, "2026-10-28", None).await;
        assert_eq!(round(&town).await, nothing());

        goes(&town, gus, "2026-10-28").await;
        assert_eq!(
            round(&town).await,
            Moved {
                announced: 1,
                ..nothing()
            }
        );
        assert_eq!(round(&town).await, nothing(), "once");
        // 29 and 30 October, 2 to 6, 9 and 10 November; not the 11th, of the armistice; the tenth is the 12th.
        let expected = json!({
            "pupilId": one.pupil.to_string(), "from": { "institutionNumber": "114711" },
            "to": { "institutionNumber": "114712" }, "custody": "ANNOUNCED", "enrolledOn": "2026-10-28",
            "announcedAt": "2026-10-28T10:00:00+00:00", "objectionUntil": "2026-11-12", "goesOn": "2026-11-13",
            "waits": null, "objectedBy": null, "objectedOn": null, "objection": null, "overAt": null,
        });
        for by in [&staff.anchor, &staff.director, &staff.administration] {
            let mut told = transfers(&town, by).await;
            assert_eq!(told.len(), 1, "{by:?}");
            told[0].as_object_mut().unwrap().remove("id");
            assert_eq!(told[0], expected, "{by:?}");
        }
        // Nobody else hears of it: not outside the team, and not the new CLB before anything came.
        for by in [
            &staff.psychologist,
            &staff.nurse,
            &town.viewers.second_director,
            &town.viewers.chat,
        ] {
            assert_eq!(transfers(&town, by).await, Vec::<Value>::new(), "{by:?}");
        }
        // Of the rest the CLB that is not competent any more hears nothing.
        let dossier = format!("{{ dossier(pupilId: \"{}\") {{ pupilId }} }}", one.pupil);
        assert_eq!(take(&town, &staff.anchor, &dossier).await, Value::Null);
        let pupil = town.world.person(Role::Pupil, one.pupil).await;
        let told = own(&town, &pupil).await;
        assert_eq!(
            (&told["value"][0]["objectionUntil"], &told["value"][0]["custody"]),
            (&json!("2026-11-12"), &json!("ANNOUNCED")),
            "{told}"
        );

        town.world.keeps_dossiers(town.second).await;
        assert_eq!(round_at(&town, "2026-11-12T22:59:00Z").await, nothing());
        // The day of Brussels.
        assert_eq!(
            round_at(&town, "2026-11-12T23:01:00Z").await,
            Moved { whole: 1, ..nothing() }
        );
        assert_eq!(round_at(&town, "2026-11-13T10:00:00Z").await, nothing());
        let apart = database.look_apart().await;
        let of: Vec<PupilId> = list(
            &apart,
            "select distinct pupil_id from trajectory where from_clb_id is not null",
        )
        .await;
        assert_eq!(of, [one.pupil], "neither {} nor {}", away.pupil, within.pupil);
        apart.close().await.unwrap();
    }
);

// Domain facts §4.2 (M): an enrolment for the next school year goes only after the first of September.
both_databases!(
    an_enrolment_for_the_next_year_goes_after_the_first_of_september,
    async |database: &TestDatabase| {
        let mut town = Town::new(database).await;
        let staff = Staff::anchored(&town).await;
        let gus = ("gus", Some("2012-05-01"));
        guided_by(&town, &staff.anchor, gus).await;
        town.world.keeps_dossiers(town.second).await;
        town.world.now = at("2027-07-05T10:00:00Z");
        goes(&town, gus, "2027-07-05").await;
        assert_eq!(round(&town).await.announced, 1);
        let told = transfers(&town, &staff.director).await;
        // 6 to 9, 12 to 16 and 19 July.
        assert_eq!(
            (&told[0]["objectionUntil"], &told[0]["goesOn"]),
            (&json!("2027-07-19"), &json!("2027-09-02"))
        );
        assert_eq!(round_at(&town, "2027-09-01T10:00:00Z").await, nothing());
        assert_eq!(round_at(&town, "2027-09-02T10:00:00Z").await.whole, 1);
    }
);

both_databases!(who_decides_objects_in_time, async |database: &TestDatabase| {
    let mut town = Town::new(database).await;
    let staff = Staff::anchored(&town).await;
    let (of_14, of_8, of_no_age) = (("gus", Some("2012-05-01")), ("han", Some("2018-05-01")), ("ine", None));
    let mut pupils = Vec::new();
    for of in [of_14, of_8, of_no_age] {
        pupils.push(guided_by(&town, &staff.anchor, of).await.pupil);
        goes(&town, of, "2026-10-01").await;
    }
    assert_eq!(round(&town).await.announced, 3);
    let told = transfers(&town, &staff.director).await;
    let transfer = |pupil: PupilId| {
        let own = told.iter().find(|one| one["pupilId"] == pupil.to_string());
        own.unwrap()["id"].clone()
    };
    let done = |id: &Value| json!({ "__typename": "TransferObjected", "transferId": id });
    let [of_14, of_8, of_no_age] = [pupils[0], pupils[1], pupils[2]];
    let (pupil, parent) = (
        town.world.person(Role::Pupil, of_14).await,
        town.world.person(Role::Parent, of_14).await,
    );
    let (child, its_parent) = (
        town.world.person(Role::Pupil, of_8).await,
        town.world.person(Role::Parent, of_8).await,
    );
    let id = transfer(of_14);
    // From twelve on the pupil; below, the parents; and nobody about another.
    assert_eq!(
        own(&town, &parent).await,
        json!({ "__typename": "Withheld", "code": "SECRECY", "canAsk": true })
    );
    assert_eq!(
        take(&town, &parent, &object(&id, "")).await,
        not_possible("NOT_ALLOWED")
    );
    assert_eq!(own(&town, &child).await["__typename"], "Withheld");
    assert_eq!(
        take(&town, &child, &object(&transfer(of_8), "")).await,
        not_possible("NOT_ALLOWED")
    );
    for other in [&child, &its_parent] {
        assert_eq!(
            take(&town, other, &object(&id, "")).await,
            not_possible("UNKNOWN"),
            "{other:?}"
        );
    }
    // What is under secrecy needs a strong sign-in.
    let weak = town.ask_for(&pupil, RIGHTS, false, &object(&id, "")).await;
    assert_eq!(weak["objectToTransfer"], not_possible("NOT_ALLOWED"));
    // On paper: to the team or the director of the old CLB alone, and of who decides.
    let new = town.world.worker(town.second, Discipline::Psychologist).await;
    town.world.keeps_dossiers(town.second).await;
    for by in [
        &staff.psychologist,
        &staff.nurse,
        &staff.administration,
        &town.viewers.second_director,
        &town.viewers.chat,
        &new,
    ] {
        let told = take(&town, by, &record(&id, "PUPIL", "2026-10-01", "")).await;
        assert_eq!(told, not_possible("UNKNOWN"), "{by:?}");
    }
    let by = &staff.anchor;
    assert_eq!(
        take(&town, by, &record(&id, "PARENT", "2026-10-01", "")).await,
        not_possible("NOT_ALLOWED")
    );
    // Before the enrolment there is nothing to object to.
    assert_eq!(
        take(&town, by, &record(&id, "PUPIL", "2026-09-30", "")).await,
        not_possible("STATE")
    );
    let line = "select count(*) from access_line where action in ('object_to_transfer', 'record_objection')";
    let apart = database.look_apart().await;
    assert_eq!(number(&apart, line).await, 13, "each is in the log");
    let standing = "select count(*) from transfer where objected_by is not null";
    assert_eq!(number(&apart, standing).await, 0);

    // The last day is Thursday the 15th; what came then counts though it is recorded later.
    town.world.now = at("2026-10-16T10:00:00Z");
    let of_8 = transfer(of_8);
    assert_eq!(
        take(&town, &its_parent, &object(&of_8, "")).await,
        not_possible("STATE")
    );
    assert_eq!(
        take(&town, by, &record(&of_8, "PARENT", "2026-10-16", "")).await,
        not_possible("STATE")
    );
    assert_eq!(
        take(&town, by, &record(&of_8, "PARENT", "2026-10-15", &in_words())).await,
        done(&of_8)
    );
    town.world.now = at("2026-10-15T21:59:00Z");
    assert_eq!(take(&town, &pupil, &object(&id, &in_words())).await, done(&id));
    assert_eq!(
        take(&town, &pupil, &object(&id, "")).await,
        not_possible("STATE"),
        "once"
    );
    // Where nobody knows who decides, either may.
    let no_age = transfer(of_no_age);
    let either = town.world.person(Role::Parent, of_no_age).await;
    assert_eq!(own(&town, &either).await["__typename"], "GrantedOwnTransfers");
    assert_eq!(take(&town, &either, &object(&no_age, "")).await, done(&no_age));
    // The team reads in which words, and who plans that somebody objected.
    let words = transfers(&town, by).await;
    assert_eq!(
        words.iter().filter(|one| one["objection"] == SAID).count(),
        2,
        "{words:?}"
    );
    let planned = transfers(&town, &staff.director).await;
    assert!(
        planned
            .iter()
            .all(|one| one["objection"].is_null() && one["objectedBy"].is_string()),
        "{planned:?}"
    );
    for (place, bytes) in crate::dossier::every_byte(database, &town).await {
        assert!(!crate::dossier::has(&bytes, SAID), "{place}");
    }
    // Carried out, it is too late whatever the day.
    assert_eq!(
        round_at(&town, "2026-10-16T10:00:00Z").await,
        Moved { partly: 3, ..nothing() }
    );
    assert_eq!(
        take(&town, by, &record(&id, "PUPIL", "2026-10-15", "")).await,
        not_possible("STATE")
    );
    apart.close().await.unwrap();
});

both_databases!(
    what_was_announced_is_withdrawn_when_the_pupil_comes_back,
    async |database: &TestDatabase| {
        let mut town = Town::new(database).await;
        let staff = Staff::anchored(&town).await;
        let gus = ("gus", Some("2012-05-01"));
        let one = guided_by(&town, &staff.anchor, gus).await;
        town.world.keeps_dossiers(town.second).await;
        goes(&town, gus, "2026-10-01").await;
        assert_eq!(round(&town).await.announced, 1);
        town.world.now = at("2026-10-12T10:00:00Z");
        comes_back(&town, gus, "2026-10-01").await;
        assert_eq!(
            round(&town).await,
            Moved {
                withdrawn: 1,
                ..nothing()
            }
        );
        assert_eq!(round_at(&town, "2026-10-16T10:00:00Z").await, nothing());
        let told = transfers(&town, &staff.anchor).await;
        assert_eq!(
            (&told[0]["custody"], &told[0]["overAt"]),
            (&json!("HELD"), &json!("2026-10-12T10:00:00+00:00"))
        );
        let apart = database.look_apart().await;
        let actions = "select action || ' ' || granted from access_line where action like 'transfer%' order by at";
        assert_eq!(
            list::<String>(&apart, actions).await,
            [
                "transfer_announced secret.intake=enrolled-elsewhere",
                "transfer_withdrawn secret.intake=stays"
            ]
        );
        let pupil = town.world.person(Role::Pupil, one.pupil).await;
        let late = take(&town, &pupil, &object(&told[0]["id"], "")).await;
        assert_eq!(late, not_possible("STATE"), "there is nothing to object to");
        // Gone again it is another one, with a term of its own.
        town.world.now = at("2026-10-19T10:00:00Z");
        goes(&town, gus, "2026-10-19").await;
        assert_eq!(round(&town).await.announced, 1);
        let told = transfers(&town, &staff.anchor).await;
        // 20 to 23, 26 to 30 October, 2 November.
        assert_eq!((told.len(), &told[0]["objectionUntil"]), (2, &json!("2026-11-02")));
        apart.close().await.unwrap();
    }
);
