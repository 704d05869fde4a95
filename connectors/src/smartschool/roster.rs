//! The roster of one school of a tenant: its classes, who is in them, and since when.
//!
//! Accounts are read class by class, of the asked school only: of another school of the same tenant, of teachers and
//! of parents without a child here nothing is asked. What could not be read and might be this school's makes the read
//! incomplete, so that nobody is taken to have left.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use hub_entities::time::{SchoolYear, brussels_day};

use super::account::{Account, Dropped};
use super::call::Tenant;
use super::career::{Career, Stay};
use super::groups::{Class, institution};
use super::read;
use super::settings::Settings;
use crate::contract::{Ask, Finished, Gap, Sink, State};
use crate::fault::Fault;
use crate::roster::{ClassRow, Complete, MembershipRow, OrgRow, PupilRow, Roster, SchoolLink, Status};

/// The most labels of a school's own fields that are told apart.
const MOST_OWN_FIELDS: usize = 200;

/// The classes of one school, and what else the tree says.
pub(super) struct OfSchool<'t> {
    /// Its institution number, six digits.
    pub(super) school: String,
    /// Its classes, as the settings want them.
    pub(super) classes: Vec<&'t Class>,
    /// Whether the tenant has official classes of another school.
    pub(super) shared: bool,
    /// Official classes of which nobody says the school.
    pub(super) homeless: u64,
    /// Classes without a code: nobody can be asked for in them.
    pub(super) nameless: u64,
}

impl<'t> OfSchool<'t> {
    /// Finds the classes of the school.
    ///
    /// # Errors
    /// The tenant has no such school.
    pub(super) fn find(all: &'t [Class], school: &str, settings: &Settings) -> Result<Self, Fault> {
        let school = institution(school).ok_or(Fault::Config("the institution number of the school is not one"))?;
        let wanted = all
            .iter()
            .filter(|class| class.official || !settings.official_classes_only);
        let is_own = |class: &Class| match &class.school {
            Some(of) => *of == school,
            None => settings.single_school,
        };
        let own = wanted.filter(|class| is_own(class));
        let (classes, nameless): (Vec<&Class>, Vec<&Class>) = own.partition(|class| !class.code.is_empty());
        let official = || all.iter().filter(|class| class.official);
        if !classes.iter().any(|class| class.official) {
            return Err(Fault::Config(if official().any(|class| class.school.is_some()) {
                "no official class of the tenant carries the institution number of this school"
            } else {
                "no official class of the tenant carries an institution number"
            }));
        }
        Ok(Self {
            shared: official().any(|class| class.school.as_ref().is_some_and(|of| *of != school)),
            homeless: count(official().filter(|class| class.school.is_none() && !settings.single_school)),
            nameless: count(nameless.into_iter()),
            classes,
            school,
        })
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    u64::try_from(items.count()).unwrap_or(u64::MAX)
}

/// Gaps by rule, and whether one of them may hide a pupil of the school.
#[derive(Default)]
struct Losses {
    by_rule: BTreeMap<&'static str, u64>,
    may_hide_a_pupil: bool,
}

impl Losses {
    fn add(&mut self, rule: &'static str, records: u64) {
        if records > 0 {
            let count = self.by_rule.entry(rule).or_default();
            *count = count.saturating_add(records);
        }
    }

    fn hides(&mut self, rule: &'static str, records: u64) {
        self.add(rule, records);
        self.may_hide_a_pupil |= records > 0;
    }
}

/// Reads the roster.
pub(super) async fn read(
    tenant: &Tenant,
    settings: &Settings,
    ask: &Ask,
    sink: &mut dyn Sink,
) -> Result<Finished, Fault> {
    read::check_unique_field(tenant, settings).await?;
    let tree = read::classes(tenant).await?;
    let of_school = OfSchool::find(&tree, &ask.school, settings)?;
    let mut losses = Losses::default();
    losses.hides("smartschool.class_without_school", of_school.homeless);
    losses.hides("smartschool.class_without_code", of_school.nameless);
    let mut dropped = BTreeSet::new();
    let mut pupils: BTreeMap<String, Account> = BTreeMap::new();
    let listed = read::pupils_of(tenant, settings, &of_school.classes).await?;
    for (class, accounts) in of_school.classes.iter().zip(listed) {
        for mut account in accounts {
            dropped.extend(std::mem::take(&mut account.dropped));
            if account.pupil.source_key.is_empty() {
                losses.hides("smartschool.pupil_without_unique_field", 1);
                continue;
            }
            account.groups.push(class.code.clone());
            // The same pupil comes with every class.
            if let Some(known) = pupils.get_mut(&account.pupil.source_key) {
                known.groups.append(&mut account.groups);
                continue;
            }
            for loss in &account.losses {
                losses.add(loss.rule(), 1);
            }
            pupils.insert(account.pupil.source_key.clone(), account);
        }
    }
    // Classes that are being made up, in summer, or a school that everybody has left: the hub lets a person look (R08).
    losses.add("smartschool.school_without_pupils", u64::from(pupils.is_empty()));
    let total = u64::try_from(pupils.len()).unwrap_or(u64::MAX);
    let mut careers: BTreeMap<&str, Career> = BTreeMap::new();
    if settings.careers {
        let calls: Vec<_> = pupils.keys().map(|key| read::career(tenant, key.as_str())).collect();
        let mut under_way = stream::iter(calls).buffer_unordered(settings.calls());
        let mut done = 0_u64;
        while let Some((key, career)) = under_way.try_next().await? {
            careers.insert(key, career);
            done = done.saturating_add(1);
            sink.progress(done, Some(total));
        }
    }
    let today = brussels_day(ask.now);
    let mut roster = Building::new(&of_school, today).roster(pupils.values(), &careers, &mut losses);
    roster.dropped = names(dropped);
    let complete = !losses.may_hide_a_pupil;
    roster.complete = Complete {
        pupils: complete,
        classes: complete,
        memberships: complete,
    };
    for (rule, records) in losses.by_rule {
        sink.gap(Gap {
            rule,
            detail: String::new(),
            records,
        });
    }
    sink.progress(total, Some(total));
    sink.roster(roster);
    Ok(Finished {
        state: State::default(),
        complete,
    })
}

/// What was dropped, by the vendor's names; the school's own fields only by a number.
fn names(dropped: BTreeSet<Dropped>) -> BTreeSet<String> {
    let mut own = 0_usize;
    dropped
        .into_iter()
        .filter_map(|field| match field {
            Dropped::Known(name) => Some(format!("accounts.{name}")),
            Dropped::Own(_) => {
                own = own.saturating_add(1);
                (own <= MOST_OWN_FIELDS).then(|| format!("accounts.own field {own}"))
            }
        })
        .collect()
}

/// The stay that counts today: the running one, else the last that has begun, else the first to come.
fn current(stays: &[Stay], today: NaiveDate) -> Option<Stay> {
    let running = stays.iter().find(|stay| stay.holds(today));
    let begun = || stays.iter().rev().find(|stay| stay.begins <= today);
    running.or_else(begun).or_else(|| stays.first()).copied()
}

struct Building<'a> {
    school: &'a str,
    classes: BTreeMap<&'a str, &'a Class>,
    shared: bool,
    today: NaiveDate,
}

