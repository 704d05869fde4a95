//! Reads a whole package: files in the order in which they refer to each other, then the references.
//!
//! Strict in the report, lenient in reading: every leniency is a warning, and whatever could only be
//! guessed is an error, after which there is no roster at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hub_entities::time::SchoolYear;

use super::files::{Files, To};
use super::manifest::{self, MANIFEST, Manifest, Mode, Version};
use super::people::{PARENTS, People, Person, count, part};
use super::schema::{
    CLASSES, COURSES, DEMOGRAPHICS, ENROLLMENTS, ORGS, PROFILES_1_2, ROLES_1_2, SESSIONS, USERS_1_1, USERS_1_2,
};
use super::settings::{Extensions, Settings};
use super::table::{Row, items};
use crate::archive::{Package, WHOLE};
use crate::report::Report;
use crate::roster::{
    ClassRow, Complete, Contact, MembershipRow, OrgRow, PupilRow, Roster, Says, SchoolLink, SessionRow, Status,
};

/// Reads the package at a path: a ZIP or a folder.
///
/// # Errors
/// The report, when anything in it is an error; then nothing of the package may be used.
pub fn read_path(path: &Path, settings: &Settings) -> Result<Roster, Report> {
    let mut report = Report::default();
    let mut package = Package::open(path, &mut report)?;
    read(&mut package, settings, report)
}

/// Reads an opened package; `report` holds what opening it had to say.
///
/// # Errors
/// As [`read_path`].
pub fn read(package: &mut Package, settings: &Settings, mut report: Report) -> Result<Roster, Report> {
    let names: BTreeMap<String, String> = package
        .names()
        .map(|name| (name.to_lowercase(), name.to_owned()))
        .collect();
    let Some(manifest) = open_manifest(package, &names, &mut report) else {
        return Err(report);
    };
    presence(&manifest, &names, &mut report);
    let mut files = Files::new(package, names, manifest, report);
    let mut roster = assemble(&mut files, settings);
    files.judge();
    if !files.report.usable() {
        return Err(files.report);
    }
    roster.dropped = files.dropped;
    roster.report = files.report;
    Ok(roster)
}

fn open_manifest(package: &mut Package, names: &BTreeMap<String, String>, report: &mut Report) -> Option<Manifest> {
    let Some(name) = names.get(MANIFEST) else {
        report.error(MANIFEST, 0, 0, "manifest.file_missing");
        return None;
    };
    if name != MANIFEST {
        report.warn(MANIFEST, 0, 0, "package.file_name_case");
    }
    let Ok(Some(mut stream)) = package.read(name) else {
        report.error(MANIFEST, 0, 0, "package.unreadable");
        return None;
    };
    manifest::read(&mut stream, report)
}

/// Holds what the manifest claims against what is there.
fn presence(manifest: &Manifest, names: &BTreeMap<String, String>, report: &mut Report) {
    let mut known = BTreeSet::from([MANIFEST.to_owned()]);
    for file in manifest::files(manifest.version) {
        let name = format!("{file}.csv");
        let there = names.get(&name.to_lowercase());
        match (manifest.mode(file), there) {
            (Mode::Absent, Some(_)) => report.error(&name, 0, 0, "manifest.file_unexpected"),
            (Mode::Bulk | Mode::Delta, None) => report.error(&name, 0, 0, "manifest.file_missing"),
            (Mode::Bulk | Mode::Delta, Some(found)) if *found != name => {
                report.warn(&name, 0, 0, "package.file_name_case");
            }
            _ => {}
        }
        known.insert(name.to_lowercase());
    }
    for _unknown in names.keys().filter(|name| !known.contains(*name)) {
        report.warn(WHOLE, 0, 0, "package.unknown_file");
    }
}

/// What `roles.csv` says of one person.
#[derive(Default)]
struct Standing {
    roles: BTreeSet<&'static str>,
    primary: BTreeSet<String>,
    orgs: BTreeSet<String>,
    schools: Vec<SchoolLink>,
}

