//! The files and columns of a OneRoster CSV package (1EdTech OneRoster 1.1 and 1.2.1, CSV binding).

/// What a cell must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Guid,
    Guids,
    Date,
    DateTime,
    Bool,
    Year,
    Enum(&'static [&'static str]),
}

/// What an empty cell means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing.
    May,
    /// The standard wants it, the hub can do without: a warning.
    Should,
    /// The row means nothing without it: an error.
    Must,
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) need: Need,
    /// Whether the hub takes the value over; if not it is told as dropped.
    pub(crate) kept: bool,
}

/// One file that the hub reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    /// The name in the manifest, without `.csv`.
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [Column],
}

impl Table {
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

const fn c(name: &'static str, kind: Kind, need: Need, kept: bool) -> Column {
    Column { name, kind, need, kept }
}

use Kind::{Bool, Date, DateTime, Enum, Guid, Guids, Text, Year};
use Need::{May, Must, Should};

const ID: Column = c("sourcedId", Guid, Must, true);
const STATUS: Column = c("status", Enum(&["active", "tobedeleted"]), May, true);
const CHANGED: Column = c("dateLastModified", DateTime, May, true);
const ROLES: Kind = Enum(&[
    "administrator",
    "aide",
    "guardian",
    "parent",
    "proctor",
    "relative",
    "student",
    "teacher",
    "counselor",
    "districtAdministrator",
    "principal",
    "siteAdministrator",
    "systemAdministrator",
]);

pub(crate) const ORGS: Table = Table {
    name: "orgs",
    columns: &[
        ID,
        STATUS,
        CHANGED,
        c("name", Text, Must, true),
        c(
            "type",
            Enum(&["department", "school", "district", "local", "state", "national"]),
            Must,
            true,
        ),
        c("identifier", Text, May, true),
        c("parentSourcedId", Guid, May, true),
    ],
};

pub(crate) const SESSIONS: Table = Table {
    name: "academicSessions",
    columns: &[
        ID,
        STATUS,
        CHANGED,
        c("title", Text, Should, true),
        c(
            "type",
            Enum(&["gradingPeriod", "semester", "schoolYear", "term"]),
            Must,
            true,
        ),
        c("startDate", Date, Must, true),
        c("endDate", Date, Must, true),
        c("parentSourcedId", Guid, May, true),
        c("schoolYear", Year, Must, true),
    ],
};

pub(crate) const COURSES: Table = Table {
    name: "courses",
    columns: &[
        ID,
        STATUS,
        CHANGED,
        c("schoolYearSourcedId", Guid, May, true),
        c("title", Text, Should, true),
        c("courseCode", Text, May, true),
        c("grades", Text, May, true),
        c("orgSourcedId", Guid, Must, true),
        c("subjects", Text, May, false),
        c("subjectCodes", Text, May, false),
    ],
};

pub(crate) const CLASSES: Table = Table {
    name: "classes",
    columns: &[
        ID,
        STATUS,
        CHANGED,
        c("title", Text, Must, true),
        c("grades", Text, May, true),
        c("courseSourcedId", Guid, Should, true),
        c("classCode", Text, May, true),
        c("classType", Enum(&["homeroom", "scheduled"]), Should, true),
        c("location", Text, May, false),
        c("schoolSourcedId", Guid, Must, true),
        c("termSourcedIds", Guids, Must, true),
        c("subjects", Text, May, false),
        c("subjectCodes", Text, May, false),
        c("periods", Text, May, false),
    ],
};

pub(crate) const ENROLLMENTS: Table = Table {
    name: "enrollments",
    columns: &[
        ID,
        STATUS,
        CHANGED,
        c("classSourcedId", Guid, Must, true),
        c("schoolSourcedId", Guid, Must, true),
        c("userSourcedId", Guid, Must, true),
        c(
            "role",
            Enum(&["administrator", "proctor", "student", "teacher"]),
            Must,
            true,
        ),
        c("primary", Bool, May, true),
        c("beginDate", Date, May, true),
        c("endDate", Date, May, true),
    ],
};

pub(crate) const DEMOGRAPHICS: Table = Table {
    name: "demographics",
    columns: &[
        ID,
        STATUS,
        CHANGED,
        c("birthDate", Date, May, true),
        c("sex", Enum(&["male", "female", "unspecified", "other"]), May, true),
        c("americanIndianOrAlaskaNative", Bool, May, false),
        c("asian", Bool, May, false),
        c("blackOrAfricanAmerican", Bool, May, false),
        c("nativeHawaiianOrOtherPacificIslander", Bool, May, false),
        c("white", Bool, May, false),
        c("demographicRaceTwoOrMoreRaces", Bool, May, false),
        c("hispanicOrLatinoEthnicity", Bool, May, false),
        c("countryOfBirthCode", Text, May, false),
        c("stateOfBirthAbbreviation", Text, May, false),
        c("cityOfBirth", Text, May, false),
        c("publicSchoolResidenceStatus", Text, May, false),
    ],
};

pub(crate) const USERS_1_1: Table = Table {
    name: "users",
    columns: &[
        ID,
        STATUS,
        CHANGED,
        c("enabledUser", Bool, Should, true),
        c("orgSourcedIds", Guids, Must, true),
        c("role", ROLES, Must, true),
        c("username", Text, Should, false),
        c("userIds", Text, May, true),
        c("givenName", Text, Should, true),
        c("familyName", Text, Must, true),
        c("middleName", Text, May, false),
        c("identifier", Text, May, true),
        c("email", Text, May, true),
        c("sms", Text, May, true),
        c("phone", Text, May, true),
        c("agentSourcedIds", Guids, May, true),
        c("grades", Text, May, false),
        c("password", Text, May, false),
    ],
};

pub(crate) const USERS_1_2: Table = Table {
    name: "users",
    columns: &[
        ID,
        STATUS,
        CHANGED,
        c("enabledUser", Bool, Should, true),
        c("username", Text, Should, false),
        c("userIds", Text, May, true),
        c("givenName", Text, Should, true),
        c("familyName", Text, Must, true),
        c("middleName", Text, May, false),
        c("identifier", Text, May, true),
        c("email", Text, May, true),
        c("sms", Text, May, true),
        c("phone", Text, May, true),
        c("agentSourcedIds", Guids, May, true),
        c("grades", Text, May, false),
        c("password", Text, May, false),
        c("userMasterIdentifier", Text, May, false),
        c("preferredGivenName", Text, May, false),
        c("preferredMiddleName", Text, May, false),
        c("preferredFamilyName", Text, May, false),
        c("primaryOrgSourcedId", Guid, May, true),
        c("pronouns", Text, May, false),
    ],
};

pub(crate) const ROLES_1_2: Table = Table {
    name: "roles",
    columns: &[
        ID,
        STATUS,
        CHANGED,
        c("userSourcedId", Guid, Must, true),
        c("roleType", Enum(&["primary", "secondary"]), Must, true),
        c("role", ROLES, Must, true),
        c("beginDate", Date, May, true),
        c("endDate", Date, May, true),
        c("orgSourcedId", Guid, Must, true),
        c("userProfileSourcedId", Guid, May, true),
    ],
};

/// Of a profile only whose it is: credentials are not even looked at.
pub(crate) const PROFILES_1_2: Table = Table {
    name: "userProfiles",
    columns: &[
        ID,
        STATUS,
        CHANGED,
        c("userSourcedId", Guid, Must, true),
        c("profileType", Text, May, false),
        c("vendorId", Text, May, false),
        c("applicationId", Text, May, false),
        c("description", Text, May, false),
        c("credentialType", Text, May, false),
        c("username", Text, May, false),
        c("password", Text, May, false),
    ],
};

/// The files of version 1.1.
pub(crate) const FILES_1_1: [&str; 13] = [
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

/// The files that version 1.2 adds.
pub(crate) const FILES_1_2: [&str; 8] = [
    "lineItemLearningObjectiveIds",
    "lineItemScoreScales",
    "resultLearningObjectiveIds",
    "resultScoreScales",
    "roles",
    "scoreScales",
    "userProfiles",
    "userResources",
];
