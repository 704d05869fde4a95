//! Opening what was granted: the line first, the values behind its commit (design §3, write-ahead audit).

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::dossier::Domain;
use hub_entities::dossier::entry::{About, ClosedGrounds};
use hub_entities::dossier::trajectory::{AskedBy, Obligation, Phase, TrajectoryState};
use hub_entities::id::{ClbId, EntryId, PrincipalId, PupilId, TrajectoryId};
use hub_entities::law::consent::ConsentLaw;
use hub_entities::operation::Role;
use hub_entities::policy::secret::{Class, EntryFacts, Field, Grant, Part, Rows, Ties};
use hub_entities::time::Period;
use sea_orm::Value;

use super::consent::{self, Consents};
use super::line::{self, Line};
use super::referral::{self, Referral};
use super::release::{self, Release};
use super::ties::{Basic, Known, Whole};
use super::{Secrets, What, key};
use crate::keys::vault::{Owner, Wrapped};
use crate::keys::{self, DataKey, Place};
use crate::store::DbError;
use crate::store::sql::{list, row, rows};
use crate::store::transaction::Transaction;

/// A trajectory as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trajectory {
    /// Its id.
    pub id: TrajectoryId,
    /// Whose.
    pub pupil: PupilId,
    /// In which domain.
    pub domain: Domain,
    /// How far in the continuum of care.
    pub phase: Phase,
    /// Whether it is open.
    pub state: TrajectoryState,
    /// Who asked for it.
    pub asked_by: AskedBy,
    /// Why it cannot be refused, where it cannot.
    pub obligation: Option<Obligation>,
    /// Since when nothing obliges any more, where what obliged was taken back.
    pub lapsed_at: Option<DateTime<Utc>>,
    /// When it began.
    pub opened_at: DateTime<Utc>,
    /// When it ended.
    pub closed_at: Option<DateTime<Utc>>,
    /// Rises with every change.
    pub version: i32,
    /// Who is or was in its team.
    pub team: Vec<Member>,
}

/// A place in a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub worker: PrincipalId,
    /// From when until when.
    pub period: Period,
}

/// An entry as it stands, opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: EntryId,
    /// Whose dossier.
    pub pupil: PupilId,
    /// Of which trajectory.
    pub trajectory: TrajectoryId,
    /// Its class: of the domain, or medical.
    pub class: Class,
    /// Whom it is about.
    pub about: About,
    /// What closes it to the person.
    pub closed: ClosedGrounds,
    /// Who wrote this version.
    pub author: PrincipalId,
    /// When.
    pub written_at: DateTime<Utc>,
    /// Which version it is.
    pub version: i32,
    /// As whom the person speaks, where these are a person's own words.
    pub own_words: Option<Role>,
    /// The entry to which they were added.
    pub adds_to: Option<EntryId>,
    /// What stands in it.
    pub text: String,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A secret is written into no log.
        f.debug_struct("Entry").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What was opened, by pupil and field.
#[derive(Debug, Default)]
pub struct Found {
    /// Trajectories.
    pub trajectories: HashMap<(PupilId, Field), Vec<Trajectory>>,
    /// Entries.
    pub entries: HashMap<(PupilId, Field), Vec<Entry>>,
    /// Consents.
    pub consents: HashMap<(PupilId, Field), Consents>,
    /// Referrals.
    pub referrals: HashMap<(PupilId, Field), Vec<Referral>>,
    /// Releases to the school.
    pub releases: HashMap<(PupilId, Field), Vec<Release>>,
}

/// The keys of what was read, for opening it.
pub(super) struct Unsealing<'a> {
    /// The controller.
    pub(super) clb: ClbId,
    keys: &'a HashMap<PupilId, DataKey>,
}

impl Unsealing<'_> {
    /// The text that stands in this place.
    pub(super) fn text(&self, place: &Place, envelope: &[u8]) -> Result<String, DbError> {
        let data_key = self.keys.get(&place.dossier).ok_or(DbError::Unreadable {
            column: "dossier_key.id",
        })?;
        text_in(data_key, place, envelope)
    }
}

/// The text that stands in this place, sealed with this key.
pub(super) fn text_in(data_key: &DataKey, place: &Place, envelope: &[u8]) -> Result<String, DbError> {
    let text = keys::open(data_key, place, envelope)?;
    let text = std::str::from_utf8(&text).map_err(|_not_utf8| DbError::Unreadable { column: place.column })?;
    Ok(text.to_owned())
}

