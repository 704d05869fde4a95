//! What was released to a school, in the main store: copies that its care team reads, sealed, each with a key of its own.
//!
//! They come from the secrecy store and follow it. Whatever is still here, a copy is not there for the school that has the
//! pupil no longer, from the first day after its end, or when its CLB is competent no longer and nobody could take it back.

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::access_line;
use hub_entities::dossier::Mode;
use hub_entities::dossier::release::Over;
use hub_entities::id::{ClbId, PupilId, ReleaseId, SchoolId};
use hub_entities::policy::secret::{Asked, Class, Field, Grant, Part, Reader, TieRows, Ties};
use hub_entities::policy::{Reach, Scope};
use hub_entities::time::Period;
use sea_orm::{QueryResult, Value};

use super::agreement::{binding, in_force};
use super::lease::Lease;
use super::secret::letterbox::Sealed;
use super::secret::showcase::{Showcase, Spot, Told};
use super::secret::{NOBODY, release_intent};
use super::sql::{execute, list, list_from, row, rows};
use super::{Db, DbError, access};
use crate::keys::KeyId;
use crate::keys::shredded::ShredList;
use crate::keys::vault::Wrapped;

/// How many ids of the shred list are looked for at once.
const AT_ONCE: usize = 1_000;

/// Which releases to the scope's school.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Which {
    /// About this pupil alone.
    pub pupil: Option<PupilId>,
    /// Of these CLBs alone: those that agreed that software reads them.
    pub clbs: Option<Vec<ClbId>>,
}

/// What is decided on: about whom, of which CLB, since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Which.
    pub id: ReleaseId,
    /// About whom.
    pub pupil: PupilId,
    /// Of which CLB.
    pub clb: ClbId,
    /// When it was released.
    pub released_at: DateTime<Utc>,
}

/// A release, opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// What was decided on.
    pub facts: Facts,
    /// What it says.
    pub told: Told,
}

fn school(scope: &Scope) -> Result<SchoolId, DbError> {
    match scope.reach() {
        Reach::School(school) => Ok(*school),
        _ => Err(DbError::OutOfScope),
    }
}

fn may(scope: &Scope) -> Result<(), DbError> {
    match scope.reach() {
        Reach::Operations => Ok(()),
        _ => Err(DbError::OutOfScope),
    }
}

/// The CLBs that agreed with the scope's school, for today, that its software reads what they release.
pub async fn agreed_with_software(db: &Db, scope: &Scope) -> Result<Vec<ClbId>, DbError> {
    let (binding, of_binding) = binding(scope.day());
    let text =
        format!("select a.clb_id from agreement a where a.school_id = ? and a.releases_to_software and {binding}");
    let values = [vec![school(scope)?.into()], of_binding].concat();
    let found = rows(db.reader(), &text, values).await?;
    found.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}

/// The relation of a school to itself: what is decided on before it is known about whom there is anything.
pub fn ties_to_itself(scope: &Scope, machines_agreed: bool) -> Ties {
    let mut of = TieRows::none();
    of.enrolled.push(Period {
        begins: scope.day(),
        ends: None,
    });
    of.machines_agreed = machines_agreed;
    Ties::of_rows(NOBODY, of)
}

/// The relations of the scope's school to the pupils of these releases, one for each.
pub async fn ties(db: &Db, scope: &Scope, of: &[Facts], agreed: &[ClbId]) -> Result<Vec<Ties>, DbError> {
    let text = "select pupil_id, begins_on, ends_on from enrolment where school_id = ? and pupil_id in ?";
    let pupils = list_from(of.iter().map(|one| one.pupil));
    let enrolled = rows(db.reader(), text, vec![school(scope)?.into(), pupils]).await?;
    let mut all = Vec::with_capacity(of.len());
    for one in of {
        let mut ties = TieRows::none();
        for row in &enrolled {
            if row.try_get_by_index::<PupilId>(0)? == one.pupil {
                ties.enrolled.push(Period {
                    begins: row.try_get_by_index(1)?,
                    ends: row.try_get_by_index(2)?,
                });
            }
        }
        ties.machines_agreed = agreed.contains(&one.clb);
        all.push(Ties::of_rows(one.pupil, ties));
    }
    Ok(all)
}

/// That a copy `r` is there for the scope's school.
fn there(scope: &Scope, which: &Which) -> Result<(String, Vec<Value>), DbError> {
    let day = scope.day();
    let mut text = format!(
        "r.school_id = ? and r.gone_at is null and r.ends_on > ?
         and exists (select 1 from enrolment e where e.school_id = r.school_id and e.pupil_id = r.pupil_id and {})
         and exists (select 1 from competence c join clb_dossiers m on m.clb_id = c.clb_id and m.mode = ?
                     where c.clb_id = r.clb_id and c.pupil_id = r.pupil_id and {})",
        in_force("e"),
        in_force("c")
    );
    let mut values: Vec<Value> = vec![school(scope)?.into(), day.into(), day.into(), day.into()];
    values.extend([Value::from(Mode::Hub), day.into(), day.into()]);
    if let Some(pupil) = which.pupil {
        text.push_str(" and r.pupil_id = ?");
        values.push(pupil.into());
    }
    if let Some(clbs) = &which.clbs {
        text.push_str(" and r.clb_id in ?");
        values.push(list(clbs));
    }
    Ok((text, values))
}

