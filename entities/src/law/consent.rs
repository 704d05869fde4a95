//! Who consents, in which form, and what a consent covers once the pupil has turned twelve.
//!
//! Decreet rechtspositie van de minderjarige (7 May 2004) art. 4, decreet leerlingenbegeleiding
//! (27 April 2018), domain facts §3.4, §3.5 and §4.4. The ages, the obligations and the forms are
//! rows of `consent.toml`; a row that is unknown switches its rule off, and then nothing is presumed.

mod next;

use chrono::{Datelike, Days, Months, NaiveDate};
use serde::Deserialize;

pub use next::{Course, NextStep};

use super::sourced::{Certainty, Row, row};
use crate::dossier::access::Right;
use crate::dossier::consent::{Capability, Consent, ConsentTo, Form, Giver, Reply};
use crate::dossier::trajectory::Obligation;
use crate::time::SchoolYear;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AgeRow {
    presumed_capable: u8,
    from: Option<SchoolYear>,
    until: Option<SchoolYear>,
    source: Option<String>,
    certainty: Option<Certainty>,
}

row!(AgeRow, |row| format!("capable from {}", row.presumed_capable));

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ObligationRow {
    kind: Obligation,
    from: Option<SchoolYear>,
    until: Option<SchoolYear>,
    source: Option<String>,
    certainty: Option<Certainty>,
}

row!(ObligationRow, |row| format!("obligation `{}`", row.kind));

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FormRow {
    to: ConsentTo,
    written: bool,
    from: Option<SchoolYear>,
    until: Option<SchoolYear>,
    source: Option<String>,
    certainty: Option<Certainty>,
}

row!(FormRow, |row| format!("form of consent to `{}`", row.to));

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TermRow {
    right: Right,
    #[serde(default)]
    months: u8,
    #[serde(default)]
    days: u16,
    from: Option<SchoolYear>,
    until: Option<SchoolYear>,
    source: Option<String>,
    certainty: Option<Certainty>,
}

row!(TermRow, |row| format!("term of `{}`", row.right));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) age: Vec<AgeRow>,
    pub(super) obligation: Vec<ObligationRow>,
    pub(super) form: Vec<FormRow>,
    pub(super) term: Vec<TermRow>,
}

/// What a team decided against the presumption, with reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// What.
    pub capability: Capability,
    /// From which day on.
    pub from: NaiveDate,
}

/// What is known of one minor, as far as their rights depend on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Minor<'a> {
    /// The birth date, where it is known.
    pub born: Option<NaiveDate>,
    /// What teams decided, in the order in which they did: of one day the last one holds.
    pub judged: &'a [Judged],
}

/// Whether a minor decides alone on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decides {
    /// The pupil does.
    Pupil,
    /// The parents do.
    Parents,
    /// Nobody knows: the birth date is unknown and the team has not decided. Rights by age wait for it.
    Unknown,
}

/// Whether something may be done under consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It cannot be refused: no consent is asked.
    NotNeeded,
    /// Whoever decides has consented.
    Given,
    /// The parents had consented while they decided. What was begun continues; the pupil is asked
    /// for their own consent now, and nothing new is covered.
    AskThePupil,
    /// Nobody who decides has consented, or who did took it back or refused.
    Missing,
    /// The birth date is unknown and the team has not decided: it waits.
    Waits,
}

impl Standing {
    /// Whether what is under way may go on.
    pub const fn continues(self) -> bool {
        matches!(self, Self::NotNeeded | Self::Given | Self::AskThePupil)
    }

    /// Whether something new may begin.
    pub const fn begins(self) -> bool {
        matches!(self, Self::NotNeeded | Self::Given)
    }
}

/// The law of consent.
#[derive(Debug, Clone, Default)]
pub struct ConsentLaw {
    ages: Vec<AgeRow>,
    obligations: Vec<ObligationRow>,
    forms: Vec<FormRow>,
    terms: Vec<TermRow>,
}

impl ConsentLaw {
    pub(super) const fn of(
        ages: Vec<AgeRow>,
        obligations: Vec<ObligationRow>,
        forms: Vec<FormRow>,
        terms: Vec<TermRow>,
    ) -> Self {
        Self {
            ages,
            obligations,
            forms,
            terms,
        }
    }

    /// The last day on which a person who asked for this on that day is answered in time; none where no term is known. A month
    /// ends on the day of the same number, and on its own last day where it has none such (Regulation 1182/71 art. 3(2)(c)).
    ///
    /// ```
    /// use hub_entities::dossier::access::Right;
    /// use hub_entities::law::Laws;
    /// let laws = Laws::embedded()?;
    /// let answer_by = laws.consent().answer_by(Right::Access, "2026-10-07".parse().unwrap());
    /// assert_eq!(answer_by, "2026-10-22".parse().ok());
    /// # Ok::<(), hub_entities::law::LawError>(())
    /// ```
    pub fn answer_by(&self, right: Right, asked_on: NaiveDate) -> Option<NaiveDate> {
        let year = SchoolYear::of(asked_on);
        let mut rows = self.terms.iter();
        let term = rows.find(|row| row.right == right && row.provenance().holds_in(year))?;
        let months = asked_on.checked_add_months(Months::new(term.months.into()))?;
        let last = months.checked_add_days(Days::new(term.days.into()))?;
        // A row that says neither knows no term.
        (last > asked_on).then_some(last)
    }

