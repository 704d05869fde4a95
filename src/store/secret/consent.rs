//! Consents and refusals, and what teams decided of who is able to judge: noted with their line, and never overwritten.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::dossier::Domain;
use hub_entities::dossier::consent::{Capability, Consent, ConsentTo, Reply};
use hub_entities::dossier::trajectory::{Obligation, TrajectoryState};
use hub_entities::id::{ClbId, ConsentId, Ids, PrincipalId, PupilId, TrajectoryId};
use hub_entities::law::consent::Course;
use hub_entities::policy::secret::{Class, Field, Grant, Part, Step};
use sea_orm::Value;
use uuid::Uuid;

use super::opening::{Unsealing, reached, text_in};
use super::release::{self, Covers};
use super::several::{Answer, Column, Question, names};
use super::writing::{self, Changed, Stepping};
use super::{Secrets, key};
use crate::keys::{self, DataKey, Place};
use crate::store::DbError;
use crate::store::asked::Words;
use crate::store::sql::{execute, list, row, rows};
use crate::store::transaction::Transaction;

/// An answer as it is to stand.
#[derive(Clone, PartialEq, Eq)]
pub struct Answered {
    /// What the law needs of it.
    pub consent: Consent,
    /// What was said with it.
    pub note: Option<String>,
}

/// An answer as it stands, opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Said {
    /// Its id.
    pub id: ConsentId,
    /// About which trajectory.
    pub trajectory: TrajectoryId,
    /// What the law needs of it.
    pub consent: Consent,
    /// What was said with it.
    pub note: Option<String>,
    /// Who noted this version.
    pub author: PrincipalId,
    /// When.
    pub written_at: DateTime<Utc>,
    /// Which version it is.
    pub version: i32,
}

/// What a team decided of a minor, opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Judgement {
    /// In which trajectory.
    pub trajectory: TrajectoryId,
    /// What.
    pub capability: Capability,
    /// From which day.
    pub from: NaiveDate,
    /// Who noted it.
    pub author: PrincipalId,
    /// Why.
    pub reason: String,
}

/// All of one field.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Consents {
    /// The courses of guidance that are answered about.
    pub courses: Vec<(TrajectoryId, Course)>,
    /// The answers.
    pub said: Vec<Said>,
    /// What teams decided.
    pub judgements: Vec<Judgement>,
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
secret!(Answered, Said, Judgement, Consents);

/// What changes of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was noted wrongly.
    Correct(Answered),
    /// Who gave it takes it back from this day on.
    TakeBack(NaiveDate),
}

const ANSWER: [Column; 7] = [
    ("x.consents_to", "text"),
    ("x.given_by", "text"),
    ("x.form", "text"),
    ("x.reply", "text"),
    ("x.given_on", "date"),
    ("x.ends_on", "date"),
    ("x.revoked_on", "date"),
];

/// The columns of [`ANSWER`].
fn answer(row: &Answer) -> Result<Consent, DbError> {
    Ok(Consent {
        to: row.get(0)?,
        by: row.get(1)?,
        form: row.get(2)?,
        reply: row.get(3)?,
        given_on: row.get(4)?,
        ends_on: row.get(5)?,
        revoked_on: row.get(6)?,
    })
}

/// Where the note of a version lies.
const fn note_place(clb: ClbId, dossier: PupilId, row: Uuid) -> Place {
    Place {
        clb,
        dossier,
        table: "consent_said",
        column: "note",
        row,
    }
}

/// The answers about a trajectory that stand in it now.
pub(super) async fn answers(tx: &Transaction, clb: ClbId, trajectory: TrajectoryId) -> Result<Vec<Consent>, DbError> {
    let text = format!(
        "select {} from consent c
         join consent_said x on x.consent_id = c.id and x.version = c.version and x.clb_id = c.clb_id
         where c.clb_id = ? and c.trajectory_id = ?",
        names(&ANSWER)
    );
    let found = rows(tx, &text, vec![clb.into(), trajectory.into()]).await?;
    found.into_iter().map(|row| answer(&row.into())).collect()
}

/// The answers about a parent reading, at these CLBs, each with its trajectory.
pub(super) async fn on_parents(
    tx: &Transaction,
    clbs: &[ClbId],
    pupil: PupilId,
) -> Result<Vec<(TrajectoryId, Consent)>, DbError> {
    let text = format!(
        "select {}, c.trajectory_id from consent c
         join consent_said x on x.consent_id = c.id and x.version = c.version and x.clb_id = c.clb_id
         where c.clb_id in ? and c.pupil_id = ? and x.consents_to = ?",
        names(&ANSWER)
    );
    let values: Vec<Value> = vec![list(clbs), pupil.into(), ConsentTo::ParentReads.into()];
    let found = rows(tx, &text, values).await?;
    let one = |row: Answer| Ok((row.get(7)?, answer(&row)?));
    found.into_iter().map(|row| one(row.into())).collect()
}

