//! An issuer's keys, kept for as long as it says and fetched no more often than needed (R28).

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Refused;
use super::keys::KeySet;

/// How long keys are kept where the issuer does not say.
pub const DEFAULT_AGE: Duration = Duration::from_mins(10);
/// However long the issuer says, a dropped key is gone after this.
pub const MAX_AGE: Duration = Duration::from_hours(24);
/// The least time between two fetches, so that random key ids cannot make the hub flood the issuer.
pub const MIN_INTERVAL: Duration = Duration::from_secs(30);

/// What a fetch brought.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The keys.
    pub keys: KeySet,
    /// `max-age` of `Cache-Control`, if it was sent.
    pub max_age: Option<Duration>,
}

/// The key set could not be had: no connection, a timeout, a wrong status or a wrong body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key set could not be fetched")]
pub struct FetchFailed;

/// Where key sets come from: the network in `serve`, memory in tests.
#[async_trait]
pub trait FetchKeys: Send + Sync {
    /// Fetches the key set of one issuer.
    async fn fetch(&self, url: &str) -> Result<Fetched, FetchFailed>;
}

#[derive(Debug, Clone)]
struct Kept {
    keys: Arc<KeySet>,
    /// From here on a fetch is tried, while the keys still serve.
    renew: DateTime<Utc>,
    /// From here on the keys do not serve.
    until: DateTime<Utc>,
}

/// The key set of one issuer.
pub struct Jwks {
    url: String,
    fetcher: Arc<dyn FetchKeys>,
    kept: RwLock<Option<Kept>>,
    tried: Mutex<Option<DateTime<Utc>>>,
    /// One fetch at a time; who waited for it looks again instead of fetching too.
    fetching: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Jwks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jwks").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Jwks {
    /// Nothing is fetched before the first token arrives.
    pub fn new(url: String, fetcher: Arc<dyn FetchKeys>) -> Self {
        Self {
            url,
            fetcher,
            kept: RwLock::new(None),
            tried: Mutex::new(None),
            fetching: tokio::sync::Mutex::new(()),
        }
    }

    /// The keys in which `kid` is to be looked up.
    ///
    /// Known keys that are fresh are served without waiting. A key id that is not there, keys past
    /// half their age and keys past it cause a fetch, at most one per [`MIN_INTERVAL`]; while it
    /// fails, keys serve until their age is over.
    pub async fn keys(&self, kid: &str, now: DateTime<Utc>) -> Result<Arc<KeySet>, Refused> {
        let kept = self.kept(now);
        match &kept {
            Some(kept) if kept.keys.has(kid) && now < kept.renew => return Ok(Arc::clone(&kept.keys)),
            Some(kept) if kept.keys.has(kid) => {
                // Past half their age: whoever comes first renews, the others go on with these.
                if let Ok(_turn) = self.fetching.try_lock() {
                    self.fetch(now).await;
                }
            }
            Some(_) | None => {
                let _turn = self.fetching.lock().await;
                if self.kept(now).is_none_or(|kept| !kept.keys.has(kid)) {
                    self.fetch(now).await;
                }
            }
        }
        self.kept(now).map(|kept| kept.keys).ok_or(Refused::KeysUnavailable)
    }

