//! How long a dossier is kept (bewaartermijn), and why one stays that would be due (domain facts §4.3).
//!
//! The years and ages are rows of `retention.toml`. A row that is unknown switches its rule off, and then nothing goes by
//! it. Whatever is not known of a pupil keeps the dossier: what is erased too early does not come back.

use chrono::NaiveDate;
use serde::Deserialize;

use super::consent::reaches;
use super::sourced::{Certainty, Row, row};
use crate::operation::closed_enum;
use crate::time::SchoolYear;

closed_enum! {
    /// In which education a pupil was, as far as a term depends on it.
    Education {
        /// Ordinary education (gewoon onderwijs).
        Ordinary = "ordinary",
        /// Special education (buitengewoon onderwijs), at any time.
        Special = "special",
    }
}

closed_enum! {
    /// What is kept, beside dossiers.
    Kind {
        /// Half-days of absence, and what is counted from them.
        HalfDays = "half_days",
        /// Signals, and the proof of who reported and took them up.
        Signals = "signals",
        /// What schools say of pupils.
        BasicData = "basic_data",
        /// The access log of basic data.
        AccessLog = "access_log",
        /// The access log of what is under secrecy: each line is linked to the one before it.
        SecretLog = "secret_log",
    }
}

closed_enum! {
    /// Why a dossier stays.
    Stays {
        /// A legal hold stands (bewaringsplicht).
        LegalHold = "legal_hold",
        /// The CLB is competent for the pupil: the next contact is to come.
        Competent = "competent",
        /// A trajectory runs.
        RunningTrajectory = "running_trajectory",
        /// A request waits: of the person, of a colleague, or for guidance.
        OpenRequest = "open_request",
        /// Something of it is open to the person, or to a colleague, for now.
        OpenAccess = "open_access",
        /// A school may read what was released of it, or the copy is there.
        ReleaseInForce = "release_in_force",
        /// One store has yet to follow the other.
        WaitingIntent = "waiting_intent",
        /// A transfer was announced.
        PendingTransfer = "pending_transfer",
        /// No term is known.
        NoTerm = "no_term",
        /// The birth date is unknown, or schools disagree about it.
        BirthDateUnknown = "birth_date_unknown",
        /// Nothing in it has a date.
        ContactUnknown = "contact_unknown",
        /// Its term runs.
        TermRuns = "term_runs",
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContactRow {
    years: u8,
    from: Option<SchoolYear>,
    until: Option<SchoolYear>,
    source: Option<String>,
    certainty: Option<Certainty>,
}

row!(ContactRow, |row| format!("{} years after the last contact", row.years));

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BirthdayRow {
    education: Education,
    age: u8,
    from: Option<SchoolYear>,
    until: Option<SchoolYear>,
    source: Option<String>,
    certainty: Option<Certainty>,
}

row!(BirthdayRow, |row| format!("birthday of `{}`", row.education));

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TermRow {
    kind: Kind,
    years: u8,
    from: Option<SchoolYear>,
    until: Option<SchoolYear>,
    source: Option<String>,
    certainty: Option<Certainty>,
}

row!(TermRow, |row| format!("term of `{}`", row.kind));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) after_contact: Vec<ContactRow>,
    pub(super) birthday: Vec<BirthdayRow>,
    pub(super) term: Vec<TermRow>,
}

/// What the sources leave open, chosen by who answers for it (`[law]` in the configuration).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// The birthday before which no dossier of ordinary education goes, instead of the one of the file; 0 for none.
    pub ordinary_age: Option<u8>,
    /// For how many years the access log of basic data is kept, instead of those of the file.
    pub access_log_years: Option<u8>,
}

/// What is known of one dossier.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DossierFacts {
    /// The birth date, where it is known and no two schools disagree.
    pub born: Option<NaiveDate>,
    /// In which education the pupil was; where that is not known, the longer of the terms counts.
    pub education: Option<Education>,
    /// The day of the last contact.
    pub last_contact: Option<NaiveDate>,
    /// What keeps it whatever its term, in any order.
    pub standing: Vec<Stays>,
}

/// What becomes of a dossier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is to be erased, since this day.
    Due(NaiveDate),
    /// It stays: its last day as far as it is known, and every reason, each once.
    Stays(Option<NaiveDate>, Vec<Stays>),
}

/// The law of retention.
#[derive(Debug, Clone, Default)]
pub struct RetentionLaw {
    after_contact: Vec<ContactRow>,
    birthdays: Vec<BirthdayRow>,
    terms: Vec<TermRow>,
}

