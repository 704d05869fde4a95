//! Partners outside (draaischijf): a referral is put to who decides first, told to the partner under consent alone, and never
//! overwritten (issue 4.1; domain facts §3.5, §5.1).

use hub_entities::operation::Actor;
use serde_json::{Value, json};

use super::{GUIDANCE, Guided, id_of, step};
use crate::support::coverage::Door;
use crate::support::database::both_databases;
use crate::support::look::list;
use crate::support::town::Town;

/// To whom, why, and what came of it: nowhere else.
pub(super) const REFERRED: [&str; 3] = ["canary-of-a-partner", "canary-of-a-referral", "canary-of-an-outcome"];

/// All there is to read of referrals.
pub(super) const REFERRALS: &str = "__typename ... on Withheld { code canAsk decisionId } ... on GrantedReferrals {
    value { id trajectoryId sector partner reason state outcome authorId writtenAt version } }";

const DONE: &str = "ReferralNoted { referralId version }";

fn refer(trajectory: &str, partner: &str, reason: &str) -> String {
    let said = format!("sector: WELFARE partner: \"{partner}\" reason: \"{reason}\"");
    step("refer", DONE, &format!("trajectoryId: \"{trajectory}\" {said}"))
}

fn correct(referral: &str, version: i32, partner: &str, reason: &str) -> String {
    let said = format!("sector: HEALTH partner: \"{partner}\" reason: \"{reason}\"");
    step(
        "correctReferral",
        DONE,
        &format!("referralId: \"{referral}\" version: {version} {said}"),
    )
}

fn go(referral: &str, version: i32, state: &str, outcome: &str) -> String {
    let input = format!("referralId: \"{referral}\" version: {version} state: {state} {outcome}");
    step("moveReferral", DONE, &input)
}

fn consents(trajectory: &str, reply: &str, on: &str) -> String {
    let answer = format!("to: REFERRAL by: PUPIL form: NOTED reply: {reply} givenOn: \"{on}\"");
    let input = format!("trajectoryId: \"{trajectory}\" answer: {{ {answer} }}");
    step("recordConsent", "ConsentNoted { consentId version }", &input)
}

/// A referral of Ada in learning, as far as the partner that took over.
pub(super) async fn noted(door: &mut Door<'_>, guided: &Guided) -> String {
    let by = &guided.staff.psychologist;
    let referred = door
        .ask_for(by, GUIDANCE, &refer(&guided.learning, REFERRED[0], REFERRED[1]))
        .await;
    let id = referred["refer"]["referralId"].as_str().unwrap().to_owned();
    door.ask_for(by, GUIDANCE, &consents(&guided.learning, "GIVEN", "2026-09-30"))
        .await;
    let made = door.ask_for(by, GUIDANCE, &go(&id, 1, "MADE", "")).await;
    assert_eq!(made["moveReferral"]["version"], 2, "{made}");
    let outcome = format!("outcome: \"{}\"", REFERRED[2]);
    let taken = door.ask_for(by, GUIDANCE, &go(&id, 2, "TAKEN", &outcome)).await;
    assert_eq!(taken["moveReferral"]["version"], 3, "{taken}");
    id
}

async fn read(town: &Town, by: &Actor, guided: &Guided) -> Value {
    let ask = format!(
        "{{ dossier(pupilId: \"{}\") {{ learning {{ referrals {{ {REFERRALS} }} }} }} }}",
        town.ada
    );
    assert!(!guided.learning.is_empty());
    town.ask_for(by, GUIDANCE, true, &ask).await["dossier"]["learning"]["referrals"].take()
}

/// Everything of referrals is brought out.
pub(super) async fn brought_out(door: &mut Door<'_>, guided: &Guided) {
    let id = noted(door, guided).await;
    let by = &guided.staff.psychologist;
    let corrected = door.ask_for(by, GUIDANCE, &correct(&id, 3, "partner", "reason")).await;
    assert_eq!(corrected["correctReferral"]["version"], 4, "{corrected}");
    let ask = format!(
        "{{ dossier(pupilId: \"{}\") {{ learning {{ referrals {{ {REFERRALS} }} }} }} }}",
        door.town.ada
    );
    let answer = door.ask_for(by, GUIDANCE, &ask).await;
    assert_eq!(
        answer["dossier"]["learning"]["referrals"]["value"],
        json!([{
            "id": id, "trajectoryId": guided.learning, "sector": "HEALTH", "partner": "partner", "reason": "reason",
            "state": "TAKEN", "outcome": REFERRED[2], "authorId": id_of(by).to_string(), "writtenAt": super::AT, "version": 4,
        }])
    );
}

