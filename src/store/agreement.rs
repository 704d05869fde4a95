//! Proposing, deciding and ending agreements. What follows for pupils follows in the same transaction.

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::agreement::{self, AgreementState, Party};
use hub_entities::category::Categories;
use hub_entities::id::{AgreementId, ClbId, Ids, PupilId, SchoolId};
use hub_entities::policy::{Reach, Scope};
use sea_orm::{EntityTrait, Value};

use super::competence::derive_again;
use super::sql::{execute, row, rows};
use super::transaction::Transaction;
use super::{Db, DbError};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// It is done; the agreement as it is now.
    Done(agreement::Model),
    /// Another version than the one read.
    Changed {
        /// The version now.
        version: i32,
    },
    /// Not from this state, or not by this party.
    NotPossible(&'static str),
    /// No such agreement or party within the scope.
    Unknown,
}

/// A proposal.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The id it gets.
    pub id: AgreementId,
    /// The other party: a CLB when a school proposes.
    pub clb: Option<ClbId>,
    /// The other party: a school when a CLB proposes.
    pub school: Option<SchoolId>,
    /// What is to travel.
    pub categories: Categories,
    /// The written ground for categories that need one.
    pub ground: Option<String>,
    /// The first day.
    pub begins_on: NaiveDate,
    /// For how many days a signal is to be shown to the school first.
    pub school_first_days: i16,
    /// From how many half-days on both are to be warned; not at all if none.
    pub early_warning: Option<i16>,
    /// Whether software of the school is to read what is released to it.
    pub releases_to_software: bool,
    /// When it is proposed.
    pub now: DateTime<Utc>,
}

/// A relation is in force on a day.
pub(super) fn in_force(alias: &str) -> String {
    format!("{alias}.begins_on <= ? and ({alias}.ends_on is null or {alias}.ends_on > ?)")
}

/// That the agreement `a` binds on a day: of those between two parties the one that began last.
pub(super) fn binding(day: NaiveDate) -> (String, Vec<Value>) {
    let text = format!(
        "a.state in (?, ?) and a.decided_at is not null and {} and not exists (
             select 1 from agreement b where b.school_id = a.school_id and b.clb_id = a.clb_id
             and b.state in (?, ?) and b.decided_at is not null and {}
             and (b.begins_on, b.decided_at) > (a.begins_on, a.decided_at))",
        in_force("a"),
        in_force("b"),
    );
    let accepted = [AgreementState::Accepted, AgreementState::Ended].map(Value::from);
    let once = [accepted, [Value::from(day), day.into()]].concat();
    (text, [once.clone(), once].concat())
}

/// Puts an agreement forward for the scope's party.
pub async fn propose(db: &Db, scope: &Scope, new: Proposal) -> Result<Decided, DbError> {
    let (school, clb, party) = match (scope.reach(), new.school, new.clb) {
        (Reach::School(school), _, Some(clb)) => (*school, clb, Party::School),
        (Reach::Clb { clb, .. }, Some(school), _) => (school, *clb, Party::Clb),
        (Reach::School(_) | Reach::Clb { .. }, _, _) => return Ok(Decided::Unknown),
        _ => return Err(DbError::OutOfScope),
    };
    let ground = new.ground.filter(|ground| !ground.trim().is_empty());
    if ground.is_none()
        && new
            .categories
            .iter()
            .any(hub_entities::category::Category::needs_ground)
    {
        return Ok(Decided::NotPossible("a category that needs a written ground has none"));
    }
    let tx = db.begin().await?;
    let known = row(
        &tx,
        "select 1 from school s, clb c where s.id = ? and c.id = ?",
        vec![school.into(), clb.into()],
    )
    .await?;
    if known.is_none() {
        return Ok(Decided::Unknown);
    }
    let values: Vec<Value> = vec![
        new.id.into(),
        school.into(),
        clb.into(),
        AgreementState::Proposed.into(),
        new.categories.into(),
        ground.into(),
        new.begins_on.into(),
        new.school_first_days.into(),
        new.early_warning.into(),
        new.releases_to_software.into(),
        scope.viewer().into(),
        party.into(),
        new.now.into(),
    ];
    execute(
        &tx,
        "insert into agreement (id, school_id, clb_id, state, categories, ground, begins_on, school_first_days,
         early_warning, releases_to_software, proposed_by, proposed_for, proposed_at, version)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
        values,
    )
    .await?;
    finish(tx, new.id).await
}

