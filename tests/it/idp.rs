//! An identity provider of others against the binary itself (R12, R13, R28): npm `oidc-provider` signs, and `serve` judges by
//! the keys that it tells, or by what it says of a token. `./tests/run` installs it.

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
    /// Of the client as which the hub asks it.
    secret: String,
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
            secret: String::new(),
        };
        let told = provider.told();
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        (provider.issuer, provider.secret) = (text("issuer"), text("secret"));
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
            let mut provider = Provider::new(&machine);
            let issuer = provider.issuer.clone();
            for change in [
                format!("update principal set issuer = '{issuer}'"),
                // The client that nobody stands behind has a name that no person can have.
                format!("update principal set subject = 'client:{machine}' where subject = '{machine}'"),
            ] {
                meddle(&world.look, &change).await;
            }
            let folder = Folder::installed(&database.url, &issuer, AUDIENCE, &format!("{issuer}/jwks"));
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
            answered(at, &first, 401, Duration::from_secs(60)).await;

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
