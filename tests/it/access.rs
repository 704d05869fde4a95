//! The access log: one line per request, and on it exactly the categories that left, of exactly these pupils.

use std::sync::Arc;

use clb_hub::deliver::sequencer::Sequencer;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::{Categories, Category};
use hub_entities::id::{PupilId, RecordId};
use hub_entities::operation::Actor;
use hub_entities::signal::{signal_id, truancy_key};
use hub_entities::time::{FixedClock, HalfDay, SchoolYear};
use serde_json::json;

use crate::support::database::both_databases;
use crate::support::door::{Cast, NOW, cast};
use crate::support::world::{World, am, pm};

const B: Reading = Reading::Absent(Code::B);
const Z: Reading = Reading::Absent(Code::Z);

/// Five half-days of B, and after them one of sickness.
fn five_and_sick(record: RecordId) -> Vec<(RecordId, HalfDay, Reading)> {
    let days = ["2026-09-01", "2026-09-03", "2026-09-04"];
    let halves = days.into_iter().flat_map(|day| [am(day), pm(day)]);
    let five = halves.take(5).map(|at| (record, at, B));
    five.chain([(record, am("2026-09-07"), Z)]).collect()
}

/// A question of a viewer, and what its line should say, if there should be one: the categories and the pupils.
type Asked<'a> = (Actor, String, Option<(&'a [Category], &'a [PupilId])>);