impl<'a> Building<'a> {
    fn new(of_school: &'a OfSchool<'a>, today: NaiveDate) -> Self {
        Self {
            school: &of_school.school,
            classes: of_school
                .classes
                .iter()
                .map(|class| (class.code.as_str(), *class))
                .collect(),
            shared: of_school.shared,
            today,
        }
    }

    fn roster<'p>(
        &self,
        accounts: impl Iterator<Item = &'p Account>,
        careers: &BTreeMap<&str, Career>,
        losses: &mut Losses,
    ) -> Roster {
        let mut roster = Roster {
            schools: vec![OrgRow {
                source_key: self.school.to_owned(),
                // The tree names classes, not schools.
                name: self.school.to_owned(),
                identifier: Some(self.school.to_owned()),
                status: Status::Active,
            }],
            classes: self.classes.values().map(|class| self.class(class)).collect(),
            ..Roster::default()
        };
        for account in accounts {
            let career = careers.get(account.pupil.source_key.as_str());
            let link = self.link(career, losses);
            let memberships = self.memberships(account, career);
            if let Some(career) = career {
                losses.add("smartschool.career_without_date", career.unreadable);
            }
            roster.pupils.push(PupilRow {
                schools: vec![link],
                ..account.pupil.clone()
            });
            roster.memberships.extend(memberships);
        }
        roster.counts.orgs = 1;
        roster.counts.classes = count(roster.classes.iter());
        roster.counts.pupils = count(roster.pupils.iter());
        roster.counts.pupil_enrollments = count(roster.memberships.iter());
        roster
    }

    fn class(&self, class: &Class) -> ClassRow {
        ClassRow {
            source_key: class.code.clone(),
            school_key: self.school.to_owned(),
            title: class.name.clone(),
            code: Some(class.code.clone()),
            grade: None,
            school_year: None,
            homeroom: class.official,
            status: Status::Active,
        }
    }

    fn link(&self, career: Option<&Career>, losses: &mut Losses) -> SchoolLink {
        let stay = career.and_then(|career| current(&career.at_school(self.school, !self.shared), self.today));
        if career.is_some() && stay.is_none() {
            losses.add("smartschool.pupil_without_career", 1);
        }
        SchoolLink {
            school_key: self.school.to_owned(),
            begins: stay.map(|stay| stay.begins),
            ends: stay.and_then(|stay| stay.ends),
            status: Status::Active,
        }
    }

    /// The classes that the account is in, and those that the pupil has left since 1 September.
    fn memberships(&self, account: &Account, career: Option<&Career>) -> Vec<MembershipRow> {
        let pupil = account.pupil.source_key.as_str();
        let year_begins = SchoolYear::of(self.today).first_day();
        let stays = |class: &str| career.map(|career| career.in_class(class)).unwrap_or_default();
        let mut found = Vec::new();
        for class in self.classes.keys() {
            let stays = stays(class);
            let stay = if account.groups.iter().any(|group| group == class) {
                let stay = current(&stays, self.today);
                // Who is in the class today has not left it, whatever the career says of earlier.
                Some((
                    stay.map(|stay| stay.begins),
                    stay.and_then(|stay| stay.ends).filter(|ends| *ends > self.today),
                ))
            } else {
                let left = stays
                    .iter()
                    .rev()
                    .find(|stay| stay.ends.is_some_and(|ends| ends > year_begins && ends <= self.today));
                left.map(|stay| (Some(stay.begins), stay.ends))
            };
            let Some((begins, ends)) = stay else { continue };
            found.push(MembershipRow {
                source_key: format!("{pupil}/{class}"),
                class_key: (*class).to_owned(),
                school_key: self.school.to_owned(),
                pupil_key: pupil.to_owned(),
                begins,
                ends,
                status: Status::Active,
            });
        }
        found
    }
}
