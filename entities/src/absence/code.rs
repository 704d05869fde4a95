//! The official absence codes that the hub knows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An official absence code (afwezigheidscode), in the letters since 1 September 2019.
///
/// In which years and at which levels a code exists is data ([`crate::law::Laws::codes`]); what it
/// means for the tally is matched exhaustively here, so a new code cannot be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Code {
    /// Absent pupil of preschool, not of compulsory age (afwezige niet-leerplichtige kleuter).
    A,
    /// Problematic absence (problematische afwezigheid).
    B,
    /// Rehabilitation during lesson time (revalidatie tijdens de lestijden).
    H,
    /// No work placement, through no unwillingness of the pupil (niet-invulling werkplekleren).
    M,
    /// Personal reasons, the director agrees (persoonlijke redenen).
    P,
    /// Justified by law (van rechtswege gewettigd).
    R,
    /// Sickness (ziekte). Health data.
    Z,
    /// Temporary, 2019-2020 to 2021-2022: in day care at school.
    N,
    /// Temporary, 2019-2020 to 2021-2022: not expected at school.
    X,
}

/// A text that is not an official code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an official absence code; they are A B H M P R Z, and N X until 2021-2022")]
pub struct CodeError;

impl Code {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::A,
        Self::B,
        Self::H,
        Self::M,
        Self::P,
        Self::R,
        Self::Z,
        Self::N,
        Self::X,
    ];

    /// The letter.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::H => "H",
            Self::M => "M",
            Self::P => "P",
            Self::R => "R",
            Self::Z => "Z",
            Self::N => "N",
            Self::X => "X",
        }
    }

    /// Whether a half-day with this code counts towards truancy.
    pub const fn is_problematic(self) -> bool {
        match self {
            Self::B => true,
            Self::A | Self::H | Self::M | Self::P | Self::R | Self::Z | Self::N | Self::X => false,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.letter())
    }
}

impl FromStr for Code {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        Self::ALL
            .into_iter()
            .find(|code| code.letter() == text)
            .ok_or(CodeError)
    }
}
