//! The file that an operator registers from: one struct a section, every fault by line, key and rule.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use hub_connectors::connection::Connection;
use hub_entities::absence::letters::Reading;
use hub_entities::agreement::{EARLY_WARNING_MOST, SCHOOL_FIRST_MOST};
use hub_entities::category::{Categories, Category};
use hub_entities::dossier::Mode;
use hub_entities::law::Laws;
use hub_entities::number::institution::InstitutionNumber;
use hub_entities::operation::{Discipline, Role};

use super::reader::{Faults, Section, day, sections, text, whole};

/// Everything a file registers. What it does not name stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct File {
    /// `[[clb]]`
    pub clbs: Vec<Clb>,
    /// `[[school]]`
    pub schools: Vec<School>,
    /// `[[source]]`
    pub sources: Vec<Source>,
    /// `[[principal]]`
    pub principals: Vec<Principal>,
    /// `[[agreement]]`
    pub agreements: Vec<Agreement>,
}

/// A CLB.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clb {
    /// The line of its section; 0 where there is no file.
    pub line: usize,
    /// Institution number (instellingsnummer).
    pub institution_number: String,
    /// Its name, public.
    pub name: String,
    /// Where it keeps its dossiers; as it was, or nowhere that the hub knows, where the file does not say.
    pub dossiers: Option<Mode>,
}

/// A school.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct School {
    /// The line of its section; 0 where there is no file.
    pub line: usize,
    /// Institution number (instellingsnummer).
    pub institution_number: String,
    /// Its name, public.
    pub name: String,
    /// Its municipality, public.
    pub city: String,
    /// Local days off (facultatieve verlofdagen, pedagogische studiedagen).
    pub days_off: Vec<NaiveDate>,
}

/// A connection of a school.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// The line of its section; 0 where there is no file.
    pub line: usize,
    /// The school's institution number.
    pub school: String,
    /// Its name, unique within the school.
    pub name: String,
    /// The built-in letter table.
    pub letters: String,
    /// The school's own letters, over the table: the letter and its meaning.
    pub overrides: Vec<(String, String)>,
    /// How its files are to be read, and the system that is pulled.
    pub files: Connection,
}

/// Who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The line of its section; 0 where there is no file.
    pub line: usize,
    /// `iss` and `sub` of its tokens.
    pub who: Who,
    /// Its one acting role.
    pub role: Role,
    /// Institution number of the school it acts for.
    pub school: Option<String>,
    /// Institution number of the CLB it acts for.
    pub clb: Option<String>,
    /// The discipline of a CLB worker.
    pub discipline: Option<Discipline>,
    /// The first day; from now when it is new and this is absent.
    pub begins_on: Option<NaiveDate>,
    /// The first day no longer.
    pub ends_on: Option<NaiveDate>,
}

/// A principal by what its tokens say.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who {
    /// `iss`, byte for byte.
    pub issuer: String,
    /// `sub`, byte for byte.
    pub subject: String,
}

/// An agreement that both parties signed on paper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The line of its section; 0 where there is no file.
    pub line: usize,
    /// The school's institution number.
    pub school: String,
    /// The CLB's institution number.
    pub clb: String,
    /// What was agreed.
    pub categories: Categories,
    /// The written ground for categories that need one.
    pub ground: Option<String>,
    /// The first day it holds.
    pub begins_on: NaiveDate,
    /// Days for which a signal is shown to the school alone.
    pub school_first_days: i16,
    /// From how many half-days on both are warned.
    pub early_warning: Option<i16>,
    /// Whether software of the school may read what the CLB released to it.
    pub releases_to_software: bool,
    /// Who signed for the school.
    pub signed_for_school: Who,
    /// Who signed for the CLB.
    pub signed_for_clb: Who,
}

const NUMBER: &str = "takes an institution number in quotes: six digits, leading zeros included";
const NAME: &str = "takes a text of 1 to 200 characters without blanks around it";
const WHO: &str = "takes { issuer = \"…\", subject = \"…\" }";

impl File {
    /// Reads a text.
    ///
    /// # Errors
    /// Every fault of the file.
    pub fn parse(text: &str) -> Result<Self, Faults> {
        let mut file = Self::default();
        let mut faults = Faults::default();
        let laws = Laws::embedded().ok();
        for mut section in sections(text, &mut faults) {
            match section.name() {
                "clb" => file.clbs.extend(Clb::read(&mut section)),
                "school" => file.schools.extend(School::read(&mut section)),
                "source" => file.sources.extend(Source::read(&mut section, laws.as_ref())),
                "principal" => file.principals.extend(Principal::read(&mut section)),
                "agreement" => file.agreements.extend(Agreement::read(&mut section)),
                _ => section
                    .unknown("no such section; there are [[clb]] [[school]] [[source]] [[principal]] [[agreement]]"),
            }
            section.finish(&mut faults);
        }
        file.twice(&mut faults);
        faults.settle(file)
    }

