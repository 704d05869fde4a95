//! What happened, for those it concerns.

use async_trait::async_trait;
use hub_entities::category::{Categories, Category};
use hub_entities::operation::Operation;
use hub_entities::policy::Action;
use hub_graphql::change::ChangeRow;
use hub_graphql::hub::{Answer, Changed, Changes, Position};
use hub_graphql::problem::Problem;
use uuid::Uuid;

use super::{App, failed};
use crate::store::read::event;

#[async_trait]
impl Changes for App {
    async fn changes(
        &self,
        operation: &Operation,
        after: Option<Position>,
        first: u32,
        columns: Categories,
    ) -> Answer<Changed> {
        let nothing = Changed {
            rows: Vec::new(),
            end: after.unwrap_or(Position {
                epoch: Uuid::nil(),
                position: 0,
            }),
            more: false,
        };
        let Some(scope) = self.decide(operation, Action::ReadSignals)? else {
            return Ok(nothing);
        };
        let from = after.map_or(0, |after| after.position);
        let found = event::after(&self.db, &scope, from, first, columns)
            .await
            .map_err(|fault| failed(&fault))?;
        let begun = after.filter(|after| after.position > 0);
        let Some(found) = found else {
            // A position, in a database that gave none: the reader comes from another one.
            return if begun.is_some() {
                Err(Problem::CursorExpired)
            } else {
                Ok(nothing)
            };
        };
        // Of another epoch, or ahead of what was given: a restore took back what the reader has seen, and
        // going on from there would skip what is told in its place (design §6).
        if begun.is_some_and(|after| after.epoch != found.epoch || after.position > found.last) {
            return Err(Problem::CursorExpired);
        }
        let at = |position| Position {
            epoch: found.epoch,
            position,
        };
        for event in &found.told {
            // What happened is of category `truancy`; where the pupil goes to school may be told beside it.
            let school = event.school.map(|_told| Category::Enrolment);
            let left = [Some(Category::Truancy), school].into_iter().flatten();
            self.note(operation, [event.pupil], left.collect())?;
        }
        let rows = found.told.into_iter().map(|event| {
            let row = ChangeRow {
                id: event.id,
                kind: event.kind,
                signal: event.signal,
                signal_kind: event.signal_kind,
                pupil: Some(event.pupil),
                school: event.school,
                year: event.year,
                count: event.half_days,
                version: event.version,
                occurred_at: event.occurred_at,
            };
            (at(event.position), row)
        });
        Ok(Changed {
            rows: rows.collect(),
            end: at(found.end),
            more: found.more,
        })
    }
}
