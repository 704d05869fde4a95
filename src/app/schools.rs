//! Schools: public.

use std::collections::HashMap;

use async_trait::async_trait;
use hub_entities::id::SchoolId;
use hub_entities::operation::Operation;
use hub_entities::policy::Action;
use hub_graphql::hub::{Answer, Schools};
use hub_graphql::page::{Mark, Page, Slice, SortKey};
use hub_graphql::school::SchoolRow;

use super::answer::{counted, school_row, schools, slice, text};
use super::{App, failed};
use crate::store::read;

#[async_trait]
impl Schools for App {
    async fn schools_by_id(&self, operation: &Operation, ids: &[SchoolId]) -> Answer<HashMap<SchoolId, SchoolRow>> {
        let Some(scope) = self.decide(operation, Action::ReadPublic)? else {
            return Ok(HashMap::new());
        };
        schools(&self.db, &scope, ids.iter().copied()).await
    }

    async fn schools(&self, operation: &Operation, page: &Page) -> Answer<Slice<SchoolRow>> {
        let Some(scope) = self.decide(operation, Action::ReadPublic)? else {
            return Ok(Slice::empty(page.count));
        };
        let total = counted(page, read::school::count(&self.db, &scope)).await?;
        let found = read::school::page(&self.db, &scope, text(page), page.first).await;
        let found = found.map_err(|fault| failed(&fault))?;
        Ok(slice(found, page, total, |school| {
            let mark = Mark {
                key: SortKey::Text(school.institution_number.clone()),
                id: school.id.0,
            };
            (mark, school_row(school))
        }))
    }
}
