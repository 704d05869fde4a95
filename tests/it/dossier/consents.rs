//! Consent: asked of who decides on the day, derived anew each time, and never overwritten (issue 4.2; domain facts §3.4,
//! §4.4).

use clb_hub::store::roster::PupilSaid;
use hub_entities::operation::Actor;
use serde_json::{Value, json};

use super::leaks::cost;
use super::{GUIDANCE, Guided, Staff, go_on, id_of, open, step};
use crate::support::coverage::Door;
use crate::support::database::both_databases;
use crate::support::look::{list, number};
use crate::support::town::Town;
use crate::support::world::{at, born};

/// What was said with a consent, and why a team decided what it did: nowhere else.
pub(super) const NOTES: [&str; 2] = ["canary-of-a-consent", "canary-of-a-judgement"];

const DONE: &str = "ConsentNoted { consentId version }";

/// All there is to read of the consents of a domain.
pub(super) const CONSENTS: &str = "__typename ... on Withheld { code canAsk decisionId } ... on GrantedConsents {
    value { id trajectoryId to by form reply givenOn endsOn revokedOn note authorId writtenAt version }
    guidance { trajectoryId decides standing next }
    judgements { trajectoryId capability from authorId reason } }";

pub(super) fn answer(to: &str, by: &str, reply: &str, on: &str) -> String {
    format!("answer: {{ to: {to} by: {by} form: NOTED reply: {reply} givenOn: \"{on}\" @ }}")
}

pub(super) fn record(trajectory: &str, answer: &str) -> String {
    let input = format!("trajectoryId: \"{trajectory}\" {}", answer.replace('@', ""));
    step("recordConsent", DONE, &input)
}

fn correct(consent: &str, version: i32, answer: &str) -> String {
    let input = format!(
        "consentId: \"{consent}\" version: {version} {}",
        answer.replace('@', "")
    );
    step("correctConsent", DONE, &input)
}

fn withdraw(consent: &str, version: i32, on: &str) -> String {
    let input = format!("consentId: \"{consent}\" version: {version} on: \"{on}\"");
    step("withdrawConsent", DONE, &input)
}

pub(super) fn judge(trajectory: &str, capability: &str, reason: &str) -> String {
    let input = format!("trajectoryId: \"{trajectory}\" capability: {capability} reason: \"{reason}\"");
    step("judgeCapability", "TrajectoryStepped { trajectoryId version }", &input)
}

fn id_in(answer: &Value, mutation: &str, id: &str) -> String {
    answer[mutation][id]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"))
        .to_owned()
}

/// A consent with a note and a judgement with a reason, in the learning of Ada.
pub(super) async fn noted(door: &mut Door<'_>, guided: &Guided) -> String {
    let by = &guided.staff.psychologist;
    let said = answer("SHARING", "PUPIL", "GIVEN", "2026-09-20");
    let with_note = format!("endsOn: \"2027-01-01\" note: \"{}\"", NOTES[0]);
    let said = said.replace('@', &with_note);
    let recorded = door.ask_for(by, GUIDANCE, &record(&guided.learning, &said)).await;
    let judged = door
        .ask_for(by, GUIDANCE, &judge(&guided.learning, "CAPABLE", NOTES[1]))
        .await;
    let trajectory = json!({ "__typename": "TrajectoryStepped", "trajectoryId": guided.learning, "version": judged["judgeCapability"]["version"] });
    assert_eq!(judged["judgeCapability"], trajectory);
    id_in(&recorded, "recordConsent", "consentId")
}

/// Everything of consents is brought out.
pub(super) async fn brought_out(door: &mut Door<'_>, guided: &Guided) {
    let by = &guided.staff.psychologist;
    let consent = noted(door, guided).await;
    let said =
        answer("SHARING", "PUPIL", "GIVEN", "2026-09-21").replace('@', "note: \"as it was\" endsOn: \"2027-01-01\"");
    let corrected = door.ask_for(by, GUIDANCE, &correct(&consent, 1, &said)).await;
    assert_eq!(corrected["correctConsent"]["version"], 2, "{corrected}");
    let withdrawn = door.ask_for(by, GUIDANCE, &withdraw(&consent, 2, "2026-10-01")).await;
    assert_eq!(withdrawn["withdrawConsent"]["version"], 3, "{withdrawn}");
    let ask = format!(
        "{{ dossier(pupilId: \"{}\") {{ learning {{ consents {{ {CONSENTS} }} }} }} }}",
        door.town.ada
    );
    let read = door.ask_for(by, GUIDANCE, &ask).await;
    let read = &read["dossier"]["learning"]["consents"];
    let author = id_of(by).to_string();
    assert_eq!(
        read["value"],
        json!([{
            "id": consent, "trajectoryId": guided.learning, "to": "SHARING", "by": "PUPIL", "form": "NOTED", "reply": "GIVEN",
            "givenOn": "2026-09-21", "endsOn": "2027-01-01", "revokedOn": "2026-10-01", "note": "as it was",
            "authorId": author, "writtenAt": super::AT, "version": 3,
        }])
    );
    // Of sharing alone: guidance was asked of nobody yet.
    assert_eq!(
        read["guidance"],
        json!([{ "trajectoryId": guided.learning, "decides": "PUPIL", "standing": "MISSING", "next": "ASK_THE_PUPIL" }])
    );
    assert_eq!(
        read["judgements"],
        json!([{
            "trajectoryId": guided.learning, "capability": "CAPABLE", "from": "2026-10-01", "authorId": author,
            "reason": NOTES[1],
        }])
    );
}

