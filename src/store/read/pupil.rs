//! Pupils: the link, and of it the record that the reader may see.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use hub_entities::category::{Categories, Category};
use hub_entities::id::{ClassId, PupilId, RecordId, SchoolId};
use hub_entities::policy::{Reach, Scope};
use hub_entities::time::SchoolYear;
use sea_orm::{QueryResult, Value};

use super::absence::{Tally, truancy_agreed};
use super::{Piece, agreed, categories_of, column, related, related_each};
use crate::store::sql::{list, row, rows};
use crate::store::{Db, DbError};

/// A pupil as one reader may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pupil {
    /// The canonical pupil.
    pub id: PupilId,
    /// The record the fields come from, if the reader may see one.
    pub record: Option<RecordId>,
    /// The school of that record.
    pub school: Option<SchoolId>,
    /// identity.
    pub given_name: Option<String>,
    /// identity.
    pub family_name: Option<String>,
    /// identity.
    pub sex: Option<String>,
    /// birth.
    pub birth_date: Option<NaiveDate>,
    /// address.
    pub street: Option<String>,
    /// address.
    pub postal_code: Option<String>,
    /// address.
    pub city: Option<String>,
    /// contact.
    pub contacts: Option<serde_json::Value>,
    /// language.
    pub language: Option<String>,
    /// The categories left out: not agreed with that school.
    pub withheld: Categories,
    /// Half-days that count in the year a list is sorted by, when it is, and `truancy` was agreed.
    pub half_days: Option<i32>,
    /// The folded name a list is sorted by.
    pub sort_name: Option<String>,
    /// All that was counted in that year, where the list holds only pupils with a count.
    pub tally: Option<Tally>,
}

/// How a list of pupils is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By id: the cheapest.
    Id,
    /// By family and given name. Where `identity` was not agreed, by id after the others.
    Name,
    /// By half-days that count in the filter's school year, most first. Where `truancy` was not agreed,
    /// as if there were none: the order would tell the number.
    HalfDays,
}

/// Where a page goes on: the sort key and id of the last row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    /// The name it was sorted by.
    pub name: Option<String>,
    /// The half-days it was sorted by.
    pub half_days: Option<i32>,
    /// The pupil.
    pub id: PupilId,
}

/// Which pupils, in which order. All of it on basic fields; a secret has no filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Enrolled at this school.
    pub school: Option<SchoolId>,
    /// A member of this class.
    pub class: Option<ClassId>,
    /// At least so many half-days that count in `year`, as far as `truancy` was agreed.
    pub at_least: Option<i32>,
    /// The school year that counts are of.
    pub year: SchoolYear,
    /// The order.
    pub order: Order,
}

impl Filter {
    /// Whether only pupils with a count can match: then the database begins with the counts.
    fn only_counted(&self) -> bool {
        self.at_least.is_some_and(|at_least| at_least > 0)
    }
}

/// The columns of the record, by category; those not asked for are null.
fn columns(scope: &Scope, wanted: Categories) -> Vec<Piece> {
    let all = [
        ("given_name", Category::Identity),
        ("family_name", Category::Identity),
        ("sex", Category::Identity),
        ("birth_date", Category::Birth),
        ("street", Category::Address),
        ("postal_code", Category::Address),
        ("city", Category::Address),
        ("contacts", Category::Contact),
        ("language", Category::Language),
    ];
    all.into_iter()
        .map(|(name, category)| {
            if wanted.has(category) {
                let mut piece = column(scope, "r.school_id", &format!("r.{name}"), category);
                piece.text = format!("{} as {name}", piece.text);
                piece
            } else {
                Piece::new(format!("null as {name}"), Vec::new())
            }
        })
        .collect()
}

/// Of these pupils (columns `id` and `half_days`) the best record for this reader: one of a school where the pupil is
/// enrolled today before any other, the latest before the earlier. What follows the statement goes by `id`, `half_days`
/// and `sort_name`.
fn with_record(scope: &Scope, wanted: Categories, pupils: Piece) -> Piece {
    let columns = columns(scope, wanted);
    let list: Vec<&str> = columns.iter().map(|piece| piece.text.as_str()).collect();
    let name = column(scope, "r.school_id", "r.sort_name", Category::Identity);
    let may = agreed(scope, "r.school_id", Categories::all());
    let text = format!(
        "select id, record_id, school_id, given_name, family_name, sex, birth_date, street, postal_code, city, contacts,
                language, half_days, sort_name
         from (select p.id, r.id as record_id, r.school_id, {}, p.half_days, {} as sort_name,
                      row_number() over (partition by p.id order by case when n.id is null then 1 else 0 end,
                                         n.begins_on desc, r.changed_at desc, r.id) as best
               from ({}) p
               left join record r on r.pupil_id = p.id and {}
               left join enrolment n on n.record_id = r.id and n.begins_on <= ? and (n.ends_on is null or n.ends_on > ?)
         ) p where best = 1",
        list.join(", "),
        name.text,
        pupils.text,
        may.text,
    );
    let mut values: Vec<Value> = columns.into_iter().flat_map(|piece| piece.values).collect();
    values.extend(name.values);
    values.extend(pupils.values);
    values.extend(may.values);
    values.extend([Value::from(scope.day()), scope.day().into()]);
    Piece::new(text, values)
}

