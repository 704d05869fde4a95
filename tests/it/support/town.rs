//! A town of two CLBs and three schools, every fact of it written by hand, and whoever asks about it.
//!
//! | pupil | school | CLB | B half-days |
//! |---|---|---|---|
//! | Ada | north | first | 5: `truancy.5` stands |
//! | Bo | north | first | 4, was 5: withdrawn |
//! | Cas | east and south | first and second | 2, at south; first has no `truancy` with east |
//! | Dre | south | second | 30: both stand |
//! | Ella | north until 15 September, then south | second | 5 at north, 6 carried in at south |

use std::path::PathBuf;
use std::sync::Arc;

use clb_hub::app::{AccessLog, App, Desk, access_log};
use clb_hub::custody::intents::Applier;
use clb_hub::deliver::sequencer::Sequencer;
use clb_hub::http::house::House;
use clb_hub::http::service::GraphqlService;
use clb_hub::store::carried::{CarriedSaid, merge_carried};
use clb_hub::store::roster::{ClassSaid, MembershipSaid, PupilSaid, merge_classes, merge_memberships};
use clb_hub::store::{SecretDb, Secrets};
use futures::stream::{BoxStream, StreamExt as _};
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::{Categories, Category};
use hub_entities::id::{ClbId, Ids, PupilId, RecordId};
use hub_entities::operation::{Actor, Operation, Purpose, Role};
use hub_entities::source::RunKind;
use hub_entities::time::{FixedClock, HalfDay, SchoolYear};
use hub_graphql::Options;
use hub_graphql::page::CursorKey;
use serde_json::{Value, json};

use super::database::TestDatabase;
use super::world::{School, World, am, born, day, pm};

const B: Reading = Reading::Absent(Code::B);
const Z: Reading = Reading::Absent(Code::Z);

/// Who asks.
pub(crate) struct Viewers {
    pub(crate) north: Actor,
    pub(crate) north_manager: Actor,
    pub(crate) east: Actor,
    pub(crate) south: Actor,
    pub(crate) first: Actor,
    pub(crate) second: Actor,
    pub(crate) second_director: Actor,
    pub(crate) chat: Actor,
    pub(crate) operator: Actor,
    pub(crate) first_administration: Actor,
}

pub(crate) struct Town {
    pub(crate) world: World,
    pub(crate) first: ClbId,
    pub(crate) second: ClbId,
    pub(crate) north: School,
    pub(crate) east: School,
    pub(crate) south: School,
    pub(crate) ada: PupilId,
    pub(crate) bo: PupilId,
    pub(crate) cas: PupilId,
    pub(crate) dre: PupilId,
    pub(crate) ella: PupilId,
    pub(crate) viewers: Viewers,
    pub(crate) app: Arc<App>,
    pub(crate) house: Arc<House>,
    pub(crate) desk: Desk,
    /// The secrecy store, to count what it is asked.
    pub(crate) apart: SecretDb,
    /// The same with its keys.
    pub(crate) secrets: Secrets,
    /// Where its keys lie.
    pub(crate) keys: PathBuf,
    /// Kept, so that lines of the access log have somewhere to go.
    _log: AccessLog,
}

/// Tuesday 1 and Thursday 3 September 2026, whole days: four half-days; and Friday morning.
fn five() -> [HalfDay; 5] {
    [
        am("2026-09-01"),
        pm("2026-09-01"),
        am("2026-09-03"),
        pm("2026-09-03"),
        am("2026-09-04"),
    ]
}

fn named(given: &str, family: &str, begins: &str) -> PupilSaid {
    PupilSaid {
        given_name: Some(given.to_owned()),
        family_name: Some(family.to_owned()),
        sort_name: Some(format!("{}\u{1f}{}", family.to_lowercase(), given.to_lowercase())),
        begins_on: Some(day(begins)),
        ..born("2012-05-01")
    }
}

