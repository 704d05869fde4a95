//! What `doctor` says of a live source: in plain words, in time, and nothing of what stands in it (issue 3 point 9, R54).

use std::time::Duration;

use clb_hub::sync::look::Line;
use clb_hub::sync::pull::LiveSource;
use hub_connectors::contract::Connector;
use hub_connectors::fake::Trouble;
use hub_connectors::live::Systems;
use hub_entities::category::{Categories, Category};
use hub_entities::time::brussels_day;
use secrecy::SecretString;

use crate::support::database::{TestDatabase, both_databases};
use crate::support::tenant::{CODE, Scene, http, platform};
use crate::support::world::World;

const SCHOOL: &str = "123456";
const NOW: &str = "2026-10-01T10:00:00Z";

async fn scene(database: &TestDatabase, agreed: Categories) -> Scene {
    let world = World::new(database, NOW).await;
    let today = brussels_day(world.now).to_string();
    Scene::of(world, SCHOOL, agreed, platform(SCHOOL, &today, 0..3)).await
}

async fn look(scene: &Scene, source: &LiveSource, connector: &dyn Connector, within: Duration) -> Vec<Line> {
    scene.sync(|_, _| {}).look(source, Ok(connector), within).await.unwrap()
}

/// More than a healthy source needs on a busy machine.
const LONG: Duration = Duration::from_secs(30);

both_databases!(a_sick_source_holds_nobody_up, async |database: &TestDatabase| {
    let scene = scene(database, Categories::default_agreement()).await;
    let source = scene.live_at(&scene.tenant.url()).await;
    for trouble in [
        Trouble::Late(Duration::from_mins(5)),
        Trouble::Stall,
        Trouble::Endless,
        Trouble::Flood,
    ] {
        scene.tenant.site.from(1, trouble);
        let looked = look(&scene, &source, scene.tenant.connector(), Duration::from_millis(50));
        let told = tokio::time::timeout(Duration::from_secs(15), looked).await;
        let told = told.expect("it waits for a source that does not answer");
        assert!(told[0].is_err(), "{trouble:?}: {told:?}");
        // What the hub knows itself is told all the same.
        assert!(told.contains(&Ok("pulled: roster and absences".to_owned())), "{told:?}");
    }
    scene.tenant.site.from(1, Trouble::Late(Duration::from_mins(5)));
    let told = look(&scene, &source, scene.tenant.connector(), Duration::from_millis(50)).await;
    let slow = "the source did not answer: it is too slow to be asked what it can do; it is tried again by itself";
    assert_eq!(told[0], Err(slow.to_owned()));
});

// Well or ill, with a password in its address or without: no secret, no address, no person.
both_databases!(nothing_of_a_source_is_repeated, async |database: &TestDatabase| {
    let scene = scene(database, Categories::default_agreement()).await;
    scene.pull_all().await;
    let url = scene.tenant.url();
    let with_password = url.replace("http://", "http://naam:canary-password@");
    let systems = Systems::new(http(), std::sync::Arc::new(|_| Some(SecretString::from(CODE))));
    let source = scene.live_at(&with_password).await;
    let mut told = match systems.connect(&source.live) {
        Ok(connector) => look(&scene, &source, &*connector, LONG).await,
        Err(fault) => vec![Err(fault.to_string())],
    };
    let source = scene.live_at(&url).await;
    let well = look(&scene, &source, scene.tenant.connector(), LONG).await;
    assert!(well.iter().all(Result::is_ok) && well.len() > 8, "{well:?}");
    told.extend(well);
    for trouble in Trouble::ALL {
        scene.tenant.site.from(1, trouble);
        let lines = look(&scene, &source, scene.tenant.connector(), Duration::from_millis(200)).await;
        assert!(lines[0].is_err(), "{trouble:?}: {lines:?}");
        told.extend(lines);
    }
    let told = format!("{told:?}");
    for secret in [CODE, "canary", "127.0.0.1", "Webservices", "naam", "Leerling", "pupil."] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
});

both_databases!(what_must_be_agreed_is_said, async |database: &TestDatabase| {
    let scene = scene(database, Categories::NONE.with(Category::Identity)).await;
    let source = scene.live_at(&scene.tenant.url()).await;
    let told = look(&scene, &source, scene.tenant.connector(), LONG).await;
    let wrong: Vec<&String> = told.iter().filter_map(|line| line.as_ref().err()).collect();
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(wrong[0].starts_with("absences are to be pulled, and no agreement in force lists truancy"));
    let kept = "kept as agreed: identity; dropped: birth address contact enrolment truancy language attendance \
                nationalNumber";
    assert!(told.contains(&Ok(kept.to_owned())), "{told:?}");
    // Not this school's tenant, and what it cannot bring.
    let mut other = source.clone();
    other.school = "654321".to_owned();
    let told = look(&scene, &other, scene.tenant.connector(), LONG).await;
    let named = |line: &Line| matches!(line, Err(text) if text.starts_with("it names other schools and not this one"));
    assert!(told.iter().any(named), "{told:?}");
    let roster_alone = r#"{"pulls":["absences"],"secret":"s","system":{"oneroster":{"url":"https://school.example/v1p1",
        "token":{"token_url":"https://school.example/token","client_id":"hub"}}}}"#;
    other.live = serde_json::from_str(roster_alone).unwrap();
    let told = look(&scene, &other, scene.tenant.connector(), LONG).await;
    let cannot = |line: &Line| matches!(line, Err(text) if text.starts_with("absences cannot be pulled"));
    assert!(told.iter().any(cannot), "{told:?}");
});
