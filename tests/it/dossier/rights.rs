//! The rights of the person: asking to read the own dossier, what is opened after the talk and read, and refusals. Expected by
//! hand from domain facts §4.4.

use hub_entities::operation::{Actor, Discipline, Purpose, Role};
use serde_json::{Value, json};

use super::leaks::{cost, without_decisions};
use super::{CANARIES, FROM_NOW, GUIDANCE, Guided, Staff, assign, assign_post, id_of, open, step, told, write};
use crate::support::coverage::Door;
use crate::support::database::both_databases;
use crate::support::look::{list, meddle, number};
use crate::support::town::Town;
use crate::support::world::at;

/// What a person says, and what is answered: nowhere else.
pub(super) const SAID_OF_RIGHTS: [&str; 2] = ["canary-of-a-question", "canary-of-a-refusal"];

pub(crate) const RIGHTS: Option<Purpose> = Some(Purpose::RightsOfThePerson);

const OPENED: &str = "DossierOpened { accessId version }";
const REFUSED: &str = "DossierRequestRefused { requestId version }";
const ENDED: &str = "DossierAccessEnded { accessId version }";

/// All there is to read of the own dossiers.
pub(super) fn dossiers() -> String {
    let withheld = "__typename ... on Withheld { code canAsk decisionId }";
    let trajectories = format!(
        "trajectories {{ {withheld} ... on GrantedOwnTrajectories {{ value {{ id domain phase state askedBy obligation openedAt
         closedAt }} }} }}"
    );
    let entries = format!(
        "{{ {withheld} ... on GrantedOwnEntries {{ value {{ id trajectoryId about writtenAt version ownWordsOf text }} }} }}"
    );
    let domains = ["learning", "career", "health", "wellbeing"];
    let domains = domains.map(|domain| format!("{domain} {{ {trajectories} entries {entries} }}"));
    format!(
        "{{ dossiers {{ clb {{ id institutionNumber name }} {} medical {entries} }} }}",
        domains.join(" ")
    )
}

pub(super) const OWN: &str = "{ ownRequests { __typename ... on Withheld { code canAsk }
    ... on GrantedOwnRequests { value { id clb { id } requestedAt answerBy state answeredAt answer }
    corrections { id clb { id } entryId kind requestedAt answerBy text state answeredAt answer } } } }";

const STANDING: &str = "{ dossierRequests { id pupilId requestedBy askedAs requestedAt answerBy state version reason
    opened { id trajectoryId medical openedBy talkOn begins ends pupilObjects version } } }";

fn ask(decision: &Value) -> String {
    format!(
        "mutation {{ requestAccess(input: {{ decisionId: {decision} reason: \"{}\" }}) {{ __typename
         ... on AskedToRead {{ requestId answerBy }} ... on NotPossible {{ reason }} ... on Invalid {{ field }} }} }}",
        SAID_OF_RIGHTS[0]
    )
}

/// Opening: until the first of November unless it is said otherwise.
pub(super) fn opening(request: &Value, version: i32, trajectory: &str, more: &str) -> String {
    let until = if more.contains("ends:") {
        ""
    } else {
        "ends: \"2026-11-01\""
    };
    let talk = if more.contains("talkOn:") {
        ""
    } else {
        "talkOn: \"2026-10-01\""
    };
    let input = format!("requestId: {request} version: {version} trajectoryId: \"{trajectory}\" {talk} {until} {more}");
    step("openDossier", OPENED, &input)
}

fn refusing(request: &Value, version: i32) -> String {
    let input = format!(
        "requestId: {request} version: {version} reason: \"{}\"",
        SAID_OF_RIGHTS[1]
    );
    step("refuseDossierRequest", REFUSED, &input)
}

pub(super) fn ending(access: &Value, version: i32, more: &str) -> String {
    step(
        "endDossierAccess",
        ENDED,
        &format!("accessId: {access} version: {version} {more}"),
    )
}

