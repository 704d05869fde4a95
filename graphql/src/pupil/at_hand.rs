//! Pupils of a list, answered in one go where all that is asked of them can be fetched for all at once.

use async_graphql::parser::types::{Field, SelectionSet};
use async_graphql::resolver_utils::enum_value;
use async_graphql::{ContextSelectionSet, Positioned, ServerResult, Value};
use hub_entities::time::SchoolYear;

use super::{Address, Contact, Enrolment, Pupil, Truancy, holds_on, year_or_now};
use crate::absence::{AbsenceCount, TallyRow};
use crate::asked::Asked;
use crate::at_hand::{Asking, AtHand, Leaf as _, Rows, missing, selected};
use crate::scalar::Year;

impl AtHand for Pupil {
    async fn fetch(&self, context: &ContextSelectionSet<'_>, of: &Positioned<SelectionSet>) -> bool {
        let mut fields = Vec::new();
        selected(context, of, &mut fields);
        for field in fields {
            if !self.fetch_one(context, field).await {
                return false;
            }
        }
        true
    }

    fn value<'a>(&self, asking: &Asking<'a, '_>, field: &'a Positioned<Field>) -> ServerResult<Value> {
        let below = &field.node.selection_set;
        Ok(match field.node.name.node.as_str() {
            "id" => self.id.leaf(),
            "givenName" => self.given_name.leaf(),
            "familyName" => self.family_name.leaf(),
            "sex" => self.sex.leaf(),
            "birthDate" => self.birth_date.leaf(),
            "language" => self.language.leaf(),
            "withheld" => Value::List(self.withheld.iter().map(|one| enum_value(*one)).collect()),
            "address" => match &self.address {
                Some(address) => asking.object(below, address)?,
                None => Value::Null,
            },
            "contacts" => match &self.contacts {
                Some(all) => asking.list(below, all)?,
                None => Value::Null,
            },
            "enrolments" => {
                let listed = |all: Option<&Rows<Enrolment>>| asking.list(below, all.map_or(&[], |all| &all.0));
                let all = self.level.enrolments.at_hand(&(), &self.id.0, listed);
                all.ok_or_else(|| missing(field))??
            }
            "currentEnrolment" => {
                let today = asked(asking.context, field)?.operation.today();
                let one = self.level.enrolments.at_hand(&(), &self.id.0, |all| {
                    match all.and_then(|all| holds_on(today, all)) {
                        Some(one) => asking.object(below, one),
                        None => Ok(Value::Null),
                    }
                });
                one.ok_or_else(|| missing(field))??
            }
            "absenceCounts" => {
                let year = year(asking.context, field)?;
                let listed = |all: Option<&Rows<AbsenceCount>>| asking.list(below, all.map_or(&[], |all| &all.0));
                let all = self.level.counts.at_hand(&year, &self.id.0, listed);
                all.ok_or_else(|| missing(field))??
            }
            "truancy" => {
                let year = year(asking.context, field)?;
                let counted = |found: Option<&TallyRow>| match found {
                    Some(row) => asking.object(below, &self.counted(*row, year)),
                    None => Ok(Value::Null),
                };
                let one = self.level.tallies.at_hand(&year, &self.id.0, counted);
                one.ok_or_else(|| missing(field))??
            }
            _ => return Err(missing(field)),
        })
    }
}

impl Pupil {
    /// Fetches what one field needs; `false` for one that is resolved pupil by pupil.
    async fn fetch_one(&self, context: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> bool {
        let (level, Ok(asked)) = (&self.level, asked(context, field)) else {
            return false;
        };
        match field.node.name.node.as_str() {
            "__typename" | "id" | "givenName" | "familyName" | "sex" | "birthDate" | "language" | "withheld"
            | "address" | "contacts" => true,
            "enrolments" | "currentEnrolment" => level.enrolments.fetch((), || level.load_enrolments(&asked)).await,
            "absenceCounts" => match year(context, field) {
                Ok(year) => level.counts.fetch(year, || level.load_counts(&asked, year)).await,
                Err(_) => false,
            },
            "truancy" => {
                let mut below = Vec::new();
                selected(context, &field.node.selection_set, &mut below);
                match year(context, field) {
                    Ok(year) if below.iter().all(|field| field.node.name.node != "evidence") => {
                        let load = || asked.hub.tallies(asked.operation, &level.ids, year);
                        level.tallies.fetch(year, load).await
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }
}

fn asked<'a>(context: &ContextSelectionSet<'a>, field: &Positioned<Field>) -> ServerResult<Asked<'a>> {
    Asked::of(context).map_err(|problem| {
        let error: async_graphql::Error = problem.into();
        error.into_server_error(field.pos)
    })
}

/// The school year a field is asked for.
fn year(context: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<SchoolYear> {
    let (_, year) = context
        .with_field(field)
        .param_value::<Option<Year>>("schoolYear", None)?;
    Ok(year_or_now(&asked(context, field)?, year))
}

impl AtHand for Address {
    fn value<'a>(&self, _: &Asking<'a, '_>, field: &'a Positioned<Field>) -> ServerResult<Value> {
        Ok(match field.node.name.node.as_str() {
            "street" => self.street.leaf(),
            "postalCode" => self.postal_code.leaf(),
            "city" => self.city.leaf(),
            _ => return Err(missing(field)),
        })
    }
}

impl AtHand for Contact {
    fn value<'a>(&self, _: &Asking<'a, '_>, field: &'a Positioned<Field>) -> ServerResult<Value> {
        Ok(match field.node.name.node.as_str() {
            "role" => self.role.leaf(),
            "givenName" => self.given_name.leaf(),
            "familyName" => self.family_name.leaf(),
            "phone" => self.phone.leaf(),
            "email" => self.email.leaf(),
            _ => return Err(missing(field)),
        })
    }
}

impl AtHand for Enrolment {
    fn value<'a>(&self, asking: &Asking<'a, '_>, field: &'a Positioned<Field>) -> ServerResult<Value> {
        Ok(match field.node.name.node.as_str() {
            "id" => self.id.leaf(),
            "schoolYear" => self.school_year.leaf(),
            "begins" => self.begins.leaf(),
            "ends" => self.ends.leaf(),
            "school" => asking.object(&field.node.selection_set, &self.school)?,
            _ => return Err(missing(field)),
        })
    }
}

/// Without its evidence, which is resolved pupil by pupil.
impl AtHand for Truancy {
    fn value<'a>(&self, _: &Asking<'a, '_>, field: &'a Positioned<Field>) -> ServerResult<Value> {
        Ok(match field.node.name.node.as_str() {
            "count" => self.count.leaf(),
            "carried" => self.carried.leaf(),
            "pending" => self.pending.leaf(),
            "reached5" => self.reached5.leaf(),
            "reached30" => self.reached30.leaf(),
            _ => return Err(missing(field)),
        })
    }
}
