//! TOML with places: sections whose keys are taken one by one, so that every fault is told at once and no value is.

use std::fmt;

use chrono::NaiveDate;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// One fault of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1; 0 where there is no file.
    pub line: usize,
    /// The section it is in; empty where there is none.
    pub section: String,
    /// The key; empty where it is about the whole section.
    pub key: String,
    /// What is wrong, or what the key takes; never the value.
    pub rule: String,
}

/// Every fault of a file, by line.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.iter().enumerate() {
            let between = if at == 0 { "" } else { "\n" };
            write!(f, "{between}line {}:", fault.line)?;
            for part in [&format!("[[{}]]", fault.section), &fault.key, &fault.rule] {
                if !matches!(part.as_str(), "" | "[[]]") {
                    write!(f, " {part}")?;
                }
            }
        }
        Ok(())
    }
}

impl Faults {
    /// One more.
    pub(super) fn add(&mut self, line: usize, section: &str, key: &str, rule: &str) {
        self.0.push(Fault {
            line,
            section: section.to_owned(),
            key: key.to_owned(),
            rule: rule.to_owned(),
        });
    }

    /// What was read, if there is no fault.
    pub(super) fn settle<T>(mut self, read: T) -> Result<T, Self> {
        if self.0.is_empty() {
            return Ok(read);
        }
        self.0.sort_by_key(|fault| fault.line);
        Err(self)
    }
}

/// One `[[section]]`, of which the keys are taken.
pub(super) struct Section<'t> {
    name: String,
    text: &'t str,
    line: usize,
    keys: DeTable<'t>,
    faults: Faults,
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or_default();
    before.matches('\n').count().saturating_add(1)
}

/// The sections of a text in the order of their names.
pub(super) fn sections<'t>(text: &'t str, faults: &mut Faults) -> Vec<Section<'t>> {
    let table = match DeTable::parse(text) {
        Ok(table) => table.into_inner(),
        Err(error) => {
            let offset = error.span().map_or(0, |span| span.start);
            faults.add(line_of(text, offset), "", "", "not TOML");
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for (name, value) in table {
        let line = line_of(text, name.span().start);
        let name = name.into_inner().into_owned();
        match value.into_inner() {
            DeValue::Array(many) if many.iter().all(|one| one.get_ref().is_table()) => {
                for one in many {
                    let line = line_of(text, one.span().start);
                    if let DeValue::Table(keys) = one.into_inner() {
                        found.push(Section {
                            name: name.clone(),
                            text,
                            line,
                            keys,
                            faults: Faults::default(),
                        });
                    }
                }
            }
            _ => faults.add(line, &name, "", "a section stands in double brackets"),
        }
    }
    found
}

impl Section<'_> {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn line(&self) -> usize {
        self.line
    }

    pub(super) const fn is_faulty(&self) -> bool {
        !self.faults.0.is_empty()
    }

    /// What a key holds; a fault where it is not what the key takes.
    pub(super) fn maybe<T>(
        &mut self,
        key: &str,
        takes: &str,
        read: impl FnOnce(&DeValue<'_>) -> Option<T>,
    ) -> Option<T> {
        let value = self.keys.remove(key)?;
        let found = read(value.get_ref());
        if found.is_none() {
            let line = line_of(self.text, value.span().start);
            self.faults.add(line, &self.name, key, takes);
        }
        found
    }

    /// What a key holds that must be there.
    pub(super) fn needed<T>(
        &mut self,
        key: &str,
        takes: &str,
        read: impl FnOnce(&DeValue<'_>) -> Option<T>,
    ) -> Option<T> {
        if !self.keys.contains_key(key) {
            self.wrong(key, &format!("is missing: {takes}"));
            return None;
        }
        self.maybe(key, takes, read)
    }

    /// Settings of a connector. The fault names where, not what stands there.
    pub(super) fn settings<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let value: Spanned<DeValue<'_>> = self.keys.remove(key)?;
        let start = value.span().start;
        match T::deserialize(ValueDeserializer::from(value)) {
            Ok(settings) => Some(settings),
            Err(error) => {
                let line = line_of(self.text, error.span().map_or(start, |span| span.start));
                let rule = "has a setting or a value that does not exist; see `clb-hub register --example`";
                self.faults.add(line, &self.name, key, rule);
                None
            }
        }
    }

    /// A fault of the section itself.
    pub(super) fn wrong(&mut self, key: &str, rule: &str) {
        self.faults.add(self.line, &self.name, key, rule);
    }

    /// The section has no business here; its keys are not looked at.
    pub(super) fn unknown(&mut self, rule: &str) {
        self.keys = DeTable::default();
        self.wrong("", rule);
    }

    /// What is left is a key that nobody reads: somebody believes in it.
    pub(super) fn finish(self, faults: &mut Faults) {
        for (key, _) in &self.keys {
            let line = line_of(self.text, key.span().start);
            faults.add(line, &self.name, key.get_ref(), "no such key");
        }
        faults.0.extend(self.faults.0);
    }
}

/// A text that is not empty and has no blanks around it: an issuer is compared byte for byte.
pub(super) fn text(value: &DeValue<'_>) -> Option<String> {
    let text = value.as_str()?;
    (!text.is_empty() && text.trim() == text).then(|| text.to_owned())
}

/// A date without a time.
pub(super) fn day(value: &DeValue<'_>) -> Option<NaiveDate> {
    let at = value
        .as_datetime()
        .filter(|at| at.time.is_none() && at.offset.is_none())?;
    let date = at.date?;
    NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())
}

/// A whole number.
pub(super) fn whole(value: &DeValue<'_>) -> Option<i64> {
    value.as_integer()?.as_str().replace('_', "").parse().ok()
}
