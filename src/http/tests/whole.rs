//! The door as a whole: its silence, its stop, and the audits of others.

use super::*;

#[tokio::test]
async fn serve_has_no_issuer() {
    let world = world();
    let status = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        world.send(request).await.status()
    };
    for path in [
        "/jwks",
        "/clb-hub-demo/jwks",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/clb-hub-demo",
        "/.well-known/openid-configuration",
        "/token",
    ] {
        assert_eq!(status(path).await, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(status("/healthz").await, StatusCode::OK);
    assert_eq!(status("/readyz").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(status("/metrics").await, StatusCode::OK);
}

/// Canaries go in by every way a client has; none may come out in a log line or a metric.
#[test]
fn nothing_of_a_request_is_logged_or_counted() {
    let kept = Kept::default();
    let recorder = telemetry::recorder();
    let metrics = recorder.handle();
    let subscriber = telemetry::subscriber(Level::Trace, Format::Text, kept.clone(), None);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let requests = async {
        let world = world();
        let queries = [
            r#"query positive_canary { echo(text: "canary-literal") }"#,
            "query positive_canary { fault }",
            "query positive_canary { boom }",
            r#"query positive_canary { canary_field(text: "canary-literal") }"#,
            r#"query positive_canary { echo(text: "canary-open) }"#,
        ];
        for query in queries {
            let body =
                json!({ "query": query, "operationName": "positive_canary", "variables": { "v": "canary-variable" } });
            for subject in ["vendor", "canary-subject"] {
                let request = world
                    .post(subject)
                    .header("user-agent", "canary-agent\u{9}[31m forged")
                    .header("x-request-id", "canary-id")
                    .header("traceparent", "canary-parent")
                    .header("cookie", "canary-cookie");
                let request = request.body(Body::from(body.to_string())).expect("a request");
                world.send(request).await;
            }
        }
        for header in ["authorization", "clb-purpose", "accept", "content-type"] {
            let mut request = world.post("vendor").body(Body::empty()).expect("a request");
            request
                .headers_mut()
                .insert(header, "Bearer canary-header".parse().expect("a header"));
            world.send(request).await;
        }
    };
    metrics::with_local_recorder(&recorder, || {
        tracing::subscriber::with_default(subscriber, || runtime.block_on(requests));
    });
    let (log, metrics) = (kept.text(), metrics.render());
    assert!(log.contains("positive_canary"), "the search finds what is there: {log}");
    assert!(metrics.contains("clb_hub_requests_total"), "{metrics}");
    assert!(
        metrics.contains(r#"clb_hub_token_refusals_total{reason="not_bearer"}"#)
            || metrics.contains(r#"reason="malformed""#),
        "{metrics}"
    );
    assert!(!log.replace("positive_canary", "").contains("canary"), "{log}");
    assert!(!metrics.contains("canary"), "{metrics}");
    assert!(
        log.lines().all(|line| line.starts_with('2')),
        "every line is one of ours: {log}"
    );
}

#[tokio::test]
async fn a_stop_lets_requests_in_flight_end() {
    let (entered, started) = tokio::sync::oneshot::channel::<()>();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let gate = Arc::new(std::sync::Mutex::new(Some((entered, released))));
    let slow = axum::routing::get(move || {
        let (entered, released) = gate.lock().expect("a lock").take().expect("one request");
        async move {
            entered.send(()).expect("a test");
            released.await.expect("a release");
            "done"
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopping) = tokio::sync::oneshot::channel::<()>();
    let stop_signal = async move { drop(stopping.await) };
    let serving = tokio::spawn(serve::serve(
        listener,
        Router::new().route("/", slow),
        stop_signal,
        serve::Patience::DEFAULT,
    ));
    let client = crate::outbound::Outbound::new().expect("a client");
    let asking = tokio::spawn(async move { client.get_json(&format!("http://{address}/"), 100).await });
    started.await.expect("the request arrived");
    stop.send(()).expect("a server");
    // On this runtime of one thread every task that can go on has gone on after some turns.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!serving.is_finished(), "it waits for the request in flight");
    release.send(()).expect("a request in flight");
    assert_eq!(asking.await.expect("an answer").expect("200").0, b"done");
    serving.await.expect("a server").expect("an orderly end");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_client_that_takes_nothing() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    // More than all buffers on the way hold.
    let answer = Bytes::from(vec![b'x'; 64 * 1024 * 1024]);
    let held = Arc::new(());
    let kept = Arc::clone(&held);
    let large = axum::routing::get(move || {
        let (answer, _kept) = (answer.clone(), Arc::clone(&kept));
        async move { answer }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopping) = tokio::sync::oneshot::channel::<()>();
    let patience = serve::Patience {
        drain: std::time::Duration::from_millis(300),
        ..serve::Patience::DEFAULT
    };
    let stop_signal = async move { drop(stopping.await) };
    let serving = tokio::spawn(serve::serve(
        listener,
        Router::new().route("/", large),
        stop_signal,
        patience,
    ));
    let mut client = tokio::net::TcpStream::connect(address).await.expect("a server");
    let asked = client.write_all(b"GET / HTTP/1.1\r\nhost: hub.example\r\n\r\n").await;
    asked.expect("a server");
    client.read_u8().await.expect("the beginning of an answer");
    stop.send(()).expect("a server");
    // A client that takes nothing is cut off after half a minute by itself: that is too late.
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), serving).await;
    ended.expect("an end").expect("a server").expect("an orderly end");
    assert_eq!(Arc::strong_count(&held), 1, "whatever it held is let go of");
}

/// What a server answers to a request that is never finished, until it hangs up.
async fn until_hung_up(router: Router, patience: serve::Patience, unfinished: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(serve::serve(listener, router, std::future::pending(), patience));
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("a server");
    stream.write_all(unfinished.as_bytes()).await.expect("a server");
    let mut answer = String::new();
    // Far longer than the server may wait: a server that waits for ever fails the test instead of hanging it.
    let read = stream.read_to_string(&mut answer);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), read).await;
    server.abort();
    ended.expect("the server hung up").expect("an orderly end");
    answer
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut() {
    let patience = serve::Patience {
        head: std::time::Duration::from_millis(50),
        ..serve::Patience::DEFAULT
    };
    for unfinished in ["", "POST /gra", "POST /graphql HTTP/1.1\r\nhost: hub.example\r\nx: "] {
        let answer = until_hung_up(world().router, patience, unfinished).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }
    // One who has been answered and says no more is let go as well.
    let asked = "GET /healthz HTTP/1.1\r\nhost: hub.example\r\n\r\n";
    let answer = until_hung_up(world().router, patience, asked).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut() {
    let world = world_with(|edge| edge.bounds.body_time = std::time::Duration::from_millis(50));
    let token = world.issuer.mint("vendor", world.now, Uuid::nil()).expect("a token");
    let unfinished = format!(
        "POST /graphql HTTP/1.1\r\nhost: hub.example\r\nconnection: close\r\ncontent-type: application/json\r\n\
         authorization: Bearer {token}\r\ncontent-length: 100\r\n\r\n{{"
    );
    let answer = until_hung_up(world.router, serve::Patience::DEFAULT, &unfinished).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

/// The audits of npm `graphql-http`: `./tests/run` installs them and runs this.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node and `npm ci` in tests/http/audit"]
async fn the_audit_suite_finds_nothing() {
    for get_queries in [true, false] {
        let world = world_with(|edge| {
            edge.bounds.get_queries = get_queries;
            // Three audits ask for `__type`; the suite runs against the demo.
            edge.limits.introspection = true;
        });
        let token = world.issuer.mint("vendor", world.now, Uuid::nil()).expect("a token");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/graphql", listener.local_addr().expect("an address"));
        let server = tokio::spawn(serve::serve(
            listener,
            world.router,
            std::future::pending(),
            serve::Patience::DEFAULT,
        ));
        let audit = move || {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/http/audit/audit.mjs");
            let mut node = std::process::Command::new("node");
            node.arg(script)
                .arg(url)
                .args(get_queries.then_some("--get"))
                .env("AUDIT_TOKEN", token);
            node.output().expect("node")
        };
        let output = tokio::task::spawn_blocking(audit).await.expect("an end");
        println!("{}", String::from_utf8_lossy(&output.stdout));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        server.abort();
    }
}