impl Town {
    /// The town on Thursday 1 October 2026.
    pub(crate) async fn new(database: &TestDatabase) -> Self {
        let world = World::new(database, "2026-10-01T10:00:00Z").await;
        let (first, second) = (world.clb("114711").await, world.clb("114712").await);
        let north = world.school("123456", first, Categories::all()).await;
        let little = Categories::NONE.with(Category::Identity).with(Category::Enrolment);
        let east = world.school("123457", first, little).await;
        let south = world.school("123458", second, Categories::default_agreement()).await;

        let begins = "2026-09-01";
        let ada = PupilSaid {
            sex: Some("female".to_owned()),
            street: Some("Straat 1".to_owned()),
            postal_code: Some("9990".to_owned()),
            city: Some("Klaverdonk".to_owned()),
            language: Some("nl".to_owned()),
            contacts: Some(json!({ "email": null, "phone": null, "others": [{
                "role": "parent", "givenName": "An", "familyName": "Maes",
                "email": "an@clb-hub.invalid", "phone": "+32 400 000001",
            }] })),
            ..named("Ada", "Zeger", begins)
        };
        let ella = |begins| PupilSaid {
            national_index: Some(vec![5; 32]),
            ..named("Ella", "Ende", begins)
        };
        let left = PupilSaid {
            ends_on: Some(day("2026-09-15")),
            ..ella(begins)
        };
        let bo = PupilSaid {
            ends_on: Some(day("2027-07-01")),
            ..named("Bo", "Claes", begins)
        };
        let of_north = world.pupils(north, &[("ada", ada), ("bo", bo), ("ella", left)]).await;
        let cas = PupilSaid {
            national_index: Some(vec![9; 32]),
            ..named("Cas", "Baert", begins)
        };
        let of_east = world.pupils(east, &[("cas", cas.clone())]).await;
        let of_south = [
            ("cas", cas),
            ("dre", named("Dre", "Daems", begins)),
            ("ella", ella("2026-09-15")),
        ];
        let of_south = world.pupils(south, &of_south).await;
        assert_eq!((of_east[0].1, of_north[2].1), (of_south[0].1, of_south[2].1));

        let say = |record: RecordId, all: &[HalfDay]| all.iter().map(|at| (record, *at, B)).collect::<Vec<_>>();
        let mut said = say(of_north[0].0, &five());
        said.push((of_north[0].0, am("2026-09-07"), Z));
        said.push((of_north[0].0, am("2026-09-08"), Reading::Unresolved));
        said.extend(say(of_north[1].0, &five()));
        said.extend(say(of_north[2].0, &five()));
        world.say(north, &said).await;
        world.say(north, &[(of_north[1].0, am("2026-09-04"), Z)]).await;
        // The first thirty half-days of the year: 7 in its first week, 9 in each of the two that follow,
        // then Monday, Tuesday and Wednesday 23 September.
        let calendar = world.book.laws().calendar(SchoolYear(2026));
        let thirty: Vec<HalfDay> = calendar.iter().take(30).collect();
        let mut said = say(of_south[1].0, &thirty);
        said.extend(say(of_south[0].0, &five()[..2]));
        world.say(south, &said).await;
        let carried = CarriedSaid {
            record: of_south[2].0,
            begins_on: day("2026-09-15"),
            half_days: 6,
            former_institution: Some("123456".to_owned()),
        };
        let scope = world.source_scope(south).await;
        let (lease, run) = world.run(south, &scope, RunKind::CarriedIn).await;
        merge_carried(&world.db, world.work(&scope, &lease, run.id), &[carried])
            .await
            .unwrap();
        world.done(&lease, run).await;

        let viewers = Viewers {
            north: world.someone(Role::SchoolClient, Some(north.id), None).await,
            north_manager: world.someone(Role::SchoolDataManager, Some(north.id), None).await,
            east: world.someone(Role::SchoolClient, Some(east.id), None).await,
            south: world.someone(Role::SchoolClient, Some(south.id), None).await,
            first: world.someone(Role::ClbWorker, None, Some(first)).await,
            second: world.someone(Role::ClbWorker, None, Some(second)).await,
            second_director: world.someone(Role::ClbDirector, None, Some(second)).await,
            chat: world.someone(Role::ClbChatWorker, None, Some(first)).await,
            operator: world.someone(Role::Operator, None, None).await,
            first_administration: world.someone(Role::ClbAdministration, None, Some(first)).await,
        };
        let clock = Arc::new(FixedClock(world.now));
        let sequencer = Sequencer::new(world.db.clone(), clock, world.ids.clone());
        let (lines, log) = access_log(world.db.clone());
        let (apart, secrets, keys) = database.secrets_in().await;
        let app = App::new(
            world.db.clone(),
            world.book.clone(),
            world.ids.clone(),
            sequencer.waker(),
            lines,
        );
        let app = Arc::new(app.with_secrets(Some(secrets.clone())));
        let head = tokio::sync::watch::Sender::new(None).subscribe();
        let desk = Desk::new(app.clone(), Arc::new(FixedClock(world.now)), head);
        let house = Arc::new(House::new(
            app.clone(),
            desk.clone(),
            &CursorKey::new(&[3; 32]),
            Options::default(),
        ));
        let town = Self {
            world,
            first,
            second,
            north,
            east,
            south,
            ada: of_north[0].1,
            bo: of_north[1].1,
            cas: of_south[0].1,
            dre: of_south[1].1,
            ella: of_south[2].1,
            viewers,
            app,
            house,
            desk,
            apart,
            secrets,
            keys,
            _log: log,
        };
        town.classes().await;
        town.tell().await;
        town
    }

