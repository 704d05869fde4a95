//! Comma-separated text as schools really send it: read right, or refused with line and column.
//!
//! Written by hand because the point is in the faults: a stray quote, a bare CR or half a character
//! must never move values one column over, and every leniency must be told. Memory stays constant:
//! a record is read in one buffer that is bounded and used again.

use std::io::{self, Read};

use encoding_rs::{CoderResult, Decoder, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// The longest record, in bytes. A pupil's line has a few hundred.
pub const LONGEST_RECORD: usize = 1024 * 1024;
const CHUNK: usize = 64 * 1024;

/// Something that cannot be read as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trouble {
    /// The line, from 1.
    pub line: u64,
    /// The field, from 1, or 0 for the whole line.
    pub column: u32,
    /// The rule, of the family `csv.*`.
    pub rule: &'static str,
    /// Whether nothing after it can be trusted, so that reading ends here.
    pub fatal: bool,
}

/// Undoes UTF-16 before anything looks for a line end; other texts pass through.
struct Text<R> {
    input: R,
    pending: Vec<u8>,
    wide: Option<Decoder>,
    utf8_mark: bool,
    started: bool,
    ended: bool,
}

impl<R: Read> Text<R> {
    /// Reads at least one byte more to the end of `into`, or says that there is none.
    fn fill(&mut self, into: &mut Vec<u8>) -> io::Result<bool> {
        if !self.started {
            self.started = true;
            self.start()?;
        }
        loop {
            if self.ended {
                return Ok(false);
            }
            let before = into.len();
            let Some(decoder) = &mut self.wide else {
                if !self.pending.is_empty() {
                    into.append(&mut self.pending);
                    return Ok(true);
                }
                let mut window = (&mut self.input).take(bytes(CHUNK));
                window.read_to_end(into)?;
                self.ended = into.len() == before;
                return Ok(!self.ended);
            };
            if self.pending.is_empty() {
                (&mut self.input).take(bytes(CHUNK)).read_to_end(&mut self.pending)?;
            }
            let last = self.pending.is_empty();
            let mut wide = String::with_capacity(CHUNK * 2);
            let (result, read, broken) = decoder.decode_to_string(&self.pending, &mut wide, last);
            self.pending.drain(..read);
            if broken {
                return Err(io::Error::other("csv.encoding"));
            }
            into.extend_from_slice(wide.as_bytes());
            self.ended = last && result == CoderResult::InputEmpty;
            if into.len() > before {
                return Ok(true);
            }
        }
    }

    fn start(&mut self) -> io::Result<()> {
        (&mut self.input).take(4).read_to_end(&mut self.pending)?;
        let (encoding, mark) = match self.pending.as_slice() {
            [0xEF, 0xBB, 0xBF, ..] => (None, 3),
            [0xFF, 0xFE, ..] => (Some(UTF_16LE), 2),
            [0xFE, 0xFF, ..] => (Some(UTF_16BE), 2),
            // No mark, but every other byte is zero: a header in ASCII letters.
            [low, 0, next, 0] if *low != 0 && *next != 0 => (Some(UTF_16LE), 0),
            [0, low, 0, next] if *low != 0 && *next != 0 => (Some(UTF_16BE), 0),
            _ => (None, 0),
        };
        self.utf8_mark = encoding.is_none() && mark > 0;
        self.pending.drain(..mark);
        self.wide = encoding.map(encoding_rs::Encoding::new_decoder_without_bom_handling);
        Ok(())
    }
}

fn bytes(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// What the bytes beyond ASCII mean. Decided by the first record that has any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letters {
    Unknown,
    Utf8,
    Windows1252,
}