    fn kept(&self, now: DateTime<Utc>) -> Option<Kept> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner).clone();
        kept.filter(|kept| now < kept.until)
    }

    async fn fetch(&self, now: DateTime<Utc>) {
        if !self.may_try(now) {
            return;
        }
        let Ok(fetched) = self.fetcher.fetch(&self.url).await else {
            tracing::warn!(url = %self.url, "the key set of an issuer could not be fetched");
            return;
        };
        let age = fetched.max_age.unwrap_or(DEFAULT_AGE).clamp(MIN_INTERVAL, MAX_AGE);
        let kept = Kept {
            keys: Arc::new(fetched.keys),
            renew: now + age / 2,
            until: now + age,
        };
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }

    fn may_try(&self, now: DateTime<Utc>) -> bool {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if tried.is_some_and(|tried| now < tried + MIN_INTERVAL) {
            return false;
        }
        *tried = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::auth::testing::{es256_key, key_set};

    /// An issuer whose answer the test sets; `None` is an issuer that is down.
    struct Issuer {
        answer: Mutex<Option<Fetched>>,
        calls: AtomicUsize,
    }

    impl Issuer {
        fn new(kids: &[&str], max_age: Option<u64>) -> Arc<Self> {
            let issuer = Self {
                answer: Mutex::new(None),
                calls: AtomicUsize::new(0),
            };
            issuer.serves(kids, max_age);
            Arc::new(issuer)
        }

        fn serves(&self, kids: &[&str], max_age: Option<u64>) {
            let keys = key_set(
                &kids
                    .iter()
                    .map(|kid| es256_key(kid))
                    .collect::<Vec<_>>()
                    .iter()
                    .collect::<Vec<_>>(),
            );
            let max_age = max_age.map(Duration::from_secs);
            *self.answer.lock().expect("a lock") = Some(Fetched { keys, max_age });
        }

        fn falls(&self) {
            *self.answer.lock().expect("a lock") = None;
        }

        fn calls(&self) -> usize {
            self.calls.load(Ordering::Relaxed)
        }
    }

    #[async_trait]
    impl FetchKeys for Issuer {
        async fn fetch(&self, url: &str) -> Result<Fetched, FetchFailed> {
            assert_eq!(url, "https://id.example/jwks");
            self.calls.fetch_add(1, Ordering::Relaxed);
            self.answer.lock().expect("a lock").clone().ok_or(FetchFailed)
        }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + seconds, 0).expect("an instant")
    }

    fn jwks(issuer: &Arc<Issuer>) -> Jwks {
        let fetcher: Arc<dyn FetchKeys> = Arc::<Issuer>::clone(issuer);
        Jwks::new("https://id.example/jwks".to_owned(), fetcher)
    }

    async fn knows(jwks: &Jwks, kid: &str, second: i64) -> Option<bool> {
        jwks.keys(kid, at(second)).await.ok().map(|keys| keys.has(kid))
    }

    #[tokio::test]
    async fn a_rotated_key_works_after_one_fetch_and_a_dropped_one_stops() {
        let issuer = Issuer::new(&["a"], Some(600));
        let jwks = jwks(&issuer);
        assert_eq!(knows(&jwks, "a", 0).await, Some(true));
        issuer.serves(&["b"], Some(600));
        assert_eq!(knows(&jwks, "a", 100).await, Some(true), "still within its age");
        assert_eq!(knows(&jwks, "b", 100).await, Some(true));
        assert_eq!(issuer.calls(), 2);
        assert_eq!(knows(&jwks, "a", 131).await, Some(false));
    }

    #[tokio::test]
    async fn a_dropped_key_is_gone_after_the_age_even_if_nobody_asks_for_another() {
        let issuer = Issuer::new(&["a"], Some(600));
        let jwks = jwks(&issuer);
        assert_eq!(knows(&jwks, "a", 0).await, Some(true));
        issuer.serves(&["b"], Some(600));
        assert_eq!(knows(&jwks, "a", 299).await, Some(true));
        assert_eq!(knows(&jwks, "a", 300).await, Some(false), "renewed at half its age");
    }

    #[tokio::test]
    async fn ten_thousand_random_key_ids_cause_one_fetch_in_thirty_seconds() {
        let issuer = Issuer::new(&["a"], None);
        let jwks = jwks(&issuer);
        for n in 0..10_000 {
            assert_eq!(knows(&jwks, &format!("random-{n}"), 0).await, Some(false));
        }
        assert_eq!(issuer.calls(), 1);
        assert_eq!(knows(&jwks, "random", 29).await, Some(false));
        assert_eq!(issuer.calls(), 1);
        assert_eq!(knows(&jwks, "random", 30).await, Some(false));
        assert_eq!(issuer.calls(), 2);
    }

    #[tokio::test]
    async fn the_age_is_the_issuers_or_ours_and_never_over_a_day() {
        // (max-age, the age that follows from it)
        for (max_age, age) in [
            (Some(21_500), 21_500),
            (None, 600),
            (Some(9_999_999), 86_400),
            (Some(0), 30),
        ] {
            let issuer = Issuer::new(&["a"], max_age);
            let jwks = jwks(&issuer);
            assert_eq!(knows(&jwks, "a", 0).await, Some(true));
            assert_eq!(knows(&jwks, "a", age / 2 - 1).await, Some(true));
            assert_eq!(issuer.calls(), 1, "{max_age:?}");
            issuer.falls();
            assert_eq!(
                knows(&jwks, "a", age - 1).await,
                Some(true),
                "{max_age:?}: known keys work while it is down"
            );
            assert_eq!(knows(&jwks, "a", age).await, None, "{max_age:?}: and not longer");
        }
    }

    #[tokio::test]
    async fn an_issuer_that_was_never_reached_gives_no_keys() {
        let issuer = Issuer::new(&["a"], None);
        issuer.falls();
        let jwks = jwks(&issuer);
        assert_eq!(knows(&jwks, "a", 0).await, None);
        issuer.serves(&["a"], None);
        assert_eq!(knows(&jwks, "a", 10).await, None, "not before thirty seconds");
        assert_eq!(knows(&jwks, "a", 30).await, Some(true));
    }
}
