//! `clb-hub serve`: the hub, until told to stop.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use hub_entities::time::Clock as _;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use super::house::{Running, key, law_settings, secret_text};
use super::sync::systems;
use super::{Failure, open_apart_for, open_for};
use crate::auth::Verifier;
use crate::auth::introspection::{Endpoint, Introspection};
use crate::auth::jwks::Jwks;
use crate::auth::verifier::KeySource;
use crate::config::Config;
use crate::custody::Custody;
use crate::custody::log::Sealer;
use crate::http::router;
use crate::http::serve::{serve, stop_signal};
use crate::http::streams::Streams;
use crate::keys::file_vault::FileVault;
use crate::keys::heads::Heads;
use crate::outbound::Outbound;
use crate::runtime::{SystemClock, SystemPause};
use crate::store::{Db, DbError, SecretDb, Secrets};
use crate::sync::schedule::{Every, Scheduler};

/// The secrecy store to serve from; refuses one that is not guarded as it must be.
pub(super) async fn guarded(db: &Db, apart: SecretDb, config: &Config) -> Result<(Secrets, Sealer), Failure> {
    let folders = config
        .secrecy
        .folders()
        .ok_or_else(|| Failure::Refused("[secrecy] key_folder and head_folder must each name a folder".to_owned()))?;
    guarded_by(db, apart, folders, SystemClock.now()).await
}

/// The same, with the folder of its keys and the second place of its log.
pub(super) async fn guarded_by(
    db: &Db,
    apart: SecretDb,
    (folder, heads): (&Path, &Path),
    now: DateTime<Utc>,
) -> Result<(Secrets, Sealer), Failure> {
    db.check_role().await?;
    apart.check_role().await?;
    if !apart.is_current().await? {
        return Err(Failure::Refused(
            "the schema of the secrecy store is not up to date: run `clb-hub migrate`".to_owned(),
        ));
    }
    let heads = Heads::open(folder, heads).map_err(DbError::from)?;
    let vault = FileVault::open(folder)?;
    let custody = Custody::open(db, &apart, now).await?;
    match custody.restored(folder).await? {
        0 => Ok((Secrets::new(apart, Arc::new(vault)), Sealer::new(custody, heads))),
        count => Err(Failure::Refused(format!(
            "the secrecy store holds {count} keys that were destroyed: a backup of before an erasure was put back"
        ))),
    }
}

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
    let (secrets, sealer) = match open_apart_for(config, true).await? {
        Some(apart) => {
            let (secrets, sealer) = guarded(&db, apart, config).await?;
            (Some(secrets), Some(sealer))
        }
        None => (None, None),
    };
    let national_numbers = config.keys.blind_index_file.as_deref().map(key).transpose()?;
    let minutes = config.secrecy.emergency_minutes;
    let kept = secrets.clone().map(|secrets| (secrets, minutes));
    let running = Running::with_secrets(db, kept, law_settings(config), national_numbers)?;
    let apart = match secrets {
        Some(secrets) => Some(running.apart(secrets).await?),
        None => None,
    };
    let outbound = Outbound::new().map_err(|_unusable| Failure::Refused("no HTTP client can be built".to_owned()))?;
    let verifier = verifier(config, &Arc::new(outbound))?;
    let streams = Arc::new(Streams::new(config.streams.bounds()));
    let bounds = (config.limits.query(), config.limits.bounds(), streams.clone());
    let edge = running.edge(verifier, &cursor_key, bounds, metrics);

    let listener = TcpListener::bind(config.server.address).await?;
    tracing::info!(address = %listener.local_addr()?, "serving");
    let keeping = tokio::spawn(running.sync(None, Arc::new(|_, _| {})).keep());
    // The rest of it goes here: the access log ends when nobody can put a line any more.
    let scheduler = scheduler(config, &running)?;
    let (stop_pulling, stopped) = oneshot::channel::<()>();
    let pulling = tokio::spawn(scheduler.run(async { drop(stopped.await) }));
    let working = running.beside_the_door().begin(sealer, apart);
    let patience = config.server.patience();
    // All are told at once, and have the same time from then on (R48). The pull first: it gives up what it reads.
    let (stopping, told) = watch::channel(false);
    let stop = async move {
        stop.await;
        drop(stop_pulling);
        keeping.abort();
        stopping.send_replace(true);
    };
    let (served, closed, pulled) = tokio::join!(
        serve(listener, router(edge), streams.until(stop), patience),
        // Sockets have left HTTP behind: they are waited for apart.
        after(told.clone(), patience.last_requests(), streams.closed()),
        after(told, patience.last_requests(), pulling),
    );
    if closed.is_none() {
        tracing::warn!("a stream did not close in time");
    }
    if pulled.is_none() {
        tracing::warn!("a pull did not end in time; the next start goes on with it");
    }
    // When nothing happens any more: what was merged last is told as well.
    working.end(patience.last_words()).await;
    served?;
    Ok(ExitCode::SUCCESS)
}

/// The end of this work, if it comes within so much time from the word to stop on.
async fn after<T>(mut told: watch::Receiver<bool>, time: Duration, work: impl Future<Output = T>) -> Option<T> {
    drop(told.wait_for(|told| *told).await);
    tokio::time::timeout(time, work).await.ok()
}

/// Who judges the tokens of these issuers.
fn verifier(config: &Config, outbound: &Arc<Outbound>) -> Result<Verifier, Failure> {
    let mut opaque = None;
    let mut keys = Vec::new();
    for issuer in config.issuers.values() {
        if let Some(path) = &issuer.client_secret_file {
            let endpoint = Endpoint {
                url: issuer.introspection_url.clone(),
                client_id: issuer.client_id.clone(),
                secret: secret_text(path)?,
            };
            opaque = Some(Introspection::new(issuer.profile(), endpoint, outbound.clone()));
        }
        if !issuer.jwks_url.is_empty() {
            let jwks = Jwks::new(issuer.jwks_url.clone(), outbound.clone());
            keys.push((issuer.profile(), KeySource::Remote(jwks)));
        }
    }
    Ok(Verifier::new(keys).with_opaque(opaque))
}

/// What pulls the live sources of this configuration.
fn scheduler(config: &Config, running: &Running) -> Result<Scheduler, Failure> {
    let national_numbers = config.keys.blind_index_file.as_deref().map(key).transpose()?;
    let (roster, absences) = config.sources.every();
    Ok(Scheduler::new(
        running.sync(national_numbers, Arc::new(|_, _| {})),
        systems(config)?,
        Arc::new(SystemPause::new()?),
        Every { roster, absences },
        running.sequencer.waker(),
    ))
}
