//! The half of the relations that the main store keeps: competence, posts, and the birth date.

use std::collections::HashMap;

use async_trait::async_trait;
use hub_entities::dossier::Post;
use hub_entities::id::{ClbId, PrincipalId, PupilId};
use hub_entities::policy::secret::{Posted, TieRows};
use hub_entities::time::Period;
use sea_orm::{ConnectionTrait as _, DatabaseBackend, QueryResult, Value};

use super::ties::{Asker, Known, period};
use crate::store::reader::Reader;
use crate::store::sql::{list, list_from, rows};
use crate::store::together::Answers;
use crate::store::{Db, DbError};

/// That half, of some pupils.
pub struct Basic {
    /// Who asks.
    pub(super) asker: Asker,
    /// About whom.
    pub(super) pupils: Vec<PupilId>,
    pub(super) of: HashMap<PupilId, (TieRows, Known)>,
}

impl Basic {
    /// Reads it, in one statement; of one pupil on the way of whoever asks the same at that moment.
    pub async fn load(db: &Db, asker: Asker, pupils: &[PupilId]) -> Result<Self, DbError> {
        let mut of: HashMap<_, _> = pupils.iter().map(|pupil| (*pupil, nothing())).collect();
        if let [pupil] = pupils {
            let one = OfOne {
                clb: asker.clb,
                principal: asker.principal,
                pupil: *pupil,
            };
            of.insert(*pupil, db.basics().ask(db.reader(), one).await?);
        } else {
            let text = text("c.clb_id = ?", "p.principal_id = ?", "pupil_id in ?");
            let values: Vec<Value> = vec![
                asker.clb.into(),
                list(pupils),
                asker.principal.into(),
                list(pupils),
                list(pupils),
            ];
            for row in rows(db.reader(), &text, values).await? {
                if let Some((ties, known)) = of.get_mut(&row.try_get_by_index(0)?) {
                    put(&row, 1, ties, known)?;
                }
            }
        }
        Ok(Self {
            asker,
            pupils: pupils.to_vec(),
            of,
        })
    }
}

fn nothing() -> (TieRows, Known) {
    (TieRows::none(), Known::default())
}

/// The question of one about one pupil.
pub(in crate::store) struct OfOne {
    clb: ClbId,
    principal: PrincipalId,
    pupil: PupilId,
}

/// What is asked, of a CLB, a principal and pupils that these conditions name.
fn text(clb: &str, principal: &str, pupil: &str) -> String {
    format!(
        "select c.pupil_id, 'competent', c.begins_on, c.ends_on, cast(null as date), cast(null as date), cast(null as date)
           from competence c join clb_dossiers m on m.clb_id = c.clb_id and m.mode = 'hub'
           where {clb} and c.{pupil}
         union all select e.pupil_id, p.post, p.begins_on, p.ends_on, e.begins_on, e.ends_on, null
           from post p join enrolment e on e.school_id = p.school_id where {principal} and e.{pupil}
         union all select r.pupil_id, 'born', null, null, null, null, min(r.birth_date)
           from record r where r.birth_date is not null and r.{pupil}
           group by r.pupil_id having min(r.birth_date) = max(r.birth_date)"
    )
}

#[async_trait]
impl Answers<OfOne> for Reader {
    type Answer = (TieRows, Known);

    async fn all(&self, questions: &[&OfOne]) -> Result<Vec<Self::Answer>, DbError> {
        let mut answers: Vec<Self::Answer> = questions.iter().map(|_| nothing()).collect();
        // SQLite, which is in this process, has no way to be spared, and looks up nothing that another row names.
        if questions.len() == 1 || self.get_database_backend() == DatabaseBackend::Sqlite {
            let text = text("c.clb_id = ?", "p.principal_id = ?", "pupil_id = ?");
            for (one, (ties, known)) in questions.iter().zip(&mut answers) {
                let pupil = || Value::from(one.pupil);
                let values = vec![one.clb.into(), pupil(), one.principal.into(), pupil(), pupil()];
                for row in rows(self, &text, values).await? {
                    put(&row, 1, ties, known)?;
                }
            }
            return Ok(answers);
        }
        // What each asks is looked up by itself, whatever the server knew of its tables when it planned.
        let of_each = text(
            "c.clb_id = a.clb_id",
            "p.principal_id = a.principal_id",
            "pupil_id = a.pupil_id",
        );
        let text = format!(
            "select a.nth, s.* from unnest(?, ?, ?, ?) a (nth, clb_id, principal_id, pupil_id) cross join lateral ({of_each}) s"
        );
        let values = vec![
            list_from((0_i32..).zip(questions).map(|(nth, _)| nth)),
            list_from(questions.iter().map(|one| one.clb)),
            list_from(questions.iter().map(|one| one.principal)),
            list_from(questions.iter().map(|one| one.pupil)),
        ];
        for row in rows(self, &text, values).await? {
            let nth: i32 = row.try_get_by_index(0)?;
            let of = usize::try_from(nth).ok().and_then(|nth| answers.get_mut(nth));
            let (ties, known) = of.ok_or(DbError::Unreadable { column: "nth" })?;
            put(&row, 2, ties, known)?;
        }
        Ok(answers)
    }
}

/// What a row says, from this column on.
fn put(row: &QueryResult, at: usize, ties: &mut TieRows, known: &mut Known) -> Result<(), DbError> {
    let column = |nth: usize| at.saturating_add(nth);
    let what: String = row.try_get_by_index(at)?;
    match what.as_str() {
        "competent" => ties.competent.extend(period(row, column(1))?),
        // Of two schools that disagree neither is believed: rights by age then wait for the team.
        "born" => known.born = row.try_get_by_index(column(5))?,
        post => {
            let post: Post = post
                .parse()
                .map_err(|_unknown| DbError::Unreadable { column: "post.post" })?;
            if let (Some(posted), Some(enrolled)) = (period(row, column(1))?, period(row, column(3))?) {
                ties.posts
                    .extend(both(posted, enrolled).map(|period| Posted { post, period }));
            }
        }
    }
    Ok(())
}

/// When both hold.
fn both(one: Period, other: Period) -> Option<Period> {
    let ends = match (one.ends, other.ends) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (ends, None) | (None, ends) => ends,
    };
    let begins = one.begins.max(other.begins);
    ends.is_none_or(|ends| begins < ends).then_some(Period { begins, ends })
}