impl RetentionLaw {
    pub(super) const fn of(after_contact: Vec<ContactRow>, birthdays: Vec<BirthdayRow>, terms: Vec<TermRow>) -> Self {
        Self {
            after_contact,
            birthdays,
            terms,
        }
    }

    /// What becomes of a dossier on this day. It is kept through the last day of its term.
    ///
    /// ```
    /// use hub_entities::law::Laws;
    /// use hub_entities::law::retention::{DossierFacts, Education, Fate, Settings, Stays};
    /// let laws = Laws::embedded()?;
    /// let day = |text: &str| text.parse().unwrap();
    /// let facts = DossierFacts {
    ///     born: Some(day("2000-03-14")),
    ///     education: Some(Education::Ordinary),
    ///     last_contact: Some(day("2014-05-20")),
    ///     standing: Vec::new(),
    /// };
    /// let on = |today| laws.retention().fate(&facts, Settings::default(), day(today));
    /// assert_eq!(on("2025-03-14"), Fate::Stays(Some(day("2025-03-14")), vec![Stays::TermRuns]));
    /// assert_eq!(on("2025-03-15"), Fate::Due(day("2025-03-15")));
    /// # Ok::<(), hub_entities::law::LawError>(())
    /// ```
    pub fn fate(&self, facts: &DossierFacts, settings: Settings, today: NaiveDate) -> Fate {
        let mut why = facts.standing.clone();
        let last = self.last_day(facts, settings, today);
        let due = match last {
            Ok(last) if last < today => last.succ_opt(),
            Ok(_) => {
                why.push(Stays::TermRuns);
                None
            }
            Err(unknown) => {
                why.push(unknown);
                None
            }
        };
        why.sort_unstable();
        why.dedup();
        match due {
            Some(due) if why.is_empty() => Fate::Due(due),
            _ => Fate::Stays(last.ok(), why),
        }
    }

    /// The last day on which a dossier is kept for its term, or what is not known of it.
    fn last_day(&self, facts: &DossierFacts, settings: Settings, today: NaiveDate) -> Result<NaiveDate, Stays> {
        let year = SchoolYear::of(today);
        let mut rows = self.after_contact.iter();
        let rule = rows.find(|row| row.provenance().holds_in(year)).ok_or(Stays::NoTerm)?;
        let age = if let Some(education) = facts.education {
            self.age(education, settings, year)
        } else {
            let both = Education::ALL.iter().map(|one| self.age(*one, settings, year));
            both.collect::<Option<Vec<u8>>>()
                .and_then(|ages| ages.into_iter().max())
        };
        let age = age.ok_or(Stays::NoTerm)?;
        let contact = facts.last_contact.ok_or(Stays::ContactUnknown)?;
        let after_contact = reaches(contact, rule.years).ok_or(Stays::NoTerm)?;
        if age == 0 {
            return Ok(after_contact);
        }
        let born = facts.born.ok_or(Stays::BirthDateUnknown)?;
        let birthday = reaches(born, age).ok_or(Stays::NoTerm)?;
        Ok(after_contact.max(birthday))
    }

    /// The birthday before which no dossier of this education goes; 0 where there is none, nothing where it is not known.
    fn age(&self, education: Education, settings: Settings, year: SchoolYear) -> Option<u8> {
        let mut rows = self.birthdays.iter();
        let row = rows.find(|row| row.education == education && row.provenance().holds_in(year));
        let chosen = match education {
            Education::Ordinary => settings.ordinary_age,
            Education::Special => None,
        };
        chosen.or(row.map(|row| row.age))
    }

    /// Through which day something of this kind must have been written to be due today; nothing where no term is known.
    pub fn due_until(&self, kind: Kind, settings: Settings, today: NaiveDate) -> Option<NaiveDate> {
        let year = SchoolYear::of(today);
        let mut rows = self.terms.iter();
        let row = rows.find(|row| row.kind == kind && row.provenance().holds_in(year));
        let chosen = match kind {
            Kind::AccessLog => settings.access_log_years,
            Kind::HalfDays | Kind::Signals | Kind::BasicData | Kind::SecretLog => None,
        };
        let years = chosen.or(row.map(|row| row.years))?;
        let months = chrono::Months::new(u32::from(years).saturating_mul(12));
        let mut written = today.checked_sub_months(months)?;
        // Kept through the last day of its term, as a dossier is.
        while reaches(written, years).is_none_or(|last| last >= today) {
            written = written.pred_opt()?;
        }
        Some(written)
    }
}

#[cfg(test)]
mod tests;
