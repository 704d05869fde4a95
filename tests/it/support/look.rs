//! Looks into the database past every scope: what a test compares with what it wrote by hand.

use hub_entities::id::PupilId;
use hub_entities::ledger::tally;
use hub_entities::signal::{SignalState, outbox, row};
use hub_entities::time::SchoolYear;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder};

/// Standing signals of a pupil: kind, generation, half-days.
pub(crate) async fn standing(look: &DatabaseConnection, pupil: PupilId) -> Vec<(String, i32, i32)> {
    let found = row::Entity::find()
        .filter(row::Column::PupilId.eq(pupil))
        .filter(row::Column::State.eq(SignalState::Raised))
        .order_by_asc(row::Column::Kind);
    let found = found.all(look).await.unwrap();
    found
        .into_iter()
        .map(|signal| (signal.kind, signal.generation, signal.half_days))
        .collect()
}

/// How many signals a pupil ever had.
pub(crate) async fn signals(look: &DatabaseConnection, pupil: PupilId) -> usize {
    row::Entity::find()
        .filter(row::Column::PupilId.eq(pupil))
        .all(look)
        .await
        .unwrap()
        .len()
}

/// Events of a pupil in the order they were committed: what they tell, and the half-days.
pub(crate) async fn events(look: &DatabaseConnection, pupil: PupilId) -> Vec<(&'static str, i32)> {
    let found = outbox::Entity::find()
        .filter(outbox::Column::PupilId.eq(pupil))
        .order_by_asc(outbox::Column::Id);
    let found = found.all(look).await.unwrap();
    found
        .into_iter()
        .map(|event| (event.kind.name(), event.half_days))
        .collect()
}

/// What is stored of a pupil's tally in a school year: half-days and pending.
pub(crate) async fn totals(look: &DatabaseConnection, pupil: PupilId, year: i16) -> (i64, i64) {
    let found = tally::Entity::find_by_id((pupil, SchoolYear(year)))
        .one(look)
        .await
        .unwrap();
    found.map_or((0, 0), |tally| (tally.half_days.into(), tally.pending.into()))
}
