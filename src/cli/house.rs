//! What `serve` and `demo` both stand on.

use std::sync::Arc;
use std::time::Duration;

use hub_entities::evaluation::LawBook;
use hub_entities::id::Ids;
use hub_entities::law::Laws;
use hub_entities::law::compulsory::Settings;
use hub_entities::time::Clock;
use hub_graphql::page::CursorKey;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::SecretString;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Failure;
use crate::app::{AccessLog, App, Desk, access_log};
use crate::auth::Verifier;
use crate::config::Config;
use crate::custody::intents::Applier;
use crate::custody::log::Sealer;
use crate::custody::transfers::Mover;
use crate::deliver::audience::Days;
use crate::deliver::follower::Follower;
use crate::deliver::sequencer::Sequencer;
use crate::http::documents::Documents;
use crate::http::house::House;
use crate::http::limits::{Limits, Lists};
use crate::http::streams::Streams;
use crate::http::{Bounds, Edge};
use crate::runtime::{SystemClock, SystemIds};
use crate::store::{Db, Secrets};
use crate::sync::Sync;
use crate::sync::stop::Stop;

/// The parts of a running hub.
pub(super) struct Running {
    pub(super) db: Db,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn Ids>,
    pub(super) sequencer: Sequencer,
    pub(super) work: Work,
    pub(super) app: Arc<App>,
    book: Arc<LawBook>,
    desk: Desk,
}

/// What goes on beside the requests.
pub(super) struct Work {
    sequencer: Sequencer,
    follower: Follower,
    desk: Desk,
    days: Days,
    access_log: AccessLog,
}

/// It goes on until it is told to stop.
pub(super) struct Working {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Work {
    /// Begins; with what links the access log of the secrecy store, applies intents in it and transfers its dossiers, where there
    /// is one.
    pub(super) fn begin(self, sealer: Option<Sealer>, apart: Option<(Applier, Mover)>) -> Working {
        let stop = watch::Sender::new(false);
        let stopped = || {
            let mut stop = stop.subscribe();
            async move { drop(stop.wait_for(|stop| *stop).await) }
        };
        let Self {
            sequencer,
            follower,
            desk,
            days,
            access_log,
        } = self;
        let (one, two, three, four) = (stopped(), stopped(), stopped(), stopped());
        let sealing = sealer.map(|sealer| {
            let stopped = stopped();
            tokio::spawn(async move { sealer.run(stopped).await })
        });
        let (applier, mover) = apart.unzip();
        let applying = applier.map(|applier| {
            let stopped = stopped();
            tokio::spawn(async move { applier.run(stopped).await })
        });
        let moving = mover.map(|mover| {
            let stopped = stopped();
            tokio::spawn(async move { mover.run(stopped).await })
        });
        let mut tasks = vec![
            tokio::spawn(async move { sequencer.run(one).await }),
            tokio::spawn(async move { follower.run(two).await }),
            tokio::spawn(async move { desk.run(three).await }),
            tokio::spawn(async move { days.run(four).await }),
            tokio::spawn(access_log.run()),
        ];
        tasks.extend(sealing.into_iter().chain(applying).chain(moving));
        Working { stop, tasks }
    }
}

impl Working {
    /// Requests are over: gives the last events their positions, writes the last lines, and goes; within so much time,
    /// for all of them.
    pub(super) async fn end(self, within: Duration) {
        self.stop.send_replace(true);
        let all = futures::future::join_all(self.tasks);
        if tokio::time::timeout(within, all).await.is_err() {
            tracing::warn!("a background task did not end in time");
        }
    }
}

impl Running {
    /// The hub over this database; the settings answer what the laws leave open.
    /// `national_numbers` is the key of the blind index, where national numbers may be used.
    pub(super) fn over(db: Db, settings: Settings, national_numbers: Option<[u8; 32]>) -> Result<Self, Failure> {
        Self::with_secrets(db, None, settings, national_numbers)
    }

    /// The same, with a secrecy store to answer from, which an emergency opens for so many minutes.
    pub(super) fn with_secrets(
        db: Db,
        secrets: Option<(Secrets, u16)>,
        settings: Settings,
        national_numbers: Option<[u8; 32]>,
    ) -> Result<Self, Failure> {
        Self::by(Arc::new(SystemClock), db, secrets, settings, national_numbers)
    }

    /// What applies intents in this secrecy store, and what transfers its dossiers.
    pub(super) async fn apart(&self, secrets: Secrets) -> Result<(Applier, Mover), Failure> {
        let (clock, ids) = (self.clock.clone(), self.ids.clone());
        let applier = Applier::open(&self.db, secrets.clone(), clock.clone(), ids.clone()).await?;
        let mover = Mover::open(&self.db, secrets, self.book.clone(), clock, ids).await?;
        Ok((applier, mover))
    }

