//! Legal holds (bewaringsplicht): put and lifted by the director of the CLB that keeps the dossier, each with its line. One that is
//! lifted stays, with who lifted it and why, until the dossier itself goes.

use chrono::{DateTime, Utc};
use hub_entities::dossier::hold::HoldGround;
use hub_entities::id::{ClbId, HoldId, Ids, PrincipalId, PupilId};
use hub_entities::policy::secret::{Class, Field, Grant, Part, Reader, Step, TieRows, Ties};
use sea_orm::{QueryResult, Value};

use super::line::{self, Line};
use super::opening::text_in;
use super::writing::{Changed, Stepping};
use super::{NOBODY, Secrets, key};
use crate::keys::{self, DataKey, Place};
use crate::store::DbError;
use crate::store::sql::{execute, row, rows};

/// A hold that is to be put.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct New<'a> {
    /// On what ground.
    pub ground: HoldGround,
    /// In the words of the director.
    pub reason: &'a str,
}

/// A hold, as who answers for it is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// On whose dossier.
    pub pupil: PupilId,
    /// On what ground.
    pub ground: HoldGround,
    /// In the words of the director who put it.
    pub reason: String,
    /// Who put it.
    pub put_by: PrincipalId,
    /// When.
    pub put_at: DateTime<Utc>,
    /// Who lifted it, when, and why.
    pub lifted: Option<(PrincipalId, DateTime<Utc>, String)>,
    /// Rises with every change.
    pub version: i32,
}

macro_rules! secret {
    ($($name:ty),*) => {
        $(impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                // A secret is written into no log.
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        })*
    };
}
secret!(New<'_>, Hold);

/// What came of putting a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It stands.
    Done(HoldId),
    /// The key of the dossier is destroyed already, and the rest of the erasure is to come: it comes too late.
    NotNow,
    /// There is no such dossier.
    Unknown,
}

const fn place(clb: ClbId, dossier: PupilId, id: HoldId, column: &'static str) -> Place {
    Place {
        clb,
        dossier,
        table: "legal_hold",
        column,
        row: id.0,
    }
}

/// What ties a CLB to a dossier that may be held back: that it keeps one. Of a pupil of whom it keeps none, of another CLB's and
/// of nobody there is nothing alike, and what schools asked for themselves is no dossier.
pub async fn ties(secrets: &Secrets, clb: ClbId, pupil: PupilId) -> Result<Ties, DbError> {
    let tx = secrets.apart.within(&[clb]).await?;
    let text = "select id from dossier_key where clb_id = ? and pupil_id = ?";
    let kept = row(&tx, text, vec![clb.into(), pupil.into()]).await?;
    tx.commit().await?;
    let mut ties = TieRows::none();
    ties.controls = kept.is_some() && pupil != NOBODY;
    Ok(Ties::of_rows(pupil, ties))
}

/// On whose dossier a hold of this CLB is.
pub async fn pupil_of(secrets: &Secrets, clb: ClbId, id: HoldId) -> Result<Option<PupilId>, DbError> {
    let tx = secrets.apart.within(&[clb]).await?;
    let text = "select pupil_id from legal_hold where clb_id = ? and id = ?";
    let found = row(&tx, text, vec![clb.into(), id.into()]).await?;
    tx.commit().await?;
    Ok(found.map(|row| row.try_get_by_index(0)).transpose()?)
}

/// Puts a hold on the dossier of the grant. Several may stand on one, each for its own case.
pub async fn put(secrets: &Secrets, ids: &dyn Ids, by: Stepping<'_>, new: New<'_>) -> Result<Put, DbError> {
    let tx = by.begin(secrets, Step::PutHold).await?;
    let pupil = by.grant.pupil();
    // Not made where there is none: nothing begins by being held.
    let Some((owner, wrapped)) = key::of_pupils(&tx, by.clb, [pupil]).await?.into_iter().next() else {
        tx.commit().await?;
        return Ok(Put::Unknown);
    };
    // The dossier is kept by this transaction, so an erasure is either not begun or was cut off behind its destroyed key.
    if secrets.vault.destroyed(owner.key).await? {
        tx.commit().await?;
        return Ok(Put::NotNow);
    }
    let id = HoldId(ids.blind());
    let data_key = secrets.vault.unwrap(&wrapped, &owner).await?;
    let values: Vec<Value> = vec![
        id.into(),
        by.clb.into(),
        pupil.into(),
        new.ground.into(),
        keys::seal_afresh(&data_key, &place(by.clb, pupil, id, "reason"), new.reason.as_bytes())?.into(),
        by.grant.viewer().into(),
        by.line.at.into(),
    ];
    execute(
        &tx,
        "insert into legal_hold (id, clb_id, pupil_id, ground, reason, put_by, put_at, version) values (?, ?, ?, ?, ?, ?, ?, 1)",
        values,
    )
    .await?;
    tx.commit().await?;
    Ok(Put::Done(id))
}

