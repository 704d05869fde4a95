//! Guidance that cannot be refused, as it follows from signals of the main store: begun once, and lapsed when its signal
//! is withdrawn. Nothing is read here of what workers wrote.

use hub_entities::dossier::Domain;
use hub_entities::dossier::trajectory::{AskedBy, Obligation, Phase, TrajectoryState};
use hub_entities::id::{DecisionId, Ids, PrincipalId, TrajectoryId};
use hub_entities::operation::{Purpose, Role};
use hub_entities::policy::secret::Class;
use hub_entities::policy::{Reach, Scope};
use hub_entities::time::brussels_day;
use sea_orm::{DatabaseTransaction, Value};
use uuid::Uuid;

use super::line::{self, Line};
use super::{Secrets, key};
use crate::store::DbError;
use crate::store::intent::Intent;
use crate::store::sql::{execute, row};

const OBLIGATION: Obligation = Obligation::CompulsoryEducation;

/// Begins what an intent is to do: in one transaction with its line, and with the note that it is done. `None` when it
/// was done before: then nothing is done again.
async fn begin(
    secrets: &Secrets,
    scope: &Scope,
    ids: &dyn Ids,
    intent: &Intent,
    (action, ground): (&str, &str),
) -> Result<Option<DatabaseTransaction>, DbError> {
    match scope.reach() {
        Reach::Operations => {}
        _ => return Err(DbError::OutOfScope),
    }
    let tx = secrets.apart.within(&[intent.clb]).await?;
    let text = "insert into intent_done (id, clb_id, done_at) values (?, ?, ?) on conflict (id) do nothing";
    let values: Vec<Value> = vec![intent.id.into(), intent.clb.into(), intent.at.into()];
    if execute(&tx, text, values).await? == 0 {
        tx.commit().await?;
        return Ok(None);
    }
    // The hub's own count is no principal: it is written as whoever works on this machine is.
    let (by, role) = intent.by.unwrap_or((PrincipalId(Uuid::nil()), Role::Operator));
    let line = Line {
        id: DecisionId(ids.blind()),
        clb: intent.clb,
        at: intent.at,
        by,
        role,
        purpose: Some(Purpose::CompulsoryEducation),
        assured: false,
        pupil: intent.pupil,
        action: action.to_owned(),
        granted: vec![format!("{}={ground}", Class::of(OBLIGATION.domain()))],
        withheld: Vec::new(),
        request: intent.request,
    };
    line::write(&tx, std::slice::from_ref(&line)).await?;
    Ok(Some(tx))
}

/// A CLB took a signal up: the trajectory that an earlier generation of it began and that is still open goes on being
/// obligatory; else one begins, with these workers as its team. Says whether it was done now.
pub async fn begins(
    secrets: &Secrets,
    scope: &Scope,
    ids: &dyn Ids,
    intent: &Intent,
    team: &[PrincipalId],
) -> Result<bool, DbError> {
    let what = ("open_trajectory", "accepted-signal");
    let Some(tx) = begin(secrets, scope, ids, intent, what).await? else {
        return Ok(false);
    };
    let (signal, key) = &intent.signal;
    let lock = secrets.apart.dialect.for_update();
    let text = format!(
        "select id from trajectory where clb_id = ? and pupil_id = ? and signal_key = ? and state = ?
         order by opened_at, id limit 1 {lock}"
    );
    let values: Vec<Value> = vec![
        intent.clb.into(),
        intent.pupil.into(),
        key.clone().into(),
        TrajectoryState::Open.into(),
    ];
    if let Some(open) = row(&tx, &text, values).await? {
        let open: TrajectoryId = open.try_get_by_index(0)?;
        let text =
            "update trajectory set signal_id = ?, lapsed_at = null, version = version + 1 where clb_id = ? and id = ?";
        execute(&tx, text, vec![(*signal).into(), intent.clb.into(), open.into()]).await?;
    } else {
        key::make(&tx, &*secrets.vault, ids, intent.clb, intent.pupil).await?;
        open(&tx, ids, intent, team).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// Begins a trajectory of the intent.
async fn open(tx: &DatabaseTransaction, ids: &dyn Ids, intent: &Intent, team: &[PrincipalId]) -> Result<(), DbError> {
    let by = intent.by.map_or(PrincipalId(Uuid::nil()), |(by, _)| by);
    let domain: Domain = OBLIGATION.domain();
    let id = TrajectoryId(ids.blind());
    let values: Vec<Value> = vec![
        id.into(),
        intent.clb.into(),
        intent.pupil.into(),
        domain.into(),
        Phase::ExtendedCare.into(),
        TrajectoryState::Open.into(),
        // It is the school that must report (domain facts §2.1).
        AskedBy::School.into(),
        OBLIGATION.into(),
        by.into(),
        intent.at.into(),
        intent.signal.0.into(),
        intent.signal.1.clone().into(),
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
            intent.pupil.into(),
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
pub async fn lapses(secrets: &Secrets, scope: &Scope, ids: &dyn Ids, intent: &Intent) -> Result<bool, DbError> {
    let what = ("obligation_lapses", "withdrawn-signal");
    let Some(tx) = begin(secrets, scope, ids, intent, what).await? else {
        return Ok(false);
    };
    let text = "update trajectory set lapsed_at = ?, version = version + 1
         where clb_id = ? and pupil_id = ? and signal_id = ? and lapsed_at is null";
    let values: Vec<Value> = vec![
        intent.at.into(),
        intent.clb.into(),
        intent.pupil.into(),
        intent.signal.0.into(),
    ];
    execute(&tx, text, values).await?;
    tx.commit().await?;
    Ok(true)
}
