//! Two pupils whom a person ties into one, and takes apart again (design §3: across schools by number, else by a person,
//! never by name).
//!
//! Both come of one transaction under the locks of the pupils, with the signals that follow. What went along is written
//! down, so that taking apart brings back exactly that; what came since stays with the pupil it came to. A dossier stays
//! with the pupil it was written about: nothing of the secrecy store is touched.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use hub_entities::competence::Ground;
use hub_entities::id::{MergeId, PrincipalId, PupilId, RecordId};
use hub_entities::policy::Scope;
use hub_entities::pupil::merge::{Column, Entity, Model, Moved};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryResult, TryGetable,
    Value,
};

use super::ledger::Judge;
use super::merge::{merge, settle};
use super::read::related;
use super::run::Progress;
use super::sql::{execute, list, row, rows};
use super::transaction::Transaction;
use super::{Db, DbError};

/// What came of tying or of taking apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tied {
    /// It is done: the tying as it is now.
    Done(Box<Model>),
    /// They are one already, or apart already: the version of what made them so.
    Changed(i32),
    /// Not so: they are one by number, or something that was tied later is to be taken apart first.
    State,
    /// Not both of them stand in the scope, or there is no such tying.
    Unknown,
}

/// Two pupils to be tied.
#[derive(Debug, Clone)]
pub struct NewTie {
    /// The id it gets.
    pub id: MergeId,
    /// The pupil whose id gives way.
    pub from: PupilId,
    /// The pupil that goes on.
    pub into: PupilId,
    /// Why.
    pub reason: String,
}

/// Two pupils to be taken apart.
#[derive(Debug, Clone)]
pub struct Undo {
    /// The tying.
    pub merge: MergeId,
    /// Its version that was read.
    pub version: i32,
    /// Why.
    pub reason: String,
}

/// The pupils that these are now, in their order; `None` when one is unknown.
async fn canonical<C: ConnectionTrait>(db: &C, of: &[PupilId]) -> Result<Option<Vec<PupilId>>, DbError> {
    let mut now = Vec::new();
    for pupil in of {
        let text = "select coalesce(merged_into, id) from pupil where id = ?";
        let Some(found) = row(db, text, vec![(*pupil).into()]).await? else {
            return Ok(None);
        };
        now.push(found.try_get_by_index(0)?);
    }
    Ok(Some(now))
}

/// The pupils that these are now, under their locks: who they are is read again after it.
async fn locked(db: &Db, tx: &Transaction, of: &[PupilId]) -> Result<Option<Vec<PupilId>>, DbError> {
    let mut held: Vec<PupilId> = Vec::new();
    loop {
        let Some(now) = canonical(tx, of).await? else {
            return Ok(None);
        };
        let mut all = [of, now.as_slice()].concat();
        all.sort_unstable();
        all.dedup();
        if all.iter().all(|pupil| held.contains(pupil)) {
            return Ok(Some(now));
        }
        db.dialect().lock_pupils(tx, &all).await?;
        held = all;
    }
}

/// Whether all of these stand in the scope today.
async fn stand(tx: &Transaction, scope: &Scope, pupils: &[PupilId]) -> Result<bool, DbError> {
    let related = related(scope, "p.id");
    let text = format!("select p.id from pupil p where p.id in ? and {}", related.text);
    let mut values = vec![list(pupils)];
    values.extend(related.values);
    let found: Vec<PupilId> = ids(tx, &text, values).await?;
    Ok(pupils.iter().all(|pupil| found.contains(pupil)))
}

fn viewer(scope: &Scope) -> Result<PrincipalId, DbError> {
    scope.viewer().ok_or(DbError::OutOfScope)
}