/// Writes the lines and opens what was granted, in one short transaction; only when it is committed is any value there.
///
/// # Errors
/// The lines could not be written, or not committed: then nothing is opened. A sealed value that does not fit its place
/// opens nothing either.
pub async fn open(secrets: &Secrets, clb: ClbId, grants: &[Grant], lines: &[Line]) -> Result<Found, DbError> {
    let tx = secrets.apart.within(&[clb]).await?;
    let closed = Closed::read(&tx, clb, grants, lines, None).await?;
    tx.commit().await?;
    closed.open(secrets).await
}

/// The same, but in that one transaction the relations are read first, and `decide` says of them what is granted and which
/// lines tell of it. With what is known of each pupil as a minor, in the order asked for.
///
/// # Errors
/// As of [`open`].
pub async fn decide_and_open(
    secrets: &Secrets,
    law: &ConsentLaw,
    basic: Basic,
    decide: impl FnOnce(&[Ties]) -> (Vec<Grant>, Vec<Line>) + Send,
) -> Result<(Vec<Known>, Found), DbError> {
    let clb = basic.asker.clb;
    let tx = secrets.apart.within(&[clb]).await?;
    let whole = basic.with_secrets(&tx, secrets, law).await?;
    let (grants, lines) = decide(&whole.ties);
    let closed = Closed::read(&tx, clb, &grants, &lines, Some(&whole)).await?;
    tx.commit().await?;
    Ok((whole.minors, closed.open(secrets).await?))
}

/// What was read of some grants behind lines that are not committed yet: nothing of it leaves before they are.
struct Closed {
    clb: ClbId,
    trajectories: Vec<Trajectory>,
    entries: Vec<Sealed>,
    consents: consent::Sealed,
    referrals: referral::Sealed,
    releases: release::Sealed,
    keys: Vec<(Owner, Wrapped)>,
}

impl Closed {
    /// What was read along with the relations, where they were read here, is not asked again.
    async fn read(
        tx: &Transaction,
        clb: ClbId,
        grants: &[Grant],
        lines: &[Line],
        ahead: Option<&Whole>,
    ) -> Result<Self, DbError> {
        line::write(tx, lines).await?;
        let of = |part: Part| -> Vec<&Grant> {
            let of_part = |grant: &&Grant| grant.field().is_some_and(|field| field.part() == part);
            grants.iter().filter(of_part).collect()
        };
        let trajectories = trajectories(tx, clb, &of(Part::Trajectories)).await?;
        let entries = entries(tx, clb, &of(Part::Entries)).await?;
        let is_judged = ahead.is_none_or(|ahead| ahead.minors.iter().any(Known::is_judged));
        let consents = consent::read(tx, clb, &of(Part::Consents), is_judged).await?;
        let referrals = referral::read(tx, clb, &of(Part::Referrals)).await?;
        let releases = release::read(tx, clb, &of(Part::Releases)).await?;
        let pupils = entries.iter().map(|one| one.entry.pupil);
        let pupils = pupils.chain(consents.pupils()).chain(referrals.pupils());
        let pupils: BTreeSet<PupilId> = pupils.chain(releases.pupils()).collect();
        let keys = match ahead {
            Some(ahead) => {
                let of_these = ahead.keys.iter().filter(|(owner, _)| pupils.contains(&owner.dossier));
                of_these.cloned().collect()
            }
            None => key::of_pupils(tx, clb, pupils).await?,
        };
        Ok(Self {
            clb,
            trajectories,
            entries,
            consents,
            referrals,
            releases,
            keys,
        })
    }

    async fn open(self, secrets: &Secrets) -> Result<Found, DbError> {
        let mut found = Found::default();
        for one in self.trajectories {
            if let Some(field) = Field::new(Class::of(one.domain), Part::Trajectories) {
                found.trajectories.entry((one.pupil, field)).or_default().push(one);
            }
        }
        let data_keys = key::unwrapped(&*secrets.vault, &self.keys).await?;
        let with = Unsealing {
            clb: self.clb,
            keys: &data_keys,
        };
        found.consents = self.consents.open(&with)?;
        found.referrals = self.referrals.open(&with)?;
        found.releases = self.releases.open(&with)?;
        for Sealed {
            mut entry,
            row,
            envelope,
        } in self.entries
        {
            let place = Place {
                clb: self.clb,
                dossier: entry.pupil,
                table: "entry_text",
                column: "text",
                row,
            };
            entry.text = with.text(&place, &envelope)?;
            if let Some(field) = Field::new(entry.class, Part::Entries) {
                found.entries.entry((entry.pupil, field)).or_default().push(entry);
            }
        }
        Ok(found)
    }
}

