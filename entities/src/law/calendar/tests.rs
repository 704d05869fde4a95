use proptest::prelude::*;

use super::*;
use crate::law::of_tests;

fn day(text: &str) -> NaiveDate {
    NaiveDate::parse_from_str(text, "%d/%m/%Y").expect("a date")
}

fn calendar(year: i16) -> Calendar {
    of_tests().calendar(SchoolYear(year))
}

fn is_free(calendar: &Calendar, day: NaiveDate) -> bool {
    !calendar.is_lesson(HalfDay::new(day, Part::Am)) && !calendar.is_lesson(HalfDay::new(day, Part::Pm))
}

/// The published calendars of eleven school years: autumn, Christmas, carnival and spring holidays,
/// Easter, school days and half-days before local days off.
const PUBLISHED: [(i16, [&str; 5], usize, u16); 11] = [
    (
        2018,
        ["29/10/2018", "24/12/2018", "04/03/2019", "08/04/2019", "21/04/2019"],
        180,
        324,
    ),
    (
        2019,
        ["28/10/2019", "23/12/2019", "24/02/2020", "06/04/2020", "12/04/2020"],
        182,
        327,
    ),
    (
        2020,
        ["02/11/2020", "21/12/2020", "15/02/2021", "05/04/2021", "04/04/2021"],
        183,
        329,
    ),
    (
        2021,
        ["01/11/2021", "27/12/2021", "28/02/2022", "04/04/2022", "17/04/2022"],
        182,
        326,
    ),
    (
        2022,
        ["31/10/2022", "26/12/2022", "20/02/2023", "03/04/2023", "09/04/2023"],
        182,
        327,
    ),
    (
        2023,
        ["30/10/2023", "25/12/2023", "12/02/2024", "01/04/2024", "31/03/2024"],
        182,
        328,
    ),
    (
        2024,
        ["28/10/2024", "23/12/2024", "03/03/2025", "07/04/2025", "20/04/2025"],
        180,
        323,
    ),
    (
        2025,
        ["27/10/2025", "22/12/2025", "16/02/2026", "06/04/2026", "05/04/2026"],
        182,
        327,
    ),
    (
        2026,
        ["02/11/2026", "21/12/2026", "08/02/2027", "29/03/2027", "28/03/2027"],
        183,
        329,
    ),
    (
        2027,
        ["01/11/2027", "27/12/2027", "28/02/2028", "03/04/2028", "16/04/2028"],
        182,
        326,
    ),
    (
        2028,
        ["30/10/2028", "25/12/2028", "12/02/2029", "02/04/2029", "01/04/2029"],
        182,
        327,
    ),
];

#[test]
fn the_published_calendars() {
    for (year, [autumn, christmas, carnival, spring, sunday], school_days, half_days) in PUBLISHED {
        let calendar = calendar(year);
        let year = SchoolYear(year);
        assert_eq!(easter(i32::from(year.0) + 1), Some(day(sunday)), "Easter of {year}");
        let holidays = [
            (Begins::Autumn, autumn, 1),
            (Begins::Christmas, christmas, 2),
            (Begins::Carnival, carnival, 1),
            (Begins::Spring, spring, 2),
        ];
        for (begins, monday, weeks) in holidays {
            let monday = day(monday);
            assert_eq!(first_free_day(begins, year), Some(monday), "{begins:?} of {year}");
            for off in monday.iter_days().take(7 * weeks) {
                assert!(is_free(&calendar, off), "{begins:?} of {year}: lessons on {off}");
            }
            let friday_before = monday - Days::new(3);
            let is_lesson = !is_free(&calendar, friday_before);
            assert!(is_lesson, "{begins:?} of {year}: already off on {friday_before}");
        }
        let days: std::collections::BTreeSet<_> = calendar.iter().map(|at| at.day).collect();
        assert_eq!((days.len(), calendar.half_days()), (school_days, half_days), "{year}");
    }
}

