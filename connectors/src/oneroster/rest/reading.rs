//! What the records of the lists come to: the roster of one school.
//!
//! Both versions are read by the shape of what comes: 1.1 says of a user one `role` and some `orgs`, 1.2 says `roles`
//! (standards §1.7). A record that cannot be used is a loss, and whatever it may have been is not taken to be gone.

use std::collections::{BTreeMap, BTreeSet};

use hub_entities::time::SchoolYear;

use super::record::{Record, day};
use super::settings::Settings;
use super::tally::Tally;
use super::value::Value;
use crate::oneroster::people::{PARENTS, People, Person, count};
use crate::oneroster::settings::EndDates;
use crate::roster::{
    ClassRow, Complete, Contact, MembershipRow, OrgRow, PupilRow, Roster, Says, SchoolLink, SessionRow, Status,
};

/// The roster of one school, while it is being read.
pub(super) struct Reading<'s> {
    settings: &'s Settings,
    /// The `sourcedId` of the school.
    school: String,
    /// Of every school of the source.
    schools: BTreeSet<String>,
    roster: Roster,
    sessions: BTreeMap<String, SessionRow>,
    classes: BTreeMap<String, ClassRow>,
    people: People,
    memberships: BTreeMap<String, MembershipRow>,
}

/// What a user is to the school.
enum Standing {
    Pupil(Vec<SchoolLink>),
    Parent(&'static str),
    /// A pupil elsewhere, a teacher, anyone else.
    Other,
    /// Nobody says.
    Unknown,
}

impl<'s> Reading<'s> {
    /// Of the school among these.
    pub(super) fn new(settings: &'s Settings, school: OrgRow, schools: BTreeSet<String>) -> Self {
        Self {
            settings,
            school: school.source_key.clone(),
            schools,
            roster: Roster {
                schools: vec![school],
                ..Roster::default()
            },
            sessions: BTreeMap::new(),
            classes: BTreeMap::new(),
            people: People::default(),
            memberships: BTreeMap::new(),
        }
    }

    pub(super) fn session(&mut self, record: &Record<'_>, tally: &mut Tally) {
        let Some(row) = session(record, tally) else {
            // A class without its year gets the running one.
            return;
        };
        tally.counts.sessions += 1;
        self.sessions.insert(row.source_key.clone(), row);
    }

    pub(super) fn class(&mut self, record: &Record<'_>, tally: &mut Tally) {
        let Some(row) = self.class_row(record, tally) else {
            tally.hides = true;
            return;
        };
        tally.counts.classes += 1;
        if row.school_key == self.school {
            self.classes.insert(row.source_key.clone(), row);
        }
    }

    fn class_row(&self, record: &Record<'_>, tally: &mut Tally) -> Option<ClassRow> {
        let school_key = record.must_key("school", tally)?.to_owned();
        let code = record.text("classCode", tally).map(str::to_owned);
        // Some leave the title empty and have a code (standards §6).
        let title = record.text("title", tally).map(str::to_owned).or_else(|| code.clone());
        let title = match title {
            Some(title) => title,
            None => record.must("title", tally)?.to_owned(),
        };
        let terms = record.value("terms").items().iter().filter_map(Value::key);
        let mut years = terms.filter_map(|term| Some(self.sessions.get(term)?.school_year));
        Some(ClassRow {
            source_key: record.id(tally)?.to_owned(),
            school_key,
            title,
            code,
            grade: record
                .value("grades")
                .items()
                .first()
                .and_then(Value::text)
                .map(str::to_owned),
            school_year: years.next(),
            homeroom: is(record.value("classType"), "homeroom"),
            status: record.status(tally)?,
        })
    }

    /// Whether a changed user says that the pupils and those who are reached for them must be read anew.
    pub(super) fn concerns(&self, record: &Record<'_>) -> bool {
        !matches!(
            self.standing(record, Status::Active, &mut Tally::default()),
            Standing::Other
        )
    }