/// Lines of a text, whatever ends them.
#[expect(
    clippy::struct_excessive_bools,
    reason = "what was seen of a stream is a set of facts, not a state"
)]
pub(crate) struct Lines<R> {
    text: Text<R>,
    buffer: Vec<u8>,
    from: usize,
    scanned: usize,
    after_cr: bool,
    bare_cr: bool,
    bare_lf: bool,
    ended: bool,
    /// The last line has no end.
    open_end: bool,
    line: u64,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            text: Text {
                input,
                pending: Vec::new(),
                wide: None,
                utf8_mark: false,
                started: false,
                ended: false,
            },
            buffer: Vec::new(),
            from: 0,
            scanned: 0,
            after_cr: false,
            bare_cr: false,
            bare_lf: false,
            ended: false,
            open_end: false,
            line: 0,
        }
    }

    /// Number of the line that was read last.
    pub(crate) const fn number(&self) -> u64 {
        self.line
    }

    fn trouble(&self, rule: &'static str) -> Trouble {
        Trouble {
            line: self.line.saturating_add(1),
            column: 0,
            rule,
            fatal: true,
        }
    }

    /// Where in the buffer the next line stands, without its end.
    pub(crate) fn advance(&mut self) -> Result<Option<std::ops::Range<usize>>, Trouble> {
        loop {
            let rest = self.buffer.get(self.scanned..).unwrap_or_default();
            if self.after_cr && !rest.is_empty() {
                self.after_cr = false;
                if rest.first() == Some(&b'\n') {
                    self.from += 1;
                    self.scanned += 1;
                } else {
                    self.bare_cr = true;
                }
                continue;
            }
            if let Some(found) = memchr::memchr2(b'\n', b'\r', rest) {
                let end = self.scanned + found;
                let range = self.from..end;
                if range.len() > LONGEST_RECORD {
                    return Err(self.trouble("csv.too_long"));
                }
                self.after_cr = rest.get(found) == Some(&b'\r');
                self.bare_lf |= !self.after_cr;
                self.from = end + 1;
                self.scanned = self.from;
                self.line += 1;
                return Ok(Some(range));
            }
            self.scanned = self.buffer.len();
            if self.scanned - self.from > LONGEST_RECORD {
                return Err(self.trouble("csv.too_long"));
            }
            if self.ended {
                let range = self.from..self.buffer.len();
                self.from = self.buffer.len();
                if range.is_empty() {
                    return Ok(None);
                }
                self.open_end = true;
                self.line += 1;
                return Ok(Some(range));
            }
            self.buffer.drain(..self.from);
            self.scanned -= self.from;
            self.from = 0;
            self.ended = !self.text.fill(&mut self.buffer).map_err(|fault| {
                self.trouble(match fault.to_string().as_str() {
                    "csv.encoding" => "csv.encoding",
                    "package.lying_size" => "package.lying_size",
                    _ => "csv.unreadable",
                })
            })?;
        }
    }

    pub(crate) fn bytes(&self, range: std::ops::Range<usize>) -> &[u8] {
        self.buffer.get(range).unwrap_or_default()
    }
}

/// One record; its fields are borrowed from the reader.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The line on which it begins, from 1.
    pub line: u64,
    text: &'a str,
    fields: &'a [(usize, usize)],
}

impl<'a> Record<'a> {
    /// The field at this position, from 0.
    pub fn get(&self, position: usize) -> Option<&'a str> {
        let (from, to) = *self.fields.get(position)?;
        self.text.get(from..to)
    }

    /// How many fields there are.
    pub const fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether the line is empty.
    pub const fn is_empty(&self) -> bool {
        self.text.is_empty() && self.fields.len() <= 1
    }

    /// The fields in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a, '_> {
        (0..self.fields.len()).filter_map(|position| self.get(position))
    }
}

/// Reads records one by one.
pub struct Reader<R> {
    lines: Lines<R>,
    delimiter: Option<u8>,
    letters: Letters,
    /// The record when it could not be borrowed: several lines, quotes, or another encoding.
    raw: Vec<u8>,
    owned: String,
    fields: Vec<(usize, usize)>,
    lenient: Vec<Trouble>,
    told: (bool, bool, bool),
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// A reader; without a delimiter it takes the one of `,` `;` tab that the first line has most.
    pub fn new(input: R, delimiter: Option<u8>) -> Self {
        Self {
            lines: Lines::new(input),
            delimiter,
            letters: Letters::Unknown,
            raw: Vec::new(),
            owned: String::new(),
            fields: Vec::new(),
            lenient: Vec::new(),
            told: (false, false, false),
            ended: false,
        }
    }

    /// Whether the last line, once it is read, has no end: not wrong, but what is cut off looks so too.
    pub const fn has_open_end(&self) -> bool {
        self.lines.open_end
    }

    /// The leniencies since the last call: read without doubt, but to be told.
    pub fn leniencies(&mut self) -> Vec<Trouble> {
        std::mem::take(&mut self.lenient)
    }

