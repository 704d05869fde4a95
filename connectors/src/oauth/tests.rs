use std::sync::Mutex as StdMutex;

use async_trait::async_trait;
use base64::Engine as _;

use super::*;
use crate::fake::{Answer, Delivery, Host, Request, Site, Trouble, Unruly, url_pairs};
use crate::http::{Hurried, Limits, Reach};

const SECRET: &str = "canary s:cret%";

type Answers = fn(usize, &Asked) -> Answer;

/// A token endpoint that answers by number of the request.
struct Endpoint {
    answers: Answers,
    asked: StdMutex<Vec<Asked>>,
}

/// What was asked: as whom by header, as whom in the form, for what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Asked {
    basic: Option<String>,
    body: Option<(String, String)>,
    scope: Option<String>,
}

#[async_trait]
impl Site for Endpoint {
    async fn answer(&self, request: Request) -> Answer {
        let form = url_pairs(std::str::from_utf8(&request.body).expect("a form"));
        let field = |name| {
            form.iter()
                .find(|(found, _)| found == name)
                .map(|(_, value)| value.clone())
        };
        assert_eq!(field("grant_type").as_deref(), Some("client_credentials"));
        let asked = Asked {
            basic: request.header("authorization").map(str::to_owned),
            body: field("client_id").zip(field("client_secret")),
            scope: field("scope"),
        };
        let number = {
            let mut all = self.asked.lock().expect("not poisoned");
            all.push(asked.clone());
            all.len() - 1
        };
        (self.answers)(number, &asked)
    }
}

struct Scene {
    tokens: Tokens,
    site: Arc<Endpoint>,
    pause: Arc<Hurried>,
    _host: Host,
}

impl Scene {
    fn asked(&self) -> Vec<Asked> {
        self.site.asked.lock().expect("not poisoned").clone()
    }
}

async fn scene(sends: Sends, scopes: &[&str], answers: Answers) -> Scene {
    let site = Arc::new(Endpoint {
        answers,
        asked: StdMutex::default(),
    });
    let host = Host::start(site.clone()).await.expect("a port");
    let pause = Arc::new(Hurried::default());
    let reach = Reach::Public {
        and: vec!["127.0.0.1".parse().expect("a network")],
    };
    let http = Http::new(reach, Limits::default(), pause.clone()).expect("a client");
    let settings = Settings {
        token_url: format!("{}/oauth/token", host.origin()),
        client_id: "the hub".into(),
        scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        sends,
    };
    Scene {
        tokens: Tokens::new(http, settings, SecretString::from(SECRET)).expect("an address"),
        site,
        pause,
        _host: host,
    }
}

