//! Writing in a dossier: each step with its line, in one transaction. What was written stays.

use chrono::NaiveDate;
use hub_entities::dossier::Domain;
use hub_entities::dossier::entry::{About, ClosedGrounds};
use hub_entities::dossier::trajectory::{AskedBy, Obligation, Phase, TrajectoryState};
use hub_entities::id::{ClbId, EntryId, Ids, PrincipalId, PupilId, TrajectoryId};
use hub_entities::operation::Role;
use hub_entities::policy::secret::{Asked, Class, Grant, Step};
use hub_entities::time::Period;
use sea_orm::Value;

use super::consent::{self, MayGoOn};
use super::line::{self, Line};
use super::{Secrets, key};
use crate::keys::{self, Place};
use crate::store::DbError;
use crate::store::sql::{execute, row};
use crate::store::transaction::Transaction;

/// What stands in an entry.
#[derive(Clone, PartialEq, Eq)]
pub struct Written {
    /// What closes it to the person.
    pub closed: ClosedGrounds,
    /// Whom it is about.
    pub about: About,
    /// The text.
    pub text: String,
}

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A secret is written into no log.
        f.write_str("Written(…)")
    }
}

/// What a step rests on, and what tells of it.
#[derive(Debug, Clone, Copy)]
pub struct Stepping<'a> {
    /// The right to it.
    pub grant: &'a Grant,
    /// For which CLB.
    pub clb: ClbId,
    /// Its line.
    pub line: &'a Line,
}

/// What came of a change of something that has a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It is done; the version now.
    Done(i32),
    /// It has this version by now.
    Stale(i32),
    /// It is not in a state that allows it.
    NotNow,
    /// There is no such thing within the grant, or not in a state that allows it.
    Unknown,
}

impl Stepping<'_> {
    /// Begins: the line first, and the dossier is kept until it is done. Refuses a grant for another step.
    pub(super) async fn begin(&self, secrets: &Secrets, step: Step) -> Result<Transaction, DbError> {
        match self.grant.asked() {
            Asked::Do(granted, _) if granted == step => {}
            Asked::Do(..) | Asked::Read(_) => return Err(DbError::OutOfScope),
        }
        let tx = secrets.apart.within(&[self.clb]).await?;
        key::keep(&secrets.apart, &tx, (self.clb, self.grant.pupil())).await?;
        line::write(&tx, std::slice::from_ref(self.line)).await?;
        Ok(tx)
    }

    /// Whether the grant reaches this trajectory.
    pub(super) fn reaches(&self, trajectory: TrajectoryId) -> bool {
        self.grant.reaches(trajectory)
    }
}

/// Something in a trajectory of which no version is lost, by its table and its id.
pub(super) type Versioned = (&'static str, uuid::Uuid);

/// The trajectory of such a thing, locked until the transaction ends, if the grant reaches it and it has the version that
/// was read.
pub(super) async fn locked(
    secrets: &Secrets,
    tx: &Transaction,
    by: &Stepping<'_>,
    (table, id): Versioned,
    read: i32,
) -> Result<Result<TrajectoryId, Changed>, DbError> {
    let lock = secrets.apart.dialect.for_update();
    let text =
        format!("select version, trajectory_id from {table} where clb_id = ? and pupil_id = ? and id = ? {lock}");
    let values: Vec<Value> = vec![by.clb.into(), by.grant.pupil().into(), id.into()];
    let Some(found) = row(tx, &text, values).await? else {
        return Ok(Err(Changed::Unknown));
    };
    let (version, trajectory): (i32, TrajectoryId) = (found.try_get_by_index(0)?, found.try_get_by_index(1)?);
    if consent::within(tx, by, trajectory, false).await?.is_none() {
        return Ok(Err(Changed::Unknown));
    }
    Ok(if version == read {
        Ok(trajectory)
    } else {
        Err(Changed::Stale(version))
    })
}

/// It has its next version.
pub(super) async fn raised(
    tx: &Transaction,
    by: &Stepping<'_>,
    (table, id): Versioned,
    read: i32,
) -> Result<Changed, DbError> {
    let next = read.saturating_add(1);
    let text = format!("update {table} set version = ? where clb_id = ? and id = ?");
    execute(tx, &text, vec![next.into(), by.clb.into(), id.into()]).await?;
    Ok(Changed::Done(next))
}

/// A trajectory that is to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewTrajectory {
    /// In which domain.
    pub domain: Domain,
    /// Where it begins in the continuum of care.
    pub phase: Phase,
    /// Who asked for it.
    pub asked_by: AskedBy,
    /// Why it cannot be refused, where it cannot.
    pub obligation: Option<Obligation>,
}