    pub(super) fn user(&mut self, record: &Record<'_>, tally: &mut Tally) {
        let Some(status) = record.status(tally) else {
            tally.hides = true;
            return;
        };
        match self.standing(record, status, tally) {
            Standing::Pupil(links) => match self.person(record, links, status, tally) {
                Some(person) => drop(self.people.pupils.insert(person.row.source_key.clone(), person)),
                None => tally.hides = true,
            },
            Standing::Parent(role) => {
                tally.counts.parents += 1;
                if status == Status::Active {
                    let Some(contact) = contact(record, role, tally) else {
                        return;
                    };
                    let children = keys(record.value("agents"));
                    self.people
                        .parents
                        .insert(contact.source_key.clone(), (contact, children));
                }
            }
            Standing::Other => {}
            Standing::Unknown => tally.hides = true,
        }
    }

    fn standing(&self, record: &Record<'_>, status: Status, tally: &mut Tally) -> Standing {
        let roles = record.value("roles").items();
        let old = record.value("role");
        let role_is = |name| match roles {
            [] => is(old, name),
            roles => roles.iter().any(|role| is(role.field("role"), name)),
        };
        if role_is("student") {
            let links = if roles.is_empty() {
                self.old_links(record, status)
            } else {
                self.links(roles, status, tally)
            };
            return match links {
                Some(links) if links.is_empty() => Standing::Other,
                Some(links) => Standing::Pupil(links),
                // Of one who is taken away the key is enough.
                None if status == Status::Gone => Standing::Pupil(Vec::new()),
                None => {
                    tally.lose("oneroster.user_without_school", "users", "");
                    Standing::Unknown
                }
            };
        }
        if let Some(role) = PARENTS.into_iter().find(|role| role_is(role)) {
            return Standing::Parent(role);
        }
        if roles.is_empty() && matches!(old, Value::Nothing) {
            tally.lose("oneroster.user_without_role", "users", "");
            return Standing::Unknown;
        }
        if role_is("teacher") {
            tally.counts.teachers += 1;
        } else {
            tally.counts.other_users += 1;
        }
        Standing::Other
    }

    /// The link to the school by 1.1; none when no school of the source is named.
    fn old_links(&self, record: &Record<'_>, status: Status) -> Option<Vec<SchoolLink>> {
        let orgs = keys(record.value("orgs"));
        let mut any = false;
        let mut links = Vec::new();
        for org in orgs {
            any |= self.schools.contains(&org);
            if org == self.school && links.is_empty() {
                links.push(SchoolLink {
                    school_key: org,
                    begins: None,
                    ends: None,
                    status,
                });
            }
        }
        any.then_some(links)
    }

