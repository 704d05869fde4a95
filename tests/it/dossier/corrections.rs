//! What persons ask of entries that were opened to them: correcting, adding own words, leaving out; and what teams do about it.
//! Expected by hand from domain facts §4.1 and §4.4.

mod whole;

use clb_hub::custody::Custody;
use hub_entities::operation::{Actor, Role};
use serde_json::{Value, json};

use super::leaks::cost;
use super::rights::{OWN, RIGHTS, asked, dossiers, ending, invalid, not_now, opening, read, take, unknown};
use super::{AT, CANARIES, FROM_NOW, GUIDANCE, Guided, all_of, assign, correct, id_of, open, step, told, write};
use crate::support::coverage::Door;
use crate::support::database::both_databases;
use crate::support::look::{list, meddle, number};
use crate::support::town::Town;

pub(in crate::dossier) use whole::{asked_of_everything, brought_out};

/// What a person says of an entry, and what is answered: nowhere else.
pub(super) const SAID_OF_ENTRIES: [&str; 5] = [
    "canary-of-a-correction",
    "canary-of-own-words",
    "canary-of-a-serious-reason",
    "canary-of-a-no",
    "canary-put-right",
];

const ANSWERED: &str = "CorrectionAnswered { requestId version }";

const STANDING: &str =
    "{ correctionRequests { id pupilId entryId entryVersion trajectoryId requestedBy askedAs requestedAt
    answerBy kind text version } }";

/// What a person says of an entry, by what is asked.
fn asking(entry: &str, kind: &str) -> String {
    let said = match kind {
        "CORRECT" => SAID_OF_ENTRIES[0],
        "ADD" => SAID_OF_ENTRIES[1],
        _ => SAID_OF_ENTRIES[2],
    };
    let input = format!("entryId: \"{entry}\" kind: {kind} text: \"{said}\"");
    format!(
        "mutation {{ requestCorrection(input: {{ {input} }}) {{ __typename ... on CorrectionRequested {{ requestId answerBy }}
         ... on NotPossible {{ reason }} ... on Invalid {{ field }} }} }}"
    )
}

fn granting(request: &Value, version: i32, more: &str) -> String {
    step(
        "grantCorrection",
        ANSWERED,
        &format!("requestId: {request} version: {version} {more}"),
    )
}

fn refusing(request: &Value, version: i32) -> String {
    let input = format!(
        "requestId: {request} version: {version} reason: \"{}\"",
        SAID_OF_ENTRIES[3]
    );
    step("refuseCorrection", ANSWERED, &input)
}

/// What the entry says from now on.
fn put_right() -> String {
    format!("entryVersion: 1 text: \"{}\"", SAID_OF_ENTRIES[4])
}

/// A pupil to whom this trajectory of learning was opened.
async fn reader(town: &Town, guided: &Guided, role: Role) -> Actor {
    let person = town.world.person(role, town.ada).await;
    let request = asked(town, &person).await;
    let opened = opening(&request, 1, &guided.learning, "inPupilsInterest: true");
    let opened = take(town, &guided.staff.psychologist, &opened).await;
    assert_eq!(opened["__typename"], "DossierOpened", "{opened}");
    person
}

/// The entries of learning that a person reads.
async fn entries(town: &Town, person: &Actor) -> Vec<Value> {
    let answer = town.ask_for(person, RIGHTS, true, &dossiers()).await;
    let entries = answer["dossiers"][0]["learning"]["entries"]["value"].as_array();
    entries.unwrap_or_else(|| panic!("{answer}")).clone()
}

/// What a worker reads there.
async fn of_team(town: &Town, by: &Actor) -> Vec<Value> {
    let answer = town.ask_for(by, GUIDANCE, true, &all_of(town.ada)).await;
    let entries = answer["dossier"]["learning"]["entries"]["value"].as_array();
    entries.unwrap_or_else(|| panic!("{answer}")).clone()
}

/// A person asks; the number of the request.
async fn requested(town: &Town, person: &Actor, entry: &str, kind: &str) -> Value {
    let answer = take(town, person, &asking(entry, kind)).await;
    // Within a month (GDPR art. 12(3)).
    assert_eq!(
        (&answer["__typename"], &answer["answerBy"]),
        (&json!("CorrectionRequested"), &json!("2026-11-01")),
        "{answer}"
    );
    answer["requestId"].clone()
}

