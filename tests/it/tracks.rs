//! The two tracks of a signal: the school reports it, the CLB takes it up, each once, with who and when.

use clb_hub::store::DbError;
use clb_hub::store::signal::{NewStep, Stepped, step};
use futures::future::join;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::Categories;
use hub_entities::id::{PrincipalId, PupilId, RecordId, SignalId};
use hub_entities::operation::{Actor, Role};
use hub_entities::policy::Action;
use hub_entities::signal::Track;
use hub_entities::time::HalfDay;

use clb_hub::store::roster::PupilSaid;

use crate::support::database::{TestDatabase, both_databases};
use crate::support::look::{events, everything, list, number};
use crate::support::world::{School, World, am, at, born, pm};

const B: Reading = Reading::Absent(Code::B);

/// A pupil with a standing signal, its school and CLB with people, and people of another school and CLB.
struct Scene {
    world: World,
    school: School,
    record: RecordId,
    pupil: PupilId,
    client: Actor,
    manager: Actor,
    worker: Actor,
    director: Actor,
    other_school: Actor,
    other_clb: Actor,
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        let world = World::new(database, "2026-10-07T10:00:00Z").await;
        let (clb, other) = (world.clb("114711").await, world.clb("114728").await);
        let school = world.school("111111", clb, Categories::all()).await;
        let neighbour = world.school("222222", other, Categories::all()).await;
        let (record, pupil) = world.pupils(school, &[("a", born("2012-05-01"))]).await[0];
        let at_school = async |role| world.someone(role, Some(school.id), None).await;
        let (client, manager) = (
            at_school(Role::SchoolClient).await,
            at_school(Role::SchoolDataManager).await,
        );
        let at_clb = async |role| world.someone(role, None, Some(clb)).await;
        let (worker, director) = (at_clb(Role::ClbWorker).await, at_clb(Role::ClbDirector).await);
        let other_school = world.someone(Role::SchoolCareTeam, Some(neighbour.id), None).await;
        let other_clb = world.someone(Role::ClbWorker, None, Some(other)).await;
        let five = [
            am("2026-09-03"),
            pm("2026-09-03"),
            am("2026-09-04"),
            pm("2026-09-04"),
            am("2026-09-10"),
        ];
        let said: Vec<_> = five.iter().map(|at| (record, *at, B)).collect();
        assert_eq!(world.say(school, &said).await.raised, 1);
        Self {
            world,
            school,
            record,
            pupil,
            client,
            manager,
            worker,
            director,
            other_school,
            other_clb,
        }
    }

    /// The last signal raised.
    async fn signal(&self) -> SignalId {
        list(&self.world.look, "select id from signal order by generation desc").await[0]
    }

    async fn say(&self, at: HalfDay, reading: Reading) {
        self.world.say(self.school, &[(self.record, at, reading)]).await;
    }

    async fn try_step(
        &self,
        actor: &Actor,
        signal: SignalId,
        track: Track,
        version: Option<i32>,
    ) -> Result<Stepped, DbError> {
        let action = match track {
            Track::Report => Action::ReportSignal,
            Track::Accept => Action::AcceptSignal,
        };
        let scope = self.world.decided(actor.clone(), action).await;
        let new = NewStep {
            signal,
            track,
            version,
            request: uuid::Uuid::nil(),
            now: self.world.now,
        };
        step(&self.world.db, &scope, &*self.world.ids, new).await
    }

    async fn reports(&self, actor: &Actor) -> Stepped {
        self.try_step(actor, self.signal().await, Track::Report, None)
            .await
            .unwrap()
    }

    async fn accepts(&self, actor: &Actor) -> Stepped {
        self.try_step(actor, self.signal().await, Track::Accept, None)
            .await
            .unwrap()
    }

    async fn told(&self) -> Vec<&'static str> {
        let told = events(&self.world.look, self.pupil).await;
        told.into_iter().map(|one| one.0).collect()
    }
}

fn who(actor: &Actor) -> PrincipalId {
    match actor {
        Actor::Principal { id, .. } => *id,
        other => panic!("not a principal: {other:?}"),
    }
}

