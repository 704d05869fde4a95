//! Evidence: exactly the half-days that count, each reader its own. The dates are written by hand from the
//! calendar of 2026-2027: 1 September is a Tuesday, 5 September a Saturday.

use std::collections::BTreeMap;

use clb_hub::store::read::absence::{evidence, tallies};
use clb_hub::store::roster::PupilSaid;
use hub_entities::absence::code::Code;
use hub_entities::absence::letters::Reading;
use hub_entities::category::{Categories, Category};
use hub_entities::id::PupilId;
use hub_entities::operation::Role;
use hub_entities::policy::{Action, Scope};
use hub_entities::time::{HalfDay, SchoolYear};

use crate::support::database::{TestDatabase, both_databases};
use crate::support::look::meddle;
use crate::support::world::{School, World, am, born, pm};

const B: Reading = Reading::Absent(Code::B);
const Z: Reading = Reading::Absent(Code::Z);
const YEAR: SchoolYear = SchoolYear(2026);

/// A school of each of two CLBs, and who reads for them.
struct Two {
    world: World,
    lime: School,
    elm: School,
    of_lime: Scope,
    of_elm: Scope,
    clb_of_lime: Scope,
    clb_of_elm: Scope,
}

async fn two(database: &TestDatabase) -> Two {
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    let (one, other) = (world.clb("114711").await, world.clb("114728").await);
    let lime = world.school("123456", one, Categories::all()).await;
    let elm = world.school("123458", other, Categories::default_agreement()).await;
    let reader = async |role, school, clb| {
        let actor = world.someone(role, school, clb).await;
        world.decided(actor, Action::ReadPupils).await
    };
    let of_lime = reader(Role::SchoolCareTeam, Some(lime.id), None).await;
    let of_elm = reader(Role::SchoolCareTeam, Some(elm.id), None).await;
    let clb_of_lime = reader(Role::ClbWorker, None, Some(one)).await;
    let clb_of_elm = reader(Role::ClbWorker, None, Some(other)).await;
    Two {
        world,
        lime,
        elm,
        of_lime,
        of_elm,
        clb_of_lime,
        clb_of_elm,
    }
}

impl Two {
    async fn dated(&self, scope: &Scope, of: PupilId) -> Option<Vec<HalfDay>> {
        let found = evidence(&self.world.db, scope, &self.world.book, &[of], YEAR).await;
        found.unwrap().remove(&of)
    }

    async fn count(&self, scope: &Scope, of: PupilId) -> i32 {
        let found = tallies(&self.world.db, scope, &[of], YEAR).await.unwrap();
        found.get(&of).map_or(0, |tally| tally.half_days)
    }
}

/// The same pupil at both schools.
fn twin() -> PupilSaid {
    PupilSaid {
        national_index: Some(vec![9; 32]),
        ..born("2012-05-01")
    }
}

both_databases!(
    only_what_counts_is_shown_and_to_each_its_own,
    async |database: &TestDatabase| {
        let t = two(database).await;
        let at_lime = t.world.pupils(t.lime, &[("t", twin())]).await[0];
        let at_elm = t.world.pupils(t.elm, &[("t", twin())]).await[0];
        assert_eq!(at_lime.1, at_elm.1, "one pupil");
        let text = "update school set days_off = '[\"2026-09-07\"]' where institution_number = '123456'";
        assert_eq!(meddle(&t.world.look, text).await, 1);
        let said = [
            (am("2026-09-01"), B),
            (pm("2026-09-01"), B),
            // Wednesday afternoon and Saturday: no lessons.
            (pm("2026-09-02"), B),
            (am("2026-09-05"), B),
            // A day that lime had off, and elm did not.
            (am("2026-09-07"), B),
            // Of this elm says Z.
            (am("2026-09-08"), B),
            (am("2026-09-09"), Reading::Unresolved),
            (am("2026-09-14"), Z),
        ];
        t.world
            .say(t.lime, &said.map(|(at, reading)| (at_lime.0, at, reading)))
            .await;
        // What elm says of 8 September is kept with the agreement that it has for it.
        let everything = t.world.clb("114799").await;
        t.world.signed(t.elm, everything, Categories::all(), "2020-09-01").await;
        let said = [
            (am("2026-09-01"), B),
            (am("2026-09-07"), B),
            (am("2026-09-08"), Z),
            (am("2026-09-10"), B),
        ];
        t.world
            .say(t.elm, &said.map(|(at, reading)| (at_elm.0, at, reading)))
            .await;

        let lime = Some(vec![am("2026-09-01"), pm("2026-09-01")]);
        let elm = Some(vec![am("2026-09-01"), am("2026-09-07"), am("2026-09-10")]);
        for (who, scope, expected) in [
            ("lime", &t.of_lime, &lime),
            ("the CLB of lime", &t.clb_of_lime, &lime),
            ("elm", &t.of_elm, &elm),
            ("the CLB of elm", &t.clb_of_elm, &elm),
        ] {
            assert_eq!(&t.dated(scope, at_lime.1).await, expected, "{who}");
            assert_eq!(t.count(scope, at_lime.1).await, 4, "{who}");
        }
    }
);

both_databases!(who_may_not_read_is_told_nothing, async |database: &TestDatabase| {
    let t = two(database).await;
    let (record, pupil) = t.world.pupils(t.lime, &[("a", born("2012-05-01"))]).await[0];
    t.world.say(t.lime, &[(record, am("2026-09-01"), B)]).await;
    assert_eq!(t.dated(&t.of_lime, pupil).await, Some(vec![am("2026-09-01")]));
    // No relation: as if the pupil did not exist.
    for scope in [&t.of_elm, &t.clb_of_elm] {
        assert_eq!(t.dated(scope, pupil).await, None);
    }
    // A relation, and `truancy` not agreed.
    let little = Categories::NONE.with(Category::Identity).with(Category::Enrolment);
    let text = format!("update agreement set categories = {}", little.bits());
    meddle(&t.world.look, &text).await;
    let actor = t.world.clb("114711").await;
    let worker = t.world.someone(Role::ClbWorker, None, Some(actor)).await;
    let scope = t.world.decided(worker, Action::ReadPupils).await;
    assert_eq!(t.dated(&scope, pupil).await, None);
});

both_databases!(
    half_days_of_who_is_of_age_are_no_evidence,
    async |database: &TestDatabase| {
        let t = two(database).await;
        // Eighteen since May: school attendance is not compulsory any more (domain facts §2.2).
        let pupils = [("a", born("2008-05-01")), ("b", born("2012-05-01"))];
        let pupils = t.world.pupils(t.lime, &pupils).await;
        let said: Vec<_> = pupils
            .iter()
            .map(|(record, _)| (*record, am("2026-09-01"), B))
            .collect();
        t.world.say(t.lime, &said).await;
        let of: Vec<PupilId> = pupils.iter().map(|(_, pupil)| *pupil).collect();
        let found = evidence(&t.world.db, &t.of_lime, &t.world.book, &of, YEAR).await;
        let expected = BTreeMap::from([(of[0], vec![]), (of[1], vec![am("2026-09-01")])]);
        assert_eq!(found.unwrap(), expected);
    }
);