/// A sealed value.
type Envelope = Vec<u8>;

/// What was read of the fields of some grants, and is not opened yet.
pub(super) struct Sealed {
    courses: Vec<(PupilId, Domain, TrajectoryId, Course)>,
    said: Vec<(PupilId, Domain, Said, Uuid, Option<Envelope>)>,
    judgements: Vec<(PupilId, Domain, Judgement, Uuid, Envelope)>,
}

impl Sealed {
    /// Whose dossiers something sealed was read of.
    pub(super) fn pupils(&self) -> impl Iterator<Item = PupilId> {
        let noted = self.said.iter().filter(|(.., note)| note.is_some());
        let noted = noted.map(|(pupil, ..)| *pupil);
        noted.chain(self.judgements.iter().map(|(pupil, ..)| *pupil))
    }

    /// Opens it.
    pub(super) fn open(self, with: &Unsealing<'_>) -> Result<HashMap<(PupilId, Field), Consents>, DbError> {
        let mut all: HashMap<(PupilId, Field), Consents> = HashMap::new();
        let of = |pupil, domain| Field::new(Class::of(domain), Part::Consents).map(|field| (pupil, field));
        for (pupil, domain, trajectory, course) in self.courses {
            if let Some(of) = of(pupil, domain) {
                all.entry(of).or_default().courses.push((trajectory, course));
            }
        }
        for (pupil, domain, mut said, row, envelope) in self.said {
            if let Some(envelope) = envelope {
                let place = note_place(with.clb, pupil, row);
                said.note = Some(with.text(&place, &envelope)?);
            }
            if let Some(of) = of(pupil, domain) {
                all.entry(of).or_default().said.push(said);
            }
        }
        for (pupil, domain, mut judgement, row, envelope) in self.judgements {
            let place = reason_place(with.clb, pupil, row);
            judgement.reason = with.text(&place, &envelope)?;
            if let Some(of) = of(pupil, domain) {
                all.entry(of).or_default().judgements.push(judgement);
            }
        }
        Ok(all)
    }
}

/// The question for courses of guidance, each with the answers about it, or with none.
pub(super) fn courses_of(table: &'static str, clb: ClbId, grants: &[&Grant]) -> Option<Question> {
    let from = Words::default().say("from ").say(table).say(
        " left join consent c on c.clb_id = t.clb_id and c.pupil_id = t.pupil_id and c.trajectory_id = t.id
         left join consent_said x on x.consent_id = c.id and x.version = c.version and x.clb_id = c.clb_id
         where t.clb_id = ?",
    );
    let from = reached(from.id(clb.0), grants, |_| None)?;
    let of_course = [
        ("t.pupil_id", "uuid"),
        ("t.domain", "text"),
        ("t.id", "uuid"),
        ("t.state", "text"),
        ("t.obligation", "text"),
        ("t.lapsed_at is not null", "boolean"),
        ("c.id", "uuid"),
        ("c.version", "integer"),
        ("x.author", "uuid"),
        ("x.written_at", "timestamptz"),
        ("x.id", "uuid"),
        ("x.note", "bytea"),
        ("t.opened_at", "timestamptz"),
    ];
    Some(Question {
        columns: ANSWER.into_iter().chain(of_course).collect(),
        from,
    })
}

/// The question for what teams decided of the pupils.
pub(super) fn judgements_of(table: &'static str, clb: ClbId, grants: &[&Grant]) -> Option<Question> {
    let from = Words::default()
        .say("from capability j join ")
        .say(table)
        .say(" on t.id = j.trajectory_id and t.clb_id = j.clb_id and t.pupil_id = j.pupil_id where j.clb_id = ?");
    let from = reached(from.id(clb.0), grants, |_| None)?;
    Some(Question {
        columns: vec![
            ("t.pupil_id", "uuid"),
            ("t.domain", "text"),
            ("t.id", "uuid"),
            ("j.judged", "text"),
            ("j.judged_on", "date"),
            ("j.author", "uuid"),
            ("j.id", "uuid"),
            ("j.reason", "bytea"),
            ("j.written_at", "timestamptz"),
        ],
        from,
    })
}

