//! No mutation changes what it is not there for (R55): every table is read column by column before and after each, and
//! what differs is compared with a table written by hand.

mod dossier;
mod functions;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};
use hub_entities::id::PrincipalId;
use hub_entities::operation::{Actor, Discipline, Purpose, Realm, Role};
use hub_entities::signal::{signal_id, truancy_key};
use hub_entities::time::SchoolYear;
use sea_orm::DatabaseConnection;
use serde_json::Value;

use crate::support::database::{Backend, TestDatabase, both_databases};
use crate::support::look::list;
use crate::support::schema::{columns, keys};
use crate::support::town::Town;
use table::MAY_CHANGE;

/// Between two values of a row: no value holds it.
const BETWEEN: char = '\u{1e}';

/// The rows of every table by their primary key, each column as the database quotes it.
type Everything = BTreeMap<String, BTreeMap<String, Vec<(String, String)>>>;

async fn everything(database: &TestDatabase, main: &DatabaseConnection, apart: &DatabaseConnection) -> Everything {
    let keys = keys(database).await;
    let mut all = BTreeMap::new();
    for (table, columns) in columns(database).await {
        let (look, name) = match table.strip_prefix("secrecy.") {
            Some(name) if database.backend == Backend::Sqlite => (apart, name),
            _ => (main, table.as_str()),
        };
        let key = keys.get(&table).unwrap_or(&columns);
        let text = |column: &String| match database.backend {
            Backend::Sqlite => format!("quote({column})"),
            Backend::Postgres => format!("coalesce({column}::text, 'NULL')"),
        };
        let together = format!(
            " || {}(30) || ",
            if database.backend == Backend::Sqlite {
                "char"
            } else {
                "chr"
            }
        );
        let joined = |of: &BTreeSet<String>| of.iter().map(text).collect::<Vec<_>>().join(&together);
        let question = format!("select {}{together}{} from {name}", joined(key), joined(&columns));
        let mut rows = BTreeMap::new();
        for row in list::<String>(look, &question).await {
            let mut parts: Vec<String> = row.split(BETWEEN).map(str::to_owned).collect();
            let values = parts.split_off(key.len());
            assert_eq!(values.len(), columns.len(), "{table}");
            let values = columns.iter().cloned().zip(values).collect();
            assert_eq!(rows.insert(parts.join(" "), values), None, "{table}");
        }
        all.insert(table, rows);
    }
    all
}

/// What differs: `+table`, `-table`, `table.column`.
fn differences(before: &Everything, after: &Everything) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (table, rows) in after {
        let were = &before[table];
        for (key, values) in rows {
            let Some(formerly) = were.get(key) else {
                found.insert(format!("+{table}"));
                continue;
            };
            let changed = values.iter().zip(formerly).filter(|(now, then)| now != then);
            found.extend(changed.map(|((column, _), _)| format!("{table}.{column}")));
        }
        if were.keys().any(|key| !rows.contains_key(key)) {
            found.insert(format!("-{table}"));
        }
    }
    found
}

#[test]
fn a_row_that_came_went_or_changed_is_found() {
    let row = |key: &str, value: &str| {
        (
            key.to_owned(),
            vec![("id".to_owned(), key.to_owned()), ("name".to_owned(), value.to_owned())],
        )
    };
    let of = |rows: &[(&str, &str)]| -> Everything {
        BTreeMap::from([(
            "thing".to_owned(),
            rows.iter().map(|(key, value)| row(key, value)).collect(),
        )])
    };
    let before = of(&[("1", "a"), ("2", "b")]);
    let found = |after: &[(&str, &str)]| differences(&before, &of(after)).into_iter().collect::<Vec<_>>();
    assert_eq!(found(&[("1", "a"), ("2", "b")]), Vec::<String>::new());
    assert_eq!(found(&[("1", "c"), ("2", "b")]), ["thing.name"]);
    assert_eq!(found(&[("1", "a"), ("3", "b")]), ["+thing", "-thing"]);
}

