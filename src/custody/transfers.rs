//! Transfers at work: dossiers are compared with who is competent for their pupils, while the hub serves and whenever an
//! operator asks; what has to go is announced, and carried out on its day.
//!
//! One holder of the lease works at a time. Each step is one transaction of the secrecy store that looks again whether it is
//! still to be done: cut off anywhere, or done twice at once, it is done once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::competence::{Derived, Keeper, keeper, since};
use hub_entities::dossier::transfer::{Custody, Waits};
use hub_entities::evaluation::LawBook;
use hub_entities::id::{ClbId, Ids, PupilId};
use hub_entities::policy::Scope;
use hub_entities::time::{Clock, brussels_day};

use crate::register::operator;
use crate::store::lease::Lease;
use crate::store::secret::carrying::{Due, carry_out};
use crate::store::secret::transfer::{self, Announced, Standing};
use crate::store::{Db, DbError, Secrets, competence};

/// The name of the lease under which dossiers are transferred.
pub const TRANSFERS: &str = "transfers";

/// How often it is looked what has to go: terms are counted in days.
const EVERY: Duration = Duration::from_mins(10);

/// How long its lease lasts; each page lengthens it.
const LEASE: Duration = Duration::from_mins(1);

/// How many dossiers are compared at once.
const PAGE: u32 = 500;

/// What was done, or is to be done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// Announced, or announced anew as the pupil moved on.
    pub announced: u64,
    /// Withdrawn: the dossier stays.
    pub withdrawn: u64,
    /// Carried out, all of the dossier.
    pub whole: u64,
    /// Carried out after an objection: the obligatory part.
    pub partly: u64,
    /// Due, and waiting for a CLB that keeps its dossiers here.
    pub wait_for_receiver: u64,
    /// Due, and waiting as several other CLBs are competent.
    pub wait_for_one: u64,
    /// Due, and waiting until a legal hold is lifted.
    pub wait_for_hold: u64,
    /// To go, and not announced: no term is known.
    pub without_term: u64,
}

impl Moved {
    /// Whether there was nothing to do, and nothing waits.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What is to be done about one dossier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Nothing,
    Announce(Announced),
    /// The pupil moved on to another CLB before the day.
    Readdress(Standing, Announced),
    Withdraw(Standing),
    /// With whether somebody objected.
    CarryOut(Due, bool),
    Wait(Standing, Waits),
    NoTerm,
}

/// Transfers dossiers.
pub struct Mover {
    db: Db,
    secrets: Secrets,
    scope: Scope,
    book: Arc<LawBook>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    holder: String,
}

impl std::fmt::Debug for Mover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mover")
            .field("holder", &self.holder)
            .finish_non_exhaustive()
    }
}

impl Mover {
    /// One of this process.
    ///
    /// # Errors
    /// The store failed.
    pub async fn open(
        db: &Db,
        secrets: Secrets,
        book: Arc<LawBook>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Result<Self, DbError> {
        Ok(Self {
            db: db.clone(),
            secrets,
            scope: operator(db, clock.now()).await?,
            holder: ids.next(clock.now()).to_string(),
            book,
            clock,
            ids,
        })
    }

    /// Does all that is to be done today; nothing where another process is at it.
    ///
    /// # Errors
    /// The first that failed: the others were done all the same, and it is tried again with the next round.
    pub async fn round(&self) -> Result<Option<Moved>, DbError> {
        let Some(lease) = Lease::acquire(&self.db, TRANSFERS, &self.holder, LEASE).await? else {
            return Ok(None);
        };
        let worked = self.work(Some(&lease)).await;
        lease.release(&self.db).await?;
        worked.map(Some)
    }

    /// Says what a round would do, and does nothing.
    ///
    /// # Errors
    /// A store failed.
    pub async fn look(&self) -> Result<Moved, DbError> {
        self.work(None).await
    }

    /// Every dossier that is kept here; under a lease what is to be done is done.
    async fn work(&self, lease: Option<&Lease>) -> Result<Moved, DbError> {
        let (mut moved, mut failed) = (Moved::default(), None);
        let here = competence::kept_here(&self.db, &self.scope).await?;
        let here: BTreeSet<ClbId> = here.into_iter().collect();
        for clb in &here {
            let mut after = None;
            loop {
                let apart = self.secrets.apart();
                let page = transfer::kept(apart, &self.scope, *clb, (after, PAGE)).await?;
                let Some(last) = page.last() else { break };
                after = Some(*last);
                if let Some(lease) = lease {
                    lease.keep(&self.db).await?;
                }
                let standing = transfer::standing(apart, &self.scope, *clb, &page).await?;
                let ties = competence::of_pupils(&self.db, &self.scope, &page).await?;
                for pupil in &page {
                    let of_pupil = ties.get(pupil).map(Vec::as_slice).unwrap_or_default();
                    let step = self.step((*clb, *pupil), standing.get(pupil).copied(), of_pupil, &here);
                    let done = match lease {
                        Some(_) => self.take((*clb, *pupil), step).await,
                        None => Ok(true),
                    };
                    match done {
                        Ok(true) => moved.count(step),
                        Ok(false) => {}
                        // It keeps none of the others.
                        Err(fault) => failed = failed.or(Some(fault)),
                    }
                }
            }
        }
        failed.map_or(Ok(moved), Err)
    }

    /// What every database keeps of the present, and its day.
    fn today(&self) -> (DateTime<Utc>, NaiveDate) {
        let now = self.clock.now();
        let now = DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now);
        (now, brussels_day(now))
    }

