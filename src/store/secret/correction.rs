//! What persons ask of entries that were opened to them, and what teams do about it: each step with its line.
//!
//! A correction is a new version of the entry, and the former one is kept. Own words are an entry of their own. What is left out
//! is gone: every version of its text is deleted, and a row without content stays, so that the log still speaks of something.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::dossier::correction::{CorrectionKind, CorrectionState, may_be_left_out};
use hub_entities::dossier::entry::{About, ClosedGrounds};
use hub_entities::dossier::trajectory::Obligation;
use hub_entities::id::{ClbId, CorrectionId, EntryId, Ids, PrincipalId, PupilId, TrajectoryId};
use hub_entities::operation::Role;
use hub_entities::policy::secret::{Asked, Class, EntryFacts, Grant, Step};
use sea_orm::{QueryResult, Value};

use super::line::{self, Line};
use super::opening::{ADDED_TO, OPENNESS, text_in};
use super::several::names;
use super::writing::{self, Changed, Stepping, Written};
use super::{Secrets, key};
use crate::keys::{self, DataKey, Place};
use crate::store::DbError;
use crate::store::sql::{execute, list, list_from, row, rows};
use crate::store::transaction::Transaction;

/// The most requests of one CLB that are shown at once: the oldest.
const MOST: i64 = 200;

/// An entry that a person names: where it is, and what decides whether it is there for that person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// At which CLB.
    pub clb: ClbId,
    /// In which trajectory.
    pub trajectory: TrajectoryId,
    /// Of which class.
    pub class: Class,
    /// Its version.
    pub version: i32,
    /// Whom it is about, and what closes it.
    pub facts: EntryFacts,
}

/// A request that is to be written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct New<'a> {
    /// About which entry.
    pub entry: EntryId,
    /// Where that is.
    pub named: Named,
    /// As pupil or as parent.
    pub asked_as: Role,
    /// What is asked.
    pub kind: CorrectionKind,
    /// The last day on which it is answered in time, where a term is known.
    pub answer_by: Option<NaiveDate>,
    /// What it should say, the own words, or why it is to be left out.
    pub text: &'a str,
}

/// A request, for the person who made it.
#[derive(Clone, PartialEq, Eq)]
pub struct Own {
    /// Its id.
    pub id: CorrectionId,
    /// About which entry.
    pub entry: EntryId,
    /// What is asked.
    pub kind: CorrectionKind,
    /// When it was asked.
    pub at: DateTime<Utc>,
    /// The last day on which it is answered in time.
    pub answer_by: Option<NaiveDate>,
    /// In the person's own words.
    pub text: String,
    /// How far it has come.
    pub state: CorrectionState,
    /// When it was answered.
    pub answered_at: Option<DateTime<Utc>>,
    /// Why it was refused, if it was.
    pub answer: Option<String>,
}

/// A request that waits, for who answers it.
#[derive(Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its id.
    pub id: CorrectionId,
    /// About whom.
    pub pupil: PupilId,
    /// About which entry.
    pub entry: EntryId,
    /// The version of it that the person read.
    pub entry_version: i32,
    /// In which trajectory that is.
    pub trajectory: TrajectoryId,
    /// Who asks.
    pub by: PrincipalId,
    /// As pupil or as parent.
    pub asked_as: Role,
    /// When.
    pub at: DateTime<Utc>,
    /// The last day on which it is answered in time.
    pub answer_by: Option<NaiveDate>,
    /// What is asked.
    pub kind: CorrectionKind,
    /// In the person's own words.
    pub text: String,
    /// Rises with every change.
    pub version: i32,
}

