//! One page of a list, record by record while it comes in.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::record::{Record, Table};
use super::tally::Tally;
use crate::fault::Fault;
use crate::http::{Head, Take};
use crate::json::{Splitter, Trouble};

/// Takes a record, and notes what of it was lost.
pub(super) type Each<'e> = dyn FnMut(&Record<'_>, &mut Tally) + Send + 'e;

/// The keys of a list, hashed, with the page and the try that brought them.
#[derive(Debug, Default)]
pub(super) struct Keys(HashMap<u64, (u32, u32)>);

impl Keys {
    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap_or(u64::MAX)
    }

    /// Whether both are of the same records.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.keys().all(|key| other.0.contains_key(key))
    }
}

/// What a page was, once it was whole.
#[derive(Debug)]
pub(super) struct Read {
    /// How many records it had.
    pub(super) records: u64,
    /// How many of them a page before it had.
    pub(super) repeated: u64,
    pub(super) tally: Tally,
}

/// A page on its way in. A record that a former page brought is not handed on again: the list has shifted.
pub(super) struct Page<'p> {
    table: &'static Table,
    keys: &'p mut Keys,
    each: &'p mut Each<'p>,
    /// Its number, from 1.
    number: u32,
    /// How often it was begun.
    attempt: u32,
    splitter: Splitter,
    repeated: u64,
    tally: Tally,
}

impl<'p> Page<'p> {
    pub(super) fn new(table: &'static Table, number: u32, keys: &'p mut Keys, each: &'p mut Each<'p>) -> Self {
        Self {
            table,
            keys,
            each,
            number,
            attempt: 0,
            splitter: Splitter::new(table.list),
            repeated: 0,
            tally: Tally::default(),
        }
    }

    /// What it was.
    pub(super) fn read(self) -> Read {
        Read {
            records: self.splitter.records(),
            repeated: self.repeated,
            tally: self.tally,
        }
    }

    const fn broken(&self, trouble: Trouble) -> Fault {
        Fault::Broken {
            stream: self.table.list,
            record: trouble.record,
            rule: trouble.rule,
        }
    }
}

impl Take for Page<'_> {
    fn begin(&mut self, head: &Head) -> Result<(), Fault> {
        self.attempt = self.attempt.saturating_add(1);
        self.splitter = Splitter::new(self.table.list);
        self.repeated = 0;
        self.tally = Tally::default();
        let media_type = head.media_type();
        if matches!(media_type.as_str(), "" | "application/json" | "text/json") || media_type.ends_with("+json") {
            return Ok(());
        }
        Err(self.broken(Trouble {
            record: 0,
            rule: "http.type",
        }))
    }

    fn some(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let Self {
            table,
            keys,
            each,
            number,
            attempt,
            repeated,
            tally,
            ..
        } = self;
        let stamp = (*number, *attempt);
        let read = self.splitter.push(bytes, &mut |json| {
            let record = Record::read(table, json)?;
            let Some(id) = record.id(tally) else {
                tally.hides = true;
                return Ok(());
            };
            let mut hash = DefaultHasher::new();
            id.hash(&mut hash);
            match keys.0.insert(hash.finish(), stamp) {
                Some((page, _)) if page != stamp.0 => {
                    *repeated = repeated.saturating_add(1);
                    return Ok(());
                }
                Some((_, attempt)) if attempt == stamp.1 => {
                    tally.lose("oneroster.duplicate_key", table.list, "sourcedId");
                    return Ok(());
                }
                _ => {}
            }
            tally.drop_of(&record);
            if record.changed().is_none() {
                tally.undated = tally.undated.saturating_add(1);
            }
            each(&record, tally);
            Ok(())
        });
        read.map_err(|trouble| self.broken(trouble))
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.splitter.end().map_err(|trouble| self.broken(trouble))
    }
}
