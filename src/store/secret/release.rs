//! Releases to the school (vrijgave): a copy in words of its own, under the consent of who decides, for a purpose and until a
//! day. What was told stays in the dossier; the copy goes to the main store by an intent of this one, and goes from there as
//! soon as it is taken back.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::dossier::consent::Consent;
use hub_entities::dossier::release::{Over, ReleaseIntent};
use hub_entities::id::{ClbId, Ids, PrincipalId, PupilId, ReleaseId, SchoolId, TrajectoryId};
use hub_entities::law::consent::Judged;
use hub_entities::policy::secret::{Class, Field, Grant, Part, Step};
use sea_orm::{QueryResult, Value};

use super::consent::{answers, within};
use super::opening::{Unsealing, reached};
use super::several::{Answer, Question};
use super::showcase::{Spot, Told};
use super::writing::{self, Changed, Stepping};
use super::{Secrets, key};
use crate::keys::{self, Place};
use crate::store::DbError;
use crate::store::asked::Words;
use crate::store::sql::{execute, rows};
use crate::store::transaction::Transaction;

/// What the school is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// What it is about, in a line.
    pub title: String,
    /// What the school is to know or to do.
    pub advice: String,
    /// What the school may use it for.
    pub purpose: String,
}

/// A release that is to be made.
#[derive(Clone, PartialEq, Eq)]
pub struct New {
    /// In which trajectory.
    pub trajectory: TrajectoryId,
    /// To which school.
    pub school: SchoolId,
    /// Whether something of it is health data.
    pub health: bool,
    /// What it is told.
    pub content: Content,
    /// The first day it may read it no longer.
    pub ends_on: NaiveDate,
}

/// A release as it stands, opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Release {
    /// Its id.
    pub id: ReleaseId,
    /// In which trajectory.
    pub trajectory: TrajectoryId,
    /// To which school.
    pub school: SchoolId,
    /// Whether something of it is health data.
    pub health: bool,
    /// What it was told.
    pub content: Content,
    /// Who released it.
    pub author: PrincipalId,
    /// When.
    pub released_at: DateTime<Utc>,
    /// The first day it may read it no longer.
    pub ends_on: NaiveDate,
    /// Why it reads it no longer, and since when.
    pub over: Option<(Over, DateTime<Utc>)>,
    /// Rises with every change.
    pub version: i32,
}

macro_rules! secret {
    ($($name:ident),*) => {
        $(impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                // A secret is written into no log.
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        })*
    };
}
secret!(Content, New, Release);

/// What consent is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharing {
    /// Whether it is to be released now, or goes on being so.
    pub anew: bool,
    /// Whether something of it is health data.
    pub health: bool,
    /// The first day the school may read it no longer.
    pub ends_on: NaiveDate,
}

/// Whether consent covers a release until its end: what teams decided of the minor, and the answers about the trajectory.
pub type Covers<'a> = &'a (dyn Fn(&[Judged], &[Consent], Sharing) -> bool + Send + Sync);

/// What came of releasing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// It is released.
    Done(ReleaseId),
    /// No consent covers it.
    NotNow,
    /// There is no such open trajectory within the grant.
    Unknown,
}

const fn place(clb: ClbId, dossier: PupilId, id: ReleaseId, column: &'static str) -> Place {
    Place {
        clb,
        dossier,
        table: "school_release",
        column,
        row: id.0,
    }
}

/// What was read of the fields of some grants, and is not opened yet.
pub(super) struct Sealed(Vec<(PupilId, Release, [Vec<u8>; 3])>);

impl Sealed {
    /// Whose dossiers something sealed was read of.
    pub(super) fn pupils(&self) -> impl Iterator<Item = PupilId> {
        self.0.iter().map(|(pupil, ..)| *pupil)
    }

