//! What a school's software brings in by itself: the same way as what is pulled, for as long as the request lasts.

use std::sync::Arc;

use async_trait::async_trait;
use hub_connectors::roster::{ClassRow, Contact, MembershipRow, PupilRow, Says, SchoolLink, Status};
use hub_entities::operation::Operation;
use hub_entities::policy::Action;
use hub_entities::source::KeyKind;
use hub_entities::time::FixedClock;
use hub_graphql::delivery::{DeliveryFilter, DeliveryRow};
use hub_graphql::hub::{AbsenceSaid, Answer, RosterSaid, Submission, Submissions, Submitted, Telling};
use hub_graphql::page::{Page, Slice};
use hub_graphql::problem::Problem;
use hub_graphql::roster_submission::{
    RosterClassInput, RosterContactInput, RosterMembershipInput, RosterPupilInput, Sex,
};
use hub_graphql::submission::DeliveryLimits;

use super::{App, failed};
use crate::sync::push::{
    LONGEST_KEY, MOST_ABSENCES, MOST_OF_SNAPSHOT, MOST_ROWS, Mode, Named, Pushed, PushedAbsence, PushedRoster,
};
use crate::sync::stop::Stop;
use crate::sync::{Sync, SyncError};

/// The most calls worked on at once: half the connections of a server, so that readers find one.
pub(super) const CALLS: usize = 4;

/// When to try again while this process has its hands full: a call takes a part of a second.
const FULL: i32 = 1;

/// When to try again while another one works on the connection.
const BUSY: i32 = 5;

impl App {
    /// What brings in for the length of one request: its present is the request's.
    pub(super) fn intake(&self, operation: &Operation) -> Sync {
        Sync {
            db: self.db.clone(),
            book: self.book.clone(),
            clock: Arc::new(FixedClock(operation.now)),
            ids: self.ids.clone(),
            national_numbers: self.national_numbers.clone(),
            progress: Arc::new(|_, _| {}),
            stop: Stop::never(),
        }
    }

    /// What came of a call, as it is answered; whoever gives positions is woken.
    fn submitted(&self, pushed: Result<Pushed, SyncError>) -> Answer<Submitted> {
        Ok(match pushed {
            Ok(Pushed::Answered(run, state, told)) => {
                self.wake.notify_one();
                Submitted::Done(run, state, told)
            }
            Ok(Pushed::Stale | Pushed::TooMuch) => Submitted::State,
            Ok(Pushed::NameTaken(at)) => Submitted::NameTaken(at),
            Ok(Pushed::AnotherSchool) => Submitted::Unknown,
            Ok(Pushed::Busy) => Submitted::Later(BUSY),
            Err(SyncError::Store(fault)) => return Err(failed(&fault)),
            Err(_) => {
                tracing::error!("a call could not be taken in");
                return Err(Problem::Unavailable);
            }
        })
    }
}

fn limit(of: usize) -> i32 {
    i32::try_from(of).unwrap_or(i32::MAX)
}

#[async_trait]
impl Submissions for App {
    fn delivery_limits(&self) -> DeliveryLimits {
        DeliveryLimits {
            absences_per_call: limit(MOST_ABSENCES),
            roster_rows_per_call: limit(MOST_ROWS),
            roster_rows_per_snapshot: limit(MOST_OF_SNAPSHOT),
            key_length: limit(LONGEST_KEY),
            calls_at_once: limit(CALLS),
        }
    }

    async fn submit_absences(
        &self,
        operation: &Operation,
        named: Submission,
        by: KeyKind,
        said: Vec<AbsenceSaid>,
    ) -> Answer<Submitted> {
        let Some(scope) = self.decide(operation, Action::SubmitAbsences)? else {
            return Ok(Submitted::Unknown);
        };
        let Ok(_place) = self.calls.try_acquire() else {
            return Ok(Submitted::Later(FULL));
        };
        let named = Named {
            key: named.key,
            institution_number: named.institution_number,
        };
        let rows: Vec<PushedAbsence> = said
            .into_iter()
            .map(|one| PushedAbsence {
                pupil: one.pupil,
                at: one.at,
                code: one.code,
                deleted: one.deleted,
            })
            .collect();
        let pushed = self.intake(operation).push_absences(&scope, &named, by, &rows).await;
        self.submitted(pushed)
    }

