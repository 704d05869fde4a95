//! The systems that the schools of a population run: OneRoster with its token endpoint, and Smartschool, over loopback
//! HTTP, each school with its own. They know what their school knows, and change when that does.

use std::io;
use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use hub_connectors::absences::PupilKey;
use hub_connectors::connection::Connection;
use hub_connectors::contract::Stream;
use hub_connectors::fake::{Host, Site, Unruly};
use hub_connectors::live::{self, Live, NotAName, SecretName};
use hub_connectors::oneroster::fake as roster;
use hub_connectors::oneroster::{Version, rest};
use hub_connectors::smartschool::fake as platform;
use hub_connectors::{oauth, smartschool};
use serde_json::{Value, json};

use super::feed::Change;
use super::files::{AbsencesOf, DELETED};
use super::package::{NATIONAL_NUMBER, STAMNUMMER, org_key, parent_key, session_key, teacher_key};
use super::parties::Way;
use super::population::{Population, Pupil, Stay};
use super::schools::{OneRoster, School};
use crate::register::Source;

/// The name of a school's source that is a OneRoster system.
pub const ROSTER: &str = "oneroster";

/// The name of a school's source that is Smartschool.
pub const SMARTSCHOOL: &str = "smartschool";

/// The name of every secret: it is one and the same.
pub const SECRET: &str = "demo";

/// The client that the hub is to a OneRoster system.
const CLIENT: &str = "clb-hub";

/// A system that is served, and can be made to go wrong.
#[derive(Debug)]
struct Served<F> {
    fake: Arc<F>,
    site: Arc<Unruly>,
    host: Host,
}

impl<F: Site> Served<F> {
    async fn start(fake: F, is_for_data: fn(&hub_connectors::fake::Request) -> bool) -> io::Result<Self> {
        let fake = Arc::new(fake);
        let site = Arc::new(Unruly::over(Arc::<F>::clone(&fake), is_for_data));
        Ok(Self {
            host: Host::start(Arc::<Unruly>::clone(&site)).await?,
            fake,
            site,
        })
    }
}

/// The systems of one school.
#[derive(Debug)]
struct OfSchool {
    roster: Option<Served<roster::Fake>>,
    smartschool: Served<platform::Fake>,
}

/// The systems of the schools of a population that have any.
#[derive(Debug)]
pub struct Systems {
    schools: Vec<Option<OfSchool>>,
    window_days: u16,
}

/// What the systems know, and how they are asked.
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    /// How what the school at a place knows comes to the hub.
    pub way: fn(usize) -> Way,
    /// The present of the systems.
    pub now: DateTime<Utc>,
    /// What opens each of them: the access code, the secret of the client.
    pub secret: &'a str,
    /// So many days back Smartschool is read again.
    pub window_days: u16,
    /// The half-days of a pupil that are registered when the systems start.
    pub absences: &'a AbsencesOf<'a>,
}

impl std::fmt::Debug for Plan<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan").finish_non_exhaustive()
    }
}

