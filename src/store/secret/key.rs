//! The data keys of dossiers, wrapped: making one, keeping it while something is written, and finding one that was destroyed.

use std::collections::HashMap;

use hub_entities::id::{ClbId, Ids, PupilId};
use hub_entities::policy::{Reach, Scope};
use sea_orm::{QueryResult, Value};

use super::SecretDb;
use crate::keys::shredded::ShredList;
use crate::keys::vault::{KeyVault, Owner, Wrapped};
use crate::keys::{DataKey, KeyId, VaultError};
use crate::store::DbError;
use crate::store::sql::{execute, list, list_from, row, rows};
use crate::store::transaction::Transaction;

const COLUMNS: &str = "id, clb_id, pupil_id, kek_version, wrapped";

/// What goes with the key of a dossier, row by row: what refers to another before that.
pub const ERASED: &[&str] = &[
    "legal_hold",
    "log_review",
    "log_hold",
    "transfer",
    "correction_request",
    "dossier_access",
    "dossier_request",
    "school_release",
    "access_lent",
    "access_request",
    "emergency",
    "guidance_request",
    "referral_said",
    "referral",
    "consent_said",
    "consent",
    "capability",
    "entry",
    "team_member",
    "trajectory",
];

/// How many ids of the shred list are looked for at once.
const AT_ONCE: usize = 1_000;

fn may(scope: &Scope) -> Result<(), DbError> {
    match scope.reach() {
        Reach::Operations => Ok(()),
        _ => Err(DbError::OutOfScope),
    }
}

/// The columns of [`COLUMNS`].
fn wrapped(row: &QueryResult) -> Result<(Owner, Wrapped), DbError> {
    let owner = Owner {
        key: KeyId(row.try_get_by_index(0)?),
        clb: row.try_get_by_index(1)?,
        dossier: row.try_get_by_index(2)?,
    };
    let wrapped = Wrapped {
        version: row.try_get_by_index(3)?,
        bytes: row.try_get_by_index(4)?,
    };
    Ok((owner, wrapped))
}

/// How many keys of these CLBs are here although they were destroyed: a backup of before an erasure was put back (R29).
pub async fn listed(apart: &SecretDb, scope: &Scope, clbs: &[ClbId], destroyed: &ShredList) -> Result<i64, DbError> {
    may(scope)?;
    let ids: Vec<uuid::Uuid> = destroyed.keys().map(|key| key.0).collect();
    let tx = apart.within(clbs).await?;
    let mut all = 0_i64;
    for some in ids.chunks(AT_ONCE) {
        let text = "select count(*) from dossier_key where clb_id in ? and id in ?";
        let found = row(&tx, text, vec![list(clbs), list(some)]).await?;
        let count: Option<i64> = found.map(|row| row.try_get_by_index(0)).transpose()?;
        all = all.saturating_add(count.unwrap_or_default());
    }
    tx.commit().await?;
    Ok(all)
}

/// From here until the transaction ends nobody erases this dossier. An erasure that is under way is waited for: then nothing is
/// there any more.
pub(super) async fn keep(apart: &SecretDb, tx: &Transaction, (clb, pupil): (ClbId, PupilId)) -> Result<(), DbError> {
    let lock = apart.dialect.for_key_share();
    // A transaction of SQLite has the whole store for itself.
    if !lock.is_empty() {
        let text = format!("select id from dossier_key where clb_id = ? and pupil_id = ? {lock}");
        row(tx, &text, vec![clb.into(), pupil.into()]).await?;
    }
    Ok(())
}

/// The wrapped keys of these pupils' dossiers at this CLB.
pub(super) async fn of_pupils(
    tx: &Transaction,
    clb: ClbId,
    pupils: impl IntoIterator<Item = PupilId>,
) -> Result<Vec<(Owner, Wrapped)>, DbError> {
    let pupils = list_from(pupils);
    if matches!(&pupils, Value::Array(_, Some(all)) if all.is_empty()) {
        return Ok(Vec::new());
    }
    let text = format!("select {COLUMNS} from dossier_key where clb_id = ? and pupil_id in ?");
    let found = rows(tx, &text, vec![clb.into(), pupils]).await?;
    found.iter().map(wrapped).collect()
}

/// The keys themselves, by pupil; each is gone when the answer that needed it is.
pub(super) async fn unwrapped(
    vault: &dyn KeyVault,
    wrapped: &[(Owner, Wrapped)],
) -> Result<HashMap<PupilId, DataKey>, DbError> {
    let mut keys = HashMap::with_capacity(wrapped.len());
    for (owner, wrapped) in wrapped {
        keys.insert(owner.dossier, vault.unwrap(wrapped, owner).await?);
    }
    Ok(keys)
}

/// The key of a dossier; a new one where there is none yet.
pub(super) async fn make(
    tx: &Transaction,
    vault: &dyn KeyVault,
    ids: &dyn Ids,
    clb: ClbId,
    pupil: PupilId,
) -> Result<DataKey, DbError> {
    let owner = Owner {
        clb,
        dossier: pupil,
        key: KeyId(ids.blind()),
    };
    let new = vault
        .wrap(&DataKey::generate(owner.key).map_err(VaultError::from)?, &owner)
        .await?;
    let values: Vec<Value> = vec![
        owner.key.0.into(),
        clb.into(),
        pupil.into(),
        new.version.into(),
        new.bytes.into(),
    ];
    // Of two who begin at once, one key counts: whoever came second takes the first one's.
    let text =
        format!("insert into dossier_key ({COLUMNS}) values (?, ?, ?, ?, ?) on conflict (clb_id, pupil_id) do nothing");
    execute(tx, &text, values).await?;
    let there = of_pupils(tx, clb, [pupil]).await?;
    let (owner, wrapped) = there.first().ok_or(DbError::Unreadable {
        column: "dossier_key.id",
    })?;
    Ok(vault.unwrap(wrapped, owner).await?)
}