fn assemble(files: &mut Files<'_>, settings: &Settings) -> Roster {
    let mut roster = Roster::default();
    let others = orgs(files, &mut roster);
    let sessions = sessions(files, &mut roster);
    courses(files, &mut roster, &sessions);
    classes(files, &mut roster, &sessions, &others);
    let mut standings = roles(files, settings);
    let mut people = People::default();
    users(files, &mut roster, &mut standings, &mut people, &settings.extensions);
    demographics(files, &mut roster, &mut people);
    enrollments(files, &mut roster, &mut people, settings, &others);
    roster.counts.users_without_role = count(people.unknown.len());
    roster.pupils = people.settle();
    let told = || roster.pupils.iter().filter(|pupil| pupil.says.person);
    (roster.counts.pupils, roster.counts.pupils_gone) = (
        count(told().count()),
        count(told().filter(|pupil| pupil.status == Status::Gone).count()),
    );
    let [users, roles, classes, enrollments] =
        ["users", "roles", "classes", "enrollments"].map(|file| files.is_whole(file));
    roster.complete = Complete {
        pupils: users && (files.manifest.version == Version::V1_1 || roles),
        classes,
        memberships: enrollments,
    };
    roster
}

/// Schools; returns the keys of organisations that are none.
fn orgs(files: &mut Files<'_>, roster: &mut Roster) -> BTreeSet<String> {
    let mut others = BTreeSet::new();
    files.each(&ORGS, &[To("parentSourcedId", "orgs", false)], &mut |row, _| {
        roster.counts.orgs += 1;
        if row.choice("type") == Some("school") {
            roster.schools.push(OrgRow {
                source_key: row.text("sourcedId"),
                name: row.text("name"),
                identifier: row.owned("identifier"),
                status: row.status,
            });
        } else {
            others.insert(row.text("sourcedId"));
        }
    });
    others
}

/// Sessions; returns the school year of each, and whether it is one itself.
fn sessions(files: &mut Files<'_>, roster: &mut Roster) -> BTreeMap<String, (SchoolYear, bool)> {
    let mut years = BTreeMap::new();
    files.each(
        &SESSIONS,
        &[To("parentSourcedId", "academicSessions", false)],
        &mut |row, report| {
            roster.counts.sessions += 1;
            let (Some(begins), Some(ends)) = (row.day("startDate"), row.day("endDate")) else {
                return;
            };
            if ends < begins {
                report.error(
                    "academicSessions.csv",
                    row.line,
                    row.column("endDate"),
                    "semantic.end_before_begin",
                );
            }
            // The standard names a school year by the year in which it ends, we by the one in which it begins.
            let Some(ending) = row.get("schoolYear").and_then(|year| year.parse::<i16>().ok()) else {
                return;
            };
            let school_year = SchoolYear(ending.saturating_sub(1));
            years.insert(
                row.text("sourcedId"),
                (school_year, row.choice("type") == Some("schoolYear")),
            );
            roster.sessions.push(SessionRow {
                source_key: row.text("sourcedId"),
                title: row.text("title"),
                begins,
                ends,
                school_year,
                status: row.status,
            });
        },
    );
    years
}

fn courses(files: &mut Files<'_>, roster: &mut Roster, sessions: &BTreeMap<String, (SchoolYear, bool)>) {
    let to = [
        To("orgSourcedId", "orgs", true),
        To("schoolYearSourcedId", "academicSessions", false),
    ];
    files.each(&COURSES, &to, &mut |row, report| {
        roster.counts.courses += 1;
        let session = row.get("schoolYearSourcedId").and_then(|key| sessions.get(key));
        if session.is_some_and(|(_, year)| !year) {
            report.warn(
                "courses.csv",
                row.line,
                row.column("schoolYearSourcedId"),
                "semantic.not_a_school_year",
            );
        }
    });
}

fn classes(
    files: &mut Files<'_>,
    roster: &mut Roster,
    sessions: &BTreeMap<String, (SchoolYear, bool)>,
    others: &BTreeSet<String>,
) {
    let to = [
        To("courseSourcedId", "courses", false),
        To("schoolSourcedId", "orgs", true),
        To("termSourcedIds", "academicSessions", true),
    ];
    files.each(&CLASSES, &to, &mut |row, report| {
        roster.counts.classes += 1;
        let school_key = row.text("schoolSourcedId");
        if others.contains(&school_key) {
            report.error(
                "classes.csv",
                row.line,
                row.column("schoolSourcedId"),
                "semantic.not_a_school",
            );
        }
        roster.classes.push(ClassRow {
            source_key: row.text("sourcedId"),
            school_key,
            title: row.text("title"),
            code: row.owned("classCode"),
            grade: row.list("grades").into_iter().next(),
            school_year: row
                .list("termSourcedIds")
                .iter()
                .find_map(|term| sessions.get(term))
                .map(|(year, _)| *year),
            homeroom: row.choice("classType") == Some("homeroom"),
            status: row.status,
        });
    });
}

