//! The tenant's own table of result codes, beside what the hub takes each of them for.
//!
//! The numbers are the same at every tenant that is known (school-apis §1.4); should they not be, a class that is there
//! would be read as empty. What a tenant says of a number is in its own words: it is otherwise only where it speaks of what
//! another number stands for, and never repeated.

use std::collections::BTreeMap;

use super::answer::Code;
use super::call::{Tenant, broken};
use crate::fault::Fault;

/// Gives the table. Open to everyone.
const METHOD: &str = "returnJsonErrorCodes";
/// The longest table that is read, in bytes.
pub(super) const MOST: usize = 64 * 1024;

/// What the codes that the hub goes by speak of, each in some words of which a text about it has one.
const MEANINGS: [(&[i64], &[&str]); 8] = [
    (&[8], &["wachtwoord", "toegangscode", "password", "access code"]),
    (&[9, 12], &["gebruiker", "user"]),
    (&[10], &["verwerk", "process"]),
    (&[14], &["gegevens", "data"]),
    (&[19, 53], &["groep", "group", "klas", "class"]),
    (&[23], &["onbekend", "unknown"]),
    (&[49, 56], &["datum", "date"]),
    (&[50], &["module", "skore"]),
];

/// What a tenant publishes of its result codes.
#[derive(Debug)]
pub(super) struct Table(BTreeMap<i64, String>);

impl Table {
    /// That of a tenant; none where it publishes none.
    ///
    /// # Errors
    /// The tenant did not answer.
    pub(super) async fn of(tenant: &Tenant) -> Result<Option<Self>, Fault> {
        match tenant.text(METHOD, &[], MOST).await {
            Err(fault) if fault.is_transient() => Err(fault),
            Ok(Ok(json)) => Ok(Self::read(&json)),
            _ => Ok(None),
        }
    }

    /// One as it is written.
    pub(super) fn read(json: &str) -> Option<Self> {
        let table: BTreeMap<i64, String> = serde_json::from_str(json).ok()?;
        (!table.is_empty()).then_some(Self(table))
    }

    /// The numbers that the hub goes by and this table does not know.
    pub(super) fn unpublished(&self) -> Vec<i64> {
        let unknown = Code::KNOWN.into_iter().filter(|code| !self.0.contains_key(code));
        unknown.collect()
    }

    /// The first number that the hub goes by and that stands for something else here.
    fn otherwise(&self) -> Option<i64> {
        let speaks_of = |text: &str, words: &[&str]| words.iter().any(|word| text.contains(word));
        Code::KNOWN.into_iter().find(|code| {
            let text = self.0.get(code).map(|text| text.to_lowercase()).unwrap_or_default();
            let (own, others): (Vec<_>, Vec<_>) = MEANINGS.iter().partition(|(codes, _)| codes.contains(code));
            let speaks = |meanings: &[&(&[i64], &[&str])]| meanings.iter().any(|(_, words)| speaks_of(&text, words));
            speaks(&others) && !speaks(&own)
        })
    }

    /// That each number that the hub goes by stands for what the hub takes it for.
    ///
    /// # Errors
    /// One does not, or is not published: its number is told as that of the record.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let number = |code: i64| u64::try_from(code).unwrap_or_default();
        if let Some(code) = self.unpublished().first() {
            return Err(broken(METHOD, number(*code), "code.unpublished"));
        }
        match self.otherwise() {
            Some(code) => Err(broken(METHOD, number(code), "code.otherwise")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_that_the_hub_goes_by_has_one_meaning() {
        for code in Code::KNOWN {
            assert_eq!(
                MEANINGS.iter().filter(|(codes, _)| codes.contains(&code)).count(),
                1,
                "{code}"
            );
        }
        assert_eq!(
            MEANINGS.iter().map(|(codes, _)| codes.len()).sum::<usize>(),
            Code::KNOWN.len()
        );
    }
}