async fn own(town: &Town, person: &Actor) -> Vec<Value> {
    let own = town.ask_for(person, RIGHTS, true, OWN).await;
    own["ownRequests"]["corrections"].as_array().unwrap().clone()
}

async fn ada(town: &Town) -> Guided {
    let mut door = Door::new(town, &[]);
    Guided::ada(&mut door).await
}

both_databases!(
    a_correction_keeps_the_former_version,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let guided = ada(&town).await;
        let (staff, apart) = (&guided.staff, database.look_apart().await);
        let pupil = reader(&town, &guided, Role::Pupil).await;
        let entry = guided.entry.as_str();
        assert_eq!(entries(&town, &pupil).await[0]["id"], entry);
        let request = requested(&town, &pupil, entry, "CORRECT").await;
        // One of a kind waits at a time, and none is written over.
        let again = asking(entry, "CORRECT").replace(SAID_OF_ENTRIES[0], "other words");
        assert_eq!(take(&town, &pupil, &again).await, not_now());
        let line =
            "select granted from access_line where role = 'pupil' and action = 'ask_correction' and granted <> ''";
        assert_eq!(
            list::<String>(&apart, line).await,
            ["secret.learning=pupil-corrects"; 2]
        );
        let waits = json!({ "id": request, "clb": { "id": town.first.to_string() }, "entryId": entry, "kind": "CORRECT",
        "requestedAt": AT, "answerBy": "2026-11-01", "text": SAID_OF_ENTRIES[0], "state": "WAITING",
        "answeredAt": null, "answer": null });
        assert_eq!(own(&town, &pupil).await, [waits]);

        // The team of the trajectory finds it, and nobody else.
        for by in [&staff.psychologist, &staff.anchor] {
            assert_eq!(
                take(&town, by, STANDING).await,
                json!([{ "id": request, "pupilId": town.ada.to_string(), "entryId": entry, "entryVersion": 1,
                "trajectoryId": guided.learning, "requestedBy": id_of(&pupil).to_string(), "askedAs": "PUPIL",
                "requestedAt": AT, "answerBy": "2026-11-01", "kind": "CORRECT", "text": SAID_OF_ENTRIES[0], "version": 1 }])
            );
        }
        // Nor does a team of another trajectory in the same domain.
        let second = take(&town, &staff.anchor, &open(town.ada, "LEARNING")).await;
        let second = second["trajectoryId"].as_str().unwrap();
        let pedagogue = assign(second, 1, &staff.pedagogue, FROM_NOW);
        assert_eq!(take(&town, &staff.director, &pedagogue).await["version"], 2);
        let outside = [
            &staff.pedagogue,
            &staff.nurse,
            &staff.paramedic,
            &staff.director,
            &staff.administration,
            &town.viewers.second,
        ];
        for by in outside {
            assert_eq!(take(&town, by, STANDING).await, json!([]), "{by:?}");
            for answer in [refusing(&request, 1), granting(&request, 1, &put_right())] {
                assert_eq!(take(&town, by, &answer).await, unknown(), "{by:?}");
            }
        }

        let by = &staff.psychologist;
        let stale = json!({ "__typename": "Conflict", "version": 1 });
        for (version, more, wrong) in [
            (1, "entryVersion: 1".to_owned(), invalid("text")),
            (1, put_right().replace(SAID_OF_ENTRIES[4], " "), invalid("text")),
            (2, put_right(), stale.clone()),
            // Nothing that a colleague wrote meanwhile is written over.
            (1, put_right().replace("entryVersion: 1", "entryVersion: 2"), stale),
        ] {
            assert_eq!(
                take(&town, by, &granting(&request, version, &more)).await,
                wrong,
                "{more}"
            );
        }
        assert_eq!(read(&town, &pupil).await[0], "1 [canary-of-learning]");
        assert_eq!(
            take(&town, by, &granting(&request, 1, &put_right())).await["version"],
            2
        );
        assert_eq!(take(&town, by, &granting(&request, 2, &put_right())).await, not_now());
        assert_eq!(take(&town, by, &refusing(&request, 2)).await, not_now());
        assert_eq!(take(&town, by, STANDING).await, json!([]));

        // The person and the team read what it says now; the former version is kept, and nobody is shown it.
        let now = entries(&town, &pupil).await;
        assert_eq!(
            (now.len(), &now[0]["text"], &now[0]["version"], &now[0]["ownWordsOf"]),
            (1, &json!(SAID_OF_ENTRIES[4]), &json!(2), &Value::Null)
        );
        let team = of_team(&town, by).await;
        assert_eq!(
            (&team[0]["text"], &team[0]["authorId"]),
            (&json!(SAID_OF_ENTRIES[4]), &json!(id_of(by).to_string()))
        );
        let versions = "select x.version from entry_text x join entry e on e.id = x.entry_id where not e.medical order by x.version";
        assert_eq!(list::<i32>(&apart, versions).await, [1, 2]);
        let own = own(&town, &pupil).await;
        assert_eq!(
            (&own[0]["state"], &own[0]["answeredAt"], &own[0]["answer"]),
            (&json!("GRANTED"), &json!(AT), &Value::Null)
        );
        // Anew it is another request.
        assert_ne!(requested(&town, &pupil, entry, "CORRECT").await, request);
        apart.close().await.unwrap();
    }
);