    /// Class 1A of north, in which Ada and Bo sit, and an empty one.
    async fn classes(&self) {
        let world = &self.world;
        let scope = world.source_scope(self.north).await;
        let (lease, run) = world.run(self.north, &scope, RunKind::Roster).await;
        let class = |name: &str| ClassSaid {
            name: name.to_owned(),
            grade: Some("09".to_owned()),
            school_year: SchoolYear(2026),
        };
        let said = [("k1".to_owned(), class("1A")), ("k2".to_owned(), class("1B"))];
        let work = world.work(&scope, &lease, run.id);
        merge_classes(&world.db, work, &said, None).await.unwrap();
        let member = |pupil: &str| MembershipSaid {
            gone: false,
            class_key: "k1".to_owned(),
            pupil_key: pupil.to_owned(),
            begins_on: Some(day("2026-09-01")),
            ends_on: None,
        };
        let said = [("m1".to_owned(), member("ada")), ("m2".to_owned(), member("bo"))];
        merge_memberships(&world.db, work, &said, None).await.unwrap();
        world.done(&lease, run).await;
    }

    /// Gives the events that wait their positions.
    pub(crate) async fn tell(&self) {
        let clock = Arc::new(FixedClock(self.world.now));
        let sequencer = Sequencer::new(self.world.db.clone(), clock, self.world.ids.clone());
        sequencer.once().await.unwrap();
    }

    /// What applies intents in the secrecy store, as a process of its own would.
    pub(crate) async fn applier(&self) -> Applier {
        self.applier_with(self.secrets.clone()).await
    }

    /// The same, with keys as that process knows them.
    pub(crate) async fn applier_with(&self, secrets: Secrets) -> Applier {
        let (world, clock) = (&self.world, Arc::new(FixedClock(self.world.now)));
        let applier = Applier::open(&world.db, secrets, clock, world.ids.clone());
        applier.await.unwrap()
    }

    /// The whole answer to a question.
    pub(crate) async fn answer(&self, viewer: &Actor, question: &str) -> Value {
        self.answer_for(viewer, None, false, question).await
    }

    /// The data of an answer without errors, to a question for a purpose, by someone who signed in strongly or not.
    pub(crate) async fn ask_for(
        &self,
        viewer: &Actor,
        purpose: Option<Purpose>,
        assured: bool,
        question: &str,
    ) -> Value {
        let mut answer = self.answer_for(viewer, purpose, assured, question).await;
        assert_eq!(answer.get("errors"), None, "{question}");
        answer["data"].take()
    }

    /// The whole answer to such a question.
    pub(crate) async fn answer_for(
        &self,
        viewer: &Actor,
        purpose: Option<Purpose>,
        assured: bool,
        question: &str,
    ) -> Value {
        let operation = Operation {
            actor: viewer.clone(),
            purpose,
            now: self.world.now,
            request: self.world.ids.next(self.world.now),
        };
        let realm = operation.realm().unwrap();
        let mut signed_in = self.world.sign_in(&self.house, viewer).await;
        signed_in.assured = assured;
        let request = async_graphql::Request::new(question);
        let response = self.house.execute(realm, request, operation, signed_in).await;
        serde_json::to_value(response).unwrap()
    }

    /// What a subscription is told, update by update.
    pub(crate) fn follow(&self, viewer: &Actor, question: &str) -> BoxStream<'static, Value> {
        let operation = Operation {
            actor: viewer.clone(),
            purpose: None,
            now: self.world.now,
            request: self.world.ids.next(self.world.now),
        };
        let realm = operation.realm().unwrap();
        let request = async_graphql::Request::new(question);
        let responses = self.house.subscribe(realm, request, operation);
        responses
            .map(|response| serde_json::to_value(response).unwrap())
            .boxed()
    }

    /// The data of an answer without errors.
    pub(crate) async fn ask(&self, viewer: &Actor, question: &str) -> Value {
        let mut answer = self.answer(viewer, question).await;
        assert_eq!(answer.get("errors"), None, "{question}");
        answer["data"].take()
    }
}
