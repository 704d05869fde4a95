//! Small OneRoster 1.1 packages of one school, written row by row.

use std::path::Path;

use hub_entities::time::SchoolYear;

/// A package: the rows of its files, as they are written, without their ends.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    /// `bulk` or `delta`.
    pub(crate) mode: &'static str,
    /// Institution number of the school, which is `s1`.
    pub(crate) school: &'static str,
    /// The school year of its class.
    pub(crate) year: SchoolYear,
    /// `sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,familyName,middleName,
    /// identifier,email,sms,phone,agentSourcedIds,grades,password`.
    pub(crate) users: Vec<String>,
    /// `sourcedId,status,dateLastModified,birthDate,sex` and ten more.
    pub(crate) demographics: Vec<String>,
    /// `sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate`; the
    /// class is `k`.
    pub(crate) enrollments: Vec<String>,
}

impl Default for Package {
    fn default() -> Self {
        Self {
            mode: "bulk",
            school: "123456",
            year: SchoolYear(2026),
            users: Vec::new(),
            demographics: Vec::new(),
            enrollments: Vec::new(),
        }
    }
}

impl Package {
    /// The files that it holds, by name.
    pub(crate) fn files(&self) -> Vec<(&'static str, String)> {
        let none = "americanIndianOrAlaskaNative,asian,blackOrAfricanAmerican,nativeHawaiianOrOtherPacificIslander,white,\
            demographicRaceTwoOrMoreRaces,hispanicOrLatinoEthnicity,countryOfBirthCode,stateOfBirthAbbreviation,cityOfBirth,\
            publicSchoolResidenceStatus";
        // What a row of a delta must say, and one of a bulk file must not.
        let said = if self.mode == "delta" {
            "active,2026-10-01T08:00:00.000Z"
        } else {
            ","
        };
        let rows = |header: &str, rows: &[String]| {
            let lines = std::iter::once(header).chain(rows.iter().map(String::as_str));
            lines.map(|line| format!("{line}\r\n")).collect::<Vec<_>>().concat()
        };
        let row = |header: &str, row: String| rows(header, &[row]);
        let (begins, ends) = (self.year.first_day(), self.year.0 + 1);
        vec![
            ("manifest.csv", self.manifest()),
            (
                "orgs.csv",
                row(
                    "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId",
                    format!("s1,{said},Ter Linde,school,{},", self.school),
                ),
            ),
            (
                "academicSessions.csv",
                row(
                    "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear",
                    format!("y,{said},{},schoolYear,{begins},{ends}-07-01,,{ends}", self.year),
                ),
            ),
            (
                "courses.csv",
                row(
                    "sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,\
                     subjectCodes",
                    format!("c,{said},y,Klas,,,s1,,"),
                ),
            ),
            (
                "classes.csv",
                row(
                    "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,\
                     schoolSourcedId,termSourcedIds,subjects,subjectCodes,periods",
                    format!("k,{said},1A,07,c,1A,homeroom,,s1,y,,,"),
                ),
            ),
            (
                "users.csv",
                rows(
                    "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,familyName,\
                     middleName,identifier,email,sms,phone,agentSourcedIds,grades,password",
                    &self.users,
                ),
            ),
            (
                "enrollments.csv",
                rows(
                    "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,\
                     endDate",
                    &self.enrollments,
                ),
            ),
            (
                "demographics.csv",
                rows(
                    &format!("sourcedId,status,dateLastModified,birthDate,sex,{none}"),
                    &self.demographics,
                ),
            ),
        ]
    }

    fn manifest(&self) -> String {
        let with = [
            "academicSessions",
            "classes",
            "courses",
            "demographics",
            "enrollments",
            "orgs",
            "users",
        ];
        let without = [
            "categories",
            "classResources",
            "courseResources",
            "lineItems",
            "resources",
            "results",
        ];
        let with = with.map(|file| format!("file.{file},{}\r\n", self.mode)).concat();
        let without = without.map(|file| format!("file.{file},absent\r\n")).concat();
        format!("propertyName,value\r\nmanifest.version,1.0\r\noneroster.version,1.1\r\n{with}{without}")
    }

    /// Writes it as a folder of its own.
    pub(crate) fn write(&self, folder: &Path) {
        std::fs::create_dir(folder).unwrap();
        for (name, text) in self.files() {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }
}
