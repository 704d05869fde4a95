//! The limits on a parsed document.
//!
//! Every fragment is weighed once and its weight is added wherever it is spread, so a bomb of
//! fragments that double each other costs linear time here and is refused for its cost.

use std::collections::HashMap;

use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
    VariableDefinition,
};
use async_graphql::{Name, Positioned, Value, Variables};

use super::lists::{Leads, Lists};
use super::{Cost, Limits, Refusal};

/// Weighs the document and refuses it if any limit is passed.
///
/// Every operation of the document is held to the limits, also those that will not run.
/// A page size (`first`, `last`) is read from a literal or a variable; one that is missing,
/// negative or no number counts as 1 for the cost. Where `lists` says that a page must be asked for, one that is not
/// asked for, or is none, is refused here: otherwise it would cost the look-up of who asks (R15).
pub fn check(
    document: &ExecutableDocument,
    variables: &Variables,
    limits: &Limits,
    lists: &Lists,
) -> Result<Cost, Refusal> {
    let mut scale = Scale {
        document,
        variables,
        defaults: &[],
        limits,
        lists,
        fragments: HashMap::new(),
    };
    let mut total = 0_u64;
    for (_, operation) in document.operations.iter() {
        total = total.max(scale.operation(&operation.node)?);
    }
    // Fragments that no operation spreads are still validated, so they count as well. Of which operation their variables
    // are, nobody can say: their pages are left to validation.
    scale.lists = Lists::NONE;
    scale.fragments.clear();
    for fragment in document.fragments.values() {
        let weight = scale.set(&fragment.node.selection_set.node, None)?;
        scale.hold(&weight)?;
    }
    Ok(Cost(total))
}

/// What a selection set weighs, fragments included.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    depth: u64,
    width: u64,
    aliases: u64,
    directives: u64,
    cost: u64,
    /// The largest page that is asked for; larger than any where one must be asked for and none is.
    page: u64,
}

impl Weight {
    /// Beside each other in one set.
    fn beside(&mut self, other: Self) {
        self.depth = self.depth.max(other.depth);
        self.width = self.width.saturating_add(other.width);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.cost = self.cost.saturating_add(other.cost);
        self.page = self.page.max(other.page);
    }
}

struct Scale<'doc> {
    document: &'doc ExecutableDocument,
    variables: &'doc Variables,
    defaults: &'doc [Positioned<VariableDefinition>],
    limits: &'doc Limits,
    lists: &'doc Lists,
    /// `None` while the fragment is being weighed: meeting it again is a cycle.
    fragments: HashMap<&'doc Name, Option<Weight>>,
}

impl<'doc> Scale<'doc> {
    fn operation(&mut self, operation: &'doc OperationDefinition) -> Result<u64, Refusal> {
        // Page sizes in fragments depend on this operation's variables.
        self.fragments.clear();
        self.defaults = &operation.variable_definitions;
        let root = match operation.ty {
            OperationType::Query => "Query",
            OperationType::Mutation => "Mutation",
            OperationType::Subscription => "Subscription",
        };
        let mut weight = self.set(&operation.selection_set.node, Some(root))?;
        let on_variables = operation
            .variable_definitions
            .iter()
            .map(|variable| count(&variable.node.directives));
        weight.directives = on_variables
            .chain([count(&operation.directives)])
            .fold(weight.directives, u64::saturating_add);
        // A subscription has one root field (GraphQL specification §5.2.3.1).
        let most = match operation.ty {
            OperationType::Subscription => 1,
            OperationType::Query | OperationType::Mutation => self.limits.root_fields,
        };
        if weight.width > most {
            return Err(Refusal::RootFields);
        }
        self.hold(&weight)?;
        Ok(weight.cost)
    }