    /// One section a thing: which of two would hold could only be guessed.
    fn twice(&self, faults: &mut Faults) {
        let clbs = self.clbs.iter().map(|one| (one.line, one.institution_number.clone()));
        again("clb", "institution_number", clbs, faults);
        let schools = self
            .schools
            .iter()
            .map(|one| (one.line, one.institution_number.clone()));
        again("school", "institution_number", schools, faults);
        let sources = self.sources.iter().map(|one| (one.line, (&one.school, &one.name)));
        again("source", "name", sources, faults);
        let principals = self.principals.iter().map(|one| (one.line, &one.who));
        again("principal", "subject", principals, faults);
        let agreements = self.agreements.iter().map(|one| (one.line, (&one.school, &one.clb)));
        again("agreement", "clb", agreements, faults);
    }
}

fn again<K: Ord>(section: &'static str, key: &str, all: impl Iterator<Item = (usize, K)>, faults: &mut Faults) {
    let mut met = BTreeSet::new();
    for (line, one) in all {
        if !met.insert(one) {
            faults.add(line, section, key, "an earlier section registers the same");
        }
    }
}

fn number(section: &mut Section<'_>, key: &str) -> Option<String> {
    section.needed(key, NUMBER, |value| {
        let number: InstitutionNumber = value.as_str()?.parse().ok()?;
        Some(number.to_string())
    })
}

fn named(section: &mut Section<'_>, key: &str) -> Option<String> {
    section.needed(key, NAME, |value| {
        text(value).filter(|text| text.chars().count() <= 200)
    })
}

fn who(section: &mut Section<'_>, key: &str) -> Option<Who> {
    section.needed(key, WHO, |value| {
        let table = value.as_table()?;
        let part = |key: &str| text(table.get(key)?.get_ref());
        let who = Who {
            issuer: part("issuer")?,
            subject: part("subject")?,
        };
        (table.len() == 2).then_some(who)
    })
}

impl Clb {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let (institution_number, name) = (number(section, "institution_number"), named(section, "name"));
        let takes = "takes hub or off; external is not there yet";
        let dossiers = section.maybe("dossiers", takes, |value| {
            let mode = value.as_str()?.parse().ok()?;
            matches!(mode, Mode::Hub | Mode::Off).then_some(mode)
        });
        Some(Self {
            line: section.line(),
            institution_number: institution_number?,
            name: name?,
            dossiers,
        })
    }
}

impl School {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let (institution_number, name) = (number(section, "institution_number"), named(section, "name"));
        let city = named(section, "city");
        let takes = "takes a list of dates such as [2026-10-12]";
        let days_off = section.maybe("days_off", takes, |value| {
            value.as_array()?.iter().map(|one| day(one.get_ref())).collect()
        });
        let mut days_off: Vec<NaiveDate> = days_off.unwrap_or_default();
        days_off.sort_unstable();
        days_off.dedup();
        Some(Self {
            line: section.line(),
            institution_number: institution_number?,
            name: name?,
            city: city?,
            days_off,
        })
    }
}

impl Source {
    fn read(section: &mut Section<'_>, laws: Option<&Laws>) -> Option<Self> {
        let (school, name) = (number(section, "school"), named(section, "name"));
        let takes = "takes the name of a built-in letter table: school, discimus or before2019";
        let letters = section.needed("letters", takes, |value| {
            let name = text(value)?;
            laws?.letters(&name).is_some().then_some(name)
        });
        let takes = "takes letters and what they mean: an official code, present, no-school, unresolved or unknown";
        let overrides = section.maybe("overrides", takes, |value| {
            let mut found = Vec::new();
            for (letter, means) in value.as_table()? {
                let (letter, means) = (letter.get_ref().trim(), text(means.get_ref())?);
                let _meaning: Reading = means.parse().ok()?;
                found.push((Some(letter.to_owned()).filter(|letter| !letter.is_empty())?, means));
            }
            Some(found)
        });
        let roster = section.settings("roster");
        let absences = section.settings("absences");
        let live = section.settings("live");
        Some(Self {
            line: section.line(),
            school: school?,
            name: name?,
            letters: letters?,
            overrides: overrides.unwrap_or_default(),
            files: Connection {
                roster: roster.unwrap_or_default(),
                absences: absences.unwrap_or_default(),
                live,
            },
        })
    }
}

