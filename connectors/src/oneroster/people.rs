//! Everyone who may be a pupil, until everything that was said of them has been read.

use std::collections::{BTreeMap, BTreeSet};

use crate::roster::{Contact, PupilRow};

/// The roles of those who may be reached for a pupil.
pub(super) const PARENTS: [&str; 3] = ["parent", "guardian", "relative"];

/// What is said of one person.
pub(super) struct Person {
    pub(super) row: PupilRow,
    pub(super) agents: Vec<String>,
}

/// Everyone who may be a pupil, until the whole package tells.
#[derive(Default)]
pub(super) struct People {
    pub(super) pupils: BTreeMap<String, Person>,
    /// In a delta without roles: pupils, or not.
    pub(super) unknown: BTreeMap<String, Person>,
    /// Pupils of whom the package has a part but no row in `users.csv`.
    pub(super) parts: BTreeMap<String, PupilRow>,
    pub(super) parents: BTreeMap<String, (Contact, Vec<String>)>,
    /// Teachers and others, by key only: what is said of them elsewhere is not for the hub.
    pub(super) rest: BTreeSet<String>,
}

/// What the package says of a pupil without a row of its own.
pub(super) fn part<'p>(parts: &'p mut BTreeMap<String, PupilRow>, key: &str) -> &'p mut PupilRow {
    parts.entry(key.to_owned()).or_insert_with(|| PupilRow {
        source_key: key.to_owned(),
        only_if_known: true,
        ..PupilRow::default()
    })
}

impl People {
    pub(super) fn any(&mut self, key: &str) -> &mut PupilRow {
        match self.pupils.get_mut(key).or_else(|| self.unknown.get_mut(key)) {
            Some(person) => &mut person.row,
            None => part(&mut self.parts, key),
        }
    }

    /// Ties parents to pupils, and lets go of everyone else.
    pub(super) fn settle(mut self) -> Vec<PupilRow> {
        let mut back: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (parent, (_, children)) in &self.parents {
            for child in children {
                back.entry(child).or_default().push(parent);
            }
        }
        for (key, person) in self.pupils.iter_mut().chain(&mut self.unknown) {
            let agents: BTreeSet<&str> = person
                .agents
                .iter()
                .map(String::as_str)
                .chain(back.get(key.as_str()).into_iter().flatten().copied())
                .collect();
            let found = agents.into_iter().filter_map(|agent| self.parents.get(agent));
            person.row.contacts = found.map(|(contact, _)| contact.clone()).collect();
        }
        let known = self.pupils.into_values().map(|person| person.row);
        let unknown = self.unknown.into_values().map(|person| PupilRow {
            only_if_known: true,
            ..person.row
        });
        let mut pupils: Vec<PupilRow> = known.chain(unknown).chain(self.parts.into_values()).collect();
        pupils.sort_by(|a, b| a.source_key.cmp(&b.source_key));
        pupils
    }
}

pub(super) fn count(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}
