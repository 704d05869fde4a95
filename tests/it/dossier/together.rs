//! Those who ask for a dossier at the same moment have their relations read on one way, and each learns its own.

use clb_hub::store::relations;
use clb_hub::store::secret::ties::{self, Asker};
use futures::future::{join, join_all};
use hub_entities::id::PupilId;
use hub_entities::law::Laws;
use hub_entities::operation::{Actor, Discipline, Operation};
use hub_entities::policy::secret::Facts;
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};

use super::{FROM_NOW, GUIDANCE, Staff, assign_post, id_of};
use crate::support::database::both_databases;
use crate::support::town::Town;

/// What each is decided on, by hand: the first CLB has Ada, Bo and Cas, the second Cas and Dre; anchor and nurse are posted at
/// the school of Ada and Bo. All were born in 2012, so each decides itself.
const ANCHOR: &str = "decides=pupil discipline=social_worker competent post=anchor";
const NURSE: &str = "decides=pupil discipline=nurse competent post=nurse";
const AWAY: &str = "decides=pupil discipline=social_worker competent";
const PSYCHOLOGIST: &str = "decides=pupil discipline=psychologist competent";
const DOCTOR: &str = "decides=pupil discipline=doctor competent";
const OF_NOBODY: [&str; 2] = [
    "decides=unknown discipline=social_worker",
    "decides=unknown discipline=doctor",
];

both_databases!(
    who_asks_at_the_same_moment_learns_ones_own,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let staff = Staff::anchored(&town).await;
        let nurse = assign_post(&staff.nurse, &town, "NURSE", FROM_NOW);
        town.ask_for(&staff.director, None, true, &nurse).await;
        town.world.keeps_dossiers(town.second).await;
        let doctor = town.world.worker(town.second, Discipline::Doctor).await;
        let asked: [(&Actor, PupilId, &str); 10] = [
            (&staff.anchor, town.ada, ANCHOR),
            (&doctor, town.ada, OF_NOBODY[1]),
            (&staff.psychologist, town.ada, PSYCHOLOGIST),
            (&staff.anchor, town.dre, OF_NOBODY[0]),
            (&doctor, town.dre, DOCTOR),
            (&staff.anchor, town.cas, AWAY),
            (&staff.nurse, town.bo, NURSE),
            (&doctor, town.cas, DOCTOR),
            (&staff.anchor, town.bo, ANCHOR),
            (&staff.nurse, town.ada, NURSE),
        ];
        let db = &town.world.db;
        let laws = Laws::embedded().unwrap();
        let before = db.statements();
        let (town, doctor, laws) = (&town, &doctor, &laws);
        let loaded = asked.map(|(viewer, pupil, _)| async move {
            let asker = Asker {
                principal: id_of(viewer),
                clb: if viewer == doctor { town.second } else { town.first },
                day: town.world.now.date_naive(),
                now: town.world.now,
            };
            let (ties, _) = ties::load(db, &town.secrets, laws.consent(), asker, &[pupil])
                .await
                .unwrap();
            ties
        });
        // The first way ends only when all have come.
        let held = town.world.look.begin().await.unwrap();
        if database.backend == Backend::Postgres {
            held.execute_unprepared("lock table competence").await.unwrap();
        }
        let (loaded, released) = join(join_all(loaded), held.commit()).await;
        released.unwrap();
        let ways = db.statements() - before;
        // SQLite has no way that could be spared.
        assert!(if database.backend == Backend::Postgres {
            ways <= 2
        } else {
            ways == 10
        });
        for ((viewer, _, expected), ties) in asked.iter().zip(&loaded) {
            let operation = Operation {
                actor: (*viewer).clone(),
                purpose: GUIDANCE,
                now: town.world.now,
                request: uuid::Uuid::nil(),
            };
            let relations = relations::load(db, &operation).await.unwrap();
            let facts = Facts::of(&operation, &relations, &ties[0]).unwrap();
            assert_eq!(facts.to_string(), *expected);
        }
    }
);
