//! The relations between one viewer and some pupils, on which every decision under secrecy rests: read per request.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use hub_entities::dossier::consent::{Consent, ConsentTo};
use hub_entities::id::{ClbId, PrincipalId, PupilId};
use hub_entities::law::consent::{ConsentLaw, Decides, Judged, Minor};
use hub_entities::operation::Role;
use hub_entities::policy::secret::{Access, Lent, Place, TieRows, Ties, Urgency};
use hub_entities::time::Period;
use sea_orm::QueryResult;
use uuid::Uuid;

use super::basic::Basic;
use super::{Secrets, consent, emergency, parents_log, rights, transfer};
use crate::keys::KeyId;
use crate::keys::vault::{Owner, Wrapped};
use crate::store::asked::Words;
use crate::store::sql::{list, rows};
use crate::store::{Db, DbError};

/// Who asks, for which CLB, on which day.
#[derive(Debug, Clone, Copy)]
pub struct Asker {
    /// Who.
    pub principal: PrincipalId,
    /// For which CLB.
    pub clb: ClbId,
    /// The day relations are compared with.
    pub day: NaiveDate,
    /// When.
    pub now: DateTime<Utc>,
}

/// What is known of a pupil as a minor.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The birth date, where no two schools disagree.
    pub(super) born: Option<NaiveDate>,
    judged: Vec<Judged>,
}

impl Known {
    /// Whether a team of the CLB decided anything of the pupil.
    pub(super) const fn is_judged(&self) -> bool {
        !self.judged.is_empty()
    }

    /// For the law.
    pub fn minor(&self) -> Minor<'_> {
        Minor {
            born: self.born,
            judged: &self.judged,
        }
    }
}

/// The relations of the asker to each of these pupils, in their order, and what is known of each as a minor; as many
/// statements whatever there is.
pub async fn load(
    db: &Db,
    secrets: &Secrets,
    law: &ConsentLaw,
    asker: Asker,
    pupils: &[PupilId],
) -> Result<(Vec<Ties>, Vec<Known>), DbError> {
    loaded(secrets, law, Basic::load(db, asker, pupils).await?).await
}

/// The same, of a CLB that keeps a dossier on its way to another, or has one that came from another: what is said of that
/// transfer it hears, competent or not.
pub async fn load_as_party(
    db: &Db,
    secrets: &Secrets,
    law: &ConsentLaw,
    asker: Asker,
    pupils: &[PupilId],
) -> Result<(Vec<Ties>, Vec<Known>), DbError> {
    let mut basic = Basic::load(db, asker, pupils).await?;
    for pupil in transfer::of_these(secrets, asker.clb, pupils).await? {
        if let Some((rows, _)) = basic.of.get_mut(&pupil) {
            rows.controls = true;
        }
    }
    loaded(secrets, law, basic).await
}

async fn loaded(secrets: &Secrets, law: &ConsentLaw, basic: Basic) -> Result<(Vec<Ties>, Vec<Known>), DbError> {
    let whole = basic.with_secrets(secrets, law).await?;
    Ok((whole.ties, whole.minors))
}

/// The relations whole, with what was read along with them.
pub(super) struct Whole {
    /// To each pupil, in the order asked for.
    pub(super) ties: Vec<Ties>,
    /// What is known of each as a minor.
    pub(super) minors: Vec<Known>,
    /// The wrapped keys of their dossiers, as far as there are any.
    pub(super) keys: Vec<(Owner, Wrapped)>,
}

impl Basic {
    /// The whole: with what the secrecy store keeps.
    pub(super) async fn with_secrets(mut self, secrets: &Secrets, law: &ConsentLaw) -> Result<Whole, DbError> {
        let found = of_secrets(secrets, self.asker, &self.pupils).await?;
        let keys = put(&found, self.asker, &mut self.of)?;
        let one = |pupil: &PupilId| {
            let (mut rows, known) = self
                .of
                .get(pupil)
                .cloned()
                .unwrap_or((TieRows::none(), Known::default()));
            rows.decides = law.decides(known.minor(), self.asker.day);
            (Ties::of_rows(*pupil, rows), known)
        };
        let (ties, minors) = self.pupils.iter().map(one).unzip();
        Ok(Whole { ties, minors, keys })
    }
}