/// Begins a trajectory, with the worker who takes it in as the first of its team; the dossier begins with the first.
pub async fn open_trajectory(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    new: NewTrajectory,
    day: NaiveDate,
) -> Result<TrajectoryId, DbError> {
    if by.grant.asked().class() != Class::of(new.domain) {
        return Err(DbError::OutOfScope);
    }
    let tx = by.begin(secrets, Step::OpenTrajectory).await?;
    let id = begin_trajectory(&tx, secrets, ids, &by, new, day).await?;
    tx.commit().await?;
    Ok(id)
}

/// The same, in a transaction that goes on.
pub(super) async fn begin_trajectory(
    tx: &Transaction,
    secrets: &Secrets,
    ids: &dyn Ids,
    by: &Stepping<'_>,
    new: NewTrajectory,
    day: NaiveDate,
) -> Result<TrajectoryId, DbError> {
    let (pupil, viewer) = (by.grant.pupil(), by.grant.viewer());
    key::make(tx, &*secrets.vault, ids, by.clb, pupil).await?;
    let id = TrajectoryId(ids.blind());
    let values: Vec<Value> = vec![
        id.into(),
        by.clb.into(),
        pupil.into(),
        new.domain.into(),
        new.phase.into(),
        TrajectoryState::Open.into(),
        new.asked_by.into(),
        new.obligation.into(),
        viewer.into(),
        by.line.at.into(),
    ];
    execute(
        tx,
        "insert into trajectory (id, clb_id, pupil_id, domain, phase, state, asked_by, obligation, opened_by, opened_at, version)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
        values,
    )
    .await?;
    let period = Period {
        begins: day,
        ends: None,
    };
    put_member(tx, ids, by, (id, pupil), viewer, period).await?;
    Ok(id)
}

