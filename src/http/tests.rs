//! The door, with a tiny schema behind it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use async_graphql::{Object, Schema};
use async_trait::async_trait;
use axum::body::{Body, Bytes};
use axum::response::Response;
use chrono::{DateTime, Utc};
use futures::stream::{BoxStream, StreamExt as _};
use http::{Method, Request, StatusCode};
use hub_entities::id::{PrincipalId, SchoolId, SeededIds};
use hub_entities::operation::{Actor, Operation, Realm, Role};
use hub_entities::time::FixedClock;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tower::ServiceExt as _;
use uuid::Uuid;

mod events;
mod sockets;
mod taken_back;
mod unfit;
mod whole;

use super::service::Unavailable;
use super::*;
use crate::app::SignedIn;
use crate::auth::demo_issuer::DemoIssuer;
use crate::telemetry::testing::Kept;
use crate::telemetry::{self, Format, Level};

const ISSUER: &str = "http://127.0.0.1:4000";

struct Query(bool);

#[Object]
impl Query {
    async fn realm(&self, ctx: &async_graphql::Context<'_>) -> String {
        let realm = ctx.data_unchecked::<Operation>().realm();
        realm.map(|realm| realm.name().to_owned()).unwrap_or_default()
    }

    async fn purpose(&self, ctx: &async_graphql::Context<'_>) -> Option<String> {
        ctx.data_unchecked::<Operation>()
            .purpose
            .map(|purpose| purpose.name().to_owned())
    }

    async fn echo(&self, text: String) -> String {
        text
    }

    async fn day(&self, on: chrono::NaiveDate) -> String {
        on.to_string()
    }

    async fn fault(&self) -> async_graphql::FieldResult<i32> {
        std::future::ready(()).await;
        Err("canary-fault: SELECT name FROM pupil".into())
    }

    async fn boom(&self) -> i32 {
        std::future::ready(()).await;
        if self.0 { 0 } else { panic!("canary-panic") }
    }

    async fn never(&self) -> i32 {
        std::future::pending().await
    }
}

struct Mutation;

#[Object]
impl Mutation {
    async fn write(&self, ctx: &async_graphql::Context<'_>) -> bool {
        ctx.data_unchecked::<Arc<AtomicUsize>>().fetch_add(1, Ordering::Relaxed);
        true
    }
}

struct Service {
    schema: Schema<Query, Mutation, Subscription>,
    numbers: broadcast::Sender<i32>,
    waiting: AtomicU64,
    /// How often it was asked of each request how much waits.
    looks: Mutex<HashMap<Uuid, u64>>,
    writes: Arc<AtomicUsize>,
    executed: AtomicUsize,
}

#[async_trait]
impl GraphqlService for Service {
    async fn execute(
        &self,
        _: Realm,
        request: async_graphql::Request,
        operation: Operation,
        _: SignedIn,
    ) -> async_graphql::Response {
        self.executed.fetch_add(1, Ordering::Relaxed);
        self.schema
            .execute(request.data(operation).data(Arc::clone(&self.writes)))
            .await
    }

    fn subscribe(
        &self,
        _: Realm,
        request: async_graphql::Request,
        operation: Operation,
    ) -> BoxStream<'static, async_graphql::Response> {
        let request = request.data(operation).data(self.numbers.clone());
        self.schema.execute_stream(request).boxed()
    }

    fn waiting(&self, request: Uuid) -> u64 {
        *self.looks.lock().unwrap().entry(request).or_default() += 1;
        self.waiting.load(Ordering::Relaxed)
    }
}

struct Subscription;

#[async_graphql::Subscription]
impl Subscription {
    /// The numbers that the test sends from now on, each as an update.
    async fn numbers(&self, ctx: &async_graphql::Context<'_>) -> BoxStream<'static, Numbered> {
        let numbers = ctx.data_unchecked::<broadcast::Sender<i32>>().subscribe();
        let numbers = futures::stream::unfold(numbers, async |mut numbers| {
            let number = numbers.recv().await.ok()?;
            Some((number, numbers))
        });
        numbers.map(|number| Numbered { number }).boxed()
    }

    /// As much as anyone takes.
    async fn endless(&self) -> BoxStream<'static, String> {
        futures::stream::repeat("x".repeat(1_000)).boxed()
    }

