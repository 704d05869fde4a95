use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use super::*;
use crate::archive::Package;
use crate::report::Report;
use crate::roster::{Complete, Counts, Roster, Status};
use hub_entities::category::Category;

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/oneroster")
        .join(name)
}

fn load(name: &str) -> Roster {
    read_path(&sample(name), &Settings::default()).unwrap_or_else(|report| panic!("{name}\n{report}"))
}

/// The counts of the samples' own README, written by hand.
const WHOLE: Counts = Counts {
    orgs: 2,
    sessions: 3,
    courses: 28,
    classes: 156,
    pupils: 321,
    pupils_gone: 0,
    parents: 633,
    teachers: 15,
    other_users: 0,
    users_without_role: 0,
    pupil_enrollments: 2_568,
    pupil_enrollments_gone: 0,
    teacher_enrollments: 156,
    other_enrollments: 0,
    demographics: 321,
};

#[test]
fn the_whole_samples_have_exactly_their_counts() {
    for (name, complete) in [
        ("or-1.1-bulk.zip", true),
        ("or-1.2-bulk.zip", true),
        ("or-1.2-delta-full.zip", false),
    ] {
        let roster = load(name);
        assert_eq!(roster.counts, WHOLE, "{name}");
        assert_eq!(roster.pupils.len(), 321, "{name}");
        assert_eq!(roster.schools.len(), 1, "{name}");
        assert_eq!(roster.classes.len(), 156, "{name}");
        assert_eq!(roster.memberships.len(), 2_568, "{name}");
        assert_eq!(
            roster.complete,
            Complete {
                pupils: complete,
                classes: complete,
                memberships: complete
            },
            "{name}"
        );
        assert!(
            roster
                .pupils
                .iter()
                .all(|pupil| pupil.birth_date.is_some() && pupil.schools.len() == 1),
            "{name}"
        );
        assert!(
            roster
                .classes
                .iter()
                .all(|class| class.school_year == Some(hub_entities::time::SchoolYear(2021)))
        );
        for race in ["asian", "white", "hispanicOrLatinoEthnicity"] {
            assert!(
                roster.dropped.contains(&format!("demographics.{race}")),
                "{name}: {:?}",
                roster.dropped
            );
        }
    }
}

#[test]
fn the_small_deltas_have_exactly_their_counts() {
    for name in ["or-1.1-delta-small.zip", "or-1.2-delta-small.zip"] {
        let roster = load(name);
        let gone = |status| status == Status::Gone;
        assert_eq!((roster.counts.pupils, roster.counts.pupils_gone), (7, 5), "{name}");
        assert_eq!(
            roster.pupils.iter().filter(|pupil| gone(pupil.status)).count(),
            5,
            "{name}"
        );
        assert_eq!(
            (roster.counts.pupil_enrollments, roster.counts.pupil_enrollments_gone),
            (43, 40),
            "{name}"
        );
        assert_eq!(roster.complete, Complete::default(), "{name}");
        // 1.2 leaves the roles out, and two of the seven are in no class either.
        let unsure = roster.pupils.iter().filter(|pupil| pupil.only_if_known).count();
        assert_eq!(unsure, if name.contains("1.2") { 2 } else { 0 }, "{name}");
        assert!(
            roster.pupils.iter().all(|pupil| !pupil.says.birth && pupil.says.person),
            "{name}"
        );
    }
}

#[test]
fn both_versions_tell_of_the_same_pupils() {
    let (old, new) = (load("or-1.1-bulk.zip"), load("or-1.2-bulk.zip"));
    assert_eq!(old.pupils, new.pupils);
    assert_eq!(old.memberships, new.memberships);
}

fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default())
            .expect("a name");
        zip.write_all(text.as_bytes()).expect("room");
    }
    zip.finish().expect("a zip").into_inner()
}

fn small(change: impl Fn(&str, String) -> String) -> Result<Roster, Report> {
    small_with(&Settings::default(), change)
}

