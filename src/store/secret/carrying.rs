//! Carrying a transfer out: what goes leaves the old CLB and is the new one's, in one transaction that names both.
//!
//! Rows keep their ids and change their CLB: cut off anywhere, nothing has gone, and what has gone cannot go again. What is
//! sealed is opened with the key of the old CLB's dossier, and sealed anew, in its new place, with that of the new one's.

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::dossier::access::DossierRequestState;
use hub_entities::dossier::consent::Giver;
use hub_entities::dossier::release::Over;
use hub_entities::dossier::trajectory::Obligation;
use hub_entities::dossier::transfer::Custody;
use hub_entities::id::{ClbId, Ids, PupilId, ReleaseId, TrajectoryId, TransferId};
use hub_entities::law::transfer::TransferLaw;
use hub_entities::policy::Scope;
use sea_orm::Value;
use uuid::Uuid;

use super::transfer::{KEY_GONE, line, may, place};
use super::{Secrets, keeping, key, release};
use crate::keys::{self, DataKey, Place};
use crate::store::DbError;
use crate::store::sql::{execute, list, row, rows};
use crate::store::transaction::Transaction;

/// Where the rows of a trajectory are found in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    /// It names the trajectory.
    Trajectory,
    /// It names, in this column, a row of this table, which does.
    Through(&'static str, &'static str),
    /// It is of the dossier as a whole, and goes with nothing less.
    Dossier,
}

/// A table of which rows go, with what is sealed in it; each such row has an `id`.
#[derive(Debug, Clone, Copy)]
struct Table {
    name: &'static str,
    of: Of,
    sealed: &'static [&'static str],
}

const fn table(name: &'static str, of: Of, sealed: &'static [&'static str]) -> Table {
    Table { name, of, sealed }
}

/// What goes: what was written, said, referred and released in guidance, with what persons ask of it. What a school asked goes
/// with the guidance that it became; what waits, and what persons ask of the dossier, with the whole.
const GOES: [Table; 12] = [
    table("entry_text", Of::Through("entry_id", "entry"), &["text"]),
    table("consent_said", Of::Through("consent_id", "consent"), &["note"]),
    table(
        "referral_said",
        Of::Through("referral_id", "referral"),
        &["partner", "reason", "outcome"],
    ),
    table("correction_request", Of::Trajectory, &["text", "answer"]),
    table("school_release", Of::Trajectory, &["title", "advice", "purpose"]),
    table("capability", Of::Trajectory, &["reason"]),
    table("guidance_request", Of::Trajectory, &["text", "reason"]),
    // Whoever guides the pupil now says when the danger is over: until then no log of either CLB is told to parents.
    table("log_hold", Of::Trajectory, &["reason"]),
    table("dossier_request", Of::Dossier, &["reason", "answer"]),
    table("entry", Of::Trajectory, &[]),
    table("consent", Of::Trajectory, &[]),
    table("referral", Of::Trajectory, &[]),
];

/// What is over with the old CLB's guidance, and goes nowhere: what colleagues there asked and were lent, and what was opened
/// to persons; the new CLB opens it anew, after a talk of its own. That it was so stands in the access log, which stays.
const OVER: [(&str, Of); 3] = [
    ("access_lent", Of::Trajectory),
    ("dossier_access", Of::Trajectory),
    ("access_request", Of::Dossier),
];

/// What stays with the old CLB, sealed with the key that stays for it: what its workers opened in emergencies, for which it
/// answers, legal holds that were lifted, how far its own log was reviewed, and the transfer itself.
const STAYS: [&str; 4] = ["emergency", "legal_hold", "log_review", "transfer"];

/// The columns that hold something sealed with the key of a dossier: those that go, and the tables of the others.
pub fn sealed() -> (Vec<(&'static str, &'static str)>, Vec<&'static str>) {
    let goes = GOES.iter();
    let goes = goes.flat_map(|of| of.sealed.iter().map(move |column| (of.name, *column)));
    (goes.collect(), [STAYS.as_slice(), &["access_request"]].concat())
}

/// A transfer whose day has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Which.
    pub id: TransferId,
    /// Whose dossier.
    pub pupil: PupilId,
    /// From which CLB.
    pub from: ClbId,
    /// To which one.
    pub to: ClbId,
}

