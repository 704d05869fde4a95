//! Who reads what was released: the team of the trajectory in the dossier, the software of a school where that was agreed.

use hub_entities::operation::Actor;
use serde_json::{Value, json};

use super::super::leaks::cost;
use super::super::step;
use super::{GUIDANCE, IN_THE_DOSSIER, guided, listed, made, revoke, titles, told};
use crate::support::database::both_databases;
use crate::support::look::meddle;
use crate::support::town::Town;

// Who reads them in the dossier: the team of the trajectory; a colleague may ask, and is lent them as anything of a team.
both_databases!(a_team_reads_what_it_released, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let (guided, _) = guided(&town).await;
    let staff = &guided.staff;
    let id = made(&town, &guided, ["title", "advice", "purpose"], "").await;
    for member in [&staff.psychologist, &staff.anchor] {
        assert_eq!(listed(&town, member).await, [("title".to_owned(), "-".to_owned())]);
    }
    let question = format!("{{ dossier(pupilId: \"{}\") {{ {IN_THE_DOSSIER} }} }}", town.ada);
    let read = async |who: &Actor| town.ask_for(who, GUIDANCE, true, &question).await["dossier"]["releases"].take();
    for (reader, code, may_ask) in [
        (&staff.paramedic, "NOT_IN_TEAM", true),
        (&staff.director, "SECRECY", false),
        (&staff.administration, "SECRECY", false),
    ] {
        let told = read(reader).await;
        assert_eq!(
            (&told["code"], &told["canAsk"]),
            (&json!(code), &json!(may_ask)),
            "{reader:?}"
        );
    }
    // The nurse has a team of her own, in which nothing was released.
    assert_eq!(read(&staff.nurse).await["value"], json!([]));
    let decision = read(&staff.paramedic).await["decisionId"].take();
    let ask = step(
        "requestAccess",
        "AccessRequested { decisionId }",
        &format!("decisionId: {decision} reason: \"why\""),
    );
    let asked = town.ask_for(&staff.paramedic, GUIDANCE, true, &ask).await;
    assert_eq!(asked["requestAccess"]["__typename"], "AccessRequested", "{asked}");
    let waiting = format!("{{ accessRequests(pupilId: \"{}\") {{ id domain }} }}", town.ada);
    let waiting = town.ask_for(&staff.psychologist, GUIDANCE, true, &waiting).await["accessRequests"][0].take();
    assert_eq!(waiting["domain"], Value::Null);
    let input = format!(
        "requestId: {} version: 1 lend: {{ trajectoryId: \"{}\" until: \"2026-10-02T10:00:00Z\" }}",
        waiting["id"], guided.learning
    );
    let lent = step("answerAccessRequest", "AccessAnswered { requestId version }", &input);
    let lent = town.ask_for(&staff.psychologist, GUIDANCE, true, &lent).await;
    assert_eq!(lent["answerAccessRequest"]["version"], 2, "{lent}");
    assert_eq!(read(&staff.paramedic).await["value"][0]["id"], id);
    // To read: who is not in the team takes nothing back, and hears of it what is heard of none.
    let made_up = format!("rls_{}", "0".repeat(32));
    for stranger in [&staff.paramedic, &staff.nurse, &staff.director, &town.viewers.second] {
        let there = cost(&town, stranger, &revoke(&id, 1)).await;
        assert!(there.0.contains("UNKNOWN"), "{there:?}");
        assert_eq!(there, cost(&town, stranger, &revoke(&made_up, 1)).await, "{stranger:?}");
    }
    let stale = town.ask_for(&staff.anchor, GUIDANCE, true, &revoke(&id, 2)).await;
    assert_eq!(
        stale["revokeRelease"],
        json!({ "__typename": "Conflict", "version": 1 })
    );
    // Any of the team takes it back, once.
    let revoked = town.ask_for(&staff.anchor, GUIDANCE, true, &revoke(&id, 1)).await;
    assert_eq!(revoked["revokeRelease"]["version"], 2);
    let again = town.ask_for(&staff.anchor, GUIDANCE, true, &revoke(&id, 2)).await;
    assert_eq!(
        again["revokeRelease"],
        json!({ "__typename": "NotPossible", "reason": "STATE" })
    );
});

// Design §3: machines only if agreed, by school and CLB; and only such software as may read at all.
both_databases!(software_reads_where_that_was_agreed, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let (guided, _) = guided(&town).await;
    made(&town, &guided, ["title", "advice", "purpose"], "").await;
    town.applier().await.round().await.unwrap();
    let software = &town.viewers.north;
    let withheld = json!({ "__typename": "WithheldReleases", "code": "SECRECY" });
    assert_eq!(told(&town, software, "").await, withheld);
    let look = &town.world.look;
    let agree = |school: &str| {
        format!(
            "update agreement set releases_to_software = true
             where school_id in (select id from school where institution_number = '{school}')"
        )
    };
    // South's agreement is not north's.
    meddle(look, &agree("123458")).await;
    assert_eq!(told(&town, software, "").await, withheld);
    meddle(look, &agree("123456")).await;
    assert_eq!(titles(&town, software).await, ["title"]);
    // Once it has ended it binds nobody.
    meddle(look, "update agreement set ends_on = '2026-10-01'").await;
    assert_eq!(told(&town, software, "").await, withheld);
});
