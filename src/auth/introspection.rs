//! Tokens that say nothing themselves: their issuer is asked (R13, RFC 7662), as ACM/IDM wants it.
//!
//! An answer counts for a minute and never beyond the token's own end, so that a revoked token is refused within that
//! minute; a no counts for ten seconds. What stays open asks sooner, as a stream ends with its token (R22). Of those who
//! come with one token at once, one asks. While the issuer does not answer nobody is let in, and after five failures in a
//! row it is only knocked at. Of a token its hash is kept.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, WeakShared};
use lru::LruCache;
use secrecy::SecretString;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::claims::Claims;
use super::{Identity, Profile, Refused, TokenType};

/// How long the issuer's yes counts.
pub const YES: Duration = Duration::from_mins(1);
/// How long its no counts.
pub const NO: Duration = Duration::from_secs(10);
/// How many answers are kept.
const KEPT: NonZeroUsize = NonZeroUsize::new(10_000).expect("more than none");
/// How many questions are under way at most; who comes then waits for a turn.
const AT_ONCE: usize = 32;
/// How long such a wait may be.
const PATIENCE: Duration = Duration::from_secs(5);
/// After so many questions in a row without an answer, there is a pause.
const FAILURES: u32 = 5;
/// How long the pause is, behind which one question tries whether there is an answer again.
pub const PAUSE: Duration = Duration::from_secs(30);

/// What a client of ours without a person behind it is called, before the name that the issuer gives it. No person may be
/// called so: who may choose an own name could choose that of a client (RFC 9700 §4.15).
const CLIENT: &str = "client:";

/// Where an issuer is asked, and as whom.
#[derive(Debug)]
pub struct Endpoint {
    /// The address.
    pub url: String,
    /// The name of the hub at the issuer.
    pub client_id: String,
    /// The secret of the hub there.
    pub secret: SecretString,
}

/// Why there is no answer to judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// No connection, no answer in time, or the issuer says that it is not available.
    #[error("the issuer does not answer")]
    Unavailable,
    /// The issuer does not take the question.
    #[error("the issuer does not take the question")]
    Refused,
    /// Another kind of answer, or too large a one.
    #[error("the issuer answers something else")]
    Malformed,
}

/// Asks an issuer: over the network in `serve`, in memory in tests.
#[async_trait]
pub trait Ask: Send + Sync {
    /// The JSON that the issuer answers.
    ///
    /// # Errors
    /// There is none.
    async fn ask(&self, endpoint: &Endpoint, token: &str) -> Result<Vec<u8>, Unanswered>;
}

/// What is known of a token for a while.
#[derive(Clone)]
struct Judged {
    subject: String,
    assured_until: Option<DateTime<Utc>>,
    expires_at: DateTime<Utc>,
}

type Judgement = Result<Judged, Refused>;

struct Kept {
    judgement: Judgement,
    asked_at: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// The tokens of one issuer.
pub struct Introspection(Arc<Inner>);

struct Inner {
    profile: Profile,
    endpoint: Endpoint,
    ask: Arc<dyn Ask>,
    kept: Mutex<LruCache<[u8; 32], Kept>>,
    under_way: Mutex<HashMap<[u8; 32], WeakShared<BoxFuture<'static, Judgement>>>>,
    turns: Semaphore,
    failing: Mutex<Failing>,
}

/// How often in a row there was no answer, and until when that is not tried again.
#[derive(Default)]
struct Failing {
    times: u32,
    until: DateTime<Utc>,
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection")
            .field("issuer", &self.0.profile.issuer)
            .finish_non_exhaustive()
    }
}

impl Introspection {
    /// Nothing is asked before the first token arrives.
    pub fn new(profile: Profile, endpoint: Endpoint, ask: Arc<dyn Ask>) -> Self {
        Self(Arc::new(Inner {
            profile,
            endpoint,
            ask,
            kept: Mutex::new(LruCache::new(KEPT)),
            under_way: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
            failing: Mutex::default(),
        }))
    }

    /// Who the token proves, by the word of its issuer.
    pub(super) async fn judge(&self, token: &str, now: DateTime<Utc>) -> Result<Identity, Refused> {
        self.judge_within(token, now, YES).await
    }

    /// The same, of a token that something rests on which stays open: a yes counts for no longer than `within`. Where
    /// there is no answer, it counts for as long as it would at a request.
    pub(super) async fn judge_again(&self, token: &str, now: DateTime<Utc>, within: Duration) -> Result<(), Refused> {
        let judged = match self.judge_within(token, now, within).await {
            Err(refused) if refused.is_not_the_clients() => self.judge(token, now).await,
            judged => judged,
        };
        judged.map(drop)
    }

    async fn judge_within(&self, token: &str, now: DateTime<Utc>, within: Duration) -> Result<Identity, Refused> {
        if !is_opaque(token) {
            return Err(Refused::Malformed);
        }
        let judged = match self.known_or_asked(token, now, within) {
            Known::Judgement(judgement) => judgement,
            Known::Question(question) => question.await,
        }?;
        if now >= judged.expires_at {
            return Err(Refused::Expired);
        }
        let assured = judged.assured_until.is_some_and(|until| now < until);
        Ok(Identity {
            issuer: self.0.profile.issuer.clone(),
            subject: judged.subject,
            assured,
            step_up: (!assured).then(|| self.0.profile.step_up()).flatten(),
            expires_at: judged.expires_at,
        })
    }

