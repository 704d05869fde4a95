//! Identity providers of others against the binary itself (R12, R13, R28): npm `oidc-provider` and Debian's `glewlwyd` sign, and
//! `serve` judges by the keys that they tell, or by what one says of a token. `./tests/run` installs them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
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

const AUDIENCE: &str = "urn:clb-hub:api";

/// The provider, steered by lines; gone when it is dropped.
struct Provider {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    issuer: String,
    keys: String,
    /// Of the client as which the hub asks it.
    secret: String,
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
            secret: String::new(),
        };
        let told = provider.told();
        let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        (provider.issuer, provider.keys, provider.secret) = (text("issuer"), text("jwks"), text("secret"));
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

/// Asks again until the token is answered so.
async fn answered(address: &str, token: &str, expected: u16, patience: Duration) {
    let mut again = tokio::time::interval(Duration::from_millis(100));
    let asking = async {
        while status(address, token).await != expected {
            again.tick().await;
        }
    };
    let in_time = tokio::time::timeout(patience, asking).await;
    in_time.unwrap_or_else(|_elapsed| panic!("not {expected} within {patience:?}"));
}

/// Asks again until the token is taken: the new key is followed.
async fn taken(address: &str, token: &str) {
    answered(address, token, 200, PATIENCE).await;
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

#[test]
#[ignore = "needs Node and `npm ci` in tests/clients/idp"]
fn the_oidc_provider_is_asked_of_what_says_nothing_itself() {
    run_test(
        TestDatabase::migrated(Backend::Sqlite),
        async |database: &TestDatabase| {
            let world = World::new(database, "2026-10-01T10:00:00Z").await;
            let clb = world.clb("114711").await;
            let school = world.school("123456", clb, Categories::default_agreement()).await;
            let machine = world.someone(Role::SchoolCareTeam, Some(school.id), None).await;
            let person = world.someone(Role::SchoolCareTeam, Some(school.id), None).await;
            let (machine, person) = (subject(&machine), subject(&person));
            let mut provider = Provider::new("provider.mjs", &machine, AUDIENCE);
            let issuer = provider.issuer.clone();
            for change in [
                format!("update principal set issuer = '{issuer}'"),
                // The client that nobody stands behind has a name that no person can have.
                format!("update principal set subject = 'client:{machine}' where subject = '{machine}'"),
            ] {
                meddle(&world.look, &change).await;
            }
            let folder = Folder::installed(&database.url, &issuer, AUDIENCE, &provider.keys);
            let secret = folder.at("introspection.secret");
            std::fs::write(&secret, format!("{}\n", provider.secret)).unwrap();
            std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o400)).unwrap();
            let asked_at = format!("{issuer}/token/introspection");
            let serving = folder.serve(&[
                ("CLB_HUB__ISSUERS__TEST__JWKS_URL", ""),
                ("CLB_HUB__ISSUERS__TEST__INTROSPECTION_URL", &asked_at),
                ("CLB_HUB__ISSUERS__TEST__CLIENT_ID", "clb-hub"),
                ("CLB_HUB__ISSUERS__TEST__CLIENT_SECRET_FILE", "introspection.secret"),
                ("CLB_HUB__ISSUERS__TEST__SCOPE", "clb-hub"),
                ("CLB_HUB__TELEMETRY__LEVEL", "trace"),
            ]);
            let at = &serving.address;

            let of_machine = format!("opaque {AUDIENCE} clb-hub");
            let of_person = format!("opaque {AUDIENCE} clb-hub {person}");
            let first = provider.token(&of_machine);
            assert_eq!(status(at, &first).await, 200, "{}", serving.log());
            let second = provider.token(&of_person);
            assert_eq!(status(at, &second).await, 200, "{}", serving.log());
            let mut refused = Vec::new();
            for line in [
                // For another hub or for none; without our scope, and with another one alone; in the name of the client.
                "opaque urn:another:api clb-hub".to_owned(),
                "opaque".to_owned(),
                format!("opaque {AUDIENCE}"),
                format!("opaque {AUDIENCE} other"),
                format!("opaque {AUDIENCE} clb-hub client:{machine}"),
                // A JWT of the same issuer: its keys are not configured.
                format!("token {AUDIENCE} RS256 clb-hub"),
                "unsigned".to_owned(),
            ] {
                let token = provider.token(&line);
                assert_eq!(status(at, &token).await, 401, "{line}");
                refused.push(token);
            }
            assert_eq!(status(at, "LTgaAik7F-smmQ65_nVfag==").await, 401);

            // Taken back before it was seen, and after.
            let unseen = provider.token(&of_machine);
            assert_eq!(provider.say(&format!("revoke {unseen}")), json!(200));
            assert_eq!(status(at, &unseen).await, 401);
            assert_eq!(provider.say(&format!("revoke {first}")), json!(200));

            // Who is not known yet waits outside while the issuer hangs or is too busy; who is known goes on.
            let third = provider.token(&of_person);
            for manner in ["mute", "busy"] {
                provider.say(manner);
                assert_eq!(status(at, &third).await, 503, "{manner}");
                assert_eq!(status(at, &second).await, 200, "{manner}");
            }
            provider.say("hear");
            assert_eq!(status(at, &third).await, 200);
            answered(at, &first, 401, Duration::from_mins(1)).await;

            let log = serving.log();
            let spoken: Vec<&String> = [&first, &second, &third, &unseen, &provider.secret]
                .into_iter()
                .chain(&refused)
                .collect();
            assert!(log.contains("token refused"), "{log}");
            assert!(spoken.iter().all(|secret| !log.contains(secret.as_str())), "{log}");
        },
    );
}