    /// The links to the school by 1.2, as [`Self::old_links`].
    fn links(&self, roles: &[Value<'_>], status: Status, tally: &mut Tally) -> Option<Vec<SchoolLink>> {
        let mut any = false;
        let mut links = Vec::new();
        for role in roles.iter().filter(|role| is(role.field("role"), "student")) {
            let Some(org) = role.field("org").key() else { continue };
            any |= self.schools.contains(org);
            if org == self.school {
                let mut date = |name| match role.field(name) {
                    Value::Nothing => None,
                    value => {
                        let found = day(value);
                        if found.is_none() {
                            tally.lose("oneroster.date", "users", "roles");
                        }
                        found
                    }
                };
                links.push(SchoolLink {
                    school_key: org.to_owned(),
                    begins: date("beginDate"),
                    ends: self.end_dates().end(date("endDate")),
                    status,
                });
            }
        }
        any.then_some(links)
    }

    fn end_dates(&self) -> EndDates {
        self.settings.end_dates
    }

    fn person(
        &self,
        record: &Record<'_>,
        schools: Vec<SchoolLink>,
        status: Status,
        tally: &mut Tally,
    ) -> Option<Person> {
        let owned = |name, tally: &mut Tally| record.text(name, tally).map(str::to_owned);
        let family_name = match status {
            Status::Active => record.must("familyName", tally)?.to_owned(),
            // Of one who is taken away the key is enough.
            Status::Gone => owned("familyName", tally).unwrap_or_default(),
        };
        let own = self.own_fields(record, tally);
        let [street, postal_code, city, language] = own;
        Some(Person {
            row: PupilRow {
                source_key: record.id(tally)?.to_owned(),
                only_if_known: schools.is_empty(),
                says: Says {
                    person: true,
                    schools: true,
                    birth: false,
                },
                schools,
                identifier: owned("identifier", tally),
                user_ids: user_ids(record.value("userIds")),
                given_name: owned("givenName", tally).unwrap_or_default(),
                family_name,
                email: owned("email", tally),
                phone: owned("phone", tally).or_else(|| owned("sms", tally)),
                street,
                postal_code,
                city,
                language,
                status,
                ..PupilRow::default()
            },
            agents: keys(record.value("agents")),
        })
    }

    /// The fields of `metadata` that the connection names; that there are others is told.
    fn own_fields(&self, record: &Record<'_>, tally: &mut Tally) -> [Option<String>; 4] {
        let Value::Map(fields) = record.value("metadata") else {
            return [const { None }; 4];
        };
        let wanted = &self.settings.extensions;
        let names = [&wanted.street, &wanted.postal_code, &wanted.city, &wanted.language];
        let mut found = [const { None }; 4];
        for (name, value) in fields.iter().filter(|(_, value)| !matches!(value, Value::Nothing)) {
            let is_it = |wanted: &&String| {
                wanted
                    .strip_prefix("metadata.")
                    .is_some_and(|own| own.eq_ignore_ascii_case(name))
            };
            let at = names.iter().position(is_it);
            match at.and_then(|at| found.get_mut(at)) {
                Some(place) if value.text().is_some() => *place = value.text().map(str::to_owned),
                Some(_) => tally.lose("oneroster.wrong_type", "users", "metadata"),
                None => tally.drop_field("users", "metadata"),
            }
        }
        found
    }

    /// Takes demographics: of the pupils, where all users were read, and else of whom they are.
    pub(super) fn demographics(&mut self, record: &Record<'_>, all_users: bool, tally: &mut Tally) {
        let Some(id) = record.id(tally) else { return };
        tally.counts.demographics += 1;
        if all_users && !self.people.pupils.contains_key(id) {
            return;
        }
        let Some(status) = record.status(tally) else { return };
        let Ok(birth_date) = record.day("birthDate", tally) else {
            return;
        };
        let sex = sex(record.value("sex"), tally);
        let pupil = self.people.any(id);
        pupil.says.birth = true;
        // Demographics that are taken away leave a pupil without them.
        if status == Status::Active {
            pupil.birth_date = birth_date;
            pupil.sex = sex;
        }
    }

    /// Takes an enrollment. Whether its pupil is one of the school's is known only when all users were read.
    pub(super) fn enrollment(&mut self, record: &Record<'_>, all_users: bool, tally: &mut Tally) {
        let Some(row) = self.membership(record, tally) else {
            return;
        };
        tally.counts.pupil_enrollments += 1;
        tally.counts.pupil_enrollments_gone += u64::from(row.status == Status::Gone);
        if row.school_key != self.school {
            return;
        }
        // Dangling references are normal (standards §10): what they say is told, and not made up.
        if row.status == Status::Active {
            if !self.classes.contains_key(&row.class_key) {
                tally.lose("oneroster.enrollment_without_class", "enrollments", "class");
                return;
            }
            if all_users && !self.people.pupils.contains_key(&row.pupil_key) {
                tally.lose("oneroster.enrollment_without_pupil", "enrollments", "user");
                return;
            }
        }
        self.memberships.insert(row.source_key.clone(), row);
    }

    fn membership(&self, record: &Record<'_>, tally: &mut Tally) -> Option<MembershipRow> {
        match record.must("role", tally) {
            Some(role) if role.eq_ignore_ascii_case("student") => {}
            Some(role) if role.eq_ignore_ascii_case("teacher") => {
                tally.counts.teacher_enrollments += 1;
                return None;
            }
            Some(_) => {
                tally.counts.other_enrollments += 1;
                return None;
            }
            None => {
                tally.hides = true;
                return None;
            }
        }
        let row = self.membership_row(record, tally);
        tally.hides |= row.is_none();
        row
    }

    fn membership_row(&self, record: &Record<'_>, tally: &mut Tally) -> Option<MembershipRow> {
        let begins = record.day("beginDate", tally).ok()?;
        let ends = self.end_dates().end(record.day("endDate", tally).ok()?);
        if begins.zip(ends).is_some_and(|(begins, ends)| ends < begins) {
            tally.lose("oneroster.end_before_begin", "enrollments", "endDate");
            return None;
        }
        Some(MembershipRow {
            source_key: record.id(tally)?.to_owned(),
            class_key: record.must_key("class", tally)?.to_owned(),
            school_key: record.must_key("school", tally)?.to_owned(),
            pupil_key: record.must_key("user", tally)?.to_owned(),
            begins,
            ends,
            status: record.status(tally)?,
        })
    }

    /// Whether there is anyone.
    pub(super) fn has_pupils(&self) -> bool {
        !self.people.pupils.is_empty()
    }

    /// The roster.
    pub(super) fn finish(self, complete: Complete, tally: &Tally) -> Roster {
        let mut roster = self.roster;
        roster.counts = tally.counts;
        roster.sessions = self.sessions.into_values().collect();
        roster.classes = self.classes.into_values().collect();
        roster.memberships = self.memberships.into_values().collect();
        roster.pupils = self.people.settle();
        let told = || roster.pupils.iter().filter(|pupil| pupil.says.person);
        roster.counts.pupils = count(told().count());
        roster.counts.pupils_gone = count(told().filter(|pupil| pupil.status == Status::Gone).count());
        roster.complete = complete;
        roster.dropped = tally.dropped();
        roster
    }
}

/// An organisation, if it is a school.
pub(super) fn school(record: &Record<'_>, tally: &mut Tally) -> Option<OrgRow> {
    tally.counts.orgs += 1;
    if !is(record.value("type"), "school") {
        return None;
    }
    let Some(status) = record.status(tally) else {
        tally.hides = true;
        return None;
    };
    Some(OrgRow {
        source_key: record.id(tally)?.to_owned(),
        name: record.text("name", tally).unwrap_or_default().to_owned(),
        identifier: record.text("identifier", tally).map(str::to_owned),
        status,
    })
}

fn session(record: &Record<'_>, tally: &mut Tally) -> Option<SessionRow> {
    let begins = record.day("startDate", tally).ok()?;
    let ends = record.day("endDate", tally).ok()?;
    let (Some(begins), Some(ends)) = (begins, ends) else {
        tally.lose("oneroster.missing_field", "academicSessions", "startDate, endDate");
        return None;
    };
    if ends < begins {
        tally.lose("oneroster.end_before_begin", "academicSessions", "endDate");
        return None;
    }
    let year = record.must("schoolYear", tally)?;
    let Some(ending) = year.parse::<i16>().ok().filter(|year| (1900..=2999).contains(year)) else {
        tally.lose("oneroster.year", "academicSessions", "schoolYear");
        return None;
    };
    Some(SessionRow {
        source_key: record.id(tally)?.to_owned(),
        title: record.text("title", tally).unwrap_or_default().to_owned(),
        begins,
        ends,
        // The standard names a school year by the year in which it ends, we by the one in which it begins.
        school_year: SchoolYear(ending.saturating_sub(1)),
        status: record.status(tally)?,
    })
}

fn contact(record: &Record<'_>, role: &str, tally: &mut Tally) -> Option<Contact> {
    let owned = |name, tally: &mut Tally| record.text(name, tally).map(str::to_owned);
    Some(Contact {
        source_key: record.id(tally)?.to_owned(),
        role: role.to_owned(),
        given_name: owned("givenName", tally).unwrap_or_default(),
        family_name: owned("familyName", tally).unwrap_or_default(),
        email: owned("email", tally),
        phone: owned("phone", tally).or_else(|| owned("sms", tally)),
    })
}

fn user_ids(value: &Value<'_>) -> Vec<(String, String)> {
    let pairs = value.items().iter();
    let pairs = pairs.filter_map(|one| Some((one.field("type").text()?, one.field("identifier").text()?)));
    pairs.map(|(kind, id)| (kind.to_owned(), id.to_owned())).collect()
}

fn sex(value: &Value<'_>, tally: &mut Tally) -> Option<&'static str> {
    const KNOWN: [&str; 4] = ["male", "female", "unspecified", "other"];
    let found = KNOWN.into_iter().find(|known| is(value, known));
    if found.is_none() && !matches!(value, Value::Nothing) {
        tally.lose("oneroster.sex", "demographics", "sex");
    }
    found
}

/// What references point at.
fn keys(value: &Value<'_>) -> Vec<String> {
    value.items().iter().filter_map(Value::key).map(str::to_owned).collect()
}

/// Whether a value is this word, whatever its case.
fn is(value: &Value<'_>, word: &str) -> bool {
    value.text().is_some_and(|text| text.eq_ignore_ascii_case(word))
}
