use super::*;
use crate::law::{Laws, Texts, of_tests};

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn days(enrolled: &str, announced: &str) -> (String, String) {
    let term = of_tests().transfer().term(day(enrolled), day(announced)).unwrap();
    (term.objection_until.to_string(), term.goes_on.to_string())
}

/// Counted by hand on a calendar: ten working days, the first of them after the day of the enrolment.
#[test]
fn the_term_is_ten_working_days() {
    for (enrolled, until, goes) in [
        // Two whole weeks.
        ("2026-09-01", "2026-09-15", "2026-09-16"),
        ("2026-10-01", "2026-10-15", "2026-10-16"),
        // It ends on a Friday: the dossier goes on Saturday, when nobody can object any more.
        ("2026-10-02", "2026-10-16", "2026-10-17"),
        // On a Saturday or Sunday it is counted from Monday on.
        ("2026-10-03", "2026-10-16", "2026-10-17"),
        ("2026-10-04", "2026-10-16", "2026-10-17"),
        // All Saints is a Sunday in 2026, Armistice Day a Wednesday; the holidays of schools are none.
        ("2026-10-30", "2026-11-16", "2026-11-17"),
        // Both on weekdays in 2027: Monday and Thursday.
        ("2027-10-29", "2027-11-16", "2027-11-17"),
        // Christmas 2026 and New Year are Fridays.
        ("2026-12-18", "2027-01-05", "2027-01-06"),
        // Easter Monday 2027 is 29 March.
        ("2027-03-19", "2027-04-05", "2027-04-06"),
        // Ascension 2027 is Thursday 6 May, and the Friday after it is worked; 1 May is a Saturday, Whit Monday the 17th.
        ("2027-04-30", "2027-05-18", "2027-05-19"),
        ("2027-05-10", "2027-05-25", "2027-05-26"),
    ] {
        assert_eq!(
            days(enrolled, enrolled),
            (until.to_owned(), goes.to_owned()),
            "{enrolled}"
        );
    }
}

#[test]
fn what_is_heard_of_later_is_counted_from_then() {
    assert_eq!(
        days("2026-09-01", "2026-10-01"),
        ("2026-10-15".to_owned(), "2026-10-16".to_owned())
    );
    // Heard of before it begins: from the enrolment on.
    assert_eq!(
        days("2026-10-01", "2026-09-01"),
        ("2026-10-15".to_owned(), "2026-10-16".to_owned())
    );
}

/// Domain facts §4.2 (M): an enrolment for the next school year moves nothing before September.
#[test]
fn the_next_school_year_waits_for_september() {
    for (enrolled, until, goes) in [
        // 21 July 2027 is a Wednesday, 15 August a Sunday.
        ("2027-06-30", "2027-07-14", "2027-07-15"),
        ("2027-07-01", "2027-07-15", "2027-09-02"),
        ("2027-07-12", "2027-07-27", "2027-09-02"),
        ("2027-08-16", "2027-08-30", "2027-09-02"),
        ("2027-08-31", "2027-09-14", "2027-09-15"),
    ] {
        assert_eq!(
            days(enrolled, enrolled),
            (until.to_owned(), goes.to_owned()),
            "{enrolled}"
        );
    }
}

fn laws(transfer: &str) -> Laws {
    Laws::parse(Texts {
        transfer,
        ..Texts::EMBEDDED
    })
    .unwrap()
}

#[test]
fn without_a_known_term_nothing_is_announced() {
    let known = Texts::EMBEDDED.transfer;
    let unsure = known.replacen("certainty = \"M\"", "", 1);
    let unsure = laws(&unsure);
    assert_eq!(unsure.transfer().term(day("2026-09-01"), day("2026-09-01")), None);
    assert_eq!(unsure.unknown(), ["transfer.toml: term of 10 working days"]);
    // Nor where no day is known to be worked.
    let unsure = laws(&known.replacen("certainty = \"OK\"", "", 1));
    assert_eq!(unsure.transfer().term(day("2026-09-01"), day("2026-09-01")), None);
}

/// Domain facts §4.2 (H): what cannot be refused.
#[test]
fn what_goes_whatever_is_objected_to() {
    let law = of_tests().transfer();
    let goes = |obligation, lapsed| law.goes_anyway(obligation, lapsed, day("2026-10-01"));
    assert!(goes(Some(Obligation::CompulsoryEducation), false));
    assert!(goes(Some(Obligation::SystematicContact), false));
    // Of no part in the list.
    assert!(!goes(Some(Obligation::Prophylaxis), false));
    assert!(!goes(None, false));
    // What obliged was taken back.
    assert!(!goes(Some(Obligation::CompulsoryEducation), true));
    // What is not known to be obligatory stays.
    let unsure = Texts::EMBEDDED.transfer.replace(
        "part = \"compulsory_education\"\nsource = ",
        "part = \"compulsory_education\"\n# ",
    );
    let unsure = laws(&unsure);
    let goes = unsure
        .transfer()
        .goes_anyway(Some(Obligation::CompulsoryEducation), false, day("2026-10-01"));
    assert!(!goes);
}