/// What is said of a pupil's learning: who decides, how it stands, what is to be done.
async fn stands(town: &Town, by: &Actor, pupil: hub_entities::id::PupilId) -> [String; 3] {
    let ask = format!("{{ dossier(pupilId: \"{pupil}\") {{ learning {{ consents {{ {CONSENTS} }} }} }} }}");
    let read = town.ask_for(by, GUIDANCE, true, &ask).await;
    let guidance = read["dossier"]["learning"]["consents"]["guidance"][0].clone();
    ["decides", "standing", "next"].map(|name| guidance[name].as_str().unwrap_or("-").to_owned())
}

/// A pupil of north in learning, taken in by the anchor for whoever asked.
async fn taken_in(town: &Town, staff: &Staff, key: &str, said: PupilSaid) -> (hub_entities::id::PupilId, String) {
    let pupil = town.world.pupils(town.north, &[(key, said)]).await[0].1;
    let opened = town
        .ask_for(&staff.anchor, GUIDANCE, true, &open(pupil, "LEARNING"))
        .await;
    (pupil, id_in(&opened, "openTrajectory", "trajectoryId"))
}

// Under twelve the parents decide, from twelve the pupil, whoever asked; what the parents began continues meanwhile.
both_databases!(
    consent_is_asked_of_who_decides_on_the_day,
    async |database: &TestDatabase| {
        let mut town = Town::new(database).await;
        let staff = Staff::anchored(&town).await;
        let anchor = &staff.anchor;
        let (eli, learning) = taken_in(&town, &staff, "eli", born("2014-10-07")).await;
        let ask = async |town: &Town, question: String| town.ask_for(anchor, GUIDANCE, true, &question).await;
        let state = json!({ "__typename": "NotPossible", "reason": "STATE" });

        assert_eq!(
            stands(&town, anchor, eli).await,
            ["PARENTS", "MISSING", "ASK_THE_PARENTS"]
        );
        let moved = ask(&town, go_on(&learning, 1, "phase: ADAPTED_CURRICULUM")).await;
        assert_eq!(moved["moveTrajectory"], state, "nothing goes on without consent");
        ask(
            &town,
            record(&learning, &answer("GUIDANCE", "PUPIL", "GIVEN", "2026-10-01")),
        )
        .await;
        assert_eq!(
            stands(&town, anchor, eli).await,
            ["PARENTS", "MISSING", "ASK_THE_PARENTS"]
        );
        ask(
            &town,
            record(&learning, &answer("SHARING", "PARENT", "GIVEN", "2026-10-01")),
        )
        .await;
        assert_eq!(
            stands(&town, anchor, eli).await,
            ["PARENTS", "MISSING", "ASK_THE_PARENTS"]
        );
        let given = ask(
            &town,
            record(&learning, &answer("GUIDANCE", "PARENT", "GIVEN", "2026-10-01")),
        )
        .await;
        id_in(&given, "recordConsent", "consentId");
        assert_eq!(stands(&town, anchor, eli).await, ["PARENTS", "GIVEN", "-"]);
        let moved = ask(&town, go_on(&learning, 1, "phase: BASIC_CARE")).await;
        assert_eq!(moved["moveTrajectory"]["version"], 2, "{moved}");

        // The pupil's own yes of before the twelfth birthday was no consent of who decided.
        town.world.now = at("2026-10-07T10:00:00Z");
        let own = "a pupil's answer stands from then on";
        assert_eq!(stands(&town, anchor, eli).await, ["PUPIL", "GIVEN", "-"], "{own}");
        let refused = record(&learning, &answer("GUIDANCE", "PUPIL", "REFUSED", "2026-10-07"));
        ask(&town, refused).await;
        assert_eq!(stands(&town, anchor, eli).await, ["PUPIL", "MISSING", "CLOSE"]);
        let moved = ask(&town, go_on(&learning, 2, "phase: EXTENDED_CARE")).await;
        assert_eq!(moved["moveTrajectory"], state);
        let closed = ask(&town, go_on(&learning, 2, "close: true")).await;
        assert_eq!(closed["moveTrajectory"]["version"], 3, "{closed}");
        assert_eq!(stands(&town, anchor, eli).await, ["PUPIL", "MISSING", "-"]);
    }
);

