//! Who may take which step, and behind which sign-in (R23, R24): asked over the wire, by each role of the realm, at the same
//! school or CLB, in the very words in which whoever may then takes it. So those who may not are refused what there is to do,
//! and not for want of it.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};
use hub_entities::id::{ClbId, PupilId, SchoolId};
use hub_entities::operation::{Actor, Discipline, Purpose, Realm, Role};
use serde_json::{Value, json};

use super::{AGREED, STEPPED, Sees, Steps, TIED, text};
use crate::support::database::both_databases;
use crate::support::front::Events;
use crate::support::town::Town;
use crate::support::wire::Listening;

const TABLE: &str = include_str!("functions.txt");

/// To which one subscribes.
const SUBSCRIPTION: &str = "signals";

const STEP_UP: &str = "www-authenticate: bearer realm=\"clb-hub\", error=\"insufficient_user_authentication\"";

/// What a role is told of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    /// Its schema has no word for it.
    Unnamed,
    Never,
    /// Behind a strong and fresh sign-in.
    Strong,
    Any,
}

/// By function: what each role is told of it.
type Table = BTreeMap<String, BTreeMap<Role, Cell>>;

fn written() -> Table {
    let lines = TABLE
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let mut lines = lines.map(|line| line.split_whitespace());
    let roles: Vec<Role> = lines.next().unwrap().map(|role| role.parse().unwrap()).collect();
    let row = |mut words: std::str::SplitWhitespace<'static>| {
        let function = words.next().unwrap().to_owned();
        let cells = words.map(|word| match word {
            "." => Cell::Unnamed,
            "-" => Cell::Never,
            "strong" => Cell::Strong,
            "any" => Cell::Any,
            _ => panic!("{function}: {word}"),
        });
        let cells: Vec<Cell> = cells.collect();
        assert_eq!(cells.len(), roles.len(), "{function}");
        (function, roles.iter().copied().zip(cells).collect())
    };
    lines.map(row).collect()
}

/// The mutations and subscriptions of a realm.
fn functions_of(realm: Realm) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for definition in parse_schema(hub_graphql::sdl(realm)).unwrap().definitions {
        if let TypeSystemDefinition::Type(definition) = definition
            && ["Mutation", "Subscription"].contains(&definition.node.name.node.as_str())
            && let TypeKind::Object(object) = definition.node.kind
        {
            found.extend(object.fields.iter().map(|field| field.node.name.node.to_string()));
        }
    }
    found
}

/// Of whom someone is: the same for those who ask beside.
type Party = (Option<SchoolId>, Option<ClbId>, Option<PupilId>);

/// Asks as everyone, and notes what each role was told.
pub(super) struct Functions<'a> {
    town: &'a Town,
    table: Table,
    /// Takes every token for a strong sign-in.
    strong: Listening,
    /// Takes none for that.
    weak: Listening,
    /// Takes only those with a scope that no token has.
    without: Listening,
    others: BTreeMap<(Role, String), Actor>,
    told: Table,
}

impl<'a> Functions<'a> {
    async fn new(town: &'a Town) -> Self {
        Self {
            town,
            table: written(),
            // What the tokens here say of their client stands for the scope.
            strong: Listening::judging(town, |profile| {
                profile.scope_claim = "client_id".to_owned();
                profile.scope = Some("clb-hub-demo".to_owned());
            })
            .await,
            weak: Listening::judging(town, |profile| {
                profile.assurance = vec!["urn:be:vlaanderen:authmech:itsme".to_owned()];
            })
            .await,
            without: Listening::judging(town, |profile| profile.scope = Some("clb-hub-demo".to_owned())).await,
            others: BTreeMap::new(),
            told: Table::new(),
        }
    }

    fn note(&mut self, function: &str, role: Role, cell: Cell) {
        let row = self.told.entry(function.to_owned()).or_default();
        let before = row.insert(role, cell);
        assert!(
            before.is_none_or(|before| before == cell),
            "{function} {role}: {before:?} and {cell:?}"
        );
    }

    /// Someone of this role of the same party.
    async fn other(&mut self, role: Role, (school, clb, pupil): Party) -> Actor {
        let world = &self.town.world;
        let key = (role, format!("{school:?} {clb:?} {pupil:?}"));
        if let Some(known) = self.others.get(&key) {
            return known.clone();
        }
        let other = match role {
            // Beside an officer: of the pupil whose log it is.
            Role::Pupil | Role::Parent => world.person(role, pupil.unwrap_or(self.town.ada)).await,
            Role::DataProtectionOfficer => world.someone(role, None, Some(self.town.first)).await,
            Role::ClbWorker => world.worker(clb.unwrap(), Discipline::Psychologist).await,
            _ => world.someone(role, school, clb).await,
        };
        self.others.insert(key, other.clone());
        other
    }

