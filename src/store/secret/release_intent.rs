//! What the main store has yet to follow of releases: read for whoever applies it there, and noted when it is applied
//! (design §4, across stores). Nothing is opened here: a copy goes as it was sealed.

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::dossier::release::{Over, ReleaseIntent};
use hub_entities::id::{ClbId, DecisionId, Ids, PrincipalId, PupilId, ReleaseId, SchoolId};
use hub_entities::operation::Role;
use hub_entities::policy::secret::Class;
use hub_entities::policy::{Reach, Scope};
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::letterbox::Sealed;
use super::line::{self, Line};
use super::{NOBODY, SecretDb, release};
use crate::keys::KeyId;
use crate::keys::vault::Wrapped;
use crate::store::DbError;
use crate::store::sql::{execute, list, row, rows};

/// What the main store has to do about one release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Which.
    pub release: ReleaseId,
    /// Whose.
    pub clb: ClbId,
    /// What.
    pub what: What,
    /// When it was caused.
    pub at: DateTime<Utc>,
}

/// What there is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Show this copy.
    Show {
        /// About whom.
        pupil: PupilId,
        /// To which school.
        school: SchoolId,
        /// The first day no longer.
        ends_on: NaiveDate,
        /// What it says.
        sealed: Sealed,
    },
    /// Take it back.
    TakeBack,
}

impl Intent {
    const fn kind(&self) -> ReleaseIntent {
        match self.what {
            What::Show { .. } => ReleaseIntent::Show,
            What::TakeBack => ReleaseIntent::TakeBack,
        }
    }
}

fn may(scope: &Scope) -> Result<(), DbError> {
    match scope.reach() {
        Reach::Operations => Ok(()),
        _ => Err(DbError::OutOfScope),
    }
}

/// What is yet to be applied of these CLBs: those first that were not tried yet, of these what is to be taken back, and of
/// each kind those that wait longest.
pub async fn waiting(apart: &SecretDb, scope: &Scope, clbs: &[ClbId], most: u32) -> Result<Vec<Intent>, DbError> {
    may(scope)?;
    let tx = apart.within(clbs).await?;
    let text =
        "select release_id, kind, clb_id, at, pupil_id, school_id, ends_on, text_key, kek_version, wrapped, sealed
         from release_intent where clb_id in ? and applied_at is null
         order by tried_at is not null, kind = ?, coalesce(tried_at, at), release_id limit ?";
    let values: Vec<Value> = vec![list(clbs), ReleaseIntent::Show.into(), i64::from(most).into()];
    let found = rows(&tx, text, values).await?;
    tx.commit().await?;
    found.iter().map(read).collect()
}

fn read(row: &QueryResult) -> Result<Intent, DbError> {
    let what = match row.try_get_by_index(1)? {
        ReleaseIntent::TakeBack => What::TakeBack,
        ReleaseIntent::Show => What::Show {
            pupil: row.try_get_by_index(4)?,
            school: row.try_get_by_index(5)?,
            ends_on: row.try_get_by_index(6)?,
            sealed: Sealed {
                key: KeyId(row.try_get_by_index(7)?),
                wrapped: Wrapped {
                    version: row.try_get_by_index(8)?,
                    bytes: row.try_get_by_index(9)?,
                },
                envelope: row.try_get_by_index(10)?,
            },
        },
    };
    Ok(Intent {
        release: row.try_get_by_index(0)?,
        clb: row.try_get_by_index(2)?,
        what,
        at: row.try_get_by_index(3)?,
    })
}

/// Notes that it is applied, and forgets what was sealed in it.
pub async fn applied(apart: &SecretDb, scope: &Scope, intent: &Intent, now: DateTime<Utc>) -> Result<(), DbError> {
    note(apart, scope, intent, "wrapped = null, sealed = null, applied_at", now).await
}

/// Notes that it could not be applied now: others go before it until it is tried again.
pub async fn tried(apart: &SecretDb, scope: &Scope, intent: &Intent, now: DateTime<Utc>) -> Result<(), DbError> {
    note(apart, scope, intent, "tried_at", now).await
}

async fn note(
    apart: &SecretDb,
    scope: &Scope,
    intent: &Intent,
    columns: &'static str,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    may(scope)?;
    let tx = apart.within(&[intent.clb]).await?;
    let text = format!(
        "update release_intent set {columns} = ? where clb_id = ? and release_id = ? and kind = ? and applied_at is null"
    );
    let values: Vec<Value> = vec![
        now.into(),
        intent.clb.into(),
        intent.release.into(),
        intent.kind().into(),
    ];
    execute(&tx, &text, values).await?;
    tx.commit().await?;
    Ok(())
}

/// A release is over by itself: its last day, or the pupil's at the school. In one transaction with its line; what is not
/// in the dossier any more goes from the main store all the same.
pub async fn ends(
    apart: &SecretDb,
    scope: &Scope,
    ids: &dyn Ids,
    (clb, release): (ClbId, ReleaseId),
    (why, now): (Over, DateTime<Utc>),
) -> Result<(), DbError> {
    may(scope)?;
    let tx = apart.within(&[clb]).await?;
    let text = "select pupil_id from school_release where clb_id = ? and id = ? and over_for is null";
    let found = row(&tx, text, vec![clb.into(), release.into()]).await?;
    let pupil: Option<PupilId> = found.map(|row| row.try_get_by_index(0)).transpose()?;
    let is_over = release::is_over(&tx, (clb, None, now), release, why).await?;
    if is_over {
        let line = Line {
            id: DecisionId(ids.blind()),
            clb,
            at: now,
            // Whoever works on this machine is no principal.
            by: PrincipalId(Uuid::nil()),
            role: Role::Operator,
            purpose: None,
            assured: false,
            pupil: pupil.unwrap_or(NOBODY),
            action: "release_over".to_owned(),
            granted: vec![format!("{}={why}", Class::Shared)],
            withheld: Vec::new(),
            facts: String::new(),
            request: Uuid::nil(),
        };
        line::write(&tx, std::slice::from_ref(&line)).await?;
    }
    tx.commit().await?;
    Ok(())
}