/// Carries a transfer out, on this day, by this law: whole, or after an objection what is obligatory of it. Nothing where it
/// is not announced any more, or not so, or its day has not come.
pub async fn carry_out(
    secrets: &Secrets,
    scope: &Scope,
    ids: &dyn Ids,
    due: Due,
    (law, day, now): (&TransferLaw, NaiveDate, DateTime<Utc>),
) -> Result<Option<Custody>, DbError> {
    may(scope)?;
    // The one transaction in which rows of two CLBs are within reach: these two and no other.
    let tx = secrets.apart.within(&[due.from, due.to]).await?;
    // Whoever writes in the dossier, or holds it back, came first or comes when it has gone.
    let is_held = keeping::is_held_under_lock(secrets.apart(), &tx, (due.from, due.pupil)).await?;
    let Some(announced) = announced(secrets, &tx, due, day).await?.filter(|_| !is_held) else {
        tx.commit().await?;
        return Ok(None);
    };
    let goes = going(secrets, &tx, due, |obligation, lapsed| {
        announced.objected.is_none() || law.goes_anyway(obligation, lapsed, day)
    })
    .await?;
    let carrying = Carrying {
        tx: &tx,
        due,
        goes,
        whole: announced.objected.is_none(),
        old_key: data_key(secrets, &tx, due).await?,
        new_key: key::make(&tx, &*secrets.vault, ids, due.to, due.pupil).await?,
    };
    carrying.end_what_is_over((day, now)).await?;
    for table in GOES {
        carrying.bring(table).await?;
    }
    carrying.trajectories().await?;
    let custody = if carrying.whole {
        Custody::Transferred
    } else {
        Custody::Partly
    };
    carrying.told(ids, &announced, (custody, now)).await?;
    let ground = if carrying.whole { "whole" } else { "obligatory-part" };
    let lines = [
        line(ids, (due.from, due.pupil), "transfer_goes", ground, now),
        line(ids, (due.to, due.pupil), "transfer_arrives", ground, now),
    ];
    super::line::write(&tx, &lines).await?;
    tx.commit().await?;
    Ok(Some(custody))
}

/// A transfer as it was announced, locked until the transaction ends.
struct Underway {
    enrolled_on: NaiveDate,
    announced_at: DateTime<Utc>,
    objection_until: NaiveDate,
    goes_on: NaiveDate,
    objected: Option<Giver>,
    objected_on: Option<NaiveDate>,
    objection: Option<Vec<u8>>,
}

async fn announced(secrets: &Secrets, tx: &Transaction, due: Due, day: NaiveDate) -> Result<Option<Underway>, DbError> {
    let lock = secrets.apart.dialect.for_update();
    let text = format!(
        "select enrolled_on, announced_at, objection_until, goes_on, objected_by, objected_on, objection from transfer
         where clb_id = ? and id = ? and pupil_id = ? and other_clb_id = ? and custody = ? and not arrives and goes_on <= ? {lock}"
    );
    let values: Vec<Value> = vec![
        due.from.into(),
        due.id.into(),
        due.pupil.into(),
        due.to.into(),
        Custody::Announced.into(),
        day.into(),
    ];
    let Some(found) = row(tx, &text, values).await? else {
        return Ok(None);
    };
    Ok(Some(Underway {
        enrolled_on: found.try_get_by_index(0)?,
        announced_at: found.try_get_by_index(1)?,
        objection_until: found.try_get_by_index(2)?,
        goes_on: found.try_get_by_index(3)?,
        objected: found.try_get_by_index(4)?,
        objected_on: found.try_get_by_index(5)?,
        objection: found.try_get_by_index(6)?,
    }))
}

/// The trajectories that go, locked until the transaction ends.
async fn going(
    secrets: &Secrets,
    tx: &Transaction,
    due: Due,
    goes: impl Fn(Option<Obligation>, bool) -> bool,
) -> Result<Vec<TrajectoryId>, DbError> {
    let lock = secrets.apart.dialect.for_update();
    let text = format!(
        "select id, obligation, lapsed_at from trajectory where clb_id = ? and pupil_id = ? order by id {lock}"
    );
    let mut all = Vec::new();
    for row in rows(tx, &text, vec![due.from.into(), due.pupil.into()]).await? {
        let lapsed_at: Option<DateTime<Utc>> = row.try_get_by_index(2)?;
        if goes(row.try_get_by_index(1)?, lapsed_at.is_some()) {
            all.push(row.try_get_by_index(0)?);
        }
    }
    Ok(all)
}

