//! The facts a decision rests on.

use crate::agreement::Binding;
use crate::principal;

/// The relations of one actor, as rows with a begin and an end.
///
/// Only `store::relations::load` builds them, from rows it just read; a lint keeps
/// [`Relations::of_rows`] out of every other place.
#[derive(Debug, Clone)]
pub struct Relations {
    principal: Option<principal::Model>,
    agreements: Vec<Binding>,
}

impl Relations {
    /// The relations in these rows: the actor's own, and the agreements its school or CLB is a party to.
    pub fn of_rows<A: Into<Binding>>(principal: Option<principal::Model>, agreements: Vec<A>) -> Self {
        let agreements = agreements.into_iter().map(Into::into).collect();
        Self { principal, agreements }
    }

    /// The actor's row.
    pub(super) const fn principal(&self) -> Option<&principal::Model> {
        self.principal.as_ref()
    }

    /// The agreements it is a party to.
    pub(super) fn agreements(&self) -> &[Binding] {
        &self.agreements
    }
}