both_databases!(own_words_are_added_as_such, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let guided = ada(&town).await;
    let (staff, apart) = (&guided.staff, database.look_apart().await);
    let by = &staff.psychologist;
    let pupil = reader(&town, &guided, Role::Pupil).await;
    let entry = guided.entry.as_str();
    let request = requested(&town, &pupil, entry, "ADD").await;
    assert_eq!(
        take(&town, by, &granting(&request, 1, &put_right())).await,
        invalid("text")
    );
    assert_eq!(
        take(&town, by, &granting(&request, 1, "entryVersion: 1")).await["version"],
        2
    );

    let now = entries(&town, &pupil).await;
    let added = now.iter().find(|one| one["ownWordsOf"] == "PUPIL").unwrap();
    assert_eq!(
        (now.len(), &added["text"], &added["about"]),
        (2, &json!(SAID_OF_ENTRIES[1]), &json!("PUPIL"))
    );
    let team = of_team(&town, by).await;
    let words = team.iter().find(|one| one["ownWordsOf"] == "PUPIL").unwrap();
    assert_eq!(
        (
            &words["authorId"],
            &words["addsTo"],
            &words["version"],
            &words["trajectoryId"]
        ),
        (
            &json!(id_of(&pupil).to_string()),
            &json!(entry),
            &json!(1),
            &json!(guided.learning)
        )
    );
    // What was added is beside what was written, which stays as it was.
    assert_eq!(team.iter().find(|one| one["id"] == entry).unwrap()["text"], CANARIES[0]);

    // Nobody puts words into a person's mouth: not by correcting, and not when it is asked.
    let words = words["id"].as_str().unwrap();
    assert_eq!(take(&town, by, &correct(words, 1, "other words")).await, not_now());
    let own = requested(&town, &pupil, words, "CORRECT").await;
    assert_eq!(take(&town, by, &granting(&own, 1, &put_right())).await, not_now());
    // The person adds to the own words, and takes the first ones back.
    let more = requested(&town, &pupil, words, "ADD").await;
    assert_eq!(
        take(&town, by, &granting(&more, 1, "entryVersion: 1")).await["version"],
        2
    );
    let back = requested(&town, &pupil, words, "LEAVE_OUT").await;
    let out = granting(&back, 1, "entryVersion: 1 seriousReason: true");
    assert_eq!(take(&town, by, &out).await["version"], 2);
    assert_eq!(entries(&town, &pupil).await.len(), 2);

    // A parent's words are told to be a parent's.
    let parent = town.world.person(Role::Parent, town.ada).await;
    let request = asked(&town, &parent).await;
    let opened = take(&town, by, &opening(&request, 1, &guided.learning, "")).await;
    let consent = "answer: { to: PARENT_READS by: PUPIL form: NOTED reply: GIVEN givenOn: \"2026-10-01\" }";
    let consent = format!("trajectoryId: \"{}\" {consent}", guided.learning);
    take(
        &town,
        by,
        &step("recordConsent", "ConsentNoted { consentId version }", &consent),
    )
    .await;
    let request = requested(&town, &parent, entry, "ADD").await;
    assert_eq!(
        take(&town, by, &granting(&request, 1, "entryVersion: 1")).await["version"],
        2
    );
    let all = entries(&town, &pupil).await;
    let of_parent = all.iter().filter(|one| one["ownWordsOf"] == "PARENT").count();
    assert_eq!((all.len(), of_parent), (3, 1), "{all:?}");
    take(&town, by, &ending(&opened["accessId"], 1, "")).await;

    // Closed with what they were added to: to the person they are not there, to the team they are.
    assert_eq!(take(&town, by, &correct(entry, 1, "closed")).await["version"], 2);
    assert_eq!(entries(&town, &pupil).await, Vec::<Value>::new());
    let team = of_team(&town, by).await;
    let closed = team
        .iter()
        .filter(|one| one["closed"] == json!(["COURT", "AGOGIC"]))
        .count();
    assert_eq!((team.len(), closed), (3, 3), "{team:?}");
    let root = "select count(distinct adds_to) from entry where adds_to is not null";
    assert_eq!(
        number(&apart, root).await,
        1,
        "what is added to what was added is as open as that"
    );
    apart.close().await.unwrap();
});