/// A page of what is decided on, the latest first and of those at the same time the lowest id; one more than asked for
/// tells of a next.
pub async fn page(
    db: &Db,
    scope: &Scope,
    which: &Which,
    after: Option<(DateTime<Utc>, ReleaseId)>,
    first: u32,
) -> Result<Vec<Facts>, DbError> {
    let (there, mut values) = there(scope, which)?;
    let mut go_on = "";
    if let Some((at, last)) = after {
        go_on = "and (r.released_at < ? or (r.released_at = ? and r.id > ?))";
        values.extend([Value::from(at), at.into(), last.into()]);
    }
    values.push(i64::from(first.saturating_add(1)).into());
    let text = format!(
        "select r.id, r.pupil_id, r.clb_id, r.released_at from released r where {there} {go_on}
         order by r.released_at desc, r.id limit ?"
    );
    let found = rows(db.reader(), &text, values).await?;
    found.iter().map(facts).collect()
}

fn facts(row: &QueryResult) -> Result<Facts, DbError> {
    Ok(Facts {
        id: row.try_get_by_index(0)?,
        pupil: row.try_get_by_index(1)?,
        clb: row.try_get_by_index(2)?,
        released_at: row.try_get_by_index(3)?,
    })
}

/// How many there are.
pub async fn count(db: &Db, scope: &Scope, which: &Which) -> Result<i64, DbError> {
    let (there, values) = there(scope, which)?;
    let counted = row(
        db.reader(),
        &format!("select count(*) from released r where {there}"),
        values,
    )
    .await?;
    Ok(counted
        .map(|row| row.try_get_by_index(0))
        .transpose()?
        .unwrap_or_default())
}

/// Writes the line of the access log and reads what was granted, in one short transaction; only when it is committed is any
/// value there. What was taken back since it was decided on is not among them.
///
/// # Errors
/// The line could not be written, or not committed: then nothing is opened. A copy that does not fit its place opens
/// nothing either.
pub async fn open(
    db: &Db,
    showcase: &Showcase,
    scope: &Scope,
    grants: &[(ReleaseId, Grant)],
    line: &access_line::Model,
) -> Result<Vec<Opened>, DbError> {
    let (there, mut values) = there(scope, &Which::default())?;
    let reads = |grant: &Grant| {
        let field = Field::new(Class::Shared, Part::Releases).map(Asked::Read);
        Some(grant.asked()) == field && grant.reader() == Reader::School && Some(grant.viewer()) == scope.viewer()
    };
    values.push(list_from(grants.iter().map(|(id, _)| *id)));
    let text = format!(
        "select r.id, r.pupil_id, r.clb_id, r.released_at, r.ends_on, r.text_key, r.kek_version, r.wrapped, r.sealed
         from released r where {there} and r.id in ? order by r.released_at desc, r.id"
    );
    let tx = db.begin().await?;
    access::write_first(&tx, line).await?;
    let found = rows(&tx, &text, values).await?;
    tx.commit().await?;
    let mut opened = Vec::with_capacity(found.len());
    for row in found {
        let facts = facts(&row)?;
        let granted =
            |(id, grant): &(ReleaseId, Grant)| *id == facts.id && grant.pupil() == facts.pupil && reads(grant);
        if !grants.iter().any(granted) {
            continue;
        }
        let at = Spot {
            clb: facts.clb,
            pupil: facts.pupil,
            release: facts.id,
        };
        let sealed = Sealed {
            key: KeyId(row.try_get_by_index(5)?),
            wrapped: Wrapped {
                version: row.try_get_by_index(6)?,
                bytes: row.try_get_by_index(7)?,
            },
            envelope: row.try_get_by_index(8)?,
        };
        let told = showcase
            .look(at, &sealed, (school(scope)?, row.try_get_by_index(4)?))
            .await?;
        opened.push(Opened { facts, told });
    }
    Ok(opened)
}

/// Whether a CLB may release to this school what concerns this pupil: the pupil is enrolled there today, and the two have an
/// agreement.
pub async fn is_recipient(
    db: &Db,
    (clb, pupil): (ClbId, PupilId),
    school: SchoolId,
    day: NaiveDate,
) -> Result<bool, DbError> {
    let (binding, of_binding) = binding(day);
    let text = format!(
        "select 1 from agreement a join enrolment e on e.school_id = a.school_id
         where a.clb_id = ? and a.school_id = ? and e.pupil_id = ? and {} and {binding} limit 1",
        in_force("e")
    );
    let values: Vec<Value> = vec![clb.into(), school.into(), pupil.into(), day.into(), day.into()];
    Ok(row(db.reader(), &text, [values, of_binding].concat()).await?.is_some())
}

