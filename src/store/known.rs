//! The relations of those who signed in, kept as long as nothing they rest on has changed.
//!
//! A right that ends must end on the next request, so every sign-in asks the database; but what it asks is one number,
//! which triggers move in the very transaction that changes a principal, an agreement or a client's grant. Only when it
//! has moved are the rows read again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hub_entities::policy::Relations;

/// How many are kept at most; then all are let go of.
const MOST: usize = 20_000;

/// Who signed in since the number moved last.
#[derive(Debug, Default)]
pub(super) struct SignIns(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    version: i64,
    of: HashMap<(String, String), Arc<Relations>>,
}

impl SignIns {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was read at exactly this version.
    pub(super) fn at(&self, version: i64, issuer: &str, subject: &str) -> Option<Arc<Relations>> {
        let kept = self.kept();
        let key = (issuer.to_owned(), subject.to_owned());
        kept.of.get(&key).filter(|_| kept.version == version).cloned()
    }

    /// Keeps what was read after this version was: it may be newer, never older.
    pub(super) fn keep(&self, version: i64, issuer: &str, subject: &str, known: Arc<Relations>) {
        let mut kept = self.kept();
        if kept.version > version {
            return;
        }
        if kept.version < version || kept.of.len() >= MOST {
            kept.of.clear();
            kept.version = version;
        }
        kept.of.insert((issuer.to_owned(), subject.to_owned()), known);
    }
}
