//! OneRoster over REST, versions 1.1 and 1.2: the roster of one school of a source. It knows no absences.
//!
//! What servers do differently is found out and done without: see `standards.md` §1 and the recorded answers in
//! `connectors/fixtures/oneroster`. Four decisions that are not the standard's:
//! - A list ends at an empty page. Totals, links and short pages are not believed; but a list that nobody counts, or
//!   counts another way, is gone through twice, and nobody is taken to have left when the two differ.
//! - Nothing is asked for that has no place in the hub: no courses, no resources, no results.
//! - Where one pupil, parent or guardian has changed, all users are read, for contacts stand on both sides.
//! - An account that is switched off is a pupil like any other: the switch is about signing in.

mod can;
pub mod decode;
mod page;
mod read;
mod reading;
mod record;
mod settings;
mod source;
mod tally;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::absences::PupilKey;
use crate::contract::{Ask, Connector, Discovery, Finished, Sink, Spec, Stream};
use crate::fault::Fault;
use crate::http::Http;
use crate::oauth::Tokens;
use crate::signature::Signer;
use record::{DEMOGRAPHICS, ENROLLMENTS, ORGS, Table, USERS};
pub use settings::{Credentials, Settings};
use source::{Proof, Query, Reply, Source};
use tally::Tally;

/// A connection to one source.
pub struct OneRoster {
    settings: Settings,
    source: Source,
}

impl fmt::Debug for OneRoster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneRoster").finish_non_exhaustive()
    }
}

impl OneRoster {
    /// A connection; `secret` is that of the client that the settings name.
    ///
    /// # Errors
    /// The address of the source or of its token endpoint is none.
    pub fn new(settings: Settings, secret: SecretString, http: Http) -> Result<Self, Fault> {
        let proof = match settings.credentials.clone() {
            Credentials::Token(settings) => Proof::Token(Box::new(Tokens::new(http.clone(), settings, secret)?)),
            Credentials::Signature(settings) => Proof::Signature(Signer::new(settings, secret)),
        };
        Ok(Self {
            source: Source::new(&settings, proof, http)?,
            settings,
        })
    }

    /// What may be read of a list, by asking for what is not in it.
    async fn may_read(&self, table: &Table) -> Result<&'static str, Fault> {
        Ok(match self.source.one(table, NOBODY).await? {
            Reply::Forbidden => "the client may not read them: a scope is missing",
            Reply::Absent | Reply::Read(_) => "may be read",
            Reply::NotSo => "an odd answer to an odd question",
        })
    }
}

#[async_trait]
impl Connector for OneRoster {
    fn spec(&self) -> Spec {
        Spec {
            name: "oneroster",
            streams: &[Stream::Roster],
            pupil_key: PupilKey::SourcedId,
        }
    }

    async fn check(&self) -> Result<(), Fault> {
        let one = Query {
            first: Some(1),
            ..Query::default()
        };
        let orgs = self
            .source
            .walk(&ORGS, one, &mut Tally::default(), &mut |_, _| {})
            .await?;
        orgs.answered().map(drop)
    }

    async fn discover(&self) -> Result<Discovery, Fault> {
        let schools = read::schools(&self.source).await?;
        let can = can::probe(&self.source).await?;
        let mut notes = vec![
            if can.filter {
                "changes: the source tells what has changed; everything is read once a day all the same"
            } else {
                "changes: the source cannot be asked for them; everything is read each time"
            }
            .to_owned(),
            if can.sort {
                "order: accepted"
            } else {
                "order: not accepted"
            }
            .to_owned(),
            if can.fields {
                "fields: may be chosen"
            } else {
                "fields: cannot be chosen"
            }
            .to_owned(),
        ];
        for table in [&USERS, &ENROLLMENTS] {
            notes.push(format!("{}: {}", table.list, self.may_read(table).await?));
        }
        notes.push(if self.settings.demographics {
            format!("demographics: {}", self.may_read(&DEMOGRAPHICS).await?)
        } else {
            "demographics: not asked for; no dates of birth".to_owned()
        });
        let withheld = self.source.withheld().await.len();
        if withheld > 0 {
            notes.push(format!(
                "scopes: {withheld} of those that were asked for were not granted"
            ));
        }
        let numberless = schools.iter().filter(|school| school.identifier.is_none()).count();
        if numberless > 0 {
            notes.push(format!("schools without an identifier: {numberless}"));
        }
        let numbers: BTreeSet<String> = schools.into_iter().filter_map(|school| school.identifier).collect();
        Ok(Discovery {
            schools: numbers.into_iter().collect(),
            notes,
        })
    }

    async fn read(&self, ask: &Ask, sink: &mut dyn Sink) -> Result<Finished, Fault> {
        match ask.stream {
            Stream::Roster => Box::pin(read::read(&self.source, &self.settings, ask, sink)).await,
            Stream::Absences => Err(Fault::Config(
                "OneRoster has no absences: they need a source of their own",
            )),
        }
    }
}

/// A key that nobody has.
const NOBODY: &str = "-clb-hub-none-";
