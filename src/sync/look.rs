//! How it stands with a live source: what may be kept of it, and what its last pulls brought.

use hub_connectors::contract::Stream;
use hub_entities::category::Categories;
use hub_entities::policy::Reach;
use hub_entities::source::{pull, turn};

use super::pull::{LiveSource, kind_of};
use super::{Source, Sync, SyncError};
use crate::store::{pull as pulls, turn as turns};

/// How it stands with a source.
#[derive(Debug)]
pub struct Look {
    /// What the agreements in force today let the hub keep of it.
    pub kept: Categories,
    /// Its streams that are pulled.
    pub streams: Vec<StreamLook>,
}

/// How it stands with one stream.
#[derive(Debug)]
pub struct StreamLook {
    /// Which.
    pub stream: Stream,
    /// The last pull that came to its end.
    pub pulled: Option<pull::Model>,
    /// When it is pulled next, and since when that has failed.
    pub turn: Option<turn::Model>,
}

impl Sync {
    /// How it stands with a live source. Nobody is called.
    ///
    /// # Errors
    /// The store failed.
    pub async fn look(&self, source: &LiveSource) -> Result<Look, SyncError> {
        let whose = Source {
            id: source.connection.id,
            school: source.connection.school_id,
        };
        let scope = self.scope(whose).await?;
        let kept = match scope.reach() {
            Reach::Source { agreed, .. } => *agreed,
            _ => Categories::NONE,
        };
        let pulled = pulls::of_source(&self.db, &scope).await?;
        let turns = turns::of_source(&self.db, &scope).await?;
        let streams = [Stream::Roster, Stream::Absences].into_iter();
        let streams = streams.filter(|stream| source.live.brings(*stream));
        let look = |stream| StreamLook {
            stream,
            pulled: pulled.iter().find(|one| one.kind == kind_of(stream)).cloned(),
            turn: turns.iter().find(|one| one.kind == kind_of(stream)).cloned(),
        };
        Ok(Look {
            kept,
            streams: streams.map(look).collect(),
        })
    }
}
