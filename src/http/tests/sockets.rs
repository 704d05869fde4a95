//! Sockets and event streams: every code with which one is closed, and that none outlives its token.

use std::sync::Mutex;

use futures::SinkExt as _;
use hub_entities::time::Clock;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::*;

/// A clock that a test moves on.
struct Hands(Mutex<DateTime<Utc>>);

impl Clock for Hands {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().expect("a lock")
    }
}

/// A hub that listens.
pub(super) struct Listening {
    address: String,
    pub(super) world: World,
    clock: Arc<Hands>,
    pub(super) streams: Arc<Streams>,
    stop: tokio::sync::oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

/// Quick where a test waits for it to come, slow where it must not.
pub(super) fn quick() -> streams::Bounds {
    streams::Bounds {
        tick: Duration::from_millis(5),
        origins: vec!["https://front.example".to_owned()],
        ..streams::Bounds::DEFAULT
    }
}

pub(super) async fn listening(bounds: streams::Bounds) -> Listening {
    listening_with(bounds, |_| {}).await
}

pub(super) async fn listening_with(bounds: streams::Bounds, change: impl FnOnce(&mut Edge)) -> Listening {
    let mut clock = None;
    let streams = Arc::new(Streams::new(bounds));
    let world = world_with(|edge| {
        let hands = Arc::new(Hands(Mutex::new(edge.clock.now())));
        edge.clock = hands.clone();
        edge.streams = streams.clone();
        clock = Some(hands);
        change(edge);
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopping = streams.until(async move { drop(stopped.await) });
    let serving = tokio::spawn(serve::serve(
        listener,
        world.router.clone(),
        stopping,
        serve::Patience::DEFAULT,
    ));
    Listening {
        address,
        world,
        clock: clock.expect("a clock"),
        streams,
        stop,
        serving,
    }
}

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl Listening {
    pub(super) fn token(&self, subject: &str) -> String {
        self.world
            .issuer
            .mint(subject, self.world.now, Uuid::nil())
            .expect("a token")
    }

    pub(super) fn pass(&self, seconds: i64) {
        let mut now = self.clock.0.lock().expect("a lock");
        *now += chrono::TimeDelta::seconds(seconds);
    }

    /// The answer to an upgrade with these headers: a socket, or a status and what it says.
    async fn open(&self, headers: &[(&'static str, &str)]) -> Result<Socket, (u16, String)> {
        let mut request = format!("ws://{}/graphql/ws", self.address)
            .into_client_request()
            .expect("a request");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(answer)) => {
                let body = answer.body().clone().unwrap_or_default();
                Err((answer.status().as_u16(), String::from_utf8_lossy(&body).into_owned()))
            }
            Err(other) => panic!("{other}"),
        }
    }

    /// A socket that has not said who it is.
    pub(super) async fn socket(&self) -> Socket {
        self.open(&[PROTOCOL]).await.expect("a socket")
    }

    /// A socket of someone.
    async fn signed_in(&self, subject: &str) -> Socket {
        let mut socket = self.socket().await;
        say(&mut socket, &self.init(subject)).await;
        assert_eq!(hear(&mut socket).await, json!({ "type": "connection_ack" }));
        socket
    }

    fn init(&self, subject: &str) -> Value {
        let authorization = format!("Bearer {}", self.token(subject));
        json!({ "type": "connection_init", "payload": { "Authorization": authorization } })
    }

    /// Until a subscription listens: what is sent before is not heard.
    pub(super) async fn until_heard(&self, listeners: usize) {
        while self.world.service.numbers.receiver_count() < listeners {
            tokio::task::yield_now().await;
        }
    }

    pub(super) async fn end(self) {
        self.stop.send(()).expect("a server");
        self.serving.await.expect("a server").expect("an orderly end");
        self.streams.closed().await;
    }
}

const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

pub(super) async fn say(socket: &mut Socket, message: &Value) {
    socket.send(Message::text(message.to_string())).await.expect("a socket");
}

pub(super) fn subscribe(id: &str, query: &str) -> Value {
    json!({ "id": id, "type": "subscribe", "payload": { "query": query } })
}

/// The next message, or the code with which the socket was closed. A server that says nothing fails the test.
async fn next(socket: &mut Socket) -> Result<Value, Option<CloseFrame>> {
    let next = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Close(frame))) => return Err(frame),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), next)
        .await
        .expect("a word")
}