    /// Who decides for this minor on this day: what the team decided, else the presumption by age.
    ///
    /// ```
    /// use hub_entities::law::{Laws, consent::{Decides, Minor}};
    /// let laws = Laws::embedded()?;
    /// let minor = Minor { born: "2014-10-07".parse().ok(), judged: &[] };
    /// let on = |day: &str| laws.consent().decides(minor, day.parse().unwrap());
    /// assert_eq!(on("2026-10-06"), Decides::Parents);
    /// assert_eq!(on("2026-10-07"), Decides::Pupil);
    /// # Ok::<(), hub_entities::law::LawError>(())
    /// ```
    pub fn decides(&self, minor: Minor<'_>, day: NaiveDate) -> Decides {
        let in_force = minor.judged.iter().filter(|one| one.from <= day);
        match in_force.max_by_key(|one| one.from).map(|one| one.capability) {
            Some(Capability::Capable) => return Decides::Pupil,
            Some(Capability::NotCapable) => return Decides::Parents,
            None => {}
        }
        let law = self
            .ages
            .iter()
            .find(|row| row.provenance().holds_in(SchoolYear::of(day)));
        match law
            .zip(minor.born)
            .and_then(|(law, born)| reaches(born, law.presumed_capable))
        {
            Some(birthday) if birthday <= day => Decides::Pupil,
            Some(_) => Decides::Parents,
            None => Decides::Unknown,
        }
    }

    /// Whether this obligation is known to the law of that day, so that no consent is asked.
    pub fn is_obligatory(&self, obligation: Obligation, day: NaiveDate) -> bool {
        let year = SchoolYear::of(day);
        let mut rows = self.obligations.iter();
        rows.any(|row| row.kind == obligation && row.provenance().holds_in(year))
    }

    /// Whether a consent in this form is enough. Without a known rule only the stricter form is.
    pub fn form_is_enough(&self, to: ConsentTo, form: Form, day: NaiveDate) -> bool {
        let year = SchoolYear::of(day);
        let mut rows = self.forms.iter();
        let rule = rows.find(|row| row.to == to && row.provenance().holds_in(year));
        form == Form::Written || rule.is_some_and(|rule| !rule.written)
    }

    /// How a trajectory stands on this day, under these answers about it.
    pub fn guidance(
        &self,
        obligation: Option<Obligation>,
        minor: Minor<'_>,
        answers: &[Consent],
        day: NaiveDate,
    ) -> Standing {
        if obligation.is_some_and(|obligation| self.is_obligatory(obligation, day)) {
            return Standing::NotNeeded;
        }
        self.standing(ConsentTo::Guidance, minor, answers, day)
    }

    /// How something new stands that is to be done on this day, under these answers about it: sharing
    /// with the school, referring, letting a parent read. What was given by a parent covers nothing new
    /// once the pupil decides.
    pub fn standing(&self, to: ConsentTo, minor: Minor<'_>, answers: &[Consent], day: NaiveDate) -> Standing {
        match self.decides(minor, day) {
            Decides::Unknown => Standing::Waits,
            Decides::Parents => match self.latest(to, Giver::Parent, answers, day) {
                Some(Reply::Given) => Standing::Given,
                Some(Reply::Refused) | None => Standing::Missing,
            },
            Decides::Pupil => match self.latest(to, Giver::Pupil, answers, day) {
                Some(Reply::Given) => Standing::Given,
                None if self.given_in_time_by_a_parent(to, minor, answers, day) => Standing::AskThePupil,
                Some(Reply::Refused) | None => Standing::Missing,
            },
        }
    }

    /// The last answer of this kind that stands, from who decides.
    fn latest(&self, to: ConsentTo, by: Giver, answers: &[Consent], day: NaiveDate) -> Option<Reply> {
        let counts = |one: &&Consent| {
            let in_form = one.reply == Reply::Refused || self.form_is_enough(to, one.form, one.given_on);
            one.to == to && one.by == by && one.stands(day) && in_form
        };
        // Of two answers of one day the refusal counts.
        let last = answers.iter().filter(counts);
        last.max_by_key(|one| (one.given_on, one.reply == Reply::Refused))
            .map(|one| one.reply)
    }

    /// Whether a parent consented while the parents decided, and it still stands.
    fn given_in_time_by_a_parent(&self, to: ConsentTo, minor: Minor<'_>, answers: &[Consent], day: NaiveDate) -> bool {
        let in_time: Vec<Consent> = answers
            .iter()
            .filter(|one| self.decides(minor, one.given_on) == Decides::Parents)
            .copied()
            .collect();
        self.latest(to, Giver::Parent, &in_time, day) == Some(Reply::Given)
    }
}

/// The day on which someone born on this day reaches this age. Who is born on 29 February does on
/// 1 March of a common year.
pub(super) fn reaches(born: NaiveDate, age: u8) -> Option<NaiveDate> {
    let year = born.year().checked_add(i32::from(age))?;
    born.with_year(year).or_else(|| NaiveDate::from_ymd_opt(year, 3, 1))
}

#[cfg(test)]
mod tests;
