//! What an operator registers: once, again, changed, faulty; and who may sign an agreement.

use std::collections::BTreeSet;
use std::sync::Arc;

use clb_hub::register::{Count, EXAMPLE, File, Outcome, Register, RegisterError};
use hub_entities::time::FixedClock;

use crate::support::database::both_databases;
use crate::support::look::number;
use crate::support::world::{World, at, born};

async fn register(world: &World) -> Register {
    let clock = Arc::new(FixedClock(world.now));
    Register::open(&world.db, clock, world.ids.clone()).await.unwrap()
}

async fn apply(world: &World, text: &str) -> Result<Outcome, String> {
    let file = File::parse(text).map_err(|faults| faults.to_string())?;
    let applied = register(world).await.apply(&file, false).await;
    applied.map_err(|error| match error {
        RegisterError::Faulty(faults) => faults.to_string(),
        RegisterError::Store(fault) => panic!("{fault}"),
    })
}

/// How many rows each table of the register has.
async fn rows(world: &World) -> [i64; 5] {
    let mut found = [0; 5];
    for (at, table) in ["clb", "school", "source", "principal", "agreement"].iter().enumerate() {
        found[at] = number(&world.look, &format!("select count(*) from {table}")).await;
    }
    found
}

fn all(count: fn(u32) -> Count) -> Outcome {
    Outcome {
        clbs: count(1),
        schools: count(1),
        sources: count(2),
        principals: count(5),
        agreements: count(1),
        recount: BTreeSet::new(),
    }
}

const fn new(new: u32) -> Count {
    Count {
        new,
        changed: 0,
        unchanged: 0,
    }
}

const fn unchanged(unchanged: u32) -> Count {
    Count {
        new: 0,
        changed: 0,
        unchanged,
    }
}

both_databases!(registering_twice_changes_nothing, async |database: &TestDatabase| {
    let mut world = World::new(database, "2026-10-01T10:00:00Z").await;
    assert_eq!(apply(&world, EXAMPLE).await, Ok(all(new)));
    assert_eq!(rows(&world).await, [1, 1, 2, 5, 1]);
    world.now = at("2026-10-02T10:00:00Z");
    assert_eq!(apply(&world, EXAMPLE).await, Ok(all(unchanged)));

    let other = EXAMPLE.replace("Basisschool Voorbeeld", "Basisschool Anders");
    let outcome = apply(&world, &other).await.unwrap();
    assert_eq!((outcome.schools.changed, outcome.clbs.unchanged), (1, 1));
    let renamed = "select count(*) from school where name = 'Basisschool Anders'";
    assert_eq!(number(&world.look, renamed).await, 1);
    assert_eq!(rows(&world).await, [1, 1, 2, 5, 1]);
    // Both who signed stand in the agreement.
    let signed = "select count(*) from agreement a join principal s on s.id = a.proposed_by
        join principal c on c.id = a.decided_by
        where s.role = 'school_data_manager' and c.role = 'clb_director'";
    assert_eq!(number(&world.look, signed).await, 1);
});

both_databases!(other_days_off_ask_for_another_count, async |database: &TestDatabase| {
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    apply(&world, EXAMPLE).await.unwrap();
    let with = |days: &str| {
        let text = EXAMPLE.replace("days_off = [2026-10-12, 2027-01-29]", &format!("days_off = [{days}]"));
        assert_ne!(text, EXAMPLE);
        text
    };
    // One goes, one comes, one stays; each in its own school year.
    let outcome = apply(&world, &with("2026-10-12, 2027-09-27")).await.unwrap();
    let years: Vec<i16> = outcome.recount.iter().map(|(_, year)| year.0).collect();
    assert_eq!(years, [2026, 2027]);
    let again = apply(&world, &with("2026-10-12, 2027-09-27")).await.unwrap();
    assert_eq!(again.recount, BTreeSet::new());
});

both_databases!(a_dry_run_changes_nothing, async |database: &TestDatabase| {
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    let file = File::parse(EXAMPLE).unwrap();
    let outcome = register(&world).await.apply(&file, true).await.unwrap();
    assert_eq!(outcome, all(new));
    assert_eq!(rows(&world).await, [0; 5]);
});

both_databases!(a_faulty_file_changes_nothing, async |database: &TestDatabase| {
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    let strangers = EXAMPLE.replacen("[[source]]\nschool = \"034512\"", "[[source]]\nschool = \"034513\"", 1);
    let told = apply(&world, &strangers).await.unwrap_err();
    assert_eq!(
        told,
        "line 21: [[source]] school no school is registered with this number"
    );
    assert_eq!(rows(&world).await, [0; 5], "what stood before the fault is not there");
});

