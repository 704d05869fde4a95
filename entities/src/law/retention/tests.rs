//! Written by hand from domain facts §4.3 and its sources: Vrij CLB (10 years after the last systematic contact, special
//! education until the 30th birthday), older texts (never before 25), Gent (25 and 30).

use proptest::prelude::*;

use super::*;
use crate::law::{Laws, Texts, of_tests};

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

fn facts(born: &str, education: Option<Education>, contact: &str) -> DossierFacts {
    DossierFacts {
        born: Some(day(born)),
        education,
        last_contact: Some(day(contact)),
        standing: Vec::new(),
    }
}

/// The embedded laws with another file of retention.
fn with(text: &str) -> Laws {
    Laws::parse(Texts {
        retention: text,
        ..Texts::EMBEDDED
    })
    .expect("laws")
}

/// The embedded file without the line behind this one that begins so.
fn without(row: &str, line: &str) -> String {
    let (before, rest) = Texts::EMBEDDED.retention.split_once(row).expect("the row");
    let gone = rest.lines().find(|one| one.starts_with(line)).expect("the line");
    format!("{before}{row}{}", rest.replacen(gone, "", 1))
}

const ORDINARY: Option<Education> = Some(Education::Ordinary);
const SPECIAL: Option<Education> = Some(Education::Special);

#[test]
fn a_dossier_is_kept_ten_years_and_until_the_birthday() {
    for (born, education, contact, last) in [
        // The birthday is later, then the contact is; then both are the same.
        ("2000-03-14", ORDINARY, "2014-05-20", "2025-03-14"),
        ("2000-03-14", ORDINARY, "2018-06-29", "2028-06-29"),
        ("2000-03-14", ORDINARY, "2015-03-14", "2025-03-14"),
        // Special education: the 30th.
        ("2000-03-14", SPECIAL, "2014-05-20", "2030-03-14"),
        ("1990-03-14", SPECIAL, "2013-05-20", "2023-05-20"),
        // Not known which: the longer.
        ("2000-03-14", None, "2014-05-20", "2030-03-14"),
        // Born, or last seen, on a day that not every year has.
        ("2000-02-29", ORDINARY, "2010-01-01", "2025-03-01"),
        ("1980-01-01", ORDINARY, "2016-02-29", "2026-03-01"),
    ] {
        let facts = facts(born, education, contact);
        let last = day(last);
        let due = last.succ_opt().expect("a day");
        let on = |today| of_tests().retention().fate(&facts, Settings::default(), today);
        assert_eq!(on(last), Fate::Stays(Some(last), vec![Stays::TermRuns]), "{facts:?}");
        assert_eq!(on(due), Fate::Due(due), "{facts:?}");
        assert_eq!(on(day("2090-01-01")), Fate::Due(due), "{facts:?}");
    }
}

/// The "25" is possibly repealed: who answers for the dossiers chooses.
#[test]
fn the_birthday_of_ordinary_education_is_a_setting() {
    let law = of_tests().retention();
    let chosen = |ordinary_age| Settings {
        ordinary_age: Some(ordinary_age),
        access_log_years: None,
    };
    let last = |facts: &DossierFacts, settings| match law.fate(facts, settings, day("2016-01-01")) {
        Fate::Stays(Some(last), why) if why == [Stays::TermRuns] => last,
        other => panic!("{other:?}"),
    };
    let of = |education| facts("2000-03-14", education, "2014-05-20");
    assert_eq!(last(&of(ORDINARY), chosen(21)), day("2024-05-20"));
    assert_eq!(last(&of(ORDINARY), chosen(27)), day("2027-03-14"));
    assert_eq!(last(&of(ORDINARY), chosen(0)), day("2024-05-20"));
    // The 30 of special education is nobody's to choose; and where neither is known the longer counts.
    assert_eq!(last(&of(SPECIAL), chosen(0)), day("2030-03-14"));
    assert_eq!(last(&of(None), chosen(0)), day("2030-03-14"));
    assert_eq!(last(&of(None), chosen(33)), day("2033-03-14"));
    // Without a birthday in the rule no birth date is needed.
    let unborn = DossierFacts {
        born: None,
        ..of(ORDINARY)
    };
    assert_eq!(last(&unborn, chosen(0)), day("2024-05-20"));
}