    /// Where a client said that it stands.
    async fn resumed(&self, ctx: &async_graphql::Context<'_>) -> BoxStream<'static, Option<String>> {
        let resume = ctx.data_opt::<hub_graphql::alert::Resume>();
        let resume = resume.map(|resume| resume.0.clone());
        futures::stream::iter([resume]).boxed()
    }
}

struct Numbered {
    number: i32,
}

#[Object]
impl Numbered {
    async fn number(&self) -> i32 {
        self.number
    }

    async fn cursor(&self) -> String {
        format!("cursor-{}", self.number)
    }
}

struct Rows;

#[async_trait]
impl Principals for Rows {
    async fn find(&self, issuer: &str, subject: &str, _: DateTime<Utc>) -> Result<Option<SignedIn>, Unavailable> {
        assert_eq!(issuer, ISSUER);
        match subject {
            "vendor" => Ok(Some(SignedIn::alone(Actor::Principal {
                id: PrincipalId(Uuid::nil()),
                role: Role::SchoolClient,
                school: Some(SchoolId(Uuid::nil())),
                clb: None,
                pupil: None,
            }))),
            "job" => Ok(Some(SignedIn::alone(Actor::Hub))),
            "down" => Err(Unavailable),
            _ => Ok(None),
        }
    }
}

#[async_trait]
impl Ready for Rows {
    async fn ready(&self) -> Result<(), &'static str> {
        Err("migrations are missing\n")
    }
}

struct World {
    router: Router,
    issuer: DemoIssuer,
    service: Arc<Service>,
    now: DateTime<Utc>,
}

fn world_with(change: impl FnOnce(&mut Edge)) -> World {
    let now = DateTime::from_timestamp(1_790_000_000, 0).expect("an instant");
    let key = crate::runtime::new_signing_key().expect("randomness");
    let issuer = DemoIssuer::new(ISSUER, "clb-hub", &key).expect("a key");
    let schema = Schema::build(Query(false), Mutation, Subscription).finish();
    let service = Arc::new(Service {
        schema,
        numbers: broadcast::Sender::new(100),
        waiting: AtomicU64::new(0),
        looks: Mutex::default(),
        writes: Arc::default(),
        executed: AtomicUsize::new(0),
    });
    let mut edge = Edge {
        service: Arc::<Service>::clone(&service),
        principals: Arc::new(Rows),
        verifier: Verifier::new([issuer.trust().expect("a key")]),
        ready: Arc::new(Rows),
        clock: Arc::new(FixedClock(now)),
        ids: Arc::new(SeededIds::new(1)),
        limits: Limits::DEFAULT,
        lists: Lists::of_schemas(),
        documents: Documents::default(),
        bounds: Bounds::DEFAULT,
        streams: Arc::new(Streams::new(streams::Bounds::DEFAULT)),
        metrics: telemetry::recorder().handle(),
    };
    change(&mut edge);
    World {
        router: router(Arc::new(edge)),
        issuer,
        service,
        now,
    }
}

fn world() -> World {
    world_with(|_| {})
}

const GRAPHQL: &str = "application/graphql-response+json";

impl World {
    fn post(&self, subject: &str) -> http::request::Builder {
        let token = self.issuer.mint(subject, self.now, Uuid::nil()).expect("a token");
        Request::post("/graphql")
            .header("content-type", "application/json")
            .header("accept", GRAPHQL)
            .header("authorization", format!("Bearer {token}"))
    }

    async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.expect("an answer")
    }

    async fn ask_as(&self, accept: &str, body: &Value) -> (StatusCode, Value) {
        let mut request = self
            .post("vendor")
            .body(Body::from(body.to_string()))
            .expect("a request");
        request
            .headers_mut()
            .insert("accept", accept.parse().expect("a header"));
        read(self.send(request).await).await
    }

    async fn ask(&self, query: &str) -> (StatusCode, Value) {
        self.ask_as(GRAPHQL, &json!({ "query": query })).await
    }

    fn executed(&self) -> usize {
        self.service.executed.load(Ordering::Relaxed)
    }
}

