//! A front-end of a CLB that follows signals over the wire: it comes, takes some, is cut off, and comes back after the
//! last cursor it was told.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use hub_entities::id::EventId;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async, connect_async};

/// How long a test waits for a word that must come.
const PATIENCE: Duration = Duration::from_mins(2);

/// The question that follows.
pub(crate) fn question(after: Option<&str>) -> String {
    let after = after.map_or_else(String::new, |cursor| format!("(after: \"{cursor}\")"));
    format!("subscription {{ signals{after} {{ cursor change {{ id }} noLongerYours {{ clbId }} }} }}")
}

/// A socket of graphql-transport-ws; its connection is cut when it is dropped.
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// One that has not said who it is; `None` when nobody listens there.
    pub(crate) async fn open(address: &str) -> Option<Self> {
        let mut request = format!("ws://{address}/graphql/ws").into_client_request().unwrap();
        let protocol = "graphql-transport-ws".parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        Some(Self(connect_async(request).await.ok()?.0))
    }

    /// One of a client with next to no room for what it does not read, signed in.
    pub(crate) async fn narrow(address: &str, token: &str) -> Self {
        let tcp = TcpSocket::new_v4().unwrap();
        tcp.set_recv_buffer_size(2_048).unwrap();
        let stream = tcp.connect(address.parse().unwrap()).await.unwrap();
        let mut request = format!("ws://{address}/graphql/ws").into_client_request().unwrap();
        let protocol = "graphql-transport-ws".parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let (socket, _) = client_async(request, MaybeTlsStream::Plain(stream)).await.unwrap();
        let mut socket = Self(socket);
        socket.say(&init(token)).await;
        assert_eq!(socket.next().await, Ok(json!({ "type": "connection_ack" })));
        socket
    }

    /// One that was acknowledged; `None` when the process went away meanwhile.
    pub(crate) async fn signed_in(address: &str, token: &str) -> Option<Self> {
        let mut socket = Self::open(address).await?;
        socket.say(&init(token)).await;
        match socket.next().await {
            Ok(said) => {
                assert_eq!(said, json!({ "type": "connection_ack" }));
                Some(socket)
            }
            Err(Closed {
                code: None | Some(1001),
                ..
            }) => None,
            Err(closed) => panic!("{closed:?}"),
        }
    }

    /// Says it, if anyone is there.
    pub(crate) async fn say(&mut self, message: &Value) {
        let _ = self.0.send(Message::text(message.to_string())).await;
    }

    /// Begins to follow.
    pub(crate) async fn follow(&mut self, after: Option<&str>) {
        self.ask(&question(after)).await;
    }

    /// Begins to follow, and wants each update to be long.
    pub(crate) async fn follow_at_length(&mut self) {
        let long: Vec<String> = (0..20).map(|at| format!("{}{at}: cursor", "a".repeat(1_000))).collect();
        let long = long.join(" ");
        self.ask(&question(None).replacen("cursor", &format!("cursor {long}"), 1))
            .await;
    }

    async fn ask(&mut self, question: &str) {
        let payload = json!({ "query": question });
        self.say(&json!({ "id": "1", "type": "subscribe", "payload": payload }))
            .await;
    }

    /// The next message, or how it was closed.
    pub(crate) async fn next(&mut self) -> Result<Value, Closed> {
        tokio::time::timeout(PATIENCE, self.hear()).await.expect("a word")
    }

    async fn hear(&mut self) -> Result<Value, Closed> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => {
                    let code = frame.as_ref().map(|frame| frame.code.into());
                    let reason = frame.map(|frame| frame.reason.to_string()).unwrap_or_default();
                    return Err(Closed { code, reason });
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => {
                    return Err(Closed {
                        code: None,
                        reason: String::new(),
                    });
                }
            }
        }
    }
}

/// How a socket was closed; without a code when the other end was gone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) code: Option<u16>,
    pub(crate) reason: String,
}

/// The first word of a socket.
pub(crate) fn init(token: &str) -> Value {
    json!({ "type": "connection_init", "payload": { "Authorization": format!("Bearer {token}") } })
}

/// One event stream, distinct connections mode.
pub(crate) struct Events {
    body: BufReader<TcpStream>,
    text: String,
}

impl Events {
    /// A stream that was opened; `None` when nobody listens there.
    pub(crate) async fn follow(address: &str, token: &str, after: Option<&str>) -> Option<Self> {
        Self::ask(address, token, &question(after)).await
    }

