//! The one door: load relations → decide → load → answer.
//!
//! Every question and every step comes through here, as an implementation of the ports that
//! `graphql` declares. Nothing here builds a query, and nothing below here decides.

mod access;
mod access_log;
mod agreements;
mod alerts;
mod answer;
mod asking;
mod changes;
mod classes;
mod clients;
mod consents;
mod corrections;
mod deliveries;
mod dossiers;
mod emergencies;
mod export;
mod guidance;
mod holds;
mod matching;
mod operations;
mod parents_log;
mod pupils;
mod referrals;
mod releases;
mod rights;
mod schools;
mod signals;
mod submissions;
mod transfers;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use hub_entities::evaluation::LawBook;
use hub_entities::id::Ids;
use hub_entities::number::national::BlindIndexKey;
use hub_entities::operation::{Actor, Operation};
use hub_entities::policy::{Action, Decision, Relations, Scope, decide};
use hub_graphql::hub::Answer;
use hub_graphql::problem::Problem;
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

pub use crate::store::abandoned::while_waited_for;
use crate::store::secret::letterbox::Letterbox;
use crate::store::secret::showcase::Showcase;
use crate::store::{Db, DbError, Secrets, relations};
pub use access::{AccessLog, access_log};
use access::{Lines, Place, Seen};
pub use alerts::Desk;
pub use export::{EXPORTED, Said, Word};

/// For how many minutes an emergency opens a dossier, where nothing is set: long enough to act, and within the hour of R34.
pub const EMERGENCY_MINUTES: u16 = 30;

/// The hub's answers.
pub struct App {
    db: Db,
    /// The secrecy store, where there is one.
    secrets: Option<Secrets>,
    /// For how many minutes an emergency opens it.
    emergency_minutes: u16,
    /// Into which a school's requests are put: with the showcase all that whoever serves a school holds of it.
    letterbox: Option<Letterbox>,
    /// Through which a school looks at what was released to it.
    showcase: Option<Showcase>,
    book: Arc<LawBook>,
    ids: Arc<dyn Ids>,
    /// Woken after a commit that has something to tell.
    wake: Arc<Notify>,
    lines: Lines,
    /// The key of the blind index, where an authorisation to use national numbers is configured.
    national_numbers: Option<Arc<BlindIndexKey>>,
    /// Calls of software that may be worked on beside those that are.
    calls: Semaphore,
    /// Requests under way, by their id: relations are loaded once, and what was seen is written down at the end.
    requests: Mutex<HashMap<Uuid, Arc<Request>>>,
}

/// Who signed in for one request, with the facts that decide what it may do.
#[derive(Debug)]
pub struct SignedIn {
    /// The acting principal.
    pub actor: Actor,
    /// Whether the sign-in is strong and fresh enough for what is under secrecy (R24).
    pub assured: bool,
    relations: Arc<Relations>,
}

impl SignedIn {
    /// Someone without any relation, for tests of what is before the hub.
    #[cfg(test)]
    #[expect(clippy::disallowed_methods, reason = "nothing is decided on them")]
    pub(crate) fn alone(actor: Actor) -> Self {
        let relations = Relations::of_rows(None, Vec::<hub_entities::agreement::Binding>::new());
        Self {
            actor,
            assured: false,
            relations: Arc::new(relations),
        }
    }
}

/// One request under way.
struct Request {
    relations: Arc<Relations>,
    assured: bool,
    seen: Mutex<Seen>,
    /// Where its line of the access log will stand.
    place: Mutex<Option<Place>>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("db", &self.db).finish_non_exhaustive()
    }
}

impl App {
    /// The hub over this database, by these laws; `wake` is notified when there is something to tell, `lines` takes
    /// the lines of the access log.
    pub fn new(db: Db, book: Arc<LawBook>, ids: Arc<dyn Ids>, wake: Arc<Notify>, lines: Lines) -> Self {
        Self {
            db,
            secrets: None,
            emergency_minutes: EMERGENCY_MINUTES,
            letterbox: None,
            showcase: None,
            book,
            ids,
            wake,
            lines,
            national_numbers: None,
            calls: Semaphore::new(submissions::CALLS),
            requests: Mutex::new(HashMap::new()),
        }
    }