/// What was answered to both.
pub(super) fn read(courses: &[Answer], judgements: &[Answer]) -> Result<Sealed, DbError> {
    // A course has a row for each answer about it.
    let mut begun: BTreeMap<(DateTime<Utc>, TrajectoryId), (PupilId, Domain, Course)> = BTreeMap::new();
    let mut said = Vec::new();
    for row in courses {
        let (pupil, domain, trajectory) = (row.get(7)?, row.get(8)?, row.get(9)?);
        let state: TrajectoryState = row.get(10)?;
        let course = Course {
            open: state == TrajectoryState::Open,
            obligation: row.get(11)?,
            lapsed: row.get(12)?,
        };
        begun.insert((row.get(19)?, trajectory), (pupil, domain, course));
        let Some(id) = row.get(13)? else { continue };
        let one = Said {
            consent: answer(row)?,
            id,
            trajectory,
            version: row.get(14)?,
            author: row.get(15)?,
            written_at: row.get(16)?,
            note: None,
        };
        said.push((pupil, domain, one, row.get(17)?, row.get(18)?));
    }
    said.sort_by_key(|(_, _, said, ..)| (said.consent.given_on, said.written_at, said.id));
    let mut judged = Vec::new();
    for row in judgements {
        let judgement = Judgement {
            trajectory: row.get(2)?,
            capability: row.get(3)?,
            from: row.get(4)?,
            author: row.get(5)?,
            reason: String::new(),
        };
        let written_at: DateTime<Utc> = row.get(8)?;
        let place: Uuid = row.get(6)?;
        judged.push((written_at, (row.get(0)?, row.get(1)?, judgement, place, row.get(7)?)));
    }
    judged.sort_by_key(|(written_at, (_, _, judgement, place, _))| (judgement.from, *written_at, *place));
    let courses = begun.into_iter();
    Ok(Sealed {
        courses: courses
            .map(|((_, trajectory), (pupil, domain, course))| (pupil, domain, trajectory, course))
            .collect(),
        said,
        judgements: judged.into_iter().map(|(_, judged)| judged).collect(),
    })
}

/// Where the reason of a judgement lies.
const fn reason_place(clb: ClbId, dossier: PupilId, row: Uuid) -> Place {
    Place {
        clb,
        dossier,
        table: "capability",
        column: "reason",
        row,
    }
}

/// The version of this trajectory, if the grant reaches it; `open` asks for one in which guidance is given.
pub(super) async fn within(
    tx: &Transaction,
    by: &Stepping<'_>,
    trajectory: TrajectoryId,
    open: bool,
) -> Result<Option<i32>, DbError> {
    let text = "select domain, state, version from trajectory where clb_id = ? and pupil_id = ? and id = ?";
    let values: Vec<Value> = vec![by.clb.into(), by.grant.pupil().into(), trajectory.into()];
    let Some(found) = row(tx, text, values).await? else {
        return Ok(None);
    };
    let (domain, state): (Domain, TrajectoryState) = (found.try_get_by_index(0)?, found.try_get_by_index(1)?);
    let fits = by.grant.asked().class() == Class::of(domain) && by.reaches(trajectory);
    let version = found.try_get_by_index(2)?;
    Ok((fits && (!open || state == TrajectoryState::Open)).then_some(version))
}

/// Notes an answer about a trajectory of the grant; `None` when there is no such open one. What was released under another
/// and is covered no longer is taken back.
pub async fn record(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    (trajectory, answered): (TrajectoryId, &Answered),
    covers: Covers<'_>,
) -> Result<Option<ConsentId>, DbError> {
    let tx = by.begin(secrets, Step::RecordConsent).await?;
    if within(&tx, &by, trajectory, true).await?.is_none() {
        tx.commit().await?;
        return Ok(None);
    }
    let id = ConsentId(ids.blind());
    let pupil = by.grant.pupil();
    let values: Vec<Value> = vec![id.into(), by.clb.into(), pupil.into(), trajectory.into()];
    let text = "insert into consent (id, clb_id, pupil_id, trajectory_id, version) values (?, ?, ?, ?, 1)";
    execute(&tx, text, values).await?;
    let data_key = key::make(&tx, &*secrets.vault, ids, by.clb, pupil).await?;
    put(&tx, &data_key, ids, &by, (id, 1), answered).await?;
    release::follow_consent(secrets, &tx, &by, Some(trajectory), covers).await?;
    tx.commit().await?;
    Ok(Some(id))
}

/// Corrects an answer of the grant, or takes it back: a new version, and the former stays. What was released under it and is
/// covered no longer is taken back.
pub async fn change(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    (consent, read): (ConsentId, i32),
    change: Change,
    covers: Covers<'_>,
) -> Result<Changed, DbError> {
    let tx = by.begin(secrets, Step::RecordConsent).await?;
    let of = ("consent", consent.0);
    let changed = match writing::locked(secrets, &tx, &by, of, read).await? {
        Err(changed) => changed,
        Ok(trajectory) => {
            let data_key = key::make(&tx, &*secrets.vault, ids, by.clb, by.grant.pupil()).await?;
            let former = former(&tx, &data_key, &by, (consent, read)).await?;
            match changed_to(former, change) {
                None => Changed::NotNow,
                Some(answered) => {
                    put(&tx, &data_key, ids, &by, (consent, read.saturating_add(1)), &answered).await?;
                    let raised = writing::raised(&tx, &by, of, read).await?;
                    release::follow_consent(secrets, &tx, &by, Some(trajectory), covers).await?;
                    raised
                }
            }
        }
    };
    tx.commit().await?;
    Ok(changed)
}

