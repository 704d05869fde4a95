//! Transfers of dossiers to other CLBs (overdracht): told to the CLBs concerned and to the person who may object, in their own
//! realms. Objecting is for the person; what came on paper a worker of the old CLB records.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject, Union};
use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::dossier::consent::Giver as AGiver;
use hub_entities::dossier::transfer::{Custody as ACustody, Waits as AWaits};
use hub_entities::id::{PupilId, TransferId};
use hub_entities::policy::secret::Protected;

use super::Withheld;
use super::step::{Stepped, is_text};
use crate::asked::{Asked, counted, id};
use crate::outcome::{Invalid, NotPossible, Reason};
use crate::page::connection;
use crate::problem::Problem;
use crate::scalar::Gid;
use crate::school::ClbRow;

/// A transfer, as the hub answers it.
#[derive(Clone, PartialEq, Eq)]
pub struct TransferRow {
    /// Its id.
    pub id: TransferId,
    /// Whose dossier.
    pub pupil: PupilId,
    /// From which CLB.
    pub from: ClbRow,
    /// To which one.
    pub to: ClbRow,
    /// In whose keeping the dossier is.
    pub custody: ACustody,
    /// Since when the pupil is enrolled where the new one is competent.
    pub enrolled_on: NaiveDate,
    /// When it was announced.
    pub announced_at: DateTime<Utc>,
    /// The last day on which an objection is in time.
    pub objection_until: NaiveDate,
    /// The day on which it goes.
    pub goes_on: NaiveDate,
    /// Why it waits although that day has come.
    pub waits: Option<AWaits>,
    /// Who objected, and when.
    pub objected: Option<(AGiver, NaiveDate)>,
    /// What was said.
    pub objection: Option<String>,
    /// When it was carried out, or withdrawn.
    pub over_at: Option<DateTime<Utc>>,
}

/// An objection that came on paper.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordObjection {
    /// To which transfer.
    pub transfer: TransferId,
    /// Whose.
    pub by: AGiver,
    /// The day it came.
    pub received_on: NaiveDate,
    /// In which words.
    pub text: Option<String>,
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
secret!(TransferRow, RecordObjection);

/// In whose keeping a dossier is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "ACustody")]
pub enum Custody {
    /// It stays with the old CLB: what was announced was withdrawn.
    #[graphql(tag = "class:public")]
    Held,
    /// It is to go; the term to object runs, or is over.
    #[graphql(tag = "class:public")]
    Announced,
    /// All of it went to the new CLB.
    #[graphql(tag = "class:public")]
    Transferred,
    /// The obligatory part went, with a copy of the objection; the rest stays with the old CLB.
    #[graphql(tag = "class:public")]
    Partly,
}

/// Why a transfer waits although its day has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "AWaits")]
pub enum TransferWaits {
    /// The new CLB keeps no dossiers here.
    #[graphql(tag = "class:public")]
    Receiver,
    /// Several other CLBs are competent.
    #[graphql(tag = "class:public")]
    SeveralClbs,
    /// A legal hold stands on it at the CLB that keeps it.
    #[graphql(tag = "class:public")]
    LegalHold,
}

/// Who objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "AGiver")]
pub enum Objector {
    /// The pupil.
    #[graphql(tag = "class:public")]
    Pupil,
    /// A parent with authority.
    #[graphql(tag = "class:public")]
    Parent,
}

/// The transfer of a dossier (overdracht) from the viewer's CLB, or to it.
#[derive(Debug, Clone, SimpleObject)]
pub struct Transfer {
    /// Its id at the viewer's CLB; it tells no time.
    #[graphql(tag = "class:secret.granted")]
    pub id: Gid<TransferId>,
    /// The pupil.
    #[graphql(tag = "class:secret.granted")]
    pub pupil_id: Gid<PupilId>,
    /// The CLB from which it goes.
    #[graphql(tag = "class:secret.granted")]
    pub from: ClbRow,
    /// The CLB to which it goes.
    #[graphql(tag = "class:secret.granted")]
    pub to: ClbRow,
    /// In whose keeping the dossier is.
    #[graphql(tag = "class:secret.granted")]
    pub custody: Custody,
    /// Since when the pupil is enrolled at a school of the new CLB.
    #[graphql(tag = "class:secret.granted")]
    pub enrolled_on: NaiveDate,
    /// When it was announced.
    #[graphql(tag = "class:secret.granted")]
    pub announced_at: DateTime<Utc>,
    /// The last day on which an objection is in time.
    #[graphql(tag = "class:secret.granted")]
    pub objection_until: NaiveDate,
    /// The day on which it goes.
    #[graphql(tag = "class:secret.granted")]
    pub goes_on: NaiveDate,
    /// Why it waits although that day has come.
    #[graphql(tag = "class:secret.granted")]
    pub waits: Option<TransferWaits>,
    /// Who objected (verzet), if anybody did.
    #[graphql(tag = "class:secret.granted")]
    pub objected_by: Option<Objector>,
    /// The day on which the objection came.
    #[graphql(tag = "class:secret.granted")]
    pub objected_on: Option<NaiveDate>,
    /// What was said, for the team and the anchor.
    #[graphql(tag = "class:secret.granted")]
    pub objection: Option<String>,
    /// When it was carried out, or withdrawn.
    #[graphql(tag = "class:secret.granted")]
    pub over_at: Option<DateTime<Utc>>,
}