    /// Opens it.
    pub(super) fn open(self, with: &Unsealing<'_>) -> Result<HashMap<(PupilId, Field), Vec<Release>>, DbError> {
        let mut all: HashMap<(PupilId, Field), Vec<Release>> = HashMap::new();
        for (pupil, mut release, [title, advice, purpose]) in self.0 {
            let text = |column, envelope: &[u8]| with.text(&place(with.clb, pupil, release.id, column), envelope);
            release.content = Content {
                title: text("title", &title)?,
                advice: text("advice", &advice)?,
                purpose: text("purpose", &purpose)?,
            };
            if let Some(field) = Field::new(Class::Shared, Part::Releases) {
                all.entry((pupil, field)).or_default().push(release);
            }
        }
        Ok(all)
    }
}

/// The question for what these grants reach.
pub(super) fn question(table: &'static str, clb: ClbId, grants: &[&Grant]) -> Option<Question> {
    let from = Words::default()
        .say("from school_release r join ")
        .say(table)
        .say(" on t.id = r.trajectory_id and t.clb_id = r.clb_id and t.pupil_id = r.pupil_id where r.clb_id = ?");
    let from = reached(from.id(clb.0), grants, |_| None)?;
    Some(Question {
        columns: vec![
            ("r.pupil_id", "uuid"),
            ("r.id", "uuid"),
            ("r.trajectory_id", "uuid"),
            ("r.school_id", "uuid"),
            ("r.health", "boolean"),
            ("r.author", "uuid"),
            ("r.released_at", "timestamptz"),
            ("r.ends_on", "date"),
            ("r.over_for", "text"),
            ("r.over_at", "timestamptz"),
            ("r.version", "integer"),
            ("r.title", "bytea"),
            ("r.advice", "bytea"),
            ("r.purpose", "bytea"),
        ],
        from,
    })
}

/// What was answered to it.
pub(super) fn read(rows: &[Answer]) -> Result<Sealed, DbError> {
    let mut sealed = Vec::with_capacity(rows.len());
    for row in rows {
        let over: Option<Over> = row.get(8)?;
        let release = Release {
            id: row.get(1)?,
            trajectory: row.get(2)?,
            school: row.get(3)?,
            health: row.get(4)?,
            content: Content {
                title: String::new(),
                advice: String::new(),
                purpose: String::new(),
            },
            author: row.get(5)?,
            released_at: row.get(6)?,
            ends_on: row.get(7)?,
            over: over.zip(row.get(9)?),
            version: row.get(10)?,
        };
        let sealed_texts = [row.get(11)?, row.get(12)?, row.get(13)?];
        sealed.push((row.get(0)?, release, sealed_texts));
    }
    sealed.sort_by_key(|(_, release, _)| (release.released_at, release.id));
    Ok(Sealed(sealed))
}

/// What teams decided of this minor, in the order in which they did.
async fn judged(tx: &Transaction, clb: ClbId, pupil: PupilId) -> Result<Vec<Judged>, DbError> {
    let text = "select judged, judged_on from capability where clb_id = ? and pupil_id = ?
         order by judged_on, written_at, id";
    let one = |row: &QueryResult| {
        Ok(Judged {
            capability: row.try_get_by_index(0)?,
            from: row.try_get_by_index(1)?,
        })
    };
    let found = rows(tx, text, vec![clb.into(), pupil.into()]).await?;
    found.iter().map(one).collect()
}

/// From here until the transaction ends, consent and what rests on it change in one order: whoever releases has read the
/// answers that stand, and whoever changes an answer finds what was released under it.
async fn lock(
    secrets: &Secrets,
    tx: &Transaction,
    (clb, pupil): (ClbId, PupilId),
    trajectory: Option<TrajectoryId>,
) -> Result<Vec<TrajectoryId>, DbError> {
    let lock = secrets.apart.dialect.for_update();
    let (one, more) = match trajectory {
        Some(trajectory) => ("and id = ?", vec![Value::from(trajectory)]),
        None => ("", Vec::new()),
    };
    let text = format!("select id from trajectory where clb_id = ? and pupil_id = ? {one} order by id {lock}");
    let values = [vec![Value::from(clb), pupil.into()], more].concat();
    let found = rows(tx, &text, values).await?;
    found.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}