/// The decision by which a person is not told of wellbeing.
async fn decision(town: &Town, person: &Actor) -> Value {
    let answer = town.ask_for(person, RIGHTS, true, &dossiers()).await;
    let decision = answer["dossiers"][0]["wellbeing"]["entries"]["decisionId"].clone();
    assert!(decision.is_string(), "{answer}");
    decision
}

/// A person asks; the number of the request.
pub(super) async fn asked(town: &Town, person: &Actor) -> Value {
    let decision = decision(town, person).await;
    let answer = town.ask_for(person, RIGHTS, true, &ask(&decision)).await;
    assert_eq!(answer["requestAccess"]["__typename"], "AskedToRead", "{answer}");
    answer["requestAccess"]["requestId"].clone()
}

/// What a person reads of the one dossier there is.
pub(super) async fn read(town: &Town, person: &Actor) -> Vec<String> {
    let answer = town.ask_for(person, RIGHTS, true, &dossiers()).await;
    assert_eq!(answer["dossiers"].as_array().unwrap().len(), 1, "{answer}");
    told(&answer["dossiers"][0])
}

pub(crate) async fn take(town: &Town, by: &Actor, question: &str) -> Value {
    let mut answer = town.ask_for(by, GUIDANCE, true, question).await;
    let answers = answer.as_object_mut().unwrap();
    answers.values_mut().next().unwrap().take()
}

/// A doctor in the team of health.
pub(super) async fn doctor(town: &Town, guided: &Guided) -> Actor {
    let doctor = town.world.worker(town.first, Discipline::Doctor).await;
    let assigned = assign(&guided.health, 1, &doctor, FROM_NOW);
    let assigned = take(town, &guided.staff.director, &assigned).await;
    assert_eq!(assigned["version"], 2, "{assigned}");
    doctor
}

const NOTHING: [&str; 5] = [
    "!SECRECY? !SECRECY?",
    "!SECRECY? !SECRECY?",
    "!THROUGH_DOCTOR? !THROUGH_DOCTOR?",
    "!SECRECY? !SECRECY?",
    "!THROUGH_DOCTOR?",
];

pub(super) fn unknown() -> Value {
    json!({ "__typename": "NotPossible", "reason": "UNKNOWN" })
}

pub(super) fn not_now() -> Value {
    json!({ "__typename": "NotPossible", "reason": "STATE" })
}

pub(super) fn invalid(field: &str) -> Value {
    json!({ "__typename": "Invalid", "field": field })
}

/// A pupil asks, reads and is refused: all of it is brought out.
pub(super) async fn brought_out(door: &mut Door<'_>, guided: &Guided, also: &[&str]) {
    let town = door.town;
    let (staff, pupil) = (&guided.staff, town.world.person(Role::Pupil, town.ada).await);
    let before = door.ask_for(&pupil, RIGHTS, &dossiers()).await;
    let decision = before["dossiers"][0]["medical"]["decisionId"].clone();
    let blank = ask(&decision).replace(SAID_OF_RIGHTS[0], " ");
    let blank = door.ask_for(&pupil, RIGHTS, &blank).await;
    assert_eq!(blank["requestAccess"], invalid("reason"));
    let foreign = door.ask_for(&pupil, RIGHTS, &ask(&json!("dcn_0"))).await;
    assert_eq!(foreign["requestAccess"], unknown());
    for answered in [true, false] {
        let asked = door.ask_for(&pupil, RIGHTS, &ask(&decision)).await;
        let request = asked["requestAccess"]["requestId"].clone();
        assert_eq!(asked["requestAccess"]["answerBy"], "2026-10-16", "{asked}");
        if !answered {
            let refused = door
                .ask_for(&staff.psychologist, GUIDANCE, &refusing(&request, 1))
                .await;
            assert_eq!(refused["refuseDossierRequest"]["version"], 2, "{refused}");
            continue;
        }
        let mut version = 1;
        for trajectory in also.iter().copied().chain([guided.learning.as_str()]) {
            let opened = opening(&request, version, trajectory, "");
            let opened = door.ask_for(&staff.anchor, GUIDANCE, &opened).await;
            version += 1;
            assert_eq!(opened["openDossier"]["version"], version, "{opened}");
        }
        let doctor = doctor(town, guided).await;
        let opened = opening(&request, version, &guided.health, "medical: true");
        let opened = door.ask_for(&doctor, GUIDANCE, &opened).await;
        assert_eq!(opened["openDossier"]["__typename"], "DossierOpened", "{opened}");
        let standing = door.ask_for(&doctor, GUIDANCE, STANDING).await;
        assert_eq!(
            standing["dossierRequests"][0]["opened"][0]["medical"], true,
            "{standing}"
        );
        let read = door.ask_for(&pupil, RIGHTS, &dossiers()).await;
        assert_eq!(told(&read["dossiers"][0])[4], "[canary-of-health]");
        let ended = ending(&opened["openDossier"]["accessId"], 1, "");
        let ended = door.ask_for(&doctor, GUIDANCE, &ended).await;
        assert_eq!(ended["endDossierAccess"]["version"], 2, "{ended}");
    }
    let own = door.ask_for(&pupil, RIGHTS, OWN).await;
    assert_eq!(own["ownRequests"]["value"].as_array().unwrap().len(), 2, "{own}");
}

