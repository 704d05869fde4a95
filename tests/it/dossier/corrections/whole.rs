//! Everything of corrections, brought out once.

use hub_entities::operation::{Actor, Role};
use serde_json::json;

use super::{SAID_OF_ENTRIES, STANDING, asking, granting, put_right, reader, refusing};
use crate::dossier::rights::{OWN, RIGHTS, dossiers, invalid, not_now, unknown};
use crate::dossier::{GUIDANCE, Guided, all_of, write};
use crate::support::coverage::Door;

/// Each kind is asked; one is done of each, and one refused: all of it is brought out.
pub(in crate::dossier) async fn brought_out(door: &mut Door<'_>, guided: &Guided) {
    asked_of_everything(door, guided).await;
}

/// The same; and by whom.
pub(in crate::dossier) async fn asked_of_everything(door: &mut Door<'_>, guided: &Guided) -> Actor {
    let (town, anchor) = (door.town, &guided.staff.anchor);
    let pupil = reader(town, guided, Role::Pupil).await;
    let mut written = Vec::new();
    for text in ["to-be-put-right", "to-be-left-out"] {
        let entry = door.ask_for(anchor, GUIDANCE, &write(&guided.learning, "", text)).await;
        written.push(entry["writeEntry"]["entryId"].as_str().unwrap().to_owned());
    }
    let blank = asking(&written[0], "CORRECT").replace(SAID_OF_ENTRIES[0], " ");
    let blank = door.ask_for(&pupil, RIGHTS, &blank).await;
    assert_eq!(blank["requestCorrection"], invalid("text"));
    let nowhere = door.ask_for(&pupil, RIGHTS, &asking("ent_0", "ADD")).await;
    assert_eq!(nowhere["requestCorrection"], unknown());
    for (entry, kind, more) in [
        (&written[0], "CORRECT", Some(put_right())),
        (&written[0], "ADD", Some("entryVersion: 2".to_owned())),
        (
            &written[1],
            "LEAVE_OUT",
            Some("entryVersion: 1 seriousReason: true".to_owned()),
        ),
        (&written[0], "CORRECT", None),
        (&written[0], "LEAVE_OUT", None),
    ] {
        let asked = door.ask_for(&pupil, RIGHTS, &asking(entry, kind)).await;
        let request = asked["requestCorrection"]["requestId"].clone();
        assert!(request.is_string(), "{asked}");
        let standing = door.ask_for(anchor, GUIDANCE, STANDING).await;
        assert_eq!(
            standing["correctionRequests"].as_array().unwrap().len(),
            1,
            "{standing}"
        );
        let (mutation, answer) = match &more {
            Some(more) => ("grantCorrection", granting(&request, 1, more)),
            None => ("refuseCorrection", refusing(&request, 1)),
        };
        for (version, wrong) in [
            (9, json!({ "__typename": "Conflict", "version": 1 })),
            (1, invalid("text")),
        ] {
            let wrongly = answer.replace("version: 1 ", &format!("version: {version} "));
            let wrongly = match version {
                1 => wrongly
                    .replace(SAID_OF_ENTRIES[4], " ")
                    .replace(SAID_OF_ENTRIES[3], " "),
                _ => wrongly,
            };
            if version == 1 && wrongly == answer {
                continue;
            }
            let told = door.ask_for(anchor, GUIDANCE, &wrongly).await;
            let wrong = if version == 1 && more.is_none() {
                invalid("reason")
            } else {
                wrong
            };
            assert_eq!(told[mutation], wrong);
        }
        let answered = door.ask_for(anchor, GUIDANCE, &answer).await;
        assert_eq!(answered[mutation]["version"], 2, "{answered}");
        let again = door
            .ask_for(anchor, GUIDANCE, &answer.replace("version: 1 ", "version: 2 "))
            .await;
        assert_eq!(again[mutation], not_now());
    }
    let read = door.ask_for(&pupil, RIGHTS, &dossiers()).await;
    let read = &read["dossiers"][0]["learning"]["entries"]["value"];
    let added = read
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["text"] == SAID_OF_ENTRIES[1]);
    assert_eq!(added.unwrap()["ownWordsOf"], "PUPIL", "{read}");
    let read = door.ask_for(anchor, GUIDANCE, &all_of(town.ada)).await;
    let read = &read["dossier"]["learning"]["entries"]["value"];
    let added = read
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["text"] == SAID_OF_ENTRIES[1]);
    assert_eq!(added.unwrap()["addsTo"], written[0], "{read}");
    let own = door.ask_for(&pupil, RIGHTS, OWN).await;
    assert_eq!(own["ownRequests"]["corrections"].as_array().unwrap().len(), 5, "{own}");
    pupil
}