/// What is decided on where a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// About whom it is.
    pub pupil: PupilId,
    /// In which class.
    pub class: Class,
    /// In which trajectory.
    pub trajectory: TrajectoryId,
    /// What is asked.
    pub kind: CorrectionKind,
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
secret!(New<'_>, Own, Standing);

const fn place(clb: ClbId, dossier: PupilId, id: CorrectionId, column: &'static str) -> Place {
    Place {
        clb,
        dossier,
        table: "correction_request",
        column,
        row: id.0,
    }
}

const KEY_GONE: DbError = DbError::Unreadable {
    column: "dossier_key.id",
};

const fn class(medical: bool, domain: hub_entities::dossier::Domain) -> Class {
    if medical { Class::Medical } else { Class::of(domain) }
}

/// Where an entry of this pupil is, at one of these CLBs: what is decided on. One that was left out, another pupil's and one
/// that never was are nowhere alike.
pub async fn named(
    secrets: &Secrets,
    clbs: &[ClbId],
    pupil: PupilId,
    entry: EntryId,
) -> Result<Option<Named>, DbError> {
    let tx = secrets.apart.within(clbs).await?;
    let text = format!(
        "select e.clb_id, e.trajectory_id, e.medical, t.domain, e.version, {}
         from entry e join trajectory t on t.id = e.trajectory_id and t.clb_id = e.clb_id {ADDED_TO}
         where e.clb_id in ? and e.pupil_id = ? and e.id = ? and e.left_out_at is null",
        names(&OPENNESS)
    );
    let found = row(&tx, &text, vec![list(clbs), pupil.into(), entry.into()]).await?;
    tx.commit().await?;
    let named = |row: QueryResult| {
        let (about, closed): (About, ClosedGrounds) = (row.try_get_by_index(5)?, row.try_get_by_index(6)?);
        Ok(Named {
            clb: row.try_get_by_index(0)?,
            trajectory: row.try_get_by_index(1)?,
            class: class(row.try_get_by_index(2)?, row.try_get_by_index(3)?),
            version: row.try_get_by_index(4)?,
            facts: EntryFacts {
                about,
                about_the_viewer: false,
                closed,
            },
        })
    };
    found.map(named).transpose()
}

/// A person asks something of an entry; nothing where one of the same kind waits for it already.
pub async fn ask(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    new: New<'_>,
) -> Result<Option<CorrectionId>, DbError> {
    let tx = by.begin(secrets, Step::AskCorrection).await?;
    let (pupil, id) = (by.grant.pupil(), CorrectionId(ids.blind()));
    let data_key = key::make(&tx, &*secrets.vault, ids, by.clb, pupil).await?;
    let values: Vec<Value> = vec![
        id.into(),
        by.clb.into(),
        pupil.into(),
        new.entry.into(),
        new.named.version.into(),
        new.named.trajectory.into(),
        by.grant.asked().class().into(),
        by.grant.viewer().into(),
        new.asked_as.into(),
        by.line.at.into(),
        new.answer_by.into(),
        new.kind.into(),
        keys::seal_afresh(&data_key, &place(by.clb, pupil, id, "text"), new.text.as_bytes())?.into(),
        CorrectionState::Waiting.into(),
    ];
    let written = execute(
        &tx,
        "insert into correction_request (id, clb_id, pupil_id, entry_id, entry_version, trajectory_id, class, requested_by,
             asked_as, requested_at, answer_by, kind, text, state, version)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1) on conflict do nothing",
        values,
    )
    .await?;
    tx.commit().await?;
    Ok((written > 0).then_some(id))
}

/// What a person asked of entries, not opened yet.
pub(super) struct SealedOwn {
    own: Own,
    text: Vec<u8>,
    answer: Option<Vec<u8>>,
}

/// What the person of the grant asked of entries at this CLB, the oldest first.
pub(super) async fn own(tx: &Transaction, clb: ClbId, grant: &Grant) -> Result<Vec<SealedOwn>, DbError> {
    let text =
        "select id, entry_id, kind, requested_at, answer_by, state, answered_at, text, answer from correction_request
         where clb_id = ? and requested_by = ? and pupil_id = ? order by requested_at, id";
    let values: Vec<Value> = vec![clb.into(), grant.viewer().into(), grant.pupil().into()];
    let one = |row: &QueryResult| {
        Ok(SealedOwn {
            own: Own {
                id: row.try_get_by_index(0)?,
                entry: row.try_get_by_index(1)?,
                kind: row.try_get_by_index(2)?,
                at: row.try_get_by_index(3)?,
                answer_by: row.try_get_by_index(4)?,
                text: String::new(),
                state: row.try_get_by_index(5)?,
                answered_at: row.try_get_by_index(6)?,
                answer: None,
            },
            text: row.try_get_by_index(7)?,
            answer: row.try_get_by_index(8)?,
        })
    };
    rows(tx, text, values).await?.iter().map(one).collect()
}

