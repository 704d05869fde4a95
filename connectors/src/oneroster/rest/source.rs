//! A OneRoster source: its lists, page by page, and whether each has been seen whole.
//!
//! A list ends at an empty page and nowhere else: servers cap pages in silence, count wrong, and link beyond the end
//! (standards §1.5). The next page begins behind what was received. No link is followed, so nothing leads elsewhere.

use std::fmt;

use chrono::{DateTime, Utc};
use http::StatusCode;

use super::page::{Each, Keys, Page, Read};
use super::record::{Record, Table};
use super::settings::Settings;
use super::tally::Tally;
use crate::fault::Fault;
use crate::http::{Call, Head, Http, Take, Trail, Url};
use crate::oauth::Tokens;
use crate::signature::Signer;

/// The most records of one list: more than the pupils of Flanders with their parents are no list.
const MOST_RECORDS: u64 = 5_000_000;
/// What is asked for when only keys are.
pub(super) const KEYS: &str = "sourcedId,status,dateLastModified";

/// How a question shows who asks it.
pub(super) enum Proof {
    /// By a token.
    Token(Box<Tokens>),
    /// By its signature.
    Signature(Signer),
}

/// Who is asked, and how.
pub(super) struct Source {
    http: Http,
    proof: Proof,
    base: Url,
    limit: u32,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").finish_non_exhaustive()
    }
}

/// What is asked of a list.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Query<'q> {
    /// Only records that were changed at this moment or later.
    pub(super) since: Option<DateTime<Utc>>,
    /// In the order of the keys.
    pub(super) sort: bool,
    /// Only these fields.
    pub(super) fields: Option<&'q str>,
    /// Only the first page, of so many records.
    pub(super) first: Option<u32>,
}

/// What came of a question.
#[derive(Debug)]
pub(super) enum Reply<T> {
    /// An answer.
    Read(T),
    /// The rights of the client do not reach so far.
    Forbidden,
    /// There is no such thing.
    Absent,
    /// It cannot be asked like that.
    NotSo,
}

impl<T> Reply<T> {
    /// The answer, where every server must give one.
    pub(super) fn answered(self) -> Result<T, Fault> {
        match self {
            Self::Read(answer) => Ok(answer),
            Self::Forbidden => Err(Fault::Refused(
                "the client may not read what the hub needs: a scope or a right is missing",
            )),
            Self::Absent => Err(Fault::Config("there is no OneRoster at the address")),
            Self::NotSo => Err(Fault::Config("the source does not accept how the connection asks")),
        }
    }
}

/// A walk that came to its end.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) keys: Keys,
    /// Pages that were not empty.
    pages: u32,
    /// How many records there are, as the source says last.
    total: Option<u64>,
    /// Whether it said the same all the time.
    steady: bool,
    /// The clock of the source when it began.
    pub(super) clock: Option<DateTime<Utc>>,
}

impl Walked {
    /// Whether nothing can have been missed: one page, or as many records as the source says there are.
    fn is_sure(&self) -> bool {
        match self.total {
            Some(total) => self.steady && total == self.keys.count(),
            None => self.pages <= 1,
        }
    }
}

impl Source {
    pub(super) fn new(settings: &Settings, proof: Proof, http: Http) -> Result<Self, Fault> {
        let base = settings.url.trim().trim_end_matches('/');
        let base = Url::parse(base).map_err(|_malformed| Fault::Config("the address of the source is not one"))?;
        if base.cannot_be_a_base() || base.query().is_some() || base.fragment().is_some() {
            return Err(Fault::Config("the address of the source has more in it than a path"));
        }
        Ok(Self {
            http,
            proof,
            base,
            limit: settings.page_size(),
        })
    }

    /// The scopes that were asked for and not granted.
    pub(super) async fn withheld(&self) -> Vec<String> {
        match &self.proof {
            Proof::Token(tokens) => tokens.withheld().await,
            Proof::Signature(_) => Vec::new(),
        }
    }

    /// What is answered to a question for one object.
    pub(super) async fn one(&self, table: &Table, id: &str) -> Result<Reply<Head>, Fault> {
        self.ask(&self.address(&[table.list, id])?, &mut Vec::new()).await
    }

