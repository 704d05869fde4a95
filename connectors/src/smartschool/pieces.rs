//! A JSON list or map taken apart while it arrives: one item or entry at a time, in constant memory.
//!
//! Only the outermost commas are found here; what lies between them is read by `serde_json`, which also says whether
//! it is JSON at all. So a list without an end, an item without an end and a nesting without an end stop early, and
//! the answer of a whole school is never held.

use super::envelope::Flaw;

/// The most brackets within one another, inside a piece: as many as `serde_json` takes.
const MOST_DEPTH: usize = 120;

/// One piece.
#[derive(Clone, Copy)]
pub(super) enum Piece<'a> {
    /// An item of a list, as JSON.
    Item(&'a [u8]),
    /// An entry of a map: name and value, as JSON.
    Entry(&'a [u8], &'a [u8]),
}

/// Where a byte stands to the strings around it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    Outside,
    Inside,
    /// Behind a backslash.
    Escaped,
}

/// Takes pieces apart.
pub(super) struct Pieces {
    /// The bracket that ends the whole, once it has begun.
    closing: Option<u8>,
    ended: bool,
    /// How many brackets are open inside this piece.
    depth: usize,
    quote: Quote,
    /// Whether a piece came before this one: only then may it not be empty.
    follows: bool,
    /// What came of this piece with earlier bytes.
    held: Vec<u8>,
    /// Where in this piece the name of an entry ends.
    colon: Option<usize>,
    most: usize,
}

impl Pieces {
    /// Takes pieces of at most so many bytes apart.
    pub(super) const fn of_at_most(most: usize) -> Self {
        Self {
            closing: None,
            ended: false,
            depth: 0,
            quote: Quote::Outside,
            follows: false,
            held: Vec::new(),
            colon: None,
            most,
        }
    }

    /// Takes the next bytes and hands on every piece that ends in them.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        each: &mut dyn FnMut(Piece<'_>) -> Result<(), Flaw>,
    ) -> Result<(), Flaw> {
        let mut begins = 0;
        for (at, &byte) in bytes.iter().enumerate() {
            if self.quote != Quote::Outside {
                self.quote = match byte {
                    _ if self.quote == Quote::Escaped => Quote::Inside,
                    b'\\' => Quote::Escaped,
                    b'"' => Quote::Outside,
                    _ => continue,
                };
                continue;
            }
            match byte {
                b'"' => self.quote = Quote::Inside,
                b'{' | b'[' if self.closing.is_none() => {
                    self.closing = Some(if byte == b'{' { b'}' } else { b']' });
                    begins = at.saturating_add(1);
                    continue;
                }
                b'{' | b'[' => {
                    self.depth = self.depth.saturating_add(1);
                    if self.depth > MOST_DEPTH {
                        return Err("json.too_deep");
                    }
                }
                b'}' | b']' if self.depth > 0 => self.depth = self.depth.saturating_sub(1),
                b':' if self.depth == 0 && self.colon.is_none() => {
                    self.colon = Some(self.held.len().saturating_add(at.saturating_sub(begins)));
                }
                b',' | b'}' | b']' if self.depth == 0 && !self.ended => {
                    self.cut(bytes.get(begins..at).unwrap_or_default(), byte, each)?;
                    begins = at.saturating_add(1);
                    continue;
                }
                _ => {}
            }
            if (self.closing.is_none() || self.ended) && !byte.is_ascii_whitespace() {
                return Err("json.not_a_list_or_map");
            }
        }
        if self.closing.is_some() && !self.ended {
            self.hold(bytes.get(begins..).unwrap_or_default())?;
        }
        Ok(())
    }

    /// The whole has ended, or its end is missing.
    pub(super) const fn finish(&self) -> Result<(), Flaw> {
        if self.ended { Ok(()) } else { Err("json.cut_off") }
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), Flaw> {
        if self.held.len().saturating_add(bytes.len()) > self.most {
            return Err("json.piece_too_large");
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    /// Ends a piece at a comma or at the bracket that ends the whole.
    fn cut(&mut self, last: &[u8], byte: u8, each: &mut dyn FnMut(Piece<'_>) -> Result<(), Flaw>) -> Result<(), Flaw> {
        let Some(closing) = self.closing else {
            return Err("json.not_a_list_or_map");
        };
        if byte != b',' && byte != closing {
            return Err("json.brackets");
        }
        let mut held = std::mem::take(&mut self.held);
        let piece = if held.is_empty() {
            last
        } else {
            held.extend_from_slice(last);
            held.as_slice()
        };
        if piece.len() > self.most {
            return Err("json.piece_too_large");
        }
        let colon = self.colon.take();
        self.ended = byte != b',';
        // Nothing at all between the brackets is an empty whole; nothing between two commas is not JSON.
        if !(self.ended && !self.follows && piece.trim_ascii().is_empty()) {
            match (closing, colon.and_then(|at| piece.split_at_checked(at))) {
                (b'}', Some((name, value))) => each(Piece::Entry(name, value.get(1..).unwrap_or_default()))?,
                (b'}', None) => return Err("json.entry_without_name"),
                _ => each(Piece::Item(piece))?,
            }
        }
        self.follows = true;
        held.clear();
        self.held = held;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