impl SealedOwn {
    /// Opens it with the key of that dossier.
    pub(super) fn open(self, clb: ClbId, dossier: PupilId, data_key: Option<&DataKey>) -> Result<Own, DbError> {
        let data_key = data_key.ok_or(KEY_GONE)?;
        let id = self.own.id;
        let text = text_in(data_key, &place(clb, dossier, id, "text"), &self.text)?;
        let answer = self
            .answer
            .map(|answer| text_in(data_key, &place(clb, dossier, id, "answer"), &answer));
        Ok(Own {
            text,
            answer: answer.transpose()?,
            ..self.own
        })
    }
}

/// What is decided on where this is answered.
pub async fn facts_of(secrets: &Secrets, clb: ClbId, id: CorrectionId) -> Result<Option<Facts>, DbError> {
    let tx = secrets.apart.within(&[clb]).await?;
    let text = "select pupil_id, class, trajectory_id, kind from correction_request where clb_id = ? and id = ?";
    let found = row(&tx, text, vec![clb.into(), id.into()]).await?;
    tx.commit().await?;
    let facts = |row: QueryResult| {
        Ok(Facts {
            pupil: row.try_get_by_index(0)?,
            class: row.try_get_by_index(1)?,
            trajectory: row.try_get_by_index(2)?,
            kind: row.try_get_by_index(3)?,
        })
    };
    found.map(facts).transpose()
}

/// About whom something waits at a CLB, whoever waits longest first: what is decided on.
pub async fn waiting(secrets: &Secrets, clb: ClbId) -> Result<Vec<PupilId>, DbError> {
    let tx = secrets.apart.within(&[clb]).await?;
    let text = "select pupil_id from correction_request where clb_id = ? and state = ?
         group by pupil_id order by min(requested_at), pupil_id limit ?";
    let values: Vec<Value> = vec![clb.into(), CorrectionState::Waiting.into(), MOST.into()];
    let found = rows(&tx, text, values).await?;
    tx.commit().await?;
    found.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}

/// Writes the lines, and opens what waits in the trajectories that the grants reach, the oldest first, and in no other.
pub async fn open_waiting(
    secrets: &Secrets,
    clb: ClbId,
    grants: &[Grant],
    lines: &[Line],
) -> Result<Vec<Standing>, DbError> {
    let answers = |grant: &&Grant| matches!(grant.asked(), Asked::Do(Step::AnswerRequest, _));
    let grants: Vec<&Grant> = grants.iter().filter(answers).collect();
    let pupils: BTreeSet<PupilId> = grants.iter().map(|grant| grant.pupil()).collect();
    let tx = secrets.apart.within(&[clb]).await?;
    line::write(&tx, lines).await?;
    let text =
        "select id, pupil_id, entry_id, entry_version, trajectory_id, class, requested_by, asked_as, requested_at,
             answer_by, kind, version, text
         from correction_request where clb_id = ? and pupil_id in ? and state = ? order by requested_at, id limit ?";
    let values: Vec<Value> = vec![
        clb.into(),
        list_from(pupils.iter().copied()),
        CorrectionState::Waiting.into(),
        MOST.into(),
    ];
    let found = rows(&tx, text, values).await?;
    let wrapped = key::of_pupils(&tx, clb, pupils).await?;
    tx.commit().await?;
    let data_keys = key::unwrapped(&*secrets.vault, &wrapped).await?;
    let mut all = Vec::with_capacity(found.len());
    for row in found {
        let (id, pupil): (CorrectionId, PupilId) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let (trajectory, class): (TrajectoryId, Class) = (row.try_get_by_index(4)?, row.try_get_by_index(5)?);
        let own =
            |grant: &&Grant| grant.pupil() == pupil && grant.asked().class() == class && grant.reaches(trajectory);
        // Of another team's trajectory nothing is even unsealed.
        if !grants.iter().any(own) {
            continue;
        }
        let envelope: Vec<u8> = row.try_get_by_index(12)?;
        let data_key = data_keys.get(&pupil).ok_or(KEY_GONE)?;
        all.push(Standing {
            id,
            pupil,
            entry: row.try_get_by_index(2)?,
            entry_version: row.try_get_by_index(3)?,
            trajectory,
            by: row.try_get_by_index(6)?,
            asked_as: row.try_get_by_index(7)?,
            at: row.try_get_by_index(8)?,
            answer_by: row.try_get_by_index(9)?,
            kind: row.try_get_by_index(10)?,
            version: row.try_get_by_index(11)?,
            text: text_in(data_key, &place(clb, pupil, id, "text"), &envelope)?,
        });
    }
    Ok(all)
}

