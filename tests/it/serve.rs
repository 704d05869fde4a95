//! The server as a process: whether it is ready, what it counts, how it stops (R48); and the doctor.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use clb_hub::store::roster::PupilSaid;
use hub_entities::category::Categories;
use hub_entities::id::PupilId;
use hub_entities::operation::{Actor, Role};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::database::{TestDatabase, both_databases};
use crate::support::look::number;
use crate::support::process::{Folder, Provider, subject};
use crate::support::world::{World, born, day};

const NAME: &str = "https://issuer.example";
const AUDIENCE: &str = "https://hub.example/graphql";

/// A school with one pupil who has been there for long, and someone of its care team.
async fn school(database: &TestDatabase) -> (World, PupilId, Actor) {
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    let clb = world.clb("114711").await;
    let school = world.school("123456", clb, Categories::default_agreement()).await;
    let said = PupilSaid {
        begins_on: Some(day("2020-09-01")),
        ..born("2012-05-01")
    };
    let pupil = world.pupils(school, &[("a", said)]).await[0].1;
    let viewer = world.someone(Role::SchoolCareTeam, Some(school.id), None).await;
    (world, pupil, viewer)
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Answered whole: status and body.
    Whole(u16, String),
    /// Not begun: the client tries again elsewhere.
    Retriable,
    /// Half an answer.
    Broken(String),
}

async fn send(address: &str, request: &str) -> Outcome {
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return Outcome::Retriable;
    };
    let mut answer = Vec::new();
    let sent = stream.write_all(request.as_bytes()).await;
    let read = stream.read_to_end(&mut answer).await;
    if answer.is_empty() {
        return Outcome::Retriable;
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let parts = answer.split_once("\r\n\r\n").and_then(|(head, body)| {
        let length = head.to_lowercase();
        let (_, length) = length.split_once("content-length: ")?;
        let length: usize = length.lines().next()?.trim().parse().ok()?;
        let status: u16 = head.split(' ').nth(1)?.parse().ok()?;
        (body.len() == length).then(|| (status, body.to_owned()))
    });
    match (sent.and(read.map(|_| ())), parts) {
        (Ok(()), Some((status, body))) => Outcome::Whole(status, body),
        _ => Outcome::Broken(answer),
    }
}

fn question(token: &str, question: &str) -> String {
    let body = json!({ "query": question }).to_string();
    format!(
        "POST /graphql HTTP/1.1\r\nhost: hub\r\nconnection: close\r\ncontent-type: application/json\r\n\
         authorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n\r\n")
}

both_databases!(a_stop_under_load_loses_nothing, async |database: &TestDatabase| {
    let (world, pupil, viewer) = school(database).await;
    let provider = Provider::new(NAME, AUDIENCE).await;
    let folder = Folder::installed(&database.url, NAME, AUDIENCE, &provider.keys);
    let serving = folder.serve(&[]);
    let token = provider.token(&subject(&viewer));
    let asked = question(&token, &format!("{{ pupil(id: \"{pupil}\") {{ givenName }} }}"));
    let whole = r#"{"data":{"pupil":{"givenName":"Test"}}}"#;

    // Eight clients ask without a pause, until a while after the server was told to stop.
    let (answered, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (address, asked) = (serving.address.clone(), asked.clone());
            let (answered, over) = (Arc::clone(&answered), Arc::clone(&over));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    match send(&address, &asked).await {
                        Outcome::Whole(200, body) if body == whole => {
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        Outcome::Retriable => tokio::task::yield_now().await,
                        other => panic!("{other:?}"),
                    }
                }
            })
        })
        .collect();
    while answered.load(Ordering::Relaxed) < 100 {
        tokio::task::yield_now().await;
    }
    serving.terminate();
    let (status, log) = tokio::task::spawn_blocking(move || serving.ended()).await.unwrap();
    over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert!(status.success(), "{log}");
    assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");
    // Whoever was answered is written down, up to the last one: nothing that was gathered is lost.
    let lines = number(&world.look, "select count(*) from access_line").await;
    assert_eq!(u64::try_from(lines).unwrap(), answered.load(Ordering::Relaxed));
});

