//! Guidance that cannot be refused, as it follows from signals of the main store: begun once, and lapsed when its signal
//! is withdrawn. Nothing is read here of what workers wrote.

use hub_entities::dossier::Domain;
use hub_entities::dossier::trajectory::{AskedBy, Obligation, Phase, TrajectoryState};
use hub_entities::dossier::transfer::Custody;
use hub_entities::id::{ClbId, Ids, PrincipalId, PupilId, TrajectoryId};
use hub_entities::operation::Purpose;
use hub_entities::policy::Scope;
use hub_entities::policy::secret::Class;
use hub_entities::time::brussels_day;
use sea_orm::Value;
use uuid::Uuid;

use super::following::begin;
use super::{Secrets, key, line, transfer};
use crate::store::DbError;
use crate::store::intent::{Intent, SignalOf};
use crate::store::sql::{execute, row};
use crate::store::transaction::Transaction;

const OBLIGATION: Obligation = Obligation::CompulsoryEducation;

/// What stands in the line, and of whom.
fn line(intent: &Intent, ground: &str) -> Result<(PupilId, Purpose, String), DbError> {
    let pupil = intent.pupil.ok_or(DbError::Unreadable {
        column: "intent.pupil_id",
    })?;
    let granted = format!("{}={ground}", Class::of(OBLIGATION.domain()));
    Ok((pupil, Purpose::CompulsoryEducation, granted))
}

/// A CLB took a signal up: the trajectory that an earlier generation of it began and that is still open goes on being
/// obligatory; else one begins, with these workers as its team. Says whether it was done now.
pub async fn begins(
    secrets: &Secrets,
    scope: &Scope,
    ids: &dyn Ids,
    (intent, signal): (&Intent, &SignalOf),
    team: &[PrincipalId],
) -> Result<bool, DbError> {
    let (pupil, purpose, granted) = line(intent, "accepted-signal")?;
    let what = ("open_trajectory", purpose, granted);
    let Some(tx) = begin(secrets, scope, ids, intent, what).await? else {
        return Ok(false);
    };
    let lock = secrets.apart.dialect.for_update();
    let text = format!(
        "select id from trajectory where clb_id = ? and pupil_id = ? and signal_key = ? and state = ?
         order by opened_at, id limit 1 {lock}"
    );
    let values: Vec<Value> = vec![
        intent.clb.into(),
        pupil.into(),
        signal.key.clone().into(),
        TrajectoryState::Open.into(),
    ];
    if let Some(open) = row(&tx, &text, values).await? {
        let open: TrajectoryId = open.try_get_by_index(0)?;
        let text =
            "update trajectory set signal_id = ?, lapsed_at = null, version = version + 1 where clb_id = ? and id = ?";
        execute(&tx, text, vec![signal.id.into(), intent.clb.into(), open.into()]).await?;
    } else {
        key::make(&tx, &*secrets.vault, ids, intent.clb, pupil).await?;
        open(&tx, ids, (intent, pupil, signal), team).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// Begins a trajectory of the intent.
async fn open(
    tx: &Transaction,
    ids: &dyn Ids,
    (intent, pupil, signal): (&Intent, PupilId, &SignalOf),
    team: &[PrincipalId],
) -> Result<(), DbError> {
    let by = intent.by.map_or(PrincipalId(Uuid::nil()), |(by, _)| by);
    let domain: Domain = OBLIGATION.domain();
    let id = TrajectoryId(ids.blind());
    let values: Vec<Value> = vec![
        id.into(),
        intent.clb.into(),
        pupil.into(),
        domain.into(),
        Phase::ExtendedCare.into(),
        TrajectoryState::Open.into(),
        // It is the school that must report (domain facts §2.1).
        AskedBy::School.into(),
        OBLIGATION.into(),
        by.into(),
        intent.at.into(),
        signal.id.into(),
        signal.key.clone().into(),
    ];
    execute(
        tx,
        "insert into trajectory (id, clb_id, pupil_id, domain, phase, state, asked_by, obligation, opened_by, opened_at,
             signal_id, signal_key, version)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
        values,
    )
    .await?;
    for worker in team {
        let values: Vec<Value> = vec![
            ids.blind().into(),
            intent.clb.into(),
            pupil.into(),
            id.into(),
            (*worker).into(),
            brussels_day(intent.at).into(),
            by.into(),
        ];
        execute(
            tx,
            "insert into team_member (id, clb_id, pupil_id, trajectory_id, principal_id, begins_on, assigned_by)
             values (?, ?, ?, ?, ?, ?, ?)",
            values,
        )
        .await?;
    }
    Ok(())
}

/// A signal was withdrawn: nothing obliges any more to what it began. Says whether it was done now.
pub async fn lapses(
    secrets: &Secrets,
    scope: &Scope,
    ids: &dyn Ids,
    (intent, signal): (&Intent, &SignalOf),
) -> Result<bool, DbError> {
    let (pupil, purpose, granted) = line(intent, "withdrawn-signal")?;
    let what = ("obligation_lapses", purpose, granted);
    let Some(tx) = begin(secrets, scope, ids, intent, what).await? else {
        return Ok(false);
    };
    // Where the dossier went since, it lapses too.
    let mut clbs = vec![intent.clb];
    let mut at = Some(intent.clb);
    while let Some(clb) = at {
        let text = "update trajectory set lapsed_at = ?, version = version + 1
             where clb_id = ? and pupil_id = ? and signal_id = ? and lapsed_at is null";
        let values: Vec<Value> = vec![intent.at.into(), clb.into(), pupil.into(), signal.id.into()];
        if execute(&tx, text, values).await? > 0 {
            if clb != intent.clb {
                let line = transfer::line(ids, (clb, pupil), "obligation_lapses", "withdrawn-signal", intent.at);
                line::write(&tx, std::slice::from_ref(&line)).await?;
            }
            break;
        }
        at = went_to(&tx, (clb, pupil)).await?.filter(|next| !clbs.contains(next));
        clbs.extend(at);
        if let Some(named) = secrets.apart.dialect.name_clbs(&clbs) {
            execute(&tx, &named, Vec::new()).await?;
        }
    }
    tx.commit().await?;
    Ok(true)
}

/// To which CLB a dossier went last from this one, whole or in part.
async fn went_to(tx: &Transaction, (clb, pupil): (ClbId, PupilId)) -> Result<Option<ClbId>, DbError> {
    let text =
        "select other_clb_id from transfer where clb_id = ? and pupil_id = ? and not arrives and custody in (?, ?)
         order by over_at desc limit 1";
    let values: Vec<Value> = vec![
        clb.into(),
        pupil.into(),
        Custody::Transferred.into(),
        Custody::Partly.into(),
    ];
    let found = row(tx, text, values).await?;
    Ok(found.map(|row| row.try_get_by_index(0)).transpose()?)
}
