//! Agreements: both parties must want one, either may end it, and pupils follow in the same transaction.

use clb_hub::store::agreement::{Decided, Proposal, decide, end, propose};
use clb_hub::store::relations::sign_in;
use clb_hub::store::{Db, DbError};
use futures::future::join;
use hub_entities::agreement::{AgreementState, Model, Party};
use hub_entities::category::{Categories, Category};
use hub_entities::id::{AgreementId, ClbId, Ids};
use hub_entities::operation::{Actor, Operation, Role};
use hub_entities::policy::{self, Action, Decision, Reach, Scope};

use crate::support::database::{TestDatabase, both_databases};
use crate::support::look::{everything, list, meddle};
use crate::support::world::{School, World, at, born, day};

/// A school with one pupil and no agreement, a CLB, someone who decides for each, and a stranger to both.
struct Scene {
    world: World,
    school: School,
    clb: ClbId,
    manager: Actor,
    director: Actor,
    strangers: [Actor; 2],
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        let world = World::new(database, "2026-10-07T10:00:00Z").await;
        let (clb, other) = (world.clb("114711").await, world.clb("114728").await);
        let school = world.school_alone("111111").await;
        let neighbour = world.school("222222", other, Categories::all()).await;
        world.roster(school, &[("a", born("2012-05-01"))]).await;
        let manager = world.someone(Role::SchoolDataManager, Some(school.id), None).await;
        let director = world.someone(Role::ClbDirector, None, Some(clb)).await;
        let strangers = [
            world.someone(Role::SchoolDataManager, Some(neighbour.id), None).await,
            world.someone(Role::ClbDirector, None, Some(other)).await,
        ];
        Self {
            world,
            school,
            clb,
            manager,
            director,
            strangers,
        }
    }

    async fn scope(&self, actor: &Actor) -> Scope {
        self.world.decided(actor.clone(), Action::DecideAgreement).await
    }

    fn proposal(&self, categories: Categories, begins: &str) -> Proposal {
        Proposal {
            id: AgreementId(self.world.ids.next(self.world.now)),
            clb: Some(self.clb),
            school: Some(self.school.id),
            categories,
            ground: None,
            begins_on: day(begins),
            school_first_days: 0,
            early_warning: None,
            releases_to_software: false,
            now: self.world.now,
        }
    }

    /// A proposal of the school.
    async fn proposed(&self, categories: Categories, begins: &str) -> Model {
        let scope = self.scope(&self.manager).await;
        done(propose(&self.world.db, &scope, self.proposal(categories, begins)).await)
    }

    async fn decides(&self, actor: &Actor, agreement: &Model, accept: bool) -> Decided {
        let scope = self.scope(actor).await;
        let (db, ids, now) = (&self.world.db, &*self.world.ids, self.world.now);
        decide(db, &scope, ids, agreement.id, agreement.version, accept, now)
            .await
            .unwrap()
    }

    async fn ends(&self, actor: &Actor, agreement: &Model, on: &str) -> Decided {
        let scope = self.scope(actor).await;
        let (db, ids, now) = (&self.world.db, &*self.world.ids, self.world.now);
        end(db, &scope, ids, agreement.id, agreement.version, day(on), now)
            .await
            .unwrap()
    }

    /// What the director's CLB may see of the school today.
    async fn agreed(&self) -> Option<Categories> {
        match self
            .world
            .decided(self.director.clone(), Action::ReadPupils)
            .await
            .reach()
        {
            Reach::Clb { agreed, .. } => agreed.iter().find(|one| one.0 == self.school.id).map(|one| one.1),
            other => panic!("not a CLB: {other:?}"),
        }
    }

    /// The ties of the one pupil: why, from and until.
    async fn ties(&self) -> Vec<String> {
        let text = "select ground || ' ' || begins_on || ' ' || coalesce(cast(ends_on as text), '-')
                    from competence order by begins_on";
        list(&self.world.look, text).await
    }
}