pub(super) async fn hear(socket: &mut Socket) -> Value {
    next(socket).await.expect("a message")
}

/// The code with which the socket was closed; what is said before it is let go of.
pub(super) async fn closed(socket: &mut Socket) -> u16 {
    loop {
        if let Err(frame) = next(socket).await {
            return frame.map_or(1006, |frame| frame.code.into());
        }
    }
}

#[tokio::test]
async fn a_socket_is_opened_as_the_protocol_says() {
    let hub = listening(quick()).await;
    let refused = async |headers: &[(&'static str, &str)]| hub.open(headers).await.expect_err("refused");
    for (headers, status, code) in [
        (&[][..], 400, "SUBPROTOCOL_NOT_ACCEPTABLE"),
        (
            &[("sec-websocket-protocol", "graphql-ws")],
            400,
            "SUBPROTOCOL_NOT_ACCEPTABLE",
        ),
        (
            &[PROTOCOL, ("origin", "https://evil.example")],
            403,
            "ORIGIN_NOT_ALLOWED",
        ),
        (&[PROTOCOL, ("sec-websocket-version", "8")], 426, "UPGRADE_REQUIRED"),
    ] {
        let (found, body) = refused(headers).await;
        assert_eq!(found, status, "{headers:?}: {body}");
        assert!(body.contains(code) && !body.contains("\"data\""), "{body}");
    }
    assert!(hub.open(&[PROTOCOL, ("origin", "https://front.example")]).await.is_ok());
    let both = ("sec-websocket-protocol", "graphql-ws, graphql-transport-ws");
    assert!(hub.open(&[both]).await.is_ok());
    let request = Request::get("/graphql/ws").body(Body::empty()).expect("a request");
    let (status, body) = read(hub.world.send(request).await).await;
    assert_eq!(status, StatusCode::UPGRADE_REQUIRED, "{body}");
    let request = Request::post("/graphql/ws").body(Body::empty()).expect("a request");
    assert_eq!(hub.world.send(request).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    hub.end().await;
}

#[tokio::test]
async fn what_comes_before_the_acknowledgement_closes_the_socket() {
    let hub = listening(quick()).await;
    let authorization = |text: &str| json!({ "type": "connection_init", "payload": { "authorization": text } });
    for (message, code) in [
        (subscribe("1", "{ realm }"), 4401),
        (json!({ "type": "connection_init" }), 4403),
        (authorization("Bearer nothing"), 4403),
        (authorization(&hub.token("vendor")), 4403),
        (hub.init("nobody"), 4403),
        (hub.init("down"), 1013),
        (json!({ "type": "connection_init", "payload": 7 }), 4400),
        (json!({ "type": "start" }), 4400),
    ] {
        let mut socket = hub.socket().await;
        say(&mut socket, &message).await;
        assert_eq!(closed(&mut socket).await, code, "{message}");
    }
    let mut init = hub.init("vendor");
    init["payload"]["CLB-Purpose"] = json!("curiosity");
    let mut socket = hub.socket().await;
    say(&mut socket, &init).await;
    assert_eq!(closed(&mut socket).await, 4400);
    // A ping may come at any time.
    let mut socket = hub.socket().await;
    say(&mut socket, &json!({ "type": "ping", "payload": { "a": 1 } })).await;
    assert_eq!(
        hear(&mut socket).await,
        json!({ "type": "pong", "payload": { "a": 1 } })
    );
    hub.end().await;
}

#[tokio::test]
async fn whoever_does_not_say_who_it_is_is_let_go() {
    let hub = listening(streams::Bounds {
        init: Duration::from_millis(30),
        ..quick()
    })
    .await;
    let mut socket = hub.socket().await;
    assert_eq!(closed(&mut socket).await, 4408);
    // Who has said so stays, longer than one that comes after it and does not.
    let mut socket = hub.signed_in("vendor").await;
    let mut other = hub.socket().await;
    assert_eq!(closed(&mut other).await, 4408);
    say(&mut socket, &json!({ "type": "ping" })).await;
    assert_eq!(hear(&mut socket).await, json!({ "type": "pong" }));
    hub.end().await;
}

#[tokio::test]
async fn queries_and_mutations_are_answered_through_the_same_door() {
    let hub = listening(quick()).await;
    let mut socket = hub.socket().await;
    let mut init = hub.init("vendor");
    init["payload"]["clb-purpose"] = json!("guidance");
    say(&mut socket, &init).await;
    hear(&mut socket).await;
    for (query, data) in [
        ("{ realm purpose }", json!({ "realm": "school", "purpose": "guidance" })),
        ("mutation { write }", json!({ "write": true })),
    ] {
        say(&mut socket, &subscribe("q", query)).await;
        let next = json!({ "type": "next", "id": "q", "payload": { "data": data } });
        assert_eq!(hear(&mut socket).await, next);
        assert_eq!(hear(&mut socket).await, json!({ "type": "complete", "id": "q" }));
    }
    let aliases = (0..31)
        .map(|alias| format!("a{alias}: realm"))
        .collect::<Vec<_>>()
        .join(" ");
    let brackets = format!("{{ echo(text: {}", "[".repeat(70_000));
    for (query, code) in [
        ("{ nothing }", "INVALID_DOCUMENT"),
        ("{ realm", "INVALID_DOCUMENT"),
        ("query Q($text: String!) { echo(text: $text) }", "INVALID_DOCUMENT"),
        (&format!("{{ {aliases} }}"), "LIMIT_ROOT_FIELDS"),
        // The parser never sees it: it would take the process with it.
        (&brackets, "LIMIT_NESTING"),
        ("{ __schema { types { name } } }", "INTROSPECTION_OFF"),
        ("subscription { numbers { number } endless }", "LIMIT_ROOT_FIELDS"),
    ] {
        say(&mut socket, &subscribe("q", query)).await;
        let told = hear(&mut socket).await;
        assert_eq!((&told["type"], &told["id"]), (&json!("error"), &json!("q")), "{told}");
        assert_eq!(told["payload"][0]["extensions"]["code"], code, "{told}");
        assert!(!told.to_string().contains("mean"), "{told}");
    }
    // A resolver's fault is an answer, as over HTTP, and tells as little.
    say(&mut socket, &subscribe("q", "{ fault }")).await;
    let told = hear(&mut socket).await;
    assert_eq!(told["payload"]["errors"][0]["extensions"]["code"], "INTERNAL", "{told}");
    assert!(!told.to_string().contains("canary"), "{told}");
    assert_eq!(hear(&mut socket).await["type"], "complete");
    hub.end().await;
}

#[tokio::test]
async fn operations_are_told_apart_by_their_ids() {
    let hub = listening(quick()).await;
    let mut socket = hub.signed_in("vendor").await;
    for id in ["a", "b"] {
        say(&mut socket, &subscribe(id, "subscription { numbers { number } }")).await;
    }
    hub.until_heard(2).await;
    hub.world.service.numbers.send(1).expect("listeners");
    let mut heard = [hear(&mut socket).await, hear(&mut socket).await].map(|told| told["id"].clone());
    heard.sort_by_key(ToString::to_string);
    assert_eq!(heard, ["a", "b"]);
    // Who wants no more of one hears no more of it, and may use its id again.
    say(&mut socket, &json!({ "id": "a", "type": "complete" })).await;
    while hub.world.service.numbers.receiver_count() > 1 {
        tokio::task::yield_now().await;
    }
    hub.world.service.numbers.send(2).expect("a listener");
    let next = json!({ "type": "next", "id": "b", "payload": { "data": { "numbers": { "number": 2 } } } });
    assert_eq!(hear(&mut socket).await, next);
    say(&mut socket, &subscribe("a", "{ realm }")).await;
    assert_eq!(hear(&mut socket).await["id"], "a");
    assert_eq!(hear(&mut socket).await["type"], "complete");
    // What is unknown is of no matter; what is under way is not begun twice.
    say(&mut socket, &json!({ "id": "z", "type": "complete" })).await;
    say(&mut socket, &subscribe("b", "{ realm }")).await;
    assert_eq!(closed(&mut socket).await, 4409);
    hub.end().await;
}

#[tokio::test]
async fn what_a_client_must_not_do_closes_its_socket() {
    let hub = listening(quick()).await;
    let large = json!({ "type": "ping", "payload": { "x": "x".repeat(Bounds::DEFAULT.body) } }).to_string();
    for (message, code) in [
        (Message::text(hub.init("vendor").to_string()), 4429),
        (Message::text("{"), 4400),
        (Message::binary(b"{}".to_vec()), 4400),
        (Message::text(r#"{"type":"next","id":"1"}"#), 4400),
        (Message::text(large), 1009),
    ] {
        let mut socket = hub.signed_in("vendor").await;
        let told = format!("{message:.40}");
        // A large message may be cut off while it is sent.
        drop(socket.send(message).await);
        assert_eq!(closed(&mut socket).await, code, "{told}");
    }
    hub.end().await;
}

#[tokio::test]
async fn a_client_has_so_many_sockets_and_operations() {
    let hub = listening(streams::Bounds {
        sockets: 2,
        subscriptions: 3,
        ..quick()
    })
    .await;
    let mut sockets = vec![hub.signed_in("vendor").await, hub.signed_in("vendor").await];
    let mut third = hub.socket().await;
    say(&mut third, &hub.init("vendor")).await;
    assert_eq!(closed(&mut third).await, 4429);
    // On all of its sockets together.
    for (id, socket) in ["a", "b", "c"].into_iter().zip([0, 1, 0]) {
        say(
            &mut sockets[socket],
            &subscribe(id, "subscription { numbers { number } }"),
        )
        .await;
    }
    hub.until_heard(3).await;
    say(&mut sockets[1], &subscribe("d", "{ realm }")).await;
    let told = hear(&mut sockets[1]).await;
    assert_eq!(
        told["payload"][0]["extensions"]["code"], "TOO_MANY_SUBSCRIPTIONS",
        "{told}"
    );
    let (status, body) = read(hub.world.send(hub.stream("{ realm }")).await).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{body}");
    // Who leaves makes room.
    drop(sockets.remove(0));
    while hub.world.service.numbers.receiver_count() > 1 {
        tokio::task::yield_now().await;
    }
    hub.signed_in("vendor").await;
    say(&mut sockets[0], &subscribe("d", "{ realm }")).await;
    assert_eq!(hear(&mut sockets[0]).await["type"], "next");
    hub.end().await;
}

#[tokio::test]
async fn nothing_is_told_on_a_token_that_has_expired() {
    // It ends by itself within a tick, whether or not anything happens.
    let hub = listening(quick()).await;
    let mut socket = hub.signed_in("vendor").await;
    say(&mut socket, &subscribe("a", "subscription { numbers { number } }")).await;
    let mut events = hub.follow("subscription { numbers { number } }").await;
    hub.until_heard(2).await;
    hub.pass(3_629);
    hub.world.service.numbers.send(1).expect("listeners");
    assert_eq!(hear(&mut socket).await["payload"]["data"]["numbers"]["number"], 1);
    assert!(events.until("number").await.contains(r#""number":1"#));
    hub.pass(1);
    assert_eq!(closed(&mut socket).await, 4403);
    assert!(
        !events.rest().await.contains("event: complete"),
        "it is one to come back to"
    );
    hub.end().await;

    // And no event passes between the second in which it expires and the next tick.
    let hub = listening(streams::Bounds {
        tick: Duration::from_mins(1),
        ..quick()
    })
    .await;
    let mut socket = hub.signed_in("vendor").await;
    say(&mut socket, &subscribe("a", "subscription { numbers { number } }")).await;
    let mut events = hub.follow("subscription { numbers { number } }").await;
    hub.until_heard(2).await;
    hub.pass(3_630);
    hub.world.service.numbers.send(7).expect("listeners");
    assert_eq!(
        next(&mut socket).await.expect_err("closed").expect("a code").code,
        4403.into()
    );
    assert!(!events.rest().await.contains('7'));
    // Nor is anything begun.
    let hub = listening(streams::Bounds {
        tick: Duration::from_mins(1),
        ..quick()
    })
    .await;
    let mut socket = hub.signed_in("vendor").await;
    hub.pass(3_630);
    say(&mut socket, &subscribe("a", "{ realm }")).await;
    assert_eq!(
        next(&mut socket).await.expect_err("closed").expect("a code").code,
        4403.into()
    );
    hub.end().await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off() {
    let hub = listening(streams::Bounds {
        tick: Duration::from_millis(400),
        ..quick()
    })
    .await;
    let endless = subscribe("a", "subscription { endless }");
    // With less waiting it is only slow.
    hub.world.service.waiting.store(999, Ordering::Relaxed);
    let mut socket = hub.signed_in("vendor").await;
    say(&mut socket, &endless).await;
    let mut events = hub.follow("subscription { endless }").await;
    // Each was looked at more than once while its client took nothing.
    let looked_at = || {
        let looks = hub.world.service.looks.lock().unwrap();
        looks.values().filter(|times| **times > 2).count()
    };
    while looked_at() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(hub.streams.open_now(), 2, "both are there still");
    hub.world.service.waiting.store(1_000, Ordering::Relaxed);
    hub.streams.closed().await;
    // What was under way arrives, and then it is over: without a `complete`, so that a client comes back.
    assert_eq!(closed(&mut socket).await, 1006);
    assert!(!events.rest().await.contains("event: complete"));

    // Who takes what it is sent is not cut off, however much waits.
    let mut socket = hub.signed_in("vendor").await;
    say(&mut socket, &endless).await;
    #[expect(clippy::disallowed_methods, reason = "it is compared with a generous bound alone")]
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_millis(1_500) {
        assert_eq!(hear(&mut socket).await["type"], "next");
    }
    drop(socket);
    hub.streams.closed().await;
    hub.end().await;
}

#[tokio::test]
async fn a_client_that_is_not_there_any_more_is_let_go() {
    let hub = listening(streams::Bounds {
        ping: Duration::from_millis(30),
        ..quick()
    })
    .await;
    // One that reads answers the questions of the protocol below by itself.
    let mut socket = hub.signed_in("vendor").await;
    let quiet = tokio::time::timeout(Duration::from_millis(150), socket.next());
    let asked = quiet.await.expect("a question").expect("a frame").expect("a frame");
    assert!(matches!(asked, Message::Ping(_)), "{asked:?}");
    let reading = tokio::time::timeout(Duration::from_millis(150), closed(&mut socket));
    assert!(reading.await.is_err(), "it stays");
    // One that does not read does not answer.
    let silent = hub.signed_in("vendor").await;
    let gone = async {
        while hub.streams.open_now() > 0 {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), gone).await;
    assert!(in_time.is_ok(), "they are let go of");
    drop(silent);
    hub.end().await;
}

#[tokio::test]
async fn a_stop_closes_what_is_open() {
    let hub = listening(quick()).await;
    let mut socket = hub.signed_in("vendor").await;
    say(&mut socket, &subscribe("a", "subscription { numbers { number } }")).await;
    let mut events = hub.follow("subscription { numbers { number } }").await;
    hub.until_heard(2).await;
    let Listening {
        stop, serving, streams, ..
    } = hub;
    #[expect(clippy::disallowed_methods, reason = "it is compared with a generous bound alone")]
    let began = std::time::Instant::now();
    stop.send(()).expect("a server");
    assert_eq!(closed(&mut socket).await, 1001);
    // Broken off: a client that is told `complete` does not come back.
    assert!(!events.rest().await.contains("event: complete"));
    serving.await.expect("a server").expect("an orderly end");
    streams.closed().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