/// What an answer is from now on; none of one that is not there to be taken back, or is so already.
fn changed_to(former: Answered, change: Change) -> Option<Answered> {
    match change {
        // That it was taken back is no matter of how it was noted.
        Change::Correct(answered) => Some(Answered {
            consent: Consent {
                revoked_on: former.consent.revoked_on,
                ..answered.consent
            },
            ..answered
        }),
        Change::TakeBack(on) => {
            let given = former.consent.reply == Reply::Given && former.consent.given_on <= on;
            (given && former.consent.revoked_on.is_none()).then_some(Answered {
                consent: Consent {
                    revoked_on: Some(on),
                    ..former.consent
                },
                ..former
            })
        }
    }
}

/// A version of an answer, opened.
async fn former(
    tx: &Transaction,
    data_key: &DataKey,
    by: &Stepping<'_>,
    (consent, version): (ConsentId, i32),
) -> Result<Answered, DbError> {
    let text = format!(
        "select {}, x.id, x.note from consent_said x where x.clb_id = ? and x.consent_id = ? and x.version = ?",
        names(&ANSWER)
    );
    let values: Vec<Value> = vec![by.clb.into(), consent.into(), version.into()];
    let unreadable = DbError::Unreadable {
        column: "consent_said.version",
    };
    let found: Answer = row(tx, &text, values).await?.ok_or(unreadable)?.into();
    let note: Option<Vec<u8>> = found.get(8)?;
    let place = note_place(by.clb, by.grant.pupil(), found.get(7)?);
    let note = note.map(|envelope| text_in(data_key, &place, &envelope)).transpose()?;
    Ok(Answered {
        consent: answer(&found)?,
        note,
    })
}

async fn put(
    tx: &Transaction,
    data_key: &DataKey,
    ids: &dyn Ids,
    by: &Stepping<'_>,
    (consent, version): (ConsentId, i32),
    answered: &Answered,
) -> Result<(), DbError> {
    let place = note_place(by.clb, by.grant.pupil(), ids.blind());
    let note = answered.note.as_ref();
    let note = note.map(|note| keys::seal_afresh(data_key, &place, note.as_bytes()));
    let said = answered.consent;
    let values: Vec<Value> = vec![
        place.row.into(),
        by.clb.into(),
        by.grant.pupil().into(),
        consent.into(),
        version.into(),
        said.to.into(),
        said.by.into(),
        said.form.into(),
        said.reply.into(),
        said.given_on.into(),
        said.ends_on.into(),
        said.revoked_on.into(),
        by.grant.viewer().into(),
        by.line.at.into(),
        note.transpose()?.into(),
    ];
    execute(
        tx,
        "insert into consent_said (id, clb_id, pupil_id, consent_id, version, consents_to, given_by, form, reply,
             given_on, ends_on, revoked_on, author, written_at, note)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    )
    .await?;
    Ok(())
}

/// Notes what the team of a trajectory of the grant decided of the pupil from this day on; the version of
/// that trajectory, or none when there is no such open one. What was released and is covered no longer is taken back, in
/// whichever trajectory: who decides, decides in all of them.
pub async fn judge(
    secrets: &Secrets,
    ids: &dyn Ids,
    by: Stepping<'_>,
    trajectory: TrajectoryId,
    (capability, from, reason): (Capability, NaiveDate, &str),
    covers: Covers<'_>,
) -> Result<Option<i32>, DbError> {
    let tx = by.begin(secrets, Step::JudgeCapability).await?;
    let version = within(&tx, &by, trajectory, true).await?;
    if version.is_some() {
        let pupil = by.grant.pupil();
        let data_key = key::make(&tx, &*secrets.vault, ids, by.clb, pupil).await?;
        let place = reason_place(by.clb, pupil, ids.blind());
        let values: Vec<Value> = vec![
            place.row.into(),
            by.clb.into(),
            pupil.into(),
            trajectory.into(),
            capability.into(),
            from.into(),
            by.grant.viewer().into(),
            by.line.at.into(),
            keys::seal_afresh(&data_key, &place, reason.as_bytes())?.into(),
        ];
        execute(
            &tx,
            "insert into capability (id, clb_id, pupil_id, trajectory_id, judged, judged_on, author, written_at, reason)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )
        .await?;
        release::follow_consent(secrets, &tx, &by, None, covers).await?;
    }
    tx.commit().await?;
    Ok(version)
}

/// Whether guidance may go on: under what obliges to it now, and these answers.
pub type MayGoOn<'a> = &'a (dyn Fn(Option<Obligation>, &[Consent]) -> bool + Send + Sync);