/// What the director's CLB may see of the school, as the next sign-in at this replica finds it.
async fn signs_in(scene: &Scene, replica: &Db) -> Option<Option<Categories>> {
    let subject = who(&scene.director).to_string();
    let now = scene.world.now;
    let found = sign_in(replica, "https://issuer.example", &subject, now).await.unwrap();
    let (actor, relations) = found?;
    let operation = Operation {
        actor,
        purpose: None,
        now,
        request: scene.world.ids.next(now),
    };
    let decision = policy::decide(&operation, &relations, Action::ReadPupils);
    let Decision::Allowed(scope) = decision else {
        return Some(None);
    };
    let Reach::Clb { agreed, .. } = scope.reach() else {
        panic!("not a CLB")
    };
    Some(agreed.iter().find(|one| one.0 == scene.school.id).map(|one| one.1))
}

both_databases!(
    a_right_begins_and_ends_with_the_next_sign_in_everywhere,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let replicas = [database.open().await, database.open().await];
        let everywhere = async || {
            let first = signs_in(&scene, &replicas[0]).await;
            for replica in &replicas {
                // Twice: the second time nothing has changed since the first.
                assert_eq!(signs_in(&scene, replica).await, first);
                assert_eq!(signs_in(&scene, replica).await, first);
            }
            first
        };
        assert_eq!(everywhere().await, Some(None));
        let proposed = scene.proposed(default(), "2026-09-15").await;
        assert_eq!(everywhere().await, Some(None), "a proposal binds nobody");
        let accepted = match scene.decides(&scene.director, &proposed, true).await {
            Decided::Done(accepted) => accepted,
            other => panic!("not accepted: {other:?}"),
        };
        assert_eq!(everywhere().await, Some(Some(default())));
        scene.ends(&scene.manager, &accepted, "2026-10-07").await;
        assert_eq!(everywhere().await, Some(None), "an agreement that ended gives nothing");
        let ended = format!(
            "update principal set ends_at = '2026-10-07 09:00:00+00:00' where subject = '{}'",
            who(&scene.director)
        );
        assert_eq!(meddle(&scene.world.look, &ended).await, 1);
        assert_eq!(everywhere().await, None, "who has ended signs in no more");
        for replica in replicas {
            replica.close().await.unwrap();
        }
    }
);

fn done(decided: Result<Decided, DbError>) -> Model {
    match decided.unwrap() {
        Decided::Done(agreement) => agreement,
        other => panic!("not done: {other:?}"),
    }
}

fn who(actor: &Actor) -> hub_entities::id::PrincipalId {
    match actor {
        Actor::Principal { id, .. } => *id,
        other => panic!("not a principal: {other:?}"),
    }
}

fn default() -> Categories {
    Categories::default_agreement()
}

both_databases!(
    an_agreement_is_proposed_accepted_and_ended,
    async |database: &TestDatabase| {
        let mut scene = Scene::new(database).await;
        let proposed = scene.proposed(default(), "2026-09-15").await;
        assert_eq!((proposed.state, proposed.version), (AgreementState::Proposed, 1));
        assert_eq!(
            (proposed.proposed_for, proposed.proposed_by),
            (Party::School, Some(who(&scene.manager)))
        );
        assert_eq!(scene.agreed().await, None, "a proposal binds nobody");
        assert!(scene.ties().await.is_empty());

        let own = scene.decides(&scene.manager, &proposed, true).await;
        assert!(
            matches!(own, Decided::NotPossible(_)),
            "one cannot accept for the other: {own:?}"
        );
        let accepted = done(Ok(scene.decides(&scene.director, &proposed, true).await));
        assert_eq!((accepted.state, accepted.version), (AgreementState::Accepted, 2));
        assert_eq!(
            (accepted.decided_by, accepted.decided_at),
            (Some(who(&scene.director)), Some(scene.world.now))
        );
        assert_eq!(scene.agreed().await, Some(default()));
        // The pupil was there before the agreement: its CLB follows in the same transaction.
        assert_eq!(scene.ties().await, ["enrolment 2026-09-15 -"]);

        let past = scene.ends(&scene.director, &accepted, "2026-10-06").await;
        assert!(matches!(past, Decided::NotPossible(_)), "{past:?}");
        let ended = done(Ok(scene.ends(&scene.manager, &accepted, "2026-11-01").await));
        assert_eq!((ended.state, ended.version), (AgreementState::Ended, 3));
        assert_eq!(
            (ended.ended_by, ended.ends_on),
            (Some(who(&scene.manager)), Some(day("2026-11-01")))
        );
        assert_eq!(
            scene.ties().await,
            ["enrolment 2026-09-15 2026-11-01", "last_enrolment 2026-11-01 -"]
        );
        assert_eq!(scene.agreed().await, Some(default()), "until that day it holds");
        scene.world.now = at("2026-10-31T23:00:00Z");
        assert_eq!(scene.agreed().await, None);
        let again = scene.ends(&scene.manager, &ended, "2026-12-01").await;
        assert!(matches!(again, Decided::NotPossible(_)), "{again:?}");
    }
);