    /// Goes through a list to its end.
    pub(super) async fn walk(
        &self,
        table: &'static Table,
        query: Query<'_>,
        tally: &mut Tally,
        each: &mut Each<'_>,
    ) -> Result<Reply<Walked>, Fault> {
        let mut trail = Trail::from(&self.base);
        let mut walked = Walked {
            steady: true,
            ..Walked::default()
        };
        let (mut received, mut stood) = (0_u64, false);
        loop {
            let begun = received;
            let broken = |rule| Fault::Broken {
                stream: table.list,
                record: begun,
                rule,
            };
            let url = self.page_address(table, query, received)?;
            trail.visit(&url).map_err(broken)?;
            let number = walked.pages.saturating_add(1);
            let mut hand_on = |record: &Record<'_>, tally: &mut Tally| each(record, tally);
            let mut page = Page::new(table, number, &mut walked.keys, &mut hand_on);
            let head = match self.ask(&url, &mut page).await? {
                Reply::Read(head) => head,
                // What was begun cannot be forbidden or absent in the middle.
                other if received > 0 => return Err(other.answered().err().unwrap_or_else(|| broken("http.status"))),
                Reply::Forbidden => return Ok(Reply::Forbidden),
                Reply::Absent => return Ok(Reply::Absent),
                Reply::NotSo => return Ok(Reply::NotSo),
            };
            let Read {
                records,
                repeated,
                tally: of_page,
            } = page.read();
            if walked.clock.is_none() {
                walked.clock = clock(&head);
            }
            let total = head.header("x-total-count").and_then(|said| said.parse().ok());
            walked.steady &= received == 0 || total == walked.total;
            walked.total = total;
            if records == 0 || head.status == StatusCode::NO_CONTENT {
                return Ok(Reply::Read(walked));
            }
            // One page of nothing but what came before may have been moved there; two are a source that does not look
            // at the offset.
            let stands = repeated == records;
            if stands && std::mem::replace(&mut stood, true) {
                return Err(broken("paging.no_progress"));
            }
            stood = stands;
            tally.add(of_page);
            walked.pages = number;
            // What was moved here from a former page is no step ahead.
            received = received.saturating_add(if stands {
                records
            } else {
                records.saturating_sub(repeated)
            });
            if query.first.is_some() {
                return Ok(Reply::Read(walked));
            }
            if received > MOST_RECORDS {
                return Err(broken("paging.too_many_records"));
            }
        }
    }

    /// Whether a walk has seen everything. When nobody can tell, the keys are gone through once more: records that
    /// move while pages are turned are missed without a sign, and must not be taken to have left (standards §1.5).
    pub(super) async fn settled(
        &self,
        table: &'static Table,
        query: Query<'_>,
        walked: &Walked,
        tally: &mut Tally,
    ) -> Result<bool, Fault> {
        if walked.is_sure() {
            return Ok(true);
        }
        let again = self
            .walk(table, query, &mut Tally::default(), &mut |_, _| {})
            .await?
            .answered()?;
        if !again.keys.same_as(&walked.keys) {
            tally.lose("oneroster.changed_while_read", table.list, "");
            return Ok(false);
        }
        if let Some(total) = again
            .total
            .or(walked.total)
            .filter(|total| *total != walked.keys.count())
        {
            let miscounted = total.abs_diff(walked.keys.count());
            tally.lose_many("oneroster.wrong_total", table.list, "", miscounted);
        }
        Ok(true)
    }

    fn address(&self, path: &[&str]) -> Result<Url, Fault> {
        let mut url = self.base.clone();
        let no_path = Fault::Config("the address of the source cannot have a path");
        url.path_segments_mut()
            .map_err(|()| no_path)?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    fn page_address(&self, table: &Table, query: Query<'_>, offset: u64) -> Result<Url, Fault> {
        let mut url = self.address(&[table.list])?;
        let mut pairs = url.query_pairs_mut();
        pairs.append_pair("limit", &query.first.unwrap_or(self.limit).to_string());
        pairs.append_pair("offset", &offset.to_string());
        if query.sort {
            pairs.append_pair("sort", "sourcedId").append_pair("orderBy", "asc");
        }
        if let Some(since) = query.since {
            let since = since.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
            pairs.append_pair("filter", &format!("dateLastModified>='{since}'"));
        }
        if let Some(fields) = query.fields {
            pairs.append_pair("fields", fields);
        }
        drop(pairs);
        Ok(url)
    }

    /// One question, by whom the connection names.
    async fn ask(&self, url: &Url, take: &mut dyn Take) -> Result<Reply<Head>, Fault> {
        let call = Call::get(url).accept("application/json");
        match &self.proof {
            Proof::Signature(signer) => {
                let head = self.http.fetch(&call.signed(signer), take).await?;
                reply(
                    head,
                    "the source does not take the signature: its key, secret or method is another, or a clock is wrong",
                )
            }
            Proof::Token(tokens) => {
                let token = tokens.token().await?;
                let mut head = self.http.fetch(&call.clone().bearer(token.secret())?, take).await?;
                // Once more with a new token where this one is not taken any more; a missing one is a 403 to some.
                if matches!(head.status.as_u16(), 401 | 403) {
                    let other = tokens.other_than(&token).await?;
                    head = self.http.fetch(&call.bearer(other.secret())?, take).await?;
                }
                reply(head, "the source does not take the token that its endpoint gives")
            }
        }
    }
}

/// What an answer is by its status; `unproven` says that the source does not believe who asks.
fn reply(head: Head, unproven: &'static str) -> Result<Reply<Head>, Fault> {
    match head.status.as_u16() {
        // Nothing there, said without a word (standards §1.5).
        200 | 204 => Ok(Reply::Read(head)),
        401 => Err(Fault::Refused(unproven)),
        403 => Ok(Reply::Forbidden),
        404 | 410 => Ok(Reply::Absent),
        400 | 422 => Ok(Reply::NotSo),
        _ => Err(Fault::Broken {
            stream: "http",
            record: 0,
            rule: "http.status",
        }),
    }
}

/// The clock of the source, where it says it.
fn clock(head: &Head) -> Option<DateTime<Utc>> {
    let said = DateTime::parse_from_rfc2822(head.header("date")?).ok()?;
    Some(said.to_utc())
}
