//! What rests on a token that says nothing itself: it ends with the issuer's word, and bears a silent issuer for as long as a
//! request would.

use crate::auth::introspection::{Ask, Endpoint, Introspection, Unanswered};
use crate::auth::{Profile, Verifier};
use http::{HeaderValue, header};
use secrecy::SecretString;

use super::sockets::{Listening, Socket, closed, hear, listening_with, quick, say, subscribe};
use super::*;

const OPAQUE: &str = "Bearer an-opaque-token";
const NUMBERS: &str = "subscription { numbers { number } }";

/// Says that the token counts, that it does not, or nothing.
struct Issuer {
    says: Mutex<Option<bool>>,
    asked: AtomicUsize,
}

#[async_trait]
impl Ask for Issuer {
    async fn ask(&self, _: &Endpoint, _: &str) -> Result<Vec<u8>, Unanswered> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let active = self.says.lock().unwrap().ok_or(Unanswered::Unavailable)?;
        let answer =
            json!({ "active": active, "aud": "clb-hub", "sub": "vendor", "iat": 1_790_000_000, "exp": 1_790_003_600 });
        Ok(answer.to_string().into_bytes())
    }
}

impl Issuer {
    fn says(&self, word: Option<bool>) {
        *self.says.lock().unwrap() = word;
    }

    /// Until it was asked so often.
    async fn until_asked(&self, times: usize) {
        let asked = async {
            while self.asked.load(Ordering::Relaxed) < times {
                tokio::task::yield_now().await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(20), asked).await;
        assert!(in_time.is_ok(), "it is asked again");
    }
}

/// A hub with such an issuer, and a socket and an event stream that follow the numbers.
async fn following() -> (Listening, Arc<Issuer>, Socket, super::events::Events) {
    let issuer = Arc::new(Issuer {
        says: Mutex::new(Some(true)),
        asked: AtomicUsize::new(0),
    });
    let ask = issuer.clone();
    let bounds = streams::Bounds {
        again: Duration::from_millis(5),
        ..quick()
    };
    let hub = listening_with(bounds, |edge| {
        let endpoint = Endpoint {
            url: format!("{ISSUER}/introspect"),
            client_id: "hub".to_owned(),
            secret: SecretString::from("canary"),
        };
        let opaque = Introspection::new(Profile::new(ISSUER, "clb-hub"), endpoint, ask);
        edge.verifier = Verifier::new([]).with_opaque(Some(opaque));
    })
    .await;
    let mut socket = hub.socket().await;
    let init = json!({ "type": "connection_init", "payload": { "authorization": OPAQUE } });
    say(&mut socket, &init).await;
    assert_eq!(hear(&mut socket).await, json!({ "type": "connection_ack" }));
    say(&mut socket, &subscribe("a", NUMBERS)).await;
    let mut request = hub.stream(NUMBERS);
    let token = HeaderValue::from_static(OPAQUE);
    request.headers_mut().insert(header::AUTHORIZATION, token);
    let events = hub.follow_by(request).await;
    hub.until_heard(2).await;
    assert_eq!(issuer.asked.load(Ordering::Relaxed), 1, "one answer lets both in");
    (hub, issuer, socket, events)
}

#[tokio::test]
async fn a_token_that_is_taken_back_ends_what_rests_on_it() {
    let (hub, issuer, mut socket, mut events) = following().await;
    // It is asked again, and still counts.
    hub.pass(1);
    issuer.until_asked(2).await;
    hub.world.service.numbers.send(1).expect("listeners");
    assert_eq!(hear(&mut socket).await["payload"]["data"]["numbers"]["number"], 1);
    events.until(r#""number":1"#).await;
    // A request of a minute later would be refused; what is open ends with the next question.
    issuer.says(Some(false));
    hub.pass(1);
    assert_eq!(closed(&mut socket).await, 4403);
    let rest = events.rest().await;
    assert!(!rest.contains("event: complete"), "it is one to come back to: {rest}");
    hub.end().await;
}

#[tokio::test]
async fn a_silent_issuer_is_borne_for_as_long_as_at_a_request() {
    // What is logged of it is another test's, which hears nothing where somebody without a log comes to that line first.
    let log = telemetry::subscriber(Level::Trace, Format::Text, Kept::default(), None);
    let _logged = tracing::subscriber::set_default(log);
    let (hub, issuer, mut socket, mut events) = following().await;
    issuer.says(None);
    hub.pass(59);
    // Both have asked in vain.
    issuer.until_asked(3).await;
    hub.world.service.numbers.send(1).expect("listeners");
    assert_eq!(hear(&mut socket).await["payload"]["data"]["numbers"]["number"], 1);
    events.until(r#""number":1"#).await;
    hub.pass(1);
    assert_eq!(closed(&mut socket).await, 1013, "try again later");
    assert!(!events.rest().await.contains("event: complete"));
    hub.end().await;
}
