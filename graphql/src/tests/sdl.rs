//! The schemas as text: committed, and every element with exactly one class and a description.

use std::path::PathBuf;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    ConstDirective, FieldDefinition, InputValueDefinition, TypeKind, TypeSystemDefinition,
};
use async_graphql::{Positioned, Value};
use hub_entities::category::Category;
use hub_entities::operation::Realm;
use hub_entities::policy::secret::Class;

use crate::sdl;

const REALMS: [Realm; 4] = [Realm::School, Realm::Clb, Realm::Person, Realm::Operations];

/// The classes of design §3 that exist without a category.
const CLASSES: [&str; 5] = ["public", "case", "shared", "operations", "audit"];

/// What is behind a grant: it has the class of the field that granted it.
const GRANTED: &str = "secret.granted";

fn file(realm: Realm) -> PathBuf {
    let name = format!("schema.{realm}.graphql");
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// `UPDATE_SDL=1 cargo test` rewrites the files; a reviewer then reads the difference.
#[test]
fn the_committed_schemas_are_the_schemas() {
    for realm in REALMS {
        let now = sdl(realm);
        if option_env!("UPDATE_SDL").is_some() {
            std::fs::write(file(realm), &now).unwrap();
        }
        let committed = std::fs::read_to_string(file(realm)).unwrap();
        assert!(
            committed == now,
            "schema.{realm}.graphql is not the schema any more; rewrite it with UPDATE_SDL=1 and read the difference"
        );
    }
}

/// What is wrong with one element: its classes and its description.
fn judge(what: &str, described: bool, directives: &[Positioned<ConstDirective>], found: &mut Vec<String>) {
    let classes: Vec<String> = directives
        .iter()
        .filter(|directive| directive.node.name.node == "tag")
        .filter_map(
            |directive| match directive.node.get_argument("name").map(|name| &name.node) {
                Some(Value::String(tag)) => tag.strip_prefix("class:").map(str::to_owned),
                _ => None,
            },
        )
        .collect();
    let known = |class: &String| {
        CLASSES.contains(&class.as_str())
            || class == GRANTED
            || class.parse::<Class>().is_ok_and(Class::is_secret)
            || class
                .strip_prefix("agreed.")
                .is_some_and(|name| name.parse::<Category>().is_ok())
    };
    match classes.as_slice() {
        [one] if known(one) => {}
        [one] => found.push(format!("{what}: `{one}` is no class")),
        [] => found.push(format!("{what}: no class")),
        _ => found.push(format!("{what}: more than one class")),
    }
    if !described {
        found.push(format!("{what}: no description"));
    }
}

fn inputs(of: &str, values: &[Positioned<InputValueDefinition>], found: &mut Vec<String>) {
    for value in values {
        let value = &value.node;
        let what = format!("{of}({})", value.name.node);
        judge(&what, value.description.is_some(), &value.directives, found);
    }
}

fn fields(of: &str, fields: &[Positioned<FieldDefinition>], found: &mut Vec<String>) {
    for field in fields {
        let field = &field.node;
        let what = format!("{of}.{}", field.name.node);
        judge(&what, field.description.is_some(), &field.directives, found);
        inputs(&what, &field.arguments, found);
    }
}

/// Every element of the schema that has no class, no known one or several, or no description; and how many
/// elements there are.
fn unclassified(text: &str) -> (Vec<String>, usize) {
    let mut found = Vec::new();
    let mut elements = 0_usize;
    for definition in parse_schema(text).unwrap().definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let definition = definition.node;
        let name = definition.name.node.as_str();
        let root = matches!(name, "Query" | "Mutation" | "Subscription");
        if definition.description.is_none() && !root {
            found.push(format!("{name}: no description"));
        }
        match &definition.kind {
            TypeKind::Object(object) => {
                elements += object.fields.len();
                fields(name, &object.fields, &mut found);
            }
            TypeKind::Interface(interface) => {
                elements += interface.fields.len();
                fields(name, &interface.fields, &mut found);
            }
            TypeKind::InputObject(input) => {
                elements += input.fields.len();
                inputs(name, &input.fields, &mut found);
            }
            TypeKind::Enum(of) => {
                elements += of.values.len();
                for value in &of.values {
                    let what = format!("{name}.{}", value.node.value.node);
                    judge(
                        &what,
                        value.node.description.is_some(),
                        &value.node.directives,
                        &mut found,
                    );
                }
            }
            TypeKind::Scalar | TypeKind::Union(_) => {}
        }
    }
    (found, elements)
}

#[test]
fn every_element_has_one_class_and_a_description() {
    for realm in REALMS {
        let (found, elements) = unclassified(&sdl(realm));
        assert_eq!(found, Vec::<String>::new(), "in realm {realm}");
        assert!(elements > 10, "the schema of {realm} was read");
    }
}