    fn hold(&self, weight: &Weight) -> Result<(), Refusal> {
        let limits = self.limits;
        match () {
            () if weight.depth > limits.depth => Err(Refusal::Depth),
            () if weight.aliases > limits.aliases => Err(Refusal::Aliases),
            () if weight.directives > limits.directives => Err(Refusal::Directives),
            () if weight.cost > limits.cost => Err(Refusal::Cost),
            () if weight.page > limits.page => Err(Refusal::Page),
            () => Ok(()),
        }
    }

    /// `of` is the type whose fields these are, where it is known.
    fn set(&mut self, set: &'doc SelectionSet, of: Option<&'doc str>) -> Result<Weight, Refusal> {
        let mut weight = Weight::default();
        for selection in &set.items {
            weight.beside(match &selection.node {
                Selection::Field(field) => self.field(&field.node, of)?,
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref();
                    let on = on.map(|on| on.node.on.node.as_str()).or(of);
                    let mut inside = self.set(&inline.node.selection_set.node, on)?;
                    inside.directives = inside.directives.saturating_add(count(&inline.node.directives));
                    inside
                }
                Selection::FragmentSpread(spread) => {
                    let mut inside = self.fragment(&spread.node.fragment_name.node)?;
                    inside.directives = inside.directives.saturating_add(count(&spread.node.directives));
                    inside
                }
            });
        }
        Ok(weight)
    }

    fn fragment(&mut self, name: &'doc Name) -> Result<Weight, Refusal> {
        match self.fragments.get(name) {
            Some(Some(weight)) => return Ok(*weight),
            Some(None) => return Err(Refusal::FragmentCycle),
            None => {}
        }
        // A spread of a fragment that is not there is left to validation.
        let Some(fragment) = self.document.fragments.get(name) else {
            return Ok(Weight::default());
        };
        self.fragments.insert(name, None);
        let on = fragment.node.type_condition.node.on.node.as_str();
        let mut weight = self.set(&fragment.node.selection_set.node, Some(on))?;
        weight.directives = weight.directives.saturating_add(count(&fragment.node.directives));
        self.fragments.insert(name, Some(weight));
        Ok(weight)
    }

    fn field(&mut self, field: &'doc Field, of: Option<&'doc str>) -> Result<Weight, Refusal> {
        let name = field.name.node.as_str();
        let introspection = matches!(name, "__schema" | "__type" | "_service" | "_entities");
        if introspection && !self.limits.introspection {
            return Err(Refusal::Introspection);
        }
        let leads = of.and_then(|of| self.lists.find(of, name));
        let mut weight = self.set(&field.selection_set.node, leads.map(Leads::to))?;
        // The standard introspection query is deeper than any other and touches no row.
        weight.depth = if introspection {
            1
        } else {
            weight.depth.saturating_add(1)
        };
        weight.width = 1;
        weight.aliases = weight.aliases.saturating_add(u64::from(field.alias.is_some()));
        weight.directives = weight.directives.saturating_add(count(&field.directives));
        let page = self.page(field);
        weight.cost = weight.cost.saturating_mul(page).saturating_add(1);
        let unfit = leads.is_some_and(Leads::is_paged) && !self.has_page(field);
        weight.page = weight.page.max(if unfit { u64::MAX } else { page });
        Ok(weight)
    }

    /// Whether the field asks for a page that there can be. A variable that must be given and is not, and one that holds
    /// something else than a number, may be of an operation that does not run: those are left to validation.
    fn has_page(&self, field: &Field) -> bool {
        let Some(first) = field.get_argument("first") else {
            return false;
        };
        let mut named = None;
        let first = first.node.clone().into_const_with(|name| {
            let given = self.given(&name);
            named = Some(name);
            Ok::<_, ()>(given.unwrap_or_default())
        });
        let must_be_given = |name: &Name| {
            let defined = self.defaults.iter().find(|one| one.node.name.node == *name);
            defined.is_some_and(|one| !one.node.var_type.node.nullable)
        };
        match (first, named) {
            (Ok(Value::Number(rows)), _) => rows.as_u64().is_some_and(|rows| (1..=self.limits.page).contains(&rows)),
            (Ok(Value::Null), Some(name)) => self.given(&name).is_none() && must_be_given(&name),
            (_, named) => named.is_some(),
        }
    }

    /// How many rows the field asks for, at least one.
    fn page(&self, field: &Field) -> u64 {
        field
            .arguments
            .iter()
            .filter(|(name, _)| matches!(name.node.as_str(), "first" | "last"))
            .map(|(_, value)| {
                value
                    .node
                    .clone()
                    .into_const_with(|name| Ok::<_, ()>(self.variable(&name)))
            })
            .map(|value| value.map_or(1, |value| rows(&value)))
            .fold(1, u64::max)
    }

    fn variable(&self, name: &Name) -> Value {
        self.given(name).unwrap_or_default()
    }

    /// What the request or the operation itself gives for a variable.
    fn given(&self, name: &Name) -> Option<Value> {
        let default = || {
            let mut definitions = self.defaults.iter();
            let definition = definitions.find(|definition| definition.node.name.node == *name)?;
            definition.node.default_value.as_ref().map(|value| &value.node)
        };
        self.variables.get(name).or_else(default).cloned()
    }
}

