//! The decoder without a call: for who measures it, and for who attacks it (`connectors/fuzz`).
//!
//! Takes whole answers, each in whatever pieces it comes.

use std::collections::BTreeSet;

use super::page::{Keys, Page};
use super::reading::{Reading, school};
use super::record::{CLASSES, DEMOGRAPHICS, ENROLLMENTS, ORGS, Record, SESSIONS, Table, USERS};
use super::settings::{Credentials, Settings};
use super::tally::Tally;
use crate::fault::Fault;
use crate::http::Take as _;
use crate::oauth;
use crate::roster::{Complete, OrgRow, Roster, Status};

/// The lists that are read, in the order in which they refer to each other.
const LISTS: [&Table; 6] = [&ORGS, &SESSIONS, &CLASSES, &USERS, &DEMOGRAPHICS, &ENROLLMENTS];

/// What pages of lists, by name, say of the school with this key: how many records they had, and what they come to.
///
/// # Errors
/// One of them cannot be read, or there is no such list.
pub fn pages<'p, A>(school_key: &str, pages: impl IntoIterator<Item = (&'p str, A)>) -> Result<(u64, Roster), Fault>
where
    A: IntoIterator<Item = &'p [u8]>,
{
    let settings = Settings::of("", Credentials::Token(oauth::Settings::default()));
    let of = OrgRow {
        source_key: school_key.to_owned(),
        name: String::new(),
        identifier: None,
        status: Status::Active,
    };
    let mut reading = Reading::new(&settings, of, BTreeSet::from([school_key.to_owned()]));
    let (mut records, mut tally) = (0_u64, Tally::default());
    for (name, answer) in pages {
        let table = LISTS.into_iter().find(|table| table.list == name);
        let table = table.ok_or(Fault::Config("there is no such list"))?;
        let mut keys = Keys::default();
        let mut each = |record: &Record<'_>, tally: &mut Tally| match table.list {
            "orgs" => drop(school(record, tally)),
            "academicSessions" => reading.session(record, tally),
            "classes" => reading.class(record, tally),
            "users" => reading.user(record, tally),
            "demographics" => reading.demographics(record, false, tally),
            _ => reading.enrollment(record, false, tally),
        };
        let mut page = Page::new(table, 1, &mut keys, &mut each);
        for piece in answer {
            page.some(piece)?;
        }
        page.end()?;
        let read = page.read();
        records = records.saturating_add(read.records);
        tally.add(read.tally);
    }
    Ok((records, reading.finish(Complete::default(), &tally)))
}
