//! The SOAP 1.1 envelope, RPC/encoded: built by hand for a question, read piece by piece for an answer.
//!
//! Nothing is bound to a WSDL: those of the vendor differ over the years. An answer is one part `return` with a text
//! in it, and that text is handed on as it arrives, so a whole school needs no more memory than one pupil. What XML
//! can do to a reader is refused before it begins: no document type, no entity but the five of XML and characters by
//! number, no element where a text belongs, and little room around the text (R52).

use std::fmt::Write as _;

use memchr::{memchr, memchr2, memmem};
use quick_xml::Reader;
use quick_xml::escape::escape;
use quick_xml::events::{BytesStart, Event};
use secrecy::{ExposeSecret as _, SecretString};

/// The rule that an answer breaks; never a word of the answer.
pub(super) type Flaw = &'static str;

/// The most bytes before the text.
const MOST_HEAD: usize = 8 * 1024;
/// The most tags in them.
const MOST_TAGS: usize = 32;
/// The most bytes after it.
const MOST_TAIL: usize = 1024;
/// The deepest element; a text lies in the fourth.
const MOST_DEPTH: usize = 8;
/// The longest reference, `&#x10FFFF;` with some zeros.
const MOST_REFERENCE: usize = 16;

/// A question. The access code, where there is one, is the first part of every call.
///
/// `xsi:type` is left out: the server knows its own types (school-apis §1.2).
pub(super) fn question(
    namespace: &str,
    method: &str,
    access_code: Option<&SecretString>,
    parts: &[(&str, &str)],
) -> String {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:ns1=\"{}\"><soap:Body><ns1:{method}>",
        escape(namespace)
    );
    let code = access_code.map(|code| ("accesscode", code.expose_secret()));
    for (name, value) in code.into_iter().chain(parts.iter().copied()) {
        // Writing to a string cannot fail.
        let _written = write!(text, "<{name}>{}</{name}>", escape(value));
    }
    let _written = write!(text, "</ns1:{method}></soap:Body></soap:Envelope>");
    text
}

/// What an answer was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// A text, whole; it was handed on.
    Return,
    /// The server could not answer (`SOAP-ENV:Server`). What it says of that may repeat the question, with the access
    /// code in it: it is not read.
    ServerFault,
    /// The server finds fault with the question, or with both sides' understanding of SOAP.
    OtherFault,
}

/// Where the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before the text.
    Head,
    /// In it.
    Text,
    /// In a reference within it.
    Reference,
    /// After it.
    Tail,
    /// In a fault, of which the code is known: the rest is not read.
    Fault(Said),
}

/// An answer on its way in. It has no `Debug`: what it holds is the server's.
pub(super) struct Answer {
    at: At,
    head: Vec<u8>,
    /// How many tags are in `head`.
    tags: usize,
    reference: Vec<u8>,
    tail: Vec<u8>,
}

/// Where a text goes.
type Take<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), Flaw>;

impl Answer {
    pub(super) const fn new() -> Self {
        Self {
            at: At::Head,
            head: Vec::new(),
            tags: 0,
            reference: Vec::new(),
            tail: Vec::new(),
        }
    }

    /// Takes the next bytes and hands on what of the text is in them.
    pub(super) fn feed(&mut self, bytes: &[u8], take: Take<'_>) -> Result<(), Flaw> {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.at {
                At::Head => self.head(rest)?,
                At::Text => self.text(rest, take)?,
                At::Reference => self.reference(rest, take)?,
                At::Tail => {
                    self.tail.extend_from_slice(rest);
                    if self.tail.len() > MOST_TAIL {
                        return Err("soap.too_much_after_the_text");
                    }
                    &[]
                }
                At::Fault(_) => &[],
            };
        }
        Ok(())
    }

    /// The answer is whole, or its end is missing.
    pub(super) fn finish(mut self) -> Result<Said, Flaw> {
        if let At::Fault(said) = self.at {
            return Ok(said);
        }
        self.head.append(&mut self.tail);
        match (self.at, walk(&self.head)?) {
            (At::Tail, Found::End) => Ok(Said::Return),
            (At::Head, Found::InFault) => Ok(Said::OtherFault),
            _ => Err("soap.cut_off"),
        }
    }

    fn head<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Flaw> {
        // Up to and with the next `>`: nothing is decided before a tag is whole; and no further than is too far.
        let room = MOST_HEAD.saturating_add(1).saturating_sub(self.head.len());
        let near = bytes.get(..room).unwrap_or(bytes);
        let length = memchr(b'>', near).map_or(near.len(), |at| at.saturating_add(1));
        let (now, rest) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
        self.head.extend_from_slice(now);
        if declares(&self.head) {
            return Err("xml.document_type");
        }
        if self.head.len() > MOST_HEAD || self.tags > MOST_TAGS {
            return Err("soap.too_much_before_the_text");
        }
        if now.ends_with(b">") {
            self.tags = self.tags.saturating_add(1);
            match walk(&self.head)? {
                Found::Text => self.at = At::Text,
                Found::NoText => self.at = At::Tail,
                Found::Fault(said) => self.at = At::Fault(said),
                Found::More | Found::InFault => {}
                Found::End => return Err("soap.no_return"),
            }
        }
        Ok(rest)
    }

    fn text<'b>(&mut self, bytes: &'b [u8], take: Take<'_>) -> Result<&'b [u8], Flaw> {
        let end = memchr2(b'<', b'&', bytes).unwrap_or(bytes.len());
        let (now, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
        if !now.is_empty() {
            take(now)?;
        }
        match rest.split_first() {
            Some((b'&', after)) => {
                self.reference.clear();
                self.at = At::Reference;
                Ok(after)
            }
            Some(_) => {
                self.at = At::Tail;
                Ok(rest)
            }
            None => Ok(rest),
        }
    }

    fn reference<'b>(&mut self, bytes: &'b [u8], take: Take<'_>) -> Result<&'b [u8], Flaw> {
        let end = memchr(b';', bytes);
        let (now, rest) = bytes
            .split_at_checked(end.unwrap_or(bytes.len()))
            .unwrap_or((bytes, &[]));
        self.reference.extend_from_slice(now);
        if self.reference.len() > MOST_REFERENCE {
            return Err("xml.reference");
        }
        let Some((_semicolon, rest)) = rest.split_first() else {
            return Ok(rest);
        };
        let mut utf8 = [0; 4];
        take(resolve(&self.reference)?.encode_utf8(&mut utf8).as_bytes())?;
        self.at = At::Text;
        Ok(rest)
    }
}