/// Lifts a hold of this version, for this reason.
pub async fn lift(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    (id, read): (HoldId, i32),
    why: &str,
) -> Result<Changed, DbError> {
    let tx = by.begin(secrets, Step::LiftHold).await?;
    let pupil = by.grant.pupil();
    let lock = secrets.apart.dialect.for_update();
    let text = format!("select version, lifted_at from legal_hold where clb_id = ? and pupil_id = ? and id = ? {lock}");
    let found = row(&tx, &text, vec![by.clb.into(), pupil.into(), id.into()]).await?;
    let standing: Option<(i32, Option<DateTime<Utc>>)> = found
        .map(|row| Ok::<_, DbError>((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
        .transpose()?;
    let changed = match standing {
        None => Changed::Unknown,
        Some((version, _)) if version != read => Changed::Stale(version),
        Some((_, Some(_))) => Changed::NotNow,
        Some((version, None)) => {
            let next = version.saturating_add(1);
            let data_key = key::make(&tx, &*secrets.vault, ids, by.clb, pupil).await?;
            let why = keys::seal_afresh(&data_key, &place(by.clb, pupil, id, "lifted_why"), why.as_bytes())?;
            let values: Vec<Value> = vec![
                by.grant.viewer().into(),
                by.line.at.into(),
                why.into(),
                next.into(),
                by.clb.into(),
                id.into(),
            ];
            let text = "update legal_hold set lifted_by = ?, lifted_at = ?, lifted_why = ?, version = ?
                 where clb_id = ? and id = ?";
            execute(&tx, text, values).await?;
            Changed::Done(next)
        }
    };
    tx.commit().await?;
    Ok(changed)
}

/// Which holds: behind this one, where the latest come first; at most so many and one more; counted or not.
pub type Which = (Option<(DateTime<Utc>, HoldId)>, u32, bool);

/// Writes the line, and tells the holds of the CLB, those that were lifted too, the latest first, with how many there are if that
/// was asked. Without a grant nothing is read.
pub async fn told(
    secrets: &Secrets,
    clb: ClbId,
    grant: Option<&Grant>,
    line: &Line,
    (after, first, count): Which,
) -> Result<(Vec<Hold>, Option<i64>), DbError> {
    let field = Field::new(Class::Audit, Part::Holds);
    if grant.is_some_and(|grant| grant.field() != field || grant.reader() != Reader::Responsible) {
        return Err(DbError::OutOfScope);
    }
    let tx = secrets.apart.within(&[clb]).await?;
    line::write(&tx, std::slice::from_ref(line)).await?;
    if grant.is_none() {
        tx.commit().await?;
        return Ok((Vec::new(), None));
    }
    let mut total = None;
    if count {
        let text = "select count(*) from legal_hold where clb_id = ?";
        let counted = row(&tx, text, vec![clb.into()]).await?;
        total = counted.map(|row| row.try_get_by_index(0)).transpose()?;
    }
    let (mut behind, mut values) = ("", vec![Value::from(clb)]);
    if let Some((at, id)) = after {
        behind = "and (put_at, id) < (?, ?)";
        values.extend([Value::from(at), id.into()]);
    }
    values.push(i64::from(first).saturating_add(1).into());
    let text = format!(
        "select id, pupil_id, ground, reason, put_by, put_at, lifted_by, lifted_at, lifted_why, version from legal_hold
         where clb_id = ? {behind} order by put_at desc, id desc limit ?"
    );
    let found = rows(&tx, &text, values).await?;
    let pupils: Result<Vec<PupilId>, _> = found.iter().map(|row| row.try_get_by_index(1)).collect();
    let wrapped = key::of_pupils(&tx, clb, pupils?).await?;
    tx.commit().await?;
    let data_keys = key::unwrapped(&*secrets.vault, &wrapped).await?;
    let mut all = Vec::with_capacity(found.len());
    for row in found {
        let pupil: PupilId = row.try_get_by_index(1)?;
        let data_key = data_keys.get(&pupil).ok_or(DbError::Unreadable {
            column: "dossier_key.id",
        })?;
        all.push(hold(clb, pupil, data_key, &row)?);
    }
    Ok((all, total))
}

fn hold(clb: ClbId, pupil: PupilId, data_key: &DataKey, row: &QueryResult) -> Result<Hold, DbError> {
    let id: HoldId = row.try_get_by_index(0)?;
    let text = |column, envelope: Vec<u8>| text_in(data_key, &place(clb, pupil, id, column), &envelope);
    let (by, at): (Option<PrincipalId>, Option<DateTime<Utc>>) = (row.try_get_by_index(6)?, row.try_get_by_index(7)?);
    let why: Option<Vec<u8>> = row.try_get_by_index(8)?;
    let lifted = match (by, at, why) {
        (Some(by), Some(at), Some(why)) => Some((by, at, text("lifted_why", why)?)),
        _ => None,
    };
    Ok(Hold {
        id,
        pupil,
        ground: row.try_get_by_index(2)?,
        reason: text("reason", row.try_get_by_index(3)?)?,
        put_by: row.try_get_by_index(4)?,
        put_at: row.try_get_by_index(5)?,
        lifted,
        version: row.try_get_by_index(9)?,
    })
}
