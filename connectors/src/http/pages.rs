//! The addresses of one walk through pages: never another origin, never the same one twice, never without end (R19).

use std::collections::HashSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::Url;

/// The most pages of one list.
pub(super) const MOST_PAGES: usize = 100_000;

/// Where a walk has been.
pub struct Trail {
    base: Url,
    been: HashSet<u64>,
}

impl Trail {
    /// A walk that may not leave the origin of this address.
    pub fn from(base: &Url) -> Self {
        Self {
            base: base.clone(),
            been: HashSet::new(),
        }
    }

    /// Goes on to an address.
    ///
    /// # Errors
    /// It may not; with the rule that it breaks.
    pub fn visit(&mut self, next: &Url) -> Result<(), &'static str> {
        if next.origin() != self.base.origin() {
            return Err("paging.another_origin");
        }
        if self.been.len() >= MOST_PAGES {
            return Err("paging.too_many_pages");
        }
        let mut hash = DefaultHasher::new();
        next.as_str().hash(&mut hash);
        if self.been.insert(hash.finish()) {
            Ok(())
        } else {
            Err("paging.same_address_twice")
        }
    }
}

impl fmt::Debug for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trail({} pages)", self.been.len())
    }
}
