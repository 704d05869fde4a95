//! What is logged at the lowest level, what is counted, and the spans as a collector of OTLP receives them from the binary:
//! they arrive, and carry nobody's data and no words of a question (R61).

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use clb_hub::store::roster::PupilSaid;
use hub_entities::category::Categories;
use hub_entities::operation::Role;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::support::database::both_databases;
use crate::support::look::number;
use crate::support::package::Package;
use crate::support::process::{Folder, Provider, subject};
use crate::support::world::{World, born, day};

const NAME: &str = "https://issuer.example";
const AUDIENCE: &str = "https://hub.example/graphql";

/// What a collector was sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<u8>>>);

impl Collector {
    /// One that listens; its address.
    async fn new() -> (Self, String) {
        let collector = Self::default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let kept = collector.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = kept.clone();
                tokio::spawn(async move { while_kept(stream, &kept).await });
            }
        });
        (collector, address)
    }

    /// Everything, as the bytes of one message: that is what messages of protobuf behind each other are.
    fn received(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

/// Takes requests from one connection until it is closed.
async fn while_kept(stream: TcpStream, kept: &Collector) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut length, mut line) = (0, String::new());
        stream.read_line(&mut line).await.ok()?;
        assert!(line.is_empty() || line.starts_with("POST /v1/traces "), "{line}");
        while line.trim() != "" {
            line.clear();
            stream.read_line(&mut line).await.ok()?;
            let header = line.to_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        if length == 0 {
            return None;
        }
        kept.0.lock().unwrap().extend(body);
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

/// The fields of this number in a message of protobuf, those with a length.
fn fields(message: &[u8], wanted: u64) -> Vec<&[u8]> {
    fn varint(rest: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let (byte, more) = rest.split_first().expect("a varint");
            *rest = more;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return value;
            }
            shift += 7;
        }
    }
    let (mut found, mut rest) = (Vec::new(), message);
    while !rest.is_empty() {
        let key = varint(&mut rest);
        let length = match key & 7 {
            0 => {
                varint(&mut rest);
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut rest)).unwrap(),
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let (value, more) = rest.split_at(length);
        if key & 7 == 2 && key >> 3 == wanted {
            found.push(value);
        }
        rest = more;
    }
    found
}

/// A span, by the numbers of `opentelemetry/proto/trace/v1/trace.proto`.
#[derive(Debug)]
struct Span {
    trace: String,
    parent: String,
    name: String,
    attributes: Vec<(String, String)>,
}

impl Span {
    fn all(received: &[u8]) -> Vec<Self> {
        let scopes = fields(received, 1).into_iter().flat_map(|resource| fields(resource, 2));
        scopes.flat_map(|scope| fields(scope, 2)).map(Self::of).collect()
    }

    fn of(message: &[u8]) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap());
        let hex = |bytes: &[u8]| bytes.iter().flat_map(digits).collect::<String>();
        let only = |number| fields(message, number).first().copied().unwrap_or_default();
        let attribute = |pair: &[u8]| {
            let value = fields(pair, 2).first().copied().unwrap_or_default();
            let value = fields(value, 1).first().copied().unwrap_or_default();
            (text(fields(pair, 1)[0]), text(value))
        };
        Self {
            trace: hex(only(1)),
            parent: hex(only(4)),
            name: text(only(5)),
            attributes: fields(message, 9).into_iter().map(attribute).collect(),
        }
    }

    fn says(&self, key: &str, value: &str) -> bool {
        self.attributes.iter().any(|(name, said)| name == key && said == value)
    }
}

/// A name that would forge a line of a log.
const FORGING: &str = "Canarie\r\nERROR forged";

/// And one that would colour it: no file may hold such a character.
const COLOURED: &str = "Canarie \u{1b}[31mforged";

/// A national number (rijksregisternummer) with a sound checksum, of someone born in 2041: nobody has it.
const NATIONAL: &str = "41050100121";

/// A OneRoster package in a folder: one pupil, of whom much is said.
fn roster(folder: &Path, name: &str, birth: &str) {
    let package = Package {
        users: vec![format!(
            "canary-user,,,true,s1,student,canary-login,{{nationalNumber:{NATIONAL}}},\"{name}\",Canarius,,canary-77,\
             canary@clb-hub.invalid,,+32 canary,,,canary-password"
        )],
        demographics: vec![format!("canary-user,,,{birth},female,,,,,,,,,,,")],
        enrollments: vec!["e,,,k,s1,canary-user,student,,2026-09-01,".to_owned()],
        ..Package::default()
    };
    package.write(folder);
}

/// What a command says, which must end so; all that came of its two ends.
fn said(command: &mut Command, succeeds: bool) -> String {
    let output = tokio::task::block_in_place(|| command.output()).unwrap();
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(output.status.success(), succeeds, "{said}");
    said
}

