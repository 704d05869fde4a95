use super::*;
use crate::law::{Laws, Texts, of_tests};

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn period(born: &str) -> (String, String) {
    let laws = of_tests();
    let period = laws.compulsory().period(day(born)).expect("a known law");
    (period.begins.to_string(), period.ends.expect("an end").to_string())
}

fn counting(year: i16, born: Option<&str>, level: Option<Level>, settings: Settings) -> Option<(String, String)> {
    let year = SchoolYear(year);
    let during = Period {
        begins: year.first_day(),
        ends: None,
    };
    let place = level.map(|level| Place {
        during,
        level: Some(level),
    });
    let laws = of_tests();
    let counting = laws
        .compulsory()
        .counting(year, born.map(day), place.as_slice(), settings);
    let days = year.first_day().iter_days().take(380).filter(|day| counting.on(*day));
    let days: Vec<NaiveDate> = days.collect();
    let (first, last) = (days.first()?, days.last()?);
    Some((first.to_string(), last.succ_opt().expect("a next day").to_string()))
}

fn pair(begins: &str, ends: &str) -> (String, String) {
    (begins.to_owned(), ends.to_owned())
}

/// vlaanderen.be: from 1 September of the year in which the child turns 5 (6 before 2020-2021).
#[test]
fn it_begins_at_five_since_2020_and_at_six_before() {
    assert_eq!(period("2013-06-15").0, "2019-09-01", "6 in 2019");
    assert_eq!(
        period("2014-06-15").0,
        "2020-09-01",
        "6 in 2020: too young for 2019, not for 2020"
    );
    assert_eq!(
        period("2015-06-15").0,
        "2020-09-01",
        "5 in 2020: the first of the new law"
    );
    assert_eq!(period("2016-12-31").0, "2021-09-01", "5 on the last day of 2021");
    assert_eq!(period("2017-01-01").0, "2022-09-01");
}

/// vlaanderen.be: until the 18th birthday, or 30 June of that year if the birthday is later.
#[test]
fn it_ends_at_eighteen_or_on_30_june() {
    assert_eq!(period("2009-01-01").1, "2027-01-01");
    assert_eq!(period("2009-06-30").1, "2027-06-30");
    assert_eq!(period("2009-07-01").1, "2027-07-01", "30 June is the last day");
    assert_eq!(period("2009-12-31").1, "2027-07-01", "30 June is the last day");
    assert_eq!(period("2008-02-29").1, "2026-03-01", "no 29 February in 2026");
}

#[test]
fn half_days_count_while_education_is_compulsory() {
    let usual = Settings::default();
    let whole = Some(pair("2026-09-01", "2027-09-01"));
    assert_eq!(counting(2026, Some("2012-05-04"), None, usual), whole);
    assert_eq!(
        counting(2026, Some("2009-01-20"), Some(Level::Secondary), usual),
        Some(pair("2026-09-01", "2027-01-20"))
    );
    assert_eq!(
        counting(2026, Some("2008-09-01"), Some(Level::Secondary), usual),
        None,
        "18 already"
    );
    assert_eq!(
        counting(2026, Some("2008-01-01"), Some(Level::Secondary), usual),
        None,
        "18 already"
    );
    assert_eq!(
        counting(2026, Some("2022-05-04"), Some(Level::Preschool), usual),
        None,
        "too young"
    );
    assert_eq!(
        counting(2019, Some("2014-05-04"), Some(Level::Preschool), usual),
        None,
        "five under the old law"
    );
}

#[test]
fn what_the_law_leaves_open_is_a_setting() {
    let usual = Settings::default();
    let whole = Some(pair("2026-09-01", "2027-09-01"));
    let five = Some("2021-05-04");
    assert_eq!(counting(2026, five, Some(Level::Preschool), usual), None);
    assert_eq!(counting(2026, five, Some(Level::SpecialPreschool), usual), None);
    assert_eq!(
        counting(2026, five, Some(Level::Primary), usual),
        whole,
        "early in primary: as primary"
    );
    assert_eq!(
        counting(2026, five, None, usual),
        None,
        "nearly all of that age are in kleuter"
    );
    let unknown_grade = Settings {
        unknown_grade: Some(true),
        ..usual
    };
    assert_eq!(counting(2026, five, None, unknown_grade), whole);
    assert_eq!(counting(2026, five, Some(Level::Preschool), unknown_grade), None);
    assert_eq!(
        counting(2026, Some("2020-05-04"), Some(Level::Preschool), usual),
        whole,
        "six: as primary"
    );
    let with_five = Settings {
        five_year_olds_in_preschool: Some(true),
        ..usual
    };
    assert_eq!(counting(2026, five, Some(Level::Preschool), with_five), whole);

    let grown = Some("2007-05-04");
    let with_grown = Settings {
        after_compulsory_age: Some(true),
        ..usual
    };
    assert_eq!(counting(2026, grown, Some(Level::Secondary), usual), None);
    assert_eq!(counting(2026, grown, Some(Level::Secondary), with_grown), whole);

    let without_unknown = Settings {
        unknown_birth_date: Some(false),
        ..usual
    };
    assert_eq!(counting(2026, None, None, usual), whole);
    assert_eq!(counting(2026, None, None, without_unknown), None);
}

