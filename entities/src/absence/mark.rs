//! What is stored of a half-day.

use super::code::Code;

/// What one school record says of one half-day, as it is stored.
///
/// Nothing is stored of a half-day on which the pupil was present and nothing else was ever said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// Absent, with its official code.
    Code(Code),
    /// The school does not know yet (code onbekend). Pending.
    Unresolved,
    /// It was B, or pending, and is so no longer. What it became is not told.
    NoLongerB,
    /// The source's letter is not in its table. Pending, and a gap.
    UnknownLetter,
}

/// What a mark does to the tally.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// One problematic half-day.
    Counts,
    /// It may turn out to be one.
    Pending,
    /// It is none.
    Nothing,
}

impl Mark {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Code(Code::A),
        Self::Code(Code::B),
        Self::Code(Code::H),
        Self::Code(Code::M),
        Self::Code(Code::P),
        Self::Code(Code::R),
        Self::Code(Code::Z),
        Self::Code(Code::N),
        Self::Code(Code::X),
        Self::Unresolved,
        Self::NoLongerB,
        Self::UnknownLetter,
    ];

    /// As stored. The numbers never change.
    pub const fn to_i16(self) -> i16 {
        match self {
            Self::Code(Code::A) => 1,
            Self::Code(Code::B) => 2,
            Self::Code(Code::H) => 3,
            Self::Code(Code::M) => 4,
            Self::Code(Code::P) => 5,
            Self::Code(Code::R) => 6,
            Self::Code(Code::Z) => 7,
            Self::Code(Code::N) => 8,
            Self::Code(Code::X) => 9,
            Self::Unresolved => 20,
            Self::NoLongerB => 21,
            Self::UnknownLetter => 22,
        }
    }

    /// From the stored number.
    pub const fn from_i16(stored: i16) -> Option<Self> {
        Some(match stored {
            1 => Self::Code(Code::A),
            2 => Self::Code(Code::B),
            3 => Self::Code(Code::H),
            4 => Self::Code(Code::M),
            5 => Self::Code(Code::P),
            6 => Self::Code(Code::R),
            7 => Self::Code(Code::Z),
            8 => Self::Code(Code::N),
            9 => Self::Code(Code::X),
            20 => Self::Unresolved,
            21 => Self::NoLongerB,
            22 => Self::UnknownLetter,
            _ => return None,
        })
    }

    /// What it does to the tally.
    pub const fn weight(self) -> Weight {
        match self {
            Self::Code(code) if code.is_problematic() => Weight::Counts,
            Self::Unresolved | Self::UnknownLetter => Weight::Pending,
            Self::Code(_) | Self::NoLongerB => Weight::Nothing,
        }
    }

    /// Whether it belongs to the category `truancy` alone: it tells nothing of another reason.
    pub const fn is_about_truancy(self) -> bool {
        match self {
            Self::Code(code) => code.is_problematic(),
            Self::Unresolved | Self::NoLongerB | Self::UnknownLetter => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_numbers_never_change() {
        let stored: Vec<i16> = Mark::ALL.into_iter().map(Mark::to_i16).collect();
        assert_eq!(stored, [1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 21, 22]);
        for number in i16::MIN..=i16::MAX {
            let back = Mark::from_i16(number).map(Mark::to_i16);
            assert_eq!(back, stored.contains(&number).then_some(number));
        }
    }

    #[test]
    fn only_b_counts() {
        for mark in Mark::ALL {
            let expected = match mark.to_i16() {
                2 => Weight::Counts,
                20 | 22 => Weight::Pending,
                _ => Weight::Nothing,
            };
            assert_eq!(mark.weight(), expected, "{mark:?}");
        }
    }
}
