//! Opening what was granted: what is read stays closed until the line that tells of it is committed (design §3,
//! write-ahead audit).

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
use uuid::Uuid;

use super::basic::Basic;
use super::consent::{self, Consents};
use super::line::Line;
use super::referral::{self, Referral};
use super::release::{self, Release};
use super::several::{self, Answer, Column, Question};
use super::ties::{Known, Whole};
use super::{Secrets, What, key};
use crate::keys::vault::{Owner, Wrapped};
use crate::keys::{self, DataKey, Place};
use crate::store::DbError;
use crate::store::asked::Words;
use crate::store::sql::row;

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
    /// Who is or was in its team, where that was asked.
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

/// Writes the lines and opens what was granted; only when they are committed is any value there.
///
/// # Errors
/// The lines could not be written, or not committed: then nothing is opened. A sealed value that does not fit its place
/// opens nothing either.
pub async fn open(secrets: &Secrets, clb: ClbId, grants: &[Grant], lines: Vec<Line>) -> Result<Found, DbError> {
    let closed = Closed::read(secrets, clb, grants, true, None).await?;
    closed.open(secrets, lines).await
}

/// Writes lines of which nothing is opened: refusals are in the log too.
///
/// # Errors
/// They could not be written, or not committed.
pub async fn note(secrets: &Secrets, lines: Vec<Line>) -> Result<(), DbError> {
    if lines.is_empty() {
        return Ok(());
    }
    secrets.apart.lines.ask(&secrets.apart, lines).await
}