/// What the grants reach, as a condition on a trajectory `t`: none reaches beyond its pupil and its class. What joins it names
/// the pupil too: the indexes of what hangs on a trajectory begin with the pupil, and without it all of the CLB is read.
pub(super) fn reached(grants: &[&Grant], also: impl Fn(Class) -> Option<&'static str>) -> (String, Vec<Value>) {
    let mut any: Vec<String> = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    for grant in grants {
        let mut all = vec!["t.pupil_id = ?".to_owned()];
        values.push(grant.pupil().into());
        let class = grant.asked().class();
        if let Some(domain) = class.domain() {
            all.push("t.domain = ?".to_owned());
            values.push(domain.into());
        }
        if let Rows::Of(trajectories) = grant.rows() {
            all.push("t.id in ?".to_owned());
            values.push(list(trajectories));
        }
        all.extend(also(class).map(str::to_owned));
        any.push(format!("({})", all.join(" and ")));
    }
    (any.join(" or "), values)
}

async fn trajectories(tx: &Transaction, clb: ClbId, grants: &[&Grant]) -> Result<Vec<Trajectory>, DbError> {
    if grants.is_empty() {
        return Ok(Vec::new());
    }
    let (reached, values) = reached(grants, |_| None);
    let text = format!(
        "select t.id, t.pupil_id, t.domain, t.phase, t.state, t.asked_by, t.obligation, t.opened_at, t.closed_at,
                t.version, m.principal_id, m.begins_on, m.ends_on, t.lapsed_at
         from trajectory t left join team_member m on m.trajectory_id = t.id and m.clb_id = t.clb_id
         where t.clb_id = ? and ({reached}) order by t.opened_at, t.id, m.begins_on, m.id"
    );
    let mut all: Vec<Trajectory> = Vec::new();
    for row in rows(tx, &text, [vec![clb.into()], values].concat()).await? {
        let id: TrajectoryId = row.try_get_by_index(0)?;
        if all.last().is_none_or(|last| last.id != id) {
            all.push(Trajectory {
                id,
                pupil: row.try_get_by_index(1)?,
                domain: row.try_get_by_index(2)?,
                phase: row.try_get_by_index(3)?,
                state: row.try_get_by_index(4)?,
                asked_by: row.try_get_by_index(5)?,
                obligation: row.try_get_by_index(6)?,
                opened_at: row.try_get_by_index(7)?,
                closed_at: row.try_get_by_index(8)?,
                version: row.try_get_by_index(9)?,
                lapsed_at: row.try_get_by_index(13)?,
                team: Vec::new(),
            });
        }
        let worker: Option<PrincipalId> = row.try_get_by_index(10)?;
        let begins: Option<NaiveDate> = row.try_get_by_index(11)?;
        if let (Some(worker), Some(begins), Some(last)) = (worker, begins, all.last_mut()) {
            let period = Period {
                begins,
                ends: row.try_get_by_index(12)?,
            };
            last.team.push(Member { worker, period });
        }
    }
    Ok(all)
}

/// Whom an entry `e` is about, and what closes it: what was added to another, `o`, is as open as that one is now.
pub(super) const OPENNESS: &str = "coalesce(o.about, e.about), e.closed | coalesce(o.closed, 0)";

/// The entry to which another one, `e`, was added.
pub(super) const ADDED_TO: &str = "left join entry o on o.id = e.adds_to and o.clb_id = e.clb_id";

/// An entry whose text is not opened yet.
struct Sealed {
    entry: Entry,
    /// The row of its text.
    row: uuid::Uuid,
    envelope: Vec<u8>,
}

