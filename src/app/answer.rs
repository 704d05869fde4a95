//! From rows of the store to rows of the answer.

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use hub_entities::absence::mark::Mark as Registered;
use hub_entities::id::SchoolId;
use hub_entities::party::clb;
use hub_entities::policy::Scope;
use hub_graphql::hub::Answer;
use hub_graphql::page::{Mark, Page, Slice, SortKey};
use hub_graphql::scalar::Gid;
use hub_graphql::school::{ClbRow, SchoolRow};

use super::failed;
use crate::store::read::school::School;
use crate::store::{Db, DbError, read};

/// A page of rows of which one more than asked for was read.
pub(super) fn slice<R, T>(
    mut rows: Vec<R>,
    page: &Page,
    total: Option<i64>,
    of: impl FnMut(R) -> (Mark, T),
) -> Slice<T> {
    let first = usize::try_from(page.first).unwrap_or(usize::MAX);
    let more = rows.len() > first;
    rows.truncate(first);
    Slice {
        rows: rows.into_iter().map(of).collect(),
        more,
        total,
    }
}

/// The count, if it was asked for.
pub(super) async fn counted<T>(page: &Page, count: impl Future<Output = Result<T, DbError>>) -> Answer<Option<i64>>
where
    i64: TryFrom<T>,
{
    if !page.count {
        return Ok(None);
    }
    let count = count.await.map_err(|fault| failed(&fault))?;
    Ok(Some(i64::try_from(count).unwrap_or(i64::MAX)))
}

/// The text a list goes on from.
pub(super) fn text(page: &Page) -> Option<&str> {
    match page.after.as_ref().map(|mark| &mark.key) {
        Some(SortKey::Text(text)) => Some(text),
        _ => None,
    }
}

/// A time as a sort key, whole: rows of one transaction share it to the nanosecond where the database keeps that.
pub(super) fn time(at: DateTime<Utc>) -> SortKey {
    SortKey::Text(at.to_rfc3339_opts(SecondsFormat::Nanos, true))
}

/// The number a list goes on from.
pub(super) fn number(page: &Page) -> Option<i64> {
    match page.after.as_ref().map(|mark| &mark.key) {
        Some(SortKey::Number(number)) => Some(*number),
        _ => None,
    }
}

/// What is registered, as it is answered.
pub(super) fn code(mark: Registered) -> &'static str {
    match mark {
        Registered::Code(code) => code.letter(),
        Registered::Unresolved => "UNRESOLVED",
        Registered::NoLongerB => "NO_LONGER_B",
        Registered::UnknownLetter => "UNKNOWN_LETTER",
    }
}

pub(super) fn school_row(school: School) -> SchoolRow {
    SchoolRow {
        id: Gid(school.id),
        institution_number: school.institution_number,
        name: school.name,
        city: school.city,
    }
}

pub(super) fn clb_row(clb: clb::Model) -> ClbRow {
    ClbRow {
        id: Gid(clb.id),
        institution_number: clb.institution_number,
        name: clb.name,
    }
}

/// The public facts of these schools: one statement, whatever their number.
pub(super) async fn schools(
    db: &Db,
    scope: &Scope,
    ids: impl IntoIterator<Item = SchoolId>,
) -> Answer<HashMap<SchoolId, SchoolRow>> {
    let mut ids: Vec<SchoolId> = ids.into_iter().collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = read::school::by_id(db, scope, &ids)
        .await
        .map_err(|fault| failed(&fault))?;
    Ok(found
        .into_iter()
        .map(|school| (school.id, school_row(school)))
        .collect())
}