both_databases!(what_is_left_out_is_gone, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let guided = ada(&town).await;
    let (staff, apart) = (&guided.staff, database.look_apart().await);
    let (by, entry) = (&staff.psychologist, guided.entry.as_str());
    let pupil = reader(&town, &guided, Role::Pupil).await;
    take(&town, by, &write(&guided.learning, "", "stays")).await;
    // Two versions, and a wish that still waits when the entry is gone.
    let corrected = format!("entryId: \"{entry}\" version: 1 about: PUPIL text: \"second\"");
    take(&town, by, &step("correctEntry", "EntryWritten { version }", &corrected)).await;
    let waits = requested(&town, &pupil, entry, "CORRECT").await;
    let request = requested(&town, &pupil, entry, "LEAVE_OUT").await;
    let how = |more: &str| granting(&request, 1, &format!("entryVersion: 2 {more}"));
    // Only for a serious reason, which the worker judges.
    assert_eq!(take(&town, by, &how("")).await, invalid("seriousReason"));
    assert_eq!(
        take(&town, by, &how("seriousReason: true text: \"x\"")).await,
        invalid("text")
    );
    let of_entry = "select count(*) from entry_text x join entry e on e.id = x.entry_id where not e.medical";
    assert_eq!(number(&apart, of_entry).await, 3);
    assert_eq!(take(&town, by, &how("seriousReason: true")).await["version"], 2);

    // Every version of it, to everyone; that something was is all that stays.
    assert_eq!(number(&apart, of_entry).await, 1);
    assert_eq!(
        number(&apart, "select count(*) from entry where left_out_at is not null").await,
        1
    );
    assert_eq!(read(&town, &pupil).await[0], "1 [stays]");
    for worker in [by, &staff.anchor] {
        let dossier = town.ask_for(worker, GUIDANCE, true, &all_of(town.ada)).await;
        assert_eq!(told(&dossier["dossier"])[0], "1 [stays]");
    }
    assert_eq!(take(&town, by, &correct(entry, 3, "back again")).await, unknown());
    for kind in ["CORRECT", "ADD", "LEAVE_OUT"] {
        assert_eq!(take(&town, &pupil, &asking(entry, kind)).await, unknown(), "{kind}");
    }
    let late = granting(&waits, 1, &put_right().replace("entryVersion: 1", "entryVersion: 3"));
    assert_eq!(take(&town, by, &late).await, not_now());
    assert_eq!(take(&town, by, &refusing(&waits, 1)).await["version"], 2);

    // Never what is obligatory, as long as it is.
    let obligatory = format!(
        "pupilId: \"{}\" domain: LEARNING phase: BASIC_CARE askedBy: SCHOOL obligation: COMPULSORY_EDUCATION",
        town.ada
    );
    let begun = step("openTrajectory", "TrajectoryStepped { trajectoryId }", &obligatory);
    let begun = take(&town, &staff.anchor, &begun).await["trajectoryId"].clone();
    let written = take(&town, &staff.anchor, &write(begun.as_str().unwrap(), "", "obligatory")).await;
    let reads = asked(&town, &pupil).await;
    take(&town, &staff.anchor, &opening(&reads, 1, begun.as_str().unwrap(), "")).await;
    let request = requested(&town, &pupil, written["entryId"].as_str().unwrap(), "LEAVE_OUT").await;
    let out = granting(&request, 1, "entryVersion: 1 seriousReason: true");
    assert_eq!(take(&town, &staff.anchor, &out).await, not_now());
    assert_eq!(read(&town, &pupil).await[0], "2 [stays obligatory]");
    let lapsed = "update trajectory set lapsed_at = opened_at where obligation is not null";
    assert_eq!(meddle(&apart, lapsed).await, 1);
    assert_eq!(take(&town, &staff.anchor, &out).await["version"], 2);
    assert_eq!(read(&town, &pupil).await[0], "2 [stays]");

    // An erasure takes what was asked along.
    let folder = tempfile::tempdir().unwrap();
    let custody = Custody::open(&town.world.db, &town.apart, town.world.now)
        .await
        .unwrap();
    assert_eq!(number(&apart, "select count(*) from correction_request").await, 3);
    let shred = custody
        .shred(folder.path(), town.first, town.ada, &*town.world.ids)
        .await;
    assert!(shred.unwrap());
    assert_eq!(number(&apart, "select count(*) from correction_request").await, 0);
    apart.close().await.unwrap();
});

