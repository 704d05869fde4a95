//! Signals as they come: what happened since a cursor, then whatever happens (R39).

use std::borrow::Cow;
use std::sync::Arc;

use async_graphql::registry::{MetaType, Registry};
use async_graphql::{Context, Response, SimpleObject, Subscription, SubscriptionType};
use futures::stream::{BoxStream, StreamExt as _};
use hub_entities::id::{ClbId, SchoolId};

use crate::asked::Asked;
use crate::change::{Change, LIST, columns};
use crate::hub::{Alerts, Position, Update};
use crate::problem::Problem;
use crate::scalar::Gid;

/// What a subscriber is told: a change, or only where it stands.
#[derive(Debug, Clone, SimpleObject)]
pub struct SignalUpdate {
    /// Where it stands: subscribe again `after` it, or read `changes` from there.
    #[graphql(tag = "class:public")]
    pub cursor: String,
    /// What happened. Nothing where only the place is told: at first, and now and then while nothing happens.
    #[graphql(tag = "class:case")]
    pub change: Option<Change>,
    /// In the last update of a stream that ends because the viewer may no longer follow it.
    #[graphql(tag = "class:public")]
    pub no_longer_yours: Option<NoLongerYours>,
}

/// For whom the viewer may no longer follow: ids only.
#[derive(Debug, Clone, SimpleObject)]
pub struct NoLongerYours {
    /// The school it acted for.
    #[graphql(tag = "class:public")]
    pub school_id: Option<Gid<SchoolId>>,
    /// The CLB it acted for.
    #[graphql(tag = "class:public")]
    pub clb_id: Option<Gid<ClbId>>,
}

/// A cursor that came beside the document, in the data of the request: the header `Last-Event-ID` of a client that comes
/// back. It stands where `after` stood before.
#[derive(Debug, Clone)]
pub struct Resume(pub String);

/// What can be followed.
#[derive(Default)]
struct AlertFields;

#[Subscription(name = "Subscription")]
impl AlertFields {
    /// What happens to signals about the viewer's pupils, without ever skipping: all since the cursor, then each as it
    /// comes. The first update tells where the stream stands. Without a cursor it begins now. A cursor of before a
    /// restore of the hub's database gets `CURSOR_EXPIRED`. What is told twice, after a connection was lost, has the
    /// same id.
    async fn signals(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "After this cursor, of an update or of `changes`; from now on if left out.")] after: Option<
            String,
        >,
    ) -> Result<BoxStream<'static, Result<SignalUpdate, Problem>>, Problem> {
        let asked = Asked::of(context)?;
        let alerts = context.data_opt::<Arc<dyn Alerts>>().ok_or(Problem::Unavailable)?;
        let open = |cursor: String| asked.keys.open::<Position>(asked.operation, LIST, &cursor);
        let resumed = context.data_opt::<Resume>().map(|resume| resume.0.clone());
        let after = resumed.or(after).map(open).transpose()?;
        let columns = columns(&context.look_ahead().field("change"));
        let updates = alerts.signals(asked.operation, after, columns).await?;
        let (keys, operation) = (asked.keys.clone(), Arc::clone(asked.operation));
        let answered = updates.map(move |update| {
            let seal = |at: Position| keys.seal(&operation, LIST, &at);
            Ok(match update? {
                Update::Stands(at) => SignalUpdate {
                    cursor: seal(at)?,
                    change: None,
                    no_longer_yours: None,
                },
                Update::Happened(at, row) => SignalUpdate {
                    cursor: seal(at)?,
                    change: Some(Change::of(seal(at)?, row)),
                    no_longer_yours: None,
                },
                Update::NoLongerYours { at, school, clb } => SignalUpdate {
                    cursor: seal(at)?,
                    change: None,
                    no_longer_yours: Some(NoLongerYours {
                        school_id: school.map(Gid),
                        clb_id: clb.map(Gid),
                    }),
                },
            })
        });
        Ok(answered.boxed())
    }
}

/// The root of what can be followed, with the classes that the library's macro has no word for here.
#[derive(Default)]
pub(crate) struct AlertRoot(AlertFields);

impl SubscriptionType for AlertRoot {
    fn type_name() -> Cow<'static, str> {
        AlertFields::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        let name = AlertFields::create_type_info(registry);
        if let Some(MetaType::Object { fields, .. }) = registry.types.get_mut(Self::type_name().as_ref()) {
            // What happens to signals is a case; a cursor tells nothing.
            for field in fields.values_mut() {
                field.tags = vec!["class:case".to_owned()];
                for argument in field.args.values_mut() {
                    argument.tags = vec!["class:public".to_owned()];
                }
            }
        }
        name
    }

    fn create_field_stream<'a>(&'a self, context: &'a Context<'_>) -> Option<BoxStream<'a, Response>> {
        self.0.create_field_stream(context)
    }
}