#[test]
fn what_is_not_known_keeps_a_dossier() {
    let law = of_tests().retention();
    let whole = facts("1980-01-01", ORDINARY, "1998-06-30");
    let on = |facts: &DossierFacts| law.fate(facts, Settings::default(), day("2026-10-01"));
    assert_eq!(on(&whole), Fate::Due(day("2008-07-01")), "the control");
    let unborn = DossierFacts {
        born: None,
        ..whole.clone()
    };
    assert_eq!(on(&unborn), Fate::Stays(None, vec![Stays::BirthDateUnknown]));
    let unseen = DossierFacts {
        last_contact: None,
        ..whole
    };
    assert_eq!(on(&unseen), Fate::Stays(None, vec![Stays::ContactUnknown]));
}

/// Design §2: a value without source and certainty is unknown, and its rule is off; then nothing goes by it.
#[test]
fn a_rule_that_is_unknown_erases_nothing() {
    let today = day("2090-01-01");
    let fate = |laws: &Laws, education, settings| {
        let facts = facts("1980-01-01", education, "1998-06-30");
        laws.retention().fate(&facts, settings, today)
    };
    let off = Fate::Stays(None, vec![Stays::NoTerm]);
    let any = Settings::default();
    let chosen = Settings {
        ordinary_age: Some(25),
        ..any
    };
    for line in ["source = ", "certainty = "] {
        let laws = with(&without("years = 10", line));
        assert_eq!(laws.unknown(), ["retention.toml: 10 years after the last contact"]);
        assert_eq!(fate(&laws, ORDINARY, chosen), off);
        assert_eq!(fate(&laws, SPECIAL, any), off);

        let laws = with(&without("education = \"ordinary\"", line));
        assert_eq!(laws.unknown(), ["retention.toml: birthday of `ordinary`"]);
        assert_eq!(fate(&laws, ORDINARY, any), off);
        assert_eq!(fate(&laws, None, any), off);
        // What who answers for it has chosen is known.
        assert_eq!(fate(&laws, ORDINARY, chosen), Fate::Due(day("2008-07-01")));
        assert_eq!(fate(&laws, SPECIAL, any), Fate::Due(day("2010-01-02")));

        let laws = with(&without("education = \"special\"", line));
        assert_eq!(fate(&laws, SPECIAL, chosen), off);
        assert_eq!(fate(&laws, None, chosen), off);
        assert_eq!(fate(&laws, ORDINARY, any), Fate::Due(day("2008-07-01")));
    }
}

#[test]
fn every_reason_is_told_once_in_one_order() {
    use Stays::{BirthDateUnknown, LegalHold, OpenRequest, RunningTrajectory, TermRuns};
    let law = of_tests().retention();
    let today = day("2026-10-01");
    let due = DossierFacts {
        standing: vec![OpenRequest, LegalHold, OpenRequest],
        ..facts("1980-01-01", ORDINARY, "1998-06-30")
    };
    assert_eq!(
        law.fate(&due, Settings::default(), today),
        Fate::Stays(Some(day("2008-06-30")), vec![LegalHold, OpenRequest])
    );
    let runs = DossierFacts {
        standing: vec![RunningTrajectory],
        ..facts("2012-05-01", ORDINARY, "2026-09-01")
    };
    assert_eq!(
        law.fate(&runs, Settings::default(), today),
        Fate::Stays(Some(day("2037-05-01")), vec![RunningTrajectory, TermRuns])
    );
    let unborn = DossierFacts { born: None, ..due };
    assert_eq!(
        law.fate(&unborn, Settings::default(), today),
        Fate::Stays(None, vec![LegalHold, OpenRequest, BirthDateUnknown])
    );
}