fn small_with(settings: &Settings, change: impl Fn(&str, String) -> String) -> Result<Roster, Report> {
    let manifest = "propertyName,value\r\nmanifest.version,1.0\r\noneroster.version,1.1\r\nfile.academicSessions,bulk\r\nfile.categories,absent\r\nfile.classes,bulk\r\nfile.classResources,absent\r\nfile.courses,bulk\r\nfile.courseResources,absent\r\nfile.demographics,bulk\r\nfile.enrollments,bulk\r\nfile.lineItems,absent\r\nfile.orgs,bulk\r\nfile.resources,absent\r\nfile.results,absent\r\nfile.users,bulk\r\n";
    let files = [
        ("manifest.csv", manifest),
        (
            "orgs.csv",
            "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId\r\ns1,,,Ter Linde,school,012345,d1\r\nd1,,,Bestuur,district,,\r\n",
        ),
        (
            "academicSessions.csv",
            "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear\r\ny,,,2026-2027,schoolYear,2026-09-01,2027-07-01,,2027\r\n",
        ),
        (
            "courses.csv",
            "sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,subjectCodes\r\nc,,,y,Klas,,,s1,,\r\n",
        ),
        (
            "classes.csv",
            "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId,termSourcedIds,subjects,subjectCodes,periods\r\nk,,,1A,\"07,08\",c,1A,homeroom,,s1,y,,,\r\n",
        ),
        (
            "users.csv",
            "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,familyName,middleName,identifier,email,sms,phone,agentSourcedIds,grades,password\r\np,,,true,s1,student,u,{wisa:9},Zoë,Test,,77,,,,m,,geheim\r\nm,,,true,s1,parent,v,,An,Test,,,an@example.org,,,,,\r\nn,,,true,s1,parent,w,,Onbekend,Iemand,,,,,,,,\r\nt,,,true,s1,teacher,x,,Juf,Els,,,,,,,,\r\n",
        ),
        (
            "enrollments.csv",
            "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\r\ne,,,k,s1,p,student,,2026-09-01,2027-06-30\r\nf,,,k,s1,t,teacher,true,,\r\n",
        ),
        (
            "demographics.csv",
            "sourcedId,status,dateLastModified,birthDate,sex,americanIndianOrAlaskaNative,asian,blackOrAfricanAmerican,nativeHawaiianOrOtherPacificIslander,white,demographicRaceTwoOrMoreRaces,hispanicOrLatinoEthnicity,countryOfBirthCode,stateOfBirthAbbreviation,cityOfBirth,publicSchoolResidenceStatus\r\np,,,2014-03-02,female,,,,,,,,,,,\r\n",
        ),
    ];
    let changed: Vec<(String, String)> = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), change(name, (*text).to_owned())))
        .filter(|(_, text)| text != "(gone)")
        .collect();
    let entries: Vec<(&str, &str)> = changed
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let mut report = Report::default();
    let mut package = Package::zip(Cursor::new(zip(&entries)), &mut report)?;
    read(&mut package, settings, report)
}

fn swap(file: &'static str, from: &'static str, to: &'static str) -> impl Fn(&str, String) -> String {
    move |name, text| {
        if name == file {
            assert!(text.contains(from), "{file} has no {from:?}");
            text.replace(from, to)
        } else {
            text
        }
    }
}

#[test]
fn only_a_parent_that_a_pupil_refers_to_is_kept() {
    let roster = small(|_, text| text).expect("a sound package");
    assert!(roster.report.faults.is_empty(), "{}", roster.report);
    let [pupil] = roster.pupils.as_slice() else {
        panic!("one pupil")
    };
    assert_eq!(pupil.user_ids, [("wisa".to_owned(), "9".to_owned())]);
    assert_eq!((pupil.sex, pupil.identifier.as_deref()), (Some("female"), Some("77")));
    let contacts: Vec<_> = pupil
        .contacts
        .iter()
        .map(|contact| contact.given_name.as_str())
        .collect();
    assert_eq!(contacts, ["An"]);
    assert_eq!(roster.memberships[0].ends, "2027-06-30".parse().ok());
    // Never in any field: the password, and people who are no one's parent.
    let all = format!("{roster:?}");
    assert!(!all.contains("geheim") && !all.contains("Onbekend") && !all.contains("Els"));
    assert!(roster.dropped.contains("users.password"));
}