both_databases!(a_dossier_is_opened_after_the_talk, async |database: &TestDatabase| {
    let mut town = Town::new(database).await;
    let guided = {
        let mut door = Door::new(&town, &[]);
        Guided::ada(&mut door).await
    };
    let (staff, ada) = (&guided.staff, town.ada);
    let pupil = town.world.person(Role::Pupil, ada).await;
    assert_eq!(read(&town, &pupil).await, NOTHING);
    let decision = decision(&town, &pupil).await;
    let first = take(&town, &pupil, &ask(&decision)).await;
    // The term of the law, counted from the day it was asked; asked again it is the same request, with the same term.
    assert_eq!(first["answerBy"], "2026-10-16");
    town.world.now = at("2026-10-02T10:00:00Z");
    assert_eq!(take(&town, &pupil, &ask(&decision)).await, first);
    let request = first["requestId"].clone();
    let own = town.ask_for(&pupil, RIGHTS, true, OWN).await;
    assert_eq!(
        own["ownRequests"]["value"],
        json!([{ "id": request, "clb": { "id": town.first.to_string() }, "requestedAt": "2026-10-01T10:00:00+00:00",
            "answerBy": "2026-10-16", "state": "WAITING", "answeredAt": null, "answer": null }])
    );

    // A team of the pupil finds it, and the anchor; nobody else does.
    for by in [&staff.psychologist, &staff.nurse, &staff.anchor] {
        let seen = take(&town, by, STANDING).await;
        assert_eq!(
            seen,
            json!([{ "id": request, "pupilId": ada.to_string(), "requestedBy": id_of(&pupil).to_string(), "askedAs": "PUPIL",
                "requestedAt": "2026-10-01T10:00:00+00:00", "answerBy": "2026-10-16", "state": "WAITING", "version": 1,
                "reason": SAID_OF_RIGHTS[0], "opened": [] }]),
            "{by:?}"
        );
    }
    let doctor = doctor(&town, &guided).await;
    let outside = [
        &staff.paramedic,
        &staff.director,
        &staff.administration,
        &town.viewers.second,
    ];
    for by in outside {
        assert_eq!(take(&town, by, STANDING).await, json!([]), "{by:?}");
        for question in [refusing(&request, 1), opening(&request, 1, &guided.learning, "")] {
            assert_eq!(take(&town, by, &question).await, unknown(), "{by:?}");
        }
    }

    // Each opens the own, and health data a doctor.
    let by = &staff.psychologist;
    for (worker, trajectory, more) in [
        (by, &guided.health, ""),
        (by, &guided.learning, "medical: true"),
        (&staff.nurse, &guided.health, ""),
        (&staff.nurse, &guided.health, "medical: true"),
        (&doctor, &guided.learning, ""),
    ] {
        let answer = take(&town, worker, &opening(&request, 1, trajectory, more)).await;
        assert_eq!(answer, unknown(), "{worker:?} {more}");
    }
    for (more, field) in [
        ("talkOn: \"2026-10-03\"", "talkOn"),
        ("ends: \"2026-10-02\"", "ends"),
        ("ends: \"2027-01-03\"", "ends"),
    ] {
        let answer = take(&town, by, &opening(&request, 1, &guided.learning, more)).await;
        assert_eq!(answer, invalid(field), "{more}");
    }
    assert_eq!(read(&town, &pupil).await, NOTHING);
    let opened = take(&town, by, &opening(&request, 1, &guided.learning, "")).await;
    assert_eq!(opened["version"], 2, "{opened}");
    let stale = take(&town, &doctor, &opening(&request, 1, &guided.health, "medical: true")).await;
    assert_eq!(stale, json!({ "__typename": "Conflict", "version": 2 }));
    assert_eq!(read(&town, &pupil).await[0], "1 [canary-of-learning]");

    // What is closed is not there, nor what is about others; what is about who lives with the pupil is.
    let context = write(&guided.learning, "", "of-context").replace("about: PUPIL", "about: CONTEXT");
    let others = write(&guided.learning, "", "of-others").replace("about: PUPIL", "about: THIRD_PARTY");
    for ground in ["THIRD_PARTY_CONFIDENTIAL", "THIRD_PARTY_ONLY", "COURT", "AGOGIC"] {
        take(
            &town,
            by,
            &write(&guided.learning, &format!("closed: [{ground}]"), ground),
        )
        .await;
    }
    take(&town, by, &context).await;
    take(&town, by, &others).await;
    // Another trajectory of the same domain is another's to open.
    let second = take(&town, &staff.anchor, &open(ada, "LEARNING")).await;
    let second = second["trajectoryId"].as_str().unwrap();
    take(&town, &staff.anchor, &write(second, "", "of-another")).await;
    assert_eq!(take(&town, by, &opening(&request, 2, second, "")).await, unknown());
    assert_eq!(read(&town, &pupil).await[0], "1 [canary-of-learning of-context]");
    assert_eq!(read(&town, &pupil).await[1..], NOTHING[1..]);

    // Health data through the doctor; the domain of health was not opened with them. Of another team's opening nothing is told.
    let medical = take(&town, &doctor, &opening(&request, 2, &guided.health, "medical: true")).await;
    assert_eq!(medical["version"], 3, "{medical}");
    assert_eq!(read(&town, &pupil).await[4], "[canary-of-health]");
    assert_eq!(read(&town, &pupil).await[2], NOTHING[2]);
    for (who, opened, own) in [(by, &opened, &guided.learning), (&doctor, &medical, &guided.health)] {
        let seen = take(&town, who, STANDING).await;
        let seen = seen[0]["opened"].as_array().unwrap();
        assert_eq!(seen.len(), 1, "{who:?} {seen:?}");
        assert_eq!(
            seen[0],
            json!({ "id": opened["accessId"], "trajectoryId": own, "medical": own == &guided.health,
                "openedBy": id_of(who).to_string(), "talkOn": "2026-10-01", "begins": "2026-10-02", "ends": "2026-11-01",
                "pupilObjects": false, "version": 1 })
        );
    }

    // Each look is a line, by which rule; and behind a weak sign-in nothing is read.
    let apart = database.look_apart().await;
    let line = "select granted from access_line where role = 'pupil' and action = 'read' and granted <> ''";
    let granted = list::<String>(&apart, line).await;
    let both = "secret.learning/trajectories=pupil-reads secret.learning/entries=pupil-reads secret.medical/entries=pupil-reads";
    assert!(granted.iter().any(|one| one == both), "{granted:?}");
    let weak = town.ask_for(&pupil, RIGHTS, false, &dossiers()).await;
    assert_eq!(told(&weak["dossiers"][0])[0], "!NEEDS_STEP_UP !NEEDS_STEP_UP");
    let weak = town.ask_for(&pupil, RIGHTS, false, OWN).await;
    assert_eq!(weak["ownRequests"]["code"], "NEEDS_STEP_UP");
    // To nobody else was anything opened: another pupil, a parent of this one, the pupil under another sign-in.
    for (role, of) in [(Role::Pupil, town.bo), (Role::Parent, ada), (Role::Pupil, ada)] {
        let other = town.world.person(role, of).await;
        assert_eq!(read(&town, &other).await, NOTHING, "{role}");
    }

    // Whoever opened it ends it, in this version, once; another team does not.
    for other in [&staff.nurse, &doctor, &town.viewers.second] {
        let answer = take(&town, other, &ending(&opened["accessId"], 1, "")).await;
        assert_eq!(answer, unknown(), "{other:?}");
    }
    let stale = take(&town, by, &ending(&opened["accessId"], 2, "")).await;
    assert_eq!(stale, json!({ "__typename": "Conflict", "version": 1 }));
    assert_eq!(take(&town, by, &ending(&opened["accessId"], 1, "")).await["version"], 2);
    assert_eq!(take(&town, by, &ending(&opened["accessId"], 2, "")).await, not_now());
    assert_eq!(read(&town, &pupil).await[0], NOTHING[0]);
    // What nobody ends is over when it is over.
    town.world.now = at("2026-10-31T10:00:00Z");
    assert_eq!(read(&town, &pupil).await[4], "[canary-of-health]");
    town.world.now = at("2026-11-01T10:00:00Z");
    assert_eq!(read(&town, &pupil).await, NOTHING);
    apart.close().await.unwrap();
});

