//! The schemas of the realms, and the one way to execute on them.

use std::sync::Arc;

use async_graphql::{
    EmptySubscription, MergedObject, ObjectType, Request, Response, SDLExportOptions, Schema, SchemaBuilder,
    SubscriptionType, ValidationMode, Value,
};
use futures::stream::{BoxStream, StreamExt as _};
use hub_entities::operation::{Operation, Realm};

use crate::access_log::AccessLogRoot;
use crate::agreement::{AgreementMutation, AgreementRoot};
use crate::alert::AlertRoot;
use crate::change::ChangeRoot;
use crate::client::{ClientMutation, ClientRoot};
use crate::delivery::DeliveryRoot;
use crate::dossier::correction::{CorrectionMutation, CorrectionRoot, OwnCorrectionMutation};
use crate::dossier::emergency::{EmergencyMutation, EmergencyRoot};
use crate::dossier::export::{ExportRoot, OwnExportRoot};
use crate::dossier::hold::{HoldMutation, HoldRoot};
use crate::dossier::log_hold::{LogHoldMutation, LogHoldRoot};
use crate::dossier::own::{OwnDossierMutation, OwnDossierRoot};
use crate::dossier::review::{ReviewMutation, ReviewRoot};
use crate::dossier::rights::{RightsMutation, RightsRoot};
use crate::dossier::transfer::{OwnTransferMutation, OwnTransferRoot, TransferMutation, TransferRoot};
use crate::dossier::{
    AccessMutation, AccessRoot, ConsentMutation, DossierMutation, DossierRoot, ReferralMutation, ReleaseMutation,
    RequestMutation, RequestRoot,
};
use crate::guidance::SchoolGuidanceMutation;
use crate::hub::{Alerts, Hub};
use crate::known::Known;
use crate::merge::{MergeMutation, MergeRoot};
use crate::node::NodeRoot;
use crate::operations::{OperationsRoot, RunMutation, RunRoot, SourceRoot};
use crate::operations_node::OperationsNodeRoot;
use crate::page::CursorKey;
use crate::pupil_gap::PupilGapRoot;
use crate::pupils::PupilRoot;
use crate::quarantine::QuarantineRoot;
use crate::release::ReleaseRoot;
use crate::roster_submission::RosterMutation;
use crate::school::SchoolRoot;
use crate::signal::{AcceptMutation, ReportMutation, SignalRoot};
use crate::submission::{SubmissionMutation, SubmissionRoot};
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
    SourceRoot,
    ClientRoot,
    SubmissionRoot,
    DeliveryRoot,
    QuarantineRoot,
    MergeRoot,
    ReleaseRoot,
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
    DossierRoot,
    PupilGapRoot,
    QuarantineRoot,
    MergeRoot,
    RequestRoot,
    AccessRoot,
    EmergencyRoot,
    RightsRoot,
    CorrectionRoot,
    ExportRoot,
    LogHoldRoot,
    TransferRoot,
    HoldRoot,
);

/// What schools may do.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
struct SchoolMutation(
    ReportMutation,
    AgreementMutation,
    RunMutation,
    ClientMutation,
    SubmissionMutation,
    RosterMutation,
    MergeMutation,
    SchoolGuidanceMutation,
);

/// What CLBs may do.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
struct ClbMutation(
    AcceptMutation,
    AgreementMutation,
    DossierMutation,
    ConsentMutation,
    MergeMutation,
    RequestMutation,
    ReferralMutation,
    ReleaseMutation,
    AccessMutation,
    EmergencyMutation,
    RightsMutation,
    CorrectionMutation,
    LogHoldMutation,
    TransferMutation,
    HoldMutation,
);

/// What may be asked by operators: no pupil content.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
struct OperationsQuery(
    ViewerRoot,
    SourceRoot,
    OperationsRoot,
    RunRoot,
    AgreementRoot,
    OperationsNodeRoot,
);

/// What operators may do.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
struct OperationsMutation(RunMutation);

/// What may be asked by persons of what concerns them, and by data protection officers.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
struct PersonQuery(
    ViewerRoot,
    AccessLogRoot,
    EmergencyRoot,
    OwnDossierRoot,
    OwnExportRoot,
    ReviewRoot,
    OwnTransferRoot,
);

/// What persons may do, and data protection officers.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
struct PersonMutation(
    OwnDossierMutation,
    OwnCorrectionMutation,
    ReviewMutation,
    OwnTransferMutation,
);

/// How quiet the schemas are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether the schema may be asked for: in `demo` only (design §8).
    pub introspection: bool,
}

/// The schemas, twice: a document that was found valid before is not held to the rules again.
#[derive(Clone)]
pub struct Schemas {
    strict: Realms,
    known: Realms,
}

/// The schemas, one per realm.
#[derive(Clone)]
struct Realms {
    school: Schema<SchoolQuery, SchoolMutation, AlertRoot>,
    clb: Schema<ClbQuery, ClbMutation, AlertRoot>,
    person: Schema<PersonQuery, PersonMutation, EmptySubscription>,
    operations: Schema<OperationsQuery, OperationsMutation, EmptySubscription>,
}

impl std::fmt::Debug for Schemas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Schemas")
    }
}

/// The schemas over a hub and what it tells as it happens, with cursors tagged by this key.
pub fn schemas(hub: &Arc<dyn Hub>, alerts: &Arc<dyn Alerts>, keys: &CursorKey, options: Options) -> Schemas {
    let held_to = |rules| Built {
        hub,
        alerts,
        keys,
        options,
        rules,
    };
    Schemas {
        strict: held_to(ValidationMode::Strict).realms(),
        known: held_to(ValidationMode::Fast).realms(),
    }
}