impl Principal {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let (issuer, subject) = (named(section, "issuer"), named(section, "subject"));
        let takes = "takes a role: school_client, school_care_team, school_data_manager, clb_worker, clb_director, clb_administration, clb_chat_worker, dpo or operator";
        let role = section.needed("role", takes, |value| {
            let role: Role = value.as_str()?.parse().ok()?;
            (!matches!(role, Role::Pupil | Role::Parent)).then_some(role)
        });
        let institution = |value: &toml::de::DeValue<'_>| {
            let number: InstitutionNumber = value.as_str()?.parse().ok()?;
            Some(number.to_string())
        };
        let school = section.maybe("school", NUMBER, institution);
        let clb = section.maybe("clb", NUMBER, institution);
        let takes = "takes a discipline: psychologist, pedagogue, social_worker, doctor, nurse, paramedic or mediator";
        let discipline: Option<Discipline> = section.maybe("discipline", takes, |value| value.as_str()?.parse().ok());
        let begins_on = section.maybe("begins_on", "takes a date such as 2026-09-01", day);
        let ends_on = section.maybe("ends_on", "takes a date: the first day no longer", day);
        if section.is_faulty() {
            return None;
        }
        let role = role?;
        let acts_for = match role {
            Role::SchoolClient | Role::SchoolCareTeam | Role::SchoolDataManager => school.is_some() && clb.is_none(),
            Role::ClbWorker | Role::ClbDirector | Role::ClbAdministration | Role::ClbChatWorker => {
                school.is_none() && clb.is_some()
            }
            Role::DataProtectionOfficer => school.is_some() != clb.is_some(),
            Role::Operator => school.is_none() && clb.is_none(),
            Role::Pupil | Role::Parent => false,
        };
        if !acts_for {
            section.wrong(
                "role",
                "a school's role names its `school`, a CLB's its `clb`, an operator neither",
            );
        }
        if (role == Role::ClbWorker) != discipline.is_some() {
            section.wrong("discipline", "a clb_worker has one, and nobody else");
        }
        if let (Some(begins), Some(ends)) = (begins_on, ends_on)
            && ends <= begins
        {
            section.wrong("ends_on", "lies after begins_on");
        }
        Some(Self {
            line: section.line(),
            who: Who {
                issuer: issuer?,
                subject: subject?,
            },
            role,
            school,
            clb,
            discipline,
            begins_on,
            ends_on,
        })
    }
}

impl Agreement {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let (school, clb) = (number(section, "school"), number(section, "clb"));
        let takes =
            "takes a list of: identity birth address contact enrolment truancy language attendance nationalNumber";
        let categories = section.maybe("categories", takes, |value| {
            let names = value.as_array()?.iter();
            let categories: Categories = names
                .map(|one| one.get_ref().as_str()?.parse().ok())
                .collect::<Option<_>>()?;
            (!categories.is_empty()).then_some(categories)
        });
        let categories = categories.unwrap_or_else(Categories::default_agreement);
        let ground = section.maybe("ground", "takes a text", text);
        if ground.is_none() && categories.iter().any(Category::needs_ground) {
            section.wrong(
                "ground",
                "language, attendance and nationalNumber need a written ground",
            );
        }
        let begins_on = section.needed("begins_on", "takes a date such as 2026-09-01", day);
        let school_first_days = section.maybe("school_first_days", "takes days from 0 to 30", |value| {
            whole(value)
                .and_then(|days| i16::try_from(days).ok())
                .filter(|days| (0..=SCHOOL_FIRST_MOST).contains(days))
        });
        let early_warning = section.maybe("early_warning", "takes half-days from 1 to 4", |value| {
            whole(value)
                .and_then(|half_days| i16::try_from(half_days).ok())
                .filter(|half_days| (1..=EARLY_WARNING_MOST).contains(half_days))
        });
        if early_warning.is_some() && !categories.has(Category::Truancy) {
            section.wrong("early_warning", "an early warning needs the category truancy");
        }
        let releases_to_software = section.maybe("releases_to_software", "takes true or false", |value| match value {
            toml::de::DeValue::Boolean(yes) => Some(*yes),
            _ => None,
        });
        let (of_school, of_clb) = (who(section, "signed_for_school"), who(section, "signed_for_clb"));
        Some(Self {
            line: section.line(),
            school: school?,
            clb: clb?,
            categories,
            ground,
            begins_on: begins_on?,
            school_first_days: school_first_days.unwrap_or_default(),
            early_warning,
            releases_to_software: releases_to_software.unwrap_or_default(),
            signed_for_school: of_school?,
            signed_for_clb: of_clb?,
        })
    }
}