/// Ties two pupils that stand in the scope: what is of the one is of the other from now on, and they are counted as one.
pub async fn tie(db: &Db, scope: &Scope, judge: &Judge<'_>, new: NewTie) -> Result<Tied, DbError> {
    let by = viewer(scope)?;
    let tx = db.begin().await?;
    let Some(both) = locked(db, &tx, &[new.from, new.into]).await? else {
        return Ok(Tied::Unknown);
    };
    let &[from, into] = both.as_slice() else {
        return Ok(Tied::Unknown);
    };
    if !stand(&tx, scope, &both).await? {
        return Ok(Tied::Unknown);
    }
    if from == into {
        return Ok(match latest(&tx, into).await? {
            Some(made) => Tied::Changed(made.version),
            None => Tied::State,
        });
    }
    let moved = Moved {
        records: ids(
            &tx,
            "select id from record where pupil_id = ? order by id",
            vec![from.into()],
        )
        .await?,
        pupils: ids(
            &tx,
            "select id from pupil where merged_into = ? order by id",
            vec![from.into()],
        )
        .await?,
        signals: ids(
            &tx,
            "select id from signal where pupil_id = ? order by id",
            vec![from.into()],
        )
        .await?,
        competences: ids(
            &tx,
            "select id from competence where pupil_id = ? and ground in (?, ?) order by id",
            vec![from.into(), Ground::HomeEducation.into(), Ground::OwnRequest.into()],
        )
        .await?,
    };
    merge(&tx, judge, from, into, &mut Progress::default()).await?;
    let made = Model {
        id: new.id,
        from_pupil: from,
        into_pupil: into,
        moved: serde_json::json!(moved),
        reason: new.reason,
        merged_by: by,
        merged_at: judge.now,
        undone_reason: None,
        undone_by: None,
        undone_at: None,
        version: 1,
    };
    let made = made.into_active_model().insert(&tx).await?;
    tx.commit().await?;
    Ok(Tied::Done(Box::new(made)))
}

/// Takes two pupils apart that a person tied: what went along then goes back, and each is counted alone.
pub async fn untie(db: &Db, scope: &Scope, judge: &Judge<'_>, undo: Undo) -> Result<Tied, DbError> {
    let by = viewer(scope)?;
    let tx = db.begin().await?;
    let Some(made) = Entity::find_by_id(undo.merge).one(&tx).await? else {
        return Ok(Tied::Unknown);
    };
    let apart = made.from_pupil;
    let Some(now) = locked(db, &tx, &[made.into_pupil, apart]).await? else {
        return Ok(Tied::Unknown);
    };
    let Some(joint) = now.first().copied() else {
        return Ok(Tied::Unknown);
    };
    // As it stands under the lock.
    let Some(made) = Entity::find_by_id(undo.merge).one(&tx).await? else {
        return Ok(Tied::Unknown);
    };
    if !stand(&tx, scope, &[joint]).await? {
        return Ok(Tied::Unknown);
    }
    if made.undone_at.is_some() || made.version != undo.version {
        return Ok(Tied::Changed(made.version));
    }
    // What was tied last is taken apart first: what went along with it is known only then.
    if latest(&tx, joint).await?.is_none_or(|latest| latest.id != made.id) {
        return Ok(Tied::State);
    }
    let moved: Moved = serde_json::from_value(made.moved.clone()).map_err(|_unreadable| DbError::Unreadable {
        column: "pupil_merge.moved",
    })?;
    let records = with_same_number(&tx, joint, &moved.records).await?;
    let text = "select id from record where pupil_id = ? and not (id in ?)";
    let stays: Vec<RecordId> = ids(&tx, text, vec![joint.into(), list(&records)]).await?;
    if stays.is_empty() || records.is_empty() {
        return Ok(Tied::State);
    }
    take_apart(&tx, (joint, apart), &records, &moved).await?;
    settle(&tx, judge, &[apart, joint], &mut Progress::default()).await?;
    let undone = Model {
        undone_reason: Some(undo.reason),
        undone_by: Some(by),
        undone_at: Some(judge.now),
        version: made.version.saturating_add(1),
        ..made
    };
    let values: Vec<Value> = vec![
        undone.undone_reason.clone().into(),
        by.into(),
        judge.now.into(),
        undone.version.into(),
        undone.id.into(),
    ];
    let text = "update pupil_merge set undone_reason = ?, undone_by = ?, undone_at = ?, version = ? where id = ?";
    execute(&tx, text, values).await?;
    tx.commit().await?;
    Ok(Tied::Done(Box::new(undone)))
}

