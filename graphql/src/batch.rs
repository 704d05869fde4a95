//! One statement per list level, without waiting for a clock.
//!
//! Every object of a list knows its siblings. The first resolver that needs more of one loads it
//! for all of them; the others wait for that load and take their share.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use futures::lock::Mutex;

use crate::problem::Problem;

/// What was loaded for all siblings, once per set of arguments.
pub(crate) struct Batch<A, K, V>(Mutex<Vec<(A, Loaded<K, V>)>>);

type Loaded<K, V> = Result<Arc<HashMap<K, V>>, Problem>;

impl<A, K, V> Default for Batch<A, K, V> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<A: PartialEq, K: Eq + Hash, V: Clone> Batch<A, K, V> {
    /// What is known already for these arguments, of all siblings.
    pub(crate) fn known(arguments: A, all: HashMap<K, V>) -> Self {
        Self(Mutex::new(vec![(arguments, Ok(Arc::new(all)))]))
    }

    /// Something of the value of one sibling, if it was loaded.
    pub(crate) fn at_hand<T>(&self, arguments: &A, key: &K, of: impl FnOnce(Option<&V>) -> T) -> Option<T> {
        let known = self.0.try_lock()?;
        let (_, loaded) = known.iter().find(|(of, _)| of == arguments)?;
        loaded.as_ref().ok().map(|all| of(all.get(key)))
    }

    /// Whether all siblings could be loaded; the first call with these arguments does it.
    pub(crate) async fn fetch<F>(&self, arguments: A, load: impl FnOnce() -> F) -> bool
    where
        F: Future<Output = Result<HashMap<K, V>, Problem>>,
    {
        self.loaded(arguments, load).await.is_ok()
    }

    /// The value of one sibling; the first call with these arguments loads those of all.
    pub(crate) async fn get<F>(&self, arguments: A, key: &K, load: impl FnOnce() -> F) -> Result<Option<V>, Problem>
    where
        F: Future<Output = Result<HashMap<K, V>, Problem>>,
    {
        self.loaded(arguments, load).await.map(|all| all.get(key).cloned())
    }

    async fn loaded<F>(&self, arguments: A, load: impl FnOnce() -> F) -> Loaded<K, V>
    where
        F: Future<Output = Result<HashMap<K, V>, Problem>>,
    {
        let mut known = self.0.lock().await;
        if let Some((_, loaded)) = known.iter().find(|(of, _)| *of == arguments) {
            return loaded.clone();
        }
        let loaded = load().await.map(Arc::new);
        known.push((arguments, loaded.clone()));
        loaded
    }
}
