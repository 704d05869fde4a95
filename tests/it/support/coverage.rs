//! What questions brought out, by type and field: what `door` compares with the schemas.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::types::{DocumentOperations, Selection, SelectionSet, TypeKind, TypeSystemDefinition};
use async_graphql::parser::{parse_query, parse_schema};
use futures::StreamExt as _;
use hub_entities::operation::{Actor, Purpose, Realm};
use serde_json::Value;

use super::town::Town;

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

/// The asking, and what came out of it by type and field.
pub(crate) struct Door<'a> {
    pub(crate) town: &'a Town,
    pub(crate) types: BTreeMap<(Realm, String), BTreeMap<String, String>>,
    pub(crate) granted: BTreeSet<(Realm, String, String)>,
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
        }
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
        let answer = self.town.ask(viewer, question).await;
        self.asked(viewer, question, answer)
    }

    /// The same for a purpose, by someone who signed in strongly.
    pub(crate) async fn ask_for(&mut self, viewer: &Actor, purpose: Option<Purpose>, question: &str) -> Value {
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
                    let Some(inner) = self
                        .types
                        .get(&(realm, of.clone()))
                        .and_then(|fields| fields.get(&name))
                    else {
                        continue;
                    };
                    if value.is_null() || value.as_array().is_some_and(Vec::is_empty) {
                        continue;
                    }
                    let inner = inner.clone();
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

/// The object types of a realm's schema: each field with the type it gives.
fn fields_of(realm: Realm) -> BTreeMap<String, BTreeMap<String, String>> {
    let document = parse_schema(hub_graphql::sdl(realm)).unwrap();
    let mut types = BTreeMap::new();
    for definition in document.definitions {
        if let TypeSystemDefinition::Type(definition) = definition
            && let TypeKind::Object(object) = definition.node.kind
        {
            let fields = object.fields.into_iter().map(|field| {
                let gives = field.node.ty.node.to_string();
                (field.node.name.node.to_string(), gives.replace(['[', ']', '!'], ""))
            });
            types.insert(definition.node.name.node.to_string(), fields.collect());
        }
    }
    types
}
