//! What an obligatory report carries whatever an agreement lists: its legal minimum, and no more (design §3).

use std::collections::BTreeMap;

use chrono::NaiveDate;
use hub_entities::id::{PupilId, RecordId, SchoolId, SignalId};
use hub_entities::law::threshold::SignalKind;
use hub_entities::policy::{Reach, Scope};
use sea_orm::Value;

use super::{Piece, held, related};
use crate::store::sql::{list, list_from, rows};
use crate::store::{Db, DbError};

/// The legal minimum of one report: who, where, how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// The canonical pupil.
    pub pupil: PupilId,
    /// Given name, where the school's system gave one.
    pub given_name: Option<String>,
    /// Family name, where the school's system gave one.
    pub family_name: Option<String>,
    /// Date of birth, where the school's system gave one.
    pub birth_date: Option<NaiveDate>,
    /// The school that must report.
    pub school: SchoolId,
    /// The classes of that school in which the pupil sits today, by name.
    pub classes: Vec<String>,
    /// Half-days, as last counted.
    pub half_days: i32,
}

/// Whose words these are: of a CLB's reader those of its own schools, of a school's its own.
fn own(scope: &Scope, school: &str) -> Piece {
    match scope.reach() {
        Reach::School(own) => Piece::new(format!("{school} = ?"), vec![(*own).into()]),
        Reach::Report { schools, .. } => Piece::new(format!("{school} in ?"), vec![list(schools)]),
        Reach::Public | Reach::Clb { .. } | Reach::Operations | Reach::Source { .. } => Piece::never(),
    }
}

/// What the reports of these signals carry: of those that oblige and stand, about pupils the reader is related
/// to today and from whom it is not held back. A school where the pupil is enrolled today speaks before any other, the latest before the earlier.
pub async fn of_signals(db: &Db, scope: &Scope, signals: &[SignalId]) -> Result<BTreeMap<SignalId, Reported>, DbError> {
    let (related, own) = (related(scope, "s.pupil_id"), own(scope, "b.school_id"));
    let held = match scope.reach() {
        Reach::Report { clb, .. } => held("s.id", (*clb).into()),
        _ => Piece::never(),
    };
    let obligatory = SignalKind::ALL.into_iter().filter(|kind| kind.is_obligatory());
    let obligatory = obligatory.map(|kind| kind.name().to_owned());
    let text = format!(
        "select s.id, s.pupil_id, coalesce(r.given_name, q.given_name), coalesce(r.family_name, q.family_name),
                coalesce(r.birth_date, q.birth_date), r.school_id, s.half_days, c.name, r.id
         from signal s join record r on r.id = (
           select b.id from record b
           left join enrolment n on n.record_id = b.id and n.begins_on <= ? and (n.ends_on is null or n.ends_on > ?)
           where b.pupil_id = s.pupil_id and {}
           order by case when n.id is null then 1 else 0 end, n.begins_on desc, b.changed_at desc, b.id limit 1)
         left join report_name q on q.record_id = r.id
         left join membership m on m.record_id = r.id
           and (m.begins_on is null or m.begins_on <= ?) and (m.ends_on is null or m.ends_on > ?)
         left join class_group c on c.id = m.class_id and c.school_year = s.school_year
         where s.id in ? and s.state = 'raised' and s.kind in ? and {} and not {} order by s.id, c.name, c.id",
        own.text, related.text, held.text
    );
    let today = || [Value::from(scope.day()), scope.day().into()];
    let mut values: Vec<Value> = today().into();
    values.extend(own.values);
    values.extend(today());
    values.extend([list(signals), list_from(obligatory)]);
    values.extend(related.values);
    values.extend(held.values);
    let mut found: BTreeMap<SignalId, Reported> = BTreeMap::new();
    let mut of_record: BTreeMap<RecordId, Vec<SignalId>> = BTreeMap::new();
    for row in rows(db.reader(), &text, values).await? {
        let class: Option<String> = row.try_get_by_index(7)?;
        let new = Reported {
            pupil: row.try_get_by_index(1)?,
            given_name: row.try_get_by_index(2)?,
            family_name: row.try_get_by_index(3)?,
            birth_date: row.try_get_by_index(4)?,
            school: row.try_get_by_index(5)?,
            classes: Vec::new(),
            half_days: row.try_get_by_index(6)?,
        };
        // One row for each class in which the pupil sits.
        let signal: SignalId = row.try_get_by_index(0)?;
        let one = found.entry(signal).or_insert(new);
        if one.classes.is_empty() {
            of_record.entry(row.try_get_by_index(8)?).or_default().push(signal);
        }
        one.classes.extend(class);
    }
    if !found.is_empty() {
        add_places(db, scope, &of_record, &mut found).await?;
    }
    Ok(found)
}

/// Adds the classes that were kept for reports alone, where the agreement lists no enrolments.
async fn add_places(
    db: &Db,
    scope: &Scope,
    of_record: &BTreeMap<RecordId, Vec<SignalId>>,
    found: &mut BTreeMap<SignalId, Reported>,
) -> Result<(), DbError> {
    let text = "select distinct r.id, s.id, c.name from record r
         join signal s on s.pupil_id = r.pupil_id
         join report_place p on p.school_id = r.school_id and p.pupil_key = r.source_key
           and (p.begins_on is null or p.begins_on <= ?) and (p.ends_on is null or p.ends_on > ?)
         join report_class c on c.school_id = p.school_id and c.source_key = p.class_key and c.school_year = s.school_year
         where r.id in ? and s.id in ? order by c.name";
    let records = list_from(of_record.keys().copied());
    let signals = list_from(found.keys().copied());
    let values = vec![scope.day().into(), scope.day().into(), records, signals];
    for row in rows(db.reader(), text, values).await? {
        let (record, signal): (RecordId, SignalId) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let is_of = of_record.get(&record).is_some_and(|signals| signals.contains(&signal));
        let name: String = row.try_get_by_index(2)?;
        if let Some(one) = found
            .get_mut(&signal)
            .filter(|one| is_of && !one.classes.contains(&name))
        {
            one.classes.push(name);
        }
    }
    Ok(())
}
