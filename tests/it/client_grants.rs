//! Grants: a vendor's software acts for a school as far and as long as its data manager lets it.

use clb_hub::store::Db;
use clb_hub::store::client_grant::{Coming, Revoked, issue, revoke};
use clb_hub::store::relations::sign_in;
use futures::future::join;
use hub_entities::category::Categories;
use hub_entities::client_grant::{Model, Task, Tasks};
use hub_entities::id::{ClientGrantId, Ids as _, PrincipalId, SourceId};
use hub_entities::operation::{Actor, Operation, Role};
use hub_entities::policy::{Action, Decision, Scope, decide};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::database::{TestDatabase, both_databases};
use crate::support::door::Hub;
use crate::support::look::{everything, list, meddle};
use crate::support::world::{School, World, at};

const NOW: &str = "2026-10-07T10:00:00Z";

/// A school with registered software, someone who keeps its data in order, and the same of a neighbour.
struct Scene {
    world: World,
    school: School,
    client: Actor,
    manager: Actor,
    neighbour: School,
    strange_client: Actor,
    strange_manager: Actor,
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        let world = World::new(database, NOW).await;
        let clb = world.clb("114711").await;
        let school = world.school("111111", clb, Categories::default_agreement()).await;
        let neighbour = world.school("222222", clb, Categories::default_agreement()).await;
        let of = async |role, school: School| world.registered(role, Some(school.id), None).await;
        Self {
            client: of(Role::SchoolClient, school).await,
            manager: of(Role::SchoolDataManager, school).await,
            strange_client: of(Role::SchoolClient, neighbour).await,
            strange_manager: of(Role::SchoolDataManager, neighbour).await,
            world,
            school,
            neighbour,
        }
    }

    async fn scope(&self) -> Scope {
        self.world.decided(self.manager.clone(), Action::GrantClients).await
    }

    async fn issues(&self, tasks: &[Task], begins: &str, ends: Option<&str>) -> Model {
        let coming = Coming {
            id: ClientGrantId(self.world.ids.next(self.world.now)),
            client: who(&self.client),
            source: self.school.source,
            tasks: tasks.iter().copied().collect(),
            begins_at: at(begins),
            ends_at: ends.map(at),
            now: self.world.now,
        };
        let issued = issue(&self.world.db, &self.scope().await, coming).await.unwrap();
        issued.unwrap()
    }

    /// What the software may do, as its next sign-in at this replica finds it; `None` when it is nobody.
    async fn signs_in(&self, replica: &Db, now: &str) -> Option<Vec<Action>> {
        let (subject, now) = (who(&self.client).to_string(), at(now));
        let found = sign_in(replica, "https://issuer.example", &subject, now).await.unwrap();
        let (actor, relations) = found?;
        let operation = Operation {
            actor,
            purpose: None,
            now,
            request: Uuid::nil(),
        };
        let may = |action: &&Action| matches!(decide(&operation, &relations, **action), Decision::Allowed(_));
        Some(Action::ALL.iter().filter(may).copied().collect())
    }
}

fn who(actor: &Actor) -> PrincipalId {
    match actor {
        Actor::Principal { id, .. } => *id,
        other => panic!("not a principal: {other:?}"),
    }
}

