//! What questions brought out, by type and field: what `door` compares with the schemas.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::types::{
    DocumentOperations, FieldDefinition, Selection, SelectionSet, TypeKind, TypeSystemDefinition,
};
use async_graphql::parser::{parse_query, parse_schema};
use futures::StreamExt as _;
use hub_entities::category::Categories;
use hub_entities::operation::{Actor, Discipline, Purpose, Realm, Role};
use serde_json::Value;

use super::look::meddle;
use super::town::Town;
use super::world::born;

/// Takes cursors out: they are sealed, and `lists` shows what they are good for.
fn without_cursors(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            fields.retain(|name, _| !name.to_lowercase().ends_with("cursor"));
            for field in fields.values_mut() {
                *field = without_cursors(field.take());
            }
        }
        Value::Array(all) => {
            for one in all {
                *one = without_cursors(one.take());
            }
        }
        _ => {}
    }
    value
}

/// A field as the schema has it.
pub(crate) struct Field {
    /// The type that it gives.
    gives: String,
    /// Whether anybody who signs in may know it.
    is_public: bool,
}

/// The asking, and what came out of it by type and field.
pub(crate) struct Door<'a> {
    pub(crate) town: &'a Town,
    pub(crate) types: BTreeMap<(Realm, String), BTreeMap<String, Field>>,
    pub(crate) granted: BTreeSet<(Realm, String, String)>,
    /// What a stranger asked for as well, and did not get.
    refused: BTreeSet<(Realm, String, String)>,
    /// What a stranger got that is not for everyone.
    pub(crate) leaks: Vec<String>,
    /// By role: whoever has it at a school and a CLB of which nothing is known, and nobody in this town.
    strangers: BTreeMap<Role, Actor>,
}

impl<'a> Door<'a> {
    /// Nothing is asked yet of these realms.
    pub(crate) fn new(town: &'a Town, realms: &[Realm]) -> Self {
        let types = realms
            .iter()
            .copied()
            .flat_map(|realm| {
                fields_of(realm)
                    .into_iter()
                    .map(move |(name, fields)| ((realm, name), fields))
            })
            .collect();
        Self {
            town,
            types,
            granted: BTreeSet::new(),
            refused: BTreeSet::new(),
            leaks: Vec::new(),
            strangers: BTreeMap::new(),
        }
    }

    /// From now on whatever is asked is asked by a stranger of the same role first.
    pub(crate) async fn with_strangers(mut self) -> Self {
        let world = &self.town.world;
        let clb = world.clb("114713").await;
        world.keeps_dossiers(clb).await;
        let school = world.school_alone("123459").await;
        // Somebody must be a pupil somewhere, to be one here or the parent of one.
        let elsewhere = world
            .school("123460", world.clb("114714").await, Categories::all())
            .await;
        let pupil = world.pupils(elsewhere, &[("wes", born("2010-05-01"))]).await[0].1;
        // A data manager sees the software and the sources of its own school: this one has neither.
        let bare = world.school_alone("123461").await;
        meddle(
            &world.look,
            "delete from source where school_id in (select id from school where institution_number = '123461')",
        )
        .await;
        for (role, school) in [
            (Role::SchoolClient, school),
            (Role::SchoolCareTeam, school),
            (Role::SchoolDataManager, bare),
        ] {
            let stranger = world.someone(role, Some(school.id), None).await;
            self.strangers.insert(role, stranger);
        }
        for role in [
            Role::ClbDirector,
            Role::ClbAdministration,
            Role::ClbChatWorker,
            Role::DataProtectionOfficer,
        ] {
            let stranger = world.someone(role, None, Some(clb)).await;
            self.strangers.insert(role, stranger);
        }
        let worker = world.worker(clb, Discipline::Psychologist).await;
        self.strangers.insert(Role::ClbWorker, worker);
        for role in [Role::Pupil, Role::Parent] {
            let stranger = world.person(role, pupil).await;
            self.strangers.insert(role, stranger);
        }
        self
    }

    /// The fields that are not for everyone, and that no stranger asked for in vain: `realm Type.field`.
    pub(crate) fn unrefused(&self) -> BTreeSet<String> {
        let types = self.types.iter();
        let fields = types.flat_map(|((realm, of), fields)| fields.iter().map(move |field| (*realm, of, field)));
        fields
            .filter(|(realm, of, (name, field))| {
                !field.is_public && !self.refused.contains(&(*realm, (*of).clone(), (*name).clone()))
            })
            .map(|(realm, of, (name, _))| format!("{realm} {of}.{name}"))
            .collect()
    }

