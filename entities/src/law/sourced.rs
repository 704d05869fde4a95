//! Where a number comes from, how sure it is, and for which school years it holds.

use serde::{Deserialize, Serialize};

use crate::time::SchoolYear;

/// How sure a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Certainty {
    /// An official or first-hand source was read.
    H,
    /// A secondary or older source, or inferred from an official one.
    M,
    /// A weak, local or contradicted source.
    L,
    /// Own knowledge; no source was read.
    #[serde(rename = "OK")]
    Ok,
}

/// What one row of a data file rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provenance<'a> {
    /// Where it was read.
    pub source: Option<&'a str>,
    /// How sure it is.
    pub certainty: Option<Certainty>,
    /// The first school year it holds in; without one, from ever.
    pub from: Option<SchoolYear>,
    /// The last school year it holds in; without one, until further notice.
    pub until: Option<SchoolYear>,
}

impl Provenance<'_> {
    /// Whether the row may be used: it names a source and says how sure it is.
    pub fn is_known(&self) -> bool {
        self.certainty.is_some() && self.source.is_some_and(|source| !source.trim().is_empty())
    }

    /// Whether the row holds in this school year.
    pub fn holds_in(&self, year: SchoolYear) -> bool {
        self.from.is_none_or(|from| from <= year) && self.until.is_none_or(|until| year <= until)
    }

    /// Whether two rows hold in one and the same school year.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let before = |until: Option<SchoolYear>, from: Option<SchoolYear>| matches!((until, from), (Some(until), Some(from)) if until < from);
        !before(self.until, other.from) && !before(other.until, self.from)
    }
}

/// One row of a data file.
pub(crate) trait Row {
    /// What it rests on.
    fn provenance(&self) -> Provenance<'_>;

    /// Its name in messages.
    fn label(&self) -> String;

    /// What is wrong with it, if anything is.
    fn check(&self) -> Result<(), String> {
        let Provenance { from, until, .. } = self.provenance();
        match (from, until) {
            (Some(from), Some(until)) if until < from => Err(format!("{}: ends before it begins", self.label())),
            _ => Ok(()),
        }
    }
}

/// Gives a struct with the four fields of a row its [`Provenance`].
macro_rules! row {
    ($name:ident, $label:expr) => {
        impl $crate::law::sourced::Row for $name {
            fn provenance(&self) -> $crate::law::sourced::Provenance<'_> {
                $crate::law::sourced::Provenance {
                    source: self.source.as_deref(),
                    certainty: self.certainty,
                    from: self.from,
                    until: self.until,
                }
            }

            fn label(&self) -> String {
                let label: fn(&Self) -> String = $label;
                label(self)
            }
        }
    };
}
pub(crate) use row;
