//! How one OneRoster source is to be read: what an operator registers with the connection.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::oneroster::settings::{EndDates, Extensions};
use crate::{oauth, signature};

/// As whom a source is asked. The secret is kept apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credentials {
    /// By a token: where and as whom it is asked for, and for which scopes. The hub needs `roster-core.readonly`, and
    /// `roster-demographics.readonly` for dates of birth; servers write these with the prefix of their version
    /// (`https://purl.imsglobal.org/spec/or/v1p1/scope/`, `…/v1p2/scope/`) or without.
    Token(oauth::Settings),
    /// By signing each question (OAuth 1.0a), as some servers of version 1.1 want it.
    Signature(signature::Settings),
}

/// The settings of one connection. The client's secret is kept apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The whole base address, with whatever the host puts before it: `https://HOST/ims/oneroster/v1p1`, or
    /// `https://HOST/ims/oneroster/rostering/v1p2`.
    pub url: String,
    /// As whom: `token` or `signature`, one of the two.
    #[serde(flatten)]
    pub credentials: Credentials,
    /// The `sourcedId` of the school, where its `identifier` is not the institution number.
    #[serde(default)]
    pub school: Option<String>,
    /// What an end date means.
    #[serde(default)]
    pub end_dates: EndDates,
    /// The fields of a user's `metadata` that are taken over, as `metadata.NAME`.
    #[serde(default)]
    pub extensions: Extensions,
    /// Reads dates of birth and sex: a scope of their own. Without it they are not asked for.
    #[serde(default = "yes")]
    pub demographics: bool,
    /// How many records are asked for at once, 1 to 10,000. A server may give fewer.
    #[serde(default = "page_size")]
    pub page_size: u32,
    /// How many minutes before the last read changes are asked for again: clocks differ, and some know whole seconds.
    #[serde(default = "overlap_minutes")]
    pub overlap_minutes: u16,
    /// After how many hours everything is read again, whoever asks: a source that removes a record tells nobody.
    #[serde(default = "whole_every_hours")]
    pub whole_every_hours: u16,
}

const fn yes() -> bool {
    true
}

const fn page_size() -> u32 {
    500
}

const fn overlap_minutes() -> u16 {
    15
}

const fn whole_every_hours() -> u16 {
    20
}

impl Settings {
    /// The defaults for a source and who asks it.
    pub fn of(url: impl Into<String>, credentials: Credentials) -> Self {
        Self {
            url: url.into(),
            credentials,
            school: None,
            end_dates: EndDates::default(),
            extensions: Extensions::default(),
            demographics: true,
            page_size: page_size(),
            overlap_minutes: overlap_minutes(),
            whole_every_hours: whole_every_hours(),
        }
    }

    pub(super) fn page_size(&self) -> u32 {
        self.page_size.clamp(1, 10_000)
    }

    pub(super) fn overlap(&self) -> TimeDelta {
        TimeDelta::minutes(i64::from(self.overlap_minutes))
    }

    pub(super) fn whole_every(&self) -> TimeDelta {
        TimeDelta::hours(i64::from(self.whole_every_hours))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_a_client_are_enough_and_nothing_unknown_is_taken() {
        let read = |json: &str| serde_json::from_str::<Settings>(json);
        let token = oauth::Settings {
            token_url: "https://school.example/token".to_owned(),
            client_id: "hub".to_owned(),
            ..oauth::Settings::default()
        };
        let client = r#""token":{"token_url":"https://school.example/token","client_id":"hub"}"#;
        let url = r#""url":"https://school.example/ims/oneroster/v1p1""#;
        assert_eq!(
            read(&format!("{{{url},{client}}}")).expect("settings"),
            Settings::of("https://school.example/ims/oneroster/v1p1", Credentials::Token(token))
        );
        let signature = signature::Settings {
            consumer_key: "hub".to_owned(),
            method: signature::Hash::Sha1,
        };
        let signs = r#""signature":{"consumer_key":"hub","method":"HMAC-SHA1"}"#;
        let signed = read(&format!("{{{url},{signs}}}")).expect("settings");
        assert_eq!(signed.credentials, Credentials::Signature(signature));
        let written = serde_json::to_string(&signed).expect("text");
        assert_eq!(read(&written).expect("what was written"), signed);
        assert!(read(&format!("{{{url},{client},{signs}}}")).is_err(), "one of the two");
        assert!(read(&format!("{{{client}}}")).is_err(), "without an address");
        assert!(read(&format!("{{{url}}}")).is_err(), "without a client");
        assert!(
            read(&format!("{{{url},{client},\"client_secret\":\"x\"}}")).is_err(),
            "a secret is no setting"
        );
    }
}