/// Every mutation that any realm has.
fn mutations() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for realm in [Realm::School, Realm::Clb, Realm::Person, Realm::Operations] {
        for definition in parse_schema(hub_graphql::sdl(realm)).unwrap().definitions {
            if let TypeSystemDefinition::Type(definition) = definition
                && definition.node.name.node == "Mutation"
                && let TypeKind::Object(object) = definition.node.kind
            {
                found.extend(object.fields.iter().map(|field| field.node.name.node.to_string()));
            }
        }
    }
    found
}

/// Takes one step after the other.
struct Steps<'a> {
    town: &'a Town,
    sees: Sees<'a>,
}

/// What is seen of each step.
enum Sees<'a> {
    /// What it changed.
    Changes(Changes<'a>),
    /// Who may take it.
    Functions(Box<functions::Functions<'a>>),
}

struct Changes<'a> {
    database: &'a TestDatabase,
    apart: DatabaseConnection,
    changed: BTreeMap<String, BTreeSet<String>>,
}

impl Steps<'_> {
    /// Takes it; it must come to pass, as this type says. What it answers.
    async fn take(&mut self, by: &Actor, mutation: &str, done: &str, input: &str) -> Value {
        let question = format!("mutation {{ {mutation}(input: {{ {input} }}) {{ __typename ... on {done} }} }}");
        let answer = match &mut self.sees {
            Sees::Functions(functions) => functions.take(by, mutation, &question).await,
            Sees::Changes(Changes {
                database,
                apart,
                changed,
            }) => {
                let look = &self.town.world.look;
                let before = everything(database, look, apart).await;
                let mut answer = self.town.ask_for(by, Some(Purpose::Guidance), true, &question).await;
                let after = everything(database, look, apart).await;
                let differ = differences(&before, &after);
                changed.entry(mutation.to_owned()).or_default().extend(differ);
                answer[mutation].take()
            }
        };
        let of_type = done.split(' ').next().unwrap();
        assert_eq!(answer["__typename"], of_type, "{mutation}: {answer}");
        answer
    }

    /// All that can be taken.
    async fn take_all(&mut self) {
        self.town.world.keeps_dossiers(self.town.first).await;
        between_the_parties(self).await;
        brought_in(self).await;
        in_the_dossier(self).await;
        what_software_may(self).await;
        tied_by_a_person(self).await;
    }
}

fn id(actor: &Actor) -> PrincipalId {
    match actor {
        Actor::Principal { id, .. } => *id,
        _ => panic!("a viewer is a principal"),
    }
}

fn text(of: &Value) -> &str {
    of.as_str().unwrap()
}

const AGREED: &str = "AgreementDecided { agreement { id version } }";
const GRANTED: &str = "ClientGrantDecided { grant { id } }";
const STEPPED: &str = "SignalStepped { proof { at } }";
const MOVED: &str = "TrajectoryStepped { trajectoryId version }";
const WRITTEN: &str = "EntryWritten { entryId version }";
const NOTED: &str = "ConsentNoted { consentId version }";
const TIED: &str = "PupilMergeDecided { merge { id version } }";
const DELIVERED: &str = "Delivered { results { outcome } }";

/// Signals, agreements and runs.
async fn between_the_parties(steps: &mut Steps<'_>) {
    let town = steps.town;
    let v = &town.viewers;
    let signal = format!(
        "signal: \"{}\"",
        signal_id(&truancy_key("truancy.5", town.ada, SchoolYear(2026)), 1)
    );
    steps.take(&v.north, "reportSignal", STEPPED, &signal).await;
    steps.take(&v.first, "acceptSignal", STEPPED, &signal).await;

    // Proposed and accepted anew between those who had one, which it replaces; and ended.
    let terms = "categories: [IDENTITY, BIRTH, TRUANCY, LANGUAGE] ground: \"test\" begins: \"2026-10-01\" schoolFirstDays: 2 earlyWarning: 3 releasesToSoftware: true";
    let input = format!("otherParty: \"{}\" {terms}", town.second);
    let proposed = steps
        .take(
            &town
                .world
                .someone(Role::SchoolDataManager, Some(town.south.id), None)
                .await,
            "proposeAgreement",
            AGREED,
            &input,
        )
        .await;
    let agreement = text(&proposed["agreement"]["id"]).to_owned();
    let input = format!("agreement: \"{agreement}\" version: 1");
    steps.take(&v.second_director, "acceptAgreement", AGREED, &input).await;
    let input = format!("agreement: \"{agreement}\" version: 2 on: \"2026-10-01\"");
    steps.take(&v.second_director, "endAgreement", AGREED, &input).await;

    let manager = town
        .world
        .someone(Role::SchoolDataManager, Some(town.east.id), None)
        .await;
    for (approver, school) in [(&manager, town.east), (&v.operator, town.south)] {
        let held = format!("run: \"{}\"", town.world.held(school).await);
        let approved = "HeldRunApproved { run { id } }";
        steps.take(approver, "approveHeldRun", approved, &held).await;
    }
}

