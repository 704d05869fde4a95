//! A school's roster as a OneRoster CSV package, 1.1 or 1.2 (`standards.md` §2), bulk.

use std::io::{Seek, Write};

use zip::write::SimpleFileOptions;

use super::files::FilesError;
use super::population::{Population, Pupil, Stay};
use super::schools::{Class, OneRoster, School};

/// Types of the ids in `userIds`.
pub(super) const NATIONAL_NUMBER: &str = "nationalNumber";
/// Registration number (stamnummer).
pub(super) const STAMNUMMER: &str = "stamnummer";

const FILES_11: [&str; 13] = [
    "academicSessions",
    "categories",
    "classes",
    "classResources",
    "courses",
    "courseResources",
    "demographics",
    "enrollments",
    "lineItems",
    "orgs",
    "resources",
    "results",
    "users",
];
const FILES_12_MORE: [&str; 8] = [
    "lineItemLearningObjectiveIds",
    "lineItemScoreScales",
    "resultLearningObjectiveIds",
    "resultScoreScales",
    "roles",
    "scoreScales",
    "userProfiles",
    "userResources",
];
const PRESENT: [&str; 7] = [
    "academicSessions",
    "classes",
    "courses",
    "demographics",
    "enrollments",
    "orgs",
    "users",
];

/// Writes the package file by file; the pupils are made anew for each, so none is kept.
pub(super) fn write<W: Write + Seek>(population: &Population, position: usize, to: W) -> Result<W, FilesError> {
    let Some(school) = population.schools.get(position) else {
        return Err(FilesError::NoSuchSchool { position });
    };
    let mut package = Package {
        population,
        position,
        school,
        zip: zip::ZipWriter::new(to),
    };
    package.manifest()?;
    package.org_and_session()?;
    package.classes()?;
    package.users()?;
    if school.one_roster == OneRoster::V12 {
        package.roles()?;
    }
    package.enrollments()?;
    package.demographics()?;
    Ok(package.zip.finish()?)
}

struct Package<'a, W: Write + Seek> {
    population: &'a Population,
    position: usize,
    school: &'a School,
    zip: zip::ZipWriter<W>,
}

