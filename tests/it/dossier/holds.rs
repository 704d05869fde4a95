//! Legal holds: while one stands nobody erases the dossier; who puts one learns nothing; and none is lost (R62, issue 4.9).

use clb_hub::custody::Custody;
use clb_hub::keys::shredded::ShredList;
use clb_hub::store::DbError;
use hub_entities::id::{HoldId, PupilId};
use hub_entities::operation::{Actor, Role};
use serde_json::{Value, json};
use uuid::Uuid;

use super::leaks::cost;
use super::{AT, GUIDANCE, Guided, all_of, id_of, step, told};
use crate::support::coverage::Door;
use crate::support::database::both_databases;
use crate::support::look::{list, meddle, number};
use crate::support::town::Town;

/// Why a dossier is held back, and why no more: nowhere else.
pub(super) const HELD: [&str; 2] = ["canary-of-a-lawsuit", "canary-of-a-settlement"];

pub(super) fn put(pupil: PupilId, reason: &str) -> String {
    let input = format!("pupilId: \"{pupil}\" ground: DISPUTE reason: \"{reason}\"");
    step("putLegalHold", "LegalHoldDecided { holdId version }", &input)
}

pub(crate) fn lift(hold: &str, version: i32, reason: &str) -> String {
    let input = format!("holdId: \"{hold}\" version: {version} reason: \"{reason}\"");
    step("liftLegalHold", "LegalHoldDecided { holdId version }", &input)
}

fn holds(arguments: &str) -> String {
    format!(
        "{{ legalHolds({arguments}) {{ __typename ... on Withheld {{ code canAsk decisionId }} ... on GrantedLegalHolds {{ value {{
         totalCount pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} edges {{ cursor node {{
         id pupilId ground reason putBy putAt liftedBy liftedAt liftedWhy version }} }} }} }} }} }}"
    )
}

/// Puts a hold, which must come to pass; its id.
pub(crate) async fn held(town: &Town, director: &Actor, pupil: PupilId) -> String {
    let answer = town.ask_for(director, GUIDANCE, true, &put(pupil, HELD[0])).await;
    let answer = &answer["putLegalHold"];
    assert_eq!(
        (&answer["__typename"], &answer["version"]),
        (&json!("LegalHoldDecided"), &json!(1)),
        "{answer}"
    );
    answer["holdId"].as_str().unwrap().to_owned()
}

/// A dossier is held back, and let go of again.
pub(super) async fn brought_out(door: &mut Door<'_>, guided: &Guided) {
    let (town, director) = (door.town, &guided.staff.director);
    let answer = door.ask_for(director, GUIDANCE, &put(town.ada, HELD[0])).await;
    let hold = answer["putLegalHold"]["holdId"].as_str().unwrap().to_owned();
    let answer = door.ask_for(director, GUIDANCE, &lift(&hold, 1, HELD[1])).await;
    assert_eq!(answer["liftLegalHold"]["version"], 2, "{answer}");
    let answer = door.ask_for(director, GUIDANCE, &holds("first: 9")).await;
    assert_eq!(
        answer["legalHolds"]["value"]["edges"][0]["node"]["reason"], HELD[0],
        "{answer}"
    );
}