both_databases!(
    the_clb_may_propose_and_the_school_refuse,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let scope = scene.scope(&scene.director).await;
        let proposed = done(propose(&scene.world.db, &scope, scene.proposal(default(), "2026-10-01")).await);
        assert_eq!(proposed.proposed_for, Party::Clb);
        let own = scene.decides(&scene.director, &proposed, true).await;
        assert!(matches!(own, Decided::NotPossible(_)), "{own:?}");
        let refused = done(Ok(scene.decides(&scene.manager, &proposed, false).await));
        assert_eq!(refused.state, AgreementState::Refused);
        let late = scene.decides(&scene.manager, &refused, true).await;
        assert!(matches!(late, Decided::NotPossible(_)), "refused is refused: {late:?}");
        let never = scene.ends(&scene.manager, &refused, "2026-11-01").await;
        assert!(matches!(never, Decided::NotPossible(_)), "{never:?}");
        assert_eq!(scene.agreed().await, None);

        // Who proposed may take it back.
        let proposed = scene.proposed(default(), "2026-10-01").await;
        let taken_back = done(Ok(scene.decides(&scene.manager, &proposed, false).await));
        assert_eq!(taken_back.state, AgreementState::Refused);
    }
);

both_databases!(strangers_find_no_agreement, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    let proposed = scene.proposed(default(), "2026-09-15").await;
    let accepted = scene.proposed(default(), "2026-09-01").await;
    let accepted = done(Ok(scene.decides(&scene.director, &accepted, true).await));
    let before = everything(database, &scene.world.look).await;
    let nowhere = Model {
        id: AgreementId(uuid::Uuid::from_u128(1)),
        ..proposed.clone()
    };
    for stranger in &scene.strangers {
        assert_eq!(scene.decides(stranger, &proposed, true).await, Decided::Unknown);
        assert_eq!(scene.decides(stranger, &proposed, false).await, Decided::Unknown);
        assert_eq!(scene.ends(stranger, &accepted, "2026-11-01").await, Decided::Unknown);
        assert_eq!(
            scene.decides(stranger, &nowhere, true).await,
            Decided::Unknown,
            "as an unknown id"
        );
    }
    let unknown_party = Proposal {
        clb: Some(ClbId(uuid::Uuid::from_u128(1))),
        ..scene.proposal(default(), "2026-09-15")
    };
    let scope = scene.scope(&scene.manager).await;
    let answer = propose(&scene.world.db, &scope, unknown_party).await.unwrap();
    assert_eq!(answer, Decided::Unknown);
    // A scope that is no party's is a bug of the caller.
    let operator = scene.world.operator().await;
    let answer = propose(&scene.world.db, &operator, scene.proposal(default(), "2026-09-15")).await;
    assert!(matches!(answer, Err(DbError::OutOfScope)), "{answer:?}");
    assert_eq!(everything(database, &scene.world.look).await, before);
});