// Who has no dossier to speak of is answered too: by the anchor, with a reason that the person reads.
both_databases!(a_refusal_is_told_with_its_reason, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let staff = Staff::anchored(&town).await;
    let pupil = town.world.person(Role::Pupil, town.bo).await;
    let request = asked(&town, &pupil).await;
    let blank = refusing(&request, 1).replace(SAID_OF_RIGHTS[1], " ");
    assert_eq!(take(&town, &staff.anchor, &blank).await, invalid("reason"));
    let stale = take(&town, &staff.anchor, &refusing(&request, 9)).await;
    assert_eq!(stale, json!({ "__typename": "Conflict", "version": 1 }));
    assert_eq!(take(&town, &staff.anchor, &refusing(&request, 1)).await["version"], 2);
    assert_eq!(take(&town, &staff.anchor, &refusing(&request, 2)).await, not_now());
    let own = town.ask_for(&pupil, RIGHTS, true, OWN).await["ownRequests"]["value"].take();
    let told = (&own[0]["state"], &own[0]["answer"], &own[0]["answeredAt"]);
    assert_eq!(
        told,
        (
            &json!("REFUSED"),
            &json!(SAID_OF_RIGHTS[1]),
            &json!("2026-10-01T10:00:00+00:00")
        )
    );
    assert_eq!(
        take(&town, &staff.anchor, STANDING).await,
        json!([]),
        "it waits no longer"
    );
    // Nothing is opened for what was refused; asked anew it is another request.
    let begun = take(&town, &staff.anchor, &open(town.bo, "LEARNING")).await;
    let trajectory = begun["trajectoryId"].as_str().unwrap();
    let answer = take(&town, &staff.anchor, &opening(&request, 2, trajectory, "")).await;
    assert_eq!(answer, not_now());
    let anew = asked(&town, &pupil).await;
    assert_ne!(anew, request);
    // Nor is anything opened of one pupil for the request of another.
    let ada = asked(&town, &town.world.person(Role::Pupil, town.ada).await).await;
    let answer = take(&town, &staff.anchor, &opening(&ada, 1, trajectory, "")).await;
    assert_eq!(answer, unknown());
    // What others asked is not told.
    let other = town.world.person(Role::Parent, town.bo).await;
    let own = town.ask_for(&other, RIGHTS, true, OWN).await;
    assert_eq!(own["ownRequests"]["value"], json!([]));
});