    /// Asks as those who may not, and behind sign-ins that open it not; then takes it as whoever may. What it answers.
    pub(super) async fn take(&mut self, by: &Actor, mutation: &str, question: &str) -> Value {
        let Actor::Principal {
            role,
            school,
            clb,
            pupil,
            ..
        } = by
        else {
            panic!("a viewer is a principal")
        };
        let row = self.table[mutation].clone();
        for (other, cell) in &row {
            match cell {
                Cell::Never if other.realm() == role.realm() => {
                    let viewer = self.other(*other, (*school, *clb, *pupil)).await;
                    let question = self.in_own_name(&viewer, mutation, question).await;
                    let (status, head, answer) = self.strong.ask_for(&viewer, Purpose::Guidance, &question).await;
                    let answer: Value = serde_json::from_str(&answer).unwrap();
                    let told = &answer["data"][mutation];
                    assert_eq!(
                        (status, &told["__typename"]),
                        (200, &json!("NotPossible")),
                        "{other} {answer}"
                    );
                    assert!(!head.contains("www-authenticate"), "{head}");
                    self.note(mutation, *other, Cell::Never);
                }
                Cell::Unnamed => {
                    let viewer = self.of_another_realm(*other).await;
                    let (status, _, answer) = self.strong.ask_for(&viewer, Purpose::Guidance, question).await;
                    assert!(
                        status == 400 && !answer.contains("\"data\""),
                        "{other} {mutation}: {answer}"
                    );
                    self.note(mutation, *other, Cell::Unnamed);
                }
                Cell::Never | Cell::Strong | Cell::Any => {}
            }
        }
        let (status, _, answer) = self.without.ask_for(by, Purpose::Guidance, question).await;
        assert!(status == 401 && !answer.contains("\"data\""), "{mutation}: {answer}");
        let (status, head, answer) = self.weak.ask_for(by, Purpose::Guidance, question).await;
        let has_secrets = [Realm::Clb, Realm::Person].contains(&role.realm());
        assert_eq!(
            (status, head.contains(STEP_UP)),
            (200, has_secrets),
            "{mutation}: {head}"
        );
        let mut answer: Value = serde_json::from_str(&answer).unwrap();
        let told = answer["data"][mutation].take();
        if told["__typename"] != "NotPossible" {
            self.note(mutation, *role, Cell::Any);
            return told;
        }
        let (status, head, answer) = self.strong.ask_for(by, Purpose::Guidance, question).await;
        assert!(
            status == 200 && !head.contains("www-authenticate"),
            "{mutation}: {head}"
        );
        self.note(mutation, *role, Cell::Strong);
        serde_json::from_str::<Value>(&answer).unwrap()["data"][mutation].take()
    }

    /// Whoever asks for access names a decision that withheld something from them, where there is one.
    async fn in_own_name(&self, viewer: &Actor, mutation: &str, question: &str) -> String {
        if mutation != "requestAccess" || viewer.realm() != Some(Realm::Clb) {
            return question.to_owned();
        }
        let ask = format!(
            "{{ dossier(pupilId: \"{}\") {{ learning {{ entries {{ ... on Withheld {{ decisionId }} }} }} }} }}",
            self.town.ada
        );
        let answer = self.town.ask_for(viewer, Some(Purpose::Guidance), true, &ask).await;
        let own = answer["dossier"]["learning"]["entries"]["decisionId"].as_str();
        let (before, rest) = question.split_once("dcn_").unwrap();
        let (_, after) = rest.split_once('"').unwrap();
        own.map_or_else(|| question.to_owned(), |own| format!("{before}{own}\"{after}"))
    }

    /// Someone of this role, wherever.
    async fn of_another_realm(&mut self, role: Role) -> Actor {
        let (north, first, ada) = (self.town.north.id, self.town.first, self.town.ada);
        let party = match role.realm() {
            Realm::School => (Some(north), None, None),
            Realm::Clb => (None, Some(first), None),
            Realm::Person => (None, None, Some(ada)),
            Realm::Operations => (None, None, None),
        };
        self.other(role, party).await
    }