    /// What is known, or the one question that is under way for this token, or a new one. A question that everybody left
    /// is gone with them.
    fn known_or_asked(&self, token: &str, now: DateTime<Utc>, within: Duration) -> Known {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let mut under_way = locked(&self.0.under_way);
        if let Some(judgement) = self.0.known(&hash, now, within) {
            return Known::Judgement(judgement);
        }
        if let Some(question) = under_way.get(&hash).and_then(WeakShared::upgrade) {
            return Known::Question(question);
        }
        let question = Arc::clone(&self.0)
            .question(hash, token.to_owned(), now)
            .boxed()
            .shared();
        under_way.retain(|_, question| question.upgrade().is_some());
        under_way.extend(question.downgrade().map(|weak| (hash, weak)));
        Known::Question(question)
    }
}

enum Known {
    Judgement(Judgement),
    Question(Shared<BoxFuture<'static, Judgement>>),
}

impl Inner {
    fn known(&self, hash: &[u8; 32], now: DateTime<Utc>, within: Duration) -> Option<Judgement> {
        let mut kept = locked(&self.kept);
        let one = kept.get(hash)?;
        let until = match one.judgement {
            Ok(_) => one.until.min(one.asked_at + within),
            Err(_) => one.until,
        };
        // A clock that was put back does not make an answer count for longer.
        (now < until && one.asked_at <= now).then(|| one.judgement.clone())
    }

    async fn question(self: Arc<Self>, hash: [u8; 32], token: String, now: DateTime<Utc>) -> Judgement {
        let turn = tokio::time::timeout(PATIENCE, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return Err(Refused::IntrospectionUnavailable);
        };
        if !self.may_ask(now) {
            return Err(Refused::IntrospectionUnavailable);
        }
        let answer = self.ask.ask(&self.endpoint, &token).await;
        self.note(answer != Err(Unanswered::Unavailable), now);
        let judgement = match answer {
            Ok(answer) => judge(&answer, &self.profile, now),
            Err(Unanswered::Unavailable) => Err(Refused::IntrospectionUnavailable),
            Err(Unanswered::Refused) => Err(Refused::IntrospectionDenied),
            Err(Unanswered::Malformed) => Err(Refused::IntrospectionMalformed),
        };
        self.keep(hash, &judgement, now);
        judgement
    }

    fn keep(&self, hash: [u8; 32], judgement: &Judgement, now: DateTime<Utc>) {
        let until = match judgement {
            Ok(judged) => (now + YES).min(judged.expires_at - self.profile.skew),
            Err(refused) if refused.is_not_the_clients() => return,
            Err(_refused) => now + NO,
        };
        let kept = Kept {
            judgement: judgement.clone(),
            asked_at: now,
            until,
        };
        locked(&self.kept).put(hash, kept);
    }

    /// Whether a question may be asked; in a pause, and behind it while one tries, it may not.
    fn may_ask(&self, now: DateTime<Utc>) -> bool {
        let mut failing = locked(&self.failing);
        if failing.times < FAILURES {
            return true;
        }
        if now < failing.until && failing.until - PAUSE <= now {
            return false;
        }
        failing.until = now + PAUSE;
        true
    }

    fn note(&self, answered: bool, now: DateTime<Utc>) {
        let mut failing = locked(&self.failing);
        if answered {
            failing.times = 0;
            return;
        }
        failing.times = failing.times.saturating_add(1);
        failing.until = now + PAUSE;
        tracing::warn!(issuer = %self.profile.issuer, "an issuer does not answer what it is asked of a token");
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The letters that a bearer token may have (RFC 6750 §2.1).
fn is_opaque(token: &str) -> bool {
    let letters = token.trim_end_matches('=');
    !letters.is_empty()
        && letters
            .bytes()
            .all(|one| one.is_ascii_alphanumeric() || b"-._~+/".contains(&one))
}

/// What the answer says, every member judged as the claim of a JWT would be. What is not known is not read; no member may
/// be named twice.
fn judge(answer: &[u8], profile: &Profile, now: DateTime<Utc>) -> Judgement {
    let mut claims = Claims::parse(answer).map_err(|_malformed| Refused::IntrospectionMalformed)?;
    match claims.other("active") {
        Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => return Err(Refused::Inactive),
        _ => return Err(Refused::IntrospectionMalformed),
    }
    // The answer comes from the issuer itself: it need not say so, and may not say otherwise.
    if !claims.is_of(&profile.issuer) {
        return Err(Refused::UnknownIssuer);
    }
    match claims.other("token_type") {
        None => {}
        Some(Value::String(kind)) if kind.eq_ignore_ascii_case("bearer") => {}
        Some(_) => return Err(Refused::TokenType),
    }
    let person = claims.names_subject();
    let client = claims.other("client_id").and_then(Value::as_str);
    let client = client.filter(|client| !client.is_empty());
    let client = client.map(|client| format!("{CLIENT}{client}"));
    claims.complete(client, now);
    let (subject, expires_at) = claims.check(profile, TokenType::AccessToken, now)?;
    if person && subject.starts_with(CLIENT) {
        return Err(Refused::Subject);
    }
    Ok(Judged {
        subject: subject.to_owned(),
        assured_until: claims.assured_until(profile, now),
        expires_at,
    })
}

#[cfg(test)]
mod tests;