/// Accepts or refuses a proposal of the other party. Accepting replaces what was in force between the two.
pub async fn decide(
    db: &Db,
    scope: &Scope,
    ids: &dyn Ids,
    id: AgreementId,
    version: i32,
    accept: bool,
    now: DateTime<Utc>,
) -> Result<Decided, DbError> {
    let tx = db.begin().await?;
    let Some((found, party)) = find(db, &tx, scope, id).await? else {
        return Ok(Decided::Unknown);
    };
    if found.version != version {
        return Ok(Decided::Changed { version: found.version });
    }
    if found.state != AgreementState::Proposed {
        return Ok(Decided::NotPossible("it is not a proposal any more"));
    }
    if found.proposed_for == party && accept {
        return Ok(Decided::NotPossible("the other party decides on a proposal"));
    }
    let state = if accept {
        AgreementState::Accepted
    } else {
        AgreementState::Refused
    };
    let values: Vec<Value> = vec![state.into(), scope.viewer().into(), now.into(), id.into()];
    execute(
        &tx,
        "update agreement set state = ?, decided_by = ?, decided_at = ?, version = version + 1 where id = ?",
        values,
    )
    .await?;
    if accept {
        let values: Vec<Value> = vec![
            AgreementState::Ended.into(),
            found.begins_on.into(),
            scope.viewer().into(),
            now.into(),
            found.school_id.into(),
            found.clb_id.into(),
            id.into(),
            AgreementState::Accepted.into(),
            AgreementState::Ended.into(),
            found.begins_on.into(),
        ];
        execute(
            &tx,
            "update agreement set state = ?, ends_on = ?, ended_by = ?, ended_at = ?, version = version + 1
             where school_id = ? and clb_id = ? and id <> ? and state in (?, ?) and decided_at is not null
             and (ends_on is null or ends_on > ?)",
            values,
        )
        .await?;
        derive_school(db, &tx, ids, found.school_id, now).await?;
    }
    finish(tx, id).await
}

/// Ends an agreement in force, from a day on. Either party may.
pub async fn end(
    db: &Db,
    scope: &Scope,
    ids: &dyn Ids,
    id: AgreementId,
    version: i32,
    on: NaiveDate,
    now: DateTime<Utc>,
) -> Result<Decided, DbError> {
    let tx = db.begin().await?;
    let Some((found, _)) = find(db, &tx, scope, id).await? else {
        return Ok(Decided::Unknown);
    };
    if found.version != version {
        return Ok(Decided::Changed { version: found.version });
    }
    if found.state != AgreementState::Accepted {
        return Ok(Decided::NotPossible("it is not in force"));
    }
    if on < scope.day() {
        return Ok(Decided::NotPossible("it cannot end in the past"));
    }
    let values: Vec<Value> = vec![
        AgreementState::Ended.into(),
        on.into(),
        scope.viewer().into(),
        now.into(),
        id.into(),
    ];
    execute(
        &tx,
        "update agreement set state = ?, ends_on = ?, ended_by = ?, ended_at = ?, version = version + 1 where id = ?",
        values,
    )
    .await?;
    derive_school(db, &tx, ids, found.school_id, now).await?;
    finish(tx, id).await
}

/// The agreement if the scope's party is one of its two, locked, and which of the two it is.
async fn find(
    db: &Db,
    tx: &Transaction,
    scope: &Scope,
    id: AgreementId,
) -> Result<Option<(agreement::Model, Party)>, DbError> {
    let (column, party, which): (_, Value, _) = match scope.reach() {
        Reach::School(school) => ("school_id", (*school).into(), Party::School),
        Reach::Clb { clb, .. } => ("clb_id", (*clb).into(), Party::Clb),
        _ => return Err(DbError::OutOfScope),
    };
    let text = format!(
        "select id from agreement where id = ? and {column} = ? {}",
        db.dialect().for_update()
    );
    if row(tx, &text, vec![id.into(), party]).await?.is_none() {
        return Ok(None);
    }
    Ok(agreement::Entity::find_by_id(id)
        .one(tx)
        .await?
        .map(|found| (found, which)))
}

/// Derives the CLBs of every pupil of a school again.
pub(super) async fn derive_school(
    db: &Db,
    tx: &Transaction,
    ids: &dyn Ids,
    school: SchoolId,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let found = rows(
        tx,
        "select distinct pupil_id from enrolment where school_id = ? order by pupil_id",
        vec![school.into()],
    )
    .await?;
    let pupils: Vec<PupilId> = found
        .iter()
        .map(|row| row.try_get_by_index(0))
        .collect::<Result<_, _>>()?;
    for some in pupils.chunks(1_000) {
        db.dialect().lock_pupils(tx, some).await?;
        derive_again(tx, ids, some, now).await?;
    }
    Ok(())
}

async fn finish(tx: Transaction, id: AgreementId) -> Result<Decided, DbError> {
    let after = agreement::Entity::find_by_id(id).one(&tx).await?;
    tx.commit().await?;
    after
        .map(Decided::Done)
        .ok_or(DbError::Unreadable { column: "agreement.id" })
}
