//! Referrals to partners outside (draaischijf): noted with their line, and never overwritten. A partner is told only under
//! the consent of who decides.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use hub_entities::dossier::Domain;
use hub_entities::dossier::consent::Consent;
use hub_entities::dossier::trajectory::{PartnerSector, ReferralState};
use hub_entities::id::{ClbId, Ids, PrincipalId, PupilId, ReferralId, TrajectoryId};
use hub_entities::policy::secret::{Class, Field, Grant, Part, Step};
use sea_orm::Value;
use uuid::Uuid;

use super::consent::{answers, within};
use super::opening::{Unsealing, reached, text_in};
use super::several::{Answer, Column, Question, names};
use super::writing::{self, Changed, Stepping};
use super::{Secrets, key};
use crate::keys::{self, DataKey, Place};
use crate::store::DbError;
use crate::store::asked::Words;
use crate::store::sql::{execute, row};
use crate::store::transaction::Transaction;

/// To whom, and why.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// To which sector.
    pub sector: PartnerSector,
    /// To whom.
    pub partner: String,
    /// Why.
    pub reason: String,
}

/// A referral as it stands, opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Referral {
    /// Its id.
    pub id: ReferralId,
    /// In which trajectory.
    pub trajectory: TrajectoryId,
    /// To whom, and why.
    pub content: Content,
    /// How far it has come.
    pub state: ReferralState,
    /// What came of it.
    pub outcome: Option<String>,
    /// Who noted this version.
    pub author: PrincipalId,
    /// When.
    pub written_at: DateTime<Utc>,
    /// Which version it is.
    pub version: i32,
}

/// What changes of a referral.
#[derive(Clone, PartialEq, Eq)]
pub enum Change {
    /// It was noted wrongly.
    Correct(Content),
    /// It has come so far, with what came of it.
    Move(ReferralState, Option<String>),
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
secret!(Content, Referral, Change);

/// Whether a partner may be told, under these answers about the trajectory.
pub type MayTell<'a> = &'a (dyn Fn(&[Consent]) -> bool + Send + Sync);

const fn place(clb: ClbId, dossier: PupilId, row: Uuid, column: &'static str) -> Place {
    Place {
        clb,
        dossier,
        table: "referral_said",
        column,
        row,
    }
}

const SAID: [Column; 8] = [
    ("x.id", "uuid"),
    ("x.sector", "text"),
    ("x.state", "text"),
    ("x.partner", "bytea"),
    ("x.reason", "bytea"),
    ("x.outcome", "bytea"),
    ("x.author", "uuid"),
    ("x.written_at", "timestamptz"),
];

/// A version, sealed.
struct Version {
    row: Uuid,
    sector: PartnerSector,
    state: ReferralState,
    partner: Vec<u8>,
    reason: Vec<u8>,
    outcome: Option<Vec<u8>>,
    author: PrincipalId,
    written_at: DateTime<Utc>,
}

impl Version {
    /// From the columns of [`SAID`].
    fn read(row: &Answer) -> Result<Self, DbError> {
        Ok(Self {
            row: row.get(0)?,
            sector: row.get(1)?,
            state: row.get(2)?,
            partner: row.get(3)?,
            reason: row.get(4)?,
            outcome: row.get(5)?,
            author: row.get(6)?,
            written_at: row.get(7)?,
        })
    }

    /// What stands in it: `text` opens a value that stands in a column of its row.
    fn open(
        &self,
        text: impl Fn(&'static str, &[u8]) -> Result<String, DbError>,
    ) -> Result<(Content, Option<String>), DbError> {
        let content = Content {
            sector: self.sector,
            partner: text("partner", &self.partner)?,
            reason: text("reason", &self.reason)?,
        };
        let outcome = self.outcome.as_ref();
        let outcome = outcome.map(|outcome| text("outcome", outcome)).transpose()?;
        Ok((content, outcome))
    }
}

/// What was read of the fields of some grants, and is not opened yet.
pub(super) struct Sealed(Vec<(PupilId, Domain, ReferralId, TrajectoryId, i32, Version)>);

impl Sealed {
    /// Whose dossiers something sealed was read of.
    pub(super) fn pupils(&self) -> impl Iterator<Item = PupilId> {
        self.0.iter().map(|(pupil, ..)| *pupil)
    }

