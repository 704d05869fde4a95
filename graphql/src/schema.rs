//! The schemas of the realms, and the one way to execute on them.

use std::sync::Arc;

use async_graphql::{
    EmptyMutation, EmptySubscription, MergedObject, ObjectType, Request, Response, SDLExportOptions, Schema,
    SchemaBuilder, Value,
};
use hub_entities::operation::{Operation, Realm};

use crate::agreement::{AgreementMutation, AgreementRoot};
use crate::change::ChangeRoot;
use crate::hub::Hub;
use crate::node::NodeRoot;
use crate::operations::{OperationsRoot, RunMutation, RunRoot};
use crate::operations_node::OperationsNodeRoot;
use crate::page::CursorKey;
use crate::pupils::PupilRoot;
use crate::school::SchoolRoot;
use crate::signal::{AcceptMutation, ReportMutation, SignalRoot};
use crate::viewer::ViewerRoot;

/// What may be asked by schools: what CLBs ask, and what arrived of their own.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
struct SchoolQuery(
    ViewerRoot,
    PupilRoot,
    SchoolRoot,
    SignalRoot,
    ChangeRoot,
    AgreementRoot,
    NodeRoot,
    RunRoot,
);

/// What may be asked by CLBs.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
struct ClbQuery(
    ViewerRoot,
    PupilRoot,
    SchoolRoot,
    SignalRoot,
    ChangeRoot,
    AgreementRoot,
    NodeRoot,
);

/// What schools may do.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
struct SchoolMutation(ReportMutation, AgreementMutation, RunMutation);

/// What CLBs may do.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
struct ClbMutation(AcceptMutation, AgreementMutation);

/// What may be asked by operators: no pupil content.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
struct OperationsQuery(ViewerRoot, OperationsRoot, RunRoot, AgreementRoot, OperationsNodeRoot);

/// What operators may do.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
struct OperationsMutation(RunMutation);

/// What persons may ask until they have roots of their own.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
struct PersonQuery(ViewerRoot);

/// How quiet the schemas are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether the schema may be asked for: in `demo` only (design §8).
    pub introspection: bool,
}

/// The schemas, one per realm.
#[derive(Clone)]
pub struct Schemas {
    school: Schema<SchoolQuery, SchoolMutation, EmptySubscription>,
    clb: Schema<ClbQuery, ClbMutation, EmptySubscription>,
    person: Schema<PersonQuery, EmptyMutation, EmptySubscription>,
    operations: Schema<OperationsQuery, OperationsMutation, EmptySubscription>,
}

impl std::fmt::Debug for Schemas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Schemas")
    }
}

/// The schemas over a hub, with cursors tagged by this key.
pub fn schemas(hub: Arc<dyn Hub>, keys: CursorKey, options: Options) -> Schemas {
    fn quiet<Q: ObjectType + Default + 'static, M: ObjectType + 'static>(
        mutation: M,
        hub: Arc<dyn Hub>,
        keys: CursorKey,
        options: Options,
    ) -> Schema<Q, M, EmptySubscription> {
        let built = builder::<Q, M>(mutation).data(hub).data(keys);
        if options.introspection {
            built.finish()
        } else {
            built.disable_introspection().finish()
        }
    }
    Schemas {
        school: quiet(SchoolMutation::default(), Arc::clone(&hub), keys.clone(), options),
        clb: quiet(ClbMutation::default(), Arc::clone(&hub), keys.clone(), options),
        person: quiet(EmptyMutation, Arc::clone(&hub), keys.clone(), options),
        operations: quiet(OperationsMutation::default(), hub, keys, options),
    }
}

/// A suggestion ("did you mean") would tell the names of what was not asked.
fn builder<Q: ObjectType + Default + 'static, M: ObjectType + 'static>(
    mutation: M,
) -> SchemaBuilder<Q, M, EmptySubscription> {
    Schema::build(Q::default(), mutation, EmptySubscription).disable_suggestions()
}

impl Schemas {
    /// Answers one request. A fault fails it whole: half an answer must not pass for a whole one.
    pub async fn execute(&self, realm: Realm, mut request: Request, operation: Operation) -> Response {
        // Another realm's schema is never executed, whoever calls.
        if operation.realm() != Some(realm) {
            return fault();
        }
        let document = request.parsed_query().ok().cloned();
        let name = request.operation_name.clone();
        let request = request.data(Arc::new(operation));
        let mut response = match realm {
            Realm::School => self.school.execute(request).await,
            Realm::Clb => self.clb.execute(request).await,
            Realm::Person => self.person.execute(request).await,
            Realm::Operations => self.operations.execute(request).await,
        };
        if !response.errors.is_empty() {
            response.data = Value::Null;
            response.errors.truncate(1);
        } else if let Some(document) = document {
            crate::order::arrange(&document, name.as_deref(), &mut response.data);
        }
        response
    }
}

fn fault() -> Response {
    let error: async_graphql::Error = crate::problem::Problem::Unavailable.into();
    Response::from_errors(vec![error.into_server_error(async_graphql::Pos::default())])
}

/// The schema of a realm as text, with the class of every element; committed as
/// `graphql/schema.<realm>.graphql`.
pub fn sdl(realm: Realm) -> String {
    fn text<Q: ObjectType + Default + 'static, M: ObjectType + 'static>(mutation: M) -> String {
        // Only in its federation form does the library print tags; there is no federation here, so
        // its header gives way to the plain one.
        let options = SDLExportOptions::new().federation().prefer_single_line_descriptions();
        let printed = builder::<Q, M>(mutation).finish().sdl_with_options(options);
        let body = match printed.split_once("extend schema @link(") {
            Some((before, rest)) => {
                let after = rest.split_once("\n)").map_or("", |(_, after)| after);
                format!("{}\n{}", before.trim(), after.trim())
            }
            None => printed,
        };
        format!("{DIRECTIVE}\n\n{}\n", body.trim())
    }
    match realm {
        Realm::School => text::<SchoolQuery, _>(SchoolMutation::default()),
        Realm::Clb => text::<ClbQuery, _>(ClbMutation::default()),
        Realm::Person => text::<PersonQuery, _>(EmptyMutation),
        Realm::Operations => text::<OperationsQuery, _>(OperationsMutation::default()),
    }
}

const DIRECTIVE: &str = "\"\"\"The class of an element: who may see it (`class:…`)\"\"\"
directive @tag(name: String!) repeatable on FIELD_DEFINITION | ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION | ENUM_VALUE";
