//! The challenge of RFC 9470 on the wire (R24): whoever signed in too weakly for what is under secrecy is told with every answer
//! how to step up, in realms that have any of it; and with each answer alike, so that it tells nothing of what was asked for.

use hub_entities::operation::{Purpose, Role};
use serde_json::Value;

use crate::dossier::{GUIDANCE, Staff};
use crate::support::database::both_databases;
use crate::support::front::{Events, Socket, init};
use crate::support::town::Town;
use crate::support::wire::Listening;

/// As RFC 9470 §3 writes it, for an issuer two of whose means are strong enough (ACM/IDM's names for them), and R24's twelve
/// hours in seconds. In lower case, as heads are looked at here.
const CHALLENGE: &str = "www-authenticate: bearer realm=\"clb-hub\", error=\"insufficient_user_authentication\", \
     error_description=\"what is under secrecy needs a stronger or fresher sign-in\", \
     acr_values=\"urn:be:vlaanderen:authmech:itsme urn:be:vlaanderen:authmech:totp\", max_age=\"43200\"";

fn told_of(head: &str) -> Option<&str> {
    head.lines().find(|line| line.starts_with("www-authenticate"))
}

both_databases!(
    a_weak_sign_in_is_told_how_to_step_up,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let staff = Staff::anchored(&town).await;
        let (world, v) = (&town.world, &town.viewers);
        let strong = Listening::new(&town).await;
        let weak = Listening::judging(&town, |profile| {
            let means = ["itsme", "totp"].map(|one| format!("urn:be:vlaanderen:authmech:{one}"));
            profile.assurance = means.to_vec();
        })
        .await;
        let never = Listening::judging(&town, |profile| profile.assurance = Vec::new()).await;

        let opened = |pupil: &dyn std::fmt::Display| {
            format!(
                "mutation {{ openTrajectory(input: {{ pupilId: \"{pupil}\" domain: LEARNING phase: EXTENDED_CARE
             askedBy: PARENT }}) {{ __typename }} }}"
            )
        };
        town.ask_for(&staff.anchor, GUIDANCE, true, &opened(&town.ada)).await;
        let read = |pupil: &dyn std::fmt::Display| {
            format!("{{ dossier(pupilId: \"{pupil}\") {{ learning {{ entries {{ ... on Withheld {{ code }} }} }} }} }}")
        };
        let unknown = hub_entities::id::PupilId(uuid::Uuid::from_u128(7));
        // What is there, another's, nobody's; steps; and what is not under secrecy.
        for question in [
            read(&town.ada),
            read(&town.bo),
            read(&town.dre),
            read(&unknown),
            opened(&town.ada),
            opened(&unknown),
            "{ viewer { role } }".to_owned(),
        ] {
            let (status, head, body) = weak.ask_for(&staff.anchor, Purpose::Guidance, &question).await;
            assert_eq!((status, told_of(&head)), (200, Some(CHALLENGE)), "{question}: {body}");
            let (status, head, _) = strong.ask_for(&staff.anchor, Purpose::Guidance, &question).await;
            assert_eq!((status, told_of(&head)), (200, None), "{question}");
            // A challenge that nobody can meet is none.
            let (status, head, _) = never.ask_for(&staff.anchor, Purpose::Guidance, &question).await;
            assert_eq!((status, told_of(&head)), (200, None), "{question}");
        }
        // What is withheld for it says so in data, as before.
        let code = async |hub: &Listening| {
            let (_, _, body) = hub.ask_for(&staff.anchor, Purpose::Guidance, &read(&town.ada)).await;
            let body: Value = serde_json::from_str(&body).unwrap();
            body["data"]["dossier"]["learning"]["entries"]["code"]
                .as_str()
                .map(str::to_owned)
        };
        assert_eq!(code(&weak).await.as_deref(), Some("NEEDS_STEP_UP"));
        assert_eq!(code(&never).await.as_deref(), Some("NEEDS_STEP_UP"));
        assert_eq!(code(&strong).await, None, "the control: it is granted");

        // By realm: a school and an operator have nothing under secrecy.
        let pupil = world.person(Role::Pupil, town.ada).await;
        for (viewer, told) in [(&v.chat, true), (&pupil, true), (&v.north, false), (&v.operator, false)] {
            let (_, head, _) = weak.ask_for(viewer, Purpose::Guidance, "{ viewer { role } }").await;
            assert_eq!(told_of(&head), told.then_some(CHALLENGE), "{viewer:?}");
        }
        // On a socket there are no headers: its first word says it.
        let address = weak.address.to_string();
        for (viewer, told) in [(&staff.anchor, true), (&v.north, false)] {
            let mut socket = Socket::open(&address).await.unwrap();
            socket.say(&init(&weak.token(viewer))).await;
            let word = socket.next().await.unwrap();
            assert_eq!(word["type"], "connection_ack");
            let challenge = word["payload"]["www-authenticate"].as_str().map(str::to_lowercase);
            let expected = CHALLENGE.strip_prefix("www-authenticate: ").unwrap();
            assert_eq!(challenge.as_deref(), told.then_some(expected), "{viewer:?}");
        }
        // A stream has.
        for (hub, told) in [(&weak, true), (&strong, false)] {
            let head = Events::head(&hub.address.to_string(), &hub.token(&v.first)).await;
            assert_eq!(told_of(&head), told.then_some(CHALLENGE));
        }
        for hub in [strong, weak, never] {
            hub.end().await;
        }
    }
);