/// The small package with columns of the sender's own behind those of `users.csv`.
fn with_home(names: &str) -> impl Fn(&str, String) -> String {
    move |name, text| {
        if name != "users.csv" {
            return text;
        }
        let more = |line: &str| match line.split(',').next() {
            Some("sourcedId") => format!("{line},{names}\r\n"),
            Some("p") => format!("{line},Kiekenstraat 1,9990,Klaverdonk,tr,geheim\r\n"),
            _ => format!("{line},,,,,\r\n"),
        };
        text.lines().map(more).collect()
    }
}

#[test]
fn a_home_is_read_from_the_columns_of_the_connection() {
    let home = |roster: &Roster| {
        let pupil = roster.pupils[0].clone();
        [pupil.street, pupil.postal_code, pupil.city, pupil.language].map(Option::unwrap_or_default)
    };
    let whole = ["Kiekenstraat 1", "9990", "Klaverdonk", "tr"];
    let names = "metadata.street,metadata.postalCode,metadata.city,metadata.language,metadata.note";
    let roster = small(with_home(names)).expect("a sound package");
    assert_eq!(home(&roster), whole);
    assert!(roster.report.faults.is_empty(), "{}", roster.report);
    // A fifth column is not asked for: dropped, and told.
    assert!(roster.dropped.contains("users.(column 23)"), "{:?}", roster.dropped);
    assert!(!roster.dropped.contains("users.(column 22)") && !format!("{roster:?}").contains("geheim"));
    assert!(roster.categories_present().has(Category::Address) && roster.categories_present().has(Category::Language));

    // Another sender's names: not read by default, and read when the connection says so.
    let names = "straat,postcode,gemeente,thuistaal,nota";
    let unread = small(with_home(names)).expect("a sound package");
    assert_eq!(home(&unread), [""; 4]);
    assert!(unread.dropped.contains("users.(column 19)") && !format!("{unread:?}").contains("Kiekenstraat"));
    let settings = Settings {
        extensions: Extensions {
            street: "Straat".to_owned(),
            postal_code: "postcode".to_owned(),
            city: "gemeente".to_owned(),
            language: String::new(),
        },
        ..Settings::default()
    };
    let read = small_with(&settings, with_home(names)).expect("a sound package");
    assert_eq!(home(&read), ["Kiekenstraat 1", "9990", "Klaverdonk", ""]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of faults reads better than three")]
fn a_fault_refuses_the_package_and_names_its_place() {
    let cases: [(&str, &str, &str, &str, u64, &str); 21] = [
        (
            "manifest.csv",
            "manifest.version,1.0",
            "manifest.version,2.0",
            "manifest.csv",
            2,
            "manifest.version",
        ),
        (
            "manifest.csv",
            "oneroster.version,1.1",
            "oneroster.version,9",
            "manifest.csv",
            3,
            "manifest.oneroster_version",
        ),
        (
            "manifest.csv",
            "file.users,bulk",
            "file.users,all",
            "manifest.csv",
            16,
            "manifest.mode",
        ),
        (
            "manifest.csv",
            "file.users,bulk",
            "file.users,absent",
            "users.csv",
            0,
            "manifest.file_unexpected",
        ),
        (
            "manifest.csv",
            "file.results,absent",
            "file.results,bulk",
            "results.csv",
            0,
            "manifest.file_missing",
        ),
        (
            "manifest.csv",
            "file.users,bulk",
            "file.users,bulk\r\nfile.users,bulk",
            "manifest.csv",
            17,
            "manifest.duplicate_property",
        ),
        (
            "users.csv",
            "familyName,middleName",
            "surname,middleName",
            "users.csv",
            1,
            "schema.missing_header",
        ),
        (
            "users.csv",
            "identifier,email",
            "email,email",
            "users.csv",
            1,
            "schema.duplicate_header",
        ),
        ("users.csv", "p,,,true,s1", "p,,,true,x,s1", "users.csv", 2, "row.width"),
        (
            "users.csv",
            "p,,,true,s1,student",
            "p,,,true,s1,pupil",
            "users.csv",
            2,
            "row.enum",
        ),
        ("users.csv", "Zoë,Test", "Zoë,", "users.csv", 2, "row.blank_required"),
        (
            "users.csv",
            "n,,,true",
            "m,,,true",
            "users.csv",
            4,
            "reference.duplicate_id",
        ),
        (
            "users.csv",
            "p,,,true,s1",
            "p,,,true,s9",
            "users.csv",
            2,
            "reference.target_absent",
        ),
        (
            "demographics.csv",
            "2014-03-02",
            "02/03/2014",
            "demographics.csv",
            2,
            "row.date",
        ),
        (
            "demographics.csv",
            "p,,,2014",
            "q,,,2014",
            "demographics.csv",
            2,
            "reference.target_absent",
        ),
        (
            "academicSessions.csv",
            ",,2027\r",
            ",,26-27\r",
            "academicSessions.csv",
            2,
            "row.year",
        ),
        (
            "classes.csv",
            "homeroom,,s1",
            "homeroom,,d1",
            "classes.csv",
            2,
            "semantic.not_a_school",
        ),
        (
            "enrollments.csv",
            "e,,,k",
            "e,,,q",
            "enrollments.csv",
            2,
            "reference.target_absent",
        ),
        (
            "enrollments.csv",
            "e,,,k,s1,p,",
            "e,,,k,s1,t,",
            "enrollments.csv",
            2,
            "semantic.not_a_pupil",
        ),
        (
            "enrollments.csv",
            "2027-06-30",
            "2025-06-30",
            "enrollments.csv",
            2,
            "semantic.end_before_begin",
        ),
        (
            "enrollments.csv",
            "e,,,k",
            "\"e,,,k",
            "enrollments.csv",
            2,
            "csv.unclosed_quote",
        ),
    ];
    for (file, from, to, at, line, rule) in cases {
        let report = small(swap(file, from, to)).expect_err(rule);
        let found = report.faults.iter().any(|fault| {
            fault.file == at
                && fault.line == line
                && fault.rule == rule
                && fault.severity == crate::report::Severity::Error
        });
        assert!(found, "{rule} expected in {at}:{line}\n{report}");
        assert!(
            !report.to_string().contains("Test") && !report.to_string().contains("Zo"),
            "{report}"
        );
    }
}

#[test]
fn what_is_seen_in_the_wild_is_read_with_a_warning() {
    let wanted = small(|_, text| text).expect("a sound package");
    let cases: [(&str, &str, &str, &str); 13] = [
        (
            "manifest.csv",
            "propertyName,value",
            "propertyName,propertyValue",
            "manifest.header",
        ),
        (
            "manifest.csv",
            "manifest.version,1.0",
            "manifest.version,1",
            "manifest.version",
        ),
        ("manifest.csv", "\r\n", "\n", "csv.bare_lf"),
        ("users.csv", "\r\n", "\n", "csv.bare_lf"),
        (
            "users.csv",
            "sourcedId,status",
            "\u{FEFF}sourcedId,status",
            "csv.byte_order_mark",
        ),
        (
            "users.csv",
            "sourcedId,status",
            "\u{200B}SourcedID,status",
            "schema.header_name",
        ),
        (
            "users.csv",
            "p,,,true",
            "p,active,2026-09-01,true",
            "row.field_forbidden_in_bulk",
        ),
        ("users.csv", "p,,,true", "p,active,2026-09-01,true", "row.datetime"),
        ("users.csv", "p,,,true", "p,,,1", "row.boolean"),
        ("classes.csv", "homeroom", "Homeroom", "row.enum"),
        ("demographics.csv", "sourcedId,", "userSourcedId,", "schema.header_name"),
        ("classes.csv", "title,grades", "title,grade", "schema.header_name"),
        (
            "orgs.csv",
            "s1,,,Ter Linde,school,012345,d1\r\nd1,",
            "s1,,,Ter Linde,school,012345,d1\r\n\r\nd1,",
            "csv.blank_line",
        ),
    ];
    for (file, from, to, rule) in cases {
        let roster = small(swap(file, from, to)).unwrap_or_else(|report| panic!("{rule}\n{report}"));
        assert!(roster.report.names(rule), "{rule} expected\n{}", roster.report);
        assert_eq!(roster.pupils, wanted.pupils, "{rule}");
        assert_eq!(roster.classes, wanted.classes, "{rule}");
        assert_eq!(roster.memberships, wanted.memberships, "{rule}");
    }
    let empty = small(|name, text| {
        if name == "demographics.csv" {
            String::new()
        } else {
            text
        }
    })
    .expect("bulk and empty");
    assert!(empty.report.names("schema.missing_header") && empty.counts.demographics == 0);
}

#[test]
fn columns_in_another_order_are_read_by_name() {
    let wanted = small(|_, text| text).expect("a sound package");
    let turned = small(|name, text| {
        if name != "orgs.csv" {
            return text;
        }
        text.lines()
            .map(|line| line.split(',').rev().collect::<Vec<_>>().join(",") + "\r\n")
            .collect()
    })
    .expect("readable");
    assert_eq!(turned.schools, wanted.schools);
    assert!(turned.report.names("schema.order"));
}

/// Cut exactly behind a row, a file reads as a shorter one. Where it has lost its last line end too, and others have
/// theirs, it proves of nobody that he has left.
#[test]
fn a_file_cut_behind_a_row_ends_nobody() {
    let complete = |open: &[&str]| {
        let roster = small(|name, text| {
            if open.contains(&name) {
                text.trim_end().to_owned()
            } else {
                text
            }
        });
        let roster = roster.expect("readable");
        (
            (roster.complete.pupils, roster.complete.memberships),
            roster.report.names("csv.cut_off"),
        )
    };
    assert_eq!(complete(&[]), ((true, true), false));
    assert_eq!(complete(&["users.csv"]), ((false, true), true));
    assert_eq!(complete(&["enrollments.csv"]), ((true, false), true));
    assert_eq!(
        complete(&["demographics.csv"]),
        ((true, true), false),
        "ends nobody anyway"
    );
    let all = [
        "orgs.csv",
        "academicSessions.csv",
        "courses.csv",
        "classes.csv",
        "users.csv",
        "enrollments.csv",
        "demographics.csv",
    ];
    assert_eq!(complete(&all), ((true, true), false), "as this sender writes them");
}

/// Cut anywhere, a file gives a report or rows that were really there: never a value in another column.
#[test]
fn a_file_cut_at_any_byte_never_shifts() {
    let wanted = small(|_, text| text).expect("a sound package");
    let length = 700;
    for cut in 0..length {
        let cut_off = small(|name, mut text| {
            if name == "users.csv" {
                let at = (0..=cut.min(text.len()))
                    .rev()
                    .find(|at| text.is_char_boundary(*at))
                    .unwrap_or(0);
                text.truncate(at);
            }
            text
        });
        if let Ok(roster) = cut_off {
            for pupil in &roster.pupils {
                let whole = &wanted.pupils[0];
                assert_eq!(
                    (&pupil.given_name, &pupil.identifier),
                    (&whole.given_name, &whole.identifier),
                    "cut at {cut}"
                );
            }
        }
    }
}