impl Systems {
    /// Starts them, each on a free port of the loopback interface.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start(population: &Population, plan: &Plan<'_>) -> io::Result<Self> {
        let mut schools = Vec::new();
        for position in 0..population.schools.len() {
            let way = (plan.way)(position);
            let roster = match way {
                Way::Pair => Some(roster_system(population, position, plan)),
                Way::Smartschool | Way::Software => None,
            };
            let roster = match roster {
                Some(system) => Some(Served::start(roster::Fake::new(system), roster::Fake::is_for_data).await?),
                None => None,
            };
            schools.push(match way {
                Way::Software => None,
                Way::Pair | Way::Smartschool => Some(OfSchool {
                    roster,
                    smartschool: Served::start(platform::Fake::new(platform_of(population, position, plan)), |_| true)
                        .await?,
                }),
            });
        }
        Ok(Self {
            schools,
            window_days: plan.window_days,
        })
    }

    /// Their registration: one or two sources for each school that has any. How many pupils of a school the two name
    /// alike depends on the number that joins them.
    ///
    /// # Errors
    /// Never: the name of the secret is one.
    pub fn sources(&self, population: &Population) -> Result<Vec<Source>, NotAName> {
        let mut sources = Vec::new();
        for (school, systems) in population.schools.iter().zip(&self.schools) {
            let Some(systems) = systems else { continue };
            let has_roster = systems.roster.is_some();
            if let Some(served) = &systems.roster {
                let token = oauth::Settings {
                    token_url: roster::Fake::token_url(&served.host),
                    client_id: CLIENT.to_owned(),
                    ..oauth::Settings::default()
                };
                let settings = rest::Settings::of(served.fake.url(&served.host), rest::Credentials::Token(token));
                let system = live::System::OneRoster(Box::new(settings));
                sources.push(source(school, ROSTER, system, None)?);
            }
            let settings = smartschool::Settings {
                pupil_key: has_roster.then_some(PupilKey::Stamnummer),
                window_days: self.window_days,
                single_school: true,
                ..smartschool::Settings::of(platform::Fake::url(&systems.smartschool.host))
            };
            let system = live::System::Smartschool(Box::new(settings));
            let pulls = has_roster.then(|| vec![Stream::Absences]);
            sources.push(source(school, SMARTSCHOOL, system, pulls)?);
        }
        Ok(sources)
    }

    /// Registers a half-day anew, where its school has a system that is pulled. Says whether it has.
    pub fn register(&self, change: &Change) -> bool {
        let Some(systems) = self.schools.get(change.school).and_then(Option::as_ref) else {
            return false;
        };
        systems.smartschool.fake.change(|platform| match change.code {
            DELETED => platform.unmark(&change.pupil_key, change.at),
            letter => platform.mark(&change.pupil_key, change.at, letter),
        });
        true
    }

    /// What the school at a place has its half-days in, to be made to go wrong.
    pub fn half_days_of(&self, position: usize) -> Option<&Unruly> {
        let systems = self.schools.get(position)?.as_ref()?;
        Some(&systems.smartschool.site)
    }

    /// What it has its roster in, where that is another system.
    pub fn roster_of(&self, position: usize) -> Option<&Unruly> {
        let systems = self.schools.get(position)?.as_ref()?;
        systems.roster.as_ref().map(|served| &*served.site)
    }
}

fn source(school: &School, name: &str, system: live::System, pulls: Option<Vec<Stream>>) -> Result<Source, NotAName> {
    Ok(Source {
        school: school.institution_number.clone(),
        name: name.to_owned(),
        letters: "school".to_owned(),
        files: Connection {
            live: Some(Live {
                system,
                secret: SecretName::try_from(SECRET.to_owned())?,
                pulls,
            }),
            ..Connection::default()
        },
        ..Source::default()
    })
}

/// The days before today that hold so many lesson half-days, and a week: the demo may run past midnight.
pub fn window_days(population: &Population, half_days: usize) -> u16 {
    let known = population.lessons.partition_point(|half| half.day <= population.today);
    let first = population.lessons.get(known.saturating_sub(half_days));
    let days = first.map_or(0, |first| (population.today - first.day).num_days().max(0));
    u16::try_from(days.saturating_add(7)).unwrap_or(u16::MAX)
}

/// What a school has in its OneRoster system.
fn roster_system(population: &Population, position: usize, plan: &Plan<'_>) -> roster::System {
    let Some(school) = population.schools.get(position) else {
        return roster::System::new(Version::V1_2, CLIENT, plan.secret, plan.now);
    };
    let version = match school.one_roster {
        OneRoster::V11 => Version::V1_1,
        OneRoster::V12 => Version::V1_2,
    };
    // Typed in before today: a later read that asks for what has changed gets nothing.
    let typed_in = plan.now - TimeDelta::days(1);
    let mut system = roster::System::new(version, CLIENT, plan.secret, typed_in);
    system.date = Some(plan.now);
    let (org, year) = (org_key(school), population.year);
    system.add_school(&org, &school.name, &school.institution_number);
    // OneRoster names a school year by the calendar year in which it ends.
    let ends = i32::from(year.0).saturating_add(1);
    system.add_year(&session_key(population), year.first_day(), year.last_day(), ends);
    for class in &school.classes {
        system.put_class(&roster::Class {
            key: class.source_key.clone(),
            title: class.title.clone(),
            school: org.clone(),
            session: session_key(population),
            grade: school.level.grade_code(class.grade),
            homeroom: true,
        });
        system.put_teacher(&teacher_key(class), &class.title, &org);
    }
    for (pupil, stay) in population.pupils_of(position) {
        let Some(stay) = pupil.stays.get(stay) else { continue };
        put_pupil(&mut system, school, &pupil, stay);
    }
    system
}