/// Whether there is markup that declares something: a document type, an entity, a CDATA section. A comment does not.
fn declares(head: &[u8]) -> bool {
    memmem::find_iter(head, b"<!").any(|at| {
        let after = head.get(at.saturating_add(2)..).unwrap_or_default();
        !(after.starts_with(b"--") || b"--".starts_with(after))
    })
}

/// The character of a reference. Only the five of XML have a name.
pub(super) fn resolve(name: &[u8]) -> Result<char, Flaw> {
    let by_number = |digits: &[u8], base| {
        let digits = std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?;
        u32::from_str_radix(digits, base).ok().and_then(char::from_u32)
    };
    let found = match name {
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        [b'#', b'x', digits @ ..] => by_number(digits, 16),
        [b'#', digits @ ..] => by_number(digits, 10),
        _ => None,
    };
    found.filter(|one| *one != '\0').ok_or("xml.reference")
}

/// What stands in the markup around a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// It is not whole yet.
    More,
    /// The text begins where the markup ends.
    Text,
    /// The part is there and empty.
    NoText,
    /// A fault, and its code is not whole yet.
    InFault,
    /// A fault, and whose.
    Fault(Said),
    /// A whole envelope.
    End,
}

/// The elements that mean something; whatever their prefix, for every stack chooses its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Envelope,
    Body,
    Fault,
    Code,
    Return,
    Other,
}

impl Element {
    fn of(start: &BytesStart<'_>) -> Self {
        match start.local_name().as_ref() {
            "Envelope" => Self::Envelope,
            "Body" => Self::Body,
            "Fault" => Self::Fault,
            "faultcode" => Self::Code,
            "return" => Self::Return,
            _ => Self::Other,
        }
    }
}

/// Follows the markup from the beginning to where it ends.
fn walk(markup: &[u8]) -> Result<Found, Flaw> {
    use Element::{Body, Code, Envelope, Fault, Return};

    let markup = std::str::from_utf8(markup).map_err(|_other_encoding| "xml.encoding")?;
    let mut reader = Reader::from_str(markup.strip_prefix('\u{feff}').unwrap_or(markup));
    let mut path: Vec<Element> = Vec::new();
    let mut found = Found::More;
    let mut code = Said::OtherFault;
    loop {
        // What is cut off is not yet wrong: whether it stays so, the end of the answer says.
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(quick_xml::Error::Syntax(_)) => return Ok(found),
            Err(_malformed) => return Err("xml.malformed"),
        };
        match event {
            Event::Start(ref start) | Event::Empty(ref start) => {
                if path.len() >= MOST_DEPTH {
                    return Err("xml.too_deep");
                }
                path.push(Element::of(start));
                let empty = matches!(event, Event::Empty(_));
                match path.as_slice() {
                    [Envelope, Body, Fault] if found == Found::More => found = Found::InFault,
                    [Envelope, Body, Fault, ..] if found == Found::InFault => {}
                    [Envelope, Body, _, Return] if found == Found::More => {
                        found = if empty { Found::NoText } else { Found::Text };
                    }
                    [Envelope] | [Envelope, _] | [Envelope, Body, _] if found == Found::More => {}
                    _ => return Err("soap.element"),
                }
                if empty {
                    path.pop();
                }
            }
            Event::End(_) => match (path.pop(), found) {
                (Some(Code), Found::InFault) => return Ok(Found::Fault(code)),
                (Some(Envelope), Found::Text | Found::NoText) => found = Found::End,
                (Some(Envelope), _) => return Err("soap.no_return"),
                _ => {}
            },
            Event::Text(text) if path.ends_with(&[Code]) => {
                if text.rsplit(':').next().is_some_and(|local| local.trim() == "Server") {
                    code = Said::ServerFault;
                }
            }
            Event::Text(text) if text.trim().is_empty() => {}
            Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                if found != Found::InFault {
                    return Err("soap.text_outside_of_the_return");
                }
            }
            Event::Comment(_) => {}
            Event::Decl(said) => match said.encoding() {
                None => {}
                Some(Ok(name)) if name.eq_ignore_ascii_case("utf-8") => {}
                Some(_) => return Err("xml.encoding"),
            },
            Event::PI(_) => return Err("xml.processing_instruction"),
            Event::DocType(_) => return Err("xml.document_type"),
            Event::Eof => return Ok(found),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
