//! What happened, for those it concerns.

use async_trait::async_trait;
use hub_entities::category::{Categories, Category};
use hub_entities::operation::Operation;
use hub_entities::policy::{Action, Scope};
use hub_graphql::change::{ChangeRow, ChangeTold};
use hub_graphql::hub::{Answer, Changed, Changes, Position};
use hub_graphql::problem::Problem;
use uuid::Uuid;

use super::{App, failed};
use crate::store::Db;
use crate::store::read::event::{self, Event};

/// Before the first event of a database.
pub(super) const BEGINNING: Position = Position {
    epoch: Uuid::nil(),
    position: 0,
};

/// Events that concern a reader.
pub(super) struct Found {
    pub(super) events: Vec<Event>,
    /// Up to where was looked.
    pub(super) end: Position,
    /// Whether there is more behind it.
    pub(super) more: bool,
}

/// What happened after a position, for who has this scope.
pub(super) async fn read_after(
    db: &Db,
    scope: &Scope,
    after: Option<Position>,
    first: u32,
    columns: Categories,
) -> Answer<Found> {
    let from = after.map_or(0, |after| after.position);
    let begun = after.filter(|after| after.position > 0);
    let stand = event::stand(db, from).await.map_err(|fault| failed(&fault))?;
    let Some(stand) = stand else {
        // A position, in a database that gave none: the reader comes from another one.
        return match begun {
            Some(_) => Err(Problem::CursorExpired),
            None => Ok(Found {
                events: Vec::new(),
                end: after.unwrap_or(BEGINNING),
                more: false,
            }),
        };
    };
    // Of another epoch, or ahead of what was given: a restore took back what the reader has seen. Or what comes next
    // is kept no longer. Going on from there would skip in silence (design §6).
    let gone = |after: Position| after.epoch != stand.epoch || after.position > stand.last || !stand.next_kept;
    if begun.is_some_and(gone) {
        return Err(Problem::CursorExpired);
    }
    let until = stand.last.min(from.saturating_add(event::LOOK));
    let found = event::between(db, scope, (from, until), first, columns).await;
    let found = found.map_err(|fault| failed(&fault))?;
    Ok(Found {
        events: found.told,
        end: Position {
            epoch: stand.epoch,
            position: found.end,
        },
        more: found.end < stand.last,
    })
}

/// The categories that leave with an event: what happened is of category `truancy`; where the pupil goes to school may
/// be told beside it. An event that tells ids only lets nothing of a category out.
pub(super) fn leaving(event: &Event) -> Categories {
    let told = event.told.as_ref();
    let school = told.and_then(|told| told.school).map(|_told| Category::Enrolment);
    let truancy = told.map(|_told| Category::Truancy);
    [truancy, school].into_iter().flatten().collect()
}

/// An event as it is answered.
pub(super) fn row(event: &Event) -> ChangeRow {
    ChangeRow {
        id: event.id,
        kind: event.kind,
        signal: event.signal,
        pupil: Some(event.pupil),
        told: event.told.as_ref().map(|told| ChangeTold {
            signal_kind: told.signal_kind.clone(),
            school: told.school,
            year: told.year,
            count: told.half_days,
            version: told.version,
            occurred_at: told.occurred_at,
        }),
    }
}

#[async_trait]
impl Changes for App {
    async fn changes(
        &self,
        operation: &Operation,
        after: Option<Position>,
        first: u32,
        columns: Categories,
    ) -> Answer<Changed> {
        let Some(scope) = self.decide(operation, Action::ReadSignals)? else {
            return Ok(Changed {
                rows: Vec::new(),
                end: after.unwrap_or(BEGINNING),
                more: false,
            });
        };
        let found = read_after(&self.db, &scope, after, first, columns).await?;
        let mut rows = Vec::with_capacity(found.events.len());
        for event in &found.events {
            self.note(operation, [event.pupil], leaving(event))?;
            let at = Position {
                epoch: found.end.epoch,
                position: event.position,
            };
            rows.push((at, row(event)));
        }
        Ok(Changed {
            rows,
            end: found.end,
            more: found.more,
        })
    }
}
