//! The half-days of one school of a tenant: one call a date, and a window read again each time.
//!
//! Nothing at a tenant says what has changed, and secretariats change letters for days. So every read begins some days
//! before the last one that was read, and says again what it finds; who was there is said too, for that is what takes
//! back an absence that was none.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::sync::Arc;

use chrono::{Days, NaiveDate};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use hub_entities::time::brussels_day;
use serde::{Deserialize, Serialize};

use super::absences::{DayReader, MOST_ENTRY, Whose};
use super::answer::Short;
use super::call::{Hear, Tenant, fault_of};
use super::career::Career;
use super::envelope::Flaw;
use super::groups::institution;
use super::pieces::Piece;
use super::read;
use super::roster::OfSchool;
use super::settings::{Settings, UniqueField};
use crate::contract::{Ask, Finished, Gap, Sink, State};
use crate::fault::Fault;

/// The most careers that are looked up in one read for keys that no class lists.
const MOST_CAREERS: usize = 200;

/// Where the stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Through {
    /// The last day that was read; every day before it was too.
    through: NaiveDate,
}

/// Which days are to be read, and where the stream stands afterwards.
#[derive(Debug, PartialEq, Eq)]
struct Window {
    days: Vec<NaiveDate>,
    after: Option<Through>,
}

impl Window {
    /// The days asked for, as far as they have begun; from the last one read, less the window, unless everything is
    /// asked for.
    fn of(
        days: &RangeInclusive<NaiveDate>,
        stands: Option<Through>,
        window: u16,
        full: bool,
        today: NaiveDate,
    ) -> Self {
        let again = |stands: Through| stands.through.checked_sub_days(Days::new(u64::from(window)));
        let begins = match stands.filter(|_| !full) {
            Some(stands) => again(stands).map_or(*days.start(), |again| again.max(*days.start())),
            None => *days.start(),
        };
        let ends = today.min(*days.end());
        let days: Vec<NaiveDate> = begins.iter_days().take_while(|day| *day <= ends).collect();
        let read = days.last().copied();
        let after = match (stands, read) {
            (None, Some(last)) => Some(Through { through: last }),
            // Days that were left out between then and now are still to be read.
            (Some(stands), Some(last)) if stands.through.succ_opt().is_some_and(|next| begins <= next) => {
                Some(Through {
                    through: last.max(stands.through),
                })
            }
            (stands, _) => stands,
        };
        Self { days, after }
    }
}

impl Hear for DayReader<'_> {
    fn begin(&mut self) {
        DayReader::begin(self);
    }

    fn piece(&mut self, piece: Piece<'_>) -> Result<(), Flaw> {
        DayReader::piece(self, piece)
    }
}

/// Whose half-days are this school's. At a tenant of one school everyone's are, and no class need be read.
pub(super) async fn whose(tenant: &Tenant, settings: &Settings, school: &str) -> Result<Whose, Fault> {
    let (_, named_by) = settings.absence_call();
    if settings.single_school && named_by == settings.unique_field {
        return Ok(Whose::All);
    }
    let tree = read::classes(tenant).await?;
    let of_school = OfSchool::find(&tree, school, settings)?;
    if !of_school.shared && named_by == settings.unique_field {
        return Ok(Whose::All);
    }
    // Of the other schools only the keys are kept, to know whose half-days are not to be handed on.
    let official: Vec<_> = tree
        .iter()
        .filter(|class| !class.code.is_empty() && (class.official || !settings.official_classes_only))
        .collect();
    let own: BTreeSet<&str> = of_school.classes.iter().map(|class| class.code.as_str()).collect();
    let mut listed: HashMap<String, Option<String>> = HashMap::new();
    let accounts = read::pupils_of(tenant, settings, &official).await?;
    for (class, accounts) in official.iter().zip(accounts) {
        let is_own = own.contains(class.code.as_str());
        for account in accounts {
            let key = match named_by {
                UniqueField::Number => account.internal_number,
                UniqueField::Username => account.user_name,
            };
            let pupil = Some(account.pupil.source_key).filter(|pupil| is_own && !pupil.is_empty());
            if !key.is_empty() {
                // Who is in a class of this school too is this school's.
                let known = listed.entry(key).or_default();
                *known = pupil.or_else(|| known.take());
            }
        }
    }
    Ok(Whose::Listed(listed))
}

/// Reads the half-days.
pub(super) async fn read(
    tenant: &Tenant,
    settings: &Settings,
    ask: &Ask,
    whose: &Arc<Whose>,
    sink: &mut dyn Sink,
) -> Result<Finished, Fault> {
    read::check_unique_field(tenant, settings).await?;
    let school = institution(&ask.school).ok_or(Fault::Config("the institution number of the school is not one"))?;
    let (method, named_by) = settings.absence_call();
    let stands: Option<Through> = serde_json::from_value(ask.state.0.clone()).ok();
    let window = Window::of(&ask.days, stands, settings.window_days, ask.full, brussels_day(ask.now));
    let mut gaps: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut careers: BTreeMap<String, Career> = BTreeMap::new();
    let mut entries = 0_u64;
    for day in window.days {
        let mut reader = DayReader::new(day, whose, &settings.labels, &mut *sink);
        let date = day.to_string();
        match tenant
            .pieces(method, &[("date", &date)], MOST_ENTRY, &mut reader)
            .await?
        {
            None | Some(Short::Nothing) => {}
            Some(Short::Code(code)) => return Err(fault_of(method, code)),
        }
        entries = entries.saturating_add(reader.entries());
        // A career can be asked for only by the unique field.
        if named_by == settings.unique_field {
            let left = MOST_CAREERS.saturating_sub(careers.len());
            let unknown = reader.unlisted().into_iter().filter(|key| !careers.contains_key(key));
            let calls: Vec<_> = unknown.take(left).map(|key| read::career(tenant, key)).collect();
            let mut under_way = stream::iter(calls).buffer_unordered(settings.calls());
            while let Some((key, career)) = under_way.try_next().await? {
                careers.insert(key, career);
            }
        }
        let was_here = |key: &str| {
            let stays = careers.get(key)?.at_school(&school, false);
            stays.iter().any(|stay| stay.holds(day)).then(|| key.to_owned())
        };
        for gap in reader
            .finish(&was_here)
            .map_err(|flaw| super::call::broken(method, 0, flaw))?
        {
            let count = gaps.entry(gap.rule).or_default();
            *count = count.saturating_add(gap.records);
        }
        sink.progress(entries, None);
    }
    for (rule, records) in gaps {
        sink.gap(Gap {
            rule,
            detail: String::new(),
            records,
        });
    }
    let state = window.after.and_then(|after| serde_json::to_value(after).ok());
    Ok(Finished {
        state: state.map(State).unwrap_or_default(),
        // Who is not in an answer is not said to have been there.
        complete: false,
    })
}
