//! The whole house without the wire: schema, policy, store, and who asks.

use std::sync::Arc;

use async_graphql::Request;
use clb_hub::app::{AccessLog, App, Desk, access_log};
use clb_hub::http::house::House;
use clb_hub::http::service::GraphqlService as _;
use clb_hub::store::roster::PupilSaid;
use futures::stream::{BoxStream, StreamExt as _};
use hub_entities::access_line;
use hub_entities::category::Categories;
use hub_entities::id::{ClbId, Ids as _, PupilId, RecordId};
use hub_entities::operation::{Actor, Operation, Role};
use hub_entities::time::FixedClock;
use hub_graphql::Options;
use hub_graphql::page::CursorKey;
use sea_orm::EntityTrait;
use serde_json::Value;

use super::world::{School, World, born};

/// Nanoseconds on purpose: PostgreSQL keeps microseconds, and a clock gives more.
pub(crate) const NOW: &str = "2026-10-01T10:00:00.123456789Z";

/// A hub with its door, without the wire.
pub(crate) struct Hub {
    pub(crate) world: World,
    house: House,
    app: Arc<App>,
    log: Option<AccessLog>,
}

impl Hub {
    pub(crate) fn over(world: World) -> Self {
        let (lines, log) = access_log(world.db.clone());
        let wake = Arc::new(tokio::sync::Notify::new());
        let app = Arc::new(App::new(
            world.db.clone(),
            world.book.clone(),
            world.ids.clone(),
            wake,
            lines,
        ));
        let head = tokio::sync::watch::Sender::new(None).subscribe();
        let desk = Desk::new(Arc::clone(&app), Arc::new(FixedClock(world.now)), head);
        let house = House::new(Arc::clone(&app), desk, &CursorKey::new(&[7; 32]), Options::default());
        Self {
            world,
            house,
            app,
            log: Some(log),
        }
    }

    pub(crate) async fn answer(&self, actor: &Actor, query: &str) -> Value {
        let operation = Operation {
            actor: actor.clone(),
            purpose: None,
            now: self.world.now,
            request: self.world.ids.next(self.world.now),
        };
        let realm = operation.realm().unwrap();
        let signed_in = self.world.sign_in(&self.house, actor).await;
        let request = Request::new(query);
        let answer = self.house.execute(realm, request, operation, signed_in).await;
        serde_json::to_value(answer).unwrap()
    }

    /// The data of an answer without errors.
    pub(crate) async fn ask(&self, actor: &Actor, query: &str) -> Value {
        let answer = self.answer(actor, query).await;
        assert_eq!(answer.get("errors"), None, "{query}");
        answer["data"].clone()
    }

    /// What a subscription is told, update by update.
    pub(crate) fn follow(&self, actor: &Actor, question: &str) -> BoxStream<'static, Value> {
        let operation = Operation {
            actor: actor.clone(),
            purpose: None,
            now: self.world.now,
            request: self.world.ids.next(self.world.now),
        };
        let realm = operation.realm().unwrap();
        let updates = self.house.subscribe(realm, Request::new(question), operation);
        updates.map(|update| serde_json::to_value(update).unwrap()).boxed()
    }

    pub(crate) async fn code(&self, actor: &Actor, query: &str) -> String {
        let answer = self.answer(actor, query).await;
        assert_eq!(answer["data"], Value::Null, "{query}");
        answer["errors"][0]["extensions"]["code"].as_str().unwrap().to_owned()
    }

    /// From now on nobody writes the access log.
    pub(crate) fn stop_the_log(&mut self) {
        self.log = None;
    }

    /// The lines of the access log once all are written: nobody asks any more.
    pub(crate) async fn lines(self) -> Vec<access_line::Model> {
        let Self { world, house, app, log } = self;
        drop(house);
        drop(app);
        log.unwrap().run().await;
        access_line::Entity::find().all(&world.look).await.unwrap()
    }
}

/// A pupil with a name of its own.
pub(crate) fn named(given: &str, family: &str) -> PupilSaid {
    PupilSaid {
        given_name: Some(given.to_owned()),
        family_name: Some(family.to_owned()),
        sort_name: Some(format!("{} {}", family.to_lowercase(), given.to_lowercase())),
        city: Some("Gent".to_owned()),
        ..born("2012-05-01")
    }
}

/// Who asks, and of whom.
pub(crate) struct Cast {
    pub(crate) hub: Hub,
    pub(crate) school: School,
    pub(crate) other_school: School,
    pub(crate) pupils: Vec<(RecordId, PupilId)>,
    pub(crate) foreign: PupilId,
    pub(crate) care_team: Actor,
    pub(crate) worker: Actor,
    pub(crate) other_worker: Actor,
    pub(crate) operator: Actor,
    pub(crate) clb: ClbId,
}

/// Two CLBs, a school each; three pupils at the first and one at the second. The first agreed on these categories.
pub(crate) async fn cast(world: World, agreed: Categories) -> Cast {
    let clb = world.clb("114711").await;
    let other_clb = world.clb("114728").await;
    let school = world.school("123456", clb, agreed).await;
    let other_school = world.school("654321", other_clb, Categories::all()).await;
    let pupils = world
        .pupils(
            school,
            &[
                ("a", named("An", "Peeters")),
                ("b", named("Bo", "Maes")),
                ("c", named("Cis", "Aerts")),
            ],
        )
        .await;
    let foreign = world.pupils(other_school, &[("z", named("Zoë", "Wouters"))]).await[0].1;
    let care_team = world.someone(Role::SchoolCareTeam, Some(school.id), None).await;
    let worker = world.someone(Role::ClbWorker, None, Some(clb)).await;
    let other_worker = world.someone(Role::ClbWorker, None, Some(other_clb)).await;
    let operator = world.someone(Role::Operator, None, None).await;
    Cast {
        hub: Hub::over(world),
        school,
        other_school,
        pupils,
        foreign,
        care_team,
        worker,
        other_worker,
        operator,
        clb,
    }
}