fn put_pupil(system: &mut roster::System, school: &School, pupil: &Pupil, stay: &Stay) {
    let (org, key) = (org_key(school), &stay.source_key);
    let parents: Vec<String> = (0..pupil.parents.len())
        .map(|parent| parent_key(school, pupil, parent))
        .collect();
    let national = pupil.national_number.iter();
    let national = national.map(|number| (NATIONAL_NUMBER.to_owned(), number.clone()));
    let home = [
        ("street", pupil.street.as_str()),
        ("postalCode", &pupil.postal_code),
        ("city", &pupil.city),
        ("language", pupil.language),
    ];
    let of_system = roster::Pupil {
        key: key.clone(),
        identifier: stay.stamnummer.clone(),
        given_name: pupil.given_name.to_owned(),
        family_name: pupil.family_name.to_owned(),
        born: pupil.birth_date,
        sex: pupil.sex.to_owned(),
        user_ids: std::iter::once((STAMNUMMER.to_owned(), stay.stamnummer.clone()))
            .chain(national)
            .collect(),
        metadata: home.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        agents: parents.clone(),
        ..roster::Pupil::default()
    };
    system.put_pupil(&of_system, &org, Some(stay.begins));
    for (parent, parent_key) in pupil.parents.iter().zip(parents) {
        let parent = roster::Parent {
            key: parent_key,
            role: "parent".to_owned(),
            given_name: parent.given_name.to_owned(),
            family_name: parent.family_name.to_owned(),
            email: parent.email.clone(),
            phone: parent.phone.clone(),
            children: vec![key.clone()],
        };
        system.put_parent(&parent, &org);
    }
    let Some(class) = school.classes.get(stay.class) else {
        return;
    };
    let place = format!("I{key}");
    system.enroll(&place, key, &class.source_key, &org, stay.begins);
    if let Some(left) = left(stay) {
        system.leaves(&place, left);
        system.edit("users", key, |user| {
            if let Some(role) = user
                .get_mut("roles")
                .and_then(|roles| roles.get_mut(0))
                .and_then(Value::as_object_mut)
            {
                role.insert("endDate".to_owned(), json!(left));
            }
        });
    }
}

/// The first day on which somebody who left is not there.
fn left(stay: &Stay) -> Option<NaiveDate> {
    stay.last_day?.checked_add_days(Days::new(1))
}

/// What a school has in Smartschool: everyone, and every half-day that it has registered up to today. Its internal number
/// is the one in the register of the school.
fn platform_of(population: &Population, position: usize, plan: &Plan<'_>) -> platform::Platform {
    let mut of_school = platform::Platform::new(plan.secret, population.today);
    let Some(school) = population.schools.get(position) else {
        return of_school;
    };
    let (first, last) = (population.year.first_day(), population.year.last_day());
    of_school.days_off = first.iter_days().take_while(|day| *day <= last).collect();
    for half in &population.lessons {
        of_school.days_off.remove(&half.day);
    }
    of_school.days_off.extend(&school.days_off);
    for class in &school.classes {
        of_school.add_class(&class.source_key, &school.institution_number);
        if let Some(added) = of_school.classes.last_mut() {
            added.name.clone_from(&class.title);
        }
    }
    for (pupil, here) in population.pupils_of(position) {
        let Some(stay) = pupil.stays.get(here) else { continue };
        let Some(class) = school.classes.get(stay.class) else {
            continue;
        };
        of_school.add_pupil(account(&pupil, stay), &class.source_key, stay.begins);
        if let Some(left) = left(stay) {
            of_school.moves(&stay.source_key, None, left);
        }
        for absence in (plan.absences)(&pupil) {
            if absence.stay == here {
                of_school.mark(&stay.source_key, absence.at, absence.letter);
            }
        }
    }
    of_school
}

fn account(pupil: &Pupil, stay: &Stay) -> platform::Pupil {
    let (street, house_number) = pupil.street.rsplit_once(' ').unwrap_or((&pupil.street, ""));
    let parents = pupil.parents.iter().map(|parent| platform::CoAccount {
        given_name: parent.given_name.to_owned(),
        family_name: parent.family_name.to_owned(),
        email: parent.email.clone(),
        mobile: parent.phone.clone(),
        kind: "Moeder".to_owned(),
    });
    platform::Pupil {
        user_name: stay.source_key.clone(),
        internal_number: stay.stamnummer.clone(),
        given_name: pupil.given_name.to_owned(),
        family_name: pupil.family_name.to_owned(),
        sex: match pupil.sex {
            "male" => "m",
            _ => "f",
        }
        .to_owned(),
        born: pupil.birth_date,
        national_number: pupil.national_number.clone().unwrap_or_default(),
        register_number: stay.stamnummer.clone(),
        street: street.to_owned(),
        house_number: house_number.to_owned(),
        postal_code: pupil.postal_code.clone(),
        city: pupil.city.clone(),
        co_accounts: parents.collect(),
        ..platform::Pupil::default()
    }
}
