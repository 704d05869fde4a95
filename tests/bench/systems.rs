//! The systems of a region of schools, to pull from: OneRoster and Smartschool of each, all of them in this one process.
//!
//! `cargo run --release --example systems -- FOLDER [--schools N] [--pupils N]`
//!
//! 300 schools of 400 pupils unless said otherwise, and one school day of absences, the last one. FOLDER gets
//! `register.toml`, which registers all of it, and then `ready`: a line with the day, a line with where the systems
//! can be told to fall sick (`/sick/N`: that of the first N schools, in turn by silence, an error of their own, a page of
//! a portal and half an answer), to be well again (`/well`), and what a school says of a pupil's last half-days
//! (`/says/SCHOOL/PUPIL/HALF-DAYS/LETTER`: its place, the pupil's key there, up to five, B or Z), and a line with how many
//! pupils there are and how many half-days have which letter. It goes on until it is killed.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::NaiveDate;
use clb_hub::demo::absences;
use clb_hub::demo::feed::Change;
use clb_hub::demo::parties::{Way, parties};
use clb_hub::demo::population::Population;
use clb_hub::demo::schools::{Level, SchoolPlan, Shape};
use clb_hub::demo::systems::{Plan, Systems, window_days};
use clb_hub::register;
use clb_hub::runtime::SystemClock;
use hub_connectors::fake::{Answer, Host, Request, Site, Trouble, Unruly};
use hub_connectors::live::Live;
use hub_entities::category::{Categories, Category};
use hub_entities::law::Laws;
use hub_entities::time::{Clock as _, HalfDay, SchoolYear, brussels_day};
use serde::Serialize;
use toml::value::Datetime;

type Failure = Box<dyn std::error::Error>;

const USAGE: &str = "usage: systems FOLDER [--schools N] [--pupils N], with 1 to 300 schools of 20 to 1000 pupils";

const SEED: u64 = 2026;
const SCHOOLS: usize = 300;
const PUPILS: usize = 400;
const ISSUER: &str = "https://issuer.example";

/// What opens the systems, under the name [`clb_hub::demo::systems::SECRET`].
const CODE: &str = "measurement";

/// What the hub reads again of half-days unless a connection says otherwise.
const WINDOW_DAYS: u16 = 14;

/// So many half-days back a school may say something else of a pupil.
const CHANGING: usize = 5;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut folder = None;
    let (mut schools, mut pupils) = (SCHOOLS, PUPILS);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = |among: std::ops::RangeInclusive<usize>| {
            let number = arguments.next().and_then(|number| number.parse().ok());
            number.filter(|number| among.contains(number)).ok_or(USAGE)
        };
        match argument.as_str() {
            "--schools" => schools = number(1..=SCHOOLS)?,
            "--pupils" => pupils = number(20..=1_000)?,
            _ => folder = Some(PathBuf::from(argument)),
        }
    }
    let folder = folder.ok_or(USAGE)?;
    std::fs::create_dir_all(&folder)?;
    let now = SystemClock.now();
    let today = brussels_day(now);
    let calendar = Laws::embedded()?.calendar(SchoolYear::of(today));
    let population = Population::new(shape(schools, pupils), SEED, today, &calendar);
    let day = last_lesson(&population).ok_or("no lessons yet this school year")?;
    let plan = Plan {
        way: |_| Way::Pair,
        now,
        secret: CODE,
        window_days: WINDOW_DAYS.max(window_days(&population, CHANGING)),
        absences: &|pupil| {
            let mut absences = absences::of(&population, pupil);
            absences.retain(|absence| absence.at.day == day);
            absences
        },
    };
    let systems = Systems::start(&population, &plan).await?;
    let mut letters: BTreeMap<&str, usize> = BTreeMap::new();
    for index in 0..population.len() {
        for absence in (plan.absences)(&population.pupil(index)) {
            *letters.entry(absence.letter).or_default() += 1;
        }
    }
    let half_days: usize = letters.values().sum();
    let file = parties(&population, systems.sources(&population)?, ISSUER, |_| {
        Categories::default_agreement().with(Category::Attendance)
    });
    std::fs::write(folder.join("register.toml"), toml::to_string(&Register::of(file)?)?)?;
    let known = population.lessons.partition_point(|half| half.day <= today);
    let last = population.lessons.iter().take(known).rev().take(CHANGING).copied();
    let health = Arc::new(Health {
        systems,
        schools,
        last: last.collect(),
    });
    let control = Host::start(health).await?;
    // Whole or not at all: it is waited for.
    let ready = folder.join("ready.new");
    std::fs::write(
        &ready,
        format!(
            "{day}\n{}\n{}\n",
            control.origin(),
            serde_json::json!({ "pupils": population.len(), "letters": letters })
        ),
    )?;
    std::fs::rename(ready, folder.join("ready"))?;
    let told = format!(
        "{schools} schools, {} pupils, {half_days} half-days of absence on {day}",
        population.len()
    );
    writeln!(std::io::stdout(), "{told}")?;
    std::future::pending::<Result<(), Failure>>().await
}