    /// The same, by another clock than the system's.
    pub(super) fn by(
        clock: Arc<dyn Clock>,
        db: Db,
        secrets: Option<(Secrets, u16)>,
        settings: Settings,
        national_numbers: Option<[u8; 32]>,
    ) -> Result<Self, Failure> {
        let book = Arc::new(LawBook::new(Laws::embedded()?, settings));
        let ids: Arc<dyn Ids> = Arc::new(SystemIds::new()?);
        let sequencer = Sequencer::new(db.clone(), clock.clone(), ids.clone());
        let (lines, access_log) = access_log(db.clone());
        let app = App::new(db.clone(), book.clone(), ids.clone(), sequencer.waker(), lines);
        let app = app.with_national_numbers(national_numbers);
        let app = Arc::new(match secrets {
            Some((secrets, minutes)) => app.with_secrets(Some(secrets)).with_emergency_minutes(minutes),
            None => app,
        });
        let follower = Follower::new(db.clone(), sequencer.given(), sequencer.waker());
        let desk = Desk::new(app.clone(), clock.clone(), follower.head());
        let work = Work {
            sequencer: sequencer.clone(),
            follower,
            desk: desk.clone(),
            days: Days::new(db.clone(), book.clone(), clock.clone(), ids.clone(), sequencer.waker()),
            access_log,
        };
        Ok(Self {
            db,
            clock,
            ids,
            sequencer,
            work,
            app,
            book,
            desk,
        })
    }

    /// What goes on beside the requests. The rest is let go of: whoever has no door puts no line into the access log.
    pub(super) fn beside_the_door(self) -> Work {
        self.work
    }

    /// The door over this hub.
    pub(super) fn edge(
        &self,
        verifier: Verifier,
        cursor_key: &[u8; 32],
        (limits, bounds, streams): (Limits, Bounds, Arc<Streams>),
        metrics: PrometheusHandle,
    ) -> Arc<Edge> {
        let options = hub_graphql::Options {
            introspection: limits.introspection,
        };
        let house = Arc::new(House::new(
            self.app.clone(),
            self.desk.clone(),
            &CursorKey::new(cursor_key),
            options,
        ));
        Arc::new(Edge {
            service: house.clone(),
            principals: house.clone(),
            verifier,
            ready: house,
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            limits,
            lists: Lists::of_schemas(),
            documents: Documents::default(),
            bounds,
            streams,
            metrics,
        })
    }

    /// What brings files in. `progress` is told how far a run has come.
    pub(super) fn sync(
        &self,
        national_numbers: Option<[u8; 32]>,
        progress: Arc<dyn Fn(u64, u64) + Send + std::marker::Sync>,
    ) -> Sync {
        Sync {
            db: self.db.clone(),
            book: self.book.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            national_numbers: national_numbers
                .map(|key| Arc::new(hub_entities::number::national::BlindIndexKey::new(key))),
            progress,
            stop: Stop::never(),
        }
    }
}

/// The answers of this configuration to what the law leaves open.
pub(super) fn law_settings(config: &Config) -> Settings {
    Settings {
        five_year_olds_in_preschool: config.law.five_year_olds,
        unknown_grade: config.law.unknown_grade,
        after_compulsory_age: config.law.adults,
        unknown_birth_date: config.law.unknown_birth_date,
    }
}

/// A key of 32 bytes from a file that only its owner may read.
pub(super) fn key(path: &std::path::Path) -> Result<[u8; 32], Failure> {
    let bytes = crate::runtime::read_secret(path)?;
    bytes
        .try_into()
        .map_err(|_length| Failure::Refused(format!("{}: a key has 32 bytes", path.display())))
}

/// A text from a file that only its owner may read, without the end of its line.
pub(super) fn secret_text(path: &std::path::Path) -> Result<SecretString, Failure> {
    let refused = |why: &str| Failure::Refused(format!("{}: {why}", path.display()));
    let bytes = crate::runtime::read_secret(path)
        .map_err(|_unreadable| refused("not there, or others than its owner can read it"))?;
    let text = String::from_utf8(bytes).map_err(|_not_text| refused("a secret is a text"))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(refused("a secret is not empty")),
        text => Ok(SecretString::from(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Each answer goes to its own question, and what is not answered stays open.
    #[test]
    fn what_the_law_leaves_open_is_answered_one_by_one() {
        let answered = |answer: fn(&mut Config)| {
            let mut config = Config::default();
            answer(&mut config);
            law_settings(&config)
        };
        let open = Settings::default();
        assert_eq!(answered(|_config| {}), open);
        let young = Settings {
            five_year_olds_in_preschool: Some(true),
            ..open
        };
        assert_eq!(answered(|config| config.law.five_year_olds = Some(true)), young);
        let ungraded = Settings {
            unknown_grade: Some(true),
            ..open
        };
        assert_eq!(answered(|config| config.law.unknown_grade = Some(true)), ungraded);
        let adults = Settings {
            after_compulsory_age: Some(false),
            ..open
        };
        assert_eq!(answered(|config| config.law.adults = Some(false)), adults);
        let unborn = Settings {
            unknown_birth_date: Some(false),
            ..open
        };
        assert_eq!(answered(|config| config.law.unknown_birth_date = Some(false)), unborn);
    }
}