impl<W: Write + Seek> Package<'_, W> {
    /// One file of the package. Its time stamp is fixed: the same population gives the same bytes.
    fn file(&mut self, name: &str, header: &str) -> Result<csv::Writer<&mut zip::ZipWriter<W>>, FilesError> {
        let options = SimpleFileOptions::default()
            .last_modified_time(zip::DateTime::DEFAULT)
            .compression_level(Some(1));
        self.zip.start_file(format!("{name}.csv"), options)?;
        let mut rows = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(&mut self.zip);
        rows.write_record(header.split(','))?;
        Ok(rows)
    }

    fn manifest(&mut self) -> Result<(), FilesError> {
        let school = self.school;
        let mut rows = self.file("manifest", "propertyName,value")?;
        rows.write_record(["manifest.version", "1.0"])?;
        let mut files = FILES_11.to_vec();
        match school.one_roster {
            OneRoster::V11 => rows.write_record(["oneroster.version", "1.1"])?,
            OneRoster::V12 => {
                rows.write_record(["oneroster.version", "1.2"])?;
                files.extend(FILES_12_MORE);
            }
        }
        for name in files {
            let mode = if PRESENT.contains(&name) || name == "roles" {
                "bulk"
            } else {
                "absent"
            };
            rows.write_record([format!("file.{name}").as_str(), mode])?;
        }
        rows.write_record(["source.systemName", "clb-hub synthetic Flanders"])?;
        rows.write_record(["source.systemCode", school.institution_number.as_str()])?;
        Ok(rows.flush()?)
    }

    fn org_and_session(&mut self) -> Result<(), FilesError> {
        let (school, year, session) = (self.school, self.population.year, session_key(self.population));
        let mut rows = self.file(
            "orgs",
            "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId",
        )?;
        rows.write_record([
            &org_key(school),
            "",
            "",
            &school.name,
            "school",
            &school.institution_number,
            "",
        ])?;
        rows.flush()?;
        drop(rows);
        let mut rows = self.file(
            "academicSessions",
            "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear",
        )?;
        rows.write_record([
            &session,
            "",
            "",
            &year.to_string(),
            "schoolYear",
            &year.first_day().to_string(),
            &year.last_day().to_string(),
            "",
            // OneRoster names a school year by the calendar year in which it ends.
            &(i32::from(year.0) + 1).to_string(),
        ])?;
        Ok(rows.flush()?)
    }

    fn classes(&mut self) -> Result<(), FilesError> {
        let (school, session) = (self.school, session_key(self.population));
        let (org, course) = (org_key(school), course_key(school));
        let mut rows = self.file(
            "courses",
            "sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,\
             orgSourcedId,subjects,subjectCodes",
        )?;
        rows.write_record([&course, "", "", &session, "Klasgroep", "KLAS", "", &org, "", ""])?;
        rows.flush()?;
        drop(rows);
        let mut rows = self.file(
            "classes",
            "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,\
             location,schoolSourcedId,termSourcedIds,subjects,subjectCodes,periods",
        )?;
        for class in &school.classes {
            rows.write_record([
                &class.source_key,
                "",
                "",
                &class.title,
                &school.level.grade_code(class.grade),
                &course,
                &class.title,
                "homeroom",
                "",
                &org,
                &session,
                "",
                "",
                "",
            ])?;
        }
        Ok(rows.flush()?)
    }

    fn users(&mut self) -> Result<(), FilesError> {
        let (population, position, school) = (self.population, self.position, self.school);
        let org = org_key(school);
        let columns = Users {
            version: school.one_roster,
            org: &org,
        };
        let mut rows = self.file("users", &columns.header().join(","))?;
        for (pupil, stay) in population.pupils_of(position) {
            let Some(stay) = pupil.stays.get(stay) else { continue };
            let ids = match &pupil.national_number {
                Some(number) => format!("{{{STAMNUMMER}:{}}},{{{NATIONAL_NUMBER}:{number}}}", stay.stamnummer),
                None => format!("{{{STAMNUMMER}:{}}}", stay.stamnummer),
            };
            let agents: Vec<_> = (0..pupil.parents.len())
                .map(|parent| parent_key(school, &pupil, parent))
                .collect();
            let grade = school.classes.get(stay.class).map_or(0, |class| class.grade);
            rows.write_record(columns.row(&User {
                key: &stay.source_key,
                role: "student",
                ids: &ids,
                given_name: pupil.given_name,
                family_name: pupil.family_name,
                identifier: &stay.stamnummer,
                email: "",
                phone: "",
                agents: &agents.join(","),
                grade: &school.level.grade_code(grade),
                home: [&pupil.street, &pupil.postal_code, &pupil.city, pupil.language],
            }))?;
            for (number, parent) in pupil.parents.iter().enumerate() {
                rows.write_record(columns.row(&User {
                    key: &parent_key(school, &pupil, number),
                    role: "parent",
                    ids: "",
                    given_name: parent.given_name,
                    family_name: parent.family_name,
                    identifier: "",
                    email: &parent.email,
                    phone: &parent.phone,
                    agents: "",
                    grade: "",
                    home: [""; 4],
                }))?;
            }
        }
        for class in &school.classes {
            rows.write_record(columns.row(&User {
                key: &teacher_key(class),
                role: "teacher",
                ids: "",
                given_name: "Leerkracht",
                family_name: &class.title,
                identifier: "",
                email: "",
                phone: "",
                agents: "",
                grade: "",
                home: [""; 4],
            }))?;
        }
        Ok(rows.flush()?)
    }

    fn roles(&mut self) -> Result<(), FilesError> {
        let (population, position, school) = (self.population, self.position, self.school);
        let org = org_key(school);
        let mut rows = self.file(
            "roles",
            "sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,\
             orgSourcedId,userProfileSourcedId",
        )?;
        for (pupil, stay) in population.pupils_of(position) {
            let Some(stay) = pupil.stays.get(stay) else { continue };
            let (key, ends) = (&stay.source_key, end_date(stay));
            let begins = stay.begins.to_string();
            rows.write_record([
                &format!("R{key}"),
                "",
                "",
                key,
                "primary",
                "student",
                &begins,
                &ends,
                &org,
                "",
            ])?;
            for parent in 0..pupil.parents.len() {
                let key = parent_key(school, &pupil, parent);
                rows.write_record([&format!("R{key}"), "", "", &key, "primary", "parent", "", "", &org, ""])?;
            }
        }
        for class in &school.classes {
            let key = teacher_key(class);
            rows.write_record([&format!("R{key}"), "", "", &key, "primary", "teacher", "", "", &org, ""])?;
        }
        Ok(rows.flush()?)
    }

    fn enrollments(&mut self) -> Result<(), FilesError> {
        let (population, position, school) = (self.population, self.position, self.school);
        let org = org_key(school);
        let mut rows = self.file(
            "enrollments",
            "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,\
             primary,beginDate,endDate",
        )?;
        for (pupil, stay) in population.pupils_of(position) {
            let Some(stay) = pupil.stays.get(stay) else { continue };
            let Some(class) = school.classes.get(stay.class) else {
                continue;
            };
            let (key, begins, ends) = (&stay.source_key, stay.begins.to_string(), end_date(stay));
            let id = format!("I{key}");
            rows.write_record([
                &id,
                "",
                "",
                &class.source_key,
                &org,
                key,
                "student",
                "false",
                &begins,
                &ends,
            ])?;
        }
        for class in &school.classes {
            let key = teacher_key(class);
            let id = format!("I{key}");
            rows.write_record([&id, "", "", &class.source_key, &org, &key, "teacher", "true", "", ""])?;
        }
        Ok(rows.flush()?)
    }

    fn demographics(&mut self) -> Result<(), FilesError> {
        let (population, position) = (self.population, self.position);
        let mut rows = self.file(
            "demographics",
            "sourcedId,status,dateLastModified,birthDate,sex,americanIndianOrAlaskaNative,asian,\
             blackOrAfricanAmerican,nativeHawaiianOrOtherPacificIslander,white,\
             demographicRaceTwoOrMoreRaces,hispanicOrLatinoEthnicity,countryOfBirthCode,\
             stateOfBirthAbbreviation,cityOfBirth,publicSchoolResidenceStatus",
        )?;
        for (pupil, stay) in population.pupils_of(position) {
            let Some(stay) = pupil.stays.get(stay) else { continue };
            let birth = pupil.birth_date.map(|date| date.to_string()).unwrap_or_default();
            let mut row = vec![stay.source_key.as_str(), "", "", &birth, pupil.sex];
            row.resize(16, "");
            rows.write_record(row)?;
        }
        Ok(rows.flush()?)
    }
}

