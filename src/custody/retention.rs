//! For how long something is kept (bewaartermijn; R62): each dossier by the law and by what keeps it, and the access log of basic
//! data by its term. Looking changes nothing. What is erased is looked at once more under its lock, so that whatever was written
//! meanwhile keeps it.

use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::id::{ClbId, DecisionId, Ids, PupilId};
use hub_entities::law::retention::{DossierFacts, Fate, Kind, RetentionLaw, Settings};
use hub_entities::operation::Purpose;
use hub_entities::policy::secret::Class;
use hub_entities::time::{brussels_day, brussels_midnight};

use super::Custody;
use crate::keys::VaultError;
use crate::keys::shredded::ShredList;
use crate::store::DbError;
use crate::store::keeping::{self as basic, Basic};
use crate::store::secret::NOBODY;
use crate::store::secret::keeping::{self, Found};

/// How many dossiers are looked at in one transaction.
const AT_ONCE: u32 = 500;

/// How many lines of the access log are deleted in one transaction.
const LINES: u32 = 5_000;

/// By which law, and what its sources leave open.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The law.
    pub law: &'a RetentionLaw,
    /// What was chosen where its sources differ.
    pub settings: Settings,
}

/// A dossier, and what becomes of it today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The CLB that keeps it.
    pub clb: ClbId,
    /// The pupil whose it is.
    pub pupil: PupilId,
    /// What becomes of it.
    pub becomes: Becomes,
}

/// What becomes of a dossier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Becomes {
    /// What the law says.
    Lawful(Fate),
    /// Its key was destroyed before: an erasure was cut off, or a backup of before it was put back. It goes.
    Destroyed,
}

impl Seen {
    /// Whether it is to be erased.
    pub const fn goes(&self) -> bool {
        matches!(self.becomes, Becomes::Destroyed | Becomes::Lawful(Fate::Due(_)))
    }
}

/// What came of erasing a dossier that was seen to be due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Erased {
    /// It is erased.
    Done,
    /// It stays after all: something was written since, or a hold put.
    Stays(Fate),
    /// Somebody else has erased it.
    Gone,
}

/// Lines of the access log of basic data that are due: through which day, and how many there are.
pub type Lines = (NaiveDate, i64);

impl Terms<'_> {
    fn fate(&self, found: &Found, basic: &Basic, today: NaiveDate) -> Fate {
        let facts = DossierFacts {
            born: basic.born,
            // No source tells the hub that a pupil was in special education, nor that one never was: the longer term counts.
            education: None,
            last_contact: found.last_contact,
            standing: [found.standing.as_slice(), &basic.standing].concat(),
        };
        self.law.fate(&facts, self.settings, today)
    }
}

/// The first instant behind a day.
fn end_of(day: NaiveDate) -> DateTime<Utc> {
    brussels_midnight(day.succ_opt().unwrap_or(day))
}

impl Custody {
    /// What becomes of every dossier today, in the order of CLB and pupil.
    pub async fn dossiers(&self, folder: &Path, terms: Terms<'_>) -> Result<Vec<Seen>, DbError> {
        let destroyed = ShredList::open(folder).map_err(VaultError::from)?;
        let today = brussels_day(self.now);
        let mut all = Vec::new();
        for clb in self.clbs().await? {
            let mut after = NOBODY;
            loop {
                let some = keeping::some(&self.apart, &self.scope, clb, (after, AT_ONCE), self.now).await?;
                let Some(last) = some.last() else { break };
                after = last.pupil;
                let pupils: Vec<PupilId> = some.iter().map(|one| one.pupil).collect();
                let mut basic = basic::of_pupils(&self.db, &self.scope, clb, &pupils, today).await?;
                for one in some {
                    let becomes = if destroyed.has(one.key) {
                        Becomes::Destroyed
                    } else {
                        let basic = basic.remove(&one.pupil).unwrap_or_default();
                        Becomes::Lawful(terms.fate(&one.found, &basic, today))
                    };
                    all.push(Seen {
                        clb,
                        pupil: one.pupil,
                        becomes,
                    });
                }
            }
        }
        Ok(all)
    }

    /// Erases a dossier that was seen to be due, if it is so still: it is locked and looked at again, its key is put on the list
    /// of destroyed ones, copies at schools go, and then its rows, in one transaction. Cut off in between, whoever calls this
    /// again finds its key on the list and goes on.
    pub async fn carry_out(
        &self,
        folder: &Path,
        terms: Terms<'_>,
        seen: &Seen,
        ids: &dyn Ids,
    ) -> Result<Erased, DbError> {
        let Some(locked) = keeping::lock(&self.apart, &self.scope, seen.clb, seen.pupil).await? else {
            return Ok(Erased::Gone);
        };
        let mut destroyed = ShredList::open(folder).map_err(VaultError::from)?;
        if !destroyed.has(locked.key()) {
            let today = brussels_day(self.now);
            let found = locked.found(self.now).await?;
            let basic = basic::of_pupils(&self.db, &self.scope, seen.clb, &[seen.pupil], today).await?;
            let basic = basic.get(&seen.pupil).cloned().unwrap_or_default();
            match terms.fate(&found, &basic, today) {
                Fate::Due(_) => {}
                stays @ Fate::Stays(..) => {
                    locked.leave().await?;
                    return Ok(Erased::Stays(stays));
                }
            }
        }
        let id = DecisionId(ids.blind());
        let mut line = self.line(id, seen.clb, seen.pupil, "erase", Purpose::Operations);
        line.granted = vec![format!("{}=retention", Class::Audit)];
        self.destroy(locked, (seen.clb, seen.pupil), &mut destroyed, &line)
            .await?;
        Ok(Erased::Done)
    }

    /// The lines of the access log of basic data that are due today; nothing where no term is known.
    pub async fn lines_due(&self, terms: Terms<'_>) -> Result<Option<Lines>, DbError> {
        let today = brussels_day(self.now);
        let Some(day) = terms.law.due_until(Kind::AccessLog, terms.settings, today) else {
            return Ok(None);
        };
        let count = basic::lines_before(&self.db, &self.scope, end_of(day)).await?;
        Ok(Some((day, count)))
    }

    /// Deletes the lines through this day; how many went.
    pub async fn delete_lines(&self, through: NaiveDate) -> Result<u64, DbError> {
        let mut all = 0_u64;
        loop {
            let some = basic::delete_lines_before(&self.db, &self.scope, end_of(through), LINES).await?;
            if some == 0 {
                return Ok(all);
            }
            all = all.saturating_add(some);
        }
    }
}
