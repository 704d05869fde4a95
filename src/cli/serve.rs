//! `clb-hub serve`: the hub, until told to stop.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;

use super::house::{Running, key, law_settings};
use super::{Failure, open_for};
use crate::auth::Verifier;
use crate::auth::jwks::{FetchKeys, Jwks};
use crate::auth::verifier::KeySource;
use crate::config::Config;
use crate::http::router;
use crate::http::serve::{serve, stop_signal};
use crate::outbound::Outbound;

pub(super) async fn run(config: &Config, metrics: PrometheusHandle) -> Result<ExitCode, Failure> {
    // Found before serving begins, not when one is needed.
    let stop = stop_signal()?;
    let path = config.keys.cursor_file.as_deref();
    let path = path.ok_or_else(|| Failure::Refused("[keys] cursor_file must name a key file".to_owned()))?;
    let cursor_key = key(path)?;
    if config.issuers.is_empty() {
        return Err(Failure::Refused(
            "no [issuers] section: nobody could sign in".to_owned(),
        ));
    }
    let db = open_for(config, true).await?;
    if !db.is_current().await? {
        return Err(Failure::Refused(
            "the schema is not up to date: run `clb-hub migrate`".to_owned(),
        ));
    }
    let running = Running::over(db, law_settings(config))?;
    let outbound = Outbound::new().map_err(|_unusable| Failure::Refused("no HTTP client can be built".to_owned()))?;
    let fetch: Arc<dyn FetchKeys> = Arc::new(outbound);
    let issuers = config.issuers.values().map(|issuer| {
        (
            issuer.profile(),
            KeySource::Remote(Jwks::new(issuer.jwks_url.clone(), fetch.clone())),
        )
    });
    let bounds = (config.limits.query(), config.limits.bounds());
    let edge = running.edge(Verifier::new(issuers), &cursor_key, bounds, metrics);

    let listener = TcpListener::bind(config.server.address).await?;
    tracing::info!(address = %listener.local_addr()?, "serving");
    let keeping = tokio::spawn(running.sync(None, Arc::new(|_, _| {})).keep());
    let (sequencer, access_log) = running.beside_the_door();
    let (told, stopped) = tokio::sync::oneshot::channel::<()>();
    let sequencing = tokio::spawn(async move { sequencer.run(async { drop(stopped.await) }).await });
    let writing = tokio::spawn(access_log.run());
    let patience = config.server.patience();
    let served = serve(listener, router(edge), stop, patience).await;
    // Requests are over: give the last events their positions, write the last lines, and go.
    drop(told);
    keeping.abort();
    for task in [sequencing, writing] {
        if tokio::time::timeout(Duration::from_secs(5), task).await.is_err() {
            tracing::warn!("a background task did not end in time");
        }
    }
    served?;
    Ok(ExitCode::SUCCESS)
}