    fn lenient(&mut self, rule: &'static str, line: u64) {
        self.lenient.push(Trouble {
            line,
            column: 0,
            rule,
            fatal: false,
        });
    }

    fn tell_once(&mut self) {
        let now = (self.lines.text.utf8_mark, self.lines.bare_cr, self.lines.bare_lf);
        if now == self.told {
            return;
        }
        let line = self.lines.number();
        if now.0 && !self.told.0 {
            self.lenient("csv.byte_order_mark", 1);
        }
        if now.1 && !self.told.1 {
            self.lenient("csv.bare_cr", line);
        }
        if now.2 && !self.told.2 {
            self.lenient("csv.bare_lf", line);
        }
        self.told = now;
    }

    /// The next record, or none at the end. Empty lines are passed over.
    ///
    /// # Errors
    /// The [`Trouble`]; unless it is fatal, the next call goes on with the next record.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, Trouble> {
        if self.ended {
            return Ok(None);
        }
        let range = loop {
            let found = self.lines.advance().inspect_err(|_fatal| self.ended = true)?;
            let Some(range) = found else {
                self.ended = true;
                self.tell_once();
                return Ok(None);
            };
            if !range.is_empty() {
                break range;
            }
            let line = self.lines.number();
            self.lenient("csv.blank_line", line);
        };
        self.tell_once();
        let line = self.lines.number();
        let delimiter = if let Some(delimiter) = self.delimiter {
            delimiter
        } else {
            let found = guess(self.lines.bytes(range.clone()));
            self.delimiter = Some(found);
            if found != b',' {
                self.lenient("csv.delimiter", line);
            }
            found
        };
        let quoted = memchr::memchr(b'"', self.lines.bytes(range.clone())).is_some();
        if quoted {
            return self.quoted(range, line, delimiter);
        }
        self.fields.clear();
        let (letters, plain) = decide(self.letters, self.lines.bytes(range.clone()), line)?;
        if letters != self.letters && letters == Letters::Windows1252 {
            self.lenient("csv.windows_1252", line);
        }
        self.letters = letters;
        let text = if plain {
            std::str::from_utf8(self.lines.bytes(range)).map_err(|_decided| fault(line, "csv.encoding"))?
        } else {
            let (text, _) = WINDOWS_1252.decode_without_bom_handling(self.lines.bytes(range));
            self.owned.clear();
            self.owned.push_str(&text);
            self.owned.as_str()
        };
        controls(text, line)?;
        let mut from = 0;
        for at in memchr::memchr_iter(delimiter, text.as_bytes()) {
            self.fields.push((from, at));
            from = at + 1;
        }
        self.fields.push((from, text.len()));
        Ok(Some(Record {
            line,
            text,
            fields: &self.fields,
        }))
    }

    /// A record with quotes: fields are unquoted into a buffer of the reader's own.
    fn quoted(
        &mut self,
        range: std::ops::Range<usize>,
        line: u64,
        delimiter: u8,
    ) -> Result<Option<Record<'_>>, Trouble> {
        self.raw.clear();
        self.raw.extend_from_slice(self.lines.bytes(range));
        let mut scan = Scan {
            at: Place::Start,
            column: 1,
            done: 0,
        };
        while scan.open(&self.raw, delimiter, line)? {
            let next = self.lines.advance().inspect_err(|_fatal| self.ended = true)?;
            let Some(next) = next else {
                self.ended = true;
                return Err(Trouble {
                    line,
                    column: scan.column,
                    rule: "csv.unclosed_quote",
                    fatal: true,
                });
            };
            self.raw.push(b'\n');
            self.raw.extend_from_slice(self.lines.bytes(next));
            if self.raw.len() > LONGEST_RECORD {
                self.ended = true;
                return Err(Trouble {
                    line,
                    column: scan.column,
                    rule: "csv.too_long",
                    fatal: true,
                });
            }
        }
        if self.lines.number() != line {
            self.lenient("csv.line_break_in_field", line);
        }
        let (letters, plain) = decide(self.letters, &self.raw, line)?;
        if letters != self.letters && letters == Letters::Windows1252 {
            self.lenient("csv.windows_1252", line);
        }
        self.letters = letters;
        let decoded = if plain {
            std::borrow::Cow::Borrowed(std::str::from_utf8(&self.raw).map_err(|_decided| fault(line, "csv.encoding"))?)
        } else {
            WINDOWS_1252.decode_without_bom_handling(&self.raw).0
        };
        controls(&decoded, line)?;
        self.owned.clear();
        self.fields.clear();
        let (mut from, mut inside, mut closing) = (0, false, false);
        for character in decoded.chars() {
            match character {
                // The scan made sure that a quote only opens, closes or doubles.
                '"' if !inside => {
                    if closing {
                        self.owned.push('"');
                    }
                    (inside, closing) = (true, false);
                }
                '"' => (inside, closing) = (false, true),
                other if !inside && other == char::from(delimiter) => {
                    closing = false;
                    self.fields.push((from, self.owned.len()));
                    from = self.owned.len();
                }
                other => self.owned.push(other),
            }
        }
        self.fields.push((from, self.owned.len()));
        Ok(Some(Record {
            line,
            text: &self.owned,
            fields: &self.fields,
        }))
    }
}

