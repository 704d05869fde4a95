//! Nobody: every root of every realm without a token. It is refused before anything of it is looked at, so it costs no
//! statement of either store; with the token of one of that realm the same question is answered.

use std::collections::BTreeMap;

use async_graphql::Positioned;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, InputValueDefinition, Type, TypeDefinition, TypeKind, TypeSystemDefinition,
};
use hub_entities::operation::Realm;
use serde_json::json;

use crate::support::database::both_databases;
use crate::support::town::Town;
use crate::support::wire::Listening;

/// The types of a realm's schema.
struct Schema(BTreeMap<String, TypeDefinition>);

impl Schema {
    fn of(realm: Realm) -> Self {
        let definitions = parse_schema(hub_graphql::sdl(realm)).unwrap().definitions.into_iter();
        let types = definitions.filter_map(|definition| match definition {
            TypeSystemDefinition::Type(of) => Some((of.node.name.node.to_string(), of.node)),
            _ => None,
        });
        Self(types.collect())
    }

    /// Each root, asked for with what it must be given and nothing more.
    fn questions(&self, root: &str) -> Vec<String> {
        let Some(TypeDefinition {
            kind: TypeKind::Object(root),
            ..
        }) = self.0.get(root)
        else {
            return Vec::new();
        };
        let question = |field: &async_graphql::parser::types::FieldDefinition| {
            let given = self.given(&field.arguments);
            let given = if given.is_empty() { given } else { format!("({given})") };
            format!("{{ {}{given} {} }}", field.name.node, self.selection(&field.ty.node))
        };
        root.fields.iter().map(|field| question(&field.node)).collect()
    }

    /// Whatever must be given, in the least words.
    fn given(&self, values: &[Positioned<InputValueDefinition>]) -> String {
        let needed = values.iter().map(|value| &value.node);
        let needed = needed.filter(|value| !value.ty.node.nullable && value.default_value.is_none());
        let said = needed.map(|value| format!("{}: {}", value.name.node, self.value(&value.ty.node)));
        said.collect::<Vec<_>>().join(", ")
    }

    fn value(&self, of: &Type) -> String {
        let name = match &of.base {
            BaseType::List(_) => return "[]".to_owned(),
            BaseType::Named(name) => name.as_str(),
        };
        match (name, self.0.get(name).map(|of| &of.kind)) {
            ("Int", _) => "1".to_owned(),
            ("Boolean", _) => "false".to_owned(),
            ("NaiveDate", _) => "\"2026-10-01\"".to_owned(),
            ("DateTime", _) => "\"2026-10-01T10:00:00Z\"".to_owned(),
            (_, Some(TypeKind::Enum(of))) => of.values[0].node.value.node.to_string(),
            (_, Some(TypeKind::InputObject(of))) => format!("{{ {} }}", self.given(&of.fields)),
            _ => "\"x\"".to_owned(),
        }
    }

    fn selection(&self, of: &Type) -> &'static str {
        let name = match &of.base {
            BaseType::List(inner) => return self.selection(inner),
            BaseType::Named(name) => name.as_str(),
        };
        match self.0.get(name).map(|of| &of.kind) {
            Some(TypeKind::Object(_) | TypeKind::Interface(_) | TypeKind::Union(_)) => "{ __typename }",
            _ => "",
        }
    }
}

both_databases!(nobody_is_answered_nothing, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let hub = Listening::new(&town).await;
    let v = &town.viewers;
    let cost = || (town.world.db.statements(), town.apart.statements());
    let mut asked = 0;
    for (realm, someone) in [
        (Realm::School, Some(&v.north_manager)),
        (Realm::Clb, Some(&v.first)),
        (Realm::Operations, Some(&v.operator)),
        (Realm::Person, None),
    ] {
        let schema = Schema::of(realm);
        for (root, word) in [
            ("Query", "query"),
            ("Mutation", "mutation"),
            ("Subscription", "subscription"),
        ] {
            for question in schema.questions(root) {
                let question = format!("{word} {question}");
                let body = json!({ "query": question }).to_string();
                let before = cost();
                for (path, media) in [
                    ("/graphql", "application/json"),
                    ("/graphql/stream", "text/event-stream"),
                ] {
                    let request = format!(
                        "POST {path} HTTP/1.1\r\nhost: hub\r\nconnection: close\r\ncontent-type: application/json\r\n\
                         accept: {media}\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    let (status, head, body) = hub.raw(&request).await;
                    assert_eq!(status, 401, "{realm} {path} {question}: {body}");
                    assert!(head.contains("www-authenticate: bearer"), "{head}");
                    assert!(!body.contains("\"data\""), "{realm} {question}: {body}");
                }
                assert_eq!(cost(), before, "{realm} {question}");
                asked += 1;
                // It is the token that is missing and nothing else.
                if let Some(someone) = someone.filter(|_| word != "subscription") {
                    let (status, _, body) = hub.ask(Some(&hub.token(someone)), &question).await;
                    assert_eq!(status, 200, "{realm} {question}: {body}");
                    assert!(cost() > before, "{realm} {question}");
                }
            }
        }
    }
    assert!(asked > 50, "the roots were read: {asked}");
    hub.end().await;
});
