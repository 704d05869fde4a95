//! Where dossiers go, and who objects to it. A CLB from which one goes is told of that and of nothing else any more; of the
//! persons it is told who may object.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use hub_entities::dossier::consent::Giver;
use hub_entities::dossier::transfer::may_object;
use hub_entities::id::{ClbId, PupilId, TransferId};
use hub_entities::operation::{Operation, Role};
use hub_entities::policy::secret::{Asked, Class, Field, Grant, Part, Protected, Step, Ties, Verdict};
use hub_graphql::dossier::Stepped;
use hub_graphql::dossier::transfer::{RecordObjection, TransferRow};
use hub_graphql::hub::{Answer, Transfers};
use hub_graphql::page::{Mark, Page, Slice};

use super::answer::{text, time};
use super::asking::granted;
use super::dossiers::{Reader, stepped};
use super::{App, failed};
use crate::store::secret::NOBODY;
use crate::store::secret::line::Line;
use crate::store::secret::ties::{self, Known};
use crate::store::secret::transfer::{self, Objection, Transfer};
use crate::store::secret::writing::Stepping;

/// Reading where a dossier goes.
fn custody() -> Vec<Asked> {
    Field::new(Class::Intake, Part::Custody)
        .map(Asked::Read)
        .into_iter()
        .collect()
}

/// What someone is told of the transfers of a CLB.
#[derive(Default)]
struct Told {
    /// The transfers of the page that was asked for.
    page: Vec<TransferId>,
    /// By what right, and the lines that tell of it, by pupil of that page.
    of: BTreeMap<PupilId, (Grant, Line)>,
    /// The first refusal that was met: in the log it stands where nothing is told.
    refused: Option<(Asked, Verdict)>,
    /// Whether there are more behind it.
    more: bool,
    /// How many there are, where that was asked.
    all: i64,
}

impl App {
    /// Looks through the transfers of the CLB, the one announced last first, until the page is full: each is decided on, so
    /// that one the reader is not told of takes no place in it.
    async fn told(&self, reader: &Reader<'_>, page: &Page) -> Answer<Told> {
        let after = page.after.as_ref();
        let after = after.and_then(|mark| Some((text(page)?.parse::<DateTime<Utc>>().ok()?, TransferId(mark.id))));
        let first = usize::try_from(page.first).unwrap_or(usize::MAX);
        let mut told = Told::default();
        // Counted, they are looked through from the beginning.
        let mut behind = after.filter(|_| !page.count);
        while page.count || !told.more {
            let shown = transfer::shown(reader.secrets, (reader.clb, reader.operation.now), behind).await;
            let shown = shown.map_err(|fault| failed(&fault))?;
            let Some(last) = shown.last() else { break };
            behind = Some((last.at, last.id));
            let mut pupils: Vec<PupilId> = shown.iter().map(|one| one.pupil).collect();
            pupils.sort_unstable();
            pupils.dedup();
            let mut may = HashMap::new();
            let (ties, _) = self.as_party(reader, &pupils).await?;
            for ties in &ties {
                let (verdicts, line) = self.decided_on(reader, ties, ("read", &custody()))?;
                if let Some(grant) = granted(&verdicts).into_iter().next() {
                    may.insert(ties.pupil(), (grant, line));
                } else {
                    let mut refusals = verdicts.into_iter();
                    let refusal = refusals.find(|(_, verdict)| matches!(verdict, Verdict::Withheld(_)));
                    told.refused = told.refused.or(refusal);
                }
            }
            for one in shown {
                let Some(by) = may.get(&one.pupil) else { continue };
                told.all = told.all.saturating_add(1);
                if after.is_some_and(|after| (one.at, one.id) >= after) {
                    continue;
                }
                if told.page.len() < first {
                    told.page.push(one.id);
                    told.of.entry(one.pupil).or_insert_with(|| by.clone());
                } else {
                    told.more = true;
                }
            }
        }
        Ok(told)
    }

    /// The relations of someone of a CLB to these pupils, with what it is told as the party to a transfer.
    async fn as_party(&self, reader: &Reader<'_>, pupils: &[PupilId]) -> Answer<(Vec<Ties>, Vec<Known>)> {
        let law = self.book.laws().consent();
        let loaded = ties::load_as_party(&self.db, reader.secrets, law, reader.asker(), pupils).await;
        loaded.map_err(|fault| failed(&fault))
    }

    /// Transfers as they are answered, with both CLBs.
    async fn transfer_rows(&self, operation: &Operation, found: Vec<Transfer>) -> Answer<Vec<TransferRow>> {
        let mut clbs: Vec<ClbId> = found.iter().flat_map(|one| [one.from, one.to]).collect();
        clbs.sort_unstable();
        clbs.dedup();
        let organisations = self.organisations(operation, &clbs).await?;
        let row = |one: Transfer| {
            let (from, to) = organisations.get(&one.from).zip(organisations.get(&one.to))?;
            Some(TransferRow {
                id: one.id,
                pupil: one.pupil,
                from: from.clone(),
                to: to.clone(),
                custody: one.custody,
                enrolled_on: one.enrolled_on,
                announced_at: one.announced_at,
                objection_until: one.objection_until,
                goes_on: one.goes_on,
                waits: one.waits,
                objected: one.objected,
                objection: one.objection,
                over_at: one.over_at,
            })
        };
        Ok(found.into_iter().filter_map(row).collect())
    }
}

