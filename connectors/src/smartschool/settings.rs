//! How one tenant of Smartschool is to be read: what an operator registers with the connection.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::absences::PupilKey;

/// What the tenant calls the unique field: by which number or name a person is named in every call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UniqueField {
    /// The internal number (intern nummer).
    #[default]
    Number,
    /// The name with which one signs in (gebruikersnaam).
    Username,
}

/// Which call reads the half-days of a date.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AbsenceCall {
    /// The one that names pupils by the unique field.
    #[default]
    UniqueField,
    /// `getAbsentsWithInternalNumberByDate`.
    InternalNumber,
    /// `getAbsentsWithUsernameByDate`.
    Username,
    /// `getAbsentsWithAliasByDate`: by name to sign in, with the school's own label beside each letter. Only where a
    /// label says what the letter does not: see [`Settings::labels`].
    Alias,
}

/// The settings of one connection. Only the address has no default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address of the web services, as the school's page of web services shows it:
    /// `https://SCHOOL.smartschool.be/Webservices/V3`.
    pub url: String,
    /// The tenant's unique field. A tenant that says otherwise is not read: every key would be another's.
    #[serde(default)]
    pub unique_field: UniqueField,
    /// What the unique field is in the roster of the hub: unless said otherwise its `identifier` for a number, and the
    /// key of this system's own roster for a name. `stamnummer` where the school fills its internal numbers with those.
    #[serde(default)]
    pub pupil_key: Option<PupilKey>,
    /// Which call reads the half-days.
    #[serde(default)]
    pub absences: AbsenceCall,
    /// What a label says instead of the official letter beside it: label to letter, as the school writes both. Only
    /// with [`AbsenceCall::Alias`]; a label that is not here changes nothing, and no label is kept.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// How many days before the last day that was read are read again, for corrections that come late. The last day
    /// itself always is.
    #[serde(default = "window_days")]
    pub window_days: u16,
    /// Only classes in which pupils are registered; otherwise also those that are no more than a list of pupils.
    #[serde(default = "yes")]
    pub official_classes_only: bool,
    /// The tenant is of one school alone: its classes need no institution number, and its absences are this school's.
    #[serde(default)]
    pub single_school: bool,
    /// Reads the career of each pupil for the first and last day at school and in class: one call a pupil.
    #[serde(default = "yes")]
    pub careers: bool,
    /// How many calls are under way at once, 1 to 16. No limit is published; six have been seen to do no harm.
    #[serde(default = "parallel_calls")]
    pub parallel_calls: u8,
}

/// The most calls at once.
const MOST_CALLS: u8 = 16;

const fn window_days() -> u16 {
    14
}

const fn parallel_calls() -> u8 {
    6
}

const fn yes() -> bool {
    true
}

impl Settings {
    /// The defaults for an address.
    pub fn of(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            unique_field: UniqueField::default(),
            pupil_key: None,
            absences: AbsenceCall::default(),
            labels: BTreeMap::new(),
            window_days: window_days(),
            official_classes_only: true,
            single_school: false,
            careers: true,
            parallel_calls: parallel_calls(),
        }
    }

    /// By which number the hub finds the pupil of a row.
    pub(super) fn key(&self) -> PupilKey {
        self.pupil_key.clone().unwrap_or(match self.unique_field {
            UniqueField::Number => PupilKey::Identifier,
            UniqueField::Username => PupilKey::SourcedId,
        })
    }

    /// The absence call, and what it names pupils by.
    pub(super) const fn absence_call(&self) -> (&'static str, UniqueField) {
        const NUMBER: (&str, UniqueField) = ("getAbsentsWithInternalNumberByDate", UniqueField::Number);
        const NAME: (&str, UniqueField) = ("getAbsentsWithUsernameByDate", UniqueField::Username);
        match (self.absences, self.unique_field) {
            (AbsenceCall::InternalNumber, _) | (AbsenceCall::UniqueField, UniqueField::Number) => NUMBER,
            (AbsenceCall::Username, _) | (AbsenceCall::UniqueField, UniqueField::Username) => NAME,
            (AbsenceCall::Alias, _) => ("getAbsentsWithAliasByDate", UniqueField::Username),
        }
    }

    /// How many calls may be under way at once.
    pub(super) fn calls(&self) -> usize {
        usize::from(self.parallel_calls.clamp(1, MOST_CALLS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_enough_and_nothing_unknown_is_taken() {
        let read = |json: &str| serde_json::from_str::<Settings>(json);
        let url = "https://school.example/Webservices/V3";
        assert_eq!(
            read(&format!("{{\"url\":\"{url}\"}}")).expect("settings"),
            Settings::of(url)
        );
        assert!(read("{}").is_err(), "without an address");
        assert!(
            read(&format!("{{\"url\":\"{url}\",\"accessCode\":\"x\"}}")).is_err(),
            "a secret is no setting"
        );
        assert!(read(&format!("{{\"url\":\"{url}\",\"unique_field\":\"stamnummer\"}}")).is_err());
    }

    #[test]
    fn the_call_follows_the_unique_field() {
        let number = Settings::of("x");
        let name = Settings {
            unique_field: UniqueField::Username,
            ..number.clone()
        };
        assert_eq!(
            number.absence_call(),
            ("getAbsentsWithInternalNumberByDate", UniqueField::Number)
        );
        assert_eq!(
            name.absence_call(),
            ("getAbsentsWithUsernameByDate", UniqueField::Username)
        );
        assert_eq!((number.key(), name.key()), (PupilKey::Identifier, PupilKey::SourcedId));
        let labels = Settings {
            absences: AbsenceCall::Alias,
            ..number
        };
        assert_eq!(
            labels.absence_call(),
            ("getAbsentsWithAliasByDate", UniqueField::Username)
        );
    }
}