fn given(number: usize) -> Answer {
    let body = format!(r#"{{"access_token":"t{number}","token_type":"bearer","expires_in":3600}}"#);
    Answer::json(200, body)
}

fn secret(token: &Token) -> &str {
    token.secret().expose_secret()
}

#[tokio::test]
async fn the_client_says_who_it_is_as_the_connection_says() {
    // By hand: base64("the+hub:canary+s%3Acret%25"), each part form-encoded first (RFC 6749 §2.3.1).
    let basic = base64::prelude::BASE64_STANDARD.encode("the+hub:canary+s%3Acret%25");
    let by_header = Asked {
        basic: Some(format!("Basic {basic}")),
        body: None,
        scope: Some("one two".into()),
    };
    let by_form = Asked {
        basic: None,
        body: Some(("the hub".into(), SECRET.into())),
        scope: Some("one two".into()),
    };
    let scopes = ["one", "two"];
    for (sends, asked) in [(Sends::Basic, by_header.clone()), (Sends::Body, by_form.clone())] {
        let scene = scene(sends, &scopes, |number, _| given(number)).await;
        scene.tokens.token().await.expect("a token");
        assert_eq!(scene.asked(), [asked]);
    }
    // One that knows the form only, as libre-oneroster does: 400 without a body.
    let picky = |number, asked: &Asked| {
        if asked.body.is_some() {
            given(number)
        } else {
            Answer::status(400)
        }
    };
    let found = scene(Sends::Either, &scopes, picky).await;
    let token = found.tokens.token().await.expect("a token");
    found.tokens.other_than(&token).await.expect("a token");
    assert_eq!(
        found.asked(),
        [by_header.clone(), by_form.clone(), by_form],
        "and it is remembered"
    );
    let told = scene(Sends::Basic, &scopes, picky).await;
    let refused = told.tokens.token().await.expect_err("no token");
    assert_eq!(
        refused,
        Fault::Config("the token endpoint does not accept how the connection asks")
    );
    assert_eq!(told.asked(), [by_header], "nothing is tried that was not configured");
    // No scope configured, none sent.
    let none = scene(Sends::Basic, &[], |number, _| given(number)).await;
    none.tokens.token().await.expect("a token");
    assert_eq!(none.asked()[0].scope, None);
}

#[tokio::test]
async fn a_token_is_kept_until_shortly_before_its_end() {
    let scene = scene(Sends::Basic, &[], |number, _| given(number)).await;
    let first = scene.tokens.token().await.expect("a token");
    scene.pause.pass(Duration::from_secs(3_539));
    assert_eq!(secret(&scene.tokens.token().await.expect("a token")), secret(&first));
    scene.pause.pass(Duration::from_secs(1));
    assert_eq!(secret(&scene.tokens.token().await.expect("a token")), "t1");
    assert_eq!(scene.asked().len(), 2);
}

#[tokio::test]
async fn one_asks_and_all_have_it() {
    let scene = scene(Sends::Basic, &[], |number, _| {
        given(number).delivered(Delivery::Slow(8, Duration::from_millis(2)))
    })
    .await;
    let together = (0..20).map(|_| scene.tokens.token());
    let all: Vec<Token> = futures::future::try_join_all(together).await.expect("tokens");
    assert!(all.iter().all(|token| secret(token) == "t0"));
    assert_eq!(scene.asked().len(), 1);
    // All of them hear at once that it is not valid any more.
    let others = futures::future::try_join_all(all.iter().map(|token| scene.tokens.other_than(token)));
    assert!(others.await.expect("tokens").iter().all(|token| secret(token) == "t1"));
    assert_eq!(scene.asked().len(), 2);
}

#[tokio::test]
async fn a_scope_that_is_withheld_is_told() {
    let scene = scene(Sends::Basic, &["core", "demographics"], |_, _| {
        Answer::json(
            200,
            r#"{"access_token":"t","token_type":"Bearer","expires_in":60,"scope":"core"}"#,
        )
    })
    .await;
    scene.tokens.token().await.expect("a token");
    assert_eq!(scene.tokens.withheld().await, ["demographics"]);
}

#[tokio::test]
async fn an_endpoint_that_gives_none_is_a_fault_by_what_must_happen() {
    let refused = Fault::Refused("the token endpoint does not know this client or secret");
    let config = Fault::Config("the token endpoint does not accept how the connection asks");
    let cases: [(Answers, Fault); 10] = [
        (
            |_, _| Answer::json(401, r#"{"error":"invalid_client","error_description":"canary"}"#),
            refused.clone(),
        ),
        (|_, _| Answer::json(400, r#"{"error":"invalid_client"}"#), refused),
        (
            |_, _| Answer::json(400, r#"{"error":"invalid_scope"}"#),
            Fault::Refused("the client may not have the scopes that the connection asks for"),
        ),
        // As masterjx9 does when no scope is asked for.
        (
            |_, _| Answer::json(400, r#"{"error":"invalid_request"}"#),
            config.clone(),
        ),
        (|_, _| Answer::of(400, "text/html", "<canary/>"), config),
        (
            |_, _| Answer::of(403, "text/html", "<canary/>"),
            Fault::Refused("the token endpoint gives this client no token"),
        ),
        (
            |_, _| Answer::status(404),
            Fault::Config("there is no token endpoint at the address"),
        ),
        (
            |_, _| Answer::json(200, r#"{"access_token":"","token_type":"bearer"}"#),
            unreadable(),
        ),
        (
            |_, _| Answer::json(200, r#"{"access_token":"canary","token_type":"mac"}"#),
            unreadable(),
        ),
        (|_, _| Answer::of(200, "text/html", "<canary/>"), unreadable()),
    ];
    for (answers, fault) in cases {
        let scene = scene(Sends::Basic, &[], answers).await;
        let failed = scene.tokens.token().await.expect_err("no token");
        assert_eq!(failed, fault);
        let shown = format!("{failed} {failed:?} {:?}", scene.tokens);
        assert!(!shown.contains("canary"), "{shown}");
    }
    let busy = scene(Sends::Basic, &[], |_, _| Answer::status(429).with("retry-after", "600")).await;
    assert_eq!(
        busy.tokens.token().await.expect_err("no token"),
        Fault::Transient {
            reason: "it is asked too often",
            retry_after: Some(Duration::from_mins(10))
        }
    );
}

#[tokio::test]
async fn whatever_befalls_the_token_answer_is_a_fault() {
    let endpoint = Arc::new(Endpoint {
        answers: |_, _| {
            Answer::json(
                200,
                r#"{"access_token":"canary","token_type":"bearer","expires_in":3600}"#,
            )
        },
        asked: StdMutex::default(),
    });
    let site = Arc::new(Unruly::over(endpoint, |_| true));
    let host = Host::start(Arc::<Unruly>::clone(&site)).await.expect("a port");
    let reach = Reach::Public {
        and: vec!["127.0.0.1".parse().expect("a network")],
    };
    let limits = Limits {
        idle: Duration::from_millis(60),
        ..Limits::default()
    };
    let http = Http::new(reach, limits, Arc::new(Hurried::default())).expect("a client");
    let settings = Settings {
        token_url: format!("{}/oauth/token", host.origin()),
        client_id: "hub".into(),
        ..Settings::default()
    };
    let too_large = Fault::Broken {
        stream: "http",
        record: 0,
        rule: "http.too_large",
    };
    for trouble in Trouble::ALL {
        // The fault, and how often it is asked before that is one.
        let (fault, asked) = match trouble {
            Trouble::Reset | Trouble::Cut => (Fault::transient("the answer broke off"), 4),
            Trouble::Stall => (Fault::transient("the answer stood still"), 4),
            Trouble::Breakdown => (Fault::transient("it answers with an error of its own"), 4),
            Trouble::Busy => {
                let hour = Fault::Transient {
                    reason: "it is asked too often",
                    retry_after: Some(Duration::from_hours(1)),
                };
                (hour, 1)
            }
            Trouble::Unauthorised => (Fault::Refused("the token endpoint gives this client no token"), 1),
            Trouble::Portal | Trouble::OtherType | Trouble::Half | Trouble::Deep => (unreadable(), 1),
            Trouble::Endless | Trouble::Flood => (too_large.clone(), 1),
            Trouble::Late(_) => unreachable!("nothing is wrong with a late answer"),
        };
        let secret = SecretString::from(SECRET);
        let tokens = Tokens::new(http.clone(), settings.clone(), secret).expect("an address");
        site.from(1, trouble);
        let failed = tokens.token().await.expect_err("no token");
        assert_eq!((&failed, site.answered()), (&fault, asked), "{trouble:?}");
        let shown = format!("{failed} {failed:?} {tokens:?}");
        assert!(!shown.contains("canary"), "{shown}");
        // Nothing of it is remembered.
        site.calm();
        tokens.token().await.expect("a token");
        assert_eq!(site.answered(), 1, "{trouble:?}");
    }
}

/// npm `oidc-provider` as a token endpoint: `./tests/run` installs it and runs this.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node and `npm ci` in tests/clients/idp"]
async fn the_oidc_provider_gives_a_connector_its_tokens() {
    let provider = Provider::begin();
    let pause = Arc::new(Hurried::default());
    let reach = Reach::Public {
        and: vec!["127.0.0.1".parse().expect("a network")],
    };
    let http = Http::new(reach, Limits::default(), pause).expect("a client");
    let tokens = |client: &str, scopes: &[&str], sends: Sends, secret: &str| {
        let settings = Settings {
            token_url: provider.url.clone(),
            client_id: client.to_owned(),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            sends,
        };
        Tokens::new(http.clone(), settings, SecretString::from(secret)).expect("an address")
    };
    let (right, wrong) = (provider.secret.as_str(), "canary");
    let unknown = Fault::Refused("the token endpoint does not know this client or secret");
    let unfit = Fault::Refused("the client may not have the scopes that the connection asks for");
    for (client, sends) in [
        ("by header", Sends::Basic),
        ("by form", Sends::Body),
        ("by header", Sends::Either),
        ("by form", Sends::Either),
    ] {
        let good = tokens(client, &["roster"], sends, right);
        let first = good.token().await.expect("a token");
        assert!(secret(&first).len() > 20);
        assert_eq!(
            secret(&good.token().await.expect("a token")),
            secret(&first),
            "it is kept"
        );
        assert_eq!(good.withheld().await, Vec::<String>::new());
        let second = good.other_than(&first).await.expect("another one");
        assert_ne!(secret(&second), secret(&first));
        // It drops a scope that it does not know, and says what it gave.
        let more = tokens(client, &["roster", "unheard-of"], sends, right);
        more.token().await.expect("a token");
        assert_eq!(more.withheld().await, ["unheard-of"]);
        let refused = async |tokens: Tokens| tokens.token().await.expect_err("no token");
        assert_eq!(refused(tokens(client, &["roster"], sends, wrong)).await, unknown);
        assert_eq!(refused(tokens(client, &["clb-hub"], sends, right)).await, unfit);
    }
}

/// The provider; it goes when its input ends.
struct Provider {
    child: std::process::Child,
    url: String,
    secret: String,
}

impl Provider {
    fn begin() -> Self {
        use std::process::{Command, Stdio};
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/clients/idp/provider.mjs");
        let mut node = Command::new("node");
        node.args([script, "someone", "urn:clb-hub:api"]);
        let child = node.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("node");
        let mut line = String::new();
        let mut said = std::io::BufReader::new(child.stdout.take().expect("what it says"));
        std::io::BufRead::read_line(&mut said, &mut line).expect("a line");
        let told: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let of = |name: &str| told["connector"][name].as_str().expect("a text").to_owned();
        Self {
            child,
            url: of("token_url"),
            secret: of("secret"),
        }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}