both_databases!(
    turning_twelve_asks_the_pupil_and_goes_on,
    async |database: &TestDatabase| {
        let mut town = Town::new(database).await;
        let staff = Staff::anchored(&town).await;
        let anchor = &staff.anchor;
        let (eli, learning) = taken_in(&town, &staff, "eli", born("2014-10-07")).await;
        let ask = async |town: &Town, question: String| town.ask_for(anchor, GUIDANCE, true, &question).await;
        ask(
            &town,
            record(&learning, &answer("GUIDANCE", "PARENT", "GIVEN", "2026-10-01")),
        )
        .await;
        town.world.now = at("2026-10-07T10:00:00Z");
        assert_eq!(
            stands(&town, anchor, eli).await,
            ["PUPIL", "ASK_THE_PUPIL", "ASK_THE_PUPIL_TOO"]
        );
        let moved = ask(&town, go_on(&learning, 1, "phase: BASIC_CARE")).await;
        assert_eq!(moved["moveTrajectory"]["version"], 2, "it continues: {moved}");
        ask(
            &town,
            record(&learning, &answer("GUIDANCE", "PUPIL", "GIVEN", "2026-10-07")),
        )
        .await;
        assert_eq!(stands(&town, anchor, eli).await, ["PUPIL", "GIVEN", "-"]);
        // The team decides otherwise, with its reason: then the parents do.
        let judged = ask(&town, judge(&learning, "NOT_CAPABLE", "why")).await;
        assert_eq!(judged["judgeCapability"]["version"], 2, "{judged}");
        assert_eq!(stands(&town, anchor, eli).await[0], "PARENTS");
        let judged = ask(&town, judge(&learning, "CAPABLE", " ")).await;
        assert_eq!(
            judged["judgeCapability"],
            json!({ "__typename": "Invalid", "field": "reason" })
        );
        // Of what is decided on one day the last counts.
        for (minute, capability, decides) in [(1, "CAPABLE", "PUPIL"), (2, "NOT_CAPABLE", "PARENTS")] {
            town.world.now = at(&format!("2026-10-07T10:0{minute}:00Z"));
            ask(&town, judge(&learning, capability, "why")).await;
            assert_eq!(stands(&town, anchor, eli).await[0], decides);
        }

        // Of unknown age everything waits for the team; what obliges waits for nobody.
        let unknown = PupilSaid {
            birth_date: None,
            ..born("2014-10-07")
        };
        let (fay, of_fay) = taken_in(&town, &staff, "fay", unknown).await;
        ask(
            &town,
            record(&of_fay, &answer("GUIDANCE", "PARENT", "GIVEN", "2026-10-07")),
        )
        .await;
        assert_eq!(
            stands(&town, anchor, fay).await,
            ["UNKNOWN", "WAITS", "JUDGE_CAPABILITY"]
        );
        ask(&town, judge(&of_fay, "NOT_CAPABLE", "why")).await;
        assert_eq!(stands(&town, anchor, fay).await, ["PARENTS", "GIVEN", "-"]);
        let gus = town.world.pupils(town.north, &[("gus", born("2014-10-07"))]).await[0].1;
        let obligatory =
            open(gus, "LEARNING").replace("askedBy: PARENT", "askedBy: SCHOOL obligation: COMPULSORY_EDUCATION");
        let opened = ask(&town, obligatory).await;
        let of_gus = id_in(&opened, "openTrajectory", "trajectoryId");
        ask(
            &town,
            record(&of_gus, &answer("GUIDANCE", "PUPIL", "REFUSED", "2026-10-07")),
        )
        .await;
        assert_eq!(stands(&town, anchor, gus).await, ["PUPIL", "NOT_NEEDED", "-"]);
    }
);

