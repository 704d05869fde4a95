//! The number of a school or CLB (instellingsnummer).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An institution number (instellingsnummer): six digits, of schools and of CLBs alike.
///
/// Kept as text, because its leading zeros belong to it. It may change when a school is restructured,
/// so it is no key of ours.
///
/// ```
/// use hub_entities::number::institution::InstitutionNumber;
/// assert_eq!("034512".parse::<InstitutionNumber>()?.as_str(), "034512");
/// assert!("34512".parse::<InstitutionNumber>().is_err(), "a zero was lost on the way");
/// # Ok::<(), hub_entities::number::institution::InstitutionNumberError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstitutionNumber(String);

/// A text that is not an institution number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an institution number: six digits, leading zeros included")]
pub struct InstitutionNumberError;

impl InstitutionNumber {
    /// Its six digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstitutionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for InstitutionNumber {
    type Err = InstitutionNumberError;

    fn from_str(text: &str) -> Result<Self, InstitutionNumberError> {
        let text = text.trim();
        if text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InstitutionNumberError)
        }
    }
}

impl TryFrom<String> for InstitutionNumber {
    type Error = InstitutionNumberError;

    fn try_from(text: String) -> Result<Self, InstitutionNumberError> {
        text.parse()
    }
}

impl From<InstitutionNumber> for String {
    fn from(number: InstitutionNumber) -> Self {
        number.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_digits_and_nothing_else() {
        for right in ["114711", "000001", " 034512\r\n"] {
            assert_eq!(
                right.parse::<InstitutionNumber>().map(|number| number.to_string()),
                Ok(right.trim().to_owned())
            );
        }
        for wrong in ["", "11471", "1147110", "11471a", "114 71", "+14711", "١١٤٧١١"] {
            assert!(wrong.parse::<InstitutionNumber>().is_err(), "`{wrong}` was taken");
        }
    }

    #[test]
    fn json_is_checked_too() {
        let read = |json: &str| serde_json::from_str::<InstitutionNumber>(json);
        assert_eq!(
            serde_json::to_string(&read("\"034512\"").expect("six digits")).expect("text"),
            "\"034512\""
        );
        assert!(read("\"34512\"").is_err() && read("34512").is_err());
    }
}