    /// Opens it.
    pub(super) fn open(self, with: &Unsealing<'_>) -> Result<HashMap<(PupilId, Field), Vec<Referral>>, DbError> {
        let mut all: HashMap<(PupilId, Field), Vec<Referral>> = HashMap::new();
        for (pupil, domain, id, trajectory, version, said) in self.0 {
            let text = |column, envelope: &[u8]| with.text(&place(with.clb, pupil, said.row, column), envelope);
            let (content, outcome) = said.open(text)?;
            let referral = Referral {
                id,
                trajectory,
                content,
                state: said.state,
                outcome,
                author: said.author,
                written_at: said.written_at,
                version,
            };
            if let Some(field) = Field::new(Class::of(domain), Part::Referrals) {
                all.entry((pupil, field)).or_default().push(referral);
            }
        }
        Ok(all)
    }
}

/// The question for what these grants reach.
pub(super) fn question(table: &'static str, clb: ClbId, grants: &[&Grant]) -> Option<Question> {
    let from = Words::default().say("from referral r join ").say(table).say(
        " on t.id = r.trajectory_id and t.clb_id = r.clb_id and t.pupil_id = r.pupil_id
         join referral_said x on x.referral_id = r.id and x.version = r.version and x.clb_id = r.clb_id
         where r.clb_id = ?",
    );
    let from = reached(from.id(clb.0), grants, |_| None)?;
    let of_referral = [
        ("t.pupil_id", "uuid"),
        ("t.domain", "text"),
        ("r.id", "uuid"),
        ("t.id", "uuid"),
        ("r.version", "integer"),
        ("t.opened_at", "timestamptz"),
    ];
    Some(Question {
        columns: SAID.into_iter().chain(of_referral).collect(),
        from,
    })
}

/// What was answered to it.
pub(super) fn read(rows: &[Answer]) -> Result<Sealed, DbError> {
    let one = |row: &Answer| {
        let of: (PupilId, Domain, ReferralId, TrajectoryId, i32, Version) = (
            row.get(8)?,
            row.get(9)?,
            row.get(10)?,
            row.get(11)?,
            row.get(12)?,
            Version::read(row)?,
        );
        let begun: DateTime<Utc> = row.get(13)?;
        Ok((begun, of))
    };
    let mut all = rows.iter().map(one).collect::<Result<Vec<_>, DbError>>()?;
    // By the course of guidance, and in it as they were noted.
    all.sort_by_key(|(begun, (.., id, _, _, said))| (*begun, said.written_at, *id));
    Ok(Sealed(all.into_iter().map(|(_, of)| of).collect()))
}

/// Puts a referral to the pupil or the parents: noted in a trajectory of the grant; `None` when there is no such open one.
pub async fn refer(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    trajectory: TrajectoryId,
    content: &Content,
) -> Result<Option<ReferralId>, DbError> {
    let tx = by.begin(secrets, Step::Refer).await?;
    if within(&tx, &by, trajectory, true).await?.is_none() {
        tx.commit().await?;
        return Ok(None);
    }
    let id = ReferralId(ids.blind());
    let pupil = by.grant.pupil();
    let values: Vec<Value> = vec![id.into(), by.clb.into(), pupil.into(), trajectory.into()];
    let text = "insert into referral (id, clb_id, pupil_id, trajectory_id, version) values (?, ?, ?, ?, 1)";
    execute(&tx, text, values).await?;
    let data_key = key::make(&tx, &*secrets.vault, ids, by.clb, pupil).await?;
    put(
        &tx,
        &data_key,
        ids,
        &by,
        (id, 1),
        (content, ReferralState::Proposed, None),
    )
    .await?;
    tx.commit().await?;
    Ok(Some(id))
}

async fn put(
    tx: &Transaction,
    data_key: &DataKey,
    ids: &dyn Ids,
    by: &Stepping<'_>,
    (referral, version): (ReferralId, i32),
    (content, state, outcome): (&Content, ReferralState, Option<&str>),
) -> Result<(), DbError> {
    let row = ids.blind();
    let seal = |column, text: &str| {
        let place = place(by.clb, by.grant.pupil(), row, column);
        keys::seal_afresh(data_key, &place, text.as_bytes())
    };
    let values: Vec<Value> = vec![
        row.into(),
        by.clb.into(),
        by.grant.pupil().into(),
        referral.into(),
        version.into(),
        content.sector.into(),
        state.into(),
        seal("partner", &content.partner)?.into(),
        seal("reason", &content.reason)?.into(),
        outcome.map(|outcome| seal("outcome", outcome)).transpose()?.into(),
        by.grant.viewer().into(),
        by.line.at.into(),
    ];
    execute(
        tx,
        "insert into referral_said (id, clb_id, pupil_id, referral_id, version, sector, state, partner, reason, outcome,
             author, written_at)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    )
    .await?;
    Ok(())
}

/// Corrects a referral of the grant, or moves it on: a new version, and the former stays. A partner is told only where
/// `may_tell` says so of the answers about the trajectory.
pub async fn change(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    (referral, read): (ReferralId, i32),
    change: Change,
    may_tell: MayTell<'_>,
) -> Result<Changed, DbError> {
    let tx = by.begin(secrets, Step::Refer).await?;
    let of = ("referral", referral.0);
    let changed = match writing::locked(secrets, &tx, &by, of, read).await? {
        Err(changed) => changed,
        Ok(trajectory) => {
            let data_key = key::make(&tx, &*secrets.vault, ids, by.clb, by.grant.pupil()).await?;
            let former = former(&tx, &data_key, &by, (referral, read)).await?;
            let tells = matches!(&change, Change::Move(next, _) if next.tells_the_partner());
            let may = !tells || may_tell(&answers(&tx, by.clb, trajectory).await?);
            match changed_to(former, change).filter(|_| may) {
                None => Changed::NotNow,
                Some((content, state, outcome)) => {
                    let said = (&content, state, outcome.as_deref());
                    put(&tx, &data_key, ids, &by, (referral, read.saturating_add(1)), said).await?;
                    writing::raised(&tx, &by, of, read).await?
                }
            }
        }
    };
    tx.commit().await?;
    Ok(changed)
}

type Said = (Content, ReferralState, Option<String>);

/// What a referral is from now on; none where it cannot go there.
fn changed_to((content, state, outcome): Said, change: Change) -> Option<Said> {
    match change {
        Change::Correct(content) => Some((content, state, outcome)),
        Change::Move(next, said) => state.goes_to(next).then_some((content, next, said.or(outcome))),
    }
}

/// A version of a referral, opened.
async fn former(
    tx: &Transaction,
    data_key: &DataKey,
    by: &Stepping<'_>,
    (referral, version): (ReferralId, i32),
) -> Result<Said, DbError> {
    let text = format!(
        "select {} from referral_said x where x.clb_id = ? and x.referral_id = ? and x.version = ?",
        names(&SAID)
    );
    let values: Vec<Value> = vec![by.clb.into(), referral.into(), version.into()];
    let unreadable = DbError::Unreadable {
        column: "referral_said.version",
    };
    let said = Version::read(&row(tx, &text, values).await?.ok_or(unreadable)?.into())?;
    let at = |column, envelope: &[u8]| text_in(data_key, &place(by.clb, by.grant.pupil(), said.row, column), envelope);
    let (content, outcome) = said.open(at)?;
    Ok((content, said.state, outcome))
}
