//! An identity provider of others against the binary itself (R12, R28): npm `oidc-provider` signs, and `serve` judges by the
//! keys that it tells. `./tests/run` installs it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use hub_entities::category::Categories;
use hub_entities::operation::Role;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::database::{Backend, TestDatabase, run_test};
use crate::support::look::meddle;
use crate::support::process::{Folder, subject};
use crate::support::world::World;

const AUDIENCE: &str = "urn:clb-hub:api";

/// Keys are fetched again after half a minute at the earliest; twice that is given.
const PATIENCE: Duration = Duration::from_mins(1);

/// The provider, steered by lines; gone when it is dropped.
struct Provider {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    issuer: String,
}

impl Provider {
    /// One that knows a client of this name.
    fn new(client: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/idp/provider.mjs");
        let mut child = Command::new("node")
            .args([script, client, AUDIENCE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut provider = Self {
            child,
            to,
            from: BufReader::new(from),
            issuer: String::new(),
        };
        provider.issuer = provider.told()["issuer"].as_str().unwrap().to_owned();
        provider
    }

    fn told(&mut self) -> Value {
        let mut line = String::new();
        tokio::task::block_in_place(|| self.from.read_line(&mut line)).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_ended| panic!("it said {line:?}"))
    }

    fn say(&mut self, line: &str) -> Value {
        writeln!(self.to, "{line}").unwrap();
        self.told()
    }

    /// A token that it gives for this line.
    fn token(&mut self, line: &str) -> String {
        self.say(line).as_str().unwrap().to_owned()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The status of the answer to a question with this token.
async fn status(address: &str, token: &str) -> u16 {
    let body = json!({ "query": "{ viewer { role } }" }).to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: hub\r\nconnection: close\r\ncontent-type: application/json\r\n\
         authorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Asks again until the token is taken.
async fn taken(address: &str, token: &str) {
    let mut again = tokio::time::interval(Duration::from_millis(100));
    let asking = async {
        while status(address, token).await != 200 {
            again.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, asking)
        .await
        .expect("its new key is followed");
}

#[test]
#[ignore = "needs Node and `npm ci` in tests/clients/idp"]
fn the_oidc_provider_is_believed_and_nobody_in_its_name() {
    run_test(
        TestDatabase::migrated(Backend::Sqlite),
        async |database: &TestDatabase| {
            let world = World::new(database, "2026-10-01T10:00:00Z").await;
            let clb = world.clb("114711").await;
            let school = world.school("123456", clb, Categories::default_agreement()).await;
            let viewer = world.someone(Role::SchoolCareTeam, Some(school.id), None).await;
            let mut provider = Provider::new(&subject(&viewer));
            let issuer = provider.issuer.clone();
            meddle(&world.look, &format!("update principal set issuer = '{issuer}'")).await;
            let folder = Folder::installed(&database.url, &issuer, AUDIENCE, &format!("{issuer}/jwks"));
            let serving = folder.serve(&[("CLB_HUB__ISSUERS__TEST__SCOPE", "clb-hub")]);
            let at = &serving.address;

            let good = |alg: &str| format!("token {AUDIENCE} {alg} clb-hub");
            let first = provider.token(&good("RS256"));
            assert_eq!(status(at, &first).await, 200, "{}", serving.log());
            assert_eq!(status(at, &provider.token(&good("ES256"))).await, 200);
            for line in [
                // For another hub; without our scope, and with another one alone.
                "token urn:another:api RS256 clb-hub",
                "token urn:clb-hub:api RS256",
                "token urn:clb-hub:api RS256 other",
                "opaque",
                "forged",
                "unsigned",
            ] {
                assert_eq!(status(at, &provider.token(line)).await, 401, "{line}");
            }
            assert_eq!(status(at, &first).await, 200);

            // A new key beside the old one, which is told still.
            provider.say("rotate");
            let second = provider.token(&good("RS256"));
            taken(at, &second).await;
            assert_eq!(status(at, &first).await, 200);
            // Another one, and the old ones are told no more.
            provider.say("rotate");
            provider.say("forget");
            taken(at, &provider.token(&good("ES256"))).await;
            for dropped in [&first, &second] {
                assert_eq!(status(at, dropped).await, 401);
            }
        },
    );
}
