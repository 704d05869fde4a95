//! The number of a pupil in the register of one school (stamnummer).

use std::fmt;
use std::str::FromStr;

/// A register number (stamnummer): two digits of the school year of enrolment and five of sequence.
///
/// It is unique **inside one school only** and kept over the years there; the same pupil has another
/// one at the next school. So it is never a key between schools. It is personal data: `Debug` is
/// redacted.
///
/// ```
/// use hub_entities::number::register::RegisterNumber;
/// let number: RegisterNumber = "0100050".parse()?;
/// assert_eq!((number.year_digits(), number.sequence()), (1, 50), "the 50th of 2001-2002");
/// # Ok::<(), hub_entities::number::register::RegisterNumberError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegisterNumber(String);

/// A text that is not a register number. It never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a register number: seven digits, leading zeros included")]
pub struct RegisterNumberError;

impl RegisterNumber {
    /// Its seven digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last two digits of the year in which the school year of enrolment began.
    pub fn year_digits(&self) -> u8 {
        self.part(0, 2).unwrap_or_default()
    }

    /// Its number within that school year at that school.
    pub fn sequence(&self) -> u32 {
        self.part(2, 7).unwrap_or_default()
    }

    fn part<N: FromStr>(&self, from: usize, until: usize) -> Option<N> {
        self.0.get(from..until)?.parse().ok()
    }
}

impl fmt::Debug for RegisterNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RegisterNumber(…)")
    }
}

impl FromStr for RegisterNumber {
    type Err = RegisterNumberError;

    fn from_str(text: &str) -> Result<Self, RegisterNumberError> {
        let text = text.trim();
        if text.len() == 7 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(RegisterNumberError)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_examples() {
        let read = |text: &str| {
            let number: RegisterNumber = text.parse().expect("seven digits");
            (number.year_digits(), number.sequence())
        };
        assert_eq!(read("0100050"), (1, 50));
        assert_eq!(read("2200001"), (22, 1));
        for wrong in ["", "100050", "01000500", "01-0050", "010005x"] {
            assert!(wrong.parse::<RegisterNumber>().is_err(), "`{wrong}` was taken");
        }
    }

    #[test]
    fn it_does_not_show_itself() {
        let number: RegisterNumber = "2200001".parse().expect("seven digits");
        assert!(!format!("{number:?}").contains('2'));
    }
}