both_databases!(
    a_clients_right_begins_and_ends_with_the_next_sign_in_everywhere,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let replicas = [database.open().await, database.open().await];
        let everywhere = async |now: &str| {
            let first = scene.signs_in(&replicas[0], now).await;
            for replica in &replicas {
                // Twice: the second time nothing has changed since the first.
                assert_eq!(scene.signs_in(replica, now).await, first);
                assert_eq!(scene.signs_in(replica, now).await, first);
            }
            first
        };
        let reading = [
            Action::ReadPublic,
            Action::ReadPupils,
            Action::ReadSignals,
            Action::ReadReport,
            Action::ReadAgreements,
            Action::ReadDeliveries,
        ];
        let reporting = [
            Action::ReadPublic,
            Action::ReportSignal,
            Action::ReadAgreements,
            Action::ReadDeliveries,
        ];

        assert_eq!(everywhere(NOW).await, None, "registered, and without a grant");
        let issued = scene.issues(&[Task::Reading], NOW, Some("2026-12-24T11:00:00Z")).await;
        assert_eq!(
            (issued.issued_by, issued.ends_at),
            (Some(who(&scene.manager)), Some(at("2026-12-24T11:00:00Z")))
        );
        assert_eq!(everywhere(NOW).await.as_deref(), Some(&reading[..]));
        assert_eq!(everywhere("2026-12-24T10:59:59Z").await.as_deref(), Some(&reading[..]));
        assert_eq!(everywhere("2026-12-24T11:00:00Z").await, None, "until its end");

        // A new one takes the place of what is there, from its begin on.
        let next = scene.issues(&[Task::Reporting], "2026-11-01T08:00:00Z", None).await;
        assert_eq!(everywhere("2026-11-01T07:59:59Z").await.as_deref(), Some(&reading[..]));
        assert_eq!(
            everywhere("2026-11-01T08:00:00Z").await.as_deref(),
            Some(&reporting[..])
        );
        let late = "2026-11-02T08:00:00Z";
        let revoked = revoke(&scene.world.db, &scene.scope().await, next.id, at(late)).await;
        let Revoked::Done(revoked) = revoked.unwrap() else {
            panic!("not revoked")
        };
        assert_eq!(
            (revoked.revoked_by, revoked.revoked_at, revoked.ends_at),
            (Some(who(&scene.manager)), Some(at(late)), Some(at(late)))
        );
        assert_eq!(everywhere(late).await, None, "taken back");
        assert_eq!(
            everywhere(NOW).await.as_deref(),
            Some(&reading[..]),
            "the other one is not"
        );
        // A row that is gone gives nothing either.
        assert_eq!(meddle(&scene.world.look, "delete from client_grant").await, 2);
        assert_eq!(everywhere(NOW).await, None);
        for replica in replicas {
            replica.close().await.unwrap();
        }
    }
);

both_databases!(of_two_grants_at_once_one_holds, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    for _ in 0..5 {
        join(
            scene.issues(&[Task::Roster], NOW, None),
            scene.issues(&[Task::Absences], NOW, None),
        )
        .await;
        let open: Vec<i32> = list(
            &scene.world.look,
            "select tasks from client_grant where ends_at is null",
        )
        .await;
        assert_eq!(open.len(), 1, "{open:?}");
    }
});

/// What a question answers to each of them: the manager first, then everyone who may not.
async fn told(hub: &Hub, viewer: &Actor, question: &str) -> Value {
    let answer = hub.answer(viewer, question).await;
    assert_eq!(answer.get("errors"), None, "{question}");
    answer["data"].clone()
}

const STEP: &str = "__typename ... on ClientGrantDecided { grant { id sourceId tasks begins ends issuedBy revokedBy } }
    ... on Invalid { field } ... on NotPossible { reason }";

fn issue_question(client: &str, source: &str, rest: &str) -> String {
    format!(
        "mutation {{ issueClientGrant(input: {{ client: \"{client}\", source: \"{source}\", {rest} }}) {{ {STEP} }} }}"
    )
}

