//! A hub that listens on a port of its own, and the issuer it trusts.

use std::net::SocketAddr;
use std::sync::Arc;

use clb_hub::auth::demo_issuer::DemoIssuer;
use clb_hub::auth::{Profile, Verifier};
use clb_hub::http::documents::Documents;
use clb_hub::http::house::House;
use clb_hub::http::limits::{Limits, Lists};
use clb_hub::http::serve::{Patience, serve};
use clb_hub::http::streams::{self, Streams};
use clb_hub::http::{Bounds, Edge, router};
use clb_hub::runtime::new_signing_key;
use clb_hub::telemetry;
use hub_entities::operation::{Actor, Purpose};
use hub_entities::time::FixedClock;
use hub_graphql::Options;
use hub_graphql::page::CursorKey;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::town::Town;
use super::world::at;

/// The hub of a town, listening.
pub(crate) struct Listening {
    pub(crate) address: SocketAddr,
    pub(crate) issuer: DemoIssuer,
    stop: oneshot::Sender<()>,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
}

/// What came back: status, head and body.
pub(crate) type Answered = (u16, String, String);

impl Listening {
    /// As it serves by default.
    pub(crate) async fn new(town: &Town) -> Self {
        Self::with(town, Limits::DEFAULT, Bounds::DEFAULT).await
    }

    /// With these bounds.
    pub(crate) async fn with(town: &Town, limits: Limits, bounds: Bounds) -> Self {
        Self::of(town, (limits, bounds), |_as_it_is| {}).await
    }

    /// Judging tokens otherwise.
    pub(crate) async fn judging(town: &Town, otherwise: impl FnOnce(&mut Profile)) -> Self {
        Self::of(town, (Limits::DEFAULT, Bounds::DEFAULT), otherwise).await
    }

    async fn of(town: &Town, (limits, bounds): (Limits, Bounds), otherwise: impl FnOnce(&mut Profile)) -> Self {
        let options = Options {
            introspection: limits.introspection,
        };
        let house = Arc::new(House::new(
            town.app.clone(),
            town.desk.clone(),
            &CursorKey::new(&[3; 32]),
            options,
        ));
        let key = new_signing_key().unwrap();
        let issuer = DemoIssuer::new("https://issuer.example", "clb-hub", &key).unwrap();
        let (mut profile, keys) = issuer.trust().unwrap();
        otherwise(&mut profile);
        let edge = Edge {
            service: house.clone(),
            principals: house.clone(),
            verifier: Verifier::new([(profile, keys)]),
            ready: house,
            clock: Arc::new(FixedClock(town.world.now)),
            ids: town.world.ids.clone(),
            limits,
            lists: Lists::of_schemas(),
            documents: Documents::default(),
            bounds,
            streams: Arc::new(Streams::new(streams::Bounds::DEFAULT)),
            metrics: telemetry::recorder().handle(),
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopping = async move {
            let _ = stopped.await;
        };
        let serving = tokio::spawn(serve(listener, router(Arc::new(edge)), stopping, Patience::DEFAULT));
        Self {
            address,
            issuer,
            stop,
            serving,
        }
    }

    /// An access token of this viewer.
    pub(crate) fn token(&self, viewer: &Actor) -> String {
        let Actor::Principal { id, .. } = viewer else {
            panic!("a viewer is a principal")
        };
        self.issuer
            .mint(&id.to_string(), at("2026-10-01T10:00:00Z"), Uuid::from_u128(1))
            .unwrap()
    }

    /// A connection on which this request was sent, not yet answered.
    pub(crate) async fn begin(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> TcpStream {
        let authorization = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             accept: application/graphql-response+json\r\n{authorization}content-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// The answer to a request.
    pub(crate) async fn send(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> Answered {
        answered(self.begin(method, path, token, body).await).await
    }

    /// The answer to a request that is written out.
    pub(crate) async fn raw(&self, request: &str) -> Answered {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        answered(stream).await
    }

    /// The answer to a question.
    pub(crate) async fn ask(&self, token: Option<&str>, question: &str) -> Answered {
        let body = json!({ "query": question }).to_string();
        self.send("POST", "/graphql", token, &body).await
    }

    /// The answer to a question of this viewer for a purpose.
    pub(crate) async fn ask_for(&self, viewer: &Actor, purpose: Purpose, question: &str) -> Answered {
        let body = json!({ "query": question }).to_string();
        let request = format!(
            "POST /graphql HTTP/1.1\r\nhost: hub\r\nconnection: close\r\ncontent-type: application/json\r\n\
             accept: application/graphql-response+json\r\nauthorization: Bearer {}\r\nclb-purpose: {purpose}\r\n\
             content-length: {}\r\n\r\n{body}",
            self.token(viewer),
            body.len()
        );
        self.raw(&request).await
    }

    /// Stops, in order.
    pub(crate) async fn end(self) {
        self.stop.send(()).unwrap();
        self.serving.await.unwrap().unwrap();
    }
}

async fn answered(mut stream: TcpStream) -> Answered {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), body.to_owned())
}