fn rows(page: &Value) -> u64 {
    let Value::Number(number) = page else {
        return 1;
    };
    match (number.as_u64(), number.as_i64()) {
        (Some(rows), _) => rows.max(1),
        (None, Some(_negative)) => 1,
        // Larger than any integer, or a fraction: the schema refuses it, and it must not be cheap.
        (None, None) => u64::MAX,
    }
}

fn count(directives: &[Positioned<Directive>]) -> u64 {
    u64::try_from(directives.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    fn weigh_with(query: &str, variables: serde_json::Value, limits: &Limits) -> Result<Cost, Refusal> {
        let document = parse_query(query).expect("a document");
        check(&document, &Variables::from_json(variables), limits, Lists::NONE)
    }

    fn weigh(query: &str) -> Result<Cost, Refusal> {
        weigh_with(query, serde_json::Value::Null, &Limits::DEFAULT)
    }

    fn times(count: usize, one: impl Fn(usize) -> String) -> String {
        (0..count).map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn depth() {
        let deep = |levels: usize| format!("{}a{}", "{a".repeat(levels - 1) + "{", "}".repeat(levels));
        assert_eq!(weigh(&deep(10)), Ok(Cost(10)));
        assert_eq!(weigh(&deep(11)), Err(Refusal::Depth));
        // Nine more levels through a fragment, from the second level on.
        let spread = |levels: usize| format!("{{ a {{ ...F }} }} fragment F on T {}", deep(levels));
        assert_eq!(weigh(&spread(9)), Ok(Cost(10)));
        assert_eq!(weigh(&spread(10)), Err(Refusal::Depth));
    }

    #[test]
    fn aliases() {
        let aliased = |count: usize| format!("{{ a {{ {} }} }}", times(count, |n| format!("x{n}: b")));
        assert_eq!(weigh(&aliased(30)), Ok(Cost(31)));
        assert_eq!(weigh(&aliased(31)), Err(Refusal::Aliases));
        let twice = |count: usize| {
            format!(
                "{{ a {{ ...F }} b {{ ...F }} }} fragment F on T {{ {} }}",
                times(count, |n| format!("x{n}: b"))
            )
        };
        assert_eq!(weigh(&twice(15)), Ok(Cost(32)));
        assert_eq!(weigh(&twice(16)), Err(Refusal::Aliases));
    }

    #[test]
    fn root_fields() {
        assert_eq!(
            weigh(&format!("{{ {} }}", times(10, |n| format!("f{n}")))),
            Ok(Cost(10))
        );
        assert_eq!(
            weigh(&format!("{{ {} }}", times(11, |n| format!("f{n}")))),
            Err(Refusal::RootFields)
        );
        let spread = |count: usize| {
            format!(
                "{{ ...F ...F }} fragment F on Query {{ {} }}",
                times(count, |n| format!("f{n}"))
            )
        };
        assert_eq!(weigh(&spread(5)), Ok(Cost(10)));
        assert_eq!(weigh(&spread(6)), Err(Refusal::RootFields));
    }

    #[test]
    fn directives() {
        let directed = |count: usize| format!("{{ a {} }}", times(count, |_| "@include(if: true)".to_owned()));
        assert_eq!(weigh(&directed(50)), Ok(Cost(1)));
        assert_eq!(weigh(&directed(51)), Err(Refusal::Directives));
        let everywhere = |count: usize| {
            format!(
                "query Q($v: Int @d) @d {{ ... @d {{ a {} }} ...F @d }} fragment F on Q @d {{ b @d }}",
                times(count, |_| "@d".to_owned())
            )
        };
        assert_eq!(weigh(&everywhere(44)), Ok(Cost(2)));
        assert_eq!(weigh(&everywhere(45)), Err(Refusal::Directives));
    }

    #[test]
    fn cost_multiplies_by_the_page() {
        // 1 for pupils, and 200 × (edges + node + 97 fields) = 19,800.
        let paged = |fields: usize| {
            format!(
                "{{ pupils(first: 200) {{ edges {{ node {{ {} }} }} }} }}",
                times(fields, |_| "a".to_owned())
            )
        };
        assert_eq!(weigh(&paged(97)), Ok(Cost(19_801)));
        assert_eq!(weigh(&paged(98)), Err(Refusal::Cost));
        let limits = Limits {
            cost: 19_801,
            ..Limits::DEFAULT
        };
        assert_eq!(
            weigh_with(&paged(97), serde_json::Value::Null, &limits),
            Ok(Cost(19_801))
        );
        let limits = Limits {
            cost: 19_800,
            ..Limits::DEFAULT
        };
        assert_eq!(
            weigh_with(&paged(97), serde_json::Value::Null, &limits),
            Err(Refusal::Cost)
        );
    }

    #[test]
    fn a_page_from_a_variable_counts_and_a_strange_one_is_safe() {
        let query = "query ($n: Int = 7) { pupils(first: $n) { a } }";
        let with = |value: serde_json::Value| weigh_with(query, value, &Limits::DEFAULT);
        assert_eq!(with(serde_json::json!({ "n": 50 })), Ok(Cost(51)));
        assert_eq!(with(serde_json::json!({})), Ok(Cost(8)));
        assert_eq!(with(serde_json::json!({ "n": 200 })), Ok(Cost(201)));
        assert_eq!(with(serde_json::json!({ "n": 201 })), Err(Refusal::Page));
        assert_eq!(
            weigh("{ ...F } fragment F on Q { a(first: 201) { b } }"),
            Err(Refusal::Page)
        );
        assert_eq!(with(serde_json::json!({ "n": -5 })), Ok(Cost(2)));
        assert_eq!(with(serde_json::json!({ "n": null })), Ok(Cost(2)));
        assert_eq!(with(serde_json::json!({ "n": "50" })), Ok(Cost(2)));
        assert_eq!(with(serde_json::json!({ "n": u64::MAX })), Err(Refusal::Cost));
        assert_eq!(with(serde_json::json!({ "n": 1e300 })), Err(Refusal::Cost));
        assert_eq!(weigh("{ a(first: -5) { b } }"), Ok(Cost(2)));
        assert_eq!(weigh("{ a(first: 99999999999999999999999) { b } }"), Err(Refusal::Cost));
        assert_eq!(
            weigh("{ a(first: 9223372036854775807) { b(last: 9223372036854775807) { c } } }"),
            Err(Refusal::Cost)
        );
    }

    #[test]
    fn a_list_that_is_read_in_pages_needs_one() {
        let lists = Lists::of_schemas();
        let weighed = |query: &str, variables: serde_json::Value| {
            let document = parse_query(query).expect("a document");
            check(&document, &Variables::from_json(variables), &Limits::DEFAULT, &lists)
        };
        let none = serde_json::Value::Null;
        for query in [
            "{ pupils { totalCount } }",
            "{ pupils(first: 0) { totalCount } }",
            "{ pupils(first: -1) { totalCount } }",
            "{ pupils(first: null) { totalCount } }",
            "{ pupils(first: \"9\") { totalCount } }",
            "{ changes { hasMore } }",
            "query ($n: Int) { pupils(first: $n) { totalCount } }",
            "query ($n: Int! = 0) { pupils(first: $n) { totalCount } }",
            "{ pupils(first: $undeclared) { totalCount } }",
            "{ pupils(first: 9) { edges { node { absences { totalCount } } } } }",
            "{ node(id: \"x\") { ... on Pupil { absences { totalCount } } } }",
            "{ ...F } fragment F on Query { signals { totalCount } }",
            "{ pupil(id: \"x\") { ...F } } fragment F on Pupil { classes { members { totalCount } } }",
        ] {
            assert_eq!(weighed(query, none.clone()), Err(Refusal::Page), "{query}");
        }
        let given = serde_json::json!({ "n": 0 });
        assert_eq!(
            weighed("query ($n: Int!) { pupils(first: $n) { totalCount } }", given),
            Err(Refusal::Page)
        );
        for query in [
            "{ pupils(first: 1) { totalCount } }",
            "query ($n: Int! = 9) { pupils(first: $n) { totalCount } }",
            // Not lists of pages, though others of that name are.
            "{ pupil(id: \"x\") { classes { name } signals { id } } changes(first: 1) { changes { id } } }",
            "subscription { signals { cursor } }",
            // Said to be needed elsewhere, or of an operation that does not run.
            "query A { viewer { role } } query B($n: Int!) { pupils(first: $n) { totalCount } }",
            "query A($n: Int = 9) { ...F } query B { viewer { role } } fragment F on Query { pupils(first: $n) { totalCount } }",
        ] {
            assert!(weighed(query, none.clone()).is_ok(), "{query}");
        }
    }

    #[test]
    fn the_same_fragment_costs_by_the_variables_of_each_operation() {
        let query =
            "query A($n: Int = 1) { ...F } query B($n: Int = 30000) { ...F } fragment F on Q { a(first: $n) { b } }";
        assert_eq!(weigh(query), Err(Refusal::Cost));
    }

    #[test]
    fn fragments_may_not_contain_themselves() {
        assert_eq!(
            weigh("{ ...A } fragment A on Q { ...B } fragment B on Q { a { ...A } }"),
            Err(Refusal::FragmentCycle)
        );
        assert_eq!(weigh("{ a } fragment A on Q { ...A }"), Err(Refusal::FragmentCycle));
    }

    #[test]
    fn a_bomb_of_doubling_fragments_is_refused_for_its_weight() {
        let doubling = times(60, |n| format!("fragment F{n} on Q {{ ...F{} ...F{} }}", n + 1, n + 1));
        let query = format!("{{ a {{ ...F0 }} }} {doubling} fragment F60 on Q {{ b }}");
        assert_eq!(weigh(&query), Err(Refusal::Cost));
    }

    #[test]
    fn introspection_only_where_it_is_allowed() {
        let open = Limits {
            introspection: true,
            ..Limits::DEFAULT
        };
        for query in [
            "{ __schema { types { name } } }",
            "{ x: __type(name: \"Pupil\") { name } }",
            "{ ...F } fragment F on Query { __schema { types { name } } }",
            "{ _service { sdl } }",
        ] {
            assert_eq!(weigh(query), Err(Refusal::Introspection), "{query}");
            assert!(weigh_with(query, serde_json::Value::Null, &open).is_ok(), "{query}");
        }
        assert_eq!(weigh("{ __typename }"), Ok(Cost(1)));
    }
}