both_databases!(a_held_dossier_is_not_erased, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let guided = Guided::ada(&mut Door::new(&town, &[])).await;
    let staff = &guided.staff;
    let read =
        async || told(&town.ask_for(&staff.anchor, GUIDANCE, true, &all_of(town.ada)).await["dossier"])[0].clone();
    let there = read().await;
    let hold = held(&town, &staff.director, town.ada).await;
    let custody = Custody::open(&town.world.db, &town.apart, town.world.now).await;
    let custody = custody.unwrap();
    let shred = async || custody.shred(&town.keys, town.first, town.ada, &*town.world.ids).await;
    let refused = shred().await.unwrap_err();
    assert!(matches!(refused, DbError::Held), "{refused}");
    // Nothing is changed by it: no key is on the list of destroyed ones, and the dossier is read as before.
    assert_eq!(ShredList::open(&town.keys).unwrap().keys().count(), 0);
    assert_eq!(read().await, there);
    // Each hold stands for itself.
    let other = held(&town, &staff.director, town.ada).await;
    let lifted = async |hold: &str| {
        let answer = town
            .ask_for(&staff.director, GUIDANCE, true, &lift(hold, 1, HELD[1]))
            .await;
        assert_eq!(answer["liftLegalHold"]["version"], 2, "{answer}");
    };
    lifted(&hold).await;
    assert!(matches!(shred().await.unwrap_err(), DbError::Held));
    lifted(&other).await;
    assert!(shred().await.unwrap());
    assert_eq!(read().await, "!NOT_IN_TEAM? !NOT_IN_TEAM?");
    let look = database.look_apart().await;
    assert_eq!(
        number(&look, "select count(*) from legal_hold").await,
        0,
        "it was of the dossier"
    );
    // The log keeps that each was put and lifted.
    let lines =
        "select count(*) from access_line where action in ('put_hold', 'lift_hold') and granted = 'audit=legal-hold'";
    assert_eq!(number(&look, lines).await, 4);
    look.close().await.unwrap();
});

// An erasure that was cut off goes on: a hold that comes behind the destroyed key is not taken as if it could keep anything.
both_databases!(
    a_hold_behind_a_destroyed_key_is_not_taken,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let guided = Guided::ada(&mut Door::new(&town, &[])).await;
        let look = database.look_apart().await;
        let key: Uuid = list(&look, "select id from dossier_key").await[0];
        let mut destroyed = ShredList::open(&town.keys).unwrap();
        destroyed.add(clb_hub::keys::KeyId(key)).unwrap();
        let answer = town
            .ask_for(&guided.staff.director, GUIDANCE, true, &put(town.ada, HELD[0]))
            .await;
        assert_eq!(
            answer["putLegalHold"],
            json!({ "__typename": "NotPossible", "reason": "STATE" })
        );
        assert_eq!(number(&look, "select count(*) from legal_hold").await, 0);
        look.close().await.unwrap();
    }
);

both_databases!(a_hold_is_told_and_never_lost, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let guided = Guided::ada(&mut Door::new(&town, &[])).await;
    let (director, ask) = (&guided.staff.director, async |who: &Actor, question: &str| {
        town.ask_for(who, GUIDANCE, true, question).await
    });
    let hold = held(&town, director, town.ada).await;
    let state = json!({ "__typename": "NotPossible", "reason": "STATE" });
    for (version, reason, expected) in [
        (2, HELD[1], json!({ "__typename": "Conflict", "version": 1 })),
        (1, " ", json!({ "__typename": "Invalid", "field": "reason" })),
    ] {
        let answer = ask(director, &lift(&hold, version, reason)).await;
        assert_eq!(answer["liftLegalHold"], expected);
    }
    let told = async || ask(director, &holds("first: 9")).await["legalHolds"]["value"].clone();
    let mut expected = json!({
        "id": hold, "pupilId": town.ada.to_string(), "ground": "DISPUTE", "reason": HELD[0],
        "putBy": id_of(director).to_string(), "putAt": AT, "liftedBy": null, "liftedAt": null, "liftedWhy": null, "version": 1,
    });
    assert_eq!(told().await["edges"][0]["node"], expected);
    // Whoever leads the CLB by then lifts it, once; that it stood stays.
    let successor = town.world.someone(Role::ClbDirector, None, Some(town.first)).await;
    let answer = ask(&successor, &lift(&hold, 1, HELD[1])).await;
    assert_eq!(answer["liftLegalHold"]["version"], 2, "{answer}");
    assert_eq!(ask(director, &lift(&hold, 2, HELD[1])).await["liftLegalHold"], state);
    let lifted = expected.as_object_mut().unwrap();
    lifted.insert("liftedBy".to_owned(), json!(id_of(&successor).to_string()));
    lifted.insert("liftedAt".to_owned(), json!(AT));
    lifted.insert("liftedWhy".to_owned(), json!(HELD[1]));
    lifted.insert("version".to_owned(), json!(2));
    assert_eq!(told().await["edges"][0]["node"], expected);
    assert_eq!(told().await["totalCount"], 1);
    // Page by page.
    let other = held(&town, director, town.ada).await;
    let mut seen = Vec::new();
    let mut arguments = "first: 1".to_owned();
    for more in [true, false] {
        let page = ask(director, &holds(&arguments)).await["legalHolds"]["value"].clone();
        assert_eq!(page["pageInfo"]["hasNextPage"], more);
        seen.push(page["edges"][0]["node"]["id"].as_str().unwrap().to_owned());
        arguments = format!("first: 1 after: {}", page["pageInfo"]["endCursor"]);
    }
    seen.sort_unstable();
    let mut both = [hold, other];
    both.sort_unstable();
    assert_eq!(seen, both);
});