/// Asks each question, and compares the line of each, if there should be one, with what is written beside it.
async fn lines(cast: Cast, asked: &[Asked<'_>]) {
    let mut expected = Vec::new();
    for (viewer, question, line) in asked {
        cast.hub.ask(viewer, question).await;
        if let Some((categories, pupils)) = line {
            let categories: Categories = categories.iter().copied().collect();
            let mut ids: Vec<String> = pupils.iter().map(ToString::to_string).collect();
            ids.sort();
            expected.push((question.clone(), categories, json!(ids)));
        }
    }
    let mut written = cast.hub.lines().await;
    written.sort_by_key(|line| line.id);
    assert_eq!(written.len(), expected.len(), "one line for each that is expected");
    for (line, (question, categories, pupils)) in written.iter().zip(expected) {
        assert_eq!((line.categories, &line.pupil_ids), (categories, &pupils), "{question}");
    }
}

both_databases!(
    a_line_names_exactly_the_categories_that_left,
    async |database: &TestDatabase| {
        use Category::{Attendance, Birth, Enrolment, Identity, Truancy};
        let cast = cast(World::new(database, NOW).await, Categories::all()).await;
        let world = &cast.hub.world;
        let [(truant, a), (sick, b), (_, c)] = cast.pupils[..] else {
            panic!("three pupils")
        };
        world.say(cast.school, &five_and_sick(truant)).await;
        world.say(cast.school, &[(sick, am("2026-09-07"), Z)]).await;
        let clock = Arc::new(FixedClock(world.now));
        let sequencer = Sequencer::new(world.db.clone(), clock, world.ids.clone());
        assert_eq!(sequencer.once().await.unwrap(), 1);
        let signal = signal_id(&truancy_key("truancy.5", a, SchoolYear(2026)), 1);

        let of = |pupil: PupilId, fields: &str| format!("{{ pupil(id: \"{pupil}\") {{ {fields} }} }}");
        let signals = |fields: &str| format!("{{ signals(first: 9) {{ edges {{ node {{ {fields} }} }} }} }}");
        let pupils = |arguments: &str| format!("{{ pupils(first: 9 {arguments}) {{ edges {{ node {{ id }} }} }} }}");
        let report = format!("mutation {{ reportSignal(input: {{ signal: \"{signal}\" }}) {{ __typename }} }}");
        let none: &[Category] = &[];
        let worker = || cast.worker.clone();
        let asked = [
            // Half-days: B is truancy, sickness is attendance, and a page tells what is on it.
            (
                worker(),
                of(a, "absenceCounts { n }"),
                Some((&[Truancy, Attendance][..], &[a][..])),
            ),
            (worker(), of(b, "absenceCounts { n }"), Some((&[Attendance], &[b]))),
            (
                worker(),
                of(a, "absences(first: 9) { totalCount }"),
                Some((&[Truancy, Attendance], &[a])),
            ),
            (
                worker(),
                of(a, "absences(first: 5) { totalCount }"),
                Some((&[Truancy], &[a])),
            ),
            (
                worker(),
                of(b, "absences(first: 9) { totalCount }"),
                Some((&[Attendance], &[b])),
            ),
            (
                worker(),
                of(a, "truancy { count evidence { elsewhereCount } }"),
                Some((&[Truancy], &[a])),
            ),
            // A signal tells of truancy, by whatever way it leaves.
            (worker(), signals("kind"), Some((&[Truancy], &[a]))),
            (
                worker(),
                signals("pupil { familyName }"),
                Some((&[Truancy, Identity], &[a])),
            ),
            (
                worker(),
                signals("reportedPupil { birthDate }"),
                Some((&[Truancy, Birth], &[a])),
            ),
            (
                worker(),
                signals("reportedPupil { classes }"),
                Some((&[Truancy, Enrolment], &[a])),
            ),
            (
                worker(),
                format!("{{ signal(id: \"{signal}\") {{ kind }} }}"),
                Some((&[Truancy], &[a])),
            ),
            (
                worker(),
                format!("{{ node(id: \"{signal}\") {{ id }} }}"),
                Some((&[Truancy], &[a])),
            ),
            (worker(), of(a, "signals { kind }"), Some((&[Truancy], &[a]))),
            (worker(), of(b, "signals { kind }"), Some((none, &[b]))),
            (
                worker(),
                "{ changes(first: 9) { changes { kind } } }".to_owned(),
                Some((&[Truancy], &[a])),
            ),
            (
                worker(),
                "{ changes(first: 9) { changes { schoolId } } }".to_owned(),
                Some((&[Truancy, Enrolment], &[a])),
            ),
            (cast.care_team.clone(), report, Some((&[Truancy], &[a]))),
            // A filter and an order tell what they go by.
            (worker(), pupils(""), Some((none, &[a, b, c]))),
            (
                worker(),
                pupils("filter: { truancyCountAtLeast: 1 }"),
                Some((&[Truancy], &[a])),
            ),
            (
                worker(),
                pupils("orderBy: TRUANCY_COUNT"),
                Some((&[Truancy], &[a, b, c])),
            ),
            (
                worker(),
                pupils("orderBy: FAMILY_NAME"),
                Some((&[Identity], &[a, b, c])),
            ),
            // Nothing of any pupil leaves.
            (cast.other_worker.clone(), signals("kind"), None),
            (
                cast.other_worker.clone(),
                format!("{{ signal(id: \"{signal}\") {{ kind }} }}"),
                None,
            ),
            (
                cast.other_worker.clone(),
                "{ changes(first: 9) { changes { kind } } }".to_owned(),
                None,
            ),
        ];
        lines(cast, &asked).await;
    }
);

both_databases!(
    a_half_day_leaves_under_what_was_agreed,
    async |database: &TestDatabase| {
        let agreed = [Category::Identity, Category::Attendance];
        let cast = cast(World::new(database, NOW).await, agreed.into_iter().collect()).await;
        let (record, pupil) = cast.pupils[0];
        cast.hub.world.say(cast.school, &five_and_sick(record)).await;
        let question = format!("{{ pupil(id: \"{pupil}\") {{ absenceCounts {{ n }} truancy {{ count }} }} }}");
        // B too is one of the codes of attendance; the tally was not agreed.
        let attendance: &[Category] = &[Category::Attendance];
        let asked = [(cast.worker.clone(), question, Some((attendance, &[pupil][..])))];
        lines(cast, &asked).await;
    }
);
