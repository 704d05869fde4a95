//! The facts a decision rests on.

use chrono::{DateTime, Utc};

use crate::agreement::Binding;
use crate::operation::{Actor, Discipline, Role};
use crate::{client_grant, principal};

/// The relations of one actor, as rows with a begin and an end.
///
/// Only `store::relations::load` builds them, from rows it just read; a lint keeps
/// [`Relations::of_rows`] out of every other place.
#[derive(Debug, Clone)]
pub struct Relations {
    principal: Option<principal::Model>,
    agreements: Vec<Binding>,
    grants: Vec<client_grant::Model>,
}

impl Relations {
    /// The relations in these rows: the actor's own, and the agreements its school or CLB is a party to.
    pub fn of_rows<A: Into<Binding>>(principal: Option<principal::Model>, agreements: Vec<A>) -> Self {
        let agreements = agreements.into_iter().map(Into::into).collect();
        Self {
            principal,
            agreements,
            grants: Vec::new(),
        }
    }

    /// The same, of software to which these grants were issued.
    #[must_use]
    pub fn with_grants(self, grants: Vec<client_grant::Model>) -> Self {
        Self { grants, ..self }
    }

    /// Who acts at this instant: whoever its own row lets act, and software only under a grant in force.
    pub fn actor_at(&self, now: DateTime<Utc>) -> Option<Actor> {
        let row = self.principal.as_ref()?;
        let actor = row.actor_at(now)?;
        (row.role != Role::SchoolClient || self.grant_at(now).is_some()).then_some(actor)
    }

    /// The grant of its own school under which software acts at this instant.
    pub(super) fn grant_at(&self, now: DateTime<Utc>) -> Option<&client_grant::Model> {
        let row = self.principal.as_ref()?;
        let own = |grant: &&client_grant::Model| grant.client_id == row.id && Some(grant.school_id) == row.school_id;
        self.grants.iter().filter(own).find(|grant| grant.is_in_force(now))
    }

    /// The discipline in the actor's row, where it is a CLB worker's.
    pub fn discipline(&self) -> Option<Discipline> {
        self.principal.as_ref().and_then(|row| row.discipline)
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