both_databases!(
    a_correction_is_refused_with_its_reason,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let guided = ada(&town).await;
        let by = &guided.staff.psychologist;
        let pupil = reader(&town, &guided, Role::Pupil).await;
        let request = requested(&town, &pupil, &guided.entry, "LEAVE_OUT").await;
        let blank = refusing(&request, 1).replace(SAID_OF_ENTRIES[3], " ");
        assert_eq!(take(&town, by, &blank).await, invalid("reason"));
        let stale = json!({ "__typename": "Conflict", "version": 1 });
        assert_eq!(take(&town, by, &refusing(&request, 7)).await, stale);
        assert_eq!(take(&town, by, &refusing(&request, 1)).await["version"], 2);
        for answer in [
            refusing(&request, 2),
            granting(&request, 2, "entryVersion: 1 seriousReason: true"),
        ] {
            assert_eq!(take(&town, by, &answer).await, not_now());
        }
        assert_eq!(read(&town, &pupil).await[0], "1 [canary-of-learning]");
        let told = own(&town, &pupil).await;
        assert_eq!(
            (&told[0]["state"], &told[0]["answer"], &told[0]["text"]),
            (
                &json!("REFUSED"),
                &json!(SAID_OF_ENTRIES[3]),
                &json!(SAID_OF_ENTRIES[2])
            )
        );
        // What others asked is not told: not to a parent, nor to the pupil under another sign-in.
        for role in [Role::Parent, Role::Pupil] {
            let other = town.world.person(role, town.ada).await;
            assert_eq!(own(&town, &other).await, Vec::<Value>::new(), "{role}");
        }
    }
);