    async fn own_deliveries(
        &self,
        operation: &Operation,
        filter: &DeliveryFilter,
        page: &Page,
    ) -> Answer<Slice<DeliveryRow>> {
        self.deliveries(operation, filter, page).await
    }

    async fn submit_roster(&self, operation: &Operation, named: Submission, said: RosterSaid) -> Answer<Submitted> {
        let Some(scope) = self.decide(operation, Action::SubmitRoster)? else {
            return Ok(Submitted::Unknown);
        };
        let Ok(_place) = self.calls.try_acquire() else {
            return Ok(Submitted::Later(FULL));
        };
        let named = Named {
            key: named.key,
            institution_number: named.institution_number,
        };
        let roster = PushedRoster {
            mode: match said.telling {
                Telling::Changes => Mode::Changes,
                Telling::Snapshot { name, number, closing } => Mode::Snapshot {
                    name,
                    number: number.into(),
                    closing,
                },
            },
            reference: said.reference,
            classes: said.classes.into_iter().map(class_row).collect(),
            pupils: said.pupils.into_iter().map(pupil_row).collect(),
            memberships: said.memberships.into_iter().map(membership_row).collect(),
        };
        let pushed = self.intake(operation).push_roster(&scope, &named, &roster).await;
        self.submitted(pushed)
    }
}

const fn status(deleted: bool) -> Status {
    if deleted { Status::Gone } else { Status::Active }
}

fn class_row(said: RosterClassInput) -> ClassRow {
    ClassRow {
        source_key: said.key,
        school_key: String::new(),
        title: said.name,
        code: None,
        grade: said.grade,
        school_year: said.school_year.map(|year| year.0),
        homeroom: true,
        status: Status::Active,
    }
}

fn pupil_row(said: RosterPupilInput) -> PupilRow {
    let numbers = [
        ("stamnummer", said.registration_number),
        ("nationalNumber", said.national_number),
    ];
    let numbers = numbers
        .into_iter()
        .filter_map(|(of_type, number)| Some((of_type.to_owned(), number?)));
    let place = SchoolLink {
        school_key: String::new(),
        begins: said.begins,
        ends: said.ends,
        status: status(said.deleted),
    };
    PupilRow {
        source_key: said.key,
        says: Says {
            person: true,
            schools: true,
            birth: true,
        },
        only_if_known: false,
        schools: vec![place],
        identifier: said.identifier,
        user_ids: numbers.collect(),
        given_name: said.given_name,
        family_name: said.family_name,
        birth_date: said.birth_date,
        sex: said.sex.map(|sex| match sex {
            Sex::Male => "male",
            Sex::Female => "female",
            Sex::Other => "other",
            Sex::Unspecified => "unspecified",
        }),
        email: said.email,
        phone: said.phone,
        street: said.street,
        postal_code: said.postal_code,
        city: said.city,
        language: said.language,
        contacts: said.contacts.into_iter().map(contact).collect(),
        status: status(said.deleted),
    }
}

fn contact(said: RosterContactInput) -> Contact {
    Contact {
        source_key: String::new(),
        role: said.role,
        given_name: said.given_name,
        family_name: said.family_name,
        email: said.email,
        phone: said.phone,
    }
}

fn membership_row(said: RosterMembershipInput) -> MembershipRow {
    MembershipRow {
        source_key: said.key,
        class_key: said.class_key,
        school_key: String::new(),
        pupil_key: said.pupil_key,
        begins: said.begins,
        ends: said.ends,
        status: status(said.deleted),
    }
}