/// What schemas are built of.
struct Built<'a> {
    hub: &'a Arc<dyn Hub>,
    alerts: &'a Arc<dyn Alerts>,
    keys: &'a CursorKey,
    options: Options,
    rules: ValidationMode,
}

impl Built<'_> {
    fn realms(&self) -> Realms {
        let alerts = self.alerts;
        Realms {
            school: self.quiet(SchoolMutation::default()).data(Arc::clone(alerts)).finish(),
            clb: self.quiet(ClbMutation::default()).data(Arc::clone(alerts)).finish(),
            person: self.quiet(PersonMutation::default()).finish(),
            operations: self.quiet(OperationsMutation::default()).finish(),
        }
    }

    fn quiet<Q, M, S>(&self, mutation: M) -> SchemaBuilder<Q, M, S>
    where
        Q: ObjectType + Default + 'static,
        M: ObjectType + 'static,
        S: SubscriptionType + Default + 'static,
    {
        let built = builder::<Q, M, S>(mutation).validation_mode(self.rules);
        let built = built.data(Arc::clone(self.hub)).data(self.keys.clone());
        if self.options.introspection {
            built
        } else {
            built.disable_introspection()
        }
    }
}

/// A suggestion ("did you mean") would tell the names of what was not asked.
fn builder<Q, M, S>(mutation: M) -> SchemaBuilder<Q, M, S>
where
    Q: ObjectType + Default + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + Default + 'static,
{
    Schema::build(Q::default(), mutation, S::default()).disable_suggestions()
}

impl Schemas {
    /// Answers one request. A fault fails it whole: half an answer must not pass for a whole one.
    pub async fn execute(&self, realm: Realm, request: Request, operation: Operation) -> Response {
        // Another realm's schema is never executed, whoever calls.
        if operation.realm() != Some(realm) {
            return fault();
        }
        let (asked, request) = Document::of(request, operation);
        let known = asked.document.as_ref();
        let is_known = known.is_some_and(|known| known.is_valid(realm, &request));
        let schemas = if is_known { &self.known } else { &self.strict };
        let response = match realm {
            Realm::School => schemas.school.execute(request).await,
            Realm::Clb => schemas.clb.execute(request).await,
            Realm::Person => schemas.person.execute(request).await,
            Realm::Operations => schemas.operations.execute(request).await,
        };
        if let Some(known) = known.filter(|_| response.errors.is_empty()) {
            known.found_valid(realm);
        }
        asked.whole(response)
    }

    /// Answers a subscription, one response after the other; the last one is a fault, if there is one.
    pub fn subscribe(&self, realm: Realm, request: Request, operation: Operation) -> BoxStream<'static, Response> {
        if operation.realm() != Some(realm) {
            return futures::stream::once(async { fault() }).boxed();
        }
        let (asked, request) = Document::of(request, operation);
        let responses = match realm {
            Realm::School => self.strict.school.execute_stream(request),
            Realm::Clb => self.strict.clb.execute_stream(request),
            Realm::Person => self.strict.person.execute_stream(request),
            Realm::Operations => self.strict.operations.execute_stream(request),
        };
        let mut failed = false;
        let until_fault = responses.map(move |response| asked.whole(response));
        let until_fault = until_fault.take_while(move |response| {
            let over = std::mem::replace(&mut failed, !response.errors.is_empty());
            std::future::ready(!over)
        });
        until_fault.boxed()
    }
}

/// The document of a request, by which its answers are put in order.
struct Document {
    document: Option<Arc<Known>>,
    name: Option<String>,
}

impl Document {
    fn of(mut request: Request, operation: Operation) -> (Self, Request) {
        let read = |request: &mut Request| request.parsed_query().ok().cloned().map(Known::new).map(Arc::new);
        let document = Known::of(&request).or_else(|| read(&mut request));
        let name = request.operation_name.clone();
        (Self { document, name }, request.data(Arc::new(operation)))
    }

    fn whole(&self, mut response: Response) -> Response {
        if !response.errors.is_empty() {
            response.data = Value::Null;
            response.errors.truncate(1);
        } else if let Some(document) = &self.document {
            crate::order::arrange(document.document(), self.name.as_deref(), &mut response.data);
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
    fn text<Q, M, S>(mutation: M) -> String
    where
        Q: ObjectType + Default + 'static,
        M: ObjectType + 'static,
        S: SubscriptionType + Default + 'static,
    {
        // Only in its federation form does the library print tags; there is no federation here, so
        // its header gives way to the plain one.
        let options = SDLExportOptions::new().federation().prefer_single_line_descriptions();
        let whole = builder::<Q, M, S>(mutation).enable_subscription_in_federation();
        let printed = whole.finish().sdl_with_options(options);
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
        Realm::School => text::<SchoolQuery, _, AlertRoot>(SchoolMutation::default()),
        Realm::Clb => text::<ClbQuery, _, AlertRoot>(ClbMutation::default()),
        Realm::Person => text::<PersonQuery, _, EmptySubscription>(PersonMutation::default()),
        Realm::Operations => text::<OperationsQuery, _, EmptySubscription>(OperationsMutation::default()),
    }
}

const DIRECTIVE: &str = "\"\"\"The class of an element: who may see it (`class:…`)\"\"\"
directive @tag(name: String!) repeatable on FIELD_DEFINITION | ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION | ENUM_VALUE";