async fn entries(tx: &Transaction, clb: ClbId, grants: &[&Grant]) -> Result<Vec<Sealed>, DbError> {
    if grants.is_empty() {
        return Ok(Vec::new());
    }
    // Health data are kept apart: they are of no domain's entries, whatever trajectory they are written in.
    let (reached, values) = reached(grants, |class| {
        Some(if class == Class::Medical {
            "e.medical"
        } else {
            "not e.medical"
        })
    });
    let text = format!(
        "select e.id, e.pupil_id, e.trajectory_id, t.domain, e.medical, {OPENNESS}, x.author, x.written_at,
                e.version, x.id, x.text, e.own_words, e.adds_to
         from entry e join trajectory t on t.id = e.trajectory_id and t.clb_id = e.clb_id and t.pupil_id = e.pupil_id
         join entry_text x on x.entry_id = e.id and x.version = e.version and x.clb_id = e.clb_id {ADDED_TO}
         where e.clb_id = ? and e.left_out_at is null and ({reached}) order by x.written_at, e.id"
    );
    let mut all = Vec::new();
    for row in rows(tx, &text, [vec![clb.into()], values].concat()).await? {
        let domain: Domain = row.try_get_by_index(3)?;
        let medical: bool = row.try_get_by_index(4)?;
        let entry = Entry {
            id: row.try_get_by_index(0)?,
            pupil: row.try_get_by_index(1)?,
            trajectory: row.try_get_by_index(2)?,
            class: if medical { Class::Medical } else { Class::of(domain) },
            about: row.try_get_by_index(5)?,
            closed: row.try_get_by_index(6)?,
            author: row.try_get_by_index(7)?,
            written_at: row.try_get_by_index(8)?,
            version: row.try_get_by_index(9)?,
            own_words: row.try_get_by_index(12)?,
            adds_to: row.try_get_by_index(13)?,
            text: String::new(),
        };
        let facts = EntryFacts {
            about: entry.about,
            about_the_viewer: false,
            closed: entry.closed,
        };
        // One that is closed for this reader is no row at all, and is never opened.
        let there = grants.iter().any(|grant| {
            grant.pupil() == entry.pupil && grant.asked().class() == entry.class && facts.is_there_for(grant.reader())
        });
        if there {
            all.push(Sealed {
                entry,
                row: row.try_get_by_index(10)?,
                envelope: row.try_get_by_index(11)?,
            });
        }
    }
    Ok(all)
}

/// Where something of this CLB is: in whose dossier, and of which class. The one thing that is read before a decision,
/// for it is what is decided on; unknown and foreign ones are the same.
pub async fn place_of(secrets: &Secrets, clb: ClbId, what: What) -> Result<Option<(PupilId, Class)>, DbError> {
    let tx = secrets.apart.within(&[clb]).await?;
    let (text, id): (_, Value) = match what {
        What::Trajectory(id) => (
            "select t.pupil_id, t.domain, false from trajectory t where t.clb_id = ? and t.id = ?",
            id.into(),
        ),
        What::Entry(id) => (
            "select e.pupil_id, t.domain, e.medical from entry e join trajectory t on t.id = e.trajectory_id
             where e.clb_id = ? and e.id = ?",
            id.into(),
        ),
        What::Referral(id) => (
            "select r.pupil_id, t.domain, false from referral r join trajectory t on t.id = r.trajectory_id
             where r.clb_id = ? and r.id = ?",
            id.into(),
        ),
        What::Release(id) => (
            "select r.pupil_id, t.domain, false from school_release r join trajectory t on t.id = r.trajectory_id
             where r.clb_id = ? and r.id = ?",
            id.into(),
        ),
        What::Access(id) => (
            "select a.pupil_id, t.domain, a.class = 'secret.medical' from dossier_access a
             join trajectory t on t.id = a.trajectory_id where a.clb_id = ? and a.id = ?",
            id.into(),
        ),
        What::LogHold(id) => (
            "select h.pupil_id, t.domain, false from log_hold h join trajectory t on t.id = h.trajectory_id
             where h.clb_id = ? and h.id = ?",
            id.into(),
        ),
        What::Consent(id) => (
            "select c.pupil_id, t.domain, false from consent c join trajectory t on t.id = c.trajectory_id
             where c.clb_id = ? and c.id = ?",
            id.into(),
        ),
    };
    let found = row(&tx, text, vec![clb.into(), id]).await?;
    tx.commit().await?;
    let Some(found) = found else { return Ok(None) };
    let (domain, medical): (Domain, bool) = (found.try_get_by_index(1)?, found.try_get_by_index(2)?);
    let class = if medical { Class::Medical } else { Class::of(domain) };
    Ok(Some((found.try_get_by_index(0)?, class)))
}