    /// Asks as a stranger of the same role would: nothing that is not for everyone may come out.
    async fn refuse(&mut self, viewer: &Actor, purpose: Option<Purpose>, assured: bool, question: &str) {
        let Actor::Principal { role, .. } = viewer else {
            panic!("a viewer is a principal")
        };
        let Some(stranger) = self.strangers.get(role).cloned() else {
            return;
        };
        let document = parse_query(question).unwrap();
        let DocumentOperations::Single(operation) = &document.operations else {
            panic!("one question at a time")
        };
        let (root, selected) = (operation.node.ty.to_string(), &operation.node.selection_set.node);
        // Whoever may sign for a school or a CLB may propose an agreement for it, and each officer has a log to read, of what
        // is tried here: these are no stranger's questions.
        let own_log = *role == Role::DataProtectionOfficer && question.contains("accessLog(");
        // A document of one's own is no leak, as long as it speaks of oneself alone.
        if question.contains("ownExport") {
            let answer = self.town.answer_for(&stranger, purpose, assured, question).await;
            let told = answer["data"]["ownExport"]["document"].as_str().unwrap_or_default();
            let own = matches!(&stranger, Actor::Principal { pupil: Some(own), .. } if told.contains(&own.to_string()));
            if !own || told.contains("114711") || told.contains("123456") {
                self.leaks.push(format!("{role} {answer} by {question}"));
            }
            self.note_refused(role.realm(), "Query", selected, &Value::Null, &mut Vec::new());
            return;
        }
        if own_log || (root == "mutation" && question.contains("proposeAgreement")) {
            return;
        }
        let answer = self.town.answer_for(&stranger, purpose, assured, question).await;
        if answer.get("errors").is_some() {
            // A cursor of another viewer. Nothing was told.
            assert!(answer["data"].is_null(), "{question}: {answer}");
            return;
        }
        let root = if root == "mutation" { "Mutation" } else { "Query" };
        let mut leaks = Vec::new();
        self.note_refused(role.realm(), root, selected, &answer["data"], &mut leaks);
        self.leaks
            .extend(leaks.into_iter().map(|leak| format!("{role} {leak} by {question}")));
    }