    /// Who hears of signals, as each role of the two realms that have them.
    async fn follow(&mut self) {
        let row = self.table[SUBSCRIPTION].clone();
        for (role, cell) in row {
            let viewer = self.of_another_realm(role).await;
            let token = self.strong.token(&viewer);
            let address = self.strong.address.to_string();
            if cell == Cell::Unnamed {
                let mut events = Events::follow(&address, &token, None).await.unwrap();
                let told = events.next().await.unwrap();
                assert!(told["data"].is_null() && told["errors"].is_array(), "{role}: {told}");
                self.note(SUBSCRIPTION, role, Cell::Unnamed);
                continue;
            }
            // After the first change that it may know of, if it may know of any.
            let known = self
                .town
                .ask(&viewer, "{ changes(first: 50) { changes { cursor } } }")
                .await;
            let after = known["changes"]["changes"][0]["cursor"].as_str().map(str::to_owned);
            let mut events = Events::follow(&address, &token, after.as_deref()).await.unwrap();
            events.next().await.unwrap();
            let told = events.next().await.unwrap()["data"]["signals"].take();
            let hears = told["change"].is_object();
            assert_ne!(hears, told["noLongerYours"].is_object(), "{role}: {told}");
            // That a sign-in is weak is no matter: nothing of it is under secrecy.
            let weak = Events::follow(&self.weak.address.to_string(), &self.weak.token(&viewer), None).await;
            assert!(
                weak.unwrap().next().await.unwrap()["data"]["signals"].is_object(),
                "{role}"
            );
            let without = self.without.token(&viewer);
            assert!(
                Events::refused(&self.without.address.to_string(), &without).await,
                "{role}"
            );
            self.note(SUBSCRIPTION, role, if hears { Cell::Any } else { Cell::Never });
        }
    }

    async fn end(self) -> Table {
        for hub in [self.strong, self.weak, self.without] {
            hub.end().await;
        }
        self.told
    }
}

/// What the others who may do the same do beside those in [`super`].
async fn by_the_others(steps: &mut Steps<'_>) {
    let town = steps.town;
    let (v, world) = (&town.viewers, &town.world);
    let care = world.someone(Role::SchoolCareTeam, Some(town.north.id), None).await;
    let director = world.someone(Role::ClbDirector, None, Some(town.first)).await;
    let signals = "{ signals(first: 9, filter: { kind: TRUANCY_5, state: RAISED }) { edges { node { id } } } }";
    let raised = town.ask(&v.first, signals).await;
    let signal = format!("signal: {}", raised["signals"]["edges"][0]["node"]["id"]);
    for reporter in [&care, &v.north_manager] {
        steps.take(reporter, "reportSignal", STEPPED, &signal).await;
    }
    steps.take(&director, "acceptSignal", STEPPED, &signal).await;

    let manager = world.someone(Role::SchoolDataManager, Some(town.east.id), None).await;
    let terms = format!(
        "otherParty: \"{}\" categories: [IDENTITY] begins: \"2026-10-01\"",
        town.east.id
    );
    let proposed = steps.take(&v.second_director, "proposeAgreement", AGREED, &terms).await;
    let agreement = text(&proposed["agreement"]["id"]).to_owned();
    let accepts = format!("agreement: \"{agreement}\" version: 1");
    steps.take(&manager, "acceptAgreement", AGREED, &accepts).await;
    let ends = format!("agreement: \"{agreement}\" version: 2 on: \"2026-10-01\"");
    steps.take(&manager, "endAgreement", AGREED, &ends).await;

    let administration = &v.first_administration;
    let input = format!(
        "pupil: \"{}\" into: \"{}\" reason: \"the same child\"",
        town.bo, town.ada
    );
    let made = steps.take(administration, "mergePupils", TIED, &input).await;
    let input = format!(
        "merge: \"{}\" version: 1 reason: \"another\"",
        text(&made["merge"]["id"])
    );
    steps.take(administration, "unmergePupils", TIED, &input).await;

    let received = "GuidanceRequestReceived { requestId }";
    let asks = |key: &str, more: &str| format!("idempotencyKey: \"{key}\" text: \"words\" {more}");
    steps
        .take(&v.north_manager, "submitGuidanceRequest", received, &asks("four", ""))
        .await;
    let about = format!("pupilId: \"{}\" askedBy: PARENT", town.ada);
    for (by, key) in [(&director, "five"), (administration, "six")] {
        steps
            .take(by, "submitGuidanceRequest", received, &asks(key, &about))
            .await;
    }
}

both_databases!(
    every_function_is_for_its_roles_alone,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let mut functions = Functions::new(&town).await;
        functions.follow().await;
        let mut steps = Steps {
            town: &town,
            sees: Sees::Functions(Box::new(functions)),
        };
        steps.take_all().await;
        by_the_others(&mut steps).await;
        let Sees::Functions(functions) = steps.sees else {
            panic!("it was told to see functions")
        };
        let written = functions.table.clone();
        assert_eq!(functions.end().await, written);
        // What the schemas have, and no more.
        for realm in [Realm::School, Realm::Clb, Realm::Person, Realm::Operations] {
            let of_realm = |(_, row): &(&String, &BTreeMap<Role, Cell>)| {
                let mut of_roles = row.iter().filter(|(role, _)| role.realm() == realm);
                let named = of_roles.clone().any(|(_, cell)| *cell != Cell::Unnamed);
                assert!(!named || of_roles.all(|(_, cell)| *cell != Cell::Unnamed), "{realm}");
                named
            };
            let named: BTreeSet<String> = written.iter().filter(of_realm).map(|(name, _)| name.clone()).collect();
            assert_eq!(named, functions_of(realm), "{realm}");
        }
    }
);