// R11, R59: of a pupil of whom the CLB keeps no dossier, of another CLB's, and of nobody the answer is one and the same.
both_databases!(a_hold_tells_nothing, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let guided = Guided::ada(&mut Door::new(&town, &[])).await;
    let staff = &guided.staff;
    let unknown = json!({ "__typename": "NotPossible", "reason": "UNKNOWN" });
    let hold = held(&town, &staff.director, town.ada).await;
    let nobody = PupilId(Uuid::from_u128(7)).to_string();
    let of_nobody = cost(
        &town,
        &staff.director,
        &put(town.ada, "x").replace(&town.ada.to_string(), &nobody),
    )
    .await;
    for foreign in [town.dre, town.bo] {
        assert_eq!(cost(&town, &staff.director, &put(foreign, "x")).await, of_nobody);
    }
    let second = &town.viewers.second_director;
    let never = HoldId(Uuid::from_u128(9)).to_string();
    assert_eq!(
        cost(&town, second, &lift(&hold, 1, "x")).await,
        cost(&town, second, &lift(&never, 1, "x")).await
    );
    // Nobody else, and the director for a purpose and strongly signed in.
    for (who, purpose, strong) in [
        (&staff.director, None, true),
        (&staff.director, GUIDANCE, false),
        (&staff.anchor, GUIDANCE, true),
        (&staff.administration, GUIDANCE, true),
        (&town.viewers.chat, GUIDANCE, true),
        (second, GUIDANCE, true),
    ] {
        for (mutation, question) in [
            ("putLegalHold", put(town.ada, "x")),
            ("liftLegalHold", lift(&hold, 1, "x")),
        ] {
            let answer = town.ask_for(who, purpose, strong, &question).await;
            assert_eq!(answer[mutation], unknown, "{who:?}");
        }
    }
    for (who, purpose, strong, expected) in [
        (&staff.director, None, true, "NEEDS_PURPOSE"),
        (&staff.director, GUIDANCE, false, "NEEDS_STEP_UP"),
    ] {
        let answer = town.ask_for(who, purpose, strong, &holds("first: 9")).await;
        assert_eq!(answer["legalHolds"]["code"], expected);
    }
    for who in [&staff.anchor, &staff.administration, &town.viewers.chat] {
        let answer = town.ask_for(who, GUIDANCE, true, &holds("first: 9")).await;
        assert_eq!(answer["legalHolds"], Value::Null, "{who:?}");
    }
    let of_second = town.ask_for(second, GUIDANCE, true, &holds("first: 9")).await;
    assert_eq!(of_second["legalHolds"]["value"]["totalCount"], 0);
    // Of who left the CLB a dossier is held back as before: it is then that it may be erased.
    let look = database.look_apart().await;
    let left = "update competence set ends_on = '2026-09-15'";
    assert_ne!(meddle(&town.world.look, left).await, 0);
    held(&town, &staff.director, town.ada).await;
    assert_eq!(number(&look, "select count(*) from legal_hold").await, 2);
    // Each that was tried is a line, whoever tried it of whom.
    let tried = "select count(*) from access_line where action in ('put_hold', 'lift_hold') and granted = ''";
    assert_ne!(number(&look, tried).await, 0);
    look.close().await.unwrap();
});
