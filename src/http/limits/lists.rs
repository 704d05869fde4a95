//! Which lists are read in pages, as the schemas say: a list of which nobody says how much of it is wanted is refused
//! before anyone looks up who asks, and with that which realm's schema answers (R15).
//!
//! The schemas are of the same modules: a field of a type is the same one wherever it is, so one table does for all realms.
//! Where operators get less of a type than others do, under another name, the table goes by the fuller one.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, FieldDefinition, Type, TypeKind, TypeSystemDefinition};
use hub_entities::operation::Realm;

/// Where a field leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Leads {
    to: String,
    paged: bool,
}

impl Leads {
    /// The type it gives.
    pub(super) fn to(&self) -> &str {
        &self.to
    }

    /// Whether it must be asked for in pages.
    pub(super) const fn is_paged(&self) -> bool {
        self.paged
    }
}

/// The fields of the schemas, by type.
#[derive(Debug)]
pub struct Lists(Option<HashMap<String, HashMap<String, Leads>>>);

impl Lists {
    /// No field is known: every list is left to its schema.
    pub const NONE: &'static Self = &Self(None);

    /// What the schemas of all realms say; read once in a process.
    pub fn of_schemas() -> Arc<Self> {
        static LISTS: LazyLock<Arc<Lists>> = LazyLock::new(|| {
            let mut all = HashMap::new();
            for realm in [Realm::School, Realm::Clb, Realm::Person, Realm::Operations] {
                add(&mut all, &hub_graphql::sdl(realm));
            }
            Arc::new(Lists(Some(all)))
        });
        Arc::clone(&LISTS)
    }

    pub(super) fn find(&self, of: &str, field: &str) -> Option<&Leads> {
        self.0.as_ref()?.get(of)?.get(field)
    }
}

fn add(all: &mut HashMap<String, HashMap<String, Leads>>, sdl: &str) {
    // What our own library prints, it reads; a test compares the number of lists with the text.
    for definition in parse_schema(sdl).into_iter().flat_map(|schema| schema.definitions) {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let fields = match definition.node.kind {
            TypeKind::Object(object) => object.fields,
            TypeKind::Interface(interface) => interface.fields,
            TypeKind::Scalar | TypeKind::Union(_) | TypeKind::Enum(_) | TypeKind::InputObject(_) => continue,
        };
        let of = all.entry(definition.node.name.node.to_string()).or_default();
        for field in fields {
            let name = field.node.name.node.to_string();
            of.entry(name).or_insert_with(|| leads(&field.node));
        }
    }
}

fn leads(field: &FieldDefinition) -> Leads {
    let mut arguments = field.arguments.iter().map(|argument| &argument.node);
    Leads {
        to: name_of(&field.ty.node),
        paged: arguments.any(|argument| argument.name.node == "first" && !argument.ty.node.nullable),
    }
}

/// The type itself, without what is said of lists and nulls.
fn name_of(of: &Type) -> String {
    match &of.base {
        BaseType::Named(name) => name.to_string(),
        BaseType::List(inner) => name_of(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REALMS: [Realm; 4] = [Realm::School, Realm::Clb, Realm::Person, Realm::Operations];

    #[test]
    fn every_list_of_the_schemas_is_known() {
        for realm in REALMS {
            let sdl = hub_graphql::sdl(realm);
            let mut of_realm = HashMap::new();
            add(&mut of_realm, &sdl);
            let paged = of_realm.values().flat_map(HashMap::values).filter(|leads| leads.paged);
            assert_eq!(paged.count(), sdl.matches("first: Int!").count(), "{realm}");
        }
        let lists = Lists::of_schemas();
        let paged = |of: &str, field: &str| lists.find(of, field).map(|leads| (leads.to(), leads.is_paged()));
        assert_eq!(paged("Query", "pupils"), Some(("PupilConnection", true)));
        assert_eq!(paged("Pupil", "signals"), Some(("Signal", false)));
    }

    /// One table does for all realms only as long as no two of them mean something else by the same field: but for the
    /// schools, of which operators get the facts alone.
    #[test]
    fn a_field_is_the_same_in_every_realm() {
        let lists = Lists::of_schemas();
        for realm in REALMS {
            let mut of_realm = HashMap::new();
            add(&mut of_realm, &hub_graphql::sdl(realm));
            for (of, fields) in &of_realm {
                for (field, leads) in fields {
                    let found = lists.find(of, field).map(|leads| (leads.to(), leads.is_paged()));
                    let to = match (realm, of.as_str(), field.as_str()) {
                        (Realm::Operations, "Query", "schools") => "SchoolConnection",
                        (Realm::Operations, "Query", "school") => "School",
                        _ => leads.to(),
                    };
                    assert_eq!(found, Some((to, leads.is_paged())), "{realm} {of}.{field}");
                }
            }
        }
    }
}
