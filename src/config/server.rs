//! `[server]`

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;

use super::{Section, Setting};
use crate::http::serve::Patience;

/// Where the hub listens.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port. TLS ends before the hub.
    pub address: SocketAddr,
    /// Seconds that a stop may take in all.
    pub drain_seconds: u16,
    /// Seconds that the head of a request may take to arrive, and an idle connection is kept.
    pub head_seconds: u16,
}

impl Server {
    /// For the door.
    pub fn patience(&self) -> Patience {
        Patience {
            head: Duration::from_secs(self.head_seconds.into()),
            write: Patience::DEFAULT.write,
            drain: Duration::from_secs(self.drain_seconds.into()),
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4000),
            drain_seconds: 30,
            head_seconds: 15,
        }
    }
}

impl Section for Server {
    const NAME: &'static str = "server";
    const DOC: &'static str = "Where the hub listens. TLS ends before it, at a proxy.";
    const SETTINGS: &'static [Setting] = &[
        Setting {
            key: "address",
            takes: "an address and a port",
            value: "\"127.0.0.1:4000\"",
            default: true,
            doc: "Address and port.",
        },
        Setting {
            key: "drain_seconds",
            takes: "seconds from 1 to 30",
            value: "30",
            default: true,
            doc: "How long a stop may take in all; what has not ended before its last sixth is cut off.",
        },
        Setting {
            key: "head_seconds",
            takes: "seconds from 1 to 60",
            value: "15",
            default: true,
            doc: "How long the head of a request may take, and an idle connection is kept; a proxy keeps its own shorter.",
        },
    ];

    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if !(1..=30).contains(&self.drain_seconds) {
            return Err(("drain_seconds", "seconds from 1 to 30"));
        }
        if !(1..=60).contains(&self.head_seconds) {
            return Err(("head_seconds", "seconds from 1 to 60"));
        }
        Ok(())
    }
}
