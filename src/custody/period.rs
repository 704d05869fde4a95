//! The lines of an access log in a period, read page by page behind a line that tells of it.

use chrono::{DateTime, Utc};
use hub_entities::id::{ClbId, DecisionId, Ids};
use hub_entities::operation::Purpose;

use super::Custody;
use crate::store::DbError;
use crate::store::secret::NOBODY;
use crate::store::secret::brought_out::{self, Noted, Span};
use crate::store::secret::line::Line;

/// How many lines are read at once.
const PAGE: u32 = 5_000;

/// A line, and its number in the chain if it is linked.
pub type Numbered = (Line, Option<i64>);

/// The lines of one log in a period.
#[derive(Debug)]
pub struct Lines<'a> {
    custody: &'a Custody,
    noted: Noted,
    span: Span,
    after: Option<(DateTime<Utc>, DecisionId)>,
}

impl Custody {
    /// Begins to read a log, for this: `export` or `replay`. First it is written into it; nothing is of a CLB that is not
    /// registered.
    pub async fn lines(
        &self,
        clb: ClbId,
        span: Span,
        action: &str,
        ids: &dyn Ids,
    ) -> Result<Option<Lines<'_>>, DbError> {
        if !self.clbs().await?.contains(&clb) {
            return Ok(None);
        }
        let line = self.line(DecisionId(ids.blind()), clb, NOBODY, action, Purpose::Operations);
        let noted = brought_out::note(&self.apart, &self.scope, &line).await?;
        Ok(Some(Lines {
            custody: self,
            noted,
            span,
            after: None,
        }))
    }
}

impl Lines<'_> {
    /// The next ones, the oldest first; none when all were read.
    pub async fn more(&mut self) -> Result<Vec<Numbered>, DbError> {
        let Custody { apart, scope, .. } = self.custody;
        let page = brought_out::some(apart, scope, &self.noted, self.span, (self.after, PAGE)).await?;
        if let Some((line, _)) = page.last() {
            self.after = Some((line.at, line.id));
        }
        Ok(page)
    }
}