/// Gives back what went along, as far as it is still there.
async fn take_apart(
    tx: &Transaction,
    (joint, apart): (PupilId, PupilId),
    records: &[RecordId],
    moved: &Moved,
) -> Result<(), DbError> {
    let ours = || -> [Value; 2] { [apart.into(), joint.into()] };
    for (table, column) in [
        ("record", "id"),
        ("enrolment", "record_id"),
        ("membership", "record_id"),
        ("carried_in", "record_id"),
        ("absence", "record_id"),
    ] {
        let text = format!("update {table} set pupil_id = ? where pupil_id = ? and {column} in ?");
        let mut values = ours().to_vec();
        values.push(list(records));
        execute(tx, &text, values).await?;
    }
    for (table, column, which) in [
        ("signal", "id", list(&moved.signals)),
        ("outbox", "signal_id", list(&moved.signals)),
        ("competence", "id", list(&moved.competences)),
    ] {
        let text = format!("update {table} set pupil_id = ? where pupil_id = ? and {column} in ?");
        let mut values = ours().to_vec();
        values.push(which);
        execute(tx, &text, values).await?;
    }
    let values: Vec<Value> = vec![apart.into(), joint.into(), list(&moved.pupils)];
    execute(
        tx,
        "update pupil set merged_into = ? where merged_into = ? and id in ?",
        values,
    )
    .await?;
    execute(
        tx,
        "update pupil set merged_into = null where id = ?",
        vec![apart.into()],
    )
    .await?;
    Ok(())
}

/// These records of a pupil, and those of it that are one with them by number.
async fn with_same_number(tx: &Transaction, pupil: PupilId, records: &[RecordId]) -> Result<Vec<RecordId>, DbError> {
    let text = "select r.id from record r where r.pupil_id = ? and (r.id in ? or r.national_index in (
                    select o.national_index from record o where o.pupil_id = ? and o.id in ?
                    and o.national_index is not null))
                order by r.id";
    let values: Vec<Value> = vec![pupil.into(), list(records), pupil.into(), list(records)];
    ids(tx, text, values).await
}

/// The latest tying into a pupil that stands.
async fn latest<C: ConnectionTrait>(db: &C, pupil: PupilId) -> Result<Option<Model>, DbError> {
    let text = "select m.id from pupil_merge m join pupil p on p.id = m.into_pupil
         where m.undone_at is null and coalesce(p.merged_into, p.id) = ? order by m.merged_at desc, m.id desc limit 1";
    let Some(found) = row(db, text, vec![pupil.into()]).await? else {
        return Ok(None);
    };
    let id: MergeId = found.try_get_by_index(0)?;
    Ok(Entity::find_by_id(id).one(db).await?)
}

/// The ids that a statement finds.
async fn ids<T: TryGetable>(tx: &Transaction, text: &str, values: Vec<Value>) -> Result<Vec<T>, DbError> {
    let read = |row: &QueryResult| Ok(row.try_get_by_index(0)?);
    rows(tx, text, values).await?.iter().map(read).collect()
}

/// That a tying is of a pupil that stands in the scope.
fn reached(scope: &Scope) -> (String, Vec<Value>) {
    let related = related(scope, "coalesce(p.merged_into, p.id)");
    let text = format!(
        "from pupil_merge m join pupil p on p.id = m.into_pupil where {}",
        related.text
    );
    (text, related.values)
}

/// A page of what was tied within the scope, the latest first; one more than asked for tells of a next.
pub async fn page(
    db: &Db,
    scope: &Scope,
    after: Option<(DateTime<Utc>, MergeId)>,
    first: u32,
) -> Result<Vec<(Model, PupilId)>, DbError> {
    let (of, mut values) = reached(scope);
    let mut text = format!("select m.id, coalesce(p.merged_into, p.id) {of}");
    if let Some((at, id)) = after {
        text.push_str(" and (m.merged_at < ? or (m.merged_at = ? and m.id > ?))");
        values.extend([at.into(), at.into(), id.into()]);
    }
    text.push_str(" order by m.merged_at desc, m.id limit ?");
    values.push(i64::from(first).saturating_add(1).into());
    let mut which: Vec<(MergeId, PupilId)> = Vec::new();
    for row in rows(db.reader(), &text, values).await? {
        which.push((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
    }
    let made = Entity::find().filter(Column::Id.is_in(which.iter().map(|(id, _)| *id)));
    let mut made: HashMap<MergeId, Model> = made
        .all(db.reader())
        .await?
        .into_iter()
        .map(|made| (made.id, made))
        .collect();
    let found = which.into_iter().filter_map(|(id, now)| Some((made.remove(&id)?, now)));
    Ok(found.collect())
}

/// How many were tied within the scope.
pub async fn count(db: &Db, scope: &Scope) -> Result<i64, DbError> {
    let (of, values) = reached(scope);
    let counted = row(db.reader(), &format!("select count(*) {of}"), values).await?;
    Ok(counted
        .map(|row| row.try_get_by_index(0))
        .transpose()?
        .unwrap_or_default())
}
