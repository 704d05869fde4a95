//! The report of an obligatory signal carries its legal minimum to the competent CLB whatever the agreement
//! lists, and nothing else does.

use clb_hub::deliver::sequencer::Sequencer;
use clb_hub::store::roster::PupilSaid;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::{Categories, Category};
use hub_entities::id::{PupilId, RecordId, SignalId};
use hub_entities::operation::{Actor, Role};
use hub_entities::signal::{signal_id, truancy_key};
use hub_entities::time::{FixedClock, HalfDay, SchoolYear};
use serde_json::{Value, json};

use crate::support::database::{TestDatabase, both_databases};
use crate::support::door::{Hub, named};
use crate::support::world::{School, World};

const B: Reading = Reading::Absent(Code::B);
const Z: Reading = Reading::Absent(Code::Z);

/// Dora is at `lime`, whose CLB has an agreement that lists addresses alone, and at `elm`, whose CLB has the
/// default. Elm says 30 half-days of B: both signals stand. A third CLB has an agreement with neither.
struct Scene {
    hub: Hub,
    lime: School,
    elm: School,
    at_elm: RecordId,
    dora: PupilId,
    thirty: Vec<HalfDay>,
    first: Actor,
    second: Actor,
    third: Actor,
    of_lime: Actor,
    administration: Actor,
    chat: Actor,
}

async fn scene(database: &TestDatabase) -> Scene {
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    let (one, two, three) = (
        world.clb("114711").await,
        world.clb("114728").await,
        world.clb("114736").await,
    );
    let little = Categories::NONE.with(Category::Address);
    let lime = world.school("123456", one, little).await;
    let elm = world.school("123458", two, Categories::default_agreement()).await;
    let dora = |family| PupilSaid {
        national_index: Some(vec![7; 32]),
        ..named("Dora", family)
    };
    // What was not agreed is not stored by a sync; here it is, to see which way it leaves.
    let at_lime = world.pupils(lime, &[("d", dora("Mees"))]).await[0];
    let at_elm = world.pupils(elm, &[("d", dora("Elders"))]).await[0];
    assert_eq!(at_lime.1, at_elm.1, "one pupil");
    let calendar = world.book.laws().calendar(SchoolYear(2026));
    let thirty: Vec<HalfDay> = calendar.iter().take(30).collect();
    let said: Vec<_> = thirty.iter().map(|at| (at_elm.0, *at, B)).collect();
    assert_eq!(world.say(elm, &said).await.raised, 2);
    let first = world.someone(Role::ClbWorker, None, Some(one)).await;
    let second = world.someone(Role::ClbWorker, None, Some(two)).await;
    let third = world.someone(Role::ClbWorker, None, Some(three)).await;
    let of_lime = world.someone(Role::SchoolCareTeam, Some(lime.id), None).await;
    let administration = world.someone(Role::ClbAdministration, None, Some(one)).await;
    let chat = world.someone(Role::ClbChatWorker, None, Some(one)).await;
    Scene {
        hub: Hub::over(world),
        lime,
        elm,
        at_elm: at_elm.0,
        dora: at_elm.1,
        thirty,
        first,
        second,
        third,
        of_lime,
        administration,
        chat,
    }
}

impl Scene {
    fn signal(&self, kind: &str) -> SignalId {
        signal_id(&truancy_key(kind, self.dora, SchoolYear(2026)), 1)
    }

    /// Kind, state and report of each signal that the viewer finds, by kind; the total is of the same rows.
    async fn signals(&self, viewer: &Actor) -> Vec<(Value, Value, Value)> {
        let question = "{ signals(first: 9) { totalCount edges { node { kind state
            reportedPupil { givenName familyName birthDate school { id } classes count } } } } }";
        let answer = self.hub.ask(viewer, question).await["signals"].clone();
        let edges = answer["edges"].as_array().unwrap();
        assert_eq!(answer["totalCount"], json!(edges.len()));
        let node = |edge: &Value| {
            let node = &edge["node"];
            (
                node["kind"].clone(),
                node["state"].clone(),
                node["reportedPupil"].clone(),
            )
        };
        let mut found: Vec<_> = edges.iter().map(node).collect();
        found.sort_by_key(|(kind, ..)| kind.to_string());
        found
    }
}

/// What a report of her carries, in the words of this school.
fn minimum(family: &str, school: School) -> Value {
    json!({ "givenName": "Dora", "familyName": family, "birthDate": "2012-05-01",
        "school": { "id": school.id.to_string() }, "classes": [], "count": 30 })
}