const fn fault(line: u64, rule: &'static str) -> Trouble {
    Trouble {
        line,
        column: 0,
        rule,
        fatal: false,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Bare,
    Quoted,
    Closed,
}

/// Follows the quotes of a record that may go on over several lines.
struct Scan {
    at: Place,
    column: u32,
    done: usize,
}

impl Scan {
    /// Whether the record goes on behind what was read.
    fn open(&mut self, raw: &[u8], delimiter: u8, line: u64) -> Result<bool, Trouble> {
        for byte in raw.get(self.done..).unwrap_or_default() {
            self.at = match (self.at, *byte) {
                (Place::Quoted, b'"') => Place::Closed,
                (Place::Start | Place::Closed, b'"') | (Place::Quoted, _) => Place::Quoted,
                (_, byte) if byte == delimiter => {
                    self.column += 1;
                    Place::Start
                }
                (Place::Start | Place::Bare, byte) if byte != b'"' => Place::Bare,
                // A quote inside a bare field, or text behind a closing quote.
                _ => {
                    return Err(Trouble {
                        line,
                        column: self.column,
                        rule: "csv.quote",
                        fatal: false,
                    });
                }
            };
        }
        self.done = raw.len();
        Ok(self.at == Place::Quoted)
    }
}

/// What the letters of this record are, and whether it is UTF-8 as it stands.
fn decide(letters: Letters, raw: &[u8], line: u64) -> Result<(Letters, bool), Trouble> {
    if raw.is_ascii() {
        return Ok((letters, true));
    }
    match (letters, std::str::from_utf8(raw).is_ok()) {
        (Letters::Unknown | Letters::Utf8, true) => Ok((Letters::Utf8, true)),
        (Letters::Unknown, false) | (Letters::Windows1252, _) => Ok((Letters::Windows1252, false)),
        // Two encodings in one file: no way to know which of them is right.
        (Letters::Utf8, false) => Err(fault(line, "csv.encoding")),
    }
}

#[expect(
    clippy::needless_bitwise_bool,
    reason = "without branches it runs at the speed of memory"
)]
/// A control character is never part of a name or a date; it hides one.
fn controls(text: &str, line: u64) -> Result<(), Trouble> {
    let odd = text.bytes().fold(false, |odd, byte| {
        odd | ((byte < 0x20) & (byte != b'\t') & (byte != b'\n')) | (byte == 0x7F)
    });
    if odd {
        Err(fault(line, "csv.control_character"))
    } else {
        Ok(())
    }
}

fn guess(header: &[u8]) -> u8 {
    let mut inside = false;
    let mut counts = [(b',', 0_u32), (b';', 0), (b'\t', 0)];
    for byte in header {
        inside ^= *byte == b'"';
        if !inside {
            for (delimiter, count) in &mut counts {
                *count += u32::from(byte == delimiter);
            }
        }
    }
    // The first wins a tie: `max_by_key` would take the last.
    let mut best = (b',', 0);
    for candidate in counts {
        if candidate.1 > best.1 {
            best = candidate;
        }
    }
    best.0
}

/// A column name as it was meant: without the invisible characters that copying leaves behind.
pub fn clean_name(name: &str) -> String {
    name.chars()
        .filter(|c| {
            !c.is_control()
                && !matches!(c, '\u{FEFF}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2064}' | '\u{00AD}')
        })
        .collect::<String>()
        .trim_matches(|c: char| c.is_whitespace() || c == '\u{A0}')
        .to_owned()
}

#[cfg(test)]
mod tests;