both_databases!(
    each_party_steps_once_and_the_first_is_the_proof,
    async |database: &TestDatabase| {
        let mut scene = Scene::new(database).await;
        let first = scene.world.now;
        let by = who(&scene.client);
        assert_eq!(scene.reports(&scene.client).await, Stepped::Done { by, at: first });
        scene.world.now = at("2026-10-08T10:00:00Z");
        for again in [&scene.client, &scene.manager] {
            assert_eq!(scene.reports(again).await, Stepped::Already { by, at: first });
        }
        let taken_up = scene.world.now;
        let by = who(&scene.worker);
        assert_eq!(scene.accepts(&scene.worker).await, Stepped::Done { by, at: taken_up });
        scene.world.now = at("2026-10-09T10:00:00Z");
        assert_eq!(
            scene.accepts(&scene.director).await,
            Stepped::Already { by, at: taken_up }
        );
        assert_eq!(
            list::<String>(&scene.world.look, "select track from signal_track order by at").await,
            ["report", "accept"]
        );
        assert_eq!(
            scene.told().await,
            ["signal.raised", "signal.reported", "signal.accepted"]
        );
        assert_eq!(list::<i32>(&scene.world.look, "select version from signal").await, [3]);
    }
);

both_databases!(strangers_find_no_signal, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    let before = everything(database, &scene.world.look).await;
    assert_eq!(scene.reports(&scene.other_school).await, Stepped::Unknown);
    assert_eq!(scene.accepts(&scene.other_clb).await, Stepped::Unknown);
    let nothing = SignalId(uuid::Uuid::from_u128(1));
    for (actor, track) in [
        (&scene.client, Track::Report),
        (&scene.worker, Track::Accept),
        (&scene.other_school, Track::Report),
    ] {
        let answer = scene.try_step(actor, nothing, track, None).await.unwrap();
        assert_eq!(answer, Stepped::Unknown);
    }
    // A scope of one track on the other is a bug of the caller.
    let scope = scene.world.decided(scene.client.clone(), Action::ReportSignal).await;
    let new = NewStep {
        signal: scene.signal().await,
        track: Track::Accept,
        version: None,
        request: uuid::Uuid::nil(),
        now: scene.world.now,
    };
    let answer = step(&scene.world.db, &scope, &*scene.world.ids, new).await;
    assert!(matches!(answer, Err(DbError::OutOfScope)), "{answer:?}");
    assert_eq!(everything(database, &scene.world.look).await, before);
});

both_databases!(
    another_version_than_the_one_read_is_told,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let signal = scene.signal().await;
        // One more half-day since it was read.
        scene.say(pm("2026-09-10"), B).await;
        let stale = scene
            .try_step(&scene.client, signal, Track::Report, Some(1))
            .await
            .unwrap();
        assert_eq!(stale, Stepped::Changed { version: 2 });
        assert_eq!(number(&scene.world.look, "select count(*) from signal_track").await, 0);
        let fresh = scene
            .try_step(&scene.client, signal, Track::Report, Some(2))
            .await
            .unwrap();
        assert!(matches!(fresh, Stepped::Done { .. }), "{fresh:?}");
    }
);

both_databases!(
    a_withdrawn_signal_takes_no_step_but_keeps_its_proof,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let (by, first) = (who(&scene.client), scene.world.now);
        let signal = scene.signal().await;
        scene.reports(&scene.client).await;
        scene.say(am("2026-09-10"), Reading::Absent(Code::Z)).await;
        assert_eq!(scene.reports(&scene.manager).await, Stepped::Already { by, at: first });
        assert_eq!(scene.accepts(&scene.worker).await, Stepped::Withdrawn);

        // The next generation is another signal: it is reported on its own.
        scene.say(am("2026-09-10"), B).await;
        assert_ne!(scene.signal().await, signal);
        assert!(matches!(scene.reports(&scene.client).await, Stepped::Done { .. }));
        assert!(matches!(scene.accepts(&scene.worker).await, Stepped::Done { .. }));
        assert_eq!(number(&scene.world.look, "select count(*) from signal_track").await, 3);
    }
);

both_databases!(
    two_of_one_party_at_once_leave_one_proof,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let answers = join(scene.reports(&scene.client), scene.reports(&scene.manager)).await;
        let answers: [Stepped; 2] = answers.into();
        let done = answers.iter().filter(|one| matches!(one, Stepped::Done { .. })).count();
        let already = answers
            .iter()
            .filter(|one| matches!(one, Stepped::Already { .. }))
            .count();
        assert_eq!((done, already), (1, 1), "{answers:?}");
        let told = scene.told().await;
        assert_eq!(told, ["signal.raised", "signal.reported"]);
    }
);

// Rights follow relations at once: the school that the pupil left cannot report any more, its last CLB can
// still take it up.
both_databases!(
    who_left_is_no_longer_reported_by_the_school,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let gone = PupilSaid {
            gone: true,
            ..PupilSaid::default()
        };
        scene.world.roster(scene.school, &[("a", gone)]).await;
        assert_eq!(scene.reports(&scene.client).await, Stepped::Unknown);
        assert!(matches!(scene.accepts(&scene.worker).await, Stepped::Done { .. }));
    }
);
