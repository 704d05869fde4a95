//! The records of a list in a JSON answer, one by one, however long the list is.
//!
//! `{"users": [{…}, {…}], …}` comes in pieces; each record is handed on as soon as it is whole, so that memory holds
//! one record and never the list. What else the answer holds is looked through and let go. Depth and size are bounded
//! before anything is parsed, so nothing recurses far (R54).

use memchr::memchr2;

#[cfg(test)]
mod tests;

/// The largest record, in bytes.
pub const MOST_BYTES: usize = 1024 * 1024;
/// How deep a record may be nested.
pub const MOST_DEPTH: usize = 32;

/// The byte order mark of UTF-8.
const MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// What is wrong with an answer: the position of the record, from 1, or 0 when it is about the answer as a whole; and
/// the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trouble {
    /// The position.
    pub record: u64,
    /// The rule.
    pub rule: &'static str,
}

/// Takes a record. What it cannot use it says by a rule.
pub type Each<'e> = dyn FnMut(&[u8]) -> Result<(), &'static str> + Send + 'e;

/// What is expected next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Open,
    Key { first: bool },
    Colon,
    Value,
    Item { first: bool },
    AfterItem,
    AfterValue,
    Nothing,
}

/// What is being read through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// A string that is a whole value or key.
    Text,
    /// A number, `true`, `false` or `null`.
    Word,
    /// An object or a list, so deep, in a string of it or not.
    Nest { depth: usize, text: bool },
}

/// Splits one answer into the records of its list.
#[derive(Debug)]
pub struct Splitter {
    /// The name of the list.
    list: &'static str,
    next: Next,
    inside: Option<Inside>,
    /// Whether the byte before was a backslash, in a string.
    escaped: bool,
    /// The beginning of what is being read through, from former pieces.
    held: Vec<u8>,
    is_list: bool,
    found: bool,
    records: u64,
    /// How much of a byte order mark came, which JSON does not want and some send.
    mark: usize,
}

impl Splitter {
    /// For the list of this name.
    pub const fn new(list: &'static str) -> Self {
        Self {
            list,
            next: Next::Open,
            inside: None,
            escaped: false,
            held: Vec::new(),
            is_list: false,
            found: false,
            records: 0,
            mark: 0,
        }
    }

    /// How many records were handed on.
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// Reads a piece; hands every record that it completes to `each`.
    ///
    /// # Errors
    /// The answer cannot be read any further.
    pub fn push(&mut self, piece: &[u8], each: &mut Each<'_>) -> Result<(), Trouble> {
        let mut rest = piece;
        while !rest.is_empty() {
            rest = match self.inside {
                Some(inside) => self.through(rest, inside, each)?,
                None => self.between(rest)?,
            };
        }
        Ok(())
    }

    /// The answer is whole.
    ///
    /// # Errors
    /// It ends in the middle, or the list is not in it.
    pub fn end(&self) -> Result<(), Trouble> {
        let rule = match (self.next, self.found) {
            (Next::Nothing, true) => return Ok(()),
            (Next::Nothing, false) => "json.no_list",
            _ => "json.cut_off",
        };
        Err(self.trouble(0, rule))
    }

    const fn trouble(&self, ahead: u64, rule: &'static str) -> Trouble {
        let record = if self.is_list {
            self.records.saturating_add(ahead)
        } else {
            0
        };
        Trouble { record, rule }
    }