both_databases!(two_sources_never_pull_the_same, async |database: &TestDatabase| {
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    let begin = EXAMPLE
        .find("[[source]]\nschool = \"034512\"\nname = \"smartschool\"")
        .unwrap();
    let end = EXAMPLE.find("# Who may sign in").unwrap();
    let second = EXAMPLE[begin..end].replace("\"smartschool\"\nletters", "\"other\"\nletters");
    let told = apply(&world, &format!("{EXAMPLE}\n{second}")).await.unwrap_err();
    let rule = "another source of this school pulls the same; say what each of them `pulls`";
    assert!(told.ends_with(rule), "{told}");
    let roster = second.replace("[\"absences\"]", "[\"roster\"]");
    let outcome = apply(&world, &format!("{EXAMPLE}\n{roster}")).await.unwrap();
    assert_eq!(outcome.sources.new, 3);
});

// The register is the operator's, an agreement is not: each party signs by someone who could have accepted it by
// mutation.
both_databases!(nobody_signs_for_another, async |database: &TestDatabase| {
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    let signed =
        "signed_for_clb = { issuer = \"https://authenticatie.vlaanderen.be/op\", subject = \"9b1c77d4-director\" }";
    for subject in ["51aa0e9f-worker", "operator", "school-package", "nobody"] {
        let forged = EXAMPLE.replace(signed, &signed.replace("9b1c77d4-director", subject));
        assert_ne!(forged, EXAMPLE);
        let told = apply(&world, &forged).await.unwrap_err();
        assert!(
            told.contains("signed_for_clb names no principal who may sign today"),
            "{subject}: {told}"
        );
    }
    // One who may sign, but for the other party.
    let forged = EXAMPLE.replace(signed, &signed.replace("9b1c77d4-director", "3f0e5a2c-data-manager"));
    let told = apply(&world, &forged).await.unwrap_err();
    assert!(told.contains("who signed acts for another than the party"), "{told}");
    // One who may not sign any more.
    let ended = EXAMPLE.replace(
        "role = \"clb_director\"",
        "role = \"clb_director\"\nbegins_on = 2025-09-01\nends_on = 2026-09-01",
    );
    let told = apply(&world, &ended).await.unwrap_err();
    assert!(
        told.contains("signed_for_clb names no principal who may sign today"),
        "{told}"
    );
    assert_eq!(rows(&world).await, [0; 5]);
});

both_databases!(
    an_agreement_is_not_changed_by_a_file,
    async |database: &TestDatabase| {
        let world = World::new(database, "2026-10-01T10:00:00Z").await;
        apply(&world, EXAMPLE).await.unwrap();
        let wider = EXAMPLE.replace(
            "\"truancy\", \"language\"]",
            "\"truancy\", \"language\", \"attendance\"]",
        );
        let later = EXAMPLE.replace("begins_on = 2026-09-01\n# For how", "begins_on = 2026-10-05\n# For how");
        for other in [wider, later] {
            assert_ne!(other, EXAMPLE);
            let told = apply(&world, &other).await.unwrap_err();
            assert!(told.contains("they change it themselves, over GraphQL"), "{told}");
        }
        assert_eq!(rows(&world).await[4], 1);
    }
);

both_databases!(
    a_principal_keeps_its_role_and_its_end,
    async |database: &TestDatabase| {
        let mut world = World::new(database, "2026-10-01T10:00:00Z").await;
        apply(&world, EXAMPLE).await.unwrap();
        let other_role = EXAMPLE
            .replace("role = \"clb_worker\"", "role = \"clb_administration\"")
            .replace("discipline = \"social_worker\"\n", "");
        let told = apply(&world, &other_role).await.unwrap_err();
        assert!(
            told.contains("[[principal]] role this principal acts in another role"),
            "{told}"
        );

        let ended = EXAMPLE.replace("ends_on = 2027-09-01", "ends_on = 2026-10-02");
        assert_eq!(apply(&world, &ended).await.unwrap().principals.changed, 1);
        world.now = at("2026-10-03T10:00:00Z");
        let told = apply(&world, EXAMPLE).await.unwrap_err();
        assert!(
            told.contains("[[principal]] ends_on this principal has ended, and stays so"),
            "{told}"
        );
        // A file that says nothing of an end takes none away.
        let silent = EXAMPLE.replace("ends_on = 2027-09-01\n", "");
        assert_eq!(apply(&world, &silent).await, Ok(all(unchanged)));
    }
);

// A CLB that comes to serve a school whose pupils are in already is competent for them at once.
both_databases!(pupils_who_are_in_get_their_clb, async |database: &TestDatabase| {
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    let other = world.clb("114712").await;
    let only = EXAMPLE.split("[[agreement]]").next().unwrap();
    apply(&world, only).await.unwrap();
    let connection = register(&world)
        .await
        .find_source("034512", "files")
        .await
        .unwrap()
        .unwrap();
    let school = crate::support::world::School {
        id: connection.school_id,
        source: connection.id,
    };
    world
        .signed(school, other, hub_entities::category::Categories::all(), "2026-09-01")
        .await;
    world.pupils(school, &[("a", born("2012-05-01"))]).await;
    assert_eq!(number(&world.look, "select count(*) from competence").await, 1);
    apply(&world, EXAMPLE).await.unwrap();
    assert_eq!(number(&world.look, "select count(*) from competence").await, 2);
});
