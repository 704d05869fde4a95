//! The closed list of basic pupil data that a school and a CLB may agree on (design §3).

use std::fmt;
use std::str::FromStr;

use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};

/// One category of basic pupil data (basisleerlinggegevens).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Category {
    /// Name and sex.
    Identity,
    /// Date of birth.
    Birth,
    /// Where the pupil lives.
    Address,
    /// How parents or guardians are reached.
    Contact,
    /// Schools, classes, begin and end.
    Enrolment,
    /// Problematic absences (code B) and what follows from them.
    Truancy,
    /// Language at home. Only when agreed with a written ground.
    Language,
    /// All absence codes, sickness included. Only when agreed with a written ground.
    Attendance,
    /// National or BIS number, as a blind index only. Only when agreed with a written ground.
    NationalNumber,
}

impl Category {
    /// All of them, in the order of the agreement form.
    pub const ALL: [Self; 9] = [
        Self::Identity,
        Self::Birth,
        Self::Address,
        Self::Contact,
        Self::Enrolment,
        Self::Truancy,
        Self::Language,
        Self::Attendance,
        Self::NationalNumber,
    ];

    /// The name in configuration, SDL and the class `agreed.<name>`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Birth => "birth",
            Self::Address => "address",
            Self::Contact => "contact",
            Self::Enrolment => "enrolment",
            Self::Truancy => "truancy",
            Self::Language => "language",
            Self::Attendance => "attendance",
            Self::NationalNumber => "nationalNumber",
        }
    }

    /// Whether agreeing on it needs a written ground (design §3).
    pub const fn needs_ground(self) -> bool {
        matches!(self, Self::Language | Self::Attendance | Self::NationalNumber)
    }

    const fn bit(self) -> i32 {
        match self {
            Self::Identity => 1,
            Self::Birth => 1 << 1,
            Self::Address => 1 << 2,
            Self::Contact => 1 << 3,
            Self::Enrolment => 1 << 4,
            Self::Truancy => 1 << 5,
            Self::Language => 1 << 6,
            Self::Attendance => 1 << 7,
            Self::NationalNumber => 1 << 8,
        }
    }
}

/// A text that is not one of the categories.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown category; the closed list is identity birth address contact enrolment truancy language attendance nationalNumber"
)]
pub struct CategoryError;

impl FromStr for Category {
    type Err = CategoryError;

    fn from_str(text: &str) -> Result<Self, CategoryError> {
        Self::ALL
            .into_iter()
            .find(|category| category.name() == text)
            .ok_or(CategoryError)
    }
}

/// A set of categories, stored as bits: the position in [`Category::ALL`] never changes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, DeriveValueType)]
pub struct Categories(i32);

impl Categories {
    /// None.
    pub const NONE: Self = Self(0);

    /// What an agreement lists unless it says otherwise (design §3).
    pub fn default_agreement() -> Self {
        Category::ALL
            .into_iter()
            .filter(|category| !category.needs_ground())
            .collect()
    }

    /// Every category: what a school may see of what it said itself.
    pub fn all() -> Self {
        Category::ALL.into_iter().collect()
    }

    /// Whether the category is in the set.
    pub const fn has(self, category: Category) -> bool {
        self.0 & category.bit() != 0
    }

    /// The set with one more.
    #[must_use]
    pub const fn with(self, category: Category) -> Self {
        Self(self.0 | category.bit())
    }

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in the first and not in the second.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether nothing is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its members, in the order of the list.
    pub fn iter(self) -> impl Iterator<Item = Category> {
        Category::ALL.into_iter().filter(move |category| self.has(*category))
    }

    /// The stored bits.
    pub const fn bits(self) -> i32 {
        self.0
    }
}

impl FromIterator<Category> for Categories {
    fn from_iter<I: IntoIterator<Item = Category>>(of: I) -> Self {
        of.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Categories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Category::name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_agreement_is_the_designs() {
        let names: Vec<_> = Categories::default_agreement().iter().map(Category::name).collect();
        assert_eq!(
            names,
            ["identity", "birth", "address", "contact", "enrolment", "truancy"]
        );
    }

    #[test]
    fn names_come_back() {
        for category in Category::ALL {
            assert_eq!(category.name().parse(), Ok(category));
        }
        assert!("religion".parse::<Category>().is_err());
    }
}
