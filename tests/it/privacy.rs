//! `entities/privacy.toml` and the migrated schema say the same: every column has a class, a
//! purpose and a retention; and every model has the columns of its table.

use std::collections::{BTreeMap, BTreeSet};

use hub_entities::category::Category;
use serde::Deserialize;
use syn::visit::Visit;

use crate::support::database::both_databases;
use crate::support::schema;
use crate::support::source::{Source, below};

type Columns = BTreeMap<String, BTreeSet<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Register {
    retention: BTreeMap<String, Retention>,
    table: BTreeMap<String, Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Retention {
    until: String,
    source: String,
    certainty: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    purpose: String,
    retention: String,
    columns: BTreeMap<String, Column>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Column {
    Class(String),
    Own(Own),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    class: String,
    purpose: Option<String>,
    retention: Option<String>,
}

impl Register {
    fn of_text(text: &str) -> Self {
        toml::from_str(text).unwrap()
    }

    fn committed() -> Self {
        Self::of_text(include_str!("../../entities/privacy.toml"))
    }

    fn columns(&self) -> Columns {
        let names = |table: &Table| table.columns.keys().cloned().collect();
        self.table
            .iter()
            .map(|(name, table)| (name.clone(), names(table)))
            .collect()
    }

    /// What of it says nothing, or something no one knows.
    fn complaints(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (name, rule) in &self.retention {
            if [&rule.until, &rule.source, &rule.certainty]
                .into_iter()
                .any(String::is_empty)
            {
                found.push(format!("retention `{name}` says nothing"));
            }
            let own = |column: &Column| matches!(column, Column::Own(Own { retention: Some(own), .. }) if own == name);
            let used = |table: &Table| table.retention == *name || table.columns.values().any(own);
            if !self.table.values().any(used) {
                found.push(format!("retention `{name}` is used by no table"));
            }
        }
        for (name, table) in &self.table {
            for (column, said) in &table.columns {
                let (class, purpose, retention) = match said {
                    Column::Class(class) => (class, None, None),
                    Column::Own(own) => (&own.class, own.purpose.as_ref(), own.retention.as_ref()),
                };
                let purpose = purpose.unwrap_or(&table.purpose);
                let retention = retention.unwrap_or(&table.retention);
                if !is_class(class) {
                    found.push(format!("{name}.{column}: `{class}` is no class"));
                }
                if purpose.is_empty() {
                    found.push(format!("{name}.{column}: kept for nothing"));
                }
                if !self.retention.contains_key(retention) {
                    found.push(format!("{name}.{column}: `{retention}` is no retention"));
                }
            }
        }
        found
    }
}

/// The classes of design §3, and the two that say that no field shows the value by itself.
fn is_class(class: &str) -> bool {
    match class.split_once('.') {
        Some(("agreed", category)) => Category::ALL.iter().any(|known| known.name() == category),
        Some(("secret", domain)) => !domain.is_empty(),
        Some(_) => false,
        None => ["public", "case", "shared", "audit", "operations", "link", "internal"].contains(&class),
    }
}

/// What one side has and the other has not.
fn differences(declared: &Columns, there: &Columns) -> Vec<String> {
    let flat = |columns: &Columns| -> BTreeSet<String> {
        let each = columns.iter();
        each.flat_map(|(table, columns)| columns.iter().map(move |column| format!("{table}.{column}")))
            .collect()
    };
    let (declared, there) = (flat(declared), flat(there));
    let undeclared = there
        .difference(&declared)
        .map(|column| format!("{column} is not declared"));
    let gone = declared
        .difference(&there)
        .map(|column| format!("{column} is declared and gone"));
    undeclared.chain(gone).collect()
}

/// The columns of each model: a struct `Model` with `#[sea_orm(table_name = "…")]`.
fn models(sources: &[Source]) -> Columns {
    let mut models = Models(Columns::new());
    for source in sources {
        models.visit_file(&source.syntax);
    }
    models.0
}

struct Models(Columns);

impl<'ast> Visit<'ast> for Models {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        if let Some(table) = told(&item.attrs, "table_name") {
            let name = |field: &syn::Field| {
                told(&field.attrs, "column_name").unwrap_or_else(|| field.ident.as_ref().unwrap().to_string())
            };
            let columns = item.fields.iter().map(name).collect();
            assert!(self.0.insert(table.clone(), columns).is_none(), "two models of {table}");
        }
    }
}

/// `value` of `#[sea_orm(key = "value")]`.
fn told(attributes: &[syn::Attribute], key: &str) -> Option<String> {
    let mut value = None;
    for attribute in attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("sea_orm"))
    {
        attribute
            .parse_nested_meta(|meta| {
                let text = meta.value().and_then(syn::parse::ParseBuffer::parse::<syn::Lit>);
                if let (true, Ok(syn::Lit::Str(text))) = (meta.path.is_ident(key), text) {
                    value = Some(text.value());
                }
                Ok(())
            })
            .unwrap();
    }
    value
}

const NONE: [String; 0] = [];

both_databases!(every_column_is_declared, async |database: &TestDatabase| {
    let there = schema::columns(database).await;
    assert!(there.len() > 20, "the schema was read");
    assert_eq!(differences(&Register::committed().columns(), &there), NONE);
});

both_databases!(every_model_is_its_table, async |database: &TestDatabase| {
    let models = models(&below("entities/src"));
    // The secrecy store is read by hand-written statements alone, each in a transaction that names its CLB: no model of
    // it is there to query by.
    let mut there = schema::columns(database).await;
    there.retain(|table, _| !table.starts_with("secrecy."));
    assert_eq!(differences(&models, &there), NONE);
});

#[test]
fn every_declaration_says_something_known() {
    assert_eq!(Register::committed().complaints(), NONE);
    let planted = Register::of_text(
        "[retention.basic]\nuntil = 'x'\nsource = ''\ncertainty = 'x'\n
         [retention.idle]\nuntil = 'x'\nsource = 'x'\ncertainty = 'x'\n
         [table.a]\npurpose = ''\nretention = 'basic'\n
         [table.a.columns]\nb = 'agreed.religion'\nc = { class = 'link', purpose = 'x', retention = 'for ever' }",
    );
    assert_eq!(
        planted.complaints(),
        [
            "retention `basic` says nothing",
            "retention `idle` is used by no table",
            "a.b: `agreed.religion` is no class",
            "a.b: kept for nothing",
            "a.c: `for ever` is no retention",
        ]
    );
}

#[test]
fn a_column_too_many_or_too_few_is_found() {
    let of = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    let declared = Columns::from([("pupil".to_owned(), of(&["id", "gone"]))]);
    let there = Columns::from([
        ("pupil".to_owned(), of(&["id", "extra"])),
        ("new".to_owned(), of(&["id"])),
    ]);
    assert_eq!(
        differences(&declared, &there),
        [
            "new.id is not declared",
            "pupil.extra is not declared",
            "pupil.gone is declared and gone"
        ]
    );
    let source = Source::of(
        "entities/src/x.rs",
        "mod row { #[sea_orm(table_name = \"x\")] pub struct Model { #[sea_orm(primary_key, auto_increment = false)] pub id: X,
         #[sea_orm(column_name = \"at\")] pub when: Y } }",
    );
    assert_eq!(models(&[source]), Columns::from([("x".to_owned(), of(&["id", "at"]))]));
}