/// security.md §6: 10 years (Auditregister) against 5 (NEN 7513). Of all else no source names a term.
#[test]
fn a_term_is_known_of_one_log_alone() {
    let law = of_tests().retention();
    let due = |kind, settings| law.due_until(kind, settings, day("2026-10-01"));
    let any = Settings::default();
    let five = Settings {
        access_log_years: Some(5),
        ..any
    };
    assert_eq!(due(Kind::AccessLog, any), Some(day("2016-09-30")));
    assert_eq!(due(Kind::AccessLog, five), Some(day("2021-09-30")));
    // Written on 29 February 2016 it is kept through 1 March 2026.
    let on = |today| law.due_until(Kind::AccessLog, any, day(today));
    assert_eq!(on("2026-03-01"), Some(day("2016-02-28")));
    assert_eq!(on("2026-03-02"), Some(day("2016-03-01")));
    for kind in Kind::ALL.iter().filter(|kind| **kind != Kind::AccessLog) {
        assert_eq!(due(*kind, five), None, "{kind}");
    }
}

fn any_day() -> impl Strategy<Value = NaiveDate> {
    (0_i64..40_000).prop_map(|days| day("1950-01-01") + chrono::TimeDelta::days(days))
}

fn any_education() -> impl Strategy<Value = Option<Education>> {
    proptest::option::of(proptest::sample::select(Education::ALL.to_vec()))
}

fn any_facts() -> impl Strategy<Value = DossierFacts> {
    let standing = proptest::collection::vec(proptest::sample::select(Stays::ALL.to_vec()), 0..3);
    (
        proptest::option::of(any_day()),
        any_education(),
        proptest::option::of(any_day()),
        prop_oneof![2 => Just(Vec::new()), 1 => standing],
    )
        .prop_map(|(born, education, last_contact, standing)| DossierFacts {
            born,
            education,
            last_contact,
            standing,
        })
}

proptest! {
    /// Whatever the facts and the setting: nothing is due in the ten years after the last contact, nor before the birthday
    /// that is chosen, nor while anything keeps it or is not known; and what is due stays due.
    #[test]
    fn nothing_is_due_too_early(
        facts in any_facts(),
        ordinary_age in proptest::option::of(0_u8..60),
        today in any_day(),
        later in 0_i64..5_000,
    ) {
        let settings = Settings { ordinary_age, access_log_years: None };
        let fate = |facts: &DossierFacts, today| of_tests().retention().fate(facts, settings, today);
        let ordinary = ordinary_age.unwrap_or(25);
        let age = match facts.education {
            Some(Education::Ordinary) => ordinary,
            Some(Education::Special) => 30,
            None => ordinary.max(30),
        };
        match fate(&facts, today) {
            Fate::Due(since) => {
                prop_assert!(since <= today && facts.standing.is_empty());
                let contact = facts.last_contact.expect("a contact");
                prop_assert!(contact + chrono::Months::new(120) < since);
                if age > 0 {
                    let born = facts.born.expect("a birth date");
                    prop_assert!(born + chrono::Months::new(u32::from(age) * 12) < since);
                }
                prop_assert_eq!(fate(&facts, today + chrono::TimeDelta::days(later)), Fate::Due(since));
                for reason in Stays::ALL {
                    let held = DossierFacts { standing: vec![*reason], ..facts.clone() };
                    prop_assert_eq!(fate(&held, today), Fate::Stays(since.pred_opt(), vec![*reason]));
                }
            }
            Fate::Stays(last, why) => {
                prop_assert!(!why.is_empty() && why.windows(2).all(|two| two[0] < two[1]));
                let known = facts.last_contact.is_some() && (facts.born.is_some() || age == 0);
                prop_assert_eq!(last.is_some(), known);
            }
        }
    }
}
