//! No input takes a field that is not its own (R55): neither one that nobody has, nor one that is only read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, InputValueDefinition, Type, TypeKind, TypeSystemDefinition};
use async_graphql::{Name, Request, Value, Variables};
use hub_entities::operation::{Realm, Role};

use crate::fake::{Fake, over, viewer};

/// What things have and nobody sets, and one that nothing has.
const NOT_ITS_OWN: [&str; 6] = ["id", "state", "createdAt", "clb", "version", "unheardOf"];

/// What a realm says of its inputs.
struct Surface {
    inputs: BTreeMap<String, Vec<InputValueDefinition>>,
    enums: BTreeMap<String, String>,
    /// Root, field and its arguments.
    fields: Vec<(&'static str, String, Vec<InputValueDefinition>)>,
}

impl Surface {
    fn of(realm: Realm) -> Self {
        let (mut inputs, mut enums, mut fields) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let arguments = |all: Vec<async_graphql::Positioned<InputValueDefinition>>| {
            all.into_iter().map(|one| one.node).collect::<Vec<_>>()
        };
        for definition in parse_schema(hub_graphql::sdl(realm)).unwrap().definitions {
            let TypeSystemDefinition::Type(definition) = definition else {
                continue;
            };
            let name = definition.node.name.node.to_string();
            let root = match name.as_str() {
                "Query" | "QueryRoot" => Some("query"),
                "Mutation" | "MutationRoot" => Some("mutation"),
                _ => None,
            };
            match definition.node.kind {
                TypeKind::InputObject(input) => {
                    inputs.insert(name, arguments(input.fields));
                }
                TypeKind::Enum(values) => {
                    enums.insert(name, values.values[0].node.value.node.to_string());
                }
                TypeKind::Object(object) => {
                    let Some(root) = root else { continue };
                    let of = |field: async_graphql::Positioned<async_graphql::parser::types::FieldDefinition>| {
                        (root, field.node.name.node.to_string(), arguments(field.node.arguments))
                    };
                    fields.extend(object.fields.into_iter().map(of));
                }
                _ => {}
            }
        }
        Self { inputs, enums, fields }
    }

    /// A value of this type with everything in it, and in each input of this name one field more.
    fn value(&self, of: &Type, planted: Option<(&str, &str)>) -> Value {
        let name = match &of.base {
            BaseType::List(item) => return Value::List(vec![self.value(item, planted)]),
            BaseType::Named(name) => name.as_str(),
        };
        if let Some(value) = self.enums.get(name) {
            return Value::Enum(Name::new(value));
        }
        if let Some(fields) = self.inputs.get(name) {
            let whole = fields.iter().map(|field| {
                let value = self.value(&field.ty.node, planted);
                (field.name.node.clone(), value)
            });
            let more = planted.filter(|(input, _)| *input == name);
            let more = more.map(|(_, field)| (Name::new(field), Value::from(1)));
            return Value::Object(whole.chain(more).collect());
        }
        match name {
            "Int" => Value::from(1),
            "Boolean" => Value::from(true),
            "String" | "ID" => Value::from("x"),
            "NaiveDate" => Value::from("2026-12-01"),
            "DateTime" => Value::from("2026-12-01T10:00:00Z"),
            "SchoolYear" => Value::from("2026-2027"),
            other => panic!("a value of {other}"),
        }
    }

    /// The inputs within a type.
    fn within(&self, of: &Type, found: &mut BTreeSet<String>) {
        match &of.base {
            BaseType::List(item) => self.within(item, found),
            BaseType::Named(name) => {
                if let Some(fields) = self.inputs.get(name.as_str())
                    && found.insert(name.to_string())
                {
                    for field in fields {
                        self.within(&field.ty.node, found);
                    }
                }
            }
        }
    }
}

/// A question at this field with this value of this argument, as it is written in it and as a variable.
fn questions(
    surface: &Surface,
    field: &(&str, String, Vec<InputValueDefinition>),
    at: usize,
    value: &Value,
) -> [Request; 2] {
    let (root, name, arguments) = field;
    let given = |of: &dyn Fn(usize) -> Option<String>| {
        let all = arguments.iter().enumerate().filter_map(|(number, argument)| {
            let needed = !argument.ty.node.nullable && argument.default_value.is_none();
            let other = || needed.then(|| surface.value(&argument.ty.node, None).to_string());
            Some(format!("{}: {}", argument.name.node, of(number).or_else(other)?))
        });
        all.collect::<Vec<_>>().join(", ")
    };
    let written = given(&|number| (number == at).then(|| value.to_string()));
    let named = given(&|number| (number == at).then(|| "$it".to_owned()));
    let variables = serde_json::json!({ "it": value.clone().into_json().unwrap() });
    let of = &arguments[at].ty.node;
    [
        Request::new(format!("{root} {{ {name}({written}) {{ __typename }} }}")),
        Request::new(format!(
            "{root} Asked($it: {of}) {{ {name}({named}) {{ __typename }} }}"
        ))
        .variables(Variables::from_json(variables)),
    ]
}

#[tokio::test]
async fn no_input_takes_what_is_not_its_own() {
    let (schemas, hub) = over(Fake::default());
    for (realm, role, inputs) in [
        (Realm::School, Role::SchoolDataManager, 21),
        (Realm::Clb, Role::ClbWorker, 41),
        (Realm::Person, Role::Pupil, 5),
        (Realm::Operations, Role::Operator, 1),
    ] {
        let surface = Surface::of(realm);
        assert_eq!(surface.inputs.len(), inputs, "{realm}");
        let mut reached = BTreeSet::new();
        for field in &surface.fields {
            for (at, argument) in field.2.iter().enumerate() {
                let of = &argument.ty.node;
                let mut within = BTreeSet::new();
                surface.within(of, &mut within);
                for input in &within {
                    // What is its own is not complained of.
                    for request in questions(&surface, field, at, &surface.value(of, None)) {
                        let errors = schemas.execute(realm, request, viewer(1, role)).await.errors;
                        let wrong = errors.iter().find(|error| error.message.starts_with("Invalid value"));
                        assert!(wrong.is_none(), "{input}: {wrong:?}");
                    }
                    let own = |name: &str| surface.inputs[input].iter().any(|field| field.name.node == name);
                    for planted in NOT_ITS_OWN.into_iter().filter(|name| !own(name)) {
                        let asked = hub.asked.load(Ordering::Relaxed);
                        let value = surface.value(of, Some((input, planted)));
                        for request in questions(&surface, field, at, &value) {
                            let errors = schemas.execute(realm, request, viewer(1, role)).await.errors;
                            let said = format!("unknown field \"{planted}\" of type \"{input}\"");
                            assert!(
                                errors.len() == 1 && errors[0].message.contains(&said),
                                "{input}: {errors:?}"
                            );
                        }
                        assert_eq!(hub.asked.load(Ordering::Relaxed), asked, "{input}: nothing is done");
                    }
                }
                reached.extend(within);
            }
        }
        assert_eq!(reached.len(), inputs, "{realm}: every input is of some field");
    }
}