/// Someone who asks for what concerns one pupil: that pupil, or a parent. The tie is the principal's own row, whose begin
/// and end every decision reads.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// Who.
    pub principal: PrincipalId,
    /// In which role.
    pub role: Role,
    /// The pupil in that row.
    pub pupil: PupilId,
    /// The day it is asked.
    pub day: NaiveDate,
}

/// The relations of a person to a pupil, and the CLBs that have or had the person's own pupil and keep dossiers here; as
/// many statements whoever is asked about, and whether or not the access log was reviewed or is held back.
pub async fn of_person(
    db: &Db,
    secrets: &Secrets,
    law: &ConsentLaw,
    person: Person,
    pupil: PupilId,
) -> Result<(Ties, Vec<ClbId>), DbError> {
    let (competent, born) = competent(db, person.pupil).await?;
    let mut known = Known {
        born,
        judged: Vec::new(),
    };
    let mut clbs: Vec<ClbId> = competent.into_iter().map(|(clb, _)| clb).collect();
    clbs.sort_unstable();
    clbs.dedup();
    let tx = secrets.apart.reading(&clbs).await?;
    let text = "select judged, judged_on from capability where clb_id in ? and pupil_id = ? order by judged_on, written_at, id";
    let judged = rows(&tx, text, vec![list(&clbs), person.pupil.into()]).await?;
    let log_reviewed = person.role == Role::Parent && parents_log::is_told(&tx, &clbs, &person).await?;
    tx.commit().await?;
    for row in judged {
        known.judged.push(Judged {
            capability: row.try_get_by_index(0)?,
            from: row.try_get_by_index(1)?,
        });
    }
    let mut ties = TieRows::none();
    if person.pupil == pupil {
        ties = itself(person);
        ties.decides = law.decides(known.minor(), person.day);
        ties.log_reviewed = log_reviewed;
    }
    Ok((Ties::of_rows(pupil, ties), clbs))
}

/// While which CLBs are or were competent that keep dossiers here, and the birth date where no two schools disagree.
async fn competent(db: &Db, pupil: PupilId) -> Result<(Vec<(ClbId, Period)>, Option<NaiveDate>), DbError> {
    let text = "select c.clb_id, c.begins_on, c.ends_on, cast(null as date) from competence c
           join clb_dossiers m on m.clb_id = c.clb_id and m.mode = 'hub' where c.pupil_id = ?
         union all select null, null, null, min(r.birth_date) from record r where r.birth_date is not null and r.pupil_id = ?
           group by r.pupil_id having min(r.birth_date) = max(r.birth_date)";
    let (mut clbs, mut born) = (Vec::new(), None);
    for row in rows(db.reader(), text, vec![pupil.into(), pupil.into()]).await? {
        let clb: Option<ClbId> = row.try_get_by_index(0)?;
        match clb.zip(period(&row, 1)?) {
            Some(of) => clbs.push(of),
            None => born = row.try_get_by_index(3)?,
        }
    }
    Ok((clbs, born))
}