both_databases!(
    a_server_tells_what_it_counts_and_whether_it_is_ready,
    async |database: &TestDatabase| {
        let (world, pupil, viewer) = school(database).await;
        let provider = Provider::new(NAME, AUDIENCE).await;
        let folder = Folder::installed(&database.url, NAME, AUDIENCE, &provider.keys);
        let serving = folder.serve(&[]);
        let at = &serving.address;
        assert_eq!(send(at, &get("/healthz")).await, Outcome::Whole(200, "ok\n".to_owned()));
        assert_eq!(
            send(at, &get("/readyz")).await,
            Outcome::Whole(200, "ready\n".to_owned())
        );
        let token = provider.token(&subject(&viewer));
        let asked = question(&token, &format!("{{ pupil(id: \"{pupil}\") {{ givenName }} }}"));
        assert!(matches!(send(at, &asked).await, Outcome::Whole(200, _)));
        let refused = question("no token", "{ __typename }");
        assert!(matches!(send(at, &refused).await, Outcome::Whole(401, _)));
        let limited = question(&token, "{ pupils(first: 201) { totalCount } }");
        assert!(matches!(send(at, &limited).await, Outcome::Whole(400, _)));

        let Outcome::Whole(200, metrics) = send(at, &get("/metrics")).await else {
            panic!("no metrics")
        };
        for line in [
            r#"clb_hub_requests_total{realm="school",status="2xx"} 1"#,
            r#"clb_hub_requests_total{realm="none",status="4xx"} 2"#,
            r#"clb_hub_refusals_total{reason="UNAUTHENTICATED"} 1"#,
            r#"clb_hub_refusals_total{reason="PAGE_INVALID"} 1"#,
            r#"clb_hub_request_seconds_count{realm="school"} 1"#,
        ] {
            assert!(metrics.lines().any(|one| one == line), "{line} is not in {metrics}");
        }
        assert!(
            metrics.contains(r#"clb_hub_statements_total{outcome="ok"}"#),
            "{metrics}"
        );
        assert!(metrics.contains("clb_hub_statement_seconds_count"), "{metrics}");
        // Counted without a word of who or what.
        for secret in [pupil.to_string(), subject(&viewer), "Test".to_owned(), token.clone()] {
            assert!(!metrics.contains(&secret) && !serving.log().contains(&secret));
        }

        // A schema of another version: it lives, and is not ready.
        world.db.migrate_down().await.unwrap();
        assert!(matches!(send(at, &get("/healthz")).await, Outcome::Whole(200, _)));
        let told = "the schema of the database is not the one of this version";
        assert_eq!(send(at, &get("/readyz")).await, Outcome::Whole(503, told.to_owned()));
        let Outcome::Whole(status, body) = send(at, &asked).await else {
            panic!("no answer")
        };
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (status, &body["errors"][0]["extensions"]["code"]),
            (503, &json!("UNAVAILABLE"))
        );
        world.db.migrate().await.unwrap();
        assert!(matches!(send(at, &get("/readyz")).await, Outcome::Whole(200, _)));
    }
);

both_databases!(empty the_doctor_names_what_is_wrong, async |database: &TestDatabase| {
    let folder = Folder::new();
    let doctor = |folder: &Folder, config: &str| {
        std::fs::write(folder.at("clb-hub.toml"), config).unwrap();
        let output = folder.output(&["doctor", "--config", "clb-hub.toml"]);
        let told = String::from_utf8(output.stdout).unwrap();
        let wrong: Vec<String> = told
            .lines()
            .filter_map(|line| line.strip_prefix("WRONG  "))
            .map(|line| line.split(':').next().unwrap().to_owned())
            .collect();
        assert_eq!(output.status.success(), wrong.is_empty(), "{told}");
        (wrong, told)
    };
    let here = format!("[database]\nurl = \"{}\"\n", database.url);
    let (wrong, told) = doctor(&folder, &here);
    assert_eq!(wrong, ["schema", "cursor key", "issuers"], "{told}");
    assert!(told.contains("run `clb-hub migrate`"), "{told}");
    assert!(told.contains("ok     laws"), "{told}");

    let issuer = "[issuers.acm]\nissuer = \"https://idp.example\"\naudience = \"hub\"\njwks_url = \"https://idp.example/keys\"\n";
    let with_keys = format!("{here}{issuer}[keys]\ncursor_file = \"cursor.key\"\n");
    let (wrong, told) = doctor(&folder, &with_keys);
    assert_eq!(wrong, ["schema", "cursor key"], "{told}");
    folder.run(&["keys", "--config", "clb-hub.toml"]);
    folder.run(&["migrate", "--config", "clb-hub.toml"]);
    let (wrong, told) = doctor(&folder, &with_keys);
    assert_eq!(wrong, Vec::<String>::new(), "{told}");

    // A key that others can read is none.
    let path = folder.at("cursor.key");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o440);
    std::fs::set_permissions(&path, mode).unwrap();
    let (wrong, told) = doctor(&folder, &with_keys);
    assert_eq!(wrong, ["cursor key"], "{told}");

    // A database that is not there: the others are looked at all the same, and no password is repeated.
    let gone = "[database]\nurl = \"postgres://hub:geheim@127.0.0.1:1/hub\"\n";
    let (wrong, told) = doctor(&folder, gone);
    assert_eq!(wrong, ["database", "cursor key", "issuers"], "{told}");
    assert!(!told.contains("geheim"), "{told}");
});