async fn put_member(
    tx: &Transaction,
    ids: &dyn Ids,
    by: &Stepping<'_>,
    (trajectory, pupil): (TrajectoryId, PupilId),
    worker: PrincipalId,
    period: Period,
) -> Result<(), DbError> {
    let values: Vec<Value> = vec![
        ids.blind().into(),
        by.clb.into(),
        pupil.into(),
        trajectory.into(),
        worker.into(),
        period.begins.into(),
        period.ends.into(),
        by.grant.viewer().into(),
    ];
    execute(
        tx,
        "insert into team_member (id, clb_id, pupil_id, trajectory_id, principal_id, begins_on, ends_on, assigned_by)
         values (?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    )
    .await?;
    Ok(())
}

/// Gives a worker one period in the team of a trajectory, instead of those that have not ended yet; a period that ends
/// as it begins takes the worker out. Places of before stay: who was in the team is never lost.
pub async fn assign(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    (trajectory, version): (TrajectoryId, i32),
    worker: PrincipalId,
    period: Period,
) -> Result<Changed, DbError> {
    let tx = by.begin(secrets, Step::AssignTeam).await?;
    let pupil = by.grant.pupil();
    let changed = match touch(secrets, &tx, &by, trajectory, version).await? {
        Changed::Done(version) => {
            let text = "update team_member set ends_on = ?
                 where clb_id = ? and trajectory_id = ? and principal_id = ? and (ends_on is null or ends_on > ?)";
            let values: Vec<Value> = vec![
                period.begins.into(),
                by.clb.into(),
                trajectory.into(),
                worker.into(),
                period.begins.into(),
            ];
            execute(&tx, text, values).await?;
            if period.ends != Some(period.begins) {
                put_member(&tx, ids, &by, (trajectory, pupil), worker, period).await?;
            }
            Changed::Done(version)
        }
        other => other,
    };
    tx.commit().await?;
    Ok(changed)
}

/// Moves a trajectory of the grant to its next version, if it has the one that was read and is open.
async fn touch(
    secrets: &Secrets,
    tx: &Transaction,
    by: &Stepping<'_>,
    trajectory: TrajectoryId,
    read: i32,
) -> Result<Changed, DbError> {
    if !by.reaches(trajectory) {
        return Ok(Changed::Unknown);
    }
    let lock = secrets.apart.dialect.for_update();
    let text =
        format!("select version from trajectory where clb_id = ? and pupil_id = ? and id = ? and state = ? {lock}");
    let values: Vec<Value> = vec![
        by.clb.into(),
        by.grant.pupil().into(),
        trajectory.into(),
        TrajectoryState::Open.into(),
    ];
    let Some(found) = row(tx, &text, values).await? else {
        return Ok(Changed::Unknown);
    };
    let version: i32 = found.try_get_by_index(0)?;
    if version != read {
        return Ok(Changed::Stale(version));
    }
    let next = version.saturating_add(1);
    let text = "update trajectory set version = ? where clb_id = ? and id = ?";
    execute(tx, text, vec![next.into(), by.clb.into(), trajectory.into()]).await?;
    Ok(Changed::Done(next))
}

/// Sets the phase of a trajectory, or closes it. What was written in it stays. One that is to go on in another phase
/// must rest on the consent that it needs: `may_go_on` says so of its obligation and of the answers about it.
pub async fn move_trajectory(
    secrets: &Secrets,
    by: Stepping<'_>,
    (trajectory, version): (TrajectoryId, i32),
    (phase, close): (Option<Phase>, bool),
    may_go_on: MayGoOn<'_>,
) -> Result<Changed, DbError> {
    let tx = by.begin(secrets, Step::MoveTrajectory).await?;
    if phase.is_some() && !close && !rests_on_consent(secrets, &tx, &by, trajectory, may_go_on).await? {
        tx.commit().await?;
        return Ok(Changed::NotNow);
    }
    let changed = touch(secrets, &tx, &by, trajectory, version).await?;
    if let Changed::Done(_) = changed {
        if let Some(phase) = phase {
            let text = "update trajectory set phase = ? where clb_id = ? and id = ?";
            execute(&tx, text, vec![phase.into(), by.clb.into(), trajectory.into()]).await?;
        }
        if close {
            let text = "update trajectory set state = ?, closed_at = ? where clb_id = ? and id = ?";
            let values: Vec<Value> = vec![
                TrajectoryState::Closed.into(),
                by.line.at.into(),
                by.clb.into(),
                trajectory.into(),
            ];
            execute(&tx, text, values).await?;
        }
    }
    tx.commit().await?;
    Ok(changed)
}

/// Whether a trajectory rests on the consent that it needs; of one that is not the grant's nothing is told.
async fn rests_on_consent(
    secrets: &Secrets,
    tx: &Transaction,
    by: &Stepping<'_>,
    trajectory: TrajectoryId,
    may_go_on: MayGoOn<'_>,
) -> Result<bool, DbError> {
    let lock = secrets.apart.dialect.for_update();
    let text = format!(
        "select case when lapsed_at is null then obligation end from trajectory
         where clb_id = ? and pupil_id = ? and id = ? {lock}"
    );
    let values: Vec<Value> = vec![by.clb.into(), by.grant.pupil().into(), trajectory.into()];
    let found = row(tx, &text, values).await?;
    let Some(found) = found.filter(|_| by.reaches(trajectory)) else {
        return Ok(true);
    };
    let answers = consent::answers(tx, by.clb, trajectory).await?;
    Ok(may_go_on(found.try_get_by_index(0)?, &answers))
}

/// Writes an entry in a trajectory of the grant; `None` when there is no such open one.
pub async fn write_entry(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    trajectory: TrajectoryId,
    written: &Written,
) -> Result<Option<EntryId>, DbError> {
    let tx = by.begin(secrets, Step::WriteEntry).await?;
    let (pupil, medical) = (by.grant.pupil(), by.grant.asked().class() == Class::Medical);
    let text = "select domain from trajectory where clb_id = ? and pupil_id = ? and id = ? and state = ?";
    let values: Vec<Value> = vec![
        by.clb.into(),
        pupil.into(),
        trajectory.into(),
        TrajectoryState::Open.into(),
    ];
    let found = row(&tx, text, values).await?;
    let domain: Option<Domain> = found.map(|row| row.try_get_by_index(0)).transpose()?;
    let fits = domain.is_some_and(|domain| medical || by.grant.asked().class() == Class::of(domain));
    if !fits || !by.reaches(trajectory) {
        tx.commit().await?;
        return Ok(None);
    }
    let id = put_entry(&tx, ids, &by, (trajectory, medical), written).await?;
    put_text(&tx, secrets, ids, &by, (id, 1, by.grant.viewer()), &written.text).await?;
    tx.commit().await?;
    Ok(Some(id))
}

/// What a trajectory begins with, in the transaction that begins it: written by whoever asked for it.
pub(super) async fn first_entry(
    tx: &Transaction,
    secrets: &Secrets,
    ids: &dyn Ids,
    by: &Stepping<'_>,
    (trajectory, author): (TrajectoryId, PrincipalId),
    written: &Written,
) -> Result<EntryId, DbError> {
    let id = put_entry(tx, ids, by, (trajectory, false), written).await?;
    put_text(tx, secrets, ids, by, (id, 1, author), &written.text).await?;
    Ok(id)
}

pub(super) async fn put_entry(
    tx: &Transaction,
    ids: &dyn Ids,
    by: &Stepping<'_>,
    (trajectory, medical): (TrajectoryId, bool),
    written: &Written,
) -> Result<EntryId, DbError> {
    let id = EntryId(ids.blind());
    let values: Vec<Value> = vec![
        id.into(),
        by.clb.into(),
        by.grant.pupil().into(),
        trajectory.into(),
        medical.into(),
        written.about.into(),
        written.closed.into(),
    ];
    execute(
        tx,
        "insert into entry (id, clb_id, pupil_id, trajectory_id, medical, about, closed, version)
         values (?, ?, ?, ?, ?, ?, ?, 1)",
        values,
    )
    .await?;
    Ok(id)
}

/// Corrects an entry of the grant: a new version, and the former stays.
pub async fn correct_entry(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    (entry, read): (EntryId, i32),
    written: &Written,
) -> Result<Changed, DbError> {
    let tx = by.begin(secrets, Step::WriteEntry).await?;
    let lock = secrets.apart.dialect.for_update();
    let text = format!(
        "select e.version, e.trajectory_id, e.medical, t.domain, e.own_words from entry e
         join trajectory t on t.id = e.trajectory_id and t.clb_id = e.clb_id
         where e.clb_id = ? and e.pupil_id = ? and e.id = ? and e.left_out_at is null {lock}"
    );
    let values: Vec<Value> = vec![by.clb.into(), by.grant.pupil().into(), entry.into()];
    let Some(found) = row(&tx, &text, values).await? else {
        tx.commit().await?;
        return Ok(Changed::Unknown);
    };
    let (version, trajectory): (i32, TrajectoryId) = (found.try_get_by_index(0)?, found.try_get_by_index(1)?);
    let (medical, domain): (bool, Domain) = (found.try_get_by_index(2)?, found.try_get_by_index(3)?);
    let own_words: Option<Role> = found.try_get_by_index(4)?;
    let class = if medical { Class::Medical } else { Class::of(domain) };
    let changed = if class != by.grant.asked().class() || !by.reaches(trajectory) {
        Changed::Unknown
    } else if own_words.is_some() {
        // Nobody puts words into a person's mouth.
        Changed::NotNow
    } else if version != read {
        Changed::Stale(version)
    } else {
        let next = version.saturating_add(1);
        put_text(&tx, secrets, ids, &by, (entry, next, by.grant.viewer()), &written.text).await?;
        let text = "update entry set version = ?, about = ?, closed = ? where clb_id = ? and id = ?";
        let values: Vec<Value> = vec![
            next.into(),
            written.about.into(),
            written.closed.into(),
            by.clb.into(),
            entry.into(),
        ];
        execute(&tx, text, values).await?;
        Changed::Done(next)
    };
    tx.commit().await?;
    Ok(changed)
}

pub(super) async fn put_text(
    tx: &Transaction,
    secrets: &Secrets,
    ids: &dyn Ids,
    by: &Stepping<'_>,
    (entry, version, author): (EntryId, i32, PrincipalId),
    text: &str,
) -> Result<(), DbError> {
    let pupil = by.grant.pupil();
    let data_key = key::make(tx, &*secrets.vault, ids, by.clb, pupil).await?;
    let place = Place {
        clb: by.clb,
        dossier: pupil,
        table: "entry_text",
        column: "text",
        row: ids.blind(),
    };
    let sealed = keys::seal_afresh(&data_key, &place, text.as_bytes())?;
    let values: Vec<Value> = vec![
        place.row.into(),
        by.clb.into(),
        entry.into(),
        version.into(),
        author.into(),
        by.line.at.into(),
        sealed.into(),
    ];
    execute(
        tx,
        "insert into entry_text (id, clb_id, entry_id, version, author, written_at, text) values (?, ?, ?, ?, ?, ?, ?)",
        values,
    )
    .await?;
    Ok(())
}
