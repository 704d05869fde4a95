//! What the text of an answer is: first a number, and only then anything else.
//!
//! A bare number is a result code, whether it comes as `xsd:int` or as a string, and the status stays 200
//! (school-apis §1.2). What it means stands in [`Code`]; the tenant's own words for it are never repeated, for they
//! come from the server.

use super::envelope::Flaw;
use super::pieces::{Piece, Pieces};

/// The longest text that is tried as a number.
const MOST_NUMBER: usize = 32;

/// A result code that a reader can meet. The numbers are the same at every tenant (school-apis §1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// 8: the access code is wrong, and most likely also: its profile may not call this method.
    Refused,
    /// 9, 12: there is no such user.
    UnknownUser,
    /// 10, 23: something went wrong over there.
    Failed,
    /// 19, 53: there is no such group; on a list of accounts also: the group has none of its own.
    EmptyGroup,
    /// 49, 56: the date is not one.
    InvalidDate,
    /// 50: the module is not switched on.
    ModuleOff,
    /// Any other.
    Other(i64),
}

impl Code {
    /// The numbers that mean something here.
    pub(super) const KNOWN: [i64; 11] = [8, 9, 10, 12, 14, 19, 23, 49, 50, 53, 56];

    pub(super) const fn of(number: i64) -> Self {
        match number {
            8 => Self::Refused,
            9 | 12 => Self::UnknownUser,
            10 | 23 => Self::Failed,
            19 | 53 => Self::EmptyGroup,
            49 | 56 => Self::InvalidDate,
            50 => Self::ModuleOff,
            other => Self::Other(other),
        }
    }
}

/// What a text was, when it was neither a list nor a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Short {
    /// A result code.
    Code(Code),
    /// Nothing: an empty text, `null`, `false`.
    Nothing,
}

/// The number, if the text is one and nothing else.
pub(super) fn number(text: &str) -> Option<i64> {
    let text = text.trim();
    // A number may be JSON too, and then a string of JSON.
    let text = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

fn short(text: &[u8]) -> Result<Short, Flaw> {
    let text = std::str::from_utf8(text).unwrap_or("?").trim();
    match number(text) {
        Some(number) => Ok(Short::Code(Code::of(number))),
        None if matches!(text, "" | "null" | "false" | "\"\"") => Ok(Short::Nothing),
        None => Err("answer.neither_code_nor_json"),
    }
}

/// The text of an answer that should be a list or a map, on its way in.
pub(super) enum Content {
    /// No more than blanks so far.
    Blank { most: usize },
    /// Too short for a list or map so far.
    Short(Vec<u8>),
    /// A list or a map.
    Long(Pieces),
}

impl Content {
    /// A text of pieces of at most so many bytes.
    pub(super) const fn of_at_most(most: usize) -> Self {
        Self::Blank { most }
    }

    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        each: &mut dyn FnMut(Piece<'_>) -> Result<(), Flaw>,
    ) -> Result<(), Flaw> {
        if let Self::Blank { most } = self {
            let bytes = bytes.trim_ascii_start();
            *self = match bytes.first() {
                None => return Ok(()),
                Some(b'{' | b'[') => Self::Long(Pieces::of_at_most(*most)),
                Some(_) => Self::Short(Vec::new()),
            };
            return self.feed(bytes, each);
        }
        match self {
            Self::Blank { .. } => Ok(()),
            Self::Short(held) if held.len().saturating_add(bytes.len()) > MOST_NUMBER => {
                Err("answer.neither_code_nor_json")
            }
            Self::Short(held) => {
                held.extend_from_slice(bytes);
                Ok(())
            }
            Self::Long(pieces) => pieces.feed(bytes, each),
        }
    }

    /// The text has ended. `None` when it was a list or a map, whole.
    pub(super) fn finish(&self) -> Result<Option<Short>, Flaw> {
        match self {
            Self::Blank { .. } => Ok(Some(Short::Nothing)),
            Self::Short(text) => short(text).map(Some),
            Self::Long(pieces) => pieces.finish().map(|()| None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], step: usize) -> Result<(Option<Short>, usize), Flaw> {
        let mut content = Content::of_at_most(1_000);
        let mut pieces = 0;
        for some in text.chunks(step) {
            content.feed(some, &mut |_piece| {
                pieces += 1;
                Ok(())
            })?;
        }
        Ok((content.finish()?, pieces))
    }

    #[test]
    fn a_number_comes_first() {
        let code = |code| Ok((Some(Short::Code(code)), 0));
        for step in [1, 3, 1_000] {
            assert_eq!(read(b"8", step), code(Code::Refused));
            assert_eq!(read(b" 12\r\n", step), code(Code::UnknownUser));
            assert_eq!(read(b"\"9\"", step), code(Code::UnknownUser));
            assert_eq!(read(b"19", step), code(Code::EmptyGroup));
            assert_eq!(read(b"-1", step), code(Code::Other(-1)));
            assert_eq!(read(b"0", step), code(Code::Other(0)));
            assert_eq!(read(b"[8]", step), Ok((None, 1)));
            assert_eq!(read(b" {\"8\":12}", step), Ok((None, 1)));
            for nothing in ["", " \n", "null", "false", "\"\""] {
                assert_eq!(read(nothing.as_bytes(), step), Ok((Some(Short::Nothing), 0)));
            }
            for neither in [
                "8 9",
                "+8",
                "8.0",
                "1e3",
                "ja",
                "\"8",
                "--8",
                "99999999999999999999",
                "<b>",
                "PGdyb3Vwcz4=",
            ] {
                assert_eq!(
                    read(neither.as_bytes(), step),
                    Err("answer.neither_code_nor_json"),
                    "{neither}"
                );
            }
            assert_eq!(read(&[b'x'; 1_000], step), Err("answer.neither_code_nor_json"));
            assert_eq!(read(b"[", step), Err("json.cut_off"));
        }
    }
}