/// The columns of `users.csv`, which differ between the versions.
struct Users<'a> {
    version: OneRoster,
    org: &'a str,
}

struct User<'a> {
    key: &'a str,
    role: &'a str,
    ids: &'a str,
    given_name: &'a str,
    family_name: &'a str,
    identifier: &'a str,
    email: &'a str,
    phone: &'a str,
    agents: &'a str,
    grade: &'a str,
    /// Street, postal code, municipality, language at home: OneRoster has no columns for them.
    home: [&'a str; 4],
}

impl<'a> Users<'a> {
    fn header(&self) -> Vec<&'static str> {
        let mut header = vec!["sourcedId", "status", "dateLastModified", "enabledUser"];
        if self.version == OneRoster::V11 {
            header.extend(["orgSourcedIds", "role"]);
        }
        header.extend([
            "username",
            "userIds",
            "givenName",
            "familyName",
            "middleName",
            "identifier",
            "email",
            "sms",
            "phone",
            "agentSourcedIds",
            "grades",
            "password",
        ]);
        if self.version == OneRoster::V12 {
            header.extend([
                "userMasterIdentifier",
                "preferredGivenName",
                "preferredMiddleName",
                "preferredFamilyName",
                "primaryOrgSourcedId",
                "pronouns",
            ]);
        }
        header.extend([
            "metadata.street",
            "metadata.postalCode",
            "metadata.city",
            "metadata.language",
        ]);
        header
    }

    fn row(&self, user: &User<'a>) -> Vec<&'a str> {
        let mut row = vec![user.key, "", "", "true"];
        if self.version == OneRoster::V11 {
            row.extend([self.org, user.role]);
        }
        row.extend([
            user.key,
            user.ids,
            user.given_name,
            user.family_name,
            "",
            user.identifier,
            user.email,
            "",
            user.phone,
            user.agents,
            user.grade,
            "",
        ]);
        if self.version == OneRoster::V12 {
            row.extend(["", "", "", "", self.org, ""]);
        }
        row.extend(user.home);
        row
    }
}

/// The end date of the package: by the letter of OneRoster the first day that no longer counts.
fn end_date(stay: &Stay) -> String {
    stay.last_day
        .and_then(|last| last.succ_opt())
        .map(|day| day.to_string())
        .unwrap_or_default()
}

pub(super) fn org_key(school: &School) -> String {
    format!("S{}", school.institution_number)
}

fn course_key(school: &School) -> String {
    format!("V{}", school.institution_number)
}

pub(super) fn session_key(population: &Population) -> String {
    format!("Y{}", population.year)
}

pub(super) fn teacher_key(class: &Class) -> String {
    format!("T{}", class.source_key)
}

pub(super) fn parent_key(school: &School, pupil: &Pupil, parent: usize) -> String {
    format!("O{}{:06}{}", school.institution_number, pupil.index, parent + 1)
}