fn shape(schools: usize, pupils: usize) -> Shape {
    let plan = |place: usize| SchoolPlan {
        level: if place.is_multiple_of(2) {
            Level::Basis
        } else {
            Level::Secundair
        },
        pupils,
        classes: 18,
    };
    Shape {
        clbs: schools.div_ceil(25),
        schools: (0..schools).map(plan).collect(),
        first_institution: 970_001,
        movers_per_mille: 0,
        arrivals_per_mille: 0,
        local_days_off: false,
    }
}

fn last_lesson(population: &Population) -> Option<NaiveDate> {
    let lessons = population.lessons.iter().rev();
    lessons.map(|half| half.day).find(|day| *day <= population.today)
}

/// Where the systems are told how they are, and what happens at their schools.
struct Health {
    systems: Systems,
    schools: usize,
    /// The half-days that may change, the last one first.
    last: Vec<HalfDay>,
}

impl Health {
    fn of(&self, school: usize) -> impl Iterator<Item = &Unruly> {
        let both = [self.systems.roster_of(school), self.systems.half_days_of(school)];
        both.into_iter().flatten()
    }

    /// What a school says of a pupil's last half-days; `None` where that makes no sense.
    fn says(&self, told: &str) -> Option<()> {
        let told: Vec<&str> = told.split('/').collect();
        let [school, pupil, half_days, letter] = told[..] else {
            return None;
        };
        let (school, half_days): (usize, usize) = (school.parse().ok()?, half_days.parse().ok()?);
        let code = ["B", "Z"].into_iter().find(|code| *code == letter)?;
        for at in self.last.get(..half_days)? {
            let change = Change {
                school,
                pupil_key: pupil.to_owned(),
                at: *at,
                code,
            };
            self.systems.register(&change).then_some(())?;
        }
        Some(())
    }
}

#[async_trait]
impl Site for Health {
    async fn answer(&self, request: Request) -> Answer {
        const TROUBLES: [Trouble; 4] = [Trouble::Stall, Trouble::Breakdown, Trouble::Portal, Trouble::Half];
        if let Some(told) = request.path.strip_prefix("/says/") {
            return Answer::status(if self.says(told).is_some() { 204 } else { 404 });
        }
        let sick = match request.path.strip_prefix("/sick/").map(str::parse::<usize>) {
            Some(Ok(number)) => number,
            None if request.path == "/well" => 0,
            Some(Err(_)) | None => return Answer::status(404),
        };
        for school in 0..self.schools {
            for system in self.of(school) {
                match TROUBLES.get(school % TROUBLES.len()) {
                    Some(trouble) if school < sick => system.from(1, *trouble),
                    _ => system.calm(),
                }
            }
        }
        Answer::status(204)
    }
}

/// The file that registers it.
#[derive(Serialize)]
struct Register {
    clb: Vec<Clb>,
    school: Vec<School>,
    source: Vec<Source>,
    principal: Vec<Principal>,
    agreement: Vec<Agreement>,
}

#[derive(Serialize)]
struct Clb {
    institution_number: String,
    name: String,
}

#[derive(Serialize)]
struct School {
    institution_number: String,
    name: String,
    city: String,
}

#[derive(Serialize)]
struct Source {
    school: String,
    name: String,
    letters: String,
    live: Option<Live>,
}

#[derive(Serialize)]
struct Principal {
    issuer: String,
    subject: String,
    role: String,
    school: Option<String>,
    clb: Option<String>,
}

#[derive(Serialize)]
struct Agreement {
    school: String,
    clb: String,
    categories: Vec<&'static str>,
    ground: Option<String>,
    begins_on: Datetime,
    signed_for_school: Who,
    signed_for_clb: Who,
}

#[derive(Serialize)]
struct Who {
    issuer: String,
    subject: String,
}

impl From<register::Who> for Who {
    fn from(who: register::Who) -> Self {
        Self {
            issuer: who.issuer,
            subject: who.subject,
        }
    }
}

impl Register {
    fn of(file: register::File) -> Result<Self, Failure> {
        let clbs = file.clbs.into_iter().map(|clb| Clb {
            institution_number: clb.institution_number,
            name: clb.name,
        });
        let schools = file.schools.into_iter().map(|school| School {
            institution_number: school.institution_number,
            name: school.name,
            city: school.city,
        });
        let sources = file.sources.into_iter().map(|source| Source {
            school: source.school,
            name: source.name,
            letters: source.letters,
            live: source.files.live,
        });
        let principals = file.principals.into_iter().map(|principal| Principal {
            issuer: principal.who.issuer,
            subject: principal.who.subject,
            role: principal.role.to_string(),
            school: principal.school,
            clb: principal.clb,
        });
        let agreements = file.agreements.into_iter().map(|agreement| {
            Ok::<_, Failure>(Agreement {
                school: agreement.school,
                clb: agreement.clb,
                categories: agreement.categories.iter().map(Category::name).collect(),
                ground: agreement.ground,
                begins_on: agreement.begins_on.to_string().parse()?,
                signed_for_school: agreement.signed_for_school.into(),
                signed_for_clb: agreement.signed_for_clb.into(),
            })
        });
        Ok(Self {
            clb: clbs.collect(),
            school: schools.collect(),
            source: sources.collect(),
            principal: principals.collect(),
            agreement: agreements.collect::<Result<_, _>>()?,
        })
    }
}