async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1_000_000)
        .await
        .expect("a body");
    (status, serde_json::from_slice(&body).expect("JSON"))
}

fn code(body: &Value) -> &str {
    assert!(body.get("data").is_none(), "{body}");
    body["errors"][0]["extensions"]["code"].as_str().expect("a code")
}

#[tokio::test]
async fn a_query_is_answered_in_the_realm_of_its_principal() {
    let world = world();
    let request = world.post("vendor").header("clb-purpose", "administration");
    let request = request
        .body(Body::from(r#"{"query":"{ realm purpose }"}"#))
        .expect("a request");
    let response = world.send(request).await;
    let header = |name: &str| response.headers()[name].to_str().expect("text").to_owned();
    assert_eq!(header("cache-control"), "private, no-store");
    assert_eq!(
        header("content-type"),
        "application/graphql-response+json; charset=utf-8"
    );
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("vary"), "Accept, Authorization");
    assert_eq!(header("x-request-id").len(), 36);
    let (status, body) = read(response).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        body,
        json!({ "data": { "realm": "school", "purpose": "administration" } })
    );
}

#[tokio::test]
async fn a_refused_document_has_no_data_and_the_status_of_its_media_type() {
    let world = world();
    let coerced = json!({ "query": "query ($a: String!) { __typename }", "variables": { "a": null } });
    for body in [
        json!({ "query": "{ realm " }),
        json!({ "query": "{ relm }" }),
        json!({ "query": "{ echo(text: 7) }" }),
        json!({ "query": "query ($a: String!) { echo(text: $a) }", "variables": { "a": 7 } }),
        json!({ "query": "query A { realm } query B { realm }" }),
        json!({ "query": "query A { realm }", "operationName": "B" }),
        coerced,
    ] {
        let (status, answer) = world.ask_as(GRAPHQL, &body).await;
        assert_eq!(
            (status, code(&answer)),
            (StatusCode::BAD_REQUEST, "INVALID_DOCUMENT"),
            "{body}"
        );
        assert!(!answer.to_string().contains("Did you mean"), "{answer}");
        let (status, answer) = world.ask_as("application/json", &body).await;
        assert_eq!((status, code(&answer)), (StatusCode::OK, "INVALID_DOCUMENT"), "{body}");
    }
}

#[tokio::test]
async fn a_request_that_is_not_of_graphql_is_400() {
    let world = world();
    for body in [
        "",
        "{",
        "7",
        "[]",
        r#"[{"query":"{ realm }"}]"#,
        "{}",
        r#"{"query":7}"#,
        r#"{"query":"{ realm }","operationName":7}"#,
        r#"{"query":"{ realm }","variables":[]}"#,
        r#"{"query":"{ realm }","variables":"{}"}"#,
        r#"{"query":"{ realm }","extensions":7}"#,
    ] {
        let request = world.post("vendor").body(Body::from(body)).expect("a request");
        let (status, answer) = read(world.send(request).await).await;
        assert_eq!(
            (status, code(&answer)),
            (StatusCode::BAD_REQUEST, "BAD_REQUEST"),
            "{body}"
        );
    }
    assert_eq!(world.executed(), 0);
}

#[tokio::test]
async fn what_a_form_of_a_browser_can_send_does_nothing() {
    let world = world();
    let mutation = r#"{"query":"mutation { write }"}"#;
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
    ] {
        let mut request = world.post("vendor").body(Body::from(mutation)).expect("a request");
        request
            .headers_mut()
            .insert("content-type", content_type.parse().expect("a header"));
        assert_eq!(world.send(request).await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let mut bare = world.post("vendor").body(Body::from(mutation)).expect("a request");
    bare.headers_mut().remove("content-type");
    assert_eq!(world.send(bare).await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::OPTIONS, Method::HEAD] {
        let mut request = world.post("vendor").body(Body::empty()).expect("a request");
        *request.method_mut() = method;
        *request.uri_mut() = "/graphql?query=%7B%20realm%20%7D".parse().expect("an address");
        let response = world.send(request).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()["allow"], "POST");
    }
    assert_eq!(world.executed(), 0);
}

