//! The tree of groups and classes: XML in base64, read with little trust.
//!
//! A document type, an entity of its own, a processing instruction, a tag of unheard length and a nesting without end
//! are refused where they begin; nothing in a tree can name a file or an address that would be opened (R52).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::{memchr, memchr_iter};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::envelope::{Flaw, resolve};

/// The largest tree that is read, in bytes of XML.
pub(super) const MOST_TREE: usize = 32 * 1024 * 1024;
/// The deepest group with its fields. Trees of schools are four or five deep.
const MOST_DEPTH: usize = 64;
/// The longest tag with everything in it.
const MOST_TAG: usize = 4 * 1024;
/// The longest field.
const MOST_TEXT: usize = 64 * 1024;
/// The most groups.
const MOST_GROUPS: usize = 100_000;

/// A class (klas), official or not. Groups that are no class are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Class {
    /// Its code, unique at the tenant (error 47 of the vendor); empty when it has none.
    pub(super) code: String,
    /// Its name.
    pub(super) name: String,
    /// Whether pupils are registered in it: each pupil is in one official class (errors 31 and 32).
    pub(super) official: bool,
    /// The institution number of its school, its own or that of a group above it, six digits; none when nobody says.
    pub(super) school: Option<String>,
}

/// An institution number of six digits, from one that may have lost its zeros.
pub(super) fn institution(text: &str) -> Option<String> {
    let text = text.trim();
    let right = (1..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    (right && text.bytes().any(|byte| byte != b'0')).then(|| format!("{text:0>6}"))
}

/// One group on its way in.
#[derive(Default)]
struct Open {
    fields: BTreeMap<&'static str, String>,
    inherited: Option<String>,
}

const FIELDS: [&str; 5] = ["name", "code", "type", "isOfficial", "instituteNumber"];

/// The classes of a tree.
///
/// # Errors
/// The rule that the tree breaks.
pub(super) fn classes(base64: &str) -> Result<Vec<Class>, Flaw> {
    let compact: Vec<u8> = base64.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let xml = STANDARD.decode(compact).map_err(|_not_base64| "groups.base64")?;
    classes_of_xml(&xml)
}

/// As [`classes`], from the XML itself.
pub(super) fn classes_of_xml(xml: &[u8]) -> Result<Vec<Class>, Flaw> {
    if xml.len() > MOST_TREE {
        return Err("groups.too_large");
    }
    no_endless_tag(xml)?;
    let xml = std::str::from_utf8(xml).map_err(|_other_encoding| "xml.encoding")?;
    let mut reader = Reader::from_str(xml.strip_prefix('\u{feff}').unwrap_or(xml));
    let mut tree = Tree::default();
    loop {
        match reader.read_event().map_err(|_malformed| "xml.malformed")? {
            Event::Start(start) => tree.enter(&start)?,
            Event::Empty(start) => {
                tree.enter(&start)?;
                tree.leave();
            }
            Event::End(_) => tree.leave(),
            Event::Text(text) => tree.text(&text)?,
            Event::CData(text) => tree.text(&text)?,
            Event::GeneralRef(name) => {
                let mut utf8 = [0; 4];
                tree.text(resolve(name.as_bytes())?.encode_utf8(&mut utf8))?;
            }
            Event::Comment(_) | Event::Decl(_) => {}
            Event::DocType(_) => return Err("xml.document_type"),
            Event::PI(_) => return Err("xml.processing_instruction"),
            Event::Eof => return tree.finish(),
        }
    }
}

/// That no tag is longer than one can be: looked at before a reader looks at each of its attributes.
fn no_endless_tag(xml: &[u8]) -> Result<(), Flaw> {
    for at in memchr_iter(b'<', xml) {
        let rest = xml.get(at..).unwrap_or_default();
        let tag = rest.get(..MOST_TAG).unwrap_or(rest);
        if tag.len() == MOST_TAG && memchr(b'>', tag).is_none() {
            return Err("xml.tag_too_long");
        }
    }
    Ok(())
}

#[derive(Default)]
struct Tree {
    path: Vec<Node>,
    open: Vec<Open>,
    found: Vec<Class>,
    begun: bool,
    groups: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Node {
    Groups,
    Group,
    Field(&'static str),
    Other,
}

impl Tree {
    fn enter(&mut self, start: &BytesStart<'_>) -> Result<(), Flaw> {
        // No element of a tree has a prefix; one of XInclude has.
        let name = start.name();
        let name = name.as_ref();
        if name.contains(':') {
            return Err("xml.foreign_element");
        }
        if self.path.len() >= MOST_DEPTH {
            return Err("xml.too_deep");
        }
        let node = match (self.path.last(), name) {
            (None, "groups") if !self.begun => Node::Groups,
            (None, _) => return Err("groups.root"),
            (Some(Node::Groups | Node::Group), "group") => Node::Group,
            (Some(Node::Group), name) => {
                let known = FIELDS.into_iter().find(|field| field.eq_ignore_ascii_case(name));
                known.map_or(Node::Other, Node::Field)
            }
            (Some(_), _) => Node::Other,
        };
        self.begun = true;
        if node == Node::Group {
            self.groups = self.groups.saturating_add(1);
            if self.groups > MOST_GROUPS {
                return Err("groups.too_many");
            }
            // The number of a group above holds for what is in it, and stands before it in the tree.
            let above = self.open.last().and_then(Open::school);
            self.open.push(Open {
                inherited: above,
                ..Open::default()
            });
        }
        self.path.push(node);
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Flaw> {
        if let (Some(Node::Field(name)), Some(group)) = (self.path.last(), self.open.last_mut()) {
            let field = group.fields.entry(*name).or_default();
            if field.len().saturating_add(text.len()) > MOST_TEXT {
                return Err("groups.field_too_long");
            }
            field.push_str(text);
        }
        Ok(())
    }

    fn leave(&mut self) {
        if self.path.pop() != Some(Node::Group) {
            return;
        }
        if let Some(group) = self.open.pop()
            && let Some(class) = group.class()
        {
            self.found.push(class);
        }
    }

    fn finish(self) -> Result<Vec<Class>, Flaw> {
        if !self.path.is_empty() || !self.begun {
            return Err("groups.cut_off");
        }
        Ok(self.found)
    }
}

impl Open {
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map(|text| text.trim()).unwrap_or_default()
    }

    fn school(&self) -> Option<String> {
        institution(self.field("instituteNumber")).or_else(|| self.inherited.clone())
    }

    fn class(&self) -> Option<Class> {
        self.field("type").eq_ignore_ascii_case("K").then(|| Class {
            code: self.field("code").to_owned(),
            name: Some(self.field("name"))
                .filter(|name| !name.is_empty())
                .unwrap_or(self.field("code"))
                .to_owned(),
            official: self.field("isOfficial") == "1",
            school: self.school(),
        })
    }
}

#[cfg(test)]
mod tests;
