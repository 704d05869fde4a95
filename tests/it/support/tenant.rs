//! A school whose Smartschool tenant is pulled over a real socket, and can be made to go wrong.

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use clb_hub::sync::pull::{BUDGET, Brought, LiveSource, Pull};
use clb_hub::sync::{Sync, SyncError};
use hub_connectors::contract::{Connector, Stream};
use hub_connectors::fake::{Host, Unruly};
use hub_connectors::http::{Http, Hurried, Limits, Reach};
use hub_connectors::smartschool::fake::{Fake, Platform, Pupil};
use hub_connectors::smartschool::{Settings, Smartschool};
use hub_entities::category::Categories;
use hub_entities::source::connection;
use hub_entities::time::FixedClock;
use sea_orm::EntityTrait;
use secrecy::SecretString;

use super::look::meddle;
use super::world::{School, World, day};

/// The access code of the tenant. It must stand nowhere.
pub(crate) const CODE: &str = "canary-code";

/// A running tenant.
pub(crate) struct Tenant {
    pub(crate) fake: Arc<Fake>,
    pub(crate) site: Arc<Unruly>,
    host: Host,
    connector: Smartschool,
    hasty: Smartschool,
}

/// A client that reaches the loopback interface, however busy this machine is.
pub(crate) fn http() -> Http {
    client(Duration::from_secs(30))
}

fn client(idle: Duration) -> Http {
    let reach = Reach::Public {
        and: vec!["127.0.0.0/8".parse().unwrap()],
    };
    let limits = Limits {
        idle,
        attempts: 2,
        ..Limits::default()
    };
    Http::new(reach, limits, Arc::new(Hurried::default())).unwrap()
}

impl Tenant {
    /// Serves this.
    pub(crate) async fn new(platform: Platform) -> Self {
        let fake = Arc::new(Fake::new(platform));
        let site = Arc::new(Unruly::over(Arc::<Fake>::clone(&fake), |_| true));
        let host = Host::start(Arc::<Unruly>::clone(&site)).await.unwrap();
        let settings = Settings {
            parallel_calls: 1,
            window_days: 3,
            ..Settings::of(Fake::url(&host))
        };
        let connector = |http| Smartschool::new(settings.clone(), SecretString::from(CODE), http).unwrap();
        Self {
            fake,
            site,
            host,
            connector: connector(http()),
            hasty: connector(client(Duration::from_millis(60))),
        }
    }

    /// What is pulled of it for a source.
    pub(crate) fn pull<'a>(&'a self, connection: &'a connection::Model, school: &'a str, stream: Stream) -> Pull<'a> {
        Pull {
            connection,
            school,
            connector: &self.connector,
            stream,
            full: false,
            since: None,
            budget: BUDGET,
            knock: false,
            room: None,
        }
    }

    /// The way to it.
    pub(crate) fn connector(&self) -> &dyn Connector {
        &self.connector
    }

    /// Where its web services are.
    pub(crate) fn url(&self) -> String {
        Fake::url(&self.host)
    }
}

/// A pupil of a class since 1 September 2026.
pub(crate) fn pupil(number: u32) -> Pupil {
    Pupil {
        user_name: format!("pupil.{number}"),
        internal_number: format!("{number}"),
        register_number: format!("{number}"),
        given_name: "Test".to_owned(),
        family_name: format!("Leerling {number}"),
        sex: "f".to_owned(),
        born: Some(day("2012-05-01")),
        ..Pupil::default()
    }
}

/// A tenant of one school with these pupils, in one class.
pub(crate) fn platform(school: &str, today: &str, pupils: std::ops::Range<u32>) -> Platform {
    let mut platform = Platform::new(CODE, day(today));
    platform.add_class("1A", school);
    for number in pupils {
        platform.add_pupil(pupil(number), "1A", day("2026-09-01"));
    }
    platform
}

/// A school, and the tenant that its source is.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) school: School,
    pub(crate) tenant: Tenant,
    number: String,
}