/// Roles of 1.2; none when the package does not have the file.
fn roles(files: &mut Files<'_>, settings: &Settings) -> BTreeMap<String, Standing> {
    let mut standings: BTreeMap<String, Standing> = BTreeMap::new();
    let mut profiles = Vec::new();
    let to = [
        To("userSourcedId", "users", true),
        To("orgSourcedId", "orgs", true),
        To("userProfileSourcedId", "userProfiles", false),
    ];
    files.each(&ROLES_1_2, &to, &mut |row, report| {
        let user = row.text("userSourcedId");
        let org = row.text("orgSourcedId");
        let role = row.choice("role").unwrap_or("ext");
        if let Some(profile) = row.owned("userProfileSourcedId") {
            profiles.push((profile, user.clone(), row.line, row.column("userProfileSourcedId")));
        }
        let standing = standings.entry(user).or_default();
        standing.roles.insert(role);
        if row.status == Status::Active {
            standing.orgs.insert(org.clone());
            if row.choice("roleType") == Some("primary") && !standing.primary.insert(org.clone()) {
                report.warn(
                    "roles.csv",
                    row.line,
                    row.column("roleType"),
                    "semantic.second_primary_role",
                );
            }
        }
        if role == "student" {
            standing.schools.push(SchoolLink {
                school_key: org,
                begins: row.day("beginDate"),
                ends: settings.end(row.day("endDate")),
                status: row.status,
            });
        }
    });
    let mut owners = BTreeMap::new();
    files.each(&PROFILES_1_2, &[To("userSourcedId", "users", true)], &mut |row, _| {
        owners.insert(row.text("sourcedId"), row.text("userSourcedId"));
    });
    for (profile, user, line, column) in profiles {
        if owners.get(&profile).is_some_and(|owner| *owner != user) {
            files
                .report
                .warn("roles.csv", line, column, "semantic.profile_of_another_user");
        }
    }
    standings
}

fn person(row: &Row<'_>, extensions: &Extensions) -> Person {
    let extension = |name: &str| row.extension(name).map(str::to_owned);
    Person {
        row: PupilRow {
            source_key: row.text("sourcedId"),
            says: Says {
                person: true,
                schools: false,
                birth: false,
            },
            identifier: row.owned("identifier"),
            user_ids: user_ids(row.get("userIds").unwrap_or_default()),
            given_name: row.text("givenName"),
            family_name: row.text("familyName"),
            email: row.owned("email"),
            phone: row.owned("phone").or_else(|| row.owned("sms")),
            street: extension(&extensions.street),
            postal_code: extension(&extensions.postal_code),
            city: extension(&extensions.city),
            language: extension(&extensions.language),
            status: row.status,
            ..PupilRow::default()
        },
        agents: row.list("agentSourcedIds"),
    }
}

fn contact(row: &Row<'_>, role: &str) -> Contact {
    Contact {
        source_key: row.text("sourcedId"),
        role: role.to_owned(),
        given_name: row.text("givenName"),
        family_name: row.text("familyName"),
        email: row.owned("email"),
        phone: row.owned("phone").or_else(|| row.owned("sms")),
    }
}

fn users(
    files: &mut Files<'_>,
    roster: &mut Roster,
    standings: &mut BTreeMap<String, Standing>,
    people: &mut People,
    extensions: &Extensions,
) {
    let old = files.manifest.version == Version::V1_1;
    let told = files.mode("roles") == Mode::Bulk;
    let table = if old { &USERS_1_1 } else { &USERS_1_2 };
    let to = [
        To("orgSourcedIds", "orgs", true),
        To("primaryOrgSourcedId", "orgs", false),
        To("agentSourcedIds", "users", false),
    ];
    files.each_with(table, &extensions.names(), &to, &mut |row, report| {
        let key = row.text("sourcedId");
        if row
            .get("userIds")
            .is_some_and(|cell| !items(cell).all(|item| user_id(item).is_some()))
        {
            report.warn("users.csv", row.line, row.column("userIds"), "row.user_ids");
        }
        let standing = standings.remove(&key);
        let roles: BTreeSet<&str> = match (&standing, old) {
            (_, true) => row.choice("role").into_iter().collect(),
            (Some(standing), false) => standing.roles.clone(),
            (None, false) => BTreeSet::new(),
        };
        if let (Some(standing), Some(org)) = (&standing, row.get("primaryOrgSourcedId"))
            && told
            && !standing.orgs.contains(org)
        {
            report.warn(
                "users.csv",
                row.line,
                row.column("primaryOrgSourcedId"),
                "semantic.primary_org_without_role",
            );
        }
        let parent = PARENTS.into_iter().find(|role| roles.contains(role));
        if roles.contains("student") {
            let mut person = person(row, extensions);
            person.row.says.schools = true;
            person.row.schools = if old {
                let link = |school_key| SchoolLink {
                    school_key,
                    begins: None,
                    ends: None,
                    status: row.status,
                };
                row.list("orgSourcedIds").into_iter().map(link).collect()
            } else {
                standing.map(|standing| standing.schools).unwrap_or_default()
            };
            people.pupils.insert(key, person);
        } else if let Some(role) = parent {
            roster.counts.parents += 1;
            if row.status == Status::Active {
                people
                    .parents
                    .insert(key.clone(), (contact(row, role), row.list("agentSourcedIds")));
            }
            people.rest.insert(key);
        } else if roles.is_empty() && !old && !told {
            people.unknown.insert(key, person(row, extensions));
        } else {
            if roles.contains("teacher") {
                roster.counts.teachers += 1;
            } else {
                roster.counts.other_users += 1;
            }
            people.rest.insert(key);
        }
    });
    // A delta of roles about users that it does not repeat.
    for (key, standing) in std::mem::take(standings) {
        if standing.roles.contains("student") && !people.rest.contains(&key) {
            let part = part(&mut people.parts, &key);
            part.says.schools = true;
            part.schools = standing.schools;
        }
    }
}

