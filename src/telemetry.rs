//! Log lines, spans and metrics: what happened, never to whom (R61).
//!
//! Only this product's own targets follow the configured level. Libraries are held at `warn`
//! whatever the configuration says: at `trace` they print headers, statements and bodies.

use std::io;
use std::sync::Once;
use std::time::Duration;

use http::HeaderMap;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use serde::{Deserialize, Serialize};
use tracing::level_filters::LevelFilter;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, Registry};

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// How much is logged of the product itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Faults.
    Error,
    /// And what may become one.
    Warn,
    /// And each request and run.
    #[default]
    Info,
    /// And the steps of each.
    Debug,
    /// Everything.
    Trace,
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::ERROR,
            Level::Warn => Self::WARN,
            Level::Info => Self::INFO,
            Level::Debug => Self::DEBUG,
            Level::Trace => Self::TRACE,
        }
    }
}

/// Telemetry that cannot be set up. Says which part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TelemetryError {
    /// The OTLP exporter rejects its endpoint.
    #[error("the OTLP exporter cannot be built: check telemetry.otlp_endpoint")]
    Exporter,
    /// Something else in this process already logs.
    #[error("a subscriber or a recorder is already installed in this process")]
    AlreadyInstalled,
}

/// What must live as long as the process; `flush` before it ends.
#[derive(Debug)]
pub struct Telemetry {
    /// Prints the metrics at `/metrics`.
    pub metrics: PrometheusHandle,
    provider: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Sends what is left and stops the exporter. Call it after the runtime has ended.
    pub fn flush(self) {
        if let Some(Err(_lost)) = self.provider.map(|provider| provider.shutdown()) {
            tracing::warn!("the last spans could not be exported");
        }
    }
}

/// Where spans are exported to, and which: those of this level, whatever is logged.
#[derive(Debug, Clone, Copy)]
pub struct Export<'a> {
    /// An address of OTLP over HTTP.
    pub endpoint: &'a str,
    /// How much of the product itself.
    pub level: Level,
}

/// Installs logging, metrics and, where it is asked for, export of spans.
///
/// Must be called before the tokio runtime exists: the exporter's client blocks, and its thread
/// would find no runtime later (stack.md §2, pitfall 4).
pub fn install(level: Level, format: Format, export: Option<Export<'_>>) -> Result<Telemetry, TelemetryError> {
    let provider = export.map(|export| provider(export.endpoint)).transpose()?;
    let spans = provider.as_ref().zip(export.map(|export| export.level));
    let subscriber = subscriber(level, format, io::stderr, spans);
    tracing::subscriber::set_global_default(subscriber).map_err(|_already| TelemetryError::AlreadyInstalled)?;
    let recorder = recorder();
    let metrics = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|_already| TelemetryError::AlreadyInstalled)?;
    quiet_panics();
    Ok(Telemetry { metrics, provider })
}

fn provider(endpoint: &str) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .build()
        .map_err(|_rejected| TelemetryError::Exporter)?;
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
        .with_resource(Resource::builder().with_service_name("clb-hub").build())
        .build())
}

/// The metrics of this process. Durations have fixed buckets, so that replicas can be added up.
pub fn recorder() -> PrometheusRecorder {
    const SECONDS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];
    // Only an empty list of buckets is refused, and this one is not empty.
    let builder = PrometheusBuilder::new();
    builder
        .set_buckets(&SECONDS)
        .unwrap_or_else(|_empty| PrometheusBuilder::new())
        .build_recorder()
}

/// How often the durations that were noted are added up.
const UPKEEP: Duration = Duration::from_secs(5);

/// Adds up the durations that were noted, again and again, for as long as the process runs. Until then each is kept by
/// itself: where nobody reads the metrics they would fill the memory, some megabytes for each million statements.
pub async fn upkeep<W: Future<Output = ()>>(wait: impl Fn(Duration) -> W, add_up: impl Fn()) {
    loop {
        wait(UPKEEP).await;
        add_up();
    }
}

/// The subscriber, writing to where the caller says.
pub fn subscriber<W>(
    level: Level,
    format: Format,
    writer: W,
    spans: Option<(&SdkTracerProvider, Level)>,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
    let lines = match format {
        Format::Text => lines.boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    let spans = spans.map(|(provider, level)| {
        let tracer = provider.tracer("clb-hub");
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_filter(own(level))
    });
    Box::new(Registry::default().with(lines.with_filter(own(level))).with(spans))
}

fn own(level: Level) -> Targets {
    let targets = ["clb_hub", "hub_entities", "hub_graphql", "hub_connectors"];
    let own = targets.map(|target| (target, LevelFilter::from(level)));
    Targets::new()
        .with_default(LevelFilter::WARN.min(level.into()))
        .with_targets(own)
}

/// A panic is logged with its place only: its text may hold what was worked on.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            let (file, line) = panic.location().map_or(("?", 0), |place| (place.file(), place.line()));
            tracing::error!(file, line, "panic");
        }));
    });
}

