//! An issuer that lies, hangs, repeats itself and takes its word back.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use futures::poll;
use serde_json::json;

use super::*;
use crate::auth::Verifier;
use crate::telemetry::testing::Kept as Log;
use crate::telemetry::{self, Format, Level};

const NOW: i64 = 1_790_000_000;
const ISSUER: &str = "https://acm.example/op";
const TOKEN: &str = "Geh30TieWrbRdlsnCLDJ-canary";

type Answer = Result<Vec<u8>, Unanswered>;

/// Says what the test wants it to, when the test lets it.
struct Issuer {
    answer: Mutex<Answer>,
    asked: AtomicUsize,
    answers: Semaphore,
}

impl Issuer {
    fn says(&self, answer: Answer) {
        *locked(&self.answer) = answer;
    }

    fn tells(&self, answer: &Value) {
        self.says(Ok(answer.to_string().into_bytes()));
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Ask for Issuer {
    async fn ask(&self, endpoint: &Endpoint, token: &str) -> Answer {
        assert_eq!((endpoint.client_id.as_str(), token.is_empty()), ("hub", false));
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.answers.acquire().await.expect("it is never closed").forget();
        self.answers.add_permits(1);
        locked(&self.answer).clone()
    }
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(NOW + seconds, 0).expect("an instant")
}

fn answer() -> Value {
    json!({
        "active": true, "iss": ISSUER, "aud": "clb-hub", "sub": "someone", "client_id": "front-end",
        "token_type": "Bearer", "scope": "hub other", "iat": NOW, "exp": NOW + 300,
        "acr": "strong", "auth_time": NOW, "vo_orgcode": "0123456", "username": "canary",
    })
}

/// The value with one member set, or taken away where it is null.
fn with(mut object: Value, name: &str, value: Value) -> Value {
    let members = object.as_object_mut().expect("an object");
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
    object
}

/// An issuer that answers so, as often as it is asked, and a hub that asks it.
fn hub(answer: &Value) -> (Arc<Issuer>, Introspection) {
    let issuer = Arc::new(Issuer {
        answer: Mutex::new(Ok(answer.to_string().into_bytes())),
        asked: AtomicUsize::new(0),
        answers: Semaphore::new(1),
    });
    let mut profile = Profile::new(ISSUER, "clb-hub");
    profile.scope = Some("hub".to_owned());
    profile.assurance = vec!["strong".to_owned()];
    let endpoint = Endpoint {
        url: "https://acm.example/op/v1/introspect".to_owned(),
        client_id: "hub".to_owned(),
        secret: SecretString::from("canary"),
    };
    (issuer.clone(), Introspection::new(profile, endpoint, issuer))
}

/// Who a token proves by this answer.
async fn proven(answer: &Value) -> Result<(String, bool), Refused> {
    let judged = hub(answer).1.judge(TOKEN, at(0)).await;
    judged.map(|identity| (identity.subject, identity.assured))
}

#[tokio::test]
async fn who_the_issuer_says_is_let_in() {
    let person = Ok(("someone".to_owned(), true));
    for answer in [
        answer(),
        with(answer(), "aud", json!(["account", "clb-hub"])),
        with(answer(), "token_type", json!("bearer")),
        // What RFC 7662 leaves to the issuer.
        with(answer(), "iss", Value::Null),
        with(answer(), "iat", Value::Null),
        with(answer(), "token_type", Value::Null),
        with(answer(), "client_id", Value::Null),
        // What is not known is not read.
        with(answer(), "role", json!(["director"])),
        with(answer(), "nbf", json!(NOW + 30)),
    ] {
        assert_eq!(proven(&answer).await, person, "{answer}");
    }
    let (_, hub) = hub(&answer());
    let identity = hub.judge(TOKEN, at(0)).await.expect("a good token");
    assert_eq!((identity.issuer.as_str(), identity.expires_at), (ISSUER, at(330)));
}

/// R24: the same two members as of a JWT, and a minute later too.
#[tokio::test]
async fn an_answer_assures_by_its_means_and_its_age() {
    let weak = Ok(("someone".to_owned(), false));
    for (name, value) in [
        ("acr", Value::Null),
        ("acr", json!("weak")),
        ("acr", json!(["strong"])),
        ("auth_time", Value::Null),
        ("auth_time", json!(NOW - 12 * 3_600)),
        ("auth_time", json!("now")),
    ] {
        assert_eq!(
            proven(&with(answer(), name, value.clone())).await,
            weak,
            "{name} {value}"
        );
    }
    let (issuer, hub) = hub(&with(answer(), "auth_time", json!(NOW - 12 * 3_600 + 20)));
    let assured = async |second| hub.judge(TOKEN, at(second)).await.expect("a good token").assured;
    assert!(assured(0).await && assured(19).await);
    assert!(!assured(20).await, "kept, and too old by now");
    assert_eq!(issuer.asked(), 1);
}

/// Where nobody signed in, the subject is the client, under a name that nobody else can have.
#[tokio::test]
async fn a_client_is_not_taken_for_a_person_of_its_name() {
    let client = with(with(answer(), "sub", Value::Null), "client_id", json!("someone"));
    let proven_client = proven(&client).await.map(|(subject, _)| subject);
    assert_eq!(proven_client, Ok("client:someone".to_owned()));
    let posing = with(answer(), "sub", json!("client:someone"));
    assert_eq!(proven(&posing).await, Err(Refused::Subject));
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one table, one row an answer")]
async fn every_lying_answer_is_refused_for_its_own_reason() {
    let said = |name: &str, value: Value| with(answer(), name, value).to_string();
    let twice = |more: &str| answer().to_string().replacen('{', &format!("{{{more},"), 1);
    let bad: Vec<(&str, String, Refused)> = vec![
        ("nothing", String::new(), Refused::IntrospectionMalformed),
        ("no JSON", "active".to_owned(), Refused::IntrospectionMalformed),
        ("a list", "[true]".to_owned(), Refused::IntrospectionMalformed),
        (
            "cut",
            answer().to_string().replace('}', ""),
            Refused::IntrospectionMalformed,
        ),
        (
            "two answers",
            format!("{}{}", answer(), answer()),
            Refused::IntrospectionMalformed,
        ),
        (
            "active twice",
            twice("\"active\":false"),
            Refused::IntrospectionMalformed,
        ),
        (
            "sub twice",
            twice("\"sub\":\"director\""),
            Refused::IntrospectionMalformed,
        ),
        ("acr twice", twice("\"acr\":\"weak\""), Refused::IntrospectionMalformed),
        (
            "no active",
            said("active", Value::Null),
            Refused::IntrospectionMalformed,
        ),
        (
            "active a text",
            said("active", json!("true")),
            Refused::IntrospectionMalformed,
        ),
        (
            "active a number",
            said("active", json!(1)),
            Refused::IntrospectionMalformed,
        ),
        ("inactive", json!({ "active": false }).to_string(), Refused::Inactive),
        ("inactive with claims", said("active", json!(false)), Refused::Inactive),
        (
            "iss another",
            said("iss", json!("https://acm.example/op/")),
            Refused::UnknownIssuer,
        ),
        ("iss a list", said("iss", json!([ISSUER])), Refused::UnknownIssuer),
        ("a DPoP token", said("token_type", json!("DPoP")), Refused::TokenType),
        (
            "token_type a list",
            said("token_type", json!(["Bearer"])),
            Refused::TokenType,
        ),
        ("no aud", said("aud", Value::Null), Refused::AudienceMalformed),
        ("aud a number", said("aud", json!(7)), Refused::AudienceMalformed),
        ("aud empty", said("aud", json!([])), Refused::AudienceMalformed),
        ("aud another", said("aud", json!("lars")), Refused::Audience),
        ("aud a prefix", said("aud", json!("clb-hub.evil")), Refused::Audience),
        ("no exp", said("exp", Value::Null), Refused::ExpiryMalformed),
        ("exp a text", said("exp", json!("1790000300")), Refused::ExpiryMalformed),
        ("exp passed", said("exp", json!(NOW - 30)), Refused::Expired),
        ("exp too far", said("exp", json!(NOW + 3_601)), Refused::Lifetime),
        (
            "exp far from now, no iat",
            with(with(answer(), "iat", Value::Null), "exp", json!(NOW + 3_601)).to_string(),
            Refused::Lifetime,
        ),
        ("iat a text", said("iat", json!("now")), Refused::IssuedMalformed),
        ("iat ahead", said("iat", json!(NOW + 31)), Refused::IssuedAhead),
        ("nbf ahead", said("nbf", json!(NOW + 31)), Refused::NotYet),
        ("nbf a text", said("nbf", json!("now")), Refused::NotBeforeMalformed),
        ("sub a number", said("sub", json!(42)), Refused::Subject),
        ("sub empty", said("sub", json!("")), Refused::Subject),
        ("sub with a line end", said("sub", json!("a\nb")), Refused::Subject),
        ("sub too long", said("sub", json!("s".repeat(256))), Refused::Subject),
        (
            "nobody at all",
            with(with(answer(), "sub", Value::Null), "client_id", Value::Null).to_string(),
            Refused::Subject,
        ),
        (
            "client_id empty",
            with(with(answer(), "sub", Value::Null), "client_id", json!("")).to_string(),
            Refused::Subject,
        ),
        (
            "client_id a number",
            with(with(answer(), "sub", Value::Null), "client_id", json!(7)).to_string(),
            Refused::Subject,
        ),
        (
            "bound to a certificate",
            said("cnf", json!({ "x5t#S256": "x" })),
            Refused::Bound,
        ),
        ("scope a list", said("scope", json!(["hub"])), Refused::ScopeMalformed),
        ("no scope", said("scope", Value::Null), Refused::Scope),
        (
            "scope of which ours is a part",
            said("scope", json!("hubby")),
            Refused::Scope,
        ),
    ];
    for (name, answer, reason) in &bad {
        let (issuer, hub) = hub(&Value::Null);
        issuer.says(Ok(answer.clone().into_bytes()));
        assert_eq!(hub.judge(TOKEN, at(0)).await, Err(*reason), "{name}");
    }
    for (unanswered, reason) in [
        (Unanswered::Unavailable, Refused::IntrospectionUnavailable),
        (Unanswered::Refused, Refused::IntrospectionDenied),
        (Unanswered::Malformed, Refused::IntrospectionMalformed),
    ] {
        let (issuer, hub) = hub(&answer());
        issuer.says(Err(unanswered));
        assert_eq!(hub.judge(TOKEN, at(0)).await, Err(reason));
    }
}

#[tokio::test]
async fn a_yes_counts_for_a_minute_and_a_no_for_ten_seconds() {
    let (issuer, hub) = hub(&answer());
    let judged = async |second| hub.judge(TOKEN, at(second)).await.map(|_| ());
    assert_eq!(judged(0).await, Ok(()));
    issuer.tells(&json!({ "active": false }));
    assert_eq!((judged(59).await, issuer.asked()), (Ok(()), 1));
    assert_eq!(
        (judged(60).await, issuer.asked()),
        (Err(Refused::Inactive), 2),
        "revoked"
    );
    issuer.tells(&answer());
    assert_eq!((judged(69).await, issuer.asked()), (Err(Refused::Inactive), 2));
    assert_eq!((judged(70).await, issuer.asked()), (Ok(()), 3));
    // A clock that is put back by an hour does not make that minute an hour.
    issuer.tells(&json!({ "active": false }));
    assert_eq!((judged(-3_530).await, issuer.asked()), (Err(Refused::Inactive), 4));
}

#[tokio::test]
async fn no_answer_is_kept_beyond_the_end_of_the_token() {
    let (issuer, hub) = hub(&with(answer(), "exp", json!(NOW + 20)));
    let judged = async |second| hub.judge(TOKEN, at(second)).await.map(|_| ());
    assert_eq!((judged(0).await, judged(19).await, issuer.asked()), (Ok(()), Ok(()), 1));
    issuer.tells(&json!({ "active": false }));
    assert_eq!((judged(20).await, issuer.asked()), (Err(Refused::Inactive), 2));
}

#[tokio::test]
async fn an_issuer_that_is_down_lets_nobody_in_and_is_only_knocked_at() {
    let (issuer, hub) = hub(&answer());
    let judged = async |token: &str, second| hub.judge(token, at(second)).await.map(|_| ());
    assert_eq!(judged("known", 0).await, Ok(()));
    issuer.says(Err(Unanswered::Unavailable));
    let down = Err(Refused::IntrospectionUnavailable);
    assert_eq!(judged("known", 59).await, Ok(()));
    for number in 0..5 {
        assert_eq!(judged("known", 60).await, down, "{number}: its minute is over");
    }
    assert_eq!(issuer.asked(), 6);
    assert_eq!(judged("other", 89).await, down);
    assert_eq!(issuer.asked(), 6, "in the pause nobody is asked");
    assert_eq!(judged("other", 90).await, down);
    assert_eq!(judged("another", 90).await, down);
    assert_eq!(issuer.asked(), 7, "behind it one tries");
    // The clock that is put back does not keep the pause for an hour.
    assert_eq!((judged("other", -3_600).await, issuer.asked()), (down, 8));
    issuer.tells(&answer());
    assert_eq!(judged("known", 120).await, Ok(()));
    assert_eq!(
        (judged("other", 120).await, issuer.asked()),
        (Ok(()), 10),
        "all are asked again"
    );
}

/// Whoever can make the issuer answer nonsense to one token must not shut the door to all.
#[tokio::test]
async fn what_is_no_answer_is_not_kept_and_makes_no_pause() {
    for (unanswered, reason) in [
        (Unanswered::Malformed, Refused::IntrospectionMalformed),
        (Unanswered::Refused, Refused::IntrospectionDenied),
    ] {
        let (issuer, hub) = hub(&answer());
        issuer.says(Err(unanswered));
        for _ in 0..20 {
            assert_eq!(hub.judge(TOKEN, at(0)).await, Err(reason));
        }
        issuer.tells(&answer());
        assert!(hub.judge(TOKEN, at(0)).await.is_ok());
        assert_eq!(issuer.asked(), 21);
    }
}

#[tokio::test]
async fn of_a_hundred_with_one_token_one_asks() {
    let (issuer, hub) = hub(&answer());
    issuer.answers.forget_permits(1);
    let all = join_all((0..100).map(|_| hub.judge(TOKEN, at(0))));
    let (all, ()) = tokio::join!(all, async { issuer.answers.add_permits(1) });
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(issuer.asked(), 1);

    // A no, and no answer at all, are shared as well.
    for (answer, reason) in [
        (Ok(b"{\"active\":false}".to_vec()), Refused::Inactive),
        (Err(Unanswered::Unavailable), Refused::IntrospectionUnavailable),
    ] {
        issuer.says(answer);
        let before = issuer.asked();
        issuer.answers.forget_permits(1);
        let all = join_all((0..100).map(|_| hub.judge("another", at(60))));
        let (all, ()) = tokio::join!(all, async { issuer.answers.add_permits(1) });
        assert!(all.iter().all(|judged| *judged == Err(reason)));
        assert_eq!(issuer.asked(), before + 1);
        // Behind the no that was kept.
        assert!(hub.judge("another", at(69)).await.is_err());
        locked(&hub.0.kept).clear();
    }
}

#[tokio::test]
async fn whoever_asked_and_left_holds_nobody_up() {
    let (issuer, hub) = hub(&answer());
    issuer.answers.forget_permits(1);
    let mut first = Box::pin(hub.judge(TOKEN, at(0)));
    let mut second = Box::pin(hub.judge(TOKEN, at(0)));
    assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
    drop(first);
    issuer.answers.add_permits(1);
    assert!(second.await.is_ok());
    assert_eq!(issuer.asked(), 1, "the second went on with the same question");

    // All of them left: the next one asks anew.
    issuer.answers.forget_permits(1);
    let mut alone = Box::pin(hub.judge("another", at(0)));
    assert!(poll!(&mut alone).is_pending());
    drop(alone);
    issuer.answers.add_permits(1);
    assert!(hub.judge("another", at(0)).await.is_ok());
    assert_eq!(issuer.asked(), 3);
    assert_eq!(locked(&hub.0.under_way).len(), 1, "and nothing of those before is kept");
}

#[tokio::test]
async fn so_many_questions_at_once_and_so_many_answers_kept() {
    let (issuer, hub) = hub(&answer());
    issuer.answers.forget_permits(1);
    let tokens: Vec<String> = (0..40).map(|number| format!("t{number}")).collect();
    let all = join_all(tokens.iter().map(|token| hub.judge(token, at(0))));
    let (all, ()) = tokio::join!(all, async {
        assert_eq!(issuer.asked(), 32, "the others wait for a turn");
        issuer.answers.add_permits(1);
    });
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(issuer.asked(), 40);
    for number in 0..10_000 {
        assert!(hub.judge(&format!("n{number}"), at(0)).await.is_ok());
    }
    assert_eq!(locked(&hub.0.kept).len(), 10_000);
    assert!(hub.judge("t0", at(0)).await.is_ok());
    assert_eq!(issuer.asked(), 10_041, "the oldest made room");
}

/// A token in three parts that begins with a header is judged by keys alone, a broken one too; it is shown to nobody.
#[tokio::test]
async fn only_what_says_nothing_itself_is_asked_about() {
    let (issuer, hub) = hub(&answer());
    let verifier = Verifier::new([]).with_opaque(Some(hub));
    let verify = async |token: &str| verifier.verify(token, at(0)).await.map(|identity| identity.subject);
    for opaque in ["LTgaAik7F-smmQ65_nVfag==", "a.b.c", "v2.local.canary", "a~b+c/d"] {
        assert_eq!(verify(opaque).await, Ok("someone".to_owned()), "{opaque}");
    }
    assert_eq!(issuer.asked(), 4);
    // `{"alg":"ES256"}` and so on.
    let (header, payload) = ("eyJhbGciOiJFUzI1NiJ9", "eyJpc3MiOiJ4In0");
    for (token, reason) in [
        (format!("{header}.{payload}.c2ln"), Refused::UnknownIssuer),
        (format!("{header}.{payload}."), Refused::Malformed),
        (format!("{header}.{payload}"), Refused::Malformed),
        (format!("{header}.a.b.c.d"), Refused::Malformed),
        (String::new(), Refused::Malformed),
        ("==".to_owned(), Refused::Malformed),
        ("a b".to_owned(), Refused::Malformed),
        ("a=b".to_owned(), Refused::Malformed),
        ("caf\u{e9}".to_owned(), Refused::Malformed),
        ("a\n".to_owned(), Refused::Malformed),
        ("x".repeat(8 * 1_024 + 1), Refused::TooLarge),
    ] {
        assert_eq!(verify(&token).await, Err(reason), "{token:.40}");
    }
    assert_eq!(issuer.asked(), 4);
    // Where nobody is asked, there are JWTs alone.
    assert_eq!(Verifier::new([]).verify(TOKEN, at(0)).await, Err(Refused::Malformed));
}

#[tokio::test]
async fn no_log_and_no_debug_holds_a_token_or_a_secret() {
    let log = Log::default();
    let subscriber = telemetry::subscriber(Level::Trace, Format::Text, log.clone(), None);
    let guard = tracing::subscriber::set_default(subscriber);
    let (issuer, hub) = hub(&answer());
    assert!(hub.judge(TOKEN, at(0)).await.is_ok());
    issuer.says(Err(Unanswered::Unavailable));
    assert!(hub.judge(TOKEN, at(60)).await.is_err());
    drop(guard);
    let told = format!("{} {hub:?} {:?}", log.text(), hub.0.endpoint);
    assert!(told.contains("does not answer") && !told.contains("canary"), "{told}");
}