    /// The same with the key of the blind index, where national numbers may be used.
    #[must_use]
    pub fn with_national_numbers(self, key: Option<[u8; 32]>) -> Self {
        let national_numbers = key.map(|key| Arc::new(BlindIndexKey::new(key)));
        Self {
            national_numbers,
            ..self
        }
    }

    /// The same, with a secrecy store to answer from; without one nothing under secrecy is kept or served.
    #[must_use]
    pub fn with_secrets(mut self, secrets: Option<Secrets>) -> Self {
        self.letterbox = secrets.as_ref().map(Secrets::letterbox);
        self.showcase = secrets.as_ref().map(Secrets::showcase);
        self.secrets = secrets;
        self
    }

    /// The same, with emergencies that open for so many minutes.
    #[must_use]
    pub fn with_emergency_minutes(self, minutes: u16) -> Self {
        Self {
            emergency_minutes: minutes,
            ..self
        }
    }

    /// The acting principal of a token as of now, with what is decided on.
    pub async fn sign_in(&self, issuer: &str, subject: &str, now: DateTime<Utc>) -> Result<Option<SignedIn>, DbError> {
        let found = relations::sign_in(&self.db, issuer, subject, now).await?;
        Ok(found.map(|(actor, relations)| SignedIn {
            actor,
            assured: false,
            relations,
        }))
    }

    /// Whether the database answers with the schema this version knows.
    pub async fn is_ready(&self) -> Result<bool, DbError> {
        match &self.secrets {
            Some(secrets) if !secrets.is_current().await? => Ok(false),
            Some(_) | None => self.db.is_current().await,
        }
    }

    /// Begins a request of who has signed in for it.
    pub async fn begin(&self, operation: &Operation, signed_in: SignedIn) -> Answer<()> {
        let Some(place) = self.lines.place().await else {
            tracing::error!("nobody writes the access log: nothing is read");
            return Err(Problem::Unavailable);
        };
        let request = Request {
            relations: signed_in.relations,
            assured: signed_in.assured,
            seen: Mutex::new(Seen::default()),
            place: Mutex::new(Some(place)),
        };
        self.requests().insert(operation.request, Arc::new(request));
        Ok(())
    }

    /// Ends a request: what left is written down, behind the answer but within a second (design §3).
    pub fn end(&self, operation: &Operation) {
        let request = self.requests().remove(&operation.request);
        if let Some(request) = request {
            let seen = std::mem::take(&mut *lock(&request.seen));
            if let Some(place) = lock(&request.place).take() {
                place.put(operation, seen, &*self.ids);
            }
        }
    }

    fn requests(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Arc<Request>>> {
        lock(&self.requests)
    }

    /// The request that this operation belongs to.
    fn request(&self, operation: &Operation) -> Answer<Arc<Request>> {
        self.requests().get(&operation.request).cloned().ok_or_else(|| {
            tracing::error!("an operation was asked outside a request");
            Problem::Unavailable
        })
    }

    /// What the operation may do, or nothing.
    fn decide(&self, operation: &Operation, action: Action) -> Answer<Option<Scope>> {
        let request = self.request(operation)?;
        match decide(operation, &request.relations, action) {
            Decision::Allowed(scope) => Ok(Some(scope)),
            Decision::Refused(why) => {
                tracing::info!(%action, %why, "refused");
                metrics::counter!("clb_hub_refused_total", "action" => action.name()).increment(1);
                Ok(None)
            }
        }
    }
}

/// A lock that a panic elsewhere does not take away.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A fault of the store, as the asker is told of it: not at all. The operator reads it in the log.
fn failed(fault: &DbError) -> Problem {
    tracing::error!(error = fault.kind(), "the store failed");
    Problem::Unavailable
}