    /// What is to be done about this dossier.
    fn step(
        &self,
        (clb, pupil): (ClbId, PupilId),
        standing: Option<Standing>,
        ties: &[Derived],
        here: &BTreeSet<ClbId>,
    ) -> Step {
        let (_, day) = self.today();
        let announced = standing.filter(|one| one.custody == Custody::Announced);
        let due = announced.filter(|one| one.goes_on <= day);
        let (to, enrolled_on) = match keeper(ties, clb, day) {
            Keeper::Stays => return announced.map_or(Step::Nothing, Step::Withdraw),
            Keeper::OneOfSeveral => return due.map_or(Step::Nothing, |one| Step::Wait(one, Waits::SeveralClbs)),
            Keeper::GoesTo(to, enrolled_on) => (to, enrolled_on),
        };
        // What stayed after an objection stays, until the pupil has come back meanwhile.
        let stayed = standing.filter(|one| one.custody == Custody::Partly);
        let went_on = stayed.and_then(|one| one.over_at).map(brussels_day);
        if went_on.is_some_and(|went_on| !since(ties, clb, went_on)) {
            return Step::Nothing;
        }
        let new = || {
            let term = self.book.laws().transfer().term(enrolled_on, day)?;
            Some(Announced { to, enrolled_on, term })
        };
        match (announced, due) {
            (None, _) => new().map_or(Step::NoTerm, Step::Announce),
            (Some(one), _) if one.to != to => new().map_or(Step::NoTerm, |new| Step::Readdress(one, new)),
            (Some(_), None) => Step::Nothing,
            (Some(_), Some(one)) if one.held => Step::Wait(one, Waits::LegalHold),
            (Some(_), Some(one)) if !here.contains(&to) => Step::Wait(one, Waits::Receiver),
            (Some(_), Some(one)) => {
                let due = Due {
                    id: one.id,
                    pupil,
                    from: clb,
                    to,
                };
                Step::CarryOut(due, one.objected)
            }
        }
    }

    /// Does it; says whether it was still to be done.
    async fn take(&self, (clb, pupil): (ClbId, PupilId), step: Step) -> Result<bool, DbError> {
        let (apart, scope, ids) = (self.secrets.apart(), &self.scope, &*self.ids);
        let (now, day) = self.today();
        match step {
            Step::Nothing | Step::NoTerm => Ok(true),
            Step::Announce(new) => transfer::announce(apart, scope, ids, (clb, pupil), (new, now)).await,
            Step::Readdress(one, new) => transfer::readdress(apart, scope, ids, (clb, pupil, one.id), (new, now)).await,
            Step::Withdraw(one) => transfer::withdraw(apart, scope, ids, (clb, pupil, one.id), now).await,
            Step::Wait(one, why) => {
                if one.waits != Some(why) {
                    transfer::note_waits(apart, scope, (clb, one.id), why).await?;
                }
                Ok(true)
            }
            Step::CarryOut(due, _) => {
                let law = (self.book.laws().transfer(), day, now);
                Ok(carry_out(&self.secrets, scope, ids, due, law).await?.is_some())
            }
        }
    }

    /// Goes on until it is told to stop.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            match self.round().await {
                Ok(Some(moved)) if !moved.is_nothing() => told(&moved),
                Ok(_) => {}
                Err(fault) => {
                    metrics::counter!("clb_hub_transfers_failed_total").increment(1);
                    tracing::error!(
                        error = fault.kind(),
                        "a dossier could not be transferred and is tried again"
                    );
                }
            }
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }
}

/// Numbers alone: of whom stands in the access logs.
fn told(moved: &Moved) {
    tracing::info!(
        announced = moved.announced,
        withdrawn = moved.withdrawn,
        whole = moved.whole,
        partly = moved.partly,
        wait_for_receiver = moved.wait_for_receiver,
        wait_for_one = moved.wait_for_one,
        wait_for_hold = moved.wait_for_hold,
        without_term = moved.without_term,
        "dossiers were transferred, announced, or wait"
    );
}

impl Moved {
    fn count(&mut self, step: Step) {
        let of = match step {
            Step::Nothing => return,
            Step::Announce(_) | Step::Readdress(..) => &mut self.announced,
            Step::Withdraw(_) => &mut self.withdrawn,
            Step::CarryOut(_, objected) if objected => &mut self.partly,
            Step::CarryOut(..) => &mut self.whole,
            Step::Wait(_, Waits::Receiver) => &mut self.wait_for_receiver,
            Step::Wait(_, Waits::SeveralClbs) => &mut self.wait_for_one,
            Step::Wait(_, Waits::LegalHold) => &mut self.wait_for_hold,
            Step::NoTerm => &mut self.without_term,
        };
        *of = of.saturating_add(1);
    }
}
