//! `[limits]`

use serde::Deserialize;

use super::{Section, Setting};
use crate::http::{Bounds, limits};

/// What a request may ask. The limits of the text and the shape of a query are fixed (R15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Cost points of one query.
    pub cost: u32,
    /// The largest body in KiB.
    pub body_kib: u16,
    /// Seconds an answer may take.
    pub request_seconds: u16,
    /// Whether queries may come by GET.
    pub get_queries: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cost: 20_000,
            body_kib: 256,
            request_seconds: 10,
            get_queries: false,
        }
    }
}

impl Limits {
    /// For the door. Introspection is no setting: only `demo` switches it on.
    pub fn query(self) -> limits::Limits {
        limits::Limits {
            cost: self.cost.into(),
            ..limits::Limits::DEFAULT
        }
    }

    /// For the door.
    pub fn bounds(self) -> Bounds {
        Bounds {
            body: usize::from(self.body_kib).saturating_mul(1_024),
            request_time: std::time::Duration::from_secs(self.request_seconds.into()),
            get_queries: self.get_queries,
            ..Bounds::DEFAULT
        }
    }
}

impl Section for Limits {
    const NAME: &'static str = "limits";
    const DOC: &'static str = "What a request may ask.";
    const SETTINGS: &'static [Setting] = &[
        Setting {
            key: "cost",
            takes: "a number from 1 to 1000000",
            value: "20000",
            default: true,
            doc: "Cost points of one query: one per field, times the page sizes above it.",
        },
        Setting {
            key: "body_kib",
            takes: "KiB from 1 to 1024",
            value: "256",
            default: true,
            doc: "The largest body in KiB.",
        },
        Setting {
            key: "request_seconds",
            takes: "seconds from 1 to 60",
            value: "10",
            default: true,
            doc: "How long an answer may take.",
        },
        Setting {
            key: "get_queries",
            takes: "true or false",
            value: "false",
            default: true,
            doc: "Whether queries may come by GET. Mutations never do.",
        },
    ];

    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        match () {
            () if !(1..=1_000_000).contains(&self.cost) => Err(("cost", "a number from 1 to 1000000")),
            () if !(1..=1_024).contains(&self.body_kib) => Err(("body_kib", "KiB from 1 to 1024")),
            () if !(1..=60).contains(&self.request_seconds) => Err(("request_seconds", "seconds from 1 to 60")),
            () => Ok(()),
        }
    }
}
