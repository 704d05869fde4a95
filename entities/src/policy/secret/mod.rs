//! The policy of what is under professional secrecy: `secret.*`, `shared`, `case` and `audit`.
//!
//! Pure, as all of the policy. [`decide_batch`] takes the operation, the viewer's own row and the
//! [`Ties`] that the store loaded, and it alone makes a [`Grant`], without which the store opens
//! nothing. The rules are a list that a lawyer can read ([`RULES`]): denials first, each with its
//! ground; what no rule decides is denied.

mod case;
mod entry;
mod facts;
mod field;
pub mod matrix;
mod protected;
mod rules;
#[cfg(test)]
mod secrecy_matrix;
#[cfg(test)]
mod tests;
mod ties;
mod verdict;

pub use case::Viewer;
pub use entry::EntryFacts;
pub use facts::{Facts, Outcome, Past};
pub use field::{Asked, Class, Field, Part, Step};
pub use protected::{Opened, Protected};
pub use rules::{RULES, Rule, Says};
pub use ties::{Access, Lent, Place, Posted, TieRows, Ties, Urgency};
pub use verdict::{Code, Explained, Grant, Reader, Rows, Verdict, Withheld};

use case::Case;

use super::relations::Relations;
use crate::id::{PrincipalId, PupilId};
use crate::operation::{Actor, Operation};

/// Decides each of these questions about each of these pupils: one list of verdicts per pupil, in
/// the order of the questions. `assured` tells whether the sign-in is strong and fresh enough (R24).
///
/// Who is no principal, or whose row does not hold now, finds nothing.
pub fn decide_batch(
    operation: &Operation,
    relations: &Relations,
    assured: bool,
    ties: &[Ties],
    asked: &[Asked],
) -> Vec<Vec<Verdict>> {
    let viewer = viewer(operation, relations, assured);
    let of_one = |ties: &Ties| {
        let each = asked.iter();
        each.map(|asked| match &viewer {
            Some((id, viewer)) => explain(viewer, *id, ties, *asked).verdict,
            None => Verdict::Nothing,
        })
        .collect()
    };
    ties.iter().map(of_one).collect()
}

/// Who asks, as the principal's row says now; the token and the request say only purpose and assurance.
fn viewer(operation: &Operation, relations: &Relations, assured: bool) -> Option<(PrincipalId, Viewer)> {
    let Actor::Principal { id, role, .. } = &operation.actor else {
        return None;
    };
    let row = relations.principal().filter(|row| row.id == *id && row.role == *role)?;
    relations.actor_at(operation.now)?;
    let viewer = Viewer {
        role: row.role,
        discipline: row.discipline,
        purpose: operation.purpose,
        assured,
        now: operation.now,
        day: operation.today(),
    };
    Some((row.id, viewer))
}

/// Decides one question, and says by which rule.
fn explain(viewer: &Viewer, id: PrincipalId, ties: &Ties, asked: Asked) -> Explained {
    let case = Case {
        viewer,
        rows: ties.rows(),
        asked,
    };
    let by = RULES.iter().find(|rule| (rule.applies)(&case));
    let verdict = match by.map(|rule| (rule, rule.says)) {
        Some((_, Says::Nothing)) => Verdict::Nothing,
        Some((_, Says::Withhold(code, can_ask))) => Verdict::Withheld(Withheld::new(code, can_ask)),
        Some((rule, Says::Grant(reader))) => Verdict::Granted(grant(&case, (ties.pupil(), id), reader, rule)),
        // Undecided is denied.
        None => Verdict::Withheld(Withheld::new(Code::Secrecy, false)),
    };
    Explained { verdict, by }
}

fn grant(case: &Case<'_>, who: (PupilId, PrincipalId), reader: Reader, rule: &Rule) -> Grant {
    // A team reads its own trajectories; health data of any trajectory are one part of the dossier.
    let rows = match reader {
        Reader::Team if case.class().domain().is_some() || case.class() == Class::Shared => {
            Rows::Of(case.places().map(|place| place.trajectory).collect())
        }
        Reader::Lent => Rows::Of(case.lent().map(|lent| lent.trajectory).collect()),
        // A person reads what was opened, trajectory by trajectory.
        Reader::Pupil | Reader::Parent | Reader::ParentOfSelf => {
            Rows::Of(case.readable(reader).map(|access| access.trajectory).collect())
        }
        _ => Rows::All,
    };
    Grant::new(who, case.asked, reader, rows, rule.name)
}