/// The relations of a person to the own pupil at each CLB that is competent today and keeps dossiers here, with what was
/// opened to that person there; as many statements whatever was. What one CLB's teams judged and opened is no other's.
pub async fn of_person_by_clb(
    db: &Db,
    secrets: &Secrets,
    law: &ConsentLaw,
    person: Person,
) -> Result<Vec<(ClbId, Ties)>, DbError> {
    let (competent, born) = competent(db, person.pupil).await?;
    let today = competent.into_iter().filter(|(_, period)| period.contains(person.day));
    let mut clbs: Vec<ClbId> = today.map(|(clb, _)| clb).collect();
    clbs.sort_unstable();
    clbs.dedup();
    let tx = secrets.apart.reading(&clbs).await?;
    let text = "select clb_id, judged, judged_on from capability where clb_id in ? and pupil_id = ?
         order by judged_on, written_at, id";
    let found = rows(&tx, text, vec![list(&clbs), person.pupil.into()]).await?;
    let opened = rights::opened_to(&tx, &clbs, (person.principal, person.pupil)).await?;
    let said = consent::on_parents(&tx, &clbs, person.pupil).await?;
    tx.commit().await?;
    let mut judged: Vec<(ClbId, Judged)> = Vec::with_capacity(found.len());
    for row in found {
        let capability = row.try_get_by_index(1)?;
        let from = row.try_get_by_index(2)?;
        judged.push((row.try_get_by_index(0)?, Judged { capability, from }));
    }
    let of_clb = |clb: ClbId| {
        let known = Known {
            born,
            judged: judged
                .iter()
                .filter(|(of, _)| *of == clb)
                .map(|(_, one)| *one)
                .collect(),
        };
        let mut ties = itself(person);
        ties.decides = law.decides(known.minor(), person.day);
        let pupil_decides = ties.decides == Decides::Pupil;
        let own = opened.iter().filter(|(of, _)| *of == clb);
        ties.accesses = own
            .map(|(_, access)| {
                let about = said.iter().filter(|(trajectory, _)| *trajectory == access.trajectory);
                let answers: Vec<Consent> = about.map(|(_, consent)| *consent).collect();
                let standing = law.standing(ConsentTo::ParentReads, known.minor(), &answers, person.day);
                Access {
                    pupil_consents: pupil_decides && standing.begins(),
                    ..*access
                }
            })
            .collect();
        (clb, Ties::of_rows(person.pupil, ties))
    };
    Ok(clbs.iter().copied().map(of_clb).collect())
}

/// A person to the pupil in that person's own row: that pupil, or a parent.
fn itself(person: Person) -> TieRows {
    let mut ties = TieRows::none();
    let today = Period {
        begins: person.day,
        ends: None,
    };
    match person.role {
        Role::Pupil => ties.is_the_pupil.push(today),
        Role::Parent => ties.authority.push(today),
        _ => {}
    }
    ties
}

/// No relation to this one at all.
pub const fn of_nobody(pupil: PupilId) -> Ties {
    Ties::of_rows(pupil, TieRows::none())
}

/// The relation of someone of a controller to what its log tells, whomever it tells of.
pub const fn of_controller(pupil: PupilId) -> Ties {
    let mut ties = TieRows::none();
    ties.controls = true;
    Ties::of_rows(pupil, ties)
}

pub(super) fn period(row: &QueryResult, at: usize) -> Result<Option<Period>, DbError> {
    let begins: Option<NaiveDate> = row.try_get_by_index(at)?;
    let ends = row.try_get_by_index(at.saturating_add(1))?;
    Ok(begins.map(|begins| Period { begins, ends }))
}

/// What is kept of an asker and of pupils: all before the present instant, all behind it up to the pupils, and whether it is of
/// that asker.
const RELATIONS: [(&str, &str, bool); 5] = [
    (
        "select m.pupil_id, 'place', t.id, t.domain, m.begins_on, m.ends_on, cast(null as timestamptz),
             cast(null as timestamptz), ",
        ", cast(null as integer), cast(null as bytea)
           from team_member m join trajectory t on t.id = m.trajectory_id and t.clb_id = m.clb_id and t.pupil_id = m.pupil_id
           where m.clb_id = ? and m.principal_id = ? and m.pupil_id",
        true,
    ),
    (
        " union all select pupil_id, 'lent', trajectory_id, class, null, null, from_at, until_at, ",
        ", null, null from access_lent where clb_id = ? and principal_id = ? and pupil_id",
        true,
    ),
    (
        " union all select pupil_id, 'emergency', null, classes, null, null, from_at, until_at, ",
        ", null, null from emergency where clb_id = ? and principal_id = ? and pupil_id",
        true,
    ),
    (
        " union all select pupil_id, 'judged', id, judged, judged_on, null, written_at, null, ",
        ", null, null from capability where clb_id = ? and pupil_id",
        false,
    ),
    (
        " union all select pupil_id, 'key', id, null, null, null, null, null, ",
        ", kek_version, wrapped from dossier_key where clb_id = ? and pupil_id",
        false,
    ),
];