    /// One byte of structure.
    fn between<'p>(&mut self, piece: &'p [u8]) -> Result<&'p [u8], Trouble> {
        let Some((&byte, rest)) = piece.split_first() else {
            return Ok(piece);
        };
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            return Ok(rest);
        }
        let next = match (self.next, byte) {
            (Next::Open, _) if MARK.get(self.mark) == Some(&byte) => {
                self.mark += 1;
                Next::Open
            }
            (Next::Open, b'{') if self.mark == 0 || self.mark == MARK.len() => Next::Key { first: true },
            (Next::Key { .. }, b'"') => {
                self.inside = Some(Inside::Text);
                return Ok(piece);
            }
            (Next::Key { first: true } | Next::AfterValue, b'}') => Next::Nothing,
            (Next::Colon, b':') => Next::Value,
            (Next::Value, b'[') if self.is_list => Next::Item { first: true },
            // Whatever stands in its place, it is not the list.
            (Next::Value, _) if self.is_list => {
                return Err(Trouble {
                    record: 0,
                    rule: "json.no_list",
                });
            }
            (Next::Item { first: true } | Next::AfterItem, b']') => {
                self.is_list = false;
                Next::AfterValue
            }
            (Next::AfterItem, b',') => Next::Item { first: false },
            (Next::AfterValue, b',') => Next::Key { first: false },
            (Next::Value | Next::Item { .. }, b'{' | b'[' | b'"' | b'-' | b't' | b'f' | b'n' | b'0'..=b'9') => {
                self.inside = Some(match byte {
                    b'{' | b'[' => Inside::Nest { depth: 0, text: false },
                    b'"' => Inside::Text,
                    _ => Inside::Word,
                });
                return Ok(piece);
            }
            _ => return Err(self.trouble(1, "json.syntax")),
        };
        self.next = next;
        Ok(rest)
    }

    /// As far as what is being read through goes in this piece.
    fn through<'p>(&mut self, piece: &'p [u8], inside: Inside, each: &mut Each<'_>) -> Result<&'p [u8], Trouble> {
        let end = match inside {
            Inside::Text => self.text_end(piece),
            Inside::Word => piece
                .iter()
                .position(|byte| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n')),
            Inside::Nest { depth, text } => self.nest_end(piece, depth, text)?,
        };
        let (head, rest) = piece.split_at(end.unwrap_or(piece.len()).min(piece.len()));
        if self.held.len().saturating_add(head.len()) > MOST_BYTES {
            return Err(self.trouble(1, "json.record_too_large"));
        }
        if end.is_none() {
            self.held.extend_from_slice(head);
            return Ok(rest);
        }
        self.inside = None;
        if self.held.is_empty() {
            self.ended(head, each)?;
        } else {
            let mut whole = std::mem::take(&mut self.held);
            whole.extend_from_slice(head);
            self.ended(&whole, each)?;
            whole.clear();
            self.held = whole;
        }
        Ok(rest)
    }

    /// The end of a string, behind its closing quote.
    fn text_end(&mut self, piece: &[u8]) -> Option<usize> {
        let begun = !self.held.is_empty();
        let mut at = usize::from(!begun);
        if std::mem::take(&mut self.escaped) {
            at += 1;
        }
        loop {
            let found = at + memchr2(b'"', b'\\', piece.get(at..)?)?;
            if piece.get(found) == Some(&b'"') {
                return Some(found + 1);
            }
            at = found + 2;
            self.escaped = at > piece.len();
            if self.escaped {
                return None;
            }
        }
    }

    /// The end of an object or a list, behind its closing bracket.
    fn nest_end(&mut self, piece: &[u8], depth: usize, text: bool) -> Result<Option<usize>, Trouble> {
        let (mut depth, mut text) = (depth, text);
        let mut at = usize::from(std::mem::take(&mut self.escaped));
        while let Some(rest) = piece.get(at..).filter(|rest| !rest.is_empty()) {
            if text {
                let Some(found) = memchr2(b'"', b'\\', rest) else { break };
                at += found + 1;
                if rest.get(found) == Some(&b'"') {
                    text = false;
                } else {
                    at += 1;
                    self.escaped = at > piece.len();
                }
                continue;
            }
            let Some(found) = rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']'))
            else {
                break;
            };
            at += found + 1;
            match rest.get(found) {
                Some(b'"') => text = true,
                Some(b'{' | b'[') if depth >= MOST_DEPTH => return Err(self.trouble(1, "json.depth")),
                Some(b'{' | b'[') => depth += 1,
                _ if depth > 1 => depth -= 1,
                _ => return Ok(Some(at)),
            }
        }
        self.inside = Some(Inside::Nest { depth, text });
        Ok(None)
    }

    fn ended(&mut self, whole: &[u8], each: &mut Each<'_>) -> Result<(), Trouble> {
        match self.next {
            Next::Key { .. } => {
                let key: String = serde_json::from_slice(whole).map_err(|error| self.trouble(0, rule_of(&error)))?;
                self.is_list = key == self.list;
                if self.is_list && self.found {
                    return Err(Trouble {
                        record: 0,
                        rule: "json.duplicate_key",
                    });
                }
                self.found |= self.is_list;
                self.next = Next::Colon;
            }
            Next::Item { .. } => {
                self.records = self.records.saturating_add(1);
                each(whole).map_err(|rule| self.trouble(0, rule))?;
                self.next = Next::AfterItem;
            }
            _ => {
                let well_formed: Result<serde::de::IgnoredAny, _> = serde_json::from_slice(whole);
                well_formed.map_err(|error| self.trouble(0, rule_of(&error)))?;
                self.next = Next::AfterValue;
            }
        }
        Ok(())
    }
}

/// The rule that was broken. The text of the error may hold what was sent, so it goes no further.
pub fn rule_of(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Data if error.to_string().starts_with("duplicate field") => "json.duplicate_key",
        serde_json::error::Category::Data => "json.type",
        serde_json::error::Category::Eof | serde_json::error::Category::Io | serde_json::error::Category::Syntax => {
            "json.syntax"
        }
    }
}