/// Opens what is granted, as [`open`] does; but what that is `decide` says, of the relations, and which lines tell of it. With
/// what is known of each pupil as a minor, in the order asked for. Who is in the `teams` is read where that is asked.
///
/// # Errors
/// As of [`open`].
pub async fn decide_and_open(
    secrets: &Secrets,
    law: &ConsentLaw,
    basic: Basic,
    teams: bool,
    decide: impl FnOnce(&[Ties]) -> (Vec<Grant>, Vec<Line>) + Send,
) -> Result<(Vec<Known>, Found), DbError> {
    let clb = basic.asker.clb;
    let whole = basic.with_secrets(secrets, law).await?;
    let (grants, lines) = decide(&whole.ties);
    let closed = Closed::read(secrets, clb, &grants, teams, Some(&whole)).await?;
    Ok((whole.minors, closed.open(secrets, lines).await?))
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
        secrets: &Secrets,
        clb: ClbId,
        grants: &[Grant],
        teams: bool,
        ahead: Option<&Whole>,
    ) -> Result<Self, DbError> {
        let of = |part: Part| -> Vec<&Grant> {
            let of_part = |grant: &&Grant| grant.field().is_some_and(|field| field.part() == part);
            grants.iter().filter(of_part).collect()
        };
        let (entering, consenting) = (of(Part::Entries), of(Part::Consents));
        let is_judged = ahead.is_none_or(|ahead| ahead.minors.iter().any(Known::is_judged));
        let (with, from) = trajectories_in(clb, grants);
        let questions = [
            trajectories_of(from, clb, &of(Part::Trajectories), teams),
            entries_of(from, clb, &entering),
            consent::courses_of(from, clb, &consenting),
            is_judged
                .then(|| consent::judgements_of(from, clb, &consenting))
                .flatten(),
            referral::question(from, clb, &of(Part::Referrals)),
            release::question(from, clb, &of(Part::Releases)),
        ];
        let [trajectories, entries, courses, judgements, referrals, releases] =
            several::ask(&secrets.apart, clb, with, questions).await?;
        let trajectories = read_trajectories(&trajectories, teams)?;
        let entries = read_entries(&entries, &entering)?;
        let consents = consent::read(&courses, &judgements)?;
        let referrals = referral::read(&referrals)?;
        let releases = release::read(&releases)?;
        let pupils = entries.iter().map(|one| one.entry.pupil);
        let pupils = pupils.chain(consents.pupils()).chain(referrals.pupils());
        let pupils: BTreeSet<PupilId> = pupils.chain(releases.pupils()).collect();
        let keys = if let Some(ahead) = ahead {
            let of_these = ahead.keys.iter().filter(|(owner, _)| pupils.contains(&owner.dossier));
            of_these.cloned().collect()
        } else {
            let tx = secrets.apart.reading(&[clb]).await?;
            let keys = key::of_pupils(&tx, clb, pupils).await?;
            tx.commit().await?;
            keys
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

    /// Opens it, once the lines are committed that tell of it.
    async fn open(self, secrets: &Secrets, lines: Vec<Line>) -> Result<Found, DbError> {
        note(secrets, lines).await?;
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

/// Goes on with what the grants reach, as a condition on a trajectory `t`: none reaches beyond its pupil and its class. The
/// pupils are named for all of them, and what is joined with `t` names the pupil too: whatever the server knows of its tables
/// when it plans, it then looks for the rows of these pupils, and never through all of the CLB's. None without a grant.
pub(super) fn reached(from: Words, grants: &[&Grant], also: impl Fn(Class) -> Option<&'static str>) -> Option<Words> {
    let pupils: BTreeSet<PupilId> = grants.iter().map(|grant| grant.pupil()).collect();
    let is_one = pupils.len() == 1;
    let mut words = from.say(" and t.pupil_id").one_of(pupils.iter().map(|pupil| pupil.0));
    for (nth, grant) in grants.iter().enumerate() {
        words = words.say(if nth == 0 { " and ((true" } else { ") or (true" });
        if !is_one {
            words = words.say(" and t.pupil_id = ?").id(grant.pupil().0);
        }
        let class = grant.asked().class();
        if let Some(domain) = class.domain() {
            words = words.say(" and t.domain = ?").name(domain.name());
        }
        if let Rows::Of(trajectories) = grant.rows() {
            words = words.say(" and t.id").one_of(trajectories.iter().map(|id| id.0));
        }
        if let Some(also) = also(class) {
            words = words.say(also);
        }
    }
    (!grants.is_empty()).then(|| words.say("))"))
}

/// Where the questions find trajectories, and what is said before them: of one pupil there are few, and they are read once for
/// all questions.
fn trajectories_in(clb: ClbId, grants: &[Grant]) -> (Words, &'static str) {
    let pupils: BTreeSet<PupilId> = grants.iter().map(Grant::pupil).collect();
    if pupils.len() != 1 {
        return (Words::default(), "trajectory t");
    }
    let with = Words::default().say(
        "with of_pupil as materialized (
             select id, clb_id, pupil_id, domain, phase, state, asked_by, obligation, opened_at, closed_at, version, lapsed_at
             from trajectory where clb_id = ? and pupil_id",
    );
    (
        with.id(clb.0).one_of(pupils.iter().map(|pupil| pupil.0)).say(") "),
        "of_pupil t",
    )
}

/// The question for trajectories; with their teams, each once for every place in its team.
fn trajectories_of(table: &'static str, clb: ClbId, grants: &[&Grant], teams: bool) -> Option<Question> {
    let mut from = Words::default().say("from ").say(table);
    let mut columns = vec![
        ("t.id", "uuid"),
        ("t.pupil_id", "uuid"),
        ("t.domain", "text"),
        ("t.phase", "text"),
        ("t.state", "text"),
        ("t.asked_by", "text"),
        ("t.obligation", "text"),
        ("t.opened_at", "timestamptz"),
        ("t.closed_at", "timestamptz"),
        ("t.version", "integer"),
        ("t.lapsed_at", "timestamptz"),
    ];
    if teams {
        from = from.say(
            " left join team_member m
             on m.clb_id = t.clb_id and m.pupil_id = t.pupil_id and m.trajectory_id = t.id",
        );
        columns.extend([
            ("m.id", "uuid"),
            ("m.principal_id", "uuid"),
            ("m.begins_on", "date"),
            ("m.ends_on", "date"),
        ]);
    }
    let from = reached(from.say(" where t.clb_id = ?").id(clb.0), grants, |_| None)?;
    Some(Question { columns, from })
}

fn read_trajectories(rows: &[Answer], teams: bool) -> Result<Vec<Trajectory>, DbError> {
    let one = |row: &Answer| {
        let trajectory = Trajectory {
            id: row.get(0)?,
            pupil: row.get(1)?,
            domain: row.get(2)?,
            phase: row.get(3)?,
            state: row.get(4)?,
            asked_by: row.get(5)?,
            obligation: row.get(6)?,
            opened_at: row.get(7)?,
            closed_at: row.get(8)?,
            version: row.get(9)?,
            lapsed_at: row.get(10)?,
            team: Vec::new(),
        };
        let mut member = None;
        if teams {
            let place: Option<Uuid> = row.get(11)?;
            let worker: Option<PrincipalId> = row.get(12)?;
            let (begins, ends): (Option<NaiveDate>, _) = (row.get(13)?, row.get(14)?);
            let of = worker.zip(begins).map(|(worker, begins)| Member {
                worker,
                period: Period { begins, ends },
            });
            member = of.zip(place);
        }
        Ok((trajectory, member))
    };
    let mut found = rows.iter().map(one).collect::<Result<Vec<_>, DbError>>()?;
    found.sort_by_key(|(trajectory, member)| {
        let place = member.map(|(member, place)| (member.period.begins, place));
        (trajectory.opened_at, trajectory.id, place)
    });
    let mut all: Vec<Trajectory> = Vec::new();
    for (trajectory, member) in found {
        if all.last().is_none_or(|last| last.id != trajectory.id) {
            all.push(trajectory);
        }
        if let Some(last) = all.last_mut() {
            last.team.extend(member.map(|(member, _)| member));
        }
    }
    Ok(all)
}

/// Whom an entry `e` is about, and what closes it: what was added to another, `o`, is as open as that one is now.
pub(super) const OPENNESS: [Column; 2] = [
    ("coalesce(o.about, e.about)", "text"),
    ("e.closed | coalesce(o.closed, 0)", "integer"),
];

/// The entry to which another one, `e`, was added.
pub(super) const ADDED_TO: &str = "left join entry o on o.id = e.adds_to and o.clb_id = e.clb_id";

/// An entry whose text is not opened yet.
struct Sealed {
    entry: Entry,
    /// The row of its text.
    row: Uuid,
    envelope: Vec<u8>,
}

fn entries_of(table: &'static str, clb: ClbId, grants: &[&Grant]) -> Option<Question> {
    let from = Words::default().say("from entry e join ").say(table).say(
        " on t.id = e.trajectory_id and t.clb_id = e.clb_id and t.pupil_id = e.pupil_id
         join entry_text x on x.entry_id = e.id and x.version = e.version and x.clb_id = e.clb_id ",
    );
    let from = from.say(ADDED_TO);
    let from = from.say(" where e.clb_id = ? and e.left_out_at is null").id(clb.0);
    // Health data are kept apart: they are of no domain's entries, whatever trajectory they are written in.
    let from = reached(from, grants, |class| {
        Some(if class == Class::Medical {
            " and e.medical"
        } else {
            " and not e.medical"
        })
    })?;
    let [about, closed] = OPENNESS;
    Some(Question {
        columns: vec![
            ("e.id", "uuid"),
            ("e.pupil_id", "uuid"),
            ("e.trajectory_id", "uuid"),
            ("t.domain", "text"),
            ("e.medical", "boolean"),
            about,
            closed,
            ("x.author", "uuid"),
            ("x.written_at", "timestamptz"),
            ("e.version", "integer"),
            ("x.id", "uuid"),
            ("x.text", "bytea"),
            ("e.own_words", "text"),
            ("e.adds_to", "uuid"),
        ],
        from,
    })
}

fn read_entries(rows: &[Answer], grants: &[&Grant]) -> Result<Vec<Sealed>, DbError> {
    let mut all = Vec::new();
    for row in rows {
        let domain: Domain = row.get(3)?;
        let medical: bool = row.get(4)?;
        let entry = Entry {
            id: row.get(0)?,
            pupil: row.get(1)?,
            trajectory: row.get(2)?,
            class: if medical { Class::Medical } else { Class::of(domain) },
            about: row.get(5)?,
            closed: row.get(6)?,
            author: row.get(7)?,
            written_at: row.get(8)?,
            version: row.get(9)?,
            own_words: row.get(12)?,
            adds_to: row.get(13)?,
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
                row: row.get(10)?,
                envelope: row.get(11)?,
            });
        }
    }
    all.sort_by_key(|one: &Sealed| (one.entry.written_at, one.entry.id));
    Ok(all)
}

/// Where something of this CLB is: in whose dossier, and of which class. The one thing that is read before a decision,
/// for it is what is decided on; unknown and foreign ones are the same.
pub async fn place_of(secrets: &Secrets, clb: ClbId, what: What) -> Result<Option<(PupilId, Class)>, DbError> {
    let tx = secrets.apart.reading(&[clb]).await?;
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