#[tokio::test]
async fn a_get_answers_queries_where_it_is_allowed_and_never_writes() {
    let world = world_with(|edge| edge.bounds.get_queries = true);
    let get = async |query: &str| {
        let mut request = world.post("vendor").body(Body::empty()).expect("a request");
        *request.method_mut() = Method::GET;
        *request.uri_mut() = format!("/graphql?{query}").parse().expect("an address");
        let response = world.send(request).await;
        (
            response.status(),
            response
                .headers()
                .get("allow")
                .map(|allow| allow.to_str().expect("text").to_owned()),
        )
    };
    assert_eq!(get("query=%7Brealm%7D").await, (StatusCode::OK, None));
    assert_eq!(get("query=%7Brealm%7D&variables=%7B%7D").await, (StatusCode::OK, None));
    assert_eq!(
        get("query=%7Brealm%7D&query=%7Brealm%7D").await,
        (StatusCode::BAD_REQUEST, None)
    );
    let post_only = (StatusCode::METHOD_NOT_ALLOWED, Some("POST".to_owned()));
    assert_eq!(get("query=mutation%7Bwrite%7D").await, post_only);
    assert_eq!(
        get("query=query%20A%7Brealm%7Dmutation%20B%7Bwrite%7D&operationName=B").await,
        post_only
    );
    assert_eq!(world.service.writes.load(Ordering::Relaxed), 0);
    assert_eq!(world.ask("mutation { write }").await.0, StatusCode::OK);
    assert_eq!(world.service.writes.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn only_a_good_token_of_a_known_principal_comes_in() {
    let world = world();
    let body = || Body::from(r#"{"query":"{ realm }"}"#);
    let status = async |request: Request<Body>| {
        let response = world.send(request).await;
        let challenge = response
            .headers()
            .get("www-authenticate")
            .map(|value| value.to_str().expect("text").to_owned());
        let (status, body) = read(response).await;
        (status, code(&body).to_owned(), challenge)
    };
    let mut bare = world.post("vendor").body(body()).expect("a request");
    bare.headers_mut().remove("authorization");
    let (refused, ours) = (StatusCode::UNAUTHORIZED, "Bearer realm=\"clb-hub\"".to_owned());
    assert_eq!(
        status(bare).await,
        (refused, "UNAUTHENTICATED".to_owned(), Some(ours.clone()))
    );
    let mut forged = world.post("vendor").body(body()).expect("a request");
    forged
        .headers_mut()
        .insert("authorization", "Bearer abc".parse().expect("a header"));
    let challenge = Some(format!("{ours}, error=\"invalid_token\""));
    assert_eq!(status(forged).await, (refused, "UNAUTHENTICATED".to_owned(), challenge));
    for (subject, expected) in [
        ("nobody", (StatusCode::FORBIDDEN, "NO_PRINCIPAL")),
        ("job", (StatusCode::FORBIDDEN, "NO_PRINCIPAL")),
        ("down", (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE")),
    ] {
        let request = world.post(subject).body(body()).expect("a request");
        let (status, code, _) = status(request).await;
        assert_eq!((status, code.as_str()), expected, "{subject}");
    }
    for purpose in ["curiosity", "Guidance", ""] {
        let request = world
            .post("vendor")
            .header("clb-purpose", purpose)
            .body(body())
            .expect("a request");
        let (status, code, _) = status(request).await;
        assert_eq!((status, code.as_str()), (StatusCode::BAD_REQUEST, "BAD_PURPOSE"));
    }
    assert_eq!(world.executed(), 0);
}

#[tokio::test]
async fn a_body_over_the_bound_is_refused_unread() {
    let world = world();
    let mut declared = world
        .post("vendor")
        .body(Body::from_stream(futures::stream::pending::<
            Result<Bytes, std::io::Error>,
        >()))
        .expect("a request");
    declared.headers_mut().insert("content-length", (1_u64 << 30).into());
    assert_eq!(world.send(declared).await.status(), StatusCode::PAYLOAD_TOO_LARGE);

    let read = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&read);
    let endless = futures::stream::repeat_with(move || {
        counted.fetch_add(1_024, Ordering::Relaxed);
        Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 1_024]))
    });
    let chunked = world
        .post("vendor")
        .body(Body::from_stream(endless))
        .expect("a request");
    assert_eq!(world.send(chunked).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(read.load(Ordering::Relaxed), 257 * 1_024);

    let fill = |size: usize| {
        let bare = r#"{"query":"{ realm }"}"#;
        let body = format!("{bare}{}", " ".repeat(size - bare.len()));
        world.post("vendor").body(Body::from(body)).expect("a request")
    };
    assert_eq!(world.send(fill(256 * 1_024)).await.status(), StatusCode::OK);
    assert_eq!(
        world.send(fill(256 * 1_024 + 1)).await.status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

#[tokio::test]
async fn what_takes_too_long_is_cut() {
    let slow_body = world_with(|edge| edge.bounds.body_time = Duration::ZERO);
    let body = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
    let request = slow_body.post("vendor").body(body).expect("a request");
    assert_eq!(slow_body.send(request).await.status(), StatusCode::REQUEST_TIMEOUT);

    let slow_answer = world_with(|edge| edge.bounds.request_time = Duration::ZERO);
    let (status, body) = slow_answer.ask("{ never }").await;
    assert_eq!((status, code(&body)), (StatusCode::SERVICE_UNAVAILABLE, "TIMEOUT"));
}

#[tokio::test]
async fn limits_are_held_before_anything_runs() {
    let world = world();
    for (query, expected) in [
        (format!("{{ echo(text: {}", "[".repeat(500)), "LIMIT_NESTING"),
        (format!("{{ {} }}", "realm ".repeat(2_000)), "LIMIT_TOKENS"),
        (format!("{{ {} }}", "realm ".repeat(11)), "LIMIT_ROOT_FIELDS"),
        (
            format!("{{ realm {} }}", "@include(if: true) ".repeat(51)),
            "LIMIT_DIRECTIVES",
        ),
        ("{ a(first: 30000) { b } }".to_owned(), "LIMIT_COST"),
        ("{ __schema { types { name } } }".to_owned(), "INTROSPECTION_OFF"),
    ] {
        for accept in [GRAPHQL, "application/json"] {
            let (status, body) = world.ask_as(accept, &json!({ "query": query })).await;
            assert_eq!((status, code(&body)), (StatusCode::BAD_REQUEST, expected));
        }
    }
    assert_eq!(world.executed(), 0);
}

// What was read before is not read again, but it is weighed again: what it costs hangs on its variables.
#[tokio::test]
async fn a_document_that_was_read_is_held_to_its_limits_each_time() {
    let world = world();
    let query = "query One { realm } query Other($n: Int) { b(first: $n) { c { d } } }";
    let ask = async |n: i32| {
        let body = json!({ "query": query, "operationName": "Other", "variables": { "n": n } });
        let (_, body) = world.ask_as(GRAPHQL, &body).await;
        code(&body).to_owned()
    };
    for (n, expected) in [
        (5, "INVALID_DOCUMENT"),
        (201, "PAGE_INVALID"),
        (30_000, "LIMIT_COST"),
        (5, "INVALID_DOCUMENT"),
    ] {
        assert_eq!(ask(n).await, expected, "{n}");
    }
    let asked_for = |text: &str| format!("{{ echo(text: \"{text}\") }}");
    for text in ["a", "b", "a"] {
        let (status, body) = world.ask(&asked_for(text)).await;
        assert_eq!((status, &body["data"]["echo"]), (StatusCode::OK, &json!(text)));
    }
}

#[tokio::test]
async fn a_fault_is_told_in_general_words() {
    let world = world();
    let (status, body) = world.ask("{ fault }").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["errors"][0]["message"], "internal error");
    assert_eq!(body["errors"][0]["extensions"]["code"], "INTERNAL");
    assert_eq!(body["errors"][0]["path"], json!(["fault"]));
    assert!(!body.to_string().contains("canary"), "{body}");
    let (status, body) = world.ask("{ boom }").await;
    assert_eq!((status, code(&body)), (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL"));
    assert!(!body.to_string().contains("canary"), "{body}");
    let (status, _) = world.ask("{ realm }").await;
    assert_eq!(status, StatusCode::OK, "and the next request is served");
}