#[test]
fn an_element_without_a_class_is_found() {
    let planted = r#"
        "A thing." type Thing {
          "One." fine(
            "An argument." a: Int @tag(name: "class:public")
            "An argument." b: Int
          ): Int @tag(name: "class:agreed.identity")
          "Two." bare: Int
          "Three." twice: Int @tag(name: "class:case") @tag(name: "class:public")
          "Four." unknown: Int @tag(name: "class:agreed.religion")
          silent: Int @tag(name: "class:case")
        }
        "A filter." input Filter { "By." by: Int }
        "An order." enum Order { "First." FIRST }
        type Nameless { "One." fine: Int @tag(name: "class:case") }
    "#;
    assert_eq!(
        unclassified(planted).0,
        [
            "Thing.fine(b): no class",
            "Thing.bare: no class",
            "Thing.twice: more than one class",
            "Thing.unknown: `agreed.religion` is no class",
            "Thing.silent: no description",
            "Filter(by): no class",
            "Order.FIRST: no class",
            "Nameless: no description",
        ]
    );
}

/// Filters and sort keys in which a text, or a number, may stand; each with its reason.
const OPEN: [&str; 2] = [
    // Keys that the sender gave.
    "OwnDeliveryFilter.keys",
    // A number to compare with.
    "PupilFilter.truancyCountAtLeast",
];

/// What of the filters and orders is no id, no yes or no, no enum and no scalar of a closed form.
fn open_filters(text: &str) -> Vec<String> {
    let closed = ["ID", "Boolean", "NaiveDate", "DateTime", "SchoolYear"];
    let definitions = parse_schema(text).unwrap().definitions;
    let types = definitions.into_iter().filter_map(|definition| match definition {
        TypeSystemDefinition::Type(of) => Some(of.node),
        _ => None,
    });
    let types: Vec<_> = types.collect();
    let is_enum = |name: &str| {
        types
            .iter()
            .any(|of| of.name.node == name && matches!(of.kind, TypeKind::Enum(_)))
    };
    let mut found = Vec::new();
    for of in &types {
        let name = of.name.node.as_str();
        if let TypeKind::InputObject(input) = &of.kind
            && ["Filter", "Order", "Sort"].iter().any(|end| name.ends_with(end))
        {
            for field in &input.fields {
                let given = field.node.ty.node.to_string().replace(['[', ']', '!'], "");
                let what = format!("{name}.{}", field.node.name.node);
                if !closed.contains(&given.as_str()) && !is_enum(&given) && !OPEN.contains(&what.as_str()) {
                    found.push(what);
                }
            }
        }
        let TypeKind::Object(object) = &of.kind else { continue };
        for field in &object.fields {
            let by = field
                .node
                .arguments
                .iter()
                .find(|argument| argument.node.name.node == "orderBy");
            if let Some(by) = by.filter(|by| !is_enum(by.node.ty.node.to_string().trim_end_matches('!'))) {
                found.push(format!("{name}.{}({})", field.node.name.node, by.node.name.node));
            }
        }
    }
    found
}

#[test]
fn filters_and_sort_keys_are_closed() {
    for realm in REALMS {
        assert_eq!(open_filters(&sdl(realm)), Vec::<String>::new(), "in realm {realm}");
    }
    let planted = "enum Kind { A } input ThingFilter { kind: Kind, name: String, of: [ID!], least: Int }
        type Query { things(orderBy: String): Int others(orderBy: Kind): Int }";
    assert_eq!(
        open_filters(planted),
        ["ThingFilter.name", "ThingFilter.least", "Query.things(orderBy)"]
    );
}

/// What a person can ask.
const OF_PERSON: [&str; 8] = [
    "viewer",
    "accessLog",
    "emergencies",
    "dossiers",
    "ownRequests",
    "ownExport",
    "parentsLog",
    "ownTransfers",
];

/// What a person does.
const BY_PERSON: [&str; 4] = [
    "requestAccess",
    "requestCorrection",
    "reviewAccessLog",
    "objectToTransfer",
];

