//! What a fake tenant knows: schools, classes, pupils, and what was marked of whom. All of it can change while it runs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike as _, NaiveDate, Weekday};
use hub_entities::time::{HalfDay, Part};

use super::super::settings::UniqueField;

/// A class or group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// Its code, unique at the tenant.
    pub code: String,
    /// Its name.
    pub name: String,
    /// The institution number of its school, as it was typed in; empty when nobody did.
    pub school: String,
    /// Whether pupils are registered in it.
    pub official: bool,
}

/// A co-account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CoAccount {
    /// First name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// E-mail address.
    pub email: String,
    /// Mobile number.
    pub mobile: String,
    /// The school's word for who it is, such as `Moeder`.
    pub kind: String,
}

/// A movement of a career: where the pupil is from a day on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// From this day.
    pub day: NaiveDate,
    /// The code of the class; none outside the school.
    pub class: Option<String>,
}

/// A pupil. What is empty was not filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pupil {
    /// Name to sign in with, unique at the tenant.
    pub user_name: String,
    /// Internal number; empty for none.
    pub internal_number: String,
    /// First name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// `m` or `f`.
    pub sex: String,
    /// Date of birth.
    pub born: Option<NaiveDate>,
    /// National number.
    pub national_number: String,
    /// Number in the register of the school (stamnummer).
    pub register_number: String,
    /// Street.
    pub street: String,
    /// House number.
    pub house_number: String,
    /// Postal code.
    pub postal_code: String,
    /// Municipality.
    pub city: String,
    /// E-mail address.
    pub email: String,
    /// Telephone.
    pub phone: String,
    /// Up to six.
    pub co_accounts: Vec<CoAccount>,
    /// Profile fields of the school's own, by label.
    pub own_fields: Vec<(String, String)>,
    /// Groups beside the class.
    pub groups: Vec<String>,
    /// Whether the account is switched off.
    pub disabled: bool,
    /// The career, in the order of its days.
    pub movements: Vec<Movement>,
    /// When the account was deleted, as `YYYYMMDD_HHMMSS`.
    pub deleted: Option<String>,
}

impl Pupil {
    /// The class on a day.
    pub fn class_on(&self, day: NaiveDate) -> Option<&str> {
        let last = self.movements.iter().rev().find(|movement| movement.day <= day)?;
        last.class.as_deref()
    }

    /// As the unique field or a call names the pupil; a deleted account behind the moment of its deletion.
    pub(super) fn key(&self, by: UniqueField) -> String {
        match (by, &self.deleted) {
            (UniqueField::Number, _) => self.internal_number.clone(),
            (UniqueField::Username, None) => self.user_name.clone(),
            (UniqueField::Username, Some(deleted)) => format!("{deleted}_{}", self.user_name),
        }
    }
}

/// A letter with the label that the school gave it, if it is not the usual one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The official letter; none for a half-day without school.
    pub letter: Option<String>,
    /// Its label.
    pub label: Option<String>,
}

/// What tenants do differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quirk {
    /// Names of fields begin with a capital.
    Capitals,
    /// Dates without zeros in front.
    ShortDates,
    /// `NULL` in words where there is no register number.
    WordNull,
    /// Days without anyone come as `[]`.
    EmptyList,
    /// Non-ASCII as itself and slashes bare, instead of PHP's `\u` and `\/`.
    BareJson,
}

/// A fake tenant.
#[derive(Debug, Clone)]
pub struct Platform {
    /// The access code that opens every method.
    pub access_code: String,
    /// A profile: another code, and the methods that it opens.
    pub profile: Option<(String, BTreeSet<String>)>,
    /// What names a person.
    pub unique_field: UniqueField,
    /// The present day.
    pub today: NaiveDate,
    /// Days without school beside Saturday and Sunday. On Wednesday there is none in the afternoon.
    pub days_off: BTreeSet<NaiveDate>,
    /// What it does differently.
    pub quirks: BTreeSet<Quirk>,
    /// Classes and groups, in the order of the tree.
    pub classes: Vec<Class>,
    /// User names of teachers: accounts that are no pupils.
    pub teachers: Vec<String>,
    pub(super) pupils: BTreeMap<String, Pupil>,
    pub(super) marks: BTreeMap<(NaiveDate, String), [Option<Mark>; 2]>,
}

impl Platform {
    /// An empty tenant with this access code.
    pub fn new(access_code: impl Into<String>, today: NaiveDate) -> Self {
        Self {
            access_code: access_code.into(),
            profile: None,
            unique_field: UniqueField::default(),
            today,
            days_off: BTreeSet::new(),
            quirks: BTreeSet::from([Quirk::EmptyList, Quirk::WordNull]),
            classes: Vec::new(),
            teachers: Vec::new(),
            pupils: BTreeMap::new(),
            marks: BTreeMap::new(),
        }
    }

