//! `[telemetry]`

use serde::Deserialize;

use super::{Section, Setting};
use crate::telemetry::{Format, Level};

/// What is logged and exported.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// How much.
    pub level: Level,
    /// How a line looks.
    pub format: Format,
    /// Where spans go; nowhere if not set.
    pub otlp_endpoint: Option<String>,
}

impl Section for Telemetry {
    const NAME: &'static str = "telemetry";
    const DOC: &'static str = "What is logged and exported. No level logs personal data.";
    const SETTINGS: &'static [Setting] = &[
        Setting {
            key: "level",
            takes: "error, warn, info, debug or trace",
            value: "\"info\"",
            default: true,
            doc: "How much the hub logs of itself: error, warn, info, debug, trace.",
        },
        Setting {
            key: "format",
            takes: "text or json",
            value: "\"text\"",
            default: true,
            doc: "How a log line looks: text or json.",
        },
        Setting {
            key: "otlp_endpoint",
            takes: "an http or https address",
            value: "\"http://127.0.0.1:4318\"",
            default: false,
            doc: "Where spans are exported to over OTLP/HTTP.",
        },
    ];

    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        match &self.otlp_endpoint {
            Some(url) if !url.starts_with("http://") && !url.starts_with("https://") => {
                Err(("otlp_endpoint", "an http or https address"))
            }
            _ => Ok(()),
        }
    }
}
