//! All that a viewer may read of one pupil, as one document (uitvoer, R62): for the person, and for the worker of the CLB who
//! hands it over after the talk.

use async_graphql::{Context, ID, Object, SimpleObject, Union};
use hub_entities::policy::secret::Protected;

use super::Withheld;
use crate::asked::{Asked, id};
use crate::problem::Problem;

/// A document, as the hub answers it.
#[derive(Clone, PartialEq, Eq)]
pub struct ExportRow {
    /// JSON.
    pub document: String,
    /// Whether it holds all there is.
    pub is_whole: bool,
}

impl std::fmt::Debug for ExportRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A secret is written into no log.
        f.write_str("ExportRow(…)")
    }
}

/// All that the viewer may read of one pupil today.
#[derive(Debug, Clone, SimpleObject)]
pub struct DataExport {
    /// One JSON document. Confidential, and for youth help alone.
    #[graphql(tag = "class:secret.granted")]
    pub document: String,
    /// Whether it holds all there is; where a list is longer than a document takes, it names what is left to be read in pages.
    #[graphql(tag = "class:secret.granted")]
    pub is_whole: bool,
}

impl From<ExportRow> for DataExport {
    fn from(row: ExportRow) -> Self {
        Self {
            document: row.document,
            is_whole: row.is_whole,
        }
    }
}

/// An export, or why not.
#[derive(Debug, Clone, Union)]
pub enum ProtectedExport {
    /// It may be taken along.
    Granted(DataExport),
    /// It may not.
    Withheld(Withheld),
}

/// The root of a person's own export.
#[derive(Default)]
pub struct OwnExportRoot;

#[Object]
impl OwnExportRoot {
    /// All that the viewer may read today of the pupil whom the viewer is, or is a parent of: what each school says, half-days,
    /// signals, what was opened of the dossiers, what was asked, and who looked. What is withheld says why; what is closed is not
    /// there. Null for who is no person. Being asked is logged before anything leaves.
    #[graphql(tag = "class:secret.granted")]
    async fn own_export(&self, context: &Context<'_>) -> Result<Option<DataExport>, Problem> {
        let asked = Asked::of(context)?;
        let made = asked.hub.own_export(asked.operation).await?;
        Ok(made.map(DataExport::from))
    }
}

/// The root of a worker's export.
#[derive(Default)]
pub struct ExportRoot;

#[Object]
impl ExportRoot {
    /// All that the viewer may read of a pupil as agreed, and in the dossier as a member of a team: to hand it over after the talk
    /// (afschrift). Entries that are never open to the pupil stand apart in it. Null if the pupil is unknown or not of the viewer's
    /// CLB. Being asked is logged before anything leaves.
    #[graphql(tag = "class:secret.granted")]
    async fn pupil_export(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "The pupil.")] pupil_id: ID,
    ) -> Result<Option<ProtectedExport>, Problem> {
        let asked = Asked::of(context)?;
        let Some(pupil) = id(&pupil_id) else { return Ok(None) };
        let made = asked.hub.pupil_export(asked.operation, pupil).await?;
        Ok(made.map(|made| match made {
            Protected::Granted(opened) => ProtectedExport::Granted(opened.into_inner().into()),
            Protected::Withheld { why, decision } => ProtectedExport::Withheld(Withheld::of(why, decision)),
        }))
    }
}