/// A consent that a parent reads, as the team notes it.
fn parent_reads(trajectory: &str, reply: &str) -> String {
    let said = format!("answer: {{ to: PARENT_READS by: PUPIL form: NOTED reply: {reply} givenOn: \"2026-10-01\" }}");
    step(
        "recordConsent",
        "ConsentNoted { consentId version }",
        &format!("trajectoryId: \"{trajectory}\" {said}"),
    )
}

both_databases!(parents_read_in_the_pupils_interest, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let guided = {
        let mut door = Door::new(&town, &[]);
        Guided::ada(&mut door).await
    };
    let by = &guided.staff.psychologist;
    let born = async |on: &str| {
        let text = format!("update record set birth_date = {on} where source_key = 'ada'");
        assert_eq!(meddle(&town.world.look, &text).await, 1);
    };
    let context = write(&guided.learning, "", "of-context").replace("about: PUPIL", "about: CONTEXT");
    take(&town, by, &context).await;
    let pupil = town.world.person(Role::Pupil, town.ada).await;
    let parent = town.world.person(Role::Parent, town.ada).await;
    let ours = asked(&town, &pupil).await;

    // Under twelve the pupil has no own access, and cannot ask; a request of before is opened to nobody.
    born("'2015-05-01'").await;
    let answer = town.ask_for(&pupil, RIGHTS, true, &dossiers()).await;
    let none = "!SECRECY !SECRECY";
    assert_eq!(told(&answer["dossiers"][0]), [none, none, none, none, "!SECRECY"]);
    let decision_of_pupil = answer["dossiers"][0]["medical"]["decisionId"].clone();
    assert_eq!(take(&town, &pupil, &ask(&decision_of_pupil)).await, unknown());
    let own = town.ask_for(&pupil, RIGHTS, true, OWN).await;
    assert_eq!(
        own["ownRequests"],
        json!({ "__typename": "Withheld", "code": "SECRECY", "canAsk": false })
    );
    assert_eq!(
        take(
            &town,
            by,
            &opening(&ours, 1, &guided.learning, "inPupilsInterest: true")
        )
        .await,
        not_now()
    );

    // The parents, where it is in the pupil's interest; of the context only what is about that parent.
    let request = asked(&town, &parent).await;
    assert_eq!(
        take(&town, by, &opening(&request, 1, &guided.learning, "")).await,
        invalid("inPupilsInterest")
    );
    let interest = "inPupilsInterest: true";
    let opened = take(&town, by, &opening(&request, 1, &guided.learning, interest)).await;
    assert_eq!(opened["version"], 2, "{opened}");
    assert_eq!(read(&town, &parent).await[0], "1 [canary-of-learning]");
    // Nothing of it is the pupil's, nor the other parent's.
    let other = town.world.person(Role::Parent, town.ada).await;
    assert_eq!(read(&town, &other).await, NOTHING);
    // What the pupil expressly objects to no parent reads; the period goes on.
    let objects = ending(&opened["accessId"], 1, "pupilObjects: true");
    assert_eq!(take(&town, by, &objects).await["version"], 2);
    assert_eq!(read(&town, &parent).await, NOTHING);
    assert_eq!(
        take(&town, by, &ending(&opened["accessId"], 2, "pupilObjects: true")).await,
        not_now()
    );
    let apart = database.look_apart().await;
    let standing = "select count(*) from dossier_access where pupil_objects and in_interest and ends_on = '2026-11-01'";
    assert_eq!(number(&apart, standing).await, 1);
    let facts = "select facts from access_line where role = 'parent' and facts like '%opened=%' order by at desc";
    let facts = list::<String>(&apart, facts).await;
    assert!(
        facts.contains(&"decides=parents authority opened=secret.learning+objects".to_owned()),
        "{facts:?}"
    );

    // From twelve the pupil decides: the parent reads while the pupil consents, and not by what parents had said.
    born("'2012-05-01'").await;
    let nothing = "!SECRECY? []";
    assert_eq!(read(&town, &parent).await[0], nothing, "only what is about that parent");
    let of_parent = parent_reads(&guided.learning, "GIVEN").replace("by: PUPIL", "by: PARENT");
    take(&town, by, &of_parent).await;
    assert_eq!(read(&town, &parent).await[0], nothing);
    let noted = take(&town, by, &parent_reads(&guided.learning, "GIVEN")).await;
    assert_eq!(read(&town, &parent).await[0], "1 [canary-of-learning]");
    let back = format!("consentId: {} version: 1 on: \"2026-10-01\"", noted["consentId"]);
    take(&town, by, &step("withdrawConsent", "ConsentNoted { version }", &back)).await;
    assert_eq!(read(&town, &parent).await[0], nothing);
    // What the pupil has to say now is the consent.
    let answer = take(&town, by, &ending(&opened["accessId"], 2, "pupilObjects: true")).await;
    assert_eq!(answer, invalid("pupilObjects"));

    // While nobody knows who decides, all of it waits.
    born("null").await;
    let waits = "!SECRECY? !SECRECY?";
    assert_eq!(read(&town, &parent).await, [waits, waits, waits, waits, "!SECRECY?"]);
    assert_eq!(
        take(&town, by, &opening(&request, 2, &guided.learning, interest)).await,
        not_now()
    );
    apart.close().await.unwrap();
});

