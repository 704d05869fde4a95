//! Openings in an emergency (noodtoegang): for minutes by the database's own time, over by themselves, and told to who answers
//! for them (R34).

use chrono::{DateTime, TimeDelta, Utc};
use hub_entities::dossier::emergency::Ground;
use hub_entities::id::{ClbId, DecisionId, EmergencyId, Ids, PrincipalId, PupilId};
use hub_entities::policy::secret::{Class, Field, Grant, Part, Reader, Step};
use sea_orm::{QueryResult, Value};

use super::line::{self, Line};
use super::opening::text_in;
use super::writing::Stepping;
use super::{Secrets, key};
use crate::keys::{self, Place};
use crate::store::DbError;
use crate::store::sql::{execute, row, rows};
use crate::store::transaction::Transaction;

/// What is opened, and why.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct New<'a> {
    /// What was granted.
    pub classes: &'a [Class],
    /// On what ground.
    pub ground: Ground,
    /// In the words of the worker.
    pub reason: &'a str,
    /// For how many minutes.
    pub minutes: u16,
}

/// An opening, as who answers for it is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Emergency {
    /// Its id.
    pub id: EmergencyId,
    /// Of whom.
    pub pupil: PupilId,
    /// By whom.
    pub by: PrincipalId,
    /// On what ground.
    pub ground: Ground,
    /// In the words of the worker.
    pub reason: String,
    /// From when.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// Its line in the access log.
    pub line: DecisionId,
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
secret!(New<'_>, Emergency);

const fn place(clb: ClbId, dossier: PupilId, id: EmergencyId) -> Place {
    Place {
        clb,
        dossier,
        table: "emergency",
        column: "reason",
        row: id.0,
    }
}

/// The classes in a column, each by its name.
pub(super) fn classes(row: &QueryResult, at: usize) -> Result<Vec<Class>, DbError> {
    let text: String = row.try_get_by_index(at)?;
    let all: Result<Vec<Class>, _> = text.split(' ').map(str::parse).collect();
    all.map_err(|_unknown| DbError::Unreadable {
        column: "emergency.classes",
    })
}

async fn present(secrets: &Secrets, tx: &Transaction) -> Result<DateTime<Utc>, DbError> {
    let text = format!("select {}", secrets.apart.dialect.now());
    let found = row(tx, &text, Vec::new()).await?;
    let now = found.map(|row| row.try_get_by_index(0)).transpose()?;
    now.ok_or(DbError::Unreadable {
        column: "the database's present",
    })
}

/// Opens a dossier to the worker of the grant, for minutes from now on; until when. While it is open, asking again changes
/// nothing: it is not prolonged.
pub async fn open(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    new: New<'_>,
) -> Result<(EmergencyId, DateTime<Utc>), DbError> {
    let tx = by.begin(secrets, Step::OpenInUrgency).await?;
    let (pupil, who) = (by.grant.pupil(), by.grant.viewer());
    let data_key = key::make(&tx, &*secrets.vault, ids, by.clb, pupil).await?;
    // Of two at once, the second finds what the first has opened.
    let lock = secrets.apart.dialect.for_no_key_update();
    let text = format!("select id from dossier_key where clb_id = ? and pupil_id = ? {lock}");
    row(&tx, &text, vec![by.clb.into(), pupil.into()]).await?;
    let now = present(secrets, &tx).await?;
    let text = "select classes, id, until_at from emergency
         where clb_id = ? and pupil_id = ? and principal_id = ? and until_at > ? order by until_at desc, id";
    let values: Vec<Value> = vec![by.clb.into(), pupil.into(), who.into(), now.into()];
    for standing in rows(&tx, text, values).await? {
        let open = classes(&standing, 0)?;
        if new.classes.iter().all(|class| open.contains(class)) {
            tx.commit().await?;
            return Ok((standing.try_get_by_index(1)?, standing.try_get_by_index(2)?));
        }
    }
    let id = EmergencyId(ids.blind());
    let length = TimeDelta::minutes(new.minutes.into());
    let until = now.checked_add_signed(length).unwrap_or(now);
    let names: Vec<&str> = new.classes.iter().map(|class| class.name()).collect();
    let values: Vec<Value> = vec![
        id.into(),
        by.clb.into(),
        pupil.into(),
        who.into(),
        names.join(" ").into(),
        new.ground.into(),
        keys::seal_afresh(&data_key, &place(by.clb, pupil, id), new.reason.as_bytes())?.into(),
        now.into(),
        until.into(),
        by.line.id.into(),
    ];
    execute(
        &tx,
        "insert into emergency (id, clb_id, pupil_id, principal_id, classes, ground, reason, from_at, until_at, decision_id)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    )
    .await?;
    tx.commit().await?;
    Ok((id, until))
}

/// Which openings: behind this one, where the latest come first; at most so many and one more; counted or not.
pub type Which = (Option<(DateTime<Utc>, EmergencyId)>, u32, bool);

/// Writes the line, and tells what was opened at the CLB in emergencies, the latest first, with how many there are if that
/// was asked. Without a grant nothing is read.
pub async fn told(
    secrets: &Secrets,
    clb: ClbId,
    grant: Option<&Grant>,
    line: &Line,
    (after, first, count): Which,
) -> Result<(Vec<Emergency>, Option<i64>), DbError> {
    let field = Field::new(Class::Audit, Part::Emergencies);
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
        let counted = row(&tx, "select count(*) from emergency where clb_id = ?", vec![clb.into()]).await?;
        total = counted.map(|row| row.try_get_by_index(0)).transpose()?;
    }
    let (mut behind, mut values) = ("", vec![Value::from(clb)]);
    if let Some((at, id)) = after {
        behind = "and (from_at, id) < (?, ?)";
        values.extend([Value::from(at), id.into()]);
    }
    values.push(i64::from(first).saturating_add(1).into());
    let text = format!(
        "select id, pupil_id, principal_id, ground, from_at, until_at, decision_id, reason from emergency
         where clb_id = ? {behind} order by from_at desc, id desc limit ?"
    );
    let found = rows(&tx, &text, values).await?;
    let pupils: Result<Vec<PupilId>, _> = found.iter().map(|row| row.try_get_by_index(1)).collect();
    let wrapped = key::of_pupils(&tx, clb, pupils?).await?;
    tx.commit().await?;
    let data_keys = key::unwrapped(&*secrets.vault, &wrapped).await?;
    let mut all = Vec::with_capacity(found.len());
    for row in found {
        let (id, pupil): (EmergencyId, PupilId) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let envelope: Vec<u8> = row.try_get_by_index(7)?;
        let data_key = data_keys.get(&pupil).ok_or(DbError::Unreadable {
            column: "dossier_key.id",
        })?;
        all.push(Emergency {
            id,
            pupil,
            by: row.try_get_by_index(2)?,
            ground: row.try_get_by_index(3)?,
            from: row.try_get_by_index(4)?,
            until: row.try_get_by_index(5)?,
            line: row.try_get_by_index(6)?,
            reason: text_in(data_key, &place(clb, pupil, id), &envelope)?,
        });
    }
    Ok((all, total))
}