    /// Notes every field that brought nothing out, and what did bring something out that is not for everyone. Says
    /// whether there was any such thing.
    fn note_refused(
        &mut self,
        realm: Realm,
        of: &str,
        selected: &SelectionSet,
        answer: &Value,
        leaks: &mut Vec<String>,
    ) -> bool {
        let before = leaks.len();
        if let Value::Array(all) = answer {
            for one in all {
                self.note_refused(realm, of, selected, one, leaks);
            }
            return leaks.len() > before;
        }
        let named = answer.get("__typename").and_then(Value::as_str);
        let of = named.unwrap_or(of).to_owned();
        // What it would have been is not there either.
        let is_nothing = answer.is_null() || of == "NotPossible";
        for selection in &selected.items {
            match &selection.node {
                Selection::Field(field) => {
                    let name = field.node.name.node.to_string();
                    let fields = self.types.get(&(realm, of.clone()));
                    let Some(Field { gives, is_public }) = fields.and_then(|fields| fields.get(&name)) else {
                        continue;
                    };
                    let (gives, is_public) = (gives.clone(), *is_public);
                    let value = &answer[field.node.response_key().node.as_str()];
                    let inner = &field.node.selection_set.node;
                    let is_told = if is_empty(value) {
                        self.note_refused(realm, &gives, inner, &Value::Null, leaks)
                    } else if inner.items.is_empty() {
                        // Why not, in a word that says nothing of what was asked for.
                        let is_told = !is_public && of != "NotPossible";
                        if is_told {
                            leaks.push(format!("{of}.{name}: {value}"));
                        }
                        is_told
                    } else {
                        self.note_refused(realm, &gives, inner, value, leaks)
                    };
                    if !is_told {
                        self.refused.insert((realm, of.clone(), name));
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let inner = &fragment.node.selection_set.node;
                    let on = fragment.node.type_condition.as_ref();
                    match on.map(|on| on.node.on.node.to_string()) {
                        Some(on) if on != of => {
                            if is_nothing {
                                self.note_refused(realm, &on, inner, &Value::Null, leaks);
                            }
                        }
                        _ => {
                            self.note_refused(realm, &of, inner, answer, leaks);
                        }
                    }
                }
                Selection::FragmentSpread(_) => panic!("the questions here are written out"),
            }
        }
        leaks.len() > before
    }

    /// The fields that no question brought out: `realm Type.field`.
    pub(crate) fn missing(&self) -> BTreeSet<String> {
        let fields = self
            .types
            .iter()
            .flat_map(|((realm, of), fields)| fields.keys().map(move |field| (*realm, of.clone(), field.clone())));
        fields
            .filter(|field| !self.granted.contains(field))
            .map(|(realm, of, field)| format!("{realm} {of}.{field}"))
            .collect()
    }

    /// The data of an answer without errors and without cursors.
    pub(crate) async fn ask(&mut self, viewer: &Actor, question: &str) -> Value {
        self.refuse(viewer, None, false, question).await;
        let answer = self.town.ask(viewer, question).await;
        self.asked(viewer, question, answer)
    }

    /// The same for a purpose, by someone who signed in strongly.
    pub(crate) async fn ask_for(&mut self, viewer: &Actor, purpose: Option<Purpose>, question: &str) -> Value {
        self.refuse(viewer, purpose, true, question).await;
        let answer = self.town.ask_for(viewer, purpose, true, question).await;
        self.asked(viewer, question, answer)
    }

    fn asked(&mut self, viewer: &Actor, question: &str, answer: Value) -> Value {
        let Actor::Principal { role, .. } = viewer else {
            panic!("a viewer is a principal")
        };
        let document = parse_query(question).unwrap();
        let DocumentOperations::Single(operation) = &document.operations else {
            panic!("one question at a time")
        };
        let root = operation.node.ty.to_string();
        let root = if root == "mutation" { "Mutation" } else { "Query" };
        let selected = &operation.node.selection_set.node;
        self.note(role.realm(), root, selected, &answer);
        without_cursors(answer)
    }

    /// The first updates of a subscription, without errors; with cursors.
    pub(crate) async fn follow(&mut self, viewer: &Actor, question: &str, count: usize) -> Vec<Value> {
        let updates = self.town.follow(viewer, question);
        let updates: Vec<Value> = updates.take(count).collect().await;
        self.note_updates(viewer, question, &updates);
        updates
    }

    /// Notes what these updates of a subscription brought out.
    pub(crate) fn note_updates(&mut self, viewer: &Actor, question: &str, updates: &[Value]) {
        let Actor::Principal { role, .. } = viewer else {
            panic!("a viewer is a principal")
        };
        let document = parse_query(question).unwrap();
        let DocumentOperations::Single(operation) = &document.operations else {
            panic!("one question at a time")
        };
        for update in updates {
            assert_eq!(update.get("errors"), None, "{question}");
            let selected = &operation.node.selection_set.node;
            self.note(role.realm(), "Subscription", selected, &update["data"]);
        }
    }

    /// Notes every field that brought something out.
    fn note(&mut self, realm: Realm, of: &str, selected: &SelectionSet, answer: &Value) {
        if let Value::Array(all) = answer {
            for one in all {
                self.note(realm, of, selected, one);
            }
            return;
        }
        let of = answer
            .get("__typename")
            .and_then(Value::as_str)
            .unwrap_or(of)
            .to_owned();
        for selection in &selected.items {
            match &selection.node {
                Selection::Field(field) => {
                    let name = field.node.name.node.to_string();
                    let value = &answer[field.node.response_key().node.as_str()];
                    let fields = self.types.get(&(realm, of.clone()));
                    let Some(inner) = fields.and_then(|fields| Some(fields.get(&name)?.gives.clone())) else {
                        continue;
                    };
                    if value.is_null() || value.as_array().is_some_and(Vec::is_empty) {
                        continue;
                    }
                    self.granted.insert((realm, of.clone(), name));
                    self.note(realm, &inner, &field.node.selection_set.node, value);
                }
                Selection::InlineFragment(fragment) => {
                    let on = fragment
                        .node
                        .type_condition
                        .as_ref()
                        .map(|on| on.node.on.node.to_string());
                    if on.is_none_or(|on| on == of) {
                        self.note(realm, &of, &fragment.node.selection_set.node, answer);
                    }
                }
                Selection::FragmentSpread(_) => panic!("the questions here are written out"),
            }
        }
    }
}

/// Nothing, as JSON tells it: no object, no row, none of them, no.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        Value::Bool(true) | Value::Object(_) => false,
    }
}

/// Whether a field has the class of what anybody may know.
fn is_public(field: &FieldDefinition) -> bool {
    let tags = field
        .directives
        .iter()
        .filter(|directive| directive.node.name.node == "tag");
    let mut values = tags.flat_map(|tag| tag.node.arguments.iter().map(|(_, value)| value.node.to_string()));
    values.any(|value| value == "\"class:public\"")
}

/// The object types of a realm's schema, with their fields.
fn fields_of(realm: Realm) -> BTreeMap<String, BTreeMap<String, Field>> {
    let document = parse_schema(hub_graphql::sdl(realm)).unwrap();
    let mut types = BTreeMap::new();
    for definition in document.definitions {
        if let TypeSystemDefinition::Type(definition) = definition
            && let TypeKind::Object(object) = definition.node.kind
        {
            let fields = object.fields.into_iter().map(|field| {
                let field = field.node;
                let known = Field {
                    gives: field.ty.node.to_string().replace(['[', ']', '!'], ""),
                    is_public: is_public(&field),
                };
                (field.name.node.to_string(), known)
            });
            types.insert(definition.node.name.node.to_string(), fields.collect());
        }
    }
    types
}