/// Releases to a school, in a trajectory of the grant, where `covers` says that consent covers it: what is told into the
/// dossier, and in the same transaction the copy on its way.
pub async fn release(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    new: &New,
    covers: Covers<'_>,
) -> Result<Made, DbError> {
    let tx = by.begin(secrets, Step::Release).await?;
    let (clb, pupil) = (by.clb, by.grant.pupil());
    lock(secrets, &tx, (clb, pupil), Some(new.trajectory)).await?;
    let made = if within(&tx, &by, new.trajectory, true).await?.is_none() {
        Made::Unknown
    } else {
        let sharing = Sharing {
            anew: true,
            health: new.health,
            ends_on: new.ends_on,
        };
        let answers = answers(&tx, clb, new.trajectory).await?;
        if covers(&judged(&tx, clb, pupil).await?, &answers, sharing) {
            let id = ReleaseId(ids.blind());
            put(&tx, secrets, ids, &by, (id, new)).await?;
            show(&tx, secrets, ids, &by, (id, new)).await?;
            Made::Done(id)
        } else {
            Made::NotNow
        }
    };
    tx.commit().await?;
    Ok(made)
}

/// What is told, into the dossier.
async fn put(
    tx: &Transaction,
    secrets: &Secrets,
    ids: &dyn Ids,
    by: &Stepping<'_>,
    (id, new): (ReleaseId, &New),
) -> Result<(), DbError> {
    let pupil = by.grant.pupil();
    let data_key = key::make(tx, &*secrets.vault, ids, by.clb, pupil).await?;
    let seal = |column, text: &str| keys::seal_afresh(&data_key, &place(by.clb, pupil, id, column), text.as_bytes());
    let values: Vec<Value> = vec![
        id.into(),
        by.clb.into(),
        pupil.into(),
        new.trajectory.into(),
        new.school.into(),
        new.health.into(),
        seal("title", &new.content.title)?.into(),
        seal("advice", &new.content.advice)?.into(),
        seal("purpose", &new.content.purpose)?.into(),
        by.grant.viewer().into(),
        by.line.at.into(),
        new.ends_on.into(),
    ];
    execute(
        tx,
        "insert into school_release (id, clb_id, pupil_id, trajectory_id, school_id, health, title, advice, purpose, author,
             released_at, ends_on, version)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
        values,
    )
    .await?;
    Ok(())
}

/// The copy, on its way to the main store: sealed for its place there, with a key of its own.
async fn show(
    tx: &Transaction,
    secrets: &Secrets,
    ids: &dyn Ids,
    by: &Stepping<'_>,
    (id, new): (ReleaseId, &New),
) -> Result<(), DbError> {
    let pupil = by.grant.pupil();
    let spot = Spot {
        clb: by.clb,
        pupil,
        release: id,
    };
    let told = Told {
        school: new.school,
        ends_on: new.ends_on,
        title: new.content.title.clone(),
        advice: new.content.advice.clone(),
        purpose: new.content.purpose.clone(),
    };
    let sealed = secrets.copy(ids, spot, &told).await?;
    let values: Vec<Value> = vec![
        id.into(),
        ReleaseIntent::Show.into(),
        by.clb.into(),
        pupil.into(),
        new.school.into(),
        new.ends_on.into(),
        sealed.key.0.into(),
        sealed.wrapped.version.into(),
        sealed.wrapped.bytes.into(),
        sealed.envelope.into(),
        by.line.at.into(),
    ];
    execute(
        tx,
        "insert into release_intent (release_id, kind, clb_id, pupil_id, school_id, ends_on, text_key, kek_version, wrapped,
             sealed, at)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    )
    .await?;
    Ok(())
}

/// Takes a release of the grant back.
pub async fn revoke(
    secrets: &Secrets,
    by: Stepping<'_>,
    (release, read): (ReleaseId, i32),
) -> Result<Changed, DbError> {
    let tx = by.begin(secrets, Step::Release).await?;
    let of = ("school_release", release.0);
    let changed = match writing::locked(secrets, &tx, &by, of, read).await? {
        Err(changed) => changed,
        Ok(_trajectory) => {
            let who = (by.clb, Some(by.grant.viewer()), by.line.at);
            if is_over(&tx, who, release, Over::Revoked).await? {
                Changed::Done(read.saturating_add(1))
            } else {
                Changed::NotNow
            }
        }
    };
    tx.commit().await?;
    Ok(changed)
}