/// Domain facts §2.2: in kleuter the rule of five is open, in lager it holds; so a day counts by where the child sits on it.
#[test]
fn a_five_year_old_counts_while_in_primary() {
    let year = SchoolYear(2026);
    let place = |begins: &str, ends: Option<&str>, level| Place {
        during: Period {
            begins: day(begins),
            ends: ends.map(day),
        },
        level,
    };
    // Up to Christmas in kleuter, then in lager; from Easter on in a class of which the grade is not known.
    let places = [
        place("2026-09-01", Some("2026-12-21"), Some(Level::Preschool)),
        place("2026-12-21", Some("2027-03-29"), Some(Level::Primary)),
        place("2027-03-29", None, None),
    ];
    let laws = of_tests();
    let on = |settings, text: &str| {
        let counting = laws
            .compulsory()
            .counting(year, Some(day("2021-05-04")), &places, settings);
        counting.on(day(text))
    };
    let unknown_counts = Settings {
        unknown_grade: Some(true),
        ..Settings::default()
    };
    for (text, usual, unknown) in [
        ("2026-12-20", false, false),
        ("2026-12-21", true, true),
        ("2027-03-28", true, true),
        ("2027-03-29", false, true),
    ] {
        assert_eq!(on(Settings::default(), text), usual, "{text}");
        assert_eq!(on(unknown_counts, text), unknown, "{text}");
    }
    // In two classes at once: a lesson group beside the class in lager takes nothing away.
    let both = [
        place("2026-09-01", None, Some(Level::Primary)),
        place("2026-09-01", None, Some(Level::Preschool)),
    ];
    let counting = laws
        .compulsory()
        .counting(year, Some(day("2021-05-04")), &both, Settings::default());
    assert!(counting.on(day("2026-10-01")));
    // Of another age the class says nothing.
    let six = laws
        .compulsory()
        .counting(year, Some(day("2020-05-04")), &places, Settings::default());
    assert!(six.on(day("2026-10-01")));
}

/// Design §2: a value without source and certainty is unknown, and its rule is off.
#[test]
fn an_open_point_without_source_is_off() {
    let text = Texts::EMBEDDED.compulsory.replace("source = \"no text: ", "# ");
    let laws = Laws::parse(Texts {
        compulsory: &text,
        ..Texts::EMBEDDED
    })
    .expect("still a data file");
    assert_eq!(laws.unknown(), ["compulsory.toml: open point UnknownBirthDate"]);
    let year = SchoolYear(2026);
    let counts = |laws: &Laws, settings| {
        let counting = laws.compulsory().counting(year, None, &[], settings);
        counting.on(day("2026-10-01"))
    };
    assert!(counts(of_tests(), Settings::default()));
    assert!(!counts(&laws, Settings::default()));
    let decided = Settings {
        unknown_birth_date: Some(true),
        ..Settings::default()
    };
    assert!(counts(&laws, decided), "who decides needs no source");
}

#[test]
fn settings_are_named_and_closed() {
    assert_eq!(toml::from_str("").ok(), Some(Settings::default()));
    assert!(toml::from_str::<Settings>("five_year_olds = true").is_err());
}

#[test]
fn any_birth_date_can_be_asked() {
    for born in [NaiveDate::MIN, day("0001-01-01"), day("9999-12-31"), NaiveDate::MAX] {
        let laws = of_tests();
        let _known_or_not = laws.compulsory().period(born);
        let _counts_or_not = laws
            .compulsory()
            .counting(SchoolYear(i16::MAX), Some(born), &[], Settings::default());
    }
}