both_databases!(
    the_data_manager_alone_issues_and_revokes,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let (client, strange_client) = (who(&scene.client).to_string(), who(&scene.strange_client).to_string());
        let (source, strange_source) = (scene.school.source.to_string(), scene.neighbour.source.to_string());
        let care_team = scene
            .world
            .someone(Role::SchoolCareTeam, Some(scene.school.id), None)
            .await;
        let other = scene
            .world
            .someone(Role::SchoolClient, Some(scene.school.id), None)
            .await;
        let hub = Hub::over(scene.world);
        let tasks = "tasks: [ABSENCES, READING]";
        let unknown = json!({ "__typename": "NotPossible", "reason": "UNKNOWN" });

        // Of another school, or of none: the same answer, to the last byte.
        let before = everything(database, &hub.world.look).await;
        let nobody = PrincipalId(Uuid::from_u128(7)).to_string();
        let nowhere = SourceId(Uuid::from_u128(7)).to_string();
        let person = who(&care_team).to_string();
        for (client, source) in [
            (&strange_client, &source),
            (&nobody, &source),
            (&person, &source),
            (&client, &strange_source),
            (&client, &nowhere),
        ] {
            let answer = told(&hub, &scene.manager, &issue_question(client, source, tasks)).await;
            assert_eq!(answer, json!({ "issueClientGrant": unknown }));
        }
        for viewer in [&care_team, &other, &scene.strange_manager] {
            let answer = told(&hub, viewer, &issue_question(&client, &source, tasks)).await;
            assert_eq!(answer, json!({ "issueClientGrant": unknown }), "{viewer:?}");
        }
        for (rest, field) in [
            ("tasks: []", "tasks"),
            ("tasks: [READING], begins: \"2026-10-07T09:59:59Z\"", "begins"),
            ("tasks: [READING], ends: \"2026-10-07T10:00:00Z\"", "ends"),
        ] {
            let answer = told(&hub, &scene.manager, &issue_question(&client, &source, rest)).await;
            assert_eq!(
                answer["issueClientGrant"],
                json!({ "__typename": "Invalid", "field": field })
            );
        }
        let answer = told(&hub, &scene.manager, &issue_question("x", &source, tasks)).await;
        assert_eq!(
            answer["issueClientGrant"],
            json!({ "__typename": "Invalid", "field": "client" })
        );
        assert_eq!(everything(database, &hub.world.look).await, before);

        let answer = told(&hub, &scene.manager, &issue_question(&client, &source, tasks)).await;
        let grant = answer["issueClientGrant"]["grant"].clone();
        let expected = json!({ "id": grant["id"], "sourceId": source, "tasks": ["ABSENCES", "READING"],
        "begins": "2026-10-07T10:00:00+00:00", "ends": null, "issuedBy": who(&scene.manager).to_string(), "revokedBy": null });
        assert_eq!(grant, expected);
        // Now it is someone; a neighbour finds nothing of it.
        assert_eq!(
            told(&hub, &scene.client, "{ viewer { role } }").await["viewer"]["role"],
            "SCHOOL_CLIENT"
        );
        let clients = "{ clients(first: 9) { totalCount edges { node { id issuer subject grants { id } } } } }";
        let listed = told(&hub, &scene.manager, clients).await;
        assert_eq!(listed["clients"]["totalCount"], 2);
        let own = &listed["clients"]["edges"][0]["node"];
        assert_eq!(
            (&own["id"], &own["issuer"], &own["subject"], &own["grants"]),
            (
                &json!(client),
                &json!("https://issuer.example"),
                &json!(client),
                &json!([{ "id": grant["id"] }])
            )
        );
        let theirs = told(&hub, &scene.strange_manager, clients).await;
        assert_eq!(
            theirs["clients"],
            json!({ "totalCount": 1, "edges": [{ "node": { "id": strange_client, "issuer": "https://issuer.example",
            "subject": strange_client, "grants": [] } }] })
        );
        for viewer in [&care_team, &scene.client] {
            let nothing = told(&hub, viewer, clients).await;
            assert_eq!(
                nothing["clients"],
                json!({ "totalCount": 0, "edges": [] }),
                "{viewer:?}"
            );
        }

        let revoke = format!(
            "mutation {{ revokeClientGrant(input: {{ grant: {} }}) {{ {STEP} }} }}",
            grant["id"]
        );
        let nothing = revoke.replace(
            grant["id"].as_str().unwrap(),
            &ClientGrantId(Uuid::from_u128(7)).to_string(),
        );
        for viewer in [&care_team, &scene.client, &scene.strange_manager] {
            assert_eq!(
                told(&hub, viewer, &revoke).await,
                json!({ "revokeClientGrant": unknown }),
                "{viewer:?}"
            );
        }
        assert_eq!(
            told(&hub, &scene.manager, &nothing).await,
            json!({ "revokeClientGrant": unknown })
        );
        let revoked = told(&hub, &scene.manager, &revoke).await;
        assert_eq!(
            revoked["revokeClientGrant"]["grant"]["ends"],
            "2026-10-07T10:00:00+00:00"
        );
        assert_eq!(
            revoked["revokeClientGrant"]["grant"]["revokedBy"],
            who(&scene.manager).to_string()
        );
        let again = told(&hub, &scene.manager, &revoke).await;
        assert_eq!(
            again["revokeClientGrant"],
            json!({ "__typename": "NotPossible", "reason": "STATE" })
        );
        let gone = sign_in(&hub.world.db, "https://issuer.example", &client, at(NOW))
            .await
            .unwrap();
        assert!(gone.is_none(), "nobody any more");
    }
);

#[test]
fn every_task_is_one_of_all() {
    assert!(Task::ALL.iter().all(|task| Tasks::all().has(*task)));
}