/// A request that waits, locked until the transaction ends.
struct Waits {
    entry: EntryId,
    trajectory: TrajectoryId,
    by: PrincipalId,
    asked_as: Role,
    kind: CorrectionKind,
    text: Vec<u8>,
}

/// The request of the grant's pupil in this version, if it waits and the grant reaches its trajectory.
async fn locked(
    secrets: &Secrets,
    tx: &Transaction,
    by: &Stepping<'_>,
    (id, read): (CorrectionId, i32),
) -> Result<Result<Waits, Changed>, DbError> {
    let lock = secrets.apart.dialect.for_update();
    let text = format!(
        "select entry_id, trajectory_id, requested_by, asked_as, kind, text, state, version from correction_request
         where clb_id = ? and pupil_id = ? and class = ? and id = ? {lock}"
    );
    let class = by.grant.asked().class();
    let values: Vec<Value> = vec![by.clb.into(), by.grant.pupil().into(), class.into(), id.into()];
    let Some(found) = row(tx, &text, values).await? else {
        return Ok(Err(Changed::Unknown));
    };
    let waits = Waits {
        entry: found.try_get_by_index(0)?,
        trajectory: found.try_get_by_index(1)?,
        by: found.try_get_by_index(2)?,
        asked_as: found.try_get_by_index(3)?,
        kind: found.try_get_by_index(4)?,
        text: found.try_get_by_index(5)?,
    };
    let (state, version): (CorrectionState, i32) = (found.try_get_by_index(6)?, found.try_get_by_index(7)?);
    Ok(match state {
        _ if !by.reaches(waits.trajectory) => Err(Changed::Unknown),
        _ if version != read => Err(Changed::Stale(version)),
        CorrectionState::Waiting => Ok(waits),
        CorrectionState::Granted | CorrectionState::Refused => Err(Changed::NotNow),
    })
}

/// It is answered: so, for this reason.
async fn answered(
    tx: &Transaction,
    by: &Stepping<'_>,
    (id, read): (CorrectionId, i32),
    (state, answer): (CorrectionState, Option<Vec<u8>>),
) -> Result<Changed, DbError> {
    let next = read.saturating_add(1);
    let values: Vec<Value> = vec![
        state.into(),
        by.grant.viewer().into(),
        by.line.at.into(),
        answer.into(),
        next.into(),
        by.clb.into(),
        id.into(),
    ];
    let text = "update correction_request set state = ?, answered_by = ?, answered_at = ?, answer = ?, version = ?
         where clb_id = ? and id = ?";
    execute(tx, text, values).await?;
    Ok(Changed::Done(next))
}

/// Refuses a request that waits, for a reason that the person reads.
pub async fn refuse(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    of: (CorrectionId, i32),
    reason: &str,
) -> Result<Changed, DbError> {
    let tx = by.begin(secrets, Step::AnswerRequest).await?;
    let changed = if let Err(changed) = locked(secrets, &tx, &by, of).await? {
        changed
    } else {
        let pupil = by.grant.pupil();
        let data_key = key::make(&tx, &*secrets.vault, ids, by.clb, pupil).await?;
        let reason = keys::seal_afresh(&data_key, &place(by.clb, pupil, of.0, "answer"), reason.as_bytes())?;
        answered(&tx, &by, of, (CorrectionState::Refused, Some(reason))).await?
    };
    tx.commit().await?;
    Ok(changed)
}