/// What each realm can name, written by hand from design §3, §8 and issue 2: nothing else is there.
#[test]
fn each_realm_has_its_roots_and_no_other() {
    let shared = [
        "viewer",
        "pupil",
        "pupils",
        "school",
        "schools",
        "signal",
        "signals",
        "changes",
        "agreements",
        "node",
    ];
    let of_school = [
        &shared[..],
        &[
            "syncRuns",
            "gaps",
            "sources",
            "clients",
            "deliveryLimits",
            "ownDeliveries",
            "quarantine",
            "pupilMerges",
            "releases",
        ],
    ]
    .concat();
    let of_clb = [
        &shared[..],
        &["dossier", "guidanceRequests", "accessRequests", "dossierRequests"],
        &["correctionRequests", "pupilExport", "accessLogHolds", "transfers"],
        &["emergencies", "legalHolds", "pupilMerges", "gaps", "quarantine"],
    ]
    .concat();
    let agreement = ["proposeAgreement", "acceptAgreement", "endAgreement"];
    let expected: [(Realm, &[&str], Vec<&str>); 4] = [
        (
            Realm::School,
            &of_school,
            [
                &["reportSignal"],
                &agreement[..],
                &[
                    "approveHeldRun",
                    "issueClientGrant",
                    "revokeClientGrant",
                    "submitAbsences",
                    "submitRoster",
                    "mergePupils",
                    "unmergePupils",
                    "submitGuidanceRequest",
                ],
            ]
            .concat(),
        ),
        (
            Realm::Clb,
            &of_clb,
            [
                &["acceptSignal"],
                &agreement[..],
                &["openTrajectory", "assignTeam", "moveTrajectory"],
                &["writeEntry", "correctEntry", "assignPost"],
                &["recordConsent", "correctConsent", "withdrawConsent", "judgeCapability"],
                &["mergePupils", "unmergePupils", "submitGuidanceRequest"],
                &["takeInGuidanceRequest", "declineGuidanceRequest"],
                &["refer", "correctReferral", "moveReferral"],
                &["releaseToSchool", "revokeRelease"],
                &["requestAccess", "answerAccessRequest", "openInEmergency"],
                &["openDossier", "refuseDossierRequest", "endDossierAccess"],
                &["grantCorrection", "refuseCorrection", "recordTransferObjection"],
                &["holdAccessLog", "liftAccessLogHold", "putLegalHold", "liftLegalHold"],
            ]
            .concat(),
        ),
        (Realm::Person, &OF_PERSON, BY_PERSON.to_vec()),
        (
            Realm::Operations,
            &[
                "viewer",
                "sources",
                "syncRuns",
                "gaps",
                "school",
                "schools",
                "agreements",
                "node",
            ],
            vec!["approveHeldRun"],
        ),
    ];
    for (realm, queries, mutations) in expected {
        assert_eq!(sorted(roots(realm, "Query")), sorted(names(queries)), "{realm}");
        assert_eq!(sorted(roots(realm, "Mutation")), sorted(names(&mutations)), "{realm}");
        let followed: &[&str] = match realm {
            Realm::School | Realm::Clb => &["signals"],
            Realm::Person | Realm::Operations => &[],
        };
        assert_eq!(roots(realm, "Subscription"), names(followed), "{realm}");
    }
}

/// Operators see no pupil content (design §1): no type about a pupil is in their schema at all. What a school's software
/// says of its own pupils is an input, and comes out nowhere.
#[test]
fn no_realm_names_what_it_may_not_know() {
    // What is under secrecy exists in the realms that may have it: nobody else can even name it (design §3). A person has the
    // own dossier, and of consents nothing yet.
    let secrets = [
        "dossier",
        "trajector",
        "secret",
        "medical",
        "withheldcode",
        "entry",
        "consent",
    ];
    for realm in REALMS {
        let text = sdl(realm).to_lowercase();
        for word in secrets {
            let named = realm == Realm::Clb || (realm == Realm::Person && word != "consent");
            assert_eq!(text.contains(word), named, "{realm}: {word}");
        }
        for number in ["nationalnumber", "stamnummer", "registrationnumber", "sourcekey"] {
            let shown = outputs(realm).into_iter().find(|field| field.contains(number));
            assert_eq!(shown, None, "{realm} shows {number}");
        }
    }
    for realm in [Realm::Operations, Realm::Person] {
        let text = sdl(realm);
        for noun in [
            "type Pupil ",
            "type Signal ",
            "type Change ",
            "type Absence ",
            "givenName",
            "type Node",
        ] {
            assert!(!text.contains(noun), "{realm} names {noun}");
        }
    }
}

/// Every field that gives something out, as `type.field` without capitals.
fn outputs(realm: Realm) -> Vec<String> {
    let mut found = Vec::new();
    for definition in parse_schema(sdl(realm)).unwrap().definitions {
        if let TypeSystemDefinition::Type(definition) = definition
            && let TypeKind::Object(object) = &definition.node.kind
        {
            let of = definition.node.name.node.to_lowercase();
            let fields = object.fields.iter().map(|field| field.node.name.node.to_lowercase());
            found.extend(fields.map(|field| format!("{of}.{field}")));
        }
    }
    found
}

fn names(of: &[&str]) -> Vec<String> {
    of.iter().map(|&name| name.to_owned()).collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

fn roots(realm: Realm, root: &str) -> Vec<String> {
    let mut found = Vec::new();
    for definition in parse_schema(sdl(realm)).unwrap().definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        if definition.node.name.node == root
            && let TypeKind::Object(object) = &definition.node.kind
        {
            found.extend(object.fields.iter().map(|field| field.node.name.node.to_string()));
        }
    }
    found
}