// R11, R59: whether there is anything is told to nobody who asks; and nobody asks with the decision of another.
both_databases!(a_person_learns_nothing_by_asking, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let mut door = Door::new(&town, &[]);
    Guided::ada(&mut door).await;
    let world = &town.world;
    let (ada, bo) = (
        world.person(Role::Pupil, town.ada).await,
        world.person(Role::Pupil, town.bo).await,
    );
    let told = |one: (String, u64, u64)| (without_decisions(&one.0), one.1, one.2);
    let there = told(cost(&town, &ada, &dossiers()).await);
    let nothing = told(cost(&town, &bo, &dossiers()).await);
    assert!(there.0.contains("\"code\""), "{there:?}");
    assert_eq!(there, nothing);
    let (of_ada, of_bo) = (decision(&town, &ada).await, decision(&town, &bo).await);
    let made_up = json!(format!("dcn_{}", "0".repeat(32)));
    let foreign = cost(&town, &ada, &ask(&of_bo)).await;
    assert_eq!(foreign, cost(&town, &ada, &ask(&made_up)).await);
    assert!(foreign.0.contains("UNKNOWN"), "{foreign:?}");
    let one = cost(&town, &ada, &ask(&of_ada)).await;
    let other = cost(&town, &bo, &ask(&of_bo)).await;
    assert!(one.0.contains("AskedToRead"), "{one:?}");
    assert_eq!((one.1, one.2), (other.1, other.2));
    // A pupil whose CLB keeps its dossiers elsewhere has none here, and nothing to ask for.
    let elsewhere = world.person(Role::Pupil, town.dre).await;
    let answer = town.ask_for(&elsewhere, RIGHTS, true, &dossiers()).await;
    assert_eq!(answer["dossiers"], json!([]));
    assert_eq!(take(&town, &elsewhere, &ask(&of_ada)).await, unknown());
    assert_eq!(
        town.ask_for(&elsewhere, RIGHTS, true, OWN).await["ownRequests"],
        Value::Null
    );
    // Nor has who came under another CLB, at the former one.
    let left = world.person(Role::Pupil, town.ella).await;
    let answer = town.ask_for(&left, RIGHTS, true, &dossiers()).await;
    assert_eq!(answer["dossiers"], json!([]));
    // A data protection officer is no person of whom a dossier is kept.
    let officer = world.someone(Role::DataProtectionOfficer, None, Some(town.first)).await;
    let answer = town.ask_for(&officer, RIGHTS, true, &dossiers()).await;
    assert_eq!(answer["dossiers"], json!([]));
    assert_eq!(take(&town, &officer, &ask(&of_ada)).await, unknown());
});