/// Does what is asked, to the entry of this version: what is corrected says this from now on.
pub async fn grant(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    of: (CorrectionId, i32),
    (entry_version, corrected): (i32, Option<&str>),
) -> Result<Changed, DbError> {
    let tx = by.begin(secrets, Step::AnswerRequest).await?;
    let changed = match locked(secrets, &tx, &by, of).await? {
        Err(changed) => changed,
        Ok(waits) => match done(secrets, ids, &tx, &by, (of.0, &waits), (entry_version, corrected)).await? {
            Changed::Done(_) => answered(&tx, &by, of, (CorrectionState::Granted, None)).await?,
            other => other,
        },
    };
    tx.commit().await?;
    Ok(changed)
}

async fn done(
    secrets: &Secrets,
    ids: &dyn Ids,
    tx: &Transaction,
    by: &Stepping<'_>,
    (id, waits): (CorrectionId, &Waits),
    (read, corrected): (i32, Option<&str>),
) -> Result<Changed, DbError> {
    let lock = secrets.apart.dialect.for_update();
    let text = format!(
        "select e.version, e.medical, e.about, e.own_words, t.obligation, t.lapsed_at, e.adds_to from entry e
         join trajectory t on t.id = e.trajectory_id and t.clb_id = e.clb_id
         where e.clb_id = ? and e.pupil_id = ? and e.id = ? and e.left_out_at is null {lock}"
    );
    let values: Vec<Value> = vec![by.clb.into(), by.grant.pupil().into(), waits.entry.into()];
    let Some(found) = row(tx, &text, values).await? else {
        // It was left out meanwhile: nothing can be done to it any more.
        return Ok(Changed::NotNow);
    };
    let (version, own_words): (i32, Option<Role>) = (found.try_get_by_index(0)?, found.try_get_by_index(3)?);
    let (medical, about): (bool, About) = (found.try_get_by_index(1)?, found.try_get_by_index(2)?);
    let obligation: Option<Obligation> = found.try_get_by_index(4)?;
    let lapsed_at: Option<DateTime<Utc>> = found.try_get_by_index(5)?;
    let adds_to: Option<EntryId> = found.try_get_by_index(6)?;
    if version != read {
        return Ok(Changed::Stale(version));
    }
    let next = version.saturating_add(1);
    match (waits.kind, corrected) {
        (CorrectionKind::Correct, Some(corrected)) if own_words.is_none() => {
            let text = (waits.entry, next, by.grant.viewer());
            writing::put_text(tx, secrets, ids, by, text, corrected).await?;
            let text = "update entry set version = ? where clb_id = ? and id = ?";
            execute(tx, text, vec![next.into(), by.clb.into(), waits.entry.into()]).await?;
        }
        (CorrectionKind::Add, _) => {
            let pupil = by.grant.pupil();
            let data_key = key::make(tx, &*secrets.vault, ids, by.clb, pupil).await?;
            let words = Written {
                closed: ClosedGrounds::NONE,
                about,
                text: text_in(&data_key, &place(by.clb, pupil, id, "text"), &waits.text)?,
            };
            let added = writing::put_entry(tx, ids, by, (waits.trajectory, medical), &words).await?;
            writing::put_text(tx, secrets, ids, by, (added, 1, waits.by), &words.text).await?;
            let text = "update entry set own_words = ?, adds_to = ? where clb_id = ? and id = ?";
            let values: Vec<Value> = vec![
                waits.asked_as.into(),
                // What is added to what was added is as open as that.
                adds_to.unwrap_or(waits.entry).into(),
                by.clb.into(),
                added.into(),
            ];
            execute(tx, text, values).await?;
        }
        (CorrectionKind::LeaveOut, _) if may_be_left_out(obligation, lapsed_at.is_some()) => {
            let text = "delete from entry_text where clb_id = ? and entry_id = ?";
            execute(tx, text, vec![by.clb.into(), waits.entry.into()]).await?;
            let text = "update entry set version = ?, left_out_at = ? where clb_id = ? and id = ?";
            let values: Vec<Value> = vec![next.into(), by.line.at.into(), by.clb.into(), waits.entry.into()];
            execute(tx, text, values).await?;
        }
        (CorrectionKind::Correct | CorrectionKind::LeaveOut, _) => return Ok(Changed::NotNow),
    }
    Ok(Changed::Done(next))
}
