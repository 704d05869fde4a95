//! From an empty folder to an answer in five commands, each the binary itself, as the README tells it.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::database::{APP, OWNER, both_databases};
use crate::support::process::{Folder, Provider};

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

both_databases!(empty five_commands_from_empty_to_serving, async |database: &TestDatabase| {
    // Not of the hub: the identity provider that an operator has already.
    let provider = Provider::new("https://authenticatie.vlaanderen.be/op", "https://hub.example/graphql").await;
    let folder = Folder::new();
    // 1. A configuration, with what is one's own filled in.
    let example = folder.run(&["schema", "config"]);
    let own = example
        .replace("address = \"127.0.0.1:4000\"", "address = \"127.0.0.1:0\"")
        .replace("sqlite://clb-hub.sqlite", &database.as_role(APP))
        .replace("# url = \"postgres://clb_hub_secrecy@host/clb_hub\"", &format!("url = \"{}\"", database.apart))
        .replace("# key_folder = \"/var/lib/clb-hub/keys\"", "key_folder = \"keys\"")
        .replace("# head_folder = \"/srv/elsewhere/clb-hub-heads\"", "head_folder = \"heads\"")
        .replace("# [issuers.acm]", "[issuers.acm]")
        .replace("# issuer =", "issuer =")
        .replace("# audience =", "audience =")
        .replace(
            "# jwks_url = \"https://authenticatie.vlaanderen.be/op/v1/keys\"",
            &format!("jwks_url = \"{}\"", provider.keys),
        )
        .replace(
            "# cursor_file = \"/run/secrets/clb-hub-cursor\"",
            "cursor_file = \"cursor.key\"",
        )
        .replace(
            "# blind_index_file = \"/run/secrets/clb-hub-blind-index\"",
            "blind_index_file = \"blind-index.key\"",
        );
    // Where the database has roles, one owns the tables and the two that serve do not.
    let own = match database.backend {
        Backend::Sqlite => own,
        Backend::Postgres => own.replace(
            "# owner_url = \"postgres://clb_hub_owner@host/clb_hub\"",
            &format!("owner_url = \"{}\"", database.as_role(OWNER)),
        ),
    };
    std::fs::write(folder.at("clb-hub.toml"), own).unwrap();
    let with = ["--config", "clb-hub.toml"];
    // 2. Its keys: made once, and never again.
    folder.run(&[&["keys"], with.as_slice()].concat());
    let key = std::fs::read(folder.at("cursor.key")).unwrap();
    let told = folder.run(&[&["keys"], with.as_slice()].concat());
    assert!(told.contains("[keys] cursor_file is there"), "{told}");
    assert_eq!((key.len(), std::fs::read(folder.at("cursor.key")).unwrap()), (32, key));
    // Before there is a schema nothing else of the database is looked into, sources least of all.
    let doctor = folder.output(&[&["doctor"], with.as_slice()].concat());
    let told = String::from_utf8(doctor.stdout).unwrap();
    assert!(told.contains("WRONG  schema: not up to date: run `clb-hub migrate`"), "{told}");
    assert!(!told.contains("sources"), "{told}");
    // 3. Its schema.
    folder.run(&[&["migrate"], with.as_slice()].concat());
    // 4. Who there is.
    let register = folder.run(&["register", "--example"]);
    std::fs::write(folder.at("register.toml"), register).unwrap();
    let dry = folder.run(&[&["register", "register.toml", "--dry-run"], with.as_slice()].concat());
    assert!(dry.starts_with("would register"), "{dry}");
    let told = folder.run(&[&["register", "register.toml"], with.as_slice()].concat());
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
            "sources 2",
            "principals 5",
            "agreements 1"
        ]
    );
    // The one thing that is left to be done: the secret of the example's source is nobody's to make.
    let doctor = folder.output(&[&["doctor"], with.as_slice()].concat());
    let told = String::from_utf8(doctor.stdout).unwrap();
    let wrong: Vec<&str> = told.lines().filter(|line| line.starts_with("WRONG")).collect();
    assert_eq!(
        wrong,
        ["WRONG  034512/smartschool: the settings of the connection are wrong: its secret is not there, or others than \
          its owner can read it; who runs the hub must put it right"]
    );
    assert!(told.contains("ok     secrecy store: apart, guarded"), "{told}");
    // 5. And it serves.
    let serving = folder.serve(&[]);
    let answer = ask(&serving.address, &provider.token("3f0e5a2c-data-manager")).await;
    assert_eq!(
        answer["data"]["viewer"]["role"],
        "SCHOOL_DATA_MANAGER",
        "{answer}: {}",
        serving.log()
    );
    assert_eq!(
        answer["data"]["schools"]["edges"][0]["node"]["institutionNumber"], "034512",
        "{answer}"
    );
});
