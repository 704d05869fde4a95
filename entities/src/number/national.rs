//! The national number (rijksregisternummer) and the BIS number.
//!
//! The plain number is read, checked, turned into a blind index and forgotten: it has no `Display`
//! and no `Serialize`, and its `Debug` is redacted. The checksum is all that is checked: numbers
//! with month or day 00, and with days that no calendar has, are real (domain facts §6.1).

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroize;

/// How many digits a number has.
const DIGITS: usize = 11;

/// A text that is not a national or BIS number. It never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NationalNumberError {
    /// Not eleven digits, with or without `.`, `-`, `/` and blanks between them.
    #[error("not eleven digits")]
    Form,
    /// The last two digits do not follow from the first nine, for neither century.
    #[error("the checksum is wrong")]
    Checksum,
    /// The sequence number is none that is given out: 000 and 999 stand for "no number".
    #[error("the sequence number is not one that is given out")]
    Sequence,
}

impl NationalNumberError {
    /// What is wrong, in a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Checksum => "checksum",
            Self::Sequence => "sequence",
        }
    }
}

/// A national number (rijksregisternummer) or BIS number with a valid checksum.
///
/// ```
/// use hub_entities::number::national::NationalNumber;
/// let number: NationalNumber = "93.05.18-223.61".parse()?;
/// assert_eq!(number.birth_date().map(|day| day.to_string()), Some("1993-05-18".to_owned()));
/// assert_eq!(format!("{number:?}"), "NationalNumber(…)");
/// # Ok::<(), hub_entities::number::national::NationalNumberError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct NationalNumber {
    digits: [u8; DIGITS],
    born_from_2000: bool,
}

impl fmt::Debug for NationalNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NationalNumber(…)")
    }
}

impl Drop for NationalNumber {
    fn drop(&mut self) {
        self.digits.zeroize();
    }
}

/// The check number of nine digits: 97 minus the remainder by 97, with a 2 in front from 2000 on.
const fn check_number(nine: u64, born_from_2000: bool) -> u64 {
    let whole = if born_from_2000 { 2_000_000_000 + nine } else { nine };
    97 - whole % 97
}

impl NationalNumber {
    /// The number of someone born on this day with this sequence number (001 to 998; odd for men, even
    /// for women).
    ///
    /// **For synthetic pupils only**: the demo and the tests. A real number is never computed.
    /// `None` outside 1900 to 2099 and for a sequence number that is not given out.
    pub fn compose(born: NaiveDate, sequence: u16) -> Option<Self> {
        let born_from_2000 = match born.year() {
            1900..=1999 => false,
            2000..=2099 => true,
            _ => return None,
        };
        let two_digits = u64::try_from(born.year() % 100).ok()?;
        let date = (two_digits * 100 + u64::from(born.month())) * 100 + u64::from(born.day());
        let nine = date * 1000 + u64::from(sequence);
        let text = format!("{nine:09}{:02}", check_number(nine, born_from_2000));
        (1..=998).contains(&sequence).then(|| text.parse().ok()).flatten()
    }

    fn value(&self, from: usize, until: usize) -> u64 {
        value(self.digits.get(from..until).unwrap_or_default())
    }

    /// Whether it is a BIS number, given to people who are not in the national register.
    ///
    /// Its month is 20 higher, or 40 higher when the sex was known.
    pub fn is_bis(&self) -> bool {
        matches!(self.value(2, 4), 20..=32 | 40..=52)
    }

    /// The date of birth, only when the number tells it for certain.
    ///
    /// `None` when month or day is 00 or when they are no date: a day of which all sequence numbers
    /// were used up.
    pub fn birth_date(&self) -> Option<NaiveDate> {
        let century = if self.born_from_2000 { 2000 } else { 1900 };
        let year = i32::try_from(self.value(0, 2)).ok()? + century;
        let month = match self.value(2, 4) {
            month @ 1..=12 => month,
            month @ 21..=32 => month - 20,
            month @ 41..=52 => month - 40,
            _ => return None,
        };
        let day = u32::try_from(self.value(4, 6)).ok()?;
        NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, day)
    }

    /// The blind index under a key: the only thing of the number that is stored to know a person by.
    ///
    /// HMAC-SHA-256 over a fixed prefix and the eleven digits, so that equal numbers meet whatever
    /// their spelling and the key serves this purpose alone.
    pub fn blind_index(&self, key: &BlindIndexKey) -> BlindIndex {
        BlindIndex(self.index(key, b"clb-hub/national-number/1\0"))
    }

    /// What is stored in its place where a source takes it for the key of a pupil: an index of its own, that meets no
    /// [`NationalNumber::blind_index`].
    pub fn key_index(&self, key: &BlindIndexKey) -> [u8; 32] {
        self.index(key, b"clb-hub/pupil-key/1\0")
    }

    fn index(&self, key: &BlindIndexKey, purpose: &[u8]) -> [u8; 32] {
        let mut block = [0; 64];
        for (to, from) in block.iter_mut().zip(&key.0) {
            *to = *from;
        }
        let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new(&block.into());
        block.zeroize();
        mac.update(purpose);
        mac.update(&self.digits);
        mac.finalize().into_bytes().into()
    }
}

/// The number that ASCII digits write.
fn value(digits: &[u8]) -> u64 {
    digits
        .iter()
        .fold(0, |value, digit| value * 10 + u64::from(digit.wrapping_sub(b'0')))
}

impl FromStr for NationalNumber {
    type Err = NationalNumberError;

    fn from_str(text: &str) -> Result<Self, NationalNumberError> {
        let mut number = Self {
            digits: [b'0'; DIGITS],
            born_from_2000: false,
        };
        let mut places = number.digits.iter_mut();
        for byte in text.trim().bytes() {
            match byte {
                b'0'..=b'9' => *places.next().ok_or(NationalNumberError::Form)? = byte,
                b'.' | b'-' | b'/' | b' ' => {}
                _ => return Err(NationalNumberError::Form),
            }
        }
        if places.next().is_some() {
            return Err(NationalNumberError::Form);
        }
        let (nine, check) = (number.value(0, 9), number.value(9, 11));
        // 2,000,000,000 is no multiple of 97, so at most one century fits.
        number.born_from_2000 = match check {
            _ if check == check_number(nine, false) => false,
            _ if check == check_number(nine, true) => true,
            _ => return Err(NationalNumberError::Checksum),
        };
        match number.value(6, 9) {
            1..=998 => Ok(number),
            _ => Err(NationalNumberError::Sequence),
        }
    }
}

/// The key of the blind index: 32 secret bytes, kept outside the database.
#[derive(Clone)]
pub struct BlindIndexKey([u8; 32]);

impl BlindIndexKey {
    /// A key of these bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for BlindIndexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlindIndexKey(…)")
    }
}

impl Drop for BlindIndexKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The blind index of a national number: equal for equal numbers, and nothing else without the key.
///
/// It is pseudonymous personal data: it is stored and compared, never shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlindIndex([u8; 32]);

impl BlindIndex {
    /// From the stored bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for BlindIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlindIndex(…)")
    }
}

#[cfg(test)]
mod tests;