// What one CLB opened is no other's; and without a line nothing is told.
both_databases!(each_clb_opens_its_own, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let staff = Staff::of(&town).await;
    town.world.keeps_dossiers(town.second).await;
    let post = assign_post(&staff.anchor, &town, "ANCHOR", FROM_NOW);
    let post = post.replace(&town.north.id.to_string(), &town.east.id.to_string());
    assert_eq!(take(&town, &staff.director, &post).await["__typename"], "PostAssigned");
    let begun = take(&town, &staff.anchor, &open(town.cas, "LEARNING")).await;
    let trajectory = begun["trajectoryId"].as_str().unwrap();
    take(&town, &staff.anchor, &write(trajectory, "", CANARIES[0])).await;
    let pupil = town.world.person(Role::Pupil, town.cas).await;
    let all = town.ask_for(&pupil, RIGHTS, true, &dossiers()).await["dossiers"].take();
    let at_first = |all: &Value, first: bool| {
        let of = |one: &&Value| (one["clb"]["id"] == town.first.to_string()) == first;
        all.as_array().unwrap().iter().find(of).unwrap().clone()
    };
    let decision = at_first(&all, true)["learning"]["entries"]["decisionId"].clone();
    let request = take(&town, &pupil, &ask(&decision)).await["requestId"].clone();
    // The other CLB hears nothing of it.
    let apart = database.look_apart().await;
    let of: Vec<uuid::Uuid> = list(&apart, "select clb_id from dossier_request").await;
    assert_eq!(of, [town.first.0]);
    let opened = take(&town, &staff.anchor, &opening(&request, 1, trajectory, "")).await;
    assert_eq!(opened["version"], 2, "{opened}");
    let all = town.ask_for(&pupil, RIGHTS, true, &dossiers()).await["dossiers"].take();
    assert_eq!(told(&at_first(&all, true))[0], "1 [canary-of-learning]");
    assert_eq!(told(&at_first(&all, false)), NOTHING);

    meddle(&apart, "alter table access_line rename to access_line_gone").await;
    for (who, question) in [
        (&pupil, dossiers()),
        (&pupil, OWN.to_owned()),
        (&pupil, ask(&decision)),
        (&staff.anchor, STANDING.to_owned()),
        (&staff.anchor, ending(&opened["accessId"], 1, "")),
    ] {
        let answer = town.answer_for(who, GUIDANCE, true, &question).await;
        assert!(answer["data"].is_null(), "{question}: {answer}");
    }
    meddle(&apart, "alter table access_line_gone rename to access_line").await;
    assert_eq!(number(&apart, "select count(*) from dossier_request").await, 1);
    assert_eq!(
        number(&apart, "select count(*) from dossier_access where version = 1").await,
        1
    );

    // What the team of one judged is no other's either.
    let judged = format!("trajectoryId: \"{trajectory}\" capability: NOT_CAPABLE reason: \"words\"");
    take(
        &town,
        &staff.anchor,
        &step("judgeCapability", "TrajectoryStepped { version }", &judged),
    )
    .await;
    let all = town.ask_for(&pupil, RIGHTS, true, &dossiers()).await["dossiers"].take();
    assert_eq!(told(&at_first(&all, true))[0], "!SECRECY !SECRECY");
    assert_eq!(told(&at_first(&all, false)), NOTHING);
    apart.close().await.unwrap();
});