    /// Adds an official class of a school.
    pub fn add_class(&mut self, code: impl Into<String>, school: impl Into<String>) {
        let code = code.into();
        self.classes.push(Class {
            name: code.clone(),
            code,
            school: school.into(),
            official: true,
        });
    }

    /// Adds a pupil, or says anew what is known of one; in a class since a day.
    pub fn add_pupil(&mut self, mut pupil: Pupil, class: impl Into<String>, since: NaiveDate) {
        pupil.movements = vec![Movement {
            day: since,
            class: Some(class.into()),
        }];
        self.pupils.insert(pupil.user_name.clone(), pupil);
    }

    /// A pupil, to look at or to change; none when there is no such user name.
    pub fn pupil(&mut self, user_name: &str) -> Option<&mut Pupil> {
        self.pupils.get_mut(user_name)
    }

    /// Every pupil that was ever added.
    pub fn pupils(&self) -> impl Iterator<Item = &Pupil> {
        self.pupils.values()
    }

    /// Moves a pupil to another class, or out of the school, from a day on.
    pub fn moves(&mut self, user_name: &str, class: Option<&str>, day: NaiveDate) {
        if let Some(pupil) = self.pupils.get_mut(user_name) {
            pupil.movements.push(Movement {
                day,
                class: class.map(str::to_owned),
            });
        }
    }

    /// Deletes an account: its half-days stay, under a longer name.
    pub fn delete(&mut self, user_name: &str, moment: impl Into<String>) {
        if let Some(pupil) = self.pupils.get_mut(user_name) {
            pupil.deleted = Some(moment.into());
        }
    }

    /// Marks a half-day of a pupil, or changes what was marked.
    pub fn mark(&mut self, user_name: &str, at: HalfDay, letter: &str) {
        self.mark_with(
            user_name,
            at,
            Mark {
                letter: Some(letter.to_owned()),
                label: None,
            },
        );
    }

    /// As [`Platform::mark`], with a label of the school's own, or without school.
    pub fn mark_with(&mut self, user_name: &str, at: HalfDay, mark: Mark) {
        let [am, pm] = self.marks.entry((at.day, user_name.to_owned())).or_default();
        match at.part {
            Part::Am => *am = Some(mark),
            Part::Pm => *pm = Some(mark),
        }
    }

    /// Takes back what was marked: the pupil was there.
    pub fn unmark(&mut self, user_name: &str, at: HalfDay) {
        self.mark(user_name, at, "|");
    }

    pub(super) fn is_school_day(&self, day: NaiveDate) -> bool {
        !matches!(day.weekday(), Weekday::Sat | Weekday::Sun) && !self.days_off.contains(&day)
    }

    /// What stands of a pupil on a day, morning and afternoon; none when the pupil is not in the register of that day.
    pub(super) fn day_of(&self, pupil: &Pupil, day: NaiveDate) -> Option<[Mark; 2]> {
        if !self.is_school_day(day) || pupil.class_on(day).is_none() {
            return None;
        }
        let usual = |lessons: bool| Mark {
            letter: lessons.then(|| "|".to_owned()),
            label: None,
        };
        let marked = self
            .marks
            .get(&(day, pupil.user_name.clone()))
            .cloned()
            .unwrap_or_default();
        let [am, pm] = marked;
        let afternoon = day.weekday() != Weekday::Wed;
        Some([
            am.unwrap_or_else(|| usual(true)),
            pm.unwrap_or_else(|| usual(afternoon)),
        ])
    }

    /// Whom a user identifier names.
    pub(super) fn find(&self, identifier: &str, by: UniqueField) -> Option<&Pupil> {
        let mut living = self.pupils.values().filter(|pupil| pupil.deleted.is_none());
        living.find(|pupil| !identifier.is_empty() && pupil.key(by) == identifier)
    }

    pub(super) fn class(&self, code: &str) -> Option<&Class> {
        self.classes.iter().find(|class| class.code == code)
    }

    /// Who is in a class or group today.
    pub(super) fn members<'a>(&'a self, code: &'a str) -> impl Iterator<Item = &'a Pupil> {
        self.pupils.values().filter(move |pupil| {
            let in_group = pupil.groups.iter().any(|group| group == code);
            pupil.deleted.is_none() && (pupil.class_on(self.today) == Some(code) || in_group)
        })
    }
}