both_databases!(spans_arrive_and_tell_of_nobody, async |database: &TestDatabase| {
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    let clb = world.clb("114711").await;
    let school = world.school("123456", clb, Categories::all()).await;
    let told = PupilSaid {
        given_name: Some("Canarie".to_owned()),
        begins_on: Some(day("2020-09-01")),
        ..born("2012-05-01")
    };
    let pupil = world.pupils(school, &[("canary-user", told)]).await[0].1;
    let viewer = world.someone(Role::SchoolCareTeam, Some(school.id), None).await;
    let provider = Provider::new(NAME, AUDIENCE).await;
    let folder = Folder::installed(&database.url, NAME, AUDIENCE, &provider.keys);
    let (collector, endpoint) = Collector::new().await;
    let export = [
        ("CLB_HUB__TELEMETRY__OTLP_ENDPOINT", endpoint.as_str()),
        ("CLB_HUB__TELEMETRY__LEVEL", "trace"),
        ("CLB_HUB__KEYS__BLIND_INDEX_FILE", "blind-index.key"),
    ];
    said(folder.command(&["keys", "--config", "clb-hub.toml"]).envs(export), true);

    // A roster that is read, and one with a fault in it, which is told by its place.
    let imported = async |path: &str, succeeds: bool| {
        let import = ["import", path, "--school", "123456", "--config", "clb-hub.toml"];
        said(folder.command(&import).envs(export), succeeds)
    };
    roster(&folder.at("roster"), FORGING, "2012-05-01");
    roster(&folder.at("faulty"), COLOURED, "canary-birth");
    let mut logged = imported("roster", true).await;
    logged.push_str(&imported("faulty", false).await);
    let found = number(
        &world.look,
        "select count(*) from record where national_index is not null",
    )
    .await;
    assert_eq!(found, 1, "the number was read");

    // An import: half-days of the one pupil.
    std::fs::write(
        folder.at("absences.csv"),
        "pupil,date,part,code\ncanary-user,2026-09-01,AM,B\ncanary-stranger,2026-09-03,PM,B\n",
    )
    .unwrap();
    logged.push_str(&imported("absences.csv", true).await);

    // A request: a question with a value, in a trace of the caller's.
    let serving = folder.serve(&export);
    let token = provider.token(&subject(&viewer));
    let body = json!({
        "query": "query Positive($id: ID!) { canaryAlias: pupil(id: $id) { givenName } } # canary-comment",
        "variables": { "id": pupil.to_string() },
        "operationName": "Positive",
    });
    let body = body.to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: hub\r\nconnection: close\r\ncontent-type: application/json\r\n\
         user-agent: canary-agent\", \"level\": \"ERROR\r\nx-forwarded-for: canary-address\r\n\
         traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: canary=state\r\n\
         authorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(&serving.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains(r#"{"canaryAlias":{"givenName":"Canarie"#), "{answer}");
    let mut counted = TcpStream::connect(&serving.address).await.unwrap();
    let scrape = "GET /metrics HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n\r\n";
    counted.write_all(scrape.as_bytes()).await.unwrap();
    let mut metrics = String::new();
    counted.read_to_string(&mut metrics).await.unwrap();
    assert!(
        metrics.contains(r#"clb_hub_requests_total{realm="school",status="2xx"} 1"#),
        "{metrics}"
    );
    serving.terminate();
    let (status, log) = tokio::task::block_in_place(|| serving.ended());
    assert!(status.success(), "{log}");
    logged.push_str(&log);

    let received = collector.received();
    let spans = Span::all(&received);
    let import = |kind: &str| {
        let import: Vec<&Span> = spans
            .iter()
            .filter(|span| span.name == "import" && span.says("kind", kind))
            .collect();
        let [import] = import[..] else { panic!("{spans:?}") };
        assert!(import.says("state", "done"), "{import:?}");
    };
    import("absences");
    import("roster");
    let asked: Vec<&Span> = spans.iter().filter(|span| span.name == "graphql").collect();
    let [asked] = asked[..] else { panic!("{spans:?}") };
    assert_eq!(asked.trace, "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(asked.parent, "b7ad6b7169203331");
    assert!(asked.says("realm", "school"), "{asked:?}");
    // Searched for in all that came, as bytes. The name of the operation and the place of the fault are found, so anything
    // else would be.
    let exported = |text: &str| received.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(asked.says("operation", "Positive") && exported("Positive"));
    for found in ["Positive", "csv.control_character", "answered"] {
        assert!(logged.contains(found), "{found} is not in {logged}");
    }
    let secrets = [
        "anar",
        "forged",
        "\u{1b}[31m",
        NATIONAL,
        "Leerling",
        "givenName",
        "2012-05-01",
        "absences.csv",
        &pupil.to_string(),
        &subject(&viewer),
        &token,
    ];
    for secret in secrets {
        assert!(!exported(secret), "{secret} was exported");
        assert!(!logged.contains(secret), "{secret} was logged: {logged}");
        assert!(!metrics.contains(secret), "{secret} was counted: {metrics}");
    }
});
