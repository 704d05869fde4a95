//! Waking the other processes on the same database: only that there may be something new, never what (R39). A wake-up
//! that is lost delays; whoever listens also looks by itself.

use super::dialect::Listening;
use super::sql::rows;
use super::{Db, DbError};

/// A connection on which other processes wake this one.
pub struct Listener(Box<dyn Listening>);

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listener")
    }
}

impl Listener {
    /// Listens; `None` on a database that wakes nobody.
    pub async fn new(db: &Db) -> Result<Option<Self>, DbError> {
        Ok(db.dialect().listen(db.url()).await?.map(Self))
    }

    /// Until something may be new.
    pub async fn woken(&mut self) -> Result<(), DbError> {
        self.0.woken().await
    }
}

/// Wakes whoever listens: something was committed that has no position yet, or has one now.
pub async fn wake(db: &Db) -> Result<(), DbError> {
    if let Some(text) = db.dialect().wake() {
        rows(db.reader(), text, Vec::new()).await?;
    }
    Ok(())
}
