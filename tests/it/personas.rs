//! A persona of the demo, by what the demo publishes: whoever follows RFC 8414 from the issuer that a token names comes to
//! the key that the token was signed with.

use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use clb_hub::auth::Verifier;
use clb_hub::auth::keys::KeySet;
use clb_hub::auth::profile::Profile;
use clb_hub::auth::verifier::KeySource;
use clb_hub::demo::today::days_behind;
use clb_hub::runtime::{ClockBehind, SystemClock};
use hub_entities::time::{Clock as _, brussels_day};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::process::Folder;

/// The demo brings its region in before it answers.
const PATIENCE: Duration = Duration::from_mins(10);

struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Status and body of an answer; `None` when nobody answers.
async fn asked(host: &str, line: &str, token: &str, body: &str) -> Option<(u16, String)> {
    let request = format!(
        "{line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         authorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(host).await.ok()?;
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// What is there, of this JSON; asked again until someone answers.
async fn found(host: &str, path: &str) -> Value {
    let mut again = tokio::time::interval(Duration::from_millis(100));
    let asking = async {
        loop {
            if let Some((status, body)) = asked(host, &format!("GET {path}"), "none", "").await {
                assert_eq!(status, 200, "{path}: {body}");
                return serde_json::from_str(&body).unwrap();
            }
            again.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("the demo answers")
}

#[tokio::test]
async fn a_persona_is_believed_by_what_the_demo_publishes() {
    let folder = Folder::new();
    let mut demo = folder.command(&["demo", "--folder", "demo", "--port", "0"]);
    let demo = demo.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _demo = Demo(demo);
    let mut again = tokio::time::interval(Duration::from_millis(100));
    let kept = async {
        loop {
            let text = std::fs::read_to_string(folder.at("demo/issuer.url")).unwrap_or_default();
            if let Some(issuer) = text.strip_suffix('\n') {
                return issuer.to_owned();
            }
            again.tick().await;
        }
    };
    let issuer = tokio::time::timeout(PATIENCE, kept).await.expect("its issuer is kept");
    let (host, path) = issuer.strip_prefix("http://").unwrap().split_once('/').unwrap();

    let discovery = found(host, &format!("/.well-known/oauth-authorization-server/{path}")).await;
    assert_eq!(discovery["issuer"], issuer.as_str());
    let keys = discovery["jwks_uri"]
        .as_str()
        .unwrap()
        .strip_prefix(&format!("http://{host}"))
        .unwrap();
    let keys = KeySet::parse(found(host, keys).await.to_string().as_bytes()).unwrap();
    let verifier = Verifier::new([(
        Profile::new(&issuer, "urn:clb-hub:api"),
        KeySource::Fixed(Arc::new(keys)),
    )]);

    let token = folder.run(&["token", "clb-worker", "--folder", "demo"]);
    // By the clock of the demo, which may show another day.
    let behind = ClockBehind(TimeDelta::days(days_behind(brussels_day(SystemClock.now()))));
    let identity = verifier.verify(token.trim(), behind.now()).await.unwrap();
    assert_eq!(
        (identity.issuer, identity.subject.as_str()),
        (issuer.clone(), "clb-worker")
    );
    let question = json!({ "query": "{ viewer { role } }" }).to_string();
    let answer = asked(host, "POST /graphql", token.trim(), &question).await;
    let (status, body) = answer.unwrap();
    assert_eq!((status, body.contains("CLB_WORKER")), (200, true), "{body}");

    // It stays where it is: another port is another demo's.
    let other = folder.output(&["demo", "--folder", "demo", "--port", "1", "--once"]);
    let told = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(!other.status.success() && told.contains(&issuer), "{told}");
}