both_databases!(one_of_two_decisions_at_once_wins, async |database: &TestDatabase| {
    let scene = Scene::new(database).await;
    for _ in 0..10 {
        let proposed = scene.proposed(default(), "2026-10-01").await;
        let answers = join(
            scene.decides(&scene.director, &proposed, true),
            scene.decides(&scene.manager, &proposed, false),
        );
        let answers: [Decided; 2] = answers.await.into();
        let won = answers.iter().filter(|one| matches!(one, Decided::Done(_))).count();
        let lost = answers
            .iter()
            .filter(|one| **one == Decided::Changed { version: 2 })
            .count();
        assert_eq!((won, lost), (1, 1), "{answers:?}");
    }
});

both_databases!(
    another_version_than_the_one_read_is_told,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let proposed = scene.proposed(default(), "2026-10-01").await;
        let accepted = done(Ok(scene.decides(&scene.director, &proposed, true).await));
        let stale = scene.decides(&scene.director, &proposed, true).await;
        assert_eq!(stale, Decided::Changed { version: 2 });
        let stale = scene.ends(&scene.director, &proposed, "2026-11-01").await;
        assert_eq!(stale, Decided::Changed { version: 2 });
        assert_eq!(accepted.version, 2);
    }
);

both_databases!(
    some_categories_need_a_written_ground,
    async |database: &TestDatabase| {
        let scene = Scene::new(database).await;
        let scope = scene.scope(&scene.manager).await;
        for category in [Category::Language, Category::Attendance, Category::NationalNumber] {
            for (ground, possible) in [
                (None, false),
                (Some(""), false),
                (Some(" \t"), false),
                (Some("zorgvraag"), true),
            ] {
                let proposal = Proposal {
                    ground: ground.map(str::to_owned),
                    ..scene.proposal(default().with(category), "2026-10-01")
                };
                let answer = propose(&scene.world.db, &scope, proposal).await.unwrap();
                assert_eq!(matches!(answer, Decided::Done(_)), possible, "{category:?} {ground:?}");
            }
        }
        let answer = propose(&scene.world.db, &scope, scene.proposal(default(), "2026-10-01"))
            .await
            .unwrap();
        assert!(matches!(answer, Decided::Done(_)));
    }
);

// The new one begins where the old one ends: the CLB stays competent without a break, with less to see.
both_databases!(a_new_agreement_replaces_the_old, async |database: &TestDatabase| {
    replaced(database, None).await;
});

// Also when the old one was to end later anyway.
both_databases!(
    a_new_agreement_replaces_one_that_is_ending,
    async |database: &TestDatabase| {
        replaced(database, Some("2026-12-31")).await;
    }
);

async fn replaced(database: &TestDatabase, old_ends: Option<&str>) {
    let mut scene = Scene::new(database).await;
    let old = scene.proposed(default(), "2026-09-01").await;
    let old = done(Ok(scene.decides(&scene.director, &old, true).await));
    if let Some(on) = old_ends {
        done(Ok(scene.ends(&scene.manager, &old, on).await));
    }
    let narrow: Categories = [Category::Identity, Category::Truancy].into_iter().collect();
    let new = scene.proposed(narrow, "2026-10-12").await;
    done(Ok(scene.decides(&scene.director, &new, true).await));

    let periods = "select state || ' ' || begins_on || ' ' || coalesce(cast(ends_on as text), '-')
                   from agreement where school_id in (select id from school where institution_number = '111111')
                   order by begins_on";
    assert_eq!(
        list::<String>(&scene.world.look, periods).await,
        ["ended 2026-09-01 2026-10-12", "accepted 2026-10-12 -"]
    );
    assert_eq!(scene.ties().await, ["enrolment 2026-09-01 -"]);
    assert_eq!(
        scene.agreed().await,
        Some(default()),
        "until its first day the old one binds"
    );
    scene.world.now = at("2026-10-12T08:00:00Z");
    assert_eq!(scene.agreed().await, Some(narrow));
}
