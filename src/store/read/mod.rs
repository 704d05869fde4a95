//! Reading, for those who ask: each statement carries the predicate of the scope inside it.
//!
//! One statement per list level, columns by category group, counts after the scope. What a reader may
//! not see is not fetched: a column whose category was not agreed with the record's school is null
//! in the statement itself.

pub mod absence;
pub mod agreement;
pub mod class_group;
pub mod client;
pub mod delivery;
pub mod enrolment;
pub mod event;
pub mod gap;
pub mod operations;
pub mod own;
pub mod pupil;
pub mod quarantine;
pub mod report;
pub mod school;
pub mod signal;

use hub_entities::category::{Categories, Category};
use hub_entities::id::SchoolId;
use hub_entities::law::threshold::SignalKind;
use hub_entities::policy::{Reach, Scope};
use sea_orm::Value;

use super::sql::{list, list_from};

/// A piece of a statement and its values.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) values: Vec<Value>,
}

impl Piece {
    pub(super) fn new(text: impl Into<String>, values: Vec<Value>) -> Self {
        Self {
            text: text.into(),
            values,
        }
    }

    fn never() -> Self {
        Self::new("1 = 0", Vec::new())
    }
}

/// What ends a subquery that PostgreSQL is to ask row by row: it turns one with an offset into no join.
pub(super) const EACH: &str = "limit 1 offset 0";

/// That the reader has a relation today with the pupil in this column.
pub(super) fn related(scope: &Scope, pupil: &str) -> Piece {
    tied(scope, pupil, "")
}

/// The same, looked up pupil by pupil: for a long list of which few rows from its beginning are read.
fn related_each(scope: &Scope, pupil: &str) -> Piece {
    tied(scope, pupil, EACH)
}

fn tied(scope: &Scope, pupil: &str, end: &str) -> Piece {
    let (table, column, party): (_, _, Value) = match scope.reach() {
        Reach::School(school) => ("enrolment", "school_id", (*school).into()),
        Reach::Clb { clb, .. } | Reach::Report { clb, .. } => ("competence", "clb_id", (*clb).into()),
        Reach::Public | Reach::Operations | Reach::Source { .. } => return Piece::never(),
    };
    let text = format!(
        "exists (select 1 from {table} rel where rel.pupil_id = {pupil} and rel.{column} = ?
         and rel.begins_on <= ? and (rel.ends_on is null or rel.ends_on > ?) {end})"
    );
    Piece::new(text, vec![party, scope.day().into(), scope.day().into()])
}

/// That a signal, of the kind in this column and about the pupil in that one, concerns the reader: it is related to the
/// pupil today, and the signal is its to know of.
///
/// An obligatory signal is the competent CLB's whatever was agreed: the school must report it (design §3). Any
/// other follows from half-days of category `truancy` and obliges nobody (domain facts §2.1), so it is told where
/// that category was agreed with a school of the pupil. Nothing is lost by it: the obligatory one carries the
/// same count. One that was withdrawn is told by the same rule: whoever heard of it hears that it is gone.
///
/// An early warning is told to those alone whose agreement wanted it when it was raised, or wanted one when the pupil came
/// to them. A CLB is told of none that is held back from it, while the agreement shows it to the school first (design §4).
pub(super) fn told(scope: &Scope, (signal, kind): (&str, &str), pupil: &str) -> Piece {
    let related = related(scope, pupil);
    let (party, is_clb): (Value, _) = match scope.reach() {
        Reach::School(school) => ((*school).into(), false),
        Reach::Clb { clb, .. } => ((*clb).into(), true),
        Reach::Public | Reach::Report { .. } | Reach::Operations | Reach::Source { .. } => return Piece::never(),
    };
    let warned = warned((signal, kind), party.clone());
    if !is_clb {
        let text = format!("{} and {}", related.text, warned.text);
        return Piece::new(text, [related.values, warned.values].concat());
    }
    let obligatory = SignalKind::ALL.into_iter().filter(|kind| kind.is_obligatory());
    let obligatory = list_from(obligatory.map(|kind| kind.name().to_owned()));
    let agreed = absence::truancy_agreed(scope, pupil);
    let held = held(signal, party);
    let text = format!(
        "{} and {} and ({kind} in ? or {}) and not {}",
        related.text, warned.text, agreed.text, held.text
    );
    let values = [
        related.values,
        warned.values,
        vec![obligatory],
        agreed.values,
        held.values,
    ];
    Piece::new(text, values.concat())
}

/// That the signal is no early warning, or one that the reader's agreement wanted when it was told.
fn warned((signal, kind): (&str, &str), party: Value) -> Piece {
    let text = format!(
        "({kind} <> ? or exists (select 1 from signal_audience w where w.signal_id = {signal} and w.party = ? {EACH}))"
    );
    Piece::new(text, vec![SignalKind::TruancyEarly.name().into(), party])
}

/// That the signal in this column is held back from a CLB.
fn held(signal: &str, clb: Value) -> Piece {
    let text = format!(
        "exists (select 1 from signal_audience held where held.signal_id = {signal} and held.party = ? and held.held {EACH})"
    );
    Piece::new(text, vec![clb])
}

/// That a row of the school in this column may be read, when any of these categories was agreed with it.
pub(super) fn agreed(scope: &Scope, school: &str, any_of: Categories) -> Piece {
    match scope.reach() {
        Reach::School(own) => Piece::new(format!("{school} = ?"), vec![(*own).into()]),
        Reach::Clb { .. } => {
            let schools = schools_with(scope, any_of);
            Piece::new(format!("{school} in ?"), vec![list(&schools)])
        }
        Reach::Public | Reach::Report { .. } | Reach::Operations | Reach::Source { .. } => Piece::never(),
    }
}

/// The schools with which any of these categories was agreed.
fn schools_with(scope: &Scope, any_of: Categories) -> Vec<SchoolId> {
    match scope.reach() {
        Reach::School(own) => vec![*own],
        Reach::Clb { agreed, .. } => agreed
            .iter()
            .filter(|(_, of)| !of.and(any_of).is_empty())
            .map(|(school, _)| *school)
            .collect(),
        Reach::Public | Reach::Report { .. } | Reach::Operations | Reach::Source { .. } => Vec::new(),
    }
}

/// A column of a category, null where the category was not agreed with the row's school.
pub(super) fn column(scope: &Scope, school: &str, name: &str, category: Category) -> Piece {
    match scope.reach() {
        Reach::School(_) => Piece::new(name, Vec::new()),
        Reach::Clb { agreed, .. } => {
            let with = schools_with(scope, Categories::NONE.with(category));
            if with.len() == agreed.len() {
                // Agreed with every school whose rows are read at all.
                Piece::new(name, Vec::new())
            } else if with.is_empty() {
                Piece::new("null", Vec::new())
            } else {
                Piece::new(format!("case when {school} in ? then {name} end"), vec![list(&with)])
            }
        }
        Reach::Public | Reach::Report { .. } | Reach::Operations | Reach::Source { .. } => {
            Piece::new("null", Vec::new())
        }
    }
}

/// What was agreed with this school, for this reader. A school may see all it said itself.
pub fn categories_of(scope: &Scope, school: SchoolId) -> Categories {
    match scope.reach() {
        Reach::School(own) if *own == school => Categories::all(),
        Reach::Clb { agreed, .. } => {
            let of = agreed.iter().filter(|(one, _)| *one == school);
            of.fold(Categories::NONE, |all, (_, categories)| all.or(*categories))
        }
        _ => Categories::NONE,
    }
}