fn demographics(files: &mut Files<'_>, roster: &mut Roster, people: &mut People) {
    files.each(&DEMOGRAPHICS, &[To("sourcedId", "users", true)], &mut |row, _| {
        roster.counts.demographics += 1;
        let key = row.text("sourcedId");
        if people.rest.contains(&key) {
            return;
        }
        let pupil = people.any(&key);
        pupil.says.birth = true;
        // Demographics that are taken away leave a pupil without them.
        if row.status == Status::Active {
            pupil.birth_date = row.day("birthDate");
            pupil.sex = row.choice("sex");
        }
    });
}

fn enrollments(
    files: &mut Files<'_>,
    roster: &mut Roster,
    people: &mut People,
    settings: &Settings,
    others: &BTreeSet<String>,
) {
    let to = [
        To("classSourcedId", "classes", true),
        To("schoolSourcedId", "orgs", true),
        To("userSourcedId", "users", true),
    ];
    files.each(&ENROLLMENTS, &to, &mut |row, report| {
        match row.choice("role") {
            Some("student") => {}
            Some("teacher") => {
                roster.counts.teacher_enrollments += 1;
                return;
            }
            _ => {
                roster.counts.other_enrollments += 1;
                return;
            }
        }
        roster.counts.pupil_enrollments += 1;
        roster.counts.pupil_enrollments_gone += u64::from(row.status == Status::Gone);
        let pupil_key = row.text("userSourcedId");
        let school_key = row.text("schoolSourcedId");
        if others.contains(&school_key) {
            report.error(
                "enrollments.csv",
                row.line,
                row.column("schoolSourcedId"),
                "semantic.not_a_school",
            );
        }
        if people.rest.contains(&pupil_key) {
            report.error(
                "enrollments.csv",
                row.line,
                row.column("userSourcedId"),
                "semantic.not_a_pupil",
            );
            return;
        }
        let (begins, ends) = (row.day("beginDate"), settings.end(row.day("endDate")));
        if begins.zip(ends).is_some_and(|(begins, ends)| ends < begins) {
            report.error(
                "enrollments.csv",
                row.line,
                row.column("endDate"),
                "semantic.end_before_begin",
            );
        }
        // Who is in a class as a student is a pupil, whether `roles.csv` came along or not.
        if let Some(person) = people.unknown.remove(&pupil_key) {
            people.pupils.insert(pupil_key.clone(), person);
        }
        roster.memberships.push(MembershipRow {
            source_key: row.text("sourcedId"),
            class_key: row.text("classSourcedId"),
            school_key,
            pupil_key,
            begins,
            ends,
            status: row.status,
        });
    });
}

/// One `{type:id}`.
fn user_id(item: &str) -> Option<(String, String)> {
    let (kind, id) = item.strip_prefix('{')?.strip_suffix('}')?.split_once(':')?;
    let (kind, id) = (kind.trim(), id.trim());
    (!kind.is_empty() && !id.is_empty()).then(|| (kind.to_owned(), id.to_owned()))
}

fn user_ids(cell: &str) -> Vec<(String, String)> {
    items(cell).filter_map(user_id).collect()
}