    /// One on which this is asked.
    pub(crate) async fn ask(address: &str, token: &str, question: &str) -> Option<Self> {
        let body = json!({ "query": question }).to_string();
        let request = format!(
            "POST /graphql/stream HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\n\
             accept: text/event-stream\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut events = Self {
            body: BufReader::new(stream),
            text: String::new(),
        };
        let head = events.until("\r\n\r\n").await?;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("transfer-encoding: chunked"), "{head}");
        Some(events)
    }

    /// What the next change says; an update that only tells where the stream stands is passed over.
    pub(crate) async fn change(&mut self) -> Value {
        loop {
            let update = self.next().await.expect("the stream goes on");
            let told = &update["data"]["signals"];
            assert!(told.is_object() && told["noLongerYours"].is_null(), "{update}");
            if !told["change"].is_null() {
                return told["change"].clone();
            }
        }
    }

    /// What is said before the first update, in lower case.
    pub(crate) async fn head(address: &str, token: &str) -> String {
        let body = json!({ "query": question(None) }).to_string();
        let request = format!(
            "POST /graphql/stream HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\n\
             accept: text/event-stream\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut events = Self {
            body: BufReader::new(stream),
            text: String::new(),
        };
        events.until("\r\n\r\n").await.unwrap().to_lowercase()
    }

    /// Whether one with this token is refused.
    pub(crate) async fn refused(address: &str, token: &str) -> bool {
        let request = format!(
            "POST /graphql/stream HTTP/1.1\r\nhost: hub\r\nconnection: close\r\ncontent-type: application/json\r\n\
             accept: text/event-stream\r\nauthorization: Bearer {token}\r\ncontent-length: 2\r\n\r\n{{}}"
        );
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.starts_with("HTTP/1.1 401")
    }

    async fn until(&mut self, end: &str) -> Option<String> {
        let mut found = Vec::new();
        while !found.ends_with(end.as_bytes()) {
            found.push(self.body.read_u8().await.ok()?);
        }
        Some(String::from_utf8(found).unwrap())
    }

    /// What the next chunk of the body holds; `None` at its end.
    async fn chunk(&mut self) -> Option<String> {
        let length = self.until("\r\n").await?;
        let length = usize::from_str_radix(length.trim(), 16).unwrap();
        let mut chunk = vec![0; length + 2];
        self.body.read_exact(&mut chunk).await.ok()?;
        chunk.truncate(length);
        (length > 0).then(|| String::from_utf8(chunk).unwrap())
    }

    /// The data of the next update; `None` when the stream was completed or cut off.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        let next = async {
            loop {
                if let Some((event, rest)) = self.text.split_once("\n\n") {
                    let (event, rest) = (event.to_owned(), rest.to_owned());
                    self.text = rest;
                    if event.contains("event: complete") {
                        return None;
                    }
                    let data = event.lines().find_map(|line| line.strip_prefix("data: "));
                    if let Some(data) = data {
                        return Some(serde_json::from_str(data).unwrap());
                    }
                    continue;
                }
                let chunk = self.chunk().await?;
                self.text.push_str(&chunk);
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("a word")
    }
}

/// What a front-end keeps from one visit to the next.
#[derive(Debug, Default)]
pub(crate) struct Front {
    cursor: Option<String>,
    /// The events it was told, in the order in which it was.
    pub(crate) told: Vec<EventId>,
}

impl Front {
    /// Comes, takes at most so many events, waits at most so long for each, and is cut off. Says whether it was let in.
    pub(crate) async fn visit(&mut self, address: &str, token: &str, most: usize, patience: Duration) -> bool {
        let Some(mut socket) = Socket::signed_in(address, token).await else {
            return false;
        };
        socket.follow(self.cursor.as_deref()).await;
        // The first update tells where it stands.
        let mut left = most + 1;
        while left > 0 {
            let waits = if left > most { PATIENCE } else { patience };
            let Ok(said) = tokio::time::timeout(waits, socket.hear()).await else {
                break;
            };
            let Ok(said) = said else { return left <= most };
            assert_eq!(said["type"], "next", "{said}");
            self.take(&said["payload"]["data"]["signals"]);
            left -= 1;
        }
        true
    }

    /// Takes what is still under way on a socket, until it is closed; says how.
    pub(crate) async fn rest(&mut self, mut socket: Socket) -> Closed {
        loop {
            match socket.next().await {
                Ok(said) => {
                    assert_eq!(said["type"], "next", "{said}");
                    self.take(&said["payload"]["data"]["signals"]);
                }
                Err(closed) => return closed,
            }
        }
    }

    fn take(&mut self, update: &Value) {
        self.cursor = Some(update["cursor"].as_str().unwrap().to_owned());
        if let Some(id) = update["change"]["id"].as_str() {
            self.told.push(id.parse().unwrap());
        }
    }
}