impl Scene {
    /// The school of a world with this number, served by a CLB for these categories.
    pub(crate) async fn of(world: World, number: &str, agreed: Categories, platform: Platform) -> Self {
        Self::served_by(world, number, "114711", agreed, platform).await
    }

    /// The same, served by the CLB with this number.
    pub(crate) async fn served_by(
        world: World,
        number: &str,
        clb: &str,
        agreed: Categories,
        platform: Platform,
    ) -> Self {
        let clb = world.clb(clb).await;
        let school = world.school(number, clb, agreed).await;
        // As school packages write them.
        meddle(&world.look, "update source set letters = 'school'").await;
        Self {
            world,
            school,
            tenant: Tenant::new(platform).await,
            number: number.to_owned(),
        }
    }

    pub(crate) fn sync(&self, progress: impl Fn(u64, u64) + Send + std::marker::Sync + 'static) -> Sync {
        Sync {
            db: self.world.db.clone(),
            book: self.world.book.clone(),
            clock: Arc::new(FixedClock(self.world.now)),
            ids: self.world.ids.clone(),
            national_numbers: None,
            progress: Arc::new(progress),
            stop: clb_hub::sync::stop::Stop::never(),
        }
    }

    async fn connection(&self) -> connection::Model {
        let found = connection::Entity::find_by_id(self.school.source)
            .one(&self.world.look)
            .await;
        found.unwrap().unwrap()
    }

    /// The source as it would be registered, pulled from this address.
    pub(crate) async fn live_at(&self, url: &str) -> LiveSource {
        let live = serde_json::json!({ "secret": "any", "system": { "smartschool": { "url": url } } });
        LiveSource {
            connection: self.connection().await,
            school: self.number.clone(),
            live: serde_json::from_value(live).unwrap(),
        }
    }

    pub(crate) async fn pull_with(&self, sync: &Sync, stream: Stream) -> Result<Brought, SyncError> {
        let connection = self.connection().await;
        sync.pull(&self.tenant.pull(&connection, &self.number, stream)).await
    }

    /// By a client that soon sees that something is wrong.
    pub(crate) async fn pull_hastily(&self, stream: Stream) -> Result<Brought, SyncError> {
        let connection = self.connection().await;
        let pull = Pull {
            connector: &self.tenant.hasty,
            ..self.tenant.pull(&connection, &self.number, stream)
        };
        self.sync(|_, _| {}).pull(&pull).await
    }

    /// By a hub that waits no longer than this for the whole of a read.
    pub(crate) async fn pull_within(&self, budget: Duration, stream: Stream) -> Result<Brought, SyncError> {
        let connection = self.connection().await;
        let pull = Pull {
            budget,
            ..self.tenant.pull(&connection, &self.number, stream)
        };
        self.sync(|_, _| {}).pull(&pull).await
    }

    pub(crate) async fn pull(&self, stream: Stream) -> Brought {
        self.pull_with(&self.sync(|_, _| {}), stream).await.unwrap()
    }

    /// Everything, whatever was read before.
    pub(crate) async fn pull_full(&self, sync: &Sync, stream: Stream) -> Brought {
        let connection = self.connection().await;
        let pull = Pull {
            full: true,
            ..self.tenant.pull(&connection, &self.number, stream)
        };
        sync.pull(&pull).await.unwrap()
    }

    /// Absences since this day.
    pub(crate) async fn pull_since(&self, since: NaiveDate) -> Brought {
        let connection = self.connection().await;
        let pull = Pull {
            since: Some(since),
            ..self.tenant.pull(&connection, &self.number, Stream::Absences)
        };
        self.sync(|_, _| {}).pull(&pull).await.unwrap()
    }

    /// Both streams.
    pub(crate) async fn pull_all(&self) -> [Brought; 2] {
        [self.pull(Stream::Roster).await, self.pull(Stream::Absences).await]
    }

    pub(crate) async fn preview(&self, stream: Stream) -> Brought {
        let connection = self.connection().await;
        let pull = self.tenant.pull(&connection, &self.number, stream);
        self.sync(|_, _| {}).preview(&pull).await.unwrap()
    }
}