/// Shows a copy, unless it came before, or was taken back before it came.
pub async fn show(
    db: &Db,
    scope: &Scope,
    lease: &Lease,
    intent: &release_intent::Intent,
    (pupil, school, ends_on): (PupilId, SchoolId, NaiveDate),
    sealed: &Sealed,
) -> Result<(), DbError> {
    may(scope)?;
    let values: Vec<Value> = vec![
        intent.release.into(),
        intent.clb.into(),
        pupil.into(),
        school.into(),
        intent.at.into(),
        ends_on.into(),
        sealed.key.0.into(),
        sealed.wrapped.version.into(),
        sealed.wrapped.bytes.clone().into(),
        sealed.envelope.clone().into(),
    ];
    let tx = db.begin().await?;
    lease.fence(db, &tx).await?;
    execute(
        &tx,
        "insert into released (id, clb_id, pupil_id, school_id, released_at, ends_on, text_key, kek_version, wrapped, sealed)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (id) do nothing",
        values,
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

/// All that a copy was is gone; that it is gone stays.
const GONE: &str =
    "pupil_id = null, school_id = null, released_at = null, ends_on = null, text_key = null, kek_version = null,
     wrapped = null, sealed = null";

/// Takes a copy back: nothing of it stays, and it does not come back.
pub async fn take_back(
    db: &Db,
    scope: &Scope,
    lease: &Lease,
    intent: &release_intent::Intent,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    may(scope)?;
    let tx = db.begin().await?;
    lease.fence(db, &tx).await?;
    let text = format!(
        "insert into released (id, clb_id, gone_at) values (?, ?, ?)
         on conflict (id) do update set gone_at = coalesce(released.gone_at, excluded.gone_at), {GONE}"
    );
    let values: Vec<Value> = vec![intent.release.into(), intent.clb.into(), now.into()];
    execute(&tx, &text, values).await?;
    tx.commit().await?;
    Ok(())
}

/// Copies that are over by themselves, with why: from the first day after their end, and of pupils whom the school has no
/// longer and expects no more.
pub async fn over(db: &Db, scope: &Scope, day: NaiveDate, most: u32) -> Result<Vec<(ClbId, ReleaseId, Over)>, DbError> {
    may(scope)?;
    let text = "select r.clb_id, r.id, r.ends_on <= ? from released r where r.gone_at is null and (r.ends_on <= ?
           or not exists (select 1 from enrolment e where e.school_id = r.school_id and e.pupil_id = r.pupil_id
                          and (e.ends_on is null or e.ends_on > ?)))
         order by r.id limit ?";
    let values: Vec<Value> = vec![day.into(), day.into(), day.into(), i64::from(most).into()];
    let one = |row: &QueryResult| {
        let ended: bool = row.try_get_by_index(2)?;
        let why = if ended { Over::Ended } else { Over::Left };
        Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?, why))
    };
    let found = rows(db.reader(), text, values).await?;
    found.iter().map(one).collect()
}

/// The keys of the copies about this pupil that a CLB released.
pub async fn keys(db: &Db, scope: &Scope, clb: ClbId, pupil: PupilId) -> Result<Vec<KeyId>, DbError> {
    may(scope)?;
    let text = "select text_key from released where clb_id = ? and pupil_id = ? and gone_at is null order by id";
    let found = rows(db.reader(), text, vec![clb.into(), pupil.into()]).await?;
    found.iter().map(|row| Ok(KeyId(row.try_get_by_index(0)?))).collect()
}

/// All copies about this pupil that a CLB released are gone, at once.
pub async fn purge(db: &Db, scope: &Scope, (clb, pupil): (ClbId, PupilId), now: DateTime<Utc>) -> Result<(), DbError> {
    may(scope)?;
    let tx = db.begin().await?;
    let text = format!("update released set gone_at = ?, {GONE} where clb_id = ? and pupil_id = ?");
    execute(&tx, &text, vec![now.into(), clb.into(), pupil.into()]).await?;
    tx.commit().await?;
    Ok(())
}

/// How many copies are here although their keys were destroyed: a backup of before an erasure was put back (R29).
pub async fn listed(db: &Db, scope: &Scope, destroyed: &ShredList) -> Result<i64, DbError> {
    may(scope)?;
    let ids: Vec<uuid::Uuid> = destroyed.keys().map(|key| key.0).collect();
    let mut all = 0_i64;
    for some in ids.chunks(AT_ONCE) {
        let text = "select count(*) from released where text_key in ?";
        let found = row(db.reader(), text, vec![list(some)]).await?;
        let count: Option<i64> = found.map(|row| row.try_get_by_index(0)).transpose()?;
        all = all.saturating_add(count.unwrap_or_default());
    }
    Ok(all)
}