/// The number that a list is filtered and sorted by. Where only pupils with a count can match it is that column
/// itself, so that an index leads through it.
fn half_days(filter: &Filter) -> &'static str {
    match (filter.at_least, filter.order) {
        _ if filter.only_counted() => "p.half_days",
        (Some(_), _) | (None, Order::HalfDays) => "coalesce(t.half_days, 0)",
        (None, Order::Id | Order::Name) => "null",
    }
}

/// The pupils `p`, and beside them the counts of the filter's school year that are the reader's to filter and sort by.
/// Where `truancy` was not agreed with any school of the pupil there is none, so that neither the order nor the cursor
/// tells the number.
fn pupils(scope: &Scope, filter: &Filter) -> Piece {
    if filter.at_least.is_none() && filter.order != Order::HalfDays {
        return Piece::new("pupil p", Vec::new());
    }
    let may = truancy_agreed(scope, "t.pupil_id");
    let related = related_each(scope, "t.pupil_id");
    let year = Value::from(filter.year);
    let is_readable = format!("t.half_days > 0 and {} and {}", related.text, may.text);
    let (text, mut values) = if filter.only_counted() {
        // The counts come first, and a pupil that was merged away has none. A CLB has a way of its own to those of its
        // pupils; that it may see them is asked all the same.
        let (table, own, mut values) = match scope.reach() {
            Reach::Clb { clb, .. } => ("clb_tally", "t.clb_id = ? and", vec![Value::from(*clb)]),
            _ => ("tally", "", Vec::new()),
        };
        values.push(year);
        let counted = format!("select t.pupil_id as id, t.half_days from {table} t where {own} t.school_year = ?");
        (format!("({counted} and {is_readable}) p"), values)
    } else {
        let text = format!("pupil p left join tally t on t.pupil_id = p.id and t.school_year = ? and {is_readable}");
        (text, vec![year])
    };
    values.extend(related.values);
    values.extend(may.values);
    Piece::new(text, values)
}

fn pupil(scope: &Scope, row: &QueryResult) -> Result<Pupil, DbError> {
    let school: Option<SchoolId> = row.try_get_by_index(2)?;
    let seen = school.map_or(Categories::NONE, |school| categories_of(scope, school));
    Ok(Pupil {
        id: row.try_get_by_index(0)?,
        record: row.try_get_by_index(1)?,
        school,
        given_name: row.try_get_by_index(3)?,
        family_name: row.try_get_by_index(4)?,
        sex: row.try_get_by_index(5)?,
        birth_date: row.try_get_by_index(6)?,
        street: row.try_get_by_index(7)?,
        postal_code: row.try_get_by_index(8)?,
        city: row.try_get_by_index(9)?,
        contacts: row.try_get_by_index(10)?,
        language: row.try_get_by_index(11)?,
        half_days: row.try_get_by_index(12)?,
        sort_name: row.try_get_by_index(13)?,
        withheld: Categories::all().without(seen),
        tally: None,
    })
}

/// A pupil of a list of counts, with the rest of what was counted in the four columns behind its own.
fn counted(scope: &Scope, row: &QueryResult) -> Result<Pupil, DbError> {
    let pupil = pupil(scope, row)?;
    let tally = Tally {
        half_days: pupil.half_days.unwrap_or_default(),
        carried: row.try_get_by_index(14)?,
        pending: row.try_get_by_index(15)?,
        reached_5: row.try_get_by_index(16)?,
        reached_30: row.try_get_by_index(17)?,
    };
    Ok(Pupil {
        tally: Some(tally),
        ..pupil
    })
}

/// Pupils by id, as far as the reader is related to them. A merged id resolves to the pupil it became.
/// Foreign and unknown ids are absent alike.
pub async fn by_id(
    db: &Db,
    scope: &Scope,
    ids: &[PupilId],
    wanted: Categories,
) -> Result<BTreeMap<PupilId, Pupil>, DbError> {
    let related = related(scope, "p.id");
    let mut values = vec![list(ids)];
    let text = format!(
        "select p.id, null as half_days from pupil p
         where p.id in (select coalesce(m.merged_into, m.id) from pupil m where m.id in ?) and {}",
        related.text
    );
    values.extend(related.values);
    let selected = with_record(scope, wanted, Piece::new(text, values));
    let mut found = BTreeMap::new();
    for row in rows(db.reader(), &selected.text, selected.values).await? {
        let pupil = pupil(scope, &row)?;
        found.insert(pupil.id, pupil);
    }
    Ok(found)
}

