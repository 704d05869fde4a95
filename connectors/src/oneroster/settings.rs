//! How the packages of one connection are to be read.

use chrono::{Days, NaiveDate};

/// What the end date of an enrollment or a role means at this source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum EndDates {
    /// The first day after it, as the standard says.
    #[default]
    Exclusive,
    /// The last day of it, as several exports write it.
    Inclusive,
}

impl EndDates {
    /// The first day after it.
    pub(super) fn end(self, day: Option<NaiveDate>) -> Option<NaiveDate> {
        match self {
            Self::Exclusive => day,
            Self::Inclusive => day.and_then(|day| day.checked_add_days(Days::new(1))),
        }
    }
}

/// Settings of one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The school of this connection as its packages call it, by `sourcedId` or `identifier` of `orgs.csv`, where that is not
    /// the institution number (instellingsnummer).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub school: Option<String>,
    /// What an end date means.
    pub end_dates: EndDates,
    /// Columns of `users.csv` beyond the standard's.
    pub extensions: Extensions,
}

/// The columns of `users.csv` that hold what the standard has no place for. OneRoster leaves the names of its
/// `metadata.` columns to the sender; an empty name takes none.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Extensions {
    /// Street and number (address). `metadata.street` unless said otherwise.
    pub street: String,
    /// Postal code (address). `metadata.postalCode` unless said otherwise.
    pub postal_code: String,
    /// Municipality (address). `metadata.city` unless said otherwise.
    pub city: String,
    /// Language at home (language). `metadata.language` unless said otherwise.
    pub language: String,
}

impl Default for Extensions {
    fn default() -> Self {
        Self {
            street: "metadata.street".to_owned(),
            postal_code: "metadata.postalCode".to_owned(),
            city: "metadata.city".to_owned(),
            language: "metadata.language".to_owned(),
        }
    }
}

impl Extensions {
    /// The names that are not empty.
    pub(super) fn names(&self) -> Vec<&str> {
        let all = [&self.street, &self.postal_code, &self.city, &self.language];
        all.into_iter()
            .map(String::as_str)
            .filter(|name| !name.is_empty())
            .collect()
    }
}

impl Settings {
    pub(super) fn end(&self, day: Option<NaiveDate>) -> Option<NaiveDate> {
        self.end_dates.end(day)
    }
}
