//! Smartschool: rosters and half-days of absence over its web services V3 (SOAP 1.1, RPC/encoded).
//!
//! Nothing is bound to a WSDL: the vendor's differ over the years, and the address of the tenant is the namespace of
//! every operation. There is no test platform and no recorded answer: everything here follows published shapes, and
//! `fake` behaves like them. What the server says in words is never repeated, for it may repeat the access code.
//!
//! Three decisions that are not the vendor's:
//! - `null` for a half-day (no school then) is handed on as the letter `null` and is never a deletion: what it means
//!   stands in the tenant's table of letters.
//! - A disabled account that is in a class of the school is a pupil of the school: the switch is about signing in.
//!   Who has left, the career says, or the class when it no longer lists the pupil.
//! - At a tenant of several schools a half-day is handed on when its pupil is in a class of the asked school, or when
//!   no class lists the pupil and the career says that he was at that school on that day.

mod absences;
mod account;
mod answer;
mod call;
mod career;
mod codes;
mod days;
pub mod decode;
mod envelope;
pub mod fake;
mod groups;
mod json;
mod pieces;
mod read;
mod roster;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use crate::contract::{Ask, Connector, Discovery, Finished, Sink, Spec, Stream};
use crate::fault::Fault;
use crate::http::Http;
use absences::Whose;
use answer::Code;
use call::Tenant;
pub use settings::{AbsenceCall, Settings, UniqueField};

/// How long it is remembered whose half-days are a school's. Whoever comes in between is read with the window.
const REMEMBERED: TimeDelta = TimeDelta::hours(1);

/// Whose half-days are a school's, and when that was asked.
type Remembered = (DateTime<Utc>, Arc<Whose>);

/// A connection to one tenant.
pub struct Smartschool {
    settings: Settings,
    tenant: Tenant,
    /// By school. Memory only.
    whose: Mutex<BTreeMap<String, Remembered>>,
}

impl fmt::Debug for Smartschool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smartschool").finish_non_exhaustive()
    }
}

impl Smartschool {
    /// A connection. The access code is best that of a profile that may call only what is read here:
    /// `getReferenceField`, `getAllGroupsAndClasses`, `getAllAccountsExtended`, `getStudentCareer` and the absence call.
    ///
    /// # Errors
    /// The address is not one.
    pub fn new(settings: Settings, access_code: SecretString, http: Http) -> Result<Self, Fault> {
        Ok(Self {
            tenant: Tenant::new(&settings.url, access_code, http)?,
            settings,
            whose: Mutex::default(),
        })
    }

    /// Whether the tenant publishes the result codes that the hub goes by. What it says of them is not repeated.
    async fn result_codes(&self) -> Result<String, Fault> {
        let Some(table) = codes::Table::of(&self.tenant).await? else {
            return Ok("result codes: the tenant publishes none".to_owned());
        };
        let unknown: Vec<String> = table.unpublished().iter().map(ToString::to_string).collect();
        Ok(if unknown.is_empty() {
            "result codes: those that the hub goes by are published".to_owned()
        } else {
            format!("result codes: the tenant does not know {}", unknown.join(", "))
        })
    }

    async fn whose(&self, ask: &Ask) -> Result<Arc<Whose>, Fault> {
        let known = {
            let remembered = self.whose.lock().unwrap_or_else(PoisonError::into_inner);
            remembered.get(&ask.school).cloned()
        };
        if let Some((asked, whose)) = known
            && !ask.full
            && (TimeDelta::zero()..REMEMBERED).contains(&ask.now.signed_duration_since(asked))
        {
            return Ok(whose);
        }
        let whose = Arc::new(days::whose(&self.tenant, &self.settings, &ask.school).await?);
        let mut remembered = self.whose.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.insert(ask.school.clone(), (ask.now, Arc::clone(&whose)));
        Ok(whose)
    }
}

#[async_trait]
impl Connector for Smartschool {
    fn spec(&self) -> Spec {
        Spec {
            name: "smartschool",
            streams: &[Stream::Roster, Stream::Absences],
            pupil_key: self.settings.key(),
        }
    }

    async fn check(&self) -> Result<(), Fault> {
        read::check_unique_field(&self.tenant, &self.settings).await?;
        match codes::Table::of(&self.tenant).await? {
            Some(table) => table.check(),
            None => Ok(()),
        }
    }

    async fn discover(&self) -> Result<Discovery, Fault> {
        read::check_unique_field(&self.tenant, &self.settings).await?;
        let classes = read::classes(&self.tenant).await?;
        let official = || classes.iter().filter(|class| class.official);
        let schools: BTreeSet<&String> = official().filter_map(|class| class.school.as_ref()).collect();
        let mut notes = vec![
            match self.settings.unique_field {
                UniqueField::Number => "unique field: internal number".to_owned(),
                UniqueField::Username => "unique field: user name".to_owned(),
            },
            format!(
                "classes: {} official, {} others",
                official().count(),
                classes.len().saturating_sub(official().count())
            ),
            "changes: the source tells of none; every roster is read whole, absences with a window of days".to_owned(),
        ];
        let homeless = official().filter(|class| class.school.is_none()).count();
        if homeless > 0 && !self.settings.single_school {
            notes.push(format!(
                "official classes without an institution number: {homeless}; their pupils are not read"
            ));
        }
        // Asked for what cannot be: whether the profile may call it is all that the answer says. No pupil is read.
        let (absences, _) = self.settings.absence_call();
        for (method, parts) in [
            (
                "getAllAccountsExtended",
                [("code", NOBODY), ("recursive", "0")].as_slice(),
            ),
            ("getStudentCareer", &[("userIdentifier", NOBODY)]),
            (absences, &[("date", NO_DATE)]),
        ] {
            let says = match self.tenant.text(method, parts, MOST_PROBE).await {
                Ok(Err(Code::Refused)) => "the profile of the access code may not call it",
                Ok(_) => "may be called",
                Err(fault) if fault.is_transient() => return Err(fault),
                Err(_) => "gives an odd answer to an odd question",
            };
            notes.push(format!("{method}: {says}"));
        }
        notes.push(self.result_codes().await?);
        Ok(Discovery {
            schools: schools.into_iter().cloned().collect(),
            notes,
        })
    }

    async fn read(&self, ask: &Ask, sink: &mut dyn Sink) -> Result<Finished, Fault> {
        match ask.stream {
            Stream::Roster => roster::read(&self.tenant, &self.settings, ask, sink).await,
            Stream::Absences => {
                let whose = self.whose(ask).await?;
                days::read(&self.tenant, &self.settings, ask, &whose, sink).await
            }
        }
    }
}

/// A code that no group has, and a name that no user has.
const NOBODY: &str = "-clb-hub-none-";
/// A date that is none.
const NO_DATE: &str = "0000-00-00";
/// The largest answer to a question about nothing.
const MOST_PROBE: usize = 64 * 1024;
