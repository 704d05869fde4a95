//! `[streams]`

use std::time::Duration;

use serde::Deserialize;

use super::{Section, Setting};
use crate::http::streams::Bounds;

/// What may stay open: subscriptions over WebSocket and server-sent events.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Streams {
    /// From which pages browsers may open streams.
    pub origins: Vec<String>,
    /// Sockets and event streams of one process.
    pub open: u32,
    /// Sockets of one client.
    pub sockets: u16,
    /// Operations under way of one client.
    pub subscriptions: u16,
    /// Events that may wait for a client that takes nothing.
    pub waiting: u32,
    /// Seconds in which a socket says who it is.
    pub init_seconds: u16,
    /// Seconds between two questions whether a quiet client is there.
    pub ping_seconds: u16,
    /// Seconds between two questions whether a token that says nothing itself still counts.
    pub again_seconds: u16,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            open: 5_000,
            sockets: 5,
            subscriptions: 50,
            waiting: 1_000,
            init_seconds: 10,
            ping_seconds: 30,
            again_seconds: 5,
        }
    }
}

impl Streams {
    /// For the door.
    pub fn bounds(&self) -> Bounds {
        Bounds {
            origins: self.origins.clone(),
            open: usize::try_from(self.open).unwrap_or(usize::MAX),
            sockets: self.sockets.into(),
            subscriptions: self.subscriptions.into(),
            waiting: self.waiting.into(),
            init: Duration::from_secs(self.init_seconds.into()),
            ping: Duration::from_secs(self.ping_seconds.into()),
            again: Duration::from_secs(self.again_seconds.into()),
            ..Bounds::DEFAULT
        }
    }
}

const ORIGINS: &str = "a list of origins, each a scheme and a host without a path: [\"https://front.example\"]";

impl Section for Streams {
    const NAME: &'static str = "streams";
    const DOC: &'static str = "What may stay open: subscriptions, over WebSocket and server-sent events.";
    const SETTINGS: &'static [Setting] = &[
        Setting {
            key: "origins",
            takes: ORIGINS,
            value: "[]",
            default: true,
            doc: "From which pages a browser may open a stream, as it names them: \"https://front.example\". Other clients name none.",
        },
        Setting {
            key: "open",
            takes: "a number from 1 to 100000",
            value: "5000",
            default: true,
            doc: "Sockets and event streams of one process.",
        },
        Setting {
            key: "sockets",
            takes: "a number from 1 to 1000",
            value: "5",
            default: true,
            doc: "Sockets of one client.",
        },
        Setting {
            key: "subscriptions",
            takes: "a number from 1 to 1000",
            value: "50",
            default: true,
            doc: "Operations under way of one client, on its sockets and event streams together.",
        },
        Setting {
            key: "waiting",
            takes: "a number from 1 to 100000",
            value: "1000",
            default: true,
            doc: "A client that takes nothing is cut off when so many events wait for it; it goes on from its cursor.",
        },
        Setting {
            key: "init_seconds",
            takes: "seconds from 1 to 60",
            value: "10",
            default: true,
            doc: "How long a socket may take to say who it is.",
        },
        Setting {
            key: "ping_seconds",
            takes: "seconds from 1 to 300",
            value: "30",
            default: true,
            doc: "How often a quiet client is asked whether it is there; a proxy keeps idle connections longer.",
        },
        Setting {
            key: "again_seconds",
            takes: "seconds from 1 to 60",
            value: "5",
            default: true,
            doc: "How often the issuer of an opaque token is asked again while a stream rests on it: so soon it ends when that is taken back.",
        },
    ];

    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let origin = |text: &String| {
            let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
            host.is_some_and(|host| !host.is_empty() && !host.contains(['/', ' ', '*', '?', '#', '@']))
        };
        match () {
            () if !self.origins.iter().all(origin) => Err(("origins", ORIGINS)),
            () if !(1..=100_000).contains(&self.open) => Err(("open", "a number from 1 to 100000")),
            () if !(1..=1_000).contains(&self.sockets) => Err(("sockets", "a number from 1 to 1000")),
            () if !(1..=1_000).contains(&self.subscriptions) => Err(("subscriptions", "a number from 1 to 1000")),
            () if !(1..=100_000).contains(&self.waiting) => Err(("waiting", "a number from 1 to 100000")),
            () if !(1..=60).contains(&self.init_seconds) => Err(("init_seconds", "seconds from 1 to 60")),
            () if !(1..=300).contains(&self.ping_seconds) => Err(("ping_seconds", "seconds from 1 to 300")),
            () if !(1..=60).contains(&self.again_seconds) => Err(("again_seconds", "seconds from 1 to 60")),
            () => Ok(()),
        }
    }
}
