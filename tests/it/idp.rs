//! Identity providers of others against the binary itself (R12, R28): npm `oidc-provider` and Debian's `glewlwyd` sign, and
//! `serve` judges by the keys that they tell. `./tests/run` installs them.

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
use crate::support::process::{Folder, Serving, subject};
use crate::support::world::World;

/// Classes of tokens that must not be believed, in tests/clients/idp/forge.mjs.
const FORGERIES: usize = 61;

/// Keys are fetched again after half a minute at the earliest; twice that is given.
const PATIENCE: Duration = Duration::from_mins(1);

/// The provider, steered by lines; gone when it is dropped.
struct Provider {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    issuer: String,
    keys: String,
}

impl Provider {
    /// One that knows a client of this name.
    fn new(script: &str, client: &str, audience: &str) -> Self {
        let script = format!("{}/tests/clients/idp/{script}", env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new("node")
            .args([script.as_str(), client, audience])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take(), child.stdout.take().unwrap());
        let mut provider = Self {
            child,
            to,
            from: BufReader::new(from),
            issuer: String::new(),
            keys: String::new(),
        };
        let told = provider.told();
        provider.issuer = told["issuer"].as_str().unwrap().to_owned();
        provider.keys = told["jwks"].as_str().unwrap().to_owned();
        provider
    }

    fn told(&mut self) -> Value {
        let mut line = String::new();
        tokio::task::block_in_place(|| self.from.read_line(&mut line)).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_ended| panic!("it said {line:?}"))
    }

    fn say(&mut self, line: &str) -> Value {
        writeln!(self.to.as_mut().unwrap(), "{line}").unwrap();
        self.told()
    }

    /// A token that it gives for this line.
    fn token(&mut self, line: &str) -> String {
        self.say(line).as_str().unwrap().to_owned()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // It goes when nothing more is said to it, and takes along what it began.
        drop(self.to.take());
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

/// A hub that believes this provider alone, and someone who signs in there.
async fn believed(database: &TestDatabase, script: &str, audience: &str) -> (Provider, Folder, Serving) {
    let world = World::new(database, "2026-10-01T10:00:00Z").await;
    let clb = world.clb("114711").await;
    let school = world.school("123456", clb, Categories::default_agreement()).await;
    let viewer = world.someone(Role::SchoolCareTeam, Some(school.id), None).await;
    let provider = Provider::new(script, &subject(&viewer), audience);
    let issuer = &provider.issuer;
    meddle(&world.look, &format!("update principal set issuer = '{issuer}'")).await;
    let folder = Folder::installed(&database.url, issuer, audience, &provider.keys);
    let serving = folder.serve(&[("CLB_HUB__ISSUERS__TEST__SCOPE", "clb-hub")]);
    (provider, folder, serving)
}

/// What it signs itself opens the door, and what others make of that does not, nor what it signs for others.
async fn its_own_tokens_open_the_door(provider: &mut Provider, at: &str, good: &[&str], bad: &[&str]) {
    for line in good {
        assert_eq!(status(at, &provider.token(line)).await, 200, "{line}");
    }
    for line in bad {
        assert_eq!(status(at, &provider.token(line)).await, 401, "{line}");
    }
    let made = provider.say("forgeries");
    let again = made["again"].as_str().unwrap();
    assert_eq!(status(at, again).await, 200, "signed as the others are");
    let forged = made["bad"].as_array().unwrap();
    assert_eq!(forged.len(), FORGERIES);
    for one in forged {
        let (name, token) = (&one[0], one[1].as_str().unwrap());
        assert_eq!(status(at, token).await, 401, "{name}");
    }
    assert_eq!(status(at, again).await, 200, "and none of them did any harm");
}

#[test]
#[ignore = "needs Node and `npm ci` in tests/clients/idp"]
fn the_oidc_provider_is_believed_and_nobody_in_its_name() {
    run_test(
        TestDatabase::migrated(Backend::Sqlite),
        async |database: &TestDatabase| {
            let (mut provider, _folder, serving) = believed(database, "provider.mjs", "urn:clb-hub:api").await;
            let at = &serving.address;
            let (rs256, es256) = (
                "token urn:clb-hub:api RS256 clb-hub",
                "token urn:clb-hub:api ES256 clb-hub",
            );
            let bad = [
                // For another hub; without our scope, and with another one alone.
                "token urn:another:api RS256 clb-hub",
                "token urn:clb-hub:api RS256",
                "token urn:clb-hub:api RS256 other",
                "opaque",
            ];
            its_own_tokens_open_the_door(&mut provider, at, &[rs256, es256], &bad).await;

            // A new key beside the old one, which is told still.
            let first = provider.token(rs256);
            provider.say("rotate");
            let second = provider.token(rs256);
            taken(at, &second).await;
            assert_eq!(status(at, &first).await, 200);
            // Another one, and the old ones are told no more.
            provider.say("rotate");
            provider.say("forget");
            taken(at, &provider.token(es256)).await;
            for dropped in [&first, &second] {
                assert_eq!(status(at, dropped).await, 401);
            }
        },
    );
}

#[test]
#[ignore = "needs Node and Debian's glewlwyd"]
fn glewlwyd_is_believed_and_nobody_in_its_name() {
    run_test(
        TestDatabase::migrated(Backend::Sqlite),
        async |database: &TestDatabase| {
            let audience = "https://hub.example/api";
            let (mut provider, _folder, serving) = believed(database, "glewlwyd.mjs", audience).await;
            let bad = [
                "token https://another.example/api RS256 clb-hub",
                "token https://hub.example/api RS256 other",
                // For the scope itself.
                "opaque",
            ];
            let good = ["token https://hub.example/api RS256 clb-hub"];
            its_own_tokens_open_the_door(&mut provider, &serving.address, &good, &bad).await;
        },
    );
}