impl From<TransferRow> for Transfer {
    fn from(row: TransferRow) -> Self {
        let (by, on) = row.objected.unzip();
        Self {
            id: Gid(row.id),
            pupil_id: Gid(row.pupil),
            from: row.from,
            to: row.to,
            custody: row.custody.into(),
            enrolled_on: row.enrolled_on,
            announced_at: row.announced_at,
            objection_until: row.objection_until,
            goes_on: row.goes_on,
            waits: row.waits.map(Into::into),
            objected_by: by.map(Into::into),
            objected_on: on,
            objection: row.objection,
            over_at: row.over_at,
        }
    }
}

connection!(
    /// Transfers, those first that were announced last.
    TransferConnection, TransferEdge, Transfer, "class:secret.granted"
);

/// The transfer of the own dossier (overdracht) to the CLB of the new school.
#[derive(Debug, Clone, SimpleObject)]
pub struct OwnTransfer {
    /// What `objectToTransfer` takes; it tells no time.
    #[graphql(tag = "class:secret.granted")]
    pub id: Gid<TransferId>,
    /// The CLB from which it goes.
    #[graphql(tag = "class:secret.granted")]
    pub from: ClbRow,
    /// The CLB to which it goes.
    #[graphql(tag = "class:secret.granted")]
    pub to: ClbRow,
    /// In whose keeping the dossier is.
    #[graphql(tag = "class:secret.granted")]
    pub custody: Custody,
    /// Since when the pupil is enrolled at a school of the new CLB.
    #[graphql(tag = "class:secret.granted")]
    pub enrolled_on: NaiveDate,
    /// The last day on which an objection is in time.
    #[graphql(tag = "class:secret.granted")]
    pub objection_until: NaiveDate,
    /// The day on which it goes.
    #[graphql(tag = "class:secret.granted")]
    pub goes_on: NaiveDate,
    /// Who objected (verzet), if anybody did: then only what is obligatory goes.
    #[graphql(tag = "class:secret.granted")]
    pub objected_by: Option<Objector>,
    /// The day on which the objection came.
    #[graphql(tag = "class:secret.granted")]
    pub objected_on: Option<NaiveDate>,
    /// When it was carried out, or withdrawn.
    #[graphql(tag = "class:secret.granted")]
    pub over_at: Option<DateTime<Utc>>,
}

impl From<TransferRow> for OwnTransfer {
    fn from(row: TransferRow) -> Self {
        let (by, on) = row.objected.unzip();
        Self {
            id: Gid(row.id),
            from: row.from,
            to: row.to,
            custody: row.custody.into(),
            enrolled_on: row.enrolled_on,
            objection_until: row.objection_until,
            goes_on: row.goes_on,
            objected_by: by.map(Into::into),
            objected_on: on,
            over_at: row.over_at,
        }
    }
}

/// The root of transfers.
#[derive(Default)]
pub struct TransferRoot;

#[Object]
impl TransferRoot {
    /// The transfers of dossiers from the viewer's CLB and to it, those first that were announced last: what is announced, and
    /// for three months what is over. The CLB from which one goes is told too, though it is not competent any more. The
    /// director and the administration see all of them, a worker those of the own teams, and the anchor those of the pupils of
    /// the own school. Being asked is logged.
    #[graphql(tag = "class:secret.granted")]
    async fn transfers(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "How many, 1 to 200.")] first: i32,
        #[graphql(tag = "class:public", desc = "After this cursor of the same list.")] after: Option<String>,
    ) -> Result<TransferConnection, Problem> {
        const LIST: &str = "transfers";
        let asked = Asked::of(context)?;
        let page = asked.page(LIST, first, after.as_deref(), counted(context))?;
        let slice = asked.hub.transfers(asked.operation, &page).await?;
        Ok(TransferConnection::of(LIST, slice.map(Into::into)))
    }
}

/// Where the own dossier goes.
#[derive(Debug, Clone, SimpleObject)]
pub struct GrantedOwnTransfers {
    /// The transfers: of each CLB those first that were announced last.
    #[graphql(tag = "class:secret.granted")]
    pub value: Vec<OwnTransfer>,
}

/// Where the own dossier goes, or why it is not told.
#[derive(Debug, Clone, Union)]
pub enum ProtectedOwnTransfers {
    /// It may be seen.
    Granted(GrantedOwnTransfers),
    /// It may not.
    Withheld(Withheld),
}

/// The root of the own transfers.
#[derive(Default)]
pub struct OwnTransferRoot;