both_databases!(
    the_legal_minimum_leaves_whatever_was_agreed,
    async |database: &TestDatabase| {
        let d = scene(database).await;
        let raised = |kind: &str, report: Value| (json!(kind), json!("RAISED"), report);
        // The first agreed on addresses alone: the obligatory signal is its all the same, the other is not.
        let of_lime = raised("truancy.5", minimum("Mees", d.lime));
        assert_eq!(d.signals(&d.first).await, std::slice::from_ref(&of_lime));
        assert_eq!(d.signals(&d.administration).await, std::slice::from_ref(&of_lime));
        // The second agreed on truancy; only what obliges carries a minimum, in the words of its own school.
        let of_elm = raised("truancy.5", minimum("Elders", d.elm));
        let thirty = raised("truancy.30", Value::Null);
        assert_eq!(d.signals(&d.second).await, [thirty.clone(), of_elm]);
        // A school sees its own words.
        assert_eq!(d.signals(&d.of_lime).await, [thirty, of_lime]);
        assert_eq!(d.signals(&d.third).await, []);
        assert_eq!(d.signals(&d.chat).await, []);

        // By every other way the agreement holds.
        let question = format!(
            "{{ signal(id: \"{}\") {{ pupil {{ givenName familyName birthDate enrolments {{ begins }} classes {{ name }}
                truancy {{ count }} absenceCounts {{ n }} }} }} }}",
            d.signal("truancy.5")
        );
        let pupil = json!({ "givenName": null, "familyName": null, "birthDate": null, "enrolments": [], "classes": [],
            "truancy": null, "absenceCounts": [] });
        assert_eq!(
            d.hub.ask(&d.first, &question).await,
            json!({ "signal": { "pupil": pupil } })
        );
        let thirty = d.signal("truancy.30");
        let question = format!(
            "{{ signal(id: \"{thirty}\") {{ id }} pupil(id: \"{}\") {{ signals {{ kind }} }} }}",
            d.dora
        );
        assert_eq!(
            d.hub.ask(&d.first, &question).await,
            json!({ "signal": null, "pupil": { "signals": [{ "kind": "truancy.5" }] } })
        );
    }
);

both_databases!(a_report_ends_with_its_signal, async |database: &TestDatabase| {
    let d = scene(database).await;
    // All but four of the half-days turn out to be something else.
    let said: Vec<_> = d.thirty[4..].iter().map(|at| (d.at_elm, *at, Z)).collect();
    d.hub.world.say(d.elm, &said).await;
    let withdrawn = |kind: &str| (json!(kind), json!("WITHDRAWN"), Value::Null);
    // That it was taken back is told to whom it was told.
    assert_eq!(d.signals(&d.first).await, [withdrawn("truancy.5")]);
    let both = [withdrawn("truancy.30"), withdrawn("truancy.5")];
    assert_eq!(d.signals(&d.second).await, both);
});

both_databases!(
    an_informing_signal_is_neither_told_nor_taken_up_without_truancy,
    async |database: &TestDatabase| {
        let d = scene(database).await;
        let world = &d.hub.world;
        let clock = std::sync::Arc::new(FixedClock(world.now));
        let sequencer = Sequencer::new(world.db.clone(), clock, world.ids.clone());
        assert_eq!(sequencer.once().await.unwrap(), 2);
        let question = "{ changes(first: 9) { changes { signalKind } } }";
        let told = json!({ "changes": { "changes": [{ "signalKind": "truancy.5" }] } });
        assert_eq!(d.hub.ask(&d.first, question).await, told);
        let told = d.hub.ask(&d.second, question).await;
        assert_eq!(told["changes"]["changes"].as_array().unwrap().len(), 2);

        let accept = |signal: SignalId| {
            format!(
                "mutation {{ acceptSignal(input: {{ signal: \"{signal}\" }}) {{ ... on NotPossible {{ reason }}
                 ... on SignalStepped {{ signal {{ kind reportedPupil {{ familyName }} }} }} }} }}"
            )
        };
        let refused = d.hub.ask(&d.first, &accept(d.signal("truancy.30"))).await;
        assert_eq!(refused, json!({ "acceptSignal": { "reason": "UNKNOWN" } }));
        let taken = d.hub.ask(&d.first, &accept(d.signal("truancy.5"))).await;
        let signal = json!({ "kind": "truancy.5", "reportedPupil": { "familyName": "Mees" } });
        assert_eq!(taken, json!({ "acceptSignal": { "signal": signal } }));
    }
);