#[async_trait]
impl Transfers for App {
    async fn transfers(&self, operation: &Operation, page: &Page) -> Answer<Slice<TransferRow>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(Slice::empty(page.count));
        };
        let told = self.told(&reader, page).await?;
        let (grants, mut lines): (Vec<Grant>, Vec<Line>) = told.of.into_values().unzip();
        if lines.is_empty() {
            // That it was asked stands in the log, whatever there is.
            lines.push(reader.line(self.ids.blind(), NOBODY, "read", told.refused.as_slice()));
        }
        let at = (reader.clb, operation.now);
        let found = transfer::open(reader.secrets, at, &grants, Some(&told.page), &lines).await;
        let rows = self.transfer_rows(operation, found.map_err(|fault| failed(&fault))?);
        let mark = |row: TransferRow| {
            let key = time(row.announced_at);
            (Mark { key, id: row.id.0 }, row)
        };
        Ok(Slice {
            rows: rows.await?.into_iter().map(mark).collect(),
            more: told.more,
            total: page.count.then_some(told.all),
        })
    }

    async fn own_transfers(&self, operation: &Operation) -> Answer<Option<Protected<Vec<TransferRow>>>> {
        let Some(of) = self.itself(operation)? else {
            return Ok(None);
        };
        let (ties, clbs) = self.own_ties(&of).await?;
        let (mut found, mut withheld, mut by) = (Vec::new(), None, None);
        for clb in &clbs {
            let reader = of.at(*clb);
            let (verdicts, line) = self.decided_on(&reader, &ties, ("read", &custody()))?;
            match verdicts.into_iter().next() {
                Some((_, Verdict::Granted(grant))) => {
                    let at = (*clb, operation.now);
                    let own = transfer::open(of.secrets, at, std::slice::from_ref(&grant), None, &[line]).await;
                    found.extend(own.map_err(|fault| failed(&fault))?);
                    by = Some(grant);
                }
                Some((_, Verdict::Withheld(why))) => {
                    withheld = withheld.or(Some((why, line.id)));
                    reader.note(line).await?;
                }
                Some((_, Verdict::Nothing)) | None => reader.note(line).await?,
            }
        }
        let told = self.transfer_rows(operation, found).await?;
        let withheld = withheld.map(|(why, decision)| Protected::withheld(why, decision));
        Ok(by.map(|grant| Protected::granted(&grant, told)).or(withheld))
    }

    async fn object_to_transfer(
        &self,
        operation: &Operation,
        id: TransferId,
        text: Option<&str>,
    ) -> Answer<Stepped<TransferId>> {
        let Some(of) = self.itself(operation)? else {
            return Ok(Stepped::Unknown);
        };
        let (ties, clbs) = self.own_ties(&of).await?;
        let Some(first) = clbs.first() else {
            return Ok(Stepped::Unknown);
        };
        let place = transfer::place_of(of.secrets, &clbs, id).await;
        let place = place.map_err(|fault| failed(&fault))?;
        let own = place.filter(|(_, pupil)| *pupil == of.person.pupil);
        // To another's, or to nothing, one objects about nobody.
        let (reader, ties) = match own {
            Some((clb, _)) => (of.at(clb), ties),
            None => (of.at(*first), ties::of_nobody(NOBODY)),
        };
        let step = Step::ObjectToTransfer;
        let asked = [Asked::Do(step, Class::Intake)];
        let (verdicts, line) = self.decided_on(&reader, &ties, (step.name(), &asked))?;
        let Some((_, Verdict::Granted(grant))) = verdicts.first() else {
            let withheld = matches!(verdicts.first(), Some((_, Verdict::Withheld(_))));
            reader.note(line).await?;
            return Ok(if withheld {
                Stepped::NotAllowed
            } else {
                Stepped::Unknown
            });
        };
        let by = Stepping {
            grant,
            clb: reader.clb,
            line: &line,
        };
        let objection = Objection {
            by: if of.person.role == Role::Pupil {
                Giver::Pupil
            } else {
                Giver::Parent
            },
            on: of.person.day,
            text,
        };
        let noted = transfer::object(of.secrets, &*self.ids, by, (step, id), objection).await;
        Ok(stepped(id, noted.map_err(|fault| failed(&fault))?))
    }

    async fn record_transfer_objection(
        &self,
        operation: &Operation,
        record: RecordObjection,
    ) -> Answer<Stepped<TransferId>> {
        let Some(reader) = self.reader(operation)? else {
            return Ok(Stepped::Unknown);
        };
        if record.received_on > operation.today() {
            return Ok(Stepped::Invalid("receivedOn"));
        }
        let place = transfer::place_of(reader.secrets, &[reader.clb], record.transfer).await;
        let place = place.map_err(|fault| failed(&fault))?;
        let pupil = place.map_or(NOBODY, |(_, pupil)| pupil);
        let (ties, known) = self.as_party(&reader, &[pupil]).await?;
        let step = Step::RecordObjection;
        let asked = [Asked::Do(step, Class::Intake)];
        let nobody = ties::of_nobody(pupil);
        let ties = ties.first().unwrap_or(&nobody);
        let (verdicts, line) = self.decided_on(&reader, ties, (step.name(), &asked))?;
        let Some((_, Verdict::Granted(grant))) = verdicts.first() else {
            reader.note(line).await?;
            return Ok(Stepped::Unknown);
        };
        // Whose right it was on the day it came.
        let known = known.into_iter().next().unwrap_or_default();
        let decides = self.book.laws().consent().decides(known.minor(), record.received_on);
        if !may_object(record.by, decides) {
            reader.note(line).await?;
            return Ok(Stepped::NotAllowed);
        }
        let by = Stepping {
            grant,
            clb: reader.clb,
            line: &line,
        };
        let objection = Objection {
            by: record.by,
            on: record.received_on,
            text: record.text.as_deref(),
        };
        let noted = transfer::object(reader.secrets, &*self.ids, by, (step, record.transfer), objection).await;
        Ok(stepped(record.transfer, noted.map_err(|fault| failed(&fault))?))
    }
}