/// The key of the old CLB's dossier.
async fn data_key(secrets: &Secrets, tx: &Transaction, due: Due) -> Result<DataKey, DbError> {
    let wrapped = key::of_pupils(tx, due.from, [due.pupil]).await?;
    let mut keys = key::unwrapped(&*secrets.vault, &wrapped).await?;
    keys.remove(&due.pupil).ok_or(KEY_GONE)
}

/// A transfer that is being carried out.
struct Carrying<'a> {
    tx: &'a Transaction,
    due: Due,
    goes: Vec<TrajectoryId>,
    whole: bool,
    old_key: DataKey,
    new_key: DataKey,
}

impl Carrying<'_> {
    /// The rows of a table that go, as a condition, behind that of the CLB; nothing where none does.
    fn condition(&self, of: Of) -> Option<(String, Vec<Value>)> {
        let trajectories = || list(&self.goes);
        match of {
            Of::Trajectory => Some(("trajectory_id in ?".to_owned(), vec![trajectories()])),
            Of::Through(column, table) => Some((
                format!("{column} in (select up.id from {table} up where up.trajectory_id in ?)"),
                vec![trajectories()],
            )),
            Of::Dossier => self
                .whole
                .then(|| ("pupil_id = ?".to_owned(), vec![self.due.pupil.into()])),
        }
    }

    /// What the old CLB's guidance ends with: places in its teams, what was lent and opened, and what its schools were shown.
    async fn end_what_is_over(&self, (day, now): (NaiveDate, DateTime<Utc>)) -> Result<(), DbError> {
        for (table, of) in OVER {
            if let Some((condition, values)) = self.condition(of) {
                let text = format!("delete from {table} where clb_id = ? and {condition}");
                execute(self.tx, &text, [vec![self.due.from.into()], values].concat()).await?;
            }
        }
        let text =
            "select id from school_release where clb_id = ? and over_for is null and trajectory_id in ? order by id";
        for row in rows(self.tx, text, vec![self.due.from.into(), list(&self.goes)]).await? {
            let release: ReleaseId = row.try_get_by_index(0)?;
            release::is_over(self.tx, (self.due.from, None, now), release, Over::Left).await?;
        }
        // Who was in the team is kept; the new CLB's director assigns its own.
        let text = "update team_member set clb_id = ?,
             ends_on = case when ends_on is not null and ends_on < ? then ends_on when begins_on > ? then begins_on else ? end
             where clb_id = ? and trajectory_id in ?";
        let values: Vec<Value> = vec![
            self.due.to.into(),
            day.into(),
            day.into(),
            day.into(),
            self.due.from.into(),
            list(&self.goes),
        ];
        execute(self.tx, text, values).await?;
        if self.whole {
            // Of one person one request waits at a CLB: the one that waits there already asks the same.
            let text = "delete from dossier_request where clb_id = ? and pupil_id = ? and state = ? and requested_by in
                 (select o.requested_by from dossier_request o where o.clb_id = ? and o.pupil_id = ? and o.state = ?)";
            let waiting = DossierRequestState::Waiting;
            let values: Vec<Value> = vec![
                self.due.from.into(),
                self.due.pupil.into(),
                waiting.into(),
                self.due.to.into(),
                self.due.pupil.into(),
                waiting.into(),
            ];
            execute(self.tx, text, values).await?;
        }
        Ok(())
    }

    /// Brings the rows of a table that go, each sealed anew.
    async fn bring(&self, table: Table) -> Result<(), DbError> {
        let Table { name, of, sealed } = table;
        let whole = self.whole && name == "guidance_request";
        let Some((condition, values)) = self.condition(if whole { Of::Dossier } else { of }) else {
            return Ok(());
        };
        let of_old = || [vec![self.due.from.into()], values.clone()].concat();
        if !sealed.is_empty() {
            let columns = sealed.join(", ");
            let text = format!("select id, {columns} from {name} where clb_id = ? and {condition} order by id");
            let set: Vec<String> = sealed.iter().map(|column| format!("{column} = ?")).collect();
            let update = format!("update {name} set {} where clb_id = ? and id = ?", set.join(", "));
            for row in rows(self.tx, &text, of_old()).await? {
                let id: Uuid = row.try_get_by_index(0)?;
                let mut anew: Vec<Value> = Vec::new();
                for (at, column) in sealed.iter().enumerate() {
                    let envelope: Option<Vec<u8>> = row.try_get_by_index(at.saturating_add(1))?;
                    let envelope = envelope.map(|envelope| self.seal_anew((name, *column, id), &envelope));
                    anew.push(envelope.transpose()?.into());
                }
                execute(self.tx, &update, [anew, vec![self.due.from.into(), id.into()]].concat()).await?;
            }
        }
        // What software called its request is a name between it and the old CLB.
        let also = if name == "guidance_request" {
            ", asked_key = null"
        } else {
            ""
        };
        let text = format!("update {name} set clb_id = ?{also} where clb_id = ? and {condition}");
        execute(self.tx, &text, [vec![self.due.to.into()], of_old()].concat()).await?;
        Ok(())
    }

    /// The same value, sealed for its place at the new CLB.
    fn seal_anew(
        &self,
        (table, column, row): (&'static str, &'static str, Uuid),
        envelope: &[u8],
    ) -> Result<Vec<u8>, DbError> {
        let at = |clb| Place {
            clb,
            dossier: self.due.pupil,
            table,
            column,
            row,
        };
        let value = keys::open(&self.old_key, &at(self.due.from), envelope)?;
        Ok(keys::seal_afresh(&self.new_key, &at(self.due.to), &value)?)
    }

    /// The trajectories themselves, each with the CLB that it came from.
    async fn trajectories(&self) -> Result<(), DbError> {
        let Due { from, to, .. } = self.due;
        // A signal begins one at a CLB: what it began at the new one goes on there as that.
        let text = "update trajectory set signal_id = null where clb_id = ? and id in ? and signal_id in
             (select o.signal_id from trajectory o where o.clb_id = ? and o.signal_id is not null)";
        execute(self.tx, text, vec![from.into(), list(&self.goes), to.into()]).await?;
        let text =
            "update trajectory set clb_id = ?, from_clb_id = ?, version = version + 1 where clb_id = ? and id in ?";
        execute(
            self.tx,
            text,
            vec![to.into(), from.into(), from.into(), list(&self.goes)],
        )
        .await?;
        Ok(())
    }

    /// Both CLBs know of it: the old one that it went, the new one what came, with a copy of the objection.
    async fn told(
        &self,
        ids: &dyn Ids,
        announced: &Underway,
        (custody, now): (Custody, DateTime<Utc>),
    ) -> Result<(), DbError> {
        let Due { id, pupil, from, to } = self.due;
        let text = "update transfer set custody = ?, over_at = ?, waits = null, version = version + 1
             where clb_id = ? and id = ?";
        execute(self.tx, text, vec![custody.into(), now.into(), from.into(), id.into()]).await?;
        let there = TransferId(ids.blind());
        let copy = match &announced.objection {
            None => None,
            Some(envelope) => {
                let value = keys::open(&self.old_key, &place(from, pupil, id), envelope)?;
                Some(keys::seal_afresh(&self.new_key, &place(to, pupil, there), &value)?)
            }
        };
        let values: Vec<Value> = vec![
            there.into(),
            to.into(),
            pupil.into(),
            from.into(),
            true.into(),
            custody.into(),
            announced.enrolled_on.into(),
            announced.announced_at.into(),
            announced.objection_until.into(),
            announced.goes_on.into(),
            announced.objected.into(),
            announced.objected_on.into(),
            copy.into(),
            now.into(),
        ];
        let text =
            "insert into transfer (id, clb_id, pupil_id, other_clb_id, arrives, custody, enrolled_on, announced_at,
                 objection_until, goes_on, objected_by, objected_on, objection, over_at, version)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)";
        execute(self.tx, text, values).await?;
        Ok(())
    }
}