fn filtered(scope: &Scope, filter: &Filter) -> Piece {
    let mut text = String::from(if filter.only_counted() {
        "1 = 1"
    } else {
        "p.merged_into is null"
    });
    let mut values = Vec::new();
    let mut and = |piece: Piece| {
        text.push_str(" and ");
        text.push_str(&piece.text);
        values.extend(piece.values);
    };
    // Where only pupils with a count can match, the counts are asked for with the relation, pupil by pupil; asked
    // again here, PostgreSQL would read every pupil of the reader to hash them.
    if !filter.only_counted() {
        and(related(scope, "p.id"));
    }
    if let Some(school) = filter.school {
        // The school must be one whose enrolments this reader may see.
        let may = agreed(scope, "f.school_id", Categories::NONE.with(Category::Enrolment));
        let mut piece = Piece::new(
            format!(
                "exists (select 1 from enrolment f where f.pupil_id = p.id and f.school_id = ? and {}
                 and f.begins_on <= ? and (f.ends_on is null or f.ends_on > ?))",
                may.text
            ),
            vec![school.into()],
        );
        piece.values.extend(may.values);
        piece
            .values
            .extend([Value::from(scope.day()), Value::from(scope.day())]);
        and(piece);
    }
    if let Some(class) = filter.class {
        let may = agreed(scope, "c.school_id", Categories::NONE.with(Category::Enrolment));
        let mut piece = Piece::new(
            format!(
                "exists (select 1 from membership c where c.pupil_id = p.id and c.class_id = ? and {}
                 and (c.ends_on is null or c.ends_on > ?))",
                may.text
            ),
            vec![class.into()],
        );
        piece.values.extend(may.values);
        piece.values.push(scope.day().into());
        and(piece);
    }
    if let Some(at_least) = filter.at_least {
        and(Piece::new(format!("{} >= ?", half_days(filter)), vec![at_least.into()]));
    }
    Piece::new(text, values)
}

/// A page of pupils: one more than asked for tells whether there is a next.
pub async fn page(
    db: &Db,
    scope: &Scope,
    filter: &Filter,
    after: Option<&After>,
    first: u32,
    wanted: Categories,
) -> Result<Vec<Pupil>, DbError> {
    let (pupils, which) = (pupils(scope, filter), filtered(scope, filter));
    let count = half_days(filter);
    let mut of = Piece::new(
        format!(
            "select p.id, {count} as half_days from {} where {}",
            pupils.text, which.text
        ),
        [pupils.values, which.values].concat(),
    );
    let limit: Value = i64::from(first).saturating_add(1).into();
    // Where the order is one of pupils, only those of the page are read any further.
    let order = match filter.order {
        Order::Id => {
            if let Some(after) = after {
                of.text.push_str(" and p.id > ?");
                of.values.push(after.id.into());
            }
            of.text.push_str(" order by p.id limit ?");
            of.values.push(limit.clone());
            "id"
        }
        Order::HalfDays => {
            if let Some(after) = after {
                let half_days = after.half_days.unwrap_or_default();
                of.text = format!("{} and {count} <= ? and ({count} < ? or p.id > ?)", of.text);
                of.values.extend([half_days.into(), half_days.into(), after.id.into()]);
            }
            of.text = format!("{} order by {count} desc, p.id limit ?", of.text);
            of.values.push(limit.clone());
            "half_days desc, id"
        }
        Order::Name => "coalesce(sort_name, ?), id",
    };
    let selected = with_record(scope, wanted, of);
    let (mut text, mut values) = (selected.text, selected.values);
    if filter.order == Order::Name {
        let last = "\u{10ffff}";
        if let Some(after) = after {
            text.push_str(" and (coalesce(sort_name, ?), id) > (?, ?)");
            values.push(last.into());
            values.push(after.name.clone().unwrap_or_else(|| last.to_owned()).into());
            values.push(after.id.into());
        }
        values.push(last.into());
    }
    if filter.only_counted() {
        // Who asks for the highest counts asks for what they are made of: these rows are theirs to see already.
        let counted = "y.carried, y.pending, y.reached_5, y.reached_30";
        text = format!(
            "select q.*, {counted} from ({text}) q join tally y on y.pupil_id = q.id and y.school_year = {}",
            filter.year.0
        );
    }
    text = format!("{text} order by {order} limit ?");
    values.push(limit);
    let read = if filter.only_counted() { counted } else { pupil };
    let found = rows(db.reader(), &text, values).await?;
    found.iter().map(|row| read(scope, row)).collect()
}

/// How many pupils the filter finds within the scope.
pub async fn count(db: &Db, scope: &Scope, filter: &Filter) -> Result<i64, DbError> {
    let (pupils, which) = (pupils(scope, filter), filtered(scope, filter));
    let text = format!("select count(*) from {} where {}", pupils.text, which.text);
    let values = [pupils.values, which.values].concat();
    let counted = row(db.reader(), &text, values).await?;
    Ok(counted
        .map(|row| row.try_get_by_index(0))
        .transpose()?
        .unwrap_or_default())
}

/// The pupil that the reader's own school calls so; a CLB has no such keys.
pub async fn by_source_key(db: &Db, scope: &Scope, key: &str) -> Result<Option<PupilId>, DbError> {
    let Reach::School(school) = scope.reach() else {
        return Ok(None);
    };
    let text = "select pupil_id from record where school_id = ? and source_key = ?";
    let found = row(db.reader(), text, vec![(*school).into(), key.into()]).await?;
    Ok(found.map(|row| row.try_get_by_index(0)).transpose()?)
}
