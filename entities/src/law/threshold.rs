//! From how many problematic half-days something follows, and what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::sourced::{Certainty, Row, row};
use crate::time::SchoolYear;

/// The kind of a truancy signal. Part of the signal's key, so a name never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SignalKind {
    /// An early warning that both parties of an agreement asked for.
    #[serde(rename = "truancy.early")]
    TruancyEarly,
    /// Five half-days: the school must report to the CLB (sinds 2016-2017).
    #[serde(rename = "truancy.5")]
    Truancy5,
    /// Ten half-days: the same duty before 2016-2017.
    #[serde(rename = "truancy.10")]
    Truancy10,
    /// Thirty half-days: problematically absent in the official figures (problematisch afwezig).
    #[serde(rename = "truancy.30")]
    Truancy30,
}

/// A text that is not a kind of signal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of signal; the closed list is truancy.early truancy.5 truancy.10 truancy.30")]
pub struct SignalKindError;

impl SignalKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::TruancyEarly, Self::Truancy5, Self::Truancy10, Self::Truancy30];

    /// The name in storage, keys and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TruancyEarly => "truancy.early",
            Self::Truancy5 => "truancy.5",
            Self::Truancy10 => "truancy.10",
            Self::Truancy30 => "truancy.30",
        }
    }

    /// Whether a signal of this kind obliges the school to report to the CLB: it carries its legal minimum
    /// whatever an agreement lists (design §3). The others follow from half-days of category `truancy`, and are
    /// told where that was agreed.
    pub const fn is_obligatory(self) -> bool {
        match self {
            Self::Truancy5 | Self::Truancy10 => true,
            Self::TruancyEarly | Self::Truancy30 => false,
        }
    }
}

impl fmt::Display for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SignalKind {
    type Err = SignalKindError;

    fn from_str(text: &str) -> Result<Self, SignalKindError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or(SignalKindError)
    }
}

/// What follows when a threshold is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// The school must report to the CLB, and guidance cannot be refused.
    Obligatory,
    /// The CLB is told; nobody must do anything.
    Information,
    /// An earlier warning, off until both parties of an agreement switch it on.
    Early,
    /// A figure in statistics. Never a signal.
    Statistic,
}

/// A number of problematic half-days from which a signal is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Threshold {
    /// The number: the signal is due from this many half-days on. Never 0.
    pub half_days: u16,
    /// The kind of signal.
    pub kind: SignalKind,
    /// What follows.
    pub effect: Effect,
}

impl Threshold {
    /// The early warning of an agreement, at the number that both parties agreed on.
    ///
    /// No law gives this number, so there is none for 0 half-days.
    pub const fn early(half_days: u16) -> Option<Self> {
        if half_days == 0 {
            return None;
        }
        Some(Self {
            half_days,
            kind: SignalKind::TruancyEarly,
            effect: Effect::Early,
        })
    }
}

/// One row of the data file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ThresholdRow {
    kind: SignalKind,
    half_days: Option<u16>,
    effect: Effect,
    from: Option<SchoolYear>,
    until: Option<SchoolYear>,
    source: Option<String>,
    certainty: Option<Certainty>,
}

row!(ThresholdRow, |row| format!("threshold `{}`", row.kind));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) threshold: Vec<ThresholdRow>,
}

/// Whether a row lets the parties of an agreement ask for early warnings in this year.
pub(super) fn early_in_force(rows: &[ThresholdRow], year: SchoolYear) -> bool {
    let early = rows.iter().filter(|row| row.effect == Effect::Early);
    early.into_iter().any(|row| row.provenance().holds_in(year))
}

/// The thresholds that raise a signal in this year, from the lowest up.
pub(super) fn in_force(rows: &[ThresholdRow], year: SchoolYear) -> Vec<Threshold> {
    let mut thresholds: Vec<_> = rows
        .iter()
        .filter(|row| row.provenance().holds_in(year))
        .filter(|row| matches!(row.effect, Effect::Obligatory | Effect::Information))
        .filter_map(|row| {
            Some(Threshold {
                half_days: row.half_days.filter(|half_days| *half_days > 0)?,
                kind: row.kind,
                effect: row.effect,
            })
        })
        .collect();
    thresholds.sort_unstable();
    thresholds
}