/// The asker's places in teams, and what teams decided of the pupils, from the secrecy store; and the keys of the dossiers,
/// which open nothing before a line is written. One statement: each costs the server and the hub as much as a short one takes.
async fn of_secrets(secrets: &Secrets, asker: Asker, pupils: &[PupilId]) -> Result<Vec<QueryResult>, DbError> {
    let present = secrets.apart.dialect.now();
    let words = RELATIONS
        .iter()
        .fold(Words::default(), |words, (before, behind, of_asker)| {
            let mut words = words.say(before).say(present).say(behind).id(asker.clb.0);
            if *of_asker {
                words = words.id(asker.principal.0);
            }
            words.one_of(pupils.iter().map(|pupil| pupil.0))
        });
    secrets.apart.ask(asker.clb, secrets.apart.shapes.of_one(&words)).await
}

/// Puts what was found where it belongs, in the order in which it came to be; the keys are given back.
fn put(
    found: &[QueryResult],
    asker: Asker,
    of: &mut HashMap<PupilId, (TieRows, Known)>,
) -> Result<Vec<(Owner, Wrapped)>, DbError> {
    let (mut keys, mut judged) = (Vec::new(), Vec::new());
    for row in found {
        let Some((ties, _)) = of.get_mut(&row.try_get_by_index(0)?) else {
            continue;
        };
        let what: String = row.try_get_by_index(1)?;
        match what.as_str() {
            "place" => {
                if let Some(period) = period(row, 4)? {
                    ties.places.push(Place {
                        trajectory: row.try_get_by_index(2)?,
                        domain: row.try_get_by_index(3)?,
                        period,
                    });
                }
            }
            "lent" => ties.lent.push(Lent {
                class: row.try_get_by_index(3)?,
                trajectory: row.try_get_by_index(2)?,
                from: row.try_get_by_index(6)?,
                until: row.try_get_by_index(7)?,
            }),
            "emergency" => {
                let present: DateTime<Utc> = row.try_get_by_index(8)?;
                // The instants are the database's; a decision is of the instant that the operation began, wherever it did.
                let here = |at: DateTime<Utc>| asker.now.checked_add_signed(at.signed_duration_since(present));
                let (from, until) = (row.try_get_by_index(6)?, row.try_get_by_index(7)?);
                if let (Some(from), Some(until)) = (here(from), here(until)) {
                    let classes = emergency::classes(row, 3)?.into_iter();
                    ties.urgencies
                        .extend(classes.map(|class| Urgency { class, from, until }));
                }
            }
            "judged" => {
                let one = Judged {
                    capability: row.try_get_by_index(3)?,
                    from: row.try_get_by_index(4)?,
                };
                let (at, id): (DateTime<Utc>, Uuid) = (row.try_get_by_index(6)?, row.try_get_by_index(2)?);
                let pupil: PupilId = row.try_get_by_index(0)?;
                judged.push((pupil, (one.from, at, id), one));
            }
            _ => {
                let owner = Owner {
                    key: KeyId(row.try_get_by_index(2)?),
                    clb: asker.clb,
                    dossier: row.try_get_by_index(0)?,
                };
                let wrapped = Wrapped {
                    version: row.try_get_by_index(9)?,
                    bytes: row.try_get_by_index(10)?,
                };
                keys.push((owner, wrapped));
            }
        }
    }
    // What was noted last counts.
    judged.sort_by_key(|(_, noted, _)| *noted);
    for (pupil, _, one) in judged {
        of.entry(pupil).and_modify(|(_, known)| known.judged.push(one));
    }
    for (ties, _) in of.values_mut() {
        ties.places.sort_by_key(|one| (one.period.begins, one.trajectory));
        ties.lent.sort_by_key(|one| (one.from, one.trajectory));
        ties.urgencies.sort_by_key(|one| one.from);
    }
    Ok(keys)
}
