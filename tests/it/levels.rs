//! A list is asked for level by level (issue 2, point 6): thirty pupils cost as many statements as three.

use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::id::ClassId;
use hub_entities::operation::Role;
use uuid::Uuid;

use crate::support::database::both_databases;
use crate::support::door::{Hub, NOW, named};
use crate::support::look::list;
use crate::support::world::{World, am, place, pm};

const PUPILS: usize = 30;

/// Everything that hangs under a pupil, with what hangs under that.
const PUPIL: &str = "id familyName birthDate address { city } withheld currentEnrolment { id school { name } }
    enrolments { id school { name } } classes { id name school { city } } absences(first: 3) { edges { node { day code } } }
    absenceCounts { code n } truancy { count evidence { elsewhereCount ownHalfDays { day } } }
    signals { id report { at } acceptance { at } reportedPupil { familyName } pupil { id givenName } }";

both_databases!(
    a_level_costs_the_same_however_long_the_list_is,
    async |database: &TestDatabase| {
        let world = World::new(database, NOW).await;
        let clb = world.clb("114711").await;
        let school = world.school("123456", clb, Categories::all()).await;
        let keys: Vec<String> = (10..10 + PUPILS).map(|number| format!("p{number}")).collect();
        let said: Vec<_> = keys.iter().map(|key| (key.as_str(), named("An", key))).collect();
        let pupils = world.pupils(school, &said).await;
        world.classes(school, &[("1A", None)]).await;
        let places: Vec<_> = keys.iter().map(|key| (key.as_str(), place("1A", key))).collect();
        world.places(school, &places).await;
        // Five half-days: each has a signal of its own.
        let days = [
            am("2026-09-01"),
            pm("2026-09-01"),
            am("2026-09-03"),
            pm("2026-09-03"),
            am("2026-09-04"),
        ];
        let absent: Vec<_> = pupils
            .iter()
            .flat_map(|(record, _)| days.map(|half_day| (*record, half_day, Reading::Absent(Code::B))))
            .collect();
        assert_eq!(world.say(school, &absent).await.raised, 30);
        let class = ClassId(list::<Uuid>(&world.look, "select id from class_group").await[0]);
        let care_team = world.someone(Role::SchoolCareTeam, Some(school.id), None).await;
        let worker = world.someone(Role::ClbWorker, None, Some(clb)).await;
        let hub = Hub::over(world);

        let questions = [
            format!("{{ list: pupils(first: MANY) {{ totalCount edges {{ node {{ {PUPIL} }} }} }} }}"),
            format!(
                "{{ list: signals(first: MANY) {{ totalCount edges {{ node {{ id kind report {{ at }} acceptance {{ at }}
                    reportedPupil {{ familyName }} pupil {{ {PUPIL} }} }} }} }} }}"
            ),
            format!(
                "{{ node(id: \"{class}\") {{ ... on ClassGroup {{ list: members(first: MANY) {{ totalCount edges {{ node {{ begins
                    pupil {{ {PUPIL} }} }} }} }} }} }} }}"
            ),
        ];
        for viewer in [&care_team, &worker] {
            for question in &questions {
                let mut costs = Vec::new();
                for many in [3, PUPILS] {
                    let question = question.replace("MANY", &many.to_string());
                    // What a first sign-in reads is read.
                    hub.ask(viewer, "{ viewer { role } }").await;
                    let before = hub.world.db.statements();
                    let data = hub.ask(viewer, &question).await;
                    costs.push(hub.world.db.statements() - before);
                    let list = data.get("list").unwrap_or(&data["node"]["list"]);
                    assert_eq!(list["edges"].as_array().unwrap().len(), many);
                    assert_eq!(list["totalCount"], 30);
                }
                assert_eq!(costs[0], costs[1], "three and thirty: {question}");
                assert!(costs[0] > 5, "{costs:?}");
            }
        }
    }
);