both_databases!(a_partner_is_told_under_consent, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let mut door = Door::new(&town, &[]);
    let guided = Guided::ada(&mut door).await;
    let (by, staff) = (&guided.staff.psychologist, &guided.staff);
    let answer =
        async |question: String, mutation: &str| town.ask_for(by, GUIDANCE, true, &question).await[mutation].take();
    for (partner, reason, field) in [(" ", "x", "partner"), ("x", " ", "reason")] {
        let said = answer(refer(&guided.learning, partner, reason), "refer").await;
        assert_eq!(said, json!({ "__typename": "Invalid", "field": field }));
    }
    let referred = answer(refer(&guided.learning, "partner", "reason"), "refer").await;
    let id = referred["referralId"].as_str().unwrap().to_owned();
    let not_now = json!({ "__typename": "NotPossible", "reason": "STATE" });
    // Without consent, with a refusal, and with a consent to guidance alone.
    assert_eq!(
        answer(go(&id, 1, "MADE", ""), "moveReferral").await,
        not_now,
        "nobody was asked"
    );
    let other = consents(&guided.learning, "GIVEN", "2026-09-01").replace("REFERRAL", "GUIDANCE");
    town.ask_for(by, GUIDANCE, true, &other).await;
    town.ask_for(by, GUIDANCE, true, &consents(&guided.learning, "REFUSED", "2026-09-02"))
        .await;
    assert_eq!(
        answer(go(&id, 1, "MADE", ""), "moveReferral").await,
        not_now,
        "it was refused"
    );
    town.ask_for(by, GUIDANCE, true, &consents(&guided.learning, "GIVEN", "2026-09-03"))
        .await;
    // Nobody takes over what was not offered; nobody else moves it.
    assert_eq!(answer(go(&id, 1, "TAKEN", ""), "moveReferral").await, not_now);
    for stranger in [&staff.paramedic, &staff.director, &town.viewers.second] {
        for (question, mutation) in [
            (go(&id, 1, "MADE", ""), "moveReferral"),
            (correct(&id, 1, "x", "x"), "correctReferral"),
            (refer(&guided.learning, "x", "x"), "refer"),
        ] {
            let answer = town.ask_for(stranger, GUIDANCE, true, &question).await;
            assert_eq!(
                answer[mutation],
                json!({ "__typename": "NotPossible", "reason": "UNKNOWN" }),
                "{stranger:?}"
            );
        }
    }
    assert_eq!(answer(go(&id, 1, "MADE", ""), "moveReferral").await["version"], 2);
    let stale = answer(go(&id, 1, "TAKEN", ""), "moveReferral").await;
    assert_eq!(stale, json!({ "__typename": "Conflict", "version": 2 }));
    let blank = answer(go(&id, 2, "DROPPED", "outcome: \" \""), "moveReferral").await;
    assert_eq!(blank["field"], "outcome");
    let dropped = answer(go(&id, 2, "DROPPED", "outcome: \"no place\""), "moveReferral").await;
    assert_eq!(dropped["version"], 3);
    // What is over stays over; what was noted wrongly is put right, and no version is lost.
    assert_eq!(answer(go(&id, 3, "MADE", ""), "moveReferral").await, not_now);
    assert_eq!(
        answer(correct(&id, 3, "other", "reason"), "correctReferral").await["version"],
        4
    );
    let seen = read(&town, by, &guided).await["value"][0].take();
    let now = ["sector", "partner", "state", "outcome"].map(|name| seen[name].as_str().unwrap().to_owned());
    assert_eq!(now, ["HEALTH", "other", "DROPPED", "no place"]);
    let apart = database.look_apart().await;
    let states = "select state from referral_said order by version";
    assert_eq!(
        list::<String>(&apart, states).await,
        ["proposed", "made", "dropped", "dropped"]
    );
    // Colleagues read none of it, and are told what they are told of anything.
    for (reader, code) in [(&staff.paramedic, "NOT_IN_TEAM"), (&staff.director, "SECRECY")] {
        assert_eq!(read(&town, reader, &guided).await["code"], code, "{reader:?}");
    }
    apart.close().await.unwrap();
});
