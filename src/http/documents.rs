//! Documents that were read before: a front-end sends the same few texts all day.
//!
//! Kept is what follows from the text alone. Whatever depends on the variables, the viewer or the schema is looked at
//! for each request anew, and a text that was refused or does not parse is not kept.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::parser::parse_query;
use hub_graphql::Known;
use lru::LruCache;
use sha2::{Digest as _, Sha256};

use super::limits::{self, Limits, Refusal};

/// So many documents are kept.
const KEPT: NonZeroUsize = NonZeroUsize::new(128).expect("more than none");

/// A longer one is not, so that what is kept stays small whatever is sent: a token is a few hundred bytes once parsed.
const LONGEST: usize = 300;

/// A text that was read.
#[derive(Debug)]
pub(super) struct Read {
    /// What the text says, and where that was found valid.
    pub(super) document: Arc<Known>,
    /// A number that tells documents apart in a trace, and nothing of the values in them.
    pub(super) mark: u64,
}

/// Why a text cannot be read.
#[derive(Debug)]
pub(super) enum Unread {
    /// It passes a limit.
    Refused(Refusal),
    /// It does not parse.
    Malformed(async_graphql::parser::Error),
}

/// What was read before, the least recently asked for forgotten first.
pub struct Documents(Mutex<LruCache<Box<str>, Arc<Read>>>);

impl Default for Documents {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(KEPT)))
    }
}

impl std::fmt::Debug for Documents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A text may hold what was asked for.
        f.debug_struct("Documents").finish_non_exhaustive()
    }
}

impl Documents {
    /// Reads a text within the limits, or remembers it.
    ///
    /// # Errors
    ///
    /// A limit on the text is passed, or it does not parse.
    pub(super) fn read(&self, text: &str, limits: &Limits) -> Result<Arc<Read>, Unread> {
        if let Some(known) = self.kept().get(text) {
            return Ok(Arc::clone(known));
        }
        // The parser is never given a text that the scan has not let through.
        let scan = limits::text::check(text, limits).map_err(Unread::Refused)?;
        let document = parse_query(text).map_err(Unread::Malformed)?;
        let hash = Sha256::digest(limits::text::shape(text));
        let mark = hash.first_chunk().copied().map(u64::from_be_bytes).unwrap_or_default();
        let document = Arc::new(Known::new(document));
        let read = Arc::new(Read { document, mark });
        if scan.tokens <= LONGEST {
            self.kept().put(text.into(), Arc::clone(&read));
        }
        Ok(read)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, LruCache<Box<str>, Arc<Read>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(documents: &Documents, text: &str) -> Arc<Read> {
        documents.read(text, &Limits::DEFAULT).expect("within the limits")
    }

    #[test]
    fn a_text_is_read_once_and_no_text_is_taken_for_another() {
        let documents = Documents::default();
        let first = read(&documents, "{ a }");
        assert!(Arc::ptr_eq(&first, &read(&documents, "{ a }")));
        let other = read(&documents, "{ b }");
        assert!(!Arc::ptr_eq(&first, &other));
        assert_ne!(first.mark, other.mark);
    }

    #[test]
    fn what_is_long_or_refused_is_not_kept() {
        let documents = Documents::default();
        let long = format!("{{ {} }}", "a ".repeat(LONGEST));
        assert!(!Arc::ptr_eq(&read(&documents, &long), &read(&documents, &long)));
        assert!(documents.read("{", &Limits::DEFAULT).is_err());
        assert!(documents.read(&"{a".repeat(65), &Limits::DEFAULT).is_err());
        assert_eq!(documents.kept().len(), 0);
    }

    #[test]
    fn so_many_are_kept_and_no_more() {
        let documents = Documents::default();
        let first = read(&documents, "{ first }");
        for n in 0..KEPT.get() {
            read(&documents, &format!("{{ a{n} }}"));
        }
        assert_eq!(documents.kept().len(), KEPT.get());
        assert!(!Arc::ptr_eq(&first, &read(&documents, "{ first }")));
    }
}
