//! Pulling several live sources at once, with a bar for each: what `sync` does, and the first thing that `demo` does.

use std::sync::Arc;

use chrono::NaiveDate;
use futures::StreamExt as _;
use hub_connectors::contract::Stream;
use hub_connectors::live::Systems;
use indicatif::{MultiProgress, ProgressBar};

use super::import::bar_style;
use super::sync::name_of;
use crate::sync::pull::{BUDGET, Brought, LiveSource, Pull, Room};
use crate::sync::{Sync, SyncError};

/// What is to be told of one pull.
pub(super) type Told<'a> = dyn FnMut(&LiveSource, Stream, Result<Brought, SyncError>) + Send + 'a;

/// How several sources are pulled.
pub(super) struct Pulling<'a> {
    /// What brings in.
    pub(super) sync: &'a Sync,
    /// The way to the systems.
    pub(super) systems: &'a Systems,
    /// How many are read at once. They wait for their source; what weighs on the database is done a few at a time.
    pub(super) at_once: usize,
    /// Says what would change; nothing is.
    pub(super) dry_run: bool,
    /// Everything, whatever was read before.
    pub(super) full: bool,
    /// The first day of absence that is asked for.
    pub(super) since: Option<NaiveDate>,
    /// What these pulls share; told to stop, reads under way are given up and none begins.
    pub(super) room: &'a Room,
}

impl Pulling<'_> {
    /// Pulls these streams, one after the other, of these sources, and tells what came of each.
    pub(super) async fn all(&self, streams: &[Stream], sources: &[LiveSource], told: &mut Told<'_>) {
        let bars = MultiProgress::new();
        for stream in streams {
            let these = sources.iter().filter(|source| source.live.brings(*stream));
            let (bars, stream) = (&bars, *stream);
            let pulls = these.map(|source| async move {
                let bar = bars.add(ProgressBar::new(0).with_style(bar_style()));
                bar.set_prefix(name_of(source));
                let shown = bar.clone();
                let sync = Sync {
                    progress: Arc::new(move |done, total| {
                        shown.set_length(total);
                        shown.set_position(done);
                    }),
                    ..self.sync.clone()
                };
                let outcome = self.one(&sync, source, stream).await;
                bar.finish_and_clear();
                (source, outcome)
            });
            // One future after the other is large enough to be on the heap.
            let pulls: Vec<_> = pulls.map(Box::pin).collect();
            let mut pulls = futures::stream::iter(pulls).buffer_unordered(self.at_once);
            while let Some((source, outcome)) = pulls.next().await {
                bars.suspend(|| told(source, stream, outcome));
            }
        }
    }

    async fn one(&self, sync: &Sync, source: &LiveSource, stream: Stream) -> Result<Brought, SyncError> {
        let connector = self.systems.connect(&source.live)?;
        let pull = Pull {
            connection: &source.connection,
            school: &source.school,
            connector: &*connector,
            stream,
            full: self.full,
            since: self.since,
            budget: BUDGET,
            knock: false,
            room: Some(self.room),
        };
        if self.dry_run {
            sync.preview(&pull).await
        } else {
            sync.pull(&pull).await
        }
    }
}