/// Makes the span a child of the caller's, where it sent a `traceparent` (W3C Trace Context).
pub fn adopt_parent(span: &Span, headers: &HeaderMap) {
    struct Sent<'headers>(&'headers HeaderMap);
    impl Extractor for Sent<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            // `tracestate` is free text of the caller, and would be exported as it is.
            (key == "traceparent").then(|| self.0.get(key)?.to_str().ok()).flatten()
        }

        fn keys(&self) -> Vec<&str> {
            vec!["traceparent"]
        }
    }
    if headers.contains_key("traceparent") {
        let context = TraceContextPropagator::new().extract(&Sent(headers));
        // Refused where no exporter is installed: then there is nothing to be a child of.
        drop(span.set_parent(context));
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;

    /// Keeps what is logged.
    #[derive(Clone, Default)]
    pub(crate) struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Kept {
        pub(crate) fn text(&self) -> String {
            String::from_utf8_lossy(&self.0.lock().expect("a lock")).into_owned()
        }
    }

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("a lock").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Kept {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::testing::Kept;
    use super::*;

    #[test]
    fn what_was_noted_is_added_up_every_five_seconds() {
        let (waited, added) = (std::cell::RefCell::new(Vec::new()), std::cell::Cell::new(0));
        let wait = |time: Duration| {
            waited.borrow_mut().push(time.as_secs());
            let over = waited.borrow().len() > 3;
            async move {
                if over {
                    std::future::pending::<()>().await;
                }
            }
        };
        let goes_on = upkeep(wait, || added.set(added.get() + 1)).now_or_never();
        assert!(goes_on.is_none());
        assert_eq!((waited.into_inner(), added.get()), (vec![5; 4], 3));
    }

    fn logged(level: Level, format: Format, log: impl FnOnce()) -> String {
        let kept = Kept::default();
        tracing::subscriber::with_default(subscriber(level, format, kept.clone(), None), log);
        kept.text()
    }

    /// Keeps the spans that would be exported.
    #[derive(Debug, Clone, Default)]
    struct Exported(std::sync::Arc<std::sync::Mutex<Vec<opentelemetry_sdk::trace::SpanData>>>);

    impl opentelemetry_sdk::trace::SpanExporter for Exported {
        async fn export(
            &self,
            batch: Vec<opentelemetry_sdk::trace::SpanData>,
        ) -> opentelemetry_sdk::error::OTelSdkResult {
            self.0.lock().expect("a lock").extend(batch);
            Ok(())
        }
    }

    #[test]
    fn a_span_continues_the_trace_of_the_caller_and_takes_nothing_else_of_it() {
        let exported = Exported::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exported.clone())
            .build();
        let subscriber = subscriber(
            Level::Info,
            Format::Text,
            Kept::default(),
            Some((&provider, Level::Info)),
        );
        let mut headers = HeaderMap::new();
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        headers.insert("traceparent", parent.parse().expect("a header"));
        headers.insert("tracestate", "vendor=canary".parse().expect("a header"));
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("request", operation = "positive");
            adopt_parent(&span, &headers);
            span.in_scope(|| ());
        });
        let spans = exported.0.lock().expect("a lock");
        assert_eq!(spans.len(), 1);
        assert_eq!(
            spans[0].span_context.trace_id().to_string(),
            "0af7651916cd43dd8448eb211c80319c"
        );
        assert_eq!(spans[0].parent_span_id.to_string(), "b7ad6b7169203331");
        let text = format!("{spans:?}");
        assert!(text.contains("positive") && !text.contains("canary"), "{text}");
    }

    #[test]
    fn libraries_stay_quiet_at_every_level() {
        let text = logged(Level::Trace, Format::Text, || {
            tracing::trace!(target: "clb_hub::http", "ours");
            tracing::info!(target: "hyper::proto", "theirs");
            tracing::debug!(target: "sqlx::query", "theirs");
            tracing::warn!(target: "sqlx::pool", "their warning");
        });
        assert!(text.contains("ours") && text.contains("their warning"), "{text}");
        assert!(!text.contains(" theirs"), "{text}");
    }

    #[test]
    fn a_field_cannot_forge_a_line() {
        let evil = "x\r\n2026-01-01T00:00:00Z ERROR clb_hub: forged \u{1b}[31m\",\"forged\":\"1";
        for format in [Format::Text, Format::Json] {
            let text = logged(Level::Trace, format, || tracing::info!(evil, "one"));
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(!text.contains('\u{1b}') && !text.contains('\r'), "{text}");
            if format == Format::Json {
                let line: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                assert_eq!(line["evil"], evil);
                assert!(line.get("forged").is_none());
            }
        }
    }
}