/// What software brings in: half-days that raise a signal and take it back, and a roster.
async fn brought_in(steps: &mut Steps<'_>) {
    let town = steps.town;
    let v = &town.viewers;
    let call = |name: &str| format!("idempotencyKey: \"{name}\" institutionNumber: \"123456\"");
    let days = |code: &str| {
        let day = |day: u32| format!("{{ pupil: \"bo\" day: \"2026-09-{day}\" part: AM code: \"{code}\" }}");
        [10, 11].map(day).join(" ")
    };
    for (name, absences) in [
        ("raised", days("B")),
        ("counted", "{ pupil: \"bo\" day: \"2026-09-17\" part: AM code: \"B\" }".to_owned()),
        ("unknown", "{ pupil: \"nobody\" day: \"2026-09-17\" part: AM code: \"B\" } { pupil: \"bo\" day: \"2026-09-18\" part: AM code: \"?\" }".to_owned()),
        ("withdrawn", days("Z")),
        ("taken back", "{ pupil: \"bo\" day: \"2026-09-17\" part: AM deleted: true }".to_owned()),
    ] {
        let input = format!("{} absences: [{absences}]", call(name));
        steps.take(&v.north, "submitAbsences", DELIVERED, &input).await;
        if name == "raised" {
            // What the CLB took up lapses when it is taken back.
            let signal = signal_id(&truancy_key("truancy.5", town.bo, SchoolYear(2026)), 2);
            let signal = format!("signal: \"{signal}\"");
            steps.take(&v.first, "acceptSignal", STEPPED, &signal).await;
        }
    }

    let changes = |name: &str, rows: &str| format!("{} mode: CHANGES referenceDate: \"2026-10-01\" {rows}", call(name));
    let whole = "key: \"fay\" identifier: \"f1\" registrationNumber: \"77\" nationalNumber: \"12050100169\" givenName: \"Fay\"
        familyName: \"Test\" sex: FEMALE birthDate: \"2012-05-01\" begins: \"2026-09-01\" street: \"Straat 2\" postalCode: \"9990\"
        city: \"Klaverdonk\" language: \"nl\" phone: \"+32 400 000002\" email: \"fay@clb-hub.invalid\"";
    let other = "key: \"fay\" identifier: \"f2\" registrationNumber: \"78\" givenName: \"Faye\" familyName: \"Tester\" sex: MALE
        birthDate: \"2012-05-02\" begins: \"2026-09-02\" ends: \"2027-06-30\" street: \"Straat 3\" postalCode: \"9991\" city: \"Elders\"
        language: \"fr\" phone: \"+32 400 000003\" email: \"faye@clb-hub.invalid\"";
    let place = "key: \"m9\" classKey: \"k9\" pupilKey: \"fay\" begins: \"2026-09-01\"";
    for (name, rows) in [
        ("new", format!("classes: [{{ key: \"k9\" name: \"9A\" }}] pupils: [{{ {whole} }}] memberships: [{{ {place} }}]")),
        ("other", format!("classes: [{{ key: \"k9\" name: \"9B\" grade: \"09\" }}] pupils: [{{ {other} }}]
             memberships: [{{ {place} ends: \"2026-12-01\" }}]")),
        ("gone", "pupils: [{ key: \"fay\" deleted: true }] memberships: [{ key: \"m9\" deleted: true classKey: \"k9\" pupilKey: \"fay\" }]".to_owned()),
        // Whoever waited in quarantine is worked off.
        ("known", "pupils: [{ key: \"nobody\" givenName: \"Nobody\" familyName: \"Test\" birthDate: \"2012-05-01\" begins: \"2026-09-01\" }]".to_owned()),
        // A number that ties this record to the pupil of another school: the two become one.
        ("tied", "pupils: [{ key: \"gil\" givenName: \"Gil\" familyName: \"Test\" birthDate: \"2012-05-01\" begins: \"2026-09-01\" }]".to_owned()),
    ] {
        steps.take(&v.north, "submitRoster", DELIVERED, &changes(name, &rows)).await;
    }
    // Beside so many one may leave and nobody must look: the snapshot does not hold Gil.
    let pupil = |key: &str, given: &str, family: &str| {
        format!(
            "{{ key: \"{key}\" givenName: \"{given}\" familyName: \"{family}\" birthDate: \"2012-05-01\" begins: \"2026-09-01\" }}"
        )
    };
    let others: String = (0..9)
        .map(|number| pupil(&format!("other{number}"), "Other", "Test"))
        .collect();
    let many = changes("many", &format!("pupils: [{others}]"));
    steps.take(&v.north, "submitRoster", DELIVERED, &many).await;
    let there = [
        pupil("ada", "Ada", "Zeger"),
        pupil("bo", "Bo", "Claes"),
        pupil("nobody", "Nobody", "Test"),
        others,
    ]
    .concat();
    let part = |number: u32, closing: bool| {
        format!("{} mode: SNAPSHOT referenceDate: \"2026-10-01\" part: {{ snapshot: \"s\" number: {number} closing: {closing} }}
             classes: [{{ key: \"k1\" name: \"1A\" grade: \"09\" }}]
             memberships: [{{ key: \"m1\" classKey: \"k1\" pupilKey: \"ada\" begins: \"2026-09-01\" }}
                           {{ key: \"m2\" classKey: \"k1\" pupilKey: \"bo\" begins: \"2026-09-01\" }}]
             pupils: [{there}]", call(&format!("part {number}")))
    };
    for (number, closing) in [(1, false), (2, true)] {
        steps
            .take(&v.north, "submitRoster", DELIVERED, &part(number, closing))
            .await;
    }
}

/// What software may do: a new grant replaces the former one, and once it is revoked the software is nobody.
async fn what_software_may(steps: &mut Steps<'_>) {
    let town = steps.town;
    let v = &town.viewers;
    let input = format!(
        "client: \"{}\" source: \"{}\" tasks: [ROSTER]",
        id(&v.north),
        town.north.source
    );
    let granted = steps.take(&v.north_manager, "issueClientGrant", GRANTED, &input).await;
    let input = format!("grant: \"{}\"", text(&granted["grant"]["id"]));
    steps.take(&v.north_manager, "revokeClientGrant", GRANTED, &input).await;
}

/// What a CLB writes in a dossier.
async fn in_the_dossier(steps: &mut Steps<'_>) {
    let (world, clb) = (&steps.town.world, steps.town.first);
    let director = world.someone(Role::ClbDirector, None, Some(clb)).await;
    let anchor = world.worker(clb, Discipline::SocialWorker).await;
    let psychologist = world.worker(clb, Discipline::Psychologist).await;
    let begins = "begins: \"2026-10-01\"";
    let post = format!(
        "workerId: \"{}\" schoolId: \"{}\" post: ANCHOR {begins}",
        id(&anchor),
        steps.town.north.id
    );
    let posted = "PostAssigned { postId }";
    steps.take(&director, "assignPost", posted, &post).await;

    let input = format!(
        "pupilId: \"{}\" domain: LEARNING phase: EXTENDED_CARE askedBy: PARENT",
        steps.town.ada
    );
    let opened = steps.take(&anchor, "openTrajectory", MOVED, &input).await;
    let trajectory = format!("trajectoryId: \"{}\"", text(&opened["trajectoryId"]));
    for (version, more) in [(1, begins.to_owned()), (2, format!("{begins} ends: \"2026-12-01\""))] {
        let input = format!(
            "{trajectory} version: {version} workerId: \"{}\" {more}",
            id(&psychologist)
        );
        steps.take(&director, "assignTeam", MOVED, &input).await;
    }
    let input = format!("{trajectory} about: PUPIL text: \"words\"");
    let entry = steps.take(&anchor, "writeEntry", WRITTEN, &input).await;
    let input = format!(
        "entryId: \"{}\" version: 1 about: CONTEXT closed: [COURT] text: \"other words\"",
        text(&entry["entryId"])
    );
    steps.take(&anchor, "correctEntry", WRITTEN, &input).await;
    let said =
        |reply: &str| format!("answer: {{ to: SHARING by: PUPIL form: NOTED reply: {reply} givenOn: \"2026-09-30\" }}");
    let input = format!("{trajectory} {}", said("REFUSED"));
    let noted = steps.take(&anchor, "recordConsent", NOTED, &input).await;
    let consent = format!("consentId: \"{}\"", text(&noted["consentId"]));
    let input = format!("{consent} version: 1 {}", said("GIVEN"));
    steps.take(&anchor, "correctConsent", NOTED, &input).await;
    dossier::released(steps, &anchor, &trajectory).await;
    let input = format!("{consent} version: 2 on: \"2026-10-01\"");
    steps.take(&anchor, "withdrawConsent", NOTED, &input).await;
    let input = format!("{trajectory} capability: CAPABLE reason: \"words\"");
    steps.take(&anchor, "judgeCapability", MOVED, &input).await;
    dossier::in_a_trajectory(steps, &anchor, &trajectory).await;
    dossier::to_the_person(steps, &anchor, &trajectory).await;
    dossier::for_parents(steps, &anchor, &trajectory).await;
    dossier::held(steps, &director).await;
    let input = format!("{trajectory} version: 3 phase: INCREASED_CARE close: true");
    steps.take(&anchor, "moveTrajectory", MOVED, &input).await;
    steps
        .take(&director, "assignPost", posted, &format!("{post} ends: \"2026-12-01\""))
        .await;
    dossier::on_demand(steps, &anchor).await;
    dossier::transferred(steps, &anchor, &director).await;
}

/// Two pupils of a school that a person ties, and takes apart again.
async fn tied_by_a_person(steps: &mut Steps<'_>) {
    let town = steps.town;
    let manager = &town.viewers.north_manager;
    let input = format!(
        "pupil: \"{}\" into: \"{}\" reason: \"the same child\"",
        town.bo, town.ada
    );
    let made = steps.take(manager, "mergePupils", TIED, &input).await;
    let input = format!(
        "merge: \"{}\" version: 1 reason: \"another child\"",
        text(&made["merge"]["id"])
    );
    steps.take(manager, "unmergePupils", TIED, &input).await;
}

both_databases!(
    no_mutation_changes_what_is_not_its_own,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let mut steps = Steps {
            town: &town,
            sees: Sees::Changes(Changes {
                database,
                apart: database.look_apart().await,
                changed: BTreeMap::new(),
            }),
        };
        steps.take_all().await;
        let Sees::Changes(Changes { apart, changed, .. }) = steps.sees else {
            panic!("it was told to see changes")
        };
        let of = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect::<BTreeSet<_>>();
        let may_change: BTreeMap<String, BTreeSet<String>> = MAY_CHANGE
            .iter()
            .chain(dossier::MAY_CHANGE)
            .map(|(mutation, all)| ((*mutation).to_owned(), of(all)))
            .collect();
        let listed: BTreeSet<_> = may_change.keys().cloned().collect();
        assert_eq!(listed, mutations(), "a mutation without a row, or a row without one");
        assert_eq!(changed, may_change);
        apart.close().await.unwrap();
    }
);
