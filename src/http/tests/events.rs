//! Event streams: what is said on one, and who may open one.

use super::sockets::{Listening, listening, quick};
use super::*;

/// The body of an event stream.
pub(super) struct Events(axum::body::BodyDataStream, String);

impl Events {
    /// What has come up to this word.
    pub(super) async fn until(&mut self, word: &str) -> String {
        let until = async {
            while !self.1.contains(word) {
                let some = self.0.next().await.expect("more").expect("bytes");
                self.1.push_str(std::str::from_utf8(&some).expect("text"));
            }
        };
        tokio::time::timeout(Duration::from_secs(20), until)
            .await
            .expect("a word");
        std::mem::take(&mut self.1)
    }

    /// Everything until it ends.
    pub(super) async fn rest(&mut self) -> String {
        let rest = async {
            while let Some(Ok(some)) = self.0.next().await {
                self.1.push_str(std::str::from_utf8(&some).expect("text"));
            }
        };
        tokio::time::timeout(Duration::from_secs(20), rest)
            .await
            .expect("an end");
        std::mem::take(&mut self.1)
    }
}

impl Listening {
    pub(super) fn stream(&self, query: &str) -> Request<Body> {
        let body = json!({ "query": query }).to_string();
        Request::post("/graphql/stream")
            .header("content-type", "application/json")
            .header("accept", "text/event-stream")
            .header("authorization", format!("Bearer {}", self.token("vendor")))
            .body(Body::from(body))
            .expect("a request")
    }

    pub(super) async fn follow(&self, query: &str) -> Events {
        self.follow_by(self.stream(query)).await
    }

    pub(super) async fn follow_by(&self, request: Request<Body>) -> Events {
        let response = self.world.send(request).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
        Events(response.into_body().into_data_stream(), String::new())
    }
}

#[tokio::test]
async fn an_event_stream_says_what_the_protocol_says() {
    let hub = listening(quick()).await;
    let mut events = hub.follow("subscription { numbers { number cursor } }").await;
    assert_eq!(
        events.until("\n\n").await,
        ":\n\n",
        "the client knows that it is connected"
    );
    hub.until_heard(1).await;
    hub.world.service.numbers.send(5).expect("a listener");
    assert_eq!(
        events.until("\n\n").await,
        "event: next\nid: cursor-5\ndata: {\"data\":{\"numbers\":{\"number\":5,\"cursor\":\"cursor-5\"}}}\n\n"
    );
    drop(events);
    hub.streams.closed().await;
    // Without the cursor asked for there is none to come back with.
    let complete = "event: complete\ndata:\n\n";
    let told = hub.follow("{ realm }").await.rest().await;
    assert_eq!(
        told,
        format!(":\n\nevent: next\ndata: {{\"data\":{{\"realm\":\"school\"}}}}\n\n{complete}")
    );
    // A refused document is told as an event: a client of this protocol reads no other.
    for (query, code) in [
        ("{ nothing }", "INVALID_DOCUMENT"),
        ("{ realm", "INVALID_DOCUMENT"),
        ("{ __schema { types { name } } }", "INTROSPECTION_OFF"),
    ] {
        let told = hub.follow(query).await.rest().await;
        assert!(told.starts_with(":\n\nevent: next\ndata: {\"errors\":[{"), "{told}");
        assert!(told.contains(code) && told.ends_with(complete), "{told}");
        assert_eq!(told.matches(complete).count(), 1, "{told}");
    }
    // Where the client stood comes beside the document.
    let mut request = hub.stream("subscription { resumed }");
    request
        .headers_mut()
        .insert("last-event-id", "cursor-5".parse().expect("a header"));
    let told = hub.follow_by(request).await.rest().await;
    assert!(
        told.contains(r#"{"data":{"resumed":"cursor-5"}}"#) && told.ends_with(complete),
        "{told}"
    );
    let told = hub.follow("subscription { resumed }").await.rest().await;
    assert!(told.contains(r#"{"data":{"resumed":null}}"#), "{told}");
    hub.end().await;
}

#[tokio::test]
async fn a_quiet_event_stream_beats() {
    let hub = listening(streams::Bounds {
        ping: Duration::from_millis(10),
        ..quick()
    })
    .await;
    let mut events = hub.follow("subscription { numbers { number } }").await;
    assert_eq!(events.until(":\n\n:\n\n:\n\n").await.replace(":\n\n", ""), "");
    drop(events);
    hub.end().await;
}

/// What is wrong with a request.
type Change = fn(&mut Request<Body>);

#[tokio::test]
async fn who_may_not_open_an_event_stream_gets_a_status() {
    let hub = listening(quick()).await;
    let changes: [(Change, u16, &str); 7] = [
        (|request| *request.method_mut() = Method::GET, 405, "METHOD_NOT_ALLOWED"),
        (
            |request| {
                request.headers_mut().remove("authorization");
            },
            401,
            "UNAUTHENTICATED",
        ),
        (|request| *request.body_mut() = Body::from("[]"), 400, "BAD_REQUEST"),
        (
            |request| *request.body_mut() = Body::from("x".repeat(Bounds::DEFAULT.body + 1)),
            413,
            "BODY_TOO_LARGE",
        ),
        (
            |request| put(request, "accept", "application/json"),
            406,
            "NOT_ACCEPTABLE",
        ),
        (
            |request| put(request, "content-type", "text/plain"),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (
            |request| put(request, "origin", "https://evil.example"),
            403,
            "ORIGIN_NOT_ALLOWED",
        ),
    ];
    for (change, status, code) in changes {
        let mut request = hub.stream("{ realm }");
        change(&mut request);
        let (found, body) = read(hub.world.send(request).await).await;
        assert_eq!(
            (found.as_u16(), &body["errors"][0]["extensions"]["code"]),
            (status, &json!(code))
        );
    }
    let mut request = hub.stream("{ realm }");
    let stranger = format!("Bearer {}", hub.token("nobody"));
    request
        .headers_mut()
        .insert("authorization", stranger.parse().expect("a header"));
    let (status, body) = read(hub.world.send(request).await).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{body}");
    assert_eq!(hub.world.executed(), 0);
    hub.end().await;
}

fn put(request: &mut Request<Body>, name: &'static str, value: &str) {
    request.headers_mut().insert(name, value.parse().expect("a header"));
}

#[tokio::test]
async fn a_subscription_over_plain_http_is_told_where_they_run() {
    let hub = listening(quick()).await;
    let (status, body) = hub.world.ask("subscription { numbers { number } }").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body["errors"][0]["extensions"]["code"], "SUBSCRIPTION_HERE");
    hub.end().await;
}