/// A release is over, unless it was so before; the copy goes from the main store. Says whether it is over by this.
pub(super) async fn is_over(
    tx: &Transaction,
    (clb, by, at): (ClbId, Option<PrincipalId>, DateTime<Utc>),
    release: ReleaseId,
    why: Over,
) -> Result<bool, DbError> {
    let text = "update school_release set over_for = ?, over_by = ?, over_at = ?, version = version + 1
         where clb_id = ? and id = ? and over_for is null";
    let values: Vec<Value> = vec![why.into(), by.into(), at.into(), clb.into(), release.into()];
    let changed = execute(tx, text, values).await?;
    take_back(tx, (clb, at), release).await?;
    Ok(changed > 0)
}

/// The main store is to take a copy back; one that is still on its way does not get there.
async fn take_back(tx: &Transaction, (clb, at): (ClbId, DateTime<Utc>), release: ReleaseId) -> Result<(), DbError> {
    let text = "update release_intent set wrapped = null, sealed = null, applied_at = ?
         where clb_id = ? and release_id = ? and kind = ? and applied_at is null";
    let values: Vec<Value> = vec![at.into(), clb.into(), release.into(), ReleaseIntent::Show.into()];
    execute(tx, text, values).await?;
    let text = "insert into release_intent (release_id, kind, clb_id, at) values (?, ?, ?, ?)
         on conflict (release_id, kind) do nothing";
    let values: Vec<Value> = vec![release.into(), ReleaseIntent::TakeBack.into(), clb.into(), at.into()];
    execute(tx, text, values).await?;
    Ok(())
}

/// Consent has changed about this trajectory, or about the pupil in all of them: what it covers no longer is taken back, in
/// the same transaction.
pub(super) async fn follow_consent(
    secrets: &Secrets,
    tx: &Transaction,
    by: &Stepping<'_>,
    trajectory: Option<TrajectoryId>,
    covers: Covers<'_>,
) -> Result<(), DbError> {
    let (clb, pupil) = (by.clb, by.grant.pupil());
    let trajectories = lock(secrets, tx, (clb, pupil), trajectory).await?;
    let text = "select id, trajectory_id, health, ends_on from school_release
         where clb_id = ? and pupil_id = ? and over_for is null order by id";
    let standing = rows(tx, text, vec![clb.into(), pupil.into()]).await?;
    if standing.is_empty() {
        return Ok(());
    }
    let judged = judged(tx, clb, pupil).await?;
    for row in standing {
        let of: TrajectoryId = row.try_get_by_index(1)?;
        let sharing = Sharing {
            anew: false,
            health: row.try_get_by_index(2)?,
            ends_on: row.try_get_by_index(3)?,
        };
        if trajectories.contains(&of) && !covers(&judged, &answers(tx, clb, of).await?, sharing) {
            let who = (clb, Some(by.grant.viewer()), by.line.at);
            is_over(tx, who, row.try_get_by_index(0)?, Over::Consent).await?;
        }
    }
    Ok(())
}

/// What was released of an erased dossier goes from the main store too: nothing of it is on its way any more, and that it
/// goes is all that stays here.
pub(super) async fn erased(tx: &Transaction, (clb, pupil): (ClbId, PupilId), at: DateTime<Utc>) -> Result<(), DbError> {
    let text = "select id from school_release where clb_id = ? and pupil_id = ? order by id";
    for row in rows(tx, text, vec![clb.into(), pupil.into()]).await? {
        let release: ReleaseId = row.try_get_by_index(0)?;
        take_back(tx, (clb, at), release).await?;
        let text = "delete from release_intent where clb_id = ? and release_id = ? and kind = ?";
        execute(tx, text, vec![clb.into(), release.into(), ReleaseIntent::Show.into()]).await?;
    }
    Ok(())
}
