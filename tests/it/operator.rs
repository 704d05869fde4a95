//! The operators' schema: every field of it is brought out, each noun is found by its id, and no pupil is.

use std::collections::BTreeSet;

use hub_entities::id::{AgreementId, ClassId, GapId, RunId, SignalId, SourceId};
use hub_entities::operation::Realm;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::coverage::Door;
use crate::support::database::both_databases;
use crate::support::look::{list, meddle};
use crate::support::town::Town;

const SCHOOL: &str = "id institutionNumber name city";
const SOURCE: &str =
    "id name letters school { id institutionNumber name city } join { named found measuredAt } waiting";
const RUN: &str = "id sourceId schoolId kind state staged changed unchanged quarantined named found ended raised
    withdrawn startedAt finishedAt approvedAt";
const GAP: &str = "id sourceId rule detail occurrences firstSeenAt lastSeenAt";
const AGREEMENT: &str =
    "id school { id institutionNumber name city } clb { id institutionNumber name } state categories
    ground schoolFirstDays earlyWarning releasesToSoftware begins ends proposedFor proposedAt decidedAt endedAt version";
const PAGE: &str = "totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }";

/// Asks for any object by its id, with every field of whatever it may be.
async fn node(door: &mut Door<'_>, id: &str) -> Value {
    let question = format!(
        "{{ node(id: \"{id}\") {{ __typename id ... on SchoolFacts {{ {SCHOOL} }} ... on Source {{ {SOURCE} }}
         ... on SyncRun {{ {RUN} }} ... on Gap {{ {GAP} }} ... on Agreement {{ {AGREEMENT} }} }} }}"
    );
    let operator = door.town.viewers.operator.clone();
    door.ask(&operator, &question).await["node"].take()
}

both_databases!(
    every_field_of_the_operators_is_brought_out,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let operator = &town.viewers.operator;
        let mut door = Door::new(&town, &[Realm::Operations]);
        let held = town.world.held(town.north).await;
        let gap = town.world.gap(town.north, held, "Q", 3).await;
        let at = "2026-10-01T10:00:00+00:00";
        meddle(
            &town.world.look,
            "update sync_run set named = 3, found = 2 where kind = 'absences'",
        )
        .await;

        let north = json!({ "id": town.north.id.to_string(), "institutionNumber": "123456", "name": "School",
            "city": "Gemeente" });
        let mut expected = north.clone();
        expected["__typename"] = json!("SchoolFacts");
        assert_eq!(node(&mut door, &town.north.id.to_string()).await, expected);
        let source = town.north.source.to_string();
        let expected = json!({ "__typename": "Source", "id": source, "name": "files", "letters": "discimus",
            "school": north, "join": { "named": 3, "found": 2, "measuredAt": at }, "waiting": 0 });
        assert_eq!(node(&mut door, &source).await, expected);
        let run = node(&mut door, &held.to_string()).await;
        assert_eq!(
            (&run["__typename"], &run["state"], &run["schoolId"], &run["sourceId"]),
            (&json!("SyncRun"), &json!("HELD"), &north["id"], &json!(source))
        );
        let expected = json!({ "__typename": "Gap", "id": gap.to_string(), "sourceId": source, "rule": "letter",
            "detail": "Q", "occurrences": 3, "firstSeenAt": at, "lastSeenAt": at });
        assert_eq!(node(&mut door, &gap.to_string()).await, expected);
        let agreements = "select id from agreement where school_id in (select id from school
            where institution_number = '123456')";
        let agreement = list::<Uuid>(&town.world.look, agreements).await[0];
        let agreement = AgreementId(agreement).to_string();
        meddle(
            &town.world.look,
            "update agreement set school_first_days = 2, early_warning = 3, releases_to_software = true",
        )
        .await;
        let found = node(&mut door, &agreement).await;
        assert_eq!(
            (&found["__typename"], &found["school"], &found["state"]),
            (&json!("Agreement"), &north, &json!("ACCEPTED"))
        );
        assert_eq!(
            (
                &found["schoolFirstDays"],
                &found["earlyWarning"],
                &found["releasesToSoftware"]
            ),
            (&json!(2), &json!(3), &json!(true))
        );

        // No pupil, no class, no signal; and an unknown id is the same nothing.
        let nothing = [
            town.ada.to_string(),
            ClassId(list::<Uuid>(&town.world.look, "select id from class_group").await[0]).to_string(),
            SignalId(list::<Uuid>(&town.world.look, "select id from signal").await[0]).to_string(),
            RunId(Uuid::from_u128(7)).to_string(),
            SourceId(Uuid::from_u128(7)).to_string(),
            GapId(Uuid::from_u128(7)).to_string(),
        ];
        for id in nothing {
            assert_eq!(node(&mut door, &id).await, Value::Null, "{id}");
        }

        let approve = format!(
            "mutation {{ approveHeldRun(input: {{ run: \"{held}\" }}) {{ __typename
             ... on HeldRunApproved {{ run {{ {RUN} }} }} ... on NotPossible {{ reason }} ... on Invalid {{ field }} }} }}"
        );
        let answer = door.ask(operator, &approve).await;
        assert_eq!(answer["approveHeldRun"]["run"]["state"], "MERGING");
        let again = door.ask(operator, &approve).await;
        assert_eq!(again["approveHeldRun"]["reason"], "UNKNOWN");
        let wrong = approve.replace(&held.to_string(), "run");
        assert_eq!(door.ask(operator, &wrong).await["approveHeldRun"]["field"], "run");

        let lists = format!(
            "{{ viewer {{ id role schoolId clbId }} school(id: \"{}\") {{ {SCHOOL} }}
             schools(first: 2) {{ {PAGE} edges {{ cursor node {{ {SCHOOL} }} }} }}
             sources(first: 9) {{ {PAGE} edges {{ cursor node {{ {SOURCE} }} }} }}
             syncRuns(first: 99) {{ {PAGE} edges {{ cursor node {{ {RUN} }} }} }}
             gaps(first: 9) {{ {PAGE} edges {{ cursor node {{ {GAP} }} }} }}
             agreements(first: 9) {{ {PAGE} edges {{ cursor node {{ {AGREEMENT} }} }} }} }}",
            town.north.id
        );
        let all = door.ask(operator, &lists).await;
        assert_eq!(all["school"], north);
        assert_eq!(all["schools"]["totalCount"], 3);
        assert_eq!(all["schools"]["pageInfo"]["hasNextPage"], true);
        assert_eq!(all["gaps"]["totalCount"], 1);
        assert_eq!(all["agreements"]["totalCount"], 3);

        // Never brought out here, and why.
        let exempt: BTreeSet<String> = [
            // An operator acts for no party.
            "Viewer.clbId",
            "Viewer.schoolId",
            // None of the town's agreements has ended.
            "Agreement.endedAt",
            "Agreement.ends",
        ]
        .map(|field| format!("operations {field}"))
        .into();
        assert_eq!(door.missing(), exempt, "not brought out, or exempt without need");
    }
);