#[Object]
impl OwnTransferRoot {
    /// Where the dossiers go of the pupil whom the viewer is, or is a parent of: told to who may object, the pupil who decides
    /// or else the parents. Null where there is no CLB to ask. Being asked is logged.
    #[graphql(tag = "class:secret.intake")]
    async fn own_transfers(&self, context: &Context<'_>) -> Result<Option<ProtectedOwnTransfers>, Problem> {
        let asked = Asked::of(context)?;
        let told = asked.hub.own_transfers(asked.operation).await?;
        Ok(told.map(|told| match told {
            Protected::Granted(opened) => ProtectedOwnTransfers::Granted(GrantedOwnTransfers {
                value: opened.into_inner().into_iter().map(Into::into).collect(),
            }),
            Protected::Withheld { why, decision } => ProtectedOwnTransfers::Withheld(Withheld::of(why, decision)),
        }))
    }
}

/// Objecting to a transfer.
#[derive(Clone, InputObject)]
pub struct ObjectToTransferInput {
    /// The transfer: one that is announced.
    #[graphql(tag = "class:public")]
    pub transfer_id: ID,
    /// In the own words: not blank, at most 65,536 bytes. No reason is needed. Both CLBs keep it.
    #[graphql(tag = "class:public", secret)]
    pub text: Option<String>,
}

/// Recording an objection that came on paper.
#[derive(Clone, InputObject)]
pub struct RecordTransferObjectionInput {
    /// The transfer: one that is announced, from the viewer's CLB.
    #[graphql(tag = "class:public")]
    pub transfer_id: ID,
    /// Who objects.
    #[graphql(tag = "class:public")]
    pub by: Objector,
    /// The day on which it came: not after today.
    #[graphql(tag = "class:public")]
    pub received_on: NaiveDate,
    /// What it says: not blank, at most 65,536 bytes.
    #[graphql(tag = "class:public", secret)]
    pub text: Option<String>,
}

/// The objection stands: on its day only what is obligatory goes.
#[derive(Debug, Clone, SimpleObject)]
pub struct TransferObjected {
    /// The transfer.
    #[graphql(tag = "class:public")]
    pub transfer_id: Gid<TransferId>,
}

macro_rules! objected {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Union)]
        pub enum $name {
            /// It is done.
            Done(TransferObjected),
            /// The input cannot be right.
            Invalid(Invalid),
            /// Too late, not any more, or not by this viewer.
            NotPossible(NotPossible),
        }

        impl From<Stepped<TransferId>> for $name {
            fn from(stepped: Stepped<TransferId>) -> Self {
                match stepped {
                    Stepped::Done(id, _) => Self::Done(TransferObjected { transfer_id: Gid(id) }),
                    Stepped::Invalid(field) => Self::Invalid(Invalid::of(field)),
                    Stepped::Changed(_) | Stepped::State => Self::NotPossible(Reason::State.into()),
                    Stepped::NotAllowed => Self::NotPossible(Reason::NotAllowed.into()),
                    Stepped::Unknown => Self::NotPossible(Reason::Unknown.into()),
                }
            }
        }
    };
}

objected!(
    /// What came of `objectToTransfer`.
    ObjectToTransferPayload
);
objected!(
    /// What came of `recordTransferObjection`.
    RecordTransferObjectionPayload
);

/// Whether a text that may be left out is one.
fn may_be_text(text: Option<&str>) -> bool {
    text.is_none_or(is_text)
}

/// Objecting as the person.
#[derive(Default)]
pub struct OwnTransferMutation;

#[Object]
impl OwnTransferMutation {
    /// Objects to the transfer of the own dossier, to the CLB from which it goes and within the term: then only what is
    /// obligatory goes, with a copy of the objection. The pupil who decides objects, else a parent; where nobody knows who
    /// decides, either. Too late, gone already or objected to before is not possible in its state.
    #[graphql(tag = "class:public")]
    async fn object_to_transfer(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "To which, in which words.")] input: ObjectToTransferInput,
    ) -> Result<ObjectToTransferPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(transfer) = id(&input.transfer_id) else {
            return Ok(Stepped::Unknown.into());
        };
        if !may_be_text(input.text.as_deref()) {
            return Ok(Stepped::Invalid("text").into());
        }
        let objected = asked
            .hub
            .object_to_transfer(asked.operation, transfer, input.text.as_deref());
        Ok(objected.await?.into())
    }
}

/// Recording what came on paper.
#[derive(Default)]
pub struct TransferMutation;

#[Object]
impl TransferMutation {
    /// Records an objection that came on paper to the viewer's CLB, from which the dossier goes: by a worker of a team of the
    /// pupil, or the director. It counts by the day it came. Of who does not decide it is not allowed; too late, gone already
    /// or objected to before is not possible in its state.
    #[graphql(tag = "class:public")]
    async fn record_transfer_objection(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "To which, whose, when it came.")] input: RecordTransferObjectionInput,
    ) -> Result<RecordTransferObjectionPayload, Problem> {
        let asked = Asked::of(context)?;
        let Some(transfer) = id(&input.transfer_id) else {
            return Ok(Stepped::Unknown.into());
        };
        if !may_be_text(input.text.as_deref()) {
            return Ok(Stepped::Invalid("text").into());
        }
        let record = RecordObjection {
            transfer,
            by: input.by.into(),
            received_on: input.received_on,
            text: input.text,
        };
        Ok(asked
            .hub
            .record_transfer_objection(asked.operation, record)
            .await?
            .into())
    }
}