// Corrections and withdrawals keep the former versions, and nothing is silently overwritten.
both_databases!(an_answer_is_never_overwritten, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let mut door = Door::new(&town, &[]);
    let guided = Guided::ada(&mut door).await;
    let staff = &guided.staff;
    let by = &staff.psychologist;
    let state = json!({ "__typename": "NotPossible", "reason": "STATE" });
    let unknown = json!({ "__typename": "NotPossible", "reason": "UNKNOWN" });
    let yes = answer("GUIDANCE", "PUPIL", "GIVEN", "2026-09-20");
    let recorded = door.ask_for(by, GUIDANCE, &record(&guided.learning, &yes)).await;
    let consent = id_in(&recorded, "recordConsent", "consentId");
    let corrected = correct(&consent, 1, &answer("GUIDANCE", "PUPIL", "GIVEN", "2026-09-22"));
    assert_eq!(
        door.ask_for(by, GUIDANCE, &corrected).await["correctConsent"]["version"],
        2
    );
    let late = door.ask_for(&staff.anchor, GUIDANCE, &corrected).await;
    assert_eq!(
        late["correctConsent"],
        json!({ "__typename": "Conflict", "version": 2 })
    );
    let late = door
        .ask_for(&staff.anchor, GUIDANCE, &withdraw(&consent, 1, "2026-10-01"))
        .await;
    assert_eq!(
        late["withdrawConsent"],
        json!({ "__typename": "Conflict", "version": 2 })
    );
    for (on, expected) in [
        ("2026-09-21", state.clone()),
        ("2026-10-02", json!({ "__typename": "Invalid", "field": "on" })),
    ] {
        let wrong = door.ask_for(by, GUIDANCE, &withdraw(&consent, 2, on)).await;
        assert_eq!(wrong["withdrawConsent"], expected, "{on}");
    }
    let withdrawn = door.ask_for(by, GUIDANCE, &withdraw(&consent, 2, "2026-09-30")).await;
    assert_eq!(withdrawn["withdrawConsent"]["version"], 3);
    let again = door.ask_for(by, GUIDANCE, &withdraw(&consent, 3, "2026-10-01")).await;
    assert_eq!(again["withdrawConsent"], state);
    // A correction does not bring back what was taken back.
    let corrected = correct(&consent, 3, &answer("GUIDANCE", "PUPIL", "GIVEN", "2026-09-23"));
    assert_eq!(
        door.ask_for(by, GUIDANCE, &corrected).await["correctConsent"]["version"],
        4
    );
    assert_eq!(stands(&town, by, town.ada).await, ["PUPIL", "MISSING", "CLOSE"]);
    let look = database.look_apart().await;
    let versions =
        "select given_on || ' ' || coalesce(cast(revoked_on as text), '-') from consent_said order by version";
    assert_eq!(
        list::<String>(&look, versions).await,
        [
            "2026-09-20 -",
            "2026-09-22 -",
            "2026-09-22 2026-09-30",
            "2026-09-23 2026-09-30"
        ]
    );
    // A no is not taken back: it is followed by a yes.
    let no = answer("GUIDANCE", "PUPIL", "REFUSED", "2026-10-01");
    let refused = door.ask_for(by, GUIDANCE, &record(&guided.learning, &no)).await;
    let refused = id_in(&refused, "recordConsent", "consentId");
    let back = door.ask_for(by, GUIDANCE, &withdraw(&refused, 1, "2026-10-01")).await;
    assert_eq!(back["withdrawConsent"], state);
    for (said, field) in [
        (answer("GUIDANCE", "PUPIL", "GIVEN", "2026-10-02"), "givenOn"),
        (yes.replace('@', "endsOn: \"2026-09-20\""), "endsOn"),
        (yes.replace('@', "note: \" \""), "note"),
    ] {
        let wrong = door.ask_for(by, GUIDANCE, &record(&guided.learning, &said)).await;
        assert_eq!(
            wrong["recordConsent"],
            json!({ "__typename": "Invalid", "field": field })
        );
    }

    // Nobody else notes, corrects, takes back or decides; nor is anybody told whether there is anything.
    let nobody = "cst_00000000000000000000000000000009";
    for other in [&staff.pedagogue, &staff.director, &staff.nurse, &town.viewers.second] {
        for (there, nothing) in [
            (withdraw(&consent, 4, "2026-10-01"), withdraw(nobody, 4, "2026-10-01")),
            (correct(&consent, 4, &yes), correct(nobody, 4, &yes)),
        ] {
            let there = cost(&town, other, &there).await;
            assert_eq!(there, cost(&town, other, &nothing).await, "{other:?}");
            assert!(there.0.contains("UNKNOWN"), "{there:?}");
        }
        let record = door.ask_for(other, GUIDANCE, &record(&guided.learning, &yes)).await;
        assert_eq!(record["recordConsent"], unknown, "{other:?}");
        let judge = door
            .ask_for(other, GUIDANCE, &judge(&guided.learning, "CAPABLE", "x"))
            .await;
        assert_eq!(judge["judgeCapability"], unknown, "{other:?}");
    }
    assert_eq!(number(&look, "select count(*) from consent_said").await, 5);
    assert_eq!(number(&look, "select count(*) from capability").await, 0);
    // Each of them has its line.
    let steps = "select distinct action from access_line where granted <> '' order by action";
    let steps: Vec<String> = list(&look, steps).await;
    assert!(steps.contains(&"record_consent".to_owned()), "{steps:?}");
    look.close().await.unwrap();
});
