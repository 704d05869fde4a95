//! Signals as a reader may see them: of pupils it is related to today.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::id::{PrincipalId, PupilId, SignalId};
use hub_entities::law::threshold::SignalKind;
use hub_entities::policy::{Reach, Scope};
use hub_entities::signal::{SignalState, Track};
use hub_entities::time::SchoolYear;
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::{Piece, told};
use crate::store::sql::{list, row, rows};
use crate::store::{Db, DbError};

/// One signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// Its id.
    pub id: SignalId,
    /// Which rule.
    pub kind: String,
    /// The pupil.
    pub pupil: PupilId,
    /// The school year.
    pub year: SchoolYear,
    /// 1, and one more each time it is raised again.
    pub generation: i32,
    /// Whether it stands.
    pub state: SignalState,
    /// Half-days, as last counted while it stood.
    pub half_days: i32,
    /// When the threshold was reached.
    pub reached_on: Option<NaiveDate>,
    /// When it was raised.
    pub raised_at: DateTime<Utc>,
    /// When it was withdrawn.
    pub withdrawn_at: Option<DateTime<Utc>>,
    /// Whether it came of a backfill.
    pub backfill: bool,
    /// Its version.
    pub version: i32,
    /// Who took which step, when.
    pub steps: Vec<Step>,
}

/// One step on a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Which track.
    pub track: Track,
    /// Which school or CLB.
    pub party: Uuid,
    /// Who.
    pub by: PrincipalId,
    /// When.
    pub at: DateTime<Utc>,
}

/// Which signals.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Only those that stand, or only those withdrawn.
    pub state: Option<SignalState>,
    /// Only of this rule.
    pub kind: Option<SignalKind>,
    /// Only of this school year.
    pub year: Option<SchoolYear>,
}

pub(super) const COLUMNS: &str =
    "s.id, s.kind, s.pupil_id, s.school_year, s.generation, s.state, s.half_days, s.reached_on,
    s.raised_at, s.withdrawn_at, s.backfill, s.version";

pub(super) fn signal(row: &QueryResult) -> Result<Signal, DbError> {
    Ok(Signal {
        id: row.try_get_by_index(0)?,
        kind: row.try_get_by_index(1)?,
        pupil: row.try_get_by_index(2)?,
        year: row.try_get_by_index(3)?,
        generation: row.try_get_by_index(4)?,
        state: row.try_get_by_index(5)?,
        half_days: row.try_get_by_index(6)?,
        reached_on: row.try_get_by_index(7)?,
        raised_at: row.try_get_by_index(8)?,
        withdrawn_at: row.try_get_by_index(9)?,
        backfill: row.try_get_by_index(10)?,
        version: row.try_get_by_index(11)?,
        steps: Vec::new(),
    })
}

/// That a signal concerns the reader.
fn concerns(scope: &Scope) -> Piece {
    told(scope, ("s.id", "s.kind"), "s.pupil_id")
}

async fn with_steps(db: &Db, scope: &Scope, mut signals: Vec<Signal>) -> Result<Vec<Signal>, DbError> {
    if signals.is_empty() {
        return Ok(signals);
    }
    // A school sees its own report and not another's; both see whether the CLB took it up.
    let own = match scope.reach() {
        Reach::School(school) => Piece::new("(t.track = 'accept' or t.party = ?)", vec![(*school).into()]),
        _ => Piece::new("1 = 1", Vec::new()),
    };
    let ids: Vec<SignalId> = signals.iter().map(|signal| signal.id).collect();
    let text = format!(
        "select t.signal_id, t.track, t.party, t.principal_id, t.at from signal_track t
         where t.signal_id in ? and {} order by t.at",
        own.text
    );
    let mut values = vec![list(&ids)];
    values.extend(own.values);
    let mut steps: BTreeMap<SignalId, Vec<Step>> = BTreeMap::new();
    for row in rows(db.reader(), &text, values).await? {
        let step = Step {
            track: row.try_get_by_index(1)?,
            party: row.try_get_by_index(2)?,
            by: row.try_get_by_index(3)?,
            at: row.try_get_by_index(4)?,
        };
        steps.entry(row.try_get_by_index(0)?).or_default().push(step);
    }
    for signal in &mut signals {
        signal.steps = steps.remove(&signal.id).unwrap_or_default();
    }
    Ok(signals)
}

/// These signals.
pub async fn by_id(db: &Db, scope: &Scope, ids: &[SignalId]) -> Result<Vec<Signal>, DbError> {
    let may = concerns(scope);
    let text = format!("select {COLUMNS} from signal s where s.id in ? and {}", may.text);
    let mut values = vec![list(ids)];
    values.extend(may.values);
    let found = rows(db.reader(), &text, values).await?;
    with_steps(db, scope, found.iter().map(signal).collect::<Result<_, _>>()?).await
}

/// The signals of these pupils, latest raised first.
pub async fn of_pupils(db: &Db, scope: &Scope, pupils: &[PupilId]) -> Result<Vec<Signal>, DbError> {
    let may = concerns(scope);
    let text = format!(
        "select {COLUMNS} from signal s where s.pupil_id in ? and {} order by s.raised_at desc, s.id",
        may.text
    );
    let mut values = vec![list(pupils)];
    values.extend(may.values);
    let found = rows(db.reader(), &text, values).await?;
    with_steps(db, scope, found.iter().map(signal).collect::<Result<_, _>>()?).await
}

fn filtered(scope: &Scope, filter: &Filter) -> Piece {
    let mut piece = concerns(scope);
    if let Some(state) = filter.state {
        piece.text.push_str(" and s.state = ?");
        piece.values.push(state.into());
    }
    if let Some(kind) = filter.kind {
        piece.text.push_str(" and s.kind = ?");
        piece.values.push(kind.name().into());
    }
    if let Some(year) = filter.year {
        piece.text.push_str(" and s.school_year = ?");
        piece.values.push(year.into());
    }
    piece
}

/// A page of signals, latest raised first; one more than asked for tells of a next.
pub async fn page(
    db: &Db,
    scope: &Scope,
    filter: &Filter,
    after: Option<(DateTime<Utc>, SignalId)>,
    first: u32,
) -> Result<Vec<Signal>, DbError> {
    let which = filtered(scope, filter);
    let go_on = if after.is_some() {
        "and (s.raised_at < ? or (s.raised_at = ? and s.id > ?))"
    } else {
        ""
    };
    let text = format!(
        "select {COLUMNS} from signal s where {} {go_on} order by s.raised_at desc, s.id limit ?",
        which.text
    );
    let mut values = which.values;
    if let Some((at, id)) = after {
        values.extend([Value::from(at), at.into(), id.into()]);
    }
    values.push(i64::from(first).saturating_add(1).into());
    let found = rows(db.reader(), &text, values).await?;
    with_steps(db, scope, found.iter().map(signal).collect::<Result<_, _>>()?).await
}

/// How many signals the filter finds within the scope.
pub async fn count(db: &Db, scope: &Scope, filter: &Filter) -> Result<i64, DbError> {
    let which = filtered(scope, filter);
    let text = format!("select count(*) from signal s where {}", which.text);
    let counted = row(db.reader(), &text, which.values).await?;
    Ok(counted
        .map(|row| row.try_get_by_index(0))
        .transpose()?
        .unwrap_or_default())
}
