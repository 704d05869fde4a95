//! What a page had besides its records: what was lost, and how much there was.

use std::collections::{BTreeMap, BTreeSet};

use super::record::Record;
use crate::contract::{Gap, Sink};
use crate::roster::Counts;

/// Losses, counts and names of what was dropped. One of a page is added to the whole when the page is whole.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// By rule, list and field.
    lost: BTreeMap<(&'static str, &'static str, &'static str), u64>,
    dropped: BTreeSet<(&'static str, &'static str)>,
    pub(super) counts: Counts,
    /// Something was lost that may be a pupil, a class or a membership: what is not said is not gone.
    pub(super) hides: bool,
    /// Records that do not say when they were changed.
    pub(super) undated: u64,
}

impl Tally {
    /// Notes a loss.
    pub(super) fn lose(&mut self, rule: &'static str, list: &'static str, field: &'static str) {
        self.lose_many(rule, list, field, 1);
    }

    /// Notes losses of one kind.
    pub(super) fn lose_many(&mut self, rule: &'static str, list: &'static str, field: &'static str, records: u64) {
        if records > 0 {
            let count = self.lost.entry((rule, list, field)).or_default();
            *count = count.saturating_add(records);
        }
    }

    /// Notes what a record has that is not taken over.
    pub(super) fn drop_of(&mut self, record: &Record<'_>) {
        if record.drops() {
            self.dropped.extend(record.dropped());
        }
    }

    /// Notes a field that is not taken over.
    pub(super) fn drop_field(&mut self, list: &'static str, field: &'static str) {
        self.dropped.insert((list, field));
    }

    /// Adds what a page had.
    pub(super) fn add(&mut self, page: Self) {
        for ((rule, list, field), records) in page.lost {
            self.lose_many(rule, list, field, records);
        }
        self.dropped.extend(page.dropped);
        self.hides |= page.hides;
        self.undated = self.undated.saturating_add(page.undated);
        let (sum, more) = (&mut self.counts, page.counts);
        for (sum, more) in [
            (&mut sum.orgs, more.orgs),
            (&mut sum.sessions, more.sessions),
            (&mut sum.classes, more.classes),
            (&mut sum.parents, more.parents),
            (&mut sum.teachers, more.teachers),
            (&mut sum.other_users, more.other_users),
            (&mut sum.pupil_enrollments, more.pupil_enrollments),
            (&mut sum.pupil_enrollments_gone, more.pupil_enrollments_gone),
            (&mut sum.teacher_enrollments, more.teacher_enrollments),
            (&mut sum.other_enrollments, more.other_enrollments),
            (&mut sum.demographics, more.demographics),
        ] {
            *sum = sum.saturating_add(more);
        }
    }

    /// The names of what was dropped, as `list.field`.
    pub(super) fn dropped(&self) -> BTreeSet<String> {
        self.dropped
            .iter()
            .map(|(list, field)| format!("{list}.{field}"))
            .collect()
    }

    /// Tells the losses.
    pub(super) fn tell(&self, sink: &mut dyn Sink) {
        for ((rule, list, field), records) in &self.lost {
            let detail = if field.is_empty() {
                (*list).to_owned()
            } else {
                format!("{list}.{field}")
            };
            sink.gap(Gap {
                rule,
                detail,
                records: *records,
            });
        }
    }
}