// R11, R59: of an entry that was not opened, is closed, is another's, was left out or never was, a person hears the same.
both_databases!(
    a_person_learns_of_no_entry_by_asking,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let guided = ada(&town).await;
        let staff = &guided.staff;
        let pupil = reader(&town, &guided, Role::Pupil).await;
        let entry_in = async |by: &Actor, trajectory: &str, more: &str| {
            let written = write(trajectory, more, "words");
            let written = match more {
                "others" => write(trajectory, "", "words").replace("about: PUPIL", "about: THIRD_PARTY"),
                _ => written,
            };
            let written = take(&town, by, &written).await;
            written["entryId"].as_str().unwrap().to_owned()
        };
        let mut hidden = vec![format!("ent_{}", "0".repeat(32))];
        for more in [
            "closed: [THIRD_PARTY_CONFIDENTIAL]",
            "closed: [AGOGIC]",
            "closed: [COURT]",
            "others",
        ] {
            hidden.push(entry_in(&staff.anchor, &guided.learning, more).await);
        }
        hidden.push(entry_in(&staff.nurse, &guided.health, "").await);
        hidden.push(entry_in(&staff.nurse, &guided.health, "medical: true").await);
        // Of the same class, and not opened; and of another pupil.
        for of in [town.ada, town.bo] {
            let begun = take(&town, &staff.anchor, &open(of, "LEARNING")).await;
            hidden.push(entry_in(&staff.anchor, begun["trajectoryId"].as_str().unwrap(), "").await);
        }
        let gone = entry_in(&staff.anchor, &guided.learning, "").await;
        let out = requested(&town, &pupil, &gone, "LEAVE_OUT").await;
        take(
            &town,
            &staff.anchor,
            &granting(&out, 1, "entryVersion: 1 seriousReason: true"),
        )
        .await;
        hidden.push(gone);
        let mut told = Vec::new();
        for entry in &hidden {
            told.push(cost(&town, &pupil, &asking(entry, "ADD")).await);
        }
        assert!(told[0].0.contains("UNKNOWN"), "{told:?}");
        assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
        // The control: what the pupil reads may be asked of.
        let entry = guided.entry.as_str();
        assert!(
            cost(&town, &pupil, &asking(entry, "ADD"))
                .await
                .0
                .contains("CorrectionRequested")
        );

        // Whoever does not read it does not ask: another sign-in of the pupil, a parent without the pupil's consent, the pupil of
        // another; nor anybody behind a weak sign-in.
        let (again, parent) = (
            town.world.person(Role::Pupil, town.ada).await,
            town.world.person(Role::Parent, town.ada).await,
        );
        let bo = town.world.person(Role::Pupil, town.bo).await;
        for other in [&again, &parent, &bo] {
            assert_eq!(
                take(&town, other, &asking(entry, "CORRECT")).await,
                unknown(),
                "{other:?}"
            );
        }
        let weak = town.ask_for(&pupil, RIGHTS, false, &asking(entry, "CORRECT")).await;
        assert_eq!(weak["requestCorrection"], unknown());
        // Under twelve the parents ask, of what was opened to them; the pupil does not.
        let born = "update record set birth_date = '2015-05-01' where source_key = 'ada'";
        assert_eq!(meddle(&town.world.look, born).await, 1);
        let parent = reader(&town, &guided, Role::Parent).await;
        assert_eq!(take(&town, &pupil, &asking(entry, "CORRECT")).await, unknown());
        requested(&town, &parent, entry, "CORRECT").await;
        // The team finds it as a parent's.
        let standing = take(&town, &staff.anchor, STANDING).await;
        let of_parent = standing
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["askedAs"] == "PARENT")
            .count();
        assert_eq!(of_parent, 1, "{standing}");
    }
);

// R04: no line, no step and nothing told.
both_databases!(no_entry_is_put_right_without_a_line, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let guided = ada(&town).await;
    let apart = database.look_apart().await;
    let (by, entry) = (&guided.staff.psychologist, guided.entry.as_str());
    let pupil = reader(&town, &guided, Role::Pupil).await;
    let request = requested(&town, &pupil, entry, "CORRECT").await;
    meddle(&apart, "alter table access_line rename to access_line_gone").await;
    for (who, question) in [
        (&pupil, asking(entry, "ADD")),
        (&pupil, OWN.to_owned()),
        (by, STANDING.to_owned()),
        (by, granting(&request, 1, &put_right())),
        (by, refusing(&request, 1)),
    ] {
        let answer = town.answer_for(who, GUIDANCE, true, &question).await;
        assert!(answer["data"].is_null(), "{question}: {answer}");
    }
    meddle(&apart, "alter table access_line_gone rename to access_line").await;
    assert_eq!(
        number(&apart, "select count(*) from correction_request where version = 1").await,
        1
    );
    assert_eq!(read(&town, &pupil).await[0], "1 [canary-of-learning]");
    // The control: with its line it is done.
    assert_eq!(
        take(&town, by, &granting(&request, 1, &put_right())).await["version"],
        2
    );
    apart.close().await.unwrap();
});
