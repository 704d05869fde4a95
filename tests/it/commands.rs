//! From an empty folder to an answer in five commands, each the binary itself, as the README tells it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use clb_hub::auth::demo_issuer::DemoIssuer;
use clb_hub::runtime::{SystemClock, SystemIds, new_signing_key};
use hub_entities::id::Ids;
use hub_entities::time::Clock;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::database::both_databases;

/// The binary, as an operator calls it in a folder of its own.
fn clb_hub(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clb-hub"));
    command.current_dir(folder).args(arguments);
    command
}

/// Runs a command that must succeed; what it printed.
fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = clb_hub(folder, arguments).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

/// `serve` under way; stopped when it is dropped.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Serving {
    /// Starts it, and waits until it says where it listens.
    fn start(folder: &Path) -> (Self, String) {
        let mut child = clb_hub(folder, &["serve", "--config", "clb-hub.toml"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = child.stderr.take().unwrap();
        let serving = Self(child);
        for line in BufReader::new(log).lines() {
            let line = line.unwrap();
            if let Some((_, rest)) = line.split_once("127.0.0.1:") {
                let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
                return (serving, format!("127.0.0.1:{port}"));
            }
        }
        panic!("it did not say where it listens");
    }
}

async fn ask(address: &str, token: &str) -> Value {
    let body = json!({ "query": "{ viewer { role } schools(first: 5) { edges { node { institutionNumber } } } }" });
    let body = body.to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         authorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

both_databases!(five_commands_from_empty_to_serving, async |database: &TestDatabase| {
    // Not of the hub: the identity provider that an operator has already.
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let keys = format!("http://{}", listener.local_addr().unwrap());
    let name = "https://authenticatie.vlaanderen.be/op";
    let issuer = DemoIssuer::new(name, "https://hub.example/graphql", &new_signing_key().unwrap()).unwrap();
    let routes = issuer.routes();
    tokio::spawn(async move { axum::serve(listener, routes).await });

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // 1. A configuration, with what is one's own filled in.
    let example = run(folder.path(), &["schema", "config"]);
    let own = example
        .replace("address = \"127.0.0.1:4000\"", "address = \"127.0.0.1:0\"")
        .replace("sqlite://clb-hub.sqlite", &database.url)
        .replace("# [issuers.acm]", "[issuers.acm]")
        .replace("# issuer =", "issuer =")
        .replace("# audience =", "audience =")
        .replace(
            "# jwks_url = \"https://authenticatie.vlaanderen.be/op/v1/keys\"",
            &format!("jwks_url = \"{keys}/jwks\""),
        )
        .replace(
            "# cursor_file = \"/run/secrets/clb-hub-cursor\"",
            "cursor_file = \"cursor.key\"",
        )
        .replace(
            "# blind_index_file = \"/run/secrets/clb-hub-blind-index\"",
            "blind_index_file = \"blind-index.key\"",
        );
    std::fs::write(at("clb-hub.toml"), own).unwrap();
    let with = ["--config", "clb-hub.toml"];
    // 2. Its keys: made once, and never again.
    run(folder.path(), &[&["keys"], with.as_slice()].concat());
    let key = std::fs::read(at("cursor.key")).unwrap();
    let told = run(folder.path(), &[&["keys"], with.as_slice()].concat());
    assert!(told.contains("[keys] cursor_file is there"), "{told}");
    assert_eq!((key.len(), std::fs::read(at("cursor.key")).unwrap()), (32, key));
    // 3. Its schema.
    run(folder.path(), &[&["migrate"], with.as_slice()].concat());
    // 4. Who there is.
    let register = run(folder.path(), &["register", "--example"]);
    std::fs::write(at("register.toml"), register).unwrap();
    let dry = run(
        folder.path(),
        &[&["register", "register.toml", "--dry-run"], with.as_slice()].concat(),
    );
    assert!(dry.starts_with("would register"), "{dry}");
    let told = run(
        folder.path(),
        &[&["register", "register.toml"], with.as_slice()].concat(),
    );
    let counted: Vec<String> = told
        .lines()
        .map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        counted,
        [
            "registered",
            "CLBs 1",
            "schools 1",
            "sources 1",
            "principals 5",
            "agreements 1"
        ]
    );
    // Nothing is left to be done.
    run(folder.path(), &[&["doctor"], with.as_slice()].concat());
    // 5. And it serves.
    let (_serving, address) = Serving::start(folder.path());
    let now = SystemClock.now();
    let id = SystemIds::new().unwrap().next(now);
    let token = issuer.mint("3f0e5a2c-data-manager", now, id).unwrap();
    let answer = ask(&address, &token).await;
    assert_eq!(answer["data"]["viewer"]["role"], "SCHOOL_DATA_MANAGER", "{answer}");
    assert_eq!(
        answer["data"]["schools"]["edges"][0]["node"]["institutionNumber"], "034512",
        "{answer}"
    );
});