#[test]
fn the_single_free_days_of_one_year() {
    let calendar = calendar(2024);
    for (off, name) in [
        ("11/11/2024", "Armistice Day"),
        ("21/04/2025", "Easter Monday"),
        ("01/05/2025", "Labour Day"),
        ("29/05/2025", "Ascension"),
        ("30/05/2025", "the Friday after"),
        ("09/06/2025", "Whit Monday"),
        ("01/07/2025", "the summer holidays"),
        ("31/08/2025", "the summer holidays"),
    ] {
        assert!(is_free(&calendar, day(off)), "{name}");
    }
    for lesson in [
        "02/09/2024",
        "12/11/2024",
        "22/04/2025",
        "02/05/2025",
        "28/05/2025",
        "10/06/2025",
        "30/06/2025",
    ] {
        assert!(!is_free(&calendar, day(lesson)), "{lesson}");
    }
}

#[test]
fn a_wednesday_is_a_morning() {
    let calendar = calendar(2026);
    let wednesday = day("09/09/2026");
    assert!(calendar.is_lesson(HalfDay::new(wednesday, Part::Am)));
    assert!(!calendar.is_lesson(HalfDay::new(wednesday, Part::Pm)));
    assert!(calendar.is_lesson(HalfDay::new(day("10/09/2026"), Part::Pm)));
}

#[test]
fn a_year_ends_on_31_august() {
    let both = |text: &str, year| calendar(year).is_lesson(HalfDay::new(day(text), Part::Am));
    assert!(both("01/09/2026", 2026) && !both("01/09/2026", 2025) && !both("01/09/2026", 2027));
    assert!(both("30/06/2027", 2026) && !both("30/06/2027", 2027));
    assert!(!both("31/08/2026", 2025) && !both("31/08/2026", 2026));
}

#[test]
fn local_days_off() {
    let flemish = calendar(2026);
    let monday = day("05/10/2026");
    let study = HalfDay::new(day("06/10/2026"), Part::Pm);
    let local = flemish
        .clone()
        .without_days([monday, day("01/01/1999")])
        .without([study]);
    assert!(is_free(&local, monday) && !local.is_lesson(study));
    assert!(local.is_lesson(HalfDay::new(study.day, Part::Am)));
    assert_eq!(local.half_days(), flemish.half_days() - 3);
}

/// Easter Sundays of the published tables, the earliest and the latest possible among them.
#[test]
fn easter_of_other_centuries() {
    for (year, sunday) in [
        (1818, "22/03/1818"),
        (1943, "25/04/1943"),
        (1954, "18/04/1954"),
        (1981, "19/04/1981"),
        (2000, "23/04/2000"),
        (2008, "23/03/2008"),
        (2038, "25/04/2038"),
        (2049, "18/04/2049"),
    ] {
        assert_eq!(easter(year), Some(day(sunday)));
    }
}

proptest! {
    #[test]
    fn the_half_days_are_the_lessons(year in any::<i16>()) {
        let calendar = calendar(year);
        let listed: Vec<_> = calendar.iter().collect();
        prop_assert!(listed.is_sorted());
        prop_assert_eq!(listed.len(), usize::from(calendar.half_days()));
        for at in listed {
            prop_assert!(calendar.is_lesson(at) && SchoolYear(year).contains(at.day));
            prop_assert!(!matches!(at.day.weekday(), Weekday::Sat | Weekday::Sun));
            prop_assert!(!matches!(at.day.month(), 7 | 8));
            prop_assert!(at.part == Part::Am || at.day.weekday() != Weekday::Wed);
        }
    }

    #[test]
    fn no_day_is_a_lesson_of_two_years(days in 0_u64..40_000, pm in any::<bool>()) {
        let at = HalfDay::new(
            NaiveDate::from_ymd_opt(1990, 1, 1).expect("a date") + Days::new(days),
            if pm { Part::Pm } else { Part::Am },
        );
        let own = SchoolYear::of(at.day);
        prop_assert!(!calendar(own.0 - 1).is_lesson(at) && !calendar(own.0 + 1).is_lesson(at));
    }
}

#[test]
fn any_date_and_any_year_can_be_asked() {
    for year in [i16::MIN, -1, 0, 1, i16::MAX] {
        let calendar = calendar(year);
        for day in [NaiveDate::MIN, NaiveDate::MAX, SchoolYear(year).first_day()] {
            let _lesson_or_not = calendar.is_lesson(HalfDay::new(day, Part::Am));
        }
    }
}
